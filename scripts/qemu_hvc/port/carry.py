# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Carries what changed in one version's patches over to another version's."""

import shutil

from .. import tree as qemu_tree
from . import hunks


def content(source, name):
    return ('\n'.join(source.lines(name)) + '\n').encode(
        'utf-8', errors='surrogateescape')


def apply(source, patch, there):
    """What does not apply, a Result each; SOURCE has what does

    patch: one of the other version
    there: the one of its name that this version has had; or None

    What this version has is in its place. Of the other's, a hunk is new if none
    of the lines that it changes is known.
    """
    for name in patch.files:
        own = hunks.parse(there.part(name)) if there else []
        known = {line for hunk in own for line in hunk.changes}
        new = [hunk for hunk in hunks.parse(patch.part(name))
               if not known.issuperset(hunk.changes)]
        shift = 0
        for hunk in [*own, *new]:
            title = f'{patch.path.name} {name}: {" ".join(hunk.changes[:1])}'
            if hunk not in own and not known.isdisjoint(hunk.changes):
                lines = [line for line in hunk.changes if line not in known]
                yield hunks.Result(title, False, 'has new lines beside known '
                                   'ones', lines)
                continue
            result, shift = hunks.try_hunk(source, hunk, name, shift)
            result.name = title
            if not result.applies:
                yield result


def carry(old, new, top):
    """New texts of the patches for a version, by path, and what does not apply

    old, new: versions; top: the source of the new one
    A correction that both have is left alone: it may well say the same in
    other words.
    """
    source = hunks.Source(top)
    there = {(patch.is_fix, patch.path.name): patch for patch in
             qemu_tree.read_series(qemu_tree.PATCHES / new)}
    texts, misfits = {}, []
    for patch in qemu_tree.read_series(qemu_tree.PATCHES / old):
        known = there.get((patch.is_fix, patch.path.name))
        if patch.is_fix and known:
            patch = known
        before = {name: content(source, name) for name in patch.files}
        misfits += apply(source, patch, known)
        after = {name: content(source, name) for name in patch.files}
        folder = qemu_tree.PATCHES / new / (qemu_tree.FIXES if patch.is_fix
                                            else '')
        if before != after:
            texts[folder / patch.path.name] = qemu_tree.refreshed(
                patch, before, after)
    return texts, misfits


def write(old, new, texts):
    """Writes what changed; returns the paths"""
    written = []
    for path, text in texts.items():
        if not path.is_file() or path.read_text(encoding='utf-8') != text:
            path.write_text(text, encoding='utf-8')
            written.append(path)
    for folder in ('', qemu_tree.FIXES):
        shutil.copyfile(qemu_tree.PATCHES / old / folder / 'series',
                        qemu_tree.PATCHES / new / folder / 'series')
    return written
