# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Runs one of the tests in QEMU's build as QEMU's own "make check" would.

TEST is a name such as qom-test or hvc/test-hvc-spec, of a program in
BUILD/qemu/tests/qtest, or unit/test-vmstate, of one in BUILD/qemu/tests/unit;
arguments are those of a GLib test, such as -p PATH or -l.
"""

import argparse
import os
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--target', default='aarch64',
                        help='aarch64 (default) or x86_64')
    parser.add_argument('build', type=Path, metavar='BUILD')
    parser.add_argument('test', metavar='TEST')
    parser.add_argument('arguments', metavar='ARGUMENT',
                        nargs=argparse.REMAINDER)
    args = parser.parse_args()
    qemu = args.build.resolve() / 'qemu'
    os.chdir(qemu)
    os.environ.update(QTEST_QEMU_BINARY=f'{qemu}/qemu-system-{args.target}',
                      QTEST_QEMU_IMG=f'{qemu}/qemu-img',
                      PYTHON='/usr/bin/python3')
    os.environ.setdefault('MALLOC_PERTURB_', '85')
    folder = '' if args.test.startswith('unit/') else 'qtest/'
    program = f'{qemu}/tests/{folder}{args.test}'
    os.execv(program, [program, '--tap', '-k', *args.arguments])
