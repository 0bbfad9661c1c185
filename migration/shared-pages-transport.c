/*
 * Shared pages: the order of a migration that treats them differently
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * scripts/tests/test_shared_pages_order.py swaps the lines of these functions,
 * and looks whether the tests see it.
 */

#include "qemu/osdep.h"
#include "shared-pages-transport.h"

bool shared_pages_send_dirty(SharedPagesLog *log,
                             const SharedPagesTransport *transport,
                             Error **errp)
{
    const void *memory;
    uint64_t offset;
    bool shared;

    transport->look(transport->opaque);
    while (transport->find(transport->opaque, &memory, &offset)) {
        transport->clear(transport->opaque, memory, offset);
        shared = shared_pages_log_get(log, memory, offset);
        if (!transport->send(transport->opaque, memory, offset, shared,
                             errp)) {
            return false;
        }
    }
    return true;
}

GByteArray *shared_pages_switch_over(SharedPagesLog *log,
                                     const SharedPagesTransport *transport,
                                     Error **errp)
{
    transport->stop(transport->opaque);
    if (!shared_pages_send_dirty(log, transport, errp)) {
        return NULL;
    }
    return shared_pages_log_save(log, errp);
}
