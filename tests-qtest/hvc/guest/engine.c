/*
 * The call engine: a bare-metal guest that makes the calls it is told to make
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Runs on QEMU's virt machine with one to eight vCPUs, without MMU or
 * interrupts. calls.h says how it is used.
 */

#include <stddef.h>
#include "arch.h"
#include "engine.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The virt machine */
#define UART_DR     0x09000000
#define UART_FR     0x09000018
#define UART_FULL   (1u << 5)
#define UART_CR     0x09000030
#define UART_ENABLE 0x301
#define GICD_CTLR       0x08000000
#define GICD_ISENABLER0 0x08000100
#define GICC_CTLR       0x08010000
#define GICC_PMR        0x08010004
#define VIRTUAL_TIMER_PPI 27

/* Arm DEN 0022: function ids of PSCI; bit 30: SMC64 */
#define PSCI_SYSTEM_OFF 0x84000008
#define SMC64           0x40000000

/* AArch64: X4 to X30. AArch32: R4 to R12, and LR, which is R14 */
#define FIRST_PRESERVED 4
#define GENERAL_REGISTERS (ARCH_64BIT ? 31 : 15)
#define SIMD_WORDS        (ARCH_64BIT ? 64 : 32)

#define CHECK_OFFSET(name, field)                                       \
    _Static_assert(VCPU_##name == offsetof(struct Vcpu, field), #field)
CHECK_OFFSET(IN_X, in.x);
CHECK_OFFSET(IN_SP, in.sp);
CHECK_OFFSET(IN_Q, in.q);
CHECK_OFFSET(OUT, out);
CHECK_OFFSET(CALL_SP, call_sp);
CHECK_OFFSET(ABORT_SP, abort_sp);
CHECK_OFFSET(VECTOR, vector);
CHECK_OFFSET(SYNDROME, syndrome);
CHECK_OFFSET(PC, pc);
CHECK_OFFSET(FAULT, fault);
_Static_assert(VCPU_SIZE == sizeof(struct Vcpu), "VCPU_SIZE");

struct Vcpu vcpus[CALLS_VCPUS];
uint8_t stacks[CALLS_VCPUS][STACK_SIZE] __attribute__((aligned(16)));
uint32_t started_at_el2;

static struct CallReport *const report = (void *)CALLS_REPORT;

/* One step on its way through the functions below. */
struct Work {
    uint32_t vcpu;
    uint32_t number;
    const struct CallStep *step;
    struct CallResult *result;
};

/* Without a list: what a curious person would ask. */
#define TOUR(...) { .vcpus = 1, .x = { __VA_ARGS__ } }
static const struct CallStep tour[] = {
    TOUR(0x84000000),               /* PSCI_VERSION */
    TOUR(0x8400000a, 0x80000000),   /* PSCI_FEATURES: SMCCC_VERSION? */
    TOUR(0x8400000a, 0x84000012),   /* PSCI_FEATURES: SYSTEM_RESET2? */
    TOUR(0x8400000a, 0x84000015),   /* PSCI_FEATURES: SYSTEM_OFF2? */
    TOUR(0x80000000),               /* SMCCC_VERSION */
    TOUR(0x80000001, 0x80008000),   /* ARCH_FEATURES: WORKAROUND_1? */
    TOUR(0x80000001, 0x80007fff),   /* ARCH_FEATURES: WORKAROUND_2? */
    TOUR(0x80000001, 0x80003fff),   /* ARCH_FEATURES: WORKAROUND_3? */
    TOUR(0x80000001, 0xc5000020),   /* ARCH_FEATURES: PV_TIME_FEATURES? */
    TOUR(0x84000050),               /* TRNG_VERSION */
    TOUR(0x84000052),               /* TRNG_GET_UUID */
    TOUR(0x84000053, 96),           /* TRNG_RND32 */
    TOUR(0xc4000053, 192),          /* TRNG_RND64 */
    TOUR(0xc5000020, 0xc5000021),   /* PV_TIME_FEATURES: PV_TIME_ST? */
    TOUR(0xc5000021),               /* PV_TIME_ST */
    TOUR(0x8600ff01),               /* CALL_UID of the hypervisor */
    TOUR(0x86000000),               /* its FEATURES */
    TOUR(0x86000001, 0),            /* PTP, virtual counter */
    TOUR(0x86000001, 1),            /* PTP, physical counter */
};

static const struct CallStep *steps = tour;
static uint32_t step_count = ARRAY_SIZE(tour);
static uint32_t list_flags = CALLS_PRINT | CALLS_POWER_OFF;

static void print(const char *text)
{
    while (*text) {
        while (read32(UART_FR) & UART_FULL) {
            yield();
        }
        write32(UART_DR, *text++);
    }
}

static void print_hex(uint64_t value)
{
    char text[19];
    char *digit = text + sizeof(text) - 1;

    *digit = '\0';
    do {
        *--digit = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    *--digit = 'x';
    *--digit = '0';
    print(digit);
}

static struct CallResult *result_of(uint32_t vcpu, uint32_t number)
{
    uint32_t boot = report->boots - 1;

    return &report->result[(boot * CALLS_VCPUS + vcpu) * step_count + number];
}

static bool uses_smc(const struct CallStep *step)
{
    return step->conduit == CALL_CONDUIT_SMC ||
           (step->conduit == CALL_CONDUIT_OWN && started_at_el2);
}

static Perform *performer(const struct CallStep *step)
{
    if (step->op == CALL_CLOBBER) {
        return perform_clobber;
    }
    if (uses_smc(step)) {
        return step->immediate ? perform_smc_immediate : perform_smc;
    }
    return step->immediate ? perform_hvc_immediate : perform_hvc;
}

/* Registers get values that a careless callee would not leave there. */
static uint64_t pattern(uint32_t number, uint32_t index)
{
    uint64_t value = 0x9e3779b97f4a7c15 * (64 * number + index + 1);

    value ^= value >> 29;
    value *= 0xbf58476d1ce4e5b9;
    return ARCH_64BIT || index >= 32 ? value : (uint32_t)value;
}

static uint64_t changes(const struct Registers *in,
                        const struct Registers *out)
{
    const uint32_t words = SIMD_WORDS / 32;
    uint64_t changed = 0;

    for (uint32_t i = FIRST_PRESERVED; i < GENERAL_REGISTERS; i++) {
        changed |= (uint64_t)(in->x[i] != out->x[i]) << i;
    }
    if (in->sp != out->sp) {
        changed |= CALL_CHANGED_SP;
    }
    for (uint32_t i = 0; i < SIMD_WORDS; i++) {
        if (in->q[i] != out->q[i]) {
            changed |= CALL_CHANGED_Q(i / words);
        }
    }
    return changed;
}

/* AArch32 has no register 13 but SP, and its registers have 32 bits. */
static void fit_registers(struct Registers *registers)
{
    for (uint32_t i = 0; !ARCH_64BIT && i < ARRAY_SIZE(registers->x); i++) {
        registers->x[i] = i == 13 ? 0 : (uint32_t)registers->x[i];
    }
    if (!ARCH_64BIT) {
        registers->sp = (uint32_t)registers->sp;
    }
}

static void call(struct Work *work, const uint64_t *x)
{
    struct Vcpu *vcpu = &vcpus[work->vcpu];
    struct Registers *in = &vcpu->in;
    struct Registers *out = &vcpu->out;

    for (uint32_t i = 0; i < ARRAY_SIZE(in->x); i++) {
        in->x[i] = i < 8 ? x[i] : pattern(work->number, i);
    }
    in->sp = pattern(work->number, 31);
    for (uint32_t i = 0; i < ARRAY_SIZE(in->q); i++) {
        in->q[i] = pattern(work->number, 32 + i);
    }
    fit_registers(in);
    for (uint32_t i = 0; i < sizeof(*out) / 8; i++) {
        ((uint64_t *)out)[i] = 0;
    }
    performer(work->step)(vcpu);

    for (uint32_t i = 0; i < 4; i++) {
        work->result->x[i] = out->x[i];
    }
    work->result->changed |= changes(in, out);
}

static void call_cpu_on(struct Work *work)
{
    const uint64_t *x = work->step->x;
    uint64_t context = CALLS_CONTEXT | (uint32_t)x[5] << 4 | (uint32_t)x[4];
    bool wide = ARCH_64BIT && x[0] & SMC64;
    uint64_t registers[8] = { x[0], x[1], (uintptr_t)secondary, context };

    if (wide) {
        registers[3] |= (uint64_t)CALLS_CONTEXT_UPPER << 32;
    }
    for (uint32_t i = 4; i < 8; i++) {
        registers[i] = pattern(work->number, i);
    }
    call(work, registers);
}

/* Has the step's patience run out? Lets others run meanwhile. */
static bool waited_too_long(struct Work *work, uint64_t since)
{
    uint64_t patience = (uint64_t)CALLS_PATIENCE * counter_frequency();

    yield();
    if (virtual_counter() - since > patience) {
        work->result->state = CALL_GAVE_UP;
        return true;
    }
    return false;
}

static bool all_are_here(struct Work *work)
{
    for (uint32_t i = 0; i < CALLS_VCPUS; i++) {
        uint32_t progress = read32((uintptr_t)&report->progress[i]);

        if (work->step->vcpus >> i & 1 && progress <= work->number) {
            return false;
        }
    }
    dmb();
    return true;
}

static void set_timer(uint32_t ticks)
{
    write32(GICD_CTLR, 1);
    write32(GICD_ISENABLER0, 1u << VIRTUAL_TIMER_PPI);
    write32(GICC_PMR, 0xff);
    write32(GICC_CTLR, 1);
    set_virtual_timer(ticks);
}

static void perform(void *opaque)
{
    struct Work *work = opaque;
    const struct CallStep *step = work->step;
    struct CallResult *result = work->result;
    uint64_t since = virtual_counter();
    uint64_t address = step->x[0];

    if (step->base) {
        address += result_of(work->vcpu, step->base - 1)->x[0];
    }
    switch (step->op) {
    case CALL_PLAIN:
    case CALL_CLOBBER:
        call(work, step->x);
        break;
    case CALL_POLL:
        do {
            call(work, step->x);
        } while (result->x[0] != step->x[7] && !waited_too_long(work, since));
        break;
    case CALL_CPU_ON:
        call_cpu_on(work);
        break;
    case CALL_COUNTERS:
        result->x[0] = virtual_counter();
        result->x[1] = physical_counter();
        result->x[2] = counter_frequency();
        break;
    case CALL_READ:
        for (uint32_t i = 0; i < 4; i++) {
            result->x[i] = read64(address + 8 * i);
        }
        break;
    case CALL_WRITE:
        for (uint32_t i = 0; i < 4; i++) {
            write64(address + 8 * i, step->x[4 + i]);
        }
        break;
    case CALL_AWAIT:
        do {
            result->x[0] = read64(address);
        } while (result->x[0] < step->x[1] && !waited_too_long(work, since));
        break;
    case CALL_WAIT:
        while (virtual_counter() - since < step->x[0]) {
            yield();
        }
        break;
    case CALL_TIMER:
        set_timer(step->x[0]);
        break;
    case CALL_WFI:
        wfi();
        break;
    case CALL_BARRIER:
        while (!all_are_here(work) && !waited_too_long(work, since)) {
            continue;
        }
        break;
    }
}

static void perform_step(uint32_t vcpu, uint32_t number)
{
    struct Work work = {
        .vcpu = vcpu,
        .number = number,
        .step = &steps[number],
        .result = result_of(vcpu, number),
    };
    const struct Vcpu *self = &vcpus[vcpu];

    write32((uintptr_t)&report->progress[vcpu], number + 1);
    dmb();
    if (guarded(&vcpus[vcpu], perform, &work)) {
        work.result->vector = self->vector;
        work.result->syndrome = self->syndrome;
        work.result->pc = self->pc;
        work.result->fault = self->fault;
        work.result->state = CALL_EXCEPTION;
    } else if (work.result->state == CALL_NOT_RUN) {
        work.result->state = CALL_DONE;
    }
}

static bool performs(uint32_t vcpu, const struct CallStep *step)
{
    return step->vcpus >> vcpu & 1 &&
           (!step->boot || step->boot == report->boots);
}

static void print_result(uint32_t vcpu, uint32_t number)
{
    const struct CallStep *step = &steps[number];
    const struct CallResult *result = result_of(vcpu, number);
    uint32_t arguments = 7;

    if (!performs(vcpu, step) || step->op > CALL_CPU_ON) {
        return;
    }
    if (vcpu) {
        print("cpu ");
        print_hex(vcpu);
        print(": ");
    }
    print(uses_smc(step) ? "smc" : "hvc");
    while (arguments && (arguments > 3 || !step->x[arguments])) {
        arguments--;
    }
    for (uint32_t i = 0; i <= arguments; i++) {
        print(" ");
        print_hex(step->x[i]);
    }
    if (result->state != CALL_DONE) {
        print(result->state == CALL_EXCEPTION ? "\tException: " :
              result->state == CALL_GAVE_UP ? "\tGave up" : "\tNot run");
        if (result->state == CALL_EXCEPTION) {
            print_hex(result->syndrome);
            print(" at ");
            print_hex(result->pc);
        }
        print("\n");
        return;
    }
    print("\tRes: ");
    for (uint32_t i = 0; i < 4; i++) {
        print(" ");
        print_hex(result->x[i]);
    }
    if (result->changed) {
        print(" Changed: ");
        print_hex(result->changed);
    }
    print("\n");
}

static void start(void)
{
    const struct CallList *list = (const void *)CALLS_LIST;

    if (list->magic == CALLS_MAGIC) {
        steps = list->step;
        step_count = list->steps;
        list_flags = list->flags;
    }
    for (uint32_t i = 0; i < CALLS_VCPUS; i++) {
        report->progress[i] = 0;
    }
    report->steps = step_count;
    report->el = exception_level();
    report->boots++;
    write32(UART_CR, UART_ENABLE);
    dmb();
}

static void finish(void)
{
    static const struct CallStep off = { .op = CALL_PLAIN };
    struct Vcpu *vcpu = &vcpus[0];

    for (uint32_t v = 0; list_flags & CALLS_PRINT && v < CALLS_VCPUS; v++) {
        for (uint32_t i = 0; i < step_count; i++) {
            print_result(v, i);
        }
    }
    dmb();
    write32((uintptr_t)&report->done, report->boots);
    dmb();
    if (list_flags & CALLS_POWER_OFF) {
        vcpu->in.x[0] = PSCI_SYSTEM_OFF;
        performer(&off)(vcpu);
    }
}

/**
 * engine: perform the list's steps
 * @context: 0 on the first vCPU, else what CPU_ON was given
 *
 * Called by the assembly on a stack of its own. vCPU 0 decides when the list
 * is done.
 */
void engine(uint64_t context)
{
    uint32_t vcpu = context & (CALLS_VCPUS - 1);
    uint32_t number = (uint32_t)(context & ~CALLS_CONTEXT) >> 4;

    if (!context) {
        start();
        /* A list that resets the machine each time is a mistake. */
        if (report->boots > CALLS_BOOTS) {
            return;
        }
    }
    report->context[vcpu] = context;
    for (; number < step_count; number++) {
        if (performs(vcpu, &steps[number])) {
            perform_step(vcpu, number);
        }
    }
    if (!vcpu) {
        finish();
    }
}
