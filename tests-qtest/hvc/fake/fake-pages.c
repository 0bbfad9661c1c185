/*
 * Shared pages of a VM that has one page, for tests of the calls
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "migration/shared-pages.h"
#include "fake-pages.h"

static bool page_is_shared;

int64_t shared_pages_set(uint64_t address, uint64_t size, bool shared)
{
    bool changes = shared != page_is_shared;

    g_assert_cmpuint(size, ==, 4096);
    if (address != FAKE_PAGE) {
        return address % 4096 ? -EINVAL : -ENXIO;
    }
    page_is_shared = shared;
    return changes;
}
