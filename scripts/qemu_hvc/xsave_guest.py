# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""An x86 VM whose guest looks after its XSAVE components.

The guest is scripts/guests/xsave; layout.h there has the same addresses.
"""

import re
import struct
import time

from .qmp import PATIENCE_S
from .vm import Vm

PARAMETERS = 0x8000
RESULTS = 0x9000
RESULT_NAMES = ('filled', 'xcr0', 'rounds', 'errors', 'bad_offset',
                'bad_value', 'pkru', 'told', 'tells', 'using', 'boots',
                'answers')
# The bits of "told" and "tells"; "using" is the number of one, from 1 on
FEATURES = ('xsaveopt', 'xsavec', 'xgetbv1', 'aes', 'pclmulqdq', 'sha-ni',
            'popcnt', 'movbe', 'bmi2', 'adx', 'rdtscp', 'clflushopt', 'clzero',
            'kvmclock')
ALL = 0xffffffff

# What CPUID says: leaf, sub-leaf, and four registers, each time
CPUID_TABLE = 0x19000
CPUID_ANSWER = struct.Struct('<6I')
REGISTERS = ('eax', 'ebx', 'ecx', 'edx')
# Leaves that have sub-leaves
WITH_SUBLEAVES = (4, 7, 0xb, 0xd, 0xf, 0x10, 0x12, 0x14, 0x17, 0x18, 0x1d,
                  0x1e, 0x1f, 0x24, 0x8000001d, 0x80000020, 0x80000026)
# A guest that crashes is paused, where it would reboot.
NO_REBOOT = ('-action', 'reboot=shutdown', '-action', 'shutdown=pause')


def guest_options(image, xcr0=ALL, pke=1):
    """QEMU's options for a VM with the guest, and its parameters"""
    options = ['-bios', str(image)]
    for index, value in enumerate((xcr0, pke)):
        options += ['-device', f'loader,addr={PARAMETERS + 8 * index:#x},'
                    f'data={value:#x},data-len=8']
    return options


def cpuid_registers(table):
    """Values by names such as "7.0-ebx"; those that are 0 are left out"""
    found = {}
    for leaf, subleaf, *values in CPUID_ANSWER.iter_unpack(table):
        name = f'{leaf:x}.{subleaf:x}' if leaf in WITH_SUBLEAVES else \
            f'{leaf:x}'
        found.update((f'{name}-{register}', value)
                     for register, value in zip(REGISTERS, values) if value)
    return found


class Watched:
    """A VM's view of its guest, for a class that has hmp(), state() and
    read_memory(ADDRESS, SIZE)"""

    def results(self):
        """The guest's results, by name"""
        text = self.hmp(f'xp /{len(RESULT_NAMES)}gx {RESULTS:#x}')
        values = re.findall(r'(?<!^)\b0x([0-9a-f]{16})\b(?!:)', text)
        return dict(zip(RESULT_NAMES, (int(value, 16) for value in values)))

    def cpuid(self):
        """What CPUID said when the guest looked last; see
        cpuid_registers()"""
        return cpuid_registers(self.read_memory(
            CPUID_TABLE, CPUID_ANSWER.size * self.results()['answers']))

    def reboot(self):
        """Resets the machine and waits for the guest's start. Only a crash
        of the guest ends it, not this."""
        boots = self.results()['boots']
        self.command('set-action', reboot='reset')
        self.command('system_reset')
        deadline = time.monotonic() + PATIENCE_S
        while self.results()['boots'] == boots:
            if time.monotonic() > deadline:
                raise RuntimeError(f'the guest does not boot: {self.state()}')
            time.sleep(0.01)
        self.command('set-action', reboot='shutdown')

    def watch(self):
        """The results when the guest has looked at all registers again"""
        first = last = self.results()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            results = self.results()
            state = self.state()
            if state != 'running':
                raise RuntimeError(f'the guest does not run, the VM is '
                                   f'{state}: {results}')
            if results['rounds'] < last['rounds']:
                raise RuntimeError('the guest began again: '
                                   f'{last}, then {results}')
            if results['errors'] or (results['filled'] and
                                     results['rounds'] > first['rounds'] + 2):
                return results
            last = results
            time.sleep(0.01)
        raise RuntimeError(f'the guest does not run: {results}')


class XsaveVm(Watched, Vm):
    """The VM; @guest is the image, or None for a VM that does not run."""

    MACHINE_OPTIONS = ''
    OPTIONS = ('-m', '16', '-smp', '2', '-nodefaults', '-display', 'none',
               '-rtc', 'base=2026-01-01T00:00:00,clock=vm', *NO_REBOOT)

    def __init__(self, qemu, machine, cpu, *options, guest=None, xcr0=ALL,
                 pke=1, accel='tcg'):
        arguments = ['-accel', accel, '-cpu', cpu, *options]
        if guest:
            arguments += guest_options(guest, xcr0, pke)
        super().__init__(qemu, machine, *map(str, arguments))
