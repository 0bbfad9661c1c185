/*
 * Reads a register while another CPU changes the memory map, in an AArch64 guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * For scripts/tests/test_fixes.py, on virt,highmem=off with the device edu in
 * slot 1. The first CPU lets it decode its addresses and stops that, for ever.
 * The second one reads the ID of PCI's host bridge, which is at a higher
 * address, and counts: RESULTS has the number of changes, of reads, of reads
 * that were wrong or aborted, and what the last of these has read, or ESR_EL1,
 * 8 bytes each.
 */

#define RESULTS      0x40100000
#define ECAM         0x3f000000
#define HOST_BRIDGE  0x00081b36
#define EDU          (ECAM + (1 << 15))
#define EDU_ADDRESS  0x10000000

/* PCI Local Bus 3.0, 6.1 and 6.2.2 */
#define COMMAND      0x04
#define BAR0         0x10
#define MEMORY_SPACE 2

/* Arm DEN 0022, 5.1.4 */
#define CPU_ON       0xc4000003

        .text
        .global _start
_start:
        ldr     x4, =RESULTS
        ldr     x0, =CPU_ON
        mov     x1, #1
        adr     x2, reader
        hvc     #0

        ldr     x0, =EDU
        ldr     w1, =EDU_ADDRESS
        str     w1, [x0, #BAR0]
        mov     w2, #MEMORY_SPACE
        mov     x3, #0
1:      str     w2, [x0, #COMMAND]
        str     wzr, [x0, #COMMAND]
        add     x3, x3, #1
        str     x3, [x4]
        b       1b

reader: adr     x0, vectors
        msr     vbar_el1, x0
        isb
        ldr     x4, =RESULTS
        ldr     x0, =ECAM
        ldr     w1, =HOST_BRIDGE
        mov     x2, #0
        mov     x3, #0
2:      ldr     w5, [x0]
        add     x2, x2, #1
        str     x2, [x4, #8]
        cmp     w5, w1
        b.eq    2b
wrong:  add     x3, x3, #1
        stp     x3, x5, [x4, #16]
        b       2b

/* Arm ARM, D1.3.2: a synchronous exception of this level is at 0x200. */
        .balign 2048
vectors:
        .org    vectors + 0x200
        mrs     x5, esr_el1
        b       wrong
