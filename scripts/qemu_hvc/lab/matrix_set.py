# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Several matrices, kept in a folder, and shown in the manual.

NAME.json is a whole matrix; NAME.part has what was found before the program was
ended, so that the next run goes on there. Both count for the programs only that
made them.
"""

from collections.abc import Iterable
import inspect
from pathlib import Path
import shutil

from .. import arm_fields, entries, fleet_profile
from . import kept, page, render, spots
from .common import LabError, say
from .matrix import FLEET_PROFILE, Matrix, from_json
from .matrix_table import Row

# What makes the profile of a fleet
MAKERS = arm_fields, entries, fleet_profile, spots


def build_of(matrix: Matrix) -> str:
    """Stands for all that makes a difference to its verdicts"""
    modules = [*matrix.kind.judges]
    if any(FLEET_PROFILE in machine for machine in matrix.machines):
        modules += MAKERS
    cpus = [[spot.cpu for spot in fleet] for fleet in matrix.fleets]
    return kept.build_of(
        [matrix.qemu, matrix.hardware.outer,
         *matrix.qemus.values(),
         *(Path(inspect.getfile(module)) for module in modules)],
        matrix.hardware.as_object(),
        # Their names have digests or versions.
        [str(file) for file in matrix.kind.files().values()],
        [spot.kernel.release for spot in matrix.spots], matrix.machines,
        matrix.profile and matrix.profile.release,
        *([cpus, matrix.guest_cpu]
          if any(map(any, cpus)) or matrix.guest_cpu else []),
        *([[spot.qemu for spot in matrix.spots]] if matrix.qemus else []))


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


def show_in_manual(directory: Path, rows: Iterable[Row]) -> None:
    """Puts what the folder has of these into the page, and draws pictures."""
    results = {}
    for row in rows:
        matrix = read(directory / f'{row.name}.json')
        if not matrix:
            say(f'{row.name}: not in {directory}, the page keeps what it has')
            continue
        results[page.matrix(row.name)] = render.as_text(matrix)
        if row.picture:
            page.picture(row.name).write_text(render.as_svg(matrix),
                                              encoding='utf-8')
    page.put(results)
