/*
 * guest-abi-profile: a VM like those of the fleet's oldest host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * An old kernel shows a guest the host's caches and what it knows of the CPU,
 * and takes no other values; a newer one has values of its own, but takes
 * those. So a VM on the newer host, that is to be able to move to the older
 * one, is made with what the older one shows.
 */

#ifndef TARGET_ARM_HVC_KVM_PROFILE_H
#define TARGET_ARM_HVC_KVM_PROFILE_H

#include "migration/guest-abi-incoming.h"
#include "contract.h"
#include "implementations.h"

struct HvcTruth;

/**
 * HvcKvmProfile: what the other host's query-guest-abi returned
 * @file: where it was read from, for messages
 * @contract: the contract
 * @implementations: the CPUs that its guest is told of; empty: it is told of
 *                   none
 */
typedef struct HvcKvmProfile {
    char *file;
    GuestAbiIncoming *contract;
    HvcImplementations implementations;
} HvcKvmProfile;

/**
 * hvc_kvm_profile_load: read a profile
 * @file: a file with what query-guest-abi of a VM under KVM returned, or with
 *        the whole reply
 * @errp: why it is not that, or what is wrong with its list of CPUs
 *
 * Returns: the profile, or NULL. The caller frees it with
 * hvc_kvm_profile_free().
 */
HvcKvmProfile *hvc_kvm_profile_load(const char *file, Error **errp);

/**
 * hvc_kvm_profile_free: free a profile
 * @profile: may be NULL
 */
void hvc_kvm_profile_free(HvcKvmProfile *profile);

/**
 * hvc_kvm_profile_wanted: what a profile asks of this host
 * @profile: the profile
 * @here: what this host's kernel gives a guest that is asked nothing
 * @mixed: the VM's guest may run on several CPUs, so that the profile may be of
 *         another one
 * @wanted: the registers that the VM is to have
 * @errp: the profile is of other hardware, or has registers that this kernel
 *        does not have
 *
 * The services and the PSCI version of the profile play no part: they are
 * chosen with hvc-services. Neither do levels: no VM can be given others.
 *
 * Returns: true on success.
 */
bool hvc_kvm_profile_wanted(const HvcKvmProfile *profile,
                            const HvcContract *here, bool mixed,
                            HvcContract *wanted, Error **errp);

/**
 * hvc_kvm_profile_check_told: is a guest told of the CPUs that a profile is of?
 * @profile: the profile
 * @told: the VM has the service implementation-cpus
 * @services: its hvc-services, for messages
 * @remedy: the machine options with that service
 * @errp: the profile is of several CPUs, and the guest would not know
 *
 * Returns: true if it is, or need not be.
 */
bool hvc_kvm_profile_check_told(const HvcKvmProfile *profile, bool told,
                                const char *services, const char *remedy,
                                Error **errp);

/**
 * hvc_kvm_profile_check: would a guest read what a profile says?
 * @profile: the profile
 * @wanted: what hvc_kvm_profile_wanted() said
 * @truth: what the kernel makes of @wanted
 * @errp: which registers, and fields, cannot be as in the profile
 *
 * Returns: true if it would.
 */
bool hvc_kvm_profile_check(const HvcKvmProfile *profile,
                           const HvcContract *wanted,
                           const struct HvcTruth *truth, Error **errp);

/**
 * hvc_kvm_profile_check_levels: is a guest told what a profile says?
 * @profile: the profile
 * @truth: what a guest here reads
 * @incoming: the guest has been told already, on another host
 * @errp: which level of the firmware's is another one on this host
 *
 * Of what cannot be chosen a guest that starts here must be told the same:
 * less, and it cannot come from there; more, and it cannot go there. One that
 * comes may find more here, as it goes by what it was told.
 *
 * Returns: true if it is.
 */
bool hvc_kvm_profile_check_levels(const HvcKvmProfile *profile,
                                  const HvcContract *truth, bool incoming,
                                  Error **errp);

/**
 * hvc_kvm_profile_check_discovery: does a guest discover the same?
 * @profile: the profile
 * @discovered: value of arm.pv-time-discovery on this host
 * @errp: it does not
 *
 * Returns: true if it does.
 */
bool hvc_kvm_profile_check_discovery(const HvcKvmProfile *profile,
                                     bool discovered, Error **errp);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvcKvmProfile, hvc_kvm_profile_free)

#endif
