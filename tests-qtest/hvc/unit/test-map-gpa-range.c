/*
 * Unit tests of what an x86 guest says of its pages, and of being ready
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "migration/shared-pages-ready.h"
#include "migration/shared-pages.h"
#include "target/i386/map-gpa-range.h"
#include "../fake/fake-blocker.h"

/* What the guest finds in RAX: Linux include/uapi/linux/kvm_para.h */
#define EINVAL_IN_RAX (-22ULL)

/* Of a PC: RAM, a hole with devices, and RAM above 4 GiB */
#define PAGE      0x1000ULL
#define LOW_PAGES 0x80000ULL
#define LOW_END   (LOW_PAGES * PAGE)
#define HIGH      (1ULL << 32)
#define HIGH_PAGES 0x10ULL

#define PRIVATE 0x10

static const char not_ready[] = "the guest is not ready";

static SharedPagesLog *log;
static unsigned told;

static const char *name_of(const void *memory)
{
    return "pc.ram";
}

static void changed(uint64_t address, uint64_t size, bool shared)
{
    told++;
}

int64_t shared_pages_set(uint64_t address, uint64_t size, bool shared)
{
    return shared_pages_log_set(log, address, size, shared);
}

static void new_log(void)
{
    static const SharedPagesOps ops = { name_of, changed };

    shared_pages_log_free(log);
    log = shared_pages_log_new(&ops);
    shared_pages_log_map(log, 0, LOW_END, log, LOW_END + HIGH_PAGES * PAGE, 0);
    shared_pages_log_map(log, HIGH, HIGH_PAGES * PAGE, log,
                         LOW_END + HIGH_PAGES * PAGE, LOW_END);
    told = 0;
}

/* Linux Documentation/virt/kvm/x86/hypercalls.rst */
static void test_calls(void)
{
    static const struct {
        uint64_t address, pages, attributes;
        uint64_t shared;
    } calls[] = {
        { 0x1000, 1, 0, 1 },
        /* A page may be told of again, as Linux does when it boots. */
        { 0x1000, 1, 0, 1 },
        { 0, 3, 0, 3 },
        { 0x1000, 1, PRIVATE, 2 },
        { 0x1000, 1, PRIVATE, 2 },
        { 0, LOW_PAGES, PRIVATE, 0 },
        { 0, LOW_PAGES, 0, LOW_PAGES },
        { HIGH, HIGH_PAGES, 0, LOW_PAGES + HIGH_PAGES },
        /* The size of page that the guest would like says nothing. */
        { 0, 1, PRIVATE | 1, LOW_PAGES + HIGH_PAGES - 1 },
        { 0, 1, 2, LOW_PAGES + HIGH_PAGES },
        { 0, 1, PRIVATE | 0xf, LOW_PAGES + HIGH_PAGES - 1 },
        { 0x3000, 1, PRIVATE | 2, LOW_PAGES + HIGH_PAGES - 2 },
    };

    new_log();
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        g_assert_cmphex(x86_map_gpa_range(calls[i].address, calls[i].pages,
                                          calls[i].attributes), ==, 0);
        g_assert_cmpuint(shared_pages_log_count(log), ==, calls[i].shared);
    }
}

/*
 * Some of these KVM answers itself; should a kernel hand one over, it is
 * refused here. Nothing changes, and nothing is told of.
 */
static void test_hostile_calls(void)
{
    static const struct {
        uint64_t address, pages, attributes;
    } calls[] = {
        { 0, 0, 0 },
        { 1, 1, 0 },
        { 0xfff, 1, 0 },
        { UINT64_MAX, 1, 0 },
        { UINT64_MAX, UINT64_MAX, 0 },
        { 0, UINT64_MAX, 0 },
        /* 2^64 bytes, one page more, and such that wrap to one page */
        { 0, 1ULL << 52, 0 },
        { 0, (1ULL << 52) + 1, 0 },
        { 0x1000, 1ULL << 52, 0 },
        { 0x1000, (1ULL << 63) + 1, 0 },
        { -PAGE, 1, 0 },
        { -PAGE, 2, 0 },
        { LOW_END, -LOW_PAGES, 0 },
        { 1ULL << 63, 1ULL << 51, 0 },
        /* The end of RAM, the hole behind it, devices, more RAM */
        { 0, LOW_PAGES + 1, 0 },
        { LOW_END - PAGE, 2, 0 },
        { LOW_END, 1, 0 },
        { 0xfec00000, 1, 0 },
        { 0xfee00000, 1, 0 },
        { HIGH - PAGE, 1, 0 },
        { HIGH - PAGE, 2, 0 },
        { 0, HIGH / PAGE + HIGH_PAGES, 0 },
        { HIGH, HIGH_PAGES + 1, 0 },
        { HIGH + HIGH_PAGES * PAGE, 1, 0 },
        /* Attributes that are reserved */
        { 0, 1, 1 << 5 },
        { 0, 1, PRIVATE | 1 << 5 },
        { 0, 1, 1ULL << 63 },
        { 0, 1, UINT64_MAX },
        { 0, 1, 1ULL << 32 },
    };

    new_log();
    shared_pages_log_set(log, 0x2000, PAGE, true);
    told = 0;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        for (unsigned private = 0; private <= PRIVATE; private += PRIVATE) {
            g_test_message("0x%" PRIx64 ", 0x%" PRIx64 " pages, 0x%" PRIx64,
                           calls[i].address, calls[i].pages,
                           calls[i].attributes | private);
            g_assert_cmphex(x86_map_gpa_range(calls[i].address, calls[i].pages,
                                              calls[i].attributes | private),
                            ==, EINVAL_IN_RAX);
        }
    }
    g_assert_cmpuint(told, ==, 0);
    g_assert_cmpuint(shared_pages_log_count(log), ==, 1);
}

/* By a model with a flag for each page */
static void test_random_calls(void)
{
    g_autofree bool *model = g_new0(bool, LOW_PAGES);
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261126);
    unsigned refused = 0, count = 0;

    new_log();
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t address = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
        uint64_t pages = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
        uint64_t attributes = g_rand_int_range(rand, 0, 64);
        bool good;

        address &= MAKE_64BIT_MASK(g_rand_int_range(rand, 0, 13),
                                   g_rand_int_range(rand, 1, 52));
        pages &= MAKE_64BIT_MASK(0, g_rand_int_range(rand, 1, 65));
        if (g_rand_boolean(rand)) {
            address = address % LOW_END & -PAGE;
            pages %= 64;
        }
        good = attributes < 32 && pages && address % PAGE == 0 &&
               address < LOW_END && pages <= LOW_PAGES - address / PAGE;
        g_assert_cmphex(x86_map_gpa_range(address, pages, attributes), ==,
                        good ? 0 : EINVAL_IN_RAX);
        refused += !good;
        for (uint64_t page = 0; good && page < pages; page++) {
            bool *shared = &model[address / PAGE + page];

            count -= *shared;
            *shared = !(attributes & PRIVATE);
            count += *shared;
        }
        g_assert_cmpuint(shared_pages_log_count(log), ==, count);
    }
    for (uint64_t page = 0; page < LOW_PAGES; page++) {
        g_assert_true(shared_pages_log_get(log, log, page * PAGE) ==
                      model[page]);
    }
    g_test_message("%u of 20000 refused, %u pages are shared", refused, count);
    g_assert_cmpuint(refused, >, 1000);
    g_assert_cmpuint(refused, <, 19000);
}

static void assert_ready(bool ready)
{
    g_autoptr(Error) err = NULL;

    g_assert_true(shared_pages_check_ready(&err) == ready);
    g_assert_cmpuint(x86_migration_control(), ==, ready);
    if (!ready) {
        g_assert_cmpstr(error_get_pretty(err), ==, not_ready);
    }
}

/* Whoever need not say that it is ready may always be sent. */
static void test_not_asked(void)
{
    g_autoptr(Error) err = NULL;

    g_assert_true(shared_pages_check_ready(&err));
    shared_pages_set_ready(true);
    g_assert_false(shared_pages_is_ready());
    g_assert_null(fake_blocker());
    g_assert_true(shared_pages_check_ready(&err));
}

static void test_ready(void)
{
    shared_pages_need_ready(not_ready);
    g_assert_cmpstr(fake_blocker(), ==, not_ready);
    assert_ready(false);
    g_assert_true(x86_set_migration_control(0));
    assert_ready(false);
    g_assert_true(x86_set_migration_control(1));
    g_assert_null(fake_blocker());
    assert_ready(true);
    g_assert_true(x86_set_migration_control(1));
    assert_ready(true);
    /* Bits that there are not: the guest gets #GP, and nothing changes. */
    for (unsigned bit = 1; bit < 64; bit++) {
        g_assert_false(x86_set_migration_control(1ULL << bit));
        g_assert_false(x86_set_migration_control(1ULL << bit | 1));
    }
    assert_ready(true);
    g_assert_true(x86_set_migration_control(0));
    g_assert_cmpstr(fake_blocker(), ==, not_ready);
    assert_ready(false);
}

/* No blocker can be added to a migration that goes on. */
static void test_ready_no_more(void)
{
    g_assert_true(x86_set_migration_control(1));
    fake_migration(true);
    g_assert_true(x86_set_migration_control(0));
    g_assert_null(fake_blocker());
    /* So it is refused when its end comes, and the next one at once. */
    assert_ready(false);
    fake_migration(false);
    g_assert_cmpstr(fake_blocker(), ==, not_ready);
    /* To and fro: ready when it matters */
    g_assert_true(x86_set_migration_control(1));
    fake_migration(true);
    g_assert_true(x86_set_migration_control(0));
    g_assert_true(x86_set_migration_control(1));
    assert_ready(true);
    fake_migration(false);
    g_assert_null(fake_blocker());
    assert_ready(true);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/map-gpa-range/calls", test_calls);
    g_test_add_func("/map-gpa-range/hostile-calls", test_hostile_calls);
    g_test_add_func("/map-gpa-range/random-calls", test_random_calls);
    /* In this order: one VM goes through them. */
    g_test_add_func("/map-gpa-range/not-asked", test_not_asked);
    g_test_add_func("/map-gpa-range/ready", test_ready);
    g_test_add_func("/map-gpa-range/ready-no-more", test_ready_no_more);
    return g_test_run();
}
