/*
 * Guest ABI: how a refusal reaches people, on both sides of a migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reason is known on the destination, where query-migrate, stderr and the
 * exit message have it. The source would just see a connection that is closed.
 * With a return path it is told the reason; without one it can at least say
 * where to look.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qemu/coroutine.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "io/channel-socket.h"
#include "io/channel-tls.h"
#include "migration.h"
#include "migration/misc.h"
#include "migration/qemu-compat.h"
#include "options.h"
#include "qemu-file.h"
#include "guest-abi.h"

/* In the source's error, by which its notifier knows it */
#define TOLD "the destination refused this VM: "

/*
 * MIG_RP_MSG_REQ_PAGES_ID of migration.c: offset (64 bits) and length (32) of
 * what is asked for, length of the RAM block's name (8), the name
 */
#define REQ_PAGES_ID 3
#define REQ_PAGES_ID_HEADER (8 + 4 + 1)
#define BLOCK_NAME_MAX 255

/* More than a source needs to read a message that has arrived */
#define TELL_NS (200 * SCALE_MS)

/*
 * MIG_RP_MSG_SHUT, with which a destination says that it has failed, has room
 * for a number only. But a source, patched or not, fails too when it is asked
 * for a RAM block that it does not have, and its error then names the block:
 * query-migrate, stderr and libvirt show it from the first moment on.
 */
static void tell_source(MigrationIncomingState *mis, const char *reason)
{
    static const char more[] = " [...] (the destination's query-migrate says "
                               "more)";
    uint8_t message[REQ_PAGES_ID_HEADER + BLOCK_NAME_MAX] = { };
    g_autofree char *text = g_strconcat(TOLD, reason, NULL);
    size_t length = strlen(text);

    if (length > BLOCK_NAME_MAX) {
        length = BLOCK_NAME_MAX;
        memcpy(text + length - strlen(more), more, strlen(more));
    }
    message[REQ_PAGES_ID_HEADER - 1] = length;
    memcpy(message + REQ_PAGES_ID_HEADER, text, length);
    length += REQ_PAGES_ID_HEADER;
    WITH_QEMU_LOCK_GUARD(&mis->rp_mutex) {
        qemu_put_be16(mis->to_src_file, REQ_PAGES_ID);
        qemu_put_be16(mis->to_src_file, length);
        qemu_put_buffer(mis->to_src_file, message, length);
        qemu_fflush(mis->to_src_file);
    }
    /*
     * The connection is closed next. The source has two threads, of which one
     * reads the message and the other one sees the end of the connection; the
     * first error is the one that stays.
     */
    if (qemu_in_coroutine()) {
        qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, TELL_NS);
    }
}

void guest_abi_refuse(Error *err)
{
    MigrationIncomingState *mis = migration_incoming_get_current();

    error_report("%s", error_get_pretty(err));
    /*
     * A post_load function has no Error in QEMU 10.0. What is set here is what
     * query-migrate and the exit message show. loadvm shows what is printed;
     * an error that it leaves behind would make the next loadvm fail.
     */
    if (runstate_check(RUN_STATE_INMIGRATE)) {
        migrate_set_error(migrate_get_current(), err);
    }
    if (mis->to_src_file) {
        tell_source(mis, error_get_pretty(err));
    }
}

void guest_abi_cannot_send(Error *err)
{
    migrate_set_error(migrate_get_current(), err);
    error_report_err(err);
}

static bool goes_through_socket(MigrationState *s)
{
    Object *channel = OBJECT(qemu_file_get_ioc(s->to_dst_file));

    return object_dynamic_cast(channel, TYPE_QIO_CHANNEL_SOCKET) ||
           object_dynamic_cast(channel, TYPE_QIO_CHANNEL_TLS);
}

static void warn_without_return_path(MigrationState *s)
{
    static bool warned;

    if (!warned && s->to_dst_file && goes_through_socket(s) &&
        !migrate_return_path() && !migrate_postcopy_ram()) {
        warned = true;
        warn_report("guest-abi: this VM migrates without the capability "
                    "return-path: a destination that refuses it when all was "
                    "sent cannot say so, this QEMU would say 'completed', and "
                    "the guest would be stopped on both sides until 'cont' is "
                    "given here; set return-path on both sides");
    }
}

static void explain_failure(MigrationState *s)
{
    QEMU_LOCK_GUARD(&s->error_mutex);
    if (s->error && !strstr(error_get_pretty(s->error), TOLD)) {
        error_prepend(&s->error, "migration failed; if the destination "
                      "refused this VM, its query-migrate and log say why: ");
    }
}

static int migration_changed(NotifierWithReturn *notify,
                             MigrationEvent *event, Error **errp)
{
    MigrationState *s = migrate_get_current();
    /* A failure to connect was nobody's refusal. */
    static bool connected;
    bool was_connected = connected;

    connected = event->type == MIG_EVENT_PRECOPY_SETUP;
    if (connected) {
        warn_without_return_path(s);
    } else if (event->type == MIG_EVENT_PRECOPY_FAILED && was_connected) {
        explain_failure(s);
    }
    return 0;
}

void guest_abi_watch_refusals(void)
{
    static NotifierWithReturn notifiers[MIG_MODE__MAX];

    for (int mode = 0; mode < MIG_MODE__MAX; mode++) {
        migration_add_notifier_mode(&notifiers[mode], migration_changed, mode);
    }
}
