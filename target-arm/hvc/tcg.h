/*
 * Hypercall services under TCG
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_ARM_HVC_TCG_H
#define TARGET_ARM_HVC_TCG_H

#include "exec/hwaddr.h"
#include "dispatch.h"

/* A stolen-time record (Arm DEN 0057, section 3.2.2): size and alignment. */
#define HVC_PV_TIME_RECORD_SIZE 64

/**
 * hvc_tcg_init: let the guest use a pinned set of services
 * @set: the set; it is copied
 *
 * To be called once, by the board, after the vCPUs were created and before
 * the first one runs. Without it every guest call is left to QEMU's own PSCI.
 */
void hvc_tcg_init(const HvcSet *set);

/**
 * hvc_tcg_return: hand a call's result to the guest
 * @call: the call
 *
 * The dispatcher does it after the handler. A handler that does not come back
 * to the dispatcher does it before it leaves.
 */
void hvc_tcg_return(HvcCall *call);

/**
 * hvc_tcg_cpus_init: get the functions ready that turn CPUs on
 *
 * To be called once, by hvc_tcg_init().
 */
void hvc_tcg_cpus_init(void);

/**
 * hvc_pv_time_init: where the stolen-time records are
 * @records: RAM of HVC_PV_TIME_RECORD_SIZE bytes for each vCPU, by cpu_index
 * @base: its guest physical address, HVC_PV_TIME_RECORD_SIZE-aligned
 *
 * To be called once, by the board, if the pinned set has pv-time, after the
 * vCPUs were created.
 */
void hvc_pv_time_init(MemoryRegion *records, hwaddr base);

/* Not to be used directly: whether hvc_tcg_init() was called. */
extern bool hvc_tcg_pinned;

/* Not to be used directly: what arm_hvc_tcg_call() does in a pinned VM. */
void hvc_tcg_dispatch(ARMCPU *cpu);

/**
 * arm_hvc_tcg_call: answer a call that came through the PSCI conduit
 * @cpu: the calling vCPU, past its HVC or SMC instruction
 *
 * QEMU calls this before its own PSCI looks at the call (Arm DEN 0028).
 *
 * Returns: false in a VM without a pinned set, where nothing is touched;
 * true if the call was answered.
 */
static inline bool arm_hvc_tcg_call(ARMCPU *cpu)
{
    if (likely(!hvc_tcg_pinned)) {
        return false;
    }
    hvc_tcg_dispatch(cpu);
    return true;
}

#endif
