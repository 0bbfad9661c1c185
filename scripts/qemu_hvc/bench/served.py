# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Cost of calls that QEMU serves where the kernel does not; part of scripts/bench

Times by the guest's counter, but for an exit to which nobody does anything: that
is of a program without QEMU. Each is compared with a call of the same round that
the kernel answers, SMCCC_VERSION.
"""

import argparse
from collections.abc import Iterator
import statistics
import sys

from ..lab import bare_guest, kernels, programs, qemu_build
from ..lab.common import LabError
from ..lab.host import ArmHardware, Host
from ..lab.vm import Vm
from .results import table

# Function of SMCCC that a kernel before 6.13 leaves to QEMU, how many registers
# QEMU reads and writes for it, and what it is compared with
KERNELS_OWN = 'SMCCC_VERSION'
SERVED = {'PSCI_VERSION': (0, 4), 'PSCI_FEATURES': (1, 4),
          'DISCOVER_IMPL_VER': (0, 4), 'DISCOVER_IMPL_CPUS': (1, 4)}
MACHINE = 'virt-hvc-10.0,hvc-services=linux-6.18:+implementation-cpus'
# All vCPUs make calls without end; what is asked then, and in what time it is
# to be answered
FLOODING = 8
QUERIES = 100
QUERY = 'query-status'
PATIENCE_S = 0.1


def exit_times(host: Host) -> dict[str, float]:
    """Nanoseconds of a call that the kernel answers, and of an empty exit"""
    return {name: float(value) for name, value in
            (line.split() for line in host.run('exits').splitlines())}


def ratios(host: Host, guest: bare_guest.LabGuest,
           count: int) -> dict[str, tuple[list[float], list[float]]]:
    """By function, or "exit": of each round the ratio to the kernel's own, and
    the microseconds"""
    found: dict[str, tuple[list[float], list[float]]] = {
        name: ([], []) for name in ('exit', KERNELS_OWN, *SERVED)}
    for number in range(count):
        times = guest.times()
        empty = exit_times(host)
        for name in (KERNELS_OWN, *SERVED):
            found[name][0].append(times[name] / times[KERNELS_OWN])
            found[name][1].append(times[name] * 1e6)
        found['exit'][0].append(empty['exit'] / empty['kernel'])
        found['exit'][1].append(empty['exit'] / 1e3)
        print(f'\rcalls: round {number + 1} of {count} ', end='',
              file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def call_rows(found: dict[str, tuple[list[float], list[float]]]) \
        -> Iterator[tuple]:
    """The rows of the table: text, limit, ratio, what is compared"""
    def micros(name: str) -> str:
        return f'{statistics.median(found[name][1]):.1f} us'

    def ratio(name: str) -> float:
        return statistics.median(found[name][0])

    own = micros(KERNELS_OWN)
    yield ("an exit to which nobody does anything : a call that the kernel "
           'answers', None, ratio('exit'), own, micros('exit'))
    for name, (reads, writes) in SERVED.items():
        yield (f"{name} of QEMU ({reads + writes} registers) : a call that the "
               'kernel answers', None, ratio(name), own, micros(name))
        yield (f'{name} of QEMU : an exit to which nobody does anything', None,
               ratio(name) / ratio('exit'), micros('exit'), micros(name))


def flood_row(host: Host) -> tuple:
    """The monitor's slowest answer while all vCPUs make calls without end"""
    vm = Vm(host, 'flood', patience=4)
    vm.start(*bare_guest.options(MACHINE, FLOODING))
    guest = bare_guest.LabGuest(vm)
    guest.booted()
    calm = vm.latencies(QUERY, QUERIES)
    guest.flood()
    flooded = vm.latencies(QUERY, QUERIES)
    calls, wrong = guest.calm()
    vm.quit()
    if wrong or not all(calls):
        raise LabError(f'{wrong} answers were wrong of {calls} calls; needed: '
                       'none, of calls of each vCPU')
    return (f'slowest of {QUERIES} answers of QMP while {FLOODING} vCPUs make '
            f'calls without end : {PATIENCE_S * 1e3:.0f} ms', 1.0,
            max(flooded) / PATIENCE_S,
            f'{statistics.median(calm) * 1e3:.2f} ms in calm '
            f'(slowest {max(calm) * 1e3:.1f})',
            f'{statistics.median(flooded) * 1e3:.2f} ms '
            f'(slowest {max(flooded) * 1e3:.1f})')


def text(args: argparse.Namespace) -> str:
    """The section of the results

    args: build, kernel, pairs
    """
    kernel = kernels.one(args.kernel)
    hardware = ArmHardware(args.build / 'qemu/qemu-system-aarch64')
    files = {'qemu': qemu_build.build_qemu(args.build),
             'guest': programs.guest()}
    with Host(hardware, kernel, files) as host:
        vm = Vm(host, 'served')
        vm.start(*bare_guest.options(MACHINE))
        guest = bare_guest.LabGuest(vm)
        guest.booted()
        found = ratios(host, guest, args.pairs)
        vm.quit()
        rows = [*call_rows(found), flood_row(host)]
    return '\n'.join([
        f'In one emulated host of 2 CPUs, Linux {kernel.release}, CPU '
        f'{hardware.cpu}: a VM with {MACHINE}. Calls go by the counter of the '
        'guest; an empty exit is that of a program without QEMU.', '',
        table(rows)])
