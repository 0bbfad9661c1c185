# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What tests of the CPU in contracts have in common

A refusal says what to do. The tests do it: the VM that a remedy asks for is
started, and has to take the contract that was refused.
"""

import json
from pathlib import Path
from random import Random
import re
import shlex
import tempfile
import unittest

# One that can be followed without knowing the source
REMEDY = re.compile(r'start this QEMU with (-(?:cpu|machine) .*)')


def refused(verdicts):
    """The verdicts of what does not fit"""
    return [verdict for verdict in verdicts if not verdict['ok']]


def choices(remedy):
    """Options by their names, of "-cpu A,b=c and -machine ..., d=e" """
    words = re.sub(r'(,| and) ', ' ', REMEDY.fullmatch(remedy)[1])
    words = shlex.split(words.replace('-machine ... ', '-machine '))
    return dict(zip(words[::2], words[1::2]))


class CpuCase(unittest.TestCase):
    """VMs that do not run, and what they say to each other's contracts"""

    maxDiff = None
    build = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, name):
        return self.folder / name

    def vm(self, machine, cpu, *options):
        """A VM that waits; of the architecture that is tested"""
        raise NotImplementedError

    def contract(self, machine, cpu, *options):
        with self.vm(machine, cpu, *options) as vm:
            return vm.command('query-guest-abi')

    def entries(self, machine, cpu, *options):
        """Values by name"""
        return {entry['name']: entry['value'] for entry in
                self.contract(machine, cpu, *options)['entries']}

    def check(self, contract, machine, cpu, *options):
        with self.vm(machine, cpu, *options) as vm:
            return refused(vm.command('check-guest-abi',
                                      entries=contract['entries'],
                                      parts=contract['parts']))

    def save(self, machine, cpu, *options, name='stream'):
        path = self.file(name)
        with self.vm(machine, cpu, *options) as vm:
            vm.save(path)
        return path

    def load(self, path, machine, cpu, *options):
        """query-migrate's answer"""
        with self.vm(machine, cpu, '-incoming', 'defer', *options) as vm:
            info = vm.load(path)
            if info['status'] == 'failed':
                self.assertEqual(vm.state(), 'inmigrate')
        return info

    def profile(self, contract, name='profile.json'):
        self.file(name).write_text(json.dumps(contract), encoding='utf-8')
        return self.file(name)

    def assert_matrix(self, kinds):
        """Each kind of VM takes what is equal, and its remedies are right.

        kinds: (machine options, CPU) -> nothing; no two are alike
        """
        contracts = {kind: self.contract(*kind) for kind in kinds}
        for here in kinds:
            with self.vm(*here) as vm:
                for there, contract in contracts.items():
                    with self.subTest(here=here, there=there):
                        bad = refused(vm.command(
                            'check-guest-abi', entries=contract['entries'],
                            parts=contract['parts']))
                        self.assertEqual(bool(bad), here != there, bad)
                        if bad:
                            self.follow(contract, here, bad)

    def options(self, here, bad):
        """What the refusals say, instead of the options that there are"""
        remedies = {verdict['remedy'] for verdict in bad
                    if REMEDY.fullmatch(verdict['remedy'])}
        self.assertTrue(remedies, bad)
        machine, cpu = here
        for remedy in sorted(remedies):
            found = choices(remedy)
            cpu = found.get('-cpu', cpu)
            if '-machine' in found:
                machine = f'{machine},{found["-machine"]}'
        return machine, cpu

    def follow(self, contract, here, bad):
        """Do what the refusals say, which has to be enough"""
        there = self.options(here, bad)
        bad = self.check(contract, *there)
        self.assertEqual(bad, [], there)

    def assert_remedies(self, pairs):
        """Refused VMs come in where the options of their refusals are given.

        pairs: two kinds of VM, (machine options, CPU) each
        """
        for source, target in pairs:
            with self.subTest(source=source, target=target):
                path = self.file('stream')
                with self.vm(*source) as vm:
                    contract = vm.command('query-guest-abi')
                    vm.save(path)
                with self.vm(*target, '-incoming', 'defer') as vm:
                    bad = refused(vm.command('check-guest-abi',
                                             entries=contract['entries'],
                                             parts=contract['parts']))
                    info = vm.load(path)
                self.assertEqual(info['status'], 'failed', info)
                self.assertIn(bad[0]['remedy'], info['error-desc'])
                there = self.options(target, bad)
                info = self.load(path, *there)
                self.assertEqual(info['status'], 'completed', (there, info))


def sample(kinds, count):
    """Pairs of different kinds, the same ones each time"""
    random = Random(1)
    return [random.sample(kinds, 2) for _ in range(count)]
