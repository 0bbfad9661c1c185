/*
 * Hypercall services under TCG: the dispatcher
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Policy comes before semantics, as in KVM: which function ids a guest may use
 * is settled when the machine is made, and a call that is not among them gets
 * the answer of a function that does not exist.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "internals.h"
#include "syndrome.h"
#include "qemu/host-utils.h"
#include "tcg.h"
#include "trace.h"

/*
 * The functions of this VM, by id. An open-addressing table rather than a
 * GHashTable: a lookup must not show beside the 50 ns that TCG needs to leave
 * and re-enter the guest for a call.
 */
#define FUNCTION_SLOTS_LOG2 7
#define FUNCTION_SLOTS (1U << FUNCTION_SLOTS_LOG2)

static const HvcFunction *functions[FUNCTION_SLOTS];
static HvcSet pinned_set;
bool hvc_tcg_pinned;

static unsigned function_slot(uint32_t id)
{
    /* Fibonacci hashing spreads the few bits in which ids differ. */
    return id * 0x9e3779b1u >> (32 - FUNCTION_SLOTS_LOG2);
}

const HvcFunction *hvc_tcg_function(uint32_t id)
{
    unsigned slot = function_slot(id);

    while (functions[slot] && functions[slot]->id != id) {
        slot = (slot + 1) % FUNCTION_SLOTS;
    }
    return functions[slot];
}

static void add_functions(const HvcFunction *function, uint32_t psci_version)
{
    static unsigned used;

    for (; function->id; function++) {
        unsigned slot = function_slot(function->id);

        if (function->psci_version > psci_version) {
            continue;
        }
        while (functions[slot]) {
            slot = (slot + 1) % FUNCTION_SLOTS;
        }
        functions[slot] = function;
        /* An unsuccessful lookup ends at a free slot, so some must be left. */
        assert(++used <= FUNCTION_SLOTS / 2);
    }
}

void hvc_tcg_init(const HvcSet *set)
{
    g_autofree char *services = hvc_set_services(set);

    assert(!hvc_tcg_pinned);
    pinned_set = *set;
    add_functions(hvc_arch_functions, set->psci_version);
    add_functions(hvc_psci_functions, set->psci_version);
    for (size_t i = 0; i < hvc_services_count; i++) {
        if (hvc_service_in(&hvc_services[i], set)) {
            add_functions(hvc_services[i].functions, set->psci_version);
        }
    }
    hvc_psci_init();
    hvc_tcg_pinned = true;
    trace_hvc_tcg_init(services, set->psci_version >> 16,
                       set->psci_version & 0xffff);
}

const HvcSet *hvc_tcg_set(void)
{
    return &pinned_set;
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

void hvc_tcg_dispatch(ARMCPU *cpu)
{
    CPUARMState *env = &cpu->env;
    const HvcFunction *function;
    HvcCall call = {
        .cpu = cpu,
        .aarch64 = is_a64(env),
        .smc = is_smc(env),
    };

    if (call.aarch64) {
        call.function = env->xregs[0];
        memcpy(call.arg, &env->xregs[1], sizeof(call.arg));
    } else {
        call.function = env->regs[0];
        for (int i = 0; i < ARRAY_SIZE(call.arg); i++) {
            call.arg[i] = env->regs[1 + i];
        }
    }

    /*
     * A call through SMC with an immediate is none of ours (DEN 0028, section
     * 2.10); KVM touches nothing but X0. KVM does not look at HVC's immediate.
     */
    if (call.smc && call.aarch64 && (env->exception.syndrome & 0xffff)) {
        env->xregs[0] = HVC_NOT_SUPPORTED;
        return;
    }

    function = hvc_tcg_function(call.function);
    if (!function || !hvc_call_can_use(&call, call.function)) {
        call.result[0] = HVC_NOT_SUPPORTED;
    } else {
        function->handler(&call);
    }
    hvc_tcg_return(&call);
}
