/*
 * QTest: a guest's contract across migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What fits and what is refused is worked out here from literal values, not
 * from the tables of the code under test. Needs in the environment:
 *
 *   HVC_GUEST_DIR   where hvc-guest-a64.elf is; without it the tests look at
 *                   VMs whose guest does nothing, or are skipped
 *   HVC_GOLDEN_DIR  where machine-types.json is
 *   QTEST_QEMU_IMG  for snapshots
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/units.h"
#include "qobject/qjson.h"
#include "libqtest.h"
#include "hvc/migration/section.h"
#include "hvc/calls/answers.h"
#include "hvc/calls/guest-vm.h"
#include "hvc/migration/util.h"

#define REMEDY "start this QEMU with the source's -machine options"

/* All that libqtest waits for is a matter of a second or two. */
#define HANG_S 150

/* A word of guest memory that a guest waits for; far from all else. */
#define GO 0x43f00000

#define PV_TIME_ST    0xc5000021
#define CPU_OFF       0x84000002
#define AFFINITY_INFO 0xc4000004
#define AFFINITY_OFF  1
#define PSCI_VERSION  0x84000000

/* What a section may cost; DESIGN: refused under 64 KiB of stream. */
#define SECTION_MAX 512
#define REFUSAL_MAX (64 * KiB)

/* Configurations and what their guests are promised */

/**
 * Config: a machine
 * @name: in test paths
 * @type: machine type
 * @options: its options; NULL for none
 * @chosen: where its services are from, as a refusal says it; NULL if the
 *          guest is promised nothing
 * @offer: what the guest is promised
 */
typedef struct Config {
    const char *name;
    const char *type;
    const char *options;
    const char *chosen;
    Offer offer;
} Config;

#define CHOICE(name_, options_, services_, psci_)                       \
    { .name = name_, .type = "virt-10.0", .options = options_,          \
      .chosen = options_, .offer = { services_, psci_ } }
#define FLOOR(name_, services_, psci_)                                  \
    CHOICE(name_, "hvc-services=" name_, services_, psci_)
#define WITHOUT(name_, service_)                                        \
    CHOICE("linux-6.12-without-" name_, "hvc-services=linux-6.12:-" name_, \
           ALL_SERVICES & ~service_, PSCI(1, 1))
#define TYPE(name_, floor_, services_, psci_)                           \
    { .name = name_, .type = name_,                                     \
      .chosen = "machine type " name_ ": hvc-services=" floor_,         \
      .offer = { services_, psci_ } }

static const Config configs[] = {
    TYPE("virt-hvc-9.0", "linux-5.10", 0, PSCI(1, 0)),
    TYPE("virt-hvc-9.2", "linux-6.1", ALL_SERVICES, PSCI(1, 1)),
    TYPE("virt-hvc-10.0", "linux-6.12", ALL_SERVICES, PSCI(1, 1)),
    FLOOR("none", 0, PSCI(1, 1)),
    FLOOR("linux-5.10", 0, PSCI(1, 0)),
    FLOOR("linux-6.1", ALL_SERVICES, PSCI(1, 1)),
    FLOOR("linux-6.12", ALL_SERVICES, PSCI(1, 1)),
    FLOOR("linux-6.18", ALL_SERVICES, PSCI(1, 3)),
    WITHOUT("trng", TRNG),
    WITHOUT("pv-time", PV_TIME),
    WITHOUT("vendor-features", VENDOR_FEATURES),
    WITHOUT("ptp", PTP),
    CHOICE("linux-6.12-psci-1.3", "hvc-services=linux-6.12,psci-version=1.3",
           ALL_SERVICES, PSCI(1, 3)),
    { .name = "not-pinned", .type = "virt-10.0" },
};

#define LINUX_6_12 (&configs[6])
#define WITHOUT_PTP (&configs[11])
#define NOT_PINNED (&configs[13])

/* In the order in which a contract has them. */
static const struct {
    unsigned service;
    const char *name;
    const char *reg;
    unsigned bit;
} services[] = {
    { TRNG,            "trng",            "std",        0 },
    { PV_TIME,         "pv-time",         "std-hyp",    0 },
    { VENDOR_FEATURES, "vendor-features", "vendor-hyp", 0 },
    { PTP,             "ptp",             "vendor-hyp", 1 },
};

/* Bitmap by bitmap: what is not offered here comes before what is missing. */
static char *services_refusal(const Config *from, const Config *to)
{
    unsigned extra = from->offer.services & ~to->offer.services;
    unsigned lacking = to->offer.services & ~from->offer.services;

    for (unsigned i = 0; i < ARRAY_SIZE(services); i++) {
        const char *reg = services[i].reg;
        unsigned kinds[] = { extra, lacking };

        for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
            for (unsigned j = 0; j < ARRAY_SIZE(services); j++) {
                if (!g_str_equal(services[j].reg, reg) ||
                    !(kinds[k] & services[j].service)) {
                    continue;
                }
                return g_strdup_printf(
                    "guest-abi: incoming VM %s hvc service '%s' (%s bit %u), "
                    "%s here (%s); " REMEDY, k ? "was not given" : "uses",
                    services[j].name, reg, services[j].bit,
                    k ? "enabled" : "not enabled", to->chosen);
            }
        }
    }
    return NULL;
}

/**
 * expected_refusal: must a migration be refused?
 * @from: the source
 * @to: the destination
 * @named: set to whether query-migrate says why, and not only stderr, where
 *         QEMU's own refusals are
 *
 * Returns: NULL if it fits, else the text or a part of it.
 */
static char *expected_refusal(const Config *from, const Config *to,
                              bool *named)
{
    char *refusal;

    *named = false;
    if (!g_str_equal(from->type, to->type)) {
        return g_strdup_printf("Machine type received is '%s' and local is "
                               "'%s'", from->type, to->type);
    }
    if (!to->chosen) {
        return from->chosen ? g_strdup("Unknown savevm section or instance "
                                       "'guest-abi' 0") : NULL;
    }
    *named = true;
    if (!from->chosen) {
        return g_strdup("guest-abi: incoming VM has no contract with its "
                        "guest, this VM has one (see query-guest-abi); "
                        REMEDY);
    }
    refusal = services_refusal(from, to);
    if (!refusal && from->offer.psci != to->offer.psci) {
        refusal = g_strdup_printf(
            "guest-abi: incoming VM has PSCI %u.%u [0x%x], this VM has %u.%u "
            "(%s); " REMEDY, from->offer.psci >> 16, from->offer.psci & 0xffff,
            from->offer.psci, to->offer.psci >> 16, to->offer.psci & 0xffff,
            to->chosen);
    }
    return refusal;
}

/* VMs */

/**
 * Peer: one side of a migration
 * @vm: the VM, if it has the call engine as its guest
 * @qts: its QEMU
 * @log: the file that has its stderr
 */
typedef struct Peer {
    Vm *vm;
    QTestState *qts;
    char *log;
} Peer;

static bool have_guest(void)
{
    g_autofree char *reason = vm_missing(&(Setup) { });

    return !reason;
}

static bool skip_without_guest(void)
{
    g_autofree char *reason = vm_missing(&(Setup) { });

    alarm(HANG_S);
    if (reason) {
        g_test_skip(reason);
    }
    return reason;
}

static Peer *peer_start(const Config *config, const Calls *calls,
                        const char *extra)
{
    static unsigned serial;
    g_autofree char *name = g_strdup_printf("log-%u", serial++);
    g_autofree char *args = NULL;
    Peer *peer = g_new0(Peer, 1);

    peer->log = vm_scratch(name);
    args = g_strdup_printf("-machine %s%s%s %s 2>%s", config->type,
                           config->options ? "," : "",
                           config->options ?: "", extra ?: "", peer->log);
    if (calls) {
        peer->vm = vm_start(&(Setup) { .extra = args }, calls);
        peer->qts = peer->vm->qts;
    } else {
        peer->qts = qtest_initf("-accel tcg -cpu cortex-a72 -m 16M "
                                "-nodefaults %s", args);
    }
    return peer;
}

static Peer *peer_incoming(const Config *config, const Calls *calls,
                           const char *extra)
{
    g_autofree char *args = g_strdup_printf("-incoming defer %s",
                                            extra ?: "");

    return peer_start(config, calls, args);
}

static void peer_free(Peer *peer)
{
    if (!peer) {
        return;
    }
    if (peer->vm) {
        vm_free(peer->vm);
    } else {
        qtest_quit(peer->qts);
    }
    g_unlink(peer->log);
    g_free(peer->log);
    g_free(peer);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Peer, peer_free)

static char *peer_log(const Peer *peer)
{
    g_autoptr(GError) err = NULL;
    char *text;

    g_file_get_contents(peer->log, &text, NULL, &err);
    g_assert_no_error(err);
    return text;
}

/* Is @refusal said where it has to be? And has the destination survived? */
static void assert_refused(const Peer *to, const Outcome *outcome,
                           const char *refusal, bool named)
{
    g_autofree char *log = peer_log(to);
    g_autofree char *state = run_state(to->qts);

    g_assert_false(outcome->completed);
    if (named) {
        g_assert_cmpstr(outcome->error, ==, refusal);
    }
    if (!strstr(log, refusal)) {
        g_test_message("stderr: %s", log);
    }
    g_assert_nonnull(strstr(log, refusal));
    g_assert_cmpstr(state, ==, "inmigrate");
}

/* What guests do */

/**
 * Program: calls before and after a migration
 * @calls: the list
 * @first: the first step of each family, before and after
 * @wait: waits for GO; [0] before the second half of the list
 * @st: PV_TIME_ST
 * @record: looks at the vCPU's stolen-time record: [0] when it is new, [1]
 *          just after GO is 1, [2] after it is 2
 */
typedef struct Program {
    Calls *calls;
    unsigned first[2][16];
    unsigned wait[2];
    unsigned st;
    unsigned record[3];
} Program;

static void program_clear(Program *program)
{
    g_clear_pointer(&program->calls, calls_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Program, program_clear)

static void add_families(Program *program, unsigned half)
{
    g_assert_cmpuint(families_count, <=, ARRAY_SIZE(program->first[half]));
    for (unsigned i = 0; i < families_count; i++) {
        program->first[half][i] = rows_add(program->calls, &families[i]);
    }
    calls_barrier(program->calls, program->calls->all);
}

static unsigned add_wait(Program *program, uint64_t value)
{
    return calls_add(program->calls, program->calls->all, CALL_AWAIT, GO,
                     value, 0, 0);
}

static unsigned add_record(Program *program)
{
    unsigned step = calls_add(program->calls, program->calls->all, CALL_READ,
                              0, 0, 0, 0);

    calls_step(program->calls)->base = 1 + program->st;
    return step;
}

/* All calls; wait for GO; all calls again. */
static Program program_same_answers(unsigned vcpus)
{
    Program program = { .calls = calls_new(vcpus) };

    calls_start_all(program.calls);
    add_families(&program, 0);
    program.wait[0] = add_wait(&program, 1);
    add_families(&program, 1);
    return program;
}

/* The same, with a look at the stolen time, for a VM that has pv-time. */
static Program program_stolen_time(unsigned vcpus)
{
    Program program = { .calls = calls_new(vcpus) };

    calls_start_all(program.calls);
    add_families(&program, 0);
    program.st = calls_call(program.calls, PV_TIME_ST);
    program.record[0] = add_record(&program);
    program.wait[0] = add_wait(&program, 1);
    program.record[1] = add_record(&program);
    program.wait[1] = add_wait(&program, 2);
    program.record[2] = add_record(&program);
    add_families(&program, 1);
    return program;
}

static void check_half(const Vm *vm, const Config *config,
                       const Program *program, unsigned half)
{
    for (unsigned i = 0; i < families_count; i++) {
        rows_check(vm, &config->offer, program->calls, &families[i],
                   program->first[half][i]);
    }
}

static void check_answers(const Vm *vm, const Config *config,
                          const Program *program)
{
    check_half(vm, config, program, 0);
    check_half(vm, config, program, 1);
}

/* Wait until all vCPUs have come to a step. */
static void wait_step(const Vm *vm, const Program *program, unsigned step)
{
    for (unsigned i = 0; i < program->calls->vcpus; i++) {
        const uint32_t *progress = &vm->report->progress[i];

        while (le32_to_cpu(qatomic_load_acquire(progress)) <= step) {
            g_assert_true(qtest_probe_child(vm->qts));
            g_usleep(500);
        }
    }
}

static void go(const Peer *peer, uint64_t value)
{
    qtest_writeq(peer->qts, GO, value);
}

/* The guest that came from @source goes on to its end. */
static void finish(const Peer *peer, int64_t started_ns, const Config *config,
                   const Program *program)
{
    peer->vm->started_ns = started_ns;
    go(peer, 1);
    vm_wait(peer->vm, 1);
    check_answers(peer->vm, config, program);
}

/* The matrix */

/**
 * Saved: a source's stream, and what the source said of itself
 * @path: the file; NULL until it is made
 * @entries: query-guest-abi's
 * @started_ns: a time before its VM was started
 * @section_size: of the contract's section; 0 if there is none
 */
typedef struct Saved {
    char *path;
    QList *entries;
    int64_t started_ns;
    unsigned section_size;
} Saved;

static Saved saved[ARRAY_SIZE(configs)];

/* The guest of all VMs of the matrix; not for VMs without services */
static Program matrix_program;

static const Calls *matrix_calls(const Config *config)
{
    if (!matrix_program.calls && have_guest()) {
        matrix_program = program_same_answers(1);
    }
    return config->chosen ? matrix_program.calls : NULL;
}

static Peer *matrix_source(const Config *config)
{
    const Calls *calls = matrix_calls(config);
    Peer *peer = peer_start(config, calls, NULL);

    if (calls) {
        wait_step(peer->vm, &matrix_program, matrix_program.wait[0]);
    }
    return peer;
}

static const Saved *saved_stream(const Config *config)
{
    Saved *s = &saved[config - configs];
    g_auto(ContractStream) stream = { };
    g_autofree char *name = g_strdup_printf("stream-%s", config->name);
    g_autoptr(Peer) peer = NULL;

    if (s->path) {
        return s;
    }
    s->path = vm_scratch(name);
    peer = matrix_source(config);
    s->started_ns = peer->vm ? peer->vm->started_ns : 0;
    s->entries = contract_entries(peer->qts);
    migration_save(peer->qts, s->path);
    if (contract_stream_read(s->path, &stream)) {
        s->section_size = contract_stream_size(&stream);
    }
    g_assert_true(!s->section_size == !config->chosen);
    return s;
}

typedef struct Pair {
    const Config *from;
    const Config *to;
} Pair;

static void test_pair(const void *opaque)
{
    const Pair *pair = opaque;
    const Saved *s = saved_stream(pair->from);
    bool named;
    g_autofree char *refusal = expected_refusal(pair->from, pair->to, &named);
    g_autofree char *uri = g_strdup_printf("file:%s", s->path);
    g_autofree char *preflight = NULL;
    g_auto(Outcome) outcome = { };
    g_autoptr(Peer) to = NULL;

    alarm(HANG_S);
    to = peer_incoming(pair->to, matrix_calls(pair->from), NULL);
    preflight = contract_check(to->qts, s->entries);
    migration_accept(to->qts, uri);
    outcome = migration_wait(to->qts);

    if (g_str_equal(pair->from->type, pair->to->type)) {
        g_assert_true(!preflight == !refusal);
        if (pair->from->chosen && pair->to->chosen) {
            g_assert_cmpstr(preflight, ==, refusal);
        }
    }
    if (refusal) {
        assert_refused(to, &outcome, refusal, named);
        return;
    }
    g_assert_cmpstr(outcome.error, ==, NULL);
    g_assert_true(outcome.completed);
    if (to->vm) {
        finish(to, s->started_ns, pair->to, &matrix_program);
    }
}

static void test_section_size(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(configs); i++) {
        const Saved *s = saved_stream(&configs[i]);

        g_test_message("%s: %u bytes", configs[i].name, s->section_size);
        g_assert_cmpuint(s->section_size, <, SECTION_MAX);
    }
}

/* Over a socket */

static char *socket_path(void)
{
    static unsigned serial;
    g_autofree char *name = g_strdup_printf("socket-%u", serial++);

    return vm_scratch(name);
}

/* Has both sides begin; the caller waits. */
static void start_live(const Peer *from, const Peer *to)
{
    g_autofree char *path = socket_path();
    g_autofree char *uri = g_strdup_printf("unix:%s", path);

    migration_accept(to->qts, uri);
    migration_start(from->qts, uri);
}

static void assert_completed(QTestState *qts)
{
    g_auto(Outcome) outcome = migration_wait(qts);

    g_assert_cmpstr(outcome.error, ==, NULL);
    g_assert_true(outcome.completed);
}

static void migrate_live(const Peer *from, const Peer *to)
{
    start_live(from, to);
    assert_completed(from->qts);
    assert_completed(to->qts);
}

/* The source puts the reason into words just after it has seen the failure. */
static void assert_source_refused(const Peer *from)
{
    int64_t deadline = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
    g_autofree char *state = NULL;

    for (;;) {
        g_auto(Outcome) outcome = migration_wait(from->qts);

        g_assert_false(outcome.completed);
        if (outcome.error && strstr(outcome.error,
                                    "destination refused this VM")) {
            break;
        }
        if (g_get_monotonic_time() > deadline) {
            g_error("the source only says: %s", outcome.error);
        }
        g_usleep(1000);
    }
    state = run_state(from->qts);
    g_assert_cmpstr(state, ==, "running");
}

static void set_capability(const Peer *from, const Peer *to, const char *name)
{
    g_autofree char *reason = migration_capability(from->qts, name);

    g_assert_cmpstr(reason, ==, NULL);
    reason = migration_capability(to->qts, name);
    g_assert_cmpstr(reason, ==, NULL);
}

/* A refused guest goes on, and can go where it fits. */
static void test_refused_then_good(const void *opaque)
{
    const Config *config = opaque;
    /* Equal to none of the configurations. */
    const Config odd = {
        .type = config->type,
        .options = "hvc-services=trng,psci-version=1.2",
        .chosen = "hvc-services=trng,psci-version=1.2",
        .offer = { TRNG, PSCI(1, 2) },
    };
    bool named;
    g_autofree char *refusal = expected_refusal(config, &odd, &named);
    const Calls *calls;
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;

    if (skip_without_guest()) {
        return;
    }
    calls = matrix_calls(config);
    from = matrix_source(config);
    for (unsigned return_path = 0; return_path < 2; return_path++) {
        g_autoptr(Peer) bad = peer_incoming(&odd, calls, NULL);
        g_auto(Outcome) outcome = { };

        if (return_path) {
            set_capability(from, bad, "return-path");
        }
        start_live(from, bad);
        outcome = migration_wait(bad->qts);
        assert_refused(bad, &outcome, refusal, true);
        assert_source_refused(from);
    }
    to = peer_incoming(config, calls, NULL);
    migrate_live(from, to);
    finish(to, from->vm->started_ns, config, &matrix_program);
}

/* Kinds of migration */

typedef struct Affinity {
    cpu_set_t before;
    bool changed;
} Affinity;

/* On a single host CPU, a VM's busy vCPUs steal each other's time. */
static Affinity one_cpu(void)
{
    Affinity affinity = { };
    cpu_set_t one;
    int cpu = 0;

    if (sched_getaffinity(0, sizeof(affinity.before), &affinity.before)) {
        return affinity;
    }
    while (!CPU_ISSET(cpu, &affinity.before)) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    affinity.changed = !sched_setaffinity(0, sizeof(one), &one);
    return affinity;
}

static void all_cpus(const Affinity *affinity)
{
    if (affinity->changed) {
        sched_setaffinity(0, sizeof(affinity->before), &affinity->before);
    }
}

static bool host_counts_run_delay(void)
{
    g_autofree char *text = NULL;

    return g_file_get_contents("/proc/self/schedstat", &text, NULL, NULL) &&
           !g_str_has_prefix(text, "0 ");
}

static uint64_t stolen_now(const Peer *peer, unsigned vcpu)
{
    return qtest_readq(peer->qts, RECORDS + vcpu * RECORD_SIZE + 8);
}

static uint64_t stolen_seen(const Vm *vm, unsigned vcpu, unsigned step)
{
    struct CallResult result = vm_result(vm, vcpu, step);

    g_assert_cmpuint(result.state, ==, CALL_DONE);
    /* Revision and attributes, and the padding */
    g_assert_cmphex(result.x[0], ==, 0);
    g_assert_cmphex(result.x[2], ==, 0);
    g_assert_cmphex(result.x[3], ==, 0);
    return result.x[1];
}

/* The guest has not asked again: its record is still being added to. */
static void assert_armed(const Peer *peer, const Program *program)
{
    if (!host_counts_run_delay()) {
        g_test_message("this host does not count run delay: not looked at");
        return;
    }
    for (unsigned i = 0; i < program->calls->vcpus; i++) {
        uint64_t before = stolen_now(peer, i);

        while (stolen_now(peer, i) <= before) {
            g_usleep(10000);
        }
    }
}

/*
 * After a migration: the guest finds at least the stolen time that it had, it
 * grows, and all answers are the same. Then once more after a reset.
 */
static void check_arrived(const Peer *peer, int64_t started_ns,
                          const Config *config, const Program *program,
                          QList *contract)
{
    const Vm *vm = peer->vm;
    QList *entries = contract_entries(peer->qts);

    g_assert_true(qobject_is_equal(QOBJECT(entries), QOBJECT(contract)));
    qobject_unref(entries);

    peer->vm->started_ns = started_ns;
    go(peer, 1);
    wait_step(vm, program, program->wait[1]);
    assert_armed(peer, program);
    go(peer, 2);
    vm_wait(peer->vm, 1);
    check_answers(vm, config, program);
    for (unsigned i = 0; i < program->calls->vcpus; i++) {
        uint64_t stolen[] = {
            stolen_seen(vm, i, program->record[0]),
            stolen_seen(vm, i, program->record[1]),
            stolen_seen(vm, i, program->record[2]),
        };

        g_assert_cmpuint(stolen[1], >=, stolen[0]);
        g_assert_cmpuint(stolen[2], >=, stolen[1]);
        if (host_counts_run_delay()) {
            g_assert_cmpuint(stolen[2], >, stolen[1]);
        }
    }

    qtest_qmp_assert_success(peer->qts, "{ 'execute': 'system_reset' }");
    vm_wait(peer->vm, 2);
    check_answers(vm, config, program);
    vm_check_started(vm, program->calls);
    entries = contract_entries(peer->qts);
    g_assert_true(qobject_is_equal(QOBJECT(entries), QOBJECT(contract)));
    qobject_unref(entries);
}

typedef void Move(const Peer *from, const Peer *to);

static void move_by_file(const Peer *from, const Peer *to)
{
    g_autofree char *path = vm_scratch("stream");
    g_autofree char *uri = g_strdup_printf("file:%s", path);

    migration_save(from->qts, path);
    migration_accept(to->qts, uri);
    assert_completed(to->qts);
}

static void move_with_return_path(const Peer *from, const Peer *to)
{
    set_capability(from, to, "return-path");
    migrate_live(from, to);
}

static void move_by_multifd(const Peer *from, const Peer *to)
{
    set_capability(from, to, "multifd");
    migrate_live(from, to);
}

/* Needs guest memory on tmpfs, see main(). */
static void move_by_postcopy(const Peer *from, const Peer *to)
{
    set_capability(from, to, "postcopy-ram");
    /* More than one pass can carry. */
    qtest_memset(from->qts, CALLS_REPORT + 8 * MiB, 0x5a, 16 * MiB);
    qtest_qmp_assert_success(from->qts, "{ 'execute': "
                             "'migrate-set-parameters', 'arguments': { "
                             "'max-bandwidth': 4000000 } }");
    start_live(from, to);
    migration_wait_status(from->qts, "active");
    qtest_qmp_assert_success(from->qts, "{ 'execute': "
                             "'migrate-start-postcopy' }");
    migration_wait_status(from->qts, "postcopy-active");
    assert_completed(from->qts);
    assert_completed(to->qts);
}

/* Does a destination say that this host can receive postcopy? */
static bool skip_without_postcopy(const Peer *to)
{
    g_autofree char *reason = migration_capability(to->qts, "postcopy-ram");
    g_autofree char *text = NULL;

    if (reason) {
        text = g_strdup_printf("no postcopy here: %s", reason);
        g_test_skip(text);
    }
    return reason;
}

static void test_move(const void *opaque)
{
    Move *const *move = opaque;
    g_auto(Program) program = { };
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;
    QList *contract;
    Affinity affinity;

    if (skip_without_guest()) {
        return;
    }
    program = program_stolen_time(2);
    affinity = one_cpu();
    from = peer_start(LINUX_6_12, program.calls, NULL);
    to = peer_incoming(LINUX_6_12, program.calls, NULL);
    all_cpus(&affinity);
    if (*move == move_by_postcopy && skip_without_postcopy(to)) {
        return;
    }
    wait_step(from->vm, &program, program.wait[0]);
    contract = contract_entries(from->qts);
    (*move)(from, to);
    check_arrived(to, from->vm->started_ns, LINUX_6_12, &program, contract);
    qobject_unref(contract);
}

/*
 * vCPU 0 makes calls without a pause, while vCPU 1 switches itself off; a
 * vCPU that is off stays off, and comes back when it is told to.
 */
static void test_busy(void)
{
    g_autoptr(Calls) calls = calls_new(2);
    g_auto(Program) program = { };
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) middle = NULL;
    g_autoptr(Peer) to = NULL;
    unsigned off, poll, on, last;

    if (skip_without_guest()) {
        return;
    }
    calls_start_all(calls);
    calls_add(calls, VCPU(1), CALL_AWAIT, GO, 1, 0, 0);
    off = calls_add(calls, VCPU(1), CALL_PLAIN, CPU_OFF, 0, 0, 0);
    poll = calls_add(calls, VCPU(0), CALL_POLL, AFFINITY_INFO, 1, 0, 0);
    calls_step(calls)->x[7] = AFFINITY_OFF;
    calls_add(calls, VCPU(0), CALL_AWAIT, GO, 2, 0, 0);
    on = calls_add(calls, VCPU(0), CALL_CPU_ON, 0xc4000003, 1, 0, 0);
    calls_step(calls)->x[4] = 1;
    calls_step(calls)->x[5] = on + 1;
    last = calls_call(calls, PSCI_VERSION);
    calls_barrier(calls, calls->all);

    program.calls = g_steal_pointer(&calls);
    from = peer_start(LINUX_6_12, program.calls, NULL);
    middle = peer_incoming(LINUX_6_12, program.calls, NULL);
    to = peer_incoming(LINUX_6_12, program.calls, NULL);
    wait_step(from->vm, &program, poll - 2);
    migrate_live(from, middle);
    g_assert_cmpuint(le32_to_cpu(middle->vm->report->progress[0]), ==,
                     poll + 1);
    go(middle, 1);
    /* Off, and vCPU 0 knows. */
    while (le32_to_cpu(middle->vm->report->progress[0]) <= poll + 1) {
        g_usleep(1000);
    }
    migrate_live(middle, to);
    go(to, 2);
    vm_wait(to->vm, 1);
    g_assert_cmpuint(vm_result(to->vm, 1, off).state, ==, CALL_NOT_RUN);
    g_assert_cmpuint(vm_result(to->vm, 0, poll).state, ==, CALL_DONE);
    vm_expect(to->vm, 0, on, 0, 0, 0, 0);
    vm_expect(to->vm, 0, last, PSCI(1, 1), 0, 0, 0);
    vm_expect(to->vm, 1, last, PSCI(1, 1), 0, 0, 0);
}

/* Snapshots */

static char *make_image(const char *name)
{
    char *path = vm_scratch(name);

    g_assert_true(mkimg(path, "qcow2", 1));
    return path;
}

static void hmp_quiet(const Peer *peer, const char *command)
{
    g_autofree char *answer = qtest_hmp(peer->qts, "%s", command);

    g_assert_cmpstr(answer, ==, "");
}

/* Back to an older state in the same VM, in another, and where it cannot be */
static void test_snapshot(void)
{
    g_auto(Program) program = { };
    g_autofree char *image = NULL;
    g_autofree char *drive = NULL;
    g_autofree char *loadvm = NULL;
    g_autofree char *answer = NULL;
    g_autofree char *refusal = NULL;
    g_autoptr(Peer) peer = NULL;
    QList *contract;
    int64_t started_ns;
    uint64_t older[2];
    Affinity affinity;
    bool named;

    if (skip_without_guest()) {
        return;
    }
    if (!have_qemu_img()) {
        g_test_skip("QTEST_QEMU_IMG does not name qemu-img");
        return;
    }
    image = make_image("image");
    drive = g_strdup_printf("-drive if=none,id=d,format=qcow2,file=%s",
                            image);
    program = program_stolen_time(2);
    affinity = one_cpu();
    peer = peer_start(LINUX_6_12, program.calls, drive);
    started_ns = peer->vm->started_ns;
    contract = contract_entries(peer->qts);
    wait_step(peer->vm, &program, program.wait[0]);
    hmp_quiet(peer, "savevm older");
    assert_armed(peer, &program);
    older[0] = stolen_now(peer, 0);
    older[1] = stolen_now(peer, 1);
    hmp_quiet(peer, "savevm newer");
    go(peer, 2);
    vm_wait(peer->vm, 1);

    /* The newer state has all that was stolen until then. */
    hmp_quiet(peer, "loadvm newer");
    g_assert_cmpuint(stolen_now(peer, 0), >=, older[0]);
    g_assert_cmpuint(stolen_now(peer, 1), >=, older[1]);
    hmp_quiet(peer, "loadvm older");
    check_arrived(peer, started_ns, LINUX_6_12, &program, contract);
    hmp_quiet(peer, "loadvm older");
    check_arrived(peer, started_ns, LINUX_6_12, &program, contract);

    /* Another process */
    g_clear_pointer(&peer, peer_free);
    loadvm = g_strdup_printf("%s -loadvm older", drive);
    peer = peer_start(LINUX_6_12, program.calls, loadvm);
    check_arrived(peer, started_ns, LINUX_6_12, &program, contract);

    /* Another contract */
    g_clear_pointer(&peer, peer_free);
    refusal = expected_refusal(LINUX_6_12, WITHOUT_PTP, &named);
    peer = peer_start(WITHOUT_PTP, program.calls, drive);
    all_cpus(&affinity);
    answer = qtest_hmp(peer->qts, "loadvm older");
    g_test_message("loadvm: %s", answer);
    g_assert_nonnull(strstr(answer, "Error"));
    g_assert_nonnull(strstr(answer, refusal));
    qobject_unref(contract);
}

/* What was loaded before does not count: each state has its own contract. */
static void test_snapshot_without_contract(void)
{
    static const char refusal[] = "incoming VM has no contract with its guest";
    g_autofree char *image = NULL;
    g_autofree char *drive = NULL;
    g_autoptr(Peer) peer = NULL;

    alarm(HANG_S);
    if (!have_qemu_img()) {
        g_test_skip("QTEST_QEMU_IMG does not name qemu-img");
        return;
    }
    image = make_image("image-2");
    drive = g_strdup_printf("-drive if=none,id=d,format=qcow2,file=%s",
                            image);
    peer = peer_start(NOT_PINNED, NULL, drive);
    hmp_quiet(peer, "savevm without");
    g_clear_pointer(&peer, peer_free);
    peer = peer_start(LINUX_6_12, NULL, drive);
    hmp_quiet(peer, "savevm with");
    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *answer = qtest_hmp(peer->qts, "loadvm without");

        g_test_message("loadvm: %s", answer);
        g_assert_nonnull(strstr(answer, "Error"));
        g_assert_nonnull(strstr(answer, refusal));
        hmp_quiet(peer, "loadvm with");
    }
}

/* Early refusal */

/**
 * Proxy: passes a stream on, and counts
 * @listening: a socket for the source
 * @to: path of the destination's socket
 * @bytes: what was passed on
 * @seconds: from the first byte until the destination closed the connection
 */
typedef struct Proxy {
    int listening;
    const char *to;
    uint64_t bytes;
    double seconds;
} Proxy;

static struct sockaddr_un socket_address(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_assert_cmpuint(strlen(path), <, sizeof(address.sun_path));
    pstrcpy(address.sun_path, sizeof(address.sun_path), path);
    return address;
}

static int proxy_listen(const char *path)
{
    struct sockaddr_un address = socket_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(bind(fd, (void *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

static int proxy_connect(const char *path)
{
    struct sockaddr_un address = socket_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    /* What the destination has not read was not received. */
    int buffer = 4096;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    g_assert_cmpint(connect(fd, (void *)&address, sizeof(address)), ==, 0);
    return fd;
}

static void *proxy_run(void *opaque)
{
    Proxy *proxy = opaque;
    int from = accept(proxy->listening, NULL, NULL);
    int to = proxy_connect(proxy->to);
    int64_t started = 0;
    char data[4096];
    ssize_t size;

    while ((size = read(from, data, sizeof(data))) > 0) {
        if (!started) {
            started = g_get_monotonic_time();
        }
        if (send(to, data, size, MSG_NOSIGNAL) != size) {
            break;
        }
        proxy->bytes += size;
    }
    proxy->seconds = (g_get_monotonic_time() - started) / 1e6;
    close(from);
    close(to);
    return NULL;
}

static void test_before_ram(void)
{
    g_autofree char *near_path = socket_path();
    g_autofree char *far_path = socket_path();
    g_autofree char *near_uri = g_strdup_printf("unix:%s", near_path);
    g_autofree char *far_uri = g_strdup_printf("unix:%s", far_path);
    Proxy proxy = { .to = far_path };
    bool named;
    g_autofree char *refusal = expected_refusal(LINUX_6_12, WITHOUT_PTP,
                                                &named);
    g_auto(Outcome) outcome = { };
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;
    GThread *thread;

    alarm(HANG_S);
    from = peer_start(LINUX_6_12, NULL, "-m 64M");
    to = peer_incoming(WITHOUT_PTP, NULL, "-m 64M");
    qtest_memset(from->qts, CALLS_RAM, 0x5a, 64 * MiB);
    proxy.listening = proxy_listen(near_path);
    thread = g_thread_new("proxy", proxy_run, &proxy);
    migration_accept(to->qts, far_uri);
    migration_start(from->qts, near_uri);
    outcome = migration_wait(to->qts);
    assert_refused(to, &outcome, refusal, true);
    assert_source_refused(from);
    g_thread_join(thread);
    close(proxy.listening);
    g_test_message("%" PRIu64 " bytes were passed on in %.3f s; the source "
                   "sent %" PRIu64 " bytes", proxy.bytes, proxy.seconds,
                   migration_transferred(from->qts));
    g_assert_cmpuint(proxy.bytes, <, REFUSAL_MAX);
}

/* Damaged sections */

/**
 * Damage: a way to damage a section, or to change it without damage
 * @name: in test paths
 * @change: changes it
 * @refusal: in query-migrate or on stderr; NULL if the section is good
 */
typedef struct Damage {
    const char *name;
    void (*change)(ContractStream *stream);
    const char *refusal;
} Damage;

static const char *const entry_names[] = {
    "arm.std-bmap", "arm.std-hyp-bmap", "arm.vendor-hyp-bmap",
    "arm.vendor-hyp-bmap-2", "arm.psci-version",
};

static uint8_t *entry_at(const ContractStream *stream, unsigned index)
{
    return contract_stream_at(stream, contract_stream_entry(index));
}

static void cut(ContractStream *stream, unsigned offset)
{
    g_byte_array_set_size(stream->bytes, stream->section + offset);
}

static void cut_in_header(ContractStream *stream)
{
    cut(stream, CONTRACT_HEADER_SIZE - 2);
}

static void cut_before_count(ContractStream *stream)
{
    cut(stream, contract_stream_count());
}

static void cut_in_name(ContractStream *stream)
{
    cut(stream, contract_stream_entry(1) + 5);
}

static void cut_in_value(ContractStream *stream)
{
    cut(stream, contract_stream_entry(2) - 3);
}

static void cut_before_footer(ContractStream *stream)
{
    cut(stream, contract_stream_entry(stream->entries));
}

/* The stream goes on, the section is shorter than it says. */
static void drop_last_value(ContractStream *stream)
{
    contract_stream_remove(stream, contract_stream_entry(stream->entries) - 8,
                           8);
}

static void drop_entry(ContractStream *stream)
{
    contract_stream_remove(stream, contract_stream_entry(4),
                           CONTRACT_ENTRY_SIZE);
    --*contract_stream_at(stream, contract_stream_count());
}

static void drop_zero_entry(ContractStream *stream)
{
    contract_stream_remove(stream, contract_stream_entry(3),
                           CONTRACT_ENTRY_SIZE);
    --*contract_stream_at(stream, contract_stream_count());
}

static void drop_all(ContractStream *stream)
{
    contract_stream_remove(stream, contract_stream_entry(0),
                           stream->entries * CONTRACT_ENTRY_SIZE);
    *contract_stream_at(stream, contract_stream_count()) = 0;
}

static void repeat_entry(ContractStream *stream)
{
    contract_stream_append(stream, entry_names[0], 1);
}

static void repeat_instead(ContractStream *stream)
{
    memcpy(entry_at(stream, 1), entry_at(stream, 0), CONTRACT_ENTRY_SIZE);
}

static void reverse(ContractStream *stream)
{
    for (unsigned i = 0; i < stream->entries / 2; i++) {
        uint8_t *a = entry_at(stream, i);
        uint8_t *b = entry_at(stream, stream->entries - 1 - i);
        uint8_t entry[CONTRACT_ENTRY_SIZE];

        memcpy(entry, a, sizeof(entry));
        memcpy(a, b, sizeof(entry));
        memcpy(b, entry, sizeof(entry));
    }
}

static void count_129(ContractStream *stream)
{
    *contract_stream_at(stream, contract_stream_count()) = 129;
}

static void count_255(ContractStream *stream)
{
    *contract_stream_at(stream, contract_stream_count()) = 255;
}

static void count_one_more(ContractStream *stream)
{
    ++*contract_stream_at(stream, contract_stream_count());
}

/* What is left fits, but it is not where the section ends. */
static void count_one_less(ContractStream *stream)
{
    uint8_t entry[CONTRACT_ENTRY_SIZE];

    memcpy(entry, entry_at(stream, 3), sizeof(entry));
    memcpy(entry_at(stream, 3), entry_at(stream, 4), sizeof(entry));
    memcpy(entry_at(stream, 4), entry, sizeof(entry));
    --*contract_stream_at(stream, contract_stream_count());
}

static void fill_up(ContractStream *stream)
{
    for (unsigned i = stream->entries; i < 129; i++) {
        g_autofree char *name = g_strdup_printf("x.unknown-%u", i);

        contract_stream_append(stream, name, 0);
    }
}

static void name_without_end(ContractStream *stream)
{
    memset(entry_at(stream, 0), 'a', CONTRACT_NAME_SIZE);
}

static void name_with_newline(ContractStream *stream)
{
    entry_at(stream, 0)[3] = '\n';
}

static void name_with_escape(ContractStream *stream)
{
    entry_at(stream, 0)[3] = 0x1b;
}

static void name_with_blank(ContractStream *stream)
{
    entry_at(stream, 0)[3] = ' ';
}

static void name_with_high_bit(ContractStream *stream)
{
    entry_at(stream, 0)[3] |= 0x80;
}

static void name_empty(ContractStream *stream)
{
    memset(entry_at(stream, 0), 0, CONTRACT_NAME_SIZE);
}

static void value_of_16_bytes(ContractStream *stream)
{
    static const uint8_t more[8];

    contract_stream_insert(stream, contract_stream_entry(1), more,
                           sizeof(more));
}

static void value_with_high_bits(ContractStream *stream)
{
    entry_at(stream, 4)[CONTRACT_NAME_SIZE] = 0x80;
}

static void version_2(ContractStream *stream)
{
    stl_be_p(contract_stream_at(stream, CONTRACT_HEADER_SIZE - 4), 2);
}

static void version_0(ContractStream *stream)
{
    stl_be_p(contract_stream_at(stream, CONTRACT_HEADER_SIZE - 4), 0);
}

static void instance_1(ContractStream *stream)
{
    stl_be_p(contract_stream_at(stream, CONTRACT_HEADER_SIZE - 8), 1);
}

static void footer_id(ContractStream *stream)
{
    *contract_stream_at(stream, contract_stream_size(stream) - 1) ^= 0x40;
}

/* Behind the first: a copy of it, in which @damage may be. */
static void repeat_section(ContractStream *stream, bool damage)
{
    unsigned size = contract_stream_size(stream);
    g_autofree uint8_t *copy = g_memdup2(contract_stream_at(stream, 0), size);

    if (damage) {
        copy[contract_stream_entry(1) - 1] ^= 2;
    }
    contract_stream_insert(stream, size, copy, size);
}

static void section_twice(ContractStream *stream)
{
    repeat_section(stream, false);
}

static void second_section_differs(ContractStream *stream)
{
    repeat_section(stream, true);
}

static void no_section(ContractStream *stream)
{
    contract_stream_remove(stream, 0, contract_stream_size(stream));
}

static void unknown_zero(ContractStream *stream)
{
    contract_stream_append(stream, "arm.from-the-future", 0);
}

static void unknown_value(ContractStream *stream)
{
    contract_stream_append(stream, "arm.from-the-future", 0x1234);
}

static void longest_name(ContractStream *stream)
{
    contract_stream_append(stream, "arm.an-entry-from-the-distant-f", 0);
}

static const Damage damages[] = {
    { "truncated/header", cut_in_header, "load of migration failed" },
    { "truncated/count", cut_before_count, "load of migration failed" },
    { "truncated/name", cut_in_name, "load of migration failed" },
    { "truncated/value", cut_in_value, "load of migration failed" },
    { "truncated/footer", cut_before_footer, "load of migration failed" },
    { "truncated/section-too-short", drop_last_value, "guest-abi" },
    { "duplicated/entry", repeat_entry,
      "guest-abi: 'arm.std-bmap' comes twice; the contract is damaged" },
    { "duplicated/entry-instead-of-another", repeat_instead,
      "guest-abi: 'arm.std-bmap' comes twice; the contract is damaged" },
    { "duplicated/section-that-differs", second_section_differs,
      "incoming VM uses hvc service 'std bit 1' (std bit 1), not enabled" },
    { "reordered", reverse },
    { "over-long/count-129", count_129, "guest-abi" },
    { "over-long/count-255", count_255, "guest-abi" },
    { "over-long/count-one-more", count_one_more, "guest-abi" },
    { "over-long/129-entries", fill_up, "guest-abi" },
    { "over-short/count", count_one_less,
      "Missing section footer for guest-abi" },
    { "missing/psci-version", drop_entry,
      "guest-abi: incoming VM has PSCI 0.0 [0x0], this VM has 1.1" },
    { "missing/zero", drop_zero_entry },
    { "missing/all", drop_all,
      "incoming VM was not given hvc service 'trng' (std bit 0)" },
    { "missing/section", no_section,
      "guest-abi: incoming VM has no contract with its guest" },
    { "name/without-nul", name_without_end,
      "guest-abi: entry 0 of the incoming contract has no valid name" },
    { "name/newline", name_with_newline,
      "guest-abi: entry 0 of the incoming contract has no valid name" },
    { "name/escape", name_with_escape,
      "guest-abi: entry 0 of the incoming contract has no valid name" },
    { "name/blank", name_with_blank,
      "guest-abi: entry 0 of the incoming contract has no valid name" },
    { "name/high-bit", name_with_high_bit,
      "guest-abi: entry 0 of the incoming contract has no valid name" },
    { "name/empty", name_empty,
      "guest-abi: entry 0 of the incoming contract has no valid name" },
    { "name/longest", longest_name },
    { "wrong-type/value-of-16-bytes", value_of_16_bytes, "guest-abi" },
    { "wrong-type/value-high-bits", value_with_high_bits,
      "incoming VM has PSCI 1.1 [0x8000000000010001], this VM has 1.1" },
    { "wrong-type/version-2", version_2,
      "unsupported version 2 for 'guest-abi' v1" },
    { "wrong-type/version-0", version_0, "guest-abi" },
    { "wrong-type/instance-1", instance_1,
      "Unknown savevm section or instance 'guest-abi' 1" },
    { "wrong-type/footer", footer_id, "guest-abi" },
    { "unknown/zero", unknown_zero },
    { "unknown/value", unknown_value,
      "guest-abi: incoming VM has 'arm.from-the-future' = 0x1234, which this "
      "VM does not know; use a QEMU, a machine type and a host that" },
    /* Each has to fit by itself; the last one counts. */
    { "section-twice", section_twice },
};

static void test_damage(const void *opaque)
{
    const Damage *damage = opaque;
    static char *good;
    g_autofree char *path = vm_scratch("damaged");
    g_autofree char *uri = g_strdup_printf("file:%s", path);
    g_auto(ContractStream) stream = { };
    g_auto(Outcome) outcome = { };
    g_autofree char *log = NULL;
    g_autoptr(Peer) to = NULL;

    alarm(HANG_S);
    if (!good) {
        g_autoptr(Peer) from = peer_start(LINUX_6_12, NULL, NULL);

        good = vm_scratch("good");
        migration_save(from->qts, good);
    }
    g_assert_true(contract_stream_read(good, &stream));
    g_assert_cmpuint(stream.entries, ==, ARRAY_SIZE(entry_names));
    for (unsigned i = 0; i < stream.entries; i++) {
        g_assert_cmpstr((char *)entry_at(&stream, i), ==, entry_names[i]);
    }
    damage->change(&stream);
    contract_stream_write(&stream, path);

    to = peer_incoming(LINUX_6_12, NULL, NULL);
    migration_accept(to->qts, uri);
    outcome = migration_wait(to->qts);
    log = peer_log(to);
    g_test_message("error-desc: %s", outcome.error ?: "none");
    g_test_message("stderr: %s", log);
    if (!damage->refusal) {
        g_assert_cmpstr(outcome.error, ==, NULL);
        g_assert_true(outcome.completed);
        return;
    }
    g_assert_false(outcome.completed);
    g_assert_nonnull(outcome.error);
    g_assert_true(strstr(outcome.error, damage->refusal) ||
                  strstr(log, damage->refusal));
}

/* Machine types */

static QList *query_machines(QTestState *qts)
{
    QDict *response = qtest_qmp(qts, "{ 'execute': 'query-machines', "
                                "'arguments': { 'compat-props': true } }");
    QList *machines = qobject_ref(qdict_get_qlist(response, "return"));

    qobject_unref(response);
    return machines;
}

static QDict *machine_by_name(QList *machines, const char *name)
{
    QListEntry *entry;

    QLIST_FOREACH_ENTRY(machines, entry) {
        QDict *machine = qobject_to(QDict, qlist_entry_obj(entry));

        if (g_str_equal(qdict_get_str(machine, "name"), name)) {
            return machine;
        }
    }
    return NULL;
}

static const struct {
    const char *name;
    const char *parent;
    const char *alias;
} types[] = {
    { "virt-hvc-9.0", "virt-9.0", NULL },
    { "virt-hvc-9.2", "virt-9.2", NULL },
    { "virt-hvc-10.0", "virt-10.0", "virt-hvc" },
};

static void test_types_listed(void)
{
    QTestState *qts = qtest_init("-machine none");
    QList *machines = query_machines(qts);
    QListEntry *entry;

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        QDict *type = machine_by_name(machines, types[i].name);
        QDict *parent = machine_by_name(machines, types[i].parent);
        static const char *const same[] = {
            "compat-props", "cpu-max", "deprecated", "default-cpu-type",
            "default-ram-id", "acpi", "numa-mem-supported",
            "hotpluggable-cpus",
        };

        g_assert_nonnull(type);
        g_assert_nonnull(parent);
        g_assert_cmpstr(qdict_get_try_str(type, "alias"), ==, types[i].alias);
        g_assert_false(qdict_get_try_bool(type, "is-default", false));
        for (unsigned j = 0; j < ARRAY_SIZE(same); j++) {
            g_assert_true(qobject_is_equal(qdict_get(type, same[j]),
                                           qdict_get(parent, same[j])));
        }
    }

    /* No two machines of a name, and no name the prefix of one of ours. */
    QLIST_FOREACH_ENTRY(machines, entry) {
        QDict *machine = qobject_to(QDict, qlist_entry_obj(entry));
        const char *name = qdict_get_str(machine, "name");
        const char *alias = qdict_get_try_str(machine, "alias");
        QListEntry *other;

        QLIST_FOREACH_ENTRY(machines, other) {
            QDict *second = qobject_to(QDict, qlist_entry_obj(other));
            const char *second_name = qdict_get_str(second, "name");

            if (second == machine) {
                continue;
            }
            g_assert_cmpstr(name, !=, second_name);
            g_assert_cmpstr(alias, !=, second_name);
            if (alias) {
                g_assert_cmpstr(alias, !=, qdict_get_try_str(second,
                                                             "alias"));
            }
            if (g_str_has_prefix(name, "virt-hvc-") ||
                g_str_has_prefix(second_name, "virt-hvc-")) {
                g_assert_false(g_str_has_prefix(second_name, name));
            }
        }
    }
    qobject_unref(machines);
    qtest_quit(qts);
}

static void test_types_properties(void)
{
    static const char *const names[] = {
        "hvc-services", "psci-version", "guest-abi",
    };
    QTestState *qts = qtest_init("-machine none");

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        g_autofree char *type = g_strdup_printf("%s-machine", types[i].name);
        QDict *response = qtest_qmp(qts, "{ 'execute': "
                                    "'qom-list-properties', 'arguments': { "
                                    "'typename': %s } }", type);
        unsigned found = 0;
        QListEntry *entry;

        g_assert_true(qdict_haskey(response, "return"));
        QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
            QDict *property = qobject_to(QDict, qlist_entry_obj(entry));

            for (unsigned j = 0; j < ARRAY_SIZE(names); j++) {
                found += g_str_equal(qdict_get_str(property, "name"),
                                     names[j]);
            }
        }
        g_assert_cmpuint(found, ==, ARRAY_SIZE(names));
        qobject_unref(response);
    }
    qtest_quit(qts);
}

static void test_types_help(void)
{
    g_autofree char *command = g_strdup_printf("%s -machine help",
                                               getenv("QTEST_QEMU_BINARY"));
    g_autofree char *out = NULL;
    g_autoptr(GError) err = NULL;
    int status;

    g_spawn_command_line_sync(command, &out, NULL, &status, &err);
    g_assert_no_error(err);
    g_assert_cmpint(status, ==, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        g_autofree char *line = g_strdup_printf("\n%-20s ", types[i].name);
        char *first = strstr(out, line);

        g_assert_nonnull(first);
        g_assert_null(strstr(first + 1, line));
    }
    g_assert_nonnull(strstr(out, "\nvirt-hvc "));
    g_assert_nonnull(strstr(out, "(alias of virt-hvc-10.0)"));
    g_assert_nonnull(strstr(out, "(alias of virt-10.0)"));
}

/* Who has set what */

typedef struct OriginCase {
    const char *machine;
    const char *services;
    const char *psci_version;
    Offer offer;
} OriginCase;

static const OriginCase origins[] = {
    { "virt-hvc-9.0", "type", "type", { 0, PSCI(1, 0) } },
    { "virt-hvc-9.2", "type", "type", { ALL_SERVICES, PSCI(1, 1) } },
    { "virt-hvc-10.0", "type", "type", { ALL_SERVICES, PSCI(1, 1) } },
    { "virt-hvc", "type", "type", { ALL_SERVICES, PSCI(1, 1) } },
    { "virt-hvc,psci-version=1.3", "type", "option",
      { ALL_SERVICES, PSCI(1, 3) } },
    { "virt-hvc,hvc-services=none", "option", "option", { 0, PSCI(1, 1) } },
    { "virt-hvc-9.0,hvc-services=linux-6.18", "option", "option",
      { ALL_SERVICES, PSCI(1, 3) } },
    { "virt-hvc-9.0,hvc-services=ptp,psci-version=1.2", "option", "option",
      { PTP, PSCI(1, 2) } },
    { "virt-hvc-10.0,hvc-services=linux-6.12", "option", "option",
      { ALL_SERVICES, PSCI(1, 1) } },
    { "virt-10.0,hvc-services=linux-5.10", "option", "option",
      { 0, PSCI(1, 0) } },
    { "virt-10.0,hvc-services=trng", "option", "default",
      { TRNG, PSCI(1, 1) } },
};

static void check_entry(QList *entries, unsigned index, uint64_t value,
                        const char *origin)
{
    QListEntry *at = QTAILQ_FIRST(&entries->head);
    QDict *entry;

    for (unsigned i = 0; at && i < index; i++) {
        at = QTAILQ_NEXT(at, next);
    }
    g_assert_nonnull(at);
    entry = qobject_to(QDict, qlist_entry_obj(at));
    g_assert_cmpstr(qdict_get_str(entry, "name"), ==, entry_names[index]);
    g_assert_cmphex(qdict_get_int(entry, "value"), ==, value);
    g_assert_cmpstr(qdict_get_str(entry, "rule"), ==, "exact");
    g_assert_cmpstr(qdict_get_str(entry, "origin"), ==, origin);
}

static void test_origins(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(origins); i++) {
        const OriginCase *o = &origins[i];
        QTestState *qts = qtest_initf("-machine %s", o->machine);
        QList *entries = contract_entries(qts);

        g_test_message("%s", o->machine);
        g_assert_cmpuint(qlist_size(entries), ==, ARRAY_SIZE(entry_names));
        check_entry(entries, 0, !!(o->offer.services & TRNG), o->services);
        check_entry(entries, 1, !!(o->offer.services & PV_TIME), o->services);
        check_entry(entries, 2, (o->offer.services & VENDOR_FEATURES ? 1 : 0) |
                    (o->offer.services & PTP ? 2 : 0), o->services);
        check_entry(entries, 3, 0, o->services);
        check_entry(entries, 4, o->offer.psci, o->psci_version);
        qobject_unref(entries);
        qtest_quit(qts);
    }
}

/* A VM that was promised nothing, and one that opted in with nothing */
static void test_opt_in(void)
{
    static const struct {
        const char *machine;
        bool migrated;
    } cases[] = {
        { "none", false },
        { "virt", false },
        { "virt,hvc-services=host", false },
        { "virt,guest-abi=on", true },
        { "none,guest-abi=on", true },
        { "virt,guest-abi=off", false },
        { "virt,hvc-services=none", true },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        QTestState *qts = qtest_initf("-machine %s", cases[i].machine);
        QDict *contract = qtest_qmp_assert_success_ref(qts, "{ 'execute': "
                                                       "'query-guest-abi' }");
        g_autofree char *info = qtest_hmp(qts, "info guest-abi");

        g_test_message("%s", cases[i].machine);
        g_assert_true(qdict_get_bool(contract, "migrated") ==
                      cases[i].migrated);
        g_assert_true(!!strstr(info, "carries it") == cases[i].migrated);
        g_assert_true(!!strstr(info, "carries no contract") !=
                      cases[i].migrated);
        qobject_unref(contract);
        qtest_quit(qts);
    }
}

/* Golden files */

static char *golden_path(const char *name)
{
    const char *dir = getenv("HVC_GOLDEN_DIR");

    return dir ? g_build_filename(dir, name, NULL) : NULL;
}

/* A released type as it is: what the golden file has of it */
static QDict *describe_type(QList *machines, const char *name)
{
    QTestState *qts = qtest_initf("-machine %s", name);
    QList *entries = contract_entries(qts);
    QDict *type = qdict_new();
    QDict *contract = qdict_new();
    QListEntry *entry;

    QLIST_FOREACH_ENTRY(entries, entry) {
        QDict *e = qobject_to(QDict, qlist_entry_obj(entry));

        qdict_put_int(contract, qdict_get_str(e, "name"),
                      qdict_get_int(e, "value"));
    }
    qdict_put(type, "contract", contract);
    qdict_put_obj(type, "compat-props", qobject_ref(
                  qdict_get(machine_by_name(machines, name),
                            "compat-props")));
    qobject_unref(entries);
    qtest_quit(qts);
    return type;
}

static void test_golden_types(void)
{
    g_autofree char *path = golden_path("machine-types.json");
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;
    QTestState *qts;
    QList *machines;
    QListEntry *entry;
    QDict *golden;
    unsigned found = 0;

    if (!path) {
        g_test_skip("HVC_GOLDEN_DIR does not say where machine-types.json is");
        return;
    }
    g_file_get_contents(path, &text, NULL, &err);
    g_assert_no_error(err);
    golden = qobject_to(QDict, qobject_from_json(text, &error_abort));
    g_assert_nonnull(golden);

    qts = qtest_init("-machine none");
    machines = query_machines(qts);
    QLIST_FOREACH_ENTRY(machines, entry) {
        QDict *machine = qobject_to(QDict, qlist_entry_obj(entry));
        const char *name = qdict_get_str(machine, "name");
        QDict *type;

        if (!g_str_has_prefix(name, "virt-hvc-")) {
            continue;
        }
        type = describe_type(machines, name);
        if (!qobject_is_equal(QOBJECT(type), qdict_get(golden, name))) {
            GString *json = qobject_to_json_pretty(QOBJECT(type), true);

            vm_fail("%s is not what machine-types.json says; it is %s", name,
                    json->str);
            g_string_free(json, true);
        }
        qobject_unref(type);
        found++;
    }
    g_assert_cmpuint(found, ==, qdict_size(golden));
    qobject_unref(golden);
    qobject_unref(machines);
    qtest_quit(qts);
}

/* The list of tests */

static void add_matrix_tests(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(configs); i++) {
        for (unsigned j = 0; j < ARRAY_SIZE(configs); j++) {
            Pair pair = { &configs[i], &configs[j] };
            g_autofree char *path =
                g_strdup_printf("hvc/migration/matrix/%s/to/%s",
                                configs[i].name, configs[j].name);

            qtest_add_data_func_full(path, g_memdup2(&pair, sizeof(pair)),
                                     test_pair, g_free);
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(configs); i++) {
        g_autofree char *path =
            g_strdup_printf("hvc/migration/refused-then-good/%s",
                            configs[i].name);

        if (configs[i].chosen) {
            qtest_add_data_func(path, &configs[i], test_refused_then_good);
        }
    }
    qtest_add_func("hvc/migration/section-size", test_section_size);
}

static void add_kind_tests(void)
{
    static Move *const by_file = move_by_file;
    static Move *const live = migrate_live;
    static Move *const with_return_path = move_with_return_path;
    static Move *const by_multifd = move_by_multifd;
    static Move *const by_postcopy = move_by_postcopy;

    qtest_add_data_func("hvc/migration/kind/file", &by_file, test_move);
    qtest_add_data_func("hvc/migration/kind/live", &live, test_move);
    qtest_add_data_func("hvc/migration/kind/live-with-return-path",
                        &with_return_path, test_move);
    qtest_add_data_func("hvc/migration/kind/multifd", &by_multifd, test_move);
    qtest_add_data_func("hvc/migration/kind/postcopy", &by_postcopy,
                        test_move);
    qtest_add_func("hvc/migration/kind/live-busy", test_busy);
    qtest_add_func("hvc/migration/kind/snapshot", test_snapshot);
    qtest_add_func("hvc/migration/kind/snapshot-without-contract",
                   test_snapshot_without_contract);
    qtest_add_func("hvc/migration/refused-before-ram", test_before_ram);
}

static void add_type_tests(void)
{
    qtest_add_func("hvc/migration/types/listed", test_types_listed);
    qtest_add_func("hvc/migration/types/properties", test_types_properties);
    qtest_add_func("hvc/migration/types/help", test_types_help);
    qtest_add_func("hvc/migration/types/golden", test_golden_types);
    qtest_add_func("hvc/migration/contract/origins", test_origins);
    qtest_add_func("hvc/migration/contract/opt-in", test_opt_in);
}

static void add_damage_tests(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(damages); i++) {
        g_autofree char *path = g_strdup_printf("hvc/migration/damaged/%s",
                                                damages[i].name);

        qtest_add_data_func(path, &damages[i], test_damage);
    }
}

/* libqtest waits for events without a limit. */
static void hang(int signal)
{
    static const char text[] = "# a test hangs\n";

    if (write(STDOUT_FILENO, text, sizeof(text) - 1) > 0) {
        abort();
    }
    abort();
}

/*
 * Guest memory that is a file can only be received by postcopy on tmpfs; the
 * other tests are faster there. A container may have next to none of it.
 */
static void use_tmpfs(void)
{
    static const char path[] = "/dev/shm";
    struct statvfs space;

    if (!getenv("TMPDIR") && !access(path, W_OK) && !statvfs(path, &space) &&
        (uint64_t)space.f_bavail * space.f_frsize > 512 * MiB) {
        g_setenv("TMPDIR", path, true);
    }
}

int main(int argc, char **argv)
{
    int ret;

    use_tmpfs();
    g_test_init(&argc, &argv, NULL);
    sigaction(SIGALRM, &(struct sigaction) { .sa_handler = hang }, NULL);

    add_type_tests();
    add_damage_tests();
    add_kind_tests();
    add_matrix_tests();
    ret = g_test_run();

    for (unsigned i = 0; i < ARRAY_SIZE(saved); i++) {
        g_free(saved[i].path);
        qobject_unref(saved[i].entries);
    }
    program_clear(&matrix_program);
    vm_cleanup();
    return ret;
}
