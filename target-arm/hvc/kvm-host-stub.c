/*
 * Hypercall services without KVM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "migration/guest-abi.h"
#include "kvm-host.h"

void hvc_kvm_host_pin(const HvcSet *set, const char *options,
                      HvcKvmProfile *profile)
{
    g_assert_not_reached();
}

bool hvc_kvm_host_promise(Error **errp)
{
    g_assert_not_reached();
}

bool hvc_kvm_host_has_steal_time(void)
{
    g_assert_not_reached();
}

bool hvc_kvm_host_gives_steal_time(ARMCPU *cpu)
{
    g_assert_not_reached();
}

void arm_hvc_kvm_pre_load(ARMCPU *cpu)
{
}

bool arm_hvc_post_load(ARMCPU *cpu)
{
    return guest_abi_check_received();
}

void arm_hvc_kvm_report_refused(ARMCPU *cpu)
{
    g_assert_not_reached();
}
