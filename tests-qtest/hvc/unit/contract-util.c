/*
 * What a fake kernel's VM promises its guest: what tests of it share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "../fake/contract-loader.h"
#include "../fake/fake-vm.h"
#include "contract-util.h"

const GuestAbiValue on_5_10[ON_5_10_SIZE] = {
    { "arm.pv-time-discovery", 1 },
    { "arm.gic", 0x103 },
    { "arm.its", 0 },
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

const GuestAbiValue on_6_1[ON_6_1_SIZE] = {
    { "arm.pv-time-discovery", 0 },
    { "arm.gic", 0x103 },
    { "arm.its", 0 },
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
const GuestAbiValue on_6_12[ON_6_12_SIZE] = {
    { "arm.pv-time-discovery", 0 },
    { "arm.gic", 0x103 },
    { "arm.its", 0 },
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

const GuestAbiValue on_7_3[ON_7_3_SIZE] = {
    { "arm.pv-time-discovery", 0 },
    { "arm.gic", 0x103 },
    { "arm.its", 0 },
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

static bool adopted(Error **errp)
{
    hvc_kvm_adopt(hvc_vm);
    return true;
}

HvcVm *contract_vm_new(const FakeKvm *fake)
{
    HvcVm *vm = fake_vm_new(fake);

    vm->recipe.gic_version = 3;
    guest_abi_set_adopted(adopted);
    return vm;
}

void promise(const FakeKvm *fake)
{
    g_assert_null(hvc_vm);
    g_assert_true(hvc_kvm_promise(contract_vm_new(fake), &error_abort));
    g_assert_nonnull(hvc_vm);
    g_assert_cmpuint(fake->there, ==, 0);
}

uint64_t promised(const char *name)
{
    const GuestAbiDefinition *definition = guest_abi_definition_by_name(name);

    g_assert_nonnull(definition);
    return definition->promised;
}

void assert_contract(const GuestAbiValue *values, unsigned count)
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

void check_value(const char *name, uint64_t value, const char *refusal)
{
    g_autoptr(GuestAbiIncoming) incoming = contract_own_but(name, &value);
    g_autofree char *text = contract_refusal(incoming, name);

    g_test_message("%s = 0x%" PRIx64, name, value);
    g_assert_cmpstr(text, ==, refusal);
}

void check_refused(const char *name, uint64_t value)
{
    g_autoptr(GuestAbiIncoming) incoming = contract_own_but(name, &value);
    g_autofree char *text = contract_refusal(incoming, name);

    g_assert_nonnull(text);
}

bool can_be_missing(const char *name)
{
    g_autoptr(GuestAbiIncoming) incoming = contract_own_but(name, NULL);
    g_autofree char *text = contract_refusal(incoming, name);

    return !text;
}

/* A text of several misfits says once what to do about those that share it. */
void assert_says(const char *text, const char *misfit)
{
    g_autofree char *reason = NULL;
    char *remedy;

    if (!misfit) {
        g_assert_cmpstr(text, ==, NULL);
        return;
    }
    misfit += g_str_has_prefix(misfit, PREFIX) ? strlen(PREFIX) : 0;
    reason = g_strdup(misfit);
    remedy = g_strrstr(reason, "; ");
    g_test_message("%s", text);
    if (remedy) {
        g_assert_nonnull(strstr(text, remedy));
        *remedy = 0;
    }
    g_assert_nonnull(strstr(text, reason));
}
