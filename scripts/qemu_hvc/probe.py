# SPDX-License-Identifier: GPL-2.0-or-later
"""A host's promises to guests: starts VMs on it, and asks them."""

import os
from pathlib import Path
import re
import subprocess

from .qmp import Qemu, QemuError

FORMAT = 1
PATIENCE_S = 120
SERVICES_HELP = ('-machine', 'virt,hvc-services=help')


class ProbeError(Exception):
    """No VM of this kind can be started on this host."""


class Host:
    """Starts VMs on this host. PROFILE is a file, or None."""

    def __init__(self, program, accel, machine, cpu, profile):
        self.program = program
        self.accel = accel
        self.machine = machine
        self.cpu = cpu
        self.profile = profile

    def release(self):
        """The kernel's release, as uname -r has it"""
        return os.uname().release

    def start(self, machine):
        """A VM that is paused before its guest's first instruction; QemuError
        if QEMU refuses"""
        return Qemu(self.program, '-machine', machine, '-accel', self.accel,
                    '-cpu', self.cpu, '-nodefaults', '-display', 'none', '-S',
                    patience_s=PATIENCE_S)

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
        if self.profile:
            machine += ',guest-abi-profile=' + self.profile.replace(',', ',,')
        try:
            with self.start(machine) as vm:
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
