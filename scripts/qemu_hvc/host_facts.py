# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What a host's kernel and CPU have for guests, asked without a VM that runs.

Each fact is an object; one that cannot be had has "unavailable", which says
why. The features of a backend are words of 64 bits, the lowest first; their bits
are those of the virtio specification.
"""

import ctypes
import json
import mmap
import os
import platform
import struct

from . import ioctls
from .ioctls import Kvm, OpenFile

ARM64 = 'aarch64'
# By kind of device of KVM_CREATE_DEVICE
GIC_KINDS = {'gicv2': 5, 'gicv3': 7, 'its': 8, 'gicv5': 16}
GROUP_DIST_REGS, GROUP_CTRL, CTRL_INIT = 1, 4, 0
GICD_IIDR = 0x8
SVE_QUADWORD_BITS = 128

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
# What TUNSETOFFLOAD is asked for, and the virtio features that need it: no
# kernel takes the others without TUN_F_CSUM (1), nor tunnels without TSO (2).
OFFLOADS = {
    'csum': (0x1, (0, 1)),
    'tso4': (0x1 | 0x2, (7, 11)),
    'tso6': (0x1 | 0x4, (8, 12)),
    'tso-ecn': (0x1 | 0x2 | 0x8, (9, 13)),
    'ufo': (0x1 | 0x10, (10, 14)),
    'uso': (0x1 | 0x20 | 0x40, (54, 55, 56)),
    'udp-tunnel-gso': (0x1 | 0x2 | 0x80, (65, 67)),
    'udp-tunnel-gso-csum': (0x1 | 0x2 | 0x80 | 0x100, (66, 68)),
}
VHOSTS = ('vhost-net', 'vhost-vsock', 'vhost-scsi')
BACKENDS = ('tap', *VHOSTS)

# mrs x0, REGISTER; ret
READ_CNTFRQ = struct.pack('<2I', 0xd53be000, 0xd65f03c0)
READ_CTR = struct.pack('<2I', 0xd53b0020, 0xd65f03c0)


def unavailable(thing, error, needed):
    """A fact that cannot be had; error: OSError, or a text"""
    return {'unavailable': f'{thing}: {getattr(error, "strerror", error)}; '
                           f'needed: {needed}'}


def bits_of(words):
    """Numbers of the bits that are set, over all words of 64 bits"""
    return [64 * i + bit for i, word in enumerate(words)
            for bit in range(64) if word >> bit & 1]


def words_of(bits):
    """The words of 64 bits, in hexadecimal, in which some bits are set"""
    count = max(bits, default=0) // 64 + 1
    return [hex(sum(1 << bit % 64 for bit in bits if bit // 64 == i))
            for i in range(count)]


def features_of(fact):
    """A backend's, as numbers of bits; None if it cannot say"""
    if 'features' not in fact:
        return None
    return set(bits_of(int(word, 16) for word in fact['features']))


def tap_fact(flags, offloads):
    return {'flags': hex(flags), 'offloads': offloads, 'features': words_of(
        {bit for name in offloads for bit in OFFLOADS[name][1]})}


def vhost_fact(words):
    return {'features': [hex(word) for word in words]}


def offloads_of_new_tap():
    """Those that a TAP takes, which is in a network of its own

    For a process that ends afterwards.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for flags in (CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNET):
        if not libc.unshare(flags):
            break
    else:
        raise OSError(ctypes.get_errno(),
                      f'unshare: {os.strerror(ctypes.get_errno())}')
    with OpenFile.of('/dev/net/tun') as tap:
        tap.exchanged(ioctls.TUNSETIFF, struct.pack(
            ioctls.IFREQ, b'', ioctls.IFF_TAP | ioctls.IFF_NO_PI |
            ioctls.IFF_VNET_HDR))
        found = []
        for name, (flags, _) in OFFLOADS.items():
            try:
                tap.call(ioctls.TUNSETOFFLOAD, flags)
                found.append(name)
            except OSError:
                pass
    return found


def in_child(function):
    """What a function returns, as JSON, in a process of its own, so that what
    it does to its process, such as unshare(), ends with it"""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            try:
                answer = {'return': function()}
            except OSError as error:
                answer = {'errno': error.errno, 'text': error.strerror}
            os.write(writer, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, 'rb') as file:
        text = file.read()
    os.waitpid(child, 0)
    answer = json.loads(text or b'{"errno": 0, "text": "the process ended"}')
    if 'return' not in answer:
        raise OSError(answer['errno'], answer['text'])
    return answer['return']


def tap():
    """TUNGETFEATURES, and what TUNSETOFFLOAD takes"""
    path = '/dev/net/tun'
    try:
        with OpenFile.of(path) as device:
            flags, = struct.unpack('=I', device.exchanged(
                ioctls.TUNGETFEATURES, bytes(4)))
    except OSError as error:
        return unavailable(path, error, 'the module tun, and a user who may '
                           'use it')
    try:
        offloads = in_child(offloads_of_new_tap)
    except OSError as error:
        return unavailable('a TAP in a network of its own', error,
                           'root, or a kernel that lets users make namespaces')
    return tap_fact(flags, offloads)


def vhost(name):
    """VHOST_GET_FEATURES"""
    path = f'/dev/{name}'
    try:
        with OpenFile.of(path) as device:
            words = ioctls.vhost_features(device)
    except OSError as error:
        return unavailable(path, error, f'the module '
                           f'{name.replace("-", "_")}, and a user who may use '
                           'it')
    return vhost_fact(words)


def of_kvm(question):
    """What a question finds out with KVM, on Arm"""
    if platform.machine() != ARM64:
        return unavailable('this host', f'is {platform.machine()}', ARM64)
    try:
        with Kvm.of('/dev/kvm') as kvm:
            return question(kvm)
    except OSError as error:
        return unavailable('/dev/kvm', error,
                           'KVM, and a user who may use it')


def revision(kvm, kind):
    """GICD_IIDR.Revision of a new GIC"""
    with kvm.new_vm() as vm, ioctls.new_arm_vcpu(vm), \
         ioctls.new_device(vm, kind) as gic:
        ioctls.set_attribute(gic, GROUP_CTRL, CTRL_INIT)
        return ioctls.get_attribute(gic, GROUP_DIST_REGS,
                                    GICD_IIDR) >> 12 & 0xf


def gic(kvm):
    """The kinds of virtual GIC, and the revision of each that has one"""
    with kvm.new_vm() as vm:
        kinds = [name for name, kind in GIC_KINDS.items()
                 if ioctls.has_device(vm, kind)]
    found = {'kinds': kinds}
    for name in ('gicv2', 'gicv3'):
        if name in kinds:
            found[f'{name}-iidr-revision'] = revision(kvm, GIC_KINDS[name])
    return found


def sve(kvm):
    """The vector lengths, in bits"""
    if not kvm.has(ioctls.KVM_CAP_ARM_SVE):
        return {'lengths': []}
    with kvm.new_vm() as vm, \
         ioctls.new_arm_vcpu(vm, ioctls.KVM_ARM_VCPU_SVE) as vcpu:
        words = struct.unpack('=8Q', ioctls.one_reg(
            vcpu, ioctls.KVM_REG_ARM64_SVE_VLS, 64))
    return {'lengths': [(bit + 1) * SVE_QUADWORD_BITS
                        for bit in bits_of(words)]}


def writable(kvm):
    """What KVM lets a VMM change of the registers that describe the CPU: masks,
    by encodings as an assembler has them; and whether a guest can be given the
    identity of another CPU"""
    if not kvm.has(ioctls.KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES):
        return unavailable("this host's kernel", 'says nothing of it',
                           'Linux 6.7 or later')
    with kvm.new_vm() as vm:
        masks = ioctls.writable_masks(vm)
        identity = vm.call(ioctls.KVM_CHECK_EXTENSION,
                           ioctls.KVM_CAP_ARM_WRITABLE_IMP_ID_REGS)
    return {'masks': {f'S3_{op1}_C0_C{crm}_{op2}': hex(mask)
                      for (op1, crm, op2), mask in masks.items()},
            'identity': identity > 0}


def run_code(code):
    """What machine code of a function without arguments returns, 64 bits"""
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    memory.write(code)
    byte = ctypes.c_char.from_buffer(memory)
    address = ctypes.addressof(byte)
    libc = ctypes.CDLL(None, use_errno=True)
    # Linux makes the instruction cache fit when a page becomes executable.
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE),
                     mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    result = ctypes.CFUNCTYPE(ctypes.c_uint64)(address)()
    del byte
    return result


def of_register(code, fact):
    """A fact made of such a register's value"""
    if platform.machine() != ARM64:
        return unavailable('this host', f'is {platform.machine()}', ARM64)
    try:
        # Should the instruction be refused, that is the end of a process.
        return fact(in_child(lambda: run_code(code)))
    except OSError as error:
        return unavailable('memory for an instruction', error,
                           'a policy that lets programs make code (execmem)')


def cntfrq():
    """CNTFRQ_EL0, in Hz"""
    return of_register(READ_CNTFRQ, lambda value: {'hz': value})


def ctr():
    """CTR_EL0 as programs read it, and guests where KVM does not trap it"""
    return of_register(READ_CTR, lambda value: {'value': hex(value)})


def ask():
    """All of it, by name"""
    return {'tap': tap(), **{name: vhost(name) for name in VHOSTS},
            'gic': of_kvm(gic), 'cntfrq': cntfrq(), 'sve': of_kvm(sve),
            'ctr': ctr(), 'writable': of_kvm(writable)}
