/*
 * What a guest shares, by the rules of the documentation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "answers.h"
#include "function-ids.h"
#include "pages-model.h"

/* The guest waits until this word is high enough. */
#define GO 0x43f00000

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

/* The next wait is for one more than the one before. */
static void add_wait(PagesScript *script)
{
    unsigned step = calls_add(script->calls, VCPU(0), CALL_AWAIT, GO,
                              script->waits->len + 1, 0, 0);

    g_array_append_val(script->waits, step);
}

PagesScript *pages_script_new(Calls *calls)
{
    PagesScript *script = g_new0(PagesScript, 1);

    script->calls = calls;
    script->waits = g_array_new(false, false, sizeof(unsigned));
    add_wait(script);
    return script;
}

void pages_script_free(PagesScript *script)
{
    if (script) {
        g_array_unref(script->waits);
        g_free(script);
    }
}

void pages_script_add(PagesScript *script, uint64_t id, uint64_t address)
{
    calls_call(script->calls, id, address);
    add_wait(script);
}

/* Until the guest has come to the wait that follows @done calls */
static void await_guest(const PagesScript *script, Vm *vm)
{
    const uint32_t *progress = &vm->report->progress[0];
    unsigned step = g_array_index(script->waits, unsigned, script->done);

    while (le32_to_cpu(qatomic_load_acquire(progress)) <= step) {
        g_assert_true(qtest_probe_child(vm->qts));
        g_usleep(500);
    }
}

Vm *pages_script_start(PagesScript *script, const Setup *setup)
{
    Vm *vm = vm_start(setup, script->calls);

    await_guest(script, vm);
    return vm;
}

uint64_t pages_script_next(PagesScript *script, Vm *vm)
{
    unsigned call = g_array_index(script->waits, unsigned, script->done) + 1;
    struct CallResult result;

    g_assert_cmpuint(script->done + 1, <, script->waits->len);
    qtest_writeq(vm->qts, GO, ++script->done);
    await_guest(script, vm);
    result = vm_result(vm, 0, call);
    g_assert_cmpuint(result.state, ==, CALL_DONE);
    return result.x[0];
}

void pages_script_stop(PagesScript *script, Vm *vm)
{
    script->done = script->waits->len;
    qtest_writeq(vm->qts, GO, 0);
}
