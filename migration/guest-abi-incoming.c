/*
 * Guest ABI: another VM's contract, as it comes with a migration or in JSON
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "guest-abi-incoming.h"

#define PART_KEY "part %s"

static void clear_part(void *data)
{
    GuestAbiIncomingPart *part = data;

    g_bytes_unref(part->data);
}

GuestAbiIncoming *guest_abi_incoming_new(void)
{
    GuestAbiIncoming *incoming = g_new0(GuestAbiIncoming, 1);

    incoming->values = g_array_new(false, false, sizeof(GuestAbiValue));
    incoming->parts = g_array_new(false, false, sizeof(GuestAbiIncomingPart));
    g_array_set_clear_func(incoming->parts, clear_part);
    incoming->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              NULL);
    return incoming;
}

void guest_abi_incoming_free(GuestAbiIncoming *incoming)
{
    if (incoming) {
        g_free(incoming->machine);
        g_array_unref(incoming->values);
        g_array_unref(incoming->parts);
        g_hash_table_unref(incoming->by_name);
        g_free(incoming);
    }
}

bool guest_abi_name_is_valid(const char *name)
{
    size_t length = strnlen(name, GUEST_ABI_NAME_SIZE);

    if (!length || length == GUEST_ABI_NAME_SIZE) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!g_ascii_isgraph(name[i])) {
            return false;
        }
    }
    return true;
}

/* Takes @key: the name, or the name behind "part " */
static bool add_name(GuestAbiIncoming *incoming, const char *what,
                     const char *name, char *key, unsigned count,
                     unsigned most, Error **errp)
{
    if (!guest_abi_name_is_valid(name)) {
        error_setg(errp, "%s %u has no valid name (1 to %d visible ASCII "
                   "characters)", what, count, GUEST_ABI_NAME_SIZE - 1);
    } else if (g_hash_table_contains(incoming->by_name, key)) {
        error_setg(errp, "%s '%s' comes twice", what, name);
    } else if (count == most) {
        error_setg(errp, "more than %u times '%s'", most, what);
    } else {
        g_hash_table_insert(incoming->by_name, key,
                            GUINT_TO_POINTER(count + 1));
        return true;
    }
    g_free(key);
    return false;
}

bool guest_abi_incoming_add(GuestAbiIncoming *incoming, const char *name,
                            uint64_t value, Error **errp)
{
    GuestAbiValue entry = { .value = value };

    if (!add_name(incoming, "entry", name, g_strdup(name),
                  incoming->values->len, GUEST_ABI_MAX_ENTRIES, errp)) {
        return false;
    }
    pstrcpy(entry.name, sizeof(entry.name), name);
    g_array_append_val(incoming->values, entry);
    return true;
}

bool guest_abi_incoming_add_part(GuestAbiIncoming *incoming, const char *name,
                                 bool skippable, const void *data, size_t size,
                                 Error **errp)
{
    GuestAbiIncomingPart part = { .skippable = skippable };

    if (size > GUEST_ABI_MAX_SIZE) {
        error_setg(errp, "a part of %zu bytes (the most is %d)", size,
                   GUEST_ABI_MAX_SIZE);
        return false;
    }
    if (!add_name(incoming, "part", name, g_strdup_printf(PART_KEY, name),
                  incoming->parts->len, GUEST_ABI_MAX_PARTS, errp)) {
        return false;
    }
    pstrcpy(part.name, sizeof(part.name), name);
    part.data = g_bytes_new(data, size);
    g_array_append_val(incoming->parts, part);
    return true;
}

unsigned guest_abi_incoming_count(const GuestAbiIncoming *incoming)
{
    return incoming->values->len;
}

const GuestAbiValue *guest_abi_incoming_entry(const GuestAbiIncoming *incoming,
                                              unsigned index)
{
    return &g_array_index(incoming->values, GuestAbiValue, index);
}

const GuestAbiValue *guest_abi_incoming_value(const GuestAbiIncoming *incoming,
                                              const char *name)
{
    unsigned found = GPOINTER_TO_UINT(g_hash_table_lookup(incoming->by_name,
                                                          name));

    return found ? guest_abi_incoming_entry(incoming, found - 1) : NULL;
}

const GuestAbiIncomingPart *
guest_abi_incoming_part(const GuestAbiIncoming *incoming, const char *name)
{
    g_autofree char *key = g_strdup_printf(PART_KEY, name);
    unsigned found = GPOINTER_TO_UINT(g_hash_table_lookup(incoming->by_name,
                                                          key));

    return found ? &g_array_index(incoming->parts, GuestAbiIncomingPart,
                                  found - 1) : NULL;
}
