# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Debian's newest QEMU in a host: a program that nobody here built.

It is one file, as the others are: a shell script, with an archive of the program
and its libraries behind it, that unpacks itself where it is started first.
"""

from collections.abc import Iterator
from pathlib import Path
import re
import subprocess

from ..initramfs import PROGRAM, cached, newc
from ..paths import CROSS
from .common import fetch, require

NAME = 'debian'
SUITE = 'trixie-backports'
LOADER = 'ld-linux-aarch64.so.1'
# {skip}: the first byte of the archive, counted from 1
SCRIPT = '''#!/bin/sh
folder=/debian-qemu
if [ ! -d $folder ]; then
    mkdir -p $folder.new
    (cd $folder.new && tail -c +{skip} "$OLDPWD/$0" | cpio -id 2>/dev/null)
    mv $folder.new $folder
fi
exec $folder/{loader} --library-path $folder $folder/qemu "$@"
'''


def needed(program: Path, libraries: Path) -> Iterator[Path]:
    """The libraries that a program is linked with, and theirs"""
    seen, waiting = {program.name}, [program]
    while waiting:
        listed = subprocess.run(
            [require(f'{CROSS}readelf'), '-d', waiting.pop()], check=True,
            text=True, stdout=subprocess.PIPE).stdout
        for name in re.findall(r'\(NEEDED\).*\[(.*)\]', listed):
            if name not in seen:
                seen.add(name)
                waiting.append(libraries / name)
                yield libraries / name


def program() -> Path:
    """The file; LabError if it cannot be had"""
    root = fetch('qemu-debian', 'aarch64', SUITE, 'arm64').parent
    libraries = root / 'usr/lib/aarch64-linux-gnu'
    qemu = root / 'usr/bin/qemu-system-aarch64'
    files = {'qemu': (PROGRAM, qemu.read_bytes()),
             LOADER: (PROGRAM, (libraries / LOADER).read_bytes())}
    for path in needed(qemu, libraries):
        files[path.name] = (PROGRAM, path.read_bytes())
    script = SCRIPT.format(skip='%08d', loader=LOADER)
    size = len(script % 0)
    return cached('lab/debian-qemu', (script % (size + 1)).encode()
                  + newc(files))
