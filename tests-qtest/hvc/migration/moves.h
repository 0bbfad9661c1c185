/*
 * Ways to move a running VM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_MIGRATION_MOVES_H
#define TESTS_QTEST_HVC_MIGRATION_MOVES_H

#include "framework.h"

/**
 * Move: a way to move a VM
 * @from: the source, whose guest runs
 * @to: the destination, of peer_incoming()
 */
typedef void Move(const Peer *from, const Peer *to);

Move move_by_file, move_by_multifd, move_by_postcopy;

/**
 * skip_without_postcopy: is there no userfaultfd, which postcopy needs?
 * @to: the destination
 *
 * Returns: true if the test is skipped, as the host forbids it.
 */
bool skip_without_postcopy(const Peer *to);

#endif
