/*
 * Writes to every page of its RAM, over and over, in an AArch64 guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * For scripts/bench. The number of the last byte to write, plus 1, is at
 * PARAMETERS, put there with -device loader. Prints one '.' when every page
 * has been written once; then goes on for ever.
 */

#define PARAMETERS 0x40100000
#define FIRST      0x40200000
#define UART       0x09000000
#define PAGE       4096

        .text
        .global _start
_start:
        ldr     x0, =PARAMETERS
        ldr     x1, [x0]
        ldr     x3, =UART
        mov     w4, #'.'
1:      ldr     x2, =FIRST
2:      ldr     x5, [x2]
        add     x5, x5, x2
        str     x5, [x2]
        add     x2, x2, #PAGE
        cmp     x2, x1
        b.lo    2b
        cbz     w4, 1b
        strb    w4, [x3]
        mov     w4, #0
        b       1b
