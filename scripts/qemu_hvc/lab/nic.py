# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Linux guests with a NIC and a socket to the host, whose backends are in the
host's kernel: TAP with vhost-net, and vhost-vsock.

The guest's driver takes all that it is offered, and traffic runs: it pings the
host all the time, also while it moves, and exchanges data by TCP.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
import functools
from pathlib import Path

from .. import linux_guest
from ..initramfs import DATA, cached, modules as module_files, newc
from . import modules
from .common import LabError, fetch
from .guest_kind import Answers, GuestKind
from .host import Hardware, Host
from .kernels import Kernel, one
from .linux_kind import AnsweringLinux, append
from .vm import Vm

NAME = 'a Linux guest with a NIC'
# Of a host: that of QEMU, of the guest, and of files with both
HOST_MEMORY = '2G'
GUEST_MEMORY = '192'
GUEST_KERNEL = '6.12'
# So that one who has moved is still known to its neighbours
MAC = '52:54:00:12:34:56'
# Hosts of their own, so that no other guest has it
CID = 42
LINUX, INITRD = 'linux', 'linux.cpio'
# What an x86 machine boots with, as QEMU looks for it in the current folder
FIRMWARE = ('bios-256k.bin', 'kvmvapic.bin', 'linuxboot_dma.bin')

# Which driver of Linux's has which device
DRIVERS = {'virtio_net': 'nic', 'vmw_vsock_virtio_transport': 'vsock'}
# Bits of virtio features by name, of all devices and of each
COMMON_FEATURES = {
    24: 'notify-on-empty', 27: 'any-layout', 28: 'indirect-desc',
    29: 'event-idx', 32: 'version-1', 33: 'access-platform', 34: 'ring-packed',
    35: 'in-order', 36: 'order-platform', 37: 'sr-iov', 38: 'notification-data',
    39: 'notif-config-data', 40: 'ring-reset',
}
FEATURES = {
    'nic': {
        0: 'csum', 1: 'guest-csum', 2: 'ctrl-guest-offloads', 3: 'mtu',
        5: 'mac', 7: 'guest-tso4', 8: 'guest-tso6', 9: 'guest-ecn',
        10: 'guest-ufo', 11: 'host-tso4', 12: 'host-tso6', 13: 'host-ecn',
        14: 'host-ufo', 15: 'mrg-rxbuf', 16: 'status', 17: 'ctrl-vq',
        18: 'ctrl-rx', 19: 'ctrl-vlan', 20: 'ctrl-rx-extra',
        21: 'guest-announce', 22: 'mq', 23: 'ctrl-mac-addr', 52: 'device-stats',
        53: 'vq-notf-coal', 54: 'guest-uso4', 55: 'guest-uso6', 56: 'host-uso',
        57: 'hash-report', 59: 'guest-hdrlen', 60: 'rss', 61: 'rsc-ext',
        62: 'standby', 63: 'speed-duplex', 65: 'guest-udp-tunnel-gso',
        66: 'guest-udp-tunnel-gso-csum', 67: 'host-udp-tunnel-gso',
        68: 'host-udp-tunnel-gso-csum',
    },
    'vsock': {0: 'stream', 1: 'seqpacket', 2: 'no-implied-stream'},
}


def feature_names(device: str, digits: str) -> Iterator[str]:
    """Of the file "features" in sysfs, which has that of bit 0 first"""
    known = {**COMMON_FEATURES, **FEATURES.get(device, {})}
    for bit, digit in enumerate(digits):
        if digit == '1':
            yield known.get(bit, f'bit {bit}')


class NicVm(Vm):
    """device: more properties of the NIC"""

    def __init__(self, host: Host, name: str, device: str = '') -> None:
        super().__init__(host, name)
        self.device = device

    def start(self, *options: str) -> None:
        tap = f'tap-{self.name}'
        super().start(
            *options, '-netdev', f'tap,id=net0,ifname={tap},script=no,'
            'downscript=no,vhost=on',
            # Without its ROM, which nothing here boots from
            '-device', ','.join(
                ['virtio-net-pci', 'id=nic', 'netdev=net0', f'mac={MAC}',
                 'romfile=', *([self.device] if self.device else [])]),
            '-device', f'vhost-vsock-pci,id=vsock,guest-cid={CID}')
        self.host.run(f'attach {tap}')


class NicGuest(AnsweringLinux):
    """One whose traffic runs"""

    def booted(self) -> None:
        super().booted()
        self.run('nic_up')

    def answers(self) -> Answers:
        found = {'kernel': self.run('uname -r').strip(),
                 'ping': self._ping(), 'tcp': self._tcp()}
        for driver, digits in self.fields('virtio').items():
            device = DRIVERS.get(driver, driver)
            for name in feature_names(device, digits):
                found[f'{device}: {name}'] = 'on'
        return found

    def _ping(self) -> str:
        """"ok" if answers come, and none was lost, but for the one that was on
        its way when the VM was stopped: it may have been in a queue of the
        host's, which no stream has."""
        traffic = self.fields('traffic')
        if traffic['goes_on'] != '1':
            return f'no reply after {traffic["replies"]}'
        lost = int(traffic['lost'])
        return 'ok' if lost <= 1 else \
            f'{lost} of {lost + int(traffic["replies"])} lost'

    def _tcp(self) -> str:
        data = self.fields('echo_tcp')
        return 'ok' if data['sent'] == data['came'] else \
            f'sent {data["sent"]}, {data["came"]} came back'


@dataclass(frozen=True)
class Place:
    """Where such guests run: an architecture, by Debian's name, and what they
    are started with"""
    arch: str
    console: str
    machine: str
    options: tuple[str, ...]
    firmware: tuple[str, ...] = ()


ARM = Place('arm64', 'ttyAMA0', ',gic-version=3', ())
# A CPU that every host has, whatever its kernel
X86 = Place('amd64', 'ttyS0', '', ('-cpu', 'qemu64', '-L', '.'), FIRMWARE)
PLACES = {place.arch: place for place in (ARM, X86)}


def with_backends(hardware: Hardware) -> Hardware:
    """Hosts for such guests"""
    return replace(hardware, modules=modules.BACKENDS, memory=HOST_MEMORY)


def initramfs(arch: str, kernel: Kernel) -> Path:
    files = linux_guest.user_space(fetch('busybox', arch))
    files['nic.sh'] = (DATA, (linux_guest.PARTS / 'nic.sh').read_bytes())
    files.update(module_files(modules.of(kernel, arch, modules.DRIVERS)))
    return cached('lab/nic-guest.cpio', newc(files))


def firmware_file(build: Path, name: str) -> Path:
    """Debian's, or one that QEMU's own build has made"""
    for folder in (build / 'qemu/qemu-bundle/usr/share/qemu',
                   Path('/usr/share/seabios'), Path('/usr/share/qemu')):
        if (folder / name).is_file():
            return folder / name
    raise LabError(f'there is no {name}; needed: the firmware of an x86 '
                   'machine; run scripts/setup')


@functools.cache
def kind(place: Place, build: Path, device: str = '') -> GuestKind:
    """device: more properties of the NIC, such as "host_uso=off" """

    @functools.cache
    def files() -> dict[str, Path]:
        kernel = one(GUEST_KERNEL, place.arch)
        return {LINUX: kernel.image, INITRD: initramfs(place.arch, kernel),
                **{name: firmware_file(build, name)
                   for name in place.firmware}}

    def options(machine: str, cpus: int = 1) -> list[str]:
        if 'gic-version=' not in machine:
            machine += place.machine
        return ['-machine', machine, '-smp', str(cpus), '-m', GUEST_MEMORY,
                *place.options, '-kernel', LINUX, '-initrd', INITRD,
                '-append', append(place.console)]

    return GuestKind(files, options,
                     functools.partial(NicVm, device=device), NicGuest,
                     f'{NAME} ({device})' if device else NAME,
                     device='nic')
