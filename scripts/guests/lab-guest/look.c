/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Everything that a guest can read: what firmware answers by HVC and by SMC,
 * every system register, the caches, the interrupt controller
 *
 * A function that is not there (NOT_SUPPORTED, -1) and a register that is
 * undefined have no line.
 */

#include "guest.h"

#define GICD_BASE 0x08000000
#define GITS_BASE 0x08080000
#define GICR_BASE 0x080a0000
#define GICC_BASE 0x08010000

#define PSCI_FEATURES       0x8400000a
#define PSCI_LAST           0x20
#define SYSTEM_RESET2       0x84000012
#define SYSTEM_OFF2         0x84000015
#define SMC64               0x40000000ull
#define ARCH_FEATURES       0x80000001
#define VENDOR_PTP          0x86000001

/* --- calls that have arguments --- */

static void set_arguments(uint32_t vcpu, uint64_t function, uint64_t x1,
                          uint64_t x2, uint64_t x3)
{
    struct Registers *in = &vcpus[vcpu].in;

    in->x[0] = function;
    in->x[1] = x1;
    in->x[2] = x2;
    in->x[3] = x3;
}

const uint64_t *call(uint32_t vcpu, uint64_t function, uint64_t x1,
                     uint64_t x2, uint64_t x3)
{
    set_arguments(vcpu, function, x1, x2, x3);
    perform_hvc(&vcpus[vcpu]);
    return vcpus[vcpu].out.x;
}

static void smc(void *opaque)
{
    perform_smc(opaque);
}

const uint64_t *call_by(bool is_smc, uint32_t vcpu, const uint64_t *values)
{
    set_arguments(vcpu, values[0], values[1], values[2], values[3]);
    if (!is_smc) {
        perform_hvc(&vcpus[vcpu]);
    } else if (guarded(&vcpus[vcpu], smc, &vcpus[vcpu])) {
        vcpus[vcpu].out.x[0] = NOT_SUPPORTED;
    }
    return vcpus[vcpu].out.x;
}

static const uint64_t *call_by_smc(uint32_t vcpu, uint64_t function)
{
    return call_by(true, vcpu, (uint64_t[4]) { function });
}

/**
 * Call: a function to ask
 * @name: what the report calls it
 * @values: x0, which is its id, to x3
 * @results: how many of its results are the same each time
 */
struct Call {
    const char *name;
    uint64_t values[4];
    uint32_t results;
};

static const struct Call calls[] = {
    { "PSCI_VERSION", { 0x84000000 }, 1 },
    /* Of PSCI_FEATURES' x1, the low word only is the id. */
    { "PSCI_FEATURES_SMCCC", { PSCI_FEATURES, 0x80000000 }, 4 },
    { "PSCI_FEATURES_TRNG", { PSCI_FEATURES, 0x84000050 }, 4 },
    { "PSCI_FEATURES_HIGH_WORD", { PSCI_FEATURES, 0x184000008 }, 4 },
    /* What may not turn the machine off, nor reset it: INVALID_PARAMETERS */
    { "SYSTEM_RESET2_32_TYPE_1", { SYSTEM_RESET2, 1 }, 4 },
    { "SYSTEM_RESET2_32_TYPE_LAST", { SYSTEM_RESET2, 0x7fffffff }, 4 },
    { "SYSTEM_RESET2_64_TYPE_1", { SYSTEM_RESET2 | SMC64, 1 }, 4 },
    { "SYSTEM_RESET2_64_TYPE_LAST", { SYSTEM_RESET2 | SMC64, 0x7fffffff }, 4 },
    { "SYSTEM_OFF2_32_TYPE_2", { SYSTEM_OFF2, 2 }, 4 },
    { "SYSTEM_OFF2_32_TYPE_LAST", { SYSTEM_OFF2, NOT_SUPPORTED }, 4 },
    { "SYSTEM_OFF2_32_COOKIE", { SYSTEM_OFF2, 1, 1 }, 4 },
    { "SYSTEM_OFF2_32_DEFAULT_COOKIE", { SYSTEM_OFF2, 0, 1 }, 4 },
    { "SYSTEM_OFF2_64_TYPE_2", { SYSTEM_OFF2 | SMC64, 2 }, 4 },
    { "SYSTEM_OFF2_64_TYPE_LAST", { SYSTEM_OFF2 | SMC64, NOT_SUPPORTED }, 4 },
    { "SYSTEM_OFF2_64_COOKIE", { SYSTEM_OFF2 | SMC64, 1, 1 }, 4 },
    { "SYSTEM_OFF2_64_DEFAULT_COOKIE", { SYSTEM_OFF2 | SMC64, 0, 1 }, 4 },
    { "SYSTEM_OFF2_64_COOKIE_HIGH_WORD",
      { SYSTEM_OFF2 | SMC64, 1, 1ull << 32 }, 4 },
    { "SMCCC_VERSION", { 0x80000000 }, 1 },
    { "ARCH_FEATURES_VERSION", { ARCH_FEATURES, 0x80000000 }, 1 },
    { "ARCH_FEATURES_FEATURES", { ARCH_FEATURES, ARCH_FEATURES }, 1 },
    { "ARCH_FEATURES_SOC_ID", { ARCH_FEATURES, 0x80000002 }, 1 },
    { "ARCH_FEATURES_WORKAROUND_1", { ARCH_FEATURES, 0x80008000 }, 1 },
    { "ARCH_FEATURES_WORKAROUND_2", { ARCH_FEATURES, 0x80007fff }, 1 },
    { "ARCH_FEATURES_WORKAROUND_3", { ARCH_FEATURES, 0x80003fff }, 1 },
    { "ARCH_FEATURES_WORKAROUND_4", { ARCH_FEATURES, 0x80000004 }, 1 },
    { "ARCH_FEATURES_TRNG_VERSION", { ARCH_FEATURES, 0x84000050 }, 1 },
    { "ARCH_FEATURES_PV_TIME", { ARCH_FEATURES, 0xc5000020 }, 1 },
    { "ARCH_FEATURES_PV_TIME_ST", { ARCH_FEATURES, 0xc5000021 }, 1 },
    { "ARCH_FEATURES_VENDOR", { ARCH_FEATURES, 0x86000000 }, 1 },
    { "ARCH_FEATURES_PTP", { ARCH_FEATURES, VENDOR_PTP }, 1 },
    { "TRNG_VERSION", { 0x84000050 }, 1 },
    { "TRNG_FEATURES_VERSION", { 0x84000051, 0x84000050 }, 1 },
    { "TRNG_FEATURES_RND32", { 0x84000051, 0x84000053 }, 1 },
    { "TRNG_FEATURES_RND64", { 0x84000051, 0xc4000053 }, 1 },
    { "TRNG_UUID", { 0x84000052 }, 4 },
    { "TRNG_RND32", { 0x84000053, 32 }, 1 },
    { "TRNG_RND64", { 0xc4000053, 64 }, 1 },
    { "TRNG_RND64_TOO_MANY", { 0xc4000053, 193 }, 1 },
    { "TRNG_UNKNOWN", { 0x84000054 }, 4 },
    { "PV_TIME_FEATURES", { 0xc5000020, 0xc5000020 }, 1 },
    { "PV_TIME_FEATURES_ST", { 0xc5000020, 0xc5000021 }, 1 },
    { "PV_TIME_UNKNOWN", { 0xc5000022 }, 4 },
    { "VENDOR_UID", { 0x8600ff01 }, 4 },
    { "VENDOR_FEATURES", { 0x86000000 }, 4 },
    { "VENDOR_UNKNOWN_2", { 0x86000002 }, 4 },
    { "DISCOVER_IMPL_VER", { 0xc6000040 }, 3 },
    { "DISCOVER_IMPL_CPU_0", { 0xc6000041 }, 4 },
    { "DISCOVER_IMPL_CPU_1", { 0xc6000041, 1 }, 4 },
    { "DISCOVER_IMPL_CPU_2", { 0xc6000041, 2 }, 4 },
    { "DISCOVER_IMPL_CPU_NONE", { 0xc6000041, NOT_SUPPORTED }, 1 },
};

static void emit_results(uint32_t vcpu, const char *conduit, const char *group,
                         const struct Call *ask, const uint64_t *x)
{
    emit(vcpu, conduit);
    emit(vcpu, group);
    emit(vcpu, ask->name);
    for (uint32_t i = 0; i < ask->results; i++) {
        emit(vcpu, i ? "," : "=");
        emit_hex(vcpu, x[i]);
    }
    emit(vcpu, "\n");
}

/*
 * By HVC, and by SMC if that answers and says something else. Whether SMC
 * answers at all is in the line "SMC". The report has the group before the
 * name.
 */
static void report_call(uint32_t vcpu, const char *group,
                        const struct Call *ask)
{
    uint64_t hvc[4];
    const uint64_t *x = call_by(false, vcpu, ask->values);
    bool same = true;

    for (uint32_t i = 0; i < ARRAY_SIZE(hvc); i++) {
        hvc[i] = x[i];
    }
    if (hvc[0] != NOT_SUPPORTED) {
        emit_results(vcpu, "", group, ask, hvc);
    }
    x = call_by(true, vcpu, ask->values);
    for (uint32_t i = 0; i < ask->results; i++) {
        same = same && x[i] == hvc[i];
    }
    if (x[0] != NOT_SUPPORTED && !same) {
        emit_results(vcpu, "SMC_", group, ask, x);
    }
}

/* What PSCI says about every function that it may have */
static void report_psci(uint32_t vcpu)
{
    static const uint64_t bases[] = { 0x84000000, 0xc4000000 };

    for (uint32_t b = 0; b < ARRAY_SIZE(bases); b++) {
        for (uint32_t i = 0; i <= PSCI_LAST; i++) {
            char digits[17];
            struct Call ask = {
                .values = { PSCI_FEATURES, bases[b] + i }, .results = 1
            };

            ask.name = hex(digits, bases[b] + i);
            report_call(vcpu, "PSCI_FEATURES_", &ask);
        }
    }
}

/* The latest PTP time; part of what migrates. */
static uint64_t ptp_latest;

/* The time changes by nature, but never runs backwards. */
static void report_ptp(uint32_t vcpu, const char *name,
                       uint64_t counter)
{
    const uint64_t *x = call(vcpu, VENDOR_PTP, counter, 0, 0);
    uint64_t now = x[0] << 32 | x[1];

    if (x[0] == NOT_SUPPORTED) {
        return;
    }
    if (vcpu) {
        emit_value(vcpu, name, 0);
        return;
    }
    emit_value(vcpu, name, now < ptp_latest);
    ptp_latest = now;
}

/* --- calls without arguments: all of them --- */

#define FAST   0x80000000ull
#define OWNERS 8

/* Function numbers that some specification or kernel gives away, with room. */
static const struct {
    uint32_t first, last;
} numbers[] = {
    { 0x0000, 0x01ff }, { 0x3ff0, 0x3fff }, { 0x7ff0, 0x7fff },
    { 0x8000, 0x800f }, { 0xff00, 0xff0f },
};

/*
 * What a call without arguments would change, or not come back from. PV_TIME_ST
 * begins to count stolen time from 0. SMC32 and SMC64 alike.
 */
static const struct {
    uint32_t owner, first, last;
} state_changing[] = {
    { 4, 0x01, 0x03 },  /* CPU_SUSPEND, CPU_OFF, CPU_ON */
    { 4, 0x05, 0x05 },  /* MIGRATE */
    { 4, 0x08, 0x09 },  /* SYSTEM_OFF, SYSTEM_RESET */
    { 4, 0x0b, 0x0c },  /* CPU_FREEZE, CPU_DEFAULT_SUSPEND */
    { 4, 0x0e, 0x0f },  /* SYSTEM_SUSPEND, PSCI_SET_SUSPEND_MODE */
    { 4, 0x12, 0x15 },  /* SYSTEM_RESET2, MEM_PROTECT, SYSTEM_OFF2 */
    { 5, 0x21, 0x21 },  /* PV_TIME_ST */
    { 6, 0x03, 0x08 },  /* pKVM's MEM_SHARE to MMIO_GUARD */
};

/* What has other results each time: how many are the same. */
static const struct {
    uint32_t owner, first, last, results;
} varying[] = {
    { 0, 0x3fff, 0x3fff, 1 },   /* WORKAROUND_3, _2 and _1 change x1 */
    { 0, 0x7fff, 0x7fff, 1 },
    { 0, 0x8000, 0x8000, 1 },
    { 4, 0x53, 0x53, 1 },       /* TRNG_RND */
    { 6, 0x01, 0x01, 0 },       /* PTP */
};

bool changes_state(uint32_t owner, uint32_t number)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(state_changing); i++) {
        if (state_changing[i].owner == owner &&
            state_changing[i].first <= number &&
            number <= state_changing[i].last) {
            return true;
        }
    }
    return false;
}

uint32_t steady_results(uint32_t owner, uint32_t number)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(varying); i++) {
        if (varying[i].owner == owner && varying[i].first <= number &&
            number <= varying[i].last) {
            return varying[i].results;
        }
    }
    return 4;
}

static void emit_answer(uint32_t vcpu, const char *conduit, uint64_t function,
                        const uint64_t *x, uint32_t results)
{
    emit(vcpu, conduit);
    emit_hex(vcpu, function);
    emit(vcpu, "=");
    if (!results) {
        emit(vcpu, "there");
    }
    for (uint32_t i = 0; i < results; i++) {
        emit(vcpu, i ? "," : "");
        emit_hex(vcpu, x[i]);
    }
    emit(vcpu, "\n");
}

/**
 * Smc: what is known of SMC so far
 * @answers: some function is there
 * @differs: some function answers otherwise than by HVC
 */
struct Smc {
    bool answers;
    bool differs;
};

static void ask_both(uint32_t vcpu, uint64_t function, uint32_t results,
                     struct Smc *found)
{
    const uint64_t *x = call(vcpu, function, 0, 0, 0);
    uint64_t hvc[4] = { x[0], x[1], x[2], x[3] };
    bool same;

    if (hvc[0] != NOT_SUPPORTED) {
        emit_answer(vcpu, "HVC_", function, hvc, results);
    }
    x = call_by_smc(vcpu, function);
    found->answers |= x[0] != NOT_SUPPORTED;
    same = (x[0] == NOT_SUPPORTED) == (hvc[0] == NOT_SUPPORTED);
    for (uint32_t i = 0; i < results; i++) {
        same = same && x[i] == hvc[i];
    }
    found->differs |= !same;
    if (!same && x[0] != NOT_SUPPORTED) {
        emit_answer(vcpu, "SMC_", function, x, results);
    }
}

/* SMC is shown as a whole: kernels answer no function by it, or all. */
static void report_all_calls(uint32_t vcpu)
{
    static const uint64_t widths[] = { FAST, FAST | SMC64 };
    struct Smc found = { };

    for (uint32_t owner = 0; owner < OWNERS; owner++) {
        for (uint32_t w = 0; w < ARRAY_SIZE(widths); w++) {
            for (uint32_t r = 0; r < ARRAY_SIZE(numbers); r++) {
                for (uint32_t n = numbers[r].first; n <= numbers[r].last;
                     n++) {
                    if (!changes_state(owner, n)) {
                        ask_both(vcpu, widths[w] | owner << 24 | n,
                                 steady_results(owner, n), &found);
                    }
                }
            }
        }
    }
    emit(vcpu, found.answers ? found.differs ? "SMC=some\n" : "SMC=as-hvc\n"
                             : "SMC=none\n");
}

/* --- system registers: op0 2 and 3, all of them --- */

#define REGISTERS    0x8000     /* op0's low bit, op1, CRn, CRm, op2 */
#define REGISTER(op0, op1, n, m, op2) \
    (((op0) & 1) << 14 | (op1) << 11 | (n) << 7 | (m) << 3 | (op2))
#define MRS_X0       0xd5300000u
#define RET          0xd65f03c0u

/* MRS X0, register; RET: made once, as only an instruction names a register. */
static uint32_t readers[REGISTERS][2];

/**
 * Range: registers, first to last as REGISTER()
 * @read: reading has no side effect; the report only says that it is there
 */
static const struct {
    uint32_t first, last;
    bool read;
} unsteady[] = {
    /* DBGDTR_EL0, DBGDTRRX_EL0: reading takes what came */
    { REGISTER(2, 3, 0, 4, 0), REGISTER(2, 3, 0, 5, 0), false },
    /*
     * OSDTRTX_EL1, OSECCR_EL1, DBGCLAIMSET_EL1, DBGCLAIMCLR_EL1: KVM traps them
     * until a guest uses debug registers, and then lets the hardware's show.
     */
    { REGISTER(2, 0, 0, 3, 2), REGISTER(2, 0, 0, 3, 2), false },
    { REGISTER(2, 0, 0, 6, 2), REGISTER(2, 0, 0, 6, 2), false },
    { REGISTER(2, 0, 7, 8, 6), REGISTER(2, 0, 7, 8, 6), false },
    { REGISTER(2, 0, 7, 9, 6), REGISTER(2, 0, 7, 9, 6), false },
    /* SPSR_EL1, ELR_EL1, ESR_EL1, FAR_EL1: of our own exceptions */
    { REGISTER(3, 0, 4, 0, 0), REGISTER(3, 0, 4, 0, 1), true },
    { REGISTER(3, 0, 5, 2, 0), REGISTER(3, 0, 5, 2, 0), true },
    { REGISTER(3, 0, 6, 0, 0), REGISTER(3, 0, 6, 0, 0), true },
    /* ICC_IAR0_EL1, ICC_HPPIR0_EL1: reading takes an interrupt */
    { REGISTER(3, 0, 12, 8, 0), REGISTER(3, 0, 12, 8, 0), false },
    { REGISTER(3, 0, 12, 8, 2), REGISTER(3, 0, 12, 8, 2), true },
    /* ISR_EL1, ICC_NMIAR1_EL1, ICC_RPR_EL1, ICC_IAR1_EL1, ICC_HPPIR1_EL1 */
    { REGISTER(3, 0, 12, 1, 0), REGISTER(3, 0, 12, 1, 0), true },
    { REGISTER(3, 0, 12, 9, 5), REGISTER(3, 0, 12, 9, 5), false },
    { REGISTER(3, 0, 12, 11, 3), REGISTER(3, 0, 12, 11, 3), true },
    { REGISTER(3, 0, 12, 12, 0), REGISTER(3, 0, 12, 12, 0), false },
    { REGISTER(3, 0, 12, 12, 2), REGISTER(3, 0, 12, 12, 2), true },
    /* RNDR, RNDRRS */
    { REGISTER(3, 3, 2, 4, 0), REGISTER(3, 3, 2, 4, 1), true },
    /* NZCV, FPSR */
    { REGISTER(3, 3, 4, 2, 0), REGISTER(3, 3, 4, 2, 0), true },
    { REGISTER(3, 3, 4, 4, 1), REGISTER(3, 3, 4, 4, 1), true },
    /* PMICNTR_EL0, PMOVSCLR_EL0, PMCCNTR_EL0, PMXEVCNTR_EL0, PMOVSSET_EL0 */
    { REGISTER(3, 3, 9, 4, 0), REGISTER(3, 3, 9, 4, 0), true },
    { REGISTER(3, 3, 9, 12, 3), REGISTER(3, 3, 9, 12, 3), true },
    { REGISTER(3, 3, 9, 13, 0), REGISTER(3, 3, 9, 13, 0), true },
    { REGISTER(3, 3, 9, 13, 2), REGISTER(3, 3, 9, 13, 2), true },
    { REGISTER(3, 3, 9, 14, 3), REGISTER(3, 3, 9, 14, 3), true },
    /* TPIDR_EL0, TPIDRRO_EL0: the engine's */
    { REGISTER(3, 3, 13, 0, 2), REGISTER(3, 3, 13, 0, 3), true },
    /* the counters, and the timers, which run */
    { REGISTER(3, 3, 14, 0, 1), REGISTER(3, 3, 14, 0, 6), true },
    { REGISTER(3, 3, 14, 2, 0), REGISTER(3, 3, 14, 3, 2), true },
    /* PMEVCNTR0_EL0 to PMEVCNTR30_EL0 */
    { REGISTER(3, 3, 14, 8, 0), REGISTER(3, 3, 14, 11, 6), true },
    /* PMSWINC, AMU counters: they count */
    { REGISTER(3, 3, 13, 4, 0), REGISTER(3, 3, 13, 5, 7), true },
    { REGISTER(3, 3, 13, 12, 0), REGISTER(3, 3, 13, 13, 7), true },
};

static bool is_unsteady(uint32_t number, bool *read)
{
    *read = true;
    for (uint32_t i = 0; i < ARRAY_SIZE(unsteady); i++) {
        if (unsteady[i].first <= number && number <= unsteady[i].last) {
            *read = unsteady[i].read;
            return true;
        }
    }
    return false;
}

/* A register may be undefined: then reading it ends guarded(). */
struct Reading {
    ReadRegister *read;
    uint64_t value;
};

static void read_register(void *opaque)
{
    struct Reading *reading = opaque;

    reading->value = reading->read();
}

/* S3_0_C1_C2_3 */
static void emit_register_name(uint32_t vcpu, uint32_t number)
{
    static const struct {
        const char *before;
        uint32_t shift, mask;
    } parts[] = {
        { "_", 11, 7 }, { "_C", 7, 15 }, { "_C", 3, 15 }, { "_", 0, 7 },
    };

    emit(vcpu, number >> 14 ? "S3" : "S2");
    for (uint32_t i = 0; i < ARRAY_SIZE(parts); i++) {
        uint32_t value = number >> parts[i].shift & parts[i].mask;

        emit(vcpu, parts[i].before);
        if (value >= 10) {
            emit(vcpu, "1");
            value -= 10;
        }
        emit_hex(vcpu, value);
    }
}

static void report_registers(uint32_t vcpu)
{
    for (uint32_t number = 0; number < REGISTERS; number++) {
        struct Reading reading = {
            .read = (ReadRegister *)(uintptr_t)readers[number]
        };
        bool read;
        bool steady = !is_unsteady(number, &read);

        if (!read || guarded(&vcpus[vcpu], read_register, &reading)) {
            continue;
        }
        emit_register_name(vcpu, number);
        if (steady) {
            emit_value(vcpu, "", reading.value);
        } else {
            emit(vcpu, "=there\n");
        }
    }
}

void prepare_look(void)
{
    for (uint32_t number = 0; number < REGISTERS; number++) {
        readers[number][0] = MRS_X0 | number << 5;
        readers[number][1] = RET;
        asm volatile("dc cvau, %0" : : "r" (readers[number]) : "memory");
    }
    asm volatile("dsb ish\n\tic iallu\n\tdsb ish\n\tisb" : : : "memory");
}

/* --- what selects what --- */

READER(clidr, "s3_1_c0_c0_1")
READER(ccsidr, "s3_1_c0_c0_0")
READER(pfr0, "id_aa64pfr0_el1")
READER(dfr0, "id_aa64dfr0_el1")

uint64_t read_id_aa64pfr0(void)
{
    return read_pfr0();
}

bool has_pmu(void)
{
    uint32_t version = read_dfr0() >> 8 & 15;

    return version && version != 15;
}

/* Every cache that CLIDR_EL1 tells of */
static void report_caches(uint32_t vcpu)
{
    static const char *const names[] = {
        "CCSIDR_EL1_L1_DATA", "CCSIDR_EL1_L1_CODE", "CCSIDR_EL1_L2_DATA",
        "CCSIDR_EL1_L2_CODE", "CCSIDR_EL1_L3_DATA", "CCSIDR_EL1_L3_CODE",
        "CCSIDR_EL1_L4_DATA", "CCSIDR_EL1_L4_CODE", "CCSIDR_EL1_L5_DATA",
        "CCSIDR_EL1_L5_CODE", "CCSIDR_EL1_L6_DATA", "CCSIDR_EL1_L6_CODE",
        "CCSIDR_EL1_L7_DATA", "CCSIDR_EL1_L7_CODE",
    };
    uint64_t clidr = read_clidr();

    for (uint64_t select = 0; select < ARRAY_SIZE(names); select++) {
        uint32_t type = clidr >> (select / 2 * 3) & 7;

        if (select & 1 ? type & 1 : type >= 2) {
            struct Reading reading = { .read = read_ccsidr };

            asm volatile("msr csselr_el1, %0\n\tisb" : : "r" (select));
            if (!guarded(&vcpus[vcpu], read_register, &reading)) {
                emit_value(vcpu, names[select], reading.value);
            }
        }
    }
    asm volatile("msr csselr_el1, xzr\n\tisb");
}

/* --- the interrupt controller --- */

/**
 * Mapped: a register of the interrupt controller
 * @name: what the report calls it
 * @address: of vCPU 0's, where each vCPU has one
 */
struct Mapped {
    const char *name;
    uint32_t address;
};

static const struct Mapped distributor[] = {
    { "GICD_CTLR", GICD_BASE },
    { "GICD_TYPER", GICD_BASE + 0x4 },
    { "GICD_IIDR", GICD_BASE + 0x8 },
    { "GICD_IGROUPR2", GICD_BASE + 0x88 },
    { "GICD_ISENABLER2", GICD_BASE + 0x108 },
    { "GICD_IPRIORITYR16", GICD_BASE + 0x440 },
    { "GICD_ICFGR4", GICD_BASE + 0xc10 },
};

static const struct Mapped gicv2[] = {
    { "GICD_PIDR2", GICD_BASE + 0xfe8 },
    { "GICC_CTLR", GICC_BASE },
    { "GICC_PMR", GICC_BASE + 0x4 },
    { "GICC_BPR", GICC_BASE + 0x8 },
    { "GICC_IIDR", GICC_BASE + 0xfc },
};

static const struct Mapped gicv3[] = {
    { "GICD_TYPER2", GICD_BASE + 0xc },
    { "GICD_PIDR2", GICD_BASE + 0xffe8 },
    { "GITS_CTLR", GITS_BASE },
    { "GITS_IIDR", GITS_BASE + 0x4 },
    { "GITS_TYPER", GITS_BASE + 0x8 },
    { "GITS_TYPER_HIGH", GITS_BASE + 0xc },
    { "GITS_BASER0_HIGH", GITS_BASE + 0x104 },
    { "GITS_BASER1_HIGH", GITS_BASE + 0x10c },
    { "GITS_PIDR2", GITS_BASE + 0xffe8 },
};

static const struct Mapped redistributor[] = {
    { "GICR_CTLR", GICR_BASE },
    { "GICR_IIDR", GICR_BASE + 0x4 },
    { "GICR_TYPER", GICR_BASE + 0x8 },
    { "GICR_TYPER_HIGH", GICR_BASE + 0xc },
    { "GICR_WAKER", GICR_BASE + 0x14 },
    { "GICR_PIDR2", GICR_BASE + 0xffe8 },
    { "GICR_IGROUPR0", GICR_BASE + 0x10080 },
    { "GICR_ISENABLER0", GICR_BASE + 0x10100 },
};

struct Access {
    uintptr_t address;
    uint32_t value;
};

static void access_memory(void *opaque)
{
    struct Access *access = opaque;

    access->value = read32(access->address);
}

/* Linux 6.1 shows the host's ID_AA64PFR0_EL1.GIC, whatever GIC there is. */
bool has_gicv3(uint32_t vcpu)
{
    struct Access access = { .address = GICD_BASE + 0xffe8 };

    return !guarded(&vcpus[vcpu], access_memory, &access) &&
           (access.value >> 4 & 15) == 3;
}

static void report_mapped(uint32_t vcpu, const struct Mapped *rows,
                          uint32_t count, uintptr_t offset)
{
    for (uint32_t i = 0; i < count; i++) {
        struct Access access = { .address = rows[i].address + offset };

        if (!guarded(&vcpus[vcpu], access_memory, &access)) {
            emit_value(vcpu, rows[i].name, access.value);
        }
    }
}

static void report_gic(uint32_t vcpu)
{
    report_mapped(vcpu, distributor, ARRAY_SIZE(distributor), 0);
    if (has_gicv3(vcpu)) {
        report_mapped(vcpu, gicv3, ARRAY_SIZE(gicv3), 0);
        report_mapped(vcpu, redistributor, ARRAY_SIZE(redistributor),
                      0x20000ull * vcpu);
    } else {
        report_mapped(vcpu, gicv2, ARRAY_SIZE(gicv2), 0);
    }
}

void look(uint32_t vcpu)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
        report_call(vcpu, "", &calls[i]);
    }
    report_psci(vcpu);
    report_ptp(vcpu, "PTP_VIRTUAL", 0);
    report_ptp(vcpu, "PTP_PHYSICAL", 1);
    if (!vcpu) {
        report_all_calls(vcpu);
    }
    report_registers(vcpu);
    report_caches(vcpu);
    report_gic(vcpu);
}
