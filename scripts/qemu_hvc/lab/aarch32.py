# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Calls of a 32-bit guest: the call engine of tests-qtest/hvc/guest in AArch32,
which makes a list of calls, finds which registers these changed, and prints
all of that."""

from pathlib import Path
import re
import struct

from ..initramfs import cached
from ..paths import ENGINE
from .common import require, run_tool
from .vm import Vm

# A CPU that has AArch32 at EL1
CPU = 'cortex-a72'
GUEST, LIST = 'aarch32-guest', 'aarch32-list'
# calls.h there: an enum CallOp, enum CallConduit, and flags of a list
PLAIN = 0
CONDUITS = {'hvc': 1, 'smc': 2}
PRINT = 1
LIST_AT = 0x41000000
MAGIC = 0x4c435648
HEADER = struct.Struct('<4I')
STEP = struct.Struct('<6I8Q')

PSCI_FEATURES, SYSTEM_OFF2, SYSTEM_OFF2_64 = 0x8400000a, 0x84000015, 0xc4000015
# Calls whose answers do not depend on when they are made, and that come back:
# the function and its arguments
CALLS = (
    (0x84000000,),                          # PSCI_VERSION
    *((PSCI_FEATURES, function) for function in (
        0x80000000, 0x84000003, 0xc4000003, 0x84000012, SYSTEM_OFF2,
        SYSTEM_OFF2_64, 0x84000050, 0xffffffff)),
    # Types and a cookie that there are not
    (SYSTEM_OFF2, 2), (SYSTEM_OFF2, 1, 1), (SYSTEM_OFF2_64, 2),
    (0x80000000,),                          # SMCCC_VERSION
    *((0x80000001, function) for function in (0x80008000, 0xc5000020)),
    (0x84000050,), (0x84000051, 0x84000053), (0x84000052,),     # TRNG
    (0x8600ff01,), (0x86000000,),           # the hypervisor's UID and FEATURES
    (0x86000001, 2),                        # PTP of no counter
    # DISCOVER_IMPL, which is for AArch64
    (0xc6000040,), (0xc6000041, 0), (0x86000040,),
    (0xc5000020, 0xc5000021),               # PV_TIME_FEATURES
)
END = (0xffffffff,)


def files(build: Path) -> dict[str, Path]:
    """What a host needs for such guests; LabError without a compiler"""
    require('arm-none-eabi-gcc')
    folder = build / 'guests'
    run_tool('sh', ENGINE / 'build.sh', folder, 'a32')
    return {GUEST: cached('lab/aarch32-guest.elf',
                          (folder / 'hvc-guest-a32.elf').read_bytes()),
            LIST: cached('lab/aarch32-list', call_list())}


def call_list() -> bytes:
    """A struct CallList of them all, by both conduits"""
    steps = [STEP.pack(PLAIN, conduit, 0, 1, 0, 0,
                       *call, *[0] * (8 - len(call)))
             for conduit in CONDUITS.values() for call in CALLS]
    steps.append(STEP.pack(PLAIN, CONDUITS['hvc'], 0, 1, 0, 0, *END,
                           *[0] * 7))
    return HEADER.pack(MAGIC, PRINT, len(steps), 0) + b''.join(steps)


def results(vm: Vm, machine: str) -> dict[str, str]:
    """By call, as in "smc 0x84000000": X0 to X3, and what the call changed or
    how it failed, if it did"""
    vm.start('-machine', f'{machine},gic-version=3', '-cpu',
             'host,aarch64=off', '-m', '64', '-kernel', GUEST,
             '-device', f'loader,file={LIST},addr={LIST_AT:#x},force-raw=on')
    said = vm.expect(f'hvc {END[0]:#x}')
    vm.quit()
    return dict(re.findall(r'(?m)^([^\t\n]+)\t(.*?)\r?$', said))
