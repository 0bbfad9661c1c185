# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Linux' ioctls that tell what a host's kernel has for VMs: KVM, TAP, vhost.

Numbers and structures are those of linux/kvm.h, linux/if_tun.h, linux/vhost.h
and asm/kvm.h.
"""

import ctypes
import fcntl
import os
import struct

NONE, WRITE, READ = 0, 1, 2
KVM, TUN, VHOST = 0xae, ord('T'), 0xaf


def number(direction, kind, nr, size):
    """An ioctl's, as asm-generic/ioctl.h makes it: for arm64, x86, riscv64,
    s390x and loongarch64"""
    return direction << 30 | size << 16 | kind << 8 | nr


KVM_CREATE_VM = number(NONE, KVM, 0x01, 0)
KVM_CHECK_EXTENSION = number(NONE, KVM, 0x03, 0)
KVM_CREATE_VCPU = number(NONE, KVM, 0x41, 0)
KVM_GET_ONE_REG = number(WRITE, KVM, 0xab, 16)
KVM_ARM_VCPU_INIT = number(WRITE, KVM, 0xae, 32)
KVM_ARM_PREFERRED_TARGET = number(READ, KVM, 0xaf, 32)
KVM_ARM_GET_REG_WRITABLE_MASKS = number(READ, KVM, 0xb6, 64)
KVM_CREATE_DEVICE = number(READ | WRITE, KVM, 0xe0, 12)
KVM_SET_DEVICE_ATTR = number(WRITE, KVM, 0xe1, 24)
KVM_GET_DEVICE_ATTR = number(WRITE, KVM, 0xe2, 24)

KVM_CAP_ARM_VM_IPA_SIZE = 165
KVM_CAP_ARM_SVE = 170
KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES = 230
KVM_CAP_ARM_WRITABLE_IMP_ID_REGS = 239
KVM_ARM_VCPU_SVE = 4
KVM_CREATE_DEVICE_TEST = 1
KVM_REG_ARM64_SVE_VLS = 0x606000000015ffff
VCPU_INIT = '=8I'
# struct reg_mask_range, of its only range, KVM_ARM_FEATURE_ID_RANGE: registers
# with op0 3, CRn 0 and these op1, by op1, CRm (0 to 7) and op2
REG_MASK_RANGE = '=Q56x'
FEATURE_ID_OP1 = (0, 1, 3)
FEATURE_ID_SIZE = 3 * 8 * 8
DEFAULT_IPA_BITS = 40

TUNSETIFF = number(WRITE, TUN, 202, 4)
TUNGETFEATURES = number(READ, TUN, 207, 4)
TUNSETOFFLOAD = number(WRITE, TUN, 208, 4)
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000
# struct ifreq: the name, the flags, and the rest of a union
IFREQ = '=16sH22x'

VHOST_GET_FEATURES = number(READ, VHOST, 0x00, 8)
VHOST_GET_FEATURES_ARRAY = number(READ, VHOST, 0x83, 8)
VHOST_WORDS = 2


class OpenFile:
    """A file descriptor that is closed at the end of a "with"."""

    def __init__(self, descriptor):
        self.fd = descriptor

    @classmethod
    def of(cls, path):
        return cls(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        os.close(self.fd)

    def call(self, request, argument=0):
        """ioctl() with a number; OSError if it fails"""
        return fcntl.ioctl(self.fd, request, argument)

    def opened(self, request, argument=0):
        """ioctl() that returns a new file descriptor"""
        return OpenFile(self.call(request, argument))

    def exchanged(self, request, data):
        """ioctl() with a structure; what the kernel made of it"""
        buffer = bytearray(data)
        fcntl.ioctl(self.fd, request, buffer)
        return bytes(buffer)


class Kvm(OpenFile):
    """/dev/kvm, for VMs that are never run"""

    def has(self, capability):
        """KVM_CHECK_EXTENSION's answer, 0 if there is nothing of it"""
        return self.call(KVM_CHECK_EXTENSION, capability)

    def new_vm(self):
        """A VM with the default size of addresses, or the largest if that is
        less"""
        bits = self.has(KVM_CAP_ARM_VM_IPA_SIZE)
        kind = bits if 0 < bits < DEFAULT_IPA_BITS else 0
        return self.opened(KVM_CREATE_VM, kind)


def new_arm_vcpu(vm, *features):
    """A vCPU of the host's kind, with some features of asm/kvm.h"""
    target, *words = struct.unpack(VCPU_INIT, vm.exchanged(
        KVM_ARM_PREFERRED_TARGET, bytes(struct.calcsize(VCPU_INIT))))
    for feature in features:
        words[feature // 32] |= 1 << feature % 32
    vcpu = vm.opened(KVM_CREATE_VCPU)
    try:
        vcpu.exchanged(KVM_ARM_VCPU_INIT,
                       struct.pack(VCPU_INIT, target, *words))
    except OSError:
        os.close(vcpu.fd)
        raise
    return vcpu


def one_reg(vcpu, register, size):
    """A register's bytes"""
    buffer = ctypes.create_string_buffer(size)
    vcpu.exchanged(KVM_GET_ONE_REG, struct.pack(
        '=QQ', register, ctypes.addressof(buffer)))
    return buffer.raw


def writable_masks(vm):
    """Masks of the registers that describe the CPU: the bits that KVM lets a
    VMM change, by (op1, CRm, op2); those of which nothing can be changed are
    not there"""
    buffer = (ctypes.c_uint64 * FEATURE_ID_SIZE)()
    vm.exchanged(KVM_ARM_GET_REG_WRITABLE_MASKS, struct.pack(
        REG_MASK_RANGE, ctypes.addressof(buffer)))
    return {(FEATURE_ID_OP1[i // 64], i // 8 % 8, i % 8): mask
            for i, mask in enumerate(buffer) if mask}


def has_device(vm, kind):
    """Whether KVM can make a device of a kind; OSError if it cannot say so"""
    try:
        vm.exchanged(KVM_CREATE_DEVICE, struct.pack(
            '=3I', kind, 0, KVM_CREATE_DEVICE_TEST))
    except OSError:
        return False
    return True


def new_device(vm, kind):
    """A device of a kind"""
    _, descriptor, _ = struct.unpack('=3I', vm.exchanged(
        KVM_CREATE_DEVICE, struct.pack('=3I', kind, 0, 0)))
    return OpenFile(descriptor)


def set_attribute(device, group, attribute):
    """Of a device; without a value"""
    device.exchanged(KVM_SET_DEVICE_ATTR, struct.pack(
        '=IIQQ', 0, group, attribute, 0))


def get_attribute(device, group, attribute):
    """An attribute of 32 bits"""
    buffer = ctypes.create_string_buffer(4)
    device.exchanged(KVM_GET_DEVICE_ATTR, struct.pack(
        '=IIQQ', 0, group, attribute, ctypes.addressof(buffer)))
    return struct.unpack('=I', buffer.raw)[0]


def vhost_features(device):
    """The words of features, the lowest first; older kernels have one"""
    first, = struct.unpack('=Q', device.exchanged(VHOST_GET_FEATURES,
                                                  bytes(8)))
    try:
        _, *words = struct.unpack(f'={VHOST_WORDS + 1}Q', device.exchanged(
            VHOST_GET_FEATURES_ARRAY,
            struct.pack(f'={VHOST_WORDS + 1}Q', VHOST_WORDS,
                        *[0] * VHOST_WORDS)))
    except OSError:
        return [first]
    return words
