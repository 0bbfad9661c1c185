/*
 * QTest: hvc-services= and psci-version= of the virt machine
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"

static char *get_property(QTestState *qts, const char *name)
{
    QDict *response = qtest_qmp(qts, "{ 'execute': 'qom-get', 'arguments': "
                                "{ 'path': '/machine', 'property': %s } }",
                                name);
    char *value;

    g_assert_true(qdict_haskey(response, "return"));
    value = g_strdup(qdict_get_str(response, "return"));
    qobject_unref(response);
    return value;
}

static void assert_property(QTestState *qts, const char *name,
                            const char *expected)
{
    g_autofree char *value = get_property(qts, name);

    g_assert_cmpstr(value, ==, expected);
}

typedef struct ValueCase {
    const char *options;
    const char *services;
    const char *list;
    const char *psci_version;
} ValueCase;

static const ValueCase values[] = {
    { "", "host", "host", "host" },
    { "hvc-services=host", "host", "host", "host" },
    { "hvc-services=none", "none", "none", "1.1" },
    { "hvc-services=linux-5.10", "linux-5.10", "none", "1.0" },
    { "hvc-services=linux-6.12", "linux-6.12",
      "trng:pv-time:vendor-features:ptp", "1.1" },
    { "hvc-services=linux-6.18:-ptp", "linux-6.18:-ptp",
      "trng:pv-time:vendor-features", "1.3" },
    { "hvc-services=trng,psci-version=0.2", "trng", "trng", "0.2" },
    { "psci-version=1.3,hvc-services=linux-5.10", "linux-5.10", "none",
      "1.3" },
    /* Options of several -machine, or repeated, merge: the last one counts. */
    { "hvc-services=linux-6.1,hvc-services=none", "none", "none", "1.1" },
    { "hvc_services=ptp", "ptp", "ptp", "1.1" },
};

static void test_values(const void *opaque)
{
    const char *accel = opaque;

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        QTestState *qts = qtest_initf("-machine virt%s%s %s",
                                      *values[i].options ? "," : "",
                                      values[i].options, accel);

        g_test_message("%s", values[i].options);
        assert_property(qts, "hvc-services", values[i].services);
        assert_property(qts, "hvc-services-list", values[i].list);
        assert_property(qts, "psci-version", values[i].psci_version);
        qtest_quit(qts);
    }
}

/* Under -accel qtest no guest runs, and no memory has stolen-time records. */
static void test_inert(void)
{
    QTestState *qts = qtest_init("-machine virt,hvc-services=linux-6.12");
    g_autofree char *mtree = qtest_hmp(qts, "info mtree");

    g_assert_null(strstr(mtree, "pvtime"));
    qtest_quit(qts);

    qts = qtest_init("-machine virt,hvc-services=linux-6.12 -accel tcg");
    g_free(mtree);
    mtree = qtest_hmp(qts, "info mtree");
    g_assert_nonnull(strstr(mtree, "pvtime"));
    qtest_quit(qts);
}

static void test_machine(const char *machine)
{
    g_autofree char *type = g_strdup_printf("%s-machine", machine);
    QTestState *qts;
    QDict *response;
    QListEntry *entry;
    unsigned found = 0;

    if (!g_str_has_prefix(machine, "virt-") && strcmp(machine, "virt")) {
        return;
    }
    qts = qtest_initf("-machine %s,hvc-services=trng", machine);
    assert_property(qts, "hvc-services", "trng");
    response = qtest_qmp(qts, "{ 'execute': 'qom-list-properties', "
                         "'arguments': { 'typename': %s } }", type);
    if (qdict_haskey(response, "return")) {
        QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
            QDict *property = qobject_to(QDict, qlist_entry_obj(entry));
            const char *name = qdict_get_str(property, "name");

            if (!strcmp(name, "hvc-services") ||
                !strcmp(name, "guest-abi-profile") ||
                !strcmp(name, "psci-version")) {
                g_assert_true(qdict_haskey(property, "description"));
                found++;
            }
        }
        g_assert_cmpuint(found, ==, 3);
    } else {
        /* Only "virt" is an alias, without a type of its own. */
        g_assert_cmpstr(machine, ==, "virt");
    }
    qobject_unref(response);
    qtest_quit(qts);
}

static void test_machines(void)
{
    qtest_cb_for_every_machine(test_machine, false);
}

static void test_no_change_later(void)
{
    static const char *const properties[] = {
        "hvc-services", "psci-version", "guest-abi-profile",
    };
    QTestState *qts = qtest_init("-machine virt,hvc-services=trng");

    for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
        /* "help" over QMP is an error as well; it must not end QEMU. */
        static const char *const attempts[] = { "none", "1.0", "help" };

        for (size_t j = 0; j < ARRAY_SIZE(attempts); j++) {
            QDict *response =
                qtest_qmp(qts, "{ 'execute': 'qom-set', 'arguments': { "
                          "'path': '/machine', 'property': %s, "
                          "'value': %s } }", properties[i], attempts[j]);
            const char *text =
                qdict_get_str(qdict_get_qdict(response, "error"), "desc");

            g_assert_nonnull(strstr(text, "cannot be changed after the "
                                    "machine was created"));
            g_assert_true(g_str_has_prefix(text, properties[i]));
            qobject_unref(response);
        }
    }
    assert_property(qts, "hvc-services", "trng");
    assert_property(qts, "psci-version", "1.1");
    qtest_quit(qts);
}

/* check-guest-abi takes a contract with this VM's machine type alone. */
static void test_check_machine(void)
{
    QTestState *qts = qtest_init("-machine virt-hvc-10.0");
    QDict *contract = qtest_qmp_assert_success_ref(
        qts, "{ 'execute': 'query-guest-abi' }");
    static const char *const machines[] = { "virt-hvc-10.0", "virt-hvc-9.2" };

    g_assert_cmpstr(qdict_get_str(contract, "machine"), ==, machines[0]);
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        QDict *response = qtest_qmp(
            qts, "{ 'execute': 'check-guest-abi', 'arguments': { "
            "'machine': %s, 'entries': %p } }", machines[i],
            qobject_ref(qdict_get(contract, "entries")));
        QList *verdicts = qdict_get_qlist(response, "return");
        QListEntry *entry;

        g_assert_cmpuint(qlist_size(verdicts), ==,
                         1 + qlist_size(qdict_get_qlist(contract, "entries")));
        QLIST_FOREACH_ENTRY(verdicts, entry) {
            QDict *verdict = qobject_to(QDict, qlist_entry_obj(entry));
            bool other = i == 1 && !strcmp(qdict_get_str(verdict, "name"),
                                           "machine");

            g_assert_true(qdict_get_bool(verdict, "ok") == !other);
            if (other) {
                g_assert_cmpstr(qdict_get_str(verdict, "error"), ==,
                    "guest-abi: incoming VM is a machine of type "
                    "'virt-hvc-9.2', this one is 'virt-hvc-10.0'; start this "
                    "QEMU with the source's -machine options");
            }
        }
        qobject_unref(response);
    }
    qobject_unref(contract);
    qtest_quit(qts);
}

#define VCPUS 5

/* How many of its vCPUs' files has a VM open? */
static unsigned open_schedstats(const char *options)
{
    QTestState *qts = qtest_initf("-machine virt,"
                                  "hvc-services=pv-time -smp %u %s",
                                  VCPUS, options);
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", qtest_pid(qts));
    GDir *dir = g_dir_open(path, 0, NULL);
    unsigned count = 0;
    const char *name;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *link = g_build_filename(path, name, NULL);
        g_autofree char *file = g_file_read_link(link, NULL);

        count += file && g_str_has_suffix(file, "/schedstat");
    }
    g_dir_close(dir);
    qtest_quit(qts);
    return count;
}

/* One for each vCPU, but none where nothing counts stolen time */
static void test_descriptors(void)
{
    if (access("/proc/self/schedstat", R_OK)) {
        g_test_skip("this host's kernel has no CONFIG_SCHED_INFO");
        return;
    }
    g_assert_cmpuint(open_schedstats("-accel tcg"), ==, VCPUS);
    g_assert_cmpuint(open_schedstats("-accel tcg -icount 3"), ==, 0);
}

/* Run QEMU to its end; its exit status. A signal fails the test. */
static int run_qemu(const char *arguments, char **out, char **err)
{
    g_autofree char *command = g_strdup_printf("%s %s",
                                               getenv("QTEST_QEMU_BINARY"),
                                               arguments);
    GError *error = NULL;
    int status;

    g_assert_true(g_spawn_command_line_sync(command, out, err, &status,
                                            &error));
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

typedef struct RefusalCase {
    const char *arguments;
    const char *error; /* a pattern of g_pattern_match_simple() */
} RefusalCase;

static const RefusalCase refusals[] = {
    { "-machine virt,hvc-services=trgn",
      "*'trgn' is neither a service*did you mean 'trng'?" },
    { "-machine virt,hvc-services=linux-7.0",
      "*'linux-7.0' is neither*; use hvc-services=linux-6.18, the newest*" },
    { "-machine virt,hvc-services=-ptp",
      "*'-ptp' only removes*; start with a floor, as in "
      "hvc-services=linux-6.1:-ptp" },
    { "-machine virt-hvc-10.0,guest-abi=off",
      "*guest-abi=off contradicts machine type virt-hvc-10.0: "
      "hvc-services=linux-6.12: *; leave out guest-abi=off, or use "
      "hvc-services=host" },
    { "-machine virt,guest-abi=off,hvc-services=trng",
      "*guest-abi=off contradicts hvc-services=trng: *" },
    { "-machine virt,hvc-services=trng::ptp", "*item 2*is empty*" },
    { "-machine virt,hvc-services=", "*is empty; use 'none'*" },
    { "-machine virt,hvc-services=trng:linux-6.1", "*must be the first*" },
    { "-machine virt,hvc-services=ptp:-ptp", "*both added and removed*" },
    { "-machine virt,hvc-services=host:ptp", "*cannot be mixed*" },
    { "-machine virt,hvc-services=none,psci-version=0.1",
      "*psci-version: '0.1' is not one of 0.2*" },
    { "-machine virt,hvc-services=none,psci-version=1.4",
      "*psci-version: '1.4' is not one of*" },
    { "-machine virt,psci-version=1.1",
      "*psci-version=1.1 needs a choice of hvc-services*'host'; use "
      "hvc-services=none,psci-version=1.1, or a floor instead of none" },
    { "-machine virt,hvc-services=host,psci-version=1.1",
      "*psci-version=1.1 needs a choice of hvc-services*" },
    { "-machine virt,hvc-services-list=trng", "*" },
    /* Under TCG no host kernel has a say in the CPU's registers. */
    { "-machine virt-hvc-10.0,guest-abi-profile=/dev/null",
      "*guest-abi-profile=/dev/null needs -accel kvm and a choice of "
      "hvc-services*'tcg'*hvc-services=linux-6.12; leave it out, or "
      "use -accel kvm" },
    { "-machine virt,guest-abi-profile=/dev/null",
      "*guest-abi-profile=/dev/null needs*hvc-services=host*" },
    /* With secure=on and firmware, calls go to the firmware at EL3. */
    { "-machine virt,secure=on,hvc-services=trng -bios /dev/null",
      "*no conduit*secure=off*" },
};

static void test_refusals(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        g_autofree char *arguments =
            g_strdup_printf("%s -accel tcg -nodefaults -display none -S",
                            refusals[i].arguments);
        g_autofree char *out = NULL;
        g_autofree char *err = NULL;

        g_assert_cmpint(run_qemu(arguments, &out, &err), ==, 1);
        g_test_message("%s: %s", refusals[i].arguments, err);
        g_assert_cmpstr(out, ==, "");
        g_strchomp(err);
        /* One error, on one line. */
        g_assert_null(strchr(err, '\n'));
        g_assert_true(g_pattern_match_simple(refusals[i].error, err));
    }
}

static void test_help(void)
{
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;

    g_assert_cmpint(run_qemu("-machine virt,hvc-services=help", &out, &err),
                    ==, 0);
    g_assert_cmpstr(err, ==, "");
    for (const char *const *word = (const char *const[]) {
            "host", "none", "linux-5.10", "linux-6.1", "linux-6.12",
            "linux-6.18", "trng", "pv-time", "vendor-features", "ptp",
            "std-hyp", "bit 1", "Linux 5.19", "psci-version", NULL
         }; *word; word++) {
        g_assert_nonnull(strstr(out, *word));
    }

    g_free(out);
    g_free(err);
    g_assert_cmpint(run_qemu("-machine virt,help", &out, &err), ==, 0);
    g_assert_nonnull(strstr(out, "hvc-services=<string>"));
    g_assert_nonnull(strstr(out, "psci-version=<string>"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_data_func("/hvc-services/values/qtest", "", test_values);
    if (qtest_has_accel("tcg")) {
        qtest_add_data_func("/hvc-services/values/tcg", "-accel tcg",
                            test_values);
        qtest_add_func("/hvc-services/inert", test_inert);
        qtest_add_func("/hvc-services/refusals", test_refusals);
        qtest_add_func("/hvc-services/descriptors", test_descriptors);
    }
    qtest_add_func("/hvc-services/machines", test_machines);
    qtest_add_func("/hvc-services/no-change-later", test_no_change_later);
    qtest_add_func("/hvc-services/help", test_help);
    qtest_add_func("/hvc-services/check-machine", test_check_machine);
    return g_test_run();
}
