# SPDX-License-Identifier: GPL-2.0-or-later
"""Describes the migration stream of a machine type.

The sections in their order with their versions, and each field's type and
size, as a stream itself tells them (QEMU's scripts/analyze-migration.py). A
VM of a released type has to keep its description: the golden ones are
scripts/tests/data/streams/TYPE.txt.
"""

import argparse
import json
from pathlib import Path
import subprocess
import sys
import tempfile

from ..paths import DATA
from ..vm import save

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


def check(build, number, machine):
    """Prints a test point; returns whether it is good."""
    golden = GOLDEN / f'{machine}.txt'
    expected = golden.read_text(encoding='utf-8').splitlines()
    found = list(describe(build, machine))
    good = found == expected
    print(f'{"ok" if good else "not ok"} {number} - {machine}')
    if not good:
        diff = subprocess.run(['diff', '-U1', golden, '-'], text=True,
                              input='\n'.join(found) + '\n',
                              stdout=subprocess.PIPE, check=False).stdout
        print('# A VM of this type could not migrate to and from others:')
        print('# ' + diff.rstrip().replace('\n', '\n# '))
    return good


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true',
                        help='compare with the golden ones; prints TAP')
    parser.add_argument('build', type=Path,
                        help='the directory that scripts/build-qemu built in')
    parser.add_argument('types', nargs='*', default=TYPES,
                        help='machine types (default: all released ones)')
    arguments = parser.parse_args()
    if not arguments.check:
        for machine in arguments.types:
            print('\n'.join(describe(arguments.build, machine)))
        return 0
    print(f'1..{len(arguments.types)}')
    good = [check(arguments.build, number, machine)
            for number, machine in enumerate(arguments.types, 1)]
    return 0 if all(good) else 1
