/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The lab's bare-metal guest: on request, it tells all that it can find out
 * about its machine, and whether its work goes on. It shares start, exceptions
 * and calls with the engine of tests-qtest/hvc/guest.
 *
 * What it reads from its UART:
 *   r  report: each vCPU leaves lines NAME=HEX in memory, at CALLS_REPORT + 4
 *      + REPORT_SIZE * its number; then the guest prints "REPORT SIZE...", one
 *      size per vCPU, 0 for one that is off.
 *   c  cycle: every secondary vCPU goes off and on again; then "CYCLED".
 *   o  off: the last vCPU goes off, and stays off; then "OFF".
 *   n  on: it goes on again; then "ON".
 *   p  physical timer: vCPU 0 uses it from now on; then "TIMER".
 *   f  flood: "FLOOD"; then all vCPUs make calls whenever they have nothing
 *      else to do.
 *   e  end of it: "CALM CALLS... WRONG", one number of calls per vCPU, and how
 *      many answers were wrong.
 *   s  share: "SHARING"; then all vCPUs share pages of their own, write them
 *      and take them back whenever they have nothing else to do.
 *   k  keep: the end of it, until the next "s"; then "KEPT SIZE", of vCPU 0's
 *      report, which has the pages of all.
 *   d  disk: read it with buffers that are shared, and that are not; then
 *      "DISK SIZE", of vCPU 0's report.
 *   m  memory: share a page of a DIMM; then "DIMM SIZE", the same.
 *   j  eject the DIMM; then "EJECTED".
 *   h  hibernate: SYSTEM_OFF2. The machine stops; else "AWAKE".
 *   x  calls at random, whose report is vCPU 0's; then "HOSTILE SIZE".
 *   t  calls are timed, the same; then "TIMES SIZE".
 * After each boot it prints "BOOT CPUS". All numbers are hexadecimal.
 */

#include "guest.h"

#define UART_DR      0x09000000
#define UART_FR      0x09000018
#define UART_CR      0x09000030
#define UART_EMPTY   (1u << 4)
#define UART_ENABLE  0x301

#define PSCI_CPU_OFF        0x84000002
#define PSCI_CPU_ON         0xc4000003
#define PSCI_AFFINITY_INFO  0xc4000004
#define AFFINITY_OFF        1
#define PSCI_SYSTEM_OFF2    0xc4000015
#define HIBERNATE_OFF       1

/* start-a64.S */
struct Vcpu vcpus[CALLS_VCPUS];
uint8_t stacks[CALLS_VCPUS][STACK_SIZE] __attribute__((aligned(16)));
uint32_t started_at_el2;

/* What a vCPU is told, and how far it is. No cache, so no stale copies. */
struct Slot {
    uint32_t alive;     /* how often it started */
    uint32_t wanted;    /* the report that it is to make */
    uint32_t reported;  /* the last one that it made */
    uint32_t rests;     /* how often it had nothing else to do */
    uint32_t go_off;
};

static struct Slot slots[CALLS_VCPUS];
static uint32_t online;

/* --- output: a file is behind the UART, and never full --- */

static void print(const char *text)
{
    while (*text) {
        write32(UART_DR, *text++);
    }
}

static void print_value(uint64_t value)
{
    char buffer[17];

    print(" ");
    print(hex(buffer, value));
}

/* --- reports --- */

static uint64_t own_mpidr(void)
{
    uint64_t value;

    asm volatile("mrs %0, mpidr_el1" : "=r" (value));
    return value & 0xff00ffffff;
}

static void make_report(uint32_t vcpu)
{
    clear_report(vcpu);
    emit_value(vcpu, "MPIDR", own_mpidr());
    look(vcpu);
    report_state(vcpu);
    report_work(vcpu);
}

static uint32_t load(const uint32_t *word)
{
    return read32((uintptr_t)word);
}

static void store(uint32_t *word, uint32_t value)
{
    dmb();
    write32((uintptr_t)word, value);
    dmb();
}

/* Waits until the word is at least @value. The one who asked is patient. */
static void await(const uint32_t *word, uint32_t value)
{
    while (load(word) < value) {
        doze(0);
    }
}

static bool is_off(uint32_t vcpu)
{
    return call(0, PSCI_AFFINITY_INFO, vcpu, 0, 0)[0] == AFFINITY_OFF;
}

static void report_all(void)
{
    make_report(0);
    for (uint32_t i = 1; i < online; i++) {
        clear_report(i);
        if (!is_off(i)) {
            store(&slots[i].wanted, load(&slots[i].wanted) + 1);
            await(&slots[i].reported, load(&slots[i].wanted));
        }
    }
    print("REPORT");
    for (uint32_t i = 0; i < online; i++) {
        print_value(report_size(i));
    }
    print("\n");
}

/* --- vCPUs --- */

/* As KVM numbers them, up to 16 */
static bool cpu_on(uint32_t vcpu)
{
    return !call(0, PSCI_CPU_ON, vcpu, (uintptr_t)secondary,
                 CALLS_CONTEXT | vcpu)[0];
}

static void start_secondaries(void)
{
    for (online = 1; online < CALLS_VCPUS && cpu_on(online); online++) {
        await(&slots[online].alive, 1);
    }
}

static void switch_off(uint32_t vcpu)
{
    store(&slots[vcpu].go_off, 1);
    while (!is_off(vcpu)) {
        doze(0);
    }
    store(&slots[vcpu].go_off, 0);
}

static void switch_on(uint32_t vcpu)
{
    uint32_t lives = load(&slots[vcpu].alive);

    if (!cpu_on(vcpu)) {
        print("CPU_ON refused\n");
        return;
    }
    await(&slots[vcpu].alive, lives + 1);
}

static void cycle_secondaries(void)
{
    for (uint32_t i = 1; i < online; i++) {
        switch_off(i);
        switch_on(i);
    }
    print("CYCLED\n");
}

static void last_off(void)
{
    if (online > 1) {
        switch_off(online - 1);
    }
    print("OFF\n");
}

static void last_on(void)
{
    if (online > 1) {
        switch_on(online - 1);
    }
    print("ON\n");
}

static void use_physical_timer(void)
{
    start_physical_timer();
    print("TIMER\n");
}

/* Whether there is a flood */
static uint32_t flooding;

static void begin_flood(void)
{
    prepare_flood();
    print("FLOOD\n");
    store(&flooding, 1);
}

static void end_flood(void)
{
    uint32_t wrong = 0;

    store(&flooding, 0);
    print("CALM");
    for (uint32_t i = 0; i < online; i++) {
        print_value(flood_calls(i));
        wrong += flood_wrong(i);
    }
    print_value(wrong);
    print("\n");
}

/* Whether pages are being shared */
static uint32_t sharing;

static void begin_sharing(void)
{
    prepare_pages();
    print("SHARING\n");
    store(&sharing, 1);
}

static void end_sharing(void)
{
    store(&sharing, 0);
    for (uint32_t i = 1; i < online; i++) {
        if (!is_off(i)) {
            await(&slots[i].rests, load(&slots[i].rests) + 1);
        }
    }
}

static void rest(uint32_t vcpu)
{
    if (load(&flooding)) {
        flood(vcpu);
    } else if (load(&sharing)) {
        share_pages(vcpu);
    } else {
        doze(vcpu);
    }
    store(&slots[vcpu].rests, slots[vcpu].rests + 1);
}

static void hibernate(void)
{
    call(0, PSCI_SYSTEM_OFF2, HIBERNATE_OFF, 0, 0);
    print("AWAKE\n");
}

/* A report of vCPU 0 alone */
static void report_by(void (*make)(void), const char *name)
{
    clear_report(0);
    make();
    print(name);
    print_value(report_size(0));
    print("\n");
}

static void make_hostile_calls(void)
{
    report_by(report_hostile, "HOSTILE");
}

static void keep_pages(void)
{
    end_sharing();
    report_by(report_pages, "KEPT");
}

static void use_disk(void)
{
    report_by(report_disk, "DISK");
}

static void share_dimm(void)
{
    report_by(report_dimm, "DIMM");
}

static void eject(void)
{
    eject_dimm();
    print("EJECTED\n");
}

static void time_calls(void)
{
    report_by(report_times, "TIMES");
}

static void be_secondary(uint32_t vcpu)
{
    struct Slot *slot = &slots[vcpu];

    fill_state(vcpu);
    start_work(vcpu);
    store(&slot->alive, slot->alive + 1);
    for (;;) {
        uint32_t wanted = load(&slot->wanted);

        if (wanted != slot->reported) {
            make_report(vcpu);
            store(&slot->reported, wanted);
        }
        if (load(&slot->go_off)) {
            call(vcpu, PSCI_CPU_OFF, 0, 0, 0);
        }
        rest(vcpu);
    }
}

static const struct {
    char name;
    void (*function)(void);
} commands[] = {
    { 'r', report_all },
    { 'c', cycle_secondaries },
    { 'o', last_off },
    { 'n', last_on },
    { 'p', use_physical_timer },
    { 'f', begin_flood },
    { 'e', end_flood },
    { 's', begin_sharing },
    { 'k', keep_pages },
    { 'd', use_disk },
    { 'm', share_dimm },
    { 'j', eject },
    { 'h', hibernate },
    { 'x', make_hostile_calls },
    { 't', time_calls },
};

/* What QEMU leaves in SIMD and SVE registers shows when there is a command. */
static void obey(char name)
{
    check_state();
    for (uint32_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (commands[i].name == name) {
            commands[i].function();
        }
    }
    hold_state();
}

/* QEMU's loader leaves .bss as it was at a reset. */
static void forget(void)
{
    store(&flooding, 0);
    store(&sharing, 0);
    for (uint32_t i = 0; i < CALLS_VCPUS; i++) {
        store(&slots[i].alive, 0);
        store(&slots[i].wanted, 0);
        store(&slots[i].reported, 0);
        store(&slots[i].rests, 0);
        store(&slots[i].go_off, 0);
    }
    forget_pages();
}

/**
 * engine: what start-a64.S calls on every vCPU, with a stack of its own
 * @context: 0 on the first vCPU, else what CPU_ON was given
 */
void engine(uint64_t context)
{
    if (context) {
        be_secondary(context & (CALLS_VCPUS - 1));
    }
    forget();
    prepare_look();
    fill_state(0);
    start_work(0);
    write32(UART_CR, UART_ENABLE);
    start_secondaries();
    print("BOOT");
    print_value(online);
    print("\n");
    hold_state();
    for (;;) {
        if (!(read32(UART_FR) & UART_EMPTY)) {
            obey(read32(UART_DR));
        }
        rest(0);
    }
}
