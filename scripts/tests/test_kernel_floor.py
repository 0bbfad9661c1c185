# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests -machine kernel-floor= with whole VMs, on virt, q35 and microvm.

Which features a device offers a guest at each floor is what QEMU itself says of
it (x-query-virtio-status). Without a kernel's help the backend is a played one,
which offers everything but USO: of that, which QEMU has with TAP only, the device's
properties are read. Where this host has TAP, and whoever runs the test may
use it, the contract is tested with the kernel's: two VMs of which one lacks a
feature are as two hosts of which one has an older kernel. Prints TAP.
"""

import os
from pathlib import Path
import re
import subprocess
import sys
import tempfile
import unittest

from qemu_hvc import tap
from qemu_hvc.qmp import PATIENCE_S, Qemu, QemuError
from vhost_user import VhostUserBackend

FLOORS = ('none', 'linux-5.10', 'linux-6.1', 'linux-6.12', 'linux-6.18')
# Properties that a floor switches off: literal values, not the table's
OFF = {
    'none': {'guest_uso4', 'guest_uso6', 'host_uso', 'queue_reset',
             'seqpacket', 'in_order'},
    'linux-5.10': {'guest_uso4', 'guest_uso6', 'host_uso', 'queue_reset',
                   'seqpacket', 'in_order'},
    'linux-6.1': {'guest_uso4', 'guest_uso6', 'host_uso', 'queue_reset',
                  'in_order'},
    'linux-6.12': {'in_order'},
    'linux-6.18': set(),
}
# A property of virtio-net, and what x-query-virtio-status calls its feature
BITS = {
    'guest_uso4': 'VIRTIO_NET_F_GUEST_USO4',
    'guest_uso6': 'VIRTIO_NET_F_GUEST_USO6',
    'host_uso': 'VIRTIO_NET_F_HOST_USO',
    'queue_reset': 'VIRTIO_F_RING_RESET',
    'in_order': 'VIRTIO_F_IN_ORDER',
    'packed': 'VIRTIO_F_RING_PACKED',
    'hash': 'VIRTIO_NET_F_HASH_REPORT',
    'guest_rsc_ext': 'VIRTIO_NET_F_RSC_EXT',
}
USO = ('guest_uso4', 'guest_uso6', 'host_uso')
ON_BY_DEFAULT = {*USO, 'queue_reset'}
# The contract's words for those
WORDS = {'guest_uso4': 'guest-uso4', 'guest_uso6': 'guest-uso6',
         'host_uso': 'host-uso', 'queue_reset': 'ring-reset'}
# Of QEMU 10.2 and later, and there of its newest types by default
TUNNELS = {f'{side}_tunnel{csum}' for side in ('guest', 'host')
           for csum in ('', '_csum')}
TUNNEL_WORDS = {f'{side}-udp-tunnel-gso{csum}' for side in ('guest', 'host')
                for csum in ('', '-csum')}
HAVE_TUNNELS = (None, 'linux-6.18')
USO_OFF = ','.join(f'{name}=off' for name in USO)

# The program of QEMU, a machine, and its virtio-net device
BOARDS = {
    'virt': ('qemu-system-aarch64', 'virt-10.0', 'virtio-net-pci'),
    'q35': ('qemu-system-x86_64', 'pc-q35-10.0', 'virtio-net-pci'),
    'microvm': ('qemu-system-x86_64', 'microvm', 'virtio-net-device'),
}
# A NIC's ROM has no part in this, and is not on every machine.
NO_ROM = {'virt': ',romfile=', 'q35': ',romfile=', 'microvm': ''}
COMMON = ('-accel', 'tcg', '-nodefaults', '-display', 'none', '-S')

# linux/if_tun.h: can a TAP device with USO be made?
MAKE_TAP = '''
import fcntl, os, struct
tun = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca,
            struct.pack('16sH22x', b'', 0x0002 | 0x1000 | 0x4000))
fcntl.ioctl(tun, 0x400454d0, 0x01 | 0x20 | 0x40)
'''
# In a network of its own a program leaves this machine's alone.
OWN_NETWORK = ('unshare', '-r', '-n')


def no_tap():
    """Why TAP cannot be used here; None if it can"""
    try:
        made = subprocess.run([*OWN_NETWORK, sys.executable, '-c', MAKE_TAP],
                              text=True, capture_output=True, check=False,
                              timeout=PATIENCE_S)
    except OSError as error:
        return f'unshare: {error.strerror}'
    return None if made.returncode == 0 else \
        'no TAP device with USO, which Linux has since 6.2, can be made ' \
        'here: ' + (made.stderr.strip().splitlines() or ['?'])[-1]


def no_device(path):
    """Why a device of the host's cannot be used here; None if it can"""
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError as error:
        return f'{path}: {error.strerror}'
    return None


class Vms(unittest.TestCase):
    """VMs that do not run; their sockets are in a folder of the test."""

    build = None
    # In front of QEMU's command line
    wrapper = ()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.backends = 0

    def start(self, board, options='', *more, machine=None, qemu='qemu'):
        program, name, _ = BOARDS[board]
        command = [*self.wrapper, self.build / qemu / program, '-machine',
                   (machine or name) + options, *COMMON, *more]
        vm = Qemu(*command, patience_s=PATIENCE_S)
        self.addCleanup(vm.__exit__)
        return vm

    def refused(self, board, *arguments):
        with self.assertRaises(QemuError) as raised:
            self.start(board, *arguments)
        return str(raised.exception)

    def migrate(self, source, destination):
        """How it ends: the destination's error, None if there is none"""
        for vm in source, destination:
            vm.set_capabilities(['return-path'])
        uri = f'unix:{self.folder}/migration'
        destination.command('migrate-incoming', uri=uri,
                            **{'exit-on-error': False})
        source.command('migrate', uri=uri)
        source.wait_migration()
        info = destination.wait_migration()
        return None if info['status'] == 'completed' else info['error-desc']

    def check(self, source, destination):
        """What check-guest-abi says of the source, in one text"""
        verdicts = destination.command('check-guest-abi',
                                       **source.command('query-guest-abi'))
        return [verdict['error'] for verdict in verdicts if not verdict['ok']]

    def played_net(self, board, name='net0', device=''):
        """Options for a NIC whose backend offers everything"""
        self.backends += 1
        path = self.folder / f'backend{self.backends}'
        backend = VhostUserBackend(path)
        self.addCleanup(backend.__exit__)
        return ('-chardev', f'socket,id=c-{name},path={path}',
                '-netdev', f'vhost-user,id=n-{name},chardev=c-{name}',
                '-device', f'{BOARDS[board][2]},netdev=n-{name},id={name}'
                f'{NO_ROM[board]}{device}')

    @staticmethod
    def features(vm):
        """What each virtio device offers: its names, by its path"""
        found = {}
        for device in vm.command('x-query-virtio'):
            status = vm.command('x-query-virtio-status', path=device['path'])
            features = status['host-features']
            found[device['path']] = {
                text.partition(':')[0] for text in
                features.get('dev-features', []) + features['transports']}
        return found

    def net_features(self, vm):
        """Those of the only virtio device"""
        found = self.features(vm)
        self.assertEqual(len(found), 1, found)
        return found.popitem()[1]

    def asked_for(self, vm, name='net0'):
        """The properties of a NIC with a played backend that make it offer
        something"""
        device = f'/machine/peripheral/{name}'
        offered = self.net_features(vm)
        return {name for name, bit in BITS.items() if
                (vm.command('qom-get', path=device, property=name)
                 if name in USO else bit in offered)}

    @staticmethod
    def compat_rows(vm, machine):
        """Properties that a machine type switches off, with their drivers"""
        for row in vm.command('query-machines', **{'compat-props': True}):
            if machine in (row['name'], row.get('alias')):
                return {(prop['qom-type'], prop['property'])
                        for prop in row['compat-props']
                        if prop['value'] == 'off'}
        raise AssertionError(machine)


class OneSide(Vms):
    """Migrations between a VM with a floor and one that has a contract, but no
    floor"""

    # What chooses on virt the services of the floor, and no floor of devices
    WITHOUT = {'virt': ',hvc-services={}', 'q35': ',guest-abi=on',
               'microvm': ',guest-abi=on'}

    def assert_refused(self, source, destination, text):
        self.assertEqual(self.check(source, destination), [text])
        self.assertEqual(self.migrate(source, destination), text)

    def check_one_side(self, board):
        for floor in FLOORS:
            options = f',kernel-floor={floor}'
            without = self.WITHOUT[board].format(floor)
            with self.subTest(floor=floor):
                self.assert_refused(
                    self.start(board, without),
                    self.start(board, options, '-incoming', 'defer'),
                    'guest-abi: incoming VM has no kernel-floor, this VM has '
                    f'kernel-floor={floor}; start this QEMU with the source\'s '
                    '-machine options, without a kernel-floor')
                self.assert_refused(
                    self.start(board, options),
                    self.start(board, without, '-incoming', 'defer'),
                    f'guest-abi: incoming VM has kernel-floor={floor}, this '
                    "VM has none; start this QEMU with the source's -machine "
                    f'kernel-floor={floor}')

    def check_both_sides(self, board):
        """What the same options are"""
        for options in (self.WITHOUT[board].format('linux-6.1'),
                        ',kernel-floor=linux-6.1'):
            with self.subTest(options=options):
                source = self.start(board, options)
                destination = self.start(board, options, '-incoming', 'defer')
                self.assertEqual(self.check(source, destination), [])
                self.assertIsNone(self.migrate(source, destination))


class Devices(Vms):
    """What devices offer; add_bit_tests() adds a test for each board."""

    def check_bits(self, board):
        for floor in (None, *FLOORS):
            options = f',kernel-floor={floor}' if floor else ''
            off = OFF[floor] if floor else set()
            with self.subTest(floor=floor):
                vm = self.start(board, options, *self.played_net(board))
                self.assertEqual(self.asked_for(vm), ON_BY_DEFAULT - off)
                rows = self.kernel_rows(vm, BOARDS[board][1])
                if floor in HAVE_TUNNELS:
                    # A later QEMU's older types have none in any case.
                    rows -= {('virtio-net-device', name) for name in TUNNELS}
                self.assertEqual(rows, self.wanted_rows(floor))

    def kernel_rows(self, vm, machine):
        """Defaults of all drivers, vhost-vsock's among them, which needs a
        kernel to be made"""
        return {(driver, name)
                for driver, name in self.compat_rows(vm, machine)
                if driver in ('virtio-net-device', 'vhost-vsock-device',
                              'vhost-scsi')}

    @staticmethod
    def wanted_rows(floor):
        if not floor:
            return set()
        net = OFF[floor] - {'seqpacket'} | {'packed', 'hash', 'guest_rsc_ext'}
        if floor not in HAVE_TUNNELS:
            net |= TUNNELS
        vsock = OFF[floor] & {'seqpacket'} | {'queue_reset', 'packed'}
        return {*(('virtio-net-device', name) for name in net),
                *(('vhost-vsock-device', name) for name in vsock),
                ('vhost-scsi', 'queue_reset'), ('vhost-scsi', 'in_order')}

    def check_user_wins(self, board):
        """Each feature at each floor, as the user sets the property"""
        everything = ''.join(f',{name}=on' for name in BITS)
        nothing = everything.replace('=on', '=off')
        # From 10.2 on "hash" takes more than a backend that offers it.
        possible = self.asked_for(self.start(
            board, '', *self.played_net(board, device=everything)))
        self.assertLessEqual(set(BITS) - {'hash'}, possible)
        for floor in FLOORS:
            for device, wanted in (everything, True), (nothing, False):
                with self.subTest(floor=floor, wanted=wanted):
                    vm = self.start(board, f',kernel-floor={floor}',
                                    *self.played_net(board, device=device))
                    self.assertEqual(self.asked_for(vm),
                                     possible if wanted else set())

    def test_global_wins(self):
        vm = self.start('q35', ',kernel-floor=linux-5.10', '-global',
                        'virtio-net-pci.host_uso=on', '-global',
                        'virtio-net-device.guest_uso4=on',
                        *self.played_net('q35'))
        self.assertEqual(self.asked_for(vm), {'host_uso', 'guest_uso4'})

    def test_board_nic(self):
        """Of a NIC that the board makes"""
        vm = self.start('virt', ',kernel-floor=linux-6.1', '-nic',
                        'user,model=virtio-net-pci,restrict=on')
        self.assertNotIn('VIRTIO_F_RING_RESET', self.net_features(vm))

    def test_hot_plugged(self):
        for board in ('virt', 'q35'):
            for floor in ('linux-6.1', 'linux-6.12'):
                with self.subTest(board=board, floor=floor):
                    port = ('-device', 'pcie-root-port,id=rp')
                    vm = self.start(board, f',kernel-floor={floor}', *port)
                    path = self.folder / f'{board}-{floor}'
                    backend = VhostUserBackend(path)
                    self.addCleanup(backend.__exit__)
                    vm.command('chardev-add', id='c', backend={
                        'type': 'socket', 'data': {
                            'server': False, 'addr': {
                                'type': 'unix', 'data': {
                                    'path': str(path)}}}})
                    vm.command('netdev_add', type='vhost-user', id='n',
                               chardev='c')
                    vm.command('device_add', driver='virtio-net-pci',
                               netdev='n', id='net0', bus='rp')
                    self.assertEqual(self.asked_for(vm),
                                     ON_BY_DEFAULT - OFF[floor])

    def check_kernel_device(self, option, driver, bits):
        for floor in (None, *FLOORS):
            with self.subTest(floor=floor):
                vm = self.start('virt',
                                f',kernel-floor={floor}' if floor else '',
                                '-device', f'{driver},{option}')
                offered = self.net_features(vm)
                for name, bit in bits.items():
                    self.assertEqual(bit in offered,
                                     not floor or name not in OFF[floor])

    def test_vhost_vsock(self):
        reason = no_device('/dev/vhost-vsock')
        if reason:
            self.skipTest(reason)
        self.check_kernel_device('guest-cid=9', 'vhost-vsock-pci',
                                 {'seqpacket': 'VIRTIO_VSOCK_F_SEQPACKET'})

    def test_as_unpatched(self):
        """Without the option a device offers what an unpatched QEMU's does"""
        if not (self.build / 'stock').exists():
            self.skipTest('the unpatched QEMU was not built')
        for board, machine in (('virt', 'virt-7.1'), ('virt', 'virt-8.1'),
                               ('virt', 'virt-9.0'), ('virt', 'virt-10.0'),
                               ('q35', 'pc-q35-7.1'), ('q35', 'pc-q35-10.0'),
                               ('microvm', 'microvm')):
            with self.subTest(machine=machine):
                found = [self.net_features(self.start(
                    board, '', *self.played_net(board, f'net{number}'),
                    machine=machine, qemu=qemu))
                    for number, qemu in enumerate(('qemu', 'stock'))]
                self.assertEqual(*found)


class Options(Vms):
    """What can be said, where, and what is wrong with it"""

    def test_every_machine(self):
        for program in sorted({row[0] for row in BOARDS.values()}):
            vm = Qemu(self.build / 'qemu' / program, '-machine', 'none',
                      *COMMON, patience_s=PATIENCE_S)
            self.addCleanup(vm.__exit__)
            types = [row['name'] for row in
                     vm.command('qom-list-types', implements='machine')]
            self.assertGreater(len(types), 10)
            without = [name for name in types if 'kernel-floor' not in {
                row['name'] for row in
                vm.command('qom-list-properties', typename=name)}]
            self.assertEqual(without, [])

    def test_machine_without_any_of_it(self):
        for board, machine in (('virt', 'none'), ('virt', 'raspi3b'),
                               ('q35', 'isapc'), ('q35', 'none')):
            with self.subTest(machine=machine):
                vm = self.start(board, ',kernel-floor=linux-6.1',
                                machine=machine)
                contract = vm.command('query-guest-abi')
                self.assertTrue(contract['migrated'])
                floor = [entry for entry in contract['entries']
                         if entry['name'] == 'machine.kernel-floor']
                self.assertEqual(floor, [{
                    'name': 'machine.kernel-floor', 'value': 0x60001,
                    'hex': '0x60001', 'rule': 'exact', 'origin': 'floor',
                    'names': ['linux-6.1', 'no device follows the kernel']}])

    def test_unknown_floor(self):
        self.assertIn(
            "kernel-floor: 'linux-6.2' is not a floor (none, linux-5.10, "
            'linux-6.1, linux-6.12, linux-6.18); use kernel-floor=linux-6.1, '
            'the newest floor below it',
            self.refused('q35', ',kernel-floor=linux-6.2'))
        self.assertIn("did you mean 'linux-6.12'?",
                      self.refused('virt', ',kernel-floor=linx-6.12'))

    def test_contradictions(self):
        for options, text in (
            (',hvc-services=host,kernel-floor=linux-6.1',
             'hvc-services=host contradicts kernel-floor=linux-6.1: services '
             'of any kernel are not those of the oldest one; leave out '
             'hvc-services, or kernel-floor'),
            (',kernel-floor=linux-6.1,hvc-services=linux-6.18',
             'hvc-services=linux-6.18 contradicts kernel-floor=linux-6.1: its '
             'floor is that of a newer kernel; leave out hvc-services, or use '
             'kernel-floor=linux-6.18'),
        ):
            self.assertIn(text, self.refused('virt', options))
        for board in 'virt', 'q35':
            for options in (',guest-abi=off,kernel-floor=linux-6.1',
                            ',kernel-floor=linux-6.1,guest-abi=off'):
                self.assertIn(
                    'guest-abi=off contradicts kernel-floor=linux-6.1: what a '
                    'guest was promised has to be in its migration stream; '
                    'leave out guest-abi=off, or kernel-floor',
                    self.refused(board, options))

    def test_cannot_be_changed(self):
        vm = self.start('q35', ',kernel-floor=linux-6.1')
        with self.assertRaisesRegex(QemuError, 'cannot be changed after the '
                                    'machine was created; give it on the'):
            vm.command('qom-set', path='/machine', property='kernel-floor',
                       value='linux-6.12')
        self.assertEqual(vm.machine_property('kernel-floor'), 'linux-6.1')

    def test_no_floor(self):
        vm = self.start('q35')
        self.assertEqual(vm.machine_property('kernel-floor'), '')
        self.assertFalse(vm.command('query-guest-abi')['migrated'])

    def test_help(self):
        texts = {}
        for board, (program, machine, _) in BOARDS.items():
            result = subprocess.run(
                [self.build / 'qemu' / program, '-machine',
                 f'{machine},kernel-floor=help'], text=True,
                capture_output=True, check=False, timeout=PATIENCE_S)
            self.assertEqual((result.returncode, result.stderr), (0, ''))
            texts[board] = result.stdout
        self.assertEqual(texts['q35'], texts['microvm'])
        self.assertTrue(texts['virt'].startswith(texts['q35']))
        self.assertIn('\n  linux-6.12   hosts from Linux 6.12 on   PSCI 1.1  '
                      'trng:pv-time:vendor-features:ptp\n', texts['virt'])
        rows = re.findall(
            r'(?m)^  (\S+) +(\S+) +bit (\d+) +Linux (\S+) +(\S+)$',
            texts['q35'])
        self.assertIn(('ring-reset', 'vhost-net', '40', '6.3', 'queue_reset'),
                      rows)
        self.assertEqual(len(rows), texts['q35'].count(' Linux ')
                         - texts['q35'].count('from Linux')
                         - texts['q35'].count('first Linux'))


class Services(Vms):
    """On virt the floor is the default of the hypercall services."""

    GIVEN = {
        'none': ('none', '1.1'),
        'linux-5.10': ('none', '1.0'),
        'linux-6.1': ('trng:pv-time:vendor-features:ptp', '1.1'),
        'linux-6.12': ('trng:pv-time:vendor-features:ptp', '1.1'),
        'linux-6.18': ('trng:pv-time:vendor-features:ptp', '1.3'),
    }

    def services(self, options, machine=None):
        vm = self.start('virt', options, machine=machine)
        origins = {entry['name']: entry['origin'] for entry in
                   vm.command('query-guest-abi')['entries']}
        return (vm.machine_property('hvc-services-list'),
                vm.machine_property('psci-version'),
                origins.get('arm.std-bmap'), origins.get('arm.psci-version'))

    def test_default(self):
        for floor, given in self.GIVEN.items():
            for machine in 'virt-10.0', 'virt-hvc-9.0', 'virt-hvc-10.0':
                with self.subTest(floor=floor, machine=machine):
                    # "none" names no kernel, and so no PSCI version.
                    self.assertEqual(
                        self.services(f',kernel-floor={floor}', machine),
                        (*given, 'floor',
                         'default' if floor == 'none' else 'floor'))

    def test_named_services_stay(self):
        everything = 'trng:pv-time:vendor-features:ptp'
        for options, wanted in (
            (',kernel-floor=linux-6.18,hvc-services=linux-6.1',
             (everything, '1.1', 'option', 'option')),
            (',hvc-services=ptp,kernel-floor=linux-6.18',
             ('ptp', '1.3', 'option', 'floor')),
            (',hvc-services=none,kernel-floor=linux-5.10',
             ('none', '1.0', 'option', 'floor')),
            (',kernel-floor=linux-6.12,psci-version=1.0',
             (everything, '1.0', 'floor', 'option')),
            (',kernel-floor=linux-6.1,hvc-services=linux-6.1:-ptp',
             ('trng:pv-time:vendor-features', '1.1', 'option', 'option')),
        ):
            with self.subTest(options=options):
                self.assertEqual(self.services(options), wanted)

    def test_no_conduit(self):
        """A guest that cannot call a service is promised none."""
        vm = self.start('virt', ',kernel-floor=linux-6.1,secure=on', '-bios',
                        '/dev/null')
        names = [entry['name'] for entry in
                 vm.command('query-guest-abi')['entries']]
        self.assertIn('machine.kernel-floor', names)
        self.assertEqual([name for name in names
                          if re.search('-bmap|psci', name)], [])
        self.assertEqual({name: vm.machine_property(name) for name in (
            'hvc-services', 'hvc-services-list', 'psci-version',
            'kernel-floor')}, {
                'hvc-services': 'host', 'hvc-services-list': 'host',
                'psci-version': 'host', 'kernel-floor': 'linux-6.1'})
        self.assertIn(
            'psci-version=1.1: this guest has no conduit to call PSCI through',
            self.refused('virt', ',kernel-floor=linux-6.1,secure=on,'
                         'psci-version=1.1', '-bios', '/dev/null'))

    def test_types(self):
        """The floor of a virt-hvc type is its devices' too, and the user's
        goes before it."""
        for machine, floor in (('virt-hvc-9.0', 'linux-5.10'),
                               ('virt-hvc-9.2', 'linux-6.1'),
                               ('virt-hvc-10.0', 'linux-6.12')):
            for options, wanted in (('', floor),
                                    (',kernel-floor=linux-6.18', 'linux-6.18'),
                                    (',kernel-floor=linux-5.10',
                                     'linux-5.10')):
                with self.subTest(machine=machine, options=options):
                    vm = self.start('virt', options, *self.played_net('virt'),
                                    machine=machine)
                    self.assertEqual(vm.machine_property('kernel-floor'),
                                     wanted)
                    self.assertEqual(self.asked_for(vm),
                                     ON_BY_DEFAULT - OFF[wanted])


class Contract(Vms):
    """Entries of devices that have a TAP"""

    wrapper = OWN_NETWORK
    ADDRESS = {'virt': ',addr=1', 'q35': ',addr=2', 'microvm': ''}

    def setUp(self):
        super().setUp()
        reason = no_tap()
        if reason:
            self.skipTest(reason)

    def tap_net(self, board, device='', *, name='net0', address=None,
                vhost='off'):
        """Options for a NIC whose backend is the kernel's"""
        if address is None:
            address = self.ADDRESS[board]
        return ('-netdev', f'tap,id=n-{name},script=no,downscript=no,'
                f'vhost={vhost}', '-device',
                f'{BOARDS[board][2]},netdev=n-{name},id={name}{NO_ROM[board]}'
                f'{address}{device}')

    @staticmethod
    def entries(vm):
        return {entry['name']: entry for entry in
                vm.command('query-guest-abi')['entries']
                if entry['name'].startswith('virtio.')}

    def check_entry(self, board):
        for floor in (None, *FLOORS):
            options = f',kernel-floor={floor}' if floor else ',guest-abi=on'
            off = OFF[floor] if floor else set()
            with self.subTest(floor=floor):
                vm = self.start(board, options, *self.tap_net(board))
                name, entry = self.entries(vm).popitem()
                self.assertRegex(name, r'^virtio\.\S+$')
                offered = self.net_features(vm)
                self.assertEqual({name for name, bit in BITS.items()
                                  if bit in offered}, ON_BY_DEFAULT - off)
                names = [name for name in entry['names']
                         if floor not in HAVE_TUNNELS or
                         name not in TUNNEL_WORDS]
                self.assertEqual(names, [word for name, word in WORDS.items()
                                         if name not in off])
                self.assertEqual((entry['rule'], entry['origin'],
                                  entry['device']),
                                 ('subset', 'floor' if floor else 'default',
                                  'net0'))

    @staticmethod
    def told(source):
        """What the source says that the destination has said, as far as the
        message has room for it"""
        return source.command('query-migrate')['error-desc'].removeprefix(
            'the destination refused this VM: ').partition(' [...]')[0]

    def pair(self, board, source, destination):
        """Two VMs; each is (machine options, device options)"""
        return (self.start(board, source[0], *self.tap_net(board, source[1])),
                self.start(board, destination[0],
                           *self.tap_net(board, destination[1]), '-incoming',
                           'defer'))

    def check_refused(self, board):
        source, destination = self.pair(board, (',guest-abi=on', ''),
                                        (',guest-abi=on', ',' + USO_OFF))
        path = next(iter(self.entries(source))).removeprefix('virtio.')
        text = 'guest-abi: incoming VM\'s device at ' + path + \
            f", here 'net0' ({BOARDS[board][2]} with tap), offers its guest " \
            'guest-uso4, guest-uso6, host-uso (tap, Linux 6.2), which this ' \
            "host's does not have; use " \
            'a host and a backend that have them, or restart the VM at ' \
            'the source with guest_uso4=off,guest_uso6=off,host_uso=off of ' \
            'the device, or with -machine kernel-floor=linux-6.1'
        self.assertEqual(self.check(source, destination), [text])
        self.assertEqual(self.migrate(source, destination), text)
        self.assertTrue(text.startswith(self.told(source)))

    def check_same_floor(self, board):
        for floor in FLOORS if board == 'q35' else ('linux-6.1', ):
            with self.subTest(floor=floor):
                options = f',kernel-floor={floor}'
                source, destination = self.pair(board, (options, ''),
                                                (options, ''))
                self.assertEqual(self.check(source, destination), [])
                self.assertIsNone(self.migrate(source, destination))

    def test_other_floor(self):
        source, destination = self.pair('q35', (',kernel-floor=linux-6.1', ''),
                                        (',kernel-floor=linux-6.12', ''))
        text = 'guest-abi: incoming VM has kernel-floor=linux-6.1, this VM ' \
            'has kernel-floor=linux-6.12; start this QEMU with the source\'s ' \
            '-machine kernel-floor=linux-6.1'
        self.assertEqual(self.check(source, destination), [text])
        self.assertEqual(self.migrate(source, destination), text)
        source, destination = self.pair('q35', (',kernel-floor=none', ''),
                                        (',guest-abi=on', ''))
        self.assertEqual(self.check(source, destination), [
            'guest-abi: incoming VM has kernel-floor=none, this VM has none; '
            'start this QEMU with the source\'s -machine kernel-floor=none'])

    def test_user_is_visible(self):
        vm = self.start('virt', ',kernel-floor=linux-6.1',
                        *self.tap_net('virt', ',host_uso=on'))
        entry = self.entries(vm)['virtio.0000:00:01.0']
        self.assertEqual((entry['names'], entry['origin']),
                         (['host-uso'], 'option'))

    def test_device_is_not_there(self):
        source = self.start('q35', ',guest-abi=on', *self.tap_net('q35'))
        destination = self.start('q35', ',guest-abi=on', '-incoming', 'defer')
        text = 'guest-abi: incoming VM has a virtio device at 0000:00:02.0 ' \
            'that this VM has not, and which offers its guest guest-uso4, ' \
            'guest-uso6, host-uso (tap, Linux 6.2), ring-reset (vhost-net, ' \
            'Linux 6.3); start this QEMU ' \
            'with the source\'s -device options, and with one for each ' \
            'device that was plugged in since'
        self.assertEqual(self.check(source, destination), [text])
        self.assertEqual(self.migrate(source, destination), text)

    def test_hot_plugged(self):
        port = ('-device', 'pcie-root-port,id=rp,addr=3')
        source = self.start('q35', ',guest-abi=on', *port)
        self.assertEqual(self.entries(source), {})
        source.command('netdev_add', type='tap', id='n', script='no',
                       downscript='no')
        source.command('device_add', driver='virtio-net-pci', netdev='n',
                       id='late', bus='rp', romfile='')
        name = 'virtio.0000:00:03.0:00.0'
        self.assertEqual(list(self.entries(source)), [name])
        for options, fits in ('', True), (',' + USO_OFF, False):
            destination = self.start(
                'q35', ',guest-abi=on', *port, '-netdev',
                'tap,id=n,script=no,downscript=no', '-device',
                f'virtio-net-pci,netdev=n,id=late,bus=rp,romfile={options}',
                '-incoming', 'defer')
            self.assertEqual(not self.check(source, destination), fits)
        source.command('device_del', id='late')
        self.assertEqual(list(self.entries(source)), [name])

    def test_home(self):
        """A guest that came from an older kernel goes back, until it boots."""
        old, new = self.pair('q35', (',guest-abi=on', ',' + USO_OFF),
                             (',guest-abi=on', ''))
        home = self.start('q35', ',guest-abi=on',
                          *self.tap_net('q35', ',' + USO_OFF), '-incoming',
                          'defer')
        self.assertIsNone(self.migrate(old, new))
        self.assertEqual(self.entries(new)['virtio.0000:00:02.0']['names'],
                         ['ring-reset'])
        self.assertEqual(self.check(new, home), [])
        new.command('system_reset')
        self.assertEqual(self.entries(new)['virtio.0000:00:02.0']['names'],
                         ['guest-uso4', 'guest-uso6', 'host-uso',
                          'ring-reset'])
        self.assertEqual(len(self.check(new, home)), 1)

    def test_vhost_net(self):
        reason = no_device('/dev/vhost-net')
        if reason:
            self.skipTest(reason)
        vm = self.start('virt', ',kernel-floor=linux-6.12',
                        *self.tap_net('virt', vhost='on'))
        names = self.entries(vm)['virtio.0000:00:01.0']['names']
        self.assertIn('ring-reset', names)

    def test_many(self):
        """More than 200 devices, behind bridges"""
        options = []
        for bridge in range(8):
            options += ['-device', f'pci-bridge,id=b{bridge},chassis_nr='
                        f'{bridge + 1},addr={bridge + 4}']
            for slot in range(1, 31):
                options += self.tap_net(
                    'q35', ',vectors=0', name=f'n{bridge}-{slot}',
                    address=f',bus=b{bridge},addr={slot:#x}')
        vm = self.start('q35', ',kernel-floor=linux-6.1', *options)
        entries = self.entries(vm)
        self.assertEqual(len(entries), 240)
        self.assertEqual({tuple(entry['names']) for entry in
                          entries.values()}, {()})
        vm.command('migrate', uri=f'file:{self.folder}/stream')
        self.assertEqual(vm.wait_migration()['status'], 'completed')


def add_tests():
    """One test for each board"""
    for case, names in ((OneSide, ('one_side', 'both_sides')),
                        (Devices, ('bits', 'user_wins')),
                        (Contract, ('entry', 'refused', 'same_floor'))):
        for name in names:
            for board in BOARDS:
                setattr(case, f'test_{name}_{board}',
                        lambda self, name=name, board=board:
                        getattr(self, f'check_{name}')(board))


def main():
    Vms.build = tap.arguments(__doc__, build=True).build.resolve()
    add_tests()
    return tap.run(Options, Services, OneSide, Devices, Contract)
