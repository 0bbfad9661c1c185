/*
 * Tests of devices under shared-pages=enforce that are moved
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * What a device has mapped it keeps, if the guest takes the page back or not,
 * and also where the VM is moved to; nothing else is let through there. The
 * guest shares pages and takes them back when a test says so; the test is the
 * driver, so that each part of a ring can be on a page of its own.
 */

#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/bswap.h"
#include "qemu/sockets.h"
#include "qapi/error.h"
#include "qobject/qdict.h"
#include "libqos/generic-pcihost.h"
#include "libqos/pci.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_gpu.h"
#include "standard-headers/linux/virtio_mmio.h"
#include "standard-headers/linux/virtio_ring.h"
#include "../calls/function-ids.h"
#include "../calls/pages-model.h"
#include "framework.h"
#include "moves.h"

static const Config enforcing = {
    .name = "enforce", .type = "virt-10.0",
    .options = "hvc-services=linux-6.12:+mem-share,shared-pages=enforce",
    .chosen = "hvc-services=linux-6.12:+mem-share",
};

/* The last of virt's virtio-mmio transports is the first to get a device. */
#define TRANSPORT (0x0a000000 + 31 * 0x200)

#define PAGE       PAGES_SIZE
#define QUEUE_SIZE 8

/* move_by_postcopy() overwrites what is below. */
#define RING       0x43a00000
#define RING_PAGES 3
#define HEADER     (RING + RING_PAGES * PAGE)
#define PRIVATE    (HEADER + PAGE)
#define BUFFER     0x43b00000
/* More than a socket takes that nobody reads */
#define BUFFER_PAGES 256

#define POLL_US     500
#define PATIENCE_US (60 * G_USEC_PER_SEC)

/* In the order of their pages at RING */
enum { DESC, AVAIL, USED };
static const char *const part_names[RING_PAGES] = { "desc", "avail", "used" };

/**
 * Case: how a VM is moved, and what its guest does before
 * @move: the way; NULL for a snapshot, which the same VM goes back to
 * @takes_back: the guest takes pages back that the device has mapped
 * @part: of the ring, DESC to USED: the only one that is private
 */
typedef struct Case {
    Move *move;
    bool takes_back;
    unsigned part;
} Case;

/**
 * Buffer: a part of a request
 * @address: guest physical
 * @size: in bytes
 * @in: the device writes it
 */
typedef struct Buffer {
    uint64_t address;
    uint32_t size;
    bool in;
} Buffer;

/**
 * Guest: a VM's guest
 * @calls: what it calls, when the test says so
 * @script: the same
 * @drive: for snapshots; NULL if the VM is moved
 * @qts: where the guest is now
 * @from: the source
 * @to: the destination, NULL before the guest is moved there
 * @there: the path of a socket to connect to when @to waits for the guest, as
 *         what is sent to nobody is lost; NULL for none
 * @fd_there: that connection
 * @queue: of the device
 * @added: number of requests
 */
typedef struct Guest {
    Calls *calls;
    PagesScript *script;
    char *drive;
    QTestState *qts;
    Peer *from;
    Peer *to;
    const char *there;
    int fd_there;
    unsigned queue;
    uint16_t added;
} Guest;

static void add_pages(Guest *guest, uint64_t id, uint64_t address,
                      unsigned count)
{
    while (--count) {
        calls_call(guest->calls, id, address);
        address += PAGE;
    }
    pages_script_add(guest->script, id, address);
}

static void perform(Guest *guest)
{
    Vm *vm = guest->to ? guest->to->vm : guest->from->vm;

    g_assert_cmphex(pages_script_next(guest->script, vm), ==, 0);
}

/* The guest has no calls yet. */
static Guest *guest_new(const Case *c)
{
    Guest *guest;
    char *drive = NULL;

    if (skip_without_guest()) {
        return NULL;
    }
    if (!c->move) {
        drive = make_drive("enforce-image");
        if (!drive) {
            return NULL;
        }
    }
    guest = g_new0(Guest, 1);
    guest->drive = drive;
    guest->calls = calls_new(1);
    guest->script = pages_script_new(guest->calls);
    return guest;
}

static void guest_start(Guest *guest, const char *device)
{
    g_autofree char *options = g_strdup_printf("%s %s", device,
                                               guest->drive ?: "");

    guest->from = peer_start(&enforcing, guest->calls, options);
    guest->qts = guest->from->qts;
}

static void guest_end(Guest *guest)
{
    peer_free(guest->from);
    peer_free(guest->to);
    pages_script_free(guest->script);
    calls_free(guest->calls);
    g_free(guest->drive);
    g_free(guest);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guest, guest_end)

static void hmp_quiet(QTestState *qts, const char *command)
{
    g_autofree char *answer = qtest_hmp(qts, "%s", command);

    g_assert_cmpstr(answer, ==, "");
}

/* @device: options of the destination. Returns false if the test is skipped. */
static bool guest_move(Guest *guest, const Case *c, const char *device)
{
    if (!c->move) {
        hmp_quiet(guest->qts, "savevm a");
        hmp_quiet(guest->qts, "loadvm a");
        return true;
    }
    guest->to = peer_incoming(&enforcing, guest->calls, device);
    if (c->move == move_by_postcopy && skip_without_postcopy(guest->to)) {
        return false;
    }
    if (guest->there) {
        guest->fd_there = unix_connect(guest->there, &error_abort);
    }
    c->move(guest->from, guest->to);
    guest->qts = guest->to->qts;
    return true;
}

static uint64_t refused(QTestState *qts)
{
    QDict *response = qtest_qmp(qts, "{ 'execute': 'query-shared-pages' }");
    QDict *info = qdict_get_qdict(response, "return");
    uint64_t count = qdict_get_int(info, "refused");

    g_assert_true(qdict_get_bool(info, "enforced"));
    qobject_unref(response);
    return count;
}

static void set(Guest *guest, unsigned reg, uint32_t value)
{
    qtest_writel(guest->qts, TRANSPORT + reg, value);
}

static uint32_t status(Guest *guest)
{
    return qtest_readl(guest->qts, TRANSPORT + VIRTIO_MMIO_STATUS);
}

static uint64_t part_at(unsigned part)
{
    return RING + part * PAGE;
}

static uint16_t used(Guest *guest)
{
    return qtest_readw(guest->qts, part_at(USED) + 2);
}

/* As a driver begins, with one queue */
static void start_driver(Guest *guest, unsigned queue)
{
    static const unsigned parts[RING_PAGES] = {
        VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
        VIRTIO_MMIO_QUEUE_USED_LOW,
    };
    const uint64_t features = BIT_ULL(VIRTIO_F_VERSION_1) |
                              BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
    uint32_t stage = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

    guest->queue = queue;
    guest->added = 0;
    qtest_memset(guest->qts, RING, 0, RING_PAGES * PAGE);
    set(guest, VIRTIO_MMIO_STATUS, 0);
    set(guest, VIRTIO_MMIO_STATUS, stage);
    for (unsigned word = 0; word < 2; word++) {
        set(guest, VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
        set(guest, VIRTIO_MMIO_DRIVER_FEATURES, features >> 32 * word);
    }
    stage |= VIRTIO_CONFIG_S_FEATURES_OK;
    set(guest, VIRTIO_MMIO_STATUS, stage);
    g_assert_cmphex(status(guest), ==, stage);
    set(guest, VIRTIO_MMIO_QUEUE_SEL, queue);
    set(guest, VIRTIO_MMIO_QUEUE_NUM, QUEUE_SIZE);
    for (unsigned part = 0; part < RING_PAGES; part++) {
        set(guest, parts[part], part_at(part));
        set(guest, parts[part] + 4, part_at(part) >> 32);
    }
    set(guest, VIRTIO_MMIO_QUEUE_READY, 1);
    set(guest, VIRTIO_MMIO_STATUS, stage | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void request(Guest *guest, const Buffer *buffers, unsigned count)
{
    QTestState *qts = guest->qts;
    uint64_t avail = part_at(AVAIL);

    for (unsigned i = 0; i < count; i++) {
        uint64_t desc = part_at(DESC) + i * sizeof(struct vring_desc);

        qtest_writeq(qts, desc, buffers[i].address);
        qtest_writel(qts, desc + 8, buffers[i].size);
        qtest_writew(qts, desc + 12, (buffers[i].in ? VRING_DESC_F_WRITE : 0) |
                     (i + 1 < count ? VRING_DESC_F_NEXT : 0));
        qtest_writew(qts, desc + 14, i + 1);
    }
    qtest_writew(qts, avail + 4 + 2 * (guest->added % QUEUE_SIZE), 0);
    qtest_writew(qts, avail + 2, ++guest->added);
    set(guest, VIRTIO_MMIO_QUEUE_NOTIFY, guest->queue);
}

/* Some devices look at their queues later. */
static void wait_until_broken(Guest *guest)
{
    int64_t deadline = g_get_monotonic_time() + PATIENCE_US;

    while (!(status(guest) & VIRTIO_CONFIG_S_NEEDS_RESET)) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(POLL_US);
    }
}

static void wait_for_used(Guest *guest)
{
    int64_t deadline = g_get_monotonic_time() + PATIENCE_US;

    while (used(guest) != guest->added) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(POLL_US);
    }
}

/* A page that was never shared is refused, where the guest is now as well. */
static void assert_enforced(Guest *guest)
{
    const Buffer buffer = { PRIVATE, 1 };
    uint64_t before = refused(guest->qts);

    g_assert_false(status(guest) & VIRTIO_CONFIG_S_NEEDS_RESET);
    request(guest, &buffer, 1);
    wait_until_broken(guest);
    g_assert_cmpuint(refused(guest->qts), ==, before + 1);
}

/* A serial port whose other end is @path */
static char *serial_options(const char *path)
{
    return g_strdup_printf(
        "-chardev socket,id=c,path=%s,server=on,wait=off "
        "-device virtio-serial-device,max_ports=2,id=d0 "
        "-device virtserialport,nr=1,chardev=c,id=port", path);
}

/* Of a port; its other queues are for control, and for what comes in. */
#define SERIAL_OUT 5

static uint8_t pattern(uint64_t offset)
{
    return offset / PAGE;
}

/* Until the end, or until all of the buffer is there */
static void receive(int fd, uint64_t *at)
{
    uint8_t data[PAGE];
    ssize_t size;

    while (*at < BUFFER_PAGES * PAGE) {
        size = recv(fd, data, sizeof(data), 0);
        g_assert_cmpint(size, >=, 0);
        if (!size) {
            return;
        }
        for (ssize_t i = 0; i < size; i++) {
            g_assert_cmphex(data[i], ==, pattern((*at)++));
        }
    }
}

/*
 * A request that takes until somebody reads: half of the buffer is sent before
 * the VM is moved, and the rest where it is moved to.
 */
static void test_in_flight(const void *opaque)
{
    const Case *c = opaque;
    const Buffer buffer = { BUFFER, BUFFER_PAGES * PAGE };
    g_autofree char *path = socket_path(), *there = socket_path();
    g_autofree char *options = serial_options(path);
    g_autofree char *options_there = serial_options(there);
    g_autoptr(Guest) guest = guest_new(c);
    uint64_t received = 0;
    int fd;

    if (!guest) {
        return;
    }
    add_pages(guest, MEM_SHARE, RING, RING_PAGES);
    add_pages(guest, MEM_SHARE, BUFFER, BUFFER_PAGES);
    add_pages(guest, MEM_UNSHARE, BUFFER, BUFFER_PAGES);
    guest->there = there;
    guest_start(guest, options);
    fd = unix_connect(path, &error_abort);
    perform(guest);
    perform(guest);
    for (unsigned page = 0; page < BUFFER_PAGES; page++) {
        qtest_memset(guest->qts, BUFFER + page * PAGE, pattern(page * PAGE),
                     PAGE);
    }
    start_driver(guest, SERIAL_OUT);
    request(guest, &buffer, 1);
    g_assert_cmpuint(used(guest), ==, 0);
    if (c->takes_back) {
        perform(guest);
    }

    if (!guest_move(guest, c, options_there)) {
        return;
    }
    g_assert_cmpuint(used(guest), ==, 0);
    if (guest->to) {
        g_clear_pointer(&guest->from, peer_free);
        receive(fd, &received);
        g_assert_cmpuint(received, >, 0);
        receive(guest->fd_there, &received);
        close(guest->fd_there);
    } else {
        receive(fd, &received);
    }
    g_assert_cmpuint(received, ==, BUFFER_PAGES * PAGE);
    wait_for_used(guest);
    g_assert_cmpuint(refused(guest->qts), ==, 0);
    assert_enforced(guest);
    close(fd);
}

/* As qemu_put_virtqueue_element() writes it, up to its first out_addr */
typedef struct SavedRequest {
    uint32_t index;
    uint32_t out_num;
    uint32_t in_num;
    uint64_t in_addr[1024];
    uint64_t out_addr;
} SavedRequest;

/**
 * Damage: a request in a stream that cannot be
 * @out_num: instead of 1
 * @out_addr: instead of BUFFER
 * @refusal: on stderr
 */
typedef struct Damage {
    uint32_t out_num;
    uint64_t out_addr;
    const char *refusal;
} Damage;

static void damage_request(const char *path, const Damage *damage)
{
    const SavedRequest good = { .out_num = 1, .out_addr = BUFFER };
    g_autofree char *stream = NULL;
    g_autoptr(GError) err = NULL;
    SavedRequest bad = good;
    char *found;
    gsize size;

    g_file_get_contents(path, &stream, &size, &err);
    g_assert_no_error(err);
    found = memmem(stream, size, &good, sizeof(good));
    g_assert_nonnull(found);
    bad.out_num = damage->out_num;
    bad.out_addr = damage->out_addr;
    memcpy(found, &bad, sizeof(bad));
    g_file_set_contents(path, stream, size, &err);
    g_assert_no_error(err);
}

/* QEMU goes on, without the VM. */
static void test_damaged(const void *opaque)
{
    const Damage *damage = opaque;
    const Buffer buffer = { BUFFER, BUFFER_PAGES * PAGE };
    g_autofree char *path = socket_path(), *there = socket_path();
    g_autofree char *options = serial_options(path);
    g_autofree char *options_there = serial_options(there);
    g_autofree char *file = vm_scratch("damaged-request");
    g_autofree char *uri = g_strdup_printf("file:%s", file);
    g_autofree char *log = NULL, *state = NULL;
    g_autoptr(Guest) guest = guest_new(&(Case) { move_by_file });
    g_auto(Outcome) outcome = { };
    int fd;

    if (!guest) {
        return;
    }
    add_pages(guest, MEM_SHARE, RING, RING_PAGES);
    add_pages(guest, MEM_SHARE, BUFFER, BUFFER_PAGES);
    guest_start(guest, options);
    fd = unix_connect(path, &error_abort);
    perform(guest);
    perform(guest);
    start_driver(guest, SERIAL_OUT);
    request(guest, &buffer, 1);
    migration_save(guest->qts, file);
    damage_request(file, damage);
    guest->to = peer_incoming(&enforcing, guest->calls, options_there);
    accept_stream(guest->to, uri);
    outcome = migration_wait(guest->to->qts);
    g_assert_false(outcome.completed);
    log = peer_log(guest->to);
    state = run_state(guest->to->qts);
    g_test_message("stderr: %s", log);
    g_assert_nonnull(strstr(log, damage->refusal));
    g_assert_cmpstr(state, ==, "inmigrate");
    close(fd);
}

static void gpu_request(Guest *guest, const void *command, size_t size)
{
    const uint64_t response = HEADER + PAGE / 2;
    const Buffer buffers[] = {
        { HEADER, size },
        { response, sizeof(struct virtio_gpu_ctrl_hdr), .in = true },
    };

    qtest_memwrite(guest->qts, HEADER, command, size);
    qtest_writel(guest->qts, response, 0);
    request(guest, buffers, ARRAY_SIZE(buffers));
    wait_for_used(guest);
    g_assert_cmphex(qtest_readl(guest->qts, response), ==,
                    VIRTIO_GPU_RESP_OK_NODATA);
}

/* A display keeps a picture's memory mapped until the guest detaches it. */
static void test_gpu(const void *opaque)
{
    static const char device[] = "-device virtio-gpu-device,id=d0";
    const Case *c = opaque;
    const struct virtio_gpu_resource_create_2d create = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
        .resource_id = cpu_to_le32(1),
        .format = cpu_to_le32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
        .width = cpu_to_le32(32), .height = cpu_to_le32(32),
    };
    const struct {
        struct virtio_gpu_resource_attach_backing command;
        struct virtio_gpu_mem_entry entry;
    } attach = {
        .command = {
            .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING),
            .resource_id = cpu_to_le32(1), .nr_entries = cpu_to_le32(1),
        },
        .entry = { cpu_to_le64(BUFFER), cpu_to_le32(PAGE) },
    };
    const struct virtio_gpu_transfer_to_host_2d transfer = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
        .r = { 0, 0, cpu_to_le32(32), cpu_to_le32(32) },
        .resource_id = cpu_to_le32(1),
    };
    g_autoptr(Guest) guest = guest_new(c);

    if (!guest) {
        return;
    }
    add_pages(guest, MEM_SHARE, RING, RING_PAGES + 1);
    add_pages(guest, MEM_SHARE, BUFFER, 1);
    add_pages(guest, MEM_UNSHARE, BUFFER, 1);
    guest_start(guest, device);
    perform(guest);
    perform(guest);
    start_driver(guest, 0);
    gpu_request(guest, &create, sizeof(create));
    gpu_request(guest, &attach, sizeof(attach));
    if (c->takes_back) {
        perform(guest);
        gpu_request(guest, &transfer, sizeof(transfer));
    }
    if (!guest_move(guest, c, device)) {
        return;
    }
    gpu_request(guest, &transfer, sizeof(transfer));
    g_assert_cmpuint(refused(guest->qts), ==, 0);
    assert_enforced(guest);
}

/* Registers of AHCI 1.3.1: the controller's, and those of its first port */
#define AHCI_BAR    5
#define AHCI_GHC    0x04
#define AHCI_GHC_AE BIT(31)
#define AHCI_CLB    0x100
#define AHCI_FB     0x108
#define AHCI_CMD    0x118
#define AHCI_CMD_ST BIT(0)
#define AHCI_CMD_FRE BIT(4)
#define AHCI_CMD_RUNS (BIT(14) | BIT(15))

static uint32_t ahci(Guest *guest, unsigned reg, uint32_t value)
{
    QGenericPCIBus bus;
    QPCIDevice *pci;
    QPCIBar bar;

    qpci_init_generic(&bus, guest->qts, NULL, false);
    pci = qpci_device_find(&bus.bus, QPCI_DEVFN(4, 0));
    g_assert_nonnull(pci);
    qpci_device_enable(pci);
    bar = qpci_iomap(pci, AHCI_BAR, NULL);
    if (value) {
        qpci_io_writel(pci, bar, reg, value);
    }
    value = qpci_io_readl(pci, bar, reg);
    g_free(pci);
    return value;
}

/* A port keeps its command list and FIS area mapped while it runs. */
static void test_ahci(const void *opaque)
{
    static const char device[] = "-device ahci,id=d0,addr=4";
    const Case *c = opaque;
    g_autoptr(Guest) guest = guest_new(c);
    uint32_t cmd;

    if (!guest) {
        return;
    }
    add_pages(guest, MEM_SHARE, RING, 2);
    add_pages(guest, MEM_UNSHARE, RING, 2);
    guest_start(guest, device);
    perform(guest);
    ahci(guest, AHCI_GHC, AHCI_GHC_AE);
    ahci(guest, AHCI_CLB, RING);
    ahci(guest, AHCI_FB, RING + PAGE);
    cmd = ahci(guest, AHCI_CMD, AHCI_CMD_FRE | AHCI_CMD_ST);
    g_assert_cmphex(cmd & AHCI_CMD_RUNS, ==, AHCI_CMD_RUNS);
    if (c->takes_back) {
        perform(guest);
    }
    if (!guest_move(guest, c, device)) {
        return;
    }
    g_assert_cmphex(ahci(guest, AHCI_CMD, 0), ==, cmd);
    g_assert_cmpuint(refused(guest->qts), ==, 0);
}

/*
 * A driver that has forgotten one part of its ring: the device is broken, says
 * so, and is where it is moved to, until it is reset.
 */
static void test_ring_part(const void *opaque)
{
    const Case *c = opaque;
    const Buffer buffer = { HEADER, 1 };
    g_autofree char *path = socket_path(), *there = socket_path();
    g_autofree char *options = serial_options(path);
    g_autofree char *options_there = serial_options(there);
    g_autoptr(Guest) guest = guest_new(c);

    if (!guest) {
        return;
    }
    add_pages(guest, MEM_SHARE, RING, RING_PAGES + 1);
    add_pages(guest, MEM_UNSHARE, part_at(c->part), 1);
    add_pages(guest, MEM_SHARE, part_at(c->part), 1);
    guest_start(guest, options);
    perform(guest);
    perform(guest);
    start_driver(guest, SERIAL_OUT);
    for (unsigned i = 0; i < QUEUE_SIZE; i++) {
        request(guest, &buffer, 1);
    }
    wait_until_broken(guest);
    g_assert_cmpuint(used(guest), ==, 0);
    g_assert_cmpuint(refused(guest->qts), >, 0);

    if (!guest_move(guest, c, options_there)) {
        return;
    }
    g_assert_true(status(guest) & VIRTIO_CONFIG_S_NEEDS_RESET);
    g_assert_cmpuint(used(guest), ==, 0);
    perform(guest);
    start_driver(guest, SERIAL_OUT);
    request(guest, &buffer, 1);
    wait_for_used(guest);
    assert_enforced(guest);
}

static void add(void (*test)(const void *opaque), Case from, const char *what,
                const char *how, const char *which)
{
    g_autofree char *path = g_strdup_printf("hvc/migration/enforce/%s/%s/%s",
                                            what, how, which);
    Case *c = g_new(Case, 1);

    *c = from;
    qtest_add_data_func_full(path, c, test, g_free);
}

void migration_enforce_tests(void)
{
    static const struct {
        const char *name;
        Move *move;
    } moves[] = {
        { "file", move_by_file },
        { "live", migrate_live },
        { "postcopy", move_by_postcopy },
        { "snapshot", NULL },
    };
    static const struct {
        const char *name;
        void (*test)(const void *opaque);
    } tests[] = {
        { "in-flight", test_in_flight },
        { "virtio-gpu", test_gpu },
        { "ahci", test_ahci },
    };

    static const Damage no_memory = {
        1, 1ULL << 40, "virtio: virtio-serial: cannot map 1048576 bytes of a "
        "request at 0x10000000000",
    };
    static const Damage too_many = {
        1025, BUFFER, "virtio: virtio-serial: a request with 0 + 1025 buffers",
    };

    qtest_add_data_func("hvc/migration/enforce/damaged/address", &no_memory,
                        test_damaged);
    qtest_add_data_func("hvc/migration/enforce/damaged/count", &too_many,
                        test_damaged);
    for (unsigned m = 0; m < ARRAY_SIZE(moves); m++) {
        for (unsigned t = 0; t < ARRAY_SIZE(tests); t++) {
            add(tests[t].test, (Case) { moves[m].move, .takes_back = true },
                tests[t].name, moves[m].name, "taken-back");
        }
        add(test_in_flight, (Case) { moves[m].move }, "in-flight",
            moves[m].name, "kept");
    }
    for (unsigned part = 0; part < RING_PAGES; part++) {
        add(test_ring_part, (Case) { move_by_file, .part = part }, "ring",
            "file", part_names[part]);
        add(test_ring_part, (Case) { NULL, .part = part }, "ring", "snapshot",
            part_names[part]);
    }
}
