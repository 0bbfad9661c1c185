/*
 * Fuzzer of the contract's section, of check-guest-abi, and of the XSAVE
 * components of an incoming x86 vCPU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Built with a fuzzing engine (FUZZ_ENGINE), LLVMFuzzerTestOneInput() is its
 * target. Without one, main() mutates the seeds, with random numbers that are
 * the same in each run.
 *
 * An input is a letter and what follows it:
 *
 *   s   a section's content, as in a stream
 *   v   the same, behind a byte with the section's version
 *   q   the arguments of check-guest-abi, as read_value() reads them; not JSON,
 *       as QEMU's JSON parser leaks memory and is not under test
 *   x   a vCPU's XSAVE components and those of a VM, see fuzz_xsave()
 *
 * A run fails, besides for what a sanitizer finds, if a contract is accepted
 * that valid_contract() refuses, or the other way round. valid_contract() has
 * nothing in common with the code under test.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-guest-abi.h"
#include "qobject/qbool.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnull.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "qemu/error-report.h"
#include "migration/guest-abi.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "target/i386/xsave-check.h"
#include "../fake/contract-loader.h"
#include "fuzz-guest-abi.h"

#define NAME_SIZE  GUEST_ABI_NAME_SIZE
#define ENTRY_SIZE (NAME_SIZE + 8)
#define ENTRIES    GUEST_ABI_MAX_ENTRIES

/* Stand-ins for functions that migration/guest-abi-qmp.c calls */

int monitor_printf(Monitor *mon, const char *fmt, ...)
{
    return 0;
}

void monitor_register_hmp(const char *name, bool info,
                          void (*cmd)(Monitor *mon, const QDict *qdict))
{
}

const char *guest_abi_machine_type(void)
{
    return "fuzz";
}

/* The destination's contract: each rule, and two names of Arm's contract */
static const GuestAbiDefinition definitions[] = {
    { .name = "arm.std-bmap", .rule = GUEST_ABI_RULE_EXACT, .value = 1 },
    { .name = "arm.psci-version", .rule = GUEST_ABI_RULE_EXACT,
      .value = 0x10001 },
    { .name = "t.level", .rule = GUEST_ABI_RULE_AT_LEAST, .value = 2 },
    { .name = "t.mask", .rule = GUEST_ABI_RULE_SUBSET,
      .value = 0x8000000000000007 },
};

typedef struct Entry {
    char name[NAME_SIZE];
    uint64_t value;
} Entry;

static const Entry *find_entry(const Entry *entry, unsigned count,
                               const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (!strcmp(entry[i].name, name)) {
            return &entry[i];
        }
    }
    return NULL;
}

static bool valid_name(const char *name)
{
    unsigned i;

    for (i = 0; i < NAME_SIZE && name[i]; i++) {
        if (name[i] < 0x21 || name[i] > 0x7e) {
            return false;
        }
    }
    return i > 0 && i < NAME_SIZE;
}

/* Does a contract fit definitions[]? Each rule is here once more. */
static bool valid_contract(const Entry *entry, unsigned count)
{
    static const char *const known[] = {
        "arm.std-bmap", "arm.psci-version", "t.level", "t.mask",
    };
    const Entry *found[ARRAY_SIZE(known)];
    unsigned others = 0;

    if (count > ENTRIES) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!valid_name(entry[i].name) ||
            find_entry(entry, i, entry[i].name)) {
            return false;
        }
        others += !!entry[i].value;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        found[i] = find_entry(entry, count, known[i]);
        others -= found[i] && found[i]->value;
    }
    return !others &&
           found[0] && found[0]->value == 1 &&
           found[1] && found[1]->value == 65537 &&
           (!found[2] || found[2]->value == 0 || found[2]->value == 1 ||
            found[2]->value == 2) &&
           (!found[3] ||
            (found[3]->value & 0x7ffffffffffffff8) == 0);
}

/* Read a section's entries; false if the section is damaged. */
static bool parse_section(const uint8_t *data, size_t size, Entry *entry,
                          unsigned *count)
{
    *count = size ? data[0] : 0;
    /* QEMU needs the byte behind the last entry: footer or subsection. */
    if (!size || *count > ENTRIES || size <= 1 + *count * ENTRY_SIZE) {
        return false;
    }
    for (unsigned i = 0; i < *count; i++) {
        const uint8_t *at = data + 1 + i * ENTRY_SIZE;

        memcpy(entry[i].name, at, NAME_SIZE);
        entry[i].value = 0;
        for (unsigned j = 0; j < 8; j++) {
            entry[i].value = entry[i].value << 8 | at[NAME_SIZE + j];
        }
    }
    return true;
}

static void fuzz_section(const uint8_t *data, size_t size, unsigned version)
{
    g_auto(Loading) loading = contract_load(data, size, version);
    Entry entry[ENTRIES];
    unsigned count = 0;
    bool valid = version == 1 && parse_section(data, size, entry, &count) &&
                 valid_contract(entry, count);

    if (loading.loaded) {
        g_assert_true(valid);
        g_assert_cmpuint(loading.consumed, ==, 1 + count * ENTRY_SIZE);
        g_assert_null(loading.refusal);
        g_assert_true(guest_abi_check_received());
    } else if (valid) {
        /* A valid section is refused only if no footer follows. */
        g_assert_cmphex(data[1 + count * ENTRY_SIZE], !=, CONTRACT_FOOTER);
    }
    /* A name must not bring newlines or escapes into a text for people. */
    for (const char *at = loading.refusal; at && *at; at++) {
        g_assert_true(*at >= 0x20 && *at < 0x7f);
    }
}

/* Read the command's entries; false if QMP has to refuse the arguments. */
static bool parse_arguments(QDict *arguments, Entry *entry, unsigned *count)
{
    QList *list = qobject_to(QList, qdict_get(arguments, "entries"));
    QListEntry *at;

    *count = 0;
    if (!list) {
        return false;
    }
    QLIST_FOREACH_ENTRY(list, at) {
        QDict *given = qobject_to(QDict, qlist_entry_obj(at));
        QString *name = given ? qobject_to(QString, qdict_get(given, "name"))
                              : NULL;
        QNum *value = given ? qobject_to(QNum, qdict_get(given, "value"))
                            : NULL;
        Entry *e = &entry[*count];
        int64_t negative;

        if (*count == ENTRIES || !name || !value) {
            return false;
        }
        /* QMP reads a negative number as its two's complement. */
        if (qnum_get_try_int(value, &negative)) {
            e->value = negative;
        } else if (!qnum_get_try_uint(value, &e->value)) {
            return false;
        }
        if (strlen(qstring_get_str(name)) >= NAME_SIZE) {
            return false;
        }
        memset(e->name, 0, sizeof(e->name));
        memcpy(e->name, qstring_get_str(name),
               strlen(qstring_get_str(name)));
        if (!valid_name(e->name)) {
            return false;
        }
        ++*count;
    }
    return true;
}

typedef struct Reader {
    const uint8_t *data;
    size_t size;
    unsigned depth;
} Reader;

/* The next bytes of the input as a number; zeros follow its end. */
static uint64_t read_number(Reader *reader, unsigned bytes)
{
    uint64_t number = 0;

    while (bytes--) {
        number = number << 8 | (reader->size ? *reader->data : 0);
        if (reader->size) {
            reader->data++;
            reader->size--;
        }
    }
    return number;
}

static char *read_text(Reader *reader)
{
    size_t size = MIN(read_number(reader, 1), reader->size);
    char *text = g_strndup((const char *)reader->data, size);

    reader->data += size;
    reader->size -= size;
    return text;
}

static QObject *read_value(Reader *reader);

static QObject *read_list(Reader *reader)
{
    unsigned count = read_number(reader, 1);
    QList *list = qlist_new();

    while (count-- && reader->size) {
        qlist_append_obj(list, read_value(reader));
    }
    return QOBJECT(list);
}

static QObject *read_dict(Reader *reader)
{
    unsigned count = read_number(reader, 1);
    QDict *dict = qdict_new();

    while (count-- && reader->size) {
        g_autofree char *key = read_text(reader);

        qdict_put_obj(dict, key, read_value(reader));
    }
    return QOBJECT(dict);
}

/* Read a JSON value: a letter for its type, and the value. */
static QObject *read_value(Reader *reader)
{
    g_autofree char *text = NULL;
    QObject *value;

    if (reader->depth == 8) {
        return QOBJECT(qnull());
    }
    reader->depth++;
    switch (read_number(reader, 1)) {
    case 'i':
        value = QOBJECT(qnum_from_int(read_number(reader, 8)));
        break;
    case 'u':
        value = QOBJECT(qnum_from_uint(read_number(reader, 8)));
        break;
    case 'f':
        value = QOBJECT(qnum_from_double(read_number(reader, 4) / 16.0));
        break;
    case 'b':
        value = QOBJECT(qbool_from_bool(read_number(reader, 1) & 1));
        break;
    case 's':
        text = read_text(reader);
        value = QOBJECT(qstring_from_str(text));
        break;
    case 'l':
        value = read_list(reader);
        break;
    case 'd':
        value = read_dict(reader);
        break;
    default:
        value = QOBJECT(qnull());
        break;
    }
    reader->depth--;
    return value;
}

static void fuzz_check(const uint8_t *data, size_t size)
{
    Reader reader = { data, size };
    QObject *input = read_value(&reader);
    QDict *arguments = qobject_to(QDict, input);
    QObject *answer = NULL;
    Error *err = NULL;
    Entry entry[ENTRIES];
    unsigned count;

    if (!arguments) {
        qobject_unref(input);
        return;
    }
    qmp_marshal_check_guest_abi(arguments, &answer, &err);
    if (err) {
        g_assert_null(answer);
        error_free(err);
    } else {
        QListEntry *at;
        bool ok = true;

        /* QMP accepts an entry only if it has a name and a value. */
        g_assert_true(parse_arguments(arguments, entry, &count));
        QLIST_FOREACH_ENTRY(qobject_to(QList, answer), at) {
            QDict *verdict = qobject_to(QDict, qlist_entry_obj(at));

            ok &= qdict_get_bool(verdict, "ok");
            g_assert_true(qdict_get_bool(verdict, "ok") !=
                          qdict_haskey(verdict, "error"));
        }
        g_assert_true(ok == valid_contract(entry, count));
        qobject_unref(answer);
    }
    qobject_unref(input);
}

/*
 * error_report() of each refused input would print millions of lines.
 */
int error_vprintf(const char *fmt, va_list ap)
{
    return 0;
}

int error_vprintf_unless_qmp(const char *fmt, va_list ap)
{
    return 0;
}

/* Does XSETBV accept this value of XCR0? Intel SDM volume 1, 13.3 */
static bool possible_xcr0(uint64_t xcr0)
{
    unsigned mpx = xcr0 >> 3 & 3;
    unsigned avx512 = xcr0 >> 5 & 7;
    unsigned amx = xcr0 >> 17 & 3;

    return xcr0 % 2 == 1 && (xcr0 >> 1 & 3) != 2 && (mpx == 0 || mpx == 3) &&
           (avx512 == 0 || (avx512 == 7 && (xcr0 & 4) == 4)) &&
           (amx == 0 || amx == 3);
}

/* A refusal is one line without escapes, and begins with @prefix. */
static void check_text(const Error *err, const char *prefix)
{
    const char *text = err ? error_get_pretty(err) : prefix;

    g_assert_true(g_str_has_prefix(text, prefix));
    g_assert_cmpuint(strlen(text), <, 1024);
    for (const char *at = text; *at; at++) {
        g_assert_true(*at >= 0x20 && *at < 0x7f);
    }
}

/* The refusal of the contract's entries of XSAVE components */
static void fuzz_refusal(const XsaveRegister *reg, uint64_t incoming,
                         uint64_t exposed, uint64_t host)
{
    Error *err = NULL;

    if (incoming & ~exposed) {
        xsave_refuse_exposed(reg, incoming, exposed, host, &err);
        g_assert_nonnull(err);
        check_text(err, "guest-abi:");
        error_free(err);
    }
}

/*
 * The input is XSTATE_BV, XCR0 and XSS of the vCPU, XCR0 and XSS of the VM and
 * of the host, and a byte of flags. Bit by bit: a component that is dropped is
 * one that the guest does not have, and a refusal has a reason.
 */
static void fuzz_xsave(const uint8_t *data, size_t size)
{
    Reader reader = { .data = data, .size = size };
    uint64_t word[7];
    XsaveState state;
    XsaveLimits limits;
    uint64_t kept = 0, expected = 0;
    Error *err = NULL;
    bool fits = true;

    for (unsigned i = 0; i < ARRAY_SIZE(word); i++) {
        word[i] = read_number(&reader, 8);
    }
    state = (XsaveState) {
        .xstate_bv = word[0], .xcr0 = word[1], .xss = word[2],
    };
    limits = (XsaveLimits) {
        .xcr0 = word[3], .xss = word[4], .host_xcr0 = word[5],
        .host_xss = word[6],
    };
    word[0] = read_number(&reader, 1);
    state.pke = word[0] & 1;
    limits.pku = word[0] & 2;
    state.osxsave = word[0] & 4;
    fits &= possible_xcr0(state.xcr0);
    fits &= limits.xcr0 || !state.osxsave;
    for (unsigned bit = 0; bit < 64; bit++) {
        bool user = bit < 8 || bit == 9 || (bit >= 17 && bit <= 19);
        bool supervisor = bit == 8 || (bit >= 10 && bit <= 16);
        bool content = state.xstate_bv >> bit & 1;
        bool enabled = state.xcr0 >> bit & 1;
        bool in_xcr0 = limits.xcr0 >> bit & 1;
        bool exposed = bit < 2 || in_xcr0 || (bit == 9 && limits.pku);
        bool loadable = bit < 2 || (limits.host_xcr0 >> bit & 1);

        fits &= user || !(content || enabled);
        fits &= in_xcr0 || !enabled || state.xcr0 == 1;
        fits &= exposed || bit != 9 || !state.pke;
        fits &= loadable || !(enabled || (content && exposed));
        fits &= !(state.xss >> bit & 1) ||
                (supervisor && (limits.xss & limits.host_xss) >> bit & 1);
        expected |= (uint64_t)(content && exposed) << bit;
    }
    g_assert_true(xsave_check(&state, &limits, &kept, &err) == fits);
    g_assert_true(fits == !err);
    g_assert_cmphex(kept, ==, expected);
    check_text(err, "xsave:");
    error_free(err);
    fuzz_refusal(&xsave_xcr0, state.xcr0, limits.xcr0, limits.host_xcr0);
    fuzz_refusal(&xsave_xss, state.xss, limits.xss, limits.host_xss);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    contract_loader_init();
    for (unsigned i = 0; i < ARRAY_SIZE(definitions); i++) {
        guest_abi_add(&definitions[i]);
    }
    guest_abi_migrate();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    switch (size ? data[0] : 0) {
    case 's':
        fuzz_section(data + 1, size - 1, 1);
        break;
    case 'v':
        if (size > 1) {
            fuzz_section(data + 2, size - 2, data[1]);
        }
        break;
    case 'q':
        fuzz_check(data + 1, size - 1);
        break;
    case 'x':
        fuzz_xsave(data + 1, size - 1);
        break;
    }
    return 0;
}

#ifndef FUZZ_ENGINE

#define INPUT_MAX 4096
#define MUTATIONS_MAX 6

static GPtrArray *seeds;
static GByteArray *input;

static void read_seeds(const char *path)
{
    g_autoptr(GError) err = NULL;
    GDir *dir = g_dir_open(path, 0, &err);
    const char *name;

    g_assert_no_error(err);
    seeds = g_ptr_array_new();
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        char *data;
        gsize size;

        g_file_get_contents(file, &data, &size, &err);
        g_assert_no_error(err);
        g_ptr_array_add(seeds, g_byte_array_new_take((guint8 *)data, size));
    }
    g_dir_close(dir);
    g_assert_cmpuint(seeds->len, >, 0);
}

static const GByteArray *any_seed(GRand *rand)
{
    return g_ptr_array_index(seeds, g_rand_int_range(rand, 0, seeds->len));
}

static unsigned any(GRand *rand, unsigned end)
{
    return end ? g_rand_int_range(rand, 0, end) : 0;
}

static void insert(unsigned at, const uint8_t *data, unsigned size)
{
    g_autofree uint8_t *copy = g_memdup2(data, size);
    unsigned tail = input->len - at;

    g_byte_array_set_size(input, input->len + size);
    memmove(input->data + at + size, input->data + at, tail);
    memcpy(input->data + at, copy, size);
}

/* Bytes that have a meaning in sections or in values of read_value() */
static uint8_t any_byte(GRand *rand)
{
    static const uint8_t bytes[] = {
        0, 1, 2, 4, 5, 7, 31, 32, 33, 0x7e, 0x7f, 0x80, 0xff, 'i', 'u', 'f',
        'b', 's', 'l', 'd', 'n', 'a',
    };
    unsigned choice = any(rand, 2 * ARRAY_SIZE(bytes));

    return choice < ARRAY_SIZE(bytes) ? bytes[choice] : any(rand, 256);
}

static void mutate(GRand *rand)
{
    unsigned at = any(rand, input->len);
    unsigned size = any(rand, 2) ? 1 + any(rand, 8) : ENTRY_SIZE;
    /* The first entry is behind the letter and the number of entries. */
    unsigned entry = 2 + any(rand, 6) * ENTRY_SIZE;
    uint8_t byte = any_byte(rand);
    const GByteArray *other = any_seed(rand);

    size = MIN(size, input->len - at);
    switch (any(rand, 8)) {
    case 0:
        input->data[at] ^= 1 << any(rand, 8);
        break;
    case 1:
        input->data[at] = byte;
        break;
    case 2:
        insert(at, &byte, 1);
        break;
    case 3:
        insert(any(rand, input->len), input->data + at, size);
        break;
    case 4:
        g_byte_array_remove_range(input, at, size);
        break;
    case 5:
        g_byte_array_set_size(input, at);
        break;
    case 6:
        if (entry + ENTRY_SIZE <= input->len) {
            insert(entry, input->data + entry, ENTRY_SIZE);
            input->data[1]++;
        }
        break;
    case 7:
        at = any(rand, other->len);
        insert(any(rand, input->len), other->data + at,
               MIN(size, other->len - at));
        break;
    }
    if (!input->len || input->len > INPUT_MAX) {
        g_byte_array_set_size(input, 0);
        g_byte_array_append(input, other->data, other->len);
    }
}

/* SIGABRT: write the input that has led to the failure to a file. */
static void keep_input(int number)
{
    static const char text[] = "# the input is in fuzz-guest-abi.input\n";
    int fd = open("fuzz-guest-abi.input", O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (write(fd, input->data, input->len) == input->len &&
        write(STDOUT_FILENO, text, sizeof(text) - 1) > 0) {
        close(fd);
    }
}

/* usage: fuzz-guest-abi SECONDS SEEDS */
int main(int argc, char **argv)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261120);
    struct sigaction action = {
        .sa_handler = keep_input, .sa_flags = SA_RESETHAND,
    };
    int64_t end;
    uint64_t inputs = 0;

    g_assert_cmpint(argc, ==, 3);
    LLVMFuzzerInitialize(&argc, &argv);
    read_seeds(argv[2]);
    input = g_byte_array_new();
    sigaction(SIGABRT, &action, NULL);
    end = g_get_monotonic_time() + atoi(argv[1]) * G_USEC_PER_SEC;
    do {
        const GByteArray *seed = inputs < seeds->len ?
            g_ptr_array_index(seeds, inputs) : any_seed(rand);
        unsigned mutations = inputs < seeds->len ? 0
                                                 : 1 + any(rand,
                                                           MUTATIONS_MAX);

        g_byte_array_set_size(input, 0);
        g_byte_array_append(input, seed->data, seed->len);
        while (mutations--) {
            mutate(rand);
        }
        LLVMFuzzerTestOneInput(input->data, input->len);
        inputs++;
    } while (g_get_monotonic_time() < end);
    printf("# %" PRIu64 " inputs\n", inputs);
    g_byte_array_unref(input);
    for (unsigned i = 0; i < seeds->len; i++) {
        g_byte_array_unref(g_ptr_array_index(seeds, i));
    }
    g_ptr_array_unref(seeds);
    return 0;
}

#endif
