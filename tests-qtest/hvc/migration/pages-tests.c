/*
 * Tests of guests that share pages and are moved
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Each vCPU shares pages of its own, writes them and takes them back. What
 * each of its calls answers and each of its reads finds is known when the list
 * is made, wherever the guest is when it makes them.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "migration/migration-qmp.h"
#include "../calls/function-ids.h"
#include "../calls/pages-model.h"
#include "framework.h"
#include "moves.h"

static const Config sharing = {
    .name = "mem-share", .type = "virt-10.0",
    .options = "hvc-services=linux-6.12:+mem-share",
    .chosen = "hvc-services=linux-6.12:+mem-share",
};

/* Of each vCPU; they take turns in memory. */
#define PAGES 64

/* move_by_postcopy() overwrites what is below. */
#define PAGES_AT 0x43a00000

/**
 * Answer: what a step's result has to be
 * @step: its number
 * @vcpu: who makes it
 * @x: the result
 */
typedef struct Answer {
    unsigned step;
    unsigned vcpu;
    uint64_t x[4];
} Answer;

/**
 * Sharing: a guest's calls
 * @calls: the list
 * @answers: what its steps find
 * @written: the step that has written each vCPU's page last
 * @model: what it shares
 * @middle: a copy of it, as it is at @wait
 * @wait: the step that waits for GO, in the middle
 */
typedef struct Sharing {
    Calls *calls;
    GArray *answers;
    unsigned written[CALLS_VCPUS][PAGES];
    PagesModel model;
    PagesModel middle;
    unsigned wait;
} Sharing;

static void sharing_free(Sharing *sharing)
{
    calls_free(sharing->calls);
    g_array_unref(sharing->answers);
    g_free(sharing);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sharing, sharing_free)

static uint64_t address_of(const Sharing *sharing, unsigned vcpu,
                           unsigned page)
{
    return PAGES_AT + (page * sharing->calls->vcpus + vcpu) * PAGES_SIZE;
}

static void expect(Sharing *sharing, unsigned step, unsigned vcpu,
                   const uint64_t *x)
{
    Answer answer = { .step = step, .vcpu = vcpu };

    memcpy(answer.x, x, sizeof(answer.x));
    g_array_append_val(sharing->answers, answer);
}

static void tell(Sharing *sharing, unsigned vcpu, unsigned page, bool shared)
{
    const uint64_t x[4] = { shared ? MEM_SHARE : MEM_UNSHARE,
                            address_of(sharing, vcpu, page) };
    const uint64_t result[4] = { pages_model_call(&sharing->model, x) };

    expect(sharing, calls_add(sharing->calls, VCPU(vcpu), CALL_PLAIN, x[0],
                              x[1], 0, 0), vcpu, result);
}

static void write_page(Sharing *sharing, unsigned vcpu, unsigned page)
{
    sharing->written[vcpu][page] =
        calls_add(sharing->calls, VCPU(vcpu), CALL_WRITE,
                  address_of(sharing, vcpu, page), 0, 0, 0);
}

static void read_page(Sharing *sharing, unsigned vcpu, unsigned page)
{
    unsigned step = calls_add(sharing->calls, VCPU(vcpu), CALL_READ,
                              address_of(sharing, vcpu, page), 0, 0, 0);
    const struct CallStep *written =
        &g_array_index(sharing->calls->steps, struct CallStep,
                       sharing->written[vcpu][page]);

    expect(sharing, step, vcpu, &written->x[4]);
}

/* All pages change their state, some of them twice, some to and fro. */
static void add_round(Sharing *sharing, unsigned ticks)
{
    for (unsigned page = 0; page < PAGES; page++) {
        for (unsigned vcpu = 0; vcpu < sharing->calls->vcpus; vcpu++) {
            unsigned index = (address_of(sharing, vcpu, page) - CALLS_RAM) /
                             PAGES_SIZE;
            bool shared = sharing->model.shared[index];

            tell(sharing, vcpu, page, !shared);
            write_page(sharing, vcpu, page);
            if (page % 3 == 0) {
                tell(sharing, vcpu, page, shared);
                write_page(sharing, vcpu, page);
            }
            if (page % 5 == 0) {
                tell(sharing, vcpu, page, shared);
            }
            if (ticks) {
                calls_add(sharing->calls, VCPU(vcpu), CALL_WAIT, ticks, 0, 0,
                          0);
            }
        }
    }
}

static void add_reads(Sharing *sharing)
{
    for (unsigned vcpu = 0; vcpu < sharing->calls->vcpus; vcpu++) {
        for (unsigned page = 0; page < PAGES; page++) {
            read_page(sharing, vcpu, page);
        }
    }
}

/*
 * @rounds: how often it goes through its pages behind the middle
 * @ticks: of the guest's counter, how long it waits then after each page
 */
static Sharing *sharing_new(unsigned vcpus, unsigned rounds, unsigned ticks)
{
    Sharing *sharing = g_new0(Sharing, 1);

    sharing->calls = calls_new(vcpus);
    sharing->answers = g_array_new(false, false, sizeof(Answer));
    calls_start_all(sharing->calls);
    add_round(sharing, 0);
    sharing->wait = calls_add(sharing->calls, sharing->calls->all, CALL_AWAIT,
                              GO, 1, 0, 0);
    sharing->middle = sharing->model;
    add_reads(sharing);
    for (unsigned round = 0; round < rounds; round++) {
        add_round(sharing, ticks);
    }
    add_reads(sharing);
    calls_barrier(sharing->calls, sharing->calls->all);
    return sharing;
}

static void wait_in_middle(const Vm *vm, const Sharing *sharing)
{
    const Program program = { .calls = sharing->calls };

    program_wait_step(vm, &program, sharing->wait);
}

static void check_answers(const Vm *vm, const Sharing *sharing)
{
    for (unsigned i = 0; i < sharing->answers->len; i++) {
        const Answer *answer = &g_array_index(sharing->answers, Answer, i);

        vm_expect(vm, answer->vcpu, answer->step, answer->x[0], answer->x[1],
                  answer->x[2], answer->x[3]);
    }
}

/* The guest waits in the middle; lets it go on to its end. */
static void check_arrived_sharing(const Peer *peer, const Sharing *sharing)
{
    pages_assert_model(peer->qts, &sharing->middle);
    program_go(peer, 1);
    vm_wait(peer->vm, 1);
    check_answers(peer->vm, sharing);
    pages_assert_model(peer->qts, &sharing->model);
}

/**
 * PagesCase: a guest, and a way to move it
 * @move: the way
 * @vcpus: the number of its vCPUs
 * @rounds, @ticks: see sharing_new()
 */
typedef struct PagesCase {
    Move *move;
    unsigned vcpus;
    unsigned rounds;
    unsigned ticks;
} PagesCase;

static void test_move(const void *opaque)
{
    const PagesCase *c = opaque;
    g_autoptr(Sharing) sharing_calls = NULL;
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;

    if (skip_without_guest()) {
        return;
    }
    sharing_calls = sharing_new(c->vcpus, 1, 0);
    from = peer_start(&sharing, sharing_calls->calls, NULL);
    to = peer_incoming(&sharing, sharing_calls->calls, NULL);
    if (c->move == move_by_postcopy && skip_without_postcopy(to)) {
        return;
    }
    wait_in_middle(from->vm, sharing_calls);
    (*c->move)(from, to);
    check_arrived_sharing(to, sharing_calls);
}

/*
 * The guest goes on while it is moved, two times, wherever it is when it is
 * stopped; it takes some three seconds, if nothing else keeps it.
 */
static void test_busy(const void *opaque)
{
    const PagesCase *c = opaque;
    g_autoptr(Sharing) sharing_calls = NULL;
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) middle = NULL;
    g_autoptr(Peer) to = NULL;

    if (skip_without_guest()) {
        return;
    }
    sharing_calls = sharing_new(c->vcpus, c->rounds, c->ticks);
    from = peer_start(&sharing, sharing_calls->calls, NULL);
    middle = peer_incoming(&sharing, sharing_calls->calls, NULL);
    to = peer_incoming(&sharing, sharing_calls->calls, NULL);
    wait_in_middle(from->vm, sharing_calls);
    program_go(from, 1);
    migrate_live(from, middle);
    migrate_live(middle, to);
    g_test_message("vCPU 0 has arrived at step %u of %u",
                   le32_to_cpu(to->vm->report->progress[0]),
                   sharing_calls->calls->steps->len);
    vm_wait(to->vm, 1);
    check_answers(to->vm, sharing_calls);
    pages_assert_model(to->qts, &sharing_calls->model);
}

static void hmp_quiet(const Peer *peer, const char *command)
{
    g_autofree char *answer = qtest_hmp(peer->qts, "%s", command);

    g_assert_cmpstr(answer, ==, "");
}

/* loadvm in the same VM, whose list is another one by then, and in another */
static void test_snapshot(void)
{
    g_autoptr(Sharing) sharing_calls = NULL;
    g_autofree char *drive = NULL, *loadvm = NULL;
    g_autoptr(Peer) peer = NULL;

    if (skip_without_guest()) {
        return;
    }
    drive = make_drive("pages-image");
    if (!drive) {
        return;
    }
    sharing_calls = sharing_new(2, 1, 0);
    peer = peer_start(&sharing, sharing_calls->calls, drive);
    wait_in_middle(peer->vm, sharing_calls);
    hmp_quiet(peer, "savevm middle");
    check_arrived_sharing(peer, sharing_calls);
    hmp_quiet(peer, "loadvm middle");
    check_arrived_sharing(peer, sharing_calls);
    g_clear_pointer(&peer, peer_free);
    loadvm = g_strdup_printf("%s -loadvm middle", drive);
    peer = peer_start(&sharing, sharing_calls->calls, loadvm);
    check_arrived_sharing(peer, sharing_calls);
}

/* A guest that is reset where it has arrived shares nothing. */
static void test_reset(void)
{
    g_autoptr(Sharing) sharing_calls = NULL;
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;

    if (skip_without_guest()) {
        return;
    }
    sharing_calls = sharing_new(1, 1, 0);
    from = peer_start(&sharing, sharing_calls->calls, NULL);
    to = peer_incoming(&sharing, sharing_calls->calls, NULL);
    wait_in_middle(from->vm, sharing_calls);
    migrate_live(from, to);
    pages_assert_model(to->qts, &sharing_calls->middle);
    hmp_quiet(to, "stop");
    hmp_quiet(to, "system_reset");
    qtest_qmp_eventwait(to->qts, "RESET");
    pages_assert_shared(to->qts, "");
}

/* A destination that has no such service says so before it gets memory. */
static void test_other_contract(void)
{
    static const char refusal[] =
        "guest-abi: incoming VM uses hvc service 'mem-share' (vendor-hyp bit "
        "2), not enabled here (hvc-services=linux-6.12); start this QEMU with "
        "the source's -machine options";
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;
    g_auto(Outcome) outcome = { };

    alarm(HANG_S);
    from = peer_start(&sharing, NULL, NULL);
    to = peer_incoming(LINUX_6_12, NULL, NULL);
    set_capability(from, to, "return-path");
    start_live(from, to);
    outcome = migration_wait(to->qts);
    assert_refused(to, &outcome, refusal, true);
    assert_source_refused(from, refusal);
}

/**
 * PagesDamage: a way to damage the section of a guest that shares nothing
 * @name: in test paths
 * @change: changes it; @at is where its header begins in @stream
 * @refusal: query-migrate's error-desc, or on stderr
 */
typedef struct PagesDamage {
    const char *name;
    void (*change)(GByteArray *stream, unsigned at);
    const char *refusal;
} PagesDamage;

/* The section's header: type, id, and behind its name instance and version */
#define NAME         "shared-pages"
#define NAME_AT      (1 + 4)
#define CONTENT_SIZE (NAME_AT + 1 + 12 + 4 + 4)
#define CONTENT      (CONTENT_SIZE + 4)
#define FOOTER       (CONTENT + 1)
#define SECTION_END  (FOOTER + 1 + 4)

static void leave_out(GByteArray *stream, unsigned at)
{
    g_byte_array_remove_range(stream, at, SECTION_END);
}

static void too_long(GByteArray *stream, unsigned at)
{
    stl_be_p(stream->data + at + CONTENT_SIZE, UINT32_MAX);
}

static void of_no_bytes(GByteArray *stream, unsigned at)
{
    stl_be_p(stream->data + at + CONTENT_SIZE, 0);
    g_byte_array_remove_range(stream, at + CONTENT, 1);
}

static void other_granule(GByteArray *stream, unsigned at)
{
    stream->data[at + CONTENT] = 16;
}

static void version_2(GByteArray *stream, unsigned at)
{
    stl_be_p(stream->data + at + CONTENT_SIZE - 4, 2);
}

#define DAMAGED "shared-pages: the incoming list of shared pages is damaged: "

static const PagesDamage damages[] = {
    { "left-out", leave_out, "shared-pages: the incoming VM has no list of "
      "shared pages, which this VM needs; start this QEMU with the source's "
      "-machine options" },
    { "too-long", too_long,
      DAMAGED "it has 4294967295 bytes, the most is 787" },
    { "no-bytes", of_no_bytes, DAMAGED "its pages are not of 4 KiB" },
    { "granule", other_granule, DAMAGED "its pages are not of 4 KiB" },
    { "version", version_2, "unsupported version 2 for 'shared-pages' v1" },
};

static unsigned find_section(const GByteArray *stream)
{
    static const char name[] = "\x0c" NAME;
    const uint8_t *found = memmem(stream->data, stream->len, name,
                                  strlen(name));

    g_assert_nonnull(found);
    return found - stream->data - NAME_AT;
}

static void test_damage(const void *opaque)
{
    const PagesDamage *damage = opaque;
    g_autofree char *path = vm_scratch("damaged");
    g_autofree char *uri = g_strdup_printf("file:%s", path);
    g_autofree char *log = NULL;
    g_autoptr(GByteArray) stream = NULL;
    g_autoptr(GError) err = NULL;
    g_auto(Outcome) outcome = { };
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;
    unsigned at;
    char *data;
    gsize size;

    alarm(HANG_S);
    from = peer_start(&sharing, NULL, NULL);
    migration_save(from->qts, path);
    g_file_get_contents(path, &data, &size, &err);
    g_assert_no_error(err);
    stream = g_byte_array_new_take((guint8 *)data, size);
    at = find_section(stream);
    g_assert_cmpuint(ldl_be_p(stream->data + at + CONTENT_SIZE), ==, 1);
    g_assert_cmpuint(stream->data[at + CONTENT], ==, 12);
    g_assert_cmphex(stream->data[at + FOOTER], ==, 0x7e);
    damage->change(stream, at);
    g_file_set_contents(path, (char *)stream->data, stream->len, &err);
    g_assert_no_error(err);

    to = peer_incoming(&sharing, NULL, NULL);
    accept_stream(to, uri);
    outcome = migration_wait(to->qts);
    log = peer_log(to);
    g_test_message("error-desc: %s", outcome.error ?: "none");
    g_test_message("stderr: %s", log);
    g_assert_false(outcome.completed);
    g_assert_true((outcome.error && strstr(outcome.error, damage->refusal)) ||
                  strstr(log, damage->refusal));
}

void migration_pages_tests(void)
{
    static const struct {
        const char *name;
        PagesCase c;
    } moves[] = {
        { "file/1-vcpu", { move_by_file, 1 } },
        { "file/2-vcpus", { move_by_file, 2 } },
        { "live/1-vcpu", { migrate_live, 1 } },
        { "live/2-vcpus", { migrate_live, 2 } },
        { "live/8-vcpus", { migrate_live, 8 } },
        { "multifd/2-vcpus", { move_by_multifd, 2 } },
        { "postcopy/1-vcpu", { move_by_postcopy, 1 } },
        { "postcopy/2-vcpus", { move_by_postcopy, 2 } },
    };
    static const PagesCase busy[] = {
        { .vcpus = 1, .rounds = 40, .ticks = 62500 },
        { .vcpus = 2, .rounds = 40, .ticks = 62500 },
        { .vcpus = 8, .rounds = 10, .ticks = 250000 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(moves); i++) {
        g_autofree char *path = g_strdup_printf("hvc/migration/pages/%s",
                                                moves[i].name);

        qtest_add_data_func(path, &moves[i].c, test_move);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(busy); i++) {
        g_autofree char *path =
            g_strdup_printf("hvc/migration/pages/busy/%u-vcpus", busy[i].vcpus);

        qtest_add_data_func(path, &busy[i], test_busy);
    }
    qtest_add_func("hvc/migration/pages/snapshot", test_snapshot);
    qtest_add_func("hvc/migration/pages/reset", test_reset);
    qtest_add_func("hvc/migration/pages/other-contract", test_other_contract);
    for (unsigned i = 0; i < ARRAY_SIZE(damages); i++) {
        g_autofree char *path =
            g_strdup_printf("hvc/migration/pages/damaged/%s", damages[i].name);

        qtest_add_data_func(path, &damages[i], test_damage);
    }
}
