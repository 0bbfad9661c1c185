/*
 * Tests of the ways to move a running VM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "migration/migration-qmp.h"
#include "../calls/function-ids.h"
#include "arrival.h"
#include "moves.h"

void move_by_file(const Peer *from, const Peer *to)
{
    g_autofree char *path = vm_scratch("stream");
    g_autofree char *uri = g_strdup_printf("file:%s", path);

    migration_save(from->qts, path);
    accept_stream(to, uri);
    assert_completed(to->qts);
}

static void move_with_return_path(const Peer *from, const Peer *to)
{
    set_capability(from, to, "return-path");
    migrate_live(from, to);
}

void move_by_multifd(const Peer *from, const Peer *to)
{
    set_capability(from, to, "multifd");
    migrate_live(from, to);
}

void move_by_postcopy(const Peer *from, const Peer *to)
{
    set_capability(from, to, "postcopy-ram");
    migrate_set_capability(from->qts, "events", true);
    /*
     * The first pass would take minutes, so that postcopy comes first however
     * busy the host is. Postcopy itself has no such limit.
     */
    qtest_memset(from->qts, CALLS_REPORT + 8 * MiB, 0x5a, 16 * MiB);
    migrate_set_parameter_int(from->qts, "max-bandwidth", 100000);
    start_live(from, to);
    migration_event_wait(from->qts, "active");
    qtest_qmp_assert_success(from->qts, "{ 'execute': "
                             "'migrate-start-postcopy' }");
    /* An event stays to be seen, a status may last for milliseconds. */
    migration_event_wait(from->qts, "postcopy-active");
    assert_completed(from->qts);
    assert_completed(to->qts);
}

bool skip_without_postcopy(const Peer *to)
{
    QDict *response = qtest_qmp(to->qts, "{ 'execute': "
                                "'migrate-set-capabilities', 'arguments': { "
                                "'capabilities': [ { 'capability': "
                                "'postcopy-ram', 'state': true } ] } }");
    QDict *error = qdict_get_qdict(response, "error");
    g_autofree char *text = NULL;

    if (error) {
        text = g_strdup_printf("no postcopy here: %s",
                               qdict_get_str(error, "desc"));
        g_test_skip(text);
    }
    qobject_unref(response);
    return text;
}

static void test_move(const void *opaque)
{
    Move *const *move = opaque;
    g_auto(Program) program = { };
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;
    QList *contract;
    HostCpus cpus;

    if (skip_without_guest()) {
        return;
    }
    program = program_stolen_time(2);
    cpus = host_use_one_cpu();
    from = peer_start(LINUX_6_12, program.calls, NULL);
    to = peer_incoming(LINUX_6_12, program.calls, NULL);
    host_use_all_cpus(&cpus);
    if (*move == move_by_postcopy && skip_without_postcopy(to)) {
        return;
    }
    program_wait_step(from->vm, &program, program.wait[0]);
    contract = contract_entries(from->qts);
    (*move)(from, to);
    check_arrived(to, from->vm->started_ns, LINUX_6_12, &program, contract);
    qobject_unref(contract);
}

/*
 * vCPU 0 makes calls without a pause, while vCPU 1 switches itself off; a
 * vCPU that is off stays off, and comes back when it is told to.
 */
static void test_busy(void)
{
    g_autoptr(Calls) calls = calls_new(2);
    g_auto(Program) program = { };
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) middle = NULL;
    g_autoptr(Peer) to = NULL;
    unsigned off, poll, on, last;

    if (skip_without_guest()) {
        return;
    }
    calls_start_all(calls);
    calls_add(calls, VCPU(1), CALL_AWAIT, GO, 1, 0, 0);
    off = calls_add(calls, VCPU(1), CALL_PLAIN, CPU_OFF, 0, 0, 0);
    poll = calls_add(calls, VCPU(0), CALL_POLL, AFFINITY_INFO_64, 1, 0, 0);
    calls_step(calls)->x[7] = AFFINITY_OFF;
    calls_add(calls, VCPU(0), CALL_AWAIT, GO, 2, 0, 0);
    on = calls_add(calls, VCPU(0), CALL_CPU_ON, CPU_ON_64, 1, 0, 0);
    calls_step(calls)->x[4] = 1;
    calls_step(calls)->x[5] = on + 1;
    last = calls_call(calls, PSCI_VERSION);
    calls_barrier(calls, calls->all);

    program.calls = g_steal_pointer(&calls);
    from = peer_start(LINUX_6_12, program.calls, NULL);
    middle = peer_incoming(LINUX_6_12, program.calls, NULL);
    to = peer_incoming(LINUX_6_12, program.calls, NULL);
    program_wait_step(from->vm, &program, poll - 2);
    migrate_live(from, middle);
    g_assert_cmpuint(le32_to_cpu(middle->vm->report->progress[0]), ==,
                     poll + 1);
    program_go(middle, 1);
    /* vCPU 1 is off, and AFFINITY_INFO has told vCPU 0. */
    while (le32_to_cpu(middle->vm->report->progress[0]) <= poll + 1) {
        g_usleep(1000);
    }
    migrate_live(middle, to);
    program_go(to, 2);
    vm_wait(to->vm, 1);
    g_assert_cmpuint(vm_result(to->vm, 1, off).state, ==, CALL_NOT_RUN);
    g_assert_cmpuint(vm_result(to->vm, 0, poll).state, ==, CALL_DONE);
    vm_expect(to->vm, 0, on, 0, 0, 0, 0);
    vm_expect(to->vm, 0, last, PSCI(1, 1), 0, 0, 0);
    vm_expect(to->vm, 1, last, PSCI(1, 1), 0, 0, 0);
}

void migration_live_tests(void)
{
    static Move *const by_file = move_by_file;
    static Move *const live = migrate_live;
    static Move *const with_return_path = move_with_return_path;
    static Move *const by_multifd = move_by_multifd;
    static Move *const by_postcopy = move_by_postcopy;

    qtest_add_data_func("hvc/migration/kind/file", &by_file, test_move);
    qtest_add_data_func("hvc/migration/kind/live", &live, test_move);
    qtest_add_data_func("hvc/migration/kind/live-with-return-path",
                        &with_return_path, test_move);
    qtest_add_data_func("hvc/migration/kind/multifd", &by_multifd, test_move);
    qtest_add_data_func("hvc/migration/kind/postcopy", &by_postcopy,
                        test_move);
    qtest_add_func("hvc/migration/kind/live-busy", test_busy);
}
