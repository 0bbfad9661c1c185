/*
 * Floors: the oldest kernel of a fleet, and what follows the host's kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * -machine kernel-floor=FLOOR, on every machine: the VM has nothing that only
 * a newer kernel than FLOOR's gives to a guest. What devices take from the
 * kernel is in the table of this file; hypercall services are the virt
 * machine's (hw/arm/hvc/floors.c).
 */

#ifndef MIGRATION_KERNEL_FLOOR_H
#define MIGRATION_KERNEL_FLOOR_H

/* A version that compares as a number; @minor is below 0x10000 */
#define LINUX_VERSION_OF(major, minor) ((major) << 16 | (minor))

/**
 * KernelFloor: a kernel that fleets are known to have
 * @name: as in -machine kernel-floor=
 * @help: one line
 * @version: LINUX_VERSION_OF(), 0 for "none"
 */
typedef struct KernelFloor {
    const char *name;
    const char *help;
    unsigned version;
} KernelFloor;

/* Oldest first; "none" is before all kernels. */
extern const KernelFloor kernel_floors[];
extern const size_t kernel_floors_count;

/* What a device has its features from; a device can have more than one. */
typedef enum KernelBackend {
    KERNEL_BACKEND_TAP,
    KERNEL_BACKEND_VHOST_NET,
    KERNEL_BACKEND_VHOST_VSOCK,
    KERNEL_BACKEND_VHOST_SCSI,
    KERNEL_BACKENDS
} KernelBackend;

/**
 * KernelFeature: a virtio feature that a guest is offered if the host's kernel
 *                has it
 * @name: the feature, in the words of the Virtio specification
 * @backend: which part of the kernel has it
 * @bit: its number
 * @since: LINUX_VERSION_OF() the first kernel that has it; 0 if none has
 * @driver: QOM type of the devices
 * @property: the devices' property that switches it
 */
typedef struct KernelFeature {
    const char *name;
    KernelBackend backend;
    unsigned bit;
    unsigned since;
    const char *driver;
    const char *property;
} KernelFeature;

extern const KernelFeature kernel_features[];
extern const size_t kernel_features_count;

/**
 * kernel_backend_name: as in "vhost-net"
 * @backend: below KERNEL_BACKENDS
 */
const char *kernel_backend_name(KernelBackend backend);

/**
 * kernel_feature_mask: a feature's bit in a contract's 64-bit value
 * @feature: the feature
 *
 * The bit of the feature's number; those from 65 on, of UDP tunnels, are at 46
 * and following, which no device has.
 */
uint64_t kernel_feature_mask(const KernelFeature *feature);

/**
 * kernel_floor_has: may a VM with a floor have a feature?
 * @floor: the floor
 * @feature: the feature
 */
bool kernel_floor_has(const KernelFloor *floor, const KernelFeature *feature);

/**
 * kernel_floor_by_name: find a floor
 * @name: its name
 *
 * Returns: the floor, or NULL if there is none of that name.
 */
const KernelFloor *kernel_floor_by_name(const char *name);

/**
 * kernel_floor_until: the newest floor that is not above a kernel
 * @version: LINUX_VERSION_OF() the kernel
 *
 * Returns: the floor, or NULL if all kernels of floors are newer.
 */
const KernelFloor *kernel_floor_until(unsigned version);

/**
 * kernel_floor_from: the oldest floor that is not below a kernel
 * @version: LINUX_VERSION_OF() the kernel
 *
 * Returns: the floor, or NULL if all kernels of floors are older.
 */
const KernelFloor *kernel_floor_from(unsigned version);

/**
 * kernel_floor_parse_version: read the name of a kernel
 * @name: as in "linux-6.12", whatever follows
 * @version: set to LINUX_VERSION_OF() it
 *
 * Returns: false if @name is none, @version stays as it is.
 */
bool kernel_floor_parse_version(const char *name, unsigned *version);

/**
 * kernel_floor_list: all floors' names, for a message
 *
 * Returns: as in "none, linux-5.10"; the caller frees it with g_free().
 */
char *kernel_floor_list(void);

/**
 * kernel_floor_parse: what -machine kernel-floor= says
 * @name: the option's value
 * @errp: what is wrong with it, and what would be right
 *
 * Returns: the floor, or NULL.
 */
const KernelFloor *kernel_floor_parse(const char *name, Error **errp);

/**
 * kernel_version_parse: read a kernel's version
 * @text: as in "6.12", whatever follows
 * @version: set to LINUX_VERSION_OF() it
 *
 * Returns: false if @text is none, @version stays as it is.
 */
bool kernel_version_parse(const char *text, unsigned *version);

/**
 * kernel_version_format: write a kernel's version
 * @version: LINUX_VERSION_OF() the kernel
 *
 * Returns: as in "6.12", "-" for 0; the caller frees it with g_free().
 */
char *kernel_version_format(unsigned version);

/**
 * kernel_floor_help: the floors, and what follows the host's kernel
 *
 * Returns: the text of -machine kernel-floor=help; the caller frees it with
 * g_free().
 */
char *kernel_floor_help(void);

#endif
