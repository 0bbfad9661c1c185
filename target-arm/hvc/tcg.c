/*
 * Hypercall services under TCG: the dispatcher
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "internals.h"
#include "arm-powerctl.h"
#include "syndrome.h"
#include "migration/qemu-compat.h"
#include "target/arm/multiprocessing.h"
#include "tcg.h"
#include "trace.h"

bool hvc_tcg_pinned;

void hvc_tcg_init(const HvcSet *set)
{
    g_autofree char *services = hvc_set_services(set);

    assert(!hvc_tcg_pinned);
    hvc_dispatch_init(set);
    hvc_tcg_cpus_init();
    hvc_tcg_pinned = true;
    trace_hvc_tcg_init(services, set->psci_version >> 16,
                       set->psci_version & 0xffff);
}

static bool is_smc(CPUARMState *env)
{
    uint32_t ec = syn_get_ec(env->exception.syndrome);

    return ec == EC_AA64_SMC || ec == EC_AA32_SMC;
}

void hvc_tcg_return(HvcCall *call)
{
    CPUARMState *env = &call->cpu->env;

    for (int i = 0; i < ARRAY_SIZE(call->result); i++) {
        if (call->aarch64) {
            env->xregs[i] = call->result[i];
        } else {
            env->regs[i] = call->result[i];
        }
    }
    trace_hvc_return(CPU(call->cpu)->cpu_index, call->function,
                     call->result[0], call->result[1],
                     call->result[2], call->result[3]);
}

static uint64_t read_register(HvcCall *call, unsigned n)
{
    CPUARMState *env = &call->cpu->env;

    return call->aarch64 ? env->xregs[n] : env->regs[n];
}

/*
 * QEMU stops or resets a machine some time after it was asked to, and these
 * calls may not return, so the caller is off from now on.
 */
static void carry_out(const HvcCall *call)
{
    trace_hvc_event(CPU(call->cpu)->cpu_index, call->function);
    if (call->event == HVC_EVENT_OFF) {
        qemu_system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    } else {
        qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    }
    arm_set_cpu_off(arm_cpu_mp_affinity(call->cpu));
}

void hvc_tcg_dispatch(ARMCPU *cpu)
{
    CPUARMState *env = &cpu->env;
    HvcCall call = {
        .cpu = cpu,
        .aarch64 = is_a64(env),
        .smc = is_smc(env),
        .read = read_register,
    };

    call.function = read_register(&call, 0);

    /*
     * A call through SMC with an immediate is none of ours (DEN 0028, section
     * 2.10); KVM touches nothing but X0. KVM does not look at HVC's immediate.
     */
    if (call.smc && call.aarch64 && (env->exception.syndrome & 0xffff)) {
        env->xregs[0] = HVC_NOT_SUPPORTED;
        return;
    }

    hvc_dispatch(&call);
    hvc_tcg_return(&call);
    if (call.event) {
        carry_out(&call);
    }
}
