# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""An unmodified Debian arm64 kernel, driven by shell commands.

Guest boots a kernel with an initramfs of our own, and the caller then runs
commands in it over the serial console.
"""

from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import dataclass
import os
from pathlib import Path
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from .console import COMMAND_TIMEOUT, Console, GuestError, as_text
from .initramfs import DATA, FOLDER, PROGRAM, cached, modules, newc
from .paths import CROSS_CC, GUESTS, fetch
from .qmp import Monitor, QemuEnded, Qmp

PARTS = GUESTS / 'linux'

# QEMU's name for what all types of the board virt are made of
BOARD = 'virt-machine'
# An arm64 kernel image, by the bytes at an offset: Image, Image.gz, vmlinuz.efi
IMAGE_MAGICS = ((0x38, b'ARM\x64'), (0, b'\x1f\x8b'), (4, b'zimg'))
BOOT_TIMEOUT = 120
RNG_BYTES = 65536
PTP_ROUNDS = 40


class CommandError(GuestError):
    """A command failed, or gave a wrong result, but the guest goes on."""


class QemuExit(GuestError):
    """QEMU ended before there was a guest; the text is what it printed."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text or f'QEMU ended with status {status}')
        self.status = status


@dataclass(frozen=True)
class Kernel:
    """A kernel image, and those of its modules that a guest loads, in order"""
    image: Path
    modules: tuple[Path, ...] = ()

    @classmethod
    def at(cls, path: Path) -> 'Kernel':
        """A directory made by "scripts/fetch kernel", or just an image."""
        if path.is_dir():
            return cls(path / 'vmlinuz', (path / 'arm_smccc_trng.ko',))
        with path.open('rb') as file:
            head = file.read(64)
        if not any(head[offset:].startswith(magic)
                   for offset, magic in IMAGE_MAGICS):
            raise GuestError(f'--kernel {path} is not an arm64 kernel; needed: '
                             'an Image, compressed or not; correct it')
        return cls(path)


def ptp_program() -> bytes | None:
    """The guest's PTP reader, or None without a cross compiler."""
    if not shutil.which(CROSS_CC):
        return None
    with tempfile.TemporaryDirectory() as tmp:
        program = Path(tmp) / 'ptp'
        subprocess.run([CROSS_CC, '-Wall', '-Os', '-ffreestanding',
                        '-fno-stack-protector', '-nostdlib', '-static',
                        '-o', program, PARTS / 'ptp.c'], check=True)
        return program.read_bytes()


def user_space(busybox: Path) -> dict[str, tuple[int, bytes]]:
    """The files of every initramfs for a Linux guest"""
    return {
        'bin': (FOLDER, b''),
        'bin/busybox': (PROGRAM, busybox.read_bytes()),
        'init': (PROGRAM, (PARTS / 'init').read_bytes()),
        'probe.sh': (DATA, (PARTS / 'probe.sh').read_bytes()),
    }


def hibernation() -> dict[str, tuple[int, bytes]]:
    """What a Linux guest that hibernates reads"""
    return {'hibernate.sh': (DATA, (PARTS / 'hibernate.sh').read_bytes())}


def initramfs(busybox: Path, kernel: Kernel) -> Path:
    files = {**user_space(busybox), **hibernation()}
    ptp = ptp_program()
    if ptp:
        files['bin/ptp'] = (PROGRAM, ptp)
    if kernel.modules:
        files.update(modules(kernel.modules))
    return cached('linux-guest/initramfs.cpio', newc(files))


def machine_option(machine: str, services: str | None,
                   psci_version: str | None) -> str:
    """-machine's argument."""
    option = machine
    for name, value in (('hvc-services', services),
                        ('psci-version', psci_version)):
        if value is not None:
            # A comma in a value must not start another option.
            option += f',{name}={value.replace(",", ",,")}'
    return option


@dataclass(frozen=True)
class Offer:
    """What the machine says it offers; services is None if not pinned."""
    services: frozenset[str] | None
    psci: str
    spec: str | None
    conduit_is_smc: bool

    @classmethod
    def of(cls, qmp: Monitor) -> 'Offer':
        names = qmp.machine_property('hvc-services-list') or 'host'
        psci = qmp.machine_property('psci-version') or 'host'
        return cls(
            services=(None if names == 'host'
                      else frozenset(names.split(':')) - {'none'}),
            # Without a pinned set, QEMU 10.0 under TCG has PSCI 1.1.
            psci='1.1' if psci == 'host' else psci,
            spec=qmp.machine_property('hvc-services'),
            conduit_is_smc=bool(qmp.machine_property('virtualization')))

    @property
    def psci_version(self) -> tuple[int, ...]:
        return tuple(int(number) for number in self.psci.split('.'))


@dataclass(frozen=True)
class PtpOffset:
    """The guest's PTP clock minus the host's, in ns, is between these."""
    low: int
    high: int

    @property
    def bound(self) -> int:
        return max(abs(self.low), abs(self.high))


def fields_of(text: str) -> dict[str, str]:
    return dict(re.findall(r'(?m)^(\w+)=(.*)$', text))


class Guest:
    """One Linux guest, booted and waiting for commands. Use it with "with".

    report is what Linux found at boot: the fields of guests/linux/probe.sh.
    """

    def __init__(self, qemu: Path, kernel: Kernel,
                 services: str | None = None, psci_version: str | None = None,
                 *, machine: str = 'virt', cpu: str = 'max', smp: int = 2,
                 extra: Sequence[str] = (), echo: bool = False) -> None:
        self.qemu = qemu
        self.kernel = kernel
        self.machine = machine_option(machine, services, psci_version)
        self.cpu = cpu
        self.smp = smp
        self.extra = extra
        self.echo = echo
        self.tag = f'@{os.urandom(4).hex()}'
        self.report: dict[str, str] = {}

    def command(self, append: str) -> list[str]:
        """QEMU's command line, without a console."""
        # -nodefaults: the default NIC would need an option ROM that Debian's
        # QEMU source does not carry.
        return [str(self.qemu), '-nodefaults', '-display', 'none',
                '-machine', self.machine, '-cpu', self.cpu,
                '-smp', str(self.smp), '-m', '512',
                '-kernel', str(self.kernel.image),
                '-initrd', str(initramfs(fetch('busybox'), self.kernel)),
                '-append', f'console=ttyAMA0 {append}', *self.extra]

    def __enter__(self) -> 'Guest':
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._boot()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stack.close()

    def _start(self, stack: contextlib.ExitStack, run: bool = True) -> None:
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        stderr = stack.enter_context(tempfile.TemporaryFile())
        with theirs:
            self.process = subprocess.Popen(
                [*self.command(f'hvc_tag={self.tag}'), '-S',
                 '-chardev', 'stdio,id=console,signal=off',
                 '-serial', 'chardev:console',
                 '-chardev', f'socket,id=qmp,fd={theirs.fileno()}',
                 '-mon', 'chardev=qmp,mode=control'],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                pass_fds=[theirs.fileno()])
        stack.callback(self._stop)
        self.console = Console(self.process, stderr, self.echo)
        try:
            self.qmp = Qmp.on_socket(ours)
        except QemuEnded:
            output = self.process.stdout.read()
            status = self.process.wait()
            stderr.seek(0)
            raise QemuExit(as_text(output + stderr.read()).strip(),
                           status) from None
        self._check()
        self.offer = Offer.of(self.qmp)
        self.kvm = self.qmp.command('query-kvm')['enabled']
        if run:
            self.qmp.command('cont')

    def _check(self) -> None:
        """GuestError if an arm64 kernel cannot boot in this VM"""
        board = self.qmp.command('qom-get', path='/machine', property='type')
        if all(row['name'] != board for row in
               self.qmp.command('qom-list-types', implements=BOARD)):
            raise GuestError(
                f"machine '{board.removesuffix('-machine')}' is not one that "
                'the kernel can boot on here; needed: virt, or a type such as '
                'virt-10.0 or virt-hvc-10.0; give another --machine')
        for cpu in self.qmp.command('query-cpus-fast'):
            # Only models of AArch64 have the property.
            if not self.qmp.object_property(cpu['qom-path'], 'aarch64'):
                raise GuestError(
                    f"CPU '{self.cpu}' does not run AArch64 code, which an "
                    'arm64 kernel is; needed: a model such as max or '
                    'cortex-a57; give another --cpu')

    def check(self) -> None:
        """GuestError or QemuExit if the guest cannot boot; does not boot it."""
        with contextlib.ExitStack() as stack:
            self._start(stack, run=False)

    def _stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in self.process.stdin, self.process.stdout:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _boot(self) -> None:
        self.console.read_until(f'{self.tag} ready', BOOT_TIMEOUT)
        self.report = fields_of(self.run('report'))

    def run(self, command: str, timeout: float = COMMAND_TIMEOUT) -> str:
        """A shell command in the guest; its output."""
        self.console.write(command + '\n')
        match = self.console.read_until(rf'{self.tag} done (?P<status>\d+)',
                                        timeout)
        output = as_text(match['before'])
        status = int(match['status'])
        if status:
            raise CommandError(f"'{command}' failed in the guest with status "
                               f'{status}: {output.strip()}')
        return output

    def reboot(self) -> None:
        """Through PSCI SYSTEM_RESET; then, report is the new boot's."""
        self.console.write('reboot -f\n')
        self._boot()

    def rng(self) -> dict[str, str]:
        """Reads 64 KiB from /dev/hwrng, and checks that they look random."""
        rng = fields_of(self.run(f'rng {RNG_BYTES}'))
        size, compressed = int(rng['bytes']), int(rng['compressed'])
        if size != RNG_BYTES or compressed < size:
            raise CommandError(f'/dev/hwrng gave {size} bytes that compress '
                               f'to {compressed}, not {RNG_BYTES} random ones')
        return rng

    def ptp_offset(self) -> PtpOffset:
        """How far the guest's PTP clock is from the host's clock.

        The guest reads its clock at some time between our question and its
        answer. So each round trip bounds the difference from both sides,
        however slow the console is, and together they bound it closely.
        """
        # "ptp pair" fails at once, and by name, without a PTP device.
        self.run('ptp pair 0')
        low, high = -2**63, 2**63
        self.console.write('ptp serve\n')
        for _ in range(PTP_ROUNDS):
            asked = time.time_ns()
            self.console.write('\n')
            match = self.console.read_until(r'(?P<ns>\d+)', COMMAND_TIMEOUT)
            answered = time.time_ns()
            low = max(low, int(match['ns']) - answered)
            high = min(high, int(match['ns']) - asked)
        self.run('q')
        return PtpOffset(low, high)

    def ptp_pairs(self) -> list[tuple[int, int]]:
        """The PTP clock minus the guest's raw clock, in ns, got in two ways.

        First by reading the one between two readings of the other, then from
        the pair (wall clock, counter) that the hypervisor makes.
        """
        lines = self.run('ptp pair 10').splitlines()
        pairs = []
        for bracket, cross in zip(lines[::2], lines[1::2]):
            if 'error' in cross:
                raise CommandError(f'PTP_SYS_OFFSET_PRECISE: {cross}')
            before, ptp, after = (int(n) for n in bracket.split()[1:])
            device, _, raw = (int(n) for n in cross.split()[1:])
            pairs.append((ptp - (before + after) // 2, device - raw))
        return pairs

    def steal(self) -> dict[str, int]:
        """Stolen time in ticks of 10 ms: "cpu" sums up "cpu0", "cpu1"..."""
        fields = fields_of(self.run('steal'))
        return {cpu: int(ticks) for cpu, ticks in fields.items()}

    def run_delay(self) -> int:
        """How long the vCPU threads waited for a CPU of the host, in ns."""
        tasks = Path(f'/proc/{self.process.pid}/task')
        return sum(
            int((tasks / str(cpu['thread-id']) / 'schedstat')
                .read_text().split()[1])
            for cpu in self.qmp.command('query-cpus-fast'))

    @contextlib.contextmanager
    def overloaded(self) -> Iterator[None]:
        """The whole of QEMU and three busy loops share one CPU of the host.

        One CPU, because then it does not matter how many the host has.
        """
        allowed = os.sched_getaffinity(0)
        one = {max(allowed)}

        def pin(cpus: set[int]) -> None:
            for task in os.listdir(f'/proc/{self.process.pid}/task'):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(task), cpus)

        loops = []
        try:
            for _ in range(3):
                loops.append(subprocess.Popen(
                    [sys.executable, '-c', 'while True: pass']))
                os.sched_setaffinity(loops[-1].pid, one)
            pin(one)
            yield
        finally:
            pin(allowed)
            for loop in loops:
                loop.kill()
                loop.wait()
