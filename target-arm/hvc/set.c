/*
 * HvcSet: which hypercall services a guest may use
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "services.h"
#include "set.h"

const char *hvc_register_name(HvcRegister reg)
{
    static const char *const names[HVC_REGISTERS] = {
        [HVC_STD_BMAP]          = "std",
        [HVC_STD_HYP_BMAP]      = "std-hyp",
        [HVC_VENDOR_HYP_BMAP]   = "vendor-hyp",
        [HVC_VENDOR_HYP_BMAP_2] = "vendor-hyp-2",
    };

    assert(reg < HVC_REGISTERS);
    return names[reg];
}

bool hvc_set_equal(const HvcSet *a, const HvcSet *b)
{
    return a->psci_version == b->psci_version &&
           !memcmp(a->bmap, b->bmap, sizeof(a->bmap));
}

bool hvc_set_is_empty(const HvcSet *set)
{
    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        if (set->bmap[reg]) {
            return false;
        }
    }
    return true;
}

HvcSet hvc_set_difference(const HvcSet *a, const HvcSet *b)
{
    HvcSet difference = *a;

    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        difference.bmap[reg] &= ~b->bmap[reg];
    }
    return difference;
}

char *hvc_set_services(const HvcSet *set)
{
    g_autoptr(GString) names = g_string_new(NULL);
    HvcSet unnamed = *set;

    for (size_t i = 0; i < hvc_services_count; i++) {
        const HvcService *service = &hvc_services[i];

        if (hvc_service_in(service, set)) {
            g_string_append_printf(names, "%s%s", names->len ? ":" : "",
                                   service->name);
            unnamed.bmap[service->reg] &= ~hvc_service_mask(service);
        }
    }
    for (HvcRegister reg = 0; reg < HVC_REGISTERS; reg++) {
        for (unsigned bit = 0; bit < 64; bit++) {
            if (unnamed.bmap[reg] >> bit & 1) {
                g_string_append_printf(names, "%s%s bit %u",
                                       names->len ? ":" : "",
                                       hvc_register_name(reg), bit);
            }
        }
    }
    return g_strdup(names->len ? names->str : "none");
}

char *hvc_describe_bit(HvcRegister reg, uint64_t bits)
{
    HvcSet set = { };
    g_autofree char *name = NULL;
    const HvcService *service;

    assert(bits);
    service = hvc_service_by_bit(reg, ctz64(bits));
    set.bmap[reg] = bits & -bits;
    name = service ? g_strdup(service->name) : hvc_set_services(&set);
    return g_strdup_printf("hvc service '%s' (%s bit %d)", name,
                           hvc_register_name(reg), ctz64(bits));
}
