/*
 * Memory that a guest shares with its host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * What pKVM answers its protected guests (Linux
 * Documentation/virt/kvm/arm/hypercalls.rst and arch/arm64/kvm/hyp/nvhe/pkvm.c;
 * guests from Linux 6.12 on with CONFIG_ARM_PKVM_GUEST ask, in
 * drivers/virt/coco/pkvm-guest). Every guest can have it here, so that its
 * driver can be tried on any machine; its memory is not protected.
 */

#include "qemu/osdep.h"
#include "migration/shared-pages.h"
#include "dispatch.h"

/**
 * hvc_mem_share_info: HYP_MEMINFO
 * @call: X1 to X3 are to be 0
 *
 * Returns the number of bytes that are shared together.
 */
void hvc_mem_share_info(HvcCall *call)
{
    if (hvc_call_arg(call, 1) || hvc_call_arg(call, 2) ||
        hvc_call_arg(call, 3)) {
        call->result[0] = (int64_t)HVC_INVALID_PARAMETER;
    } else {
        call->result[0] = SHARED_PAGES_GRANULE;
    }
}

/* As pKVM, which fails for a page that is not the other way just now */
static void set_page(HvcCall *call, bool shared)
{
    uint64_t address = hvc_call_arg(call, 1);

    if (hvc_call_arg(call, 2) || hvc_call_arg(call, 3) ||
        shared_pages_set(address, SHARED_PAGES_GRANULE, shared) != 1) {
        call->result[0] = (int64_t)HVC_INVALID_PARAMETER;
    }
}

/**
 * hvc_mem_share: MEM_SHARE
 * @call: X1: guest physical address of a private page; X2 and X3 are to be 0
 */
void hvc_mem_share(HvcCall *call)
{
    set_page(call, true);
}

/**
 * hvc_mem_unshare: MEM_UNSHARE
 * @call: X1: guest physical address of a shared page; X2 and X3 are to be 0
 */
void hvc_mem_unshare(HvcCall *call)
{
    set_page(call, false);
}
