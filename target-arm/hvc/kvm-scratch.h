/*
 * Scratch VMs: ask the kernel what a guest would read
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Only the kernel knows what a guest reads, and it decides about all registers
 * together: at the first run, from Linux 6.12 on, it takes fields away that
 * depend on other fields or on the GIC. So a VM of the same make is given what
 * is promised, sealed by a KVM_RUN that runs nothing, read, and thrown away.
 */

#ifndef TARGET_ARM_HVC_KVM_SCRATCH_H
#define TARGET_ARM_HVC_KVM_SCRATCH_H

#include "vm.h"

/**
 * hvc_scratch_try: what would the guest of a VM read?
 * @vm: the VM, which is not touched
 * @wanted: the registers that it is to have; those that are not among them are
 *          as the kernel has them. NULL: none
 * @truth: what the kernel makes of it; hvc_truth_clear() frees it
 * @errp: no such VM can be made here, or it cannot have the VM's services
 *
 * A value that the kernel refuses is no error: @truth has another one.
 *
 * Returns: true if @truth was filled in.
 */
bool hvc_scratch_try(const HvcVm *vm, const HvcContract *wanted,
                     HvcTruth *truth, Error **errp);

#endif
