# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What guest-abi-probe printed on a host: its file, read and checked.

Hosts of one make have equal files, so that a large fleet is a few records.
"""

from collections import Counter
from dataclasses import dataclass
import re

from .contract import Contract, ContractError, parse, read

FORMAT = 1
REMEDY = 'make the file again, with guest-abi-probe on that host'


@dataclass
class Attempt:
    """A start of a VM: its hvc-services, or why there is none."""
    services: str = ''
    refusal: str = ''


class Record:
    """What a host can promise

    @path: the file, for messages
    @document: its JSON
    """

    def __init__(self, path, document):
        self.label = str(path)
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

    def age(self):
        """Sorts records by their kernels, the oldest first."""
        return [int(n) for n in re.findall(r'\d+', self.kernel)[:3]]


@dataclass
class Alike:
    """Hosts whose files are equal

    @labels: the files' names, in the order in which they were given
    """
    record: Record
    labels: list

    def __len__(self):
        return len(self.labels)


def read_hosts(paths):
    """Alike for each different file, in the order of the first of each

    ContractError if a file cannot be used, or is given twice.
    """
    paths = [str(path) for path in paths]
    for path, times in Counter(paths).items():
        if times > 1:
            raise ContractError(f'{path}: is given {times} times; needed: '
                                'once; leave out the others')
    found = {}
    for path in paths:
        text = read(path, REMEDY)
        if text not in found:
            found[text] = Alike(Record(path, parse(path, text, REMEDY)), [])
        found[text].labels.append(path)
    return list(found.values())
