/*
 * The language of -machine hvc-services=SPEC,psci-version=V
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 *   SPEC    = host | ITEM[:ITEM...]
 *   ITEM    = FLOOR | [+|-]SERVICE     a FLOOR only as the first item
 *
 * A floor is the oldest kernel of a fleet: what a VM may use so that it can
 * run on, and go back to, every host from that kernel on.
 */

#ifndef HW_ARM_HVC_SPEC_H
#define HW_ARM_HVC_SPEC_H

#include "migration/kernel-floor.h"
#include "target/arm/hvc/services.h"
#include "target/arm/hvc/set.h"
#include "floors.h"

/* What a SPEC starts from when it names no floor. */
#define HVC_FLOOR_NONE "none"

/**
 * hvc_spec_parse: what a SPEC asks for
 * @spec: the text
 * @pinned: set to false for "host", where @set stays as it is; else to true
 * @set: set to the services and the floor's PSCI version
 * @errp: what is wrong with @spec, and what would be right
 *
 * Returns: true on success; on error @pinned and @set stay as they are.
 */
bool hvc_spec_parse(const char *spec, bool *pinned, HvcSet *set, Error **errp);

/**
 * hvc_spec_floor: the floor that a SPEC begins with
 * @spec: a text that hvc_spec_parse() accepts, or one that begins as such
 *
 * Returns: the floor, or NULL if the first item is none.
 */
const HvcFloor *hvc_spec_floor(const char *spec);

/**
 * hvc_spec_has_kernel: does a SPEC name a kernel?
 * @spec: a text that hvc_spec_parse() accepts
 *
 * Returns: true if its first item is a floor other than "none". The floor's
 * PSCI version then counts.
 */
bool hvc_spec_has_kernel(const char *spec);

/**
 * hvc_spec_gic_revision: the revision of the kernel's GIC that a SPEC asks for
 * @spec: a text that hvc_spec_parse() accepts
 *
 * Returns: GICD_IIDR.Revision; 0 if it is left to the host's kernel.
 */
unsigned hvc_spec_gic_revision(const char *spec);

/**
 * hvc_spec_format: the shortest SPEC for a set
 * @set: a set without bits that have no row in the service table
 *
 * A floor with the set's PSCI version goes before one without; where no floor
 * has both, ",psci-version=V" follows, so that the text is what can be given
 * after "-machine hvc-services=".
 *
 * Returns: the text; the caller frees it with g_free().
 */
char *hvc_spec_format(const HvcSet *set);

/**
 * hvc_spec_format_like: a SPEC for a set, with the floor of another SPEC
 * @spec: a text that hvc_spec_parse() accepts, or one that begins as such
 * @set: a set without bits that have no row in the service table; its PSCI
 *       version does not count
 *
 * For a remedy: what to write instead of @spec.
 *
 * Returns: the text; the caller frees it with g_free().
 */
char *hvc_spec_format_like(const char *spec, const HvcSet *set);

/**
 * hvc_spec_check_kernel: can hosts with a floor's kernel have these services?
 * @spec: a text that hvc_spec_parse() accepts
 * @set: the services that it asks for, and the VM's PSCI version
 * @floor: the floor of kernel-floor; "none" names no kernel, and so fits
 * @errp: what only newer kernels can give a guest, and what to use instead
 *
 * Whoever serves, kernel or QEMU: both need a kernel that is new enough.
 *
 * Returns: true if they can.
 */
bool hvc_spec_check_kernel(const char *spec, const HvcSet *set,
                           const KernelFloor *floor, Error **errp);

/**
 * hvc_spec_floor_for: the floor that kernel-floor needs for a service
 * @service: a row of hvc_services
 *
 * Returns: the oldest floor whose kernel can give it; NULL if none can.
 */
const KernelFloor *hvc_spec_floor_for(const HvcService *service);

/**
 * hvc_spec_help: describe floors, services, bits and kernel versions
 *
 * Returns: the text of -machine virt,hvc-services=help; the caller frees it
 * with g_free().
 */
char *hvc_spec_help(void);

/**
 * hvc_spec_floor_help: describe what floors stand for on the virt machine
 *
 * Returns: the text that -machine virt,kernel-floor=help has behind that of
 * kernel_floor_help(); the caller frees it with g_free().
 */
char *hvc_spec_floor_help(void);

/**
 * hvc_psci_version_parse: read a PSCI version
 * @text: as in "1.1"
 * @version: set to the version as PSCI_VERSION returns it
 * @errp: the versions that a VM can be pinned to
 *
 * Returns: true on success; on error @version stays as it is.
 */
bool hvc_psci_version_parse(const char *text, uint32_t *version, Error **errp);

/**
 * hvc_psci_version_format: write a PSCI version
 * @version: as PSCI_VERSION returns it
 *
 * Returns: as in "1.1"; the caller frees it with g_free().
 */
char *hvc_psci_version_format(uint32_t version);

#endif
