/*
 * Loading the vCPUs of a VM with a contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "cpu.h"
#include "migration/guest-abi.h"
#include "kvm-vcpu.h"
#include "tcg-lists.h"
#include "vcpu-load.h"

/*
 * The source may list registers that are not listed here, at most a few
 * hundred; QEMU refuses a list that is longer than cpreg_vmstate_array_len.
 */
#define INCOMING_LIST_SLACK 1024

static bool is_translated(void)
{
    return hvc_vm || hvc_tcg_has_lists();
}

void arm_hvc_pre_load(ARMCPU *cpu)
{
    int room = cpu->cpreg_array_len + INCOMING_LIST_SLACK;

    if (!is_translated()) {
        return;
    }
    cpu->cpreg_vmstate_indexes = g_renew(uint64_t, cpu->cpreg_vmstate_indexes,
                                         room);
    cpu->cpreg_vmstate_values = g_renew(uint64_t, cpu->cpreg_vmstate_values,
                                        room);
    cpu->cpreg_vmstate_array_len = room;
}

bool arm_hvc_post_load(ARMCPU *cpu)
{
    size_t size = cpu->cpreg_array_len * sizeof(uint64_t);
    g_autofree uint64_t *values = NULL;
    g_autoptr(Error) err = NULL;

    if (!guest_abi_check_received()) {
        return false;
    }
    if (!is_translated()) {
        return true;
    }
    values = g_malloc(size);
    if (hvc_vm ? !hvc_kvm_load(cpu, values, &err)
               : !hvc_tcg_load(cpu, values, &err)) {
        guest_abi_refuse(err);
        return false;
    }
    memcpy(cpu->cpreg_vmstate_indexes, cpu->cpreg_indexes, size);
    memcpy(cpu->cpreg_vmstate_values, values, size);
    cpu->cpreg_vmstate_array_len = cpu->cpreg_array_len;
    return true;
}
