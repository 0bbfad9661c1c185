# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What fields of Arm's ID registers guests of several hosts can be shown.

A guest may be shown less than its CPU has, and never more. What is less, the
Arm Architecture Reference Manual (Arm DDI 0487) says: its "Principles of the
ID scheme for fields in ID registers", and the description of each field that
is an exception. Names and places of fields are those of target-arm/hvc/sysregs.c.
"""

from dataclasses import dataclass

WIDTH = 4

# Less is the lower number, which most fields have
LOWER = 'lower'
# Less is the lower number of -8 to 7: 0xf is less than 0
SIGNED = 'signed'
# Less is the higher number: something that a guest has to reckon with
HIGHER = 'higher'
# Numbers without an order: only one of them is safe everywhere
EXACT = 'exact'

# No kernel up to Linux 7.3 shows a guest another value than the CPU's.
FIXED = 'fixed'


@dataclass(frozen=True)
class Field:
    """An exception from the rule that a field of four bits can be lowered

    @rule: LOWER, SIGNED, HIGHER or EXACT
    @safe: of rule EXACT: the value that is safe where hosts differ
    @fixed: KVM does not lower it
    @option: of -cpu, takes it away where KVM does not lower it
    @mistake: some kernels show it though no guest has the feature, so that
              values that differ are equal (hvc_same_register())
    @width: number of bits
    """
    name: str
    lsb: int
    rule: str = LOWER
    safe: int = 0
    fixed: bool = False
    option: str = ''
    mistake: bool = False
    width: int = WIDTH

    @property
    def mask(self):
        """Of the field in its register"""
        return (1 << self.width) - 1 << self.lsb


def fixed(name, lsb, rule=LOWER, option=''):
    return Field(name, lsb, rule, fixed=True, option=option)


EXCEPTIONS = {
    'arm.id-aa64pfr0-el1': (
        fixed('FP', 16, SIGNED), fixed('AdvSIMD', 20, SIGNED),
        fixed('SVE', 32, option='sve=off'), Field('MPAM', 40, mistake=True)),
    'arm.id-aa64pfr1-el1': (
        Field('MPAM_frac', 16, mistake=True),
        Field('MTE_frac', 40, SIGNED, mistake=True)),
    'arm.id-aa64dfr0-el1': (
        Field('DebugVer', 0), Field('PMUVer', 8, mistake=True),
        fixed('BRPs', 12), fixed('CTX_CMPs', 28),
        Field('DoubleLock', 36, SIGNED), Field('MTPMU', 48, SIGNED)),
    'arm.id-aa64isar1-el1': (
        fixed('APA', 4, EXACT, 'pauth=off'),
        fixed('API', 8, EXACT, 'pauth=off'),
        fixed('GPA', 24, option='pauth=off'),
        fixed('GPI', 28, option='pauth=off')),
    'arm.id-aa64isar2-el1': (
        fixed('GPA3', 8, option='pauth=off'),
        fixed('APA3', 12, EXACT, 'pauth=off')),
    'arm.id-aa64mmfr0-el1': (
        fixed('ASIDBits', 4), Field('TGran64', 24, SIGNED),
        Field('TGran4', 28, SIGNED), Field('TGran16_2', 32, EXACT, 1),
        Field('TGran64_2', 36, EXACT, 1), Field('TGran4_2', 40, EXACT, 1)),
    'arm.id-aa64mmfr1-el1': (
        fixed('VMIDBits', 4), fixed('VH', 8), Field('SpecSEI', 24, HIGHER),
        fixed('XNX', 28)),
    'arm.id-aa64mmfr2-el1': (
        Field('NV', 24, mistake=True), fixed('IDS', 36), fixed('FWB', 40),
        fixed('EVT', 56)),
    'arm.id-aa64mmfr4-el1': (Field('E2H0', 24, SIGNED),),
    'arm.id-dfr0-el1': (Field('PerfMon', 24, SIGNED),),
    'arm.id-mmfr0-el1': (
        Field('OuterShr', 8, SIGNED), Field('InnerShr', 28, SIGNED)),
    'arm.id-mmfr4-el1': (Field('SpecSEI', 0, HIGHER),),
}

# All fields of these have four bits, and can be lowered but for EXCEPTIONS.
REGISTERS = {
    **{f'arm.id-aa64{name}-el1': 64 for name in (
        'pfr0', 'pfr1', 'pfr2', 'zfr0', 'dfr0', 'isar0', 'isar1', 'isar2',
        'isar3', 'mmfr0', 'mmfr1', 'mmfr2', 'mmfr3', 'mmfr4')},
    **{f'arm.{name}-el1': 32 for name in (
        'id-pfr0', 'id-pfr1', 'id-pfr2', 'id-dfr0', 'id-isar0', 'id-isar1',
        'id-isar2', 'id-isar3', 'id-isar4', 'id-isar5', 'id-isar6',
        'id-mmfr0', 'id-mmfr1', 'id-mmfr2', 'id-mmfr3', 'id-mmfr4',
        'id-mmfr5', 'mvfr0', 'mvfr1', 'mvfr2')},
}

# L1Ip of an instruction cache that is tagged by virtual addresses, as any may be
VIPT = 2
# CTR_EL0, whose fields have other widths
CTR = 'arm.ctr-el0'
CTR_FIELDS = (
    Field('IminLine', 0), Field('L1Ip', 14, EXACT, VIPT, width=2),
    Field('DminLine', 16), fixed('ERG', 20, HIGHER), fixed('CWG', 24, HIGHER),
    Field('IDC', 28, width=1), Field('DIC', 29, width=1))

# PMUVer of a PMU that is not Arm's, which no guest has
OTHER_PMU = 0xf


def register_name(entry):
    """As Arm spells it"""
    return entry.removeprefix('arm.').replace('-', '_').upper()


def fields_of(entry):
    """All of a register in REGISTERS, by their lowest bits; of CTR_EL0 those
    that differ between CPUs; none of a register that is not known"""
    if entry == CTR:
        return list(CTR_FIELDS)
    known = {field.lsb: field for field in EXCEPTIONS.get(entry, ())}
    return [known.get(lsb, Field(f'bits [{lsb + WIDTH - 1}:{lsb}]', lsb))
            for lsb in range(0, REGISTERS.get(entry, 0), WIDTH)]


def field_value(field, value):
    return (value & field.mask) >> field.lsb


def signed(number):
    return number - (1 << WIDTH) if number >> (WIDTH - 1) else number


def common_value(field, values):
    """What guests of hosts with these values can be shown"""
    values = set(values)
    if len(values) == 1:
        return values.pop()
    if field.name == 'PMUVer':
        return min(0 if value == OTHER_PMU else value for value in values)
    if field.rule == EXACT:
        return field.safe
    if field.rule == SIGNED:
        return min(values, key=signed)
    return max(values) if field.rule == HIGHER else min(values)


def common_ctr(values):
    """CTR_EL0 for guests of hosts with these values"""
    result = values[0]
    for value in values:
        result &= value
    for field in CTR_FIELDS:
        common = common_value(field, [field_value(field, value)
                                      for value in values])
        result = result & ~field.mask | common << field.lsb
    return result


def same_but_mistakes(entry, a, b):
    """Whether two values of a register differ in fields only that some kernels
    show by mistake"""
    return not (a ^ b) & ~sum(field.mask for field in fields_of(entry)
                              if field.mistake)
