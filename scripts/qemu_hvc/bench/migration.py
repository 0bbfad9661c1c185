# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Cost of a refused migration, and downtime; part of scripts/bench"""

from pathlib import Path
import socket
import statistics
import tempfile
import threading
import time

from ..qmp import Qemu
from .results import table
from .tcg import guest_of

RAM_BASE = 0x40000000
PARAMETERS = 0x40100000
MIB = 1 << 20
LIMIT_SECONDS = 300
# Socket buffers: a small one counts only what the destination took, a large
# one does not slow down a migration that sends all of RAM.
SMALL_BUFFER, LARGE_BUFFER = 4096, MIB

PINNED = 'virt-10.0,hvc-services=linux-6.12'
OTHER = 'virt-10.0,hvc-services=linux-6.12:-ptp'


class WritingVm(Qemu):
    """A VM of MIB MiB; its guest writes to all of them, and then says so. Its
    migrations are looked at often, as they are measured."""

    migration_patience_s = LIMIT_SECONDS
    migration_pause_s = 0.002

    def __init__(self, qemu, machine, mib, guest, incoming=False,
                 cpu='cortex-a57'):
        self._console, console = socket.socketpair()
        self._console.settimeout(LIMIT_SECONDS)
        end = RAM_BASE + mib * MIB
        with console:
            super().__init__(
                qemu, '-machine', machine, '-cpu', cpu, '-m', f'{mib}M',
                '-accel', 'tcg', '-nodefaults', '-display', 'none',
                '-chardev', f'socket,id=console,fd={console.fileno()}',
                '-serial', 'chardev:console', '-kernel', guest,
                '-device', f'loader,addr={PARAMETERS:#x},data={end:#x},'
                'data-len=8', *(('-incoming', 'defer') if incoming else ()),
                pass_fds=[console.fileno()])

    def __exit__(self, *exception):
        super().__exit__(*exception)
        self._console.close()

    def wait_dirty(self):
        """Until the guest has written to every page"""
        self._console.recv(1)


class Counter:
    """A proxy between source and destination that counts bytes"""

    def __init__(self, folder, size):
        self.size = size
        self.front = str(folder / 'front')
        self.back = str(folder / 'back')
        self.bytes = 0
        self._listener = socket.socket(socket.AF_UNIX)
        # Bytes in this socket's buffer did not reach the destination.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        self._listener.bind(self.front)
        self._listener.listen(1)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        source, _ = self._listener.accept()
        destination = socket.socket(socket.AF_UNIX)
        destination.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.size)
        destination.connect(self.back)
        threading.Thread(target=self._copy, daemon=True,
                         args=(destination, source, False)).start()
        self._copy(source, destination, True)

    def _copy(self, sender, receiver, count):
        try:
            while data := sender.recv(self.size):
                receiver.sendall(data)
                if count:
                    self.bytes += len(data)
        except OSError:
            pass
        for end in (sender, receiver):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def migrate(source, destination, size=LARGE_BUFFER):
    """Bytes, seconds and both sides' query-migrate of one migration"""
    with tempfile.TemporaryDirectory() as folder:
        counter = Counter(Path(folder), size)
        destination.command('migrate-incoming', uri=f'unix:{counter.back}',
                            **{'exit-on-error': False})
        source.command('migrate-set-parameters',
                       **{'max-bandwidth': 10 << 30})
        started = time.monotonic()
        source.command('migrate', uri=f'unix:{counter.front}')
        info = destination.wait_migration()
        seconds = time.monotonic() - started
        return counter.bytes, seconds, source.wait_migration(), info


def refusal(qemu, mib, guest, source, destination, size):
    """Median bytes and seconds until the destination refuses."""
    runs = []
    for _ in range(3):
        with WritingVm(qemu, source[0], mib, guest, cpu=source[1]) as a, \
             WritingVm(qemu, destination[0], mib, guest, True,
                       cpu=destination[1]) as b:
            a.wait_dirty()
            # A stopped guest dirties no RAM, so the migration converges.
            a.command('stop')
            count, seconds, _, info = migrate(a, b, size)
            if info['status'] != 'failed':
                raise RuntimeError(f'{destination} did not refuse {source}')
            runs.append((count, seconds))
    return (statistics.median(count for count, _ in runs),
            statistics.median(seconds for _, seconds in runs))


def downtime_ms(qemu, machine, guest):
    """A migration's downtime between two QEMUs of one kind"""
    with WritingVm(qemu, machine, 64, guest) as a, \
         WritingVm(qemu, machine, 64, guest, True) as b:
        a.wait_dirty()
        a.command('stop')
        _, _, info, _ = migrate(a, b)
        if info['status'] != 'completed':
            raise RuntimeError(f'{machine} did not migrate')
        return info['downtime']


def section_size(qemu, guest):
    """Bytes of a pinned VM's section guest-abi, header and footer included"""
    name = b'\x09guest-abi'
    with tempfile.TemporaryDirectory() as folder, \
         WritingVm(qemu, PINNED, 64, guest) as vm:
        # A stopped guest dirties no RAM, so the migration converges.
        vm.command('stop')
        vm.command('migrate', uri=f'file:{folder}/stream')
        vm.wait_migration()
        stream = (Path(folder) / 'stream').read_bytes()
    # Type and section id come before the name; instance and version behind.
    start = stream.index(name) - 5
    content = start + 5 + len(name) + 8
    end = content + 4 + int.from_bytes(stream[content:content + 4], 'big')
    if stream[end] != 0x7e:
        raise RuntimeError('the section guest-abi is not as expected')
    return end + 5 - start


def refusals(stock, ours, guest):
    """The rows of the table of refusals"""
    model, another = 'cortex-a57', 'max'
    rows = []
    for text, qemu, source, destination, size in (
            ('guest-abi: a service is missing', ours, (PINNED, model),
             (OTHER, model), SMALL_BUFFER),
            ('unpatched: another CPU model', stock, ('virt-10.0', model),
             ('virt-10.0', another), LARGE_BUFFER)):
        for mib in (64, 4096):
            count, seconds = refusal(qemu, mib, guest, source, destination,
                                     size)
            rows.append((text, mib, count, seconds))
    return rows


def tables(bench):
    """The table of refusals, and that of downtime"""
    guest = guest_of(bench.build, 'dirty-a64')
    lines = ['| refusal | guest | sent until refused | time |',
             '|---|---|---|---|']
    for text, mib, count, seconds in refusals(
            bench.stock, bench.ours, guest):
        lines.append(f'| {text} | {mib} MiB, dirtied | {count / 1024:.1f} KiB '
                     f'| {1000 * seconds:.0f} ms |')
    ratio, a, b = bench.compare(
        'downtime',
        lambda: max(1, downtime_ms(bench.ours, 'virt-10.0', guest)),
        lambda: max(1, downtime_ms(bench.ours, PINNED, guest)))
    lines += ['', table([('downtime of a 64 MiB guest, with a contract : '
                          'without', None, ratio, f'{a:.0f} ms',
                          f'{b:.0f} ms')])]
    size = section_size(bench.ours, guest)
    lines += ['', f'The section guest-abi has {size} bytes.']
    return '\n'.join(lines)
