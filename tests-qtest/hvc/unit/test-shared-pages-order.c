/*
 * Unit tests of the order in which a migration looks at shared pages
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Two machines whose memory is encrypted, each with a key of its own: what a
 * guest writes as private is in DRAM as it cannot be read without the key, and
 * what it writes as shared is there as it is. A transport moves the guest from
 * the one to the other through the functions that a transport of QEMU's calls:
 * it takes private pages through the key, and shared ones as they are. The
 * guest does its part at any step of it that a test chooses. What counts is
 * what the guest reads in the end.
 *
 * scripts/tests/test_shared_pages_order.py swaps lines of the functions under
 * test, and looks which of these tests fail.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "migration/shared-pages-transport.h"

#define PAGE  SHARED_PAGES_GRANULE
#define PAGES 3

/* The page that the guest changes; the others are dirty, and that is all. */
#define SUBJECT 1

#define OLD 0x0123456789abcdefULL
#define NEW 0xfedcba9876543210ULL

/* Looks at the dirty log before the guest is stopped */
#define LIVE_LOOKS 2

/**
 * Action: something that a guest does to its page
 */
typedef enum Action {
    TELL_SHARED,
    TELL_PRIVATE,
    /* It maps the page so, and writes NEW. */
    WRITE_SHARED,
    WRITE_PRIVATE,
    ACTIONS,
} Action;

#define MAX_ACTIONS 3

/**
 * Step: where a migration can be when the guest does something
 */
typedef enum Step {
    BEFORE_LOOK,
    AFTER_LOOK,
    BEFORE_CLEAR,
    AFTER_CLEAR,
    BEFORE_READING,
    AFTER_READING,
    BEFORE_STOP,
    AT_DESTINATION,
} Step;

/**
 * Machine: memory, what the guest knows of it, and what the VMM does
 * @log: what the guest has told
 * @key: without it private memory is not to be read
 * @dram: what is in each page
 * @mapped_shared: how the guest has mapped each page
 * @dirty: by the accelerator
 * @found: dirty by the last look
 */
typedef struct Machine {
    SharedPagesLog *log;
    uint64_t key;
    uint64_t dram[PAGES];
    bool mapped_shared[PAGES];
    bool dirty[PAGES];
    bool found[PAGES];
} Machine;

/**
 * Move: a guest on its way
 * @source, @destination: its machines
 * @by_own_log: the destination does it wrong: it asks its own log
 * @actions: what the guest does, until ACTIONS
 * @by_step: each is done at its step, the first time that the guest is there
 *           after the action before; otherwise at its point
 * @steps: at which step each is done
 * @at: at which point of the way each is done, in the order of points; what is
 *      left when the guest is stopped it does at the destination
 * @done: number of those that it has done
 * @point: number of the steps that it has been at
 * @looks: number of looks at the dirty log so far
 * @stopped: the source does not run any more
 */
typedef struct Move {
    Machine source, destination;
    bool by_own_log;
    Action actions[MAX_ACTIONS + 1];
    bool by_step;
    Step steps[MAX_ACTIONS];
    unsigned at[MAX_ACTIONS];
    unsigned done;
    unsigned point;
    unsigned looks;
    bool stopped;
} Move;

/* SharedPagesOps.changed is not told whose log it is. */
static Machine *running;

static const char *name_of(const void *memory)
{
    return "ram";
}

static void changed(uint64_t address, uint64_t size, bool shared)
{
    for (uint64_t page = address / PAGE; page < (address + size) / PAGE;
         page++) {
        running->dirty[page] = true;
    }
}

static const SharedPagesOps ops = { name_of, changed };

static uint64_t sealed(const Machine *machine, unsigned page, uint64_t value)
{
    return value ^ machine->key * (2 * page + 1);
}

static uint64_t guest_reads(const Machine *machine, unsigned page)
{
    return machine->mapped_shared[page] ? machine->dram[page]
           : sealed(machine, page, machine->dram[page]);
}

static void guest_writes(Machine *machine, unsigned page, bool shared,
                         uint64_t value)
{
    machine->mapped_shared[page] = shared;
    machine->dram[page] = shared ? value : sealed(machine, page, value);
    machine->dirty[page] = true;
}

static void act(Machine *machine, Action action)
{
    running = machine;
    switch (action) {
    case TELL_SHARED:
    case TELL_PRIVATE:
        shared_pages_log_set(machine->log, SUBJECT * PAGE, PAGE,
                             action == TELL_SHARED);
        break;
    case WRITE_SHARED:
    case WRITE_PRIVATE:
        guest_writes(machine, SUBJECT, action == WRITE_SHARED, NEW);
        break;
    default:
        g_assert_not_reached();
    }
}

/* A place at which the guest may be just now */
static void at_step(Move *move, Step step)
{
    if (move->stopped) {
        return;
    }
    while (move->actions[move->done] != ACTIONS &&
           (move->by_step ? move->steps[move->done] == step
                          : move->at[move->done] <= move->point)) {
        act(&move->source, move->actions[move->done]);
        move->done++;
    }
    move->point++;
}

static void stop(void *opaque)
{
    Move *move = opaque;

    at_step(move, BEFORE_STOP);
    move->stopped = true;
}

static void look(void *opaque)
{
    Move *move = opaque;

    at_step(move, BEFORE_LOOK);
    for (unsigned page = 0; page < PAGES; page++) {
        move->source.found[page] |= move->source.dirty[page];
    }
    move->looks++;
    at_step(move, AFTER_LOOK);
}

static bool find(void *opaque, const void **memory, uint64_t *offset)
{
    Move *move = opaque;

    for (unsigned page = 0; page < PAGES; page++) {
        if (move->source.found[page]) {
            *memory = move->source.dram;
            *offset = page * PAGE;
            return true;
        }
    }
    return false;
}

/* Steps of the other pages are none, but that time goes by. */
static void at_page(Move *move, uint64_t offset, Step step)
{
    if (!move->by_step || offset == SUBJECT * PAGE) {
        at_step(move, step);
    }
}

static void clear(void *opaque, const void *memory, uint64_t offset)
{
    Move *move = opaque;

    at_page(move, offset, BEFORE_CLEAR);
    move->source.dirty[offset / PAGE] = false;
    move->source.found[offset / PAGE] = false;
    at_page(move, offset, AFTER_CLEAR);
}

static void put(Machine *machine, unsigned page, bool shared, uint64_t value)
{
    machine->dram[page] = shared ? value : sealed(machine, page, value);
}

static bool send_page(void *opaque, const void *memory, uint64_t offset,
                      bool shared, Error **errp)
{
    Move *move = opaque;
    Machine *source = &move->source, *destination = &move->destination;
    unsigned page = offset / PAGE;
    uint64_t value;

    at_page(move, offset, BEFORE_READING);
    value = source->dram[page];
    if (!shared) {
        value = sealed(source, page, value);
    }
    put(destination, page, move->by_own_log ?
        shared_pages_log_get(destination->log, destination->dram, offset)
        : shared, value);
    at_page(move, offset, AFTER_READING);
    return true;
}

static void new_machine(Machine *machine, uint64_t key, bool shared)
{
    *machine = (Machine) { .log = shared_pages_log_new(&ops), .key = key };
    running = machine;
    shared_pages_log_map(machine->log, 0, PAGES * PAGE, machine->dram,
                         PAGES * PAGE, 0);
    if (shared) {
        shared_pages_log_set(machine->log, SUBJECT * PAGE, PAGE, true);
    }
    for (unsigned page = 0; page < PAGES; page++) {
        guest_writes(machine, page, shared && page == SUBJECT, OLD);
    }
}

/*
 * Moves a guest whose page is shared, or not, when it begins. Returns whether
 * at the stop the log said of the page how the guest had written it.
 */
static bool run(Move *move, bool shared)
{
    const SharedPagesTransport transport = {
        stop, look, find, clear, send_page, move,
    };
    g_autoptr(GByteArray) section = NULL;
    bool told_so;

    new_machine(&move->source, 0x9e3779b97f4a7c15, shared);
    new_machine(&move->destination, 0xc2b2ae3d27d4eb4f, false);
    for (unsigned i = 0; i < LIVE_LOOKS; i++) {
        g_assert_true(shared_pages_send_dirty(move->source.log, &transport,
                                              &error_abort));
    }
    section = shared_pages_switch_over(move->source.log, &transport,
                                       &error_abort);
    /* What is sent last is not looked at twice, or never. */
    g_assert_true(move->stopped);
    g_assert_cmpuint(move->looks, ==, LIVE_LOOKS + 1);
    told_so = shared_pages_log_get(move->source.log, move->source.dram,
                                   SUBJECT * PAGE) ==
              move->source.mapped_shared[SUBJECT];
    g_assert_true(shared_pages_log_load(move->destination.log, section->data,
                                        section->len, &error_abort));
    memcpy(move->destination.mapped_shared, move->source.mapped_shared,
           sizeof(move->source.mapped_shared));
    return told_so;
}

static void finish(Move *move)
{
    while (move->actions[move->done] != ACTIONS) {
        act(&move->destination, move->actions[move->done++]);
    }
}

static void clear_move(Move *move)
{
    shared_pages_log_free(move->source.log);
    shared_pages_log_free(move->destination.log);
}

static const char *const action_names[] = {
    [TELL_SHARED] = "tell: shared", [TELL_PRIVATE] = "tell: private",
    [WRITE_SHARED] = "write as shared", [WRITE_PRIVATE] = "write as private",
};

static void assert_same(const Move *move)
{
    for (unsigned page = 0; page < PAGES; page++) {
        if (guest_reads(&move->source, page) !=
            guest_reads(&move->destination, page)) {
            for (unsigned i = 0; move->actions[i] != ACTIONS; i++) {
                g_test_message("%s, at point %u",
                               action_names[move->actions[i]], move->at[i]);
            }
        }
        g_assert_cmphex(guest_reads(&move->destination, page), ==,
                        guest_reads(&move->source, page));
    }
    g_assert_cmpint(shared_pages_log_get(move->source.log, move->source.dram,
                                         SUBJECT * PAGE), ==,
                    shared_pages_log_get(move->destination.log,
                                         move->destination.dram,
                                         SUBJECT * PAGE));
}

/**
 * Scene: a guest that does things at named steps
 * @shared: how its page is when it begins
 * @actions, @steps: what it does, and where; the first time that it comes there
 */
typedef struct Scene {
    bool shared;
    Action actions[MAX_ACTIONS + 1];
    Step steps[MAX_ACTIONS];
} Scene;

static bool run_scene(Move *move, const Scene *scene)
{
    move->by_step = true;
    memcpy(move->actions, scene->actions, sizeof(move->actions));
    memcpy(move->steps, scene->steps, sizeof(move->steps));
    return run(move, scene->shared);
}

static void assert_scene(const Scene *scene)
{
    Move move = { };

    g_assert_true(run_scene(&move, scene));
    assert_same(&move);
    finish(&move);
    g_assert_cmphex(guest_reads(&move.destination, SUBJECT), ==,
                    guest_reads(&move.source, SUBJECT));
    clear_move(&move);
}

/*
 * The guest tells after it has written, and is moved in between. Nothing that
 * the VMM does helps it; told before, the same is right.
 */
static void test_told_after(void)
{
    for (int shared = 0; shared <= 1; shared++) {
        Action write = shared ? WRITE_SHARED : WRITE_PRIVATE;
        Action tell = shared ? TELL_SHARED : TELL_PRIVATE;
        const Scene wrong = {
            !shared, { write, tell, ACTIONS }, { BEFORE_STOP, AT_DESTINATION },
        };
        const Scene right = {
            !shared, { tell, write, ACTIONS }, { BEFORE_STOP, BEFORE_STOP },
        };
        const Scene between = {
            !shared, { tell, write, ACTIONS }, { BEFORE_STOP, AT_DESTINATION },
        };
        Move move = { };

        g_assert_false(run_scene(&move, &wrong));
        finish(&move);
        g_assert_cmphex(guest_reads(&move.source, SUBJECT), ==, NEW);
        g_assert_cmphex(guest_reads(&move.destination, SUBJECT), !=, NEW);
        clear_move(&move);

        assert_scene(&right);

        move = (Move) { };
        run_scene(&move, &between);
        finish(&move);
        g_assert_cmphex(guest_reads(&move.destination, SUBJECT), ==, NEW);
        clear_move(&move);
    }
}

/*
 * The guest tells and writes between the VMM's two looks: when a page is not
 * dirty any more, its state has yet to be read.
 */
static void test_told_between_looks(void)
{
    static const Step steps[] = {
        BEFORE_LOOK, AFTER_LOOK, BEFORE_CLEAR, AFTER_CLEAR, BEFORE_READING,
        AFTER_READING,
    };

    for (int shared = 0; shared <= 1; shared++) {
        Action write = shared ? WRITE_SHARED : WRITE_PRIVATE;
        Action tell = shared ? TELL_SHARED : TELL_PRIVATE;

        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
            const Scene scene = {
                !shared, { tell, write, ACTIONS }, { steps[i], steps[i] },
            };

            assert_scene(&scene);
        }
    }
}

/*
 * The guest tells, takes it back, and writes nothing: the page is sent in a
 * form that is wrong when it is read, and is not dirty, but that it has
 * changed.
 */
static void test_mind_changed_twice(void)
{
    static const Step seconds[] = {
        BEFORE_READING, AFTER_READING, BEFORE_STOP,
    };

    for (int shared = 0; shared <= 1; shared++) {
        Action there = shared ? TELL_PRIVATE : TELL_SHARED;
        Action back = shared ? TELL_SHARED : TELL_PRIVATE;

        for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
            const Scene scene = {
                shared, { there, back, ACTIONS }, { AFTER_CLEAR, seconds[i] },
            };

            assert_scene(&scene);
        }
    }
}

/* The guest tells and writes until it is stopped. */
static void test_told_before_stop(void)
{
    for (int shared = 0; shared <= 1; shared++) {
        const Scene scene = {
            !shared,
            { shared ? TELL_SHARED : TELL_PRIVATE,
              shared ? WRITE_SHARED : WRITE_PRIVATE, ACTIONS },
            { BEFORE_STOP, BEFORE_STOP },
        };

        assert_scene(&scene);
    }
}

/*
 * The destination's guest runs already when a page comes, as in a postcopy, and
 * has told about it: the page is put where the state says that came with it.
 */
static void test_by_own_log(void)
{
    for (int shared = 0; shared <= 1; shared++) {
        for (int by_own_log = 0; by_own_log <= 1; by_own_log++) {
            Move move = { .by_own_log = by_own_log, .actions = { ACTIONS } };
            const SharedPagesTransport transport = {
                stop, look, find, clear, send_page, &move,
            };
            g_autoptr(GByteArray) section = NULL;

            run(&move, shared);
            move.source.dirty[SUBJECT] = true;
            act(&move.destination, shared ? TELL_PRIVATE : TELL_SHARED);
            section = shared_pages_switch_over(move.source.log, &transport,
                                               &error_abort);
            if (by_own_log) {
                g_assert_cmphex(guest_reads(&move.destination, SUBJECT), !=,
                                OLD);
            } else {
                g_assert_cmphex(guest_reads(&move.destination, SUBJECT), ==,
                                OLD);
            }
            clear_move(&move);
        }
    }
}

/* More points than a way has: what is behind its end is done afterwards. */
#define POINTS 26

/* Everything that a guest can do, at all points of the way */
static void test_all(void)
{
    unsigned ways = 0, told = 0;

    for (unsigned script = 0; script < ACTIONS * ACTIONS * ACTIONS * 2;
         script++) {
        for (unsigned places = 0; places < POINTS * POINTS * POINTS;
             places++) {
            Move move = {
                .actions = { script % ACTIONS, script / ACTIONS % ACTIONS,
                             script / ACTIONS / ACTIONS % ACTIONS, ACTIONS },
                .at = { places % POINTS, places / POINTS % POINTS,
                        places / POINTS / POINTS },
            };

            if (move.at[0] > move.at[1] || move.at[1] > move.at[2]) {
                continue;
            }
            ways++;
            /*
             * What was told another way than it was written is lost, as with
             * the guest's other memory it would not be.
             */
            if (run(&move, script / (ACTIONS * ACTIONS * ACTIONS))) {
                told++;
                assert_same(&move);
            }
            clear_move(&move);
        }
    }
    g_test_message("%u ways, %u of them by guests that had told", ways, told);
    g_assert_cmpuint(told, >, ways / 4);
}

static bool fail_to_send(void *opaque, const void *memory, uint64_t offset,
                         bool shared, Error **errp)
{
    error_setg(errp, "no");
    return false;
}

static void test_failure(void)
{
    Move move = { .actions = { ACTIONS } };
    const SharedPagesTransport transport = {
        stop, look, find, clear, fail_to_send, &move,
    };
    Error *err = NULL;

    new_machine(&move.source, 1, false);
    g_assert_false(shared_pages_send_dirty(move.source.log, &transport, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "no");
    error_free(err);
    err = NULL;
    g_assert_null(shared_pages_switch_over(move.source.log, &transport, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "no");
    error_free(err);
    shared_pages_log_free(move.source.log);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/shared-pages-order/told-after", test_told_after);
    g_test_add_func("/shared-pages-order/told-between-looks",
                    test_told_between_looks);
    g_test_add_func("/shared-pages-order/mind-changed-twice",
                    test_mind_changed_twice);
    g_test_add_func("/shared-pages-order/told-before-stop",
                    test_told_before_stop);
    g_test_add_func("/shared-pages-order/by-own-log", test_by_own_log);
    g_test_add_func("/shared-pages-order/all", test_all);
    g_test_add_func("/shared-pages-order/failure", test_failure);
    return g_test_run();
}
