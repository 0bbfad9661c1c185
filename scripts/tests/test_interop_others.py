# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Migrates between this QEMU and Debian's of other versions; prints TAP.

Debian has QEMUs for which there are no patches here: that of bookworm, and the
newest of sid. Their vCPUs have other registers, by which mostly none of them
goes to this QEMU or back. So it has to stay: without options of this project a
VM goes to each of them, and comes from it, as one of the unpatched QEMU does,
or is refused in the same words. Where the unpatched QEMU aborts, this one has
to refuse.
"""

from functools import partial
from pathlib import Path
import re
import tempfile

from qemu_hvc import tap
from qemu_hvc.paths import FetchError, fetch, series_of
from qemu_hvc.vm import Vm

EMULATOR = 'qemu-system-aarch64'
# Suites of Debian, and types that their QEMU and this one have
OTHERS = {'bookworm': ('virt-7.2',),
          'sid': ('virt-9.0', 'virt-9.2', 'virt-10.0')}
# What the unpatched QEMU does with a vCPU of 11.1's, and ours
ABORTED = 'vmstate_load_state: Assertion'
MENDED = 'Failed to load cpu/wfxt-timer:wfxt_timer: this VM has no such object'
# Of a message, what is not the same in two processes
NOISE = re.compile(r'^\S*qemu-system-aarch64: ', re.M)


class Tests:
    """The test points, each a method that returns its problems."""

    def __init__(self, build, folder):
        self.ours = build / 'qemu' / EMULATOR
        self.stock = build / 'stock' / EMULATOR
        self.stream = folder / 'stream'

    def points(self):
        for suite, types in OTHERS.items():
            for machine in types:
                yield (f'{machine}: Debian {suite} to ours, as to unpatched',
                       self.comes, (suite, machine))
                yield (f'{machine}: ours to Debian {suite}, as unpatched',
                       self.goes, (suite, machine))

    def moved(self, source, destination, machine):
        """What becomes of a VM that goes from one to the other, in words"""
        with Vm(source, machine) as vm:
            vm.save_by_pipe(self.stream)
        try:
            with Vm(destination, machine, '-incoming', 'defer') as vm:
                refusal = vm.load_by_pipe(self.stream)
                return NOISE.sub('', refusal) or f'the VM is {vm.state()}'
        except RuntimeError as crash:
            return str(crash)

    def alike(self, ours, stock):
        tap.Tap.comment(ours)
        if ABORTED in stock:
            if MENDED not in ours:
                yield f'the unpatched QEMU: {stock}'
                yield f'ours: {ours}; needed: {MENDED}'
        elif ours != stock or 'ended with status' in ours:
            yield f'the unpatched QEMU: {stock}'
            yield f'ours: {ours}'

    def other(self, suite):
        try:
            return fetch('qemu-debian', 'aarch64', suite)
        except FetchError as error:
            raise tap.Skip(f"no QEMU of Debian's: {error}") from None

    def comes(self, suite, machine):
        other = self.other(suite)
        yield from self.alike(self.moved(other, self.ours, machine),
                              self.moved(other, self.stock, machine))

    def goes(self, suite, machine):
        other = self.other(suite)
        yield from self.alike(self.moved(self.ours, other, machine),
                              self.moved(self.stock, other, machine))


def main():
    build = tap.arguments(__doc__, build=True).build
    print(f'# QEMU {series_of(build)}')
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(build, Path(folder))
        return tap.run_points([(title, partial(test, *data))
                               for title, test, data in tests.points()])
