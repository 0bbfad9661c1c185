# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The hosts of journeys: what they are, and one of each that is up."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from . import programs
from .host import Hardware, Host, Hosts
from .kernels import Kernel


@dataclass(frozen=True)
class Site:
    """A host of a journey

    kernel: as --kernels names it; cpu, append, gic: of the emulated host; the
    CPU "max" is that of Debian's newest QEMU; options: what is added to the
    VM's machine there; cpus: of the VM there, 0 for the journey's.
    """
    kernel: str
    cpu: str = ''
    append: str = ''
    gic: str = '3'
    options: str = ''
    cpus: int = 0

    @property
    def needs_newest(self) -> bool:
        return self.cpu.startswith('max')

    def __str__(self) -> str:
        more = [self.cpu, self.append, self.options.lstrip(',')]
        if self.gic != '3':
            more.append(f'GICv{self.gic}')
        if self.cpus:
            more.append(f'{self.cpus} CPUs')
        words = ', '.join(word for word in more if word)
        return self.kernel + (f' ({words})' if words else '')


class Places:
    """Hosts of sites, booted once for several journeys"""

    def __init__(self, hardware: Hardware, newest_outer: Callable[[], Path],
                 find: Callable[[str], Kernel], qemu: Path) -> None:
        self.hardware = hardware
        self.newest_outer = newest_outer
        self.find = find
        self.files = {'qemu': qemu, 'guest': programs.guest()}
        self.hosts: dict[Site, Hosts] = {}

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

    def _make(self, site: Site) -> Host:
        hardware = replace(self.hardware, append=site.append, gic=site.gic)
        if site.cpu:
            hardware = replace(hardware, cpu=site.cpu)
        if site.needs_newest:
            hardware = replace(hardware, outer=self.newest_outer())
        return Host(hardware, self.find(site.kernel), self.files)

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
