# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""QMP: QEMU's monitor for programs, and a QEMU that is started with it."""

from collections.abc import Callable, Iterable
import json
import re
import subprocess
import threading
import time
from typing import Any

PATIENCE_S = 60
MIGRATION_ENDS = ('completed', 'failed', 'cancelled')


class QemuError(RuntimeError):
    """QEMU ended, or refused a command; the text is QEMU's."""


class QemuEnded(QemuError):
    """QEMU closed its monitor."""


class Monitor:
    """Queries of a VM whose subclass sends the commands.

    A migration may take migration_patience_s and is looked at each
    migration_pause_s.
    """

    migration_patience_s = PATIENCE_S
    migration_pause_s = 0.01

    def command(self, name: str, **arguments: object) -> Any:
        """What QEMU returns; QemuError if it refuses."""
        raise NotImplementedError

    def hmp(self, line: str) -> str:
        """What the monitor for people prints for a line"""
        return self.command('human-monitor-command',
                            **{'command-line': line})

    def state(self) -> str:
        """The run state, such as "running" or "paused", of query-status"""
        return self.command('query-status')['status']

    def object_property(self, path: str, name: str) -> Any:
        """The value of an object's property; None if it has none"""
        properties = self.command('qom-list', path=path)
        if all(item['name'] != name for item in properties):
            return None
        return self.command('qom-get', path=path, property=name)

    def machine_property(self, name: str) -> Any:
        """None in an unpatched QEMU, whose machine lacks ours"""
        return self.object_property('/machine', name)

    def pinned_types(self) -> list[dict]:
        """query-machines' answer for the virt-hvc types, oldest first"""
        return sorted((machine for machine in self.command('query-machines')
                       if machine['name'].startswith('virt-hvc-')),
                      key=lambda machine: [
                          int(n) for n in re.findall(r'\d+',
                                                     machine['name'])])

    def set_capabilities(self, names: Iterable[str],
                         state: bool = True) -> None:
        """Of migrations, the other ones stay as they are"""
        self.command('migrate-set-capabilities', capabilities=[
            {'capability': name, 'state': state} for name in names])

    def wait_until(self, wanted: Callable[[dict], bool]) -> dict:
        """query-migrate's answer when it is as wanted"""
        deadline = time.monotonic() + self.migration_patience_s
        while True:
            info = self.command('query-migrate')
            if wanted(info):
                return info
            if time.monotonic() > deadline:
                raise QemuError(f'the migration hangs: {info}')
            time.sleep(self.migration_pause_s)

    def wait_migration(self) -> dict:
        """query-migrate's answer when the migration has ended, well or not"""
        return self.wait_until(
            lambda info: info.get('status') in MIGRATION_ENDS)

    def version(self) -> tuple[int, int]:
        """Of QEMU, such as (10, 0)"""
        version = self.command('query-version')['qemu']
        return version['major'], version['minor']


class Qmp(Monitor):
    """The monitor of a QEMU at the other end of two text files

    events: what came unasked, oldest first
    """

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer
        self.events = []
        self._read()
        self.command('qmp_capabilities')

    @classmethod
    def on_socket(cls, sock, timeout_s=PATIENCE_S):
        """A socket that is connected to QEMU; timeout_s: for each answer"""
        sock.settimeout(timeout_s)
        file = sock.makefile('rw', encoding='utf-8')
        return cls(file, file)

    def _read(self):
        """The next message"""
        line = self._reader.readline()
        try:
            return json.loads(line)
        except ValueError:
            raise self._no_message(line) from None

    def _no_message(self, line):
        """The exception for a line that is no JSON; '' is the end."""
        return QemuError(f'not a QEMU: {line.strip()!r}') if line else \
            QemuEnded('QEMU closed its monitor')

    def execute(self, message):
        """The answer to a command as it goes over the wire, errors included"""
        try:
            self._writer.write(json.dumps(message) + '\n')
            self._writer.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass  # _read() finds the end.
        while True:
            answer = self._read()
            if 'event' not in answer:
                return answer
            self.events.append(answer)

    def command(self, name, **arguments):
        answer = self.execute({'execute': name, 'arguments': arguments})
        if 'error' in answer:
            raise QemuError(f'{name}: {answer["error"]["desc"]}')
        return answer['return']


class Qemu(Qmp):
    """A QEMU that is started with its monitor on stdin and stdout"""

    def __init__(self, program, *options, patience_s=None, **process):
        """QEMU is killed after patience_s seconds, if given; process: options
        of subprocess.Popen, such as cwd."""
        try:
            self.process = subprocess.Popen(
                [program, *options, '-qmp', 'stdio'], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                **process)
        except OSError as error:
            raise QemuError(f'{program}: {error.strerror}') from error
        self.stderr = ''
        self._watchdog = threading.Timer(patience_s or 0, self.process.kill)
        if patience_s:
            self._watchdog.start()
        super().__init__(self.process.stdout, self.process.stdin)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.stdin.write('{"execute": "quit"}\n')
        self._wait()

    def _wait(self):
        if not self.process.stdin.closed:
            self.stderr = self.process.communicate(timeout=PATIENCE_S)[1]
        self._watchdog.cancel()

    def _no_message(self, line):
        if line:
            self.process.kill()
            self._wait()
            return super()._no_message(line)
        self._wait()
        return QemuEnded('QEMU ended: ' + self.stderr.strip())
