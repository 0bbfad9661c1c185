# SPDX-License-Identifier: GPL-2.0-or-later
"""Real KVM/x86: the XSAVE components of a guest, as TAP.

TCG emulates AMD's SVM, so a host is Debian's amd64 kernel with kvm-amd in our
own qemu-system-x86_64. What runs in it are the very programs that were built,
patched and unpatched, with their libraries. One host has protection keys, the
other has not; a VM is saved on the first and loaded on the second.
"""

from collections.abc import Iterator
import base64
import contextlib
from dataclasses import dataclass, replace
import gzip
from pathlib import Path
import platform
import re
import subprocess
import tempfile
import time
import unittest

from .. import tap
from ..initramfs import DATA, FOLDER, PROGRAM, cached, newc
from ..stream import Stream
from ..xsave_guest import NO_REBOOT, Watched, guest_options

from .common import PARTS, LabError, fetch, require, run_tool
from .host import CPUS, Host
from .kernels import Kernel
from .programs import TOOL_FLAGS
from .vm import Vm, VmEnded

# What KVM can give to a guest there, measured: x87, SSE, AVX; and PKRU
HOST_WITH_PKU = 'max'
HOST_WITHOUT = 'max,pku=off,mpx=off'
AVX = 0x7
PKRU = 0x200

STOCK_FAILURE = 'Failed to set XSAVE: Invalid argument'
# Before the modules are there, there is no /dev/kvm.
MODULES = ('irqbypass.ko', 'kvm.ko', 'kvm-amd.ko')


@dataclass(frozen=True)
class X86Hardware:
    """An emulated x86 host; see host.Hardware"""
    outer: Path
    cpu: str
    initrd: Path = Path()

    def command(self, kernel: Kernel, words: str) -> list[str]:
        return [
            str(self.outer), '-nodefaults', '-display', 'none',
            '-monitor', 'none', '-no-reboot', '-machine', 'q35',
            '-cpu', self.cpu, '-smp', str(CPUS), '-m', '1G',
            '-accel', 'tcg,thread=multi,tb-size=512',
            '-kernel', str(kernel.image), '-initrd', str(self.initrd),
            '-append', 'console=ttyS0 quiet panic=-1 '
                       f'lab_time={int(time.time())} {words}',
        ]


class X86Host(Host):
    """Files come with the initramfs, and go out by the second serial port."""

    def _start(self, stack: contextlib.ExitStack) -> None:
        self.outbox = self.directory / 'outbox'
        initrd = self.directory / 'initrd'
        # The kernel unpacks one archive behind the other.
        initrd.write_bytes(
            base_initramfs(self.kernel, self.files['qemu']).read_bytes() +
            newc(
                {'files': (FOLDER, b''),
                 **{f'files/{name}': (DATA, path.read_bytes())
                    for name, path in self.files.items()}}))
        self.hardware = replace(self.hardware, initrd=initrd)
        super()._start(stack)
        for module in MODULES:
            self.run(f'insmod /{module}')

    def _serial_ports(self) -> list[str]:
        return [*super()._serial_ports(),
                '-chardev', f'file,id=outbox,path={self.outbox}',
                '-serial', 'chardev:outbox']

    def fetch(self, name: str, target: Path) -> None:
        self.run(f'put {name}')
        text = self.outbox.read_text(encoding='ascii').replace('\r', '')
        found = re.findall(rf'(?ms)^file {re.escape(name)}$(.*?)^end$', text)
        if not found:
            raise LabError(f'{name} did not come out of the host whole; '
                           'needed: a line "end" behind it')
        target.write_bytes(gzip.decompress(base64.b64decode(found[-1])))


def libraries(program: Path) -> Iterator[Path]:
    """Those that a program is linked with, and its loader"""
    listed = subprocess.run(['ldd', program], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    yield from map(Path, re.findall(r'(/\S+) \(0x', listed))


def library_files(program: Path) -> dict[str, tuple[int, bytes]]:
    files = {}
    for path in libraries(program):
        for folder in reversed(path.parents[:-1]):
            files[str(folder)[1:]] = (FOLDER, b'')
        files[str(path)[1:]] = (PROGRAM, path.read_bytes())
    return files


def base_initramfs(kernel: Kernel, program: Path) -> Path:
    """With all that a host needs to run that program under KVM"""
    with tempfile.NamedTemporaryFile() as file:
        run_tool(require('gcc'), *TOOL_FLAGS, '-o', file.name,
                 PARTS / 'qmp.c')
        qmp = Path(file.name).read_bytes()
    files = {
        'bin': (FOLDER, b''),
        'bin/busybox': (PROGRAM, fetch('busybox', 'amd64').read_bytes()),
        'bin/semi': (PROGRAM, (PARTS / 'semi-x86').read_bytes()),
        'bin/qmp': (PROGRAM, qmp),
        'init': (PROGRAM, (PARTS / 'init').read_bytes()),
        'lab.sh': (DATA, (PARTS / 'lab.sh').read_bytes()),
        **library_files(program),
        **{module: (DATA, (kernel.image.parent / module).read_bytes())
           for module in MODULES},
    }
    return cached('lab/x86-initramfs.cpio', newc(files))


class X86Vm(Watched, Vm):
    """A KVM guest in such a host: ours is "qemu", the other one "stock"."""

    def begin(self, cpu: str, *options: str, machine: str = 'pc',
              xcr0: int = 0xffffffff, pke: int = 1) -> None:
        self.start('-machine', machine, '-cpu', cpu, '-m', '16', '-L', '.',
                   *NO_REBOOT, *guest_options(Path('xsave-guest.bin'), xcr0, pke),
                   *options)

    def load(self, stream: str) -> str:
        """What QEMU says of a stream that it does not load, or nothing"""
        try:
            self.listen(f'file:{stream}')
            info = self.wait_migration()
        except VmEnded as end:
            return f'ended with status {end.status}: {end.messages}'
        return '' if info['status'] == 'completed' else info['error-desc']


class XsaveTest(unittest.TestCase):
    """A host with protection keys saves, one without loads."""

    build: Path
    kernel: Kernel

    @classmethod
    def setUpClass(cls) -> None:
        with contextlib.ExitStack() as stack:
            cls.directory = Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix='kvm-lab-')))
            cls._make_files()
            cls._save()
            cls.host = stack.enter_context(cls._host(HOST_WITHOUT))
            cls.stack = stack.pop_all()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.stack.close()

    @classmethod
    def _make_files(cls) -> None:
        """The programs and what they need, small: a host reads all of it."""
        bundle = cls.build / 'qemu/qemu-bundle/usr/share/qemu'
        cls.files = {
            'xsave-guest.bin': cls.build / 'guests/xsave-guest.bin',
            'kvmvapic.bin': bundle / 'kvmvapic.bin',
        }
        for name in ('qemu', 'stock'):
            cls.files[name] = cls.directory / name
            run_tool(require('strip'), '-o', cls.files[name],
                     cls.build / name / 'qemu-system-x86_64')

    @classmethod
    def _host(cls, cpu: str) -> X86Host:
        hardware = X86Hardware(cls.build / 'qemu/qemu-system-x86_64', cpu)
        return X86Host(hardware, cls.kernel, cls.files)

    @classmethod
    def _save(cls) -> None:
        """Streams of VMs on the host with protection keys"""
        with cls._host(HOST_WITH_PKU) as host:
            # Of these guests, the first was given PKRU and has enabled it,
            # the second was not given it, the last has it without XCR0.
            # With CR4.PKE, an unpatched QEMU would fail elsewhere.
            for name, program, cpu, machine, guest in (
                    ('given', 'stock', 'host', 'pc', {'pke': 0}),
                    ('spare', 'stock', 'host,-pku', 'pc', {'pke': 0}),
                    ('contract', 'qemu', 'host', 'pc,guest-abi=on',
                     {'pke': 0}),
                    ('keys', 'qemu', 'host', 'pc', {'xcr0': AVX})):
                vm = X86Vm(host, name, qemu=f'./{program}')
                vm.begin(cpu, machine=machine, **guest)
                cls._assert_well(vm.watch())
                vm.migrate(f'file:{name}.stream')
                vm.quit()
                host.fetch(f'{name}.stream', cls.directory / name)
                cls.files[f'{name}.stream'] = cls.directory / name
            cls.control = cls._load(host, 'qemu', 'given')
        cls._add_spare_component()

    @classmethod
    def _add_spare_component(cls) -> None:
        """As some kernels before 5.17 saved it; this host's does not."""
        stream = Stream(cls.directory / 'spare')
        xstate_bv = stream.number('cpu', 'env.xstate_bv')
        stream.set('cpu', 'env.xstate_bv', hex(xstate_bv | PKRU))
        edited = cls.directory / 'spare-edited'
        stream.write(edited)
        cls.files['spare.stream'] = edited

    @staticmethod
    def _assert_well(results: dict) -> None:
        if results['errors']:
            raise LabError(f"the guest's registers changed: {results}; "
                           'needed: what it has put there')

    @classmethod
    def _load(cls, host: X86Host, program: str, name: str,
              machine: str = 'pc', save: str = '') -> tuple[str, dict, str]:
        """What QEMU says if it does not load it; what the guest says; what
        QEMU wrote"""
        vm = X86Vm(host, 'loaded', qemu=f'./{program}')
        vm.begin('host', '-incoming', 'defer', machine=machine)
        refusal = vm.load(f'{name}.stream')
        results = {} if refusal else vm.watch()
        if save:
            vm.migrate(f'file:{save}')
        messages = vm.messages()
        vm.quit()
        return refusal, results, messages

    def load(self, program: str, name: str, **how: str) -> str:
        return self._load(self.host, program, name, **how)[0]

    # --- what is to be shown ---

    def test_exposed_component_survives_where_the_host_has_it(self) -> None:
        refusal, results, _ = self.control
        self.assertEqual(refusal, '')
        self._assert_well(results)
        self.assertEqual(results['xcr0'] & (AVX | PKRU), AVX | PKRU)

    def test_unpatched_qemu_ends_at_a_superfluous_component(self) -> None:
        self.assertIn(STOCK_FAILURE, self.load('stock', 'spare'))

    def test_so_does_ours_when_it_is_told_to(self) -> None:
        self.assertIn(STOCK_FAILURE, self.load('qemu', 'spare',
                                               machine='pc,xsave-trim=off'))

    def test_superfluous_component_is_left_out(self) -> None:
        refusal, results, messages = self._load(self.host, 'qemu', 'spare',
                                                save='again.stream')
        self.assertEqual(refusal, '')
        self._assert_well(results)
        self.assertEqual(results['xcr0'], AVX)
        self.assertIn("XSAVE component 'pkru'", messages)
        again = self.directory / 'again'
        self.host.fetch('again.stream', again)
        self.assertEqual(Stream(again).number('cpu', 'env.xstate_bv') & PKRU,
                         0)

    def test_unpatched_qemu_ends_at_an_exposed_component(self) -> None:
        self.assertIn(STOCK_FAILURE, self.load('stock', 'given'))

    def test_exposed_component_is_refused_by_name(self) -> None:
        self.assertRegex(
            self.load('qemu', 'given'),
            r"^xsave: incoming VM uses XSAVE component 'pkru' \(XCR0 = 0x2"
            r"[0-9a-f]+\), this VM gives its guest 'x87', 'sse', 'avx' "
            r'\(0x7\); this host does not have it; use one that does, and '
            r'start QEMU there with -cpu \.\.\.,\+pku$')

    def test_protection_keys_are_refused_by_name(self) -> None:
        """And KVM, which would not load CR4 either, is not asked."""
        self.assertRegex(
            self.load('qemu', 'keys'),
            r"^xsave: incoming VM uses XSAVE component 'pkru' \(CR4\.PKE is "
            r"set\), this VM gives its guest 'x87', 'sse', 'avx' \(0x7\); ")

    def test_contract_is_refused_by_name(self) -> None:
        self.assertRegex(
            self.load('qemu', 'contract', machine='pc,guest-abi=on'),
            r"^guest-abi: incoming VM gives its guest XSAVE component 'pkru' "
            r'\(x86\.xcr0 = 0x2[0-9a-f]+\)')


def skip_reason(build: Path) -> str:
    """Why it cannot be shown here, or nothing"""
    if platform.machine() != 'x86_64':
        return 'the programs that were built do not run on an x86 host'
    for name in ('qemu/qemu-system-x86_64', 'stock/qemu-system-x86_64',
                 'guests/xsave-guest.bin'):
        if not (build / name).is_file():
            return f'there is no {name} in the build directory'
    return ''


def run(build: Path, kernel: Kernel) -> int:
    """The tests; returns the exit status."""
    XsaveTest.build = build
    XsaveTest.kernel = kernel
    return tap.run(XsaveTest)
