/*
 * What a guest shares, by the rules of the documentation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "answers.h"
#include "function-ids.h"
#include "pages-model.h"

uint64_t pages_model_call(PagesModel *model, const uint64_t *x)
{
    uint64_t page = (x[1] - CALLS_RAM) / PAGES_SIZE;
    bool shares = x[0] == MEM_SHARE;

    if (x[0] == MEM_INFO) {
        return x[1] || x[2] || x[3] ? DENIED : PAGES_SIZE;
    }
    if (x[2] || x[3] || x[1] % PAGES_SIZE || x[1] < CALLS_RAM ||
        x[1] >= CALLS_RAM + CALLS_RAM_SIZE || model->shared[page] == shares) {
        return DENIED;
    }
    model->shared[page] = shares;
    return 0;
}

/* What query-shared-pages says, and @pages */
static char *queried_ranges(QTestState *qts, uint64_t *pages)
{
    QDict *response = qtest_qmp(qts, "{ 'execute': 'query-shared-pages', "
                                "'arguments': { 'max-ranges': 65536 } }");
    QDict *info = qdict_get_qdict(response, "return");
    g_autoptr(GString) text = g_string_new(NULL);
    QListEntry *entry;

    g_assert_nonnull(info);
    g_assert_false(qdict_haskey(info, "next"));
    g_assert_true(qdict_get_bool(info, "enabled"));
    g_assert_cmpint(qdict_get_int(info, "granule"), ==, PAGES_SIZE);
    *pages = qdict_get_int(info, "pages");
    QLIST_FOREACH_ENTRY(qdict_get_qlist(info, "ranges"), entry) {
        QDict *range = qobject_to(QDict, qlist_entry_obj(entry));

        g_string_append_printf(text, "0x%" PRIx64 "+0x%" PRIx64 " ",
                               qdict_get_int(range, "address"),
                               qdict_get_int(range, "size"));
    }
    qobject_unref(response);
    return g_strdup(text->str);
}

void pages_assert_shared(QTestState *qts, const char *expected)
{
    uint64_t pages;
    g_autofree char *found = queried_ranges(qts, &pages);

    g_assert_cmpstr(found, ==, expected);
}

void pages_assert_model(QTestState *qts, const PagesModel *model)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *found = NULL;
    uint64_t count = 0, found_count;
    unsigned page = 0;

    while (page < ARRAY_SIZE(model->shared)) {
        unsigned first = page;

        while (page < ARRAY_SIZE(model->shared) && model->shared[page]) {
            page++;
        }
        if (page > first) {
            g_string_append_printf(text, "0x%x+0x%x ",
                                   CALLS_RAM + first * PAGES_SIZE,
                                   (page - first) * PAGES_SIZE);
            count += page - first;
        }
        page++;
    }
    found = queried_ranges(qts, &found_count);
    g_assert_cmpstr(found, ==, text->str);
    g_assert_cmpuint(found_count, ==, count);
}
