/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * How long calls take, in ticks of the virtual counter
 */

#include "guest.h"

/* How often each is made */
#define ROUNDS 256

static const struct {
    const char *name;
    uint64_t function;
    uint64_t argument;
} timed[] = {
    { "SMCCC_VERSION", 0x80000000, 0 },
    { "PSCI_VERSION", 0x84000000, 0 },
    { "PSCI_FEATURES", 0x8400000a, 0x84000015 },
    { "VENDOR_FEATURES", 0x86000000, 0 },
    { "DISCOVER_IMPL_VER", 0xc6000040, 0 },
    { "DISCOVER_IMPL_CPUS", 0xc6000041, 0 },
};

static uint64_t ticks(uint64_t function, uint64_t argument)
{
    uint64_t start = virtual_counter();
    uint64_t x[4];

    for (uint32_t i = 0; i < ROUNDS; i++) {
        plain_call(function, argument, x);
    }
    return virtual_counter() - start;
}

void report_times(void)
{
    emit_value(0, "HZ", counter_frequency());
    emit_value(0, "ROUNDS", ROUNDS);
    for (uint32_t i = 0; i < ARRAY_SIZE(timed); i++) {
        emit_value(0, timed[i].name,
                   ticks(timed[i].function, timed[i].argument));
    }
}
