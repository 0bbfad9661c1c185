# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Linux guests that hibernate to their disk, and go on in another VM that has
it."""

import functools
from pathlib import Path

from .. import hibernation, linux_guest
from ..initramfs import cached, modules as module_files, newc
from . import modules
from .common import fetch
from .guest_kind import Answers, GuestKind
from .host import Host
from .kernels import Kernel, one
from .linux_kind import AnsweringLinux, append
from .vm import Vm

NAME = 'a Linux guest that hibernates'
MEMORY = '512'
LINUX, INITRD = 'linux', 'linux.cpio'
RESUME_TIMEOUT = 300
HIBERNATE_TIMEOUT = 300
# Each is a line of the probe's report.
REPORTED = ('kernel', 'cpus', 'psci', 'smccc', 'vendor', 'ptp_name')


class DiskVm(Vm):
    """image: what its disk has, a file outside; an empty disk without"""

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host, name)
        self.image: Path | None = None
        # Not one of the files that a VM of that name begins without
        self.disk = f'disk-{name}'

    def start(self, *options: str) -> None:
        if self.image:
            self.host.bring(self.disk, self.image)
        else:
            self.host.run(f'rm -f {self.disk}; truncate -s '
                          f'{hibernation.DISK_BYTES} {self.disk}')
        super().start(*options, *hibernation.drive(self.disk),
                      *hibernation.DISK_OPTIONS)

    def take_disk(self, path: Path) -> Path:
        """Its disk, as a file outside, once QEMU has ended"""
        self.host.fetch(self.disk, path)
        self.host.run(f'rm {self.disk}')
        return path


class HibernatingGuest(AnsweringLinux):
    """One with a secret, which is another after a boot"""

    def booted(self) -> None:
        """As its disk says: it boots, or goes on."""
        super().booted()
        self.run('. /hibernate.sh')
        # Of the system that goes on, if there is one
        self.run('resume', RESUME_TIMEOUT)
        self.run('remember')

    def answers(self) -> Answers:
        report = self.fields('report')
        return {**{name: report[name] for name in REPORTED},
                'midr_el1': self.run('midrs').strip(),
                **self.fields('recall')}

    def hibernate(self) -> dict:
        """What QEMU's event SHUTDOWN says of it"""
        return self.vm.event('SHUTDOWN', 'hibernate\n', HIBERNATE_TIMEOUT)


def initramfs(kernel: Kernel) -> Path:
    drivers = modules.of(kernel, 'arm64', modules.DISKS)
    return cached('lab/hibernating-guest.cpio', newc({
        **linux_guest.user_space(fetch('busybox')),
        **linux_guest.hibernation(), **module_files(drivers)}))


@functools.cache
def kind(series: str) -> GuestKind:
    """series: of the guest's kernel, as --kernels names it"""

    def files() -> dict[str, Path]:
        kernel = one(series)
        return {LINUX: kernel.image, INITRD: initramfs(kernel)}

    def options(machine: str, cpus: int = 1) -> list[str]:
        if 'gic-version=' not in machine:
            machine += ',gic-version=3'
        return ['-machine', machine, '-smp', str(cpus), '-m', MEMORY,
                '-kernel', LINUX, '-initrd', INITRD, '-append', append()]

    return GuestKind(files, options, DiskVm, HibernatingGuest,
                     f'{NAME} ({series})')
