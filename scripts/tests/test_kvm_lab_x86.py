# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Real KVM/x86: the XSAVE components of a guest; prints TAP.

Two amd64 hosts, with and without protection keys. What the first one saves,
the second one loads, or refuses by name, where an unpatched QEMU ends.
"""

import argparse
import contextlib
from pathlib import Path
import platform
import sys
import tempfile
import unittest

from qemu_hvc import tap
from qemu_hvc.lab import cli, kernels
from qemu_hvc.lab.common import LabError, fetch, require, run_tool
from qemu_hvc.lab.kernels import Kernel
from qemu_hvc.lab.x86 import X86Hardware, X86Host, X86Vm
from qemu_hvc.stream import Stream

# What KVM can give to a guest there, measured: x87, SSE, AVX; and PKRU
HOST_WITH_PKU = 'max'
HOST_WITHOUT = 'max,pku=off,mpx=off'
AVX = 0x7
PKRU = 0x200

STOCK_FAILURE = 'Failed to set XSAVE: Invalid argument'


class XsaveTest(unittest.TestCase):
    """A host with protection keys saves, one without loads."""

    build: Path
    kernel: Kernel

    @classmethod
    def setUpClass(cls) -> None:
        with contextlib.ExitStack() as stack:
            cls.directory = Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix='kvm-lab-')))
            cls._make_files()
            cls._save()
            cls.host = stack.enter_context(cls._host(HOST_WITHOUT))
            cls.stack = stack.pop_all()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.stack.close()

    @classmethod
    def _make_files(cls) -> None:
        """The programs and what they need, small: a host reads all of it."""
        bundle = cls.build / 'qemu/qemu-bundle/usr/share/qemu'
        cls.files = {
            'xsave-guest.bin': cls.build / 'guests/xsave-guest.bin',
            'kvmvapic.bin': bundle / 'kvmvapic.bin',
        }
        for name in ('qemu', 'stock'):
            cls.files[name] = cls.directory / name
            run_tool(require('strip'), '-o', cls.files[name],
                     cls.build / name / 'qemu-system-x86_64')

    @classmethod
    def _host(cls, cpu: str) -> X86Host:
        hardware = X86Hardware(cls.build / 'qemu/qemu-system-x86_64', cpu)
        return X86Host(hardware, cls.kernel, cls.files)

    @classmethod
    def _save(cls) -> None:
        """Streams of VMs on the host with protection keys"""
        with cls._host(HOST_WITH_PKU) as host:
            # Of these guests, the first was given PKRU and has enabled it,
            # the second was not given it, the last has it without XCR0.
            # With CR4.PKE, an unpatched QEMU would fail elsewhere.
            for name, program, cpu, machine, guest in (
                    ('given', 'stock', 'host', 'pc', {'pke': 0}),
                    ('spare', 'stock', 'host,-pku', 'pc', {'pke': 0}),
                    ('contract', 'qemu', 'host', 'pc,guest-abi=on',
                     {'pke': 0}),
                    ('keys', 'qemu', 'host', 'pc', {'xcr0': AVX})):
                vm = X86Vm(host, name, qemu=f'./{program}')
                vm.begin(cpu, machine=machine, **guest)
                cls._assert_well(vm.watch())
                vm.migrate(f'file:{name}.stream')
                vm.quit()
                host.fetch(f'{name}.stream', cls.directory / name)
                cls.files[f'{name}.stream'] = cls.directory / name
            cls.control = cls._load(host, 'qemu', 'given')
        cls._add_spare_component()

    @classmethod
    def _add_spare_component(cls) -> None:
        """PKRU in a stream, as some kernels before 5.17 saved it"""
        stream = Stream(cls.directory / 'spare')
        xstate_bv = stream.number('cpu', 'env.xstate_bv')
        stream.set('cpu', 'env.xstate_bv', hex(xstate_bv | PKRU))
        edited = cls.directory / 'spare-edited'
        stream.write(edited)
        cls.files['spare.stream'] = edited

    @staticmethod
    def _assert_well(results: dict) -> None:
        if results['errors']:
            raise LabError(f"the guest's registers changed: {results}; "
                           'needed: what it has put there')

    @classmethod
    def _load(cls, host: X86Host, program: str, name: str,
              machine: str = '', save: str = '') -> tuple[str, dict, str]:
        """QEMU's refusal, or ''; the guest's results; QEMU's messages"""
        machine = machine or ('pc' if program == 'stock'
                              else 'pc,xsave-trim=on')
        vm = X86Vm(host, 'loaded', qemu=f'./{program}')
        vm.begin('host', '-incoming', 'defer', machine=machine)
        refusal = vm.load(f'{name}.stream')
        results = {} if refusal else vm.watch()
        if save:
            vm.migrate(f'file:{save}')
        messages = vm.messages()
        vm.quit()
        return refusal, results, messages

    def load(self, program: str, name: str, **how: str) -> str:
        return self._load(self.host, program, name, **how)[0]

    # --- what is to be shown ---

    def test_exposed_component_survives_where_the_host_has_it(self) -> None:
        refusal, results, _ = self.control
        self.assertEqual(refusal, '')
        self._assert_well(results)
        self.assertEqual(results['xcr0'] & (AVX | PKRU), AVX | PKRU)

    def test_unpatched_qemu_ends_at_a_superfluous_component(self) -> None:
        self.assertIn(STOCK_FAILURE, self.load('stock', 'spare'))

    def test_so_does_ours_without_an_option(self) -> None:
        for machine in 'pc', 'pc,xsave-trim=off':
            self.assertIn(STOCK_FAILURE, self.load('qemu', 'spare',
                                                   machine=machine))

    def test_superfluous_component_is_left_out(self) -> None:
        refusal, results, messages = self._load(self.host, 'qemu', 'spare',
                                                save='again.stream')
        self.assertEqual(refusal, '')
        self._assert_well(results)
        self.assertEqual(results['xcr0'], AVX)
        self.assertIn("XSAVE component 'pkru'", messages)
        again = self.directory / 'again'
        self.host.fetch('again.stream', again)
        self.assertEqual(Stream(again).number('cpu', 'env.xstate_bv') & PKRU,
                         0)

    def test_unpatched_qemu_ends_at_an_exposed_component(self) -> None:
        self.assertIn(STOCK_FAILURE, self.load('stock', 'given'))

    def test_exposed_component_is_refused_by_name(self) -> None:
        self.assertRegex(
            self.load('qemu', 'given'),
            r"^xsave: incoming VM uses XSAVE component 'pkru' \(XCR0 = 0x2"
            r"[0-9a-f]+\), this VM gives its guest 'x87', 'sse', 'avx' "
            r'\(0x7\); use a host that has it, and start QEMU there with '
            r'-cpu \.\.\.,\+pku$')

    def test_protection_keys_are_refused_by_name(self) -> None:
        """CR4.PKE alone is refused, before KVM is asked to load CR4."""
        self.assertRegex(
            self.load('qemu', 'keys'),
            r"^xsave: incoming VM uses XSAVE component 'pkru' \(CR4\.PKE is "
            r"set\), this VM gives its guest 'x87', 'sse', 'avx' \(0x7\); ")

    def test_contract_is_refused_by_name(self) -> None:
        self.assertRegex(
            self.load('qemu', 'contract', machine='pc,guest-abi=on'),
            r"\(1\) incoming VM gives its guest XSAVE component 'pkru' "
            r"\(x86\.xcr0 = 0x2[0-9a-f]+\).* \(2\) incoming VM has CPU "
            r"features 'pku' \(CPUID leaf 7\.0 ECX = 0x[0-9a-f]+\), which this "
            r"VM does not have \(0x[0-9a-f]+\); use a host with 'pku', or "
            r'start the source VM with -cpu \.\.\.,-pku$')


def skip_reason(build: Path) -> str:
    """Why the tests cannot run on this machine, or ''"""
    if platform.machine() != 'x86_64':
        return 'the programs that were built do not run on an x86 host'
    for name in ('qemu/qemu-system-x86_64', 'stock/qemu-system-x86_64',
                 'guests/xsave-guest.bin'):
        if not (build / name).is_file():
            return f'there is no {name} in the build directory'
    return ''


def run_x86(args: argparse.Namespace) -> int:
    reason = skip_reason(args.build)
    try:
        if reason:
            raise LabError(reason)
        kernel = kernels.one(args.kernel, 'amd64')
        fetch('busybox', 'amd64')
    except LabError as error:
        tap.skip_all(error)
        return 0
    XsaveTest.build = args.build
    XsaveTest.kernel = kernel
    return tap.run(XsaveTest)


COMMAND = (run_x86, cli.kernel('6.12'),
           'XSAVE components of x86 guests, as TAP',
           'Two amd64 hosts, with and without protection keys (kvm-amd under '
           "TCG's SVM). What\nthe first saves, the second loads, or refuses by "
           'name, where an unpatched QEMU\nends. Inside run the programs of '
           'BUILD/qemu and BUILD/stock. Skipped without a\nkernel, and on '
           'other machines than x86-64.')


def main():
    return cli.main({'x86': COMMAND}, ['x86', *sys.argv[1:]])
