/*
 * Tests of the answers in each kind of VM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "case.h"

/* Bit 31 says fast call, bit 16 that the caller has no SVE state. */
#define FAST_CALL (1u << 31)
#define SVE_HINT  (1u << 16)

static const Spec floors[] = {
    { "none",       { 0, PSCI(1, 1) } },
    { "linux-5.10", { 0, PSCI(1, 0) } },
    { "linux-6.1",  { ALL_SERVICES, PSCI(1, 1) } },
    { "linux-6.12", { ALL_SERVICES, PSCI(1, 1) } },
    { "linux-6.18", { ALL_SERVICES, PSCI(1, 3) } },
};

static const Spec choices[] = {
    { "trng", { TRNG, PSCI(1, 1) } },
    { "pv-time", { PV_TIME, PSCI(1, 1) } },
    { "vendor-features", { VENDOR_FEATURES, PSCI(1, 1) } },
    { "ptp", { PTP, PSCI(1, 1) } },
    { "trng:ptp", { TRNG | PTP, PSCI(1, 1) } },
    { "linux-5.10:+pv-time", { PV_TIME, PSCI(1, 0) } },
    { "linux-6.12:-trng", { ALL_SERVICES & ~TRNG, PSCI(1, 1) } },
    { "linux-6.12:-pv-time", { ALL_SERVICES & ~PV_TIME, PSCI(1, 1) } },
    { "linux-6.12:-vendor-features",
      { ALL_SERVICES & ~VENDOR_FEATURES, PSCI(1, 1) } },
    { "linux-6.1:-ptp", { ALL_SERVICES & ~PTP, PSCI(1, 1) } },
    { "linux-6.18:-trng:-pv-time:-vendor-features:-ptp",
      { 0, PSCI(1, 3) } },
    { "implementation-cpus,implementation-cpus=" IMPLEMENTATIONS_LIST,
      { IMPLEMENTATIONS, PSCI(1, 1) } },
    { "linux-6.12:+implementation-cpus,implementation-cpus="
      IMPLEMENTATIONS_LIST, { ALL_SERVICES | IMPLEMENTATIONS, PSCI(1, 1) } },
    { "mem-share", { MEM_SHARING, PSCI(1, 1) } },
    { "linux-6.12:+mem-share", { ALL_SERVICES | MEM_SHARING, PSCI(1, 1) } },
};

/* Machine types with the offer of their release, which never changes */
static const struct {
    const char *type;
    Offer offer;
} types[] = {
    { "virt-hvc-9.0",  { 0, PSCI(1, 0) } },
    { "virt-hvc-9.2",  { ALL_SERVICES, PSCI(1, 1) } },
    { "virt-hvc-10.0", { ALL_SERVICES, PSCI(1, 1) } },
};

static void add_family_tests(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(floors); i++) {
        for (unsigned j = 0; j < families_count; j++) {
            case_add(case_test_families, &(Case) {
                .setup.services = floors[i].spec,
                .offer = floors[i].offer, .family = &families[j],
            }, "%s/%s", floors[i].spec, families[j].name);
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(choices); i++) {
        case_add(case_test_families, &(Case) {
            .setup.services = choices[i].spec, .offer = choices[i].offer,
        }, "choice/%s", choices[i].spec);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        case_add(case_test_families, &(Case) {
            .setup.type = types[i].type, .offer = types[i].offer,
        }, "type/%s", types[i].type);
    }
    case_add(case_test_families, &(Case) {
        .setup = { .type = "virt-hvc-10.0", .services = "trng" },
        .offer = { TRNG, PSCI(1, 1) },
    }, "type/virt-hvc-10.0-with-trng-only");
    for (unsigned i = 0; i < case_psci_versions_count; i++) {
        case_add(case_test_families, &(Case) {
            .setup.services = "linux-6.12",
            .setup.psci = case_psci_versions[i].name,
            .offer = { ALL_SERVICES, case_psci_versions[i].version },
        }, "psci-version/%s", case_psci_versions[i].name);
    }
    for (unsigned i = 0; i < case_modes_count; i++) {
        Case c = {
            .setup = {
                .accel = case_modes[i].accel, .extra = case_modes[i].extra,
            },
            .vcpus = case_modes[i].vcpus,
        };

        c.setup.services = "linux-6.12";
        c.offer = case_offer_linux_6_12;
        case_add(case_test_families, &c, "mode/%s/linux-6.12",
                 case_modes[i].name);
        c.setup.services = "none";
        c.offer = case_offer_none;
        case_add(case_test_families, &c, "mode/%s/none", case_modes[i].name);
    }
    case_add(case_test_families, &(Case) {
        .setup = { .services = "linux-6.12", .cpu = "max" },
        .offer = case_offer_linux_6_12, .vcpus = 2,
    }, "mode/cpu-max/linux-6.12");
    case_add(case_test_families, &(Case) {
        .setup = { .services = "linux-6.12", .cpu = "neoverse-n1" },
        .offer = case_offer_linux_6_12, .vcpus = 2,
    }, "mode/cpu-neoverse-n1/linux-6.12");
    for (unsigned i = 0; i < ARRAY_SIZE(floors); i++) {
        case_add(case_test_families, &(Case) {
            .setup = { .services = floors[i].spec, .aarch32 = true },
            .offer = floors[i].offer, .vcpus = 2,
        }, "aarch32/%s", floors[i].spec);
    }
    case_add(case_test_families, &(Case) {
        .setup = { .services = "linux-6.12:+mem-share", .aarch32 = true },
        .offer = { ALL_SERVICES | MEM_SHARING, PSCI(1, 1) }, .vcpus = 2,
    }, "aarch32/mem-share");
    case_add(case_test_families, &(Case) {
        .setup = { .services = "linux-6.12:+mem-share",
                   .machine = CASE_EL2 },
        .offer = { ALL_SERVICES | MEM_SHARING, PSCI(1, 1) }, .vcpus = 2,
    }, "smc/mem-share");
}

/* SMCCC, Arm DEN 0028: function ids, conduits, immediates */

/* Calls of all known_ids[], each changed by @change */
static void add_changed_ids(Calls *calls, uint64_t (*change)(uint64_t id))
{
    for (unsigned i = 0; i < known_ids_count; i++) {
        calls_call(calls, change(known_ids[i]), known_ids[i], 0x40200000, 3);
    }
}

static uint64_t with_sve_hint(uint64_t id)
{
    return id | SVE_HINT;
}

static uint64_t as_yielding_call(uint64_t id)
{
    return id & ~(uint64_t)FAST_CALL;
}

static void test_changed_ids(const Case *c, uint64_t (*change)(uint64_t id))
{
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;

    if (case_missing(&c->setup)) {
        return;
    }
    add_changed_ids(calls, change);
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < known_ids_count; i++) {
        vm_expect(vm, 0, i, NOT_SUPPORTED, 0, 0, 0);
    }
}

/*
 * The SVE hint is of SMCCC 1.3. KVM implements 1.1, in which an id with that
 * bit is one of a function that does not exist.
 */
static void test_sve_hint(const void *opaque)
{
    test_changed_ids(opaque, with_sve_hint);
}

static void test_yielding(const void *opaque)
{
    test_changed_ids(opaque, as_yielding_call);
}

/* The function id is W0. */
static void test_upper_word(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    unsigned first[CASE_FAMILIES];

    if (case_missing(&c->setup)) {
        return;
    }
    case_add_families(calls, NULL, first);
    for (unsigned i = 0; i < calls->steps->len; i++) {
        struct CallStep *step = &g_array_index(calls->steps, struct CallStep,
                                               i);

        if (step->op == CALL_PLAIN) {
            step->x[0] = (uint32_t)step->x[0] | 0xdeadbeef00000000;
        }
    }
    vm = vm_run(&c->setup, calls);
    case_check_families(vm, &c->offer, calls, NULL, first);
}

/* KVM answers an SMC with an immediate by NOT_SUPPORTED in X0 alone. */
static void test_smc_immediate(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;

    if (case_missing(&c->setup)) {
        return;
    }
    calls->immediate = 1;
    for (unsigned i = 0; i < known_ids_count; i++) {
        calls_call(calls, known_ids[i], 0x1111, 0x2222, 0x3333);
    }
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < known_ids_count; i++) {
        vm_expect(vm, 0, i, NOT_SUPPORTED, 0x1111, 0x2222, 0x3333);
    }
}

/* A guest without EL2 and EL3 has no SMC, whatever services it has. */
static void test_other_conduit(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;

    if (case_missing(&c->setup)) {
        return;
    }
    calls->conduit = CALL_CONDUIT_SMC;
    for (unsigned i = 0; i < known_ids_count; i++) {
        calls_call(calls, known_ids[i]);
    }
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < known_ids_count; i++) {
        g_assert_cmpuint(vm_result(vm, 0, i).state, ==, CALL_EXCEPTION);
    }
}

static void add_convention_tests(void)
{
    const Case c = {
        .setup.services = "linux-6.18", .offer = case_offer_linux_6_18,
    };
    Case immediate = c;
    Case aarch32 = c;

    immediate.immediate = 1;
    aarch32.setup.aarch32 = true;
    case_add(case_test_families, &immediate,
             "convention/hvc-immediate-ignored");
    case_add(test_upper_word, &c, "convention/upper-word-of-id-ignored");
    case_add(test_sve_hint, &c, "convention/sve-hint-is-another-id");
    case_add(test_yielding, &c, "convention/no-yielding-calls");
    case_add(test_other_conduit, &c, "convention/no-second-conduit");
    immediate.setup.aarch32 = true;
    case_add(case_test_families, &immediate,
             "convention/aarch32/hvc-immediate-ignored");
    case_add(test_sve_hint, &aarch32,
             "convention/aarch32/sve-hint-is-another-id");
    case_add(test_yielding, &aarch32, "convention/aarch32/no-yielding-calls");
    case_add(test_other_conduit, &aarch32,
             "convention/aarch32/no-second-conduit");
}

static void add_virtualization_tests(void)
{
    static const struct {
        const char *name;
        const char *cpu;
        uint32_t flags;
        bool aarch32;
    } levels[] = {
        { "el2", "cortex-a72" },
        { "el1", "cortex-a72", CALLS_AT_EL1 },
        { "el2-cpu-max", "max" },
        { "el1-cpu-max", "max", CALLS_AT_EL1 },
        { "aarch32-svc", NULL, 0, true },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(levels); i++) {
        Case c = {
            .setup = {
                .machine = CASE_EL2, .cpu = levels[i].cpu,
                .aarch32 = levels[i].aarch32,
            },
            .flags = levels[i].flags,
            .vcpus = 2,
        };

        c.setup.services = "linux-6.12";
        c.offer = case_offer_linux_6_12;
        case_add(case_test_families, &c, "smc/%s/linux-6.12", levels[i].name);
        c.setup.services = "none";
        c.offer = case_offer_none;
        case_add(case_test_families, &c, "smc/%s/none", levels[i].name);
    }
    case_add(test_smc_immediate, &(Case) {
        .setup = { .services = "linux-6.18", .machine = CASE_EL2 },
    }, "convention/smc-immediate-refused");
}

/* Answers of real KVM */

typedef struct GoldenLine {
    uint64_t x[2];
    uint64_t result[4];
} GoldenLine;

/* Calls that TCG answers unlike the KVM whose answers the file has */
static const struct {
    uint64_t x[2];
    uint64_t x0;
    const char *reason;
} golden_exceptions[] = {
    { { 0x80000001, 0x80008000 }, 1,
      "the host's CPU was vulnerable; an emulated CPU is not affected" },
    { { 0x80000001, 0x80007fff }, INVALID,
      "likewise; this function returns NOT_REQUIRED for such a CPU" },
};

static GArray *read_golden(const char *file)
{
    g_autofree char *path = g_build_filename(getenv("HVC_GOLDEN_DIR"), file,
                                             NULL);
    GArray *golden = g_array_new(false, true, sizeof(GoldenLine));
    g_auto(GStrv) lines = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;

    g_file_get_contents(path, &text, NULL, &err);
    g_assert_no_error(err);
    lines = g_strsplit(text, "\n", -1);
    for (char **at = lines; *at; at++) {
        GoldenLine line = { };
        char *call = *at;
        char *answer = strstr(call, "Res:");

        if (!*call || *call == '#') {
            continue;
        }
        g_assert_true(g_str_has_prefix(call, "hvc "));
        g_assert_nonnull(answer);
        /* A call without arguments is a line with one number. */
        g_assert_cmpint(sscanf(call, "hvc %" SCNi64 " %" SCNi64, &line.x[0],
                               &line.x[1]), >=, 1);
        g_assert_cmpint(sscanf(answer, "Res: 0x%" SCNx64 " 0x%" SCNx64
                               " 0x%" SCNx64 " 0x%" SCNx64, &line.result[0],
                               &line.result[1], &line.result[2],
                               &line.result[3]), ==, 4);
        g_array_append_val(golden, line);
    }
    return golden;
}

/* The line as a row that fits random numbers and clocks of any run */
static Row golden_row(const GoldenLine *line)
{
    Row row = { .x = { line->x[0], line->x[1] } };
    bool is_rnd = line->x[0] == TRNG_RND32 || line->x[0] == TRNG_RND64;
    unsigned width = line->x[0] == TRNG_RND64 ? 64 : 32;
    int bits = line->x[1];

    memcpy(row.result, line->result, sizeof(row.result));
    for (unsigned i = 0; i < ARRAY_SIZE(golden_exceptions); i++) {
        if (!memcmp(line->x, golden_exceptions[i].x, sizeof(line->x))) {
            row.result[0] = golden_exceptions[i].x0;
            g_test_message("0x%" PRIx64 " 0x%" PRIx64 ": not what KVM said: "
                           "%s", line->x[0], line->x[1],
                           golden_exceptions[i].reason);
        }
    }
    if (line->x[0] == PTP_CALL) {
        row.kind = CLOCKS;
    }
    if (is_rnd && !line->result[0]) {
        row.kind = RANDOM;
        for (int i = 3; i > 0; i--, bits -= width) {
            int n = MIN(MAX(bits, 0), (int)width);

            row.result[i] = n ? UINT64_MAX >> (64 - n) : 0;
            /* KVM's own numbers have no bit beyond those asked for. */
            g_assert_cmphex(line->result[i] & ~row.result[i], ==, 0);
        }
    }
    return row;
}

static void test_golden(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(GArray) golden = NULL;
    g_autofree Row *rows = NULL;
    g_autoptr(Vm) vm = NULL;
    Family family = { .name = c->file };
    unsigned first;

    if (case_missing(&c->setup)) {
        return;
    }
    if (!getenv("HVC_GOLDEN_DIR")) {
        g_test_skip("HVC_GOLDEN_DIR does not say where KVM's answers are");
        return;
    }
    golden = read_golden(c->file);
    g_assert_cmpuint(golden->len, >, 30);
    rows = g_new(Row, golden->len);
    for (unsigned i = 0; i < golden->len; i++) {
        rows[i] = golden_row(&g_array_index(golden, GoldenLine, i));
    }
    family.row = rows;
    family.rows = golden->len;
    first = rows_add(calls, &family);
    vm = vm_run(&c->setup, calls);
    rows_check(vm, &c->offer, calls, &family, first);
}

static void add_golden_tests(void)
{
    case_add(test_golden, &(Case) {
        .setup.services = "linux-6.1", .offer = case_offer_linux_6_12,
        .file = "linux-6.1.txt",
    }, "golden/linux-6.1");
    case_add(test_golden, &(Case) {
        .setup.services = "linux-6.12", .offer = case_offer_linux_6_12,
        .file = "linux-6.12.txt",
    }, "golden/linux-6.12");
}

/* VMs without hvc-services: all calls are answered as by unpatched QEMU */

/* Stock QEMU serves ids of PSCI 0.1, one of which is CPU_OFF. */
static bool is_psci_0_1(uint64_t id)
{
    return id >= 0x95c1ba5e && id <= 0x95c1ba61;
}

static void add_stock_calls(Calls *calls, bool aarch32)
{
    for (unsigned i = 0; i < families_count; i++) {
        for (unsigned j = 0; j < families[i].rows; j++) {
            const Row *row = &families[i].row[j];

            if (!is_psci_0_1(row->x[0])) {
                calls_call_(calls, row->x);
                calls_call(calls, row->x[0], 0x1111, 0x2222, 0x3333);
            }
        }
    }
    for (unsigned i = 0; i < known_ids_count; i++) {
        calls_call(calls, with_sve_hint(known_ids[i]), 1, 2, 3);
        calls_call(calls, as_yielding_call(known_ids[i]), 1, 2, 3);
        /* In AArch32 the upper word is lost, and the call would be made. */
        if (!aarch32) {
            calls_call(calls, 0xabcd00000000 | known_ids[i], 1, 2, 3);
        }
    }
    calls_add(calls, VCPU(0), CALL_READ, RECORDS, 0, 0, 0);
}

static void test_stock_same(const void *opaque)
{
    const Case *c = opaque;
    Setup unpatched = c->setup;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) stock = NULL;
    g_autoptr(Vm) vm = NULL;

    unpatched.stock = true;
    unpatched.services = NULL;
    if (case_missing(&unpatched)) {
        return;
    }
    add_stock_calls(calls, c->setup.aarch32);
    stock = vm_run(&unpatched, calls);
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < calls->steps->len; i++) {
        struct CallResult theirs = vm_result(stock, 0, i);
        struct CallResult ours = vm_result(vm, 0, i);
        g_autofree char *their_text = vm_result_text(&theirs);
        g_autofree char *our_text = vm_result_text(&ours);

        if (memcmp(&theirs, &ours, sizeof(ours))) {
            const uint64_t *x = g_array_index(calls->steps, struct CallStep,
                                              i).x;

            vm_fail("call 0x%" PRIx64 " 0x%" PRIx64 ": unpatched QEMU: %s; "
                    "this QEMU: %s", x[0], x[1], their_text, our_text);
        }
    }
}

/* Stock QEMU 10.0 changes X0 only, and looks at all of X0 for the id. */
static const struct {
    uint64_t x[2];
    uint64_t x0;
} stock_rows[] = {
    { { 0x84000000 }, PSCI(1, 1) },
    { { 0x84000006 }, 2 },
    { { 0x8400000a, 0x84000000 }, 0 },
    { { 0x8400000a, 0x84000003 }, 0 },
    { { 0x8400000a, 0x8400000a }, 0 },
    { { 0x8400000a, 0x80000000 }, NOT_SUPPORTED },
    { { 0x8400000a, 0x84000012 }, NOT_SUPPORTED },
    { { 0x8400000a, 0x84000015 }, NOT_SUPPORTED },
    { { 0x84000012, 1 }, NOT_SUPPORTED },
    { { 0x84000015, 2 }, NOT_SUPPORTED },
    { { 0x80000000 }, NOT_SUPPORTED },
    { { 0x80000001, 0x80008000 }, NOT_SUPPORTED },
    { { 0x80008000 }, NOT_SUPPORTED },
    { { 0x84000050 }, NOT_SUPPORTED },
    { { 0x84000052 }, NOT_SUPPORTED },
    { { 0x84000053, 32 }, NOT_SUPPORTED },
    { { 0xc4000053, 32 }, NOT_SUPPORTED },
    { { 0xc5000020, 0xc5000021 }, NOT_SUPPORTED },
    { { 0xc5000021 }, NOT_SUPPORTED },
    { { 0x8600ff01 }, NOT_SUPPORTED },
    { { 0x86000000 }, NOT_SUPPORTED },
    { { 0x86000001 }, NOT_SUPPORTED },
    { { 0xdeadbeef00000000 | 0x84000000 }, NOT_SUPPORTED },
};

static void test_stock_literal(const void *opaque)
{
    const Case *c = opaque;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(Vm) vm = NULL;
    unsigned record;

    if (case_missing(&c->setup)) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(stock_rows); i++) {
        calls_call(calls, stock_rows[i].x[0], stock_rows[i].x[1], 0x2222,
                   0x3333);
    }
    record = calls_add(calls, VCPU(0), CALL_READ, RECORDS, 0, 0, 0);
    vm = vm_run(&c->setup, calls);
    for (unsigned i = 0; i < ARRAY_SIZE(stock_rows); i++) {
        if (!c->setup.aarch32 || stock_rows[i].x[0] <= UINT32_MAX) {
            vm_expect(vm, 0, i, stock_rows[i].x0, stock_rows[i].x[1], 0x2222,
                      0x3333);
        }
    }
    /* No pv-time, no memory where its records would be. */
    g_assert_cmpuint(vm_result(vm, 0, record).state, ==, CALL_EXCEPTION);
}

static void add_stock_tests(void)
{
    static const struct {
        const char *name;
        Setup setup;
    } setups[] = {
        { "aarch64", { } },
        { "aarch64-host", { .services = "host" } },
        { "aarch64-el2", { .machine = CASE_EL2 } },
        { "aarch32", { .aarch32 = true } },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(setups); i++) {
        const Case c = { .setup = setups[i].setup };

        case_add(test_stock_literal, &c, "not-pinned/%s/literal",
                 setups[i].name);
        case_add(test_stock_same, &c, "not-pinned/%s/same-as-unpatched",
                 setups[i].name);
    }
}

void guest_call_tests(void)
{
    add_family_tests();
    add_convention_tests();
    add_virtualization_tests();
    add_golden_tests();
    add_stock_tests();
}
