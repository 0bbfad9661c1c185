/*
 * Registers that not every kernel lists, and not every version of QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A vCPU migrates as the list of registers that its kernel has, or QEMU's TCG.
 * Kernels differ in what they list on the same hardware, and versions of QEMU
 * in what they list of the same CPU model. This decides what may be left out,
 * and what a register is to be that the other side did not send.
 */

#ifndef TARGET_ARM_HVC_KVM_LISTS_H
#define TARGET_ARM_HVC_KVM_LISTS_H

#include "qapi/qapi-builtin-types.h"
#include "contract.h"
#include "kvm-access.h"

/* No kernel lists more for a vCPU. */
#define HVC_LIST_SIZE 4096

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
 * HvcLister: whose list the registers of another are put into
 * @HVC_LISTER_KERNEL: that of this host's kernel
 * @HVC_LISTER_QEMU: that of this QEMU's TCG
 */
typedef enum HvcLister {
    HVC_LISTER_KERNEL,
    HVC_LISTER_QEMU,
} HvcLister;

/**
 * HvcListWarnings: what people have been told already
 * @left_behind: a register was left behind
 * @lost: a register did not come
 * @not_kept: a register has lost something here
 */
typedef struct HvcListWarnings {
    bool left_behind;
    bool lost;
    bool not_kept;
} HvcListWarnings;

/**
 * hvc_list_has: does a pinned VM's vCPU migrate with a register?
 * @id: a register that a kernel lists
 *
 * Returns: false for what QEMU syncs by hand, for the firmware's registers,
 * which travel in the contract, and for the PMU's CLR registers: they are the
 * SET registers under another name, and writing one clears, on some kernels,
 * what was written to the other.
 */
bool hvc_list_has(uint64_t id);

/**
 * hvc_list_clear_of: what clears bits of a register?
 * @id: a register
 *
 * Returns: the PMU's CLR register that is @id under another name, 0 if there
 * is none.
 */
uint64_t hvc_list_clear_of(uint64_t id);

/**
 * hvc_list_check: will the registers of another kernel do for this one?
 * @contract: the contract that came
 * @came: the ids of the other kernel's list, ascending
 * @count: number of @came
 * @here: the ids of this kernel's, with that contract
 * @here_count: number of @here
 * @late: names, separated by ", ", of those that can be left behind or not, as
 *        their values are when the guest has stopped
 * @errp: which registers cannot be left behind
 *
 * Returns: true if the contract says of none that the guest needs it.
 */
bool hvc_list_check(const HvcContract *contract, const uint64_t *came,
                    size_t count, const uint64_t *here, size_t here_count,
                    GString *late, Error **errp);

/**
 * hvc_list_can_stay: can a register be left behind, whatever its value is?
 * @contract: what the guest was promised
 * @id: a register that is not listed here
 */
bool hvc_list_can_stay(const HvcContract *contract, uint64_t id);

/**
 * hvc_list_match: make the registers of this list from those of another
 * @lister: whose list this one is
 * @kvm: the vCPU that is loaded, of which only @get is called: for a register
 *       whose value runs by itself; of TCG's for each that did not come
 * @incoming: what came
 * @ids: the registers of this list, ascending
 * @values: their values, on success; @count long
 * @count: number of @ids
 * @warned: what was warned of, here and before; NULL: nobody is to be warned
 * @errp: which register cannot be left behind, its value, and why
 *
 * What is left behind is traced, and the first one is warned of.
 *
 * Returns: true if nothing that the guest can see is lost.
 */
bool hvc_list_match(HvcLister lister, const HvcKvm *kvm,
                    const HvcRegisterList *incoming, const uint64_t *ids,
                    uint64_t *values, size_t count, HvcListWarnings *warned,
                    Error **errp);

/**
 * hvc_list_pack: a list of ids as it travels
 * @ids: the list, ascending
 * @count: number of @ids
 * @data: where it is appended: for each run of ids that agree in bits [63:16]
 *        those bits with 16 zeros, as 8 bytes, the number of ids, as 2, and
 *        bits [15:0] of each, as 2; big endian
 */
void hvc_list_pack(const uint64_t *ids, size_t count, GByteArray *data);

/**
 * hvc_list_unpack: a list of ids that came
 * @data: as hvc_list_pack() makes it, not trusted
 * @size: its size in bytes
 * @count: number of ids
 * @errp: it is damaged
 *
 * Returns: the ids, ascending, which the caller frees with g_free(); or NULL.
 */
uint64_t *hvc_list_unpack(const uint8_t *data, size_t size, size_t *count,
                          Error **errp);

/**
 * hvc_list_names: a list of ids in words
 * @data: as hvc_list_pack() makes it
 * @size: its size in bytes
 *
 * Returns: the registers' names; none if @data is damaged. The caller frees the
 * list.
 */
strList *hvc_list_names(const uint8_t *data, size_t size);

#endif
