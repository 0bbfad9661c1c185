/*
 * Unit tests of the list of registers that comes with a contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "list-util.h"

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

/* Registers of TCG: one of QEMU 10.2's, EL2's of a CPU without EL2 */
#define P14_3_C0_C5_0 0x40200000200e0298ULL
#define HCPTR_S       0x40200000000f08a2ULL
#define CNTHP_CVAL_S  0x40300000000f0730ULL
/* One that every QEMU has: DACR */
#define DACR          0x40200000200f1800ULL

/* Is it known, without the value, that nobody misses a register? */
static void test_can_stay(void)
{
    static const struct {
        uint64_t id;
        uint64_t el2, mmfr3;
        bool can;
    } cases[] = {
        { P14_3_C0_C5_0, .can = true },
        { P14_3_C0_C5_0, .el2 = 1, .can = true },
        { HCPTR_S, .can = true },
        { HCPTR_S, .el2 = 1 },
        { CNTHP_CVAL_S, .can = true },
        { CNTHP_CVAL_S, .el2 = 1 },
        /* The Non-secure one, which is HCPTR_EL2 */
        { HCPTR_S | 1u << 29 },
        { FAKE_TCR2, .can = true },
        { FAKE_TCR2, .mmfr3 = TCRX },
        { FAKE_CNTP_CTL },
        { FAKE_UNKNOWN },
        { DACR },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        HvcContract contract = { };

        hvc_contract_set(&contract, HVC_TCG_EL2, cases[i].el2, &error_abort);
        hvc_contract_set(&contract, FAKE_MMFR3, cases[i].mmfr3, &error_abort);
        g_assert_true(hvc_list_can_stay(&contract, cases[i].id) ==
                      cases[i].can);
    }
}

static int get_reset_value(const HvcKvm *vcpu, uint64_t id, uint64_t *value)
{
    if (id == FAKE_UNKNOWN) {
        return -ENOENT;
    }
    *value = ~id;
    return 0;
}

static void check_qemu(const HvcRegisterList *incoming, const uint64_t *ids,
                       const uint64_t *expected, size_t count,
                       const char *refusal)
{
    const HvcKvm vcpu = { .get = get_reset_value };
    uint64_t values[4];
    Error *err = NULL;

    g_assert_true(hvc_list_match(HVC_LISTER_QEMU, &vcpu, incoming, ids, values,
                                 count, NULL, &err) == !refusal);
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    if (!refusal) {
        g_assert_cmpmem(values, count * sizeof(*values), expected,
                        count * sizeof(*expected));
    }
    error_free(err);
}

/* Between versions of QEMU under TCG */
static void test_match_qemu(void)
{
    /* A value of more than 32 bits is the register's own affair. */
    static const uint64_t longer[] = { P14_3_C0_C5_0, DACR, FAKE_MIDR };
    static const uint64_t longer_values[] = { 0, 1ULL << 40, 3 };
    static const uint64_t here[] = { DACR, FAKE_MIDR };
    static const uint64_t unknown[] = { FAKE_UNKNOWN };
    static const uint64_t one[] = { 1 };
    const HvcRegisterList from_longer = { longer, longer_values, 3 };
    const HvcRegisterList from_here = { here, longer_values + 1, 2 };
    const HvcRegisterList from_unknown = { unknown, one, 1 };

    check_qemu(&from_longer, here, longer_values + 1, 2, NULL);
    check_qemu(&from_here, longer,
               (uint64_t[]) { ~P14_3_C0_C5_0, 1ULL << 40, 3 }, 3, NULL);
    check_qemu(&from_unknown, here, NULL, 2,
               "guest-abi: incoming VM has S3_0_C10_C2_7 = 0x1 "
               "[0x603000000013c517], this QEMU does not list it, and it "
               "cannot be left behind: it is not 0; use the source's version "
               "of QEMU");
    check_qemu(&from_here, unknown, NULL, 1,
               "guest-abi: incoming VM has register 0x40200000200f1800 = "
               "0x10000000000 [0x40200000200f1800], this QEMU does not list "
               "it, and it cannot be left behind: it is not 0; use the "
               "source's version of QEMU");
}

void list_add_travel_tests(void)
{
    g_test_add_func("/hvc-kvm-lists/can-stay", test_can_stay);
    g_test_add_func("/hvc-kvm-lists/match-qemu", test_match_qemu);
    g_test_add_func("/hvc-kvm-lists/early", test_early);
    g_test_add_func("/hvc-kvm-lists/has", test_has);
    g_test_add_func("/hvc-kvm-lists/pack", test_pack);
    g_test_add_func("/hvc-kvm-lists/unpack/damaged", test_unpack_damaged);
    g_test_add_func("/hvc-kvm-lists/unpack/many", test_unpack_many);
}
