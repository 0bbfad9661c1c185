/*
 * What is where in the guest's memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * For all of this folder; scripts/qemu_hvc/xsave_guest.py and
 * scripts/qemu_hvc/pages_guest.py have the same numbers.
 */

#ifndef TESTS_QTEST_XSAVE_GUEST_LAYOUT_H
#define TESTS_QTEST_XSAVE_GUEST_LAYOUT_H

#define ROM         0xf0000
#define TABLES      0x1000
#define PARAMETERS  0x8000
#define RESULTS     0x9000
#define FILLED      0xa000
#define SAVED       0x10000
#define SCRATCH     0x14000
#define XMM0        0x18000
#define CPUID_TABLE 0x19000
/* Of CPU 0; each other one has its own, 4 KiB higher */
#define STACK       0x20000

/* Of cpu.h: 256 gates of 16 bytes */
#define IDT         0x7000
/* Of pages.c: what a CPU says of itself, and its pages */
#define MAX_CPUS    8
#define CPUS        0x30000
#define CPU_SIZE    0x1000
#define AREAS       0x400000
#define AREA_PAGES  256
/* Three pages, for a device */
#define DMA_PAGES   0x300000

#endif
