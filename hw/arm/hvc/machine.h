/*
 * Hypercall services as properties of the virt machine
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_ARM_HVC_MACHINE_H
#define HW_ARM_HVC_MACHINE_H

#include "target/arm/hvc/set.h"

/**
 * VirtHvc: what a virt machine's user chose
 * @services: the value of hvc-services=, NULL if it was not given
 * @psci_version: the value of psci-version=, 0 if it was not given
 * @pinned: the VM has a pinned set; else the accelerator's default
 * @set: the pinned set
 */
typedef struct VirtHvc {
    char *services;
    uint32_t psci_version;
    bool pinned;
    HvcSet set;
} VirtHvc;

/**
 * virt_hvc_class_init: give the virt machine its hypercall service options
 * @oc: the class of TYPE_VIRT_MACHINE, its MachineClass.init already set
 */
void virt_hvc_class_init(ObjectClass *oc);

#endif
