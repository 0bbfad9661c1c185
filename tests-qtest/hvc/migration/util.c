/*
 * QMP commands of migration and contract that QEMU's migration-qmp.h has not
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "migration/migration-qmp.h"
#include "util.h"

#define POLL_US 2000

void outcome_clear(Outcome *outcome)
{
    g_clear_pointer(&outcome->error, g_free);
}

static bool has_ended(const char *status)
{
    return g_str_equal(status, "completed") || g_str_equal(status, "failed");
}

Outcome migration_wait(QTestState *qts)
{
    int64_t deadline = g_get_monotonic_time() +
                       MIGRATION_PATIENCE_S * G_USEC_PER_SEC;

    for (;;) {
        g_autofree char *status = migrate_query_status(qts);

        if (has_ended(status)) {
            QDict *info = migrate_query(qts);
            Outcome outcome = {
                .completed = g_str_equal(status, "completed"),
                .error = g_strdup(qdict_get_try_str(info, "error-desc")),
            };

            qobject_unref(info);
            return outcome;
        }
        if (g_get_monotonic_time() > deadline) {
            g_error("a migration hangs; its status is '%s'", status);
        }
        g_usleep(POLL_US);
    }
}

uint64_t migration_transferred(QTestState *qts)
{
    QDict *info = migrate_query(qts);
    QDict *ram = qdict_get_qdict(info, "ram");
    uint64_t transferred = ram ? qdict_get_int(ram, "transferred") : 0;

    qobject_unref(info);
    return transferred;
}

void migration_save(QTestState *qts, const char *path)
{
    g_autofree char *uri = g_strdup_printf("file:%s", path);
    g_auto(Outcome) outcome = { };

    migrate_qmp(qts, NULL, uri, NULL, "{}");
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

char *all_misfits(const GPtrArray *texts)
{
    static const char prefix[] = "guest-abi: ";
    g_autoptr(GString) all = NULL;
    const char *before = "";

    if (texts->len < 2) {
        return texts->len ? g_strdup(g_ptr_array_index(texts, 0)) : NULL;
    }
    all = g_string_new(NULL);
    g_string_printf(all, "guest-abi: %u things of the incoming VM cannot be "
                    "kept here:", texts->len);
    for (unsigned i = 0; i < texts->len; i++) {
        const char *text = g_ptr_array_index(texts, i);
        const char *remedy = g_strrstr(text, "; ");

        g_assert_true(g_str_has_prefix(text, prefix));
        g_assert_nonnull(remedy);
        if (g_str_equal(before, remedy)) {
            g_string_truncate(all, all->len - strlen(before));
        }
        g_string_append_printf(all, " (%u) %s", i + 1, text + strlen(prefix));
        before = remedy;
    }
    return g_strdup(all->str);
}

char *contract_check(QTestState *qts, QList *entries)
{
    QDict *response = qtest_qmp(qts, "{ 'execute': 'check-guest-abi', "
                                "'arguments': { 'entries': %p } }",
                                qobject_ref(entries));
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    QListEntry *entry;

    g_assert_true(qdict_haskey(response, "return"));
    QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
        QDict *verdict = qobject_to(QDict, qlist_entry_obj(entry));
        const char *error = qdict_get_try_str(verdict, "error");

        g_assert_true(qdict_get_bool(verdict, "ok") == !error);
        if (error) {
            g_ptr_array_add(texts, g_strdup(error));
        }
    }
    qobject_unref(response);
    return all_misfits(texts);
}
