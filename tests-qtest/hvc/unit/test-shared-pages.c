/*
 * Unit tests of the log of shared pages
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "migration/shared-pages-log.h"

#define PAGE SHARED_PAGES_GRANULE

/* What a VM of these tests has: two memories, and where they are */
#define LOW       (64 * PAGE)
#define LOW_PAGES 16
#define DIMM      (LOW + LOW_PAGES * PAGE)
#define DIMM_PAGES 5
/* The last pages of the address space are memory, too. */
#define TOP       (-2 * PAGE)
#define TOP_PAGES 2

typedef struct Ram {
    const char *name;
    unsigned pages;
} Ram;

static const Ram low = { "ram", LOW_PAGES };
static const Ram dimm = { "/objects/dimm", DIMM_PAGES };
static const Ram top = { "top", TOP_PAGES };

static const char *name_of(const void *memory)
{
    return ((const Ram *)memory)->name;
}

/* What SharedPagesOps.changed was told, as in "s40000+1000 p41000+2000 " */
static GString *told;

static void changed(uint64_t address, uint64_t size, bool shared)
{
    g_string_append_printf(told, "%c%" PRIx64 "+%" PRIx64 " ",
                           shared ? 's' : 'p', address, size);
}

static void assert_told(const char *expected)
{
    g_assert_cmpstr(told->str, ==, expected);
    g_string_truncate(told, 0);
}

static const SharedPagesOps ops = { name_of, changed };

static void map(SharedPagesLog *log, uint64_t address, const Ram *ram,
                unsigned first, unsigned pages)
{
    shared_pages_log_map(log, address, pages * PAGE, ram, ram->pages * PAGE,
                         first * PAGE);
}

static SharedPagesLog *new_log(void)
{
    SharedPagesLog *log = shared_pages_log_new(&ops);

    g_string_truncate(told, 0);
    /* Not in the order of addresses */
    map(log, DIMM, &dimm, 0, DIMM_PAGES);
    map(log, TOP, &top, 0, TOP_PAGES);
    map(log, LOW, &low, 0, LOW_PAGES);
    shared_pages_log_forget_unmapped(log);
    return log;
}

/* All shared ranges, as in "40000+1000 " */
static char *ranges(SharedPagesLog *log)
{
    g_autoptr(GString) text = g_string_new(NULL);
    uint64_t address = 0, size;

    while (shared_pages_log_next(log, &address, &size)) {
        g_string_append_printf(text, "%" PRIx64 "+%" PRIx64 " ", address, size);
        address += size;
        if (!address) {
            break;
        }
    }
    return g_strdup(text->str);
}

static void assert_ranges(SharedPagesLog *log, const char *expected)
{
    g_autofree char *found = ranges(log);

    g_assert_cmpstr(found, ==, expected);
}

static void test_set(void)
{
    g_autoptr(SharedPagesLog) log = new_log();

    assert_ranges(log, "");
    g_assert_cmpint(shared_pages_log_set(log, LOW, PAGE, true), ==, 1);
    assert_told("s40000+1000 ");
    g_assert_true(shared_pages_log_get(log, &low, 0));
    g_assert_true(shared_pages_log_get(log, &low, PAGE - 1));
    g_assert_false(shared_pages_log_get(log, &low, PAGE));
    /* Nothing changes, and nobody is told. */
    g_assert_cmpint(shared_pages_log_set(log, LOW, PAGE, true), ==, 0);
    assert_told("");
    /* From the first to the last that changes; those that do are counted. */
    g_assert_cmpint(shared_pages_log_set(log, LOW + 2 * PAGE, PAGE, true), ==,
                    1);
    g_assert_cmpint(shared_pages_log_set(log, LOW, 4 * PAGE, true), ==, 2);
    assert_told("s42000+1000 s41000+3000 ");
    g_assert_cmpuint(shared_pages_log_count(log), ==, 4);
    g_assert_cmpuint(shared_pages_log_changes(log), ==, 4);
    g_assert_cmpint(shared_pages_log_set(log, LOW + PAGE, 8 * PAGE, false), ==,
                    3);
    assert_told("p41000+3000 ");
    assert_ranges(log, "40000+1000 ");
    g_assert_cmpuint(shared_pages_log_changes(log), ==, 7);
}

/* A range of several memories; each has pages of its own. */
static void test_across(void)
{
    g_autoptr(SharedPagesLog) log = new_log();
    uint64_t address = DIMM, size = 0;

    g_assert_cmpint(shared_pages_log_set(log, DIMM - PAGE, 3 * PAGE, true), ==,
                    3);
    assert_told("s4f000+1000 s50000+2000 ");
    assert_ranges(log, "4f000+1000 50000+2000 ");
    g_assert_true(shared_pages_log_get(log, &low, (LOW_PAGES - 1) * PAGE));
    g_assert_true(shared_pages_log_get(log, &dimm, PAGE));
    g_assert_false(shared_pages_log_get(log, &dimm, 2 * PAGE));
    g_assert_false(shared_pages_log_get(log, &dimm, DIMM_PAGES * PAGE));
    g_assert_false(shared_pages_log_get(log, &dimm, UINT64_MAX));
    g_assert_false(shared_pages_log_get(log, log, 0));
    g_assert_true(shared_pages_log_next(log, &address, &size));
    g_assert_cmphex(address, ==, DIMM);
    g_assert_cmphex(size, ==, 2 * PAGE);
    address = DIMM + PAGE + 1;
    g_assert_true(shared_pages_log_next(log, &address, &size));
    g_assert_cmphex(address, ==, DIMM + PAGE);
    g_assert_cmphex(size, ==, PAGE);
    address = DIMM + 2 * PAGE;
    g_assert_false(shared_pages_log_next(log, &address, &size));
    g_assert_cmpint(shared_pages_log_set(log, TOP, 2 * PAGE, true), ==, 2);
    assert_ranges(log, "4f000+1000 50000+2000 ffffffffffffe000+2000 ");
}

/* What a guest may say that makes no sense: nothing changes. */
static void test_hostile(void)
{
    static const struct {
        uint64_t address;
        uint64_t size;
        int error;
    } ranges[] = {
        { LOW, 0, -EINVAL },
        { LOW + 1, PAGE, -EINVAL },
        { LOW, PAGE - 1, -EINVAL },
        { LOW, PAGE + 8, -EINVAL },
        { LOW + PAGE / 2, PAGE, -EINVAL },
        { 0, PAGE, -ENXIO },
        { LOW - PAGE, PAGE, -ENXIO },
        { LOW - PAGE, 2 * PAGE, -ENXIO },
        { LOW, (LOW_PAGES + DIMM_PAGES + 1) * PAGE, -ENXIO },
        { DIMM + DIMM_PAGES * PAGE, PAGE, -ENXIO },
        { LOW, 1ULL << 52, -ENXIO },
        { 0, -PAGE, -ENXIO },
        { LOW, -PAGE, -EINVAL },
        { LOW, -LOW, -ENXIO },
        { TOP, 3 * PAGE, -EINVAL },
        { TOP - PAGE, 3 * PAGE, -ENXIO },
        { -PAGE, 2 * PAGE, -EINVAL },
        { UINT64_MAX, 1, -EINVAL },
        { UINT64_MAX, UINT64_MAX, -EINVAL },
        { 1ULL << 63, 1ULL << 63, -ENXIO },
    };
    g_autoptr(SharedPagesLog) log = new_log();

    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        for (int shared = 0; shared <= 1; shared++) {
            g_test_message("0x%" PRIx64 " + 0x%" PRIx64, ranges[i].address,
                           ranges[i].size);
            g_assert_cmpint(shared_pages_log_set(log, ranges[i].address,
                                                 ranges[i].size, shared), ==,
                            ranges[i].error);
        }
    }
    assert_told("");
    g_assert_cmpuint(shared_pages_log_count(log), ==, 0);
    /* What is right at the edges */
    g_assert_cmpint(shared_pages_log_set(log, -PAGE, PAGE, true), ==, 1);
    g_assert_cmpint(shared_pages_log_set(log, TOP, 2 * PAGE, true), ==, 1);
    g_assert_cmpint(shared_pages_log_set(log, LOW, (LOW_PAGES + DIMM_PAGES) *
                                         PAGE, true), ==,
                    LOW_PAGES + DIMM_PAGES);
}

static void test_reset(void)
{
    g_autoptr(SharedPagesLog) log = new_log();

    shared_pages_log_reset(log);
    assert_told("");
    shared_pages_log_set(log, LOW + PAGE, PAGE, true);
    shared_pages_log_set(log, DIMM - PAGE, 2 * PAGE, true);
    g_string_truncate(told, 0);
    shared_pages_log_reset(log);
    /* A migration that goes on sends them again. */
    assert_told("p41000+f000 p50000+1000 ");
    assert_ranges(log, "");
    g_assert_cmpuint(shared_pages_log_count(log), ==, 0);
}

/* A DIMM is unplugged, and plugged in again somewhere else. */
static void test_unplug(void)
{
    g_autoptr(SharedPagesLog) log = new_log();

    shared_pages_log_set(log, DIMM - PAGE, 3 * PAGE, true);
    shared_pages_log_unmap(log, DIMM, DIMM_PAGES * PAGE);
    shared_pages_log_forget_unmapped(log);
    assert_ranges(log, "4f000+1000 ");
    g_assert_cmpuint(shared_pages_log_count(log), ==, 1);
    g_assert_false(shared_pages_log_get(log, &dimm, 0));
    g_assert_cmpint(shared_pages_log_set(log, DIMM, PAGE, true), ==, -ENXIO);
    map(log, DIMM + PAGE, &dimm, 0, DIMM_PAGES);
    shared_pages_log_forget_unmapped(log);
    g_assert_cmpint(shared_pages_log_set(log, DIMM + PAGE, PAGE, true), ==, 1);
    assert_ranges(log, "4f000+1000 51000+1000 ");
}

/*
 * A region that is split, moved or seen twice, as a BIOS shadows it: the pages
 * are those of the memory.
 */
static void test_remap(void)
{
    g_autoptr(SharedPagesLog) log = new_log();

    shared_pages_log_set(log, LOW + PAGE, 4 * PAGE, true);
    shared_pages_log_unmap(log, LOW, LOW_PAGES * PAGE);
    map(log, LOW, &low, 0, 2);
    map(log, LOW + 3 * PAGE, &low, 3, LOW_PAGES - 3);
    shared_pages_log_forget_unmapped(log);
    assert_ranges(log, "41000+1000 43000+2000 ");
    /* The hole is not the guest's, but its page still is shared. */
    g_assert_true(shared_pages_log_get(log, &low, 2 * PAGE));
    g_assert_cmpint(shared_pages_log_set(log, LOW, 4 * PAGE, false), ==,
                    -ENXIO);
    map(log, 0, &low, 2, 2);
    assert_ranges(log, "0+2000 41000+1000 43000+2000 ");
    g_assert_cmpuint(shared_pages_log_count(log), ==, 4);
    g_assert_cmpint(shared_pages_log_set(log, PAGE, PAGE, false), ==, 1);
    assert_ranges(log, "0+1000 41000+1000 44000+1000 ");
}

/* Pages of which only a part is there, and such that lie across two pages */
static void test_parts(void)
{
    static const Ram odd = { "odd", 4 };
    g_autoptr(SharedPagesLog) log = shared_pages_log_new(&ops);

    shared_pages_log_map(log, 0x1800, 3 * PAGE, &odd, 4 * PAGE, 0x800);
    g_assert_cmpint(shared_pages_log_set(log, 0x1000, PAGE, true), ==, -ENXIO);
    g_assert_cmpint(shared_pages_log_set(log, 0x2000, 2 * PAGE, true), ==, 2);
    g_assert_cmpint(shared_pages_log_set(log, 0x4000, PAGE, true), ==, -ENXIO);
    g_assert_true(shared_pages_log_get(log, &odd, PAGE));
    shared_pages_log_map(log, 0x8000, 2 * PAGE, &odd, 4 * PAGE, 0x10);
    shared_pages_log_map(log, 0x10800, PAGE, &odd, 4 * PAGE, 0x800);
    g_assert_cmpint(shared_pages_log_set(log, 0x8000, PAGE, true), ==, -ENXIO);
    shared_pages_log_unmap(log, 0x8000, 2 * PAGE);
    shared_pages_log_unmap(log, 0x10800, PAGE);
    shared_pages_log_unmap(log, 0x1800, 3 * PAGE);
    shared_pages_log_forget_unmapped(log);
    assert_ranges(log, "");
}

static GByteArray *save(SharedPagesLog *log)
{
    return shared_pages_log_save(log, &error_abort);
}

static void assert_loads_as(GByteArray *content, SharedPagesLog *other,
                            const char *expected)
{
    g_assert_true(shared_pages_log_load(other, content->data, content->len,
                                        &error_abort));
    assert_ranges(other, expected);
}

/*
 * Whoever changes one of these bytes breaks migration: of the DIMM a bitmap is
 * shorter than runs.
 */
static const uint8_t saved[] = {
    12,
    13, '/', 'o', 'b', 'j', 'e', 'c', 't', 's', '/', 'd', 'i', 'm', 'm',
    0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x1d,
    3, 'r', 'a', 'm',
    0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 2,
};

#define SAVED_RANGES "43000+2000 50000+1000 52000+3000 "

static SharedPagesLog *new_saved_log(void)
{
    SharedPagesLog *log = new_log();

    shared_pages_log_set(log, DIMM, DIMM_PAGES * PAGE, true);
    shared_pages_log_set(log, DIMM + PAGE, PAGE, false);
    shared_pages_log_set(log, LOW + 3 * PAGE, 2 * PAGE, true);
    g_string_truncate(told, 0);
    return log;
}

static void test_save(void)
{
    static const uint8_t nothing[] = { 12 };
    g_autoptr(SharedPagesLog) log = new_saved_log();
    g_autoptr(SharedPagesLog) other = new_log();
    g_autoptr(GByteArray) content = save(log);
    g_autoptr(GByteArray) empty = save(other);

    g_assert_cmpmem(empty->data, empty->len, nothing, sizeof(nothing));
    g_assert_cmpmem(content->data, content->len, saved, sizeof(saved));
    g_assert_cmpuint(content->len, <=, shared_pages_log_max_size(log));
    shared_pages_log_set(other, TOP, PAGE, true);
    g_string_truncate(told, 0);
    assert_loads_as(content, other, SAVED_RANGES);
    /* What came is what was sent: nothing is dirty. */
    assert_told("");
    g_assert_cmpuint(shared_pages_log_count(other), ==, 6);
    assert_loads_as(empty, other, "");
    g_assert_cmpuint(shared_pages_log_count(other), ==, 0);
}

/* Patterns of a big memory, each saved and loaded */
static void test_save_big(void)
{
    static const Ram big = { "big", 100003 };
    static const unsigned periods[] = {
        1, 2, 3, 7, 64, 128, 129, 20000, 99991
    };

    for (size_t i = 0; i < ARRAY_SIZE(periods); i++) {
        g_autoptr(SharedPagesLog) log = shared_pages_log_new(&ops);
        g_autoptr(SharedPagesLog) other = shared_pages_log_new(&ops);
        g_autoptr(GByteArray) content = NULL;

        map(log, 0, &big, 0, big.pages);
        map(other, 0, &big, 0, big.pages);
        for (unsigned page = periods[i] - 1; page < big.pages;
             page += periods[i]) {
            shared_pages_log_set(log, page * PAGE, PAGE, true);
        }
        content = save(log);
        g_assert_cmpuint(content->len, <=, shared_pages_log_max_size(log));
        g_assert_cmpuint(shared_pages_log_max_size(log), <,
                         big.pages / 8 + 512);
        g_assert_true(shared_pages_log_load(other, content->data, content->len,
                                            &error_abort));
        g_assert_cmpuint(shared_pages_log_count(other), ==,
                         big.pages / periods[i]);
        for (unsigned page = 0; page < big.pages; page++) {
            g_assert_cmpint(shared_pages_log_get(other, &big, page * PAGE), ==,
                            !((page + 1) % periods[i]));
        }
        g_string_truncate(told, 0);
    }
}

/*
 * However a guest has prepared its pages, one call tells of few ranges: one in
 * each 4 MiB. What does not change there is told of within 2 MiB of what does.
 */
static void test_chunks(void)
{
    static const Ram huge = { "huge", 1 << 20 };
    static const struct {
        unsigned first;
        unsigned period;
        const char *told;
    } patterns[] = {
        { 0, 2, "p0+fffff000 " },
        { 1, 2, "p1000+fffff000 " },
        { 7, 512, "p7000+ffe01000 " },
        { 511, 512, "p1ff000+ffe01000 " },
        { 3, 1 << 19, "p3000+1000 p80003000+1000 " },
        { 511, 513, NULL },
        { 0, 1024, NULL },
        { 0, 1023, NULL },
    };
    const uint64_t size = huge.pages * PAGE;

    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        g_autoptr(SharedPagesLog) log = shared_pages_log_new(&ops);
        unsigned count = 0, ranges = 0;

        map(log, 0, &huge, 0, huge.pages);
        for (unsigned page = patterns[i].first; page < huge.pages;
             page += patterns[i].period) {
            shared_pages_log_set(log, page * PAGE, PAGE, true);
            count++;
        }
        g_assert_cmpuint(shared_pages_log_count(log), ==, count);
        g_string_truncate(told, 0);
        g_assert_cmpint(shared_pages_log_set(log, 0, size, false), ==, count);
        if (patterns[i].told) {
            g_assert_cmpstr(told->str, ==, patterns[i].told);
        }
        for (const char *at = told->str; (at = strchr(at, ' ')); at++) {
            ranges++;
        }
        g_assert_cmpuint(ranges, <=, huge.pages / 1024);
        g_assert_cmpuint(shared_pages_log_count(log), ==, 0);
        g_assert_cmpuint(shared_pages_log_changes(log), ==, 2 * count);
        g_string_truncate(told, 0);
    }
}

static void assert_refused(const uint8_t *data, size_t size,
                           const char *expected)
{
    g_autoptr(SharedPagesLog) log = new_saved_log();
    g_autoptr(Error) err = NULL;

    g_assert_false(shared_pages_log_load(log, data, size, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), expected));
    /* The log is as it was. */
    assert_ranges(log, SAVED_RANGES);
    g_assert_cmpuint(shared_pages_log_count(log), ==, 6);
}

#define DAMAGED "shared-pages: the incoming list of shared pages is damaged: "
#define NO_PAGES "the pages of a memory make no sense"

/* @saved with the bytes from @at on, @count of them, replaced by a string's */
static void assert_edit_refused(size_t at, size_t count, const char *bytes,
                                size_t length, const char *expected)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    g_byte_array_append(data, saved, at);
    g_byte_array_append(data, (const uint8_t *)bytes, length);
    g_byte_array_append(data, saved + at + count, sizeof(saved) - at - count);
    assert_refused(data->data, data->len, expected);
}

#define ASSERT_EDIT_REFUSED(at, count, bytes, expected) \
    assert_edit_refused(at, count, bytes, sizeof(bytes) - 1, expected)

/* Where something is in @saved */
#define DIMM_NAME    1
#define DIMM_COUNT   15
#define DIMM_FORM    23
#define DIMM_LENGTH  24
#define DIMM_DATA    32
#define RAM_NAME     33
#define RAM_LENGTH   46
#define RAM_DATA     54

static void test_damage(void)
{
    for (size_t size = 0; size < sizeof(saved); size++) {
        /* Without the second memory, or any, a log is whole. */
        if (size != 1 && size != RAM_NAME) {
            assert_refused(saved, size, DAMAGED);
        }
    }
    ASSERT_EDIT_REFUSED(0, 1, "\x0b", DAMAGED "its pages are not of 4 KiB");
    ASSERT_EDIT_REFUSED(DIMM_NAME, 1, "\0", DAMAGED "a memory has no valid");
    ASSERT_EDIT_REFUSED(DIMM_NAME + 1, 1, "\n",
                        DAMAGED "a memory has no valid");
    ASSERT_EDIT_REFUSED(DIMM_NAME + 1, 1, "_", "shared-pages: the guest of the "
                        "incoming VM shares pages of memory '_objects/dimm', "
                        "which this VM does not have; start this QEMU with the "
                        "source's -m, -object and -device");
    ASSERT_EDIT_REFUSED(DIMM_COUNT, 8, "\0\0\0\0\0\0\0\6", "shared-pages: "
                        "memory '/objects/dimm' of the incoming VM has 6 "
                        "pages, that of this VM has 5; start this QEMU with "
                        "the source's -m, -object and -device");
    ASSERT_EDIT_REFUSED(DIMM_FORM, 1, "\2", DAMAGED NO_PAGES);
    ASSERT_EDIT_REFUSED(DIMM_LENGTH, 9, "\0\0\0\0\0\0\0\0", DAMAGED NO_PAGES);
    ASSERT_EDIT_REFUSED(DIMM_LENGTH, 9, "\0\0\0\0\0\0\0\2\x1d\0",
                        DAMAGED NO_PAGES);
    ASSERT_EDIT_REFUSED(DIMM_LENGTH, 8, "\xff\xff\xff\xff\xff\xff\xff\xff",
                        DAMAGED "a memory has no valid name or is cut off");
    /* A page behind the last one */
    ASSERT_EDIT_REFUSED(DIMM_DATA, 1, "\x3d", DAMAGED NO_PAGES);
    ASSERT_EDIT_REFUSED(RAM_NAME, 0, "\3ram\0\0\0\0\0\0\0\x10\0"
                        "\0\0\0\0\0\0\0\2\3\2", DAMAGED "a memory comes twice");
    /* Runs: too long, of no page, and numbers that have no end or wrap */
    ASSERT_EDIT_REFUSED(RAM_DATA, 2, "\3\x0e", DAMAGED NO_PAGES);
    ASSERT_EDIT_REFUSED(RAM_DATA, 2, "\x11\0", DAMAGED NO_PAGES);
    ASSERT_EDIT_REFUSED(RAM_DATA, 2, "\3\0", DAMAGED NO_PAGES);
    ASSERT_EDIT_REFUSED(RAM_DATA, 2, "\0\0", DAMAGED NO_PAGES);
    ASSERT_EDIT_REFUSED(RAM_DATA, 2, "\3\x82", DAMAGED NO_PAGES);
    ASSERT_EDIT_REFUSED(RAM_LENGTH, 10, "\0\0\0\0\0\0\0\3\1\1\1",
                        DAMAGED NO_PAGES);
}

/* A run's length with more bits than a number has; the memory is big. */
static void test_damaged_numbers(void)
{
    static const Ram big = { "b", 1000 };
    static const struct {
        const char *bytes;
        bool good;
    } runs[] = {
        { "\1\x80\x80\x80\x80\x80\x80\x80\x80\x80\1", false },
        { "\1\x81\x80\x80\x80\x80\x80\x80\x80\x80\1", false },
        { "\1\x81\x80\x80\x80\x80\x80\x80\x80\x80\2", false },
        { "\1\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80", false },
        { "\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f", false },
        { "\1\xe6\7", true },
        { "\1\xe7\7", true },
        { "\1\xe8\7", false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
        g_autoptr(SharedPagesLog) log = shared_pages_log_new(&ops);
        g_autoptr(GByteArray) data = g_byte_array_new();
        uint8_t head[] = { 12, 1, 'b', 0, 0, 0, 0, 0, 0, 3, 0xe8, 0,
                           0, 0, 0, 0, 0, 0, 0, strlen(runs[i].bytes) };

        map(log, 0, &big, 0, big.pages);
        g_byte_array_append(data, head, sizeof(head));
        g_byte_array_append(data, (const uint8_t *)runs[i].bytes,
                            strlen(runs[i].bytes));
        g_assert_true(shared_pages_log_load(log, data->data, data->len, NULL)
                      == runs[i].good);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    told = g_string_new(NULL);
    g_test_add_func("/shared-pages/set", test_set);
    g_test_add_func("/shared-pages/across", test_across);
    g_test_add_func("/shared-pages/hostile", test_hostile);
    g_test_add_func("/shared-pages/chunks", test_chunks);
    g_test_add_func("/shared-pages/reset", test_reset);
    g_test_add_func("/shared-pages/unplug", test_unplug);
    g_test_add_func("/shared-pages/remap", test_remap);
    g_test_add_func("/shared-pages/parts", test_parts);
    g_test_add_func("/shared-pages/save", test_save);
    g_test_add_func("/shared-pages/save-big", test_save_big);
    g_test_add_func("/shared-pages/damage", test_damage);
    g_test_add_func("/shared-pages/damaged-numbers", test_damaged_numbers);
    return g_test_run();
}
