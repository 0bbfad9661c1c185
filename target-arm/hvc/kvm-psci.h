/*
 * The PSCI version that this host's KVM gives a guest by default
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_ARM_HVC_KVM_PSCI_H
#define TARGET_ARM_HVC_KVM_PSCI_H

/**
 * hvc_kvm_host_psci_version: the newest PSCI version of this host's kernel
 *
 * Only to be called under KVM. The answer comes from a VM of its own, so that
 * it is known before the machine has a vCPU.
 *
 * Returns: the version as PSCI_VERSION returns it; 0 if no VM could be made,
 * which whoever makes the machine's own VM will report.
 */
uint32_t hvc_kvm_host_psci_version(void);

#endif
