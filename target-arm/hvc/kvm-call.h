/*
 * Hypercalls that the kernel hands over to QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_ARM_HVC_KVM_CALL_H
#define TARGET_ARM_HVC_KVM_CALL_H

#include "kvm-access.h"
#include "services.h"

/**
 * hvc_kvm_call: answer a call of a vCPU
 * @kvm: the vCPU
 * @call: what the kernel says of the call: all but @read; on return it has
 *        the result and the event
 * @errp: which register of the vCPU cannot be read or written, and why
 *
 * Reads those of X1 to X3 that are arguments of the function, writes X0 to X3,
 * and touches no other register. An event is left to the caller.
 *
 * Returns: true if the vCPU has its result. After an error there is no event,
 * and the vCPU must not go on.
 */
bool hvc_kvm_call(const HvcKvm *kvm, HvcCall *call, Error **errp);

#endif
