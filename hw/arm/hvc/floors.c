/*
 * Floors: the hypercall services of the oldest kernel of a fleet
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Released rows never change: guests were started with them. The values are
 * what the kernels expose by default (KVM_GET_ONE_REG on a fresh VM), except
 * where a kernel cannot hide what it has.
 */

#include "qemu/osdep.h"
#include "floors.h"

const HvcFloor hvc_floors[] = {
    {
        .name = "none",
        .set = { .psci_version = HVC_PSCI_VERSION(1, 1) },
    }, {
        /* Has pv-time, but no register to choose it; PSCI 1.1 came in 5.18. */
        .name = "linux-5.10",
        .set = { .psci_version = HVC_PSCI_VERSION(1, 0) },
        .gic_revision = 2,
    }, {
        .name = "linux-6.1",
        .set = {
            .bmap = {
                [HVC_STD_BMAP] = 0x1,
                [HVC_STD_HYP_BMAP] = 0x1,
                [HVC_VENDOR_HYP_BMAP] = 0x3,
            },
            .psci_version = HVC_PSCI_VERSION(1, 1),
        },
        .gic_revision = 3,
    }, {
        .name = "linux-6.12",
        .set = {
            .bmap = {
                [HVC_STD_BMAP] = 0x1,
                [HVC_STD_HYP_BMAP] = 0x1,
                [HVC_VENDOR_HYP_BMAP] = 0x3,
            },
            .psci_version = HVC_PSCI_VERSION(1, 1),
        },
        .gic_revision = 3,
    }, {
        .name = "linux-6.18",
        .set = {
            .bmap = {
                [HVC_STD_BMAP] = 0x1,
                [HVC_STD_HYP_BMAP] = 0x1,
                [HVC_VENDOR_HYP_BMAP] = 0x3,
            },
            .psci_version = HVC_PSCI_VERSION(1, 3),
        },
        .gic_revision = 3,
    },
};

const size_t hvc_floors_count = ARRAY_SIZE(hvc_floors);

const HvcFloor *hvc_floor_by_name(const char *name)
{
    for (size_t i = 0; i < hvc_floors_count; i++) {
        if (!strcmp(name, hvc_floors[i].name)) {
            return &hvc_floors[i];
        }
    }
    return NULL;
}
