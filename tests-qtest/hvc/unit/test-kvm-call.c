/*
 * Unit tests of calls that a fake kernel hands over
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "target/arm/hvc/dispatch.h"
#include "target/arm/hvc/implementations.h"
#include "target/arm/hvc/kvm-call.h"
#include "../fake/fake-kvm.h"
#include "../fake/fake-pages.h"

#define NOT_SUPPORTED UINT64_MAX
#define INVALID       (UINT64_MAX - 1)
#define DENIED        (UINT64_MAX - 2)
#define FAILED        (UINT64_MAX - 5)

/* X0 to X30, and what a caller has in them that is no argument */
#define REGISTERS 31
#define JUNK(n)   (0xdead00000000beefULL + ((uint64_t)(n) << 32))

static const HvcSet psci_1_2 = { { 1, 1, 3, 0 }, 0x10002 };
static const HvcSet psci_1_3 = { { 1, 1, 3, 0 }, 0x10003 };

static FakeKvm *new_vcpu(void)
{
    FakeKvm *fake = fake_kvm_new_empty();

    for (unsigned n = 0; n < REGISTERS; n++) {
        fake_kvm_add(fake, &(FakeRegister) { FAKE_X(n), .value = JUNK(n) });
    }
    return fake;
}

static void set_arguments(FakeKvm *fake, const uint64_t *x)
{
    for (unsigned n = 0; n < 4; n++) {
        fake_kvm_register(fake, FAKE_X(n))->value = x[n];
    }
}

static HvcEvent make_call(FakeKvm *fake, uint32_t function, bool smc,
                          bool aarch64)
{
    HvcCall call = { .function = function, .smc = smc, .aarch64 = aarch64 };

    fake->gets = 0;
    fake->sets = 0;
    g_assert_true(hvc_kvm_call(&fake->kvm, &call, &error_abort));
    for (unsigned n = 0; n < 4; n++) {
        g_assert_cmphex(fake_kvm_value(fake, FAKE_X(n)), ==, call.result[n]);
    }
    for (unsigned n = 4; n < REGISTERS; n++) {
        g_assert_cmphex(fake_kvm_value(fake, FAKE_X(n)), ==, JUNK(n));
    }
    /* X0 to X3, each once, and nothing else */
    g_assert_cmpuint(fake->sets, ==, 4);
    return call.event;
}

/* What Linux 6.18 answers, and how many arguments it takes to know */
static const struct {
    uint64_t x[4];
    uint64_t psci_1_2, psci_1_3, aarch32;
    unsigned reads;
    HvcEvent event;
} answers[] = {
    { { 0x84000000 }, 0x10002, 0x10003, 0x10003 },

    { { 0x8400000a, 0x84000000 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0x84000001 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0xc4000001 }, 0, 0, NOT_SUPPORTED, 1 },
    { { 0x8400000a, 0x84000002 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0xc4000002 }, NOT_SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED,
      1 },
    { { 0x8400000a, 0x84000003 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0xc4000003 }, 0, 0, NOT_SUPPORTED, 1 },
    { { 0x8400000a, 0x84000004 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0xc4000004 }, 0, 0, NOT_SUPPORTED, 1 },
    { { 0x8400000a, 0x84000005 }, NOT_SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED,
      1 },
    { { 0x8400000a, 0x84000006 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0x84000008 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0x84000009 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0x8400000a }, 0, 0, 0, 1 },
    { { 0x8400000a, 0x8400000e }, NOT_SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED,
      1 },
    { { 0x8400000a, 0xc400000e }, NOT_SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED,
      1 },
    { { 0x8400000a, 0x84000012 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0xc4000012 }, 0, 0, NOT_SUPPORTED, 1 },
    { { 0x8400000a, 0x84000015 }, NOT_SUPPORTED, 1, 1, 1 },
    { { 0x8400000a, 0xc4000015 }, NOT_SUPPORTED, 1, NOT_SUPPORTED, 1 },
    { { 0x8400000a, 0x80000000 }, 0, 0, 0, 1 },
    { { 0x8400000a, 0x80000001 }, NOT_SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED,
      1 },
    { { 0x8400000a, 0x84000050 }, NOT_SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED,
      1 },
    /* Of the argument W1 counts. */
    { { 0x8400000a, 0x1234567884000000 }, 0, 0, 0, 1 },

    { { 0x84000015, 0, 0 }, NOT_SUPPORTED, FAILED, FAILED, 2, HVC_EVENT_OFF },
    { { 0x84000015, 1, 0 }, NOT_SUPPORTED, FAILED, FAILED, 2, HVC_EVENT_OFF },
    { { 0x84000015, 2, 0 }, NOT_SUPPORTED, INVALID, INVALID, 1 },
    { { 0x84000015, 1, 1 }, NOT_SUPPORTED, INVALID, INVALID, 2 },
    /* A 32-bit function's cookie has 32 bits. */
    { { 0x84000015, 1, 0x100000000 }, NOT_SUPPORTED, FAILED, FAILED, 2,
      HVC_EVENT_OFF },
    { { 0xc4000015, 0, 0 }, NOT_SUPPORTED, FAILED, NOT_SUPPORTED, 2,
      HVC_EVENT_OFF },
    { { 0xc4000015, 1, 0 }, NOT_SUPPORTED, FAILED, NOT_SUPPORTED, 2,
      HVC_EVENT_OFF },
    { { 0xc4000015, 2, 0 }, NOT_SUPPORTED, INVALID, NOT_SUPPORTED, 1 },
    { { 0xc4000015, 1, 0x100000000 }, NOT_SUPPORTED, INVALID, NOT_SUPPORTED,
      2 },
    { { 0xc4000015, 0x100000001, 0 }, NOT_SUPPORTED, FAILED, NOT_SUPPORTED, 2,
      HVC_EVENT_OFF },
};

static void check_answers(const HvcSet *set, bool smc, bool aarch64)
{
    g_autoptr(FakeKvm) fake = new_vcpu();

    hvc_dispatch_init(set);
    for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
        uint64_t expected = set == &psci_1_2 ? answers[i].psci_1_2 :
                            aarch64 ? answers[i].psci_1_3 : answers[i].aarch32;
        HvcEvent event = expected == FAILED ? answers[i].event
                                            : HVC_EVENT_NONE;
        bool there = expected != NOT_SUPPORTED ||
                     answers[i].x[0] == 0x8400000a;

        g_test_message("0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64,
                       answers[i].x[0], answers[i].x[1], answers[i].x[2]);
        set_arguments(fake, answers[i].x);
        g_assert_cmpint(make_call(fake, answers[i].x[0], smc, aarch64), ==,
                        event);
        g_assert_cmphex(fake_kvm_value(fake, FAKE_X(0)), ==, expected);
        for (unsigned n = 1; n < 4; n++) {
            g_assert_cmphex(fake_kvm_value(fake, FAKE_X(n)), ==, 0);
        }
        g_assert_cmpuint(fake->gets, ==, there ? answers[i].reads : 0);
    }
}

static void test_psci_1_2(void)
{
    check_answers(&psci_1_2, false, true);
}

static void test_psci_1_3(void)
{
    check_answers(&psci_1_3, false, true);
}

static void test_smc(void)
{
    check_answers(&psci_1_3, true, true);
}

static void test_aarch32(void)
{
    check_answers(&psci_1_3, false, false);
}

/* A call, its result, and how many registers of the guest's it takes */
typedef struct Answered {
    uint64_t x[4], result[4];
    unsigned reads;
} Answered;

static void check_calls(FakeKvm *fake, const Answered *cases, size_t count)
{
    for (unsigned i = 0; i < count; i++) {
        g_test_message("0x%" PRIx64 " 0x%" PRIx64, cases[i].x[0],
                       cases[i].x[1]);
        set_arguments(fake, cases[i].x);
        g_assert_cmpint(make_call(fake, cases[i].x[0], false, true), ==,
                        HVC_EVENT_NONE);
        for (unsigned n = 0; n < 4; n++) {
            g_assert_cmphex(fake_kvm_value(fake, FAKE_X(n)), ==,
                            cases[i].result[n]);
        }
        g_assert_cmpuint(fake->gets, ==, cases[i].reads);
    }
}

/* Linux Documentation/virt/kvm/arm/hypercalls.rst */
static void test_implementations(void)
{
    static const HvcSet told = { { 0, 0, 1, 3 }, 0x10001 };
    static const HvcImplementations list = {
        .count = 2,
        .cpu = { { 0x414fd0c1 }, { 0x410fd0b1, 0x5, 0x123456789abcdef0 } },
    };
    static const Answered cases[] = {
        { { 0x86000000 }, { 1, 0, 3, 0 } },
        { { 0xc6000040 }, { 0, 0x10000, 2, 0 } },
        { { 0xc6000041, 0 }, { 0, 0x414fd0c1, 0, 0 }, 1 },
        { { 0xc6000041, 1 }, { 0, 0x410fd0b1, 5, 0x123456789abcdef0 }, 1 },
        { { 0xc6000041, 2 }, { UINT64_MAX - 2 }, 1 },
        { { 0xc6000041, UINT64_MAX }, { UINT64_MAX - 2 }, 1 },
        { { 0xc6000041, 0x100000000 }, { UINT64_MAX - 2 }, 1 },
        /* As Linux 6.15-rc did: X2 and X3 are whatever they were. */
        { { 0xc6000041, 1, 7, 7 }, { 0, 0x410fd0b1, 5, 0x123456789abcdef0 },
          1 },
        { { 0x86000040 }, { NOT_SUPPORTED } },
        { { 0xc6000042 }, { NOT_SUPPORTED } },
    };
    g_autoptr(FakeKvm) fake = new_vcpu();

    hvc_dispatch_init(&told);
    hvc_implementations_init(&list);
    check_calls(fake, cases, ARRAY_SIZE(cases));
}

/* Linux Documentation/virt/kvm/arm/hypercalls.rst */
static void test_mem_share(void)
{
    static const HvcSet sharing = { { 0, 0, 0x1d, 0 }, 0x10001 };
    static const Answered cases[] = {
        { { 0x86000000 }, { 0x1d } },
        { { 0xc6000002 }, { 4096 }, 3 },
        { { 0xc6000002, 1 }, { DENIED }, 1 },
        { { 0xc6000002, 0, 1 }, { DENIED }, 2 },
        { { 0xc6000002, 0, 0, 1ULL << 32 }, { DENIED }, 3 },
        { { 0xc6000004, FAKE_PAGE }, { DENIED }, 3 },
        { { 0xc6000003, FAKE_PAGE, 1 }, { DENIED }, 2 },
        { { 0xc6000003, FAKE_PAGE, 0, 1 }, { DENIED }, 3 },
        { { 0xc6000003, FAKE_PAGE + 1 }, { DENIED }, 3 },
        { { 0xc6000003, FAKE_PAGE + 0x1000 }, { DENIED }, 3 },
        { { 0xc6000003, FAKE_PAGE }, { 0 }, 3 },
        { { 0xc6000003, FAKE_PAGE }, { DENIED }, 3 },
        { { 0xc6000004, FAKE_PAGE, 7 }, { DENIED }, 2 },
        { { 0xc6000004, FAKE_PAGE }, { 0 }, 3 },
        { { 0xc6000004, FAKE_PAGE }, { DENIED }, 3 },
        { { 0x86000003, FAKE_PAGE }, { NOT_SUPPORTED } },
        { { 0xc6000005 }, { NOT_SUPPORTED } },
    };
    g_autoptr(FakeKvm) fake = new_vcpu();

    hvc_dispatch_init(&sharing);
    check_calls(fake, cases, ARRAY_SIZE(cases));
    /* To a 32-bit guest they are not there. */
    set_arguments(fake, (const uint64_t[]) { 0xc6000003, FAKE_PAGE, 0, 0 });
    make_call(fake, 0xc6000003, false, false);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_X0), ==, NOT_SUPPORTED);
}

/*
 * The kernel hands over what it was told to, but should it hand over more: no
 * handler that needs TCG's vCPU is called.
 */
static void test_hostile(void)
{
    g_autoptr(FakeKvm) fake = new_vcpu();
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261126);
    static const uint32_t bases[] = {
        0x80000000, 0x84000000, 0xc4000000, 0x84000050, 0xc5000020,
        0x86000000, 0x8600ff01, 0xc6000040,
    };
    unsigned events = 0, answered = 0;

    hvc_dispatch_init(&psci_1_3);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t function = bases[g_rand_int_range(rand, 0,
                                                   ARRAY_SIZE(bases))] +
                            g_rand_int_range(rand, 0, 32);
        uint64_t x[4] = { function };
        HvcEvent event;

        if (!g_rand_int_range(rand, 0, 4)) {
            function = g_rand_int(rand);
        }
        for (unsigned n = 0; n < 4; n++) {
            x[n] = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
            if (g_rand_boolean(rand)) {
                x[n] &= 1;
            }
        }
        set_arguments(fake, x);
        event = make_call(fake, function, g_rand_boolean(rand), true);
        g_assert_cmpuint(fake->gets, <=, 2);
        events += event != HVC_EVENT_NONE;
        answered += fake_kvm_value(fake, FAKE_X0) != NOT_SUPPORTED;
        g_assert_true(event == HVC_EVENT_NONE ||
                      (function | 0x40000000) == 0xc4000015);
        g_assert_true(fake_kvm_value(fake, FAKE_X0) == NOT_SUPPORTED ||
                      function == 0x84000000 || function == 0x8400000a ||
                      function == 0x86000000 ||
                      (function | 0x40000000) == 0xc4000015);
    }
    g_assert_cmpuint(events, >, 0);
    g_assert_cmpuint(answered, >, events);
}

/* A vCPU without its result does not go on, and nothing else happens either. */
static void check_error(uint64_t id, bool write, const char *refusal)
{
    g_autoptr(FakeKvm) fake = new_vcpu();
    HvcCall call = { .function = 0x84000015, .aarch64 = true };
    Error *err = NULL;

    set_arguments(fake, (const uint64_t[]) { 0x84000015, 1, 0, 0 });
    if (write) {
        fake_kvm_register(fake, id)->set_errno = EIO;
    } else {
        fake_kvm_register(fake, id)->get_errno = EIO;
    }
    g_assert_false(hvc_kvm_call(&fake->kvm, &call, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, refusal);
    error_free(err);
    g_assert_cmpint(call.event, ==, HVC_EVENT_NONE);
}

#define NO_ACCESS(n) \
    "hypercall 0x84000015 of the guest: this host's kernel does not give " \
    "access to X" n " of the calling vCPU: Input/output error"

static void test_errors(void)
{
    hvc_dispatch_init(&psci_1_3);
    check_error(FAKE_X(1), false, NO_ACCESS("1"));
    check_error(FAKE_X(2), false, NO_ACCESS("2"));
    check_error(FAKE_X(0), true, NO_ACCESS("0"));
    check_error(FAKE_X(3), true, NO_ACCESS("3"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/hvc-kvm-call/psci-1.2", test_psci_1_2);
    g_test_add_func("/hvc-kvm-call/psci-1.3", test_psci_1_3);
    g_test_add_func("/hvc-kvm-call/smc", test_smc);
    g_test_add_func("/hvc-kvm-call/aarch32", test_aarch32);
    g_test_add_func("/hvc-kvm-call/implementations", test_implementations);
    g_test_add_func("/hvc-kvm-call/mem-share", test_mem_share);
    g_test_add_func("/hvc-kvm-call/hostile", test_hostile);
    g_test_add_func("/hvc-kvm-call/errors", test_errors);
    return g_test_run();
}
