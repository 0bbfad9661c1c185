# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Z registers of more than 1024 bits across a migration under TCG; prints TAP.

QEMU's stream has room for 1024 bits of each. The guest is that of the KVM lab,
which fills its vectors when it starts, and looks at them when it is told to.
"""

from pathlib import Path
import re
import socket
import tempfile
import time
import unittest

from qemu_hvc import tap
from qemu_hvc.lab import bare_guest, programs
from qemu_hvc.lab.common import LabError
from qemu_hvc.qmp import Qemu

PATIENCE_S = 120
SUBSECTION = b'cpu/long-vectors'


class TcgVm(Qemu):
    """A VM with that guest, as LabGuest wants one"""

    def __init__(self, qemu, guest, folder, name, machine, cpu, *options):
        path = Path(folder) / name
        super().__init__(
            qemu, '-accel', 'tcg', '-cpu', cpu, '-nodefaults', '-display',
            'none', '-machine', f'{machine},gic-version=3', '-m', '64',
            '-device', f'loader,file={guest},cpu-num=0',
            '-chardev', f'socket,id=serial,path={path},server=on,wait=off',
            '-serial', 'chardev:serial', '-S', *options)
        self.report = f'{path}.report'
        self.qmp = self.command
        # A monitor that answers has seen all options; nothing is written yet.
        self.command('query-status')
        self.serial = socket.socket(socket.AF_UNIX)
        self.serial.connect(str(path))
        self.serial.settimeout(PATIENCE_S)
        self.output = ''

    def __exit__(self, *exception):
        self.serial.close()
        super().__exit__(*exception)

    def write(self, text):
        self.serial.sendall(text.encode())

    def expect(self, pattern):
        wanted = re.compile(rf'(?m)^(?:{pattern})[^\n]*\n')
        deadline = time.monotonic() + PATIENCE_S
        while not (match := wanted.search(self.output)):
            if time.monotonic() > deadline:
                raise LabError(f'no {pattern!r} in {self.output!r}')
            self.output += self.serial.recv(4096).decode()
        text, self.output = (self.output[:match.end()],
                             self.output[match.end():])
        return text

    def memory(self, address, size):
        self.command('pmemsave', val=address, size=size, filename=self.report)
        return Path(self.report).read_text(encoding='ascii')


class LongVectors(unittest.TestCase):
    """A guest that is saved and loaded"""

    qemu = None     # set by main()
    guest = None

    def lost(self, machine, cpu):
        """What the guest says of its vectors: their length in bytes, the first
        byte that was lost; and whether the stream has the subsection"""
        with tempfile.TemporaryDirectory() as folder:
            stream = Path(folder) / 'stream'
            with TcgVm(self.qemu, self.guest, folder, 'source', machine,
                       cpu) as source:
                source.command('cont')
                bare_guest.LabGuest(source).booted()
                before = bare_guest.LabGuest(source).answers()
                self.assertEqual(before['VECTORS_LOST'], '0')
                source.command('migrate', uri=f'file:{stream}')
                self.assertEqual(source.wait_migration()['status'],
                                 'completed')
            with TcgVm(self.qemu, self.guest, folder, 'target', machine, cpu,
                       '-incoming', 'defer') as target:
                target.command('migrate-incoming', uri=f'file:{stream}')
                self.assertEqual(target.wait_migration()['status'],
                                 'completed')
                target.command('cont')
                after = bare_guest.LabGuest(target).answers()
            return (after['VECTOR_LENGTH'], after['VECTORS_LOST'],
                    SUBSECTION in stream.read_bytes())

    def test_2048_bits(self):
        self.assertEqual(self.lost('virt-hvc-10.0', 'max'),
                         ('100', '0', True))

    def test_1024_bits(self):
        self.assertEqual(self.lost('virt-hvc-10.0', 'max,sve-max-vq=8'),
                         ('80', '0', False))

    def test_stock_stream(self):
        self.assertFalse(self.lost('virt-10.0', 'max')[2])


def main():
    LongVectors.qemu = tap.arguments(__doc__, build=True).build.resolve() / \
        'qemu/qemu-system-aarch64'
    try:
        LongVectors.guest = programs.guest()
    except LabError as error:
        tap.skip_all(error)
        return 0
    return tap.run(LongVectors)
