/*
 * HvcSet: which hypercall services a guest may use
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * The value mirrors the VM-wide part of KVM/arm64's firmware pseudo-registers
 * (Linux Documentation/virt/kvm/arm/fw-pseudo-registers.rst): one 64-bit bitmap
 * per register of class KVM_REG_ARM_FW_FEAT_BMAP, and KVM_REG_ARM_PSCI_VERSION.
 */

#ifndef TARGET_ARM_HVC_SET_H
#define TARGET_ARM_HVC_SET_H

/**
 * HvcRegister: the bitmap registers, numbered as KVM numbers them
 * (KVM_REG_ARM_FW_FEAT_BMAP_REG(n)).
 */
typedef enum HvcRegister {
    HVC_STD_BMAP,
    HVC_STD_HYP_BMAP,
    HVC_VENDOR_HYP_BMAP,
    HVC_VENDOR_HYP_BMAP_2,
    HVC_REGISTERS,
} HvcRegister;

/* A PSCI version as PSCI_VERSION returns it (Arm DEN 0022, section 5.1.1). */
#define HVC_PSCI_VERSION(major, minor) (((uint32_t)(major) << 16) | (minor))

/**
 * HvcSet:
 * @bmap: bit n of @bmap[r] set: the service of bit n in register r is offered
 * @psci_version: major version in bits [31:16], minor in [15:0]
 */
typedef struct HvcSet {
    uint64_t bmap[HVC_REGISTERS];
    uint32_t psci_version;
} HvcSet;

/**
 * hvc_set_equal: do two sets promise a guest the same?
 * @a: a set
 * @b: another set
 *
 * Returns: true if all bitmaps and the PSCI version are equal.
 */
bool hvc_set_equal(const HvcSet *a, const HvcSet *b);

/**
 * hvc_set_services: name the services of a set
 * @set: the set
 *
 * A bit without a row in the service table is named by its register and
 * number ("std-hyp bit 7"), so that no bit is ever left out of a message.
 *
 * Returns: the names in the table's order, separated by ':'; "none" for a set
 * without services. The caller frees it with g_free().
 */
char *hvc_set_services(const HvcSet *set);

/**
 * hvc_set_difference: the services of one set that another lacks
 * @a: the set that may have more
 * @b: the set it is compared with
 *
 * The PSCI versions play no part.
 *
 * Returns: the bitmaps of @a without those of @b, with @a's PSCI version.
 */
HvcSet hvc_set_difference(const HvcSet *a, const HvcSet *b);

/**
 * hvc_set_is_empty: does a set offer no service at all?
 * @set: the set
 *
 * Returns: true if no bit is set in any bitmap, whatever the PSCI version.
 */
bool hvc_set_is_empty(const HvcSet *set);

/**
 * hvc_describe_bit: a service with the bit that stands for it, for messages
 * @reg: a register below HVC_REGISTERS
 * @bits: bits of that register, not 0; the lowest one counts
 *
 * Returns: as in "hvc service 'ptp' (vendor-hyp bit 1)". The caller frees it
 * with g_free().
 */
char *hvc_describe_bit(HvcRegister reg, uint64_t bits);

/**
 * hvc_register_name: the name of a bitmap register in messages
 * @reg: a register below HVC_REGISTERS
 *
 * Returns: "std", "std-hyp", "vendor-hyp" or "vendor-hyp-2".
 */
const char *hvc_register_name(HvcRegister reg);

#endif
