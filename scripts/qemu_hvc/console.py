# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The serial console of a guest whose QEMU has it on stdin and stdout."""

import os
import re
import select
import subprocess
import sys
import time
from typing import IO

COMMAND_TIMEOUT = 60


class GuestError(Exception):
    """The guest did not do what it was told; the text says what it did."""


class Console:
    """The guest's serial console: QEMU's stdin and stdout."""

    def __init__(self, process: subprocess.Popen, stderr: IO[bytes],
                 echo: bool) -> None:
        self.process = process
        self.stderr = stderr
        self.echo = echo
        self.text = bytearray()
        self.seen = 0

    def write(self, text: str) -> None:
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise GuestError('QEMU ended' + self._tail()) from None

    def read_until(self, pattern: str, timeout: float) -> re.Match:
        """Waits for a line that matches, after the last one waited for.

        The match's group "before" is the text up to it.
        """
        wanted = re.compile(rb'(?s)(?P<before>.*?)^(?:' + pattern.encode()
                            + rb')\r?\n', re.MULTILINE)
        deadline = time.monotonic() + timeout
        while True:
            match = wanted.match(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            if b'Kernel panic' in self.text[self.seen:]:
                raise GuestError('the guest panicked' + self._tail())
            if not self._read(deadline - time.monotonic()):
                raise GuestError('no answer from the guest within '
                                 f'{timeout:g} seconds' + self._tail())

    def _read(self, timeout: float) -> bool:
        stdout = self.process.stdout
        if timeout <= 0 or not select.select([stdout], [], [], timeout)[0]:
            return False
        chunk = os.read(stdout.fileno(), 65536)
        if not chunk:
            raise GuestError('QEMU ended' + self._tail())
        self.text += chunk
        if self.echo:
            sys.stderr.write(as_text(chunk))
        return True

    def _tail(self) -> str:
        self.stderr.seek(0)
        lines = as_text(self.text).splitlines()[-15:] or ['(nothing)']
        return '\n'.join([
            '; last lines of its console:', *(f'  | {line}' for line in lines),
            *as_text(self.stderr.read()).splitlines()])


def as_text(output: bytes) -> str:
    return output.decode(errors='replace').replace('\r', '')
