# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Gives QEMU a distribution's own machine type, by one line; prints TAP.

The line is the example of docs/distributions.rst. One object is compiled with
it, and an emulator is linked with that and the objects of BUILD/qemu, which
stays as it is.
"""

import json
import os
from pathlib import Path
import re
import shlex
import subprocess
import tempfile
import unittest

from qemu_hvc.paths import ROOT, series_of
from qemu_hvc.qmp import Qemu
from qemu_hvc.vm import Vm
from qemu_hvc import tap

GOLDEN = ROOT / 'tests-qtest/hvc/golden/machine-types.json'
ROWS = 'distro-types.c.inc'
# Objects of QEMU's build; in which folder, differs between its versions.
OBJECT = 'hw_arm_hvc_types.c.o'
VIRT_OBJECT = 'hw_arm_virt.c.o'
VIRT_9_0 = 'DEFINE_VIRT_MACHINE(9, 0)\n'
EMULATOR = 'qemu-system-aarch64'

EXAMPLE = '{ "virt-hvc-example", "virt-9.0", "linux-6.1" },'
# As the project has a type of that floor, and one of that parent:
SAME_CONTRACT = 'virt-hvc-9.2'
SAME_DEVICES = 'virt-hvc-9.0'


def of_floor(row):
    """Is a row of compat-props one that a floor brings?"""
    return row['qom-type'] == 'virtio-net-device' or \
        row['qom-type'].startswith('vhost-')


def build_commands(qemu):
    """How the objects were compiled, and the emulator linked: by the name of
    each, without a folder, the name with it and the command"""
    output = subprocess.run(['ninja', '-C', qemu, '--quiet', '-t', 'compdb',
                             '-x'], check=True, capture_output=True,
                            text=True).stdout
    return {Path(entry['output']).name: (entry['output'],
                                         shlex.split(entry['command']))
            for entry in json.loads(output)
            if Path(entry['output']).name in (OBJECT, VIRT_OBJECT, EMULATOR)}


def build_changed(qemu, folder, objects):
    """An emulator in FOLDER, with objects of other sources than qemu's

    OBJECTS: by an object's name, the source in FOLDER and the directory of the
    one that takes its place.
    """
    commands = build_commands(qemu)
    link = commands[EMULATOR][1]
    for name, (source, directory) in objects.items():
        here = folder / f'{source.stem}.o'
        output, compile_it = commands[name]
        for option, value in {'-o': here, '-c': source,
                              '-MF': f'{here}.d'}.items():
            compile_it[compile_it.index(option) + 1] = str(value)
        compile_it.insert(1, f'-I{directory}')
        subprocess.run(compile_it, cwd=qemu, check=True)
        link[link.index(output)] = str(here)
    link[link.index('-o') + 1] = str(folder / EMULATOR)
    link.insert(1, '-s')
    subprocess.run(link, cwd=qemu, check=True)
    return folder / EMULATOR


def build_with(qemu, folder, row):
    """An emulator in FOLDER whose table of types has another row"""
    sources = qemu.parent / 'src/hw/arm/hvc'
    types = folder / 'types.c'
    types.write_bytes((sources / 'types.c').read_bytes())
    rows = (sources / ROWS).read_text(encoding='utf-8')
    (folder / ROWS).write_text(f'{rows}    {row}\n', encoding='utf-8')
    return build_changed(qemu, folder, {OBJECT: (types, sources)})


def build_without_9_0(qemu, folder):
    """An emulator in FOLDER from whose virt.c a distribution took virt-9.0"""
    sources = qemu.parent / 'src/hw/arm'
    text = (sources / 'virt.c').read_text(encoding='utf-8')
    assert VIRT_9_0 in text
    virt = folder / 'virt.c'
    virt.write_text(text.replace(VIRT_9_0, ''), encoding='utf-8')
    return build_changed(qemu, folder, {VIRT_OBJECT: (virt, sources)})


class DistroType(unittest.TestCase):
    """A QEMU with the example, which all tests share"""

    build = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.top = Path(folder.name)
        cls.qemu = build_with(cls.build / 'qemu', cls.top, EXAMPLE)

    def golden(self, change=None):
        """A folder with the golden file of a distribution"""
        types = json.loads(GOLDEN.read_text(encoding='utf-8'))
        types['virt-hvc-example'] = {
            'contract': dict(types[SAME_CONTRACT]['contract']),
            'compat-props': [
                row for row in types[SAME_DEVICES]['compat-props']
                if not of_floor(row)] + [
                row for row in types[SAME_CONTRACT]['compat-props']
                if of_floor(row)],
        }
        if change:
            change(types)
        folder = self.top / self.id()
        folder.mkdir()
        (folder / GOLDEN.name).write_text(json.dumps(types), encoding='utf-8')
        return folder

    def migration_test(self, name, golden=None):
        """A test of the suite, as "meson test" would run it"""
        env = {**os.environ, 'QTEST_QEMU_BINARY': str(self.qemu),
               'PYTHON': '/usr/bin/python3'}
        if golden:
            env['HVC_GOLDEN_DIR'] = str(golden)
        return subprocess.run(
            [self.build / 'qemu/tests/qtest/hvc-migration-test', '--tap', '-k',
             '-p', f'/aarch64/hvc/migration/types/{name}'],
            cwd=self.build / 'qemu', env=env, text=True, capture_output=True,
            check=False)

    def assert_passes(self, result, name):
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertRegex(result.stdout,
                         rf'(?m)^ok \d+ /aarch64/hvc/migration/types/{name}$')

    def test_documented(self):
        """The manual's patch applies, and gives what is tested here."""
        manual = (ROOT / 'docs/distributions.rst').read_text(encoding='utf-8')
        block = re.search(r'\.\. code-block:: diff\n\n((?:   .*\n)+)', manual)
        rows = ROOT / 'hw/arm/hvc' / ROWS
        patched = self.top / 'patched'
        subprocess.run(['patch', '--fuzz=0', f'--output={patched}', rows],
                       input=re.sub('(?m)^   ', '', block[1]), text=True,
                       check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(patched.read_text(),
                         f'{rows.read_text()}    {EXAMPLE}\n')
        self.assertIn(EXAMPLE, rows.read_text())

    def test_listed(self):
        out = subprocess.run([self.qemu, '-machine', 'help'], text=True,
                             capture_output=True, check=True).stdout
        self.assertRegex(out, r'(?m)^virt-hvc-example +QEMU 9\.0 ARM Virtual '
                              'Machine, hypercall services of linux-6.1')
        # The alias goes on standing for the project's latest type.
        self.assertEqual(len(re.findall(r'(?m)^virt-hvc ', out)), 1)
        self.assertIn(f'(alias of virt-hvc-{series_of(self.build)})', out)

    def test_names(self):
        self.assert_passes(self.migration_test('listed'), 'listed')

    def test_golden_contract(self):
        self.assert_passes(self.migration_test('golden', self.golden()),
                           'golden')

    def golden_fails(self, change, *words):
        result = self.migration_test('golden', self.golden(change))
        self.assertNotEqual(result.returncode, 0)
        for word in words:
            self.assertIn(word, result.stdout + result.stderr)

    def test_golden_file_without_it(self):
        self.golden_fails(lambda types: types.pop('virt-hvc-example'),
                          'virt-hvc-example is not what machine-types.json',
                          '"arm.psci-version": 65537')

    def test_golden_contract_that_changed(self):
        def change(types):
            types['virt-hvc-example']['contract']['arm.std-bmap'] = 0

        self.golden_fails(change, 'virt-hvc-example is not what')

    def test_golden_devices_that_changed(self):
        def change(types):
            types['virt-hvc-example']['compat-props'] = \
                types['virt-hvc-10.0']['compat-props']

        self.golden_fails(change, 'virt-hvc-example is not what')

    def test_contract(self):
        with Vm(self.qemu, 'virt-hvc-example') as vm:
            contract = vm.command('query-guest-abi')
            services = vm.command('qom-get', path='/machine',
                                  property='hvc-services')
        self.assertEqual(services, 'linux-6.1')
        self.assertEqual(contract['machine'], 'virt-hvc-example')
        # What the type chooses; the CPU is what -cpu says.
        self.assertEqual({entry['name']: entry['origin']
                          for entry in contract['entries']
                          if entry['origin'] == 'type'},
                         dict.fromkeys(('arm.std-bmap', 'arm.std-hyp-bmap',
                                        'arm.vendor-hyp-bmap',
                                        'arm.vendor-hyp-bmap-2',
                                        'arm.psci-version',
                                        'machine.kernel-floor'), 'type'))

    def test_migrates_only_to_itself(self):
        stream = self.top / 'stream'
        with Vm(self.qemu, 'virt-hvc-example') as vm:
            vm.save(stream)
        with Vm(self.qemu, 'virt-hvc-example', '-incoming', 'defer') as vm:
            self.assertEqual(vm.load(stream)['status'], 'completed')
        with Vm(self.qemu, 'virt-hvc-9.2', '-incoming', 'defer') as vm:
            self.assertEqual(vm.load(stream)['status'], 'failed')
        self.assertIn("Machine type received is 'virt-hvc-example'", vm.stderr)

    def start(self, name, row, *options):
        folder = self.top / name
        folder.mkdir()
        qemu = build_with(self.build / 'qemu', folder, row)
        return subprocess.run([qemu, '-machine', 'none', *options], text=True,
                              capture_output=True, check=False)

    def test_unknown_floor(self):
        result = self.start('floor', EXAMPLE.replace('linux-6.1', 'linux-6.2'))
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("machine type virt-hvc-example: there is no floor "
                      "'linux-6.2'; give its row one of those in "
                      "hw/arm/hvc/floors.c", result.stderr)

    def types(self, qemu):
        """The virt types, as -machine help and QMP list them"""
        out = subprocess.run([qemu, '-machine', 'help'], text=True,
                             capture_output=True, check=True).stdout
        helped = {line.split()[0] for line in out.splitlines()
                  if line.startswith('virt-')}
        with Qemu(qemu, '-machine', 'none') as nothing:
            machines = nothing.command('query-machines')
        listed = {name for machine in machines
                  for name in (machine['name'], machine.get('alias', ''))
                  if name.startswith('virt-')}
        self.assertEqual(helped, listed)
        return listed

    def assert_only_missing(self, qemu, *missing):
        every = self.types(self.qemu)
        self.assertEqual(self.types(qemu), every - set(missing))
        for name in missing:
            result = subprocess.run([qemu, '-machine', name], text=True,
                                    capture_output=True, check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn(f'unsupported machine type: "{name}"',
                          result.stderr)

    def test_unknown_parent(self):
        folder = self.top / 'parent'
        folder.mkdir()
        self.assert_only_missing(
            build_with(self.build / 'qemu', folder,
                       EXAMPLE.replace('virt-9.0', 'virt-9.9')),
            'virt-hvc-example')

    def test_removed_parent(self):
        """virt-9.0 is gone, and so is virt-hvc-9.0; all others work."""
        folder = self.top / 'removed'
        folder.mkdir()
        qemu = build_without_9_0(self.build / 'qemu', folder)
        self.assert_only_missing(qemu, 'virt-9.0', 'virt-hvc-9.0',
                                 'virt-hvc-example')
        with Vm(qemu, 'virt-hvc-9.2') as vm:
            self.assertEqual(vm.command('query-guest-abi')['machine'],
                             'virt-hvc-9.2')

    def test_derived_from_a_pinned_type(self):
        """A type that is derived from a pinned one has its own row's floor."""
        folder = self.top / 'pinned'
        folder.mkdir()
        qemu = build_with(self.build / 'qemu', folder,
                          EXAMPLE.replace('virt-9.0', 'virt-hvc-9.0'))
        with Vm(qemu, 'virt-hvc-example') as vm:
            services = vm.command('qom-get', path='/machine',
                                  property='hvc-services')
            # Makes a second machine, and frees it.
            vm.command('qom-list-properties',
                       typename='virt-hvc-example-machine')
        self.assertEqual(services, 'linux-6.1')
        self.assertEqual(vm.process.returncode, 0, vm.stderr)


def main():
    DistroType.build = tap.arguments(__doc__, build=True).build.resolve()
    return tap.run(DistroType)
