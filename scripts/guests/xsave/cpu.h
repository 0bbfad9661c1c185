/*
 * MSRs, interrupts and the local APIC, for guests with more than one CPU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TESTS_QTEST_XSAVE_GUEST_CPU_H
#define TESTS_QTEST_XSAVE_GUEST_CPU_H

#include <stdint.h>
#include "layout.h"

/* Intel SDM volume 3, 11.4: the local APIC */
#define APIC            0xfee00000ull
#define APIC_EOI        0xb0
#define APIC_SPURIOUS   0xf0
#define APIC_ENABLED    0x1ff
#define APIC_ICR        0x300
#define TO_SELF         0x44000
#define TO_ALL_OTHERS   0xc4000
#define INIT            0x500
#define STARTUP         0x600

/* Of start.S */
#define CODE_SEGMENT    24

/* volatile: the CPU reads it */
typedef volatile uint32_t Register;

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr" : : "c" (msr), "a" ((uint32_t)value),
                 "d" ((uint32_t)(value >> 32)) : "memory");
}

static inline Register *apic_register(uint64_t at)
{
    return (Register *)(APIC + at);
}

/**
 * set_gate: this CPU calls a handler
 * @vector: of the exception or interrupt, 0 to 255; it is the table's last one
 * @handler: its address; it ends with IRETQ
 */
static inline void set_gate(unsigned vector, uint64_t handler)
{
    Register *gate = (Register *)(IDT + 16ull * vector);
    struct {
        uint16_t size;
        uint64_t at;
    } __attribute__((packed)) table = { 16 * vector + 15, IDT };

    gate[0] = CODE_SEGMENT << 16 | (handler & 0xffff);
    gate[1] = (handler & 0xffff0000) | 0x8e00;
    gate[2] = handler >> 32;
    gate[3] = 0;
    asm volatile("lidt %0" : : "m" (table));
}

/* The other CPUs come to main(), this one's local APIC is enabled. */
static inline void start_others(void)
{
    *apic_register(APIC_SPURIOUS) = APIC_ENABLED;
    *apic_register(APIC_ICR) = TO_ALL_OTHERS | INIT;
    for (unsigned i = 0; i < 2; i++) {
        /* No PAUSE: each may be an exit, which gives way to the other CPUs. */
        for (unsigned delay = 0; delay < 100000; delay++) {
            asm volatile("");
        }
        *apic_register(APIC_ICR) = TO_ALL_OTHERS | STARTUP | ROM >> 12;
    }
}

#endif
