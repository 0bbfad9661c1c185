/*
 * Access to KVM/arm64: a vCPU's registers, and VMs made to find out
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Everything that is asked of the kernel goes through HvcKvm, so that a kernel
 * can be played by a test. Registers go by KVM's ids (Linux
 * arch/arm64/include/uapi/asm/kvm.h). What has no such id but is as much a
 * part of the guest's hardware, the GIC's registers, gets an id of its own
 * here.
 */

#ifndef TARGET_ARM_HVC_KVM_ACCESS_H
#define TARGET_ARM_HVC_KVM_ACCESS_H

/* Classes of registers, and single ones (Linux asm-arm64/kvm.h). */
#define HVC_KVM_CLASS_MASK        0x000000000fff0000ULL
#define HVC_KVM_CLASS_CORE        0x0000000000100000ULL
#define HVC_KVM_CLASS_FW          0x0000000000140000ULL
#define HVC_KVM_CLASS_SVE         0x0000000000150000ULL
#define HVC_KVM_CLASS_FW_FEAT     0x0000000000160000ULL
#define HVC_KVM_FW(index)         (0x6030000000140000ULL | (index))
#define HVC_KVM_FW_FEAT(index)    (0x6030000000160000ULL | (index))
#define HVC_KVM_PSCI_VERSION      HVC_KVM_FW(0)
#define HVC_KVM_WORKAROUND(n)     HVC_KVM_FW(n)
#define HVC_KVM_SVE_VLS           0x606000000015ffffULL

/* Xn, n from 0 to 30; a register is two of KVM's 32-bit words. */
#define HVC_KVM_X(n)              (0x6030000000100000ULL | 2 * (n))

/*
 * Registers of the GIC: ids that KVM cannot have, as its own begin with the
 * architecture (KVM_REG_ARM64 is 0x6000000000000000). Below them are the
 * group and the attribute of KVM_GET_DEVICE_ATTR (Linux
 * Documentation/virt/kvm/devices/arm-vgic*.rst).
 */
#define HVC_KVM_DEVICE(group, attribute) \
    (0xe000000000000000ULL | (uint64_t)(group) << 32 | (attribute))
#define HVC_KVM_IS_DEVICE(id)     ((id) >> 60 == 0xe)
#define HVC_KVM_DEVICE_GROUP(id)  ((uint32_t)((id) >> 32 & 0xffff))
#define HVC_KVM_DEVICE_ATTR(id)   ((uint32_t)(id))
#define HVC_KVM_GICD_IIDR         HVC_KVM_DEVICE(1, 0x8)
#define HVC_KVM_GICD_TYPER2       HVC_KVM_DEVICE(1, 0xc)
#define HVC_KVM_ICC_CTLR_EL1      HVC_KVM_DEVICE(6, 0xc664)
#define HVC_KVM_GITS_IIDR         HVC_KVM_DEVICE(8, 0x4)

/*
 * A part of a register that describes the hardware, while the rest of it is the
 * guest's: PMCR_EL0.N, the number of event counters of its PMU. In a contract 0
 * is no promise: whoever has made it did not say.
 */
#define HVC_KVM_PMU_COUNTERS      0xd000000000000000ULL

/*
 * What a guest under TCG can have and KVM has no register for: vector lengths
 * of SME, as HVC_KVM_SVE_VLS has them; 1 if there is the exception level.
 */
#define HVC_TCG(index)            (0xf000000000000000ULL | (index))
#define HVC_TCG_SME_VLS           HVC_TCG(0)
#define HVC_TCG_EL2               HVC_TCG(1)
#define HVC_TCG_EL3               HVC_TCG(2)

/* Words of KVM_ARM_VCPU_INIT's features */
#define HVC_KVM_FEATURE_WORDS 7

/* A recipe's target: the one that KVM_ARM_PREFERRED_TARGET names */
#define HVC_KVM_PREFERRED_TARGET UINT32_MAX

/**
 * HvcVmRecipe: what decides, beside registers, what a VM shows its guest
 * @type: the argument of KVM_CREATE_VM: the size of the guest's physical
 *        addresses, and whether the VM is protected
 * @target: of KVM_ARM_VCPU_INIT, or HVC_KVM_PREFERRED_TARGET
 * @features: of KVM_ARM_VCPU_INIT
 * @sve_vls: the guest's SVE vector lengths, bit n for n + 1 quadwords; 0: none
 * @chooses_identity: the VM has KVM_CAP_ARM_WRITABLE_IMP_ID_REGS: MIDR_EL1,
 *                    REVIDR_EL1 and AIDR_EL1 can be another CPU's
 * @mte: the VM has KVM_CAP_ARM_MTE
 * @pmu: the vCPUs have a PMU
 * @pmu_irq: its interrupt, if the GIC is the kernel's
 * @cpus: number of vCPUs that the VM can have
 * @gic_version: of the GIC: 2, 3, 4; 0: none
 * @has_its: the VM has an ITS, of whosever
 * @gic: version of the kernel's GIC, 2 or 3; 0: the GIC is QEMU's
 * @gic_irqs: number of its interrupts
 * @gicd, @gicc, @gicr, @its: guest-physical addresses of its registers: the
 *        distributor, GICv2's CPU interface, GICv3's redistributors, the ITS;
 *        @its is 0 if there is no ITS of the kernel's
 */
typedef struct HvcVmRecipe {
    uint64_t type;
    uint32_t target;
    uint32_t features[HVC_KVM_FEATURE_WORDS];
    uint64_t sve_vls;
    bool chooses_identity;
    bool mte;
    bool pmu;
    int pmu_irq;
    unsigned cpus;
    unsigned gic_version;
    bool has_its;
    unsigned gic;
    uint32_t gic_irqs;
    uint64_t gicd, gicc, gicr, its;
} HvcVmRecipe;

typedef struct HvcKvm HvcKvm;

/**
 * HvcKvm: one vCPU, as the kernel gives access to it
 * @list: all registers of the vCPU, ascending (KVM_GET_REG_LIST); the caller
 *        frees @ids with g_free(). Returns their number, or a negative errno.
 * @get: read a register of 4 or 8 bytes, HVC_KVM_SVE_VLS,
 *       HVC_KVM_PMU_COUNTERS, or one of the GIC.
 *       Returns 0 or a negative errno: -ENOENT for a register that the VM does
 *       not have.
 * @set: write one. Returns 0 or a negative errno: -EINVAL for a value that the
 *       kernel does not take, -EBUSY for one that it no longer takes, as the VM
 *       has run.
 * @create: make a VM of one vCPU by a recipe, which has not run; NULL with an
 *          error if it cannot be made. Of a vCPU that was made by it, and of a
 *          real one, @kvm is only asked for its kernel.
 * @run: of a vCPU that @create made: let the kernel make up its mind, and run
 *       no instruction (KVM_RUN with immediate_exit). Returns 0 or a negative
 *       errno.
 * @reset: of a vCPU that @create made: KVM_ARM_VCPU_INIT again. Returns 0 or a
 *         negative errno.
 * @destroy: the end of a VM that @create made
 * @hand_over: let QEMU answer a function of SMCCC instead of the kernel, for
 *             all vCPUs of a VM that has not run (Linux
 *             Documentation/virt/kvm/devices/vm.rst, KVM_ARM_VM_SMCCC_FILTER).
 *             Returns 0 or a negative errno: -ENXIO of a kernel that hands over
 *             nothing, which is one before Linux 6.4.
 * @ptp: the kernel has the service ptp (KVM_CAP_PTP_KVM)
 * @opaque: for the functions
 */
struct HvcKvm {
    int (*list)(const HvcKvm *kvm, uint64_t **ids);
    int (*get)(const HvcKvm *kvm, uint64_t id, uint64_t *value);
    int (*set)(const HvcKvm *kvm, uint64_t id, uint64_t value);
    HvcKvm *(*create)(const HvcKvm *kvm, const HvcVmRecipe *recipe,
                      Error **errp);
    int (*run)(const HvcKvm *kvm);
    int (*reset)(const HvcKvm *kvm);
    void (*destroy)(HvcKvm *kvm);
    int (*hand_over)(const HvcKvm *kvm, uint32_t function);
    bool ptp;
    void *opaque;
};

/**
 * hvc_compare_ids: the order of register lists, for qsort() and bsearch()
 * @a: a uint64_t
 * @b: another
 *
 * Returns: a number below, equal to or above 0.
 */
int hvc_compare_ids(const void *a, const void *b);

/**
 * hvc_kvm_is_firmware: is a register a firmware pseudo-register?
 * @id: a register id
 *
 * Returns: true for the class of KVM_REG_ARM_PSCI_VERSION and for that of the
 * bitmaps, known or not. A pinned VM carries them in its contract with the
 * guest, and not with each vCPU.
 */
bool hvc_kvm_is_firmware(uint64_t id);

/**
 * hvc_has_id: is a register in a list?
 * @ids: the list, ascending
 * @count: number of @ids
 * @id: a register id
 */
bool hvc_has_id(const uint64_t *ids, size_t count, uint64_t id);

/**
 * hvc_kvm_list: list a vCPU's registers
 * @kvm: the vCPU
 * @ids: the registers, ascending; the caller frees them with g_free()
 * @count: number of @ids
 * @errp: why the kernel does not tell
 *
 * Returns: true on success.
 */
bool hvc_kvm_list(const HvcKvm *kvm, uint64_t **ids, size_t *count,
                  Error **errp);

/**
 * hvc_kvm_read: read a register
 * @kvm: the vCPU
 * @id: the register
 * @value: its value
 * @errp: the register's name, its id, and why it cannot be read
 *
 * Returns: true on success.
 */
bool hvc_kvm_read(const HvcKvm *kvm, uint64_t id, uint64_t *value,
                  Error **errp);

/* hvc_kvm_write(): the kernel took the value, and the register has another. */
#define HVC_KVM_KEPT_ANOTHER 1

/**
 * hvc_kvm_write: write a register, and read it back
 * @kvm: the vCPU
 * @id: the register
 * @value: what it is to be
 * @now: what it is afterwards; unchanged if it cannot be read
 *
 * Returns: 0 if the register has the value; a negative errno;
 * HVC_KVM_KEPT_ANOTHER.
 */
int hvc_kvm_write(const HvcKvm *kvm, uint64_t id, uint64_t value,
                  uint64_t *now);

/**
 * hvc_kvm_get_counters: get() of HVC_KVM_PMU_COUNTERS
 * @kvm: the vCPU
 * @value: the number of event counters, 0 to 31
 *
 * Returns: 0 or a negative errno, -ENOENT for a vCPU without a PMU.
 */
int hvc_kvm_get_counters(const HvcKvm *kvm, uint64_t *value);

/**
 * hvc_kvm_set_counters: set() of HVC_KVM_PMU_COUNTERS
 * @kvm: the vCPU
 * @value: the number of event counters, 0 to 31
 *
 * Linux 6.7 and later take fewer than the CPU has, before the VM runs, and
 * ignore any other number; earlier ones take all, until the vCPU is reset.
 *
 * Returns: 0 or a negative errno, -EINVAL for a number that no PMU has.
 */
int hvc_kvm_set_counters(const HvcKvm *kvm, uint64_t value);

/**
 * hvc_kvm_why: what hvc_kvm_write() returned, in words
 * @ret: a value other than 0
 */
const char *hvc_kvm_why(int ret);

#endif
