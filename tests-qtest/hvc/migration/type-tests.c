/*
 * Tests of the machine types and of what a contract says of itself
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qobject/qjson.h"
#include "framework.h"

#define VERSION_OF(major, minor) ((major) * 1000 + (minor))

static QList *query_machines(QTestState *qts)
{
    QDict *response = qtest_qmp(qts, "{ 'execute': 'query-machines', "
                                "'arguments': { 'compat-props': true } }");
    QList *machines = qobject_ref(qdict_get_qlist(response, "return"));

    qobject_unref(response);
    return machines;
}

static QDict *machine_by_name(QList *machines, const char *name)
{
    QListEntry *entry;

    QLIST_FOREACH_ENTRY(machines, entry) {
        QDict *machine = qobject_to(QDict, qlist_entry_obj(entry));

        if (g_str_equal(qdict_get_str(machine, "name"), name)) {
            return machine;
        }
    }
    return NULL;
}

typedef struct Type {
    const char *name;
    const char *parent;
} Type;

/* Of all versions of QEMU; the last one that this QEMU has is "virt-hvc". */
static const Type all_types[] = {
    { "virt-hvc-9.0", "virt-9.0" },
    { "virt-hvc-9.2", "virt-9.2" },
    { "virt-hvc-10.0", "virt-10.0" },
    { "virt-hvc-10.2", "virt-10.2" },
};

/* The version in a name such as virt-hvc-10.2; 0 if it has none */
static unsigned type_version(const char *name)
{
    unsigned major, minor;

    return sscanf(name, "virt-hvc-%u.%u", &major, &minor) == 2 ?
           VERSION_OF(major, minor) : 0;
}

static bool is_of_this_qemu(const char *name)
{
    return type_version(name) <=
           VERSION_OF(QEMU_VERSION_MAJOR, QEMU_VERSION_MINOR);
}

/* The next of all_types[] that this QEMU has; the first one after NULL */
static const Type *next_type(const Type *type)
{
    type = type ? type + 1 : all_types;
    return type < all_types + ARRAY_SIZE(all_types) &&
           is_of_this_qemu(type->name) ? type : NULL;
}

/* A type has its parent's rows, and behind them what its floor leaves out. */
static void check_rows(QDict *type, QDict *parent)
{
    const QListEntry *row = qlist_first(qdict_get_qlist(type, "compat-props"));
    QListEntry *same;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(parent, "compat-props"), same) {
        g_assert_nonnull(row);
        g_assert_true(qobject_is_equal(qlist_entry_obj(row),
                                       qlist_entry_obj(same)));
        row = qlist_next(row);
    }
    g_assert_nonnull(row);
    for (; row; row = qlist_next(row)) {
        QDict *property = qobject_to(QDict, qlist_entry_obj(row));
        const char *driver = qdict_get_str(property, "qom-type");

        g_assert_true(g_str_equal(driver, "virtio-net-device") ||
                      g_str_has_prefix(driver, "vhost-"));
        g_assert_cmpstr(qdict_get_str(property, "value"), ==, "off");
    }
}

static void test_types_listed(void)
{
    QTestState *qts = qtest_init("-machine none");
    QList *machines = query_machines(qts);
    QListEntry *entry;

    for (const Type *t = next_type(NULL); t; t = next_type(t)) {
        QDict *type = machine_by_name(machines, t->name);
        QDict *parent = machine_by_name(machines, t->parent);
        static const char *const same[] = {
            "cpu-max", "deprecated", "default-cpu-type", "default-ram-id",
            "acpi", "numa-mem-supported", "hotpluggable-cpus",
        };

        g_assert_nonnull(type);
        g_assert_nonnull(parent);
        g_assert_cmpstr(qdict_get_try_str(type, "alias"), ==,
                        next_type(t) ? NULL : "virt-hvc");
        g_assert_false(qdict_get_try_bool(type, "is-default", false));
        check_rows(type, parent);
        for (unsigned j = 0; j < ARRAY_SIZE(same); j++) {
            g_assert_true(qobject_is_equal(qdict_get(type, same[j]),
                                           qdict_get(parent, same[j])));
        }
    }

    /* No two machines have one name, and no name begins with one of ours. */
    QLIST_FOREACH_ENTRY(machines, entry) {
        QDict *machine = qobject_to(QDict, qlist_entry_obj(entry));
        const char *name = qdict_get_str(machine, "name");
        const char *alias = qdict_get_try_str(machine, "alias");
        QListEntry *other;

        QLIST_FOREACH_ENTRY(machines, other) {
            QDict *second = qobject_to(QDict, qlist_entry_obj(other));
            const char *second_name = qdict_get_str(second, "name");

            if (second == machine) {
                continue;
            }
            g_assert_cmpstr(name, !=, second_name);
            g_assert_cmpstr(alias, !=, second_name);
            if (alias) {
                g_assert_cmpstr(alias, !=, qdict_get_try_str(second,
                                                             "alias"));
            }
            if (g_str_has_prefix(name, "virt-hvc-") ||
                g_str_has_prefix(second_name, "virt-hvc-")) {
                g_assert_false(g_str_has_prefix(second_name, name));
            }
        }
    }
    qobject_unref(machines);
    qtest_quit(qts);
}

static void test_types_properties(void)
{
    static const char *const names[] = {
        "hvc-services", "psci-version", "guest-abi",
    };
    QTestState *qts = qtest_init("-machine none");

    for (const Type *t = next_type(NULL); t; t = next_type(t)) {
        g_autofree char *type = g_strdup_printf("%s-machine", t->name);
        QDict *response = qtest_qmp(qts, "{ 'execute': "
                                    "'qom-list-properties', 'arguments': { "
                                    "'typename': %s } }", type);
        unsigned found = 0;
        QListEntry *entry;

        g_assert_true(qdict_haskey(response, "return"));
        QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
            QDict *property = qobject_to(QDict, qlist_entry_obj(entry));

            for (unsigned j = 0; j < ARRAY_SIZE(names); j++) {
                found += g_str_equal(qdict_get_str(property, "name"),
                                     names[j]);
            }
        }
        g_assert_cmpuint(found, ==, ARRAY_SIZE(names));
        qobject_unref(response);
    }
    qtest_quit(qts);
}

static void test_types_help(void)
{
    g_autofree char *command = g_strdup_printf("%s -machine help",
                                               getenv("QTEST_QEMU_BINARY"));
    g_autofree char *out = NULL;
    g_autoptr(GError) err = NULL;
    int status;

    g_spawn_command_line_sync(command, &out, NULL, &status, &err);
    g_assert_no_error(err);
    g_assert_cmpint(status, ==, 0);
    for (const Type *t = next_type(NULL); t; t = next_type(t)) {
        g_autofree char *line = g_strdup_printf("\n%-20s ", t->name);
        char *first = strstr(out, line);

        g_assert_nonnull(first);
        g_assert_null(strstr(first + 1, line));
        if (!next_type(t)) {
            g_autofree char *ours = g_strdup_printf("(alias of %s)", t->name);
            g_autofree char *stock = g_strdup_printf("(alias of %s)",
                                                     t->parent);

            g_assert_nonnull(strstr(out, ours));
            g_assert_nonnull(strstr(out, stock));
        }
    }
    g_assert_nonnull(strstr(out, "\nvirt-hvc "));
}

/* query-guest-abi's "origin": who has chosen the services and the version */

typedef struct OriginCase {
    const char *machine;
    const char *services;
    const char *psci_version;
    Offer offer;
} OriginCase;

static const OriginCase origins[] = {
    { "virt-hvc-9.0", "type", "type", { 0, PSCI(1, 0) } },
    { "virt-hvc-9.2", "type", "type", { ALL_SERVICES, PSCI(1, 1) } },
    { "virt-hvc-10.0", "type", "type", { ALL_SERVICES, PSCI(1, 1) } },
    { "virt-hvc", "type", "type", { ALL_SERVICES, PSCI(1, 1) } },
    { "virt-hvc,psci-version=1.3", "type", "option",
      { ALL_SERVICES, PSCI(1, 3) } },
    { "virt-hvc,hvc-services=none", "option", "default", { 0, PSCI(1, 1) } },
    { "virt-hvc-9.0,hvc-services=linux-6.18", "option", "option",
      { ALL_SERVICES, PSCI(1, 3) } },
    { "virt-hvc-9.0,hvc-services=ptp,psci-version=1.2", "option", "option",
      { PTP, PSCI(1, 2) } },
    { "virt-hvc-10.0,hvc-services=linux-6.12", "option", "option",
      { ALL_SERVICES, PSCI(1, 1) } },
    { "virt-10.0,hvc-services=linux-5.10", "option", "option",
      { 0, PSCI(1, 0) } },
    { "virt-10.0,hvc-services=trng", "option", "default",
      { TRNG, PSCI(1, 1) } },
};

static void check_entry(QList *entries, unsigned index, uint64_t value,
                        const char *origin)
{
    QListEntry *at = QTAILQ_FIRST(&entries->head);
    g_autofree char *hex = NULL;
    QDict *entry;

    for (unsigned i = 0; at && i < index; i++) {
        at = QTAILQ_NEXT(at, next);
    }
    g_assert_nonnull(at);
    entry = qobject_to(QDict, qlist_entry_obj(at));
    g_assert_cmpstr(qdict_get_str(entry, "name"), ==,
                    contract_entry_names[index]);
    g_assert_cmphex(qdict_get_int(entry, "value"), ==, value);
    hex = g_strdup_printf("0x%" PRIx64, value);
    g_assert_cmpstr(qdict_get_str(entry, "hex"), ==, hex);
    g_assert_cmpstr(qdict_get_str(entry, "rule"), ==, "exact");
    g_assert_cmpstr(qdict_get_str(entry, "origin"), ==, origin);
}

static void test_origins(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(origins); i++) {
        const OriginCase *o = &origins[i];
        QTestState *qts = qtest_initf("-machine %s", o->machine);
        QList *entries = contract_entries(qts);

        g_test_message("%s", o->machine);
        /* One more of a type: its floor */
        g_assert_cmpuint(qlist_size(entries), ==, CONTRACT_ENTRIES +
                         g_str_has_prefix(o->machine, "virt-hvc"));
        check_entry(entries, 0, !!(o->offer.services & TRNG), o->services);
        check_entry(entries, 1, !!(o->offer.services & PV_TIME), o->services);
        check_entry(entries, 2, (o->offer.services & VENDOR_FEATURES ? 1 : 0) |
                    (o->offer.services & PTP ? 2 : 0), o->services);
        check_entry(entries, 3, 0, o->services);
        check_entry(entries, 4, o->offer.psci, o->psci_version);
        check_entry(entries, 5, 1, "option");
        qobject_unref(entries);
        qtest_quit(qts);
    }
}

/* A guest that is promised nothing has a contract if guest-abi=on. */
static void test_opt_in(void)
{
    static const struct {
        const char *machine;
        bool migrated;
    } cases[] = {
        { "none", false },
        { "virt", false },
        { "virt,hvc-services=host", false },
        { "virt,guest-abi=on", true },
        { "none,guest-abi=on", true },
        { "virt,guest-abi=off", false },
        { "virt,hvc-services=none", true },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        QTestState *qts = qtest_initf("-machine %s", cases[i].machine);
        QDict *contract = qtest_qmp_assert_success_ref(qts, "{ 'execute': "
                                                       "'query-guest-abi' }");
        g_autofree char *info = qtest_hmp(qts, "info guest-abi");

        g_test_message("%s", cases[i].machine);
        g_assert_true(qdict_get_bool(contract, "migrated") ==
                      cases[i].migrated);
        g_assert_true(!!strstr(info, "carries it") == cases[i].migrated);
        g_assert_true(!!strstr(info, "carries no contract") !=
                      cases[i].migrated);
        qobject_unref(contract);
        qtest_quit(qts);
    }
}

/* What query-guest-abi returns is what check-guest-abi takes, as it is. */
static void test_reply_as_it_is(void)
{
    QTestState *qts = qtest_init("-machine virt-hvc-10.0");
    QDict *reply = qtest_qmp(qts, "{ 'execute': 'query-guest-abi', 'id': 7 }");
    QDict *contract = qobject_ref(qdict_get_qdict(reply, "return"));
    QDict *given[] = { reply, contract };

    for (unsigned i = 0; i < ARRAY_SIZE(given); i++) {
        QDict *verdicts = qtest_qmp(qts, "{ 'execute': 'check-guest-abi', "
                                    "'arguments': %p }",
                                    qobject_ref(given[i]));
        QListEntry *entry;

        g_assert_true(qdict_haskey(verdicts, "return"));
        /* One for the machine, and one for each entry */
        g_assert_cmpuint(qlist_size(qdict_get_qlist(verdicts, "return")), ==,
                         1 + qlist_size(qdict_get_qlist(contract, "entries")));
        QLIST_FOREACH_ENTRY(qdict_get_qlist(verdicts, "return"), entry) {
            g_assert_true(qdict_get_bool(qobject_to(QDict,
                                                    qlist_entry_obj(entry)),
                                         "ok"));
        }
        qobject_unref(verdicts);
    }
    qobject_unref(contract);
    qobject_unref(reply);
    qtest_quit(qts);
}

/* Golden files */

static char *golden_path(const char *name)
{
    const char *dir = getenv("HVC_GOLDEN_DIR");

    return dir ? g_build_filename(dir, name, NULL) : NULL;
}

/* A machine type as machine-types.json has it */
static QDict *describe_type(QList *machines, const char *name)
{
    QTestState *qts = qtest_initf("-machine %s", name);
    QList *entries = contract_entries(qts);
    QDict *type = qdict_new();
    QDict *contract = qdict_new();
    QListEntry *entry;

    QLIST_FOREACH_ENTRY(entries, entry) {
        QDict *e = qobject_to(QDict, qlist_entry_obj(entry));

        if (g_str_equal(qdict_get_str(e, "origin"), "type")) {
            qdict_put_int(contract, qdict_get_str(e, "name"),
                          qdict_get_int(e, "value"));
        }
    }
    qdict_put(type, "contract", contract);
    qdict_put_obj(type, "compat-props", qobject_ref(
                  qdict_get(machine_by_name(machines, name),
                            "compat-props")));
    qobject_unref(entries);
    qtest_quit(qts);
    return type;
}

static bool take_out(QList *list, const QObject *value)
{
    QListEntry *entry;

    QLIST_FOREACH_ENTRY(list, entry) {
        if (qobject_is_equal(qlist_entry_obj(entry), value)) {
            QTAILQ_REMOVE(&list->head, entry, next);
            qobject_unref(qlist_entry_obj(entry));
            g_free(entry);
            return true;
        }
    }
    return false;
}

/*
 * Each QEMU takes back, for types of older ones, what is new in it. That is no
 * part of the type, and goes from its description. The name of a distribution's
 * type does not say how old its parent is.
 */
static void take_out_later(QDict *type, const char *name, const QDict *later)
{
    unsigned version = type_version(name);
    const QDictEntry *entry;

    for (entry = qdict_first(later); entry;
         entry = qdict_next(later, entry)) {
        QList *props = qobject_to(QList, qdict_entry_value(entry));
        unsigned major, minor;
        QListEntry *prop;

        g_assert_cmpint(sscanf(qdict_entry_key(entry), "%u.%u", &major,
                               &minor), ==, 2);
        if (VERSION_OF(major, minor) <= version ||
            VERSION_OF(major, minor) >
            VERSION_OF(QEMU_VERSION_MAJOR, QEMU_VERSION_MINOR)) {
            continue;
        }
        QLIST_FOREACH_ENTRY(props, prop) {
            if (!take_out(qdict_get_qlist(type, "compat-props"),
                          qlist_entry_obj(prop)) && version) {
                vm_fail("%s: lacks a property that QEMU %s gives to older "
                        "types", name, qdict_entry_key(entry));
            }
        }
    }
}

static void test_golden_types(void)
{
    g_autoptr(QDict) later = NULL;
    g_autofree char *path = golden_path("machine-types.json");
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;
    QTestState *qts;
    QList *machines;
    QListEntry *entry;
    const QDictEntry *e;
    QDict *golden;
    unsigned found = 0;

    if (!path) {
        g_test_skip("HVC_GOLDEN_DIR does not say where machine-types.json is");
        return;
    }
    g_file_get_contents(path, &text, NULL, &err);
    g_assert_no_error(err);
    golden = qobject_to(QDict, qobject_from_json(text, &error_abort));
    g_assert_nonnull(golden);
    /* JSON has no comments, so that the licence is a member. */
    qdict_del(golden, "SPDX-License-Identifier");
    later = qobject_ref(qdict_get_qdict(golden, "later-compat-props"));
    g_assert_nonnull(later);
    qdict_del(golden, "later-compat-props");

    qts = qtest_init("-machine none");
    machines = query_machines(qts);
    QLIST_FOREACH_ENTRY(machines, entry) {
        QDict *machine = qobject_to(QDict, qlist_entry_obj(entry));
        const char *name = qdict_get_str(machine, "name");
        QDict *type;

        if (!g_str_has_prefix(name, "virt-hvc-")) {
            continue;
        }
        type = describe_type(machines, name);
        take_out_later(type, name, later);
        if (!qobject_is_equal(QOBJECT(type), qdict_get(golden, name))) {
            GString *json = qobject_to_json_pretty(QOBJECT(type), true);

            vm_fail("%s is not what machine-types.json says; it is %s", name,
                    json->str);
            g_string_free(json, true);
        }
        qobject_unref(type);
        found++;
    }
    for (e = qdict_first(golden); e; e = qdict_next(golden, e)) {
        found -= is_of_this_qemu(qdict_entry_key(e));
    }
    g_assert_cmpuint(found, ==, 0);
    qobject_unref(golden);
    qobject_unref(machines);
    qtest_quit(qts);
}

void migration_type_tests(void)
{
    qtest_add_func("hvc/migration/types/listed", test_types_listed);
    qtest_add_func("hvc/migration/types/properties", test_types_properties);
    qtest_add_func("hvc/migration/types/help", test_types_help);
    qtest_add_func("hvc/migration/types/golden", test_golden_types);
    qtest_add_func("hvc/migration/contract/origins", test_origins);
    qtest_add_func("hvc/migration/contract/opt-in", test_opt_in);
    qtest_add_func("hvc/migration/contract/reply-as-it-is",
                   test_reply_as_it_is);
}
