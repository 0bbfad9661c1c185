# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Compares and migrates between two versions of QEMU; prints TAP.

BUILD has one, --other the older one; both with the patches, and beside it
without. Of each machine type that both have, the guest's contract is the same,
and VMs go from either to the other, and back, and lose nothing on the way. Stock
types do what the unpatched QEMUs do with each other, whatever that is, and their
streams are those of the unpatched QEMU of the same version, byte by byte.
"""

from functools import partial
from pathlib import Path
import tempfile

from qemu_hvc import tap
from qemu_hvc.interop import SHOWN_DIFFERENCES, differing_bytes, \
    differing_fields, load, still
from qemu_hvc.paths import as_numbers, series_of
from qemu_hvc.vm import Vm, save

EMULATOR = 'qemu-system-aarch64'
STOCK_TYPES = ('virt-9.0', 'virt-9.2', 'virt-10.0')
# Beside the types: a machine of each QEMU that chooses its services itself
OPTIONS = ('virt-10.0,hvc-services=linux-6.12',
           'virt-9.2,hvc-services=trng:ptp,psci-version=1.2')
# Of what QEMU prints, so many characters
SHOWN = 300


def entries(qemu, machine):
    """The contract of a new VM, by name: all that a guest could notice"""
    with Vm(qemu, machine, '-S') as vm:
        return {entry['name']: (entry['value'], entry['rule'], entry['origin'])
                for entry in vm.command('query-guest-abi')['entries']}


def types_of(qemu):
    with Vm(qemu, 'virt', '-S') as vm:
        return [machine['name'] for machine in vm.pinned_types()]


class Side:
    """One version of QEMU: patched, unpatched, and what reads its streams"""

    def __init__(self, build):
        self.name = series_of(build)
        self.ours = build / 'qemu' / EMULATOR
        self._stock = build / 'stock' / EMULATOR
        self.analyze = build / 'src/scripts/analyze-migration.py'


    @property
    def stock(self):
        if not self._stock.is_file():
            raise tap.Skip(f'{self._stock} is not there; "scripts/build-qemu '
                           '--stock" builds it')
        return self._stock


class Tests:
    """The test points, each a method that returns its problems."""

    def __init__(self, old, new, folder):
        self.old = old
        self.new = new
        self.folder = folder

    def file(self, name):
        return self.folder / name

    def points(self):
        old, new = self.old, self.new
        both = [name for name in types_of(old.ours)
                if name in types_of(new.ours)]
        yield f'types of {old.name} are in {new.name}', self.all_types, (both,)
        for machine in (*both, *OPTIONS):
            yield f'{machine}: the contract is the same', self.same_contract, \
                (machine,)
            for here, there in ((old, new), (new, old)):
                way = f'{here.name} to {there.name}'
                yield f'{machine}: {way} and back', self.there_and_back, \
                    (machine, here, there)
                yield f'{machine}: {way} and back loses nothing', \
                    self.nothing_lost, (machine, here, there)
        for machine in STOCK_TYPES:
            for here, there in ((old, new), (new, old)):
                yield (f'{machine}: {here.name} to {there.name} as unpatched',
                       self.as_unpatched, (machine, here, there))
            yield (f'{machine}: the stream of {new.name} is the unpatched '
                   "one's", self.same_stream, (machine,))

    def all_types(self, both):
        if not both:
            yield 'they have no type in common'
        for name in types_of(self.old.ours):
            if name not in both:
                yield f'{name} is only in {self.old.name}'

    def same_contract(self, machine):
        here, there = (entries(side.ours, machine)
                       for side in (self.old, self.new))
        if not here:
            yield 'there is no contract'
        for name in here.keys() | there.keys():
            if here.get(name) != there.get(name):
                yield f'{name}: {self.old.name} has {here.get(name)}, ' \
                      f'{self.new.name} {there.get(name)}'

    def need_journey(self, machine, here, there):
        """Skip, if QEMU itself does not let such a VM go there and back"""
        stock = machine.partition(',')[0].replace('virt-hvc-', 'virt-')
        for source, destination in ((here, there), (there, here)):
            path = still(self.file('plain'), source.ours, stock)
            refusal, _ = load(destination.ours, stock, path, '-S')
            if refusal:
                raise tap.Skip(
                    f'{destination.name} refuses {stock} of {source.name} '
                    f'without our options as well: {refusal}'
                    .replace('\n', ' ')[:SHOWN])

    def there_and_back(self, machine, here, there):
        """A VM that runs"""
        self.need_journey(machine, here, there)
        path = save(here.ours, machine, self.file('there'))
        with Vm(there.ours, machine, '-incoming', 'defer') as vm:
            info = vm.load(path)
            if info['status'] != 'completed':
                yield f'{there.name} refuses it: {info.get("error-desc")}'
                yield vm.stderr[-SHOWN:]
                return
            if vm.state() != 'running':
                yield f'on {there.name} the VM is {vm.state()}'
            contract = {entry['name']: entry['value'] for entry in
                        vm.command('query-guest-abi')['entries']}
            vm.save(self.file('back'))
        promised = {name: value for name, (value, _, _) in
                    entries(here.ours, machine).items()}
        if contract != promised:
            yield f'{here.name} promised {promised}, the VM has {contract}'
        refusal, state = load(here.ours, machine, self.file('back'))
        if refusal:
            yield f'{here.name} refuses it when it comes back: ' \
                  f'{refusal[-SHOWN:]}'
        elif state != 'running':
            yield f'back on {here.name} the VM is {state}'

    def nothing_lost(self, machine, here, there):
        """A VM that does not run comes back as it was."""
        self.need_journey(machine, here, there)
        first = still(self.file('first'), here.ours, machine)
        away = still(self.file('away'), there.ours, machine, first)
        back = still(self.file('again'), here.ours, machine, away)
        stayed = still(self.file('stayed'), here.ours, machine, first)
        if differing_bytes(back, stayed) != set():
            yield f'it is not what it is without {there.name}'
            yield from differing_fields(here.analyze, stayed,
                                        back)[:SHOWN_DIFFERENCES]

    def as_unpatched(self, machine, here, there):
        ends = []
        for source, destination in ((here.stock, there.stock),
                                    (here.ours, there.ours),
                                    (here.stock, there.ours),
                                    (here.ours, there.stock)):
            path = save(source, machine, self.file('stock'))
            refusal, state = load(destination, machine, path)
            ends.append((not refusal, state))
            print(f'# {refusal or state}'.replace('\n', '\n# '))
        if len(set(ends)) != 1:
            yield f'unpatched, patched, from and to unpatched: {ends}'

    def same_stream(self, machine):
        ours = still(self.file('ours'), self.new.ours, machine)
        stock = still(self.file('unpatched'), self.new.stock, machine)
        if differing_bytes(ours, stock) != set():
            yield 'bytes differ'
            yield from differing_fields(self.new.analyze, stock,
                                        ours)[:SHOWN_DIFFERENCES]


def main():
    parser = tap.parser(__doc__, build=True)
    parser.add_argument('--other', type=Path, required=True, metavar='BUILD',
                        help='the build directory of the older QEMU')
    arguments = parser.parse_args()
    new, old = Side(arguments.build), Side(arguments.other)
    if as_numbers(old.name) >= as_numbers(new.name):
        parser.error(f'{arguments.other} has QEMU {old.name}, '
                     f'{arguments.build} QEMU {new.name}; needed: the newer '
                     'one in BUILD, the older one in --other')
    print(f'# QEMU {old.name} and {new.name}')
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(old, new, Path(folder))
        return tap.run_points([(name, partial(test, *data))
                               for name, test, data in tests.points()])
