# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What each kernel's KVM shows of the firmware registers."""

from dataclasses import dataclass
import json

from .common import aligned, say
from .host import Hardware, Host
from .kernels import Kernel

# Registers by their ids, in the order of the table.
REGISTERS = {
    0x6030000000140000: 'PSCI',
    0x6030000000140001: 'WA1',
    0x6030000000140002: 'WA2',
    0x6030000000140003: 'WA3',
    0x6030000000160000: 'STD',
    0x6030000000160001: 'STD_HYP',
    0x6030000000160002: 'VENDOR_HYP',
    0x6030000000160003: 'VENDOR_HYP_2',
}


@dataclass
class Probe:
    """The firmware registers' defaults, and the sizes of register lists."""
    kernel: Kernel
    firmware: dict[int, int]
    sizes: dict[str, int]

    def as_object(self) -> dict:
        return {'name': self.kernel.name, 'release': self.kernel.release,
                'registers': self.sizes,
                'firmware': {f'{register:#x}': f'{value:#x}'
                             for register, value in self.firmware.items()}}


def probe(hardware: Hardware, kernel: Kernel) -> Probe:
    say(f'{kernel.name}: booting {kernel.release}')
    with Host(hardware, kernel, {}) as host:
        found = Probe(kernel, {}, {})
        for line in host.run('kvmprobe').splitlines():
            match line.split():
                case ['registers', features, size]:
                    found.sizes[features] = int(size)
                case ['fw', register, value]:
                    found.firmware[int(register, 16)] = int(value, 16)
        return found


def name(register: int) -> str:
    return REGISTERS.get(register, f'{register:#x}')


def table(probes: list[Probe]) -> str:
    """One row for each kernel. "-": the kernel has no such register."""
    registers = list(REGISTERS)
    registers += sorted({register for found in probes
                         for register in found.firmware} - REGISTERS.keys())
    rows = [['kernel', *map(name, registers), 'registers', 'with PMU']]
    for found in probes:
        values = [f'{found.firmware[register]:#x}'
                  if register in found.firmware else '-'
                  for register in registers]
        rows.append([found.kernel.release, *values,
                     str(found.sizes['base']),
                     str(found.sizes.get('pmu', '-'))])
    return aligned(rows)


def as_json(hardware: Hardware, probes: list[Probe]) -> str:
    return json.dumps({'cpu': hardware.cpu, 'append': hardware.append,
                       'kernels': [found.as_object() for found in probes]},
                      indent=1) + '\n'
