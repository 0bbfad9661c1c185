# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Several matrices, kept in a folder, and shown in the manual.

NAME.json is a whole matrix; NAME.part has what was found before the program was
ended, so that the next run goes on there. Both count for the programs only that
made them.
"""

from collections.abc import Iterable
import hashlib
import json
from pathlib import Path
import re
import shutil

from ..paths import ROOT
from . import programs, render
from .common import LabError, say
from .matrix import Matrix, from_json

PAGE = ROOT / 'docs/rollback-matrix.md'
# Of the lines with reasons, which name all misfits
PAGE_WIDTH = 200


def build_of(matrix: Matrix) -> str:
    """Stands for all that makes a difference to its verdicts"""
    digest = hashlib.sha256()
    for path in (matrix.qemu, matrix.hardware.outer):
        digest.update(path.read_bytes())
    # The names of these two have digests of what is in them.
    digest.update(json.dumps([
        programs.guest().name, programs.initramfs().name,
        matrix.hardware.as_object(),
        [kernel.release for kernel in matrix.kernels], matrix.machines,
        matrix.profile and matrix.profile.release]).encode())
    return digest.hexdigest()[:16]


def read(path: Path) -> Matrix | None:
    """A matrix that was kept, if there is one"""
    try:
        return from_json(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LabError) as error:
        raise LabError(f'{path}: {error}') from error


def begin(part: Path, build: str) -> None:
    """A folder for what is found on the way, empty if it is another build's"""
    stamp = part / 'build'
    if not stamp.exists() or stamp.read_text(encoding='utf-8') != build:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        stamp.write_text(build, encoding='utf-8')


def run(directory: Path, name: str, matrix: Matrix) -> Matrix:
    """The matrix, whole: an earlier one of the same build, or what is missing of
    it is run. A cell that failed is tried again."""
    matrix.build = build_of(matrix)
    path, part = directory / f'{name}.json', directory / f'{name}.part'
    known = read(path)
    if known and known.build == matrix.build and known.complete:
        say(f'{name}: {path} is of this build')
        return known
    begin(part, matrix.build)
    matrix.run(part)
    path.write_text(matrix.as_json(), encoding='utf-8')
    say(f'wrote {path}')
    if matrix.complete:
        shutil.rmtree(part)
    return matrix


def block(name: str) -> re.Pattern:
    """Where a matrix is on the manual's page"""
    return re.compile(rf'(?<=<!-- matrix: {re.escape(name)} -->\n\n)'
                      r'```text\n.*?^```\n', re.M | re.S)


def picture(name: str) -> Path:
    return PAGE.with_name(f'rollback-matrix-{name}.svg')


def show_in_manual(directory: Path, rows: Iterable) -> None:
    """Puts what the folder has of these into the page, and draws pictures."""
    text = PAGE.read_text(encoding='utf-8')
    for row in rows:
        matrix = read(directory / f'{row.name}.json')
        if not matrix:
            say(f'{row.name}: not in {directory}, the page keeps what it has')
            continue
        shown = f'```text\n{render.as_text(matrix, PAGE_WIDTH)}```\n'
        text, count = block(row.name).subn(lambda _, shown=shown: shown, text)
        if count != 1:
            raise LabError(f'{PAGE} has {count} places for the matrix '
                           f'{row.name}; needed: one, a line '
                           f'"<!-- matrix: {row.name} -->" and a block of text '
                           'below it; correct the page')
        if row.picture:
            picture(row.name).write_text(render.as_svg(matrix),
                                         encoding='utf-8')
    PAGE.write_text(text, encoding='utf-8')
    say(f'wrote {PAGE}')
