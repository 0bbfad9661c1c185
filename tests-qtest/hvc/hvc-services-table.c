/*
 * Prints the manual's tables of services and floors, from the tables in code
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The output is docs/system/arm/hvc-services-table.rst.inc; a test compares
 * the two.
 */

#include "qemu/osdep.h"
#include "hw/arm/hvc/floors.h"
#include "hw/arm/hvc/spec.h"
#include "target/arm/hvc/services.h"

static void print_row(const char *const *cells)
{
    for (const char *const *cell = cells; *cell; cell++) {
        printf("   %s %s\n", cell == cells ? "* -" : "  -", *cell);
    }
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

/* What the kernel is told to hand over */
static char *qemu_ids(uint32_t psci_version)
{
    g_autoptr(GString) text = g_string_new("from Linux " HVC_HAND_OVER_KERNEL);

    for (const HvcFunction *function = hvc_psci_functions; function->id;
         function++) {
        if (function->by_qemu && function->psci_version <= psci_version) {
            bool first = !strchr(text->str, ':');

            g_string_append_printf(text, "%s ``0x%08x``", first ? ":" : ",",
                                   function->id);
        }
    }
    return g_strdup(text->str);
}

int main(int argc, char **argv)
{
    /* In two parts, or it would be taken for this file's. */
    printf(".. SPDX-License-" "Identifier: GPL-2.0-or-later\n"
           ".. Printed by hvc-services-table from the code's tables.\n");

    print_table("Services", "16 10 8 26 40");
    print_row((const char *const[]) {
        "Service", "Register, bit", "Linux", "Function ids",
        "What it gives the guest", NULL });
    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];
        g_autofree char *name = g_strdup_printf("``%s``", service->name);
        g_autofree char *more = service->bits ?
            g_strdup_printf("-%u", service->bit + service->bits - 1) : NULL;
        g_autofree char *bit = g_strdup_printf("%s, %u%s",
                                   hvc_register_name(service->reg),
                                   service->bit, more ?: "");
        g_autofree char *ids = function_ids(service);

        print_row((const char *const[]) { name, bit, service->kernel, ids,
                                          service->help, NULL });
    }

    print_table("PSCI versions: who serves them under KVM", "14 24 62");
    print_row((const char *const[]) {
        "Version", "The kernel from Linux", "QEMU, where the kernel does not",
        NULL });
    for (const HvcPsciVersion *row = hvc_psci_versions; row->version; row++) {
        g_autofree char *version = hvc_psci_version_format(row->version);
        g_autofree char *ids = row->by_qemu ? qemu_ids(row->version) : NULL;

        print_row((const char *const[]) { version, row->kernel, ids ?: "no",
                                          NULL });
    }

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
    return 0;
}
