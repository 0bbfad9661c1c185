/*
 * The XSAVE components of a guest, across migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_I386_XSAVE_MASK_H
#define TARGET_I386_XSAVE_MASK_H

#include "xsave-check.h"

/**
 * x86_xsave_mask_post_load: look at the XSAVE components of an incoming vCPU
 * @cpu: the vCPU; its fields and subsections are loaded, and the accelerator
 *       has not seen them
 *
 * Components that came only because the source's host has them are brought to
 * their initial state.
 *
 * Returns: false if the vCPU cannot be run here; why not is then reported as
 * the migration's error.
 */
bool x86_xsave_mask_post_load(X86CPU *cpu);

/* A subsection of the vCPU's that is never sent, and refused by name */
extern const VMStateDescription vmstate_x86_cet_unknown;

/**
 * x86_xsave_limits: the components of a guest and of its host
 * @cpu: the VM's vCPU, realized
 */
XsaveLimits x86_xsave_limits(X86CPU *cpu);

/**
 * x86_xsave_promise: add the components that a guest is shown to the contract
 * @cpu: the VM's first vCPU
 *
 * To be called once, when the machine is complete.
 */
void x86_xsave_promise(X86CPU *cpu);

#endif
