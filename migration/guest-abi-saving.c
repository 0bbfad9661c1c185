/*
 * Guest ABI: what the source of a migration waits for
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Who asks for postcopy at once would stop the guest while the destination is
 * still judging the contract, and a destination that refuses it then leaves a
 * guest that runs on neither side: up to QEMU 10.1 nothing takes a VM back from
 * postcopy.
 */

#include "qemu/osdep.h"
#include "qemu/thread.h"
#include "migration.h"
#include "migration/register.h"
#include "options.h"
#include "qemu-file.h"
#include "savevm.h"
#include "qemu-compat.h"
#include "guest-abi-saving.h"

/* Any number that QEMU's own PINGs do not have */
#define PING 0x61626920

/* QEMU's own PING at the beginning, and the one behind the contract */
#define PONGS 2

/* More than fits into any downtime */
#define HELD (1ULL << 60)

/* To wait for an answer, between two looks at RAM, in ms */
#define PATIENCE_MS 1

static struct {
    bool asked;
    unsigned pongs;
} verdict;

static bool take_pong(MigrationState *s, int patience_ms)
{
    return !qemu_sem_timedwait(&s->rp_state.rp_pong_acks, patience_ms);
}

int guest_abi_saving_prepare(void *opaque, Error **errp)
{
    /*
     * QEMU counts the answers, and those of migrations before as well. Where
     * none is waited for here, QEMU's own wait for one is left alone.
     */
    while (!compat_postcopy_comes_back() &&
           take_pong(migrate_get_current(), 0)) {
        continue;
    }
    verdict.asked = false;
    verdict.pongs = 0;
    return 0;
}

void guest_abi_saving_pending(void *opaque, uint64_t *must_precopy,
                              uint64_t *can_postcopy)
{
    MigrationState *s = migrate_get_current();

    if (compat_postcopy_comes_back() || !migrate_postcopy() ||
        !s->rp_state.rp_thread_created ||
        verdict.pongs == PONGS) {
        return;
    }
    if (!verdict.asked) {
        verdict.asked = true;
        qemu_savevm_send_ping(s->to_dst_file, PING);
    }
    while (verdict.pongs < PONGS && take_pong(s, PATIENCE_MS)) {
        verdict.pongs++;
    }
    if (verdict.pongs < PONGS) {
        *must_precopy += HELD;
        if (migrate_has_error(s)) {
            /* Where all was sent, there is no write that would fail. */
            qemu_file_set_error(s->to_dst_file, -ECONNABORTED);
        }
        return;
    }
    /* Postcopy with a channel of its own waits for one of them. */
    for (unsigned i = 0; i < PONGS; i++) {
        qemu_sem_post(&s->rp_state.rp_pong_acks);
    }
}
