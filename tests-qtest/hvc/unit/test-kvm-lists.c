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
#include "target/arm/hvc/sysregs.h"
#include "list-util.h"

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

#define S1POE 0x10000ULL
#define SCTLRX 0x10ULL
/* All fields that have nothing to do with it */
#define NOT_TCRX  (~0xfULL & ~(1ULL << 63))
#define NOT_S1PIE (~0xf00ULL & ~(1ULL << 63))
#define NOT_S1POE (~0xf0000ULL & ~(1ULL << 63))

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
    g_assert_true(hvc_list_match(HVC_LISTER_KERNEL, &fake->kvm, &incoming, ids,
                                 values, COUNT, &warned, &error_abort));
    for (unsigned i = 0; i < COUNT; i++) {
        g_assert_cmphex(values[i], ==, i % 2 ? i : 0);
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
    list_add_travel_tests();
    g_test_add_func("/hvc-kvm-lists/empty", test_empty);
    g_test_add_func("/hvc-kvm-lists/tail", test_tail);
    g_test_add_func("/hvc-kvm-lists/many", test_many);
    list_add_journeys();
    return g_test_run();
}
