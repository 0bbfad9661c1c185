# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""An emulated host: our own TCG build with EL2, and a real kernel in it.

It is driven by shell commands over its console (see guests/lab-host/init). Files go in
and out through the directory that the outer QEMU runs in.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
from dataclasses import dataclass
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from typing import ClassVar

from ..console import Console, GuestError, as_text

from . import programs
from .common import LabError
from .kernels import Kernel
from .processes import PROCESSES

# What a terminal of Linux's takes as one line, less some.
MAX_LINE = 4000
CPU = 'neoverse-n1'
BOOT_TIMEOUT = 120
COMMAND_TIMEOUT = 60
# Of two CPUs and several threads, one may get little.
CPUS = 2


@dataclass(frozen=True)
class Hardware:
    """What hosts are made of, but for the kernel; modules are of the kernel, as
    modules.py has them."""
    outer: Path
    cpu: str = ''
    append: str = ''
    memory: str = '1G'
    modules: tuple[str, ...] = ()

    arch: ClassVar[str]

    def host(self, kernel: Kernel, files: dict[str, Path]) -> 'Host':
        """One of these, which is not booted yet"""
        return Host(self, kernel, files)

    def __str__(self) -> str:
        return f'CPU {self.cpu}' + (f' and "{self.append}"' if self.append
                                    else '')

    def as_object(self) -> dict[str, str]:
        """What makes a difference to a guest"""
        return {'cpu': self.cpu, 'append': self.append}

    def command(self, kernel: Kernel, words: str) -> list[str]:
        """The outer QEMU's command line, without a console."""
        raise NotImplementedError


@dataclass(frozen=True)
class ArmHardware(Hardware):
    """gic is a version."""
    cpu: str = CPU
    gic: str = '3'

    arch: ClassVar[str] = 'arm64'

    def __str__(self) -> str:
        return super().__str__() + (f' and GICv{self.gic}'
                                    if self.gic != '3' else '')

    def as_object(self) -> dict[str, str]:
        return {**super().as_object(), 'gic': self.gic}

    def command(self, kernel: Kernel, words: str) -> list[str]:
        return [
            str(self.outer), '-nodefaults', '-display', 'none',
            '-monitor', 'none', '-no-reboot',
            '-machine', f'virt,virtualization=on,gic-version={self.gic}',
            '-cpu', self.cpu, '-smp', str(CPUS), '-m', self.memory,
            '-accel', 'tcg,thread=multi,tb-size=512',
            '-semihosting-config', 'enable=on,userspace=on,target=native',
            '-kernel', str(kernel.image),
            '-initrd', str(programs.initramfs(kernel, self.modules)),
            '-append', 'console=ttyAMA0 quiet panic=-1 '
                       f'lab_time={int(time.time())} {words} {self.append}',
        ]


class Hosts:
    """A host that is booted when it is wanted, and again after a drop."""

    def __init__(self, make: Callable[[], 'Host']) -> None:
        self.make = make
        self.host: Host | None = None
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> 'Hosts':
        return self

    def __exit__(self, *exception: object) -> None:
        self.stack.close()

    def get(self) -> 'Host':
        if not self.host:
            self.host = self.stack.enter_context(self.make())
        return self.host

    def drop(self) -> None:
        """What went wrong once in a host may have left it in any state."""
        self.stack.close()
        self.host = None


class CommandFailed(LabError):
    """A command in the host ended with a status that is not 0."""

    def __init__(self, command: str, status: int, output: str) -> None:
        super().__init__(f'{command!r} failed in the host with status '
                         f'{status}: {output.strip()}')
        self.status = status
        self.output = output


class Host:
    """A booted host. Use it with "with", and from one thread at a time."""

    def __init__(self, hardware: Hardware, kernel: Kernel,
                 files: dict[str, Path], *, echo: bool = False) -> None:
        self.hardware = hardware
        self.kernel = kernel
        self.files = files
        self.echo = echo
        self.tag = f'@{os.urandom(4).hex()}'

    def __enter__(self) -> 'Host':
        with contextlib.ExitStack() as stack:
            self.directory = stack.enter_context(lab_directory(self.files))
            self._start(stack)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stack.close()

    def _start(self, stack: contextlib.ExitStack) -> None:
        stderr = stack.enter_context(tempfile.TemporaryFile())
        process = PROCESSES.start(
            [*self.hardware.command(self.kernel, f'lab_tag={self.tag}'),
             *self._serial_ports()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
            cwd=self.directory,
            # A signal for all of our group is for us to deal with.
            start_new_session=True)
        stack.callback(PROCESSES.stop, process)
        self.console = Console(process, stderr, self.echo)
        self._await(f'{self.tag} ready', BOOT_TIMEOUT)
        for name in self.files:
            self._get(name)
            self.run(f'chmod +x {shlex.quote(name)}')

    def _serial_ports(self) -> list[str]:
        """The console first"""
        return ['-chardev', 'stdio,id=console,signal=off',
                '-serial', 'chardev:console']

    def _await(self, pattern: str, timeout: float) -> re.Match:
        try:
            return self.console.read_until(pattern, timeout)
        except GuestError as error:
            raise self._broken(error) from None

    def _broken(self, error: GuestError) -> LabError:
        """A LabError with the last lines of the console, cut where too long;
        SystemExit if the host was ended with the program"""
        PROCESSES.check()
        lines = [line if len(line) <= 160 else f'{line[:160]}...'
                 for line in str(error).splitlines()]
        return LabError('\n'.join([f'host {self.kernel.name}: {lines[0]}',
                                   *lines[1:]]))

    def run(self, command: str, timeout: float = COMMAND_TIMEOUT) -> str:
        """A shell command in the host, one line; its output."""
        if len(command) > MAX_LINE or '\n' in command:
            raise LabError(f'a command of {len(command)} characters: '
                           f'{command[:80]!r}...; needed: one line, at most '
                           f'{MAX_LINE}; put it into a file')
        try:
            self.console.write(command + '\n')
        except GuestError as error:
            raise self._broken(error) from None
        match = self._await(rf'{self.tag} done (?P<status>\d+)', timeout)
        output = as_text(match['before']).removesuffix('\n')
        status = int(match['status'])
        if status:
            raise CommandFailed(command, status, output)
        return output

    def bring(self, name: str, source: Path) -> None:
        """A file from outside into the host, under another name perhaps."""
        shutil.copyfile(source, self.directory / name)
        self._get(name)

    def bring_text(self, name: str, text: str) -> None:
        """A file with that text into the host"""
        (self.directory / name).write_text(text, encoding='utf-8')
        self._get(name)

    def _get(self, name: str) -> None:
        """A file of the directory outside into the host"""
        self.run(f'get {shlex.quote(name)}')

    def fetch(self, name: str, target: Path) -> None:
        """A file of the host's to the outside."""
        self.run(f'put {shlex.quote(name)}')
        shutil.move(self.directory / name, target)


@contextlib.contextmanager
def lab_directory(files: dict[str, Path]) -> Iterator[Path]:
    """The directory outside, with links to the files that a host is to get."""
    with tempfile.TemporaryDirectory(prefix='kvm-lab-') as tmp:
        for name, path in files.items():
            (Path(tmp) / name).symlink_to(path.resolve())
        yield Path(tmp)


def interactive(hardware: Hardware, kernel: Kernel,
                files: dict[str, Path]) -> int:
    """A host with a shell on this terminal."""
    with lab_directory(files) as directory, contextlib.ExitStack() as stack:
        process = PROCESSES.start(
            [*hardware.command(kernel, 'lab_shell=1'), '-serial', 'mon:stdio'],
            cwd=directory)
        stack.callback(PROCESSES.stop, process)
        status = process.wait()
    return status


def quoted(command: Sequence[object]) -> str:
    return shlex.join(str(word) for word in command)
