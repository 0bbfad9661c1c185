# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The migration stream of each machine type.

The sections in their order with their versions, and each field's type and
size, as a stream itself tells them (QEMU's scripts/analyze-migration.py). A
VM of a released type has to keep its description, which is
scripts/tests/data/streams/TYPE.txt.
"""

from functools import partial
import json
from pathlib import Path
import subprocess
import sys
import tempfile

from ..paths import DATA
from ..vm import save
from . import differences

GOLDEN = DATA / 'streams'
TYPES = ('virt-hvc-9.0', 'virt-hvc-9.2', 'virt-hvc-10.0')


def describe_struct(struct, indent):
    """The lines of a VMStateDescription's fields and subsections"""
    for field in struct.get('fields', []):
        length = f'[{field["array_len"]}]' if 'array_len' in field else ''
        yield f'{indent}{field["name"]}{length} {field["type"]} ' \
              f'{field["size"]}'
        if 'struct' in field:
            yield from describe_struct(field['struct'], indent + '  ')
    for subsection in struct.get('subsections', []):
        yield f'{indent}+ {subsection["vmsd_name"]} ' \
              f'version {subsection["version"]}'
        yield from describe_struct(subsection, indent + '  ')


def describe(build, machine):
    """The description of the stream of a VM that has not run"""
    with tempfile.TemporaryDirectory() as folder:
        stream = save(build / 'qemu/qemu-system-aarch64', machine,
                      Path(folder) / 'stream', '-S')
        text = subprocess.run(
            [sys.executable, build / 'src/scripts/analyze-migration.py',
             '-f', stream, '-d', 'desc'], capture_output=True, text=True,
            check=True).stdout
    description = json.loads(text)
    yield '# SPDX-License-Identifier: GPL-2.0-or-later'
    yield '# Made by scripts/update-golden streams'
    yield 'configuration'
    yield from describe_struct(description['configuration'], '  ')
    for device in description['devices']:
        yield f'{device["name"]} instance {device["instance_id"]} ' \
              f'version {device["version"]}'
        yield from describe_struct(device, '  ')


def made(build):
    return {GOLDEN / f'{machine}.txt':
            '\n'.join(describe(build, machine)) + '\n' for machine in TYPES}


def changed(path, text):
    """Why a type's description, if it is not the file's, breaks migration"""
    lines = differences(path, text)
    if lines:
        yield f'a VM of {path.stem} could not migrate to and from others:'
        yield from lines


def points(build):
    return [(path.stem, partial(changed, path, text))
            for path, text in made(build).items()]


def problems(files):
    for path, text in files.items():
        if path.exists() and differences(path, text):
            yield f'the stream of {path.stem} has changed; a released type ' \
                  f'never changes: add a new one, or delete {path} if the ' \
                  'type was never released'
