/*
 * Registers that not every kernel lists
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A vCPU migrates as the list of registers that its kernel has. Kernels differ
 * in what they list on the same hardware. This decides what may stay behind,
 * and what a register is to be that the other kernel did not send.
 */

#ifndef TARGET_ARM_HVC_KVM_REGISTERS_H
#define TARGET_ARM_HVC_KVM_REGISTERS_H

#include "kvm.h"

/**
 * HvcRegisterList: the registers of a vCPU
 * @ids: their ids; of a migration, so not trusted
 * @values: their values
 * @count: number of both
 */
typedef struct HvcRegisterList {
    const uint64_t *ids;
    const uint64_t *values;
    size_t count;
} HvcRegisterList;

/**
 * hvc_compare_ids: the order of register lists, for qsort() and bsearch()
 * @a: a uint64_t
 * @b: another
 *
 * Returns: a number below, equal to or above 0.
 */
int hvc_compare_ids(const void *a, const void *b);

/**
 * hvc_is_ccsidr: is a register CCSIDR_EL1 of one cache?
 * @id: a register id
 */
bool hvc_is_ccsidr(uint64_t id);

/**
 * hvc_clidr_has_cache: is there a cache?
 * @clidr: CLIDR_EL1
 * @id: a register for which hvc_is_ccsidr() is true
 *
 * Returns: true if @clidr says that the cache of that level and kind exists
 * (Arm DDI 0487, D24.2.27: CTYPE<n>).
 */
bool hvc_clidr_has_cache(uint64_t clidr, uint64_t id);

/**
 * hvc_kvm_same_register: does a guest see the same in two values?
 * @id: a register id
 * @a: a value
 * @b: another one
 *
 * Returns: true if they are equal but for fields that some kernels show by
 * mistake; kernels that do not, take such a value and leave the field out.
 */
bool hvc_kvm_same_register(uint64_t id, uint64_t a, uint64_t b);

/**
 * hvc_kvm_match: make the registers of this kernel from those of another
 * @kvm: the vCPU that is loaded; for a register whose value runs by itself
 * @incoming: what came
 * @ids: the registers of this kernel, ascending
 * @values: their values, on success; @count long
 * @count: number of @ids
 * @errp: which register cannot be left behind, its value, and why
 *
 * What is left behind is traced, and the first one is warned of.
 *
 * Returns: true if nothing that the guest can see is lost.
 */
bool hvc_kvm_match(const HvcKvm *kvm, const HvcRegisterList *incoming,
                   const uint64_t *ids, uint64_t *values, size_t count,
                   Error **errp);

#endif
