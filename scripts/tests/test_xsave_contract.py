# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests the XSAVE components in a VM's contract with its guest; prints TAP."""

import re

from qemu_hvc.stream import Stream
from qemu_hvc.xsave_guest import FEATURES
from xsave_case import (
    AVX, MACHINES, NO_PKU_MPX, SUPERFLUOUS, XsaveCase, run)


class XsaveContract(XsaveCase):
    """The contract of an x86 VM, and what it refuses"""

    def test_contract_refuses_before_ram(self):
        pattern = re.escape(
            'guest-abi: 2 things of the incoming VM cannot be kept here: (1) '
            "incoming VM gives its guest XSAVE component 'pkru' (x86.xcr0 = "
            "0x21f), this VM gives its guest 'x87', 'sse', 'avx', 'mpx' "
            "(0x1f) (2) incoming VM has CPU features 'pku' (CPUID leaf 7.0 "
            'ECX = HEX), which this VM does not have (HEX); start this QEMU '
            'with -cpu max,+pku').replace('HEX', '0x[0-9a-f]+')
        for machine in MACHINES:
            machine += ',guest-abi=on'
            # The guest does not use it; what counts is that it could.
            path = self.save(machine, 'max', xcr0=AVX, pke=0)
            stream = Stream(path)
            section = stream.select('guest-abi')[0]
            self.assertLess(section.offset, 4096)
            refusal = self.refuse(path, machine, 'max,-pku')
            self.assertRegex(refusal, f'^{pattern}$')
            # Nothing behind the section was needed to find out.
            end = section.offset + section.size + 5
            self.file('short').write_bytes(path.read_bytes()[:end])
            self.assertEqual(self.refuse(self.file('short'), machine,
                                         'max,-pku'), refusal)
            self.load(path, machine, 'max')

    def test_contract_may_not_grow(self):
        """Who looks later would use what the next host may not have."""
        path = self.save('pc,guest-abi=on', NO_PKU_MPX)
        refusal = self.refuse(path, 'pc,guest-abi=on', 'max')
        self.assertIn("incoming VM does not have CPU features 'mpx'", refusal)
        self.assertIn("incoming VM does not have CPU features 'pku'", refusal)
        self.assertTrue(refusal.endswith('; start this QEMU with -cpu '
                                         'max,-mpx,-pku'), refusal)

    def test_contract_and_superfluous_components(self):
        path = self.edit(self.save('pc,guest-abi=on', NO_PKU_MPX),
                         xstate_bv=SUPERFLUOUS)
        again = self.file('again')
        self.load(path, 'pc,guest-abi=on', NO_PKU_MPX, save=again)
        self.assert_masks(again, AVX, AVX)

    def test_contract_is_needed_where_it_is_kept(self):
        path = self.save('pc', 'max')
        self.assertIn('guest-abi: incoming VM has no contract with its guest',
                      self.refuse(path, 'pc,guest-abi=on', 'max'))

    def test_contract_of_hostile_bits(self):
        path = self.save('pc,guest-abi=on', 'max')
        stream = Stream(path)
        stream.set('guest-abi', 'x86.xcr0', 2 ** 64 - 1)
        stream.write(self.file('edited'))
        self.assertEqual(
            self.refuse(self.file('edited'), 'pc,guest-abi=on', 'max'),
            'guest-abi: incoming VM gives its guest x86.xcr0 = '
            '0xffffffffffffffff, of which this QEMU does not know '
            '0xfffffffffff1fd00, this VM gives its guest 0x21f; use a QEMU '
            'that knows it, or restart the VM on this host')

    def test_check_says_what_the_migration_says(self):
        path = self.save('pc,guest-abi=on', 'max')
        refusal = self.refuse(path, 'pc,guest-abi=on', 'max,-pku')
        with self.vm('pc,guest-abi=on', 'max') as vm:
            entries = vm.command('query-guest-abi')['entries']
        with self.vm('pc,guest-abi=on', 'max,-pku') as vm:
            verdicts = vm.command('check-guest-abi', entries=entries)
            text = vm.hmp('info guest-abi')
        bad = [verdict for verdict in verdicts if not verdict['ok']]
        self.assertEqual([verdict['name'] for verdict in bad],
                         ['x86.xcr0', 'x86.cpuid-7.0-ecx'])
        for verdict in bad:
            reason = verdict['error'].removeprefix('guest-abi: ')
            remedy = f'; {verdict["remedy"]}'
            self.assertEqual(remedy, '; start this QEMU with -cpu max,+pku')
            self.assertIn(reason.removesuffix(remedy), refusal)
        self.assertEqual({e['name']: e['names'] for e in entries
                          if e['name'] in ('x86.xcr0', 'x86.xss')},
                         {'x86.xcr0': ['x87', 'sse', 'avx', 'mpx', 'pkru'],
                          'x86.xss': []})
        self.assertRegex(text, r'x86\.xcr0 +0x1f +subset +option +'
                         r'x87 sse avx mpx\r?\n')

    def told(self, results, *names):
        """The guest was told of these features, and CPUID still has them."""
        self.assert_well(results)
        self.assertEqual(results['told'], results['tells'])
        for name in names:
            self.assertTrue(results['told'] >> FEATURES.index(name) & 1, name)

    def test_guest_executes_what_it_was_told_of(self):
        """Before, after, and after a reset"""
        machine = 'pc,guest-abi=on'
        path = self.save(machine, 'max')
        with self.vm(machine, 'max', '-incoming', 'defer') as vm:
            self.assertEqual(vm.load(path)['status'], 'completed')
            self.told(vm.watch(), 'aes', 'xsaveopt', 'rdtscp')
            vm.reboot()
            self.told(vm.watch(), 'aes', 'xsaveopt', 'rdtscp')

    def test_contract_is_what_cpuid_says(self):
        """As the guest reads it, register by register"""
        # Set by CR4 (OSXSAVE, OSPKE), and what AMD's CPUs say twice
        aside = {'1-ecx': 1 << 27, '7.0-ecx': 1 << 4,
                 '80000001-edx': 0x183f3ff}
        for cpu in 'max', 'EPYC', 'max,-xsave', 'Skylake-Server,-pku':
            with self.vm('pc,guest-abi=on', cpu) as vm:
                self.assert_well(vm.watch())
                says = vm.cpuid()
                told = {entry['name'].removeprefix('x86.cpuid-'):
                        entry['value']
                        for entry in vm.command('query-guest-abi')['entries']
                        if re.fullmatch(r'x86\.cpuid-.*-e[abcd]x',
                                        entry['name'])}
            self.assertGreater(len(told), 10)
            for name, value in told.items():
                with self.subTest(cpu=cpu, register=name):
                    self.assertEqual(says.get(name, 0) &
                                     ~aside.get(name, 0), value)

    def test_without_contract_the_guest_dies(self):
        """As with unpatched QEMU: nothing is said, and the guest ends."""
        fewer = 'max,-xsaveopt,-aes'
        path = self.save('pc,xsave-trim=off', 'max')
        with self.vm('pc,xsave-trim=off', fewer, '-incoming', 'defer') as vm:
            self.assertEqual(vm.load(path)['status'], 'completed')
            with self.assertRaisesRegex(RuntimeError, 'the guest does not run, '
                                        'the VM is (shutdown|paused)'):
                vm.watch()
        self.assertNotIn('guest-abi', vm.stderr)
        path = self.save('pc,guest-abi=on', 'max')
        self.assertIn("incoming VM has CPU features 'aes'",
                      self.refuse(path, 'pc,guest-abi=on', fewer))

    def test_plugged_vcpu(self):
        """The number of vCPUs is that of now"""
        machine, path = 'q35,guest-abi=on', self.file('plugged')
        smp = ('-smp', '2,maxcpus=3')
        vcpu = {'driver': 'max-x86_64-cpu', 'socket-id': 0, 'core-id': 2,
                'thread-id': 0}
        with self.vm(machine, 'max', *smp) as vm:
            vm.command('device_add', id='c', **vcpu)
            entries = vm.command('query-guest-abi')['entries']
            vm.save(path)
        self.assertEqual(entries[0], {
            'name': 'machine.vcpus', 'value': 3, 'hex': '0x3',
            'rule': 'exact', 'origin': 'option'})
        self.assertEqual(
            self.refuse(path, machine, 'max', *smp),
            'guest-abi: incoming VM has 3 vCPUs, this VM has 2; start this '
            "QEMU with the source's -smp, and with a -device for each vCPU "
            'that was plugged in since')
        options = ','.join([vcpu.pop('driver'), *(
            f'{name}={value}' for name, value in vcpu.items())])
        self.load(path, machine, 'max', *smp, '-device', options)

    def test_default_is_as_guest_abi(self):
        for machine, expected in (
                ('pc,guest-abi=on', True), ('pc,usb=off', False),
                ('pc,guest-abi=on,xsave-trim=off', False),
                ('pc,xsave-trim=on', True)):
            with self.vm(machine, 'max') as vm:
                self.assertIs(vm.command('qom-get', path='/machine',
                                         property='xsave-trim'), expected)

    def test_property_is_fixed_when_the_vm_exists(self):
        with self.vm('pc', 'max') as vm:
            with self.assertRaisesRegex(RuntimeError, 'xsave-trim cannot be '
                                        'changed after the machine was '
                                        'created; give it on the command '
                                        'line: -machine xsave-trim=off'):
                vm.command('qom-set', path='/machine', property='xsave-trim',
                           value=False)


def main():
    return run(XsaveContract, __doc__)
