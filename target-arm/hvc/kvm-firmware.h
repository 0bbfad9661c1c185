/*
 * Hypercall services under KVM: the firmware pseudo-registers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The kernel answers the guest's calls; which ones is chosen with firmware
 * pseudo-registers (Linux Documentation/virt/kvm/arm/fw-pseudo-registers.rst).
 * They are read and written through a vCPU and hold for the VM.
 */

#ifndef TARGET_ARM_HVC_KVM_FIRMWARE_H
#define TARGET_ARM_HVC_KVM_FIRMWARE_H

#include "kvm-access.h"
#include "set.h"

/**
 * hvc_kvm_pin: give a VM a set of services, and nothing else
 * @kvm: any vCPU of a VM that has not run
 * @set: the services and the PSCI version
 * @options: the machine options that lead to it, for messages
 * @errp: which service, or PSCI version, this kernel cannot give or hide, what
 *        it has, and what to do
 *
 * Registers and bits that nobody here has heard of are set to 0.
 *
 * Returns: true if the guest will see exactly @set.
 */
bool hvc_kvm_pin(const HvcKvm *kvm, const HvcSet *set, const char *options,
                 Error **errp);

/**
 * hvc_kvm_check_pinned: has a VM still the services that it was given?
 * @kvm: any of its vCPUs
 * @set: the services and the PSCI version
 * @errp: which register has another value, and both values
 *
 * Returns: true if the guest sees exactly @set.
 */
bool hvc_kvm_check_pinned(const HvcKvm *kvm, const HvcSet *set, Error **errp);

#endif
