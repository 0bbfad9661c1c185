# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What a host can promise, as schedulers and monitoring read it.

nfd         a feature file of Kubernetes' Node Feature Discovery
openstack   a provider.yaml of OpenStack's Nova, with traits for Placement
prometheus  a file for the textfile collector of Prometheus' node exporter

A name has the same parts in all of them, such as "floor" and "linux-6.12".
"""

import hashlib
import json
import re

from .contract import Contract
from .entries import CHOSEN, is_hardware

NFD_PREFIX = 'feature.node.kubernetes.io/hvc-'
TRAIT_PREFIX = 'CUSTOM_HVC_'
METRIC_PREFIX = 'qemu_hvc_'
# Characters of SHA-256 in hexadecimal
FINGERPRINT_LENGTH = 16


def fingerprint(contract, names):
    """One text for all values of some entries"""
    text = ''.join(f'{name}={contract.value(name):#x}\n'
                   for name in sorted(names))
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_LENGTH]


def fingerprints(document):
    """Of the CPU, and of all that no option chooses, if there is any of it

    Hosts with the same "contract" are alike for guests of one floor.
    """
    if 'return' not in document:
        return {}
    contract = Contract('the probe', document)
    entries = {
        'cpu': set(filter(is_hardware, contract.entries)),
        'contract': {name for name in contract.entries
                     if name not in CHOSEN and
                     not name.startswith('machine.')}}
    return {kind: fingerprint(contract, names)
            for kind, names in entries.items() if names}


def can(row):
    """Whether a host gives a floor, or a type"""
    return row['starts'] and not row.get('lacks')


def capabilities(document):
    """What a host has or has not: (kind, name, whether)"""
    for kind, member in ('floor', 'floors'), ('type', 'types'):
        for row in document[member]:
            yield kind, row['name'], can(row)
    for feature in document['features']:
        if feature['here'] is not None:
            yield 'virtio', f'{feature["backend"]}.{feature["name"]}', \
                feature['here']


def nfd(document):
    """A line for each label; a value has at most 63 characters"""
    lines = ['# Written by guest-abi-probe of qemu-hvc']
    lines += [f'{NFD_PREFIX}{kind}.{name}=true'
              for kind, name, has in capabilities(document) if has]
    lines += [f'{NFD_PREFIX}{name}.fingerprint={value}'
              for name, value in fingerprints(document).items()]
    return '\n'.join(lines) + '\n'


def trait(*parts):
    """A trait's name has capitals, digits and "_" only."""
    return TRAIT_PREFIX + re.sub(r'[^A-Z0-9]', '_', '_'.join(parts).upper())


def openstack(document):
    """For the compute node that reads the file"""
    traits = [trait(kind, name)
              for kind, name, has in capabilities(document) if has]
    traits += [trait(name, value)
               for name, value in fingerprints(document).items()]
    return '\n'.join([
        '# Written by guest-abi-probe of qemu-hvc',
        'meta:',
        "  schema_version: '1.0'",
        'providers:',
        '  - identification:',
        "      uuid: '$COMPUTE_NODE'",
        '    traits:',
        '      additional:' + ('' if traits else ' []'),
        *(f'        - {name}' for name in traits)]) + '\n'


def labels(**values):
    """A metric's; a JSON text has the escapes of a label"""
    return '{' + ','.join(
        f'{name}={json.dumps(value, ensure_ascii=False)}'
        for name, value in values.items()) + '}'


def metric(name, text, samples):
    """Lines of one metric; samples: pairs of labels and value"""
    samples = list(samples)
    if samples:
        yield f'# HELP {METRIC_PREFIX}{name} {text}'
        yield f'# TYPE {METRIC_PREFIX}{name} gauge'
        for its_labels, value in samples:
            yield f'{METRIC_PREFIX}{name}{its_labels} {value}'


def of_kind(document, wanted):
    """(name, 1 or 0) of the capabilities of a kind"""
    return [(name, int(has)) for kind, name, has in capabilities(document)
            if kind == wanted]


def prometheus(document):
    """A gauge for each kind of capability"""
    facts = document['host']
    lines = [
        *metric('host_info', 'What the host is, and the fingerprints of its '
                'CPU and of its contract with guests.', [(labels(
                    **{name: document[name] for name in (
                        'kernel', 'qemu', 'accel', 'machine', 'cpu')},
                    **{f'{name}_fingerprint': value for name, value in
                       fingerprints(document).items()}), 1)]),
        *metric('floor_supported', 'Whether the host gives the floor to VMs.',
                ((labels(floor=name), has)
                 for name, has in of_kind(document, 'floor'))),
        *metric('machine_type_supported',
                'Whether VMs of the machine type start on the host.',
                ((labels(type=name), has)
                 for name, has in of_kind(document, 'type'))),
        *metric('backend_available',
                'Whether the host has the backend of virtio devices.',
                ((labels(backend=name), int('features' in fact))
                 for name, fact in facts.items()
                 if name == 'tap' or name.startswith('vhost-'))),
        *metric('virtio_feature_supported',
                'Whether the backend has the virtio feature.',
                ((labels(**dict(zip(('backend', 'feature'),
                                    name.split('.', 1)))), has)
                 for name, has in of_kind(document, 'virtio'))),
        *metric('cntfrq_hertz', 'CNTFRQ_EL0 of the host.',
                (('', fact['hz']) for fact in [facts.get('cntfrq', {})]
                 if 'hz' in fact)),
        *metric('gicd_iidr_revision',
                'GICD_IIDR.Revision of a new virtual GIC.',
                ((labels(gic=name.partition('-')[0]), value)
                 for name, value in facts.get('gic', {}).items()
                 if name.endswith('-iidr-revision'))),
        *metric('sve_vector_length_supported',
                'Whether a vCPU can have the SVE vector length.',
                ((labels(bits=str(bits)), 1)
                 for bits in facts.get('sve', {}).get('lengths', ()))),
    ]
    return '\n'.join(lines) + '\n'


def as_json(document):
    return json.dumps(document, indent=2) + '\n'


FORMATS = {'json': as_json, 'nfd': nfd, 'openstack': openstack,
           'prometheus': prometheus}
