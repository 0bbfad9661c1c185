# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Counts the lines by which two versions of QEMU differ for this project."""

from collections import Counter
import re

from .. import tree as qemu_tree
from ..paths import as_numbers

COMPAT = 'migration/qemu-compat.h'
SINCE = re.compile(r'(!?)QEMU_SINCE\((\d+), (\d+)\)$')


def patch_lines(version, fixes):
    """The lines that the patches insert or remove, each with its file"""
    lines = Counter()
    for patch in qemu_tree.read_series(qemu_tree.PATCHES / version):
        if patch.is_fix != fixes:
            continue
        for mark, changed in zip('+-', patch.changed_lines()):
            lines.update((patch.path.name, mark, line) for line in changed)
    return lines


def anchors(version):
    """The lines of context in the patches that call us, each with its file"""
    lines = Counter()
    for patch in qemu_tree.read_series(qemu_tree.PATCHES / version):
        if not patch.is_fix:
            diff = patch.text[patch.text.index('\ndiff --git '):]
            lines.update((patch.path.name, line) for line in
                         re.findall(r'^ (.+)', diff, re.M))
    return lines


def seen(text, version):
    """The lines of the compatibility header that a version of QEMU sees"""
    lines = []
    # For each #if around: is this branch taken? None if not by the version
    branches = []
    for line in text.splitlines():
        word, _, condition = line.partition(' ')
        if word in ('#if', '#ifdef', '#ifndef'):
            match = SINCE.match(condition)
            branches.append(None if not match else
                            (as_numbers(version) >=
                             [int(match[2]), int(match[3])]) != bool(match[1]))
            continue
        if word == '#else':
            if branches[-1] is not None:
                branches[-1] = not branches[-1]
            continue
        if word == '#endif':
            branches.pop()
            continue
        if False not in branches:
            lines.append(line)
    return lines


def hooks_that_differ(old, new):
    """Lines for people: what the patches that call us change in one only"""
    one, other = patch_lines(old, False), patch_lines(new, False)
    for version, lines in ((old, one - other), (new, other - one)):
        for patch, mark, line in sorted(lines.elements()):
            yield f'only in {version}/{patch}: {mark}{line}'


def differences(old, new):
    """How many lines only one of two series has, by where they are"""
    def differing(one, other):
        return sum(((one - other) + (other - one)).values())

    text = (qemu_tree.ROOT / COMPAT).read_text(encoding='utf-8')
    return {
        'patches that call us, lines that they insert':
            differing(patch_lines(old, False), patch_lines(new, False)),
        'patches that call us, lines around these':
            differing(anchors(old), anchors(new)),
        "corrections of QEMU's defects":
            differing(patch_lines(old, True), patch_lines(new, True)),
        COMPAT: differing(Counter(seen(text, old)), Counter(seen(text, new))),
    }
