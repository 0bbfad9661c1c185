# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The largest profile that all hosts of a fleet can give.

It has the form of a reply of query-guest-abi, for -machine guest-abi-profile=.
What the hosts' contracts have in common is found entry by entry; whether each
kernel takes it, "guest-abi-probe --profile" says on that host.
"""

import dataclasses
from dataclasses import dataclass
import re

from .arm_fields import (CTR, HIGHER, REGISTERS, common_ctr, common_value,
                         field_value, fields_of, register_name,
                         same_but_mistakes)
from .contract import ContractError
from .entries import (ARM_COUNTERS, IDENTITY, LIST, LIST_MAX, X86_ADDRESSES,
                      X86_COMPONENTS, X86_LAYOUT, X86_LEVELS, X86_PMU,
                      X86_SIGNATURE, is_hardware)
from .fleet_text import names
from .host_record import REMEDY

# Of the kernel with the fewest ways to show them: newer ones take these.
OF_OLDEST = re.compile(r'arm\.(clidr-el1|ccsidr-el1\..*|pmmir-el1|gicd-iidr|'
                       r'gicd-typer2|icc-ctlr-el1|gits-iidr)')
# Bitmaps and versions that options of -machine choose
CHOSEN_BITMAPS = re.compile(r'arm\..*-bmap(-\d+)?')
CHOSEN_VERSIONS = {'arm.psci-version', 'machine.kernel-floor'}
# Of the devices of a VM, which a profile is not about
OF_DEVICES = 'virtio.'

MIDR = 'arm.midr-el1'
MIDR_MAX = 0xffffffff
# From this kernel on a guest can be given the identity of another CPU.
IDENTITY_SINCE = [6, 15]

# FEAT_EVT, with which a guest reads CTR_EL0 of the hardware unless a VMM has
# changed it
MMFR2, EVT_SHIFT = 'arm.id-aa64mmfr2-el1', 56

# Levels of the firmware's
MITIGATION = re.compile(r'arm\.smccc-arch-workaround-\d')
# From this kernel on a guest can have fewer event counters than the CPU.
COUNTERS_SINCE = [6, 7]
# Of registers whose fields have a bit each
BITS = {'arm.id-aa64fpfr0-el1'}

# Kernels up to this one show guests an ID register in one way only.
FIXED_UNTIL = [6, 1]
NEWER = 'Linux 6.12 or later'


class ProfileRefused(ContractError):
    """There is no such profile; each line of the text says why."""


@dataclass
class Host:
    """A kind of hosts: names, and what they can promise"""
    labels: list
    record: object

    @property
    def age(self):
        return self.record.age()

    @property
    def contract(self):
        return self.record.contract

    def name(self):
        return names(self.labels)

    def cpu(self):
        """Which one it has"""
        return tuple(self.contract.value(name) for name in IDENTITY)

    def gives_identity(self):
        """Whether a guest here can have that of another CPU"""
        if self.record.identity is not None:
            return self.record.identity
        return self.age[:2] >= IDENTITY_SINCE

    def takes(self, name, wanted):
        """Whether a guest here can have another value of a register; None if
        the host does not say so"""
        if self.record.masks is None:
            return None
        changed = self.contract.value(name) ^ wanted
        return not changed & ~self.record.masks.get(name, 0)

    def shows_ctr(self, told):
        """CTR_EL0 that a guest reads to whom KVM is told to show a value; None
        if the host does not say so"""
        if told != self.contract.value(CTR) or \
           not self.contract.value(MMFR2) >> EVT_SHIFT & 0xf:
            return told
        return self.record.ctr


class Merger:
    """Contracts of hosts, of which one is made

    @hosts: as they were given, for messages
    @ranked: by Record.rank(): what is made does not depend on the files' order
    @refusals: what stands in the way
    @levels: mitigations that differ -> the labels of the hosts with the lowest
    @unasked: why it is not known whether hosts can show entries as the profile
              says -> pairs of these hosts' labels and the entry
    """

    def __init__(self, hosts):
        self.hosts = hosts
        self.ranked = sorted(hosts, key=lambda host: host.record.rank())
        self.oldest = self.ranked[0]
        self.refusals = []
        self.levels = {}
        self.unasked = {}

    def not_known(self, host, name):
        """A host has to show another value than its own, and its file does not
        say whether its kernel lets QEMU do that."""
        self.unasked.setdefault(host.record.unasked, []).append(
            (host.labels, name))

    def values(self, name):
        return [host.contract.value(name) for host in self.hosts]

    def refuse(self, what, name, remedy, describe=None):
        """A refusal that names what each host has"""
        found = {}
        for host in self.hosts:
            words = describe(host) if describe else \
                host.contract.describe(name)
            found.setdefault(words, []).extend(host.labels)
        self.refusals.append(
            f'{what} cannot be made equal: ' + '; '.join(
                f'{words} in {names(labels)}'
                for words, labels in found.items()) + f'; {remedy}')

    def equal(self, name, remedy):
        """An entry that nothing changes"""
        if len(set(self.values(name))) > 1:
            self.refuse(name, name, remedy)
        return self.values(name)[0]

    def identity(self, name):
        """Of the oldest kernel's CPU: what the guest reads on all of them"""
        wanted = self.oldest.contract.value(name)
        if len(set(self.values(name))) > 1 and \
           not all(host.gives_identity() for host in self.hosts):
            self.refuse(name, name, 'guests go from one CPU to another only '
                        'between hosts with Linux 6.15 or later; update them, '
                        'or make a fleet of each')
        for host in self.hosts:
            if host.contract.value(name) != wanted and \
               host.record.identity is None:
                self.not_known(host, name)
        return wanted

    def cpus(self):
        """Each of them once, that of the oldest kernel first"""
        return list(dict.fromkeys(host.cpu() for host in self.ranked))

    def implementations(self):
        """Entries of the CPUs that a guest of a mixed fleet is told of, its own
        first; none if there is one"""
        found = self.cpus()
        if len(found) == 1:
            return {}
        self.check_list(found)
        return {f'{LIST}s': len(found),
                **{f'{LIST}-{number}.{part}': value
                   for number, cpu in enumerate(found)
                   for part, value in zip(IDENTITY.values(), cpu)}}

    def check_list(self, found):
        """What QEMU would refuse of a list (hvc_implementations_set())"""
        if len(found) > LIST_MAX:
            self.refusals.append(
                f'these hosts have {len(found)} different CPUs, each revision '
                'being one (MIDR_EL1, REVIDR_EL1, AIDR_EL1); a guest can be '
                f'told of {LIST_MAX}; split the fleet, and make a profile for '
                f'each part, of hosts with at most {LIST_MAX} CPUs')
        for host in self.hosts:
            midr = host.contract.value(MIDR)
            if not 0 < midr <= MIDR_MAX:
                self.refusals.append(
                    f'{host.name()}: {MIDR} = {midr:#x}; needed: a number of 32 '
                    f'bits that is not 0; {REMEDY}')

    def all_of(self, name):
        """Features that each host has"""
        result = self.values(name)[0]
        for value in self.values(name):
            result &= value
        return result

    def arm_register(self, name):
        """The fields that all hosts can show"""
        values = self.values(name)
        result = 0
        for field in fields_of(name):
            found = [field_value(field, value) for value in values]
            result |= common_value(field, found) << field.lsb
        self.check_register(name, result)
        return result

    def check_register(self, name, wanted):
        """Complain of what not all hosts can show of a register"""
        fixed = [field for field in fields_of(name) if field.fixed and
                 self.is_fixed(name, field, wanted)]
        for field in fixed:
            self.refuse_field(name, field)
        for host in self.hosts:
            self.check_kernel(name, host, wanted, fixed)

    def is_fixed(self, name, field, wanted):
        """Whether a host cannot show what is wanted of a field that no kernel
        up to 7.3 changes"""
        return any(not host.takes(name, host.contract.value(name) & ~field.mask
                                  | wanted & field.mask)
                   for host in self.hosts
                   if (host.contract.value(name) ^ wanted) & field.mask)

    def check_kernel(self, name, host, wanted, refused):
        """refused: fields that were complained of already"""
        value = host.contract.value(name)
        for field in refused:
            wanted = wanted & ~field.mask | value & field.mask
        if same_but_mistakes(name, value, wanted):
            return
        takes = host.takes(name, wanted)
        if takes is False:
            self.refuse_kernel(name, host, wanted, "its kernel does not let "
                               'QEMU change it so', 'a newer kernel, if it '
                               'does')
        elif host.age[:2] <= FIXED_UNTIL:
            self.refuse_kernel(name, host, wanted, 'its kernel shows it in '
                               'one way only', NEWER)
        elif takes is None:
            self.not_known(host, name)

    def refuse_field(self, name, field):
        remedy = 'no kernel up to Linux 7.3 shows a guest ' + (
            "another value of it than the CPU's; " if field.rule == HIGHER
            else 'less of it than the CPU has; ')
        if field.option:
            remedy += f'probe all hosts with --cpu host,{field.option}'
        else:
            remedy += 'make a fleet of the hosts with each value'
        self.refuse(
            f'{register_name(name)}.{field.name}', name, remedy,
            lambda host: str(field_value(field, host.contract.value(name))))

    def refuse_kernel(self, name, host, wanted, why, needed):
        value = host.contract.value(name)
        fields = ', '.join(
            f'{field.name} {field_value(field, value)} -> '
            f'{field_value(field, wanted)}' for field in fields_of(name)
            if field_value(field, value) != field_value(field, wanted))
        self.refusals.append(
            f'{host.name()}: {register_name(name)} = {value:#x} cannot be '
            f'{wanted:#x}{f" ({fields})" if fields else ""}, {why}; needed: '
            f'{needed}; update it, or make a fleet of its own')

    def bits(self, name):
        """Those that all hosts can show"""
        result = self.all_of(name)
        self.check_register(name, result)
        return result

    def counters(self, name):
        """As many as the smallest PMU has, of those hosts that say it"""
        said = [value for value in self.values(name) if value]
        result = min(said, default=0)
        for host in self.hosts:
            value = host.contract.value(name)
            if value > result and host.age[:2] < COUNTERS_SINCE:
                self.refusals.append(
                    f'{host.name()}: guests have {value} event counters '
                    f'(PMCR_EL0.N) and cannot have {result}; needed: Linux 6.7 '
                    'or later; update it, probe all hosts with --cpu '
                    'host,pmu=off, or make a fleet of its own')
        return result

    def mitigation(self, name):
        """A level of the firmware's, which no kernel changes: guests may find
        more than they were told, and not less"""
        result = min(self.values(name))
        if len(set(self.values(name))) > 1:
            self.levels[name] = [
                label for host in self.hosts for label in host.labels
                if host.contract.value(name) == result]
        return result

    def start_on(self):
        """The hosts on which guests are to be started, where not on all: those
        whose mitigations are all the lowest"""
        found = None
        for labels in self.levels.values():
            found = [label for label in labels if found is None or
                     label in found]
        if found == []:
            self.refusals.append(
                'no host has the lowest level of all mitigations, so that '
                'guests could be started on none: ' + '; '.join(
                    f'{register_name(name)} is the lowest in {names(labels)}'
                    for name, labels in self.levels.items())
                + '; make a fleet of each')
        return found or []

    def ctr(self, name):
        """Of CPUs that differ, what they have in common; and if guests of some
        would read something else nevertheless, a value that KVM is told, so
        that it shows it: code goes on if lines are shorter than it was told"""
        if len(self.cpus()) == 1:
            return self.equal(name, 'guests cannot go from one CPU to another'
                              '; make a fleet of each')
        wanted = common_ctr(self.values(name))
        if {host.shows_ctr(wanted) for host in self.hosts} != {wanted}:
            line = next((field for field in fields_of(name)
                         if field.name in ('IminLine', 'DminLine') and
                         field_value(field, wanted)), None)
            wanted -= 1 << line.lsb if line else 0
        self.check_register(name, wanted)
        return wanted

    def x86_addresses(self, name):
        """Three numbers of eight bits"""
        return sum(min(value >> shift & 0xff for value in self.values(name))
                   << shift for shift in (0, 8, 16))

    def x86_layout(self, name):
        """Of a component that all have; of others there is none"""
        component = int(X86_LAYOUT.fullmatch(name)[1], 16)
        if not any(self.all_of(mask) >> component & 1
                   for mask in X86_COMPONENTS):
            return 0
        return self.equal(name, 'make a fleet of the CPUs of each vendor')

    def value(self, name):
        """What the profile has for an entry"""
        if name in IDENTITY:
            return self.identity(name)
        if name in REGISTERS:
            return self.arm_register(name)
        if MITIGATION.fullmatch(name):
            return self.mitigation(name)
        if name in BITS:
            return self.bits(name)
        if name == ARM_COUNTERS:
            return self.counters(name)
        if name == CTR:
            return self.ctr(name)
        if OF_OLDEST.fullmatch(name) or name == X86_SIGNATURE:
            return self.oldest.contract.value(name)
        if CHOSEN_BITMAPS.fullmatch(name):
            return self.all_of(name)
        if name in CHOSEN_VERSIONS or name in X86_LEVELS:
            return min(self.values(name))
        if name == X86_ADDRESSES:
            return self.x86_addresses(name)
        if X86_LAYOUT.fullmatch(name):
            return self.x86_layout(name)
        if X86_PMU.fullmatch(name):
            return self.equal(name, 'probe all hosts with --cpu host,pmu=off')
        if is_hardware(name):
            return self.equal(name, 'guests cannot go from one CPU to another'
                              '; make a fleet of each')
        if name.startswith('x86.'):
            return self.all_of(name)
        return self.equal(name, 'no option and no profile changes it; make a '
                          'fleet of the hosts with each value')

    def words(self, name, value):
        """The entry's names that are true of the profile's value"""
        exact = next((host.contract.entries[name].get('names')
                      for host in self.ranked if name in host.contract.entries
                      and host.contract.value(name) == value), None)
        if exact is not None:
            return exact
        # Bits: those that each host names
        lists = [host.contract.entries.get(name, {}).get('names') or []
                 for host in self.ranked]
        return [word for word in lists[0]
                if all(word in words for words in lists[1:])]

    def entry(self, name):
        value = self.value(name)
        known = next(host.contract.entries[name] for host in self.ranked
                     if name in host.contract.entries)
        made = {'name': name, 'value': value, 'hex': hex(value)}
        if 'rule' in known:
            made['rule'] = known['rule']
        if 'names' in known:
            made['names'] = self.words(name, value)
        return made


@dataclass
class Profile:
    """reply: a contract that all hosts can give, as query-guest-abi has it;
    start_on: the hosts on which guests are to be started, if not on all; levels:
    the mitigations because of which; unasked: that of Merger"""
    reply: dict
    start_on: list
    levels: list
    unasked: dict = dataclasses.field(default_factory=dict)

    def notes(self):
        """What whoever uses it has to know"""
        if self.start_on:
            yield f'start guests on {names(self.start_on)}, where ' \
                  f'{" and ".join(self.levels)} is the lowest; they go to the ' \
                  'others and home, unless they are reset there'
        for why, pairs in self.unasked.items():
            labels = dict.fromkeys(label for some, _ in pairs
                                   for label in some)
            registers = dict.fromkeys(register_name(name) for _, name in pairs)
            yield f'not known to work on {names(list(labels))}: the file does ' \
                  'not say whether the kernel lets QEMU change ' \
                  f'{", ".join(registers)} as the profile needs it ({why}); ' \
                  'make the file again, or see that guest-abi-probe --profile ' \
                  'starts a VM there, before guests are started with the ' \
                  'profile'


def merged(hosts):
    """ProfileRefused if there is none"""
    merger = Merger(hosts)
    order = {}
    for host in merger.ranked:
        for name in host.contract.entries:
            order.setdefault(name)
    # A host's own list is of what it was probed with.
    entries = [merger.entry(name) for name in order
               if not name.startswith((OF_DEVICES, LIST))]
    entries += [{'name': name, 'value': value, 'hex': hex(value),
                 'rule': 'exact'}
                for name, value in merger.implementations().items()]
    start_on = merger.start_on()
    if merger.refusals:
        raise ProfileRefused('\n'.join(merger.refusals))
    first = merger.oldest.contract
    return Profile({'return': {
        'machine': first.machine or '', 'migrated': first.migrated,
        # An entry that is not there is 0; those of x86 are never there as 0.
        'entries': [entry for entry in entries
                    if entry['value'] or (entry['name'] in first.entries and
                                          not entry['name'].startswith(
                                              'x86.'))],
        'parts': []}}, start_on, list(map(register_name, merger.levels)),
        merger.unasked)


def profile_of(fleet):
    """Of a fleet; ProfileRefused if its hosts have none in common"""
    hosts = [Host(kind.labels, kind.record) for kind in fleet.kinds
             if kind.record.contract]
    without = [label for kind in fleet.kinds if not kind.record.contract
               for label in kind.labels]
    if without:
        raise ProfileRefused(f'{names(without)}: gives no floor, so that it '
                             'has no contract; needed: hosts that give one; '
                             'leave it out')
    return merged(hosts)
