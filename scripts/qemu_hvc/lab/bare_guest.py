# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The bare-metal guest, and what it answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re

from ..arm_registers import public_name
from . import programs
from .guest_kind import Answers, GuestKind
from .kernels import Kernel
from .vm import Vm

MISSING = 'none'

# CALLS_VCPUS of tests-qtest/hvc/guest
MAX_CPUS = 8


@dataclass(frozen=True)
class Own:
    """A difference that kernels make, and that QEMU cannot undo

    name: of the answer, a pattern; bits: those that may differ, 0 for all of
    them; before: only if one of the two kernels is older than that, or, with
    leaves, the one that the guest comes from, or, with either, both may be;
    more: only if it grows; lacks: only of a guest without such an answer;
    without: only of a guest that has 0 in a field: an ID register's name, and the
    field's lowest bit.
    """
    name: str
    why: str
    bits: int = 0
    before: str = ''
    leaves: bool = False
    either: bool = False
    more: bool = False
    lacks: str = ''
    without: tuple[str, int] | None = None

    def covers(self, change: 'Change') -> bool:
        return re.fullmatch(self.name, change.plain_name) is not None and \
            (not self.before or self._is_of(change)) and \
            (not self.bits or change.only_in(self.bits)) and \
            (not self.more or change.grows()) and \
            self.lacks not in change.answers and \
            (not self.without or not change.field(*self.without))

    def _is_of(self, change: 'Change') -> bool:
        source = change.source.before(self.before)
        target = change.target.before(self.before)
        if self.either:
            return source or target
        return source if self.leaves else source != target


PMCR_N = 0x1f << 11

# The contract page of the manual has the same rows.
KERNELS_OWN = (
    # 6.1 lets a guest read the hardware's but tells QEMU the sanitised one, so
    # that no later kernel can be given it.
    Own('CTR_EL0', 'up to 6.3 the hardware shows through', before='6.4',
        either=True),
    # A VMM can take events away (KVM_ARM_VCPU_PMU_V3_FILTER), which QEMU does
    # not.
    Own('PMCEID[01]_EL0', "the PMU's driver decides"),
    Own('PMCR_EL0', "the PMU's driver decides", bits=0xffffffff & ~PMCR_N),
    # Features that no guest has. QEMU warns where a migration changes one.
    Own('ID_AA64PFR0_EL1', 'MPAM shows by mistake', bits=0xf << 40),
    Own('ID_AA64PFR1_EL1', 'MPAM_frac or MTE_frac shows by mistake',
        bits=0xf << 16 | 0xf << 40),
    Own('ID_AA64MMFR2_EL1', 'NV shows by mistake', bits=0xf << 24),
    Own('ID_AA64DFR0_EL1', 'a PMU that is not Arm\'s shows by mistake',
        bits=0xf << 8),
    # Of rule "at-least": KVM answers for the host, whatever was told before.
    Own('ARCH_FEATURES_WORKAROUND_[13]',
        'a host may have more mitigations than the guest was told', more=True),
    # Of SME and GCS, which no guest has. From 6.13 on they are all trapped.
    Own('SMPRI_EL1|SMIDR_EL1|TPIDR2_EL0|GCS(CR|PR|CRE0)_EL[01]',
        'up to 6.12 some registers of features that a guest does not have are '
        'not trapped'),
    Own('S3_3_C2_C4_[01]', 'RNDR and RNDRRS are there on a CPU with FEAT_RNG '
        'for a guest without it, too: nothing traps them',
        without=('ID_AA64ISAR0_EL1', 60)),
    Own('S3_3_C14_C0_[56]', 'CNTPCTSS_EL0 and CNTVCTSS_EL0 are there on a CPU '
        'with FEAT_ECV for a guest without it, too: nothing traps them',
        without=('ID_AA64MMFR0_EL1', 60)),
    Own('S3_0_C4_C3_0', 'ALLINT is there on a CPU with FEAT_NMI for a guest '
        'without it, too: up to 7.3 nothing traps it', before='7.4',
        either=True, without=('ID_AA64PFR1_EL1', 36)),
    Own('S3_3_C4_C2_7', 'TCO is there on a CPU with MTE for a guest without '
        'it, too: nothing traps it', without=('ID_AA64PFR1_EL1', 8)),
    Own('ICC_(PMR|BPR[01]|AP[01]R[0-3]|IGRPEN[01]|CTLR)_EL1',
        "up to 6.11 a guest without a GICv3 of the kernel's reaches registers "
        "of the host's", before='6.12', either=True, lacks='GICR_CTLR'),
    Own('WORK_PMU_COUNTS', "in protected mode a guest's PMU does not count",
        more=True),
    Own('SMC', 'SMC is answered from 6.4 on', before='6.4'),
    # KVM has an offset for it from 6.4 on.
    Own('WORK_PHYSICAL_COUNTER_BACK', "up to 6.3 the guest reads the host's "
        'physical counter', before='6.4', either=True),
    Own('WORK_PHYSICAL_TIMER', 'up to 6.3 a running physical timer is not '
        'listed, so that it is lost', before='6.4', leaves=True),
)


@dataclass(frozen=True)
class Change:
    """One answer before and after a move from one kernel to another; answers:
    all of those before"""
    name: str
    old: str
    new: str
    source: Kernel
    target: Kernel
    answers: Answers

    @property
    def plain_name(self) -> str:
        """Without the CPU's"""
        return self.name.rpartition(' ')[2]

    def only_in(self, bits: int) -> bool:
        return MISSING not in (self.old, self.new) and \
            not (int(self.old, 16) ^ int(self.new, 16)) & ~bits

    def field(self, register: str, lsb: int) -> int:
        """Four bits of an answer of the guest's, as it was before"""
        return int(self.answers.get(register, '0'), 16) >> lsb & 0xf

    def grows(self) -> bool:
        return self.new != MISSING and (
            self.old == MISSING or int(self.old, 16) < int(self.new, 16))

    def own(self) -> Own | None:
        """The row that covers it, if the kernels make it"""
        return next((row for row in KERNELS_OWN if row.covers(self)), None)

    def __str__(self) -> str:
        return f'{self.name}: {self.old}, then {self.new}'


# The pages that each vCPU of the guest shares: pages.c of lab-guest
PAGES_AT = 0x43000000
PAGES = 64
PAGE_SIZE = 0x1000
# A page of a DIMM that the guest can share, where its machine has ACPI
DIMM_AT = 0x80000000
DIMM_PAGE = DIMM_AT + PAGE_SIZE
DIMM_OPTIONS = ('-m', 'size=64M,slots=1,maxmem=1G', '-bios', 'firmware')
ACPI = 'acpi=on'
# With it a guest has a disk, whose driver it is: disk.c there
ENFORCE = 'shared-pages=enforce'
# An empty disk, reads of which are written nevertheless
DISK = ('-blockdev', 'null-co,node-name=disk,size=1048576,read-zeroes=on',
        '-device', 'virtio-blk-device,drive=disk,id=disk0')

# Where the guest leaves its reports: CALLS_REPORT of tests-qtest/hvc/guest, and
# behind the report's size; each vCPU's is so far from the one before.
REPORT = 0x42000000 + 4
REPORT_SIZE = 0x10000


def options(machine: str, cpus: int = 1) -> list[str]:
    """QEMU's, for this guest; the host has its program as "guest"."""
    if 'gic-version=' not in machine:
        machine += ',gic-version=3'
    return ['-machine', machine, '-smp', str(cpus),
            *(DIMM_OPTIONS if ACPI in machine else ('-m', '64')),
            '-device', 'loader,file=guest,cpu-num=0',
            *(DISK if ENFORCE in machine else ())]


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
        found = {}
        sizes = self.vm.expect('REPORT').rpartition('REPORT')[2].split()
        for cpu, size in enumerate(sizes):
            if not int(size, 16):
                found[f'CPU{cpu}'] = 'off'
                continue
            text = self.vm.memory(REPORT + REPORT_SIZE * cpu, int(size, 16))
            for line in text.splitlines():
                name, _, value = line.partition('=')
                found[(f'CPU{cpu} ' if cpu else '') + public_name(name)] = value
        return found

    def reboot(self) -> int:
        self.vm.qmp('system_reset')
        return self.booted()

    def differences(self, before: Answers, after: Answers, source: Kernel,
                    target: Kernel) -> list[str]:
        return differences(before, after, source, target)

    def asides(self, before: Answers, after: Answers, source: Kernel,
               target: Kernel) -> list[str]:
        return asides(before, after, source, target)

    def cycle_cpus(self) -> None:
        """Every CPU but the first goes off and on again."""
        self.vm.write('c')
        self.vm.expect('CYCLED')

    def last_cpu_off(self) -> None:
        self.vm.write('o')
        self.vm.expect('OFF')

    def last_cpu_on(self) -> None:
        self.vm.write('n')
        self.vm.expect('ON')

    def flood(self) -> None:
        """All CPUs make calls from now on, without end."""
        self.vm.write('f')
        self.vm.expect('FLOOD')

    def calm(self) -> tuple[list[int], int]:
        """The end of that: how many calls each CPU has made, and how many
        answers were others than at the start of it"""
        self.vm.write('e')
        *calls, wrong = (int(word, 16) for word in
                         self.vm.expect('CALM').split()[1:])
        return calls, wrong

    def hibernate(self) -> dict:
        """It calls SYSTEM_OFF2; what QEMU's event SHUTDOWN says of it."""
        return self.vm.event('SHUTDOWN', 'h')

    def hostile(self) -> Answers:
        """What calls at random answer, the same calls each time"""
        return self._report('x', 'HOSTILE')

    def share(self) -> None:
        """All CPUs share pages from now on, write them and take them back."""
        self.vm.write('s')
        self.vm.expect('SHARING')

    def kept_pages(self) -> tuple[set[int], dict[str, list[int]]]:
        """The end of that, or a pause: the addresses that are shared now, and
        for each CPU how many calls changed something, were refused rightly, or
        went wrong"""
        report = {name: int(value, 16) for name, value in
                  self._report('k', 'KEPT').items()}
        pages = {PAGES_AT + (page * MAX_CPUS + cpu) * PAGE_SIZE
                 for cpu in range(MAX_CPUS) for page in range(PAGES)
                 if report[f'SHARED_{cpu}'] >> page & 1}
        return pages, {name: [report[f'{name}_{cpu}']
                              for cpu in range(MAX_CPUS)]
                       for name in ('CHANGES', 'REFUSED', 'WRONG')}

    def share_dimm(self) -> Answers:
        """Whether it could share DIMM_PAGE, and not twice"""
        return self._report('m', 'DIMM')

    def eject_dimm(self) -> None:
        self.vm.write('j')
        self.vm.expect('EJECTED')

    def use_disk(self) -> Answers:
        """What a disk does with buffers that are shared, taken back, and shared
        again"""
        return self._report('d', 'DISK')

    def times(self) -> dict[str, float]:
        """The seconds that one call takes, by its function"""
        found = {name: int(value, 16) for name, value in
                 self._report('t', 'TIMES').items()}
        unit = 1 / found.pop('HZ') / found.pop('ROUNDS')
        return {name: ticks * unit for name, ticks in found.items()}

    def _report(self, command: str, name: str) -> Answers:
        """One of the first CPU's"""
        self.vm.write(command)
        size = int(self.vm.expect(name).split()[-1], 16)
        return dict(line.split('=') for line in
                    self.vm.memory(REPORT, size).splitlines())

    def start_physical_timer(self) -> None:
        self.vm.write('p')
        self.vm.expect('TIMER')


def changes(before: Answers, after: Answers, source: Kernel,
            target: Kernel) -> Iterator[Change]:
    """What differs, each difference once and not for every CPU"""
    seen = set()
    for name in sorted({*before, *after},
                       key=lambda name: (' ' in name, name)):
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        change = Change(name, old, new, source, target, before)
        if old != new and (change.plain_name, old, new) not in seen:
            seen.add((change.plain_name, old, new))
            yield change


def differences(before: Answers, after: Answers, source: Kernel,
                target: Kernel) -> list[str]:
    """What changed, as "NAME: BEFORE, then AFTER"; without the kernels' own."""
    return [str(change) for change in changes(before, after, source, target)
            if not change.own()]


def asides(before: Answers, after: Answers, source: Kernel,
           target: Kernel) -> list[str]:
    """What changed of the kernels' own, with one text for each reason"""
    groups: dict[str, list[str]] = {}
    for change in changes(before, after, source, target):
        row = change.own()
        if row:
            groups.setdefault(row.why, []).append(str(change))
    return [f'{", ".join(texts)} ({why})' for why, texts in groups.items()]


def files() -> dict[str, Path]:
    """firmware: of no use, but a machine without one has no ACPI"""
    program = programs.guest()
    return {'guest': program, 'firmware': program}


BARE = GuestKind(files=files, options=options,
                 vm=Vm, guest=LabGuest)
