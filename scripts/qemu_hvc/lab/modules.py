# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Kernel modules that an initramfs loads, in a host and in a guest."""

from collections.abc import Iterable, Mapping
from pathlib import Path
import re

from .common import LabError, fetch
from .kernels import Kernel

# Each without the modules that it needs
KVM = ('kvm-amd',)
# What a host without semihosting gets its files by
DISKS = ('virtio_pci', 'virtio_blk')
# Backends of virtio devices, and a bridge for TAP devices
BACKENDS = ('tun', 'bridge', 'vhost_net', 'vhost_vsock', 'vhost_scsi')
# Drivers of a guest
DRIVERS = ('virtio_pci', 'virtio_net', 'vmw_vsock_virtio_transport')

DEPENDS = re.compile(rb'(?<=\0)depends=([^\0]*)\0')


def can_be_had(kernel: Kernel, arch: str = 'arm64') -> bool:
    """Of a kernel of Debian's, not of a user's own"""
    return kernel.release.endswith(f'-cloud-{arch}')


def available(kernel: Kernel, arch: str) -> dict[str, Path]:
    """Those that scripts/fetch gets, by name. LabError for a user's own
    kernel"""
    if not can_be_had(kernel, arch):
        raise LabError(f'kernel {kernel.name} is {kernel.release}; needed: one '
                       f"of Debian's cloud kernels for {arch}, whose modules "
                       'can be had; name such a one, or leave out the NIC')
    folder = fetch('lab-modules',
                   kernel.release.removesuffix(f'-cloud-{arch}'), arch)
    return {path.stem.replace('-', '_'): path
            for path in folder.glob('*.ko')}


def needed_by(module: Path) -> list[str]:
    """The names in its section .modinfo"""
    found = DEPENDS.search(module.read_bytes())
    return found[1].decode().replace('-', '_').split(',') if found else []


def in_order(names: Iterable[str], known: Mapping[str, Path]) -> list[Path]:
    """Those of known that the named ones need, and themselves, each behind
    what it needs. What is not known is part of the kernel."""
    order: list[Path] = []

    def add(name: str) -> None:
        path = known.get(name.replace('-', '_'))
        if path and path not in order:
            for other in needed_by(path):
                add(other)
            order.append(path)

    for name in names:
        add(name)
    return order


def of(kernel: Kernel, arch: str, names: Iterable[str]) -> list[Path]:
    """Those that load the named ones into that kernel, in order"""
    return in_order(names, available(kernel, arch))
