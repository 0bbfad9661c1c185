/*
 * guest-abi-profile: a VM like those of the fleet's oldest host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An old kernel shows a guest the host's caches and what it knows of the CPU,
 * and takes no other values; a newer one has values of its own, but takes
 * those. So a VM on the newer host, that shall be able to move to the older
 * one, is made with what the older one shows.
 */

#ifndef TARGET_ARM_HVC_KVM_PROFILE_H
#define TARGET_ARM_HVC_KVM_PROFILE_H

#include "migration/guest-abi-incoming.h"
#include "kvm.h"

/**
 * HvcKvmProfile: what the other host's query-guest-abi returned
 * @file: where it was read from, for messages
 * @contract: the contract
 */
typedef struct HvcKvmProfile {
    char *file;
    GuestAbiIncoming *contract;
} HvcKvmProfile;

/**
 * hvc_kvm_profile_load: read a profile
 * @file: a file with what query-guest-abi of a VM under KVM returned, or with
 *        the whole reply
 * @errp: why it is not that
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
 * hvc_kvm_profile_apply: give a vCPU the registers of a profile
 * @profile: the profile
 * @kvm: a vCPU of a VM that has not run
 * @errp: which register, and field, cannot be as in the profile, or that the
 *        profile is of other hardware
 *
 * The services and the PSCI version of the profile play no part: they are
 * chosen with hvc-services.
 *
 * Returns: true if the guest will see what the profile says.
 */
bool hvc_kvm_profile_apply(const HvcKvmProfile *profile, const HvcKvm *kvm,
                           Error **errp);

/**
 * hvc_kvm_profile_check_kept: does a reset leave a profile's CLIDR_EL1 alone?
 * @profile: the profile
 * @kvm: a vCPU that was given @profile, and then reset
 * @errp: what the kernel does not keep
 *
 * Returns: true if the vCPU still has it.
 */
bool hvc_kvm_profile_check_kept(const HvcKvmProfile *profile,
                                const HvcKvm *kvm, Error **errp);

/**
 * hvc_kvm_profile_check: is a VM like those of the profile's host otherwise?
 * @profile: the profile
 * @errp: which promise of the firmware is another one on this host
 *
 * To be called when the VM's contract is complete. Of what cannot be chosen, a
 * guest here must be told the same: less, and it cannot come from there; more,
 * and it cannot go there.
 *
 * Returns: true if it is.
 */
bool hvc_kvm_profile_check(const HvcKvmProfile *profile, Error **errp);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvcKvmProfile, hvc_kvm_profile_free)

#endif
