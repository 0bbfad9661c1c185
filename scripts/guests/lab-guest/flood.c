/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A flood of calls: some that the kernel answers, and some that it may hand
 * over to QEMU
 */

#include "guest.h"

#define RESULTS 4
/* Calls between two looks at what else there is to do */
#define BURST   64

static const struct {
    uint64_t function;
    uint64_t argument;
} flooded[] = {
    { 0x84000000, 0 },          /* PSCI_VERSION */
    { 0x8400000a, 0x84000015 }, /* PSCI_FEATURES of SYSTEM_OFF2 */
    { 0x8400000a, 0xc4000012 }, /* PSCI_FEATURES of SYSTEM_RESET2 */
    { 0x80000000, 0 },          /* SMCCC_VERSION */
    { 0x86000000, 0 },          /* FEATURES of the vendor */
    { 0xc4000015, 7 },          /* SYSTEM_OFF2 with a type that there is not */
};

static uint64_t expected[ARRAY_SIZE(flooded)][RESULTS];

static struct {
    uint32_t calls;
    uint32_t wrong;
} counts[CALLS_VCPUS];

void plain_call(uint64_t function, uint64_t argument, uint64_t *x)
{
    register uint64_t x0 asm("x0") = function;
    register uint64_t x1 asm("x1") = argument;
    register uint64_t x2 asm("x2") = 0;
    register uint64_t x3 asm("x3") = 0;

    asm volatile("hvc #0" : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3)
                 : : "memory");
    x[0] = x0;
    x[1] = x1;
    x[2] = x2;
    x[3] = x3;
}

void prepare_flood(void)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(flooded); i++) {
        plain_call(flooded[i].function, flooded[i].argument, expected[i]);
    }
    for (uint32_t vcpu = 0; vcpu < CALLS_VCPUS; vcpu++) {
        counts[vcpu].calls = 0;
        counts[vcpu].wrong = 0;
    }
}

void flood(uint32_t vcpu)
{
    for (uint32_t c = 0; c < BURST; c++) {
        uint32_t i = c % ARRAY_SIZE(flooded);
        uint64_t x[RESULTS];
        bool wrong = false;

        plain_call(flooded[i].function, flooded[i].argument, x);
        for (uint32_t n = 0; n < RESULTS; n++) {
            wrong |= x[n] != expected[i][n];
        }
        counts[vcpu].calls++;
        counts[vcpu].wrong += wrong;
    }
}

uint32_t flood_calls(uint32_t vcpu)
{
    return read32((uintptr_t)&counts[vcpu].calls);
}

uint32_t flood_wrong(uint32_t vcpu)
{
    return read32((uintptr_t)&counts[vcpu].wrong);
}
