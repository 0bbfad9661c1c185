/*
 * Tests of the order in which QEMU's own migration sees pages that are shared
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A transport relies on QEMU to make a page dirty whose state has changed, and
 * to take the list when nothing changes any more. At each place where the
 * stream is held (relay.h) the guest shares some of its pages, or takes them
 * back, or both, and writes none of them. Each has to be sent once more from
 * there on.
 */

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "migration/migration-qmp.h"
#include "../calls/function-ids.h"
#include "../calls/pages-model.h"
#include "framework.h"
#include "relay.h"

static const Config sharing = {
    .name = "mem-share", .type = "virt-10.0",
    .options = "hvc-services=linux-6.12:+mem-share",
};

/* A pass comes to it after the pages: there it is held. */
#define FILLER      (PAGES_FREE + 4 * MiB)
#define FILLER_SIZE (2 * MiB)

/*
 * What is left when the guest is stopped, in bytes: with this bandwidth and
 * downtime, more than all pages and less than the filler
 */
#define LEFT         (256 * KiB)
#define DOWNTIME_MS  256
#define BANDWIDTH    (LEFT * 1000 / DOWNTIME_MS)

/* From when on QEMU knows LEFT; it looks ten times in a second. */
#define MEASURED_US 250000

/**
 * Stop: a place where the stream is held
 */
typedef enum Stop {
    /* None of the pages was sent. */
    BEFORE_FIRST_PASS,
    FIRST_PASS,
    SECOND_PASS,
    /* The guest is stopped when it has ended. */
    THIRD_PASS,
    STOPS,
} Stop;

/**
 * Page: a page that the guest changes
 * @shared: it is shared when the migration begins
 * @stop: where it is changed
 * @changes: how often: after two of them it is as it was
 */
typedef struct Page {
    bool shared;
    Stop stop;
    unsigned changes;
} Page;

#define PAGES (STOPS * 2 * 2 + 2)

/**
 * Order: a guest and the pages that it shares
 * @pages: in memory one after the other, from PAGES_FREE on; the last two do
 *         not change
 * @last_stop: where the last pages change; they are not looked at before the
 *             guest is stopped
 * @calls: what the guest does
 * @script: its calls of mem-share
 * @model: what it shares
 * @vm: where it is; NULL while the script is written
 */
typedef struct Order {
    Page pages[PAGES];
    Stop last_stop;
    Calls *calls;
    PagesScript *script;
    PagesModel model;
    Vm *vm;
} Order;

static uint64_t address_of(unsigned page)
{
    return PAGES_FREE + page * PAGES_SIZE;
}

static bool changes(const Order *order, unsigned page)
{
    return order->pages[page].changes &&
           order->pages[page].stop <= order->last_stop;
}

static void add_pages(Order *order)
{
    unsigned page = 0;

    for (unsigned shared = 0; shared <= 1; shared++) {
        for (Stop stop = 0; stop < STOPS; stop++) {
            for (unsigned changes = 1; changes <= 2; changes++) {
                order->pages[page++] = (Page) { shared, stop, changes };
            }
        }
        order->pages[PAGES - 1 - shared] = (Page) { shared };
    }
}

/* Writes the script, or has the guest make the call that is there. */
static void change(Order *order, unsigned page)
{
    bool shared = order->model.shared[(address_of(page) - CALLS_RAM) /
                                      PAGES_SIZE];
    const uint64_t x[4] = { shared ? MEM_UNSHARE : MEM_SHARE,
                            address_of(page) };
    uint64_t expected = pages_model_call(&order->model, x);

    if (order->vm) {
        g_assert_cmphex(pages_script_next(order->script, order->vm), ==,
                        expected);
    } else {
        pages_script_add(order->script, x[0], x[1]);
    }
}

static void share_at_start(Order *order)
{
    for (unsigned page = 0; page < PAGES; page++) {
        if (order->pages[page].shared) {
            change(order, page);
        }
    }
}

static void change_at(Order *order, Stop stop)
{
    for (unsigned page = 0; page < PAGES; page++) {
        if (order->pages[page].stop == stop) {
            for (unsigned i = 0; i < order->pages[page].changes; i++) {
                change(order, page);
            }
        }
    }
}

static void order_free(Order *order)
{
    pages_script_free(order->script);
    calls_free(order->calls);
    g_free(order);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Order, order_free)

static Order *order_new(Stop last_stop)
{
    Order *order = g_new0(Order, 1);

    order->last_stop = last_stop;
    add_pages(order);
    order->calls = calls_new(1);
    order->script = pages_script_new(order->calls);
    share_at_start(order);
    for (Stop stop = 0; stop <= last_stop; stop++) {
        change_at(order, stop);
    }
    /* At the destination */
    change(order, 0);
    order->model = (PagesModel) { };
    return order;
}

/**
 * Wanted: of which pages the stream has to have another copy
 * @order: the pages
 * @stop: those that changed there; STOPS for all
 * @before: how many copies there were, for each page
 */
typedef struct Wanted {
    const Order *order;
    Stop stop;
    unsigned before[PAGES];
} Wanted;

/* A page that is wanted and was not sent; PAGES if there is none */
static unsigned missing(const Relay *relay, const Wanted *wanted)
{
    for (unsigned page = 0; page < PAGES; page++) {
        const Page *p = &wanted->order->pages[page];

        if ((wanted->stop == STOPS || (p->stop == wanted->stop && p->changes))
            && relay->copies[page] <= wanted->before[page]) {
            return page;
        }
    }
    return PAGES;
}

static bool is_sent(const Relay *relay, const void *opaque)
{
    return missing(relay, opaque) == PAGES;
}

static void assert_sent(const Relay *relay, const Wanted *wanted)
{
    unsigned page = missing(relay, wanted);

    if (page < PAGES) {
        g_test_message("page %u was not sent again: %s, %u changes at stop %u",
                       page, wanted->order->pages[page].shared ?
                       "shared" : "private", wanted->order->pages[page].changes,
                       wanted->order->pages[page].stop);
    }
    g_assert_cmpuint(page, ==, PAGES);
}

/* The stream is held there. */
static void act_at(Order *order, Stop stop, const Relay *relay, Wanted *wanted)
{
    g_autofree char *state = run_state(relay->from->qts);

    g_assert_cmpstr(state, ==, "running");
    wanted->stop = stop;
    memcpy(wanted->before, relay->copies, sizeof(wanted->before));
    change_at(order, stop);
    pages_assert_model(relay->from->qts, &order->model);
    if (stop > BEFORE_FIRST_PASS && stop < order->last_stop) {
        qtest_memset(relay->from->qts, FILLER, 0x5a, FILLER_SIZE);
    }
}

static void prepare(const Peer *from)
{
    for (unsigned page = 0; page < PAGES; page++) {
        relay_mark(from, address_of(page), page);
    }
    qtest_memset(from->qts, FILLER, 0xa5, FILLER_SIZE);
    migrate_set_capability(from->qts, "pause-before-switchover", true);
    migrate_set_parameter_int(from->qts, "avail-switchover-bandwidth",
                              BANDWIDTH);
    migrate_set_parameter_int(from->qts, "max-bandwidth", 0);
}

static bool never(const Relay *relay, const void *opaque)
{
    return false;
}

/*
 * Relays until the guest is stopped, and then the rest. What the guest is told
 * to do in between it does at the destination: the list is as it was.
 */
static void switch_over(Order *order, Relay *relay)
{
    g_autofree char *state = NULL;

    relay_until(relay, never, NULL);
    state = run_state(relay->from->qts);
    g_assert_cmpstr(state, ==, "finish-migrate");
    program_go(relay->from, order->script->done + 1);
    pages_assert_model(relay->from->qts, &order->model);
    g_assert_false(relay->list_is_last);
    relay_finish(relay);
    g_assert_true(relay->list_is_last);
    pages_assert_model(relay->from->qts, &order->model);
}

/*
 * Goes through passes up to @last_stop, the last one of which the guest is
 * stopped after.
 */
static void test_order(const void *opaque)
{
    const Stop *last_stop = opaque;
    g_autoptr(Order) order = NULL;
    g_autoptr(Relay) relay = NULL;
    g_autoptr(Peer) from = NULL;
    g_autoptr(Peer) to = NULL;
    Wanted wanted = { };

    if (skip_without_guest()) {
        return;
    }
    order = order_new(*last_stop);
    wanted.order = order;
    from = peer_start(&sharing, order->calls, NULL);
    to = peer_incoming(&sharing, order->calls, NULL);
    order->vm = from->vm;
    share_at_start(order);
    prepare(from);
    /* With a downtime of 0 there is no look between the first and the last. */
    migrate_set_parameter_int(from->qts, "downtime-limit",
                              *last_stop == FIRST_PASS ? 0 : DOWNTIME_MS);
    relay = relay_start(from, to);
    g_usleep(MEASURED_US);
    act_at(order, BEFORE_FIRST_PASS, relay, &wanted);
    wanted.stop = STOPS;
    for (Stop stop = FIRST_PASS; stop <= *last_stop; stop++) {
        relay_until(relay, is_sent, &wanted);
        assert_sent(relay, &wanted);
        act_at(order, stop, relay, &wanted);
    }
    switch_over(order, relay);
    assert_sent(relay, &wanted);
    for (unsigned page = 0; page < PAGES; page++) {
        g_assert_true(relay_has_mark(to, address_of(page), page));
        /* It is a change that has the others sent again. */
        if (!changes(order, page)) {
            g_assert_cmpuint(relay->copies[page], ==, 1);
        }
    }
    order->vm = to->vm;
    change(order, 0);
    pages_assert_model(to->qts, &order->model);
}

void migration_pages_order_tests(void)
{
    static const Stop last_stops[] = { FIRST_PASS, THIRD_PASS };

    qtest_add_data_func("hvc/migration/pages/order/last-look", &last_stops[0],
                        test_order);
    qtest_add_data_func("hvc/migration/pages/order/three-passes",
                        &last_stops[1], test_order);
}
