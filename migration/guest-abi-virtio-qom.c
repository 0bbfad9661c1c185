/*
 * Guest ABI: the virtio devices of this VM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "hw/boards.h"
#include "hw/qdev-core.h"
#include "hw/virtio/virtio-net.h"
#include "migration/qemu-compat.h"
#include "net/vhost_net.h"
#include "qemu/bitops.h"
#include "guest-abi-virtio.h"

static unsigned net_backends(VirtIODevice *vdev)
{
    VirtIONet *net = VIRTIO_NET(vdev);
    NetClientState *peer = qemu_get_queue(net->nic)->peer;

    if (!peer || peer->info->type != NET_CLIENT_DRIVER_TAP) {
        return 0;
    }
    return BIT(KERNEL_BACKEND_TAP) |
           (get_vhost_net(peer) ? BIT(KERNEL_BACKEND_VHOST_NET) : 0);
}

static unsigned vsock_backends(VirtIODevice *vdev)
{
    return BIT(KERNEL_BACKEND_VHOST_VSOCK);
}

static unsigned scsi_backends(VirtIODevice *vdev)
{
    return BIT(KERNEL_BACKEND_VHOST_SCSI);
}

/* QOM types, those of KernelFeature.driver, and what serves a device of them */
static const struct {
    const char *driver;
    unsigned (*backends)(VirtIODevice *vdev);
} kinds[] = {
    { TYPE_VIRTIO_NET, net_backends },
    { "vhost-vsock-device", vsock_backends },
    { "vhost-scsi", scsi_backends },
};

/* As -device has made it: a transport such as virtio-net-pci, or the device */
static DeviceState *plugged_device(VirtIODevice *vdev)
{
    DeviceState *dev = DEVICE(vdev);
    DeviceState *transport = qdev_get_parent_bus(dev)->parent;

    return OBJECT(vdev)->parent == OBJECT(transport) ? transport : dev;
}

static char *path_of(VirtIODevice *vdev)
{
    char *path = qdev_get_dev_path(DEVICE(vdev));

    /* A bus that has no addresses; the tree's path is as good. */
    if (!path || !*path) {
        g_free(path);
        path = object_get_canonical_path(OBJECT(plugged_device(vdev)));
    }
    /* As guest_abi_name_is_valid() wants it */
    for (char *c = path; *c; c++) {
        if (!g_ascii_isgraph(*c)) {
            *c = '_';
        }
    }
    return path;
}

static void describe_features(VirtIODevice *vdev, VirtioKernelDevice *device)
{
    for (size_t i = 0; i < kernel_features_count; i++) {
        const KernelFeature *feature = &kernel_features[i];
        uint64_t mask = kernel_feature_mask(feature);

        if (strcmp(feature->driver, device->driver)) {
            continue;
        }
        if (virtio_offers(vdev, feature->bit)) {
            device->offered |= mask;
        }
        if (virtio_acked(vdev, feature->bit)) {
            device->acked |= mask;
        }
    }
}

static int add_device(Object *obj, void *opaque)
{
    GPtrArray *found = opaque;
    VirtIODevice *vdev;
    VirtioKernelDevice *device;
    DeviceState *dev;
    unsigned kind = 0;

    while (kind < ARRAY_SIZE(kinds) &&
           !object_dynamic_cast(obj, kinds[kind].driver)) {
        kind++;
    }
    if (kind == ARRAY_SIZE(kinds) || !DEVICE(obj)->realized) {
        return 0;
    }
    vdev = VIRTIO_DEVICE(obj);
    dev = plugged_device(vdev);
    device = g_new0(VirtioKernelDevice, 1);
    device->path = path_of(vdev);
    device->type = g_strdup(object_get_typename(OBJECT(dev)));
    device->label = dev->id ? g_strdup(dev->id)
                            : object_get_canonical_path(OBJECT(dev));
    device->driver = kinds[kind].driver;
    device->backends = kinds[kind].backends(vdev);
    device->object = vdev;
    describe_features(vdev, device);
    g_ptr_array_add(found, device);
    return 0;
}

GPtrArray *virtio_kernel_devices(void)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(
        virtio_kernel_device_free);

    object_child_foreach_recursive(OBJECT(current_machine), add_device, found);
    return found;
}
