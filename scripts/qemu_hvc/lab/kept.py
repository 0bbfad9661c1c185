# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Results that are kept: which programs they are of."""

from collections.abc import Iterable
import hashlib
import inspect
import json
from pathlib import Path

from . import bare_guest, programs, verdict

# Who judges what a guest says
JUDGES = bare_guest, verdict


def build_of(files: Iterable[Path], *more: object) -> str:
    """Stands for these programs, the guest, the hosts' initramfs, the judges and
    whatever else there is, as JSON has it"""
    digest = hashlib.sha256()
    for path in (*files, *(Path(inspect.getfile(judge)) for judge in JUDGES)):
        digest.update(path.read_bytes())
    # Names with digests of what is in them
    names = [programs.guest().name, programs.initramfs().name]
    digest.update(json.dumps([names, more]).encode())
    return digest.hexdigest()[:16]
