/*
 * Tests that a refusal comes ahead of guest memory, and that it is told
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include <sys/socket.h>
#include <sys/un.h>
#include "qemu/cutils.h"
#include "qemu/units.h"
#include "migration/migration-qmp.h"
#include "moves.h"

/* Bytes of a stream after which a destination has refused it */
#define REFUSAL_MAX (64 * KiB)

/**
 * Proxy: a thread that passes a stream on to the destination, and counts
 * @listening: file descriptor of the socket that the source connects to
 * @to: path of the destination's socket
 * @bytes: bytes that were passed on
 * @seconds: from the first byte until the destination closed the connection
 */
typedef struct Proxy {
    int listening;
    const char *to;
    uint64_t bytes;
    double seconds;
} Proxy;

static struct sockaddr_un socket_address(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_assert_cmpuint(strlen(path), <, sizeof(address.sun_path));
    pstrcpy(address.sun_path, sizeof(address.sun_path), path);
    return address;
}

static int proxy_listen(const char *path)
{
    struct sockaddr_un address = socket_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(bind(fd, (void *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

static int proxy_connect(const char *path)
{
    struct sockaddr_un address = socket_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    /* A large buffer would take bytes that the destination does not read. */
    int buffer = 4096;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    g_assert_cmpint(connect(fd, (void *)&address, sizeof(address)), ==, 0);
    return fd;
}

static void *proxy_run(void *opaque)
{
    Proxy *proxy = opaque;
    int from = accept(proxy->listening, NULL, NULL);
    int to = proxy_connect(proxy->to);
    int64_t started = 0;
    char data[4096];
    ssize_t size;

    while ((size = read(from, data, sizeof(data))) > 0) {
        if (!started) {
            started = g_get_monotonic_time();
        }
        if (send(to, data, size, MSG_NOSIGNAL) != size) {
            break;
        }
        proxy->bytes += size;
    }
    proxy->seconds = (g_get_monotonic_time() - started) / 1e6;
    close(from);
    close(to);
    return NULL;
}

/**
 * EarlyCase: a VM that is refused ahead of its memory
 * @name: in test paths
 * @from: the source
 * @to: the destination
 * @return_path: the source can be told why
 */
typedef struct EarlyCase {
    const char *name;
    const Config *from;
    const Config *to;
    bool return_path;
} EarlyCase;

/**
 * wait_failed: wait until a source says in an event that it has failed
 * @qts: the source
 */
static void wait_failed(QTestState *qts)
{
    for (;;) {
        QDict *event = qtest_qmp_eventwait_ref(qts, "MIGRATION");
        QDict *data = qdict_get_qdict(event, "data");
        bool failed = g_str_equal(qdict_get_str(data, "status"), "failed");

        qobject_unref(event);
        if (failed) {
            return;
        }
    }
}

static void test_before_ram(const void *opaque)
{
    const EarlyCase *c = opaque;
    g_autofree char *near_path = socket_path();
    g_autofree char *far_path = socket_path();
    g_autofree char *near_uri = g_strdup_printf("unix:%s", near_path);
    g_autofree char *far_uri = g_strdup_printf("unix:%s", far_path);
    Proxy proxy = { .to = far_path };
    bool named;
    g_autofree char *refusal = expected_refusal(c->from, c->to, &named);
    g_auto(Outcome) outcome = { };
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;
    GThread *thread;

    alarm(HANG_S);
    g_assert_true(named);
    from = peer_start(c->from, NULL, "-m 64M");
    to = peer_incoming(c->to, NULL, "-m 64M");
    qtest_memset(from->qts, CALLS_RAM, 0x5a, 64 * MiB);
    proxy.listening = proxy_listen(near_path);
    thread = g_thread_new("proxy", proxy_run, &proxy);
    if (c->return_path) {
        set_capability(from, to, "return-path");
    }
    migrate_set_capability(from->qts, "events", true);
    accept_stream(to, far_uri);
    migrate_qmp(from->qts, to->qts, near_uri, NULL, "{}");
    outcome = migration_wait(to->qts);
    assert_refused(to, &outcome, refusal, true);
    wait_failed(from->qts);
    /* The proxy passes nothing back. */
    if (c->from != NOT_PINNED) {
        assert_source_hinted(from);
    }
    assert_source_refused(from, NULL);
    g_thread_join(thread);
    close(proxy.listening);
    g_test_message("%" PRIu64 " bytes were passed on in %.3f s; the source "
                   "sent %" PRIu64 " bytes", proxy.bytes, proxy.seconds,
                   migration_transferred(from->qts));
    g_assert_cmpuint(proxy.bytes, <, REFUSAL_MAX);
}

static void assert_both_refused(const Peer *from, const Peer *to,
                                const char *refusal)
{
    g_auto(Outcome) outcome = { };

    wait_failed(from->qts);
    assert_source_refused(from, refusal);
    outcome = migration_wait(to->qts);
    assert_refused(to, &outcome, refusal, true);
}

/*
 * A source that is told has the reason when its event says that it has failed,
 * on stderr too, and whether or not its own VM has a contract.
 */
static void test_told(const void *opaque)
{
    const EarlyCase *c = opaque;
    bool named;
    g_autofree char *refusal = expected_refusal(c->from, c->to, &named);
    g_autoptr(Peer) from = NULL;

    alarm(HANG_S);
    from = peer_start(c->from, NULL, NULL);
    migrate_set_capability(from->qts, "events", true);
    for (unsigned i = 0; i < 5; i++) {
        g_autoptr(Peer) to = peer_incoming(c->to, NULL, NULL);

        set_capability(from, to, "return-path");
        start_live(from, to);
        assert_both_refused(from, to, refusal);
    }
}

/* A destination that has no contract knows no reason, only a number. */
static void test_told_number(void)
{
    g_autoptr(Peer) from = NULL;

    alarm(HANG_S);
    from = peer_start(LINUX_6_12, NULL, NULL);
    migrate_set_capability(from->qts, "events", true);
    for (unsigned i = 0; i < 5; i++) {
        g_autoptr(Peer) to = peer_incoming(NOT_PINNED, NULL, NULL);

        set_capability(from, to, "return-path");
        start_live(from, to);
        wait_failed(from->qts);
        assert_source_hinted(from);
    }
}

/* The VM may not stop for it before the contract has been judged. */
static void start_postcopy_at_once(const Peer *from, const Peer *to,
                                   bool preempt)
{
    set_capability(from, to, "return-path");
    set_capability(from, to, "postcopy-ram");
    if (preempt) {
        set_capability(from, to, "postcopy-preempt");
    }
    start_live(from, to);
    qtest_qmp_assert_success(from->qts, "{ 'execute': "
                             "'migrate-start-postcopy' }");
}

/* The guest of a VM that is refused runs on, though it was to go early. */
static void test_postcopy_refused(void)
{
    bool named;
    g_autofree char *refusal = expected_refusal(LINUX_6_12, WITHOUT_PTP,
                                                &named);
    g_autoptr(Peer) from = NULL;

    alarm(HANG_S);
    from = peer_start(LINUX_6_12, NULL, NULL);
    migrate_set_capability(from->qts, "events", true);
    for (unsigned i = 0; i < 5; i++) {
        g_autoptr(Peer) to = peer_incoming(WITHOUT_PTP, NULL, NULL);

        if (skip_without_postcopy(to)) {
            return;
        }
        start_postcopy_at_once(from, to, false);
        assert_both_refused(from, to, refusal);
    }
}

/* Also where pages that are asked for have a channel of their own */
static void test_postcopy_accepted(void)
{
    alarm(HANG_S);
    for (unsigned i = 0; i < 4; i++) {
        g_autoptr(Peer) from = peer_start(LINUX_6_12, NULL, NULL);
        g_autoptr(Peer) to = peer_incoming(LINUX_6_12, NULL, NULL);

        if (skip_without_postcopy(to)) {
            return;
        }
        start_postcopy_at_once(from, to, i % 2);
        assert_completed(from->qts);
        assert_completed(to->qts);
    }
}

static void wait_both(const Peer *from, const Peer *to)
{
    g_auto(Outcome) arrival = migration_wait(to->qts);
    g_auto(Outcome) departure = migration_wait(from->qts);

    g_assert_false(arrival.completed);
}

/* A VM whose destination could not say "no" late is warned, once. */
static void test_warned(void)
{
    static const char warning[] =
        "warning: guest-abi: this VM migrates without the capability "
        "return-path: a destination that refuses it when all was sent cannot "
        "say so, this QEMU would say 'completed', and the guest would be "
        "stopped on both sides until 'cont' is given here; set return-path on "
        "both sides\n";
    g_autofree char *path = vm_scratch("stream-warned");
    g_autofree char *before = NULL, *after = NULL;
    g_autoptr(Peer) from = NULL;
    const char *first;

    alarm(HANG_S);
    from = peer_start(LINUX_6_12, NULL, NULL);
    /* A file does not refuse. */
    migration_save(from->qts, path);
    {
        g_autoptr(Peer) to = peer_incoming(WITHOUT_PTP, NULL, NULL);

        set_capability(from, to, "return-path");
        start_live(from, to);
        wait_both(from, to);
    }
    before = peer_log(from);
    g_assert_null(strstr(before, warning));
    migrate_set_capability(from->qts, "return-path", false);
    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(Peer) to = peer_incoming(WITHOUT_PTP, NULL, NULL);

        start_live(from, to);
        wait_both(from, to);
    }
    after = peer_log(from);
    first = strstr(after, warning);
    g_assert_nonnull(first);
    g_assert_null(strstr(first + 1, warning));
}

/* The number of vCPUs: without an entry the destination has aborted. */
static void test_vcpus(void)
{
    static const struct {
        const char *from, *to, *refusal;
    } cases[] = {
        { "-smp 1", "-smp 1", NULL },
        { "-smp 2", "-smp 2", NULL },
        { "-smp 1", "-smp 2", "guest-abi: incoming VM has 1 vCPUs, this VM "
          "has 2; start this QEMU with the source's -smp, and with a -device "
          "for each vCPU that was plugged in since" },
        { "-smp 2", "-smp 1", "guest-abi: incoming VM has 2 vCPUs, this VM "
          "has 1; start this QEMU with the source's -smp, and with a -device "
          "for each vCPU that was plugged in since" },
    };

    alarm(HANG_S);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(Peer) from = peer_start(LINUX_6_12, NULL, cases[i].from);
        g_autoptr(Peer) to = peer_incoming(LINUX_6_12, NULL, cases[i].to);
        QList *entries = contract_entries(from->qts);
        g_autofree char *preflight = contract_check(to->qts, entries);
        g_auto(Outcome) outcome = { };

        g_assert_cmpstr(preflight, ==, cases[i].refusal);
        start_live(from, to);
        outcome = migration_wait(to->qts);
        if (cases[i].refusal) {
            assert_refused(to, &outcome, cases[i].refusal, true);
        } else {
            g_assert_true(outcome.completed);
        }
        qobject_unref(entries);
    }
}

void migration_early_tests(void)
{
    static const EarlyCase cases[] = {
        { "contract", LINUX_6_12, WITHOUT_PTP },
        { "contract-with-return-path", LINUX_6_12, WITHOUT_PTP, true },
        { "no-contract", NOT_PINNED, LINUX_6_12 },
        { "no-contract-with-return-path", NOT_PINNED, LINUX_6_12, true },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *path =
            g_strdup_printf("hvc/migration/refused-before-ram/%s",
                            cases[i].name);

        qtest_add_data_func(path, &cases[i], test_before_ram);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i += 2) {
        g_autofree char *path =
            g_strdup_printf("hvc/migration/source-told/%s", cases[i].name);

        qtest_add_data_func(path, &cases[i], test_told);
    }
    qtest_add_func("hvc/migration/source-told/number", test_told_number);
    qtest_add_func("hvc/migration/postcopy-at-once/refused",
                   test_postcopy_refused);
    qtest_add_func("hvc/migration/postcopy-at-once/accepted",
                   test_postcopy_accepted);
    qtest_add_func("hvc/migration/warned-without-return-path", test_warned);
    qtest_add_func("hvc/migration/vcpus", test_vcpus);
}
