/*
 * Guest ABI: what a guest was promised, kept across migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A contract is a list of named 64-bit values. Whoever promises something to
 * the guest adds an entry, with the rule by which a value that comes with a
 * migration is compared with it. The contract travels in one section for the
 * VM, ahead of RAM, so that a destination that cannot keep it refuses while
 * the guest still runs on the source. Nothing here knows an architecture.
 *
 * What is no 64-bit value travels in a part of its own beside the entries.
 * docs/system/arm/hvc-contract.rst describes the section.
 */

#ifndef MIGRATION_GUEST_ABI_H
#define MIGRATION_GUEST_ABI_H

#include "qapi/qapi-types-guest-abi.h"

/* Size of a name of an entry or of a part, with its terminating NUL */
#define GUEST_ABI_NAME_SIZE 64

/* A contract that claims to have more is damaged. */
#define GUEST_ABI_MAX_ENTRIES 1024
#define GUEST_ABI_MAX_PARTS   64

/* Bytes of a section's content; the largest list of entries needs 72 KiB. */
#define GUEST_ABI_MAX_SIZE (128 * 1024)

typedef struct GuestAbiDefinition GuestAbiDefinition;

/**
 * GuestAbiDefinition: one promise of this VM
 * @name: lower case, "ARCH.WHAT", shorter than GUEST_ABI_NAME_SIZE
 * @rule: how an incoming value is compared with this VM's
 * @value: what this VM has of itself, on this host
 * @promised: what the guest was told, which is what travels. guest_abi_add()
 *            sets it to @value. A contract that is adopted changes it for
 *            GUEST_ABI_RULE_ACCEPTED: what came; and for
 *            GUEST_ABI_RULE_AT_LEAST: what came, as long as the guest is not
 *            reset, when it is told @value again. A lister keeps its own
 * @origin: who set it
 * @device: the device that it is about, in words for people; may be NULL
 * @read: for a value that changes while the VM runs, in place of @value and
 *        @promised; only for GUEST_ABI_RULE_EXACT; may be NULL
 * @same: do two values tell the guest the same? For registers of which some
 *        kernels show fields that no guest has. NULL: if they are equal
 * @needed: is the promise part of the contract at all, as things are now? NULL
 *          for one that always is. One that may not be is never missed in an
 *          incoming contract.
 * @zero_is_absent: a value of 0 is neither sent nor shown, as a contract
 *                  without the entry says the same
 * @decode: a value in words, for people; may be NULL
 * @by_qemu: which of the words of @decode QEMU serves where the host's kernel
 *           cannot, for people; may be NULL
 * @refuse: say in @errp why @incoming, which does not fit by @rule, cannot be
 *          kept: what by name, the value that came, what this VM would have in
 *          its place, which is @here; and, behind the last "; ", what to do.
 *          May ask guest_abi_judged_value(). May be NULL
 * @opaque: for the functions
 */
struct GuestAbiDefinition {
    const char *name;
    GuestAbiRule rule;
    uint64_t value;
    uint64_t promised;
    GuestAbiOrigin origin;
    const char *device;
    uint64_t (*read)(const GuestAbiDefinition *definition);
    bool (*same)(const GuestAbiDefinition *definition, uint64_t a, uint64_t b);
    bool (*needed)(const GuestAbiDefinition *definition);
    bool zero_is_absent;
    strList *(*decode)(const GuestAbiDefinition *definition, uint64_t value);
    strList *(*by_qemu)(const GuestAbiDefinition *definition);
    void (*refuse)(const GuestAbiDefinition *definition, uint64_t incoming,
                   uint64_t here, Error **errp);
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
 * GuestAbiRefuseUnknown: say why an entry that this VM lacks cannot be kept
 * @name: the entry, of an incoming contract
 * @value: what the guest was promised
 * @errp: set to why, and what to do, if the entry is refused
 *
 * Returns: false if the entry is about something else.
 */
typedef bool GuestAbiRefuseUnknown(const char *name, uint64_t value,
                                   Error **errp);

/**
 * GuestAbiLister: a source of entries that come and go with devices
 * @list: list the entries as they are now, each by guest_abi_list()
 * @told: the guest that comes was told @value, in place of what this VM has;
 *        called for each listed entry of an incoming contract that fits
 * @forget: the guest boots: it is told what this VM has
 * @refuse_unknown: for entries of this source
 */
typedef struct GuestAbiLister {
    void (*list)(void);
    void (*told)(const GuestAbiDefinition *definition, uint64_t value);
    void (*forget)(void);
    GuestAbiRefuseUnknown *refuse_unknown;
} GuestAbiLister;

/**
 * GuestAbiPart: what travels with the contract and is no 64-bit value
 * @name: as an entry's; not "entries", which is the part that has those
 * @skippable: a destination that does not know the part may leave it out;
 *             otherwise it refuses
 * @save: append this VM's bytes; returns false, with an error, if the VM
 *        cannot be saved
 * @check: can this VM keep what came? Changes nothing that a guest can see;
 *         serves check-guest-abi as well as a migration, and is called after
 *         the trial (guest_abi_set_trial()) of the same contract. @data is not
 *         trusted, and NULL if the part did not come. Says in @errp what
 *         cannot be kept; may be NULL
 * @load: take what came, which @check has accepted, once nothing can refuse the
 *        contract any more: after the hook of guest_abi_set_adopted(), if that
 *        returned true; @data is not NULL. May be NULL
 * @decode: the bytes in words, for people; @data is this VM's own; may be NULL
 */
typedef struct GuestAbiPart {
    const char *name;
    bool skippable;
    bool (*save)(GByteArray *data, Error **errp);
    bool (*check)(const uint8_t *data, size_t size, Error **errp);
    void (*load)(const uint8_t *data, size_t size);
    strList *(*decode)(const uint8_t *data, size_t size);
} GuestAbiPart;

/**
 * GuestAbiTrial: what would a guest of this VM read?
 * @wanted: entries of GUEST_ABI_RULE_ACCEPTED that this VM has, with the
 *          values of an incoming contract: all of them but those that are
 *          not part of either contract (@needed)
 * @count: number of @wanted
 * @truth: set to what the guest would read for each of @wanted if all of them
 *         were adopted together
 * @errp: the trial itself failed
 *
 * Changes nothing that a guest can see; may be called at any time.
 *
 * Returns: true if @truth was filled in.
 */
typedef bool GuestAbiTrial(const GuestAbiValue *wanted, unsigned count,
                           uint64_t *truth, Error **errp);

/**
 * guest_abi_add: add an entry to this VM's contract
 * @definition: the entry; it is copied, what it points to is not
 *
 * To be called while the machine is made. No name may be added twice.
 */
void guest_abi_add(const GuestAbiDefinition *definition);

/**
 * guest_abi_set_lister: have the entries of devices in this VM's contract
 * @lister: stays where it is
 *
 * To be called once, while the machine is made.
 */
void guest_abi_set_lister(const GuestAbiLister *lister);

/**
 * guest_abi_set_refuse_unknown: have words of its own for what this VM lacks
 * @refuse: for entries that are in the contracts of some VMs only; NULL: none
 *
 * To be called while the machine is made.
 */
void guest_abi_set_refuse_unknown(GuestAbiRefuseUnknown *refuse);

/**
 * guest_abi_list: add an entry until the next call of GuestAbiLister.list
 * @definition: the entry, its @promised set; it is copied, and what it points
 *              to stays until then
 *
 * To be called by GuestAbiLister.list. No name may be added twice.
 */
void guest_abi_list(const GuestAbiDefinition *definition);

/**
 * guest_abi_refresh: have the listed entries as things are now
 *
 * To be called, with the big lock held, before entries are sent, shown or
 * compared. Pointers to entries are not valid any more.
 */
void guest_abi_refresh(void);

/**
 * guest_abi_refuse_unknown: say why an entry that this VM lacks is refused
 * @name: the entry, of an incoming contract
 * @value: what the guest was promised
 * @errp: set if it is refused
 */
void guest_abi_refuse_unknown(const char *name, uint64_t value, Error **errp);

/**
 * guest_abi_add_part: add a part to this VM's contract
 * @part: stays where it is
 *
 * To be called while the machine is made. No name may be added twice.
 */
void guest_abi_add_part(const GuestAbiPart *part);

/**
 * guest_abi_set_trial: have incoming values of rule accepted judged
 * @trial: see GuestAbiTrial; NULL: this VM can take on nothing, so that what
 *         comes has to be what the guest was promised
 */
void guest_abi_set_trial(GuestAbiTrial *trial);

/**
 * guest_abi_set_adopted: be told that an incoming contract is now this VM's
 * @adopted: called once for each contract that fits, after @promised of all
 *           entries was set, before any part and any other section is loaded.
 *           Returns false, with an error, if the VM cannot take it on after
 *           all: the contract is then refused, the promises are as before, and
 *           no part is loaded.
 */
void guest_abi_set_adopted(bool (*adopted)(Error **errp));

/**
 * guest_abi_set_kept: have this VM asked before its contract is sent
 * @kept: returns false, with an error, if the VM no longer is what the
 *        contract says; the migration then fails on the source
 */
void guest_abi_set_kept(bool (*kept)(Error **errp));

/**
 * guest_abi_set_complete: have an incoming stream asked for a further section
 * @complete: called when a section is loaded that always comes after it.
 *            Returns false, with an error, if it did not come
 *
 * To be called once, while the machine is made.
 */
void guest_abi_set_complete(bool (*complete)(Error **errp));

/**
 * guest_abi_set_load_ended: have a function called after each load
 * @ended: called with the big lock when a stream was loaded, or could not be.
 *         After a migration the VM may run by then
 *
 * To be called once, while the machine is made.
 */
void guest_abi_set_load_ended(void (*ended)(void));

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
 * did not, or if the hook of guest_abi_set_complete() says so; it is then
 * reported as the migration's error.
 */
bool guest_abi_check_received(void);

/**
 * guest_abi_load_failed: the guest whose contract came will not come
 *
 * To be called after a load that failed, before the machine is reset.
 */
void guest_abi_load_failed(void);

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
 * guest_abi_add_machine: add the entries that every machine has
 *
 * To be called once, by guest_abi_migrate().
 */
void guest_abi_add_machine(void);

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
 * guest_abi_part: this VM's parts, one by one
 * @index: counts from 0
 *
 * Returns: the part, or NULL if there are no more than @index.
 */
const GuestAbiPart *guest_abi_part(unsigned index);

/**
 * guest_abi_part_by_name: one of this VM's parts
 * @name: the part's name
 *
 * Returns: the part, or NULL if there is none of that name.
 */
const GuestAbiPart *guest_abi_part_by_name(const char *name);

/**
 * guest_abi_is_needed: is an entry part of the contract, as things are now?
 * @definition: the entry
 */
bool guest_abi_is_needed(const GuestAbiDefinition *definition);

/**
 * guest_abi_promised: what the guest was told, as things are now
 * @definition: the entry
 */
uint64_t guest_abi_promised(const GuestAbiDefinition *definition);

/**
 * guest_abi_here: what an incoming value is compared with
 * @definition: the entry
 *
 * Returns: this VM's own value; for GUEST_ABI_RULE_ACCEPTED the promised one,
 * which this VM now has. Of GUEST_ABI_RULE_EXACT they are equal.
 */
uint64_t guest_abi_here(const GuestAbiDefinition *definition);

/**
 * guest_abi_judged_value: another entry of the contract that is judged
 * @name: the entry's name
 *
 * Only for a definition's @refuse, whose text is about several entries.
 *
 * Returns: the value that came; 0 if the entry did not come.
 */
uint64_t guest_abi_judged_value(const char *name);

/**
 * GuestAbiNames: a list of names in the text of a refusal; starts as zeros, but
 * for @most
 * @most: so many are told, at least 1; the rest is a number
 * @count: how many there are
 * @text: those that are told
 */
typedef struct GuestAbiNames {
    unsigned most;
    unsigned count;
    GString *text;
} GuestAbiNames;

/**
 * guest_abi_names_add: one name more
 * @names: the list
 * @format: the name
 *
 * Returns: true if the name is told, false if it is only counted.
 */
bool guest_abi_names_add(GuestAbiNames *names, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/**
 * guest_abi_names_end: the list in words
 * @names: the list; it is over
 *
 * Returns: "A, B and 3 more"; NULL if there is no name. The caller frees it
 * with g_free().
 */
char *guest_abi_names_end(GuestAbiNames *names);

/**
 * guest_abi_name_is_valid: can this be an entry's name?
 * @name: not trusted; ends with a NUL
 *
 * Returns: true for 1 to GUEST_ABI_NAME_SIZE - 1 visible ASCII characters.
 */
bool guest_abi_name_is_valid(const char *name);

/**
 * guest_abi_refuse: tell people, and the source, why a migration is refused
 * @err: the reason
 *
 * For functions that load a section, which then return an error. The first
 * reason of a migration is the one that stays.
 */
void guest_abi_refuse(Error *err);

/**
 * guest_abi_explain: give a migration's error the words of who refused it
 * @kept: the migration's error so far, or NULL; replaced by the reason that
 *        the destination has sent, or set to @err with a hint at where the
 *        reason is, or left alone
 * @err: an error that is reported now
 *
 * Called by migrate_set_error() of any VM, in any thread, under its lock.
 */
void guest_abi_explain(Error **kept, const Error *err);

/**
 * guest_abi_refuse_missing: say that there is no contract in a stream
 * @errp: set
 */
void guest_abi_refuse_missing(Error **errp);

/**
 * guest_abi_watch_loads: refuse a stream without a contract at its beginning,
 * and reset the machine after a load that failed
 *
 * To be called once, by guest_abi_migrate().
 */
void guest_abi_watch_loads(void);

/**
 * guest_abi_cannot_send: tell people why this VM's contract is not sent
 * @err: the reason; it is freed, and becomes the migration's error
 */
void guest_abi_cannot_send(Error *err);

/**
 * guest_abi_watch_refusals: let this VM's own migrations say who refused them
 *
 * To be called once, by guest_abi_migrate().
 */
void guest_abi_watch_refusals(void);

#endif
