# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The hosts of journeys: what they are, and one of each that is up."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
import functools
from pathlib import Path

from . import hibernating, linux, nic, qemu_build, told, x86
from .bare_guest import BARE
from .guest_kind import GuestKind
from .host import ArmHardware, Hardware, Host, Hosts
from .kernels import Kernel


@dataclass(frozen=True)
class Site:
    """A host of a journey

    kernel: as --kernels names it; cpu, append, gic: of the emulated host; the
    CPU "max" is that of Debian's newest QEMU; options: what is added to the
    VM's machine there; cpus: of the VM there, 0 for the journey's; arch:
    Debian's name; nic: a VM there has a NIC, and runs Linux; qemu: the version
    there, "" for that of --qemu; linux: a VM there runs this series of Linux,
    and is told of CPUs, or hibernates.
    """
    kernel: str
    cpu: str = ''
    append: str = ''
    gic: str = '3'
    options: str = ''
    cpus: int = 0
    arch: str = 'arm64'
    nic: bool = False
    qemu: str = ''
    linux: str = ''
    hibernates: bool = False

    @property
    def needs_newest(self) -> bool:
        return self.cpu.startswith('max')

    def __str__(self) -> str:
        more = [self.cpu, self.append, self.options.lstrip(',')]
        if self.gic != '3':
            more.append(f'GICv{self.gic}')
        if self.arch != 'arm64':
            more.append(self.arch)
        if self.qemu:
            more.append(f'QEMU {self.qemu}')
        if self.cpus:
            more.append(f'{self.cpus} CPUs')
        if self.linux:
            more.append(f'a guest of Linux {self.linux}'
                        + (' that hibernates' if self.hibernates else ''))
        words = ', '.join(word for word in more if word)
        return self.kernel + (f' ({words})' if words else '')


class Places:
    """Hosts of sites, booted once for several journeys"""

    def __init__(self, hardware: ArmHardware,
                 newest_outer: Callable[[], Path],
                 find: Callable[[str, str], Kernel], qemu: Path,
                 build: Path) -> None:
        self.hardware = hardware
        self.newest_outer = newest_outer
        self.find = find
        self.qemu = qemu
        self.build = build
        self.hosts: dict[Site, Hosts] = {}
        self._version = functools.cache(
            lambda name: qemu_build.named_qemu(name, build))

    def __enter__(self) -> 'Places':
        return self

    def __exit__(self, *exception: object) -> None:
        self.keep(())

    @staticmethod
    def _host_of(site: Site) -> Site:
        """Without what is the VM's"""
        return replace(site, options='', cpus=0)

    def keep(self, sites: Iterable[Site]) -> None:
        """Ends all other hosts."""
        wanted = set(map(self._host_of, sites))
        for site in set(self.hosts) - wanted:
            self.hosts.pop(site).drop()

    def kind(self, site: Site, device: str = '') -> GuestKind:
        """What the VMs there run; device: more properties of their NIC"""
        if site.hibernates:
            return hibernating.kind(site.linux)
        if site.linux:
            return told.kind(site.linux)
        if not site.nic:
            return BARE
        return nic.kind(nic.PLACES[site.arch], self.build, device)

    def _hardware(self, site: Site) -> Hardware:
        hardware: Hardware
        if site.arch == 'arm64':
            hardware = replace(self.hardware, append=site.append, gic=site.gic)
        else:
            hardware = x86.hardware(self.build)
        if site.cpu:
            hardware = replace(hardware, cpu=site.cpu)
        if site.needs_newest:
            hardware = replace(hardware, outer=self.newest_outer())
        if site.linux:
            hardware = replace(hardware, memory=linux.MEMORY)
        if site.nic:
            hardware = nic.with_backends(hardware)
        return hardware

    def qemu_of(self, site: Site) -> Path:
        """What runs in such a host"""
        if site.arch != 'arm64':
            return x86.stripped(self.build, 'patched')
        return self._version(site.qemu) if site.qemu else self.qemu

    def _make(self, site: Site) -> Host:
        return self._hardware(site).host(
            self.find(site.kernel, site.arch),
            {'qemu': self.qemu_of(site), **self.kind(site).files()})

    def get(self, site: Site) -> Host:
        key = self._host_of(site)
        if key not in self.hosts:
            self.hosts[key] = Hosts(lambda: self._make(key))
        return self.hosts[key].get()

    def boot(self, sites: Sequence[Site]) -> None:
        """All of them at once"""
        with ThreadPoolExecutor(len(sites)) as pool:
            list(pool.map(self.get, dict.fromkeys(map(self._host_of, sites))))

    def drop(self, sites: Iterable[Site]) -> None:
        for site in map(self._host_of, sites):
            if site in self.hosts:
                self.hosts.pop(site).drop()
