/*
 * Migration blockers, for tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_FAKE_FAKE_BLOCKER_H
#define TESTS_QTEST_HVC_FAKE_FAKE_BLOCKER_H

/**
 * fake_blocker: why a migration that begins now is refused
 *
 * Returns: the blocker's words; NULL if there is none.
 */
const char *fake_blocker(void);

/**
 * fake_migration: a migration begins, or ends
 * @running: which of the two; while one goes on no blocker can be added
 */
void fake_migration(bool running);

#endif
