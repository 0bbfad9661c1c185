/*
 * What gives a VM under TCG the CPU of an incoming one
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_ARM_HVC_TCG_REMEDY_H
#define TARGET_ARM_HVC_TCG_REMEDY_H

/**
 * hvc_tcg_remedy: say which options are needed
 * @cpu: a vCPU of this VM
 * @here: what this VM's guest reads of a register
 *
 * Only for the refusal of an entry; the text is the same for all entries of a
 * contract: a model of -cpu that has the incoming MIDR_EL1, with the options
 * that it may differ in, or this VM's -cpu with what has to be changed in it;
 * and options of -machine. With them a VM of the same version of QEMU has what
 * came.
 *
 * Returns: what to do. The caller frees it.
 */
char *hvc_tcg_remedy(ARMCPU *cpu, uint64_t (*here)(ARMCPU *cpu, uint64_t id));

#endif
