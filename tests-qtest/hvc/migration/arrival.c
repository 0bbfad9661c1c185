/*
 * What a guest has to find after a migration or loadvm
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "arrival.h"

uint64_t stolen_now(const Peer *peer, unsigned vcpu)
{
    return qtest_readq(peer->qts, RECORDS + vcpu * RECORD_SIZE + 8);
}

static uint64_t stolen_seen(const Vm *vm, unsigned vcpu, unsigned step)
{
    struct CallResult result = vm_result(vm, vcpu, step);

    g_assert_cmpuint(result.state, ==, CALL_DONE);
    /* Revision, attributes and padding of the stolen-time record */
    g_assert_cmphex(result.x[0], ==, 0);
    g_assert_cmphex(result.x[2], ==, 0);
    g_assert_cmphex(result.x[3], ==, 0);
    return result.x[1];
}

void assert_armed(const Peer *peer, const Program *program)
{
    if (!host_counts_run_delay()) {
        g_test_message("this host does not count run delay: not looked at");
        return;
    }
    for (unsigned i = 0; i < program->calls->vcpus; i++) {
        uint64_t before = stolen_now(peer, i);

        while (stolen_now(peer, i) <= before) {
            g_usleep(10000);
        }
    }
}

void check_arrived(const Peer *peer, int64_t started_ns,
                   const Config *config, const Program *program,
                   QList *contract)
{
    const Vm *vm = peer->vm;
    QList *entries = contract_entries(peer->qts);

    g_assert_true(qobject_is_equal(QOBJECT(entries), QOBJECT(contract)));
    qobject_unref(entries);

    peer->vm->started_ns = started_ns;
    program_go(peer, 1);
    program_wait_step(vm, program, program->wait[1]);
    assert_armed(peer, program);
    program_go(peer, 2);
    vm_wait(peer->vm, 1);
    program_check_answers(vm, config, program);
    for (unsigned i = 0; i < program->calls->vcpus; i++) {
        uint64_t stolen[] = {
            stolen_seen(vm, i, program->record[0]),
            stolen_seen(vm, i, program->record[1]),
            stolen_seen(vm, i, program->record[2]),
        };

        g_assert_cmpuint(stolen[1], >=, stolen[0]);
        g_assert_cmpuint(stolen[2], >=, stolen[1]);
        if (host_counts_run_delay()) {
            g_assert_cmpuint(stolen[2], >, stolen[1]);
        }
    }

    qtest_qmp_assert_success(peer->qts, "{ 'execute': 'system_reset' }");
    vm_wait(peer->vm, 2);
    program_check_answers(vm, config, program);
    vm_check_started(vm, program->calls);
    entries = contract_entries(peer->qts);
    g_assert_true(qobject_is_equal(QOBJECT(entries), QOBJECT(contract)));
    qobject_unref(entries);
}
