/*
 * Times a loop of one call, or of one instruction, in an AArch64 guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * For scripts/bench. The parameters are at PARAMETERS, put there with
 * -device loader,addr=...,data=...,data-len=8: what to do (a number below),
 * how often, X0 and X1 of the call. The result is one line on the console:
 * elapsed ticks and counter frequency, in hexadecimal. Then the guest turns
 * itself off.
 */

#define PARAMETERS      0x44000000
#define UART            0x09000000
#define PSCI_SYSTEM_OFF 0x84000008

#define DO_HVC          0
#define DO_RNDR         1
#define DO_NOTHING      2

        .text
        .global _start
_start:
        ldr     x19, =PARAMETERS
        ldp     x20, x21, [x19]         /* what, how often */
        ldp     x22, x23, [x19, #16]    /* X0, X1 of the call */
        isb
        mrs     x24, cntvct_el0
        cmp     x20, #DO_RNDR
        b.eq    rndr
        b.hi    nothing

hvc:    mov     x0, x22
        mov     x1, x23
        hvc     #0
        subs    x21, x21, #1
        b.ne    hvc
        b       done

rndr:   mrs     x0, s3_3_c2_c4_0
        subs    x21, x21, #1
        b.ne    rndr
        b       done

nothing:
        mov     x0, x22
        mov     x1, x23
        subs    x21, x21, #1
        b.ne    nothing

done:   isb
        mrs     x25, cntvct_el0
        sub     x0, x25, x24
        bl      print
        mrs     x0, cntfrq_el0
        bl      print
        mov     w0, #'\n'
        ldr     x1, =UART
        strb    w0, [x1]
        ldr     w0, =PSCI_SYSTEM_OFF
        hvc     #0
        b       .

/* X0 as 16 digits and a space; uses X1 to X4 */
print:  ldr     x1, =UART
        mov     x2, #64
1:      sub     x2, x2, #4
        lsr     x3, x0, x2
        and     w3, w3, #15
        cmp     w3, #10
        add     w4, w3, #'0'
        add     w3, w3, #'a' - 10
        csel    w3, w4, w3, lo
        strb    w3, [x1]
        cbnz    x2, 1b
        mov     w3, #' '
        strb    w3, [x1]
        ret
