/*
 * Unit tests of what a fake kernel makes of a contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "target/arm/hvc/kvm-scratch.h"
#include "../fake/fake-kvm.h"
#include "../fake/fake-vm.h"

#define PFR0_GIC    (1ULL << 24)
#define MMFR3_TCRX  (1ULL << 0)
#define MMFR3_S1PIE (1ULL << 8)
#define ISAR2_ATS1A (1ULL << 60)

/* A CPU with them, on a kernel that gives them to a guest */
static void have_s1pie(FakeKvm *fake)
{
    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_ISAR2, FAKE_ID, .value = ISAR2_ATS1A, .limit = ISAR2_ATS1A,
    });
    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_MMFR3, FAKE_ID, .value = MMFR3_TCRX | MMFR3_S1PIE,
        .limit = MMFR3_TCRX | MMFR3_S1PIE,
    });
    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_PIR, .by = FAKE_MMFR3, .by_field = 8,
    });
    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_TCR2, .by = FAKE_MMFR3, .by_field = 0,
    });
}

static HvcContract contract_of(uint64_t id, uint64_t value)
{
    HvcContract contract = { };

    hvc_contract_set(&contract, id, value, &error_abort);
    return contract;
}

static uint64_t truth_of(const HvcVm *vm, const HvcContract *wanted,
                         uint64_t id)
{
    g_auto(HvcTruth) truth = { };

    g_assert_true(hvc_scratch_try(vm, wanted, &truth, &error_abort));
    return hvc_contract_value(&truth.contract, id);
}

/* The VM itself is not touched, and none is left. */
static void check_untouched(const FakeKvm *fake, const FakeKvm *before)
{
    fake_kvm_assert_same(fake, before, true);
    g_assert_cmpuint(fake->gets, ==, 0);
    g_assert_cmpuint(fake->sets, ==, 0);
    g_assert_false(fake->has_run);
    g_assert_cmpuint(fake->there, ==, 0);
}

static void test_kernels(void)
{
    for (FakeKernel kernel = 0; kernel < FAKE_KERNELS; kernel++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);
        g_autoptr(FakeKvm) before = fake_kvm_new(kernel);
        g_autoptr(HvcVm) vm = fake_vm_new(fake);
        g_auto(HvcTruth) truth = { };
        uint64_t value = 0;

        g_test_message("Linux %s", fake_kvm_name(kernel));
        if (kernel == FAKE_5_15) {
            /* It can hide nothing, and is refused. */
            g_assert_false(hvc_scratch_try(vm, NULL, &truth, NULL));
            check_untouched(fake, before);
            continue;
        }
        g_assert_true(hvc_scratch_try(vm, NULL, &truth, &error_abort));
        check_untouched(fake, before);
        g_assert_cmpuint(fake->made, ==, 1);
        for (unsigned i = 0; i < truth.contract.count; i++) {
            uint64_t id = truth.contract.promises[i].id;

            g_test_message("0x%" PRIx64, id);
            g_assert_cmphex(truth.contract.promises[i].value, ==,
                            fake_kvm_value(fake, id));
            g_assert_true(hvc_has_id(truth.ids, truth.count, id));
            value |= id;
        }
        g_assert_cmpuint(truth.count, ==, fake->registers->len);
        g_assert_nonnull(hvc_contract_find(&truth.contract, FAKE_MIDR));
        g_assert_nonnull(hvc_contract_find(&truth.contract,
                                           FAKE_WORKAROUND_1));
        /* State, MPIDR_EL1 and services are no part of it. */
        g_assert_null(hvc_contract_find(&truth.contract, FAKE_X0));
        g_assert_null(hvc_contract_find(&truth.contract, FAKE_MPIDR));
        g_assert_null(hvc_contract_find(&truth.contract, FAKE_PSCI_VERSION));
        g_assert_null(hvc_contract_find(&truth.contract, FAKE_STD));
        g_assert_null(hvc_contract_find(&truth.contract, FAKE_CNTPCT));
    }
}

/* Issue 12, 1: without the kernel's GICv3 the first run takes GIC away. */
static void test_first_run(void)
{
    for (FakeKernel kernel = FAKE_6_1; kernel < FAKE_KERNELS; kernel++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);
        g_autoptr(HvcVm) vm = fake_vm_new(fake);
        uint64_t before = fake_kvm_value(fake, FAKE_PFR0);
        HvcContract wanted = contract_of(FAKE_PFR0, before);
        bool edits = kernel >= FAKE_6_12;

        g_assert_cmphex(before & PFR0_GIC, ==, PFR0_GIC);
        for (unsigned gic = 0; gic <= 3; gic++) {
            uint64_t expected = edits && gic != 3 ? before & ~PFR0_GIC : before;

            g_test_message("Linux %s, GIC %u", fake_kvm_name(kernel), gic);
            vm->recipe.gic = gic;
            g_assert_cmphex(truth_of(vm, NULL, FAKE_PFR0), ==, expected);
            g_assert_cmphex(truth_of(vm, &wanted, FAKE_PFR0), ==, expected);
        }
    }
}

/* Issue 12, 2: 7.3 takes S1PIE from a guest without ATS1A, and PIR with it. */
static void test_dependency(void)
{
    for (FakeKernel kernel = FAKE_6_16; kernel < FAKE_KERNELS; kernel++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);
        g_autoptr(HvcVm) vm = fake_vm_new(fake);
        bool depends = kernel == FAKE_7_3;
        HvcContract wanted;
        g_auto(HvcTruth) with = { }, without = { };

        have_s1pie(fake);
        wanted = contract_of(FAKE_MMFR3, MMFR3_TCRX | MMFR3_S1PIE);
        g_assert_true(hvc_scratch_try(vm, &wanted, &with, &error_abort));
        g_assert_cmphex(hvc_contract_value(&with.contract, FAKE_MMFR3), ==,
                        MMFR3_TCRX | MMFR3_S1PIE);
        g_assert_true(hvc_has_id(with.ids, with.count, FAKE_PIR));

        hvc_contract_set(&wanted, FAKE_ISAR2, 0, &error_abort);
        g_assert_true(hvc_scratch_try(vm, &wanted, &without, &error_abort));
        g_assert_cmphex(hvc_contract_value(&without.contract, FAKE_ISAR2), ==,
                        0);
        g_assert_cmphex(hvc_contract_value(&without.contract, FAKE_MMFR3), ==,
                        MMFR3_TCRX | (depends ? 0 : MMFR3_S1PIE));
        g_assert_true(hvc_has_id(without.ids, without.count, FAKE_PIR) ==
                      !depends);
        g_assert_true(hvc_has_id(without.ids, without.count, FAKE_TCR2));
    }
}

/* Issue 12, 3: the list is that of the guest's own ID registers. */
static void test_list_follows(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_16);
    g_autoptr(HvcVm) vm = fake_vm_new(fake);
    HvcContract wanted = contract_of(FAKE_MMFR3, 0);
    g_auto(HvcTruth) all = { }, none = { };

    have_s1pie(fake);
    g_assert_true(hvc_scratch_try(vm, NULL, &all, &error_abort));
    g_assert_true(hvc_scratch_try(vm, &wanted, &none, &error_abort));
    g_assert_cmpuint(all.count, ==, none.count + 2);
    g_assert_true(hvc_has_id(all.ids, all.count, FAKE_TCR2));
    g_assert_false(hvc_has_id(none.ids, none.count, FAKE_TCR2));
    g_assert_false(hvc_has_id(none.ids, none.count, FAKE_PIR));
}

/* What is refused, or not kept, is as the kernel has it. */
static void test_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(HvcVm) vm = fake_vm_new(fake);
    HvcContract wanted = contract_of(FAKE_DFR0, 0x10305509);

    hvc_contract_set(&wanted, FAKE_CLIDR, 0x82000023, &error_abort);
    hvc_contract_set(&wanted, 0x603000000013c03d, 7, &error_abort);
    fake_kvm_register(fake, FAKE_CLIDR)->ignores = 2;
    g_assert_cmphex(truth_of(vm, &wanted, FAKE_DFR0), ==, 0x10305408);
    g_assert_cmphex(truth_of(vm, &wanted, FAKE_CLIDR), ==, 0x82000021);
    /* A register that the kernel does not have reads as 0. */
    g_assert_cmphex(truth_of(vm, &wanted, 0x603000000013c03d), ==, 0);
}

/* Linux 6.3 to 6.9: turning a CPU on resets CLIDR_EL1. */
static void test_forgets(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(HvcVm) vm = fake_vm_new(fake);
    HvcContract wanted = contract_of(FAKE_CLIDR, 0x82000023);
    g_auto(HvcTruth) truth = { }, alone = { }, other = { };

    fake->forgets = FAKE_CLIDR;
    g_assert_true(hvc_scratch_try(vm, &wanted, &truth, &error_abort));
    g_assert_false(truth.keeps_caches);
    g_assert_cmphex(hvc_contract_value(&truth.contract, FAKE_CLIDR), ==,
                    0x02000021);
    /* One CPU is never turned on again; the kernel's own value is no loss. */
    vm->recipe.cpus = 1;
    g_assert_true(hvc_scratch_try(vm, &wanted, &alone, &error_abort));
    g_assert_true(alone.keeps_caches);
    g_assert_cmphex(hvc_contract_value(&alone.contract, FAKE_CLIDR), ==,
                    0x82000023);
    vm->recipe.cpus = 2;
    wanted = contract_of(FAKE_CLIDR, 0x02000021);
    g_assert_true(hvc_scratch_try(vm, &wanted, &other, &error_abort));
    g_assert_true(other.keeps_caches);
}

/* PMCR_EL0.N: Linux 6.7 and later take less, older ones forget it. */
static void test_pmu_counters(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(HvcVm) vm = fake_vm_new(fake);
    HvcContract less = contract_of(FAKE_PMU_COUNTERS, 4);
    HvcContract more = contract_of(FAKE_PMU_COUNTERS, 20);
    g_auto(HvcTruth) without = { };

    /* A VM without a PMU, and one with it */
    g_assert_true(hvc_scratch_try(vm, &less, &without, &error_abort));
    g_assert_null(hvc_contract_find(&without.contract, FAKE_PMU_COUNTERS));
    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_PMCR, FAKE_PMU, 0x3041, 0x3041,
    });
    g_assert_cmphex(truth_of(vm, NULL, FAKE_PMU_COUNTERS), ==, 6);
    g_assert_cmphex(truth_of(vm, &less, FAKE_PMU_COUNTERS), ==, 4);
    g_assert_cmphex(truth_of(vm, &more, FAKE_PMU_COUNTERS), ==, 6);
    fake_kvm_register(fake, FAKE_PMCR)->kind = FAKE_STATE;
    fake->forgets = FAKE_PMCR;
    g_assert_cmphex(truth_of(vm, &less, FAKE_PMU_COUNTERS), ==, 6);
    vm->recipe.cpus = 1;
    g_assert_cmphex(truth_of(vm, &less, FAKE_PMU_COUNTERS), ==, 4);
}

/* Registers that no list has: of the GIC, and the counter's frequency */
static void test_unlisted(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(HvcVm) vm = fake_vm_new(fake);
    HvcContract two = contract_of(FAKE_GICD_IIDR, 0x4b00243b);
    HvcContract one = contract_of(FAKE_GICD_IIDR, 0x4b00143b);

    g_assert_cmphex(truth_of(vm, NULL, FAKE_GICD_IIDR), ==, 0);
    fake_kvm_add_gic(fake, FAKE_6_12);
    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_CNTFRQ, FAKE_FIXED, 62500000, .unlisted = true,
    });
    g_assert_cmphex(truth_of(vm, NULL, FAKE_GICD_IIDR), ==, 0x4b00343b);
    g_assert_cmphex(truth_of(vm, NULL, FAKE_ICC_CTLR), ==, 0x8c00);
    g_assert_cmphex(truth_of(vm, NULL, FAKE_CNTFRQ), ==, 62500000);
    g_assert_cmphex(truth_of(vm, &two, FAKE_GICD_IIDR), ==, 0x4b00243b);
    g_assert_cmphex(truth_of(vm, &one, FAKE_GICD_IIDR), ==, 0x4b00343b);
    /* Linux 5.19 up to the stable fix: takes the write and keeps 3 */
    fake_kvm_register(fake, FAKE_GICD_IIDR)->ignores = 0xf000;
    g_assert_cmphex(truth_of(vm, &two, FAKE_GICD_IIDR), ==, 0x4b00343b);
}

static void check_fails(FakeKvm *fake, const char *refusal)
{
    g_autoptr(HvcVm) vm = fake_vm_new(fake);
    HvcContract wanted = contract_of(FAKE_CLIDR, 0x82000023);
    HvcTruth truth;
    Error *err = NULL;

    g_assert_false(hvc_scratch_try(vm, &wanted, &truth, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, refusal);
    error_free(err);
    g_assert_null(truth.ids);
    g_assert_cmpuint(fake->there, ==, 0);
}

static void test_fails(void)
{
    g_autoptr(FakeKvm) create = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) run = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) reset = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) list = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) unreadable = fake_kvm_new(FAKE_7_3);
    g_autoptr(FakeKvm) psci = fake_kvm_new(FAKE_7_3);

    create->create_errno = ENOMEM;
    check_fails(create, "this host's kernel makes no second VM like this "
                "one, which is needed to learn what its guest reads: no VM: "
                "Cannot allocate memory");
    run->run_errno = ENODEV;
    check_fails(run, "this host's kernel does not run a VM like this one, "
                "which was made to learn what a guest reads: No such device");
    reset->reset_errno = EINVAL;
    check_fails(reset, "this host's kernel does not reset a vCPU like those "
                "of this VM: Invalid argument");
    list->list_errno = ENOEXEC;
    check_fails(list, FAKE_VM_OPTIONS ": cannot read this kernel's list of "
                "registers: Exec format error");
    fake_kvm_register(unreadable, FAKE_DFR0)->get_errno = EIO;
    check_fails(unreadable, "cannot read this host's ID_AA64DFR0_EL1 "
                "[0x603000000013c028]: Input/output error");
    fake_kvm_register(psci, FAKE_PSCI_VERSION)->limit = 0x2;
    fake_kvm_register(psci, FAKE_PSCI_VERSION)->value = 0x2;
    check_fails(psci, FAKE_VM_OPTIONS ": this host's kernel cannot give a "
                "guest PSCI 1.0, it has 0.2; needed: Linux 4.16 or later; use "
                "psci-version=0.2");
}

/* More registers than there is room for */
static void test_many(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    for (unsigned i = 0; i < HVC_CONTRACT_SIZE; i++) {
        fake_kvm_add(fake, &(FakeRegister) {
            FAKE_FIRMWARE(0x100 + i), FAKE_LEVEL,
        });
    }
    check_fails(fake, "this host's kernel has more than 192 registers that "
                "describe a CPU; use a QEMU that knows this kernel");
}

/* What differs is written, what can differ is read. */
static void test_cost(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    g_autoptr(HvcVm) vm = fake_vm_new(fake);
    HvcContract wanted = contract_of(FAKE_CLIDR, 0x82000023);
    unsigned gets, sets;

    /* Four bitmaps and PSCI_VERSION; each is read before and after. */
    truth_of(vm, NULL, FAKE_CLIDR);
    sets = fake->made_sets;
    gets = fake->made_gets;
    g_assert_cmpuint(sets, ==, 5);
    truth_of(vm, &wanted, FAKE_CLIDR);
    g_assert_cmpuint(fake->made_sets, ==, 2 * sets + 1);
    /* Looked at before it is written, and after the reset */
    g_assert_cmpuint(fake->made_gets, ==, 2 * gets + 2);
    wanted = contract_of(FAKE_CLIDR, 0x02000021);
    truth_of(vm, &wanted, FAKE_CLIDR);
    g_assert_cmpuint(fake->made_sets, ==, 3 * sets + 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/hvc-kvm-scratch/kernels", test_kernels);
    g_test_add_func("/hvc-kvm-scratch/first-run", test_first_run);
    g_test_add_func("/hvc-kvm-scratch/dependency", test_dependency);
    g_test_add_func("/hvc-kvm-scratch/list-follows", test_list_follows);
    g_test_add_func("/hvc-kvm-scratch/refused", test_refused);
    g_test_add_func("/hvc-kvm-scratch/forgets", test_forgets);
    g_test_add_func("/hvc-kvm-scratch/pmu-counters", test_pmu_counters);
    g_test_add_func("/hvc-kvm-scratch/unlisted", test_unlisted);
    g_test_add_func("/hvc-kvm-scratch/fails", test_fails);
    g_test_add_func("/hvc-kvm-scratch/many", test_many);
    g_test_add_func("/hvc-kvm-scratch/cost", test_cost);
    return g_test_run();
}
