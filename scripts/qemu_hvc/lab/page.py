# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The manual's page about rollback, and the results in it

A line "<!-- matrix: NAME -->" or "<!-- journeys -->" says whose result the next
block of text is.
"""

from pathlib import Path
import re
import textwrap

from ..paths import ROOT
from .common import LabError, say

PAGE = ROOT / 'docs/rollback-matrix.md'
JOURNEYS = 'journeys'
# Of lines with reasons, which name all misfits; and how many a reason may take
WIDTH = 200
LINES = 8


def matrix(name: str) -> str:
    """What a matrix is called there"""
    return f'matrix: {name}'


def picture(name: str) -> Path:
    """A matrix as SVG"""
    return PAGE.with_name(f'rollback-matrix-{name}.svg')


def block(what: str) -> re.Pattern:
    return re.compile(rf'(?<=<!-- {re.escape(what)} -->\n\n)```text\n.*?^```\n',
                      re.M | re.S)


def wrapped(line: str) -> list[str]:
    """What the page has of a line, which it does not change if that is short"""
    if len(line) <= WIDTH:
        return [line]
    indent = ' ' * (len(line) - len(line.lstrip()))
    return textwrap.wrap(line, WIDTH, subsequent_indent=f'{indent}   ',
                         max_lines=LINES, placeholder=' ...',
                         break_long_words=False, break_on_hyphens=False)


def put(results: dict[str, str]) -> None:
    """Replaces blocks: what they are about, and their new text"""
    text = PAGE.read_text(encoding='utf-8')
    for what, result in results.items():
        shown = '```text\n' + ''.join(
            f'{part}\n' for line in result.splitlines()
            for part in wrapped(line)) + '```\n'
        text, count = block(what).subn(shown.replace('\\', r'\\'), text)
        if count != 1:
            raise LabError(f'{PAGE} has {count} blocks of text below a line '
                           f'"<!-- {what} -->"; needed: one; correct the page')
    PAGE.write_text(text, encoding='utf-8')
    say(f'wrote {PAGE}')
