/*
 * The call engine: what C cannot say, in AArch64 and in AArch32
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef HVC_GUEST_ARCH_H
#define HVC_GUEST_ARCH_H

#include <stdbool.h>
#include <stdint.h>

/* QEMU runs another vCPU of its thread at a yield. */
#define yield() asm volatile("yield" : : : "memory")
#define wfi()   asm volatile("dsb sy\n\twfi" : : : "memory")
#define dmb()   asm volatile("dmb sy" : : : "memory")

#ifdef HVC_GUEST_A64

#define ARCH_64BIT true

static inline uint32_t exception_level(void)
{
    uint64_t value;

    asm volatile("mrs %0, CurrentEL" : "=r" (value));
    return value >> 2;
}

static inline uint64_t virtual_counter(void)
{
    uint64_t value;

    asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r" (value) : : "memory");
    return value;
}

static inline uint64_t physical_counter(void)
{
    uint64_t value;

    asm volatile("isb\n\tmrs %0, cntpct_el0" : "=r" (value) : : "memory");
    return value;
}

static inline uint32_t counter_frequency(void)
{
    uint64_t value;

    asm volatile("mrs %0, cntfrq_el0" : "=r" (value));
    return value;
}

static inline void set_virtual_timer(uint32_t ticks)
{
    asm volatile("msr cntv_tval_el0, %0\n\t"
                 "msr cntv_ctl_el0, %1\n\t"
                 "isb"
                 : : "r" ((uint64_t)ticks), "r" ((uint64_t)(ticks != 0))
                 : "memory");
}

/* One access, as the host changes what is read. */
static inline uint64_t read64(uint64_t address)
{
    uint64_t value;

    asm volatile("ldr %0, [%1]" : "=r" (value) : "r" (address) : "memory");
    return value;
}

static inline void write64(uint64_t address, uint64_t value)
{
    asm volatile("str %0, [%1]" : : "r" (value), "r" (address) : "memory");
}

static inline uint32_t read32(uintptr_t address)
{
    uint32_t value;

    asm volatile("ldr %w0, [%1]" : "=r" (value) : "r" (address) : "memory");
    return value;
}

static inline void write32(uintptr_t address, uint32_t value)
{
    asm volatile("str %w0, [%1]" : : "r" (value), "r" (address) : "memory");
}

#else

#define ARCH_64BIT false

static inline uint32_t exception_level(void)
{
    return 1;
}

static inline uint64_t virtual_counter(void)
{
    uint64_t value;

    asm volatile("isb\n\tmrrc p15, 1, %Q0, %R0, c14"
                 : "=r" (value) : : "memory");
    return value;
}

static inline uint64_t physical_counter(void)
{
    uint64_t value;

    asm volatile("isb\n\tmrrc p15, 0, %Q0, %R0, c14"
                 : "=r" (value) : : "memory");
    return value;
}

static inline uint32_t counter_frequency(void)
{
    uint32_t value;

    asm volatile("mrc p15, 0, %0, c14, c0, 0" : "=r" (value));
    return value;
}

static inline void set_virtual_timer(uint32_t ticks)
{
    asm volatile("mcr p15, 0, %0, c14, c3, 0\n\t"
                 "mcr p15, 0, %1, c14, c3, 1\n\t"
                 "isb"
                 : : "r" (ticks), "r" (ticks != 0) : "memory");
}

static inline uint64_t read64(uint64_t address)
{
    uint64_t value;

    asm volatile("ldrd %Q0, %R0, [%1]"
                 : "=r" (value) : "r" ((uint32_t)address) : "memory");
    return value;
}

static inline void write64(uint64_t address, uint64_t value)
{
    asm volatile("strd %Q0, %R0, [%1]"
                 : : "r" (value), "r" ((uint32_t)address) : "memory");
}

static inline uint32_t read32(uintptr_t address)
{
    uint32_t value;

    asm volatile("ldr %0, [%1]" : "=r" (value) : "r" (address) : "memory");
    return value;
}

static inline void write32(uintptr_t address, uint32_t value)
{
    asm volatile("str %0, [%1]" : : "r" (value), "r" (address) : "memory");
}

#endif
#endif
