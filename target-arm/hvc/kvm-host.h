/*
 * Hypercall services under KVM: the kernel of this host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What QEMU's own files call; all of it does nothing for a VM without a pinned
 * set of services, and in a QEMU without KVM.
 */

#ifndef TARGET_ARM_HVC_KVM_HOST_H
#define TARGET_ARM_HVC_KVM_HOST_H

#include "target/arm/cpu-qom.h"
#include "kvm-profile.h"
#include "set.h"

struct kvm_reg_list;

/**
 * hvc_kvm_host_pin: have a set of services pinned when the first vCPU is made
 * @set: the services
 * @options: the machine options that lead to it, for messages; copied
 * @profile: the registers of another host, or NULL; ownership is taken
 *
 * To be called by the board before it makes vCPUs.
 */
void hvc_kvm_host_pin(const HvcSet *set, const char *options,
                      HvcKvmProfile *profile);

/**
 * hvc_kvm_host_promise: complete the VM's contract with its guest
 * @errp: what cannot be promised
 *
 * To be called by the board when all vCPUs are made, and after
 * hvc_abi_promise().
 *
 * Returns: true on success.
 */
bool hvc_kvm_host_promise(Error **errp);

/**
 * hvc_kvm_host_has_steal_time: can this host tell a guest its stolen time?
 */
bool hvc_kvm_host_has_steal_time(void);

/**
 * hvc_kvm_host_gives_steal_time: does a vCPU tell its guest its stolen time?
 * @cpu: a realized vCPU
 */
bool hvc_kvm_host_gives_steal_time(ARMCPU *cpu);

/**
 * arm_hvc_kvm_init_vcpu: pin the services, before the registers are listed
 * @cpu: a vCPU after KVM_ARM_VCPU_INIT
 *
 * Where this host cannot give the pinned set, the reason is printed and QEMU
 * exits: an errno would lose it.
 *
 * Returns: true if the vCPU now has its PSCI version; false if nothing is
 * pinned, and the kernel has to be asked for it.
 */
bool arm_hvc_kvm_init_vcpu(ARMCPU *cpu);

/**
 * arm_hvc_kvm_reset_vcpu: give a vCPU what a reset in the kernel took away
 * @cpu: a vCPU after KVM_ARM_VCPU_INIT
 */
void arm_hvc_kvm_reset_vcpu(ARMCPU *cpu);

/**
 * arm_hvc_kvm_trim_list: keep a pinned VM's firmware registers from its vCPUs
 * @list: what the kernel lists for a vCPU; those registers go, as they travel
 *        in the VM's contract with its guest
 */
void arm_hvc_kvm_trim_list(struct kvm_reg_list *list);

/**
 * arm_hvc_kvm_pre_load: make room for another kernel's list of registers
 * @cpu: the vCPU that will be loaded
 */
void arm_hvc_kvm_pre_load(ARMCPU *cpu);

/**
 * arm_hvc_post_load: did the contract come, and does a vCPU keep it?
 * @cpu: the vCPU that was loaded; under KVM the registers that another kernel
 *       lists, in its cpreg_vmstate arrays, become those of this one
 *
 * Returns: false if there is no contract, or a register cannot be left behind;
 * this is then reported as the migration's error.
 */
bool arm_hvc_post_load(ARMCPU *cpu);

/**
 * arm_hvc_kvm_report_refused: name the register that the kernel refused
 * @cpu: a vCPU whose list of registers could not be written
 *
 * It is reported as the migration's error.
 */
void arm_hvc_kvm_report_refused(ARMCPU *cpu);

#endif
