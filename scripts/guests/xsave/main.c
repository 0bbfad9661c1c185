/*
 * A bare-metal guest that looks after its XSAVE components
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Fills the registers of every component that it enables, each with a pattern
 * of its own, and from then on compares them, bit by bit, for ever. Compiled
 * so that the compiler itself uses none of these registers.
 *
 * In between, it executes the instructions of which CPUID has told it when it
 * booted, as a kernel does. One that is gone ends the guest.
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

#define MAX_ANSWERS 200
#define MAX_LEAVES 64

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
 * @told: the features[] of which CPUID told when the guest booted, bit by bit
 * @tells: what CPUID says of them now
 * @using: which of them is being executed, from 1 on; 0 between rounds
 * @boots: how often the guest booted
 * @answers: number of CpuidAnswer in CPUID_TABLE
 */
typedef struct Results {
    uint64_t filled;
    uint64_t xcr0;
    uint64_t rounds;
    uint64_t errors;
    uint64_t bad_offset;
    uint64_t bad_value;
    uint64_t pkru;
    uint64_t told;
    uint64_t tells;
    uint64_t using;
    uint64_t boots;
    uint64_t answers;
} Results;

typedef struct Cpuid {
    uint32_t eax, ebx, ecx, edx;
} Cpuid;

/* What CPUID says of a leaf; those with nothing but zeros are left out */
typedef struct CpuidAnswer {
    uint32_t leaf, subleaf;
    Cpuid says;
} CpuidAnswer;

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

/* Instructions; those that need a register of XSAVE's put it back at once. */

static void do_xsaveopt(void)
{
    asm volatile("xsaveopt64 (%0)" : : "r" (SCRATCH), "a" (~0), "d" (~0)
                 : "memory");
}

static void do_xsavec(void)
{
    asm volatile("xsavec64 (%0)" : : "r" (SCRATCH), "a" (~0), "d" (~0)
                 : "memory");
}

static void do_xgetbv1(void)
{
    uint32_t eax, edx;

    asm volatile("xgetbv" : "=a" (eax), "=d" (edx) : "c" (1));
}

#define WITH_XMM0(instruction)                                      \
    asm volatile("movups %%xmm0, (%0)\n\t" instruction "\n\t"       \
                 "movups (%0), %%xmm0" : : "r" (XMM0) : "memory")

static void do_aes(void)
{
    WITH_XMM0("aesimc %%xmm0, %%xmm0");
}

static void do_pclmulqdq(void)
{
    WITH_XMM0("pclmulqdq $0, %%xmm0, %%xmm0");
}

static void do_sha(void)
{
    WITH_XMM0("sha1msg1 %%xmm0, %%xmm0");
}

static void do_popcnt(void)
{
    uint64_t value = 1;

    asm volatile("popcnt %0, %0" : "+r" (value));
}

static void do_movbe(void)
{
    uint64_t value;

    asm volatile("movbe (%1), %0" : "=r" (value) : "r" (XMM0));
}

static void do_bmi2(void)
{
    uint64_t value = 1;

    asm volatile("rorx $1, %0, %0" : "+r" (value));
}

static void do_adx(void)
{
    uint64_t value = 1;

    asm volatile("adcx %0, %0" : "+r" (value));
}

static void do_rdtscp(void)
{
    uint32_t eax, ecx, edx;

    asm volatile("rdtscp" : "=a" (eax), "=c" (ecx), "=d" (edx));
}

static void do_clflushopt(void)
{
    asm volatile("clflushopt (%0)" : : "r" (XMM0) : "memory");
}

static void do_clzero(void)
{
    asm volatile("clzero" : : "a" (SCRATCH) : "memory");
}

/* MSR_KVM_SYSTEM_TIME_NEW: where KVM writes the time; 0: nowhere */
static void do_kvmclock(void)
{
    asm volatile("wrmsr" : : "c" (0x4b564d01), "a" (0), "d" (0));
}

/**
 * Feature: what CPUID tells of, and an instruction that needs it
 * @leaf, @subleaf: of CPUID
 * @reg: 0 to 3 for EAX to EDX
 * @bit: of the register
 * @use: executes the instruction
 * @xsave: needs CR4.OSXSAVE
 */
typedef struct Feature {
    uint32_t leaf, subleaf;
    unsigned reg, bit;
    void (*use)(void);
    int xsave;
} Feature;

/* In the order of the bits of @told; scripts/qemu_hvc/xsave_guest.py */
static const Feature features[] = {
    { 0xd, 1, 0, 0, do_xsaveopt, 1 },
    { 0xd, 1, 0, 1, do_xsavec, 1 },
    { 0xd, 1, 0, 2, do_xgetbv1, 1 },
    { 1, 0, 2, 25, do_aes, 0 },
    { 1, 0, 2, 1, do_pclmulqdq, 0 },
    { 7, 0, 1, 29, do_sha, 0 },
    { 1, 0, 2, 23, do_popcnt, 0 },
    { 1, 0, 2, 22, do_movbe, 0 },
    { 7, 0, 1, 8, do_bmi2, 0 },
    { 7, 0, 1, 19, do_adx, 0 },
    { 0x80000001, 0, 3, 27, do_rdtscp, 0 },
    { 7, 0, 1, 23, do_clflushopt, 0 },
    { 0x80000008, 0, 1, 0, do_clzero, 0 },
    { 0x40000001, 0, 0, 3, do_kvmclock, 0 },
};
#define FEATURES (sizeof(features) / sizeof(features[0]))

static int has_leaf(uint32_t leaf)
{
    Cpuid highest = cpuid(leaf & 0xf0000000, 0);

    /* KVM's leaves are those of a hypervisor that says so ("KVMK"). */
    return highest.eax >= leaf &&
           (leaf >> 28 != 4 || highest.ebx == 0x4b4d564b);
}

static uint64_t told_by_cpuid(uint64_t xcr0)
{
    uint64_t told = 0;

    for (unsigned i = 0; i < FEATURES; i++) {
        const Feature *f = &features[i];
        Cpuid r = cpuid(f->leaf, f->subleaf);
        uint32_t regs[4] = { r.eax, r.ebx, r.ecx, r.edx };

        if (has_leaf(f->leaf) && (!f->xsave || xcr0) &&
            regs[f->reg] >> f->bit & 1) {
            told |= 1ull << i;
        }
    }
    return told;
}

static void use_features(uint64_t told)
{
    for (unsigned i = 0; i < FEATURES; i++) {
        if (told >> i & 1) {
            results->using = i + 1;
            features[i].use();
        }
    }
    results->using = 0;
}

/* Those with sub-leaves; of others, all sub-leaves are the same. */
static unsigned subleaves_of(uint32_t leaf)
{
    switch (leaf) {
    case 0xd:
        return COMPONENTS;
    case 4:
    case 7:
    case 0xb:
    case 0xf:
    case 0x10:
    case 0x12:
    case 0x14:
    case 0x17:
    case 0x18:
    case 0x1d:
    case 0x1e:
    case 0x1f:
    case 0x24:
    case 0x8000001d:
    case 0x80000020:
    case 0x80000026:
        return 8;
    default:
        return 1;
    }
}

static unsigned list_leaf(CpuidAnswer *table, unsigned count, uint32_t leaf)
{
    for (unsigned i = 0; i < subleaves_of(leaf) && count < MAX_ANSWERS; i++) {
        Cpuid r = cpuid(leaf, i);

        if (r.eax | r.ebx | r.ecx | r.edx) {
            table[count++] = (CpuidAnswer){ leaf, i, r };
        }
    }
    return count;
}

/* All that CPUID says; the table stays the same while the CPU does. */
static void list_cpuid(void)
{
    static const uint32_t ranges[] = { 0, 0x40000000, 0x80000000, 0xc0000000 };
    unsigned count = 0;

    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        uint32_t last = cpuid(ranges[i], 0).eax;

        for (uint32_t leaf = ranges[i];
             leaf <= last && leaf - ranges[i] < MAX_LEAVES; leaf++) {
            count = list_leaf((CpuidAnswer *)CPUID_TABLE, count, leaf);
        }
    }
    results->answers = count;
}

/* Called by start.S, in 64-bit mode */
int main(void)
{
    int pke = parameters->pke && (cpuid(7, 0).ecx & CPUID_7_ECX_PKU);
    uint64_t xcr0 = 0;

    /* Memory outlives a reset, and the test is to see that there was one. */
    results->filled = 0;
    results->rounds = 0;
    results->boots++;
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
    results->told = told_by_cpuid(xcr0);
    clear((uint8_t *)SCRATCH);
    results->filled = 1;
    for (;;) {
        clear((uint8_t *)SAVED);
        save(xcr0);
        for_each(xcr0, compare_one);
        use_features(results->told);
        results->tells = told_by_cpuid(xcr0);
        list_cpuid();
        results->pkru = pke ? rdpkru() : 0;
        results->rounds++;
    }
}
