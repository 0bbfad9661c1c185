/*
 * The contract of a VM under KVM: what the kernel makes of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Between guest-abi, which has names and values, and the scratch VM, which
 * knows what becomes of them.
 */

#ifndef TARGET_ARM_HVC_KVM_CONTRACT_H
#define TARGET_ARM_HVC_KVM_CONTRACT_H

#include "vm.h"

/* The part of the contract with the ids that hvc_list_pack() makes */
#define HVC_LIST_PART "arm.registers"

/**
 * hvc_kvm_promise: find out what a VM's guest will read, and promise it
 * @vm: the VM, its kernel and its recipe known; becomes hvc_vm, from which
 *      guest-abi's hooks take what they need
 * @errp: this host cannot have such a VM, or none that is like the profile's
 *
 * @vm gets its contract. To be called before any vCPU of it runs.
 *
 * Returns: true on success.
 */
bool hvc_kvm_promise(HvcVm *vm, Error **errp);

/**
 * hvc_kvm_adopt: take over what guest-abi has promised instead
 * @vm: the VM; its contract and the list of its registers become those of the
 *      contract that came
 *
 * The vCPUs are not touched.
 */
void hvc_kvm_adopt(HvcVm *vm);

#endif
