# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Real kernels, as TAP. In every test run: the oldest and the newest with the
profile of the oldest, what each host can promise, options that contradict each
other, calls of a 32-bit guest, and the quick journeys. With --long what takes longer: every pair with the
profile, the oldest and the newest without it, live migrations of one kernel, and
the other journeys."""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
import dataclasses
import json
from pathlib import Path
import sys
import tempfile
import unittest

from qemu_hvc import host_facts
from qemu_hvc.fleet import Fleet
from qemu_hvc import tap

from qemu_hvc.lab import (aarch32, bare_guest, cli, commands, fleet, journeys,
                          kernels, live, programs)
from qemu_hvc.lab.common import LabError
from qemu_hvc.lab.host import Host
from qemu_hvc.lab.kernels import Kernel
from qemu_hvc.lab.matrix import Matrix
from qemu_hvc.lab.spots import fleets_of
from qemu_hvc.lab.verdict import Kind, Verdict
from qemu_hvc.lab.vm import Vm, VmEnded
from qemu_hvc.paths import DATA
from qemu_hvc.stream import Stream

MACHINE = 'virt-hvc-10.0'

# Options that contradict each other under KVM: what the test is called, the
# machine, the CPU, and what QEMU says instead of starting
CONTRADICTIONS = (
    ('stolen time not chosen', 'virt,hvc-services=none',
     'host,kvm-steal-time=on', 'kvm-steal-time=on contradicts '
     "hvc-services=none, which does not give the guest hvc service 'pv-time'; "
     'leave out kvm-steal-time, or use hvc-services=none:+pv-time'),
    ('stolen time chosen', 'virt-hvc-10.0', 'host,kvm-steal-time=off',
     'kvm-steal-time=off contradicts hvc-services=linux-6.12, which gives the '
     "guest hvc service 'pv-time'; leave out kvm-steal-time, or use "
     'hvc-services=linux-6.12:-pv-time'),
    ('stolen time in AArch32', 'virt-hvc-10.0', 'host,aarch64=off',
     'hvc-services=linux-6.12: KVM cannot give an AArch32 guest hvc service '
     "'pv-time', which is for AArch64; use hvc-services=linux-6.12:-pv-time"),
    ('profile of CPUs that are not told',
     'virt-hvc-10.0,guest-abi-profile=two-cpus.json', 'host',
     'guest-abi-profile=two-cpus.json is of a fleet with 2 different CPUs, which '
     "needs the hvc service 'implementation-cpus', so that the guest is told of "
     'them, this VM has hvc-services=linux-6.12; use '
     'hvc-services=linux-6.12:+implementation-cpus, or the profile of hosts '
     'with one CPU'),
    ('profile of CPUs that no 6.1 can tell',
     'virt,kernel-floor=linux-6.1,guest-abi-profile=two-cpus.json', 'host',
     'this VM has hvc-services=linux-6.1; use '
     'hvc-services=linux-6.1:+implementation-cpus and kernel-floor=linux-6.12, '
     'or the profile of hosts with one CPU'),
)
# A kernel whose newest PSCI version is 1.0
OLD = '5.10'
# Bits of a GIC's registers that KVM does not take, as the host's GIC lacks
# them: what the test is called, the section and field of the stream, the bits
# that are set there, and parts of what QEMU says
GIC_MISFITS = (
    ('gic SEIS', 'arm_gicv3', 'icc_ctlr_el1[1]', 1 << 14,
     ('cannot load ICC_CTLR_EL1 0x',
      ' on this host: KVM_SET_DEVICE_ATTR failed: ')),
    ('gic priority bits', 'arm_gicv3', 'icc_ctlr_el1[1]', 7 << 8,
     ('cannot load ICC_CTLR_EL1 0x',
      ' on this host: KVM_SET_DEVICE_ATTR failed: ')),
    ('its revision', 'arm_gicv3_its', 'iidr', 0xf << 12,
     ('cannot load GITS_IIDR: KVM_SET_DEVICE_ATTR failed: ',)),
    ('its read pointer', 'arm_gicv3_its', 'creadr', 0x80000,
     ('cannot load GITS_CREADR: KVM_SET_DEVICE_ATTR failed: ',)),
)

# Of a guest in AArch32: what KVM can give it
AARCH32_MACHINE = f'{MACHINE},hvc-services=linux-6.18:-pv-time:' \
    '+implementation-cpus'


def chosen() -> list[Kernel]:
    """The kernels that are always needed, and the newest. LabError if one
    cannot be had."""
    found = [kernels.one(series) for series in kernels.NEEDED]
    newest = kernels.newest()
    kernels.require_needed([kernel.name for kernel in [*found, newest]])
    return [*found, newest]


def name(text: str) -> str:
    """As a method's name; tap.py shows "_" as "-"."""
    return 'test_' + text.replace('.', '_').replace(' ', '_')


def test_of(verdict: Verdict, kind: Kind, pattern: str):
    def test(self: unittest.TestCase) -> None:
        self.assertIs(verdict.kind, kind, str(verdict))
        self.assertRegex(verdict.text, pattern)
    return test


def matrix_tests(title: str, matrix: Matrix,
                 refused: dict[tuple[str, str], str]) -> dict:
    """A test for each pair of kernels; refused: pairs that are refused before
    RAM, and how"""
    tests = {}
    for cell in matrix.cells:
        pair = cell.source, cell.target
        tests[name(f'{title} {" to ".join(pair)}')] = test_of(
            cell.verdict, Kind.EARLY if pair in refused else Kind.OK,
            refused.get(pair, '^$'))
    return tests


def live_test(result: live.Result):
    def test(self: unittest.TestCase) -> None:
        self.assertEqual(result.problem, '')
    return test


def all_of(jobs: int, *parts: Callable[[], dict]) -> dict:
    """The tests of all parts, some of which are made at the same time"""
    with ThreadPoolExecutor(jobs) as pool:
        made = list(pool.map(lambda part: part(), parts))
    return {key: test for tests in made for key, test in tests.items()}


def journey_tests(hardware, qemu, args: argparse.Namespace,
                  chosen: Sequence[journeys.Journey]) -> dict:
    """One for each of these journeys"""
    def test_of_journey(result: journeys.Result):
        def test(self: unittest.TestCase) -> None:
            self.assertEqual(result.problem, '')
        return test

    results: list[journeys.Result] = []
    journeys.run(lambda: commands.journey_places(hardware, qemu, args.build),
                 chosen, args.jobs, results.append)
    return {name(f'journey {result.journey.name}'): test_of_journey(result)
            for result in results}


def fleet_tests(documents: dict[str, dict], newest: Kernel) -> dict:
    """Hosts that were all made like the oldest one; see qemu_hvc/lab/fleet.py."""
    has_tap = 'features' in documents['linux-6.1.json']['host']['tap']

    def test_fleet(self: unittest.TestCase) -> None:
        with tempfile.TemporaryDirectory() as tmp:
            for file, document in documents.items():
                (Path(tmp) / file).write_text(json.dumps(document),
                                              encoding='utf-8')
            result = Fleet(list(Path(tmp).iterdir())).as_object()
        self.assertEqual(result['obstacles'], [])
        # A host without TAP is judged by its services.
        floor, higher, machine = \
            ('linux-6.1', 'linux-6.12', 'virt-hvc-9.2') if has_tap else \
            ('linux-6.12', 'linux-6.18', 'virt-hvc-10.0')
        self.assertEqual(result['floor'], floor)
        self.assertEqual(result['held-back']['from'], higher)
        # The later ones have it, or leave it to QEMU.
        self.assertEqual(
            {Path(path).name for path in result['held-back']['by']},
            {'linux-6.1.json'})
        self.assertEqual(result['machine'], f'{machine},gic-version=3,'
                         'guest-abi-profile=linux-6.1.json')

    def test_newest(self: unittest.TestCase) -> None:
        document = documents[fleet.file_name(newest)]
        self.assertTrue(document['floors'])
        self.assertEqual([row for row in document['floors'] + document['types']
                          if not row['starts']], [])

    def test_of_record(file: str, record: str):
        """What the tests of guest-abi-diff take for such a host"""
        def test(self: unittest.TestCase) -> None:
            known = json.loads((DATA / 'fleet' / record)
                               .read_text(encoding='utf-8'))
            document = documents[file]
            for part in ('accel', 'cpu', 'profile'):
                self.assertEqual(document[part], known[part])
            for part in ('floors', 'types'):
                # A later QEMU says more, perhaps.
                rows = [{key: value for key, value in row.items()
                         if has_tap or key != 'lacks'} for row in known[part]]
                self.assertEqual(
                    [{key: row.get(key) for key in record_row}
                     for row, record_row in zip(document[part], rows)], rows)
            # The record has those that differ between hosts, as a QEMU gave
            # them that had no hexadecimal text beside the number.
            entries = {entry['name']: entry
                       for entry in document['return']['entries']}
            for entry in known['return']['entries']:
                now = entries.get(entry['name'], {})
                self.assertEqual({key: now.get(key) for key in entry}, entry)
        return test

    def test_facts(self: unittest.TestCase) -> None:
        """What the kernels say without a VM; the hosts have a neoverse-n1."""
        for file, document in documents.items():
            facts = document['host']
            with self.subTest(file):
                self.assertEqual(facts['gic']['kinds'], ['gicv3', 'its'])
                self.assertEqual(facts['gic']['gicv3-iidr-revision'], 3)
                self.assertEqual(facts['cntfrq'], {'hz': 62500000})
                self.assertEqual(facts['sve'], {'lengths': []})
                for backend in host_facts.BACKENDS:
                    self.assertTrue(facts[backend].keys() &
                                    {'features', 'unavailable'})

    return {
        name('fleet'): test_fleet,
        name('facts'): test_facts,
        name(f'probe {newest.name}'): test_newest,
        name('probe 6.1'): test_of_record('linux-6.1.json', 'linux-6.1.json'),
        name('probe 6.12 as 6.1'):
            test_of_record('linux-6.12.json', 'linux-6.12-profile.json'),
    }


def start(host: Host, machine: str, cpu: str) -> str:
    """QEMU's refusal to start; '' if it starts"""
    vm = Vm(host, 'contradiction')
    try:
        vm.start(*bare_guest.options(machine), '-cpu', cpu)
    except VmEnded as end:
        return end.messages
    vm.quit()
    return ''


def contradiction_tests(hardware, qemu, kernel: Kernel) -> dict:
    """A test for each of CONTRADICTIONS"""
    def test_of_start(found: str, message: str):
        def test(self: unittest.TestCase) -> None:
            self.assertIn(message, found)
        return test

    with Host(dataclasses.replace(hardware, cpu=aarch32.CPU), kernel,
              {'qemu': qemu, 'guest': programs.guest(),
               'two-cpus.json': DATA / 'two-cpus.json'}) as host:
        return {name(title): test_of_start(start(host, machine, cpu), message)
                for title, machine, cpu, message in CONTRADICTIONS}


def aarch32_tests(build: Path, hardware, qemu, older: Kernel,
                  newer: Kernel) -> dict:
    """Calls that QEMU serves on the older kernel, and the newer one itself"""
    title = name('calls of an AArch32 guest')
    try:
        files = aarch32.files(build)
    except LabError as error:
        return {title: skip(str(error))}
    found = []
    for kernel in older, newer:
        with Host(dataclasses.replace(hardware, cpu=aarch32.CPU), kernel,
                  {'qemu': qemu, **files}) as host:
            found.append(aarch32.results(Vm(host, 'aarch32'),
                                         AARCH32_MACHINE))

    def test(self: unittest.TestCase) -> None:
        self.assertEqual(*found)
        self.assertEqual(len(found[0]), 2 * len(aarch32.CALLS) + 1)
        for call, result in found[0].items():
            # Nothing else changed, and no exception.
            self.assertRegex(result, '^Res: ( 0x[0-9a-f]+){4}$', call)
        for conduit in 'hvc', 'smc':
            self.assertEqual(
                [found[0][f'{conduit} {call}'].split()[1] for call in (
                    '0x84000000', '0x8400000a 0x84000015', '0x84000015 0x2')],
                ['0x10003', '0x1', '0xfffffffe'])
    return {title: test}


def skip(reason: str):
    def test(self: unittest.TestCase) -> None:
        self.skipTest(reason)
    return test


def psci_tests(hardware, qemu) -> dict:
    """Without a version in the options the kernel's own is in the contract."""
    title = name(f'psci version of none on {OLD}')
    try:
        kernel = kernels.one(OLD)
    except LabError as error:
        return {title: skip(str(error))}
    with Host(hardware, kernel,
              {'qemu': qemu, 'guest': programs.guest()}) as host:
        vm = Vm(host, 'old')
        vm.start(*bare_guest.options('virt,hvc-services=none'))
        contract = vm.command('query-guest-abi')
        vm.quit()
        refusal = start(host, 'virt,hvc-services=none,psci-version=1.1',
                        'host')

    def test(self: unittest.TestCase) -> None:
        self.assertIn(('arm.psci-version', 0x10000, 'default'),
                      [(entry['name'], entry['value'], entry['origin'])
                       for entry in contract['entries']])
        self.assertIn('cannot give a guest PSCI 1.1, it has 1.0', refusal)
    return {title: test}


def gic_tests(hardware, qemu, kernel: Kernel) -> dict:
    """One for each of GIC_MISFITS, and one for the number of vCPUs: a stock
    machine's stream of a GIC that is not this VM's, and what QEMU says."""
    def test_of_load(status: str, messages: str, texts: tuple[str, ...]):
        def test(self: unittest.TestCase) -> None:
            self.assertEqual(status, 'failed', messages)
            for text in texts:
                self.assertIn(text, messages)
        return test

    def load(title: str, file: str, cpus: int, texts: tuple[str, ...]) -> None:
        vm = Vm(host, f'misfit{len(tests)}')
        vm.start(*bare_guest.options(machine, cpus), '-S', '-incoming',
                 'defer')
        try:
            vm.listen(f'file:/tmp/{file}')
            status, messages = vm.wait_migration()['status'], vm.messages()
            vm.quit()
        except VmEnded as end:
            status, messages = 'ended', str(end)
        tests[name(title)] = test_of_load(status, messages, texts)

    tests = {}
    machine = 'virt-10.0'
    with tempfile.TemporaryDirectory() as tmp, \
            Host(hardware, kernel, {'qemu': qemu, 'guest': programs.guest()}
                 ) as host:
        source = Vm(host, 'source')
        source.start(*bare_guest.options(machine))
        source.migrate('file:/tmp/stream')
        source.quit()
        host.fetch('stream', Path(tmp) / 'stream')
        for title, section, field, mask, texts in GIC_MISFITS:
            stream = Stream(Path(tmp) / 'stream')
            stream.set(section, field, stream.number(section, field) | mask)
            stream.write(Path(tmp) / 'edited')
            host.bring('edited', Path(tmp) / 'edited')
            load(title, 'edited', 1, texts)
        # What follows in the stream is taken for the other vCPU's.
        load('gic of fewer vCPUs', 'stream', 2, ("of device 'arm_gicv3'",))
    return tests


def profile_tests(hardware, qemu, found: list[Kernel]) -> dict:
    matrix = Matrix(hardware, qemu, 'patched', fleets_of(found), [MACHINE],
                    found[0], jobs=1)
    matrix.run()
    return matrix_tests('profile', matrix, {})


def plain_tests(hardware, qemu, found: list[Kernel]) -> dict:
    """The newer kernel's registers are not what the older one has."""
    oldest, newest = found[0], found[-1]
    matrix = Matrix(hardware, qemu, 'patched', fleets_of([oldest, newest]),
                    [MACHINE], jobs=1)
    matrix.run()
    return matrix_tests('plain', matrix, {
        (newest.name, oldest.name):
        r'^guest-abi: .*incoming VM has \w+_EL1 = 0x'})


def live_tests(build: Path, hardware, qemu, kernel: Kernel) -> dict:
    result = live.run(build, hardware, qemu, kernel, MACHINE, cpus=2, times=4)
    return {name(f'live {kernel.name} {result.cpus} cpus'): live_test(result)}


def run(args: argparse.Namespace, found: list[Kernel]) -> int:
    """The tests; returns the exit status."""
    oldest, newest = found[0], found[-1]
    inside = commands.hardware_of(args), commands.inner_qemu(args)
    usual = (
        lambda: profile_tests(*inside, [oldest, newest]),
        lambda: fleet_tests(fleet.probe_all(*inside, found, oldest, jobs=1),
                            newest),
        lambda: contradiction_tests(*inside, newest),
        lambda: aarch32_tests(args.build, *inside, found[1], newest),
        lambda: gic_tests(*inside, newest),
        lambda: psci_tests(*inside),
    )
    longer = (
        lambda: profile_tests(*inside, found),
        lambda: plain_tests(*inside, found),
        lambda: live_tests(args.build, *inside, newest),
    )
    wanted = [journey for journey in commands.chosen_journeys(())
              if not journey.sites[0].nic and journey.quick != args.long]
    return tap.run(type('KvmLab', (unittest.TestCase,), {
        **journey_tests(*inside, args, wanted),
        **all_of(args.jobs, *(longer if args.long else usual))}))


def run_test(args: argparse.Namespace) -> int:
    try:
        found = chosen()
        kernels.fetch('lab-sysroot')
    except LabError as error:
        tap.skip_all(error)
        return 0
    return run(args, found)


LONG = cli.option(
    '--long', action='store_true',
    help='instead of these tests those that take too long for every run: every '
    'pair with a profile, 6.1 and the newest without one, live migrations, and '
    'the journeys that are not quick')

COMMAND = (run_test, LONG, 'a small matrix, as TAP',
           'Three kernels (6.1, 6.12 and the newest) and one pinned machine '
           'type: 6.1 and the\nnewest with the profile of 6.1; what '
           'guest-abi-probe says on each of them; options\nthat contradict '
           'each other; calls of an AArch32 guest; and "kvm-lab journeys\n'
           '--quick" of guests without a NIC. Skipped without kernels.')


def main():
    return cli.main({'test': COMMAND}, ['test', *sys.argv[1:]])
