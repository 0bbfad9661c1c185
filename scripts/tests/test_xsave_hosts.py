# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests XSAVE components where KVM or an unpatched QEMU has them; prints TAP.

KVM is that of this machine, if it has one; "kvm-lab x86" has it everywhere.
"""

from qemu_hvc.stream import Stream, with_one_ram_part
from xsave_case import MACHINES, NO_PKU_MPX, SUPERFLUOUS, XsaveCase, run


class XsaveHosts(XsaveCase):
    """KVM, where there is one, and unpatched QEMU"""

    # KVM, where there is one; scripts/kvm-lab has it everywhere.

    def kvm_stream(self):
        """A stream of a VM that has not run, with a component that this host
        cannot load"""
        try:
            path = self.save('pc', 'kvm64', '-S', run=False, accel='kvm')
        except (RuntimeError, OSError) as error:
            self.skipTest(f'no KVM here: {str(error).splitlines()[-1]}')
        edited = self.edit(path, xstate_bv=0x80003)
        with self.vm('pc', 'kvm64', accel='kvm') as vm:
            contract = {entry['name']: entry['value'] for entry in
                        vm.command('query-guest-abi')['entries']}
        self.assertFalse(contract['x86.xcr0'] & 0x80000)
        return edited

    def test_kvm_loads_what_is_left(self):
        path = self.kvm_stream()
        again = self.file('again')
        with self.vm('pc', 'kvm64', '-S', '-incoming', 'defer',
                     accel='kvm') as vm:
            self.assertEqual(vm.load(path)['status'], 'completed')
            vm.save(again)
        self.assert_masks(again, 3)
        self.assertIn("XSAVE component 'apx' (xstate_bv = 0x80003)",
                      vm.stderr)

    def test_kvm_is_not_asked_to_load_what_is_refused(self):
        path = self.edit(self.kvm_stream(), name='used', xcr0=0x80003)
        stream = Stream(path)
        # Protection keys for supervisor pages: no guest here has them.
        stream.set('cpu', 'env.cr[4]', 1 << 24)
        stream.write(self.file('keys'))
        for used in (path, self.file('keys')):
            self.assertIn("incoming VM uses XSAVE component 'x87', 'sse', "
                          "'apx' (XCR0 = 0x80003)",
                          self.refuse(used, 'pc', 'kvm64', accel='kvm'))
        self.assertIn('no contract', self.refuse(path, 'pc,guest-abi=on',
                                                 'kvm64', accel='kvm'))

    def test_kvm_without_xsave_shows_none(self):
        """What -cpu asks for and the kernel does not have is not exposed."""
        self.kvm_stream()
        with self.vm('pc', 'kvm64,+xsave,+avx', accel='kvm') as vm:
            entries = vm.command('query-guest-abi')['entries']
        if 'CPUID.01H:ECX.xsave' not in vm.stderr:
            self.skipTest("this host's KVM has XSAVE")
        self.assertEqual({entry['name']: entry['value'] for entry in entries
                          if entry['name'] in ('x86.xcr0', 'x86.xss')},
                         {'x86.xcr0': 0, 'x86.xss': 0})
        path = self.edit(self.kvm_stream(), name='used', xcr0=3, xstate_bv=3)
        self.assertEqual(
            self.refuse(path, 'pc', 'kvm64,+xsave,+avx', accel='kvm'),
            "xsave: incoming VM uses XSAVE component 'x87', 'sse' (XCR0 = "
            '0x3), this VM gives its guest none (0x0); use a host that has '
            'it, and start QEMU there with -cpu ...,+xsave')

    def test_kvm_ends_an_unpatched_qemu(self):
        """QEMU without the check ends: an unpatched one, and xsave-trim=off"""
        path = self.kvm_stream()
        ours = {'qemu': self.qemu, 'machine': 'pc,xsave-trim=off'}
        stock = {'qemu': self.stock, 'machine': 'pc'}
        for how in (ours, stock) if self.stock.is_file() else (ours,):
            vm = self.vm(how['machine'], 'kvm64', '-S', '-incoming', 'defer',
                         qemu=how['qemu'], accel='kvm')
            with self.assertRaisesRegex(RuntimeError, 'Failed to set XSAVE: '
                                        'Invalid argument'):
                vm.load(path)

    # Unpatched QEMU, of the same source

    def need_stock(self):
        if not self.stock.is_file():
            self.skipTest('there is no unpatched QEMU in the build directory')

    def test_stock_streams_are_the_same(self):
        self.need_stock()
        for machine in MACHINES:
            # Does not run: nothing but the machine is in the stream.
            ours, stock = (
                with_one_ram_part(
                    self.save(machine, 'max', '-S', run=False, qemu=qemu,
                              name=name).read_bytes())
                for qemu, name in ((self.qemu, 'ours'), (self.stock,
                                                         'stock')))
            self.assertEqual(len(ours), len(stock))
            different = [i for i, (a, b) in enumerate(zip(ours, stock))
                         if a != b]
            self.assertEqual(different, [], machine)

    def test_stock_sources_and_destinations(self):
        self.need_stock()
        for machine in MACHINES:
            self.load(self.save(machine, 'max', qemu=self.stock), machine,
                      'max')
            self.load(self.save(machine, 'max'), machine, 'max',
                      qemu=self.stock)

    def test_stock_loads_what_we_refuse(self):
        """Otherwise the tests above would show nothing."""
        self.need_stock()
        path = self.save('pc', 'max')
        self.load(path, 'pc', 'max,-pku', qemu=self.stock, run=False)
        edited = self.edit(path, xstate_bv=2 ** 64 - 1)
        again = self.file('again')
        self.load(edited, 'pc', 'max', qemu=self.stock, save=again)
        self.assert_masks(again, 2 ** 64 - 1)

    def test_xsave_trim_off_loads_the_same_vcpus(self):
        self.need_stock()
        edited = self.edit(self.save('pc', 'max'), xstate_bv=SUPERFLUOUS)
        loaded = []
        for qemu, machine in ((self.qemu, 'pc,xsave-trim=off'),
                              (self.stock, 'pc')):
            again = self.file('again')
            self.load(edited, machine, NO_PKU_MPX, qemu=qemu, save=again,
                      run=False)
            stream = Stream(again)
            loaded.append([(field.path, stream.value(field))
                           for section in stream.select('cpu')
                           for field in stream.fields(section)])
        self.assertEqual(*loaded)


def main():
    return run(XsaveHosts, __doc__)
