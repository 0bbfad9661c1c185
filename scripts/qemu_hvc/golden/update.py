# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What scripts/update-golden does for each of its names."""

import sys

from . import screens, streams, types

# name: module; see this package
GOLDEN = {'machine-types': types, 'streams': streams, 'screens': screens}


def is_stale(path, text):
    return not path.is_file() or path.read_text(encoding='utf-8') != text


def update(module, build, *, check=False, to_stdout=False):
    """Brings the files of one module up to date; returns the exit status

    check: write nothing, and return 1 if something would be written
    to_stdout: print the texts instead
    """
    files = module.made(build)
    if to_stdout:
        for text in files.values():
            print(text, end='')
        return 0
    stale = {path: text for path, text in files.items()
             if is_stale(path, text)}
    problems = list(module.problems(files))
    for problem in problems:
        print(f'update-golden: error: {problem}', file=sys.stderr)
    if check:
        for path in stale:
            print(f'update-golden: {path} is not what QEMU says',
                  file=sys.stderr)
        return bool(stale or problems)
    if problems:
        return 1
    for path, text in stale.items():
        path.write_text(text, encoding='utf-8')
        print(f'wrote {path}')
    return 0
