# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Debian's Python in a host, for what guest-abi-probe asks the kernel there."""

import inspect
import json
from pathlib import Path

from .. import host_facts, ioctls
from ..initramfs import DATA, PROGRAM, cached, newc
from .common import fetch
from .host import Host

PYTHON = 'usr/bin/python3.11'
LOADER = 'lib/ld-linux-aarch64.so.1'
LIBRARIES = ('libc.so.6', 'libm.so.6', 'libz.so.1', 'libexpat.so.1',
             'libffi.so.8')
# Of the standard library, what these programs import
STDLIB = ('*.py', 'collections/*.py', 'ctypes/*.py', 'ctypes/macholib/*.py',
          'encodings/*.py', 'importlib/*.py', 'importlib/*/*.py',
          'json/*.py', 're/*.py', 'lib-dynload/_ctypes.*',
          'lib-dynload/_json.*', 'lib-dynload/mmap.*')
MODULES = (host_facts, ioctls)
TIMEOUT_S = 180


def files() -> dict[str, tuple[int, bytes]]:
    """Those in a host, as initramfs.newc() takes them"""
    root = fetch('lab-python')
    chosen = [root / PYTHON]
    for name in LIBRARIES:
        chosen += root.glob(f'**/aarch64-linux-gnu/{name}')
    for pattern in STDLIB:
        chosen += sorted((root / 'usr/lib/python3.11').glob(pattern))
    found = {str(path.relative_to(root)): (PROGRAM, path.read_bytes())
             for path in chosen}
    loader, = root.glob('**/aarch64-linux-gnu/ld-linux-aarch64.so.1')
    found[LOADER] = (PROGRAM, loader.read_bytes())
    for module in MODULES:
        path = Path(inspect.getfile(module))
        found[f'qemu_hvc/{path.name}'] = (DATA, path.read_bytes())
    found['qemu_hvc/__init__.py'] = (DATA, b'')
    return found


def facts(host: Host) -> dict:
    """What host_facts.ask() says in a host"""
    host.bring('python.cpio', cached('lab/python.cpio', newc(files())))
    host.run('(cd / && cpio -idu) <python.cpio 2>&1 && rm python.cpio',
             TIMEOUT_S)
    return json.loads(host.run(
        f'(cd / && PYTHONHOME=/usr /{PYTHON} -BS -c "import json; from '
        'qemu_hvc import host_facts; print(json.dumps(host_facts.ask()))")',
        TIMEOUT_S))
