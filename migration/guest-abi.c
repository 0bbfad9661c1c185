/*
 * Guest ABI: what a guest was promised, kept across migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-guest-abi.h"
#include "migration/qemu-compat.h"
#include "migration/qemu-file-types.h"
#include "migration/vmstate.h"
#include "guest-abi-incoming.h"
#include "guest-abi/trace.h"

/**
 * GuestAbi: the contract of the VM
 * @definitions: this side's entries, those of @lister behind all others
 * @listed: number of entries of @lister
 * @lister: where entries of devices come from, or NULL
 * @refuse_unknown: the hook of guest_abi_set_refuse_unknown(), or NULL
 * @by_name: from their names to 1 + their index
 * @parts: this side's parts
 * @adopted: the hook of guest_abi_set_adopted(), or NULL
 * @kept: the hook of guest_abi_set_kept(), or NULL
 * @complete: the hook of guest_abi_set_complete(), or NULL
 * @migrated: the section is registered
 * @received: an incoming section was loaded and fits
 * @size: number of @content's bytes
 * @content: the section's content while it is saved or loaded
 */
typedef struct GuestAbi {
    GArray *definitions;
    unsigned listed;
    const GuestAbiLister *lister;
    GuestAbiRefuseUnknown *refuse_unknown;
    GHashTable *by_name;
    GPtrArray *parts;
    bool (*adopted)(Error **errp);
    bool (*kept)(Error **errp);
    bool (*complete)(Error **errp);
    bool migrated;
    bool received;
    uint32_t size;
    uint8_t *content;
} GuestAbi;

static GuestAbi guest_abi;

static unsigned definition_count(void)
{
    return guest_abi.definitions ? guest_abi.definitions->len : 0;
}

static GuestAbiDefinition *definition_at(unsigned index)
{
    return &g_array_index(guest_abi.definitions, GuestAbiDefinition, index);
}

const GuestAbiDefinition *guest_abi_definition(unsigned index)
{
    return index < definition_count() ? definition_at(index) : NULL;
}

const GuestAbiDefinition *guest_abi_definition_by_name(const char *name)
{
    unsigned found = guest_abi.by_name ?
        GPOINTER_TO_UINT(g_hash_table_lookup(guest_abi.by_name, name)) : 0;

    return found ? definition_at(found - 1) : NULL;
}

bool guest_abi_is_needed(const GuestAbiDefinition *definition)
{
    if (definition->zero_is_absent && !guest_abi_promised(definition)) {
        return false;
    }
    return !definition->needed || definition->needed(definition);
}

uint64_t guest_abi_promised(const GuestAbiDefinition *definition)
{
    return definition->read ? definition->read(definition)
                            : definition->promised;
}

uint64_t guest_abi_here(const GuestAbiDefinition *definition)
{
    return definition->rule == GUEST_ABI_RULE_AT_LEAST ||
           definition->rule == GUEST_ABI_RULE_SUBSET ?
           definition->value : guest_abi_promised(definition);
}

static void append(const GuestAbiDefinition *definition)
{
    assert(guest_abi_name_is_valid(definition->name));
    assert(!guest_abi_definition_by_name(definition->name));
    assert(!definition->read || definition->rule == GUEST_ABI_RULE_EXACT);
    if (!guest_abi.definitions) {
        guest_abi.definitions = g_array_new(false, false, sizeof(*definition));
        guest_abi.by_name = g_hash_table_new(g_str_hash, g_str_equal);
    }
    g_array_append_val(guest_abi.definitions, *definition);
    g_hash_table_insert(guest_abi.by_name, (void *)definition->name,
                        GUINT_TO_POINTER(definition_count()));
}

static void drop_listed(void)
{
    for (; guest_abi.listed; guest_abi.listed--) {
        g_hash_table_remove(guest_abi.by_name,
                            definition_at(definition_count() - 1)->name);
        g_array_set_size(guest_abi.definitions, definition_count() - 1);
    }
}

void guest_abi_add(const GuestAbiDefinition *definition)
{
    GuestAbiDefinition added = *definition;

    drop_listed();
    assert(definition_count() < GUEST_ABI_MAX_ENTRIES);
    added.promised = definition->value;
    append(&added);
}

void guest_abi_set_lister(const GuestAbiLister *lister)
{
    assert(!guest_abi.lister);
    guest_abi.lister = lister;
}

void guest_abi_list(const GuestAbiDefinition *definition)
{
    append(definition);
    guest_abi.listed++;
}

void guest_abi_refresh(void)
{
    if (guest_abi.lister) {
        drop_listed();
        guest_abi.lister->list();
    }
}

static bool is_listed(unsigned index)
{
    return index >= definition_count() - guest_abi.listed;
}

void guest_abi_set_refuse_unknown(GuestAbiRefuseUnknown *refuse)
{
    guest_abi.refuse_unknown = refuse;
}

void guest_abi_refuse_unknown(const char *name, uint64_t value, Error **errp)
{
    if ((guest_abi.lister &&
         guest_abi.lister->refuse_unknown(name, value, errp)) ||
        (guest_abi.refuse_unknown &&
         guest_abi.refuse_unknown(name, value, errp))) {
        return;
    }
    if (value) {
        error_setg(errp, "guest-abi: incoming VM has '%s' = 0x%" PRIx64
                   ", which this VM does not know; use a QEMU, a machine "
                   "type and a host that have it, or restart the VM on "
                   "this host", name, value);
    }
}

const GuestAbiPart *guest_abi_part(unsigned index)
{
    return guest_abi.parts && index < guest_abi.parts->len ?
           g_ptr_array_index(guest_abi.parts, index) : NULL;
}

const GuestAbiPart *guest_abi_part_by_name(const char *name)
{
    for (unsigned i = 0; guest_abi_part(i); i++) {
        if (!strcmp(guest_abi_part(i)->name, name)) {
            return guest_abi_part(i);
        }
    }
    return NULL;
}

void guest_abi_add_part(const GuestAbiPart *part)
{
    assert(guest_abi_name_is_valid(part->name));
    assert(strcmp(part->name, "entries"));
    assert(!guest_abi_part_by_name(part->name));
    if (!guest_abi.parts) {
        guest_abi.parts = g_ptr_array_new();
    }
    assert(guest_abi.parts->len < GUEST_ABI_MAX_PARTS);
    g_ptr_array_add(guest_abi.parts, (void *)part);
}

void guest_abi_set_adopted(bool (*adopted)(Error **errp))
{
    guest_abi.adopted = adopted;
}

void guest_abi_set_kept(bool (*kept)(Error **errp))
{
    guest_abi.kept = kept;
}

void guest_abi_set_complete(bool (*complete)(Error **errp))
{
    assert(!guest_abi.complete);
    guest_abi.complete = complete;
}

static void drop_content(GuestAbi *abi)
{
    g_clear_pointer(&abi->content, g_free);
    abi->size = 0;
}

static int guest_abi_pre_save(void *opaque)
{
    GuestAbi *abi = opaque;
    g_autoptr(GByteArray) content = NULL;
    Error *err = NULL;

    drop_content(abi);
    if (!abi->kept || abi->kept(&err)) {
        content = guest_abi_section(&err);
    }
    if (!content) {
        guest_abi_cannot_send(err);
        return -EINVAL;
    }
    trace_guest_abi_recorded(content->len);
    abi->size = content->len;
    abi->content = g_byte_array_free(g_steal_pointer(&content), false);
    return 0;
}

static int guest_abi_post_save(void *opaque)
{
    drop_content(opaque);
    return 0;
}

static int guest_abi_pre_load(void *opaque)
{
    GuestAbi *abi = opaque;

    abi->received = false;
    drop_content(abi);
    return 0;
}

/* Asked before memory is allocated */
static bool size_is_valid(void *opaque, int version_id)
{
    GuestAbi *abi = opaque;
    g_autoptr(Error) err = NULL;

    if (abi->size <= GUEST_ABI_MAX_SIZE) {
        return true;
    }
    error_setg(&err, "guest-abi: the incoming contract is damaged: it has "
               "%" PRIu32 " bytes, the most is %d", abi->size,
               GUEST_ABI_MAX_SIZE);
    guest_abi_refuse(err);
    return false;
}

static int put_content(QEMUFile *f, void *content, size_t size,
                       const VMStateField *field, JSONWriter *vmdesc)
{
    qemu_put_buffer(f, content, size);
    return 0;
}

/* guest_abi_post_load() is not called for a stream that ends in here. */
static int get_content(QEMUFile *f, void *content, size_t size,
                       const VMStateField *field)
{
    g_autoptr(Error) err = NULL;
    size_t came = qemu_get_buffer(f, content, size);

    if (came == size) {
        return 0;
    }
    error_setg(&err, "guest-abi: the incoming contract is damaged: the stream "
               "ends behind %zu of its %zu bytes", came, size);
    guest_abi_refuse(err);
    return -EIO;
}

/* The name is that of vmstate_info_buffer, for a stream's description. */
static const VMStateInfo vmstate_info_content = {
    .name = "buffer",
    .get = get_content,
    .put = put_content,
};

/* What the guest has is what came; the next destination is to hear of it. */
static void adopt(GuestAbiDefinition *definition,
                  const GuestAbiIncoming *incoming)
{
    const GuestAbiValue *came = guest_abi_incoming_value(incoming,
                                                         definition->name);
    uint64_t value = came ? came->value : 0;

    if (definition->rule == GUEST_ABI_RULE_ACCEPTED) {
        if (came || !definition->needed) {
            definition->promised = value;
        }
    } else if (definition->rule == GUEST_ABI_RULE_AT_LEAST) {
        definition->promised = MIN(value, definition->value);
    }
}

static void tell_lister(const GuestAbi *abi, const GuestAbiIncoming *incoming)
{
    for (unsigned i = 0; i < definition_count(); i++) {
        const GuestAbiDefinition *definition = definition_at(i);
        const GuestAbiValue *came = guest_abi_incoming_value(incoming,
                                                             definition->name);

        if (is_listed(i) && came) {
            abi->lister->told(definition, came->value);
        }
    }
}

static void load_parts(const GuestAbiIncoming *incoming)
{
    for (unsigned i = 0; guest_abi_part(i); i++) {
        const GuestAbiPart *part = guest_abi_part(i);
        const GuestAbiIncomingPart *came =
            guest_abi_incoming_part(incoming, part->name);

        if (part->load && came) {
            gsize size;
            const void *data = g_bytes_get_data(came->data, &size);

            part->load(data ?: "", size);
        }
    }
}

/* What can refuse comes first: a part that was loaded is not taken back. */
static bool adopt_all(GuestAbi *abi, const GuestAbiIncoming *incoming,
                      Error **errp)
{
    g_autofree uint64_t *before = g_new(uint64_t, definition_count());

    for (unsigned i = 0; i < definition_count(); i++) {
        before[i] = definition_at(i)->promised;
        adopt(definition_at(i), incoming);
    }
    if (!abi->adopted || abi->adopted(errp)) {
        tell_lister(abi, incoming);
        load_parts(incoming);
        trace_guest_abi_adopted(guest_abi_incoming_count(incoming),
                                incoming->parts->len);
        return true;
    }
    for (unsigned i = 0; i < definition_count(); i++) {
        definition_at(i)->promised = before[i];
    }
    return false;
}

static bool load(GuestAbi *abi, Error **errp)
{
    g_autoptr(GuestAbiIncoming) incoming =
        guest_abi_incoming_from_section(abi->content, abi->size, errp);
    g_autoptr(GuestAbiVerdictList) verdicts = NULL;

    if (!incoming) {
        return false;
    }
    verdicts = guest_abi_judge(incoming);
    return guest_abi_verdict(verdicts, errp) &&
           adopt_all(abi, incoming, errp);
}

static int guest_abi_post_load(void *opaque, int version_id)
{
    GuestAbi *abi = opaque;
    g_autoptr(Error) err = NULL;

    trace_guest_abi_received(abi->size);
    abi->received = load(abi, &err);
    drop_content(abi);
    if (!abi->received) {
        trace_guest_abi_refused(error_get_pretty(err));
        guest_abi_refuse(err);
        return -EINVAL;
    }
    return 0;
}

static const VMStateDescription vmstate_guest_abi = {
    .name = "guest-abi",
    .version_id = 1,
    .minimum_version_id = 1,
    /* Before RAM, and before any section whose own check is less clear. */
    .early_setup = true,
    .priority = MIG_PRI_MAX,
    .pre_save = guest_abi_pre_save,
    .post_save = guest_abi_post_save,
    .pre_load = guest_abi_pre_load,
    .post_load = guest_abi_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT32(size, GuestAbi),
        VMSTATE_VALIDATE("limit of size", size_is_valid),
        {
            .name = "content",
            .version_id = 1,
            .size_offset = vmstate_offset_value(GuestAbi, size, uint32_t),
            .info = &vmstate_info_content,
            .flags = VMS_VBUFFER | VMS_POINTER | VMS_ALLOC,
            .offset = offsetof(GuestAbi, content),
        },
        VMSTATE_END_OF_LIST()
    }
};

/* loadvm resets the machine first: what was received before is over. */
static void guest_abi_reset(void *opaque)
{
    /*
     * system_reset between the contract and the rest of a stream: the guest
     * that comes has not booted, and was told what it was told.
     */
    if (guest_abi.received && runstate_check(RUN_STATE_INMIGRATE)) {
        return;
    }
    guest_abi.received = false;
    /* A guest that boots asks again, and is told what this host has. */
    for (unsigned i = 0; i < definition_count(); i++) {
        GuestAbiDefinition *definition = definition_at(i);

        if (definition->rule == GUEST_ABI_RULE_AT_LEAST) {
            definition->promised = definition->value;
        }
    }
    if (guest_abi.lister) {
        guest_abi.lister->forget();
    }
}

void guest_abi_migrate(void)
{
    if (!guest_abi.migrated) {
        guest_abi.migrated = true;
        guest_abi_add_machine();
        qemu_register_reset(guest_abi_reset, NULL);
        vmstate_register(NULL, 0, &vmstate_guest_abi, &guest_abi);
        guest_abi_watch_loads();
        guest_abi_watch_refusals();
    }
}

void guest_abi_load_failed(void)
{
    guest_abi.received = false;
}

bool guest_abi_is_migrated(void)
{
    return guest_abi.migrated;
}

void guest_abi_refuse_missing(Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM has no contract with its guest, "
               "this VM has one (see query-guest-abi); start this QEMU with "
               "the source's -machine options");
}

bool guest_abi_check_received(void)
{
    g_autoptr(Error) err = NULL;

    if (!guest_abi.migrated) {
        return true;
    }
    if (!guest_abi.received) {
        guest_abi_refuse_missing(&err);
    } else if (!guest_abi.complete || guest_abi.complete(&err)) {
        return true;
    }
    guest_abi_refuse(err);
    return false;
}
