# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests the help that programs and QEMU itself give; prints TAP.

Every script says with --help what it is for, those for users also where the
commands of docs/distributions.rst have installed them. What QEMU's help says is
compared with what QEMU does.
"""

import os
from pathlib import Path
import re
import subprocess
import sys
import tempfile
import unittest

from qemu_hvc.golden.types import types_in
from qemu_hvc.paths import ROOT, SCRIPTS, TESTS
from qemu_hvc.qmp import Qemu
from qemu_hvc import tap

TESTS_QTEST = ROOT / 'tests-qtest'
# The first program of a guest: nobody calls it.
NOT_CALLED = {'guests/linux/init'}
PATIENCE_S = 60
PROPERTIES = ('hvc-services', 'psci-version', 'guest-abi-profile',
              'implementation-cpus', 'guest-abi', 'kernel-floor',
              'shared-pages')


class Scripts(unittest.TestCase):
    """A test for each script; add_script_tests() adds them."""

    def printed(self, *command):
        """What a script prints, which leaves nothing behind"""
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run(command, cwd=folder, text=True,
                                    stdin=subprocess.DEVNULL,
                                    capture_output=True, check=False,
                                    timeout=PATIENCE_S)
            self.assertEqual(os.listdir(folder), [])
        return result

    def check(self, path, *words):
        result = self.printed(path, *words, '--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        name = (words or [path.name])[-1].replace('-', '[- ]')
        # "run" has the form of a manual page.
        self.assertRegex(result.stdout, re.compile(
            rf'^(usage:|SYNOPSIS\n) *(\S*/)?(run )?{name}\b',
            re.MULTILINE | re.IGNORECASE))
        self.assertGreater(len(result.stdout.splitlines()), 2,
                           'it does not say what it is for')
        self.assertNotIn('Traceback', result.stdout)
        if words:
            return
        short = self.printed(path, '-h')
        self.assertEqual((short.returncode, short.stdout),
                         (0, result.stdout))
        source = path.read_text(encoding='utf-8')
        if source.startswith(('#!/bin/bash', '#!/bin/sh')):
            code = re.sub(r"<<'?END'?\n.*?^END\n", '', source,
                          flags=re.S | re.M)
            self.assertNotEqual(code, source)
            for option in re.findall(r'^ *(--[a-z-]+)', result.stdout, re.M):
                self.assertRegex(code, rf'(?<![\w-]){option}(?![\w-])',
                                 f'{option} is in the help only')


def called_scripts():
    names = {str(path.relative_to(folder)): path
             for folder in (SCRIPTS, TESTS_QTEST)
             for path in folder.rglob('*')
             if path.is_file() and os.access(path, os.X_OK)}
    missing = NOT_CALLED - names.keys()
    if missing or len(names) < 20:
        sys.exit(f'test_help.py: {missing or len(names)}: the list of scripts '
                 'is not what it was')
    return {name: path for name, path in sorted(names.items())
            if name not in NOT_CALLED}


def add_script_tests():
    for name, path in called_scripts().items():
        setattr(Scripts, f'test_{name.replace(".", "_")}',
                lambda self, path=path: self.check(path))
    listed = subprocess.run([TESTS / 'run', '--list'], text=True, check=True,
                            stdout=subprocess.PIPE).stdout.split()
    for name in listed:
        setattr(Scripts, f'test_run {name}',
                lambda self, name=name: self.check(TESTS / 'run', name))


class Installed(unittest.TestCase):
    """The programs and modules that the manual's page for distributions names"""

    def test_installed_programs(self):
        page = (ROOT / 'docs/distributions.rst').read_text(encoding='utf-8')
        block = re.search(r'\n\n((?:  .*\n)+)',
                          page[page.index('\n\n  install -d'):])[1]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                ['sh', '-euc', block.replace('DESTDIR', folder)], cwd=ROOT,
                check=True)
            programs = sorted((Path(folder) / 'usr/bin').iterdir())
            self.assertEqual([path.name for path in programs],
                             sorted(re.findall(
                                 r'(?m)^   \* - ``([a-z-]+)``', page)))
            for path in programs:
                result = subprocess.run([path, '--help'], text=True,
                                        capture_output=True, check=False,
                                        timeout=PATIENCE_S)
                self.assertEqual((result.returncode, result.stderr), (0, ''))
                self.assertIn(path.name, result.stdout)


class OfQemu(unittest.TestCase):
    """-machine ...,help and the monitor's"""

    qemu = None

    def help_of(self, machine):
        result = subprocess.run([self.qemu, '-machine', machine], text=True,
                                capture_output=True, check=False,
                                timeout=PATIENCE_S)
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        return result.stdout

    def start(self, machine):
        return Qemu(self.qemu, '-machine', machine, '-accel', 'tcg',
                    '-nodefaults', '-display', 'none', '-S')

    def assert_set(self, machine, services, psci_version):
        with self.start(machine) as vm:
            found = [vm.command('qom-get', path='/machine', property=name)
                     for name in ('hvc-services-list', 'psci-version')]
        self.assertEqual(found, [services, psci_version], machine)

    def services_help(self, section):
        text = self.help_of('virt,hvc-services=help')
        rows = re.search(rf'^{section}:.*\n((?:  .*\n)+)', text, re.M)
        self.assertIsNotNone(rows, text)
        return rows[1].splitlines()

    def types(self):
        with self.start('virt') as vm:
            return [machine['name'] for machine in vm.pinned_types()]

    def test_machine_help(self):
        types = self.types()
        self.assertEqual(types, [row['name'] for row in
                                 types_in(self.qemu.parents[1])])
        for machine in ('virt', *types):
            text = self.help_of(f'{machine},help')
            for name in PROPERTIES:
                self.assertRegex(text, rf'(?m)^  {name}=<\w+> +- \w.{{20,}}$')

    def test_services_help_is_the_same_everywhere(self):
        text = self.help_of('virt,hvc-services=help')
        for machine in self.types():
            self.assertEqual(self.help_of(f'{machine},hvc-services=help'),
                             text)

    def test_floors_are_true(self):
        rows = self.services_help('Floors')
        self.assertGreaterEqual(len(rows), 5)
        for row in rows:
            floor, _, psci, services, by_qemu = re.fullmatch(
                r'  (\S+) +(.*?) +PSCI (\S+)  (\S+)'
                r'( \(PSCI by QEMU from Linux 6\.4 on\))?', row).groups()
            self.assert_set(f'virt,hvc-services={floor}', services, psci)
            self.assertEqual(bool(by_qemu), self.psci_versions()[psci][1])

    def test_services_are_true(self):
        rows = self.services_help('Services')
        self.assertGreaterEqual(len(rows), 4)
        for row in rows:
            service, register, first, last = re.match(
                r'  (\S+) +(\S+) +bits? (\d+)(?:-(\d+))? +Linux \d',
                row).groups()
            bits = range(int(first), int(last or first) + 1)
            with self.start(f'virt,hvc-services={service}') as vm:
                values = {
                    entry['name']: entry['value'] for entry in
                    vm.command('query-guest-abi')['entries']}
            name, second = re.fullmatch(r'(.*?)(-2)?', register).groups('')
            # The other entries are of the CPU.
            self.assertEqual(
                {name: value for name, value in values.items()
                 if value and re.fullmatch(r'arm\..*-bmap(-2)?', name)},
                {f'arm.{name}-bmap{second}': sum(1 << bit for bit in bits)})

    def psci_versions(self):
        """The first Linux that has it, and whether QEMU serves it for others"""
        versions = {}
        for row in self.services_help('PSCI'):
            version, kernel, by_qemu = re.fullmatch(
                r'  (\S+) +Linux ([\d.]+)(; by QEMU from Linux 6\.4 on)?',
                row).groups()
            versions[version] = (kernel, bool(by_qemu))
        return versions

    def test_psci_versions_are_true(self):
        versions = self.psci_versions()
        self.assertEqual(versions['1.1'], ('5.18', False))
        self.assertEqual(versions['1.3'], ('6.13', True))
        for version in versions:
            self.assert_set(f'virt,hvc-services=none,psci-version={version}',
                            'none', version)

    def test_shared_pages_help(self):
        """Its values, each of which there is, on each machine"""
        for machine in ('none', 'virt', *self.types()):
            text = self.help_of(f'{machine},shared-pages=help')
            self.assertEqual(re.findall(r'(?m)^shared-pages=(\S+) +\w.+$', text),
                             ['off', 'on', 'enforce'])
        machine_help = self.help_of('virt,help')
        for value in 'off', 'on', 'enforce':
            self.assertRegex(machine_help,
                             rf"(?m)^  shared-pages=.*'{value}'")
            services = '' if value == 'off' else ':+mem-share'
            with self.start(f'virt,hvc-services=linux-6.12{services},'
                            f'shared-pages={value}') as vm:
                self.assertEqual(vm.machine_property('shared-pages'), value)

    def test_list_of_machines(self):
        """A type's description names its floor."""
        rows = dict(re.findall(r'^(\S+) +(.*)$', self.help_of('help'), re.M))
        for machine in self.types():
            with self.start(machine) as vm:
                floor = vm.command('qom-get', path='/machine',
                                   property='hvc-services')
            self.assertRegex(rows[machine],
                             rf'hypercall services of {re.escape(floor)}$')

    def test_info_guest_abi(self):
        def hmp(vm, line):
            return vm.command('human-monitor-command',
                              **{'command-line': line}).splitlines()
        with self.start('virt-hvc-10.0') as vm:
            contract = vm.command('query-guest-abi')
            lines = hmp(vm, 'info guest-abi')
            listed = hmp(vm, 'help info')
        with self.start('virt') as vm:
            nothing = hmp(vm, 'info guest-abi')
        self.assertIn('info guest-abi  -- show what was promised to the guest',
                      listed)
        self.assertEqual([line.split() for line in lines[:-1]],
                         [[entry['name'], f'{entry["value"]:#x}',
                           entry['rule'], entry['origin'],
                           *' '.join(entry.get('names', [])).split()]
                          for entry in contract['entries']] +
                         [words for part in contract['parts'] for words in (
                             ['part', part['name']],
                             *([name] for name in part.get('names', [])))])
        self.assertEqual(lines[-1], 'the migration stream carries it')
        self.assertEqual(nothing, ['nothing was promised to this guest',
                                   'the migration stream carries no contract'])


def main():
    OfQemu.qemu = tap.arguments(__doc__, build=True).build.resolve() / \
        'qemu/qemu-system-aarch64'
    add_script_tests()
    return tap.run(Scripts, Installed, OfQemu)
