/*
 * Unit tests of the table of features that follow the host's kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "migration/kernel-floor.h"
#include "migration/nearest-name.h"

/*
 * Literal values, so that a wrong row is found: the floors that have a feature,
 * as read in Linux 5.10, 6.1, 6.12, 6.18 and 7.3, and as kernels say that were
 * asked (TUNSETOFFLOAD, VHOST_GET_FEATURES).
 */
typedef struct FeatureCase {
    const char *name;
    const char *backend;
    unsigned bit;
    const char *property;
    const char *floors;
} FeatureCase;

static const FeatureCase features[] = {
    { "guest-uso4", "tap", 54, "guest_uso4", "linux-6.12 linux-6.18 " },
    { "guest-uso6", "tap", 55, "guest_uso6", "linux-6.12 linux-6.18 " },
    { "host-uso", "tap", 56, "host_uso", "linux-6.12 linux-6.18 " },
    { "guest-udp-tunnel-gso", "tap", 65, "guest_tunnel", "linux-6.18 " },
    { "guest-udp-tunnel-gso-csum", "tap", 66, "guest_tunnel_csum",
      "linux-6.18 " },
    { "host-udp-tunnel-gso", "tap", 67, "host_tunnel", "linux-6.18 " },
    { "host-udp-tunnel-gso-csum", "tap", 68, "host_tunnel_csum",
      "linux-6.18 " },
    { "ring-reset", "vhost-net", 40, "queue_reset", "linux-6.12 linux-6.18 " },
    { "in-order", "vhost-net", 35, "in_order", "linux-6.18 " },
    { "ring-packed", "vhost-net", 34, "packed", "" },
    { "hash-report", "vhost-net", 57, "hash", "" },
    { "rsc-ext", "vhost-net", 61, "guest_rsc_ext", "" },
    { "seqpacket", "vhost-vsock", 1, "seqpacket",
      "linux-6.1 linux-6.12 linux-6.18 " },
    { "ring-reset", "vhost-vsock", 40, "queue_reset", "" },
    { "ring-packed", "vhost-vsock", 34, "packed", "" },
    { "ring-reset", "vhost-scsi", 40, "queue_reset", "" },
    { "in-order", "vhost-scsi", 35, "in_order", "" },
};

static void test_features(void)
{
    g_assert_cmpuint(ARRAY_SIZE(features), ==, kernel_features_count);
    for (size_t i = 0; i < kernel_features_count; i++) {
        const KernelFeature *row = &kernel_features[i];
        g_autoptr(GString) floors = g_string_new(NULL);

        g_test_message("%s of %s", features[i].name, features[i].backend);
        g_assert_cmpstr(row->name, ==, features[i].name);
        g_assert_cmpstr(kernel_backend_name(row->backend), ==,
                        features[i].backend);
        g_assert_cmpuint(row->bit, ==, features[i].bit);
        g_assert_cmpstr(row->property, ==, features[i].property);
        for (size_t j = 0; j < kernel_floors_count; j++) {
            if (kernel_floor_has(&kernel_floors[j], row)) {
                g_string_append_printf(floors, "%s ", kernel_floors[j].name);
            }
        }
        g_assert_cmpstr(floors->str, ==, features[i].floors);
    }
}

/* Two features of a driver share neither a bit nor a property. */
static void test_distinct(void)
{
    for (size_t i = 0; i < kernel_features_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const KernelFeature *a = &kernel_features[i];
            const KernelFeature *b = &kernel_features[j];

            if (!strcmp(a->driver, b->driver)) {
                g_assert_cmphex(kernel_feature_mask(a) & kernel_feature_mask(b),
                                ==, 0);
                g_assert_cmpstr(a->property, !=, b->property);
                g_assert_cmpstr(a->name, !=, b->name);
            }
        }
    }
}

static void test_floors(void)
{
    for (size_t i = 0; i < kernel_floors_count; i++) {
        const KernelFloor *floor = &kernel_floors[i];
        unsigned version = 0;

        g_assert_true(kernel_floor_by_name(floor->name) == floor);
        g_assert_true(kernel_floor_parse(floor->name, &error_abort) == floor);
        g_assert_true(kernel_floor_parse_version(floor->name, &version) ==
                      !!floor->version);
        g_assert_cmpuint(version, ==, floor->version);
        if (i) {
            g_assert_cmpuint(floor->version, >, floor[-1].version);
            g_assert_true(kernel_floor_until(floor->version) == floor);
            g_assert_true(kernel_floor_until(floor->version - 1) ==
                          (i > 1 ? floor - 1 : NULL));
            g_assert_true(kernel_floor_from(floor->version) == floor);
            g_assert_true(kernel_floor_from(floor[-1].version + 1) == floor);
        }
    }
    g_assert_null(kernel_floor_until(0));
    g_assert_null(kernel_floor_from(UINT_MAX));
}

static void test_versions(void)
{
    static const struct {
        const char *text;
        unsigned version;
    } cases[] = {
        { "6.4", LINUX_VERSION_OF(6, 4) }, { "7", LINUX_VERSION_OF(7, 0) },
        { "6.12.107+deb13", LINUX_VERSION_OF(6, 12) },
        { "", 0 }, { "-6.4", 0 }, { " 6.4", 0 }, { "v6", 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned version = 0;

        g_assert_true(kernel_version_parse(cases[i].text, &version) ==
                      !!cases[i].version);
        g_assert_cmphex(version, ==, cases[i].version);
    }
}

#define FLOORS "(none, linux-5.10, linux-6.1, linux-6.12, linux-6.18)"

static const struct {
    const char *text;
    const char *error;
} bad[] = {
    { "linux-6.2", "kernel-floor: 'linux-6.2' is not a floor " FLOORS
      "; use kernel-floor=linux-6.1, the newest floor below it" },
    { "linux-7.3", "kernel-floor: 'linux-7.3' is not a floor " FLOORS
      "; use kernel-floor=linux-6.18, the newest floor below it" },
    { "linux-4.19", "kernel-floor: 'linux-4.19' is not a floor " FLOORS
      "; use kernel-floor=none, as no floor is so old" },
    { "linux-99999999999999999999", "kernel-floor: "
      "'linux-99999999999999999999' is not a floor " FLOORS
      "; use kernel-floor=linux-6.18, the newest floor below it" },
    { "linux6.1", "kernel-floor: 'linux6.1' is not a floor " FLOORS
      "; did you mean 'linux-6.1'?" },
    { "non", "kernel-floor: 'non' is not a floor " FLOORS
      "; did you mean 'none'?" },
    { "host", "kernel-floor: 'host' is not a floor " FLOORS },
    { "", "kernel-floor: '' is not a floor " FLOORS },
    { "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
      "kernel-floor: 'abcdefghijklmnopqrstuvwxyzabcdef' is not a floor "
      FLOORS },
};

static void test_errors(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        Error *err = NULL;

        g_assert_null(kernel_floor_parse(bad[i].text, &err));
        g_assert_cmpstr(error_get_pretty(err), ==, bad[i].error);
        error_free(err);
    }
}

/* The table in the help is read by guest-abi-probe. */
static void test_help(void)
{
    g_autofree char *help = kernel_floor_help();

    g_assert_nonnull(strstr(help, "\n  linux-6.12   hosts from Linux 6.12 on"
                            "\n"));
    for (size_t i = 0; i < kernel_features_count; i++) {
        const KernelFeature *row = &kernel_features[i];
        g_autofree char *since = kernel_version_format(row->since);
        g_autofree char *pattern = g_strdup_printf(
            "\n  %s +%s +bit %u +Linux %s +%s\n", row->name,
            kernel_backend_name(row->backend), row->bit, since, row->property);

        g_assert_true(g_regex_match_simple(pattern, help, 0, 0));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kernel-floor/features", test_features);
    g_test_add_func("/kernel-floor/distinct", test_distinct);
    g_test_add_func("/kernel-floor/floors", test_floors);
    g_test_add_func("/kernel-floor/versions", test_versions);
    g_test_add_func("/kernel-floor/errors", test_errors);
    g_test_add_func("/kernel-floor/help", test_help);
    return g_test_run();
}
