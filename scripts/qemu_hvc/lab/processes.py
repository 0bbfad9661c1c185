# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The processes of emulated hosts: none outlives the program that started it."""

from concurrent.futures import ThreadPoolExecutor
import contextlib
import signal
import subprocess
import sys
import types
from typing import Any

from .common import LabError, require

# By these a shell, timeout and Meson end a program.
SIGNALS = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
# With a host that was told to end
PATIENCE_S = 5


class Processes:
    """The hosts' QEMUs. A signal ends them and then this program, whose threads
    may each be waiting for a host; SIGKILL, which nobody can catch, leaves
    that to PR_SET_PDEATHSIG."""

    def __init__(self) -> None:
        # PR_SET_PDEATHSIG means the thread that started a process, so that one
        # which is there to the end has to do it.
        self.starter = ThreadPoolExecutor(1, 'host-starter')
        self.running: set[subprocess.Popen] = set()
        # The program's exit status, once a signal came
        self.ending = 0

    def start(self, command: list[str],
              **options: Any) -> subprocess.Popen:
        """As Popen, for programs that end at SIGTERM. SystemExit once a signal
        came"""
        process = self.starter.submit(self._start, [
            require('setpriv'), '--pdeathsig', 'KILL', *command],
            options).result()
        self.check()
        return process

    def _start(self, command: list[str],
               options: dict[str, Any]) -> subprocess.Popen:
        try:
            process = subprocess.Popen(command, **options)
        except OSError as error:
            raise LabError(f'{command[0]}: {error.strerror}; needed: it can be '
                           'started') from error
        self.running.add(process)
        if self.ending:
            process.terminate()
        return process

    def stop(self, process: subprocess.Popen) -> None:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in filter(None, (process.stdin, process.stdout)):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self.running.discard(process)

    def check(self) -> None:
        """SystemExit if a signal came: what fails now is no result."""
        if self.ending:
            sys.exit(self.ending)

    def end_at_signals(self) -> None:
        """Lets each "with" of this program run when it is to end."""
        for number in SIGNALS:
            # nohup and a shell's "&" have it ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._end)

    def _end(self, number: int, frame: types.FrameType | None) -> None:
        del frame
        # One is enough: timeout sends it to the group as well.
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        self.ending = 128 + number
        for process in tuple(self.running):
            process.terminate()
        sys.exit(self.ending)


PROCESSES = Processes()
