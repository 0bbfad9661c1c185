# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The bare-metal guests of scripts/guests/bare, for QEMU's machine virt."""

import shutil
import subprocess

from .paths import CROSS_CC, GUESTS


def build_guest(name, path):
    """A guest as an ELF file; FileNotFoundError without a compiler for it"""
    if not shutil.which(CROSS_CC):
        raise FileNotFoundError(f'no {CROSS_CC}; run scripts/setup')
    subprocess.run([CROSS_CC, '-nostdlib', '-static',
                    '-Wl,-Ttext=0x40080000', '-Wl,--build-id=none', '-o',
                    path, GUESTS / 'bare' / f'{name}.S'], check=True)
    return path
