/*
 * Tests of the call engine
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Changed registers and exceptions that the engine misses, all tests miss.
 */

#include "qemu/osdep.h"
#include "case.h"

static void test_clobbers_found(const void *opaque)
{
    const Case *c = opaque;
    uint64_t expected = CALL_CHANGED_SP | CALL_CHANGED_Q(3) |
                        CALL_CHANGED_Q(31) |
                        (c->setup.aarch32 ? 1 << 5 | 1 << 9
                                          : 1 << 9 | 1 << 19);
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    unsigned clobber, call;

    if (case_missing(&c->setup)) {
        return;
    }
    clobber = calls_add(calls, VCPU(0), CALL_CLOBBER, 0, 0, 0, 0);
    call = calls_call(calls, PSCI_VERSION);
    vm = vm_run(&c->setup, calls);
    g_assert_cmphex(vm_result(vm, 0, clobber).changed, ==, expected);
    g_assert_cmpuint(vm_result(vm, 0, clobber).state, ==, CALL_DONE);
    g_assert_cmphex(vm_result(vm, 0, call).changed, ==, 0);
}

static void test_exceptions_found(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    unsigned undefined, abort, call;

    if (case_missing(&c->setup)) {
        return;
    }
    /* SMC is UNDEFINED without EL2 and EL3; no device is at 0x0f000000. */
    undefined = calls_call(calls, PSCI_VERSION);
    calls_step(calls)->conduit = CALL_CONDUIT_SMC;
    abort = calls_add(calls, VCPU(0), CALL_READ, 0x0f000000, 0, 0, 0);
    call = calls_call(calls, PSCI_VERSION);
    vm = vm_run(&c->setup, calls);
    g_assert_cmpuint(vm_result(vm, 0, undefined).state, ==, CALL_EXCEPTION);
    g_assert_cmpuint(vm_result(vm, 0, abort).state, ==, CALL_EXCEPTION);
    g_assert_cmphex(vm_result(vm, 0, abort).fault, ==, 0x0f000000);
    vm_expect(vm, 0, call, PSCI(1, 1), 0, 0, 0);
}

static void test_tour(const void *opaque)
{
    const Case *c = opaque;
    g_autofree char *serial = vm_scratch("serial");
    g_autofree char *extra = g_strdup_printf("-serial file:%s", serial);
    g_autofree char *text = NULL;
    Setup setup = c->setup;
    g_autoptr(Vm) vm = NULL;

    setup.extra = extra;
    if (case_missing(&setup)) {
        return;
    }
    vm = vm_run_alone(&setup, NULL);
    g_assert_true(g_file_get_contents(serial, &text, NULL, NULL));
    g_test_message("%s", text);
    g_assert_nonnull(strstr(text, "hvc 0x84000000\tRes:  "
                                  "0x10001 0x0 0x0 0x0\n"));
    g_assert_nonnull(strstr(text, "hvc 0x84000052\tRes:  "
                                  "0xe0210d 0xeb118443 0x44527080 "
                                  "0x4c5a4e55\n"));
    g_assert_null(strstr(text, "Exception"));
    g_assert_null(strstr(text, "Changed"));
}

void guest_engine_tests(void)
{
    for (unsigned aarch32 = 0; aarch32 < 2; aarch32++) {
        const char *name = aarch32 ? "aarch32" : "aarch64";
        const Case c = {
            .setup = { .services = "linux-6.12", .aarch32 = aarch32 },
        };

        case_add(test_clobbers_found, &c, "engine/%s/finds-changed-registers",
                 name);
        case_add(test_exceptions_found, &c, "engine/%s/survives-exceptions",
                 name);
        case_add(test_tour, &c, "engine/%s/tour-without-a-list", name);
    }
}
