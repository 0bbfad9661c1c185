/*
 * Prints what it is offered, ten times a second, in an AArch64 guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * For scripts/tests/test_libvirt.py. Each line on the console is a number, one
 * higher than that of the line before, and X0 of these calls, in hexadecimal:
 * PSCI_VERSION, TRNG_VERSION, PV_TIME_FEATURES and the first word of the
 * vendor features. It never ends.
 */

#define UART             0x09000000
#define PSCI_VERSION     0x84000000
#define TRNG_VERSION     0x84000050
#define PV_TIME_FEATURES 0xc5000020
#define VENDOR_FEATURES  0x86000000

        .text
        .global _start
_start:
        mov     w19, #0
        mrs     x20, cntfrq_el0
        mov     x0, #10
        udiv    x20, x20, x0            /* ticks between two lines */
        mrs     x21, cntvct_el0

line:   add     w19, w19, #1
        mov     w0, w19
        bl      print
        ldr     w0, =PSCI_VERSION
        bl      call
        ldr     w0, =TRNG_VERSION
        bl      call
        ldr     w0, =PV_TIME_FEATURES
        bl      call
        ldr     w0, =VENDOR_FEATURES
        bl      call
        mov     w3, #'\n'
        ldr     x1, =UART
        strb    w3, [x1]

        add     x21, x21, x20
wait:   isb
        mrs     x0, cntvct_el0
        cmp     x0, x21
        b.lo    wait
        b       line

/* Makes the call in W0 with 0xc5000020 as its argument, prints the result */
call:   ldr     w1, =PV_TIME_FEATURES
        hvc     #0
        /* fall through */

/* A space, and W0 as eight digits; uses X1 to X3 */
print:  ldr     x1, =UART
        mov     w3, #' '
        strb    w3, [x1]
        mov     w2, #32
1:      sub     w2, w2, #4
        lsr     w3, w0, w2
        and     w3, w3, #15
        cmp     w3, #10
        add     w3, w3, #'0'
        b.lo    2f
        add     w3, w3, #'a' - '0' - 10
2:      strb    w3, [x1]
        cbnz    w2, 1b
        ret
