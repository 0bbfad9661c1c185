/*
 * Sections of a contract: what unit tests of it share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "guest-abi-util.h"

const GuestAbiValue good[GOOD_SIZE] = {
    { "test.exact", 5 },
    { "test.at-least", 5 },
    { "test.subset", 0xa },
    { "test.own-words", 7 },
    { LONGEST, UINT64_MAX },
    { "test.feature", 1 },
    { "test.depends", 0x20 },
    { "test.mistake", 0x80 },
    { "test.optional", 9 },
    { "test.live", 3 },
};

const uint8_t part_bytes[PART_SIZE] = { 1, 0, 0xff };

/* The section's content */

Loading load(const GByteArray *bytes, unsigned version)
{
    g_autofree uint8_t *stream = g_malloc(bytes->len + 1);

    memcpy(stream, bytes->data, bytes->len);
    stream[bytes->len] = CONTRACT_FOOTER;
    return contract_load(stream, bytes->len + 1, version);
}

void assert_loads(const GByteArray *bytes)
{
    g_auto(Loading) loading = load(bytes, 1);

    g_assert_cmpstr(loading.refusal, ==, NULL);
    g_assert_true(loading.loaded);
    g_assert_true(guest_abi_check_received());
}

void assert_refused(const GByteArray *bytes, unsigned version,
                           const char *refusal)
{
    g_auto(Loading) loading = load(bytes, version);

    g_assert_false(loading.loaded);
    g_assert_cmpstr(loading.refusal, ==, refusal);
}

GByteArray *bytes_of(const void *data, unsigned size)
{
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_append(bytes, data, size);
    return bytes;
}

GByteArray *entries_but(unsigned count, const char *name,
                               uint64_t value)
{
    GByteArray *data = g_byte_array_new();

    for (unsigned i = 0; i < count; i++) {
        contract_append_entry(data, good[i].name, strcmp(good[i].name, name) ?
                              good[i].value : value);
    }
    return data;
}

void append_parts(GByteArray *content)
{
    g_autoptr(GByteArray) bytes = bytes_of(part_bytes, sizeof(part_bytes));
    g_autoptr(GByteArray) empty = g_byte_array_new();

    contract_append_part(content, "test.part", 0, bytes);
    contract_append_part(content, "test.empty", 1, empty);
}

GByteArray *section_with(GByteArray *entries)
{
    GByteArray *content = g_byte_array_new();

    contract_append_part(content, "entries", 0, entries);
    append_parts(content);
    contract_prepend_size(content);
    g_byte_array_unref(entries);
    return content;
}

GByteArray *section_but(const char *name, uint64_t value)
{
    return section_with(entries_but(GOOD_SIZE, name, value));
}

void assert_saves(GByteArray *expected)
{
    g_autoptr(GByteArray) saved = contract_save();

    g_assert_cmpmem(saved->data, saved->len, expected->data, expected->len);
    g_byte_array_unref(expected);
}

void load_good(void)
{
    g_autoptr(GByteArray) bytes = section_but("", 0);

    contract_reset();
    assert_loads(bytes);
}
