/*
 * The section "guest-abi" of a migration stream, to be read and damaged
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "section.h"

#define SECTION_FULL   0x04
#define SECTION_FOOTER 0x7e

/* The section's name behind its length, as nothing else in a stream is */
static const char name[] = "\x09guest-abi";
#define NAME_OFFSET (1 + 4)

static bool find_section(ContractStream *stream)
{
    const uint8_t *start = stream->bytes->data;
    const uint8_t *found = memmem(start, stream->bytes->len, name,
                                  strlen(name));
    unsigned end;

    if (!found) {
        return false;
    }
    stream->section = found - start - NAME_OFFSET;
    g_assert_cmphex(*contract_stream_at(stream, 0), ==, SECTION_FULL);
    g_assert_cmpmem(contract_stream_at(stream, CONTRACT_PART), 9,
                    "\0\7entries", 9);
    end = CONTRACT_ENTRIES_AT +
          ldl_be_p(contract_stream_at(stream, CONTRACT_DATA_SIZE));
    stream->entries = 0;
    while (contract_stream_entry(stream, stream->entries) < end) {
        stream->entries++;
    }
    g_assert_cmpuint(contract_stream_entry(stream, stream->entries), ==, end);
    /* Header and footer have the same section id. */
    end = contract_stream_size(stream) - CONTRACT_FOOTER_SIZE;
    g_assert_cmphex(*contract_stream_at(stream, end), ==, SECTION_FOOTER);
    g_assert_cmphex(ldl_be_p(contract_stream_at(stream, end + 1)), ==,
                    ldl_be_p(contract_stream_at(stream, 1)));
    return true;
}

bool contract_stream_read(const char *path, ContractStream *stream)
{
    g_autoptr(GError) err = NULL;
    char *data;
    gsize size;

    g_file_get_contents(path, &data, &size, &err);
    g_assert_no_error(err);
    stream->bytes = g_byte_array_new_take((guint8 *)data, size);
    return find_section(stream);
}

void contract_stream_write(const ContractStream *stream, const char *path)
{
    g_autoptr(GError) err = NULL;

    g_file_set_contents(path, (const char *)stream->bytes->data,
                        stream->bytes->len, &err);
    g_assert_no_error(err);
}

void contract_stream_clear(ContractStream *stream)
{
    g_clear_pointer(&stream->bytes, g_byte_array_unref);
}

uint8_t *contract_stream_at(const ContractStream *stream, unsigned offset)
{
    g_assert_cmpuint(stream->section + offset, <, stream->bytes->len);
    return stream->bytes->data + stream->section + offset;
}

unsigned contract_stream_entry(const ContractStream *stream, unsigned index)
{
    unsigned at = CONTRACT_ENTRIES_AT;

    while (index--) {
        at += 1 + *contract_stream_at(stream, at) + 8;
    }
    return at;
}

unsigned contract_stream_value(const ContractStream *stream, unsigned index)
{
    return contract_stream_entry(stream, index + 1) - 8;
}

char *contract_stream_name(const ContractStream *stream, unsigned index)
{
    unsigned at = contract_stream_entry(stream, index);

    return g_strndup((char *)contract_stream_at(stream, at + 1),
                     *contract_stream_at(stream, at));
}

unsigned contract_stream_size(const ContractStream *stream)
{
    return CONTRACT_PART + ldl_be_p(contract_stream_at(stream, CONTRACT_SIZE)) +
           CONTRACT_FOOTER_SIZE;
}

static void add(ContractStream *stream, unsigned offset, int change)
{
    uint8_t *at = contract_stream_at(stream, offset);

    stl_be_p(at, ldl_be_p(at) + change);
}

void contract_stream_resize(ContractStream *stream, int parts, int entries)
{
    add(stream, CONTRACT_SIZE, parts);
    add(stream, CONTRACT_DATA_SIZE, entries);
}

void contract_stream_insert(ContractStream *stream, unsigned offset,
                            const void *data, unsigned size)
{
    unsigned at = stream->section + offset;
    unsigned tail = stream->bytes->len - at;

    g_byte_array_set_size(stream->bytes, stream->bytes->len + size);
    memmove(stream->bytes->data + at + size, stream->bytes->data + at, tail);
    memcpy(stream->bytes->data + at, data, size);
}

void contract_stream_remove(ContractStream *stream, unsigned offset,
                            unsigned size)
{
    g_byte_array_remove_range(stream->bytes, stream->section + offset, size);
}

void contract_stream_append(ContractStream *stream, const char *entry,
                            uint64_t value)
{
    uint8_t bytes[1 + UINT8_MAX + 8];
    unsigned length = strlen(entry);
    unsigned size = 1 + length + 8;

    g_assert_cmpuint(length, <=, UINT8_MAX);
    bytes[0] = length;
    memcpy(bytes + 1, entry, length);
    stq_be_p(bytes + 1 + length, value);
    contract_stream_insert(stream,
                           contract_stream_entry(stream, stream->entries),
                           bytes, size);
    contract_stream_resize(stream, size, size);
    stream->entries++;
}

void contract_stream_append_part(ContractStream *stream, const char *part,
                                 uint8_t flags)
{
    uint8_t bytes[1 + 1 + UINT8_MAX + 4] = { flags, strlen(part) };
    unsigned size = 1 + 1 + strlen(part) + 4;

    memcpy(bytes + 2, part, strlen(part));
    contract_stream_insert(stream, contract_stream_size(stream) -
                           CONTRACT_FOOTER_SIZE, bytes, size);
    contract_stream_resize(stream, size, 0);
}
