/*
 * How to make another VM like a virt machine under KVM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef HW_ARM_HVC_RECIPE_H
#define HW_ARM_HVC_RECIPE_H

#include "hw/arm/virt.h"
#include "target/arm/hvc/vm.h"

/**
 * virt_hvc_recipe: what the board knows of its VM
 * @vms: the machine, its vCPUs and GIC made
 * @vm: its recipe and the file descriptors of its GIC are filled in, but for
 *      what the vCPUs have
 */
void virt_hvc_recipe(VirtMachineState *vms, HvcVm *vm);

#endif
