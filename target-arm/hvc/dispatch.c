/*
 * The calls that a VM's guest can make
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Policy comes before semantics, as in KVM: which function ids a guest may use
 * is settled when the machine is made, and a call that is not among them gets
 * the answer of a function that does not exist.
 */

#include "qemu/osdep.h"
#include "dispatch.h"

/*
 * The functions of this VM, by id. An open-addressing table rather than a
 * GHashTable: a lookup must not show beside the 50 ns that TCG needs to leave
 * and re-enter the guest for a call.
 */
#define FUNCTION_SLOTS_LOG2 7
#define FUNCTION_SLOTS (1U << FUNCTION_SLOTS_LOG2)

static const HvcFunction *functions[FUNCTION_SLOTS];
static unsigned functions_count;
static HvcSet pinned_set;

static unsigned function_slot(uint32_t id)
{
    /* Fibonacci hashing spreads the few bits in which ids differ. */
    return id * 0x9e3779b1u >> (32 - FUNCTION_SLOTS_LOG2);
}

const HvcFunction *hvc_dispatch_function(uint32_t id)
{
    unsigned slot = function_slot(id);

    while (functions[slot] && functions[slot]->id != id) {
        slot = (slot + 1) % FUNCTION_SLOTS;
    }
    return functions[slot];
}

static void add_functions(const HvcFunction *function, uint32_t psci_version)
{
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
        assert(++functions_count <= FUNCTION_SLOTS / 2);
    }
}

void hvc_dispatch_init(const HvcSet *set)
{
    memset(functions, 0, sizeof(functions));
    functions_count = 0;
    pinned_set = *set;
    add_functions(hvc_arch_functions, set->psci_version);
    add_functions(hvc_psci_functions, set->psci_version);
    for (size_t i = 0; i < hvc_services_count; i++) {
        if (hvc_service_in(&hvc_services[i], set)) {
            add_functions(hvc_services[i].functions, set->psci_version);
        }
    }
}

const HvcSet *hvc_dispatch_set(void)
{
    return &pinned_set;
}

void hvc_dispatch(HvcCall *call)
{
    const HvcFunction *function = hvc_dispatch_function(call->function);

    if (!function || !hvc_call_can_use(call, call->function)) {
        call->result[0] = HVC_NOT_SUPPORTED;
    } else {
        function->handler(call);
    }
}
