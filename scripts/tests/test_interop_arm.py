# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Migrates between this QEMU and Debian's own; prints TAP.

Debian's qemu-system-aarch64 10.0.x is what nobody here built (scripts/fetch
qemu-debian gets it). Without options of this project, streams have to be the
same, byte by byte, but for what differs between two runs of Debian's QEMU;
with them, what one side cannot keep has to be refused in clear words.
"""

from functools import partial
from pathlib import Path
import re
import subprocess
import tempfile

from qemu_hvc import tap
from qemu_hvc.interop import SHOWN_DIFFERENCES, differing_bytes, \
    differing_fields, load, still
from qemu_hvc.paths import FetchError, fetch
from qemu_hvc.vm import Vm, save

TYPES = ('virt-9.0', 'virt-9.2', 'virt-10.0')
# Bytes per second; a VM without a guest has some 500,000
SLOW = 200000


class Tests:
    """The test points, each a method that returns its problems."""

    def __init__(self, ours, debian, analyze, folder):
        self.ours = ours
        self.debian = debian
        self.analyze = analyze
        self.folder = folder

    def file(self, name):
        return self.folder / name

    def points(self):
        yield 'a stream in many parts is that in one', self.parts, ()
        for machine in TYPES:
            yield f'{machine}: streams are the same', self.same, (machine,)
            yield (f'{machine}: Debian to ours', self.fits,
                   (self.debian, self.ours, machine))
            yield (f'{machine}: ours to Debian', self.fits,
                   (self.ours, self.debian, machine))
            yield (f'{machine}: Debian to ours and on is the same',
                   self.passed_on, (machine,))
        for source, there, destination, here, text in (
                (self.debian, 'virt-10.0', self.ours, 'virt-hvc-10.0',
                 "Machine type received is 'virt-10.0' and local is "
                 "'virt-hvc-10.0'"),
                (self.debian, 'virt-9.0', self.ours, 'virt-hvc-9.0',
                 "Machine type received is 'virt-9.0' and local is "
                 "'virt-hvc-9.0'"),
                (self.debian, 'virt-10.0', self.ours,
                 'virt-10.0,hvc-services=linux-6.12',
                 'guest-abi: incoming VM has no contract with its guest'),
                (self.debian, 'virt-10.0', self.ours,
                 'virt-10.0,hvc-services=none',
                 'guest-abi: incoming VM has no contract with its guest'),
                (self.ours, 'virt-hvc-10.0', self.debian, 'virt-10.0',
                 "Machine type received is 'virt-hvc-10.0' and local is "
                 "'virt-10.0'"),
                (self.ours, 'virt-hvc-9.0', self.debian, 'virt-9.0',
                 "Machine type received is 'virt-hvc-9.0' and local is "
                 "'virt-9.0'"),
                (self.ours, 'virt-10.0,hvc-services=linux-6.12', self.debian,
                 'virt-10.0',
                 "Unknown savevm section or instance 'guest-abi' 0"),
                (self.ours, 'virt-10.0,hvc-services=none', self.debian,
                 'virt-10.0',
                 "Unknown savevm section or instance 'guest-abi' 0")):
            who = 'Debian' if source == self.debian else 'ours'
            yield (f'{who} {there} to {here} is refused', self.refused,
                   (source, there, destination, here, text))
        pinned = 'virt-10.0,hvc-services=linux-6.12'
        yield ('Debian is told why it is refused', self.told,
               (self.debian, 'virt-10.0', self.ours, pinned,
                'the destination refused this VM: guest-abi: incoming VM has '
                'no contract with its guest'))
        yield ('ours says where Debian refuses it', self.told,
               (self.ours, pinned, self.debian, 'virt-10.0',
                'migration failed; if the destination refused this VM, its '
                'query-migrate and log say why: '))

    def still(self, name, *arguments, **options):
        return still(self.file(name), *arguments, **options)

    def parts(self):
        """What the other points compare does not depend on time."""
        fast = self.still('fast', self.ours, 'virt')
        slow = self.still('slow', self.ours, 'virt', bandwidth=SLOW)
        if fast.stat().st_size >= slow.stat().st_size:
            yield f'with {SLOW} bytes per second RAM has no more parts'
        found = differing_bytes(fast, slow)
        if found is None:
            yield 'the streams differ in size when their parts are joined'
        elif found:
            yield f'{len(found)} bytes differ when the parts are joined, ' \
                  f'the first at offset {min(found)}'
        if found != set():
            yield from differing_fields(self.analyze, fast,
                                        slow)[:SHOWN_DIFFERENCES]

    def same(self, machine):
        """A VM that has not run: nothing but the machine is in its stream."""
        one = self.still('one', self.debian, machine)
        two = self.still('two', self.debian, machine)
        ours = self.still('ours', self.ours, machine)
        noise = differing_bytes(one, two)
        if noise is None:
            yield 'two streams of Debian\'s QEMU have different sizes'
            return
        print(f'# two runs of Debian\'s QEMU differ in {len(noise)} bytes')
        for field in differing_fields(self.analyze, one, two):
            print(f'# differs between runs: {field}')
        found = differing_bytes(one, ours)
        if found is None:
            yield f'{one.stat().st_size} bytes, ours {ours.stat().st_size}'
        elif found - noise:
            yield f'{len(found - noise)} bytes differ, the first at ' \
                  f'offset {min(found - noise)}'
        else:
            print(f'# {one.stat().st_size} bytes, the same')
            return
        yield from differing_fields(self.analyze, one,
                                    ours)[:SHOWN_DIFFERENCES]

    def passed_on(self, machine):
        """Debian's stream, loaded and saved again by ours"""
        first = self.still('first', self.debian, machine)
        second = self.still('second', self.ours, machine, first)
        third = self.still('third', self.debian, machine, first)
        if differing_bytes(second, third) != set():
            yield 'Debian\'s QEMU passes the same stream on differently'
            yield from differing_fields(self.analyze, second,
                                        third)[:SHOWN_DIFFERENCES]

    def fits(self, source, destination, machine):
        """A running VM's stream loads, and the VM runs on."""
        path = save(source, machine, self.file('running'))
        refusal, state = load(destination, machine, path)
        if refusal:
            yield refusal
        elif state != 'running':
            yield f'after the migration the VM is {state}, not running'

    def refused(self, source, there, destination, here, text):
        path = save(source, there, self.file('refused'))
        refusal, state = load(destination, here, path)
        if text not in refusal:
            yield f'expected: {text}'
            yield f'but: {refusal or "accepted"}'
        elif state != 'inmigrate':
            yield f'after the refusal the VM is {state}'

    def told(self, source, there, destination, here, text):
        """What a source says, whose migration has a return path"""
        with Vm(destination, here, '-S', '-incoming', 'defer') as to, \
             Vm(source, there) as vm:
            info = vm.migrate_to(to, f'unix:{self.file("socket")}', True)
            state = vm.state()
        error = info.get('error-desc', '')
        print(f'# {error}')
        if text not in error or 'Sibling' in error:
            yield f'query-migrate: {info}'
        if text not in vm.stderr or 'Sibling' in vm.stderr:
            yield f'stderr: {vm.stderr}'
        if state != 'running':
            yield f'after the refusal the VM is {state}'


def find_debian():
    """The path of Debian's QEMU, or None and a reason"""
    try:
        return fetch('qemu-debian'), None
    except FetchError as error:
        return None, error


def qemu_version(qemu):
    """As in "10.0.13". They differ in the CPU's registers, among others."""
    text = subprocess.run([qemu, '--version'], capture_output=True, text=True,
                          check=True).stdout
    return re.search(r'version (\S+)', text).group(1)


def main():
    parser = tap.parser(__doc__, build=True)
    parser.add_argument('--debian', help='a qemu-system-aarch64 to use '
                        "instead of Debian's")
    arguments = parser.parse_args()
    debian, reason = arguments.debian, None
    if not debian:
        debian, reason = find_debian()
    if not debian:
        tap.skip_all(f'no QEMU of Debian: {reason}')
        return 0
    ours = arguments.build / 'qemu/qemu-system-aarch64'
    theirs, version = qemu_version(debian), qemu_version(ours)
    if theirs != version:
        tap.skip_all(f'Debian has QEMU {theirs}, this is {version}; point '
                     'releases of 10.0 have changed the stream')
        return 0
    print(f'# QEMU {version}')
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(ours, debian, arguments.build / 'src/scripts/'
                      'analyze-migration.py', Path(folder))
        return tap.run_points([(name, partial(test, *data))
                               for name, test, data in tests.points()])
