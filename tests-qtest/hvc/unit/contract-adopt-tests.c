/*
 * Unit tests of a contract that comes to a VM on a fake kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "target/arm/hvc/contract-entries.h"
#include "target/arm/hvc/kvm-state.h"
#include "../fake/contract-loader.h"
#include "contract-util.h"

/* As target/arm/hvc/abi.c has them: what is behind @opaque is no promise. */
static void add_services(void)
{
    guest_abi_add(&(GuestAbiDefinition) {
        .name = "arm.std-bmap", .rule = GUEST_ABI_RULE_EXACT,
        .opaque = (void *)1,
    });
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
    g_autoptr(GuestAbiIncoming) content = guest_abi_incoming_from_section(
        saved->data + 4, saved->len - 4, &error_abort);

    g_assert_cmpuint(guest_abi_incoming_count(content), ==, count);
    for (unsigned i = 0; i < count; i++) {
        const GuestAbiValue *value = guest_abi_incoming_entry(content, i);

        g_assert_cmpstr(value->name, ==, values[i].name);
        g_assert_cmphex(value->value, ==, values[i].value);
    }
    g_assert_nonnull(guest_abi_incoming_part(content, HVC_LIST_PART));
    /* A page or two, and not more with what kernels will yet list */
    g_assert_cmpuint(saved->len, <, 8192);
}

#define LOAD(values, refusal) do {                                      \
        g_autoptr(GByteArray) section = contract_section(values,              \
                                                   ARRAY_SIZE(values)); \
        check_load(section, refusal);                                   \
    } while (0)

/* What came is what the guest has from now on, also for the next host. */
void test_adopt(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);
    GuestAbiValue levels[ARRAY_SIZE(on_6_1)];

    guest_abi_migrate();
    promise(fake);
    check_saved(on_6_12, ARRAY_SIZE(on_6_12));

    /* A guest that was told level 1 keeps it where there is level 2. */
    memcpy(levels, on_6_1, sizeof(levels));
    levels[3].value = 1;
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

/* Entries of services are among those of registers. */
void test_adopt_services(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    guest_abi_migrate();
    add_services();
    promise(fake);
    g_assert_cmphex(hvc_contract_id(
        guest_abi_definition_by_name("arm.std-bmap")), ==, 0);
    g_assert_cmphex(hvc_contract_id(
        guest_abi_definition_by_name("arm.clidr-el1")), ==, FAKE_CLIDR);
    LOAD(on_6_1, NULL);
    g_assert_cmphex(hvc_contract_value(&hvc_vm->contract, FAKE_CLIDR), ==,
                    0x82000023);
    g_assert_cmphex(hvc_contract_value(&hvc_vm->contract, FAKE_DFR0), ==,
                    0x10305406);
}

/* What did not come is 0; of a cache it says that there is none. */
void test_adopt_missing(void)
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
    fake_kvm_add(fake, &(FakeRegister) {
        FAKE_PMCR, FAKE_PMU, 0xa041, 0xa041,
    });
    promise(fake);
    g_assert_cmphex(promised("arm.pmcr-el0.n"), ==, 20);
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
    /* It may have six: what comes with the vCPUs stays at the next boot. */
    g_assert_cmphex(promised("arm.pmcr-el0.n"), ==, 0);
    fake_kvm_register(fake, FAKE_PMCR)->value = 0x3041;
    hvc_state_apply(&fake->kvm, &hvc_vm->contract, false);
    g_assert_true(hvc_state_check(&fake->kvm, &hvc_vm->contract, true,
                                  &error_abort));
    g_assert_cmphex(fake_kvm_value(fake, FAKE_PMCR), ==, 0x3041);
    g_assert_false(guest_abi_is_needed(
        guest_abi_definition_by_name("arm.pmcr-el0.n")));
    g_assert_false(guest_abi_is_needed(
        guest_abi_definition_by_name("arm.ccsidr-el1.l2-data")));
}

/* A contract that is refused leaves this one as it was. */
void test_adopt_refused(void)
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
void test_clidr_first(void)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_1);
    GuestAbiValue values[ARRAY_SIZE(on_6_12)];

    guest_abi_migrate();
    promise(fake);
    memcpy(values, on_6_12, sizeof(values));
    values[8].value = 0x10305406;
    LOAD(values, OTHER_VALUE("CLIDR_EL1", "0x2000021", "0x82000023",
                             "Ctype1 1 -> 3, ICB 0 -> 2"));
}
