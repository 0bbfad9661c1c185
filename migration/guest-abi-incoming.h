/*
 * Guest ABI: another VM's contract, as it comes with a migration or in JSON
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef MIGRATION_GUEST_ABI_INCOMING_H
#define MIGRATION_GUEST_ABI_INCOMING_H

#include "guest-abi.h"

/**
 * GuestAbiIncomingPart: one part of another VM's contract
 * @name: ends with a NUL
 * @skippable: who does not know the part may leave it out
 * @data: its bytes
 */
typedef struct GuestAbiIncomingPart {
    char name[GUEST_ABI_NAME_SIZE];
    bool skippable;
    GBytes *data;
} GuestAbiIncomingPart;

/**
 * GuestAbiIncoming: another VM's contract
 * @machine: its machine type, NULL if it is not known
 * @values: GuestAbiValue of each entry; names valid, none twice
 * @parts: GuestAbiIncomingPart of each part; names valid, none twice
 * @by_name: from the names of @values and, behind "part ", those of @parts, to
 *           1 + the index
 */
typedef struct GuestAbiIncoming {
    char *machine;
    GArray *values;
    GArray *parts;
    GHashTable *by_name;
} GuestAbiIncoming;

/**
 * guest_abi_incoming_new: a contract without entries and parts
 */
GuestAbiIncoming *guest_abi_incoming_new(void);

/**
 * guest_abi_incoming_free: free a contract
 * @incoming: may be NULL
 */
void guest_abi_incoming_free(GuestAbiIncoming *incoming);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestAbiIncoming, guest_abi_incoming_free)

/**
 * guest_abi_incoming_add: add an entry
 * @incoming: the contract
 * @name: the entry's name, not trusted
 * @value: its value
 * @errp: not a name, the name is there already, or too many entries
 *
 * Returns: true on success.
 */
bool guest_abi_incoming_add(GuestAbiIncoming *incoming, const char *name,
                            uint64_t value, Error **errp);

/**
 * guest_abi_incoming_add_part: add a part
 * @incoming: the contract
 * @name: the part's name, not trusted
 * @skippable: who does not know the part may leave it out
 * @data: the bytes, copied
 * @size: their number, up to GUEST_ABI_MAX_SIZE
 * @errp: as of guest_abi_incoming_add(), or too many bytes
 *
 * Returns: true on success.
 */
bool guest_abi_incoming_add_part(GuestAbiIncoming *incoming, const char *name,
                                 bool skippable, const void *data, size_t size,
                                 Error **errp);

/**
 * guest_abi_incoming_count: number of entries
 * @incoming: the contract
 */
unsigned guest_abi_incoming_count(const GuestAbiIncoming *incoming);

/**
 * guest_abi_incoming_entry: the entries one by one
 * @incoming: the contract
 * @index: below guest_abi_incoming_count()
 */
const GuestAbiValue *guest_abi_incoming_entry(const GuestAbiIncoming *incoming,
                                              unsigned index);

/**
 * guest_abi_incoming_value: an entry by its name
 * @incoming: the contract
 * @name: the entry's name
 *
 * Returns: the entry, or NULL if there is none.
 */
const GuestAbiValue *guest_abi_incoming_value(const GuestAbiIncoming *incoming,
                                              const char *name);

/**
 * guest_abi_incoming_part: a part by its name
 * @incoming: the contract
 * @name: the part's name
 *
 * Returns: the part, or NULL if there is none.
 */
const GuestAbiIncomingPart *
guest_abi_incoming_part(const GuestAbiIncoming *incoming, const char *name);

/**
 * guest_abi_incoming_from_json: take a contract from query-guest-abi's reply
 * @object: the reply { "return": CONTRACT }, or CONTRACT; not trusted
 * @errp: why it is not that
 *
 * Names, values and the bytes of parts count; members that are not known are
 * passed over, as a later QEMU may print more of them.
 *
 * Returns: the contract, or NULL. The caller frees it with
 * guest_abi_incoming_free().
 */
GuestAbiIncoming *guest_abi_incoming_from_json(QObject *object, Error **errp);

/**
 * guest_abi_incoming_from_file: take a contract from a file
 * @file: its path; a file of up to 1 MiB with what
 *        guest_abi_incoming_from_json() takes
 * @errp: the file cannot be read, or is not that
 *
 * Returns: the contract, or NULL. The caller frees it with
 * guest_abi_incoming_free().
 */
GuestAbiIncoming *guest_abi_incoming_from_file(const char *file, Error **errp);

/**
 * guest_abi_incoming_from_section: take a contract from a migration stream
 * @data: the content of the section, not trusted
 * @size: number of bytes, up to GUEST_ABI_MAX_SIZE
 * @errp: where the section is damaged
 *
 * Returns: the contract, or NULL. The caller frees it with
 * guest_abi_incoming_free().
 */
GuestAbiIncoming *guest_abi_incoming_from_section(const uint8_t *data,
                                                  size_t size, Error **errp);

/**
 * guest_abi_section: this VM's contract as a section's content
 * @errp: the VM cannot be saved
 *
 * Returns: the content, or NULL. The caller drops the reference.
 */
GByteArray *guest_abi_section(Error **errp);

/**
 * guest_abi_judge: could a guest with a given contract come to this VM?
 * @incoming: the contract
 *
 * What a migration and check-guest-abi both ask; nothing is changed.
 *
 * Returns: a verdict for the machine type if it is known, for each entry and
 * part, and for each entry and part of this VM that is not among them and may
 * not be missing. The caller frees the list.
 */
GuestAbiVerdictList *guest_abi_judge(const GuestAbiIncoming *incoming);

/**
 * guest_abi_verdict: what a refused contract's migration says
 * @verdicts: from guest_abi_judge()
 * @errp: all that does not fit; the texts of those that come first, and the
 *        names of the others
 *
 * Returns: true if everything fits.
 */
bool guest_abi_verdict(const GuestAbiVerdictList *verdicts, Error **errp);

/**
 * qmp_check_guest_abi: the command of that name, see qapi/guest-abi.json
 * @contract: its arguments; see guest_abi_incoming_from_json()
 * @ret: set to a list of verdicts
 * @errp: @contract is none
 *
 * QAPI generates no prototype for a command that takes what it does not know.
 */
void qmp_check_guest_abi(QDict *contract, QObject **ret, Error **errp);

#endif
