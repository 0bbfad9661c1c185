/*
 * The hypercall services in a VM's contract with its guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_ARM_HVC_ABI_H
#define TARGET_ARM_HVC_ABI_H

#include "migration/guest-abi.h"
#include "set.h"

/**
 * hvc_abi_promise: promise a pinned set to the guest, across migration
 * @set: the set
 * @options: the machine options that lead to it, as in
 *           "hvc-services=linux-6.1:-ptp", for messages
 * @services: who chose the services
 * @psci_version: who chose the PSCI version
 *
 * To be called once, by the board, while the machine is made. @options is
 * copied.
 */
void hvc_abi_promise(const HvcSet *set, const char *options,
                     GuestAbiOrigin services, GuestAbiOrigin psci_version);

/**
 * hvc_abi_promise_nothing: the services are the accelerator's
 *
 * The VM's contract stays without them; a contract that has them is refused in
 * words that say so. To be called once, by the board, in place of
 * hvc_abi_promise().
 */
void hvc_abi_promise_nothing(void);

/**
 * hvc_abi_served: say what QEMU serves under KVM
 * @set: what QEMU serves in the kernel's stead; its PSCI version is 0 if that
 *       is the kernel's. It is copied
 *
 * For people: the contract does not depend on who serves. To be called once,
 * after hvc_abi_promise().
 */
void hvc_abi_served(const HvcSet *set);

#endif
