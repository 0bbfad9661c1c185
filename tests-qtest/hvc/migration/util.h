/*
 * QMP commands of migration and contract that QEMU's migration-qmp.h has not
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_MIGRATION_UTIL_H
#define TESTS_QTEST_HVC_MIGRATION_UTIL_H

#include "libqtest.h"

/*
 * Seconds after which a migration hangs. Those of small guests on one host
 * take a fraction of a second, and some seconds on a busy one.
 */
#define MIGRATION_PATIENCE_S 60

/**
 * Outcome: how a migration ended
 * @completed: it did not fail
 * @error: query-migrate's error-desc; NULL if there is none
 */
typedef struct Outcome {
    bool completed;
    char *error;
} Outcome;

/**
 * outcome_clear: free what an outcome points to
 * @outcome: the outcome
 */
void outcome_clear(Outcome *outcome);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

/**
 * migration_wait: wait until a migration has completed or failed
 * @qts: source or destination
 *
 * Returns: how it ended. The caller frees it with outcome_clear().
 */
Outcome migration_wait(QTestState *qts);

/**
 * migration_transferred: how much a source has sent
 * @qts: the source
 *
 * Returns: query-migrate's ram.transferred, in bytes; 0 if it has no ram.
 */
uint64_t migration_transferred(QTestState *qts);

/**
 * migration_save: migrate to a file, and let the VM run on
 * @qts: the source
 * @path: the file
 */
void migration_save(QTestState *qts, const char *path);

/**
 * run_state: query-status
 * @qts: the VM
 *
 * Returns: the VM's run state. The caller frees it.
 */
char *run_state(QTestState *qts);

/**
 * contract_entries: query-guest-abi's entries
 * @qts: the VM
 *
 * Returns: the entries. The caller drops the reference.
 */
QList *contract_entries(QTestState *qts);

/**
 * all_misfits: what a migration says that was refused for several reasons
 * @texts: the text of each reason
 *
 * Returns: NULL if there is none. The caller frees it.
 */
char *all_misfits(const GPtrArray *texts);

/**
 * contract_check: would a contract fit?
 * @qts: the destination
 * @entries: as contract_entries() of the source returned it
 *
 * Returns: NULL if it fits, else what a migration has to say. The caller frees
 * it.
 */
char *contract_check(QTestState *qts, QList *entries);

#endif
