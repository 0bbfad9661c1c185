/*
 * Guest ABI: what a guest was promised, kept across migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A contract is a list of named 64-bit values. Whoever promises something to
 * the guest adds an entry, with the rule by which a value that comes with a
 * migration is compared with it. The contract travels in one section for the
 * VM, ahead of RAM, so that a destination that cannot keep it refuses while
 * the guest still runs on the source. Nothing here knows an architecture.
 */

#ifndef MIGRATION_GUEST_ABI_H
#define MIGRATION_GUEST_ABI_H

#include "qapi/qapi-types-guest-abi.h"

/* Size of an entry's name in the stream, with its terminating NUL. */
#define GUEST_ABI_NAME_SIZE 32

/* No contract has more entries; one that claims to is damaged. */
#define GUEST_ABI_MAX_ENTRIES 128

typedef struct GuestAbiDefinition GuestAbiDefinition;

/**
 * GuestAbiDefinition: one promise of this VM
 * @name: lower case, "ARCH.WHAT", shorter than GUEST_ABI_NAME_SIZE
 * @rule: how an incoming value is compared with @value
 * @value: what is promised
 * @origin: who set it
 * @accepts: for GUEST_ABI_RULE_ACCEPTED: can this VM still take on an incoming
 *           value? Asked only about a value other than @value; changes nothing.
 *           When the contract is loaded, @value becomes what came.
 * @needed: is the promise part of the contract at all, as things are now? NULL
 *          for one that always is. One that may not be is never missed in an
 *          incoming contract.
 * @decode: @value in words, for people; may be NULL
 * @refuse: say in @errp why an incoming value, which does not fit by @rule,
 *          cannot be kept: what by name, the value that came, what this VM
 *          has, what to do; may be NULL
 * @opaque: for the functions
 */
struct GuestAbiDefinition {
    const char *name;
    GuestAbiRule rule;
    uint64_t value;
    GuestAbiOrigin origin;
    bool (*accepts)(const GuestAbiDefinition *definition, uint64_t incoming);
    bool (*needed)(const GuestAbiDefinition *definition);
    strList *(*decode)(const GuestAbiDefinition *definition, uint64_t value);
    void (*refuse)(const GuestAbiDefinition *definition, uint64_t incoming,
                   Error **errp);
    const void *opaque;
};

/**
 * GuestAbiValue: one entry as it comes with a migration
 * @name: ends with a NUL
 * @value: what the guest was promised
 */
typedef struct GuestAbiValue {
    char name[GUEST_ABI_NAME_SIZE];
    uint64_t value;
} GuestAbiValue;

/**
 * guest_abi_add: add an entry to this VM's contract
 * @definition: the entry; it is copied, what it points to is not
 *
 * To be called while the machine is made. No name may be added twice.
 */
void guest_abi_add(const GuestAbiDefinition *definition);

/**
 * guest_abi_migrate: let the migration stream carry the contract
 *
 * A VM that does not call this has the stream of an unpatched QEMU, byte for
 * byte. To be called while the machine is made; once or more often.
 */
void guest_abi_migrate(void);

/**
 * guest_abi_check_received: did the incoming stream carry a contract?
 *
 * To be called when a section is loaded that always comes after the contract,
 * such as a CPU's.
 *
 * Returns: false if this VM's stream carries a contract and the incoming one
 * did not; it is then reported as the migration's error.
 */
bool guest_abi_check_received(void);

/**
 * guest_abi_is_migrated: was guest_abi_migrate() called?
 */
bool guest_abi_is_migrated(void);

/**
 * guest_abi_is_declined: did the user say guest-abi=off?
 *
 * For a board whose machine cannot do without its contract.
 */
bool guest_abi_is_declined(void);

/**
 * guest_abi_machine_type: the name of this VM's machine type
 */
const char *guest_abi_machine_type(void);

/**
 * guest_abi_definition: this VM's entries, one by one
 * @index: counts from 0
 *
 * Returns: the entry, or NULL if there are no more than @index.
 */
const GuestAbiDefinition *guest_abi_definition(unsigned index);

/**
 * guest_abi_definition_by_name: one of this VM's entries
 * @name: the entry's name
 *
 * Returns: the entry, or NULL if there is none of that name.
 */
const GuestAbiDefinition *guest_abi_definition_by_name(const char *name);

/**
 * guest_abi_is_needed: is an entry part of the contract, as things are now?
 * @definition: the entry
 */
bool guest_abi_is_needed(const GuestAbiDefinition *definition);

/**
 * guest_abi_name_is_valid: can this be an entry's name?
 * @name: GUEST_ABI_NAME_SIZE bytes, not trusted
 *
 * Returns: true for 1 to GUEST_ABI_NAME_SIZE - 1 visible ASCII characters
 * with a NUL after them.
 */
bool guest_abi_name_is_valid(const char *name);

/**
 * guest_abi_values: take a contract from QAPI's form
 * @entries: the contract, not trusted
 * @values: room for GUEST_ABI_MAX_ENTRIES
 * @count: number of @values that were filled in
 * @errp: too many entries, or a name that none can have
 *
 * Returns: true on success.
 */
bool guest_abi_values(const GuestAbiEntryList *entries, GuestAbiValue *values,
                      unsigned *count, Error **errp);

/**
 * guest_abi_check_entry: can one entry of an incoming contract be kept?
 * @values: the contract, its names valid
 * @index: the entry; those before it count only in that none has its name
 * @errp: why it cannot be kept, and what to do
 *
 * Returns: true if it fits.
 */
bool guest_abi_check_entry(const GuestAbiValue *values, unsigned index,
                           Error **errp);

/**
 * guest_abi_check_missing: does an incoming contract lack one of our entries?
 * @definition: our entry
 * @values: the incoming contract
 * @count: number of @values
 * @errp: why the lack matters, and what to do
 *
 * A source that did not send an entry had not heard of it: its value is 0.
 *
 * Returns: true if the entry came, or if 0 fits.
 */
bool guest_abi_check_missing(const GuestAbiDefinition *definition,
                             const GuestAbiValue *values, unsigned count,
                             Error **errp);

/**
 * guest_abi_refuse: tell people, and the source, why a migration is refused
 * @err: the reason
 *
 * For functions that load a section, which then return an error. The first
 * reason of a migration is the one that stays.
 */
void guest_abi_refuse(Error *err);

/**
 * guest_abi_watch_refusals: let this VM's own migrations say who refused them
 *
 * To be called once, by guest_abi_migrate().
 */
void guest_abi_watch_refusals(void);

#endif
