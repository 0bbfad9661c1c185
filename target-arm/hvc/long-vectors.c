/*
 * Vectors that are longer than QEMU's stream has room for
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "cpu.h"
#include "migration/guest-abi.h"
#include "long-vectors.h"

#ifdef TARGET_AARCH64

/* vmstate_zreg_hi_reg ends there: its length is ARM_MAX_VQ - 2 words. */
#define CARRIED (ARM_MAX_VQ)
#define LEFT    (ARM_MAX_VQ * 2 - CARRIED)

/* What is not sent is 0 at the destination, as after a reset. */
static bool is_needed(void *opaque)
{
    const ARMCPU *cpu = opaque;

    if (!guest_abi_is_migrated()) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(cpu->env.vfp.zregs); i++) {
        if (!buffer_is_zero(&cpu->env.vfp.zregs[i].d[CARRIED],
                            LEFT * sizeof(uint64_t))) {
            return true;
        }
    }
    return false;
}

static const VMStateDescription vmstate_rest = {
    .name = "cpu/long-vectors/rest",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64_SUB_ARRAY(d, ARMVectorReg, CARRIED, LEFT),
        VMSTATE_END_OF_LIST()
    },
};

const VMStateDescription vmstate_hvc_long_vectors = {
    .name = "cpu/long-vectors",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = is_needed,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT_ARRAY(env.vfp.zregs, ARMCPU, 32, 0, vmstate_rest,
                             ARMVectorReg),
        VMSTATE_END_OF_LIST()
    },
};

#endif
