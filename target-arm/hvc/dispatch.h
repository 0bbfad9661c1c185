/*
 * The calls that a VM's guest can make
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * What does not depend on the accelerator: which functions there are, and what
 * answers them.
 */

#ifndef TARGET_ARM_HVC_DISPATCH_H
#define TARGET_ARM_HVC_DISPATCH_H

#include "services.h"

/**
 * hvc_dispatch_init: let a set decide what answers calls
 * @set: the set; it is copied
 *
 * To be called while the machine is made, before any vCPU runs. A later set
 * takes the place of an earlier one.
 */
void hvc_dispatch_init(const HvcSet *set);

/**
 * hvc_dispatch_set: the set that hvc_dispatch_init() was given
 */
const HvcSet *hvc_dispatch_set(void);

/**
 * hvc_dispatch_function: find what answers a function id in this VM
 * @id: a function id
 *
 * Returns: the function's row, or NULL if this VM's guests are not offered it.
 */
const HvcFunction *hvc_dispatch_function(uint32_t id);

/**
 * hvc_dispatch: answer a call
 * @call: the call; its result is filled in, and its event
 */
void hvc_dispatch(HvcCall *call);

#endif
