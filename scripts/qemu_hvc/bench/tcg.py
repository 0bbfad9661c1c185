# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Cost of guest calls and of a boot under TCG; part of scripts/bench"""

import statistics
import subprocess
import sys
import time

from ..bare import build_guest
from ..linux_guest import Guest

PARAMETERS = 0x44000000
DO_HVC, DO_RNDR, DO_NOTHING = range(3)

PSCI_VERSION = 0x84000000
SMCCC_VERSION = 0x80000000
VENDOR_FEATURES = 0x86000000
TRNG_RND64 = 0xc4000053

PINNED = 'virt,hvc-services=linux-6.12'


class Bench:
    """The two binaries, and how to compare them."""

    def __init__(self, build, pairs):
        self.build = build
        self.stock = build / 'stock' / 'qemu-system-aarch64'
        self.ours = build / 'qemu' / 'qemu-system-aarch64'
        self.pairs = pairs
        self.guest = guest_of(build, 'bench-a64')

    def loop(self, qemu, machine, what, count, x0=0, x1=0):
        """Nanoseconds for one round of a loop in the guest."""
        command = [qemu, '-machine', machine, '-cpu', 'max', '-accel', 'tcg',
                   '-nodefaults', '-display', 'none', '-serial', 'stdio',
                   '-kernel', self.guest]
        for index, value in enumerate((what, count, x0, x1)):
            command += ['-device', f'loader,addr={PARAMETERS + 8 * index:#x},'
                        f'data={value:#x},data-len=8']
        output = subprocess.run(command, capture_output=True, text=True,
                                timeout=120, check=True).stdout
        ticks, frequency = (int(word, 16) for word in output.split())
        return ticks * 1e9 / frequency / count

    def compare(self, name, measure_a, measure_b):
        """Median ratio of b to a, and the medians of both."""
        values = []
        for pair in range(self.pairs):
            # Each goes first in turn, as the machine's state may drift.
            if pair % 2:
                b = measure_b()
                a = measure_a()
            else:
                a = measure_a()
                b = measure_b()
            values.append((a, b))
            print(f'\r{name}: pair {pair + 1} of {self.pairs} ',
                  end='', file=sys.stderr, flush=True)
        print(file=sys.stderr)
        ratios = [b / a for a, b in values]
        return (statistics.median(ratios),
                statistics.median(a for a, _ in values),
                statistics.median(b for _, b in values))


def guest_of(build, name):
    """A program of guests/bare in a build's directory"""
    folder = build / 'guests'
    folder.mkdir(parents=True, exist_ok=True)
    return build_guest(name, folder / f'{name}.elf')


def boot_seconds(qemu, kernel, services):
    """Seconds from QEMU's start until Linux runs init."""
    started = time.monotonic()
    with Guest(qemu, kernel, services):
        return time.monotonic() - started


def rows(bench, kernel):
    """The rows of the table: text, limit, ratio, medians, unit"""
    count = 1000000
    none = bench.loop(bench.ours, 'virt', DO_NOTHING, count)

    def call(qemu, machine, function, argument=0):
        return lambda: bench.loop(qemu, machine, DO_HVC, count, function,
                                  argument) - none

    stock_psci = call(bench.stock, 'virt', PSCI_VERSION)
    result = []
    for text, limit, measure in (
            ('PSCI_VERSION, no pinned set', 1.02,
             call(bench.ours, 'virt', PSCI_VERSION)),
            ('PSCI_VERSION, pinned', None,
             call(bench.ours, PINNED, PSCI_VERSION)),
            ('SMCCC_VERSION', 1.10, call(bench.ours, PINNED, SMCCC_VERSION)),
            ('vendor FEATURES', 1.10,
             call(bench.ours, PINNED, VENDOR_FEATURES))):
        ratio, a, b = bench.compare(text, stock_psci, measure)
        result.append((f'{text} : PSCI_VERSION unpatched', limit, ratio,
                       f'{a:.1f} ns', f'{b:.1f} ns'))

    # Bits in a microsecond: more is better, so the limit is a minimum.
    ratio, a, b = bench.compare(
        'RND64',
        lambda: 64e3 / bench.loop(bench.ours, PINNED, DO_RNDR, count),
        lambda: 192e3 / bench.loop(bench.ours, PINNED, DO_HVC, count,
                                   TRNG_RND64, 192))
    result.append(('TRNG_RND64 of 192 bits : RNDR, random bits', -2.0, ratio,
                   f'{a:.0f} bit/us', f'{b:.0f} bit/us'))

    for text, services in (('no pinned set', None), ('pinned', 'linux-6.12')):
        ratio, a, b = bench.compare(
            f'boot, {text}',
            lambda: boot_seconds(bench.stock, kernel, None),
            lambda s=services: boot_seconds(bench.ours, kernel, s))
        result.append((f'boot of Debian\'s kernel to init, {text} : unpatched',
                       1.02 if services is None else None, ratio,
                       f'{a:.2f} s', f'{b:.2f} s'))
    return result
