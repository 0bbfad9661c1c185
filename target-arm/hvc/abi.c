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

/* Names in the stream never change. */
static const char *const bitmap_names[HVC_REGISTERS] = {
    [HVC_STD_BMAP]          = "arm.std-bmap",
    [HVC_STD_HYP_BMAP]      = "arm.std-hyp-bmap",
    [HVC_VENDOR_HYP_BMAP]   = "arm.vendor-hyp-bmap",
    [HVC_VENDOR_HYP_BMAP_2] = "arm.vendor-hyp-bmap-2",
};
static const char psci_version_name[] = "arm.psci-version";

/* NULL of a VM that leaves its services to the accelerator */
static char *machine_options;
static HvcSet served_by_qemu;

/* Of the contract that is refused; zeros if nobody has chosen them there */
static HvcSet incoming_set(void)
{
    HvcSet set = {
        .psci_version = MIN(guest_abi_judged_value(psci_version_name),
                            UINT32_MAX),
    };

    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        set.bmap[reg] = guest_abi_judged_value(bitmap_names[reg]);
    }
    return set;
}

static bool is_chosen(const HvcSet *set)
{
    return set->psci_version || !hvc_set_is_empty(set);
}

/* Can hvc-services= and psci-version= of this QEMU say it? */
static bool has_options(const HvcSet *set)
{
    HvcSet known = { }, unknown;

    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];

        if (hvc_service_in(service, set)) {
            known.bmap[service->reg] |= hvc_service_mask(service);
        }
    }
    unknown = hvc_set_difference(set, &known);
    return hvc_set_is_empty(&unknown) &&
           hvc_psci_version_row(set->psci_version);
}

/* Only one side has chosen: @what it chose, of which the other has nothing */
static bool refuse_choice_of_one(const char *what, Error **errp)
{
    const HvcSet set = incoming_set();
    g_autofree char *services = hvc_set_services(&set);

    if (machine_options && is_chosen(&set)) {
        return false;
    }
    if (machine_options) {
        error_setg(errp, "guest-abi: incoming VM has hvc-services=host, this "
                   "VM has chosen %s (%s); " REMEDY, what, machine_options);
    } else if (has_options(&set)) {
        error_setg(errp, "guest-abi: incoming VM has chosen %s, this VM has "
                   "hvc-services=host; " REMEDY ", or with hvc-services=%s,"
                   "psci-version=%u.%u", what, services,
                   set.psci_version >> 16, set.psci_version & 0xffff);
    } else {
        error_setg(errp, "guest-abi: incoming VM has chosen %s, this VM has "
                   "hvc-services=host; use a QEMU that has all of "
                   "hvc-services=%s and PSCI %u.%u", what, services,
                   set.psci_version >> 16, set.psci_version & 0xffff);
    }
    return true;
}

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

    if (refuse_choice_of_one(service, errp)) {
        return;
    }
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
    uint64_t chosen = incoming ?: here;
    g_autofree char *what = g_strdup_printf("PSCI %u.%u",
                                            (unsigned)(chosen >> 16) & 0xffff,
                                            (unsigned)chosen & 0xffff);

    if (refuse_choice_of_one(what, errp)) {
        return;
    }
    error_setg(errp, "guest-abi: incoming VM has PSCI %u.%u [0x%" PRIx64 "], "
               "this VM has %u.%u (%s); " REMEDY,
               (unsigned)(incoming >> 16) & 0xffff,
               (unsigned)incoming & 0xffff, incoming,
               (unsigned)(here >> 16), (unsigned)here & 0xffff,
               machine_options);
}

static void promise(const HvcSet *set, GuestAbiOrigin services,
                    GuestAbiOrigin psci_version)
{
    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        guest_abi_add(&(GuestAbiDefinition) {
            .name = bitmap_names[reg],
            .rule = GUEST_ABI_RULE_EXACT,
            .value = set->bmap[reg],
            .origin = services,
            .zero_is_absent = !machine_options,
            .decode = decode_bitmap,
            .by_qemu = bitmap_by_qemu,
            .refuse = refuse_bitmap,
            .opaque = (void *)(uintptr_t)reg,
        });
    }
    guest_abi_add(&(GuestAbiDefinition) {
        .name = psci_version_name,
        .rule = GUEST_ABI_RULE_EXACT,
        .value = set->psci_version,
        .origin = psci_version,
        .zero_is_absent = !machine_options,
        .decode = decode_psci_version,
        .by_qemu = psci_version_by_qemu,
        .refuse = refuse_psci_version,
    });
    guest_abi_set_refuse_unknown(hvc_implementations_refuse_unknown);
}

void hvc_abi_promise(const HvcSet *set, const char *options,
                     GuestAbiOrigin services, GuestAbiOrigin psci_version)
{
    machine_options = g_strdup(options);
    promise(set, services, psci_version);
    guest_abi_migrate();
}

void hvc_abi_promise_nothing(void)
{
    promise(&(HvcSet) { }, GUEST_ABI_ORIGIN_DEFAULT, GUEST_ABI_ORIGIN_DEFAULT);
}

void hvc_abi_served(const HvcSet *set)
{
    served_by_qemu = *set;
}
