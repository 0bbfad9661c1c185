# SPDX-License-Identifier: GPL-2.0-or-later
"""A small matrix for every test run, as TAP: every pair with the profile of the
oldest kernel, there and back without it, options that contradict each other,
and a live migration."""

import dataclasses
import unittest

import tap

from . import guests, kernels, live, parts
from .common import LabError
from .host import Host
from .kernels import Kernel
from .matrix import Matrix
from .verdict import Kind, Verdict
from .vm import Vm, VmEnded

MACHINE = 'virt-hvc-10.0'

# Options that contradict each other under KVM: what the test is called, the
# machine, the CPU, and what QEMU says instead of starting
CONTRADICTIONS = (
    ('stolen time not chosen', 'virt,hvc-services=none',
     'host,kvm-steal-time=on', 'kvm-steal-time=on contradicts '
     "hvc-services=none, which does not give the guest hvc service 'pv-time'; "
     'leave out kvm-steal-time, or add :pv-time to hvc-services'),
    ('stolen time chosen', 'virt-hvc-10.0', 'host,kvm-steal-time=off',
     'kvm-steal-time=off contradicts hvc-services=linux-6.12, which gives the '
     "guest hvc service 'pv-time'; leave out kvm-steal-time, or add :-pv-time "
     'to hvc-services'),
    ('stolen time in AArch32', 'virt-hvc-10.0', 'host,aarch64=off',
     'hvc-services=linux-6.12: KVM cannot give an AArch32 guest hvc service '
     "'pv-time', which is for AArch64; add :-pv-time to hvc-services"),
)
# One that has AArch32 guests
CONTRADICTIONS_CPU = 'cortex-a72'


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


def test_of(verdict: Verdict, kind: Kind, pattern: str):
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
            refused.get(pair, '^$'))
    return tests


def live_test(result: live.Result):
    def test(self: unittest.TestCase) -> None:
        self.assertEqual(result.problem, '')
    return test


def start(host: Host, machine: str, cpu: str) -> str:
    """What QEMU says; '' if it starts."""
    vm = Vm(host, 'contradiction')
    try:
        vm.start(*guests.options(machine), '-cpu', cpu)
    except VmEnded as end:
        return end.messages
    vm.quit()
    return ''


def contradiction_tests(hardware, qemu, kernel: Kernel) -> dict:
    """One for each of CONTRADICTIONS."""
    def test_of_start(found: str, message: str):
        def test(self: unittest.TestCase) -> None:
            self.assertIn(message, found)
        return test

    with Host(dataclasses.replace(hardware, cpu=CONTRADICTIONS_CPU), kernel,
              {'qemu': qemu, 'guest': parts.guest()}) as host:
        return {name(title): test_of_start(start(host, machine, cpu), message)
                for title, machine, cpu, message in CONTRADICTIONS}


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
        **contradiction_tests(hardware, qemu, newest),
        name(f'live {newest.series} {result.cpus} cpus'): live_test(result),
    }))


def skip(reason: LabError) -> None:
    print('1..0 # SKIP ' + str(reason).replace('#', '').partition('\n')[0])
