# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The programs inside a host beside QEMU, and the initramfs with them.

One initramfs serves every kernel and every test: what differs is brought in
by semihosting.
"""

from collections.abc import Sequence
import hashlib
from pathlib import Path
import tempfile

from .. import initramfs as archives
from ..initramfs import DATA, FOLDER, PROGRAM, cached, newc

from ..paths import CACHE, CROSS_CC, ENGINE, GUESTS
from . import modules
from .common import PARTS, fetch, require, run_tool
from .kernels import Kernel

GUEST = GUESTS / 'lab-guest'

TOOLS = ('semi', 'tunnel', 'qmp', 'kvmprobe', 'exits', 'count-ioctls')
TOOL_FLAGS = ('-D_GNU_SOURCE', '-std=gnu11', '-Os', '-Wall', '-Wextra',
              '-Werror', '-static')

# As tests-qtest/hvc/guest/build.sh does for the engine.
GUEST_FLAGS = (
    '-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-ffreestanding',
    '-fno-builtin', '-fno-tree-loop-distribute-patterns', '-fno-pic',
    '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-static',
    '-nostdlib', '-nostartfiles', '-Wl,--build-id=none',
    '-Wl,--fatal-warnings', '-Wl,-z,noexecstack', '-DHVC_GUEST_A64',
    '-march=armv8-a', '-mgeneral-regs-only', '-mstrict-align', '-s',
    f'-I{ENGINE}', '-T', str(ENGINE / 'guest.ld'))


def compiled(name: str, flags: Sequence[str], sources: Sequence[Path],
             read: Sequence[Path] = (), compiler: str = CROSS_CC) -> Path:
    """A program made of sources; from the cache if these are unchanged."""
    digest = hashlib.sha256(' '.join((compiler, *flags)).encode())
    for path in (*sources, *read):
        digest.update(path.read_bytes())
    cache = CACHE / 'lab'
    path = cache / f'{name}-{digest.hexdigest()[:16]}'
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as tmp:
            new = Path(tmp) / name
            run_tool(require(compiler), *flags, '-o', new, *sources,
                     '-lgcc')
            new.rename(path)
    return path


def tool(name: str, compiler: str = CROSS_CC) -> Path:
    return compiled(name, TOOL_FLAGS, [PARTS / f'{name}.c'],
                    [PARTS / 'semihosting.h'], compiler)


def guest() -> Path:
    """The bare-metal guest."""
    headers = [ENGINE / name for name in
               ('guest.ld', 'engine.h', 'arch.h', 'calls.h')]
    sources = sorted(path for path in GUEST.iterdir()
                     if path.suffix in ('.c', '.S'))
    return compiled('guest', GUEST_FLAGS, [ENGINE / 'start-a64.S', *sources],
                    [*headers, GUEST / 'guest.h'])


def initramfs(kernel: Kernel | None = None, load: Sequence[str] = ()) -> Path:
    """The one of every host, with modules of the kernel behind it, where hosts
    load some"""
    files = {
        'bin': (FOLDER, b''),
        'bin/busybox': (PROGRAM, fetch('busybox').read_bytes()),
        'init': (PROGRAM, (PARTS / 'init').read_bytes()),
        'lab.sh': (DATA, (PARTS / 'lab.sh').read_bytes()),
    }
    for name in TOOLS:
        files[f'bin/{name}'] = (PROGRAM, tool(name).read_bytes())
    if kernel and load:
        files.update(archives.modules(modules.of(kernel, 'arm64', load)))
    return cached('lab/initramfs.cpio', newc(files))
