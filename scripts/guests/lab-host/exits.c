/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 *   exits
 *
 * How long a hypercall takes without QEMU: one that this kernel's KVM answers
 * itself, and one that it hands over, to which nobody does anything. Prints the
 * nanoseconds of each, "kernel NS" and "exit NS", medians of rounds. Exit
 * status 2 if the kernel hands over nothing.
 */

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <linux/kvm.h>
#include <linux/psci.h>

/* Linux asm/kvm.h; headers of Debian 12 have none of it. */
#define SMCCC_CTRL     0 /* KVM_ARM_VM_SMCCC_CTRL */
#define SMCCC_FILTER   0 /* KVM_ARM_VM_SMCCC_FILTER */
#define FILTER_FORWARD 2 /* KVM_SMCCC_FILTER_FWD_TO_USER */

#define MEMORY         0x40000000
#define MEMORY_SIZE    0x10000
#define EXIT_CALLS     0x1000
#define PC             (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
                        KVM_REG_ARM_CORE_REG(regs.pc))
#define CALLS          256
#define ROUNDS         21

#define MOV_W0(high)   (0x52a00000 | (high) << 5) /* movz w0, #high, lsl #16 */
#define HVC            0xd4000002

/* SMCCC_VERSION so often, then PSCI_VERSION, without end */
static const uint32_t kernel_calls[] = {
    0x52800014 | CALLS << 5,    /* movz w20, #CALLS */
    MOV_W0(0x8000),
    HVC,
    0x71000694,                 /* subs w20, w20, #1 */
    0x54ffffa1,                 /* b.ne, three instructions back */
    MOV_W0(0x8400),
    HVC,
    0x17fffff9,                 /* b, seven instructions back */
};

/* PSCI_VERSION without end */
static const uint32_t exit_calls[] = {
    MOV_W0(0x8400),
    HVC,
    0x17fffffe,                 /* b, two instructions back */
};

static int checked(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "exits: %s: %s\n", what, strerror(errno));
        exit(1);
    }
    return result;
}

static int64_t nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void hand_over(int vm)
{
    const struct {
        uint32_t base, count;
        uint8_t action, pad[15];
    } filter = { PSCI_0_2_FN_PSCI_VERSION, 1, FILTER_FORWARD, { 0 } };
    struct kvm_device_attr attribute = {
        .group = SMCCC_CTRL,
        .attr = SMCCC_FILTER,
        .addr = (uintptr_t)&filter,
    };

    if (ioctl(vm, KVM_HAS_DEVICE_ATTR, &attribute)) {
        fprintf(stderr, "exits: this kernel hands over nothing; needed: Linux "
                "6.4 or later\n");
        exit(2);
    }
    checked(ioctl(vm, KVM_SET_DEVICE_ATTR, &attribute), "the SMCCC filter");
}

static void fill_memory(int vm)
{
    void *memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = MEMORY,
        .memory_size = MEMORY_SIZE,
        .userspace_addr = (uintptr_t)memory,
    };

    checked(memory == MAP_FAILED ? -1 : 0, "memory");
    memcpy(memory, kernel_calls, sizeof(kernel_calls));
    memcpy(memory + EXIT_CALLS, exit_calls, sizeof(exit_calls));
    checked(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region),
            "KVM_SET_USER_MEMORY_REGION");
}

static int new_vcpu(int vm)
{
    struct kvm_vcpu_init init;
    int vcpu = checked(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");

    checked(ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init),
            "KVM_ARM_PREFERRED_TARGET");
    init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
    checked(ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
    return vcpu;
}

static void run_from(int vcpu, uint64_t pc)
{
    struct kvm_one_reg reg = { .id = PC, .addr = (uintptr_t)&pc };

    checked(ioctl(vcpu, KVM_SET_ONE_REG, &reg), "KVM_SET_ONE_REG");
}

/* The nanoseconds of so many exits */
static int64_t run(int vcpu, const struct kvm_run *state, int exits)
{
    int64_t start = nanoseconds();

    for (int i = 0; i < exits; i++) {
        checked(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
        if (state->exit_reason != KVM_EXIT_HYPERCALL) {
            fprintf(stderr, "exits: exit reason %u; needed: %u\n",
                    state->exit_reason, KVM_EXIT_HYPERCALL);
            exit(1);
        }
    }
    return nanoseconds() - start;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void print_median(const char *name, int64_t *values)
{
    qsort(values, ROUNDS, sizeof(*values), compare);
    printf("%s %lld\n", name, (long long)values[ROUNDS / 2]);
}

int main(void)
{
    int kvm = checked(open("/dev/kvm", O_RDWR), "/dev/kvm");
    int vm = checked(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    int vcpu = new_vcpu(vm);
    int size = checked(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
                       "KVM_GET_VCPU_MMAP_SIZE");
    const struct kvm_run *state = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                       MAP_SHARED, vcpu, 0);
    int64_t kernel[ROUNDS], exits[ROUNDS];

    checked(state == MAP_FAILED ? -1 : 0, "the vCPU's state");
    hand_over(vm);
    fill_memory(vm);
    for (int i = 0; i < ROUNDS; i++) {
        run_from(vcpu, MEMORY + EXIT_CALLS);
        exits[i] = run(vcpu, state, CALLS) / CALLS;
        run_from(vcpu, MEMORY);
        kernel[i] = (run(vcpu, state, 1) - exits[i]) / CALLS;
    }
    print_median("kernel", kernel);
    print_median("exit", exits);
    return 0;
}
