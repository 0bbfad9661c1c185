/*
 * Floors: the oldest kernel of a fleet, and what follows the host's kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A released floor never loses or gains a feature: guests were started with
 * it. So the first kernel of a row does not change, and a row that is added is
 * for a feature that no guest of a released floor could have had.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "qemu/cutils.h"
#include "kernel-floor.h"
#include "nearest-name.h"

#define LINUX(major, minor) LINUX_VERSION_OF(major, minor)
#define NO_KERNEL 0

#define NET   "virtio-net-device"
#define VSOCK "vhost-vsock-device"
#define SCSI  "vhost-scsi"

/*
 * What the kernels have is what TUNSETOFFLOAD accepts and VHOST_GET_FEATURES
 * returns; which of it is asked for is in QEMU's hw/net/virtio-net.c,
 * hw/net/vhost_net.c, hw/virtio/vhost-vsock-common.c and hw/scsi/vhost-scsi.c.
 * Features that are in each kernel from the oldest floor on have no row.
 *
 * A feature that no kernel has would come with the first one that has it, so
 * that it has a row, too.
 *
 * ring-reset, in-order, ring-packed: properties of a device, whichever backend
 * it has. QEMU's own backend has the features whatever the kernel, but the
 * device may migrate to where vhost serves it. So they are left out there, too.
 */
const KernelFeature kernel_features[] = {
    { "guest-uso4", KERNEL_BACKEND_TAP, 54, LINUX(6, 2), NET, "guest_uso4" },
    { "guest-uso6", KERNEL_BACKEND_TAP, 55, LINUX(6, 2), NET, "guest_uso6" },
    { "host-uso", KERNEL_BACKEND_TAP, 56, LINUX(6, 2), NET, "host_uso" },
    { "guest-udp-tunnel-gso", KERNEL_BACKEND_TAP, 65, LINUX(6, 17), NET,
      "guest_tunnel" },
    { "guest-udp-tunnel-gso-csum", KERNEL_BACKEND_TAP, 66, LINUX(6, 17), NET,
      "guest_tunnel_csum" },
    { "host-udp-tunnel-gso", KERNEL_BACKEND_TAP, 67, LINUX(6, 17), NET,
      "host_tunnel" },
    { "host-udp-tunnel-gso-csum", KERNEL_BACKEND_TAP, 68, LINUX(6, 17), NET,
      "host_tunnel_csum" },
    { "ring-reset", KERNEL_BACKEND_VHOST_NET, 40, LINUX(6, 3), NET,
      "queue_reset" },
    { "in-order", KERNEL_BACKEND_VHOST_NET, 35, LINUX(6, 17), NET, "in_order" },
    { "ring-packed", KERNEL_BACKEND_VHOST_NET, 34, NO_KERNEL, NET, "packed" },
    { "hash-report", KERNEL_BACKEND_VHOST_NET, 57, NO_KERNEL, NET, "hash" },
    { "rsc-ext", KERNEL_BACKEND_VHOST_NET, 61, NO_KERNEL, NET,
      "guest_rsc_ext" },
    { "seqpacket", KERNEL_BACKEND_VHOST_VSOCK, 1, LINUX(5, 14), VSOCK,
      "seqpacket" },
    { "ring-reset", KERNEL_BACKEND_VHOST_VSOCK, 40, NO_KERNEL, VSOCK,
      "queue_reset" },
    { "ring-packed", KERNEL_BACKEND_VHOST_VSOCK, 34, NO_KERNEL, VSOCK,
      "packed" },
    { "ring-reset", KERNEL_BACKEND_VHOST_SCSI, 40, NO_KERNEL, SCSI,
      "queue_reset" },
    { "in-order", KERNEL_BACKEND_VHOST_SCSI, 35, NO_KERNEL, SCSI, "in_order" },
};

const size_t kernel_features_count = ARRAY_SIZE(kernel_features);

const KernelFloor kernel_floors[] = {
    { "none", "no service, no feature", 0 },
    { "linux-5.10", "hosts from Linux 5.10 on", LINUX(5, 10) },
    { "linux-6.1", "hosts from Linux 6.1 on", LINUX(6, 1) },
    { "linux-6.12", "hosts from Linux 6.12 on", LINUX(6, 12) },
    { "linux-6.18", "hosts from Linux 6.18 on", LINUX(6, 18) },
};

const size_t kernel_floors_count = ARRAY_SIZE(kernel_floors);

const char *kernel_backend_name(KernelBackend backend)
{
    static const char *const names[KERNEL_BACKENDS] = {
        [KERNEL_BACKEND_TAP] = "tap",
        [KERNEL_BACKEND_VHOST_NET] = "vhost-net",
        [KERNEL_BACKEND_VHOST_VSOCK] = "vhost-vsock",
        [KERNEL_BACKEND_VHOST_SCSI] = "vhost-scsi",
    };

    return names[backend];
}

uint64_t kernel_feature_mask(const KernelFeature *feature)
{
    return BIT_ULL(feature->bit < 64 ? feature->bit : feature->bit - 65 + 46);
}

bool kernel_floor_has(const KernelFloor *floor, const KernelFeature *feature)
{
    return feature->since && feature->since <= floor->version;
}

const KernelFloor *kernel_floor_by_name(const char *name)
{
    for (size_t i = 0; i < kernel_floors_count; i++) {
        if (!strcmp(name, kernel_floors[i].name)) {
            return &kernel_floors[i];
        }
    }
    return NULL;
}

const KernelFloor *kernel_floor_until(unsigned version)
{
    const KernelFloor *newest = NULL;

    for (size_t i = 0; i < kernel_floors_count; i++) {
        if (kernel_floors[i].version && kernel_floors[i].version <= version) {
            newest = &kernel_floors[i];
        }
    }
    return newest;
}

const KernelFloor *kernel_floor_from(unsigned version)
{
    for (size_t i = 0; i < kernel_floors_count; i++) {
        if (kernel_floors[i].version >= version) {
            return &kernel_floors[i];
        }
    }
    return NULL;
}

bool kernel_version_parse(const char *text, unsigned *version)
{
    unsigned major, minor = 0;

    if (!g_ascii_isdigit(*text)) {
        return false;
    }
    sscanf(text, "%4u.%4u", &major, &minor);
    *version = LINUX(major, minor);
    return true;
}

bool kernel_floor_parse_version(const char *name, unsigned *version)
{
    const char *text;

    return strstart(name, "linux-", &text) &&
           kernel_version_parse(text, version);
}

char *kernel_floor_list(void)
{
    GString *names = g_string_new(NULL);

    for (size_t i = 0; i < kernel_floors_count; i++) {
        g_string_append_printf(names, "%s%s", i ? ", " : "",
                               kernel_floors[i].name);
    }
    return g_string_free(names, false);
}

static char *suggest(const char *name)
{
    const char *nearest = NULL;
    unsigned version;

    if (kernel_floor_parse_version(name, &version)) {
        const KernelFloor *floor = kernel_floor_until(version);

        return g_strdup_printf("; use kernel-floor=%s, %s",
                               (floor ?: kernel_floors)->name,
                               floor ? "the newest floor below it"
                                     : "as no floor is so old");
    }
    for (size_t i = 0; i < kernel_floors_count; i++) {
        nearest = nearest_name(name, nearest, kernel_floors[i].name);
    }
    return nearest ? g_strdup_printf("; did you mean '%s'?", nearest)
                   : g_strdup("");
}

const KernelFloor *kernel_floor_parse(const char *name, Error **errp)
{
    const KernelFloor *floor = kernel_floor_by_name(name);

    if (!floor) {
        g_autofree char *floors = kernel_floor_list();
        g_autofree char *suggestion = suggest(name);

        error_setg(errp, "kernel-floor: '%.*s' is not a floor (%s)%s",
                   NEAREST_NAME_MAX, name, floors, suggestion);
    }
    return floor;
}

char *kernel_version_format(unsigned version)
{
    return version ? g_strdup_printf("%u.%u", version >> 16, version & 0xffff)
                   : g_strdup("-");
}

char *kernel_floor_help(void)
{
    g_autoptr(GString) help = g_string_new(
        "kernel-floor=FLOOR   the VM has nothing that only a newer kernel than\n"
        "                     FLOOR's gives to a guest\n"
        "\n"
        "Floors: the oldest kernel of a fleet of hosts\n");

    for (size_t i = 0; i < kernel_floors_count; i++) {
        g_string_append_printf(help, "  %-12s %s\n", kernel_floors[i].name,
                               kernel_floors[i].help);
    }
    g_string_append(help, "\nFeatures of devices that a floor before their "
                    "first Linux leaves out, if the user\ndoes not set the "
                    "property (\"Linux -\": no kernel has it so far)\n");
    for (size_t i = 0; i < kernel_features_count; i++) {
        const KernelFeature *feature = &kernel_features[i];
        g_autofree char *since = kernel_version_format(feature->since);

        g_string_append_printf(help, "  %-25s  %-11s  bit %-2u  Linux %-4s  "
                               "%s\n", feature->name,
                               kernel_backend_name(feature->backend),
                               feature->bit, since, feature->property);
    }
    return g_string_free(g_steal_pointer(&help), false);
}
