/*
 * Unit tests of the service table, HvcSet and the hvc-services language
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/arm/hvc/floors.h"
#include "hw/arm/hvc/spec.h"
#include "migration/kernel-floor.h"
#include "target/arm/hvc/implementations.h"
#include "target/arm/hvc/services.h"

#define PSCI(major, minor) HVC_PSCI_VERSION(major, minor)

/* Literal values, so that a wrong value in hvc_services[] is found */
typedef struct SpecCase {
    const char *spec;
    HvcSet set;
    const char *format;
} SpecCase;

static const SpecCase good[] = {
    { "none",                       { { 0, 0, 0, 0 }, PSCI(1, 1) }, "none" },
    { "linux-5.10",           { { 0, 0, 0, 0 }, PSCI(1, 0) }, "linux-5.10" },
    { "linux-6.1",             { { 1, 1, 3, 0 }, PSCI(1, 1) }, "linux-6.1" },
    { "linux-6.12",            { { 1, 1, 3, 0 }, PSCI(1, 1) }, "linux-6.1" },
    { "linux-6.18",           { { 1, 1, 3, 0 }, PSCI(1, 3) }, "linux-6.18" },
    { "trng",                 { { 1, 0, 0, 0 }, PSCI(1, 1) }, "none:+trng" },
    { "+trng",                { { 1, 0, 0, 0 }, PSCI(1, 1) }, "none:+trng" },
    { "trng:trng",            { { 1, 0, 0, 0 }, PSCI(1, 1) }, "none:+trng" },
    { "pv-time",           { { 0, 1, 0, 0 }, PSCI(1, 1) }, "none:+pv-time" },
    { "vendor-features", { { 0, 0, 1, 0 }, PSCI(1, 1) },
      "none:+vendor-features" },
    { "ptp",                   { { 0, 0, 2, 0 }, PSCI(1, 1) }, "none:+ptp" },
    { "none:-trng",                 { { 0, 0, 0, 0 }, PSCI(1, 1) }, "none" },
    { "-trng:ptp",             { { 0, 0, 2, 0 }, PSCI(1, 1) }, "none:+ptp" },
    { "none:-trng:+ptp",       { { 0, 0, 2, 0 }, PSCI(1, 1) }, "none:+ptp" },
    { "trng:vendor-features:ptp", { { 1, 0, 3, 0 }, PSCI(1, 1) },
      "linux-6.1:-pv-time" },
    { "linux-6.1:-ptp",   { { 1, 1, 1, 0 }, PSCI(1, 1) }, "linux-6.1:-ptp" },
    { "linux-6.12:-trng:-pv-time", { { 0, 0, 3, 0 }, PSCI(1, 1) },
      "none:+vendor-features:+ptp" },
    { "linux-6.18:-trng", { { 0, 1, 3, 0 }, PSCI(1, 3) },
      "linux-6.18:-trng" },
    { "linux-5.10:trng",    { { 1, 0, 0, 0 }, PSCI(1, 0) },
      "linux-5.10:+trng" },
    { "linux-6.18:-trng:-pv-time:-vendor-features:-ptp",
      { { 0, 0, 0, 0 }, PSCI(1, 3) },
      "linux-6.18:-trng:-pv-time:-vendor-features:-ptp" },
};

static void test_parse(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        HvcSet set = { .bmap = { 99, 99, 99, 99 } };
        bool pinned = false;

        g_test_message("%s", good[i].spec);
        g_assert_true(hvc_spec_parse(good[i].spec, &pinned, &set,
                                     &error_abort));
        g_assert_true(pinned);
        g_assert_true(hvc_set_equal(&set, &good[i].set));
    }
}

static void test_host(void)
{
    HvcSet set = { { 4, 3, 2, 1 }, 7 };
    HvcSet before = set;
    bool pinned = true;

    g_assert_true(hvc_spec_parse("host", &pinned, &set, &error_abort));
    g_assert_false(pinned);
    g_assert_true(hvc_set_equal(&set, &before));
}

static void test_format(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        g_autofree char *format = hvc_spec_format(&good[i].set);

        g_assert_cmpstr(format, ==, good[i].format);
    }
}

/* With a SPEC's own floor, whatever else it says */
static void test_format_like(void)
{
    static const struct {
        const char *spec;
        HvcSet set;
        const char *format;
    } like[] = {
        { "linux-6.12", { { 1, 1, 3, 0 } }, "linux-6.12" },
        { "linux-6.12", { { 1, 0, 3, 0 } }, "linux-6.12:-pv-time" },
        { "linux-6.18:-ptp", { { 1, 0, 1, 0 } }, "linux-6.18:-pv-time:-ptp" },
        { "linux-5.10:+trng", { { 1, 1, 0, 0 } },
          "linux-5.10:+trng:+pv-time" },
        { "trng:pv-time", { { 1, 0, 0, 0 } }, "none:+trng" },
        { "pv-time", { { 0, 0, 0, 0 } }, "none" },
        { "none", { { 0, 1, 0, 0 } }, "none:+pv-time" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(like); i++) {
        g_autofree char *format = hvc_spec_format_like(like[i].spec,
                                                       &like[i].set);
        bool pinned;
        HvcSet again;

        g_assert_cmpstr(format, ==, like[i].format);
        hvc_spec_parse(format, &pinned, &again, &error_abort);
        g_assert_cmpint(memcmp(again.bmap, like[i].set.bmap,
                               sizeof(again.bmap)), ==, 0);
    }
}

static void test_has_kernel(void)
{
    g_assert_true(hvc_spec_has_kernel("linux-5.10"));
    g_assert_true(hvc_spec_has_kernel("linux-6.12:-ptp"));
    g_assert_false(hvc_spec_has_kernel("none"));
    g_assert_false(hvc_spec_has_kernel("none:+trng"));
    g_assert_false(hvc_spec_has_kernel("trng"));
}

/* Parse a text of hvc_spec_format(), which may end in psci-version=. */
static HvcSet reparse(const char *format)
{
    g_auto(GStrv) parts = g_strsplit(format, ",psci-version=", 2);
    bool pinned;
    HvcSet set;

    hvc_spec_parse(parts[0], &pinned, &set, &error_abort);
    if (parts[1]) {
        hvc_psci_version_parse(parts[1], &set.psci_version, &error_abort);
    }
    return set;
}

static void test_round_trip(void)
{
    unsigned sets = 1U << hvc_services_count;

    for (unsigned bits = 0; bits < sets; bits++) {
        for (const HvcPsciVersion *psci = hvc_psci_versions; psci->version;
             psci++) {
            g_autofree char *format = NULL;
            HvcSet set = { .psci_version = psci->version };
            HvcSet again;

            for (size_t i = 0; i < hvc_services_count; i++) {
                if (bits >> i & 1) {
                    set.bmap[hvc_services[i].reg] |=
                        hvc_service_mask(&hvc_services[i]);
                }
            }
            format = hvc_spec_format(&set);
            again = reparse(format);
            g_test_message("%s", format);
            g_assert_true(hvc_set_equal(&set, &again));
        }
    }
}

typedef struct BadCase {
    const char *spec;
    const char *error; /* a pattern of g_pattern_match_simple() */
} BadCase;

static const BadCase bad[] = {
    { "", "*is empty; use 'none'*'host'*" },
    { ":", "*item 1 of ':' is empty*" },
    { "trng:", "*item 2 of 'trng:' is empty*" },
    { ":trng", "*item 1 of ':trng' is empty*" },
    { "trng::ptp", "*item 2 of 'trng::ptp' is empty*" },
    { "linux-6.1:", "*item 2 of 'linux-6.1:' is empty*" },
    { "+", "*item 1 of '+' is empty*" },
    { "trng:-", "*item 2 of 'trng:-' is empty*" },
    { "trgn", "*'trgn' is neither a service (trng, pv-time, vendor-features, "
      "ptp, implementation-cpus, mem-share) nor a floor (none, linux-5.10, "
      "linux-6.1, linux-6.12, linux-6.18)"
      "; did you mean 'trng'?" },
    /* Kernels without a floor of their own, and what is beside them */
    { "linux-6.2", "*'linux-6.2' is neither*; use hvc-services=linux-6.1, the "
      "newest floor below it" },
    { "linux-6.17", "*; use hvc-services=linux-6.12, the newest floor*" },
    { "linux-6.12.107+deb13", "*; use hvc-services=linux-6.12, the newest*" },
    { "linux-7", "*; use hvc-services=linux-6.18, the newest floor below it" },
    { "linux-7.0:-ptp:trng", "*'linux-7.0' is neither*; use hvc-services="
      "linux-6.18:-ptp:trng, the newest floor below it" },
    { "trng:linux-7.0", "*; use hvc-services=linux-6.18, the newest*" },
    { "linux-9999.9999", "*; use hvc-services=linux-6.18, the newest*" },
    { "linux-99999999999999.1", "*; use hvc-services=linux-6.18, the newest*" },
    { "linux-5.4", "*; use hvc-services=none, as no floor is so old" },
    { "linux-0", "*; use hvc-services=none, as no floor is so old" },
    { "linux-", "*'linux-' is neither*linux-6.18)*" },
    { "linux6.1", "*'linux6.1' is neither*; did you mean 'linux-6.1'?" },
    /* Nothing but removals */
    { "-ptp", "*'-ptp' only removes services*; start with a floor, as in "
      "hvc-services=linux-6.1:-ptp" },
    { "-ptp:-trng", "*'-ptp:-trng' only removes services*; start with a "
      "floor, as in hvc-services=linux-6.1:-trng:-ptp" },
    { "-trng:-trng", "*as in hvc-services=linux-6.1:-trng" },
    { "pvtime", "*'pvtime' is neither*; did you mean 'pv-time'?" },
    { "vendor-feature", "*did you mean 'vendor-features'?" },
    { "TRNG", "*'TRNG' is neither*linux-6.18)" },
    { "zzzzzzzz", "*'zzzzzzzz' is neither*linux-6.18)" },
    { "--trng", "*'-trng' is neither*" },
    { "trng ", "*'trng ' is neither*did you mean 'trng'?" },
    { "trng:linux-6.1", "*floor 'linux-6.1' must be the first item*" },
    { "linux-6.1:linux-6.12", "*floor 'linux-6.12' must be the first item*" },
    { "trng:none", "*floor 'none' must be the first item*" },
    { "+linux-6.1", "*floor 'linux-6.1' takes no sign*" },
    { "trng:-linux-6.1", "*floor 'linux-6.1' takes no sign*" },
    { "trng:-trng", "*'trng' is both added and removed*" },
    { "linux-6.1:-ptp:trng:+ptp", "*'ptp' is both added and removed*" },
    { "host:trng", "*'host' cannot be mixed*" },
    { "trng:host", "*'host' cannot be mixed*" },
    { "linux-6.1:host", "*'host' cannot be mixed*" },
    { "host:host", "*'host' cannot be mixed*" },
    { "-host", "*'host' takes no sign*" },
    { "help", "*'help' is neither*" },
};

static void test_errors(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        HvcSet set = { { 4, 3, 2, 1 }, 7 };
        HvcSet before = set;
        bool pinned = false;
        Error *err = NULL;

        g_assert_false(hvc_spec_parse(bad[i].spec, &pinned, &set, &err));
        g_test_message("'%s': %s", bad[i].spec, error_get_pretty(err));
        g_assert_true(g_pattern_match_simple(bad[i].error,
                                             error_get_pretty(err)));
        g_assert_true(g_str_has_prefix(error_get_pretty(err),
                                       "hvc-services"));
        g_assert_false(pinned);
        g_assert_true(hvc_set_equal(&set, &before));
        error_free(err);
    }
}

/* A SPEC that comes over QMP may have any size and content. */
static void test_hostile(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(0x0028);
    g_autofree char *huge = g_strnfill(1 << 20, 'x');
    static const char alphabet[] = "+-:.lnux6trgpvimeds\x01\xff";
    HvcSet set = { };
    bool pinned = false;
    Error *err = NULL;

    g_assert_false(hvc_spec_parse(huge, &pinned, &set, &err));
    g_assert_cmpuint(strlen(error_get_pretty(err)), <, 256);
    error_free(err);

    for (int i = 0; i < 20000; i++) {
        char spec[80] = "";
        int len = g_rand_int_range(rand, 0, sizeof(spec));

        for (int j = 0; j < len; j++) {
            spec[j] = alphabet[g_rand_int_range(rand, 0,
                                                sizeof(alphabet) - 1)];
        }
        err = NULL;
        if (!hvc_spec_parse(spec, &pinned, &set, &err)) {
            g_assert_nonnull(err);
            error_free(err);
        }
    }
}

static void test_psci_version(void)
{
    static const struct {
        const char *text;
        uint32_t version;
    } known[] = {
        { "0.2", 0x2 }, { "1.0", 0x10000 }, { "1.1", 0x10001 },
        { "1.2", 0x10002 }, { "1.3", 0x10003 },
    };
    static const char *const unknown[] = {
        "", "0.1", "1", "1.", "1.4", "2.0", "01.1", "1.1 ", " 1.1", "1.1.1",
        "-1.1", "65536.1", "1.00", "host",
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        g_autofree char *format = hvc_psci_version_format(known[i].version);
        uint32_t version = 0;

        g_assert_cmpstr(format, ==, known[i].text);
        g_assert_true(hvc_psci_version_parse(known[i].text, &version,
                                             &error_abort));
        g_assert_cmphex(version, ==, known[i].version);
    }
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        uint32_t version = 42;
        Error *err = NULL;

        g_assert_false(hvc_psci_version_parse(unknown[i], &version, &err));
        g_assert_nonnull(strstr(error_get_pretty(err),
                                "is not one of 0.2, 1.0, 1.1, 1.2, 1.3"));
        g_assert_cmpuint(version, ==, 42);
        error_free(err);
    }
}

static void test_names(void)
{
    HvcSet all = { { 0x1, 0x1, 0x3, 0x0 }, PSCI(1, 1) };
    HvcSet some = { { 0x0, 0x1, 0x1, 0x0 }, PSCI(1, 3) };
    HvcSet strange = { { 0x3, 0x0, 0x2, 1ULL << 63 }, PSCI(1, 1) };
    HvcSet nothing = { { 0 }, PSCI(1, 1) };
    HvcSet more = hvc_set_difference(&all, &some);
    HvcSet less = hvc_set_difference(&some, &all);
    g_autofree char *all_names = hvc_set_services(&all);
    g_autofree char *more_names = hvc_set_services(&more);
    g_autofree char *less_names = hvc_set_services(&less);
    g_autofree char *strange_names = hvc_set_services(&strange);

    g_assert_cmpstr(all_names, ==, "trng:pv-time:vendor-features:ptp");
    g_assert_cmpstr(more_names, ==, "trng:ptp");
    g_assert_cmpstr(less_names, ==, "none");
    g_assert_cmpstr(strange_names, ==, "trng:ptp:std bit 1:vendor-hyp-2 bit "
                    "63");
    g_assert_true(hvc_set_is_empty(&nothing));
    g_assert_true(hvc_set_is_empty(&less));
    g_assert_false(hvc_set_is_empty(&strange));
    g_assert_false(hvc_set_equal(&all, &some));
    some = all;
    g_assert_true(hvc_set_equal(&all, &some));
    some.psci_version = PSCI(1, 3);
    g_assert_false(hvc_set_equal(&all, &some));
}

static void test_help(void)
{
    g_autofree char *help = hvc_spec_help();

    for (size_t i = 0; i < hvc_services_count; i++) {
        g_assert_nonnull(strstr(help, hvc_services[i].name));
        g_assert_nonnull(strstr(help, hvc_services[i].help));
        g_assert_nonnull(strstr(help, hvc_services[i].kernel));
    }
    for (size_t i = 0; i < hvc_floors_count; i++) {
        g_assert_nonnull(strstr(help, hvc_floors[i].name));
        g_assert_nonnull(strstr(help, kernel_floors[i].help));
    }
    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        g_autofree char *version = hvc_psci_version_format(row->version);
        g_autofree char *line = g_strdup_printf("  %-19s Linux %s", version,
                                                row->kernel);

        g_assert_nonnull(strstr(help, line));
    }
    g_assert_nonnull(strstr(help, "by QEMU from Linux 6.4 on"));
    /* Of floors, that QEMU has a part in one of them only */
    g_assert_nonnull(strstr(help, "  linux-6.12   hosts from Linux 6.12 on   "
                            "PSCI 1.1  trng:pv-time:vendor-features:ptp\n"));
    g_assert_nonnull(strstr(help, "  linux-6.18   hosts from Linux 6.18 on   "
                            "PSCI 1.3  trng:pv-time:vendor-features:ptp "
                            "(PSCI by QEMU from Linux 6.4 on)\n"));
    g_assert_nonnull(strstr(help, "finds ptp only with it (0x86000000 by QEMU "
                            "with implementation-cpus before Linux 6.15, with "
                            "mem-share)\n"));
    g_assert_nonnull(strstr(help, "counter\n"));
}

/* Add the function ids of a table; each must be new. */
static void add_ids(GHashTable *ids, const HvcFunction *function)
{
    for (; function->id; function++) {
        g_test_message("%08x", function->id);
        g_assert_nonnull(function->handler);
        g_assert_true(g_hash_table_add(ids, GUINT_TO_POINTER(function->id)));
    }
}

static void test_table(void)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    uint64_t bits[HVC_REGISTERS] = { };

    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];

        g_assert_true(g_hash_table_add(names, (gpointer)service->name));
        g_assert_true(hvc_service_by_name(service->name) == service);
        g_assert_cmpuint(service->reg, <, HVC_REGISTERS);
        g_assert_cmpuint(service->bit, <, 64);
        g_assert_cmphex(bits[service->reg] & hvc_service_mask(service), ==, 0);
        bits[service->reg] |= hvc_service_mask(service);
        g_assert_true(service->functions->id);
        add_ids(ids, service->functions);
        g_assert_true(service->by_qemu || !service->bits_kernel);
        g_assert_true(!service->by_qemu ||
                      !strcmp(service->kernel, HVC_HAND_OVER_KERNEL));
        for (const HvcFunction *function = service->functions; function->id;
             function++) {
            g_assert_true(function->by_qemu || !service->by_qemu);
        }
    }
    add_ids(ids, hvc_arch_functions);
    add_ids(ids, hvc_psci_functions);
    g_assert_null(hvc_service_by_name("nothing"));

    g_assert_cmpuint(hvc_floors_count, ==, kernel_floors_count);
    for (size_t i = 0; i < hvc_floors_count; i++) {
        g_autofree char *services = hvc_set_services(&hvc_floors[i].set);

        g_assert_cmpstr(hvc_floors[i].name, ==, kernel_floors[i].name);
        /* Floors and services have different names; each bit has a service. */
        g_assert_true(g_hash_table_add(names, (gpointer)hvc_floors[i].name));
        g_assert_null(strstr(services, " bit "));
    }

    /* KVM's bits: Linux arch/arm64/include/uapi/asm/kvm.h */
    g_assert_cmphex(bits[HVC_STD_BMAP], ==, 0x1);
    g_assert_cmphex(bits[HVC_STD_HYP_BMAP], ==, 0x1);
    /* and, of pKVM, ARM_SMCCC_KVM_FUNC_HYP_MEMINFO to _MEM_UNSHARE */
    g_assert_cmphex(bits[HVC_VENDOR_HYP_BMAP], ==, 0x1f);
    g_assert_cmphex(bits[HVC_VENDOR_HYP_BMAP_2], ==, 0x3);

    g_assert_true(hvc_service_has_function(hvc_service_by_name("trng"),
                                           0xc4000053));
    g_assert_false(hvc_service_has_function(hvc_service_by_name("trng"),
                                            0x1c4000053));
    g_assert_false(hvc_service_has_function(hvc_service_by_name("trng"), 0));
}

/* kernel-floor= beside services */

static void check_kernel(const char *spec, uint32_t psci_version,
                         const char *floor, const char *refusal)
{
    HvcSet set;
    bool pinned, ok;
    Error *err = NULL;

    g_assert_true(hvc_spec_parse(spec, &pinned, &set, &error_abort));
    set.psci_version = psci_version ?: set.psci_version;
    ok = hvc_spec_check_kernel(spec, &set, kernel_floor_by_name(floor), &err);
    g_assert_cmpstr(err ? error_get_pretty(err) : NULL, ==, refusal);
    g_assert_true(ok == !refusal);
    error_free(err);
}

#define BEYOND(spec, floor, linux, names, remedy) \
    "hvc-services=" spec " contradicts kernel-floor=" floor ": no host " \
    "before Linux " linux " can give a guest '" names "'; use " remedy
#define BEYOND_PSCI(version, floor, linux, remedy) \
    "psci-version=" version " contradicts kernel-floor=" floor ": no host " \
    "before Linux " linux " can give a guest PSCI " version "; use " remedy

static void test_check_kernel(void)
{
    static const struct {
        const char *spec;
        uint32_t psci_version;
        const char *floor;
        const char *refusal;
    } cases[] = {
        { "linux-6.1:+implementation-cpus", 0, "linux-6.1",
          BEYOND("linux-6.1:+implementation-cpus", "linux-6.1", "6.4",
                 "implementation-cpus",
                 "hvc-services=linux-6.1, or kernel-floor=linux-6.12") },
        { "ptp:mem-share:implementation-cpus", 0, "linux-6.1",
          BEYOND("ptp:mem-share:implementation-cpus", "linux-6.1", "6.4",
                 "implementation-cpus:mem-share",
                 "hvc-services=none:+ptp, or kernel-floor=linux-6.12") },
        { "linux-5.10:trng", 0, "linux-5.10",
          BEYOND("linux-5.10:trng", "linux-5.10", "5.19", "trng",
                 "hvc-services=linux-5.10, or kernel-floor=linux-6.1") },
        { "trng:mem-share", 0, "linux-5.10",
          BEYOND("trng:mem-share", "linux-5.10", "6.4", "trng:mem-share",
                 "hvc-services=none, or kernel-floor=linux-6.12") },
        { "linux-6.1:+implementation-cpus", 0, "linux-6.12" },
        { "linux-6.12:+implementation-cpus:+mem-share", PSCI(1, 3),
          "linux-6.12" },
        { "linux-6.1", PSCI(1, 2), "linux-6.1",
          BEYOND_PSCI("1.2", "linux-6.1", "6.4",
                      "psci-version=1.1, or kernel-floor=linux-6.12") },
        { "linux-6.1", PSCI(1, 3), "linux-6.1",
          BEYOND_PSCI("1.3", "linux-6.1", "6.4",
                      "psci-version=1.1, or kernel-floor=linux-6.12") },
        { "linux-5.10", PSCI(1, 1), "linux-5.10",
          BEYOND_PSCI("1.1", "linux-5.10", "5.18",
                      "psci-version=1.0, or kernel-floor=linux-6.1") },
        { "linux-5.10", PSCI(0, 2), "linux-5.10" },
        /* "none" names no kernel. */
        { "linux-6.12:+implementation-cpus", PSCI(1, 3), "none" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        check_kernel(cases[i].spec, cases[i].psci_version, cases[i].floor,
                     cases[i].refusal);
    }
    for (size_t i = 0; i < hvc_floors_count; i++) {
        check_kernel(hvc_floors[i].name, 0, hvc_floors[i].name, NULL);
    }
}

/* The oldest floor at which each service can be had: literal, as above */
static void test_floor_for(void)
{
    static const struct {
        const char *service, *floor;
    } cases[] = {
        { "trng", "linux-6.1" }, { "pv-time", "linux-6.1" },
        { "vendor-features", "linux-6.1" }, { "ptp", "linux-6.1" },
        { "implementation-cpus", "linux-6.12" }, { "mem-share", "linux-6.12" },
    };

    g_assert_cmpuint(ARRAY_SIZE(cases), ==, hvc_services_count);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const HvcService *service = hvc_service_by_name(cases[i].service);
        const KernelFloor *needed = hvc_spec_floor_for(service);

        g_assert_cmpstr(needed->name, ==, cases[i].floor);
        for (size_t j = 0; j < kernel_floors_count; j++) {
            const KernelFloor *floor = &kernel_floors[j];
            HvcSet set = { .psci_version = PSCI(0, 2) };
            Error *err = NULL;

            set.bmap[service->reg] = hvc_service_mask(service);
            g_assert_true(hvc_spec_check_kernel("none", &set, floor, &err) ==
                          (!floor->version ||
                           floor->version >= needed->version));
            error_free(err);
        }
    }
}

/* implementation-cpus= */

static void test_implementations(void)
{
    static const struct {
        const char *text, *again;
    } lists[] = {
        { "0x410fd490", "0x410fd490/0x0/0x0" },
        { "1091556497/5", "0x410fd491/0x5/0x0" },
        { "0x414fd0c1/0x0/0xffffffffffffffff:0xffffffff/1/2",
          "0x414fd0c1/0x0/0xffffffffffffffff:0xffffffff/0x1/0x2" },
        /* One part differs: another CPU to its guest. */
        { "1:1/1:1/0/1", "0x1/0x0/0x0:0x1/0x1/0x0:0x1/0x0/0x1" },
    };
    static const struct {
        const char *text, *error;
    } wrong[] = {
        { "", "*is empty; needed: MIDR*" },
        { "0", "implementation-cpus: item 1, '0', has MIDR_EL1 = 0x0; needed: "
          "a number of 32 bits that is not 0; write "
          "MIDR_EL1[/REVIDR_EL1[/AIDR_EL1]] of each, as in "
          "0x410fd490/0x0/0x0" },
        { "0x100000000", "*item 1, '0x100000000', has MIDR_EL1 = "
          "0x100000000; *" },
        { "1:", "*item 2 is ''*" },
        { "1:2/3/4/5", "*item 2 is '2/3/4/5'*" },
        { "1/", "*item 1 is '1/'*" },
        { "-1", "*item 1 is '-1'*" },
        { " 1", "*item 1 is ' 1'*" },
        { "1x", "*item 1 is '1x'*" },
        { "1/0x10000000000000000", "*item 1 is*" },
        { "neoverse-n1", "*item 1 is 'neoverse-n1'*" },
        { "1:2:1/0", "*item 3, '1/0', is 0x1/0x0/0x0, which is there already; "
          "needed: each CPU once; write*" },
        { "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17",
          "implementation-cpus names 17 CPUs; needed: at most 16; leave out "
          "those that the guest will not run on" },
    };
    HvcImplementations list = { };
    g_autofree char *name = NULL, *unnamed = NULL;

    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
        g_autofree char *again = NULL;

        g_assert_true(hvc_implementations_parse(lists[i].text, &list,
                                                &error_abort));
        again = hvc_implementations_format(&list);
        g_assert_cmpstr(again, ==, lists[i].again);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        HvcImplementations before = list;
        Error *err = NULL;

        g_assert_false(hvc_implementations_parse(wrong[i].text, &list, &err));
        g_test_message("%s", error_get_pretty(err));
        g_assert_true(g_pattern_match_simple(wrong[i].error,
                                             error_get_pretty(err)));
        error_free(err);
        g_assert_false(memcmp(&before, &list, sizeof(list)));
    }
    name = hvc_implementation_describe(&(HvcImplementation) { 0x413fd0c3 });
    g_assert_cmpstr(name, ==, "Neoverse-N1, 0x413fd0c3/0x0/0x0");
    unnamed = hvc_implementation_describe(&(HvcImplementation) { 0x12345678,
                                                                 1, 2 });
    g_assert_cmpstr(unnamed, ==, "0x12345678/0x1/0x2");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hvc/spec/parse", test_parse);
    g_test_add_func("/hvc/spec/host", test_host);
    g_test_add_func("/hvc/spec/format", test_format);
    g_test_add_func("/hvc/spec/format-like", test_format_like);
    g_test_add_func("/hvc/spec/has-kernel", test_has_kernel);
    g_test_add_func("/hvc/spec/round-trip", test_round_trip);
    g_test_add_func("/hvc/spec/errors", test_errors);
    g_test_add_func("/hvc/spec/hostile", test_hostile);
    g_test_add_func("/hvc/spec/psci-version", test_psci_version);
    g_test_add_func("/hvc/spec/help", test_help);
    g_test_add_func("/hvc/set/names", test_names);
    g_test_add_func("/hvc/services/table", test_table);
    g_test_add_func("/hvc/spec/check-kernel", test_check_kernel);
    g_test_add_func("/hvc/spec/floor-for", test_floor_for);
    g_test_add_func("/hvc-spec/implementations", test_implementations);
    return g_test_run();
}
