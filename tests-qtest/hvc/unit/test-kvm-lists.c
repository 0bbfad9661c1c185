/*
 * Unit tests of the registers that not every kernel lists
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "trace/control.h"
#include "target/arm/hvc/kvm-lists.h"
#include "target/arm/hvc/sysregs.h"
#include "../fake/fake-kvm.h"

#define MAX_REGISTERS 64
#define POISON 0xdeadbeefdeadbeefULL

/* 6.1's own; the invented one of later kernels has L1 instruction, L2. */
#define CLIDR_N1       0x82000023ULL
#define CLIDR_INVENTED 0x02000021ULL

#define STUCK(name, value, id, unless, who) \
    "guest-abi: incoming VM has " name " = " value " [" id "], this host's " \
    "kernel does not list it, and it cannot be left behind: " unless \
    "; use a host whose kernel lists it" who

/**
 * List: the registers of a vCPU in an order of one's own
 */
typedef struct List {
    uint64_t ids[MAX_REGISTERS];
    uint64_t values[MAX_REGISTERS];
    size_t count;
} List;

static void add(List *list, uint64_t id, uint64_t value)
{
    g_assert_cmpuint(list->count, <, MAX_REGISTERS);
    list->ids[list->count] = id;
    list->values[list->count++] = value;
}

/* Where ids ascend, as in all lists that are not damaged */
static void add_sorted(List *list, uint64_t id, uint64_t value)
{
    size_t i = list->count;

    add(list, id, value);
    for (; i && list->ids[i - 1] > id; i--) {
        list->ids[i] = list->ids[i - 1];
        list->values[i] = list->values[i - 1];
    }
    list->ids[i] = id;
    list->values[i] = value;
}

/* What a pinned VM migrates with its vCPUs: all but the firmware's */
static List list_of(const FakeKvm *fake)
{
    List list = { };

    for (unsigned i = 0; i < fake->registers->len; i++) {
        FakeRegister *reg = &g_array_index(fake->registers, FakeRegister, i);

        if (!fake_kvm_is_firmware(reg->id)) {
            add(&list, reg->id, reg->value);
        }
    }
    return list;
}

static uint64_t value_in(const List *list, uint64_t id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->ids[i] == id) {
            return list->values[i];
        }
    }
    g_assert_not_reached();
}

/* Of the VM that a test loads */
static HvcListWarnings warned;

/* Makes @local's values from @incoming's, or finds the expected refusal. */
static void check_match_on(const FakeKvm *fake, const List *incoming,
                           List *local, const char *refusal)
{
    const HvcRegisterList list = { incoming->ids, incoming->values,
                                   incoming->count };
    List before = *local;
    Error *err = NULL;
    bool ok;

    for (size_t i = 0; i < MAX_REGISTERS; i++) {
        local->values[i] = POISON;
    }
    ok = hvc_list_match(&fake->kvm, &list, local->ids, local->values,
                        local->count, &warned, &err);
    if (err) {
        g_test_message("%s", error_get_pretty(err));
    }
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    error_free(err);
    /* Neither the ids nor what lies behind the values */
    g_assert_cmpmem(local->ids, sizeof(local->ids), before.ids,
                    sizeof(before.ids));
    for (size_t i = local->count; i < MAX_REGISTERS; i++) {
        g_assert_cmphex(local->values[i], ==, POISON);
    }
}

static void check_match(const List *incoming, List *local, const char *refusal)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    check_match_on(fake, incoming, local, refusal);
}

/* Left behind: the source has it, this kernel does not list it */

/**
 * LeftCase: one register, as the guest stands
 * @id, @value: the register
 * @mmfr3: ID_AA64MMFR3_EL1; NONE: did not come
 * @ctl: CNTP_CTL_EL0; NONE: did not come
 * @refusal: NULL: it may stay
 */
typedef struct LeftCase {
    uint64_t id, value, mmfr3, ctl;
    const char *refusal;
} LeftCase;

#define NONE UINT64_MAX

#define TCRX  0x1ULL
#define S1PIE 0x100ULL
#define S1POE 0x10000ULL
#define SCTLRX 0x10ULL
/* All fields that have nothing to do with it */
#define NOT_TCRX  (~0xfULL & ~(1ULL << 63))
#define NOT_S1PIE (~0xf00ULL & ~(1ULL << 63))
#define NOT_S1POE (~0xf0000ULL & ~(1ULL << 63))

/* A register that nobody here has heard of */
#define FAKE_UNKNOWN 0x603000000013c517ULL

#define BY_FIELD(name, value, id, feature, field) \
    STUCK(name, value, id, "the guest has FEAT_" feature \
          " (ID_AA64MMFR3_EL1." field ")", " (Linux 6.12 to 6.14; later ones " \
          "if the guest has the feature)")
#define BY_TCRX(value) \
    BY_FIELD("TCR2_EL1", value, "0x603000000013c103", "TCR2", "TCRX")
#define BY_S1PIE(name, value, id) BY_FIELD(name, value, id, "S1PIE", "S1PIE")
#define BY_TIMER(name, value, id) \
    STUCK(name, value, id, "the guest's physical timer is on " \
          "(CNTP_CTL_EL0.ENABLE)", " (Linux 6.4 on)")
#define BY_LOCK(value) \
    STUCK("OSLSR_EL1", value, "0x603000000013808c", "it is not 0x8: the " \
          "guest has locked the OS lock", " (Linux 5.17 on)")
#define BY_VALUE(name, value, id) STUCK(name, value, id, "it is not 0", "")

static const LeftCase left_cases[] = {
    /* Without the feature, whatever it holds */
    { FAKE_TCR2, 0, 0, NONE },
    { FAKE_TCR2, 0, NONE, NONE },
    { FAKE_TCR2, 1, 0, NONE },
    { FAKE_TCR2, FAKE_RESET_PATTERN, 0, NONE },
    { FAKE_TCR2, FAKE_RESET_PATTERN, NONE, NONE },
    { FAKE_TCR2, FAKE_RESET_PATTERN, NOT_TCRX, NONE },
    { FAKE_TCR2, FAKE_RESET_PATTERN, S1PIE, NONE },
    /* With it, whatever it holds */
    { FAKE_TCR2, 0, TCRX, NONE, BY_TCRX("0x0") },
    { FAKE_TCR2, 0x10, TCRX, NONE, BY_TCRX("0x10") },
    { FAKE_TCR2, FAKE_RESET_PATTERN, TCRX, NONE,
      BY_TCRX("0x1de7ec7edbadc0de") },
    { FAKE_TCR2, 1, 0x8, NONE, BY_TCRX("0x1") },

    { FAKE_PIR, 0, 0, NONE },
    { FAKE_PIR, FAKE_RESET_PATTERN, 0, NONE },
    { FAKE_PIR, FAKE_RESET_PATTERN, NONE, NONE },
    { FAKE_PIR, FAKE_RESET_PATTERN, NOT_S1PIE, NONE },
    { FAKE_PIR, 1, TCRX, NONE },
    { FAKE_PIR, 0, S1PIE, NONE,
      BY_S1PIE("PIR_EL1", "0x0", "0x603000000013c513") },
    { FAKE_PIR, FAKE_RESET_PATTERN, S1PIE, NONE,
      BY_S1PIE("PIR_EL1", "0x1de7ec7edbadc0de", "0x603000000013c513") },
    { FAKE_PIRE0, 0, 0, NONE },
    { FAKE_PIRE0, FAKE_RESET_PATTERN, 0, NONE },
    { FAKE_PIRE0, FAKE_RESET_PATTERN, NONE, NONE },
    { FAKE_PIRE0, FAKE_RESET_PATTERN, NOT_S1PIE, NONE },
    { FAKE_PIRE0, 1, TCRX, NONE },
    { FAKE_PIRE0, 0, S1PIE, NONE,
      BY_S1PIE("PIRE0_EL1", "0x0", "0x603000000013c512") },
    { FAKE_PIRE0, 0x42, 0x800, NONE,
      BY_S1PIE("PIRE0_EL1", "0x42", "0x603000000013c512") },

    { FAKE_PMMIR, 0, 0, NONE },
    { FAKE_PMMIR, 6, 0, NONE,
      STUCK("PMMIR_EL1", "0x6", "0x603000000013c4f6", "it is not 0",
            " (Linux 7.3 on, with a PMU)") },
    { FAKE_PMMIR, 1ULL << 63, 0, NONE,
      STUCK("PMMIR_EL1", "0x8000000000000000", "0x603000000013c4f6", "it is "
            "not 0", " (Linux 7.3 on, with a PMU)") },

    /* Off: neither IMASK nor ISTATUS counts. */
    { FAKE_CNTPCT, 0x1234, 0, NONE },
    { FAKE_CNTPCT, 0x1234, 0, 0 },
    { FAKE_CNTPCT, 0x1234, 0, 2 },
    { FAKE_CNTPCT, 0x1234, 0, 4 },
    { FAKE_CNTPCT, 0x1234, 0, 6 },
    { FAKE_CNTPCT, 0x1234, 0, 1,
      BY_TIMER("CNTPCT_EL0", "0x1234", "0x603000000013df01") },
    { FAKE_CNTPCT, 0, 0, 7,
      BY_TIMER("CNTPCT_EL0", "0x0", "0x603000000013df01") },
    { FAKE_CNTP_CVAL, UINT64_MAX, 0, NONE },
    { FAKE_CNTP_CVAL, UINT64_MAX, 0, 6 },
    { FAKE_CNTP_CVAL, 0, 0, 3,
      BY_TIMER("CNTP_CVAL_EL0", "0x0", "0x603000000013df12") },
    { FAKE_CNTP_CVAL, 0x99, 0, 5,
      BY_TIMER("CNTP_CVAL_EL0", "0x99", "0x603000000013df12") },

    { FAKE_OSLSR, 0x8, 0, NONE },
    { FAKE_OSLSR, 0xa, 0, NONE, BY_LOCK("0xa") },
    { FAKE_OSLSR, 0x0, 0, NONE, BY_LOCK("0x0") },
    { FAKE_OSLSR, 0x100000008, 0, NONE, BY_LOCK("0x100000008") },

    { FAKE_POR, 7, 0, NONE },
    { FAKE_POR, 7, NOT_S1POE, NONE },
    { FAKE_POR, 0, S1POE, NONE,
      BY_FIELD("POR_EL1", "0x0", "0x603000000013c514", "S1POE", "S1POE") },
    { FAKE_SCTLR2, 7, 0, NONE },
    { FAKE_SCTLR2, 7, TCRX | S1PIE | S1POE, NONE },
    { FAKE_SCTLR2, 0, SCTLRX, NONE,
      BY_FIELD("SCTLR2_EL1", "0x0", "0x603000000013c083", "SCTLR2",
               "SCTLRX") },

    /* Their SET registers have the same. */
    { FAKE_PMCNTENCLR, 0x80000001, 0, NONE },
    { FAKE_PMINTENCLR, 0x80000001, 0, NONE },
    { FAKE_PMOVSCLR, 0x80000001, 0, NONE },

    /* No row */
    { FAKE_UNKNOWN, 0, ~0ULL >> 1, NONE },
    { FAKE_UNKNOWN, 7, 0, NONE,
      BY_VALUE("S3_0_C10_C2_7", "0x7", "0x603000000013c517") },
    { FAKE_PMCNTENSET, 1, 0, NONE,
      BY_VALUE("PMCNTENSET_EL0", "0x1", "0x603000000013dce1") },
    { FAKE_X0, 0, 0, NONE },
    { FAKE_X0, 1, 0, NONE,
      BY_VALUE("register 0x6030000000100000", "0x1", "0x6030000000100000") },
    { 0x603000000013ffff, 0, 0, NONE },
    { 0x603000000013ffff, 2, 0, NONE,
      BY_VALUE("S3_7_C15_C15_7", "0x2", "0x603000000013ffff") },
    { 0x6020000000120000, 3, 0, NONE,
      BY_VALUE("register 0x6020000000120000", "0x3", "0x6020000000120000") },
    { 0, 0, 0, NONE },
    { 1, 1, 0, NONE, BY_VALUE("register 0x1", "0x1", "0x1") },
    { NONE, 0, 0, NONE },
    { NONE, 1, 0, NONE,
      BY_VALUE("register 0xffffffffffffffff", "0x1", "0xffffffffffffffff") },

    /* The firmware's registers have no place in the list of a pinned VM. */
    { FAKE_PSCI_VERSION, 0, 0, NONE },
    { FAKE_PSCI_VERSION, 0x10001, 0, NONE,
      BY_VALUE("PSCI_VERSION", "0x10001",
               "0x6030000000140000") },
    { FAKE_WORKAROUND_1, 2, 0, NONE,
      BY_VALUE("SMCCC_ARCH_WORKAROUND_1", "0x2", "0x6030000000140001") },
    { FAKE_WORKAROUND_2, 0, 0, NONE },
    { 0x6030000000140004, 1, 0, NONE,
      BY_VALUE("register 0x6030000000140004", "0x1", "0x6030000000140004") },
    { FAKE_STD, 1, 0, NONE,
      BY_VALUE("STD_BMAP", "0x1", "0x6030000000160000") },
    { FAKE_VENDOR_HYP_2, 0, 0, NONE },
    { FAKE_VENDOR_HYP_2, 3, 0, NONE,
      BY_VALUE("VENDOR_HYP_BMAP_2", "0x3", "0x6030000000160003") },
    { FAKE_BITMAP_5, 0, 0, NONE },
    { FAKE_BITMAP_5, 1ULL << 63, 0, NONE,
      BY_VALUE("register 0x6030000000160004", "0x8000000000000000",
               "0x6030000000160004") },
};

static void test_left_behind(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(left_cases); i++) {
        const LeftCase *c = &left_cases[i];
        List incoming = { }, local = { };

        g_test_message("0x%" PRIx64 " = 0x%" PRIx64 ", MMFR3 0x%" PRIx64
                       ", CNTP_CTL 0x%" PRIx64, c->id, c->value, c->mmfr3,
                       c->ctl);
        add_sorted(&incoming, c->id, c->value);
        add_sorted(&incoming, FAKE_MPIDR, 0x80000001);
        add_sorted(&local, FAKE_MPIDR, 0);
        if (c->mmfr3 != NONE) {
            add_sorted(&incoming, FAKE_MMFR3, c->mmfr3);
            add_sorted(&local, FAKE_MMFR3, 0);
        }
        if (c->ctl != NONE) {
            add_sorted(&incoming, FAKE_CNTP_CTL, c->ctl);
            add_sorted(&local, FAKE_CNTP_CTL, 0);
        }
        check_match(&incoming, &local, c->refusal);
        if (!c->refusal) {
            g_assert_cmphex(value_in(&local, FAKE_MPIDR), ==, 0x80000001);
        }
    }
}

/* CNTP_CTL_EL0 decides about itself. */
static void test_left_behind_ctl(void)
{
    for (uint64_t ctl = 0; ctl < 8; ctl++) {
        g_autofree char *value = g_strdup_printf("0x%" PRIx64, ctl);
        g_autofree char *refusal = g_strdup_printf(
            BY_TIMER("CNTP_CTL_EL0", "%s", "0x603000000013df11"), value);
        List incoming = { }, local = { };

        add(&incoming, FAKE_CNTP_CTL, ctl);
        add(&incoming, FAKE_CNTP_CVAL, 0x1000);
        check_match(&incoming, &local, ctl & 1 ? refusal : NULL);
    }
}

/* Caches: CLIDR_EL1.Ctype of the level decides */

/* By Ctype: is there an instruction cache, is there a data or unified one? */
static const bool has_instruction[8] = { [1] = true, [3] = true };
static const bool has_data[8] = { [2] = true, [3] = true, [4] = true };

static void test_clidr(void)
{
    for (unsigned level = 1; level <= 7; level++) {
        for (uint64_t type = 0; type < 8; type++) {
            unsigned shift = 3 * (level - 1);
            uint64_t id = FAKE_CCSIDR((level - 1) << 1);
            /* The other levels have all, or none; the other fields too. */
            uint64_t with = type << shift;
            uint64_t others = ~(7ULL << shift);

            g_assert_true(hvc_clidr_has_cache(with, id) == has_data[type]);
            g_assert_true(hvc_clidr_has_cache(with | others, id) ==
                          has_data[type]);
            g_assert_true(hvc_clidr_has_cache(with, id | 1) ==
                          has_instruction[type]);
            g_assert_true(hvc_clidr_has_cache(with | others, id | 1) ==
                          has_instruction[type]);
        }
    }
    /* There is no eighth level; LoUIS is not its type. */
    for (unsigned csselr = 14; csselr < 256; csselr++) {
        g_assert_false(hvc_is_ccsidr(FAKE_CCSIDR(csselr)));
        g_assert_false(hvc_clidr_has_cache(0x6db6db6db6db6db, /* all both */
                                           FAKE_CCSIDR(csselr)));
    }
    g_assert_false(hvc_is_ccsidr(FAKE_CCSIDR(256)));
    g_assert_false(hvc_is_ccsidr(0x6030000000110000));
    g_assert_false(hvc_is_ccsidr(0x6020000000120000));
    g_assert_false(hvc_is_ccsidr(FAKE_CLIDR));
}

#define BY_CACHE(name, value, id) \
    STUCK(name, value, id, "the guest's CLIDR_EL1 has that cache", \
          " (Linux 6.3 on, or one on hardware with that cache)")

static void test_left_behind_cache(void)
{
    static const struct {
        unsigned csselr;
        uint64_t clidr;
        const char *refusal;
    } cases[] = {
        { 0, CLIDR_INVENTED },
        { 1, CLIDR_INVENTED,
          BY_CACHE("CCSIDR_EL1[L1 instruction]", "0x701fe01a",
                   "0x6020000000110001") },
        { 2, CLIDR_INVENTED,
          BY_CACHE("CCSIDR_EL1[L2 data]", "0x701fe01a",
                   "0x6020000000110002") },
        { 3, CLIDR_INVENTED },
        { 13, CLIDR_INVENTED },
        { 0, CLIDR_N1,
          BY_CACHE("CCSIDR_EL1[L1 data]", "0x701fe01a",
                   "0x6020000000110000") },
        { 1, CLIDR_N1,
          BY_CACHE("CCSIDR_EL1[L1 instruction]", "0x701fe01a",
                   "0x6020000000110001") },
        { 4, CLIDR_N1 },
        { 13, 1 << 18,
          BY_CACHE("CCSIDR_EL1[L7 instruction]", "0x701fe01a",
                   "0x602000000011000d") },
        { 14, ~0ULL >> 1 },
        /* No CLIDR_EL1 came: no caches. */
        { 0, NONE },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        List incoming = { }, local = { };

        g_test_message("CSSELR %u, CLIDR 0x%" PRIx64, cases[i].csselr,
                       cases[i].clidr);
        add_sorted(&incoming, FAKE_CCSIDR(cases[i].csselr), 0x701fe01a);
        if (cases[i].clidr != NONE) {
            add_sorted(&incoming, FAKE_CLIDR, cases[i].clidr);
            add_sorted(&local, FAKE_CLIDR, 0);
        }
        check_match(&incoming, &local, cases[i].refusal);
    }
}

/* Filled in: this kernel lists it, and it did not come */

static void test_filled_in(void)
{
    static const struct {
        uint64_t id, value;
    } cases[] = {
        { FAKE_TCR2, 0 },
        { FAKE_PIR, 0 },
        { FAKE_PIRE0, 0 },
        { FAKE_PMMIR, 0 },
        { FAKE_CNTP_CTL, 0 },
        { FAKE_CNTP_CVAL, 0 },
        { FAKE_CNTPCT, 0x0cbf5b21 }, /* what the fake counts from */
        { FAKE_OSLSR, 0x8 },
        { FAKE_POR, 0 },
        { FAKE_X0, 0 },
        { FAKE_PSCI_VERSION, 0 },
        { FAKE_STD, 0 },
        { FAKE_VENDOR_HYP_2, 0 },
        { FAKE_BITMAP_5, 0 },
        { 0x603000000013ffff, 0 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        List incoming = { }, local = { };

        g_test_message("0x%" PRIx64, cases[i].id);
        add_sorted(&incoming, FAKE_MPIDR, 0x80000001);
        add_sorted(&incoming, FAKE_MMFR3, TCRX | S1PIE);
        add_sorted(&local, FAKE_MPIDR, 0);
        add_sorted(&local, FAKE_MMFR3, 0);
        add_sorted(&local, cases[i].id, 0);
        check_match(&incoming, &local, NULL);
        g_assert_cmphex(value_in(&local, cases[i].id), ==, cases[i].value);
        g_assert_cmphex(value_in(&local, FAKE_MPIDR), ==, 0x80000001);
    }
}

static void test_filled_in_unreadable(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    List incoming = { }, local = { };

    add_sorted(&incoming, FAKE_MPIDR, 0x80000001);
    add_sorted(&local, FAKE_MPIDR, 0);
    add_sorted(&local, FAKE_CNTPCT, 0);
    fake_kvm_register(fake, FAKE_CNTPCT)->get_errno = EIO;
    check_match_on(fake, &incoming, &local,
                   "guest-abi: incoming VM has no CNTPCT_EL0, and this host's "
                   "cannot be read; use another host: Input/output error");
}

/* What came is taken, also where there is a value to fill in. */
static void test_taken(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    List incoming = list_of(fake), local = list_of(fake);

    for (size_t i = 0; i < incoming.count; i++) {
        incoming.values[i] = 0x5eed0000 + i;
    }
    check_match_on(fake, &incoming, &local, NULL);
    g_assert_cmpmem(local.values, local.count * sizeof(uint64_t),
                    incoming.values, incoming.count * sizeof(uint64_t));
}

/* The line of CTR_EL0, whose IminLine is [3:0] and DminLine [19:16] */
static void test_filled_in_cache(void)
{
    static const struct {
        uint64_t ctr;
        uint64_t lines[2]; /* data, instruction */
    } cases[] = {
        { 0x9444c004, { 2, 2 } }, /* 64 bytes */
        { 0x9443c005, { 1, 3 } },
        { 0x8445c003, { 3, 1 } },
        { 0x80020002, { 0, 0 } }, /* 16 bytes */
        { 0x80010000, { 0, 0 } }, /* shorter ones cannot be told */
        { 0x800f000f, { 13, 13 } },
        { NONE, { 0, 0 } },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        List incoming = { }, local = { };

        for (unsigned csselr = 0; csselr < 14; csselr++) {
            add(&local, FAKE_CCSIDR(csselr), 0);
        }
        if (cases[i].ctr != NONE) {
            add(&incoming, FAKE_CTR, cases[i].ctr);
            add(&local, FAKE_CTR, 0);
        }
        check_match(&incoming, &local, NULL);
        for (unsigned csselr = 0; csselr < 14; csselr++) {
            g_assert_cmphex(local.values[csselr], ==,
                            cases[i].lines[csselr & 1]);
        }
    }
}

static void test_filled_in_fails(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    List incoming = { }, local = { };

    add(&local, FAKE_CNTPCT, 0);
    fake_kvm_register(fake, FAKE_CNTPCT)->get_errno = EIO;
    check_match_on(fake, &incoming, &local, "guest-abi: incoming VM has no "
                   "CNTPCT_EL0, and this host's cannot be read; use another "
                   "host: Input/output error");
    fake_kvm_remove(fake, FAKE_CNTPCT);
    check_match_on(fake, &incoming, &local, "guest-abi: incoming VM has no "
                   "CNTPCT_EL0, and this host's cannot be read; use another "
                   "host: No such file or directory");
    /* If it came, nobody looks. */
    add(&incoming, FAKE_CNTPCT, 5);
    check_match_on(fake, &incoming, &local, NULL);
}

/* Lists */

static void test_damaged(void)
{
    static const struct {
        uint64_t ids[4];
        const char *first, *second;
    } cases[] = {
        { { 1, 3, 2, 4 }, "3", "2" },
        { { 2, 1, 3, 4 }, "2", "1" },
        { { 1, 2, 4, 3 }, "4", "3" },
        { { 1, 1, 2, 3 }, "1", "1" },
        { { 1, 2, 3, 3 }, "3", "3" },
        { { 0, 0, 0, 0 }, "0", "0" },
        { { 1, UINT64_MAX, 0, 2 }, "ffffffffffffffff", "0" },
        /* Ids are compared as 64 bits, not as the sign of a difference. */
        { { 1, 0x8000000000000002, 0x8000000000000001, UINT64_MAX },
          "8000000000000002", "8000000000000001" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *refusal = g_strdup_printf(
            "guest-abi: registers of the incoming VM are not in order (0x%s "
            "before 0x%s); the stream is damaged", cases[i].first,
            cases[i].second);
        List incoming = { }, local = { };

        for (unsigned r = 0; r < 4; r++) {
            add(&incoming, cases[i].ids[r], 0);
            add_sorted(&local, cases[i].ids[r], 0);
        }
        check_match(&incoming, &local, refusal);
        local.count = 0;
        check_match(&incoming, &local, refusal);
    }
}

#define TOO_LARGE(name, value) \
    "guest-abi: incoming VM has " name " = " value ", which is more than " \
    "the register's 32 bits; the stream is damaged"

/* What would be cut when it is written, or what nobody would look at */
static void test_damaged_size(void)
{
    static const struct {
        uint64_t id, value;
        const char *refusal;
    } cases[] = {
        { FAKE_CCSIDR(0), UINT32_MAX },
        { FAKE_CCSIDR(0), 0x100000000,
          TOO_LARGE("CCSIDR_EL1[L1 data]", "0x100000000") },
        { FAKE_CCSIDR(13), UINT64_MAX,
          TOO_LARGE("CCSIDR_EL1[L7 instruction]", "0xffffffffffffffff") },
        { 0x6020000000100054, 0x8000000000000000, /* FPSR */
          TOO_LARGE("register 0x6020000000100054", "0x8000000000000000") },
        { 0x6020000000100054, UINT32_MAX },
        /* The same in 64 bits */
        { 0x6030000000110000, 0x100000000 },
        { FAKE_X0, UINT64_MAX },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        List incoming = { }, local = { };

        g_test_message("0x%" PRIx64 " = 0x%" PRIx64, cases[i].id,
                       cases[i].value);
        add_sorted(&incoming, FAKE_MPIDR, 0);
        add_sorted(&incoming, cases[i].id, cases[i].value);
        local = incoming;
        check_match(&incoming, &local, cases[i].refusal);
        if (!cases[i].refusal) {
            g_assert_cmphex(value_in(&local, cases[i].id), ==,
                            cases[i].value);
        }
        /* Not even where it could be left behind */
        if (hvc_is_ccsidr(cases[i].id)) {
            local.count = 0;
            check_match(&incoming, &local, cases[i].refusal);
        }
    }
}

/* Fields that kernels have shown by mistake: in these registers, these bits */
static void test_same_register(void)
{
    static const struct {
        uint64_t id;
        unsigned lsb;
    } fields[] = {
        { FAKE_PFR0, 40 },  /* MPAM */
        { FAKE_PFR1, 16 },  /* MPAM_frac */
        { FAKE_MMFR2, 24 }, /* NV */
    };
    static const uint64_t others[] = {
        FAKE_MIDR, FAKE_DFR0, FAKE_MMFR3, FAKE_CLIDR, FAKE_CCSIDR(0), 0,
        0x603000000013c022, /* ID_AA64PFR2_EL1 */
        0x602000000013c020, /* not ID_AA64PFR0_EL1, but for the size */
    };
    static const uint64_t values[] = {
        0, 0x1100000011110112, UINT64_MAX,
    };

    for (unsigned v = 0; v < ARRAY_SIZE(values); v++) {
        uint64_t a = values[v];

        for (unsigned bit = 0; bit < 64; bit++) {
            uint64_t b = a ^ 1ULL << bit;

            for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
                uint64_t field = 0xfULL << fields[i].lsb;
                bool same = bit >= fields[i].lsb && bit < fields[i].lsb + 4;

                g_assert_true(hvc_same_register(fields[i].id, a, a));
                g_assert_true(hvc_same_register(fields[i].id, a, b) ==
                              same);
                g_assert_true(hvc_same_register(fields[i].id, b, a) ==
                              same);
                /* All of the field, with the bit or without it */
                g_assert_true(hvc_same_register(fields[i].id, a ^ field, b) ==
                              same);
                g_assert_true(hvc_same_register(fields[i].id, b, a ^ field) ==
                              same);
            }
            for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
                g_assert_true(hvc_same_register(others[i], a, a));
                g_assert_false(hvc_same_register(others[i], a, b));
                g_assert_false(hvc_same_register(others[i], b, a));
            }
        }
    }
}

static void test_compare_ids(void)
{
    static const uint64_t ascending[] = {
        0, 1, 0x7fffffff, 0x80000000, 0x100000000, INT64_MAX,
        0x8000000000000000, UINT64_MAX,
    };

    for (int a = 0; a < (int)ARRAY_SIZE(ascending); a++) {
        for (int b = 0; b < (int)ARRAY_SIZE(ascending); b++) {
            int result = hvc_compare_ids(&ascending[a], &ascending[b]);

            g_assert_true((result > 0) == (a > b));
            g_assert_true((result < 0) == (a < b));
        }
    }
}

static void test_empty(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    List empty = { }, local = { }, all = list_of(fake);

    check_match(&empty, &local, NULL);
    /* Nothing came: all is filled in. */
    check_match_on(fake, &empty, &all, NULL);
    g_assert_cmphex(value_in(&all, FAKE_OSLSR), ==, 0x8);
    g_assert_cmphex(value_in(&all, FAKE_CCSIDR(1)), ==, 0);
    g_assert_cmphex(value_in(&all, FAKE_MIDR), ==, 0);
    /* Nothing is listed: the first that is not 0 is in the way. */
    all = list_of(fake);
    check_match(&all, &local, BY_CACHE("CCSIDR_EL1[L1 instruction]", "0x2",
                                       "0x6020000000110001"));
}

/* More in the stream than here, before, between and after */
static void test_tail(void)
{
    static const uint64_t ids[] = { 0x10, 0x20, 0x30, 0x40, 0x50 };

    for (unsigned mask = 0; mask < 32; mask++) {
        for (unsigned bad = 0; bad <= ARRAY_SIZE(ids); bad++) {
            List incoming = { }, local = { };
            g_autofree char *id = NULL, *name = NULL, *refusal = NULL;

            for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
                bool listed = mask >> i & 1;

                add(&incoming, ids[i], listed ? ids[i] + 1 : i == bad);
                if (listed) {
                    add(&local, ids[i], 0);
                }
            }
            if (bad < ARRAY_SIZE(ids) && !(mask >> bad & 1)) {
                id = g_strdup_printf("0x%" PRIx64, ids[bad]);
                name = g_strdup_printf("register %s", id);
                refusal = g_strdup_printf(BY_VALUE("%s", "0x1", "%s"), name,
                                          id);
            }
            check_match(&incoming, &local, refusal);
            for (unsigned i = 0; !refusal && i < local.count; i++) {
                g_assert_cmphex(local.values[i], ==, local.ids[i] + 1);
            }
        }
    }
}

static void test_many(void)
{
    enum { COUNT = 2000 };
    g_autofree uint64_t *in = g_new(uint64_t, COUNT);
    g_autofree uint64_t *in_values = g_new0(uint64_t, COUNT);
    g_autofree uint64_t *ids = g_new(uint64_t, COUNT);
    g_autofree uint64_t *values = g_new(uint64_t, COUNT);
    g_autoptr(FakeKvm) fake = fake_kvm_new_empty();
    HvcRegisterList incoming = { in, in_values, COUNT };

    /* Every second id of the stream, and as many that did not come */
    for (unsigned i = 0; i < COUNT; i++) {
        in[i] = 4 * i;
        in_values[i] = i % 2 ? i : 0;
        ids[i] = i % 2 ? 4 * i : 4 * i + 2;
        values[i] = POISON;
    }
    g_assert_true(hvc_list_match(&fake->kvm, &incoming, ids, values, COUNT,
                                 &warned, &error_abort));
    for (unsigned i = 0; i < COUNT; i++) {
        g_assert_cmphex(values[i], ==, i % 2 ? i : 0);
    }
}

/* What is known before the vCPUs come */

static const uint64_t on_6_12[] = {
    FAKE_CCSIDR(0), FAKE_CCSIDR(13), FAKE_OSLSR, FAKE_MIDR, FAKE_TCR2,
    FAKE_PIR, FAKE_CNTPCT, FAKE_CNTP_CTL, FAKE_CNTP_CVAL,
};

static void check_early(uint64_t mmfr3, uint64_t clidr, const uint64_t *came,
                        size_t count, const char *late, const char *refusal)
{
    static const uint64_t here[] = { FAKE_OSLSR, FAKE_MIDR };
    g_autoptr(GString) text = g_string_new(NULL);
    HvcContract contract = { };
    Error *err = NULL;
    bool ok;

    hvc_contract_set(&contract, FAKE_MMFR3, mmfr3, &error_abort);
    hvc_contract_set(&contract, FAKE_CLIDR, clidr, &error_abort);
    ok = hvc_list_check(&contract, came, count, here, ARRAY_SIZE(here), text,
                        &err);
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    if (ok) {
        g_assert_cmpstr(text->str, ==, late);
    }
    error_free(err);
}

#define EARLY(name, id, unless, who) \
    "guest-abi: a vCPU of the incoming VM has " name " [" id "], this host's " \
    "kernel does not list it, and it cannot be left behind: " unless "; use " \
    "a host whose kernel lists it (Linux " who ")"
#define BY_FEATURE "6.12 to 6.14; later ones if the guest has the feature"

static void test_early(void)
{
    const char *timer = "CNTPCT_EL0, CNTP_CTL_EL0, CNTP_CVAL_EL0";
    const char *tcr2 =
        EARLY("TCR2_EL1", "0x603000000013c103", "the guest has FEAT_TCR2 "
              "(ID_AA64MMFR3_EL1.TCRX)", BY_FEATURE);
    const char *pir =
        EARLY("PIR_EL1", "0x603000000013c513", "the guest has FEAT_S1PIE "
              "(ID_AA64MMFR3_EL1.S1PIE)", BY_FEATURE);
    size_t count = ARRAY_SIZE(on_6_12);

    /* The contract decides, or only the values will. */
    check_early(0, 0, on_6_12, count, timer, NULL);
    check_early(TCRX, 0, on_6_12, count, NULL, tcr2);
    check_early(S1PIE, 0, on_6_12, count, NULL, pir);
    check_early(0, CLIDR_N1, on_6_12, count, NULL,
                EARLY("CCSIDR_EL1[L1 data]", "0x6020000000110000",
                      "the guest's CLIDR_EL1 has that cache",
                      "6.3 on, or one on hardware with that cache"));
    check_early(0, CLIDR_INVENTED, on_6_12, count, timer, NULL);
    check_early(0, 0, NULL, 0, "", NULL);
    check_early(0, 0, (uint64_t[]) { FAKE_UNKNOWN }, 1, "S3_0_C10_C2_7", NULL);
    check_early(0, 0, (uint64_t[]) { FAKE_PMINTENCLR, FAKE_PMCNTENCLR }, 2, "",
                NULL);
    /* A register of the ID space, be it unknown, is in the contract as 0. */
    check_early(0, 0, (uint64_t[]) { 0x603000000013c03d }, 1, "", NULL);
}

static void test_has(void)
{
    static const struct {
        uint64_t id;
        bool has;
    } cases[] = {
        { FAKE_X0 }, { 0x6040000000150000 }, { FAKE_SVE_VLS },
        { FAKE_PSCI_VERSION }, { FAKE_WORKAROUND_1 }, { FAKE_STD },
        { FAKE_BITMAP_5 }, { FAKE_PMCNTENCLR }, { FAKE_PMINTENCLR },
        { FAKE_PMOVSCLR }, { 0x604000000013c000 },
        { FAKE_PMCNTENSET, true }, { FAKE_PMINTENSET, true },
        { FAKE_MIDR, true }, { FAKE_CCSIDR(0), true }, { FAKE_CNTPCT, true },
        { FAKE_UNKNOWN, true },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_test_message("0x%" PRIx64, cases[i].id);
        g_assert_true(hvc_list_has(cases[i].id) == cases[i].has);
    }
}

static void test_pack(void)
{
    static const uint64_t ids[] = {
        0, 0xffff, 0x10000, FAKE_CCSIDR(0), FAKE_CCSIDR(13), FAKE_MIDR,
        FAKE_MPIDR, FAKE_PMMIR, UINT64_MAX,
    };
    static const uint8_t packed[] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0xff, 0xff,
        0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0,
        0x60, 0x20, 0, 0, 0, 0x11, 0, 0, 0, 2, 0, 0, 0, 0xd,
        0x60, 0x30, 0, 0, 0, 0x13, 0, 0, 0, 3, 0xc0, 0, 0xc0, 5, 0xc4, 0xf6,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff,
    };
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autofree uint64_t *back = NULL;
    size_t count;

    hvc_list_pack(ids, ARRAY_SIZE(ids), data);
    g_assert_cmpmem(data->data, data->len, packed, sizeof(packed));
    back = hvc_list_unpack(data->data, data->len, &count, &error_abort);
    g_assert_cmpmem(back, count * sizeof(*back), ids, sizeof(ids));

    /* Cut anywhere, it is damaged, but for the ends of its runs. */
    for (size_t size = 0; size <= sizeof(packed); size++) {
        bool whole = size == 0 || size == 14 || size == 26 || size == 40 ||
                     size == 56 || size == sizeof(packed);
        g_autofree uint8_t *cut = g_memdup2(packed, size);
        g_autofree uint64_t *some = hvc_list_unpack(cut, size, &count, NULL);

        g_assert_true(!some == !whole);
    }
}

#define NOT_A_LIST(at) \
    "guest-abi: the list of registers of the incoming VM is not one (at " \
    "byte " at "); the stream is damaged"

static void test_unpack_damaged(void)
{
    static const struct {
        uint8_t data[16];
        size_t size;
        const char *refusal;
    } cases[] = {
        { { 0x60, 0x30, 0, 0, 0, 0x13, 0, 0, 0, 0 }, 10,
          NOT_A_LIST("10 of 10") },
        { { 0x60, 0x30, 0, 0, 0, 0x13, 0, 1, 0, 1, 0, 0 }, 12,
          NOT_A_LIST("10 of 12") },
        { { 0x60, 0x30, 0, 0, 0, 0x13, 0, 0, 0, 2, 0, 1, 0, 1 }, 14,
          NOT_A_LIST("12 of 14") },
        { { 0x60, 0x30, 0, 0, 0, 0x13, 0, 0, 0, 2, 0, 2, 0, 1 }, 14,
          NOT_A_LIST("12 of 14") },
        { { 0x60, 0x30, 0, 0, 0, 0x13, 0, 0, 0xff, 0xff, 0, 2 }, 12,
          NOT_A_LIST("10 of 12") },
        { { 1 }, 1, NOT_A_LIST("0 of 1") },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        Error *err = NULL;
        size_t count;

        g_assert_null(hvc_list_unpack(cases[i].data, cases[i].size, &count,
                                      &err));
        g_assert_cmpstr(error_get_pretty(err), ==, cases[i].refusal);
        error_free(err);
    }
}

/* More than any kernel lists: nobody makes room for it. */
static void test_unpack_many(void)
{
    g_autofree uint64_t *ids = g_new(uint64_t, HVC_LIST_SIZE + 1);
    g_autoptr(GByteArray) most = g_byte_array_new();
    g_autoptr(GByteArray) more = g_byte_array_new();
    g_autofree uint64_t *back = NULL;
    size_t count;

    for (unsigned i = 0; i <= HVC_LIST_SIZE; i++) {
        ids[i] = 0x6030000000130000 + i;
    }
    hvc_list_pack(ids, HVC_LIST_SIZE, most);
    back = hvc_list_unpack(most->data, most->len, &count, &error_abort);
    g_assert_cmpuint(count, ==, HVC_LIST_SIZE);
    hvc_list_pack(ids, HVC_LIST_SIZE + 1, more);
    g_assert_null(hvc_list_unpack(more->data, more->len, &count, NULL));
}

/* From each kernel to each other one */

/**
 * Journey: what a guest did on its source, and where it can then go
 * @do_it: change the source's registers, if there is something to change
 * @goes: by source, then by destination: 'y' or the first letter of what is
 *        in the way
 */
typedef struct Journey {
    const char *what;
    void (*do_it)(FakeKvm *fake);
    const char *goes[FAKE_KERNELS];
} Journey;

static void set(FakeKvm *fake, uint64_t id, uint64_t value)
{
    FakeRegister *reg = fake_kvm_register(fake, id);

    if (reg) {
        reg->value = value;
    }
}

static void do_nothing(FakeKvm *fake)
{
}

static void start_timer(FakeKvm *fake)
{
    set(fake, FAKE_CNTP_CTL, 1);
}

static void lock_os_lock(FakeKvm *fake)
{
    set(fake, FAKE_OSLSR, 0xa);
}

/* A CPU with both; kernels before 6.12 do not give them to a guest. */
static void have_tcr2_and_s1pie(FakeKvm *fake)
{
    static const uint64_t ids[] = { FAKE_TCR2, FAKE_PIRE0, FAKE_PIR };

    if (fake_kvm_register(fake, FAKE_CNTPCT)) {
        set(fake, FAKE_MMFR3, TCRX | S1PIE);
        for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
            fake_kvm_add(fake, &(FakeRegister) { ids[i] });
        }
    }
}

static void have_slots(FakeKvm *fake)
{
    set(fake, FAKE_PMMIR, 8);
}

/* As a VM that was made with the profile of 6.1 */
static void have_caches_of_6_1(FakeKvm *fake)
{
    set(fake, FAKE_CLIDR, CLIDR_N1);
    set(fake, FAKE_CCSIDR(0), 0x701fe01a);
    set(fake, FAKE_CCSIDR(1), 0x201fe01a);
    set(fake, FAKE_CCSIDR(2), 0x70ffe03a);
}

static void use_unknown(FakeKvm *fake)
{
    if (fake_kvm_register(fake, FAKE_PMMIR)) {
        fake_kvm_add(fake, &(FakeRegister) { FAKE_UNKNOWN, .value = 1 });
    }
}

/* Columns: 5.10, 5.15, 6.1, 6.12, 6.16, 7.3 */
static const Journey journeys[] = {
    { "just started", do_nothing,
      { "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy" } },
    { "timer on", start_timer,
      { "yyyyyy", "yyyyyy", "yyyyyy", "CCCyyy", "CCCyyy", "CCCyyy" } },
    { "OS lock locked", lock_os_lock,
      { "yyyyyy", "yyyyyy", "OOyyyy", "OOyyyy", "OOyyyy", "OOyyyy" } },
    { "TCR2 and S1PIE", have_tcr2_and_s1pie,
      { "yyyyyy", "yyyyyy", "yyyyyy", "TTTyTT", "TTTyyT", "TTTyTy" } },
    { "slots", have_slots,
      { "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "PPPPPy" } },
    { "profile of 6.1", have_caches_of_6_1,
      { "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy" } },
    { "unknown register", use_unknown,
      { "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "yyyyyy", "pppppy" } },
};

/* What is in the way, by its letter */
static const struct {
    char letter;
    const char *text;
} obstacles[] = {
    { 'C', "incoming VM has CNTPCT_EL0 = " },
    { 'O', "incoming VM has OSLSR_EL1 = 0xa " },
    { 'T', "incoming VM has TCR2_EL1 = 0x0 " },
    { 'P', "incoming VM has PMMIR_EL1 = 0x8 " },
    { 'p', "incoming VM has S3_0_C10_C2_7 = 0x1 " },
};

static bool is_in(const List *list, uint64_t id)
{
    return bsearch(&id, list->ids, list->count, sizeof(id), hvc_compare_ids);
}

static void check_arrival(const List *incoming, const List *local)
{
    for (size_t i = 0; i < local->count; i++) {
        uint64_t id = local->ids[i];
        uint64_t wanted = 0;

        g_test_message("0x%" PRIx64, id);
        if (is_in(incoming, id)) {
            wanted = value_in(incoming, id);
        } else if (id == FAKE_OSLSR) {
            wanted = 0x8;
        } else if (id == FAKE_CNTPCT) {
            wanted = 0x0cbf5b21;
        } else if (id >= FAKE_CCSIDR(0) && id <= FAKE_CCSIDR(13)) {
            wanted = 2;
        }
        g_assert_cmphex(local->values[i], ==, wanted);
    }
}

static void check_journey(const Journey *journey, FakeKernel from,
                          FakeKernel to)
{
    char goes = journey->goes[from][to];
    g_autoptr(FakeKvm) source = fake_kvm_new(from);
    g_autoptr(FakeKvm) destination = fake_kvm_new(to);
    HvcRegisterList list;
    List incoming, local;
    Error *err = NULL;
    bool ok;

    g_test_message("%s: Linux %s to %s", journey->what, fake_kvm_name(from),
                   fake_kvm_name(to));
    journey->do_it(source);
    if (from == to) {
        journey->do_it(destination);
    }
    incoming = list_of(source);
    local = list_of(destination);
    list = (HvcRegisterList) { incoming.ids, incoming.values, incoming.count };
    ok = hvc_list_match(&destination->kvm, &list, local.ids, local.values,
                        local.count, &warned, &err);
    g_assert_true(ok == (goes == 'y'));
    g_assert_true(ok == !err);
    if (ok) {
        check_arrival(&incoming, &local);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(obstacles); i++) {
        if (obstacles[i].letter == goes) {
            g_test_message("%s", error_get_pretty(err));
            g_assert_nonnull(strstr(error_get_pretty(err), obstacles[i].text));
            error_free(err);
            return;
        }
    }
    g_assert_not_reached();
}

static void test_journey(gconstpointer data)
{
    for (FakeKernel from = 0; from < FAKE_KERNELS; from++) {
        for (FakeKernel to = 0; to < FAKE_KERNELS; to++) {
            check_journey(data, from, to);
        }
    }
}

/* Nothing is dropped silently. */

static void leave_three_behind(void)
{
    List incoming = { }, local = { };

    add(&incoming, FAKE_TCR2, 0);
    add(&incoming, FAKE_PMMIR, 0);
    add(&incoming, FAKE_PIR, FAKE_RESET_PATTERN);
    add(&local, FAKE_OSLSR, 0);
    check_match(&incoming, &local, NULL);
    check_match(&incoming, &local, NULL);
}

static void test_traced(void)
{
#ifdef CONFIG_TRACE_LOG
    if (g_test_subprocess()) {
        g_assert_true(trace_init_backends());
        trace_enable_events("hvc_kvm_left_behind");
        trace_enable_events("hvc_kvm_filled_in");
        g_assert_true(qemu_set_log(LOG_TRACE, &error_abort));
        leave_three_behind();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*hvc_kvm_left_behind TCR2_EL1 = 0x0: the "
                              "guest's ID_AA64MMFR3_EL1.TCRX says that it has "
                              "none\n*hvc_kvm_left_behind PMMIR_EL1 = 0x0: it "
                              "reads as 0 where it is not listed\n"
                              "*hvc_kvm_left_behind PIR_EL1 = "
                              "0x1de7ec7edbadc0de: *");
    g_test_trap_assert_stderr("*hvc_kvm_filled_in OSLSR_EL1 = 0x8\n*");
#else
    g_test_skip("built without traces in the log");
#endif
}

static void test_warned(void)
{
    if (g_test_subprocess()) {
        leave_three_behind();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*warning: guest-abi: TCR2_EL1 = 0x0 of the "
                              "incoming VM is left behind, as this host's "
                              "kernel does not list it: the guest's "
                              "ID_AA64MMFR3_EL1.TCRX says that it has none; "
                              "others are only traced (hvc_kvm_left_behind)"
                              "\n*");
    g_test_trap_assert_stderr_unmatched("*left behind*left behind, as*");
    g_test_trap_assert_stderr_unmatched("*PMMIR_EL1*");
}

/* A vCPU that is refused leaves nothing behind. */
static void leave_behind_at_last(void)
{
    g_autoptr(FakeKvm) broken = fake_kvm_new(FAKE_7_3);
    List incoming = { }, local = { }, more = { };

    add(&incoming, FAKE_TCR2, 0);
    add(&local, FAKE_CNTPCT, 0);
    fake_kvm_register(broken, FAKE_CNTPCT)->get_errno = EIO;
    check_match_on(broken, &incoming, &local, "guest-abi: incoming VM has no "
                   "CNTPCT_EL0, and this host's cannot be read; use another "
                   "host: Input/output error");

    more = incoming;
    add(&more, FAKE_UNKNOWN, 1);
    check_match(&more, &local, BY_VALUE("S3_0_C10_C2_7", "0x1",
                                        "0x603000000013c517"));
    more = incoming;
    add(&more, FAKE_CNTP_CTL, 1);
    check_match(&more, &local, BY_TIMER("CNTP_CTL_EL0", "0x1",
                                        "0x603000000013df11"));
    local.count = 0;
    check_match(&more, &local, BY_TIMER("CNTP_CTL_EL0", "0x1",
                                        "0x603000000013df11"));

    /* The first of these, and of those that the other list ends before */
    incoming.count = 0;
    add(&incoming, FAKE_PIRE0, 5);
    add(&incoming, FAKE_PIR, 6);
    add(&incoming, FAKE_CNTP_CVAL, 7);
    add(&local, FAKE_CNTPCT, 0);
    check_match(&incoming, &local, NULL);
}

static void test_warned_late(void)
{
    if (g_test_subprocess()) {
        leave_behind_at_last();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*warning: guest-abi: PIRE0_EL1 = 0x5 of the "
                              "incoming VM is left behind, *");
    g_test_trap_assert_stderr_unmatched("*left behind*left behind, as*");
    g_test_trap_assert_stderr_unmatched("*TCR2_EL1*");
}

static void lose_timer(void)
{
    List incoming = { }, local = { };

    add(&local, FAKE_CNTP_CTL, 0);
    check_match(&incoming, &local, NULL);
    check_match(&incoming, &local, NULL);
}

/* Issue 12, 5: what the source's kernel does not send is said, once. */
static void test_lost(void)
{
    if (g_test_subprocess()) {
        lose_timer();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*: warning: guest-abi: the source's kernel does "
                              "not send all of the guest's state: the physical "
                              "timer (CNTP_CTL_EL0, CNTP_CVAL_EL0) stops if it "
                              "is on; migrate from Linux 6.4 or later\n");
    g_test_trap_assert_stderr_unmatched("*guest-abi*guest-abi*");
}

int main(int argc, char **argv)
{
    module_call_init(MODULE_INIT_TRACE);
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/hvc-kvm-lists/left-behind", test_left_behind);
    g_test_add_func("/hvc-kvm-lists/left-behind/ctl",
                    test_left_behind_ctl);
    g_test_add_func("/hvc-kvm-lists/left-behind/cache",
                    test_left_behind_cache);
    g_test_add_func("/hvc-kvm-lists/left-behind/traced", test_traced);
    g_test_add_func("/hvc-kvm-lists/left-behind/warned", test_warned);
    g_test_add_func("/hvc-kvm-lists/left-behind/warned-late",
                    test_warned_late);
    g_test_add_func("/hvc-kvm-lists/clidr", test_clidr);
    g_test_add_func("/hvc-kvm-lists/filled-in", test_filled_in);
    g_test_add_func("/hvc-kvm-lists/filled-in/unreadable",
                    test_filled_in_unreadable);
    g_test_add_func("/hvc-kvm-lists/filled-in/cache", test_filled_in_cache);
    g_test_add_func("/hvc-kvm-lists/filled-in/fails", test_filled_in_fails);
    g_test_add_func("/hvc-kvm-lists/taken", test_taken);
    g_test_add_func("/hvc-kvm-lists/damaged", test_damaged);
    g_test_add_func("/hvc-kvm-lists/damaged/size", test_damaged_size);
    g_test_add_func("/hvc-kvm-lists/same-register", test_same_register);
    g_test_add_func("/hvc-kvm-lists/compare-ids", test_compare_ids);
    g_test_add_func("/hvc-kvm-lists/filled-in/lost", test_lost);
    g_test_add_func("/hvc-kvm-lists/early", test_early);
    g_test_add_func("/hvc-kvm-lists/has", test_has);
    g_test_add_func("/hvc-kvm-lists/pack", test_pack);
    g_test_add_func("/hvc-kvm-lists/unpack/damaged", test_unpack_damaged);
    g_test_add_func("/hvc-kvm-lists/unpack/many", test_unpack_many);
    g_test_add_func("/hvc-kvm-lists/empty", test_empty);
    g_test_add_func("/hvc-kvm-lists/tail", test_tail);
    g_test_add_func("/hvc-kvm-lists/many", test_many);
    for (unsigned i = 0; i < ARRAY_SIZE(journeys); i++) {
        g_autofree char *path = g_strdup_printf(
            "/hvc-kvm-lists/journeys/%u", i);

        g_test_add_data_func(path, &journeys[i], test_journey);
    }
    return g_test_run();
}
