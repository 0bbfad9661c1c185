/*
 * The section "guest-abi" of a migration stream, to be read and damaged
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Written from the format's description, not from migration/guest-abi.c:
 *
 *   0x04, section id (32 bit), 9, "guest-abi", instance id (32), version (32)
 *   size of the parts (32); each part: flags (8), length of its name (8), the
 *   name, size of its data (32), the data
 *   0x7e, section id (32)
 *
 * The data of the part "entries", which is the first one, are entries: length
 * of the name (8), the name, value (64). Numbers are big-endian.
 */

#ifndef TESTS_QTEST_HVC_MIGRATION_SECTION_H
#define TESTS_QTEST_HVC_MIGRATION_SECTION_H

#define CONTRACT_NAME_MAX 63

/* Offsets in the section */
#define CONTRACT_HEADER_SIZE (1 + 4 + 1 + 9 + 4 + 4)
#define CONTRACT_SIZE        CONTRACT_HEADER_SIZE
#define CONTRACT_PART        (CONTRACT_SIZE + 4)
#define CONTRACT_PART_NAME   (CONTRACT_PART + 2)
#define CONTRACT_DATA_SIZE   (CONTRACT_PART_NAME + 7)
#define CONTRACT_ENTRIES_AT  (CONTRACT_DATA_SIZE + 4)

/* What lies after the last part */
#define CONTRACT_FOOTER_SIZE (1 + 4)

/**
 * ContractStream: a migration stream, and where the section is in it
 * @bytes: the whole stream
 * @section: offset of the section
 * @entries: number of entries that the section had when it was read
 */
typedef struct ContractStream {
    GByteArray *bytes;
    unsigned section;
    unsigned entries;
} ContractStream;

/**
 * contract_stream_read: read a stream from a file
 * @path: the file, as "migrate file:" wrote it
 * @stream: set to the stream
 *
 * Returns: true if the stream has the section. The caller frees @stream with
 * contract_stream_clear() in both cases.
 */
bool contract_stream_read(const char *path, ContractStream *stream);

/**
 * contract_stream_write: write a stream to a file
 * @stream: the stream
 * @path: the file
 */
void contract_stream_write(const ContractStream *stream, const char *path);

/**
 * contract_stream_clear: free what a stream points to
 * @stream: the stream
 */
void contract_stream_clear(ContractStream *stream);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ContractStream, contract_stream_clear)

/**
 * contract_stream_at: a byte of the section
 * @stream: the stream
 * @offset: offset in the section
 *
 * Returns: a pointer, valid until bytes are added or removed.
 */
uint8_t *contract_stream_at(const ContractStream *stream, unsigned offset);

/**
 * contract_stream_entry: offset in the section of an entry
 * @stream: the stream
 * @index: the entry; the number of entries for the end of the last one
 */
unsigned contract_stream_entry(const ContractStream *stream, unsigned index);

/**
 * contract_stream_value: offset in the section of an entry's value
 * @stream: the stream
 * @index: the entry
 */
unsigned contract_stream_value(const ContractStream *stream, unsigned index);

/**
 * contract_stream_name: an entry's name
 * @stream: the stream
 * @index: the entry
 *
 * Returns: the name; the caller frees it.
 */
char *contract_stream_name(const ContractStream *stream, unsigned index);

/**
 * contract_stream_size: the size of the section, with header and footer
 * @stream: the stream
 */
unsigned contract_stream_size(const ContractStream *stream);

/**
 * contract_stream_resize: change the sizes that the section says
 * @stream: the stream
 * @parts: bytes more, or less, in all parts
 * @entries: bytes more, or less, in the part "entries"
 */
void contract_stream_resize(ContractStream *stream, int parts, int entries);

/**
 * contract_stream_insert: insert bytes into the section
 * @stream: the stream
 * @offset: offset in the section
 * @data: the bytes; not of @stream itself
 * @size: their number
 */
void contract_stream_insert(ContractStream *stream, unsigned offset,
                            const void *data, unsigned size);

/**
 * contract_stream_remove: remove bytes from the section
 * @stream: the stream
 * @offset: offset in the section
 * @size: their number
 */
void contract_stream_remove(ContractStream *stream, unsigned offset,
                            unsigned size);

/**
 * contract_stream_append: append an entry to the section
 * @stream: the stream, with the section as it was found
 * @name: the entry's name
 * @value: its value
 */
void contract_stream_append(ContractStream *stream, const char *name,
                            uint64_t value);

/**
 * contract_stream_append_part: append a part to the section
 * @stream: the stream, with the section as it was found
 * @name: the part's name
 * @flags: its flags
 */
void contract_stream_append_part(ContractStream *stream, const char *name,
                                 uint8_t flags);

#endif
