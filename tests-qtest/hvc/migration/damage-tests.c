/*
 * Tests of damaged sections
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
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

/* The section is shorter than its number of entries says. */
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
    contract_stream_append(stream, contract_entry_names[0], 1);
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

/*
 * The entry that is left over is 0, so that the contract fits; but the footer
 * does not follow the last entry.
 */
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

/* Behind the section: its copy, with another arm.std-bmap if @damage */
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
    /* Each section has to fit by itself; the last one counts. */
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
    g_assert_cmpuint(stream.entries, ==, ARRAY_SIZE(contract_entry_names));
    for (unsigned i = 0; i < stream.entries; i++) {
        g_assert_cmpstr((char *)entry_at(&stream, i), ==,
                        contract_entry_names[i]);
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
