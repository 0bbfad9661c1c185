/*
 * Guest ABI: the content of the section
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A content is a row of parts up to its end. Numbers are big-endian.
 *
 *   part:    flags (8 bits; bit 0: skippable), length of the name (8),
 *            the name, length of the data (32), the data
 *
 * The data of the part "entries" is a row of entries up to its end:
 *
 *   entry:   length of the name (8), the name, value (64)
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "guest-abi-incoming.h"
#include "section-reader.h"

#define ENTRIES "entries"

#define FLAG_SKIPPABLE 1

/* The name with its length; any byte can be in it. */
static bool take_name(SectionReader *reader, char name[GUEST_ABI_NAME_SIZE])
{
    const uint8_t *length = section_take(reader, 1);
    const uint8_t *text = length ? section_take(reader, *length) : NULL;

    if (!text || *length >= GUEST_ABI_NAME_SIZE ||
        strnlen((const char *)text, *length) < *length) {
        return false;
    }
    memcpy(name, text, *length);
    name[*length] = '\0';
    return true;
}

static bool read_entries(SectionReader *reader, GuestAbiIncoming *incoming,
                         Error **errp)
{
    while (reader->size) {
        char name[GUEST_ABI_NAME_SIZE];
        bool has_name = take_name(reader, name);
        const uint8_t *value = has_name ? section_take(reader, 8) : NULL;

        if (!value) {
            error_setg(errp, "entry %u has no valid name or is cut off",
                       guest_abi_incoming_count(incoming));
            return false;
        }
        if (!guest_abi_incoming_add(incoming, name, ldq_be_p(value), errp)) {
            return false;
        }
    }
    return true;
}

static bool read_parts(SectionReader *reader, GuestAbiIncoming *incoming,
                       Error **errp)
{
    bool has_entries = false;

    for (unsigned i = 0; reader->size; i++) {
        char name[GUEST_ABI_NAME_SIZE];
        const uint8_t *flags = section_take(reader, 1);
        const uint8_t *size =
            take_name(reader, name) ? section_take(reader, 4) : NULL;
        const uint8_t *data =
            size ? section_take(reader, ldl_be_p(size)) : NULL;
        SectionReader content = { data, data ? ldl_be_p(size) : 0 };

        if (!data) {
            error_setg(errp, "part %u has no valid name or is cut off", i);
            return false;
        }
        if (*flags & ~FLAG_SKIPPABLE) {
            error_setg(errp, "a part has flags 0x%x, of which this QEMU knows "
                       "0x%x", *flags, FLAG_SKIPPABLE);
            return false;
        }
        if (strcmp(name, ENTRIES)) {
            if (!guest_abi_incoming_add_part(incoming, name,
                                             *flags & FLAG_SKIPPABLE,
                                             content.data, content.size,
                                             errp)) {
                return false;
            }
        } else if (has_entries) {
            error_setg(errp, "part '" ENTRIES "' comes twice");
            return false;
        } else if (!read_entries(&content, incoming, errp)) {
            return false;
        } else {
            has_entries = true;
        }
    }
    return true;
}

GuestAbiIncoming *guest_abi_incoming_from_section(const uint8_t *data,
                                                  size_t size, Error **errp)
{
    ERRP_GUARD();
    g_autoptr(GuestAbiIncoming) incoming = guest_abi_incoming_new();
    SectionReader reader = { data, size };

    if (!read_parts(&reader, incoming, errp)) {
        error_prepend(errp, "guest-abi: the incoming contract is damaged: ");
        return NULL;
    }
    return g_steal_pointer(&incoming);
}

static void append_name(GByteArray *content, const char *name)
{
    uint8_t length = strlen(name);

    g_byte_array_append(content, &length, 1);
    g_byte_array_append(content, (const uint8_t *)name, length);
}

static void append_part(GByteArray *content, const char *name, bool skippable,
                        const GByteArray *data)
{
    uint8_t flags = skippable ? FLAG_SKIPPABLE : 0;
    uint32_t size = cpu_to_be32(data->len);

    g_byte_array_append(content, &flags, 1);
    append_name(content, name);
    g_byte_array_append(content, (const uint8_t *)&size, sizeof(size));
    g_byte_array_append(content, data->data, data->len);
}

GByteArray *guest_abi_section(Error **errp)
{
    g_autoptr(GByteArray) content = g_byte_array_new();
    g_autoptr(GByteArray) entries = g_byte_array_new();
    unsigned count = 0;

    guest_abi_refresh();
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);

        if (guest_abi_is_needed(definition)) {
            uint64_t value = cpu_to_be64(guest_abi_promised(definition));

            append_name(entries, definition->name);
            g_byte_array_append(entries, (const uint8_t *)&value,
                                sizeof(value));
            count++;
        }
    }
    if (count > GUEST_ABI_MAX_ENTRIES) {
        error_setg(errp, "guest-abi: this VM's contract with its guest has %u "
                   "entries, more than the %d that can be sent; unplug devices "
                   "(query-guest-abi lists them)", count,
                   GUEST_ABI_MAX_ENTRIES);
        return NULL;
    }
    append_part(content, ENTRIES, false, entries);
    for (unsigned i = 0; guest_abi_part(i); i++) {
        const GuestAbiPart *part = guest_abi_part(i);
        g_autoptr(GByteArray) data = g_byte_array_new();

        if (!part->save(data, errp)) {
            return NULL;
        }
        append_part(content, part->name, part->skippable, data);
    }
    if (content->len > GUEST_ABI_MAX_SIZE) {
        error_setg(errp, "guest-abi: this VM's contract with its guest has %u "
                   "bytes, more than the %d that can be sent", content->len,
                   GUEST_ABI_MAX_SIZE);
        return NULL;
    }
    return g_steal_pointer(&content);
}
