# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests the formats of guest-abi-probe, as others read them; prints TAP.

nfd by the format that Node Feature Discovery documents and Kubernetes' rules for
labels; openstack by PyYAML and the schema of Nova itself; prometheus by
Prometheus' promtool. Nova's and Prometheus' are Debian's, fetched with apt.
"""

import ast
from datetime import datetime
import json
import re
import subprocess
import tempfile
import unittest

from qemu_hvc import host_facts, tap
from qemu_hvc.paths import DATA, ROOT, FetchError, fetch
from qemu_hvc.probe_formats import FORMATS

PAGE = ROOT / 'docs/system/arm/hvc-schedulers.rst'
HOSTS = sorted((DATA / 'fleet').glob('*.json'))
# Of the file, by node-feature-discovery's usage/customization-guide
NFD_MAX_BYTES = 65536
LABEL_MAX = 63
PREFIX_MAX = 253
LABEL = re.compile(r'[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?')
SUBDOMAIN = re.compile(r'[a-z0-9]([-a-z0-9]*[a-z0-9])?'
                       r'(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
FEATURES = (('guest-uso4', 'tap', 54), ('guest-udp-tunnel-gso-csum', 'tap', 66),
            ('ring-reset', 'vhost-net', 40), ('seqpacket', 'vhost-vsock', 1))


def nfd_labels(text):
    """What Node Feature Discovery makes of a feature file"""
    if len(text.encode()) > NFD_MAX_BYTES:
        raise ValueError('too large')
    found, expired, no_label = {}, False, False
    for line in map(str.strip, text.split('\n')):
        directive, _, value = line.removeprefix('# +').partition('=')
        if line.startswith('# +'):
            if directive == 'expiry-time':
                expired = datetime.fromisoformat(value.strip().replace(
                    'Z', '+00:00')).timestamp() < datetime.now().timestamp()
            elif directive == 'no-label':
                no_label = True
            elif directive != 'no-feature':
                raise ValueError(f'unknown directive {directive!r}')
        elif line and not line.startswith('#') and not expired:
            name, equals, value = line.partition('=')
            if name in found:
                raise ValueError(f'{name} is there twice')
            if not no_label:
                found[name] = value if equals else 'true'
            no_label = False
    return found


def label_problems(labels):
    """What Kubernetes would refuse"""
    for label, value in labels.items():
        prefix, slash, name = label.rpartition('/')
        if not slash or len(prefix) > PREFIX_MAX or \
           not SUBDOMAIN.fullmatch(prefix):
            yield f'{label}: prefix'
        if len(name) > LABEL_MAX or not LABEL.fullmatch(name):
            yield f'{label}: name'
        if value and (len(value) > LABEL_MAX or not LABEL.fullmatch(value)):
            yield f'{label}: value {value!r}'


def document(change=None):
    """What a host printed, changed perhaps"""
    made = json.loads((DATA / 'fleet/linux-6.12.json').read_text(
        encoding='utf-8'))
    made['host'] = {
        'tap': host_facts.tap_fact(0x7173, ['csum', 'uso']),
        'vhost-net': host_facts.vhost_fact([0x33d008000]),
        'vhost-vsock': {'unavailable': 'no such file'},
        'gic': {'kinds': ['gicv3', 'its'], 'gicv3-iidr-revision': 3},
        'cntfrq': {'hz': 62500000},
        'sve': {'lengths': [128, 256]},
    }
    made['features'] = [
        {'name': name, 'backend': backend, 'bit': bit, 'linux': '6.2',
         'property': 'p', 'here': here}
        for (name, backend, bit), here in zip(FEATURES,
                                              (True, False, False, None))]
    made['floors'][3]['lacks'] = [{'backend': 'vhost-net', 'linux': '6.3',
                                   'feature': 'ring-reset'}]
    if change:
        change(made)
    return made


def no_contract(made):
    """A host that gives nothing at all"""
    del made['return']
    for row in (*made['floors'], *made['types']):
        row.clear()
        row.update({'name': 'x', 'starts': False, 'refusal': 'no'})
    made['features'] = []


def hostile(made):
    made['kernel'] = '6.12"\\\n{evil="1"} 2 é: - [x]'
    made['qemu'] = '# +expiry-time=2000-01-01T00:00:00Z'
    made['cpu'] = "host,x='#"


def blocks(language):
    """Those of the manual's page"""
    return [re.sub('(?m)^   ', '', block) for block in re.findall(
        rf'\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)',
        PAGE.read_text(encoding='utf-8'))]


def of_floor(made):
    """A host that gives the floor of the page"""
    del made['floors'][3]['lacks']


class Formats(unittest.TestCase):
    """What the formats say, in the words of those that read them"""

    def assert_labels(self, made):
        labels = nfd_labels(FORMATS['nfd'](made))
        self.assertEqual(list(label_problems(labels)), [])
        return labels

    def test_nfd(self):
        labels = self.assert_labels(document())
        prefix = 'feature.node.kubernetes.io/hvc-'
        self.assertEqual(
            {label.removeprefix(prefix) for label, value in labels.items()
             if value == 'true'},
            {'floor.none', 'floor.linux-5.10', 'floor.linux-6.1',
             'type.virt-hvc-9.0', 'type.virt-hvc-9.2', 'type.virt-hvc-10.0',
             'virtio.tap.guest-uso4'})
        self.assertRegex(labels[f'{prefix}contract.fingerprint'],
                         r'^[0-9a-f]{16}$')

    def test_nfd_of_others(self):
        self.assert_labels(document(hostile))
        self.assertEqual(self.assert_labels(document(no_contract)), {})
        for path in HOSTS:
            made = json.loads(path.read_text(encoding='utf-8'))
            self.assertTrue(self.assert_labels(made) or
                            'return' not in made, path)

    def test_rule_of_the_manual(self):
        """The label by which the page has nodes selected"""
        rule = next(block for block in blocks('yaml')
                    if block.startswith('nodeSelector'))
        label, value = re.search(r'^  (\S+): "(.*)"$', rule, re.M).groups()
        self.assertEqual(nfd_labels(FORMATS['nfd'](document(of_floor))).get(
            label), value)
        self.assertNotIn(label, nfd_labels(FORMATS['nfd'](document())))

    def test_what_the_reader_of_nfd_refuses(self):
        """The reader of these tests is one that can fail."""
        self.assertEqual(nfd_labels('# a\na/b\n\n# +no-label\na/c=1\na/d=2'),
                         {'a/b': 'true', 'a/d': '2'})
        self.assertEqual(nfd_labels('# +expiry-time=2000-01-01T00:00:00Z\na'),
                         {})
        for text in ('# +other\n', 'a\na', 'a' * 70000):
            with self.assertRaises(ValueError):
                nfd_labels(text)
        for label in ('floor', 'A/b', 'a/b c', 'a/' + 'b' * 64, 'a/-b'):
            self.assertTrue(list(label_problems({label: 'true'})), label)
        self.assertTrue(list(label_problems({'a/b': 'x y'})))

    def fingerprints(self, change=None):
        labels = nfd_labels(FORMATS['nfd'](document(change)))
        return [labels[f'feature.node.kubernetes.io/hvc-{name}.fingerprint']
                for name in ('cpu', 'contract')]

    def test_fingerprints(self):
        """Equal for hosts that are alike, whatever is chosen there"""
        def set_value(name, value):
            def change(made):
                for entry in made['return']['entries']:
                    if entry['name'] == name:
                        entry['value'] = value
            return change

        def reverse(made):
            made['return']['entries'].reverse()
            made['kernel'] = '6.12.200'
        cpu, contract = self.fingerprints()
        self.assertEqual(self.fingerprints(reverse), [cpu, contract])
        self.assertEqual(self.fingerprints(
            set_value('arm.psci-version', 0x10003)), [cpu, contract])
        other = self.fingerprints(set_value('arm.clidr-el1', 5))
        self.assertEqual(other[0], cpu)
        self.assertNotEqual(other[1], contract)
        other = self.fingerprints(set_value('arm.midr-el1', 5))
        self.assertNotEqual(other[0], cpu)
        self.assertNotEqual(other[1], contract)


class Openstack(unittest.TestCase):
    """provider.yaml, by Nova's own schema"""

    @classmethod
    def setUpClass(cls):
        try:
            import jsonschema
            import yaml
        except ImportError as error:
            raise unittest.SkipTest(
                f'{error}; run scripts/setup') from error
        try:
            path = fetch('nova-schema')
        except FetchError as error:
            raise unittest.SkipTest(str(error)) from error
        values = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in ast.parse(path.read_text(encoding='utf-8')).body
            if isinstance(node, ast.Assign) and
            node.targets[0].id in ('SCHEMA_V1', 'SUPPORTED_SCHEMA_VERSIONS')}
        cls.versions = values['SUPPORTED_SCHEMA_VERSIONS']
        cls.schema = values['SCHEMA_V1']
        cls.jsonschema, cls.yaml = jsonschema, yaml

    def traits(self, made):
        found = self.yaml.safe_load(FORMATS['openstack'](made))
        self.jsonschema.validate(found, self.schema)
        major, minor = map(int, found['meta']['schema_version'].split('.'))
        self.assertIn(minor, self.versions[major])
        provider, = found['providers']
        self.assertEqual(provider['identification'],
                         {'uuid': '$COMPUTE_NODE'})
        traits = provider['traits']['additional']
        self.assertEqual(len(set(traits)), len(traits))
        # What Nova asks of a trait beyond its schema
        self.assertTrue(all(trait.startswith('CUSTOM_') for trait in traits))
        return traits

    def test_openstack(self):
        traits = self.traits(document())
        self.assertEqual(traits[:-2], [
            'CUSTOM_HVC_FLOOR_NONE', 'CUSTOM_HVC_FLOOR_LINUX_5_10',
            'CUSTOM_HVC_FLOOR_LINUX_6_1', 'CUSTOM_HVC_TYPE_VIRT_HVC_9_0',
            'CUSTOM_HVC_TYPE_VIRT_HVC_9_2', 'CUSTOM_HVC_TYPE_VIRT_HVC_10_0',
            'CUSTOM_HVC_VIRTIO_TAP_GUEST_USO4'])
        self.assertRegex(traits[-1], r'^CUSTOM_HVC_CONTRACT_[0-9A-F]{16}$')

    def test_openstack_of_others(self):
        self.traits(document(hostile))
        self.assertEqual(self.traits(document(no_contract)), [])
        for path in HOSTS:
            self.traits(json.loads(path.read_text(encoding='utf-8')))

    def test_rule_of_the_manual(self):
        """The trait of the page's flavor; and what the page has is YAML"""
        wanted = re.search(r'trait:(\w+)=required', blocks('sh')[0])[1]
        self.assertIn(wanted, self.traits(document(of_floor)))
        self.assertNotIn(wanted, self.traits(document()))
        self.assertEqual([list(self.yaml.safe_load(block))[0]
                          for block in blocks('yaml')],
                         ['apiVersion', 'nodeSelector', 'groups'])

    def test_schema_refuses(self):
        """The schema that was fetched is one that can fail."""
        text = FORMATS['openstack'](document())
        for old, new in (('uuid:', 'id:'), ("'1.0'", "'2.0'"),
                         ('FLOOR_NONE', 'floor-none')):
            with self.assertRaises(self.jsonschema.ValidationError):
                self.jsonschema.validate(self.yaml.safe_load(
                    text.replace(old, new)), self.schema)


class Prometheus(unittest.TestCase):
    """Metrics, by promtool"""

    @classmethod
    def setUpClass(cls):
        try:
            cls.promtool = fetch('promtool')
        except FetchError as error:
            raise unittest.SkipTest(str(error)) from error

    def problems(self, text):
        """promtool's, which are none for good metrics"""
        result = subprocess.run([self.promtool, 'check', 'metrics'],
                                input=text, text=True, capture_output=True,
                                check=False)
        self.assertEqual(result.returncode == 0, not result.stderr)
        return result.stderr

    def test_prometheus(self):
        text = FORMATS['prometheus'](document())
        self.assertEqual(self.problems(text), '')
        for line in ('qemu_hvc_floor_supported{floor="linux-6.1"} 1',
                     'qemu_hvc_floor_supported{floor="linux-6.12"} 0',
                     'qemu_hvc_floor_supported{floor="linux-6.18"} 0',
                     'qemu_hvc_machine_type_supported{type="virt-hvc-9.2"} 1',
                     'qemu_hvc_backend_available{backend="vhost-net"} 1',
                     'qemu_hvc_backend_available{backend="vhost-vsock"} 0',
                     'qemu_hvc_virtio_feature_supported{backend="vhost-net",'
                     'feature="ring-reset"} 0',
                     'qemu_hvc_cntfrq_hertz 62500000',
                     'qemu_hvc_gicd_iidr_revision{gic="gicv3"} 3',
                     'qemu_hvc_sve_vector_length_supported{bits="256"} 1'):
            self.assertIn(f'\n{line}\n', text)
        self.assertNotIn('seqpacket', text)

    def test_prometheus_of_others(self):
        self.assertEqual(self.problems(FORMATS['prometheus'](
            document(hostile))), '')
        self.assertEqual(self.problems(FORMATS['prometheus'](
            document(no_contract))), '')
        for path in HOSTS:
            self.assertEqual(self.problems(FORMATS['prometheus'](json.loads(
                path.read_text(encoding='utf-8')))), '')

    def test_rules_of_the_manual(self):
        """The page's alerts are rules of metrics that are there."""
        rules = next(block for block in blocks('yaml')
                     if block.startswith('groups'))
        with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
            file.write(rules)
            file.flush()
            result = subprocess.run(
                [self.promtool, 'check', 'rules', file.name], text=True,
                capture_output=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        text = FORMATS['prometheus'](document())
        names = set(re.findall(r'qemu_hvc_\w+', rules))
        self.assertEqual(len(names), 2)
        for name in (*names, 'contract_fingerprint="', 'floor="linux-6.12"'):
            self.assertIn(name, text)

    def test_promtool_refuses(self):
        """The promtool that was fetched is one that can fail."""
        text = FORMATS['prometheus'](document())
        self.assertIn('error while linting', self.problems(
            text.replace('{floor="none"}', '{floor=none}')))
        self.assertIn('no help text', self.problems(re.sub(
            r'# HELP qemu_hvc_floor.*\n', '', text)))


def main():
    tap.arguments(__doc__)
    return tap.run(Formats, Openstack, Prometheus)
