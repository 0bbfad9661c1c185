# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Cost of the CPU in a contract, under TCG; part of scripts/bench

All of it is measured in CPU time: the machine may have other work beside it.
"""

from pathlib import Path
import tempfile
import time

from ..qmp import Qemu
from ..stream import Stream
from .results import table

CPUS = (1, 64)
# What a QEMU is called after -, the unpatched machine, and ours
TARGETS = (('aarch64', 'virt-10.0,gic-version=3',
            'virt-hvc-10.0,gic-version=3'),
           ('x86_64', 'q35', 'q35,guest-abi=on'))
LIMIT = 1.01
# Between two looks at a VM; looking takes time of its own
IDLE_S = 0.1


class WaitingVm(Qemu):
    """A VM whose guest does not run"""

    def __init__(self, qemu, machine, cpus, *options):
        super().__init__(qemu, '-machine', machine, '-cpu', 'max', '-smp',
                         str(cpus), '-m', '64', '-accel', 'tcg', '-nodefaults',
                         '-display', 'none', '-S', *options)

    def cpu_ms(self):
        """Milliseconds of CPU time since it was started"""
        # The clock that clock_getcpuclockid() gives for a process
        return 1000 * time.clock_gettime(~self.process.pid << 3 | 2)


def start_ms(qemu, machine, cpus):
    """CPU time until a VM answers"""
    with WaitingVm(qemu, machine, cpus) as vm:
        vm.command('query-status')
        return vm.cpu_ms()


def idle_ms(*vms):
    """CPU time of VMs, once they have nothing to do"""
    now = sum(vm.cpu_ms() for vm in vms)
    while True:
        time.sleep(IDLE_S)
        before, now = now, sum(vm.cpu_ms() for vm in vms)
        if now == before:
            return now


def downtime_ms(qemu, machine, cpus):
    """CPU time of two QEMUs of one kind from a migration's switch-over on: of
    what the one sends and the other loads while no guest runs"""
    with tempfile.TemporaryDirectory() as folder, \
            WaitingVm(qemu, machine, cpus) as a, \
            WaitingVm(qemu, machine, cpus, '-incoming',
                      f'unix:{folder}/socket') as b:
        a.set_capabilities(['pause-before-switchover'])
        a.command('migrate', uri=f'unix:{folder}/socket')
        while a.command('query-migrate')['status'] != 'pre-switchover':
            time.sleep(IDLE_S)
        before = idle_ms(a, b)
        a.command('migrate-continue', state='pre-switchover')
        after = idle_ms(a, b)
        for vm in a, b:
            info = vm.wait_migration()
            if info['status'] != 'completed':
                raise RuntimeError(f'{machine} did not migrate: {info}')
    return after - before


def section_bytes(qemu, machine, cpus):
    """Bytes of the section guest-abi, and number of the contract's entries"""
    with tempfile.TemporaryDirectory() as folder, \
            WaitingVm(qemu, machine, cpus) as vm:
        entries = vm.command('query-guest-abi')['entries']
        vm.command('migrate', uri=f'file:{folder}/stream')
        vm.wait_migration()
        section, = Stream(Path(folder) / 'stream').select('guest-abi')
    return section.size, len(entries)


def tables(compare, build):
    """The table of ratios, and that of sizes"""
    rows, sizes = [], ['| machine | vCPUs | entries | bytes of the section |',
                       '|---|---|---|---|']
    for target, theirs, ours in TARGETS:
        stock, patched = (build / folder / f'qemu-system-{target}'
                          for folder in ('stock', 'qemu'))
        for cpus in CPUS:
            vcpus = f'{cpus} vCPU' + ('s' if cpus > 1 else '')
            for text, measure, limit in (
                    ('start-up', start_ms, None),
                    ('downtime', downtime_ms, LIMIT)):
                ratio, a, b = compare(
                    f'{text}, {ours}, {vcpus}',
                    lambda: measure(stock, theirs, cpus),
                    lambda: measure(patched, ours, cpus))
                rows.append((f'{text} of {ours}, {vcpus} : unpatched', limit,
                             ratio, f'{a:.1f} ms', f'{b:.1f} ms'))
            size, entries = section_bytes(patched, ours, cpus)
            sizes.append(f'| {ours} | {cpus} | {entries} | {size} |')
    return '\n'.join([table(rows), '', *sizes])
