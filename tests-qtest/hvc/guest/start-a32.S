/*
 * The call engine in AArch32: start, exceptions, calls
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#define HVC_GUEST_ASSEMBLY
#include "engine.h"

    .syntax unified
    .arm
    .arch_extension sec
    .arch_extension virt
    .fpu    neon-vfpv4

#define MODE_SVC 0x13
#define MODE_HYP 0x1a
#define MASKED   0x1c0                  /* A, I and F */

    .section .text.start, "ax"
    .global _start
_start:
    mov     r4, #0
    b       start

    .global secondary
secondary:
    mov     r4, r0                      /* the context id */

start:
    mrs     r0, cpsr
    and     r0, r0, #0x1f
    cmp     r0, #MODE_HYP
    bne     at_pl1

    /* A guest that has Hyp mode calls from SVC mode, through SMC. */
    mov     r0, #0
    mcr     p15, 4, r0, c1, c1, 0       /* HCR: no traps */
    mcr     p15, 4, r0, c1, c1, 2       /* HCPTR: no SIMD trap */
    mov     r0, #3
    mcr     p15, 4, r0, c14, c1, 0      /* CNTHCTL: PL1 has its timers */
    ldr     r0, =CALLS_CNTVOFF & 0xffffffff
    mov     r1, #CALLS_CNTVOFF >> 32
    mcrr    p15, 4, r0, r1, c14         /* CNTVOFF */
    ldr     r0, =started_at_el2
    mov     r1, #1
    str     r1, [r0]
    mov     r0, #(MASKED | MODE_SVC)
    msr     spsr_hyp, r0
    adr     r0, at_pl1
    msr     elr_hyp, r0
    isb
    eret

at_pl1:
    cpsid   aif, #MODE_SVC
    mov     r0, #(0xf << 20)            /* CPACR: CP10, CP11 */
    mcr     p15, 0, r0, c1, c0, 2
    ldr     r0, =vectors
    mcr     p15, 0, r0, c12, c0, 0      /* VBAR */
    isb
    mov     r0, #(1 << 30)              /* FPEXC.EN */
    vmsr    fpexc, r0

    and     r1, r4, #(CALLS_VCPUS - 1)
    ldr     r0, =vcpus
    ldr     r2, =VCPU_SIZE
    mla     r0, r1, r2, r0
    mcr     p15, 0, r0, c13, c0, 2      /* TPIDRURW */
    ldr     r2, =stacks + STACK_SIZE
    add     sp, r2, r1, lsl #12
    .if     STACK_SIZE - (1 << 12)
    .error  "lsl by the logarithm of STACK_SIZE"
    .endif
    mov     r0, r4
    mov     r1, #0
    bl      engine
halt:
    wfi
    b       halt

/* Every exception ends the step that it happens in. */
    .balign 32
vectors:
    b       .                           /* reset: not taken through here */
    b       undefined
    b       supervisor_call
    b       prefetch_abort
    b       data_abort
    b       .                           /* Hyp trap: not in this mode */
    b       irq
    b       fiq

    .macro  handler name, number
\name:
    mov     r1, #\number
    b       exception
    .endm

    handler undefined, 1
    handler supervisor_call, 2
    handler prefetch_abort, 3
    handler data_abort, 4
    handler irq, 6
    handler fiq, 7

exception:
    mrc     p15, 0, r0, c13, c0, 2      /* TPIDRURW */
    str     r1, [r0, #VCPU_VECTOR]
    str     lr, [r0, #VCPU_PC]
    mov     r2, #0
    cmp     r1, #3
    mrceq   p15, 0, r2, c5, c0, 1       /* IFSR */
    cmp     r1, #4
    mrceq   p15, 0, r2, c5, c0, 0       /* DFSR */
    str     r2, [r0, #VCPU_SYNDROME]
    mrc     p15, 0, r2, c6, c0, 0       /* DFAR */
    str     r2, [r0, #VCPU_FAULT]
    cpsid   aif, #MODE_SVC
    ldr     sp, [r0, #VCPU_ABORT_SP]
    mov     r0, #1
    pop     {r4 - r11, lr}
    bx      lr

    .global guarded
guarded:
    push    {r4 - r11, lr}
    str     sp, [r0, #VCPU_ABORT_SP]
    mov     r0, r2
    sub     sp, sp, #4                  /* the ABI's 8-byte alignment */
    blx     r1
    add     sp, sp, #4
    mov     r0, #0
    pop     {r4 - r11, lr}
    bx      lr

    .macro  r4_to_r12 instruction
    .irp    n, 4, 5, 6, 7, 8, 9, 10, 11, 12
    \instruction r\n, [r0, #VCPU_IN_X + 8 * \n]
    .endr
    .endm

    .macro  clobber
    mov     r5, #1
    mvn     r9, r9
    mov     sp, #0
    vmov.i8 d3, #0x11
    vmov.i8 d31, #0x22
    .endm

    .macro  perform name, instruction
    .global perform_\name
perform_\name:
    push    {r4 - r11, lr}
    str     sp, [r0, #VCPU_CALL_SP]
    add     r1, r0, #VCPU_IN_Q
    vldmia  r1!, {d0 - d15}
    vldmia  r1, {d16 - d31}
    r4_to_r12 ldr
    ldr     sp, [r0, #VCPU_IN_SP]
    ldr     lr, [r0, #VCPU_IN_X + 8 * 14]
    ldr     r3, [r0, #VCPU_IN_X + 8 * 3]
    ldr     r2, [r0, #VCPU_IN_X + 8 * 2]
    ldr     r1, [r0, #VCPU_IN_X + 8 * 1]
    ldr     r0, [r0, #VCPU_IN_X]
    \instruction
    b       performed
    .endm

    perform hvc, "hvc #0"
    perform hvc_immediate, "hvc #0x5a5a"
    perform smc, "smc #0"
    perform smc_immediate, "smc #0x5"
    perform clobber, clobber

performed:
    mcr     p15, 0, r0, c13, c0, 4      /* TPIDRPRW */
    mrc     p15, 0, r0, c13, c0, 2      /* TPIDRURW */
    add     r0, r0, #VCPU_OUT
    str     r1, [r0, #VCPU_IN_X + 8 * 1]
    str     r2, [r0, #VCPU_IN_X + 8 * 2]
    str     r3, [r0, #VCPU_IN_X + 8 * 3]
    r4_to_r12 str
    str     sp, [r0, #VCPU_IN_SP]
    str     lr, [r0, #VCPU_IN_X + 8 * 14]
    mrc     p15, 0, r1, c13, c0, 4
    str     r1, [r0, #VCPU_IN_X]
    add     r1, r0, #VCPU_IN_Q
    vstmia  r1!, {d0 - d15}
    vstmia  r1, {d16 - d31}
    sub     r0, r0, #VCPU_OUT
    ldr     sp, [r0, #VCPU_CALL_SP]
    pop     {r4 - r11, lr}
    bx      lr
