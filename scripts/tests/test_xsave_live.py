# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests XSAVE components in snapshots and postcopy migrations; prints TAP."""

import os
import re
import subprocess
import time

from qemu_hvc.postcopy import COMES_BACK
from qemu_hvc.qmp import PATIENCE_S
from qemu_hvc.stream import Stream
from xsave_case import AVX, NO_PKU_MPX, SUPERFLUOUS, TCG, XsaveCase, run


class XsaveLive(XsaveCase):
    """Snapshots and postcopy"""

    def snapshot(self, path, machine, cpu):
        """Turns a stream into a snapshot, with its xstate_bv as it is"""
        disk = self.file('disk.qcow2')
        subprocess.run([self.build / 'qemu/qemu-img', 'create', '-q', '-f',
                        'qcow2', disk, '1M'], check=True)
        drive = ('-drive', f'if=none,id=disk,format=qcow2,file={disk}')
        with self.vm(f'{machine},xsave-trim=off', cpu, *drive, '-S',
                     '-incoming', 'defer') as vm:
            self.assertEqual(vm.load(path)['status'], 'completed')
            # Before it runs, its disks still belong to the source.
            vm.hmp('cont')
            self.assertEqual(vm.hmp('savevm one'), '')
        return drive

    def test_snapshot_loses_superfluous_components(self):
        path = self.edit(self.save('pc', NO_PKU_MPX), xstate_bv=SUPERFLUOUS)
        drive = self.snapshot(path, 'pc', NO_PKU_MPX)
        with self.vm('pc', NO_PKU_MPX, *drive) as vm:
            said = vm.hmp('loadvm one')
            self.assertRegex(said,
                             '^warning: xsave: incoming VM has [^\n]*\n$')
            # The warning was printed at the first loadvm.
            self.assertEqual(vm.hmp('loadvm one'), '')
            vm.hmp('cont')
            self.assert_well(vm.watch())
            vm.save(self.file('again'))
        self.assert_masks(self.file('again'), AVX, AVX)

    def test_snapshot_is_refused_by_name(self):
        drive = self.snapshot(self.save('pc', 'max'), 'pc', 'max')
        with self.vm('pc', 'max,-pku', *drive) as vm:
            refusal = vm.hmp('loadvm one')
            # A second loadvm: nothing of the first one is left.
            self.assertEqual(vm.hmp('loadvm one'), refusal)
            state = vm.state()
            registers = vm.hmp('info registers -a')
        # vCPUs are at the reset vector: nothing of the refused state can run.
        self.assertEqual(re.findall(r'(?m)^[RE]IP=(\w+)', registers),
                         2 * ['0000fff0'])
        self.assertIn("xsave: incoming VM uses XSAVE component 'pkru'",
                      refusal + vm.stderr)
        self.assertIn('Error', refusal)
        self.assertNotEqual(state, 'running')

    def test_all_vcpus_are_reset_when_the_last_is_refused(self):
        """The first was already loaded, and would run on alone."""
        path = self.save('pc', NO_PKU_MPX)
        self.assertNotEqual(Stream(path).number('cpu[0]', 'env.eip'), 0xfff0)
        edited = self.edit(path, section='cpu[1]', xcr0=TCG)
        with self.vm('pc', NO_PKU_MPX, '-incoming', 'defer') as vm:
            self.assertEqual(vm.load(edited)['status'], 'failed')
            registers = vm.hmp('info registers -a')
        self.assertEqual(re.findall(r'(?m)^[RE]IP=(\w+)', registers),
                         2 * ['0000fff0'])

    def much_memory(self, size=1 << 24):
        """Options that make a migration last for seconds

        Each page that is not empty takes its time. QEMU sends some dozens of
        them at once before it looks at its limit.
        """
        content = self.file('content')
        content.write_bytes(os.urandom(size))
        return ('-m', '64', '-device',
                f'loader,file={content},addr=0x1000000,force-raw=on')

    def postcopy(self, source, destination, path, exit_on_error=False):
        """Starts a migration by postcopy, from a VM that loads a stream"""
        socket = self.file('socket')
        for vm in (source, destination):
            try:
                vm.set_capabilities(['postcopy-ram', 'events'])
            except RuntimeError as error:
                self.skipTest(f'no postcopy here: {error}')
        self.assertEqual(source.load(path)['status'], 'completed')
        # A limit, so that precopy does not end before postcopy starts.
        source.command('migrate-set-parameters',
                       **{'max-bandwidth': 65536, 'downtime-limit': 1})
        destination.command('migrate-incoming', uri=f'unix:{socket}',
                            **{'exit-on-error': exit_on_error})
        source.command('migrate', uri=f'unix:{socket}')
        while source.command('query-migrate')['status'] == 'setup':
            time.sleep(0.01)

    def migrations(self, vm):
        """The states of the migrations that a VM has told of"""
        return [event['data']['status'] for event in vm.events
                if event['event'] == 'MIGRATION']

    def test_postcopy_loses_superfluous_components(self):
        memory = self.much_memory()
        path = self.edit(self.save('pc', NO_PKU_MPX, *memory),
                         xstate_bv=SUPERFLUOUS)
        parked = ('-incoming', 'defer', *memory)
        with self.vm('pc,xsave-trim=off', NO_PKU_MPX, *parked) as source, \
             self.vm('pc', NO_PKU_MPX, *parked) as destination:
            self.postcopy(source, destination, path)
            source.command('migrate-start-postcopy')
            self.assertEqual(destination.wait_migration()['status'],
                             'completed')
            self.assertIn('postcopy-active', self.migrations(destination))
            self.assert_well(destination.watch())
            destination.set_capabilities(['postcopy-ram'], False)
            destination.save(self.file('again'))
        self.assert_masks(self.file('again'), AVX, AVX)

    def assert_came_back(self, source):
        """Its guest runs on, and it knows why."""
        info = source.wait_migration()
        self.assertEqual(info['status'], 'failed')
        self.assertIn('the destination refused this VM: xsave: ',
                      info['error-desc'])
        self.assert_well(source.watch())

    def test_postcopy_is_refused_by_name(self):
        """Refused late, when postcopy has started"""
        memory = self.much_memory()
        path = self.save('pc', 'max', *memory)
        parked = ('-incoming', 'defer', *memory)
        with self.vm('pc', 'max', *parked) as source:
            destination = self.vm('pc', 'max,-pku', *parked)
            self.postcopy(source, destination, path, exit_on_error=True)
            source.command('migrate-start-postcopy')
            log = destination.process.communicate(timeout=PATIENCE_S)[1]
            if source.version() >= COMES_BACK:
                self.assert_came_back(source)
        self.assertIn("xsave: incoming VM uses XSAVE component 'pkru'", log)

    def test_postcopy_is_refused_by_a_destination_that_stays(self):
        # So little that all was sent before the source hears of the refusal
        memory = self.much_memory(1 << 20)
        path = self.save('pc', 'max', *memory)
        parked = ('-incoming', 'defer', *memory)
        with self.vm('pc', 'max', *parked) as source, \
             self.vm('pc', 'max,-pku', *parked) as destination:
            if source.version() < COMES_BACK:
                self.skipTest('before QEMU 10.2 such a destination ends itself')
            self.postcopy(source, destination, path)
            source.command('migrate-start-postcopy')
            self.assert_came_back(source)
            self.assertIn("xsave: incoming VM uses XSAVE component 'pkru'",
                          destination.wait_migration()['error-desc'])
            # Its main thread waits before it ends the load: see TELL_NS.
            time.sleep(1)
            self.assertEqual(destination.state(), 'inmigrate')

    def test_postcopy_with_contract_is_refused_in_time(self):
        memory = self.much_memory()
        path = self.save('pc,guest-abi=on', 'max', *memory)
        parked = ('-incoming', 'defer', *memory)
        with self.vm('pc,guest-abi=on', 'max', *parked) as source, \
             self.vm('pc,guest-abi=on', 'max,-pku', *parked) as destination:
            self.postcopy(source, destination, path)
            self.assertIn("XSAVE component 'pkru' (x86.xcr0 = 0x21f)",
                          destination.wait_migration()['error-desc'])
            self.assertEqual(source.wait_migration()['status'], 'failed')
            self.assertNotIn('postcopy-active', self.migrations(source))
            self.assertEqual(source.state(), 'running')
            self.assert_well(source.watch())


def main():
    return run(XsaveLive, __doc__)
