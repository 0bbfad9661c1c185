# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Compares and migrates between two versions of QEMU; prints TAP.

BUILD has one, --other the older one; both with the patches, and beside it
without. Of each machine type that both have, the guest's contract is the same,
and VMs go from either to the other, and back, in each way that there is, and lose
nothing. CPU models that QEMU has changed between the two are refused by name.
Stock types do what the unpatched QEMUs do with each other, whatever that is, and
their streams are those of the unpatched QEMU of the same version, byte by byte.
"""

import contextlib
from dataclasses import dataclass
from functools import partial
import os
from pathlib import Path
import subprocess
import tempfile

from qemu_hvc import tap
from qemu_hvc.interop import SHOWN_DIFFERENCES, differing_bytes, \
    differing_fields, load, still
from qemu_hvc.paths import as_numbers, series_of
from qemu_hvc.stream import Stream
from qemu_hvc.vm import Vm, X86Vm, save



@dataclass(frozen=True)
class Target:
    """An architecture's machines

    has_types: whether there are types with a contract (virt-hvc)
    stock_types: of QEMU's own, without a contract
    options: machines that choose their services themselves, or have nothing but
    a contract
    pinned: one with a contract, for the CPU models and the devices
    changed_cpus: those that the two QEMUs show in different ways, and what a
    refusal names
    """
    emulator: str
    vm: type
    has_types: bool
    stock_types: tuple[str, ...]
    options: tuple[str, ...]
    pinned: str
    cpus: tuple[str, ...]
    changed_cpus: dict[str, str]
    devices: tuple[str, ...]


DEVICES = ('-smp', '2', '-netdev', 'user,id=n', '-device',
           'virtio-net-pci,netdev=n,romfile=', '-device', 'virtio-rng-pci',
           '-device', 'virtio-balloon-pci', '-device', 'virtio-scsi-pci',
           '-device', 'pcie-root-port,id=root0', '-device', 'qemu-xhci')
TARGETS = (
    Target('qemu-system-aarch64', Vm, True,
           ('virt-9.0', 'virt-9.2', 'virt-10.0'),
           ('virt-10.0,hvc-services=linux-6.12',
            'virt-9.2,hvc-services=trng:ptp,psci-version=1.2',
            'virt-10.0,guest-abi=on,gic-version=3,virtualization=on',
            'virt-10.0,guest-abi=on,secure=on'),
           'virt-hvc-10.0',
           ('cortex-a35', 'cortex-a53', 'cortex-a55', 'cortex-a57',
            'cortex-a76', 'cortex-a710', 'neoverse-n1', 'neoverse-n2',
            'a64fx'),
           {'neoverse-v1': 'ID_AA64ISAR1_EL1', 'max': 'ID_AA64PFR1_EL1'},
           DEVICES),
    Target('qemu-system-x86_64', X86Vm, False,
           ('pc-q35-9.0', 'pc-q35-10.0', 'pc-i440fx-10.0'),
           ('pc-q35-10.0,guest-abi=on', 'pc-i440fx-10.0,guest-abi=on',
            'pc-q35-9.0,guest-abi=on'),
           'pc-q35-10.0,guest-abi=on',
           ('qemu64', 'Nehalem', 'Haswell', 'Skylake-Server',
            'Icelake-Server', 'SapphireRapids', 'EPYC', 'EPYC-Milan'),
           {'max': 'CPUID leaf 80000021 EAX'},
           DEVICES),
)
# Of glibc: each byte of new memory is 0x55.
PERTURBED = '170'
# What follows a section's content: 0x7e and the section's number
FOOTER_SIZE = 5
# Of what QEMU prints, so many characters
SHOWN = 300


def contract_of(vm):
    return {entry['name']: entry['value'] for entry in
            vm.command('query-guest-abi')['entries']}


# How a VM gets to another QEMU: its new process. start: makes that one, which
# has the same options and these ones

def by_file(vm, start, folder, *capabilities):
    vm.set_capabilities(capabilities)
    vm.save(folder / 'moving')
    to = start('-incoming', 'defer')
    to.set_capabilities(capabilities)
    return arrived(to, to.load(folder / 'moving'))


def live(vm, start, folder, *capabilities):
    to = start('-incoming', 'defer')
    for peer in vm, to:
        peer.set_capabilities(capabilities)
    (folder / 'socket').unlink(missing_ok=True)
    info = vm.migrate_to(to, f'unix:{folder}/socket', True)
    return arrived(to, info if info['status'] == 'failed'
                   else to.wait_migration())


def by_snapshot(vm, start, folder):
    del folder
    with vm:
        said = vm.command('human-monitor-command',
                          **{'command-line': 'savevm moving'})
    if said:
        raise RuntimeError(said)
    return start('-loadvm', 'moving')


def arrived(vm, info):
    if info['status'] != 'completed':
        raise RuntimeError(f'{info.get("error-desc")}\n{vm.stderr[-SHOWN:]}')
    return vm


WAYS = {
    'file': by_file,
    'mapped-ram': lambda *to: by_file(*to, 'mapped-ram'),
    'socket': live,
    'multifd': lambda *to: live(*to, 'multifd'),
    'snapshot': by_snapshot,
}


def types_of(qemu):
    with Vm(qemu, 'virt', '-S') as vm:
        return [machine['name'] for machine in vm.pinned_types()]


class Side:
    """One version of QEMU: patched, unpatched, and what reads its streams"""

    def __init__(self, build, target):
        self.name = series_of(build)
        self.ours = build / 'qemu' / target.emulator
        self._stock = build / 'stock' / target.emulator
        self.qemu_img = build / 'qemu/qemu-img'
        self.analyze = build / 'src/scripts/analyze-migration.py'

    @property
    def stock(self):
        if not self._stock.is_file():
            raise tap.Skip(f'{self._stock} is not there; "scripts/build-qemu '
                           '--stock" builds it')
        return self._stock


class Tests:
    """The test points of a target, each a method that returns its problems."""

    def __init__(self, target, old, new, folder):
        self.target = target
        self.old = old
        self.new = new
        self.folder = folder
        self.still = partial(still, vm_class=target.vm)
        self.load = partial(load, vm_class=target.vm)

    def file(self, name):
        return self.folder / name

    def points(self):
        old, new, target = self.old, self.new, self.target
        both = []
        if target.has_types:
            both = [name for name in types_of(old.ours)
                    if name in types_of(new.ours)]
            yield f'types of {old.name} are in {new.name}', self.all_types, \
                (both,)
        for machine in (*both, *target.options):
            yield f'{machine}: the contract is the same', self.same_contract, \
                (machine,)
        for cpu in target.cpus:
            yield f'{cpu}: the contract is the same', self.same_contract, \
                (target.pinned, '-cpu', cpu)
        for here, there in ((old, new), (new, old)):
            yield from self.way_points(here, there, both)
        for machine in target.stock_types:
            yield (f'{machine}: the stream of {new.name} is the unpatched '
                   "one's", self.same_stream, (machine,))

    def way_points(self, here, there, both):
        """Of VMs that go from one version to the other"""
        target = self.target
        way = f'{here.name} to {there.name}'
        for machine in (*both, *target.options):
            for by, move in WAYS.items():
                yield f'{machine}: {way} and back by {by}', \
                    self.there_and_back, (machine, here, there, move)
            yield f'{machine}: {way} and back loses nothing', \
                self.nothing_lost, (machine, here, there)
        yield f'{target.pinned} with devices: {way} and back', \
            self.there_and_back, (target.pinned, here, there, by_file,
                                  *target.devices)
        for cpu in target.cpus:
            yield f'{cpu}: {way} and back', self.there_and_back, \
                (target.pinned, here, there, by_file, '-cpu', cpu)
        for cpu, name in target.changed_cpus.items():
            yield f'{cpu}: {way} is refused', self.refused, \
                (cpu, name, here, there)
        for machine in target.stock_types:
            yield (f'{machine}: {way} as unpatched', self.as_unpatched,
                   (machine, here, there))

    def all_types(self, both):
        if not both:
            yield 'they have no type in common'
        for name in types_of(self.old.ours):
            if name not in both:
                yield f'{name} is only in {self.old.name}'

    def entries(self, qemu, machine, *options):
        """The contract of a new VM, by name: all that a guest could notice"""
        with self.target.vm(qemu, machine, '-S', *options) as vm:
            return {entry['name']:
                    (entry['value'], entry['rule'], entry['origin'])
                    for entry in vm.command('query-guest-abi')['entries']}

    def same_contract(self, machine, *options):
        here, there = (self.entries(side.ours, machine, *options)
                       for side in (self.old, self.new))
        if not here:
            yield 'there is no contract'
        for name in here.keys() | there.keys():
            if here.get(name) != there.get(name):
                yield f'{name}: {self.old.name} has {here.get(name)}, ' \
                      f'{self.new.name} {there.get(name)}'

    def image(self, side):
        """For snapshots, as -drive has it"""
        path = self.file('image')
        subprocess.run([side.qemu_img, 'create', '-q', '-f', 'qcow2', path,
                        '1M'], check=True)
        return f'if=none,format=qcow2,file={path}'

    def there_and_back(self, machine, here, there, move, *options):
        """A VM that runs; move: one of WAYS"""
        if move is by_snapshot:
            options = ('-drive', self.image(here), *options)
        with contextlib.ExitStack() as stack:
            def start(side, *more):
                return stack.enter_context(self.target.vm(
                    side.ours, machine, *options, *more))
            vm = start(here)
            promised = contract_of(vm)
            for side in (there, here):
                vm = move(vm, partial(start, side), self.folder)
                if vm.state() != 'running':
                    yield f'on {side.name} the VM is {vm.state()}'
                if contract_of(vm) != promised:
                    yield f'{here.name} promised {promised}, on ' \
                          f'{side.name} the VM has {contract_of(vm)}'

    def refused(self, cpu, name, here, there):
        """By the name of what differs; of the stream, the contract is enough"""
        pinned = self.target.pinned
        path = self.still(self.file('cpu'), here.ours, pinned,
                          options=('-cpu', cpu))
        section = Stream(path).select('guest-abi')[0]
        short = self.file('short')
        short.write_bytes(
            path.read_bytes()[:section.offset + section.size + FOOTER_SIZE])
        for stream in path, short:
            refusal, _ = self.load(there.ours, pinned, stream, '-cpu', cpu)
            if not refusal.startswith('guest-abi: ') or name not in refusal:
                yield f'needed: a refusal that names {name}; is: {refusal!r}'

    def nothing_lost(self, machine, here, there):
        """A VM that does not run comes back as it was."""
        first = self.still(self.file('first'), here.ours, machine)
        away = self.still(self.file('away'), there.ours, machine, first)
        back = self.still(self.file('again'), here.ours, machine, away)
        stayed = self.still(self.file('stayed'), here.ours, machine, first)
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
            path = save(source, machine, self.file('stock'),
                        vm_class=self.target.vm)
            refusal, state = self.load(destination, machine, path)
            ends.append((not refusal, state))
            print(f'# {refusal or state}'.replace('\n', '\n# '))
        if len(set(ends)) != 1:
            yield f'unpatched, patched, from and to unpatched: {ends}'

    def same_stream(self, machine):
        ours = self.still(self.file('ours'), self.new.ours, machine)
        stock = self.still(self.file('unpatched'), self.new.stock, machine)
        if differing_bytes(ours, stock) != set():
            yield 'bytes differ'
            yield from differing_fields(self.new.analyze, stock,
                                        ours)[:SHOWN_DIFFERENCES]


def main():
    # A QEMU to which a register did not come writes what malloc() left. So that
    # it is the same with all QEMUs, and never looks like 0:
    os.environ['MALLOC_PERTURB_'] = PERTURBED
    parser = tap.parser(__doc__, build=True)
    parser.add_argument('--other', type=Path, required=True, metavar='BUILD',
                        help='the build directory of the older QEMU')
    arguments = parser.parse_args()
    new, old = series_of(arguments.build), series_of(arguments.other)
    if as_numbers(old) >= as_numbers(new):
        parser.error(f'{arguments.other} has QEMU {old}, '
                     f'{arguments.build} QEMU {new}; needed: the newer '
                     'one in BUILD, the older one in --other')
    print(f'# QEMU {old} and {new}')
    with tempfile.TemporaryDirectory() as folder:
        return tap.run_points([
            (name, partial(test, *data)) for target in TARGETS
            for name, test, data in Tests(
                target, Side(arguments.other, target),
                Side(arguments.build, target), Path(folder)).points()])
