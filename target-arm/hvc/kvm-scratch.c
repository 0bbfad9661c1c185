/*
 * Scratch VMs: ask the kernel what a guest would read
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "contract-entries.h"
#include "kvm-scratch.h"
#include "kvm-state.h"
#include "sysregs.h"
#include "trace.h"

/* Registers of the contract that KVM_GET_REG_LIST leaves out */
static const uint64_t unlisted[] = {
    HVC_CNTFRQ_EL0,
    HVC_KVM_PMU_COUNTERS,
    HVC_KVM_GICD_IIDR,
    HVC_KVM_GICD_TYPER2,
    HVC_KVM_ICC_CTLR_EL1,
    HVC_KVM_GITS_IIDR,
};

static bool read_register(const HvcKvm *kvm, uint64_t id, HvcContract *contract,
                          Error **errp)
{
    uint64_t value = 0;

    return hvc_kvm_read(kvm, id, &value, errp) &&
           hvc_contract_set(contract, id, value, errp);
}

static bool read_contract(const HvcKvm *kvm, HvcTruth *truth, Error **errp)
{
    truth->contract.count = 0;
    for (size_t i = 0; i < truth->count; i++) {
        if (hvc_contract_covers(truth->ids[i]) &&
            !read_register(kvm, truth->ids[i], &truth->contract, errp)) {
            return false;
        }
    }
    /*
     * A kernel that does not list a level predates the register: its guests get
     * NOT_SUPPORTED, which is level 0.
     */
    for (unsigned n = 1; n <= 3; n++) {
        if (!hvc_contract_find(&truth->contract, HVC_KVM_WORKAROUND(n)) &&
            !hvc_contract_set(&truth->contract, HVC_KVM_WORKAROUND(n), 0,
                              errp)) {
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(unlisted); i++) {
        uint64_t value = 0;

        /* No GIC of the kernel's, or one without the register */
        if (kvm->get(kvm, unlisted[i], &value)) {
            continue;
        }
        if (!hvc_contract_set(&truth->contract, unlisted[i], value, errp)) {
            return false;
        }
    }
    return true;
}

/*
 * Some kernels take another value of these, and forget it when a vCPU is reset:
 * by QEMU, which gives it again, but also inside of the kernel, when the guest
 * turns a CPU on. The guest then reads what the kernel has of itself.
 */
static const uint64_t forgotten[] = {
    HVC_CLIDR_EL1,        /* Linux 6.3 to 6.9 */
    HVC_KVM_PMU_COUNTERS, /* Linux 6.6 and earlier */
};

static bool read_again(const HvcKvm *kvm, uint64_t id,
                       const HvcContract *wanted, HvcTruth *truth,
                       Error **errp)
{
    uint64_t before = hvc_contract_value(&truth->contract, id);
    uint64_t now = 0;

    if (!hvc_contract_find(wanted, id) ||
        !hvc_contract_find(&truth->contract, id)) {
        return true;
    }
    if (!hvc_kvm_read(kvm, id, &now, errp)) {
        return false;
    }
    if (id == HVC_CLIDR_EL1) {
        truth->keeps_caches = now == before;
    }
    return hvc_contract_set(&truth->contract, id, now, errp);
}

static bool read_after_reset(const HvcVm *vm, const HvcKvm *kvm,
                             const HvcContract *wanted, HvcTruth *truth,
                             Error **errp)
{
    bool any = false;
    int ret;

    truth->keeps_caches = true;
    for (size_t i = 0; wanted && i < ARRAY_SIZE(forgotten); i++) {
        any |= hvc_contract_find(wanted, forgotten[i]) != NULL;
    }
    if (vm->recipe.cpus == 1 || !any) {
        return true;
    }
    ret = kvm->reset(kvm);
    if (ret) {
        error_setg_errno(errp, -ret, "this host's kernel does not reset a vCPU "
                         "like those of this VM");
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(forgotten); i++) {
        if (!read_again(kvm, forgotten[i], wanted, truth, errp)) {
            return false;
        }
    }
    return true;
}

static bool try_on(const HvcVm *vm, const HvcKvm *kvm,
                   const HvcContract *wanted, HvcTruth *truth,
                   unsigned *written, Error **errp)
{
    HvcShare share;
    int ret;

    if (!hvc_kvm_pin(kvm, &vm->set, vm->options, &share, errp)) {
        return false;
    }
    if (wanted) {
        *written = hvc_state_apply(kvm, wanted, false);
    }
    ret = kvm->run(kvm);
    if (ret) {
        error_setg_errno(errp, -ret, "this host's kernel does not run a VM "
                         "like this one, which was made to learn what a guest "
                         "reads");
        return false;
    }
    return hvc_kvm_list(kvm, &truth->ids, &truth->count, errp) &&
           read_contract(kvm, truth, errp) &&
           read_after_reset(vm, kvm, wanted, truth, errp);
}

bool hvc_scratch_try(const HvcVm *vm, const HvcContract *wanted,
                     HvcTruth *truth, Error **errp)
{
    ERRP_GUARD();
    gint64 started = g_get_monotonic_time();
    HvcKvm *kvm = vm->kernel.create(&vm->kernel, &vm->recipe, errp);
    unsigned written = 0;
    bool ok;

    *truth = (HvcTruth) { };
    if (!kvm) {
        error_prepend(errp, "this host's kernel makes no second VM like this "
                      "one, which is needed to learn what its guest reads: ");
        return false;
    }
    ok = try_on(vm, kvm, wanted, truth, &written, errp);
    kvm->destroy(kvm);
    if (!ok) {
        hvc_truth_clear(truth);
        return false;
    }
    trace_hvc_scratch(written, truth->count, truth->contract.count,
                      g_get_monotonic_time() - started);
    return true;
}
