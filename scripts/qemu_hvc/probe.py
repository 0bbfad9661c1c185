# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A host's promises to guests: starts VMs on it, and asks them.

QEMU on the host says which floors there are, and from which Linux on a floor
has which features of virtio devices; the host's kernel says which of these
features it has.
"""

from contextlib import contextmanager
from dataclasses import asdict, dataclass
import os
from pathlib import Path
import re
import socket
import subprocess

from . import host_facts
from .contract import Contract, entries_of, load
from .qmp import Qemu, QemuError, Qmp

FORMAT = 1
PATIENCE_S = 120
ANSWER_S = 20
# Options of -machine that choose a floor, the one to use first. The help of the
# second one is the same on all machines that have it.
FLOOR_OPTIONS = ('kernel-floor', 'hvc-services')
FEATURE = re.compile(r'  (\S+) +(\S+) +bit +(\d+) +Linux (\S+) +(\S+)')


class ProbeError(Exception):
    """No VM of this kind can be started on this host, or asked."""


class Host:
    """Starts VMs on this host

    @profile: a file, or None
    @options: more options of QEMU, for each VM
    """

    def __init__(self, program, accel, machine, cpu, profile, options=()):
        self.program = program
        self.accel = accel
        self.machine = machine
        self.cpu = cpu
        self.profile = profile
        self.options = options

    def release(self):
        """The kernel's release, as uname -r has it"""
        return os.uname().release

    def start(self, machine):
        """A VM that is paused before its guest's first instruction; QemuError
        if QEMU refuses"""
        return Qemu(self.program, '-machine', machine, '-accel', self.accel,
                    '-cpu', self.cpu, '-nodefaults', '-display', 'none', '-S',
                    *self.options, patience_s=PATIENCE_S)

    def with_profile(self, machine):
        """-machine's value, with the profile if there is one"""
        if not self.profile:
            return machine
        return f'{machine},guest-abi-profile=' + \
            self.profile.replace(',', ',,')

    def facts(self):
        """What the host's kernel and CPU have, without a VM"""
        return host_facts.ask()

    def machine_help(self, value):
        """What QEMU prints for a -machine value that ends with "help";
        QemuError if it does not know it"""
        result = subprocess.run([self.program, '-machine', value], text=True,
                                capture_output=True, check=False,
                                timeout=PATIENCE_S)
        if result.returncode:
            raise QemuError(result.stderr)
        return result.stdout

    def refusal(self, error):
        """QEMU's error message, in one line"""
        text = str(error).removeprefix('QEMU ended: ')
        name = f'{Path(self.program).name}: '
        lines = [line.removeprefix(name) for line in text.splitlines()]
        return ' '.join(line for line in lines
                        if not line.startswith('warning: ')) or 'not a word'

    def query(self):
        """QEMU's version, and its virt-hvc machine types, oldest first"""
        try:
            with self.start(self.machine) as vm:
                version = vm.command('query-version')['qemu']
                types = [machine['name'] for machine in vm.pinned_types()]
        except QemuError as error:
            raise ProbeError(
                f'no VM can be started here: {self.refusal(error)}; needed: '
                'one without chosen services; see --accel, --machine, --cpu '
                'and --qemu') from error
        return '{major}.{minor}.{micro}'.format(**version), types

    def floors(self):
        """What QEMU knows of floors"""
        stock = self.machine.partition(',')[0]
        for option in FLOOR_OPTIONS:
            try:
                text = self.machine_help(f'{stock},{option}=help')
                words = 'not a word'
            except QemuError as error:
                text, words = '', self.refusal(error)
            names = rows(text, 'Floors')
            if names:
                return Floors(option, [line.split()[0] for line in names],
                              [Feature.of(row) for row in
                               map(FEATURE.match, rows(text, 'Features'))
                               if row])
        raise ProbeError(
            f'{self.program} does not list floors: {words}'
            '; needed: a QEMU with hvc-services; give it with --qemu')

    def attempt(self, name, machine):
        """Whether a VM starts; and if so, its floor or services, and its
        contract"""
        try:
            with self.start(self.with_profile(machine)) as vm:
                found = {option: vm.machine_property(option)
                         for option in FLOOR_OPTIONS}
                contract = vm.command('query-guest-abi')
        except QemuError as error:
            return {'name': name, 'starts': False,
                    'refusal': self.refusal(error)}, None
        return {'name': name, 'starts': True,
                **{option: value for option, value in found.items()
                   if value is not None}}, contract


def rows(text, section):
    """The rows of a section of QEMU's help"""
    found = re.search(rf'^{section}\b.*(?:\n\S.*)*\n((?:  .*\n)+)', text, re.M)
    return found[1].splitlines() if found else []


@dataclass
class Feature:
    """A feature of virtio devices that follows the host's kernel

    @bit: of the virtio specification
    @linux: the first one that has it, "-" if none has it
    @property: of the device
    """
    name: str
    backend: str
    bit: int
    linux: str
    property: str

    @classmethod
    def of(cls, row):
        """Of a row of QEMU's help, matched"""
        name, backend, bit, linux, prop = row.groups()
        return cls(name, backend, int(bit), linux, prop)

    def is_in(self, floor):
        """Whether a VM of a floor has it, if the host has it"""
        first, version = numbers(self.linux), numbers(floor)
        return bool(first and version) and first <= version

    def here(self, facts):
        """Whether a host has it; None if the host cannot say"""
        features = host_facts.features_of(facts.get(self.backend, {}))
        return None if features is None else self.bit in features


@dataclass
class Floors:
    """What QEMU knows of floors

    @option: that of -machine which chooses one
    @names: lowest first
    @features: those that a floor leaves out if they came later
    """
    option: str
    names: list
    features: list

    def lacks(self, floor, facts):
        """Features of a floor that a host does not have"""
        return [{'backend': feature.backend, 'feature': feature.name,
                 'linux': feature.linux} for feature in self.features
                if feature.is_in(floor) and feature.here(facts) is False]


def numbers(text):
    """A version's, as in "linux-6.12"; [] if there is none"""
    return [int(n) for n in re.findall(r'\d+', text)]


def probe(host):
    """What a host can promise; ProbeError if no VM can be started there"""
    # Before there are threads, which watch VMs: a process is split in two.
    facts = host.facts()
    version, types = host.query()
    floors = host.floors()
    _, _, more = host.machine.partition(',')
    document = {
        'guest-abi-probe': FORMAT,
        'kernel': host.release(),
        'qemu': version,
        'accel': host.accel,
        'machine': host.machine,
        'cpu': host.cpu,
        'profile': host.profile,
        'option': floors.option,
        'host': facts,
        'features': [{**asdict(feature), 'here': feature.here(facts)}
                     for feature in floors.features],
        'floors': [],
        'types': [],
    }
    for floor in floors.names:
        attempt, contract = host.attempt(
            floor, f'{host.machine},{floors.option}={floor}')
        lacks = floors.lacks(floor, facts)
        document['floors'].append({**attempt,
                                   **({'lacks': lacks} if lacks else {})})
        if contract:
            # "return" as in query-guest-abi's reply
            document['return'] = contract
    for name in types:
        attempt, _ = host.attempt(name, f'{name},{more}'.rstrip(','))
        document['types'].append(attempt)
    return document


@contextmanager
def vm_at(path):
    """The VM whose QMP monitor listens at a path; ProbeError if there is none"""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.settimeout(ANSWER_S)
            connection.connect(path)
            vm = Qmp.on_socket(connection, ANSWER_S)
        except (OSError, QemuError) as error:
            raise ProbeError(
                f'{path}: {getattr(error, "strerror", None) or error}; needed: '
                'the monitor of a QEMU that has -qmp '
                'unix:PATH,server=on,wait=off, and no other client') from error
        yield vm


def destination(host, document):
    """A VM on a host, like the one of a contract, that waits for a migration;
    ProbeError if it cannot be started"""
    machine = host.machine or document.get('machine')
    if not isinstance(machine, str):
        raise ProbeError('the contract does not say of which machine type it '
                         'is; needed: the type of its VM; give it with '
                         '--machine')
    try:
        return host.start(host.with_profile(machine))
    except QemuError as error:
        raise ProbeError(
            f'no such VM can be started here: {host.refusal(error)}; needed: '
            'a host and options with which it starts; see --machine, '
            '--profile, --cpu and --qemu') from error


def contract_in(path):
    """A file's contract as check-guest-abi takes it; ContractError if there is
    none"""
    return entries_of(path, load(path, Contract.REMEDY), Contract.REMEDY)


def refusals(vm, document):
    """What a VM says against a contract, one text for each entry"""
    arguments = {name: document[name]
                 for name in ('machine', 'entries', 'parts')
                 if name in document}
    return [verdict.get('error', f'{verdict["name"]}: does not fit')
            for verdict in vm.command('check-guest-abi', **arguments)
            if not verdict['ok']]
