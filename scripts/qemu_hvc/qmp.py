# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU and its monitor."""

import json
import re
import subprocess
import threading

PATIENCE_S = 60


class QemuError(RuntimeError):
    """QEMU ended, or refused a command; in its words."""


class Qemu:
    """A QEMU that is started with its QMP monitor on stdin and stdout."""

    def __init__(self, program, *options, patience_s=None):
        """It is killed after patience_s seconds, if given."""
        try:
            self.process = subprocess.Popen(
                [program, *options, '-qmp', 'stdio'], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        except OSError as error:
            raise QemuError(f'{program}: {error.strerror}') from error
        self.stderr = ''
        self.events = []
        self._watchdog = threading.Timer(patience_s or 0, self.process.kill)
        if patience_s:
            self._watchdog.start()
        self._read()
        self.command('qmp_capabilities')

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

    def _read(self):
        """The next message; the end of QEMU is an error."""
        line = self.process.stdout.readline()
        try:
            return json.loads(line)
        except ValueError:
            if line:
                self.process.kill()
            self._wait()
            raise QemuError('QEMU ended: ' + self.stderr.strip() if not line
                            else f'not a QEMU: {line.strip()!r}') from None

    def command(self, name, **arguments):
        try:
            self.process.stdin.write(json.dumps(
                {'execute': name, 'arguments': arguments}) + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # Reading says why.
        while True:
            answer = self._read()
            if 'error' in answer:
                raise QemuError(f'{name}: {answer["error"]["desc"]}')
            if 'return' in answer:
                return answer['return']
            self.events.append(answer)

    def pinned_types(self):
        """query-machines' answer for the virt-hvc types, oldest first"""
        return sorted((machine for machine in self.command('query-machines')
                       if machine['name'].startswith('virt-hvc-')),
                      key=lambda machine: [
                          int(n) for n in re.findall(r'\d+',
                                                     machine['name'])])
