/*
 * What a guest has to find where it arrives
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_HVC_MIGRATION_ARRIVAL_H
#define TESTS_QTEST_HVC_MIGRATION_ARRIVAL_H

#include "../calls/host.h"
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
 * assert_armed: are the records being added to?
 * @peer: a VM whose guest has not asked for them again
 * @program: what it does, of program_stolen_time()
 */
void assert_armed(const Peer *peer, const Program *program);

/**
 * check_arrived: does a guest find what it had?
 * @peer: the destination, whose guest waits for GO
 * @started_ns: a time before the source was started, since 1970
 * @config: the machine
 * @program: what the guest does, of program_stolen_time()
 * @contract: the source's query-guest-abi
 *
 * It finds at least the stolen time that it had, which grows; all answers are
 * the same; and so they are after a reset.
 */
void check_arrived(const Peer *peer, int64_t started_ns,
                   const Config *config, const Program *program,
                   QList *contract);

#endif
