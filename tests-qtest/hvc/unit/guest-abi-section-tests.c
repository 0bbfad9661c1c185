/*
 * Unit tests of the section that carries the contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "guest-abi-util.h"

static void test_save(void)
{
    load_good();
    assert_saves(section_but("", 0));
    /* A value that changes is read when it is needed. */
    live = 4;
    assert_saves(section_but("test.live", 4));
    live = 3;
}

/* A VM under KVM on a newest kernel: some 100 entries, 300 registers */
static void test_size(void)
{
    g_autoptr(GByteArray) entries = g_byte_array_new();
    g_autoptr(GByteArray) registers = g_byte_array_new();
    g_autoptr(GByteArray) content = g_byte_array_new();

    for (unsigned i = 0; i < 100; i++) {
        contract_append_entry(entries, "arm.id-aa64isar0-el1-long-name", i);
    }
    g_byte_array_set_size(registers, 300 * 8);
    contract_append_part(content, "entries", 0, entries);
    contract_append_part(content, "arm.kvm-registers", 0, registers);
    contract_prepend_size(content);
    g_assert_cmpuint(content->len, <, 8 * 1024);
}

/* The order of entries and parts is free. */
static void test_load_then_save(void)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autoptr(GByteArray) content = g_byte_array_new();

    for (int i = GOOD_SIZE - 1; i >= 0; i--) {
        contract_append_entry(data, good[i].name, good[i].value);
    }
    append_parts(content);
    contract_append_part(content, "entries", 0, data);
    contract_prepend_size(content);
    assert_loads(content);
    assert_saves(section_but("", 0));
}

static void test_truncated(void)
{
    g_autoptr(GByteArray) bytes = contract_save();
    unsigned full = bytes->len;

    for (unsigned size = 0; size < full; size++) {
        g_auto(Loading) loading = contract_load(bytes->data, size, 1);
        g_autofree char *refusal = size < 4 ? NULL : g_strdup_printf(
            "guest-abi: the incoming contract is damaged: the stream ends "
            "behind %u of its %u bytes", size - 4, full - 4);

        g_assert_false(loading.loaded);
        g_assert_cmpstr(loading.refusal, ==, refusal);
    }
    /*
     * The same with a size that says so: nothing may be read beyond it. Without
     * the last part, which nobody misses, it is a contract that fits.
     */
    for (unsigned size = 0; size < full - 4; size++) {
        bool whole = size == full - 4 - (1 + 1 + strlen("test.empty") + 4);
        g_autoptr(GByteArray) cut = bytes_of(bytes->data, 4 + size);
        g_auto(Loading) loading = { };

        stl_be_p(cut->data, size);
        loading = load(cut, 1);
        g_assert_true(loading.loaded == whole);
        g_assert_true(!loading.refusal == whole);
    }
}

static void test_version(void)
{
    g_autoptr(GByteArray) bytes = contract_save();

    assert_refused(bytes, 0, NULL);
    assert_refused(bytes, 2, NULL);
    assert_refused(bytes, UINT32_MAX, NULL);
}

/* More than the limit is refused before any of it is read or allocated. */
static void test_section_size(void)
{
    static const uint32_t sizes[] = {
        GUEST_ABI_MAX_SIZE + 1, INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX,
    };
    g_autoptr(GByteArray) bytes = contract_save();

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        g_autofree char *refusal =
            g_strdup_printf("guest-abi: the incoming contract is damaged: it "
                            "has %u bytes, the most is 131072", sizes[i]);

        stl_be_p(bytes->data, sizes[i]);
        assert_refused(bytes, 1, refusal);
    }
}

#define DAMAGED "guest-abi: the incoming contract is damaged: "

static void test_count(void)
{
    for (unsigned more = 0; more < 2; more++) {
        GByteArray *data = entries_but(GOOD_SIZE, "", 0);
        g_autoptr(GByteArray) section = NULL;

        for (unsigned i = GOOD_SIZE; i < GUEST_ABI_MAX_ENTRIES + more;
             i++) {
            g_autofree char *name = g_strdup_printf("%063u", i);

            contract_append_entry(data, name, 0);
        }
        section = section_with(data);
        g_assert_cmpuint(section->len, <, GUEST_ABI_MAX_SIZE);
        if (more) {
            assert_refused(section, 1, DAMAGED "more than 1024 times 'entry'");
        } else {
            assert_loads(section);
        }
    }
}

static void test_part_count(void)
{
    for (unsigned more = 0; more < 2; more++) {
        g_autoptr(GByteArray) data = entries_but(GOOD_SIZE, "", 0);
        g_autoptr(GByteArray) empty = g_byte_array_new();
        g_autoptr(GByteArray) content = g_byte_array_new();

        contract_append_part(content, "entries", 0, data);
        append_parts(content);
        for (unsigned i = 2; i < GUEST_ABI_MAX_PARTS + more; i++) {
            g_autofree char *name = g_strdup_printf("%063u", i);

            contract_append_part(content, name, 1, empty);
        }
        contract_prepend_size(content);
        if (more) {
            assert_refused(content, 1, DAMAGED "more than 64 times 'part'");
        } else {
            assert_loads(content);
        }
    }
}

static void test_damaged(void)
{
    static const struct {
        const char *content, *refusal;
        unsigned size;
    } cases[] = {
#define CASE(bytes, text) { bytes, DAMAGED text, sizeof(bytes) - 1 }
        CASE("\2\1a\0\0\0\0", "a part has flags 0x2, of which this QEMU "
             "knows 0x1"),
        CASE("\xff\1a\0\0\0\0", "a part has flags 0xff, of which this QEMU "
             "knows 0x1"),
        CASE("\0\0\0\0\0\0", "part 0 has no valid name (1 to 63 visible "
             "ASCII characters)"),
        CASE("\0\1\n\0\0\0\0", "part 0 has no valid name (1 to 63 visible "
             "ASCII characters)"),
        CASE("\0\2a\0\0\0\0\0", "part 0 has no valid name or is cut off"),
        CASE("\0\1a\0\0\0\1", "part 0 has no valid name or is cut off"),
        CASE("\0\1a\xff\xff\xff\xff", "part 0 has no valid name or is cut "
             "off"),
        CASE("\1\1a\0\0\0\0\1\1a\0\0\0\0", "part 'a' comes twice"),
        CASE("\0\7entries\0\0\0\0\0\7entries\0\0\0\0", "part 'entries' "
             "comes twice"),
        CASE("\0\7entries\0\0\0\11\0\0\0\0\0\0\0\0\0", "entry 0 has no "
             "valid name (1 to 63 visible ASCII characters)"),
        CASE("\0\7entries\0\0\0\11\1a\0\0\0\0\0\0\0", "entry 0 has no "
             "valid name or is cut off"),
        CASE("\0\7entries\0\0\0\12\1\x1b\0\0\0\0\0\0\0\0", "entry 0 has "
             "no valid name (1 to 63 visible ASCII characters)"),
        CASE("\0\7entries\0\0\0\24\1a\0\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0"
             "\0", "entry 'a' comes twice"),
        CASE("\0\7entries\0\0\0\1\100", "entry 0 has no valid name or is "
             "cut off"),
#undef CASE
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(GByteArray) content = bytes_of(cases[i].content,
                                                 cases[i].size);

        contract_prepend_size(content);
        assert_refused(content, 1, cases[i].refusal);
    }
}

/* A name of 64 characters, which is one too long */
static void test_long_name(void)
{
    GByteArray *data = g_byte_array_new();
    g_autoptr(GByteArray) section = NULL;

    contract_append_entry(data, LONGEST "x", 0);
    section = section_with(data);
    assert_refused(section, 1, DAMAGED "entry 0 has no valid name or is cut "
                   "off");
}

static void test_received(void)
{
    g_autoptr(GByteArray) bytes = section_but("", 0);
    g_autoptr(GByteArray) other = section_but("test.exact", 4);

    assert_loads(bytes);
    assert_refused(other, 1, "guest-abi: incoming VM has 'test.exact' = 0x4, "
                   "this VM has 0x5 (rule: exact)" REMEDY);
    assert_loads(bytes);
}

void guest_abi_add_section_tests(void)
{
    g_test_add_func("/guest-abi/section/save", test_save);
    g_test_add_func("/guest-abi/section/size", test_size);
    g_test_add_func("/guest-abi/section/load-then-save", test_load_then_save);
    g_test_add_func("/guest-abi/section/truncated", test_truncated);
    g_test_add_func("/guest-abi/section/version", test_version);
    g_test_add_func("/guest-abi/section/too-large", test_section_size);
    g_test_add_func("/guest-abi/section/count", test_count);
    g_test_add_func("/guest-abi/section/part-count", test_part_count);
    g_test_add_func("/guest-abi/section/damaged", test_damaged);
    g_test_add_func("/guest-abi/section/long-name", test_long_name);
    g_test_add_func("/guest-abi/section/received", test_received);
}
