/*
 * Unit tests of contracts that go from each fake kernel to each other one
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qapi/error.h"
#include "qapi/qapi-commands-guest-abi.h"
#include "qapi/qapi-visit-guest-abi.h"
#include "qapi/qobject-output-visitor.h"
#include "migration/qemu-compat.h"
#include "../fake/contract-loader.h"
#include "contract-util.h"

/* Where one process leaves what another one reads */
#define DIR_VARIABLE "TEST_HVC_KVM_ABI_DIR"

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

    /* What Linux 5.13 to 5.18 cannot hide is for another test. */
    fake->kvm.ptp = false;
    if (with_profile) {
        g_autofree char *file = path_of("query", FAKE_6_1, false);
        HvcVm *vm = contract_vm_new(fake);

        vm->profile = hvc_kvm_profile_load(file, &error_abort);
        g_assert_true(hvc_kvm_promise(vm, &error_abort));
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
    fake_kvm_assert_same(fake, before, true);
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
        ? g_strdup_printf("/hvc-kvm-contract/subprocess/source/%s/%d",
                          fake_kvm_name(journey->from), journey->profile)
        : g_strdup_printf("/hvc-kvm-contract/subprocess/destination/%s/%s/%d",
                          fake_kvm_name(journey->from),
                          fake_kvm_name(journey->to), journey->profile);
}

static void add_subprocesses(void)
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

void contract_add_journeys(void)
{
    add_subprocesses();
    g_test_add_func("/hvc-kvm-contract/journeys", test_journeys);
}
