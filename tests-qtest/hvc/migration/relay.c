/*
 * A stream that goes through the test, which holds it where it likes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include <poll.h>
#include "qemu/bswap.h"
#include "qemu/sockets.h"
#include "qemu/units.h"
#include "qobject/qdict.h"
#include "migration/migration-qmp.h"
#include "relay.h"

#define POLL_MS 10

/*
 * More than QEMU sends before memory, with the big lock held; less than it
 * needs for zero pages alone, before it comes to any that has a mark
 */
#define SOCKET_BUFFER (16 * KiB)

/* Behind it is the number of the mark. */
static const uint8_t mark_bytes[8] = {
    0xd3, 0x1e, 0x9c, 0x47, 0xa8, 0xf5, 0x62, 0xbb,
};

#define MARK_SIZE (sizeof(mark_bytes) + sizeof(uint32_t))

/* As in the header of the section of shared-pages.c, with its length */
static const char list_name[] = "\x0cshared-pages";

/* Bytes in which look() finds either of the two */
#define WINDOW MAX(MARK_SIZE, sizeof(list_name) - 1)

static void make_mark(uint8_t bytes[MARK_SIZE], unsigned mark)
{
    g_assert_cmpuint(mark, <, RELAY_MARKS);
    memcpy(bytes, mark_bytes, sizeof(mark_bytes));
    stl_le_p(bytes + sizeof(mark_bytes), mark);
}

void relay_mark(const Peer *peer, uint64_t address, unsigned mark)
{
    uint8_t bytes[MARK_SIZE];

    make_mark(bytes, mark);
    qtest_memwrite(peer->qts, address, bytes, sizeof(bytes));
}

bool relay_has_mark(const Peer *peer, uint64_t address, unsigned mark)
{
    uint8_t bytes[MARK_SIZE], found[MARK_SIZE];

    make_mark(bytes, mark);
    qtest_memread(peer->qts, address, found, sizeof(found));
    return !memcmp(bytes, found, sizeof(found));
}

/* A socket whose other end QEMU has, under the name "relay" */
static int give_socket(QTestState *qts)
{
    int pair[2], size = SOCKET_BUFFER;

    g_assert_cmpint(qemu_socketpair(PF_LOCAL, SOCK_STREAM, 0, pair), ==, 0);
    g_assert_cmpint(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size,
                               sizeof(size)), ==, 0);
    qtest_qmp_fds_assert_success(qts, &pair[1], 1, "{ 'execute': 'getfd', "
                                 "'arguments': { 'fdname': 'relay' } }");
    close(pair[1]);
    return pair[0];
}

Relay *relay_start(const Peer *from, const Peer *to)
{
    Relay *relay = g_new0(Relay, 1);

    relay->from = from;
    relay->to = to;
    relay->tail = g_byte_array_new();
    relay->destination = give_socket(to->qts);
    accept_stream(to, "fd:relay");
    relay->source = give_socket(from->qts);
    migrate_qmp(from->qts, to->qts, "fd:relay", NULL, "{}");
    return relay;
}

void relay_free(Relay *relay)
{
    if (relay) {
        close(relay->source);
        close(relay->destination);
        g_byte_array_unref(relay->tail);
        g_free(relay);
    }
}

/* Looks at all that was sent, but for the last bytes, which it keeps. */
static void look(Relay *relay, const uint8_t *data, size_t size)
{
    GByteArray *bytes = g_byte_array_append(relay->tail, data, size);
    size_t at;

    for (at = 0; at + WINDOW <= bytes->len; at++) {
        const uint8_t *here = bytes->data + at;

        if (!memcmp(here, mark_bytes, sizeof(mark_bytes))) {
            uint32_t mark = ldl_le_p(here + sizeof(mark_bytes));

            g_assert_cmpuint(mark, <, RELAY_MARKS);
            relay->copies[mark]++;
            relay->list_is_last = false;
        } else if (!memcmp(here, list_name, strlen(list_name))) {
            relay->list_is_last = true;
        }
    }
    g_byte_array_remove_range(bytes, 0, at);
}

static void pass_on(int fd, const uint8_t *data, size_t size)
{
    while (size) {
        ssize_t written = send(fd, data, size, MSG_NOSIGNAL);

        g_assert_cmpint(written, >, 0);
        data += written;
        size -= written;
    }
}

/**
 * Progress: what came
 * @NOTHING: the source has written nothing for POLL_MS
 * @SOMETHING: bytes, which were passed on
 * @THE_END: the source has closed its socket
 */
typedef enum Progress {
    NOTHING,
    SOMETHING,
    THE_END,
} Progress;

static Progress relay_some(Relay *relay)
{
    struct pollfd pollfd = { .fd = relay->source, .events = POLLIN };
    static uint8_t data[4096];
    ssize_t size;

    if (poll(&pollfd, 1, POLL_MS) == 0) {
        return NOTHING;
    }
    size = read(relay->source, data, sizeof(data));
    g_assert_cmpint(size, >=, 0);
    if (!size) {
        return THE_END;
    }
    look(relay, data, size);
    pass_on(relay->destination, data, size);
    return SOMETHING;
}

bool relay_until(Relay *relay, bool (*is_there)(const Relay *, const void *),
                 const void *opaque)
{
    while (!is_there(relay, opaque)) {
        Progress progress = relay_some(relay);

        g_assert_cmpint(progress, !=, THE_END);
        if (progress == NOTHING) {
            g_autofree char *status = migrate_query_status(relay->from->qts);

            if (g_str_equal(status, "pre-switchover")) {
                return false;
            }
        }
    }
    return true;
}

void relay_finish(Relay *relay)
{
    QTestState *qts = relay->from->qts;
    QDict *response;

    /* It may be answered when all was sent: the big lock is held meanwhile. */
    qtest_qmp_send(qts, "{ 'execute': 'migrate-continue', "
                   "'arguments': { 'state': 'pre-switchover' } }");
    while (relay_some(relay) != THE_END) {
        /* until the source has sent all */
    }
    response = qtest_qmp_receive(qts);
    g_assert_true(qdict_haskey(response, "return"));
    qobject_unref(response);
    assert_completed(qts);
    assert_completed(relay->to->qts);
}
