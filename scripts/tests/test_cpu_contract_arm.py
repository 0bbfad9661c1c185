# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests the CPU in the contract of an arm VM under TCG; prints TAP.

CPU models and their options against each other: what differs is refused by
name, before RAM, and the options that a refusal names are enough.
"""

import itertools
import json

from qemu_hvc import tap
from qemu_hvc.paths import DATA
from qemu_hvc.stream import Stream
from qemu_hvc.vm import Vm
from cpu_case import CpuCase, sample

KVM_HOST = DATA / 'fleet/linux-6.12.json'
PINNED = 'virt-hvc-10.0'
STOCK = 'virt-10.0,guest-abi=on'
MODELS = ('cortex-a53', 'cortex-a72', 'neoverse-n1', 'a64fx', 'max')
OPTIONS = ('max', 'max,cntfrq=62500000', 'max,sve=off', 'max,sme=off',
           'max,sve384=off,sme512=off', 'max,pauth=off',
           'max,pauth-qarma3=on', 'max,lpa2=off', 'max,pmu=off')
BOARDS = ('virtualization=on', 'secure=on', 'virtualization=on,secure=on',
          'gic-version=3', 'mte=on')


# Remedies that did not start once, or were not enough, and the other way round:
# the user's vector lengths with the feature off, or beside others; features that
# come back with another one; another model with options.
HARD_PAIRS = (('max,sve=off', 'max,sve-max-vq=4'),
              ('max,sve=off', 'max,sve256=on'),
              ('max,sme=off', 'max,sme256=on'),
              ('max,sve-max-vq=2', 'max,sve-max-vq=4'),
              ('max,sve-max-vq=4', 'max,sve=off'),
              ('max,sme=off', 'max,sve=off'),
              ('max,sme_fa64=off', 'max,sme=off'),
              ('max', 'max,sve384=off,sme512=off'),
              ('max,sve256=on,sme_fa64=off', 'max,sve-max-vq=3'),
              ('cortex-a57,pmu=off', 'cortex-a72'),
              ('neoverse-n1,cntfrq=25000000', 'max'),
              ('max,sve256=off,pmu=off,cntfrq=100000000', 'cortex-a57'),
              ('max,pauth-qarma3=on', 'a64fx'),
              ('max,pauth=off,lpa2=off', 'cortex-a57'),
              ('a64fx,sve512=off', 'max,pauth=off'),
              ('a64fx', 'a64fx,sve=off'))
# With AArch32 alone
HARD_AARCH32 = (('cortex-a15,pmu=off', 'cortex-a7'),
                ('cortex-a15,pmu=off', 'cortex-a15'),
                ('cortex-a7', 'cortex-a15,pmu=off'))
ANY_MODELS = ('cortex-a35', 'cortex-a53', 'cortex-a55', 'cortex-a57',
              'cortex-a72', 'cortex-a76', 'cortex-a710', 'a64fx',
              'neoverse-n1', 'neoverse-n2', 'neoverse-v1', 'max')
ANY_OPTIONS = ('', ',pmu=off', ',cntfrq=25000000')


class TcgVm(Vm):
    """A small VM of any CPU model"""

    OPTIONS = ('-accel', 'tcg', '-m', '64', '-nodefaults', '-display', 'none',
               '-S')


class CpuContractArm(CpuCase):
    """What a guest under TCG is promised of its CPU"""

    def vm(self, machine, cpu, *options):
        return TcgVm(self.build / 'qemu/qemu-system-aarch64', machine, '-cpu',
                     cpu, *options)

    def error(self, path, machine, cpu):
        info = self.load(path, machine, cpu)
        self.assertEqual(info['status'], 'failed', info)
        return info['error-desc']

    def test_models(self):
        self.assert_matrix([(PINNED, model) for model in MODELS])

    def test_options_of_one_model(self):
        self.assert_matrix([(PINNED, options) for options in OPTIONS])

    def test_options_of_the_machine(self):
        """Without hvc-services: a guest at EL2 or EL3 has no use for them"""
        self.assert_matrix([(STOCK, 'max')] + [(f'{STOCK},{board}', 'max')
                                               for board in BOARDS])

    def test_aarch32(self):
        self.assert_matrix([(STOCK, 'cortex-a15'), (STOCK, 'cortex-a7'),
                            (STOCK, 'cortex-a53')])

    def test_remedies_that_were_not_enough(self):
        self.assert_remedies([((PINNED, source), (PINNED, target))
                              for source, target in HARD_PAIRS])
        self.assert_remedies([((STOCK, source), (STOCK, target))
                              for source, target in HARD_AARCH32])

    def test_remedies_of_any_models(self):
        kinds = [(PINNED, model + option) for model in ANY_MODELS
                 for option in ANY_OPTIONS]
        self.assert_remedies(sample(kinds, 30))

    def test_no_vector_lengths(self):
        path = self.save(PINNED, 'max,sve=off')
        text = self.error(path, PINNED, 'max,sve-max-vq=2')
        self.assertRegex(text, 'guest-abi: .* incoming VM has no SVE vector '
                         'lengths, this VM has 128 256 .*; start this QEMU '
                         'with -cpu max,sve=off,sme=off')

    def test_frequency_of_the_counter(self):
        """The guest's time would run at a sixteenth."""
        path = self.save(PINNED, 'max')
        self.assertEqual(
            self.error(path, PINNED, 'max,cntfrq=62500000'),
            'guest-abi: the counter of the incoming VM runs at 1000000000 Hz '
            '(CNTFRQ_EL0), that of this VM at 62500000 Hz, and the guest '
            'would take its time from it; start this QEMU with -cpu '
            'max,cntfrq=1000000000')
        self.assertEqual(self.load(path, PINNED, 'max,cntfrq=1000000000')
                         ['status'], 'completed')

    def test_another_model_is_named_before_ram(self):
        for machine in PINNED, STOCK:
            with self.subTest(machine):
                path = self.save(machine, 'cortex-a72')
                text = self.error(path, machine, 'cortex-a57')
                self.assertIn(
                    'incoming VM has MIDR_EL1 = 0x410fd083, this VM has '
                    '0x411fd070 (Revision 3 -> 0, PartNum 0xd08 -> 0xd07, '
                    'Variant 0 -> 1)', text)
                self.assertIn('; start this QEMU with -cpu cortex-a72,'
                              'cntfrq=62500000', text)
                # Nothing behind the section was needed to find out.
                section = Stream(path).select('guest-abi')[0]
                self.assertLess(section.offset, 4096)
                end = section.offset + section.size + 5
                self.file('short').write_bytes(path.read_bytes()[:end])
                self.assertEqual(self.error(self.file('short'), machine,
                                            'cortex-a57'), text)

    def test_vector_lengths(self):
        path = self.save(PINNED, 'max')
        text = self.error(path, PINNED, 'max,sve384=off,sme512=off')
        self.assertIn('incoming VM has SVE vector lengths of 128 256 384 512 '
                      '640', text)
        self.assertIn('incoming VM has SME vector lengths of 128 256 512 1024 '
                      '2048 bits, this VM has 128 256 1024 2048', text)
        # What is off would be on, if it were not named.
        self.assertTrue(text.endswith('; start this QEMU with -cpu max'), text)

    def test_exception_levels(self):
        machine = STOCK + ',virtualization=on'
        path = self.save(machine, 'cortex-a72')
        text = self.error(path, STOCK, 'cortex-a72')
        self.assertIn('the CPUs of the incoming VM have EL2, those of this VM '
                      'do not', text)
        self.assertIn('; start this QEMU with -machine ..., '
                      'virtualization=on', text)

    def test_the_users_own_options_are_kept(self):
        """The option of a remedy is complete."""
        contract = self.contract(PINNED, 'max,pmu=off,lpa2=off')
        bad = self.check(contract, PINNED, 'max,pmu=off,cntfrq=62500000')
        self.assertEqual({verdict['remedy'] for verdict in bad},
                         {'start this QEMU with -cpu max,cntfrq=1000000000,'
                          'lpa2=off,pmu=off'})

    def test_cpu_that_no_model_has(self):
        contract = self.contract(PINNED, 'max')
        for entry in contract['entries']:
            if entry['name'] == 'arm.midr-el1':
                entry['value'] ^= 0x10
                del entry['hex']
        bad = self.check(contract, PINNED, 'max')
        self.assertEqual([verdict['remedy'] for verdict in bad], [
            'no CPU model of this QEMU under TCG has this MIDR_EL1: use the '
            "source's -accel and a host like the source"])

    def test_registers_of_the_vcpus(self):
        """A register that this QEMU's vCPUs do not have is named early."""
        contract = self.contract(STOCK + ',virtualization=on', 'cortex-a72')
        bad = self.check({'entries': [], 'parts': contract['parts']}, STOCK,
                         'cortex-a72')
        text = bad[-1]['error']
        self.assertEqual(bad[-1]['name'], 'arm.registers')
        self.assertIn('come with registers that those of this VM do not have: '
                      , text)
        self.assertTrue(text.endswith(
            "; start this QEMU with the source's -accel, -cpu and -machine "
            'options, and use its version of QEMU'), text)

    def test_vm_of_kvm(self):
        """Of what guest-abi-probe printed on Linux 6.12, its GIC was left out"""
        document = json.loads(KVM_HOST.read_text(encoding='utf-8'))['return']
        contract = {'parts': [], 'entries': [
            *document['entries'], {'name': 'arm.gic', 'value': 0x103}]}
        bad = {verdict['name']: verdict['error'] for verdict in
               self.check(contract, 'virt-hvc-10.0,gic-version=3',
                          'neoverse-n1')}
        self.assertNotIn('arm.midr-el1', bad)
        self.assertIn("incoming VM has the kernel's GICv3, this VM has QEMU's "
                      'GICv3; start this QEMU with the source', bad['arm.gic'])
        self.assertIn('incoming VM has CLIDR_EL1 = 0x2000021, this VM has '
                      '0x82000023 (Ctype1 1 -> 3, ICB 0 -> 2); start this '
                      'QEMU with', bad['arm.clidr-el1'])

    def test_names_are_those_of_kvm(self):
        names = list(self.entries(PINNED, 'max'))
        for name in ('arm.midr-el1', 'arm.id-aa64pfr0-el1', 'arm.clidr-el1',
                     'arm.ctr-el0', 'arm.cntfrq-el0', 'arm.gic', 'arm.its',
                     'arm.ccsidr-el1.l1-data', 'arm.sve-vector-lengths',
                     'arm.sme-vector-lengths'):
            self.assertIn(name, names)
        self.assertNotIn('arm.el2', names)

    def test_stock_types_are_as_they_were(self):
        """Nothing is promised, nothing is refused that was not."""
        contract = self.contract('virt-10.0', 'max')
        self.assertEqual((contract['entries'], contract['parts']), ([], []))
        path = self.save('virt-10.0', 'max')
        self.assertNotIn(b'guest-abi', path.read_bytes())
        self.assertEqual(self.load(path, 'virt-10.0',
                                   'max,cntfrq=62500000')['status'],
                         'completed')

    def test_all_pairs_by_migration(self):
        """check-guest-abi and the migration say the same."""
        kinds = ('cortex-a72', 'neoverse-n1', 'max', 'max,sve=off')
        paths = {cpu: self.save(PINNED, cpu, name=cpu) for cpu in kinds}
        for source, target in itertools.product(kinds, repeat=2):
            with self.subTest(source=source, target=target):
                info = self.load(paths[source], PINNED, target)
                self.assertEqual(info['status'], 'completed'
                                 if source == target else 'failed', info)


def main():
    CpuContractArm.build = tap.arguments(__doc__, build=True).build.resolve()
    return tap.run(CpuContractArm)
