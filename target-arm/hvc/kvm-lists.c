/*
 * Registers that not every kernel lists, and not every version of QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/util.h"
#include "qemu/bitops.h"
#include "qemu/bswap.h"
#include "qemu/error-report.h"
#include "kvm-lists.h"
#include "sysregs.h"
#include "trace.h"

#define CCSIDR           HVC_SYSREG_CCSIDR_ID(0)
#define CCSIDR_CSSELR    0xffULL /* bit 0: instruction cache, above: level */
#define CNTPCT_EL0       HVC_SYSREG_ID(3, 3, 14, 0, 1)
#define CNTP_CTL_EL0     HVC_SYSREG_ID(3, 3, 14, 2, 1)
#define CNTP_CVAL_EL0    HVC_SYSREG_ID(3, 3, 14, 2, 2)
#define FPMR             HVC_SYSREG_ID(3, 3, 4, 4, 2)
#define ID_AA64PFR2_EL1  HVC_SYSREG_ID(3, 0, 0, 4, 2)
#define OSLSR_EL1        HVC_SYSREG_ID(2, 0, 1, 1, 4)
#define PIRE0_EL1        HVC_SYSREG_ID(3, 0, 10, 2, 2)
#define PIR_EL1          HVC_SYSREG_ID(3, 0, 10, 2, 3)
#define PMCNTENCLR_EL0   HVC_SYSREG_ID(3, 3, 9, 12, 2)
#define PMCNTENSET_EL0   HVC_SYSREG_ID(3, 3, 9, 12, 1)
#define PMINTENCLR_EL1   HVC_SYSREG_ID(3, 0, 9, 14, 2)
#define PMINTENSET_EL1   HVC_SYSREG_ID(3, 0, 9, 14, 1)
#define PMOVSCLR_EL0     HVC_SYSREG_ID(3, 3, 9, 12, 3)
#define PMOVSSET_EL0     HVC_SYSREG_ID(3, 3, 9, 14, 3)
#define POR_EL0          HVC_SYSREG_ID(3, 3, 10, 2, 4)
#define POR_EL1          HVC_SYSREG_ID(3, 0, 10, 2, 4)
#define SCTLR2_EL1       HVC_SYSREG_ID(3, 0, 1, 0, 3)
#define TCR2_EL1         HVC_SYSREG_ID(3, 0, 2, 0, 3)

/*
 * AArch32 registers have TCG's ids alone (CP_REG_ARM of QEMU's
 * target/arm/kvm-consts.h).
 */
#define P14_3_C0_C5_0    0x40200000200e0298ULL
#define HYP_SECURE       0x40200000000f0020ULL /* p15, 4 */
#define HYP_SECURE_FREE  0x7f87ULL /* CRn, CRm, opcode 2 */
#define CNTHP_CVAL_S     0x40300000000f0730ULL

#define SIZE_MASK        0x00f0000000000000ULL /* KVM_REG_SIZE_MASK */
#define SIZE_U32         0x0020000000000000ULL
#define SIZE_U64         0x0030000000000000ULL

#define OSLSR_UNLOCKED   0x8 /* OSLM = 0b10: implemented, not locked */
#define TIMER_ENABLE     0x1

#define BY_FEATURE       "6.12 to 6.14; later ones if the guest has the feature"

/**
 * RegisterRule: a register that some kernels list and others do not
 * @id: its id
 * @mask: bits of @id that count, 0 for all
 * @kernels: which kernels list it
 * @by: the guest's register that decides whether this one may be left behind;
 *      0: this one itself
 * @field, @feature: it may if that field of @by, an ID register, is 0: the
 *      guest does not have that feature; NULL:
 * @bits, @is: it may if those bits of @by are so; @bits 0: all bits
 * @of_cache: it may if CLIDR_EL1 has no such cache, instead
 * @unseen: it may in any case
 * @unless: what speaks against it otherwise; NULL where @feature says it
 * @why: why the guest does not miss it; NULL where @feature says it
 * @if_absent: its value where it is listed and did not come; NULL for 0
 * @lost: what the guest may lose if it did not come; NULL: nothing
 */
typedef struct RegisterRule {
    uint64_t id;
    uint64_t mask;
    const char *kernels;
    uint64_t by;
    const char *field;
    const char *feature;
    uint64_t bits;
    uint64_t is;
    bool of_cache;
    bool unseen;
    const char *unless;
    const char *why;
    int (*if_absent)(const HvcKvm *kvm, const HvcRegisterList *incoming,
                     uint64_t id, uint64_t *value);
    const char *lost;
} RegisterRule;

/* The PMU's registers that KVM keeps once, and lists twice */
static const struct {
    uint64_t set, clear;
} aliases[] = {
    { PMCNTENSET_EL0, PMCNTENCLR_EL0 },
    { PMINTENSET_EL1, PMINTENCLR_EL1 },
    { PMOVSSET_EL0, PMOVSCLR_EL0 },
};

static bool is_alias(uint64_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (aliases[i].clear == id) {
            return true;
        }
    }
    return false;
}

uint64_t hvc_list_clear_of(uint64_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (aliases[i].set == id) {
            return aliases[i].clear;
        }
    }
    return 0;
}

bool hvc_list_has(uint64_t id)
{
    uint64_t class = id & HVC_KVM_CLASS_MASK;

    return class != HVC_KVM_CLASS_CORE && class != HVC_KVM_CLASS_SVE &&
           !hvc_kvm_is_firmware(id) && !is_alias(id) &&
           ((id & SIZE_MASK) == SIZE_U32 || (id & SIZE_MASK) == SIZE_U64);
}

/* What did not come is 0: the guest's kernel had not heard of it. */
static uint64_t incoming_value(const HvcRegisterList *incoming, uint64_t id)
{
    const uint64_t *found = bsearch(&id, incoming->ids, incoming->count,
                                    sizeof(id), hvc_compare_ids);

    return found ? incoming->values[found - incoming->ids] : 0;
}

static int unlocked(const HvcKvm *kvm, const HvcRegisterList *incoming,
                    uint64_t id, uint64_t *value)
{
    *value = OSLSR_UNLOCKED;
    return 0;
}

/*
 * A kernel that does not list the counter shows the host's, without an offset.
 * What it is just now comes next to that: it is behind by the time that the
 * load still takes.
 */
static int host_counter(const HvcKvm *kvm, const HvcRegisterList *incoming,
                        uint64_t id, uint64_t *value)
{
    return kvm->get(kvm, id, value);
}

/*
 * One set, one way, and the line of CTR_EL0: the least that a kernel takes, and
 * its own value. LineSize counts in log2 of 16 bytes, CTR_EL0 in that of 4.
 */
static int least_cache(const HvcKvm *kvm, const HvcRegisterList *incoming,
                       uint64_t id, uint64_t *value)
{
    uint64_t ctr = incoming_value(incoming, HVC_CTR_EL0);
    uint64_t line = hvc_sysreg_field(HVC_CTR_EL0,
                                     id & 1 ? "IminLine" : "DminLine", ctr);

    *value = line > 2 ? line - 2 : 0;
    return 0;
}

/* One row for each register; every other one may stay only if it is 0. */
static const RegisterRule rules[] = {
    {
        .id = TCR2_EL1, .kernels = BY_FEATURE, .feature = "FEAT_TCR2",
        .by = HVC_ID_AA64MMFR3_EL1, .field = "TCRX",
    }, {
        .id = PIR_EL1, .kernels = BY_FEATURE, .feature = "FEAT_S1PIE",
        .by = HVC_ID_AA64MMFR3_EL1, .field = "S1PIE",
    }, {
        .id = PIRE0_EL1, .kernels = BY_FEATURE, .feature = "FEAT_S1PIE",
        .by = HVC_ID_AA64MMFR3_EL1, .field = "S1PIE",
    }, {
        .id = POR_EL1, .kernels = BY_FEATURE, .feature = "FEAT_S1POE",
        .by = HVC_ID_AA64MMFR3_EL1, .field = "S1POE",
    }, {
        .id = POR_EL0, .kernels = BY_FEATURE, .feature = "FEAT_S1POE",
        .by = HVC_ID_AA64MMFR3_EL1, .field = "S1POE",
    }, {
        .id = SCTLR2_EL1, .kernels = BY_FEATURE, .feature = "FEAT_SCTLR2",
        .by = HVC_ID_AA64MMFR3_EL1, .field = "SCTLRX",
    }, {
        .id = FPMR, .kernels = BY_FEATURE, .feature = "FEAT_FPMR",
        .by = ID_AA64PFR2_EL1, .field = "FPMR",
    }, {
        .id = HVC_PMMIR_EL1,
        .kernels = "7.3 on, with a PMU",
        .unless = "it is not 0",
        .why = "it reads as 0 where it is not listed",
    }, {
        .id = CNTP_CTL_EL0,
        .kernels = "6.4 on",
        .by = CNTP_CTL_EL0, .bits = TIMER_ENABLE,
        .unless = "the guest's physical timer is on (CNTP_CTL_EL0.ENABLE)",
        .why = "the guest's physical timer is off",
        .lost = "the physical timer (CNTP_CTL_EL0, CNTP_CVAL_EL0) stops if it "
                "is on",
    }, {
        .id = CNTP_CVAL_EL0,
        .kernels = "6.4 on",
        .by = CNTP_CTL_EL0, .bits = TIMER_ENABLE,
        .unless = "the guest's physical timer is on (CNTP_CTL_EL0.ENABLE)",
        .why = "the guest's physical timer is off",
    }, {
        .id = CNTPCT_EL0,
        .kernels = "6.4 on",
        .by = CNTP_CTL_EL0, .bits = TIMER_ENABLE,
        .unless = "the guest's physical timer is on (CNTP_CTL_EL0.ENABLE)",
        .why = "the guest's physical timer is off, and its physical counter "
               "jumps to the host's",
        .if_absent = host_counter,
        .lost = "the physical counter (CNTPCT_EL0) jumps to this host's",
    }, {
        .id = CCSIDR,
        .mask = ~CCSIDR_CSSELR,
        .kernels = "6.3 on, or one on hardware with that cache",
        .of_cache = true,
        .unless = "the guest's CLIDR_EL1 has that cache",
        .why = "the guest's CLIDR_EL1 has no such cache",
        .if_absent = least_cache,
    }, {
        .id = OSLSR_EL1,
        .kernels = "5.17 on",
        .is = OSLSR_UNLOCKED,
        .unless = "it is not 0x8: the guest has locked the OS lock",
        .why = "it has the value that it has where it is not listed",
        .if_absent = unlocked,
    }, {
        /*
         * QEMU 10.2 has it for streams of older ones, which had it in error;
         * 10.0.13 has it not. Every access is undefined.
         */
        .id = P14_3_C0_C5_0,
        .unseen = true,
        .why = "no guest can read it",
    }, {
        /*
         * Of CPUs with EL3 and without EL2, QEMU 10.0 lists those of EL2 twice.
         * In Secure state there is no EL2.
         */
        .id = HYP_SECURE,
        .mask = ~HYP_SECURE_FREE,
        .by = HVC_TCG_EL2,
        .unless = "the guest has EL2",
        .why = "the guest has no EL2",
    }, {
        .id = CNTHP_CVAL_S,
        .by = HVC_TCG_EL2,
        .unless = "the guest has EL2",
        .why = "the guest has no EL2",
    },
};

static const struct {
    const char *name;
    const char *remedy;
} listers[] = {
    [HVC_LISTER_KERNEL] = { "this host's kernel",
                            "use a host whose kernel lists it" },
    [HVC_LISTER_QEMU] = { "this QEMU", "use the source's version of QEMU" },
};

static const RegisterRule *rule_of(uint64_t id)
{
    static const RegisterRule other = {
        .unless = "it is not 0",
        .why = "it is 0",
    };

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if ((id & (rules[i].mask ?: UINT64_MAX)) == rules[i].id) {
            return &rules[i];
        }
    }
    return &other;
}

static bool can_drop(const HvcRegisterList *incoming, uint64_t id,
                     uint64_t value)
{
    const RegisterRule *rule = rule_of(id);
    uint64_t now = rule->by ? incoming_value(incoming, rule->by) : value;

    if (is_alias(id) || rule->unseen) {
        return true;
    }
    if (rule->of_cache) {
        return !hvc_clidr_has_cache(incoming_value(incoming, HVC_CLIDR_EL1),
                                    id);
    }
    return rule->field ? !hvc_sysreg_field(rule->by, rule->field, now)
                       : (now & (rule->bits ?: UINT64_MAX)) == rule->is;
}

/* Does the contract have what decides? Then nothing later changes it. */
static bool is_decided_by_contract(uint64_t id)
{
    const RegisterRule *rule = rule_of(id);

    return is_alias(id) || rule->unseen || rule->by == HVC_TCG_EL2 ||
           hvc_sysreg_describes_cpu(rule->by ?: id);
}

/* What speaks against leaving a register behind, in words */
static char *unless(uint64_t id)
{
    const RegisterRule *rule = rule_of(id);
    g_autofree char *name = NULL;

    if (!rule->feature) {
        return g_strdup(rule->unless);
    }
    name = hvc_sysreg_name(rule->by);
    return g_strdup_printf("the guest has %s (%s.%s)", rule->feature, name,
                           rule->field);
}

/* What speaks for it */
static char *why(uint64_t id)
{
    const RegisterRule *rule = rule_of(id);
    g_autofree char *name = NULL;

    if (is_alias(id)) {
        return g_strdup("its SET register has the same bits");
    }
    if (!rule->feature) {
        return g_strdup(rule->why);
    }
    name = hvc_sysreg_name(rule->by);
    return g_strdup_printf("the guest's %s.%s says that it has none", name,
                           rule->field);
}

/* " (Linux 6.4 on)": where a register is listed */
static char *listed_by(uint64_t id)
{
    const RegisterRule *rule = rule_of(id);

    return rule->kernels ? g_strdup_printf(" (Linux %s)", rule->kernels)
                         : g_strdup("");
}

/* Once for the VM, and only when all of a vCPU's registers fit. */
static void warn_left_behind(const HvcRegisterList *incoming, size_t index,
                             HvcListWarnings *warned)
{
    uint64_t id = incoming->ids[index];
    g_autofree char *name = hvc_sysreg_name(id);
    g_autofree char *reason = why(id);

    if (!warned->left_behind) {
        warned->left_behind = true;
        warn_report("guest-abi: %s = 0x%" PRIx64 " of the incoming VM is left "
                    "behind, as this host's kernel does not list it: %s; "
                    "others are only traced (hvc_kvm_left_behind)", name,
                    incoming->values[index], reason);
    }
}

static void warn_lost(GString *lost, HvcListWarnings *warned)
{
    if (lost->len && !warned->lost) {
        warned->lost = true;
        warn_report("guest-abi: the source's kernel does not send all of the "
                    "guest's state: %s; migrate from Linux 6.4 or later",
                    lost->str);
    }
}

static bool leave_behind(HvcLister lister, const HvcRegisterList *incoming,
                         size_t index, Error **errp)
{
    uint64_t id = incoming->ids[index];
    uint64_t value = incoming->values[index];
    g_autofree char *name = hvc_sysreg_name(id);
    g_autofree char *reason = NULL, *kernels = NULL;

    if (can_drop(incoming, id, value)) {
        reason = why(id);
        trace_hvc_kvm_left_behind(name, value, reason);
        return true;
    }
    reason = unless(id);
    kernels = lister == HVC_LISTER_KERNEL ? listed_by(id) : g_strdup("");
    error_setg(errp, "guest-abi: incoming VM has %s = 0x%" PRIx64 " [0x%"
               PRIx64 "], %s does not list it, and it cannot be left behind: "
               "%s; %s%s", name, value, id, listers[lister].name, reason,
               listers[lister].remedy, kernels);
    return false;
}

/*
 * A kernel's own value is the host's. A vCPU of TCG that is not loaded is
 * reset, and what its register holds is right for a guest that has not used it.
 */
static bool fill_in(HvcLister lister, const HvcKvm *kvm,
                    const HvcRegisterList *incoming, uint64_t id,
                    uint64_t *value, GString *lost, Error **errp)
{
    const RegisterRule *rule = rule_of(id);
    g_autofree char *name = hvc_sysreg_name(id);
    int ret = 0;

    *value = 0;
    if (lister == HVC_LISTER_QEMU) {
        ret = kvm->get(kvm, id, value);
    } else if (rule->if_absent) {
        ret = rule->if_absent(kvm, incoming, id, value);
    }
    if (ret) {
        error_setg_errno(errp, -ret, "guest-abi: incoming VM has no %s, and "
                         "this host's cannot be read; use another host", name);
        return false;
    }
    if (rule->lost) {
        g_string_append_printf(lost, "%s%s", lost->len ? ", " : "",
                               rule->lost);
    }
    trace_hvc_kvm_filled_in(name, *value);
    return true;
}

static bool is_undamaged(HvcLister lister, const HvcRegisterList *incoming,
                         Error **errp)
{
    for (size_t i = 0; i < incoming->count; i++) {
        uint64_t id = incoming->ids[i], value = incoming->values[i];

        if (lister == HVC_LISTER_KERNEL && (id & SIZE_MASK) == SIZE_U32 &&
            value > UINT32_MAX) {
            g_autofree char *name = hvc_sysreg_name(id);

            error_setg(errp, "guest-abi: incoming VM has %s = 0x%" PRIx64
                       ", which is more than the register's 32 bits; the "
                       "stream is damaged", name, value);
            return false;
        }
        if (i && incoming->ids[i - 1] >= id) {
            error_setg(errp, "guest-abi: registers of the incoming VM are not "
                       "in order (0x%" PRIx64 " before 0x%" PRIx64 "); the "
                       "stream is damaged", incoming->ids[i - 1], id);
            return false;
        }
    }
    return true;
}

bool hvc_list_match(HvcLister lister, const HvcKvm *kvm,
                    const HvcRegisterList *incoming, const uint64_t *ids,
                    uint64_t *values, size_t count, HvcListWarnings *warned,
                    Error **errp)
{
    g_autoptr(GString) lost = g_string_new(NULL);
    size_t in = 0, left = SIZE_MAX;

    if (!is_undamaged(lister, incoming, errp)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        for (; in < incoming->count && incoming->ids[in] < ids[i]; in++) {
            if (!leave_behind(lister, incoming, in, errp)) {
                return false;
            }
            left = MIN(left, in);
        }
        if (in < incoming->count && incoming->ids[in] == ids[i]) {
            values[i] = incoming->values[in++];
        } else if (!fill_in(lister, kvm, incoming, ids[i], &values[i], lost,
                            errp)) {
            return false;
        }
    }
    for (; in < incoming->count; in++) {
        if (!leave_behind(lister, incoming, in, errp)) {
            return false;
        }
        left = MIN(left, in);
    }
    if (warned && left < incoming->count) {
        warn_left_behind(incoming, left, warned);
    }
    if (warned) {
        warn_lost(lost, warned);
    }
    return true;
}

/* The contract that came, as the rules look at it */
static void list_of(const HvcContract *contract, uint64_t *ids,
                    uint64_t *values)
{
    for (unsigned i = 0; i < contract->count; i++) {
        ids[i] = contract->promises[i].id;
        values[i] = contract->promises[i].value;
    }
}

static bool check_early(const HvcRegisterList *contract, uint64_t id,
                        GString *late, Error **errp)
{
    g_autofree char *name = hvc_sysreg_name(id);
    g_autofree char *reason = NULL, *kernels = NULL;

    if (!is_decided_by_contract(id)) {
        g_string_append_printf(late, "%s%s", late->len ? ", " : "", name);
        return true;
    }
    if (can_drop(contract, id, incoming_value(contract, id))) {
        return true;
    }
    reason = unless(id);
    kernels = listed_by(id);
    error_setg(errp, "guest-abi: a vCPU of the incoming VM has %s [0x%" PRIx64
               "], this host's kernel does not list it, and it cannot be left "
               "behind: %s; use a host whose kernel lists it%s", name, id,
               reason, kernels);
    return false;
}

bool hvc_list_check(const HvcContract *contract, const uint64_t *came,
                    size_t count, const uint64_t *here, size_t here_count,
                    GString *late, Error **errp)
{
    uint64_t ids[HVC_CONTRACT_SIZE], values[HVC_CONTRACT_SIZE];
    HvcRegisterList list = {
        .ids = ids, .values = values, .count = contract->count,
    };

    list_of(contract, ids, values);
    for (size_t i = 0; i < count; i++) {
        if (!hvc_has_id(here, here_count, came[i]) &&
            !check_early(&list, came[i], late, errp)) {
            return false;
        }
    }
    return true;
}

bool hvc_list_can_stay(const HvcContract *contract, uint64_t id)
{
    uint64_t ids[HVC_CONTRACT_SIZE], values[HVC_CONTRACT_SIZE];
    HvcRegisterList list = {
        .ids = ids, .values = values, .count = contract->count,
    };

    list_of(contract, ids, values);
    return is_decided_by_contract(id) &&
           can_drop(&list, id, incoming_value(&list, id));
}

void hvc_list_pack(const uint64_t *ids, size_t count, GByteArray *data)
{
    size_t end;

    for (size_t i = 0; i < count; i = end) {
        uint8_t head[10], low[2];

        for (end = i + 1; end < count && end - i < UINT16_MAX; end++) {
            if (ids[end] >> 16 != ids[i] >> 16) {
                break;
            }
        }
        stq_be_p(head, ids[i] & ~0xffffULL);
        stw_be_p(head + 8, end - i);
        g_byte_array_append(data, head, sizeof(head));
        for (size_t n = i; n < end; n++) {
            stw_be_p(low, ids[n] & 0xffff);
            g_byte_array_append(data, low, sizeof(low));
        }
    }
}

uint64_t *hvc_list_unpack(const uint8_t *data, size_t size, size_t *count,
                          Error **errp)
{
    g_autofree uint64_t *ids = g_new(uint64_t, HVC_LIST_SIZE);
    size_t at = 0;

    *count = 0;
    while (size - at >= 10) {
        uint64_t base = ldq_be_p(data + at);
        unsigned run = lduw_be_p(data + at + 8);

        at += 10;
        if (!run || base & 0xffff || run > (size - at) / 2 ||
            run > HVC_LIST_SIZE - *count) {
            goto damaged;
        }
        for (unsigned n = 0; n < run; n++, at += 2) {
            ids[(*count)++] = base | lduw_be_p(data + at);
            if (*count > 1 && ids[*count - 2] >= ids[*count - 1]) {
                goto damaged;
            }
        }
    }
    if (at == size) {
        return g_steal_pointer(&ids);
    }
damaged:
    error_setg(errp, "guest-abi: the list of registers of the incoming VM is "
               "not one (at byte %zu of %zu); the stream is damaged", at, size);
    return NULL;
}

strList *hvc_list_names(const uint8_t *data, size_t size)
{
    g_autofree uint64_t *ids = NULL;
    strList *list = NULL, **tail = &list;
    size_t count;

    ids = hvc_list_unpack(data, size, &count, NULL);
    for (size_t i = 0; ids && i < count; i++) {
        QAPI_LIST_APPEND(tail, hvc_sysreg_name(ids[i]));
    }
    return list;
}
