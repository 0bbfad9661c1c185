/*
 * The system registers that tell a guest what its CPU has
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Registers go by KVM's id: class ARM64_SYSREG for most, class DEMUX for
 * CCSIDR_EL1, of which there is one for each cache (Linux
 * arch/arm64/include/uapi/asm/kvm.h). One table has their names and fields, so
 * that a message says "DebugVer 8 -> 6" and not that two numbers differ.
 */

#ifndef TARGET_ARM_HVC_SYSREGS_H
#define TARGET_ARM_HVC_SYSREGS_H

/* Linux' ARM64_SYS_REG(): a 64-bit register of class ARM64_SYSREG. */
#define HVC_SYSREG_ID(op0, op1, crn, crm, op2)                  \
    (0x6030000000130000ULL | (uint64_t)(op0) << 14 |            \
     (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

/* CCSIDR_EL1 of a cache: (level - 1) << 1, and 1 for instructions. */
#define HVC_SYSREG_CCSIDR_ID(csselr) (0x6020000000110000ULL | (csselr))

#define HVC_MIDR_EL1         HVC_SYSREG_ID(3, 0, 0, 0, 0)
#define HVC_MPIDR_EL1        HVC_SYSREG_ID(3, 0, 0, 0, 5)
#define HVC_ID_PFR1_EL1      HVC_SYSREG_ID(3, 0, 0, 1, 1)
#define HVC_ID_DFR0_EL1      HVC_SYSREG_ID(3, 0, 0, 1, 2)
#define HVC_REVIDR_EL1       HVC_SYSREG_ID(3, 0, 0, 0, 6)
#define HVC_ID_AA64PFR0_EL1  HVC_SYSREG_ID(3, 0, 0, 4, 0)
#define HVC_ID_AA64PFR1_EL1  HVC_SYSREG_ID(3, 0, 0, 4, 1)
#define HVC_ID_AA64SMFR0_EL1 HVC_SYSREG_ID(3, 0, 0, 4, 5)
#define HVC_ID_AA64DFR0_EL1  HVC_SYSREG_ID(3, 0, 0, 5, 0)
#define HVC_ID_AA64ISAR1_EL1 HVC_SYSREG_ID(3, 0, 0, 6, 1)
#define HVC_ID_AA64ISAR2_EL1 HVC_SYSREG_ID(3, 0, 0, 6, 2)
#define HVC_ID_AA64MMFR0_EL1 HVC_SYSREG_ID(3, 0, 0, 7, 0)
#define HVC_ID_AA64MMFR2_EL1 HVC_SYSREG_ID(3, 0, 0, 7, 2)
#define HVC_ID_AA64MMFR3_EL1 HVC_SYSREG_ID(3, 0, 0, 7, 3)
#define HVC_CLIDR_EL1        HVC_SYSREG_ID(3, 1, 0, 0, 1)
#define HVC_AIDR_EL1         HVC_SYSREG_ID(3, 1, 0, 0, 7)
#define HVC_CTR_EL0          HVC_SYSREG_ID(3, 3, 0, 0, 1)
#define HVC_PMCR_EL0         HVC_SYSREG_ID(3, 3, 9, 12, 0)
#define HVC_PMMIR_EL1        HVC_SYSREG_ID(3, 0, 9, 14, 6)
#define HVC_CNTFRQ_EL0       HVC_SYSREG_ID(3, 3, 14, 0, 0)

/* PMCR_EL0.N, the number of event counters (Arm DDI 0487, D24.5.12) */
#define HVC_PMCR_N_LSB       11
#define HVC_PMCR_N_WIDTH     5

/**
 * HvcSysregField: bits [@lsb + @width - 1:@lsb] of a register
 * @name: as Arm spells it
 * @lsb: the lowest bit
 * @width: the number of bits, not 0
 */
typedef struct HvcSysregField {
    const char *name;
    uint8_t lsb;
    uint8_t width;
} HvcSysregField;

/**
 * HvcSysreg: a register with a name
 * @id: KVM's id; for CCSIDR_EL1 that of the first cache
 * @name: as Arm spells it
 * @fields: lowest bits first, up to a row without name; NULL: none known
 */
typedef struct HvcSysreg {
    uint64_t id;
    const char *name;
    const HvcSysregField *fields;
} HvcSysreg;

extern const HvcSysreg hvc_sysregs[];
extern const size_t hvc_sysregs_count;

/**
 * hvc_sysreg_name: the name of a register in messages
 * @id: KVM's id of any register
 *
 * Returns: Arm's name ("ID_AA64DFR0_EL1"), for a cache with its level
 * ("CCSIDR_EL1[L2 data]"); Arm's generic form ("S3_0_C0_C4_3") for a system
 * register that the table lacks; "register 0x6030000000100000" for anything
 * else. The caller frees it with g_free().
 */
char *hvc_sysreg_name(uint64_t id);

/**
 * hvc_sysreg_entry_name: the name of a register in the migration contract
 * @id: KVM's id of any register
 *
 * Returns: its name in the form that guest_abi_name_is_valid() wants, and no
 * other register's: "arm.id-aa64dfr0-el1", "arm.ccsidr-el1.l2-data",
 * "arm.s3-0-c0-c4-3". It never changes: a name that the table learns later
 * must leave the entry's as it was. The caller frees it with g_free().
 */
char *hvc_sysreg_entry_name(uint64_t id);

/**
 * hvc_sysreg_differences: say in what two values of a register differ
 * @id: KVM's id of any register
 * @a: a value, shown first
 * @b: another value
 *
 * A field's values are decimal if both are below 10. Bits outside all known
 * fields are shown in groups of four, in which new ID fields come; those of a
 * register without known fields are shown as one.
 *
 * Returns: "DebugVer 8 -> 6, PMUVer 5 -> 4, bits [63:60] 0x1 -> 0x0", with
 * each difference; "" if there is none. The caller frees it with g_free().
 */
char *hvc_sysreg_differences(uint64_t id, uint64_t a, uint64_t b);

/**
 * hvc_sysreg_field: take a field from a register's value
 * @id: KVM's id of a register in the table
 * @field: the name of one of its fields, as in the table
 * @value: the register's value
 *
 * Returns: the field's value, shifted down to bit 0.
 */
uint64_t hvc_sysreg_field(uint64_t id, const char *field, uint64_t value);

/**
 * hvc_sysreg_gic_field: the field of an ID register that shows the GIC
 * @id: any register
 *
 * Returns: the bits of the field GIC, 0 for a register without one.
 */
uint64_t hvc_sysreg_gic_field(uint64_t id);

/**
 * hvc_sysreg_describes_cpu: is a register's value part of what the CPU is?
 * @id: KVM's id of any register
 *
 * Returns: true for the registers from which a guest learns what its CPU and
 * its caches are: their values must not change while it runs. That includes
 * the ID registers which Arm has reserved but not named. False for MPIDR_EL1,
 * which is each vCPU's own, and for all state.
 */
bool hvc_sysreg_describes_cpu(uint64_t id);

/**
 * hvc_sysreg_is_hardware: is a register the mark of one CPU?
 * @id: KVM's id of any register
 *
 * Returns: true for MIDR_EL1, REVIDR_EL1, AIDR_EL1 and CTR_EL0, which no
 * profile changes: a host with the same CPU is needed.
 */
bool hvc_sysreg_is_hardware(uint64_t id);

/**
 * hvc_is_ccsidr: is a register CCSIDR_EL1 of one cache?
 * @id: a register id
 *
 * Returns: true for the two caches of each of the seven levels that CLIDR_EL1
 * has room for.
 */
bool hvc_is_ccsidr(uint64_t id);

/**
 * hvc_clidr_has_cache: is there a cache?
 * @clidr: CLIDR_EL1
 * @id: a register for which hvc_is_ccsidr() is true
 *
 * Returns: true if @clidr says that the cache of that level and kind exists
 * (Arm DDI 0487, D24.2.27: CTYPE<n>).
 */
bool hvc_clidr_has_cache(uint64_t clidr, uint64_t id);

/**
 * hvc_same_register: does a guest have the same with two values?
 * @id: a register id
 * @a: a value
 * @b: another one
 *
 * Returns: true if they are equal but for fields that some kernels show by
 * mistake: they are of features that KVM gives no guest. Kernels that know
 * better take such a value and leave the field out.
 */
bool hvc_same_register(uint64_t id, uint64_t a, uint64_t b);

#endif
