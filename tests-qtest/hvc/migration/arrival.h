/*
 * What a guest has to find after a migration or loadvm
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_HVC_MIGRATION_ARRIVAL_H
#define TESTS_QTEST_HVC_MIGRATION_ARRIVAL_H

#include "framework.h"

/**
 * stolen_now: the stolen time in a vCPU's record
 * @peer: the VM
 * @vcpu: the vCPU
 *
 * Returns: nanoseconds.
 */
uint64_t stolen_now(const Peer *peer, unsigned vcpu);

/**
 * assert_armed: wait until the stolen time of each vCPU has grown
 * @peer: a VM whose guest has not called PV_TIME_ST since it arrived
 * @program: what it does, of program_stolen_time()
 */
void assert_armed(const Peer *peer, const Program *program);

/**
 * check_arrived: let a guest come to its end, and check what it found
 * @peer: the destination, whose guest waits for GO
 * @started_ns: a time before the source was started, since 1970
 * @config: the machine
 * @program: what the guest does, of program_stolen_time()
 * @contract: the source's query-guest-abi
 *
 * The stolen time is at least that of the source, and grows. All calls are
 * answered as on the source, before and after a reset of the machine.
 */
void check_arrived(const Peer *peer, int64_t started_ns,
                   const Config *config, const Program *program,
                   QList *contract);

#endif
