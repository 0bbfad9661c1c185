# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What becomes of a VM that is to move by postcopy, and whose destination ends;
prints TAP.

The destination reads all that is sent, and loads nothing.
"""

from pathlib import Path
import socket
import tempfile
import threading
import unittest

from qemu_hvc import postcopy, tap
from qemu_hvc.vm import Vm

CAPABILITIES = ('postcopy-ram', 'return-path')


class Listener:
    """A destination of a migration that reads all, and loads nothing"""

    # "I am done", with an error: type and length, 2 bytes each, and a number
    FAILED = bytes((0, 1, 0, 4, 0, 0, 0, 1))

    def __init__(self, path):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        self.connection = None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        self.connection, _ = self.server.accept()
        while self.connection.recv(1 << 20):
            pass

    def end(self, message=b''):
        """Sends a last message, and sends no more; without one, the connection
        breaks"""
        self.connection.sendall(message)
        self.connection.shutdown(socket.SHUT_WR if message else
                                 socket.SHUT_RDWR)
        self.server.close()


class PostcopySource(unittest.TestCase):
    """Each test ends a destination when all has been sent to it."""

    qemu = None     # Set by main()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / 'socket'
        self.version = postcopy.version_with(self, self.qemu, CAPABILITIES)

    def migrate(self, vm):
        """Begins a migration; the destination"""
        self.path.unlink(missing_ok=True)
        to = Listener(self.path)
        vm.command('migrate', uri=f'unix:{self.path}')
        vm.command('migrate-start-postcopy')
        return to

    def test_contract_without_an_answer(self):
        """The guest runs on, though it writes nothing whose sending would fail."""
        # From 10.2 on the VM stops: see below for a connection that breaks.
        held = self.version < postcopy.COMES_BACK
        for message in (Listener.FAILED, b'')[:1 + held]:
            with self.subTest(message=message), \
                    Vm(self.qemu, 'virt-hvc-10.0') as vm:
                vm.set_capabilities(CAPABILITIES)
                to = self.migrate(vm)
                vm.wait_until(lambda info: 'ram' in info and
                              not info['ram']['remaining'])
                if held:
                    self.assertEqual(vm.state(), 'running')
                to.end(message)
                info = vm.wait_migration()
                self.assertEqual(info['status'], 'failed', info)
                self.assertEqual(vm.state(), 'running')

    def test_postcopy_whose_destination_ends(self):
        """When all has been sent, and before it has loaded the devices: the
        guest runs on at the source only if it cannot run at the destination, and
        has its memory."""
        if self.version < postcopy.COMES_BACK:
            self.skipTest('up to QEMU 10.1 a source does not wait for that')
        for more, message, status, state in (
                ((), Listener.FAILED, 'failed', 'running'),
                (('release-ram',), Listener.FAILED, 'failed', 'postmigrate'),
                ((), b'', 'postcopy-paused', 'finish-migrate')):
            with self.subTest(more=more, status=status), \
                    Vm(self.qemu, 'virt-10.0') as vm:
                vm.set_capabilities((*CAPABILITIES, *more))
                to = self.migrate(vm)
                vm.wait_until(lambda info: info['status'] == 'postcopy-device'
                              and not info['ram']['remaining'])
                to.end(message)
                vm.wait_until(lambda info: info['status'] == status)
                self.assertEqual(vm.state(), state)


def main():
    PostcopySource.qemu = tap.arguments(__doc__, build=True).build.resolve() / \
        'qemu/qemu-system-aarch64'
    return tap.run(PostcopySource)
