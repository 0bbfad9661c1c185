/*
 * Guest ABI: what a guest was promised, kept across migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "migration/qemu-compat.h"
#include "migration/vmstate.h"
#include "guest-abi.h"

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

const GuestAbiDefinition *guest_abi_definition(unsigned index)
{
    return index < definition_count() ?
        &g_array_index(guest_abi.definitions, GuestAbiDefinition, index) :
        NULL;
}

const GuestAbiDefinition *guest_abi_definition_by_name(const char *name)
{
    for (unsigned i = 0; i < definition_count(); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);

        if (!strcmp(definition->name, name)) {
            return definition;
        }
    }
    return NULL;
}

bool guest_abi_is_needed(const GuestAbiDefinition *definition)
{
    return !definition->needed || definition->needed(definition);
}

void guest_abi_add(const GuestAbiDefinition *definition)
{
    assert(strlen(definition->name) < GUEST_ABI_NAME_SIZE);
    assert(definition_count() < GUEST_ABI_MAX_ENTRIES);
    assert(!guest_abi_definition_by_name(definition->name));
    assert(definition->rule != GUEST_ABI_RULE_ACCEPTED || definition->accepts);
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
    case GUEST_ABI_RULE_ACCEPTED:
        return incoming == definition->value ||
               definition->accepts(definition, incoming);
    default:
        g_assert_not_reached();
    }
}

static bool check_value(const char *name, uint64_t incoming, Error **errp)
{
    const GuestAbiDefinition *definition = guest_abi_definition_by_name(name);

    if (!definition) {
        if (!incoming) {
            return true;
        }
        error_setg(errp, "guest-abi: incoming VM has '%s' = 0x%" PRIx64
                   ", which this VM does not know; use a QEMU, a machine type "
                   "and a host that have it, or start the VM anew", name,
                   incoming);
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

static const GuestAbiValue *value_by_name(const GuestAbiValue *values,
                                          unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (!strcmp(values[i].name, name)) {
            return &values[i];
        }
    }
    return NULL;
}

bool guest_abi_check_entry(const GuestAbiValue *values, unsigned index,
                           Error **errp)
{
    if (value_by_name(values, index, values[index].name)) {
        error_setg(errp, "guest-abi: '%s' comes twice; the contract is "
                   "damaged", values[index].name);
        return false;
    }
    return check_value(values[index].name, values[index].value, errp);
}

bool guest_abi_check_missing(const GuestAbiDefinition *definition,
                             const GuestAbiValue *values, unsigned count,
                             Error **errp)
{
    /* What need not be there is not missed. */
    return definition->needed ||
           value_by_name(values, count, definition->name) ||
           check_value(definition->name, 0, errp);
}

static bool check_contract(const GuestAbiValue *values, unsigned count,
                           Error **errp)
{
    for (unsigned i = 0; i < count; i++) {
        if (!guest_abi_check_entry(values, i, errp)) {
            return false;
        }
    }
    for (unsigned i = 0; i < definition_count(); i++) {
        if (!guest_abi_check_missing(guest_abi_definition(i), values, count,
                                     errp)) {
            return false;
        }
    }
    return true;
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

static int guest_abi_pre_save(void *opaque)
{
    GuestAbi *abi = opaque;

    memset(abi->values, 0, sizeof(abi->values));
    abi->count = 0;
    for (unsigned i = 0; guest_abi_definition(i); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);

        if (guest_abi_is_needed(definition)) {
            GuestAbiValue *value = &abi->values[abi->count++];

            pstrcpy(value->name, sizeof(value->name), definition->name);
            value->value = definition->value;
        }
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

/* What the guest has is what came; the next destination is to hear of it. */
static void adopt_accepted(const GuestAbiValue *values, unsigned count)
{
    for (unsigned i = 0; i < definition_count(); i++) {
        GuestAbiDefinition *definition =
            &g_array_index(guest_abi.definitions, GuestAbiDefinition, i);

        if (definition->rule == GUEST_ABI_RULE_ACCEPTED) {
            const GuestAbiValue *value = value_by_name(values, count,
                                                       definition->name);

            if (value) {
                definition->value = value->value;
            } else if (!definition->needed) {
                definition->value = 0;
            }
        }
    }
}

static int guest_abi_post_load(void *opaque, int version_id)
{
    GuestAbi *abi = opaque;
    g_autoptr(Error) err = NULL;

    for (unsigned i = 0; i < abi->count; i++) {
        if (!guest_abi_name_is_valid(abi->values[i].name)) {
            error_setg(&err, "guest-abi: entry %u of the incoming contract "
                       "has no valid name; the stream is damaged", i);
            guest_abi_refuse(err);
            return -EINVAL;
        }
    }
    if (!check_contract(abi->values, abi->count, &err)) {
        guest_abi_refuse(err);
        return -EINVAL;
    }
    adopt_accepted(abi->values, abi->count);
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

/* loadvm resets the machine first: what was received before is over. */
static void guest_abi_reset(void *opaque)
{
    /* A VM that waits for its stream can be reset too. */
    if (!runstate_check(RUN_STATE_INMIGRATE)) {
        guest_abi.received = false;
    }
}

void guest_abi_migrate(void)
{
    if (!guest_abi.migrated) {
        guest_abi.migrated = true;
        qemu_register_reset(guest_abi_reset, NULL);
        vmstate_register(NULL, 0, &vmstate_guest_abi, &guest_abi);
        guest_abi_watch_refusals();
    }
}

bool guest_abi_is_migrated(void)
{
    return guest_abi.migrated;
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
    guest_abi_refuse(err);
    return false;
}
