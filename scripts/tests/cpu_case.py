# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What tests of the CPU in contracts have in common

A refusal says what to do. The tests do it: the VM that a remedy asks for is
started, and has to take the contract that was refused.
"""

import json
from pathlib import Path
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

    def follow(self, contract, here, bad, steps=3):
        """Do what the refusals say until there are none"""
        for _ in range(steps):
            remedies = {verdict['remedy'] for verdict in bad
                        if REMEDY.fullmatch(verdict['remedy'])}
            self.assertTrue(remedies, bad)
            machine, cpu = here
            for remedy in sorted(remedies):
                found = choices(remedy)
                cpu = found.get('-cpu', cpu)
                if '-machine' in found:
                    machine = f'{machine},{found["-machine"]}'
            here = machine, cpu
            bad = self.check(contract, machine, cpu)
            if not bad:
                return
        self.fail(f'{here}: {[verdict["error"] for verdict in bad]}')
