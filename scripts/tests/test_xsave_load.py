# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests the XSAVE components of x86 guests in streams; prints TAP.

Streams are real ones, changed through their own description (vmstate-edit) to
what a kernel would have sent that saves more than the guest has. The guest
fills its registers and compares them for ever.
"""

import random

from qemu_hvc.stream import Stream
from qemu_hvc.xsave_guest import Watched
from xsave_case import (
    AVX, MACHINES, NO_PKU_MPX, SUPERFLUOUS, TCG, XsaveCase, run,
    uses_refusal)


class XsaveLoad(XsaveCase):
    """Streams that are loaded, cut down, or refused"""

    # What is superfluous goes.

    def test_superfluous_components_are_left_out(self):
        for machine in MACHINES:
            path = self.save(machine, NO_PKU_MPX)
            self.assert_masks(path, 0, AVX)
            edited = self.edit(path, xstate_bv=SUPERFLUOUS)
            again = self.file('again')
            log = self.load(edited, machine, NO_PKU_MPX, '-trace',
                            'x86_xsave_trim', save=again)
            self.assert_masks(again, AVX, AVX)
            # A warning for the VM, a trace event for each vCPU
            self.assertEqual(log.count('warning: xsave:'), 1, log)
            self.assertIn("warning: xsave: incoming VM has XSAVE component "
                          "'mpx', 'avx512', 'pkru', 'amx-tile', 'apx' "
                          '(xstate_bv = 0xe02ff), '
                          'which its guest has not enabled and this VM does '
                          "not expose; not loaded. If the source's -cpu has "
                          'it, start this QEMU with the same -cpu; otherwise '
                          "the source's kernel saved what the guest cannot "
                          'see', log)
            for cpu in range(2):
                self.assertIn(f'x86_xsave_trim cpu {cpu} xstate_bv 0xe02ff '
                              '-> 0x7', log)
            self.assertEqual(log.count('x86_xsave_trim'), 2, log)

    def test_guest_without_xsave_keeps_what_it_has(self):
        """x87 and SSE always, PKRU if it has protection keys"""
        for cpu, kept in (('max,-xsave', 0x203), ('max,-xsave,-pku', 0x3)):
            path = self.save('pc', cpu)
            edited = self.edit(path, xstate_bv=0x207)
            again = self.file('again')
            self.load(edited, 'pc', cpu, save=again)
            self.assert_masks(again, kept)

    def test_content_of_superfluous_components_goes_too(self):
        """Registers that the guest never had are in their initial state."""
        # The content as of a guest that has all, in a VM that has not
        path = self.save('pc', 'max')
        stream = Stream(path)
        self.assertEqual(stream.number('cpu', 'env.pkru'), 0xd8b38e69)
        stream.set('cpu[0]', 'env.cr[4]', stream.number('cpu', 'env.cr[4]') &
                   ~(1 << 22))
        stream.set('cpu', 'env.xcr0', AVX)
        stream.set('cpu', 'env.xstate_bv', TCG)
        stream.write(self.file('edited'))
        again = self.file('again')
        self.load(self.file('edited'), 'pc', NO_PKU_MPX, save=again,
                  run=False)
        self.assert_masks(again, AVX, AVX)
        paths = [f.path for f in Stream(again).fields(
            Stream(again).select('cpu')[0])]
        self.assertFalse([p for p in paths if 'pkru' in p or 'bnd' in p])

    def add_subsection(self, path, name, content):
        """Puts something that TCG does not have into a stream's first vCPU"""
        subsection = b'\5' + bytes([len(name)]) + name + b'\0\0\0\1' + content
        section = Stream(path).select('cpu')[0]
        end = section.offset + section.size
        data = path.read_bytes()
        path.write_bytes(data[:end] + subsection + data[end:])
        return path

    def add_avx512(self, path):
        # Mask registers, the upper halves of 16 registers, 16 more registers
        content = bytes(range(1, 201)) * 8
        self.assertEqual(len(content), 8 * 8 + 16 * 32 + 16 * 64)
        return self.add_subsection(path, b'cpu/avx512', content)

    def avx512_values(self, path):
        stream = Stream(path)
        return [stream.value(field) for field in
                stream.fields(stream.select('cpu')[0])
                if field.path.startswith('cpu/avx512/')]

    def test_avx_does_not_take_avx512_with_it(self):
        """The 16 registers that only AVX-512 has are not AVX's."""
        path = self.add_avx512(self.edit(
            self.save('pc', 'max', xcr0=AVX, pke=0), xcr0=3, xstate_bv=AVX))
        kept = []
        for machine in ('pc,xsave-trim=off', 'pc'):
            again = self.file('again')
            self.load(path, machine, 'max,-avx,-pku,-mpx', save=again,
                      run=False)
            kept.append(self.avx512_values(again))
        self.assertTrue(kept[0])
        self.assertEqual(*kept)

    def test_avx512_content_goes_too(self):
        """TCG has none of it, so a subsection is put into its stream."""
        path = self.add_avx512(self.edit(self.save('pc', NO_PKU_MPX),
                                         xstate_bv=0xe7))
        again = self.file('again')
        for machine, there in (('pc,xsave-trim=off', True), ('pc', False)):
            self.load(path, machine, NO_PKU_MPX, save=again, run=False)
            self.assertEqual(there, bool(self.avx512_values(again)))

    def test_avx_content_goes_too(self):
        """Without AVX, the upper halves of the registers are zeros."""
        path = self.edit(self.save('pc', 'max', xcr0=AVX, pke=0), xcr0=3,
                         xstate_bv=AVX)
        again = self.file('again')
        for machine, there in (('pc,xsave-trim=off', True), ('pc', False)):
            self.load(path, machine, 'max,-avx,-pku,-mpx', save=again,
                      run=False)
            stream = Stream(again)
            # The SSE half of each stays as it is.
            for field, expected in (('[0][{}]/_q_ZMMReg[1]', True),
                                    ('[1][{}]/_q_ZMMReg[2]', there),
                                    ('[1][{}]/_q_ZMMReg[3]', there)):
                for i in range(16):
                    self.assertEqual(expected, bool(stream.number(
                        'cpu[0]', 'env.xmm_regs' + field.format(i))))

    def test_nothing_superfluous_nothing_said(self):
        path = self.save('pc', 'max')
        edited = self.edit(path, xstate_bv=TCG)
        again = self.file('again')
        self.assertEqual(self.load(edited, 'pc', 'max', save=again), '')
        self.assert_masks(again, TCG, TCG)

    def test_xsave_trim_off_is_stock(self):
        """So is a VM without options of ours; its machine has one of QEMU's."""
        for machine in 'pc,xsave-trim=off', 'pc,usb=off', 'q35,usb=off':
            kind = machine.partition(',')[0]
            path = self.edit(self.save(kind, NO_PKU_MPX),
                             xstate_bv=SUPERFLUOUS)
            again = self.file('again')
            log = self.load(path, machine, NO_PKU_MPX, save=again)
            self.assertEqual(log, '')
            self.assert_masks(again, SUPERFLUOUS, AVX)
            # test_xsave_hosts.py shows that the unpatched QEMU loads it.
            self.load(self.save(kind, 'max'), machine, 'max,-pku', run=False)

    def test_cet_of_a_newer_qemu_is_named(self):
        """QEMU 11.0 sends a subsection that this one does not have."""
        content = bytes(4 * 8)
        path = self.add_subsection(self.save('pc', 'max'), b'cpu/cet', content)
        for machine in 'pc', 'pc,usb=off', 'pc,xsave-trim=off':
            self.assertEqual(
                self.refuse(path, machine, 'max'),
                "xsave: incoming VM has XSAVE component 'cet' (shadow stacks "
                'or indirect branch tracking, subsection cpu/cet), which this '
                'QEMU does not have; use QEMU 11.0 or later, and a host that '
                'has it, or start the source VM with -cpu '
                '...,-cet-ss,-cet-ibt')

    def test_plugged_vcpu_is_looked_at_as_well(self):
        sockets = ('-smp', '1,sockets=2,maxcpus=2')

        def plug(vm):
            vm.command('device_add', driver='max-x86_64-cpu',
                       **{'socket-id': 1, 'core-id': 0, 'thread-id': 0})

        with self.vm('pc', NO_PKU_MPX, *sockets) as vm:
            plug(vm)
            self.assert_well(vm.watch())
            vm.save(self.file('stream'))
        edited = self.edit(self.file('stream'), section='cpu[1]',
                           xstate_bv=SUPERFLUOUS)
        with self.vm('pc', NO_PKU_MPX, *sockets, '-incoming', 'defer',
                     '-trace', 'x86_xsave_trim') as vm:
            plug(vm)
            self.assertEqual(vm.load(edited)['status'], 'completed')
            self.assert_well(vm.watch())
        self.assertEqual(vm.stderr.count('warning: xsave:'), 1, vm.stderr)
        self.assertIn('x86_xsave_trim cpu 1 xstate_bv 0xe02ff -> 0x7',
                      vm.stderr)

    # What the guest has stays, bit for bit.

    def test_registers_survive(self):
        for machine in MACHINES:
            path = self.edit(self.save(machine, 'max'), xstate_bv=TCG)
            with self.vm(machine, 'max', '-incoming', 'defer') as vm:
                self.assertEqual(vm.load(path)['status'], 'completed')
                results = vm.watch()
            self.assert_well(results)
            self.assertEqual(results['xcr0'], TCG)
            self.assertEqual(results['pkru'], 0xd8b38e69)

    def test_comparison_notices_a_changed_bit(self):
        """The guest does see what happens to its registers."""
        path = self.save('pc', 'max')
        for field, offset in (('env.xmm_regs[0][0]/_q_ZMMReg[0]', 160),
                              ('env.xmm_regs[0][15]/_q_ZMMReg[1]', 408),
                              ('env.xmm_regs[1][3]/_q_ZMMReg[2]', 576 + 48)):
            stream = Stream(path)
            stream.set('cpu[0]', field,
                       stream.number('cpu', field) ^ (1 << 63))
            stream.write(self.file('edited'))
            with self.vm('pc', 'max', '-incoming', 'defer') as vm:
                self.assertEqual(vm.load(self.file('edited'))['status'],
                                 'completed')
                results = vm.watch()
            self.assertGreater(results['errors'], 0)
            self.assertIn(results['bad_offset'], range(offset, offset + 8))

    def test_cpu_section_passes_unchanged(self):
        """Loaded and saved again, a vCPU that did not run is the same."""
        path = self.edit(self.save('pc', 'max'), xstate_bv=TCG)
        again = self.file('again')
        self.load(path, 'pc', 'max', save=again, run=False)
        one, two = Stream(path), Stream(again)
        for a, b in zip(one.select('cpu'), two.select('cpu')):
            self.assertEqual([(f.path, one.value(f)) for f in one.fields(a)],
                             [(f.path, two.value(f)) for f in two.fields(b)])

    def tiles(self, path):
        """XTILECFG and XTILEDATA of the first vCPU of a stream"""
        stream = Stream(path)
        section = stream.select('cpu')[0]
        return bytes(int(stream.value(field), 0)
                     for field in stream.fields(section)
                     if field.path.startswith('cpu/intel_amx_xtile/'))

    def test_amx_content_is_larger_than_a_page(self):
        """TCG has no AMX, but a stream may carry its 8 KiB."""
        cpu = 'max,+amx-tile,x-force-features=on'
        path = self.save('pc', cpu, run=False, xcr0=TCG)
        tiles = bytes(1 + i * 7 % 251 for i in range(64 + 8192))
        stream = Stream(path)
        first = stream.field(stream.select('cpu')[0], 'env.xtilecfg[0]')
        stream.changes.append((first.offset, tiles))
        stream.write(self.file('edited'))
        again = self.file('again')
        self.load(self.file('edited'), 'pc', cpu, save=again, run=False)
        self.assertEqual(self.tiles(again), tiles)
        # CPUID says AMX, but XCR0 cannot enable it here: garbage.
        edited = self.edit(self.file('edited'), name='garbage',
                           xstate_bv=0x60007)
        self.load(edited, 'pc', cpu, save=again, run=False)
        self.assert_masks(again, AVX)
        self.assertEqual(self.tiles(again), bytes(64 + 8192))

    # What the guest uses and cannot keep is refused.

    def test_used_component_is_refused_by_name(self):
        path = self.save('pc', 'max')
        for cpu, names, has, options in (
                ('max,-pku', "'pkru'", "'x87', 'sse', 'avx', 'mpx' (0x1f)",
                 ',+pku'),
                ('max,-mpx', "'mpx'", "'x87', 'sse', 'avx', 'pkru' (0x207)",
                 ',+mpx'),
                ('max,-avx', "'avx'", "'x87', 'sse', 'mpx', 'pkru' (0x21b)",
                 ',+avx'),
                ('max,-xsave', "'x87', 'sse', 'avx', 'mpx', 'pkru'",
                 'none (0x0)', ',+xsave,+avx,+mpx,+pku')):
            self.assertEqual(self.refuse(path, 'pc', cpu),
                             uses_refusal(names, 'XCR0 = 0x21f', has) +
                             options)
        self.load(path, 'pc', 'max')

    def test_xsave_in_use_is_refused_where_there_is_none(self):
        """XSAVE is refused even if only x87 and SSE are in use."""
        path = self.save('pc', 'max', xcr0=3, pke=0)
        self.load(path, 'pc', NO_PKU_MPX)
        for xcr0, evidence in ((3, 'XCR0 = 0x3'), (1, 'CR4.OSXSAVE is set')):
            self.assertEqual(
                self.refuse(self.edit(path, xcr0=xcr0), 'pc', 'max,-xsave'),
                uses_refusal("'x87', 'sse'", evidence, 'none (0x0)') +
                ',+xsave')
        # A guest that could have used it, and has not: nothing is lost.
        path = self.save('pc', 'max', '-S', run=False)
        self.load(path, 'pc', 'max,-xsave', run=False)

    def test_crash_of_the_guest_is_seen(self):
        """Where XSAVE is gone, the guest's next XSAVE is its end."""
        path = self.save('pc', 'max', xcr0=3, pke=0)
        with self.vm('pc,xsave-trim=off', 'max,-xsave', '-incoming',
                     'defer') as vm:
            self.assertEqual(vm.load(path)['status'], 'completed')
            with self.assertRaisesRegex(RuntimeError,
                                        'the guest does not run, the VM is '):
                vm.watch()

    def test_guest_that_begins_anew_is_seen(self):
        guest = Watched()
        rounds = iter((90, 91, 2, 95))
        guest.state = lambda: 'running'
        guest.results = lambda: {'rounds': next(rounds), 'errors': 0,
                                 'filled': 1}
        with self.assertRaisesRegex(RuntimeError, 'the guest began again'):
            guest.watch()

    def test_remedy_helps(self):
        """The options that a refusal names are those that are needed."""
        few = 'qemu64'
        path = self.save('pc', 'max')
        refusal = self.refuse(path, 'pc', few)
        options = refusal.split('-cpu ...')[1]
        self.assertEqual(options, ',+xsave,+avx,+mpx,+pku')
        self.load(path, 'pc', few + options, run=False)

    def test_protection_keys_without_xcr0(self):
        """CR4.PKE is enough for a guest to use them."""
        path = self.save('pc', 'max', xcr0=AVX)
        self.assertEqual(Stream(path).number('cpu', 'env.pkru'), 0x5a5a5a5a)
        self.assertEqual(
            self.refuse(path, 'pc', 'max,-pku'),
            uses_refusal("'pkru'", 'CR4.PKE is set',
                         "'x87', 'sse', 'avx', 'mpx' (0x1f)") + ',+pku')
        self.load(path, 'pc', 'max')

    def test_unused_component_may_be_missing_without_contract(self):
        """As with unpatched QEMU: the guest has not enabled it."""
        path = self.save('pc', 'max', xcr0=AVX, pke=0)
        self.load(path, 'pc', NO_PKU_MPX)

    def test_what_the_host_has_not_is_refused(self):
        """TCG has none of them, so no option is enough."""
        path = self.save('pc', 'max')
        for xcr0, name, what in (
                (0xe7, 'avx512', 'use a host that has it, and start QEMU '
                 'there with -cpu ...,+avx512f'),
                (0x60007, 'amx-tile', 'use a host that has it, and start QEMU '
                 'there with -cpu ...,+amx-tile'),
                (0x80007, 'apx', 'use a QEMU and a host that have it')):
            self.assertEqual(
                self.refuse(self.edit(path, xcr0=xcr0), 'pc', 'max'),
                f"xsave: incoming VM uses XSAVE component '{name}' (XCR0 = "
                f"{xcr0:#x}), this VM gives its guest 'x87', 'sse', 'avx', "
                f"'mpx', 'pkru' (0x21f); {what}")

    def test_supervisor_components_are_refused_too(self):
        for xss, why in (
                (1 << 15, "uses XSAVE component 'arch-lbr' (XSS = 0x8000), "
                 'this VM gives its guest none (0x0); use a host that has it, '
                 'and start QEMU there with -cpu ...,+arch-lbr'),
                (3 << 11, "uses XSAVE component 'cet' (XSS = 0x1800), this VM "
                 'gives its guest none (0x0); use QEMU 11.0 or later, and a '
                 'host that has it'),
                (1 << 63, 'has XSS = 0x8000000000000000, where '
                 '0x8000000000000000 are not components that this QEMU knows '
                 '(0x1fd00)')):
            path = self.add_subsection(self.save('pc', 'max'), b'cpu/xss',
                                       xss.to_bytes(8, 'big'))
            self.assertIn(f'xsave: incoming VM {why}',
                          self.refuse(path, 'pc', 'max'))

    def test_hostile_masks_end_in_an_error(self):
        path = self.save('pc', 'max')
        for field in ('xstate_bv', 'xcr0'):
            for value in (2 ** 64 - 1, 1 << 63, 1 << 62, 1 << 8, 1 << 16,
                          1 << 20):
                refusal = self.refuse(self.edit(path, **{field: value}),
                                      'pc', 'max')
                self.assertIn(f' = {value:#x}, where {value & ~0xe02ff:#x} '
                              'are not components', refusal)
        # Values that XCR0 cannot have; xstate_bv may be any part of XCR0.
        for value in (0, 2, 5, 9, 0x11, 0x27, 0xe3, 0x20007, 0x40007):
            self.assertEqual(
                self.refuse(self.edit(path, xcr0=value), 'pc', 'max'),
                f'xsave: incoming VM has XCR0 = {value:#x}, a combination '
                'that no CPU allows; the stream is damaged: restart the '
                'VM')

    def test_any_masks_are_refused_or_put_right(self):
        """Random masks through all of QEMU; scripts/fuzz tests the rules."""
        path = self.save('pc', NO_PKU_MPX)
        again = self.file('again')
        generator = random.Random(20261121)
        loaded = 0
        for _ in range(24):
            masks = {'xstate_bv': generator.getrandbits(64) & SUPERFLUOUS,
                     'xcr0': generator.choice((1, 3, AVX, AVX, 0xe7,
                                               generator.getrandbits(20)))}
            if not generator.randrange(4):
                masks['xstate_bv'] = generator.getrandbits(64)
            edited = self.edit(path, **masks)
            with self.subTest(**masks), \
                 self.vm('pc', NO_PKU_MPX, '-incoming', 'defer', '-S') as vm:
                info = vm.load(edited)
                if info['status'] == 'failed':
                    self.assertTrue(info['error-desc'].startswith('xsave: '))
                    self.assertEqual(vm.state(), 'inmigrate')
                    continue
                vm.save(again)
                self.assert_masks(again, masks['xstate_bv'] & AVX,
                                  masks['xcr0'])
                self.assertIn(masks['xcr0'], (1, 3, AVX))
                loaded += 1
        self.assertIn(loaded, range(4, 21))

    def test_truncated_streams_end_in_an_error(self):
        path = self.save('pc', 'max')
        stream = Stream(path)
        section = stream.select('cpu')[0]
        field = stream.field(section, 'env.xstate_bv')
        data = path.read_bytes()
        for size in (section.offset, section.offset + 1, field.offset,
                     field.offset + 7, field.offset + 8,
                     section.offset + section.size):
            self.file('short').write_bytes(data[:size])
            with self.vm('pc', 'max', '-incoming', 'defer') as vm:
                info = vm.load(self.file('short'))
                self.assertEqual(info['status'], 'failed')
                self.assertEqual(vm.state(), 'inmigrate')


def main():
    return run(XsaveLoad, __doc__)
