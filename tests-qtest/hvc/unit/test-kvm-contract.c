/*
 * Unit tests of what a VM promises its guest on a fake kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-guest-abi.h"
#include "qemu/cutils.h"
#include "qemu/module.h"
#include "migration/qemu-compat.h"
#include "target/arm/hvc/contract-entries.h"
#include "../fake/contract-loader.h"
#include "../fake/fake-vm.h"
#include "contract-util.h"

/* Whether the VM is one that waits for a guest */
static bool is_incoming;

bool runstate_check(RunState state)
{
    return is_incoming && state == RUN_STATE_INMIGRATE;
}

/* The VM itself is not touched. */
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
        { "arm.gic", GUEST_ABI_RULE_EXACT, GUEST_ABI_ORIGIN_OPTION,
          "the kernel's GICv3" },
        { "arm.its", GUEST_ABI_RULE_EXACT, GUEST_ABI_ORIGIN_OPTION, NULL },
        { "arm.smccc-arch-workaround-1", GUEST_ABI_RULE_AT_LEAST,
          GUEST_ABI_ORIGIN_DEFAULT, "not required" },
        { "arm.smccc-arch-workaround-2", GUEST_ABI_RULE_AT_LEAST,
          GUEST_ABI_ORIGIN_DEFAULT, "available" },
        { "arm.smccc-arch-workaround-3", GUEST_ABI_RULE_AT_LEAST,
          GUEST_ABI_ORIGIN_DEFAULT, "unknown to this QEMU" },
        { "arm.midr-el1", GUEST_ABI_RULE_ACCEPTED, GUEST_ABI_ORIGIN_DEFAULT,
          NULL },
        { "arm.id-aa64pfr0-el1", GUEST_ABI_RULE_ACCEPTED,
          GUEST_ABI_ORIGIN_DEFAULT, NULL },
    };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(GuestAbiContract) contract = NULL;
    const GuestAbiEntryList *e;

    fake_kvm_register(fake, FAKE_WORKAROUND_2)->value = 2;
    fake_kvm_register(fake, FAKE_WORKAROUND_3)->value = 3;
    promise(fake);
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
        { "arm.gic", 0x103 },
        { "arm.its", 0 },
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
    values[10].value = fake_kvm_value(fake, FAKE_CLIDR);
    pstrcpy(values[12].name, sizeof(values[12].name),
            "arm.ccsidr-el1.l1-data");
    pstrcpy(values[13].name, sizeof(values[13].name),
            "arm.ccsidr-el1.l7-data");
    assert_contract(values, ARRAY_SIZE(values));
}

/* No contract is added, and no VM is left, if one cannot be kept. */
static void check_no_promise(HvcVm *vm, const char *refusal)
{
    Error *err = NULL;

    g_assert_false(hvc_kvm_promise(vm, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, refusal);
    error_free(err);
    g_assert_null(hvc_vm);
    g_assert_null(guest_abi_definition(0));
}

static void test_promise_unreadable(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(HvcVm) vm = contract_vm_new(fake);

    fake_kvm_register(fake, FAKE_WORKAROUND_2)->get_errno = EIO;
    check_no_promise(vm, "cannot read this host's SMCCC_ARCH_WORKAROUND_2 "
                     "[0x6030000000140002]: Input/output error");
    fake->create_errno = ENOMEM;
    check_no_promise(vm, "this host's kernel makes no second VM like this one, "
                     "which is needed to learn what its guest reads: no VM: "
                     "Cannot allocate memory");
}

/* Issue 12, 1: the contract is what the first run leaves. */
static void test_promise_first_run(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcVm *vm = contract_vm_new(fake);

    vm->recipe.gic_version = 2;
    vm->recipe.gic = 0;
    g_assert_true(hvc_kvm_promise(vm, &error_abort));
    g_assert_cmphex(promised("arm.id-aa64pfr0-el1"), ==, 0x1100000010110112);
    g_assert_cmphex(promised("arm.gic"), ==, 0x2);
    /* What a GICv3 in the kernel had: QEMU's is not it. */
    check_value("arm.id-aa64pfr0-el1", 0x1100000011110112, "guest-abi: "
                "incoming VM has ID_AA64PFR0_EL1 = 0x1100000011110112, this VM "
                "has 0x1100000010110112 and its kernel takes no other value "
                "(GIC 1 -> 0): a VM without a GICv3 of the kernel's has the "
                "field GIC up to Linux 6.11, and not from 6.12 on; start the "
                "VM with -machine gic-version=3,kernel-irqchip=on on both "
                "sides, or use a host with a kernel like the source's");
    check_value("arm.id-aa64pfr0-el1", 0x1100000011110113,
                OTHER_VALUE("ID_AA64PFR0_EL1", "0x1100000011110113",
                            "0x1100000010110112", "EL0 3 -> 2, GIC 1 -> 0"));
    check_value("arm.gic", 0x103, "guest-abi: incoming VM has the kernel's "
                "GICv3, this VM has QEMU's GICv2; start this QEMU with the "
                "source's gic-version and kernel-irqchip");
    check_value("arm.its", 1, "guest-abi: incoming VM has an ITS, this VM has "
                "none; start this QEMU with the source's -machine its=on");
}

#define REVISION(asked, value, has, its) \
    "hvc-services=X: this host's kernel cannot give a guest a GIC of " \
    "revision " asked " (GICD_IIDR = " value "), it has revision " has \
    " (" its "); " \
    "needed: for revision 2 Linux 5.18 or earlier, or one that takes the " \
    "write (6.1, 6.12 and 7.1 of 2026 do), for revision 3 Linux 5.19 or " \
    "later; use another floor"

static void test_gic_revision(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcVm *vm = contract_vm_new(fake);

    fake_kvm_add_gic(fake, FAKE_6_12);
    /* Linux 5.19 until the fix takes the write, and keeps 3. */
    vm->gic_revision = 2;
    fake_kvm_register(fake, FAKE_GICD_IIDR)->ignores = 0xf000;
    check_no_promise(vm, REVISION("2", "0x4b00243b", "3", "0x4b00343b"));
    fake_kvm_register(fake, FAKE_GICD_IIDR)->ignores = 0;
    g_assert_true(hvc_kvm_promise(vm, &error_abort));
    g_assert_cmphex(promised("arm.gicd-iidr"), ==, 0x4b00243b);
    check_value("arm.gicd-iidr", 0x4b00343b, NULL);
    check_value("arm.gicd-iidr", 0x4b00143b, "guest-abi: incoming VM has a GIC "
                "of revision 1 (GICD_IIDR = 0x4b00143b), this VM has revision "
                "3 (0x4b00343b) and its kernel does not take the other one; "
                "use a host with a kernel like the source's, or start the "
                "source VM with the floor of the fleet's oldest kernel");
    check_value("arm.icc-ctlr-el1", 0xcc00, "guest-abi: the GIC of the "
                "incoming VM has ICC_CTLR_EL1 = 0xcc00, here it has 0x8c00 and "
                "takes no other value; use a host with the source's GIC and a "
                "kernel that shows it in the same way");
}

static void test_gic_revision_old(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_5_10);
    HvcVm *vm = contract_vm_new(fake);

    fake_kvm_add_gic(fake, FAKE_5_10);
    vm->gic_revision = 3;
    check_no_promise(vm, REVISION("3", "0x4b00343b", "2", "0x4b00243b"));
    vm->gic_revision = 2;
    g_assert_true(hvc_kvm_promise(vm, &error_abort));
    g_assert_cmphex(promised("arm.gicd-iidr"), ==, 0x4b00243b);
}

/* Target implementation CPUs */

#define OWN_CPU   "Neoverse-N1, 0x414fd0c1/0x55/0x0"
#define OTHER_CPU_TEXT "Cortex-A76, 0x410fd0b1/0x0/0x66"
#define BOTH      "0x410fd0b1/0x0/0x66:0x414fd0c1/0x55/0x0"

static HvcVm *new_mixed_vm(FakeKvm *fake, const char *list)
{
    HvcVm *vm;

    fake_kvm_add(fake, &(FakeRegister) { FAKE_REVIDR, FAKE_FIXED, 0x55 });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_AIDR, FAKE_FIXED, 0 });
    vm = contract_vm_new(fake);
    vm->set = (HvcSet) { { 0, 0, 1, 3 }, 0x10001 };
    vm->tells_implementations = true;
    if (list) {
        hvc_implementations_parse(list, &vm->implementations, &error_abort);
    }
    return vm;
}

/* The guest's own is the first of the list, on each of the CPUs. */
static void test_implementations(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    HvcVm *vm = new_mixed_vm(fake, BOTH);

    vm->recipe.chooses_identity = true;
    g_assert_true(hvc_kvm_promise(vm, &error_abort));
    g_assert_cmphex(promised("arm.midr-el1"), ==, 0x410fd0b1);
    g_assert_cmphex(promised("arm.revidr-el1"), ==, 0);
    g_assert_cmphex(promised("arm.aidr-el1"), ==, 0x66);
    g_assert_cmphex(promised("arm.implementation-cpus"), ==, 2);
    g_assert_cmphex(promised("arm.implementation-cpu-0.midr"), ==, 0x410fd0b1);
    g_assert_cmphex(promised("arm.implementation-cpu-0.aidr"), ==, 0x66);
    g_assert_cmphex(promised("arm.implementation-cpu-1.midr"), ==, 0x414fd0c1);
    g_assert_cmphex(promised("arm.implementation-cpu-1.revidr"), ==, 0x55);
    check_value("arm.implementation-cpus", 2, NULL);
    check_value("arm.implementation-cpus", 3, "guest-abi: incoming VM was told "
                "of 3 CPUs that it may run on, this VM is told of 2; start "
                "this QEMU with the source's implementation-cpus");
    check_value("arm.implementation-cpu-1.revidr", 0x56, "guest-abi: CPU 1 "
                "that the incoming VM was told of has REVIDR_EL1 = 0x56, here "
                "it has 0x55; start this QEMU with the source's "
                "implementation-cpus");
}

/* Entries that this VM's list does not have */
static void test_implementations_unknown(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    HvcVm *vm = new_mixed_vm(fake, BOTH);

    guest_abi_set_refuse_unknown(hvc_implementations_refuse_unknown);
    vm->recipe.chooses_identity = true;
    g_assert_true(hvc_kvm_promise(vm, &error_abort));
    check_value("arm.implementation-cpu-2.midr", 0x410fd490, "guest-abi: "
                "incoming VM was told of CPU 2, with MIDR_EL1 = 0x410fd490, "
                "this VM is told of 2 CPUs; start this QEMU with the source's "
                "implementation-cpus");
    check_value("arm.implementation-cpu-4000000000.aidr", UINT64_MAX,
                "guest-abi: incoming VM was told of CPU 4000000000, with "
                "AIDR_EL1 = 0xffffffffffffffff, this VM is told of 2 CPUs; "
                "start this QEMU with the source's implementation-cpus");
    check_value("arm.implementation-cpu-2.midr", 0, NULL);
    check_value("arm.implementation-cpu-02.midr", 1, "guest-abi: incoming VM "
                "has 'arm.implementation-cpu-02.midr' = 0x1, which this VM "
                "does not know; use a QEMU, a machine type and a host that "
                "have it, or restart the VM on this host");
    /* What no VM can be told: this one's list is not like it. */
    check_value("arm.implementation-cpu-1.midr", 0x1414fd0c1, "guest-abi: CPU "
                "1 that the incoming VM was told of has MIDR_EL1 = "
                "0x1414fd0c1, here it has 0x414fd0c1; start this QEMU with the "
                "source's implementation-cpus");
    check_value("arm.implementation-cpu-1.midr", 0, "guest-abi: CPU 1 that "
                "the incoming VM was told of has MIDR_EL1 = 0x0, here it has "
                "0x414fd0c1; start this QEMU with the source's "
                "implementation-cpus");
}

/* Nobody chose a list: it is this host's CPU, as the kernel has it. */
static void test_implementations_own(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcVm *vm = new_mixed_vm(fake, NULL);

    g_assert_true(hvc_kvm_promise(vm, &error_abort));
    g_assert_cmphex(promised("arm.midr-el1"), ==, 0x414fd0c1);
    g_assert_cmphex(promised("arm.implementation-cpus"), ==, 1);
    g_assert_cmphex(promised("arm.implementation-cpu-0.revidr"), ==, 0x55);
    g_assert_cmpint(guest_abi_definition_by_name("arm.implementation-cpus")
                    ->origin, ==, GUEST_ABI_ORIGIN_DEFAULT);
}

static void test_implementations_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    g_autoptr(FakeKvm) old = fake_kvm_new(FAKE_6_12);
    g_autoptr(HvcVm) not_told = new_mixed_vm(fake,
        "0x410fd0b1/0x0/0x66:0x414fd0c1");
    g_autoptr(HvcVm) not_given = new_mixed_vm(old, BOTH);

    check_no_promise(not_told,
        "hvc-services=X: this host's CPU (" OWN_CPU ") is not one that the "
        "guest is told of, which are "
        "implementation-cpus=0x410fd0b1/0x0/0x66:0x414fd0c1/0x0/0x0; run the "
        "VM on a host with one of these, or add this host's to the list, on "
        "all hosts of the fleet");
    check_no_promise(not_given,
        "hvc-services=X: this host's kernel cannot give a guest the CPU that "
        "is first in implementation-cpus (" OTHER_CPU_TEXT "), it gives its "
        "own (" OWN_CPU "); needed: Linux 6.15 or later; run the VM on such a "
        "host, or on one with that CPU");
}

#define PROFILE_ENTRY(name, value) \
    "{ \"name\": \"arm." name "\", \"value\": " #value " }"
#define PROFILE_REST_OF(ctr, workaround_3) \
    PROFILE_ENTRY("ctr-el0", ctr) ", " \
    PROFILE_ENTRY("smccc-arch-workaround-1", 2) ", " \
    PROFILE_ENTRY("smccc-arch-workaround-3", workaround_3)
#define PROFILE_REST PROFILE_REST_OF(2487533572, 1)
#define PROFILE_OTHER_CPU_OF(ctr, workaround_3) \
    PROFILE_ENTRY("midr-el1", 1091555505) ", " \
    PROFILE_ENTRY("aidr-el1", 102) ", " PROFILE_REST_OF(ctr, workaround_3)
#define PROFILE_OTHER_CPU PROFILE_OTHER_CPU_OF(2487533572, 1)

static HvcKvmProfile *profile_of(const char *entries)
{
    g_autofree char *text = g_strdup_printf(
        "{ \"machine\": \"" FAKE_VM_MACHINE "\", \"migrated\": true, "
        "\"entries\": [ %s ] }", entries);
    g_autofree char *file = NULL;
    HvcKvmProfile *profile;
    int fd = g_file_open_tmp(NULL, &file, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
    close(fd);
    profile = hvc_kvm_profile_load(file, &error_abort);
    unlink(file);
    /* What a refusal says does not depend on the file's name. */
    g_free(profile->file);
    profile->file = g_strdup("FILE");
    return profile;
}

/* The list of the profile is that of a VM whose user has chosen none. */
static void test_implementations_profile(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    HvcVm *vm = new_mixed_vm(fake, NULL);

    vm->recipe.chooses_identity = true;
    vm->profile = profile_of(
        PROFILE_ENTRY("implementation-cpus", 2) ", "
        PROFILE_ENTRY("implementation-cpu-0.midr", 1091555505) ", "
        PROFILE_ENTRY("implementation-cpu-0.aidr", 102) ", "
        PROFILE_ENTRY("implementation-cpu-1.midr", 1095749825) ", "
        PROFILE_ENTRY("implementation-cpu-1.revidr", 85) ", "
        PROFILE_OTHER_CPU);
    g_assert_true(hvc_kvm_promise(vm, &error_abort));
    g_assert_cmphex(promised("arm.midr-el1"), ==, 0x410fd0b1);
    g_assert_cmphex(promised("arm.implementation-cpus"), ==, 2);
    g_assert_cmphex(promised("arm.implementation-cpu-1.revidr"), ==, 0x55);
}

static HvcVm *new_vm_of_profile(FakeKvm *fake, const char *entries)
{
    HvcVm *vm = new_mixed_vm(fake, BOTH);

    vm->recipe.chooses_identity = true;
    vm->profile = profile_of(entries);
    return vm;
}

/* A profile of several CPUs, whose line is shorter than each CPU's */
static HvcVm *new_vm_of_shorter_line(FakeKvm *fake)
{
    return new_vm_of_profile(fake, PROFILE_OTHER_CPU_OF(2487533571, 1));
}

static void test_implementations_profile_ctr(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    HvcVm *vm = new_vm_of_shorter_line(fake);

    fake_kvm_register(fake, FAKE_CTR)->kind = FAKE_STATE;
    g_assert_true(hvc_kvm_promise(vm, &error_abort));
    g_assert_cmphex(promised("arm.ctr-el0"), ==, 0x9444c003);
}

static void test_implementations_profile_ctr_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    g_autoptr(HvcVm) vm = new_vm_of_shorter_line(fake);

    check_no_promise(vm, "guest-abi-profile=FILE has CTR_EL0 = 0x9444c003, "
                     "this host's kernel and CPU have 0x9444c004 and take no "
                     "other value (IminLine 3 -> 4); use the profile of an "
                     "older kernel, made with the -cpu options of this VM");
}

/* On a host that needs a mitigation less than the others of the fleet */
static HvcVm *new_vm_that_was_told_less(FakeKvm *fake)
{
    return new_vm_of_profile(fake, PROFILE_OTHER_CPU_OF(2487533572, 0));
}

static void test_profile_mitigation(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    HvcVm *vm = new_vm_that_was_told_less(fake);

    is_incoming = true;
    g_assert_true(hvc_kvm_promise(vm, &error_abort));
    g_assert_cmphex(promised("arm.smccc-arch-workaround-3"), ==, 1);
    check_value("arm.smccc-arch-workaround-3", 0, NULL);
}

static void test_profile_mitigation_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    g_autoptr(HvcVm) vm = new_vm_that_was_told_less(fake);

    check_no_promise(vm, "guest-abi-profile=FILE has "
                     "'arm.smccc-arch-workaround-3' = 0, this host has 1, "
                     "which cannot be chosen; a VM that is started here could "
                     "not go to hosts with 0; start it on one of these, from "
                     "where it can come here and go home, or leave out the "
                     "profile");
}

static void test_implementations_profile_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    g_autoptr(HvcVm) vm = new_mixed_vm(fake,
        "0x414fd0c1/0x55:0x410fd0b1/0x0/0x66");

    vm->recipe.chooses_identity = true;
    vm->profile = profile_of(PROFILE_OTHER_CPU);
    check_no_promise(vm, "guest-abi-profile=FILE is of a VM whose CPU is "
                     OTHER_CPU_TEXT ", implementation-cpus begins with "
                     OWN_CPU "; put the profile's CPU first, or make the "
                     "profile with this list");
}

/* What no register changes */
static void test_made(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(GuestAbiContract) contract = NULL;

    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_CNTFRQ, FAKE_FIXED, 62500000, .unlisted = true,
    });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_SVE_VLS, FAKE_FIXED, 0x3 });
    promise(fake);
    check_value("arm.cntfrq-el0", 1000000000, "guest-abi: the counter of the "
                "incoming VM runs at 1000000000 Hz (CNTFRQ_EL0), on this host "
                "it runs at 62500000 Hz, and the guest would take its time "
                "from it; use a host whose counter has the source's "
                "frequency");
    check_value("arm.sve-vector-lengths", 0xb, "guest-abi: incoming VM has SVE "
                "vector lengths of 128 256 512 bits, this VM has 128 256; "
                "start the source VM with -cpu host,sve512=off");
    check_value("arm.sve-vector-lengths", 0x1, "guest-abi: incoming VM has SVE "
                "vector lengths of 128 bits, this VM has 128 256; start this "
                "VM with -cpu host,sve256=off");
    check_value("arm.sve-vector-lengths", 0x4, "guest-abi: incoming VM has SVE "
                "vector lengths of 384 bits, this VM has 128 256; start the "
                "source VM with -cpu host,sve=off");
    check_value("arm.sve-vector-lengths", 0, "guest-abi: incoming VM has no "
                "SVE vector lengths, this VM has 128 256; start this VM with "
                "-cpu host,sve=off");
    contract = qmp_query_guest_abi(&error_abort);
    for (GuestAbiEntryList *e = contract->entries; e; e = e->next) {
        if (!strcmp(e->value->name, "arm.sve-vector-lengths")) {
            g_assert_cmpstr(e->value->names->value, ==, "128");
            g_assert_cmpstr(e->value->names->next->value, ==, "256");
            g_assert_null(e->value->names->next->next);
        } else if (!strcmp(e->value->name, "arm.cntfrq-el0")) {
            g_assert_cmpstr(e->value->names->value, ==, "62500000 Hz");
        }
    }
}

/* Accepting */

/* Each is tried on a VM of its own, and the VM itself is not touched. */
static void test_accept(void)
{
    static const GuestAbiValue others[] = {
        { "arm.id-aa64dfr0-el1", 0x10305406 },
        { "arm.id-aa64dfr0-el1", 0 },
        { "arm.id-aa64pfr0-el1", 0x1100000011110111 },
        { "arm.clidr-el1", 0x82000023 },
        { "arm.ccsidr-el1.l1-instruction", 0x201fe01a },
    };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);

    promise(fake);
    fake->has_run = true;
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
        unsigned made = fake->made;

        check_value(others[i].name, others[i].value, NULL);
        g_assert_cmpuint(fake->made, ==, made + 1);
    }
    g_assert_cmpuint(fake->there, ==, 0);
    g_assert_cmpuint(fake->gets, ==, 0);
    g_assert_cmpuint(fake->sets, ==, 0);
    fake_kvm_assert_same(fake, before, true);
    assert_contract(on_6_12, ARRAY_SIZE(on_6_12));
}

static void test_accept_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

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
    check_value("arm.id-aa64mmfr3-el1", 0x101,
                OTHER_VALUE("ID_AA64MMFR3_EL1", "0x101", "0x0",
                            "TCRX 1 -> 0, S1PIE 1 -> 0"));
    assert_contract(on_6_12, ARRAY_SIZE(on_6_12));
}

/* It says that it takes it, and takes something else. */
static void test_accept_not_kept(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    promise(fake);
    fake_kvm_register(fake, FAKE_CLIDR)->ignores = 0x2;
    check_value("arm.clidr-el1", 0x82000023,
                OTHER_VALUE("CLIDR_EL1", "0x82000023", "0x82000021",
                            "Ctype1 3 -> 1"));
    check_value("arm.clidr-el1", 0x82000021, NULL);
    /* Or forgets it as soon as the guest turns a CPU on */
    fake->forgets = FAKE_CLIDR;
    check_value("arm.clidr-el1", 0x82000021,
                OTHER_VALUE("CLIDR_EL1", "0x82000021", "0x2000021",
                            "ICB 2 -> 0"));
}

/* The PMU's counters; a contract without them is one of another VMM's. */
static void test_accept_pmu_counters(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_PMCR, FAKE_PMU, 0x3041, 0x3041,
    });
    promise(fake);
    g_assert_cmphex(promised("arm.pmcr-el0.n"), ==, 6);
    check_value("arm.pmcr-el0.n", 4, NULL);
    check_value("arm.pmcr-el0.n", 20, "guest-abi: the PMU of the incoming VM "
                "has 20 event counters (PMCR_EL0.N), that of this VM has 6 and "
                "its kernel and CPU give it no other number; start the source "
                "VM with guest-abi-profile=FILE, FILE being query-guest-abi of "
                "a VM on this host, or use a host like the source");
    g_assert_true(can_be_missing("arm.pmcr-el0.n"));
    check_value("arm.pmcr-el0.n", 0, NULL);
    /* Linux 6.6 and earlier */
    fake_kvm_register(fake, FAKE_PMCR)->kind = FAKE_STATE;
    fake->forgets = FAKE_PMCR;
    check_value("arm.pmcr-el0.n", 4, "guest-abi: the PMU of the incoming VM "
                "has 4 event counters (PMCR_EL0.N), that of this VM has 6 and "
                "its kernel and CPU give it no other number; use a host with "
                "Linux 6.7 or later, which can take some away, or a host like "
                "the source");
}

#define MMFR3_S1PIE 0x100ULL
#define ISAR2_ATS1A (1ULL << 60)

/* Issue 12, 2: a guest of 6.12 with S1PIE and without ATS1A, on 7.3 */
static void test_accept_dependency(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    g_autoptr(GuestAbiIncoming) incoming = NULL;
    g_autofree char *text = NULL;

    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_ISAR2, FAKE_ID, .value = ISAR2_ATS1A, .limit = ISAR2_ATS1A,
    });
    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_MMFR3, FAKE_ID, .value = MMFR3_S1PIE, .limit = MMFR3_S1PIE,
    });
    promise(fake);
    /* Each of the two registers alone is taken. */
    check_value("arm.id-aa64mmfr3-el1", MMFR3_S1PIE, NULL);
    check_value("arm.id-aa64isar2-el1", 0, NULL);
    incoming = contract_own_but("arm.id-aa64isar2-el1", &(uint64_t) { 0 });
    text = contract_refusal(incoming, "arm.id-aa64mmfr3-el1");
    g_assert_cmpstr(text, ==,
                    OTHER_VALUE("ID_AA64MMFR3_EL1", "0x100", "0x0",
                                "S1PIE 1 -> 0"));
}

/* Newer kernels take a value with such a field, and leave the field out. */
static void test_accept_mistakes(void)
{
    static const struct {
        uint64_t id, field;
        const char *entry;
    } cases[] = {
        { FAKE_PFR0, FAKE_PFR0_MPAM, "arm.id-aa64pfr0-el1" },
        { FAKE_PFR1, FAKE_PFR1_MPAM_FRAC, "arm.id-aa64pfr1-el1" },
        { FAKE_MMFR2, FAKE_MMFR2_NV, "arm.id-aa64mmfr2-el1" },
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
        /* Another one that is left out is a difference. */
        check_refused(cases[i].entry, value ^ cases[i].field ^ 0x1);
    }
}

/* The trial itself can fail. */
static void test_accept_no_trial(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(GuestAbiIncoming) incoming = NULL;
    g_autofree char *text = NULL;

    promise(fake);
    fake->create_errno = ENOSPC;
    incoming = contract_own();
    text = contract_refusal(incoming, "trial");
    g_assert_cmpstr(text, ==, "this host's kernel makes no second VM like this "
                    "one, which is needed to learn what its guest reads: no "
                    "VM: No space left on device");
}

/* The source's list of registers */

static void check_list(const uint64_t *ids, size_t count, const char *refusal)
{
    g_autoptr(GuestAbiIncoming) incoming = guest_abi_incoming_new();
    g_autoptr(GuestAbiIncoming) own = contract_own();
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autofree char *text = NULL;

    for (unsigned i = 0; i < guest_abi_incoming_count(own); i++) {
        const GuestAbiValue *value = guest_abi_incoming_entry(own, i);

        g_assert_true(guest_abi_incoming_add(incoming, value->name,
                                             value->value, &error_abort));
    }
    hvc_list_pack(ids, count, data);
    g_assert_true(guest_abi_incoming_add_part(incoming, HVC_LIST_PART, false,
                                              data->data, data->len,
                                              &error_abort));
    text = contract_refusal(incoming, HVC_LIST_PART);
    g_assert_cmpstr(text, ==, refusal);
}

static void test_list(void)
{
    static const uint64_t timer[] = { FAKE_MIDR, FAKE_CNTPCT, FAKE_CNTP_CTL };
    static const uint64_t cache[] = { FAKE_CCSIDR(0), FAKE_MIDR };
    static const uint64_t other_cache[] = { FAKE_CCSIDR(3), FAKE_MIDR };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_1);

    promise(fake);
    check_list(hvc_vm->ids, hvc_vm->ids_count, NULL);
    g_assert_cmpstr(hvc_vm->late, ==, "");
    /* Their values decide: named, and refused where it would be too late. */
    check_list(timer, ARRAY_SIZE(timer), NULL);
    g_assert_cmpstr(hvc_vm->late, ==, "CNTPCT_EL0, CNTP_CTL_EL0");
    fake_vm_postcopy_advised = true;
    check_list(timer, ARRAY_SIZE(timer), "guest-abi: this host's kernel does "
               "not list registers of the incoming VM, of which only their "
               "values will tell whether the guest needs them: CNTPCT_EL0, "
               "CNTP_CTL_EL0; with postcopy that is too late to go back; "
               "migrate without postcopy-ram, or to a host whose kernel lists "
               "them");
    check_list(hvc_vm->ids, hvc_vm->ids_count, NULL);
    fake_vm_postcopy_advised = false;
    /* The contract decides. */
    check_list(other_cache, ARRAY_SIZE(other_cache), NULL);
    check_list(cache, ARRAY_SIZE(cache), NULL);
    check_list(NULL, 0, NULL);
}

/* It is said when the contract is adopted. */
static void test_list_late(void)
{
    static const uint64_t timer[] = { FAKE_MIDR, FAKE_CNTPCT, FAKE_CNTP_CTL };
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_1);

    promise(fake);
    check_list(timer, ARRAY_SIZE(timer), NULL);
    guest_abi_part_by_name(HVC_LIST_PART)->load(NULL, 0);
    check_list(hvc_vm->ids, hvc_vm->ids_count, NULL);
    guest_abi_part_by_name(HVC_LIST_PART)->load(NULL, 0);
}

/* No firmware, which travels in the contract, and nothing that is not kept */
static void test_list_own(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMCNTENSET });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMCNTENCLR, FAKE_CLEAR });
    promise(fake);
    g_assert_cmpuint(hvc_vm->ids_count, ==, fake->registers->len - 1 - 1 - 7);
    for (size_t i = 0; i < hvc_vm->ids_count; i++) {
        g_assert_true(hvc_list_has(hvc_vm->ids[i]));
    }
    g_assert_true(hvc_has_id(hvc_vm->ids, hvc_vm->ids_count,
                             FAKE_PMCNTENSET));
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
                UNSAFE("1", "'unknown to this QEMU' [3]",
                       "'not required' [2]"));
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
                UNSAFE("3", "'unknown to this QEMU' [18446744073709551615]",
                       "'available' [1]"));
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
    "restart the VM on this host"

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
        /* None of them can be 0, and nothing is promised by the caches. */
        bool fits = strcmp(definition->name, "arm.midr-el1") &&
                    strcmp(definition->name, "arm.gic") &&
                    strcmp(definition->name, "arm.ctr-el0");

        g_test_message("%s", definition->name);
        g_assert_true(can_be_missing(definition->name) == fits);
        fake_kvm_assert_same(fake, before, true);
    }
}

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
    { "/hvc-kvm-contract/promise/5.10", test_promise_5_10 },
    { "/hvc-kvm-contract/promise/6.1", test_promise_6_1 },
    { "/hvc-kvm-contract/promise/6.12", test_promise_6_12 },
    { "/hvc-kvm-contract/promise/6.16", test_promise_6_16 },
    { "/hvc-kvm-contract/promise/7.3", test_promise_7_3 },
    { "/hvc-kvm-contract/promise/words", test_promise_words },
    { "/hvc-kvm-contract/promise/no-workaround", test_promise_no_workaround },
    { "/hvc-kvm-contract/promise/unknown", test_promise_unknown },
    { "/hvc-kvm-contract/promise/caches", test_promise_caches },
    { "/hvc-kvm-contract/promise/unreadable", test_promise_unreadable },
    { "/hvc-kvm-contract/promise/first-run", test_promise_first_run },
    { "/hvc-kvm-contract/promise/gic-revision", test_gic_revision },
    { "/hvc-kvm-contract/promise/gic-revision-old", test_gic_revision_old },
    { "/hvc-kvm-contract/promise/implementations", test_implementations },
    { "/hvc-kvm-contract/promise/implementations-unknown",
      test_implementations_unknown },
    { "/hvc-kvm-contract/promise/implementations-own",
      test_implementations_own },
    { "/hvc-kvm-contract/promise/implementations-refused",
      test_implementations_refused },
    { "/hvc-kvm-contract/promise/implementations-profile",
      test_implementations_profile },
    { "/hvc-kvm-contract/promise/implementations-profile-ctr",
      test_implementations_profile_ctr },
    { "/hvc-kvm-contract/promise/implementations-profile-ctr-refused",
      test_implementations_profile_ctr_refused },
    { "/hvc-kvm-contract/promise/implementations-profile-refused",
      test_implementations_profile_refused },
    { "/hvc-kvm-contract/promise/made", test_made },
    { "/hvc-kvm-contract/profile/mitigation", test_profile_mitigation },
    { "/hvc-kvm-contract/profile/mitigation-refused",
      test_profile_mitigation_refused },
    { "/hvc-kvm-contract/accept/pmu-counters", test_accept_pmu_counters },
    { "/hvc-kvm-contract/accept/others", test_accept },
    { "/hvc-kvm-contract/accept/refused", test_accept_refused },
    { "/hvc-kvm-contract/accept/not-kept", test_accept_not_kept },
    { "/hvc-kvm-contract/accept/dependency", test_accept_dependency },
    { "/hvc-kvm-contract/accept/mistakes", test_accept_mistakes },
    { "/hvc-kvm-contract/accept/no-trial", test_accept_no_trial },
    { "/hvc-kvm-contract/accept/levels", test_levels },
    { "/hvc-kvm-contract/accept/unknown-levels", test_unknown_levels },
    { "/hvc-kvm-contract/accept/discovery-6.1", test_discovery_6_1 },
    { "/hvc-kvm-contract/accept/discovery-5.10", test_discovery_5_10 },
    { "/hvc-kvm-contract/accept/missing", test_missing },
    { "/hvc-kvm-contract/list/came", test_list },
    { "/hvc-kvm-contract/list/late", test_list_late,
      "*: warning: guest-abi: this host's kernel does not list registers of "
      "the incoming VM: CNTPCT_EL0, CNTP_CTL_EL0; if the guest uses one of them "
      "when it is stopped, the migration will be refused then\n" },
    { "/hvc-kvm-contract/list/own", test_list_own },
    { "/hvc-kvm-contract/served/6.12", test_served_6_12 },
    { "/hvc-kvm-contract/served/7.3", test_served_7_3 },
    { "/hvc-kvm-contract/served/features", test_served_features },
    { "/hvc-kvm-contract/adopt/both-ways", test_adopt },
    { "/hvc-kvm-contract/adopt/services", test_adopt_services },
    { "/hvc-kvm-contract/adopt/missing", test_adopt_missing },
    { "/hvc-kvm-contract/adopt/refused", test_adopt_refused },
    { "/hvc-kvm-contract/adopt/clidr-first", test_clidr_first },
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
    contract_add_journeys();
    return g_test_run();
}
