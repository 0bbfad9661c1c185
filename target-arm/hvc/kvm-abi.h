/*
 * What a KVM/arm64 VM promises its guest beside the services
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The mitigations that the firmware says it has, and the registers that tell a
 * guest about its CPU and caches. They depend on the host's hardware and
 * kernel, so they are read from the VM, and become part of the contract.
 */

#ifndef TARGET_ARM_HVC_KVM_ABI_H
#define TARGET_ARM_HVC_KVM_ABI_H

#include "migration/guest-abi.h"
#include "kvm.h"

/* Entries of firmware registers that are not known, before their numbers */
#define HVC_KVM_UNKNOWN_ENTRY "arm.firmware-register-"

/**
 * hvc_kvm_promise: add them to the VM's contract with its guest
 * @kvm: a vCPU of a VM that has not run; copied, its @opaque must stay
 * @registers: who chose the registers' values
 * @errp: a register that cannot be read
 *
 * Returns: true on success.
 */
bool hvc_kvm_promise(const HvcKvm *kvm, GuestAbiOrigin registers,
                     Error **errp);

/**
 * hvc_kvm_is_promised: was hvc_kvm_promise() called?
 */
bool hvc_kvm_is_promised(void);

/**
 * hvc_kvm_restore: give a vCPU the registers of the contract again
 * @kvm: a vCPU that was reset
 * @errp: a register that the kernel refuses
 *
 * Kernels before 6.10 give the registers of the caches their own values at
 * each KVM_ARM_VCPU_INIT.
 *
 * Returns: true on success.
 */
bool hvc_kvm_restore(const HvcKvm *kvm, Error **errp);

/**
 * hvc_kvm_set_registers: give a vCPU its registers
 * @kvm: the vCPU
 * @ids: the registers
 * @values: their values
 * @count: number of both
 * @errp: which register the kernel refuses; those after it are not written
 *
 * Returns: true if the kernel took all of them.
 */
bool hvc_kvm_set_registers(const HvcKvm *kvm, const uint64_t *ids,
                           const uint64_t *values, size_t count, Error **errp);

/**
 * hvc_kvm_check_registers: does a vCPU come with what the contract says?
 * @kvm: that vCPU
 * @ids: the registers of this kernel
 * @values: their values as they came with the vCPU
 * @count: number of both
 * @errp: which register differs
 *
 * Kernels before 6.10 forget the values of the caches' registers, so those of
 * the contract replace them; any other difference is damage. Fields that some
 * kernels show by mistake stay as this kernel has them.
 *
 * Returns: true if @values is what the guest was promised.
 */
bool hvc_kvm_check_registers(const HvcKvm *kvm, const uint64_t *ids,
                             uint64_t *values, size_t count, Error **errp);

/**
 * hvc_kvm_register_id: the register of an entry of the contract
 * @definition: any entry
 *
 * Returns: the register's id; 0 for an entry that is none.
 */
uint64_t hvc_kvm_register_id(const GuestAbiDefinition *definition);

#endif
