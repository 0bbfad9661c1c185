/*
 * Loads and saves the section "guest-abi" without savevm.c, for tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "io/channel-buffer.h"
#include "migration/guest-abi.h"
#include "migration/qemu-compat.h"
#include "migration/qemu-file.h"
#include "migration/vmstate.h"
#include "contract-loader.h"

/* The section that guest_abi_migrate() has registered */
static const VMStateDescription *section;
static void *section_opaque;

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

void guest_abi_refuse(Error *err)
{
    g_assert_null(refusal);
    refusal = g_strdup(error_get_pretty(err));
}

void guest_abi_watch_refusals(void)
{
}

/* No test resets the machine. */
void qemu_register_reset(QEMUResetHandler *func, void *opaque)
{
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
        loading.loaded = !vmstate_load_state(file, section, section_opaque,
                                             version) &&
                         !qemu_file_get_error(file);
    }
    if (loading.loaded) {
        loading.consumed = 1 + (size_t)data[0] * (GUEST_ABI_NAME_SIZE + 8);
    }
    loading.refusal = g_steal_pointer(&refusal);
    qemu_fclose(file);
    return loading;
}

GByteArray *contract_save(void)
{
    QIOChannelBuffer *channel = qio_channel_buffer_new(4096);
    QEMUFile *file = qemu_file_new_output(QIO_CHANNEL(channel));
    GByteArray *content = g_byte_array_new();

    g_assert_nonnull(section);
    g_assert_cmpint(vmstate_save_state(file, section, section_opaque, NULL),
                    ==, 0);
    qemu_fflush(file);
    g_byte_array_append(content, channel->data, channel->usage);
    qemu_fclose(file);
    object_unref(OBJECT(channel));
    return content;
}
