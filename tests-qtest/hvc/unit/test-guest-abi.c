/*
 * Unit tests of the contract: rules, trial, parts, texts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "trace/control.h"
#include "migration/qemu-compat.h"
#include "guest-abi-util.h"

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
    /* A text can be about other entries, too. */
    g_assert_cmphex(guest_abi_judged_value(definition->name), ==, incoming);
    g_assert_cmphex(guest_abi_judged_value("test.not-there"), ==, 0);
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

uint64_t live = 3;

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
    { .name = "test.nothing", .rule = GUEST_ABI_RULE_EXACT,
      .zero_is_absent = true },
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
        NULL,
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
                   "0xffffffffffffffff (rule: exact) (5) incoming "
                   "VM has 'test.live' = 0x0, this VM has 0x3 (rule: exact)"
                   REMEDY);
}

static const GuestAbiVerdict *verdict_of(const GuestAbiVerdictList *verdicts,
                                         const char *name)
{
    for (; verdicts; verdicts = verdicts->next) {
        if (!strcmp(verdicts->value->name, name)) {
            return verdicts->value;
        }
    }
    g_assert_not_reached();
}

/* For programs: what to do, without the reason */
static void test_remedy(void)
{
    static const uint64_t wrong = 4, own_words = 1;
    g_autoptr(GuestAbiIncoming) incoming = contract_own_but("test.exact",
                                                            &wrong);
    g_autoptr(GuestAbiIncoming) other = contract_own_but("test.own-words",
                                                         &own_words);
    g_autoptr(GuestAbiVerdictList) verdicts = guest_abi_judge(incoming);
    g_autoptr(GuestAbiVerdictList) others = guest_abi_judge(other);
    const GuestAbiVerdict *verdict = verdict_of(verdicts, "test.exact");

    g_assert_cmpstr(verdict->remedy, ==, REMEDY + strlen("; "));
    g_assert_true(g_str_has_suffix(verdict->error, REMEDY));
    g_assert_null(verdict_of(verdicts, "test.live")->remedy);
    /* A text that does not say what to do */
    verdict = verdict_of(others, "test.own-words");
    g_assert_cmpstr(verdict->error, ==, "own words: 1 is not 7");
    g_assert_null(verdict->remedy);
}

/* What is 0 is not sent, and what did not come is 0. */
static void test_zero_is_absent(void)
{
    g_autoptr(GuestAbiIncoming) incoming = contract_own_but("", NULL);

    g_assert_false(guest_abi_is_needed(
        guest_abi_definition_by_name("test.nothing")));
    g_assert_null(guest_abi_incoming_value(incoming, "test.nothing"));
    for (uint64_t value = 0; value < 2; value++) {
        g_autoptr(GuestAbiIncoming) came = contract_own_but("", NULL);
        g_autofree char *refusal = NULL;

        guest_abi_incoming_add(came, "test.nothing", value, &error_abort);
        refusal = contract_refusal(came, "test.nothing");
        g_assert_cmpstr(refusal, ==, value ?
                        "guest-abi: incoming VM has 'test.nothing' = 0x1, this "
                        "VM has 0x0 (rule: exact)" REMEDY : NULL);
    }
}

/* However many they are, the text has an end. */
static void test_many_misfits(void)
{
    GByteArray *data = entries_but(GOOD_SIZE, "", 0);
    g_autoptr(GByteArray) section = NULL;
    g_auto(Loading) loading = { };

    for (unsigned i = GOOD_SIZE; i < GUEST_ABI_MAX_ENTRIES; i++) {
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
/* Names in a text that ends */
static void test_some_names(void)
{
    GuestAbiNames names = { .most = 2 };
    g_autofree char *none = guest_abi_names_end(&names);
    g_autofree char *two = NULL, *four = NULL;

    g_assert_null(none);
    g_assert_true(guest_abi_names_add(&names, "'%s'", "a"));
    g_assert_true(guest_abi_names_add(&names, "bit %u", 7));
    two = guest_abi_names_end(&names);
    g_assert_cmpstr(two, ==, "'a', bit 7");

    names = (GuestAbiNames) { .most = 2 };
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmpint(guest_abi_names_add(&names, "%u", i), ==, i < 2);
    }
    four = guest_abi_names_end(&names);
    g_assert_cmpstr(four, ==, "0, 1 and 2 more");
}

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

    for (unsigned i = 2; i < GOOD_SIZE; i++) {
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
    g_autoptr(GByteArray) data = entries_but(GOOD_SIZE, "", 0);
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
    guest_abi_add_section_tests();
    g_test_add_func("/guest-abi/misfits/all", test_all_misfits);
    g_test_add_func("/guest-abi/misfits/many", test_many_misfits);
    g_test_add_func("/guest-abi/misfits/remedy", test_remedy);
    g_test_add_func("/guest-abi/misfits/some-names", test_some_names);
    g_test_add_func("/guest-abi/zero-is-absent", test_zero_is_absent);
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
    guest_abi_add_json_tests();
    return g_test_run();
}
