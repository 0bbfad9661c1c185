# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A matrix as text and as SVG."""

from collections.abc import Iterator
from dataclasses import replace
from xml.sax.saxutils import escape

from .matrix import Matrix
from .verdict import Kind

# --- text ---


def heading(matrix: Matrix) -> str:
    hosts = replace(matrix.hardware, cpu=', '.join(dict.fromkeys(
        spot.cpu or matrix.hardware.cpu for spot in matrix.spots)))
    text = f'{matrix.date}, QEMU {matrix.version} ({matrix.qemu_name}), ' \
        f'hosts with {hosts} (QEMU {matrix.outer})'
    if matrix.guest_cpu:
        text += f', VMs with -cpu {matrix.guest_cpu}'
    if matrix.kind.name:
        text += f', {matrix.kind.name}'
    if matrix.target:
        text += f', to hosts with {matrix.target}'
    if matrix.target_options:
        text += f', there with {matrix.target_options}'
    if matrix.profile:
        text += (f', profile of {matrix.profile.name} on every newer kernel')
    return text


class Notes:
    """Equal texts share a letter: a, b ... z, aa, ab ..."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def letter(self, text: str) -> str:
        return self.texts.setdefault(text, self._name(len(self.texts)))

    @staticmethod
    def _name(number: int) -> str:
        name = ''
        while number >= 0:
            name = chr(ord('a') + number % 26) + name
            number = number // 26 - 1
        return name


def grid(matrix: Matrix, machine: str, notes: Notes) -> Iterator[str]:
    series = [spot.name for spot in matrix.spots]
    longest = max(map(len, series))
    left, width = max(longest + 2, 10), max(longest + 2, 12)
    yield 'from / to '.ljust(left) + ''.join(name.ljust(width) for name in
                                             series).rstrip()
    for source in series:
        row = source.ljust(left)
        for target in series:
            verdict = matrix.cell(machine, source, target).verdict
            mark = verdict.kind.value.short
            if verdict.remark:
                mark += f' {notes.letter(verdict.remark)}'
            row += mark.ljust(width)
        yield row.rstrip()


def summary(matrix: Matrix, machine: str) -> str:
    cells = [cell for cell in matrix.cells if cell.machine == machine and
             cell.source != cell.target]
    counts = [(kind, sum(cell.verdict.kind is kind for cell in cells))
              for kind in Kind]
    return f'{len(cells)} pairs: ' + ', '.join(
        f'{count} {kind.title}' for kind, count in counts if count)


def as_text(matrix: Matrix) -> str:
    lines = [heading(matrix), '']
    notes = Notes()
    for machine in matrix.machines:
        lines += [machine, *(f'  {line}' for line in
                             grid(matrix, machine, notes)),
                  f'  {summary(matrix, machine)}', '']
    lines += [f'{kind.value.short:8} {kind.title}: {kind.value.meaning}'
              for kind in Kind
              if any(cell.verdict.kind is kind for cell in matrix.cells)]
    lines += ['', *(f'{letter}: {text}'
                    for text, letter in notes.texts.items()), '']
    for profile in matrix.profiles:
        lines += [*(f'no profile: {line}' for refusal in profile.refused
                    for line in refusal.splitlines()),
                  f'a profile of {", ".join(profile.hosts)}',
                  *([f'  guests are started on {", ".join(profile.start_on)}']
                    if profile.start_on else ()), '']
    # Hosts of one kernel may differ in their CPU, and of one CPU in the kernel.
    lines += ['kernels: ' + ', '.join(dict.fromkeys(
        spot.kernel.release for spot in matrix.spots))]
    lines += dict.fromkeys(f'{spot.model}: CPU {spot.cpu}'
                           for spot in matrix.spots if spot.cpu)
    return '\n'.join(lines) + '\n'


# --- SVG ---

CELL_WIDTH, CELL_HEIGHT = 58, 30
LEFT, TOP, GAP = 60, 70, 40
# A name fits into these; a longer one takes more for each letter.
NAME_LENGTH = 6
LEGEND_LINE = 22
GRIDS_PER_ROW = 2
# At most, of a sans-serif font of that size
LETTER_WIDTH = 7
# Of a tooltip
TITLE_LENGTH = 300


def shorten(title: str) -> str:
    return title if len(title) <= TITLE_LENGTH else \
        title[:TITLE_LENGTH - 3] + '...'


class Svg:
    """An image that grows by what is put into it."""

    def __init__(self) -> None:
        self.elements: list[str] = []

    def text(self, x: float, y: float, text: str, **attributes: str) -> None:
        more = ''.join(f' {name.replace("_", "-")}="{value}"'
                       for name, value in attributes.items())
        self.elements.append(f'<text x="{x:g}" y="{y:g}"{more}>'
                             f'{escape(text)}</text>')

    def box(self, x: float, y: float, width: float, height: float,
            colour: str, title: str) -> None:
        self.elements.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
            f'fill="{colour}" stroke="white"><title>'
            f'{escape(shorten(title))}</title></rect>')

    def document(self, width: float, height: float) -> str:
        return '\n'.join([
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<!-- SPDX-License-Identifier: GPL-2.0-or-later -->',
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" '
            f'height="{height:g}" font-family="sans-serif" font-size="13">',
            f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
            *self.elements, '</svg>', ''])


def more_for_names(matrix: Matrix) -> int:
    """By how much columns are wider than usual"""
    longest = max(len(spot.name) for spot in matrix.spots)
    return max(longest - NAME_LENGTH, 0) * LETTER_WIDTH


def draw_grid(svg: Svg, matrix: Matrix, machine: str, left: float,
              top: float) -> None:
    series = [spot.name for spot in matrix.spots]
    cell_width = CELL_WIDTH + more_for_names(matrix)
    middle = {'text_anchor': 'middle'}
    svg.text(left, top - 26, machine, font_weight='bold')
    for column, target in enumerate(series):
        svg.text(left + (column + 0.5) * cell_width, top - 6, target, **middle)
    for row, source in enumerate(series):
        y = top + row * CELL_HEIGHT
        svg.text(left - 6, y + 20, source, text_anchor='end')
        for column, target in enumerate(series):
            verdict = matrix.cell(machine, source, target).verdict
            x = left + column * cell_width
            svg.box(x, y, cell_width, CELL_HEIGHT, verdict.kind.value.colour,
                    f'{source} to {target}: {verdict}')
            svg.text(x + cell_width / 2, y + 20, verdict.kind.value.short,
                     fill='white', font_size='11', pointer_events='none',
                     **middle)


def as_svg(matrix: Matrix) -> str:
    """Two machine types side by side; what was said is in the tooltips."""
    svg = Svg()
    count = len(matrix.machines)
    side = len(matrix.spots)
    across = min(count, GRIDS_PER_ROW)
    more = more_for_names(matrix)
    left = LEFT + more
    width = side * (CELL_WIDTH + more) + left + GAP
    height = side * CELL_HEIGHT + GAP + 30
    title = f'{heading(matrix)}; from row to column'
    svg.text(LEFT, 22, title)
    for number, machine in enumerate(matrix.machines):
        row, column = divmod(number, GRIDS_PER_ROW)
        draw_grid(svg, matrix, machine, left + column * width,
                  TOP + row * height)
    bottom = TOP + (count + across - 1) // across * height - GAP - 10
    for line, kind in enumerate(Kind):
        y = bottom + line * LEGEND_LINE
        svg.box(LEFT, y, 16, 16, kind.value.colour, kind.title)
        svg.text(LEFT + 24, y + 13, f'{kind.title}: {kind.value.meaning}')
    return svg.document(max(left + across * width - GAP, 760,
                            LEFT + len(title) * LETTER_WIDTH),
                        bottom + len(Kind) * LEGEND_LINE + 10)
