# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Live migration inside one host, again and again.

All of the guest's CPUs run, and each answers for itself. Around it: reboots,
CPUs that go off and on again, and snapshots.
"""

from dataclasses import dataclass
from pathlib import Path
import time

from . import bare_guest, programs, snapshots
from .common import LabError, say
from .host import Hardware, Host
from .kernels import Kernel
from .verdict import one_line
from .vm import Vm

SNAPSHOT = 'snapshot'
SOCKET = 'unix:migration.socket'
# From this kernel on, loadvm in a VM that has run is all that a PMU needs.
PMU_COUNTS_ON = '6.15'


@dataclass
class Result:
    """problem is '' if all of it went well."""
    kernel: Kernel
    machine: str
    cpus: int
    migrations: int = 0
    problem: str = ''
    seconds: float = 0

    def __str__(self) -> str:
        text = (f'{self.kernel.release}, {self.machine}, {self.cpus} CPUs: '
                f'{self.migrations} live migrations in {self.seconds:.0f} s')
        return f'{text}, then: {self.problem}' if self.problem else text


class Live:
    """A guest that moves from QEMU to QEMU in one host."""

    def __init__(self, host: Host, machine: str, cpus: int) -> None:
        self.host = host
        # Where snapshots go; no device of the guest's has it.
        self.options = [*bare_guest.options(machine, cpus),
                        *snapshots.OPTIONS]
        self.cpus = cpus
        self.number = 0
        self.vm = Vm(host, 'live0')
        self.vm.start(*self.options)
        self._expect_boot()
        self.answers = self.guest.answers()

    @property
    def guest(self) -> bare_guest.LabGuest:
        return bare_guest.LabGuest(self.vm)

    def _expect_boot(self) -> None:
        booted = self.guest.booted()
        if booted != self.cpus:
            raise LabError(f'the guest found {booted} CPUs, not {self.cpus}')

    def check(self, when: str) -> None:
        """Every CPU's answers are those of the first time."""
        kernel = self.host.kernel
        changed = bare_guest.differences(self.answers, self.guest.answers(),
                                         kernel, kernel)
        if changed:
            raise LabError(f'{when}: {"; ".join(changed)}')

    def reboot(self) -> None:
        self.vm.qmp('system_reset')
        self._expect_boot()
        self.check('after a reboot')

    def cycle_cpus(self) -> None:
        self.guest.cycle_cpus()
        self.check('after CPUs went off and on')

    def snapshot(self) -> None:
        """savevm; and then from another state loadvm, in a new QEMU if in
        this one the PMU would count nothing any more."""
        self.vm.hmp_silently(f'savevm {SNAPSHOT}')
        self.reboot()
        if self.host.kernel.before(PMU_COUNTS_ON):
            self.vm.quit()
            self.vm.start(*self.options, '-loadvm', SNAPSHOT)
        else:
            self.vm.hmp_silently(f'loadvm {SNAPSHOT}')
        self.check('after loadvm')
        self.vm.hmp_silently(f'delvm {SNAPSHOT}')

    def migrate(self) -> None:
        self.number += 1
        target = Vm(self.host, f'live{self.number % 2}')
        target.start(*self.options, '-incoming', 'defer')
        target.listen(SOCKET)
        self.vm.migrate(SOCKET)
        info = target.wait_migration()
        if info['status'] != 'completed':
            raise LabError(f'not loaded: {info.get("error-desc", info)}; '
                           + one_line(target.messages()))
        self.vm.quit()
        self.vm = target
        self.check('after the migration')


def run(build: Path, hardware: Hardware, qemu: Path, kernel: Kernel,
        machine: str, cpus: int, times: int) -> Result:
    """TIMES migrations; ends with the first problem."""
    result = Result(kernel, machine, cpus)
    started = time.monotonic()
    try:
        with Host(hardware, kernel,
                  {'qemu': qemu, 'guest': programs.guest()}) as host:
            snapshots.bring_empty(host, build)
            migrate_often(host, result, times)
    except LabError as error:
        result.problem = one_line(str(error))
    result.seconds = time.monotonic() - started
    return result


def migrate_often(host: Host, result: Result, times: int) -> None:
    live = Live(host, result.machine, result.cpus)
    live.cycle_cpus()
    live.reboot()
    live.snapshot()
    while result.migrations < times:
        live.migrate()
        result.migrations += 1
        live.cycle_cpus()
        live.reboot()
        say(f'{result.kernel.name} {result.machine}, {result.cpus} CPUs: '
            f'migration {result.migrations} of {times}')
    live.snapshot()
    live.vm.quit()
