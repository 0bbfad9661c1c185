# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What the VMs of a matrix or a journey run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from .host import Host
from .kernels import Kernel

# Name of an answer -> its value, as text. What a machine does not have is not
# in it.
Answers = Mapping[str, str]


class AnsweringGuest(Protocol):
    """A guest of a VM that runs it"""

    def booted(self) -> int | None:
        """Waits for its start."""

    def answers(self) -> Answers:
        """What it says now of its machine and of its work"""

    def reboot(self) -> int | None:
        """Resets its machine and waits for its start."""

    def differences(self, before: Answers, after: Answers, source: Kernel,
                    target: Kernel) -> list[str]:
        """What changed, as "NAME: BEFORE, then AFTER" """

    def asides(self, before: Answers, after: Answers, source: Kernel,
               target: Kernel) -> list[str]:
        """What only looks different because of another kernel"""


@dataclass(frozen=True)
class GuestKind:
    """files: a host's, beside QEMU; options: QEMU's, for a machine and a number
    of CPUs; name: '' for the usual kind; judges: modules that say what differs,
    beside those that all results depend on; device: the beginning of an answer's
    name, of what a device offers when the guest boots; vm: makes a Vm, of a class
    that its guests need"""
    files: Callable[[], dict[str, Path]]
    options: Callable[[str, int], list[str]]
    vm: Callable[[Host, str], Any]
    guest: Callable[[Any], AnsweringGuest]
    name: str = ''
    judges: tuple[ModuleType, ...] = ()
    device: str = ''

    def is_offered_at_boot(self, change: str) -> bool:
        """Of a verdict's text"""
        return bool(self.device) and \
            change.startswith(f'after a reboot: {self.device}: ')
