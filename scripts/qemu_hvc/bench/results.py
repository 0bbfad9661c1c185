# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The tables of scripts/bench, and docs/benchmarks.md, where they are kept"""

import datetime
import os
import platform

from ..paths import ROOT

RESULTS = ROOT / 'docs' / 'benchmarks.md'


def verdict(limit, ratio):
    if limit is None:
        return '-', ''
    if limit < 0:
        return f'>= {-limit:.2f}', 'yes' if ratio >= -limit else 'NO'
    return f'<= {limit:.2f}', 'yes' if ratio <= limit else 'NO'


def table(rows):
    lines = ['| what : compared with | ratio | target | met | compared | '
             'measured |', '|---|---|---|---|---|---|']
    for text, limit, ratio, a, b in rows:
        target, met = verdict(limit, ratio)
        lines.append(f'| {text} | {ratio:.3f} | {target} | {met} | {a} | '
                     f'{b} |')
    return '\n'.join(lines)


def machine():
    model = next((line.split(':', 1)[1].strip()
                  for line in open('/proc/cpuinfo', encoding='utf-8')
                  if line.startswith('model name')), platform.machine())
    return f'{os.cpu_count()} CPUs, {model}, Linux {platform.release()}'


def write_results(what, runs, text):
    """Replaces one section of the results; the others stay.

    runs: how many there were, in words
    """
    sections = {}
    if RESULTS.is_file():
        for section in RESULTS.read_text(encoding='utf-8').split('\n## ')[1:]:
            sections[section.split('\n', 1)[0]] = section.rstrip('\n')
    sections[what] = (
        f'{what}\n\n`scripts/bench {what}`, {datetime.date.today()}, '
        f'{machine()}; {runs}.\n\n{text}')
    RESULTS.write_text(
        '<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\n'
        '<!-- Copyright (c) 2026 qemu-hvc contributors -->\n\n'
        '# Benchmarks\n\nRatios are medians of pairs of runs that take '
        'turns. Patched and\nunpatched QEMU are built from the same source '
        'with the same options.\n' +
        ''.join(f'\n## {sections[name]}\n' for name in sorted(sections)),
        encoding='utf-8')
