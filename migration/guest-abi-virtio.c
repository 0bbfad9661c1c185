/*
 * Guest ABI: features that virtio devices take from the host's kernel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * A device's features are settled when it is plugged: host_features is what
 * the properties ask for, less what the backend lacks. A guest that comes from
 * another host goes on with the features that it was offered there, until it
 * boots again; so that is what the next host has to have.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "guest-abi-virtio.h"

#define PREFIX "virtio."

/* Of a path that is too long for an entry's name: as much, "~", its hash */
#define HASH_DIGITS 16
#define PATH_MAX_LENGTH (GUEST_ABI_NAME_SIZE - 1 - sizeof(PREFIX) + 1)
#define PATH_KEPT (PATH_MAX_LENGTH - HASH_DIGITS - 1)

/**
 * ListedDevice: a device and its entry
 * @device: the device
 * @name: the entry's name
 * @origin: who set what is offered
 */
typedef struct ListedDevice {
    VirtioKernelDevice *device;
    char *name;
    GuestAbiOrigin origin;
} ListedDevice;

/**
 * ToldDevice: what a guest was offered where it came from
 * @object: as VirtioKernelDevice's
 * @value: kernel_feature_mask() of each feature
 */
typedef struct ToldDevice {
    const void *object;
    uint64_t value;
} ToldDevice;

/* Entries point to what is in here until the next listing. */
static GPtrArray *devices;
static GArray *listed;
static unsigned kernel_backed;

/* ToldDevice, by name of the entry */
static GHashTable *told;

void virtio_kernel_device_free(void *opaque)
{
    VirtioKernelDevice *device = opaque;

    g_free(device->path);
    g_free(device->type);
    g_free(device->label);
    g_free(device);
}

static bool is_of(const KernelFeature *feature, const char *driver)
{
    return !driver || !strcmp(feature->driver, driver);
}

static strList *decode(const GuestAbiDefinition *definition, uint64_t value)
{
    const ListedDevice *device = definition->opaque;
    strList *names = NULL;
    strList **tail = &names;

    for (size_t i = 0; i < kernel_features_count; i++) {
        const KernelFeature *feature = &kernel_features[i];

        if (is_of(feature, device->device->driver) &&
            value & kernel_feature_mask(feature)) {
            QAPI_LIST_APPEND(tail, g_strdup(feature->name));
        }
    }
    return names;
}

/**
 * Missing: features, for a message
 * @features: as in "guest-uso4, guest-uso6 (tap, Linux 6.2)"
 * @properties: as in "guest_uso4=off,guest_uso6=off"
 * @oldest: the lowest KernelFeature.since, UINT_MAX if there is none
 * @left: bits that have no row
 */
typedef struct Missing {
    GString *features;
    GString *properties;
    unsigned oldest;
    uint64_t left;
} Missing;

static void append_origin(GString *features, const KernelFeature *feature)
{
    g_autofree char *since = kernel_version_format(feature->since);

    g_string_append_printf(features, " (%s%s%s)",
                           kernel_backend_name(feature->backend),
                           feature->since ? ", Linux " : "",
                           feature->since ? since : "");
}

static Missing describe(const char *driver, uint64_t value)
{
    Missing missing = {
        .features = g_string_new(NULL),
        .properties = g_string_new(NULL),
        .oldest = UINT_MAX,
        .left = value,
    };
    const KernelFeature *last = NULL;

    for (size_t i = 0; i < kernel_features_count; i++) {
        const KernelFeature *feature = &kernel_features[i];
        uint64_t mask = kernel_feature_mask(feature);

        if (!is_of(feature, driver) || !(missing.left & mask)) {
            continue;
        }
        missing.left &= ~mask;
        /* Once for features that came together */
        if (last && (last->backend != feature->backend ||
                     last->since != feature->since)) {
            append_origin(missing.features, last);
        }
        last = feature;
        g_string_append_printf(missing.features, "%s%s",
                               missing.features->len ? ", " : "",
                               feature->name);
        g_string_append_printf(missing.properties, "%s%s=off",
                               missing.properties->len ? "," : "",
                               feature->property);
        if (feature->since) {
            missing.oldest = MIN(missing.oldest, feature->since);
        }
    }
    if (last) {
        append_origin(missing.features, last);
    }
    if (missing.left) {
        g_string_append_printf(missing.features, "%sbits 0x%" PRIx64,
                               missing.features->len ? ", " : "",
                               missing.left);
    }
    return missing;
}

static void missing_clear(Missing *missing)
{
    g_string_free(missing->features, true);
    g_string_free(missing->properties, true);
}

static char *backends_of(const VirtioKernelDevice *device)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (int i = 0; i < KERNEL_BACKENDS; i++) {
        if (device->backends & BIT(i)) {
            g_string_append_printf(names, "%s%s", names->len ? " and " : "",
                                   kernel_backend_name(i));
        }
    }
    return g_strdup(names->len ? names->str : "no backend in the kernel");
}

static void refuse(const GuestAbiDefinition *definition, uint64_t incoming,
                   uint64_t here, Error **errp)
{
    const VirtioKernelDevice *device =
        ((const ListedDevice *)definition->opaque)->device;
    Missing missing = describe(device->driver, incoming & ~here);
    g_autofree char *backends = backends_of(device);
    const KernelFloor *floor = missing.oldest == UINT_MAX ? NULL :
                               kernel_floor_until(missing.oldest - 1);

    error_setg(errp, "guest-abi: incoming VM's device at %s, here '%s' (%s "
               "with %s), offers its guest %s, which this host's does not "
               "have; use a host and a backend that have them, or restart the "
               "VM at the source %s%s%s%s%s", device->path,
               device->label, device->type, backends, missing.features->str,
               missing.properties->len ? "with " : "without them",
               missing.properties->str,
               missing.properties->len ? " of the device" : "",
               floor ? ", or with -machine kernel-floor=" : "",
               floor ? floor->name : "");
    missing_clear(&missing);
}

bool guest_abi_virtio_refuse_unknown(const char *name, uint64_t value,
                                     Error **errp)
{
    Missing missing;

    if (!g_str_has_prefix(name, PREFIX)) {
        return false;
    }
    missing = describe(NULL, value);
    error_setg(errp, "guest-abi: incoming VM has a virtio device at %s that "
               "this VM has not%s%s; start this QEMU with the source's -device "
               "options, and with one for each device that was plugged in "
               "since", name + strlen(PREFIX),
               value ? ", and which offers its guest " : "",
               missing.features->str);
    missing_clear(&missing);
    return true;
}

/* The n-th device of one path gets "#n": paths of virtio-mmio can be equal. */
static char *entry_name(const VirtioKernelDevice *device)
{
    g_autofree char *path = NULL;
    char *name;

    if (strlen(device->path) > PATH_MAX_LENGTH) {
        g_autofree char *hash = g_compute_checksum_for_string(
            G_CHECKSUM_SHA256, device->path, -1);

        path = g_strdup_printf("%.*s~%.*s", (int)PATH_KEPT, device->path,
                               HASH_DIGITS, hash);
    } else {
        path = g_strdup(device->path);
    }
    name = g_strconcat(PREFIX, path, NULL);
    for (unsigned i = 2; guest_abi_definition_by_name(name); i++) {
        g_free(name);
        name = g_strdup_printf(PREFIX "%.*s#%u", (int)PATH_MAX_LENGTH - 5,
                               path, i);
    }
    return name;
}

/* Within what the device offers: a told value was checked against it. */
static uint64_t promise(const ListedDevice *entry)
{
    const VirtioKernelDevice *device = entry->device;
    const ToldDevice *known = told ? g_hash_table_lookup(told, entry->name)
                                   : NULL;

    return known && known->object == device->object ?
           known->value | device->acked : device->offered;
}

static bool has_kernel_backend(const GuestAbiDefinition *definition)
{
    return ((const ListedDevice *)definition->opaque)->device->backends;
}

/* What a floor leaves out, a device has by the user's -device or -global. */
static GuestAbiOrigin origin_of(const VirtioKernelDevice *device,
                                const KernelFloor *floor,
                                GuestAbiOrigin floor_origin)
{
    for (size_t i = 0; floor && i < kernel_features_count; i++) {
        const KernelFeature *feature = &kernel_features[i];

        if (is_of(feature, device->driver) &&
            device->offered & kernel_feature_mask(feature) &&
            !kernel_floor_has(floor, feature)) {
            return GUEST_ABI_ORIGIN_OPTION;
        }
    }
    return floor ? floor_origin : GUEST_ABI_ORIGIN_DEFAULT;
}

static void clear_listed(void *opaque)
{
    ListedDevice *entry = opaque;

    g_free(entry->name);
}

void guest_abi_list_virtio(const KernelFloor *floor,
                           GuestAbiOrigin floor_origin)
{
    g_clear_pointer(&listed, g_array_unref);
    g_clear_pointer(&devices, g_ptr_array_unref);
    devices = virtio_kernel_devices();
    /* Its full size at once: entries point into it. */
    listed = g_array_sized_new(false, true, sizeof(ListedDevice),
                               devices->len);
    g_array_set_clear_func(listed, clear_listed);
    g_array_set_size(listed, devices->len);
    kernel_backed = 0;
    for (unsigned i = 0; i < devices->len; i++) {
        VirtioKernelDevice *device = g_ptr_array_index(devices, i);
        ListedDevice *entry = &g_array_index(listed, ListedDevice, i);

        *entry = (ListedDevice) {
            .device = device,
            .name = entry_name(device),
            .origin = origin_of(device, floor, floor_origin),
        };
        guest_abi_list(&(GuestAbiDefinition) {
            .name = entry->name,
            .rule = GUEST_ABI_RULE_SUBSET,
            .value = device->offered,
            .promised = promise(entry),
            .origin = entry->origin,
            .device = device->label,
            .needed = has_kernel_backend,
            .decode = decode,
            .refuse = refuse,
            .opaque = entry,
        });
        kernel_backed += !!device->backends;
    }
}

unsigned guest_abi_virtio_count(void)
{
    return kernel_backed;
}

void guest_abi_virtio_told(const GuestAbiDefinition *definition,
                           uint64_t value)
{
    const ListedDevice *entry = definition->opaque;
    ToldDevice *known;

    if (!g_str_has_prefix(definition->name, PREFIX)) {
        return;
    }
    if (!told) {
        told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    }
    known = g_new(ToldDevice, 1);
    *known = (ToldDevice) { entry->device->object, value };
    g_hash_table_insert(told, g_strdup(entry->name), known);
}

void guest_abi_virtio_forget(void)
{
    if (told) {
        g_hash_table_remove_all(told);
    }
}
