/*
 * The section "guest-abi" of a migration stream, to be read and damaged
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
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

    if (!found) {
        return false;
    }
    stream->section = found - start - NAME_OFFSET;
    g_assert_cmphex(*contract_stream_at(stream, 0), ==, SECTION_FULL);
    stream->entries = *contract_stream_at(stream, contract_stream_count());
    /* Header and footer have the same section id. */
    g_assert_cmphex(*contract_stream_at(stream, contract_stream_entry(
                    stream->entries)), ==, SECTION_FOOTER);
    g_assert_cmphex(ldl_be_p(contract_stream_at(stream, contract_stream_entry(
                    stream->entries) + 1)), ==,
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

unsigned contract_stream_count(void)
{
    return CONTRACT_HEADER_SIZE;
}

unsigned contract_stream_entry(unsigned index)
{
    return CONTRACT_HEADER_SIZE + 1 + index * CONTRACT_ENTRY_SIZE;
}

unsigned contract_stream_size(const ContractStream *stream)
{
    return contract_stream_entry(stream->entries) + CONTRACT_FOOTER_SIZE;
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
    uint8_t bytes[CONTRACT_ENTRY_SIZE] = { };

    g_assert_cmpuint(strlen(entry), <=, CONTRACT_NAME_SIZE);
    memcpy(bytes, entry, strlen(entry));
    stq_be_p(bytes + CONTRACT_NAME_SIZE, value);
    contract_stream_insert(stream, contract_stream_entry(stream->entries),
                           bytes, sizeof(bytes));
    ++*contract_stream_at(stream, contract_stream_count());
}
