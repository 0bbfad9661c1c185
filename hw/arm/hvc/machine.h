/*
 * Hypercall services as properties of the virt machine
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef HW_ARM_HVC_MACHINE_H
#define HW_ARM_HVC_MACHINE_H

#include "target/arm/hvc/implementations.h"
#include "target/arm/hvc/set.h"

/**
 * VirtHvc: what was chosen for a virt machine
 * @services: the value of hvc-services=, NULL if there is none
 * @psci_version: the value of psci-version=, 0 if it was not given
 * @from_type: @services was not chosen by the user, but by the machine type
 * @from_floor: @services is the default of the user's kernel-floor=
 * @profile: the value of guest-abi-profile=, NULL if it was not given
 * @implementations: the value of implementation-cpus=, empty if it was not
 *                   given
 * @pinned: the VM has a pinned set; else the accelerator's default
 * @set: the pinned set
 * @vm: what becomes of it under KVM; NULL if it is not pinned, or without KVM
 */
typedef struct VirtHvc {
    char *services;
    uint32_t psci_version;
    char *profile;
    HvcImplementations implementations;
    bool from_type;
    bool from_floor;
    bool pinned;
    HvcSet set;
    struct HvcVm *vm;
} VirtHvc;

/**
 * virt_hvc_class_init: give the virt machine its hypercall service options
 * @oc: the class of TYPE_VIRT_MACHINE, its MachineClass.init already set
 */
void virt_hvc_class_init(ObjectClass *oc);

#endif
