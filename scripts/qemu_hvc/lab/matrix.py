# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Every kernel to every kernel, with every machine type.

Two boots per host: in the first one all VMs are saved, in the second one those
of all hosts are loaded. Where VMs have a profile of their fleet, its hosts are
asked in one before these.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
import contextlib
from dataclasses import dataclass, field, replace
import datetime
import json
from pathlib import Path
import tempfile
import time
from typing import TypeVar

from . import fleet
from .bare_guest import BARE
from .common import LabError, say
from .guest_kind import GuestKind
from .host import ArmHardware, Hardware, Host, Hosts
from .kernels import Kernel
from .spots import FleetProfile, Fleets, Spot, common_profile
from .verdict import (Guest, Kind, Loading, Verdict, contract_of, one_line,
                      start_refused)
from .vm import Vm, VmEnded

T = TypeVar('T')

PINNED = 'virt-hvc-'
FLOOR = ',kernel-floor='
PROFILE = 'profile.json'
CONTRACT = ',guest-abi=on'
# A machine with what all hosts of its fleet have in common
FLEET = 'fleet.json'
MITIGATION = 'arm.smccc-arch-workaround-'
FLEET_PROFILE = f',guest-abi-profile={FLEET}'


@dataclass
class Saved:
    """A VM as one host saved it, or why it did not; version: of its QEMU."""
    source: str
    machine: str
    guest: Guest | None = None
    refused: Verdict | None = None
    version: str = ''

    def as_object(self) -> dict:
        return {'machine': self.machine, 'on': self.source,
                'answers': self.guest and self.guest.answers,
                'guest-abi': self.guest and self.guest.guest_abi,
                'refused': self.refused and self.refused.as_object(),
                'version': self.version}

    @classmethod
    def of(cls, values: dict, kernel: Kernel) -> 'Saved':
        """What as_object() gave"""
        return cls(values['on'], values['machine'],
                   Guest(kernel, values['answers'], values['guest-abi'])
                   if values['answers'] else None,
                   Verdict.of(values['refused']) if values['refused'] else None,
                   values['version'])


def is_pinned(machine: str) -> bool:
    """Whether it promises something, to be kept or refused by name"""
    return machine.startswith(PINNED) or \
        any(option in machine for option in (FLOOR, CONTRACT))


@dataclass
class Cell:
    machine: str
    source: str
    target: str
    verdict: Verdict
    seconds: float = 0

    def as_object(self) -> dict:
        return {'machine': self.machine, 'from': self.source,
                'to': self.target, **self.verdict.as_object(),
                'seconds': self.seconds}

    @classmethod
    def of(cls, values: dict) -> 'Cell':
        """What as_object() gave"""
        return cls(values['machine'], values['from'], values['to'],
                   Verdict.of(values), values['seconds'])

    @property
    def problem(self) -> str:
        """What must not be: a failure, a preflight that says otherwise than
        the migration; of pinned VMs a silent change, a refusal that could
        have come earlier, or one without a name. '' if it may"""
        verdict, kind = self.verdict, self.verdict.kind
        if kind in (Kind.FAILED, Kind.DISAGREES):
            return kind.title
        if kind is Kind.OK or not is_pinned(self.machine):
            return ''
        if kind is Kind.CHANGED:
            return 'a silent change'
        if not verdict.named:
            return 'refused without a name'
        if kind is Kind.LATE and not verdict.announced:
            return 'refused late, and nobody was warned'
        return ''


@dataclass
class Matrix:
    """All that a run of it needs and finds. hardware saves, target loads; its
    CPU, and qemu, are those of hosts that name no others; qemus: what hosts
    name."""
    hardware: Hardware
    qemu: Path
    qemu_name: str
    fleets: Fleets
    machines: list[str]
    profile: Kernel | None = None
    jobs: int = 2
    target: Hardware | None = None
    # What is added to each machine where it is loaded, such as ",its=on"
    target_options: str = ''
    kind: GuestKind = BARE
    # -cpu of the VMs, if it is not "host"
    guest_cpu: str = ''
    qemus: dict[str, Path] = field(default_factory=dict)
    # What QEMU calls itself, and the outer one
    version: str = ''
    outer: str = ''
    date: str = ''
    # Stands for all programs that took part
    build: str = ''
    saved: dict[tuple[str, str], Saved] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    # One of each fleet, where machines have it
    profiles: list[FleetProfile] = field(default_factory=list)

    @property
    def spots(self) -> list[Spot]:
        """Its rows and columns"""
        return [spot for fleet in self.fleets for spot in fleet]

    def run(self, directory: Path | None = None) -> None:
        """directory: for what is found on the way; it may have what an earlier
        run with the same programs left. A temporary one if there is none."""
        with contextlib.ExitStack() as stack:
            self.directory = directory or Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix='kvm-lab-')))
            spots = self.spots
            if any(FLEET_PROFILE in machine for machine in self.machines):
                self.profiles = list(map(self._fleet_profile, self.fleets))
            first = [spot for spot in spots if self._has_profile(spot)]
            self._all(self._save, first)
            self._all(self._save, [spot for spot in spots
                                   if spot not in first])
            self._all(self._load, spots)
        self.date = datetime.date.today().isoformat()
        order = {spot.name: i for i, spot in enumerate(spots)}
        self.cells.sort(key=lambda cell: (self.machines.index(cell.machine),
                                          order[cell.source],
                                          order[cell.target]))

    def _all(self, step: Callable[[Spot], T],
             spots: Iterable[Spot]) -> list[T]:
        with ThreadPoolExecutor(self.jobs) as pool:
            # Taking the results raises what a step raised.
            return list(pool.map(step, spots))

    # --- what is found on the way ---

    def _path(self, machine: str, *words: str) -> Path:
        """A file about one machine"""
        return self.directory / '.'.join(
            [str(self.machines.index(machine)), *words])

    def _found(self, path: Path) -> dict | None:
        """What an earlier run wrote there"""
        with contextlib.suppress(FileNotFoundError):
            return json.loads(path.read_text(encoding='utf-8'))
        return None

    def _keep(self, path: Path, values: dict) -> None:
        """Whole or not at all, as this program may be ended"""
        new = path.with_name(f'{path.name}.new')
        new.write_text(json.dumps(values), encoding='utf-8')
        new.rename(path)

    def _hosts(self, hardware: Hardware, spot: Spot) -> Hosts:
        if spot.cpu:
            hardware = replace(hardware, cpu=spot.cpu)
        return Hosts(lambda: hardware.host(spot.kernel, {
            'qemu': self.qemus.get(spot.qemu, self.qemu),
            **self.kind.files()}))

    # --- profiles ---

    def _profile_path(self, machine: str) -> Path:
        return self._path(machine, PROFILE)

    def _has_profile(self, spot: Spot) -> bool:
        """Whether it is the one whose contracts newer kernels get: the first
        with that kernel, if there are several QEMUs"""
        return spot == next((spot for spot in self.spots
                             if spot.kernel == self.profile), None)

    def _takes_profile(self, kernel: Kernel) -> bool:
        return self.profile is not None and \
            kernel.number > self.profile.number

    def _probed(self, spot: Spot) -> Path:
        """A file with what guest-abi-probe prints on such a host"""
        path = self.directory / f'{spot.name}.probe.json'
        if not self._found(path):
            say(f'{spot.name}: what it can promise a guest')
            with self._hosts(self.hardware, spot) as hosts:
                self._keep(path, fleet.probe_host(
                    hosts.get(), cpu=self.guest_cpu or 'host'))
        return path

    def _fleet_profile(self, spots: Iterable[Spot]) -> FleetProfile:
        profile = common_profile(dict(zip(spots, self._all(self._probed,
                                                           spots))))
        say(f'a profile of {", ".join(profile.hosts)}')
        return profile

    def _options(self, spot: Spot, host: Host, machine: str,
                 more: str = '') -> list[str]:
        """QEMU's; the profile, if it is to have one, is in the host then."""
        options = ''
        if FLEET_PROFILE in machine:
            contract = next(profile.contract for fleet, profile in
                            zip(self.fleets, self.profiles) if spot in fleet)
            host.bring_text(FLEET, json.dumps(contract))
        elif self._takes_profile(spot.kernel) and \
                self._profile_path(machine).exists():
            host.bring(PROFILE, self._profile_path(machine))
            options = f',guest-abi-profile={PROFILE}'
        return [*self.kind.options(machine + options + more, 1),
                *(['-cpu', self.guest_cpu] if self.guest_cpu else [])]

    # --- first boot: save ---

    def _save(self, spot: Spot) -> None:
        with self._hosts(self.hardware, spot) as hosts:
            for machine in self.machines:
                self.saved[spot.name, machine] = self._saved(hosts, spot,
                                                             machine)

    def _saved(self, hosts: Hosts, spot: Spot, machine: str) -> Saved:
        path = self._path(machine, spot.name, 'saved')
        known = self._found(path)
        if known:
            saved = Saved.of(known, spot.kernel)
        else:
            saved = Saved(spot.name, machine)
            started = time.monotonic()
            try:
                self._save_one(spot, hosts.get(), saved)
            except LabError as error:
                saved.refused = Verdict(Kind.FAILED, one_line(str(error)))
                hosts.drop()
            if not (saved.refused and saved.refused.kind is Kind.FAILED):
                self._keep(path, saved.as_object())
            say(f'{spot.name:5} {machine}: {saved.refused or "saved"} '
                f'({time.monotonic() - started:.1f} s)')
        self.version = self.version or saved.version
        return saved

    def _state(self, saved: Saved) -> Path:
        return self._path(saved.machine, saved.source, 'state')

    def _save_one(self, spot: Spot, host: Host, saved: Saved) -> None:
        vm = self.kind.vm(host, 'save')
        try:
            vm.start(*self._options(spot, host, saved.machine))
        except VmEnded as end:
            saved.refused = start_refused(end)
            return
        saved.version = version_of(vm)
        guest = self.kind.guest(vm)
        guest.booted()
        saved.guest = Guest(spot.kernel, guest.answers(), contract_of(vm))
        if self._has_profile(spot) and saved.guest.guest_abi:
            self._keep(self._profile_path(saved.machine),
                       saved.guest.guest_abi)
        vm.qmp('stop')
        vm.migrate('file:state')
        vm.quit()
        host.fetch('state', self._state(saved))

    # --- second boot: load ---

    def _load(self, spot: Spot) -> None:
        with self._hosts(self.target or self.hardware, spot) as hosts:
            for machine in self.machines:
                for source in self.spots:
                    self.cells.append(self._cell(
                        hosts, spot, self.saved[source.name, machine]))

    def _cell(self, hosts: Hosts, spot: Spot, saved: Saved) -> Cell:
        path = self._path(saved.machine, saved.source, 'to', spot.name)
        known = self._found(path)
        if known:
            return Cell.of(known)
        started = time.monotonic()
        verdict = self._load_one(hosts, spot, saved)
        cell = Cell(saved.machine, saved.source, spot.name, verdict,
                    round(time.monotonic() - started, 1))
        say(f'{cell.source:>5} to {cell.target:5} {cell.machine}: '
            f'{verdict} ({cell.seconds} s)')
        if verdict.kind is not Kind.FAILED:
            self._keep(path, cell.as_object())
        return cell

    def _load_one(self, hosts: Hosts, spot: Spot,
                  saved: Saved) -> Verdict:
        if saved.refused:
            return Verdict(saved.refused.kind,
                           f'on {saved.source}: {saved.refused.text}')
        assert saved.guest
        try:
            host = hosts.get()
            host.bring('state', self._state(saved))
            return Loading(self.kind.vm(host, 'load'),
                           self._options(spot, host, saved.machine,
                                         self.target_options), 'state',
                           saved.guest, self.kind.guest).verdict()
        except LabError as error:
            hosts.drop()
            return Verdict(Kind.FAILED, one_line(str(error)))

    # --- results ---

    @staticmethod
    def _is_not_to_start(cell: Cell, profile: FleetProfile) -> bool:
        """Refused on a host on which the profile lets no guest be started"""
        return cell.verdict.kind is Kind.START and \
            bool(profile.start_on) and \
            cell.source not in profile.start_on and \
            MITIGATION in cell.verdict.text

    def problem(self, cell: Cell) -> str:
        """What must not be, also in comparison with the other cells. '' if it
        may"""
        # What devices offer at a boot is the host's, unless there is a floor.
        if CONTRACT in cell.machine and FLOOR not in cell.machine and \
           cell.verdict.kind is Kind.CHANGED and \
           all(map(self.kind.is_offered_at_boot,
                   cell.verdict.text.split('; '))):
            return ''
        if FLEET_PROFILE in cell.machine and \
           cell.verdict.kind is not Kind.OK and \
           any({cell.source, cell.target} <= set(profile.hosts)
               and not self._is_not_to_start(cell, profile)
               for profile in self.profiles):
            return 'with a profile of both hosts, and it does not go'
        return cell.problem

    def problems(self) -> list[Cell]:
        return [cell for cell in self.cells if self.problem(cell)]

    @property
    def complete(self) -> bool:
        """Whether nothing is worth another try"""
        return all(cell.verdict.kind is not Kind.FAILED for cell in self.cells)

    def cell(self, machine: str, source: str, target: str) -> Cell:
        return next(cell for cell in self.cells if
                    (cell.machine, cell.source, cell.target)
                    == (machine, source, target))

    def as_json(self) -> str:
        return json.dumps({
            'qemu': self.qemu_name,
            'version': self.version,
            'outer': self.outer,
            'date': self.date,
            'build': self.build,
            'hosts': self.hardware.as_object(),
            'target': self.target and self.target.as_object(),
            'target-options': self.target_options,
            'profile': self.profile and self.profile.name,
            'guest': self.kind.name,
            'guest-cpu': self.guest_cpu,
            'kernels': {spot.kernel.name: spot.kernel.release
                        for spot in self.spots},
            'fleets': [[{'kernel': spot.kernel.name, 'cpu': spot.cpu,
                         'qemu': spot.qemu}
                        for spot in fleet] for fleet in self.fleets],
            'profiles': [profile.as_object() for profile in self.profiles],
            'machines': self.machines,
            'cells': [cell.as_object() for cell in self.cells],
            'saved': [saved.as_object() for saved in self.saved.values()],
        }, indent=1) + '\n'


def restored(name: str) -> GuestKind:
    """A kind of guest of which only its name is known"""
    return replace(BARE, name=name)


def fleets_in(values: dict) -> Fleets:
    """Those of a matrix as JSON"""
    if 'fleets' in values:
        return [[Spot(Kernel(host['kernel'], Path(),
                             values['kernels'][host['kernel']]), host['cpu'],
                      host.get('qemu', ''))
                 for host in fleet] for fleet in values['fleets']]
    # Older files have names of hosts, and CPUs by these.
    cpus = values.get('cpus', {})
    return [[Spot(Kernel(name.partition(' ')[0], Path(), release),
                  cpus.get(name, ''))
             for name, release in values['kernels'].items()]]


def from_json(text: str) -> Matrix:
    """What as_json() wrote, to be shown; it cannot be run again. LabError if it
    is something else."""
    try:
        values = json.loads(text)
        fleets = fleets_in(values)
        kernels = {spot.kernel.name: spot.kernel
                   for fleet in fleets for spot in fleet}
        target = values['target']
        matrix = Matrix(ArmHardware(Path(), **values['hosts']),
                        Path(), values['qemu'], fleets,
                        values['machines'],
                        values['profile'] and kernels[values['profile']],
                        version=values['version'], outer=values['outer'],
                        date=values['date'], build=values['build'],
                        target=target and ArmHardware(Path(), **target),
                        target_options=values['target-options'],
                        kind=restored(values['guest']),
                        # Older files have none of these.
                        guest_cpu=values.get('guest-cpu', ''),
                        profiles=[FleetProfile.of(profile) for profile in
                                  values.get('profiles', ())])
        matrix.cells = [Cell.of(cell) for cell in values['cells']]
        for machine in matrix.machines:
            for source in matrix.spots:
                for target in matrix.spots:
                    matrix.cell(machine, source.name, target.name)
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
