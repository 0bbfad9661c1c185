# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What unmodified Linux finds as a KVM guest, before and after a migration.

The same judgement as for the Linux guest under TCG (linux_findings.check), with
the guest's QEMU inside an emulated host.
"""

from collections.abc import Iterator
import os
from pathlib import Path

from .. import linux_findings, linux_guest
from ..console import GuestError

from .common import LabError, fetch, say
from .host import Hardware, Host
from .kernels import Kernel
from .vm import Vm

# Linux on a host of Linux: each needs its memory.
MEMORY = '2G'
BOOT_TIMEOUT = 180
COMMAND_TIMEOUT = 60
SOCKET = 'unix:migration.socket'
NS_PER_S = 10**9


def run_in_guest(vm: Vm, tag: str, command: str,
                 timeout: float = COMMAND_TIMEOUT) -> str:
    """A shell command in a VM's Linux guest; its output"""
    vm.write(command + '\n')
    output = vm.expect(f'{tag} done [0-9]+', timeout)
    body, _, status = output.replace('\r', '').rpartition(f'\n{tag} ')
    if status.split()[-1] != '0':
        raise linux_guest.CommandError(
            f'{command!r} failed in the guest: {output.strip()}')
    return body + '\n'


class LinuxGuest(linux_guest.Guest):
    """A Linux guest in a VM inside a host; it may move to another VM."""

    def __init__(self, host: Host, machine: str) -> None:
        # pylint: disable=super-init-not-called
        self.host = host
        self.tag = f'@{os.urandom(4).hex()}'
        self.cpu = 'host'
        self.kvm = True
        self.options = [
            '-machine', f'{machine},gic-version=3', '-smp', '2', '-m', '256',
            '-kernel', 'linux', '-initrd', 'linux.cpio',
            '-append', f'console=ttyAMA0 quiet hvc_tag={self.tag}']
        self.vm = Vm(host, 'linux0')
        self.vm.start(*self.options)
        self.offer = linux_guest.Offer.of(self.vm)
        self._boot()

    def _boot(self) -> None:
        self.vm.expect(f'{self.tag} ready', BOOT_TIMEOUT)
        self.report = linux_guest.fields_of(self.run('report'))

    def run(self, command: str, timeout: float = COMMAND_TIMEOUT) -> str:
        return run_in_guest(self.vm, self.tag, command, timeout)

    def reboot(self) -> None:
        self.vm.write('reboot -f\n')
        self._boot()

    def ptp_offset(self) -> linux_guest.PtpOffset:
        """Against the emulated host's clock, which tells whole seconds."""
        low = self._host_seconds()
        self.vm.write('ptp serve\n\nq\n')
        output = self.vm.expect(f'{self.tag} done [0-9]+', COMMAND_TIMEOUT)
        high = self._host_seconds() + 1
        numbers = [int(word) for word in output.split() if word.isdigit()]
        if not numbers:
            raise linux_guest.CommandError(f'ptp serve said {output!r}')
        return linux_guest.PtpOffset(numbers[0] - high * NS_PER_S,
                                     numbers[0] - low * NS_PER_S)

    def _host_seconds(self) -> int:
        return int(self.host.run('date +%s'))

    def migrate(self) -> None:
        """Live, to another QEMU in the same host."""
        target = Vm(self.host, 'linux1')
        target.start(*self.options, '-incoming', 'defer')
        target.listen(SOCKET)
        self.vm.migrate(SOCKET)
        info = target.wait_migration()
        if info['status'] != 'completed':
            raise LabError('the Linux guest was not loaded: '
                           f'{info.get("error-desc", info)}; '
                           + target.messages())
        self.vm.quit()
        self.vm = target


def stages(guest: LinuxGuest) -> Iterator[str]:
    """The guest is brought to each; before the first it has just booted."""
    yield 'booted'
    guest.migrate()
    yield 'after a live migration'
    guest.reboot()
    yield 'after a reboot there'


def judge(guest: LinuxGuest) -> list[str]:
    """Problems at each stage; prints what was found."""
    problems = []
    first = guest.report
    for stage in stages(guest):
        guest.report = linux_guest.fields_of(guest.run('report'))
        findings = linux_findings.check(guest)
        print(f'\n{stage}:', end='')
        linux_findings.print_table(guest, findings)
        problems += [f'{stage}: {finding.problem}' for finding in findings
                     if finding.problem]
        problems += [f'{stage}: {key}: {value!r}, then {guest.report[key]!r}'
                     for key, value in first.items()
                     if guest.report[key] != value]
    return problems


def run(hardware: Hardware, qemu: Path, kernel: Kernel,
        machine: str) -> list[str]:
    """The problems that one machine has."""
    guest_kernel = linux_guest.Kernel.at(fetch('kernel', '6.12'))
    initramfs = linux_guest.initramfs(fetch('busybox'), guest_kernel)
    say(f'{kernel.name} {machine}: booting Linux in it')
    try:
        with Host(hardware, kernel, {
                'qemu': qemu, 'linux': guest_kernel.image,
                'linux.cpio': initramfs}) as host:
            problems = judge(LinuxGuest(host, machine))
    except (LabError, GuestError) as error:
        problems = [str(error)]
    for problem in problems:
        say(f'error: {machine}: {problem}')
    return problems
