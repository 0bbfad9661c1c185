# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What guest-abi-diff --fleet takes; part of scripts/bench"""

import json
import os
from pathlib import Path
import statistics
import subprocess
import tempfile

from ..paths import DATA, SCRIPTS

RECORD = DATA / 'fleet/linux-6.12.json'
# As many entries as a contract under KVM has
ENTRIES = 80
# Hosts, and how many of them differ from all others
FLEETS = ((100, 1), (1000, 1), (10000, 1), (10000, 10), (1000, 1000),
          (2000, 2000))


def document(number):
    """A host's file as a text; hosts of another number differ."""
    host = json.loads(RECORD.read_text(encoding='utf-8'))
    host['kernel'] = f'6.12.{number}'
    entries = host['return']['entries']
    entries += [{'name': f'arm.padding-{i}', 'value': i, 'hex': hex(i),
                 'rule': 'accepted', 'names': [], 'origin': 'default'}
                for i in range(ENTRIES - len(entries))]
    return json.dumps(host, indent=2)


def run(names, folder):
    """CPU seconds and MiB of one run"""
    process = subprocess.Popen(
        [SCRIPTS / 'guest-abi-diff', '--fleet', *names], cwd=folder,
        stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f'guest-abi-diff: status {process.returncode}')
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measured(hosts, kinds, runs):
    """Median of CPU seconds, and most MiB"""
    with tempfile.TemporaryDirectory() as tmp:
        texts = [document(kind) for kind in range(kinds)]
        names = [f'host-{i:05}.json' for i in range(hosts)]
        for i, name in enumerate(names):
            (Path(tmp) / name).write_text(texts[i % kinds], encoding='utf-8')
        seconds, mib = zip(*(run(names, tmp) for _ in range(runs)))
    return statistics.median(seconds), max(mib)


def table(runs):
    lines = ['| hosts | different files | CPU | memory |', '|---|---|---|---|']
    for hosts, kinds in FLEETS:
        seconds, mib = measured(hosts, kinds, runs)
        lines.append(f'| {hosts} | {kinds} | {seconds:.2f} s | {mib:.0f} MiB '
                     '|')
    return '\n'.join(lines)
