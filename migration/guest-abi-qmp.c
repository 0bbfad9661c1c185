/*
 * Guest ABI: the contract in QMP and HMP
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-guest-abi.h"
#include "qapi/qapi-visit-guest-abi.h"
#include "qapi/qmp-registry.h"
#include "qapi/qobject-output-visitor.h"
#include "migration/qemu-compat.h"
#include "monitor/hmp.h"
#include "monitor/monitor-internal.h"
#include "guest-abi-incoming.h"

static GuestAbiEntry *describe(const GuestAbiDefinition *definition)
{
    GuestAbiEntry *entry = g_new0(GuestAbiEntry, 1);

    entry->name = g_strdup(definition->name);
    entry->value = guest_abi_promised(definition);
    entry->hex = g_strdup_printf("0x%" PRIx64, entry->value);
    entry->has_rule = true;
    entry->rule = definition->rule;
    entry->has_origin = true;
    entry->origin = definition->origin;
    entry->device = g_strdup(definition->device);
    if (definition->decode) {
        entry->has_names = true;
        entry->names = definition->decode(definition, entry->value);
    }
    if (definition->by_qemu) {
        entry->by_qemu = definition->by_qemu(definition);
        entry->has_by_qemu = entry->by_qemu;
    }
    return entry;
}

static GuestAbiPartInfo *describe_part(const GuestAbiPart *part, Error **errp)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    GuestAbiPartInfo *info;

    if (!part->save(data, errp)) {
        return NULL;
    }
    info = g_new0(GuestAbiPartInfo, 1);
    info->name = g_strdup(part->name);
    info->skippable = part->skippable;
    info->data = g_base64_encode(data->data, data->len);
    if (part->decode) {
        info->has_names = true;
        info->names = part->decode(data->data, data->len);
    }
    return info;
}

GuestAbiContract *qmp_query_guest_abi(Error **errp)
{
    g_autoptr(GuestAbiContract) contract = g_new0(GuestAbiContract, 1);
    GuestAbiEntryList **entries = &contract->entries;
    GuestAbiPartInfoList **parts = &contract->parts;

    contract->machine = g_strdup(guest_abi_machine_type());
    contract->migrated = guest_abi_is_migrated();
    guest_abi_refresh();
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);

        if (guest_abi_is_needed(definition)) {
            QAPI_LIST_APPEND(entries, describe(definition));
        }
    }
    for (unsigned i = 0; guest_abi_part(i); i++) {
        GuestAbiPartInfo *info = describe_part(guest_abi_part(i), errp);

        if (!info) {
            return NULL;
        }
        QAPI_LIST_APPEND(parts, info);
    }
    return g_steal_pointer(&contract);
}

/* Not generated, so that members that are not known can be passed over. */
void qmp_check_guest_abi(QDict *contract, QObject **ret, Error **errp)
{
    g_autoptr(GuestAbiIncoming) incoming =
        guest_abi_incoming_from_json(QOBJECT(contract), errp);
    g_autoptr(GuestAbiVerdictList) verdicts = NULL;
    Visitor *visitor;

    if (!incoming) {
        return;
    }
    verdicts = guest_abi_judge(incoming);
    visitor = qobject_output_visitor_new(ret);
    if (visit_type_GuestAbiVerdictList(visitor, NULL, &verdicts, errp)) {
        visit_complete(visitor, ret);
    }
    visit_free(visitor);
}

static void hmp_info_guest_abi(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    g_autoptr(GuestAbiContract) contract = qmp_query_guest_abi(&err);

    if (!contract) {
        hmp_handle_error(mon, err);
        return;
    }
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
        for (name = entry->by_qemu; name; name = name->next) {
            monitor_printf(mon, " (%s by QEMU)", name->value);
        }
        if (entry->device) {
            monitor_printf(mon, " (%s)", entry->device);
        }
        monitor_printf(mon, "\n");
    }
    for (GuestAbiPartInfoList *p = contract->parts; p; p = p->next) {
        monitor_printf(mon, "part %s%s\n", p->value->name,
                       p->value->skippable ? " (skippable)" : "");
        for (strList *name = p->value->names; name; name = name->next) {
            monitor_printf(mon, "  %s\n", name->value);
        }
    }
    monitor_printf(mon, "the migration stream carries %s\n",
                   contract->migrated ? "it" : "no contract");
}

static void guest_abi_register_commands(void)
{
    monitor_register_hmp("guest-abi", true, hmp_info_guest_abi);
    qmp_register_command(&qmp_commands, "check-guest-abi", qmp_check_guest_abi,
                         0, 0);
}

migration_init(guest_abi_register_commands)
