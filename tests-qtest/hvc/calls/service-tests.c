/*
 * Tests of random numbers, clocks and stolen time
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include <sys/prctl.h>
#include <sys/wait.h>
#include "case.h"
#include "host.h"

/* TRNG */

/*
 * Each random bit is 0 in some of 64 calls and 1 in others, and all other bits
 * are 0. By chance a bit is the same in all calls once in 2^63 runs.
 */
static void test_trng_bits(const void *opaque)
{
    static const struct {
        uint32_t id;
        unsigned bits;
    } requests[] = {
        { TRNG_RND32, 1 }, { TRNG_RND32, 33 }, { TRNG_RND32, 96 },
        { TRNG_RND64, 7 }, { TRNG_RND64, 65 }, { TRNG_RND64, 192 },
    };
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;

    if (case_missing(&c->setup)) {
        return;
    }
    for (unsigned i = 0; i < 64 * ARRAY_SIZE(requests); i++) {
        calls_call(calls, requests[i / 64].id, requests[i / 64].bits);
    }
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < ARRAY_SIZE(requests); i++) {
        int width = requests[i].id == TRNG_RND64 ? 64 : 32;
        int bits = requests[i].bits;

        for (unsigned word = 3; word > 0; word--, bits -= width) {
            int n = MIN(MAX(bits, 0), width);
            uint64_t mask = n ? UINT64_MAX >> (64 - n) : 0;
            uint64_t ever = 0, always = UINT64_MAX;

            for (unsigned j = 0; j < 64; j++) {
                struct CallResult result = vm_result(vm, 0, 64 * i + j);

                g_assert_cmphex(result.x[0], ==, 0);
                ever |= result.x[word];
                always &= result.x[word];
            }
            g_assert_cmphex(ever, ==, mask);
            g_assert_cmphex(always, ==, 0);
        }
    }
}

/* Calls whose answers are compared between two runs */
static void add_random_calls(Calls *calls)
{
    for (unsigned i = 0; i < 32; i++) {
        calls_call(calls, i % 2 ? TRNG_RND64 : TRNG_RND32, 64 + i);
        calls_call(calls, PTP_CALL, i & 1);
        calls_add(calls, VCPU(0), CALL_WAIT, 100 * i, 0, 0, 0);
    }
}

static GArray *results_of(const Vm *vm, const Calls *calls, uint64_t only)
{
    GArray *results = g_array_new(false, true, sizeof(struct CallResult));

    for (unsigned i = 0; i < calls->steps->len; i++) {
        const struct CallStep *step = &g_array_index(calls->steps,
                                                     struct CallStep, i);

        if (step->op == CALL_PLAIN &&
            (!only || (step->x[0] & ~(1ULL << 30)) == only)) {
            struct CallResult result = vm_result(vm, 0, i);

            g_assert_cmpuint(result.state, ==, CALL_DONE);
            g_assert_cmphex(result.changed, ==, 0);
            g_array_append_val(results, result);
        }
    }
    return results;
}

static bool same(const GArray *a, const GArray *b)
{
    return a->len == b->len &&
           !memcmp(a->data, b->data, a->len * sizeof(struct CallResult));
}

static GArray *random_numbers(const Setup *setup, const char *extra)
{
    Setup with_extra = *setup;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;

    with_extra.extra = extra;
    add_random_calls(calls);
    vm = vm_run(&with_extra, calls);
    return results_of(vm, calls, TRNG_RND32);
}

static void test_seed(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(GArray) seeded = NULL;
    g_autoptr(GArray) seeded_again = NULL;
    g_autoptr(GArray) seeded_otherwise = NULL;
    g_autoptr(GArray) unseeded = NULL;
    g_autoptr(GArray) unseeded_again = NULL;

    if (case_missing(&c->setup)) {
        return;
    }
    seeded = random_numbers(&c->setup, "-seed 42");
    seeded_again = random_numbers(&c->setup, "-seed 42");
    seeded_otherwise = random_numbers(&c->setup, "-seed 43");
    unseeded = random_numbers(&c->setup, NULL);
    unseeded_again = random_numbers(&c->setup, NULL);
    g_assert_true(same(seeded, seeded_again));
    g_assert_false(same(seeded, seeded_otherwise));
    g_assert_false(same(seeded, unseeded));
    g_assert_false(same(unseeded, unseeded_again));
}

static GArray *run_recorded(const Setup *setup, const char *mode)
{
    g_autofree char *log = vm_scratch("replay");
    g_autofree char *extra =
        g_strdup_printf("-icount shift=4,rr=%s,rrfile=%s", mode, log);
    Setup with_extra = *setup;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;

    with_extra.extra = extra;
    calls->flags = CALLS_POWER_OFF;
    add_random_calls(calls);
    calls_call(calls, PV_TIME_ST);
    vm = vm_run_alone(&with_extra, calls);
    return results_of(vm, calls, 0);
}

/* Replay gives the random numbers, times and counters of the recording. */
static void test_replay(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(GArray) recorded = NULL;
    g_autoptr(GArray) replayed = NULL;
    g_autoptr(GArray) recorded_again = NULL;

    if (case_missing(&c->setup)) {
        return;
    }
    recorded = run_recorded(&c->setup, "record");
    replayed = run_recorded(&c->setup, "replay");
    recorded_again = run_recorded(&c->setup, "record");
    g_assert_true(same(recorded, replayed));
    g_assert_false(same(recorded, recorded_again));
}

/* PV time */

typedef struct RecordSteps {
    unsigned st;
    unsigned low;
    unsigned high;
} RecordSteps;

static RecordSteps add_read_record(Calls *calls, uint32_t vcpus, unsigned st)
{
    RecordSteps steps = { .st = st };

    steps.low = calls_add(calls, vcpus, CALL_READ, 0, 0, 0, 0);
    calls_step(calls)->base = 1 + st;
    steps.high = calls_add(calls, vcpus, CALL_READ, 32, 0, 0, 0);
    calls_step(calls)->base = 1 + st;
    return steps;
}

/* Check a record's address, revision, attributes and padding; its time. */
static uint64_t check_record(const Vm *vm, unsigned vcpu,
                             const RecordSteps *steps)
{
    struct CallResult low = vm_result(vm, vcpu, steps->low);
    struct CallResult high = vm_result(vm, vcpu, steps->high);

    vm_expect(vm, vcpu, steps->st, RECORDS + RECORD_SIZE * vcpu, 0, 0, 0);
    g_assert_cmpuint(low.state, ==, CALL_DONE);
    g_assert_cmpuint(high.state, ==, CALL_DONE);
    g_assert_cmphex(low.x[0], ==, 0);
    g_assert_cmphex(low.x[2], ==, 0);
    g_assert_cmphex(low.x[3], ==, 0);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmphex(high.x[i], ==, 0);
    }
    return low.x[1];
}

static bool under_icount(const Setup *setup)
{
    return setup->extra && strstr(setup->extra, "-icount");
}

static unsigned add_write_record(Calls *calls, unsigned st, unsigned offset)
{
    unsigned step = calls_add(calls, calls->all, CALL_WRITE, offset, 0, 0, 0);

    calls_step(calls)->base = 1 + st;
    return step;
}

/*
 * PV_TIME_ST clears the caller's record, whatever was written to it, and leaves
 * the records of other vCPUs alone.
 */
static void test_pv_time_record(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(c->vcpus);
    g_autoptr(Vm) vm = NULL;
    RecordSteps fresh, again;
    unsigned st, written, own, kept;

    if (case_missing(&c->setup)) {
        return;
    }
    calls_start_all(calls);
    st = calls_call(calls, PV_TIME_ST);
    fresh = add_read_record(calls, calls->all, st);
    add_write_record(calls, st, 0);
    add_write_record(calls, st, 32);
    written = add_read_record(calls, calls->all, st).high;
    again = add_read_record(calls, calls->all, calls_call(calls, PV_TIME_ST));

    own = add_write_record(calls, st, 32);
    calls_barrier(calls, calls->all);
    calls_add(calls, VCPU(0), CALL_PLAIN, PV_TIME_ST, 0, 0, 0);
    calls_barrier(calls, calls->all);
    kept = add_read_record(calls, calls->all, st).high;
    calls_barrier(calls, calls->all);
    vm = vm_run(&c->setup, calls);
    for (unsigned vcpu = 0; vcpu < c->vcpus; vcpu++) {
        uint64_t stolen = check_record(vm, vcpu, &fresh);

        g_assert_cmphex(vm_result(vm, vcpu, written).x[0], !=, 0);
        stolen = MAX(stolen, check_record(vm, vcpu, &again));
        g_assert_cmpuint(stolen, <=, vm->done_ns - vm->started_ns);
        if (under_icount(&c->setup)) {
            g_assert_cmpuint(stolen, ==, 0);
        }
        for (unsigned i = 0; i < 4; i++) {
            g_assert_cmphex(vm_result(vm, vcpu, kept).x[i], ==, vcpu ?
                            g_array_index(calls->steps, struct CallStep,
                                          own).x[4 + i] : 0);
        }
    }
}

static void test_pv_time_icount(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    RecordSteps record[4];
    unsigned st;

    if (case_missing(&c->setup)) {
        return;
    }
    st = calls_call(calls, PV_TIME_ST);
    for (unsigned i = 0; i < ARRAY_SIZE(record); i++) {
        calls_add(calls, VCPU(0), CALL_WAIT, 2 * TICKS, 0, 0, 0);
        record[i] = add_read_record(calls, VCPU(0), st);
    }
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < ARRAY_SIZE(record); i++) {
        g_assert_cmpuint(check_record(vm, 0, &record[i]), ==, 0);
    }
}

/* A vCPU that was off finds its record where it was, and cleared. */
static void test_pv_time_cpu_off(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(2);
    g_autoptr(Vm) vm = NULL;
    RecordSteps before, after;
    unsigned st;

    if (case_missing(&c->setup)) {
        return;
    }
    calls_start_all(calls);
    st = calls_call(calls, PV_TIME_ST);
    before = add_read_record(calls, calls->all, st);
    calls_add(calls, VCPU(1), CALL_WRITE, 32, 0, 0, 0);
    calls_step(calls)->base = 1 + st;
    calls_add(calls, VCPU(1), CALL_PLAIN, CPU_OFF, 0, 0, 0);
    calls_add(calls, VCPU(0), CALL_POLL, AFFINITY_INFO_64, 1, 0, 0);
    calls_step(calls)->x[7] = AFFINITY_OFF;
    calls_add(calls, VCPU(0), CALL_CPU_ON, CPU_ON_64, 1, 0, 0);
    calls_step(calls)->x[4] = 1;
    calls_step(calls)->x[5] = calls->steps->len;
    st = calls_call(calls, PV_TIME_ST);
    after = add_read_record(calls, calls->all, st);
    calls_barrier(calls, calls->all);
    vm = vm_start(&c->setup, calls);
    vm_wait(vm, 1);
    for (unsigned vcpu = 0; vcpu < 2; vcpu++) {
        check_record(vm, vcpu, &before);
        check_record(vm, vcpu, &after);
    }
}

typedef struct Overload {
    HostCpus cpus;
    pid_t busy[3];
} Overload;

/* From now on this process and its children share one CPU with busy ones. */
static bool overload_start(Overload *overload)
{
    pid_t parent = getpid();

    overload->cpus = host_use_one_cpu();
    if (!overload->cpus.changed) {
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(overload->busy); i++) {
        overload->busy[i] = fork();
        g_assert_cmpint(overload->busy[i], >=, 0);
        if (!overload->busy[i]) {
            prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            while (getppid() == parent) {
                continue;
            }
            _exit(EXIT_SUCCESS);
        }
    }
    return true;
}

static void overload_stop(Overload *overload)
{
    for (unsigned i = 0; i < ARRAY_SIZE(overload->busy); i++) {
        kill(overload->busy[i], SIGKILL);
        waitpid(overload->busy[i], NULL, 0);
    }
    host_use_all_cpus(&overload->cpus);
}

/* Stolen time is positive, and at most the time between two counter reads. */
static void check_stolen(const Vm *vm, unsigned vcpu, uint64_t stolen_ns,
                         unsigned since, unsigned until)
{
    struct CallResult begin = vm_result(vm, vcpu, since);
    struct CallResult end = vm_result(vm, vcpu, until);
    double passed_ns = (end.x[0] - begin.x[0]) * 1e9 / begin.x[2];

    g_assert_cmpuint(stolen_ns, >, 0);
    g_assert_cmpfloat(stolen_ns, <=, passed_ns);
}

/*
 * On an overloaded host CPU each vCPU's stolen time grows, from PV_TIME_ST on,
 * and never falls.
 */
static void test_pv_time_overload(const void *opaque)
{
    /* Many updates of a record: the test waits for their sum. */
    const uint64_t target_ns = 400 * 1000 * 1000;
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(c->vcpus);
    g_autoptr(Vm) vm = NULL;
    Overload overload;
    RecordSteps record[8];
    unsigned before, st, first, after_first, last, after_last;

    if (case_missing(&c->setup)) {
        return;
    }
    if (!host_counts_run_delay()) {
        g_test_skip("this host's kernel does not say how long a thread waits "
                    "for a CPU: it has no CONFIG_SCHED_INFO");
        return;
    }
    calls_start_all(calls);
    calls_add(calls, calls->all, CALL_WAIT, 20 * TICKS, 0, 0, 0);
    before = calls_add(calls, calls->all, CALL_COUNTERS, 0, 0, 0, 0);
    st = calls_call(calls, PV_TIME_ST);
    first = calls_add(calls, calls->all, CALL_AWAIT, 8, 1, 0, 0);
    calls_step(calls)->base = 1 + st;
    after_first = calls_add(calls, calls->all, CALL_COUNTERS, 0, 0, 0, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(record); i++) {
        record[i] = add_read_record(calls, calls->all, st);
        calls_add(calls, calls->all, CALL_WAIT, TICKS, 0, 0, 0);
    }
    last = calls_add(calls, calls->all, CALL_AWAIT, 8, target_ns, 0, 0);
    calls_step(calls)->base = 1 + st;
    after_last = calls_add(calls, calls->all, CALL_COUNTERS, 0, 0, 0, 0);
    /* Keeps all vCPUs busy to the end: a halted vCPU has no stolen time. */
    calls_barrier(calls, calls->all);

    if (!overload_start(&overload)) {
        g_test_skip("this process may not choose its CPUs");
        return;
    }
    vm = vm_start(&c->setup, calls);
    vm_wait(vm, 1);
    overload_stop(&overload);
    vm_check_started(vm, calls);
    for (unsigned vcpu = 0; vcpu < c->vcpus; vcpu++) {
        uint64_t stolen = vm_result(vm, vcpu, first).x[0];

        g_assert_cmpuint(vm_result(vm, vcpu, first).state, ==, CALL_DONE);
        check_stolen(vm, vcpu, stolen, before, after_first);
        for (unsigned i = 0; i < ARRAY_SIZE(record); i++) {
            uint64_t now = check_record(vm, vcpu, &record[i]);

            g_assert_cmpuint(now, >=, stolen);
            stolen = now;
        }
        g_assert_cmpuint(vm_result(vm, vcpu, last).state, ==, CALL_DONE);
        g_assert_cmpuint(vm_result(vm, vcpu, last).x[0], >=, stolen);
        g_assert_cmpuint(vm_result(vm, vcpu, last).x[0], >=, target_ns);
        check_stolen(vm, vcpu, vm_result(vm, vcpu, last).x[0], before,
                     after_last);
    }
}

/* Wall clock and counters of later PTP calls are not earlier. */
static void test_ptp_forward(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    uint64_t last[2] = { }, wall_last = 0;

    if (case_missing(&c->setup)) {
        return;
    }
    for (unsigned i = 0; i < 200; i++) {
        calls_call(calls, PTP_CALL, i & 1);
    }
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < 200; i++) {
        struct CallResult result = vm_result(vm, 0, i);
        uint64_t counter = result.x[2] << 32 | result.x[3];
        uint64_t wall = result.x[0] << 32 | result.x[1];

        g_assert_cmpuint(counter, >=, last[i & 1]);
        last[i & 1] = counter;
        g_assert_cmpuint(wall, >=, wall_last);
        wall_last = wall;
    }
    g_assert_cmpuint(last[0], >, 0);
    g_assert_cmpuint(wall_last, <=, vm->done_ns);
}

/* Of times in nanoseconds, not all are whole microseconds. */
static bool has_nanoseconds(const Vm *vm, unsigned calls)
{
    for (unsigned i = 0; i < calls; i++) {
        struct CallResult result = vm_result(vm, 0, i);

        if ((result.x[0] << 32 | result.x[1]) % 1000) {
            return true;
        }
    }
    return false;
}

static void test_ptp_resolution(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    struct timespec resolution;

    if (case_missing(&c->setup)) {
        return;
    }
    if (clock_getres(CLOCK_REALTIME, &resolution) || resolution.tv_sec ||
        resolution.tv_nsec >= 1000) {
        g_test_skip("this host's clock does not count nanoseconds");
        return;
    }
    for (unsigned i = 0; i < 64; i++) {
        calls_call(calls, PTP_CALL, i & 1);
    }
    vm = vm_run(&c->setup, calls);
    g_assert_true(has_nanoseconds(vm, 64));
}

void guest_service_tests(void)
{
    const Case c = { .setup = { .services = "linux-6.12" } };
    Case mode = c;

    case_add(test_trng_bits, &c, "trng/every-bit-is-random");
    case_add(test_seed, &c, "trng/seed");
    case_add(test_replay, &c, "record-and-replay");
    case_add(test_ptp_forward, &c, "ptp/never-goes-back");
    case_add(test_ptp_resolution, &c, "ptp/resolution");
    case_add(test_pv_time_cpu_off, &c, "pv-time/cpu-off-and-on");
    for (unsigned i = 0; i < case_modes_count; i++) {
        mode.setup.accel = case_modes[i].accel;
        mode.setup.extra = case_modes[i].extra;
        mode.vcpus = case_modes[i].vcpus;
        case_add(test_pv_time_record, &mode, "pv-time/record/%s",
                 case_modes[i].name);
        if (!case_modes[i].extra && case_modes[i].vcpus == 2) {
            case_add(test_pv_time_overload, &mode, "pv-time/overload/%s",
                     case_modes[i].name);
        }
    }
    mode.setup.accel = NULL;
    mode.setup.extra = "-icount shift=auto";
    case_add(test_pv_time_icount, &mode, "pv-time/zero-under-icount/auto");
    mode.setup.extra = "-icount shift=0";
    case_add(test_pv_time_icount, &mode, "pv-time/zero-under-icount/0");
}
