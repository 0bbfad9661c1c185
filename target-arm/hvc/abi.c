/*
 * The hypercall services in a VM's contract with its guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "abi.h"
#include "implementations.h"
#include "services.h"

#define REMEDY "start this QEMU with the source's -machine options"

static char *machine_options;
static HvcSet served_by_qemu;

static strList *decode_bitmap(const GuestAbiDefinition *definition,
                              uint64_t value)
{
    HvcSet set = { };
    g_autofree char *services = NULL;
    g_auto(GStrv) names = NULL;
    strList *list = NULL, **tail = &list;

    set.bmap[(uintptr_t)definition->opaque] = value;
    services = hvc_set_services(&set);
    names = g_strsplit(value ? services : "", ":", -1);
    for (char **name = names; *name; name++) {
        QAPI_LIST_APPEND(tail, g_strdup(*name));
    }
    return list;
}

static strList *bitmap_by_qemu(const GuestAbiDefinition *definition)
{
    HvcRegister reg = (uintptr_t)definition->opaque;

    return decode_bitmap(definition, served_by_qemu.bmap[reg]);
}

static void refuse_bitmap(const GuestAbiDefinition *definition,
                          uint64_t incoming, uint64_t here, Error **errp)
{
    HvcRegister reg = (uintptr_t)definition->opaque;
    uint64_t extra = incoming & ~here;
    g_autofree char *service =
        hvc_describe_bit(reg, extra ?: here & ~incoming);

    if (extra) {
        error_setg(errp, "guest-abi: incoming VM uses %s, not enabled here "
                   "(%s); " REMEDY, service, machine_options);
    } else {
        error_setg(errp, "guest-abi: incoming VM was not given %s, enabled "
                   "here (%s); " REMEDY, service, machine_options);
    }
}

static strList *decode_psci_version(const GuestAbiDefinition *definition,
                                    uint64_t value)
{
    strList *list = NULL;

    QAPI_LIST_PREPEND(list, g_strdup_printf("%u.%u",
                                            (unsigned)(value >> 16) & 0xffff,
                                            (unsigned)value & 0xffff));
    return list;
}

static strList *psci_version_by_qemu(const GuestAbiDefinition *definition)
{
    uint32_t version = served_by_qemu.psci_version;

    return version ? decode_psci_version(definition, version) : NULL;
}

static void refuse_psci_version(const GuestAbiDefinition *definition,
                                uint64_t incoming, uint64_t here, Error **errp)
{
    error_setg(errp, "guest-abi: incoming VM has PSCI %u.%u [0x%" PRIx64 "], "
               "this VM has %u.%u (%s); " REMEDY,
               (unsigned)(incoming >> 16) & 0xffff,
               (unsigned)incoming & 0xffff, incoming,
               (unsigned)(here >> 16), (unsigned)here & 0xffff,
               machine_options);
}

void hvc_abi_promise(const HvcSet *set, const char *options,
                     GuestAbiOrigin services, GuestAbiOrigin psci_version)
{
    /* Names in the stream never change. */
    static const char *const names[HVC_REGISTERS] = {
        [HVC_STD_BMAP]          = "arm.std-bmap",
        [HVC_STD_HYP_BMAP]      = "arm.std-hyp-bmap",
        [HVC_VENDOR_HYP_BMAP]   = "arm.vendor-hyp-bmap",
        [HVC_VENDOR_HYP_BMAP_2] = "arm.vendor-hyp-bmap-2",
    };

    machine_options = g_strdup(options);
    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        guest_abi_add(&(GuestAbiDefinition) {
            .name = names[reg],
            .rule = GUEST_ABI_RULE_EXACT,
            .value = set->bmap[reg],
            .origin = services,
            .decode = decode_bitmap,
            .by_qemu = bitmap_by_qemu,
            .refuse = refuse_bitmap,
            .opaque = (void *)(uintptr_t)reg,
        });
    }
    guest_abi_add(&(GuestAbiDefinition) {
        .name = "arm.psci-version",
        .rule = GUEST_ABI_RULE_EXACT,
        .value = set->psci_version,
        .origin = psci_version,
        .decode = decode_psci_version,
        .by_qemu = psci_version_by_qemu,
        .refuse = refuse_psci_version,
    });
    guest_abi_set_refuse_unknown(hvc_implementations_refuse_unknown);
    guest_abi_migrate();
}

void hvc_abi_served(const HvcSet *set)
{
    served_by_qemu = *set;
}
