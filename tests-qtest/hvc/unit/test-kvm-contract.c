/*
 * Unit tests of what a VM promises its guest on a fake kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A process has one VM, and a VM has one contract: each test runs in a process
 * of its own.
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qapi/error.h"
#include "qapi/qapi-commands-guest-abi.h"
#include "qapi/qapi-visit-guest-abi.h"
#include "qapi/qobject-output-visitor.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "migration/qemu-compat.h"
#include "trace/control.h"
#include "target/arm/hvc/kvm-abi.h"
#include "target/arm/hvc/kvm-profile.h"
#include "../fake/contract-loader.h"
#include "../fake/fake-kvm.h"
#include "../fake/fake-vm.h"

/* Where one process leaves what another one reads */
#define DIR_VARIABLE "TEST_HVC_KVM_ABI_DIR"

#define OTHER_REGISTER(name, came, here, why, fields, remedy) \
    "guest-abi: incoming VM has " name " = " came ", this VM has " here \
    " and " why " (" fields "); " remedy
#define PREFIX "guest-abi: "
#define TAKES_NO_OTHER "its kernel and CPU take no other value"
#define RUNS           "runs, so that it can have no other value"
#define SAME_CPU       "use a host with the source's CPU"
#define PROFILE \
    "start the source VM with guest-abi-profile=FILE, FILE being " \
    "query-guest-abi of a VM on this host, or use a host like the source"
#define OTHER_VALUE(name, came, here, fields) \
    OTHER_REGISTER(name, came, here, TAKES_NO_OTHER, fields, PROFILE)
#define OTHER_CPU(name, came, here, fields) \
    OTHER_REGISTER(name, came, here, TAKES_NO_OTHER, fields, SAME_CPU)

/* Fields that kernels have shown by mistake */
#define PFR0_MPAM      (0xfULL << 40)
#define PFR1_MPAM_FRAC (0xfULL << 16)
#define MMFR2_NV       (0xfULL << 24)

static void promise(const FakeKvm *fake)
{
    g_assert_false(hvc_kvm_is_promised());
    g_assert_true(hvc_kvm_promise(&fake->kvm, GUEST_ABI_ORIGIN_DEFAULT,
                                  &error_abort));
    g_assert_true(hvc_kvm_is_promised());
}

static uint64_t promised(const char *name)
{
    const GuestAbiDefinition *definition = guest_abi_definition_by_name(name);

    g_assert_nonnull(definition);
    return definition->promised;
}

/* The contract as it is now: what is needed, in order */
static void assert_contract(const GuestAbiValue *values, unsigned count)
{
    unsigned n = 0;

    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);

        if (guest_abi_is_needed(definition)) {
            g_test_message("%s = 0x%" PRIx64, definition->name,
                           definition->promised);
            g_assert_cmpuint(n, <, count);
            g_assert_cmpstr(definition->name, ==, values[n].name);
            g_assert_cmphex(definition->promised, ==, values[n].value);
            n++;
        }
    }
    g_assert_cmpuint(n, ==, count);
}

/* Would a value fit? NULL: yes */
static void check_value(const char *name, uint64_t value, const char *refusal)
{
    g_autoptr(GuestAbiIncoming) incoming = contract_own_but(name, &value);
    g_autofree char *text = contract_refusal(incoming, name);

    g_test_message("%s = 0x%" PRIx64, name, value);
    g_assert_cmpstr(text, ==, refusal);
}

static void check_refused(const char *name, uint64_t value)
{
    g_autoptr(GuestAbiIncoming) incoming = contract_own_but(name, &value);
    g_autofree char *text = contract_refusal(incoming, name);

    g_assert_nonnull(text);
}

static bool can_be_missing(const char *name)
{
    g_autoptr(GuestAbiIncoming) incoming = contract_own_but(name, NULL);
    g_autofree char *text = contract_refusal(incoming, name);

    return !text;
}

/* Promising */

static const GuestAbiValue on_5_10[] = {
    { "arm.pv-time-discovery", 1 },
    { "arm.smccc-arch-workaround-1", 2 },
    { "arm.smccc-arch-workaround-2", 0 },
    { "arm.smccc-arch-workaround-3", 1 },
    { "arm.midr-el1", 0x414fd0c1 },
    { "arm.id-aa64pfr0-el1", 0x1100000011110112 },
    { "arm.id-aa64dfr0-el1", 0x10305408 },
    { "arm.id-aa64mmfr3-el1", 0 },
    { "arm.clidr-el1", 0x82000023 },
    { "arm.ctr-el0", 0x9444c004 },
    { "arm.ccsidr-el1.l1-data", 0x701fe01a },
    { "arm.ccsidr-el1.l1-instruction", 0x201fe01a },
    { "arm.ccsidr-el1.l2-data", 0x70ffe03a },
};

static const GuestAbiValue on_6_1[] = {
    { "arm.pv-time-discovery", 0 },
    { "arm.smccc-arch-workaround-1", 2 },
    { "arm.smccc-arch-workaround-2", 0 },
    { "arm.smccc-arch-workaround-3", 1 },
    { "arm.midr-el1", 0x414fd0c1 },
    { "arm.id-aa64pfr0-el1", 0x1100000011110112 },
    { "arm.id-aa64dfr0-el1", 0x10305406 },
    { "arm.id-aa64mmfr3-el1", 0 },
    { "arm.clidr-el1", 0x82000023 },
    { "arm.ctr-el0", 0x9444c004 },
    { "arm.ccsidr-el1.l1-data", 0x701fe01a },
    { "arm.ccsidr-el1.l1-instruction", 0x201fe01a },
    { "arm.ccsidr-el1.l2-data", 0x70ffe03a },
};

/* 6.12 invents an L1 instruction cache and an L2, and lists fourteen. */
static const GuestAbiValue on_6_12[] = {
    { "arm.pv-time-discovery", 0 },
    { "arm.smccc-arch-workaround-1", 2 },
    { "arm.smccc-arch-workaround-2", 0 },
    { "arm.smccc-arch-workaround-3", 1 },
    { "arm.midr-el1", 0x414fd0c1 },
    { "arm.id-aa64pfr0-el1", 0x1100000011110112 },
    { "arm.id-aa64dfr0-el1", 0x10305408 },
    { "arm.id-aa64mmfr3-el1", 0 },
    { "arm.clidr-el1", 0x02000021 },
    { "arm.ctr-el0", 0x9444c004 },
    { "arm.ccsidr-el1.l1-instruction", 2 },
    { "arm.ccsidr-el1.l2-data", 2 },
};

static const GuestAbiValue on_7_3[] = {
    { "arm.pv-time-discovery", 0 },
    { "arm.smccc-arch-workaround-1", 2 },
    { "arm.smccc-arch-workaround-2", 0 },
    { "arm.smccc-arch-workaround-3", 1 },
    { "arm.midr-el1", 0x414fd0c1 },
    { "arm.id-aa64pfr0-el1", 0x1100000011110112 },
    { "arm.id-aa64dfr0-el1", 0x10305408 },
    { "arm.id-aa64mmfr3-el1", 0 },
    { "arm.pmmir-el1", 0 },
    { "arm.clidr-el1", 0x02000021 },
    { "arm.ctr-el0", 0x9444c004 },
    { "arm.ccsidr-el1.l1-instruction", 2 },
    { "arm.ccsidr-el1.l2-data", 2 },
};

/* Reading is all that it takes. */
static void check_promise(FakeKernel kernel, const GuestAbiValue *values,
                          unsigned count)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);
    g_autoptr(FakeKvm) before = fake_kvm_new(kernel);

    promise(fake);
    g_assert_cmpuint(fake->sets, ==, 0);
    fake_kvm_assert_same(fake, before, true);
    assert_contract(values, count);
}

static void test_promise_5_10(void)
{
    check_promise(FAKE_5_10, on_5_10, ARRAY_SIZE(on_5_10));
}

static void test_promise_5_15(void)
{
    /* The same, also for pv-time: it cannot be hidden there. */
    check_promise(FAKE_5_15, on_5_10, ARRAY_SIZE(on_5_10));
}

static void test_promise_6_1(void)
{
    check_promise(FAKE_6_1, on_6_1, ARRAY_SIZE(on_6_1));
}

static void test_promise_6_12(void)
{
    check_promise(FAKE_6_12, on_6_12, ARRAY_SIZE(on_6_12));
}

static void test_promise_6_16(void)
{
    check_promise(FAKE_6_16, on_6_12, ARRAY_SIZE(on_6_12));
}

static void test_promise_7_3(void)
{
    check_promise(FAKE_7_3, on_7_3, ARRAY_SIZE(on_7_3));
}

static void test_promise_words(void)
{
    static const struct {
        const char *name;
        GuestAbiRule rule;
        GuestAbiOrigin origin;
        const char *words;
    } expected[] = {
        { "arm.pv-time-discovery", GUEST_ABI_RULE_EXACT,
          GUEST_ABI_ORIGIN_DEFAULT, NULL },
        { "arm.smccc-arch-workaround-1", GUEST_ABI_RULE_AT_LEAST,
          GUEST_ABI_ORIGIN_DEFAULT, "not required" },
        { "arm.smccc-arch-workaround-2", GUEST_ABI_RULE_AT_LEAST,
          GUEST_ABI_ORIGIN_DEFAULT, "available" },
        { "arm.smccc-arch-workaround-3", GUEST_ABI_RULE_AT_LEAST,
          GUEST_ABI_ORIGIN_DEFAULT, "unheard of" },
        { "arm.midr-el1", GUEST_ABI_RULE_ACCEPTED, GUEST_ABI_ORIGIN_OPTION,
          NULL },
        { "arm.id-aa64pfr0-el1", GUEST_ABI_RULE_ACCEPTED,
          GUEST_ABI_ORIGIN_OPTION, NULL },
    };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(GuestAbiContract) contract = NULL;
    const GuestAbiEntryList *e;

    fake_kvm_register(fake, FAKE_WORKAROUND_2)->value = 2;
    fake_kvm_register(fake, FAKE_WORKAROUND_3)->value = 3;
    g_assert_true(hvc_kvm_promise(&fake->kvm, GUEST_ABI_ORIGIN_OPTION,
                                  &error_abort));
    contract = qmp_query_guest_abi(&error_abort);
    e = contract->entries;
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++, e = e->next) {
        g_assert_cmpstr(e->value->name, ==, expected[i].name);
        g_assert_cmpint(e->value->rule, ==, expected[i].rule);
        g_assert_cmpint(e->value->origin, ==, expected[i].origin);
        g_assert_cmpstr(e->value->names ? e->value->names->value : NULL, ==,
                        expected[i].words);
    }
}

/* A kernel that has not heard of a workaround says that it has none. */
static void test_promise_no_workaround(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_5_10);

    fake_kvm_remove(fake, FAKE_WORKAROUND_3);
    promise(fake);
    g_assert_cmphex(promised("arm.smccc-arch-workaround-3"), ==, 0);
    g_assert_cmphex(promised("arm.smccc-arch-workaround-1"), ==, 2);
}

/* Firmware registers of kernels to come, at both ends of what there can be */
static void test_promise_unknown(void)
{
    static const GuestAbiValue expected[] = {
        { "arm.pv-time-discovery", 0 },
        { "arm.smccc-arch-workaround-1", 2 },
        { "arm.smccc-arch-workaround-2", 0 },
        { "arm.smccc-arch-workaround-3", 1 },
        { "arm.firmware-register-4", 2 },
        { "arm.firmware-register-65535", 0 },
        { "arm.midr-el1", 0x414fd0c1 },
    };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(GuestAbiContract) contract = NULL;
    const GuestAbiEntryList *e;

    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_FIRMWARE(4), FAKE_LEVEL, .value = 2,
    });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_FIRMWARE(0xffff), FAKE_LEVEL });
    /* The next class has nothing to do with it, and services are chosen. */
    fake_kvm_add(fake, &(FakeRegister) { FAKE_FIRMWARE(0x10000) });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_BITMAP_5, .value = 1 });
    promise(fake);
    contract = qmp_query_guest_abi(&error_abort);
    e = contract->entries;
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++, e = e->next) {
        g_assert_cmpstr(e->value->name, ==, expected[i].name);
        g_assert_cmphex(e->value->value, ==, expected[i].value);
        if (g_str_has_prefix(e->value->name, "arm.firmware")) {
            g_assert_cmpint(e->value->rule, ==, GUEST_ABI_RULE_AT_LEAST);
            g_assert_cmpint(e->value->origin, ==, GUEST_ABI_ORIGIN_DEFAULT);
            g_assert_null(e->value->names);
        }
    }
    g_assert_null(guest_abi_definition_by_name("arm.firmware-register-0"));
    g_assert_null(guest_abi_definition_by_name("arm.firmware-register-3"));
    g_assert_null(guest_abi_definition_by_name("arm.firmware-register-65536"));
    g_assert_cmphex(hvc_kvm_register_id(
                        guest_abi_definition_by_name(
                            "arm.firmware-register-4")), ==, 0);
}

/* A cache that CLIDR_EL1 has, at the last level that it can have */
static void test_promise_caches(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    GuestAbiValue values[ARRAY_SIZE(on_6_12)];

    /* L1 data only, L7 unified; all ones above, where there is no level 8 */
    fake_kvm_register(fake, FAKE_CLIDR)->value = 0x3fff00002;
    promise(fake);
    memcpy(values, on_6_12, sizeof(values));
    values[8].value = fake_kvm_value(fake, FAKE_CLIDR);
    pstrcpy(values[10].name, sizeof(values[10].name),
            "arm.ccsidr-el1.l1-data");
    pstrcpy(values[11].name, sizeof(values[11].name),
            "arm.ccsidr-el1.l7-data");
    assert_contract(values, ARRAY_SIZE(values));
}

static void check_no_promise(FakeKvm *fake, const char *refusal)
{
    Error *err = NULL;

    g_assert_false(hvc_kvm_promise(&fake->kvm, GUEST_ABI_ORIGIN_DEFAULT,
                                   &err));
    g_assert_cmpstr(error_get_pretty(err), ==, refusal);
    error_free(err);
    g_assert_false(hvc_kvm_is_promised());
}

static void test_promise_no_list(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake->list_errno = ENOEXEC;
    check_no_promise(fake, "cannot read the list of registers: Exec format "
                     "error");
}

static void test_promise_unreadable_level(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_register(fake, FAKE_WORKAROUND_2)->get_errno = EIO;
    check_no_promise(fake, "cannot read KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2: "
                     "Input/output error");
}

static void test_promise_unreadable_unknown(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_FIRMWARE(4), FAKE_LEVEL, .get_errno = EIO,
    });
    check_no_promise(fake, "cannot read the firmware register "
                     "0x6030000000140004: Input/output error");
}

static void test_promise_unreadable_register(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_register(fake, FAKE_DFR0)->get_errno = ENOENT;
    check_no_promise(fake, "cannot read ID_AA64DFR0_EL1: No such file or "
                     "directory");
}

static void test_promise_unreadable_cache(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_register(fake, FAKE_CCSIDR(13))->get_errno = EPERM;
    check_no_promise(fake, "cannot read CCSIDR_EL1[L7 instruction]: Operation "
                     "not permitted");
}

static void test_register_id(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    unsigned registers = 0;

    guest_abi_add(&(GuestAbiDefinition) {
        .name = "test.exact", .rule = GUEST_ABI_RULE_EXACT,
    });
    promise(fake);
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        uint64_t id = hvc_kvm_register_id(definition);

        if (id) {
            g_assert_cmphex(fake_kvm_value(fake, id), ==, definition->value);
            registers++;
        }
    }
    g_assert_cmpuint(registers, ==, 7 + 14);
    g_assert_cmphex(hvc_kvm_register_id(
                        guest_abi_definition_by_name("arm.clidr-el1")),
                    ==, FAKE_CLIDR);
    g_assert_cmphex(hvc_kvm_register_id(
                        guest_abi_definition_by_name(
                            "arm.ccsidr-el1.l2-data")),
                    ==, FAKE_CCSIDR(2));
    g_assert_cmphex(hvc_kvm_register_id(
                        guest_abi_definition_by_name("test.exact")), ==, 0);
    g_assert_cmphex(hvc_kvm_register_id(
                        guest_abi_definition_by_name(
                            "arm.smccc-arch-workaround-1")), ==, 0);
}

/* Accepting */

static void test_accept(void)
{
    static const GuestAbiValue others[] = {
        { "arm.id-aa64dfr0-el1", 0x10305406 },
        { "arm.id-aa64dfr0-el1", 0 },
        { "arm.id-aa64pfr0-el1", 0x1100000011110111 },
        { "arm.clidr-el1", 0x82000023 },
        { "arm.ccsidr-el1.l1-data", 0x701fe01a },
        { "arm.ccsidr-el1.l1-instruction", 0x201fe01a },
        { "arm.ccsidr-el1.l7-instruction", 0x7 },
    };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);

    promise(fake);
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
        unsigned sets = fake->sets;

        check_value(others[i].name, others[i].value, NULL);
        /* It was tried, taken back, and the promise stays. */
        g_assert_cmpuint(fake->sets, ==, sets + 2);
        fake_kvm_assert_same(fake, before, true);
    }
    assert_contract(on_6_12, ARRAY_SIZE(on_6_12));

    /* What it is needs no try. */
    fake->sets = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(on_6_12); i++) {
        check_value(on_6_12[i].name, on_6_12[i].value, NULL);
    }
    g_assert_cmpuint(fake->sets, ==, 0);
}

static void test_accept_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);

    promise(fake);
    check_value("arm.id-aa64dfr0-el1", 0x10305509,
                OTHER_VALUE("ID_AA64DFR0_EL1", "0x10305509", "0x10305408",
                            "DebugVer 9 -> 8, PMUVer 5 -> 4"));
    check_value("arm.midr-el1", 0x410fd083,
                OTHER_CPU("MIDR_EL1", "0x410fd083", "0x414fd0c1",
                          "Revision 3 -> 1, PartNum 0xd08 -> 0xd0c, Variant "
                          "0 -> 4"));
    check_value("arm.ctr-el0", 0x8444c004,
                OTHER_CPU("CTR_EL0", "0x8444c004", "0x9444c004",
                          "IDC 0 -> 1"));
    check_value("arm.ccsidr-el1.l1-instruction", 0x1,
                OTHER_VALUE("CCSIDR_EL1[L1 instruction]", "0x1", "0x2",
                            "LineSize 1 -> 2"));
    check_value("arm.ccsidr-el1.l1-instruction", 0x100000002,
                OTHER_VALUE("CCSIDR_EL1[L1 instruction]", "0x100000002", "0x2",
                            "bits [35:32] 0x1 -> 0x0"));
    check_value("arm.id-aa64mmfr3-el1", 0x101,
                OTHER_VALUE("ID_AA64MMFR3_EL1", "0x101", "0x0",
                            "TCRX 1 -> 0, S1PIE 1 -> 0"));
    fake_kvm_assert_same(fake, before, true);
    assert_contract(on_6_12, ARRAY_SIZE(on_6_12));
}

/* No profile makes another CPU. */
static void test_accept_hardware(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_add(fake, &(FakeRegister) { FAKE_REVIDR, FAKE_FIXED });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_AIDR, FAKE_FIXED, .value = 1 });
    promise(fake);
    check_value("arm.revidr-el1", 0, NULL);
    check_value("arm.revidr-el1", 0x80,
                OTHER_CPU("REVIDR_EL1", "0x80", "0x0",
                          "bits [63:0] 0x80 -> 0x0"));
    check_value("arm.aidr-el1", 0,
                OTHER_CPU("AIDR_EL1", "0x0", "0x1",
                          "bits [63:0] 0x0 -> 0x1"));
}

/* It says that it takes it, and takes something else. */
static void test_accept_not_kept(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);

    promise(fake);
    fake_kvm_register(fake, FAKE_CLIDR)->ignores = 0x2;
    check_refused("arm.clidr-el1", 0x82000023);
    fake_kvm_assert_same(fake, before, true);
    check_value("arm.clidr-el1", 0x82000021, NULL);
    fake_kvm_assert_same(fake, before, true);
}

/* A kernel takes 0 for PMMIR_EL1, and nothing else afterwards. */
static void test_accept_pmmir(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    fake_kvm_register(fake, FAKE_PMMIR)->kind = FAKE_STATE;
    fake_kvm_register(fake, FAKE_PMMIR)->value = 0x6;
    promise(fake);
    check_value("arm.pmmir-el1", 0x6, NULL);
    check_value("arm.pmmir-el1", 0, NULL);
    check_value("arm.pmmir-el1", 0x5,
                OTHER_VALUE("PMMIR_EL1", "0x5", "0x6", "SLOTS 5 -> 6"));
    g_assert_true(can_be_missing("arm.pmmir-el1"));
    g_assert_cmpuint(fake->sets, ==, 0);
}

/* Newer kernels take a value with such a field, and leave the field out. */
static void test_accept_mistakes(void)
{
    static const struct {
        uint64_t id, field;
        const char *entry;
    } cases[] = {
        { FAKE_PFR0, PFR0_MPAM, "arm.id-aa64pfr0-el1" },
        { FAKE_PFR1, PFR1_MPAM_FRAC, "arm.id-aa64pfr1-el1" },
        { FAKE_MMFR2, MMFR2_NV, "arm.id-aa64mmfr2-el1" },
    };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_add(fake, &(FakeRegister) { FAKE_PFR1 });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_MMFR2 });
    promise(fake);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        FakeRegister *reg = fake_kvm_register(fake, cases[i].id);
        uint64_t value = reg->value;

        reg->kind = FAKE_STATE;
        reg->ignores = cases[i].field | 0xf;
        check_value(cases[i].entry, value ^ cases[i].field, NULL);
        g_assert_cmphex(reg->value, ==, value);
        /* Another one that is left out is a difference. */
        check_refused(cases[i].entry, value ^ cases[i].field ^ 0x1);
        g_assert_cmphex(reg->value, ==, value);
    }
}

static void test_accept_running(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_register(fake, FAKE_MIDR)->kind = FAKE_STATE;
    promise(fake);
    fake_vm_is_running = true;
    check_value("arm.clidr-el1", 0x02000023,
                OTHER_REGISTER("CLIDR_EL1", "0x2000023", "0x2000021", RUNS,
                               "Ctype1 3 -> 1", PROFILE));
    check_value("arm.id-aa64dfr0-el1", 0x10305406,
                OTHER_REGISTER("ID_AA64DFR0_EL1", "0x10305406", "0x10305408",
                               RUNS, "DebugVer 6 -> 8", PROFILE));
    check_value("arm.midr-el1", 0x414fd0c0,
                OTHER_REGISTER("MIDR_EL1", "0x414fd0c0", "0x414fd0c1", RUNS,
                               "Revision 0 -> 1", SAME_CPU));
    check_value("arm.clidr-el1", 0x02000021, NULL);
    g_assert_cmpuint(fake->sets, ==, 0);

    fake_vm_is_running = false;
    check_value("arm.clidr-el1", 0x02000023, NULL);
}

/* A VM that is stopped, as before loadvm: the kernel decides. */
static void test_accept_has_run(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);

    promise(fake);
    fake->has_run = true;
    check_refused("arm.id-aa64dfr0-el1", 0x10305406);
    check_value("arm.id-aa64dfr0-el1", 0x10305408, NULL);
    check_value("arm.clidr-el1", 0x82000023, NULL);
    fake_kvm_assert_same(fake, before, true);
}

#define UNSAFE(number, came, here) \
    "guest-abi: incoming VM was told that SMCCC_ARCH_WORKAROUND_" number \
    " is " came ", on this host it is " here "; use a host whose CPU and " \
    "kernel are as safe as the source's"

static void test_levels(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    promise(fake);
    check_value("arm.smccc-arch-workaround-1", 0, NULL);
    check_value("arm.smccc-arch-workaround-1", 2, NULL);
    check_value("arm.smccc-arch-workaround-1", 3,
                UNSAFE("1", "'unheard of' [3]", "'not required' [2]"));
    check_value("arm.smccc-arch-workaround-2", 3,
                UNSAFE("2", "'not required' [3]", "'not available' [0]"));
    check_value("arm.smccc-arch-workaround-2", 2,
                UNSAFE("2", "'available' [2]", "'not available' [0]"));
    check_value("arm.smccc-arch-workaround-2", 1,
                UNSAFE("2", "'unknown' [1]", "'not available' [0]"));
    check_value("arm.smccc-arch-workaround-3", 1, NULL);
    check_value("arm.smccc-arch-workaround-3", 2,
                UNSAFE("3", "'not required' [2]", "'available' [1]"));
    check_value("arm.smccc-arch-workaround-3", UINT64_MAX,
                UNSAFE("3", "'unheard of' [18446744073709551615]",
                       "'available' [1]"));
    g_assert_cmpuint(fake->sets, ==, 0);
}

static void test_unknown_levels(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_FIRMWARE(4), FAKE_LEVEL, .value = 2,
    });
    promise(fake);
    check_value("arm.firmware-register-4", 0, NULL);
    check_value("arm.firmware-register-4", 2, NULL);
    check_value("arm.firmware-register-4", 3, "guest-abi: incoming VM has "
                "'arm.firmware-register-4' = 3, on this host it is 2; use a "
                "host whose CPU and kernel give as much as the source's");
    g_assert_true(can_be_missing("arm.firmware-register-4"));
    /* One that this kernel has not heard of */
    check_value("arm.firmware-register-5", 0, NULL);
    check_refused("arm.firmware-register-5", 1);
    g_assert_cmpuint(fake->sets, ==, 0);
}

#define DISCOVERY(came, here) \
    "guest-abi: incoming VM " came ", on this host it " here \
    " (SMCCC_ARCH_FEATURES of PV_TIME_FEATURES, which kernels before Linux " \
    "5.19 always answer); use a host with a kernel like the source's, or " \
    "start the VM anew"

static void test_discovery_6_1(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_1);

    promise(fake);
    check_value("arm.pv-time-discovery", 0, NULL);
    check_value("arm.pv-time-discovery", 1,
                DISCOVERY("discovers hvc service 'pv-time' but cannot use it",
                          "would not"));
}

static void test_discovery_5_10(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_5_10);

    promise(fake);
    check_value("arm.pv-time-discovery", 1, NULL);
    check_value("arm.pv-time-discovery", 0,
                DISCOVERY("does not discover hvc service 'pv-time'",
                          "would"));
}

/* What did not come */
static void test_missing(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);

    promise(fake);
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        /* Neither of them can be 0, and nothing is promised by the caches. */
        bool fits = strcmp(definition->name, "arm.midr-el1") &&
                    strcmp(definition->name, "arm.ctr-el0");

        g_test_message("%s", definition->name);
        g_assert_true(can_be_missing(definition->name) == fits);
        fake_kvm_assert_same(fake, before, true);
    }
}

/* Loading */

/* One misfit's text can be among those of others; NULL: there is none. */
static void assert_says(const char *text, const char *misfit)
{
    if (!misfit) {
        g_assert_cmpstr(text, ==, NULL);
    } else {
        misfit += g_str_has_prefix(misfit, PREFIX) ? strlen(PREFIX) : 0;
        g_test_message("%s", text);
        g_assert_nonnull(strstr(text, misfit));
    }
}

static void check_load(GByteArray *section, const char *refusal)
{
    uint8_t footer = CONTRACT_FOOTER;
    g_auto(Loading) loading = { };

    g_byte_array_append(section, &footer, 1);
    loading = contract_load(section->data, section->len, 1);
    g_byte_array_set_size(section, section->len - 1);
    assert_says(loading.refusal, refusal);
    g_assert_true(loading.loaded == !refusal);
}

static void check_saved(const GuestAbiValue *values, unsigned count)
{
    g_autoptr(GByteArray) saved = contract_save();
    g_autoptr(GByteArray) expected = contract_section(values, count);

    g_assert_cmpmem(saved->data, saved->len, expected->data, expected->len);
}

#define LOAD(values, refusal) do {                                      \
        g_autoptr(GByteArray) section = contract_section(values,              \
                                                   ARRAY_SIZE(values)); \
        check_load(section, refusal);                                   \
    } while (0)

/* What came is what the guest has from now on, also for the next host. */
static void test_adopt(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);
    GuestAbiValue levels[ARRAY_SIZE(on_6_1)];

    guest_abi_migrate();
    promise(fake);
    check_saved(on_6_12, ARRAY_SIZE(on_6_12));

    /* A guest that was told level 1 keeps it where there is level 2. */
    memcpy(levels, on_6_1, sizeof(levels));
    levels[1].value = 1;
    LOAD(levels, NULL);
    assert_contract(levels, ARRAY_SIZE(levels));
    check_saved(levels, ARRAY_SIZE(levels));
    /* The registers themselves come with the vCPUs. */
    fake_kvm_assert_same(fake, before, true);

    /* And back again: a cache is gone, but its register can be taken on */
    LOAD(on_6_12, NULL);
    assert_contract(on_6_12, ARRAY_SIZE(on_6_12));
    check_saved(on_6_12, ARRAY_SIZE(on_6_12));
    LOAD(on_6_1, NULL);
    check_saved(on_6_1, ARRAY_SIZE(on_6_1));
}

/* What did not come is 0; of a cache it says that there is none. */
static void test_adopt_missing(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    FakeRegister reserved = {
        .id = 0x603000000013c03d, /* S3_0_C0_C7_5 */
        .kind = FAKE_ID,
        .value = 0x6,
        .limit = 0x6,
    };
    GuestAbiValue values[ARRAY_SIZE(on_6_12)];
    unsigned n = 0;

    guest_abi_migrate();
    fake_kvm_add(fake, &reserved);
    promise(fake);
    g_assert_cmphex(promised("arm.s3-0-c0-c7-5"), ==, 0x6);
    for (unsigned i = 0; i < ARRAY_SIZE(on_6_12); i++) {
        if (!g_str_has_prefix(on_6_12[i].name, "arm.clidr") &&
            !g_str_has_prefix(on_6_12[i].name, "arm.ccsidr") &&
            !g_str_has_prefix(on_6_12[i].name, "arm.id-aa64dfr0")) {
            values[n++] = on_6_12[i];
        }
    }
    g_assert_cmpuint(n, ==, ARRAY_SIZE(on_6_12) - 4);
    {
        g_autoptr(GByteArray) section = contract_section(values, n);

        check_load(section, NULL);
    }
    g_assert_cmphex(promised("arm.s3-0-c0-c7-5"), ==, 0);
    g_assert_cmphex(promised("arm.pmmir-el1"), ==, 0);
    g_assert_cmphex(promised("arm.clidr-el1"), ==, 0);
    g_assert_cmphex(promised("arm.id-aa64dfr0-el1"), ==, 0);
    g_assert_cmphex(promised("arm.midr-el1"), ==, 0x414fd0c1);
    g_assert_false(guest_abi_is_needed(
        guest_abi_definition_by_name("arm.ccsidr-el1.l2-data")));
}

/* A contract that is refused leaves this one as it was. */
static void test_adopt_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);
    GuestAbiValue values[ARRAY_SIZE(on_6_1)];

    guest_abi_migrate();
    promise(fake);
    memcpy(values, on_6_1, sizeof(values));
    values[ARRAY_SIZE(values) - 1].value = 0x0;
    LOAD(values, OTHER_VALUE("CCSIDR_EL1[L2 data]", "0x0", "0x2",
                             "LineSize 0 -> 2"));
    assert_contract(on_6_12, ARRAY_SIZE(on_6_12));
    fake_kvm_assert_same(fake, before, true);
}

/* CLIDR_EL1 is named before the caches, which differ as well. */
static void test_clidr_first(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_1);
    GuestAbiValue values[ARRAY_SIZE(on_6_12)];

    guest_abi_migrate();
    promise(fake);
    memcpy(values, on_6_12, sizeof(values));
    values[6].value = 0x10305406;
    LOAD(values, OTHER_VALUE("CLIDR_EL1", "0x2000021", "0x82000023",
                             "Ctype1 1 -> 3, ICB 0 -> 2"));
}

/* What comes with a vCPU */

/* As a profile makes them */
static void have_caches_of_6_1(FakeKvm *fake)
{
    fake_kvm_register(fake, FAKE_CLIDR)->value = 0x82000023;
    fake_kvm_register(fake, FAKE_CCSIDR(0))->value = 0x701fe01a;
    fake_kvm_register(fake, FAKE_CCSIDR(1))->value = 0x201fe01a;
    fake_kvm_register(fake, FAKE_CCSIDR(2))->value = 0x70ffe03a;
}

/* As KVM_ARM_VCPU_INIT of some kernels does */
static void forget_caches(FakeKvm *fake)
{
    fake_kvm_register(fake, FAKE_CLIDR)->value = 0x02000021;
    for (unsigned csselr = 0; csselr < 14; csselr++) {
        fake_kvm_register(fake, FAKE_CCSIDR(csselr))->value = 2;
    }
}

/* One register of a vCPU; what it is to be, or why it is refused */
static void check_register(const FakeKvm *fake, uint64_t id, uint64_t came,
                           uint64_t becomes, const char *refusal)
{
    /* Registers before and after, that are none of its business */
    const uint64_t ids[] = { FAKE_X0, id, FAKE_MPIDR };
    uint64_t values[] = { 0x99, came, 0x80000001, 0x77 };
    Error *err = NULL;
    bool ok = hvc_kvm_check_registers(&fake->kvm, ids, values, ARRAY_SIZE(ids),
                                      &err);

    g_test_message("0x%" PRIx64 " = 0x%" PRIx64, id, came);
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    error_free(err);
    g_assert_cmphex(values[0], ==, 0x99);
    g_assert_cmphex(values[1], ==, becomes);
    g_assert_cmphex(values[2], ==, 0x80000001);
    g_assert_cmphex(values[3], ==, 0x77);
}

static void check_kept(const FakeKvm *fake, uint64_t id, uint64_t came)
{
    check_register(fake, id, came, came, NULL);
}

#define DAMAGED(name, came, promised) \
    "guest-abi: a vCPU of the incoming VM has " name " = " came ", its " \
    "contract has " promised "; the stream is damaged"

/* All of a vCPU at once, as on 6.12; NULL: as it is promised */
static void check_vcpu(const FakeKvm *came, const FakeKvm *becomes,
                       const char *refusal)
{
    unsigned count = came->registers->len;
    g_autofree uint64_t *ids = g_new(uint64_t, count);
    g_autofree uint64_t *values = g_new(uint64_t, count);
    Error *err = NULL;
    bool ok;

    for (unsigned i = 0; i < count; i++) {
        FakeRegister *reg = &g_array_index(came->registers, FakeRegister, i);

        ids[i] = reg->id;
        values[i] = reg->value;
    }
    ok = hvc_kvm_check_registers(&came->kvm, ids, values, count, &err);
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    error_free(err);
    for (unsigned i = 0; ok && i < count; i++) {
        g_test_message("0x%" PRIx64, ids[i]);
        g_assert_cmphex(values[i], ==, fake_kvm_value(becomes, ids[i]));
    }
}

static void test_vcpu(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) came = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) becomes = fake_kvm_new(FAKE_6_12);

    have_caches_of_6_1(fake);
    have_caches_of_6_1(came);
    have_caches_of_6_1(becomes);
    promise(fake);
    check_vcpu(came, becomes, NULL);

    /* The caches were forgotten; those that do not exist do not count. */
    forget_caches(came);
    fake_kvm_register(came, FAKE_CCSIDR(3))->value = 7;
    fake_kvm_register(becomes, FAKE_CCSIDR(3))->value = 7;
    check_vcpu(came, becomes, NULL);

    fake_kvm_register(came, FAKE_DFR0)->value = 0x10305406;
    check_vcpu(came, NULL, DAMAGED("ID_AA64DFR0_EL1", "0x10305406",
                                   "0x10305408"));
    /* The registers of this vCPU have not been touched. */
    g_assert_cmpuint(fake->sets, ==, 0);
    g_assert_cmpuint(came->sets, ==, 0);
}

/* What the guest has is what came with the contract. */
static void test_vcpu_adopted(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) came = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) becomes = fake_kvm_new(FAKE_6_12);

    guest_abi_migrate();
    promise(fake);
    LOAD(on_6_1, NULL);
    check_vcpu(came, NULL, DAMAGED("ID_AA64DFR0_EL1", "0x10305408",
                                   "0x10305406"));
    fake_kvm_register(came, FAKE_DFR0)->value = 0x10305406;
    fake_kvm_register(becomes, FAKE_DFR0)->value = 0x10305406;
    have_caches_of_6_1(becomes);
    check_vcpu(came, becomes, NULL);
}

static void test_vcpu_registers(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    fake_kvm_add(fake, &(FakeRegister) { FAKE_PFR1, .value = 0x20 });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_MMFR2, .value = 0x1011 });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_FIRMWARE(4), .value = 1 });
    have_caches_of_6_1(fake);
    promise(fake);

    check_kept(fake, FAKE_MIDR, 0x414fd0c1);
    check_register(fake, FAKE_MIDR, 0, 0,
                   DAMAGED("MIDR_EL1", "0x0", "0x414fd0c1"));
    check_register(fake, FAKE_CTR, 0x8444c004, 0x8444c004,
                   DAMAGED("CTR_EL0", "0x8444c004", "0x9444c004"));
    check_register(fake, FAKE_PMMIR, 6, 6, DAMAGED("PMMIR_EL1", "0x6", "0x0"));
    check_register(fake, FAKE_MMFR3, 1, 1, DAMAGED("ID_AA64MMFR3_EL1", "0x1",
                                             "0x0"));

    check_register(fake, FAKE_CLIDR, 0x02000021, 0x82000023, NULL);
    check_register(fake, FAKE_CLIDR, 0, 0x82000023, NULL);
    check_register(fake, FAKE_CCSIDR(0), 2, 0x701fe01a, NULL);
    check_register(fake, FAKE_CCSIDR(1), 2, 0x201fe01a, NULL);
    check_register(fake, FAKE_CCSIDR(2), 0, 0x70ffe03a, NULL);
    /* No such cache */
    check_kept(fake, FAKE_CCSIDR(3), 0x701fe01a);
    check_kept(fake, FAKE_CCSIDR(13), 0);

    /* Fields shown by mistake, and their neighbours */
    check_register(fake, FAKE_PFR0, 0x1100000011110112 ^ PFR0_MPAM,
                   0x1100000011110112, NULL);
    check_register(fake, FAKE_PFR1, 0x20 ^ PFR1_MPAM_FRAC, 0x20, NULL);
    check_register(fake, FAKE_MMFR2, 0x1011 ^ MMFR2_NV, 0x1011, NULL);
    fake_kvm_register(fake, FAKE_MMFR2)->get_errno = EIO;
    check_kept(fake, FAKE_MMFR2, 0x1011 ^ MMFR2_NV);
    fake_kvm_register(fake, FAKE_MMFR2)->get_errno = 0;
    check_register(fake, FAKE_PFR0, 0x1100008011110112, 0x1100008011110112,
                   DAMAGED("ID_AA64PFR0_EL1", "0x1100008011110112",
                           "0x1100000011110112"));
    check_register(fake, FAKE_PFR1, 0x100020, 0x100020,
                   DAMAGED("ID_AA64PFR1_EL1", "0x100020", "0x20"));
    check_register(fake, FAKE_MMFR2, 0x10001011, 0x10001011,
                   DAMAGED("ID_AA64MMFR2_EL1", "0x10001011", "0x1011"));

    /* What is no description of the CPU, and what nobody has promised */
    check_kept(fake, FAKE_OSLSR, 0xa);
    check_kept(fake, FAKE_CNTPCT, 1);
    check_kept(fake, FAKE_PSCI_VERSION, 0x2);
    check_kept(fake, FAKE_WORKAROUND_1, 0);
    check_kept(fake, FAKE_FIRMWARE(4), 0);
    check_kept(fake, FAKE_STD, 0);
    check_kept(fake, 0, 1);
    check_kept(fake, 0x603000000013c03d, 0x11); /* S3_0_C0_C7_5 */
    g_assert_true(hvc_kvm_check_registers(&fake->kvm, NULL, NULL, 0,
                                          &error_abort));
}

/* What the kernel refuses after all has a name. */
static void test_set_registers(void)
{
    const uint64_t ids[] = { FAKE_CLIDR, FAKE_MMFR3, FAKE_DFR0 };
    const uint64_t values[] = { 0x02000023, 0x101, 0x10305406 };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    Error *err = NULL;

    g_assert_false(hvc_kvm_set_registers(&fake->kvm, ids, values,
                                         ARRAY_SIZE(ids), &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "guest-abi: incoming VM has "
                    "ID_AA64MMFR3_EL1 = 0x101 [0x603000000013c03b], this VM "
                    "has 0x0 and its kernel takes no other value: Invalid "
                    "argument (TCRX 1 -> 0, S1PIE 1 -> 0); use a host like the "
                    "source");
    error_free(err);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_CLIDR), ==, 0x02000023);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_DFR0), ==, 0x10305408);

    g_assert_true(hvc_kvm_set_registers(&fake->kvm, ids, values, 1,
                                        &error_abort));
}

/* No cache is in CLIDR_EL1: none of their registers counts. */
static void test_vcpu_no_cache(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_register(fake, FAKE_CLIDR)->value = 0;
    promise(fake);
    check_kept(fake, FAKE_CCSIDR(0), 7);
    check_kept(fake, FAKE_CCSIDR(1), 7);
    check_register(fake, FAKE_CLIDR, 0x02000021, 0, NULL);
}

#ifdef CONFIG_TRACE_LOG
/* What is replaced is traced, see tests. */
static void test_vcpu_traced(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    have_caches_of_6_1(fake);
    promise(fake);
    g_assert_true(trace_init_backends());
    trace_enable_events("hvc_kvm_forgotten");
    g_assert_true(qemu_set_log(LOG_TRACE, &error_abort));
    check_kept(fake, FAKE_CCSIDR(0), 0x701fe01a);
    check_register(fake, FAKE_CLIDR, 0x02000021, 0x82000023, NULL);
}
#endif

/* Restoring */

static void test_restore(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);

    have_caches_of_6_1(fake);
    have_caches_of_6_1(before);
    promise(fake);
    /* Nothing has changed: nothing is written, state is not looked at. */
    fake_kvm_register(fake, FAKE_X0)->value = 1;
    fake_kvm_register(fake, FAKE_MPIDR)->value = 1;
    g_assert_true(hvc_kvm_restore(&fake->kvm, &error_abort));
    g_assert_cmpuint(fake->sets, ==, 0);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_X0), ==, 1);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_MPIDR), ==, 1);
    fake_kvm_register(fake, FAKE_X0)->value = 0x1234;
    fake_kvm_register(fake, FAKE_MPIDR)->value = 0x80000000;

    fake->has_run = true;
    forget_caches(fake);
    g_assert_true(hvc_kvm_restore(&fake->kvm, &error_abort));
    g_assert_cmpuint(fake->sets, ==, 4);
    fake_kvm_assert_same(fake, before, true);
}

/* Caches that the guest has not are left as they are. */
static void test_restore_no_cache(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    promise(fake);
    for (unsigned csselr = 0; csselr < 14; csselr++) {
        fake_kvm_register(fake, FAKE_CCSIDR(csselr))->value = 7;
    }
    g_assert_true(hvc_kvm_restore(&fake->kvm, &error_abort));
    for (unsigned csselr = 0; csselr < 14; csselr++) {
        g_assert_cmphex(fake_kvm_value(fake, FAKE_CCSIDR(csselr)), ==,
                        csselr == 1 || csselr == 2 ? 2 : 7);
    }
}

/* After a migration the guest's values count, on every vCPU. */
static void test_restore_adopted(void)
{
    g_autoptr(FakeKvm) first = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) second = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) expected = fake_kvm_new(FAKE_6_12);

    guest_abi_migrate();
    promise(first);
    LOAD(on_6_1, NULL);
    g_assert_true(hvc_kvm_restore(&second->kvm, &error_abort));
    fake_kvm_assert_same(first, expected, true);
    fake_kvm_register(expected, FAKE_DFR0)->value = 0x10305406;
    have_caches_of_6_1(expected);
    fake_kvm_assert_same(second, expected, true);
}

static void check_no_restore(FakeKvm *fake, const char *refusal)
{
    Error *err = NULL;

    g_assert_false(hvc_kvm_restore(&fake->kvm, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, refusal);
    error_free(err);
}

static void test_restore_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    promise(fake);
    fake_kvm_register(fake, FAKE_CLIDR)->value = 0x82000023;
    fake_kvm_register(fake, FAKE_CLIDR)->kind = FAKE_FIXED;
    check_no_restore(fake, "guest-abi: CLIDR_EL1 was 0x2000021 before the "
                     "reset, is 0x82000023 now, and the kernel does not take it "
                     "back: Invalid argument");

    fake->has_run = true;
    fake_kvm_register(fake, FAKE_DFR0)->value = 0x10305406;
    check_no_restore(fake, "guest-abi: ID_AA64DFR0_EL1 was 0x10305408 before "
                     "the reset, is 0x10305406 now, and the kernel does not "
                     "take it back: Device or resource busy");

    fake_kvm_register(fake, FAKE_DFR0)->get_errno = EIO;
    check_no_restore(fake, "guest-abi: ID_AA64DFR0_EL1 was 0x10305408 before "
                     "the reset, is 0x0 now, and the kernel does not take it "
                     "back: Input/output error");
}

#define CLIDR_NOT_BACK(now, reason) \
    "guest-abi: CLIDR_EL1 was 0x2000021 before the reset, is " now " now, " \
    "and the kernel does not take it back: " reason

/* It says that it takes it, and does not: the guest would see it. */
static void test_restore_not_kept(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    FakeRegister *clidr = fake_kvm_register(fake, FAKE_CLIDR);

    promise(fake);
    clidr->value = 0x82000023;
    clidr->ignores = UINT64_MAX;
    check_no_restore(fake, CLIDR_NOT_BACK("0x82000023",
                                          "it kept another value"));
    clidr->ignores = 0x2;
    check_no_restore(fake, CLIDR_NOT_BACK("0x2000023",
                                          "it kept another value"));

    /* Nor is it believed where it cannot be asked. */
    clidr->ignores = 0;
    clidr->reread_errno = EIO;
    check_no_restore(fake, CLIDR_NOT_BACK("0x2000023", "Input/output error"));
}

/* A kernel that has learned not to show a field does not show it again. */
static void test_restore_mistakes(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    FakeRegister *pfr0 = fake_kvm_register(fake, FAKE_PFR0);

    pfr0->limit |= PFR0_MPAM;
    pfr0->value |= PFR0_MPAM;
    promise(fake);
    pfr0->value &= ~PFR0_MPAM;
    g_assert_true(hvc_kvm_restore(&fake->kvm, &error_abort));
    g_assert_cmpuint(fake->sets, ==, 0);

    pfr0->ignores = PFR0_MPAM;
    pfr0->value = 0;
    g_assert_true(hvc_kvm_restore(&fake->kvm, &error_abort));
    g_assert_cmphex(pfr0->value, ==, 0x1100000011110112);
}

/* From each kernel to each other one, as the contract has it */

/**
 * Journey: a VM is made on one kernel and goes to another
 * @from, @to: the kernels
 * @profile: both sides are made with the profile of 6.1
 */
typedef struct Journey {
    FakeKernel from, to;
    bool profile;
} Journey;

static char *path_of(const char *what, FakeKernel kernel, bool profile)
{
    g_autofree char *name = g_strdup_printf("%s-%s%s", what,
                                            fake_kvm_name(kernel),
                                            profile ? "-profile" : "");

    return g_build_filename(g_getenv(DIR_VARIABLE), name, NULL);
}

static FakeKvm *new_vm(FakeKernel kernel, bool with_profile)
{
    FakeKvm *fake = fake_kvm_new(kernel);

    if (with_profile) {
        g_autofree char *file = path_of("query", FAKE_6_1, false);
        g_autoptr(HvcKvmProfile) profile = hvc_kvm_profile_load(file,
                                                                &error_abort);

        g_assert_true(hvc_kvm_profile_apply(profile, &fake->kvm,
                                            &error_abort));
        promise(fake);
        g_assert_true(hvc_kvm_profile_check(profile, &error_abort));
    } else {
        promise(fake);
    }
    guest_abi_migrate();
    return fake;
}

/* What query-guest-abi answers, as a monitor shows it */
static void write_query(const char *file)
{
    g_autoptr(GuestAbiContract) contract = qmp_query_guest_abi(&error_abort);
    QObject *object;
    Visitor *visitor = qobject_output_visitor_new(&object);
    g_autoptr(GString) json = NULL;
    g_autofree char *reply = NULL;

    visit_type_GuestAbiContract(visitor, NULL, &contract, &error_abort);
    visit_complete(visitor, &object);
    visit_free(visitor);
    json = qobject_to_json_pretty(object, true);
    qobject_unref(object);
    reply = g_strdup_printf("{\"return\": %s}\n", json->str);
    g_assert_true(g_file_set_contents(file, reply, -1, NULL));
}

static void test_source(gconstpointer data)
{
    const Journey *journey = data;
    g_autofree char *query = path_of("query", journey->from, journey->profile);
    g_autofree char *file = path_of("section", journey->from,
                                    journey->profile);
    g_autoptr(FakeKvm) fake = new_vm(journey->from, journey->profile);
    g_autoptr(GByteArray) section = contract_save();

    write_query(query);
    g_assert_true(g_file_set_contents(file, (const char *)section->data,
                                      section->len, NULL));
}

/* Columns: 5.10, 5.15, 6.1, 6.12, 6.16, 7.3; see obstacles */
static const char *const goes[FAKE_KERNELS] = {
    "yypppp",
    "yypppp",
    "ppyyyy",
    "ppdyyy",
    "ppdyyy",
    "ppdyyy",
};

static const struct {
    char letter;
    const char *refusal;
} obstacles[] = {
    { 'y', NULL },
    { 'p', "hvc service 'pv-time'" },
    { 'd', OTHER_VALUE("ID_AA64DFR0_EL1", "0x10305408", "0x10305406",
                       "DebugVer 8 -> 6") },
};

static void check_arrival(const Journey *journey, const Loading *loading)
{
    char letter = goes[journey->from][journey->to];
    unsigned i = 0;

    g_test_message("%s", loading->refusal);
    while (!journey->profile && obstacles[i].letter != letter) {
        i++;
        g_assert_cmpuint(i, <, ARRAY_SIZE(obstacles));
    }
    g_assert_true(loading->loaded == !obstacles[i].refusal);
    assert_says(loading->refusal, obstacles[i].refusal);
}

static void test_destination(gconstpointer data)
{
    const Journey *journey = data;
    g_autofree char *file = path_of("section", journey->from,
                                    journey->profile);
    g_autofree char *content = NULL;
    g_autoptr(FakeKvm) fake = new_vm(journey->to, journey->profile);
    g_autoptr(FakeKvm) before = fake_kvm_new(journey->to);
    g_autoptr(GByteArray) section = g_byte_array_new();
    g_auto(Loading) loading = { };
    uint8_t footer = CONTRACT_FOOTER;
    gsize size;

    g_assert_true(g_file_get_contents(file, &content, &size, NULL));
    g_byte_array_append(section, (uint8_t *)content, size);
    g_byte_array_append(section, &footer, 1);
    loading = contract_load(section->data, section->len, 1);
    check_arrival(journey, &loading);
    if (loading.loaded) {
        /* The next host hears of the same, but for what is 0. */
        g_autoptr(GByteArray) saved = contract_save();

        g_autoptr(GuestAbiIncoming) came = guest_abi_incoming_from_section(
            (uint8_t *)content + 4, size - 4, &error_abort);
        g_autoptr(GuestAbiIncoming) goes_on = guest_abi_incoming_from_section(
            saved->data + 4, saved->len - 4, &error_abort);

        for (unsigned i = 0; i < guest_abi_incoming_count(goes_on); i++) {
            const GuestAbiValue *now = guest_abi_incoming_entry(goes_on, i);
            const GuestAbiValue *then = guest_abi_incoming_value(came,
                                                                 now->name);

            g_test_message("%s", now->name);
            g_assert_cmphex(now->value, ==, then ? then->value : 0);
        }
    }
    if (!journey->profile) {
        fake_kvm_assert_same(fake, before, true);
    }
}

static void run_subprocess(const char *path)
{
    g_test_message("%s", path);
    g_test_trap_subprocess(path, 0, 0);
    g_test_trap_assert_passed();
}

static char *subprocess_path(const Journey *journey, bool source)
{
    return source
        ? g_strdup_printf("/hvc-kvm-abi/subprocess/source/%s/%d",
                          fake_kvm_name(journey->from), journey->profile)
        : g_strdup_printf("/hvc-kvm-abi/subprocess/destination/%s/%s/%d",
                          fake_kvm_name(journey->from),
                          fake_kvm_name(journey->to), journey->profile);
}

static void add_journeys(void)
{
    for (FakeKernel from = 0; from < FAKE_KERNELS; from++) {
        for (FakeKernel to = 0; to < FAKE_KERNELS; to++) {
            for (int profile = 0; profile < 2; profile++) {
                Journey journey = { from, to, profile };
                g_autofree char *source = subprocess_path(&journey, true);
                g_autofree char *destination = subprocess_path(&journey,
                                                               false);

                if (!to) {
                    g_test_add_data_func_full(
                        source, g_memdup2(&journey, sizeof(journey)),
                        test_source, g_free);
                }
                g_test_add_data_func_full(
                    destination, g_memdup2(&journey, sizeof(journey)),
                    test_destination, g_free);
            }
        }
    }
}

static void run_journeys(bool profile)
{
    FakeKernel oldest = profile ? FAKE_6_1 : FAKE_5_10;

    for (FakeKernel from = oldest; from < FAKE_KERNELS; from++) {
        g_autofree char *source = subprocess_path(
            &(Journey) { from, from, profile }, true);

        run_subprocess(source);
        for (FakeKernel to = oldest; to < FAKE_KERNELS; to++) {
            g_autofree char *destination = subprocess_path(
                &(Journey) { from, to, profile }, false);

            run_subprocess(destination);
        }
    }
}

static void remove_files(const char *dir)
{
    g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
    const char *name;

    while (open && (name = g_dir_read_name(open))) {
        g_autofree char *file = g_build_filename(dir, name, NULL);

        g_unlink(file);
    }
    g_rmdir(dir);
}

static void test_journeys(void)
{
    g_autofree char *dir = g_dir_make_tmp("test-hvc-kvm-abi-XXXXXX", NULL);

    g_assert_nonnull(dir);
    g_setenv(DIR_VARIABLE, dir, true);
    run_journeys(false);
    /* With the profile of 6.1: from each to each */
    run_journeys(true);
    remove_files(dir);
}

/* The other tests, each in a process of its own */

/**
 * Test: a test in a process of its own
 * @path: its name
 * @run: what it does
 * @report: what people are told on the way; NULL: nothing
 */
typedef struct Test {
    const char *path;
    void (*run)(void);
    const char *report;
} Test;

static const Test tests[] = {
    { "/hvc-kvm-abi/promise/5.10", test_promise_5_10 },
    { "/hvc-kvm-abi/promise/5.15", test_promise_5_15 },
    { "/hvc-kvm-abi/promise/6.1", test_promise_6_1 },
    { "/hvc-kvm-abi/promise/6.12", test_promise_6_12 },
    { "/hvc-kvm-abi/promise/6.16", test_promise_6_16 },
    { "/hvc-kvm-abi/promise/7.3", test_promise_7_3 },
    { "/hvc-kvm-abi/promise/words", test_promise_words },
    { "/hvc-kvm-abi/promise/no-workaround", test_promise_no_workaround },
    { "/hvc-kvm-abi/promise/unknown", test_promise_unknown },
    { "/hvc-kvm-abi/promise/caches", test_promise_caches },
    { "/hvc-kvm-abi/promise/no-list", test_promise_no_list },
    { "/hvc-kvm-abi/promise/unreadable-level", test_promise_unreadable_level },
    { "/hvc-kvm-abi/promise/unreadable-unknown",
      test_promise_unreadable_unknown },
    { "/hvc-kvm-abi/promise/unreadable-register",
      test_promise_unreadable_register },
    { "/hvc-kvm-abi/promise/unreadable-cache", test_promise_unreadable_cache },
    { "/hvc-kvm-abi/register-id", test_register_id },
    { "/hvc-kvm-abi/accept/others", test_accept },
    { "/hvc-kvm-abi/accept/refused", test_accept_refused },
    { "/hvc-kvm-abi/accept/hardware", test_accept_hardware },
    { "/hvc-kvm-abi/accept/not-kept", test_accept_not_kept },
    { "/hvc-kvm-abi/accept/pmmir", test_accept_pmmir },
    { "/hvc-kvm-abi/accept/mistakes", test_accept_mistakes,
      "*: warning: guest-abi: incoming VM has ID_AA64PFR0_EL1 = "
      "0x11000f0011110112, here its guest will read 0x1100000011110112 (MPAM "
      "0xf -> 0x0); the source's kernel shows by mistake what no guest has, "
      "this one does not\n*ID_AA64PFR1_EL1 = 0xf0000*(MPAM_frac 0xf -> 0x0)*"
      "ID_AA64MMFR2_EL1 = 0xf000000*(NV 0xf -> 0x0)*\n" },
    { "/hvc-kvm-abi/accept/running", test_accept_running },
    { "/hvc-kvm-abi/accept/has-run", test_accept_has_run },
    { "/hvc-kvm-abi/accept/levels", test_levels },
    { "/hvc-kvm-abi/accept/unknown-levels", test_unknown_levels },
    { "/hvc-kvm-abi/accept/discovery-6.1", test_discovery_6_1 },
    { "/hvc-kvm-abi/accept/discovery-5.10", test_discovery_5_10 },
    { "/hvc-kvm-abi/accept/missing", test_missing },
    { "/hvc-kvm-abi/adopt/both-ways", test_adopt },
    { "/hvc-kvm-abi/adopt/missing", test_adopt_missing },
    { "/hvc-kvm-abi/adopt/refused", test_adopt_refused },
    { "/hvc-kvm-abi/adopt/clidr-first", test_clidr_first },
    { "/hvc-kvm-abi/vcpu/whole", test_vcpu },
    { "/hvc-kvm-abi/vcpu/adopted", test_vcpu_adopted },
    { "/hvc-kvm-abi/vcpu/registers", test_vcpu_registers },
    { "/hvc-kvm-abi/vcpu/no-cache", test_vcpu_no_cache },
#ifdef CONFIG_TRACE_LOG
    { "/hvc-kvm-abi/vcpu/traced", test_vcpu_traced,
      "*hvc_kvm_forgotten CLIDR_EL1: 0x2000021 -> 0x82000023\n" },
#endif
    { "/hvc-kvm-abi/restore/caches", test_restore },
    { "/hvc-kvm-abi/restore/no-cache", test_restore_no_cache },
    { "/hvc-kvm-abi/restore/adopted", test_restore_adopted },
    { "/hvc-kvm-abi/restore/refused", test_restore_refused },
    { "/hvc-kvm-abi/set-registers", test_set_registers },
    { "/hvc-kvm-abi/restore/not-kept", test_restore_not_kept },
    { "/hvc-kvm-abi/restore/mistakes", test_restore_mistakes },
};

static void test_alone(gconstpointer data)
{
    const Test *test = data;

    if (g_test_subprocess()) {
        test->run();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(test->report ?: "");
}

int main(int argc, char **argv)
{
    module_call_init(MODULE_INIT_TRACE);
    contract_loader_init();
    g_test_init(&argc, &argv, NULL);

    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++) {
        g_test_add_data_func(tests[i].path, &tests[i], test_alone);
    }
    add_journeys();
    g_test_add_func("/hvc-kvm-abi/journeys", test_journeys);
    return g_test_run();
}
