/*
 * Test that stolen time does not wait for a background snapshot
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From its start on, a snapshot that nobody reads protects all guest memory,
 * the stolen-time records too. What QEMU does for them must leave the monitor
 * free to answer meanwhile.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "migration/migration-qmp.h"
#include "../calls/function-ids.h"
#include "arrival.h"

/* Several times the interval of pv-time.c's updates */
#define STALL_US 700000

/* Makes PV_TIME_ST calls, and touches no memory. */
static const uint32_t st_loop[] = {
    0x52800420, /* mov w0, #0x21 */
    0x72b8a000, /* movk w0, #0xc500, lsl #16 */
    0xd4000002, /* hvc #0 */
    0x17fffffd, /* b . - 12 */
};

/* Returns: the end to read from, of a pipe that is full with the first page. */
static int snapshot_start(const Peer *peer)
{
    int ends[2];

    /* Zeros would not fill it. The guest does not look there. */
    qtest_memset(peer->qts, CALLS_RAM, 0x5a, 4096);
    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmpint(fcntl(ends[1], F_SETPIPE_SZ, 4096), >, 0);
    qtest_qmp_fds_assert_success(peer->qts, &ends[1], 1, "{ 'execute': "
                                 "'getfd', 'arguments': { 'fdname': "
                                 "'snapshot' } }");
    close(ends[1]);
    qtest_qmp_assert_success(peer->qts, "{ 'execute': 'migrate', "
                             "'arguments': { 'uri': 'fd:snapshot' } }");
    return ends[0];
}

static void snapshot_end(const Peer *peer, int fd, bool cancel)
{
    static char data[64 * 1024];

    if (cancel) {
        qtest_qmp_assert_success(peer->qts,
                                 "{ 'execute': 'migrate_cancel' }");
    } else {
        while (read(fd, data, sizeof(data)) > 0) {
            continue;
        }
    }
    close(fd);
    wait_for_migration_status(peer->qts, cancel ? "cancelled" : "completed",
                              NULL);
}

/* Returns: false if this host cannot do it, and the test is skipped. */
static bool set_background_snapshot(const Peer *peer)
{
    QDict *response = qtest_qmp(peer->qts, "{ 'execute': "
                                "'migrate-set-capabilities', 'arguments': { "
                                "'capabilities': [ { 'capability': "
                                "'background-snapshot', 'state': true } ] } }");
    QDict *error = qdict_get_qdict(response, "error");
    bool possible = !error;

    if (error) {
        g_autofree char *text =
            g_strdup_printf("no background snapshot here: %s",
                            qdict_get_str(error, "desc"));

        g_test_skip(text);
    }
    qobject_unref(response);
    return possible;
}

/* Stolen time is due, is not written, and is not lost. */
static void test_update(const void *opaque)
{
    const bool *cancel = opaque;
    g_auto(Program) program = { };
    g_autoptr(Peer) peer = NULL;
    uint64_t before;
    HostCpus cpus;
    int fd;

    if (skip_without_guest()) {
        return;
    }
    if (!host_counts_run_delay()) {
        g_test_skip("this host does not count run delay: nothing is updated");
        return;
    }
    program.calls = calls_new(2);
    calls_start_all(program.calls);
    calls_call(program.calls, PV_TIME_ST);
    program.wait[0] = calls_add(program.calls, program.calls->all, CALL_AWAIT,
                                GO, 1, 0, 0);
    calls_barrier(program.calls, program.calls->all);

    cpus = host_use_one_cpu();
    peer = peer_start(LINUX_6_12, program.calls, NULL);
    host_use_all_cpus(&cpus);
    if (!set_background_snapshot(peer)) {
        return;
    }
    program_wait_step(peer->vm, &program, program.wait[0]);
    assert_armed(peer, &program);
    fd = snapshot_start(peer);
    wait_for_migration_status(peer->qts, "active", NULL);
    before = stolen_now(peer, 0);
    g_usleep(STALL_US);
    wait_for_migration_status(peer->qts, "active", NULL);
    g_assert_cmpuint(stolen_now(peer, 0), >=, before);

    snapshot_end(peer, fd, *cancel);
    g_assert_cmpuint(stolen_now(peer, 0), >=, before);
    assert_armed(peer, &program);
    program_go(peer, 1);
    vm_wait(peer->vm, 1);
}

/* A vCPU waits to clear its record, and nobody with it. */
static void test_call(const void *opaque)
{
    const bool *cancel = opaque;
    g_autofree char *path = vm_scratch("st-loop");
    g_autofree char *kernel = g_strdup_printf("-kernel %s", path);
    uint32_t code[ARRAY_SIZE(st_loop)];
    g_autoptr(GError) err = NULL;
    g_autoptr(Peer) peer = NULL;
    int fd;

    if (skip_without_guest()) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(code); i++) {
        code[i] = cpu_to_le32(st_loop[i]);
    }
    g_file_set_contents(path, (const char *)code, sizeof(code), &err);
    g_assert_no_error(err);
    peer = peer_start(LINUX_6_12, NULL, kernel);
    if (!set_background_snapshot(peer)) {
        return;
    }
    /* What the guest has overwritten says that it is making calls. */
    qtest_writeq(peer->qts, RECORDS + 32, 1);
    while (qtest_readq(peer->qts, RECORDS + 32)) {
        g_usleep(1000);
    }
    fd = snapshot_start(peer);
    g_usleep(STALL_US);
    wait_for_migration_status(peer->qts, "active", NULL);
    snapshot_end(peer, fd, *cancel);

    qtest_writeq(peer->qts, RECORDS + 32, 1);
    while (qtest_readq(peer->qts, RECORDS + 32)) {
        g_usleep(1000);
    }
}

void migration_background_tests(void)
{
    static const bool cancel[] = { false, true };

    qtest_add_data_func("hvc/migration/background-snapshot/update/completed",
                        &cancel[0], test_update);
    qtest_add_data_func("hvc/migration/background-snapshot/update/cancelled",
                        &cancel[1], test_update);
    qtest_add_data_func("hvc/migration/background-snapshot/call/completed",
                        &cancel[0], test_call);
    qtest_add_data_func("hvc/migration/background-snapshot/call/cancelled",
                        &cancel[1], test_call);
}
