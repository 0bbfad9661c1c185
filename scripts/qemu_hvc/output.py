# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""How a program for users ends: its output is written, or it says why not."""

import os
from pathlib import Path
import sys
import tempfile

CANNOT_WRITE = 2


class OutputError(Exception):
    """A file cannot be written."""


def umask():
    """That of this process, which can only be read by setting it"""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_file(path, text):
    """Writes a file, all of it or nothing: what reads the old one meanwhile,
    such as a node's agent, never finds half of the new one."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            # A device or a pipe is written to, not replaced.
            path.write_text(text, encoding='utf-8')
            return
        with tempfile.NamedTemporaryFile(
                'w', encoding='utf-8', dir=path.parent,
                prefix=f'.{path.name}.', delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), 0o666 & ~umask())
                os.replace(file.name, path)
            except OSError:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise OutputError(f'{path}: {error.strerror}; needed: a file that can '
                          'be written') from error


def run(name, main):
    """Ends the program with main()'s exit status.

    Standard output that cannot be written is one line of error and status
    CANNOT_WRITE. A reader that has gone away, such as head(1), is no error.
    """
    try:
        try:
            status = main()
        except SystemExit as end:
            status = end.code
        sys.stdout.flush()
    except BrokenPipeError:
        status = 0
        discard_output()
    except OSError as error:
        print(f'{name}: standard output: {error.strerror}; needed: a file or '
              'pipe that takes it', file=sys.stderr)
        status = CANNOT_WRITE
        discard_output()
    sys.exit(status)


def discard_output():
    """What is still buffered would be written, and fail, when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
