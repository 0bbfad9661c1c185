# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What each kernel's backends of virtio devices offer: TAP, vhost-net,
vhost-vsock and vhost-scsi. A guest sees it as features of its devices."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
import json
from pathlib import Path

from ..contract import read_text
from ..host_facts import BACKENDS, features_of
from ..paths import DATA
from . import modules, python
from .common import LabError, aligned, say
from .host import Hardware, Host
from .kernels import Kernel

# Where a backend changed what it offers
KERNELS = '5.10,6.1,6.12,6.18,newest'
RECORD = DATA / 'backends.json'


@dataclass
class Backends:
    """facts: by the backend's name, as host_facts has them"""
    name: str
    release: str
    facts: dict[str, dict]

    def features(self, backend: str) -> set[int]:
        """Bits of the virtio specification"""
        return features_of(self.facts[backend])


def probe(hardware: Hardware, kernel: Kernel) -> Backends:
    """LabError if one of them cannot be asked"""
    say(f'{kernel.name}: booting {kernel.release}')
    with Host(replace(hardware, modules=modules.BACKENDS), kernel, {}) as host:
        facts = python.facts(host)
    for backend in BACKENDS:
        if 'unavailable' in facts[backend]:
            raise LabError(f'{kernel.name}: {facts[backend]["unavailable"]}')
    return Backends(kernel.name, kernel.release,
                    {backend: facts[backend] for backend in BACKENDS})


def table(found: list[Backends]) -> str:
    """One row for each kernel"""
    return aligned([
        ['kernel', 'TAP', 'TAP offloads', *BACKENDS[1:]],
        *([row.release, row.facts['tap']['flags'],
           ' '.join(row.facts['tap']['offloads']),
           *(' '.join(row.facts[backend]['features'])
             for backend in BACKENDS[1:])] for row in found)])


def as_json(found: list[Backends]) -> str:
    return json.dumps([asdict(row) for row in found], indent=1) + '\n'


def recorded(path: Path = RECORD) -> list[Backends]:
    """What as_json() wrote. LabError if it is something else"""
    try:
        return [Backends(**row) for row in json.loads(read_text(path))]
    except (OSError, ValueError, TypeError) as error:
        raise LabError(f'{path}: {error}; needed: what "kvm-lab backends '
                       '--json FILE" wrote') from error


def differences(path: Path, found: list[Backends]) -> Iterator[str]:
    """Lines, one for each kernel that does not say what the file has"""
    known = {row.name: row for row in recorded(path)}
    for row in found:
        old = known.get(row.name)
        if old is None:
            yield f'it has no kernel {row.name}'
        elif old.facts != row.facts:
            yield f'{row.name}: {old.facts}; now: {row.facts}'
