/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * What this kernel's KVM shows of the firmware registers, as lines
 *   registers WITH COUNT      size of a vCPU's register list
 *   fw ID VALUE               a firmware register and its default, in hex
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/kvm.h>

#define MAX_REGISTERS 4096
#define COPROC(id) ((uint32_t)((id) >> 16) & 0xfff)
#define COPROC_FW       0x14
#define COPROC_FW_BMAP  0x16

static struct kvm_reg_list *list;

static int checked(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "kvmprobe: %s: %s\n", what, strerror(errno));
        exit(1);
    }
    return result;
}

static int new_vcpu(int kvm, uint32_t features)
{
    struct kvm_vcpu_init init;
    int vm = checked(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    int vcpu = checked(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");

    checked(ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init),
            "KVM_ARM_PREFERRED_TARGET");
    init.features[0] |= features;
    checked(ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
    list->n = MAX_REGISTERS;
    checked(ioctl(vcpu, KVM_GET_REG_LIST, list), "KVM_GET_REG_LIST");
    return vcpu;
}

static void print_firmware(int vcpu)
{
    for (uint64_t i = 0; i < list->n; i++) {
        uint32_t class = COPROC(list->reg[i]);
        uint64_t value = 0;
        struct kvm_one_reg reg = {
            .id = list->reg[i],
            .addr = (uintptr_t)&value,
        };

        if (class != COPROC_FW && class != COPROC_FW_BMAP) {
            continue;
        }
        checked(ioctl(vcpu, KVM_GET_ONE_REG, &reg), "KVM_GET_ONE_REG");
        printf("fw %llx %llx\n", (unsigned long long)reg.id,
               (unsigned long long)value);
    }
}

int main(void)
{
    const uint32_t psci = 1u << KVM_ARM_VCPU_PSCI_0_2;
    const uint32_t pmu = 1u << KVM_ARM_VCPU_PMU_V3;
    int kvm = checked(open("/dev/kvm", O_RDWR), "/dev/kvm");
    int vcpu;

    list = calloc(1, sizeof(*list) + MAX_REGISTERS * sizeof(list->reg[0]));
    vcpu = new_vcpu(kvm, psci);
    printf("registers base %llu\n", (unsigned long long)list->n);
    print_firmware(vcpu);
    if (ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_PMU_V3) > 0) {
        new_vcpu(kvm, psci | pmu);
        printf("registers pmu %llu\n", (unsigned long long)list->n);
    }
    return 0;
}
