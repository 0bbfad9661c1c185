# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The matrices of the manual's page about rollback."""

from dataclasses import dataclass

DEBIAN = 'debian'
STOCK = 'virt'
PINNED = 'virt-hvc-10.0'
TYPES = ('virt-hvc-9.0', 'virt-hvc-9.2', PINNED)
MACHINES = (STOCK, *TYPES)

# Where KVM's registers changed, and the newest
CHANGES = ('6.1', '6.12', '6.16', '7.0', '7.2', 'newest')
# What distributions have, and the newest
FLEET = ('6.1', '6.12', '6.18', 'newest')
FEW = ('5.10', '6.1', '6.12', '6.16', 'newest')

# What several versions of QEMU have
SERIES_MACHINES = ('virt-10.0', *TYPES)

GICS = ('virt-hvc-9.2', 'virt-hvc-9.2,gic-version=2,kernel-irqchip=off')
# Guests with a NIC: what is stock; what has a contract, but all that a kernel's
# TAP and vhost have; and what has a floor
NIC_MACHINES = {
    'arm64': (STOCK, 'virt,hvc-services=linux-6.1',
              'virt-hvc-9.2,kernel-floor=linux-6.1'),
    'amd64': ('q35', 'q35,guest-abi=on', 'q35,kernel-floor=linux-6.1'),
}
# x86 hosts, as KERNEL or KERNEL CPU: kernels that distributions have; and CPUs of
# which one lacks protection keys, one has no XSAVE, and two are older
X86_HOSTS = ('6.1', '6.12', '6.12 EPYC', '6.18 max,pku=off',
             '6.1 max,xsave=off', 'newest EPYC-Rome')
X86_STOCK = ('q35',)
X86_MACHINES = (*X86_STOCK, 'q35,guest-abi=on',
                'q35,guest-abi=on,guest-abi-profile=fleet.json')
# Fleets, the kernels that can show a profile that two CPUs have in common, and VMs
# without what no kernel hides
CPUS = (('neoverse-n1', 'cortex-a76'), ('neoverse-v1', 'neoverse-n2'))
SHOW = ('6.16', '6.18', 'newest')
LESS = 'host,pauth=off,sve256=off'
LISTED = f'{PINNED},hvc-services=linux-6.12:+implementation-cpus,' \
    'guest-abi-profile=fleet.json'
# LPA2 makes every VM take seconds to start.
MAX = 'max,lpa2=off'
# Pairs that can have a profile in common, the emulator that has them, and VMs
# without what one of the two lacks. The CPU max has the counter's frequency of the
# others, and needs no SMCCC_ARCH_WORKAROUND_3, so that guests are to be started on
# an N2.
PAIRS = (
    ('cpus-n1-a76', CPUS[0], '', LESS),
    ('cpus-v1-n2', CPUS[1], '', LESS),
    ('cpus-n2-a710', ('neoverse-n2', 'cortex-a710'), DEBIAN, ''),
    ('cpus-n2-max', ('neoverse-n2', f'{MAX},cntfrq=62500000'), DEBIAN,
     'host,sve256=off'),
)


def each(kernels: tuple[str, ...], cpus: tuple[str, ...]) -> tuple[str, ...]:
    """Hosts with each CPU and each kernel, as a row has them"""
    return tuple(f'{kernel} {cpu}' for cpu in cpus for kernel in kernels)


@dataclass(frozen=True)
class Row:
    """A matrix: the options of "kvm-lab matrix"; picture: the manual has it as
    SVG, too. A host of a fleet is KERNEL or, if it has another CPU than cpu,
    KERNEL CPU; with several QEMUs there is one of it for each."""
    name: str
    fleets: tuple[tuple[str, ...], ...]
    machines: tuple[str, ...]
    cpu: str = 'neoverse-n1'
    outer: str = ''
    profile: str = ''
    qemu: str = 'patched'
    picture: bool = False
    nic: bool = False
    arch: str = 'arm64'
    guest_cpu: str = ''

    def __str__(self) -> str:
        hosts = [name for fleet in self.fleets for name in fleet]
        what = 'hosts' if any(' ' in name for name in hosts) else 'kernels'
        cpus = '; '.join(', '.join(dict.fromkeys(
            name.partition(' ')[2] or self.cpu for name in fleet))
            for fleet in self.fleets)
        words = [f'{len(hosts)} {what}', ' and '.join(self.machines),
                 f'CPU {cpus}']
        if self.guest_cpu:
            words.append(f'VMs with -cpu {self.guest_cpu}')
        if self.nic:
            words.append(f'Linux guests with a NIC, {self.arch}')
        elif self.arch != 'arm64':
            words.append(self.arch)
        if self.outer:
            words.append(f'outer QEMU {self.outer}')
        if self.profile:
            words.append(f'profile of {self.profile}')
        if self.qemu != 'patched':
            words.append(f'{self.qemu} QEMU')
        return ', '.join(words)


ROWS = (
    Row('nic', (FLEET,), NIC_MACHINES['arm64'], profile='6.1', picture=True,
        nic=True),
    Row('nic-x86', (FLEET,), NIC_MACHINES['amd64'], 'max', picture=True,
        nic=True, arch='amd64'),
    Row('cpuid', (X86_HOSTS,), X86_MACHINES, 'max', picture=True,
        arch='amd64'),
    *(Row(name, (each(SHOW, cpus),), (LISTED,), outer=outer, guest_cpu=less,
          picture=True)
      for name, cpus, outer, less in PAIRS),
    *(Row(f'{name}-stock', (each(SHOW, cpus),), (STOCK,), outer=outer,
          qemu='stock', guest_cpu=less)
      for name, cpus, outer, less in PAIRS),
    *(Row(name, tuple(each(('newest',), cpus) for cpus in CPUS), (machine,),
          qemu=qemu, guest_cpu=LESS)
      for name, machine, qemu in (('cpus', LISTED, 'patched'),
                                  ('cpus-stock', STOCK, 'stock'))),
    Row('gics', (FLEET,), GICS, picture=True),
    Row('gics-profile', (FLEET,), GICS, profile='6.1', picture=True),
    Row('gics-max', (FLEET,), GICS, MAX, DEBIAN, picture=True),
    Row('gics-max-profile', (FLEET,), GICS, MAX, DEBIAN, '6.1', picture=True),
    Row('profile', (CHANGES,), TYPES, profile='6.1', picture=True),
    Row('types', (('5.10', *CHANGES),), MACHINES, picture=True),
    Row('between', (('6.12', '6.17', '6.18', '6.19', '7.1', 'newest'),),
        (PINNED,)),
    Row('stock', (('5.10', *CHANGES),), (STOCK,), qemu='stock', picture=True),
    Row('qemus', (('6.1', '6.12', 'newest'),), SERIES_MACHINES,
        qemu='10.0,10.2', picture=True),
    Row('qemus-debian', (('6.1', '6.12', 'newest'),), ('virt-9.0', 'virt-10.0'),
        qemu=f'10.0,{DEBIAN}', picture=True),
    *(Row(cpu.partition(',')[0], (FEW,), ('virt-hvc-9.0', PINNED), cpu)
      for cpu in ('cortex-a53', 'cortex-a72', MAX)),
)
