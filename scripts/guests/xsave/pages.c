/*
 * A bare-metal guest that shares its pages, writes them and takes them back
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Each CPU has pages of its own. For ever it tells its host of some of them, by
 * KVM_HC_MAP_GPA_RANGE, writes them, and reads all of them; what it has told
 * and what it has written it notes down, where a test reads it. In between it
 * makes calls that have to be refused. Without the call, which CPUID tells of,
 * it only writes and reads. When it boots it may have a device copy pages that
 * it shares, and one that it does not.
 */

#include <stdint.h>
#include "cpu.h"
#include "layout.h"

#define PAGE_SIZE 0x1000ull

/* Linux Documentation/virt/kvm/x86/cpuid.rst, hypercalls.rst, msr.rst */
#define KVM_LEAF            0x40000000u
#define KVM_FEATURES        0x40000001u
#define KVM_NAME            0x4b4d564bu
#define HC_MAP_GPA_RANGE    16
#define MIGRATION_CONTROL   17
#define MAP_GPA_RANGE       12
#define PRIVATE             0x10
#define MSR_CONTROL         0x4b564d08u
#define READY               1
#define EINVAL_RESULT       (-22ll)

/* PCI Local Bus 3.0, 3.2.2.3.2 and 6.1 */
#define PCI_ADDRESS     0xcf8
#define PCI_DATA        0xcfc
#define PCI_COMMAND     0x04
#define PCI_BAR0        0x10
#define PCI_MASTER      6

/*
 * QEMU docs/specs/edu.rst: its registers, where this guest puts them, and its
 * buffer of a page, by an address of its own
 */
#define EDU             0xe0000000ull
#define EDU_SOURCE      0x80
#define EDU_TARGET      0x88
#define EDU_COUNT       0x90
#define EDU_COMMAND     0x98
#define EDU_BUFFER      0x40000
#define EDU_FROM_MEMORY 1
#define EDU_TO_MEMORY   3
#define EDU_RUNS        1

#define GENERAL_PROTECTION 13

/* A hostile call in so many rounds */
#define HOSTILE_PERIOD 4
/* Words of a page that are written and read */
#define WORDS     8
#define WORD_STEP (PAGE_SIZE / 8 / WORDS)

/**
 * Parameters: what the test wants; it writes them before the VM starts
 * @cpus: so many CPUs are to share pages, at most MAX_CPUS
 * @ready: not 0 to say that the VM can be migrated
 * @coming: address of a page that comes and goes, which the first CPU shares in
 *         each round while it is there; 0: none
 * @edu: address of QEMU's device edu in PCI's configuration space, bit 31 set;
 *       0: none
 */
typedef struct Parameters {
    uint64_t cpus;
    uint64_t ready;
    uint64_t coming;
    uint64_t edu;
} Parameters;

/**
 * Results: what the test reads; scripts/qemu_hvc/pages_guest.py
 * @features: EAX of KVM's leaf; 0 if there is none
 * @boots: how often the guest booted
 * @control: MSR_KVM_MIGRATION_CONTROL when the guest booted, before it wrote it
 * @faults: how often a value with other bits was written to it; #GP each time
 * @unfaulted: how often there was none
 * @came: how often the page that comes and goes could be shared
 * @copied: what the device did: COPIED_* bits, or 0 if there is none
 */
typedef struct Results {
    uint64_t features;
    uint64_t boots;
    uint64_t control;
    uint64_t faults;
    uint64_t unfaulted;
    uint64_t came;
    uint64_t copied;
} Results;

/* The device has been asked for all of it */
#define COPIED_ALL     1
/* From a shared page to a shared page */
#define COPIED_SHARED  2
/* To the private page, and from it */
#define WROTE_PRIVATE  4
#define READ_PRIVATE   8

/**
 * CpuState: what a CPU says
 * @rounds: how often it has told, written and read
 * @errors: calls that were refused, and words that were not what was written
 * @bad: the call's result, or the word, of the first one
 * @bad_at: the address that it was about
 * @hostile: calls that had to be refused
 * @granted: those that were not
 * @calling: 1 while it makes a call: one for @pages pages from @address on,
 *           which are then @shares
 * @shared: which pages it shares, when no call is being made
 * @written: how often it has written each page
 */
typedef struct CpuState {
    uint64_t rounds;
    uint64_t errors;
    uint64_t bad;
    uint64_t bad_at;
    uint64_t hostile;
    uint64_t granted;
    uint64_t calling;
    uint64_t address;
    uint64_t pages;
    uint64_t shares;
    uint8_t shared[AREA_PAGES];
    uint64_t written[AREA_PAGES];
} CpuState;

/* volatile: the test reads it while the guest runs */
typedef volatile CpuState SeenState;
/* volatile: what was written is to be read, not remembered */
typedef volatile uint64_t Word;
/* volatile: a device has it */
typedef volatile uint64_t DeviceWord;

/* volatile: the test reads and writes them while the guest runs */
#define parameters ((volatile Parameters *)PARAMETERS)
#define results    ((volatile Results *)RESULTS) /* as above */

typedef struct Cpuid {
    uint32_t eax, ebx, ecx, edx;
} Cpuid;

static Cpuid cpuid(uint32_t leaf)
{
    Cpuid r;

    asm volatile("cpuid" : "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx),
                 "=d" (r.edx) : "a" (leaf), "c" (0));
    return r;
}

static void outl(uint16_t port, uint32_t value)
{
    asm volatile("outl %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

/* KVM cannot put the CPU's own instruction in place of another in a ROM. */
static int64_t map_gpa_range(uint64_t address, uint64_t pages,
                             uint64_t attributes)
{
    int64_t result = MAP_GPA_RANGE;

    if (cpuid(0).ebx == 0x756e6547) { /* "Genu" */
        asm volatile("vmcall" : "+a" (result) : "b" (address), "c" (pages),
                     "d" (attributes) : "memory");
    } else {
        asm volatile("vmmcall" : "+a" (result) : "b" (address), "c" (pages),
                     "d" (attributes) : "memory");
    }
    return result;
}

/* #GP of a WRMSR, which has two bytes */
asm(".text\n"
    "skip_wrmsr:\n\t"
    "addq $8, %rsp\n\t"
    "addq $2, (%rsp)\n\t"
    "movl $1, %eax\n\t"
    "iretq\n");

static void catch_faults(void)
{
    uint64_t handler;

    asm("movl $skip_wrmsr, %k0" : "=r" (handler));
    set_gate(GENERAL_PROTECTION, handler);
}

static void write_bad_control(uint64_t value)
{
    uint32_t faulted = 0;

    /* EAX tells: the low half of the values is not 1. */
    asm volatile("wrmsr" : "=a" (faulted) : "a" ((uint32_t)value),
                 "c" (MSR_CONTROL), "d" ((uint32_t)(value >> 32)) : "memory");
    if (faulted == 1) {
        results->faults++;
    } else {
        results->unfaulted++;
    }
}

static void use_migration_control(void)
{
    results->control = rdmsr(MSR_CONTROL);
    catch_faults();
    write_bad_control(2);
    write_bad_control(1ull << 63);
    write_bad_control(~0ull);
    if (parameters->ready) {
        wrmsr(MSR_CONTROL, READY);
    }
}

static void note(SeenState *cpu, uint64_t bad, uint64_t at)
{
    if (!cpu->errors) {
        cpu->bad = bad;
        cpu->bad_at = at;
    }
    cpu->errors++;
}

static uint64_t area_of(unsigned id)
{
    return AREAS + id * AREA_PAGES * PAGE_SIZE;
}

static uint64_t word_of(uint64_t at, uint64_t written)
{
    return written ? at * 0x9e3779b97f4a7c15ull ^ written : 0;
}

/* xorshift64 of Marsaglia's */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void tell(SeenState *cpu, unsigned id, unsigned first,
                 unsigned count, int shares)
{
    int64_t result;

    cpu->address = area_of(id) + first * PAGE_SIZE;
    cpu->pages = count;
    cpu->shares = shares;
    cpu->calling = 1;
    result = map_gpa_range(cpu->address, count, shares ? 0 : PRIVATE);
    if (result) {
        note(cpu, result, cpu->address);
    }
    for (unsigned i = first; i < first + count; i++) {
        cpu->shared[i] = shares;
    }
    cpu->calling = 0;
}

static void write_pages(SeenState *cpu, unsigned id, unsigned first,
                        unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        Word *page = (Word *)(area_of(id) + i * PAGE_SIZE);

        cpu->written[i]++;
        for (unsigned word = 0; word < WORDS; word++) {
            page[word * WORD_STEP] = word_of((uint64_t)&page[word * WORD_STEP],
                                             cpu->written[i]);
        }
    }
}

static void read_pages(SeenState *cpu, unsigned id)
{
    for (unsigned i = 0; i < AREA_PAGES; i++) {
        Word *page = (Word *)(area_of(id) + i * PAGE_SIZE);

        for (unsigned word = 0; word < WORDS; word++) {
            uint64_t at = (uint64_t)&page[word * WORD_STEP];
            uint64_t found = page[word * WORD_STEP];

            if (found != word_of(at, cpu->written[i])) {
                note(cpu, found, at);
            }
        }
    }
}

/* Some of these KVM answers itself, some QEMU. */
static void be_hostile(SeenState *cpu, uint64_t random)
{
    static const struct {
        uint64_t address, pages, attributes;
    } calls[] = {
        { AREAS, 0, 0 },
        { AREAS + 1, 1, 0 },
        { AREAS + 0xfff, 1, PRIVATE },
        { AREAS, ~0ull, 0 },
        { AREAS, 1ull << 52, 0 },
        { AREAS, (1ull << 52) + 1, PRIVATE },
        { AREAS, 1ull << 40, 0 },
        { -PAGE_SIZE, 1, 0 },
        { -PAGE_SIZE, 2, 0 },
        { 1ull << 63, 1ull << 51, PRIVATE },
        { APIC, 1, 0 },
        { 0xfec00000, 1, 0 },
        { 0xe0000000, 0x100, PRIVATE },
        { 0, 0x100000, 0 },
        { ROM, 1, 0 },
        { AREAS, 1, 0x20 },
        { AREAS, 1, 1ull << 63 | PRIVATE },
        { AREAS, 1, ~0ull },
    };
    unsigned i = random % (sizeof(calls) / sizeof(calls[0]));

    cpu->hostile++;
    if (map_gpa_range(calls[i].address, calls[i].pages,
                      calls[i].attributes) != EINVAL_RESULT) {
        cpu->granted++;
    }
}

/* A page that is not there is refused, as an address of no memory is. */
static void share_coming(SeenState *cpu)
{
    int64_t result = map_gpa_range(parameters->coming, 1, 0);

    if (!result) {
        results->came++;
    } else if (result != EINVAL_RESULT) {
        note(cpu, result, parameters->coming);
    }
}

static void set_pci(uint32_t address, uint32_t value)
{
    outl(PCI_ADDRESS, address);
    outl(PCI_DATA, value);
}

static DeviceWord *edu_word(uint64_t at)
{
    return (DeviceWord *)(EDU + at);
}

static void copy(uint64_t target, uint64_t source, uint64_t command)
{
    *edu_word(EDU_SOURCE) = source;
    *edu_word(EDU_TARGET) = target;
    *edu_word(EDU_COUNT) = PAGE_SIZE;
    *edu_word(EDU_COMMAND) = command;
    while (*edu_word(EDU_COMMAND) & EDU_RUNS) {
        asm volatile("");
    }
}

static void fill_page(Word *page, uint64_t number)
{
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++) {
        page[i] = word_of((uint64_t)&page[i], number);
    }
}

/* Of what fill_page() wrote at another address */
static int is_filled(Word *page, Word *first, uint64_t number)
{
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++) {
        if (page[i] != word_of((uint64_t)&first[i], number)) {
            return 0;
        }
    }
    return 1;
}

/* Two pages that the guest shares, if it can, and one that it does not */
static void use_edu(int can_tell)
{
    Word *source = (Word *)DMA_PAGES;
    Word *target = (Word *)(DMA_PAGES + PAGE_SIZE);
    Word *private = (Word *)(DMA_PAGES + 2 * PAGE_SIZE);

    set_pci(parameters->edu + PCI_BAR0, EDU);
    set_pci(parameters->edu + PCI_COMMAND, PCI_MASTER);
    if (can_tell) {
        map_gpa_range(DMA_PAGES, 2, 0);
    }
    results->copied = 0;
    fill_page(source, 1);
    fill_page(target, 2);
    fill_page(private, 3);
    copy(EDU_BUFFER, (uint64_t)source, EDU_FROM_MEMORY);
    copy((uint64_t)target, EDU_BUFFER, EDU_TO_MEMORY);
    if (is_filled(target, source, 1)) {
        results->copied |= COPIED_SHARED;
    }
    copy((uint64_t)private, EDU_BUFFER, EDU_TO_MEMORY);
    if (!is_filled(private, private, 3)) {
        results->copied |= WROTE_PRIVATE;
    }
    fill_page(private, 4);
    copy(EDU_BUFFER, (uint64_t)private, EDU_FROM_MEMORY);
    copy((uint64_t)target, EDU_BUFFER, EDU_TO_MEMORY);
    if (is_filled(target, private, 4)) {
        results->copied |= READ_PRIVATE;
    }
    results->copied |= COPIED_ALL;
}

static uint64_t kvm_features(void)
{
    Cpuid name = cpuid(KVM_LEAF);

    return name.ebx == KVM_NAME && name.eax >= KVM_FEATURES ?
           cpuid(KVM_FEATURES).eax : 0;
}

static void boot(void)
{
    Word *words = (Word *)CPUS;

    /* Memory outlives a reset, pages that were shared do not. */
    for (unsigned i = 0; i < MAX_CPUS * CPU_SIZE / 8; i++) {
        words[i] = 0;
    }
    words = (Word *)AREAS;
    for (unsigned i = 0; i < MAX_CPUS * AREA_PAGES * PAGE_SIZE / 8; i++) {
        words[i] = 0;
    }
    results->features = kvm_features();
    if (results->features >> MIGRATION_CONTROL & 1) {
        use_migration_control();
    }
    if (parameters->edu) {
        use_edu(results->features >> HC_MAP_GPA_RANGE & 1);
    }
    results->boots++;
    if (parameters->cpus > 1) {
        start_others();
    }
}

/* Called by start.S, in 64-bit mode */
int main(unsigned id)
{
    SeenState *cpu = (SeenState *)(CPUS + (uint64_t)id * CPU_SIZE);
    uint64_t random = 88172645463325252ull + id;
    int can_tell;

    _Static_assert(sizeof(CpuState) <= CPU_SIZE, "a CPU's state is too big");
    if (!id) {
        boot();
    }
    can_tell = results->features >> HC_MAP_GPA_RANGE & 1;
    while (id < parameters->cpus) {
        unsigned first = next_random(&random) % AREA_PAGES;
        unsigned count = 1 + next_random(&random) % (AREA_PAGES - first);

        if (next_random(&random) & 3) {
            count = 1 + count % 4;
            first = first + count > AREA_PAGES ? 0 : first;
        }
        if (can_tell) {
            tell(cpu, id, first, count, next_random(&random) & 1);
            if (next_random(&random) % HOSTILE_PERIOD == 0) {
                be_hostile(cpu, next_random(&random));
            }
            if (!id && parameters->coming) {
                share_coming(cpu);
            }
        }
        write_pages(cpu, id, first, count);
        read_pages(cpu, id);
        cpu->rounds++;
    }
    for (;;) {
        asm volatile("hlt");
    }
}
