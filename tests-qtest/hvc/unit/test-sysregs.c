/*
 * Unit tests of the table of system registers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "target/arm/hvc/sysregs.h"

#define ID HVC_SYSREG_ID
#define CCSIDR HVC_SYSREG_CCSIDR_ID

/* Literal values, so that a wrong HVC_SYSREG_ID() is found */
#define MIDR_EL1         0x603000000013c000ULL
#define ID_MMFR2_EL1     0x603000000013c00eULL
#define ID_AA64PFR0_EL1  0x603000000013c020ULL
#define ID_AA64DFR0_EL1  0x603000000013c028ULL
#define ID_AA64MMFR2_EL1 0x603000000013c03aULL
#define CTR_EL0          0x603000000013d801ULL
#define CLIDR_EL1        0x603000000013c801ULL
#define AIDR_EL1         0x603000000013c807ULL
#define X0               0x6030000000100000ULL

static void test_ids(void)
{
    g_assert_cmphex(ID(3, 0, 0, 0, 0), ==, MIDR_EL1);
    g_assert_cmphex(ID(3, 0, 0, 5, 0), ==, ID_AA64DFR0_EL1);
    g_assert_cmphex(ID(3, 3, 0, 0, 1), ==, CTR_EL0);
    g_assert_cmphex(ID(3, 7, 15, 15, 7), ==, 0x603000000013ffffULL);
    g_assert_cmphex(CCSIDR(2), ==, 0x6020000000110002ULL);
}

static void check_fields(const HvcSysreg *reg)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    unsigned end = 0;

    /* A register without known fields has .fields NULL, not an empty list. */
    g_assert_nonnull(reg->fields->name);
    for (const HvcSysregField *field = reg->fields; field->name; field++) {
        uint64_t mask;

        g_test_message("%s.%s", reg->name, field->name);
        g_assert_true(g_hash_table_add(names, (gpointer)field->name));
        g_assert_cmpuint(field->width, >, 0);
        g_assert_cmpuint(field->lsb, >=, end);
        end = field->lsb + field->width;
        g_assert_cmpuint(end, <=, 64);

        mask = MAKE_64BIT_MASK(field->lsb, field->width);
        g_assert_cmphex(hvc_sysreg_field(reg->id, field->name, mask), ==,
                        mask >> field->lsb);
        g_assert_cmphex(hvc_sysreg_field(reg->id, field->name, ~mask), ==, 0);
    }
}

static void test_table(void)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (size_t i = 0; i < hvc_sysregs_count; i++) {
        const HvcSysreg *reg = &hvc_sysregs[i];

        g_assert_true(g_hash_table_add(ids, (gpointer)&reg->id));
        g_assert_true(g_hash_table_add(names, (gpointer)reg->name));
        if (reg->fields) {
            check_fields(reg);
        }
    }
}

static void check_entry_name(GHashTable *seen, uint64_t id)
{
    char *name = hvc_sysreg_entry_name(id);

    g_assert_true(g_str_has_prefix(name, "arm."));
    g_assert_cmpuint(strlen(name), <, 32);
    for (const char *c = name; *c; c++) {
        if (!g_ascii_islower(*c) && !g_ascii_isdigit(*c)) {
            g_assert_nonnull(strchr("-.", *c));
        }
    }
    g_assert_true(g_hash_table_add(seen, name));
}

/* Each id that a system register can have has its own name. */
static void test_unique(void)
{
    g_autoptr(GHashTable) entries =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) names =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (uint32_t i = 0; i <= 0xffff; i++) {
        uint64_t id = ID(0, 0, 0, 0, 0) + i;

        g_assert_true(g_hash_table_add(names, hvc_sysreg_name(id)));
        check_entry_name(entries, id);
    }
    for (uint32_t i = 0; i <= 0xff; i++) {
        g_assert_true(g_hash_table_add(names, hvc_sysreg_name(CCSIDR(i))));
        check_entry_name(entries, CCSIDR(i));
    }
    check_entry_name(entries, X0);
    check_entry_name(entries, UINT64_MAX);
}

static void test_names(void)
{
    static const struct {
        uint64_t id;
        const char *name;
        const char *entry;
    } cases[] = {
        { ID_AA64DFR0_EL1, "ID_AA64DFR0_EL1", "arm.id-aa64dfr0-el1" },
        { ID(3, 0, 0, 3, 1), "MVFR1_EL1", "arm.mvfr1-el1" },
        { CCSIDR(0), "CCSIDR_EL1[L1 data]", "arm.ccsidr-el1.l1-data" },
        { CCSIDR(1), "CCSIDR_EL1[L1 instruction]",
          "arm.ccsidr-el1.l1-instruction" },
        { CCSIDR(2), "CCSIDR_EL1[L2 data]", "arm.ccsidr-el1.l2-data" },
        { CCSIDR(13), "CCSIDR_EL1[L7 instruction]",
          "arm.ccsidr-el1.l7-instruction" },
        { CCSIDR(14), "register 0x602000000011000e",
          "arm.register-0x602000000011000e" },
        { CCSIDR(0x100), "register 0x6020000000110100",
          "arm.register-0x6020000000110100" },
        { ID(3, 0, 0, 4, 3), "S3_0_C0_C4_3", "arm.s3-0-c0-c4-3" },
        { ID(3, 7, 15, 15, 7), "S3_7_C15_C15_7", "arm.s3-7-c15-c15-7" },
        { X0, "register 0x6030000000100000",
          "arm.register-0x6030000000100000" },
        /* ID_AA64DFR0_EL1's number with another size, and in another class */
        { 0x602000000013c028, "register 0x602000000013c028",
          "arm.register-0x602000000013c028" },
        { 0x6030000000140000, "PSCI_VERSION", "arm.psci-version" },
        { 0x6030000000140003, "SMCCC_ARCH_WORKAROUND_3",
          "arm.smccc-arch-workaround-3" },
        { 0x6030000000140004, "register 0x6030000000140004",
          "arm.register-0x6030000000140004" },
        { 0x6030000000160003, "VENDOR_HYP_BMAP_2", "arm.vendor-hyp-bmap-2" },
        { 0x606000000015ffff, "SVE_VLS", "arm.sve-vls" },
        { 0xe000000100000008, "GICD_IIDR", "arm.gicd-iidr" },
        { 0xe00000060000c664, "ICC_CTLR_EL1", "arm.icc-ctlr-el1" },
        { ID(2, 0, 0, 0, 4), "DBGBVR0_EL1", "arm.dbgbvr0-el1" },
        { ID(2, 0, 0, 15, 7), "DBGWCR15_EL1", "arm.dbgwcr15-el1" },
        { ID(2, 0, 0, 2, 0), "MDCCINT_EL1", "arm.mdccint-el1" },
        { ID(2, 0, 1, 0, 4), "S2_0_C1_C0_4", "arm.s2-0-c1-c0-4" },
        { ID(3, 3, 14, 9, 1), "PMEVCNTR9_EL0", "arm.pmevcntr9-el0" },
        { ID(3, 3, 14, 11, 6), "PMEVCNTR30_EL0", "arm.pmevcntr30-el0" },
        { ID(3, 3, 14, 11, 7), "S3_3_C14_C11_7", "arm.s3-3-c14-c11-7" },
        { ID(3, 3, 14, 15, 6), "PMEVTYPER30_EL0", "arm.pmevtyper30-el0" },
        { ID(3, 3, 14, 15, 7), "PMCCFILTR_EL0", "arm.pmccfiltr-el0" },
        /* KVM_REG_ARM_TIMER_CVAL and _CNT */
        { ID(3, 3, 14, 0, 2), "CNTV_CVAL_EL0", "arm.cntv-cval-el0" },
        { ID(3, 3, 14, 3, 2), "CNTVCT_EL0", "arm.cntvct-el0" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *name = hvc_sysreg_name(cases[i].id);
        g_autofree char *entry = hvc_sysreg_entry_name(cases[i].id);

        g_assert_cmpstr(name, ==, cases[i].name);
        g_assert_cmpstr(entry, ==, cases[i].entry);
    }
}

/*
 * Names of the contract's entries for registers that describe the CPU. Released
 * QEMUs know the entries by these names: rows can be added, never changed.
 */
static const struct {
    uint64_t id;
    const char *entry;
} golden[] = {
    { 0x603000000013c000, "arm.midr-el1" },
    { 0x603000000013c006, "arm.revidr-el1" },
    { 0x603000000013c008, "arm.id-pfr0-el1" },
    { 0x603000000013c009, "arm.id-pfr1-el1" },
    { 0x603000000013c00a, "arm.id-dfr0-el1" },
    { 0x603000000013c00b, "arm.id-afr0-el1" },
    { 0x603000000013c00c, "arm.id-mmfr0-el1" },
    { 0x603000000013c00d, "arm.id-mmfr1-el1" },
    { 0x603000000013c00e, "arm.id-mmfr2-el1" },
    { 0x603000000013c00f, "arm.id-mmfr3-el1" },
    { 0x603000000013c010, "arm.id-isar0-el1" },
    { 0x603000000013c011, "arm.id-isar1-el1" },
    { 0x603000000013c012, "arm.id-isar2-el1" },
    { 0x603000000013c013, "arm.id-isar3-el1" },
    { 0x603000000013c014, "arm.id-isar4-el1" },
    { 0x603000000013c015, "arm.id-isar5-el1" },
    { 0x603000000013c016, "arm.id-mmfr4-el1" },
    { 0x603000000013c017, "arm.id-isar6-el1" },
    { 0x603000000013c018, "arm.mvfr0-el1" },
    { 0x603000000013c019, "arm.mvfr1-el1" },
    { 0x603000000013c01a, "arm.mvfr2-el1" },
    { 0x603000000013c01c, "arm.id-pfr2-el1" },
    { 0x603000000013c01d, "arm.id-dfr1-el1" },
    { 0x603000000013c01e, "arm.id-mmfr5-el1" },
    { 0x603000000013c020, "arm.id-aa64pfr0-el1" },
    { 0x603000000013c021, "arm.id-aa64pfr1-el1" },
    { 0x603000000013c022, "arm.id-aa64pfr2-el1" },
    { 0x603000000013c024, "arm.id-aa64zfr0-el1" },
    { 0x603000000013c025, "arm.id-aa64smfr0-el1" },
    { 0x603000000013c027, "arm.id-aa64fpfr0-el1" },
    { 0x603000000013c028, "arm.id-aa64dfr0-el1" },
    { 0x603000000013c029, "arm.id-aa64dfr1-el1" },
    { 0x603000000013c02a, "arm.id-aa64dfr2-el1" },
    { 0x603000000013c02c, "arm.id-aa64afr0-el1" },
    { 0x603000000013c02d, "arm.id-aa64afr1-el1" },
    { 0x603000000013c030, "arm.id-aa64isar0-el1" },
    { 0x603000000013c031, "arm.id-aa64isar1-el1" },
    { 0x603000000013c032, "arm.id-aa64isar2-el1" },
    { 0x603000000013c033, "arm.id-aa64isar3-el1" },
    { 0x603000000013c038, "arm.id-aa64mmfr0-el1" },
    { 0x603000000013c039, "arm.id-aa64mmfr1-el1" },
    { 0x603000000013c03a, "arm.id-aa64mmfr2-el1" },
    { 0x603000000013c03b, "arm.id-aa64mmfr3-el1" },
    { 0x603000000013c03c, "arm.id-aa64mmfr4-el1" },
    { 0x603000000013c4f6, "arm.pmmir-el1" },
    { 0x603000000013c801, "arm.clidr-el1" },
    { 0x603000000013c807, "arm.aidr-el1" },
    { 0x603000000013d801, "arm.ctr-el0" },
    { 0x6020000000110000, "arm.ccsidr-el1.l1-data" },
    { 0x6020000000110001, "arm.ccsidr-el1.l1-instruction" },
    { 0x6020000000110002, "arm.ccsidr-el1.l2-data" },
    { 0x6020000000110003, "arm.ccsidr-el1.l2-instruction" },
    { 0x6020000000110004, "arm.ccsidr-el1.l3-data" },
    { 0x6020000000110005, "arm.ccsidr-el1.l3-instruction" },
    { 0x6020000000110006, "arm.ccsidr-el1.l4-data" },
    { 0x6020000000110007, "arm.ccsidr-el1.l4-instruction" },
    { 0x6020000000110008, "arm.ccsidr-el1.l5-data" },
    { 0x6020000000110009, "arm.ccsidr-el1.l5-instruction" },
    { 0x602000000011000a, "arm.ccsidr-el1.l6-data" },
    { 0x602000000011000b, "arm.ccsidr-el1.l6-instruction" },
    { 0x602000000011000c, "arm.ccsidr-el1.l7-data" },
    { 0x602000000011000d, "arm.ccsidr-el1.l7-instruction" },
};

/* Other ids have no name from Arm; their entries keep the number as a name. */
static char *golden_entry_name(uint64_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
        if (golden[i].id == id) {
            return g_strdup(golden[i].entry);
        }
    }
    return g_strdup_printf("arm.s%u-%u-c%u-c%u-%u", (unsigned)(id >> 14 & 3),
                           (unsigned)(id >> 11 & 7), (unsigned)(id >> 7 & 15),
                           (unsigned)(id >> 3 & 15), (unsigned)(id & 7));
}

static unsigned check_golden(uint64_t id)
{
    g_autofree char *entry = NULL, *expected = NULL;

    if (!hvc_sysreg_describes_cpu(id)) {
        return 0;
    }
    entry = hvc_sysreg_entry_name(id);
    expected = golden_entry_name(id);
    g_test_message("0x%" PRIx64, id);
    g_assert_cmpstr(entry, ==, expected);
    return 1;
}

static void test_golden(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
        g_test_message("%s", golden[i].entry);
        g_assert_true(hvc_sysreg_describes_cpu(golden[i].id));
    }
    /* All ids that a system register can have, those of the table included */
    for (uint32_t i = 0; i <= 0xffff; i++) {
        count += check_golden(ID(0, 0, 0, 0, 0) + i);
        count += check_golden(CCSIDR(0) + i);
    }
    /* 64 ids but for MPIDR_EL1, four others, and 14 caches */
    g_assert_cmpuint(count, ==, 63 + 4 + 14);
}

static void test_differences(void)
{
    static const struct {
        uint64_t id, a, b;
        const char *text;
    } cases[] = {
        { ID_AA64DFR0_EL1, 0x10305408, 0x10305408, "" },
        { X0, 5, 5, "" },
        { ID_AA64DFR0_EL1, 0x10305508, 0x10305406,
          "DebugVer 8 -> 6, PMUVer 5 -> 4" },
        { ID_AA64DFR0_EL1, 0xf010305408, 0x1000000010305408,
          "DoubleLock 0xf -> 0x0, HPMN0 0 -> 1" },
        /* Neoverse N1's to Cortex-A72's */
        { MIDR_EL1, 0x414fd0c1, 0x410fd083,
          "Revision 1 -> 3, PartNum 0xd0c -> 0xd08, Variant 4 -> 0" },
        { MIDR_EL1, 0x414fd0c1, 0x484fd0c1, "Implementer 0x41 -> 0x48" },
        /* In these fields 0xf is "not implemented". Both values are in hex. */
        { ID_AA64PFR0_EL1, 0x0000000000110022, 0x0000000000ff0011,
          "EL0 2 -> 1, EL1 2 -> 1, FP 0x1 -> 0xf, AdvSIMD 0x1 -> 0xf" },
        /* The same CPU under Linux 6.12 and 6.16 */
        { ID_AA64MMFR2_EL1, 0x1221011112011011, 0x1221011110011011,
          "NV 2 -> 0" },
        { ID_AA64MMFR2_EL1, 0x0000000000101000, 0x1000000000011001,
          "CnP 0 -> 1, VARange 0 -> 1, CCIDX 1 -> 0, E0PD 0 -> 1" },
        /* A reserved field, and the high half of an AArch32 register */
        { ID_AA64MMFR2_EL1, 0x0000a00000000000, 0,
          "bits [47:44] 0xa -> 0x0" },
        { ID_MMFR2_EL1, 0x1260000, 0x8000000101260000,
          "bits [35:32] 0x0 -> 0x1, bits [63:60] 0x0 -> 0x8" },
        { ID_MMFR2_EL1, 0x1260000, 0x1060000, "MemBarr 2 -> 0" },
        /* The host's two levels, and the one that KVM invents from 6.3 on */
        { CLIDR_EL1, 0x82000023, 0x1000004,
          "Ctype1 3 -> 4, Ctype2 4 -> 0, LoC 2 -> 1, ICB 2 -> 0" },
        { CLIDR_EL1, 0x2000023, 0x2000021, "Ctype1 3 -> 1" },
        { CLIDR_EL1, 0x600000000, 0x0080800000000000,
          "Ttype1 3 -> 0, bits [47:47] 0x0 -> 0x1, "
          "bits [55:52] 0x0 -> 0x8" },
        { CTR_EL0, 0x9444c004, 0xb444c004, "DIC 0 -> 1" },
        { CTR_EL0, 0x8444c004, 0x9444c005,
          "IminLine 4 -> 5, IDC 0 -> 1" },
        { CTR_EL0, 0xb444c004, 0x3444c004, "bits [31:30] 0x2 -> 0x0" },
        { CTR_EL0, 0x8444c004, 0x8448a014,
          "L1Ip 3 -> 2, DminLine 4 -> 8, bits [7:4] 0x0 -> 0x1, "
          "bits [13:12] 0x0 -> 0x2" },
        /* 64 KiB, four ways; from Linux 6.3 on KVM says one set and way. */
        { CCSIDR(0), 0x701fe01a, 0x2,
          "Associativity 3 -> 0, NumSets 0xff -> 0x0, "
          "bits [31:28] 0x7 -> 0x0" },
        { CCSIDR(13), 0x701fe01a, 0x701fe019, "LineSize 2 -> 1" },
        /* Registers without known fields, or without a row */
        { AIDR_EL1, 0x1, 0x8000000000000000,
          "bits [63:0] 0x1 -> 0x8000000000000000" },
        { ID(3, 0, 0, 4, 3), 0, 0x10, "bits [63:0] 0x0 -> 0x10" },
        { X0, 9, 7, "bits [63:0] 0x9 -> 0x7" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *text =
            hvc_sysreg_differences(cases[i].id, cases[i].a, cases[i].b);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

/* hvc_sysreg_differences() names any single bit that differs. */
static void test_every_bit(void)
{
    for (size_t i = 0; i < hvc_sysregs_count; i++) {
        for (unsigned bit = 0; bit < 64; bit++) {
            g_autofree char *text =
                hvc_sysreg_differences(hvc_sysregs[i].id, 0, 1ULL << bit);

            g_assert_cmpstr(text, !=, "");
            g_assert_null(strchr(text, ','));
        }
    }
}

static void test_field(void)
{
    g_assert_cmpuint(hvc_sysreg_field(ID_AA64DFR0_EL1, "BRPs",
                                      0x10305408), ==, 5);
    g_assert_cmpuint(hvc_sysreg_field(ID_AA64DFR0_EL1, "HPMN0",
                                      0x1000000000000000), ==, 1);
    g_assert_cmphex(hvc_sysreg_field(MIDR_EL1, "PartNum", 0x414fd0c1), ==,
                    0xd0c);
    g_assert_cmpuint(hvc_sysreg_field(CLIDR_EL1, "LoC", 0x82000023), ==, 2);
    g_assert_cmpuint(hvc_sysreg_field(CCSIDR(2), "NumSets", 0x701fe01a), ==,
                     255);
}

static void test_describes_cpu(void)
{
    static const uint64_t yes[] = {
        MIDR_EL1, ID_AA64DFR0_EL1, CTR_EL0, CLIDR_EL1, AIDR_EL1,
        ID(3, 0, 0, 0, 4), ID(3, 0, 0, 0, 6), ID(3, 0, 0, 0, 7),
        ID(3, 0, 0, 1, 0), ID(3, 0, 0, 3, 3), ID(3, 0, 0, 7, 7),
        ID(3, 0, 9, 14, 6), CCSIDR(0), CCSIDR(13),
    };
    static const uint64_t no[] = {
        ID(3, 0, 0, 0, 5), ID(3, 0, 0, 8, 0), ID(3, 0, 0, 15, 7),
        ID(3, 0, 1, 0, 0), ID(2, 0, 0, 0, 4), ID(2, 7, 15, 15, 7),
        ID(2, 0, 1, 1, 4), ID(3, 1, 0, 0, 0), ID(3, 1, 0, 0, 2),
        ID(3, 1, 0, 0, 6), ID(3, 2, 0, 0, 0), ID(3, 3, 0, 0, 0),
        ID(3, 3, 0, 0, 2), ID(3, 4, 0, 0, 0), ID(3, 4, 0, 0, 5),
        ID(3, 0, 9, 14, 5), ID(3, 0, 9, 14, 7), ID(3, 3, 9, 12, 0),
        CCSIDR(14), CCSIDR(0x100), CCSIDR(0) - 1, X0, 0, UINT64_MAX,
        0x602000000013c000ULL, 0x6030000000110000ULL,
    };

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        g_test_message("%" PRIx64, yes[i]);
        g_assert_true(hvc_sysreg_describes_cpu(yes[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        g_test_message("%" PRIx64, no[i]);
        g_assert_false(hvc_sysreg_describes_cpu(no[i]));
    }
    /* A register with known fields describes the CPU; state has none. */
    for (size_t i = 0; i < hvc_sysregs_count; i++) {
        if (hvc_sysregs[i].fields) {
            g_assert_true(hvc_sysreg_describes_cpu(hvc_sysregs[i].id));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hvc/sysregs/ids", test_ids);
    g_test_add_func("/hvc/sysregs/table", test_table);
    g_test_add_func("/hvc/sysregs/unique", test_unique);
    g_test_add_func("/hvc/sysregs/names", test_names);
    g_test_add_func("/hvc/sysregs/golden", test_golden);
    g_test_add_func("/hvc/sysregs/differences", test_differences);
    g_test_add_func("/hvc/sysregs/every-bit", test_every_bit);
    g_test_add_func("/hvc/sysregs/field", test_field);
    g_test_add_func("/hvc/sysregs/describes-cpu", test_describes_cpu);
    return g_test_run();
}
