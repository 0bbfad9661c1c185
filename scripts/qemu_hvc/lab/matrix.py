# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Every kernel to every kernel, with every machine type.

Two boots per kernel: in the first one all VMs are saved, in the second one
those of all kernels are loaded.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
import json
from pathlib import Path
import tempfile
import time

from . import bare_guest, programs
from .common import LabError, say
from .host import Hardware, Host, Hosts
from .kernels import Kernel
from .verdict import (Guest, Kind, Loading, Verdict, contract_of, one_line,
                      start_refused)
from .vm import Vm, VmEnded

PINNED = 'virt-hvc-'
PROFILE = 'profile.json'


@dataclass
class Saved:
    """A VM as one kernel saved it, or why it did not."""
    source: str
    machine: str
    state: Path
    guest: Guest | None = None
    refused: Verdict | None = None


@dataclass
class Cell:
    machine: str
    source: str
    target: str
    verdict: Verdict
    seconds: float = 0


@dataclass
class Matrix:
    """All that a run of it needs and finds. hardware saves, target loads; its
    machines are there the ones of the same place in target_machines."""
    hardware: Hardware
    qemu: Path
    qemu_name: str
    kernels: list[Kernel]
    machines: list[str]
    profile: Kernel | None = None
    jobs: int = 2
    target: Hardware | None = None
    # What is added to each machine where it is loaded, such as ",its=on"
    target_options: str = ''
    # What QEMU calls itself
    version: str = ''
    saved: dict[tuple[str, str], Saved] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    def run(self) -> None:
        with tempfile.TemporaryDirectory(prefix='kvm-lab-') as tmp:
            self.directory = Path(tmp)
            first = [k for k in self.kernels if k == self.profile]
            self._all(self._save, first)
            self._all(self._save, [k for k in self.kernels if k not in first])
            self._all(self._load, self.kernels)
        order = {kernel.name: i for i, kernel in enumerate(self.kernels)}
        self.cells.sort(key=lambda cell: (self.machines.index(cell.machine),
                                          order[cell.source],
                                          order[cell.target]))

    def _all(self, step: Callable[[Kernel], None],
             kernels: Iterable[Kernel]) -> None:
        with ThreadPoolExecutor(self.jobs) as pool:
            # Taking the results raises what a step raised.
            list(pool.map(step, kernels))

    def _hosts(self, hardware: Hardware, kernel: Kernel) -> Hosts:
        return Hosts(lambda: Host(hardware, kernel, {
            'qemu': self.qemu, 'guest': programs.guest()}))

    # --- profiles ---

    def _profile_path(self, machine: str) -> Path:
        return self.directory / f'{self.machines.index(machine)}.{PROFILE}'

    def _takes_profile(self, kernel: Kernel) -> bool:
        return self.profile is not None and \
            kernel.number > self.profile.number

    def _options(self, host: Host, machine: str, more: str = '') -> list[str]:
        """QEMU's; the profile, if it is to have one, is in the host then."""
        options = ''
        if self._takes_profile(host.kernel) and \
           self._profile_path(machine).exists():
            host.bring(PROFILE, self._profile_path(machine))
            options = f',guest-abi-profile={PROFILE}'
        return bare_guest.options(machine + options + more)

    # --- first boot: save ---

    def _save(self, kernel: Kernel) -> None:
        with self._hosts(self.hardware, kernel) as hosts:
            for machine in self.machines:
                saved = Saved(kernel.name, machine, self.directory /
                              f'{kernel.name}.'
                              f'{self.machines.index(machine)}.state')
                started = time.monotonic()
                try:
                    self._save_one(hosts.get(), saved)
                except LabError as error:
                    saved.refused = Verdict(Kind.FAILED, one_line(str(error)))
                    hosts.drop()
                self.saved[kernel.name, machine] = saved
                say(f'{kernel.name:5} {machine}: '
                    f'{saved.refused or "saved"} '
                    f'({time.monotonic() - started:.1f} s)')

    def _save_one(self, host: Host, saved: Saved) -> None:
        vm = Vm(host, 'save')
        try:
            vm.start(*self._options(host, saved.machine))
        except VmEnded as end:
            saved.refused = start_refused(end)
            return
        self.version = version_of(vm)
        guest = bare_guest.LabGuest(vm)
        guest.booted()
        saved.guest = Guest(host.kernel, guest.answers(), contract_of(vm))
        if host.kernel == self.profile and saved.guest.guest_abi:
            self._profile_path(saved.machine).write_text(
                json.dumps(saved.guest.guest_abi, indent=1), encoding='utf-8')
        vm.qmp('stop')
        vm.migrate('file:state')
        vm.quit()
        host.fetch('state', saved.state)

    # --- second boot: load ---

    def _load(self, kernel: Kernel) -> None:
        with self._hosts(self.target or self.hardware, kernel) as hosts:
            for machine in self.machines:
                for source in self.kernels:
                    started = time.monotonic()
                    saved = self.saved[source.name, machine]
                    verdict = self._load_one(hosts, saved)
                    cell = Cell(machine, source.name, kernel.name, verdict,
                                round(time.monotonic() - started, 1))
                    self.cells.append(cell)
                    say(f'{cell.source:>5} to {cell.target:5} {machine}: '
                        f'{verdict} ({cell.seconds} s)')

    def _load_one(self, hosts: Hosts, saved: Saved) -> Verdict:
        if saved.refused:
            return Verdict(saved.refused.kind,
                           f'on {saved.source}: {saved.refused.text}')
        try:
            host = hosts.get()
            host.bring('state', saved.state)
            return Loading(Vm(host, 'load'),
                           self._options(host, saved.machine,
                                         self.target_options), 'state',
                           saved.guest).verdict()
        except LabError as error:
            hosts.drop()
            return Verdict(Kind.FAILED, one_line(str(error)))

    # --- results ---

    def problems(self) -> list[Cell]:
        """What must not be: a failure, a preflight that says otherwise than the
        migration, or a silent change of pinned VMs."""
        return [cell for cell in self.cells
                if cell.verdict.kind in (Kind.FAILED, Kind.DISAGREES) or
                (cell.verdict.kind is Kind.CHANGED and
                 cell.machine.startswith(PINNED))]

    def cell(self, machine: str, source: str, target: str) -> Cell:
        return next(cell for cell in self.cells if
                    (cell.machine, cell.source, cell.target)
                    == (machine, source, target))

    def as_json(self) -> str:
        return json.dumps({
            'qemu': self.qemu_name,
            'version': self.version,
            'hosts': self.hardware.as_object(),
            'target': self.target and self.target.as_object(),
            'target-options': self.target_options,
            'profile': self.profile and self.profile.name,
            'kernels': {k.name: k.release for k in self.kernels},
            'machines': self.machines,
            'cells': [{
                'machine': cell.machine, 'from': cell.source,
                'to': cell.target, 'verdict': cell.verdict.kind.title,
                'text': cell.verdict.text, 'notes': cell.verdict.notes,
                'aside': cell.verdict.aside,
                'seconds': cell.seconds} for cell in self.cells],
            'saved': [{
                'machine': saved.machine, 'on': saved.source,
                'answers': saved.guest and saved.guest.answers,
                'guest-abi': saved.guest and saved.guest.guest_abi,
                'refused': str(saved.refused) if saved.refused else None}
                for saved in self.saved.values()],
        }, indent=1) + '\n'


def from_json(text: str) -> Matrix:
    """What as_json() wrote, to be shown; it cannot be run again. LabError if it
    is something else."""
    try:
        values = json.loads(text)
        kernels = {name: Kernel(name, Path(), release)
                   for name, release in values['kernels'].items()}
        target = values['target']
        matrix = Matrix(Hardware(Path(), **values['hosts']),
                        Path(), values['qemu'], list(kernels.values()),
                        values['machines'],
                        values['profile'] and kernels[values['profile']],
                        version=values['version'],
                        target=target and Hardware(Path(), **target),
                        target_options=values['target-options'])
        matrix.cells = [
            Cell(cell['machine'], cell['from'], cell['to'],
                 Verdict(Kind.of(cell['verdict']), cell['text'],
                         cell['notes'], cell['aside']), cell['seconds'])
            for cell in values['cells']]
        for machine in matrix.machines:
            for source in kernels:
                for target in kernels:
                    matrix.cell(machine, source, target)
    except (ValueError, LookupError, TypeError, AttributeError,
            StopIteration) as error:
        raise LabError(f'not a matrix as JSON ({error!r}); needed: what '
                       '"kvm-lab matrix --json FILE" wrote') from error
    return matrix


def version_of(vm: Vm) -> str:
    version = vm.qmp('query-version')
    number = '.'.join(str(version['qemu'][part])
                      for part in ('major', 'minor', 'micro'))
    return f'{number} {version["package"]}'.strip()


def machine_list(option: str) -> list[str]:
    """Of an option --machine: names, each perhaps with its options."""
    machines: list[str] = []
    for word in option.split(','):
        if '=' in word and machines:
            machines[-1] += f',{word}'
        else:
            machines.append(word)
    return machines
