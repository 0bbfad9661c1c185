# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Options of QEMU by which guests of two VMs are told the same.

Each VM gives up what the other one does not have.
"""

from .arm_fields import (EXACT, EXCEPTIONS, LOWER, common_value, field_value)
from .entries import (X86_ADDRESSES, X86_LEVELS, X86_SIGNATURE, X86_TOPOLOGY,
                      is_hardware, is_x86_features)

SVE_LENGTHS = 'arm.sve-vector-lengths'
DFR0 = 'arm.id-aa64dfr0-el1'
# The register of a service's bit has the same name as the entry
SERVICES = ('arm.std-bmap', 'arm.std-hyp-bmap', 'arm.vendor-hyp-bmap',
            'arm.vendor-hyp-bmap-2')
PSCI_VERSION = 'arm.psci-version'


def not_in(ours, its):
    return [word for word in ours if word not in its]


def signature_options(value):
    """family, model and stepping, as CPUID's leaf 1 has them"""
    family = value >> 8 & 0xf
    if family == 0xf:
        family += value >> 20 & 0xff
    model = value >> 4 & 0xf | value >> 12 & 0xf0
    return [f'family={family}', f'model={model}', f'stepping={value & 0xf}']


def address_options(value, other):
    """Fewer bits of addresses, where the other VM has fewer"""
    options = []
    if value & 0xff > other & 0xff:
        options += ['host-phys-bits=off', f'phys-bits={other & 0xff}']
    if value >> 16 & 0xff > other >> 16 & 0xff:
        options.append(f'guest-phys-bits={other >> 16 & 0xff}')
    return options


def x86_options(contract, other, is_second):
    """Of -cpu; the features come last, as they are the longest"""
    options, features = [], []
    for name in contract.entries:
        value, its = contract.value(name), other.value(name)
        if value == its:
            continue
        if name in X86_LEVELS and value > its:
            options.append(f'{X86_LEVELS[name]}={its:#x}')
        elif name == X86_SIGNATURE and is_second:
            options += signature_options(its)
        elif name == X86_ADDRESSES:
            options += address_options(value, its)
        elif is_x86_features(name):
            features += [f'-{word}' for word in
                         not_in(contract.names(name), other.names(name))
                         if is_option(word)]
    return options + list(dict.fromkeys(features))


def is_option(word):
    """Whether -cpu has a name for a feature, and may choose it"""
    return not word.startswith('bit') and word not in X86_TOPOLOGY


def arm_options(contract, other):
    """Of -cpu; what a profile does is not among them"""
    options = []
    lengths, its = contract.names(SVE_LENGTHS), other.names(SVE_LENGTHS)
    if lengths and its and set(lengths) & set(its):
        options += [f'sve{length}=off' for length in not_in(lengths, its)]
    elif lengths and lengths != its:
        options.append('sve=off')
    for name, fields in EXCEPTIONS.items():
        for field in fields:
            value = field_value(field, contract.value(name))
            common = common_value(field, (
                value, field_value(field, other.value(name))))
            if field.option and value != common and \
               field.rule in (LOWER, EXACT):
                options.append(field.option)
            if name == DFR0 and field.name == 'PMUVer' and value != common \
               and not common:
                options.append('pmu=off')
    return list(dict.fromkeys(options))


def cpu_options(contract, other, is_second=False):
    """What the VM of a contract needs to be like another one, of -cpu"""
    return [*arm_options(contract, other),
            *x86_options(contract, other, is_second)]


def lacks(contract, other):
    """Names of features that only the other VM has"""
    return [word for name in other.entries if is_x86_features(name)
            for word in not_in(other.names(name), contract.names(name))]


def needs_profile(a, b):
    """Whether registers differ that guest-abi-profile= makes equal"""
    return any(entry.get('rule') == 'accepted' and not is_hardware(name) and
               a.value(name) != b.value(name)
               for contract in (a, b)
               for name, entry in contract.entries.items())


def machine_options(a, b):
    """Services and PSCI version that both VMs have; [] if they are equal"""
    chosen = (*SERVICES, PSCI_VERSION)
    if all(a.value(name) == b.value(name) for name in chosen) or \
       not all(contract.names(name) or not contract.value(name)
               for contract in (a, b) for name in chosen):
        # Equal, or not as QEMU prints them
        return []
    services = [word for name in SERVICES for word in a.names(name)
                if word in b.names(name)]
    version = min(a.value(PSCI_VERSION), b.value(PSCI_VERSION))
    return [f'hvc-services={":".join(services) or "none"}'] + (
        [f'psci-version={version >> 16}.{version & 0xffff}'] if version
        else [])


def option_lines(a, b):
    """What to start the two VMs with, so that guests can go both ways"""
    for contract, other in (a, b), (b, a):
        options = cpu_options(contract, other, contract is b)
        if options:
            line = f'{contract.label}: start this QEMU with -cpu ' + \
                   ','.join([contract.cpu or '...', *options])
            instead = lacks(other, contract)
            if instead:
                line += f', or use a host with {", ".join(instead)} instead ' \
                        f'of {other.label}'
            yield line
    both = f'{a.label}, {b.label}: start both with -machine ...,'
    services = machine_options(a, b)
    if services:
        yield both + ','.join(services)
    if needs_profile(a, b):
        yield f'{both}guest-abi-profile=FILE, FILE being the contract of the ' \
              'one with the older kernel'
