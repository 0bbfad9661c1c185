# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests scripts/guest-abi-diff; prints TAP.

The hosts of the fleets are in tests/data/fleet: guest-abi-probe's output
on real kernels, in hosts that scripts/kvm-lab emulates (neoverse-n1, unless a
file's name says otherwise), cut to the entries that matter here. Their backends
are those that "kvm-lab backends" finds. The file of Linux 5.15, for which there is
no Debian kernel, is written by hand.
"""

from html.parser import HTMLParser
import json
from pathlib import Path
import shutil
import subprocess
import tempfile
import unittest
from unittest import mock

from qemu_hvc import contract, host_record, tap
from qemu_hvc.fleet import Fleet as FleetOfFiles
from qemu_hvc.fleet_page import page
from qemu_hvc.fleet_text import fleet_lines
from qemu_hvc.paths import DATA, ROOT, SCRIPTS

TOOL = SCRIPTS / 'guest-abi-diff'
HOSTS = DATA / 'fleet'
PAGE = ROOT / 'docs/system/arm/hvc-fleet.rst'


def entry(name, value, rule='exact', names=()):
    return {'name': name, 'value': value, 'rule': rule, 'names': list(names)}


class GuestAbiDiff(unittest.TestCase):
    """Each test writes two contracts and looks at what is said of them."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def compare(self, a, b):
        for name, document in (('a', a), ('b', b)):
            if not isinstance(document, str):
                document = json.dumps(document)
            (self.folder / name).write_text(document, encoding='utf-8')
        result = subprocess.run([TOOL, 'a', 'b'], cwd=self.folder, text=True,
                                capture_output=True, check=False)
        return result.returncode, result.stdout, result.stderr

    def contracts(self, a, b, **more):
        return self.compare({'migrated': True, 'entries': a},
                            {'migrated': True, 'entries': b, **more})

    def test_equal(self):
        one = [entry('arm.std-bmap', 1)]
        self.assertEqual(self.contracts(one, one)[0], 0)

    def test_whole_reply(self):
        reply = {'return': {'migrated': True, 'entries': []}}
        self.assertEqual(self.compare(reply, reply)[0], 0)

    def test_order_has_no_meaning(self):
        one, two = entry('a', 1), entry('b', 2)
        self.assertEqual(self.contracts([one, two], [two, one])[0], 0)

    def test_exact(self):
        status, out, _ = self.contracts(
            [entry('arm.vendor-hyp-bmap', 3, names=['ptp'])],
            [entry('arm.vendor-hyp-bmap', 1)])
        self.assertEqual(status, 1)
        self.assertEqual(out.splitlines(), [
            'a -> b: arm.vendor-hyp-bmap: a guest has 0x3 (ptp), the '
            'destination 0x1',
            'b -> a: arm.vendor-hyp-bmap: a guest has 0x1, the destination '
            '0x3 (ptp)'])

    def test_subset_is_an_obstacle_one_way(self):
        status, out, _ = self.contracts([entry('x86.xcr0', 0x207, 'subset')],
                                        [entry('x86.xcr0', 0x7, 'subset')])
        self.assertEqual(status, 1)
        self.assertEqual(len(out.splitlines()), 1)
        self.assertTrue(out.startswith('a -> b: x86.xcr0'))

    def test_at_least_is_an_obstacle_one_way(self):
        _, out, _ = self.contracts([entry('arm.workaround-1', 1, 'at-least')],
                                   [entry('arm.workaround-1', 2, 'at-least')])
        self.assertEqual(len(out.splitlines()), 1)
        self.assertTrue(out.startswith('b -> a'))

    def test_accepted_is_for_the_kernel_to_say(self):
        name = 'arm.id-aa64dfr0-el1'
        equal = self.contracts([entry(name, 8, 'accepted')],
                               [entry(name, 8, 'accepted')])
        self.assertEqual(equal[0], 0)
        status, out, _ = self.contracts([entry(name, 8, 'accepted')],
                                        [entry(name, 6, 'accepted')])
        self.assertEqual(status, 1)
        self.assertIn('check-guest-abi there says', out)

    def test_unknown_zero_fits(self):
        self.assertEqual(self.contracts([entry('new', 0)], [])[0], 0)

    def test_unknown_value_does_not(self):
        status, out, _ = self.contracts([entry('new', 4)], [])
        self.assertEqual(status, 1)
        self.assertIn('nothing of it', out)

    def test_stream_without_contract(self):
        status, out, _ = self.contracts([], [], migrated=False)
        self.assertEqual(status, 1)
        self.assertIn('b does not carry its contract', out)

    def test_machine_type(self):
        status, out, _ = self.compare(
            {'machine': 'virt-hvc-9.2', 'migrated': True, 'entries': []},
            {'machine': 'virt-hvc-10.0', 'migrated': True, 'entries': []})
        self.assertEqual(status, 1)
        self.assertIn('a -> b: a guest has a virt-hvc-9.2 machine', out)

    def test_a_later_qemu(self):
        """Rules and members that are not known do not matter"""
        here = {'entries': [{**entry('n', 1, 'at-most'), 'hex': '0x1',
                             'later': []}], 'parts': [], 'later': True}
        status, _, _ = self.compare(here, here)
        self.assertEqual(status, 0)
        status, out, _ = self.compare(here, {'entries': [entry('n', 2)]})
        self.assertEqual(status, 1)
        self.assertIn('n: a guest has', out)

    def test_bad_input(self):
        good = {'entries': []}
        for bad, text in (
                ('not json', 'a: '),
                ({}, 'no list "entries"'),
                ([], 'no list "entries"'),
                ({'entries': [{}]}, 'has no "name"'),
                ({'entries': [entry('n', -1)]}, 'not a number from 0'),
                ({'entries': [entry('n', 1 << 64)]}, 'not a number from 0'),
                ({'entries': [entry('n', True)]}, 'not a number from 0'),
                ({'entries': [entry('n', 'x')]}, 'not a number from 0'),
                # As jq 1.6 rounds it
                ({'entries': [{**entry('n', 1 << 60),
                               'hex': '0x1000000000000001'}]},
                 'not as query-guest-abi printed it'),
                ({'entries': [entry('n', 1, [])]}, 'rule []'),
                ({'entries': [{**entry('n', 1), 'names': 2}]}, 'names 2'),
                ('[' * 100000, 'a: '),
                ({'entries': [entry('n', 1)] * 2}, 'n is there twice')):
            with self.subTest(bad):
                status, out, err = self.compare(bad, good)
                self.assertEqual((status, out), (2, ''))
                self.assertIn(text, err)
                self.assertEqual(len(err.splitlines()), 1)


class Page(HTMLParser):
    """What a page has: its text, and the tags that are open or left out"""

    VOID = {'meta'}
    # Attributes by which a page would load something
    LOADS = {'src', 'href', 'srcset', 'data', 'action', 'poster'}

    def __init__(self, text):
        super().__init__()
        self.open, self.problems, self.words = [], [], []
        self.feed(text)
        self.close()
        if self.open:
            self.problems.append(f'never closed: {self.open}')
        self.text = ' '.join(' '.join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.problems += [f'{tag} loads {name}' for name, _ in attrs
                          if name in self.LOADS]
        if tag in ('script', 'link', 'img', 'iframe'):
            self.problems.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f'</{tag}> closes another tag')

    def handle_data(self, data):
        self.words.append(data)


def services_only(document):
    """Of a QEMU that knows no floors of devices"""
    document['option'] = 'hvc-services'
    document['features'] = []
    for row in document['floors'] + document['types']:
        row.pop('lacks', None)
        row.pop('kernel-floor', None)


class FleetCase(unittest.TestCase):
    """Files of hosts, changed perhaps, and what is said of them"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def document(self, name):
        return json.loads((HOSTS / name).read_text(encoding='utf-8'))

    def write(self, name, document):
        if not isinstance(document, str):
            document = json.dumps(document)
        (self.folder / name).write_text(document, encoding='utf-8')
        return name

    def host(self, kernel, name=None, change=None):
        """A copy of a recorded host; change() changes what is in it."""
        name = name or f'linux-{kernel}.json'
        if not change:
            shutil.copy(HOSTS / f'linux-{kernel}.json', self.folder / name)
            return name
        document = self.document(f'linux-{kernel}.json')
        change(document)
        return self.write(name, document)

    def refuse_psci(self, document):
        """For host(): the last floor is refused as by Linux 6.1"""
        document['floors'][-1], = (
            row for row in self.document('linux-6.1.json')['floors']
            if row['name'] == 'linux-6.18')

    def with_value(self, kernel, name, entry_name, value):
        """A copy with another value in its contract"""
        def change(document):
            row, = (row for row in document['return']['entries']
                    if row['name'] == entry_name)
            row['value'] = value
            row.pop('names', None)
        return self.host(kernel, name, change)

    def run_tool(self, *arguments):
        result = subprocess.run([TOOL, '--fleet', *arguments], text=True,
                                cwd=self.folder, capture_output=True,
                                check=False)
        return result.returncode, result.stdout, result.stderr

    def fleet(self, *names):
        """Exit status, the text's lines, and the JSON, which agree"""
        status, out, err = self.run_tool(*names)
        self.assertEqual(err, '')
        json_status, json_out, _ = self.run_tool('--json', *names)
        self.assertEqual(status, json_status)
        document = json.loads(json_out)
        self.assertEqual(document['both-ways'], status == 0)
        lines = out.splitlines()
        self.assertEqual([line for line in lines if line.startswith('use: ')],
                         [f'use: -machine {document["machine"]}']
                         if document['machine'] else [])
        return status, lines, document

    def assert_input_error(self, text, *names):
        status, out, err = self.run_tool('--json', *names)
        self.assertEqual((status, out), (2, ''))
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertTrue(err.startswith('guest-abi-diff: '))
        self.assertIn(text, err)


class Fleet(FleetCase):
    """Each test brings hosts together."""

    def test_alike(self):
        status, lines, document = self.fleet(
            self.host('6.12', 'a.json'), self.host('6.12', 'b.json'))
        self.assertEqual(status, 0)
        self.assertEqual(lines, [
            'a.json  Linux 6.12.107+deb13-cloud-arm64, QEMU 10.0.13: '
            'up to linux-6.12',
            'b.json  Linux 6.12.107+deb13-cloud-arm64, QEMU 10.0.13: '
            'up to linux-6.12',
            '',
            'all hosts: up to linux-6.12',
            'use: -machine virt-hvc-10.0',
            '  virt-hvc-10.0 is the newest type with floor linux-6.12',
            'by their contracts, guests can go from each host to each other '
            'one'])
        self.assertEqual(document['held-back'], {'from': None, 'by': {}})
        self.assertEqual(document['obstacles'], [])

    def test_one_host(self):
        status, _, document = self.fleet(self.host('6.1'))
        self.assertEqual(status, 0)
        self.assertEqual(document['floor'], 'linux-6.1')
        self.assertEqual(document['machine'], 'virt-hvc-9.2')

    def test_held_back_by_devices(self):
        """Linux 6.1 has the services of 6.12, but not TAP's and vhost's
        features."""
        _, lines, document = self.fleet(self.host('6.1'), self.host('6.12'))
        self.assertEqual(document['floor'], 'linux-6.1')
        self.assertIn('  linux-6.1.json holds the fleet back from linux-6.12: '
                      'its tap lacks guest-uso4, guest-uso6, host-uso; needed: '
                      'Linux 6.2 or later; its vhost-net lacks ring-reset; '
                      'needed: Linux 6.3 or later', lines)
        self.assertIn('  virt-hvc-9.2 is the newest type with floor linux-6.1; '
                      'virt-hvc-10.0,kernel-floor=linux-6.1 has it, too',
                      lines)
        self.assertEqual(document['without'],
                         {'linux-6.1.json': 'linux-6.12'})

    def test_qemu_without_floors_of_devices(self):
        _, lines, document = self.fleet(
            self.host('6.12'), self.host('6.1', 'old.json', services_only))
        self.assertEqual(document['floor'], 'linux-6.12')
        self.assertIn('  the QEMU of old.json has no kernel-floor, so that '
                      'devices have what the kernel there has; update it',
                      lines)
        _, lines, document = self.fleet(
            self.host('7.3', 'new.json', services_only))
        self.assertEqual(document['machine'],
                         'virt-hvc-10.0,hvc-services=linux-6.18')
        self.assertNotIn('update it', '\n'.join(lines))

    def test_served_by_qemu(self):
        """QEMU gives a guest on 6.12 the PSCI that the kernel of 7.3 has."""
        status, _, document = self.fleet(
            self.host('6.12', 'a.json', services_only),
            self.host('7.3', 'b.json', services_only))
        self.assertEqual(status, 0)
        self.assertEqual(document['floor'], 'linux-6.18')
        self.assertEqual(document['held-back'], {'from': None, 'by': {}})

    def test_not_served_by_qemu(self):
        """Devices are the kernel's."""
        _, _, document = self.fleet(self.host('6.12'), self.host('7.3'))
        self.assertEqual(document['floor'], 'linux-6.12')
        self.assertIn('its tap lacks guest-udp-tunnel-gso, ',
                      document['held-back']['by']['linux-6.12.json'])

    def test_held_back_by_psci(self):
        """Hosts that show the same CPU; only PSCI 1.3 is missing."""
        status, lines, document = self.fleet(
            self.host('6.12', 'linux-6.12.json', self.refuse_psci),
            self.host('7.3'))
        self.assertEqual(status, 0)
        self.assertEqual(document['floor'], 'linux-6.12')
        self.assertEqual(document['machine'], 'virt-hvc-10.0')
        self.assertEqual(document['held-back']['from'], 'linux-6.18')
        self.assertEqual(document['without'], {'linux-6.12.json':
                                               'linux-6.18'})
        self.assertIn(
            "  linux-6.12.json holds the fleet back from linux-6.18: this "
            "host's kernel cannot give a guest PSCI 1.3, it has 1.1; needed: "
            'Linux 6.13 or later, or 6.4 or later, where QEMU serves it; use '
            'psci-version=1.1', lines)
        self.assertIn('  without linux-6.12.json: up to linux-6.18', lines)

    def test_floor_without_a_type(self):
        _, lines, document = self.fleet(self.host('7.3'))
        self.assertEqual(document['machine'],
                         'virt-hvc-10.0,kernel-floor=linux-6.18')
        self.assertIn('  no type has floor linux-6.18, so kernel-floor= sets '
                      'it', lines)

    def test_floor_named_after_a_later_kernel(self):
        """Of services alone, 6.1 and 6.12 have the same."""
        _, lines, _ = self.fleet(
            self.host('6.12', 'a.json', services_only),
            self.host('6.1', 'b.json', services_only))
        self.assertIn('all hosts: up to linux-6.12, which Linux 6.1 gives in '
                      'full (a floor is a set of services, not a version)',
                      lines)
        self.assertIn('  virt-hvc-10.0 is the newest type with floor '
                      'linux-6.12', lines)

        def newer(document):
            document['kernel'] = '7.0.1'
        _, lines, _ = self.fleet(self.host('6.12', 'old.json', newer),
                                 self.host('6.12', 'new.json', newer))
        self.assertIn('all hosts: up to linux-6.12', lines)

    def test_old_registers_need_a_profile(self):
        status, lines, document = self.fleet(
            self.host('7.3'), self.host('6.1'), self.host('6.12'))
        self.assertEqual(status, 1)
        self.assertEqual(document['floor'], 'linux-6.1')
        self.assertEqual(document['profile'], 'linux-6.1.json')
        self.assertEqual(document['machine'],
                         'virt-hvc-9.2,guest-abi-profile=linux-6.1.json')
        self.assertEqual({(row['kind'], row['entry'])
                          for row in document['obstacles']},
                         {('register', 'arm.clidr-el1'),
                          ('register', 'arm.id-aa64dfr0-el1'),
                          ('register', 'arm.ccsidr-el1.l1-data'),
                          ('register', 'arm.ccsidr-el1.l1-instruction'),
                          ('register', 'arm.ccsidr-el1.l2-data')})
        self.assertIn('  arm.id-aa64dfr0-el1: 0x10305408 in linux-7.3.json, '
                      'linux-6.12.json; 0x10305406 in linux-6.1.json', lines)
        self.assertEqual(set(document['held-back']['by']), {'linux-6.1.json'})
        self.assertEqual(document['without'],
                         {'linux-6.1.json': 'linux-6.12'})
        self.assertIn('guest-abi-probe --profile linux-6.1.json there',
                      lines[-1])

    def test_profile_makes_them_alike(self):
        status, lines, document = self.fleet(
            self.host('6.1'), self.host('6.12-profile', 'new.json'))
        self.assertEqual(status, 0, lines)
        self.assertEqual(document['machine'],
                         'virt-hvc-9.2,guest-abi-profile=linux-6.1.json')

    def test_profile_is_for_all(self):
        """A host that was probed without it, while another one has it"""
        status, _, document = self.fleet(
            self.host('6.1'), self.host('6.12-profile'), self.host('7.3'))
        self.assertEqual(status, 1)
        self.assertEqual(document['profile'], 'linux-6.1.json')

    def test_kernel_numbers_are_numbers(self):
        """6.9 is older than 6.12."""
        def older(document):
            document['kernel'] = '6.9.12'
        document = self.fleet(
            self.host('6.12'), self.host('6.1', 'old.json', older))[2]
        self.assertEqual(document['profile'], 'old.json')

    def test_linux_5_10(self):
        """5.10 and 6.12 have a floor in common, but a guest sees its move."""
        status, lines, document = self.fleet(self.host('5.10'),
                                             self.host('6.12'))
        self.assertEqual(status, 1)
        self.assertEqual(document['floor'], 'linux-5.10')
        self.assertIsNone(document['machine'])
        self.assertEqual(document['groups'],
                         [['linux-5.10.json'], ['linux-6.12.json']])
        self.assertEqual([row['entry'] for row in document['obstacles']],
                         ['arm.pv-time-discovery'])
        self.assertIn(
            "hvc service 'trng' (std bit 0), it offers none; needed: Linux "
            '5.19 or later', document['held-back']['by']['linux-5.10.json'])
        self.assertIn('a fleet of its own: linux-5.10.json', lines)

    def test_fleet_of_linux_5_10(self):
        status, _, document = self.fleet(self.host('5.10', 'a.json'),
                                         self.host('5.10', 'b.json'))
        self.assertEqual(status, 0)
        self.assertEqual(document['machine'], 'virt-hvc-9.0')

    def test_linux_5_15(self):
        """Refuses every floor"""
        status, lines, document = self.fleet(self.host('5.15'),
                                             self.host('6.1'))
        self.assertEqual(status, 1)
        self.assertIsNone(document['floor'])
        self.assertIsNone(document['machine'])
        self.assertEqual(list(document['held-back']['by']),
                         ['linux-5.15.json'])
        self.assertEqual(document['without'], {'linux-5.15.json':
                                               'linux-6.1'})
        self.assertIn('all hosts: no floor', lines)
        self.assertIn('linux-5.15.json  Linux 5.15.0, QEMU 10.0.13: no floor',
                      lines)
        self.assertIn('has no firmware register to hide them',
                      document['held-back']['by']['linux-5.15.json'])

    def test_only_linux_5_15(self):
        status, _, document = self.fleet(self.host('5.15'))
        self.assertEqual(status, 1)
        self.assertEqual((document['floor'], document['machine'],
                          document['groups']), (None, None, []))
        self.assertEqual(list(document['held-back']['by']),
                         ['linux-5.15.json'])

    def test_other_cpu(self):
        """Hosts with another CPU: the differences of kernels are not printed."""
        status, lines, document = self.fleet(
            self.host('6.1'), self.host('6.12-cortex-a76', 'a76.json'),
            self.host('6.12'))
        self.assertEqual(status, 1)
        self.assertIsNone(document['machine'])
        self.assertIsNone(document['profile'])
        self.assertEqual([(row['kind'], row['entry'])
                          for row in document['obstacles']],
                         [('cpu', 'arm.midr-el1')])
        self.assertIn('  arm.midr-el1: 0x414fd0c1 in linux-6.1.json, '
                      'linux-6.12.json; 0x414fd0b1 in a76.json', lines)
        self.assertEqual(document['groups'],
                         [['linux-6.1.json', 'linux-6.12.json'],
                          ['a76.json']])

    def test_level(self):
        """A host without a mitigation would refuse a profile as well."""
        for kernel, obstacles in (('6.12', 1), ('6.1', 6)):
            status, lines, document = self.fleet(
                self.host('6.12'),
                self.with_value(kernel, 'unsafe.json',
                                'arm.smccc-arch-workaround-3', 0))
            self.assertEqual(status, 1)
            self.assertEqual(document['obstacles'][0]['kind'], 'level')
            self.assertEqual(len(document['obstacles']), obstacles)
            self.assertIn('  arm.smccc-arch-workaround-3: 0x1 (available) in '
                          'linux-6.12.json; 0x0 in unsafe.json', lines)
            self.assertIsNone(document['machine'])
            self.assertIsNone(document['profile'])

    def test_unheard_of_entry(self):
        """A firmware register of a later kernel"""
        for value, status in ((0, 0), (1, 1)):
            def newer(document, value=value):
                document['return']['entries'].append(
                    entry('arm.firmware-register-4', value, 'at-least'))
            found = self.fleet(self.host('6.12'),
                               self.host('6.12', 'new.json', newer))
            self.assertEqual(found[0], status)

    def test_older_qemu(self):
        def older(document):
            document['qemu'] = '9.9.9'
            document['floors'] = document['floors'][:3]
            document['types'] = document['types'][:2]
        status, lines, document = self.fleet(
            self.host('6.12', 'old.json', older), self.host('6.12'))
        self.assertEqual(status, 0)
        self.assertEqual(document['floor'], 'linux-6.1')
        self.assertEqual(document['machine'], 'virt-hvc-9.2')
        self.assertIn('  old.json holds the fleet back from linux-6.12: its '
                      'QEMU 9.9.9 does not know linux-6.12; update it', lines)

    def test_machine_options_and_commas(self):
        """Machine options are handed on; a comma in a name is doubled."""
        def options(document):
            document['machine'] = 'virt,gic-version=3'
        document = self.fleet(self.host('6.1', 'a,b.json', options),
                              self.host('7.3', 'c.json', options))[2]
        self.assertEqual(document['machine'],
                         'virt-hvc-9.2,gic-version=3,'
                         'guest-abi-profile=a,,b.json')

    def test_not_comparable(self):
        for member, value in (('accel', 'tcg'), ('cpu', 'max'),
                              ('machine', 'virt,x=1')):
            def change(document, member=member, value=value):
                document[member] = value
            self.assert_input_error(
                f'b.json: was probed with --{member} {value}, linux-6.12.json '
                'with ', self.host('6.12'), self.host('6.12', 'b.json',
                                                      change))
        for name in ('one', 'two'):
            def profile(document, name=name):
                document['profile'] = f'/{name}/{name}.json'
            self.host('6.12', name, profile)
        self.assert_input_error(
            'one: was probed with --profile one.json, two with two.json',
            'one', 'two')
        self.assert_input_error('one: is given 2 times', 'one', 'one')

    def test_bad_input(self):
        good = self.document('linux-6.12.json')
        row = good['floors'][0]
        without = {k: v for k, v in good.items() if k != 'return'}
        for bad, text in (
                ('not json', 'bad: '),
                ('', 'bad: '),
                ([], 'has no "guest-abi-probe"'),
                (good['return'], 'has no "guest-abi-probe"'),
                ({**good, 'guest-abi-probe': 2}, "is of format 2; needed: 1"),
                ({**good, 'kernel': None}, '"kernel" is None; needed: a text'),
                ({**good, 'profile': 1}, '"profile" is 1; needed: a text'),
                ({**good, 'floors': {}}, '"floors" is {}; needed: a list'),
                ({**without, 'floors': []}, '"floors" is empty'),
                ({**good, 'floors': [1]}, '"name" is None'),
                ({**good, 'floors': [{**row, 'starts': 'yes'}]},
                 '"starts" is \'yes\'; needed: true or false'),
                ({**good, 'floors': [{'name': 'x', 'starts': False}]},
                 '"refusal" is None'),
                ({**good, 'floors': [row, row]}, '"floors" has none twice'),
                (without, 'a floor starts, and there is no contract'),
                ({**self.document('linux-5.15.json'),
                  'return': good['return']},
                 'no floor starts, and there is a contract'),
                ({**good, 'return': {}}, 'no list "entries"'),
                ({**good, 'return': {'entries': [entry('n', -1)]}},
                 'not a number from 0')):
            with self.subTest(text):
                self.assert_input_error(text, self.host('6.12'),
                                        self.write('bad', bad))
        self.assert_input_error('missing: ', 'missing')

    def test_example_of_the_manual(self):
        """The manual's example is what is printed, with lines folded."""
        text = PAGE.read_text(encoding='utf-8')
        example = text[text.index('   $ guest-abi-'):text.index('\n(Lines')]
        command, output = example.split('\n', 1)
        names = command.split()[3:]
        for name in names:
            shutil.copy(HOSTS / name, self.folder)
        self.assertEqual(self.run_tool(*names)[1].split(), output.split())

    def test_input_without_end(self):
        for arguments in (['/dev/zero', self.host('6.12')],
                          ['--fleet', self.host('6.12'), '/dev/zero']):
            result = subprocess.run([TOOL, *arguments], text=True,
                                    cwd=self.folder, capture_output=True,
                                    check=False)
            self.assertEqual((result.returncode, result.stdout), (2, ''))
            self.assertRegex(result.stderr, r'^guest-abi-diff: /dev/zero: has '
                             r'more than \d+ bytes; [^\n]*\n$')

    def test_output_that_cannot_be_written(self):
        host = self.host('6.12')
        for arguments in (['--fleet', host], ['--fleet', '--json', host],
                          ['--help']):
            with open('/dev/full', 'w', encoding='utf-8') as full:
                result = subprocess.run(
                    [TOOL, *arguments], text=True, cwd=self.folder,
                    stdout=full, stderr=subprocess.PIPE, check=False)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertRegex(result.stderr, r'^guest-abi-diff: standard '
                             r'output: No space left on device; [^\n]*\n$')

    def test_many_alike(self):
        """Hosts that are alike are a count and a few names."""
        many = [self.host('6.1', f'a{i}.json') for i in range(5)] + \
               [self.host('7.3', f'b{i}.json') for i in range(4)]
        status, lines, document = self.fleet(*many)
        self.assertEqual(status, 1)
        self.assertEqual([line.split('  ')[0] for line in lines[:2]],
                         ['5 hosts (a0.json, a1.json, a2.json, ...)',
                          '4 hosts (b0.json, b1.json, b2.json, ...)'])
        self.assertIn('  arm.id-aa64dfr0-el1: 0x10305406 in 5 hosts (a0.json, '
                      'a1.json, a2.json, ...); 0x10305408 in 4 hosts '
                      '(b0.json, b1.json, b2.json, ...)', lines)
        self.assertIn('  5 hosts (a0.json, a1.json, a2.json, ...) hold the '
                      'fleet back from linux-6.12: its tap lacks guest-uso4, '
                      'guest-uso6, host-uso; needed: Linux 6.2 or later; its '
                      'vhost-net lacks ring-reset; needed: Linux 6.3 or later',
                      lines)
        self.assertEqual([row['file'] for row in document['hosts']], many)
        self.assertEqual(document['without'], {})
        self.assertEqual(set(document['obstacles'][0]['values']), set(many))

        status, out, _ = self.run_tool('--verbose', *many)
        self.assertEqual(status, 1)
        lines = out.splitlines()
        self.assertEqual([line.split()[0] for line in lines[:9]], many)
        self.assertIn(', '.join(many[:5]) + ' hold the fleet back', out)
        self.assertNotIn('...', out)

    def test_groups_of_many(self):
        many = [self.host('6.1', f'a{i}.json') for i in range(4)] + \
               [self.host('6.12-cortex-a76', f'b{i}.json') for i in range(4)]
        _, lines, document = self.fleet(*many)
        self.assertEqual(document['groups'], [many[:4], many[4:]])
        self.assertEqual(lines[-2:], [
            'a fleet of its own: 4 hosts (a0.json, a1.json, a2.json, ...)',
            'a fleet of its own: 4 hosts (b0.json, b1.json, b2.json, ...)'])

    def test_one_of_a_few(self):
        """The one old host among many is named, two old ones are not."""
        new = [self.host('7.3', f'b{i}.json') for i in range(4)]
        old = self.host('6.12', 'old.json', self.refuse_psci)
        older = self.host('6.12', 'older.json', self.refuse_psci)
        self.assertEqual(self.fleet(*new, old)[2]['without'],
                         {'old.json': 'linux-6.18'})
        self.assertEqual(self.fleet(*new, old, older)[2]['without'], {})

    def html(self, *names):
        status, out, err = self.run_tool('--html', 'page.html', *names)
        self.assertEqual(err, '')
        self.assertEqual((status, out), self.run_tool(*names)[:2])
        found = Page((self.folder / 'page.html').read_text(encoding='utf-8'))
        self.assertEqual(found.problems, [])
        return found.text

    def test_html(self):
        text = self.html(self.host('6.1'), self.host('6.12'),
                         self.host('7.3'))
        for words in ('-machine virt-hvc-9.2,guest-abi-profile='
                      'linux-6.1.json',
                      'All hosts: up to linux-6.1',
                      'linux-7.3.json 7.3.4+deb13-cloud-arm64 10.0.13 up to '
                      'linux-6.18 1',
                      'From the floor linux-6.12 :',
                      'linux-6.1.json its tap lacks guest-uso4, guest-uso6, '
                      'host-uso; needed: Linux 6.2',
                      'arm.id-aa64dfr0-el1 0x10305406 linux-6.1.json '
                      'arm.id-aa64dfr0-el1 0x10305408'):
            self.assertIn(words, text)
        text = self.html(self.host('6.12'), self.host('6.12-cortex-a76'),
                         self.host('5.15'))
        for words in ('No option fits all hosts', 'Fleets of their own',
                      '1 linux-6.12.json 2 linux-6.12-cortex-a76.json',
                      'Without linux-5.15.json : up to linux-6.12'):
            self.assertIn(words, text)
        text = self.html(self.host('6.12'))
        self.assertIn('guests can go from each host', text)
        self.assertNotIn('What holds the fleet back', self.html(
            self.host('7.3')))

    def test_html_of_hostile_names(self):
        def change(document):
            document['kernel'] = '<script>6.12</script>&'
            self.refuse_psci(document)
            document['floors'][-1]['refusal'] = '<img src=x>"\''
        text = self.html(self.host('6.12', '<b>&amp;.json', change),
                         self.host('7.3'))
        self.assertIn('<b>&amp;.json', text)
        self.assertIn('<script>6.12</script>&', text)
        self.assertIn('<img src=x>"\'', text)

    def test_html_that_cannot_be_written(self):
        for path, text in (('none/page.html', 'No such file or directory'),
                           ('/dev/full', 'No space left on device'),
                           ('.', 'Is a directory')):
            status, out, err = self.run_tool('--html', path,
                                             self.host('6.12'))
            self.assertEqual((status, out), (2, ''))
            self.assertEqual(err, f'guest-abi-diff: {path}: {text}; needed: a '
                             'file that can be written\n')
        self.assertEqual([path.name for path in self.folder.iterdir()],
                         ['linux-6.12.json'])

    def test_usage(self):
        for arguments in ([], ['a'], ['a', 'b', 'c'], ['--json', 'a', 'b'],
                          ['--verbose', 'a', 'b'], ['--html', 'p', 'a', 'b'],
                          ['--fleet', '--json', '--verbose', 'a'],
                          ['--fleet']):
            result = subprocess.run([TOOL, *arguments], text=True,
                                    capture_output=True, check=False)
            self.assertEqual((result.returncode, result.stdout), (2, ''))
            self.assertIn('usage: guest-abi-diff', result.stderr)


class LargeFleet(FleetCase):
    """What a fleet takes grows with its different files, once for each."""

    # What is done for a file, and for a pair of a host and a floor
    WORK = ((contract.Contract, 'add'), (contract.Contract, 'value'),
            (contract.Contract, 'describe'), (host_record.Record, '_attempts'),
            (host_record.Record, 'refusal'), (host_record.Record, 'age'))

    def work(self, names):
        """Calls of the methods in WORK, for all that a fleet prints"""
        calls = {name: 0 for _, name in self.WORK}

        def counted(name, method):
            def call(*arguments, **keywords):
                calls[name] += 1
                return method(*arguments, **keywords)
            return call
        with mock.patch.multiple(contract.Contract, **{
                name: counted(name, getattr(contract.Contract, name))
                for owner, name in self.WORK if owner is contract.Contract}), \
             mock.patch.multiple(host_record.Record, **{
                name: counted(name, getattr(host_record.Record, name))
                for owner, name in self.WORK if owner is host_record.Record}):
            fleet = FleetOfFiles([self.folder / name for name in names])
            list(fleet_lines(fleet))
            page(fleet)
            fleet.as_object()
        return calls

    def copies(self, kernel, count):
        return [self.host(kernel, f'{kernel}-{i}.json') for i in range(count)]

    def test_equal_hosts_are_one(self):
        few = self.work(self.copies('6.12', 2))
        self.assertTrue(few['add'] and few['refusal'], few)
        self.assertEqual(self.work(self.copies('6.12', 300)), few)

    def test_hosts_of_two_kinds(self):
        few = self.work(self.copies('6.1', 2) + self.copies('7.3', 2))
        self.assertEqual(self.work(self.copies('6.1', 100) +
                                   self.copies('7.3', 100)), few)

    def different(self, count):
        """Hosts that all differ, in kernel and in a register"""
        def change(i):
            def change_one(document):
                document['kernel'] = f'6.12.{i}'
                document['return']['entries'][-1]['value'] += i
                document['return']['entries'][-1].pop('hex', None)
            return change_one
        return [self.host('6.12', f'd{i}.json', change(i))
                for i in range(count)]

    def test_different_hosts(self):
        """Twice as many take twice as much, and no more."""
        few, many = (self.work(self.different(count)) for count in (40, 80))
        for name, calls in many.items():
            self.assertLessEqual(calls, 2 * few[name], name)


def main():
    tap.arguments(__doc__)
    return tap.run(GuestAbiDiff, Fleet, LargeFleet)
