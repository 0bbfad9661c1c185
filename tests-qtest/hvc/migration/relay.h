/*
 * A stream that goes through the test, which holds it where it likes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Between source and destination are two sockets. As long as the test reads
 * nothing, the source waits in the middle of what it is sending, whatever the
 * host is doing. Pages of the guest's have marks, by which the test finds them
 * in the stream: it knows how often each was sent.
 */

#ifndef TESTS_QTEST_HVC_MIGRATION_RELAY_H
#define TESTS_QTEST_HVC_MIGRATION_RELAY_H

#include "framework.h"

#define RELAY_MARKS 32

/**
 * Relay: a migration on its way
 * @from: the source
 * @to: the destination
 * @source: the test's end of the socket that @from writes to
 * @destination: of the one that @to reads
 * @tail: the last bytes of the stream, which may be the beginning of a mark
 * @copies: how often the page with each mark was sent
 * @list_is_last: the section with the list of shared pages was sent, and none
 *                of these pages behind it
 */
typedef struct Relay {
    const Peer *from;
    const Peer *to;
    int source;
    int destination;
    GByteArray *tail;
    unsigned copies[RELAY_MARKS];
    bool list_is_last;
} Relay;

/**
 * relay_mark: give a page a mark, and content that is not zeros
 * @peer: the VM
 * @address: guest physical address of the page
 * @mark: number of the mark, below RELAY_MARKS
 */
void relay_mark(const Peer *peer, uint64_t address, unsigned mark);

/**
 * relay_has_mark: has a page the mark that it was given?
 * @peer: the VM
 * @address: guest physical address of the page
 * @mark: number of the mark
 */
bool relay_has_mark(const Peer *peer, uint64_t address, unsigned mark);

/**
 * relay_start: begin to migrate; nothing is relayed yet
 * @from: the source
 * @to: the destination, of peer_incoming()
 */
Relay *relay_start(const Peer *from, const Peer *to);

/**
 * relay_free: free a relay
 * @relay: the relay, or NULL
 */
void relay_free(Relay *relay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Relay, relay_free)

/**
 * relay_until: relay until something was sent, and then hold the stream
 * @relay: the relay
 * @is_there: has it been sent?
 * @opaque: for @is_there
 *
 * Returns: false if the source has sent all that it had to before it stopped
 * its guest, and waits for migrate-continue.
 */
bool relay_until(Relay *relay, bool (*is_there)(const Relay *, const void *),
                 const void *opaque);

/**
 * relay_finish: let a source go on that waits for migrate-continue, relay what
 * is left, and see that source and destination have completed
 * @relay: the relay
 */
void relay_finish(Relay *relay);

#endif
