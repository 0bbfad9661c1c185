# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A host's promises to guests: starts VMs on it, and asks them."""

from contextlib import contextmanager
import os
from pathlib import Path
import re
import socket
import subprocess

from .contract import Contract, entries_of, load
from .qmp import Qemu, QemuError, Qmp

FORMAT = 1
PATIENCE_S = 120
ANSWER_S = 20
SERVICES_HELP = ('-machine', 'virt,hvc-services=help')


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

    def services_help(self):
        """The text of hvc-services=help; QemuError if QEMU has none"""
        result = subprocess.run([self.program, *SERVICES_HELP], text=True,
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
        """The floors that QEMU knows, lowest first"""
        try:
            text, words = self.services_help(), 'not a word'
        except QemuError as error:
            text, words = '', self.refusal(error)
        floors = re.search(r'^Floors:.*\n((?:  .*\n)+)', text, re.M)
        if not floors:
            raise ProbeError(
                f'{self.program} does not list floors: {words}'
                '; needed: a QEMU with hvc-services; give it with --qemu')
        return [line.split()[0] for line in floors[1].splitlines()]

    def attempt(self, name, machine):
        """Whether a VM starts; and if so, its services and contract"""
        try:
            with self.start(self.with_profile(machine)) as vm:
                spec = vm.command('qom-get', path='/machine',
                                  property='hvc-services')
                contract = vm.command('query-guest-abi')
        except QemuError as error:
            return {'name': name, 'starts': False,
                    'refusal': self.refusal(error)}, None
        return {'name': name, 'starts': True, 'hvc-services': spec}, contract


def probe(host):
    """What a host can promise; ProbeError if no VM can be started there"""
    version, types = host.query()
    _, _, more = host.machine.partition(',')
    document = {
        'guest-abi-probe': FORMAT,
        'kernel': host.release(),
        'qemu': version,
        'accel': host.accel,
        'machine': host.machine,
        'cpu': host.cpu,
        'profile': host.profile,
        'floors': [],
        'types': [],
    }
    for floor in host.floors():
        attempt, contract = host.attempt(
            floor, f'{host.machine},hvc-services={floor}')
        document['floors'].append(attempt)
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
