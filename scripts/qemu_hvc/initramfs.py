# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Initramfs archives, and the cache where they are kept."""

from collections.abc import Sequence
import hashlib
import os
from pathlib import Path
import tempfile

from .paths import CACHE, GUESTS, FetchError

# Modes of a file in an archive
PROGRAM, FOLDER, DATA = 0o100755, 0o040755, 0o100644


def cached(name: str, content: bytes) -> Path:
    """A file CACHE/NAME with that content, written whole or not at all

    The content's digest becomes a part of the name, so that other content is
    another file.
    """
    path = CACHE / name
    digest = hashlib.sha256(content).hexdigest()[:16]
    stem, dot, suffix = path.name.partition('.')
    path = path.with_name(f'{stem}-{digest}{dot}{suffix}')
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as new:
            new.write(content)
        os.rename(new.name, path)
    except OSError as error:
        raise FetchError(
            f'{path.name} cannot be written to {path.parent} '
            f'({error.strerror}); needed: a cache that has it or can be '
            'written; set XDG_CACHE_HOME to one') from None
    return path


def newc(files: dict[str, tuple[int, bytes]]) -> bytes:
    """A cpio archive in an initramfs's format: name -> (mode, content).

    Not made by cpio(1), which takes owners and times from the file system:
    the same input must give the same bytes for the cache to work.
    """
    archive = bytearray()

    def pad() -> None:
        archive.extend(bytes(-len(archive) % 4))

    entries = [*files.items(), ('TRAILER!!!', (0, b''))]
    for inode, (name, (mode, content)) in enumerate(entries, start=1):
        raw = name.encode() + b'\0'
        # uid, gid, links, time, size, four device numbers, name's size, sum
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0,
                  len(raw), 0)
        archive += b'070701' + b''.join(b'%08x' % n for n in fields) + raw
        pad()
        archive += content
        pad()
    return bytes(archive)


def modules(order: Sequence[Path]) -> dict[str, tuple[int, bytes]]:
    """What an archive needs so that /init loads these kernel modules"""
    return {
        'modules': (FOLDER, b''),
        'modules/load.sh': (DATA, (GUESTS / 'load-modules.sh').read_bytes()),
        'modules/order': (DATA, ''.join(f'{path.name}\n'
                                        for path in order).encode()),
        **{f'modules/{path.name}': (DATA, path.read_bytes())
           for path in order},
    }
