# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Cross-builds the QEMU that runs inside a host: static, arm64, KVM only."""

import contextlib
import os
from pathlib import Path
import subprocess
import sys

from .. import tree as qemu_tree

from ..paths import CROSS, ROOT, series_of
from . import debian_qemu
from .common import LabError, fetch, require, run_tool, say

# The smallest QEMU that starts, migrates and snapshots a virt machine: QMP,
# file: and unix: migration and qcow2 are always there.
OPTIONS = (
    '--python=/usr/bin/python3',
    f'--cross-prefix={CROSS}',
    '--static',
    '--target-list=aarch64-softmmu',
    # No option may depend on what is installed on this machine.
    '--without-default-features',
    '--disable-tcg',
    '--enable-kvm',
    '--enable-fdt=system',
    '--enable-seccomp',
    # Backends of virtio devices in the kernel: TAP's vhost-net, vhost-vsock
    '--enable-vhost-net',
    '--enable-vhost-kernel',
    '--enable-werror',
    '--enable-trace-backends=log',
    # A fifth of the size, and every host reads all of it.
    '--disable-debug-info',
    '--disable-install-blobs',
    '--disable-docs',
    '--disable-tools',
    '--disable-guest-agent',
)
TARGET = 'qemu-system-aarch64'
LIBRARIES = 'usr/lib/aarch64-linux-gnu'


def pkg_config(out: Path, sysroot: Path) -> Path:
    """A pkg-config that finds the sysroot's libraries and nothing else."""
    wrapper = out / 'pkg-config'
    wrapper.write_text(
        '#!/bin/sh\n'
        f"export PKG_CONFIG_SYSROOT_DIR='{sysroot}'\n"
        f"export PKG_CONFIG_LIBDIR='{sysroot}/{LIBRARIES}/pkgconfig'"
        f":'{sysroot}/usr/share/pkgconfig'\n"
        f'exec {require("pkg-config")} "$@"\n', encoding='utf-8')
    wrapper.chmod(0o755)
    return wrapper


def environment(out: Path, sysroot: Path) -> dict[str, str]:
    path = os.environ['PATH']
    if Path('/usr/lib/ccache').is_dir():
        path = f'/usr/lib/ccache:{path}'
    return {**os.environ, 'PATH': path,
            'PKG_CONFIG': str(pkg_config(out, sysroot)),
            # As scripts/build-qemu: another checkout's objects are as good.
            'CCACHE_BASEDIR': str(out.parent), 'CCACHE_NOHASHDIR': '1',
            'NINJA_STATUS': '[%f/%t] '}


def configure(tree: Path, out: Path, sysroot: Path,
              env: dict[str, str]) -> None:
    libraries = sysroot / LIBRARIES
    options = [
        *OPTIONS,
        # Meson looks for static libraries where the compiler does, and -L is
        # not enough for it.
        f'--cc={CROSS}gcc -B{libraries}/',
        f'--extra-cflags=-isystem {sysroot}/usr/include',
        f'--extra-ldflags=-L{libraries}',
    ]
    stamp = '\n'.join([str(tree), *options])
    done = out / '.configured'
    if (out / 'build.ninja').exists() and done.exists() and \
       done.read_text(encoding='utf-8') == stamp:
        return
    say(f'configuring the KVM-only QEMU in {out}')
    done.unlink(missing_ok=True)
    run_tool(tree / 'configure', *options, cwd=out, env=env,
             log=f'see {out}/meson-logs/meson-log.txt')
    done.write_text(stamp, encoding='utf-8')


def has_series(build: Path, series: str) -> bool:
    return (build / 'src/VERSION').is_file() and series_of(build) == series


def build_of(series: str, build: Path) -> Path:
    """Where a version of QEMU is built: BUILD, or as scripts/lib/common.sh has
    it"""
    if has_series(build, series):
        return build
    default = ROOT / 'build'
    return default if has_series(default, series) else \
        ROOT / f'build-{series}'


def assemble(build: Path, stock: bool, series: str = '') -> Path:
    """The source tree; put together as scripts/build-qemu does it."""
    if not series and (build / 'src/VERSION').is_file():
        series = series_of(build)
    source = fetch('source', *filter(None, [series]))
    if stock:
        return source
    tree = build / 'src'
    try:
        # assemble() prints what changed; stdout is for results.
        with contextlib.redirect_stdout(sys.stderr):
            qemu_tree.assemble(source, tree)
    except qemu_tree.TreeError as error:
        raise LabError(str(error)) from None
    return tree


def build_qemu(build: Path, stock: bool = False, series: str = '') -> Path:
    """The program, up to date; the first time takes some minutes.

    series: of QEMU; what BUILD has been built of, or the default
    """
    return build_tree(assemble(build, stock, series),
                      build / ('kvm-stock' if stock else 'kvm'))


def named_qemu(name: str, build: Path) -> Path:
    """What an option --qemu names; built if it is one of ours."""
    if name in ('patched', 'stock'):
        return build_qemu(build, name == 'stock')
    if name in qemu_tree.versions():
        return build_qemu(build_of(name, build), series=name)
    if name == debian_qemu.NAME:
        return debian_qemu.program()
    path = Path(name)
    if not path.is_file():
        raise LabError(f'--qemu {path}: no such file; needed: a static '
                       'qemu-system-aarch64 for arm64 with KVM, or '
                       '"patched", "stock", "debian", '
                       f'{" or ".join(qemu_tree.versions())}'
                       '; correct it')
    return path.resolve()


def build_tree(tree: Path, out: Path) -> Path:
    """Builds the QEMU of an assembled tree."""
    require('ninja')
    require(f'{CROSS}gcc')
    sysroot = fetch('lab-sysroot')
    out.mkdir(parents=True, exist_ok=True)
    env = environment(out, sysroot)
    configure(tree, out, sysroot, env)
    say(f'building {out}/{TARGET}')
    log = out / 'build.log'
    with log.open('w', encoding='utf-8') as output:
        status = subprocess.run(['ninja', '-C', out, TARGET], env=env,
                                stdout=output, stderr=subprocess.STDOUT,
                                check=False).returncode
    if status:
        text = log.read_text(encoding='utf-8').splitlines()
        errors = [line for line in text if 'error:' in line] or text[-10:]
        raise LabError(f'{out}/{TARGET} was not built; needed: a build '
                       f'without errors; see {log}:\n' + '\n'.join(errors))
    return out / TARGET
