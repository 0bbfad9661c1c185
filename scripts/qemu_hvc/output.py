# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""How a program for users ends: its output is written, or it says why not."""

import os
import sys

CANNOT_WRITE = 2


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
