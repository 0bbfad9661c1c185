/*
 * guest-abi-profile: an x86 VM that can run on another host, too
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * With "-cpu host" a guest has what its host has, and so cannot go to a host
 * that has less. A profile is the contract of a VM on that one, or what all
 * hosts of a fleet have: a guest is given nothing beyond it.
 */

#ifndef TARGET_I386_CPUID_PROFILE_H
#define TARGET_I386_CPUID_PROFILE_H

/**
 * x86_cpuid_profile_load: read a profile, and take from vCPUs what it lacks
 * @machine: the machine, whose vCPUs do not exist yet
 * @file: a file with what query-guest-abi of an x86 VM returned, or with the
 *        whole reply
 * @errp: why it is not that
 *
 * Features and levels become compat properties of the vCPUs: they come before
 * what the user says with -cpu, which x86_cpuid_profile_check() finds.
 *
 * Returns: true on success.
 */
bool x86_cpuid_profile_load(MachineState *machine, const char *file,
                            Error **errp);

/**
 * x86_cpuid_profile_file: the path of the profile, NULL if there is none
 */
const char *x86_cpuid_profile_file(void);

/**
 * x86_cpuid_profile_check: is a vCPU within the profile, and the profile
 * within what this host can give?
 * @cpu: a vCPU, realized
 * @errp: the features, or registers, of which that is not true
 *
 * Returns: true if it is, or if there is no profile.
 */
bool x86_cpuid_profile_check(X86CPU *cpu, Error **errp);

#endif
