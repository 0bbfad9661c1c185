/*
 * The service table without TCG: nothing answers in QEMU what KVM's kernel has
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "tcg.h"

#define STUB(name) \
    void name(HvcCall *call) { g_assert_not_reached(); }

STUB(hvc_arch_version)
STUB(hvc_arch_features)
STUB(hvc_arch_workaround)
STUB(hvc_psci_cpu_suspend)
STUB(hvc_psci_cpu_off)
STUB(hvc_psci_cpu_on)
STUB(hvc_psci_affinity_info)
STUB(hvc_trng_version)
STUB(hvc_trng_features)
STUB(hvc_trng_get_uuid)
STUB(hvc_trng_rnd)
STUB(hvc_pv_time_features)
STUB(hvc_pv_time_st)
STUB(hvc_ptp)

void hvc_tcg_init(const HvcSet *set)
{
    g_assert_not_reached();
}

void hvc_pv_time_init(MemoryRegion *records, hwaddr base)
{
    g_assert_not_reached();
}
