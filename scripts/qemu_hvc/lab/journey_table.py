# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Which journeys there are."""

from dataclasses import replace

from . import told
from .journeys import Journey
from .moves import HIBERNATION
from .places import Site
from .verdict import Kind

OLD = Site('6.1')
LTS = Site('6.12')
NEW = Site('newest')
# The CPU that has FEAT_TCR2, S1PIE, SCTLR2 and ATS1A. LPA2 would make every VM
# take seconds to start.
MAX = 'max,lpa2=off'
OLD_MAX, LTS_MAX, NEXT_MAX, NEW_MAX = (
    Site(kernel, MAX) for kernel in ('6.1', '6.12', '6.18', 'newest'))
NO_GIC = 'gic-version=2,kernel-irqchip=off'
UNMITIGATED = 'mitigations=off'
NIC_OLD, NIC_LTS, NIC_NEW = (Site(kernel, nic=True)
                             for kernel in ('6.1', '6.12', 'newest'))
X86_OLD, X86_LTS, X86_NEW = (Site(kernel, arch='amd64', nic=True)
                             for kernel in ('6.1', '6.12', 'newest'))
# A pinned type and a stock one of which nothing is pinned but the services
FLOOR = 'virt-hvc-9.2,kernel-floor=linux-6.1'
NO_FLOOR = 'virt,hvc-services=linux-6.1'
X86_FLOOR = 'q35,kernel-floor=linux-6.1'
# Without what the TAP and the vhost-net of 6.1 do not have
OLD_NIC = 'host_uso=off,guest_uso4=off,guest_uso6=off,queue_reset=off'
# What an unpatched QEMU says, too
FEATURES = r'Features 0x\w+ unsupported\. Allowed features: 0x'
# What a contract says instead, before RAM
OFFERED = r"^guest-abi: incoming VM's device at .* offers its guest .*ring-reset"

# How a guest is moved, and how many CPUs it has
WAYS_AND_CPUS = (('file', 1), ('mapped-ram', 2), ('socket', 4), ('multifd', 2),
                 ('postcopy', 2))

GENERAL = (
    *(Journey(f'there and back by {by}, {cpus} CPUs', (LTS, NEW), 'A B A', by,
              cpus, quick=by == 'mapped-ram')
      for by, cpus in WAYS_AND_CPUS),
    Journey('there, reset, back', (LTS, NEW), 'A B reset A', 'socket', 2,
            quick=True),
    Journey('there with a CPU off, on, back', (LTS, NEW),
            'A off B on cycle A', 'socket', 4),
    Journey('a physical timer, there and back', (LTS, NEW), 'A timer B A',
            'socket'),
    Journey('back to the oldest with its profile', (NEW, OLD), 'A B A',
            profile='B', quick=True),
    Journey('three kernels in a row, and home', (OLD, LTS, NEW), 'A B C A',
            profile='A'),
    Journey('three kernels in a row, and home, live', (OLD, LTS, NEW),
            'A B reset C reset A', 'socket', 2, profile='A'),
    Journey('protected host, there and back', (
        Site('newest', append='kvm-arm.mode=protected'), NEW), 'A B A'),
)

# What is refused: live, so that the guest goes on at the source.
REFUSED = (
    Journey('home without a profile', (NEW, OLD), 'A B', 'socket',
            refused=r'^guest-abi: .*incoming VM has \w+_EL1 = 0x', quick=True),
    Journey('home without a profile, multifd', (NEW, OLD), 'A B', 'multifd',
            refused=r'^guest-abi: .*incoming VM has \w+_EL1 = 0x'),
    Journey('home without a profile, postcopy', (NEW, OLD), 'A B', 'postcopy',
            refused=r'^guest-abi: .*incoming VM has \w+_EL1 = 0x'),
    Journey('a physical timer to a kernel that does not list it', (NEW, OLD),
            'A timer B', 'socket', profile='B', refused='CNTP_CTL_EL0',
            when=Kind.LATE),
    Journey('a physical timer to a kernel that does not list it, postcopy',
            (NEW, OLD), 'A timer B', 'postcopy', profile='B',
            refused='CNTP_CTL_EL0'),
    Journey('another counter frequency',
            (NEW_MAX, Site('newest', f'{MAX},cntfrq=25000000')), 'A B',
            'socket', refused='CNTFRQ_EL0'),
    Journey('fewer SVE vector lengths',
            (NEW_MAX, Site('newest', f'{MAX},sve-max-vq=2')), 'A B',
            'socket', refused='vector length'),
    # Without VHE a kernel shows ID_AA64MMFR1_EL1.VH as 0, and takes no 1.
    Journey('nvhe host', (Site('newest', append='kvm-arm.mode=nvhe'), NEW),
            'A B', 'socket', refused='VH 0 -> 1'),
    Journey('an ITS appears', (
        Site('newest', options=',its=off'), NEW), 'A B', 'socket',
            refused='ITS'),
    Journey('a CPU appears', (NEW, Site('newest', cpus=2)), 'A B', 'socket',
            refused='vCPU'),
)

# What was wrong before there was a scratch VM
FAULTS = (
    *(Journey(f'reset without a GIC in the kernel, {site.kernel}', (site,),
              'A reset A', machine=f'virt-hvc-9.2,{NO_GIC}', quick=site is LTS)
      for site in (LTS, NEW)),
    Journey('reset with a GICv2 in the kernel', (Site('6.12', gic='2'),),
            'A reset A', machine='virt-hvc-9.2,gic-version=2'),
    Journey('no GIC in the kernel, there and back', (LTS, NEW), 'A B A',
            machine=f'virt-hvc-9.2,{NO_GIC}'),
    Journey('S1PIE and a profile without ATS1A', (NEXT_MAX, NEW_MAX),
            'B', profile='A', refused='S1PIE 1 -> 0', when=Kind.START),
    Journey('S1PIE to a kernel that wants ATS1A', (NEXT_MAX, NEW_MAX), 'A B',
            refused='S1PIE'),
    *(Journey(f'registers that follow the ID registers, {site.kernel}',
              (site, NEXT_MAX), 'A B reset', quick=site is LTS_MAX)
      for site in (OLD_MAX, LTS_MAX)),
    Journey('mitigations off, on, and home', (
        Site('newest', append=UNMITIGATED), NEW), 'A B A'),
    Journey('mitigations off, on, reset there, and home', (
        Site('newest', append=UNMITIGATED), NEW), 'A B reset A',
            refused='WORKAROUND'),
    Journey('state of the PMU and the timers on one kernel', (LTS,), 'A A A',
            quick=True),
    Journey('SVE registers, there and back', (OLD_MAX, NEW_MAX), 'A B A',
            'socket', profile='A'),
    Journey('a physical timer of 6.1', (OLD, NEW), 'A timer B'),
)

# PSCI 1.3, which 6.12 leaves to QEMU: by what a guest can ask there is no
# difference to a kernel that has it.
PSCI = 'virt-hvc-9.2,hvc-services=linux-6.18'
SERVED = (
    Journey('PSCI 1.3 of QEMU and of 6.18, there and back',
            (LTS, Site('6.18')), 'A B A reset B', machine=PSCI),
    Journey('PSCI 1.3 of QEMU and of the newest, live',
            (LTS, NEW), 'A B reset A cycle B', 'socket', 4, machine=PSCI),
    Journey('off by SYSTEM_OFF2 under both', (LTS, NEW),
            'A hibernate B hibernate A hibernate', 'socket', 2, machine=PSCI,
            quick=True),
    # A new VM has no migration that carries the registers: a profile does. Nor has
    # it the addresses of the LPI tables of the guest that goes on, which Linux does
    # not write again: there is no ITS.
    Journey('Linux hibernates and goes on, under both', tuple(
        replace(site, linux='7.3', hibernates=True) for site in (LTS, NEW)),
            'A B A', HIBERNATION, 2, machine=f'{PSCI},its=off', profile='A'),
    Journey('8 CPUs flood QEMU with calls, on the way as well', (LTS, NEW),
            'A flood B calm flood A calm reset', 'socket', 8, machine=PSCI),
    Journey('PSCI 1.3 of QEMU on a protected host, there and back',
            (Site('6.12', append='kvm-arm.mode=protected'), NEW),
            'A flood calm B A hibernate', machine=PSCI),
    Journey('calls at random to QEMU and to 6.18', (LTS, Site('6.18')),
            'A hostile B hostile A hostile', machine=PSCI),
    Journey('calls at random to QEMU and to the newest, another PSCI',
            (LTS, NEW), 'A hostile B hostile reset hostile', 'socket',
            machine='virt-hvc-10.0,hvc-services=linux-6.12:+implementation-cpus,'
            'psci-version=1.2'),
    Journey('PSCI 1.3 on 6.1, which hands over nothing', (OLD,), 'A',
            machine=PSCI, when=Kind.START,
            refused=r'cannot give a guest PSCI 1\.3, it has 1\.1; needed: Linux '
            r'\S+ or later, or 6\.4 or later, where QEMU serves it', quick=True),
    Journey('PSCI 1.3 on 6.1, protected', (
        Site('6.1', append='kvm-arm.mode=protected'),), 'A', machine=PSCI,
            when=Kind.START, refused=r'cannot give a guest PSCI 1\.3'),
)

# Different CPUs: the guest reads the first of the list on both, and is told of
# all. An N1 can show all that an A76 has, and not the other way round.
N1, A76 = (Site('6.18', cpu) for cpu in ('neoverse-n1', 'cortex-a76'))
TOLD = 'virt-hvc-10.0,hvc-services=linux-6.12:+implementation-cpus'
BOTH = ',implementation-cpus=0x414fd0b1:0x414fd0c1'
OTHER_LIST = ',implementation-cpus=0x414fd0c1:0x410fd083'
MIXED = (
    Journey('from one CPU to another, and home', (N1, A76), 'A B reset A',
            machine=TOLD + BOTH, profile='B', quick=True),
    Journey('from one CPU to another, live, calls at random', (A76, N1),
            'A hostile B cycle hostile A', 'socket', 2,
            machine=TOLD + BOTH, profile='A'),
    # The same errata, those of CPUs that no host has among them, wherever it
    # boots: told.CPUS
    *(Journey(f'Linux {series} from one CPU to another', (
        Site('6.18', linux=series), Site('6.18', 'cortex-a76', linux=series)),
              'A B reset A reset', by, 2,
              machine=f'{TOLD},implementation-cpus={told.LIST}', profile='B')
      for series, by in (('6.16', 'file'), ('6.18', 'socket'))),
    Journey('from one CPU to another, protected hosts', (
        Site('newest', append='kvm-arm.mode=protected'),
        Site('newest', 'cortex-a76', 'kvm-arm.mode=protected')), 'A B reset A',
            machine=TOLD + BOTH, profile='B'),
    Journey('a list of one CPU on 6.12, which has no register for it',
            (LTS, NEW), 'A flood B calm A', machine=TOLD, quick=True),
    Journey('a CPU that the guest was not told of', (
        N1, Site('6.18', 'cortex-a76', options=OTHER_LIST)), 'B',
            machine=TOLD, when=Kind.START,
            refused=r"this host's CPU \(Cortex-A76, 0x414fd0b1/0x0/0x0\) is not "
            'one that the guest is told of'),
    Journey('another list of CPUs', (
        Site('6.18', options=BOTH), Site('6.18', options=OTHER_LIST)), 'A B',
            'socket', machine=TOLD, refused='MIDR_EL1 = 0x414fd0b1'),
    Journey('the CPU of another host on 6.12', (Site('6.12', options=BOTH),),
            'A', machine=TOLD, when=Kind.START, quick=True,
            refused=r'cannot give a guest the CPU that is first in '
            r'implementation-cpus \(Cortex-A76, .*needed: Linux 6\.15 or later'),
    Journey('a list of CPUs on 6.1, which hands over nothing', (OLD,), 'A',
            machine=TOLD.replace('6.12', '6.1'), when=Kind.START,
            refused="cannot give a guest hvc service 'implementation-cpus'"),
)

# A Linux guest whose NIC has its backend in the kernel. Its driver takes what
# it is offered, so that a restart on a newer kernel may cut off the way home.
NICS = (
    Journey('a NIC with a floor, 6.12 to 6.1', (NIC_LTS, NIC_OLD), 'A B',
            machine=FLOOR, profile='B', quick=True),
    Journey('a NIC with a floor, there, reset, home', (NIC_OLD, NIC_NEW),
            'A B reset A', machine=FLOOR, profile='A'),
    Journey('a NIC with a floor, there, reset, home, live',
            (NIC_OLD, NIC_NEW), 'A B reset A', 'socket', machine=FLOOR,
            profile='A'),
    Journey('a NIC without a floor, 6.12 to 6.1', (NIC_LTS, NIC_OLD), 'A B',
            machine=NO_FLOOR, profile='B', refused=OFFERED),
    Journey('a NIC without a floor, there and back', (NIC_OLD, NIC_NEW),
            'A B A', machine=NO_FLOOR, profile='A'),
    Journey('a NIC without a floor, restarted there', (NIC_OLD, NIC_NEW),
            'A B restart A', machine=NO_FLOOR, profile='A', refused=OFFERED),
    Journey('a NIC as on 6.1, 6.12 to 6.1', (NIC_LTS, NIC_OLD), 'A B',
            profile='B', device=OLD_NIC),
    Journey('a NIC as on 6.1, there, reset, home', (NIC_OLD, NIC_NEW),
            'A B reset A', profile='A', device=OLD_NIC),
    Journey('a NIC of q35 with a floor, 6.12 to 6.1', (X86_LTS, X86_OLD),
            'A B', machine=X86_FLOOR, quick=True),
    Journey('a NIC of q35, 6.12 to 6.1', (X86_LTS, X86_OLD), 'A B',
            machine='q35', refused=FEATURES, when=Kind.LATE, quick=True),
    Journey('a NIC of q35 with a floor, there, reset, home',
            (X86_OLD, X86_NEW), 'A B reset A', machine=X86_FLOOR),
    Journey('a NIC of q35 as on 6.1, there, reset, home', (X86_OLD, X86_NEW),
            'A B reset A', machine='q35', device=OLD_NIC),
    Journey('a NIC of q35, there and back', (X86_OLD, X86_NEW), 'A B A',
            machine='q35'),
    Journey('a NIC of q35, restarted there', (X86_OLD, X86_NEW),
            'A B restart A', machine='q35', refused=FEATURES, when=Kind.LATE),
)

# A new QEMU, and the way back
OLD_QEMU, NEW_QEMU = (Site('6.12', qemu=qemu) for qemu in ('10.0', '10.2'))
SERIES = (
    Journey('QEMU 10.0, 10.2 and back, live', (OLD_QEMU, NEW_QEMU),
            'A B reset A', 'socket', 2),
    Journey('QEMU 10.2, 10.0 and back', (NEW_QEMU, OLD_QEMU), 'A B A'),
    Journey('a new kernel with a new QEMU, and home',
            (Site('6.1', qemu='10.0'), Site('newest', qemu='10.2')),
            'A B reset A', 'socket', 2, profile='A'),
    Journey('a new kernel with a new QEMU, and home, multifd',
            (Site('6.1', qemu='10.0'), Site('newest', qemu='10.2')), 'A B A',
            'multifd', 2, profile='A'),
)

# Pages that a guest shares, also while it is moved
SHARING = 'virt-hvc-10.0,hvc-services=linux-6.12:+mem-share'
SHARED_PAGES = (
    *(Journey(f'shared pages, there and back by {by}, {cpus} CPUs', (LTS, NEW),
              'A share B keep reset share keep A share keep', by, cpus,
              machine=SHARING)
      for by, cpus in (('file', 1), ('mapped-ram', 2), ('socket', 8),
                       ('multifd', 2), ('postcopy', 2))),
    # A VM that has run counts no events after loadvm, up to Linux 6.14: such a
    # kernel sets the PMU going when a VM runs for the first time only.
    *(Journey(f'shared pages and a snapshot, {site.kernel}', (site,),
              f'A share save keep share {load} keep reset {load} keep', cpus=2,
              machine=SHARING)
      for site, load in ((LTS, 'load'), (NEW, 'back'))),
    Journey('shared pages of memory that is plugged and unplugged', (LTS, NEW),
            'A share dimm B dimm keep reset dimm share keep', 'socket', 2,
            machine=f'{SHARING},acpi=on'),
    Journey('devices that reach shared pages only, there and back', (LTS, NEW),
            'A disk share B keep disk reset disk A disk', 'socket', 2,
            machine=f'{SHARING},shared-pages=enforce', quick=True),
)

JOURNEYS = (*GENERAL, *REFUSED, *FAULTS, *SERVED, *MIXED, *NICS, *SERIES,
            *SHARED_PAGES)
