# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests that QEMU's table of kernel-floor= says of each kernel what real kernels
offer, as "kvm-lab backends" recorded it; prints TAP."""

from dataclasses import dataclass
import re
import subprocess
import unittest

from qemu_hvc import tap
from qemu_hvc.host_facts import BACKENDS
from qemu_hvc.lab.backends import Backends, recorded
from qemu_hvc.lab.kernels import as_number

ROW = re.compile(r'(?m)^ +(?P<name>\S+) +(?P<backend>tap|vhost-[a-z]+) +'
                 r'bit (?P<bit>\d+) +Linux (?P<since>\S+) +\S+$')
# A device has it by an option alone, iommu_platform=on, which is the user's.
ACCESS_PLATFORM = 33
# No kernel so far
NEVER = '-'


@dataclass(frozen=True)
class Row:
    """A line of the table; since is a kernel's version"""
    name: str
    backend: str
    bit: int
    since: str

    def is_of(self, kernel: Backends) -> bool:
        return self.since != NEVER and \
            as_number(self.since) <= as_number(kernel.release)


class FloorsAndHosts(unittest.TestCase):
    """The table as QEMU prints it"""

    qemu: str

    def setUp(self):
        result = subprocess.run(
            [self.qemu, '-machine', 'virt,kernel-floor=help'], text=True,
            check=False, capture_output=True)
        if ".kernel-floor' not found" in result.stderr:
            self.skipTest('this QEMU has no kernel-floor=')
        text = result.stdout
        self.assertEqual(result.returncode, 0, result.stderr)
        self.table = [Row(row['name'], row['backend'], int(row['bit']),
                          row['since']) for row in ROW.finditer(text)]
        self.assertTrue(self.table, text)

    def test_each_feature_is_of_the_kernels_that_have_it(self):
        for row in self.table:
            for kernel in recorded():
                with self.subTest(row=row, kernel=kernel.release):
                    self.assertEqual(row.is_of(kernel), row.bit in
                                     kernel.features(row.backend))

    def test_what_kernels_differ_in_is_in_the_table(self):
        for backend in BACKENDS:
            found = [kernel.features(backend) for kernel in recorded()]
            differ = set.union(*found) - set.intersection(*found)
            # A NIC with vhost-net has a TAP, too.
            known = {row.bit for row in self.table if row.backend in
                     (backend, 'tap' if backend == 'vhost-net' else backend)}
            self.assertEqual(differ - known - {ACCESS_PLATFORM}, set(), backend)


def main():
    parser = tap.parser(__doc__, build=True)
    args = parser.parse_args()
    FloorsAndHosts.qemu = args.build / 'qemu/qemu-system-aarch64'
    return tap.run(FloorsAndHosts)
