/*
 * The kernel of this host, as HvcKvm
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#ifndef TARGET_ARM_HVC_KVM_HOST_H
#define TARGET_ARM_HVC_KVM_HOST_H

#include "kvm-access.h"
#include "target/arm/cpu-qom.h"

/* KVM_CAP_ARM_WRITABLE_IMP_ID_REGS of linux/kvm.h; QEMU 10.0's has it not. */
#define HVC_KVM_CAP_WRITABLE_IMP_ID_REGS 239

/**
 * HvcHostVcpu: a vCPU of this host's kernel
 * @kvm: the way to it
 * @cpu: a real vCPU, NULL for one of a scratch VM
 * @vm_fd, @vcpu_fd, @gic_fd, @its_fd: of a scratch VM; of a real one only
 *     @gic_fd and @its_fd; -1: none
 * @target, @features: of a scratch VM, for KVM_ARM_VCPU_INIT
 * @run: what KVM_RUN shares, of a scratch VM
 * @run_size: size of @run in bytes
 */
typedef struct HvcHostVcpu {
    HvcKvm kvm;
    CPUState *cpu;
    int vm_fd, vcpu_fd, gic_fd, its_fd;
    uint32_t target;
    uint32_t features[HVC_KVM_FEATURE_WORDS];
    struct kvm_run *run;
    size_t run_size;
} HvcHostVcpu;

/**
 * hvc_host_vcpu: the way to a real vCPU
 * @host: filled in
 * @cpu: the vCPU, realized, or NULL for the kernel alone
 * @gic_fd: the file descriptor of the kernel's GIC, -1 if there is none
 * @its_fd: that of its ITS
 */
void hvc_host_vcpu(HvcHostVcpu *host, CPUState *cpu, int gic_fd, int its_fd);

#endif
