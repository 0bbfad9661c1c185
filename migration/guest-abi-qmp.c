/*
 * Guest ABI: the contract in QMP and HMP
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-guest-abi.h"
#include "qemu/cutils.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "guest-abi.h"

GuestAbiContract *qmp_query_guest_abi(Error **errp)
{
    GuestAbiContract *contract = g_new0(GuestAbiContract, 1);
    GuestAbiEntryList **tail = &contract->entries;

    contract->machine = g_strdup(guest_abi_machine_type());
    contract->migrated = guest_abi_is_migrated();
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        GuestAbiEntry *entry;

        if (!guest_abi_is_needed(definition)) {
            continue;
        }
        entry = g_new0(GuestAbiEntry, 1);
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

bool guest_abi_values(const GuestAbiEntryList *entries, GuestAbiValue *values,
                      unsigned *count, Error **errp)
{
    *count = 0;
    for (const GuestAbiEntryList *e = entries; e; e = e->next) {
        GuestAbiValue *value = &values[*count];

        if (*count == GUEST_ABI_MAX_ENTRIES) {
            error_setg(errp, "a contract has at most %d entries",
                       GUEST_ABI_MAX_ENTRIES);
            return false;
        }
        if (!guest_abi_name_is_valid(e->value->name)) {
            error_setg(errp, "'%.*s' is not the name of a contract's entry: "
                       "1 to %d visible ASCII characters", GUEST_ABI_NAME_SIZE,
                       e->value->name, GUEST_ABI_NAME_SIZE - 1);
            return false;
        }
        pstrcpy(value->name, sizeof(value->name), e->value->name);
        value->value = e->value->value;
        ++*count;
    }
    return true;
}

static GuestAbiVerdict *new_verdict(const char *name, Error *err)
{
    GuestAbiVerdict *verdict = g_new0(GuestAbiVerdict, 1);

    verdict->name = g_strdup(name);
    verdict->ok = !err;
    if (err) {
        verdict->error = g_strdup(error_get_pretty(err));
        error_free(err);
    }
    return verdict;
}

GuestAbiVerdictList *qmp_check_guest_abi(const char *machine,
                                         GuestAbiEntryList *entries,
                                         Error **errp)
{
    GuestAbiVerdictList *verdicts = NULL;
    GuestAbiVerdictList **tail = &verdicts;
    GuestAbiValue values[GUEST_ABI_MAX_ENTRIES];
    unsigned count;

    if (!guest_abi_values(entries, values, &count, errp)) {
        return NULL;
    }
    if (machine) {
        Error *err = NULL;

        if (strcmp(machine, guest_abi_machine_type())) {
            error_setg(&err, "guest-abi: incoming VM is a machine of type "
                       "'%.64s', this one is '%s'; start this QEMU with the "
                       "source's -machine options", machine,
                       guest_abi_machine_type());
        }
        QAPI_LIST_APPEND(tail, new_verdict("machine", err));
    }
    for (unsigned i = 0; i < count; i++) {
        Error *err = NULL;

        guest_abi_check_entry(values, i, &err);
        QAPI_LIST_APPEND(tail, new_verdict(values[i].name, err));
    }
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        Error *err = NULL;

        if (!guest_abi_check_missing(definition, values, count, &err)) {
            QAPI_LIST_APPEND(tail, new_verdict(definition->name, err));
        }
    }
    return verdicts;
}

static void hmp_info_guest_abi(Monitor *mon, const QDict *qdict)
{
    g_autoptr(GuestAbiContract) contract = qmp_query_guest_abi(&error_abort);

    if (!contract->entries) {
        monitor_printf(mon, "nothing was promised to this guest\n");
    }
    for (GuestAbiEntryList *e = contract->entries; e; e = e->next) {
        const GuestAbiEntry *entry = e->value;
        const strList *name;

        monitor_printf(mon, "%-28s 0x%-8" PRIx64 " %-8s %-7s", entry->name,
                       entry->value, GuestAbiRule_str(entry->rule),
                       GuestAbiOrigin_str(entry->origin));
        for (name = entry->names; name; name = name->next) {
            monitor_printf(mon, " %s", name->value);
        }
        monitor_printf(mon, "\n");
    }
    monitor_printf(mon, "the migration stream carries %s\n",
                   contract->migrated ? "it" : "no contract");
}

static void guest_abi_register_hmp(void)
{
    monitor_register_hmp("guest-abi", true, hmp_info_guest_abi);
}

migration_init(guest_abi_register_hmp)
