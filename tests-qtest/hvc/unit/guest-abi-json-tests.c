/*
 * Unit tests of a contract in JSON, and of how a stream begins
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "migration/guest-abi-stream.h"
#include "migration/qemu-compat.h"
#include "guest-abi-util.h"

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

    for (unsigned i = 0; i < GOOD_SIZE; i++) {
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

void guest_abi_add_json_tests(void)
{
    g_test_add_func("/guest-abi/stream/begin", test_stream_begin);
    g_test_add_func("/guest-abi/json/reply", test_json_reply);
    g_test_add_func("/guest-abi/json/refused", test_json_refused);
    g_test_add_func("/guest-abi/json/none", test_json_none);
    g_test_add_func("/guest-abi/json/large-part", test_json_large_part);
    g_test_add_func("/guest-abi/json/machine", test_json_machine);
}
