/*
 * What tests of the contract's migration have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "util.h"

/* Local migrations of small guests take a fraction of a second. */
#define PATIENCE_S 60
#define POLL_US 2000

void outcome_clear(Outcome *outcome)
{
    g_clear_pointer(&outcome->error, g_free);
}

static QDict *query_migrate(QTestState *qts)
{
    return qtest_qmp_assert_success_ref(qts, "{ 'execute': 'query-migrate' }");
}

char *migration_status(QTestState *qts)
{
    QDict *info = query_migrate(qts);
    char *status = g_strdup(qdict_get_try_str(info, "status") ?: "none");

    qobject_unref(info);
    return status;
}

static bool has_ended(const char *status)
{
    return g_str_equal(status, "completed") || g_str_equal(status, "failed");
}

/* Waits until the status is @wanted, if that is not NULL, or final. */
static char *wait_status(QTestState *qts, const char *wanted)
{
    int64_t deadline = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;

    for (;;) {
        g_autofree char *status = migration_status(qts);

        if (!g_strcmp0(status, wanted) || has_ended(status)) {
            return g_steal_pointer(&status);
        }
        if (g_get_monotonic_time() > deadline) {
            g_error("a migration hangs; its status is '%s'", status);
        }
        g_usleep(POLL_US);
    }
}

Outcome migration_wait(QTestState *qts)
{
    g_autofree char *status = wait_status(qts, NULL);
    QDict *info = query_migrate(qts);
    Outcome outcome = {
        .completed = g_str_equal(status, "completed"),
        .error = g_strdup(qdict_get_try_str(info, "error-desc")),
    };

    qobject_unref(info);
    return outcome;
}

void migration_wait_status(QTestState *qts, const char *status)
{
    g_autofree char *found = wait_status(qts, status);

    g_assert_cmpstr(found, ==, status);
}

uint64_t migration_transferred(QTestState *qts)
{
    QDict *info = query_migrate(qts);
    QDict *ram = qdict_get_qdict(info, "ram");
    uint64_t transferred = ram ? qdict_get_int(ram, "transferred") : 0;

    qobject_unref(info);
    return transferred;
}

char *migration_capability(QTestState *qts, const char *name)
{
    QDict *response = qtest_qmp(qts, "{ 'execute': "
                                "'migrate-set-capabilities', 'arguments': { "
                                "'capabilities': [ { 'capability': %s, "
                                "'state': true } ] } }", name);
    QDict *error = qdict_get_qdict(response, "error");
    char *reason = error ? g_strdup(qdict_get_str(error, "desc")) : NULL;

    qobject_unref(response);
    return reason;
}

void migration_start(QTestState *qts, const char *uri)
{
    qtest_qmp_assert_success(qts, "{ 'execute': 'migrate', 'arguments': "
                             "{ 'uri': %s } }", uri);
}

void migration_accept(QTestState *qts, const char *uri)
{
    qtest_qmp_assert_success(qts, "{ 'execute': 'migrate-incoming', "
                             "'arguments': { 'uri': %s, "
                             "'exit-on-error': false } }", uri);
}

void migration_save(QTestState *qts, const char *path)
{
    g_autofree char *uri = g_strdup_printf("file:%s", path);
    g_auto(Outcome) outcome = { };

    migration_start(qts, uri);
    outcome = migration_wait(qts);
    g_assert_cmpstr(outcome.error, ==, NULL);
    g_assert_true(outcome.completed);
    qtest_qmp_assert_success(qts, "{ 'execute': 'cont' }");
}

char *run_state(QTestState *qts)
{
    QDict *info = qtest_qmp_assert_success_ref(qts, "{ 'execute': "
                                               "'query-status' }");
    char *status = g_strdup(qdict_get_str(info, "status"));

    qobject_unref(info);
    return status;
}

QList *contract_entries(QTestState *qts)
{
    QDict *contract = qtest_qmp_assert_success_ref(qts, "{ 'execute': "
                                                   "'query-guest-abi' }");
    QList *entries = qobject_ref(qdict_get_qlist(contract, "entries"));

    qobject_unref(contract);
    return entries;
}

char *contract_check(QTestState *qts, QList *entries)
{
    QDict *response = qtest_qmp(qts, "{ 'execute': 'check-guest-abi', "
                                "'arguments': { 'entries': %p } }",
                                qobject_ref(entries));
    QListEntry *entry;
    char *refusal = NULL;

    g_assert_true(qdict_haskey(response, "return"));
    QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
        QDict *verdict = qobject_to(QDict, qlist_entry_obj(entry));
        const char *error = qdict_get_try_str(verdict, "error");

        g_assert_true(qdict_get_bool(verdict, "ok") == !error);
        if (error && !refusal) {
            refusal = g_strdup(error);
        }
    }
    qobject_unref(response);
    return refusal;
}
