/*
 * Registers that not every kernel lists
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "qemu/error-report.h"
#include "kvm-registers.h"
#include "sysregs.h"
#include "trace.h"

#define CCSIDR           0x6020000000110000ULL
#define CCSIDR_CSSELR    0xffULL /* bit 0: instruction cache, above: level */
#define CLIDR_EL1        HVC_SYSREG_ID(3, 1, 0, 0, 1)
#define CTR_EL0          HVC_SYSREG_ID(3, 3, 0, 0, 1)
#define ID_AA64MMFR3_EL1 HVC_SYSREG_ID(3, 0, 0, 7, 3)
#define OSLSR_EL1        HVC_SYSREG_ID(2, 0, 1, 1, 4)
#define PIRE0_EL1        HVC_SYSREG_ID(3, 0, 10, 2, 2)
#define PIR_EL1          HVC_SYSREG_ID(3, 0, 10, 2, 3)
#define TCR2_EL1         HVC_SYSREG_ID(3, 0, 2, 0, 3)
#define CNTP_CTL_EL0     HVC_SYSREG_ID(3, 3, 14, 2, 1)
#define CNTP_CVAL_EL0    HVC_SYSREG_ID(3, 3, 14, 2, 2)
#define CNTPCT_EL0       HVC_SYSREG_ID(3, 3, 14, 0, 1)

#define SIZE_MASK        0x00f0000000000000ULL /* KVM_REG_SIZE_MASK */
#define SIZE_U32         0x0020000000000000ULL

#define OSLSR_UNLOCKED   0x8 /* OSLM = 0b10: implemented, not locked */
#define TIMER_ENABLE     0x1

typedef struct RegisterRule RegisterRule;

/**
 * RegisterRule: a register that some kernels list and others do not
 * @id: its id
 * @mask: bits of @id that count, 0 for all
 * @kernels: which kernels list it
 * @may_stay: may @value be left behind, as the guest stands? NULL: if it is 0
 * @unless: what speaks against it where @may_stay returns false
 * @why: why the guest does not miss it otherwise
 * @stated: its value where it is listed and did not come; NULL for 0
 */
struct RegisterRule {
    uint64_t id;
    uint64_t mask;
    const char *kernels;
    bool (*may_stay)(const HvcRegisterList *incoming, uint64_t id,
                     uint64_t value);
    const char *unless;
    const char *why;
    int (*stated)(const HvcKvm *kvm, const HvcRegisterList *incoming,
                  uint64_t id, uint64_t *value);
};

int hvc_compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

bool hvc_is_ccsidr(uint64_t id)
{
    return (id & ~CCSIDR_CSSELR) == CCSIDR;
}

bool hvc_clidr_has_cache(uint64_t clidr, uint64_t id)
{
    unsigned level = (id & CCSIDR_CSSELR) >> 1; /* 0 is L1 */
    unsigned type = level < 7 ? clidr >> (3 * level) & 7 : 0;

    /* 1 instruction, 2 data, 3 both, 4 unified; others are reserved. */
    return id & 1 ? type == 1 || type == 3 : type >= 2 && type <= 4;
}

/* What did not come is 0: the guest's kernel had not heard of it. */
static uint64_t incoming_value(const HvcRegisterList *incoming, uint64_t id)
{
    const uint64_t *found = bsearch(&id, incoming->ids, incoming->count,
                                    sizeof(id), hvc_compare_ids);

    return found ? incoming->values[found - incoming->ids] : 0;
}

static bool is_zero(const HvcRegisterList *incoming, uint64_t id,
                    uint64_t value)
{
    return !value;
}

static bool no_tcr2(const HvcRegisterList *incoming, uint64_t id,
                    uint64_t value)
{
    return !hvc_sysreg_field(ID_AA64MMFR3_EL1, "TCRX",
                             incoming_value(incoming, ID_AA64MMFR3_EL1));
}

static bool no_s1pie(const HvcRegisterList *incoming, uint64_t id,
                     uint64_t value)
{
    return !hvc_sysreg_field(ID_AA64MMFR3_EL1, "S1PIE",
                             incoming_value(incoming, ID_AA64MMFR3_EL1));
}

static bool timer_is_off(const HvcRegisterList *incoming, uint64_t id,
                         uint64_t value)
{
    return !(incoming_value(incoming, CNTP_CTL_EL0) & TIMER_ENABLE);
}

static bool is_unlocked(const HvcRegisterList *incoming, uint64_t id,
                        uint64_t value)
{
    return value == OSLSR_UNLOCKED;
}

static bool no_such_cache(const HvcRegisterList *incoming, uint64_t id,
                          uint64_t value)
{
    return !hvc_clidr_has_cache(incoming_value(incoming, CLIDR_EL1), id);
}

static int state_unlocked(const HvcKvm *kvm, const HvcRegisterList *incoming,
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
static int state_host_counter(const HvcKvm *kvm,
                              const HvcRegisterList *incoming, uint64_t id,
                              uint64_t *value)
{
    return kvm->get(kvm, id, value);
}

/*
 * One set, one way, and the line of CTR_EL0: the least that a kernel takes, and
 * its own value. LineSize counts in log2 of 16 bytes, CTR_EL0 in that of 4.
 */
static int state_least_cache(const HvcKvm *kvm, const HvcRegisterList *incoming,
                             uint64_t id, uint64_t *value)
{
    uint64_t ctr = incoming_value(incoming, CTR_EL0);
    uint64_t line = hvc_sysreg_field(CTR_EL0, id & 1 ? "IminLine" : "DminLine",
                                     ctr);

    *value = line > 2 ? line - 2 : 0;
    return 0;
}

/* One row for each register; every other one may stay only if it is 0. */
static const RegisterRule rules[] = {
    {
        .id = TCR2_EL1,
        .kernels = "6.12 to 6.14; later ones if the guest has the feature",
        .may_stay = no_tcr2,
        .unless = "the guest has FEAT_TCR2 (ID_AA64MMFR3_EL1.TCRX)",
        .why = "the guest's ID_AA64MMFR3_EL1.TCRX says that it has none",
    }, {
        .id = PIR_EL1,
        .kernels = "6.12 to 6.14; later ones if the guest has the feature",
        .may_stay = no_s1pie,
        .unless = "the guest has FEAT_S1PIE (ID_AA64MMFR3_EL1.S1PIE)",
        .why = "the guest's ID_AA64MMFR3_EL1.S1PIE says that it has none",
    }, {
        .id = PIRE0_EL1,
        .kernels = "6.12 to 6.14; later ones if the guest has the feature",
        .may_stay = no_s1pie,
        .unless = "the guest has FEAT_S1PIE (ID_AA64MMFR3_EL1.S1PIE)",
        .why = "the guest's ID_AA64MMFR3_EL1.S1PIE says that it has none",
    }, {
        .id = HVC_SYSREG_ID(3, 0, 9, 14, 6), /* PMMIR_EL1 */
        .kernels = "7.3 on, with a PMU",
        .may_stay = is_zero,
        .unless = "it is not 0",
        .why = "it reads as 0 where it is not listed",
    }, {
        .id = CNTP_CTL_EL0,
        .kernels = "6.4 on",
        .may_stay = timer_is_off,
        .unless = "the guest's physical timer is on (CNTP_CTL_EL0.ENABLE)",
        .why = "the guest's physical timer is off",
    }, {
        .id = CNTP_CVAL_EL0,
        .kernels = "6.4 on",
        .may_stay = timer_is_off,
        .unless = "the guest's physical timer is on (CNTP_CTL_EL0.ENABLE)",
        .why = "the guest's physical timer is off",
    }, {
        .id = CNTPCT_EL0,
        .kernels = "6.4 on",
        .may_stay = timer_is_off,
        .unless = "the guest's physical timer is on (CNTP_CTL_EL0.ENABLE)",
        .why = "the guest's physical timer is off, and its physical counter is "
               "the host's",
        .stated = state_host_counter,
    }, {
        .id = CCSIDR,
        .mask = ~CCSIDR_CSSELR,
        .kernels = "6.3 on, or one on hardware with that cache",
        .may_stay = no_such_cache,
        .unless = "the guest's CLIDR_EL1 has that cache",
        .why = "the guest's CLIDR_EL1 has no such cache",
        .stated = state_least_cache,
    }, {
        .id = OSLSR_EL1,
        .kernels = "5.17 on",
        .may_stay = is_unlocked,
        .unless = "it is not 0x8: the guest has locked the OS lock",
        .why = "it has the value that it has where it is not listed",
        .stated = state_unlocked,
    },
};

/*
 * Fields of features that KVM has never given a guest, but which kernels showed
 * for some time where the hardware has them.
 */
static const struct {
    uint64_t id;
    uint64_t field;
} shown_by_mistake[] = {
    /* ID_AA64PFR0_EL1.MPAM, ID_AA64PFR1_EL1.MPAM_frac, ID_AA64MMFR2_EL1.NV */
    { HVC_SYSREG_ID(3, 0, 0, 4, 0), MAKE_64BIT_MASK(40, 4) },
    { HVC_SYSREG_ID(3, 0, 0, 4, 1), MAKE_64BIT_MASK(16, 4) },
    { HVC_SYSREG_ID(3, 0, 0, 7, 2), MAKE_64BIT_MASK(24, 4) },
};

bool hvc_kvm_same_register(uint64_t id, uint64_t a, uint64_t b)
{
    uint64_t different = a ^ b;

    for (size_t i = 0; i < ARRAY_SIZE(shown_by_mistake); i++) {
        if (shown_by_mistake[i].id == id) {
            different &= ~shown_by_mistake[i].field;
        }
    }
    return !different;
}

static const RegisterRule *rule_of(uint64_t id)
{
    static const RegisterRule other = {
        .may_stay = is_zero,
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

/* Once for the VM, and only when all of a vCPU's registers fit. */
static void warn_left_behind(const HvcRegisterList *incoming, size_t index)
{
    static bool warned;
    uint64_t id = incoming->ids[index];
    g_autofree char *name = hvc_sysreg_name(id);

    if (!warned) {
        warned = true;
        warn_report("guest-abi: %s = 0x%" PRIx64 " of the incoming VM is left "
                    "behind, as this host's kernel does not list it: %s; "
                    "others are only traced (hvc_kvm_left_behind)", name,
                    incoming->values[index], rule_of(id)->why);
    }
}

static bool leave_behind(const HvcRegisterList *incoming, size_t index,
                         Error **errp)
{
    uint64_t id = incoming->ids[index];
    uint64_t value = incoming->values[index];
    const RegisterRule *rule = rule_of(id);
    g_autofree char *name = hvc_sysreg_name(id);

    if (rule->may_stay(incoming, id, value)) {
        trace_hvc_kvm_left_behind(name, value, rule->why);
        return true;
    }
    error_setg(errp, "guest-abi: incoming VM has %s = 0x%" PRIx64 " [0x%"
               PRIx64 "], this host's kernel does not list it, and it cannot "
               "be left behind: %s; use a host whose kernel lists it%s%s%s",
               name, value, id, rule->unless, rule->kernels ? " (Linux " : "",
               rule->kernels ?: "", rule->kernels ? ")" : "");
    return false;
}

static bool state(const HvcKvm *kvm, const HvcRegisterList *incoming,
                  uint64_t id, uint64_t *value, Error **errp)
{
    const RegisterRule *rule = rule_of(id);
    g_autofree char *name = hvc_sysreg_name(id);
    int ret = 0;

    *value = 0;
    if (rule->stated) {
        ret = rule->stated(kvm, incoming, id, value);
    }
    if (ret) {
        error_setg_errno(errp, -ret, "guest-abi: incoming VM has no %s, and "
                         "this host's cannot be read; use another host", name);
        return false;
    }
    trace_hvc_kvm_stated(name, *value);
    return true;
}

static bool is_undamaged(const HvcRegisterList *incoming, Error **errp)
{
    for (size_t i = 0; i < incoming->count; i++) {
        uint64_t id = incoming->ids[i], value = incoming->values[i];

        if ((id & SIZE_MASK) == SIZE_U32 && value > UINT32_MAX) {
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

bool hvc_kvm_match(const HvcKvm *kvm, const HvcRegisterList *incoming,
                   const uint64_t *ids, uint64_t *values, size_t count,
                   Error **errp)
{
    size_t in = 0, left = SIZE_MAX;

    if (!is_undamaged(incoming, errp)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        for (; in < incoming->count && incoming->ids[in] < ids[i]; in++) {
            if (!leave_behind(incoming, in, errp)) {
                return false;
            }
            left = MIN(left, in);
        }
        if (in < incoming->count && incoming->ids[in] == ids[i]) {
            values[i] = incoming->values[in++];
        } else if (!state(kvm, incoming, ids[i], &values[i], errp)) {
            return false;
        }
    }
    for (; in < incoming->count; in++) {
        if (!leave_behind(incoming, in, errp)) {
            return false;
        }
        left = MIN(left, in);
    }
    if (left < incoming->count) {
        warn_left_behind(incoming, left);
    }
    return true;
}
