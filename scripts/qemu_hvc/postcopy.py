# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""For tests of migrations by postcopy."""

from .qmp import QemuError
from .vm import Vm

# From this version on a source takes its VM back if the destination says that it
# cannot load the devices.
COMES_BACK = (10, 2)


def version_with(case, qemu, capabilities):
    """QEMU's version; the unittest case is skipped if QEMU refuses one of these
    capabilities, as where there is no userfaultfd"""
    with Vm(qemu, 'virt-10.0') as vm:
        try:
            vm.set_capabilities(capabilities)
        except QemuError as error:
            case.skipTest(f'no postcopy here: {error}')
        return vm.version()
