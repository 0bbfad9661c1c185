# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Cost of the check of XSAVE components; part of scripts/bench

Snapshots, as savevm and loadvm end when all is done: no polling is measured.
"""

from pathlib import Path
import subprocess
import tempfile
import time

from ..xsave_guest import XsaveVm

VCPUS = 64
ROUNDS = 20


def snapshot_ms(qemu, qemu_img):
    """Milliseconds to save and to load a VM with many vCPUs"""
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / 'disk.qcow2'
        subprocess.run([qemu_img, 'create', '-q', '-f', 'qcow2', disk, '64M'],
                       check=True)
        times = {'savevm': [], 'loadvm': []}
        with XsaveVm(qemu, 'q35', 'max', '-S', '-smp', VCPUS, '-drive',
                     f'if=none,id=disk,format=qcow2,cache=unsafe,'
                     f'file={disk}') as vm:
            for _ in range(ROUNDS):
                for what, durations in times.items():
                    started = time.monotonic()
                    said = vm.hmp(f'{what} one')
                    durations.append(1000 * (time.monotonic() - started))
                    if said:
                        raise RuntimeError(f'{what}: {said}')
        # min(): whatever else the machine does only adds time.
        return {what: min(durations) for what, durations in times.items()}


def rows(compare, stock, ours, qemu_img):
    """The rows of the table: text, limit, ratio, medians"""
    for what, text in (('savevm', 'save'), ('loadvm', 'load')):
        ratio, a, b = compare(
            text, lambda w=what: snapshot_ms(stock, qemu_img)[w],
            lambda w=what: snapshot_ms(ours, qemu_img)[w])
        yield (f'{text} {VCPUS} vCPUs : unpatched', 1.02, ratio,
               f'{a:.2f} ms', f'{b:.2f} ms')
