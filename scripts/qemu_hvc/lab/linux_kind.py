# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Linux guests of matrices and journeys, driven by shell commands."""

from .. import linux_guest
from ..console import GuestError
from .common import LabError
from .guest_kind import Answers
from .kernels import Kernel
from .linux import COMMAND_TIMEOUT, run_in_guest
from .vm import Vm

TAG = '@guest'
BOOT_TIMEOUT = 300


def append(console: str = 'ttyAMA0') -> str:
    """The guest's kernel command line"""
    return f'console={console} quiet panic=-1 hvc_tag={TAG}'


class AnsweringLinux:
    """The guest of a VM that runs it; see guest_kind.AnsweringGuest"""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm

    def run(self, command: str, timeout: float = COMMAND_TIMEOUT) -> str:
        try:
            return run_in_guest(self.vm, TAG, command, timeout)
        except GuestError as error:
            raise LabError(str(error)) from None

    def fields(self, command: str) -> dict[str, str]:
        return linux_guest.fields_of(self.run(command))

    def booted(self) -> None:
        self.vm.expect(f'{TAG} ready', BOOT_TIMEOUT)

    def reboot(self) -> None:
        self.vm.qmp('system_reset')
        self.booted()

    def differences(self, before: Answers, after: Answers, source: Kernel,
                    target: Kernel) -> list[str]:
        del source, target
        return [f'{name}: {before.get(name, "off")}, then '
                f'{after.get(name, "off")}'
                for name in sorted({*before, *after})
                if before.get(name) != after.get(name)]

    def asides(self, before: Answers, after: Answers, source: Kernel,
               target: Kernel) -> list[str]:
        del before, after, source, target
        return []
