/*
 * A bare-metal guest that looks after its XSAVE components
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Fills the registers of every component that it enables, each with a pattern
 * of its own, and from then on compares them, bit by bit, for ever. Compiled
 * so that the compiler itself uses none of these registers.
 */

#include <stdint.h>
#include "layout.h"

#define CPUID_1_ECX_XSAVE  (1u << 26)
#define CPUID_7_ECX_PKU    (1u << 3)
#define CR4_OSFXSR         (1ull << 9)
#define CR4_OSXSAVE        (1ull << 18)
#define CR4_PKE            (1ull << 22)

#define X87       0
#define BNDREGS   3
#define BNDCSR    4
#define PKRU      9
#define COMPONENTS 63
#define HEADER    512
#define AREA_SIZE 0x4000

/**
 * Parameters: what the test wants; it writes them before the VM starts
 * @xcr0: components that the guest may enable, among those it has
 * @pke: not 0 to switch protection keys on, if there are any
 */
typedef struct Parameters {
    uint64_t xcr0;
    uint64_t pke;
} Parameters;

/**
 * Results: what the test reads
 * @filled: 1 when all registers have their patterns
 * @xcr0: what was enabled; 0 if the guest has no XSAVE
 * @rounds: how often all registers were compared
 * @errors: differing bytes
 * @bad_offset: where in the XSAVE area the first one was
 * @bad_value: what was there
 * @pkru: its value, by RDPKRU, if protection keys are on
 */
typedef struct Results {
    uint64_t filled;
    uint64_t xcr0;
    uint64_t rounds;
    uint64_t errors;
    uint64_t bad_offset;
    uint64_t bad_value;
    uint64_t pkru;
} Results;

typedef struct Cpuid {
    uint32_t eax, ebx, ecx, edx;
} Cpuid;

/* volatile: the test reads and writes them while the guest runs */
#define parameters ((volatile Parameters *)PARAMETERS)
#define results    ((volatile Results *)RESULTS) /* as above */

static Cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    Cpuid r;

    asm volatile("cpuid" : "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx),
                 "=d" (r.edx) : "a" (leaf), "c" (subleaf));
    return r;
}

static void set_cr4(uint64_t bits)
{
    uint64_t cr4;

    asm volatile("mov %%cr4, %0" : "=r" (cr4));
    asm volatile("mov %0, %%cr4" : : "r" (cr4 | bits));
}

static void clear(uint8_t *area)
{
    for (unsigned i = 0; i < AREA_SIZE; i++) {
        area[i] = 0;
    }
}

/* Not 0 and not 0xff, and each 16-byte register different from the next */
static uint8_t pattern(unsigned offset)
{
    return 1 + (offset * 37 + (offset >> 4) * 11) % 253;
}

/* Does the byte hold what a program has put there? */
static int is_content(unsigned component, unsigned at)
{
    switch (component) {
    case X87:
        /* FCW, FSW, FTW; MXCSR; ten bytes of each register; XMM registers */
        return at < 5 || (at >= 24 && at < 28) ||
               (at >= 32 && at < 160 && at % 16 < 10) ||
               (at >= 160 && at < 416);
    case BNDCSR:
        return at < 16;
    case PKRU:
        return at < 4;
    default:
        return 1;
    }
}

static void fill(uint8_t *area, unsigned component, unsigned offset,
                 unsigned size)
{
    for (unsigned at = 0; at < size; at++) {
        if (is_content(component, at)) {
            area[offset + at] = pattern(offset + at);
        }
    }
    if (component == X87) {
        *(uint16_t *)(area + 0) = 0x37f;
        *(uint16_t *)(area + 2) = 0;
        area[4] = 0xff;
        *(uint32_t *)(area + 24) = 0x1f80;
    } else if (component == BNDCSR) {
        /* With bounds checked, each branch would change the bounds. */
        *(uint64_t *)(area + offset) = 0x5a5a5000;
    }
}

static void compare(const uint8_t *filled, const uint8_t *saved,
                    unsigned component, unsigned offset, unsigned size)
{
    for (unsigned at = 0; at < size; at++) {
        if (!is_content(component, at) ||
            filled[offset + at] == saved[offset + at]) {
            continue;
        }
        if (!results->errors) {
            results->bad_offset = offset + at;
            results->bad_value = saved[offset + at];
        }
        results->errors++;
    }
}

typedef void OnComponent(unsigned component, unsigned offset, unsigned size);

static void fill_one(unsigned component, unsigned offset, unsigned size)
{
    fill((uint8_t *)FILLED, component, offset, size);
}

static void compare_one(unsigned component, unsigned offset, unsigned size)
{
    compare((const uint8_t *)FILLED, (const uint8_t *)SAVED, component,
            offset, size);
}

/* x87 and SSE share an area, and are there without XSAVE. */
static void for_each(uint64_t xcr0, OnComponent *on_component)
{
    on_component(X87, 0, HEADER);
    for (unsigned i = 2; i < COMPONENTS; i++) {
        if (xcr0 >> i & 1) {
            Cpuid area = cpuid(0xd, i);

            on_component(i, area.ebx, area.eax);
        }
    }
}

static void restore(uint64_t xcr0)
{
    if (xcr0) {
        asm volatile("xrstor64 (%0)" : : "r" (FILLED), "a" ((uint32_t)xcr0),
                     "d" ((uint32_t)(xcr0 >> 32)) : "memory");
    } else {
        asm volatile("fxrstor64 (%0)" : : "r" (FILLED) : "memory");
    }
}

static void save(uint64_t xcr0)
{
    if (xcr0) {
        asm volatile("xsave64 (%0)" : : "r" (SAVED), "a" ((uint32_t)xcr0),
                     "d" ((uint32_t)(xcr0 >> 32)) : "memory");
    } else {
        asm volatile("fxsave64 (%0)" : : "r" (SAVED) : "memory");
    }
}

static uint32_t rdpkru(void)
{
    uint32_t pkru, unused;

    asm volatile("rdpkru" : "=a" (pkru), "=d" (unused) : "c" (0));
    return pkru;
}

static void wrpkru(uint32_t pkru)
{
    asm volatile("wrpkru" : : "a" (pkru), "c" (0), "d" (0));
}

/* Called by start.S, in 64-bit mode */
int main(void)
{
    int pke = parameters->pke && (cpuid(7, 0).ecx & CPUID_7_ECX_PKU);
    uint64_t xcr0 = 0;

    /* Memory outlives a reset, and the test is to see that there was one. */
    results->filled = 0;
    results->rounds = 0;
    set_cr4(CR4_OSFXSR | (pke ? CR4_PKE : 0));
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) {
        Cpuid all = cpuid(0xd, 0);

        set_cr4(CR4_OSXSAVE);
        xcr0 = ((uint64_t)all.edx << 32 | all.eax) & (parameters->xcr0 | 1);
        asm volatile("xsetbv" : : "c" (0), "a" ((uint32_t)xcr0),
                     "d" ((uint32_t)(xcr0 >> 32)));
    }
    clear((uint8_t *)FILLED);
    for_each(xcr0, fill_one);
    *(uint64_t *)(FILLED + HEADER) = xcr0;
    restore(xcr0);
    if (pke && !(xcr0 >> PKRU & 1)) {
        wrpkru(0x5a5a5a5a);
    }
    results->xcr0 = xcr0;
    results->filled = 1;
    for (;;) {
        clear((uint8_t *)SAVED);
        save(xcr0);
        for_each(xcr0, compare_one);
        results->pkru = pke ? rdpkru() : 0;
        results->rounds++;
    }
}
