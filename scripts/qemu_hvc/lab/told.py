# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Linux guests that are told of the CPUs that they may run on: what they log of
that, and which errata they work around."""

import functools
from pathlib import Path

from .. import linux_guest
from ..initramfs import cached, newc
from .common import LabError, fetch
from .guest_kind import Answers, GuestKind
from .kernels import one
from .linux_kind import AnsweringLinux, append
from .vm import Vm

NAME = 'a Linux guest'
MEMORY = '256'
LINUX, INITRD = 'linux', 'linux.cpio'
# Each is a line of the probe's report.
REPORTED = ('kernel', 'cpus', 'psci', 'smccc', 'vendor', 'implementations')


class ToldGuest(AnsweringLinux):
    """One that must have been told"""

    def booted(self) -> None:
        super().booted()
        report = self.fields('report')
        if not report['implementations']:
            raise LabError(f'the guest, Linux {report["kernel"]}, logs no number '
                           'of target implementation CPUs; needed: that of its '
                           'list')

    def answers(self) -> Answers:
        report = self.fields('report')
        errata = filter(None, report['errata'].split(';'))
        return {**{name: report[name] for name in REPORTED},
                'midr_el1': self.run('midrs').strip(),
                **{f'works around {erratum}': 'yes' for erratum in errata}}


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
