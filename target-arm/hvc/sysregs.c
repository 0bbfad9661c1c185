/*
 * The system registers that tell a guest what its CPU has
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) 2026 qemu-hvc contributors
 *
 * Encodings and fields are those of the Arm Architecture Reference Manual
 * (Arm DDI 0487) and of Arm's A-profile registers (Arm DDI 0601).
 */

#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "migration/guest-abi.h"
#include "kvm-access.h"
#include "sysregs.h"

/* Fields of ID registers are four bits wide, with few exceptions. */
#define ID(lsb_, name_) { .name = #name_, .lsb = lsb_, .width = 4 }
#define FLAG(lsb_, name_) { .name = #name_, .lsb = lsb_, .width = 1 }
#define FIELD(lsb_, width_, name_) \
    { .name = #name_, .lsb = lsb_, .width = width_ }

#define NAME(op0, op1, crn, crm, op2, name_) \
    { .id = HVC_SYSREG_ID(op0, op1, crn, crm, op2), .name = #name_ }

#define REG(op0, op1, crn, crm, op2, name_, ...)                \
    { .id = HVC_SYSREG_ID(op0, op1, crn, crm, op2),             \
      .name = #name_,                                           \
      .fields = (const HvcSysregField[]) { __VA_ARGS__, { } } }

/* By encoding, first what describes the CPU. */
const HvcSysreg hvc_sysregs[] = {
    REG(3, 0, 0, 0, 0, MIDR_EL1,
        FIELD(0, 4, Revision), FIELD(4, 12, PartNum),
        FIELD(16, 4, Architecture), FIELD(20, 4, Variant),
        FIELD(24, 8, Implementer)),
    NAME(3, 0, 0, 0, 5, MPIDR_EL1),
    NAME(3, 0, 0, 0, 6, REVIDR_EL1),
    REG(3, 0, 0, 1, 0, ID_PFR0_EL1,
        ID(0, State0), ID(4, State1), ID(8, State2), ID(12, State3),
        ID(16, CSV2), ID(20, AMU), ID(24, DIT), ID(28, RAS)),
    REG(3, 0, 0, 1, 1, ID_PFR1_EL1,
        ID(0, ProgMod), ID(4, Security), ID(8, MProgMod),
        ID(12, Virtualization), ID(16, GenTimer), ID(20, Sec_frac),
        ID(24, Virt_frac), ID(28, GIC)),
    REG(3, 0, 0, 1, 2, ID_DFR0_EL1,
        ID(0, CopDbg), ID(4, CopSDbg), ID(8, MMapDbg), ID(12, CopTrc),
        ID(16, MMapTrc), ID(20, MProfDbg), ID(24, PerfMon),
        ID(28, TraceFilt)),
    REG(3, 0, 0, 1, 3, ID_AFR0_EL1,
        ID(0, IMPDEF0), ID(4, IMPDEF1), ID(8, IMPDEF2), ID(12, IMPDEF3)),
    REG(3, 0, 0, 1, 4, ID_MMFR0_EL1,
        ID(0, VMSA), ID(4, PMSA), ID(8, OuterShr), ID(12, ShareLvl),
        ID(16, TCM), ID(20, AuxReg), ID(24, FCSE), ID(28, InnerShr)),
    REG(3, 0, 0, 1, 5, ID_MMFR1_EL1,
        ID(0, L1HvdVA), ID(4, L1UniVA), ID(8, L1HvdSW), ID(12, L1UniSW),
        ID(16, L1Hvd), ID(20, L1Uni), ID(24, L1TstCln), ID(28, BPred)),
    REG(3, 0, 0, 1, 6, ID_MMFR2_EL1,
        ID(0, L1HvdFG), ID(4, L1HvdBG), ID(8, L1HvdRng), ID(12, HvdTLB),
        ID(16, UniTLB), ID(20, MemBarr), ID(24, WFIStall), ID(28, HWAccFlg)),
    REG(3, 0, 0, 1, 7, ID_MMFR3_EL1,
        ID(0, CMaintVA), ID(4, CMaintSW), ID(8, BPMaint), ID(12, MaintBcst),
        ID(16, PAN), ID(20, CohWalk), ID(24, CMemSz), ID(28, Supersec)),
    REG(3, 0, 0, 2, 0, ID_ISAR0_EL1,
        ID(0, Swap), ID(4, BitCount), ID(8, BitField), ID(12, CmpBranch),
        ID(16, Coproc), ID(20, Debug), ID(24, Divide)),
    REG(3, 0, 0, 2, 1, ID_ISAR1_EL1,
        ID(0, Endian), ID(4, Except), ID(8, Except_AR), ID(12, Extend),
        ID(16, IfThen), ID(20, Immediate), ID(24, Interwork),
        ID(28, Jazelle)),
    REG(3, 0, 0, 2, 2, ID_ISAR2_EL1,
        ID(0, LoadStore), ID(4, MemHint), ID(8, MultiAccessInt),
        ID(12, Mult), ID(16, MultS), ID(20, MultU), ID(24, PSR_AR),
        ID(28, Reversal)),
    REG(3, 0, 0, 2, 3, ID_ISAR3_EL1,
        ID(0, Saturate), ID(4, SIMD), ID(8, SVC), ID(12, SynchPrim),
        ID(16, TabBranch), ID(20, T32Copy), ID(24, TrueNOP), ID(28, T32EE)),
    REG(3, 0, 0, 2, 4, ID_ISAR4_EL1,
        ID(0, Unpriv), ID(4, WithShifts), ID(8, Writeback), ID(12, SMC),
        ID(16, Barrier), ID(20, SynchPrim_frac), ID(24, PSR_M),
        ID(28, SWP_frac)),
    REG(3, 0, 0, 2, 5, ID_ISAR5_EL1,
        ID(0, SEVL), ID(4, AES), ID(8, SHA1), ID(12, SHA2), ID(16, CRC32),
        ID(24, RDM), ID(28, VCMA)),
    REG(3, 0, 0, 2, 6, ID_MMFR4_EL1,
        ID(0, SpecSEI), ID(4, AC2), ID(8, XNX), ID(12, CnP), ID(16, HPDS),
        ID(20, LSM), ID(24, CCIDX), ID(28, EVT)),
    REG(3, 0, 0, 2, 7, ID_ISAR6_EL1,
        ID(0, JSCVT), ID(4, DP), ID(8, FHM), ID(12, SB), ID(16, SPECRES),
        ID(20, BF16), ID(24, I8MM), ID(28, CLRBHB)),
    REG(3, 0, 0, 3, 0, MVFR0_EL1,
        ID(0, SIMDReg), ID(4, FPSP), ID(8, FPDP), ID(12, FPTrap),
        ID(16, FPDivide), ID(20, FPSqrt), ID(24, FPShVec), ID(28, FPRound)),
    REG(3, 0, 0, 3, 1, MVFR1_EL1,
        ID(0, FPFtZ), ID(4, FPDNaN), ID(8, SIMDLS), ID(12, SIMDInt),
        ID(16, SIMDSP), ID(20, SIMDHP), ID(24, FPHP), ID(28, SIMDFMAC)),
    REG(3, 0, 0, 3, 2, MVFR2_EL1,
        ID(0, SIMDMisc), ID(4, FPMisc)),
    REG(3, 0, 0, 3, 4, ID_PFR2_EL1,
        ID(0, CSV3), ID(4, SSBS), ID(8, RAS_frac)),
    REG(3, 0, 0, 3, 5, ID_DFR1_EL1,
        ID(0, MTPMU), ID(4, HPMN0)),
    REG(3, 0, 0, 3, 6, ID_MMFR5_EL1,
        ID(0, ETS), ID(4, nTLBPA)),
    REG(3, 0, 0, 4, 0, ID_AA64PFR0_EL1,
        ID(0, EL0), ID(4, EL1), ID(8, EL2), ID(12, EL3),
        ID(16, FP), ID(20, AdvSIMD), ID(24, GIC), ID(28, RAS),
        ID(32, SVE), ID(36, SEL2), ID(40, MPAM), ID(44, AMU),
        ID(48, DIT), ID(52, RME), ID(56, CSV2), ID(60, CSV3)),
    REG(3, 0, 0, 4, 1, ID_AA64PFR1_EL1,
        ID(0, BT), ID(4, SSBS), ID(8, MTE), ID(12, RAS_frac),
        ID(16, MPAM_frac), ID(24, SME), ID(28, RNDR_trap),
        ID(32, CSV2_frac), ID(36, NMI), ID(40, MTE_frac), ID(44, GCS),
        ID(48, THE), ID(52, MTEX), ID(56, DF2), ID(60, PFAR)),
    REG(3, 0, 0, 4, 2, ID_AA64PFR2_EL1,
        ID(0, MTEPERM), ID(4, MTESTOREONLY), ID(8, MTEFAR), ID(12, GCIE),
        ID(16, UINJ), ID(32, FPMR)),
    REG(3, 0, 0, 4, 4, ID_AA64ZFR0_EL1,
        ID(0, SVEver), ID(4, AES), ID(12, EltPerm), ID(16, BitPerm),
        ID(20, BF16), ID(24, B16B16), ID(32, SHA3), ID(40, SM4),
        ID(44, I8MM), ID(48, F16MM), ID(52, F32MM), ID(56, F64MM)),
    REG(3, 0, 0, 4, 5, ID_AA64SMFR0_EL1,
        FLAG(0, SMOP4), FLAG(16, STMOP), FLAG(23, SFEXPA), FLAG(24, AES),
        FLAG(25, SBitPerm), FLAG(28, SF8DP2), FLAG(29, SF8DP4),
        FLAG(30, SF8FMA), FLAG(32, F32F32), FLAG(33, BI32I32),
        FLAG(34, B16F32), FLAG(35, F16F32), ID(36, I8I32), FLAG(40, F8F32),
        FLAG(41, F8F16), FLAG(42, F16F16), FLAG(43, B16B16), ID(44, I16I32),
        FLAG(48, F64F64), ID(52, I16I64), ID(56, SMEver), FLAG(60, LUTv2),
        FLAG(61, LUT6), FLAG(63, FA64)),
    REG(3, 0, 0, 4, 7, ID_AA64FPFR0_EL1,
        FLAG(0, F8E5M2), FLAG(1, F8E4M3), FLAG(15, F16MM2),
        FLAG(26, F8MM4), FLAG(27, F8MM8), FLAG(28, F8DP2), FLAG(29, F8DP4),
        FLAG(30, F8FMA), FLAG(31, F8CVT)),
    REG(3, 0, 0, 5, 0, ID_AA64DFR0_EL1,
        ID(0, DebugVer), ID(4, TraceVer), ID(8, PMUVer), ID(12, BRPs),
        ID(16, PMSS), ID(20, WRPs), ID(24, SEBEP), ID(28, CTX_CMPs),
        ID(32, PMSVer), ID(36, DoubleLock), ID(40, TraceFilt),
        ID(44, TraceBuffer), ID(48, MTPMU), ID(52, BRBE),
        ID(56, ExtTrcBuff), ID(60, HPMN0)),
    REG(3, 0, 0, 5, 1, ID_AA64DFR1_EL1,
        FIELD(0, 8, SYSPMUID), FIELD(8, 8, BRPs), FIELD(16, 8, WRPs),
        FIELD(24, 8, CTX_CMPs), ID(32, SPMU), ID(36, PMICNTR),
        ID(40, ABLE), ID(44, ITE), ID(48, EBEP), ID(52, DPFZS),
        FIELD(56, 8, ABL_CMPs)),
    REG(3, 0, 0, 5, 2, ID_AA64DFR2_EL1,
        ID(0, STEP), ID(4, BWE), ID(16, SPE_EXC), ID(20, SPE_nVM),
        ID(24, TRBE_EXC)),
    REG(3, 0, 0, 5, 4, ID_AA64AFR0_EL1,
        ID(0, IMPDEF0), ID(4, IMPDEF1), ID(8, IMPDEF2), ID(12, IMPDEF3),
        ID(16, IMPDEF4), ID(20, IMPDEF5), ID(24, IMPDEF6), ID(28, IMPDEF7)),
    NAME(3, 0, 0, 5, 5, ID_AA64AFR1_EL1),
    REG(3, 0, 0, 6, 0, ID_AA64ISAR0_EL1,
        ID(4, AES), ID(8, SHA1), ID(12, SHA2),
        ID(16, CRC32), ID(20, Atomic), ID(24, TME), ID(28, RDM),
        ID(32, SHA3), ID(36, SM3), ID(40, SM4), ID(44, DP),
        ID(48, FHM), ID(52, TS), ID(56, TLB), ID(60, RNDR)),
    REG(3, 0, 0, 6, 1, ID_AA64ISAR1_EL1,
        ID(0, DPB), ID(4, APA), ID(8, API), ID(12, JSCVT),
        ID(16, FCMA), ID(20, LRCPC), ID(24, GPA), ID(28, GPI),
        ID(32, FRINTTS), ID(36, SB), ID(40, SPECRES), ID(44, BF16),
        ID(48, DGH), ID(52, I8MM), ID(56, XS), ID(60, LS64)),
    REG(3, 0, 0, 6, 2, ID_AA64ISAR2_EL1,
        ID(0, WFxT), ID(4, RPRES), ID(8, GPA3), ID(12, APA3),
        ID(16, MOPS), ID(20, BC), ID(24, PAC_frac), ID(28, CLRBHB),
        ID(32, SYSREG_128), ID(36, SYSINSTR_128), ID(40, PRFMSLC),
        ID(44, PCDPHINT), ID(48, RPRFM), ID(52, CSSC), ID(56, LUT),
        ID(60, ATS1A)),
    REG(3, 0, 0, 6, 3, ID_AA64ISAR3_EL1,
        ID(0, CPA), ID(4, FAMINMAX), ID(8, TLBIW), ID(12, PACM),
        ID(16, LSFE), ID(20, OCCMO), ID(24, LSUI), ID(28, FPRCVT)),
    REG(3, 0, 0, 7, 0, ID_AA64MMFR0_EL1,
        ID(0, PARange), ID(4, ASIDBits), ID(8, BigEnd), ID(12, SNSMem),
        ID(16, BigEndEL0), ID(20, TGran16), ID(24, TGran64), ID(28, TGran4),
        ID(32, TGran16_2), ID(36, TGran64_2), ID(40, TGran4_2), ID(44, ExS),
        ID(48, NVTGE), ID(56, FGT), ID(60, ECV)),
    REG(3, 0, 0, 7, 1, ID_AA64MMFR1_EL1,
        ID(0, HAFDBS), ID(4, VMIDBits), ID(8, VH), ID(12, HPDS),
        ID(16, LO), ID(20, PAN), ID(24, SpecSEI), ID(28, XNX),
        ID(32, TWED), ID(36, ETS), ID(40, HCX), ID(44, AFP),
        ID(48, nTLBPA), ID(52, TIDCP1), ID(56, CMOW), ID(60, ECBHB)),
    REG(3, 0, 0, 7, 2, ID_AA64MMFR2_EL1,
        ID(0, CnP), ID(4, UAO), ID(8, LSM), ID(12, IESB),
        ID(16, VARange), ID(20, CCIDX), ID(24, NV), ID(28, ST),
        ID(32, AT), ID(36, IDS), ID(40, FWB), ID(48, TTL),
        ID(52, BBM), ID(56, EVT), ID(60, E0PD)),
    REG(3, 0, 0, 7, 3, ID_AA64MMFR3_EL1,
        ID(0, TCRX), ID(4, SCTLRX), ID(8, S1PIE), ID(12, S2PIE),
        ID(16, S1POE), ID(20, S2POE), ID(24, AIE), ID(28, MEC),
        ID(32, D128), ID(36, D128_2), ID(40, SNERR), ID(44, ANERR),
        ID(52, SDERR), ID(56, ADERR), ID(60, Spec_FPACC)),
    REG(3, 0, 0, 7, 4, ID_AA64MMFR4_EL1,
        ID(0, PoPS), ID(4, EIESB), ID(8, ASID2), ID(12, HACDBS),
        ID(16, FGWTE3), ID(20, NV_frac), ID(24, E2H0), ID(28, RMEGDI),
        ID(32, EAESR), ID(36, E3DSE), ID(40, TLBID), ID(44, SRMASK),
        ID(48, TPS), ID(52, TEV), ID(56, SCRX), ID(60, MTEFGT)),
    REG(3, 0, 9, 14, 6, PMMIR_EL1,
        FIELD(0, 8, SLOTS), FIELD(8, 8, BUS_SLOTS), ID(16, BUS_WIDTH),
        ID(20, THWIDTH), ID(24, EDGE)),
    {
        /*
         * KVM's has 32 bits, and so FEAT_CCIDX' layout never; but before
         * Linux 6.3 it is the host's register, low half, in any layout.
         */
        .id = HVC_SYSREG_CCSIDR_ID(0),
        .name = "CCSIDR_EL1",
        .fields = (const HvcSysregField[]) {
            FIELD(0, 3, LineSize), FIELD(3, 10, Associativity),
            FIELD(13, 15, NumSets), { }
        },
    },
    REG(3, 1, 0, 0, 1, CLIDR_EL1,
        FIELD(0, 3, Ctype1), FIELD(3, 3, Ctype2), FIELD(6, 3, Ctype3),
        FIELD(9, 3, Ctype4), FIELD(12, 3, Ctype5), FIELD(15, 3, Ctype6),
        FIELD(18, 3, Ctype7), FIELD(21, 3, LoUIS), FIELD(24, 3, LoC),
        FIELD(27, 3, LoUU), FIELD(30, 3, ICB), FIELD(33, 2, Ttype1),
        FIELD(35, 2, Ttype2), FIELD(37, 2, Ttype3), FIELD(39, 2, Ttype4),
        FIELD(41, 2, Ttype5), FIELD(43, 2, Ttype6), FIELD(45, 2, Ttype7)),
    NAME(3, 1, 0, 0, 7, AIDR_EL1),
    REG(3, 3, 0, 0, 1, CTR_EL0,
        ID(0, IminLine), FIELD(14, 2, L1Ip), ID(16, DminLine), ID(20, ERG),
        ID(24, CWG), FLAG(28, IDC), FLAG(29, DIC), FIELD(32, 6, TminLine)),

    /* State: KVM lists these, and messages about them need their names. */
    NAME(2, 0, 0, 2, 0, MDCCINT_EL1),
    NAME(2, 0, 0, 2, 2, MDSCR_EL1),
    NAME(2, 0, 1, 1, 4, OSLSR_EL1),
    NAME(2, 4, 0, 7, 0, DBGVCR32_EL2),
    NAME(3, 0, 1, 0, 0, SCTLR_EL1),
    NAME(3, 0, 1, 0, 1, ACTLR_EL1),
    NAME(3, 0, 1, 0, 2, CPACR_EL1),
    NAME(3, 0, 1, 0, 3, SCTLR2_EL1),
    NAME(3, 0, 1, 0, 5, RGSR_EL1),
    NAME(3, 0, 1, 0, 6, GCR_EL1),
    NAME(3, 0, 1, 2, 0, ZCR_EL1),
    NAME(3, 0, 1, 2, 6, SMCR_EL1),
    NAME(3, 0, 2, 0, 0, TTBR0_EL1),
    NAME(3, 0, 2, 0, 1, TTBR1_EL1),
    NAME(3, 0, 2, 0, 2, TCR_EL1),
    NAME(3, 0, 2, 0, 3, TCR2_EL1),
    NAME(3, 0, 2, 1, 0, APIAKeyLo_EL1),
    NAME(3, 0, 2, 1, 1, APIAKeyHi_EL1),
    NAME(3, 0, 2, 1, 2, APIBKeyLo_EL1),
    NAME(3, 0, 2, 1, 3, APIBKeyHi_EL1),
    NAME(3, 0, 2, 2, 0, APDAKeyLo_EL1),
    NAME(3, 0, 2, 2, 1, APDAKeyHi_EL1),
    NAME(3, 0, 2, 2, 2, APDBKeyLo_EL1),
    NAME(3, 0, 2, 2, 3, APDBKeyHi_EL1),
    NAME(3, 0, 2, 3, 0, APGAKeyLo_EL1),
    NAME(3, 0, 2, 3, 1, APGAKeyHi_EL1),
    NAME(3, 0, 5, 1, 0, AFSR0_EL1),
    NAME(3, 0, 5, 1, 1, AFSR1_EL1),
    NAME(3, 0, 5, 2, 0, ESR_EL1),
    NAME(3, 0, 5, 6, 0, TFSR_EL1),
    NAME(3, 0, 5, 6, 1, TFSRE0_EL1),
    NAME(3, 0, 6, 0, 0, FAR_EL1),
    NAME(3, 0, 7, 4, 0, PAR_EL1),
    NAME(3, 0, 9, 14, 1, PMINTENSET_EL1),
    NAME(3, 0, 9, 14, 2, PMINTENCLR_EL1),
    NAME(3, 0, 10, 2, 0, MAIR_EL1),
    NAME(3, 0, 10, 2, 2, PIRE0_EL1),
    NAME(3, 0, 10, 2, 3, PIR_EL1),
    NAME(3, 0, 10, 2, 4, POR_EL1),
    NAME(3, 0, 10, 3, 0, AMAIR_EL1),
    NAME(3, 0, 12, 0, 0, VBAR_EL1),
    NAME(3, 0, 12, 1, 1, DISR_EL1),
    NAME(3, 0, 13, 0, 1, CONTEXTIDR_EL1),
    NAME(3, 0, 13, 0, 4, TPIDR_EL1),
    NAME(3, 0, 13, 0, 7, SCXTNUM_EL1),
    NAME(3, 0, 14, 1, 0, CNTKCTL_EL1),
    NAME(3, 2, 0, 0, 0, CSSELR_EL1),
    NAME(3, 3, 4, 2, 2, SVCR),
    NAME(3, 3, 4, 4, 2, FPMR),
    NAME(3, 3, 9, 12, 0, PMCR_EL0),
    NAME(3, 3, 9, 12, 1, PMCNTENSET_EL0),
    NAME(3, 3, 9, 12, 2, PMCNTENCLR_EL0),
    NAME(3, 3, 9, 12, 3, PMOVSCLR_EL0),
    NAME(3, 3, 9, 12, 4, PMSWINC_EL0),
    NAME(3, 3, 9, 12, 5, PMSELR_EL0),
    NAME(3, 3, 9, 13, 0, PMCCNTR_EL0),
    NAME(3, 3, 9, 14, 0, PMUSERENR_EL0),
    NAME(3, 3, 9, 14, 3, PMOVSSET_EL0),
    NAME(3, 3, 10, 2, 4, POR_EL0),
    NAME(3, 3, 13, 0, 2, TPIDR_EL0),
    NAME(3, 3, 13, 0, 3, TPIDRRO_EL0),
    NAME(3, 3, 13, 0, 5, TPIDR2_EL0),
    NAME(3, 3, 13, 0, 7, SCXTNUM_EL0),
    /*
     * KVM took the virtual timer's compare value for its counter and the
     * other way round, and userspace relies on it: KVM_REG_ARM_TIMER_CVAL is
     * Arm's CNTVCT_EL0, KVM_REG_ARM_TIMER_CNT is Arm's CNTV_CVAL_EL0. These
     * are the names of what the registers hold.
     */
    NAME(3, 3, 14, 0, 2, CNTV_CVAL_EL0),
    NAME(3, 3, 14, 3, 2, CNTVCT_EL0),
    NAME(3, 3, 14, 0, 1, CNTPCT_EL0),
    NAME(3, 3, 14, 2, 1, CNTP_CTL_EL0),
    NAME(3, 3, 14, 2, 2, CNTP_CVAL_EL0),
    NAME(3, 3, 14, 3, 1, CNTV_CTL_EL0),
    NAME(3, 3, 14, 0, 0, CNTFRQ_EL0),
    NAME(3, 3, 14, 15, 7, PMCCFILTR_EL0),
    NAME(3, 4, 3, 0, 0, DACR32_EL2),
    NAME(3, 4, 5, 0, 1, IFSR32_EL2),
    NAME(3, 4, 5, 3, 0, FPEXC32_EL2),

    /* No system registers: the firmware's, vector lengths and the GIC's */
    { .id = HVC_KVM_PSCI_VERSION, .name = "PSCI_VERSION" },
    { .id = HVC_KVM_WORKAROUND(1), .name = "SMCCC_ARCH_WORKAROUND_1" },
    { .id = HVC_KVM_WORKAROUND(2), .name = "SMCCC_ARCH_WORKAROUND_2" },
    { .id = HVC_KVM_WORKAROUND(3), .name = "SMCCC_ARCH_WORKAROUND_3" },
    { .id = HVC_KVM_FW_FEAT(0), .name = "STD_BMAP" },
    { .id = HVC_KVM_FW_FEAT(1), .name = "STD_HYP_BMAP" },
    { .id = HVC_KVM_FW_FEAT(2), .name = "VENDOR_HYP_BMAP" },
    { .id = HVC_KVM_FW_FEAT(3), .name = "VENDOR_HYP_BMAP_2" },
    { .id = HVC_KVM_SVE_VLS, .name = "SVE_VLS" },
    { .id = HVC_KVM_PMU_COUNTERS, .name = "PMCR_EL0.N" },
    { .id = HVC_TCG_SME_VLS, .name = "SME_VLS" },
    { .id = HVC_TCG_EL2, .name = "EL2" },
    { .id = HVC_TCG_EL3, .name = "EL3" },
    { .id = HVC_KVM_GICD_IIDR, .name = "GICD_IIDR" },
    { .id = HVC_KVM_GICD_TYPER2, .name = "GICD_TYPER2" },
    { .id = HVC_KVM_ICC_CTLR_EL1, .name = "ICC_CTLR_EL1" },
    { .id = HVC_KVM_GITS_IIDR, .name = "GITS_IIDR" },
};

const size_t hvc_sysregs_count = ARRAY_SIZE(hvc_sysregs);

/* State as well: @count registers, each @step ids after the one before. */
static const struct {
    uint64_t first;
    unsigned step;
    unsigned count;
    const char *prefix;
    const char *suffix;
} numbered[] = {
    { HVC_SYSREG_ID(2, 0, 0, 0, 4), 8, 16, "DBGBVR", "_EL1" },
    { HVC_SYSREG_ID(2, 0, 0, 0, 5), 8, 16, "DBGBCR", "_EL1" },
    { HVC_SYSREG_ID(2, 0, 0, 0, 6), 8, 16, "DBGWVR", "_EL1" },
    { HVC_SYSREG_ID(2, 0, 0, 0, 7), 8, 16, "DBGWCR", "_EL1" },
    { HVC_SYSREG_ID(3, 3, 14, 8, 0), 1, 31, "PMEVCNTR", "_EL0" },
    { HVC_SYSREG_ID(3, 3, 14, 12, 0), 1, 31, "PMEVTYPER", "_EL0" },
};

static bool is_sysreg(uint64_t id)
{
    return (id & ~0xffffULL) == HVC_SYSREG_ID(0, 0, 0, 0, 0);
}

/* CLIDR_EL1 has room for seven levels, each with up to two caches. */
bool hvc_is_ccsidr(uint64_t id)
{
    return id >= HVC_SYSREG_CCSIDR_ID(0) && id < HVC_SYSREG_CCSIDR_ID(14);
}

bool hvc_clidr_has_cache(uint64_t clidr, uint64_t id)
{
    unsigned level = (id & 0xff) >> 1; /* 0 is L1 */
    unsigned type = level < 7 ? clidr >> (3 * level) & 7 : 0;

    /* 1 instruction, 2 data, 3 both, 4 unified; others are reserved. */
    return id & 1 ? type == 1 || type == 3 : type >= 2 && type <= 4;
}

/*
 * Features that KVM has never given a guest, but whose fields some kernels
 * show where the hardware has them. @absent: what the others have in the
 * field. Where it is not 0, only @shown is the mistake: other values count.
 */
static const struct {
    uint64_t id;
    unsigned lsb;
    uint64_t shown;
    uint64_t absent;
} shown_by_mistake[] = {
    { HVC_ID_AA64PFR0_EL1, 40 },          /* MPAM */
    { HVC_ID_AA64PFR1_EL1, 16 },          /* MPAM_frac */
    { HVC_ID_AA64MMFR2_EL1, 24 },         /* NV */
    { HVC_ID_AA64PFR1_EL1, 40, 0, 0xf },  /* MTE_frac: no MTE either way */
    { HVC_ID_AA64DFR0_EL1, 8, 0xf, 0 },   /* PMUVer: another one's, or none */
};

bool hvc_same_register(uint64_t id, uint64_t a, uint64_t b)
{
    for (size_t i = 0; i < ARRAY_SIZE(shown_by_mistake); i++) {
        uint64_t shown = shown_by_mistake[i].shown;
        uint64_t absent = shown_by_mistake[i].absent;
        unsigned lsb = shown_by_mistake[i].lsb;
        uint64_t field_a = extract64(a, lsb, 4);
        uint64_t field_b = extract64(b, lsb, 4);

        if (shown_by_mistake[i].id == id &&
            (shown == absent ||
             (field_a == shown && field_b == absent) ||
             (field_a == absent && field_b == shown))) {
            a = deposit64(a, lsb, 4, field_b);
        }
    }
    return a == b;
}

static const HvcSysreg *find_row(uint64_t id)
{
    if (hvc_is_ccsidr(id)) {
        id = HVC_SYSREG_CCSIDR_ID(0);
    }
    for (size_t i = 0; i < hvc_sysregs_count; i++) {
        if (hvc_sysregs[i].id == id) {
            return &hvc_sysregs[i];
        }
    }
    return NULL;
}

/* Arm's name of one of the numbered registers, or NULL. */
static char *numbered_name(uint64_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(numbered); i++) {
        uint64_t offset = id - numbered[i].first;
        uint64_t number = offset / numbered[i].step;

        if (offset % numbered[i].step == 0 && number < numbered[i].count) {
            return g_strdup_printf("%s%" PRIu64 "%s", numbered[i].prefix,
                                   number, numbered[i].suffix);
        }
    }
    return NULL;
}

char *hvc_sysreg_name(uint64_t id)
{
    const HvcSysreg *row = find_row(id);
    char *name;

    if (hvc_is_ccsidr(id)) {
        return g_strdup_printf("%s[L%u %s]", row->name,
                               (unsigned)(id >> 1 & 7) + 1,
                               id & 1 ? "instruction" : "data");
    }
    if (row) {
        return g_strdup(row->name);
    }
    name = numbered_name(id);
    if (!name && is_sysreg(id)) {
        /* "Reserved for ..." in the manual, or younger than this table */
        name = g_strdup_printf("S%u_%u_C%u_C%u_%u",
                               (unsigned)(id >> 14 & 3),
                               (unsigned)(id >> 11 & 7),
                               (unsigned)(id >> 7 & 15),
                               (unsigned)(id >> 3 & 15), (unsigned)(id & 7));
    }
    return name ?: g_strdup_printf("register 0x%" PRIx64, id);
}

char *hvc_sysreg_entry_name(uint64_t id)
{
    g_autofree char *name = hvc_sysreg_name(id);
    g_autofree char *lower = g_ascii_strdown(name, -1);
    char *entry;

    g_strdelimit(lower, "_ ", '-');
    g_strdelimit(lower, "[", '.');
    entry = g_strdup_printf("arm.%.*s", (int)strcspn(lower, "]"), lower);
    assert(strlen(entry) < GUEST_ABI_NAME_SIZE);
    return entry;
}

static void append_values(GString *text, const char *name, uint64_t a,
                          uint64_t b, bool hex)
{
    g_string_append_printf(text, hex ? "%s%s 0x%" PRIx64 " -> 0x%" PRIx64
                                     : "%s%s %" PRIu64 " -> %" PRIu64,
                           text->len ? ", " : "", name, a, b);
}

char *hvc_sysreg_differences(uint64_t id, uint64_t a, uint64_t b)
{
    const HvcSysreg *row = find_row(id);
    const HvcSysregField *field = row ? row->fields : NULL;
    unsigned group = field ? 4 : 64;
    uint64_t unknown = UINT64_MAX;
    g_autoptr(GString) text = g_string_new(NULL);

    for (; field && field->name; field++) {
        uint64_t field_a = extract64(a, field->lsb, field->width);
        uint64_t field_b = extract64(b, field->lsb, field->width);

        unknown &= ~MAKE_64BIT_MASK(field->lsb, field->width);
        if (field_a != field_b) {
            append_values(text, field->name, field_a, field_b,
                          MAX(field_a, field_b) > 9);
        }
    }
    for (unsigned lsb = 0, width; lsb < 64; lsb += width) {
        uint64_t bits_a, bits_b;

        /* Up to the next known field, and no further than the group. */
        for (width = 1; (lsb + width) % group; width++) {
            if (!extract64(unknown, lsb, 1) ||
                !extract64(unknown, lsb + width, 1)) {
                break;
            }
        }
        bits_a = extract64(a & unknown, lsb, width);
        bits_b = extract64(b & unknown, lsb, width);
        if (bits_a != bits_b) {
            g_autofree char *name = g_strdup_printf("bits [%u:%u]",
                                                    lsb + width - 1, lsb);

            append_values(text, name, bits_a, bits_b, true);
        }
    }
    return g_strdup(text->str);
}

uint64_t hvc_sysreg_field(uint64_t id, const char *field, uint64_t value)
{
    const HvcSysreg *row = find_row(id);

    assert(row && row->fields);
    for (const HvcSysregField *f = row->fields; f->name; f++) {
        if (!strcmp(f->name, field)) {
            return extract64(value, f->lsb, f->width);
        }
    }
    g_assert_not_reached();
}

uint64_t hvc_sysreg_gic_field(uint64_t id)
{
    if (id == HVC_ID_AA64PFR0_EL1) {
        return MAKE_64BIT_MASK(24, 4);
    }
    return id == HVC_ID_PFR1_EL1 ? MAKE_64BIT_MASK(28, 4) : 0;
}

bool hvc_sysreg_describes_cpu(uint64_t id)
{
    static const uint64_t outside_id_space[] = {
        HVC_PMMIR_EL1, HVC_CLIDR_EL1, HVC_AIDR_EL1, HVC_CTR_EL0,
    };

    if (hvc_is_ccsidr(id)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(outside_id_space); i++) {
        if (id == outside_id_space[i]) {
            return true;
        }
    }
    return id >= HVC_SYSREG_ID(3, 0, 0, 0, 0) &&
           id <= HVC_SYSREG_ID(3, 0, 0, 7, 7) &&
           id != HVC_MPIDR_EL1;
}

bool hvc_sysreg_is_hardware(uint64_t id)
{
    return id == HVC_MIDR_EL1 || id == HVC_REVIDR_EL1 || id == HVC_AIDR_EL1 ||
           id == HVC_CTR_EL0;
}
