/*
 * Shared pages: devices that need no refusal
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * docs/system/shared-pages.rst has the same types; the test
 * shared-pages-devices compares all of them with what QEMU has.
 */

#include "qemu/osdep.h"
#include "hw/pci/pci_device.h"
#include "hw/qdev-core.h"
#include "hw/virtio/virtio.h"
#include "shared-pages-known.h"

/* Buses whose controller moves the data; of a controller the same is asked. */
static const char *const controlled_buses[] = {
    "HDA",
    "IDE",
    "IndustryPack",
    "SCSI",
    "SSI",
    "ccid-bus",
    "floppy-bus",
    "i2c-bus",
    "nvme-bus",
    "sd-bus",
    "ufs-bus",
    "usb-bus",
    "virtio-serial-bus",
};

/* Types, and those that derive from them */
static const char *const harmless[] = {
    "adlib",
    "cpu",
    "guest-loader",
    "hyperv-testdev",
    "i8042",
    "ib700",
    "ipmi-bmc",
    "isa-applesmc",
    "isa-cirrus-vga",
    "isa-debug-exit",
    "isa-debugcon",
    "isa-ide",
    "isa-ipmi-bt",
    "isa-ipmi-kcs",
    "isa-parallel",
    "isa-serial",
    "isa-vga",
    "loader",
    "mc146818rtc",
    "ne2k_isa",
    "nvme-subsys",
    "pc-dimm",
    "pvpanic",
    "sgx-epc",
    "tpm-crb",
    "tpm-tis",
    "tpm-tis-device",
    "vmclock",
    "vmcoreinfo",
    "vmmouse",
};

static bool is_controlled(const char *bus)
{
    for (size_t i = 0; bus && i < ARRAY_SIZE(controlled_buses); i++) {
        if (!strcmp(bus, controlled_buses[i])) {
            return true;
        }
    }
    return false;
}

bool shared_pages_device_is_known(ObjectClass *oc)
{
    if (object_class_dynamic_cast(oc, TYPE_PCI_DEVICE) ||
        object_class_dynamic_cast(oc, TYPE_VIRTIO_DEVICE) ||
        is_controlled(DEVICE_CLASS(oc)->bus_type)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
        if (object_class_dynamic_cast(oc, harmless[i])) {
            return true;
        }
    }
    return false;
}
