/*
 * Shared pages: an IOMMU that lets devices reach shared pages only
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Each device has an address space of its own, in which guest physical
 * addresses are what they are; the guest's RAM is there where the guest shares
 * it. What is not the guest's RAM is there as well: doorbells of interrupts,
 * registers and memory of other devices, flash. An access to a private page
 * ends as one to where nothing is, and is reported with the name of the device.
 */

#ifndef MIGRATION_SHARED_PAGES_IOMMU_H
#define MIGRATION_SHARED_PAGES_IOMMU_H

#include "qapi/qapi-types-shared-pages.h"
#include "qemu-compat.h"

typedef struct SharedPagesRequester SharedPagesRequester;

/**
 * shared_pages_requester_new: a place that a device can have
 *
 * Nothing frees a requester: devices that come and go at its place have it one
 * after the other.
 *
 * Returns: the requester, whose device has no name yet.
 */
SharedPagesRequester *shared_pages_requester_new(void);

/**
 * shared_pages_requester_address_space: what the device at a place reaches
 * @requester: the place
 */
AddressSpace *shared_pages_requester_address_space(
    SharedPagesRequester *requester);

/**
 * shared_pages_requester_name: say which device has a place
 * @requester: the place
 * @device: the ID of the device; NULL if it has none
 * @path: its QOM path
 *
 * What another device has done at the same place is not counted for this one.
 */
void shared_pages_requester_name(SharedPagesRequester *requester,
                                 const char *device, const char *path);

/**
 * shared_pages_set_refused: have a function called for refused accesses
 * @refused: called after each one, with what the device reaches and the guest
 *           physical address; in the device's thread, in an RCU critical
 *           section, without the big lock or with it
 *
 * To be called once, while the machine is made.
 */
void shared_pages_set_refused(void (*refused)(AddressSpace *as,
                                              uint64_t address));

/**
 * shared_pages_loading_begin: the state of devices is loaded from now on
 *
 * Until shared_pages_loading_end() the caller's thread, in the coroutine in
 * which it is now or in none, reaches private pages in the name of devices: it
 * maps again what a device has mapped at the source. Devices themselves, in
 * other threads and coroutines, reach shared pages only.
 */
void shared_pages_loading_begin(void);

/**
 * shared_pages_loading_end: nobody loads the state of devices any more
 *
 * To be called with the big lock; once or more often.
 */
void shared_pages_loading_end(void);

/**
 * shared_pages_refusals: what was refused
 * @total: set to the number of accesses of all devices
 *
 * Returns: the devices of which some was refused; the caller frees the list
 * with qapi_free_SharedPagesRefusalList().
 */
SharedPagesRefusalList *shared_pages_refusals(uint64_t *total);

#endif
