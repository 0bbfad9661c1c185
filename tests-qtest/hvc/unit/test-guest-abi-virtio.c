/*
 * Unit tests of the contract's entries of virtio devices, with played devices
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "migration/guest-abi-virtio.h"
#include "migration/qemu-compat.h"
#include "../fake/contract-loader.h"

#define TAP        BIT(KERNEL_BACKEND_TAP)
#define VHOST_NET  BIT(KERNEL_BACKEND_VHOST_NET)
#define VSOCK      BIT(KERNEL_BACKEND_VHOST_VSOCK)

#define USO        (BIT_ULL(54) | BIT_ULL(55) | BIT_ULL(56))
#define RING_RESET BIT_ULL(40)
#define IN_ORDER   BIT_ULL(35)
#define SEQPACKET  BIT_ULL(1)

const char *guest_abi_machine_type(void)
{
    return "test-machine";
}

static RunState run_state = RUN_STATE_INMIGRATE;

bool runstate_check(RunState state)
{
    return state == run_state;
}

/* --- played devices --- */

typedef struct Device {
    const char *path;
    const char *label;
    const char *driver;
    unsigned backends;
    uint64_t offered;
    uint64_t acked;
    const void *object;
} Device;

static GArray *plugged;

GPtrArray *virtio_kernel_devices(void)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(
        virtio_kernel_device_free);

    for (unsigned i = 0; i < plugged->len; i++) {
        const Device *device = &g_array_index(plugged, Device, i);
        VirtioKernelDevice *description = g_new0(VirtioKernelDevice, 1);

        description->path = g_strdup(device->path);
        description->type = g_strdup("virtio-net-pci");
        description->label = g_strdup(device->label ?: "net0");
        description->driver = device->driver ?: "virtio-net-device";
        description->backends = device->backends;
        description->offered = device->offered;
        description->acked = device->acked;
        description->object = device->object ?: device->path;
        g_ptr_array_add(found, description);
    }
    return found;
}

static Device *plug(Device device)
{
    g_array_append_val(plugged, device);
    return &g_array_index(plugged, Device, plugged->len - 1);
}

static const KernelFloor *floor_of_vm;
static GuestAbiOrigin floor_origin;

static void list(void)
{
    guest_abi_list_virtio(floor_of_vm, floor_origin);
}

/* A VM without devices and floor, whose guest has booted here */
static void start(void)
{
    g_array_set_size(plugged, 0);
    floor_of_vm = NULL;
    floor_origin = GUEST_ABI_ORIGIN_TYPE;
    run_state = RUN_STATE_PRELAUNCH;
    contract_reset();
    run_state = RUN_STATE_INMIGRATE;
    guest_abi_refresh();
}

static const GuestAbiDefinition *entry(const char *name)
{
    guest_abi_refresh();
    return guest_abi_definition_by_name(name);
}

static char *words(const char *name)
{
    const GuestAbiDefinition *definition = entry(name);
    strList *names = definition->decode(definition, definition->promised);
    g_autoptr(GString) text = g_string_new(NULL);

    for (strList *n = names; n; n = n->next) {
        g_string_append_printf(text, "%s%s", text->len ? " " : "", n->value);
    }
    qapi_free_strList(names);
    return g_strdup(text->str);
}

static char *refusal(const char *name, uint64_t value)
{
    g_autoptr(GuestAbiIncoming) incoming = guest_abi_incoming_new();

    guest_abi_incoming_add(incoming, name, value, &error_abort);
    return contract_refusal(incoming, name);
}

/* Load a contract with one entry; it has to fit. */
static void come(const char *name, uint64_t value)
{
    const GuestAbiValue values[] = { { .value = value } };
    GuestAbiValue *named = g_memdup2(values, sizeof(values));
    g_autoptr(GByteArray) section = NULL;
    g_auto(Loading) loading = { };

    g_strlcpy(named->name, name, sizeof(named->name));
    section = contract_section(named, 1);
    g_byte_array_append(section, (const uint8_t[]) { CONTRACT_FOOTER }, 1);
    loading = contract_load(section->data, section->len, 1);
    g_assert_cmpstr(loading.refusal, ==, NULL);
    g_assert_true(loading.loaded);
    g_free(named);
}

static uint64_t sent(const char *name)
{
    g_autoptr(GuestAbiIncoming) own = contract_own();
    const GuestAbiValue *value = guest_abi_incoming_value(own, name);

    g_assert_nonnull(value);
    return value->value;
}

/* --- tests --- */

static void test_entry(void)
{
    g_autofree char *net = NULL, *vsock = NULL;

    start();
    plug((Device) { "0000:00:01.0", "net0", .backends = TAP | VHOST_NET,
                    .offered = USO | RING_RESET | IN_ORDER });
    plug((Device) { "0000:00:02.0", "vsock0", "vhost-vsock-device",
                    .backends = VSOCK, .offered = SEQPACKET });
    net = words("virtio.0000:00:01.0");
    vsock = words("virtio.0000:00:02.0");
    g_assert_cmpstr(net, ==,
                    "guest-uso4 guest-uso6 host-uso ring-reset in-order");
    g_assert_cmpstr(vsock, ==, "seqpacket");
    g_assert_cmpstr(entry("virtio.0000:00:02.0")->device, ==, "vsock0");
    g_assert_cmpuint(guest_abi_virtio_count(), ==, 2);
    g_assert_cmphex(sent("virtio.0000:00:01.0"), ==,
                    USO | RING_RESET | IN_ORDER);
}

/* What QEMU itself serves is no part of the contract, but is compared with. */
static void test_without_kernel(void)
{
    g_autoptr(GuestAbiIncoming) own = NULL;
    g_autofree char *same = NULL, *more = NULL;

    start();
    plug((Device) { "0000:00:01.0", .offered = RING_RESET });
    own = contract_own();
    g_assert_null(guest_abi_incoming_value(own, "virtio.0000:00:01.0"));
    g_assert_cmpuint(guest_abi_virtio_count(), ==, 0);
    same = refusal("virtio.0000:00:01.0", RING_RESET);
    g_assert_cmpstr(same, ==, NULL);
    more = refusal("virtio.0000:00:01.0", RING_RESET | USO);
    g_assert_cmpstr(more, ==, "guest-abi: incoming VM's device at "
        "0000:00:01.0, here 'net0' (virtio-net-pci with no backend in the "
        "kernel), offers its guest guest-uso4, guest-uso6, host-uso (tap, Linux "
        "6.2), which this host's does not have; use a host and a backend that "
        "have them, or restart the VM "
        "at the source with guest_uso4=off,guest_uso6=off,host_uso=off of "
        "the device, or with -machine kernel-floor=linux-6.1");
}

static void test_refusals(void)
{
    g_autofree char *seqpacket = NULL, *reset = NULL, *bits = NULL;
    g_autofree char *gone = NULL, *plain = NULL, *other = NULL;

    start();
    plug((Device) { "0000:00:01.0", .backends = TAP | VHOST_NET,
                    .offered = USO });
    plug((Device) { "0000:00:02.0", "vsock0", "vhost-vsock-device",
                    .backends = VSOCK });
    seqpacket = refusal("virtio.0000:00:02.0", SEQPACKET);
    g_assert_cmpstr(seqpacket, ==, "guest-abi: incoming VM's device at "
        "0000:00:02.0, here 'vsock0' (virtio-net-pci with vhost-vsock), offers "
        "its guest seqpacket (vhost-vsock, Linux 5.14), which this host's does "
        "not have; use a host and a backend that have them, or restart the VM "
        "at the source with seqpacket=off of the device, or with -machine "
        "kernel-floor=linux-5.10");
    reset = refusal("virtio.0000:00:01.0", USO | RING_RESET);
    g_assert_cmpstr(reset, ==, "guest-abi: incoming VM's device at "
        "0000:00:01.0, here 'net0' (virtio-net-pci with tap and vhost-net), "
        "offers its guest ring-reset (vhost-net, Linux 6.3), which this host's "
        "does not have; use a host and a backend that have them, or restart "
        "the VM at the source with queue_reset=off of the device, or with "
        "-machine kernel-floor=linux-6.1");
    bits = refusal("virtio.0000:00:01.0", USO | BIT_ULL(63));
    g_assert_cmpstr(bits, ==, "guest-abi: incoming VM's device at "
        "0000:00:01.0, here 'net0' (virtio-net-pci with tap and vhost-net), "
        "offers its guest bits 0x8000000000000000, which this host's does not "
        "have; use a host and a backend that have them, or restart the VM "
        "at the source without them");
    gone = refusal("virtio.0000:00:03.0", USO | SEQPACKET);
    g_assert_cmpstr(gone, ==, "guest-abi: incoming VM has a virtio device at "
        "0000:00:03.0 that this VM has not, and which offers its guest "
        "guest-uso4, guest-uso6, host-uso (tap, Linux 6.2), seqpacket "
        "(vhost-vsock, Linux 5.14); start this "
        "QEMU with the source's -device options, and with one for each device "
        "that was plugged in since");
    plain = refusal("virtio.0000:00:03.0", 0);
    g_assert_cmpstr(plain, ==, "guest-abi: incoming VM has a virtio device at "
        "0000:00:03.0 that this VM has not; start this QEMU with the source's "
        "-device options, and with one for each device that was plugged in "
        "since");
    other = refusal("test.unknown", 0);
    g_assert_cmpstr(other, ==, NULL);
}

/* The floor's device is the user's where it offers more. */
static void test_origin(void)
{
    start();
    plug((Device) { "a", .backends = TAP, .offered = USO });
    plug((Device) { "b", .backends = TAP, .offered = 0 });
    g_assert_cmpint(entry("virtio.a")->origin, ==, GUEST_ABI_ORIGIN_DEFAULT);
    floor_of_vm = kernel_floor_by_name("linux-6.12");
    g_assert_cmpint(entry("virtio.a")->origin, ==, GUEST_ABI_ORIGIN_TYPE);
    floor_origin = GUEST_ABI_ORIGIN_FLOOR;
    g_assert_cmpint(entry("virtio.a")->origin, ==, GUEST_ABI_ORIGIN_FLOOR);
    floor_of_vm = kernel_floor_by_name("linux-6.1");
    g_assert_cmpint(entry("virtio.a")->origin, ==, GUEST_ABI_ORIGIN_OPTION);
    g_assert_cmpint(entry("virtio.b")->origin, ==, GUEST_ABI_ORIGIN_FLOOR);
}

/*
 * A guest that came from an older host can go home until it accepts more or
 * boots again.
 */
static void test_home(void)
{
    Device *net;

    start();
    net = plug((Device) { "a", .backends = TAP, .offered = USO | RING_RESET });
    come("virtio.a", RING_RESET);
    g_assert_cmphex(sent("virtio.a"), ==, RING_RESET);
    /* Its driver was loaded again, and took what is here. */
    net->acked = BIT_ULL(54) | RING_RESET;
    g_assert_cmphex(sent("virtio.a"), ==, BIT_ULL(54) | RING_RESET);
    net->acked = 0;
    g_assert_cmphex(sent("virtio.a"), ==, RING_RESET);
    /* system_reset between the contract and the rest: the guest still comes */
    contract_reset();
    g_assert_cmphex(sent("virtio.a"), ==, RING_RESET);
    run_state = RUN_STATE_RUNNING;
    contract_reset();
    g_assert_cmphex(sent("virtio.a"), ==, USO | RING_RESET);
}

/* A device that was plugged in at the place of one that came */
static void test_replugged(void)
{
    Device *net;

    start();
    net = plug((Device) { "a", .backends = TAP, .offered = USO });
    come("virtio.a", 0);
    g_assert_cmphex(sent("virtio.a"), ==, 0);
    net->object = "another";
    g_assert_cmphex(sent("virtio.a"), ==, USO);
    g_array_set_size(plugged, 0);
    g_assert_null(entry("virtio.a"));
    g_assert_cmpuint(guest_abi_virtio_count(), ==, 0);
}

/* Names of entries have 63 characters, paths behind bridges may have more. */
static void test_long_paths(void)
{
    g_autofree char *bridges = g_strnfill(200, '0');
    g_autofree char *one = g_strconcat(bridges, ":01.0", NULL);
    g_autofree char *two = g_strconcat(bridges, ":02.0", NULL);
    g_autofree char *fitting = g_strnfill(56, 'x');
    g_autofree char *longer = g_strnfill(57, 'x');
    g_autoptr(GuestAbiIncoming) first = NULL, second = NULL;

    start();
    plug((Device) { one, .backends = TAP, .offered = 1 });
    plug((Device) { two, .backends = TAP, .offered = 2 });
    plug((Device) { fitting, .backends = TAP, .offered = 4 });
    plug((Device) { longer, .backends = TAP, .offered = 8 });
    first = contract_own();
    second = contract_own();
    g_assert_cmpuint(guest_abi_incoming_count(first), ==, 4);
    for (unsigned i = 0; i < 4; i++) {
        const GuestAbiValue *value = guest_abi_incoming_entry(first, i);

        g_assert_true(guest_abi_name_is_valid(value->name));
        g_assert_cmpuint(value->value, ==, 1 << i);
        g_assert_cmpstr(value->name, ==,
                        guest_abi_incoming_entry(second, i)->name);
        g_assert_true(!strchr(value->name, '~') == (i == 2));
    }
}

static void test_equal_paths(void)
{
    start();
    for (unsigned i = 0; i < 3; i++) {
        plug((Device) { "same", .backends = TAP, .offered = i });
    }
    g_assert_cmphex(sent("virtio.same"), ==, 0);
    g_assert_cmphex(sent("virtio.same#2"), ==, 1);
    g_assert_cmphex(sent("virtio.same#3"), ==, 2);
}

static void plug_many(unsigned count, GPtrArray *paths)
{
    for (unsigned i = 0; i < count; i++) {
        char *path = g_strdup_printf("0000:%02x:%02x.%u", i >> 8,
                                     i >> 3 & 0x1f, i & 7);

        g_ptr_array_add(paths, path);
        plug((Device) { path, .backends = TAP, .offered = USO });
    }
}

static void test_many(void)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *error = NULL;

    start();
    plug_many(GUEST_ABI_MAX_ENTRIES, paths);
    g_assert_cmphex(sent("virtio.0000:03:1f.7"), ==, USO);
    g_assert_true(contract_can_save(&error));
    plug((Device) { "one-more", .backends = TAP });
    g_assert_false(contract_can_save(&error));
    g_assert_cmpstr(error, ==, "guest-abi: this VM's contract with its guest "
        "has 1025 entries, more than the 1024 that can be sent; unplug devices "
        "(query-guest-abi lists them)");
    start();
}

int main(int argc, char **argv)
{
    static const GuestAbiLister lister = {
        .list = list,
        .told = guest_abi_virtio_told,
        .forget = guest_abi_virtio_forget,
        .refuse_unknown = guest_abi_virtio_refuse_unknown,
    };

    g_test_init(&argc, &argv, NULL);
    contract_loader_init();
    plugged = g_array_new(false, true, sizeof(Device));
    guest_abi_migrate();
    guest_abi_set_lister(&lister);
    g_test_add_func("/guest-abi-virtio/entry", test_entry);
    g_test_add_func("/guest-abi-virtio/without-kernel", test_without_kernel);
    g_test_add_func("/guest-abi-virtio/refusals", test_refusals);
    g_test_add_func("/guest-abi-virtio/origin", test_origin);
    g_test_add_func("/guest-abi-virtio/home", test_home);
    g_test_add_func("/guest-abi-virtio/replugged", test_replugged);
    g_test_add_func("/guest-abi-virtio/long-paths", test_long_paths);
    g_test_add_func("/guest-abi-virtio/equal-paths", test_equal_paths);
    g_test_add_func("/guest-abi-virtio/many", test_many);
    return g_test_run();
}
