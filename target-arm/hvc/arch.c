/*
 * SMCCC's own functions (Arm DEN 0028, section 7)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "internals.h"
#include "dispatch.h"

/**
 * hvc_arch_version: SMCCC_VERSION
 * @call: no arguments
 *
 * Returns version 1.1 in X0, as every KVM does: 1.2 would make the guest ask
 * for SMCCC_ARCH_SOC_ID, and promise X4 to X17 as results.
 */
void hvc_arch_version(HvcCall *call)
{
    call->result[0] = 0x10001;
}

/*
 * FEAT_SSBS takes the place of WORKAROUND_2: its guest switches the speculation
 * itself, and KVM tells it that the hypervisor has no part in it.
 */
static bool has_ssbs(ARMCPU *cpu)
{
    return cpu_isar_feature(aa64_ssbs, cpu) || cpu_isar_feature(aa32_ssbs, cpu);
}

/**
 * hvc_arch_features: SMCCC_ARCH_FEATURES
 * @call: W1: a function id
 *
 * KVM answers NOT_SUPPORTED even for the functions of this owner that it has,
 * where DEN 0028 wants 0; guests do not ask.
 */
void hvc_arch_features(HvcCall *call)
{
    const HvcFunction *function = hvc_dispatch_function(hvc_call_arg(call, 1));

    if (function && function->discovery == HVC_DISCOVERY_ARCH_FEATURES &&
        hvc_call_can_use(call, function->id) &&
        !(function->id == HVC_ARCH_WORKAROUND_2 && has_ssbs(call->cpu))) {
        call->result[0] = (int64_t)function->feature;
    } else {
        call->result[0] = HVC_NOT_SUPPORTED;
    }
}

/**
 * hvc_arch_workaround: SMCCC_ARCH_WORKAROUND_1, _2 and _3
 * @call: W1 of WORKAROUND_2: whether to enable it; ignored
 *
 * The functions have no result. KVM answers them before it looks at any
 * bitmap, and only through HVC.
 */
void hvc_arch_workaround(HvcCall *call)
{
    call->result[0] = call->smc ? HVC_NOT_SUPPORTED : HVC_SUCCESS;
}
