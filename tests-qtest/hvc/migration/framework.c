/*
 * Framework of hvc-migration-test: machines, VMs, and programs of their guests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "migration/migration-qmp.h"
#include "../calls/function-ids.h"
#include "framework.h"

#define REMEDY "start this QEMU with the source's -machine options"

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

const Config configs[CONFIGS_MAX] = {
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
    TYPE("virt-hvc-10.2", "linux-6.12", ALL_SERVICES, PSCI(1, 1)),
};

const char *const contract_entry_names[CONTRACT_ENTRIES] = {
    "arm.std-bmap", "arm.std-hyp-bmap", "arm.vendor-hyp-bmap",
    "arm.vendor-hyp-bmap-2", "arm.psci-version", "machine.vcpus",
};

/* In the order of a contract's bitmaps and their bits */
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

/* Of a bitmap, what is not offered here comes before what is missing. */
static char *bitmap_refusal(const Config *from, const Config *to,
                            const char *reg)
{
    unsigned kinds[] = {
        from->offer.services & ~to->offer.services,
        to->offer.services & ~from->offer.services,
    };

    for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
        for (unsigned i = 0; i < ARRAY_SIZE(services); i++) {
            if (!g_str_equal(services[i].reg, reg) ||
                !(kinds[k] & services[i].service)) {
                continue;
            }
            return g_strdup_printf(
                "guest-abi: incoming VM %s hvc service '%s' (%s bit %u), %s "
                "here (%s); " REMEDY, k ? "was not given" : "uses",
                services[i].name, reg, services[i].bit,
                k ? "enabled" : "not enabled", to->chosen);
        }
    }
    return NULL;
}

/* All that does not fit, in a contract's order */
static char *contract_refusal(const Config *from, const Config *to)
{
    static const char *const bitmaps[] = { "std", "std-hyp", "vendor-hyp" };
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        char *refusal = bitmap_refusal(from, to, bitmaps[i]);

        if (refusal) {
            g_ptr_array_add(texts, refusal);
        }
    }
    if (from->offer.psci != to->offer.psci) {
        g_ptr_array_add(texts, g_strdup_printf(
            "guest-abi: incoming VM has PSCI %u.%u [0x%x], this VM has %u.%u "
            "(%s); " REMEDY, from->offer.psci >> 16, from->offer.psci & 0xffff,
            from->offer.psci, to->offer.psci >> 16, to->offer.psci & 0xffff,
            to->chosen));
    }
    return all_misfits(texts);
}

char *expected_refusal(const Config *from, const Config *to,
                       bool *named)
{
    *named = false;
    if (!g_str_equal(from->type, to->type)) {
        return g_strdup_printf("Machine type received is '%s' and local is "
                               "'%s'", from->type, to->type);
    }
    if (!to->chosen) {
        /* QEMU 10.0: Unknown savevm section; 10.2: Unknown section */
        return from->chosen ? g_strdup("section or instance 'guest-abi' 0")
                            : NULL;
    }
    *named = true;
    if (!from->chosen) {
        return g_strdup("guest-abi: incoming VM has no contract with its "
                        "guest, this VM has one (see query-guest-abi); "
                        REMEDY);
    }
    return contract_refusal(from, to);
}

/* VMs */

/* The variables that name the QEMU of either side */
static const char *const binaries[] = {
    "QTEST_QEMU_BINARY_SRC", "QTEST_QEMU_BINARY_DST",
};

static const char *binary_of(bool incoming)
{
    return getenv(binaries[incoming]) ?: getenv("QTEST_QEMU_BINARY");
}

static bool has_machine(const char *binary, const char *type)
{
    g_autofree char *command = g_strdup_printf("%s -machine help", binary);
    g_autofree char *line = g_strdup_printf("\n%s ", type);
    g_autofree char *out = NULL;
    g_autoptr(GError) err = NULL;

    g_spawn_command_line_sync(command, &out, NULL, NULL, &err);
    g_assert_no_error(err);
    return strstr(out, line);
}

unsigned configs_count(void)
{
    static unsigned count;

    if (!count) {
        count = CONFIGS_MAX;
        while (!has_machine(binary_of(false), configs[count - 1].type) ||
               !has_machine(binary_of(true), configs[count - 1].type)) {
            count--;
            g_assert_cmpuint(count, >, 0);
        }
    }
    return count;
}

bool have_guest(void)
{
    g_autofree char *reason = vm_missing(&(Setup) { });

    return !reason;
}

bool skip_without_guest(void)
{
    g_autofree char *reason = vm_missing(&(Setup) { });

    alarm(HANG_S);
    if (reason) {
        g_test_skip(reason);
    }
    return reason;
}

char *make_drive(const char *name)
{
    g_autofree char *image = vm_scratch(name);

    if (!have_qemu_img()) {
        g_test_skip("QTEST_QEMU_IMG does not name qemu-img");
        return NULL;
    }
    g_assert_true(mkimg(image, "qcow2", 1));
    return g_strdup_printf("-drive if=none,id=d,format=qcow2,file=%s", image);
}

bool skip_without_contract(const Config *config)
{
    if (config->chosen || g_str_equal(binary_of(false), binary_of(true))) {
        return false;
    }
    g_test_skip("two versions of QEMU do not take each other's vCPUs without "
                "a contract, with or without the patches");
    return true;
}

static Peer *start(const Config *config, const Calls *calls, bool there,
                   const char *extra)
{
    static unsigned serial;
    g_autofree char *name = g_strdup_printf("log-%u", serial++);
    g_autofree char *own = g_strdup(getenv("QTEST_QEMU_BINARY"));
    g_autofree char *args = NULL;
    Peer *peer = g_new0(Peer, 1);

    /* What libqtest starts, in each version of QEMU */
    g_setenv("QTEST_QEMU_BINARY", binary_of(there), true);
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
    g_setenv("QTEST_QEMU_BINARY", own, true);
    return peer;
}

Peer *peer_start(const Config *config, const Calls *calls, const char *extra)
{
    return start(config, calls, false, extra);
}

Peer *peer_start_there(const Config *config, const Calls *calls,
                       const char *extra)
{
    return start(config, calls, true, extra);
}

Peer *peer_incoming(const Config *config, const Calls *calls,
                    const char *extra)
{
    g_autofree char *args = g_strdup_printf("-incoming defer %s",
                                            extra ?: "");

    return start(config, calls, true, args);
}

void peer_free(Peer *peer)
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

char *peer_log(const Peer *peer)
{
    g_autoptr(GError) err = NULL;
    char *text;

    g_file_get_contents(peer->log, &text, NULL, &err);
    g_assert_no_error(err);
    return text;
}

void assert_refused(const Peer *to, const Outcome *outcome,
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
        /* Where QEMU 10.2 has an Error, 10.0 prints. */
        g_assert_false(named);
        g_assert_nonnull(outcome->error);
        g_assert_nonnull(strstr(outcome->error, refusal));
    }
    g_assert_cmpstr(state, ==, "inmigrate");
}

/* What guests do */

void program_clear(Program *program)
{
    g_clear_pointer(&program->calls, calls_free);
}

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

Program program_same_answers(unsigned vcpus)
{
    Program program = { .calls = calls_new(vcpus) };

    calls_start_all(program.calls);
    add_families(&program, 0);
    program.wait[0] = add_wait(&program, 1);
    add_families(&program, 1);
    return program;
}

Program program_stolen_time(unsigned vcpus)
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

void program_check_answers(const Vm *vm, const Config *config,
                   const Program *program)
{
    check_half(vm, config, program, 0);
    check_half(vm, config, program, 1);
}

void program_wait_step(const Vm *vm, const Program *program, unsigned step)
{
    for (unsigned i = 0; i < program->calls->vcpus; i++) {
        const uint32_t *progress = &vm->report->progress[i];

        while (le32_to_cpu(qatomic_load_acquire(progress)) <= step) {
            g_assert_true(qtest_probe_child(vm->qts));
            g_usleep(500);
        }
    }
}

void program_go(const Peer *peer, uint64_t value)
{
    qtest_writeq(peer->qts, GO, value);
}

void program_finish(const Peer *peer, int64_t started_ns, const Config *config,
            const Program *program)
{
    peer->vm->started_ns = started_ns;
    program_go(peer, 1);
    vm_wait(peer->vm, 1);
    program_check_answers(peer->vm, config, program);
}

/* Over a socket */

char *socket_path(void)
{
    static unsigned serial;
    g_autofree char *name = g_strdup_printf("socket-%u", serial++);

    return vm_scratch(name);
}

void accept_stream(const Peer *to, const char *uri)
{
    migrate_incoming_qmp(to->qts, uri, NULL, "{ 'exit-on-error': false }");
}

void start_live(const Peer *from, const Peer *to)
{
    g_autofree char *path = socket_path();
    g_autofree char *uri = g_strdup_printf("unix:%s", path);

    accept_stream(to, uri);
    migrate_qmp(from->qts, to->qts, uri, NULL, "{}");
}

void assert_completed(QTestState *qts)
{
    g_auto(Outcome) outcome = migration_wait(qts);

    g_assert_cmpstr(outcome.error, ==, NULL);
    g_assert_true(outcome.completed);
}

void migrate_live(const Peer *from, const Peer *to)
{
    start_live(from, to);
    assert_completed(from->qts);
    assert_completed(to->qts);
}

/* What a source says that has a return path; it has room for 255 bytes. */
static char *source_error(const char *refusal)
{
    static const char more[] = " [...] (the destination's query-migrate says "
                               "more)";
    char *told = g_strdup_printf("the destination refused this VM: %s",
                                 refusal);

    if (strlen(told) > 255) {
        strcpy(told + 255 - strlen(more), more);
    }
    return told;
}

/* stderr gets the error when the source cleans up, after its event. */
static void wait_for_log(const Peer *peer, const char *text)
{
    for (;;) {
        g_autofree char *log = peer_log(peer);

        g_assert_null(strstr(log, "Sibling indicated"));
        if (strstr(log, text)) {
            return;
        }
        g_assert_true(qtest_probe_child(peer->qts));
        g_usleep(1000);
    }
}

void assert_source_refused(const Peer *from, const char *refusal)
{
    g_auto(Outcome) outcome = migration_wait(from->qts);
    g_autofree char *state = run_state(from->qts);
    g_autofree char *told = refusal ? source_error(refusal) : NULL;

    g_assert_false(outcome.completed);
    g_assert_nonnull(outcome.error);
    if (told) {
        g_assert_cmpstr(outcome.error, ==, told);
        wait_for_log(from, told);
    }
    g_assert_null(strstr(outcome.error, "Sibling indicated"));
    g_assert_cmpstr(state, ==, "running");
}

void assert_source_hinted(const Peer *from)
{
    static const char hint[] =
        "migration failed; if the destination refused this VM, its "
        "query-migrate and log say why: ";
    g_auto(Outcome) outcome = migration_wait(from->qts);

    g_assert_false(outcome.completed);
    g_assert_nonnull(outcome.error);
    g_test_message("source: %s", outcome.error);
    g_assert_true(g_str_has_prefix(outcome.error, hint));
    g_assert_null(strstr(outcome.error, "Sibling indicated"));
    wait_for_log(from, hint);
}

void set_capability(const Peer *from, const Peer *to, const char *name)
{
    migrate_set_capability(from->qts, name, true);
    migrate_set_capability(to->qts, name, true);
}
