/*
 * Test that a destination refuses a contract before it has guest memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/socket.h>
#include <sys/un.h>
#include "qemu/cutils.h"
#include "qemu/units.h"
#include "migration/migration-qmp.h"
#include "framework.h"

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

static void test_before_ram(void)
{
    g_autofree char *near_path = socket_path();
    g_autofree char *far_path = socket_path();
    g_autofree char *near_uri = g_strdup_printf("unix:%s", near_path);
    g_autofree char *far_uri = g_strdup_printf("unix:%s", far_path);
    Proxy proxy = { .to = far_path };
    bool named;
    g_autofree char *refusal = expected_refusal(LINUX_6_12, WITHOUT_PTP,
                                                &named);
    g_auto(Outcome) outcome = { };
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;
    GThread *thread;

    alarm(HANG_S);
    from = peer_start(LINUX_6_12, NULL, "-m 64M");
    to = peer_incoming(WITHOUT_PTP, NULL, "-m 64M");
    qtest_memset(from->qts, CALLS_RAM, 0x5a, 64 * MiB);
    proxy.listening = proxy_listen(near_path);
    thread = g_thread_new("proxy", proxy_run, &proxy);
    accept_stream(to, far_uri);
    migrate_qmp(from->qts, to->qts, near_uri, NULL, "{}");
    outcome = migration_wait(to->qts);
    assert_refused(to, &outcome, refusal, true);
    assert_source_refused(from);
    g_thread_join(thread);
    close(proxy.listening);
    g_test_message("%" PRIu64 " bytes were passed on in %.3f s; the source "
                   "sent %" PRIu64 " bytes", proxy.bytes, proxy.seconds,
                   migration_transferred(from->qts));
    g_assert_cmpuint(proxy.bytes, <, REFUSAL_MAX);
}

void migration_early_tests(void)
{
    qtest_add_func("hvc/migration/refused-before-ram", test_before_ram);
}
