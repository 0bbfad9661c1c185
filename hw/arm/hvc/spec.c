/*
 * The language of -machine hvc-services=SPEC,psci-version=V
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "migration/nearest-name.h"
#include "spec.h"

#define SPEC_HOST "host"

/* Longer than all names: more of an item is neither compared nor printed. */
#define NAME_MAX_LENGTH NEAREST_NAME_MAX

static void append_name(GString *names, const char *name)
{
    g_string_append_printf(names, "%s%s", names->len ? ", " : "", name);
}

/* The whole vocabulary, for messages. */
static char *list_services(void)
{
    GString *names = g_string_new(NULL);

    for (size_t i = 0; i < hvc_services_count; i++) {
        append_name(names, hvc_services[i].name);
    }
    return g_string_free(names, false);
}

static char *list_psci_versions(void)
{
    GString *names = g_string_new(NULL);

    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        g_autofree char *name = hvc_psci_version_format(row->version);

        append_name(names, name);
    }
    return g_string_free(names, false);
}

/* How hosts with an older kernel than the floor's can give its set */
static const char *psci_by_qemu(const HvcSet *set)
{
    const HvcPsciVersion *row = hvc_psci_version_row(set->psci_version);

    return row && row->by_qemu ?
           " (PSCI by QEMU from Linux " HVC_HAND_OVER_KERNEL " on)" : "";
}

static const char *nearest_item(const char *name)
{
    const char *nearest = NULL;

    for (size_t i = 0; i < hvc_services_count; i++) {
        nearest = nearest_name(name, nearest, hvc_services[i].name);
    }
    for (size_t i = 0; i < hvc_floors_count; i++) {
        nearest = nearest_name(name, nearest, hvc_floors[i].name);
    }
    return nearest;
}

/* @rest: what follows the name in the SPEC, if it is the first item */
static char *suggest(const char *name, const char *rest)
{
    const char *nearest;
    unsigned version;

    if (kernel_floor_parse_version(name, &version)) {
        const KernelFloor *floor = kernel_floor_until(version);

        return g_strdup_printf("; use hvc-services=%s%.*s, %s",
                               floor ? floor->name : HVC_FLOOR_NONE,
                               2 * NAME_MAX_LENGTH, rest,
                               floor ? "the newest floor below it"
                                     : "as no floor is so old");
    }
    nearest = nearest_item(name);
    return nearest ? g_strdup_printf("; did you mean '%s'?", nearest)
                   : g_strdup("");
}

static void unknown_name(const char *name, const char *rest, Error **errp)
{
    g_autofree char *services = list_services();
    g_autofree char *floors = kernel_floor_list();
    g_autofree char *suggestion = suggest(name, rest);

    error_setg(errp, "hvc-services: '%.*s' is neither a service (%s) nor a "
               "floor (%s)%s", NAME_MAX_LENGTH, name, services, floors,
               suggestion);
}

/*
 * One [+|-]SERVICE. @plus and @minus collect what was named with each sign;
 * @rest is as for suggest().
 */
static bool parse_service(const char *item, const char *rest, HvcSet *plus,
                          HvcSet *minus, Error **errp)
{
    bool remove = *item == '-';
    const char *name = item + (*item == '+' || *item == '-');
    const HvcService *service = hvc_service_by_name(name);
    uint64_t bit;

    if (!service && name != item && !strcmp(name, SPEC_HOST)) {
        error_setg(errp, "hvc-services: 'host' takes no sign, and stands "
                   "alone; use hvc-services=host, or a floor with services to "
                   "add (+) and to remove (-)");
        return false;
    }
    if (!service && name != item && hvc_floor_by_name(name)) {
        error_setg(errp, "hvc-services: floor '%s' takes no sign, and must be "
                   "the first item; only services are added (+) and removed "
                   "(-)", name);
        return false;
    }
    if (!service && hvc_floor_by_name(name)) {
        error_setg(errp, "hvc-services: floor '%s' must be the first item; "
                   "start with '%s' and add or remove services after it",
                   name, name);
        return false;
    }
    if (!service) {
        unknown_name(name, rest, errp);
        return false;
    }

    bit = hvc_service_mask(service);
    if ((remove ? plus : minus)->bmap[service->reg] & bit) {
        error_setg(errp, "hvc-services: '%s' is both added and removed; name "
                   "it once", name);
        return false;
    }
    (remove ? minus : plus)->bmap[service->reg] |= bit;
    return true;
}

/* Append the services that differ, as in ":-ptp" or ":+trng"; their number */
static unsigned append_changes(GString *spec, const HvcSet *from,
                               const HvcSet *to)
{
    unsigned changes = 0;

    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];
        bool is = hvc_service_in(service, from);
        bool want = hvc_service_in(service, to);

        if (is != want) {
            g_string_append_printf(spec, ":%c%s", want ? '+' : '-',
                                   service->name);
            changes++;
        }
    }
    return changes;
}

const HvcFloor *hvc_spec_floor(const char *spec)
{
    g_auto(GStrv) items = g_strsplit(spec, ":", 2);

    return items[0] ? hvc_floor_by_name(items[0]) : NULL;
}

char *hvc_spec_format_like(const char *spec, const HvcSet *set)
{
    const HvcFloor *floor = hvc_spec_floor(spec) ?:
                            hvc_floor_by_name(HVC_FLOOR_NONE);
    GString *changed = g_string_new(floor->name);

    append_changes(changed, &floor->set, set);
    return g_string_free(changed, false);
}

/* The oldest floor that has all of @removed, or else the newest one */
static const HvcFloor *floor_with(const HvcSet *removed)
{
    for (size_t i = 0; i < hvc_floors_count; i++) {
        HvcSet lacking = hvc_set_difference(removed, &hvc_floors[i].set);

        if (hvc_set_is_empty(&lacking)) {
            return &hvc_floors[i];
        }
    }
    return &hvc_floors[hvc_floors_count - 1];
}

static void refuse_removals(const char *spec, const HvcSet *removed,
                            Error **errp)
{
    const HvcFloor *floor = floor_with(removed);
    HvcSet left = hvc_set_difference(&floor->set, removed);
    g_autofree char *remedy = hvc_spec_format_like(floor->name, &left);

    error_setg(errp, "hvc-services: '%.*s' only removes services, and without "
               "a floor there is none to remove; start with a floor, as in "
               "hvc-services=%s", 2 * NAME_MAX_LENGTH, spec, remedy);
}

bool hvc_spec_parse(const char *spec, bool *pinned, HvcSet *set, Error **errp)
{
    g_auto(GStrv) items = g_strsplit(spec, ":", -1);
    const HvcFloor *floor;
    HvcSet plus = { }, minus = { }, result;
    size_t first = 1;

    if (!*spec) {
        error_setg(errp, "hvc-services is empty; use 'none' to offer no "
                   "service, 'host' for the accelerator's default");
        return false;
    }
    if (!strcmp(spec, SPEC_HOST)) {
        *pinned = false;
        return true;
    }

    floor = hvc_floor_by_name(items[0]);
    if (!floor) {
        floor = hvc_floor_by_name(HVC_FLOOR_NONE);
        first = 0;
    }
    for (size_t i = first; items[i]; i++) {
        if (!*items[i] || !strcmp(items[i], "+") || !strcmp(items[i], "-")) {
            error_setg(errp, "hvc-services: item %zu of '%.*s' is empty; items "
                       "are separated by a single ':'", i + 1,
                       2 * NAME_MAX_LENGTH, spec);
            return false;
        }
        if (!strcmp(items[i], SPEC_HOST)) {
            error_setg(errp, "hvc-services: 'host' cannot be mixed with other "
                       "items: it leaves the services to the accelerator; "
                       "start with a floor to choose them");
            return false;
        }
        if (!parse_service(items[i], i ? "" : spec + strlen(items[i]), &plus,
                           &minus, errp)) {
            return false;
        }
    }

    if (!first && hvc_set_is_empty(&plus)) {
        refuse_removals(spec, &minus, errp);
        return false;
    }

    result = floor->set;
    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        result.bmap[reg] |= plus.bmap[reg];
        result.bmap[reg] &= ~minus.bmap[reg];
    }
    *set = result;
    *pinned = true;
    return true;
}

bool hvc_spec_has_kernel(const char *spec)
{
    const HvcFloor *floor = hvc_spec_floor(spec);

    return floor && strcmp(floor->name, HVC_FLOOR_NONE);
}

unsigned hvc_spec_gic_revision(const char *spec)
{
    const HvcFloor *floor = hvc_spec_floor(spec);

    return floor ? floor->gic_revision : 0;
}

char *hvc_spec_format(const HvcSet *set)
{
    g_autoptr(GString) best = NULL;
    unsigned best_cost = UINT_MAX;

    for (size_t i = 0; i < hvc_floors_count; i++) {
        g_autoptr(GString) spec = g_string_new(hvc_floors[i].name);
        bool same_psci = hvc_floors[i].set.psci_version == set->psci_version;
        unsigned cost = append_changes(spec, &hvc_floors[i].set, set);

        if (!same_psci) {
            g_autofree char *version =
                hvc_psci_version_format(set->psci_version);

            g_string_append_printf(spec, ",psci-version=%s", version);
            /* Another PSCI version counts more than any number of services. */
            cost += hvc_services_count + 1;
        }
        if (cost < best_cost) {
            best_cost = cost;
            if (best) {
                g_string_free(best, true);
            }
            best = g_steal_pointer(&spec);
        }
    }
    return g_string_free(g_steal_pointer(&best), false);
}

bool hvc_psci_version_parse(const char *text, uint32_t *version, Error **errp)
{
    g_autofree char *versions = NULL;

    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        g_autofree char *name = hvc_psci_version_format(row->version);

        if (!strcmp(text, name)) {
            *version = row->version;
            return true;
        }
    }
    versions = list_psci_versions();
    error_setg(errp, "psci-version: '%.*s' is not one of %s",
               NAME_MAX_LENGTH, text, versions);
    return false;
}

char *hvc_psci_version_format(uint32_t version)
{
    return g_strdup_printf("%u.%u", version >> 16, version & 0xffff);
}

static unsigned parse_kernel(const char *kernel)
{
    unsigned version = 0;

    kernel_version_parse(kernel, &version);
    return version;
}

/* Of all of a set's services that a kernel cannot give, and of that kernel */
static HvcSet services_beyond(const HvcSet *set, const KernelFloor *floor,
                              unsigned *needed)
{
    HvcSet beyond = { };

    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];
        unsigned kernel = parse_kernel(service->kernel);

        if (hvc_service_in(service, set) && kernel > floor->version) {
            beyond.bmap[service->reg] |= hvc_service_mask(service);
            *needed = MAX(*needed, kernel);
        }
    }
    return beyond;
}

static unsigned kernel_of_psci(const HvcPsciVersion *row)
{
    unsigned kernel = parse_kernel(row->kernel);

    return row->by_qemu ? MIN(kernel, parse_kernel(HVC_HAND_OVER_KERNEL))
                        : kernel;
}

/* As the end of a remedy: a floor that can give it */
static char *or_floor(unsigned needed)
{
    const KernelFloor *floor = kernel_floor_from(needed);

    return floor ? g_strdup_printf(", or kernel-floor=%s", floor->name)
                 : g_strdup("");
}

static bool check_services(const char *spec, const HvcSet *set,
                           const KernelFloor *floor, Error **errp)
{
    unsigned needed = 0;
    HvcSet beyond = services_beyond(set, floor, &needed);
    HvcSet left = hvc_set_difference(set, &beyond);
    g_autofree char *services = hvc_set_services(&beyond);
    g_autofree char *kernel = kernel_version_format(needed);
    g_autofree char *remedy = hvc_spec_format_like(spec, &left);
    g_autofree char *or = or_floor(needed);

    if (!needed) {
        return true;
    }
    error_setg(errp, "hvc-services=%s contradicts kernel-floor=%s: no host "
               "before Linux %s can give a guest '%s'; use hvc-services=%s%s",
               spec, floor->name, kernel, services, remedy, or);
    return false;
}

static bool check_psci_version(uint32_t version, const KernelFloor *floor,
                               Error **errp)
{
    const HvcPsciVersion *wanted = hvc_psci_version_row(version);
    const HvcPsciVersion *given = hvc_psci_versions;
    unsigned needed = kernel_of_psci(wanted);
    g_autofree char *text = hvc_psci_version_format(version);
    g_autofree char *kernel = kernel_version_format(needed);
    g_autofree char *or = or_floor(needed);
    g_autofree char *remedy = NULL;

    if (needed <= floor->version) {
        return true;
    }
    while (given[1].version && kernel_of_psci(&given[1]) <= floor->version) {
        given++;
    }
    remedy = hvc_psci_version_format(given->version);
    error_setg(errp, "psci-version=%s contradicts kernel-floor=%s: no host "
               "before Linux %s can give a guest PSCI %s; use "
               "psci-version=%s%s", text, floor->name, kernel, text, remedy,
               or);
    return false;
}

bool hvc_spec_check_kernel(const char *spec, const HvcSet *set,
                           const KernelFloor *floor, Error **errp)
{
    return !floor->version ||
           (check_services(spec, set, floor, errp) &&
            check_psci_version(set->psci_version, floor, errp));
}

const KernelFloor *hvc_spec_floor_for(const HvcService *service)
{
    return kernel_floor_from(parse_kernel(service->kernel));
}

static void append_floors(GString *help)
{
    for (size_t i = 0; i < hvc_floors_count; i++) {
        const KernelFloor *floor = kernel_floor_by_name(hvc_floors[i].name);
        g_autofree char *services = hvc_set_services(&hvc_floors[i].set);
        g_autofree char *psci =
            hvc_psci_version_format(hvc_floors[i].set.psci_version);

        g_string_append_printf(help, "  %-12s %-26s PSCI %s  %s%s\n",
                               hvc_floors[i].name, floor->help, psci,
                               services, psci_by_qemu(&hvc_floors[i].set));
    }
}

char *hvc_spec_floor_help(void)
{
    g_autoptr(GString) help = g_string_new(
        "\nHypercall services that a floor gives, if hvc-services does not "
        "name others\n");

    append_floors(help);
    return g_string_free(g_steal_pointer(&help), false);
}

/* Which functions of a service of the kernel's QEMU answers, and when */
static void append_shown_by_qemu(GString *help, const HvcService *service)
{
    for (const HvcFunction *function = service->functions; function->id;
         function++) {
        bool any = false;

        for (size_t i = 0; i < hvc_services_count; i++) {
            const HvcService *other = &hvc_services[i];

            if (!hvc_function_shows(function, other)) {
                continue;
            }
            if (!any) {
                g_string_append_printf(help, " (0x%08" PRIx32 " by QEMU",
                                       function->id);
            }
            g_string_append_printf(help, "%s with %s", any ? "," : "",
                                   other->name);
            if (other->bits_kernel) {
                g_string_append_printf(help, " before Linux %s",
                                       other->bits_kernel);
            }
            any = true;
        }
        g_string_append(help, any ? ")" : "");
    }
}

char *hvc_spec_help(void)
{
    g_autoptr(GString) help = g_string_new(
        "hvc-services=host             not pinned: the accelerator's default\n"
        "hvc-services=ITEM[:ITEM...]   read left to right\n"
        "  ITEM is a floor (first item only), or a service with an optional\n"
        "  sign: SERVICE or +SERVICE adds it, -SERVICE removes it. Without a\n"
        "  floor the list starts from 'none'.\n"
        "\n"
        "Floors: what every host from that kernel on can give\n");

    append_floors(help);
    g_string_append(help, "\nServices: firmware register and bit, the first "
                    "Linux whose KVM lets a VM have it\n");
    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];
        g_autofree char *bits = service->bits ?
            g_strdup_printf("bits %u-%u", service->bit,
                            service->bit + service->bits - 1) :
            g_strdup_printf("bit %u", service->bit);

        g_string_append_printf(help, "  %-19s %-12s %-8s Linux %-5s  %s%s",
                               service->name, hvc_register_name(service->reg),
                               bits, service->kernel, service->help,
                               service->by_qemu ? " (by QEMU)" : "");
        append_shown_by_qemu(help, service);
        g_string_append_c(help, '\n');
    }
    g_string_append(help, "\nPSCI: psci-version=V, the first Linux whose KVM "
                    "has it; default: the floor's\n");
    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        g_autofree char *version = hvc_psci_version_format(row->version);

        g_string_append_printf(help, "  %-19s Linux %s%s\n", version,
                               row->kernel, row->by_qemu ? "; by QEMU from "
                               "Linux " HVC_HAND_OVER_KERNEL " on" : "");
    }
    return g_string_free(g_steal_pointer(&help), false);
}
