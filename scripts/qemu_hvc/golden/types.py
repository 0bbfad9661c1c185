# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The contracts of the virt-hvc machine types, as JSON.

One object for each type, with what a guest of it is promised; as QEMU itself
says it of a VM that was started with the type. docs/machine-types.json has
them for packagers, who can compare it between releases. A type's first release
is in that file alone; for a new one it is the project's version.
"""

from functools import partial
import json
import re

from ..paths import ROOT
from ..qmp import Qemu
from . import differences

FILE = ROOT / 'docs/machine-types.json'
QEMU = 'qemu/qemu-system-aarch64'
# "virt-hvc" is an alias of the latest type, whichever that is.
MAY_CHANGE = 'alias'


def start(build, machine):
    return Qemu(build / QEMU, '-machine', machine, '-accel', 'tcg',
                '-nodefaults', '-display', 'none', '-S')


def version():
    """The project's version, of meson.build"""
    text = (ROOT / 'meson.build').read_text(encoding='utf-8')
    return re.search(r"^ *version: '(.*)'", text, re.M)[1]


def switched_off(vm, name, parent):
    """Device properties that a type switches off and its parent does not, as
    -global takes them"""
    def rows(machine):
        return [f'{prop["qom-type"]}.{prop["property"]}'
                for prop in machine['compat-props'] if prop['value'] == 'off']
    machines = {machine['name']: machine for machine in vm.command(
        'query-machines', **{'compat-props': True})}
    inherited = rows(machines[parent])
    return [row for row in rows(machines[name]) if row not in inherited]


def describe(build, machine, parent, first_release):
    parent = parent.removesuffix('-machine')
    with start(build, machine['name']) as vm:
        off = switched_off(vm, machine['name'], parent)
        kernel_floor = vm.command('qom-get', path='/machine',
                                  property='kernel-floor')
        values = {entry['name']: entry for entry in
                  vm.command('query-guest-abi')['entries']}
        floor = vm.command('qom-get', path='/machine', property='hvc-services')
    bitmaps = {name: entry for name, entry in values.items()
               if name.startswith('arm.') and 'bmap' in name}
    return {
        'name': machine['name'],
        'alias': machine.get('alias'),
        'parent': parent,
        'first-release': first_release,
        'floor': floor,
        'kernel-floor': kernel_floor,
        'psci-version': values['arm.psci-version']['names'][0],
        'services': [service for entry in bitmaps.values()
                     for service in entry['names']],
        'bitmaps': {name: f'{entry["value"]:#x}'
                    for name, entry in bitmaps.items()},
        'device-properties-off': off,
    }


def types_of(build, released):
    with start(build, 'virt') as vm:
        machines = vm.pinned_types()
        parents = {row['name']: row['parent'] for row in
                   vm.command('qom-list-types', implements='machine')}
    return [describe(build, machine, parents[machine['name'] + '-machine'],
                     released.get(machine['name'],
                                  {'first-release': version()})
                     ['first-release'])
            for machine in machines]


def changes(released, now):
    """Lines, one for each member that differs in the released and the built
    type"""
    for member in {**released, **now}:
        if member != MAY_CHANGE and released.get(member) != now.get(member):
            yield f'{now["name"]}: {member} was ' \
                  f'{json.dumps(released.get(member))}, ' \
                  f'is {json.dumps(now.get(member))}'


def broken_promises(released, types):
    """Lines, one for each difference that guests would see"""
    built = {row['name']: row for row in types}
    for name, row in released.items():
        if name in built:
            yield from changes(row, built[name])
        else:
            yield f'{name}: was there, is not'


def as_text(types):
    return json.dumps(types, indent=2) + '\n'


def released():
    """The types in the file, by name"""
    return {row['name']: row for row in json.loads(
        FILE.read_text(encoding='utf-8'))} if FILE.exists() else {}


def made(build):
    return {FILE: as_text(types_of(build, released()))}


def points(build):
    files = made(build)
    return [('released types are as they were', partial(broken, files)),
            ('the file is up to date', partial(differences, FILE,
                                               files[FILE]))]


def broken(files):
    return list(broken_promises(released(), json.loads(files[FILE])))


def problems(files):
    return [f'{line}; a released type never changes: add a new one, or remove '
            f'this one from {FILE} if it was never released'
            for line in broken(files)]
