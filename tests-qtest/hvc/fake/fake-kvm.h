/*
 * A fake kernel: the registers of one vCPU, for tests of target/arm/hvc/kvm*
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Behaves as KVM/arm64 does on a Neoverse N1, for the registers in which its
 * releases differ and some in which they do not. Tests change it into kernels
 * that do not exist yet, or are broken.
 */

#ifndef TESTS_QTEST_HVC_FAKE_KVM_H
#define TESTS_QTEST_HVC_FAKE_KVM_H

#include "target/arm/hvc/kvm-access.h"
#include "target/arm/hvc/sysregs.h"

/* Written out, so that a slip in the code under test shows. */
#define FAKE_PSCI_VERSION  0x6030000000140000ULL
#define FAKE_WORKAROUND_1  0x6030000000140001ULL
#define FAKE_WORKAROUND_2  0x6030000000140002ULL
#define FAKE_WORKAROUND_3  0x6030000000140003ULL
#define FAKE_FIRMWARE(n)   (0x6030000000140000ULL | (n))
#define FAKE_STD           0x6030000000160000ULL
#define FAKE_STD_HYP       0x6030000000160001ULL
#define FAKE_VENDOR_HYP    0x6030000000160002ULL
#define FAKE_VENDOR_HYP_2  0x6030000000160003ULL
#define FAKE_BITMAP_5      0x6030000000160004ULL
#define FAKE_X0            0x6030000000100000ULL
#define FAKE_X(n)          (FAKE_X0 + 2 * (n))
#define FAKE_CCSIDR(n)     (0x6020000000110000ULL | (n))
#define FAKE_OSLSR         0x603000000013808cULL
#define FAKE_MIDR          0x603000000013c000ULL
#define FAKE_MPIDR         0x603000000013c005ULL
#define FAKE_REVIDR        0x603000000013c006ULL
#define FAKE_PFR0          0x603000000013c020ULL
#define FAKE_PFR1          0x603000000013c021ULL
#define FAKE_DFR0          0x603000000013c028ULL
#define FAKE_ISAR2         0x603000000013c032ULL
#define FAKE_MMFR2         0x603000000013c03aULL
#define FAKE_MMFR3         0x603000000013c03bULL
#define FAKE_SCTLR2        0x603000000013c083ULL
#define FAKE_TCR2          0x603000000013c103ULL
#define FAKE_PMINTENSET    0x603000000013c4f1ULL
#define FAKE_PMINTENCLR    0x603000000013c4f2ULL
#define FAKE_PMMIR         0x603000000013c4f6ULL
#define FAKE_PIRE0         0x603000000013c512ULL
#define FAKE_PIR           0x603000000013c513ULL
#define FAKE_POR           0x603000000013c514ULL
#define FAKE_CLIDR         0x603000000013c801ULL
#define FAKE_AIDR          0x603000000013c807ULL
#define FAKE_CTR           0x603000000013d801ULL
#define FAKE_PMCR          0x603000000013dce0ULL
#define FAKE_PMCNTENSET    0x603000000013dce1ULL
#define FAKE_PMCNTENCLR    0x603000000013dce2ULL
#define FAKE_PMOVSCLR      0x603000000013dce3ULL
#define FAKE_CNTFRQ        0x603000000013df00ULL
#define FAKE_CNTPCT        0x603000000013df01ULL
#define FAKE_CNTP_CTL      0x603000000013df11ULL
#define FAKE_CNTP_CVAL     0x603000000013df12ULL
#define FAKE_SVE_VLS       0x606000000015ffffULL
#define FAKE_PMU_COUNTERS  0xd000000000000000ULL
#define FAKE_GICD_IIDR     0xe000000100000008ULL
#define FAKE_GICD_TYPER2   0xe00000010000000cULL
#define FAKE_ICC_CTLR      0xe00000060000c664ULL
#define FAKE_GITS_IIDR     0xe000000800000004ULL

/* Fields that kernels have shown by mistake */
#define FAKE_PFR0_MPAM      (0xfULL << 40)
#define FAKE_PFR1_MPAM_FRAC (0xfULL << 16)
#define FAKE_PFR1_MTE_FRAC  (0xfULL << 40)
#define FAKE_DFR0_PMUVER    (0xfULL << 8)
#define FAKE_MMFR2_NV       (0xfULL << 24)

/* What Linux puts into a register that has no reset value */
#define FAKE_RESET_PATTERN 0x1de7ec7edbadc0deULL

/**
 * FakeKernel: the kernels that are played; oldest first
 */
typedef enum FakeKernel {
    FAKE_5_10,
    FAKE_5_15, /* as 5.13 to 5.18: shows all, hides nothing */
    FAKE_6_1,
    FAKE_6_12,
    FAKE_6_16,
    FAKE_7_3,
    FAKE_KERNELS,
} FakeKernel;

/**
 * FakeKind: what a register takes
 *
 * @FAKE_STATE: any value
 * @FAKE_BITMAP: bits of @limit with all of @stuck; not after the first run
 * @FAKE_ID: fields of four bits, none above that of @limit; not after the
 *           first run
 * @FAKE_FIXED: nothing but what it is
 * @FAKE_PSCI: a PSCI version up to @limit, of those that exist
 * @FAKE_LEVEL: a number up to its own, which it keeps
 * @FAKE_CACHE: 32 bits, lines not shorter than those of @limit
 * @FAKE_COUNTER: any value; each read finds it one higher
 * @FAKE_PMU: PMCR_EL0: any value, but N, [15:11], stays after the first run,
 *            and if it is above that of @limit
 * @FAKE_REVISION: GICD_IIDR: any Revision up to that of @limit, but not 1
 * @FAKE_SET: a PMU's SET register as on 6.12: a write sets bits, clears none
 * @FAKE_CLEAR: a PMU's CLR register as on 6.12: shows the register with the id
 *              below it, and clears its bits
 * @FAKE_ALIAS: a PMU's CLR register as on other kernels: the register with the
 *              id below it, under another name
 */
typedef enum FakeKind {
    FAKE_STATE,
    FAKE_BITMAP,
    FAKE_ID,
    FAKE_FIXED,
    FAKE_PSCI,
    FAKE_LEVEL,
    FAKE_CACHE,
    FAKE_COUNTER,
    FAKE_PMU,
    FAKE_REVISION,
    FAKE_SET,
    FAKE_CLEAR,
    FAKE_ALIAS,
} FakeKind;

/**
 * FakeRegister: one register
 * @id: KVM's id
 * @kind: what it takes
 * @value: what it is
 * @limit: see FakeKind
 * @stuck: see FakeKind
 * @ignores: bits that a write does not change, though it succeeds
 * @get_errno: reading fails with it, if not 0
 * @set_errno: writing fails with it, if not 0
 * @reread_errno: reading fails with it after a write, if not 0
 * @hidden_in: bit n: call number n of list, counted from 0, leaves it out
 * @unlisted: no list has it
 * @by, @by_field: there is the register if the register @by has something in
 *                 bits [@by_field + 3:@by_field]; @by 0: always
 */
typedef struct FakeRegister {
    uint64_t id;
    FakeKind kind;
    uint64_t value;
    uint64_t limit;
    uint64_t stuck;
    uint64_t ignores;
    int get_errno;
    int set_errno;
    int reread_errno;
    uint32_t hidden_in;
    bool unlisted;
    uint64_t by;
    unsigned by_field;
} FakeRegister;

/**
 * FakeEdit: what the first run does, from Linux 6.12 on
 * @id, @field: bits [@field + 3:@field] of this register become 0
 * @unless_gic: but if the VM has this version of the kernel's GIC; 0: whatever
 * @unless, @unless_field: nor if these bits have something; @unless 0: whatever
 */
typedef struct FakeEdit {
    uint64_t id;
    unsigned field;
    unsigned unless_gic;
    uint64_t unless;
    unsigned unless_field;
} FakeEdit;

/**
 * FakeKvm: a kernel, and one vCPU on it
 * @kvm: the way in, for the code under test; VMs that it makes are as this one
 *       is now, but have not run
 * @registers: FakeRegister, ascending by id
 * @edits: FakeEdit
 * @hands_over: the kernel lets QEMU answer calls
 * @handed_over: uint32_t: the functions that QEMU answers
 * @hand_over_errno: hand_over fails with it, if not 0, for...
 * @hand_over_fails: this function
 * @recipe: how the VM was made
 * @has_run: the VM has run
 * @forgets: a reset gives this register back the value that it had when the VM
 *           was made; 0: none
 * @forgotten: that value
 * @list_errno: list fails with it, if not 0
 * @create_errno: create fails with it, if not 0
 * @run_errno: run fails with it, if not 0
 * @reset_errno: reset fails with it, if not 0
 * @lists: calls of list so far
 * @gets: calls of get so far
 * @sets: calls of set so far
 * @maker: of a VM that was made: by whom
 * @made: VMs that were made so far
 * @there: those that have not been destroyed
 * @made_gets, @made_sets: calls of those that have
 */
typedef struct FakeKvm FakeKvm;
struct FakeKvm {
    HvcKvm kvm;
    GArray *registers;
    GArray *edits;
    bool hands_over;
    GArray *handed_over;
    int hand_over_errno;
    uint32_t hand_over_fails;
    HvcVmRecipe recipe;
    bool has_run;
    uint64_t forgets;
    uint64_t forgotten;
    int list_errno;
    int create_errno;
    int run_errno;
    int reset_errno;
    unsigned lists;
    unsigned gets;
    unsigned sets;
    FakeKvm *maker;
    unsigned made;
    unsigned there;
    unsigned made_gets;
    unsigned made_sets;
};

/**
 * fake_kvm_name: as in "6.12"
 * @kernel: below FAKE_KERNELS
 */
const char *fake_kvm_name(FakeKernel kernel);

/**
 * fake_kvm_new: a VM that has not run
 * @kernel: below FAKE_KERNELS
 *
 * Returns: the fake; the caller frees it with fake_kvm_free().
 */
FakeKvm *fake_kvm_new(FakeKernel kernel);

/**
 * fake_kvm_new_empty: a kernel without any register
 */
FakeKvm *fake_kvm_new_empty(void);

/**
 * fake_kvm_clone: another VM on the same kernel, as this one is now
 * @fake: the fake
 *
 * Returns: the fake, which has not run; the caller frees it with
 * fake_kvm_free().
 */
FakeKvm *fake_kvm_clone(const FakeKvm *fake);

/**
 * fake_kvm_add_gic: let the VMs of a kernel have a GICv3 with registers
 * @fake: the fake
 * @kernel: the kernel that it is
 */
void fake_kvm_add_gic(FakeKvm *fake, FakeKernel kernel);

/**
 * fake_kvm_free: free a fake
 * @fake: may be NULL
 */
void fake_kvm_free(FakeKvm *fake);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeKvm, fake_kvm_free)

/**
 * fake_kvm_is_firmware: is a register one of those that hold for the VM?
 * @id: any id
 */
bool fake_kvm_is_firmware(uint64_t id);

/**
 * fake_kvm_register: a register, to look at or to break it
 * @fake: the fake
 * @id: the register's id
 *
 * Returns: the register, valid until one is added or removed; NULL if there is
 * none.
 */
FakeRegister *fake_kvm_register(const FakeKvm *fake, uint64_t id);

/**
 * fake_kvm_hands_over: does QEMU answer a function?
 * @fake: the fake
 * @function: a function id
 */
bool fake_kvm_hands_over(const FakeKvm *fake, uint32_t function);

/**
 * fake_kvm_value: what a register is
 * @fake: the fake
 * @id: the id of a register that there is
 */
uint64_t fake_kvm_value(const FakeKvm *fake, uint64_t id);

/**
 * fake_kvm_add: let the kernel have a register
 * @fake: the fake
 * @reg: the register; takes the place of one with its id
 */
void fake_kvm_add(FakeKvm *fake, const FakeRegister *reg);

/**
 * fake_kvm_remove: let the kernel not have a register
 * @fake: the fake
 * @id: the id of a register that there is
 */
void fake_kvm_remove(FakeKvm *fake, uint64_t id);

/**
 * fake_kvm_assert_same: the registers of two fakes have the same values
 * @a: a fake
 * @b: one with the same registers
 * @firmware: look at the firmware registers as well
 */
void fake_kvm_assert_same(const FakeKvm *a, const FakeKvm *b, bool firmware);

#endif
