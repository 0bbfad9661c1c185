# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""x86 machines with and without -machine shared-pages; prints TAP.

What guests share pages by is KVM's: with them test_kvm_lab_x86.py runs the guest
of these tests. Here, under TCG, it finds no KVM, writes its pages and reads
them, also where it was moved to. Under the KVM of this machine, if it has one,
most VMs do not run: a nested KVM may run guests in real mode only.
"""

from pathlib import Path
import socket
import tempfile
import time
import unittest

from qemu_hvc import tap
from qemu_hvc.pages_guest import (
    COPIED_ALL, COPIED_SHARED, IMAGE, READ_PRIVATE, WROTE_PRIVATE, PagesVm)
from qemu_hvc.qmp import PATIENCE_S, QemuError
from qemu_hvc.vm import Vm as AnyVm
from qemu_hvc.xsave_guest import RESULTS
from test_kvm_lab_x86 import NOT_READY

CPUS = (1, 2, 8)
ROUNDS = 20
# A network card of Intel's, whose ring a test puts into a private page. PCI's
# configuration space: bus 0, device 16
NIC = ('-device', 'e1000,id=nic,romfile=,addr=0x10')
NIC_CONFIG = 0x80008000
NIC_AT = 0xe0000000
RING = 0x200000
# 8254x manual, 13: TCTL.EN; base, length and tail of the ring to be sent
START_SENDING = ((0x400, 2), (0x3800, RING), (0x3808, 128), (0x3818, 1))


class Vm(AnyVm):
    """Without a guest"""

    MACHINE_OPTIONS = ''
    OPTIONS = ('-accel', 'tcg', '-S', '-nodefaults', '-display', 'none')


class KvmVm(AnyVm):
    """The same under the KVM of this machine"""

    MACHINE_OPTIONS = ''
    # A nested KVM may not let QEMU write what it says of this MSR.
    OPTIONS = ('-accel', 'kvm', '-cpu', 'host,-arch-capabilities',
               *Vm.OPTIONS[2:])


class QtestPort:
    """QEMU's protocol for tests of devices, on a socket"""

    OPTIONS = '-qtest-log', '/dev/null', '-qtest'

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(str(path))
        self._answers = self._socket.makefile(encoding='ascii')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._answers.close()
        self._socket.close()

    def write(self, command, address, value):
        """command: "outl" or "writel" """
        self._socket.sendall(f'{command} {address:#x} {value:#x}\n'.encode())
        answer = self._answers.readline().strip()
        if answer != 'OK':
            raise RuntimeError(f'{command} {address:#x}: {answer}')

    def set_pci(self, address, value):
        self.write('outl', 0xcf8, address)
        self.write('outl', 0xcfc, value)


class PagesGuest(unittest.TestCase):
    """VMs whose guests cannot share pages, or have not begun to"""

    build = None

    def setUp(self):
        self.qemu = self.build / 'qemu/qemu-system-x86_64'
        self.image = self.build / 'guests' / IMAGE

    def vm(self, *options, machine='pc', **how):
        if not self.image.is_file():
            self.skipTest('there is no compiler for its guest')
        return PagesVm(self.qemu, machine, self.image, *options, **how)

    def test_guest_goes_on_where_it_was_moved_to(self):
        for cpus in CPUS:
            with self.subTest(cpus=cpus), \
                 tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / 'stream'
                with self.vm(cpus=cpus) as vm:
                    states = vm.watch_pages(cpus, ROUNDS)
                    results = vm.pages_results()
                    vm.save(path)
                self.assertEqual(results['features'], 0)
                self.assertEqual(results['boots'], 1)
                for state in states:
                    self.assertEqual((state.hostile, sum(state.shared)),
                                     (0, 0))
                with self.vm('-incoming', 'defer', cpus=cpus) as vm:
                    info = vm.load(path)
                    self.assertEqual(info['status'], 'completed', info)
                    later = vm.watch_pages(cpus, ROUNDS)
                    self.assertEqual(vm.pages_results(), results)
                for before, after in zip(states, later):
                    self.assertGreater(after.rounds, before.rounds)

    def test_device_copies_what_nothing_protects(self):
        """What test_kvm_lab_x86.py has it do, and here succeeds"""
        for machine in 'pc', 'q35':
            with self.subTest(machine), \
                 self.vm(machine=machine, edu=True) as vm:
                vm.watch_pages(1, 1)
                self.assertEqual(
                    vm.pages_results()['copied'], COPIED_ALL | COPIED_SHARED |
                    WROTE_PRIVATE | READ_PRIVATE)

    def test_tcg_has_no_such_call(self):
        for machine in 'pc', 'q35', 'microvm':
            with self.subTest(machine):
                with self.assertRaises(QemuError) as caught:
                    with Vm(self.qemu, f'{machine},shared-pages=on'):
                        pass
                self.assertRegex(
                    str(caught.exception), "shared-pages=on: guests of machine "
                    f"type '[^']*{machine}[^']*' have no way to share pages "
                    'here; needed: an x86 machine with -accel kvm, ')

    def test_other_contracts_are_refused(self):
        """That of a VM whose guest shares pages, by each of its entries"""
        with Vm(self.qemu, 'pc,guest-abi=on') as vm:
            told = {entry['name']: entry['value'] for entry in
                    vm.command('query-guest-abi')['entries']}
            self.assertNotIn('x86.shared-pages', told)
            kvm = 'x86.cpuid-40000001-eax'
            verdicts = vm.command('check-guest-abi', entries=[
                {'name': name, 'value': value} for name, value in
                {**told, 'x86.shared-pages': 1,
                 kvm: told.get(kvm, 0) | 3 << 16}.items()])
        refused = {verdict['name']: verdict['error'] for verdict in verdicts
                   if not verdict['ok']}
        self.assertEqual(sorted(refused), [kvm, 'x86.shared-pages'])
        self.assertEqual(
            refused['x86.shared-pages'],
            'guest-abi: incoming VM has shared-pages=on, this VM has '
            "shared-pages=off; start this QEMU with the source's -machine "
            'shared-pages=on')
        with Vm(self.qemu, 'pc,guest-abi=on') as vm:
            verdicts = vm.command('check-guest-abi', entries=[
                {'name': name, 'value': value} for name, value in
                {**told, 'x86.shared-pages': 1,
                 'machine.shared-pages-enforced': 1}.items()])
        self.assertIn(
            'guest-abi: incoming VM has shared-pages=enforce, this VM has '
            "shared-pages=off; start this QEMU with the source's -machine "
            'shared-pages=enforce',
            [verdict.get('error') for verdict in verdicts])
        self.assertRegex(
            refused[kvm], r"^guest-abi: incoming VM has CPU features "
            r"'kvm-hc-map-gpa-range', 'kvm-migration-control' \(CPUID leaf "
            r'40000001 EAX = 0x[0-9a-f]+\), which this VM does not have '
            r'\(0x[0-9a-f]+\); start this QEMU with -cpu \w+, and with the '
            r"source's -machine shared-pages$")

    def kvm_vm(self, machine, *options):
        """Skips the test where KVM runs no VM of that type at all."""
        stock = machine.partition(',')[0]
        try:
            with KvmVm(self.qemu, stock):
                pass
        except QemuError as error:
            self.skipTest(f'{stock} under the KVM of this machine: '
                          + str(error).splitlines()[0])
        return KvmVm(self.qemu, machine, *options)

    def test_guest_under_kvm_that_has_not_booted(self):
        for machine in 'pc', 'q35', 'microvm':
            with self.subTest(machine), \
                 self.kvm_vm(f'{machine},shared-pages=on',
                             '-only-migratable') as vm:
                told = {entry['name']: entry['value'] for entry in
                        vm.command('query-guest-abi')['entries']}
                self.assertEqual((told['x86.shared-pages'],
                                  told['x86.cpuid-40000001-eax'] >> 16 & 3),
                                 (1, 3))
                info = vm.command('query-shared-pages')
                self.assertEqual((info['enabled'], info['pages']), (True, 0))
                self.assertEqual(vm.command('query-migrate'),
                                 {'blocked-reasons': [NOT_READY]})
                with self.assertRaises(QemuError) as caught:
                    vm.command('migrate', uri='file:never')
                self.assertEqual(str(caught.exception),
                                 f'migrate: {NOT_READY}')

    def _send_from_private_page(self, machine):
        """What query-shared-pages and the events say of a card that does"""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'qtest'
            with self.kvm_vm(machine, *NIC, *QtestPort.OPTIONS,
                             f'unix:{path},server=on,wait=off') as vm, \
                 QtestPort(path) as port:
                port.set_pci(NIC_CONFIG + 0x10, NIC_AT)
                port.set_pci(NIC_CONFIG + 0x4, 6)
                for register, value in START_SENDING:
                    port.write('writel', NIC_AT + register, value)
                info = vm.command('query-shared-pages')
                if info['refused']:
                    self.await_true(lambda: vm.state() and any(
                        event['event'] == 'SHARED_PAGES_REFUSED'
                        for event in vm.events))
                return info, [event['data'] for event in vm.events
                              if event['event'] == 'SHARED_PAGES_REFUSED']

    def test_device_under_kvm_does_not_reach_a_private_page(self):
        refusal = {'device': 'nic', 'path': '/machine/peripheral/nic',
                   'accesses': 1, 'address': RING, 'write': False}
        for machine in 'pc', 'q35':
            with self.subTest(machine):
                info, events = self._send_from_private_page(
                    f'{machine},shared-pages=enforce')
                self.assertEqual((info['enforced'], info['refused'],
                                  info['refusals'], events),
                                 (True, 1, [refusal], [refusal]))
                info, events = self._send_from_private_page(
                    f'{machine},shared-pages=on')
                self.assertEqual((info['enforced'], info['refused'], events),
                                 (False, 0, []))

    def await_true(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_guest_under_kvm_that_sleeps_is_ready_when_it_wakes(self):
        """A reset makes it not ready, which this is to QEMU's devices."""
        image = self.build / 'guests/sleep-guest.bin'
        if not image.is_file():
            self.skipTest('there is no compiler for its guest')
        with self.kvm_vm('q35,shared-pages=on', '-bios', image) as vm:
            def came():
                return int.from_bytes(vm.read_memory(RESULTS, 8), 'little')

            vm.command('cont')
            self.await_true(lambda: vm.state() == 'suspended')
            self.assertEqual(vm.command('query-migrate'), {})
            vm.command('system_wakeup')
            self.await_true(lambda: came() == 2)
            self.assertEqual(vm.command('query-migrate'), {})
            vm.command('system_reset')
            self.await_true(lambda: came() == 3)
            self.assertEqual(vm.command('query-migrate'),
                             {'blocked-reasons': [NOT_READY]})

    def test_options_that_contradict_are_refused(self):
        for options, text in (
                ((',guest-abi=off',),
                 'guest-abi=off contradicts shared-pages=on: '),
                (('', '-cpu', 'host,-arch-capabilities,kvm=off'),
                 'shared-pages: -cpu ...,kvm=off hides from the guest how ')):
            with self.subTest(text):
                with self.assertRaises(QemuError) as caught:
                    with self.kvm_vm('pc,shared-pages=on' + options[0],
                                     *options[1:]) as vm:
                        vm.command('query-status')
                self.assertIn(text, str(caught.exception))

    def test_stock_machines_have_no_list(self):
        with self.vm() as vm:
            self.assertFalse(vm.command('query-shared-pages')['enabled'])
            self.assertNotIn('blocked-reasons', vm.command('query-migrate'))


def main():
    PagesGuest.build = tap.arguments(__doc__, build=True).build.resolve()
    return tap.run(PagesGuest)
