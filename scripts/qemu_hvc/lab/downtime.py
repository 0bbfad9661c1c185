# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Downtime of live migrations inside one host, as the traces of both QEMUs tell.

query-migrate counts whole milliseconds, on the source. QEMU's trace has the
microseconds of both sides, by the one clock of their host: the moment that the
source stops its guest, the moment that the destination starts it, and how long
the destination took for each vCPU's section.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import re

from . import bare_guest
from .common import LabError
from .host import Host
from .vm import Vm

STOPPED = 'src-downtime-start'
STARTED = 'dst-precopy-bh-vm-started'
CHECKPOINT = 'vmstate_downtime_checkpoint'
LOADED = 'vmstate_downtime_load'
SCRATCH = 'hvc_scratch'
TRACED = ('-msg', 'timestamp=on',
          *(word for event in (CHECKPOINT, LOADED)
            for word in ('-trace', event)))
# More than a socket has: no limit of QEMU's decides how much RAM the downtime is
# left with.
BANDWIDTH = 10 << 30


@dataclass(frozen=True)
class Times:
    """Milliseconds of one migration

    downtime: while the guest ran nowhere; vcpus: of that, for the sections of
    its vCPUs at the destination.
    """
    downtime: float
    vcpus: float


def checkpoint(trace: str, name: str) -> float:
    """The seconds of its only line in a trace"""
    found = re.findall(rf'(?m)^\d+@(\d+\.\d{{6}}):{CHECKPOINT} {name}$', trace)
    if len(found) != 1:
        raise LabError(f'the trace has {len(found)} lines for {name!r}; '
                       'needed: 1; is this a QEMU 8.2 or later with the trace '
                       'backend "log"?')
    return float(found[0])


def vcpu_sections(trace: str) -> list[float]:
    """The milliseconds of each vCPU's section"""
    return [int(us) / 1000 for us in re.findall(
        rf'(?m)^\d+@\S+:{LOADED} type=non-iterable idstr=cpu '
        r'instance_id=\d+ downtime=(\d+)$', trace)]


def times_of(source: str, target: str, cpus: int) -> Times:
    """From the traces of both sides"""
    sections = vcpu_sections(target)
    if len(sections) != cpus:
        raise LabError(f"the destination's trace has {len(sections)} sections "
                       f'"cpu"; needed: {cpus}')
    return Times(1000 * (checkpoint(target, STARTED) -
                         checkpoint(source, STOPPED)), sum(sections))


def scratch_ms(trace: str) -> list[float]:
    """The milliseconds of each scratch VM in a trace"""
    return [int(us) / 1000 for us in re.findall(
        rf'(?m)^\d+@\S+:{SCRATCH} .* in (\d+) us$', trace)]


class Traveller:
    """A guest that moves from QEMU to QEMU of one program, in a host

    program: the file of the host; events: what is traced beside the downtime.
    Between its migrations the guest is stopped, so that another one's are not
    disturbed.
    """

    def __init__(self, host: Host, program: str, machine: str, cpus: int,
                 events: Sequence[str] = ()) -> None:
        self.host = host
        self.program = program
        self.cpus = cpus
        self.options = [*bare_guest.options(machine, cpus), *TRACED,
                        *(word for event in events
                          for word in ('-trace', event))]
        self.number = 0
        self.vm = self._start()
        bare_guest.LabGuest(self.vm).booted()
        self.vm.qmp('stop')

    def _start(self, *more: str) -> Vm:
        name = f'{self.program}{self.number % 2}'
        vm = Vm(self.host, name, qemu=f'./{self.program}',
                patience=max(1, self.cpus / 8))
        vm.start(*self.options, '-D', f'{name}.trace', *more)
        return vm

    def trace(self) -> str:
        """What the QEMU that has the guest now told so far"""
        return self.host.run(f'cat {self.vm.name}.trace')

    def migrate(self) -> Times:
        """One migration of the running guest"""
        socket = f'unix:{self.program}.socket'
        source, before = self.vm, self.trace()
        self.number += 1
        self.vm = self._start('-incoming', 'defer')
        for vm in (source, self.vm):
            vm.set_capabilities(['return-path'])
        source.qmp('migrate-set-parameters', **{'max-bandwidth': BANDWIDTH})
        self.vm.listen(socket)
        source.qmp('cont')
        source.migrate(socket)
        self.vm.wait_migration()
        self.vm.qmp('stop')
        # A source was a destination before, whose trace stays.
        left = self.host.run(f'cat {source.name}.trace').removeprefix(before)
        source.quit()
        return times_of(left, self.trace(), self.cpus)

    def quit(self) -> None:
        self.vm.quit()
