/*
 * Shared pages: devices that need no refusal
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef MIGRATION_SHARED_PAGES_KNOWN_H
#define MIGRATION_SHARED_PAGES_KNOWN_H

#include "qom/object.h"

/**
 * shared_pages_device_is_known: is a type of devices known to respect
 *                               shared-pages=enforce?
 * @oc: the class of a device
 *
 * Devices on PCI and virtio buses are behind the IOMMU; those on the bus of a
 * controller, such as a disk's, reach memory through it; and a few types are
 * known to reach none, or to be a part of it. Of PCI devices, those that go
 * past the IOMMU are for the caller to know.
 */
bool shared_pages_device_is_known(ObjectClass *oc);

#endif
