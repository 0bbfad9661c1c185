/*
 * The call engine: what its assembly and its C share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef HVC_GUEST_ENGINE_H
#define HVC_GUEST_ENGINE_H

#include "calls.h"

/* Offsets in struct Vcpu; engine.c checks them. */
#define VCPU_IN_X      0
#define VCPU_IN_SP     248
#define VCPU_IN_Q      256
#define VCPU_OUT       768
#define VCPU_CALL_SP   1536
#define VCPU_ABORT_SP  1544
#define VCPU_VECTOR    1552
#define VCPU_SYNDROME  1560
#define VCPU_PC        1568
#define VCPU_FAULT     1576
#define VCPU_SIZE      1600

#define STACK_SIZE     4096

#ifndef HVC_GUEST_ASSEMBLY

/**
 * Registers: before or after a call
 * @x: X0 to X30; R0 to R12 and, at 14, LR
 * @sp: the stack pointer
 * @q: Q0 to Q31 as two words each; D0 to D31
 */
struct Registers {
    uint64_t x[31];
    uint64_t sp;
    uint64_t q[64];
};

/**
 * Vcpu: what belongs to one vCPU; TPIDR_EL0 or TPIDRURW points to it
 * @in: what a call is made with
 * @out: what it leaves
 * @call_sp: the stack during a call
 * @abort_sp: the stack to go back to after an exception
 * @vector: of the last exception
 * @syndrome: of the last exception
 * @pc: of the last exception
 * @fault: of the last exception
 */
struct Vcpu {
    struct Registers in;
    struct Registers out;
    uint64_t call_sp;
    uint64_t abort_sp;
    uint64_t vector;
    uint64_t syndrome;
    uint64_t pc;
    uint64_t fault;
} __attribute__((aligned(64)));

/* In start-a64.S and start-a32.S: */

/* Calls with all registers as in @vcpu->in, and stores them to @vcpu->out. */
typedef void Perform(struct Vcpu *vcpu);
Perform perform_hvc, perform_hvc_immediate;
Perform perform_smc, perform_smc_immediate;
Perform perform_clobber;

/* Calls @function; returns 0 if that returned, 1 if it met an exception. */
int guarded(struct Vcpu *vcpu, void (*function)(void *opaque), void *opaque);

/* Where a vCPU that CPU_ON started begins. */
void secondary(void);

#endif
#endif
