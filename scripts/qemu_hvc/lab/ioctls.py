# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""How often QEMU touches KVM's firmware registers.

Counted by a tracer of our own (parts/count-ioctls.c): strace does not decode
which register an ioctl is about.
"""

from dataclasses import dataclass
from pathlib import Path

from . import bare_guest, programs
from .common import LabError, say
from .host import Hardware, Host
from .kernels import Kernel
from .vm import QmpError, Vm

# Registers of class 0x14 and 0x16 are the firmware's.
KINDS = ('get-fw', 'set-fw', 'get-bmap', 'set-bmap', 'get-other', 'set-other')
# A check-guest-abi asks one scratch VM; one of an unpatched QEMU has no such
# command.
PHASES = ('start', 'check-guest-abi', 'save', 'start to load', 'load')

Counts = dict[str, int]


@dataclass
class Row:
    machine: str
    cpus: int
    phase: str
    counts: Counts

    @property
    def firmware(self) -> int:
        return sum(count for kind, count in self.counts.items()
                   if not kind.endswith('other'))


class Counted:
    """A VM whose ioctls are counted, which takes its time"""

    def __init__(self, host: Host, name: str, qemu: str, cpus: int) -> None:
        self.host = host
        self.file = f'{name}.count'
        self.seen: Counts = dict.fromkeys(KINDS, 0)
        self.vm = Vm(host, name, qemu=qemu,
                     wrapper=['count-ioctls', self.file],
                     patience=1 + cpus / 2)

    def since(self) -> Counts:
        """The counts since the last such call."""
        words = self.host.run(f'cat {self.file}').split()
        now = dict(zip(words[::2], map(int, words[1::2])))
        if tuple(now) != KINDS:
            raise LabError(f'count-ioctls says {words}; needed: {KINDS}; this '
                           'is a bug in kvm-lab')
        counts = {kind: now[kind] - self.seen[kind] for kind in KINDS}
        self.seen = now
        return counts


def check_itself(vm: Vm) -> None:
    """Asks a VM whether it could take its own contract."""
    try:
        contract = vm.qmp('query-guest-abi')
    except QmpError:
        return
    misfits = [verdict for verdict in vm.qmp('check-guest-abi', **contract)
               if not verdict['ok']]
    if misfits:
        raise LabError(f'a VM would refuse itself: {misfits}')


def measure(host: Host, machine: str, cpus: int,
            qemu: str = './qemu') -> list[Row]:
    """The phases of one machine; qemu: the host's file"""
    options = bare_guest.options(machine, cpus)
    source = Counted(host, 'source', qemu, cpus)
    source.vm.start(*options)
    guest = bare_guest.LabGuest(source.vm)
    guest.booted()
    guest.answers()
    counts = [source.since()]
    check_itself(source.vm)
    counts.append(source.since())
    source.vm.qmp('stop')
    source.vm.migrate('file:state')
    counts.append(source.since())
    source.vm.quit()

    target = Counted(host, 'target', qemu, cpus)
    target.vm.start(*options, '-incoming', 'defer')
    counts.append(target.since())
    target.vm.listen('file:state')
    info = target.vm.wait_migration()
    if info['status'] != 'completed':
        raise LabError(f'{machine} was not loaded: {info}')
    target.vm.qmp('cont')
    bare_guest.LabGuest(target.vm).answers()
    counts.append(target.since())
    target.vm.quit()
    return [Row(machine, cpus, phase, count)
            for phase, count in zip(PHASES, counts)]


def run(hardware: Hardware, qemu: Path, kernel: Kernel, machines: list[str],
        cpus: list[int]) -> list[Row]:
    rows = []
    with Host(hardware, kernel,
              {'qemu': qemu, 'guest': programs.guest()}) as host:
        for machine in machines:
            for number in cpus:
                say(f'{kernel.name} {machine}, {number} CPUs')
                rows += measure(host, machine, number)
    return rows


def table(rows: list[Row]) -> str:
    heads = ('machine', 'CPUs', 'phase', *KINDS, 'firmware in all')
    lines = [heads] + [
        (row.machine, str(row.cpus), row.phase,
         *(str(row.counts[kind]) for kind in KINDS), str(row.firmware))
        for row in rows]
    widths = [max(len(line[column]) for line in lines)
              for column in range(len(heads))]
    return ''.join('  '.join(cell.ljust(width) for cell, width in
                             zip(line, widths)).rstrip() + '\n'
                   for line in lines)
