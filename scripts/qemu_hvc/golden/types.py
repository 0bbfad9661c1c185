# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The contracts of the virt-hvc machine types, as JSON.

One object for each type, with what a guest of it is promised; as QEMU itself
says it of a VM that was started with the type. docs/machine-types.json has
them for packagers, who can compare it between releases. A type's first release
is in that file alone; for a new one it is the series of QEMU that was built, and
so is its alias: a later series has later types, which the file has as well.
"""

from functools import partial
import json

from ..paths import ROOT, as_numbers, series_of
from ..qmp import Qemu
from . import differences

FILE = ROOT / 'docs/machine-types.json'
QEMU = 'qemu/qemu-system-aarch64'
# "virt-hvc" is an alias of the latest type, whichever that is.
MAY_CHANGE = 'alias'


def start(build, machine):
    return Qemu(build / QEMU, '-machine', machine, '-accel', 'tcg',
                '-nodefaults', '-display', 'none', '-S')


def switched_off(vm, name, parent):
    """Device properties that a type switches off beyond its parent's, as
    -global takes them. A type's rows are behind those of its parent, which a
    newer QEMU gives more of."""
    rows = {machine['name']: machine['compat-props'] for machine in vm.command(
        'query-machines', **{'compat-props': True})}
    return [f'{row["qom-type"]}.{row["property"]}'
            for row in rows[name][len(rows[parent]):] if row['value'] == 'off']


def describe(build, machine, parent, alias, first_release):
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
        'alias': alias,
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
    series = series_of(build)
    types = []
    for machine in machines:
        known = released.get(machine['name'], {'first-release': series})
        first = known['first-release']
        types.append(describe(
            build, machine, parents[machine['name'] + '-machine'],
            machine.get('alias') if first == series else known['alias'], first))
    return types + [row for row in released.values()
                    if as_numbers(row['first-release']) > as_numbers(series)]


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


def types_in(build):
    """Those of the file that the QEMU which was built has, oldest first"""
    series = as_numbers(series_of(build))
    return [row for row in released().values()
            if as_numbers(row['first-release']) <= series]


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
