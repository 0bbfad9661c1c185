/*
 * The vCPUs of a KVM/arm64 VM, and the contract
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * What the board and QEMU's own files call. All of it does nothing for a VM
 * without a pinned set of services, and in a QEMU without KVM.
 */

#ifndef TARGET_ARM_HVC_KVM_VCPU_H
#define TARGET_ARM_HVC_KVM_VCPU_H

#include "target/arm/cpu-qom.h"
#include "vm.h"

/**
 * hvc_vcpus_promise: promise a VM's guest what it will read
 * @vm: the VM; of its recipe the board has filled in @type, @mte, @pmu_irq,
 *      @cpus and the GIC. It is taken over, and stays for the rest of the
 *      process.
 * @errp: what this host cannot give the VM
 *
 * To be called by the board when vCPUs and GIC are made, and after
 * hvc_abi_promise(). The vCPUs get what is promised.
 *
 * Returns: true on success.
 */
bool hvc_vcpus_promise(HvcVm *vm, Error **errp);

/**
 * hvc_kvm_choose_identity: let the VM's guest see another CPU than the host's
 *
 * To be called before the first vCPU is made.
 *
 * Returns: false if this host's kernel cannot, which is one before Linux 6.15.
 */
bool hvc_kvm_choose_identity(void);

/**
 * hvc_kvm_has_steal_time: can this host tell a guest its stolen time?
 */
bool hvc_kvm_has_steal_time(void);

/**
 * hvc_kvm_gives_steal_time: does a vCPU tell its guest its stolen time?
 * @cpu: a realized vCPU
 */
bool hvc_kvm_gives_steal_time(ARMCPU *cpu);

/**
 * arm_hvc_kvm_reset_vcpu: give a vCPU what a reset in the kernel took away
 * @cpu: a vCPU after KVM_ARM_VCPU_INIT
 */
void arm_hvc_kvm_reset_vcpu(ARMCPU *cpu);

struct kvm_run;

/**
 * arm_hvc_kvm_handle_call: answer a call that the kernel handed over
 * @cs: the calling vCPU, past its HVC or SMC instruction
 * @run: what KVM_RUN has returned: KVM_EXIT_HYPERCALL
 *
 * Runs in the vCPU's thread, without the BQL, which it takes for nothing but
 * an event of the whole machine: a guest that floods calls keeps nobody else
 * waiting.
 *
 * Returns: 0 to go on with the guest, EXCP_INTERRUPT to look at QEMU's requests
 * first, -1 if the vCPU cannot go on.
 */
int arm_hvc_kvm_handle_call(CPUState *cs, struct kvm_run *run);

/**
 * hvc_kvm_load: give a vCPU of a pinned VM the registers that came
 * @cpu: the vCPU, whose cpreg_vmstate arrays are as another kernel lists them
 * @values: those of cpreg_indexes, on success; cpreg_array_len long
 * @errp: which register cannot be left behind, written or kept
 *
 * They are written and read again.
 *
 * Returns: true on success.
 */
bool hvc_kvm_load(ARMCPU *cpu, uint64_t *values, Error **errp);

/**
 * arm_hvc_kvm_level: which registers of its list does a vCPU need written?
 * @cpu: the vCPU
 * @level: up to which level of kvm_arm_cpreg_level() they were to be written:
 *         KVM_PUT_RUNTIME_STATE, _RESET_STATE or _FULL_STATE
 *
 * QEMU writes the whole list twice between the load of a vCPU and its first
 * run, while the guest stands still. arm_hvc_post_load() has written what
 * differs and read all of it, so that there is nothing left to write.
 *
 * Returns: @level, or 0, which is below every register's level, if the kernel
 * has all values of the list.
 */
int arm_hvc_kvm_level(ARMCPU *cpu, int level);

#endif
