/*
 * Hypercalls that the kernel hands over to QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The kernel has moved the PC past the instruction, and looks at no register
 * when the vCPU goes on (Linux arch/arm64/kvm/hypercalls.c): so a vCPU can be
 * stopped, and migrated, right after its call was answered.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "dispatch.h"
#include "kvm-call.h"

/**
 * KvmCall: a call, and the way to its vCPU
 * @call: the call
 * @kvm: the vCPU
 * @n: the register whose access failed
 * @error: the negative errno with which it failed, 0 if none did
 */
typedef struct KvmCall {
    HvcCall call;
    const HvcKvm *kvm;
    unsigned n;
    int error;
} KvmCall;

static void note_failure(KvmCall *kvm_call, unsigned n, int ret)
{
    if (ret && !kvm_call->error) {
        kvm_call->n = n;
        kvm_call->error = ret;
    }
}

static uint64_t read_register(HvcCall *call, unsigned n)
{
    KvmCall *kvm_call = container_of(call, KvmCall, call);
    const HvcKvm *kvm = kvm_call->kvm;
    uint64_t value = 0;

    note_failure(kvm_call, n, kvm->get(kvm, HVC_KVM_X(n), &value));
    return value;
}

static void write_result(KvmCall *kvm_call)
{
    const HvcKvm *kvm = kvm_call->kvm;

    for (unsigned n = 0; n < ARRAY_SIZE(kvm_call->call.result); n++) {
        note_failure(kvm_call, n, kvm->set(kvm, HVC_KVM_X(n),
                                           kvm_call->call.result[n]));
    }
}

/* What was never handed over would be a handler of TCG's. */
static bool is_ours(uint32_t id)
{
    const HvcFunction *function = hvc_dispatch_function(id);

    return function && function->by_qemu;
}

bool hvc_kvm_call(const HvcKvm *kvm, HvcCall *call, Error **errp)
{
    KvmCall kvm_call = { .call = *call, .kvm = kvm };

    kvm_call.call.read = read_register;
    if (is_ours(call->function)) {
        hvc_dispatch(&kvm_call.call);
    } else {
        kvm_call.call.result[0] = HVC_NOT_SUPPORTED;
    }
    if (!kvm_call.error) {
        write_result(&kvm_call);
    }
    if (kvm_call.error) {
        error_setg_errno(errp, -kvm_call.error, "hypercall 0x%08" PRIx32
                         " of the guest: this host's kernel does not give "
                         "access to X%u of the calling vCPU",
                         call->function, kvm_call.n);
        return false;
    }
    memcpy(call->result, kvm_call.call.result, sizeof(call->result));
    call->event = kvm_call.call.event;
    return true;
}
