/*
 * Guest ABI: what a guest was promised, kept across migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-guest-abi.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "hw/boards.h"
#include "hw/qdev-core.h"
#include "migration.h"
#include "migration/vmstate.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "guest-abi.h"

/* One entry as it is in the stream. */
typedef struct GuestAbiValue {
    char name[GUEST_ABI_NAME_SIZE];
    uint64_t value;
} GuestAbiValue;

/**
 * GuestAbi: the contract of the VM
 * @definitions: this side's entries
 * @migrated: the section is registered
 * @received: an incoming section was loaded and fits
 * @count: number of @values
 * @values: the section's content while it is saved or loaded
 */
typedef struct GuestAbi {
    GArray *definitions;
    bool migrated;
    bool received;
    uint8_t count;
    GuestAbiValue values[GUEST_ABI_MAX_ENTRIES];
} GuestAbi;

static GuestAbi guest_abi;

static unsigned definition_count(void)
{
    return guest_abi.definitions ? guest_abi.definitions->len : 0;
}

static const GuestAbiDefinition *definition_at(unsigned index)
{
    return &g_array_index(guest_abi.definitions, GuestAbiDefinition, index);
}

static const GuestAbiDefinition *definition_by_name(const char *name)
{
    for (unsigned i = 0; i < definition_count(); i++) {
        if (!strcmp(definition_at(i)->name, name)) {
            return definition_at(i);
        }
    }
    return NULL;
}

void guest_abi_add(const GuestAbiDefinition *definition)
{
    assert(strlen(definition->name) < GUEST_ABI_NAME_SIZE);
    assert(definition_count() < GUEST_ABI_MAX_ENTRIES);
    assert(!definition_by_name(definition->name));
    if (!guest_abi.definitions) {
        guest_abi.definitions = g_array_new(false, false, sizeof(*definition));
    }
    g_array_append_val(guest_abi.definitions, *definition);
}

static bool fits(const GuestAbiDefinition *definition, uint64_t incoming)
{
    switch (definition->rule) {
    case GUEST_ABI_RULE_EXACT:
        return incoming == definition->value;
    case GUEST_ABI_RULE_AT_LEAST:
        return incoming <= definition->value;
    case GUEST_ABI_RULE_SUBSET:
        return !(incoming & ~definition->value);
    default:
        g_assert_not_reached();
    }
}

static bool check_value(const char *name, uint64_t incoming, Error **errp)
{
    const GuestAbiDefinition *definition = definition_by_name(name);

    if (!definition) {
        if (!incoming) {
            return true;
        }
        error_setg(errp, "guest-abi: incoming VM has '%s' = 0x%" PRIx64
                   ", which this VM does not know; use a QEMU and a machine "
                   "type that have it, or start the VM anew", name, incoming);
        return false;
    }
    if (fits(definition, incoming)) {
        return true;
    }
    if (definition->refuse) {
        definition->refuse(definition, incoming, errp);
    } else {
        error_setg(errp, "guest-abi: incoming VM has '%s' = 0x%" PRIx64
                   ", this VM has 0x%" PRIx64 " (rule: %s); start this QEMU "
                   "with the source's -machine options", name, incoming,
                   definition->value, GuestAbiRule_str(definition->rule));
    }
    return false;
}

/* Checks the value at @index, of which every earlier one was seen. */
static bool check_entry(const GuestAbiValue *values, unsigned index,
                        Error **errp)
{
    for (unsigned i = 0; i < index; i++) {
        if (!strcmp(values[i].name, values[index].name)) {
            error_setg(errp, "guest-abi: '%s' comes twice; the contract is "
                       "damaged", values[index].name);
            return false;
        }
    }
    return check_value(values[index].name, values[index].value, errp);
}

/* An entry that did not come is one that the source had not heard of: 0. */
static bool check_missing(const GuestAbiDefinition *definition,
                          const GuestAbiValue *values, unsigned count,
                          Error **errp)
{
    for (unsigned i = 0; i < count; i++) {
        if (!strcmp(values[i].name, definition->name)) {
            return true;
        }
    }
    return check_value(definition->name, 0, errp);
}

static bool check_contract(const GuestAbiValue *values, unsigned count,
                           Error **errp)
{
    for (unsigned i = 0; i < count; i++) {
        if (!check_entry(values, i, errp)) {
            return false;
        }
    }
    for (unsigned i = 0; i < definition_count(); i++) {
        if (!check_missing(definition_at(i), values, count, errp)) {
            return false;
        }
    }
    return true;
}

/* Names are shown to people: visible ASCII, and an end. */
static bool name_is_valid(const char *name)
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

/*
 * A post_load function has no Error in QEMU 10.0. What is set here is what
 * query-migrate and the exit message show; loadvm shows only what is printed.
 */
static void refuse(Error *err)
{
    migrate_set_error(migrate_get_current(), err);
    error_report("%s", error_get_pretty(err));
}

static int guest_abi_pre_save(void *opaque)
{
    GuestAbi *abi = opaque;

    memset(abi->values, 0, sizeof(abi->values));
    abi->count = definition_count();
    for (unsigned i = 0; i < abi->count; i++) {
        pstrcpy(abi->values[i].name, sizeof(abi->values[i].name),
                definition_at(i)->name);
        abi->values[i].value = definition_at(i)->value;
    }
    return 0;
}

static int guest_abi_pre_load(void *opaque)
{
    GuestAbi *abi = opaque;

    abi->received = false;
    memset(abi->values, 0, sizeof(abi->values));
    return 0;
}

static bool count_is_valid(void *opaque, int version_id)
{
    GuestAbi *abi = opaque;

    return abi->count <= GUEST_ABI_MAX_ENTRIES;
}

static int guest_abi_post_load(void *opaque, int version_id)
{
    GuestAbi *abi = opaque;
    g_autoptr(Error) err = NULL;

    for (unsigned i = 0; i < abi->count; i++) {
        if (!name_is_valid(abi->values[i].name)) {
            error_setg(&err, "guest-abi: entry %u of the incoming contract "
                       "has no valid name; the stream is damaged", i);
            refuse(err);
            return -EINVAL;
        }
    }
    if (!check_contract(abi->values, abi->count, &err)) {
        refuse(err);
        return -EINVAL;
    }
    abi->received = true;
    return 0;
}

static const VMStateDescription vmstate_guest_abi_value = {
    .name = "guest-abi/value",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_BUFFER_UNSAFE(name, GuestAbiValue, 1, GUEST_ABI_NAME_SIZE),
        VMSTATE_UINT64(value, GuestAbiValue),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_guest_abi = {
    .name = "guest-abi",
    .version_id = 1,
    .minimum_version_id = 1,
    /* Before RAM, and before any section whose own check is less clear. */
    .early_setup = true,
    .priority = MIG_PRI_MAX,
    .pre_save = guest_abi_pre_save,
    .pre_load = guest_abi_pre_load,
    .post_load = guest_abi_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT8(count, GuestAbi),
        VMSTATE_VALIDATE("number of entries", count_is_valid),
        VMSTATE_STRUCT_VARRAY_UINT8(values, GuestAbi, count, 1,
                                    vmstate_guest_abi_value, GuestAbiValue),
        VMSTATE_END_OF_LIST()
    }
};

void guest_abi_migrate(void)
{
    if (!guest_abi.migrated) {
        guest_abi.migrated = true;
        vmstate_register(NULL, 0, &vmstate_guest_abi, &guest_abi);
    }
}

bool guest_abi_check_received(void)
{
    g_autoptr(Error) err = NULL;

    if (!guest_abi.migrated || guest_abi.received) {
        return true;
    }
    error_setg(&err, "guest-abi: incoming VM has no contract with its guest, "
               "this VM has one (see query-guest-abi); start this QEMU with "
               "the source's -machine options");
    refuse(err);
    return false;
}

GuestAbiContract *qmp_query_guest_abi(Error **errp)
{
    GuestAbiContract *contract = g_new0(GuestAbiContract, 1);
    GuestAbiEntryList **tail = &contract->entries;

    contract->migrated = guest_abi.migrated;
    for (unsigned i = 0; i < definition_count(); i++) {
        const GuestAbiDefinition *definition = definition_at(i);
        GuestAbiEntry *entry = g_new0(GuestAbiEntry, 1);

        entry->name = g_strdup(definition->name);
        entry->value = definition->value;
        entry->has_rule = true;
        entry->rule = definition->rule;
        entry->has_origin = true;
        entry->origin = definition->origin;
        if (definition->decode) {
            entry->has_names = true;
            entry->names = definition->decode(definition, definition->value);
        }
        QAPI_LIST_APPEND(tail, entry);
    }
    return contract;
}

static void append_verdict(GuestAbiVerdictList ***tail, const char *name,
                           Error *err)
{
    GuestAbiVerdict *verdict = g_new0(GuestAbiVerdict, 1);

    verdict->name = g_strdup(name);
    verdict->ok = !err;
    if (err) {
        verdict->error = g_strdup(error_get_pretty(err));
        error_free(err);
    }
    QAPI_LIST_APPEND(*tail, verdict);
}

GuestAbiVerdictList *qmp_check_guest_abi(GuestAbiEntryList *entries,
                                         Error **errp)
{
    GuestAbiVerdictList *verdicts = NULL;
    GuestAbiVerdictList **tail = &verdicts;
    GuestAbiValue values[GUEST_ABI_MAX_ENTRIES] = { };
    unsigned count = 0;

    for (GuestAbiEntryList *e = entries; e; e = e->next, count++) {
        if (count == GUEST_ABI_MAX_ENTRIES) {
            error_setg(errp, "a contract has at most %d entries",
                       GUEST_ABI_MAX_ENTRIES);
            return NULL;
        }
        if (strlen(e->value->name) >= GUEST_ABI_NAME_SIZE ||
            !name_is_valid(e->value->name)) {
            error_setg(errp, "'%.*s' is not the name of a contract's entry: "
                       "1 to %d visible ASCII characters", GUEST_ABI_NAME_SIZE,
                       e->value->name, GUEST_ABI_NAME_SIZE - 1);
            return NULL;
        }
        pstrcpy(values[count].name, sizeof(values[count].name),
                e->value->name);
        values[count].value = e->value->value;
    }

    for (unsigned i = 0; i < count; i++) {
        Error *err = NULL;

        check_entry(values, i, &err);
        append_verdict(&tail, values[i].name, err);
    }
    for (unsigned i = 0; i < definition_count(); i++) {
        Error *err = NULL;

        if (!check_missing(definition_at(i), values, count, &err)) {
            append_verdict(&tail, definition_at(i)->name, err);
        }
    }
    return verdicts;
}

static bool get_guest_abi(Object *obj, Error **errp)
{
    return guest_abi.migrated;
}

static void set_guest_abi(Object *obj, bool value, Error **errp)
{
    if (phase_check(PHASE_MACHINE_CREATED)) {
        error_setg(errp, "guest-abi cannot be changed after the machine was "
                   "created; give it on the command line: -machine "
                   "guest-abi=on");
        return;
    }
    if (value) {
        guest_abi_migrate();
    }
}

static void hmp_info_guest_abi(Monitor *mon, const QDict *qdict)
{
    g_autoptr(GuestAbiContract) contract = qmp_query_guest_abi(&error_abort);

    if (!contract->entries) {
        monitor_printf(mon, "nothing was promised to this guest\n");
    }
    for (GuestAbiEntryList *e = contract->entries; e; e = e->next) {
        const GuestAbiEntry *entry = e->value;

        monitor_printf(mon, "%-24s 0x%-8" PRIx64 " %-8s %-7s", entry->name,
                       entry->value, GuestAbiRule_str(entry->rule),
                       GuestAbiOrigin_str(entry->origin));
        for (strList *name = entry->names; name; name = name->next) {
            monitor_printf(mon, " %s", name->value);
        }
        monitor_printf(mon, "\n");
    }
    monitor_printf(mon, "the migration stream carries %s\n",
                   contract->migrated ? "it" : "no contract");
}

/*
 * A property of every machine, added from here as the class is complete when
 * migration types are initialised.
 */
static void guest_abi_register(void)
{
    ObjectClass *oc = object_class_by_name(TYPE_MACHINE);

    object_class_property_add_bool(oc, "guest-abi", get_guest_abi,
                                   set_guest_abi);
    object_class_property_set_description(oc, "guest-abi",
        "Let the migration stream carry what the guest was promised, so that "
        "a destination that cannot keep it refuses (see query-guest-abi)");
    monitor_register_hmp("guest-abi", true, hmp_info_guest_abi);
}

migration_init(guest_abi_register)
