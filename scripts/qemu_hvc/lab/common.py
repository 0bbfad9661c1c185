# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab's modules share: errors, progress, the cache."""

import hashlib
import os
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from .. import linux_guest
from ..paths import GUESTS

PARTS = GUESTS / 'lab-host'
CACHE = Path(os.environ.get('XDG_CACHE_HOME')
             or Path.home() / '.cache') / 'qemu-hvc' / 'lab'
CROSS = 'aarch64-linux-gnu-'

_started = time.monotonic()
_printing = threading.Lock()


class LabError(Exception):
    """The lab cannot go on: what was found, what is needed, what to do."""


def say(text: str) -> None:
    """One line of progress, with the seconds since the start."""
    with _printing:
        print(f'kvm-lab: [{time.monotonic() - _started:6.1f}] {text}',
              file=sys.stderr, flush=True)


def fetch(*what: str) -> Path:
    """What scripts/fetch gets; LabError if it cannot."""
    try:
        return linux_guest.fetch(*what)
    except linux_guest.GuestError as error:
        raise LabError(str(error)) from None


def require(tool: str) -> str:
    path = shutil.which(tool)
    if not path:
        raise LabError(f'{tool} is not installed; needed: it in PATH; run '
                       'scripts/setup')
    return path


def run_tool(*command: str | Path, log: str = '', **options: object) -> None:
    """Runs a tool of the build; LabError with its last words if it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False,
                            **options)
    if result.returncode:
        end = '\n'.join(result.stdout.splitlines()[-20:])
        raise LabError(f'{Path(command[0]).name} failed with status '
                       f'{result.returncode}; needed: it succeeds; '
                       f'{log or "its last words"}:\n{end}')


def cached(name: str, content: bytes) -> Path:
    """A file in the cache, written so that nobody ever sees a part of it.

    The name has the content's digest, so that what changed is a new file.
    """
    stem, dot, suffix = name.partition('.')
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = CACHE / f'{stem}-{digest}{dot}{suffix}'
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=CACHE, delete=False) as new:
            new.write(content)
        os.rename(new.name, path)
    return path
