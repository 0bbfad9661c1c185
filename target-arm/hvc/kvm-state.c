/*
 * The registers of one vCPU, and the contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "qemu/error-report.h"
#include "kvm-lists.h"
#include "kvm-state.h"
#include "sysregs.h"
#include "trace.h"

#define CNTV_CTL_EL0  HVC_SYSREG_ID(3, 3, 14, 3, 1)
#define CNTP_CTL_EL0  HVC_SYSREG_ID(3, 3, 14, 2, 1)
#define CNTVCT_EL0    HVC_SYSREG_ID(3, 3, 14, 3, 2)
#define CNTPCT_EL0    HVC_SYSREG_ID(3, 3, 14, 0, 1)
#define TIMER_ISTATUS 0x4

/* Misfits that a message names; a stream may have a thousand. */
#define MOST_NAMES 8

/* Is it for this kind of reading and writing? */
static bool is_wanted(const HvcContract *contract, const HvcPromise *promise,
                      bool caches_only)
{
    if (hvc_contract_is_level(promise->id) ||
        !hvc_contract_counts(contract, promise->id)) {
        return false;
    }
    return !caches_only || promise->id == HVC_CLIDR_EL1 ||
           hvc_is_ccsidr(promise->id);
}

unsigned hvc_state_apply(const HvcKvm *kvm, const HvcContract *contract,
                         bool caches_only)
{
    unsigned written = 0;

    for (unsigned i = 0; i < contract->count; i++) {
        const HvcPromise *promise = &contract->promises[i];
        uint64_t now = 0;
        bool differs;

        if (!is_wanted(contract, promise, caches_only) ||
            kvm->get(kvm, promise->id, &now)) {
            continue;
        }
        differs = !hvc_same_register(promise->id, now, promise->value);
        /* A GICv2 takes IGROUPR once its GICD_IIDR was written, as it is. */
        if (differs || promise->id == HVC_KVM_GICD_IIDR) {
            kvm->set(kvm, promise->id, promise->value);
        }
        written += differs;
    }
    return written;
}

bool hvc_state_check(const HvcKvm *kvm, const HvcContract *contract,
                     bool caches_only, Error **errp)
{
    for (unsigned i = 0; i < contract->count; i++) {
        const HvcPromise *promise = &contract->promises[i];
        g_autofree char *name = NULL, *fields = NULL;
        uint64_t now = 0;
        int ret;

        if (!is_wanted(contract, promise, caches_only)) {
            continue;
        }
        ret = kvm->get(kvm, promise->id, &now);
        if (!ret && hvc_same_register(promise->id, now, promise->value)) {
            continue;
        }
        /* A register that is not there reads as 0 by the contract. */
        if (ret == -ENOENT && !promise->value) {
            continue;
        }
        name = hvc_sysreg_name(promise->id);
        fields = hvc_sysreg_differences(promise->id, promise->value, now);
        error_setg(errp, "guest-abi: this VM's guest was promised %s = 0x%"
                   PRIx64 ", it is 0x%" PRIx64 " now, and the kernel does not "
                   "take it back%s%s (%s)", name, promise->value, now,
                   ret ? ": " : "", ret ? strerror(-ret) : "", fields);
        return false;
    }
    return true;
}

bool hvc_state_check_levels(const HvcKvm *kvm, const HvcContract *contract,
                            Error **errp)
{
    for (unsigned i = 0; i < contract->count; i++) {
        const HvcPromise *promise = &contract->promises[i];
        g_autofree char *name = NULL;
        uint64_t now = 0;

        if (!hvc_contract_is_level(promise->id) ||
            kvm->get(kvm, promise->id, &now) || now >= promise->value) {
            continue;
        }
        name = hvc_sysreg_name(promise->id);
        error_setg(errp, "guest-abi: this VM's guest was promised %s = 0x%"
                   PRIx64 " [0x%" PRIx64 "], this host's kernel now has 0x%"
                   PRIx64 "; the VM's contract cannot be kept, so it cannot be "
                   "sent", name, promise->value, promise->id, now);
        return false;
    }
    return true;
}

void hvc_state_warn_left_out(const HvcKvm *kvm, const HvcContract *contract)
{
    for (unsigned i = 0; i < contract->count; i++) {
        const HvcPromise *promise = &contract->promises[i];
        uint64_t now = promise->value;

        if (!kvm->get(kvm, promise->id, &now) && now != promise->value &&
            hvc_same_register(promise->id, now, promise->value)) {
            g_autofree char *name = hvc_sysreg_name(promise->id);
            g_autofree char *fields =
                hvc_sysreg_differences(promise->id, promise->value, now);

            warn_report("guest-abi: incoming VM has %s = 0x%" PRIx64 ", here "
                        "its guest will read 0x%" PRIx64 " (%s); one of the "
                        "two kernels shows by mistake what no guest has",
                        name, promise->value, now, fields);
        }
    }
}

/* The counters are promised apart from the register that they are in. */
static bool check_counters(const HvcContract *contract, uint64_t pmcr,
                           Error **errp)
{
    uint64_t promised = hvc_contract_value(contract, HVC_KVM_PMU_COUNTERS);
    uint64_t counters = extract64(pmcr, HVC_PMCR_N_LSB, HVC_PMCR_N_WIDTH);

    if (!promised || counters == promised) {
        return true;
    }
    error_setg(errp, "guest-abi: a vCPU of the incoming VM has %" PRIu64
               " event counters (PMCR_EL0 = 0x%" PRIx64 "), its contract has %"
               PRIu64 "; the stream is damaged", counters, pmcr, promised);
    return false;
}

bool hvc_state_check_incoming(const HvcContract *contract,
                              const uint64_t *ids, const uint64_t *known,
                              uint64_t *values, size_t count, Error **errp)
{
    for (size_t i = 0; i < count; i++) {
        const HvcPromise *promise = hvc_contract_find(contract, ids[i]);
        g_autofree char *name = NULL;

        if (ids[i] == HVC_PMCR_EL0 &&
            !check_counters(contract, values[i], errp)) {
            return false;
        }
        if (!promise || !hvc_contract_counts(contract, ids[i])) {
            continue;
        }
        if (hvc_same_register(ids[i], values[i], promise->value)) {
            if (hvc_same_register(ids[i], values[i], known[i])) {
                values[i] = known[i];
            }
            continue;
        }
        name = hvc_sysreg_name(ids[i]);
        if (ids[i] != HVC_CLIDR_EL1 && !hvc_is_ccsidr(ids[i])) {
            error_setg(errp, "guest-abi: a vCPU of the incoming VM has %s = "
                       "0x%" PRIx64 ", its contract has 0x%" PRIx64 "; the "
                       "stream is damaged", name, values[i], promise->value);
            return false;
        }
        trace_hvc_kvm_forgotten(name, values[i], promise->value);
        values[i] = promise->value;
    }
    return true;
}

/* "NAME = 0x1 (now 0x2: WHY)" of each misfit, up to MOST_NAMES */
static void add_misfit(GString *text, unsigned number, uint64_t id,
                       uint64_t value, uint64_t now, const char *why)
{
    g_autofree char *name = hvc_sysreg_name(id);
    g_autofree char *fields = hvc_sysreg_differences(id, value, now);

    if (number < MOST_NAMES) {
        trace_hvc_kvm_misfit(name, value, now, *why ? why : "not kept");
        g_string_append_printf(text, "%s%s = 0x%" PRIx64 " [0x%" PRIx64
                               "], here it is 0x%" PRIx64 " (%s%s%s)",
                               number ? ", " : "", name, value, id, now, why,
                               *why && *fields ? ": " : "", fields);
    } else if (number == MOST_NAMES) {
        g_string_append(text, ", and others");
    }
}

/*
 * Linux 6.12 takes a write to one of the PMU's SET registers as the guest's: it
 * sets bits and clears none, and a reset leaves some set. A CLR register clears
 * them there; on kernels where it is written like any other, SET comes after
 * it.
 */
static int write_set(const HvcKvm *kvm, uint64_t id, uint64_t clear,
                     uint64_t value)
{
    uint64_t now = 0;
    int ret = kvm->get(kvm, id, &now);

    if (!ret && now & ~value) {
        ret = kvm->set(kvm, clear, now & ~value);
    }
    return ret ?: kvm->set(kvm, id, value);
}

static int write_register(const HvcKvm *kvm, uint64_t id, uint64_t value)
{
    uint64_t clear = hvc_list_clear_of(id);

    return clear ? write_set(kvm, id, clear, value) : kvm->set(kvm, id, value);
}

bool hvc_state_read(const HvcKvm *kvm, int cpu, const uint64_t *ids,
                    uint64_t *values, size_t count, Error **errp)
{
    for (size_t i = 0; i < count; i++) {
        int ret = kvm->get(kvm, ids[i], &values[i]);

        if (ret) {
            g_autofree char *name = hvc_sysreg_name(ids[i]);

            error_setg(errp, "guest-abi: this host's kernel lists %s [0x%"
                       PRIx64 "] for a VM like this one, and vCPU %d does not "
                       "have it: %s; use another kernel, and report this "
                       "one's version", name, ids[i], cpu, strerror(-ret));
            return false;
        }
    }
    return true;
}

bool hvc_state_write(const HvcKvm *kvm, const uint64_t *ids,
                     const uint64_t *known, const uint64_t *values,
                     size_t count, Error **errp)
{
    g_autoptr(GString) misfits = g_string_new(NULL);
    unsigned number = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t now = 0;
        int ret;

        if (known && known[i] == values[i]) {
            continue;
        }
        ret = write_register(kvm, ids[i], values[i]);
        if (ret) {
            kvm->get(kvm, ids[i], &now);
            add_misfit(misfits, number++, ids[i], values[i], now,
                       strerror(-ret));
        }
    }
    if (number) {
        error_setg(errp, "guest-abi: this host's kernel refuses registers of "
                   "the incoming VM: %s; use a host like the source",
                   misfits->str);
    }
    return !number;
}

/**
 * NotKept: a register that need not read as it was written
 * @id: the register
 * @runs: it is a counter, and runs on
 * @made: bits that are made from other registers
 * @dropped: bits that a kernel may leave out, and what the guest loses by it
 * @lost: see @dropped
 */
static const struct NotKept {
    uint64_t id;
    bool runs;
    uint64_t made;
    uint64_t dropped;
    const char *lost;
} not_kept[] = {
    { CNTVCT_EL0, .runs = true },
    { CNTPCT_EL0, .runs = true },
    { CNTV_CTL_EL0, .made = TIMER_ISTATUS },
    { CNTP_CTL_EL0, .made = TIMER_ISTATUS },
    {
        /* Linux 6.1 has the hardware's there, later ones have 0. */
        HVC_PMCR_EL0, .dropped = MAKE_64BIT_MASK(16, 16),
        .lost = "PMCR_EL0 has no longer the hardware's implementer code "
                "(IMP, IDCODE)",
    },
};

/* Is a value kept? @lost: what the guest loses all the same */
static bool is_kept(uint64_t id, uint64_t value, uint64_t now,
                    const char **lost)
{
    for (size_t i = 0; i < ARRAY_SIZE(not_kept); i++) {
        const struct NotKept *row = &not_kept[i];
        uint64_t changed = (now ^ value) & ~row->made;

        if (row->id != id) {
            continue;
        }
        if (changed & row->dropped) {
            *lost = row->lost;
        }
        return row->runs ? now >= value : !(changed & ~row->dropped);
    }
    return now == value;
}

/* Is a register read again? Another vCPU's ID registers are the first one's. */
static bool is_read_again(const HvcContract *contract, uint64_t id,
                          bool caches_only)
{
    const HvcPromise *promise = hvc_contract_find(contract, id);

    return promise ? is_wanted(contract, promise, caches_only)
                   : hvc_contract_counts(contract, id);
}

bool hvc_state_check_kept(const HvcKvm *kvm, const HvcContract *contract,
                          bool caches_only, const uint64_t *ids,
                          const uint64_t *values, size_t count, bool *warned,
                          Error **errp)
{
    g_autoptr(GString) misfits = g_string_new(NULL);
    const char *lost = NULL;
    unsigned number = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t now = 0;
        int ret;

        if (!is_read_again(contract, ids[i], caches_only)) {
            continue;
        }
        ret = kvm->get(kvm, ids[i], &now);
        if (ret || !is_kept(ids[i], values[i], now, &lost)) {
            add_misfit(misfits, number++, ids[i], values[i], now,
                       ret ? strerror(-ret) : "");
        }
    }
    if (lost && !*warned) {
        *warned = true;
        warn_report("guest-abi: this host's kernel does not keep all of the "
                    "guest's state: %s", lost);
    }
    if (number) {
        error_setg(errp, "guest-abi: this host's kernel took registers of the "
                   "incoming VM and does not keep them: %s; use a host whose "
                   "kernel keeps them", misfits->str);
    }
    return !number;
}

HvcLoaded hvc_state_load(const HvcKvm *kvm, const HvcContract *contract,
                         bool caches_only, const uint64_t *ids,
                         const uint64_t *known, const uint64_t *values,
                         size_t count, bool *warned, Error **errp)
{
    if (!hvc_state_write(kvm, ids, known, values, count, errp)) {
        return HVC_LOAD_REFUSED;
    }
    if (hvc_state_check_kept(kvm, contract, caches_only, ids, values, count,
                             warned, known ? NULL : errp)) {
        return HVC_LOADED;
    }
    /* A register that was taken for known and was not: write all of them. */
    return known ? hvc_state_load(kvm, contract, caches_only, ids, NULL,
                                  values, count, warned, errp)
                 : HVC_LOAD_NOT_KEPT;
}
