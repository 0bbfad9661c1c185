/*
 * Hypercall services under KVM: the firmware pseudo-registers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The kernel answers the guest's calls; which ones is chosen with firmware
 * pseudo-registers (Linux Documentation/virt/kvm/arm/fw-pseudo-registers.rst).
 * They are read and written through a vCPU and hold for the VM. What the kernel
 * is too old for, it can be told to hand over to QEMU.
 */

#ifndef TARGET_ARM_HVC_KVM_FIRMWARE_H
#define TARGET_ARM_HVC_KVM_FIRMWARE_H

#include "kvm-access.h"
#include "set.h"

/**
 * HvcShare: who serves what of a set
 * @kernel: what the kernel's registers have. Its PSCI version is the newest
 *          that the kernel has and that is not above the set's.
 * @qemu: what QEMU serves; the PSCI version is 0 if the kernel has it
 */
typedef struct HvcShare {
    HvcSet kernel;
    HvcSet qemu;
} HvcShare;

/**
 * hvc_kvm_pin: give a VM a set of services, and nothing else
 * @kvm: any vCPU of a VM that has not run
 * @set: the services and the PSCI version
 * @options: the machine options that lead to it, for messages
 * @share: set to who serves what; as little as possible is QEMU's
 * @errp: which service, or PSCI version, this kernel cannot give or hide, what
 *        it has, and what to do
 *
 * Registers and bits that nobody here has heard of are set to 0.
 *
 * Returns: true if the guest will see exactly @set.
 */
bool hvc_kvm_pin(const HvcKvm *kvm, const HvcSet *set, const char *options,
                 HvcShare *share, Error **errp);

/**
 * hvc_kvm_check_pinned: has a VM still the services that it was given?
 * @kvm: any of its vCPUs
 * @share: what hvc_kvm_pin() said
 * @errp: which register has another value, and both values
 *
 * Returns: true if the guest sees what it was given.
 */
bool hvc_kvm_check_pinned(const HvcKvm *kvm, const HvcShare *share,
                          Error **errp);

#endif
