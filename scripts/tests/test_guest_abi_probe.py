# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests scripts/guest-abi-probe; prints TAP.

With the QEMU that was built, under TCG; and with programs that answer as QEMU
does on a host with KVM, or do not answer as QEMU.
"""

import json
from pathlib import Path
import re
import socket
import stat
import subprocess
import tempfile
import threading
import unittest

from qemu_hvc import host_facts, probe, tap
from qemu_hvc.golden.types import types_in
from qemu_hvc.host_record import Record
from qemu_hvc.paths import SCRIPTS
from qemu_hvc.qmp import Qemu

TOOL = SCRIPTS / 'guest-abi-probe'
DIFF = SCRIPTS / 'guest-abi-diff'
FLOORS = ['none', 'linux-5.10', 'linux-6.1', 'linux-6.12', 'linux-6.18']

# Speaks as much QMP as is asked for. REFUSED: what makes it refuse, and how.
FAKE = '''\
#!/usr/bin/python3 -B
import json, sys
REFUSED, TYPES, HELP = {refused!r}, {types!r}, {help!r}
machine = sys.argv[sys.argv.index('-machine') + 1]
if machine in HELP:
    print(HELP[machine])
    sys.exit()
if machine.endswith('=help'):
    sys.exit('fake: Property not found')
for word, text in REFUSED.items():
    if word in machine:
        sys.exit(text and 'fake: warning: hm\\nfake: ' + text or 1)
ANSWERS = {{
    'query-version': {{'qemu': {{'major': 10, 'minor': 0, 'micro': 99}}}},
    'query-machines': [{{'name': name}} for name in TYPES],
    'qom-list': [{{'name': name}} for name in
                 {{help.split('=')[0].split(',')[-1] for help in HELP}}],
    'qom-get': 'SPEC of ' + machine,
    'query-guest-abi': {{'machine': machine, 'entries': []}},
}}
print('{{"QMP": {{}}}}', flush=True)
for line in sys.stdin:
    command = json.loads(line)['execute']
    print(json.dumps({{'event': 'NOISE'}}))
    print(json.dumps({{'return': ANSWERS.get(command, {{}})}}), flush=True)
    if command == 'quit':
        break
'''


SERVICES_HELP = {'virt,hvc-services=help':
                 'Floors: what every host can give\n  low  first\n'
                 '  high second\n'}
# As hw/arm/hvc and migration/kernel-floor.c print it
FLOOR_HELP = {'q35,kernel-floor=help': '''\
kernel-floor=FLOOR   nothing that only a newer kernel has

Floors: the oldest kernel of a fleet of hosts
  none         hosts of any kernel: no service
  linux-6.1    hosts from Linux 6.1 on
  linux-6.12   hosts from Linux 6.12 on
  linux-6.18   hosts from Linux 6.18 on

Features of devices that a floor before their first Linux leaves out, if the user
does not set the property ("Linux -": no kernel has it so far)
  guest-uso4                 tap          bit 54  Linux 6.2   guest_uso4
  guest-udp-tunnel-gso-csum  tap          bit 66  Linux 6.17  guest_tunnel_csum
  ring-reset                 vhost-net    bit 40  Linux 6.3   queue_reset
  ring-packed                vhost-net    bit 34  Linux -     packed
  seqpacket                  vhost-vsock  bit 1   Linux 5.14  seqpacket

Floors: another section, which is not the first
  linux-9.9    nothing
'''}


class Probe(unittest.TestCase):
    """A directory, and the tool's output"""

    qemu = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_tool(self, tool, *options):
        result = subprocess.run([tool, *options], cwd=self.folder, text=True,
                                capture_output=True, check=False)
        return result.returncode, result.stdout, result.stderr

    def probe(self, *options, qemu=None):
        status, out, err = self.run_tool(TOOL, '--qemu', qemu or self.qemu,
                                         *options)
        self.assertEqual((status, err), (0, ''))
        return json.loads(out)

    def program(self, text, name='fake'):
        path = self.folder / name
        path.write_text(text, encoding='utf-8')
        path.chmod(0o755)
        return path

    def assert_fails(self, text, *options):
        status, out, err = self.run_tool(TOOL, *options)
        self.assertEqual((status, out), (2, ''))
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn(text, err)
        self.assertIn('needed: ', err)


class WithTcg(Probe):
    """Hosts with the QEMU that was built"""

    def test_all_start(self):
        document = self.probe('--accel', 'tcg')
        self.assertEqual([(row['name'], row['starts'], row['hvc-services'])
                          for row in document['floors']],
                         [(floor, True, floor) for floor in FLOORS])
        self.assertEqual(
            [(row['name'], row['starts'], row['hvc-services'])
             for row in document['types']],
            [(row['name'], True, row['floor'])
             for row in types_in(self.qemu.parents[1])])

    def test_contract_is_of_the_highest_floor(self):
        contract = self.probe('--accel', 'tcg')['return']
        values = {entry['name']: entry['value']
                  for entry in contract['entries']}
        self.assertTrue(contract['migrated'])
        self.assertEqual(values['arm.vendor-hyp-bmap'], 3)
        self.assertEqual(values['arm.psci-version'], 0x10003)

    def test_guest_abi_diff_reads_it(self):
        for name in ('a.json', 'b.json'):
            document = self.probe('--accel', 'tcg')
            for row in document['floors']:
                # This machine's TAP and vhost may be old.
                row.pop('lacks', None)
            (self.folder / name).write_text(json.dumps(document),
                                            encoding='utf-8')
        status, out, _ = self.run_tool(DIFF, 'a.json', 'b.json')
        self.assertEqual((status, out),
                         (0, 'a.json <-> b.json: guests can go both ways\n'))
        status, out, _ = self.run_tool(DIFF, '--fleet', '--json', 'a.json',
                                       'b.json')
        self.assertEqual(status, 0)
        self.assertEqual(json.loads(out)['machine'],
                         f'{types_in(self.qemu.parents[1])[-1]["name"]},'
                         f'{document["option"]}=linux-6.18')

    def test_options(self):
        document = self.probe('--accel', 'tcg', '--machine',
                              'virt,gic-version=3', '--cpu', 'cortex-a57')
        self.assertEqual(document['machine'], 'virt,gic-version=3')
        self.assertEqual(document['cpu'], 'cortex-a57')
        self.assertTrue(all(row['starts'] for member in ('floors', 'types')
                            for row in document[member]))
        self.assert_fails('Invalid CPU topology', '--qemu', self.qemu, '--accel', 'tcg',
                          '--', '-smp', '2,maxcpus=1')

    def test_options_reach_every_start(self):
        self.assert_fails("Invalid gic-version value", '--qemu', self.qemu,
                          '--accel', 'tcg', '--machine', 'virt,gic-version=9')

    def vm(self, *options):
        """Starts a VM with a monitor; its socket, in self.folder"""
        vm = Qemu(self.qemu, '-accel', 'tcg', '-cpu', 'max', '-nodefaults',
                  '-display', 'none', '-S', '-qmp', f'unix:{self.folder}/vm.qmp,server=on,wait=off',
                  *options)
        self.addCleanup(vm.__exit__, None, None, None)
        return 'vm.qmp'

    def saved(self, *options):
        """A file with the contract of such a VM"""
        status, out, err = self.run_tool(TOOL, '--vm', self.vm(*options))
        self.assertEqual((status, err), (0, ''))
        (self.folder / 'vm.json').write_text(out, encoding='utf-8')
        return 'vm.json'

    def check(self, *options):
        return self.run_tool(TOOL, '--qemu', self.qemu, '--accel', 'tcg',
                             '--check', 'vm.json', *options)

    FITS = (0, 'vm.json: this host would take the VM: all of its contract '
            'fits\n', '')
    REFUSAL = ("vm.json: guest-abi: incoming VM uses hvc service 'ptp' "
               '(vendor-hyp bit 1), not enabled here '
               "(hvc-services=linux-6.12:-ptp); start this QEMU with the "
               "source's -machine options\n")

    def test_vm(self):
        contract = json.loads((self.folder / self.saved(
            '-machine', 'virt-hvc-9.2')).read_text(encoding='utf-8'))['return']
        self.assertEqual(contract['machine'], 'virt-hvc-9.2')
        self.assertTrue(contract['migrated'])

    def test_check(self):
        self.saved('-machine', 'virt-hvc-10.0', '-cpu', 'max', '-smp', '2')
        status, out, _ = self.check()
        self.assertEqual(status, 1)
        self.assertIn('incoming VM has 2 vCPUs, this VM has 1', out)
        smp = ('--', '-smp', '2')
        self.assertEqual(self.check(*smp), self.FITS)
        self.assertEqual(
            self.check('--machine',
                       'virt-hvc-10.0,hvc-services=linux-6.12:-ptp', *smp),
            (1, self.REFUSAL, ''))
        status, out, _ = self.check('--machine', 'virt-hvc-9.2', *smp)
        self.assertEqual(status, 1)
        self.assertIn("is a machine of type 'virt-hvc-10.0', this one is "
                      "'virt-hvc-9.2'", out)

    def test_check_asks_a_vm(self):
        self.saved('-machine', 'virt-hvc-10.0')
        (self.folder / 'vm.qmp').unlink()
        ask = ('--check', 'vm.json', '--vm', self.vm(
            '-machine', 'virt-hvc-10.0,hvc-services=linux-6.12:-ptp'))
        self.assertEqual(self.run_tool(TOOL, *ask), (1, self.REFUSAL, ''))

    def test_check_of_what_libvirt_prints(self):
        self.saved('-machine', 'virt-hvc-10.0', '-cpu', 'max')
        path = self.folder / 'vm.json'
        reply = {**json.loads(path.read_text(encoding='utf-8')),
                 'id': 'libvirt-17'}
        path.write_text(json.dumps(reply), encoding='utf-8')
        self.assertEqual(self.check(), self.FITS)

    def test_check_reads_nothing_else(self):
        for text in ('not json', '{}', '[]', '{"return": {"entries": 1}}',
                     '[' * 100000):
            (self.folder / 'vm.json').write_text(text, encoding='utf-8')
            status, out, err = self.check()
            self.assertEqual((status, out), (2, ''))
            self.assertIn('guest-abi-probe: vm.json: ', err)
            self.assertEqual(len(err.splitlines()), 1)

    def test_check_without_a_machine(self):
        (self.folder / 'vm.json').write_text('{"entries": []}',
                                             encoding='utf-8')
        self.assert_fails('does not say of which machine type', '--qemu',
                          self.qemu, '--accel', 'tcg', '--check', 'vm.json')

    def test_check_with_options_that_do_not_start(self):
        self.saved('-machine', 'virt-hvc-10.0')
        self.assert_fails(
            "no such VM can be started here: guest-abi-profile=p,q.json needs "
            '-accel kvm', '--qemu', self.qemu, '--accel', 'tcg', '--check',
            'vm.json', '--profile', 'p,q.json')

    def test_no_vm_to_ask(self):
        self.assert_fails('none.qmp: No such file or directory', '--vm',
                          'none.qmp')
        path = str(self.folder / 'other.sock')
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            self.assert_fails('Connection refused', '--vm', path)
            other.listen()
            threading.Thread(target=lambda: other.accept()[0].sendall(
                b'220 mail\n')).start()
            self.assert_fails("not a QEMU: '220 mail'", '--vm', path)

    def test_vm_takes_no_options_of_another(self):
        for option in (('--machine', 'virt'), ('--cpu', 'max'),
                       ('--profile', 'p'), ('--accel', 'tcg'),
                       ('--qemu', 'q'), ('--', '-smp', '2')):
            status, out, err = self.run_tool(TOOL, '--vm', 'vm.qmp', *option)
            self.assertEqual((status, out), (2, ''))
            self.assertIn('--vm asks a VM that is there; leave out', err)

    def test_refusals_are_recorded(self):
        """A profile is refused under TCG, for each floor by its name."""
        document = self.probe('--accel', 'tcg', '--profile', 'a,b.json')
        self.assertEqual(document['profile'], 'a,b.json')
        self.assertNotIn('return', document)
        for row in (*document['floors'], *document['types']):
            self.assertFalse(row['starts'])
            self.assertTrue(row['refusal'].startswith(
                'guest-abi-profile=a,b.json needs -accel kvm and a choice of '
                "hvc-services, this VM has 'tcg' and hvc-services="), row)


class WithX86(Probe):
    """Hosts with the QEMU for x86 that was built, of unequal CPUs"""

    qemu_x86 = None
    CPUS = {'a.json': 'max,-avx2,-pku', 'b.json': 'max,-aes,-xsaveopt'}

    def setUp(self):
        super().setUp()
        for machine, needed in (
                ('q35,kernel-floor=help', 'kernel-floor'),
                ('q35,guest-abi-profile=none', 'guest-abi-profile on x86')):
            result = subprocess.run(
                [self.qemu_x86, '-machine', machine, '-display', 'none'],
                text=True, capture_output=True, check=False)
            if 'not found' in result.stderr:
                self.skipTest(f'this QEMU has no {needed}: '
                              f'{result.stderr.strip()}')

    def probe_all(self, *options):
        """The files of hosts with each CPU, as if they were probed alike"""
        for name, cpu in self.CPUS.items():
            document = self.probe('--accel', 'tcg', '--cpu', cpu, *options,
                                  qemu=self.qemu_x86)
            document['cpu'] = 'host'
            for row in document['floors']:
                row.pop('lacks', None)
            (self.folder / name).write_text(json.dumps(document),
                                            encoding='utf-8')

    def test_from_a_fleet_to_its_option(self):
        """Hosts that differ are alike with the profile of what all have."""
        self.probe_all()
        status, out, _ = self.run_tool(DIFF, '--fleet', *self.CPUS)
        self.assertEqual(status, 1)
        self.assertNotIn('use: ', out)
        status, out, err = self.run_tool(
            DIFF, '--fleet', '--profile-out', 'fleet.json', *self.CPUS)
        self.assertEqual((status, err), (1, ''))
        option = 'q35,kernel-floor=linux-6.18,guest-abi-profile=fleet.json'
        self.assertIn(f'use: -machine {option}\n', out)

        self.probe_all('--profile', 'fleet.json')
        status, out, _ = self.run_tool(DIFF, '--fleet', *self.CPUS)
        self.assertEqual(status, 0, out)
        self.assertIn(f'use: -machine {option}\n', out)

    def test_options_of_two(self):
        """With the options that are printed guests can go both ways."""
        self.probe_all()
        status, out, _ = self.run_tool(DIFF, *self.CPUS)
        self.assertEqual(status, 1)
        for name, cpu in self.CPUS.items():
            more = re.search(rf'^{name}: start this QEMU with -cpu host(\S+?)'
                             r',? or ', out, re.M)[1]
            self.CPUS = {**self.CPUS, name: cpu + more}
        self.probe_all()
        status, out, _ = self.run_tool(DIFF, *self.CPUS)
        self.assertEqual((status, out), (0, 'a.json <-> b.json: guests can go '
                                         'both ways\n'))


class PlayedHost(probe.Host):
    """A host whose kernel has what a test says"""

    def __init__(self, program, machine, facts):
        super().__init__(program, 'kvm', machine, 'host', None)
        self.played = facts

    def facts(self):
        return self.played


class WithKernelFloor(Probe):
    """A QEMU that knows floors of devices"""

    def document(self, refused=None, **facts):
        program = self.program(FAKE.format(
            refused=refused or {}, types=['virt-hvc-1.0'], help=FLOOR_HELP))
        return probe.probe(PlayedHost(program, 'q35', facts))

    def given(self, **facts):
        """Floors that a host gives, and what it lacks for the others"""
        record = Record('x', self.document(**facts))
        return {floor: record.refusal(floor) for floor in record.floors}

    LINUX_6_1 = {'tap': host_facts.tap_fact(0x7173, ['csum']),
                 'vhost-net': host_facts.vhost_fact([0x33d008000]),
                 'vhost-vsock': host_facts.vhost_fact([0x33d000002])}
    LINUX_6_12 = {**LINUX_6_1,
                  'tap': host_facts.tap_fact(0x7173, ['csum', 'uso']),
                  'vhost-net': host_facts.vhost_fact([0x1033d008000])}
    LINUX_7_3 = {**LINUX_6_12,
                 'tap': host_facts.tap_fact(
                     0x71f3, ['csum', 'uso', 'udp-tunnel-gso',
                              'udp-tunnel-gso-csum']),
                 'vhost-net': host_facts.vhost_fact([0x10b3d008000, 0xa])}
    USO = 'its tap lacks guest-uso4; needed: Linux 6.2 or later'
    RESET = 'its vhost-net lacks ring-reset; needed: Linux 6.3 or later'
    TUNNEL = 'guest-udp-tunnel-gso-csum; needed: Linux 6.17 or later'

    def test_floors_of_devices(self):
        self.assertEqual(self.given(**self.LINUX_6_1), {
            'none': '', 'linux-6.1': '',
            'linux-6.12': f'{self.USO}; {self.RESET}',
            'linux-6.18': f'its tap lacks guest-uso4, {self.TUNNEL}; '
                          f'{self.RESET}'})
        self.assertEqual(self.given(**self.LINUX_6_12), {
            'none': '', 'linux-6.1': '', 'linux-6.12': '',
            'linux-6.18': f'its tap lacks {self.TUNNEL}'})
        self.assertEqual(set(self.given(**self.LINUX_7_3).values()), {''})

    def test_backend_that_is_not_there(self):
        """Nobody can say what it would have; no VM of the host uses it."""
        facts = {**self.LINUX_6_1, 'tap': {'unavailable': 'no module'}}
        self.assertEqual(self.given(**facts)['linux-6.12'], self.RESET)
        self.assertEqual(set(self.given().values()), {''})

    def test_refusal_comes_first(self):
        """Where a VM does not start, that is why."""
        given = Record('x', self.document(
            {'=linux-6.12': 'kernel-floor=linux-6.12: no'},
            **self.LINUX_6_1)).refusal('linux-6.12')
        self.assertEqual(given, 'no')

    def test_what_is_printed(self):
        document = self.document(**self.LINUX_6_1)
        self.assertEqual(document['option'], 'kernel-floor')
        self.assertEqual(document['host'], self.LINUX_6_1)
        self.assertEqual(
            [(row['name'], row['here']) for row in document['features']],
            [('guest-uso4', False), ('guest-udp-tunnel-gso-csum', False),
             ('ring-reset', False), ('ring-packed', False),
             ('seqpacket', True)])
        self.assertEqual(document['features'][2], {
            'name': 'ring-reset', 'backend': 'vhost-net', 'bit': 40,
            'linux': '6.3', 'property': 'queue_reset', 'here': False})
        self.assertEqual(document['floors'][1], {
            'name': 'linux-6.1', 'starts': True,
            'kernel-floor': 'SPEC of q35,kernel-floor=linux-6.1'})
        self.assertEqual(document['types'][0]['kernel-floor'],
                         'SPEC of virt-hvc-1.0')

    def test_default_machine(self):
        """A QEMU for x86 has no virt machine."""
        for name, machine in (('qemu-system-x86_64', 'q35'),
                              ('qemu-system-i386', 'q35')):
            program = self.program(FAKE.format(
                refused={'virt': 'no virt here'}, types=[], help=FLOOR_HELP),
                name)
            document = self.probe(qemu=program)
            self.assertEqual(document['machine'], machine)
            self.assertEqual(document['return']['machine'],
                             'q35,kernel-floor=linux-6.18')


class WithOthers(Probe):
    """Programs that are not this QEMU"""

    def fake(self, refused=None, types=(), help_texts=None):
        return self.program(FAKE.format(refused=refused or {},
                                        types=list(types),
                                        help=help_texts or SERVICES_HELP))

    def test_host_that_refuses(self):
        document = self.probe(qemu=self.fake(
            {'=high': 'hvc-services=high: too high',
             'hvc-2.0': 'hvc-2.0 is refused'},
            ('virt-hvc-10.0', 'virt-hvc-2.0', 'virt-hvc', 'virt-9.2', 'pc')))
        self.assertEqual(document['qemu'], '10.0.99')
        self.assertEqual((document['accel'], document['cpu']),
                         ('kvm', 'host'))
        self.assertEqual(document['floors'], [
            {'name': 'low', 'starts': True,
             'hvc-services': 'SPEC of virt,hvc-services=low'},
            {'name': 'high', 'starts': False,
             'refusal': 'hvc-services=high: too high'}])
        self.assertEqual([(row['name'], row['starts'])
                          for row in document['types']],
                         [('virt-hvc-2.0', False), ('virt-hvc-10.0', True)])
        self.assertEqual(document['return']['machine'],
                         'virt,hvc-services=low')

    def test_host_that_gives_nothing(self):
        document = self.probe(qemu=self.fake({'hvc-services': 'no'}))
        self.assertEqual([row['refusal'] for row in document['floors']],
                         ['no', 'no'])
        self.assertNotIn('return', document)

    def test_refusal_without_a_word(self):
        document = self.probe(qemu=self.fake({'=high': ''}))
        self.assertEqual(document['floors'][1]['refusal'], 'not a word')

    def test_formats_and_output(self):
        program = self.fake(types=['virt-hvc-1.0'])
        for name, text in (('nfd', 'hvc-type.virt-hvc-1.0=true\n'),
                           ('openstack', '- CUSTOM_HVC_FLOOR_LOW\n'),
                           ('prometheus', '_supported{floor="low"} 1\n'),
                           ('json', '"name": "low"')):
            status, out, err = self.run_tool(TOOL, '--qemu', program,
                                             '--format', name)
            self.assertEqual((status, err), (0, ''))
            self.assertIn(text, out)
            (self.folder / 'file').write_text('old', encoding='utf-8')
            self.assertEqual(self.run_tool(
                TOOL, '--qemu', program, '--format', name, '--output',
                'file'), (0, '', ''))
            self.assertEqual((self.folder / 'file').read_text(
                encoding='utf-8'), out)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ['fake', 'file'])

    def test_output_that_others_read(self):
        """By the user's umask, as a shell would make the file"""
        program = self.fake()
        for mask, mode in ('022', 0o644), ('027', 0o640):
            result = subprocess.run(
                ['sh', '-c', f'umask {mask} && exec "$@"', 'sh', TOOL,
                 '--qemu', program, '--output', mask], cwd=self.folder,
                check=False)
            self.assertEqual(result.returncode, 0)
            self.assertEqual(stat.S_IMODE(
                (self.folder / mask).stat().st_mode), mode)

    def test_output_that_cannot_be_written(self):
        self.assert_fails('none/file: No such file or directory', '--qemu',
                          self.fake(), '--output', 'none/file')
        (self.folder / 'old').write_text('old', encoding='utf-8')
        self.assert_fails('no VM can be started', '--qemu',
                          self.fake({'virt': 'no'}), '--output', 'old')
        self.assertEqual((self.folder / 'old').read_text(encoding='utf-8'),
                         'old')

    def test_options_that_do_not_go_together(self):
        for options, text in (
                (('--format', 'xml'), 'invalid choice'),
                (('--check', 'c', '--format', 'nfd'), 'leave out --format'),
                (('--check', 'c', '--output', 'f'), 'leave out --output'),
                (('--vm', 'v', '--format', 'nfd'), 'leave out --format')):
            status, out, err = self.run_tool(TOOL, *options)
            self.assertEqual((status, out), (2, ''))
            self.assertIn(text, err)

    def test_profile_and_machine_options(self):
        document = self.probe('--profile', 'p.json', '--machine', 'virt,x=1',
                              qemu=self.fake(types=['virt-hvc-1.0']))
        self.assertEqual([row['hvc-services'] for row in
                          (*document['floors'], *document['types'])],
                         [f'SPEC of {machine},guest-abi-profile=p.json'
                          for machine in ('virt,x=1,hvc-services=low',
                                          'virt,x=1,hvc-services=high',
                                          'virt-hvc-1.0,x=1')])

    def test_no_vm(self):
        self.assert_fails(
            'no VM can be started here: invalid accelerator kvm; needed: ',
            '--qemu', self.fake({'virt': 'invalid accelerator kvm'}))

    def test_no_program(self):
        self.assert_fails('missing: No such file or directory',
                          '--qemu', self.folder / 'missing')

    def test_program_that_says_nothing(self):
        self.assert_fails('not a word',
                          '--qemu', self.program('#!/bin/sh\n'))

    def test_program_that_is_not_qemu(self):
        self.assert_fails("not a QEMU: 'hello'", '--qemu', self.program(
            '#!/bin/sh\necho hello\nexec sleep 60\n'))

    def test_qemu_without_services(self):
        self.assert_fails(
            'does not list floors: Property not found; needed: a QEMU with '
            'hvc-services', '--qemu', self.fake(help_texts={'pc': ''}))


def main():
    build = tap.arguments(__doc__, build=True).build.resolve()
    Probe.qemu = build / 'qemu/qemu-system-aarch64'
    WithX86.qemu_x86 = build / 'qemu/qemu-system-x86_64'
    return tap.run(WithTcg, WithX86, WithKernelFloor, WithOthers)
