/*
 * Guest ABI: how a refusal reaches people, on both sides of a migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reason is known on the destination only, where query-migrate, stderr
 * and the exit message have it. The source would just see a connection that
 * is closed. With a return path it is told that the contract was refused;
 * without one it can at least say where to look.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "migration.h"
#include "migration/misc.h"
#include "migration/qemu-compat.h"
#include "guest-abi.h"

/*
 * The value of the return path's last message: "ABI" in ASCII. An unpatched
 * source takes any value but 0 for an error, and prints it.
 */
#define REFUSED 0x414249

void guest_abi_refuse(Error *err)
{
    MigrationIncomingState *mis = migration_incoming_get_current();

    /*
     * A post_load function has no Error in QEMU 10.0. What is set here is what
     * query-migrate and the exit message show. loadvm shows what is printed;
     * an error that it leaves behind would make the next loadvm fail.
     */
    if (runstate_check(RUN_STATE_INMIGRATE)) {
        migrate_set_error(migrate_get_current(), err);
    }
    error_report("%s", error_get_pretty(err));
    if (mis->to_src_file) {
        migrate_send_rp_shut(mis, REFUSED);
    }
}

static int migration_changed(NotifierWithReturn *notify,
                             MigrationEvent *event, Error **errp)
{
    g_autofree char *told = g_strdup_printf("Sibling indicated error %d",
                                            REFUSED);
    MigrationState *s = migrate_get_current();
    /* A failure to connect was nobody's refusal. */
    static bool connected;
    bool was_connected = connected;

    connected = event->type == MIG_EVENT_PRECOPY_SETUP;
    if (event->type != MIG_EVENT_PRECOPY_FAILED || !was_connected) {
        return 0;
    }
    QEMU_LOCK_GUARD(&s->error_mutex);
    if (!s->error) {
        return 0;
    }
    if (strstr(error_get_pretty(s->error), told)) {
        error_free(s->error);
        s->error = NULL;
        error_setg(&s->error, "guest-abi: the destination refused this VM's "
                   "contract with its guest; the destination's query-migrate "
                   "and log say which part of it");
    } else {
        error_prepend(&s->error, "migration failed; if the destination "
                      "refused this VM, its query-migrate and log say why: ");
    }
    return 0;
}

void guest_abi_watch_refusals(void)
{
    static NotifierWithReturn notifier;

    migration_add_notifier(&notifier, migration_changed);
}
