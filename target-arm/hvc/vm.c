/*
 * HvcVm: a KVM/arm64 VM with a pinned set of services
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "vm.h"

HvcVm *hvc_vm;

void hvc_truth_clear(HvcTruth *truth)
{
    g_clear_pointer(&truth->ids, g_free);
    truth->count = 0;
}

HvcVm *hvc_vm_new(const HvcSet *set, const char *options)
{
    HvcVm *vm = g_new0(HvcVm, 1);

    vm->set = *set;
    vm->options = g_strdup(options);
    vm->loaded = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    vm->gic_fd = -1;
    vm->its_fd = -1;
    return vm;
}

void hvc_vm_free(HvcVm *vm)
{
    if (vm) {
        hvc_truth_clear(&vm->truth);
        hvc_kvm_profile_free(vm->profile);
        g_hash_table_unref(vm->loaded);
        g_free(vm->ids);
        g_free(vm->late);
        g_free(vm->options);
        g_free(vm);
    }
}
