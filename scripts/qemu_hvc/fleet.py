# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What all hosts of a fleet can promise a guest, from guest-abi-probe's files.

A VM that was started on any of the hosts has to find the same on every other
one. Its services are chosen, by a floor; the CPU, the caches and the kernel's
mitigations are not, and for these the hosts have to be alike, or to be made
alike with the profile of the oldest one.
"""

from dataclasses import dataclass
from pathlib import Path
import re

from .contract import Contract, ContractError, load

FORMAT = 1
REMEDY = 'make the file again, with guest-abi-probe on that host'

# Entries that hvc-services and psci-version choose
CHOSEN = {'arm.std-bmap', 'arm.std-hyp-bmap', 'arm.vendor-hyp-bmap',
          'arm.vendor-hyp-bmap-2', 'arm.psci-version'}
# Registers that a guest has as the hardware does: kernels show other values of
# the first three (Linux 6.15 on), or less of CTR_EL0 (about 6.11 on), only to
# guests of a VMM that asks for it, and QEMU does not.
HARDWARE = {'arm.midr-el1', 'arm.revidr-el1', 'arm.aidr-el1', 'arm.ctr-el0'}

CPU, KERNEL, LEVEL, REGISTER = 'cpu', 'kernel', 'level', 'register'
REMEDIES = {
    CPU: 'guests cannot go from one CPU to another; make a fleet of each',
    KERNEL: 'guests cannot go from one kernel to the other; make a fleet of '
            'each, or update the older kernel',
    LEVEL: 'guests cannot go to a host that is less safe; update its firmware '
           'and kernel',
    REGISTER: 'a newer kernel can show most of what an older one does; start '
              'all VMs with the profile of the oldest host',
}


class Host:
    """A host of the fleet: one file of guest-abi-probe"""

    def __init__(self, path):
        self.label = str(path)
        document = load(path, REMEDY)
        if not isinstance(document, dict) or \
           'guest-abi-probe' not in document:
            raise ContractError(
                f'{path}: has no "guest-abi-probe"; needed: the output of '
                f'scripts/guest-abi-probe; {REMEDY}')
        if document['guest-abi-probe'] != FORMAT:
            raise ContractError(
                f'{path}: is of format {document["guest-abi-probe"]!r}; '
                f'needed: {FORMAT}; {REMEDY}')
        self.kernel, self.qemu, self.accel, self.machine, self.cpu = (
            self._member(document, name, str, 'a text')
            for name in ('kernel', 'qemu', 'accel', 'machine', 'cpu'))
        self.profile = document.get('profile')
        if self.profile is not None:
            self._member(document, 'profile', str, 'a text or null')
        self.floors = self._attempts(document, 'floors')
        if not self.floors:
            raise ContractError(f'{path}: "floors" is empty; needed: those '
                                f'that QEMU knows; {REMEDY}')
        self.types = self._attempts(document, 'types')
        self.contract = None
        if 'return' in document:
            self.contract = Contract(path, document)
        gives = any(not attempt.refusal for attempt in self.floors.values())
        if gives != bool(self.contract):
            raise ContractError(
                f'{path}: {"a floor starts" if gives else "no floor starts"}, '
                f'and there is {"a" if self.contract else "no"} contract in '
                f'"return"; needed: both or none; {REMEDY}')

    def _member(self, parent, name, kind, words):
        value = parent.get(name) if isinstance(parent, dict) else None
        if not isinstance(value, kind):
            raise ContractError(f'{self.label}: "{name}" is {value!r}; '
                                f'needed: {words}; {REMEDY}')
        return value

    def _attempts(self, document, member):
        attempts = {}
        for row in self._member(document, member, list, 'a list'):
            name = self._member(row, 'name', str, 'a text')
            if self._member(row, 'starts', bool, 'true or false'):
                attempt = Attempt(self._member(row, 'hvc-services', str,
                                               'a text'))
            else:
                attempt = Attempt(
                    refusal=self._member(row, 'refusal', str, 'a text')
                    or 'not a word')
            if name in attempts:
                raise ContractError(f'{self.label}: "{member}" has {name} '
                                    f'twice; needed: once; {REMEDY}')
            attempts[name] = attempt
        return attempts

    def refusal(self, floor):
        """Why this host does not give a floor; '' if it does"""
        if floor not in self.floors:
            return f'its QEMU {self.qemu} does not know {floor}; update it'
        refusal = self.floors[floor].refusal
        return refusal.removeprefix(f'hvc-services={floor}: ')

    def highest(self, order):
        return highest([self], order)

    def age(self):
        """Sorts hosts by their kernels, the oldest first."""
        return [int(n) for n in re.findall(r'\d+', self.kernel)[:3]]


@dataclass
class Attempt:
    """A start of a VM: its hvc-services, or why there is none."""
    services: str = ''
    refusal: str = ''


@dataclass
class Obstacle:
    """An entry whose values differ between hosts."""
    kind: str
    entry: str
    values: dict  # texts, by host

    def as_object(self):
        return {'kind': self.kind, 'entry': self.entry, 'values': self.values,
                'remedy': REMEDIES[self.kind]}

    def text(self):
        hosts = {}
        for label, value in self.values.items():
            hosts.setdefault(value, []).append(label)
        return f'{self.entry}: ' + '; '.join(
            f'{value} in {", ".join(labels)}'
            for value, labels in hosts.items())


def highest(hosts, order):
    """The highest floor that all of some hosts give, or None"""
    given = [floor for floor in order
             if not any(host.refusal(floor) for host in hosts)]
    return given[-1] if given else None


def floor_words(floor):
    return f'up to {floor}' if floor else 'no floor'


def kind_of(name, rule):
    if name in HARDWARE:
        return CPU
    return {'exact': KERNEL, 'accepted': REGISTER}.get(rule, LEVEL)


def find_obstacles(hosts):
    """Entries by which a guest of one host is unfit for another, worst first"""
    hosts = [host for host in hosts if host.contract]
    names = set().union(*(host.contract.entries for host in hosts)) - CHOSEN
    found = []
    for name in sorted(names):
        if len({host.contract.value(name) for host in hosts}) > 1:
            rule = next(host.contract.rule(name) for host in hosts
                        if name in host.contract.entries)
            found.append(Obstacle(kind_of(name, rule), name, {
                host.label: host.contract.describe(name) for host in hosts}))
    order = list(REMEDIES)
    return sorted(found, key=lambda obstacle: order.index(obstacle.kind))


def make_groups(hosts, obstacles):
    """Hosts between which guests can go at all"""
    entries = [obstacle.entry for obstacle in obstacles
               if obstacle.kind in (CPU, KERNEL)]
    groups = {}
    for host in hosts:
        if host.contract:
            key = tuple(host.contract.value(entry) for entry in entries)
            groups.setdefault(key, []).append(host)
    return list(groups.values())


def check_comparable(hosts):
    first = hosts[0]
    labels = [host.label for host in hosts]
    for label in labels:
        if labels.count(label) > 1:
            raise ContractError(f'{label}: is given {labels.count(label)} '
                                'times; needed: once; leave out the others')
    for host in hosts[1:]:
        for member in ('accel', 'machine', 'cpu'):
            ours, its = getattr(first, member), getattr(host, member)
            if ours != its:
                raise ContractError(
                    f'{host.label}: was probed with --{member} {its}, '
                    f'{first.label} with {ours}; needed: the same for all; '
                    f'{REMEDY}')
    profiles = {Path(host.profile).name: host for host in hosts
                if host.profile}
    if len(profiles) > 1:
        one, other = sorted(profiles)[:2]
        raise ContractError(
            f'{profiles[one].label}: was probed with --profile {one}, '
            f'{profiles[other].label} with {other}; needed: the same; '
            f'{REMEDY}')


class Fleet:
    """All hosts, and what they have in common."""

    def __init__(self, paths):
        self.hosts = [Host(path) for path in paths]
        check_comparable(self.hosts)
        # Each QEMU lists its floors from the lowest to the highest.
        self.order = list(max((host.floors for host in self.hosts), key=len))
        self.floor = highest(self.hosts, self.order)
        obstacles = find_obstacles(self.hosts)
        self.groups = make_groups(self.hosts, obstacles)
        if len(self.groups) > 1:
            # Hosts of different groups differ in everything: compare within.
            obstacles = [obstacle for obstacle in obstacles
                         if obstacle.kind in (CPU, KERNEL)]
        self.obstacles = obstacles

    def held_back(self):
        """The lowest floor that some host refuses, and the refusals, by host"""
        lowest = self.order.index(self.floor) + 1 if self.floor else 0
        for floor in self.order[lowest:]:
            reasons = {host.label: host.refusal(floor) for host in self.hosts
                       if host.refusal(floor)}
            if len(reasons) < len(self.hosts):
                return floor, reasons
        if self.floor:
            return None, {}
        return self.order[0], {host.label: host.refusal(self.order[0])
                               for host in self.hosts}

    def alone(self):
        """Hosts without which the others have a higher floor"""
        for host in self.hosts:
            others = [other for other in self.hosts if other != host]
            floor = highest(others, self.order) if others else None
            if floor and floor != self.floor:
                yield host, floor

    def has(self, kind):
        return any(obstacle.kind == kind for obstacle in self.obstacles)

    def profile(self):
        """The file that makes all hosts alike, or None"""
        given = [host.profile for host in self.hosts if host.profile]
        if given:
            return given[0]
        if not self.has(REGISTER) or self.has(LEVEL):
            return None
        return min(self.hosts, key=Host.age).label

    def older(self):
        """The oldest kernel that gives the floor, if the floor is named after a
        later one, as in "6.1"; or ''"""
        oldest = min(self.hosts, key=Host.age).age()[:2]
        named = [int(n) for n in re.findall(r'\d+', self.floor or '')]
        return '.'.join(map(str, oldest)) if oldest < named else ''

    def types(self):
        """The pinned types that all hosts know"""
        return [name for name in self.hosts[0].types
                if all(name in host.types for host in self.hosts)]

    def fitting_types(self):
        """Those whose floor is the fleet's, oldest first"""
        return [name for name in self.types()
                if all(host.types[name].services == self.floor
                       for host in self.hosts)]

    def machine(self):
        """The argument of -machine, or None if nothing fits all hosts"""
        if not self.floor or len(self.groups) > 1 or self.has(LEVEL):
            return None
        types, fitting = self.types(), self.fitting_types()
        stock, _, more = self.hosts[0].machine.partition(',')
        if fitting:
            options = [fitting[-1]]
        else:
            options = [types[-1] if types else stock,
                       f'hvc-services={self.floor}']
        if more:
            options.append(more)
        if self.profile():
            options.append('guest-abi-profile=' +
                           self.profile().replace(',', ',,'))
        return ','.join(options)

    def is_done(self):
        """Guests can go from each host to each other one."""
        return bool(self.machine()) and not self.obstacles

    def as_object(self):
        floor, reasons = self.held_back()
        return {
            'hosts': [{'file': host.label, 'kernel': host.kernel,
                       'qemu': host.qemu, 'floor': host.highest(self.order)}
                      for host in self.hosts],
            'floor': self.floor,
            'held-back': {'from': floor, 'by': reasons},
            'without': {host.label: higher for host, higher in self.alone()},
            'groups': [[host.label for host in group]
                       for group in self.groups],
            'obstacles': [obstacle.as_object() for obstacle in self.obstacles],
            'profile': self.profile(),
            'machine': self.machine(),
            'both-ways': self.is_done(),
        }

    def text(self):
        """Lines for people"""
        width = max(len(host.label) for host in self.hosts)
        for host in self.hosts:
            yield f'{host.label:{width}}  Linux {host.kernel}, QEMU ' \
                  f'{host.qemu}: {floor_words(host.highest(self.order))}'
        yield ''
        yield f'all hosts: {floor_words(self.floor)}' + (
            f', which Linux {self.older()} gives in full (a floor is a set of '
            'services, not a version)' if self.older() else '')
        floor, reasons = self.held_back()
        for label, reason in reasons.items():
            yield f'  {label} holds the fleet back from {floor}: {reason}'
        for host, higher in self.alone():
            yield f'  without {host.label}: {floor_words(higher)}'
        last = None
        for obstacle in self.obstacles:
            if obstacle.kind != last:
                yield f'{obstacle.kind}: {REMEDIES[obstacle.kind]}'
                last = obstacle.kind
            yield f'  {obstacle.text()}'
        if len(self.groups) > 1:
            for group in self.groups:
                yield 'a fleet of its own: ' + \
                      ', '.join(host.label for host in group)
        if self.machine():
            yield f'use: -machine {self.machine()}'
            fitting = self.fitting_types()
            yield f'  {fitting[-1]} is the newest type with floor ' \
                  f'{self.floor}' if fitting else \
                  f'  no type has floor {self.floor}, so hvc-services= sets it'
        if self.has(REGISTER) and self.machine():
            yield 'whether the other hosts can be like it: guest-abi-probe ' \
                  f'--profile {self.profile()} there, and compare again'
        elif self.is_done():
            yield 'by their contracts, guests can go from each host to each ' \
                  'other one'
