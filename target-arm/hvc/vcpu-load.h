/*
 * Loading the vCPUs of a VM with a contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * What target/arm/machine.c calls. None of it does anything for a VM without a
 * contract.
 */

#ifndef TARGET_ARM_HVC_VCPU_LOAD_H
#define TARGET_ARM_HVC_VCPU_LOAD_H

#include "target/arm/cpu-qom.h"
/* target/arm/machine.c includes no other header of this folder. */
#include "long-vectors.h"

/**
 * arm_hvc_pre_load: make room for another kernel's or QEMU's list of registers
 * @cpu: the vCPU that will be loaded
 */
void arm_hvc_pre_load(ARMCPU *cpu);

/**
 * arm_hvc_post_load: did the contract come, and does a vCPU keep it?
 * @cpu: the vCPU that was loaded; the registers that another kernel or QEMU
 *       lists, in its cpreg_vmstate arrays, become those of this one. Under KVM
 *       they are written and read again.
 *
 * Returns: false if there is no contract, or a register cannot be left behind,
 * written or kept; this is then reported as the migration's error.
 */
bool arm_hvc_post_load(ARMCPU *cpu);

#endif
