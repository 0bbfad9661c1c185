/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The lab's bare-metal guest: on request, it prints all that it can find out
 * about its machine. It shares start, exceptions and calls with the engine of
 * tests-qtest/hvc/guest.
 *
 * What it reads from its UART:
 *   r  report: lines NAME=HEX in memory, at CALLS_REPORT + 4; then it prints
 *      "REPORT SIZE". A function that is not there (NOT_SUPPORTED, -1) has no
 *      line.
 *   c  cycle: every secondary vCPU goes off and on again; then "CYCLED".
 * After each boot it prints "BOOT CPUS". All numbers are hexadecimal.
 */

#include "engine.h"
#include "arch.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define UART_DR      0x09000000
#define UART_FR      0x09000018
#define UART_CR      0x09000030
#define UART_EMPTY   (1u << 4)
#define UART_ENABLE  0x301

#define GICD_CTLR    0x08000000
#define GICR_ENABLE(vcpu) (0x080b0100 + 0x20000 * (uintptr_t)(vcpu))
#define VIRTUAL_TIMER_PPI 27

#define NOT_SUPPORTED (~0ull)

#define PSCI_CPU_OFF        0x84000002
#define PSCI_CPU_ON         0xc4000003
#define PSCI_AFFINITY_INFO  0xc4000004
#define PSCI_FEATURES       0x8400000a
#define PSCI_LAST           0x20
#define AFFINITY_OFF        1
#define ARCH_FEATURES       0x80000001
#define VENDOR_PTP          0x86000001

#define NS_PER_S 1000000000ull

/* start-a64.S */
struct Vcpu vcpus[CALLS_VCPUS];
uint8_t stacks[CALLS_VCPUS][STACK_SIZE] __attribute__((aligned(16)));
uint32_t started_at_el2;

#define REPORT_SIZE 16380

/* What a vCPU is told, and how far it is. No cache, so no stale copies. */
struct Slot {
    uint32_t alive;     /* how often it started */
    uint32_t wanted;    /* the report that it is to make */
    uint32_t reported;  /* the last one that it made */
    uint32_t go_off;
    uint64_t mpidr;
};

static struct Slot slots[CALLS_VCPUS];
static uint32_t online;
/* The latest PTP time; part of what migrates. */
static uint64_t ptp_latest;

/**
 * Report: what one vCPU found, as text in memory, where QEMU finds it too
 *
 * Not written to the UART: there, each character is an exit to QEMU, and
 * under emulation a report would take seconds.
 */
struct Report {
    uint32_t size;
    char text[REPORT_SIZE];
};

/* --- output --- */

static struct Report *report_of(uint32_t vcpu)
{
    return (struct Report *)CALLS_REPORT + vcpu;
}

static void emit(uint32_t vcpu, const char *text)
{
    struct Report *report = report_of(vcpu);

    while (*text && report->size < REPORT_SIZE) {
        report->text[report->size++] = *text++;
    }
}

/* The digits of @value, in a buffer of 17 characters */
static const char *hex(char *buffer, uint64_t value)
{
    char *digit = buffer + 16;

    *digit = '\0';
    do {
        *--digit = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    return digit;
}

static void emit_hex(uint32_t vcpu, uint64_t value)
{
    char buffer[17];

    emit(vcpu, hex(buffer, value));
}

static void emit_value(uint32_t vcpu, const char *name, uint64_t value)
{
    emit(vcpu, name);
    emit(vcpu, "=");
    emit_hex(vcpu, value);
    emit(vcpu, "\n");
}

/* A file is behind the UART, and never full. */
static void print(const char *text)
{
    while (*text) {
        write32(UART_DR, *text++);
    }
}

static void print_value(const char *name, uint64_t value)
{
    char buffer[17];

    print(name);
    print(" ");
    print(hex(buffer, value));
    print("\n");
}

/* --- calls --- */

static const uint64_t *call(uint32_t vcpu, uint64_t function, uint64_t x1,
                            uint64_t x2, uint64_t x3)
{
    struct Registers *in = &vcpus[vcpu].in;

    in->x[0] = function;
    in->x[1] = x1;
    in->x[2] = x2;
    in->x[3] = x3;
    perform_hvc(&vcpus[vcpu]);
    return vcpus[vcpu].out.x;
}

/**
 * Call: a function to ask
 * @name: what the report calls it
 * @function: its id
 * @argument: its x1
 * @results: how many of its results are the same each time
 */
struct Call {
    const char *name;
    uint64_t function;
    uint64_t argument;
    uint32_t results;
};

static const struct Call calls[] = {
    { "PSCI_VERSION", 0x84000000, 0, 1 },
    { "SMCCC_VERSION", 0x80000000, 0, 1 },
    { "ARCH_FEATURES_VERSION", ARCH_FEATURES, 0x80000000, 1 },
    { "ARCH_FEATURES_FEATURES", ARCH_FEATURES, ARCH_FEATURES, 1 },
    { "ARCH_FEATURES_SOC_ID", ARCH_FEATURES, 0x80000002, 1 },
    { "ARCH_FEATURES_WORKAROUND_1", ARCH_FEATURES, 0x80008000, 1 },
    { "ARCH_FEATURES_WORKAROUND_2", ARCH_FEATURES, 0x80007fff, 1 },
    { "ARCH_FEATURES_WORKAROUND_3", ARCH_FEATURES, 0x80003fff, 1 },
    { "ARCH_FEATURES_TRNG_VERSION", ARCH_FEATURES, 0x84000050, 1 },
    { "ARCH_FEATURES_PV_TIME", ARCH_FEATURES, 0xc5000020, 1 },
    { "ARCH_FEATURES_PV_TIME_ST", ARCH_FEATURES, 0xc5000021, 1 },
    { "ARCH_FEATURES_VENDOR", ARCH_FEATURES, 0x86000000, 1 },
    { "ARCH_FEATURES_PTP", ARCH_FEATURES, VENDOR_PTP, 1 },
    { "TRNG_VERSION", 0x84000050, 0, 1 },
    { "TRNG_FEATURES_VERSION", 0x84000051, 0x84000050, 1 },
    { "TRNG_FEATURES_RND32", 0x84000051, 0x84000053, 1 },
    { "TRNG_FEATURES_RND64", 0x84000051, 0xc4000053, 1 },
    { "TRNG_UUID", 0x84000052, 0, 4 },
    { "TRNG_RND32", 0x84000053, 32, 1 },
    { "TRNG_RND64", 0xc4000053, 64, 1 },
    { "TRNG_RND64_TOO_MANY", 0xc4000053, 193, 1 },
    { "TRNG_UNKNOWN", 0x84000054, 0, 4 },
    { "PV_TIME_FEATURES", 0xc5000020, 0xc5000020, 1 },
    { "PV_TIME_FEATURES_ST", 0xc5000020, 0xc5000021, 1 },
    { "PV_TIME_ST", 0xc5000021, 0, 1 },
    { "PV_TIME_UNKNOWN", 0xc5000022, 0, 4 },
    { "VENDOR_UID", 0x8600ff01, 0, 4 },
    { "VENDOR_FEATURES", 0x86000000, 0, 4 },
    { "VENDOR_UNKNOWN_2", 0x86000002, 0, 4 },
    { "VENDOR_UNKNOWN_40", 0xc6000040, 0, 4 },
    { "VENDOR_UNKNOWN_41", 0xc6000041, 0, 4 },
};

static void report_call(uint32_t vcpu, const struct Call *ask)
{
    const uint64_t *x = call(vcpu, ask->function, ask->argument, 0, 0);

    if (x[0] == NOT_SUPPORTED) {
        return;
    }
    emit(vcpu, ask->name);
    for (uint32_t i = 0; i < ask->results; i++) {
        emit(vcpu, i ? "," : "=");
        emit_hex(vcpu, x[i]);
    }
    emit(vcpu, "\n");
}

/* What PSCI says about every function that it may have */
static void report_psci(uint32_t vcpu)
{
    static const uint64_t bases[] = { 0x84000000, 0xc4000000 };

    for (uint32_t b = 0; b < ARRAY_SIZE(bases); b++) {
        for (uint32_t i = 0; i <= PSCI_LAST; i++) {
            uint64_t x0 = call(vcpu, PSCI_FEATURES, bases[b] + i,
                               0, 0)[0];

            if (x0 != NOT_SUPPORTED) {
                emit(vcpu, "PSCI_FEATURES_");
                emit_hex(vcpu, bases[b] + i);
                emit_value(vcpu, "", x0);
            }
        }
    }
}

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

/* --- registers --- */

/* A register may be undefined: then reading it ends guarded(). */
struct Reading {
    uint64_t (*read)(void);
    uint64_t value;
};

static void read_register(void *opaque)
{
    struct Reading *reading = opaque;

    reading->value = reading->read();
}

static void report_register(uint32_t vcpu, const char *name,
                            uint64_t (*read)(void))
{
    struct Reading reading = { .read = read };

    if (!guarded(&vcpus[vcpu], read_register, &reading)) {
        emit_value(vcpu, name, reading.value);
    }
}

#define READER(name, register)                                          \
    static uint64_t read_##name(void)                                   \
    {                                                                   \
        uint64_t value;                                                 \
                                                                        \
        asm volatile("mrs %0, " register : "=r" (value));               \
        return value;                                                   \
    }

/* ID_*_EL1: all of op0 3, op1 0, CRn 0, CRm 1 to 7 */
#define ID_READER(m, op) READER(id_##m##_##op, "s3_0_c0_c" #m "_" #op)
#define ID_ROW(m, op)    { "ID_C" #m "_" #op, read_id_##m##_##op },
#define OPS(ROW, m) \
    ROW(m, 0) ROW(m, 1) ROW(m, 2) ROW(m, 3) \
    ROW(m, 4) ROW(m, 5) ROW(m, 6) ROW(m, 7)
#define IDS(ROW) \
    OPS(ROW, 1) OPS(ROW, 2) OPS(ROW, 3) OPS(ROW, 4) \
    OPS(ROW, 5) OPS(ROW, 6) OPS(ROW, 7)

IDS(ID_READER)
READER(midr, "midr_el1")
READER(revidr, "revidr_el1")
READER(aidr, "s3_1_c0_c0_7")
READER(ctr, "ctr_el0")
READER(dczid, "dczid_el0")
READER(clidr, "s3_1_c0_c0_1")
READER(ccsidr, "s3_1_c0_c0_0")
READER(cntfrq, "cntfrq_el0")
READER(pmcr, "pmcr_el0")
READER(pmceid0, "pmceid0_el0")
READER(pmceid1, "pmceid1_el0")
READER(pmmir, "s3_0_c9_c14_6")

static const struct {
    const char *name;
    uint64_t (*read)(void);
} registers[] = {
    { "MIDR_EL1", read_midr },
    { "REVIDR_EL1", read_revidr },
    { "AIDR_EL1", read_aidr },
    { "CTR_EL0", read_ctr },
    { "DCZID_EL0", read_dczid },
    { "CLIDR_EL1", read_clidr },
    { "CNTFRQ_EL0", read_cntfrq },
    IDS(ID_ROW)
};

static const struct {
    const char *name;
    uint64_t (*read)(void);
} pmu_registers[] = {
    { "PMCR_EL0", read_pmcr },
    { "PMCEID0_EL0", read_pmceid0 },
    { "PMCEID1_EL0", read_pmceid1 },
    { "PMMIR_EL1", read_pmmir },
};

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
            asm volatile("msr csselr_el1, %0\n\tisb" : : "r" (select));
            report_register(vcpu, names[select], read_ccsidr);
        }
    }
    asm volatile("msr csselr_el1, xzr\n\tisb");
}

/* The PMU is there if ID_AA64DFR0_EL1.PMUVer says so. */
static void report_pmu(uint32_t vcpu)
{
    uint32_t version = read_id_5_0() >> 8 & 15;

    if (!version || version == 15) {
        return;
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(pmu_registers); i++) {
        report_register(vcpu, pmu_registers[i].name, pmu_registers[i].read);
    }
}

/* --- reports --- */

static void make_report(uint32_t vcpu)
{
    report_of(vcpu)->size = 0;
    for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
        report_call(vcpu, &calls[i]);
    }
    report_psci(vcpu);
    report_ptp(vcpu, "PTP_VIRTUAL", 0);
    report_ptp(vcpu, "PTP_PHYSICAL", 1);
    for (uint32_t i = 0; i < ARRAY_SIZE(registers); i++) {
        report_register(vcpu, registers[i].name, registers[i].read);
    }
    report_caches(vcpu);
    report_pmu(vcpu);
}

/* FNV-1a */
static uint64_t digest_of(const struct Report *report)
{
    uint64_t digest = 0xcbf29ce484222325;

    for (uint32_t i = 0; i < report->size; i++) {
        digest = (digest ^ (uint8_t)report->text[i]) * 0x100000001b3;
    }
    return digest;
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

/* For an end of WFI only: interrupts stay masked, none is ever taken. */
static void enable_timer_interrupt(uint32_t vcpu)
{
    write32(GICD_CTLR, 2);
    write32(GICR_ENABLE(vcpu), 1u << VIRTUAL_TIMER_PPI);
    /* ICC_PMR_EL1: any priority */
    asm volatile("msr s3_0_c4_c6_0, %0\n\tisb" : : "r" (0xffull));
}

static void sleep_a_little(void)
{
    set_virtual_timer(counter_frequency() / 100);
    wfi();
}

/* Waits until the word is at least @value. The one who asked is patient. */
static void await(const uint32_t *word, uint32_t value)
{
    while (load(word) < value) {
        sleep_a_little();
    }
}

static void report_secondary(uint32_t vcpu)
{
    store(&slots[vcpu].wanted, load(&slots[vcpu].wanted) + 1);
    await(&slots[vcpu].reported, load(&slots[vcpu].wanted));
    emit(0, "CPU_");
    emit_hex(0, vcpu);
    emit(0, "=");
    emit_hex(0, slots[vcpu].mpidr);
    emit(0, ",");
    emit_hex(0, digest_of(report_of(vcpu)));
    emit(0, "\n");
}

static void report_all(void)
{
    make_report(0);
    for (uint32_t i = 1; i < online; i++) {
        report_secondary(i);
    }
    print_value("REPORT", report_of(0)->size);
}

/* --- vCPUs --- */

static uint64_t own_mpidr(void)
{
    uint64_t value;

    asm volatile("mrs %0, mpidr_el1" : "=r" (value));
    return value & 0xff00ffffff;
}

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

static void cycle_secondaries(void)
{
    for (uint32_t i = 1; i < online; i++) {
        uint32_t lives = load(&slots[i].alive);

        store(&slots[i].go_off, 1);
        while (call(0, PSCI_AFFINITY_INFO, i, 0, 0)[0] != AFFINITY_OFF) {
            sleep_a_little();
        }
        store(&slots[i].go_off, 0);
        if (!cpu_on(i)) {
            print("CPU_ON refused\n");
            return;
        }
        await(&slots[i].alive, lives + 1);
    }
    print("CYCLED\n");
}

static void be_secondary(uint32_t vcpu)
{
    struct Slot *slot = &slots[vcpu];

    enable_timer_interrupt(vcpu);
    slot->mpidr = own_mpidr();
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
        sleep_a_little();
    }
}

static const struct {
    char name;
    void (*function)(void);
} commands[] = {
    { 'r', report_all },
    { 'c', cycle_secondaries },
};

static void obey(char name)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (commands[i].name == name) {
            commands[i].function();
        }
    }
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
    enable_timer_interrupt(0);
    write32(UART_CR, UART_ENABLE);
    start_secondaries();
    print_value("BOOT", online);
    for (;;) {
        if (!(read32(UART_FR) & UART_EMPTY)) {
            obey(read32(UART_DR));
        }
        sleep_a_little();
    }
}
