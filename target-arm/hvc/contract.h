/*
 * HvcContract: what a guest under KVM reads of its hardware and firmware
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A value, like HvcSet: registers with their values. Beside the services,
 * which HvcSet has, it is all that a guest was promised.
 */

#ifndef TARGET_ARM_HVC_CONTRACT_H
#define TARGET_ARM_HVC_CONTRACT_H

/*
 * Room for registers: 63 of Arm's ID space, 18 of the caches, and some twenty
 * others; the rest is for those that kernels will yet have.
 */
#define HVC_CONTRACT_SIZE 192

/**
 * HvcPromise: a register that the guest can read
 * @id: as HvcKvm has it
 * @value: what the guest reads
 */
typedef struct HvcPromise {
    uint64_t id;
    uint64_t value;
} HvcPromise;

/**
 * HvcContract:
 * @count: number of @promises
 * @promises: ascending by id
 */
typedef struct HvcContract {
    unsigned count;
    HvcPromise promises[HVC_CONTRACT_SIZE];
} HvcContract;

/**
 * hvc_contract_is_level: is a register a level of the firmware's?
 * @id: a register that hvc_contract_covers()
 *
 * Returns: true for SMCCC_ARCH_WORKAROUND_n and firmware registers that are
 * not known: the host has them, and no VM can be given others.
 */
bool hvc_contract_is_level(uint64_t id);

/**
 * hvc_contract_set: let a contract have a register
 * @contract: the contract
 * @id: the register
 * @value: its value; takes the place of another one
 * @errp: there is no room for it
 *
 * Returns: true on success.
 */
bool hvc_contract_set(HvcContract *contract, uint64_t id, uint64_t value,
                      Error **errp);

/**
 * hvc_contract_find: a register of a contract
 * @contract: the contract
 * @id: the register
 *
 * Returns: its place, valid until the contract changes; NULL if the contract
 * does not have it.
 */
const HvcPromise *hvc_contract_find(const HvcContract *contract, uint64_t id);

/**
 * hvc_contract_value: the value of a register
 * @contract: the contract
 * @id: the register
 *
 * Returns: its value; 0 for a register that the contract does not have, as its
 * kernel has not heard of it.
 */
uint64_t hvc_contract_value(const HvcContract *contract, uint64_t id);

/**
 * hvc_contract_counts: can a guest tell what a register's value is?
 * @contract: what the guest has
 * @id: a register that hvc_contract_covers()
 *
 * Returns: false for the register of a cache that the contract's CLIDR_EL1
 * says there is not, and for HVC_KVM_PMU_COUNTERS with 0, of which nothing was
 * said.
 */
bool hvc_contract_counts(const HvcContract *contract, uint64_t id);

#endif
