/*
 * Power State Coordination Interface, at the version that the VM is pinned to
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Arm DEN 0022, with KVM's choices where that leaves some (Linux
 * arch/arm64/kvm/psci.c). QEMU's own implementation, target/arm/tcg/psci.c,
 * has one version and writes no result but X0. Here is what no accelerator
 * has to know; psci-cpus.c has the functions that turn TCG's CPUs on and off.
 */

#include "qemu/osdep.h"
#include "target/arm/kvm-consts.h"
#include "dispatch.h"

/* DEN 0022, sections 5.1.12 and 5.1.20. */
#define SYSTEM_RESET2_WARM   0
#define SYSTEM_RESET2_VENDOR 0x80000000u
#define SYSTEM_OFF2_DEFAULT  0
#define SYSTEM_OFF2_HIBERNATE 1

/**
 * hvc_psci_version: PSCI_VERSION
 * @call: no arguments
 */
void hvc_psci_version(HvcCall *call)
{
    call->result[0] = hvc_dispatch_set()->psci_version;
}

/**
 * hvc_psci_features: PSCI_FEATURES
 * @call: W1: a function id of PSCI, or SMCCC_VERSION's
 *
 * Without an answer for SMCCC_VERSION a guest looks for no service at all
 * (DEN 0028, appendix B).
 */
void hvc_psci_features(HvcCall *call)
{
    const HvcFunction *function = hvc_dispatch_function(hvc_call_arg(call, 1));

    if (function && function->discovery == HVC_DISCOVERY_PSCI_FEATURES &&
        hvc_call_can_use(call, function->id)) {
        call->result[0] = function->feature;
    } else {
        call->result[0] = HVC_NOT_SUPPORTED;
    }
}

/**
 * hvc_psci_migrate_info_type: MIGRATE_INFO_TYPE
 * @call: no arguments
 */
void hvc_psci_migrate_info_type(HvcCall *call)
{
    call->result[0] = QEMU_PSCI_0_2_RET_TOS_MIGRATION_NOT_REQUIRED;
}

/*
 * These calls may not return. As in KVM the caller's X0 says that the call
 * failed, should anybody look.
 */
static void system_event(HvcCall *call, HvcEvent event)
{
    call->event = event;
    call->result[0] = (int64_t)QEMU_PSCI_RET_INTERNAL_FAILURE;
}

/**
 * hvc_psci_system_off: SYSTEM_OFF
 * @call: no arguments
 */
void hvc_psci_system_off(HvcCall *call)
{
    system_event(call, HVC_EVENT_OFF);
}

/**
 * hvc_psci_system_reset: SYSTEM_RESET
 * @call: no arguments
 */
void hvc_psci_system_reset(HvcCall *call)
{
    system_event(call, HVC_EVENT_RESET);
}

/**
 * hvc_psci_system_reset2: SYSTEM_RESET2 (PSCI 1.1)
 * @call: W1: reset type, warm or of the vendor's range; X2: cookie, ignored
 *
 * QEMU knows one kind of reset, which serves all types.
 */
void hvc_psci_system_reset2(HvcCall *call)
{
    uint32_t type = hvc_call_arg(call, 1);

    if (type != SYSTEM_RESET2_WARM && type < SYSTEM_RESET2_VENDOR) {
        call->result[0] = (int64_t)QEMU_PSCI_RET_INVALID_PARAMS;
        return;
    }
    hvc_psci_system_reset(call);
}

/**
 * hvc_psci_system_off2: SYSTEM_OFF2 (PSCI 1.3)
 * @call: W1: off type, 0 or HIBERNATE_OFF; X2: cookie, must be 0
 *
 * The image that the guest hibernates to is on its own disk: to QEMU this is
 * a power off.
 */
void hvc_psci_system_off2(HvcCall *call)
{
    uint32_t type = hvc_call_arg(call, 1);

    if ((type != SYSTEM_OFF2_DEFAULT && type != SYSTEM_OFF2_HIBERNATE) ||
        hvc_psci_arg(call, 2)) {
        call->result[0] = (int64_t)QEMU_PSCI_RET_INVALID_PARAMS;
        return;
    }
    hvc_psci_system_off(call);
}
