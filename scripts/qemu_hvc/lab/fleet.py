# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What guest-abi-probe says on a host of each kernel.

The same probe as on a real host, with its VMs inside an emulated one.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import json
from pathlib import Path
import tempfile
from typing import Any

from .. import probe as guest_abi_probe
from ..qmp import Monitor, QemuError

from . import modules, python
from .common import LabError, say
from .host import CommandFailed, Hardware, Host, quoted
from .kernels import Kernel
from .vm import QmpError, Vm, VmEnded

# An emulated arm64 host has a GICv3. X86's firmware is in the current folder.
MACHINES = {'arm64': ('virt,gic-version=3', ()), 'amd64': ('q35', ('-L', '.'))}
START_TIMEOUT = 60


class Started(Monitor):
    """A VM inside a host, as the probe knows VMs"""

    def __init__(self, host: Host, *options: str) -> None:
        self.vm = Vm(host, 'probe')
        try:
            self.vm.start(*options, '-S')
        except VmEnded as end:
            raise QemuError(end.messages) from end

    def __enter__(self) -> 'Started':
        return self

    def __exit__(self, *exception: object) -> None:
        self.vm.quit()

    def command(self, name: str, **arguments: object) -> Any:
        try:
            return self.vm.qmp(name, **arguments)
        except (QmpError, VmEnded) as error:
            raise QemuError(str(error)) from error


class ProbedHost(guest_abi_probe.Host):
    """An emulated host, for the probe"""

    def __init__(self, host: Host, profile: str | None, cpu: str) -> None:
        machine, options = MACHINES[host.hardware.arch]
        super().__init__('./qemu', 'kvm', machine, cpu, profile, options)
        self.host = host

    def release(self) -> str:
        return self.host.kernel.release

    def start(self, machine: str) -> Started:
        return Started(self.host, '-machine', machine, '-cpu', self.cpu,
                       *self.options)

    def machine_help(self, value: str) -> str:
        try:
            return self.host.run(quoted(
                [self.program, '-machine', value]) + ' 2>&1',
                START_TIMEOUT) + '\n'
        except CommandFailed as failure:
            raise QemuError(failure.output) from failure

    def facts(self) -> dict:
        # For amd64 hosts there is no Python; their VMs here have no backends.
        return python.facts(self.host) \
            if self.host.hardware.arch == 'arm64' else {}


def file_name(kernel: Kernel) -> str:
    return f'linux-{kernel.name}.json'


def probe_host(host: Host, profile: str | None = None,
               cpu: str = 'host') -> dict:
    """What guest-abi-probe prints there; profile: a file in the host; cpu: of
    the VMs"""
    try:
        return guest_abi_probe.probe(ProbedHost(host, profile, cpu))
    except guest_abi_probe.ProbeError as error:
        raise LabError(f'{host.kernel.name}: {error}') from error


def probe(hardware: Hardware, qemu: Path, kernel: Kernel,
          profile: Path | None = None) -> dict:
    """What guest-abi-probe prints on a host with that kernel"""
    say(f'{kernel.name}: what it can promise a guest')
    files = {'qemu': qemu, **({profile.name: profile} if profile else {})}
    if modules.can_be_had(kernel):
        hardware = replace(hardware, modules=modules.BACKENDS)
    with Host(hardware, kernel, files) as host:
        return probe_host(host, profile.name if profile else None)


def probe_all(hardware: Hardware, qemu: Path, kernels: Iterable[Kernel],
              profile: Kernel | None, jobs: int) -> dict[str, dict]:
    """Documents by the names of their files

    With a profile, kernels that are newer than it are probed to be like it,
    and older ones without it.
    """
    documents = {}
    with tempfile.TemporaryDirectory(prefix='kvm-lab-') as tmp, \
         ThreadPoolExecutor(jobs) as pool:
        path = None
        if profile:
            path = Path(tmp) / file_name(profile)
            documents[path.name] = probe(hardware, qemu, profile)
            path.write_text(json.dumps(documents[path.name]),
                            encoding='utf-8')
        rest = [kernel for kernel in kernels if kernel != profile]
        documents.update(zip(
            map(file_name, rest),
            pool.map(lambda kernel: probe(
                hardware, qemu, kernel,
                path if profile and kernel.number > profile.number else None),
                rest)))
    return documents
