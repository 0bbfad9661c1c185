# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests the XSAVE components in a VM's contract with its guest; prints TAP."""

from qemu_hvc.stream import Stream
from xsave_case import (
    AVX, MACHINES, NO_PKU_MPX, REMEDY, SUPERFLUOUS, XsaveCase, run)


class XsaveContract(XsaveCase):
    """The contract of an x86 VM, and what it refuses"""

    def test_contract_refuses_before_ram(self):
        refusal = "guest-abi: incoming VM gives its guest XSAVE component " \
                  "'pkru' (x86.xcr0 = 0x21f), this VM gives its guest " \
                  f"'x87', 'sse', 'avx', 'mpx' (0x1f); {REMEDY},+pku"
        for machine in MACHINES:
            machine += ',guest-abi=on'
            # The guest does not use it; what counts is that it could.
            path = self.save(machine, 'max', xcr0=AVX, pke=0)
            stream = Stream(path)
            section = stream.select('guest-abi')[0]
            self.assertLess(section.offset, 4096)
            self.assertEqual(self.refuse(path, machine, 'max,-pku'), refusal)
            # Nothing behind the section was needed to find out.
            end = section.offset + section.size + 5
            self.file('short').write_bytes(path.read_bytes()[:end])
            self.assertEqual(self.refuse(self.file('short'), machine,
                                         'max,-pku'), refusal)
            self.load(path, machine, 'max')

    def test_contract_may_grow(self):
        path = self.save('pc,guest-abi=on', NO_PKU_MPX)
        self.load(path, 'pc,guest-abi=on', 'max')

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
        self.assertEqual(verdicts, [
            {'name': 'machine.vcpus', 'ok': True},
            {'name': 'x86.xcr0', 'ok': False, 'error': refusal,
             'remedy': refusal.rpartition('; ')[2]},
            {'name': 'x86.xss', 'ok': True}])
        self.assertEqual([e['names'] for e in entries if 'names' in e],
                         [['x87', 'sse', 'avx', 'mpx', 'pkru'], []])
        self.assertRegex(text, r'x86\.xcr0 +0x1f +subset +option +'
                         r'x87 sse avx mpx\r?\n')

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

    def test_property_is_fixed_when_the_vm_exists(self):
        with self.vm('pc', 'max') as vm:
            self.assertIs(vm.command('qom-get', path='/machine',
                                     property='xsave-trim'), True)
            with self.assertRaisesRegex(RuntimeError, 'xsave-trim cannot be '
                                        'changed after the machine was '
                                        'created; give it on the command '
                                        'line: -machine xsave-trim=off'):
                vm.command('qom-set', path='/machine', property='xsave-trim',
                           value=False)


def main():
    return run(XsaveContract, __doc__)
