/*
 * Tests of snapshots
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "arrival.h"

static void hmp_quiet(const Peer *peer, const char *command)
{
    g_autofree char *answer = qtest_hmp(peer->qts, "%s", command);

    g_assert_cmpstr(answer, ==, "");
}

/* loadvm in the same VM, in another one, and in one with another contract */
static void test_snapshot(void)
{
    g_auto(Program) program = { };
    g_autofree char *drive = NULL;
    g_autofree char *loadvm = NULL;
    g_autofree char *answer = NULL;
    g_autofree char *refusal = NULL;
    g_autoptr(Peer) peer = NULL;
    QList *contract;
    int64_t started_ns;
    uint64_t older[2];
    HostCpus cpus;
    bool named;

    if (skip_without_guest()) {
        return;
    }
    drive = make_drive("image");
    if (!drive) {
        return;
    }
    program = program_stolen_time(2);
    cpus = host_use_one_cpu();
    peer = peer_start(LINUX_6_12, program.calls, drive);
    started_ns = peer->vm->started_ns;
    contract = contract_entries(peer->qts);
    program_wait_step(peer->vm, &program, program.wait[0]);
    hmp_quiet(peer, "savevm older");
    assert_armed(peer, &program);
    older[0] = stolen_now(peer, 0);
    older[1] = stolen_now(peer, 1);
    hmp_quiet(peer, "savevm newer");
    program_go(peer, 2);
    vm_wait(peer->vm, 1);

    /* The newer snapshot has all that was stolen until savevm. */
    hmp_quiet(peer, "loadvm newer");
    g_assert_cmpuint(stolen_now(peer, 0), >=, older[0]);
    g_assert_cmpuint(stolen_now(peer, 1), >=, older[1]);
    hmp_quiet(peer, "loadvm older");
    check_arrived(peer, started_ns, LINUX_6_12, &program, contract);
    hmp_quiet(peer, "loadvm older");
    check_arrived(peer, started_ns, LINUX_6_12, &program, contract);

    /* Another QEMU */
    g_clear_pointer(&peer, peer_free);
    loadvm = g_strdup_printf("%s -loadvm older", drive);
    peer = peer_start_there(LINUX_6_12, program.calls, loadvm);
    check_arrived(peer, started_ns, LINUX_6_12, &program, contract);

    /* Another contract */
    g_clear_pointer(&peer, peer_free);
    refusal = expected_refusal(LINUX_6_12, WITHOUT_PTP, &named);
    peer = peer_start_there(WITHOUT_PTP, program.calls, drive);
    host_use_all_cpus(&cpus);
    answer = qtest_hmp(peer->qts, "loadvm older");
    g_test_message("loadvm: %s", answer);
    g_assert_nonnull(strstr(answer, "Error"));
    g_assert_nonnull(strstr(answer, refusal));
    qobject_unref(contract);
}

/* Each snapshot is judged by its own contract, not by one loaded before. */
static void test_snapshot_without_contract(void)
{
    static const char refusal[] = "incoming VM has no contract with its guest";
    g_autofree char *drive = NULL;
    g_autoptr(Peer) peer = NULL;

    alarm(HANG_S);
    drive = make_drive("image-2");
    if (!drive) {
        return;
    }
    peer = peer_start(NOT_PINNED, NULL, drive);
    hmp_quiet(peer, "savevm without");
    g_clear_pointer(&peer, peer_free);
    peer = peer_start(LINUX_6_12, NULL, drive);
    hmp_quiet(peer, "savevm with");
    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *answer = qtest_hmp(peer->qts, "loadvm without");

        g_test_message("loadvm: %s", answer);
        g_assert_nonnull(strstr(answer, "Error"));
        g_assert_nonnull(strstr(answer, refusal));
        hmp_quiet(peer, "loadvm with");
    }
}

/*
 * After a load that failed, early or late, all vCPUs are as after a reset: who
 * continues the VM boots it, and does not run what another guest left behind.
 */
static void test_snapshot_refused(void)
{
    static const struct {
        const Config *config;
        const char *device;
        const char *name;
    } sources[] = {
        { NOT_PINNED, "", "without-contract" },
        { WITHOUT_PTP, "", "other-contract" },
        /* Refused when memory and vCPUs are loaded */
        { LINUX_6_12, "-device virtio-rng-pci", "other-devices" },
    };
    g_auto(Program) program = { };
    g_autofree char *drive = NULL;
    g_autofree char *reset = NULL;
    g_autoptr(Peer) peer = NULL;

    if (skip_without_guest()) {
        return;
    }
    drive = make_drive("image-3");
    if (!drive) {
        return;
    }
    program = program_stolen_time(2);
    for (unsigned i = 0; i < ARRAY_SIZE(sources); i++) {
        g_autofree char *extra = g_strdup_printf("%s %s", drive,
                                                 sources[i].device);
        g_autofree char *savevm = g_strdup_printf("savevm %s",
                                                  sources[i].name);

        peer = peer_start(sources[i].config, program.calls, extra);
        if (sources[i].config != NOT_PINNED) {
            program_wait_step(peer->vm, &program, program.wait[0]);
        }
        hmp_quiet(peer, savevm);
        g_clear_pointer(&peer, peer_free);
    }
    peer = peer_start(LINUX_6_12, program.calls, drive);
    program_wait_step(peer->vm, &program, program.wait[0]);
    hmp_quiet(peer, "stop");
    hmp_quiet(peer, "system_reset");
    qtest_qmp_eventwait(peer->qts, "RESET");
    reset = qtest_hmp(peer->qts, "info registers -a");
    for (unsigned i = 0; i < ARRAY_SIZE(sources); i++) {
        g_autofree char *answer = NULL, *registers = NULL;

        answer = qtest_hmp(peer->qts, "loadvm %s", sources[i].name);
        g_test_message("loadvm: %s", answer);
        g_assert_nonnull(strstr(answer, "Error"));
        registers = qtest_hmp(peer->qts, "info registers -a");
        g_assert_cmpstr(registers, ==, reset);
    }
}

/* A migration that was refused is over when a snapshot is loaded. */
static void test_snapshot_after_refusal(void)
{
    g_autofree char *drive = NULL;
    g_autoptr(Peer) from = NULL;

    alarm(HANG_S);
    drive = make_drive("image-4");
    if (!drive) {
        return;
    }
    from = peer_start(LINUX_6_12, NULL, drive);
    hmp_quiet(from, "savevm before");
    {
        g_autoptr(Peer) to = peer_incoming(WITHOUT_PTP, NULL, NULL);

        set_capability(from, to, "return-path");
        start_live(from, to);
        assert_source_refused(from, NULL);
    }
    hmp_quiet(from, "loadvm before");
}

void migration_snapshot_tests(void)
{
    qtest_add_func("hvc/migration/kind/snapshot", test_snapshot);
    qtest_add_func("hvc/migration/kind/snapshot-without-contract",
                   test_snapshot_without_contract);
    qtest_add_func("hvc/migration/kind/snapshot-after-refusal",
                   test_snapshot_after_refusal);
    qtest_add_func("hvc/migration/kind/snapshot-refused",
                   test_snapshot_refused);
}
