# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Real KVM/x86: XSAVE components of a guest, and pages that it shares; prints
TAP.

Two amd64 hosts, with and without protection keys. What the first one saves,
the second one loads, or refuses by name, where an unpatched QEMU ends. In a
third one guests share pages, write them, take them back and are moved.
"""

import argparse
from collections.abc import Iterator
import contextlib
from dataclasses import replace
from pathlib import Path
import platform
import sys
import tempfile
import time
import unittest

from qemu_hvc import pages_guest, tap
from qemu_hvc.lab import cli, kernels, snapshots, x86
from qemu_hvc.lab.common import LabError, fetch, require, run_tool
from qemu_hvc.lab.host import Host
from qemu_hvc.lab.moves import Move, by_postcopy
from qemu_hvc.lab.verdict import POSTCOPY_RUN
from qemu_hvc.lab.kernels import Kernel
from qemu_hvc.lab.vm import QmpError, VmEnded
from qemu_hvc.lab.x86 import PagesVm, X86Hardware, X86Host, X86Vm
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
        cls.directory = Path(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix='kvm-lab-')))
        cls._make_files()
        cls._save()
        cls.host = cls.enterClassContext(cls._host(HOST_WITHOUT))

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


# Of hosts that keep several saved guests of 8 vCPUs
PAGES_MEMORY = '2G'
# What a guest does between two moves, on an emulated host
ROUNDS = 20
MOVES = 3
NOT_READY = ('shared-pages: the guest has not said that it is ready to be '
             'migrated (MSR_KVM_MIGRATION_CONTROL, 0x4b564d08, is 0): it may '
             'share pages that it has not told of; wait until its kernel has '
             'set bit 0, or start the VM without shared-pages')
OLD_KERNEL = '5.10'
# A DIMM of pc behind its RAM, and QEMU's registers of ACPI for it
DIMM_AT, DIMM_SIZE = 1 << 32, 128 << 20
DIMM_PAGE = DIMM_AT + pages_guest.PAGE_SIZE
DIMM_SLOT, DIMM_FLAGS, DIMM_EJECT = 0xa00, 0xa14, 8


class SharedPagesTest(unittest.TestCase):
    """Guests that tell their host what they share"""

    build: Path
    kernel: Kernel

    @classmethod
    def setUpClass(cls) -> None:
        cls.host = cls.enterClassContext(cls._host(cls.kernel))

    @classmethod
    def _host(cls, kernel: Kernel) -> Host:
        bundle = cls.build / 'qemu/qemu-bundle/usr/share/qemu'
        return replace(x86.hardware(cls.build),
                       memory=PAGES_MEMORY).host(kernel, {
            'qemu': x86.stripped(cls.build, 'patched'),
            pages_guest.IMAGE: cls.build / 'guests' / pages_guest.IMAGE,
            'kvmvapic.bin': bundle / 'kvmvapic.bin',
        })

    @contextlib.contextmanager
    def vm(self, name: str, *options: str, **how: object) -> Iterator[PagesVm]:
        vm = PagesVm(self.host, name)
        vm.begin(*options, **how)
        try:
            yield vm
        finally:
            vm.quit()

    def assert_list(self, vm: PagesVm, cpus: int) -> None:
        self.assertNotEqual(vm.state(), 'running')
        self.assertEqual(vm.list_problems(cpus), [])

    def assert_booted(self, vm: PagesVm, boots: int = 1,
                      copied: int = 0) -> None:
        """It has found the call and the register, which was 0."""
        results = vm.pages_results()
        bits = pages_guest.MAP_GPA_RANGE | pages_guest.MIGRATION_CONTROL
        self.assertEqual(results['features'] & bits, bits)
        self.assertEqual(
            {**results, 'features': bits},
            {'features': bits, 'boots': boots, 'control': 0,
             'faults': pages_guest.FAULTS * boots, 'unfaulted': 0, 'came': 0,
             'copied': copied})

    def refusal(self, vm: PagesVm, command: str, **arguments: object) -> str:
        with self.assertRaises(QmpError) as caught:
            vm.qmp(command, **arguments)
        return str(caught.exception)

    def assert_not_ready(self, vm: PagesVm) -> None:
        self.assertIn(NOT_READY, self.refusal(vm, 'migrate', uri='file:never'))
        self.assertEqual(vm.qmp('query-migrate')['blocked-reasons'],
                         [NOT_READY])

    @staticmethod
    def await_status(vm: PagesVm, status: str) -> None:
        """Of a migration that goes on"""
        deadline = time.monotonic() + vm.migration_patience_s
        while vm.qmp('query-migrate')['status'] != status:
            if time.monotonic() > deadline:
                raise LabError(f'the migration of {vm.name} is not {status}')

    @staticmethod
    def reset(vm: PagesVm, state: str = 'prelaunch') -> None:
        """Of a VM that is stopped, so that its guest does not boot yet: all of
        its pages are private again, and it had some."""
        vm.qmp('set-action', reboot='reset')
        vm.qmp('system_reset')
        deadline = time.monotonic() + vm.qmp_timeout
        while vm.state() != state or vm.queried_pages():
            if time.monotonic() > deadline:
                raise LabError(f'{vm.name} is not reset, it is {vm.state()}')
        vm.qmp('set-action', reboot='shutdown')

    # --- guests that are moved ---

    def _move_by_file(self, cpus: int) -> None:
        """From file to file, each VM in the place of the one before"""
        options: list[str] = []
        shared = set()
        for move in range(MOVES + 1):
            with self.vm('moved', *options, cpus=cpus) as vm:
                if move:
                    vm.listen(f'file:{move}')
                    info = vm.wait_migration()
                    self.assertEqual(info['status'], 'completed', info)
                    # Before it goes on: what came is what was sent.
                    self.assertEqual(vm.queried_pages(), shared)
                    self.assert_list(vm, cpus)
                    vm.qmp('cont')
                states = vm.watch_pages(cpus, ROUNDS)
                self.assertGreater(sum(state.hostile for state in states), 0)
                self.assert_booted(vm)
                vm.migrate(f'file:{move + 1}')
                self.assert_list(vm, cpus)
                shared = vm.queried_pages()
                self.assertTrue(shared)
            options = ['-S', '-incoming', 'defer']

    def test_file_1_vcpu(self) -> None:
        self._move_by_file(1)

    def test_file_2_vcpus(self) -> None:
        self._move_by_file(2)

    def test_file_8_vcpus(self) -> None:
        self._move_by_file(8)

    def _move_live(self, cpus: int) -> None:
        """While it shares and writes"""
        with contextlib.ExitStack() as stack:
            vm = stack.enter_context(self.vm('live0', cpus=cpus))
            for move in range(1, MOVES + 1):
                vm.watch_pages(cpus, ROUNDS)
                target = stack.enter_context(self.vm(
                    f'live{move}', '-incoming', 'defer', cpus=cpus))
                for peer in target, vm:
                    peer.set_capabilities(['return-path'])
                target.listen(f'unix:live{move}.socket')
                vm.migrate(f'unix:live{move}.socket')
                self.assertEqual(target.wait_migration()['status'],
                                 'completed')
                self.assert_list(vm, cpus)
                vm = target
            vm.watch_pages(cpus, ROUNDS)
            self.assert_booted(vm)
            vm.qmp('stop')
            self.assert_list(vm, cpus)

    def test_live_1_vcpu(self) -> None:
        self._move_live(1)

    def test_live_2_vcpus(self) -> None:
        self._move_live(2)

    def test_live_8_vcpus(self) -> None:
        self._move_live(8)

    def test_postcopy_2_vcpus(self) -> None:
        """Its pages come while it shares, writes and takes them back."""
        with self.vm('early', cpus=2) as vm, \
             self.vm('late', '-incoming', 'defer', '-D', 'late.trace',
                     '-trace', POSTCOPY_RUN, cpus=2) as target:
            vm.watch_pages(2, ROUNDS)
            self.assertIsNone(by_postcopy(Move(
                vm, target, 1, self.host.directory)))
            target.watch_pages(2, ROUNDS)
            self.assert_booted(target)
            target.qmp('stop')
            self.assert_list(target, 2)

    def test_snapshot(self) -> None:
        """Its list is that of the snapshot then, though it had another one."""
        snapshots.bring_empty(self.host, self.build)
        with self.vm('snapshot', *snapshots.OPTIONS, cpus=2) as vm:
            vm.watch_pages(2, ROUNDS)
            vm.qmp('stop')
            shared = vm.queried_pages()
            vm.hmp_silently('savevm then')
            vm.qmp('cont')
            vm.watch_pages(2, ROUNDS)
            vm.qmp('stop')
            self.assert_list(vm, 2)
            self.assertNotEqual(vm.queried_pages(), shared)
            vm.hmp_silently('loadvm then')
            self.assertEqual(vm.queried_pages(), shared)
            self.assert_list(vm, 2)
            vm.qmp('cont')
            vm.watch_pages(2, ROUNDS)

    def await_page(self, vm: PagesVm, is_there: bool) -> None:
        """In the list of a guest that shares others meanwhile"""
        deadline = time.monotonic() + vm.qmp_timeout
        while bool(vm.qmp('query-shared-pages', address=DIMM_PAGE)
                   ['ranges']) != is_there:
            self.assertLess(time.monotonic(), deadline)

    def test_memory_that_is_unplugged(self) -> None:
        """Twice: its page is private when it is gone. The guest says by ACPI that
        it can be taken; here the monitor does."""
        with self.vm('dimm', '-m', 'size=16M,slots=1,maxmem=1G',
                     coming=DIMM_PAGE) as vm:
            for number in range(2):
                vm.watch_pages(1, ROUNDS)
                vm.qmp('object-add', **{'qom-type': 'memory-backend-ram',
                                        'id': f'memory{number}',
                                        'size': DIMM_SIZE})
                vm.qmp('device_add', driver='pc-dimm', id=f'dimm{number}',
                       memdev=f'memory{number}', addr=DIMM_AT)
                self.await_page(vm, True)
                vm.qmp('device_del', id=f'dimm{number}')
                vm.hmp_silently(f'o/w {DIMM_SLOT:#x} 0')
                vm.hmp_silently(f'o/b {DIMM_FLAGS:#x} {DIMM_EJECT}')
                self.assertEqual(vm.qmp('query-memory-devices'), [])
                self.await_page(vm, False)
                vm.qmp('object-del', id=f'memory{number}')
            vm.watch_pages(1, ROUNDS)
            self.assertGreater(vm.pages_results()['came'], 1)
            vm.qmp('stop')
            self.assert_list(vm, 1)

    # --- devices ---

    def _copy(self, machine: str, copied: int) -> None:
        """A device copies shared pages, and tries to copy a private one."""
        private = pages_guest.DMA_PAGES + 2 * pages_guest.PAGE_SIZE
        shared = {pages_guest.DMA_PAGES, private - pages_guest.PAGE_SIZE}
        enforced = 'enforce' in machine
        with self.vm('copying', machine=machine, edu=True) as vm:
            vm.watch_pages(1, ROUNDS)
            self.assert_booted(vm, copied=copied)
            vm.qmp('stop')
            self.assertEqual(vm.queried_pages() & (shared | {private}), shared)
            info = vm.qmp('query-shared-pages')
            self.assertEqual(
                (info['enforced'], info['refused'], info['refusals']),
                (True, 2, [{'device': 'edu0', 'path': '/machine/peripheral/edu0',
                            'accesses': 2, 'address': private, 'write': False}])
                if enforced else (False, 0, []))

    def test_device_reaches_what_is_shared_on_pc(self) -> None:
        self._copy('pc,shared-pages=enforce', pages_guest.COPIED_ALL |
                   pages_guest.COPIED_SHARED)

    def test_device_reaches_what_is_shared_on_q35(self) -> None:
        self._copy('q35,shared-pages=enforce', pages_guest.COPIED_ALL |
                   pages_guest.COPIED_SHARED)

    def test_device_reaches_everything_if_nothing_is_enforced(self) -> None:
        self._copy('pc,shared-pages=on', pages_guest.COPIED_ALL |
                   pages_guest.COPIED_SHARED | pages_guest.WROTE_PRIVATE |
                   pages_guest.READ_PRIVATE)

    # --- ready, or not ---

    def test_guest_that_is_not_ready_blocks_migration(self) -> None:
        with self.vm('never', ready=False) as vm:
            vm.watch_pages(1, ROUNDS)
            self.assert_booted(vm)
            self.assert_not_ready(vm)
            vm.watch_pages(1, ROUNDS)

    def test_reset_makes_pages_private_and_the_guest_not_ready(self) -> None:
        """Also where it has arrived"""
        with self.vm('before', cpus=2) as vm:
            vm.watch_pages(2, ROUNDS)
            vm.migrate('file:before.stream')
        with self.vm('reset', '-S', '-incoming', 'defer', cpus=2) as vm:
            vm.listen('file:before.stream')
            self.assertEqual(vm.wait_migration()['status'], 'completed')
            self.assertTrue(vm.queried_pages())
            self.assertNotIn('blocked-reasons', vm.qmp('query-migrate'))
            self.reset(vm)
            self.assertEqual(vm.queried_pages(), set())
            self.assert_not_ready(vm)
            vm.qmp('cont')
            vm.watch_pages(2, ROUNDS)
            self.assert_booted(vm, 2)
            vm.migrate('file:after.stream')
            self.assert_list(vm, 2)

    def test_word_that_is_taken_back_ends_a_migration(self) -> None:
        """No blocker can be added then: it fails, and the next one at once."""
        with self.vm('taken') as vm, \
             self.vm('target', '-incoming', 'defer') as target:
            vm.watch_pages(1, ROUNDS)
            for peer in target, vm:
                peer.set_capabilities(['return-path',
                                       'pause-before-switchover'])
            target.listen('unix:taken.socket')
            vm.qmp('migrate', uri='unix:taken.socket')
            self.await_status(vm, 'pre-switchover')
            self.reset(vm, 'finish-migrate')
            self.assertNotIn('blocked-reasons', vm.qmp('query-migrate'))
            vm.qmp('migrate-continue', state='pre-switchover')
            info = vm.wait_migration()
            self.assertEqual((info['status'], info['error-desc']),
                             ('failed', NOT_READY))
            # Where it was not lost, it boots, and is ready again.
            vm.watch_pages(1, ROUNDS)
            self.assert_booted(vm, 2)
            vm.set_capabilities(['return-path', 'pause-before-switchover'],
                                False)
            vm.migrate('file:taken.stream')

    # --- contract, and what is refused ---

    def test_destination_without_the_option_refuses_by_name(self) -> None:
        with self.vm('with') as vm:
            vm.watch_pages(1, ROUNDS)
            vm.migrate('file:with.stream')
        with self.vm('without', '-incoming', 'defer',
                     machine='pc,guest-abi=on') as vm:
            vm.listen('file:with.stream')
            info = vm.wait_migration()
            self.assertEqual(info['status'], 'failed')
            for text in (
                    r"features 'kvm-hc-map-gpa-range', 'kvm-migration-control' "
                    r'\(CPUID leaf 40000001 EAX = 0x[0-9a-f]+\), which this VM '
                    r'does not have \(0x[0-9a-f]+\); start this QEMU with -cpu '
                    r"host, and with the source's -machine shared-pages",
                    'incoming VM has shared-pages=on, this VM has '
                    "shared-pages=off; start this QEMU with the source's "
                    '-machine shared-pages=on'):
                self.assertRegex(info['error-desc'], text)

    def test_stock_machine_has_none_of_it(self) -> None:
        with self.vm('stock', machine='pc') as vm:
            vm.watch_pages(1, ROUNDS)
            results = vm.pages_results()
            self.assertEqual(results['features'] >> 16 & 3, 0)
            self.assertNotEqual(results['features'], 0)
            self.assertFalse(vm.qmp('query-shared-pages')['enabled'])
            self.assertNotIn('blocked-reasons', vm.qmp('query-migrate'))
            vm.migrate('file:stock.stream')

    def test_other_options_that_contradict_are_refused(self) -> None:
        for machine, options, text in (
                ('pc,shared-pages=on', ('-cpu', 'host,kvm=off'),
                 'shared-pages: -cpu ...,kvm=off hides from the guest how it '
                 'shares pages; leave out kvm=off, or shared-pages'),
                ('pc,shared-pages=on,guest-abi=off', (),
                 'guest-abi=off contradicts shared-pages=on: what a guest was '
                 'promised has to be in its migration stream; leave out '
                 'guest-abi=off, or shared-pages')):
            with self.subTest(text), self.assertRaises(VmEnded) as caught, \
                 self.vm('refused', *options, machine=machine):
                pass
            self.assertIn(text, caught.exception.messages)

    def test_kernel_without_the_call_is_refused(self) -> None:
        try:
            kernel = kernels.one(OLD_KERNEL, 'amd64')
        except LabError as error:
            self.skipTest(str(error))
        with self._host(kernel) as host:
            vm = PagesVm(host, 'old')
            with self.assertRaises(VmEnded) as caught:
                vm.begin()
        self.assertIn("shared-pages: this host's kernel does not hand over "
                      'KVM_HC_MAP_GPA_RANGE (KVM_CAP_EXIT_HYPERCALL is 0x0, '
                      'needed: bit 12), by which a guest shares pages; use '
                      'Linux 5.14 or later, or leave out shared-pages',
                      caught.exception.messages)


def skip_reason(build: Path) -> str:
    """Why the tests cannot run on this machine, or ''"""
    if platform.machine() != 'x86_64':
        return 'the programs that were built do not run on an x86 host'
    for name in ('qemu/qemu-system-x86_64', 'stock/qemu-system-x86_64',
                 'guests/xsave-guest.bin', 'guests/pages-guest.bin'):
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
    case = SharedPagesTest if args.pages else XsaveTest
    case.build = args.build
    case.kernel = kernel
    return tap.run(case)


PAGES = cli.option(
    '--pages', action='store_true',
    help='guests that share pages, instead')
COMMAND = (run_x86, cli.options(cli.kernel('6.12'), PAGES),
           'XSAVE components and shared pages of x86 guests, as TAP',
           'Two amd64 hosts, with and without protection keys (kvm-amd under '
           "TCG's SVM). What\nthe first saves, the second loads, or refuses by "
           'name, where an unpatched QEMU\nends. With --pages one host, where '
           'guests share pages and are moved. Inside run the\nprograms of '
           'BUILD/qemu and BUILD/stock. Skipped without a kernel, and on other\n'
           'machines than x86-64.')


def main():
    return cli.main({'x86': COMMAND}, ['x86', *sys.argv[1:]])
