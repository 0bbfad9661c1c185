# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A fleet, in lines for people."""

from .fleet import FEATURES, MIXED, REGISTER, REMEDIES, collect, labels_of

# Hosts that are named if not all are
FEW = 3


def floor_words(floor):
    return f'up to {floor}' if floor else 'no floor'


def names(labels, verbose=False):
    """Hosts by their names, or their count and a few names"""
    if verbose or len(labels) <= FEW:
        return ', '.join(labels)
    return f'{len(labels)} hosts ({", ".join(labels[:FEW])}, ...)'


def host_lines(fleet, verbose):
    """Each kind of host, and its highest floor"""
    kinds = collect((
        f'Linux {kind.record.kernel}, QEMU {kind.record.qemu}: '
        f'{floor_words(fleet.highest_of(kind))}', kind.labels)
        for kind in fleet.kinds)
    rows = [(name, words) for words, labels in kinds.items()
            for name in (labels if verbose or len(labels) <= FEW
                         else [names(labels)])]
    width = max(len(name) for name, _ in rows)
    return [f'{name:{width}}  {words}' for name, words in rows]


def floor_lines(fleet, verbose):
    """The fleet's floor, and who holds it back"""
    yield f'all hosts: {floor_words(fleet.floor)}' + (
        f', which Linux {fleet.older()} gives in full (a floor is a set of '
        'services, not a version)' if fleet.older() else '')
    floor, refusers = fleet.held_back()
    for refusal, labels in collect((refusal, kind.labels)
                                   for kind, refusal in refusers).items():
        verb = 'holds' if len(labels) == 1 else 'hold'
        yield f'  {names(labels, verbose)} {verb} the fleet back from ' \
              f'{floor}: {refusal}'
    unaware = [label for kind in fleet.kinds for label in kind.labels
               if kind.record.option != 'kernel-floor']
    if unaware and len(unaware) < fleet.hosts():
        yield f'  the QEMU of {names(unaware, verbose)} has no kernel-floor, ' \
              'so that devices have what the kernel there has; update it'
    for label, higher in fleet.alone():
        yield f'  without {label}: {floor_words(higher)}'


def obstacle_lines(fleet, verbose):
    """What guests would miss, worst first"""
    last = None
    for obstacle in fleet.obstacles:
        if obstacle.kind != last:
            yield f'{obstacle.kind}: {REMEDIES[obstacle.kind]}'
            last = obstacle.kind
        yield f'  {obstacle.entry}: ' + '; '.join(
            f'{value} in {names(labels, verbose)}'
            for value, labels in obstacle.values.items())


def floor_of_option(fleet):
    """Why the option has the fleet's floor"""
    fitting, floor = fleet.fitting_types(), fleet.floor
    if not fitting:
        return f'no type has floor {floor}, so {fleet.option()}= sets it'
    text = f'{fitting[-1]} is the newest type with floor {floor}'
    newest = fleet.types()[-1]
    if newest != fitting[-1] and fleet.option() == 'kernel-floor':
        text += f'; {newest},kernel-floor={floor} has it, too'
    return text


def is_to_try(fleet):
    """Whether each host is to be asked if it can be like the profile"""
    return fleet.machine() and any(map(fleet.has, (MIXED, REGISTER,
                                                   FEATURES)))


def others(fleet):
    """The hosts that the profile is not of"""
    return 'hosts' if fleet.profile_out else 'other hosts'


def option_lines(fleet):
    """What to start VMs with, and what to do then"""
    if fleet.machine():
        yield f'use: -machine {fleet.machine()}'
        yield f'  {floor_of_option(fleet)}'
    if is_to_try(fleet):
        yield f'whether the {others(fleet)} can be like it: {fleet.probe()} ' \
              'there, and compare again'
    elif fleet.is_done():
        yield 'by their contracts, guests can go from each host to each ' \
              'other one'


def fleet_lines(fleet, verbose=False):
    """All of it; verbose: each host by its name"""
    yield from host_lines(fleet, verbose)
    yield ''
    yield from floor_lines(fleet, verbose)
    yield from obstacle_lines(fleet, verbose)
    if len(fleet.groups) > 1:
        for group in fleet.groups:
            yield 'a fleet of its own: ' + names(labels_of(group), verbose)
    yield from (f'note: {note}' for note in fleet.notes)
    yield from option_lines(fleet)
