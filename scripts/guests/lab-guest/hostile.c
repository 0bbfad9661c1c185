/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Calls at random: function ids, arguments, conduit. Who answers them, the
 * kernel or QEMU, may make no difference.
 *
 * The sequence is the same each time, so that two reports can be compared.
 */

#include "guest.h"

#define CALLS       4096
/* Calls without an answer of their own that share a line of the report */
#define BLOCK       256
#define RESULTS     4

#define OWNER_SHIFT 24
#define STANDARD    4
#define SYSTEM_OFF2 0x15

static uint64_t state;

static uint64_t next(void)
{
    return next_random(&state);
}

/* Ids near those that there are, as most of all others are refused alike */
static const struct {
    uint32_t base, mask;
} areas[] = {
    { 0, 0xffffffff },
    { 0x84000000, 0x4000003f },
    { 0x84000000, 0x4000003f },
    { 0x84000040, 0x4000001f },
    { 0x80000000, 0x4000ffff },
    { 0x85000020, 0x40000003 },
    { 0x86000000, 0x4000ffff },
    { 0x86000040, 0x40000003 },
    { 0x80000000, 0x7f00001f },
    { 0x00000000, 0xff00001f },
};

static uint64_t random_function(void)
{
    uint32_t i = next() % ARRAY_SIZE(areas);
    uint32_t id = areas[i].base | (next() & areas[i].mask);
    /* Of X0, W0 only is the id. */
    uint64_t above = next() % 4 ? 0 : next() << 32;

    return above | id;
}

static uint64_t random_argument(void)
{
    switch (next() % 4) {
    case 0:
        return next() % 4;
    case 1:
        return next();
    case 2:
        /* An id as an argument, as of PSCI_FEATURES */
        return random_function();
    default:
        return ~(next() % 4);
    }
}

/**
 * Sum: what became of calls that get no line of their own
 * @calls: how many
 * @digest: of their results
 */
struct Sum {
    uint32_t calls;
    uint64_t digest;
};

/* FNV-1a, a word at a time */
static void add(struct Sum *sum, uint64_t value)
{
    sum->digest = (sum->digest ^ value) * 0x100000001b3;
}

static void emit_sum(struct Sum *sum, uint32_t block)
{
    emit(0, "HOSTILE_BLOCK_");
    emit_hex(0, block);
    emit(0, "=");
    emit_hex(0, sum->calls);
    emit(0, ",");
    emit_hex(0, sum->digest);
    emit(0, "\n");
    sum->calls = 0;
    sum->digest = 0;
}

static void emit_call(const uint64_t *arguments, bool is_smc,
                      const uint64_t *x, uint32_t results)
{
    emit(0, is_smc ? "HOSTILE_SMC" : "HOSTILE_HVC");
    for (uint32_t i = 0; i < RESULTS; i++) {
        emit(0, "_");
        emit_hex(0, arguments[i]);
    }
    emit(0, "=");
    for (uint32_t i = 0; i < results; i++) {
        emit(0, i ? "," : "");
        emit_hex(0, x[i]);
    }
    emit(0, "\n");
}

/* SYSTEM_OFF2 is for QEMU as well; a type that there is would be the end. */
static bool is_left_out(uint64_t *arguments)
{
    uint32_t id = arguments[0];
    uint32_t owner = id >> OWNER_SHIFT & 0x3f;
    uint32_t number = id & 0xffff;

    if (owner == STANDARD && number == SYSTEM_OFF2) {
        arguments[1] |= 0x10;
        return false;
    }
    return changes_state(owner, number);
}

void report_hostile(void)
{
    struct Sum sum = { };

    state = 0x9e3779b97f4a7c15;
    for (uint32_t c = 0; c < CALLS; c++) {
        uint64_t arguments[RESULTS] = { random_function() };
        bool is_smc = next() % 2;
        const uint64_t *x;
        uint32_t id = arguments[0];
        uint32_t results;

        for (uint32_t i = 1; i < RESULTS; i++) {
            arguments[i] = random_argument();
        }
        results = steady_results(id >> OWNER_SHIFT & 0x3f, id & 0xffff);
        if (!is_left_out(arguments) && results) {
            x = call_by(is_smc, 0, arguments);
            if (x[0] == NOT_SUPPORTED) {
                sum.calls++;
                for (uint32_t i = 0; i < results; i++) {
                    add(&sum, x[i]);
                }
            } else {
                emit_call(arguments, is_smc, x, results);
            }
        }
        if (c % BLOCK == BLOCK - 1) {
            emit_sum(&sum, c / BLOCK);
        }
    }
}
