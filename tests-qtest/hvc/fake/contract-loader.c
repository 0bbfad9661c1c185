/*
 * Loads and saves the section "guest-abi" without savevm.c, for tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-types-migration.h"
#include "qemu/bswap.h"
#include "qemu/module.h"
#include "io/channel-buffer.h"
#include "migration/client-options.h"
#include "migration/qemu-compat.h"
#include "migration/qemu-file.h"
#include "migration/vmstate.h"
#include "contract-loader.h"

/* The section that guest_abi_migrate() has registered */
static const VMStateDescription *section;
static void *section_opaque;

static QEMUResetHandler *reset;
static void *reset_opaque;

static char *refusal;

int vmstate_register_with_alias_id(VMStateIf *obj, uint32_t instance_id,
                                   const VMStateDescription *vmsd,
                                   void *opaque, int alias_id,
                                   int required_for_version, Error **errp)
{
    /* guest_abi_migrate() registers one section, which is ahead of RAM. */
    g_assert_null(section);
    g_assert_cmpuint(instance_id, ==, 0);
    g_assert_true(vmsd->early_setup);
    g_assert_cmpint(vmsd->priority, ==, MIG_PRI_MAX);
    section = vmsd;
    section_opaque = opaque;
    return 0;
}

/*
 * QEMU 10.2 asks for it when it loads a field; QEMU's stub comes with another
 * vmstate_register_with_alias_id().
 */
MigMode migrate_mode(void)
{
    return MIG_MODE_NORMAL;
}

void guest_abi_refuse(Error *err)
{
    g_assert_null(refusal);
    refusal = g_strdup(error_get_pretty(err));
}

void guest_abi_watch_loads(void)
{
}

void guest_abi_watch_refusals(void)
{
}

void guest_abi_cannot_send(Error *err)
{
    g_assert_null(refusal);
    refusal = g_strdup(error_get_pretty(err));
    error_free(err);
}

/* The entries of a machine: tests have none. */
void guest_abi_add_machine(void)
{
}

void qemu_register_reset(QEMUResetHandler *func, void *opaque)
{
    g_assert_null(reset);
    reset = func;
    reset_opaque = opaque;
}

void contract_reset(void)
{
    reset(reset_opaque);
}

void loading_clear(Loading *loading)
{
    g_clear_pointer(&loading->refusal, g_free);
}

void contract_loader_init(void)
{
    module_call_init(MODULE_INIT_QOM);
}

Loading contract_load(const uint8_t *data, size_t size, unsigned version)
{
    QIOChannelBuffer *channel = qio_channel_buffer_new(MAX(size, 1));
    Loading loading = { };
    QEMUFile *file;

    memcpy(channel->data, data, size);
    channel->usage = size;
    file = qemu_file_new_input(QIO_CHANNEL(channel));
    object_unref(OBJECT(channel));

    g_assert_nonnull(section);
    /* As savevm.c does before it loads a section */
    if (version <= section->version_id) {
        loading.loaded = !compat_vmstate_load_state(file, section,
                                                    section_opaque, version) &&
                         !qemu_file_get_error(file);
    }
    if (loading.loaded) {
        loading.consumed = 4 + ldl_be_p(data);
    }
    loading.refusal = g_steal_pointer(&refusal);
    qemu_fclose(file);
    return loading;
}

bool contract_can_save(char **error)
{
    QIOChannelBuffer *channel = qio_channel_buffer_new(4096);
    QEMUFile *file = qemu_file_new_output(QIO_CHANNEL(channel));
    int ret = compat_vmstate_save_state(file, section, section_opaque);

    qemu_fclose(file);
    object_unref(OBJECT(channel));
    *error = g_steal_pointer(&refusal);
    return !ret;
}

GByteArray *contract_save(void)
{
    QIOChannelBuffer *channel = qio_channel_buffer_new(4096);
    QEMUFile *file = qemu_file_new_output(QIO_CHANNEL(channel));
    GByteArray *content = g_byte_array_new();

    g_assert_nonnull(section);
    g_assert_cmpint(compat_vmstate_save_state(file, section, section_opaque),
                    ==, 0);
    qemu_fflush(file);
    g_byte_array_append(content, channel->data, channel->usage);
    qemu_fclose(file);
    object_unref(OBJECT(channel));
    return content;
}

GuestAbiIncoming *contract_own(void)
{
    g_autoptr(GByteArray) content = guest_abi_section(&error_abort);

    return guest_abi_incoming_from_section(content->data, content->len,
                                           &error_abort);
}

GuestAbiIncoming *contract_own_but(const char *name, const uint64_t *value)
{
    g_autoptr(GuestAbiIncoming) own = contract_own();
    GuestAbiIncoming *incoming = guest_abi_incoming_new();

    for (unsigned i = 0; i < guest_abi_incoming_count(own); i++) {
        const GuestAbiValue *entry = guest_abi_incoming_entry(own, i);

        if (strcmp(entry->name, name)) {
            guest_abi_incoming_add(incoming, entry->name, entry->value,
                                   &error_abort);
        }
    }
    if (value) {
        guest_abi_incoming_add(incoming, name, *value, &error_abort);
    }
    for (unsigned i = 0; i < own->parts->len; i++) {
        const GuestAbiIncomingPart *part =
            &g_array_index(own->parts, GuestAbiIncomingPart, i);
        gsize size;
        const void *data = g_bytes_get_data(part->data, &size);

        guest_abi_incoming_add_part(incoming, part->name, part->skippable,
                                    data, size, &error_abort);
    }
    return incoming;
}

char *contract_refusal(const GuestAbiIncoming *incoming, const char *name)
{
    g_autoptr(GuestAbiVerdictList) verdicts = guest_abi_judge(incoming);

    for (GuestAbiVerdictList *v = verdicts; v; v = v->next) {
        g_assert_true(v->value->ok == !v->value->error);
        if (!strcmp(v->value->name, name)) {
            return g_strdup(v->value->error);
        }
    }
    return NULL;
}

static void append_name(GByteArray *bytes, const char *name)
{
    uint8_t length = strlen(name);

    g_assert_cmpuint(strlen(name), <, 256);
    g_byte_array_append(bytes, &length, 1);
    g_byte_array_append(bytes, (const uint8_t *)name, length);
}

void contract_append_entry(GByteArray *data, const char *name, uint64_t value)
{
    uint8_t bytes[8];

    stq_be_p(bytes, value);
    append_name(data, name);
    g_byte_array_append(data, bytes, sizeof(bytes));
}

void contract_append_part(GByteArray *content, const char *name, uint8_t flags,
                          const GByteArray *data)
{
    uint8_t size[4];

    stl_be_p(size, data->len);
    g_byte_array_append(content, &flags, 1);
    append_name(content, name);
    g_byte_array_append(content, size, sizeof(size));
    g_byte_array_append(content, data->data, data->len);
}

void contract_prepend_size(GByteArray *content)
{
    uint8_t size[4];

    stl_be_p(size, content->len);
    g_byte_array_prepend(content, size, sizeof(size));
}

GByteArray *contract_section(const GuestAbiValue *values, unsigned count)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    GByteArray *content = g_byte_array_new();

    for (unsigned i = 0; i < count; i++) {
        contract_append_entry(data, values[i].name, values[i].value);
    }
    contract_append_part(content, "entries", 0, data);
    contract_prepend_size(content);
    return content;
}
