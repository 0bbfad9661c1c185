# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Runs the commands of the manual's migration guide; prints TAP.

They are those of docs/system/arm/hvc-migration.rst, in order, each on the host
that its prompt names (see qemu_hvc/manual.py), here a directory. Those of virsh
are run by the test "libvirt".

There is no KVM here, so that QEMU is asked for TCG and a CPU of its own instead,
and not given the profile; and of the files that guest-abi-probe makes, those of
real hosts (data/fleet) take the place, before they are compared. What a profile
does is tested by "kvm-lab test", on real kernels.

Besides, the six steps that other pages and README.md show are the guide's.
"""

from functools import partial
import json
from pathlib import Path
import re
import shutil
import subprocess
import tempfile
import time

from qemu_hvc import tap
from qemu_hvc.manual import Hosts, PROGRAMS, commands
from qemu_hvc.paths import DATA, ROOT, SCRIPTS

GUIDE = ROOT / 'docs/system/arm/hvc-migration.rst'
STEPS = ROOT / 'docs/system/arm/hvc-rollback-path.rst.inc'
README = ROOT / 'README.md'
PATIENCE_S = 60
REST = '-smp 2 -m 64 -nodefaults -display none'
# Records of hosts with Linux 6.1 and 6.12: without the profile, and with it
RECORDS = ({'old': 'linux-6.1', 'new': 'linux-6.12'},
           {'old': 'linux-6.1', 'new': 'linux-6.12-profile'})


class Guide:
    """The commands of the guide, on hosts"""

    def __init__(self, top, qemu):
        # Where the hosts meet
        migration = f'unix:{top}/migration'
        self.hosts = Hosts(top, qemu, rest=REST, here={
            'tcp:0:4444': migration, 'tcp:old:4444': migration})
        self.round = 0

    def check(self, command):
        """Runs a command; AssertionError if it does not do what is shown"""
        # Of the commands shown only the first --fleet finds an obstacle.
        status = int('--fleet' in command.text and self.round == 1)
        deadline = time.monotonic() + PATIENCE_S
        problem = self.hosts.run(command, status)
        while problem and 'info migrate' in command.text and \
                time.monotonic() < deadline:
            time.sleep(0.1)     # The migration goes on.
            problem = self.hosts.run(command, status)
        if problem:
            raise AssertionError(problem)
        if re.search(r'guest-abi-probe .*>new\.json', command.text):
            self.put_records()

    def put_records(self):
        """In the place of what the guest-abi-probes of a round made"""
        for host, name in RECORDS[self.round].items():
            path = self.hosts.top / host / f'{host}.json'
            made = json.loads(path.read_text(encoding='utf-8'))
            record = json.loads((DATA / f'fleet/{name}.json').read_text(
                encoding='utf-8'))
            if made.keys() != record.keys():
                raise AssertionError(f'{path.name} has {list(made)}, that of a '
                                     f'real host {list(record)}')
            record['profile'] = made['profile']
            path.write_text(json.dumps(record), encoding='utf-8')
        self.round += 1


def rows(text, pattern):
    """The steps of a table, as plain words"""
    return [' '.join(' '.join(re.sub(r'`+|:doc:', '', cell).split())
                     for cell in row)
            for row in re.findall(pattern, text)]


def same_steps():
    """README.md cannot include what the other pages do."""
    steps = rows(STEPS.read_text(encoding='utf-8'),
                 r'\* - (\d)\n     - ((?:.+\n?)(?:       .+\n)*)'
                 r'     - ((?:.+\n?)(?:       .+\n)*)')
    readme = rows(README.read_text(encoding='utf-8'),
                  r'(?m)^\| (\d) \| (.*) \| (.*) \|$')
    if len(steps) != 6 or steps != readme:
        raise AssertionError(f'{STEPS.name}: {steps}\n{README.name}: {readme}')


def same_commands():
    """No page calls the programs in another way than they can be called."""
    problems = []
    for path in [README, *sorted((ROOT / 'docs').rglob('*.rst*'))]:
        text = path.read_text(encoding='utf-8')
        if re.search(r'scripts/guest-abi-(?!\*)', text):
            problems.append(f'{path}: says scripts/guest-abi-...')
        for name in PROGRAMS:
            usage = subprocess.run([SCRIPTS / name, '--help'], text=True,
                                   check=True, capture_output=True).stdout
            for call in re.findall(rf'{name}((?: +(?:\\\n +)?[^\s`|;]+)+)',
                                   text):
                options = re.findall(r'(?<= )--[a-z-]+', call)
                problems += [f'{path}: {name} has no {option}'
                             for option in options
                             if f'{option} ' not in usage and
                             f'{option}\n' not in usage]
    if problems:
        raise AssertionError('\n'.join(problems))


def points(guide):
    yield 'README.md has the same six steps', same_steps
    yield 'no page knows other options', same_commands
    for command in commands(GUIDE.read_text(encoding='utf-8')):
        if not command.text.startswith('virsh '):
            yield f'{command.host}: {command.line()[:60]}', \
                partial(guide.check, command)


def main():
    build = tap.arguments(__doc__, build=True).build.resolve()
    if not shutil.which('socat'):
        tap.skip_all('socat is not installed; run scripts/setup')
        return 0
    with tempfile.TemporaryDirectory() as folder:
        guide = Guide(Path(folder), build / 'qemu/qemu-system-aarch64')
        try:
            return tap.run_points(list(points(guide)))
        finally:
            guide.hosts.end()
