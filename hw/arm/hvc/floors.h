/*
 * Floors: the hypercall services of the oldest kernel of a fleet
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef HW_ARM_HVC_FLOORS_H
#define HW_ARM_HVC_FLOORS_H

#include "target/arm/hvc/set.h"

/**
 * HvcFloor: one for each of kernel_floors[], in the same order
 * @name: as the first item of -machine hvc-services=
 * @set: what every host from that kernel on can give; never changes
 * @gic_revision: GICD_IIDR.Revision of the kernel's GIC there, which never
 *                changes either; 0: whatever the host's kernel has
 */
typedef struct HvcFloor {
    const char *name;
    HvcSet set;
    unsigned gic_revision;
} HvcFloor;

extern const HvcFloor hvc_floors[];
extern const size_t hvc_floors_count;

/**
 * hvc_floor_by_name: find a floor
 * @name: its name
 *
 * Returns: the floor, or NULL if there is none of that name.
 */
const HvcFloor *hvc_floor_by_name(const char *name);

#endif
