/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * State: what a guest keeps in registers, and must find there again
 *
 * System registers and registers of the interrupt controller are in every
 * report. Vectors would not survive the making of one, so that they are
 * compared before.
 */

#include "guest.h"

#define GICD_BASE 0x08000000

/* --- registers with a pattern --- */

WRITER(ttbr0, "ttbr0_el1")
WRITER(ttbr1, "ttbr1_el1")
WRITER(mair, "mair_el1")
WRITER(amair, "amair_el1")
WRITER(contextidr, "contextidr_el1")
WRITER(tpidr, "tpidr_el1")
WRITER(cntkctl, "cntkctl_el1")
WRITER(afsr0, "afsr0_el1")
WRITER(par, "par_el1")
WRITER(bvr0, "dbgbvr0_el1")
WRITER(wvr0, "dbgwvr0_el1")
WRITER(csselr, "csselr_el1")
WRITER(zcr, "s3_0_c1_c2_0")
WRITER(pir, "s3_0_c10_c2_3")
WRITER(pire0, "s3_0_c10_c2_2")
WRITER(por, "s3_0_c10_c2_4")
WRITER(mair2, "s3_0_c10_c2_1")
WRITER(amair2, "s3_0_c10_c3_1")
WRITER(apiakey_low, "s3_0_c2_c1_0")
WRITER(apgakey_high, "s3_0_c2_c3_1")
WRITER(pmselr, "pmselr_el0")
WRITER(pmuserenr, "pmuserenr_el0")
WRITER(pmevtyper0, "s3_3_c14_c12_0")
WRITER(pmccfiltr, "s3_3_c14_c15_7")
WRITER(pmcntenclr, "pmcntenclr_el0")
WRITER(pmintenclr, "pmintenclr_el1")
WRITER(pmcntenset, "pmcntenset_el0")
WRITER(pmintenset, "pmintenset_el1")
WRITER(pmcr, "pmcr_el0")

typedef void WriteRegister(void *value);

/**
 * Pattern: what is written to a register at the start
 *
 * What the register makes of it is then in every report; a register that is
 * undefined has none.
 */
struct Pattern {
    WriteRegister *write;
    uint64_t value;
};

static const struct Pattern patterns[] = {
    { write_csselr, 0 },
    { write_ttbr0, 0x11112220000 },
    { write_ttbr1, 0x33334440000 },
    { write_mair, 0x00440c0400bb4404 },
    { write_amair, 0 },
    { write_contextidr, 0x5a5a1234 },
    { write_tpidr, 0x123456789abcdef0 },
    { write_cntkctl, 0x3 },
    { write_afsr0, 0 },
    { write_par, 0x1 },
    { write_bvr0, 0x7654321000 },
    { write_wvr0, 0x1234567000 },
    { write_pir, 0x0000000000005432 },
    { write_pire0, 0x0000000000001111 },
    { write_por, 0x0000000000007777 },
    { write_mair2, 0x00000000000000ff },
    { write_amair2, 0 },
    { write_apiakey_low, 0x0f1e2d3c4b5a6978 },
    { write_apgakey_high, 0x8796a5b4c3d2e1f0 },
};

/* The last one lets them run. CPU_CYCLES, as every PMU has it */
static const struct Pattern pmu_patterns[] = {
    { write_pmselr, 0x0 },
    { write_pmuserenr, 0x5 },
    { write_pmevtyper0, 0x11 },
    { write_pmccfiltr, 0x08000000 },
    { write_pmcntenclr, 0xffffffff },
    { write_pmintenclr, 0xffffffff },
    { write_pmcntenset, 0x80000001 },
    { write_pmintenset, 0x80000001 },
    { write_pmcr, 0x41 },
};

static void write_patterns(uint32_t vcpu, const struct Pattern *rows,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = rows[i].value;

        guarded(&vcpus[vcpu], rows[i].write, &value);
    }
}

static void write_gic_patterns(void)
{
    /* SPIs 64 to 95, which no device of this machine has */
    write32(GICD_BASE + 0x88, 0x55aa33cc);
    write32(GICD_BASE + 0x108, 0x0f0f0000);
    write32(GICD_BASE + 0x440, 0x80a0c0e0);
    write32(GICD_BASE + 0xc10, 0x88888888);
}

/* --- FP, SIMD and SVE --- */

#define SVE_SHIFT 32  /* ID_AA64PFR0_EL1.SVE */
#define SVE_MAX 256
#define SVE_BUFFER (32 * SVE_MAX + 17 * SVE_MAX / 8)

static uint8_t held[SVE_BUFFER] __attribute__((aligned(16)));
static uint8_t found[SVE_BUFFER] __attribute__((aligned(16)));

/**
 * Vector: the registers
 * @length: of a Z register in bytes; 16 without SVE
 * @lost: at the last look, the first byte that was not as it had been left,
 *        counted from 1; 0 if there is none. Z registers, P registers, FFR.
 */
static struct {
    uint64_t length;
    uint32_t lost;
} vector;

static bool has_sve(void)
{
    return read_id_aa64pfr0() >> SVE_SHIFT & 15;
}

static uint32_t vector_bytes(void)
{
    return has_sve() ? 32 * vector.length + 17 * vector.length / 8
                     : 32 * 16;
}

static void fill_vectors(uint32_t vcpu)
{
    uint64_t most = 15;

    if (has_sve()) {
        /* CPACR_EL1.ZEN and FPEN */
        asm volatile("msr cpacr_el1, %0\n\tisb"
                     : : "r" (3ull << 20 | 3ull << 16));
        guarded(&vcpus[vcpu], write_zcr, &most);
    }
    if (vcpu) {
        return;
    }
    vector.length = has_sve() ? sve_length() : 16;
    for (uint32_t i = 0; i < 32 * vector.length; i++) {
        held[i] = i * 7 + 3;
    }
    /* Predicates; FFR may be any run of ones from the lowest bit. */
    for (uint32_t i = 0; i < 17 * vector.length / 8; i++) {
        held[32 * vector.length + i] = i < 15 * vector.length / 8 ? i * 5 + 1
                                                                  : 0xff;
    }
}

void hold_state(void)
{
    if (has_sve()) {
        load_sve(held);
    } else {
        load_simd(held);
    }
}

void check_state(void)
{
    uint32_t size = vector_bytes();

    if (has_sve()) {
        store_sve(found);
    } else {
        store_simd(found);
    }
    vector.lost = 0;
    for (uint32_t i = 0; i < size && !vector.lost; i++) {
        vector.lost = held[i] != found[i] ? i + 1 : 0;
    }
}

/* --- all of it --- */

void fill_state(uint32_t vcpu)
{
    fill_vectors(vcpu);
    write_patterns(vcpu, patterns, ARRAY_SIZE(patterns));
    if (has_pmu()) {
        write_patterns(vcpu, pmu_patterns, ARRAY_SIZE(pmu_patterns));
    }
    if (!vcpu) {
        write_gic_patterns();
    }
}

void report_state(uint32_t vcpu)
{
    if (!vcpu) {
        emit_value(vcpu, "VECTORS_LOST", vector.lost);
        emit_value(vcpu, "VECTOR_LENGTH", has_sve() ? sve_length() : 16);
    }
}
