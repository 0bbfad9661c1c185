/*
 * The registers of one vCPU, and the contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A vCPU is given what was promised when its VM is made, when a contract is
 * adopted and when it is reset. What a migration brings for it is held against
 * the contract, written, and read again: a kernel may take a value and not
 * keep it.
 */

#ifndef TARGET_ARM_HVC_KVM_STATE_H
#define TARGET_ARM_HVC_KVM_STATE_H

#include "contract.h"
#include "kvm-access.h"

/**
 * hvc_state_apply: give a vCPU the registers of a contract
 * @kvm: the vCPU
 * @contract: the registers; those that the vCPU does not have are left out
 * @caches_only: only CLIDR_EL1 and CCSIDR_EL1, which a kernel has for each
 *               vCPU; the others hold for the VM
 *
 * Writes what differs, in the contract's order. What the kernel refuses it
 * refuses silently: hvc_scratch_try() has told what comes of that.
 *
 * Returns: the number of registers that differed.
 */
unsigned hvc_state_apply(const HvcKvm *kvm, const HvcContract *contract,
                         bool caches_only);

/**
 * hvc_state_check: has a vCPU the registers of a contract?
 * @kvm: a vCPU of a VM that has run
 * @contract: the registers
 * @caches_only: see hvc_state_apply()
 * @errp: the first register that differs, and how many more
 *
 * Returns: true if it has.
 */
bool hvc_state_check(const HvcKvm *kvm, const HvcContract *contract,
                     bool caches_only, Error **errp);

/**
 * hvc_state_check_levels: has the firmware still the levels of a contract?
 * @kvm: any vCPU of the VM
 * @contract: what the guest was promised
 * @errp: which level is lower now
 *
 * Returns: true if none is.
 */
bool hvc_state_check_levels(const HvcKvm *kvm, const HvcContract *contract,
                            Error **errp);

/**
 * hvc_state_warn_left_out: tell people what a guest will not see any more
 * @kvm: a vCPU that was given @contract
 * @contract: what came
 *
 * A kernel may take a value and leave out a field that no guest has, or have
 * one that it should not show: see hvc_same_register().
 */
void hvc_state_warn_left_out(const HvcKvm *kvm, const HvcContract *contract);

/**
 * hvc_state_read: read a vCPU's registers
 * @kvm: the vCPU
 * @cpu: its number, for the message
 * @ids: the registers
 * @values: their values, on success
 * @count: number of both
 * @errp: the first register that cannot be read
 *
 * Returns: true on success.
 */
bool hvc_state_read(const HvcKvm *kvm, int cpu, const uint64_t *ids,
                    uint64_t *values, size_t count, Error **errp);

/**
 * hvc_state_check_incoming: does a vCPU come with what the contract says?
 * @contract: what the guest was promised
 * @ids: the registers of this kernel
 * @known: their values before the load, as QEMU's list of the vCPU has them
 * @values: their values as they came with the vCPU
 * @count: number of all three
 * @errp: which register differs
 *
 * Kernels before 6.10 forget the values of the caches' registers, so those of
 * the contract replace them; any other difference is damage. Fields that some
 * kernels show by mistake become those of this kernel, which may refuse the
 * source's.
 *
 * Returns: true if @values is what the guest was promised.
 */
bool hvc_state_check_incoming(const HvcContract *contract,
                              const uint64_t *ids, const uint64_t *known,
                              uint64_t *values, size_t count, Error **errp);

/**
 * hvc_state_write: give a vCPU its registers
 * @kvm: the vCPU
 * @ids: the registers
 * @known: what they are; those that are in @values as they are already are not
 *         written. NULL: write all of them
 * @values: what they are to be
 * @count: number of all three
 * @errp: which registers the kernel refuses; the others are written
 *
 * Returns: true if the kernel took all of them.
 */
bool hvc_state_write(const HvcKvm *kvm, const uint64_t *ids,
                     const uint64_t *known, const uint64_t *values,
                     size_t count, Error **errp);

/**
 * hvc_state_check_kept: did a vCPU keep the registers that were written?
 * @kvm: the vCPU
 * @contract: what the guest was promised
 * @caches_only: of the contract's registers read only those of the caches: the
 *               others hold for the VM, and were read of its first vCPU
 * @ids: the registers
 * @values: what they are to be
 * @count: number of both
 * @warned: set when people are told of what no guest is refused for
 * @errp: which registers have other values now
 *
 * Returns: true if it kept them, but for what runs by itself or is nobody's.
 */
bool hvc_state_check_kept(const HvcKvm *kvm, const HvcContract *contract,
                          bool caches_only, const uint64_t *ids,
                          const uint64_t *values, size_t count, bool *warned,
                          Error **errp);

/**
 * HvcLoaded: how a vCPU's load went
 * @HVC_LOADED: the vCPU has its registers
 * @HVC_LOAD_REFUSED: the kernel does not take one of them
 * @HVC_LOAD_NOT_KEPT: it took all of them, and one is not as it was written
 */
typedef enum HvcLoaded {
    HVC_LOADED,
    HVC_LOAD_REFUSED,
    HVC_LOAD_NOT_KEPT,
} HvcLoaded;

/**
 * hvc_state_load: give a vCPU its registers, and read them again
 * @kvm: the vCPU
 * @contract: what the guest was promised
 * @caches_only: see hvc_state_check_kept()
 * @ids: the registers
 * @known: their values before the load, as QEMU's list of the vCPU has them
 * @values: what they are to be
 * @count: number of all three
 * @warned: see hvc_state_check_kept()
 * @errp: set unless HVC_LOADED is returned
 *
 * QEMU writes all of @values after this. So that no register is written twice
 * without need, only those are written here that differ from @known; should
 * @known turn out to be wrong, all are, before anything is refused.
 */
HvcLoaded hvc_state_load(const HvcKvm *kvm, const HvcContract *contract,
                         bool caches_only, const uint64_t *ids,
                         const uint64_t *known, const uint64_t *values,
                         size_t count, bool *warned, Error **errp);

#endif
