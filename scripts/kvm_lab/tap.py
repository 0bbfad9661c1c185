# SPDX-License-Identifier: GPL-2.0-or-later
"""The small matrix for every test run, as TAP."""

import unittest

import tap

from . import kernels, live
from .common import LabError
from .kernels import Kernel, as_number
from .matrix import Matrix
from .verdict import Kind

MACHINE = 'virt-hvc-10.0'
# From here on, every kernel takes what any other one saved.
BOTH_WAYS = '6.12'


def chosen() -> list[Kernel]:
    """The kernels that are always needed, and the newest. LabError if one
    cannot be had."""
    found = [kernels.one(series) for series in kernels.NEEDED]
    newest = kernels.newest()
    kernels.require_needed([kernel.series for kernel in [*found, newest]])
    return [*found, newest]


def allowed(source: str, target: str) -> set[Kind]:
    """Back to a kernel that is older than the floor, by name or not at all."""
    if source == target or as_number(target) >= as_number(BOTH_WAYS):
        return {Kind.OK}
    return {Kind.OK, Kind.START, Kind.EARLY}


def name(text: str) -> str:
    """As a method's name; tap.py shows "_" as "-"."""
    return 'test_' + text.replace('.', '_').replace(' ', '_')


def pair_test(matrix: Matrix, source: str, target: str):
    def test(self: unittest.TestCase) -> None:
        verdict = matrix.cell(MACHINE, source, target).verdict
        self.assertIn(verdict.kind, allowed(source, target), str(verdict))
    return test


def live_test(result: live.Result):
    def test(self: unittest.TestCase) -> None:
        self.assertEqual(result.problem, '')
    return test


def test_case(matrix: Matrix, result: live.Result) -> type[unittest.TestCase]:
    """One test for each pair and one for the live migration."""
    series = [kernel.series for kernel in matrix.kernels]
    tests = {name(f'{source} to {target}'): pair_test(matrix, source, target)
             for source in series for target in series}
    tests[name(f'live {result.kernel.series} {result.cpus} cpus')] = \
        live_test(result)
    return type('KvmLab', (unittest.TestCase,), tests)


def run(hardware, qemu, found: list[Kernel], jobs: int) -> None:
    """Ends the program."""
    matrix = Matrix(hardware, qemu, 'patched', found, [MACHINE], jobs=jobs)
    matrix.run()
    result = live.run(hardware, qemu, found[-1], MACHINE, cpus=2, times=1)
    tap.run(test_case(matrix, result))


def skip(reason: LabError) -> None:
    print('1..0 # SKIP ' + str(reason).replace('#', '').partition('\n')[0])
