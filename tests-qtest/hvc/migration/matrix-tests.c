/*
 * Tests of the migration between each pair of configurations
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "framework.h"
#include "section.h"

/* Bytes that a contract may add to a stream; vCPUs have many registers */
#define SECTION_MAX 4096

/**
 * Saved: a source's stream, and its contract
 * @path: the file of the stream; NULL until a test needs it
 * @entries: query-guest-abi's
 * @started_ns: a time before the source was started, since 1970
 * @section_size: bytes of the contract's section; 0 if there is none
 */
typedef struct Saved {
    char *path;
    QList *entries;
    int64_t started_ns;
    unsigned section_size;
} Saved;

static Saved saved[ARRAY_SIZE(configs)];

/* What the guests of the matrix do; VMs without a contract have no guest. */
static Program matrix_program;

static const Calls *matrix_calls(const Config *config)
{
    if (!matrix_program.calls && have_guest()) {
        matrix_program = program_same_answers(1);
    }
    return config->chosen ? matrix_program.calls : NULL;
}

static Peer *matrix_source(const Config *config)
{
    const Calls *calls = matrix_calls(config);
    Peer *peer = peer_start(config, calls, NULL);

    if (calls) {
        program_wait_step(peer->vm, &matrix_program, matrix_program.wait[0]);
    }
    return peer;
}

static const Saved *saved_stream(const Config *config)
{
    Saved *s = &saved[config - configs];
    g_auto(ContractStream) stream = { };
    g_autofree char *name = g_strdup_printf("stream-%s", config->name);
    g_autoptr(Peer) peer = NULL;

    if (s->path) {
        return s;
    }
    s->path = vm_scratch(name);
    peer = matrix_source(config);
    s->started_ns = peer->vm ? peer->vm->started_ns : 0;
    s->entries = contract_entries(peer->qts);
    migration_save(peer->qts, s->path);
    if (contract_stream_read(s->path, &stream)) {
        s->section_size = contract_stream_size(&stream);
    }
    g_assert_true(!s->section_size == !config->chosen);
    return s;
}

typedef struct Pair {
    const Config *from;
    const Config *to;
} Pair;

static void test_pair(const void *opaque)
{
    const Pair *pair = opaque;
    const Saved *s = saved_stream(pair->from);
    bool named;
    g_autofree char *refusal = expected_refusal(pair->from, pair->to, &named);
    g_autofree char *uri = g_strdup_printf("file:%s", s->path);
    g_autofree char *preflight = NULL;
    g_auto(Outcome) outcome = { };
    g_autoptr(Peer) to = NULL;

    if (!refusal && skip_without_contract(pair->to)) {
        return;
    }
    alarm(HANG_S);
    to = peer_incoming(pair->to, matrix_calls(pair->from), NULL);
    preflight = contract_check(to->qts, s->entries);
    accept_stream(to, uri);
    outcome = migration_wait(to->qts);

    if (g_str_equal(pair->from->type, pair->to->type)) {
        g_assert_true(!preflight == !refusal);
        if (pair->from->chosen && pair->to->chosen) {
            g_assert_cmpstr(preflight, ==, refusal);
        }
    }
    if (refusal) {
        assert_refused(to, &outcome, refusal, named);
        return;
    }
    g_assert_cmpstr(outcome.error, ==, NULL);
    g_assert_true(outcome.completed);
    if (to->vm) {
        program_finish(to, s->started_ns, pair->to, &matrix_program);
    }
}

static void test_section_size(void)
{
    for (unsigned i = 0; i < configs_count(); i++) {
        const Saved *s = saved_stream(&configs[i]);

        g_test_message("%s: %u bytes", configs[i].name, s->section_size);
        g_assert_cmpuint(s->section_size, <, SECTION_MAX);
    }
}

/* A guest that was refused runs on, and another destination takes it. */
static void test_refused_then_good(const void *opaque)
{
    const Config *config = opaque;
    /* Differs from each of configs[]. */
    const Config odd = {
        .type = config->type,
        .options = "hvc-services=trng,psci-version=1.2",
        .chosen = "hvc-services=trng,psci-version=1.2",
        .offer = { TRNG, PSCI(1, 2) },
    };
    bool named;
    g_autofree char *refusal = expected_refusal(config, &odd, &named);
    const Calls *calls;
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;

    if (skip_without_guest() || skip_without_contract(config)) {
        return;
    }
    calls = matrix_calls(config);
    from = matrix_source(config);
    for (unsigned return_path = 0; return_path < 2; return_path++) {
        g_autoptr(Peer) bad = peer_incoming(&odd, calls, NULL);
        g_auto(Outcome) outcome = { };

        if (return_path) {
            set_capability(from, bad, "return-path");
        }
        start_live(from, bad);
        outcome = migration_wait(bad->qts);
        assert_refused(bad, &outcome, refusal, true);
        assert_source_refused(from, return_path ? refusal : NULL);
    }
    to = peer_incoming(config, calls, NULL);
    migrate_live(from, to);
    program_finish(to, from->vm->started_ns, config, &matrix_program);
}

void migration_matrix_tests(void)
{
    for (unsigned i = 0; i < configs_count(); i++) {
        for (unsigned j = 0; j < configs_count(); j++) {
            Pair pair = { &configs[i], &configs[j] };
            g_autofree char *path =
                g_strdup_printf("hvc/migration/matrix/%s/to/%s",
                                configs[i].name, configs[j].name);

            qtest_add_data_func_full(path, g_memdup2(&pair, sizeof(pair)),
                                     test_pair, g_free);
        }
    }
    for (unsigned i = 0; i < configs_count(); i++) {
        g_autofree char *path =
            g_strdup_printf("hvc/migration/refused-then-good/%s",
                            configs[i].name);

        if (configs[i].chosen) {
            qtest_add_data_func(path, &configs[i], test_refused_then_good);
        }
    }
    qtest_add_func("hvc/migration/section-size", test_section_size);
}

void migration_matrix_clear(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(saved); i++) {
        g_free(saved[i].path);
        qobject_unref(saved[i].entries);
    }
    program_clear(&matrix_program);
}
