# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Loads x86 VMs of Debian's own QEMU, 7.2, 10.0 and 11.1; prints TAP.

Nobody here built it (scripts/fetch qemu-debian gets it), and it knows nothing
of this project. The machine types are those that both have.
"""

import functools
import subprocess

from qemu_hvc.paths import SCRIPTS
from qemu_hvc.stream import Stream
from xsave_case import AVX, NO_PKU_MPX, SUPERFLUOUS, TCG, XsaveCase, run

FETCH = SCRIPTS / 'fetch'
TYPES = ('pc-i440fx-7.2', 'pc-q35-7.2')


@functools.cache
def debian(suite):
    """The path of Debian's QEMU, or None and a reason"""
    result = subprocess.run([FETCH, 'qemu-debian', 'x86_64', suite],
                            text=True, capture_output=True, check=False)
    if result.returncode:
        return None, (result.stderr.strip().splitlines() or ['?'])[-1]
    return result.stdout.strip(), None


class InteropTest(XsaveCase):
    """Every test point"""

    def theirs(self, suite):
        qemu, reason = debian(suite)
        if not qemu:
            self.skipTest(f"no QEMU of Debian's: {reason}")
        return qemu

    def save_theirs(self, suite, machine, cpu):
        """A stream of Debian's; QEMU 7.2 cannot write to a file itself."""
        path = self.file(f'{suite}-{machine}')
        with self.vm(machine, cpu, '-L', '/usr/share/qemu',
                     qemu=self.theirs(suite)) as vm:
            self.assert_well(vm.watch())
            vm.save_by_pipe(path)
        return path

    def check(self, suite):
        for machine in TYPES:
            # Every component is in use: none is dropped, no warning
            path = self.save_theirs(suite, machine, 'max')
            self.assertEqual(Stream(path).number('cpu', 'env.xcr0'), TCG)
            log = self.load(path, machine, 'max')
            self.assertNotIn('xsave', log)
            self.assertIn(
                "xsave: incoming VM uses XSAVE component 'pkru' (XCR0 = "
                '0x21f), this VM gives its guest',
                self.refuse(path, machine, 'max,-pku'))
            # Nothing superfluous, and all that there can be
            path = self.save_theirs(suite, machine, NO_PKU_MPX)
            again = self.file('again')
            log = self.load(path, machine, NO_PKU_MPX, save=again)
            self.assertNotIn('xsave', log)
            self.assert_masks(again, 0, AVX)
            edited = self.edit(path, xstate_bv=SUPERFLUOUS)
            log = self.load(edited, machine, NO_PKU_MPX, save=again)
            self.assertEqual(log.count('warning: xsave: incoming VM has'), 1)
            self.assert_masks(again, AVX, AVX)
            # Without XSAVE, and of a vCPU that has not run, XCR0 is 1.
            path = self.save_theirs(suite, machine, 'max,-xsave')
            stream = Stream(path)
            self.assertEqual([stream.value(stream.field(cpu, 'env.xcr0'))
                              for cpu in stream.select('cpu')], 2 * ['0x1'])
            log = self.load(path, machine, 'max,-xsave')
            self.assertNotIn('xsave', log)

    def test_from_debian_12(self):
        self.check('bookworm')

    def test_from_debian_13(self):
        self.check('trixie')

    def test_stock_types_from_debian_sid(self):
        """A newer QEMU's VM of a type that both have, without our options"""
        for machine in TYPES:
            path = self.save_theirs('sid', machine, 'Nehalem')
            log = self.load(path, f'{machine},usb=off', 'Nehalem')
            # QEMU says of an old type, whatever it loads, that it is one.
            self.assertRegex(log, r"\A(\S+: warning: Machine type '\S+' is "
                             r'deprecated: .*\n)?\Z')

    def test_stock_types_to_debian_sid(self):
        theirs = self.theirs('sid')
        for machine in TYPES:
            path = self.save(f'{machine},usb=off', 'Nehalem')
            self.load(path, machine, 'Nehalem', '-L', '/usr/share/qemu',
                      qemu=theirs)

    def test_stock_types_load_what_unpatched_ones_load(self):
        """Even of components that the guest uses and this VM does not have"""
        theirs = self.theirs('trixie')
        for machine in TYPES:
            path = self.save_theirs('trixie', machine, 'max')
            for cpu in 'max', 'max,-pku':
                self.load(path, f'{machine},usb=off', cpu, run=False)
                self.load(path, machine, cpu, '-L', '/usr/share/qemu',
                          qemu=theirs, run=False)

    def test_stock_types_to_debian_12(self):
        theirs = self.theirs('bookworm')
        for machine in TYPES:
            for cpu in 'Nehalem', 'max,-la57,-sha-ni':
                path = self.save(f'{machine},usb=off', cpu)
                with self.vm(machine, cpu, '-incoming', 'defer', '-L',
                             '/usr/share/qemu', qemu=theirs) as vm:
                    self.assertEqual(vm.load_by_pipe(path), '')
                    self.assertEqual(vm.state(), 'running')
                    self.assert_well(vm.watch())

    def test_to_debian_13(self):
        """Without options of ours, there is nothing that it would refuse."""
        theirs = self.theirs('trixie')
        for machine in TYPES:
            for xstate_bv in (0, SUPERFLUOUS):
                path = self.edit(self.save(machine, NO_PKU_MPX),
                                 xstate_bv=xstate_bv)
                again = self.file('again')
                self.load(path, machine, NO_PKU_MPX, save=again)
                self.load(again, machine, NO_PKU_MPX, '-L', '/usr/share/qemu',
                          qemu=theirs)


def main():
    return run(InteropTest, __doc__)
