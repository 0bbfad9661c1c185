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
import shlex


def with_machine_options(qemu, options, folder):
    """A program, called as QEMU is, that starts QEMU with more -machine
    options: a test chooses its machine by itself"""
    program = folder / qemu.name
    folder.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(str(qemu))} "$@" '
                       f'-machine {shlex.quote(options)}\n',
                       encoding='utf-8')
    program.chmod(0o755)
    return program


def environment(build, program):
    """The environment of a test

    build: the directory that scripts/build-qemu built in
    program: the QEMU under test
    """
    defaults = {
        'MALLOC_PERTURB_': '85',
        # Tests for which one of these is missing are skipped.
        'HVC_GUEST_DIR': f'{build}/guests',
        # Those of the tree that is built, which may be a distribution's
        'HVC_GOLDEN_DIR': f'{build}/src/tests/qtest/hvc/golden',
        'HVC_STOCK_QEMU': f'{build}/stock/qemu-system-aarch64',
    }
    return {**defaults, **os.environ, 'QTEST_QEMU_BINARY': str(program),
            'QTEST_QEMU_IMG': f'{build}/qemu/qemu-img',
            'PYTHON': '/usr/bin/python3'}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--target', default='aarch64',
                        help='aarch64 (default) or x86_64')
    parser.add_argument('--machine', metavar='OPTIONS',
                        help='options for each machine that the test starts, '
                        'such as kernel-floor=linux-6.1')
    parser.add_argument('build', type=Path, metavar='BUILD')
    parser.add_argument('test', metavar='TEST')
    parser.add_argument('arguments', metavar='ARGUMENT',
                        nargs=argparse.REMAINDER)
    args = parser.parse_args()
    build = args.build.resolve()
    qemu = build / 'qemu'
    program = qemu / f'qemu-system-{args.target}'
    if args.machine:
        program = with_machine_options(
            program, args.machine, qemu / ('with-' + args.machine))
    os.chdir(qemu)
    folder = '' if args.test.startswith('unit/') else 'qtest/'
    test = f'{qemu}/tests/{folder}{args.test}'
    os.execve(test, [test, '--tap', '-k', *args.arguments],
              environment(build, program))
