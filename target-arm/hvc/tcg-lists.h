/*
 * The registers with which the vCPUs of TCG migrate
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Hundreds of a CPU model, most of AArch32; versions of QEMU differ in them.
 */

#ifndef TARGET_ARM_HVC_TCG_LISTS_H
#define TARGET_ARM_HVC_TCG_LISTS_H

#include "target/arm/cpu-qom.h"
#include "contract.h"

/**
 * hvc_tcg_lists_init: let the VM's list be a part of its contract
 * @cpu: any of its vCPUs, for the rest of the process
 * @contract: what they show the guest; the same
 */
void hvc_tcg_lists_init(ARMCPU *cpu, const HvcContract *contract);

/**
 * hvc_tcg_has_lists: was hvc_tcg_lists_init() called?
 */
bool hvc_tcg_has_lists(void);

/**
 * hvc_tcg_load: the registers of this QEMU, made of those that came
 * @cpu: a vCPU that was reset, whose cpreg_vmstate arrays are as another QEMU
 *       lists them
 * @values: those of cpreg_indexes, on success; cpreg_array_len long
 * @errp: which register cannot be left behind
 *
 * Returns: true on success.
 */
bool hvc_tcg_load(ARMCPU *cpu, uint64_t *values, Error **errp);

#endif
