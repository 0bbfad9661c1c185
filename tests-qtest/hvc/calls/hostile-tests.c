/*
 * Tests with hostile callers: random function ids and arguments
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "case.h"

/* Limits of the services' arguments, function ids, and random numbers */
static uint64_t hostile_argument(GRand *rand)
{
    static const uint64_t values[] = {
        0, 1, 2, 3, 4, 31, 32, 33, 63, 64, 65, 95, 96, 97, 127, 128, 191, 192,
        193, 255, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff,
        0x100000000, 0x7fffffffffffffff, 0x8000000000000000, UINT64_MAX - 1,
        UINT64_MAX, RECORDS, CALLS_GUEST,
    };
    uint64_t word = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);

    switch (g_rand_int_range(rand, 0, 4)) {
    case 0:
        return word;
    case 1:
        return (word & 0xffffffff00000000) |
               known_ids[g_rand_int_range(rand, 0, known_ids_count)];
    case 2:
        return word & 0xff;
    default:
        return values[g_rand_int_range(rand, 0, ARRAY_SIZE(values))];
    }
}

/* Calls that stop a vCPU or the machine, or start a vCPU anywhere */
static bool stops_guest(const uint64_t *x)
{
    switch ((uint32_t)x[0]) {
    case CPU_OFF:
    case CPU_ON_32:
    case CPU_ON_64:
    case SYSTEM_OFF:
    case SYSTEM_RESET:
        return true;
    case SYSTEM_RESET2_32:
    case SYSTEM_RESET2_64:
        return !(uint32_t)x[1] || (uint32_t)x[1] >= 0x80000000;
    case SYSTEM_OFF2_32:
    case SYSTEM_OFF2_64:
        return (uint32_t)x[1] <= 1 && !(uint32_t)x[2];
    default:
        return false;
    }
}

static bool is_known(uint32_t id)
{
    for (unsigned i = 0; i < known_ids_count; i++) {
        if (known_ids[i] == id) {
            return true;
        }
    }
    return false;
}

static void check_hostile(const Vm *vm, const struct CallStep *step,
                          unsigned vcpu, unsigned number)
{
    struct CallResult result = vm_result(vm, vcpu, number);
    uint32_t id = step->x[0];
    uint32_t bits = step->x[1];

    if (!is_known(id) || (vm->setup.aarch32 && id & 1u << 30)) {
        vm_expect(vm, vcpu, number, NOT_SUPPORTED, 0, 0, 0);
        return;
    }
    if ((id == TRNG_RND32 && bits > 96) || (id == TRNG_RND64 && bits > 192)) {
        vm_expect(vm, vcpu, number, INVALID, 0, 0, 0);
        return;
    }
    if (result.state != CALL_DONE || result.changed) {
        g_autofree char *text = vm_result_text(&result);

        vm_fail("vCPU %u, call 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
                " 0x%" PRIx64 ": %s", vcpu, step->x[0], step->x[1],
                step->x[2], step->x[3], text);
    }
}

static void test_hostile(const void *opaque)
{
    const Case *c = opaque;
    const unsigned count = 3000;
    g_autoptr(Calls) calls = calls_new(c->vcpus);
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261120);
    g_autoptr(Vm) vm = NULL;
    unsigned first;

    if (case_missing(&c->setup)) {
        return;
    }
    calls_start_all(calls);
    /* An interrupt that is always pending, so that CPU_SUSPEND comes back */
    calls_add(calls, calls->all, CALL_TIMER, 1, 0, 0, 0);
    calls_add(calls, calls->all, CALL_WFI, 0, 0, 0, 0);
    first = calls->steps->len;
    while (calls->steps->len < first + count) {
        uint64_t x[4];

        for (unsigned i = 0; i < 4; i++) {
            x[i] = hostile_argument(rand);
        }
        if (g_rand_int_range(rand, 0, 4)) {
            x[0] = known_ids[g_rand_int_range(rand, 0, known_ids_count)];
        }
        if (!stops_guest(x)) {
            calls_call_(calls, x);
            for (unsigned i = 4; i < 8; i++) {
                calls_step(calls)->x[i] = hostile_argument(rand);
            }
        }
    }
    calls_barrier(calls, calls->all);
    vm = vm_run(&c->setup, calls);
    for (unsigned vcpu = 0; vcpu < c->vcpus; vcpu++) {
        for (unsigned i = first; i < first + count; i++) {
            check_hostile(vm, &g_array_index(calls->steps, struct CallStep, i),
                          vcpu, i);
        }
    }
}

void guest_hostile_tests(void)
{
    static const struct {
        const char *name;
        const char *accel;
        unsigned vcpus;
        bool aarch32;
        const char *machine;
    } hostile[] = {
        { "1-vcpu", "tcg", 1 },
        { "4-vcpus/thread=multi", "tcg,thread=multi", 4 },
        { "2-vcpus/thread=single", "tcg,thread=single", 2 },
        { "aarch32", "tcg", 2, true },
        { "smc", "tcg", 2, false, CASE_EL2 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(hostile); i++) {
        case_add(test_hostile, &(Case) {
            .setup = {
                .services = "linux-6.18", .accel = hostile[i].accel,
                .aarch32 = hostile[i].aarch32, .machine = hostile[i].machine,
            },
            .vcpus = hostile[i].vcpus,
        }, "hostile/%s", hostile[i].name);
    }
}
