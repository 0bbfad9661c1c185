# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What tests of XSAVE components across migration have in common"""

from pathlib import Path
import tempfile
import unittest

from qemu_hvc import tap
from qemu_hvc.stream import Stream
from qemu_hvc.xsave_guest import XsaveVm

# What TCG has, and what is left of it in a CPU model without the other two
TCG = 0x21f
AVX = 0x7
NO_PKU_MPX = 'max,-pku,-mpx'
# All that a kernel could have saved in vain
SUPERFLUOUS = 0xe02ff
MACHINES = ('pc', 'q35', 'microvm')
REMEDY = 'start this QEMU with -cpu ...'


def uses_refusal(names, found, has):
    """What a VM says that gives its guest less than the guest uses"""
    return f'xsave: incoming VM uses XSAVE component {names} ({found}), ' \
           f'this VM gives its guest {has}; {REMEDY}'


class XsaveCase(unittest.TestCase):
    """Makes, changes and loads streams."""

    maxDiff = None
    build = None

    def setUp(self):
        self.qemu = self.build / 'qemu/qemu-system-x86_64'
        self.stock = self.build / 'stock/qemu-system-x86_64'
        self.guest = self.build / 'guests/xsave-guest.bin'
        if not self.guest.is_file():
            self.skipTest('there is no compiler for its guest')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, name):
        return self.folder / name

    def vm(self, machine, cpu, *options, qemu=None, **parameters):
        """One of ours looks at what comes, unless @machine has an option"""
        if not qemu and ',' not in machine:
            machine += ',xsave-trim=on'
        return XsaveVm(qemu or self.qemu, machine, cpu, *options,
                       guest=self.guest, **parameters)

    def save(self, machine, cpu, *options, run=True, name='stream', **how):
        """A stream of a VM whose guest has filled its registers"""
        path = self.file(name)
        with self.vm(machine, cpu, *options, **how) as vm:
            if run:
                self.assert_well(vm.watch())
            vm.save(path)
        return path

    def edit(self, path, name='edited', section='cpu', **fields):
        """A copy with changed fields of all vCPUs"""
        stream = Stream(path)
        for field, value in fields.items():
            stream.set(section, field, value)
        stream.write(self.file(name))
        return self.file(name)

    def load(self, path, machine, cpu, *options, save=None, qemu=None,
             run=True):
        """Loads a stream that fits; returns what was printed"""
        options = ['-incoming', 'defer', *([] if run else ['-S']), *options]
        with self.vm(machine, cpu, *options, qemu=qemu) as vm:
            info = vm.load(path)
            self.assertEqual(info['status'], 'completed',
                             info.get('error-desc'))
            if run:
                self.assertEqual(vm.state(), 'running')
                self.assert_well(vm.watch())
            if save:
                vm.save(save)
        return vm.stderr

    def refuse(self, path, machine, cpu, *options, **how):
        """Loads a stream that does not fit; returns why"""
        with self.vm(machine, cpu, '-incoming', 'defer', *options,
                     **how) as vm:
            info = vm.load(path)
            self.assertEqual(info['status'], 'failed')
            self.assertEqual(vm.state(), 'inmigrate')
        refusal = info['error-desc']
        self.assertIn(refusal, vm.stderr)
        return refusal

    def assert_well(self, results):
        """The guest's registers are what it has put there."""
        self.assertEqual(results['errors'], 0, results)

    def assert_masks(self, path, xstate_bv, xcr0=None):
        """What the vCPUs of a stream have; the second one has not run."""
        stream = Stream(path)
        for section in stream.select('cpu'):
            found = stream.value(stream.field(section, 'env.xstate_bv'))
            self.assertEqual(found, hex(xstate_bv), section.title)
        if xcr0 is not None:
            self.assertEqual(stream.number('cpu', 'env.xcr0'), xcr0)


def run(case, doc):
    """The whole of a test program; doc: what --help says"""
    parser = tap.parser(doc, build=True)
    parser.add_argument('tests', metavar='TEST', nargs='*',
                        help='those to run, as they are printed (default: '
                        'all)')
    arguments = parser.parse_args()
    case.build = arguments.build.resolve()
    return tap.run(case, names=arguments.tests)
