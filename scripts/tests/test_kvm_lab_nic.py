# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Guests whose virtio devices have their backends in the host's kernel, on real
kernels; prints TAP: journeys of Linux with a NIC on arm64 and x86 hosts, and what
TAP and vhost of each kernel offer."""

import argparse
from pathlib import Path
import platform
import subprocess
import sys
import unittest

from qemu_hvc import tap
from qemu_hvc.lab import backends, cli, commands, kernels
from qemu_hvc.lab.common import LabError, fetch
from test_kvm_lab import journey_tests, name, skip

# Where guests come from, and where they go
KERNELS = ('6.12', '6.1')
FLOOR = 'kernel-floor='


def backend_test(found: backends.Backends):
    """The kernel says what the record has."""
    def test(self: unittest.TestCase) -> None:
        self.assertEqual(list(backends.differences(backends.RECORD, [found])),
                         [])
    return test


def lacks(build: Path) -> tuple[str, ...]:
    """The options of -machine that this QEMU does not have"""
    known = subprocess.run(
        [build / 'qemu/qemu-system-x86_64', '-machine',
         f'q35,{FLOOR}help'], check=False, capture_output=True)
    return () if known.returncode == 0 else (FLOOR,)


def run(args: argparse.Namespace, hardware) -> int:
    lacked = lacks(args.build)
    wanted, skipped = [], {}
    for journey in commands.chosen_journeys((), quick=True):
        missing = [option for option in lacked if option in journey.machine]
        if not journey.sites[0].nic:
            continue
        if missing:
            skipped[name(f'journey {journey.name}')] = \
                skip(f'this QEMU has no {missing[0]}')
        else:
            wanted.append(journey)
    return tap.run(type('KvmLabNic', (unittest.TestCase,), {
        **{name(f'backends of {found.name}'): backend_test(found)
           for found in commands.parallel(
               args, lambda series: backends.probe(hardware,
                                                   kernels.one(series)),
               KERNELS)},
        **journey_tests(hardware, commands.inner_qemu(args), args, wanted),
        **skipped,
    }))


def run_test(args: argparse.Namespace) -> int:
    try:
        if platform.machine() != 'x86_64':
            raise LabError('the programs that were built do not run on an x86 '
                           'host')
        for arch in 'arm64', 'amd64':
            for series in KERNELS:
                kernels.one(series, arch)
            fetch('busybox', arch)
        fetch('lab-sysroot')
    except LabError as error:
        tap.skip_all(error)
        return 0
    return run(args, commands.hardware_of(args))


COMMAND = (run_test, lambda parser: None, 'guests with a NIC, as TAP',
           'The quick journeys of Linux guests with a NIC (TAP and vhost-net) '
           'from Linux 6.12\nto 6.1, on arm64 hosts and on x86 hosts with q35, '
           'with kernel-floor= and\nwithout; and whether TAP and vhost of\nthese kernels offer what the record '
           'has. Skipped without kernels, and on other\nmachines than x86-64.')


def main():
    return cli.main({'nic': COMMAND}, ['nic', *sys.argv[1:]])
