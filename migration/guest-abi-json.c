/*
 * Guest ABI: a contract as query-guest-abi prints it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Read by hand and not by QAPI's visitors, which refuse what they do not know:
 * the reply of a later QEMU can have members and rules that this one lacks.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/base64.h"
#include "qemu/cutils.h"
#include "qemu/units.h"
#include "migration/qemu-compat.h"
#include "guest-abi-incoming.h"

/* A contract has some 100 entries of some 100 bytes. */
#define MAX_FILE_SIZE (1 * MiB)

#define NOT_AS_PRINTED "not as query-guest-abi printed it"

static const char *text_of(const QDict *dict, const char *member)
{
    QString *text = dict ? qobject_to(QString, qdict_get(dict, member)) : NULL;

    return text ? qstring_get_str(text) : NULL;
}

/* Numbers from 2^63 on are unsigned in QMP; QEMU's parser takes -1, too. */
static bool read_number(const QDict *entry, const char *name, uint64_t *number,
                        Error **errp)
{
    QNum *num = qobject_to(QNum, qdict_get(entry, "value"));
    int64_t negative;

    if (!num) {
        error_setg(errp, "entry '%s' has no number 'value'", name);
        return false;
    }
    if (qnum_get_try_uint(num, number)) {
        return true;
    }
    if (qnum_get_try_int(num, &negative)) {
        *number = negative;
        return true;
    }
    error_setg(errp, "entry '%s' has a 'value' that is no 64-bit integer, "
               NOT_AS_PRINTED, name);
    return false;
}

/* A program that keeps numbers as floating point drops their low bits. */
static bool check_hex(const QDict *entry, const char *name, uint64_t number,
                      Error **errp)
{
    const char *text = text_of(entry, "hex");
    uint64_t twin;

    if (!qdict_haskey(entry, "hex")) {
        return true;
    }
    if (!text || !strstart(text, "0x", NULL) ||
        qemu_strtou64(text, NULL, 16, &twin)) {
        error_setg(errp, "entry '%s' has a 'hex' that is no hexadecimal "
                   "number, " NOT_AS_PRINTED, name);
        return false;
    }
    if (twin != number) {
        error_setg(errp, "entry '%s' has 'value' = 0x%" PRIx64 " and 'hex' = "
                   "0x%" PRIx64 ", " NOT_AS_PRINTED "; a program such as jq "
                   "before 1.7 rounds large numbers: use the reply as it came",
                   name, number, twin);
        return false;
    }
    return true;
}

static bool add_entry(GuestAbiIncoming *incoming, QObject *object,
                      Error **errp)
{
    const QDict *entry = qobject_to(QDict, object);
    const char *name = text_of(entry, "name");
    uint64_t number;

    if (!name || !guest_abi_name_is_valid(name)) {
        error_setg(errp, "an entry without a valid 'name' (1 to %d visible "
                   "ASCII characters)", GUEST_ABI_NAME_SIZE - 1);
        return false;
    }
    return read_number(entry, name, &number, errp) &&
           check_hex(entry, name, number, errp) &&
           guest_abi_incoming_add(incoming, name, number, errp);
}

static bool add_part(GuestAbiIncoming *incoming, QObject *object, Error **errp)
{
    const QDict *part = qobject_to(QDict, object);
    const char *name = text_of(part, "name");
    const char *text = text_of(part, "data");
    g_autofree uint8_t *data = NULL;
    gsize size;

    if (!name || !text) {
        error_setg(errp, "a part without a text 'name' or 'data'");
        return false;
    }
    data = qbase64_decode(text, -1, &size, errp);
    return data && guest_abi_incoming_add_part(
        incoming, name, qdict_get_try_bool(part, "skippable", false), data,
        size, errp);
}

static bool add_each(GuestAbiIncoming *incoming, QList *list,
                     bool (*add)(GuestAbiIncoming *incoming, QObject *object,
                                 Error **errp), Error **errp)
{
    QListEntry *entry;

    QLIST_FOREACH_ENTRY(list, entry) {
        if (!add(incoming, qlist_entry_obj(entry), errp)) {
            return false;
        }
    }
    return true;
}

GuestAbiIncoming *guest_abi_incoming_from_json(QObject *object, Error **errp)
{
    g_autoptr(GuestAbiIncoming) incoming = guest_abi_incoming_new();
    QDict *contract = qobject_to(QDict, object);
    QList *entries, *parts;

    if (contract && qdict_haskey(contract, "return")) {
        contract = qobject_to(QDict, qdict_get(contract, "return"));
    }
    entries = contract ? qobject_to(QList, qdict_get(contract, "entries"))
                       : NULL;
    if (!entries) {
        error_setg(errp, "no list 'entries', so it is not what "
                   "query-guest-abi returns");
        return NULL;
    }
    incoming->machine = g_strdup(text_of(contract, "machine"));
    parts = qobject_to(QList, qdict_get(contract, "parts"));
    if (!add_each(incoming, entries, add_entry, errp) ||
        (parts && !add_each(incoming, parts, add_part, errp))) {
        return NULL;
    }
    return g_steal_pointer(&incoming);
}

static bool read_file(const char *file, char **text, Error **errp)
{
    g_autoptr(GError) err = NULL;
    struct stat status;
    gsize length;

    /* Whatever is there: neither wait for a pipe nor fill the memory. */
    if (stat(file, &status)) {
        error_setg_errno(errp, errno, "cannot read it");
        return false;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > MAX_FILE_SIZE) {
        error_setg(errp, "not a file of at most %u bytes",
                   (unsigned)MAX_FILE_SIZE);
        return false;
    }
    if (!g_file_get_contents(file, text, &length, &err)) {
        error_setg(errp, "%s", err->message);
        return false;
    }
    if (strlen(*text) != length) {
        error_setg(errp, "not a text file");
        return false;
    }
    return true;
}

GuestAbiIncoming *guest_abi_incoming_from_file(const char *file, Error **errp)
{
    g_autofree char *text = NULL;
    GuestAbiIncoming *incoming;
    QObject *object;

    if (!read_file(file, &text, errp)) {
        return NULL;
    }
    object = qobject_from_json(text, errp);
    if (!object) {
        return NULL;
    }
    incoming = guest_abi_incoming_from_json(object, errp);
    qobject_unref(object);
    return incoming;
}
