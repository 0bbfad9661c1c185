/*
 * Hypercall services under KVM: the firmware pseudo-registers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The kernel answers the guest's calls; which ones is chosen with firmware
 * pseudo-registers (Linux Documentation/virt/kvm/arm/fw-pseudo-registers.rst).
 * They are read and written through a vCPU and hold for the VM. All access goes
 * through HvcKvm, so that a kernel can be played by a test.
 */

#ifndef TARGET_ARM_HVC_KVM_H
#define TARGET_ARM_HVC_KVM_H

#include "set.h"

/* Classes of registers, and single ones (Linux asm-arm64/kvm.h). */
#define HVC_KVM_CLASS_MASK        0x000000000fff0000ULL
#define HVC_KVM_CLASS_FW          0x0000000000140000ULL
#define HVC_KVM_CLASS_FW_FEAT     0x0000000000160000ULL
#define HVC_KVM_FW(index)         (0x6030000000140000ULL | (index))
#define HVC_KVM_FW_FEAT(index)    (0x6030000000160000ULL | (index))
#define HVC_KVM_PSCI_VERSION      HVC_KVM_FW(0)
#define HVC_KVM_WORKAROUND(n)     HVC_KVM_FW(n)

typedef struct HvcKvm HvcKvm;

/**
 * HvcKvm: one vCPU's registers, as the kernel gives access to them
 * @list: all registers of the vCPU, ascending (KVM_GET_REG_LIST); the caller
 *        frees @ids with g_free(). Returns their number, or a negative errno.
 * @get: read a register of 4 or 8 bytes (KVM_GET_ONE_REG). Returns 0 or a
 *       negative errno: -ENOENT for a register that the kernel does not have.
 * @set: write one (KVM_SET_ONE_REG). Returns 0 or a negative errno: -EINVAL for
 *       a value that the kernel does not take, -EBUSY for one that it no longer
 *       takes, as the VM has run.
 * @ptp: the kernel has the service ptp (KVM_CAP_PTP_KVM)
 * @opaque: for the functions
 */
struct HvcKvm {
    int (*list)(const HvcKvm *kvm, uint64_t **ids);
    int (*get)(const HvcKvm *kvm, uint64_t id, uint64_t *value);
    int (*set)(const HvcKvm *kvm, uint64_t id, uint64_t value);
    bool ptp;
    void *opaque;
};

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
 * hvc_kvm_pin: give a VM a set of services, and nothing else
 * @kvm: any vCPU of a VM that has not run
 * @set: the services and the PSCI version
 * @options: the machine options that lead to it, for messages
 * @errp: which service, or PSCI version, this kernel cannot give or hide, what
 *        it has, and what to do
 *
 * Registers and bits that nobody here has heard of are set to 0.
 *
 * Returns: true if the guest will see exactly @set.
 */
bool hvc_kvm_pin(const HvcKvm *kvm, const HvcSet *set, const char *options,
                 Error **errp);

#endif
