/*
 * Unit tests of the contract: rules, trial, parts, texts, section and JSON
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "trace/control.h"
#include "migration/guest-abi-stream.h"
#include "migration/qemu-compat.h"
#include "../fake/contract-loader.h"

#define LONGEST \
    "test.a-name-of-sixty-three-characters-such-as-a-device-may-have"
QEMU_BUILD_BUG_ON(sizeof(LONGEST) != GUEST_ABI_NAME_SIZE);

const char *guest_abi_machine_type(void)
{
    return "test-machine";
}

static RunState run_state = RUN_STATE_PRELAUNCH;

bool runstate_check(RunState state)
{
    return state == run_state;
}

static void refuse_exact(const GuestAbiDefinition *definition,
                         uint64_t incoming, uint64_t here, Error **errp)
{
    g_assert_cmpstr(definition->name, ==, "test.own-words");
    g_assert_cmpstr(definition->opaque, ==, "opaque");
    error_setg(errp, "own words: %" PRIu64 " is not %" PRIu64, incoming, here);
}

/* Bit 0 is shown by mistake. */
static bool same_but_bit_0(const GuestAbiDefinition *definition, uint64_t a,
                           uint64_t b)
{
    return (a | 1) == (b | 1);
}

static bool optional_is_needed = true;

static bool is_needed(const GuestAbiDefinition *definition)
{
    return optional_is_needed;
}

static uint64_t live = 3;

static uint64_t read_live(const GuestAbiDefinition *definition)
{
    return live;
}

/* This side's contract in all tests */
static const GuestAbiDefinition definitions[] = {
    { .name = "test.exact", .rule = GUEST_ABI_RULE_EXACT, .value = 5 },
    { .name = "test.at-least", .rule = GUEST_ABI_RULE_AT_LEAST, .value = 5 },
    { .name = "test.subset", .rule = GUEST_ABI_RULE_SUBSET, .value = 0xa },
    { .name = "test.own-words", .rule = GUEST_ABI_RULE_EXACT, .value = 7,
      .refuse = refuse_exact, .opaque = "opaque" },
    { .name = LONGEST, .rule = GUEST_ABI_RULE_EXACT, .value = UINT64_MAX },
    { .name = "test.feature", .rule = GUEST_ABI_RULE_ACCEPTED, .value = 1 },
    { .name = "test.depends", .rule = GUEST_ABI_RULE_ACCEPTED, .value = 0x20 },
    { .name = "test.mistake", .rule = GUEST_ABI_RULE_ACCEPTED, .value = 0x80,
      .same = same_but_bit_0 },
    { .name = "test.optional", .rule = GUEST_ABI_RULE_ACCEPTED, .value = 9,
      .needed = is_needed },
    { .name = "test.live", .rule = GUEST_ABI_RULE_EXACT, .value = 99,
      .read = read_live },
};

/* A contract that fits. */
static const GuestAbiValue good[] = {
    { "test.exact", 5 },
    { "test.at-least", 5 },
    { "test.subset", 0xa },
    { "test.own-words", 7 },
    { LONGEST, UINT64_MAX },
    { "test.feature", 1 },
    { "test.depends", 0x20 },
    { "test.mistake", 0x80 },
    { "test.optional", 9 },
    { "test.live", 3 },
};

/*
 * This side's accelerator: test.feature can be 0 or 1, test.depends reads 0
 * without it, of test.mistake bit 0 stays 0, test.optional is as it is.
 */
static unsigned trials;
static const char *trial_error;
static GArray *tried;

static uint64_t tried_value(const GuestAbiValue *wanted, unsigned count,
                            const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (!strcmp(wanted[i].name, name)) {
            return wanted[i].value;
        }
    }
    return 0;
}

static bool trial(const GuestAbiValue *wanted, unsigned count, uint64_t *truth,
                  Error **errp)
{
    uint64_t feature = tried_value(wanted, count, "test.feature") & 1;

    trials++;
    g_array_set_size(tried, 0);
    g_array_append_vals(tried, wanted, count);
    if (trial_error) {
        error_setg(errp, "%s", trial_error);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!strcmp(wanted[i].name, "test.feature")) {
            truth[i] = feature;
        } else if (!strcmp(wanted[i].name, "test.depends")) {
            truth[i] = feature ? wanted[i].value : 0;
        } else if (!strcmp(wanted[i].name, "test.mistake")) {
            truth[i] = wanted[i].value & ~1;
        } else {
            g_assert_cmpstr(wanted[i].name, ==, "test.optional");
            truth[i] = 9;
        }
    }
    return true;
}

/* Parts of this side */

static const uint8_t part_bytes[] = { 1, 0, 0xff };
static const char *part_error, *part_save_error;
static unsigned part_checks, part_loads;

/* Bytes of zeros behind the part's own */
static unsigned part_more;

static bool part_save(GByteArray *data, Error **errp)
{
    if (part_save_error) {
        error_setg(errp, "%s", part_save_error);
        return false;
    }
    g_byte_array_append(data, part_bytes, sizeof(part_bytes));
    g_byte_array_set_size(data, data->len + part_more);
    return true;
}

static bool part_check(const uint8_t *data, size_t size, Error **errp)
{
    part_checks++;
    /* The trial comes first: what a part says can depend on it. */
    g_assert_cmpuint(trials, >, 0);
    if (!data) {
        g_assert_cmpuint(size, ==, 0);
        error_setg(errp, "part is missing");
        return false;
    }
    if (part_error) {
        error_setg(errp, "%s", part_error);
        return false;
    }
    g_assert_cmpmem(data, size, part_bytes, sizeof(part_bytes));
    return true;
}

static void part_load(const uint8_t *data, size_t size)
{
    part_loads++;
    g_assert_cmpmem(data, size, part_bytes, sizeof(part_bytes));
}

static const GuestAbiPart own_part = {
    .name = "test.part", .save = part_save, .check = part_check,
    .load = part_load,
};

static bool empty_save(GByteArray *data, Error **errp)
{
    return true;
}

static void empty_load(const uint8_t *data, size_t size)
{
    g_assert_nonnull(data);
    g_assert_cmpuint(size, ==, 0);
}

/* Nothing is asked of it, and it is not missed. */
static const GuestAbiPart empty_part = {
    .name = "test.empty", .skippable = true, .save = empty_save,
    .load = empty_load,
};

static const char *adopted_error, *kept_error;
static unsigned adoptions, adoptions_refused;

static uint64_t promised(const char *name)
{
    return guest_abi_promised(guest_abi_definition_by_name(name));
}

static bool adopted(Error **errp)
{
    /* A part is loaded when nothing can refuse the contract any more. */
    g_assert_cmpuint(part_loads, ==, adoptions - adoptions_refused);
    adoptions++;
    if (adopted_error) {
        adoptions_refused++;
        error_setg(errp, "%s", adopted_error);
    }
    return !adopted_error;
}

static bool kept(Error **errp)
{
    if (kept_error) {
        error_setg(errp, "%s", kept_error);
    }
    return !kept_error;
}

/* Rules: one value, and what is said about it */

typedef struct RuleCase {
    const char *name;
    uint64_t value;
    const char *refusal;
} RuleCase;

#define REMEDY "; start this QEMU with the source's -machine options"

static const RuleCase rules[] = {
    { "test.exact", 5 },
    { "test.exact", 4, "guest-abi: incoming VM has 'test.exact' = 0x4, this "
      "VM has 0x5 (rule: exact)" REMEDY },
    { "test.exact", 6, "guest-abi: incoming VM has 'test.exact' = 0x6, this "
      "VM has 0x5 (rule: exact)" REMEDY },
    { "test.exact", 0, "guest-abi: incoming VM has 'test.exact' = 0x0, this "
      "VM has 0x5 (rule: exact)" REMEDY },
    { "test.exact", 1ULL << 32 | 5, "guest-abi: incoming VM has 'test.exact' "
      "= 0x100000005, this VM has 0x5 (rule: exact)" REMEDY },
    { "test.exact", 1ULL << 63 | 5, "guest-abi: incoming VM has 'test.exact' "
      "= 0x8000000000000005, this VM has 0x5 (rule: exact)" REMEDY },

    { "test.at-least", 0 },
    { "test.at-least", 4 },
    { "test.at-least", 5 },
    { "test.at-least", 6, "guest-abi: incoming VM has 'test.at-least' = 0x6, "
      "this VM has 0x5 (rule: at-least)" REMEDY },
    { "test.at-least", UINT64_MAX, "guest-abi: incoming VM has "
      "'test.at-least' = 0xffffffffffffffff, this VM has 0x5 (rule: "
      "at-least)" REMEDY },

    { "test.subset", 0 },
    { "test.subset", 2 },
    { "test.subset", 8 },
    { "test.subset", 0xa },
    { "test.subset", 1, "guest-abi: incoming VM has 'test.subset' = 0x1, this "
      "VM has 0xa (rule: subset)" REMEDY },
    { "test.subset", 0xb, "guest-abi: incoming VM has 'test.subset' = 0xb, "
      "this VM has 0xa (rule: subset)" REMEDY },
    { "test.subset", 1ULL << 63, "guest-abi: incoming VM has 'test.subset' = "
      "0x8000000000000000, this VM has 0xa (rule: subset)" REMEDY },

    { "test.own-words", 7 },
    { "test.own-words", 8, "own words: 8 is not 7" },
    { LONGEST, UINT64_MAX },
    { LONGEST, 0, "guest-abi: incoming VM has '" LONGEST "' = 0x0, this VM "
      "has 0xffffffffffffffff (rule: exact)" REMEDY },

    { "test.unknown", 0 },
    { "test.unknown", 1, "guest-abi: incoming VM has 'test.unknown' = 0x1, "
      "which this VM does not know; use a QEMU, a machine type and a host "
      "that have it, or restart the VM on this host" },
    /* Names are compared whole, and by case. */
    { "test.exac", 5, "guest-abi: incoming VM has 'test.exac' = 0x5, which "
      "this VM does not know; use a QEMU, a machine type and a host that "
      "have it, or restart the VM on this host" },
    { "test.exact2", 5, "guest-abi: incoming VM has 'test.exact2' = 0x5, "
      "which this VM does not know; use a QEMU, a machine type and a host "
      "that have it, or restart the VM on this host" },
    { "Test.exact", 5, "guest-abi: incoming VM has 'Test.exact' = 0x5, which "
      "this VM does not know; use a QEMU, a machine type and a host that "
      "have it, or restart the VM on this host" },
};

static void test_rules(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
        g_autoptr(GuestAbiIncoming) incoming =
            contract_own_but(rules[i].name, &rules[i].value);
        g_autofree char *refusal = contract_refusal(incoming, rules[i].name);
        g_autoptr(GuestAbiVerdictList) verdicts = guest_abi_judge(incoming);
        g_autoptr(Error) err = NULL;

        g_test_message("%s = 0x%" PRIx64, rules[i].name, rules[i].value);
        g_assert_cmpstr(refusal, ==, rules[i].refusal);
        /* A single misfit is a migration's error as it is. */
        g_assert_true(guest_abi_verdict(verdicts, &err) == !refusal);
        if (refusal) {
            g_assert_cmpstr(error_get_pretty(err), ==, refusal);
        }
    }
}

/* What did not come is 0. */
static void test_missing(void)
{
    static const char *const refusals[] = {
        "guest-abi: incoming VM has 'test.exact' = 0x0, this VM has 0x5 "
        "(rule: exact)" REMEDY,
        NULL, NULL, "own words: 0 is not 7",
        "guest-abi: incoming VM has '" LONGEST "' = 0x0, this VM has "
        "0xffffffffffffffff (rule: exact)" REMEDY,
        /* These are tried, and can be 0. */
        NULL, NULL, NULL,
        /* Optional */
        NULL,
        "guest-abi: incoming VM has 'test.live' = 0x0, this VM has 0x3 "
        "(rule: exact)" REMEDY,
    };

    QEMU_BUILD_BUG_ON(ARRAY_SIZE(refusals) != ARRAY_SIZE(definitions));
    for (unsigned i = 0; i < ARRAY_SIZE(definitions); i++) {
        const char *name = definitions[i].name;
        g_autoptr(GuestAbiIncoming) incoming = contract_own_but(name, NULL);
        g_autofree char *refusal = contract_refusal(incoming, name);

        /* test.depends is not what came without test.feature */
        g_assert_cmpstr(refusal, ==, refusals[i]);
    }
}

static void test_definitions(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(definitions); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);

        g_assert_nonnull(definition);
        g_assert_true(definition == guest_abi_definition_by_name(
                          definitions[i].name));
        g_assert_cmpstr(definition->name, ==, definitions[i].name);
        g_assert_cmphex(definition->value, ==, definitions[i].value);
        g_assert_cmphex(definition->promised, ==, definitions[i].value);
        g_assert_cmpint(definition->rule, ==, definitions[i].rule);
    }
    g_assert_null(guest_abi_definition(ARRAY_SIZE(definitions)));
    g_assert_null(guest_abi_definition(UINT_MAX));
    g_assert_null(guest_abi_definition_by_name("test.other"));
    g_assert_true(guest_abi_part(0) == &own_part);
    g_assert_true(guest_abi_part_by_name("test.empty") == &empty_part);
    g_assert_null(guest_abi_part(2));
    g_assert_null(guest_abi_part_by_name("test.exact"));
}

static void add_again(void)
{
    guest_abi_add(&definitions[0]);
}

static void add_long_name(void)
{
    guest_abi_add(&(GuestAbiDefinition) { .name = LONGEST "x" });
}

static void add_too_many(void)
{
    for (unsigned i = 0; i <= GUEST_ABI_MAX_ENTRIES; i++) {
        guest_abi_add(&(GuestAbiDefinition) {
            .name = g_strdup_printf("test.%u", i),
        });
    }
}

static void add_part_again(void)
{
    guest_abi_add_part(&own_part);
}

static void add_part_entries(void)
{
    static const GuestAbiPart part = { .name = "entries" };

    guest_abi_add_part(&part);
}

/* Mistakes of a programmer */
static void test_add_asserts(void)
{
    static void (*const mistakes[])(void) = {
        add_again, add_long_name, add_too_many, add_part_again,
        add_part_entries,
    };

    if (g_test_subprocess()) {
        mistakes[atoi(getenv("MISTAKE"))]();
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(mistakes); i++) {
        g_autofree char *number = g_strdup_printf("%u", i);

        g_setenv("MISTAKE", number, true);
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_failed();
        g_test_trap_assert_stderr("*Assertion*");
    }
}

static void test_names(void)
{
    static const struct {
        const char *name;
        bool valid;
    } names[] = {
        { "a", true },
        { "arm.std-bmap", true },
        { LONGEST, true },
        { "!", true },
        { "~", true },
        { "", false },
        { " ", false },
        { "a b", false },
        { "a\n", false },
        { "\ta", false },
        { "a\x1b[1m", false },
        { "a\x7f", false },
        { "a\x80", false },
        { "\xc3\xa4", false },
        { "a\xff", false },
        { LONGEST "x", false },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        g_assert_true(guest_abi_name_is_valid(names[i].name) ==
                      names[i].valid);
    }
}

/* The section's content */

static Loading load(const GByteArray *bytes, unsigned version)
{
    g_autofree uint8_t *stream = g_malloc(bytes->len + 1);

    memcpy(stream, bytes->data, bytes->len);
    stream[bytes->len] = CONTRACT_FOOTER;
    return contract_load(stream, bytes->len + 1, version);
}

static void assert_loads(const GByteArray *bytes)
{
    g_auto(Loading) loading = load(bytes, 1);

    g_assert_cmpstr(loading.refusal, ==, NULL);
    g_assert_true(loading.loaded);
    g_assert_true(guest_abi_check_received());
}

/* @refusal: NULL if QEMU's own code refuses it */
static void assert_refused(const GByteArray *bytes, unsigned version,
                           const char *refusal)
{
    g_auto(Loading) loading = load(bytes, version);

    g_assert_false(loading.loaded);
    g_assert_cmpstr(loading.refusal, ==, refusal);
}

static GByteArray *bytes_of(const void *data, unsigned size)
{
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_append(bytes, data, size);
    return bytes;
}

/* This side's entries, up to @count of them, with another value of @name */
static GByteArray *entries_but(unsigned count, const char *name,
                               uint64_t value)
{
    GByteArray *data = g_byte_array_new();

    for (unsigned i = 0; i < count; i++) {
        contract_append_entry(data, good[i].name, strcmp(good[i].name, name) ?
                              good[i].value : value);
    }
    return data;
}

static void append_parts(GByteArray *content)
{
    g_autoptr(GByteArray) bytes = bytes_of(part_bytes, sizeof(part_bytes));
    g_autoptr(GByteArray) empty = g_byte_array_new();

    contract_append_part(content, "test.part", 0, bytes);
    contract_append_part(content, "test.empty", 1, empty);
}

/* A section with the given entries and this side's parts; takes @entries */
static GByteArray *section_with(GByteArray *entries)
{
    GByteArray *content = g_byte_array_new();

    contract_append_part(content, "entries", 0, entries);
    append_parts(content);
    contract_prepend_size(content);
    g_byte_array_unref(entries);
    return content;
}

static GByteArray *section_but(const char *name, uint64_t value)
{
    return section_with(entries_but(ARRAY_SIZE(good), name, value));
}

static void assert_saves(GByteArray *expected)
{
    g_autoptr(GByteArray) saved = contract_save();

    g_assert_cmpmem(saved->data, saved->len, expected->data, expected->len);
    g_byte_array_unref(expected);
}

static void load_good(void)
{
    g_autoptr(GByteArray) bytes = section_but("", 0);

    contract_reset();
    assert_loads(bytes);
}

static void test_save(void)
{
    load_good();
    assert_saves(section_but("", 0));
    /* A value that changes is read when it is needed. */
    live = 4;
    assert_saves(section_but("test.live", 4));
    live = 3;
}

/* A VM under KVM on a newest kernel: some 100 entries, 300 registers */
static void test_size(void)
{
    g_autoptr(GByteArray) entries = g_byte_array_new();
    g_autoptr(GByteArray) registers = g_byte_array_new();
    g_autoptr(GByteArray) content = g_byte_array_new();

    for (unsigned i = 0; i < 100; i++) {
        contract_append_entry(entries, "arm.id-aa64isar0-el1-long-name", i);
    }
    g_byte_array_set_size(registers, 300 * 8);
    contract_append_part(content, "entries", 0, entries);
    contract_append_part(content, "arm.kvm-registers", 0, registers);
    contract_prepend_size(content);
    g_assert_cmpuint(content->len, <, 8 * 1024);
}

/* The order of entries and parts is free. */
static void test_load_then_save(void)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autoptr(GByteArray) content = g_byte_array_new();

    for (int i = ARRAY_SIZE(good) - 1; i >= 0; i--) {
        contract_append_entry(data, good[i].name, good[i].value);
    }
    append_parts(content);
    contract_append_part(content, "entries", 0, data);
    contract_prepend_size(content);
    assert_loads(content);
    assert_saves(section_but("", 0));
}

static void test_truncated(void)
{
    g_autoptr(GByteArray) bytes = contract_save();
    unsigned full = bytes->len;

    for (unsigned size = 0; size < full; size++) {
        g_auto(Loading) loading = contract_load(bytes->data, size, 1);

        g_assert_false(loading.loaded);
        g_assert_cmpstr(loading.refusal, ==, NULL);
    }
    /*
     * The same with a size that says so: nothing may be read beyond it. Without
     * the last part, which nobody misses, it is a contract that fits.
     */
    for (unsigned size = 0; size < full - 4; size++) {
        bool whole = size == full - 4 - (1 + 1 + strlen("test.empty") + 4);
        g_autoptr(GByteArray) cut = bytes_of(bytes->data, 4 + size);
        g_auto(Loading) loading = { };

        stl_be_p(cut->data, size);
        loading = load(cut, 1);
        g_assert_true(loading.loaded == whole);
        g_assert_true(!loading.refusal == whole);
    }
}

static void test_version(void)
{
    g_autoptr(GByteArray) bytes = contract_save();

    assert_refused(bytes, 0, NULL);
    assert_refused(bytes, 2, NULL);
    assert_refused(bytes, UINT32_MAX, NULL);
}

/* More than the limit is refused before any of it is read or allocated. */
static void test_section_size(void)
{
    static const uint32_t sizes[] = {
        GUEST_ABI_MAX_SIZE + 1, INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX,
    };
    g_autoptr(GByteArray) bytes = contract_save();

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        g_autofree char *refusal =
            g_strdup_printf("guest-abi: the incoming contract is damaged: it "
                            "has %u bytes, the most is 131072", sizes[i]);

        stl_be_p(bytes->data, sizes[i]);
        assert_refused(bytes, 1, refusal);
    }
}

#define DAMAGED "guest-abi: the incoming contract is damaged: "

static void test_count(void)
{
    for (unsigned more = 0; more < 2; more++) {
        GByteArray *data = entries_but(ARRAY_SIZE(good), "", 0);
        g_autoptr(GByteArray) section = NULL;

        for (unsigned i = ARRAY_SIZE(good); i < GUEST_ABI_MAX_ENTRIES + more;
             i++) {
            g_autofree char *name = g_strdup_printf("%063u", i);

            contract_append_entry(data, name, 0);
        }
        section = section_with(data);
        g_assert_cmpuint(section->len, <, GUEST_ABI_MAX_SIZE);
        if (more) {
            assert_refused(section, 1, DAMAGED "more than 1024 times 'entry'");
        } else {
            assert_loads(section);
        }
    }
}

static void test_part_count(void)
{
    for (unsigned more = 0; more < 2; more++) {
        g_autoptr(GByteArray) data = entries_but(ARRAY_SIZE(good), "", 0);
        g_autoptr(GByteArray) empty = g_byte_array_new();
        g_autoptr(GByteArray) content = g_byte_array_new();

        contract_append_part(content, "entries", 0, data);
        append_parts(content);
        for (unsigned i = 2; i < GUEST_ABI_MAX_PARTS + more; i++) {
            g_autofree char *name = g_strdup_printf("%063u", i);

            contract_append_part(content, name, 1, empty);
        }
        contract_prepend_size(content);
        if (more) {
            assert_refused(content, 1, DAMAGED "more than 64 times 'part'");
        } else {
            assert_loads(content);
        }
    }
}

static void test_damaged(void)
{
    static const struct {
        const char *content, *refusal;
        unsigned size;
    } cases[] = {
#define CASE(bytes, text) { bytes, DAMAGED text, sizeof(bytes) - 1 }
        CASE("\2\1a\0\0\0\0", "a part has flags 0x2, of which this QEMU "
             "knows 0x1"),
        CASE("\xff\1a\0\0\0\0", "a part has flags 0xff, of which this QEMU "
             "knows 0x1"),
        CASE("\0\0\0\0\0\0", "part 0 has no valid name (1 to 63 visible "
             "ASCII characters)"),
        CASE("\0\1\n\0\0\0\0", "part 0 has no valid name (1 to 63 visible "
             "ASCII characters)"),
        CASE("\0\2a\0\0\0\0\0", "part 0 has no valid name or is cut off"),
        CASE("\0\1a\0\0\0\1", "part 0 has no valid name or is cut off"),
        CASE("\0\1a\xff\xff\xff\xff", "part 0 has no valid name or is cut "
             "off"),
        CASE("\1\1a\0\0\0\0\1\1a\0\0\0\0", "part 'a' comes twice"),
        CASE("\0\7entries\0\0\0\0\0\7entries\0\0\0\0", "part 'entries' "
             "comes twice"),
        CASE("\0\7entries\0\0\0\11\0\0\0\0\0\0\0\0\0", "entry 0 has no "
             "valid name (1 to 63 visible ASCII characters)"),
        CASE("\0\7entries\0\0\0\11\1a\0\0\0\0\0\0\0", "entry 0 has no "
             "valid name or is cut off"),
        CASE("\0\7entries\0\0\0\12\1\x1b\0\0\0\0\0\0\0\0", "entry 0 has "
             "no valid name (1 to 63 visible ASCII characters)"),
        CASE("\0\7entries\0\0\0\24\1a\0\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0"
             "\0", "entry 'a' comes twice"),
        CASE("\0\7entries\0\0\0\1\100", "entry 0 has no valid name or is "
             "cut off"),
#undef CASE
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(GByteArray) content = bytes_of(cases[i].content,
                                                 cases[i].size);

        contract_prepend_size(content);
        assert_refused(content, 1, cases[i].refusal);
    }
}

/* A name of 64 characters, which is one too long */
static void test_long_name(void)
{
    GByteArray *data = g_byte_array_new();
    g_autoptr(GByteArray) section = NULL;

    contract_append_entry(data, LONGEST "x", 0);
    section = section_with(data);
    assert_refused(section, 1, DAMAGED "entry 0 has no valid name or is cut "
                   "off");
}

static void test_received(void)
{
    g_autoptr(GByteArray) bytes = section_but("", 0);
    g_autoptr(GByteArray) other = section_but("test.exact", 4);

    assert_loads(bytes);
    assert_refused(other, 1, "guest-abi: incoming VM has 'test.exact' = 0x4, "
                   "this VM has 0x5 (rule: exact)" REMEDY);
    assert_loads(bytes);
}

/* All misfits are told, not the first. */
static void test_all_misfits(void)
{
    GByteArray *data = entries_but(3, "test.exact", 4);
    g_autoptr(GByteArray) section = NULL;

    contract_append_entry(data, "test.unknown", 1);
    section = section_with(data);
    assert_refused(section, 1, "guest-abi: 5 things of the incoming VM cannot "
                   "be kept here: (1) incoming VM has 'test.exact' = 0x4, this "
                   "VM has 0x5 (rule: exact)" REMEDY " (2) incoming VM has "
                   "'test.unknown' = 0x1, which this VM does not know; use a "
                   "QEMU, a machine type and a host that have it, or restart "
                   "the VM on this host (3) own words: 0 is not 7 (4) incoming "
                   "VM has '" LONGEST "' = 0x0, this VM has "
                   "0xffffffffffffffff (rule: exact)" REMEDY " (5) incoming VM has 'test.live' = 0x0, "
                   "this VM has 0x3 (rule: exact)" REMEDY);
}

/* However many they are, the text has an end. */
static void test_many_misfits(void)
{
    GByteArray *data = entries_but(ARRAY_SIZE(good), "", 0);
    g_autoptr(GByteArray) section = NULL;
    g_auto(Loading) loading = { };

    for (unsigned i = ARRAY_SIZE(good); i < GUEST_ABI_MAX_ENTRIES; i++) {
        g_autofree char *name = g_strdup_printf("test.%058u", i);

        contract_append_entry(data, name, UINT64_MAX);
    }
    section = section_with(data);
    loading = load(section, 1);
    g_assert_false(loading.loaded);
    g_assert_true(g_str_has_prefix(loading.refusal,
                                   "guest-abi: 1014 things of the incoming VM "
                                   "cannot be kept here: (1) "));
    g_assert_true(g_str_has_suffix(loading.refusal, "33' and 990 more"));
    g_assert_cmpuint(strlen(loading.refusal), <, 4096);
}

/* Trial */

static void assert_tried(const GuestAbiValue *expected, unsigned count)
{
    g_assert_cmpuint(tried->len, ==, count);
    for (unsigned i = 0; i < count; i++) {
        const GuestAbiValue *value = &g_array_index(tried, GuestAbiValue, i);

        g_assert_cmpstr(value->name, ==, expected[i].name);
        g_assert_cmphex(value->value, ==, expected[i].value);
    }
}

/* One trial, of all that is asked for at once */
static void test_trial(void)
{
    static const GuestAbiValue without[] = {
        { "test.feature", 0 }, { "test.depends", 0x20 },
        { "test.mistake", 0x80 }, { "test.optional", 9 },
    };
    static const GuestAbiValue missing[] = {
        { "test.feature", 1 }, { "test.depends", 0 }, { "test.mistake", 0 },
    };
    g_autoptr(GByteArray) section = section_but("test.feature", 0);
    g_autoptr(GByteArray) fewer = NULL;
    unsigned before;

    load_good();
    before = trials;
    /* It can be 0, but then test.depends is not what came. */
    assert_refused(section, 1, "guest-abi: incoming VM has 'test.depends' = "
                   "0x20, this VM has 0x0 (rule: accepted)" REMEDY);
    g_assert_cmpuint(trials, ==, before + 1);
    assert_tried(without, ARRAY_SIZE(without));
    g_assert_cmphex(promised("test.feature"), ==, 1);

    /* What was not sent is 0, but for what is optional. */
    {
        GByteArray *data = entries_but(6, "", 0);

        contract_append_entry(data, "test.live", 3);
        fewer = section_with(data);
    }
    assert_loads(fewer);
    assert_tried(missing, ARRAY_SIZE(missing));
    g_assert_cmphex(promised("test.depends"), ==, 0);
    g_assert_cmphex(promised("test.optional"), ==, 9);
}

static void test_trial_fails(void)
{
    g_autoptr(GByteArray) section = section_but("", 0);

    load_good();
    trial_error = "guest-abi: cannot make a VM to try it";
    assert_refused(section, 1, trial_error);
    trial_error = NULL;
    assert_loads(section);
}

/* Without somebody to ask, what comes has to be what the guest was told. */
static void test_no_trial(void)
{
    g_autoptr(GByteArray) same = section_but("", 0);
    g_autoptr(GByteArray) other = section_but("test.depends", 0x30);

    load_good();
    guest_abi_set_trial(NULL);
    assert_loads(same);
    assert_refused(other, 1, "guest-abi: incoming VM has 'test.depends' = "
                   "0x30, this VM has 0x20 (rule: accepted)" REMEDY);
    guest_abi_set_trial(trial);
    assert_loads(other);
    g_assert_cmphex(promised("test.depends"), ==, 0x30);
    /* Now it is what a guest was told. */
    guest_abi_set_trial(NULL);
    assert_loads(other);
    assert_refused(same, 1, "guest-abi: incoming VM has 'test.depends' = "
                   "0x20, this VM has 0x30 (rule: accepted)" REMEDY);
    guest_abi_set_trial(trial);
}

/* A field that is shown by mistake is the same with and without. */
static void test_same(void)
{
    g_autoptr(GByteArray) mistake = section_but("test.mistake", 0x81);
    g_autoptr(GByteArray) other = section_but("test.mistake", 0x83);

    load_good();
    assert_loads(mistake);
    /* It travels as it came. */
    assert_saves(section_but("test.mistake", 0x81));
    assert_loads(other);
    load_good();
}

/* At least */

/*
 * A guest that was told 2 visits a host that has 5: it was told 2, and a host
 * that has 2 or 3 takes it back.
 */
static void test_ratchet(void)
{
    g_autoptr(GByteArray) two = section_but("test.at-least", 2);
    g_autoptr(GByteArray) four = section_but("test.at-least", 4);
    g_autoptr(GByteArray) six = section_but("test.at-least", 6);

    load_good();
    assert_loads(two);
    g_assert_cmphex(promised("test.at-least"), ==, 2);
    assert_saves(section_but("test.at-least", 2));
    assert_refused(six, 1, "guest-abi: incoming VM has 'test.at-least' = 0x6, "
                   "this VM has 0x5 (rule: at-least)" REMEDY);
    g_assert_cmphex(promised("test.at-least"), ==, 2);
    /* What this host has did not shrink. */
    assert_loads(four);
    assert_saves(section_but("test.at-least", 4));
    contract_reset();
    assert_saves(section_but("", 0));
}

/* system_reset in the middle of a stream is not a guest that boots. */
static void test_ratchet_reset(void)
{
    g_autoptr(GByteArray) two = section_but("test.at-least", 2);

    load_good();
    run_state = RUN_STATE_INMIGRATE;
    /* Nothing has come yet. */
    guest_abi_load_failed();
    contract_reset();
    assert_loads(two);
    contract_reset();
    g_assert_true(guest_abi_check_received());
    g_assert_cmphex(promised("test.at-least"), ==, 2);
    /* A load that fails after the contract leaves a machine that boots. */
    guest_abi_load_failed();
    contract_reset();
    g_assert_cmphex(promised("test.at-least"), ==, 5);
    assert_loads(two);
    run_state = RUN_STATE_RUNNING;
    g_assert_cmphex(promised("test.at-least"), ==, 2);
    contract_reset();
    g_assert_cmphex(promised("test.at-least"), ==, 5);
    run_state = RUN_STATE_PRELAUNCH;
}

/* What came is a level of 0 if none came. */
static void test_ratchet_missing(void)
{
    GByteArray *data = entries_but(1, "", 0);
    g_autoptr(GByteArray) section = NULL;

    for (unsigned i = 2; i < ARRAY_SIZE(good); i++) {
        contract_append_entry(data, good[i].name, good[i].value);
    }
    section = section_with(data);
    assert_loads(section);
    assert_saves(section_but("test.at-least", 0));
    contract_reset();
}

/* Adopting */

static void test_adopted(void)
{
    g_autoptr(GByteArray) other = section_but("test.depends", 0x40);
    g_autoptr(GByteArray) refused = section_but("test.exact", 4);
    unsigned before, loads;

    load_good();
    before = adoptions;
    assert_refused(refused, 1, "guest-abi: incoming VM has 'test.exact' = 0x4, "
                   "this VM has 0x5 (rule: exact)" REMEDY);
    g_assert_cmpuint(adoptions, ==, before);
    assert_loads(other);
    g_assert_cmpuint(adoptions, ==, before + 1);
    /* A reset leaves a guest the CPU that it had. */
    contract_reset();
    assert_saves(section_but("test.depends", 0x40));
    load_good();
    loads = part_loads;
    adopted_error = "guest-abi: the kernel does not take it";
    assert_refused(other, 1, adopted_error);
    adopted_error = NULL;
    g_assert_cmpuint(part_loads, ==, loads);
    assert_saves(section_but("", 0));
}

static void test_kept(void)
{
    g_autofree char *error = NULL, *part = NULL, *large = NULL, *none = NULL;
    g_autoptr(GByteArray) section = guest_abi_section(&error_abort);

    kept_error = "guest-abi: this VM is not what it was";
    g_assert_false(contract_can_save(&error));
    g_assert_cmpstr(error, ==, kept_error);
    kept_error = NULL;
    part_save_error = "guest-abi: no list";
    g_assert_false(contract_can_save(&part));
    g_assert_cmpstr(part, ==, part_save_error);
    part_save_error = NULL;
    /* One byte too many, and the most that goes */
    part_more = GUEST_ABI_MAX_SIZE - section->len + 1;
    g_assert_false(contract_can_save(&large));
    g_assert_cmpstr(large, ==, "guest-abi: this VM's contract with its guest "
                    "has 131073 bytes, more than the 131072 that can be sent");
    part_more--;
    g_assert_true(contract_can_save(&none));
    part_more = 0;
    g_assert_true(contract_can_save(&none));
    g_assert_null(none);
}

#ifdef CONFIG_TRACE_LOG
static void trace_all(void)
{
    g_autoptr(GByteArray) refused = section_but("test.exact", 4);

    g_assert_true(trace_init_backends());
    trace_enable_events("guest_abi_*");
    g_assert_true(qemu_set_log(LOG_TRACE, &error_abort));
    assert_saves(section_but("", 0));
    load_good();
    assert_refused(refused, 1, "guest-abi: incoming VM has 'test.exact' = 0x4, "
                   "this VM has 0x5 (rule: exact)" REMEDY);
}

static void test_traced(void)
{
    if (g_test_subprocess()) {
        trace_all();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(
        "*guest_abi_recorded this VM's contract has 3?? bytes\n"
        "*guest_abi_received an incoming contract has 3?? bytes\n"
        "*guest_abi_judged 10 entries, 2 parts: 0 misfits\n"
        "*guest_abi_adopted 10 entries, 2 parts\n"
        "*guest_abi_received an incoming contract has 3?? bytes\n"
        "*guest_abi_misfit test.exact\n"
        "*guest_abi_judged 10 entries, 2 parts: 1 misfits\n"
        "*guest_abi_refused guest-abi: incoming VM has 'test.exact' = 0x4, "
        "this VM has 0x5 (rule: exact)" REMEDY "\n*");
}
#endif

/* Parts */

static GByteArray *section_of_parts(bool own, const char *name, uint8_t flags)
{
    g_autoptr(GByteArray) data = entries_but(ARRAY_SIZE(good), "", 0);
    g_autoptr(GByteArray) bytes = bytes_of(part_bytes, sizeof(part_bytes));
    GByteArray *content = g_byte_array_new();

    contract_append_part(content, "entries", 0, data);
    if (own) {
        append_parts(content);
    }
    if (name) {
        contract_append_part(content, name, flags, bytes);
    }
    contract_prepend_size(content);
    return content;
}

static void test_unknown_part(void)
{
    g_autoptr(GByteArray) skippable = section_of_parts(true, "test.new", 1);
    g_autoptr(GByteArray) needed = section_of_parts(true, "test.new", 0);

    assert_loads(skippable);
    assert_refused(needed, 1, "guest-abi: incoming VM's contract has a part "
                   "'test.new', which this VM does not know and may not leave "
                   "out; use a QEMU, a machine type and a host that have it");
}

static void test_part(void)
{
    g_autoptr(GByteArray) section = section_of_parts(true, NULL, 0);
    g_autoptr(GByteArray) missing = section_of_parts(false, NULL, 0);
    unsigned checks = part_checks, loads = part_loads;

    assert_loads(section);
    g_assert_cmpuint(part_checks, ==, checks + 1);
    g_assert_cmpuint(part_loads, ==, loads + 1);
    part_error = "guest-abi: a part that does not fit";
    assert_refused(section, 1, part_error);
    part_error = NULL;
    assert_refused(missing, 1, "part is missing");
    /* What is refused is not loaded. */
    g_assert_cmpuint(part_loads, ==, loads + 1);
}

/* How a stream begins */

typedef struct Peeked {
    const char *bytes;
    unsigned size;
    unsigned next;
} Peeked;

static uint8_t peek(void *file, unsigned at)
{
    Peeked *peeked = file;

    /* As qemu_peek_byte() wants it: one after the other */
    g_assert_cmpuint(at, ==, peeked->next);
    peeked->next++;
    return at < peeked->size ? peeked->bytes[at] : 0;
}

static void test_stream_begin(void)
{
#define CONTRACT "\4\0\0\0\2\011guest-abi\0\0\0\0\0\0\0\1"
#define RAM "\1\0\0\0\2\3ram\0\0\0\0\0\0\0\4"
#define RETURN_PATH "\10\0\1\0\0"
#define PING "\10\0\2\0\4\0\0\0\1"
#define ADVISE "\10\0\3\0\020" "0123456789abcdef"
    static const struct {
        const char *bytes;
        unsigned size;
        bool otherwise, return_path;
    } cases[] = {
#define CASE(text, otherwise, return_path) \
        { text, sizeof(text) - 1, otherwise, return_path }
        CASE(CONTRACT, false, false),
        CASE(RETURN_PATH PING CONTRACT, false, true),
        CASE(PING ADVISE RETURN_PATH CONTRACT, false, true),
        CASE(RAM, true, false),
        CASE(RETURN_PATH PING ADVISE RAM, true, true),
        CASE(PING RAM CONTRACT, true, false),
        CASE("\4\0\0\0\2\011guest-abj", true, false),
        CASE("\4\0\0\0\2\010guest-ab", true, false),
        CASE("\4\0\0\0\2\012guest-abi2", true, false),
        CASE("\4\0\0\0\2\0", true, false),
        /* Damage is left to others: no section at all */
        CASE("", false, false),
        CASE("\0", false, false),
        CASE("\2" "x", false, false),
        CASE(RETURN_PATH "\377", false, true),
        CASE(RETURN_PATH, false, true),
        /* A command that is longer than any source's */
        CASE("\10\0\1\377\377", false, true),
#undef CASE
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        Peeked peeked = { cases[i].bytes, cases[i].size };
        GuestAbiStream stream = guest_abi_stream_begin(peek, &peeked);

        g_test_message("case %u", i);
        g_assert_true(stream.begins_otherwise == cases[i].otherwise);
        g_assert_true(stream.return_path == cases[i].return_path);
        g_assert_cmpuint(peeked.next, <, 2048);
    }
}

/* JSON */

static char *check_json(const char *json)
{
    QObject *object = qobject_from_json(json, &error_abort);
    Error *err = NULL;
    g_autoptr(GuestAbiIncoming) incoming =
        guest_abi_incoming_from_json(object, &err);
    g_autofree char *refusal = NULL;

    qobject_unref(object);
    g_assert_true(!incoming == !!err);
    if (incoming) {
        g_autoptr(GuestAbiVerdictList) verdicts = guest_abi_judge(incoming);

        guest_abi_verdict(verdicts, &err);
    }
    refusal = err ? g_strdup(error_get_pretty(err)) : NULL;
    error_free(err);
    return g_steal_pointer(&refusal);
}

/* What fits: all entries of @good, with the part */
static char *reply(const char *more_entries, const char *more_members)
{
    g_autoptr(GString) entries = g_string_new(NULL);

    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        g_string_append_printf(entries, "{\"name\": \"%s\", \"value\": %"
                               PRIu64 ", \"hex\": \"0x%" PRIx64 "\", "
                               "\"rule\": \"of a later QEMU\", "
                               "\"later\": [ 1 ]}, ", good[i].name,
                               good[i].value, good[i].value);
    }
    return g_strdup_printf("{\"machine\": \"test-machine\", \"migrated\": "
                           "true, %s \"entries\": [ %s%s {\"name\": "
                           "\"test.zero\", \"value\": 0} ], \"parts\": [ "
                           "{\"name\": \"test.part\", \"skippable\": false, "
                           "\"data\": \"AQD/\", \"names\": []} ]}",
                           more_members, entries->str, more_entries);
}

/* A reply as it is, with what a later QEMU may add */
static void test_json_reply(void)
{
    g_autofree char *plain = reply("", "");
    g_autofree char *later = reply("", "\"later\": {\"a\": null},");
    g_autofree char *whole = g_strdup_printf("{\"return\": %s, \"id\": 7}",
                                             later);

    g_assert_cmpstr(check_json(plain), ==, NULL);
    g_assert_cmpstr(check_json(later), ==, NULL);
    g_assert_cmpstr(check_json(whole), ==, NULL);
}

static void test_json_refused(void)
{
#define ENTRY(members) "{\"name\": \"test.unknown\", " members "},"
#define PRINTED "not as query-guest-abi printed it"
#define ROUNDED "; a program such as jq before 1.7 rounds large numbers: use " \
                "the reply as it came"
    static const struct {
        const char *entry, *refusal;
    } cases[] = {
        { ENTRY("\"value\": 18446744073709550592, "
                "\"hex\": \"0xfffffffffffffbff\""),
          "entry 'test.unknown' has 'value' = 0xfffffffffffffc00 and 'hex' = "
          "0xfffffffffffffbff, " PRINTED ROUNDED },
        { ENTRY("\"value\": 1152921504606846976, "
                "\"hex\": \"0x1000000000000001\""),
          "entry 'test.unknown' has 'value' = 0x1000000000000000 and 'hex' = "
          "0x1000000000000001, " PRINTED ROUNDED },
        /* Such as jq 1.6 makes of UINT64_MAX */
        { ENTRY("\"value\": 18446744073709552000, "
                "\"hex\": \"0xffffffffffffffff\""),
          "entry 'test.unknown' has a 'value' that is no 64-bit integer, "
          PRINTED },
        { ENTRY("\"value\": 0.5"), "entry 'test.unknown' has a 'value' that is "
          "no 64-bit integer, " PRINTED },
        { ENTRY("\"value\": \"1\""), "entry 'test.unknown' has no number "
          "'value'" },
        { ENTRY("\"rule\": \"exact\""), "entry 'test.unknown' has no number "
          "'value'" },
        { ENTRY("\"value\": 0, \"hex\": \"0\""), "entry 'test.unknown' has a "
          "'hex' that is no hexadecimal number, " PRINTED },
        { ENTRY("\"value\": 0, \"hex\": \"0x0 \""), "entry 'test.unknown' has "
          "a 'hex' that is no hexadecimal number, " PRINTED },
        { ENTRY("\"value\": 0, \"hex\": 0"), "entry 'test.unknown' has a "
          "'hex' that is no hexadecimal number, " PRINTED },
        { ENTRY("\"value\": 1, \"hex\": \"0x10000000000000001\""), "entry "
          "'test.unknown' has a 'hex' that is no hexadecimal number, "
          PRINTED },
        { "{\"value\": 0},", "an entry without a valid 'name' (1 to 63 visible "
          "ASCII characters)" },
        { "{\"name\": \"a b\", \"value\": 0},", "an entry without a valid "
          "'name' (1 to 63 visible ASCII characters)" },
        { "{\"name\": \"" LONGEST "x\", \"value\": 0},", "an entry without a "
          "valid 'name' (1 to 63 visible ASCII characters)" },
        { "1,", "an entry without a valid 'name' (1 to 63 visible ASCII "
          "characters)" },
        { "{\"name\": \"test.exact\", \"value\": 5},", "entry 'test.exact' "
          "comes twice" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *json = reply(cases[i].entry, "");
        g_autofree char *refusal = check_json(json);

        g_assert_cmpstr(refusal, ==, cases[i].refusal);
    }
}

static void test_json_none(void)
{
    static const struct {
        const char *json, *refusal;
    } cases[] = {
#define NONE "no list 'entries', so it is not what query-guest-abi returns"
        { "{}", NONE },
        { "[]", NONE },
        { "1", NONE },
        { "{\"return\": {}}", NONE },
        { "{\"return\": 1}", NONE },
        { "{\"entries\": {}}", NONE },
        { "{\"error\": {\"class\": \"GenericError\", \"desc\": \"\"}}",
          NONE },
        { "{\"entries\": [], \"parts\": [ 1 ]}", "a part without a text "
          "'name' or 'data'" },
        { "{\"entries\": [], \"parts\": [ {\"name\": \"a\"} ]}", "a part "
          "without a text 'name' or 'data'" },
        { "{\"entries\": [], \"parts\": [ {\"name\": \"a b\", \"data\": "
          "\"\"} ]}", "part 0 has no valid name (1 to 63 visible ASCII "
          "characters)" },
        { "{\"entries\": [], \"parts\": [ {\"name\": \"a\", \"data\": "
          "\"?\"} ]}", "Base64 data contains invalid characters" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *refusal = check_json(cases[i].json);

        g_assert_cmpstr(refusal, ==, cases[i].refusal);
    }
}

static void test_json_large_part(void)
{
    g_autofree uint8_t *zeros = g_malloc0(GUEST_ABI_MAX_SIZE + 1);

    for (unsigned more = 0; more < 2; more++) {
        g_autofree char *data = g_base64_encode(zeros,
                                                GUEST_ABI_MAX_SIZE + more);
        g_autofree char *json =
            g_strdup_printf("{\"entries\": [], \"parts\": [ {\"name\": "
                            "\"a\", \"data\": \"%s\"} ]}", data);
        g_autofree char *refusal = check_json(json);

        if (more) {
            g_assert_cmpstr(refusal, ==,
                            "a part of 131073 bytes (the most is 131072)");
        } else {
            g_assert_null(strstr(refusal, " bytes"));
        }
    }
}

static void test_json_machine(void)
{
    g_autofree char *json = g_strdup("{\"machine\": \"other\", "
                                     "\"entries\": []}");
    QObject *object = qobject_from_json(json, &error_abort);
    g_autoptr(GuestAbiIncoming) incoming =
        guest_abi_incoming_from_json(object, &error_abort);
    g_autofree char *refusal = contract_refusal(incoming, "machine");

    g_assert_cmpstr(refusal, ==, "guest-abi: incoming VM is a machine of type "
                    "'other', this one is 'test-machine'" REMEDY);
    qobject_unref(object);
}

int main(int argc, char **argv)
{
    contract_loader_init();
    module_call_init(MODULE_INIT_TRACE);
    g_test_init(&argc, &argv, NULL);

    tried = g_array_new(false, false, sizeof(GuestAbiValue));
    for (unsigned i = 0; i < ARRAY_SIZE(definitions); i++) {
        guest_abi_add(&definitions[i]);
    }
    guest_abi_add_part(&own_part);
    guest_abi_add_part(&empty_part);
    guest_abi_set_trial(trial);
    guest_abi_set_adopted(adopted);
    guest_abi_set_kept(kept);
    g_assert_false(guest_abi_is_migrated());
    /* No contract is expected by a VM that has none. */
    g_assert_true(guest_abi_check_received());
    guest_abi_migrate();
    guest_abi_migrate();
    g_assert_true(guest_abi_is_migrated());

    g_test_add_func("/guest-abi/definitions", test_definitions);
    g_test_add_func("/guest-abi/add-asserts", test_add_asserts);
    g_test_add_func("/guest-abi/rules", test_rules);
    g_test_add_func("/guest-abi/missing", test_missing);
    g_test_add_func("/guest-abi/names", test_names);
    g_test_add_func("/guest-abi/section/save", test_save);
    g_test_add_func("/guest-abi/section/size", test_size);
    g_test_add_func("/guest-abi/section/load-then-save", test_load_then_save);
    g_test_add_func("/guest-abi/section/truncated", test_truncated);
    g_test_add_func("/guest-abi/section/version", test_version);
    g_test_add_func("/guest-abi/section/too-large", test_section_size);
    g_test_add_func("/guest-abi/section/count", test_count);
    g_test_add_func("/guest-abi/section/part-count", test_part_count);
    g_test_add_func("/guest-abi/section/damaged", test_damaged);
    g_test_add_func("/guest-abi/section/long-name", test_long_name);
    g_test_add_func("/guest-abi/section/received", test_received);
    g_test_add_func("/guest-abi/misfits/all", test_all_misfits);
    g_test_add_func("/guest-abi/misfits/many", test_many_misfits);
    g_test_add_func("/guest-abi/trial/together", test_trial);
    g_test_add_func("/guest-abi/trial/fails", test_trial_fails);
    g_test_add_func("/guest-abi/trial/none", test_no_trial);
    g_test_add_func("/guest-abi/trial/same", test_same);
    g_test_add_func("/guest-abi/at-least/ratchet", test_ratchet);
    g_test_add_func("/guest-abi/at-least/reset", test_ratchet_reset);
    g_test_add_func("/guest-abi/at-least/missing", test_ratchet_missing);
    g_test_add_func("/guest-abi/adopted", test_adopted);
    g_test_add_func("/guest-abi/kept", test_kept);
#ifdef CONFIG_TRACE_LOG
    g_test_add_func("/guest-abi/traced", test_traced);
#endif
    g_test_add_func("/guest-abi/part/unknown", test_unknown_part);
    g_test_add_func("/guest-abi/part/known", test_part);
    g_test_add_func("/guest-abi/stream/begin", test_stream_begin);
    g_test_add_func("/guest-abi/json/reply", test_json_reply);
    g_test_add_func("/guest-abi/json/refused", test_json_refused);
    g_test_add_func("/guest-abi/json/none", test_json_none);
    g_test_add_func("/guest-abi/json/large-part", test_json_large_part);
    g_test_add_func("/guest-abi/json/machine", test_json_machine);
    return g_test_run();
}
