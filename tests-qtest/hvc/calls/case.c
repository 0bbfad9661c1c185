/*
 * Test cases: which VM, which calls, under which name
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "case.h"
#include "host.h"

const CaseMode case_modes[] = {
    { "2-vcpus/thread=multi", "tcg,thread=multi", NULL, 2 },
    { "2-vcpus/thread=single", "tcg,thread=single", NULL, 2 },
    { "8-vcpus/thread=multi", "tcg,thread=multi", NULL, 8 },
    { "8-vcpus/thread=single", "tcg,thread=single", NULL, 8 },
    { "1-vcpu/icount-auto", "tcg", "-icount shift=auto", 1 },
    { "2-vcpus/icount-3", "tcg", "-icount shift=3", 2 },
};
const unsigned case_modes_count = ARRAY_SIZE(case_modes);

const CasePsci case_psci_versions[] = {
    { "0.2", PSCI(0, 2) },
    { "1.0", PSCI(1, 0) },
    { "1.1", PSCI(1, 1) },
    { "1.2", PSCI(1, 2) },
    { "1.3", PSCI(1, 3) },
};
const unsigned case_psci_versions_count = ARRAY_SIZE(case_psci_versions);

const Offer case_offer_none = { 0, PSCI(1, 1) };
const Offer case_offer_linux_6_12 = { ALL_SERVICES, PSCI(1, 1) };
const Offer case_offer_linux_6_18 = { ALL_SERVICES, PSCI(1, 3) };

void case_add(void (*test)(const void *opaque), const Case *from,
              const char *format, ...)
{
    g_autofree char *name = NULL;
    g_autofree char *path = NULL;
    va_list ap;

    va_start(ap, format);
    name = g_strdup_vprintf(format, ap);
    va_end(ap);
    path = g_strdup_printf("hvc/guest/%s", name);
    qtest_add_data_func_full(path, g_memdup2(from, sizeof(*from)), test,
                             g_free);
}

bool case_missing(const Setup *setup)
{
    g_autofree char *reason = vm_missing(setup);

    alarm(HANG_S);
    if (reason) {
        g_test_skip(reason);
    }
    return reason;
}

void case_add_families(Calls *calls, const Family *only,
                       unsigned first[CASE_FAMILIES])
{
    g_assert_cmpuint(families_count, <=, CASE_FAMILIES);
    for (unsigned i = 0; i < families_count; i++) {
        if (!only || only == &families[i]) {
            first[i] = rows_add(calls, &families[i]);
        }
    }
    calls_barrier(calls, calls->all);
}

void case_check_families(const Vm *vm, const Offer *offer, const Calls *calls,
                         const Family *only,
                         const unsigned first[CASE_FAMILIES])
{
    for (unsigned i = 0; i < families_count; i++) {
        if (!only || only == &families[i]) {
            rows_check(vm, offer, calls, &families[i], first[i]);
        }
    }
}

void case_test_families(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(c->vcpus ?: 1);
    g_autoptr(Vm) vm = NULL;
    unsigned first[CASE_FAMILIES];

    if (case_missing(&c->setup)) {
        return;
    }
    calls->flags = c->flags;
    calls_start_all(calls);
    calls->immediate = c->immediate;
    case_add_families(calls, c->family, first);
    vm = vm_run(&c->setup, calls);
    case_check_families(vm, &c->offer, calls, c->family, first);
}
