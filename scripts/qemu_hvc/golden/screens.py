# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the manual's pictures of a terminal, from real runs of QEMU.

They are docs/screen-NAME.svg. With --check, nothing is written, and what is
there is compared with what QEMU says today; prints TAP.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
import subprocess
import tempfile
from xml.sax.saxutils import escape

from .. import vm as migration_vm
from ..paths import ROOT

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
    with migration_vm.Vm(qemu, PINNED, '-S') as vm:
        text = vm.command('human-monitor-command',
                          **{'command-line': 'info guest-abi'})
    yield f'$ {QEMU} -machine {PINNED} -monitor stdio ...'
    yield '(qemu) info guest-abi'
    yield from text.splitlines()


def refusal(qemu: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        migration_vm.save(qemu, PINNED, Path(folder) / 'vm.state', '-S')
        options = ['-machine', LACKING, '-incoming', 'file:vm.state']
        found = subprocess.run([qemu, *migration_vm.OPTIONS, *options],
                               cwd=folder, text=True, check=False,
                               capture_output=True)
    yield f'$ {QEMU} {" ".join(options)} ...'
    yield from found.stderr.splitlines()
    yield '$ echo $?'
    yield str(found.returncode)


SCREENS = {'help': service_help, 'contract': contract, 'refusal': refusal}


def wrapped(lines: Iterator[str]) -> Iterator[str]:
    """As a terminal shows them."""
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


def main() -> bool:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--check', action='store_true',
                        help='compare instead of writing')
    parser.add_argument('build', type=Path,
                        help='the directory that scripts/build-qemu built in')
    args = parser.parse_args()
    qemu = args.build.resolve() / 'qemu' / QEMU
    if args.check:
        print(f'1..{len(SCREENS)}')
    stale = 0
    for number, (name, run) in enumerate(SCREENS.items(), 1):
        path = ROOT / 'docs' / f'screen-{name}.svg'
        picture = svg(name, list(wrapped(run(qemu))))
        if not args.check:
            path.write_text(picture, encoding='utf-8')
            continue
        same = path.is_file() and path.read_text(encoding='utf-8') == picture
        stale += not same
        print(f'{"ok" if same else "not ok"} {number} - {path.name}')
        if not same:
            print('# QEMU says something else now; run scripts/update-golden '
                  f'screens {args.build}')
    return bool(stale)
