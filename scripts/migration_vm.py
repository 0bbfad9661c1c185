# SPDX-License-Identifier: GPL-2.0-or-later
"""A small VM that is migrated to and from a file."""

import json
import subprocess
import time

# Nothing of a stream shall depend on when and where it was made.
OPTIONS = ('-accel', 'tcg', '-cpu', 'cortex-a72', '-m', '64', '-nodefaults',
           '-display', 'none', '-rtc', 'base=2026-01-01T00:00:00,clock=vm')
PATIENCE_S = 60


class Vm:
    """A QEMU and its monitor."""

    def __init__(self, qemu, machine, *options):
        self.process = subprocess.Popen(
            [qemu, '-machine', f'{machine},dtb-randomness=off', *OPTIONS,
             '-qmp', 'stdio', *options], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.stderr = ''
        self.process.stdout.readline()
        self.command('qmp_capabilities')

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.stdin.write('{"execute": "quit"}\n')
        self.stderr = self.process.communicate(timeout=PATIENCE_S)[1]

    def command(self, name, **arguments):
        self.process.stdin.write(json.dumps(
            {'execute': name, 'arguments': arguments}) + '\n')
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError('QEMU ended: ' +
                                   self.process.stderr.read().strip())
            answer = json.loads(line)
            if 'error' in answer:
                raise RuntimeError(f'{name}: {answer["error"]["desc"]}')
            if 'return' in answer:
                return answer['return']

    def wait(self):
        """The migration's end; query-migrate's answer"""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            info = self.command('query-migrate')
            if info.get('status') in ('completed', 'failed'):
                return info
            time.sleep(0.01)
        raise RuntimeError('the migration hangs')

    def save(self, path):
        self.command('migrate', uri=f'file:{path}')
        info = self.wait()
        if info['status'] != 'completed':
            raise RuntimeError(f'migrate: {info}')

    def load(self, path):
        self.command('migrate-incoming', uri=f'file:{path}',
                     **{'exit-on-error': False})
        return self.wait()


def save(qemu, machine, path, *options):
    with Vm(qemu, machine, *options) as vm:
        vm.save(path)
    return path
