/*
 * Test that stolen time does not wait for a background snapshot
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * From its start on, a snapshot that nobody reads protects all guest memory,
 * the stolen-time records too. What QEMU does for them must leave the monitor
 * free to answer meanwhile.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "migration/migration-qmp.h"
#include "arrival.h"

/* Several times the interval of pv-time.c's updates */
#define STALL_US 700000

/*
 * PV_TIME_ST, and the next instruction. Neither touches memory: a guest that
 * did would wait for the snapshot, and not for a host CPU.
 */
#define BRANCH_TO_ITSELF 0x14000000u
#define BRANCH_TO_START  0x17fffffdu

/* Returns: -kernel, with a guest that calls PV_TIME_ST; the caller frees it. */
static char *st_guest(uint32_t branch)
{
    const uint32_t code[] = {
        cpu_to_le32(0x52800420), /* mov w0, #0x21 */
        cpu_to_le32(0x72b8a000), /* movk w0, #0xc500, lsl #16 */
        cpu_to_le32(0xd4000002), /* hvc #0 */
        cpu_to_le32(branch),
    };
    g_autofree char *path = vm_scratch("st-guest");
    g_autoptr(GError) err = NULL;

    g_file_set_contents(path, (const char *)code, sizeof(code), &err);
    g_assert_no_error(err);
    return g_strdup_printf("-kernel %s", path);
}

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

/* Returns: how long vCPU 0's thread has waited for a host CPU. */
static uint64_t run_delay_ns(const Peer *peer)
{
    g_autoptr(QDict) response = qtest_qmp(peer->qts, "{ 'execute': "
                                          "'query-cpus-fast' }");
    QDict *cpu = qobject_to(QDict, qlist_entry_obj(
        qlist_first(qdict_get_qlist(response, "return"))));
    g_autofree char *path =
        g_strdup_printf("/proc/%" PRId64 "/schedstat",
                        qdict_get_int(cpu, "thread-id"));
    g_autoptr(GError) err = NULL;
    g_autofree char *text = NULL;
    uint64_t delay_ns;

    g_file_get_contents(path, &text, NULL, &err);
    g_assert_no_error(err);
    g_assert_cmpint(sscanf(text, "%*u %" SCNu64, &delay_ns), ==, 1);
    return delay_ns;
}

/* Wait until the stolen time is more than @ns. */
static void wait_stolen(const Peer *peer, uint64_t ns)
{
    while (stolen_now(peer, 0) <= ns) {
        g_usleep(10000);
    }
}

/* Stolen time is due, is not written, and is not lost. */
static void test_update(const void *opaque)
{
    const bool *cancel = opaque;
    g_autofree char *guest = NULL;
    g_autoptr(Peer) other = NULL;
    g_autoptr(Peer) peer = NULL;
    uint64_t before, delay_ns;
    HostCpus cpus;
    int fd;

    if (skip_without_guest()) {
        return;
    }
    if (!host_counts_run_delay()) {
        g_test_skip("this host does not count run delay: nothing is updated");
        return;
    }
    guest = st_guest(BRANCH_TO_ITSELF);
    /* Two busy VMs that steal each other's time */
    cpus = host_use_one_cpu();
    if (!cpus.changed) {
        g_test_skip("this process may not choose its CPUs");
        return;
    }
    other = peer_start(LINUX_6_12, NULL, guest);
    peer = peer_start(LINUX_6_12, NULL, guest);
    host_use_all_cpus(&cpus);
    if (!set_background_snapshot(peer)) {
        return;
    }
    wait_stolen(peer, 0);
    fd = snapshot_start(peer);
    wait_for_migration_status(peer->qts, "active", NULL);
    before = stolen_now(peer, 0);
    delay_ns = run_delay_ns(peer);
    g_usleep(STALL_US);
    delay_ns = run_delay_ns(peer) - delay_ns;
    wait_for_migration_status(peer->qts, "active", NULL);
    g_assert_cmpuint(stolen_now(peer, 0), ==, before);

    snapshot_end(peer, fd, *cancel);
    /* Brings the records up to date. */
    qtest_qmp_assert_success(peer->qts, "{ 'execute': 'stop' }");
    g_assert_cmpuint(stolen_now(peer, 0) - before, >=, delay_ns);
    qtest_qmp_assert_success(peer->qts, "{ 'execute': 'cont' }");
    wait_stolen(peer, stolen_now(peer, 0));
}

/* A vCPU waits to clear its record, and nobody with it. */
static void test_call(const void *opaque)
{
    const bool *cancel = opaque;
    g_autofree char *guest = NULL;
    g_autoptr(Peer) peer = NULL;
    int fd;

    if (skip_without_guest()) {
        return;
    }
    guest = st_guest(BRANCH_TO_START);
    peer = peer_start(LINUX_6_12, NULL, guest);
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
