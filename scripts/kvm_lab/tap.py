# SPDX-License-Identifier: GPL-2.0-or-later
"""A small matrix for every test run, as TAP: every pair with the profile of the
oldest kernel, there and back without it, and a live migration."""

import unittest

import tap

from . import kernels, live
from .common import LabError
from .kernels import Kernel
from .matrix import Matrix
from .verdict import Kind, Verdict

MACHINE = 'virt-hvc-10.0'


def chosen() -> list[Kernel]:
    """The kernels that are always needed, and the newest. LabError if one
    cannot be had."""
    found = [kernels.one(series) for series in kernels.NEEDED]
    newest = kernels.newest()
    kernels.require_needed([kernel.series for kernel in [*found, newest]])
    return [*found, newest]


def name(text: str) -> str:
    """As a method's name; tap.py shows "_" as "-"."""
    return 'test_' + text.replace('.', '_').replace(' ', '_')


def test_of(verdict: Verdict, kind: Kind, pattern: str = ''):
    def test(self: unittest.TestCase) -> None:
        self.assertIs(verdict.kind, kind, str(verdict))
        self.assertRegex(verdict.text, pattern)
    return test


def matrix_tests(title: str, matrix: Matrix,
                 refused: dict[tuple[str, str], str]) -> dict:
    """One for each pair; refused says which ones are, before RAM, and how."""
    tests = {}
    for cell in matrix.cells:
        pair = cell.source, cell.target
        tests[name(f'{title} {" to ".join(pair)}')] = test_of(
            cell.verdict, Kind.EARLY if pair in refused else Kind.OK,
            refused.get(pair, ''))
    return tests


def live_test(result: live.Result):
    def test(self: unittest.TestCase) -> None:
        self.assertEqual(result.problem, '')
    return test


def run(hardware, qemu, found: list[Kernel], jobs: int) -> None:
    """Ends the program."""
    oldest, newest = found[0], found[-1]
    profile = Matrix(hardware, qemu, 'patched', found, [MACHINE], oldest, jobs)
    profile.run()
    plain = Matrix(hardware, qemu, 'patched', [oldest, newest], [MACHINE],
                   jobs=jobs)
    plain.run()
    result = live.run(hardware, qemu, newest, MACHINE, cpus=2, times=1)
    tap.run(type('KvmLab', (unittest.TestCase,), {
        **matrix_tests('profile', profile, {}),
        # The newer kernel's registers are not what the older one has.
        **matrix_tests('plain', plain, {
            (newest.series, oldest.series):
            r'^guest-abi: incoming VM has \w+_EL1 = 0x'}),
        name(f'live {newest.series} {result.cpus} cpus'): live_test(result),
    }))


def skip(reason: LabError) -> None:
    print('1..0 # SKIP ' + str(reason).replace('#', '').partition('\n')[0])
