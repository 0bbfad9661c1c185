/*
 * Tests of devices that reach nothing but what the guest shares
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The guest shares pages and takes them back when a test says so; libqos is its
 * driver, in memory that the guest shares or has forgotten to.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/bitops.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "libqos/generic-pcihost.h"
#include "libqos/pci.h"
#include "libqos/virtio-mmio.h"
#include "libqos/virtio-pci.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_blk.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ids.h"
#include "standard-headers/linux/virtio_mmio.h"
#include "standard-headers/linux/virtio_pci.h"
#include "standard-headers/linux/virtio_ring.h"
#include "case.h"
#include "pages-model.h"

#define PAGE    PAGES_SIZE
#define RAM_END (CALLS_RAM + CALLS_RAM_SIZE)
#define SECTOR  512
#define SECTORS 64

/* Pages of the driver's: two for its ring, one for headers, one for data */
#define RING    PAGES_FREE
#define HEADER  (RING + 2 * PAGE)
#define STATUS  (HEADER + PAGE / 2)
#define DATA    (RING + 3 * PAGE)
#define DRIVER_PAGES 4

/* A page through which a test looks into a device; DATA and more are hostile */
#define SHARED_PAGE (DATA + 16 * PAGE)

#define QUEUE_SIZE 8

/* The last of virt's virtio-mmio transports is the first to get a device. */
#define MMIO_TRANSPORT (0x0a000000 + 31 * 0x200)

/* Devices and functions of PCI devices here */
#define SLOT 4

/* Registers of the device "edu", docs/specs/edu.rst */
#define EDU_RAISE   0x60
#define EDU_SOURCE  0x80
#define EDU_TARGET  0x88
#define EDU_COUNT   0x90
#define EDU_COMMAND 0x98
#define EDU_RUN     1
#define EDU_TO_RAM  2
#define EDU_BUFFER  0x40000
#define EDU_SIZE    4096

/* The GICv2m frame of virt, and where its interrupts are pending */
#define MSI_DOORBELL 0x08020040
#define MSI_FIRST    80
#define GICD_ISPENDR 0x08000200

#define SERVICES "linux-6.12:+mem-share"
#define ENFORCE  ",shared-pages=enforce"

#define POLL_US     500
#define PATIENCE_US (120 * G_USEC_PER_SEC)

/**
 * Watch: what a VM says about refused accesses
 * @vm: the VM
 * @reported: how many accesses its events were about so far
 * @address: that of the last event
 * @write: that of the last event
 */
typedef struct Watch {
    Vm *vm;
    uint64_t reported;
    uint64_t address;
    bool write;
} Watch;

/* The GICv2 of virt */
#define GICD_CTLR       0x08000000
#define GICD_ISENABLER0 0x08000100
#define GICD_ISENABLERS 9
#define GICC_CTLR       0x08010000
#define GICC_PMR        0x08010004

/* A disk is on virtio-mmio, else on PCI; and it has a thread of its own. */
#define ON_MMIO     1
#define IN_IOTHREAD 2

/**
 * Disk: a virtio-blk device, and its driver
 * @script: what its guest does meanwhile
 * @vm: whose
 * @watch: on @vm
 * @mmio: on virtio-mmio; else on PCI
 * @alloc: where the driver's ring is
 * @bus: if it is on PCI
 * @pci: if it is on PCI
 * @on_mmio: if it is on virtio-mmio
 * @vdev: the device
 * @queue: its queue
 */
typedef struct Disk {
    PagesScript *script;
    Vm *vm;
    Watch watch;
    bool mmio;
    QGuestAllocator alloc;
    QGenericPCIBus bus;
    QVirtioPCIDevice pci;
    QVirtioMMIODevice on_mmio;
    QVirtioDevice *vdev;
    QVirtQueue *queue;
} Disk;

/* What query-shared-pages says; the caller frees @response. */
static QDict *query(Vm *vm, QDict **response)
{
    *response = qtest_qmp(vm->qts, "{ 'execute': 'query-shared-pages' }");
    return qdict_get_qdict(*response, "return");
}

static uint64_t refused(Vm *vm)
{
    QDict *response;
    QDict *info = query(vm, &response);
    uint64_t count = qdict_get_int(info, "refused");

    g_assert_true(qdict_get_bool(info, "enforced"));
    qobject_unref(response);
    return count;
}

/* By QMP and HMP; of no other device was anything refused. */
static void assert_refusal(Vm *vm, uint64_t address, bool write)
{
    QDict *response;
    QDict *info = query(vm, &response);
    QList *refusals = qdict_get_qlist(info, "refusals");
    QDict *refusal = qobject_to(QDict, qlist_peek(refusals));
    g_autofree char *hmp = qtest_hmp(vm->qts, "info shared-pages");
    g_autofree char *line = g_strdup_printf(
        "d0: %" PRIu64 " accesses refused, the last one a %s 0x%016" PRIx64
        "\r\n", qdict_get_int(refusal, "accesses"),
        write ? "write to" : "read from", address);

    g_assert_cmpuint(qlist_size(refusals), ==, 1);
    g_assert_cmpstr(qdict_get_str(refusal, "device"), ==, "d0");
    g_assert_cmpstr(qdict_get_str(refusal, "path"), ==,
                    "/machine/peripheral/d0");
    g_assert_cmphex(qdict_get_int(refusal, "address"), ==, address);
    g_assert_cmpint(qdict_get_bool(refusal, "write"), ==, write);
    g_assert_cmpuint(qdict_get_int(refusal, "accesses"), ==,
                     qdict_get_int(info, "refused"));
    g_assert_nonnull(strstr(hmp, line));
    qobject_unref(response);
}

static void take_event(Watch *watch)
{
    QDict *event = qtest_qmp_eventwait_ref(watch->vm->qts,
                                           "SHARED_PAGES_REFUSED");
    QDict *data = qdict_get_qdict(event, "data");

    g_assert_cmpstr(qdict_get_str(data, "device"), ==, "d0");
    g_assert_cmpstr(qdict_get_str(data, "path"), ==, "/machine/peripheral/d0");
    g_assert_cmpint(qdict_get_int(data, "accesses"), >, 0);
    watch->reported += qdict_get_int(data, "accesses");
    watch->address = qdict_get_int(data, "address");
    watch->write = qdict_get_bool(data, "write");
    qobject_unref(event);
}

/* Events come late, and are about each access. */
static void take_events(Watch *watch)
{
    while (watch->reported < refused(watch->vm)) {
        take_event(watch);
    }
    g_assert_cmpuint(watch->reported, ==, refused(watch->vm));
}

static void find_disk(Disk *disk)
{
    QTestState *qts = disk->vm->qts;
    QPCIAddress address = { .devfn = QPCI_DEVFN(SLOT, 0) };

    if (disk->mmio) {
        disk->on_mmio = (QVirtioMMIODevice) { };
        qvirtio_mmio_init_device(&disk->on_mmio, qts, MMIO_TRANSPORT, PAGE);
        g_assert_cmpuint(disk->on_mmio.version, ==, 2);
        disk->vdev = &disk->on_mmio.vdev;
    } else {
        disk->pci = (QVirtioPCIDevice) { };
        qpci_init_generic(&disk->bus, qts, &disk->alloc, false);
        virtio_pci_init(&disk->pci, &disk->bus.bus, &address);
        qvirtio_pci_device_enable(&disk->pci);
        disk->vdev = &disk->pci.vdev;
    }
    g_assert_cmpuint(disk->vdev->device_type, ==, VIRTIO_ID_BLOCK);
}

/* libqos has the queues of legacy transports only. */
static QVirtQueue *set_up_mmio_queue(Disk *disk)
{
    QTestState *qts = disk->vm->qts;
    QVirtQueue *queue = g_new0(QVirtQueue, 1);
    const struct {
        unsigned reg;
        const uint64_t *address;
    } parts[] = {
        { VIRTIO_MMIO_QUEUE_DESC_LOW, &queue->desc },
        { VIRTIO_MMIO_QUEUE_AVAIL_LOW, &queue->avail },
        { VIRTIO_MMIO_QUEUE_USED_LOW, &queue->used },
    };

    queue->vdev = disk->vdev;
    queue->align = PAGE;
    qtest_writel(qts, MMIO_TRANSPORT + VIRTIO_MMIO_QUEUE_SEL, 0);
    queue->size = QUEUE_SIZE;
    queue->num_free = queue->size;
    qtest_writel(qts, MMIO_TRANSPORT + VIRTIO_MMIO_QUEUE_NUM, queue->size);
    qvring_init(qts, &disk->alloc, queue, RING);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        qtest_writel(qts, MMIO_TRANSPORT + parts[i].reg, *parts[i].address);
        qtest_writel(qts, MMIO_TRANSPORT + parts[i].reg + 4,
                     *parts[i].address >> 32);
    }
    qtest_writel(qts, MMIO_TRANSPORT + VIRTIO_MMIO_QUEUE_READY, 1);
    return queue;
}

/* libqos takes the size that the device has at the moment. */
static QVirtQueue *set_up_pci_queue(Disk *disk)
{
    const QVirtioBus *bus = disk->vdev->bus;

    bus->queue_select(disk->vdev, 0);
    qpci_io_writew(disk->pci.pdev, disk->pci.bar, disk->pci.common_cfg_offset +
                   offsetof(struct virtio_pci_common_cfg, queue_size),
                   QUEUE_SIZE);
    return bus->virtqueue_setup(disk->vdev, &disk->alloc, 0);
}

static void drop_queue(Disk *disk)
{
    g_clear_pointer(&disk->queue, g_free);
    alloc_destroy(&disk->alloc);
}

/* As a driver begins; anew, if it has had the device before */
static void start_driver(Disk *disk)
{
    uint64_t features;

    if (disk->queue) {
        drop_queue(disk);
    }
    alloc_init(&disk->alloc, ALLOC_NO_FLAGS, RING, HEADER, PAGE);
    qvirtio_start_device(disk->vdev);
    features = qvirtio_get_features(disk->vdev);
    /* Drivers of confidential guests insist on it. */
    g_assert_true(features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM));
    qvirtio_set_features(disk->vdev, features &
                         (BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |
                          BIT_ULL(VIRTIO_F_VERSION_1)));
    disk->queue = disk->mmio ? set_up_mmio_queue(disk)
                             : set_up_pci_queue(disk);
    g_assert_cmphex(disk->queue->desc, ==, RING);
    g_assert_cmphex(disk->queue->used, ==, RING + PAGE);
    /* A device whose ring is private may be broken at once. */
    disk->vdev->bus->set_status(disk->vdev,
                                disk->vdev->bus->get_status(disk->vdev) |
                                VIRTIO_CONFIG_S_DRIVER_OK);
}

/* Gives the device a request about the sectors in the page DATA */
static void request(Disk *disk, uint32_t type, uint64_t sector)
{
    QTestState *qts = disk->vm->qts;
    const struct virtio_blk_outhdr header = {
        .type = cpu_to_le32(type),
        .sector = cpu_to_le64(sector),
    };
    uint32_t first;

    qtest_memwrite(qts, HEADER, &header, sizeof(header));
    qtest_writeb(qts, STATUS, 0xff);
    first = qvirtqueue_add(qts, disk->queue, HEADER, sizeof(header), false,
                           true);
    qvirtqueue_add(qts, disk->queue, DATA, SECTOR, type == VIRTIO_BLK_T_IN,
                   true);
    qvirtqueue_add(qts, disk->queue, STATUS, 1, true, false);
    qvirtqueue_kick(qts, disk->vdev, disk->queue, first);
    disk->queue->free_head = 0;
    disk->queue->num_free = disk->queue->size;
}

static uint16_t used(Disk *disk)
{
    return qtest_readw(disk->vm->qts, disk->queue->used + 2);
}

static bool is_broken(Disk *disk)
{
    return disk->vdev->bus->get_status(disk->vdev) &
           VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void wait_for_used(Disk *disk, uint16_t expected)
{
    int64_t deadline = g_get_monotonic_time() + PATIENCE_US;

    while (used(disk) != expected) {
        g_assert_true(qtest_probe_child(disk->vm->qts));
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(POLL_US);
    }
    g_assert_cmphex(qtest_readb(disk->vm->qts, STATUS), ==, VIRTIO_BLK_S_OK);
}

/* Writes a sector and reads it back, by requests @number and @number + 1 */
static void write_and_read(Disk *disk, uint64_t sector, unsigned number,
                           uint8_t pattern)
{
    QTestState *qts = disk->vm->qts;
    uint8_t wanted[SECTOR], found[SECTOR];

    memset(wanted, pattern, sizeof(wanted));
    qtest_memset(qts, DATA, pattern, SECTOR);
    request(disk, VIRTIO_BLK_T_OUT, sector);
    wait_for_used(disk, number);
    qtest_memset(qts, DATA, 0, SECTOR);
    request(disk, VIRTIO_BLK_T_IN, sector);
    wait_for_used(disk, number + 1);
    qtest_memread(qts, DATA, found, SECTOR);
    g_assert_true(!memcmp(found, wanted, SECTOR));
}

static char *make_image(void)
{
    char *path = vm_scratch("disk");
    g_autofree char *zeros = g_malloc0(SECTORS * SECTOR);

    g_assert_true(g_file_set_contents(path, zeros, SECTORS * SECTOR, NULL));
    return path;
}

/* What blkdebug prints on stdout is no TAP. */
static char *disk_options(uint32_t flags, const char *image)
{
    return g_strdup_printf(
        "-drive if=none,id=disk,driver=raw,file.driver=blkdebug,"
        "file.image.driver=file,file.image.filename=%s "
        "-object iothread,id=io0 -device %s%s,drive=disk,id=d0 1>&2", image,
        flags & ON_MMIO ? "virtio-blk-device" : "virtio-blk-pci,addr=4",
        flags & IN_IOTHREAD ? ",iothread=io0" : "");
}

static void share_driver(PagesScript *script)
{
    for (unsigned i = 0; i < DRIVER_PAGES; i++) {
        pages_script_add(script, MEM_SHARE, RING + i * PAGE);
    }
}

static void perform(Disk *disk, unsigned calls)
{
    while (calls--) {
        g_assert_cmphex(pages_script_next(disk->script, disk->vm), ==, 0);
    }
}

/* A driver that has shared nothing: the device cannot even read the ring. */
static void assert_ring_is_private(Disk *disk)
{
    uint64_t before = refused(disk->vm);

    start_driver(disk);
    request(disk, VIRTIO_BLK_T_IN, 0);
    take_event(&disk->watch);
    g_assert_cmphex(disk->watch.address, >=, RING);
    g_assert_cmphex(disk->watch.address, <, HEADER);
    g_assert_cmpuint(refused(disk->vm), >, before);
    g_assert_true(is_broken(disk));
    g_assert_cmpuint(used(disk), ==, 0);
}

/* What the driver has forgotten to share: a buffer that the device writes to */
static void assert_buffer_is_private(Disk *disk, unsigned number)
{
    QTestState *qts = disk->vm->qts;
    uint64_t before;

    take_events(&disk->watch);
    before = refused(disk->vm);
    qtest_writeq(qts, DATA, 0x5a5a5a5a);
    request(disk, VIRTIO_BLK_T_IN, 0);
    take_event(&disk->watch);
    g_assert_cmphex(disk->watch.address, ==, DATA);
    g_assert_true(disk->watch.write);
    g_assert_cmpuint(refused(disk->vm), ==, before + 1);
    assert_refusal(disk->vm, DATA, true);
    g_assert_cmpuint(used(disk), ==, number);
    g_assert_true(is_broken(disk));
    g_assert_cmphex(qtest_readq(qts, DATA), ==, 0x5a5a5a5a);
    g_assert_cmphex(qtest_readb(qts, STATUS), ==, 0xff);
}

/* @flags: how the disk is; more of its guest's calls than its driver */
static Disk *start_disk(uint32_t flags, PagesScript *script, const char *image)
{
    g_autofree char *options = disk_options(flags, image);
    const Setup setup = {
        .services = SERVICES, .machine = ENFORCE, .extra = options,
    };
    Disk *disk = g_new0(Disk, 1);

    disk->mmio = flags & ON_MMIO;
    disk->script = script;
    disk->vm = pages_script_start(script, &setup);
    disk->watch.vm = disk->vm;
    find_disk(disk);
    return disk;
}

static void end_disk(Disk *disk)
{
    drop_queue(disk);
    vm_free(disk->vm);
    g_free(disk);
}

/*
 * From the device's thread an interrupt may not go to a vCPU: QEMU has to tell
 * the guest in its main loop that the device is broken.
 */
static void enable_interrupts(QTestState *qts)
{
    qtest_writel(qts, GICD_CTLR, 1);
    for (unsigned i = 1; i < GICD_ISENABLERS; i++) {
        qtest_writel(qts, GICD_ISENABLER0 + 4 * i, 0xffffffff);
    }
    qtest_writel(qts, GICC_PMR, 0xff);
    qtest_writel(qts, GICC_CTLR, 1);
}

static void test_disk(const void *opaque)
{
    const Case *c = opaque;
    g_autofree char *image = make_image();
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(PagesScript) script = pages_script_new(calls);
    Disk *disk;
    uint64_t before;

    if (case_missing(&c->setup)) {
        return;
    }
    share_driver(script);
    pages_script_add(script, MEM_UNSHARE, DATA);
    pages_script_add(script, MEM_SHARE, DATA);
    disk = start_disk(c->flags, script, image);
    enable_interrupts(disk->vm->qts);
    assert_ring_is_private(disk);

    perform(disk, DRIVER_PAGES);
    start_driver(disk);
    before = refused(disk->vm);
    write_and_read(disk, 1, 1, 0xa5);
    g_assert_cmpuint(refused(disk->vm), ==, before);

    perform(disk, 1);
    assert_buffer_is_private(disk, 2);

    perform(disk, 1);
    start_driver(disk);
    write_and_read(disk, 2, 1, 0x3c);

    /* A guest that boots has everything to share again. */
    take_events(&disk->watch);
    pages_script_stop(script, disk->vm);
    qtest_qmp_assert_success(disk->vm->qts, "{ 'execute': 'system_reset' }");
    qtest_qmp_eventwait(disk->vm->qts, "RESET");
    pages_assert_shared(disk->vm->qts, "");
    find_disk(disk);
    assert_ring_is_private(disk);
    end_disk(disk);
}

static void qemu_io(Vm *vm, const char *command)
{
    g_autofree char *reply = qtest_hmp(vm->qts, "qemu-io disk \"%s\"",
                                       command);

    g_test_message("%s: %s", command, reply);
}

/* Has the device begin a read from the disk, and stop in the middle */
static void begin_read(Disk *disk)
{
    qemu_io(disk->vm, "break read_aio A");
    request(disk, VIRTIO_BLK_T_IN, 0);
    qemu_io(disk->vm, "wait_break A");
}

/*
 * Pages that the guest takes back while the device has a request: what was
 * mapped for the request the device still reaches, and nothing else.
 */
static void test_in_flight(const void *opaque)
{
    const Case *c = opaque;
    g_autofree char *image = make_image();
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(PagesScript) script = pages_script_new(calls);
    Disk *disk;

    if (case_missing(&c->setup)) {
        return;
    }
    share_driver(script);
    pages_script_add(script, MEM_UNSHARE, DATA);
    pages_script_add(script, MEM_SHARE, DATA);
    pages_script_add(script, MEM_UNSHARE, RING + PAGE);
    pages_script_add(script, MEM_SHARE, RING + PAGE);
    disk = start_disk(c->flags, script, image);
    perform(disk, DRIVER_PAGES);
    start_driver(disk);

    begin_read(disk);
    perform(disk, 1);
    qemu_io(disk->vm, "resume A");
    wait_for_used(disk, 1);
    g_assert_cmpuint(refused(disk->vm), ==, 0);
    assert_buffer_is_private(disk, 1);

    perform(disk, 1);
    start_driver(disk);
    begin_read(disk);
    perform(disk, 1);
    qemu_io(disk->vm, "resume A");
    take_event(&disk->watch);
    g_assert_cmphex(disk->watch.address & -PAGE, ==, RING + PAGE);
    g_assert_true(is_broken(disk));
    g_assert_cmpuint(used(disk), ==, 0);

    perform(disk, 1);
    start_driver(disk);
    write_and_read(disk, 3, 1, 0x77);
    end_disk(disk);
}

/**
 * Edu: the device "edu", which copies between RAM and a buffer of its own
 * @vm: whose
 * @bus: its bus
 * @pci: the device
 * @bar: its registers
 */
typedef struct Edu {
    Vm *vm;
    QGenericPCIBus bus;
    QPCIDevice *pci;
    QPCIBar bar;
} Edu;

static void find_edu(Edu *edu, Vm *vm)
{
    edu->vm = vm;
    qpci_init_generic(&edu->bus, vm->qts, NULL, false);
    edu->pci = qpci_device_find(&edu->bus.bus, QPCI_DEVFN(SLOT, 0));
    g_assert_nonnull(edu->pci);
    qpci_device_enable(edu->pci);
    edu->bar = qpci_iomap(edu->pci, 0, NULL);
}

static void copy(Edu *edu, uint64_t address, unsigned size, bool to_ram)
{
    int64_t deadline = g_get_monotonic_time() + PATIENCE_US;

    qpci_io_writeq(edu->pci, edu->bar, EDU_SOURCE,
                   to_ram ? EDU_BUFFER : address);
    qpci_io_writeq(edu->pci, edu->bar, EDU_TARGET,
                   to_ram ? address : EDU_BUFFER);
    qpci_io_writeq(edu->pci, edu->bar, EDU_COUNT, size);
    qpci_io_writeq(edu->pci, edu->bar, EDU_COMMAND,
                   EDU_RUN | (to_ram ? EDU_TO_RAM : 0));
    while (qpci_io_readq(edu->pci, edu->bar, EDU_COMMAND) & EDU_RUN) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(POLL_US);
    }
}

/* Data of the guest's, which the device has no other way to know */
static uint8_t guests_byte(uint64_t address)
{
    return 0x80 | (address / PAGE) << 3 | (address % 7);
}

static void fill(Edu *edu, uint64_t address, unsigned size)
{
    g_autofree uint8_t *data = g_malloc(size);

    for (unsigned i = 0; i < size; i++) {
        data[i] = guests_byte(address + i);
    }
    qtest_memwrite(edu->vm->qts, address, data, size);
}

static bool is_in_ram(uint64_t address)
{
    return address >= CALLS_RAM && address < RAM_END;
}

static bool is_shared(const PagesModel *model, uint64_t address)
{
    return is_in_ram(address) && model->shared[(address - CALLS_RAM) / PAGE];
}

/* One access for each page that is the guest's own */
static unsigned count_refused(const PagesModel *model, uint64_t address,
                              unsigned size)
{
    unsigned count = 0;

    for (unsigned i = 0; i < size; i++) {
        uint64_t at = address + i;

        count += (!i || at % PAGE == 0) && is_in_ram(at) &&
                 !is_shared(model, at);
    }
    return count;
}

/*
 * Copies from RAM into the device and on to SHARED_PAGE, or the other way
 * round. Private pages, and what is no memory, neither come nor change.
 */
static unsigned check_copy(Edu *edu, const PagesModel *model, uint64_t address,
                           unsigned size, bool to_ram)
{
    g_autofree uint8_t *found = g_malloc0(size);

    fill(edu, CALLS_RAM + CALLS_RAM_SIZE - PAGE, PAGE);
    fill(edu, DATA, 4 * PAGE);
    qtest_memset(edu->vm->qts, SHARED_PAGE, 0x11, PAGE);
    if (to_ram) {
        copy(edu, SHARED_PAGE, size, false);
        copy(edu, address, size, true);
        qtest_memread(edu->vm->qts, address, found, size);
    } else {
        copy(edu, address, size, false);
        copy(edu, SHARED_PAGE, size, true);
        qtest_memread(edu->vm->qts, SHARED_PAGE, found, size);
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t own = guests_byte(address + i);

        if (is_shared(model, address + i)) {
            g_assert_cmphex(found[i], ==, to_ram ? 0x11 : own);
        } else if (is_in_ram(address + i)) {
            g_assert_cmphex(found[i], ==, to_ram ? own : 0);
        }
    }
    return count_refused(model, address, size);
}

/* Into, out of, and across pages; over the end of RAM; nowhere at all */
static uint64_t hostile_address(GRand *rand)
{
    static const uint64_t edges[] = {
        0, RAM_END - PAGE, RAM_END - 16, RAM_END, 1ULL << 40,
        -(uint64_t)PAGE,
    };

    if (!g_rand_int_range(rand, 0, 3)) {
        return edges[g_rand_int_range(rand, 0, ARRAY_SIZE(edges))];
    }
    return DATA + g_rand_int_range(rand, 0, 3 * PAGE);
}

static void test_hostile(const void *opaque)
{
    const Case *c = opaque;
    const unsigned count = 24;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(PagesScript) script = pages_script_new(calls);
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261126);
    g_autofree PagesModel *planned = g_new0(PagesModel, 1);
    g_autofree PagesModel *model = g_new0(PagesModel, 1);
    g_autoptr(Vm) vm = NULL;
    Edu edu = { };
    Watch watch = { };
    uint64_t expected = 0;
    uint64_t x[4] = { MEM_SHARE, SHARED_PAGE };
    uint64_t changes[24];

    if (case_missing(&c->setup)) {
        return;
    }
    pages_script_add(script, MEM_SHARE, SHARED_PAGE);
    pages_model_call(model, x);
    for (unsigned i = 0; i < count; i++) {
        unsigned page = g_rand_int_range(rand, 0, 5);

        changes[i] = page < 4 ? DATA + page * PAGE : RAM_END - PAGE;
        x[0] = MEM_SHARE;
        x[1] = changes[i];
        if (pages_model_call(planned, x)) {
            x[0] = MEM_UNSHARE;
            pages_model_call(planned, x);
        }
        pages_script_add(script, x[0], x[1]);
    }
    vm = pages_script_start(script, &c->setup);
    watch.vm = vm;
    find_edu(&edu, vm);
    g_assert_cmphex(pages_script_next(script, vm), ==, 0);
    for (unsigned i = 0; i < count; i++) {
        bool *shared = &model->shared[(changes[i] - CALLS_RAM) / PAGE];

        *shared = !*shared;
        g_assert_cmphex(pages_script_next(script, vm), ==, 0);
        expected += check_copy(&edu, model, hostile_address(rand),
                               16 * g_rand_int_range(rand, 1, PAGE / 16 + 1),
                               i % 2);
        g_assert_cmpuint(refused(vm), ==, expected);
    }
    pages_assert_model(vm->qts, model);
    take_events(&watch);
    g_free(edu.pci);
}

/* A doorbell is no memory of the guest's. */
static void test_msi(const void *opaque)
{
    const Case *c = opaque;
    const unsigned icfgr = 0x08000c00 + MSI_FIRST / 16 * 4;
    const unsigned pending = GICD_ISPENDR + MSI_FIRST / 32 * 4;
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(PagesScript) script = pages_script_new(calls);
    g_autoptr(Vm) vm = NULL;
    Edu edu = { };
    uint8_t msi;

    if (case_missing(&c->setup)) {
        return;
    }
    vm = pages_script_start(script, &c->setup);
    find_edu(&edu, vm);
    qtest_writel(vm->qts, icfgr, 2);
    msi = qpci_find_capability(edu.pci, PCI_CAP_ID_MSI, 0);
    g_assert_cmphex(msi, !=, 0);
    qpci_config_writel(edu.pci, msi + PCI_MSI_ADDRESS_LO, MSI_DOORBELL);
    qpci_config_writel(edu.pci, msi + PCI_MSI_ADDRESS_HI, 0);
    qpci_config_writew(edu.pci, msi + PCI_MSI_DATA_64, MSI_FIRST);
    qpci_config_writew(edu.pci, msi + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE |
                       qpci_config_readw(edu.pci, msi + PCI_MSI_FLAGS));
    g_assert_false(qtest_readl(vm->qts, pending) & BIT(MSI_FIRST % 32));
    qpci_io_writel(edu.pci, edu.bar, EDU_RAISE, 1);
    g_assert_true(qtest_readl(vm->qts, pending) & BIT(MSI_FIRST % 32));
    g_assert_cmpuint(refused(vm), ==, 0);
    g_free(edu.pci);
}

/* Registers of NVMe 1.4, and what an admin or I/O queue has */
#define NVME_CC     0x14
#define NVME_CSTS   0x1c
#define NVME_AQA    0x24
#define NVME_ASQ    0x28
#define NVME_ACQ    0x30
#define NVME_DOORBELL 0x1000
/* Entries of 64 and 16 bytes; on */
#define NVME_ON     (6 << 16 | 4 << 20 | 1)
#define NVME_DEPTH  8
#define NVME_CREATE_SQ 1
#define NVME_CREATE_CQ 5
#define NVME_WRITE     1
#define NVME_READ      2

/**
 * Nvme: a controller, and its driver
 * @vm: whose
 * @bus: its bus
 * @pci: the device
 * @bar: its registers
 * @tail: number of commands given to the admin queue, and to the I/O queue
 */
typedef struct Nvme {
    Vm *vm;
    QGenericPCIBus bus;
    QPCIDevice *pci;
    QPCIBar bar;
    unsigned tail[2];
} Nvme;

/* A submission queue and a completion queue, each on a page */
static uint64_t nvme_queue(unsigned queue, bool completions)
{
    return RING + (2 * queue + completions) * PAGE;
}

/* Returns the status, 0 for success. */
static unsigned nvme_command(Nvme *nvme, unsigned queue, uint8_t opcode,
                             uint64_t prp, const uint32_t dwords[3])
{
    QTestState *qts = nvme->vm->qts;
    int64_t deadline = g_get_monotonic_time() + PATIENCE_US;
    unsigned index = nvme->tail[queue]++;
    uint64_t command = nvme_queue(queue, false) + 64 * index;
    uint64_t completion = nvme_queue(queue, true) + 16 * index;
    uint16_t status;

    g_assert_cmpuint(nvme->tail[queue], <, NVME_DEPTH);
    qtest_memset(qts, command, 0, 64);
    qtest_writel(qts, command, opcode | index << 16);
    qtest_writel(qts, command + 4, 1);
    qtest_writeq(qts, command + 24, prp);
    for (unsigned i = 0; i < 3; i++) {
        qtest_writel(qts, command + 40 + 4 * i, dwords[i]);
    }
    qpci_io_writel(nvme->pci, nvme->bar, NVME_DOORBELL + 8 * queue,
                   nvme->tail[queue]);
    do {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(POLL_US);
        status = qtest_readw(qts, completion + 14);
    } while (!(status & 1));
    return status >> 1;
}

static void start_nvme(Nvme *nvme, Vm *vm)
{
    int64_t deadline = g_get_monotonic_time() + PATIENCE_US;

    nvme->vm = vm;
    qtest_memset(vm->qts, RING, 0, DRIVER_PAGES * PAGE);
    qpci_init_generic(&nvme->bus, vm->qts, NULL, false);
    nvme->pci = qpci_device_find(&nvme->bus.bus, QPCI_DEVFN(SLOT, 0));
    g_assert_nonnull(nvme->pci);
    qpci_device_enable(nvme->pci);
    nvme->bar = qpci_iomap(nvme->pci, 0, NULL);
    qpci_io_writel(nvme->pci, nvme->bar, NVME_AQA,
                   (NVME_DEPTH - 1) << 16 | (NVME_DEPTH - 1));
    qpci_io_writeq(nvme->pci, nvme->bar, NVME_ASQ, nvme_queue(0, false));
    qpci_io_writeq(nvme->pci, nvme->bar, NVME_ACQ, nvme_queue(0, true));
    qpci_io_writel(nvme->pci, nvme->bar, NVME_CC, NVME_ON);
    while (!(qpci_io_readl(nvme->pci, nvme->bar, NVME_CSTS) & 1)) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(POLL_US);
    }
    g_assert_cmphex(nvme_command(nvme, 0, NVME_CREATE_CQ, nvme_queue(1, true),
                                 (uint32_t[]) { (NVME_DEPTH - 1) << 16 | 1, 1,
                                                0 }), ==, 0);
    g_assert_cmphex(nvme_command(nvme, 0, NVME_CREATE_SQ,
                                 nvme_queue(1, false),
                                 (uint32_t[]) { (NVME_DEPTH - 1) << 16 | 1,
                                                1 << 16 | 1, 0 }), ==, 0);
}

/* A command about the first sector, and where its data is */
static void nvme_copy(Nvme *nvme, uint8_t opcode, uint64_t address)
{
    g_assert_cmphex(nvme_command(nvme, 1, opcode, address,
                                 (uint32_t[]) { 0, 0, 0 }), ==, 0);
}

/*
 * The controller does not notice that data was refused: a read leaves the page
 * as it is, a write writes zeros, and both end in success.
 */
static void test_nvme(const void *opaque)
{
    const Case *c = opaque;
    const uint64_t shared = DATA + PAGE, private = DATA + 2 * PAGE;
    g_autofree char *image = make_image();
    g_autofree char *options = g_strdup_printf(
        "-drive if=none,id=disk,format=raw,file=%s "
        "-device nvme,id=d0,addr=4,serial=1,drive=disk", image);
    const Setup setup = {
        .services = SERVICES, .machine = ENFORCE, .extra = options,
    };
    g_autoptr(Calls) calls = calls_new(1);
    g_autoptr(PagesScript) script = pages_script_new(calls);
    g_autoptr(Vm) vm = NULL;
    Nvme nvme = { };
    QTestState *qts;

    if (case_missing(&c->setup)) {
        return;
    }
    share_driver(script);
    pages_script_add(script, MEM_SHARE, shared);
    vm = pages_script_start(script, &setup);
    qts = vm->qts;
    for (unsigned i = 0; i < DRIVER_PAGES + 1; i++) {
        g_assert_cmphex(pages_script_next(script, vm), ==, 0);
    }
    start_nvme(&nvme, vm);
    qtest_memset(qts, shared, 0xa5, SECTOR);
    nvme_copy(&nvme, NVME_WRITE, shared);
    g_assert_cmpuint(refused(vm), ==, 0);

    qtest_memset(qts, private, 0x3c, SECTOR);
    nvme_copy(&nvme, NVME_READ, private);
    g_assert_cmphex(qtest_readb(qts, private), ==, 0x3c);
    assert_refusal(vm, private, true);

    nvme_copy(&nvme, NVME_READ, shared);
    g_assert_cmphex(qtest_readb(qts, shared), ==, 0xa5);
    nvme_copy(&nvme, NVME_WRITE, private);
    assert_refusal(vm, private, false);
    nvme_copy(&nvme, NVME_READ, shared);
    g_assert_cmphex(qtest_readb(qts, shared), ==, 0);
    g_free(nvme.pci);
}

void guest_enforce_tests(void)
{
    static const char *const buses[] = { "pci", "mmio" };
    Case c = {
        .setup = {
            .services = SERVICES, .machine = ENFORCE,
            .extra = "-device edu,id=d0,addr=4,dma_mask=0xffffffffffffffff",
        },
    };

    case_add(test_hostile, &c, "enforce/hostile");
    case_add(test_msi, &c, "enforce/msi");
    case_add(test_nvme, &c, "enforce/nvme");
    for (unsigned i = 0; i < ARRAY_SIZE(buses); i++) {
        c.flags = i;
        case_add(test_disk, &c, "enforce/disk/%s", buses[i]);
        case_add(test_in_flight, &c, "enforce/in-flight/%s", buses[i]);
        c.flags |= IN_IOTHREAD;
        case_add(test_disk, &c, "enforce/disk/%s-iothread", buses[i]);
    }
}
