/*
 * Tests of damaged sections
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "framework.h"
#include "section.h"

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

static uint8_t *entry_at(const ContractStream *stream, unsigned index)
{
    return contract_stream_at(stream, contract_stream_entry(stream, index));
}

static uint8_t *value_at(const ContractStream *stream, unsigned index)
{
    return contract_stream_at(stream, contract_stream_value(stream, index));
}

/* Takes a whole entry away, or adds one, so that all sizes are right. */
static void remove_entry(ContractStream *stream, unsigned index)
{
    unsigned at = contract_stream_entry(stream, index);
    unsigned size = contract_stream_entry(stream, index + 1) - at;

    contract_stream_remove(stream, at, size);
    contract_stream_resize(stream, -size, -size);
    stream->entries--;
}

static void cut(ContractStream *stream, unsigned offset)
{
    g_byte_array_set_size(stream->bytes, stream->section + offset);
}

static void cut_in_header(ContractStream *stream)
{
    cut(stream, CONTRACT_HEADER_SIZE - 2);
}

static void cut_before_size(ContractStream *stream)
{
    cut(stream, CONTRACT_SIZE);
}

static void cut_before_part(ContractStream *stream)
{
    cut(stream, CONTRACT_PART);
}

static void cut_in_name(ContractStream *stream)
{
    cut(stream, contract_stream_entry(stream, 1) + 5);
}

static void cut_in_value(ContractStream *stream)
{
    cut(stream, contract_stream_entry(stream, 2) - 3);
}

static void cut_before_footer(ContractStream *stream)
{
    cut(stream, contract_stream_size(stream) - CONTRACT_FOOTER_SIZE);
}

/* The section is shorter than its number of entries says. */
static void drop_last_value(ContractStream *stream)
{
    contract_stream_remove(stream, contract_stream_value(stream,
                                                         stream->entries - 1),
                           8);
}

/* The same, and the section's size is right: an entry without its value. */
static void drop_last_value_and_size(ContractStream *stream)
{
    drop_last_value(stream);
    contract_stream_resize(stream, -8, -8);
}

static void drop_psci_version(ContractStream *stream)
{
    remove_entry(stream, 4);
}

static void drop_zero_entry(ContractStream *stream)
{
    remove_entry(stream, 3);
}

static void drop_all(ContractStream *stream)
{
    while (stream->entries) {
        remove_entry(stream, 0);
    }
}

/* A section without any part */
static void drop_part(ContractStream *stream)
{
    unsigned size = contract_stream_size(stream) - CONTRACT_FOOTER_SIZE -
                    CONTRACT_PART;

    contract_stream_remove(stream, CONTRACT_PART, size);
    stl_be_p(contract_stream_at(stream, CONTRACT_SIZE), 0);
}

static void repeat_entry(ContractStream *stream)
{
    contract_stream_append(stream, contract_entry_names[0], 1);
}

static void reverse(ContractStream *stream)
{
    unsigned entries = stream->entries;

    for (unsigned i = 0; i < entries; i++) {
        g_autofree char *name = contract_stream_name(stream, entries - 1 - i);

        contract_stream_append(stream, name,
                               ldq_be_p(value_at(stream, entries - 1 - i)));
        remove_entry(stream, entries - 1 - i);
    }
}

static void size_too_large(ContractStream *stream)
{
    stl_be_p(contract_stream_at(stream, CONTRACT_SIZE), 128 * 1024 + 1);
}

static void size_2_gib(ContractStream *stream)
{
    stl_be_p(contract_stream_at(stream, CONTRACT_SIZE), 0x80000000);
}

static void size_4_gib(ContractStream *stream)
{
    stl_be_p(contract_stream_at(stream, CONTRACT_SIZE), 0xffffffff);
}

static void size_one_more(ContractStream *stream)
{
    contract_stream_resize(stream, 1, 0);
}

static void size_one_less(ContractStream *stream)
{
    contract_stream_resize(stream, -1, 0);
}

static void data_one_more(ContractStream *stream)
{
    contract_stream_resize(stream, 0, 1);
}

static void data_one_less(ContractStream *stream)
{
    contract_stream_resize(stream, 0, -1);
}

static void data_4_gib(ContractStream *stream)
{
    stl_be_p(contract_stream_at(stream, CONTRACT_DATA_SIZE), 0xffffffff);
}

static void fill_up(ContractStream *stream, unsigned count)
{
    for (unsigned i = stream->entries; i < count; i++) {
        g_autofree char *name = g_strdup_printf("x.unknown-%u", i);

        contract_stream_append(stream, name, 0);
    }
}

static void fill_up_to_limit(ContractStream *stream)
{
    fill_up(stream, 1024);
}

static void fill_up_too_far(ContractStream *stream)
{
    fill_up(stream, 1025);
}

static void name_of_64(ContractStream *stream)
{
    char name[CONTRACT_NAME_MAX + 2];

    memset(name, 'a', CONTRACT_NAME_MAX + 1);
    name[CONTRACT_NAME_MAX + 1] = '\0';
    contract_stream_append(stream, name, 0);
}

static void name_of_255(ContractStream *stream)
{
    entry_at(stream, 0)[0] = 255;
}

static void name_with_nul(ContractStream *stream)
{
    entry_at(stream, 0)[4] = '\0';
}

static void name_with_newline(ContractStream *stream)
{
    entry_at(stream, 0)[4] = '\n';
}

static void name_with_escape(ContractStream *stream)
{
    entry_at(stream, 0)[4] = 0x1b;
}

static void name_with_blank(ContractStream *stream)
{
    entry_at(stream, 0)[4] = ' ';
}

static void name_with_high_bit(ContractStream *stream)
{
    entry_at(stream, 0)[4] |= 0x80;
}

static void name_empty(ContractStream *stream)
{
    contract_stream_append(stream, "", 0);
}

static void value_of_16_bytes(ContractStream *stream)
{
    static const uint8_t more[8];

    contract_stream_insert(stream, contract_stream_entry(stream, 1), more,
                           sizeof(more));
    contract_stream_resize(stream, sizeof(more), sizeof(more));
}

static void value_with_high_bits(ContractStream *stream)
{
    value_at(stream, 4)[0] = 0x80;
}

static void part_flags(ContractStream *stream)
{
    *contract_stream_at(stream, CONTRACT_PART) = 0x40;
}

static void part_name(ContractStream *stream)
{
    *contract_stream_at(stream, CONTRACT_PART_NAME) = 'E';
}

static void part_again(ContractStream *stream)
{
    contract_stream_append_part(stream, "entries", 0);
}

static void part_unknown(ContractStream *stream)
{
    contract_stream_append_part(stream, "arm.from-the-future", 0);
}

static void part_skippable(ContractStream *stream)
{
    contract_stream_append_part(stream, "arm.from-the-future", 1);
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

/* Behind the section: its copy, with another arm.std-bmap if @damage */
static void repeat_section(ContractStream *stream, bool damage)
{
    unsigned size = contract_stream_size(stream);
    g_autofree uint8_t *copy = g_memdup2(contract_stream_at(stream, 0), size);

    if (damage) {
        copy[contract_stream_entry(stream, 1) - 1] ^= 2;
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

static void several_misfits(ContractStream *stream)
{
    value_at(stream, 0)[7] = 0;
    value_at(stream, 4)[7] = 0;
    contract_stream_append(stream, "arm.from-the-future", 1);
}

static void longest_name(ContractStream *stream)
{
    contract_stream_append(stream, "arm.an-entry-from-the-distant-future-with-"
                           "the-name-of-all-names", 0);
}

#define DAMAGED "guest-abi: the incoming contract is damaged: "
#define BAD_NAME "entry 0 has no valid name"
#define CUT_OFF DAMAGED "the stream ends behind "
#define NOTHING_CHOSEN "incoming VM has hvc-services=host, this VM has " \
                       "chosen hvc service 'trng' (std bit 0) ("

static const Damage damages[] = {
    { "truncated/header", cut_in_header, "load of migration failed" },
    { "truncated/size", cut_before_size, "load of migration failed" },
    { "truncated/part", cut_before_part, CUT_OFF },
    { "truncated/name", cut_in_name, CUT_OFF },
    { "truncated/value", cut_in_value, CUT_OFF },
    { "truncated/footer", cut_before_footer, "load of migration failed" },
    { "truncated/section-too-short", drop_last_value, "guest-abi" },
    { "truncated/last-value", drop_last_value_and_size,
      " has no valid name or is cut off" },
    { "duplicated/entry", repeat_entry,
      DAMAGED "entry 'arm.std-bmap' comes twice" },
    { "duplicated/part", part_again, DAMAGED "part 'entries' comes twice" },
    { "duplicated/section-that-differs", second_section_differs,
      "incoming VM uses hvc service 'std bit 1' (std bit 1), not enabled" },
    { "reordered", reverse },
    { "over-long/size", size_too_large,
      DAMAGED "it has 131073 bytes, the most is 131072" },
    { "over-long/size-2-gib", size_2_gib,
      DAMAGED "it has 2147483648 bytes, the most is 131072" },
    { "over-long/size-4-gib", size_4_gib,
      DAMAGED "it has 4294967295 bytes, the most is 131072" },
    { "over-long/size-one-more", size_one_more, DAMAGED "part 2 has no valid "
      "name or is cut off" },
    { "over-short/size-one-less", size_one_less, DAMAGED "part 1 has no valid "
      "name or is cut off" },
    { "over-long/data-one-more", data_one_more, " has no valid name or is cut "
      "off" },
    { "over-short/data-one-less", data_one_less, " has no valid name or is cut "
      "off" },
    { "over-long/data-4-gib", data_4_gib, DAMAGED "part 0 has no valid name or "
      "is cut off" },
    { "over-long/1024-entries", fill_up_to_limit },
    { "over-long/1025-entries", fill_up_too_far, DAMAGED "more than 1024 times "
      "'entry'" },
    { "missing/psci-version", drop_psci_version,
      "guest-abi: incoming VM has PSCI 0.0 [0x0], this VM has 1.1" },
    { "missing/zero", drop_zero_entry },
    { "missing/all", drop_all,
      NOTHING_CHOSEN },
    { "missing/parts", drop_part,
      NOTHING_CHOSEN },
    { "missing/section", no_section,
      "guest-abi: incoming VM has no contract with its guest" },
    { "name/of-64", name_of_64,
      " has no valid name or is cut off" },
    { "name/of-255", name_of_255, DAMAGED BAD_NAME },
    { "name/nul", name_with_nul, DAMAGED BAD_NAME },
    { "name/newline", name_with_newline, DAMAGED BAD_NAME },
    { "name/escape", name_with_escape, DAMAGED BAD_NAME },
    { "name/blank", name_with_blank, DAMAGED BAD_NAME },
    { "name/high-bit", name_with_high_bit, DAMAGED BAD_NAME },
    { "name/empty", name_empty, " has no valid name" },
    { "name/longest", longest_name },
    { "wrong-type/value-of-16-bytes", value_of_16_bytes, DAMAGED "entry 1 has "
      "no valid name" },
    { "wrong-type/value-high-bits", value_with_high_bits,
      "incoming VM has PSCI 1.1 [0x8000000000010001], this VM has 1.1" },
    { "wrong-type/version-2", version_2,
      "unsupported version 2 for 'guest-abi' v1" },
    { "wrong-type/version-0", version_0, "guest-abi" },
    { "wrong-type/instance-1", instance_1,
      "section or instance 'guest-abi' 1" },
    { "wrong-type/footer", footer_id, "guest-abi" },
    { "part/flags", part_flags, DAMAGED "a part has flags 0x40, of which this "
      "QEMU knows 0x1" },
    /* Then there are no entries at all. */
    { "part/name", part_name,
      NOTHING_CHOSEN },
    { "part/unknown", part_unknown, "guest-abi: incoming VM's contract has a "
      "part 'arm.from-the-future', which this VM does not know and may not "
      "leave out; use a QEMU, a machine type and a host that have it" },
    { "part/skippable", part_skippable },
    { "unknown/zero", unknown_zero },
    { "unknown/value", unknown_value,
      "guest-abi: incoming VM has 'arm.from-the-future' = 0x1234, which this "
      "VM does not know; use a QEMU, a machine type and a host that" },
    { "several", several_misfits, "guest-abi: 3 things of the incoming VM "
      "cannot be kept here: (1) incoming VM was not given hvc service 'trng' "
      "(std bit 0), enabled here (hvc-services=linux-6.12) (2) incoming VM "
      "has PSCI 1.0 "
      "[0x10000], this VM has 1.1 (hvc-services=linux-6.12); start this QEMU "
      "with the source's -machine options (3) incoming VM has "
      "'arm.from-the-future' = 0x1, which this VM does not know" },
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
    /* The CPU's entries come after those of the services and the machine. */
    g_assert_cmpuint(stream.entries, >, ARRAY_SIZE(contract_entry_names));
    for (unsigned i = 0; i < ARRAY_SIZE(contract_entry_names); i++) {
        g_autofree char *name = contract_stream_name(&stream, i);

        g_assert_cmpstr(name, ==, contract_entry_names[i]);
    }
    damage->change(&stream);
    contract_stream_write(&stream, path);

    to = peer_incoming(LINUX_6_12, NULL, NULL);
    accept_stream(to, uri);
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

void migration_damage_tests(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(damages); i++) {
        g_autofree char *path = g_strdup_printf("hvc/migration/damaged/%s",
                                                damages[i].name);

        qtest_add_data_func(path, &damages[i], test_damage);
    }
}
