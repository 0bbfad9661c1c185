# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests the corrections of qemu-patches/10.0/fixes; prints TAP.

A stream at which QEMU 10.0 aborts as it is released, as it is damaged or comes
from a QEMU that has more, has to be refused with an error that says why, and
the QEMU that refused it has to go on. One is of Debian's QEMU 11.1, which
scripts/fetch gets. A migration by postcopy has to arrive where nothing is left
to be sent, a guest reads what it has addressed while another of its CPUs changes
the memory map, and the flags of its first CPU are what that one has made them.
"""

import itertools
import operator
import os
from pathlib import Path
import struct
import subprocess
import tempfile
import time
import unittest

from qemu_hvc import postcopy, tap
from qemu_hvc.bare import build_guest
from qemu_hvc.paths import FetchError, fetch
from qemu_hvc.qmp import PATIENCE_S
from qemu_hvc.stream import Stream
from qemu_hvc.vm import OPTIONS, Vm, X86Vm
from qemu_hvc.xsave_guest import RESULTS

MACHINES = ('virt-10.0', 'virt-hvc-10.0')
# In every stream: "QEVM", the version, QEMU_VM_CONFIGURATION, then the length
# of the machine's name in big-endian order, and the name
LENGTH_OFFSET = 9
# As a signed number, the first ones are negative; the last one is the first
# that no name has.
LENGTHS = (0xffffffff, 0x80000000, 0x7fffffff, 0x40000000, 0x100)
CAPABILITIES = b'configuration/capabilities\0\0\0\1'
# Sizes that no ACPI table has; rounded up to pages, the first one is 0.
TABLE_SIZES = (0xffffffffffffffff, 0x8000000000000000, 0xffffffff, 0x10000000)
# In the first 100 ms QEMU knows no bandwidth, and 10.2 enters postcopy even if
# all has been sent: seconds after which it is told to.
POSTCOPY_AFTER_S = (0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.09)
# What both CPUs of a guest have done, and two words about what was wrong
RACE_RESULT = struct.Struct('<4Q')
# Of scripts/guests/bare/mmio-a64.S: changes and reads. One of 150,000 reads was
# wrong, on two cores.
MMIO_RESULTS, MMIO_ENOUGH = 0x40100000, (4000, 1000000)
# Of scripts/guests/xsave/gif.c: rounds and loads. After 10,000 rounds at most, on
# two cores, the first flag was wrong.
GIF_ENOUGH = (1000000, 5000000)
# Without FEAT_WFxT, whose timer QEMU 11.1 sends all the same
CPUS = ('cortex-a15', 'cortex-a72', 'neoverse-n1')


class Fixes(unittest.TestCase):
    """Streams that are refused, postcopy, and CPUs that race with each other"""

    # Set by main()
    qemu = None
    guests = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / 'stream'

    @staticmethod
    def ignore_shared(vm):
        """A capability that a stream names, as both sides have to have it"""
        vm.set_capabilities(['x-ignore-shared'])

    def save(self, machine, prepare=None):
        """The bytes of a VM's stream"""
        with Vm(self.qemu, machine, '-S') as vm:
            if prepare:
                prepare(vm)
            vm.save(self.path)
        return bytearray(self.path.read_bytes())

    def load(self, stream, machine, prepare=None):
        """query-migrate's answer, and what QEMU printed"""
        changed = self.path.with_name('changed')
        changed.write_bytes(stream)
        with Vm(self.qemu, machine, '-S', '-incoming', 'defer') as vm:
            if prepare:
                prepare(vm)
            info = vm.load(changed)
            # It is still there: else there is no answer.
            vm.command('query-status')
        return info, vm.stderr

    def assert_refused(self, why, stream, machine, prepare=None):
        info, printed = self.load(stream, machine, prepare)
        self.assertEqual(info['status'], 'failed')
        self.assertIn('load of migration failed', info['error-desc'])
        # What QEMU 10.0 prints is a part of 10.2's error.
        self.assertIn(why, f'{printed}\n{info["error-desc"]}')

    def test_length_of_the_machine_name(self):
        for machine in MACHINES:
            stream = self.save(machine)
            self.assertEqual(self.load(stream, machine)[0]['status'],
                             'completed')
            for length in LENGTHS:
                stream[LENGTH_OFFSET:LENGTH_OFFSET + 4] = \
                    length.to_bytes(4, 'big')
                with self.subTest(machine=machine, length=hex(length)):
                    self.assert_refused(
                        'Input validation failed: configuration/length of '
                        "the machine's name is valid", stream, machine)

    def test_name_of_another_machine(self):
        """As long as a name may be, it is still a name that is compared."""
        stream = self.save('virt-10.0')
        size = int.from_bytes(stream[LENGTH_OFFSET:LENGTH_OFFSET + 4], 'big')
        name = b'x' * 255
        stream[LENGTH_OFFSET:LENGTH_OFFSET + 4 + size] = \
            len(name).to_bytes(4, 'big') + name
        self.assert_refused(f"Machine type received is '{name.decode()}' and "
                            "local is 'virt-10.0'", stream, 'virt-10.0')

    def test_number_of_capabilities(self):
        for machine in MACHINES:
            stream = self.save(machine, self.ignore_shared)
            self.assertEqual(
                self.load(stream, machine, self.ignore_shared)[0]['status'],
                'completed')
            self.assertEqual(stream.count(CAPABILITIES), 1)
            offset = stream.index(CAPABILITIES) + len(CAPABILITIES)
            self.assertEqual(stream[offset:offset + 4], b'\0\0\0\1')
            for number in (0xffffffff, 0x7fffffff, 0x100):
                stream[offset:offset + 4] = number.to_bytes(4, 'big')
                with self.subTest(machine=machine, number=hex(number)):
                    self.assert_refused(
                        'Input validation failed: configuration/capabilities/'
                        'number of capabilities is valid', stream, machine,
                        self.ignore_shared)

    def test_size_of_acpi_tables(self):
        for machine in MACHINES:
            self.save(machine)
            for field in ('table_mr_size', 'linker_mr_size', 'rsdp_mr_size'):
                for size in TABLE_SIZES:
                    stream = Stream(self.path)
                    stream.set('fw_cfg', field, size)
                    edited = self.path.with_name('edited')
                    stream.write(edited)
                    with self.subTest(machine=machine, field=field,
                                      size=hex(size)):
                        self.assert_refused(
                            'fw_cfg: cannot restore the size of a file: Size '
                            'too large: ', edited.read_bytes(), machine)

    def test_postcopy_of_nothing(self):
        """QEMU 10.0 ends such a migration before: its destination is told to do
        that by a later source only."""
        capabilities = ('postcopy-ram', 'return-path', 'events')
        version = postcopy.version_with(self, self.qemu, capabilities)
        entered = 0
        uri = f'unix:{self.path}'
        for machine, delay in itertools.product(MACHINES, POSTCOPY_AFTER_S):
            with self.subTest(machine=machine, delay=delay), \
                    Vm(self.qemu, machine) as source, \
                    Vm(self.qemu, machine, '-incoming', 'defer') as to:
                for vm in source, to:
                    vm.set_capabilities(capabilities)
                to.command('migrate-incoming', uri=uri,
                           **{'exit-on-error': False})
                source.command('migrate', uri=uri)
                time.sleep(delay)
                source.command('migrate-start-postcopy')
                for vm in source, to:
                    info = vm.wait_migration()
                    self.assertEqual(info['status'], 'completed', info)
                entered += any(event.get('data', {}).get('status') ==
                               'postcopy-active'
                               for event in source.events)
        if version >= (10, 2):
            self.assertGreater(entered, 0)

    def race(self, vm, results, enough):
        """What the two CPUs of a guest have done, as soon as each has done enough
        or something is wrong, and what is"""
        here = sorted(os.sched_getaffinity(0))
        if len(here) < 2:
            self.skipTest('the only CPU here runs one CPU of a guest at a time')
        # On a busy machine they may both get the same one for seconds.
        for cpu, where in zip(vm.command('query-cpus-fast'), here):
            os.sched_setaffinity(cpu['thread-id'], {where})
        deadline = time.monotonic() + PATIENCE_S
        done, wrong = (0, 0), ()
        while any(map(operator.lt, done, enough)) and not any(wrong):
            self.assertLess(time.monotonic(), deadline, done)
            time.sleep(0.1)
            words = RACE_RESULT.unpack(
                vm.read_memory(results, RACE_RESULT.size))
            done, wrong = words[:2], words[2:]
        return done, wrong

    def test_reads_while_the_memory_map_changes(self):
        try:
            guest = build_guest('mmio-a64', self.path.with_name('guest'))
        except FileNotFoundError as error:
            self.skipTest(error)
        with Vm(self.qemu, 'virt-10.0,highmem=off', '-smp', '2', '-device',
                'edu,addr=1', '-kernel', guest) as vm:
            done, (wrong, last) = self.race(vm, MMIO_RESULTS, MMIO_ENOUGH)
            self.assertEqual(wrong, 0, f'{last:#x} at read {done[1]}')

    def test_flags_of_the_first_cpu(self):
        """They stay as they are while another CPU loads its FPU's state."""
        image = self.guests / 'gif-guest.bin'
        if not image.is_file():
            self.skipTest(f'no {image.name}: there is no compiler for it')

        class ThreadsVm(X86Vm):
            """With a thread for each CPU, on any host"""
            OPTIONS = ('-accel', 'tcg,thread=multi', *X86Vm.OPTIONS[2:])

        with ThreadsVm(self.qemu.with_name('qemu-system-x86_64'), 'q35',
                       '-cpu', 'max', '-smp', '2', '-bios', image) as vm:
            done, wrong = self.race(vm, RESULTS, GIF_ENOUGH)
            self.assertEqual(wrong, (0, 0), 'not set and not cleared within '
                             f'{done[0]} rounds')

    def test_stream_of_qemu_11_1(self):
        try:
            theirs = fetch('qemu-debian', 'aarch64', 'sid')
        except FetchError as error:
            self.skipTest(f"no QEMU of Debian's sid: {error}")
        version = subprocess.run([theirs, '--version'], text=True,
                                 capture_output=True, check=True).stdout
        for cpu in CPUS:
            class CpuVm(Vm):
                """A Vm with this CPU"""
                OPTIONS = tuple(cpu if option == 'cortex-a72' else option
                                for option in OPTIONS)

            with self.subTest(cpu=cpu):
                with CpuVm(theirs, 'virt-10.0', '-S') as vm:
                    vm.save(self.path)
                with CpuVm(self.qemu, 'virt-10.0', '-S', '-incoming',
                           'defer') as vm:
                    info = vm.load(self.path)
                    # Whatever it was, it was no reason to end.
                    vm.command('query-status')
                # sid goes on; what a later one sends is not known.
                if 'version 11.1.' not in version:
                    continue
                self.assertEqual(info['status'], 'failed')
                # QEMU 10.0 prints what 10.2 has in an Error.
                self.assertIn('Failed to load cpu/wfxt-timer:wfxt_timer: this '
                              'VM has no such object',
                              f'{info.get("error-desc")}\n{vm.stderr}')


def main():
    build = tap.arguments(__doc__, build=True).build.resolve()
    Fixes.qemu = build / 'qemu/qemu-system-aarch64'
    Fixes.guests = build / 'guests'
    return tap.run(Fixes)
