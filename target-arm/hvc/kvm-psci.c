/*
 * The PSCI version that this host's KVM gives a guest by default
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include <linux/kvm.h>
#include "cpu.h"
#include "migration/qemu-compat.h"
#include "kvm-host.h"
#include "kvm-psci.h"

uint32_t hvc_kvm_host_psci_version(void)
{
    /* As wide as the host's addresses: not every CPU has the default's 40. */
    HvcVmRecipe recipe = {
        .type = kvm_check_extension(kvm_state, KVM_CAP_ARM_VM_IPA_SIZE),
        .target = HVC_KVM_PREFERRED_TARGET,
        .features = { 1 << KVM_ARM_VCPU_PSCI_0_2 },
    };
    uint64_t version = 0;
    HvcHostVcpu host;
    HvcKvm *kvm;

    hvc_host_vcpu(&host, NULL, -1, -1);
    kvm = host.kvm.create(&host.kvm, &recipe, NULL);
    if (!kvm) {
        return 0;
    }
    if (kvm->get(kvm, HVC_KVM_PSCI_VERSION, &version)) {
        version = 0;
    }
    kvm->destroy(kvm);
    return version;
}
