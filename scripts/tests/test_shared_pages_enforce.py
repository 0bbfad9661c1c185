# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Which devices a machine with shared-pages=enforce takes, and how they are.

A device is behind the IOMMU or is refused by name: at the start, when it is
plugged in, and when its backend is vhost (a played one). What a guest's driver
then meets is tested by hvc-guest-test. Prints TAP.
"""

from pathlib import Path
import sys
import tempfile
import unittest

from qemu_hvc import tap
from qemu_hvc.qmp import PATIENCE_S, Qemu, QemuError
from vhost_user import VhostUserBackend

ON = 'virt,hvc-services=linux-6.12:+mem-share'
ENFORCE = ON + ',shared-pages=enforce'
COMMON = ('-accel', 'tcg', '-nodefaults', '-display', 'none', '-S')
PORT = ('-device', 'pcie-root-port,id=rp')

# A device, and how it reaches memory; each would start without the option but
# for those that want something of the host
STRAYS = {
    'ramfb': 'fw_cfg',
    'vfio-pci,host=0000:00:00.0': 'VFIO',
    'vhost-user-rng-pci': 'vhost',
    'vhost-vdpa-device-pci': 'vhost',
    'virtio-iommu-pci': 'an IOMMU of its own',
}
# Devices as people have them
DEVICES = ('virtio-rng-pci', 'virtio-rng-device', 'virtio-serial-pci',
           'virtio-scsi-pci', 'virtio-balloon-pci', 'virtio-gpu-pci', 'edu',
           'qemu-xhci', 'nvme,serial=1', 'e1000e,romfile=', 'ahci',
           'pcie-pci-bridge', 'pxb-pcie,bus_nr=128')


class Enforce(unittest.TestCase):
    build = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def start(self, machine, *options):
        vm = Qemu(self.build / 'qemu/qemu-system-aarch64', '-machine', machine,
                  *COMMON, *options, patience_s=PATIENCE_S)
        self.addCleanup(vm.__exit__)
        return vm

    def refused(self, *options):
        with self.assertRaises(QemuError) as raised:
            self.start(ENFORCE, *options)
        return str(raised.exception)

    def features(self, vm):
        """By the type of the device"""
        return {device['name']: set(
            word.split(':')[0] for word in
            vm.command('x-query-virtio-status', path=device['path'])
            ['host-features']['transports'])
                for device in vm.command('x-query-virtio')}

    def types(self):
        vm = self.start('none')
        return {row['name'] for row in vm.command('qom-list-types')}

    def test_strays(self):
        known = self.types()
        tried = 0
        for device, way in STRAYS.items():
            if device.split(',')[0] not in known:
                continue
            tried += 1
            with self.subTest(device=device):
                text = self.refused('-device', device)
                self.assertIn("reaches the guest's memory through " + way,
                              text)
                self.assertIn('or use shared-pages=on', text)
        self.assertGreater(tried, 2)

    def test_board(self):
        self.assertIn('an IOMMU of its own', self.refused(
            '-machine', 'iommu=smmuv3'))
        self.assertIn('have bypass_iommu=on', self.refused(
            '-machine', 'default-bus-bypass-iommu=on'))
        self.assertIn('have bypass_iommu=on', self.refused(
            '-device', 'pxb-pcie,bus_nr=128,bypass_iommu=on'))

    def test_other_boards(self):
        """Refused before they are made: their own devices would be strays."""
        tried = 0
        for machine in self.start('none').command('query-machines'):
            name = machine['name']
            if name.startswith('virt-'):
                continue
            tried += 1
            with self.subTest(name), self.assertRaises(QemuError) as raised:
                self.start(f'{name},shared-pages=enforce')
            self.assertIn(f"shared-pages=enforce: guests of machine type "
                          f"'{name}' have no way to share pages here; needed: ",
                          str(raised.exception))
        self.assertGreater(tried, 40)

    def test_ways_of_the_machine(self):
        """QEMU itself would go to addresses that the guest gives."""
        for option, way in (('nvdimm', 'the method of NVDIMMs in ACPI (_DSM)'),
                            ('ras', 'the error records of ACPI (GHES)')):
            with self.subTest(option):
                self.assertIn(
                    f'shared-pages=enforce: with -machine {option}=on QEMU '
                    f"reaches the guest's memory through {way}, where it "
                    'cannot be held to shared pages; leave that out, or use '
                    'shared-pages=on',
                    self.refused('-machine', f'{option}=on'))
                self.start(ENFORCE + f',{option}=off')

    def test_legacy_drivers(self):
        for device in ('virtio-rng-pci-transitional',
                       'virtio-rng-pci,disable-legacy=off',
                       'virtio-net-pci-transitional,romfile='):
            with self.subTest(device):
                name = device.partition(',')[0]
                self.assertIn(f"shared-pages=enforce: device '{name}' is for "
                              'legacy drivers as well',
                              self.refused('-device', device))
        self.start(ENFORCE, '-device', 'virtio-rng-pci-non-transitional')

    def test_values(self):
        for value in 'yes', '', 'enforced', 'x' * 1000:
            with self.subTest(value):
                with self.assertRaises(QemuError) as raised:
                    self.start(f'virt,shared-pages={value}')
                self.assertIn('is not a value; needed: off, on, or enforce '
                              '(shared-pages=help says what they do)',
                              str(raised.exception))
                self.assertLess(len(str(raised.exception)), 300)

    def test_devices(self):
        """Each is taken, and what is virtio offers ACCESS_PLATFORM"""
        known = self.types()
        options = [word for device in DEVICES
                   if device.split(',')[0] in known
                   for word in ('-device', device)]
        for machine in (ON, ENFORCE):
            offered = self.features(self.start(machine, *options))
            self.assertGreater(len(offered), 4)
            for name, features in offered.items():
                with self.subTest(machine=machine, device=name):
                    self.assertEqual('VIRTIO_F_IOMMU_PLATFORM' in features,
                                     machine == ENFORCE)
                    if machine == ENFORCE:
                        self.assertIn('VIRTIO_F_VERSION_1', features)

    def test_user_says_otherwise(self):
        for option in ('-device virtio-rng-pci,iommu_platform=off',
                       '-device virtio-rng-device,iommu_platform=off',
                       '-global virtio-device.iommu_platform=off '
                       '-device virtio-rng-pci'):
            with self.subTest(option=option):
                self.assertIn('has iommu_platform=off, with which it reaches '
                              "all of the guest's memory",
                              self.refused(*option.split()))
        vm = self.start(ENFORCE, *PORT)
        with self.assertRaisesRegex(QemuError, "device 'a' .*iommu_platform"):
            vm.command('device_add', driver='virtio-rng-pci', id='a',
                       bus='rp', iommu_platform=False)
        vm.command('device_add', driver='virtio-rng-pci', id='a', bus='rp')

    def add_vhost_user(self, vm, path):
        vm.command('chardev-add', id='c', backend={
            'type': 'socket', 'data': {'server': False, 'addr': {
                'type': 'unix', 'data': {'path': str(path)}}}})
        vm.command('netdev_add', type='vhost-user', id='n', chardev='c')
        vm.command('device_add', driver='virtio-net-pci', netdev='n',
                   id='nic', bus='rp')

    def test_vhost(self):
        path = self.folder / 'on'
        with VhostUserBackend(path):
            self.add_vhost_user(self.start(ON, *PORT), path)
        path = self.folder / 'enforce'
        with VhostUserBackend(path):
            vm = self.start(ENFORCE, *PORT)
            with self.assertRaisesRegex(
                    QemuError, r"device 'nic' \(virtio-net-pci\) reaches the "
                    "guest's memory through vhost"):
                self.add_vhost_user(vm, path)
            self.assertNotIn('nic', {row['name'] for row in vm.command(
                'qom-list', path='/machine/peripheral')})

    def test_property(self):
        """What a VM says, with the option and without"""
        for options, mode in ((ON, 'on'), (ENFORCE, 'enforce'),
                              (ON + ',shared-pages=on', 'on'),
                              ('virt', 'off'), ('virt,shared-pages=off',
                                                'off')):
            with self.subTest(options=options):
                vm = self.start(options)
                self.assertEqual(vm.machine_property('shared-pages'), mode)
                info = vm.command('query-shared-pages')
                self.assertEqual(info['enabled'], mode != 'off')
                self.assertEqual(info['enforced'], mode == 'enforce')
                with self.assertRaises(QemuError) as raised:
                    vm.command('qom-set', path='/machine',
                               property='shared-pages', value='off')
                self.assertIn('shared-pages cannot be changed after the '
                              'machine was created; give it on the command '
                              'line: -machine shared-pages=off',
                              str(raised.exception))

    def test_migration(self):
        """To the same machine, and not to one whose devices reach everything"""
        devices = ('-device', 'virtio-rng-pci', '-device', 'virtio-rng-device')
        vm = self.start(ENFORCE, *devices)
        stream = f'file:{self.folder}/stream'
        vm.command('migrate', uri=stream)
        self.assertEqual(vm.wait_migration()['status'], 'completed')
        to = self.start(ENFORCE, *devices, '-incoming', 'defer')
        to.command('migrate-incoming', uri=stream)
        self.assertEqual(to.wait_migration()['status'], 'completed')
        for machine in (ON, ON + ',shared-pages=on'):
            with self.subTest(machine=machine):
                to = self.start(machine, *devices, '-incoming', 'defer')
                to.command('migrate-incoming', uri=stream,
                           **{'exit-on-error': False})
                info = to.wait_migration()
                self.assertEqual(info['status'], 'failed')
                self.assertIn('incoming VM has shared-pages=enforce, this VM '
                              'has shared-pages=on', info['error-desc'])

    def test_reset_of_devices(self):
        """A machine with devices boots twice, and refuses nothing by itself"""
        vm = self.start(ENFORCE, '-device', 'virtio-rng-pci', '-device',
                        'virtio-rng-device')
        for _ in range(2):
            vm.command('system_reset')
        self.assertEqual(vm.command('query-shared-pages')['refused'], 0)


def main():
    Enforce.build = tap.arguments(__doc__, build=True).build.resolve()
    return tap.run(Enforce)


if __name__ == '__main__':
    sys.exit(main())
