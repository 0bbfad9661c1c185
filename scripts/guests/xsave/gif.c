/*
 * Clears and sets the global interrupt flag while another CPU loads FPU states
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * For scripts/tests/test_fixes.py, on a machine with two CPUs that have SVM.
 * For ever, the first CPU sends itself an interrupt after CLGI, which is not to
 * come, and one after STGI, which is to come. The second one loads its FPU's
 * environment.
 */

#include <stdint.h>
#include "cpu.h"
#include "layout.h"

/* AMD64 manual volume 2, 3.1.7 and 15.17 */
#define EFER            0xc0000080u
#define EFER_SVME       (1ull << 12)

#define VECTOR          0x40
/* TCG delivers an interrupt at the next jump. */
#define PATIENCE        64
/* Intel SDM volume 1, 8.1.10: in 32-bit and 64-bit mode */
#define ENVIRONMENT     28
/* Between two writes to what the first CPU writes, too, which slow both down */
#define LOADS           64

/**
 * Results: what the test reads
 * @rounds: how often the first CPU has executed CLGI and STGI
 * @loads: how often the second one has loaded its FPU's environment
 * @not_set: rounds after whose STGI no interrupt came
 * @not_cleared: rounds after whose CLGI one came
 * @interrupts: how many came
 */
typedef struct Results {
    uint64_t rounds;
    uint64_t loads;
    uint64_t not_set;
    uint64_t not_cleared;
    uint64_t interrupts;
} Results;

/* volatile: the handler, the other CPU and the test have them, too */
#define results ((volatile Results *)RESULTS)

static __attribute__((interrupt)) void handler(void *frame)
{
    (void)frame;
    results->interrupts++;
    *apic_register(APIC_EOI) = 0;
}

/* Does the interrupt come that this CPU sends itself, or one sent before? */
static int interrupt_comes(void)
{
    uint64_t before = results->interrupts;

    *apic_register(APIC_ICR) = TO_SELF | VECTOR;
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (results->interrupts != before) {
            return 1;
        }
    }
    return 0;
}

static void change_flag(void)
{
    asm volatile("clgi" : : : "memory");
    if (interrupt_comes()) {
        results->not_cleared++;
    }
    asm volatile("stgi" : : : "memory");
    if (!interrupt_comes()) {
        results->not_set++;
    }
    results->rounds++;
}

static void load_environments(void)
{
    uint8_t environment[ENVIRONMENT];

    asm volatile("fninit\n\tfnstenv %0" : "=m" (environment));
    for (;;) {
        asm volatile(".rept %c1\n\tfldenv %0\n\t.endr"
                     : : "m" (environment), "i" (LOADS));
        results->loads += LOADS;
    }
}

/* Called by start.S, in 64-bit mode */
int main(unsigned id)
{
    if (id) {
        load_environments();
    }
    set_gate(VECTOR, (uint64_t)handler);
    wrmsr(EFER, rdmsr(EFER) | EFER_SVME);
    start_others();
    asm volatile("sti");
    for (;;) {
        change_flag();
    }
}
