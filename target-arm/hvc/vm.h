/*
 * HvcVm: a KVM/arm64 VM with a pinned set of services
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The one place that has the VM's state. The board makes it; a VM without a
 * pinned set has none.
 */

#ifndef TARGET_ARM_HVC_VM_H
#define TARGET_ARM_HVC_VM_H

#include "contract.h"
#include "implementations.h"
#include "kvm-access.h"
#include "kvm-firmware.h"
#include "kvm-lists.h"
#include "kvm-profile.h"
#include "set.h"

/**
 * HvcTruth: what the kernel makes of a contract
 * @contract: the registers as the guest would read them
 * @ids: the registers that a vCPU would have, ascending
 * @count: number of @ids
 * @keeps_caches: turning a CPU on leaves CLIDR_EL1 as it was
 */
typedef struct HvcTruth {
    HvcContract contract;
    uint64_t *ids;
    size_t count;
    bool keeps_caches;
} HvcTruth;

/**
 * HvcVm:
 * @set: the services, and the PSCI version
 * @options: the machine options that lead to @set, for messages
 * @profile: what another host shows its guests, or NULL
 * @gic_revision: GICD_IIDR.Revision that the floor has; 0: this kernel's
 * @tells_implementations: @set has the service implementation-cpus
 * @implementations: what its guest is told; the board leaves it empty if the
 *                   user has not chosen it
 * @chose_implementations: it is the user's, or the profile's
 * @kernel: the way to this host's kernel
 * @recipe: how to make a VM like this one
 * @gic_fd, @its_fd: file descriptors of the VM's GIC and ITS, if they are the
 *     kernel's; -1: they are not
 * @share: who serves what of @set
 * @contract: what the guest was promised
 * @ids: the registers that its vCPUs have with @contract, ascending
 * @ids_count: number of @ids
 * @tried: the contract of another VM that was tried last
 * @truth: what the kernel makes of @tried
 * @late: registers in the list that came with @tried, of which only their
 *        values tell whether they can be left behind; names
 * @has_run: the VM has run: the kernel changes none of its ID registers now
 * @loaded: vCPUs that were loaded and have not run, and the values of @ids that
 *          each has in the kernel
 * @warned: what people have been told about lists of registers
 */
typedef struct HvcVm {
    HvcSet set;
    char *options;
    HvcKvmProfile *profile;
    unsigned gic_revision;
    bool tells_implementations;
    HvcImplementations implementations;
    bool chose_implementations;
    HvcKvm kernel;
    HvcVmRecipe recipe;
    int gic_fd, its_fd;
    HvcShare share;
    HvcContract contract;
    uint64_t *ids;
    size_t ids_count;
    HvcContract tried;
    HvcTruth truth;
    char *late;
    bool has_run;
    GHashTable *loaded;
    HvcListWarnings warned;
} HvcVm;

/* The VM of this process, NULL if none is pinned. The board's, or a test's. */
extern HvcVm *hvc_vm;

/**
 * hvc_vm_new: a VM that has been promised nothing yet
 * @set: the services, and the PSCI version
 * @options: the machine options that lead to it, for messages; copied
 *
 * Returns: the VM; the caller sets @kernel, @recipe and @profile, and frees it
 * with hvc_vm_free().
 */
HvcVm *hvc_vm_new(const HvcSet *set, const char *options);

/**
 * hvc_vm_free: free a VM
 * @vm: may be NULL
 */
void hvc_vm_free(HvcVm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvcVm, hvc_vm_free)

/**
 * hvc_truth_clear: free what a truth points to
 * @truth: the truth
 */
void hvc_truth_clear(HvcTruth *truth);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HvcTruth, hvc_truth_clear)

#endif
