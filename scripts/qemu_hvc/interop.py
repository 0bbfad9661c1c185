# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Streams of two QEMUs: do they load, and are they the same?"""

import json
import subprocess
import sys

from .stream import with_one_ram_part
from .vm import Vm

SHOWN_DIFFERENCES = 10


def load(qemu, machine, path, *options, vm_class=Vm):
    """QEMU's refusal, or ''; and the VM's state after the load"""
    with vm_class(qemu, machine, '-incoming', 'defer', *options) as vm:
        info = vm.load(path)
        state = vm.state()
    if info['status'] == 'completed':
        return '', state
    return f'{info.get("error-desc", "")}\n{vm.stderr}'.strip(), state


def still(path, qemu, machine, stream=None, bandwidth=1 << 30, options=(),
          vm_class=Vm):
    """The stream of a VM that does not run, and may have loaded another"""
    incoming = ('-incoming', 'defer') if stream else ()
    with vm_class(qemu, machine, '-S', *incoming, *options) as vm:
        if stream:
            info = vm.load(stream)
            if info['status'] != 'completed':
                raise RuntimeError(f'{stream} is refused: '
                                   f'{info.get("error-desc")}\n{vm.stderr}')
        vm.command('migrate-set-parameters', **{'max-bandwidth': bandwidth})
        vm.save(path)
    return path


def differing_bytes(a, b):
    """Offsets in streams with one part of RAM; None if the sizes differ"""
    a, b = (with_one_ram_part(path.read_bytes()) for path in (a, b))
    if len(a) != len(b):
        return None
    if a == b:
        return set()
    return {i for i, (x, y) in enumerate(zip(a, b)) if x != y}


def leaves(value, path=''):
    """All numbers and strings of a JSON value, by path"""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, f'{path}/{key}')
    elif isinstance(value, list):
        for i, member in enumerate(value):
            yield from leaves(member, f'{path}[{i}]')
    else:
        yield path, value


def differing_fields(analyze, a, b):
    """The names of the fields that differ between two streams

    analyze: QEMU's scripts/analyze-migration.py
    """
    fields = []
    for part in ('desc', 'state'):
        texts = [subprocess.run([sys.executable, analyze, '-f', path,
                                 '-d', part], capture_output=True, text=True,
                                check=True).stdout for path in (a, b)]
        one, two = (dict(leaves(json.loads(text))) for text in texts)
        fields += sorted(f'{part}: {path}' for path in one.keys() | two.keys()
                         if one.get(path) != two.get(path))
    return fields
