# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What the lab's modules share: errors, progress, the cache."""

from collections.abc import Sequence
from pathlib import Path
import shutil
import subprocess
import sys
import threading
import time
from typing import Any

from .. import paths
from ..paths import GUESTS

PARTS = GUESTS / 'lab-host'

_started = time.monotonic()
_printing = threading.Lock()


class LabError(Exception):
    """The lab cannot go on: what was found, what is needed, what to do."""


def say(text: str) -> None:
    """One line of progress, with the seconds since the start."""
    with _printing:
        print(f'kvm-lab: [{time.monotonic() - _started:6.1f}] {text}',
              file=sys.stderr, flush=True)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of a table as text, each column as wide as it must be"""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ''.join('  '.join(cell.ljust(width) for cell, width in
                             zip(row, widths)).rstrip() + '\n' for row in rows)


def fetch(*what: str) -> Path:
    """What scripts/fetch gets; LabError if it cannot."""
    try:
        return paths.fetch(*what)
    except paths.FetchError as error:
        raise LabError(str(error)) from None


def require(tool: str) -> str:
    path = shutil.which(tool)
    if not path:
        raise LabError(f'{tool} is not installed; needed: it in PATH; run '
                       'scripts/setup')
    return path


def run_tool(*command: str | Path, log: str = '', **options: Any) -> None:
    """Runs a tool of the build; LabError with its last words if it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False,
                            **options)
    if result.returncode:
        end = '\n'.join(result.stdout.splitlines()[-20:])
        raise LabError(f'{Path(command[0]).name} failed with status '
                       f'{result.returncode}; needed: it succeeds; '
                       f'{log or "its last words"}:\n{end}')
