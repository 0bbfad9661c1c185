/*
 * Guest ABI: the beginning and the end of a load, and the beginning of a save
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A handler of savevm.c's that has nothing to save: it is only asked when a
 * load or a save begins, told when a load has ended, and asked whether the VM
 * may stop.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/coroutine.h"
#include "block/aio.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "migration.h"
#include "migration/qemu-compat.h"
#include "migration/register.h"
#include "qemu-file.h"
#include "savevm.h"
#include "guest-abi.h"
#include "guest-abi-saving.h"
#include "guest-abi-stream.h"

/* The hook of guest_abi_set_load_ended(), or NULL */
static void (*load_ended)(void);

void guest_abi_set_load_ended(void (*ended)(void))
{
    load_ended = ended;
}

static uint8_t peek(void *file, unsigned at)
{
    return qemu_peek_byte(file, at);
}

/*
 * loadvm of QEMU 10.0 loads all of a snapshot and then fails if any migration
 * has failed before, such as one that a destination has refused.
 */
static void forget_old_error(void)
{
    MigrationState *s = migrate_get_current();

    if (!runstate_check(RUN_STATE_INMIGRATE)) {
        QEMU_LOCK_GUARD(&s->error_mutex);
        error_free(s->error);
        s->error = NULL;
    }
}

/*
 * The contract is the first section of a stream that has one. What comes
 * before are commands, of which one asks for a return path; it is not open yet,
 * but the source waits for what it says.
 */
static int loading_setup(QEMUFile *f, void *opaque, Error **errp)
{
    MigrationIncomingState *mis = migration_incoming_get_current();
    GuestAbiStream stream = guest_abi_stream_begin(peek, f);

    forget_old_error();
    if (stream.begins_otherwise) {
        g_autoptr(Error) err = NULL;

        guest_abi_refuse_missing(&err);
        if (stream.return_path && !mis->to_src_file) {
            mis->to_src_file = qemu_file_get_return_path(f);
        }
        guest_abi_refuse(err);
        error_setg(errp, "the stream begins with another section");
        return -EINVAL;
    }
    return 0;
}

/* Only a damaged stream has a section of this handler's. */
static int loading_state(QEMUFile *f, void *opaque, int version_id)
{
    return -EINVAL;
}

static void reset_machine(void *opaque)
{
    if (!runstate_is_running()) {
        qemu_system_reset(SHUTDOWN_CAUSE_SNAPSHOT_LOAD);
    }
}

/*
 * After a load that failed, whoever says "cont" boots the machine: half of
 * another VM's state is not run, be it that the contract was refused or a
 * device that came later.
 */
static int loading_cleanup(void *opaque)
{
    MigrationIncomingState *mis = migration_incoming_get_current();
    bool failed = migrate_has_error(migrate_get_current()) ||
                  (mis->from_src_file &&
                   qemu_file_get_error(mis->from_src_file));

    if (load_ended) {
        load_ended();
    }
    if (!failed || runstate_is_running()) {
        return 0;
    }
    guest_abi_load_failed();
    if (qemu_in_coroutine()) {
        /* Devices wait for their requests when they are reset. */
        aio_bh_schedule_oneshot(qemu_get_aio_context(), reset_machine, NULL);
    } else {
        reset_machine(NULL);
    }
    return 0;
}

void guest_abi_watch_loads(void)
{
    static const SaveVMHandlers handlers = {
        .save_prepare = guest_abi_saving_prepare,
        .state_pending_estimate = guest_abi_saving_pending,
        .load_setup = loading_setup,
        .load_state = loading_state,
        .load_cleanup = loading_cleanup,
    };

    register_savevm_live("guest-abi-check", 0, 1, &handlers, NULL);
}
