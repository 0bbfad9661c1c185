/*
 * Unit tests of guest-abi-profile on a fake kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qapi/error.h"
#include "target/arm/hvc/kvm-profile.h"
#include "target/arm/hvc/kvm-scratch.h"
#include "target/arm/hvc/kvm-state.h"
#include "../fake/contract-loader.h"
#include "../fake/fake-kvm.h"
#include "../fake/fake-vm.h"

#define MAX_SIZE (1024 * 1024)

#define NOT_A_PROFILE " is not a profile: "
#define REMEDY \
    "; make FILE with query-guest-abi of a VM under KVM on the fleet's " \
    "oldest host"
#define OTHER_VALUE \
    "; use the profile of an older kernel, made with the -cpu options of " \
    "this VM"

/* Everything is written in here. */
static char *dir;

/**
 * Entry: an entry of a profile
 *
 * Unlike GuestAbiValue it can have a name that none may have.
 */
typedef struct Entry {
    const char *name;
    uint64_t value;
} Entry;

/* What a VM on Linux 6.1 was promised, on a Neoverse N1 */
static const Entry profile_6_1[] = {
    { "arm.std-bmap", 1 },
    { "arm.std-hyp-bmap", 1 },
    { "arm.vendor-hyp-bmap", 3 },
    { "arm.vendor-hyp-bmap-2", 0 },
    { "arm.psci-version", 0x10001 },
    { "arm.pv-time-discovery", 0 },
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

/* The same VM on Linux 6.12: caches that 6.12 invented, what the CPU has */
static const Entry profile_6_12[] = {
    { "arm.std-bmap", 1 },
    { "arm.smccc-arch-workaround-1", 2 },
    { "arm.midr-el1", 0x414fd0c1 },
    { "arm.id-aa64pfr0-el1", 0x1100000011110112 },
    { "arm.id-aa64dfr0-el1", 0x10305408 },
    { "arm.id-aa64mmfr3-el1", 0 },
    { "arm.clidr-el1", 0x02000021 },
    { "arm.ctr-el0", 0x9444c004 },
    { "arm.ccsidr-el1.l1-instruction", 2 },
    { "arm.ccsidr-el1.l2-data", 2 },
};

static char *entries_json(const Entry *entries, unsigned count)
{
    GString *json = g_string_new(NULL);

    for (unsigned i = 0; i < count; i++) {
        g_string_append_printf(json, "%s{\"name\": \"%s\", \"value\": %" PRIu64
                               "}", i ? ", " : "", entries[i].name,
                               entries[i].value);
    }
    return g_string_free(json, false);
}

static char *contract_json(const Entry *entries, unsigned count)
{
    g_autofree char *list = entries_json(entries, count);

    return g_strdup_printf("{\"machine\": \"virt-hvc-9.2\", \"migrated\": "
                           "true, \"entries\": [%s]}", list);
}

static char *file_name(void)
{
    return g_build_filename(dir, "profile", NULL);
}

static void write_file(const char *text, gssize size)
{
    g_autofree char *file = file_name();

    g_assert_true(g_file_set_contents(file, text, size, NULL));
}

static HvcKvmProfile *load_text(const char *text)
{
    g_autofree char *file = file_name();

    write_file(text, -1);
    return hvc_kvm_profile_load(file, &error_abort);
}

static HvcKvmProfile *load_entries(const Entry *entries, unsigned count)
{
    g_autofree char *json = contract_json(entries, count);

    return load_text(json);
}

/* A profile with one value changed, or one more entry */
static HvcKvmProfile *load_changed(const Entry *entries, unsigned count,
                                   const Entry *change)
{
    Entry changed[64];
    unsigned i = 0;

    g_assert_cmpuint(count, <, ARRAY_SIZE(changed));
    memcpy(changed, entries, count * sizeof(*entries));
    while (i < count && strcmp(changed[i].name, change->name)) {
        i++;
    }
    changed[i] = *change;
    return load_entries(changed, MAX(count, i + 1));
}

/* A profile without some of its entries */
static HvcKvmProfile *load_without(const Entry *entries, unsigned count,
                                   const char *prefix)
{
    Entry left[64];
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        if (!g_str_has_prefix(entries[i].name, prefix)) {
            left[n++] = entries[i];
        }
    }
    g_assert_cmpuint(n, <, count);
    return load_entries(left, n);
}

#define LOAD(entries) load_entries(entries, ARRAY_SIZE(entries))
#define LOAD_CHANGED(entries, ...) \
    load_changed(entries, ARRAY_SIZE(entries), &(Entry) { __VA_ARGS__ })
#define LOAD_WITHOUT(entries, prefix) \
    load_without(entries, ARRAY_SIZE(entries), prefix)

/* The list of CPUs */

/* The list of a fleet's profile: as many CPUs as it says */
static HvcKvmProfile *load_list(uint64_t count, const Entry *list,
                                unsigned list_count, Error **errp)
{
    Entry entries[ARRAY_SIZE(profile_6_1) + 64];
    unsigned n = ARRAY_SIZE(profile_6_1);
    g_autofree char *file = file_name();
    g_autofree char *json = NULL;

    memcpy(entries, profile_6_1, sizeof(profile_6_1));
    entries[n++] = (Entry) { "arm.implementation-cpus", count };
    for (unsigned i = 0; i < list_count; i++) {
        entries[n++] = list[i];
    }
    json = contract_json(entries, n);
    write_file(json, -1);
    return hvc_kvm_profile_load(file, errp);
}

#define CPU(number, part) "arm.implementation-cpu-" #number "." part
#define AGAIN "; make FILE again, with guest-abi-diff --fleet --profile-out"

static void test_list(void)
{
    static const Entry list[] = {
        { CPU(1, "midr"), 0x414fd0c1 }, { CPU(1, "revidr"), 0x55 },
        { CPU(0, "midr"), 0x410fd0b1 }, { CPU(0, "aidr"), UINT64_MAX },
        /* As good as not there */
        { CPU(2, "midr"), 0 },
    };
    g_autoptr(HvcKvmProfile) profile = load_list(2, list, ARRAY_SIZE(list),
                                                 &error_abort);
    g_autoptr(HvcKvmProfile) none = LOAD(profile_6_1);
    const HvcImplementation *cpu = profile->implementations.cpu;

    g_assert_cmpuint(profile->implementations.count, ==, 2);
    g_assert_true(hvc_implementation_equal(&cpu[0], &(HvcImplementation) {
        0x410fd0b1, 0, UINT64_MAX }));
    g_assert_true(hvc_implementation_equal(&cpu[1], &(HvcImplementation) {
        0x414fd0c1, 0x55, 0 }));
    g_assert_cmpuint(none->implementations.count, ==, 0);
}

static void check_no_list(uint64_t count, const Entry *list,
                          unsigned list_count, const char *rest)
{
    g_autofree char *file = file_name();
    g_autofree char *refusal = g_strconcat("guest-abi-profile=", file, rest,
                                           NULL);
    Error *err = NULL;

    g_assert_null(load_list(count, list, list_count, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, refusal);
    error_free(err);
}

static void test_list_refused(void)
{
    static const struct {
        uint64_t count;
        Entry list[3];
        const char *refusal;
    } cases[] = {
        { 1, { { CPU(0, "midr"), 0 } },
          ": CPU 0 ('arm.implementation-cpu-0.midr') has MIDR_EL1 = 0x0; "
          "needed: a number of 32 bits that is not 0" AGAIN },
        { 2, { { CPU(0, "midr"), 1 }, { CPU(1, "midr"), 0x1410fd490 } },
          ": CPU 1 ('arm.implementation-cpu-1.midr') has MIDR_EL1 = "
          "0x1410fd490; needed: a number of 32 bits that is not 0" AGAIN },
        { 2, { { CPU(0, "midr"), 0x414fd0c1 }, { CPU(1, "midr"), 0x414fd0c1 },
               { CPU(1, "aidr"), 0 } },
          ": CPU 1 ('arm.implementation-cpu-1.midr') is Neoverse-N1, "
          "0x414fd0c1/0x0/0x0, which is there already; needed: each CPU once"
          AGAIN },
        /* A gap, at either end too */
        { 3, { { CPU(0, "midr"), 1 }, { CPU(2, "midr"), 2 } },
          " has 'arm.implementation-cpus' = 3 and no entry "
          "'arm.implementation-cpu-1.midr'; needed: one for each CPU from 0 "
          "on" AGAIN },
        { 1, { { CPU(0, "revidr"), 1 }, { CPU(1, "midr"), 1 } },
          " has 'arm.implementation-cpus' = 1 and no entry "
          "'arm.implementation-cpu-0.midr'; needed: one for each CPU from 0 "
          "on" AGAIN },
        { 1, { { CPU(0, "midr"), 1 }, { CPU(1, "midr"), 2 } },
          " has 'arm.implementation-cpu-1.midr' = 0x2, of no CPU that its "
          "'arm.implementation-cpus' = 1 counts; needed: entries of CPUs below "
          "that number" AGAIN },
        { 0, { { CPU(0, "aidr"), 1 } },
          " has 'arm.implementation-cpu-0.aidr' = 0x1, of no CPU that its "
          "'arm.implementation-cpus' = 0 counts; needed: entries of CPUs below "
          "that number" AGAIN },
        /* Names that no list has */
        { 1, { { CPU(0, "midr"), 1 }, { CPU(00, "midr"), 2 } },
          " has 'arm.implementation-cpu-00.midr' = 0x2, of no CPU that its "
          "'arm.implementation-cpus' = 1 counts; needed: entries of CPUs below "
          "that number" AGAIN },
        { 1, { { CPU(0, "midr"), 1 }, { CPU(0, "smidr"), 2 } },
          " has 'arm.implementation-cpu-0.smidr' = 0x2, of no CPU that its "
          "'arm.implementation-cpus' = 1 counts; needed: entries of CPUs below "
          "that number" AGAIN },
        { 1, { { CPU(0, "midr"), 1 }, { CPU(4294967296, "midr"), 2 } },
          " has 'arm.implementation-cpu-4294967296.midr' = 0x2, of no CPU that "
          "its 'arm.implementation-cpus' = 1 counts; needed: entries of CPUs "
          "below that number" AGAIN },
        { UINT64_MAX, { },
          ": 'arm.implementation-cpus' names 18446744073709551615 CPUs; "
          "needed: at most 16; make FILE for fewer hosts, with guest-abi-diff "
          "--fleet --profile-out" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned n = 0;

        while (n < ARRAY_SIZE(cases[i].list) && cases[i].list[n].name) {
            n++;
        }
        check_no_list(cases[i].count, cases[i].list, n, cases[i].refusal);
    }
}

/* 16 CPUs are a list; the 17th is not left out silently. */
static void test_list_limit(void)
{
    Entry list[17];
    Error *err = NULL;

    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        list[i].name = g_strdup_printf("arm.implementation-cpu-%u.midr", i);
        list[i].value = 0x410fd000 + i;
    }
    hvc_kvm_profile_free(load_list(16, list, 16, &error_abort));
    g_assert_null(load_list(17, list, 17, &err));
    g_assert_true(g_str_has_suffix(error_get_pretty(err), ": "
        "'arm.implementation-cpus' names 17 CPUs; needed: at most 16; make "
        "FILE for fewer hosts, with guest-abi-diff --fleet --profile-out"));
    error_free(err);
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        g_free((char *)list[i].name);
    }
}

/* A profile of several CPUs is for guests that are told of them. */
static void test_list_told(void)
{
    static const Entry list[] = {
        { CPU(0, "midr"), 0x410fd0b1 }, { CPU(1, "midr"), 0x414fd0c1 },
    };
    g_autoptr(HvcKvmProfile) mixed = load_list(2, list, 2, &error_abort);
    g_autoptr(HvcKvmProfile) one = load_list(1, list, 1, &error_abort);
    g_autofree char *refusal = g_strconcat("guest-abi-profile=", mixed->file,
        " is of a fleet with 2 different CPUs, which needs the hvc service "
        "'implementation-cpus', so that the guest is told of them, this VM has "
        "hvc-services=linux-6.12; use "
        "hvc-services=linux-6.12:+implementation-cpus, or the profile of hosts "
        "with one CPU", NULL);
    Error *err = NULL;

    g_assert_false(hvc_kvm_profile_check_told(
        mixed, false, "linux-6.12",
        "hvc-services=linux-6.12:+implementation-cpus", &err));
    g_assert_cmpstr(error_get_pretty(err), ==, refusal);
    error_free(err);
    g_assert_true(hvc_kvm_profile_check_told(mixed, true, "X", "Y",
                                             &error_abort));
    g_assert_true(hvc_kvm_profile_check_told(one, false, "X", "Y",
                                             &error_abort));
}

/* Reading */

static void check_entry(const HvcKvmProfile *profile, unsigned index,
                        const char *name, uint64_t value)
{
    const GuestAbiValue *entry = guest_abi_incoming_entry(profile->contract,
                                                          index);

    g_assert_cmpstr(entry->name, ==, name);
    g_assert_cmphex(entry->value, ==, value);
}

static void check_values(const HvcKvmProfile *profile)
{
    g_autofree char *file = file_name();

    g_assert_cmpstr(profile->file, ==, file);
    g_assert_cmpuint(guest_abi_incoming_count(profile->contract), ==,
                     ARRAY_SIZE(profile_6_1));
    for (unsigned i = 0; i < ARRAY_SIZE(profile_6_1); i++) {
        check_entry(profile, i, profile_6_1[i].name, profile_6_1[i].value);
    }
}

static void test_load(void)
{
    static const char *const wrappers[] = {
        "%s",
        "%s\n",
        " \t\r\n%s\n\n",
        "{\"return\": %s}",
        "{\"return\": %s, \"id\": \"libvirt-17\"}\n",
        "{\n    \"id\": 17,\n    \"return\":\n%s\n}\n",
    };
    g_autofree char *json = contract_json(profile_6_1,
                                          ARRAY_SIZE(profile_6_1));

    for (unsigned i = 0; i < ARRAY_SIZE(wrappers); i++) {
        g_auto(GStrv) parts = g_strsplit(wrappers[i], "%s", 2);
        g_autofree char *text = g_strconcat(parts[0], json, parts[1], NULL);
        g_autoptr(HvcKvmProfile) profile = load_text(text);

        check_values(profile);
    }
    hvc_kvm_profile_free(NULL);
}

/* What query-guest-abi tells beside names and values */
static void test_load_whole(void)
{
    g_autoptr(HvcKvmProfile) profile = load_text(
        "{\"return\": {\"machine\": \"virt-10.0\", \"migrated\": false, "
        "\"entries\": [{\"name\": \"arm.std-bmap\", \"value\": 1, \"rule\": "
        "\"exact\", \"names\": [\"trng\"], \"origin\": \"type\"}, {\"origin\": "
        "\"default\", \"rule\": \"accepted\", \"value\": "
        "18446744073709551615, \"name\": \"arm.midr-el1\"}]}}");

    g_assert_cmpuint(guest_abi_incoming_count(profile->contract), ==, 2);
    check_entry(profile, 1, "arm.midr-el1", UINT64_MAX);
}

/* Names of 63 characters, and 1,024 entries, are what there is room for. */
static void test_load_limits(void)
{
    Entry entries[GUEST_ABI_MAX_ENTRIES];
    char names[GUEST_ABI_MAX_ENTRIES][GUEST_ABI_NAME_SIZE];
    g_autoptr(HvcKvmProfile) profile = NULL;

    g_assert_cmpuint(ARRAY_SIZE(entries), ==, 1024);
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        g_assert_cmpint(snprintf(names[i], sizeof(names[i]), "arm.%059u", i),
                        ==, 63);
        entries[i] = (Entry) { names[i], i };
    }
    entries[1023] = (Entry) { "arm.midr-el1", 1023 };
    profile = LOAD(entries);
    g_assert_cmpuint(guest_abi_incoming_count(profile->contract), ==, 1024);
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        check_entry(profile, i, entries[i].name, i);
    }
}

static void test_load_largest(void)
{
    g_autofree char *json = contract_json(profile_6_1,
                                          ARRAY_SIZE(profile_6_1));
    g_autofree char *text = g_malloc(MAX_SIZE + 1);
    size_t length = strlen(json);
    g_autoptr(HvcKvmProfile) profile = NULL;

    memset(text, ' ', MAX_SIZE);
    memcpy(text, json, length);
    text[MAX_SIZE] = 0;
    profile = load_text(text);
    check_values(profile);
}

/* Files that are none */

static void check_file(const char *file, const char *reason)
{
    g_autofree char *refusal = g_strconcat("guest-abi-profile=", file,
                                           NOT_A_PROFILE, reason, REMEDY,
                                           NULL);
    Error *err = NULL;

    g_assert_null(hvc_kvm_profile_load(file, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, refusal);
    error_free(err);
    /* Nobody needs to listen. */
    g_assert_null(hvc_kvm_profile_load(file, NULL));
}

static void test_no_file(void)
{
    g_autofree char *missing = g_build_filename(dir, "missing", NULL);
    g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
    g_autofree char *loop = g_build_filename(dir, "loop", NULL);
    g_autofree char *below = g_build_filename(dir, "profile", "below", NULL);

    write_file("{}", -1);
    check_file(missing, "cannot read it: No such file or directory");
    check_file("", "cannot read it: No such file or directory");
    check_file(below, "cannot read it: Not a directory");
    check_file(dir, "not a file of at most 1048576 bytes");
    check_file("/dev/zero", "not a file of at most 1048576 bytes");

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    check_file(fifo, "not a file of at most 1048576 bytes");
    g_assert_cmpint(g_unlink(fifo), ==, 0);

    g_assert_cmpint(symlink(loop, loop), ==, 0);
    check_file(loop, "cannot read it: Too many levels of symbolic links");
    g_assert_cmpint(g_unlink(loop), ==, 0);
}

static void test_secret_file(void)
{
    g_autofree char *file = file_name();
    g_autofree char *reason = NULL;

    if (!geteuid()) {
        g_test_skip("root may read every file");
        return;
    }
    write_file("{}", -1);
    g_assert_cmpint(g_chmod(file, 0), ==, 0);
    reason = g_strdup_printf("Failed to open file “%s”: Permission denied",
                             file);
    check_file(file, reason);
    g_assert_cmpint(g_unlink(file), ==, 0);
}

static void test_large_file(void)
{
    g_autofree char *file = file_name();

    write_file("", 0);
    g_assert_cmpint(truncate(file, MAX_SIZE + 1), ==, 0);
    check_file(file, "not a file of at most 1048576 bytes");
    g_assert_cmpint(truncate(file, 1LL << 40), ==, 0);
    check_file(file, "not a file of at most 1048576 bytes");
    g_assert_cmpint(truncate(file, MAX_SIZE), ==, 0);
    check_file(file, "not a text file");
}

static void test_nul_bytes(void)
{
    g_autofree char *json = contract_json(profile_6_1,
                                          ARRAY_SIZE(profile_6_1));
    g_autofree char *file = file_name();

    /* With the last, a valid profile has the byte behind it. */
    for (size_t at = 0; at <= strlen(json); at += strlen(json) / 2) {
        g_autofree char *text = g_strdup_printf("%s ", json);

        text[at] = 0;
        write_file(text, strlen(json) + 1);
        check_file(file, "not a text file");
    }
}

#define NO_OBJECT "no list 'entries', so it is not what query-guest-abi returns"
#define PRINTED "not as query-guest-abi printed it"
#define X86_CONTRACT \
    "{\"machine\": \"pc-q35-10.0\", \"migrated\": true, \"entries\": " \
    "[{\"name\": \"x86.xcr0\", \"value\": 7}, {\"name\": \"x86.xss\", " \
    "\"value\": 0}]}"
#define NO_MIDR "no entry 'arm.midr-el1', so it is not the contract of a VM " \
    "under KVM/arm64"
#define WITH_ENTRIES(entries) \
    "{\"machine\": \"virt\", \"migrated\": true, \"entries\": [" entries "]}"
#define WITH_NAME(name) \
    WITH_ENTRIES("{\"name\": \"" name "\", \"value\": 1}")
#define NO_NAME "an entry without a valid 'name' (1 to 63 visible ASCII " \
                "characters)"

static void test_contents(void)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        /* Not JSON: QEMU's parser says what it says. */
        { "", "Expecting a JSON value" },
        { "\r\n\t ", "Expecting a JSON value" },
        { "{", "JSON parse error, premature EOI" },
        { "{\"machine\": \"virt-10.0\", \"migrated\": true, \"entries\": [",
          "JSON parse error, premature EOI" },
        { "[1, 2", "JSON parse error, premature EOI" },
        { "hello", "JSON parse error, invalid keyword 'hello'" },
        { "\x7f" "ELF", "JSON parse error, stray '\x7f'" },
        { "# comment", "JSON parse error, stray '#'" },
        { "{} {}", "Expecting at most one JSON value" },
        { "}", "JSON parse error, expecting value" },
        /* What a terminal shows of a QMP session */
        { "{\"QMP\": {}}\n{\"return\": {}}\n" X86_CONTRACT,
          "Expecting at most one JSON value" },

        /* JSON of another shape */
        { "[]", NO_OBJECT },
        { "[" X86_CONTRACT "]", NO_OBJECT },
        { "17", NO_OBJECT },
        { "\"virt-10.0\"", NO_OBJECT },
        { "null", NO_OBJECT },
        { "true", NO_OBJECT },
        { "{\"return\": null}", NO_OBJECT },
        { "{\"return\": [{\"name\": \"q35\", \"cpu-max\": 1}]}", NO_OBJECT },
        { "{\"return\": [" X86_CONTRACT "]}", NO_OBJECT },
        { "{\"return\": \"\"}", NO_OBJECT },
        { "{\"return\": false}", NO_OBJECT },
        { "{\"id\": 17, \"return\": 17}", NO_OBJECT },
        { "{}", NO_OBJECT },
        { "{\"return\": {}}", NO_OBJECT },
        { "{\"return\": {\"return\": " X86_CONTRACT "}}", NO_OBJECT },
        { "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}",
          NO_OBJECT },
        { "{\"return\": {\"status\": \"running\", \"running\": true}}",
          NO_OBJECT },
        { "{\"machine\": \"virt\", \"migrated\": true}", NO_OBJECT },
        { "{\"machine\": \"virt\", \"migrated\": true, \"entries\": {}}",
          NO_OBJECT },
        { WITH_ENTRIES("7"), NO_NAME },
        { WITH_ENTRIES("{\"value\": 7}"), NO_NAME },
        { WITH_ENTRIES("{\"name\": \"arm.midr-el1\"}"),
          "entry 'arm.midr-el1' has no number 'value'" },
        { WITH_ENTRIES("{\"name\": \"arm.midr-el1\", \"value\": \"0x7\"}"),
          "entry 'arm.midr-el1' has no number 'value'" },
        { WITH_ENTRIES("{\"name\": \"arm.midr-el1\", \"value\": 1.5}"),
          "entry 'arm.midr-el1' has a 'value' that is no 64-bit integer, "
          PRINTED },
        { WITH_ENTRIES("{\"name\": \"arm.midr-el1\", \"value\": "
                       "18446744073709551616}"),
          "entry 'arm.midr-el1' has a 'value' that is no 64-bit integer, "
          PRINTED },
        /* jq 1.6 has written this in place of 0x1000000000000001. */
        { WITH_ENTRIES("{\"name\": \"arm.midr-el1\", \"value\": "
                       "1152921504606846976, \"hex\": "
                       "\"0x1000000000000001\"}"),
          "entry 'arm.midr-el1' has 'value' = 0x1000000000000000 and 'hex' = "
          "0x1000000000000001, " PRINTED "; a program such as jq before 1.7 "
          "rounds large numbers: use the reply as it came" },

        /* A contract, but not one of ours */
        { X86_CONTRACT, NO_MIDR },
        { "{\"return\": " X86_CONTRACT "}", NO_MIDR },
        { WITH_ENTRIES(""), NO_MIDR },
        { WITH_NAME("arm.midr"), NO_MIDR },
        { WITH_NAME("ARM.MIDR-EL1"), NO_MIDR },
        { WITH_NAME("arm.midr-el10"), NO_MIDR },

        { WITH_NAME(""), NO_NAME },
        { WITH_NAME("arm.midr el1"), NO_NAME },
        { WITH_NAME("arm.a-name-of-sixty-four-chars-12345678901234567890123456"
                    "7890123"), NO_NAME },
    };
    g_autofree char *file = file_name();

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_test_message("%s", cases[i].text);
        write_file(cases[i].text, -1);
        check_file(file, cases[i].reason);
    }
}

static void test_too_many_entries(void)
{
    Entry entries[GUEST_ABI_MAX_ENTRIES + 1];
    g_autofree char *file = file_name();
    g_autofree char *json = NULL;

    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        entries[i] = (Entry) { g_strdup_printf("arm.%u", i), i };
    }
    json = contract_json(entries, ARRAY_SIZE(entries));
    write_file(json, -1);
    check_file(file, "more than 1024 times 'entry'");
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        g_free((char *)entries[i].name);
    }
}

static void test_deep_nesting(void)
{
    g_autofree char *file = file_name();
    g_autofree char *text = g_malloc(MAX_SIZE + 1);

    memset(text, '[', MAX_SIZE);
    text[MAX_SIZE] = 0;
    write_file(text, -1);
    check_file(file, "JSON nesting depth limit exceeded");
}

/* Which of the two would count? */
static void test_duplicate_entry(void)
{
    g_autofree char *json = NULL, *file = file_name();
    Entry entries[ARRAY_SIZE(profile_6_1) + 1];
    Error *err = NULL;
    g_autoptr(HvcKvmProfile) profile = NULL;

    memcpy(entries, profile_6_1, sizeof(profile_6_1));
    entries[ARRAY_SIZE(profile_6_1)] =
        (Entry) { "arm.clidr-el1", 0x02000021 };
    json = contract_json(entries, ARRAY_SIZE(entries));
    write_file(json, -1);
    profile = hvc_kvm_profile_load(file, &err);
    g_assert_null(profile);
    g_assert_nonnull(strstr(error_get_pretty(err), "'arm.clidr-el1'"));
    g_assert_nonnull(strstr(error_get_pretty(err), NOT_A_PROFILE));
    error_free(err);
}

/* Applying */

/* As hvc_kvm_promise() does for a VM of @fake's kernel; @fake is its vCPU. */
static bool apply(const HvcKvmProfile *profile, FakeKvm *fake, Error **errp)
{
    g_autoptr(HvcVm) vm = fake_vm_new(fake);
    g_auto(HvcTruth) here = { }, truth = { };
    HvcContract wanted;

    g_assert_true(hvc_scratch_try(vm, NULL, &here, &error_abort));
    if (!hvc_kvm_profile_wanted(profile, &here.contract, false, &wanted,
                                errp)) {
        g_assert_cmpuint(fake->made, ==, 1);
        return false;
    }
    g_assert_true(hvc_scratch_try(vm, &wanted, &truth, &error_abort));
    g_assert_cmpuint(fake->there, ==, 0);
    if (!hvc_kvm_profile_check(profile, &wanted, &truth, errp)) {
        return false;
    }
    hvc_state_apply(&fake->kvm, &truth.contract, false);
    return true;
}

static void check_apply(const HvcKvmProfile *profile, FakeKvm *fake,
                        const char *prefix, const char *rest)
{
    Error *err = NULL;
    bool ok = apply(profile, fake, &err);

    fake->made = 0;

    if (err) {
        g_autofree char *refusal = g_strconcat(prefix ?: "", profile->file,
                                               rest, NULL);

        g_test_message("%s", error_get_pretty(err));
        g_assert_cmpstr(error_get_pretty(err), ==, refusal);
        error_free(err);
    }
    g_assert_true(ok == !rest);
    g_assert_true(ok == !err);
}

static void check_applies(const HvcKvmProfile *profile, FakeKvm *fake)
{
    check_apply(profile, fake, NULL, NULL);
}

static void check_refuses(const HvcKvmProfile *profile, FakeKvm *fake,
                          const char *rest)
{
    check_apply(profile, fake, "guest-abi-profile=", rest);
}

/* The case for which it was made */
static void test_apply_6_1(void)
{
    static const FakeKernel kernels[] = { FAKE_6_12, FAKE_6_16, FAKE_7_3 };
    g_autoptr(HvcKvmProfile) profile = LOAD(profile_6_1);

    for (unsigned i = 0; i < ARRAY_SIZE(kernels); i++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(kernels[i]);
        g_autoptr(FakeKvm) expected = fake_kvm_new(kernels[i]);

        g_test_message("Linux %s", fake_kvm_name(kernels[i]));
        check_applies(profile, fake);
        fake_kvm_register(expected, FAKE_CLIDR)->value = 0x82000023;
        fake_kvm_register(expected, FAKE_DFR0)->value = 0x10305406;
        fake_kvm_register(expected, FAKE_CCSIDR(0))->value = 0x701fe01a;
        fake_kvm_register(expected, FAKE_CCSIDR(1))->value = 0x201fe01a;
        fake_kvm_register(expected, FAKE_CCSIDR(2))->value = 0x70ffe03a;
        fake_kvm_assert_same(fake, expected, true);
    }
}

/* On a kernel like the profile's there is nothing to do. */
static void test_apply_same(void)
{
    static const struct {
        FakeKernel kernel;
        const Entry *entries;
        unsigned count;
    } cases[] = {
        { FAKE_6_1, profile_6_1, ARRAY_SIZE(profile_6_1) },
        { FAKE_6_12, profile_6_12, ARRAY_SIZE(profile_6_12) },
        { FAKE_6_16, profile_6_12, ARRAY_SIZE(profile_6_12) },
        { FAKE_7_3, profile_6_12, ARRAY_SIZE(profile_6_12) },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(HvcKvmProfile) profile = load_entries(cases[i].entries,
                                                        cases[i].count);
        g_autoptr(FakeKvm) fake = fake_kvm_new(cases[i].kernel);
        g_autoptr(FakeKvm) before = fake_kvm_new(cases[i].kernel);

        check_applies(profile, fake);
        g_assert_cmpuint(fake->sets, ==, 0);
        fake_kvm_assert_same(fake, before, true);
    }
}

/* A newer kernel's profile is not for an older one. */
static void test_apply_newer(void)
{
    g_autoptr(HvcKvmProfile) profile = LOAD(profile_6_12);
    g_autoptr(HvcKvmProfile) no_caches = LOAD_WITHOUT(profile_6_12,
                                                      "arm.ccsidr");
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_1);
    g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_1);

    /* All that does not fit is told. */
    check_refuses(profile, fake, " has CCSIDR_EL1[L1 instruction] = 0x2, this "
                  "host's kernel and CPU have 0x201fe01a and take no other "
                  "value (Associativity 0 -> 3, NumSets 0x0 -> 0xff, bits "
                  "[31:28] 0x0 -> 0x2), and it has CCSIDR_EL1[L2 data] = 0x2, "
                  "this host's kernel and CPU have 0x70ffe03a and take no "
                  "other value (Associativity 0 -> 7, NumSets 0x0 -> 0x7ff, "
                  "bits [31:28] 0x0 -> 0x7), and it has ID_AA64DFR0_EL1 = "
                  "0x10305408, this host's kernel and CPU have 0x10305406 and "
                  "take no other value (DebugVer 8 -> 6), and it has "
                  "CLIDR_EL1 = 0x2000021, this host's kernel and CPU have "
                  "0x82000023 and take no other value (Ctype1 1 -> 3, ICB 0 -> "
                  "2)" OTHER_VALUE);
    check_refuses(no_caches, fake, " has ID_AA64DFR0_EL1 = 0x10305408, this "
                  "host's kernel and CPU have 0x10305406 and take no other "
                  "value (DebugVer 8 -> 6), and it has CLIDR_EL1 = 0x2000021, "
                  "this host's kernel and CPU have 0x82000023 and take no "
                  "other value (Ctype1 1 -> 3, ICB 0 -> 2)" OTHER_VALUE);
    fake_kvm_assert_same(fake, before, true);
}

static void test_other_hardware(void)
{
    static const FakeKind kinds[] = { FAKE_FIXED, FAKE_STATE };
    g_autoptr(HvcKvmProfile) midr = LOAD_CHANGED(profile_6_1, "arm.midr-el1",
                                                 0x410fd083);
    g_autoptr(HvcKvmProfile) ctr = LOAD_CHANGED(profile_6_1, "arm.ctr-el0",
                                                0x8444c004);
    g_autoptr(HvcKvmProfile) no_ctr = LOAD_WITHOUT(profile_6_1, "arm.ctr");

    /* Newer kernels let one choose MIDR_EL1; that does not make another CPU. */
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
        g_autoptr(FakeKvm) before = fake_kvm_new(FAKE_6_12);

        fake_kvm_register(fake, FAKE_MIDR)->kind = kinds[i];
        fake_kvm_register(fake, FAKE_CTR)->kind = kinds[i];
        check_apply(midr, fake, "guest-abi-profile=", " is of other hardware: "
                    "its MIDR_EL1 is 0x410fd083, this host's is 0x414fd0c1 "
                    "(Revision 3 -> 1, PartNum 0xd08 -> 0xd0c, Variant 0 -> "
                    "4); use the profile of a host with this CPU");
        check_apply(ctr, fake, "guest-abi-profile=", " is of other hardware: "
                    "its CTR_EL0 is 0x8444c004, this host's is 0x9444c004 "
                    "(IDC 0 -> 1); use the profile of a host with this CPU");
        g_assert_cmpuint(fake->sets, ==, 0);
        fake_kvm_assert_same(fake, before, true);
    }
    {
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

        /* What the profile does not tell is 0, and no CTR_EL0 is. */
        check_refuses(no_ctr, fake, " has CTR_EL0 = 0x0, this host's kernel "
                      "and CPU have 0x9444c004 and take no other value "
                      "(IminLine 0 -> 4, L1Ip 0 -> 3, DminLine 0 -> 4, ERG 0 "
                      "-> 4, CWG 0 -> 4, IDC 0 -> 1, bits [31:30] 0x0 -> 0x2)"
                      OTHER_VALUE);
    }
}

static void test_value_refused(void)
{
    g_autoptr(HvcKvmProfile) high = LOAD_CHANGED(
        profile_6_1, "arm.id-aa64dfr0-el1", 0x1030f409);
    g_autoptr(HvcKvmProfile) profile = LOAD(profile_6_1);
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    check_refuses(high, fake, " has ID_AA64DFR0_EL1 = 0x1030f409, this host's "
                  "kernel and CPU have 0x10305408 and take no other value "
                  "(DebugVer 9 -> 8, BRPs 0xf -> 0x5)" OTHER_VALUE);

    /* It says that it takes it, and does not. */
    fake_kvm_register(fake, FAKE_DFR0)->ignores = 0xf;
    check_refuses(profile, fake, " has ID_AA64DFR0_EL1 = 0x10305406, this "
                  "host's kernel and CPU have 0x10305408 and take no other "
                  "value (DebugVer 6 -> 8)" OTHER_VALUE);
}

/* kernel-irqchip=off: an older kernel's profile would not help. */
static void test_gic_of_qemu(void)
{
#define GIC_REMEDY \
    "; a VM without a GICv3 of the kernel's has the field GIC up to Linux " \
    "6.11, and not from 6.12 on: use -machine " \
    "gic-version=3,kernel-irqchip=on here and where FILE is made, or no profile"
    g_autoptr(HvcKvmProfile) profile = LOAD(profile_6_1);
    g_autoptr(HvcKvmProfile) high = LOAD_CHANGED(
        profile_6_1, "arm.id-aa64pfr0-el1", 0x1100000011110113);
    g_autoptr(HvcKvmProfile) older = LOAD_CHANGED(
        profile_6_1, "arm.id-aa64pfr0-el1", 0x1100000010110112);
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);
    g_autoptr(FakeKvm) old = fake_kvm_new(FAKE_6_1);

    check_applies(profile, fake);
    fake->recipe.gic = 0;
    check_refuses(profile, fake, " has ID_AA64PFR0_EL1 = 0x1100000011110112, "
                  "this host's kernel and CPU have 0x1100000010110112 and take "
                  "no other value (GIC 1 -> 0)" GIC_REMEDY);
    check_refuses(high, fake, " has ID_AA64PFR0_EL1 = 0x1100000011110113, this "
                  "host's kernel and CPU have 0x1100000010110112 and take no "
                  "other value (EL0 3 -> 2, GIC 1 -> 0)" OTHER_VALUE
                  GIC_REMEDY);
    /* The other way round, on a kernel that cannot hide the field */
    old->recipe.gic = 0;
    check_refuses(older, old, " has ID_AA64PFR0_EL1 = 0x1100000010110112, this "
                  "host's kernel and CPU have 0x1100000011110112 and take no "
                  "other value (GIC 0 -> 1)" GIC_REMEDY);
}

/* A field that only one of two kernels shows is no difference. */
static void test_apply_mistakes(void)
{
    static const struct {
        uint64_t id, field, other;
        const char *entry;
        const char *refusal;
    } cases[] = {
        { FAKE_PFR0, FAKE_PFR0_MPAM, 0x1, "arm.id-aa64pfr0-el1",
          " has ID_AA64PFR0_EL1 = 0xf0000000003, this host's kernel and CPU "
          "have 0x2 and take no other value (EL0 3 -> 2, MPAM 0xf -> 0x0)"
          OTHER_VALUE },
        { FAKE_PFR1, FAKE_PFR1_MPAM_FRAC, 0x100000, "arm.id-aa64pfr1-el1",
          " has ID_AA64PFR1_EL1 = 0x1f0002, this host's kernel and CPU have "
          "0x2 and take no other value (MPAM_frac 0xf -> 0x0, bits [23:20] "
          "0x1 -> 0x0)" OTHER_VALUE },
        { FAKE_MMFR2, FAKE_MMFR2_NV, 0x10000000, "arm.id-aa64mmfr2-el1",
          " has ID_AA64MMFR2_EL1 = 0x1f000002, this host's kernel and CPU "
          "have 0x2 and take no other value (NV 0xf -> 0x0, ST 1 -> 0)"
          OTHER_VALUE },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        FakeRegister reg = { cases[i].id, FAKE_ID, .value = 2, .limit = 2 };
        uint64_t shown = cases[i].field | 2;
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_1);
        g_autoptr(HvcKvmProfile) shows = LOAD_CHANGED(
            profile_6_1, cases[i].entry, shown);
        g_autoptr(HvcKvmProfile) hides = LOAD_CHANGED(
            profile_6_1, cases[i].entry, 2);
        g_autoptr(HvcKvmProfile) less = LOAD_CHANGED(
            profile_6_1, cases[i].entry, cases[i].field | 1);
        g_autoptr(HvcKvmProfile) other = LOAD_CHANGED(
            profile_6_1, cases[i].entry, shown | cases[i].other);

        g_test_message("%s", cases[i].entry);
        fake_kvm_add(fake, &reg);
        if (reg.id != FAKE_PFR0) {
            fake_kvm_register(fake, FAKE_PFR0)->kind = FAKE_STATE;
        }
        check_applies(shows, fake);
        g_assert_cmphex(fake_kvm_value(fake, reg.id), ==, 2);
        check_refuses(other, fake, cases[i].refusal);
        fake_kvm_register(fake, reg.id)->value = shown;
        check_applies(hides, fake);
        g_assert_cmphex(fake_kvm_value(fake, reg.id), ==, shown);

        /* Another field is to be set, and this one is left out. */
        reg.limit = shown;
        reg.ignores = cases[i].field;
        fake_kvm_add(fake, &reg);
        check_applies(less, fake);
        g_assert_cmphex(fake_kvm_value(fake, reg.id), ==, 1);
    }
}

#define LACKS(entry, value) \
    " has '" entry "' = " value ", a register that this host's kernel does " \
    "not have; use the profile of the fleet's oldest host"

static void test_register_lacking(void)
{
    static const struct {
        Entry entry;
        const char *refusal;
    } cases[] = {
        { { "arm.pmmir-el1", 6 }, LACKS("arm.pmmir-el1", "0x6") },
        { { "arm.pmmir-el1", 0 } },
        { { "arm.s3-0-c0-c7-5", 0x10 }, LACKS("arm.s3-0-c0-c7-5", "0x10") },
        { { "arm.s3-0-c0-c7-5", 0 } },
        { { "arm.id-new-el1", 1 }, LACKS("arm.id-new-el1", "0x1") },
        { { "arm.new-el0", 1 }, LACKS("arm.new-el0", "0x1") },
        { { "arm.ccsidr-el1.l8-data", 1 },
          LACKS("arm.ccsidr-el1.l8-data", "0x1") },
        /* Services, and what is no register */
        { { "arm.std-bmap", 0xff } },
        { { "arm.psci-version", 0x20000 } },
        { { "arm.pv-time-discovery", 1 } },
        { { "arm.smccc-arch-workaround-4", 1 } },
        { { "arm.something-new", 1 } },
        { { "x86.xcr0", 7 } },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(HvcKvmProfile) profile = load_changed(
            profile_6_1, ARRAY_SIZE(profile_6_1), &cases[i].entry);
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

        g_test_message("%s", cases[i].entry.name);
        if (cases[i].refusal) {
            check_refuses(profile, fake, cases[i].refusal);
            g_assert_cmpuint(fake->sets, ==, 0);
        } else {
            check_applies(profile, fake);
        }
    }
}

/* A cache that 6.1 has, on a kernel that lists fewer of them */
static void test_cache_lacking(void)
{
    g_autoptr(HvcKvmProfile) profile = LOAD(profile_6_1);
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

    fake_kvm_remove(fake, FAKE_CCSIDR(2));
    check_refuses(profile, fake, LACKS("arm.ccsidr-el1.l2-data",
                                       "0x70ffe03a"));
}

/* What the profile's kernel had not heard of is 0. */
static void test_entry_lacking(void)
{
    g_autoptr(HvcKvmProfile) profile = LOAD(profile_6_1);
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    FakeRegister reserved = {
        .id = 0x603000000013c03d, /* S3_0_C0_C7_5 */
        .kind = FAKE_ID,
        .value = 0x11,
        .limit = 0x11,
    };

    fake_kvm_register(fake, FAKE_PMMIR)->limit = 0x6;
    fake_kvm_register(fake, FAKE_PMMIR)->value = 0x6;
    fake_kvm_add(fake, &reserved);
    check_applies(profile, fake);
    g_assert_cmphex(fake_kvm_value(fake, FAKE_PMMIR), ==, 0);
    g_assert_cmphex(fake_kvm_value(fake, reserved.id), ==, 0);

    reserved.kind = FAKE_FIXED;
    fake_kvm_add(fake, &reserved);
    check_refuses(profile, fake, " has S3_0_C0_C7_5 = 0x0, this host's kernel "
                  "and CPU have 0x11 and take no other value (bits [63:0] 0x0 "
                  "-> 0x11)" OTHER_VALUE);
}

/* What a reset leaves */

#define FORGETS \
    ": this host's kernel forgets CLIDR_EL1 when the guest turns a CPU on; " \
    "needed: Linux 6.10 or later, or 6.2 or earlier; leave out the profile, " \
    "or give the VM one CPU"

/* PMCR_EL0.N: fewer on Linux 6.7 and later, and nothing if nothing is said */
static void test_counters(void)
{
    static const Entry entries[] = {
        { "arm.pmcr-el0.n", 20 },
        { "arm.pmcr-el0.n", 2 },
        { "arm.pmcr-el0.n", 0 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        g_autoptr(HvcKvmProfile) profile = load_changed(
            profile_6_1, ARRAY_SIZE(profile_6_1), &entries[i]);
        g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_6_12);

        fake_kvm_add(fake, &(FakeRegister) {
            FAKE_PMCR, FAKE_PMU, 0x3041, 0x3041,
        });
        if (i == 0) {
            check_refuses(profile, fake, " has PMCR_EL0.N = 0x14, this host's "
                          "kernel and CPU have 0x6 and take no other value "
                          "(bits [63:0] 0x14 -> 0x6); use a profile with as "
                          "many event counters as the fleet's smallest PMU "
                          "has, and Linux 6.7 or later, which can take some "
                          "away");
        } else {
            check_applies(profile, fake);
        }
    }
}

static void test_is_kept(void)
{
    for (FakeKernel kernel = FAKE_6_1; kernel < FAKE_KERNELS; kernel++) {
        g_autoptr(HvcKvmProfile) profile = LOAD(profile_6_1);
        g_autoptr(HvcKvmProfile) own = LOAD_CHANGED(
            profile_6_1, "arm.clidr-el1", 0x02000021);
        g_autoptr(FakeKvm) fake = fake_kvm_new(kernel);

        g_test_message("Linux %s", fake_kvm_name(kernel));
        fake->forgets = FAKE_CLIDR;
        if (kernel == FAKE_6_1) {
            /* Its own is the profile's. */
            check_applies(profile, fake);
        } else {
            check_refuses(profile, fake, FORGETS);
            check_applies(own, fake);
        }
    }
}

/* Is what cannot be chosen the same on this host? */

/* Where test_check() is: a kernel with a level that is not known */
static bool shows_pv_time;

static bool check_rest(const HvcKvmProfile *profile, bool incoming,
                       Error **errp)
{
    g_autoptr(FakeKvm) fake = fake_kvm_new(FAKE_7_3);
    g_autoptr(HvcVm) vm = fake_vm_new(fake);
    g_auto(HvcTruth) truth = { };

    fake_kvm_add(fake, &(FakeRegister) { FAKE_FIRMWARE(4), FAKE_LEVEL });
    g_assert_true(hvc_scratch_try(vm, NULL, &truth, &error_abort));
    return hvc_kvm_profile_check_levels(profile, &truth.contract, incoming,
                                        errp) &&
           hvc_kvm_profile_check_discovery(profile, shows_pv_time, errp);
}

static void check_vm(const HvcKvmProfile *profile, bool incoming,
                     const char *rest)
{
    g_autofree char *refusal = g_strconcat("guest-abi-profile=",
                                           profile->file, rest, NULL);
    Error *err = NULL;
    bool ok = check_rest(profile, incoming, &err);

    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==,
                    rest ? refusal : NULL);
    g_assert_true(ok == !rest);
    error_free(err);
}

static void check_host(const HvcKvmProfile *profile, const char *rest)
{
    check_vm(profile, false, rest);
}

#define OTHER_HOST(entry, value, here) \
    " has '" entry "' = " value ", this host has " here ", which cannot be " \
    "chosen; a VM could not go both ways between the two; use a host with " \
    "the same mitigations and kernel, or leave out the profile"
#define OTHER_LEVEL(number, value, here) \
    OTHER_HOST("arm.smccc-arch-workaround-" number, value, here)

#define NOT_HERE(number, value, here) \
    " has 'arm.smccc-arch-workaround-" number "' = " value ", this host has " \
    here ", which cannot be chosen; a VM that is started here could not go " \
    "to hosts with " value "; start it on one of these, from where it can " \
    "come here and go home, or leave out the profile"

/* This VM: see check_rest() */
static void test_check(void)
{
    static const struct {
        Entry entry;
        const char *refusal;
        bool comes; /* A guest that was started elsewhere does. */
    } cases[] = {
        /* Less than here, and more */
        { { "arm.smccc-arch-workaround-1", 0 }, NOT_HERE("1", "0", "2"), true },
        { { "arm.smccc-arch-workaround-1", 1 }, NOT_HERE("1", "1", "2"), true },
        { { "arm.smccc-arch-workaround-1", 2 } },
        { { "arm.smccc-arch-workaround-1", 3 }, OTHER_LEVEL("1", "3", "2") },
        { { "arm.smccc-arch-workaround-2", 0 } },
        { { "arm.smccc-arch-workaround-2", 1 }, OTHER_LEVEL("2", "1", "0") },
        { { "arm.smccc-arch-workaround-2", UINT64_MAX },
          OTHER_LEVEL("2", "18446744073709551615", "0") },
        { { "arm.smccc-arch-workaround-3", 0 }, NOT_HERE("3", "0", "1"), true },
        { { "arm.smccc-arch-workaround-3", 1 } },
        { { "arm.smccc-arch-workaround-3", 2 }, OTHER_LEVEL("3", "2", "1") },
        { { "arm.firmware-register-4", 0 } },
        { { "arm.firmware-register-4", 1 },
          OTHER_HOST("arm.firmware-register-4", "1", "0") },
        /* One that this kernel does not list */
        { { "arm.firmware-register-9", 0 } },
        { { "arm.firmware-register-9", 1 },
          OTHER_HOST("arm.firmware-register-9", "1", "0") },
        { { "arm.pv-time-discovery", 0 } },
        { { "arm.pv-time-discovery", 1 },
          OTHER_HOST("arm.pv-time-discovery", "1", "0") },
        /* Services are chosen, registers were applied. */
        { { "arm.std-bmap", 0xff } },
        { { "arm.midr-el1", 1 } },
        { { "arm.id-aa64dfr0-el1", 0 } },
        { { "arm.clidr-el1", UINT64_MAX } },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(HvcKvmProfile) profile = load_changed(
            profile_6_1, ARRAY_SIZE(profile_6_1), &cases[i].entry);

        g_test_message("%s", cases[i].entry.name);
        check_host(profile, cases[i].refusal);
        if (cases[i].comes) {
            check_vm(profile, true, NULL);
        } else {
            check_vm(profile, true, cases[i].refusal);
        }
    }
}

/* What the profile's kernel had not heard of is 0. */
static void test_check_lacking(void)
{
    static const struct {
        const char *prefix;
        const char *refusal;
    } cases[] = {
        { "arm.smccc-arch-workaround-1", NOT_HERE("1", "0", "2") },
        { "arm.smccc-arch-workaround-2", NULL },
        { "arm.smccc-arch-workaround-3", NOT_HERE("3", "0", "1") },
        { "arm.smccc", NOT_HERE("1", "0", "2") },
        { "arm.pv-time-discovery", NULL },
        { "arm.std-bmap", NULL },
        { "arm.id-aa64dfr0-el1", NULL },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(HvcKvmProfile) profile = LOAD_WITHOUT(profile_6_1,
                                                        cases[i].prefix);

        g_test_message("%s", cases[i].prefix);
        check_host(profile, cases[i].refusal);
    }
}

/* A host that cannot but show it */
static void test_check_discovery(void)
{
    g_autoptr(HvcKvmProfile) hidden = LOAD(profile_6_1);
    g_autoptr(HvcKvmProfile) lacking = LOAD_WITHOUT(profile_6_1,
                                                    "arm.pv-time-discovery");
    g_autoptr(HvcKvmProfile) shown = LOAD_CHANGED(profile_6_1,
                                                  "arm.pv-time-discovery", 1);

    shows_pv_time = true;
    check_host(hidden, OTHER_HOST("arm.pv-time-discovery", "0", "1"));
    check_host(lacking, OTHER_HOST("arm.pv-time-discovery", "0", "1"));
    check_host(shown, NULL);
    shows_pv_time = false;
}

int main(int argc, char **argv)
{
    g_autofree char *file = NULL;
    int ret;

    contract_loader_init();
    g_test_init(&argc, &argv, NULL);
    dir = g_dir_make_tmp("test-hvc-kvm-profile-XXXXXX", NULL);
    g_assert_nonnull(dir);

    g_test_add_func("/hvc-kvm-profile/load", test_load);
    g_test_add_func("/hvc-kvm-profile/load/whole", test_load_whole);
    g_test_add_func("/hvc-kvm-profile/load/limits", test_load_limits);
    g_test_add_func("/hvc-kvm-profile/load/largest", test_load_largest);
    g_test_add_func("/hvc-kvm-profile/load/no-file", test_no_file);
    g_test_add_func("/hvc-kvm-profile/load/secret-file", test_secret_file);
    g_test_add_func("/hvc-kvm-profile/load/large-file", test_large_file);
    g_test_add_func("/hvc-kvm-profile/load/nul-bytes", test_nul_bytes);
    g_test_add_func("/hvc-kvm-profile/load/contents", test_contents);
    g_test_add_func("/hvc-kvm-profile/load/too-many-entries",
                    test_too_many_entries);
    g_test_add_func("/hvc-kvm-profile/load/deep-nesting", test_deep_nesting);
    g_test_add_func("/hvc-kvm-profile/apply/6.1", test_apply_6_1);
    g_test_add_func("/hvc-kvm-profile/apply/same", test_apply_same);
    g_test_add_func("/hvc-kvm-profile/apply/newer", test_apply_newer);
    g_test_add_func("/hvc-kvm-profile/apply/other-hardware",
                    test_other_hardware);
    g_test_add_func("/hvc-kvm-profile/apply/value-refused",
                    test_value_refused);
    g_test_add_func("/hvc-kvm-profile/apply/gic-of-qemu", test_gic_of_qemu);
    g_test_add_func("/hvc-kvm-profile/apply/register-lacking",
                    test_register_lacking);
    g_test_add_func("/hvc-kvm-profile/apply/cache-lacking",
                    test_cache_lacking);
    g_test_add_func("/hvc-kvm-profile/apply/entry-lacking",
                    test_entry_lacking);
    g_test_add_func("/hvc-kvm-profile/apply/mistakes", test_apply_mistakes);
    g_test_add_func("/hvc-kvm-profile/is-kept", test_is_kept);
    g_test_add_func("/hvc-kvm-profile/counters", test_counters);
    g_test_add_func("/hvc-kvm-profile/check", test_check);
    g_test_add_func("/hvc-kvm-profile/check/lacking", test_check_lacking);
    g_test_add_func("/hvc-kvm-profile/check/discovery", test_check_discovery);
    g_test_add_func("/hvc-kvm-profile/list", test_list);
    g_test_add_func("/hvc-kvm-profile/list/refused", test_list_refused);
    g_test_add_func("/hvc-kvm-profile/list/limit", test_list_limit);
    g_test_add_func("/hvc-kvm-profile/list/told", test_list_told);
    g_test_add_func("/hvc-kvm-profile/load/duplicate-entry",
                    test_duplicate_entry);
    ret = g_test_run();

    file = file_name();
    g_unlink(file);
    g_rmdir(dir);
    g_free(dir);
    return ret;
}
