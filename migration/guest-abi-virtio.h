/*
 * Guest ABI: features that virtio devices take from the host's kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * One entry, "virtio.PATH", for each device whose features are the host
 * kernel's: virtio-net with a TAP backend (with vhost-net or without),
 * vhost-vsock, vhost-scsi. PATH is what the device is called in migration
 * streams; the value has the features of kernel_features[] that the guest is
 * offered.
 */

#ifndef MIGRATION_GUEST_ABI_VIRTIO_H
#define MIGRATION_GUEST_ABI_VIRTIO_H

#include "guest-abi.h"
#include "kernel-floor.h"

/**
 * VirtioKernelDevice: a device of a type that can have a kernel backend
 * @path: its bus address, as in the names of a stream's sections
 * @type: QOM type of what was plugged, such as "virtio-net-pci"
 * @label: its id, or its path in the composition tree
 * @driver: QOM type that the features are of, as in KernelFeature.driver
 * @backends: BIT() of each KernelBackend that it has; 0: none is the kernel's
 * @offered: kernel_feature_mask() of each feature that the guest is offered
 * @acked: the same, of features that the guest has accepted
 * @object: the device, for telling one that was plugged later from it
 */
typedef struct VirtioKernelDevice {
    char *path;
    char *type;
    char *label;
    const char *driver;
    unsigned backends;
    uint64_t offered;
    uint64_t acked;
    const void *object;
} VirtioKernelDevice;

/**
 * virtio_kernel_devices: the devices of this VM, in the order of its tree
 *
 * Returns: an array of VirtioKernelDevice, which the caller frees with
 * g_ptr_array_unref().
 */
GPtrArray *virtio_kernel_devices(void);

/**
 * virtio_kernel_device_free: free a device's description
 * @device: a VirtioKernelDevice
 */
void virtio_kernel_device_free(void *device);

/**
 * guest_abi_list_virtio: list the entries; part of GuestAbiLister.list
 * @floor: the VM's floor, or NULL
 * @floor_origin: who set it
 */
void guest_abi_list_virtio(const KernelFloor *floor,
                           GuestAbiOrigin floor_origin);

/**
 * guest_abi_virtio_count: number of entries that the last call of
 * guest_abi_list_virtio() has made part of the contract
 */
unsigned guest_abi_virtio_count(void);

/**
 * guest_abi_virtio_told: see GuestAbiLister.told
 * @definition: any listed entry
 * @value: what the guest was offered
 */
void guest_abi_virtio_told(const GuestAbiDefinition *definition,
                           uint64_t value);

/**
 * guest_abi_virtio_forget: see GuestAbiLister.forget
 */
void guest_abi_virtio_forget(void);

/**
 * guest_abi_virtio_refuse_unknown: see GuestAbiLister.refuse_unknown
 * @name: the entry
 * @value: what the guest was offered
 * @errp: set if the entry is of a virtio device
 */
bool guest_abi_virtio_refuse_unknown(const char *name, uint64_t value,
                                     Error **errp);

#endif
