# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Cost of the contract under KVM, in an emulated host; part of scripts/bench"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
import statistics
import sys

from ..lab import commands, downtime, ioctls, kernels, programs, qemu_build
from ..lab.host import ArmHardware, Host
from .results import table

STOCK, OURS = 'stock', 'ours'
STOCK_MACHINE, OUR_MACHINE = 'virt-10.0', 'virt-hvc-10.0'
LIMIT = 1.01


@dataclass(frozen=True)
class Pair:
    """A migration of the unpatched QEMU and one of ours"""
    stock: downtime.Times
    ours: downtime.Times

    @property
    def ratio(self) -> float:
        return self.ours.downtime / self.stock.downtime

    @property
    def growth(self) -> float:
        """The unpatched QEMU's downtime if its vCPUs took as long as ours"""
        return 1 + (self.ours.vcpus - self.stock.vcpus) / self.stock.downtime


def measure_pairs(host: Host, cpus: int,
                  count: int) -> tuple[list[Pair], list[float]]:
    """Pairs of migrations, and the milliseconds of scratch VMs on the way"""
    travellers = {
        STOCK: downtime.Traveller(host, STOCK, STOCK_MACHINE, cpus),
        OURS: downtime.Traveller(host, OURS, OUR_MACHINE, cpus,
                                 [downtime.SCRATCH]),
    }
    pairs, scratch = [], []
    for number in range(count):
        # Each goes first in turn, as the machine's state may drift.
        order = (STOCK, OURS) if number % 2 else (OURS, STOCK)
        times = {name: travellers[name].migrate() for name in order}
        pairs.append(Pair(times[STOCK], times[OURS]))
        scratch += downtime.scratch_ms(travellers[OURS].trace())
        print(f'\r{cpus} vCPUs: pair {number + 1} of {count} ', end='',
              file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for traveller in travellers.values():
        traveller.quit()
    return pairs, scratch


def rows(cpus: int, pairs: Iterable[Pair]) -> list[tuple]:
    """The rows of the table: text, limit, ratio, medians"""
    def milliseconds(name: str, of: str) -> str:
        values = [getattr(getattr(pair, of), name) for pair in pairs]
        return f'{statistics.median(values):.2f} ms'

    pairs = list(pairs)
    vcpus = f'{cpus} vCPU' + ('s' if cpus > 1 else '')
    return [
        (f'downtime, {vcpus} : unpatched', LIMIT,
         statistics.median(pair.ratio for pair in pairs),
         milliseconds('downtime', STOCK), milliseconds('downtime', OURS)),
        (f'downtime, {vcpus}, by the load of vCPUs alone : unpatched', LIMIT,
         statistics.median(pair.growth for pair in pairs),
         milliseconds('downtime', STOCK), milliseconds('vcpus', OURS)
         + ' instead of ' + milliseconds('vcpus', STOCK)),
    ]


def text(args: argparse.Namespace) -> str:
    """The section of the results

    args: build, kernel, cpus (those whose downtime is measured), count (those
    whose accesses are), pairs
    """
    kernel = kernels.one(args.kernel)
    hardware = ArmHardware(args.build / 'qemu/qemu-system-aarch64')
    files = {STOCK: qemu_build.build_qemu(args.build, stock=True),
             OURS: qemu_build.build_qemu(args.build),
             'guest': programs.guest()}
    results, scratch = [], []
    with Host(hardware, kernel, files) as host:
        for cpus in args.cpus:
            pairs, more = measure_pairs(host, cpus, args.pairs)
            results += rows(cpus, pairs)
            scratch += more
        counts = [row for cpus in args.count
                  for program, machine in ((STOCK, STOCK_MACHINE),
                                           (OURS, OUR_MACHINE))
                  for row in ioctls.measure(host, machine, cpus,
                                            f'./{program}')]
    return '\n'.join([
        f'Live migrations inside one emulated host, Linux {kernel.release}, '
        f'CPU {hardware.cpu}.', '', table(results), '',
        f'A scratch VM takes {statistics.median(scratch):.1f} ms (median of '
        f'{len(scratch)}; {min(scratch):.1f} to {max(scratch):.1f}), '
        'whatever number of vCPUs the VM has.', '',
        'KVM_GET_ONE_REG and KVM_SET_ONE_REG by class of register:', '',
        '```text', ioctls.table(counts) + '```'])


def options(parser: argparse.ArgumentParser) -> None:
    """Those of kvm alone"""
    group = parser.add_argument_group('kvm')
    group.add_argument('--kernel', metavar='KERNEL', default='6.12',
                       help="the emulated host's kernel, as kvm-lab names it "
                       '(default: 6.12)')
    group.add_argument('--cpus', metavar='LIST', default=[1, 8],
                       type=commands.cpu_counts,
                       help='numbers of vCPUs whose downtime is measured '
                       '(default: 1,8)')
    group.add_argument('--count', metavar='LIST', default=[1, 8],
                       type=commands.cpu_counts,
                       help='numbers of vCPUs whose accesses to registers are '
                       'counted, up to 512 (default: 1,8)')
