/*
 * Shared pages: guests that say when they may be migrated
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "migration/blocker.h"
#include "migration/misc.h"
#include "guest-abi/trace.h"
#include "shared-pages-ready.h"

/**
 * Readiness: the VM's
 * @reason: see shared_pages_need_ready(); NULL: the guest is not asked
 * @ready: what it has said
 * @blocker: of migrations; NULL if there is none
 */
typedef struct Readiness {
    const char *reason;
    bool ready;
    Error *blocker;
} Readiness;

static Readiness vm;

static void update_blocker(void)
{
    if (vm.ready) {
        migrate_del_blocker(&vm.blocker);
    } else if (!vm.blocker) {
        error_setg(&vm.blocker, "%s", vm.reason);
        /*
         * -EBUSY while a migration goes on, which shared_pages_check_ready()
         * ends; migration_changed() tries again then. Of -only-migratable the
         * internal function asks nothing: a guest gets ready when it boots.
         */
        migrate_add_blocker_internal(&vm.blocker, NULL);
    }
}

static int migration_changed(NotifierWithReturn *notify,
                             MigrationEvent *event, Error **errp)
{
    update_blocker();
    return 0;
}

void shared_pages_need_ready(const char *reason)
{
    static NotifierWithReturn notifiers[MIG_MODE__MAX];

    assert(!vm.reason);
    vm.reason = reason;
    for (int mode = 0; mode < MIG_MODE__MAX; mode++) {
        migration_add_notifier_mode(&notifiers[mode], migration_changed, mode);
    }
    update_blocker();
}

void shared_pages_set_ready(bool ready)
{
    BQL_LOCK_GUARD();
    if (vm.reason && ready != vm.ready) {
        trace_shared_pages_ready(ready);
        qatomic_set(&vm.ready, ready);
        update_blocker();
    }
}

bool shared_pages_is_ready(void)
{
    return qatomic_read(&vm.ready);
}

bool shared_pages_check_ready(Error **errp)
{
    if (vm.reason && !shared_pages_is_ready()) {
        error_setg(errp, "%s", vm.reason);
        return false;
    }
    return true;
}
