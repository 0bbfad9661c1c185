# SPDX-License-Identifier: GPL-2.0-or-later
"""An unmodified Debian arm64 kernel that tells what services it found.

As a module: Guest boots a kernel with an initramfs of our own, and the caller
then drives it with shell commands over the serial console. As a program (by
scripts/run): boots one guest and compares what Linux found with what QEMU was
asked for.
"""

import argparse
from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import BinaryIO

from .paths import GUESTS, SCRIPTS

PARTS = GUESTS / 'linux'
CACHE = Path(os.environ.get('XDG_CACHE_HOME')
             or Path.home() / '.cache') / 'qemu-hvc' / 'linux-guest'
CROSS_CC = 'aarch64-linux-gnu-gcc'

BOOT_TIMEOUT = 120
COMMAND_TIMEOUT = 60
RNG_BYTES = 65536
PTP_ROUNDS = 40


class GuestError(Exception):
    """The guest did not do what it was told; the text says what it did."""


class CommandError(GuestError):
    """A command failed, or gave a wrong result, but the guest goes on."""


class QemuExit(GuestError):
    """QEMU ended before there was a guest; the text is what it printed."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text or f'QEMU ended with status {status}')
        self.status = status


# --- what the guest is made of ---

@dataclass(frozen=True)
class Kernel:
    """A kernel image, and the driver of the TRNG service if it is known."""
    image: Path
    trng_module: Path | None

    @classmethod
    def at(cls, path: Path) -> 'Kernel':
        """A directory made by "scripts/fetch kernel", or just an image."""
        if path.is_dir():
            return cls(path / 'vmlinuz', path / 'arm_smccc_trng.ko')
        return cls(path, None)


def fetch(*what: str) -> Path:
    """The path that scripts/fetch prints; its progress goes to our stderr."""
    last = ''
    with subprocess.Popen([SCRIPTS / 'fetch', *what], text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            sys.stderr.write(last)
            last = line
        path = process.stdout.read().strip()
    if process.returncode:
        # One error, by the one who reports it.
        raise GuestError(last.strip().removeprefix('fetch: error: '))
    sys.stderr.write(last)
    return Path(path)


def cached(name: str, content: bytes) -> Path:
    """A file in the cache, written so that nobody ever sees a part of it."""
    path = CACHE / name
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=CACHE, delete=False) as new:
            new.write(content)
        os.rename(new.name, path)
    return path


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


def newc(files: dict[str, tuple[int, bytes]]) -> bytes:
    """A cpio archive in an initramfs's format: name -> (mode, content).

    Not made by cpio(1), which takes owners and times from the file system:
    the same input must give the same bytes for the cache to work.
    """
    archive = bytearray()

    def pad() -> None:
        archive.extend(bytes(-len(archive) % 4))

    entries = [*files.items(), ('TRAILER!!!', (0, b''))]
    for inode, (name, (mode, content)) in enumerate(entries, start=1):
        raw = name.encode() + b'\0'
        # uid, gid, links, time, size, four device numbers, name's size, sum
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0,
                  len(raw), 0)
        archive += b'070701' + b''.join(b'%08x' % n for n in fields) + raw
        pad()
        archive += content
        pad()
    return bytes(archive)


def initramfs(busybox: Path, kernel: Kernel) -> Path:
    program, folder, data = 0o100755, 0o040755, 0o100644
    files = {
        'bin': (folder, b''),
        'bin/busybox': (program, busybox.read_bytes()),
        'init': (program, (PARTS / 'init').read_bytes()),
        'probe.sh': (data, (PARTS / 'probe.sh').read_bytes()),
    }
    ptp = ptp_program()
    if ptp:
        files['bin/ptp'] = (program, ptp)
    if kernel.trng_module:
        files['arm_smccc_trng.ko'] = (data, kernel.trng_module.read_bytes())
    archive = newc(files)
    digest = hashlib.sha256(archive).hexdigest()[:16]
    return cached(f'initramfs-{digest}.cpio', archive)


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


# --- talking to it ---

class Console:
    """The guest's serial console: QEMU's stdin and stdout."""

    def __init__(self, process: subprocess.Popen, stderr: BinaryIO,
                 echo: bool) -> None:
        self.process = process
        self.stderr = stderr
        self.echo = echo
        self.text = bytearray()
        self.seen = 0

    def write(self, text: str) -> None:
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise GuestError('QEMU ended' + self._tail()) from None

    def read_until(self, pattern: str, timeout: float) -> re.Match:
        """Waits for a line that matches, after the last one waited for.

        The match's group "before" is the text up to it.
        """
        wanted = re.compile(rb'(?s)(?P<before>.*?)^(?:' + pattern.encode()
                            + rb')\r?\n', re.MULTILINE)
        deadline = time.monotonic() + timeout
        while True:
            match = wanted.match(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            if b'Kernel panic' in self.text[self.seen:]:
                raise GuestError('the guest panicked' + self._tail())
            if not self._read(deadline - time.monotonic()):
                raise GuestError('no answer from the guest within '
                                 f'{timeout:g} seconds' + self._tail())

    def _read(self, timeout: float) -> bool:
        stdout = self.process.stdout
        if timeout <= 0 or not select.select([stdout], [], [], timeout)[0]:
            return False
        chunk = os.read(stdout.fileno(), 65536)
        if not chunk:
            raise GuestError('QEMU ended' + self._tail())
        self.text += chunk
        if self.echo:
            sys.stderr.write(as_text(chunk))
        return True

    def _tail(self) -> str:
        self.stderr.seek(0)
        lines = as_text(self.text).splitlines()[-15:] or ['(nothing)']
        return '\n'.join([
            '; last lines of its console:', *(f'  | {line}' for line in lines),
            *as_text(self.stderr.read()).splitlines()])


def as_text(output: bytes) -> str:
    return output.decode(errors='replace').replace('\r', '')


class Qmp:
    """A connection to QEMU's monitor."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(COMMAND_TIMEOUT)
        self.file = sock.makefile('rw', encoding='utf-8')
        self._read()
        self.command('qmp_capabilities')

    def _read(self) -> dict:
        line = self.file.readline()
        if not line:
            raise ConnectionError('QEMU closed its monitor')
        return json.loads(line)

    def command(self, name: str, **arguments: object) -> object:
        self.file.write(json.dumps({'execute': name,
                                    'arguments': arguments}) + '\n')
        self.file.flush()
        while True:
            answer = self._read()
            if 'return' in answer:
                return answer['return']
            if 'error' in answer:
                raise GuestError(f'QMP {name}: {answer["error"]["desc"]}')

    def machine_property(self, name: str) -> object:
        """None where the machine lacks it, as in an unpatched QEMU."""
        properties = self.command('qom-list', path='/machine')
        if all(item['name'] != name for item in properties):
            return None
        return self.command('qom-get', path='/machine', property=name)


@dataclass(frozen=True)
class Offer:
    """What the machine says it offers; services is None if not pinned."""
    services: frozenset[str] | None
    psci: str
    spec: str | None
    conduit_is_smc: bool

    @classmethod
    def of(cls, qmp: Qmp) -> 'Offer':
        names = qmp.machine_property('hvc-services-list') or 'host'
        psci = qmp.machine_property('psci-version') or 'host'
        return cls(
            services=(None if names == 'host'
                      else frozenset(names.split(':')) - {'none'}),
            # Not pinned is what stock QEMU 10.0 has under TCG.
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

    def _start(self, stack: contextlib.ExitStack) -> None:
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
            self.qmp = Qmp(ours)
        except ConnectionError:
            output = self.process.stdout.read()
            status = self.process.wait()
            stderr.seek(0)
            raise QemuExit(as_text(output + stderr.read()).strip(),
                           status) from None
        self.offer = Offer.of(self.qmp)
        self.kvm = self.qmp.command('query-kvm')['enabled']
        self.qmp.command('cont')

    def _stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in self.process.stdin, self.process.stdout:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _boot(self) -> None:
        self.console.read_until(f'{self.tag} ready', BOOT_TIMEOUT)
        self.report = fields_of(self.run('report'))

    def run(self, command: str) -> str:
        """A shell command in the guest; its output."""
        self.console.write(command + '\n')
        match = self.console.read_until(rf'{self.tag} done (?P<status>\d+)',
                                        COMMAND_TIMEOUT)
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
        # Fails at once, and by name, where there is nothing to read.
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


# --- what was asked for, and what Linux found ---

@dataclass
class Finding:
    """One row of the table. A wrong one has a problem."""
    what: str
    asked: str
    found: str
    remark: str = ''
    problem: str = ''


# What Linux did with a service, or '' if it did not find it.

def trng_evidence(guest: Guest) -> str:
    if 'smccc_trng' not in guest.report['rng_available'].split():
        # The device without its driver: a kernel given as a bare image.
        return guest.report['trng_device'] and \
            'device smccc_trng, but no driver here to read it'
    rng = guest.rng()
    return f'hwrng {guest.report["rng_current"]}, {rng["bytes"]} bytes read'


def pv_time_evidence(guest: Guest) -> str:
    if 'using stolen time PV' not in guest.report['steal_time']:
        return ''
    stolen = guest.steal()['cpu'] * 10
    return f'using stolen time PV, {stolen} ms stolen so far'


def vendor_evidence(guest: Guest) -> str:
    vendor = guest.report['vendor']
    return vendor if 'KVM: hypervisor services detected' in vendor else ''


def ptp_evidence(guest: Guest) -> str:
    if not guest.report['ptp_name']:
        return ''
    evidence = f'/dev/ptp0 "{guest.report["ptp_name"]}"'
    if shutil.which(CROSS_CC):
        bound = guest.ptp_offset().bound / 1e6
        evidence += f", within {bound:.1f} ms of the host's clock"
    return evidence


# Why Linux does not look for a service that is there, or ''.

def smccc_obstacle(guest: Guest) -> str:
    if guest.offer.psci_version >= (1, 0):
        return ''
    return f'Linux looks for no service with PSCI {guest.offer.psci}'


def vendor_obstacle(guest: Guest) -> str:
    major, minor = re.findall(r'\d+', guest.report['kernel'])[:2]
    if guest.offer.conduit_is_smc and (int(major), int(minor)) < (6, 16):
        return 'Linux before 6.16 does not look with virtualization=on'
    return smccc_obstacle(guest)


def ptp_obstacle(guest: Guest) -> str:
    if 'vendor-features' not in guest.offer.services:
        return 'Linux looks for it only through vendor-features'
    return vendor_obstacle(guest)


SERVICES = {
    'trng': (trng_evidence, smccc_obstacle),
    'pv-time': (pv_time_evidence, smccc_obstacle),
    'vendor-features': (vendor_evidence, vendor_obstacle),
    'ptp': (ptp_evidence, ptp_obstacle),
}


def check_version(what: str, wanted: str, message: str) -> Finding:
    match = re.search(r'v(\d+\.\d+)', message)
    found = match[1] if match else 'none'
    problem = '' if found == wanted else \
        f'{what}: asked for {wanted}, Linux found {found}'
    return Finding(what, wanted, found, message, problem)


def check_service(guest: Guest, service: str) -> Finding:
    evidence_of, obstacle_to = SERVICES[service]
    evidence = evidence_of(guest)
    asked = service in (guest.offer.services or ())
    remark, problem = evidence, ''
    if asked and not evidence:
        obstacle = obstacle_to(guest)
        if obstacle:
            remark = f'as expected: {obstacle}'
        else:
            problem = f'{service}: asked for, but not found by Linux'
    elif evidence and not asked:
        problem = f'{service}: found by Linux, but not asked for'
    return Finding(service, 'yes' if asked else 'no',
                   'yes' if evidence else 'no', remark, problem)


def check(guest: Guest) -> list[Finding]:
    """Everything that was asked for or found, as rows of the table."""
    offer = guest.offer
    # Linux asks for the SMCCC version from PSCI 1.0 on, and takes no answer
    # (from stock QEMU) as 1.0.
    smccc = 'none' if offer.psci_version < (1, 0) else \
        '1.0' if offer.services is None else '1.1'
    findings = [check_version('PSCI', offer.psci, guest.report['psci']),
                check_version('SMCCC', smccc, guest.report['smccc'])]
    findings += [check_service(guest, service) for service in SERVICES]
    findings += [
        Finding(service, 'yes', '?', '', f'{service}: asked for, but '
                'linux_guest.py does not know how Linux uses it')
        for service in sorted((offer.services or set()) - SERVICES.keys())]
    if guest.kvm and offer.services is None:
        # Then the host's kernel decides, and anything is right.
        for finding in findings:
            finding.asked, finding.problem = 'any', ''
    return findings


def print_table(guest: Guest, findings: list[Finding]) -> None:
    spec = f'hvc-services={guest.offer.spec}' if guest.offer.spec \
        else 'no hvc-services'
    print(f'\nLinux {guest.report["kernel"]}, {guest.report["cpus"]} CPUs '
          f'({guest.cpu}), {spec}')
    rows = [('service', 'asked', 'Linux', 'what Linux made of it')]
    rows += [(row.what, row.asked, row.found,
              ('WRONG  ' if row.problem else '') + row.remark)
             for row in findings]
    width = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = (cell.ljust(size) for cell, size in zip(row, width))
        print('  ' + '  '.join(cells).rstrip())
    print()


# --- the program ---

def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='run', epilog='scripts/run --help '
                                     'describes these options.')
    parser.add_argument('--qemu', type=Path, required=True)
    parser.add_argument('--kernel', type=Path, required=True)
    parser.add_argument('--machine', default='virt')
    parser.add_argument('--services')
    parser.add_argument('--psci-version')
    parser.add_argument('--cpu', default='max')
    parser.add_argument('--smp', default='2')
    parser.add_argument('--shell', action='store_true')
    parser.add_argument('--verbose', action='store_true')
    parser.add_argument('extra', nargs='*')
    return parser.parse_args()


def show(guest: Guest) -> int:
    with guest:
        findings = check(guest)
        print_table(guest, findings)
    problems = [finding.problem for finding in findings if finding.problem]
    for problem in problems:
        print(f'run: error: {problem}', file=sys.stderr)
    if not problems:
        print('Linux found exactly what was asked for.')
    return bool(problems)


def main() -> int:
    # Let "finally" and "with" run, so that no QEMU stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    args = arguments()
    guest = Guest(args.qemu, Kernel.at(args.kernel), args.services,
                  args.psci_version, machine=args.machine, cpu=args.cpu,
                  smp=args.smp, extra=args.extra, echo=args.verbose)
    try:
        if args.shell:
            command = guest.command('quiet hvc_shell=1')
            os.execv(command[0], [*command, '-serial', 'mon:stdio'])
        return show(guest)
    except QemuExit as end:
        # Its own words: a bad SPEC, or the help that was asked for.
        print(end, file=sys.stderr if end.status else sys.stdout)
        return bool(end.status)
    except GuestError as error:
        print(f'run: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == '__main__':
    sys.exit(main())
