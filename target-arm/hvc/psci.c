/*
 * Power State Coordination Interface, at the version that the VM is pinned to
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Arm DEN 0022, with KVM's choices where that leaves some (Linux
 * arch/arm64/kvm/psci.c). QEMU's own implementation, target/arm/tcg/psci.c,
 * has one version and writes no result but X0.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "internals.h"
#include "arm-powerctl.h"
#include "kvm-consts.h"
#include "migration/qemu-compat.h"
#include "target/arm/multiprocessing.h"
#include "tcg.h"
#include "trace.h"

/* DEN 0022, sections 5.1.12 and 5.1.20. */
#define SYSTEM_RESET2_WARM   0
#define SYSTEM_RESET2_VENDOR 0x80000000u
#define SYSTEM_OFF2_DEFAULT  0
#define SYSTEM_OFF2_HIBERNATE 1

/* An SMC32 function's arguments are the low words of the registers. */
static uint64_t psci_arg(HvcCall *call, int n)
{
    return call->function & HVC_FUNCTION_64BIT ? call->arg[n]
                                               : (uint32_t)call->arg[n];
}

/**
 * hvc_psci_version: PSCI_VERSION
 * @call: no arguments
 */
void hvc_psci_version(HvcCall *call)
{
    call->result[0] = hvc_tcg_set()->psci_version;
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
    const HvcFunction *function = hvc_tcg_function((uint32_t)call->arg[0]);

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

/**
 * hvc_psci_cpu_suspend: CPU_SUSPEND
 * @call: arguments are ignored
 *
 * Every power state is a wait for an interrupt that keeps all registers,
 * which DEN 0022 (section 5.4.2) permits. Not through helper_wfi(), which
 * would look at the trap bits that apply to the guest's own instruction.
 */
void hvc_psci_cpu_suspend(HvcCall *call)
{
    CPUState *cs = CPU(call->cpu);

    if (!cpu_has_work(cs)) {
        hvc_tcg_return(call);
        cs->exception_index = EXCP_HLT;
        cs->halted = 1;
        cpu_loop_exit(cs);
    }
}

/**
 * hvc_psci_cpu_off: CPU_OFF
 * @call: no arguments
 */
void hvc_psci_cpu_off(HvcCall *call)
{
    arm_set_cpu_off(arm_cpu_mp_affinity(call->cpu));
}

/**
 * hvc_psci_cpu_on: CPU_ON
 * @call: X1: the target's MPIDR affinity; X2: entry address; X3: context id
 *
 * A CPU starts in the highest exception level that the guest has, in that
 * level's current execution state. As in KVM it is on from the moment of the
 * call: no caller is told ON_PENDING, and none finds it still off, although
 * its thread starts it only when it comes to it.
 */
void hvc_psci_cpu_on(HvcCall *call)
{
    CPUARMState *env = &call->cpu->env;
    int el = arm_feature(env, ARM_FEATURE_EL2) ? 2 : 1;
    uint64_t affinity = psci_arg(call, 0);
    int ret = arm_set_cpu_on(affinity, psci_arg(call, 1), psci_arg(call, 2),
                             el, arm_el_is_aa64(env, el));

    if (ret == QEMU_ARM_POWERCTL_RET_SUCCESS) {
        ARM_CPU(arm_get_cpu_by_id(affinity))->power_state = PSCI_ON_PENDING;
    } else if (ret == QEMU_ARM_POWERCTL_ON_PENDING) {
        ret = QEMU_ARM_POWERCTL_ALREADY_ON;
    }
    call->result[0] = (int64_t)ret;
}

static void do_nothing(CPUState *cs, run_on_cpu_data data)
{
}

/*
 * A CPU that is to be turned on waits for its own thread to do it. That is not
 * part of a stream, which has no word for such a CPU either: let the threads
 * come to it before anything is saved.
 */
static void finish_cpu_on(void *opaque, bool running, RunState state)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        if (!running && ARM_CPU(cs)->power_state == PSCI_ON_PENDING) {
            run_on_cpu(cs, do_nothing, RUN_ON_CPU_NULL);
        }
    }
}

void hvc_psci_init(void)
{
    qemu_add_vm_change_state_handler(finish_cpu_on, NULL);
}

/**
 * hvc_psci_affinity_info: AFFINITY_INFO
 * @call: X1: an MPIDR affinity; X2: lowest affinity level that counts, 0 to 3
 *
 * Says ON (0) if any CPU that matches is on, else OFF (1).
 */
void hvc_psci_affinity_info(HvcCall *call)
{
    uint64_t affinity = psci_arg(call, 0);
    uint64_t level = psci_arg(call, 1);
    uint64_t mask;
    bool matched = false;
    CPUState *cs;

    call->result[0] = (int64_t)QEMU_PSCI_RET_INVALID_PARAMS;
    if (level > 3 || (affinity & ~ARM64_AFFINITY_MASK)) {
        return;
    }

    mask = ARM64_AFFINITY_MASK & (~0ULL << level * 8);
    CPU_FOREACH(cs) {
        ARMCPU *cpu = ARM_CPU(cs);

        if ((arm_cpu_mp_affinity(cpu) ^ affinity) & mask) {
            continue;
        }
        matched = true;
        if (cpu->power_state != PSCI_OFF) {
            call->result[0] = PSCI_ON;
            return;
        }
    }
    if (matched) {
        call->result[0] = PSCI_OFF;
    }
}

/*
 * QEMU stops or resets a machine some time after it was asked to, and these
 * calls may not return, so the caller is off from now on. As in KVM its X0
 * says that the call failed, should anybody look.
 */
static void system_event(HvcCall *call)
{
    trace_hvc_psci_system_event(CPU(call->cpu)->cpu_index, call->function);
    call->result[0] = (int64_t)QEMU_PSCI_RET_INTERNAL_FAILURE;
    arm_set_cpu_off(arm_cpu_mp_affinity(call->cpu));
}

/**
 * hvc_psci_system_off: SYSTEM_OFF
 * @call: no arguments
 */
void hvc_psci_system_off(HvcCall *call)
{
    qemu_system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    system_event(call);
}

/**
 * hvc_psci_system_reset: SYSTEM_RESET
 * @call: no arguments
 */
void hvc_psci_system_reset(HvcCall *call)
{
    qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    system_event(call);
}

/**
 * hvc_psci_system_reset2: SYSTEM_RESET2 (PSCI 1.1)
 * @call: W1: reset type, warm or of the vendor's range; X2: cookie, ignored
 *
 * QEMU knows one kind of reset, which serves all types.
 */
void hvc_psci_system_reset2(HvcCall *call)
{
    uint32_t type = call->arg[0];

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
    uint32_t type = call->arg[0];

    if ((type != SYSTEM_OFF2_DEFAULT && type != SYSTEM_OFF2_HIBERNATE) ||
        psci_arg(call, 1)) {
        call->result[0] = (int64_t)QEMU_PSCI_RET_INVALID_PARAMS;
        return;
    }
    hvc_psci_system_off(call);
}
