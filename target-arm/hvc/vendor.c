/*
 * KVM's vendor calls: who is the hypervisor, and what does it offer?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Linux Documentation/virt/kvm/arm/hypercalls.rst. Guests look for KVM's own
 * UID and for no other, so it is KVM's that they find.
 */

#include "qemu/osdep.h"
#include "dispatch.h"

/**
 * hvc_vendor_uid: CALL_UID of the vendor specific hypervisor services
 * @call: no arguments
 *
 * Returns 28b46fb6-2ec5-11e9-a9ca-4b564d003a74 as four little-endian words
 * (DEN 0028, section 6.2), zero-extended.
 */
void hvc_vendor_uid(HvcCall *call)
{
    call->result[0] = 0xb66fb428;
    call->result[1] = 0xe911c52e;
    call->result[2] = 0x564bcaa9;
    call->result[3] = 0x743a004d;
}

/**
 * hvc_vendor_features: FEATURES of the vendor specific hypervisor services
 * @call: no arguments
 *
 * Returns a bitmap of 128 function numbers. A bitmap register counts from
 * function 0, its successor from function 64.
 */
void hvc_vendor_features(HvcCall *call)
{
    const HvcSet *set = hvc_dispatch_set();

    call->result[0] = (uint32_t)set->bmap[HVC_VENDOR_HYP_BMAP];
    call->result[2] = (uint32_t)set->bmap[HVC_VENDOR_HYP_BMAP_2];
}
