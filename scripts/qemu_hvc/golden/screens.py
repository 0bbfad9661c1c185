# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The manual's pictures of a terminal, docs/screen-*.svg: real runs of QEMU"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
import subprocess
import tempfile
from xml.sax.saxutils import escape

from ..paths import ROOT
from ..vm import OPTIONS, Vm, save
from . import differences

QEMU = 'qemu-system-aarch64'
PINNED = 'virt-hvc-10.0'
LACKING = f'{PINNED},hvc-services=linux-6.12:-ptp'

COLUMNS = 122
CHARACTER_WIDTH, LINE_HEIGHT, MARGIN = 7.3, 17, 12
PAPER, PRINTED, TYPED = '#23272e', '#e8e8e8', '#9fe29f'


def service_help(qemu: Path) -> Iterator[str]:
    options = ['-machine', 'virt,hvc-services=help']
    yield f'$ {QEMU} {" ".join(options)}'
    yield from subprocess.run([qemu, *options], text=True, check=True,
                              capture_output=True).stdout.splitlines()


def contract(qemu: Path) -> Iterator[str]:
    with Vm(qemu, PINNED, '-S') as vm:
        text = vm.hmp('info guest-abi')
    yield f'$ {QEMU} -machine {PINNED} -monitor stdio ...'
    yield '(qemu) info guest-abi'
    yield from text.splitlines()


def refusal(qemu: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        save(qemu, PINNED, Path(folder) / 'vm.state', '-S')
        options = ['-machine', LACKING, '-incoming', 'file:vm.state']
        found = subprocess.run([qemu, *OPTIONS, *options],
                               cwd=folder, text=True, check=False,
                               capture_output=True)
    yield f'$ {QEMU} {" ".join(options)} ...'
    yield from found.stderr.splitlines()
    yield '$ echo $?'
    yield str(found.returncode)


SCREENS = {'help': service_help, 'contract': contract, 'refusal': refusal}


def wrapped(lines: Iterator[str]) -> Iterator[str]:
    """Lines as a terminal of COLUMNS shows them"""
    for line in lines:
        line = line.rstrip()
        yield line[:COLUMNS]
        for start in range(COLUMNS, len(line), COLUMNS):
            yield line[start:start + COLUMNS]


def svg(name: str, lines: list[str]) -> str:
    width = round(COLUMNS * CHARACTER_WIDTH) + 2 * MARGIN
    height = len(lines) * LINE_HEIGHT + 2 * MARGIN
    elements = []
    for number, line in enumerate(lines):
        colour = TYPED if line.startswith(('$ ', '(qemu) ')) else PRINTED
        elements.append(
            f'<text x="{MARGIN}" y="{MARGIN + 13 + number * LINE_HEIGHT}" '
            f'xml:space="preserve" fill="{colour}">{escape(line)}</text>')
    return '\n'.join([
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<!-- SPDX-License-Identifier: GPL-2.0-or-later -->',
        f'<!-- Made by scripts/update-golden screens: {name} -->',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="DejaVu Sans Mono, monospace" font-size="12">',
        f'<rect width="{width}" height="{height}" rx="6" fill="{PAPER}"/>',
        *elements, '</svg>', ''])


def made(build: Path) -> dict[Path, str]:
    qemu = build / 'qemu' / QEMU
    return {ROOT / 'docs' / f'screen-{name}.svg':
            svg(name, list(wrapped(run(qemu))))
            for name, run in SCREENS.items()}


def points(build: Path) -> list[tuple[str, Callable]]:
    return [(path.name, partial(differences, path, picture))
            for path, picture in made(build).items()]


def problems(files: dict[Path, str]) -> list[str]:
    """None: QEMU's output may change."""
    del files
    return []
