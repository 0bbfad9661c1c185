/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Work: what a guest does and must go on with
 *
 * Timers whose interrupts come, a PMU that counts, stolen time that does not
 * run backwards, a physical counter that does not fall behind the virtual one.
 */

#include "guest.h"

#define GICD_BASE    0x08000000
#define GICD_CTLR    GICD_BASE
#define GICD_IIDR    (GICD_BASE + 0x8)
#define GICD_ENABLER (GICD_BASE + 0x100)
#define GICC_CTLR    0x08010000
#define GICC_PMR     0x08010004
#define GICC_IAR     0x0801000c
#define GICC_EOIR    0x08010010
#define GICR_SGI(vcpu) (0x080b0000 + 0x20000 * (uintptr_t)(vcpu))
#define GICR_GROUPS  0x80
#define GICR_ENABLER 0x100

#define VIRTUAL_TIMER_PPI  27
#define PHYSICAL_TIMER_PPI 30
#define NO_INTERRUPT       1020

#define PV_TIME_FEATURES 0xc5000020
#define PV_TIME_ST       0xc5000021

/* Seconds that an interrupt may take to come */
#define PATIENCE 5

/* --- interrupts --- */

/**
 * Interrupts: what a vCPU has taken
 * @virtual_timer: how often
 * @physical_timer: how often
 */
static struct {
    uint32_t virtual_timer;
    uint32_t physical_timer;
} taken[CALLS_VCPUS];

static bool gicv3;
/* Linux 6.18 does not end a WFI for a timer where the GIC is QEMU's. */
static bool stays_awake;

#define QEMU_IIDR 0x43b

static uint32_t acknowledge(void)
{
    uint64_t id;

    if (!gicv3) {
        return read32(GICC_IAR) & 1023;
    }
    asm volatile("mrs %0, s3_0_c12_c12_0\n\tdsb sy" : "=r" (id) : : "memory");
    return id & 0xffffff;
}

static void end_interrupt(uint32_t id)
{
    if (gicv3) {
        asm volatile("msr s3_0_c12_c12_1, %0\n\tisb"
                     : : "r" ((uint64_t)id) : "memory");
    } else {
        write32(GICC_EOIR, id);
    }
}

static void enable_interrupts(uint32_t vcpu)
{
    const uint32_t timers = 1u << VIRTUAL_TIMER_PPI |
                            1u << PHYSICAL_TIMER_PPI;

    if (gicv3) {
        write32(GICD_CTLR, 2);
        write32(GICR_SGI(vcpu) + GICR_GROUPS, ~0u);
        write32(GICR_SGI(vcpu) + GICR_ENABLER, timers);
        /* ICC_PMR_EL1: any priority; ICC_IGRPEN1_EL1 */
        asm volatile("msr s3_0_c4_c6_0, %0\n\t"
                     "msr s3_0_c12_c12_7, %1\n\t"
                     "isb" : : "r" (0xffull), "r" (1ull));
    } else {
        write32(GICD_CTLR, 1);
        write32(GICD_ENABLER, timers);
        write32(GICC_PMR, 0xff);
        write32(GICC_CTLR, 1);
    }
}

/* Ticks of the physical timer; 0: off */
static void set_physical_timer(uint64_t ticks)
{
    asm volatile("msr cntp_tval_el0, %0\n\t"
                 "msr cntp_ctl_el0, %1\n\t"
                 "isb" : : "r" (ticks), "r" ((uint64_t)(ticks != 0))
                 : "memory");
}

static uint64_t period(void)
{
    return counter_frequency() / 100;
}

static void take_interrupts(uint32_t vcpu)
{
    for (;;) {
        uint32_t id = acknowledge();

        if (id >= NO_INTERRUPT) {
            return;
        }
        if (id == VIRTUAL_TIMER_PPI) {
            taken[vcpu].virtual_timer++;
            set_virtual_timer(0);
        } else if (id == PHYSICAL_TIMER_PPI) {
            taken[vcpu].physical_timer++;
            set_physical_timer(period());
        }
        end_interrupt(id);
    }
}

void doze(uint32_t vcpu)
{
    uint64_t end = virtual_counter() + period();

    set_virtual_timer(period());
    if (stays_awake) {
        while (virtual_counter() < end) {
            yield();
        }
    } else {
        wfi();
    }
    take_interrupts(vcpu);
}

static uint64_t patience_ends(void)
{
    return virtual_counter() + (uint64_t)PATIENCE * counter_frequency();
}

/* Whether a count grows, within our patience by the virtual counter */
static bool grows(uint32_t vcpu, const uint32_t *count)
{
    uint32_t before = read32((uintptr_t)count);
    uint64_t end = patience_ends();
    uint64_t now;

    /* No WFI: the interrupt that would end it may be the one that is lost. */
    set_virtual_timer(period());
    do {
        for (uint32_t i = 0; i < 1000; i++) {
            yield();
        }
        /* A host may take its time: what came until then has come. */
        now = virtual_counter();
        take_interrupts(vcpu);
    } while (read32((uintptr_t)count) == before && now < end);
    return read32((uintptr_t)count) != before;
}

/* --- counters and stolen time --- */

/* Physical minus virtual counter, when the work began */
static uint64_t counter_distance;

static uint64_t distance(void)
{
    return physical_counter() - virtual_counter();
}

static uint64_t pv_time;
static uint64_t stolen;

static void start_stolen_time(uint32_t vcpu)
{
    if (!call(vcpu, PV_TIME_FEATURES, PV_TIME_ST, 0, 0)[0]) {
        pv_time = call(vcpu, PV_TIME_ST, 0, 0, 0)[0];
    }
    stolen = 0;
}

static void report_stolen_time(uint32_t vcpu)
{
    uint64_t now;

    if (!pv_time) {
        return;
    }
    emit_value(vcpu, "PV_TIME_ST", pv_time);
    emit_value(vcpu, "PV_TIME_REVISION", read64(pv_time));
    now = read64(pv_time + 8);
    emit_value(vcpu, "PV_TIME_BACKWARDS", now < stolen);
    stolen = now;
}

/* --- all of it --- */

READER(pmccntr, "pmccntr_el0")

static bool pmu_counts(void)
{
    uint64_t before = read_pmccntr();
    uint64_t end = patience_ends();

    /* On a busy host, its counters may be with others for a while. */
    while (read_pmccntr() == before && virtual_counter() < end) {
        yield();
    }
    return read_pmccntr() != before;
}

/* Whether vCPU 0 has started its physical timer */
static bool physical_timer;

void start_physical_timer(void)
{
    physical_timer = true;
    set_physical_timer(period());
}

void start_work(uint32_t vcpu)
{
    gicv3 = has_gicv3(vcpu);
    stays_awake = read32(GICD_IIDR) == QEMU_IIDR;
    enable_interrupts(vcpu);
    if (!vcpu) {
        start_stolen_time(vcpu);
        counter_distance = distance();
        physical_timer = false;
    }
}

void report_work(uint32_t vcpu)
{
    int64_t moved = distance() - counter_distance;

    emit_value(vcpu, "WORK_VIRTUAL_TIMER",
               grows(vcpu, &taken[vcpu].virtual_timer));
    if (!vcpu && physical_timer) {
        emit_value(vcpu, "WORK_PHYSICAL_TIMER",
                   grows(vcpu, &taken[vcpu].physical_timer));
    }
    if (has_pmu()) {
        emit_value(vcpu, "WORK_PMU_COUNTS", pmu_counts());
    }
    if (!vcpu) {
        /* Forwards is no matter: the virtual one stops with the VM. */
        emit_value(vcpu, "WORK_PHYSICAL_COUNTER_BACK",
                   moved < -(int64_t)counter_frequency());
        report_stolen_time(vcpu);
    }
}
