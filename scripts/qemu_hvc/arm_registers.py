# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Names of Arm's system registers, by their encodings as an assembler has them:
S<op0>_<op1>_C<CRn>_C<CRm>_<op2>
"""

import re

# ID_*_EL1 by CRm and op2; the others have no name, and are zero.
ID_REGISTERS = {
    (1, 0): 'ID_PFR0', (1, 1): 'ID_PFR1', (1, 2): 'ID_DFR0',
    (1, 3): 'ID_AFR0', (1, 4): 'ID_MMFR0', (1, 5): 'ID_MMFR1',
    (1, 6): 'ID_MMFR2', (1, 7): 'ID_MMFR3', (2, 0): 'ID_ISAR0',
    (2, 1): 'ID_ISAR1', (2, 2): 'ID_ISAR2', (2, 3): 'ID_ISAR3',
    (2, 4): 'ID_ISAR4', (2, 5): 'ID_ISAR5', (2, 6): 'ID_MMFR4',
    (2, 7): 'ID_ISAR6', (3, 0): 'MVFR0', (3, 1): 'MVFR1', (3, 2): 'MVFR2',
    (3, 4): 'ID_PFR2', (3, 5): 'ID_DFR1', (3, 6): 'ID_MMFR5',
    (4, 0): 'ID_AA64PFR0', (4, 1): 'ID_AA64PFR1', (4, 2): 'ID_AA64PFR2',
    (4, 4): 'ID_AA64ZFR0', (4, 5): 'ID_AA64SMFR0', (4, 7): 'ID_AA64FPFR0',
    (5, 0): 'ID_AA64DFR0', (5, 1): 'ID_AA64DFR1', (5, 2): 'ID_AA64DFR2',
    (5, 4): 'ID_AA64AFR0', (5, 5): 'ID_AA64AFR1', (6, 0): 'ID_AA64ISAR0',
    (6, 1): 'ID_AA64ISAR1', (6, 2): 'ID_AA64ISAR2', (6, 3): 'ID_AA64ISAR3',
    (7, 0): 'ID_AA64MMFR0', (7, 1): 'ID_AA64MMFR1', (7, 2): 'ID_AA64MMFR2',
    (7, 3): 'ID_AA64MMFR3', (7, 4): 'ID_AA64MMFR4',
}

# Other registers that reports have, by their encoding
REGISTERS = {
    'S3_0_C0_C0_0': 'MIDR_EL1', 'S3_0_C0_C0_5': 'MPIDR_EL1',
    'S3_0_C0_C0_6': 'REVIDR_EL1', 'S3_1_C0_C0_7': 'AIDR_EL1',
    'S3_1_C0_C0_0': 'CCSIDR_EL1', 'S3_1_C0_C0_1': 'CLIDR_EL1',
    'S3_3_C0_C0_1': 'CTR_EL0', 'S3_3_C0_C0_7': 'DCZID_EL0',
    'S3_3_C14_C0_0': 'CNTFRQ_EL0', 'S3_3_C9_C12_0': 'PMCR_EL0',
    'S3_3_C9_C12_1': 'PMCNTENSET_EL0', 'S3_3_C9_C12_2': 'PMCNTENCLR_EL0',
    'S3_3_C9_C12_6': 'PMCEID0_EL0', 'S3_3_C9_C12_7': 'PMCEID1_EL0',
    'S3_0_C9_C14_1': 'PMINTENSET_EL1', 'S3_0_C9_C14_2': 'PMINTENCLR_EL1',
    'S3_0_C9_C14_6': 'PMMIR_EL1', 'S3_0_C12_C12_4': 'ICC_CTLR_EL1',
    'S3_0_C12_C12_5': 'ICC_SRE_EL1', 'S3_0_C4_C6_0': 'ICC_PMR_EL1',
    'S3_0_C12_C8_3': 'ICC_BPR0_EL1', 'S3_0_C12_C12_3': 'ICC_BPR1_EL1',
    'S3_0_C12_C12_6': 'ICC_IGRPEN0_EL1', 'S3_0_C12_C12_7': 'ICC_IGRPEN1_EL1',
    **{f'S3_0_C12_C8_{4 + n}': f'ICC_AP0R{n}_EL1' for n in range(4)},
    **{f'S3_0_C12_C9_{n}': f'ICC_AP1R{n}_EL1' for n in range(4)},
    'S3_0_C1_C0_0': 'SCTLR_EL1',
    'S3_0_C1_C0_3': 'SCTLR2_EL1', 'S3_0_C2_C0_3': 'TCR2_EL1',
    'S3_0_C10_C2_2': 'PIRE0_EL1', 'S3_0_C10_C2_3': 'PIR_EL1',
    'S3_0_C10_C2_4': 'POR_EL1', 'S3_0_C10_C2_1': 'MAIR2_EL1',
    'S3_0_C10_C3_1': 'AMAIR2_EL1', 'S3_3_C4_C4_2': 'FPMR',
    'S3_0_C1_C2_4': 'SMPRI_EL1', 'S3_1_C0_C0_6': 'SMIDR_EL1',
    'S3_3_C13_C0_5': 'TPIDR2_EL0', 'S3_0_C2_C5_0': 'GCSCR_EL1',
    'S3_0_C2_C5_1': 'GCSPR_EL1', 'S3_0_C2_C5_2': 'GCSCRE0_EL1',
    'S3_3_C2_C5_1': 'GCSPR_EL0', 'S3_0_C1_C2_0': 'ZCR_EL1',
}


def public_name(name: str) -> str:
    """Arm's, or the encoding itself of a register without a name here"""
    match = re.fullmatch(r'S3_0_C0_C(\d)_(\d)', name)
    known = match and ID_REGISTERS.get((int(match[1]), int(match[2])))
    return f'{known}_EL1' if known else REGISTERS.get(name, name)


def encoding(op0: int, op1: int, crn: int, crm: int, op2: int) -> str:
    return f'S{op0}_{op1}_C{crn}_C{crm}_{op2}'


def entry_of(name: str) -> str:
    """A contract's entry of a register, by its encoding; see
    hvc_contract_entry_name()"""
    return f'arm.{public_name(name).lower().replace("_", "-")}'
