/*
 * How to make another VM like a virt machine under KVM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "hw/arm/bsa.h"
#include "hw/intc/arm_gic_common.h"
#include "hw/intc/arm_gicv3_common.h"
#include "hw/intc/arm_gicv3_its_common.h"
#include "migration/qemu-compat.h"
#include "target/arm/kvm_arm.h"
#include "recipe.h"

/* As virt_kvm_type() has chosen it */
static uint64_t type_of(VirtMachineState *vms)
{
    bool fixed = false;
    int most = kvm_arm_get_max_vm_ipa_size(MACHINE(vms), &fixed);
    int size = MAX(64 - clz64(vms->highest_gpa), 32);

    return fixed ? 0 : MIN(size, most);
}

static void describe_gic(VirtMachineState *vms, HvcVm *vm)
{
    HvcVmRecipe *recipe = &vm->recipe;
    Object *its = object_resolve_path_type("", TYPE_ARM_GICV3_ITS_COMMON, NULL);

    recipe->gic_version = vms->gic_version;
    recipe->has_its = its;
    if (!kvm_irqchip_in_kernel()) {
        return;
    }
    recipe->gicd = vms->memmap[VIRT_GIC_DIST].base;
    if (vms->gic_version == VIRT_GIC_VERSION_2) {
        GICState *gic = ARM_GIC_COMMON(vms->gic);

        recipe->gic = 2;
        recipe->gicc = vms->memmap[VIRT_GIC_CPU].base;
        recipe->gic_irqs = gic->num_irq;
        vm->gic_fd = gic->dev_fd;
    } else {
        GICv3State *gic = ARM_GICV3_COMMON(vms->gic);

        recipe->gic = 3;
        recipe->gicr = vms->memmap[VIRT_GIC_REDIST].base;
        recipe->gic_irqs = gic->num_irq;
        vm->gic_fd = gic->dev_fd;
    }
    if (its) {
        recipe->its = vms->memmap[VIRT_GIC_ITS].base;
        vm->its_fd = ARM_GICV3_ITS_COMMON(its)->dev_fd;
    }
}

void virt_hvc_recipe(VirtMachineState *vms, HvcVm *vm)
{
    vm->recipe.type = type_of(vms);
    vm->recipe.mte = vms->mte;
    vm->recipe.pmu_irq = VIRTUAL_PMU_IRQ;
    vm->recipe.cpus = MACHINE(vms)->smp.max_cpus;
    describe_gic(vms, vm);
}
