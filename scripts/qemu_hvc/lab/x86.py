# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Emulated x86 hosts and the VMs in them.

TCG emulates AMD's SVM, so a host is Debian's amd64 kernel with kvm-amd in our
own qemu-system-x86_64. What runs in it are the very programs that were built,
patched and unpatched, with their libraries.
"""

from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
import re
import shutil
import subprocess
import time
from typing import ClassVar

from .. import initramfs as archives, pages_guest
from ..initramfs import DATA, FOLDER, PROGRAM, cached, newc
from ..xsave_guest import NO_REBOOT, Watched, guest_options

from . import modules
from .common import PARTS, LabError, fetch, require, run_tool
from .host import CPUS, Hardware, Host
from .kernels import Kernel
from .programs import tool
from .vm import Vm, VmEnded

# Of a build's programs, by what --qemu says
FOLDERS = {'patched': 'qemu', 'stock': 'stock'}
# /dev/vda and /dev/vdb of a host, which take no space where nothing was written
DISKS = INBOX, OUTBOX = 'inbox', 'outbox'
DISK_SIZE = 1 << 30
# Where a file begins there
BEGINNING = 1 << 20


@dataclass(frozen=True)
class X86Hardware(Hardware):
    """Where KVM is AMD's: TCG emulates SVM."""
    cpu: str = 'max'
    initrd: Path = Path()

    arch: ClassVar[str] = 'amd64'

    def host(self, kernel: Kernel, files: dict[str, Path]) -> 'X86Host':
        return X86Host(self, kernel, files)

    def command(self, kernel: Kernel, words: str) -> list[str]:
        return [
            str(self.outer), '-nodefaults', '-display', 'none',
            '-monitor', 'none', '-no-reboot', '-machine', 'q35',
            '-cpu', self.cpu, '-smp', str(CPUS), '-m', self.memory,
            '-accel', 'tcg,thread=multi,tb-size=512',
            '-kernel', str(kernel.image), '-initrd', str(self.initrd),
            # Linux looks whether timer interrupts come, for a time that is too
            # short where this machine has much other work, and panics.
            '-append', 'console=ttyS0 quiet panic=-1 no_timer_check '
                       f'lab_time={int(time.time())} {words} {self.append}',
        ]


class X86Host(Host):
    """A file comes in by one disk, and goes out by another; semi-x86 knows their
    format."""

    hardware: X86Hardware

    def _start(self, stack: contextlib.ExitStack) -> None:
        for disk in DISKS:
            with (self.directory / disk).open('wb') as file:
                file.truncate(DISK_SIZE)
        self.hardware = replace(self.hardware, initrd=initramfs(
            self.kernel, self.files.get('qemu'), self.hardware.modules))
        super()._start(stack)

    def _serial_ports(self) -> list[str]:
        return [*super()._serial_ports(),
                *(word for disk in DISKS for word in (
                    '-drive', f'file={disk},id={disk},if=none,format=raw',
                    '-device', f'virtio-blk-pci,drive={disk}'))]

    def _get(self, name: str) -> None:
        path = self.directory / name
        # Not truncated: the disk is to stay as large as it is.
        with (self.directory / INBOX).open('r+b') as disk, \
                path.open('rb') as file:
            disk.write(f'{path.stat().st_size}\n'.encode())
            disk.seek(BEGINNING)
            shutil.copyfileobj(file, disk)
        super()._get(name)

    def fetch(self, name: str, target: Path) -> None:
        self.run(f'put {name}')
        with (self.directory / OUTBOX).open('rb') as disk, \
                target.open('wb') as file:
            size = int(disk.readline())
            disk.seek(BEGINNING)
            while size > 0:
                size -= file.write(disk.read(min(size, BEGINNING)))


def hardware(build: Path, cpu: str = 'max') -> X86Hardware:
    """Hosts that the QEMU of a build emulates"""
    return X86Hardware(build / 'qemu/qemu-system-x86_64', cpu)


def stripped(build: Path, name: str) -> Path:
    """A build's qemu-system-x86_64, "patched" or "stock", made small: a host
    reads all of it. LabError if it is not there"""
    program = build / FOLDERS[name] / 'qemu-system-x86_64'
    if not program.is_file():
        raise LabError(f'{program} is not there; needed: the QEMU for x86 '
                       f'hosts; run "scripts/build-qemu {build}"')
    small = build / 'kvm-x86' / name
    if not small.is_file() or \
       small.stat().st_mtime < program.stat().st_mtime:
        small.parent.mkdir(exist_ok=True)
        run_tool(require('strip'), '-o', small, program)
    return small


def libraries(program: Path) -> Iterator[Path]:
    """Those that a program is linked with, and its loader"""
    listed = subprocess.run(['ldd', program], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    yield from map(Path, re.findall(r'(/\S+) \(0x', listed))


def library_files(program: Path) -> dict[str, tuple[int, bytes]]:
    files = {}
    for path in libraries(program):
        for folder in reversed(path.parents[:-1]):
            files[str(folder)[1:]] = (FOLDER, b'')
        files[str(path)[1:]] = (PROGRAM, path.read_bytes())
    return files


def initramfs(kernel: Kernel, program: Path | None,
              load: Sequence[str]) -> Path:
    """With all that a host needs to run that program under KVM"""
    return cached('lab/x86-initramfs.cpio', newc({
        'bin': (FOLDER, b''),
        'bin/busybox': (PROGRAM, fetch('busybox', 'amd64').read_bytes()),
        'bin/semi': (PROGRAM, (PARTS / 'semi-x86').read_bytes()),
        'bin/qmp': (PROGRAM, tool('qmp', 'gcc').read_bytes()),
        'init': (PROGRAM, (PARTS / 'init').read_bytes()),
        'lab.sh': (DATA, (PARTS / 'lab.sh').read_bytes()),
        **(library_files(program) if program else {}),
        **archives.modules(modules.of(
            kernel, 'amd64', (*modules.KVM, *modules.DISKS, *load))),
    }))


class X86Vm(Watched, Vm):
    """A KVM guest in such a host: ours is "qemu", the other one "stock"."""

    def begin(self, cpu: str, *options: str, machine: str = 'pc',
              xcr0: int = 0xffffffff, pke: int = 1) -> None:
        self.start('-machine', machine, '-cpu', cpu, '-m', '16', '-L', '.',
                   *NO_REBOOT, *guest_options(Path('xsave-guest.bin'), xcr0, pke),
                   *options)

    def load(self, stream: str) -> str:
        """What QEMU says of a stream that it does not load, or nothing"""
        try:
            self.listen(f'file:{stream}')
            info = self.wait_migration()
        except VmEnded as end:
            return f'ended with status {end.status}: {end.messages}'
        return '' if info['status'] == 'completed' else info['error-desc']


class PagesVm(pages_guest.Sharing, Vm):
    """One whose guest shares pages: scripts/guests/xsave/pages.c"""

    def begin(self, *options: str, machine: str = 'pc,shared-pages=on',
              cpus: int = 1, ready: bool = True, coming: int = 0,
              edu: bool = False) -> None:
        self.start('-machine', machine, '-cpu', 'host', '-L', '.',
                   *pages_guest.guest_options(Path(pages_guest.IMAGE), cpus,
                                              ready, coming, edu), *options)
