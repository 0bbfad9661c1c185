# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What QEMU says, kept in files; see scripts/update-golden.

A module in this package has

  made(build)     the files as they have to be: path -> text
  points(build)   test points: a name, and a function that returns problems
  problems(files) what must not be written, of made()'s result

where BUILD is the directory that scripts/build-qemu built in. A problem of
points() is for tests, one of problems() keeps scripts/update-golden from
writing.
"""

import difflib


def differences(path, text):
    """The lines by which a file is not the text, as diff -U1 prints them"""
    old = path.read_text(encoding='utf-8') if path.is_file() else ''
    return [line.rstrip('\n') for line in difflib.unified_diff(
        old.splitlines(), text.splitlines(), path.name, 'QEMU now', n=1,
        lineterm='')]
