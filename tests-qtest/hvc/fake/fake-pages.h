/*
 * Shared pages of a VM that has one page, for tests of the calls
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_FAKE_FAKE_PAGES_H
#define TESTS_QTEST_HVC_FAKE_FAKE_PAGES_H

/* The only page that can be shared; private at first */
#define FAKE_PAGE 0x40000000

#endif
