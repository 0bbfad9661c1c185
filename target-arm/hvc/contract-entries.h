/*
 * A guest's registers as entries of guest-abi's contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * What a guest is promised by a register, under which name and rule, and what
 * is said of a value that does not fit.
 */

#ifndef TARGET_ARM_HVC_CONTRACT_ENTRIES_H
#define TARGET_ARM_HVC_CONTRACT_ENTRIES_H

#include "migration/guest-abi.h"
#include "contract.h"

/* Entries of firmware registers that are not known, before their numbers */
#define HVC_UNKNOWN_FIRMWARE_ENTRY "arm.firmware-register-"

/* Why the field GIC of two ID registers differs, and for whom */
#define HVC_GIC_FIELD_WHY \
    "a VM without a GICv3 of the kernel's has the field GIC up to Linux " \
    "6.11, and not from 6.12 on"
#define HVC_GIC_FIELD_REMEDY "-machine gic-version=3,kernel-irqchip=on"

/**
 * hvc_contract_covers: is a register something that a guest is promised?
 * @id: a register, as HvcKvm has it
 *
 * Returns: true for the registers that describe the CPU and the GIC, the
 * vector lengths, the counter's frequency, and the firmware's levels; false
 * for state, and for the services, which HvcSet has.
 */
bool hvc_contract_covers(uint64_t id);

/**
 * hvc_contract_entry_name: the name of a register in guest-abi's contract
 * @id: a register that hvc_contract_covers()
 *
 * Returns: the name, which never changes. The caller frees it with g_free().
 */
char *hvc_contract_entry_name(uint64_t id);

/**
 * hvc_contract_definition: a promise as an entry of guest-abi's contract
 * @promise: the promise; it is copied
 * @origin: who set it
 *
 * Returns: the entry, its register in @opaque. Nothing that it points to is
 * ever freed.
 */
GuestAbiDefinition hvc_contract_definition(const HvcPromise *promise,
                                           GuestAbiOrigin origin);

/**
 * hvc_contract_id: the register of an entry
 * @definition: any entry
 *
 * Returns: the register's id; 0 for an entry that is none.
 */
uint64_t hvc_contract_id(const GuestAbiDefinition *definition);

/**
 * hvc_contract_vector_lengths: vector lengths in words
 * @map: bit N stands for a length of (N + 1) * 128 bits
 *
 * Returns: the lengths in bits, as in "128 256", or "none". The caller frees it
 * with g_free().
 */
char *hvc_contract_vector_lengths(uint64_t map);

/**
 * hvc_contract_came_with_lengths: what "incoming VM has", of vector lengths
 * @feature: "SVE" or "SME"
 * @map: bit N stands for a length of (N + 1) * 128 bits
 *
 * Returns: "SVE vector lengths of 128 256 bits", or "no SVE vector lengths".
 * The caller frees it with g_free().
 */
char *hvc_contract_came_with_lengths(const char *feature, uint64_t map);

/**
 * hvc_contract_promise_gic: add the GIC to guest-abi's contract
 * @version: its version, 2 to 4; 0: there is none
 * @in_kernel: it is the kernel's, and not QEMU's
 * @has_its: it has an ITS, of whosever
 *
 * The entry has the version in [7:0], and bit 8 for the kernel's.
 */
void hvc_contract_promise_gic(unsigned version, bool in_kernel, bool has_its);

#endif
