/*
 * Prints the manual's tables of services, floors, and who serves them, from the
 * tables in code
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The output is docs/system/arm/hvc-services-table.rst.inc; a test compares
 * the two. Pages include it in parts, by the comments before them.
 */

#include "qemu/osdep.h"
#include "hw/arm/hvc/floors.h"
#include "hw/arm/hvc/spec.h"
#include "migration/kernel-floor.h"
#include "target/arm/hvc/services.h"

static void print_row(const char *const *cells)
{
    for (const char *const *cell = cells; *cell; cell++) {
        printf("   %s %s\n", cell == cells ? "* -" : "  -", *cell);
    }
}

/* @part: for pages that include one part of the output */
static void print_part(const char *part)
{
    printf("\n.. Part: %s\n", part);
}

static void print_table(const char *title, const char *widths)
{
    printf("\n.. list-table:: %s\n   :header-rows: 1\n   :widths: %s\n\n",
           title, widths);
}

static char *function_ids(const HvcService *service)
{
    g_autoptr(GString) ids = g_string_new(NULL);

    for (const HvcFunction *function = service->functions; function->id;
         function++) {
        g_string_append_printf(ids, "%s``0x%08x``", ids->len ? ", " : "",
                               function->id);
    }
    return g_strdup(ids->str);
}

/* Add to a list in a cell */
static G_GNUC_PRINTF(2, 3) void append(GString *cell, const char *format, ...)
{
    va_list args;

    g_string_append(cell, cell->len ? ", " : "");
    va_start(args, format);
    g_string_append_vprintf(cell, format, args);
    va_end(args);
}

/* @kernel: as in "6.4" */
static unsigned version_of(const char *kernel)
{
    unsigned version = 0;
    bool ok = kernel_version_parse(kernel, &version);

    g_assert(ok);
    return version;
}

static void print_services(void)
{
    print_part("services");
    print_table("Services", "16 10 8 26 40");
    print_row((const char *const[]) {
        "Service", "Register, bit", "Linux", "Function ids",
        "What it gives the guest", NULL });
    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];
        const char *kernel = service->by_qemu ? service->bits_kernel
                                              : service->kernel;
        g_autofree char *name = g_strdup_printf("``%s``", service->name);
        g_autofree char *more = service->bits ?
            g_strdup_printf("-%u", service->bit + service->bits - 1) : NULL;
        g_autofree char *bit = g_strdup_printf("%s, %u%s",
                                   hvc_register_name(service->reg),
                                   service->bit, more ?: "");
        g_autofree char *ids = function_ids(service);

        print_row((const char *const[]) { name, bit, kernel ?: "none", ids,
                                          service->help, NULL });
    }
}

static void print_floors(void)
{
    print_part("floors");
    print_table("Floors", "14 10 10 12 14 8 32");
    print_row((const char *const[]) {
        "Floor", "std", "std-hyp", "vendor-hyp", "vendor-hyp-2", "PSCI",
        "Services", NULL });
    for (size_t i = 0; i < hvc_floors_count; i++) {
        const HvcSet *set = &hvc_floors[i].set;
        g_autofree char *name = g_strdup_printf("``%s``", hvc_floors[i].name);
        g_autofree char *psci = hvc_psci_version_format(set->psci_version);
        g_autofree char *services = hvc_set_services(set);
        char bmap[HVC_REGISTERS][20];

        for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
            snprintf(bmap[reg], sizeof(bmap[reg]), "0x%" PRIx64,
                     set->bmap[reg]);
        }
        print_row((const char *const[]) { name, bmap[0], bmap[1], bmap[2],
                                          bmap[3], psci, services, NULL });
    }
}

/* What QEMU answers of a service of the kernel's, and when */
static char *shown_ids(const HvcService *service)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (const HvcFunction *function = service->functions; function->id;
         function++) {
        for (size_t i = 0; i < hvc_services_count; i++) {
            const HvcService *other = &hvc_services[i];

            if (!hvc_function_shows(function, other)) {
                continue;
            }
            g_string_append_printf(text, "%s``0x%08x`` with ``%s``: from %s on",
                                   text->len ? "; " : "", function->id,
                                   other->name, other->kernel);
            if (other->bits_kernel) {
                g_string_append_printf(text, ", before %s", other->bits_kernel);
            }
        }
    }
    return g_strdup(text->len ? text->str : "no");
}

/* What the kernel is told to hand over of PSCI */
static char *psci_ids(const HvcPsciVersion *row)
{
    g_autoptr(GString) ids = g_string_new(NULL);

    if (!row->by_qemu) {
        return g_strdup("no");
    }
    for (const HvcFunction *function = hvc_psci_functions; function->id;
         function++) {
        if (function->by_qemu && function->psci_version <= row->version) {
            append(ids, "``0x%08x``", function->id);
        }
    }
    return g_strdup_printf("from " HVC_HAND_OVER_KERNEL " on, before %s: %s",
                           row->kernel, ids->str);
}

static void print_servers(void)
{
    print_part("servers");
    print_table("Who serves under KVM, by the host's Linux", "20 18 18 44");
    print_row((const char *const[]) {
        "Service", "Nobody before Linux", "The kernel", "QEMU", NULL });
    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];
        g_autofree char *name = g_strdup_printf("``%s``", service->name);
        g_autofree char *since = g_strdup_printf("from %s on",
                                                 service->kernel);
        g_autofree char *shown = shown_ids(service);

        print_row((const char *const[]) {
            name, service->kernel, service->by_qemu ? "no" : since,
            service->by_qemu ? since : shown, NULL });
    }
    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        g_autofree char *version = hvc_psci_version_format(row->version);
        g_autofree char *name = g_strdup_printf("PSCI %s", version);
        g_autofree char *since = g_strdup_printf("from %s on", row->kernel);
        g_autofree char *ids = psci_ids(row);

        print_row((const char *const[]) {
            name, row->by_qemu ? HVC_HAND_OVER_KERNEL : row->kernel, since,
            ids, NULL });
    }
}

static bool has_psci(const HvcPsciVersion *row, unsigned kernel)
{
    return kernel >= version_of(row->kernel) ||
           (row->by_qemu && kernel >= version_of(HVC_HAND_OVER_KERNEL));
}

static bool has_set(const HvcSet *set, unsigned kernel)
{
    for (size_t i = 0; i < hvc_services_count; i++) {
        if (hvc_service_in(&hvc_services[i], set) &&
            kernel < version_of(hvc_services[i].kernel)) {
            return false;
        }
    }
    return has_psci(hvc_psci_version_row(set->psci_version), kernel);
}

static void append_psci(GString *by_kernel, GString *by_qemu, unsigned kernel)
{
    const HvcPsciVersion *newest = NULL;

    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        g_autofree char *version = hvc_psci_version_format(row->version);

        if (kernel >= version_of(row->kernel)) {
            newest = row;
        } else if (has_psci(row, kernel)) {
            append(by_qemu, "PSCI %s", version);
        }
    }
    if (newest) {
        g_autofree char *version =
            hvc_psci_version_format(newest->version);

        append(by_kernel, "PSCI up to %s", version);
    }
}

/* What QEMU answers of a service of the kernel's, on a kernel */
static void append_shown(GString *by_qemu, const HvcService *service,
                         unsigned kernel)
{
    for (const HvcFunction *function = service->functions; function->id;
         function++) {
        g_autoptr(GString) others = g_string_new(NULL);

        for (size_t i = 0; i < hvc_services_count; i++) {
            const HvcService *other = &hvc_services[i];
            const char *last = other->bits_kernel;

            if (hvc_function_shows(function, other) &&
                kernel >= version_of(other->kernel) &&
                !(last && kernel >= version_of(last))) {
                g_string_append_printf(others, "%s``%s``",
                                       others->len ? " or " : "", other->name);
            }
        }
        if (others->len) {
            append(by_qemu, "``0x%08x`` of ``%s`` with %s", function->id,
                   service->name, others->str);
        }
    }
}

static void print_kernel(unsigned kernel)
{
    g_autoptr(GString) by_kernel = g_string_new(NULL);
    g_autoptr(GString) by_qemu = g_string_new(NULL);
    g_autoptr(GString) floors = g_string_new(NULL);
    g_autofree char *version = kernel_version_format(kernel);
    g_autofree char *since = g_strdup_printf("%s on", version);

    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];

        if (kernel < version_of(service->kernel)) {
            continue;
        }
        append(service->by_qemu ? by_qemu : by_kernel, "``%s``",
               service->name);
    }
    append_psci(by_kernel, by_qemu, kernel);
    for (size_t i = 0; i < hvc_services_count; i++) {
        append_shown(by_qemu, &hvc_services[i], kernel);
    }
    for (size_t i = 0; i < hvc_floors_count; i++) {
        if (has_set(&hvc_floors[i].set, kernel)) {
            append(floors, "``%s``", hvc_floors[i].name);
        }
    }
    print_row((const char *const[]) {
        since, by_kernel->str, by_qemu->len ? by_qemu->str : "no",
        floors->str, NULL });
}

static int compare_versions(const void *a, const void *b)
{
    unsigned first = *(const unsigned *)a, second = *(const unsigned *)b;

    return first < second ? -1 : first > second;
}

static void add_version(GArray *versions, const char *kernel)
{
    unsigned version = version_of(kernel);

    g_array_append_val(versions, version);
}

/*
 * From the first kernel on that has a register for a service: what an older one
 * shows cannot be hidden, which is not in the tables.
 */
static void print_kernels(void)
{
    g_autoptr(GArray) versions = g_array_new(false, false, sizeof(unsigned));
    unsigned first = UINT_MAX, last = 0;

    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];

        add_version(versions, service->kernel);
        if (service->bits_kernel) {
            add_version(versions, service->bits_kernel);
        }
        first = MIN(first, version_of(service->kernel));
    }
    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        add_version(versions, row->kernel);
    }
    g_array_sort(versions, compare_versions);

    print_part("kernels");
    print_table("What a VM can be given, and by whom: each row up to the next",
                "10 32 32 26");
    print_row((const char *const[]) {
        "Linux", "By the kernel", "By QEMU", "Floors", NULL });
    for (guint i = 0; i < versions->len; i++) {
        unsigned version = g_array_index(versions, unsigned, i);

        if (version >= first && version != last) {
            print_kernel(version);
        }
        last = version;
    }
}

int main(int argc, char **argv)
{
    /* In two parts, or it would be taken for this file's. */
    printf(".. SPDX-License-" "Identifier: GPL-2.0-or-later\n"
           ".. Printed by hvc-services-table from the code's tables.\n");

    print_services();
    print_floors();
    print_servers();
    print_kernels();
    return 0;
}
