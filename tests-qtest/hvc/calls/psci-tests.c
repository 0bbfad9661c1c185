/*
 * Tests of PSCI calls that change the state of a vCPU or of the machine
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "case.h"

/* PSCI: vCPUs */

/*
 * vCPU 1 switches itself off, and is switched on again, three times. When
 * CPU_ON returns, AFFINITY_INFO has to say ON, as KVM changes a vCPU's state
 * within CPU_ON.
 */
static void test_cpu_off_on(const void *opaque)
{
    const Case *c = opaque;
    uint32_t cpu_on = c->setup.aarch32 ? CPU_ON_32 : CPU_ON_64;
    uint32_t info = c->setup.aarch32 ? AFFINITY_INFO_32 : AFFINITY_INFO_64;
    uint64_t upper = c->setup.aarch32 ? 0
                                      : (uint64_t)CALLS_CONTEXT_UPPER << 32;
    g_autoptr(Calls) calls = calls_new(2);
    g_autoptr(Vm) vm = NULL;
    struct {
        unsigned off, poll, level, on, again, on_now, after;
    } round[3];

    if (case_missing(&c->setup)) {
        return;
    }
    calls_start_all(calls);
    for (unsigned i = 0; i < ARRAY_SIZE(round); i++) {
        round[i].off = calls_add(calls, VCPU(1), CALL_PLAIN, CPU_OFF, 0, 0, 0);
        round[i].poll = calls_add(calls, VCPU(0), CALL_POLL, info, 1, 0, 0);
        calls_step(calls)->x[7] = AFFINITY_OFF;
        round[i].level = calls_add(calls, VCPU(0), CALL_PLAIN, info, 1, 1, 0);
        round[i].on = calls_add(calls, VCPU(0), CALL_CPU_ON, cpu_on, 1, 0, 0);
        calls_step(calls)->x[4] = 1;
        calls_step(calls)->x[5] = round[i].on + 3;
        /* With the same context, so that a second start would be harmless */
        round[i].again = calls_add(calls, VCPU(0), CALL_CPU_ON, cpu_on, 1,
                                   0, 0);
        calls_step(calls)->x[4] = 1;
        calls_step(calls)->x[5] = round[i].on + 3;
        round[i].on_now = calls_add(calls, VCPU(0), CALL_PLAIN, info, 1, 0, 0);
        g_assert_cmpuint(round[i].on_now, ==, round[i].on + 2);
        calls_barrier(calls, calls->all);
        round[i].after = calls_call(calls, PSCI_VERSION);
    }
    calls_barrier(calls, calls->all);
    vm = vm_start(&c->setup, calls);
    vm_wait(vm, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(round); i++) {
        g_assert_cmpuint(vm_result(vm, 1, round[i].off).state, ==,
                         CALL_NOT_RUN);
        vm_expect(vm, 0, round[i].poll, AFFINITY_OFF, 0, 0, 0);
        vm_expect(vm, 0, round[i].level, AFFINITY_ON, 0, 0, 0);
        vm_expect(vm, 0, round[i].on, 0, 0, 0, 0);
        vm_expect(vm, 0, round[i].again, ALREADY_ON, 0, 0, 0);
        vm_expect(vm, 0, round[i].on_now, AFFINITY_ON, 0, 0, 0);
        vm_expect(vm, 1, round[i].after, PSCI(1, 1), 0, 0, 0);
    }
    g_assert_cmphex(le64_to_cpu(vm->report->context[1]), ==,
                    upper | CALLS_CONTEXT | (round[2].on + 3) << 4 | 1);
}

/* Two vCPUs start a third at the same time: one of them is too late. */
static void test_cpu_on_race(const void *opaque)
{
    const Case *c = opaque;
    const uint32_t racers = VCPU(0) | VCPU(1);
    g_autoptr(Calls) calls = calls_new(3);
    g_autoptr(Vm) vm = NULL;
    unsigned race[20], end;

    if (case_missing(&c->setup)) {
        return;
    }
    calls_add(calls, VCPU(0), CALL_CPU_ON, CPU_ON_64, 1, 0, 0);
    calls_step(calls)->x[4] = 1;
    calls_step(calls)->x[5] = 1;
    for (unsigned i = 0; i < ARRAY_SIZE(race); i++) {
        calls_barrier(calls, racers);
        race[i] = calls_add(calls, racers, CALL_CPU_ON, CPU_ON_64, 2, 0, 0);
        calls_step(calls)->x[4] = 2;
        calls_step(calls)->x[5] = race[i] + 1;
        calls_barrier(calls, calls->all);
        calls_add(calls, VCPU(2), CALL_PLAIN, CPU_OFF, 0, 0, 0);
        calls_add(calls, racers, CALL_POLL, AFFINITY_INFO_64, 2, 0, 0);
        calls_step(calls)->x[7] = AFFINITY_OFF;
    }
    end = calls->steps->len;
    calls_barrier(calls, racers);
    vm = vm_start(&c->setup, calls);
    vm_wait(vm, 1);
    g_assert_cmpuint(vm_result(vm, 0, end).state, ==, CALL_DONE);
    for (unsigned i = 0; i < ARRAY_SIZE(race); i++) {
        unsigned winner = vm_result(vm, 0, race[i]).x[0] == 0 ? 0 : 1;

        vm_expect(vm, winner, race[i], 0, 0, 0, 0);
        vm_expect(vm, !winner, race[i], ALREADY_ON, 0, 0, 0);
    }
}

/* CPU_ON takes any entry address; QEMU must survive what the vCPU does. */
static void test_cpu_on_hostile(const void *opaque)
{
    static const uint64_t entries[] = {
        0, 0x09000000, 0x08000000, 0x0f000000, 0x3ffffffc, 0xfffffffffffffffc,
        0x8000000000000000, 0x43fffffc,
    };
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(8);
    g_autoptr(Vm) vm = NULL;
    unsigned last;

    if (case_missing(&c->setup)) {
        return;
    }
    for (unsigned i = 1; i < 8; i++) {
        calls_add(calls, VCPU(0), CALL_PLAIN, CPU_ON_64, i,
                  entries[i % ARRAY_SIZE(entries)], UINT64_MAX);
    }
    calls_add(calls, VCPU(0), CALL_WAIT, TICKS, 0, 0, 0);
    last = calls_add(calls, VCPU(0), CALL_PLAIN, PSCI_VERSION, 0, 0, 0);
    vm = vm_start(&c->setup, calls);
    vm_wait(vm, 1);
    for (unsigned i = 0; i < 7; i++) {
        vm_expect(vm, 0, i, 0, 0, 0, 0);
    }
    vm_expect(vm, 0, last, PSCI(1, 1), 0, 0, 0);
}

/*
 * Affinity levels: of 20 vCPUs the last four are in a cluster of their own, of
 * which only the last one is switched on. It finds its own stolen-time record.
 */
static void test_affinity_levels(const void *opaque)
{
    static const struct {
        uint64_t affinity;
        unsigned level;
        uint64_t before;
        uint64_t after;
    } asked[] = {
        { 0x000, 0, AFFINITY_ON,  AFFINITY_ON },
        { 0x001, 0, AFFINITY_OFF, AFFINITY_OFF },
        { 0x00f, 0, AFFINITY_OFF, AFFINITY_OFF },
        { 0x010, 0, INVALID,      INVALID },
        { 0x100, 0, AFFINITY_OFF, AFFINITY_OFF },
        { 0x103, 0, AFFINITY_OFF, AFFINITY_ON },
        { 0x104, 0, INVALID,      INVALID },
        { 0x001, 1, AFFINITY_ON,  AFFINITY_ON },
        { 0x100, 1, AFFINITY_OFF, AFFINITY_ON },
        { 0x1ff, 1, AFFINITY_OFF, AFFINITY_ON },
        { 0x200, 1, INVALID,      INVALID },
        { 0x100, 2, AFFINITY_ON,  AFFINITY_ON },
        { 0xffff, 2, AFFINITY_ON, AFFINITY_ON },
        { 0x10000, 2, INVALID,    INVALID },
        { 0x10000, 3, AFFINITY_ON, AFFINITY_ON },
    };
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(2);
    g_autoptr(Vm) vm = NULL;
    unsigned before, on, after, st;

    if (case_missing(&c->setup)) {
        return;
    }
    before = calls->steps->len;
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i++) {
        calls_add(calls, VCPU(0), CALL_PLAIN, AFFINITY_INFO_64,
                  asked[i].affinity, asked[i].level, 0);
    }
    on = calls_add(calls, VCPU(0), CALL_CPU_ON, CPU_ON_64, 0x103, 0, 0);
    calls_step(calls)->x[4] = 1;
    calls_step(calls)->x[5] = on + 1;
    calls_barrier(calls, calls->all);
    st = calls_call(calls, PV_TIME_ST);
    after = calls->steps->len;
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i++) {
        calls_call(calls, AFFINITY_INFO_64, asked[i].affinity,
                   asked[i].level);
    }
    calls_barrier(calls, calls->all);
    vm = vm_start(&c->setup, calls);
    vm_wait(vm, 1);
    vm_expect(vm, 0, on, 0, 0, 0, 0);
    vm_expect(vm, 0, st, RECORDS, 0, 0, 0);
    vm_expect(vm, 1, st, RECORDS + 19 * RECORD_SIZE, 0, 0, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(asked); i++) {
        vm_expect(vm, 0, before + i, asked[i].before, 0, 0, 0);
        vm_expect(vm, 0, after + i, asked[i].after, 0, 0, 0);
        vm_expect(vm, 1, after + i, asked[i].after, 0, 0, 0);
    }
}

/* CPU_SUSPEND is a WFI, whatever power state is asked for. */
static void test_cpu_suspend(const void *opaque)
{
    static const uint64_t states[] = {
        0, 0x00010000, 0x01010033, 0xfffe0000, UINT64_MAX,
    };
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(c->vcpus);
    g_autoptr(Vm) vm = NULL;
    struct {
        unsigned before, call, after;
    } wait[2 * ARRAY_SIZE(states) + 1];
    unsigned pending;

    if (case_missing(&c->setup)) {
        return;
    }
    calls_start_all(calls);
    for (unsigned i = 0; i < ARRAY_SIZE(wait); i++) {
        uint32_t id = i % 2 && !c->setup.aarch32 ? CPU_SUSPEND_64
                                                 : CPU_SUSPEND_32;

        wait[i].before = calls_add(calls, calls->all, CALL_COUNTERS,
                                   0, 0, 0, 0);
        calls_add(calls, calls->all, CALL_TIMER, TICKS, 0, 0, 0);
        if (i == 0) {
            /* WFI instead of CPU_SUSPEND: does the timer end a wait at all? */
            wait[i].call = calls_add(calls, calls->all, CALL_WFI, 0, 0, 0, 0);
        } else {
            wait[i].call = calls_call(calls, id, states[(i - 1) / 2],
                                      0x40200000, 5);
        }
        wait[i].after = calls_add(calls, calls->all, CALL_COUNTERS,
                                  0, 0, 0, 0);
    }
    /* The last timer's interrupt is still pending: no wait at all. */
    pending = calls_call(calls, CPU_SUSPEND_32);
    calls_add(calls, calls->all, CALL_TIMER, 0, 0, 0, 0);
    calls_barrier(calls, calls->all);
    vm = vm_run(&c->setup, calls);
    for (unsigned vcpu = 0; vcpu < c->vcpus; vcpu++) {
        for (unsigned i = 0; i < ARRAY_SIZE(wait); i++) {
            uint64_t before = vm_result(vm, vcpu, wait[i].before).x[0];
            uint64_t after = vm_result(vm, vcpu, wait[i].after).x[0];

            if (i) {
                vm_expect(vm, vcpu, wait[i].call, 0, 0, 0, 0);
            }
            if (after - before < TICKS) {
                vm_fail("vCPU %u, wait %u: came back after %" PRIu64
                        " ticks of %d", vcpu, i, after - before, TICKS);
            }
        }
        vm_expect(vm, vcpu, pending, 0, 0, 0, 0);
    }
}

/* PSCI: the machine */

typedef struct EventCase {
    const char *path;
    uint64_t x[3];
    bool reset;
} EventCase;

static const EventCase events[] = {
    { "system-off", { SYSTEM_OFF } },
    { "system-off2/smc32-default", { SYSTEM_OFF2_32, 0, 0 } },
    { "system-off2/smc64-hibernate", { SYSTEM_OFF2_64, 1, 0 } },
    { "system-off2/smc32-upper-words-ignored",
      { SYSTEM_OFF2_32, 0xabcd00000001, 0xabcd00000000 } },
    { "system-off2/smc64-upper-word-of-type-ignored",
      { SYSTEM_OFF2_64, 0xabcd00000001, 0 } },
    { "system-reset", { SYSTEM_RESET }, .reset = true },
    { "system-reset2/smc32-warm", { SYSTEM_RESET2_32, 0, 7 },
      .reset = true },
    { "system-reset2/smc64-vendor", { SYSTEM_RESET2_64, 0x80000000, 7 },
      .reset = true },
    { "system-reset2/smc64-upper-word-of-type-ignored",
      { SYSTEM_RESET2_64, 0xabcd00000000, 7 }, .reset = true },
    { "system-reset2/smc32-vendor-last", { SYSTEM_RESET2_32, 0xffffffff },
      .reset = true },
};

static void check_event(Vm *vm, const char *name, const char *reason)
{
    QDict *event = qtest_qmp_eventwait_ref(vm->qts, name);
    QDict *data = qdict_get_qdict(event, "data");

    g_assert_true(qdict_get_bool(data, "guest"));
    g_assert_cmpstr(qdict_get_str(data, "reason"), ==, reason);
    qobject_unref(event);
}

/*
 * vCPU 1 makes the call, which must not return, while vCPU 0 waits. After a
 * reset both find the same services.
 */
static void test_system_event(const void *opaque)
{
    const EventCase *event = opaque;
    const Setup setup = {
        .services = "linux-6.18",
        /* -S: libqtest drops events that come before it reads QMP. */
        .extra = "-no-shutdown -S",
    };
    g_autoptr(Calls) calls = calls_new(2);
    g_autoptr(Vm) vm = NULL;
    unsigned first[CASE_FAMILIES], call;

    if (case_missing(&setup)) {
        return;
    }
    calls_start_all(calls);
    calls->boot = 1;
    call = calls_add(calls, VCPU(1), CALL_PLAIN, event->x[0], event->x[1],
                     event->x[2], 0);
    calls_add(calls, VCPU(0), CALL_WAIT, INT64_MAX, 0, 0, 0);
    calls->boot = 2;
    case_add_families(calls, NULL, first);

    vm = vm_start(&setup, calls);
    qtest_qmp_assert_success(vm->qts, "{ 'execute': 'cont' }");
    if (event->reset) {
        check_event(vm, "RESET", "guest-reset");
        vm_wait(vm, 2);
        vm_check_started(vm, calls);
        case_check_families(vm, &case_offer_linux_6_18, calls, NULL, first);
        g_assert_cmpuint(le32_to_cpu(vm->report->boots), ==, 2);
    } else {
        check_event(vm, "SHUTDOWN", "guest-shutdown");
        g_assert_cmpuint(le32_to_cpu(vm->report->boots), ==, 1);
        g_assert_cmpuint(le32_to_cpu(vm->report->done), ==, 0);
    }
    vm->boot = 1;
    g_assert_cmpuint(vm_result(vm, 1, call).state, ==, CALL_NOT_RUN);
}

/* The device tree names the version that PSCI_VERSION returns. */
static void test_device_tree(const void *opaque)
{
    static const char psci_0_2[] = "arm,psci-0.2\0arm,psci";
    static const char psci_1_0[] = "arm,psci-1.0\0arm,psci-0.2\0arm,psci";
    const Case *c = opaque;
    g_autofree char *dtb = vm_scratch("dtb");
    g_autofree char *machine =
        g_strdup_printf("virt,hvc-services=%s%s%s,dumpdtb=%s",
                        c->setup.services, c->setup.psci ? ",psci-version="
                        : "", c->setup.psci ?: "", dtb);
    const char *argv[] = {
        getenv("QTEST_QEMU_BINARY"), "-machine", machine, "-accel", "tcg",
        "-cpu", "cortex-a72", "-nodefaults", "-display", "none", NULL,
    };
    g_autofree char *tree = NULL;
    g_autoptr(GError) err = NULL;
    bool has_0_2, has_1_0;
    gsize size;
    int status;

    if (!qtest_has_accel("tcg")) {
        g_test_skip("this QEMU has no TCG");
        return;
    }
    g_spawn_sync(NULL, (char **)argv, NULL,
                 G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                 NULL, NULL, &status, &err);
    g_assert_no_error(err);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    g_file_get_contents(dtb, &tree, &size, &err);
    g_assert_no_error(err);
    has_1_0 = memmem(tree, size, psci_1_0, sizeof(psci_1_0));
    has_0_2 = memmem(tree, size, psci_0_2, sizeof(psci_0_2));
    g_assert_true(has_0_2);
    g_assert_cmpint(has_1_0, ==, c->offer.psci >= PSCI(1, 0));
}

void guest_psci_tests(void)
{
    for (unsigned i = 0; i < case_modes_count; i++) {
        const Case c = {
            .setup = {
                .services = "linux-6.12", .accel = case_modes[i].accel,
                .extra = case_modes[i].extra,
            },
            .vcpus = case_modes[i].vcpus,
        };

        if (case_modes[i].vcpus <= 2) {
            case_add(test_cpu_suspend, &c, "psci/cpu-suspend/%s",
                     case_modes[i].name);
        }
        if (case_modes[i].vcpus == 2) {
            case_add(test_cpu_off_on, &c, "psci/cpu-off-and-on/%s",
                     case_modes[i].name);
            case_add(test_cpu_on_race, &c, "psci/cpu-on-race/%s",
                     case_modes[i].name);
        }
    }
    case_add(test_cpu_off_on, &(Case) {
        .setup = { .services = "linux-6.12", .aarch32 = true },
    }, "psci/cpu-off-and-on/aarch32");
    case_add(test_cpu_suspend, &(Case) {
        .setup = { .services = "linux-6.12", .aarch32 = true }, .vcpus = 2,
    }, "psci/cpu-suspend/aarch32");
    case_add(test_affinity_levels, &(Case) {
        .setup = {
            .services = "linux-6.12", .machine = ",gic-version=3",
            .extra = "-smp 20",
        },
    }, "psci/affinity-levels");
    case_add(test_cpu_on_hostile, &(Case) {
        .setup = { .services = "linux-6.12" },
    }, "psci/cpu-on-with-hostile-entry");
    for (unsigned i = 0; i < ARRAY_SIZE(events); i++) {
        g_autofree char *path = g_strdup_printf("hvc/guest/psci/%s",
                                                events[i].path);

        qtest_add_data_func(path, &events[i], test_system_event);
    }
    for (unsigned i = 0; i < case_psci_versions_count; i++) {
        case_add(test_device_tree, &(Case) {
            .setup = {
                .services = "linux-6.12", .psci = case_psci_versions[i].name,
            },
            .offer.psci = case_psci_versions[i].version,
        }, "psci/device-tree/%s", case_psci_versions[i].name);
    }
}
