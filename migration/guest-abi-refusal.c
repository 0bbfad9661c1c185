/*
 * Guest ABI: how a refusal reaches people, on both sides of a migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
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

/* In the source's error, by which guest_abi_explain() knows it */
#define TOLD "the destination refused this VM: "

/* How the texts of reasons begin that this VM has found itself */
static const char *const ours[] = { "guest-abi: ", "shared-pages: " };

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
 * for a RAM block that it does not have, and its error then names the block;
 * guest_abi_explain() takes the name out of it.
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
     * reads the message and the other one sees the end of the connection. The
     * source's error is the message in the end, but it is there at the event
     * "failed" only if it was read first; no source says that it was, and one
     * that is not patched keeps its first error.
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

/*
 * A RAM block's name in an error is the reason up to its closing quotation
 * mark. A destination that is not trusted cannot write lines into a log.
 */
static char *told_reason(const Error *err)
{
    const char *reason = strstr(error_get_pretty(err), TOLD);
    char *text = g_strdup(reason);

    if (text && g_str_has_suffix(text, "'")) {
        text[strlen(text) - 1] = '\0';
    }
    for (char *c = text; c && *c; c++) {
        if (g_ascii_iscntrl(*c)) {
            *c = '?';
        }
    }
    return text;
}

/* A migration of a VM with a contract has a destination, and can be refused. */
static bool connected;

/* In a postcopy the contract was accepted; a cancelled migration is known. */
static bool can_be_refused(void)
{
    return qatomic_read(&connected) && !migration_in_postcopy() &&
           migrate_get_current()->state != MIGRATION_STATUS_CANCELLING;
}

static bool is_ours(const Error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        if (g_str_has_prefix(error_get_pretty(err), ours[i])) {
            return true;
        }
    }
    return false;
}

/* Where a reason is that the destination has not sent */
static void add_hint(Error **kept, const Error *err)
{
    /* MIG_RP_MSG_SHUT has a number, which says nothing. */
    if (g_str_has_prefix(error_get_pretty(err), "Sibling indicated error")) {
        error_setg(kept, "the destination failed");
    } else {
        *kept = error_copy(err);
    }
    error_prepend(kept, "migration failed; if the destination refused this "
                  "VM, its query-migrate and log say why: ");
}

void guest_abi_explain(Error **kept, const Error *err)
{
    g_autofree char *told = told_reason(err);

    if (told) {
        /* The thread that sees the end of the connection can be first. */
        error_free(*kept);
        *kept = NULL;
        error_setg(kept, "%s", told);
    } else if (!*kept && can_be_refused() && !is_ours(err)) {
        add_hint(kept, err);
    }
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

static int migration_changed(NotifierWithReturn *notify,
                             MigrationEvent *event, Error **errp)
{
    bool begins = event->type == MIG_EVENT_PRECOPY_SETUP;

    if (begins) {
        warn_without_return_path(migrate_get_current());
    }
    qatomic_set(&connected, begins);
    return 0;
}

void guest_abi_watch_refusals(void)
{
    static NotifierWithReturn notifiers[MIG_MODE__MAX];

    for (int mode = 0; mode < MIG_MODE__MAX; mode++) {
        migration_add_notifier_mode(&notifiers[mode], migration_changed, mode);
    }
}
