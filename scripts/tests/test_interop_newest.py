# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Migrates stock machines between this QEMU and Debian's newest; prints TAP.

Debian sid has a QEMU for which there are no patches here. Without options of
this project a VM goes to it, and comes from it, as it does with the unpatched
QEMU: it is taken, or refused in the same words. Where the unpatched QEMU aborts,
this one has to refuse, and live on.
"""

from functools import partial
from pathlib import Path
import re
import tempfile

from qemu_hvc import tap
from qemu_hvc.interop import load
from qemu_hvc.paths import FetchError, fetch, series_of
from qemu_hvc.qmp import QemuEnded
from qemu_hvc.vm import save

EMULATOR = 'qemu-system-aarch64'
TYPES = ('virt-9.0', 'virt-9.2', 'virt-10.0')
# Of a message, what is not the same in two processes
NOISE = re.compile(r'^\S*qemu-system-aarch64: ', re.M)


def outcome(qemu, machine, path):
    """How a load ends: words, and the VM's state; None if QEMU died of it"""
    try:
        refusal, state = load(qemu, machine, path)
    except QemuEnded as error:
        print(f'# {qemu.parent.parent.name} ended: {error}'.replace('\n', ' '))
        return None
    return NOISE.sub('', refusal), state


class Tests:
    """The test points, each a method that returns its problems."""

    def __init__(self, ours, stock, theirs, folder):
        self.ours = ours
        self.stock = stock
        self.theirs = theirs
        self.stream = folder / 'stream'

    def points(self, name):
        for machine in TYPES:
            yield f'{machine}: to {name} as unpatched', self.to, (machine,)
            yield f'{machine}: from {name} as unpatched, or refused', \
                self.back, (machine,)

    def to(self, machine):
        ends = [outcome(self.theirs, machine,
                        save(qemu, machine, self.stream))
                for qemu in (self.stock, self.ours)]
        print(f'# {ends[1]}')
        if ends[0] != ends[1]:
            yield f'unpatched: {ends[0]}'
            yield f'patched: {ends[1]}'

    def back(self, machine):
        save(self.theirs, machine, self.stream)
        stock, ours = (outcome(qemu, machine, self.stream)
                       for qemu in (self.stock, self.ours))
        print(f'# {ours}')
        if ours is None:
            yield 'it ends'
        elif stock is None and (not ours[0] or ours[1] != 'inmigrate'):
            yield f'the unpatched QEMU ends, this one does not refuse: {ours}'
        elif stock not in (None, ours):
            yield f'unpatched: {stock}'
            yield f'patched: {ours}'


def main():
    build = tap.arguments(__doc__, build=True).build
    try:
        theirs = fetch('qemu-debian', 'aarch64', 'sid')
    except FetchError as error:
        tap.skip_all(f'no QEMU of Debian: {error}')
        return 0
    name = theirs.parent.name
    print(f'# QEMU {series_of(build)} and Debian\'s {name}')
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(build / 'qemu' / EMULATOR, build / 'stock' / EMULATOR,
                      theirs, Path(folder))
        return tap.run_points([(title, partial(test, *data))
                               for title, test, data in tests.points(name)])
