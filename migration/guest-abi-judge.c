/*
 * Guest ABI: could a guest with a given contract come to this VM?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "guest-abi-incoming.h"
#include "guest-abi/trace.h"

#define REMEDY "start this QEMU with the source's -machine options"

/* A refusal has the texts of so many misfits, and the names of so many more. */
#define MAX_TEXTS 8
#define MAX_NAMES 16

/* What stands between a reason and its remedy in a text */
#define BEFORE_REMEDY "; "

static GuestAbiTrial *trial;

/* The contract whose entries are being refused, for their texts */
static const GuestAbiIncoming *judged;

bool guest_abi_names_add(GuestAbiNames *names, const char *format, ...)
{
    va_list args;

    if (names->count++ >= names->most) {
        return false;
    }
    if (!names->text) {
        names->text = g_string_new(NULL);
    } else {
        g_string_append(names->text, ", ");
    }
    va_start(args, format);
    g_string_append_vprintf(names->text, format, args);
    va_end(args);
    return true;
}

char *guest_abi_names_end(GuestAbiNames *names)
{
    if (!names->text) {
        return NULL;
    }
    if (names->count > names->most) {
        g_string_append_printf(names->text, " and %u more",
                               names->count - names->most);
    }
    return g_string_free(names->text, false);
}

void guest_abi_set_trial(GuestAbiTrial *new_trial)
{
    trial = new_trial;
}

/**
 * Judgement: verdicts, while they are found
 * @incoming: the contract
 * @truth: from the name of an entry of rule accepted to what the guest would
 *         read; NULL while there was no trial
 * @misfits: number of those that are not ok
 * @verdicts: the verdicts
 * @tail: where the next one goes
 */
typedef struct Judgement {
    const GuestAbiIncoming *incoming;
    GHashTable *truth;
    unsigned misfits;
    GuestAbiVerdictList *verdicts;
    GuestAbiVerdictList **tail;
} Judgement;

uint64_t guest_abi_judged_value(const char *name)
{
    const GuestAbiValue *came = guest_abi_incoming_value(judged, name);

    return came ? came->value : 0;
}

static char *remedy_of(const char *text)
{
    const char *found = g_strrstr(text, BEFORE_REMEDY);

    return found ? g_strdup(found + strlen(BEFORE_REMEDY)) : NULL;
}

static void add_verdict(Judgement *judgement, const char *name, Error *err)
{
    GuestAbiVerdict *verdict = g_new0(GuestAbiVerdict, 1);

    verdict->name = g_strdup(name);
    verdict->ok = !err;
    if (err) {
        judgement->misfits++;
        trace_guest_abi_misfit(name);
        verdict->error = g_strdup(error_get_pretty(err));
        verdict->remedy = remedy_of(verdict->error);
        error_free(err);
    }
    QAPI_LIST_APPEND(judgement->tail, verdict);
}

static bool is_same(const GuestAbiDefinition *definition, uint64_t a,
                    uint64_t b)
{
    return a == b || (definition->same && definition->same(definition, a, b));
}

static bool fits(const GuestAbiDefinition *definition, uint64_t incoming,
                 uint64_t here)
{
    switch (definition->rule) {
    case GUEST_ABI_RULE_EXACT:
    case GUEST_ABI_RULE_ACCEPTED:
        return is_same(definition, incoming, here);
    case GUEST_ABI_RULE_AT_LEAST:
        return incoming <= here;
    case GUEST_ABI_RULE_SUBSET:
        return !(incoming & ~here);
    default:
        g_assert_not_reached();
    }
}

/* What this VM would have where the other one has @incoming's value */
static uint64_t value_here(const Judgement *judgement,
                           const GuestAbiDefinition *definition)
{
    const uint64_t *truth = judgement->truth ?
        g_hash_table_lookup(judgement->truth, definition->name) : NULL;

    return truth ? *truth : guest_abi_here(definition);
}

static Error *check_value(const Judgement *judgement, const char *name,
                          uint64_t incoming)
{
    const GuestAbiDefinition *definition = guest_abi_definition_by_name(name);
    Error *err = NULL;
    uint64_t here;

    if (!definition) {
        guest_abi_refuse_unknown(name, incoming, &err);
        return err;
    }
    here = value_here(judgement, definition);
    if (fits(definition, incoming, here)) {
        return NULL;
    }
    if (definition->refuse) {
        judged = judgement->incoming;
        definition->refuse(definition, incoming, here, &err);
        judged = NULL;
    } else {
        error_setg(&err, "guest-abi: incoming VM has '%s' = 0x%" PRIx64
                   ", this VM has 0x%" PRIx64 " (rule: %s); " REMEDY, name,
                   incoming, here, GuestAbiRule_str(definition->rule));
    }
    return err;
}

static void check_machine(Judgement *judgement)
{
    const char *machine = judgement->incoming->machine;
    Error *err = NULL;

    if (!machine) {
        return;
    }
    if (strcmp(machine, guest_abi_machine_type())) {
        error_setg(&err, "guest-abi: incoming VM is a machine of type "
                   "'%.64s', this one is '%s'; " REMEDY, machine,
                   guest_abi_machine_type());
    }
    add_verdict(judgement, "machine", err);
}

/*
 * A value that was not sent is 0: its source had not heard of it. An entry
 * with @needed is optional, so that a contract without it is complete.
 */
static bool wanted_value(const Judgement *judgement,
                         const GuestAbiDefinition *definition, uint64_t *value)
{
    const GuestAbiValue *came = guest_abi_incoming_value(judgement->incoming,
                                                         definition->name);

    *value = came ? came->value : 0;
    return came || !definition->needed;
}

/* What would a guest read that was promised all that comes? */
static void try_all(Judgement *judgement)
{
    g_autoptr(GArray) wanted = g_array_new(false, true, sizeof(GuestAbiValue));
    g_autofree uint64_t *truth = NULL;
    Error *err = NULL;

    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        GuestAbiValue value = { };

        if (definition->rule == GUEST_ABI_RULE_ACCEPTED &&
            wanted_value(judgement, definition, &value.value)) {
            g_strlcpy(value.name, definition->name, sizeof(value.name));
            g_array_append_val(wanted, value);
        }
    }
    if (!trial || !wanted->len) {
        return;
    }
    truth = g_new0(uint64_t, wanted->len);
    if (!trial(&g_array_index(wanted, GuestAbiValue, 0), wanted->len, truth,
               &err)) {
        add_verdict(judgement, "trial", err);
        return;
    }
    judgement->truth = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                             g_free);
    for (unsigned i = 0; i < wanted->len; i++) {
        const GuestAbiDefinition *definition = guest_abi_definition_by_name(
            g_array_index(wanted, GuestAbiValue, i).name);

        g_hash_table_insert(judgement->truth, (void *)definition->name,
                            g_memdup2(&truth[i], sizeof(truth[i])));
    }
}

static void check_entries(Judgement *judgement)
{
    const GuestAbiIncoming *incoming = judgement->incoming;

    for (unsigned i = 0; i < guest_abi_incoming_count(incoming); i++) {
        const GuestAbiValue *value = guest_abi_incoming_entry(incoming, i);

        add_verdict(judgement, value->name,
                    check_value(judgement, value->name, value->value));
    }
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        uint64_t value;

        if (!guest_abi_incoming_value(incoming, definition->name) &&
            wanted_value(judgement, definition, &value)) {
            Error *err = check_value(judgement, definition->name, value);

            if (err) {
                add_verdict(judgement, definition->name, err);
            }
        }
    }
}

static void check_part(Judgement *judgement, const GuestAbiIncomingPart *came)
{
    const GuestAbiPart *part = guest_abi_part_by_name(came->name);
    Error *err = NULL;
    const void *data;
    gsize size;

    if (!part) {
        if (!came->skippable) {
            error_setg(&err, "guest-abi: incoming VM's contract has a part "
                       "'%s', which this VM does not know and may not leave "
                       "out; use a QEMU, a machine type and a host that have "
                       "it", came->name);
        }
    } else if (part->check) {
        data = g_bytes_get_data(came->data, &size);
        part->check(data ?: "", size, &err);
    }
    add_verdict(judgement, came->name, err);
}

static void check_parts(Judgement *judgement)
{
    const GArray *parts = judgement->incoming->parts;

    for (unsigned i = 0; i < parts->len; i++) {
        check_part(judgement, &g_array_index(parts, GuestAbiIncomingPart, i));
    }
    for (unsigned i = 0; guest_abi_part(i); i++) {
        const GuestAbiPart *part = guest_abi_part(i);
        Error *err = NULL;

        if (part->check &&
            !guest_abi_incoming_part(judgement->incoming, part->name) &&
            !part->check(NULL, 0, &err)) {
            add_verdict(judgement, part->name, err);
        }
    }
}

GuestAbiVerdictList *guest_abi_judge(const GuestAbiIncoming *incoming)
{
    Judgement judgement = { .incoming = incoming };

    judgement.tail = &judgement.verdicts;
    guest_abi_refresh();
    check_machine(&judgement);
    try_all(&judgement);
    check_entries(&judgement);
    check_parts(&judgement);
    g_clear_pointer(&judgement.truth, g_hash_table_unref);
    trace_guest_abi_judged(guest_abi_incoming_count(incoming),
                           incoming->parts->len, judgement.misfits);
    return judgement.verdicts;
}

static const char *without_prefix(const char *text)
{
    static const char prefix[] = "guest-abi: ";

    return g_str_has_prefix(text, prefix) ? text + strlen(prefix) : text;
}

static void append_reason(GString *text, const GuestAbiVerdict *verdict,
                          unsigned number)
{
    const char *reason = without_prefix(verdict->error);
    size_t length = strlen(reason);

    if (verdict->remedy) {
        length -= strlen(BEFORE_REMEDY) + strlen(verdict->remedy);
    }
    g_string_append_printf(text, " (%u) %.*s", number, (int)length, reason);
}

static void append_remedy(GString *text, const char *remedy)
{
    if (remedy) {
        g_string_append_printf(text, BEFORE_REMEDY "%s", remedy);
    }
}

/* A remedy of several misfits in a row stands behind the last of them. */
bool guest_abi_verdict(const GuestAbiVerdictList *verdicts, Error **errp)
{
    GuestAbiNames others = { .most = MAX_NAMES };
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *more = NULL;
    const char *only = NULL, *remedy = NULL;
    unsigned misfits = 0;

    for (; verdicts; verdicts = verdicts->next) {
        const GuestAbiVerdict *verdict = verdicts->value;

        if (verdict->ok) {
            continue;
        }
        misfits++;
        if (misfits > MAX_TEXTS || g_strcmp0(remedy, verdict->remedy)) {
            append_remedy(text, remedy);
            remedy = NULL;
        }
        if (misfits <= MAX_TEXTS) {
            only = verdict->error;
            remedy = verdict->remedy;
            append_reason(text, verdict, misfits);
        } else {
            guest_abi_names_add(&others, "'%s'", verdict->name);
        }
    }
    append_remedy(text, remedy);
    more = guest_abi_names_end(&others);
    if (more) {
        g_string_append_printf(text, "; and %s", more);
    }
    if (misfits == 1) {
        error_setg(errp, "%s", only);
    } else if (misfits) {
        error_setg(errp, "guest-abi: %u things of the incoming VM cannot be "
                   "kept here:%s", misfits, text->str);
    }
    return !misfits;
}
