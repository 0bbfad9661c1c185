/*
 * What a test and the call engine find in the guest's memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A test loads a struct CallList at CALLS_LIST. The guest performs its steps
 * and leaves a struct CallReport at CALLS_REPORT. All fields are little-endian
 * and naturally aligned, so the layout is the same for an AArch64 guest, an
 * AArch32 guest and the host. Assembly defines HVC_GUEST_ASSEMBLY first.
 */

#ifndef HVC_GUEST_CALLS_H
#define HVC_GUEST_CALLS_H

/* RAM of the virt machine; the guest itself is linked at CALLS_GUEST. */
#define CALLS_RAM       0x40000000
#define CALLS_RAM_SIZE  0x04000000
#define CALLS_GUEST     0x40200000
#define CALLS_LIST      0x41000000
#define CALLS_REPORT    0x42000000

#define CALLS_MAGIC     0x4c435648
#define CALLS_VCPUS     8
#define CALLS_BOOTS     2

/* struct CallList's flags */
#define CALLS_PRINT     1   /* write the results to the UART */
#define CALLS_POWER_OFF 2   /* at the end call SYSTEM_OFF */
#define CALLS_AT_EL1    4   /* from EL2 go to EL1 before the first step */

/* CNTVOFF_EL2 of a guest that went from EL2 to EL1 */
#define CALLS_CNTVOFF   0x123456789

/* The context id of a started vCPU; the upper word only of SMC64 CPU_ON */
#define CALLS_CONTEXT       0x5a000000
#define CALLS_CONTEXT_UPPER 0xc0ffee11

#ifndef HVC_GUEST_ASSEMBLY

#include <stdint.h>

/**
 * CallOp: what a step does
 * @CALL_PLAIN: one call, x0 to x7 as given; its x0 to x3 are the result
 * @CALL_POLL: the call again and again until its x0 is x[7]
 * @CALL_CPU_ON: a CPU_ON call, x[0] its function id, x[1] the MPIDR. Entry and
 *               context are the engine's: x[4] is the number that the vCPU
 *               gets, x[5] the step that it starts with
 * @CALL_CLOBBER: no call, but changes X9, X19, SP, Q3 and Q31 (R5, R9, SP, D3
 *                and D31), to show that the engine finds it
 * @CALL_COUNTERS: result: CNTVCT, CNTPCT, CNTFRQ
 * @CALL_READ: result: four 64-bit words at address x[0]
 * @CALL_WRITE: write x[4] to x[7] to four 64-bit words at address x[0]
 * @CALL_AWAIT: wait until the 64-bit word at address x[0] is at least x[1];
 *              result: the word
 * @CALL_WAIT: be busy for x[0] ticks of the virtual counter
 * @CALL_TIMER: let the virtual timer's interrupt, which stays masked, become
 *              pending x[0] ticks from now; 0: switch the timer off
 * @CALL_WFI: wait for an interrupt
 * @CALL_BARRIER: wait until all vCPUs of the step's mask are here
 */
enum CallOp {
    CALL_PLAIN,
    CALL_POLL,
    CALL_CPU_ON,
    CALL_CLOBBER,
    CALL_COUNTERS,
    CALL_READ,
    CALL_WRITE,
    CALL_AWAIT,
    CALL_WAIT,
    CALL_TIMER,
    CALL_WFI,
    CALL_BARRIER,
};

/**
 * CallConduit: the instruction that calls
 * @CALL_CONDUIT_OWN: SMC in a guest that started at EL2, else HVC
 * @CALL_CONDUIT_HVC: HVC
 * @CALL_CONDUIT_SMC: SMC
 */
enum CallConduit {
    CALL_CONDUIT_OWN,
    CALL_CONDUIT_HVC,
    CALL_CONDUIT_SMC,
};

/**
 * CallState: what became of a step
 * @CALL_NOT_RUN: not started, or not come back from
 * @CALL_DONE: done
 * @CALL_EXCEPTION: ended by an exception; see @vector to @fault
 * @CALL_GAVE_UP: what it waited for did not happen in CALLS_PATIENCE seconds
 */
enum CallState {
    CALL_NOT_RUN,
    CALL_DONE,
    CALL_EXCEPTION,
    CALL_GAVE_UP,
};

#define CALLS_PATIENCE 40

/**
 * CallStep:
 * @op: an enum CallOp
 * @conduit: an enum CallConduit
 * @immediate: 0, or anything else for an immediate that is not 0
 * @vcpus: mask of the vCPUs that perform it
 * @boot: 0, or the number of the only boot in which it is performed
 * @base: 0, or 1 + a step whose result's x0 is added to the address x[0]
 * @x: registers, or what @op says
 */
struct CallStep {
    uint32_t op;
    uint32_t conduit;
    uint32_t immediate;
    uint32_t vcpus;
    uint32_t boot;
    uint32_t base;
    uint64_t x[8];
};

struct CallList {
    uint32_t magic;
    uint32_t flags;
    uint32_t steps;
    uint32_t reserved;
    struct CallStep step[];
};

/* The registers in @changed: bit n is Xn or Rn, and then: */
#define CALL_CHANGED_SP   (1ULL << 31)
#define CALL_CHANGED_Q(n) (1ULL << (32 + (n)))   /* AArch32: Dn */

/**
 * CallResult: what one vCPU found at one step
 * @state: an enum CallState
 * @vector: of an exception, the number of the vector
 * @changed: the registers from X4 up that a call did not preserve
 * @x: the result
 * @syndrome: of an exception, ESR (DFSR or IFSR)
 * @pc: of an exception, ELR (LR)
 * @fault: of an exception, FAR (DFAR)
 */
struct CallResult {
    uint32_t state;
    uint32_t vector;
    uint64_t changed;
    uint64_t x[4];
    uint64_t syndrome;
    uint64_t pc;
    uint64_t fault;
};

/**
 * CallReport:
 * @boots: how often the guest has started
 * @done: the boot in which vCPU 0 came to the end of the list
 * @el: the exception level of the steps; 1 in AArch32
 * @steps: the list's
 * @progress: the number of steps that each vCPU has started
 * @context: the context id that each vCPU was started with
 * @result: of step s on vCPU v in boot b at
 *          [((b - 1) * CALLS_VCPUS + v) * steps + s]
 */
struct CallReport {
    uint32_t boots;
    uint32_t done;
    uint32_t el;
    uint32_t steps;
    uint32_t progress[CALLS_VCPUS];
    uint64_t context[CALLS_VCPUS];
    struct CallResult result[];
};

#endif
#endif
