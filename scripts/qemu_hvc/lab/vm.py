# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A KVM guest inside a host: its QEMU, its monitor, its serial port."""

from collections.abc import Sequence
import json
import re
import shlex
import time
from typing import Any

from ..qmp import Monitor
from .common import LabError
from .host import CommandFailed, Host, quoted

START_TIMEOUT = 60
QMP_TIMEOUT = 60
MIGRATION_TIMEOUT = 120
# A guest makes many thousand calls for a report, on a host that may be busy.
ANSWER_TIMEOUT = 300
# The shell's status of a program that a signal ended: this, and its number
SIGNALLED = 128
# After that long without an answer QEMU is asked whether its VM runs at all.
ANSWER_SLICE = 5
# What goes into a line for the host's shell; what is longer, into a file
MAX_ARGUMENT = 2000

# -nodefaults: no network card, so no ROM of one. In the sandbox, as libvirt runs
# it: what reads a file or a clock later than at the start would be found.
COMMON = ('-nodefaults', '-display', 'none', '-accel', 'kvm', '-cpu', 'host',
          '-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,'
          'resourcecontrol=deny')


def quoted_text(text: str) -> str:
    """A word of a line for the host's shell, which printf's %b makes that text"""
    return shlex.quote(text.replace('\\', '\\\\').replace('\n', '\\n'))


class VmEnded(LabError):
    """The QEMU inside the host ended; messages are what it wrote."""

    def __init__(self, name: str, status: int, messages: str) -> None:
        super().__init__(f'QEMU of {name} ended with status {status}: '
                         f'{messages or "(no message)"}')
        self.status = status
        self.messages = messages


class QmpError(LabError):
    """The monitor's answer to a command was an error."""


class Vm(Monitor):
    """One QEMU inside a host. Making it does not start it.

    patience: so many times as long as others it may take to start, answer and
    migrate
    """

    def __init__(self, host: Host, name: str, *, qemu: str = './qemu',
                 wrapper: Sequence[str] = (), patience: float = 1) -> None:
        self.host = host
        self.name = name
        self.program = [*wrapper, qemu]
        self.start_timeout = int(START_TIMEOUT * patience)
        self.qmp_timeout = int(QMP_TIMEOUT * patience)
        self.migration_patience_s = int(MIGRATION_TIMEOUT * patience)
        self.offset = 0

    # --- QEMU ---

    def start(self, *options: str) -> None:
        """VmEnded if QEMU does not get as far as its monitor."""
        command = [
            'vm_start', self.name, *self.program, *COMMON, *options,
            '-qmp', f'unix:{self.name}.qmp,server=on,wait=off',
            '-chardev',
            f'file,id=serial,path={self.name}.out,append=on,'
            f'input-path={self.name}.in',
            '-serial', 'chardev:serial']
        self.offset = 0
        self.host.run(quoted(command))
        try:
            self.host.run(f'vm_monitor {self.name} {self.start_timeout}',
                          self.start_timeout * 2)
        except CommandFailed:
            raise self._ended() from None
        # QEMU listens before it has made its machine, which it may refuse.
        self.qmp('query-status')

    def qmp(self, command: str, **arguments: object) -> Any:
        """The answer to a command; VmEnded if there is no QEMU any more."""
        text = json.dumps({'execute': command, 'arguments': arguments})
        word = shlex.quote(text)
        if len(word) > MAX_ARGUMENT:
            self.host.bring_text(f'{self.name}.command', text)
            word = f'"$(cat {self.name}.command)"'
        try:
            answer = self._answer(command, self.host.run(
                f'qmp {self.name}.qmp {self.qmp_timeout} {word} 2>&1',
                self.qmp_timeout * 2))
        except CommandFailed as failure:
            if failure.status == 1:
                raise self._ended() from None
            raise LabError(f'QEMU of {self.name} does not answer {command}: '
                           f'{self.messages()}') from None
        if 'error' in answer:
            raise QmpError(f'{command}: {answer["error"]["desc"]}')
        return answer['return']

    def hmp_silently(self, command: str) -> None:
        """A command of the human monitor that says nothing if it went well"""
        said = self.hmp(command)
        if said:
            raise QmpError(f'{command}: {said.strip()}')

    def event(self, name: str, written: str,
              timeout: int = QMP_TIMEOUT) -> dict:
        """The next event of that name, once the guest's serial port has got a
        text: its "data"."""
        shell = f'printf %b {quoted_text(written)} 1<>{self.name}.in'
        try:
            answer = self._answer(f'the event {name}', self.host.run(
                f'qmp {self.name}.qmp {timeout} --event {name} '
                f'{shlex.quote(shell)} 2>&1', timeout * 2))
        except CommandFailed as failure:
            if failure.status == 1:
                raise self._ended() from None
            raise LabError(f'QEMU of {self.name} gave no event {name}: '
                           f'{self.messages()}') from None
        return answer['data']

    def latencies(self, command: str, count: int) -> list[float]:
        """The seconds until each answer of the monitor's to a command, as the
        host measures them"""
        word = shlex.quote(json.dumps({'execute': command}))
        said = self.host.run(f'qmp {self.name}.qmp {QMP_TIMEOUT} --time '
                             f'{count} {word}', QMP_TIMEOUT * 5)
        return [int(word) / 1e6 for word in said.split()]

    def _answer(self, command: str, text: str) -> dict:
        """The line of JSON among what the host's console shows meanwhile: the
        host's kernel writes there as well when it is short of time."""
        for line in reversed(text.splitlines()):
            if line.startswith('{'):
                return json.loads(line)
        raise LabError(f'QEMU of {self.name} answers {command} with {text!r}')

    def command(self, name: str, **arguments: object) -> Any:
        return self.qmp(name, **arguments)

    def _ended(self) -> LabError:
        """The error for a QEMU whose monitor went away."""
        try:
            output = self.host.run(f'vm_ended {self.name} {START_TIMEOUT}',
                                   START_TIMEOUT * 2)
        except CommandFailed:
            return LabError(f'QEMU of {self.name} has no monitor, but has not '
                            'ended: ' + self.messages())
        status, _, messages = output.partition('\n')
        if int(status) >= SIGNALLED:
            messages += f'; {self.host.run("last_crash")}'
        return VmEnded(self.name, int(status), messages.strip())

    def messages(self) -> str:
        """What QEMU wrote so far."""
        return self.host.run(f'cat {self.name}.err').strip()

    def quit(self) -> None:
        """Ends QEMU, if it has not ended."""
        try:
            self.qmp('quit')
            self._ended()
        except VmEnded:
            pass

    # --- migration ---

    def wait_migration(self) -> dict:
        """query-migrate's answer, once the migration is over."""
        deadline = time.monotonic() + self.migration_patience_s
        while time.monotonic() < deadline:
            info = self.qmp('query-migrate')
            if info.get('status') in ('completed', 'failed', 'cancelled'):
                return info
        raise LabError(f'the migration of {self.name} hangs: {info}')

    def migrate(self, uri: str) -> None:
        self.qmp('migrate', uri=uri)
        info = self.wait_migration()
        if info['status'] != 'completed':
            raise LabError(f'{self.name} cannot be saved to {uri}: '
                           f'{info.get("error-desc", info)}; '
                           + self.messages())

    def listen(self, uri: str) -> None:
        """Of one that was started with -incoming defer."""
        self.qmp('migrate-incoming', uri=uri, **{'exit-on-error': False})

    # --- what the guest says ---

    def memory(self, address: int, size: int) -> str:
        """Text in the guest's memory."""
        name = f'{self.name}.memory'
        self.qmp('pmemsave', val=address, size=size,
                 filename=f'/tmp/{name}')
        return self.host.run(f'cat {name}')

    def read_memory(self, address: int, size: int) -> bytes:
        name = f'{self.name}.memory'
        self.qmp('pmemsave', val=address, size=size, filename=f'/tmp/{name}')
        path = self.host.directory / f'{name}.outside'
        self.host.fetch(name, path)
        return path.read_bytes()

    def write(self, text: str) -> None:
        self.host.run(f'vm_write {self.name} {quoted_text(text)}')

    def expect(self, pattern: str, timeout: float = ANSWER_TIMEOUT) -> str:
        """The output up to a line that matches, since the last such call."""
        deadline = time.monotonic() + timeout
        while True:
            output = self._await(pattern, timeout)
            match = re.search(rf'(?m)^(?:{pattern})[^\n]*\n', output)
            if match:
                break
            # The guest is just writing that line.
            if time.monotonic() > deadline:
                raise LabError(f'the guest of {self.name} wrote half a line: '
                               f'{output[-300:]!r}')
            time.sleep(0.1)
        output = output[:match.end()]
        self.offset += len(output.encode())
        return output

    def _await(self, pattern: str, timeout: float) -> str:
        """The output, once the start of a line matches."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.host.run(
                    f'vm_await {self.name} {self.offset} {ANSWER_SLICE} '
                    + shlex.quote(f'^({pattern})'), ANSWER_SLICE * 10)
            except CommandFailed as failure:
                output = failure.output
            status = self.qmp('query-status')['status']
            if status != 'running' or time.monotonic() > deadline:
                raise LabError(
                    f'the guest of {self.name} gave no {pattern!r} within '
                    f'{timeout:g} s, but {output[-300:]!r}; it is {status}; '
                    f'QEMU: {self.messages() or "no message"}')
