/*
 * Reading what a section of ours contains
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef MIGRATION_SECTION_READER_H
#define MIGRATION_SECTION_READER_H

/**
 * SectionReader: what is left of a content, or of a part of it
 * @data: the next byte; not trusted
 * @size: number of bytes from there on
 */
typedef struct SectionReader {
    const uint8_t *data;
    size_t size;
} SectionReader;

/**
 * section_take: read bytes
 * @reader: where from
 * @size: how many; not trusted
 *
 * Returns: the bytes; NULL if there are not as many, and nothing is read.
 */
static inline const uint8_t *section_take(SectionReader *reader, uint64_t size)
{
    const uint8_t *data = reader->data;

    if (reader->size < size) {
        return NULL;
    }
    reader->data += size;
    reader->size -= size;
    return data;
}

#endif
