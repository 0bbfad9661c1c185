/*
 * The PSCI version that this host's KVM gives a guest by default
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include "cpu.h"
#include "kvm_arm.h"
#include "kvm-psci.h"
#include "migration/qemu-compat.h"

uint32_t hvc_kvm_host_psci_version(void)
{
    struct kvm_vcpu_init init = {
        .target = -1,
        .features = { 1 << KVM_ARM_VCPU_PSCI_0_2 },
    };
    uint64_t version = 0;
    struct kvm_one_reg reg = {
        .id = KVM_REG_ARM_PSCI_VERSION,
        .addr = (uintptr_t)&version,
    };
    int fds[3];

    if (!hvc_create_scratch_vcpu(fds, &init)) {
        return 0;
    }
    if (ioctl(fds[2], KVM_GET_ONE_REG, &reg)) {
        version = 0;
    }
    kvm_arm_destroy_scratch_host_vcpu(fds);
    return version;
}
