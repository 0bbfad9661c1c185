/*
 * Function ids of hypercalls, and what some calls answer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Written out from the specifications, not included from QEMU's headers, so
 * that a wrong id there is found.
 */

#ifndef TESTS_QTEST_HVC_CALLS_FUNCTION_IDS_H
#define TESTS_QTEST_HVC_CALLS_FUNCTION_IDS_H

/* PSCI, Arm DEN 0022 */
#define PSCI_VERSION     0x84000000
#define CPU_SUSPEND_32   0x84000001
#define CPU_SUSPEND_64   0xc4000001
#define CPU_OFF          0x84000002
#define CPU_ON_32        0x84000003
#define CPU_ON_64        0xc4000003
#define AFFINITY_INFO_32 0x84000004
#define AFFINITY_INFO_64 0xc4000004
#define SYSTEM_OFF       0x84000008
#define SYSTEM_RESET     0x84000009
#define SYSTEM_RESET2_32 0x84000012
#define SYSTEM_RESET2_64 0xc4000012
#define SYSTEM_OFF2_32   0x84000015
#define SYSTEM_OFF2_64   0xc4000015

/* What AFFINITY_INFO says */
#define AFFINITY_ON  0
#define AFFINITY_OFF 1

/* TRNG, Arm DEN 0098 */
#define TRNG_RND32 0x84000053
#define TRNG_RND64 0xc4000053

/* Paravirtualized time, Arm DEN 0057 */
#define PV_TIME_ST 0xc5000021

/* KVM's own services */
#define PTP_CALL    0x86000001
#define MEM_INFO    0xc6000002
#define MEM_SHARE   0xc6000003
#define MEM_UNSHARE 0xc6000004

#endif
