/*
 * HvcContract: what a guest under KVM reads of its hardware and firmware
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "contract.h"
#include "kvm-access.h"
#include "sysregs.h"

bool hvc_contract_is_level(uint64_t id)
{
    return id > HVC_KVM_PSCI_VERSION && id <= HVC_KVM_FW(0xffff);
}

const HvcPromise *hvc_contract_find(const HvcContract *contract, uint64_t id)
{
    /* A promise begins with its id. */
    return bsearch(&id, contract->promises, contract->count,
                   sizeof(contract->promises[0]), hvc_compare_ids);
}

uint64_t hvc_contract_value(const HvcContract *contract, uint64_t id)
{
    const HvcPromise *promise = hvc_contract_find(contract, id);

    return promise ? promise->value : 0;
}

bool hvc_contract_set(HvcContract *contract, uint64_t id, uint64_t value,
                      Error **errp)
{
    unsigned i = contract->count;

    while (i && contract->promises[i - 1].id > id) {
        i--;
    }
    if (i && contract->promises[i - 1].id == id) {
        contract->promises[i - 1].value = value;
        return true;
    }
    if (contract->count == HVC_CONTRACT_SIZE) {
        error_setg(errp, "this host's kernel has more than %d registers that "
                   "describe a CPU; use a QEMU that knows this kernel",
                   HVC_CONTRACT_SIZE);
        return false;
    }
    memmove(&contract->promises[i + 1], &contract->promises[i],
            (contract->count - i) * sizeof(contract->promises[0]));
    contract->promises[i] = (HvcPromise) { .id = id, .value = value };
    contract->count++;
    return true;
}

bool hvc_contract_counts(const HvcContract *contract, uint64_t id)
{
    if (id == HVC_KVM_PMU_COUNTERS) {
        return hvc_contract_value(contract, id);
    }
    return !hvc_is_ccsidr(id) ||
           hvc_clidr_has_cache(hvc_contract_value(contract, HVC_CLIDR_EL1),
                               id);
}
