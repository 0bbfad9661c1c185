# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A disk for snapshots of VMs, which no guest has."""

from pathlib import Path
import tempfile

from .common import LabError, run_tool
from .host import Host

NAME = 'snapshots.qcow2'
# QEMU's options for a VM that has it from the start, and for blockdev-add
OPTIONS = ('-blockdev', 'qcow2,node-name=snapshots,file.driver=file,'
           f'file.filename={NAME}')
NODE = {'driver': 'qcow2', 'node-name': 'snapshots',
        'file': {'driver': 'file', 'filename': NAME}}


def bring_empty(host: Host, build: Path) -> None:
    """One without snapshots into the host, by the build's qemu-img"""
    program = build / 'qemu/qemu-img'
    if not program.is_file():
        raise LabError(f'{program} is not there; needed: it makes a disk for '
                       'savevm; run scripts/build-qemu')
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / NAME
        run_tool(program, 'create', '-q', '-f', 'qcow2', image, '1M')
        host.bring(NAME, image)
