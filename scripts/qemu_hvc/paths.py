# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Where things are: this checkout, what is downloaded, Debian's tools."""

import os
from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / 'scripts'
TESTS = SCRIPTS / 'tests'
DATA = TESTS / 'data'
GUESTS = SCRIPTS / 'guests'
# The call engine, which QEMU's tests use as well
ENGINE = ROOT / 'tests-qtest/hvc/guest'
# As CACHE_DIR of scripts/lib/common.sh
CACHE = Path(os.environ.get('XDG_CACHE_HOME')
             or Path.home() / '.cache') / 'qemu-hvc'

# Debian's: another one in PATH may lack what scripts/setup installed.
MESON = '/usr/bin/meson'
CROSS = 'aarch64-linux-gnu-'
CROSS_CC = f'{CROSS}gcc'


def series_of(build: Path) -> str:
    """The series of the QEMU that was built there, such as 10.2"""
    version = (build / 'src/VERSION').read_text(encoding='utf-8')
    return '.'.join(version.split('.')[:2])


def as_numbers(series: str) -> list[int]:
    """A series, to be compared with others"""
    return [int(number) for number in series.split('.')]


class FetchError(Exception):
    """Something cannot be got into the cache; the text says what and why."""


def fetch(*what: str) -> Path:
    """The path that scripts/fetch prints for WHAT; its progress goes to our
    stderr. FetchError is for what cannot be had, RuntimeError for a fault of
    scripts/fetch: no test may be skipped for that."""
    last = ''
    with subprocess.Popen([SCRIPTS / 'fetch', *what], text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            sys.stderr.write(last)
            last = line
        path = process.stdout.read().strip()
    if process.returncode:
        # The last line is fetch's error: our caller prints FetchError.
        error = last.strip().removeprefix('fetch: error: ')
        if error == last.strip():
            raise RuntimeError(f'scripts/fetch {" ".join(what)} ended with '
                               f'status {process.returncode}: {error}')
        raise FetchError(error)
    sys.stderr.write(last)
    return Path(path)
