/*
 * Unit tests of the contract's rules, texts and section
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "migration/guest-abi.h"
#include "../fake/contract-loader.h"

#define ENTRY_SIZE (GUEST_ABI_NAME_SIZE + 8)

#define LONGEST "test.a-name-of-thirty-one-chars"
QEMU_BUILD_BUG_ON(sizeof(LONGEST) != GUEST_ABI_NAME_SIZE);

static void refuse_exact(const GuestAbiDefinition *definition,
                         uint64_t incoming, Error **errp)
{
    g_assert_cmpstr(definition->name, ==, "test.own-words");
    g_assert_cmpstr(definition->opaque, ==, "opaque");
    error_setg(errp, "own words: %" PRIu64 " is not %" PRIu64, incoming,
               definition->value);
}

/* This side's contract in all tests */
static const GuestAbiDefinition definitions[] = {
    { .name = "test.exact", .rule = GUEST_ABI_RULE_EXACT, .value = 5 },
    { .name = "test.at-least", .rule = GUEST_ABI_RULE_AT_LEAST, .value = 5 },
    { .name = "test.subset", .rule = GUEST_ABI_RULE_SUBSET, .value = 0xa },
    { .name = "test.own-words", .rule = GUEST_ABI_RULE_EXACT, .value = 7,
      .refuse = refuse_exact, .opaque = "opaque" },
    { .name = LONGEST, .rule = GUEST_ABI_RULE_EXACT, .value = UINT64_MAX },
};

/* A contract that fits. */
static const GuestAbiValue good[] = {
    { "test.exact", 5 },
    { "test.at-least", 5 },
    { "test.subset", 0xa },
    { "test.own-words", 7 },
    { LONGEST, UINT64_MAX },
};

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
      "that have it, or start the VM anew" },
    /* Names are compared whole, and by case. */
    { "test.exac", 5, "guest-abi: incoming VM has 'test.exac' = 0x5, which "
      "this VM does not know; use a QEMU, a machine type and a host that "
      "have it, or start the VM anew" },
    { "test.exact2", 5, "guest-abi: incoming VM has 'test.exact2' = 0x5, "
      "which this VM does not know; use a QEMU, a machine type and a host "
      "that have it, or start the VM anew" },
    { "Test.exact", 5, "guest-abi: incoming VM has 'Test.exact' = 0x5, which "
      "this VM does not know; use a QEMU, a machine type and a host that "
      "have it, or start the VM anew" },
};

/* Leaves @err as it has to be for the next call. */
static void assert_error(bool ok, Error **err, const char *refusal)
{
    g_assert_true(ok == !refusal);
    g_assert_true(ok == !*err);
    if (*err) {
        g_assert_cmpstr(error_get_pretty(*err), ==, refusal);
    }
    g_clear_pointer(err, error_free);
}

static void test_rules(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
        GuestAbiValue value = { .value = rules[i].value };
        Error *err = NULL;

        g_test_message("%s = 0x%" PRIx64, rules[i].name, rules[i].value);
        pstrcpy(value.name, sizeof(value.name), rules[i].name);
        assert_error(guest_abi_check_entry(&value, 0, &err), &err,
                     rules[i].refusal);
    }
}

static void test_duplicate(void)
{
    const GuestAbiValue values[] = {
        { "test.exact", 5 }, { "test.unknown", 0 }, { "test.exact", 5 },
        { "test.unknown", 0 }, { "test.exact", 5 },
    };
    static const char *const refusals[] = {
        NULL, NULL,
        "guest-abi: 'test.exact' comes twice; the contract is damaged",
        "guest-abi: 'test.unknown' comes twice; the contract is damaged",
        "guest-abi: 'test.exact' comes twice; the contract is damaged",
    };

    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        Error *err = NULL;

        assert_error(guest_abi_check_entry(values, i, &err), &err,
                     refusals[i]);
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
    };

    for (unsigned i = 0; i < ARRAY_SIZE(definitions); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);
        Error *err = NULL;

        assert_error(guest_abi_check_missing(definition, NULL, 0, &err), &err,
                     refusals[i]);
        /* Whatever its value is, it is not missing. */
        assert_error(guest_abi_check_missing(definition, good,
                                             ARRAY_SIZE(good), &err),
                     &err, NULL);
        assert_error(guest_abi_check_missing(definition, good, i, &err), &err,
                     refusals[i]);
    }
}

static void test_definitions(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(definitions); i++) {
        const GuestAbiDefinition *definition = guest_abi_definition(i);

        g_assert_nonnull(definition);
        g_assert_cmpstr(definition->name, ==, definitions[i].name);
        g_assert_cmphex(definition->value, ==, definitions[i].value);
        g_assert_cmpint(definition->rule, ==, definitions[i].rule);
    }
    g_assert_null(guest_abi_definition(ARRAY_SIZE(definitions)));
    g_assert_null(guest_abi_definition(UINT_MAX));
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

/* Mistakes of a programmer */
static void test_add_asserts(void)
{
    static void (*const mistakes[])(void) = {
        add_again, add_long_name, add_too_many,
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
        const char name[GUEST_ABI_NAME_SIZE];
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
    };
    char name[GUEST_ABI_NAME_SIZE];

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        g_assert_true(guest_abi_name_is_valid(names[i].name) ==
                      names[i].valid);
    }
    memset(name, 'a', sizeof(name));
    g_assert_false(guest_abi_name_is_valid(name));
}

/* The section's content */

static GByteArray *content(const GuestAbiValue *values, unsigned count)
{
    GByteArray *bytes = g_byte_array_new();
    uint8_t number = count;

    g_byte_array_append(bytes, &number, 1);
    for (unsigned i = 0; i < count; i++) {
        uint64_t value = cpu_to_be64(values[i].value);

        g_byte_array_append(bytes, (const guint8 *)values[i].name,
                            GUEST_ABI_NAME_SIZE);
        g_byte_array_append(bytes, (const guint8 *)&value, sizeof(value));
    }
    return bytes;
}

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

static void test_save(void)
{
    g_autoptr(GByteArray) saved = contract_save();
    g_autoptr(GByteArray) expected = content(good, ARRAY_SIZE(good));

    g_assert_cmpmem(saved->data, saved->len, expected->data, expected->len);
    assert_loads(saved);
}

/* Padding: no byte of a longer name is left over from an earlier save. */
static void test_load_then_save(void)
{
    g_autoptr(GByteArray) first = contract_save();
    g_autoptr(GByteArray) reversed = g_byte_array_new();
    g_autoptr(GByteArray) second = NULL;

    g_byte_array_append(reversed, first->data, 1);
    for (int i = ARRAY_SIZE(good) - 1; i >= 0; i--) {
        g_byte_array_append(reversed, first->data + 1 + i * ENTRY_SIZE,
                            ENTRY_SIZE);
    }
    assert_loads(reversed);
    second = contract_save();
    g_assert_cmpmem(first->data, first->len, second->data, second->len);
}

static void test_truncated(void)
{
    g_autoptr(GByteArray) bytes = contract_save();

    for (unsigned size = 0; size < bytes->len; size++) {
        g_auto(Loading) loading = contract_load(bytes->data, size, 1);

        g_assert_false(loading.loaded);
        g_assert_cmpstr(loading.refusal, ==, NULL);
    }
}

static void test_version(void)
{
    g_autoptr(GByteArray) bytes = contract_save();

    assert_refused(bytes, 0, NULL);
    assert_refused(bytes, 2, NULL);
    assert_refused(bytes, UINT32_MAX, NULL);
}

static void test_count(void)
{
    GuestAbiValue values[GUEST_ABI_MAX_ENTRIES + 1] = { };
    g_autoptr(GByteArray) most = NULL;
    g_autoptr(GByteArray) too_many = NULL;
    g_autoptr(GByteArray) none = NULL;

    memcpy(values, good, sizeof(good));
    for (unsigned i = ARRAY_SIZE(good); i < ARRAY_SIZE(values); i++) {
        g_autofree char *name = g_strdup_printf("test.unknown-%u", i);

        pstrcpy(values[i].name, sizeof(values[i].name), name);
    }
    most = content(values, GUEST_ABI_MAX_ENTRIES);
    assert_loads(most);
    too_many = content(values, GUEST_ABI_MAX_ENTRIES + 1);
    assert_refused(too_many, 1, NULL);
    too_many->data[0] = 255;
    assert_refused(too_many, 1, NULL);
    none = content(values, 0);
    assert_refused(none, 1, "guest-abi: incoming VM has 'test.exact' = 0x0, "
                   "this VM has 0x5 (rule: exact)" REMEDY);
}

static void test_bad_name(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        g_autoptr(GByteArray) bytes = contract_save();
        g_autofree char *refusal =
            g_strdup_printf("guest-abi: entry %u of the incoming contract "
                            "has no valid name; the stream is damaged", i);
        uint8_t *name = bytes->data + 1 + i * ENTRY_SIZE;

        name[3] = '\n';
        assert_refused(bytes, 1, refusal);
        memset(name, 'a', GUEST_ABI_NAME_SIZE);
        assert_refused(bytes, 1, refusal);
        memset(name, 0, GUEST_ABI_NAME_SIZE);
        assert_refused(bytes, 1, refusal);
    }
}

/* A damaged name is reported before any value is looked at. */
static void test_bad_name_first(void)
{
    g_autoptr(GByteArray) bytes = contract_save();

    bytes->data[ENTRY_SIZE] ^= 1;
    bytes->data[1 + 4 * ENTRY_SIZE] = 0;
    assert_refused(bytes, 1, "guest-abi: entry 4 of the incoming contract "
                   "has no valid name; the stream is damaged");
}

static void test_received(void)
{
    g_autoptr(GByteArray) bytes = contract_save();

    assert_loads(bytes);
    bytes->data[ENTRY_SIZE] ^= 1;
    assert_refused(bytes, 1, "guest-abi: incoming VM has 'test.exact' = 0x4, "
                   "this VM has 0x5 (rule: exact)" REMEDY);
    bytes->data[ENTRY_SIZE] ^= 1;
    assert_loads(bytes);
}

int main(int argc, char **argv)
{
    contract_loader_init();
    g_test_init(&argc, &argv, NULL);

    for (unsigned i = 0; i < ARRAY_SIZE(definitions); i++) {
        guest_abi_add(&definitions[i]);
    }
    g_assert_false(guest_abi_is_migrated());
    /* No contract is expected by a VM that has none. */
    g_assert_true(guest_abi_check_received());
    guest_abi_migrate();
    guest_abi_migrate();
    g_assert_true(guest_abi_is_migrated());

    g_test_add_func("/guest-abi/definitions", test_definitions);
    g_test_add_func("/guest-abi/add-asserts", test_add_asserts);
    g_test_add_func("/guest-abi/rules", test_rules);
    g_test_add_func("/guest-abi/duplicate", test_duplicate);
    g_test_add_func("/guest-abi/missing", test_missing);
    g_test_add_func("/guest-abi/names", test_names);
    g_test_add_func("/guest-abi/section/save", test_save);
    g_test_add_func("/guest-abi/section/load-then-save", test_load_then_save);
    g_test_add_func("/guest-abi/section/truncated", test_truncated);
    g_test_add_func("/guest-abi/section/version", test_version);
    g_test_add_func("/guest-abi/section/count", test_count);
    g_test_add_func("/guest-abi/section/bad-name", test_bad_name);
    g_test_add_func("/guest-abi/section/bad-name-first", test_bad_name_first);
    g_test_add_func("/guest-abi/section/received", test_received);
    return g_test_run();
}
