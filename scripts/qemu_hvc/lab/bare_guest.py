# SPDX-License-Identifier: GPL-2.0-or-later
"""The bare-metal guest, and what it answers."""

from collections.abc import Iterator, Mapping
import re

from .vm import Vm

# Name of an answer -> its value, as text. What a machine does not have is not
# in it.
Answers = Mapping[str, str]

MISSING = 'none'

# CALLS_VCPUS of tests-qtest/hvc/guest
MAX_CPUS = 8

# What kernels show each in their own way, and QEMU does not choose. Linux 6.1
# lets a guest read the hardware's CTR_EL0 but tells QEMU the sanitised one, so
# that no later kernel can be given it. The PMU's identification and events are
# its driver's; a VMM can take events (KVM_ARM_VCPU_PMU_V3_FILTER) and counters
# (PMCR_EL0.N) away, which QEMU does not. It is shown, but is no answer of the
# machine's.
KERNELS_OWN = frozenset(('CTR_EL0', 'PMCR_EL0', 'PMCEID0_EL0', 'PMCEID1_EL0'))

# Fields of the same kind: some kernels show the hardware's, of features that no
# guest has. QEMU warns where a migration changes one.
KERNELS_OWN_FIELDS = {
    'ID_AA64PFR0_EL1': 0xf << 40,   # MPAM
    'ID_AA64PFR1_EL1': 0xf << 16,   # MPAM_frac
    'ID_AA64MMFR2_EL1': 0xf << 24,  # NV
}

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

# Where the guest leaves its report: CALLS_REPORT of tests-qtest/hvc/guest, and
# behind the report's size.
REPORT = 0x42000000 + 4


def options(machine: str, cpus: int = 1) -> list[str]:
    """QEMU's, for this guest; the host has its program as "guest"."""
    return ['-machine', f'{machine},gic-version=3', '-smp', str(cpus),
            '-m', '64', '-device', 'loader,file=guest,cpu-num=0']


def public_name(name: str) -> str:
    """The guest calls ID registers ID_C, CRm, _ and op2."""
    match = re.fullmatch(r'ID_C(\d)_(\d)', name)
    if not match:
        return name
    place = int(match[1]), int(match[2])
    if place in ID_REGISTERS:
        return f'{ID_REGISTERS[place]}_EL1'
    return f'S3_0_C0_C{match[1]}_{match[2]}'


class LabGuest:
    """The guest of a VM that runs it."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm

    def booted(self) -> int:
        """Waits for its start; the number of its CPUs."""
        return int(self.vm.expect('BOOT').split()[-1], 16)

    def answers(self) -> Answers:
        """What it says now."""
        self.vm.write('r')
        size = int(self.vm.expect('REPORT').split()[-1], 16)
        text = self.vm.memory(REPORT, size)
        pairs = (line.split('=', 1) for line in text.splitlines())
        return {public_name(name): value for name, value in pairs}

    def reboot(self) -> int:
        self.vm.qmp('system_reset')
        return self.booted()

    def cycle_cpus(self) -> None:
        """Every CPU but the first goes off and on again."""
        self.vm.write('c')
        self.vm.expect('CYCLED')


def differences(before: Answers, after: Answers) -> list[str]:
    """What changed, as "NAME: BEFORE, then AFTER"; without the kernel's own."""
    return [text for own, text in _changes(before, after) if not own]


def asides(before: Answers, after: Answers) -> list[str]:
    """What changed of the kernel's own."""
    return [text for own, text in _changes(before, after) if own]


def _is_kernels_own(name: str, old: str, new: str) -> bool:
    fields = KERNELS_OWN_FIELDS.get(name, 0)
    return name in KERNELS_OWN or (
        bool(fields) and MISSING not in (old, new) and
        not (int(old, 16) ^ int(new, 16)) & ~fields)


def _changes(before: Answers, after: Answers) -> Iterator[tuple[bool, str]]:
    """Is it the kernel's own?"""
    for name in sorted({*before, *after}):
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        if old != new:
            yield (_is_kernels_own(name, old, new),
                   f'{name}: {old}, then {new}')
