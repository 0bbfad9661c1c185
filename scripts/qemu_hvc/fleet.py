# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What all hosts of a fleet can promise a guest, from guest-abi-probe's files.

A VM that was started on any of the hosts has to find the same on every other
one. Its services are chosen, by a floor; the CPU, the caches and the kernel's
mitigations are not, and for these the hosts have to be alike, or to be made
alike with the profile of the oldest one.

Each different file is looked at once, however many hosts have it: what a fleet
takes grows with its hosts only by their names.
"""

from dataclasses import dataclass
from pathlib import Path
import re

from .contract import ContractError
from .entries import (ARM_COUNTERS, ARM_HARDWARE, CHOSEN, LIST, LIST_SERVICE,
                      X86_LAYOUT, is_hardware, is_x86_features)
from .host_record import REMEDY, read_hosts

CPU, KERNEL, LEVEL, MIXED = 'cpu', 'kernel', 'level', 'mixed'
FEATURES, REGISTER = 'features', 'register'
REMEDIES = {
    CPU: 'guests cannot go from one CPU to another; make a fleet of each, or, '
         'of Arm CPUs with Linux 6.15 or later, see whether --profile-out FILE '
         'makes a profile of all',
    KERNEL: 'guests cannot go from one kernel to the other; make a fleet of '
            'each, or update the older kernel',
    MIXED: 'the CPUs differ; start all VMs with the profile, with which they '
           'read the same everywhere, and with the service implementation-cpus, '
           'which tells them of all these CPUs (their Linux has to be 6.15 or '
           'later)',
    LEVEL: 'guests cannot go to a host that is less safe; update its firmware '
           'and kernel',
    FEATURES: 'a host has what another one lacks; start all VMs with a '
              'profile of what all have, which --profile-out FILE writes',
    REGISTER: 'a newer kernel can show most of what an older one does; start '
              'all VMs with the profile of the oldest host',
}


# From this kernel on QEMU can serve the list of CPUs.
LIST_SINCE = [6, 4]


def floor_version(floor):
    """Of the kernel that a floor is named after; [] if it is after none"""
    return [int(n) for n in re.findall(r'\d+', floor or '')]


@dataclass
class Obstacle:
    """An entry whose values differ between hosts

    @values: the hosts' names by what the hosts have, in words
    """
    kind: str
    entry: str
    values: dict

    def as_object(self):
        return {'kind': self.kind, 'entry': self.entry,
                'values': {label: value
                           for value, labels in self.values.items()
                           for label in labels},
                'remedy': REMEDIES[self.kind]}


def collect(pairs):
    """Lists of hosts' names by a key, in the order of the keys' firsts

    @pairs: a key, and names
    """
    found = {}
    for key, labels in pairs:
        found.setdefault(key, []).extend(labels)
    return found


def kind_of(name, rule, values, mixed):
    """@values: those of all hosts; @mixed: a profile has all of their CPUs"""
    if X86_LAYOUT.fullmatch(name) and len(values - {0}) == 1:
        # Some have the component, in one place, and the others do not.
        return FEATURES
    if is_hardware(name):
        return MIXED if mixed and name in ARM_HARDWARE else CPU
    if name.startswith('x86.'):
        return FEATURES
    return {'exact': KERNEL, 'accepted': REGISTER}.get(rule, LEVEL)


def find_obstacles(kinds, mixed=False):
    """Entries by which a guest of one host is unfit for another, worst first

    @mixed: the hosts have a profile that has all of their CPUs
    """
    kinds = [kind for kind in kinds if kind.record.contract]
    contracts = [kind.record.contract for kind in kinds]
    names = set().union(*(contract.entries for contract in contracts)) - CHOSEN
    found = []
    for name in sorted(names):
        values = {contract.value(name) for contract in contracts}
        if name == ARM_COUNTERS:
            values -= {0}
        if len(values) > 1:
            rule = next(contract.rule(name) for contract in contracts
                        if name in contract.entries)
            words = beyond_others(name, contracts)
            kind_here = kind_of(name, rule, values, mixed)
            found.append(Obstacle(kind_here, name, collect(
                (words(kind.record.contract), kind.labels)
                for kind in kinds)))
    order = list(REMEDIES)
    return sorted(found, key=lambda obstacle: order.index(obstacle.kind))


def beyond_others(name, contracts):
    """What to say of an entry of one of some contracts: of features, those that
    not all have"""
    if not is_x86_features(name):
        return lambda contract: contract.describe(name)
    common = set.intersection(*(set(contract.names(name))
                                for contract in contracts))
    return lambda contract: ', '.join(
        word for word in contract.names(name)
        if word not in common) or 'none of these'


def make_groups(kinds, obstacles):
    """Hosts between which guests can go at all: lists of Alike"""
    entries = [obstacle.entry for obstacle in obstacles
               if obstacle.kind in (CPU, KERNEL)]
    groups = {}
    for kind in kinds:
        if kind.record.contract:
            key = tuple(kind.record.contract.value(entry)
                        for entry in entries)
            groups.setdefault(key, []).append(kind)
    return list(groups.values())


def labels_of(kinds):
    return [label for kind in kinds for label in kind.labels]


def check_comparable(kinds):
    first = kinds[0]
    for kind in kinds[1:]:
        for member in ('accel', 'machine', 'cpu'):
            ours = getattr(first.record, member)
            its = getattr(kind.record, member)
            if ours != its:
                raise ContractError(
                    f'{kind.labels[0]}: was probed with --{member} {its}, '
                    f'{first.labels[0]} with {ours}; needed: the same for '
                    f'all; {REMEDY}')
    profiles = {Path(kind.record.profile).name: kind for kind in kinds
                if kind.record.profile}
    if len(profiles) > 1:
        one, other = sorted(profiles)[:2]
        raise ContractError(
            f'{profiles[one].labels[0]}: was probed with --profile {one}, '
            f'{profiles[other].labels[0]} with {other}; needed: the same; '
            f'{REMEDY}')


class Fleet:
    """All hosts, and what they have in common.

    profile_out: the file that gets a profile of all hosts, if any
    mixed: their CPUs differ, and the profile has all of them
    notes: what whoever uses the profile has to know
    kinds: Alike, for each different file
    order: the floors, from the lowest to the highest
    refusers: for each floor, Alike -> refusal of those that do not give it
    """

    def __init__(self, paths, profile_out=None):
        self.profile_out = profile_out
        self.mixed = False
        self.notes = []
        self.kinds = read_hosts(paths)
        check_comparable(self.kinds)
        # Each QEMU lists its floors from the lowest to the highest.
        self.order = list(max((kind.record.floors for kind in self.kinds),
                              key=len))
        self.refusers = {floor: self._refusers_of(floor)
                         for floor in self.order}
        self.floor = self._highest(lambda refusers: not refusers)
        self._compare()

    def _compare(self):
        """What differs between the hosts"""
        obstacles = find_obstacles(self.kinds, self.mixed)
        self.groups = make_groups(self.kinds, obstacles)
        if len(self.groups) > 1:
            # Hosts of different groups differ in everything: compare within.
            obstacles = [obstacle for obstacle in obstacles
                         if obstacle.kind in (CPU, KERNEL)]
        self.obstacles = obstacles

    def use_profile(self, profile):
        """With the profile of all hosts, fewer things are in the way."""
        self.mixed = any(entry['name'].startswith(LIST)
                         for entry in profile.reply['return']['entries'])
        self.notes = list(profile.notes())
        self._compare()
        if self.is_too_low():
            self.notes.append(
                f'no machine type has floor {self.floor}, and with '
                f'kernel-floor={self.floor} QEMU gives no guest the service '
                f'{LIST_SERVICE}, which needs Linux 6.4; remove what holds the '
                'fleet back from a higher floor')

    def is_too_low(self):
        """Whether the option for the floor does not go with the service that
        tells guests of all CPUs"""
        return self.mixed and not self.fitting_types() and \
            self.option() == 'kernel-floor' and \
            [] < floor_version(self.floor) < LIST_SINCE

    def _refusers_of(self, floor):
        refusals = [(kind, kind.record.refusal(floor)) for kind in self.kinds]
        return [(kind, refusal) for kind, refusal in refusals if refusal]

    def _highest(self, is_given):
        """The highest floor whose refusers satisfy a condition, or None"""
        return next((floor for floor in reversed(self.order)
                     if is_given(self.refusers[floor])), None)

    def highest_of(self, kind):
        """The highest floor that a kind of hosts gives, or None"""
        return next((floor for floor in reversed(self.order)
                     if not kind.record.refusal(floor)), None)

    def hosts(self):
        """How many there are"""
        return sum(map(len, self.kinds))

    def held_back(self):
        """The lowest floor that some host refuses, and its refusers"""
        lowest = self.order.index(self.floor) + 1 if self.floor else 0
        for floor in self.order[lowest:]:
            if len(self.refusers[floor]) < len(self.kinds):
                return floor, self.refusers[floor]
        if self.floor:
            return None, []
        return self.order[0], self.refusers[self.order[0]]

    def alone(self):
        """Hosts without which the others have a higher floor: name, floor

        A floor has one host in its way if it has one refuser, which stands for
        one host.
        """
        if self.hosts() == 1:
            return
        for kind in self.kinds:
            if len(kind) > 1:
                continue
            floor = self._highest(lambda refusers, kind=kind: all(
                other is kind for other, _ in refusers))
            if floor and floor != self.floor:
                yield kind.labels[0], floor

    def has(self, kind):
        return any(obstacle.kind == kind for obstacle in self.obstacles)

    def oldest(self):
        """The hosts with the oldest kernel"""
        return min(self.kinds, key=lambda kind: kind.record.rank())

    def profile(self):
        """The file that makes all hosts alike, or None"""
        given = [kind.record.profile for kind in self.kinds
                 if kind.record.profile]
        if given:
            return given[0]
        if self.has(LEVEL) or not (self.mixed or self.has(REGISTER) or
                                   self.has(FEATURES)):
            return None
        if self.profile_out or self.has(FEATURES):
            return self.profile_out
        return self.oldest().labels[0]

    def older(self):
        """The oldest kernel that gives the floor, if the floor is named after a
        later one, as in "6.1"; or ''"""
        oldest = self.oldest().record.age()[:2]
        named = floor_version(self.floor)
        return '.'.join(map(str, oldest)) if oldest < named else ''

    def types(self):
        """The pinned types that all hosts know"""
        return [name for name in self.kinds[0].record.types
                if all(name in kind.record.types for kind in self.kinds)]

    def fitting_types(self):
        """Those whose floor is the fleet's, oldest first"""
        return [name for name in self.types()
                if all(kind.record.types[name].floor == self.floor
                       for kind in self.kinds)]

    def option(self):
        """That of -machine which chooses a floor on all hosts"""
        return 'kernel-floor' if all(
            kind.record.option == 'kernel-floor' for kind in self.kinds) \
            else 'hvc-services'

    def machine(self):
        """The argument of -machine, or None if nothing fits all hosts"""
        if not self.floor or len(self.groups) > 1 or self.has(LEVEL) or \
           self.is_too_low() or (self.has(FEATURES) and not self.profile()):
            return None
        types, fitting = self.types(), self.fitting_types()
        stock, _, more = self.kinds[0].record.machine.partition(',')
        if fitting:
            options = [fitting[-1]]
        else:
            options = [types[-1] if types else stock,
                       f'{self.option()}={self.floor}']
        if self.mixed:
            options.append(self.service())
        if more:
            options.append(more)
        if self.profile():
            options.append('guest-abi-profile=' +
                           self.profile().replace(',', ',,'))
        return ','.join(options)

    def service(self):
        """What tells guests of all CPUs, with the fleet's floor: an option of
        -machine"""
        return f'hvc-services={self.floor}:+{LIST_SERVICE}'

    def probe(self):
        """The command that asks a host whether it can be like the profile"""
        words = ['guest-abi-probe', '--profile', self.profile()]
        if self.mixed:
            words += ['--machine',
                      f'{self.kinds[0].record.machine},{self.service()}']
        return ' '.join(words)

    def is_done(self):
        """Guests can go from each host to each other one."""
        return bool(self.machine()) and not self.obstacles

    def as_object(self):
        floor, refusers = self.held_back()
        return {
            'hosts': [{'file': label, 'kernel': kind.record.kernel,
                       'qemu': kind.record.qemu,
                       'floor': highest}
                      for kind in self.kinds
                      for highest in [self.highest_of(kind)]
                      for label in kind.labels],
            'floor': self.floor,
            'held-back': {'from': floor,
                          'by': {label: refusal for kind, refusal in refusers
                                 for label in kind.labels}},
            'without': dict(self.alone()),
            'groups': [labels_of(group) for group in self.groups],
            'obstacles': [obstacle.as_object() for obstacle in self.obstacles],
            'profile': self.profile(),
            'notes': self.notes,
            'machine': self.machine(),
            'both-ways': self.is_done(),
        }
