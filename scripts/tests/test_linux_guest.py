# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What unmodified Linux finds of the hypercall services, as TAP.

Every claim is judged from inside a Debian kernel. What is expected is written
out here, on purpose: neither QEMU nor linux_guest.py is asked about it.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
import re
import signal
import subprocess
import sys

from qemu_hvc.console import GuestError
from qemu_hvc.hibernation import HibernatingGuest
from qemu_hvc.lab import kernels, modules
from qemu_hvc.lab.common import LabError
from qemu_hvc.linux_guest import (
    CommandError, Guest, Kernel, QemuExit, ptp_program)
from qemu_hvc.paths import CROSS_CC, FetchError, fetch
from qemu_hvc.qmp import QemuError
from qemu_hvc.tap import Skip, Tap

# The promise to the user; measured: 0.3 ms on two busy CPUs.
PTP_LIMIT_MS = 10
PTP_TRIES = 10
# The host may be busy between the two halves of one pair, but not of ten.
# Measured: 1 to 6 us, now and then 3 ms.
PTP_PAIR_LIMIT_MS = 1
# Two idle CPUs, 400 ticks in two seconds: how many more than the vCPU threads
# waited. Measured: 0 to 9, of time that was stolen before.
IDLE_SECONDS = 2
IDLE_LIMIT_TICKS = 20
# Two busy CPUs that get two fifths of one. Measured: 340 to 370 of 400 ticks.
BUSY_SECONDS = 2
BUSY_LIMIT_TICKS = 60


def expect(condition: bool, complaint: str) -> None:
    if not condition:
        raise AssertionError(complaint)


# A check raises if the guest is wrong; it may return what it measured.
Check = Callable[[Guest], str | None]
Point = tuple[str, Check]


@dataclass
class Boot:
    """A guest, and the test points that are judged on it, in order"""
    title: str
    points: list[Point]
    services: str | None = None
    psci_version: str | None = None
    cpu: str = 'max'
    machine: str = 'virt'
    guest: type[Guest] = Guest

    def names(self) -> Iterator[str]:
        for name, _ in self.points:
            yield f'{self.title}: {name}'


# --- test points ---

def says(key: str, message: str) -> Point:
    """Linux's own message is exactly this; with '', there is none."""
    def check(guest: Guest) -> None:
        found = guest.report[key]
        expect(found == message,
               f'{key}: Linux has {found!r}, expected {message!r}')
    return (message or f'no {key.replace("_", " ")}', check)


def psci(version: str) -> Point:
    return says('psci', f'psci: PSCIv{version} detected in firmware.')


def smccc(version: str) -> Point:
    return says('smccc', f'psci: SMC Calling Convention v{version}')


def vendor(word: int, word_2: int = 0) -> Point:
    return says('vendor', 'smccc: KVM: hypervisor services detected '
                f'(0x00000000 0x{word_2:08x} 0x00000000 0x{word:08x})')


def implementations(count: int) -> Point:
    return says('implementations', 'smccc: KVM: Number of target '
                f'implementation CPUs is {count}')


def midr(value: int) -> Point:
    return says('midr', f'0x{value:016x}')


def errata(*numbers: str) -> Point:
    """These, each of them in some message"""
    def check(guest: Guest) -> None:
        found = set(re.findall(r'\d{6,}', guest.report['errata']))
        expect(found == set(numbers), f'Linux works around '
               f'{", ".join(sorted(found))}, not {", ".join(sorted(numbers))}')
    return 'errata', check


NO_SMCCC = says('smccc', '')
NO_IMPLEMENTATIONS = says('implementations', '')
NO_VENDOR = says('vendor', '')
NO_PTP = says('ptp_devices', '')
PTP = says('ptp_name', 'KVM virtual PTP')
PV_TIME = says('steal_time', 'arm-pv: using stolen time PV')
NO_PV_TIME = says('steal_time', '')


def no_trng(guest: Guest) -> None:
    expect(not guest.report['trng_device'], 'there is a device smccc_trng')
    available = guest.report['rng_available']
    expect(available in ('', 'none'), f'rng_available has {available!r}')


def trng(guest: Guest) -> str:
    for key in 'rng_available', 'rng_current':
        expect('smccc_trng' in guest.report[key].split(),
               f'{key} has {guest.report[key]!r}')
    first, second = guest.rng(), guest.rng()
    expect(first['digest'] != second['digest'],
           'two reads gave the same 64 KiB')
    return f'{first["bytes"]} bytes, gzip makes {first["compressed"]} of them'


NO_TRNG = ('no smccc_trng', no_trng)
TRNG = ('64 KiB read twice from /dev/hwrng through smccc_trng', trng)


def needs_ptp_program() -> None:
    if not ptp_program():
        raise Skip(f'no {CROSS_CC}; scripts/setup installs it')


def ptp_time(guest: Guest) -> str:
    needs_ptp_program()
    limit = PTP_LIMIT_MS * 10**6
    low, high = -2**63, 2**63
    for _ in range(PTP_TRIES):
        offset = guest.ptp_offset()
        low, high = max(low, offset.low), min(high, offset.high)
        if high - low <= limit:
            break
    measured = f'{low / 1e6:.3f} to {high / 1e6:.3f} ms off'
    # Both bounds are certain: on a busy host they are only far apart.
    expect(low <= high and low <= limit and high >= -limit, measured)
    if max(-low, high) > limit:
        raise Skip('the host is too busy to tell: the clock is ' + measured)
    return measured


def ptp_pair(guest: Guest) -> str:
    needs_ptp_program()
    errors = sorted(abs(bracketed - crossed) // 1000
                    for bracketed, crossed in guest.ptp_pairs())
    measured = f'us between the two: {", ".join(map(str, errors))}'
    expect(errors[0] <= PTP_PAIR_LIMIT_MS * 1000, measured)
    return measured


PTP_TIME = (f"/dev/ptp0 within {PTP_LIMIT_MS} ms of the host's clock",
            ptp_time)
PTP_PAIR = ('/dev/ptp0 gives wall clock and counter as one pair', ptp_pair)


def stolen_and_waited(guest: Guest, command: str) \
        -> tuple[dict[str, int], int, int]:
    """Stolen ticks by CPU while a command runs in the guest, and how many the
    vCPU threads really waited, by the host's own accounting: at least, and
    with the time that the two readings in the guest took, at most."""
    outer = guest.run_delay()
    steal = guest.steal()
    inner = guest.run_delay()
    guest.run(command)
    inner = guest.run_delay() - inner
    stolen = {cpu: ticks - steal[cpu]
              for cpu, ticks in guest.steal().items()}
    outer = guest.run_delay() - outer
    return stolen, inner // 10**7, outer // 10**7


def steal_idle(guest: Guest) -> str:
    for _ in range(3):
        stolen, _, most = stolen_and_waited(guest, f'sleep {IDLE_SECONDS}')
        # On a busy host even an idle guest's vCPUs wait when they wake up.
        limit = 1.1 * most + IDLE_LIMIT_TICKS
        if stolen['cpu'] <= limit:
            break
    measured = f'{stolen} ticks in {IDLE_SECONDS} s, waited up to {most}'
    expect(stolen['cpu'] <= limit, measured)
    return measured


def overload(guest: Guest) -> tuple[dict[str, int], int, int]:
    """stolen_and_waited() of a busy guest on an overloaded host"""
    with guest.overloaded():
        return stolen_and_waited(guest, f'busy {BUSY_SECONDS}')


def steal_loaded(guest: Guest) -> str:
    stolen, least, most = overload(guest)
    measured = (f'{stolen} ticks in {BUSY_SECONDS} s, waited {least} to '
                f'{most}')
    for ticks in stolen.values():
        expect(ticks >= BUSY_LIMIT_TICKS, measured)
    # A record is up to 10 ticks behind, and Linux adds it up at its own ticks.
    expect(0.7 * least <= stolen['cpu'] <= 1.1 * most + 30, measured)
    return measured


def steal_never(guest: Guest) -> str:
    stolen, least, _ = overload(guest)
    measured = f'{stolen} ticks in {BUSY_SECONDS} s, waited {least}'
    expect(not any(stolen.values()), measured)
    return measured


STEAL_IDLE = ("an idle guest's steal counter grows by no more than its vCPUs wait",
              steal_idle)
STEAL_LOADED = ("each CPU's steal counter grows on an overloaded host",
                steal_loaded)
STEAL_NEVER = ('steal counter stays 0 on an overloaded host', steal_never)


def reboot(guest: Guest) -> None:
    before = guest.report
    guest.reboot()
    changed = [f'{key}: {value!r}, then {guest.report[key]!r}'
               for key, value in before.items() if guest.report[key] != value]
    expect(not changed, '; '.join(changed))


REBOOT = ('a reboot inside the guest keeps it all', reboot)


# The function id of a 64-bit caller, and not SYSTEM_OFF's
SYSTEM_OFF2 = 0xc4000015
OFF = {'guest': True, 'reason': 'guest-shutdown'}


def hibernation(guest: HibernatingGuest) -> str:
    before = guest.report
    guest.run('remember')
    memory = guest.recall()
    expect(memory['goes_on'] == '1', f'it does not remember: {memory}')
    event = guest.hibernate()
    expect(event == OFF, f'the event SHUTDOWN has {event}, expected {OFF}')
    after = guest.recall()
    expect(after == memory, f'it knew {memory}, then {after}')
    expect(guest.report == before,
           f'it reported {before}, then {guest.report}')
    return f'boot {after["boot_id"]}, secret {after["secret"]}'


def off_by(*functions: int) -> Point:
    def check(guest: HibernatingGuest) -> None:
        found = guest.functions
        expect(found == list(functions), 'it was turned off by '
               + (', '.join(f'{number:#x}' for number in found) or 'nothing'))
    return (f'off by {", ".join(f"{number:#x}" for number in functions)}',
            check)


HIBERNATION = ('hibernates, and a process goes on in a new QEMU', hibernation)
# Its disk works in the new QEMU, too.
HIBERNATION_AGAIN = (f'{HIBERNATION[0]}, again', hibernation)


def offers(*services: str) -> Point:
    def check(guest: Guest) -> None:
        found = guest.offer.services
        expect(found == frozenset(services), 'hvc-services-list has '
               + ('host' if found is None else str(sorted(found))))
    return (f'QEMU says it offers {", ".join(services) or "nothing"}', check)


def again(point: Point) -> Point:
    return (f'{point[0]}, after a reboot', point[1])


# --- guests ---

ALL = ('trng', 'pv-time', 'vendor-features', 'ptp')
NOTHING = [NO_TRNG, NO_PV_TIME, NO_VENDOR, NO_PTP]

UNPINNED = [
    Boot('no hvc-services, cpu max',
         [psci('1.1'), smccc('1.0'), *NOTHING, STEAL_NEVER]),
    Boot('no hvc-services, cpu cortex-a72',
         [psci('1.1'), smccc('1.0'), *NOTHING, REBOOT],
         cpu='cortex-a72'),
]

PINNED = [
    Boot('linux-6.12, cpu max',
         [offers(*ALL), psci('1.1'), smccc('1.1'), vendor(0x3), TRNG,
          PTP, PTP_TIME, PTP_PAIR, PV_TIME, STEAL_IDLE, STEAL_LOADED,
          REBOOT, again(TRNG), again(PTP_TIME), again(STEAL_LOADED)],
         services='linux-6.12'),
    Boot('linux-6.12, psci-version 1.3, cpu cortex-a72',
         [offers(*ALL), psci('1.3'), smccc('1.1'), vendor(0x3), TRNG,
          PTP, PTP_TIME, PV_TIME, STEAL_LOADED, REBOOT],
         services='linux-6.12', psci_version='1.3', cpu='cortex-a72'),
    Boot('none, cpu cortex-a72',
         [offers(), psci('1.1'), smccc('1.1'), *NOTHING, STEAL_NEVER, REBOOT],
         services='none', cpu='cortex-a72'),
    Boot('trng alone, cpu max',
         [offers('trng'), psci('1.1'), smccc('1.1'), TRNG,
          NO_PV_TIME, NO_VENDOR, NO_PTP],
         services='trng'),
    Boot('pv-time alone, cpu cortex-a72',
         [offers('pv-time'), psci('1.1'), smccc('1.1'), PV_TIME, STEAL_LOADED,
          NO_TRNG, NO_VENDOR, NO_PTP],
         services='pv-time', cpu='cortex-a72'),
    Boot('vendor-features alone, cpu max',
         [offers('vendor-features'), psci('1.1'), smccc('1.1'), vendor(0x1),
          NO_TRNG, NO_PV_TIME, NO_PTP],
         services='vendor-features'),
    # Linux learns about ptp from vendor-features, so alone it stays unseen.
    Boot('ptp alone, cpu cortex-a72',
         [offers('ptp'), psci('1.1'), smccc('1.1'), *NOTHING],
         services='ptp', cpu='cortex-a72'),
    # Linux looks for SMCCC from PSCI 1.0 on.
    Boot('linux-6.12, psci-version 0.2, cpu max',
         [offers(*ALL), psci('0.2'), NO_SMCCC, *NOTHING],
         services='linux-6.12', psci_version='0.2'),
]


# Linux from 6.15 on asks for the CPUs that it may come to run on.
A72, N1, A57 = 0x410fd083, 0x414fd0c1, 0x411fd070
OF_A72 = ('1742098', '1165522', '1319367', '1530923')
MIXED = [
    Boot('two CPUs, cpu cortex-a72',
         [offers(*ALL, 'implementation-cpus'), vendor(0x3, 0x3),
          implementations(2), midr(A72), errata(*OF_A72), REBOOT],
         services='linux-6.12:+implementation-cpus', cpu='cortex-a72',
         machine=f'virt,implementation-cpus={A72:#x}:{N1:#x}/0x11/0x0'),
    Boot('three CPUs, cpu cortex-a72, errata of Cortex-A57 as well',
         [implementations(3), midr(A72), errata(*OF_A72, '832075', '834220'),
          REBOOT],
         services='linux-6.12:+implementation-cpus', cpu='cortex-a72',
         machine=f'virt,implementation-cpus={A72:#x}:{N1:#x}:{A57:#x}'),
    Boot('its own CPU, cpu neoverse-n1',
         [vendor(0x1, 0x3), implementations(1), midr(N1)],
         services='vendor-features:implementation-cpus', cpu='neoverse-n1'),
    Boot('not chosen, cpu cortex-a72',
         [offers(*ALL), vendor(0x3), NO_IMPLEMENTATIONS, midr(A72),
          errata(*OF_A72)],
         services='linux-6.18', cpu='cortex-a72'),
]
# Debian's kernel for the cloud, without the driver of TRNG
MIXED_KERNEL = '6.16'

HIBERNATING = [
    Boot('linux-6.18, cpu cortex-a72',
         [psci('1.3'), HIBERNATION, off_by(SYSTEM_OFF2), PTP_TIME,
          HIBERNATION_AGAIN, off_by(SYSTEM_OFF2, SYSTEM_OFF2)],
         services='linux-6.18', cpu='cortex-a72', machine='virt-hvc-10.0',
         guest=HibernatingGuest),
]
# The first that resumes on every CPU is 7.0.
HIBERNATING_KERNEL = '7.3'
# Kernels of the lab's, and what they are asked
OTHERS = {MIXED_KERNEL: MIXED, HIBERNATING_KERNEL: HIBERNATING}


def lab_kernel(series: str) -> Kernel:
    """LabError if it cannot be had"""
    kernel = kernels.one(series)
    drivers = modules.of(kernel, 'arm64', modules.DISKS) \
        if series == HIBERNATING_KERNEL else ()
    return Kernel(kernel.image, tuple(drivers))


# --- the program ---

def judge(tap: Tap, name: str, check: Check, guest: Guest) -> None:
    try:
        tap.point(name, note=check(guest) or '')
    except Skip as reason:
        tap.point(name, skip=str(reason))
    except (AssertionError, CommandError) as failure:
        tap.point(name, problem=str(failure))


def run_boot(tap: Tap, boot: Boot, qemu: Path, kernel: Kernel) -> None:
    names = list(boot.names())
    checks = [check for _, check in boot.points]
    try:
        with boot.guest(qemu, kernel, boot.services, boot.psci_version,
                        cpu=boot.cpu, machine=boot.machine) as guest:
            while checks:
                judge(tap, names[0], checks[0], guest)
                del names[0], checks[0]
    except (FetchError, GuestError, QemuError, subprocess.SubprocessError,
            OSError) as error:
        # A guest that failed like this is not asked for its other points.
        complaint = str(error)
        for name in names:
            tap.point(name, problem=complaint)
            complaint = 'see above: the same guest'


REFUSED = 'an unpatched QEMU refuses hvc-services by name'


def refusal(tap: Tap, qemu: Path, kernel: Kernel) -> None:
    try:
        with Guest(qemu, kernel, 'none'):
            tap.point(REFUSED, problem='it booted')
    except QemuExit as end:
        named = end.status and 'hvc-services' in str(end)
        tap.point(REFUSED, problem=None if named else str(end),
                  note=str(end))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--qemu', type=Path, required=True,
                        help='the qemu-system-aarch64 to test')
    parser.add_argument('--kernel', choices=('6.1', '6.12', *OTHERS),
                        default='6.12', help="Debian 12's or 13's kernel, one "
                        'that asks for implementation CPUs, or one that '
                        'hibernates (default: 6.12)')
    parser.add_argument('--stock', action='store_true',
                        help='QEMU is an unpatched one: nothing to be found')
    args = parser.parse_args()
    if not args.qemu.is_file():
        parser.error(f'--qemu {args.qemu}: no such file; needed: a '
                     "qemu-system-aarch64; 'meson compile -C build' makes one")
    return args


def main() -> int:
    # Let "with" run, so that no QEMU stays behind when a test is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    args = arguments()
    boots = UNPINNED if args.stock else \
        OTHERS.get(args.kernel, PINNED + UNPINNED)
    names = [name for boot in boots for name in boot.names()]
    if args.stock:
        names.append(REFUSED)
    tap = Tap(len(names))
    try:
        kernel = lab_kernel(args.kernel) if args.kernel in OTHERS \
            else Kernel.at(fetch('kernel', args.kernel))
        fetch('busybox')
    except (FetchError, LabError) as error:
        for name in names:
            tap.point(name, skip=str(error))
        return 0
    for boot in boots:
        run_boot(tap, boot, args.qemu, kernel)
    if args.stock:
        refusal(tap, args.qemu, kernel)
    return not tap.end()
