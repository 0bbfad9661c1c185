/*
 * What tests of the contract's migration have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_HVC_MIGRATION_UTIL_H
#define TESTS_QTEST_HVC_MIGRATION_UTIL_H

#include "libqtest.h"

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
 * migration_status: query-migrate's status
 * @qts: one side
 *
 * Returns: the status, "none" before the first migration. The caller frees it.
 */
char *migration_status(QTestState *qts);

/**
 * migration_wait: wait until a migration has ended
 * @qts: one side
 */
Outcome migration_wait(QTestState *qts);

/**
 * migration_wait_status: wait for a status on the way
 * @qts: one side
 * @status: the status; the migration must not fail before
 */
void migration_wait_status(QTestState *qts, const char *status);

/**
 * migration_transferred: how many bytes a source has sent
 * @qts: the source
 */
uint64_t migration_transferred(QTestState *qts);

/**
 * migration_capability: switch a capability on
 * @qts: one side
 * @name: the capability
 *
 * Returns: NULL, or why this host does not have it. The caller frees it.
 */
char *migration_capability(QTestState *qts, const char *name);

/**
 * migration_save: migrate to a file, and let the VM run on
 * @qts: the source
 * @path: the file
 */
void migration_save(QTestState *qts, const char *path);

/**
 * migration_start: start to send
 * @qts: the source
 * @uri: where to
 */
void migration_start(QTestState *qts, const char *uri);

/**
 * migration_accept: start to receive, in a VM started with "-incoming defer"
 * @qts: the destination; it goes on after a failure
 * @uri: where from
 */
void migration_accept(QTestState *qts, const char *uri);

/**
 * run_state: query-status
 * @qts: the VM
 *
 * Returns: the status. The caller frees it.
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
 * contract_check: would a contract fit?
 * @qts: the destination
 * @entries: as contract_entries() of the source returned it
 *
 * Returns: NULL if it fits, else the text of the first refusal. The caller
 * frees it.
 */
char *contract_check(QTestState *qts, QList *entries);

#endif
