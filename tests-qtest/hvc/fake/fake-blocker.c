/*
 * Migration blockers, for tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "migration/blocker.h"
#include "migration/misc.h"
#include "fake-blocker.h"

static Error *blocker;
static bool is_running;
static NotifierWithReturn *notifiers[MIG_MODE__MAX];

const char *fake_blocker(void)
{
    return blocker ? error_get_pretty(blocker) : NULL;
}

void fake_migration(bool running)
{
    MigrationEvent event = {
        .type = running ? MIG_EVENT_PRECOPY_SETUP : MIG_EVENT_PRECOPY_FAILED,
    };

    is_running = running;
    for (int mode = 0; mode < MIG_MODE__MAX; mode++) {
        g_assert_nonnull(notifiers[mode]);
    }
    g_assert_cmpint(notifiers[0]->notify(notifiers[0], &event, &error_abort),
                    ==, 0);
}

int migrate_add_blocker_internal(Error **reasonp, Error **errp)
{
    g_assert_null(blocker);
    if (is_running) {
        error_free(*reasonp);
        *reasonp = NULL;
        return -EBUSY;
    }
    blocker = *reasonp;
    return 0;
}

void migrate_del_blocker(Error **reasonp)
{
    if (*reasonp) {
        g_assert_true(*reasonp == blocker);
        blocker = NULL;
        error_free(*reasonp);
        *reasonp = NULL;
    }
}

void migration_add_notifier_mode(NotifierWithReturn *notify,
                                 MigrationNotifyFunc func, MigMode mode)
{
    g_assert_null(notifiers[mode]);
    notify->notify = (NotifierWithReturnFunc)func;
    notifiers[mode] = notify;
}
