/*
 * PSCI's functions that turn CPUs on and off, under TCG
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Arm DEN 0022, as psci.c. Under KVM the kernel has these functions.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "internals.h"
#include "arm-powerctl.h"
#include "kvm-consts.h"
#include "migration/qemu-compat.h"
#include "target/arm/multiprocessing.h"
#include "tcg.h"

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
    uint64_t affinity = hvc_psci_arg(call, 1);
    int ret = arm_set_cpu_on(affinity, hvc_psci_arg(call, 2),
                             hvc_psci_arg(call, 3), el,
                             arm_el_is_aa64(env, el));

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

void hvc_tcg_cpus_init(void)
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
    uint64_t affinity = hvc_psci_arg(call, 1);
    uint64_t level = hvc_psci_arg(call, 2);
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
