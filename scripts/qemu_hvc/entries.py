# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What the entries of a contract are about, by their names."""

import re

# Entries that hvc-services, psci-version and kernel-floor choose
CHOSEN = {'arm.std-bmap', 'arm.std-hyp-bmap', 'arm.vendor-hyp-bmap',
          'arm.vendor-hyp-bmap-2', 'arm.psci-version', 'machine.kernel-floor'}
# Registers that a guest has as the hardware does: kernels show other values of
# the first three (Linux 6.15 on), or less of CTR_EL0 (about 6.11 on), only to
# guests of a VMM that asks for it. QEMU does for a guest that is told of several
# CPUs, by this service; their list is in entries with this beginning.
LIST_SERVICE = 'implementation-cpus'
LIST = 'arm.implementation-cpu'
# So many CPUs a list can have (HVC_IMPLEMENTATIONS_MAX).
LIST_MAX = 16
# Which CPU it is: entry -> its part in the list
IDENTITY = {'arm.midr-el1': 'midr', 'arm.revidr-el1': 'revidr',
            'arm.aidr-el1': 'aidr'}
ARM_HARDWARE = {*IDENTITY, 'arm.ctr-el0'}

# Number of the PMU's event counters. Who does not have the entry, or has 0, did not
# say how many there are.
ARM_COUNTERS = 'arm.pmcr-el0.n'

# CPUID registers of x86, in the form x86.cpuid-LEAF-REG, that are no features
X86_LEVELS = {'x86.cpuid-0-eax': 'level', 'x86.cpuid-7.0-eax': 'level-func7',
              'x86.cpuid-80000000-eax': 'xlevel',
              'x86.cpuid-c0000000-eax': 'xlevel2'}
X86_SIGNATURE = 'x86.cpuid-1-eax'
X86_ADDRESSES = 'x86.cpuid-80000008-eax'
# The XSAVE components that other features bring
X86_COMPONENTS = ('x86.xcr0', 'x86.xss')
# Vendor, PMU, and where XSAVE components are in memory: of the hardware
X86_VENDOR = re.compile(r'x86\.cpuid-0-e[bcd]x')
X86_PMU = re.compile(r'x86\.cpuid-a-e[abcd]x')
X86_LAYOUT = re.compile(r'x86\.cpuid-d\.([0-9a-f]+)')
# Features that -smp decides on
X86_TOPOLOGY = {'ht', 'cmp-legacy'}


def is_hardware(name):
    """Whether no kernel and no profile changes what guests are told"""
    return name in ARM_HARDWARE or any(
        pattern.fullmatch(name)
        for pattern in (X86_VENDOR, X86_PMU, X86_LAYOUT))


def is_x86_features(name):
    """Whether an entry's bits are features, with names that -cpu knows"""
    return name.startswith('x86.') and not is_hardware(name) and \
        name not in X86_COMPONENTS and name not in X86_LEVELS and \
        name not in (X86_SIGNATURE, X86_ADDRESSES)
