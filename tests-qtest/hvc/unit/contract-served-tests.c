/*
 * Unit tests of what people are told about who serves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-guest-abi.h"
#include "target/arm/hvc/abi.h"
#include "target/arm/hvc/kvm-firmware.h"
#include "../fake/fake-vm.h"
#include "contract-util.h"

/**
 * Served: an entry of the contract
 * @name: of the entry
 * @names: its words
 * @by_qemu: those of them that QEMU serves; "" if it is none
 * @line: the entry in HMP
 */
typedef struct Served {
    const char *name;
    const char *names;
    const char *by_qemu;
    const char *line;
} Served;

#define SERVED_ENTRIES 5

/* Of a VM with all services and PSCI 1.3, on Linux 6.12 */
static const Served served_6_12[SERVED_ENTRIES] = {
    { "arm.std-bmap", "trng", "",
      "arm.std-bmap                 0x1        exact    option  trng" },
    { "arm.std-hyp-bmap", "pv-time", "",
      "arm.std-hyp-bmap             0x1        exact    option  pv-time" },
    { "arm.vendor-hyp-bmap", "vendor-features ptp mem-share",
      "vendor-features mem-share",
      "arm.vendor-hyp-bmap          0x1f       exact    option  "
      "vendor-features ptp mem-share (vendor-features by QEMU) "
      "(mem-share by QEMU)" },
    { "arm.vendor-hyp-bmap-2", "implementation-cpus", "implementation-cpus",
      "arm.vendor-hyp-bmap-2        0x3        exact    option  "
      "implementation-cpus (implementation-cpus by QEMU)" },
    { "arm.psci-version", "1.3", "1.3",
      "arm.psci-version             0x10003    exact    floor   1.3 "
      "(1.3 by QEMU)" },
};

static char *words(const strList *list)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (; list; list = list->next) {
        g_string_append_printf(text, "%s%s", text->len ? " " : "",
                               list->value);
    }
    return g_strdup(text->str);
}

/* @vendor: bits of the vendor services; the others, and PSCI 1.3, are chosen */
static void check_served(FakeKernel kernel, uint64_t vendor,
                         const Served *expected)
{
    const HvcSet set = { { 0x1, 0x1, vendor, 0x3 }, 0x10003 };
    g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);
    g_autoptr(GuestAbiContract) contract = NULL;
    g_autofree char *info = NULL;
    g_auto(GStrv) lines = NULL;
    const GuestAbiEntryList *e;
    HvcShare share;

    hvc_kvm_pin(&fake->kvm, &set, FAKE_VM_OPTIONS, &share, &error_abort);
    hvc_abi_promise(&set, FAKE_VM_OPTIONS, GUEST_ABI_ORIGIN_OPTION,
                    GUEST_ABI_ORIGIN_FLOOR);
    hvc_abi_served(&share.qemu);

    contract = qmp_query_guest_abi(&error_abort);
    info = fake_vm_info_guest_abi();
    lines = g_strsplit(info, "\n", -1);
    e = contract->entries;
    for (unsigned i = 0; i < SERVED_ENTRIES; i++, e = e->next) {
        const GuestAbiEntry *entry = e->value;
        g_autofree char *names = words(entry->names);
        g_autofree char *by_qemu = words(entry->by_qemu);

        g_assert_cmpstr(entry->name, ==, expected[i].name);
        g_assert_cmpstr(names, ==, expected[i].names);
        g_assert_cmpstr(by_qemu, ==, expected[i].by_qemu);
        /* Absent rather than empty */
        g_assert_true(entry->has_by_qemu == !!*by_qemu);
        g_assert_cmpstr(lines[i], ==, expected[i].line);
    }
    g_assert_null(e);
    g_assert_cmpstr(lines[SERVED_ENTRIES], ==,
                    "the migration stream carries it");
}

static const Served psci_by_kernel = {
    "arm.psci-version", "1.3", "",
    "arm.psci-version             0x10003    exact    floor   1.3"
};

void test_served_6_12(void)
{
    check_served(FAKE_6_12, 0x1f, served_6_12);
}

/* Its kernel has the PSCI version, and no bits of mem-share. */
void test_served_7_3(void)
{
    Served expected[SERVED_ENTRIES];

    memcpy(expected, served_6_12, sizeof(expected));
    expected[4] = psci_by_kernel;
    check_served(FAKE_7_3, 0x1f, expected);
}

/* The kernel has all bits that its answer of FEATURES has. */
void test_served_features(void)
{
    Served expected[SERVED_ENTRIES];

    memcpy(expected, served_6_12, sizeof(expected));
    expected[2] = (Served) {
        "arm.vendor-hyp-bmap", "vendor-features ptp", "",
        "arm.vendor-hyp-bmap          0x3        exact    option  "
        "vendor-features ptp"
    };
    expected[4] = psci_by_kernel;
    check_served(FAKE_7_3, 0x3, expected);
}
