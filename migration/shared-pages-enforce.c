/*
 * Shared pages: -machine shared-pages=enforce
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Puts devices behind the IOMMU of shared-pages-iommu.c: those on PCI buses,
 * and virtio devices on buses of their own. What a user adds that reaches
 * memory in another way is refused, and so is what nobody has looked at.
 * docs/system/shared-pages.rst lists what the machine itself has and does
 * without the IOMMU.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "hw/boards.h"
#include "hw/pci/pci.h"
#include "hw/pci/pci_bus.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pci_host.h"
#include "hw/virtio/virtio-bus.h"
#include "hw/virtio/virtio-pci.h"
#include "hw/virtio/virtio.h"
#include "hw/xen/xen.h"
#include "qemu-compat.h"
#include "shared-pages-iommu.h"
#include "shared-pages-known.h"
#include "shared-pages-machine.h"

/**
 * Place: where a device is, and what it reaches
 * @bus: its PCI bus; NULL if it is no PCI device
 * @devfn: device and function on @bus
 * @transport: the transport of a virtio device that is no PCI device
 * @requester: what it reaches
 */
typedef struct Place {
    PCIBus *bus;
    int devfn;
    DeviceState *transport;
    SharedPagesRequester *requester;
} Place;

/* GPtrArray of Place; nothing is ever removed */
static GPtrArray *places;

/**
 * VirtioDevice: a virtio device that was realized
 * @vdev: the device
 * @as: that of its requester
 */
typedef struct VirtioDevice {
    VirtIODevice *vdev;
    AddressSpace *as;
} VirtioDevice;

/* GArray of VirtioDevice; @lock is held by whoever reads or writes @list */
static struct {
    QemuMutex lock;
    GArray *list;
} virtio_devices;

/* From a VirtioBusClass to what its pre_plugged and get_dma_as were */
static GHashTable *virtio_buses;

/* Of the machine type, which prepare() has taken the place of */
static void (*board_init)(MachineState *machine);

/**
 * strays: types whose devices reach the guest's memory by another way
 * @type: QOM type; those that derive from it are strays as well
 * @way: for people
 * @is_boards: boards have one of their own, which stays
 */
static const struct {
    const char *type;
    const char *way;
    bool is_boards;
} strays[] = {
    { "arm-smmu", "an IOMMU of its own" },
    { "cs4231a", "ISA DMA" },
    { "generic-sdhci", "its system bus" },
    { "gus", "ISA DMA" },
    { "hv-syndbg", "hypercalls of Hyper-V" },
    { "isa-fdc", "ISA DMA", .is_boards = true },
    { "pc-testdev", "its I/O ports" },
    { "pci-ehci-usb", "the system's address space while bus mastering is off" },
    { "pvscsi", "the system's address space" },
    { "ramfb", "fw_cfg" },
    { "sb16", "ISA DMA" },
    { "sysbus-ahci", "its system bus" },
    { "sysbus-xhci", "its system bus" },
    { "uefi-vars-sysbus", "its system bus" },
    { "uefi-vars-x64", "its ISA bus" },
    { "vfio-pci", "VFIO" },
    { "vfio-pci-device", "VFIO" },
    { "vfio-platform", "VFIO" },
    { "vhost-user-base", "vhost" },
    { "vhost-user-scmi", "vhost" },
    { "vhost-vdpa-device", "vhost" },
    { "virtio-iommu-device", "an IOMMU of its own" },
    { "vmbus-bridge", "VMBus" },
    { "vmgenid", "fw_cfg" },
    { "x-pci-proxy-dev", "another process" },
    { "x86-iommu", "an IOMMU of its own" },
    { "xen-backend", "Xen's grants" },
    { "xen-device", "Xen's grants" },
};

/**
 * ways_of_machine: options of machines with which QEMU itself reaches memory at
 *                  addresses that the guest gives
 * @option: a boolean property, which not every machine has
 * @way: for people
 */
static const struct {
    const char *option;
    const char *way;
} ways_of_machine[] = {
    { "nvdimm", "the method of NVDIMMs in ACPI (_DSM)" },
    { "ras", "the error records of ACPI (GHES)" },
};

typedef struct VirtioBus {
    void (*pre_plugged)(DeviceState *transport, Error **errp);
    AddressSpace *(*get_dma_as)(DeviceState *transport);
} VirtioBus;

static Place *find_place(PCIBus *bus, int devfn, DeviceState *transport)
{
    for (unsigned i = 0; i < places->len; i++) {
        Place *place = g_ptr_array_index(places, i);

        if (place->bus == bus && place->devfn == devfn &&
            place->transport == transport) {
            return place;
        }
    }
    return NULL;
}

static Place *place_of(PCIBus *bus, int devfn, DeviceState *transport)
{
    Place *place = find_place(bus, devfn, transport);

    if (place) {
        return place;
    }
    place = g_new(Place, 1);
    *place = (Place) {
        .bus = bus,
        .devfn = devfn,
        .transport = transport,
        .requester = shared_pages_requester_new(),
    };
    g_ptr_array_add(places, place);
    return place;
}

static void name_requester(SharedPagesRequester *requester, DeviceState *dev)
{
    g_autofree char *path = object_get_canonical_path(OBJECT(dev));

    shared_pages_requester_name(requester, dev->id, path);
}

/* @bus and @devfn are those of a bridge whose devices go by its name. */
static AddressSpace *address_space_of(PCIBus *bus, void *opaque, int devfn)
{
    Place *place = place_of(bus, devfn, NULL);

    return shared_pages_requester_address_space(place->requester);
}

static const PCIIOMMUOps pci_ops = {
    .get_address_space = address_space_of,
};

/* The user's words for a device */
static char *describe(DeviceState *dev)
{
    const char *type = object_get_typename(OBJECT(dev));

    return dev->id ? g_strdup_printf("'%s' (%s)", dev->id, type)
                   : g_strdup_printf("'%s'", type);
}

static void refuse_stray(DeviceState *dev, const char *way, Error **errp)
{
    g_autofree char *device = describe(dev);

    error_setg(errp, "shared-pages=enforce: device %s reaches the guest's "
               "memory through %s, where QEMU cannot hold it to shared pages; "
               "leave it out, or use shared-pages=on", device, way);
}

static const char *way_of(ObjectClass *oc)
{
    for (size_t i = 0; i < ARRAY_SIZE(strays); i++) {
        if (object_class_dynamic_cast(oc, strays[i].type)) {
            return strays[i].way;
        }
    }
    return NULL;
}

/* In place of a class's own realize */
static void realize_stray(DeviceState *dev, Error **errp)
{
    refuse_stray(dev, way_of(object_get_class(OBJECT(dev))), errp);
}

/* In place of a class's own realize */
static void realize_unknown(DeviceState *dev, Error **errp)
{
    g_autofree char *device = describe(dev);

    error_setg(errp, "shared-pages=enforce: nobody has looked whether device "
               "%s can reach memory that the guest does not share; leave it "
               "out, or use shared-pages=on", device);
}

static void close_way(ObjectClass *oc, void *opaque)
{
    DEVICE_CLASS(oc)->realize = realize_stray;
}

static void close_ways(bool is_boards)
{
    for (size_t i = 0; i < ARRAY_SIZE(strays); i++) {
        if (strays[i].is_boards == is_boards) {
            object_class_foreach(close_way, strays[i].type, false, NULL);
        }
    }
}

static void close_unknown(ObjectClass *oc, void *opaque)
{
    DeviceClass *dc = DEVICE_CLASS(oc);

    if (dc->user_creatable && !way_of(oc) &&
        !shared_pages_device_is_known(oc)) {
        dc->realize = realize_unknown;
    }
}

static G_NORETURN void refuse_option(const char *option, const char *way)
{
    error_report("shared-pages=enforce: with %s QEMU reaches the guest's "
                 "memory through %s, where it cannot be held to shared pages; "
                 "leave that out, or use shared-pages=on", option, way);
    exit(EXIT_FAILURE);
}

static void check_options(MachineState *machine)
{
    for (size_t i = 0; i < ARRAY_SIZE(ways_of_machine); i++) {
        const char *name = ways_of_machine[i].option;

        if (object_property_find(OBJECT(machine), name) &&
            object_property_get_bool(OBJECT(machine), name, NULL)) {
            g_autofree char *option = g_strdup_printf("-machine %s=on", name);

            refuse_option(option, ways_of_machine[i].way);
        }
    }
    if (xen_mode != XEN_DISABLED) {
        refuse_option("xen-version=", "Xen's pages and grants");
    }
}

/* The devices on the virtio bus of a transport: one */
static VirtIODevice *device_of(DeviceState *transport)
{
    BusState *bus = QLIST_FIRST(&transport->child_bus);

    return VIRTIO_DEVICE(QTAILQ_FIRST(&bus->children)->child);
}

static const VirtioBus *virtio_bus_of(DeviceState *transport)
{
    BusState *bus = QLIST_FIRST(&transport->child_bus);

    return g_hash_table_lookup(virtio_buses, object_get_class(OBJECT(bus)));
}

/* As -device has made it: a transport such as virtio-blk-pci, or the device */
static DeviceState *plugged_device(VirtIODevice *vdev, DeviceState *transport)
{
    return OBJECT(vdev)->parent == OBJECT(transport) ? transport : DEVICE(vdev);
}

/* QEMU refuses it too, in words that do not say what to do. */
static bool is_for_legacy_drivers(DeviceState *transport)
{
    return object_dynamic_cast(OBJECT(transport), TYPE_VIRTIO_PCI) &&
           virtio_pci_legacy(VIRTIO_PCI(transport));
}

static bool check_virtio(VirtIODevice *vdev, DeviceState *transport,
                         Error **errp)
{
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_GET_CLASS(vdev);
    DeviceState *plugged = plugged_device(vdev, transport);
    g_autofree char *device = NULL;

    if (vdc->get_vhost && vdc->get_vhost(vdev)) {
        refuse_stray(plugged, "vhost", errp);
        return false;
    }
    device = describe(plugged);
    if (is_for_legacy_drivers(transport)) {
        error_setg(errp, "shared-pages=enforce: device %s is for legacy "
                   "drivers as well, which know of no IOMMU; leave out "
                   "disable-legacy=off, use the device whose name ends in "
                   "-pci or -pci-non-transitional, or use shared-pages=on",
                   device);
        return false;
    }
    if (virtio_host_has_feature(vdev, VIRTIO_F_IOMMU_PLATFORM)) {
        return true;
    }
    error_setg(errp, "shared-pages=enforce: device %s has iommu_platform=off, "
               "with which it reaches all of the guest's memory; leave out "
               "iommu_platform=off, or use shared-pages=on", device);
    return false;
}

static void pre_plugged(DeviceState *transport, Error **errp)
{
    const VirtioBus *bus = virtio_bus_of(transport);

    if (check_virtio(device_of(transport), transport, errp) &&
        bus->pre_plugged) {
        bus->pre_plugged(transport, errp);
    }
}

/* A transport on PCI has its address space from there. */
static AddressSpace *get_dma_as(DeviceState *transport)
{
    const VirtioBus *bus = virtio_bus_of(transport);
    Place *place;

    if (bus->get_dma_as) {
        return bus->get_dma_as(transport);
    }
    place = place_of(NULL, 0, transport);
    name_requester(place->requester,
                   plugged_device(device_of(transport), transport));
    return shared_pages_requester_address_space(place->requester);
}

static bool is_within(hwaddr address, hwaddr start, hwaddr size)
{
    return start && address - start < size;
}

/* The queue in one of whose three parts an address is; -1 if there is none */
static int queue_at(VirtIODevice *vdev, hwaddr address)
{
    for (int n = 0; n < VIRTIO_QUEUE_MAX; n++) {
        if (virtio_queue_get_num(vdev, n) &&
            (is_within(address, virtio_queue_get_desc_addr(vdev, n),
                       virtio_queue_get_desc_size(vdev, n)) ||
             is_within(address, virtio_queue_get_avail_addr(vdev, n),
                       virtio_queue_get_avail_size(vdev, n)) ||
             is_within(address, virtio_queue_get_used_addr(vdev, n),
                       virtio_queue_get_used_size(vdev, n)))) {
            return n;
        }
    }
    return -1;
}

/**
 * RefusedRing: an access to a ring that was refused
 * @as: what the device reaches
 * @address: guest physical address in the ring
 */
typedef struct RefusedRing {
    AddressSpace *as;
    uint64_t address;
} RefusedRing;

/*
 * The device with that ring; NULL if there is none. Devices behind a bridge of
 * conventional PCI have one address space. To be called with the lock of
 * virtio_devices.
 */
static VirtIODevice *find_ring(const RefusedRing *ring, int *queue)
{
    for (unsigned i = 0; i < virtio_devices.list->len; i++) {
        VirtioDevice *dev = &g_array_index(virtio_devices.list, VirtioDevice,
                                           i);

        *queue = dev->as == ring->as ? queue_at(dev->vdev, ring->address) : -1;
        if (*queue >= 0) {
            return dev->vdev;
        }
    }
    return NULL;
}

/* In the main loop; the device may be gone, or have been reset: not broken. */
static void break_device(void *opaque)
{
    g_autofree RefusedRing *ring = opaque;
    VirtIODevice *vdev = NULL;
    int queue;

    WITH_QEMU_LOCK_GUARD(&virtio_devices.lock) {
        vdev = find_ring(ring, &queue);
    }
    if (vdev && vdev->broken &&
        !(vdev->status & VIRTIO_CONFIG_S_NEEDS_RESET)) {
        virtio_error(vdev, "shared-pages=enforce: %s: the guest does not share "
                     "the ring of queue %d, at 0x%" PRIx64 "; the device is "
                     "broken until its driver resets it", vdev->name, queue,
                     ring->address);
    }
}

/*
 * virtio.c takes no notice: what it cannot read is 0, and what it cannot write
 * is lost, so that a device would take requests and never give them back. It
 * does nothing more from now on; the guest is told in the main loop, as an
 * iothread must not wait for the big lock, which that needs.
 */
static void access_refused(AddressSpace *as, uint64_t address)
{
    RefusedRing ring = { as, address };
    VirtIODevice *vdev;
    int queue;

    QEMU_LOCK_GUARD(&virtio_devices.lock);
    vdev = find_ring(&ring, &queue);
    if (vdev && !vdev->broken) {
        vdev->broken = true;
        aio_bh_schedule_oneshot(qemu_get_aio_context(), break_device,
                                g_memdup2(&ring, sizeof(ring)));
    }
}

static void take_virtio_bus(ObjectClass *oc, void *opaque)
{
    VirtioBusClass *class = VIRTIO_BUS_CLASS(oc);
    VirtioBus *bus = g_new(VirtioBus, 1);

    *bus = (VirtioBus) { class->pre_plugged, class->get_dma_as };
    g_hash_table_insert(virtio_buses, oc, bus);
    class->pre_plugged = pre_plugged;
    class->get_dma_as = get_dma_as;
}

static void refuse_bridge(const PCIHostState *bridge, const char *what)
{
    g_autofree char *path = object_get_canonical_path(OBJECT(bridge));

    error_report("shared-pages=enforce: PCI devices behind '%s' have %s, with "
                 "which they reach all of the guest's memory; leave that out, "
                 "or use shared-pages=on", path, what);
    exit(EXIT_FAILURE);
}

/* Buses of further bridges, such as pxb-pcie's, have it from their parent. */
static int take_bridge(Object *obj, void *opaque)
{
    PCIHostState *bridge =
        (PCIHostState *)object_dynamic_cast(obj, TYPE_PCI_HOST_BRIDGE);

    if (!bridge || !bridge->bus) {
        return 0;
    }
    if (bridge->bus->iommu_ops) {
        refuse_bridge(bridge, "an IOMMU of their own");
    }
    pci_setup_iommu(bridge->bus, &pci_ops, NULL);
    return 0;
}

/* A device that goes by the name of a bridge has no place. */
static void name_pci_device(PCIDevice *dev)
{
    AddressSpace *as = pci_device_iommu_address_space(dev);
    Place *place = find_place(pci_get_bus(dev), dev->devfn, NULL);

    if (place &&
        as == shared_pages_requester_address_space(place->requester)) {
        name_requester(place->requester, DEVICE(dev));
    }
}

static void add_virtio_device(VirtIODevice *vdev)
{
    DeviceState *transport = qdev_get_parent_bus(DEVICE(vdev))->parent;
    bool is_pci = object_dynamic_cast(OBJECT(transport), TYPE_PCI_DEVICE);
    VirtioDevice dev = {
        .vdev = vdev,
        .as = is_pci ? pci_device_iommu_address_space(PCI_DEVICE(transport))
                     : vdev->dma_as,
    };

    QEMU_LOCK_GUARD(&virtio_devices.lock);
    g_array_append_val(virtio_devices.list, dev);
}

static void device_realized(DeviceListener *listener, DeviceState *dev)
{
    PCIHostState *bridge =
        (PCIHostState *)object_dynamic_cast(OBJECT(dev), TYPE_PCI_HOST_BRIDGE);

    if (bridge && bridge->bypass_iommu) {
        refuse_bridge(bridge, "bypass_iommu=on");
    }
    if (object_dynamic_cast(OBJECT(dev), TYPE_PCI_DEVICE)) {
        name_pci_device(PCI_DEVICE(dev));
    }
    if (object_dynamic_cast(OBJECT(dev), TYPE_VIRTIO_DEVICE)) {
        add_virtio_device(VIRTIO_DEVICE(dev));
    }
}

static void device_unrealized(DeviceListener *listener, DeviceState *dev)
{
    QEMU_LOCK_GUARD(&virtio_devices.lock);
    for (unsigned i = 0; i < virtio_devices.list->len; i++) {
        if (DEVICE(g_array_index(virtio_devices.list, VirtioDevice, i).vdev) ==
            dev) {
            g_array_remove_index_fast(virtio_devices.list, i);
            return;
        }
    }
}

/*
 * As QEMU does for confidential guests: without iommu_platform=on a virtio
 * device goes past every IOMMU, and legacy drivers do not know of it.
 */
static const char *const defaults[][3] = {
    { TYPE_VIRTIO_DEVICE, "iommu_platform", "on" },
    { "virtio-pci", "disable-legacy", "on" },
    { "virtio-mmio", "force-legacy", "off" },
    /* As in shared_pages_requester_new() */
    { "virtio-pci", "x-max-bounce-buffer-size", "0" },
};

/*
 * In place of the board's own function: PCI buses are there once that has run,
 * and the user's devices are not yet.
 */
static void init_machine(MachineState *machine)
{
    static DeviceListener listener = {
        .realize = device_realized,
        .unrealize = device_unrealized,
    };

    if (shared_pages_mode() != SHARED_PAGES_MODE_ENFORCE) {
        board_init(machine);
        return;
    }
    check_options(machine);
    places = g_ptr_array_new();
    virtio_buses = g_hash_table_new(NULL, NULL);
    qemu_mutex_init(&virtio_devices.lock);
    virtio_devices.list = g_array_new(false, false, sizeof(VirtioDevice));
    shared_pages_set_refused(access_refused);
    object_class_foreach(take_virtio_bus, TYPE_VIRTIO_BUS, false, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
        object_register_sugar_prop(defaults[i][0], defaults[i][1],
                                   defaults[i][2], true);
    }
    /* Types of modules that are loaded later would keep their ways. */
    module_load_qom_all();
    close_ways(false);
    board_init(machine);
    close_ways(true);
    object_class_foreach(close_unknown, TYPE_DEVICE, false, NULL);
    object_child_foreach_recursive(OBJECT(machine), take_bridge, NULL);
    /* Tells about the board's devices as well */
    device_listener_register(&listener);
}

static void prepare(MachineState *machine)
{
    MachineClass *mc = MACHINE_GET_CLASS(machine);

    if (mc->init != init_machine) {
        board_init = mc->init;
        mc->init = init_machine;
    }
}

static void offer(void)
{
    shared_pages_set_enforcer(prepare);
}

migration_init(offer)
