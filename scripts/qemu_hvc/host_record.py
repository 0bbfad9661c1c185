# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What guest-abi-probe printed on a host: its file, read and checked.

Hosts of one make have equal files, so that a large fleet is a few records.
"""

from collections import Counter
from dataclasses import dataclass
import re

from .arm_registers import entry_of
from .contract import MAX_VALUE, Contract, ContractError, parse, read
from .entries import IDENTITY

FORMAT = 1
# Those of -machine that choose a floor, the outer one first
OPTIONS = ('kernel-floor', 'hvc-services')
REMEDY = 'make the file again, with guest-abi-probe on that host'


@dataclass
class Attempt:
    """A start of a VM

    @floor: the VM's floor or, where there is none, its hvc-services
    @refusal: why there is no VM, or ''
    @lacks: features of the floor that the host does not have, in words, or ''
    """
    floor: str = ''
    refusal: str = ''
    lacks: str = ''


def lack_words(lacks):
    """@lacks: pairs of a backend and of (feature, first Linux)"""
    backends = {}
    for backend, feature in lacks:
        backends.setdefault(backend, []).append(feature)
    words = []
    for backend, features in backends.items():
        newest = max((linux for _, linux in features),
                     key=lambda linux: [int(n) for n in
                                        re.findall(r'\d+', linux)])
        words.append(f'its {backend} lacks '
                     f'{", ".join(name for name, _ in features)}; needed: '
                     f'Linux {newest} or later')
    return '; '.join(words)


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
        # Older files have none.
        self.option = document.get('option', 'hvc-services')
        if self.option not in OPTIONS:
            raise ContractError(f'{path}: "option" is {self.option!r}; needed: '
                                f'one of {", ".join(OPTIONS)}; {REMEDY}')
        self.floors = self._attempts(document, 'floors')
        if not self.floors:
            raise ContractError(f'{path}: "floors" is empty; needed: those '
                                f'that QEMU knows; {REMEDY}')
        self.types = self._attempts(document, 'types')
        self.contract = None
        if 'return' in document:
            self.contract = Contract(path, document)
        host = document.get('host')
        self.masks, self.identity = self._writable(host)
        # Why they are not known, or ''
        self.unasked = '' if self.masks is not None else \
            self._unavailable(host, 'writable')
        self.ctr = self._ctr(host)
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

    def _number(self, parent, name):
        """Of 64 bits, written in hexadecimal"""
        text = self._member(parent, name, str, 'a text')
        if not re.fullmatch('0x[0-9a-f]{1,16}', text):
            raise ContractError(f'{self.label}: "{name}" is {text!r}; needed: '
                                f'a number up to {MAX_VALUE:#x}, such as '
                                f'0x1f; {REMEDY}')
        return int(text, 16)

    def _fact(self, host, name):
        """One of host_facts; None if there is none, or it could not be had"""
        if not isinstance(host, dict) or name not in host:
            return None
        fact = self._member(host, name, dict, 'an object')
        return None if 'unavailable' in fact else fact

    def _unavailable(self, host, name):
        """Why a fact could not be had, in words"""
        if not isinstance(host, dict) or name not in host:
            return 'the file was made by an older guest-abi-probe'
        return self._member(host[name], 'unavailable', str, 'a text')

    def _writable(self, host):
        """By entry, the bits that the kernel lets a VMM change, and whether it
        gives a guest the identity of another CPU; None if it does not say so"""
        fact = self._fact(host, 'writable')
        if fact is None:
            return None, None
        masks = self._member(fact, 'masks', dict, 'an object')
        return {entry_of(name): self._number(masks, name) for name in masks}, \
            self._member(fact, 'identity', bool, 'true or false')

    def _ctr(self, host):
        """CTR_EL0 as programs read it, or None"""
        fact = self._fact(host, 'ctr')
        return None if fact is None else self._number(fact, 'value')

    def _attempts(self, document, member):
        attempts = {}
        for row in self._member(document, member, list, 'a list'):
            name = self._member(row, 'name', str, 'a text')
            if name in attempts:
                raise ContractError(f'{self.label}: "{member}" has {name} '
                                    f'twice; needed: once; {REMEDY}')
            attempts[name] = self._attempt(row)
        return attempts

    def _attempt(self, row):
        lacks = self._lacks(row) if 'lacks' in row else ''
        if not self._member(row, 'starts', bool, 'true or false'):
            return Attempt(refusal=self._member(row, 'refusal', str, 'a text')
                           or 'not a word', lacks=lacks)
        option = 'kernel-floor' if 'kernel-floor' in row else 'hvc-services'
        return Attempt(self._member(row, option, str, 'a text'), lacks=lacks)

    def _lacks(self, row):
        return lack_words([
            (self._member(feature, 'backend', str, 'a text'),
             (self._member(feature, 'feature', str, 'a text'),
              self._member(feature, 'linux', str, 'a text')))
            for feature in self._member(row, 'lacks', list, 'a list')])

    def refusal(self, floor):
        """Why this host does not give a floor; '' if it does"""
        if floor not in self.floors:
            return f'its QEMU {self.qemu} does not know {floor}; update it'
        attempt = self.floors[floor]
        refusal = attempt.refusal or attempt.lacks
        for option in OPTIONS:
            refusal = refusal.removeprefix(f'{option}={floor}: ')
        return refusal

    def age(self):
        """Sorts records by their kernels, the oldest first."""
        return [int(n) for n in re.findall(r'\d+', self.kernel)[:3]]

    def rank(self):
        """Sorts records by their kernels, the oldest first, those of one kernel
        by their CPUs' numbers, and then by all that is in their contracts: in
        whatever order files are given, the same record is the first."""
        if not self.contract:
            return self.age(), [], []
        return (self.age(), [self.contract.value(name) for name in IDENTITY],
                sorted((name, entry['value']) for name, entry in
                       self.contract.entries.items()))


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
