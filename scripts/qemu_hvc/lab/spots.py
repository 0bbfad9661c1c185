# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The hosts of a matrix, and the profile of those that are one fleet.

Guests of one fleet are to go from each of its hosts to each other one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import re

from ..fleet import Fleet
from ..fleet_profile import ProfileRefused, profile_of
from .common import LabError
from .kernels import Kernel

# What a name of a CPU has before that by which it is known
FAMILY = re.compile(r'max,|cortex-|neoverse-')
# What makes hosts fast, or their clocks alike, and is nothing of a CPU's
FOR_THE_LAB = ('lpa2=', 'cntfrq=')


@dataclass(frozen=True)
class Spot:
    """Equal hosts: a kernel and, where hosts of a matrix have different ones,
    a CPU, and the name of a QEMU"""
    kernel: Kernel
    cpu: str = ''
    qemu: str = ''

    @property
    def model(self) -> str:
        """The CPU in few letters"""
        cpu = ','.join(word for word in self.cpu.split(',')
                       if not word.startswith(FOR_THE_LAB))
        prefix = FAMILY.match(cpu)
        return cpu[prefix.end():] if prefix else cpu

    @property
    def name(self) -> str:
        """As in "6.18", "6.18 n1", "6.18 pku=off" or "6.18 QEMU 10.2" """
        words = [self.kernel.name, self.model,
                 self.qemu and f'QEMU {self.qemu}']
        return ' '.join(filter(None, words))


Fleets = Sequence[Sequence[Spot]]


def fleets_of(kernels: Sequence[Kernel],
              cpus: Iterable[Sequence[str]] = (('',),),
              qemus: Iterable[str] = ()) -> Fleets:
    """Hosts with all of these kernels and, if they have several, QEMUs: a fleet
    for each list of CPUs, or one of hosts that have the same"""
    return [[Spot(kernel, cpu, qemu) for cpu in fleet for kernel in kernels
             for qemu in qemus or ('',)] for fleet in cpus]


@dataclass(frozen=True)
class FleetProfile:
    """What guest-abi-diff --profile-out makes of hosts

    hosts: names of those that have it in common; refused: why others have not,
    each a text of guest-abi-diff; contract: the profile; start_on: those on
    which guests are to be started, if not on all
    """
    hosts: tuple[str, ...]
    refused: tuple[str, ...]
    contract: dict
    start_on: tuple[str, ...] = ()

    def as_object(self) -> dict:
        return {'hosts': self.hosts, 'refused': self.refused,
                'contract': self.contract, 'start-on': self.start_on}

    @classmethod
    def of(cls, values: dict) -> 'FleetProfile':
        """What as_object() gave"""
        return cls(tuple(values['hosts']), tuple(values['refused']),
                   values['contract'], tuple(values.get('start-on', ())))


def common_profile(probed: Mapping[Spot, Path]) -> FleetProfile:
    """Of all hosts, or without those with the oldest kernels if these cannot
    have it: what an operator would do

    probed: files of guest-abi-probe. LabError if there is none
    """
    refused = []
    for oldest in sorted({spot.kernel.number for spot in probed}):
        files = {spot.name: path for spot, path in probed.items()
                 if spot.kernel.number >= oldest}

        def by_name(text: str, files: Mapping[str, Path] = files) -> str:
            for name, path in files.items():
                text = text.replace(str(path), name)
            return text

        try:
            profile = profile_of(Fleet(list(files.values())))
        except ProfileRefused as error:
            refused.append(by_name(str(error)))
            continue
        return FleetProfile(tuple(files), tuple(refused), profile.reply,
                            tuple(map(by_name, profile.start_on)))
    raise LabError(
        f'no profile of {", ".join(spot.name for spot in probed)}; needed: one '
        'of some kernels; guest-abi-diff says:\n' + '\n'.join(refused))
