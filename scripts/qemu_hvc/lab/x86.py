# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Emulated x86 hosts and the VMs in them.

TCG emulates AMD's SVM, so a host is Debian's amd64 kernel with kvm-amd in our
own qemu-system-x86_64. What runs in it are the very programs that were built,
patched and unpatched, with their libraries.
"""

from collections.abc import Iterator
import base64
import contextlib
from dataclasses import dataclass, replace
import gzip
from pathlib import Path
import re
import subprocess
import tempfile
import time

from ..initramfs import DATA, FOLDER, PROGRAM, cached, newc
from ..xsave_guest import NO_REBOOT, Watched, guest_options

from .common import PARTS, LabError, fetch, require, run_tool
from .host import CPUS, Host
from .kernels import Kernel
from .programs import TOOL_FLAGS
from .vm import Vm, VmEnded

# Before the modules are there, there is no /dev/kvm.
MODULES = ('irqbypass.ko', 'kvm.ko', 'kvm-amd.ko')


@dataclass(frozen=True)
class X86Hardware:
    """An emulated x86 host; see host.Hardware"""
    outer: Path
    cpu: str
    initrd: Path = Path()

    def command(self, kernel: Kernel, words: str) -> list[str]:
        return [
            str(self.outer), '-nodefaults', '-display', 'none',
            '-monitor', 'none', '-no-reboot', '-machine', 'q35',
            '-cpu', self.cpu, '-smp', str(CPUS), '-m', '1G',
            '-accel', 'tcg,thread=multi,tb-size=512',
            '-kernel', str(kernel.image), '-initrd', str(self.initrd),
            '-append', 'console=ttyS0 quiet panic=-1 '
                       f'lab_time={int(time.time())} {words}',
        ]


class X86Host(Host):
    """Files come with the initramfs, and go out by the second serial port."""

    def _start(self, stack: contextlib.ExitStack) -> None:
        self.outbox = self.directory / 'outbox'
        initrd = self.directory / 'initrd'
        # The kernel unpacks one archive behind the other.
        initrd.write_bytes(
            base_initramfs(self.kernel, self.files['qemu']).read_bytes() +
            newc(
                {'files': (FOLDER, b''),
                 **{f'files/{name}': (DATA, path.read_bytes())
                    for name, path in self.files.items()}}))
        self.hardware = replace(self.hardware, initrd=initrd)
        super()._start(stack)
        for module in MODULES:
            self.run(f'insmod /{module}')

    def _serial_ports(self) -> list[str]:
        return [*super()._serial_ports(),
                '-chardev', f'file,id=outbox,path={self.outbox}',
                '-serial', 'chardev:outbox']

    def fetch(self, name: str, target: Path) -> None:
        self.run(f'put {name}')
        text = self.outbox.read_text(encoding='ascii').replace('\r', '')
        found = re.findall(rf'(?ms)^file {re.escape(name)}$(.*?)^end$', text)
        if not found:
            raise LabError(f'{name} did not come out of the host whole; '
                           'needed: a line "end" behind it')
        target.write_bytes(gzip.decompress(base64.b64decode(found[-1])))


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


def base_initramfs(kernel: Kernel, program: Path) -> Path:
    """With all that a host needs to run that program under KVM"""
    with tempfile.NamedTemporaryFile() as file:
        run_tool(require('gcc'), *TOOL_FLAGS, '-o', file.name,
                 PARTS / 'qmp.c')
        qmp = Path(file.name).read_bytes()
    files = {
        'bin': (FOLDER, b''),
        'bin/busybox': (PROGRAM, fetch('busybox', 'amd64').read_bytes()),
        'bin/semi': (PROGRAM, (PARTS / 'semi-x86').read_bytes()),
        'bin/qmp': (PROGRAM, qmp),
        'init': (PROGRAM, (PARTS / 'init').read_bytes()),
        'lab.sh': (DATA, (PARTS / 'lab.sh').read_bytes()),
        **library_files(program),
        **{module: (DATA, (kernel.image.parent / module).read_bytes())
           for module in MODULES},
    }
    return cached('lab/x86-initramfs.cpio', newc(files))


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
