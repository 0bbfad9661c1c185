# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests what guest-abi-probe asks a kernel without a VM; prints TAP.

With this machine's kernel, for what it has; with a kernel that is played, whose
ioctl() answers as Linux does; and the numbers with Linux' headers, by a
compiler for arm64.
"""

import ctypes
import errno
import fcntl
import os
from pathlib import Path
import shutil
import struct
import subprocess
import tempfile
import unittest
from unittest import mock

from qemu_hvc import host_facts, ioctls, tap
from qemu_hvc.paths import CROSS_CC

HEADERS = ('linux/kvm.h', 'linux/if_tun.h', 'linux/vhost.h', 'linux/if.h')
# Names of the headers, and what the project has for them. Some are later than
# the headers of the oldest Debian.
NUMBERS = {
    **{name: getattr(ioctls, name) for name in (
        'KVM_CREATE_VM', 'KVM_CHECK_EXTENSION', 'KVM_CREATE_VCPU',
        'KVM_GET_ONE_REG', 'KVM_ARM_VCPU_INIT', 'KVM_ARM_PREFERRED_TARGET',
        'KVM_CREATE_DEVICE', 'KVM_SET_DEVICE_ATTR', 'KVM_GET_DEVICE_ATTR',
        'KVM_CAP_ARM_VM_IPA_SIZE', 'KVM_CAP_ARM_SVE', 'KVM_ARM_VCPU_SVE',
        'KVM_CREATE_DEVICE_TEST', 'TUNSETIFF', 'TUNGETFEATURES',
        'TUNSETOFFLOAD', 'IFF_TAP', 'IFF_NO_PI', 'IFF_VNET_HDR',
        'VHOST_GET_FEATURES')},
    'KVM_REG_ARM64_SVE_VLS': ioctls.KVM_REG_ARM64_SVE_VLS,
    'KVM_DEV_TYPE_ARM_VGIC_V2': host_facts.GIC_KINDS['gicv2'],
    'KVM_DEV_TYPE_ARM_VGIC_V3': host_facts.GIC_KINDS['gicv3'],
    'KVM_DEV_TYPE_ARM_VGIC_ITS': host_facts.GIC_KINDS['its'],
    'KVM_DEV_ARM_VGIC_GRP_DIST_REGS': host_facts.GROUP_DIST_REGS,
    'KVM_DEV_ARM_VGIC_GRP_CTRL': host_facts.GROUP_CTRL,
    'KVM_DEV_ARM_VGIC_CTRL_INIT': host_facts.CTRL_INIT,
    'sizeof(struct kvm_vcpu_init)': struct.calcsize(ioctls.VCPU_INIT),
    'sizeof(struct kvm_create_device)': struct.calcsize('=3I'),
    'sizeof(struct kvm_device_attr)': struct.calcsize('=IIQQ'),
    'sizeof(struct kvm_one_reg)': struct.calcsize('=QQ'),
    'sizeof(struct ifreq)': struct.calcsize(ioctls.IFREQ),
    'TUN_F_CSUM': host_facts.OFFLOADS['csum'][0],
    'TUN_F_CSUM | TUN_F_TSO4': host_facts.OFFLOADS['tso4'][0],
    'TUN_F_CSUM | TUN_F_TSO6': host_facts.OFFLOADS['tso6'][0],
    'TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN':
        host_facts.OFFLOADS['tso-ecn'][0],
    'TUN_F_CSUM | TUN_F_UFO': host_facts.OFFLOADS['ufo'][0],
}


class Kernel:
    """A kernel's ioctl(): device files by path, KVM by its objects

    @words: VHOST_GET_FEATURES and words behind it; one: no
            VHOST_GET_FEATURES_ARRAY
    @devices: kinds that KVM makes -> GICD_IIDR
    @ipa: KVM_CAP_ARM_VM_IPA_SIZE
    @vls: words of KVM_REG_ARM64_SVE_VLS, or ()
    @masks: by number, of KVM_ARM_FEATURE_ID_RANGE; None: there are none
    @identity: KVM_CAP_ARM_WRITABLE_IMP_ID_REGS of a VM
    @initialised: CTRL_INIT was set, without which GICD_IIDR is EBUSY
    """

    def __init__(self, words=(), devices=None, ipa=40, vls=(), masks=None,
                 identity=0):
        self.words, self.devices = words, devices or {}
        self.masks, self.identity = masks, identity
        self.ipa, self.vls = ipa, vls
        self.initialised = set()
        self.vcpu_features = None
        self.kinds = {}  # by file descriptor

    def fail(self, number):
        raise OSError(number, os.strerror(number))

    def file(self, kind):
        fd = os.open('/dev/null', os.O_RDONLY)
        self.kinds[fd] = kind
        return fd

    def check_extension(self, fd, argument):
        if argument == ioctls.KVM_CAP_ARM_WRITABLE_IMP_ID_REGS:
            # Of a protected VM it differs.
            return self.identity if self.kinds[fd] == 'vm' else 1
        return {ioctls.KVM_CAP_ARM_VM_IPA_SIZE: self.ipa,
                ioctls.KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES:
                int(self.masks is not None),
                ioctls.KVM_CAP_ARM_SVE: int(bool(self.vls))}[argument]

    def writable_masks(self, fd, argument):
        address, kind = struct.unpack('=QI52x', argument)
        if self.kinds[fd] != 'vm' or kind:
            self.fail(errno.EINVAL)
        words = [self.masks.get(i, 0) for i in range(3 * 8 * 8)]
        data = struct.pack(f'={len(words)}Q', *words)
        ctypes.memmove(address, data, len(data))

    def create_vm(self, _, argument):
        if (argument or 40) > (self.ipa or 40):
            self.fail(errno.EINVAL)
        return self.file('vm')

    def create_vcpu(self, fd, _):
        if self.kinds[fd] != 'vm':
            self.fail(errno.ENOTTY)
        return self.file('vcpu')

    def target(self, _, argument):
        argument[:] = struct.pack('=8I', 5, *[0] * 7)

    def vcpu_init(self, _, argument):
        target, features, *_ = struct.unpack('=8I', argument)
        if target != 5:
            self.fail(errno.EINVAL)
        self.vcpu_features = features

    def one_reg(self, _, argument):
        register, address = struct.unpack('=QQ', argument)
        if register != ioctls.KVM_REG_ARM64_SVE_VLS or \
           self.vcpu_features != 1 << ioctls.KVM_ARM_VCPU_SVE:
            self.fail(errno.ENOENT)
        data = struct.pack('=8Q', *self.vls, *[0] * (8 - len(self.vls)))
        ctypes.memmove(address, data, len(data))

    def create_device(self, _, argument):
        kind, _, flags = struct.unpack('=3I', argument)
        if kind not in self.devices:
            self.fail(errno.ENODEV)
        if not flags:
            argument[:] = struct.pack('=3I', kind, self.file(kind), 0)

    def set_attr(self, fd, argument):
        _, group, attribute, _ = struct.unpack('=IIQQ', argument)
        if (group, attribute) != (4, 0) or self.vcpu_features is None:
            self.fail(errno.ENXIO)
        self.initialised.add(fd)

    def get_attr(self, fd, argument):
        _, group, attribute, address = struct.unpack('=IIQQ', argument)
        if (group, attribute) != (1, 8):
            self.fail(errno.ENXIO)
        if fd not in self.initialised:
            self.fail(errno.EBUSY)
        ctypes.memmove(address, struct.pack(
            '=I', self.devices[self.kinds[fd]]), 4)

    def features(self, _, argument):
        argument[:] = struct.pack('=Q', self.words[0])

    def features_array(self, _, argument):
        if len(self.words) == 1:
            self.fail(errno.ENOTTY)
        count, = struct.unpack('=Q', argument[:8])
        argument[8:] = struct.pack(f'={count}Q', *self.words[:count])

    CALLS = {
        ioctls.KVM_CHECK_EXTENSION: check_extension,
        ioctls.KVM_CREATE_VM: create_vm,
        ioctls.KVM_CREATE_VCPU: create_vcpu,
        ioctls.KVM_ARM_PREFERRED_TARGET: target,
        ioctls.KVM_ARM_VCPU_INIT: vcpu_init,
        ioctls.KVM_GET_ONE_REG: one_reg,
        ioctls.KVM_ARM_GET_REG_WRITABLE_MASKS: writable_masks,
        ioctls.KVM_CREATE_DEVICE: create_device,
        ioctls.KVM_SET_DEVICE_ATTR: set_attr,
        ioctls.KVM_GET_DEVICE_ATTR: get_attr,
        ioctls.VHOST_GET_FEATURES: features,
        ioctls.VHOST_GET_FEATURES_ARRAY: features_array,
    }

    def ioctl(self, fd, request, argument=0):
        return self.CALLS[request](self, fd, argument)

    def ask(self, question, *arguments):
        """A question of host_facts on an arm64 host with this kernel"""
        real = os.open
        before = set(os.listdir('/proc/self/fd'))
        with mock.patch.object(fcntl, 'ioctl', self.ioctl), \
             mock.patch.object(os, 'open', lambda path, flags: self.file(path)
                               if str(path).startswith('/dev/') and
                               path != '/dev/null' else real(path, flags)), \
             mock.patch('platform.machine', lambda: 'aarch64'):
            found = question(*arguments)
        left = set(os.listdir('/proc/self/fd')) - before
        if left:
            raise AssertionError(f'files are left open: {left}')
        return found


class Played(unittest.TestCase):
    """Kernels that this machine does not have"""

    def test_vhost(self):
        self.assertEqual(Kernel([0x33d008000]).ask(
            host_facts.vhost, 'vhost-net'), {'features': ['0x33d008000']})
        fact = Kernel([0x10b3d008000, 0xa]).ask(host_facts.vhost, 'vhost-net')
        self.assertEqual(fact, {'features': ['0x10b3d008000', '0xa']})
        features = host_facts.features_of(fact)
        self.assertTrue({40, 35, 65, 67} <= features)
        self.assertFalse({66, 68, 64} & features)

    def test_gic(self):
        kernel = Kernel(devices={5: 0x4b00243b, 7: 0x4b00343b, 8: 0})
        self.assertEqual(kernel.ask(host_facts.of_kvm, host_facts.gic), {
            'kinds': ['gicv2', 'gicv3', 'its'], 'gicv2-iidr-revision': 2,
            'gicv3-iidr-revision': 3})
        self.assertEqual(Kernel(devices={16: 0}).ask(
            host_facts.of_kvm, host_facts.gic), {'kinds': ['gicv5']})
        self.assertEqual(Kernel().ask(host_facts.of_kvm, host_facts.gic),
                         {'kinds': []})

    def test_few_address_bits(self):
        """A VM of 40 bits is refused where there are 36."""
        self.assertEqual(Kernel(ipa=36, devices={7: 0x3000}).ask(
            host_facts.of_kvm, host_facts.gic)['gicv3-iidr-revision'], 3)
        self.assertEqual(Kernel(ipa=0, devices={8: 0}).ask(
            host_facts.of_kvm, host_facts.gic)['kinds'], ['its'])

    def test_sve(self):
        self.assertEqual(Kernel(vls=[0b1011]).ask(
            host_facts.of_kvm, host_facts.sve), {'lengths': [128, 256, 512]})
        self.assertEqual(Kernel().ask(host_facts.of_kvm, host_facts.sve),
                         {'lengths': []})

    def test_writable(self):
        """Numbers as KVM_ARM_FEATURE_ID_RANGE_IDX makes them"""
        masks = {0: 0xffffffff, 0x20: 0xff << 60 & (1 << 64) - 1, 64 + 7: 1,
                 128 + 1: 1 << 28}
        self.assertEqual(Kernel(masks=masks, identity=1).ask(
            host_facts.of_kvm, host_facts.writable), {
                'masks': {'S3_0_C0_C0_0': '0xffffffff',
                          'S3_0_C0_C4_0': '0xf000000000000000',
                          'S3_1_C0_C0_7': '0x1',
                          'S3_3_C0_C0_1': '0x10000000'}, 'identity': True})
        self.assertEqual(Kernel(masks={}).ask(
            host_facts.of_kvm, host_facts.writable),
                         {'masks': {}, 'identity': False})
        self.assertEqual(Kernel().ask(host_facts.of_kvm, host_facts.writable), {
            'unavailable': "this host's kernel: says nothing of it; needed: "
                           'Linux 6.7 or later'})

    def test_kernel_that_refuses(self):
        kernel = Kernel()
        with mock.patch.dict(Kernel.CALLS, {
                ioctls.KVM_CREATE_VM: lambda *_: kernel.fail(errno.ENOMEM)}):
            self.assertEqual(kernel.ask(host_facts.of_kvm, host_facts.gic), {
                'unavailable': '/dev/kvm: Cannot allocate memory; needed: '
                               'KVM, and a user who may use it'})


class Here(unittest.TestCase):
    """This machine's kernel"""

    def test_all_have_an_answer(self):
        facts = host_facts.ask()
        self.assertEqual(list(facts), ['tap', 'vhost-net', 'vhost-vsock',
                                       'vhost-scsi', 'gic', 'cntfrq', 'sve',
                                       'ctr', 'writable'])
        for name, fact in facts.items():
            print(f'# {name}: {fact}')
            if 'unavailable' in fact:
                self.assertRegex(fact['unavailable'], '^.+: .+; needed: .+$')

    def test_tap(self):
        """A TAP has checksums since Linux 2.6; this machine's networks stay."""
        networks = os.listdir('/sys/class/net')
        fact = host_facts.tap()
        if 'unavailable' in fact:
            self.skipTest(fact['unavailable'])
        self.assertIn('csum', fact['offloads'])
        self.assertTrue({0, 1} <= host_facts.features_of(fact))
        self.assertTrue(int(fact['flags'], 16) & ioctls.IFF_TAP)
        self.assertEqual(os.listdir('/sys/class/net'), networks)

    def test_no_such_file(self):
        with mock.patch.object(host_facts, 'VHOSTS', ('vhost-none',)):
            fact = host_facts.ask()['vhost-none']
        self.assertEqual(fact['unavailable'], '/dev/vhost-none: No such file '
                         'or directory; needed: the module vhost_none, and a '
                         'user who may use it')

    def test_not_arm(self):
        with mock.patch('platform.machine', lambda: 'riscv64'):
            facts = host_facts.ask()
        for name in ('gic', 'cntfrq', 'sve', 'ctr', 'writable'):
            self.assertEqual(facts[name]['unavailable'],
                             'this host: is riscv64; needed: aarch64')

    # Functions without arguments that return 42
    CODE = {'x86_64': b'\xb8\x2a\x00\x00\x00\xc3',
            'aarch64': struct.pack('<2I', 0xd2800540, 0xd65f03c0)}

    def test_code_runs(self):
        code = self.CODE.get(os.uname().machine)
        if not code:
            self.skipTest(f'no code for {os.uname().machine}')
        self.assertEqual(host_facts.in_child(
            lambda: host_facts.run_code(code)), 42)

    def test_child_that_dies(self):
        """As by an instruction that is refused"""
        with self.assertRaises(OSError) as caught:
            host_facts.in_child(os.abort)
        self.assertEqual(caught.exception.strerror, 'the process ended')

    def test_child_that_is_refused(self):
        with self.assertRaises(OSError) as caught:
            host_facts.in_child(lambda: os.open('/none', os.O_RDONLY))
        self.assertEqual(caught.exception.strerror,
                         'No such file or directory')

    def test_words_of_bits(self):
        for bits in (set(), {0}, {63, 64}, {1, 130}):
            words = host_facts.words_of(bits)
            self.assertEqual(host_facts.features_of({'features': words}),
                             bits)
        self.assertEqual(host_facts.words_of({0, 65}), ['0x1', '0x2'])


class Numbers(unittest.TestCase):
    """Those of Linux' headers, for arm64"""

    def compiled(self, numbers):
        """The compiler's errors"""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'numbers.c'
            path.write_text('\n'.join([
                '#include <stdint.h>',
                *(f'#include <{header}>' for header in HEADERS),
                *(f'_Static_assert(({name}) == {number}ull, "{name}");'
                  for name, number in numbers.items())]) + '\n',
                encoding='utf-8')
            return subprocess.run([CROSS_CC, '-fsyntax-only', path],
                                  text=True, capture_output=True,
                                  check=False).stderr

    def test_numbers(self):
        if not shutil.which(CROSS_CC):
            self.skipTest(f'{CROSS_CC} is not installed; run scripts/setup')
        self.assertEqual(self.compiled(NUMBERS), '')
        self.assertIn('KVM_CAP_ARM_SVE', self.compiled(
            {'KVM_CAP_ARM_SVE': 171}))


def main():
    tap.arguments(__doc__)
    return tap.run(Played, Here, Numbers)
