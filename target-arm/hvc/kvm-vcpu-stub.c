/*
 * Hypercall services without KVM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "kvm-vcpu.h"

bool hvc_vcpus_promise(HvcVm *vm, Error **errp)
{
    g_assert_not_reached();
}

bool hvc_kvm_choose_identity(void)
{
    g_assert_not_reached();
}

bool hvc_kvm_has_steal_time(void)
{
    g_assert_not_reached();
}

bool hvc_kvm_gives_steal_time(ARMCPU *cpu)
{
    g_assert_not_reached();
}

bool hvc_kvm_load(ARMCPU *cpu, uint64_t *values, Error **errp)
{
    g_assert_not_reached();
}
