# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests that QEMU says what the files have; prints TAP.

NAME is one that scripts/update-golden knows.
"""

from qemu_hvc import tap
from qemu_hvc.golden.update import GOLDEN


def main():
    parser = tap.parser(__doc__, build=True)
    parser.add_argument('name', metavar='NAME', choices=GOLDEN)
    args = parser.parse_args()
    return tap.run_points(GOLDEN[args.name].points(args.build.resolve()))
