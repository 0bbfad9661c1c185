/*
 * The vCPUs of a KVM/arm64 VM, and the contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include <linux/kvm.h>
#include "cpu.h"
#include "internals.h"
#include "kvm_arm.h"
#include "migration/misc.h"
#include "migration/qemu-compat.h"
#include "abi.h"
#include "dispatch.h"
#include "kvm-call.h"
#include "kvm-contract.h"
#include "kvm-host.h"
#include "kvm-state.h"
#include "kvm-vcpu.h"
#include "trace.h"

/* KVM_HYPERCALL_EXIT_SMC of Linux asm-arm64/kvm.h; QEMU 7.2's has it not. */
#define HYPERCALL_EXIT_SMC 1

static void host_of(HvcHostVcpu *host, CPUState *cs)
{
    hvc_host_vcpu(host, cs, hvc_vm->gic_fd, hvc_vm->its_fd);
}

/* CLIDR_EL1 and CCSIDR_EL1 are a vCPU's own; the rest holds for the VM. */
static bool has_caches_only(CPUState *cs)
{
    return cs != first_cpu;
}

/*
 * Let a vCPU migrate with the VM's list of registers. Values that are in the
 * list already need not be read again, if nothing was written since.
 */
static bool give_list(ARMCPU *cpu, bool reread, Error **errp)
{
    const HvcVm *vm = hvc_vm;
    size_t size = vm->ids_count * sizeof(uint64_t);
    g_autofree uint64_t *values = g_malloc0(size);
    HvcHostVcpu host;

    for (size_t i = 0, old = 0; i < vm->ids_count && !reread; i++) {
        while (old < cpu->cpreg_array_len &&
               cpu->cpreg_indexes[old] < vm->ids[i]) {
            old++;
        }
        reread = old == cpu->cpreg_array_len ||
                 cpu->cpreg_indexes[old] != vm->ids[i];
        values[i] = reread ? 0 : cpu->cpreg_values[old];
    }
    cpu->cpreg_indexes = g_realloc(cpu->cpreg_indexes, size);
    cpu->cpreg_values = g_realloc(cpu->cpreg_values, size);
    cpu->cpreg_vmstate_indexes = g_realloc(cpu->cpreg_vmstate_indexes, size);
    cpu->cpreg_vmstate_values = g_realloc(cpu->cpreg_vmstate_values, size);
    cpu->cpreg_array_len = vm->ids_count;
    cpu->cpreg_vmstate_array_len = vm->ids_count;
    memcpy(cpu->cpreg_indexes, vm->ids, size);
    memcpy(cpu->cpreg_values, values, size);
    trace_hvc_vcpu_listed(CPU(cpu)->cpu_index, cpu->cpreg_array_len);
    if (reread) {
        host_of(&host, CPU(cpu));
        return hvc_state_read(&host.kvm, CPU(cpu)->cpu_index,
                              cpu->cpreg_indexes, cpu->cpreg_values,
                              cpu->cpreg_array_len, errp);
    }
    return true;
}

/* All vCPUs; returns false if one has run and cannot have it any more. */
static bool give_contract(Error **errp)
{
    HvcVm *vm = hvc_vm;
    unsigned written = 0;
    CPUState *cs;

    CPU_FOREACH(cs) {
        HvcHostVcpu host;

        host_of(&host, cs);
        written += hvc_state_apply(&host.kvm, &vm->contract,
                                   has_caches_only(cs));
        if (vm->has_run &&
            !hvc_state_check(&host.kvm, &vm->contract, has_caches_only(cs),
                             errp)) {
            return false;
        }
    }
    CPU_FOREACH(cs) {
        if (!give_list(ARM_CPU(cs), written, errp)) {
            return false;
        }
    }
    return true;
}

static bool adopted(Error **errp)
{
    HvcVm *vm = hvc_vm;
    HvcContract contract = vm->contract;
    g_autofree uint64_t *ids = g_memdup2(vm->ids,
                                         vm->ids_count * sizeof(*ids));
    size_t ids_count = vm->ids_count;

    hvc_kvm_adopt(vm);
    if (give_contract(errp)) {
        HvcHostVcpu host;

        host_of(&host, first_cpu);
        hvc_state_warn_left_out(&host.kvm, &vm->contract);
        return true;
    }
    vm->contract = contract;
    g_free(vm->ids);
    vm->ids = g_steal_pointer(&ids);
    vm->ids_count = ids_count;
    give_contract(NULL);
    return false;
}

/* In the vCPU's thread: while it runs, the kernel lets nobody else ask. */
static void check_firmware(CPUState *cs, run_on_cpu_data data)
{
    Error **errp = data.host_ptr;
    HvcHostVcpu host;

    host_of(&host, cs);
    if (hvc_kvm_check_pinned(&host.kvm, &hvc_vm->share, errp)) {
        hvc_state_check_levels(&host.kvm, &hvc_vm->contract, errp);
    }
}

static bool kept(Error **errp)
{
    Error *err = NULL;

    run_on_cpu(first_cpu, check_firmware, RUN_ON_CPU_HOST_PTR(&err));
    if (err) {
        error_propagate(errp, err);
        return false;
    }
    return true;
}

static void state_changed(void *opaque, bool running, RunState state)
{
    hvc_vm->has_run |= running;
    if (running) {
        g_hash_table_remove_all(hvc_vm->loaded);
    }
}

/* What every vCPU of the VM was made with */
static void complete_recipe(HvcVmRecipe *recipe, ARMCPU *cpu)
{
    QEMU_BUILD_BUG_ON(sizeof(recipe->features) !=
                      sizeof(cpu->kvm_init_features));
    recipe->target = cpu->kvm_target;
    memcpy(recipe->features, cpu->kvm_init_features, sizeof(recipe->features));
    /* KVM_RUN ends only of a vCPU that is on. */
    recipe->features[0] &= ~(1u << KVM_ARM_VCPU_POWER_OFF);
    recipe->sve_vls = recipe->features[0] & 1u << KVM_ARM_VCPU_SVE ?
                      cpu->sve_vq.map : 0;
    recipe->pmu = cpu->has_pmu;
}

bool hvc_vcpus_promise(HvcVm *vm, Error **errp)
{
    static HvcHostVcpu kernel;
    HvcHostVcpu host;
    CPUState *cs;

    hvc_host_vcpu(&kernel, NULL, -1, -1);
    vm->kernel = kernel.kvm;
    complete_recipe(&vm->recipe, ARM_CPU(first_cpu));
    if (!hvc_kvm_promise(vm, errp)) {
        return false;
    }
    host_of(&host, first_cpu);
    /* They hold for the VM, so one vCPU is enough. */
    if (!hvc_kvm_pin(&host.kvm, &vm->set, vm->options, &vm->share, errp)) {
        return false;
    }
    hvc_dispatch_init(&vm->set);
    hvc_implementations_init(&vm->implementations);
    hvc_abi_served(&vm->share.qemu);
    CPU_FOREACH(cs) {
        /* The device tree names the version that PSCI_VERSION returns. */
        ARM_CPU(cs)->psci_version = vm->set.psci_version;
    }
    qemu_add_vm_change_state_handler(state_changed, NULL);
    guest_abi_set_adopted(adopted);
    guest_abi_set_kept(kept);
    return give_contract(errp);
}

bool hvc_kvm_choose_identity(void)
{
    const unsigned identity = HVC_KVM_CAP_WRITABLE_IMP_ID_REGS;

    return kvm_check_extension(kvm_state, identity) > 0 &&
           !kvm_vm_enable_cap(kvm_state, identity, 0);
}

bool hvc_kvm_has_steal_time(void)
{
    return kvm_check_extension(kvm_state, KVM_CAP_STEAL_TIME);
}

bool hvc_kvm_gives_steal_time(ARMCPU *cpu)
{
    return cpu->kvm_steal_time == ON_OFF_AUTO_ON;
}

void arm_hvc_kvm_reset_vcpu(ARMCPU *cpu)
{
    bool caches_only = has_caches_only(CPU(cpu));
    g_autoptr(Error) err = NULL;
    HvcHostVcpu host;

    if (!hvc_vm) {
        return;
    }
    g_hash_table_remove(hvc_vm->loaded, cpu);
    host_of(&host, CPU(cpu));
    hvc_state_apply(&host.kvm, &hvc_vm->contract, caches_only);
    /* Until the first run the kernel may show what that run will take away. */
    if (hvc_vm->has_run && !hvc_state_check(&host.kvm, &hvc_vm->contract,
                                            caches_only, &err)) {
        /* The guest must not go on with another CPU than it had. */
        error_report("%s", error_get_pretty(err));
        qemu_system_vmstop_request_prepare();
        qemu_system_vmstop_request(RUN_STATE_INTERNAL_ERROR);
    }
}

static void turn_off(CPUState *cs, run_on_cpu_data data)
{
    kvm_cpu_synchronize_state(cs);
    ARM_CPU(cs)->power_state = PSCI_OFF;
}

/*
 * QEMU stops or resets a machine some time after it was asked to. As in the
 * kernel no vCPU is on from now on.
 */
static void carry_out(const HvcCall *call)
{
    CPUState *caller = CPU(call->cpu), *cs;

    trace_hvc_event(caller->cpu_index, call->function);
    bql_lock();
    CPU_FOREACH(cs) {
        if (cs != caller) {
            async_run_on_cpu(cs, turn_off, RUN_ON_CPU_NULL);
        }
    }
    turn_off(caller, RUN_ON_CPU_NULL);
    if (call->event == HVC_EVENT_OFF) {
        qemu_system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    } else {
        qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    }
    bql_unlock();
}

int arm_hvc_kvm_handle_call(CPUState *cs, struct kvm_run *run)
{
    g_autoptr(Error) err = NULL;
    HvcHostVcpu host;
    HvcCall call = {
        .cpu = ARM_CPU(cs),
        .function = run->hypercall.nr,
        .smc = hvc_hypercall_flags(run) & HYPERCALL_EXIT_SMC,
        .aarch64 = arm_feature(&ARM_CPU(cs)->env, ARM_FEATURE_AARCH64),
    };

    if (!hvc_vm) {
        qemu_log_mask(LOG_UNIMP, "hypercall 0x%08" PRIx32 " is not handled\n",
                      call.function);
        return 0;
    }
    host_of(&host, cs);
    if (!hvc_kvm_call(&host.kvm, &call, &err)) {
        error_report("%s", error_get_pretty(err));
        return -1;
    }
    trace_hvc_return(cs->cpu_index, call.function, call.result[0],
                     call.result[1], call.result[2], call.result[3]);
    if (call.event) {
        carry_out(&call);
        return EXCP_INTERRUPT;
    }
    return 0;
}

/* In a postcopy nobody can go back: what a kernel does not keep is lost. */
static bool is_loaded(HvcLoaded loaded, Error *err, Error **errp)
{
    if (loaded == HVC_LOAD_NOT_KEPT && migration_in_incoming_postcopy()) {
        warn_report_err(err);
        return true;
    }
    error_propagate(errp, err);
    return loaded == HVC_LOADED;
}

static bool load(ARMCPU *cpu, uint64_t *values, Error **errp)
{
    HvcRegisterList incoming = {
        .ids = cpu->cpreg_vmstate_indexes,
        .values = cpu->cpreg_vmstate_values,
        .count = cpu->cpreg_vmstate_array_len,
    };
    const uint64_t *ids = cpu->cpreg_indexes, *known = cpu->cpreg_values;
    size_t count = cpu->cpreg_array_len;
    HvcVm *vm = hvc_vm;
    Error *err = NULL;
    HvcLoaded loaded;
    HvcHostVcpu host;

    host_of(&host, CPU(cpu));
    if (!hvc_list_match(HVC_LISTER_KERNEL, &host.kvm, &incoming, ids, values,
                        count, &vm->warned, errp) ||
        !hvc_state_check_incoming(&vm->contract, ids, known, values, count,
                                  errp)) {
        return false;
    }
    loaded = hvc_state_load(&host.kvm, &vm->contract,
                            has_caches_only(CPU(cpu)), ids, known, values,
                            count, &vm->warned.not_kept, &err);
    return is_loaded(loaded, err, errp);
}

bool hvc_kvm_load(ARMCPU *cpu, uint64_t *values, Error **errp)
{
    if (load(cpu, values, errp)) {
        g_hash_table_insert(hvc_vm->loaded, cpu,
                            g_memdup2(values, cpu->cpreg_array_len *
                                              sizeof(*values)));
        return true;
    }
    /*
     * QEMU writes the list once more even though the load failed, and ends
     * before anybody could ask why if the kernel refuses it.
     */
    write_kvmstate_to_list(cpu);
    return false;
}

int arm_hvc_kvm_level(ARMCPU *cpu, int level)
{
    const uint64_t *values =
        hvc_vm ? g_hash_table_lookup(hvc_vm->loaded, cpu) : NULL;

    if (!values) {
        return level;
    }
    if (cpu->cpreg_array_len == hvc_vm->ids_count &&
        !memcmp(cpu->cpreg_values, values,
                cpu->cpreg_array_len * sizeof(*values))) {
        trace_hvc_vcpu_has_list(CPU(cpu)->cpu_index);
        return 0;
    }
    g_hash_table_remove(hvc_vm->loaded, cpu);
    return level;
}
