# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""An x86 VM whose guest shares pages, writes them and takes them back.

The guest is scripts/guests/xsave/pages.c; layout.h there has the same addresses.
"""

from dataclasses import dataclass
import struct
import time

from .qmp import PATIENCE_S
from .vm import Vm
from .xsave_guest import NO_REBOOT, PARAMETERS, RESULTS

IMAGE = 'pages-guest.bin'
CPUS = 0x30000
CPU_SIZE = 0x1000
AREAS = 0x400000
AREA_PAGES = 256
PAGE_SIZE = 4096
DMA_PAGES = 0x300000
RESULT_NAMES = ('features', 'boots', 'control', 'faults', 'unfaulted', 'came',
                'copied')
STATE = struct.Struct(f'<10Q{AREA_PAGES}?')
# Bits of EAX of KVM's leaf
MAP_GPA_RANGE = 1 << 16
MIGRATION_CONTROL = 1 << 17
# Values with which a guest that boots makes the register fault
FAULTS = 3
# QEMU's device edu, and where its configuration is: bus 0, device 16
EDU_OPTIONS = ('-device', 'edu,id=edu0,addr=0x10')
EDU = 0x80008000
# What the guest says that it copied
COPIED_ALL, COPIED_SHARED, WROTE_PRIVATE, READ_PRIVATE = 1, 2, 4, 8


def guest_options(image, cpus=1, ready=True, coming=0, edu=False):
    """QEMU's options for a VM with the guest, and its parameters; coming: address
    of a page that is not there always; edu: whether a device copies pages"""
    options = ['-bios', str(image), '-m', '16', '-smp', str(cpus), *NO_REBOOT,
               *(EDU_OPTIONS if edu else ())]
    for index, value in enumerate((cpus, int(ready), coming, EDU * edu)):
        options += ['-device', f'loader,addr={PARAMETERS + 8 * index:#x},'
                    f'data={value:#x},data-len=8']
    return options


def listed_pages(info):
    """The addresses in a reply of query-shared-pages"""
    return {address for item in info['ranges'] for address in
            range(item['address'], item['address'] + item['size'], PAGE_SIZE)}


@dataclass(frozen=True)
class CpuState:
    """What a CPU of the guest says; see pages.c"""
    rounds: int
    errors: int
    bad: int
    bad_at: int
    hostile: int
    granted: int
    calling: int
    address: int
    pages: int
    shares: int
    shared: tuple

    def shared_pages(self, cpu, done):
        """The addresses that it shares; done: whether the call that is being
        made has been"""
        area = AREAS + cpu * AREA_PAGES * PAGE_SIZE
        shared = list(self.shared)
        if self.calling and done:
            first = (self.address - area) // PAGE_SIZE
            shared[first:first + self.pages] = [self.shares] * self.pages
        return {area + page * PAGE_SIZE
                for page, is_shared in enumerate(shared) if is_shared}


class Sharing:
    """A VM's view of its guest, for a class that has command(), state() and
    read_memory(ADDRESS, SIZE)"""

    def pages_results(self):
        """What the guest says of itself, by name"""
        words = self.read_memory(RESULTS, 8 * len(RESULT_NAMES))
        return dict(zip(RESULT_NAMES,
                        struct.unpack(f'<{len(RESULT_NAMES)}Q', words)))

    def cpu_states(self, cpus):
        memory = self.read_memory(CPUS, cpus * CPU_SIZE)
        states = []
        for cpu in range(cpus):
            *words, = STATE.unpack_from(memory, cpu * CPU_SIZE)
            states.append(CpuState(*words[:10], tuple(words[10:])))
        return states

    def watch_pages(self, cpus, rounds, patience_s=PATIENCE_S):
        """The states once each CPU has gone through so many rounds more.
        RuntimeError if something is wrong with one"""
        first = self.cpu_states(cpus)
        deadline = time.monotonic() + patience_s
        while True:
            now = self.cpu_states(cpus)
            problems = [f'CPU {cpu}: {state}' for cpu, state in enumerate(now)
                        if state.errors or state.granted]
            if self.state() != 'running':
                problems.append(f'the VM is {self.state()}')
            if all(state.rounds >= before.rounds + rounds
                   for before, state in zip(first, now)) or problems:
                break
            if time.monotonic() > deadline:
                problems.append(f'{[state.rounds for state in now]} rounds '
                                f'within {patience_s} s')
                break
            time.sleep(0.05)
        if problems:
            raise RuntimeError('the guest is not well: ' + '; '.join(problems))
        return now

    def queried_pages(self):
        """The addresses that QEMU's list has"""
        info = self.command('query-shared-pages', **{'max-ranges': 65536})
        found = listed_pages(info)
        if 'next' in info or len(found) != info['pages']:
            raise RuntimeError(f'a list of {len(found)} pages says: {info}')
        return found

    def list_problems(self, cpus):
        """In what QEMU's list and the guest's own differ, in words; the VM is
        stopped, wherever its guest was"""
        found = self.queried_pages()
        problems = []
        for cpu, state in enumerate(self.cpu_states(cpus)):
            area = range(AREAS + cpu * AREA_PAGES * PAGE_SIZE,
                         AREAS + (cpu + 1) * AREA_PAGES * PAGE_SIZE)
            here = {address for address in found if address in area}
            found -= here
            if here not in (state.shared_pages(cpu, False),
                            state.shared_pages(cpu, True)):
                problems.append(f'CPU {cpu}: QEMU has {sorted(here)}, the '
                                f'guest says {state}')
        if found:
            problems.append(f'nobody shares {sorted(found)}')
        return problems


class PagesVm(Sharing, Vm):
    """The VM on this machine; image: of the guest"""

    MACHINE_OPTIONS = ''
    OPTIONS = ('-nodefaults', '-display', 'none',
               '-rtc', 'base=2026-01-01T00:00:00,clock=vm')

    def __init__(self, qemu, machine, image, *options, cpus=1, ready=True,
                 accel='tcg', edu=False):
        super().__init__(qemu, machine, '-accel', accel,
                         *guest_options(image, cpus, ready, edu=edu),
                         *options)
