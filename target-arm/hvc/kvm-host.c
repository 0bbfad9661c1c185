/*
 * The kernel of this host, as HvcKvm
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 */

#include "qemu/osdep.h"
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include "qapi/error.h"
#include "qemu/bitops.h"
#include "cpu.h"
#include "kvm_arm.h"
#include "migration/qemu-compat.h"
#include "kvm-host.h"
#include "sysregs.h"

QEMU_BUILD_BUG_ON(HVC_KVM_PSCI_VERSION != KVM_REG_ARM_PSCI_VERSION);
QEMU_BUILD_BUG_ON(HVC_KVM_WORKAROUND(1) != KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1);
QEMU_BUILD_BUG_ON(HVC_KVM_WORKAROUND(2) != KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2);
QEMU_BUILD_BUG_ON(HVC_KVM_SVE_VLS != KVM_REG_ARM64_SVE_VLS);
QEMU_BUILD_BUG_ON(HVC_KVM_X(3) != (KVM_REG_ARM64 | KVM_REG_SIZE_U64 |
                                   KVM_REG_ARM_CORE |
                                   KVM_REG_ARM_CORE_REG(regs.regs[3])));
QEMU_BUILD_BUG_ON(HVC_KVM_DEVICE_GROUP(HVC_KVM_GICD_IIDR) !=
                  KVM_DEV_ARM_VGIC_GRP_DIST_REGS);
QEMU_BUILD_BUG_ON(HVC_KVM_DEVICE_GROUP(HVC_KVM_ICC_CTLR_EL1) !=
                  KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS);
QEMU_BUILD_BUG_ON(HVC_KVM_DEVICE_GROUP(HVC_KVM_GITS_IIDR) !=
                  KVM_DEV_ARM_VGIC_GRP_ITS_REGS);

/* What ICC_CTLR_EL1 tells of the GIC; the rest is the guest's choice. */
#define ICC_CTLR_DESCRIPTION \
    (MAKE_64BIT_MASK(8, 8) | BIT_ULL(18) | BIT_ULL(19))

/* Linux asm-arm64/kvm.h; the copy of QEMU 7.2 does not have them yet. */
#define SMCCC_CTRL           0 /* KVM_ARM_VM_SMCCC_CTRL */
#define SMCCC_FILTER         0 /* KVM_ARM_VM_SMCCC_FILTER */
#define SMCCC_FILTER_FORWARD 2 /* KVM_SMCCC_FILTER_FWD_TO_USER */

typedef struct SmcccFilter {
    uint32_t base;
    uint32_t nr_functions;
    uint8_t action;
    uint8_t pad[15];
} SmcccFilter;

static HvcHostVcpu *host_of(const HvcKvm *kvm)
{
    return kvm->opaque;
}

static int fd_ioctl(int fd, unsigned long request, void *argument)
{
    int ret = ioctl(fd, request, argument);

    return ret < 0 ? -errno : ret;
}

static int vcpu_ioctl(const HvcKvm *kvm, unsigned long request, void *argument)
{
    HvcHostVcpu *host = host_of(kvm);

    return host->cpu ? kvm_vcpu_ioctl(host->cpu, request, argument)
                     : fd_ioctl(host->vcpu_fd, request, argument);
}

static int host_list(const HvcKvm *kvm, uint64_t **ids)
{
    g_autofree struct kvm_reg_list *list = g_new0(struct kvm_reg_list, 1);
    int ret;

    /* Asked again when the list grew in between. */
    while ((ret = vcpu_ioctl(kvm, KVM_GET_REG_LIST, list)) == -E2BIG) {
        list = g_realloc(list, sizeof(*list) + list->n * sizeof(list->reg[0]));
    }
    if (ret) {
        return ret;
    }
    qsort(list->reg, list->n, sizeof(list->reg[0]), hvc_compare_ids);
    *ids = g_memdup2(list->reg, list->n * sizeof(list->reg[0]));
    return list->n;
}

/* The distributor's registers have 32 bits, the others 64. */
static int access_device(const HvcKvm *kvm, uint64_t id, uint64_t *value,
                         bool write)
{
    HvcHostVcpu *host = host_of(kvm);
    uint32_t group = HVC_KVM_DEVICE_GROUP(id);
    bool is_its = group == KVM_DEV_ARM_VGIC_GRP_ITS_REGS;
    uint32_t value32 = *value;
    struct kvm_device_attr attribute = {
        .group = group,
        .attr = HVC_KVM_DEVICE_ATTR(id),
        .addr = (uintptr_t)(group == KVM_DEV_ARM_VGIC_GRP_DIST_REGS ?
                            (void *)&value32 : (void *)value),
    };
    int fd = is_its ? host->its_fd : host->gic_fd;
    int ret;

    if (fd < 0) {
        return -ENOENT;
    }
    ret = fd_ioctl(fd, KVM_HAS_DEVICE_ATTR, &attribute);
    if (!ret) {
        ret = fd_ioctl(fd, write ? KVM_SET_DEVICE_ATTR : KVM_GET_DEVICE_ATTR,
                       &attribute);
    }
    if (ret == -ENXIO) {
        return -ENOENT;
    }
    if (!ret && !write && group == KVM_DEV_ARM_VGIC_GRP_DIST_REGS) {
        *value = value32;
    }
    if (!ret && !write && id == HVC_KVM_ICC_CTLR_EL1) {
        *value &= ICC_CTLR_DESCRIPTION;
    }
    return ret;
}

/* QEMU can give a guest no longer vectors than the first word has. */
static int access_vector_lengths(const HvcKvm *kvm, uint64_t *value,
                                 bool write)
{
    uint64_t map[KVM_ARM64_SVE_VLS_WORDS] = { write ? *value : 0 };
    struct kvm_one_reg reg = {
        .id = KVM_REG_ARM64_SVE_VLS,
        .addr = (uintptr_t)map,
    };
    int ret = vcpu_ioctl(kvm, write ? KVM_SET_ONE_REG : KVM_GET_ONE_REG, &reg);

    if (!ret) {
        *value = map[0];
    }
    return ret;
}

/* KVM has no register for it: the guest reads the hardware's. */
static uint64_t counter_frequency(void)
{
    uint64_t frequency;

    asm("mrs %0, cntfrq_el0" : "=r" (frequency));
    return frequency;
}

static int access_register(const HvcKvm *kvm, uint64_t id, uint64_t *value,
                           bool write)
{
    uint32_t value32 = *value;
    bool is_32 = (id & KVM_REG_SIZE_MASK) == KVM_REG_SIZE_U32;
    struct kvm_one_reg reg = {
        .id = id,
        .addr = is_32 ? (uintptr_t)&value32 : (uintptr_t)value,
    };
    int ret;

    if ((!is_32 && (id & KVM_REG_SIZE_MASK) != KVM_REG_SIZE_U64) ||
        (write && is_32 && value32 != *value)) {
        return -EINVAL;
    }
    ret = vcpu_ioctl(kvm, write ? KVM_SET_ONE_REG : KVM_GET_ONE_REG, &reg);
    if (!ret && is_32) {
        *value = value32;
    }
    return ret;
}

static int host_get(const HvcKvm *kvm, uint64_t id, uint64_t *value)
{
    if (id == HVC_CNTFRQ_EL0) {
        *value = counter_frequency();
        return 0;
    }
    if (id == HVC_KVM_SVE_VLS) {
        return access_vector_lengths(kvm, value, false);
    }
    if (id == HVC_KVM_PMU_COUNTERS) {
        return hvc_kvm_get_counters(kvm, value);
    }
    return HVC_KVM_IS_DEVICE(id) ? access_device(kvm, id, value, false)
                                 : access_register(kvm, id, value, false);
}

static int host_set(const HvcKvm *kvm, uint64_t id, uint64_t value)
{
    if (id == HVC_CNTFRQ_EL0) {
        return value == counter_frequency() ? 0 : -EINVAL;
    }
    if (id == HVC_KVM_SVE_VLS) {
        return access_vector_lengths(kvm, &value, true);
    }
    if (id == HVC_KVM_PMU_COUNTERS) {
        return hvc_kvm_set_counters(kvm, value);
    }
    return HVC_KVM_IS_DEVICE(id) ? access_device(kvm, id, &value, true)
                                 : access_register(kvm, id, &value, true);
}

static int vm_ioctl(const HvcKvm *kvm, unsigned long request, void *argument)
{
    HvcHostVcpu *host = host_of(kvm);

    return host->cpu ? kvm_vm_ioctl(kvm_state, request, argument)
                     : fd_ioctl(host->vm_fd, request, argument);
}

static int host_hand_over(const HvcKvm *kvm, uint32_t function)
{
    const SmcccFilter filter = {
        .base = function,
        .nr_functions = 1,
        .action = SMCCC_FILTER_FORWARD,
    };
    struct kvm_device_attr attribute = {
        .group = SMCCC_CTRL,
        .attr = SMCCC_FILTER,
        .addr = (uintptr_t)&filter,
    };

    /* A kernel without the attribute has several ways to say so. */
    if (vm_ioctl(kvm, KVM_HAS_DEVICE_ATTR, &attribute)) {
        return -ENXIO;
    }
    return vm_ioctl(kvm, KVM_SET_DEVICE_ATTR, &attribute);
}

static int create_vm(HvcHostVcpu *host, const HvcVmRecipe *recipe)
{
    int ret;

    do {
        ret = kvm_ioctl(kvm_state, KVM_CREATE_VM, recipe->type);
    } while (ret == -EINTR);
    if (ret >= 0) {
        host->vm_fd = ret;
    }
    return MIN(ret, 0);
}

static int enable_identity(HvcHostVcpu *host, const HvcVmRecipe *recipe)
{
    struct kvm_enable_cap enable = { .cap = HVC_KVM_CAP_WRITABLE_IMP_ID_REGS };

    return recipe->chooses_identity ?
           fd_ioctl(host->vm_fd, KVM_ENABLE_CAP, &enable) : 0;
}

static int enable_mte(HvcHostVcpu *host, const HvcVmRecipe *recipe)
{
    struct kvm_enable_cap enable = { .cap = KVM_CAP_ARM_MTE };

    return recipe->mte ? fd_ioctl(host->vm_fd, KVM_ENABLE_CAP, &enable) : 0;
}

static int create_vcpu(HvcHostVcpu *host, const HvcVmRecipe *recipe)
{
    int ret = fd_ioctl(host->vm_fd, KVM_CREATE_VCPU, NULL);

    if (ret >= 0) {
        host->vcpu_fd = ret;
    }
    return MIN(ret, 0);
}

static int host_reset(const HvcKvm *kvm)
{
    HvcHostVcpu *host = host_of(kvm);
    struct kvm_vcpu_init init = { .target = host->target };

    QEMU_BUILD_BUG_ON(sizeof(init.features) != sizeof(host->features));
    memcpy(init.features, host->features, sizeof(init.features));
    return fd_ioctl(host->vcpu_fd, KVM_ARM_VCPU_INIT, &init);
}

static int init_vcpu(HvcHostVcpu *host, const HvcVmRecipe *recipe)
{
    struct kvm_vcpu_init preferred = { .target = recipe->target };
    int ret = 0;

    if (recipe->target == HVC_KVM_PREFERRED_TARGET) {
        ret = fd_ioctl(host->vm_fd, KVM_ARM_PREFERRED_TARGET, &preferred);
    }
    host->target = preferred.target;
    memcpy(host->features, recipe->features, sizeof(host->features));
    return ret ?: host_reset(&host->kvm);
}

static int init_sve(HvcHostVcpu *host, const HvcVmRecipe *recipe)
{
    int feature = KVM_ARM_VCPU_SVE;
    uint64_t lengths = recipe->sve_vls;
    int ret;

    if (!lengths) {
        return 0;
    }
    ret = access_vector_lengths(&host->kvm, &lengths, true);
    return ret ?: fd_ioctl(host->vcpu_fd, KVM_ARM_VCPU_FINALIZE, &feature);
}

static int set_attribute(int fd, uint32_t group, uint64_t attribute,
                         const void *value)
{
    return fd_ioctl(fd, KVM_SET_DEVICE_ATTR, &(struct kvm_device_attr) {
        .group = group, .attr = attribute, .addr = (uintptr_t)value,
    });
}

static int create_device(const HvcHostVcpu *host, uint32_t type, int *fd)
{
    struct kvm_create_device create = { .type = type };
    int ret = fd_ioctl(host->vm_fd, KVM_CREATE_DEVICE, &create);

    if (!ret) {
        *fd = create.fd;
    }
    return ret;
}

/* In the order of hw/intc/arm_gic*_kvm.c; without addresses no vCPU runs. */
static int create_gic(HvcHostVcpu *host, const HvcVmRecipe *recipe)
{
    bool v3 = recipe->gic == 3;
    uint64_t cpu_attribute = v3 ? KVM_VGIC_V3_ADDR_TYPE_REDIST
                                : KVM_VGIC_V2_ADDR_TYPE_CPU;
    uint64_t cpu_address = v3 ? recipe->gicr : recipe->gicc;
    uint64_t dist_attribute = v3 ? KVM_VGIC_V3_ADDR_TYPE_DIST
                                 : KVM_VGIC_V2_ADDR_TYPE_DIST;
    int ret;

    if (!recipe->gic) {
        return 0;
    }
    ret = create_device(host, v3 ? KVM_DEV_TYPE_ARM_VGIC_V3
                                 : KVM_DEV_TYPE_ARM_VGIC_V2, &host->gic_fd);
    ret = ret ?: set_attribute(host->gic_fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0,
                               &recipe->gic_irqs);
    ret = ret ?: set_attribute(host->gic_fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
                               dist_attribute, &recipe->gicd);
    ret = ret ?: set_attribute(host->gic_fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
                               cpu_attribute, &cpu_address);
    return ret ?: set_attribute(host->gic_fd, KVM_DEV_ARM_VGIC_GRP_CTRL,
                                KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

static int create_its(HvcHostVcpu *host, const HvcVmRecipe *recipe)
{
    int ret;

    if (!recipe->its) {
        return 0;
    }
    ret = create_device(host, KVM_DEV_TYPE_ARM_VGIC_ITS, &host->its_fd);
    ret = ret ?: set_attribute(host->its_fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
                               KVM_VGIC_ITS_ADDR_TYPE, &recipe->its);
    return ret ?: set_attribute(host->its_fd, KVM_DEV_ARM_VGIC_GRP_CTRL,
                                KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

static int init_pmu(HvcHostVcpu *host, const HvcVmRecipe *recipe)
{
    int ret = 0;

    if (!recipe->pmu) {
        return 0;
    }
    if (recipe->gic) {
        ret = set_attribute(host->vcpu_fd, KVM_ARM_VCPU_PMU_V3_CTRL,
                            KVM_ARM_VCPU_PMU_V3_IRQ, &recipe->pmu_irq);
    }
    return ret ?: set_attribute(host->vcpu_fd, KVM_ARM_VCPU_PMU_V3_CTRL,
                                KVM_ARM_VCPU_PMU_V3_INIT, NULL);
}

static int map_run(HvcHostVcpu *host)
{
    int size = kvm_ioctl(kvm_state, KVM_GET_VCPU_MMAP_SIZE, 0);

    if (size < 0) {
        return size;
    }
    host->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
                     host->vcpu_fd, 0);
    if (host->run == MAP_FAILED) {
        host->run = NULL;
        return -errno;
    }
    host->run_size = size;
    return 0;
}

static int host_run(const HvcKvm *kvm)
{
    HvcHostVcpu *host = host_of(kvm);
    int ret = host->run ? 0 : map_run(host);

    if (ret) {
        return ret;
    }
    host->run->immediate_exit = 1;
    ret = fd_ioctl(host->vcpu_fd, KVM_RUN, NULL);
    return ret == -EINTR ? 0 : ret;
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

static void host_destroy(HvcKvm *kvm)
{
    HvcHostVcpu *host = host_of(kvm);

    if (host->run) {
        munmap(host->run, host->run_size);
    }
    close_fd(host->its_fd);
    close_fd(host->gic_fd);
    close_fd(host->vcpu_fd);
    close_fd(host->vm_fd);
    g_free(host);
}

/**
 * Step: one of those that make a VM, in this order
 * @make: returns 0 or a negative errno
 * @what: what it makes, for messages
 */
static const struct {
    int (*make)(HvcHostVcpu *host, const HvcVmRecipe *recipe);
    const char *what;
} steps[] = {
    { create_vm, "a VM" },
    { enable_identity, "the identity of another CPU" },
    { enable_mte, "MTE" },
    { create_vcpu, "a vCPU" },
    { init_vcpu, "a vCPU of its features" },
    { init_sve, "its SVE vector lengths" },
    { create_gic, "its GIC" },
    { create_its, "its ITS" },
    { init_pmu, "its PMU" },
};

static HvcKvm *host_create(const HvcKvm *kvm, const HvcVmRecipe *recipe,
                           Error **errp)
{
    HvcHostVcpu *host = g_new0(HvcHostVcpu, 1);

    hvc_host_vcpu(host, NULL, -1, -1);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        int ret = steps[i].make(host, recipe);

        if (ret) {
            error_setg_errno(errp, -ret, "%s", steps[i].what);
            host_destroy(&host->kvm);
            return NULL;
        }
    }
    return &host->kvm;
}

/* Asked once: a vCPU's calls make an HvcHostVcpu each. */
static bool has_ptp(void)
{
    static int ptp = -1;

    if (ptp < 0) {
        ptp = kvm_check_extension(kvm_state, KVM_CAP_PTP_KVM) > 0;
    }
    return ptp;
}

void hvc_host_vcpu(HvcHostVcpu *host, CPUState *cpu, int gic_fd, int its_fd)
{
    *host = (HvcHostVcpu) {
        .kvm = {
            .list = host_list,
            .get = host_get,
            .set = host_set,
            .create = host_create,
            .run = host_run,
            .reset = host_reset,
            .destroy = host_destroy,
            .hand_over = host_hand_over,
            .ptp = has_ptp(),
            .opaque = host,
        },
        .cpu = cpu,
        .vm_fd = -1,
        .vcpu_fd = -1,
        .gic_fd = gic_fd,
        .its_fd = its_fd,
    };
}
