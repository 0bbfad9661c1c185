# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Linux guests that are told of the CPUs that they may run on: what they log of
that, and which errata they work around."""

import functools
from pathlib import Path
import re

from .. import linux_guest
from ..initramfs import cached, newc
from .common import LabError, fetch, say
from .guest_kind import Answers, GuestKind
from .kernels import one
from .linux_kind import AnsweringLinux, append
from .vm import Vm

NAME = 'a Linux guest'
MEMORY = '256'
LINUX, INITRD = 'linux', 'linux.cpio'
# What those guests are told of, MIDR_EL1 by MIDR_EL1, and the errata of each
# that Linux logs: the Cortex-A76 that they read, a Neoverse N1, both of which
# hosts have, and two that no host has, so that it is the list that tells of
# their errata: an older Neoverse N1, and a Cortex-A57
CPUS = {
    0x414fd0b1: (),
    0x414fd0c1: (),
    0x413fd0c0: ('1418040',),
    0x411fd070: ('832075', '834220', '1319367', '1742098'),
}
LIST = ':'.join(f'{midr:#x}' for midr in CPUS)
ERRATA = {erratum for errata in CPUS.values() for erratum in errata}
# Each is a line of the probe's report.
REPORTED = ('kernel', 'cpus', 'psci', 'smccc', 'vendor', 'implementations',
            'errata')


class ToldGuest(AnsweringLinux):
    """One that must have been told, and works around the errata of all CPUs
    that it was told of"""

    def booted(self) -> None:
        super().booted()
        answers = self.answers()
        found = {
            'target implementation CPUs':
                re.findall(r'\d+$', answers['implementations']),
            'MIDR_EL1': {int(midr, 16) for midr in answers['midr_el1'].split()},
            'errata': ERRATA & set(re.findall(r'\d{6,}', answers['errata']))}
        needed = {'target implementation CPUs': [str(len(CPUS))],
                  'MIDR_EL1': {next(iter(CPUS))}, 'errata': ERRATA}
        for name, value in needed.items():
            if found[name] != value:
                raise LabError(f'the guest, Linux {answers["kernel"]}, has '
                               f'{name} {found[name]}; needed: {value}')
        say(f'Linux {answers["kernel"]}: {answers["implementations"]}; '
            f'MIDR_EL1 {answers["midr_el1"]}; works around '
            f'{answers["errata"]}')

    def answers(self) -> Answers:
        report = self.fields('report')
        return {**{name: report[name] for name in REPORTED},
                'midr_el1': self.run('midrs').strip()}


def initramfs() -> Path:
    return cached('lab/told-guest.cpio',
                  newc(linux_guest.user_space(fetch('busybox'))))


@functools.cache
def kind(series: str) -> GuestKind:
    """series: of the guest's kernel, as --kernels names it"""
    def files() -> dict[str, Path]:
        return {LINUX: one(series).image, INITRD: initramfs()}

    def options(machine: str, cpus: int = 1) -> list[str]:
        if 'gic-version=' not in machine:
            machine += ',gic-version=3'
        return ['-machine', machine, '-smp', str(cpus), '-m', MEMORY,
                '-kernel', LINUX, '-initrd', INITRD, '-append', append()]

    return GuestKind(files, options, Vm, ToldGuest, f'{NAME} ({series})')
