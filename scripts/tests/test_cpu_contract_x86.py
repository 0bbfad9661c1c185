# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests CPUID in the contract of an x86 VM, under TCG; prints TAP.

CPU models and their features against each other: what differs is refused by
name, before RAM, and the -cpu that a refusal names is enough. TCG has one XSAVE
layout, so that another one is a contract that was made here.
"""

import itertools
import json
import re

from qemu_hvc import tap
from qemu_hvc.paths import ROOT
from qemu_hvc.qmp import QemuError
from qemu_hvc.stream import Stream
from qemu_hvc.vm import Vm
from cpu_case import CpuCase, refused, sample

PAGE = ROOT / 'docs/system/i386/cpu-contract.rst'
ON = 'pc,guest-abi=on'
MODELS = ('qemu64', 'qemu32', 'Nehalem', 'Skylake-Server', 'EPYC', 'max')
OPTIONS = ('max', 'max,-xsaveopt,-aes', 'max,-pku', 'max,-xsave',
           'max,level=0x10', 'max,phys-bits=36', 'max,-la57',
           'max,family=6,model=42,stepping=1,vendor=GenuineIntel')
# Remedies that were not enough once, or did not start, and the other way round:
# what depends on a feature that TCG takes away; addresses of 32 bits; levels,
# which follow from features; words that come back with a feature.
HARD_PAIRS = (('max,+arch-capabilities', 'max'),
              ('max', 'max,+arch-capabilities'),
              ('Denverton', 'EPYC-Milan'),
              ('SapphireRapids', 'kvm64'),
              ('Snowridge', 'Icelake-Server,-arch-capabilities'),
              ('Cooperlake', 'max,pmu=on'),
              ('athlon', 'SapphireRapids'),
              ('coreduo', 'max,phys-bits=36,guest-phys-bits=36'),
              ('max,phys-bits=36', 'athlon'),
              ('EPYC-Genoa', 'max,tsc-frequency=1000000000'),
              ('qemu64', 'max'),
              ('qemu64,phys-bits=36', 'max,-syscall,-nx,-lm,-svm'),
              ('EPYC,+svm,xlevel=0x80000008', 'EPYC,-svm'),
              ('max,-xsave', 'max,level=5,xlevel=0x80000001'),
              ('max', 'max,-xsave,level-func7=0'))
ANY_MODELS = ('486', 'pentium', 'pentium3', 'athlon', 'phenom', 'coreduo',
              'core2duo', 'n270', 'kvm32', 'kvm64', 'qemu32', 'Conroe',
              'Penryn', 'Westmere', 'IvyBridge', 'Broadwell',
              'Cascadelake-Server', 'Icelake-Server', 'GraniteRapids',
              'SierraForest', 'Denverton', 'Snowridge', 'Opteron_G1',
              'Opteron_G5', 'EPYC-Rome', 'EPYC-Genoa', 'Dhyana', 'YongFeng')
# Bits of physical addresses, the most that there are
WIDEST = 52
# In a text that only a VM under KVM can say
ON_KVM = 'has physical addresses'
# XSAVE components: where the two vendors have PKRU
PKRU = 'x86.cpuid-d.9'
AMD_PKRU = 8 | 0x980 << 32


class CpuidVm(Vm):
    """A small VM of any CPU model"""

    MACHINE_OPTIONS = ''
    OPTIONS = ('-accel', 'tcg', '-m', '16', '-nodefaults', '-display', 'none',
               '-S')


class KvmVm(Vm):
    """The same under the KVM of this machine"""

    MACHINE_OPTIONS = ''
    OPTIONS = ('-accel', 'kvm', *CpuidVm.OPTIONS[2:])


class CpuContractX86(CpuCase):
    """What a guest is promised of its CPUID"""

    said = []    # texts of all refusals

    def vm(self, machine, cpu, *options):
        return CpuidVm(self.build / 'qemu/qemu-system-x86_64', machine, '-cpu',
                       cpu, *options)

    def check(self, contract, machine, cpu, *options):
        bad = super().check(contract, machine, cpu, *options)
        self.said.extend(verdict['error'] for verdict in bad)
        return bad

    def error(self, path, machine, cpu):
        info = self.load(path, machine, cpu)
        self.assertEqual(info['status'], 'failed', info)
        self.said.append(info['error-desc'])
        return info['error-desc']

    def start_error(self, machine, cpu):
        """Why a VM does not start"""
        with self.assertRaises(RuntimeError) as caught:
            with self.vm(machine, cpu) as vm:
                vm.command('query-status')
        text = str(caught.exception)
        self.assertIn('guest-abi-profile', text)
        text = re.search(r'guest-abi-profile=.*', text)[0]
        text = re.sub(r'=/\S*?(?= )', '=FILE', text)
        self.said.append(text)
        return text

    def test_models(self):
        self.assert_matrix([(ON, model) for model in MODELS])

    def test_options_of_one_model(self):
        self.assert_matrix([(ON, options) for options in OPTIONS])

    def test_other_machines(self):
        for machine in 'q35', 'microvm':
            machine += ',guest-abi=on'
            self.assert_matrix([(machine, cpu) for cpu in OPTIONS[:3]])

    def test_remedies_that_were_not_enough(self):
        self.assert_remedies([((ON, source), (ON, target))
                              for source, target in HARD_PAIRS])

    def test_remedies_of_any_models(self):
        kinds = [(machine, model) for machine in (ON, 'microvm,guest-abi=on')
                 for model in ANY_MODELS]
        self.assert_remedies(((machine, cpu), (machine, other)) for
                             (machine, cpu), (_, other) in sample(kinds, 50)
                             if cpu != other)

    def test_instruction_that_would_be_gone(self):
        """The guest would die of an invalid opcode."""
        path = self.save(ON, 'max')
        self.check(self.contract(ON, 'max'), ON, 'max,-xsaveopt,-aes')
        text = self.error(path, ON, 'max,-xsaveopt,-aes')
        self.assertRegex(text, r"incoming VM has CPU features 'aes' \(CPUID "
                         r'leaf 1 ECX = 0x[0-9a-f]+\), which this VM does not '
                         r'have \(0x[0-9a-f]+\)')
        self.assertIn("incoming VM has CPU features 'xsaveopt' (CPUID leaf "
                      'd.1 EAX = ', text)
        self.assertTrue(text.endswith('; start this QEMU with -cpu max,+aes,'
                                      '+xsaveopt'), text)
        # Nothing behind the section was needed to find out.
        section = Stream(path).select('guest-abi')[0]
        self.assertLess(section.offset, 4096)
        end = section.offset + section.size + 5
        self.file('short').write_bytes(path.read_bytes()[:end])
        self.assertEqual(self.error(self.file('short'), ON,
                                    'max,-xsaveopt,-aes'), text)

    def test_feature_that_would_appear(self):
        path = self.save(ON, 'max,-aes')
        text = self.error(path, ON, 'max')
        self.assertRegex(text, r"^guest-abi: incoming VM does not have CPU "
                         r"features 'aes' \(CPUID leaf 1 ECX = 0x[0-9a-f]+\), "
                         r'which this VM has \(0x[0-9a-f]+\); start this QEMU '
                         r'with -cpu max,-aes$')

    def test_both_ways_in_one_register(self):
        bad = self.check(self.contract(ON, 'max,-rdrand'), ON, 'max,-aes')
        self.assertEqual(len(bad), 1)
        self.assertIn("incoming VM has CPU features 'aes' and does not have "
                      "'rdrand' (CPUID leaf 1 ECX = 0x", bad[0]['error'])
        self.assertEqual(bad[0]['remedy'],
                         'start this QEMU with -cpu max,+aes,-rdrand')

    def test_feature_that_the_host_lacks(self):
        """What TCG does not have, no option of the destination gives."""
        contract = self.contract(ON, 'max')
        for entry in contract['entries']:
            if entry['name'] == 'x86.cpuid-7.0-ebx':
                entry['value'] |= 1 << 16
                del entry['hex']
        contract['entries'].append({'name': 'x86.cpuid-40000001-eax',
                                    'value': 1 << 14 | 1 << 18})
        bad = self.check(contract, ON, 'max')
        self.assertEqual({verdict['remedy'] for verdict in bad}, {
            "use a host with 'avx512f', 'kvm-asyncpf-int', bit 18 of CPUID "
            'leaf 40000001 EAX, or start the source VM with -cpu '
            '...,-avx512f,-kvm-asyncpf-int'})
        self.assertIn("incoming VM has CPU features 'kvm-asyncpf-int', "
                      "'bit18' (CPUID leaf 40000001 EAX", bad[-1]['error'])

    def test_all_bits(self):
        """A contract that claims everything has a text that ends."""
        contract = self.contract(ON, 'max')
        for entry in contract['entries']:
            if re.match(r'x86\.(cpuid|msr)', entry['name']):
                entry['value'] = 2 ** 64 - 1
                del entry['hex']
        stream = Stream(self.save(ON, 'max'))
        for entry in contract['entries']:
            if entry['value'] == 2 ** 64 - 1:
                stream.set('guest-abi', entry['name'], entry['value'])
        stream.write(self.file('edited'))
        info = self.load(self.file('edited'), ON, 'max')
        self.assertEqual(info['status'], 'failed')
        self.assertLess(len(info['error-desc']), 12000)
        bad = self.check(contract, ON, 'max')
        self.assertGreater(len(bad), 20)

    def test_layout_of_another_vendor(self):
        contract = self.contract(ON, 'max')
        values = {entry['name']: entry for entry in contract['entries']}
        self.assertEqual(values[PKRU]['value'], 8 | 0xa80 << 32)
        self.assertEqual(values[PKRU]['names'],
                         ['pkru', '8 bytes at offset 0xa80'])
        values[PKRU]['value'] = AMD_PKRU
        values[PKRU]['hex'] = hex(AMD_PKRU)
        self.assertEqual([verdict['error'] for verdict in
                          self.check(contract, ON, 'max')], [
            "guest-abi: XSAVE component 'pkru' of the incoming VM has 8 bytes "
            'at offset 0x980 of the area in memory (CPUID leaf d.9), here it '
            'has 8 bytes at offset 0xa80; use a host whose CPU has the '
            "source's layout, as those of its vendor do, or start the source "
            'VM with a -cpu that does not have the component'])
        # By a migration, too
        stream = Stream(self.save(ON, 'max'))
        stream.set('guest-abi', PKRU, AMD_PKRU)
        stream.write(self.file('edited'))
        self.assertIn("XSAVE component 'pkru' of the incoming VM",
                      self.error(self.file('edited'), ON, 'max'))

    def test_the_users_own_options_are_kept(self):
        contract = self.contract(ON, 'max,-aes,phys-bits=40')
        bad = self.check(contract, ON, 'max,-aes,+pku,phys-bits=36,pmu=off,'
                         'hv-relaxed=on,sha-ni=off')
        self.assertEqual({verdict['remedy'] for verdict in bad}, {
            'start this QEMU with -cpu max,host-phys-bits=off,phys-bits=40,'
            '-aes,+sha-ni,+pku,hv-relaxed=on,pmu=off'})

    def test_smp_decides_on_hyperthreading(self):
        contract = self.contract(ON, 'max', '-smp', '2,threads=2')
        bad = self.check(contract, ON, 'max', '-smp', '2,sockets=2')
        self.assertTrue(bad)
        self.assertIn("incoming VM has CPU features 'ht' (CPUID leaf 1 EDX",
                      bad[0]['error'])
        self.assertEqual({verdict['remedy'] for verdict in bad}, {
            "start this QEMU with -cpu max, and with the source's -smp"})

    def test_contract_without_cpuid(self):
        bad = self.check({'entries': [], 'parts': []}, ON, 'max')
        self.assertIn("start this QEMU with the source's -cpu",
                      {verdict['remedy'] for verdict in bad})

    def test_all_pairs_by_migration(self):
        """check-guest-abi and the migration say the same."""
        kinds = ('Nehalem', 'EPYC', 'max', 'max,-pku')
        paths = {cpu: self.save(ON, cpu, name=cpu) for cpu in kinds}
        for source, target in itertools.product(kinds, repeat=2):
            with self.subTest(source=source, target=target):
                info = self.load(paths[source], ON, target)
                self.assertEqual(info['status'], 'completed'
                                 if source == target else 'failed', info)

    def test_stock_types_are_as_they_were(self):
        path = self.save('pc', 'max')
        self.assertNotIn(b'guest-abi', path.read_bytes())
        self.assertEqual(self.load(path, 'pc', 'max,-aes')['status'],
                         'completed')

    # guest-abi-profile

    def fleet(self, *cpus):
        """What VMs of all these CPUs have, as a tool would write it"""
        contracts = [self.contract(ON, cpu) for cpu in cpus]
        profile = contracts[0]
        for entry in profile['entries']:
            del entry['hex']
            for other in contracts[1:]:
                value = {each['name']: each['value']
                         for each in other['entries']}.get(entry['name'], 0)
                entry['value'] &= value
        return self.profile(profile)

    def test_profile_gives_all_hosts_the_same(self):
        """Two hosts, played by CPUs that lack something"""
        profile = self.fleet('max', 'max,-aes,-sha-ni', 'max,-pku,-xsavec')
        machine = f'{ON},guest-abi-profile={profile}'
        contract = self.contract(machine, 'max')
        self.assertEqual(self.entries(machine, 'max'),
                         self.entries(ON, 'max,-aes,-sha-ni,-pku,-xsavec'))
        # "max" of a host without aes is as if -aes were given.
        for host in 'max', 'max,-aes,-sha-ni', 'max,-pku':
            self.assertEqual(self.check(contract, machine, host), [], host)
        path = self.save(machine, 'max')
        self.assertEqual(self.load(path, ON, 'max,-aes,-sha-ni,-pku,-xsavec')
                         ['status'], 'completed')

    def test_profile_of_numbers(self):
        """A host model is as the profile says, a named one as it is."""
        profile = self.profile(self.contract(
            ON, 'max,family=23,model=49,stepping=2,level=0xd,phys-bits=36'))
        machine = f'{ON},guest-abi-profile={profile}'
        entries = self.entries(machine, 'max')
        self.assertEqual(entries['x86.cpuid-1-eax'], 0x830f12)
        self.assertEqual(entries['x86.cpuid-0-eax'], 0xd)
        self.assertEqual(entries['x86.cpuid-80000008-eax'] & 0xff, 36)
        self.assertEqual(self.entries(machine, 'Nehalem')['x86.cpuid-1-eax'],
                         self.entries(ON, 'Nehalem')['x86.cpuid-1-eax'])

    def test_profile_and_named_model(self):
        profile = self.fleet('max', 'max,-aes')
        machine = f'{ON},guest-abi-profile={profile}'
        self.assertEqual(self.entries(machine, 'EPYC'),
                         self.entries(ON, 'EPYC,-aes'))

    def test_profile_that_the_host_cannot_give(self):
        contract = self.contract(ON, 'max')
        for entry in contract['entries']:
            if entry['name'] == 'x86.cpuid-7.0-ebx':
                entry['value'] |= 1 << 16
                del entry['hex']
        profile = self.profile(contract)
        self.assertEqual(
            self.start_error(f'{ON},guest-abi-profile={profile}', 'max'),
            "guest-abi-profile=FILE has CPU features 'avx512f' (CPUID leaf "
            '7.0 EBX), which this host does not have; use a profile that all '
            'hosts of the fleet can give, as guest-abi-diff --fleet '
            '--profile-out writes it')

    def test_profile_and_an_option_beyond_it(self):
        profile = self.fleet('max', 'max,-aes')
        self.assertEqual(
            self.start_error(f'{ON},guest-abi-profile={profile}', 'max,+aes'),
            "guest-abi-profile=FILE does not have CPU features 'aes' (CPUID "
            'leaf 1 ECX), which this VM would have; do not ask for them with '
            '-cpu, or use the profile of hosts that have them')
        self.assertRegex(
            self.start_error(f'{ON},guest-abi-profile={profile}',
                             'max,phys-bits=36'),
            r'^guest-abi-profile=FILE has CPUID leaf 80000008 EAX \(address '
            r'widths\) = physical 40, virtual \d+, guest-physical 0, this VM '
            r'would have physical 36, .*; leave that to the profile, and do '
            r'not set it with -cpu$')

    def test_profile_of_another_vendor(self):
        profile = self.profile(self.contract(ON, 'max,vendor=GenuineIntel'))
        self.assertEqual(
            self.start_error(f'{ON},guest-abi-profile={profile}', 'max'),
            'guest-abi-profile=FILE has CPUID leaf 0 EBX (vendor) = Genu, '
            'this VM would have Auth; use the profile of hosts whose CPU is '
            "of this one's vendor")
        contract = self.contract(ON, 'max')
        for entry in contract['entries']:
            if entry['name'] == PKRU:
                entry['value'], entry['hex'] = AMD_PKRU, hex(AMD_PKRU)
        profile = self.profile(contract)
        self.assertIn('has CPUID leaf d.9 = 8 bytes at offset 0x980, this VM '
                      'would have 8 bytes at offset 0xa80',
                      self.start_error(f'{ON},guest-abi-profile={profile}',
                                       'max'))

    def test_what_is_no_profile(self):
        for text, reason in (
                (None, 'cannot read it: No such file or directory'),
                ('{', 'JSON parse error'),
                ('{}', "no list 'entries'"),
                (json.dumps({'entries': [{'name': 'arm.midr-el1',
                                          'value': 1}]}),
                 "no entry 'x86.cpuid-1-edx', so it is not the contract of an "
                 'x86 VM')):
            path = self.file('bad.json')
            if text is not None:
                path.write_text(text, encoding='utf-8')
            found = self.start_error(f'{ON},guest-abi-profile={path}', 'max')
            self.assertIn('guest-abi-profile=FILE is not a profile: ', found)
            self.assertIn(reason, found)
            self.assertIn('; make FILE with query-guest-abi of a VM on another '
                          'host, or with guest-abi-diff --fleet --profile-out',
                          found)

    def edited(self, contract, name, value):
        """A profile in which an entry has another value"""
        others = [entry for entry in contract['entries']
                  if entry['name'] != name]
        return self.profile({'entries': [*others,
                                         {'name': name, 'value': value}]})

    def test_numbers_that_no_register_has(self):
        """They would become properties of -cpu, of 32 bits."""
        contract = self.contract(ON, 'max')
        names = [entry['name'] for entry in contract['entries']
                 if re.match(r'x86\.cpuid-(?!d\.\d+$)', entry['name'])]
        self.assertIn('x86.cpuid-7.0-eax', names)
        for name in (*names, 'x86.cpuid-c0000000-eax', 'x86.cpuid-a-ebx'):
            profile = self.edited(contract, name, 1 << 32)
            with self.subTest(name):
                self.assertIn(
                    f"is not a profile: '{name}' = 0x100000000 has more than "
                    'the 32 bits of CPUID leaf ',
                    self.start_error(f'{ON},guest-abi-profile={profile}',
                                     'max'))

    def test_numbers_out_of_range(self):
        contract = self.contract(ON, 'max')
        level = "' = {:#x} is not a level of CPUID, which is from {:#x} to {:#x}"
        for name, value, text in (
                ('0-eax', 0xffffffff, level.format(0xffffffff, 0, 0xff)),
                ('7.0-eax', 0x10, level.format(0x10, 0, 0xf)),
                ('80000000-eax', 1, level.format(1, 0x80000000, 0x800000ff)),
                ('c0000000-eax', 0xc0000100,
                 level.format(0xc0000100, 0xc0000000, 0xc00000ff)),
                ('1-eax', 0xffffffff, "' = 0xffffffff has more than a family, "
                 'a model and a stepping, which are 0xfff0fff'),
                ('1-eax', 0x1000663, 'which are 0x663'),
                ('80000008-eax', 0xff, "' = 0xff is not widths of addresses: "
                 f'needed: physical ones of 32 to {WIDEST} bits in [7:0], the '
                 "guest's of 0, or of 32 to as many, in [23:16]"),
                ('80000008-eax', 0x393035, "' = 0x393035 is not widths"),
                ('80000008-eax', 0x28391f, "' = 0x28391f is not widths"),
                ('80000008-eax', 0x293928, "' = 0x293928 is not widths"),
                ('80000008-eax', 0x1f3928, "' = 0x1f3928 is not widths"),
                ('80000008-eax', 0x1003928, "' = 0x1003928 is not widths")):
            profile = self.edited(contract, f'x86.cpuid-{name}', value)
            with self.subTest(name, value=value):
                found = self.start_error(f'{ON},guest-abi-profile={profile}',
                                         'max')
                self.assertIn(f"is not a profile: 'x86.cpuid-{name}' = ",
                              found)
                self.assertIn(text, found)

    def test_profile_of_a_cpu_of_32_bits(self):
        """Its address widths are no options."""
        profile = self.profile(self.contract(ON, 'max,-lm'))
        machine = f'{ON},guest-abi-profile={profile}'
        self.assertEqual(self.entries(machine, 'max'),
                         self.entries(ON, 'max,-lm'))

    def test_components_of_a_profile(self):
        contract = self.contract(ON, 'max')
        for name, value, text in (
                ('x86.xcr0', 1 << 63 | 0x21f, "guest-abi-profile=FILE has "
                 "XSAVE component 'bit63' (XCR0), which this host does not "
                 'have; use a profile that all hosts of the fleet can give, '
                 'as guest-abi-diff --fleet --profile-out writes it'),
                ('x86.xss', 1 << 11, "has XSAVE component 'cet' (XSS), which "
                 'this host does not have'),
                ('x86.xcr0', 0x1f, "guest-abi-profile=FILE does not have "
                 "XSAVE component 'pkru' (XCR0), which this VM would have by "
                 'its features; use a profile that has both, as '
                 'query-guest-abi and guest-abi-diff --fleet --profile-out '
                 'write it')):
            profile = self.edited(contract, name, value)
            with self.subTest(name, value=value):
                self.assertIn(text, self.start_error(
                    f'{ON},guest-abi-profile={profile}', 'max'))

    def test_profile_is_fixed_when_the_vm_exists(self):
        with self.vm(ON, 'max') as vm:
            with self.assertRaisesRegex(RuntimeError, 'guest-abi-profile '
                                        'cannot be changed after the machine '
                                        'was created'):
                vm.command('qom-set', path='/machine',
                           property='guest-abi-profile', value='x')

    def kvm_contracts(self, *cpus):
        """Those of VMs under the KVM of this machine, if there is one that runs
        them"""
        contracts = []
        for cpu in cpus:
            try:
                with KvmVm(self.build / 'qemu/qemu-system-x86_64', ON, '-cpu',
                           cpu) as vm:
                    contracts.append(vm.command('query-guest-abi'))
            except QemuError as error:
                self.skipTest(f'-cpu {cpu} under the KVM of this machine: '
                              + str(error).splitlines()[0])
        return contracts

    def test_kvms_leaf_has_an_option(self):
        """Without it a guest sees no leaf, and not one without features."""
        for model in 'host,-arch-capabilities', 'qemu64':
            options = [f'{model},kvm={kvm}' for kvm in ('on', 'off')]
            contracts = self.kvm_contracts(*options)
            for source, here, contract in zip(options, reversed(options),
                                              contracts):
                with self.subTest(source), \
                     KvmVm(self.build / 'qemu/qemu-system-x86_64', ON, '-cpu',
                           here) as vm:
                    bad = refused(vm.command('check-guest-abi',
                                             entries=contract['entries'],
                                             parts=contract['parts']))
                    self.assertEqual(
                        [(verdict['name'], verdict['remedy'])
                         for verdict in bad],
                        [('x86.cpuid-40000001-eax',
                          f'start this QEMU with -cpu {source}')])

    def test_profile_with_wider_addresses(self):
        cpu = 'host,-arch-capabilities'
        contract, = self.kvm_contracts(cpu)
        for entry in contract['entries']:
            if entry['name'] == 'x86.cpuid-80000008-eax':
                here = entry['value'] & 0xff
                entry['value'] += WIDEST - here
                del entry['hex']
        if here == WIDEST:
            self.skipTest(f'this host has {here} bits, as many as QEMU takes')
        path = self.profile(contract)
        with self.assertRaises(QemuError) as caught:
            with KvmVm(self.build / 'qemu/qemu-system-x86_64',
                       f'pc,guest-abi-profile={path}', '-cpu', cpu):
                pass
        text = re.search(r'guest-abi-profile=.*', str(caught.exception))[0]
        self.assertIn(f'{path} {ON_KVM} of {WIDEST} bits, this host has '
                      f'{here}; use a profile ', text)
        self.said.append(text.replace(str(path), 'FILE'))

    def test_z_the_manual_has_real_texts(self):
        """After the other tests: each text of the page was said, but for that
        of KVM on a machine without."""
        blocks = re.findall(r'\.\. code-block:: text\n\n((?:   .*\n|\n)+)',
                            PAGE.read_text(encoding='utf-8'))
        self.assertGreaterEqual(len(blocks), 6)
        said = [' '.join(text.split()) for text in self.said]
        for block in blocks:
            if ON_KVM in block and not any(ON_KVM in text for text in said):
                continue
            with self.subTest(block):
                pattern = '.*?'.join(map(re.escape,
                                         ' '.join(block.split()).split('…')))
                self.assertTrue(any(re.fullmatch(pattern, text)
                                    for text in said), block)


def main():
    CpuContractX86.build = tap.arguments(__doc__, build=True).build.resolve()
    return tap.run(CpuContractX86)
