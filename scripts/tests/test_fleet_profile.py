# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests what hosts have in common, and the options by which two VMs are alike;
prints TAP.

That is guest-abi-diff --fleet --profile-out, and guest-abi-diff A B. The rules for
the fields of Arm's ID registers are compared with the register table of QEMU's
side, target-arm/hvc/sysregs.c.
"""

import json
from pathlib import Path
import re
import subprocess
import tempfile
import unittest

from qemu_hvc import arm_fields, tap
from qemu_hvc.contract import Contract
from qemu_hvc.entries import LIST_MAX
from qemu_hvc.paths import DATA, ROOT, SCRIPTS

TOOL = SCRIPTS / 'guest-abi-diff'
PAGE = ROOT / 'docs/system/arm/hvc-mixed-fleet.rst'
SYSREGS = ROOT / 'target-arm/hvc/sysregs.c'
LIST_HEADER = ROOT / 'target-arm/hvc/implementations.h'
HOST = {'guest-abi-probe': 1, 'qemu': '10.0.13', 'accel': 'kvm',
        'profile': None, 'option': 'kernel-floor', 'host': {}, 'features': [],
        'types': []}
FLOOR = {'name': 'linux-6.12', 'starts': True, 'kernel-floor': 'linux-6.12'}

# Words of CPUID: entry -> names of its bits, the lowest first
WORDS = {'x86.cpuid-1-edx': ('fpu', 'vme', 'sse', 'ht'),
         'x86.cpuid-7.0-ebx': ('avx2', 'bmi2', 'avx512f', 'avx512dq'),
         'x86.cpuid-7.0-ecx': ('umip', 'pku', 'bit2'),
         'x86.cpuid-d.1-eax': ('xsaveopt', 'xsavec', 'xgetbv1', 'xsaves'),
         'x86.cpuid-40000001-eax': ('kvmclock', 'kvm-asyncpf-int'),
         'x86.msr-10a': ('rdctl-no', 'skip-l1dfl-vmentry')}
LAYOUT_INTEL = {'x86.cpuid-d.9': 8 | 0xa80 << 32,
                'x86.cpuid-d.5': 64 | 0x440 << 32}
LAYOUT_AMD = {'x86.cpuid-d.9': 8 | 0x980 << 32,
              'x86.cpuid-d.5': 64 | 0x340 << 32}
NUMBERS = {'x86.cpuid-0-eax': 0xd, 'x86.cpuid-0-ebx': 0x756e6547,
           'x86.cpuid-1-eax': 0x806ec, 'x86.cpuid-80000000-eax': 0x80000008,
           'x86.cpuid-80000008-eax': 0x302e, 'x86.xcr0': 0x207}


def word_entry(name, features):
    value = sum(1 << bit for bit, word in enumerate(WORDS[name])
                if word in features)
    return {'name': name, 'value': value, 'hex': hex(value), 'rule': 'exact',
            'names': [word for word in WORDS[name] if word in features]}


def entry(name, value, rule='exact', names=None):
    made = {'name': name, 'value': value, 'hex': hex(value), 'rule': rule}
    return made if names is None else {**made, 'names': names}


def x86(features, numbers=None, layout=None):
    """A contract's entries: names of features, numbers that are not NUMBERS'"""
    words = [word_entry(name, features) for name in WORDS]
    return [*(word for word in words if word['value']),
            *(entry(name, value, 'subset' if name == 'x86.xcr0' else 'exact')
              for name, value in {**NUMBERS, **(LAYOUT_INTEL if layout is None
                                                else layout),
                                  **(numbers or {})}.items() if value)]


def register(name):
    """The end of its entry's name"""
    if name.startswith('id-'):
        return f'{name}-el1'
    if name.endswith('-el0'):
        return name
    return f'id-aa64{name}-el1' if name[-1].isdigit() else f'{name}-el1'


def arm(**registers):
    """A contract's entries: "pfr0", "midr" and so on, of KVM/arm64"""
    values = {'midr-el1': 0x414fd0c1, 'ctr-el0': 0x8444c004,
              **{register(name): value for name, value in registers.items()}}
    return [entry(f'arm.{name}', value, 'accepted')
            for name, value in values.items()] + [
                entry('arm.psci-version', 0x10001, names=['1.1'])]


def facts(masks=None, identity=False, ctr=None):
    """What a host's kernel says, as in guest-abi-probe's file; masks of
    registers that KVM lets QEMU change"""
    return {'writable': {'masks': {name: hex(mask) for name, mask in
                                   (masks or {}).items()},
                         'identity': identity},
            **({} if ctr is None else {'ctr': {'value': hex(ctr)}})}


class Case(unittest.TestCase):
    """Hosts' files in a directory, and what is said of them"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def host(self, name, entries, kernel='6.12.1', cpu='host', facts=None,
             floor='linux-6.12'):
        machine = 'q35' if entries[0]['name'].startswith('x86.') else 'virt'
        document = {**HOST, 'kernel': kernel, 'machine': machine, 'cpu': cpu,
                    'floors': [{**FLOOR, 'name': floor, 'kernel-floor': floor}],
                    'host': facts or {},
                    'return': {'machine': machine, 'migrated': True,
                               'entries': entries, 'parts': []}}
        (self.folder / name).write_text(json.dumps(document),
                                        encoding='utf-8')
        return name

    def run_tool(self, *arguments):
        result = subprocess.run([TOOL, *arguments], text=True,
                                cwd=self.folder, capture_output=True,
                                check=False)
        return result.returncode, result.stdout.splitlines(), result.stderr

    def profile(self, *names):
        """The profile's values, as -machine guest-abi-profile= reads them, and
        the option that is printed"""
        status, lines, err = self.run_tool('--fleet', '--profile-out', 'p',
                                           *names)
        self.assertEqual(err, '')
        document = json.loads((self.folder / 'p').read_text(encoding='utf-8'))
        contract = document['return']
        self.assertEqual(contract.keys(), {'machine', 'migrated', 'entries',
                                           'parts'})
        for row in contract['entries']:
            self.assertEqual(row['hex'], hex(row['value']))
        # A reply that guest-abi-diff can read, too
        Contract('p', document)
        self.entries = {row['name']: row for row in contract['entries']}
        self.status = status
        self.notes = [line.removeprefix('note: ') for line in lines
                      if line.startswith('note: ')]
        self.option = next((line.removeprefix('use: -machine ')
                            for line in lines if line.startswith('use: ')),
                           None)
        return {name: row['value'] for name, row in self.entries.items()}

    def refused(self, *names):
        """The lines that say why"""
        status, lines, err = self.run_tool('--fleet', '--profile-out', 'refused',
                                           *names)
        self.assertEqual((status, lines), (1, []))
        self.assertFalse((self.folder / 'refused').exists())
        prefix = 'guest-abi-diff: no profile: '
        found = err.splitlines()
        self.assertTrue(all(line.startswith(prefix) for line in found), err)
        return [line.removeprefix(prefix) for line in found]


ALL = ('fpu', 'sse', 'avx2', 'avx512f', 'avx512dq', 'pku', 'xsaveopt',
       'xsaves', 'kvmclock', 'kvm-asyncpf-int', 'rdctl-no')


class X86(Case):
    """Feature words, numbers and layouts"""

    def test_features_of_all(self):
        few = [word for word in ALL if word not in ('avx512f', 'avx512dq',
                                                    'xsaves')]
        values = self.profile(
            self.host('a', x86(ALL, {'x86.xcr0': 0x2e7})),
            self.host('b', x86([*few, 'umip'])))
        self.assertEqual(values['x86.cpuid-7.0-ebx'], 0b1)
        self.assertEqual(self.entries['x86.cpuid-7.0-ebx']['names'], ['avx2'])
        self.assertEqual(self.entries['x86.cpuid-7.0-ecx']['names'], ['pku'])
        self.assertEqual(self.entries['x86.cpuid-d.1-eax']['names'],
                         ['xsaveopt'])
        self.assertEqual(values['x86.xcr0'], 0x207)
        self.assertNotIn('x86.cpuid-d.5', values)
        self.assertEqual(values['x86.cpuid-d.9'],
                         LAYOUT_INTEL['x86.cpuid-d.9'])
        self.assertEqual(self.status, 1)
        self.assertEqual(self.option, 'q35,kernel-floor=linux-6.12,'
                                      'guest-abi-profile=p')

    def test_word_of_one_host_only(self):
        values = self.profile(self.host('a', x86(ALL)), self.host(
            'b', x86([word for word in ALL if word != 'rdctl-no'])))
        self.assertNotIn('x86.msr-10a', values)

    def test_numbers(self):
        values = self.profile(
            self.host('old', x86(ALL, {'x86.cpuid-0-eax': 0x16,
                                       'x86.cpuid-1-eax': 0x50657,
                                       'x86.cpuid-80000008-eax': 0x39302e}),
                      '6.1.1'),
            self.host('new', x86(ALL, {'x86.cpuid-80000008-eax': 0x303034}),
                      '6.12.1'))
        self.assertEqual(values['x86.cpuid-0-eax'], 0xd)
        self.assertEqual(values['x86.cpuid-1-eax'], 0x50657)
        self.assertEqual(values['x86.cpuid-80000008-eax'], 0x30302e)

    def test_equal_hosts_need_none(self):
        self.profile(self.host('a', x86(ALL)), self.host('b', x86(ALL)))
        self.assertEqual(self.status, 0)
        self.assertEqual(self.option, 'q35,kernel-floor=linux-6.12')

    def test_profile_is_of_all_it_was_made_of(self):
        """The profile of a profile and its hosts is the profile."""
        names = [self.host('a', x86(ALL)),
                 self.host('b', x86(ALL[:5] + ('umip', 'xsavec')))]
        values = self.profile(*names)
        made = json.loads((self.folder / 'p').read_text(encoding='utf-8'))
        self.host('c', made['return']['entries'])
        self.assertEqual(self.profile(*names, 'c'), values)

    def test_vendors(self):
        other = {'x86.cpuid-0-ebx': 0x68747541}
        found = self.refused(self.host('intel', x86(ALL)),
                             self.host('amd', x86(ALL, other)))
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0],
                         'x86.cpuid-0-ebx cannot be made equal: 0x756e6547 in '
                         'intel; 0x68747541 in amd; guests cannot go from one '
                         'CPU to another; make a fleet of each')

    def test_layouts(self):
        """Of components that all hosts have"""
        found = self.refused(self.host('intel', x86(ALL)),
                             self.host('amd', x86(ALL, layout=LAYOUT_AMD)))
        self.assertEqual(len(found), 1)
        self.assertIn('x86.cpuid-d.9 cannot be made equal', found[0])
        values = self.profile(
            self.host('intel', x86(ALL)),
            self.host('amd', x86(ALL, {'x86.xcr0': 0x7}, LAYOUT_AMD)))
        self.assertFalse({'x86.cpuid-d.9', 'x86.cpuid-d.5'} & values.keys())

    def test_layout_of_one_host(self):
        """A component that the other one lacks is a feature."""
        names = (self.host('a', x86(ALL)), self.host(
            'b', x86([word for word in ALL if word != 'pku'],
                     {'x86.xcr0': 0x7}, {})))
        status, lines, _ = self.run_tool('--fleet', *names)
        self.assertFalse([line for line in lines
                          if line.startswith(('cpu:', 'a fleet of its own'))])
        self.assertTrue(self.profile(*names))
        self.assertEqual(self.option, 'q35,kernel-floor=linux-6.12,'
                                      'guest-abi-profile=p')
        self.assertFalse([line for line in self.run_tool(*names)[1]
                          if 'cpuid-d.' in line and 'd.1-eax' not in line])

    def test_pmu(self):
        found = self.refused(
            self.host('a', x86(ALL, {'x86.cpuid-a-eax': 0x7300404})),
            self.host('b', x86(ALL)))
        self.assertTrue(found[0].endswith(
            'probe all hosts with --cpu host,pmu=off'), found)

    def test_what_the_fleet_says(self):
        names = (self.host('a', x86(ALL)),
                 self.host('b', x86(ALL[:-2] + ('umip',))))
        status, lines, _ = self.run_tool('--fleet', *names)
        self.assertEqual(status, 1)
        self.assertFalse([line for line in lines if line.startswith('use')])
        self.assertIn('features: a host has what another one lacks; start all '
                      'VMs with a profile of what all have, which '
                      '--profile-out FILE writes', lines)
        self.assertIn('  x86.cpuid-40000001-eax: kvm-asyncpf-int in a; none '
                      'of these in b', lines)
        self.assertIn('  x86.cpuid-7.0-ecx: none of these in a; umip in b',
                      lines)


class Arm(Case):
    """Fields of ID registers"""

    MMFR2 = 0x1011 | 1 << 40

    def test_lower_is_safe(self):
        values = self.profile(
            self.host('old', arm(isar0=0x0221100110211120, dfr0=0x10305406),
                      '6.1.1'),
            self.host('new', arm(isar0=0x1221100110211120, dfr0=0x10305408)))
        self.assertEqual(values['arm.id-aa64isar0-el1'], 0x0221100110211120)
        self.assertEqual(values['arm.id-aa64dfr0-el1'], 0x10305406)
        self.assertEqual(self.option, 'virt,kernel-floor=linux-6.12,'
                                      'guest-abi-profile=p')

    def test_mixed(self):
        """Neither host's registers are the common ones"""
        values = self.profile(
            self.host('a', arm(isar0=0x0221000010211120, isar1=0x2)),
            self.host('b', arm(isar0=0x0021100010211110, isar1=0x3)))
        self.assertEqual(values['arm.id-aa64isar0-el1'], 0x0021000010211110)
        self.assertEqual(values['arm.id-aa64isar1-el1'], 2)

    def test_signed(self):
        """TGran4: 0xf is "not there", less than 0; TGran4_2: 1 is safe."""
        values = self.profile(
            self.host('a', arm(mmfr0=0xf << 28 | 2 << 40 | 5)),
            self.host('b', arm(mmfr0=0x0 << 28 | 3 << 40 | 2)))
        self.assertEqual(values['arm.id-aa64mmfr0-el1'],
                         0xf << 28 | 1 << 40 | 2)

    def test_higher_is_safe(self):
        values = self.profile(self.host('a', arm(mmfr1=1 << 24)),
                              self.host('b', arm(mmfr1=0)))
        self.assertEqual(values['arm.id-aa64mmfr1-el1'], 1 << 24)

    def test_other_pmu(self):
        values = self.profile(self.host('a', arm(dfr0=0xf06)),
                              self.host('b', arm(dfr0=0x506)))
        self.assertEqual(values['arm.id-aa64dfr0-el1'], 0x006)

    def test_field_that_cannot_be_lowered(self):
        found = self.refused(
            self.host('a', arm(mmfr2=self.MMFR2)),
            self.host('b', arm(mmfr2=self.MMFR2)),
            self.host('c', arm(mmfr2=0x1011)))
        self.assertEqual(found, [
            'ID_AA64MMFR2_EL1.FWB cannot be made equal: 1 in a, b; 0 in c; '
            'no kernel up to Linux 7.3 shows a guest less of it than the CPU '
            'has; make a fleet of the hosts with each value'])

    def test_field_that_an_option_takes_away(self):
        found = self.refused(
            self.host('a', arm(pfr0=1 << 32 | 0x11, isar1=0x10)),
            self.host('b', arm(pfr0=0x11, isar1=0x100)))
        self.assertEqual(len(found), 3)
        for line, field, option in zip(found, ('ID_AA64PFR0_EL1.SVE',
                                               'ID_AA64ISAR1_EL1.APA',
                                               'ID_AA64ISAR1_EL1.API'),
                                       ('sve=off', 'pauth=off', 'pauth=off')):
            self.assertIn(f'{field} cannot be made equal', line)
            self.assertTrue(line.endswith(
                f'probe all hosts with --cpu host,{option}'))

    def test_kernel_that_changes_nothing(self):
        found = self.refused(
            self.host('old', arm(isar0=0x1021100110211120), '6.1.176'),
            self.host('new', arm(isar0=0x0021100110211120)))
        self.assertEqual(found, [
            'old: ID_AA64ISAR0_EL1 = 0x1021100110211120 cannot be '
            '0x21100110211120 (bits [63:60] 1 -> 0), its kernel shows it in '
            'one way only; needed: Linux 6.12 or later; update it, or make a '
            'fleet of its own'])

    def test_shown_by_mistake(self):
        """MPAM of an old kernel is in no guest."""
        values = self.profile(
            self.host('old', arm(pfr0=1 << 40 | 0x11), '6.1.176'),
            self.host('new', arm(pfr0=0x11)))
        self.assertEqual(values['arm.id-aa64pfr0-el1'], 0x11)

    def test_caches_of_the_oldest(self):
        values = self.profile(
            self.host('new', arm(clidr=0x2000021)),
            self.host('old', arm(clidr=0x82000023) + [
                entry('arm.ccsidr-el1.l1-data', 0x701fe01a, 'accepted')],
                '6.1.1'))
        self.assertEqual(values['arm.clidr-el1'], 0x82000023)
        self.assertEqual(values['arm.ccsidr-el1.l1-data'], 0x701fe01a)

    def test_other_cpus(self):
        found = self.refused(
            self.host('n1', arm()), self.host('a76', arm(midr=0x414fd0b1)))
        self.assertEqual(found, [
            'arm.midr-el1 cannot be made equal: 0x414fd0c1 in n1; 0x414fd0b1 '
            'in a76; guests go from one CPU to another only between hosts '
            'with Linux 6.15 or later; update them, or make a fleet of each'])

    def test_list_of_cpus(self):
        """From Linux 6.15 on the profile has the list, oldest kernel first."""
        values = self.profile(
            self.host('n1', arm(), '6.18.15'),
            self.host('a76', arm(midr=0x414fd0b1, revidr=0x5), '6.16.12'),
            self.host('also-n1', arm(), '7.3.4'))
        self.assertEqual(values['arm.midr-el1'], 0x414fd0b1)
        self.assertEqual(values['arm.revidr-el1'], 0x5)
        self.assertEqual(
            {name: value for name, value in values.items()
             if 'implementation' in name},
            {'arm.implementation-cpus': 2,
             'arm.implementation-cpu-0.midr': 0x414fd0b1,
             'arm.implementation-cpu-0.revidr': 0x5,
             'arm.implementation-cpu-1.midr': 0x414fd0c1})

    def test_list_in_whatever_order(self):
        """The oldest kernel's CPU is the first; of equal kernels the one with
        the lowest numbers; so two people get the same profile."""
        hosts = (self.host('n1', arm(), '6.18.15+deb13'),
                 self.host('a76', arm(midr=0x414fd0b1, revidr=0x5), '6.18.15'),
                 self.host('also-a76', arm(midr=0x414fd0b1), '6.18.15'),
                 self.host('v1', arm(midr=0x411fd401, isar0=0x10), '6.16.12'),
                 self.host('n2', arm(midr=0x410fd490), '7.3.4'))
        values = self.profile(*hosts)
        self.assertEqual([values[f'arm.implementation-cpu-{cpu}.midr']
                          for cpu in range(5)],
                         [0x411fd401, 0x414fd0b1, 0x414fd0b1, 0x414fd0c1,
                          0x410fd490])
        self.assertEqual(values['arm.implementation-cpu-2.revidr'], 5)
        made = (self.folder / 'p').read_bytes()
        for order in (hosts[::-1], hosts[2:] + hosts[:2], hosts[1::2] +
                      hosts[::2]):
            self.profile(*order)
            self.assertEqual((self.folder / 'p').read_bytes(), made, order)

    def test_oldest_in_whatever_order(self):
        """Two hosts with one kernel and one CPU that show other caches"""
        hosts = [self.host(name, arm(clidr=clidr), '6.12.1')
                 for name, clidr in (('a', 0x82000023), ('b', 0x2000021))]
        self.assertEqual(self.profile(*hosts), self.profile(*hosts[::-1]))
        self.assertEqual(*(self.run_tool('--fleet', *order)[1][-3]
                           for order in (hosts, hosts[::-1])))

    def cpus(self, count):
        return [self.host(f'h{number:02}', arm(midr=0x411fd400 + number % 16,
                                               revidr=number // 16), '7.3.4',
                          facts=facts(identity=True))
                for number in range(count)]

    def test_list_of_too_many_cpus(self):
        self.assertEqual(self.profile(*self.cpus(16))[
            'arm.implementation-cpus'], 16)
        self.assertEqual(self.refused(*self.cpus(17)), [
            'these hosts have 17 different CPUs, each revision being one '
            '(MIDR_EL1, REVIDR_EL1, AIDR_EL1); a guest can be told of 16; '
            'split the fleet, and make a profile for each part, of hosts with '
            'at most 16 CPUs'])

    def test_list_of_as_many_cpus_as_qemu_takes(self):
        text = LIST_HEADER.read_text(encoding='utf-8')
        self.assertEqual(re.search(
            r'#define HVC_IMPLEMENTATIONS_MAX (\d+)', text)[1], str(LIST_MAX))

    def test_list_of_what_is_no_cpu(self):
        """Of a file that somebody has changed"""
        for midr in 0, 0x1414fd0c1:
            self.assertEqual(self.refused(
                self.host('n1', arm(), '7.3.4'),
                self.host('bad', arm(midr=midr), '7.3.4')), [
                    f'bad: arm.midr-el1 = {midr:#x}; needed: a number of 32 '
                    'bits that is not 0; make the file again, with '
                    'guest-abi-probe on that host'])

    def test_hosts_that_could_not_be_asked(self):
        """A profile, but not without saying so"""
        denied = {'writable': {'unavailable': '/dev/kvm: Permission denied; '
                               'needed: KVM, and a user who may use it'}}
        a, b = (self.host(name, arm(**{'id-isar6': value}), '7.3.4',
                          facts=denied)
                for name, value in (('a', 0), ('b', 0x1111111)))
        self.profile(a, b)
        text = 'not known to work on {}: the file does not say whether the ' \
               'kernel lets QEMU change {} as the profile needs it ({}); make ' \
               'the file again, or see that guest-abi-probe --profile starts ' \
               'a VM there, before guests are started with the profile'
        why = '/dev/kvm: Permission denied; needed: KVM, and a user who may ' \
              'use it'
        self.assertEqual(self.notes, [text.format('b', 'ID_ISAR6_EL1', why)])
        status, lines, _ = self.run_tool('--fleet', '--json', '--profile-out',
                                         'p', '--html', 'page', a, b)
        self.assertEqual(json.loads('\n'.join(lines))['notes'], self.notes)
        self.assertIn('<p>Note: not known to work on b: the file does',
                      (self.folder / 'page').read_text(encoding='utf-8'))
        # What it is asked to show is what it shows.
        self.profile(a, self.host('c', arm(**{'id-isar6': 0}), facts=denied))
        self.assertEqual(self.notes, [])
        # The identity too, and files that never had it
        self.profile(a, self.host('d', arm(midr=0x414fd0b1), '6.18.15',
                                  facts=facts(identity=True)),
                     self.host('e', arm(), '6.18.15'))
        self.assertEqual(self.notes, [
            text.format('a', 'MIDR_EL1', why), text.format(
                'e', 'MIDR_EL1', 'the file was made by an older '
                'guest-abi-probe')])

    def test_what_the_list_solves(self):
        """One fleet with the profile, two without"""
        names = (self.host('n1', arm(), '6.18.15'),
                 self.host('a76', arm(midr=0x414fd0b1, isar0=0x10), '7.3.4'))
        self.profile(*names)
        self.assertEqual(self.option, 'virt,kernel-floor=linux-6.12,'
                         'hvc-services=linux-6.12:+implementation-cpus,'
                         'guest-abi-profile=p')
        lines = self.run_tool('--fleet', '--profile-out', 'p', *names)[1]
        self.assertIn('  arm.midr-el1: 0x414fd0c1 in n1; 0x414fd0b1 in a76',
                      lines)
        self.assertTrue(any(line.startswith(
            'mixed: the CPUs differ; start all VMs with the profile')
            for line in lines), lines)
        self.assertTrue(any(
            'guest-abi-probe --profile p --machine virt,hvc-services='
            'linux-6.12:+implementation-cpus there' in line
            for line in lines), lines)
        self.assertFalse([line for line in lines if 'its own' in line])
        page = ' '.join(PAGE.read_text(encoding='utf-8').split())
        for line in lines:
            if line.startswith(('mixed:', '  arm.midr')):
                shown = line.replace('n1', 'n1.json').replace('a76',
                                                              'a76.json')
                self.assertIn(' '.join(shown.split()), page)
        lines = self.run_tool('--fleet', *names)[1]
        self.assertTrue(any(line.startswith('cpu: guests cannot go') and
                            '--profile-out FILE' in line for line in lines))
        self.assertEqual(len([line for line in lines
                              if 'a fleet of its own' in line]), 2)

    def test_list_with_a_floor_that_is_too_old(self):
        """QEMU refuses kernel-floor=linux-6.1 with the service."""
        names = (self.host('n1', arm(), '6.18.15', floor='linux-6.1'),
                 self.host('a76', arm(midr=0x414fd0b1), '7.3.4',
                           floor='linux-6.1'))
        self.profile(*names)
        self.assertIsNone(self.option)
        self.assertIn('no machine type has floor linux-6.1, and with '
                      'kernel-floor=linux-6.1 QEMU gives no guest the service '
                      'implementation-cpus, which needs Linux 6.4; remove what '
                      'holds the fleet back from a higher floor', self.notes)

    def test_list_of_one_cpu(self):
        values = self.profile(self.host('a', arm(), '6.18.15'),
                              self.host('b', arm(), '7.3.4'))
        self.assertEqual([name for name in values if 'implementation' in name],
                         [])

    def test_identity_by_the_kernel_itself(self):
        """Whatever its version is: a fix may come earlier, or a VM be one that
        cannot have it."""
        a76 = arm(midr=0x414fd0b1)
        values = self.profile(
            self.host('n1', arm(), '6.12.1', facts=facts(identity=True)),
            self.host('a76', a76, '6.12.1', facts=facts(identity=True)))
        self.assertEqual(values['arm.implementation-cpus'], 2)
        self.assertIn('arm.midr-el1 cannot be made equal', self.refused(
            self.host('n1', arm(), '6.18.15', facts=facts(identity=True)),
            self.host('a76', a76, '6.18.15', facts=facts()))[0])

    ISAR6 = 'S3_0_C0_C2_7'

    def isar6(self, mask, name='n2'):
        """Two hosts of which one shows SB, bits [15:12]"""
        return (self.host('v1', arm(**{'id-isar6': 0}), '6.16.12',
                          facts=facts()),
                self.host(name, arm(**{'id-isar6': 0x1000}), '6.16.12',
                          facts=facts({self.ISAR6: mask})))

    def test_kernel_that_takes_no_other_value(self):
        self.assertEqual(self.refused(*self.isar6(0xfff)), [
            'n2: ID_ISAR6_EL1 = 0x1000 cannot be 0x0 (bits [15:12] 1 -> 0), '
            'its kernel does not let QEMU change it so; needed: a newer '
            'kernel, if it does; update it, or make a fleet of its own'])
        self.assertEqual(self.profile(*self.isar6(0xf000))[
            'arm.id-isar6-el1'], 0)

    def test_field_that_a_later_kernel_lowers(self):
        """What no kernel up to 7.3 does"""
        fwb = {'S3_0_C0_C7_2': 0xf << 40}
        hosts = (self.host('a', arm(mmfr2=self.MMFR2), facts=facts(fwb)),
                 self.host('b', arm(mmfr2=0x1011), facts=facts()))
        self.assertEqual(self.profile(*hosts)['arm.id-aa64mmfr2-el1'], 0x1011)
        self.assertEqual(len(self.refused(
            self.host('a', arm(mmfr2=self.MMFR2), facts=facts()),
            hosts[1])), 1)

    def ctr(self, values, ctrs, evt=2, mask=0x300fffff, midr=0x410fd490):
        """Two hosts: what KVM says of CTR_EL0, and what programs read"""
        return [self.host(name, arm(mmfr2=evt << 56, **{
            'midr': one, 'ctr-el0': value}), '6.18.15', facts=facts(
                {'S3_3_C0_C0_1': mask}, identity=True, ctr=ctr))
            for name, one, value, ctr in zip('ab', (0x411fd401, midr), values,
                                             ctrs)]

    def test_ctr_that_guests_read_past_kvm(self):
        """With FEAT_EVT a guest reads TminLine, which KVM shows no VMM, unless
        a VMM has changed CTR_EL0."""
        told, shown = 0xb444c004, 0x4b444c004
        values = self.profile(*self.ctr((told, told), (told, shown)))
        self.assertEqual(values['arm.ctr-el0'], 0xb444c003)
        # Nothing to hide: all programs read the same, or KVM traps it.
        for given in (self.ctr((told, told), (told, told)),
                      self.ctr((told, told), (told, shown), 0),
                      self.ctr((told, told), (shown, shown),
                               midr=0x411fd401)):
            self.assertEqual(self.profile(*given)['arm.ctr-el0'], told)
        # The one that is to be shown is changed on one host only.
        values = self.profile(*self.ctr((0xb444c003, told), (shown, shown)))
        self.assertEqual(values['arm.ctr-el0'], 0xb444c002)

    def test_ctr_of_different_caches(self):
        """Shorter lines, and no promise that one of them does not make"""
        values = self.profile(*self.ctr((0xb444c004, 0x94438003),
                                        (0xb444c004, 0x94438003)))
        self.assertEqual(values['arm.ctr-el0'], 0x94438003)
        self.assertEqual(self.refused(*self.ctr(
            (0xb444c004, 0xb444c003), (0xb444c004, 0xb444c003), mask=0)), [
                'a: CTR_EL0 = 0xb444c004 cannot be 0xb444c003 (IminLine 4 -> '
                '3), its kernel does not let QEMU change it so; needed: a '
                'newer kernel, if it does; update it, or make a fleet of its '
                'own'])

    def test_ctr_that_no_kernel_changes(self):
        """CWG and ERG, whatever the kernel; L1Ip on an old one"""
        def hosts(value, mask):
            return self.ctr((0xb444c004, value), (0xb444c004, value),
                            mask=mask)

        self.assertEqual(self.refused(*hosts(0xb344c004, 0x300fffff)), [
            'CTR_EL0.CWG cannot be made equal: 4 in a; 3 in b; no kernel up to '
            "Linux 7.3 shows a guest another value of it than the CPU's; make "
            'a fleet of the hosts with each value'])
        self.assertEqual(self.refused(*hosts(0xb454c004, 0x300fffff))[0][:42],
                         'CTR_EL0.ERG cannot be made equal: 4 in a; ')
        # One that a later kernel changes
        self.assertEqual(self.profile(*hosts(0xb344c004, 0x3fffffff))[
            'arm.ctr-el0'], 0xb444c004)
        self.assertEqual(self.refused(*hosts(0xb4448004, 0x300f0fff)), [
            'a: CTR_EL0 = 0xb444c004 cannot be 0xb4448004 (L1Ip 3 -> 2), its '
            'kernel does not let QEMU change it so; needed: a newer kernel, if '
            'it does; update it, or make a fleet of its own'])

    def test_ctr_does_not_depend_on_the_order(self):
        a, b = self.ctr((0x4b444c004, 0xb444c004), (0, 0), evt=0,
                        mask=0xffffffffff)
        self.assertEqual(self.profile(a, b), self.profile(b, a))

    def counters(self, kernel):
        return [self.host(name, [*arm(), entry('arm.pmcr-el0.n', value,
                                               'accepted')], kernel)
                for name, value in (('a710', 20), ('n2', 6))]

    def test_event_counters(self):
        """As many as the smallest PMU has, where a kernel can take some away"""
        self.assertEqual(self.profile(*self.counters('6.7.1'))[
            'arm.pmcr-el0.n'], 6)
        self.assertEqual(self.refused(*self.counters('6.6.30')), [
            'a710: guests have 20 event counters (PMCR_EL0.N) and cannot have '
            '6; needed: Linux 6.7 or later; update it, probe all hosts with '
            '--cpu host,pmu=off, or make a fleet of its own'])

    def test_event_counters_that_were_not_said(self):
        """A host whose file does not have them has as many as it has."""
        hosts = [*self.counters('6.12.1'), self.host('older', arm(), '6.1.0')]
        self.assertEqual(self.profile(*hosts)['arm.pmcr-el0.n'], 6)
        status, lines, _ = self.run_tool(hosts[1], hosts[2])
        self.assertFalse([line for line in lines if 'older -> n2' in line and
                          'pmcr' in line])

    def fpfr0(self, mask):
        return [self.host(name, arm(fpfr0=value), '6.18.15', facts=facts(
            {'S3_0_C0_C4_7': mask})) for name, value in
                (('max', 0xfc000003), ('v1', 0x84000000))]

    def test_register_of_single_bits(self):
        self.assertEqual(self.profile(*self.fpfr0(0xfc000003))[
            'arm.id-aa64fpfr0-el1'], 0x84000000)
        self.assertEqual(self.refused(*self.fpfr0(0)), [
            'max: ID_AA64FPFR0_EL1 = 0xfc000003 cannot be 0x84000000, its '
            'kernel does not let QEMU change it so; needed: a newer kernel, if '
            'it does; update it, or make a fleet of its own'])

    def test_facts_that_are_none(self):
        """Of a file that somebody has changed"""
        for bad in ({'writable': 1}, {'writable': {'masks': {}}},
                    {'writable': {'masks': {'S3_0_C0_C7_2': 'x'},
                                  'identity': True}},
                    {'writable': {'unavailable': 5}}, {'ctr': {'value': 5}},
                    {'ctr': {'value': '0x' + '1' * 17}}):
            status, _, err = self.run_tool('--fleet', self.host(
                'a', arm(), facts=bad))
            self.assertEqual(status, 2, bad)
            self.assertIn('make the file again', err)

    def test_frequency(self):
        found = self.refused(
            self.host('a', arm() + [entry('arm.cntfrq-el0', 1000000000)]),
            self.host('b', arm() + [entry('arm.cntfrq-el0', 62500000)]))
        self.assertEqual([line.split()[0] for line in found],
                         ['arm.cntfrq-el0'])

    def test_mitigations(self):
        """Guests that were told less go to hosts that have more."""
        hosts = [self.host(name, arm() + [
            entry('arm.smccc-arch-workaround-3', level, 'at-least')])
            for name, level in (('a', 2), ('b', 1), ('c', 1))]
        self.assertEqual(self.profile(*hosts)['arm.smccc-arch-workaround-3'],
                         1)
        self.assertEqual(self.notes, [
            'start guests on b, c, where SMCCC_ARCH_WORKAROUND_3 is the '
            'lowest; they go to the others and home, unless they are reset '
            'there'])
        self.profile(*hosts[1:])
        self.assertEqual(self.notes, [])

    def test_mitigations_that_no_host_has_the_lowest_of(self):
        hosts = [self.host(name, arm() + [
            entry('arm.smccc-arch-workaround-1', one, 'at-least'),
            entry('arm.smccc-arch-workaround-3', three, 'at-least')])
            for name, one, three in (('a', 2, 1), ('b', 1, 2))]
        self.assertEqual(self.refused(*hosts), [
            'no host has the lowest level of all mitigations, so that guests '
            'could be started on none: SMCCC_ARCH_WORKAROUND_1 is the lowest '
            'in b; SMCCC_ARCH_WORKAROUND_3 is the lowest in a; make a fleet of '
            'each'])

    def test_unknown_register(self):
        """Nobody knows what is less of it."""
        found = self.refused(
            self.host('a', arm() + [entry('arm.s3-0-c0-c4-3', 1,
                                          'accepted')]),
            self.host('b', arm() + [entry('arm.s3-0-c0-c4-3', 2,
                                          'accepted')]))
        self.assertIn('arm.s3-0-c0-c4-3 cannot be made equal', found[0])

    def test_devices_of_vms_are_left_out(self):
        """And what -machine chooses is the least of all."""
        values = self.profile(
            self.host('a', arm() + [entry('virtio.0000:00:01.0', 3, 'subset'),
                                    entry('machine.kernel-floor', 0x6000c),
                                    entry('arm.std-bmap', 1)]),
            self.host('b', arm() + [entry('machine.kernel-floor', 0x60001),
                                    entry('arm.std-bmap', 0)]))
        self.assertNotIn('virtio.0000:00:01.0', values)
        self.assertEqual(values['machine.kernel-floor'], 0x60001)
        self.assertEqual(values['arm.std-bmap'], 0)

    def test_recorded_hosts(self):
        """Real ones: the profile of all is that of the oldest."""
        for name in ('linux-6.1', 'linux-6.12', 'linux-7.3'):
            (self.folder / f'{name}.json').write_bytes(
                (DATA / f'fleet/{name}.json').read_bytes())
        values = self.profile('linux-6.1.json', 'linux-6.12.json',
                              'linux-7.3.json')
        oldest = Contract.load(DATA / 'fleet/linux-6.1.json')
        for name in oldest.entries:
            if name.endswith(('-el1', '-el0')):
                self.assertEqual(values[name], oldest.value(name), name)
        self.assertEqual(self.option, 'virt-hvc-9.2,guest-abi-profile=p')

    def test_host_without_contract(self):
        (self.folder / 'none').write_bytes(
            (DATA / 'fleet/linux-5.15.json').read_bytes())
        (self.folder / 'one').write_bytes(
            (DATA / 'fleet/linux-6.1.json').read_bytes())
        self.assertIn('none: gives no floor', self.refused('none', 'one')[0])


class Fields(unittest.TestCase):
    """The rules are of fields that the register table has."""

    def table(self):
        """Names of fields by register and lowest bit"""
        text = SYSREGS.read_text(encoding='utf-8')
        found = {}
        for name, body in re.findall(
                r'\n    REG\((?:\w+, ){5}(\w+),([^;]*?)\)\),(?=\n)', text):
            found[f'arm.{name.lower().replace("_", "-")}'] = {
                int(lsb): (int(width or 4), field) for kind, lsb, width, field
                in re.findall(r'\b(ID|FIELD)\((\d+), (?:(\d+), )?(\w+)', body)}
        return found

    def test_names_and_places(self):
        table = self.table()
        self.assertGreater(len(table), 40)
        for register, fields in arm_fields.EXCEPTIONS.items():
            for field in fields:
                self.assertEqual(table[register].get(field.lsb),
                                 (arm_fields.WIDTH, field.name), register)

    def test_registers_of_four_bits(self):
        table = self.table()
        for register, bits in arm_fields.REGISTERS.items():
            for lsb, (width, name) in table[register].items():
                self.assertEqual(width, arm_fields.WIDTH, (register, name))
                self.assertEqual(lsb % arm_fields.WIDTH, 0)
                self.assertLess(lsb, bits)

    def test_exceptions_are_of_such_registers(self):
        self.assertLessEqual(arm_fields.EXCEPTIONS.keys(),
                             arm_fields.REGISTERS.keys())


class Options(Case):
    """What guest-abi-diff A B says to do"""

    def lines(self, a, b, cpu='host'):
        status, lines, err = self.run_tool(self.host('a', a, cpu=cpu),
                                           self.host('b', b, cpu=cpu))
        self.assertEqual((status, err), (1, ''))
        return lines

    def test_features(self):
        lines = self.lines(x86(ALL), x86(
            [word for word in ALL if word not in ('avx512f', 'pku')]))
        self.assertEqual(lines, [
            'a -> b: x86.cpuid-7.0-ebx: a guest has avx512f, the destination '
            'has not',
            'a -> b: x86.cpuid-7.0-ecx: a guest has pku, the destination has '
            'not',
            'b -> a: x86.cpuid-7.0-ebx: a guest does not have avx512f, the '
            'destination has',
            'b -> a: x86.cpuid-7.0-ecx: a guest does not have pku, the '
            'destination has',
            'a: start this QEMU with -cpu host,-avx512f,-pku, or use a host '
            'with avx512f, pku instead of b'])

    def test_both_give_up_something(self):
        lines = self.lines(x86(ALL + ('umip',)), x86(
            [word for word in ALL if word != 'xsaves'] + ['xsavec']),
            'max,foo=on')
        self.assertEqual(lines[-2:], [
            'a: start this QEMU with -cpu max,foo=on,-umip,-xsaves, or use a '
            'host with umip, xsaves instead of b',
            'b: start this QEMU with -cpu max,foo=on,-xsavec, or use a host '
            'with xsavec instead of a'])

    def test_features_without_an_option(self):
        """Those of -smp, and those that QEMU has no name for"""
        lines = self.lines(x86(ALL + ('ht', 'bit2')), x86(ALL))
        self.assertFalse([line for line in lines if 'start' in line], lines)

    def test_numbers(self):
        lines = self.lines(
            x86(ALL, {'x86.cpuid-0-eax': 0x16, 'x86.cpuid-1-eax': 0x50657,
                      'x86.cpuid-80000008-eax': 0x3034}),
            x86(ALL, {'x86.cpuid-1-eax': 0x830f10}))
        self.assertEqual(lines[-2:], [
            'a: start this QEMU with -cpu host,level=0xd,host-phys-bits=off,'
            'phys-bits=46',
            'b: start this QEMU with -cpu host,family=6,model=85,stepping=7'])

    def test_contract_without_cpu(self):
        """A plain reply does not say which -cpu it is of."""
        for name, features in ('a', ALL), ('b', ALL[:-1]):
            (self.folder / name).write_text(json.dumps(
                {'entries': x86(features)}), encoding='utf-8')
        self.assertEqual(self.run_tool('a', 'b')[1][-1],
                         'a: start this QEMU with -cpu ...,-rdctl-no, or use '
                         'a host with rdctl-no instead of b')

    def test_arm(self):
        lengths = 'arm.sve-vector-lengths'
        lines = self.lines(
            arm(pfr0=1 << 32, isar1=0x10, isar0=1) + [
                entry(lengths, 3, names=['128', '256']),
                entry('arm.std-bmap', 1, names=['trng']),
                entry('arm.vendor-hyp-bmap', 3,
                      names=['vendor-features', 'ptp'])],
            arm(pfr0=1 << 32, isar1=0x0, isar0=0) + [
                entry(lengths, 1, names=['128']),
                entry('arm.std-bmap', 1, names=['trng']),
                entry('arm.vendor-hyp-bmap', 1, names=['vendor-features'])])
        self.assertEqual(lines[-3:], [
            'a: start this QEMU with -cpu host,sve256=off,pauth=off',
            'a, b: start both with -machine ...,hvc-services=trng:'
            'vendor-features,psci-version=1.1',
            'a, b: start both with -machine ...,guest-abi-profile=FILE, FILE '
            'being the contract of the one with the older kernel'])

    def test_no_sve(self):
        lines = self.lines(
            arm(pfr0=1 << 32) + [entry('arm.sve-vector-lengths', 1,
                                       names=['128'])], arm(pfr0=0))
        self.assertIn('a: start this QEMU with -cpu host,sve=off', lines)


def main():
    tap.arguments(__doc__)
    return tap.run(X86, Arm, Fields, Options)
