# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A small VM that is migrated to and from a file."""

from pathlib import Path
import tempfile

from .qmp import Qemu, QemuEnded

# Streams are compared: no clock, no network card's ROM, no random bytes.
OPTIONS = ('-accel', 'tcg', '-cpu', 'cortex-a72', '-m', '64', '-nodefaults',
           '-display', 'none', '-rtc', 'base=2026-01-01T00:00:00,clock=vm')


class Vm(Qemu):
    """A VM whose streams can be compared, see with_one_ram_part()"""

    MACHINE_OPTIONS = ',dtb-randomness=off'
    OPTIONS: tuple[str, ...] = OPTIONS

    def __init__(self, qemu, machine, *options):
        super().__init__(qemu, '-machine', machine + self.MACHINE_OPTIONS,
                         *self.OPTIONS, *options)

    def save(self, path):
        self._save(f'file:{path}')

    def save_by_pipe(self, path):
        """As QEMU 7.2 can, which does not write to files itself"""
        self._save(f'exec:cat >{path}')

    def _save(self, uri):
        self.command('migrate', uri=uri)
        info = self.wait_migration()
        if info['status'] != 'completed':
            raise RuntimeError(f'migrate: {info}')

    def load(self, path):
        self.command('migrate-incoming', uri=f'file:{path}',
                     **{'exit-on-error': False})
        return self.wait_migration()

    def load_by_pipe(self, path):
        """As QEMU 7.2 can, which ends at a refusal: what it said of that, or ''.
        RuntimeError if it crashed"""
        try:
            self.command('migrate-incoming', uri=f'exec:cat {path}')
            self.wait_migration()
        except QemuEnded:
            if self.process.returncode != 1:
                raise RuntimeError(f'QEMU ended with status '
                                   f'{self.process.returncode}: '
                                   f'{self.stderr}') from None
            return self.stderr.strip()
        return ''

    def read_memory(self, address, size):
        """Bytes of the guest's memory"""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'memory'
            self.command('pmemsave', val=address, size=size,
                         filename=str(path))
            return path.read_bytes()

    def migrate_to(self, to, uri, return_path):
        """How a migration to a VM that waits for one ends on this side"""
        for peer in (to, self):
            peer.set_capabilities(['return-path'], return_path)
        to.command('migrate-incoming', uri=uri, **{'exit-on-error': False})
        self.command('migrate', uri=uri)
        return self.wait_migration()


class X86Vm(Vm):
    """The same of an x86 machine"""

    MACHINE_OPTIONS = ''
    OPTIONS = ('-accel', 'tcg', *OPTIONS[4:])


def save(qemu, machine, path, *options, vm_class=Vm):
    with vm_class(qemu, machine, *options) as vm:
        vm.save(path)
    return path
