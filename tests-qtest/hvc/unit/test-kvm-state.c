/*
 * Unit tests of a vCPU's registers and the contract on a fake kernel
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
#include "target/arm/hvc/kvm-state.h"
#include "../fake/fake-kvm.h"

#define CLIDR_N1       0x82000023ULL
#define CLIDR_INVENTED 0x02000021ULL

/* What a guest of a vCPU like @fake is promised, as the scratch VM has it */
static HvcContract contract_of(const FakeKvm *fake)
{
    HvcContract contract = { };

    for (unsigned i = 0; i < fake->registers->len; i++) {
        FakeRegister *reg = &g_array_index(fake->registers, FakeRegister, i);

        if (hvc_list_has(reg->id) && reg->id != FAKE_MPIDR &&
            reg->id != FAKE_OSLSR && reg->kind != FAKE_COUNTER) {
            hvc_contract_set(&contract, reg->id, reg->value, &error_abort);
        }
    }
    return contract;
}

/* As a profile makes them */
static void have_caches_of_6_1(FakeKvm *fake)
{
    fake_kvm_register(fake, FAKE_CLIDR)->value = CLIDR_N1;
    fake_kvm_register(fake, FAKE_CCSIDR(0))->value = 0x701fe01a;
    fake_kvm_register(fake, FAKE_CCSIDR(1))->value = 0x201fe01a;
    fake_kvm_register(fake, FAKE_CCSIDR(2))->value = 0x70ffe03a;
}

/* Applying */

static void test_apply(void)
{
    g_autoptr(FakeKvm) source = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) first = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) other = fake_kvm_new(FAKE_6_12);
    HvcContract contract;

    have_caches_of_6_1(source);
    fake_kvm_register(source, FAKE_DFR0)->value = 0x10305406;
    contract = contract_of(source);
    g_assert_cmpuint(hvc_state_apply(&first->kvm, &contract, false), ==, 5);
    g_assert_cmpuint(first->sets, ==, 5);
    fake_kvm_assert_same(first, source, true);
    /* Again: nothing differs, nothing is written. */
    g_assert_cmpuint(hvc_state_apply(&first->kvm, &contract, false), ==, 0);
    g_assert_cmpuint(first->sets, ==, 5);

    /* What holds for the VM is left to the first vCPU. */
    g_assert_cmpuint(hvc_state_apply(&other->kvm, &contract, true), ==, 4);
    fake_kvm_register(other, FAKE_DFR0)->value = 0x10305406;
    fake_kvm_assert_same(other, source, true);
}

/* Of caches that the guest does not have nothing is written. */
static void test_apply_no_cache(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcContract contract = contract_of(fake);

    for (unsigned csselr = 0; csselr < 14; csselr++) {
        fake_kvm_register(fake, FAKE_CCSIDR(csselr))->value = 7;
    }
    g_assert_cmpuint(hvc_state_apply(&fake->kvm, &contract, false), ==, 2);
    for (unsigned csselr = 0; csselr < 14; csselr++) {
        g_assert_cmphex(fake_kvm_value(fake, FAKE_CCSIDR(csselr)), ==,
                        csselr == 1 || csselr == 2 ? 2 : 7);
    }
}

/* GICv2's IGROUPR is taken once GICD_IIDR was written, be it as it was. */
static void test_apply_gic(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcContract contract = { };

    fake_kvm_add_gic(fake, FAKE_6_12);
    hvc_contract_set(&contract, FAKE_GICD_IIDR, 0x4b00343b, &error_abort);
    hvc_contract_set(&contract, FAKE_ICC_CTLR, 0x8c00, &error_abort);
    g_assert_cmpuint(hvc_state_apply(&fake->kvm, &contract, false), ==, 0);
    g_assert_cmpuint(fake->sets, ==, 1);
    hvc_contract_set(&contract, FAKE_GICD_IIDR, 0x4b00243b, &error_abort);
    g_assert_cmpuint(hvc_state_apply(&fake->kvm, &contract, false), ==, 1);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_GICD_IIDR), ==, 0x4b00243b);
}

/* Levels are the host's; what is not there, or refused, changes nothing. */
static void test_apply_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);
    HvcContract contract = { };

    hvc_contract_set(&contract, FAKE_WORKAROUND_1, 0, &error_abort);
    hvc_contract_set(&contract, FAKE_FIRMWARE(4), 1, &error_abort);
    hvc_contract_set(&contract, FAKE_PMMIR, 6, &error_abort);
    g_assert_cmpuint(hvc_state_apply(&fake->kvm, &contract, false), ==, 0);
    hvc_contract_set(&contract, FAKE_DFR0, 0x1030f409, &error_abort);
    g_assert_cmpuint(hvc_state_apply(&fake->kvm, &contract, false), ==, 1);
    fake_kvm_assert_same(fake, before, true);
}

static void check_has(const FakeKvm *fake, const HvcContract *contract,
                      bool caches_only, const char *refusal)
{
    Error *err = NULL;
    bool ok = hvc_state_check(&fake->kvm, contract, caches_only, &err);

    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    error_free(err);
}

#define PROMISED(name, promised, now, why, fields) \
    "guest-abi: this VM's guest was promised " name " = " promised ", it is " \
    now " now, and the kernel does not take it back" why " (" fields ")"

static void test_check(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcContract contract = contract_of(fake);

    check_has(fake, &contract, false, NULL);
    fake_kvm_register(fake, FAKE_DFR0)->value = 0x10305406;
    check_has(fake, &contract, true, NULL);
    check_has(fake, &contract, false,
              PROMISED("ID_AA64DFR0_EL1", "0x10305408", "0x10305406", "",
                       "DebugVer 8 -> 6"));
    fake_kvm_register(fake, FAKE_CLIDR)->value = CLIDR_N1;
    check_has(fake, &contract, true,
              PROMISED("CLIDR_EL1", "0x2000021", "0x82000023", "",
                       "Ctype1 1 -> 3, ICB 0 -> 2"));
    fake_kvm_register(fake, FAKE_CLIDR)->get_errno = EIO;
    check_has(fake, &contract, true,
              PROMISED("CLIDR_EL1", "0x2000021", "0x0",
                       ": Input/output error",
                       "Ctype1 1 -> 0, Ctype2 4 -> 0, LoC 2 -> 0"));
    fake_kvm_remove(fake, FAKE_CLIDR);
    hvc_contract_set(&contract, FAKE_CLIDR, 0, &error_abort);
    check_has(fake, &contract, true, NULL);
}

/* Before a VM is sent: a level that fell cannot be promised any more. */
static void test_levels(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    HvcContract contract = { };
    Error *err = NULL;

    hvc_contract_set(&contract, FAKE_WORKAROUND_1, 1, &error_abort);
    hvc_contract_set(&contract, FAKE_DFR0, UINT64_MAX, &error_abort);
    g_assert_true(hvc_state_check_levels(&fake->kvm, &contract, &error_abort));
    fake_kvm_register(fake, FAKE_WORKAROUND_1)->value = 0;
    g_assert_false(hvc_state_check_levels(&fake->kvm, &contract, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "guest-abi: this VM's guest was "
                    "promised SMCCC_ARCH_WORKAROUND_1 = 0x1 "
                    "[0x6030000000140001], this host's kernel now has 0x0; the "
                    "VM's contract cannot be kept, so it cannot be sent");
    error_free(err);
}

static void test_left_out(void)
{
    if (g_test_subprocess()) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
        HvcContract contract = contract_of(fake);

        hvc_state_warn_left_out(&fake->kvm, &contract);
        hvc_contract_set(&contract, FAKE_PFR0, 0x11000f0011110112,
                         &error_abort);
        hvc_state_warn_left_out(&fake->kvm, &contract);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*: warning: guest-abi: incoming VM has "
                              "ID_AA64PFR0_EL1 = 0x11000f0011110112, here its "
                              "guest will read 0x1100000011110112 (MPAM 0xf -> "
                              "0x0); one of the two kernels shows by mistake "
                              "what no guest has\n");
}

/* What comes with a vCPU */

/* One register of a vCPU; what it is to be, or why it is refused */
static void check_register(const FakeKvm *fake, const HvcContract *contract,
                           uint64_t id, uint64_t came, uint64_t becomes,
                           const char *refusal)
{
    /* Registers before and after, that are none of its business */
    const uint64_t ids[] = { FAKE_X0, id, FAKE_MPIDR };
    const FakeRegister *here = fake_kvm_register(fake, id);
    const uint64_t known[] = { 0x66, here ? here->value : 0, 0x80000003 };
    uint64_t values[] = { 0x99, came, 0x80000001, 0x77 };
    Error *err = NULL;
    bool ok = hvc_state_check_incoming(contract, ids, known, values,
                                       ARRAY_SIZE(ids), &err);

    g_test_message("0x%" PRIx64 " = 0x%" PRIx64, id, came);
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    error_free(err);
    g_assert_cmphex(values[0], ==, 0x99);
    g_assert_cmphex(values[1], ==, becomes);
    g_assert_cmphex(values[2], ==, 0x80000001);
    g_assert_cmphex(values[3], ==, 0x77);
}

#define DAMAGED(name, came, promised) \
    "guest-abi: a vCPU of the incoming VM has " name " = " came ", its " \
    "contract has " promised "; the stream is damaged"

static void test_incoming(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    HvcContract contract;

    fake_kvm_add(fake, &(FakeRegister) { FAKE_PFR1, .value = 0x20 });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_MMFR2, .value = 0x1011 });
    have_caches_of_6_1(fake);
    contract = contract_of(fake);

    check_register(fake, &contract, FAKE_MIDR, 0x414fd0c1, 0x414fd0c1, NULL);
    check_register(fake, &contract, FAKE_MIDR, 0, 0,
                   DAMAGED("MIDR_EL1", "0x0", "0x414fd0c1"));
    check_register(fake, &contract, FAKE_CTR, 0x8444c004, 0x8444c004,
                   DAMAGED("CTR_EL0", "0x8444c004", "0x9444c004"));
    check_register(fake, &contract, FAKE_PMMIR, 6, 6,
                   DAMAGED("PMMIR_EL1", "0x6", "0x0"));

    /* The counters, once the contract has a number of them */
    check_register(fake, &contract, FAKE_PMCR, 0xa041, 0xa041, NULL);
    hvc_contract_set(&contract, FAKE_PMU_COUNTERS, 0, &error_abort);
    check_register(fake, &contract, FAKE_PMCR, 0xa041, 0xa041, NULL);
    hvc_contract_set(&contract, FAKE_PMU_COUNTERS, 6, &error_abort);
    check_register(fake, &contract, FAKE_PMCR, 0x413041, 0x413041, NULL);
    check_register(fake, &contract, FAKE_PMCR, 0xa041, 0xa041,
                   "guest-abi: a vCPU of the incoming VM has 20 event counters "
                   "(PMCR_EL0 = 0xa041), its contract has 6; the stream is "
                   "damaged");

    /* Forgotten caches, and those that there are not */
    check_register(fake, &contract, FAKE_CLIDR, CLIDR_INVENTED, CLIDR_N1, NULL);
    check_register(fake, &contract, FAKE_CLIDR, 0, CLIDR_N1, NULL);
    check_register(fake, &contract, FAKE_CCSIDR(0), 2, 0x701fe01a, NULL);
    check_register(fake, &contract, FAKE_CCSIDR(2), 0, 0x70ffe03a, NULL);
    check_register(fake, &contract, FAKE_CCSIDR(3), 0x701fe01a, 0x701fe01a,
                   NULL);

    /* Fields shown by mistake, and their neighbours */
    check_register(fake, &contract, FAKE_PFR0,
                   0x1100000011110112 ^ FAKE_PFR0_MPAM, 0x1100000011110112,
                   NULL);
    check_register(fake, &contract, FAKE_PFR1, 0x20 ^ FAKE_PFR1_MPAM_FRAC, 0x20,
                   NULL);
    check_register(fake, &contract, FAKE_PFR1, 0x20 ^ FAKE_PFR1_MTE_FRAC, 0x20,
                   NULL);
    check_register(fake, &contract, FAKE_MMFR2, 0x1011 ^ FAKE_MMFR2_NV, 0x1011,
                   NULL);
    fake_kvm_register(fake, FAKE_MMFR2)->value = 0x1012;
    check_register(fake, &contract, FAKE_MMFR2, 0x1011 ^ FAKE_MMFR2_NV,
                   0x1011 ^ FAKE_MMFR2_NV, NULL);
    check_register(fake, &contract, FAKE_PFR0, 0x1100008011110112,
                   0x1100008011110112,
                   DAMAGED("ID_AA64PFR0_EL1", "0x1100008011110112",
                           "0x1100000011110112"));
    /* MTE_frac is a mistake where it is 0xf, or where that is missing. */
    check_register(fake, &contract, FAKE_PFR1, 0x10000000020, 0x10000000020,
                   DAMAGED("ID_AA64PFR1_EL1", "0x10000000020", "0x20"));

    /* State, and what is not in the contract */
    check_register(fake, &contract, FAKE_OSLSR, 0xa, 0xa, NULL);
    check_register(fake, &contract, FAKE_CNTPCT, 1, 1, NULL);
    check_register(fake, &contract, 0x603000000013c03d, 0x11, 0x11, NULL);
}

/* PMUVer: 0xf is somebody else's PMU, 0 is none: no guest has either. */
static void test_incoming_pmu(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    HvcContract contract;

    fake_kvm_register(fake, FAKE_DFR0)->value = 0x10305008;
    contract = contract_of(fake);
    check_register(fake, &contract, FAKE_DFR0, 0x10305008 | FAKE_DFR0_PMUVER,
                   0x10305008, NULL);
    check_register(fake, &contract, FAKE_DFR0, 0x10305408, 0x10305408,
                   DAMAGED("ID_AA64DFR0_EL1", "0x10305408", "0x10305008"));
}

/* Writing, and reading again */

static void check_loads(FakeKvm *fake, const uint64_t *ids,
                        const uint64_t *values, size_t count,
                        const char *refused, const char *not_kept)
{
    HvcContract contract = { };
    Error *err = NULL;
    static bool warned;

    hvc_contract_set(&contract, FAKE_CLIDR, CLIDR_INVENTED, &error_abort);
    g_assert_true(hvc_state_write(&fake->kvm, ids, NULL, values, count, &err)
                  == !refused);
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refused);
    error_free(err);
    err = NULL;
    if (!refused) {
        g_assert_true(hvc_state_check_kept(&fake->kvm, &contract, false, ids,
                                           values, count, &warned, &err) ==
                      !not_kept);
        g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, not_kept);
        error_free(err);
    }
}

#define LOADS(fake, refused, not_kept, ...) do {                        \
        const HvcPromise loads[] = { __VA_ARGS__ };                     \
        uint64_t load_ids[ARRAY_SIZE(loads)];                           \
        uint64_t load_values[ARRAY_SIZE(loads)];                        \
                                                                        \
        for (unsigned n = 0; n < ARRAY_SIZE(loads); n++) {              \
            load_ids[n] = loads[n].id;                                  \
            load_values[n] = loads[n].value;                            \
        }                                                               \
        check_loads(fake, load_ids, load_values, ARRAY_SIZE(loads),     \
                    refused, not_kept);                                 \
    } while (0)

#define REFUSED(what) \
    "guest-abi: this host's kernel refuses registers of the incoming VM: " \
    what "; use a host like the source"
#define NOT_KEPT(what) \
    "guest-abi: this host's kernel took registers of the incoming VM and " \
    "does not keep them: " what "; use a host whose kernel keeps them"

/* All that is refused is named, and the rest is written. */
static void test_write(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    LOADS(fake, NULL, NULL, { FAKE_X0, 5 }, { FAKE_CLIDR, 0x02000023 });
    LOADS(fake, REFUSED("ID_AA64MMFR3_EL1 = 0x101 [0x603000000013c03b], here "
                        "it is 0x0 (Invalid argument: TCRX 1 -> 0, S1PIE 1 -> "
                        "0), PMMIR_EL1 = 0x0 [0x603000000013c4f6], here it is "
                        "0x0 (No such file or directory)"), NULL,
          { FAKE_MMFR3, 0x101 }, { FAKE_DFR0, 0x10305406 }, { FAKE_PMMIR, 0 });
    g_assert_cmphex(fake_kvm_value(fake, FAKE_X0), ==, 5);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_DFR0), ==, 0x10305406);
}

static void test_write_many(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    uint64_t ids[1000], values[1000];
    Error *err = NULL;

    for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
        ids[i] = 0x603000000013c600 + i;
        values[i] = i;
    }
    g_assert_false(hvc_state_write(&fake->kvm, ids, NULL, values,
                                   ARRAY_SIZE(ids), &err));
    g_assert_nonnull(strstr(error_get_pretty(err), ", and others; use "));
    g_assert_cmpuint(strlen(error_get_pretty(err)), <, 1000);
    error_free(err);
}

/* Issue 12, 5: what a kernel takes and loses is named. */
static void test_kept(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_register(fake, FAKE_OSLSR)->ignores = 2;
    LOADS(fake, NULL, NOT_KEPT("OSLSR_EL1 = 0xa [0x603000000013808c], here it "
                               "is 0x8 (bits [63:0] 0xa -> 0x8)"),
          { FAKE_OSLSR, 0xa }, { FAKE_X0, 1 });
    fake_kvm_register(fake, FAKE_X0)->reread_errno = EIO;
    LOADS(fake, NULL, NOT_KEPT("register 0x6030000000100000 = 0x1 "
                               "[0x6030000000100000], here it is 0x0 "
                               "(Input/output error: bits [63:0] 0x1 -> 0x0)"),
          { FAKE_X0, 1 });
}

#ifdef CONFIG_TRACE_LOG
static void test_traced(void)
{
    if (g_test_subprocess()) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
        HvcContract contract;

        have_caches_of_6_1(fake);
        contract = contract_of(fake);
        g_assert_true(trace_init_backends());
        trace_enable_events("hvc_kvm_*");
        g_assert_true(qemu_set_log(LOG_TRACE, &error_abort));
        check_register(fake, &contract, FAKE_CLIDR, CLIDR_INVENTED, CLIDR_N1,
                       NULL);
        fake_kvm_register(fake, FAKE_OSLSR)->ignores = 2;
        LOADS(fake, NULL, NOT_KEPT("OSLSR_EL1 = 0xa [0x603000000013808c], here "
                                   "it is 0x8 (bits [63:0] 0xa -> 0x8)"),
              { FAKE_OSLSR, 0xa });
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*hvc_kvm_forgotten CLIDR_EL1: 0x2000021 -> "
                              "0x82000023\n*hvc_kvm_misfit OSLSR_EL1: 0xa "
                              "wanted, 0x8 read back; not kept\n");
}
#endif

/* A counter runs on, a timer's output follows; no other bit may. */
static void test_kept_timer(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_register(fake, FAKE_CNTP_CTL)->stuck = 0;
    fake_kvm_register(fake, FAKE_CNTP_CTL)->ignores = 4;
    LOADS(fake, NULL, NULL, { FAKE_CNTPCT, 0x5000 }, { FAKE_CNTP_CTL, 1 });
    fake_kvm_register(fake, FAKE_CNTP_CTL)->ignores = 3;
    LOADS(fake, NULL, NOT_KEPT("CNTP_CTL_EL0 = 0x2 [0x603000000013df11], here "
                               "it is 0x1 (bits [63:0] 0x2 -> 0x1)"),
          { FAKE_CNTP_CTL, 2 });
    fake_kvm_register(fake, FAKE_CNTPCT)->kind = FAKE_STATE;
    fake_kvm_register(fake, FAKE_CNTPCT)->ignores = UINT64_MAX;
    LOADS(fake, NULL, NULL, { FAKE_CNTPCT, 0x5000 });
    fake_kvm_register(fake, FAKE_CNTPCT)->value = 0x4fff;
    LOADS(fake, NULL, NOT_KEPT("CNTPCT_EL0 = 0x5000 [0x603000000013df01], here "
                               "it is 0x4fff (bits [63:0] 0x5000 -> 0x4fff)"),
          { FAKE_CNTPCT, 0x5000 });
}

/* Linux 6.1's PMCR_EL0 has IMP and IDCODE: said once, not refused */
static void lose_pmcr(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_PMCR, .value = 0x30a8, .ignores = ~0xffffULL,
    });
    LOADS(fake, NULL, NULL, { FAKE_PMCR, 0x30a8 });
    LOADS(fake, NULL, NULL, { FAKE_PMCR, 0x410c30a8 });
    LOADS(fake, NULL, NULL, { FAKE_PMCR, 0x410c30a8 });
    fake_kvm_register(fake, FAKE_PMCR)->ignores = ~0xfffULL;
    LOADS(fake, NULL, NOT_KEPT("PMCR_EL0 = 0x20a8 [0x603000000013dce0], here "
                               "it is 0x30a8 (bits [63:0] 0x20a8 -> 0x30a8)"),
          { FAKE_PMCR, 0x20a8 });
}

static void test_kept_pmcr(void)
{
    if (g_test_subprocess()) {
        lose_pmcr();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*: warning: guest-abi: this host's kernel does "
                              "not keep all of the guest's state: PMCR_EL0 has "
                              "no longer the hardware's implementer code (IMP, "
                              "IDCODE)\n");
    g_test_trap_assert_stderr_unmatched("*guest-abi*guest-abi*");
}

/* A register of a cache that there is not is nobody's. */
static void test_kept_cache(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_register(fake, FAKE_CCSIDR(0))->ignores = 8;
    fake_kvm_register(fake, FAKE_CCSIDR(1))->ignores = 8;
    LOADS(fake, NULL, NULL, { FAKE_CCSIDR(0), 0xa });
    LOADS(fake, NULL, NOT_KEPT("CCSIDR_EL1[L1 instruction] = 0xa "
                               "[0x6020000000110001], here it is 0x2 "
                               "(Associativity 1 -> 0)"),
          { FAKE_CCSIDR(1), 0xa });
}

/* The PMU of 6.12: SET and then CLR, in the order of ids, clears. */
static void test_pmu(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    uint64_t ids[] = { FAKE_PMINTENSET, FAKE_PMINTENCLR, FAKE_PMCNTENSET,
                       FAKE_PMCNTENCLR };
    unsigned count = 0;

    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMINTENSET });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMINTENCLR, FAKE_CLEAR });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMCNTENSET });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMCNTENCLR, FAKE_CLEAR });
    /* All that QEMU lists: it is lost. */
    LOADS(fake, NULL, NOT_KEPT("PMCNTENSET_EL0 = 0x80000001 "
                               "[0x603000000013dce1], here it is 0x0 (bits "
                               "[63:0] 0x80000001 -> 0x0), PMCNTENCLR_EL0 = "
                               "0x80000001 [0x603000000013dce2], here it is "
                               "0x0 (bits [63:0] 0x80000001 -> 0x0)"),
          { FAKE_PMCNTENSET, 0x80000001 }, { FAKE_PMCNTENCLR, 0x80000001 });
    /* What a pinned VM's list has: it is kept. */
    for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
        if (hvc_list_has(ids[i])) {
            ids[count++] = ids[i];
        }
    }
    g_assert_cmpuint(count, ==, 2);
    LOADS(fake, NULL, NULL, { ids[0], 0x80000001 }, { ids[1], 0x80000003 });
    g_assert_cmphex(fake_kvm_value(fake, FAKE_PMCNTENSET), ==, 0x80000003);
}

/* What a reset has left in a PMU's registers goes, by SET and CLR of 6.12. */
static void test_pmu_reset(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMINTENSET, FAKE_SET, 0x1f });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMINTENCLR, FAKE_CLEAR });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMCNTENSET, FAKE_SET, 0x1f });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMCNTENCLR, FAKE_CLEAR });
    LOADS(fake, NULL, NULL, { FAKE_PMINTENSET, 0x80000001 },
          { FAKE_PMCNTENSET, 0x80000000 });
    g_assert_cmphex(fake_kvm_value(fake, FAKE_PMINTENSET), ==, 0x80000001);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_PMCNTENSET), ==, 0x80000000);
}

/* The same on kernels that have one register under both names */
static void test_pmu_alias(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);

    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMCNTENSET, .value = 0x1f });
    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMCNTENCLR, FAKE_ALIAS });
    LOADS(fake, NULL, NULL, { FAKE_PMCNTENSET, 0x80000001 });
    g_assert_cmphex(fake_kvm_value(fake, FAKE_PMCNTENSET), ==, 0x80000001);
}

/* A kernel that refuses CLR is named by the register that came. */
static void test_pmu_refused(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_add(fake, &(FakeRegister) { FAKE_PMCNTENSET, FAKE_SET, 0x1f });
    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_PMCNTENCLR, FAKE_CLEAR, .set_errno = EINVAL,
    });
    LOADS(fake, REFUSED("PMCNTENSET_EL0 = 0x1 [0x603000000013dce1], here it is "
                        "0x1f (Invalid argument: bits [63:0] 0x1 -> 0x1f)"),
          NULL, { FAKE_PMCNTENSET, 0x1 });
}

/* All of it: what a load costs */

typedef struct Vcpu {
    FakeKvm *fake;
    uint64_t ids[256], known[256], values[256];
    size_t count;
} Vcpu;

/* A vCPU after its reset, as QEMU knows it; nothing has come yet. */
static void vcpu_init(Vcpu *vcpu)
{
    g_autofree uint64_t *ids = NULL;
    size_t count;

    vcpu->fake = fake_kvm_new(FAKE_6_12);
    vcpu->count = 0;
    g_assert_true(hvc_kvm_list(&vcpu->fake->kvm, &ids, &count, &error_abort));
    for (size_t i = 0; i < count; i++) {
        if (hvc_list_has(ids[i])) {
            g_assert_cmpuint(vcpu->count, <, ARRAY_SIZE(vcpu->ids));
            vcpu->ids[vcpu->count++] = ids[i];
        }
    }
    g_assert_true(hvc_state_read(&vcpu->fake->kvm, 0, vcpu->ids, vcpu->known,
                                 vcpu->count, &error_abort));
    memcpy(vcpu->values, vcpu->known, sizeof(vcpu->values));
    vcpu->fake->gets = vcpu->fake->sets = 0;
}

static void vcpu_comes_with(Vcpu *vcpu, uint64_t id, uint64_t value)
{
    for (size_t i = 0; i < vcpu->count; i++) {
        if (vcpu->ids[i] == id) {
            vcpu->values[i] = value;
            return;
        }
    }
    g_assert_not_reached();
}

static HvcLoaded vcpu_load(Vcpu *vcpu, bool caches_only, Error **errp)
{
    HvcContract contract = { };
    bool warned = false;

    for (size_t i = 0; i < vcpu->count; i++) {
        if (hvc_sysreg_describes_cpu(vcpu->ids[i])) {
            hvc_contract_set(&contract, vcpu->ids[i], vcpu->known[i],
                             &error_abort);
        }
    }
    /* Nothing is asked of the kernel here. */
    g_assert_true(hvc_state_check_incoming(&contract, vcpu->ids, vcpu->known,
                                           vcpu->values, vcpu->count,
                                           &error_abort));
    g_assert_cmpuint(vcpu->fake->gets, ==, 0);
    return hvc_state_load(&vcpu->fake->kvm, &contract, caches_only, vcpu->ids,
                          vcpu->known, vcpu->values, vcpu->count, &warned,
                          errp);
}

/*
 * Of each vCPU the registers are written that the guest has changed, and read
 * again once; of the ID registers, which hold for the VM, those of the first.
 */
static void test_load_cost(void)
{
    static const unsigned vcpus[] = { 1, 8, 512 };

    for (unsigned i = 0; i < ARRAY_SIZE(vcpus); i++) {
        unsigned sets = 0, gets = 0, listed = 0, of_vm = 0;

        for (unsigned n = 0; n < vcpus[i]; n++) {
            Vcpu vcpu;

            vcpu_init(&vcpu);
            vcpu_comes_with(&vcpu, FAKE_CNTP_CVAL, 0x1234);
            vcpu_comes_with(&vcpu, FAKE_CNTPCT, 0x5678);
            g_assert_cmpint(vcpu_load(&vcpu, n, &error_abort), ==, HVC_LOADED);
            g_assert_cmphex(fake_kvm_value(vcpu.fake, FAKE_CNTP_CVAL), ==,
                            0x1234);
            sets += vcpu.fake->sets;
            gets += vcpu.fake->gets;
            for (size_t id = 0; id < vcpu.count; id++) {
                listed++;
                of_vm += n && hvc_sysreg_describes_cpu(vcpu.ids[id]) &&
                         vcpu.ids[id] != FAKE_CLIDR &&
                         !hvc_is_ccsidr(vcpu.ids[id]);
            }
            /* Of the 14 caches that there can be CLIDR_EL1 has two. */
            listed -= 12;
            fake_kvm_free(vcpu.fake);
        }
        g_test_message("%u vCPUs: %u writes, %u reads", vcpus[i], sets, gets);
        g_assert_cmpuint(sets, ==, 2 * vcpus[i]);
        g_assert_cmpuint(gets, ==, listed - of_vm);
    }
}

/* QEMU's list of a vCPU may be wrong about it: then all is written. */
static void test_load_stale(void)
{
    Error *err = NULL;
    Vcpu vcpu;

    vcpu_init(&vcpu);
    fake_kvm_register(vcpu.fake, FAKE_CNTP_CVAL)->value = 0x99;
    g_assert_cmpint(vcpu_load(&vcpu, true, &error_abort), ==, HVC_LOADED);
    g_assert_cmphex(fake_kvm_value(vcpu.fake, FAKE_CNTP_CVAL), ==, 0);
    fake_kvm_register(vcpu.fake, FAKE_CNTP_CVAL)->value = 0x99;
    fake_kvm_register(vcpu.fake, FAKE_CNTP_CVAL)->ignores = UINT64_MAX;
    vcpu.fake->gets = 0;
    g_assert_cmpint(vcpu_load(&vcpu, true, &err), ==, HVC_LOAD_NOT_KEPT);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    NOT_KEPT("CNTP_CVAL_EL0 = 0x0 [0x603000000013df12], here "
                             "it is 0x99 (bits [63:0] 0x0 -> 0x99)"));
    error_free(err);
    fake_kvm_free(vcpu.fake);
}

static void test_load_refused(void)
{
    Error *err = NULL;
    Vcpu vcpu;

    vcpu_init(&vcpu);
    vcpu_comes_with(&vcpu, FAKE_CNTP_CVAL, 0x1234);
    fake_kvm_register(vcpu.fake, FAKE_CNTP_CVAL)->set_errno = EINVAL;
    g_assert_cmpint(vcpu_load(&vcpu, false, &err), ==, HVC_LOAD_REFUSED);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    REFUSED("CNTP_CVAL_EL0 = 0x1234 [0x603000000013df12], here "
                            "it is 0x0 (Invalid argument: bits [63:0] 0x1234 "
                            "-> 0x0)"));
    error_free(err);
    fake_kvm_free(vcpu.fake);
}

/* The list of the scratch VM, on a vCPU that does not have all of it */
static void test_read(void)
{
    Error *err = NULL;
    Vcpu vcpu;

    vcpu_init(&vcpu);
    fake_kvm_remove(vcpu.fake, FAKE_OSLSR);
    g_assert_false(hvc_state_read(&vcpu.fake->kvm, 3, vcpu.ids, vcpu.values,
                                  vcpu.count, &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "guest-abi: this host's kernel lists OSLSR_EL1 "
                    "[0x603000000013808c] for a VM like this one, and vCPU 3 "
                    "does not have it: No such file or directory; use another "
                    "kernel, and report this one's version");
    error_free(err);
    fake_kvm_free(vcpu.fake);
}

int main(int argc, char **argv)
{
    module_call_init(MODULE_INIT_TRACE);
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/hvc-kvm-state/apply", test_apply);
    g_test_add_func("/hvc-kvm-state/apply/no-cache", test_apply_no_cache);
    g_test_add_func("/hvc-kvm-state/apply/gic", test_apply_gic);
    g_test_add_func("/hvc-kvm-state/apply/refused", test_apply_refused);
    g_test_add_func("/hvc-kvm-state/check", test_check);
    g_test_add_func("/hvc-kvm-state/levels", test_levels);
    g_test_add_func("/hvc-kvm-state/left-out", test_left_out);
    g_test_add_func("/hvc-kvm-state/incoming", test_incoming);
    g_test_add_func("/hvc-kvm-state/incoming/pmu", test_incoming_pmu);
    g_test_add_func("/hvc-kvm-state/write", test_write);
    g_test_add_func("/hvc-kvm-state/write/many", test_write_many);
    g_test_add_func("/hvc-kvm-state/kept", test_kept);
#ifdef CONFIG_TRACE_LOG
    g_test_add_func("/hvc-kvm-state/traced", test_traced);
#endif
    g_test_add_func("/hvc-kvm-state/kept/timer", test_kept_timer);
    g_test_add_func("/hvc-kvm-state/kept/pmcr", test_kept_pmcr);
    g_test_add_func("/hvc-kvm-state/kept/cache", test_kept_cache);
    g_test_add_func("/hvc-kvm-state/pmu", test_pmu);
    g_test_add_func("/hvc-kvm-state/pmu/reset", test_pmu_reset);
    g_test_add_func("/hvc-kvm-state/pmu/alias", test_pmu_alias);
    g_test_add_func("/hvc-kvm-state/pmu/refused", test_pmu_refused);
    g_test_add_func("/hvc-kvm-state/load/cost", test_load_cost);
    g_test_add_func("/hvc-kvm-state/load/stale", test_load_stale);
    g_test_add_func("/hvc-kvm-state/load/refused", test_load_refused);
    g_test_add_func("/hvc-kvm-state/read", test_read);
    return g_test_run();
}
