/*
 * Fuzzer of the contract's section, of check-guest-abi, of the XSAVE components
 * of an incoming x86 vCPU, and of the log of shared pages
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Built with a fuzzing engine (FUZZ_ENGINE), LLVMFuzzerTestOneInput() is its
 * target. Without one, main() mutates the seeds, with random numbers that are
 * the same in each run.
 *
 * An input is a letter and what follows it:
 *
 *   s   a section's content, as in a stream, with its size before it
 *   v   the same, behind a byte with the section's version
 *   q   the arguments of check-guest-abi, as read_value() reads them; not JSON,
 *       as QEMU's JSON parser leaks memory and is not under test
 *   x   a vCPU's XSAVE components and those of a VM, see fuzz_xsave()
 *   p   a log of shared pages, as in a stream
 *
 * A run fails, besides for what a sanitizer finds, if a contract is accepted
 * that valid_contract() refuses, or the other way round. valid_contract() has
 * nothing in common with the code under test.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qapi/qapi-commands-guest-abi.h"
#include "qobject/qbool.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnull.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "qemu/error-report.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "monitor/monitor-internal.h"
#include "migration/guest-abi-virtio.h"
#include "migration/shared-pages-log.h"
#include "target/i386/xsave-check.h"
#include "../fake/contract-loader.h"
#include "fuzz-guest-abi.h"

#define NAME_SIZE   64
#define ENTRIES     1024
#define PARTS       64
#define CONTENT_MAX (128 * 1024)

/* Stand-ins for functions that migration/guest-abi-qmp.c calls */

int monitor_printf(Monitor *mon, const char *fmt, ...)
{
    return 0;
}

bool hmp_handle_error(Monitor *mon, Error *err)
{
    return false;
}

QmpCommandList qmp_commands;

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
    { .name = "t.feature", .rule = GUEST_ABI_RULE_ACCEPTED, .value = 1 },
    { .name = "t.depends", .rule = GUEST_ABI_RULE_ACCEPTED, .value = 0x20 },
};

/* t.feature can be 0 or 1, and t.depends reads 0 without it. */
static bool trial(const GuestAbiValue *wanted, unsigned count, uint64_t *truth,
                  Error **errp)
{
    g_assert_cmpuint(count, ==, 2);
    g_assert_cmpstr(wanted[0].name, ==, "t.feature");
    g_assert_cmpstr(wanted[1].name, ==, "t.depends");
    truth[0] = wanted[0].value & 1;
    truth[1] = truth[0] ? wanted[1].value : 0;
    return true;
}

/* A NIC that offers USO, and one that the contract does not have */
#define OFFERED 0x01c0000000000000

GPtrArray *virtio_kernel_devices(void)
{
    GPtrArray *devices = g_ptr_array_new_with_free_func(
        virtio_kernel_device_free);

    for (unsigned i = 0; i < 2; i++) {
        VirtioKernelDevice *device = g_new0(VirtioKernelDevice, 1);

        device->path = g_strdup(i ? "user" : "net");
        device->type = g_strdup("virtio-net-pci");
        device->label = g_strdup("net0");
        device->driver = "virtio-net-device";
        device->backends = i ? 0 : 1;
        device->offered = OFFERED;
        g_ptr_array_add(devices, device);
    }
    return devices;
}

static void list_devices(void)
{
    guest_abi_list_virtio(NULL, GUEST_ABI_ORIGIN_DEFAULT);
}

static const GuestAbiLister lister = {
    .list = list_devices,
    .told = guest_abi_virtio_told,
    .forget = guest_abi_virtio_forget,
    .refuse_unknown = guest_abi_virtio_refuse_unknown,
};

static bool save_part(GByteArray *data, Error **errp)
{
    return true;
}

/* No part, or one whose first byte, if it has any, is 7 */
static bool check_part(const uint8_t *data, size_t size, Error **errp)
{
    if (!data || !size || data[0] == 7) {
        return true;
    }
    error_setg(errp, "guest-abi: t.part begins with %u", data[0]);
    return false;
}

static const GuestAbiPart part = {
    .name = "t.part", .save = save_part, .check = check_part,
};

typedef struct Entry {
    char name[NAME_SIZE];
    uint64_t value;
} Entry;

typedef struct Part {
    char name[NAME_SIZE];
    bool skippable;
    const uint8_t *data;
    size_t size;
} Part;

/* What an input says, as the oracle reads it */
typedef struct Contract {
    Entry entry[ENTRIES];
    Part part[PARTS];
    unsigned count;
    unsigned parts;
} Contract;

static const Entry *find_entry(const Contract *contract, unsigned count,
                               const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (!strcmp(contract->entry[i].name, name)) {
            return &contract->entry[i];
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

static bool valid_parts(const Contract *contract)
{
    for (unsigned i = 0; i < contract->parts; i++) {
        const Part *p = &contract->part[i];

        if (!valid_name(p->name)) {
            return false;
        }
        for (unsigned j = 0; j < i; j++) {
            if (!strcmp(p->name, contract->part[j].name)) {
                return false;
            }
        }
        if (!strcmp(p->name, "t.part")) {
            if (p->size && p->data[0] != 7) {
                return false;
            }
        } else if (!p->skippable) {
            return false;
        }
    }
    return true;
}

/* The oracle: what every entry has to be, written out. */
static bool valid_contract(const Contract *contract)
{
    static const char *const known[] = {
        "arm.std-bmap", "arm.psci-version", "t.level", "t.mask", "t.feature",
        "t.depends", "virtio.net", "virtio.user",
    };
    uint64_t value[ARRAY_SIZE(known)];
    unsigned others = 0;

    for (unsigned i = 0; i < contract->count; i++) {
        if (!valid_name(contract->entry[i].name) ||
            find_entry(contract, i, contract->entry[i].name)) {
            return false;
        }
        others += !!contract->entry[i].value;
        /* A device that is not there is missed, whatever it offers. */
        if (!memcmp(contract->entry[i].name, "virtio.", 7) &&
            strcmp(contract->entry[i].name, "virtio.net") &&
            strcmp(contract->entry[i].name, "virtio.user")) {
            return false;
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        const Entry *found = find_entry(contract, contract->count, known[i]);

        value[i] = found ? found->value : 0;
        others -= !!value[i];
    }
    return !others && valid_parts(contract) &&
           value[0] == 1 && value[1] == 65537 && value[2] <= 2 &&
           (value[3] & 0x7ffffffffffffff8) == 0 &&
           value[4] <= 1 && (value[4] == 1 || value[5] == 0) &&
           ((value[6] | value[7]) & 0xfe3fffffffffffff) == 0;
}

typedef struct Cursor {
    const uint8_t *at;
    size_t left;
} Cursor;

static bool big_endian(Cursor *cursor, unsigned bytes, uint64_t *number)
{
    *number = 0;
    if (cursor->left < bytes) {
        return false;
    }
    while (bytes--) {
        *number = *number << 8 | *cursor->at++;
        cursor->left--;
    }
    return true;
}

static bool counted_name(Cursor *cursor, char name[NAME_SIZE])
{
    uint64_t length;

    memset(name, 0, NAME_SIZE);
    if (!big_endian(cursor, 1, &length) || length >= NAME_SIZE ||
        cursor->left < length || memchr(cursor->at, 0, length)) {
        return false;
    }
    memcpy(name, cursor->at, length);
    cursor->at += length;
    cursor->left -= length;
    return true;
}

static bool parse_entries(Cursor cursor, Contract *contract)
{
    while (cursor.left) {
        Entry *e = &contract->entry[contract->count];

        if (contract->count == ENTRIES || !counted_name(&cursor, e->name) ||
            !big_endian(&cursor, 8, &e->value)) {
            return false;
        }
        contract->count++;
    }
    return true;
}

/* Reads a section as its format says; false if it is damaged. */
static bool parse_section(const uint8_t *data, size_t size, Contract *contract)
{
    Cursor cursor = { data, size };
    bool has_entries = false;
    uint64_t content;

    contract->count = contract->parts = 0;
    /* QEMU looks at the byte behind it. */
    if (!big_endian(&cursor, 4, &content) || content > CONTENT_MAX ||
        cursor.left <= content) {
        return false;
    }
    cursor.left = content;
    while (cursor.left) {
        uint64_t flags, length;
        Part p;

        if (!big_endian(&cursor, 1, &flags) || flags > 1 ||
            !counted_name(&cursor, p.name) ||
            !big_endian(&cursor, 4, &length) || length > cursor.left) {
            return false;
        }
        p.skippable = flags;
        p.data = cursor.at;
        p.size = length;
        cursor.at += length;
        cursor.left -= length;
        if (!strcmp(p.name, "entries")) {
            if (has_entries ||
                !parse_entries((Cursor) { p.data, p.size }, contract)) {
                return false;
            }
            has_entries = true;
        } else if (contract->parts == PARTS) {
            return false;
        } else {
            contract->part[contract->parts++] = p;
        }
    }
    return true;
}

static void fuzz_section(const uint8_t *data, size_t size, unsigned version)
{
    static Contract contract;
    g_auto(Loading) loading = contract_load(data, size, version);
    bool valid = version == 1 && parse_section(data, size, &contract) &&
                 valid_contract(&contract);

    if (loading.loaded) {
        g_assert_true(valid);
        g_assert_null(loading.refusal);
        g_assert_true(guest_abi_check_received());
    } else if (valid) {
        /* Something else than a footer follows: a subsection, say */
        Cursor cursor = { data, size };
        uint64_t content;

        g_assert_true(big_endian(&cursor, 4, &content));
        g_assert_cmphex(data[4 + content], !=, CONTRACT_FOOTER);
    }
    /* Texts go to people: a name must not bring its own lines, or escapes. */
    for (const char *at = loading.refusal; at && *at; at++) {
        g_assert_true(*at >= 0x20 && *at < 0x7f);
    }
    g_assert_true(!loading.refusal || strlen(loading.refusal) < 8192);
}

/* The number that a JSON entry has, as number and in hexadecimal */
static bool parse_value(const QDict *given, uint64_t *number)
{
    QNum *value = qobject_to(QNum, qdict_get(given, "value"));
    QString *hex = qobject_to(QString, qdict_get(given, "hex"));
    int64_t negative;

    /* QMP takes -1 for UINT64_MAX. */
    if (!value) {
        return false;
    }
    if (qnum_get_try_int(value, &negative)) {
        *number = negative;
    } else if (!qnum_get_try_uint(value, number)) {
        return false;
    }
    if (!qdict_haskey(given, "hex")) {
        return true;
    }
    return hex && g_str_has_prefix(qstring_get_str(hex), "0x") &&
           g_ascii_strtoull(qstring_get_str(hex), NULL, 16) == *number;
}

static QDict *without_reply(QDict *arguments)
{
    return qdict_haskey(arguments, "return") ?
           qobject_to(QDict, qdict_get(arguments, "return")) : arguments;
}

/* The entries that were given, or false if QMP had to refuse them */
static bool parse_arguments(QDict *arguments, Contract *contract)
{
    QDict *reply = without_reply(arguments);
    QList *list = reply ? qobject_to(QList, qdict_get(reply, "entries")) : NULL;
    QListEntry *at;

    contract->count = contract->parts = 0;
    if (!list) {
        return false;
    }
    QLIST_FOREACH_ENTRY(list, at) {
        QDict *given = qobject_to(QDict, qlist_entry_obj(at));
        QString *name = given ? qobject_to(QString, qdict_get(given, "name"))
                              : NULL;
        Entry *e = &contract->entry[contract->count];

        if (contract->count == ENTRIES || !name ||
            strlen(qstring_get_str(name)) >= NAME_SIZE ||
            !parse_value(given, &e->value)) {
            return false;
        }
        memset(e->name, 0, sizeof(e->name));
        memcpy(e->name, qstring_get_str(name),
               strlen(qstring_get_str(name)));
        if (!valid_name(e->name) ||
            find_entry(contract, contract->count, e->name)) {
            return false;
        }
        contract->count++;
    }
    return true;
}

/* Does the machine fit, and are there no parts? Those are in base64. */
static bool only_entries_count(QDict *arguments)
{
    QDict *reply = without_reply(arguments);
    QList *parts = qobject_to(QList, qdict_get(reply, "parts"));
    QString *machine = qobject_to(QString, qdict_get(reply, "machine"));

    return !(parts && qlist_size(parts)) &&
           !(machine && strcmp(qstring_get_str(machine), "fuzz"));
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
    static Contract contract;

    if (!arguments) {
        qobject_unref(input);
        return;
    }
    qmp_check_guest_abi(arguments, &answer, &err);
    if (err) {
        g_assert_null(answer);
        error_free(err);
    } else {
        QListEntry *at;
        bool ok = true;

        /* QMP accepts an entry only if it has a name and a value. */
        g_assert_true(parse_arguments(arguments, &contract));
        QLIST_FOREACH_ENTRY(qobject_to(QList, answer), at) {
            QDict *verdict = qobject_to(QDict, qlist_entry_obj(at));

            ok &= qdict_get_bool(verdict, "ok");
            g_assert_true(qdict_get_bool(verdict, "ok") !=
                          qdict_haskey(verdict, "error"));
        }
        g_assert_true(!only_entries_count(arguments) ||
                      ok == valid_contract(&contract));
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
        xsave_refuse_exposed(reg, incoming, exposed, host, NULL, &err);
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

/* The destination's memory */
static const struct {
    const char *name;
    unsigned pages;
} memories[] = {
    { "ram", 5000 }, { "/objects/dimm", 13 }, { "m", 1 },
};

#define MEMORY_PAGES 5000

typedef bool Pages[ARRAY_SIZE(memories)][MEMORY_PAGES];

static const char *memory_name(const void *memory)
{
    return memories[(uintptr_t)memory - 1].name;
}

static void pages_changed(uint64_t address, uint64_t size, bool shared)
{
}

static SharedPagesLog *new_pages(void)
{
    static const SharedPagesOps ops = { memory_name, pages_changed };
    SharedPagesLog *log = shared_pages_log_new(&ops);

    for (uintptr_t i = 0; i < ARRAY_SIZE(memories); i++) {
        shared_pages_log_map(log, i << 32, memories[i].pages * 4096ULL,
                             (void *)(i + 1), memories[i].pages * 4096ULL, 0);
    }
    return log;
}

/* An independent reading of docs/system/shared-pages.rst */
static bool valid_runs(const uint8_t *data, size_t size, bool *pages,
                       unsigned count)
{
    uint64_t at = 0;
    bool shared = false;

    while (size) {
        __uint128_t length = 0;
        unsigned shift = 0;
        bool more = true;

        while (more) {
            if (!size || shift > 63) {
                return false;
            }
            length |= (__uint128_t)(*data & 0x7f) << shift;
            more = *data >> 7;
            shift += 7;
            data++;
            size--;
        }
        if (length > count - at || (!length && (at || shared))) {
            return false;
        }
        for (; length; length--) {
            pages[at++] = shared;
        }
        shared = !shared;
    }
    return true;
}

static bool valid_bitmap(const uint8_t *data, size_t size, bool *pages,
                         unsigned count)
{
    if (size != (count + 7) / 8) {
        return false;
    }
    for (unsigned page = 0; page < size * 8; page++) {
        if (data[page / 8] & 1 << page % 8) {
            if (page >= count) {
                return false;
            }
            pages[page] = true;
        }
    }
    return true;
}

static bool valid_pages(const uint8_t *data, size_t size, Pages pages)
{
    bool seen[ARRAY_SIZE(memories)] = { };

    if (!size || *data != 12) {
        return false;
    }
    data++;
    size--;
    while (size) {
        unsigned length = *data, i;
        const uint8_t *name = data + 1;
        uint64_t count, bytes;

        if (size < 1 + length + 8 + 1 + 8) {
            return false;
        }
        for (i = 0; i < ARRAY_SIZE(memories); i++) {
            if (strlen(memories[i].name) == length &&
                !memcmp(memories[i].name, name, length)) {
                break;
            }
        }
        data = name + length + 8 + 1 + 8;
        size -= 1 + length + 8 + 1 + 8;
        count = ldq_be_p(name + length);
        bytes = ldq_be_p(data - 8);
        if (i == ARRAY_SIZE(memories) || seen[i] ||
            count != memories[i].pages || bytes > size ||
            bytes > (count + 7) / 8) {
            return false;
        }
        seen[i] = true;
        if (!(data[-9] == 0 ? valid_runs(data, bytes, pages[i], count) :
              data[-9] == 1 && valid_bitmap(data, bytes, pages[i], count))) {
            return false;
        }
        data += bytes;
        size -= bytes;
    }
    return true;
}

static void check_pages(SharedPagesLog *log, Pages pages)
{
    for (uintptr_t i = 0; i < ARRAY_SIZE(memories); i++) {
        for (unsigned page = 0; page < memories[i].pages; page++) {
            g_assert_cmpint(shared_pages_log_get(log, (void *)(i + 1),
                                                 page * 4096ULL), ==,
                            pages[i][page]);
        }
    }
}

static void fuzz_pages(const uint8_t *data, size_t size)
{
    static Pages pages;
    g_autoptr(SharedPagesLog) log = new_pages();
    g_autoptr(SharedPagesLog) next = new_pages();
    g_autoptr(GByteArray) content = NULL;
    Error *err = NULL;
    bool loaded, valid;

    memset(pages, 0, sizeof(pages));
    valid = valid_pages(data, size, pages);
    loaded = shared_pages_log_load(log, data, size, &err);
    g_assert_true(loaded == valid);
    g_assert_true(loaded == !err);
    error_free(err);
    if (!loaded) {
        g_assert_cmpuint(shared_pages_log_count(log), ==, 0);
        return;
    }
    check_pages(log, pages);
    content = shared_pages_log_save(log, &error_abort);
    g_assert_cmpuint(content->len, <=, shared_pages_log_max_size(log));
    g_assert_true(shared_pages_log_load(next, content->data, content->len,
                                        &error_abort));
    check_pages(next, pages);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    contract_loader_init();
    for (unsigned i = 0; i < ARRAY_SIZE(definitions); i++) {
        guest_abi_add(&definitions[i]);
    }
    guest_abi_add_part(&part);
    guest_abi_set_lister(&lister);
    guest_abi_set_trial(trial);
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
    case 'p':
        fuzz_pages(data + 1, size - 1);
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

/* Makes the sizes right again: of a section whose first part has entries */
static void mend_sizes(void)
{
    static const unsigned header = 1 + 1 + 7 + 4;
    unsigned at = input->data[0] == 'v' ? 2 : 1;

    if ((input->data[0] == 's' || input->data[0] == 'v') &&
        input->len > at + 4 + header) {
        stl_be_p(input->data + at, input->len - at - 4 - 1);
        stl_be_p(input->data + at + 4 + header - 4,
                 input->len - at - 4 - header - 1);
    }
}

static void mutate(GRand *rand)
{
    unsigned at = any(rand, input->len);
    unsigned size = 1 + any(rand, any(rand, 2) ? 8 : 40);
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
        mend_sizes();
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
