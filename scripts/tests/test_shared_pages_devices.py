# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What does each device do under shared-pages=enforce?

Goes through the devices that a user can add, of both emulators: each is behind
the IOMMU by its bus, is refused by name, or is one of those in a list of which
somebody has looked. A device of a newer QEMU that is none of this fails here, and is
refused by QEMU. The lists are those of the code, and the manual's. Prints TAP.
"""

from functools import cache
from pathlib import Path
import re
import subprocess
import sys
import unittest

from qemu_hvc import tap
from qemu_hvc.paths import ROOT
from qemu_hvc.qmp import PATIENCE_S, Qemu, QemuError

TARGETS = ('aarch64', 'x86_64')
PAGE = ROOT / 'docs/system/shared-pages.rst'
ENFORCE = ROOT / 'migration/shared-pages-enforce.c'
KNOWN = ROOT / 'migration/shared-pages-known.c'
BEHIND = ('pci-device', 'virtio-device')

# Of boards whose guests cannot share pages: nobody has looked at these.
OTHER_BOARDS = {'aspeed-otp', 'cfam', 'dm163', 'dpcd', 'fsi.master',
                'fsi.scratchpad', 'fsi.slave', 'led', 'nand'}
# Types and buses in our lists that QEMU has only as others build it, or in
# another version
ELSEWHERE = {'ccid-bus', 'tpm-crb', 'tpm-tis', 'tpm-tis-device',
             'vfio-pci-device', 'vfio-platform', 'vhost-user-scmi',
             'vhost-vdpa-device', 'x-pci-proxy-dev'}

# Files of QEMU's with PCI devices that also name the machine's own address
# space: what is in them was read. Boards and bridges of hosts are not asked.
PCI = re.compile(r'TYPE_PCI_DEVICE|PCIDeviceClass|\bPCI_DEVICE\(')
SYSTEM_MEMORY = re.compile(
    r'&address_space_memory\b|\bcpu_physical_memory_(?:read|write|rw|map)|'
    r'get_system_memory\(|\b(?:ld|st)\w+_phys\(')
BOARDS = ('alpha', 'arm', 'hppa', 'i386/pc', 'loongarch', 'm68k', 'mips',
          'pci-host', 'ppc', 'riscv', 's390x', 'sh4', 'sparc', 'sparc64')
FILES = {
    'i386/amd_iommu.c': 'refused',
    'isa/i82378.c': 'a bridge of other boards',
    'isa/lpc_ich9.c': 'maps its registers',
    'pci/pci.c': 'of buses without an IOMMU',
    'remote/machine.c': 'another machine',
    'scsi/vmw_pvscsi.c': 'refused',
    'sd/sdhci.c': 'on the system bus only, where it is refused',
    'usb/hcd-ehci-pci.c': 'refused',
    'virtio/virtio-pci.c': 'asks whether it has an IOMMU',
    'xen/xen-hvm-common.c': 'refused',
    'xen/xen_pt.c': 'refused',
    'xen/xen_pt_graphics.c': 'refused',
}

# What QEMU says, by the rule
WORDS = {'refused': "reaches the guest's memory through",
         'not looked at': 'nobody has looked whether'}
# Machines that can be asked: options without which there is no guest
VIRT = ('-machine', 'virt,hvc-services=linux-6.12:+mem-share,'
        'shared-pages=enforce', '-accel', 'tcg')
KVM = ('-accel', 'kvm', '-cpu', 'host,-arch-capabilities')
X86 = tuple(('-machine', f'{name},shared-pages=enforce', *KVM)
            for name in ('pc', 'q35'))
QUIET = ('-nodefaults', '-display', 'none', '-S')


def c_table(path, name):
    """The rows of a C table: string literals, of each row together"""
    text = path.read_text(encoding='utf-8')
    body = re.search(rf'\b{name}\[\] = {{\n(.*?)\n}};', text, re.S)[1]
    rows = [re.findall(r'"([^"]*)"', row)
            for row in re.findall(r'^    (?:\{ .*\}|".*"),$', body, re.M)]
    if len(rows) != len(re.findall(r',$', body, re.M)) or not all(rows):
        raise RuntimeError(f'{path.name}: {name} has rows in another form')
    return rows


def manuals_types(words):
    return set(re.findall(r'``([^`]+)``', words))


class Devices(unittest.TestCase):
    build: Path

    @classmethod
    def setUpClass(cls):
        cls.strays = {row[0]: row[1] for row in c_table(ENFORCE, 'strays')}
        cls.harmless = {row[0] for row in c_table(KNOWN, 'harmless')}
        cls.buses = {row[0] for row in c_table(KNOWN, 'controlled_buses')}

    @classmethod
    def emulator(cls, target):
        return cls.build / f'qemu/qemu-system-{target}'

    @classmethod
    @cache
    def parents(cls, target):
        """From each type to the one that it derives from"""
        with Qemu(cls.emulator(target), '-machine', 'none', *QUIET) as vm:
            return {row['name']: row.get('parent') for row in
                    vm.command('qom-list-types', abstract=True)}

    @classmethod
    @cache
    def listed(cls, target):
        """From each device that a user can add to the type of its bus"""
        text = subprocess.run(
            [cls.emulator(target), '-machine', 'none', '-device', 'help'],
            check=True, capture_output=True, text=True,
            timeout=PATIENCE_S).stdout
        return dict(re.findall(r'^name "([^"]+)"(?:, bus ([^,\n]+))?', text,
                               re.M))

    def ancestors(self, target, name):
        found = set()
        while name:
            found.add(name)
            name = self.parents(target).get(name)
        return found

    def rule(self, target, name):
        """In a word; None if there is none"""
        ancestors = self.ancestors(target, name)
        if ancestors & self.strays.keys():
            return 'refused'
        if ancestors.intersection(BEHIND):
            return 'behind'
        if self.listed(target)[name] in self.buses:
            return 'controlled'
        if ancestors & self.harmless:
            return 'harmless'
        return 'not looked at' if name in OTHER_BOARDS else None

    def test_each_device_has_a_rule(self):
        for target in TARGETS:
            rules = {name: self.rule(target, name)
                     for name in self.listed(target)}
            self.assertGreater(len(rules), 300)
            for rule in ('refused', 'behind', 'controlled', 'harmless'):
                self.assertIn(rule, rules.values())
            self.assertEqual(
                [name for name, rule in rules.items() if not rule], [],
                f'{target}: look how each reaches memory; needed: a row of '
                f'{ENFORCE.name} or {KNOWN.name}, and the manual')

    def test_rows_name_what_there_is(self):
        there = set()
        for target in TARGETS:
            there |= self.parents(target).keys()
        ours = {*self.strays, *self.harmless, *self.buses}
        self.assertEqual(ours - there - ELSEWHERE, set())
        self.assertEqual(self.strays.keys() & self.harmless, set())

    def test_pci_devices_that_name_the_systems_memory(self):
        """Being on a PCI bus alone does not put a device behind the IOMMU."""
        folder = self.build / 'src/hw'
        if not folder.is_dir():
            self.skipTest("QEMU's source is not in the build directory")
        found = set()
        for path in folder.rglob('*.c'):
            name = str(path.relative_to(folder))
            if name.startswith(BOARDS):
                continue
            text = path.read_text(encoding='utf-8')
            if PCI.search(text) and SYSTEM_MEMORY.search(text):
                found.add(name)
        self.assertEqual(found, set(FILES), 'read the new ones, and say here '
                         f'what they do, or refuse them in {ENFORCE.name}')

    # --- the manual ---

    def test_manual(self):
        page = PAGE.read_text(encoding='utf-8')
        table = re.search(r'\n.. _Refused devices:\n(.*?)\n\n(?=\S)', page,
                          re.S)[1]
        rows = re.findall(r'\n   \* - (.*?)\n     - (.*?)(?=\n   \*|\Z)', table,
                          re.S)[1:]
        self.assertEqual(
            {name: ' '.join(way.replace('``', '').split())
             for names, way in rows for name in manuals_types(names)},
            self.strays)
        for begin, expected in (('reach memory through it', self.buses),
                                ('Known to reach no page', self.harmless)):
            words = re.search(rf'{begin}[^:]*:\s([^.]*)\.', page)[1]
            self.assertEqual(manuals_types(words), expected, begin)

    # --- and QEMU ---

    def refusal(self, target, options, device):
        """What a QEMU with that device says; '' if it starts"""
        result = subprocess.run(
            [self.emulator(target), *options, *QUIET, '-device', device, '-qmp',
             'stdio'], input='{"execute": "qmp_capabilities"}'
            '{"execute": "quit"}', text=True, capture_output=True, check=False,
            timeout=PATIENCE_S)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        return result.stderr if result.returncode else ''

    def check(self, target, options, devices):
        """Which ones a machine refuses in our words. It may have none that is
        to be refused: QEMU's own words are then that there is no such bus, or
        that the machine takes no such device."""
        refused = set()
        for device in devices:
            rule = self.rule(target, device)
            with self.subTest(device, options=options):
                text = self.refusal(target, options, device)
                ours = 'shared-pages=enforce: ' in text
                if rule in WORDS:
                    self.assertTrue(text, 'it is taken')
                    self.assertIn(WORDS[rule] if ours else device, text)
                else:
                    self.assertFalse(ours, text)
                if ours:
                    refused.add(device)
        return refused

    def assert_among(self, names, found):
        self.assertEqual(names - found, set(), 'not refused in our words')

    def test_virt_refuses(self):
        devices = [name for name in self.listed('aarch64')
                   if self.rule('aarch64', name) not in ('behind',
                                                         'controlled')]
        refused = self.check('aarch64', VIRT, devices)
        self.assert_among({'ramfb', 'pvscsi', 'usb-ehci', 'led', 'dm163'},
                          refused)

    def test_x86_machines_refuse(self):
        devices = [name for name in self.listed('x86_64')
                   if self.rule('x86_64', name) == 'refused']
        found = set()
        for options in X86:
            try:
                with Qemu(self.emulator('x86_64'), *options, *QUIET):
                    pass
            except QemuError as error:
                self.skipTest('KVM of this machine: '
                              + str(error).splitlines()[0])
            found |= self.check('x86_64', options, devices)
        self.assert_among(
            {'vmgenid', 'vmbus-bridge', 'hv-syndbg', 'isa-fdc', 'sb16',
             'pc-testdev', 'intel-iommu', 'ich9-usb-ehci1', 'pvscsi'}, found)


def main():
    Devices.build = tap.arguments(__doc__, build=True).build.resolve()
    return tap.run(Devices)


if __name__ == '__main__':
    sys.exit(main())
