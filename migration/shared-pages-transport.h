/*
 * Shared pages: the order of a migration that treats them differently
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A transport that reads private pages in another way than shared ones, as that
 * of an encrypted guest does, has to know for each page that it sends in which
 * way its bytes are to be read. The guest goes on meanwhile: it writes, and it
 * changes its mind. What makes the last copy of each page right is the order of
 * four things, which the functions here keep, and three rules, which are the
 * transport's and the guest's (docs/system/shared-pages.rst has all of them,
 * with what goes wrong otherwise):
 *
 *  1. a page is no longer dirty,
 *  2. then its state is read from the log,
 *  3. then its bytes are read, in the way of that state. Whatever the guest
 *     does after 1, it makes the page dirty: be it that it writes, or that it
 *     changes the state and writes nothing.
 *  4. After the vCPUs were stopped, the dirty log is looked at once more, and
 *     only then the log of shared pages is taken for the section. What was sent
 *     wrongly before is sent again.
 *
 *  - A page is sent with the state that it was read in, and the destination
 *    puts it where it belongs by that one: its own log is not there yet, and in
 *    a postcopy that guest has changed it already.
 *  - Copies of a page arrive in the order in which they were sent.
 *  - A guest says first that it shares a page, or takes it back, and writes
 *    then.
 */

#ifndef MIGRATION_SHARED_PAGES_TRANSPORT_H
#define MIGRATION_SHARED_PAGES_TRANSPORT_H

#include "shared-pages-log.h"

/**
 * SharedPagesTransport: what a transport does, each with @opaque
 * @stop: stop the vCPUs
 * @look: take over which pages the guest, its devices and
 *        SharedPagesOps.changed have made dirty since the last look
 * @find: find a page that is dirty by the last look; returns false if none is
 * @clear: the page is not dirty any more, until it becomes so again: whatever
 *         watches for writes is set before @clear returns
 * @send: read the bytes of a page in the way of its state, and send both;
 *        returns false, with an error, if that failed
 * @opaque: the transport's
 */
typedef struct SharedPagesTransport {
    void (*stop)(void *opaque);
    void (*look)(void *opaque);
    bool (*find)(void *opaque, const void **memory, uint64_t *offset);
    void (*clear)(void *opaque, const void *memory, uint64_t offset);
    bool (*send)(void *opaque, const void *memory, uint64_t offset,
                 bool shared, Error **errp);
    void *opaque;
} SharedPagesTransport;

/**
 * shared_pages_send_dirty: look at the dirty log once, and send what it names
 * @log: the log of shared pages
 * @transport: the transport
 * @errp: what @transport says
 *
 * To be called any number of times while the guest runs, the first time with
 * all pages dirty.
 *
 * Returns: true if all was sent.
 */
bool shared_pages_send_dirty(SharedPagesLog *log,
                             const SharedPagesTransport *transport,
                             Error **errp);

/**
 * shared_pages_switch_over: stop the guest, and send what is left of it
 * @log: the log of shared pages
 * @transport: the transport
 * @errp: what @transport or shared_pages_log_save() says
 *
 * Returns: the log as it goes into the section, which the caller frees; NULL
 * after an error.
 */
GByteArray *shared_pages_switch_over(SharedPagesLog *log,
                                     const SharedPagesTransport *transport,
                                     Error **errp);

#endif
