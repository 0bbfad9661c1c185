/*
 * Vectors that are longer than QEMU's stream has room for
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_ARM_HVC_LONG_VECTORS_H
#define TARGET_ARM_HVC_LONG_VECTORS_H

#include "migration/vmstate.h"

/*
 * A subsection of "cpu": bits [2047:1024] of each Z register (Arm ARM, B1.2)
 *
 * Sent for a VM with a contract, if one of the bits is set
 */
extern const VMStateDescription vmstate_hvc_long_vectors;

#endif
