# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Contracts as QMP's query-guest-abi returns them."""

import json

from .entries import ARM_COUNTERS, X86_LAYOUT, is_x86_features

MAX_VALUE = 2 ** 64 - 1
# A contract, or a host with all its refusals, is a thousandth of that; a device
# such as /dev/zero has no end.
MAX_BYTES = 64 << 20
RULES = {
    'exact': lambda incoming, here: incoming == here,
    'at-least': lambda incoming, here: incoming <= here,
    'subset': lambda incoming, here: not incoming & ~here,
    # Another value may fit, which only the destination's kernel knows.
    'accepted': lambda incoming, here: incoming == here,
}


class ContractError(Exception):
    """A file or reply is not a contract."""


def read_text(path):
    """A file's text; ValueError if it has more than MAX_BYTES"""
    with open(path, 'rb') as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f'has more than {MAX_BYTES} bytes')
    return data.decode('utf-8')


def read(path, remedy):
    """A file's text; ContractError if it cannot be read"""
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise ContractError(f'{path}: {error}; {remedy}') from error


def parse(path, text, remedy):
    """The JSON of a file's text"""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContractError(f'{path}: {error}; {remedy}') from error


def load(path, remedy):
    """A file's JSON"""
    return parse(path, read(path, remedy), remedy)


def entries_of(label, document, remedy):
    """A reply of query-guest-abi, or its "return", that has a list "entries";
    of the probe's output, too. ContractError if it is something else"""
    if isinstance(document, dict) and 'return' in document:
        document = document['return']
    if not isinstance(document, dict) or \
       not isinstance(document.get('entries'), list):
        raise ContractError(f'{label}: has no list "entries"; {remedy}')
    return document


class Contract:
    """A contract: its entries by name."""

    REMEDY = 'give a file with the reply of query-guest-abi'

    def __init__(self, label, document):
        self.label = str(label)
        # As the probe has it; a plain reply does not say it.
        self.cpu = document.get('cpu') if isinstance(document, dict) else None
        document = entries_of(label, document, self.REMEDY)
        self.migrated = bool(document.get('migrated', True))
        self.machine = document.get('machine')
        self.entries = {}
        for entry in document['entries']:
            self.add(entry)

    @classmethod
    def load(cls, path):
        return cls(path, load(path, cls.REMEDY))

    def add(self, entry):
        if not isinstance(entry, dict) or \
           not isinstance(entry.get('name'), str):
            raise ContractError(f'{self.label}: an entry has no "name"')
        name, value = entry['name'], entry.get('value')
        if not isinstance(value, int) or isinstance(value, bool) or \
           not 0 <= value <= MAX_VALUE:
            raise ContractError(f'{self.label}: {name}: value {value!r} is '
                                f'not a number from 0 to {MAX_VALUE}')
        twin = entry.get('hex', hex(value))
        if twin != hex(value):
            raise ContractError(f'{self.label}: {name}: value {value:#x} is '
                                f'not its hex {twin}: not as query-guest-abi '
                                'printed it')
        if not isinstance(entry.get('rule', 'exact'), str):
            raise ContractError(f'{self.label}: {name}: rule '
                                f'{entry["rule"]!r} is not a text')
        if not isinstance(entry.get('names', []), list):
            raise ContractError(f'{self.label}: {name}: names '
                                f'{entry["names"]!r} are not a list')
        if name in self.entries:
            raise ContractError(f'{self.label}: {name} is there twice')
        self.entries[name] = entry

    def value(self, name):
        """The entry's value; an entry that this side never heard of is 0."""
        return self.entries.get(name, {}).get('value', 0)

    def rule(self, name):
        """As an incoming migration: an entry unknown here must be 0.

        A later QEMU can have another rule; equal values fit by each.
        """
        rule = self.entries.get(name, {}).get('rule', 'exact')
        return rule if rule in RULES else 'exact'

    def names(self, name):
        """The entry's value in words; those of bits, one for each"""
        return [str(word) for word in
                self.entries.get(name, {}).get('names') or []]

    def describe(self, name):
        entry = self.entries.get(name)
        if entry is None:
            return 'nothing of it'
        words, value = ' '.join(self.names(name)), f'{entry["value"]:#x}'
        return f'{value} ({words})' if words not in ('', value) else value


def obstacles(source, destination):
    """Lines, one for each entry that the other side refuses"""
    if source.machine and destination.machine and \
       source.machine != destination.machine:
        yield f'{source.label} -> {destination.label}: a guest has a ' \
              f'{source.machine} machine, the destination ' \
              f'{destination.machine}'
        return
    if source.migrated != destination.migrated:
        without = destination if source.migrated else source
        yield f'{source.label} -> {destination.label}: {without.label} ' \
              'does not carry its contract in its migration stream; start ' \
              'it with the same -machine options as the other'
        return
    for name in sorted(source.entries.keys() | destination.entries.keys()):
        rule = destination.rule(name)
        values = source.value(name), destination.value(name)
        if X86_LAYOUT.fullmatch(name) and 0 in values:
            # Of a component that one of them does not have; what else differs
            # is said of the feature that brings it.
            continue
        if name == ARM_COUNTERS and not source.value(name):
            continue
        if not RULES[rule](*values):
            yield f'{source.label} -> {destination.label}: {name}: ' + \
                  difference(name, source, destination) + \
                  ('; check-guest-abi there says whether its kernel takes it'
                   if rule == 'accepted' else '')


def difference(name, source, destination):
    """What a guest has that a destination has not, or the other way round"""
    ours, its = source.names(name), destination.names(name)
    more = ', '.join(word for word in ours if word not in its)
    less = ', '.join(word for word in its if word not in ours)
    if not is_x86_features(name) or not more + less:
        return f'a guest has {source.describe(name)}, the destination ' \
               f'{destination.describe(name)}'
    return ', and '.join(
        ([f'a guest has {more}, the destination has not'] if more else []) +
        ([f'a guest does not have {less}, the destination has'] if less
         else []))
