/*
 * Prints the manual's table of what follows the host's kernel, from the table
 * in code
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The output is docs/system/arm/hvc-floors-table.rst.inc; a test compares the
 * two.
 */

#include "qemu/osdep.h"
#include "migration/kernel-floor.h"

int main(int argc, char **argv)
{
    /* In two parts, or it would be taken for this file's. */
    printf(".. SPDX-License-" "Identifier: GPL-2.0-or-later\n"
           ".. Printed by kernel-floor-table from the code's table.\n"
           "\n.. list-table:: Features of virtio devices, and the floors that "
           "have them\n   :header-rows: 1\n"
           "   :widths: 30 14 6 8 18");
    for (size_t i = 0; i < kernel_floors_count; i++) {
        printf(" 8");
    }
    printf("\n\n   * - Feature\n     - Kernel's part\n     - Bit\n"
           "     - Linux\n     - Property\n");
    for (size_t i = 0; i < kernel_floors_count; i++) {
        printf("     - %s\n", kernel_floors[i].name);
    }
    for (size_t i = 0; i < kernel_features_count; i++) {
        const KernelFeature *feature = &kernel_features[i];
        g_autofree char *since = kernel_version_format(feature->since);

        printf("   * - ``%s``\n     - %s\n     - %u\n     - %s\n"
               "     - ``%s``\n", feature->name,
               kernel_backend_name(feature->backend), feature->bit,
               feature->since ? since : "none", feature->property);
        for (size_t j = 0; j < kernel_floors_count; j++) {
            printf("     - %s\n",
                   kernel_floor_has(&kernel_floors[j], feature) ? "yes"
                                                                : "\\-");
        }
    }
    return 0;
}
