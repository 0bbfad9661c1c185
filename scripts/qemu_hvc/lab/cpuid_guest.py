# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""x86 guests that execute what CPUID told them of, and list all that it says.

The guest is scripts/guests/xsave. What it was told when it booted it uses for
the rest of its life: an instruction that is gone ends it.
"""

from collections.abc import Iterator
import functools
from pathlib import Path
import re
import sys

from ..initramfs import cached
from ..paths import GUESTS
from ..xsave_guest import FEATURES, NO_REBOOT, Watched, guest_options

from . import nic
from .common import LabError, run_tool
from .guest_kind import Answers, GuestKind
from .kernels import Kernel
from .vm import Vm

NAME = 'guests that execute what CPUID told them of'
IMAGE = 'xsave-guest.bin'
# What QEMU loads into each x86 machine, and what guest-abi-probe's have
FIRMWARE = ('kvmvapic.bin', 'bios-256k.bin')
RUNS, GUEST = 'runs', 'the guest'
# Of CPUID, what no contract has, as docs/system/i386/cpu-contract.rst says: the
# name and the caches of the host's CPU, and the frequency of its TSC
HOSTS_OWN = re.compile(r'CPUID (80000002|80000003|80000004|80000005|80000006|'
                       r'80000019|8000001d\.\d|4\.\d|2|15|16|40000010)-e[abcd]x')


class CpuidVm(Watched, Vm):
    """A KVM guest in such a host"""


class CpuidGuest:
    """The guest of a VM that runs it; see guest_kind.AnsweringGuest"""

    def __init__(self, vm: CpuidVm) -> None:
        self.vm = vm

    def booted(self) -> None:
        state = self._state()[0]
        if state != RUNS:
            raise LabError(f'the guest of {self.vm.name} {state}; needed: one '
                           'that runs')

    def reboot(self) -> None:
        try:
            self.vm.reboot()
        except RuntimeError as error:
            raise LabError(str(error)) from error

    def _state(self) -> tuple[str, dict[str, int]]:
        """What became of the guest, in words; and its results"""
        try:
            results = self.vm.watch()
        except RuntimeError:
            results = self.vm.results()
            use = results['using']
            return ('ended at ' + (FEATURES[use - 1] if use else
                                   'a comparison of its registers'), results)
        if results['errors']:
            return (f'runs, but {results["errors"]} bytes of its registers '
                    'are others', results)
        return RUNS, results

    def answers(self) -> Answers:
        state, results = self._state()
        if state != RUNS:
            return {GUEST: state}
        return {GUEST: state, 'XCR0': f'{results["xcr0"]:#x}',
                **{f'executes {name}': 'yes'
                   for bit, name in enumerate(FEATURES)
                   if results['told'] >> bit & 1},
                **{f'CPUID {name}': f'{value:#x}'
                   for name, value in self.vm.cpuid().items()}}

    def differences(self, before: Answers, after: Answers, source: Kernel,
                    target: Kernel) -> list[str]:
        del source, target
        return [text for name, text in changes(before, after)
                if not HOSTS_OWN.fullmatch(name)]

    def asides(self, before: Answers, after: Answers, source: Kernel,
               target: Kernel) -> list[str]:
        del source, target
        return [text for name, text in changes(before, after)
                if HOSTS_OWN.fullmatch(name)]


def changes(before: Answers, after: Answers) -> Iterator[tuple[str, str]]:
    """Names of answers that differ, and how. A guest that does not run says
    nothing more."""
    if before[GUEST] != after[GUEST]:
        yield GUEST, f'{GUEST}: {before[GUEST]}, then {after[GUEST]}'
        return
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield name, (f'{name}: {before.get(name, "none")}, then '
                         f'{after.get(name, "none")}')


@functools.cache
def kind(build: Path) -> GuestKind:
    """For the hosts of x86.py; BUILD has what QEMU's build made"""

    @functools.cache
    def files() -> dict[str, Path]:
        folder = build / 'guests'
        run_tool('sh', GUESTS / 'xsave/build.sh', folder)
        if not (folder / IMAGE).is_file():
            raise LabError(f'{folder / IMAGE} is not there; needed: a compiler '
                           'for x86; run scripts/setup')
        return {IMAGE: cached(f'lab/{IMAGE}', (folder / IMAGE).read_bytes()),
                **{name: nic.firmware_file(build, name)
                   for name in FIRMWARE}}

    def options(machine: str, cpus: int = 1) -> list[str]:
        return ['-machine', machine, '-smp', str(cpus), '-m', '16', '-L', '.',
                *NO_REBOOT, *guest_options(Path(IMAGE))]

    return GuestKind(files, options, CpuidVm, CpuidGuest, NAME,
                     (sys.modules[__name__],))
