/*
 * The call engine in AArch64: start, exceptions, calls
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#define HVC_GUEST_ASSEMBLY
#include "engine.h"

    .section .text.start, "ax"
    .global _start
_start:
    mov     x19, xzr
    b       start

    .global secondary
secondary:
    mov     x19, x0                     /* the context id */

start:
    msr     daifset, #15
    mrs     x0, CurrentEL
    cmp     x0, #(2 << 2)
    b.ne    at_el1

    mov     x0, #0x33ff                 /* CPTR_EL2: no SIMD trap */
    msr     cptr_el2, x0
    mov     x0, #(1 << 31)              /* HCR_EL2.RW: EL1 is AArch64 */
    msr     hcr_el2, x0
    mov     x0, #3                      /* CNTHCTL_EL2: EL1 has its timers */
    msr     cnthctl_el2, x0
    msr     cntvoff_el2, xzr
    adr     x0, vectors
    msr     vbar_el2, x0
    isb
    ldr     x0, =started_at_el2
    mov     w1, #1
    str     w1, [x0]
    ldr     x0, =CALLS_LIST
    ldp     w1, w2, [x0]                /* magic, flags */
    ldr     w3, =CALLS_MAGIC
    cmp     w1, w3
    b.ne    ready
    tbz     w2, #2, ready               /* CALLS_AT_EL1 */

    ldr     x0, =CALLS_CNTVOFF
    msr     cntvoff_el2, x0
    ldr     x0, =0x30d00800             /* SCTLR_EL1: RES1 bits, MMU off */
    msr     sctlr_el1, x0
    mov     x0, #0x3c5                  /* EL1h, DAIF */
    msr     spsr_el2, x0
    adr     x0, at_el1
    msr     elr_el2, x0
    eret

at_el1:
    mov     x0, #(3 << 20)              /* CPACR_EL1.FPEN */
    msr     cpacr_el1, x0
    adr     x0, vectors
    msr     vbar_el1, x0

ready:
    isb
    and     x1, x19, #(CALLS_VCPUS - 1)
    ldr     x0, =vcpus
    mov     x2, #VCPU_SIZE
    madd    x0, x1, x2, x0
    msr     tpidr_el0, x0
    ldr     x2, =stacks + STACK_SIZE
    mov     x3, #STACK_SIZE
    madd    x2, x1, x3, x2
    mov     sp, x2
    mov     x0, x19
    bl      engine
halt:
    wfi
    b       halt

/* Every exception ends the step that it happens in. */
    .macro vector number
    .balign 0x80
    mov     x1, #\number
    b       exception
    .endm

    .balign 0x800
vectors:
    .irp    number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector  \number
    .endr

exception:
    mrs     x0, tpidr_el0
    str     x1, [x0, #VCPU_VECTOR]
    mrs     x1, CurrentEL
    cmp     x1, #(2 << 2)
    b.eq    1f
    mrs     x1, esr_el1
    mrs     x2, elr_el1
    mrs     x3, far_el1
    b       2f
1:
    mrs     x1, esr_el2
    mrs     x2, elr_el2
    mrs     x3, far_el2
2:
    str     x1, [x0, #VCPU_SYNDROME]
    str     x2, [x0, #VCPU_PC]
    str     x3, [x0, #VCPU_FAULT]
    ldr     x1, [x0, #VCPU_ABORT_SP]
    mov     sp, x1
    mov     x0, #1
    b       restore

    .macro  save
    stp     x19, x20, [sp, #-96]!
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    .endm

    .global guarded
guarded:
    save
    mov     x9, sp
    str     x9, [x0, #VCPU_ABORT_SP]
    mov     x0, x2
    blr     x1
    mov     x0, xzr
restore:
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     x19, x20, [sp], #96
    ret

/* Q\a and Q\b, which are neighbours */
    .macro  q_pair instruction, a, b
    \instruction q\a, q\b, [x0, #VCPU_IN_Q + 16 * \a]
    .endm

    .macro  all_q instruction
    q_pair  \instruction, 0, 1
    q_pair  \instruction, 2, 3
    q_pair  \instruction, 4, 5
    q_pair  \instruction, 6, 7
    q_pair  \instruction, 8, 9
    q_pair  \instruction, 10, 11
    q_pair  \instruction, 12, 13
    q_pair  \instruction, 14, 15
    q_pair  \instruction, 16, 17
    q_pair  \instruction, 18, 19
    q_pair  \instruction, 20, 21
    q_pair  \instruction, 22, 23
    q_pair  \instruction, 24, 25
    q_pair  \instruction, 26, 27
    q_pair  \instruction, 28, 29
    q_pair  \instruction, 30, 31
    .endm

    .macro  x2_to_x29 instruction
    .irp    n, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28
    x_pair  \instruction, \n
    .endr
    .endm

    .macro  x_pair instruction, n
    .altmacro
    x_pair_ \instruction, \n, %(\n + 1)
    .noaltmacro
    .endm

    .macro  x_pair_ instruction, n, m
    \instruction x\n, x\m, [x0, #VCPU_IN_X + 8 * \n]
    .endm

    .macro  clobber
    mov     x9, #1
    mvn     x19, x19
    mov     sp, x9
    movi    v3.16b, #0x11
    movi    v31.16b, #0x22
    .endm

    .macro  perform name, instruction
    .global perform_\name
perform_\name:
    save
    mov     x9, sp
    str     x9, [x0, #VCPU_CALL_SP]
    ldr     x9, [x0, #VCPU_IN_SP]
    mov     sp, x9
    all_q   ldp
    x2_to_x29 ldp
    ldr     x30, [x0, #VCPU_IN_X + 8 * 30]
    ldr     x1, [x0, #VCPU_IN_X + 8]
    ldr     x0, [x0, #VCPU_IN_X]
    \instruction
    b       performed
    .endm

    perform hvc, "hvc #0"
    perform hvc_immediate, "hvc #0x5a5a"
    perform smc, "smc #0"
    perform smc_immediate, "smc #0x5a5a"
    perform clobber, clobber

performed:
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el0
    add     x0, x0, #VCPU_OUT
    str     x1, [x0, #VCPU_IN_X + 8]
    x2_to_x29 stp
    str     x30, [x0, #VCPU_IN_X + 8 * 30]
    mrs     x1, tpidrro_el0
    str     x1, [x0, #VCPU_IN_X]
    mov     x1, sp
    str     x1, [x0, #VCPU_IN_SP]
    all_q   stp
    sub     x0, x0, #VCPU_OUT
    ldr     x1, [x0, #VCPU_CALL_SP]
    mov     sp, x1
    b       restore
