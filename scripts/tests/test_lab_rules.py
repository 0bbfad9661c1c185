# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The KVM lab's judgement, without a host: which kernel is meant, what is a
kernel's own, whether a preflight was right, what must not be in a matrix, the
table of journeys; and what a program leaves that was ended. Prints TAP.
"""

import contextlib
import dataclasses
import gzip
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

from qemu_hvc import arm_registers, tap
from qemu_hvc.bench import kvm as bench_kvm, served
from qemu_hvc.fleet_profile import Profile, ProfileRefused
from qemu_hvc.lab import (backends, bare_guest, cli, commands, cpuid_guest,
                          downtime, hibernating, journey_set, journey_table, journeys, kept,
                          kernels, linux_kind, matrix_set, matrix_table,
                          modules, moves, nic, page, render, spots, told, x86)
from qemu_hvc.lab.common import LabError
from qemu_hvc.lab.host import ArmHardware
from qemu_hvc.lab.kernels import Kernel
from qemu_hvc.lab.matrix import Cell, Matrix, from_json, machine_list
from qemu_hvc.lab.spots import FleetProfile, Spot, fleets_of
from qemu_hvc.lab.verdict import Guest, Kind, Preflight, Verdict
from qemu_hvc.paths import DATA, ROOT, SCRIPTS
from qemu_hvc.xsave_guest import FEATURES

OLD = Kernel('6.1', Path('old'), '6.1.0-50-cloud-arm64', '6.1.176-1')
NEW = Kernel('7.3', Path('new'), '7.3.4+deb13-cloud-arm64', '7.3.4-1~bpo13+1')
PAGE = ROOT / 'docs/system/arm/hvc-contract.rst'

# A program that waits for two hosts, as a matrix does: their QEMU is its
# argument
WAITING = f"""
import signal
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import re
from qemu_hvc.lab import cli, host, kernels, programs
programs.initramfs = lambda *_: Path('/dev/null')
hardware = host.ArmHardware(Path(sys.argv[1]))
kernel = kernels.Kernel('none', Path(), 'none')

def boot(number):
    with host.Host(hardware, kernel, {{}}):
        pass

def wait(args):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(boot, range(2)))

# Who puts us into the background, a shell or nohup, may have them ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
cli.main({{'wait': (wait, lambda parser: None, '', '')}}, ['wait'])
"""
# One that never says that it is ready
SILENT_QEMU = """#!/bin/sh
echo $$ >>"$0.started"
exec sleep 1000
"""
PATIENCE_S = 60

# A Debian archive, for scripts/lib/lab-kernels.sh: what apt would say there
ARCHIVE = r"""
die() { echo "$1"; exit 1; }
private_apt() {
    case $1 in
    bookworm) set -- "$3" linux-image-6.1.0-50-cloud-arm64-unsigned=6.1.176-1 \
        linux-image-6.1.0-50-cloud-arm64=6.1.176-1 ;;
    bookworm-security) set -- "$3" \
        linux-image-6.1.0-51-cloud-arm64-unsigned=6.1.180-1 \
        linux-image-6.12-cloud-arm64=6.12.117-1~deb12u1 ;;
    trixie) set -- "$3" linux-image-6.12.107+deb13-cloud-arm64=6.12.107-1 \
        linux-image-6.12.117+deb13-cloud-arm64=6.12.117-1 ;;
    trixie-backports) set -- "$3" \
        linux-image-7.3.4+deb13-cloud-arm64=7.3.4-1~bpo13+1 \
        linux-binary-7.3.4+deb13-cloud-arm64=7.3.4-1~bpo13+1 ;;
    experimental) set -- "$3" linux-binary-7.3-cloud-arm64=7.3~rc7-1~exp1 ;;
    *) return 1 ;;
    esac
    for package in "${@:2}"; do
        case $1 in
        apt-cache) echo "${package%=*} | ${package#*=} | http://mirror" ;;
        esac
    done
}
"""

# The traces of a migration of two vCPUs
SOURCE_TRACE = """\
311@1790000000.999990:vmstate_downtime_checkpoint src-downtime-start
311@1790000001.000100:vmstate_downtime_checkpoint src-vm-stopped
"""
TARGET_TRACE = """\
317@1790000000.100000:hvc_scratch 0 registers written, 309 listed, 71 in the \
contract, in 8040 us
320@1790000001.004000:vmstate_downtime_load type=non-iterable idstr=cpu_common \
instance_id=0 downtime=7
320@1790000001.005000:vmstate_downtime_load type=non-iterable idstr=cpu \
instance_id=0 downtime=1500
320@1790000001.007000:vmstate_downtime_load type=non-iterable idstr=cpu \
instance_id=1 downtime=1250
320@1790000001.020490:vmstate_downtime_checkpoint dst-precopy-bh-vm-started
"""


class LabRules(unittest.TestCase):
    """Nothing here starts a QEMU."""

    # --- downtime ---

    def test_downtime(self):
        times = downtime.times_of(SOURCE_TRACE, TARGET_TRACE, 2)
        self.assertAlmostEqual(times.downtime, 20.5, places=3)
        self.assertAlmostEqual(times.vcpus, 2.75)
        self.assertEqual(downtime.scratch_ms(TARGET_TRACE), [8.04])
        for source, target, cpus in (
                (SOURCE_TRACE, TARGET_TRACE, 1),
                ('', TARGET_TRACE, 2), (SOURCE_TRACE * 2, TARGET_TRACE, 2),
                (SOURCE_TRACE, TARGET_TRACE.replace('started', ''), 2)):
            with self.assertRaises(LabError):
                downtime.times_of(source, target, cpus)

    def test_downtime_rows(self):
        pairs = [bench_kvm.Pair(downtime.Times(100, 10),
                                downtime.Times(100 + more, 10 + more / 2))
                 for more in (0, 2, 4)]
        rows = bench_kvm.rows(8, pairs)
        self.assertEqual([row[1] for row in rows], [1.01, 1.01])
        self.assertAlmostEqual(rows[0][2], 1.02)
        self.assertAlmostEqual(rows[1][2], 1.01)
        self.assertEqual(rows[1][4], '11.00 ms instead of 10.00 ms')

    # --- kernels ---

    def test_kernels_in_order(self):
        numbers = [kernels.as_number(text) for text in
                   ('5.10', '6.1.0-47', '6.1.170-3', '6.1.176-1', '6.12',
                    '6.12.107-1', '6.12.107+deb13', '7.3')]
        self.assertEqual(numbers, sorted(numbers))
        self.assertTrue(OLD.before('6.4'))
        self.assertFalse(NEW.before('6.4'))

    def test_kernel_named_twice(self):
        with self.assertRaisesRegex(LabError, 'leave one out'):
            kernels.in_order([OLD, Kernel('6.1.176', Path('old'), OLD.release,
                                          OLD.version)])

    def shell(self, command):
        """What it prints, with scripts/lib/lab-kernels.sh and ARCHIVE"""
        return subprocess.run(
            ['bash', '-euc', f'. {SCRIPTS}/lib/lab-kernels.sh; {ARCHIVE}'
             f'{command}'], text=True, check=False,
            stdout=subprocess.PIPE).stdout.splitlines()

    def test_kernels_of_debian(self):
        self.assertEqual(self.shell('lab_kernels arm64'), [
            '6.1.176-1 6.1.0-50 bookworm',
            '6.1.180-1 6.1.0-51 bookworm-security',
            '6.12.107-1 6.12.107+deb13 trixie',
            '6.12.117-1 6.12.117+deb13 trixie',
            '7.3~rc7-1~exp1 7.3 experimental',
            '7.3.4-1~bpo13+1 7.3.4+deb13 trixie-backports'])

    def test_kernel_chosen(self):
        for word, package in (
                ('6.1', 'linux-image-6.1.0-51-cloud-arm64-unsigned'),
                ('6.1.176', 'linux-image-6.1.0-50-cloud-arm64-unsigned'),
                ('6.1.0-50', 'linux-image-6.1.0-50-cloud-arm64-unsigned'),
                ('6.12', 'linux-image-6.12.117+deb13-cloud-arm64'),
                ('6.12.107', 'linux-image-6.12.107+deb13-cloud-arm64'),
                ('7.3', 'linux-binary-7.3.4+deb13-cloud-arm64')):
            with self.subTest(word):
                chosen = self.shell(f'choose_lab_kernel {word} arm64')
                self.assertEqual(chosen[0].split()[3], package)
        for word in ('6.2', '6.12.10'):
            self.assertEqual(
                self.shell(f'choose_lab_kernel {word} arm64'),
                [f'no Debian suite within reach has a cloud kernel {word}'])

    def test_modules_package(self):
        archive = r"""
        private_apt() {
            [ "$3 $4 $5" = 'apt-cache pkgnames linux-' ] || exit 9
            case $1 in
            trixie) printf '%s\n' linux-image-6.12.117+deb13-cloud-arm64 \
                linux-image-6.12.117+deb13-cloud-arm64-unsigned ;;
            trixie-backports) printf '%s\n' \
                linux-image-7.3.4+deb13-cloud-arm64 \
                linux-modules-7.3.4+deb13-cloud-arm64 ;;
            *) return 1 ;;
            esac
        }
        CACHE_DIR=/cache
        """
        for release, found in (
                ('6.12.117+deb13', 'trixie linux-image-6.12.117+deb13-cloud-'
                 'arm64-unsigned'),
                ('7.3.4+deb13', 'trixie-backports linux-modules-7.3.4+deb13-'
                 'cloud-arm64'),
                ('6.12.11+deb13', 'no Debian suite within reach has the '
                 'modules of kernel 6.12.11+deb13 any more')):
            self.assertEqual(
                self.shell(f'{archive} modules_package {release} arm64'),
                [found])

    def test_kernel_cached(self):
        with tempfile.TemporaryDirectory() as folder:
            for release, version, exact in (
                    ('6.12.107+deb13', '6.12.107-1', False),
                    ('6.12.117+deb13', '6.12.117-1', True),
                    ('6.12.100+deb13', None, False)):
                path = Path(folder) / f'{release}-cloud-arm64'
                path.mkdir()
                if version:
                    (path / 'package').write_text(version, encoding='utf-8')
                if exact:
                    (path / 'exact').touch()

            def cached(word):
                return self.shell(f'cached_lab_kernel {folder} {word}')[0] \
                    .rpartition('/')[2]
            # What was wanted as a version is not what a series stands for.
            self.assertEqual(cached('6.12'), '6.12.107+deb13-cloud-arm64')
            self.assertEqual(cached('6.12.117'), '6.12.117+deb13-cloud-arm64')
            self.assertEqual(cached('6.12.100'), '6.12.100+deb13-cloud-arm64')
            self.assertEqual(cached('6.12.1'), '')

    def test_own_kernel(self):
        image = b'MZ\0Linux version 6.13.1-mine (me@here) #1 SMP\0'
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'vmlinuz'
            for content in (image, gzip.compress(image)):
                path.write_bytes(content)
                kernel = kernels.one(str(path))
                self.assertEqual(kernel.name, '6.13.1-mine')
                self.assertEqual(kernel.number, (6, 13, 1))
            path.write_bytes(b'MZ no kernel')
            with self.assertRaisesRegex(LabError, 'has no "Linux version"'):
                kernels.one(str(path))
            with self.assertRaisesRegex(LabError, 'No such file'):
                kernels.one(f'{folder}/none')

    # --- differences ---

    def told(self, before, after, source=OLD, target=NEW):
        """What differs, and what of it is the kernels' own"""
        return (bare_guest.differences(before, after, source, target),
                bare_guest.asides(before, after, source, target))

    def test_smc_between_kernels(self):
        one, other = {'SMC': 'none'}, {'SMC': 'as-hvc'}
        self.assertEqual(self.told(one, other)[0], [])
        self.assertEqual(len(self.told(one, other)[1]), 1)
        self.assertEqual(self.told(one, other, NEW, NEW)[0],
                         ['SMC: none, then as-hvc'])

    def test_physical_timer(self):
        runs, stands = ({'WORK_PHYSICAL_TIMER': value} for value in '10')
        self.assertEqual(self.told(runs, stands)[0], [])
        # A newer kernel has it in its list.
        self.assertEqual(len(self.told(runs, stands, NEW, OLD)[0]), 1)
        self.assertEqual(len(self.told(runs, stands, NEW, NEW)[0]), 1)

    def test_more_mitigations(self):
        def told(level):
            return {'ARCH_FEATURES_WORKAROUND_3': level} if level else {}
        for old, new in (('', '0'), ('', '1'), ('0', '1')):
            self.assertEqual(self.told(told(old), told(new))[0], [])
            self.assertEqual(len(self.told(told(new), told(old))[0]), 1)

    def test_registers_of_the_hosts_gic(self):
        name = arm_registers.public_name('S3_0_C4_C6_0')
        self.assertEqual(name, 'ICC_PMR_EL1')
        for gic, own in (({}, 1), ({'GICR_CTLR': '0'}, 0)):
            one, other = ({name: value, **gic} for value in ('0', 'f0'))
            for target in (OLD, NEW):
                self.assertEqual(len(self.told(one, other, OLD, target)[1]),
                                 own)
            # Later kernels do not let a guest reach it.
            self.assertEqual(len(self.told(one, other, NEW, NEW)[0]), 1)

    def test_pmu_of_protected_mode(self):
        stands, counts = ({'WORK_PMU_COUNTS': value} for value in '01')
        self.assertEqual(self.told(stands, counts, NEW, NEW)[0], [])
        self.assertEqual(len(self.told(counts, stands, NEW, NEW)[0]), 1)

    def test_fields_only(self):
        def shown(value):
            return {'ID_AA64MMFR2_EL1': value}
        self.assertEqual(self.told(shown('2001011'), shown('1011'))[0], [])
        self.assertEqual(len(self.told(shown('2001011'), shown('1010'))[0]), 1)
        self.assertEqual(len(self.told(shown('2001011'), {})[0]), 1)

    def test_untrapped_registers_of_features_that_it_has(self):
        def shown(value, isar0):
            return {'S3_3_C2_C4_0': value, 'ID_AA64ISAR0_EL1': isar0}
        for before, after in (('there', 'none'), ('none', 'there')):
            self.assertEqual(self.told(shown(before, '111'),
                                       shown(after, '111'))[0], [])
        feature = '1000000000000111'
        self.assertEqual(len(self.told(shown('there', feature),
                                       shown('none', feature))[0]), 1)

    def test_number_of_counters_is_not_the_drivers(self):
        def shown(value):
            return {'PMCR_EL0': value}
        self.assertEqual(self.told(shown('413041'), shown('3041'))[0], [])
        self.assertEqual(len(self.told(shown('a041'), shown('3041'))[0]), 1)

    def test_one_text_for_a_reason(self):
        before = {'PMCR_EL0': '1', 'PMCEID0_EL0': '1', 'CTR_EL0': '1'}
        after = {name: '2' for name in before}
        self.assertEqual(self.told(before, after), ([], [
            'CTR_EL0: 1, then 2 (up to 6.3 the hardware shows through)',
            'PMCEID0_EL0: 1, then 2, PMCR_EL0: 1, then 2 (the PMU\'s driver '
            'decides)']))

    def test_every_cpu_once(self):
        before = {'X': '1', 'CPU1 X': '1', 'CPU2 X': '1'}
        after = {'X': '2', 'CPU1 X': '2', 'CPU2 X': '3'}
        self.assertEqual(self.told(before, after)[0],
                         ['X: 1, then 2', 'CPU2 X: 1, then 3'])

    def test_manual_has_kernels_own(self):
        page = ' '.join(PAGE.read_text(encoding='utf-8').split())
        for row in bare_guest.KERNELS_OWN:
            self.assertIn(row.why, page)

    # --- guests with a NIC ---

    def test_modules_in_order(self):
        with tempfile.TemporaryDirectory() as folder:
            known = {}
            for module, needs in (('kvm-amd', 'kvm'), ('kvm', 'irqbypass'),
                                  ('vhost_net', 'tun,vhost,tap'), ('tun', ''),
                                  ('vhost', 'vhost_iotlb')):
                path = Path(folder) / f'{module}.ko'
                path.write_bytes(b'ELF\0license=GPL\0depends='
                                 + needs.encode() + b'\0intree=Y\0')
                known[module.replace('-', '_')] = path
            # irqbypass, tap and vhost_iotlb are part of this kernel.
            self.assertEqual(
                [path.stem for path in
                 modules.in_order(('kvm-amd', 'vhost_net', 'tun'), known)],
                ['kvm', 'kvm-amd', 'tun', 'vhost', 'vhost_net'])
        with self.assertRaisesRegex(LabError, 'leave out the NIC'):
            modules.available(Kernel('own', Path(), '6.13.1-mine'), 'arm64')

    def test_features_by_name(self):
        digits = list('0' * 128)
        for bit in 0, 32, 40, 54, 65, 127:
            digits[bit] = '1'
        self.assertEqual(
            list(nic.feature_names('nic', ''.join(digits))),
            ['csum', 'version-1', 'ring-reset', 'guest-uso4',
             'guest-udp-tunnel-gso', 'bit 127'])

    def console(self, replies):
        class Console:
            """A VM whose guest says that"""
            said = ''

            def write(self, text):
                self.said = replies[text.split()[0]]

            def expect(self, *_):
                return f'{self.said}\n{linux_kind.TAG} done 0\n'
        return Console()

    def nic_answers(self, **replies):
        return nic.NicGuest(self.console(replies)).answers()

    def test_guest_that_is_told_of_cpus(self):
        first = f'{next(iter(told.CPUS)):#x}'
        well = {**{name: name for name in told.REPORTED},
                'implementations': f'smccc: Number is {len(told.CPUS)}',
                'errata': ''.join(f'ARM erratum {number};'
                                  for number in told.ERRATA)}

        def guest_of(midrs=f'{first} {first} ', **changes):
            report = {**well, **changes}
            return told.ToldGuest(self.console({
                'report': '\n'.join(f'{name}={value}' for name, value in
                                    report.items()), 'midrs': midrs}))
        guest = guest_of()
        guest.booted()
        answers = guest.answers()
        self.assertEqual(answers['midr_el1'], f'{first} {first}')
        self.assertEqual(guest.differences(
            answers, {**answers, 'errata': 'none'}, OLD, NEW),
                         [f'errata: {well["errata"]}, then none'])
        for wrong, what in (
                (guest_of(implementations=''), r'CPUs \[\]'),
                (guest_of(implementations='smccc: Number is 1'), "CPUs .'1'"),
                (guest_of(errata='ARM errata 832075, or 834220;'),
                 "errata {.*834220"),
                (guest_of(midrs=f'{first} 0x414fd0c1'), 'MIDR_EL1 {')):
            with self.assertRaisesRegex(LabError, f'{what}.*; needed: '):
                wrong.booted()

    def test_guest_that_hibernates(self):
        report = '\n'.join(f'{name}={name}' for name in hibernating.REPORTED)

        def recall(boot):
            return f'boot_id={boot}\nsecret=s\ngoes_on=1'
        guest = hibernating.HibernatingGuest(self.console({
            '.': '', 'resume': '', 'remember': '', 'report': report,
            'midrs': '0x414fd0c1', 'recall': recall(1)}))
        guest.booted()
        before = guest.answers()
        guest.vm = self.console({'report': report, 'midrs': '0x414fd0c1',
                                 'recall': recall(2)})
        self.assertEqual(guest.differences(before, guest.answers(), OLD, NEW),
                         ['boot_id: 1, then 2'])

    def test_disk_that_moves(self):
        host = unittest.mock.Mock()
        for image, made in ((None, True), (Path('image'), False)):
            host.reset_mock()
            vm = hibernating.DiskVm(host, 'x')
            vm.image = image
            with unittest.mock.patch.object(hibernating.Vm, 'start') as start:
                vm.start('-smp', '2')
            self.assertEqual(host.run.called, made)
            self.assertEqual(host.bring.call_args_list,
                             [] if made else [unittest.mock.call('disk-x',
                                                                 image)])
            self.assertIn('file=disk-x', ' '.join(start.call_args.args))

    def test_off_and_on_elsewhere(self):
        """A new VM has the old one's disk, if SYSTEM_OFF2 was what it is."""
        site = journey_table.LTS
        for event, status, kind in (
                (journeys.OFF, 'shutdown', None),
                (journeys.OFF, 'running', Kind.CHANGED),
                ({'guest': True, 'reason': 'guest-panic'}, 'shutdown',
                 Kind.CHANGED)):
            with self.subTest(event, status=status):
                traveller = journeys.Traveller.__new__(journeys.Traveller)
                old = unittest.mock.Mock()
                old.qmp.return_value = {'status': status}
                new = unittest.mock.Mock()
                traveller.__dict__.update(
                    moves=0, vm=old, shared=Path('shared'),
                    places=unittest.mock.Mock(), kind=unittest.mock.Mock(),
                    journey=dataclasses.replace(
                        journey_table.GENERAL[0], by=moves.HIBERNATION))
                traveller.kind.vm.return_value = new
                traveller.kind.guest.return_value.hibernate.return_value = \
                    event
                with unittest.mock.patch.multiple(
                        journeys.Traveller, options=lambda *_: ['-x'],
                        check=lambda _: None):
                    verdict = traveller.move(site)
                self.assertIs(verdict and verdict.kind, kind)
                self.assertIs(traveller.vm, old if kind else new)
                if not kind:
                    self.assertIs(new.image, old.take_disk.return_value)
                    new.start.assert_called_once_with('-x')

    def test_calls_at_random(self):
        """All of their answers are compared, from the first time on."""
        traveller = journeys.Traveller.__new__(journeys.Traveller)
        traveller.random, said = {}, [{'A': '1'}, {'A': '1'}, {'A': '2',
                                                                'B': '0'}]
        with unittest.mock.patch.object(
                journeys.Traveller, 'guest', unittest.mock.Mock(
                    hostile=lambda: said.pop(0))), \
             unittest.mock.patch.object(journeys.Traveller, 'check',
                                        return_value=None):
            self.assertIsNone(traveller.hostile())
            self.assertIsNone(traveller.hostile())
            verdict = traveller.hostile()
        self.assertIs(verdict.kind, Kind.CHANGED)
        self.assertEqual(verdict.text, 'A: 1, then 2; B: none, then 0')

    def test_report_of_calls(self):
        class Console:
            """A VM whose guest makes reports of its first CPU"""
            def write(self, text):
                self.text = {'x': 'HOSTILE_HVC_0=1,2\n', 't': 'HZ=40\n'
                             'ROUNDS=4\nPSCI_VERSION=80\n'}[text]

            def expect(self, name):
                return f'{name} {len(self.text):x}\n'

            def memory(self, _, size):
                return self.text[:size]
        guest = bare_guest.LabGuest(Console())
        self.assertEqual(guest.hostile(), {'HOSTILE_HVC_0': '1,2'})
        self.assertEqual(guest.times(), {'PSCI_VERSION': 0.5})

    def test_rows_of_served_calls(self):
        found = {name: ([one, one + 1, 9 * one], [10 * one] * 3)
                 for name, one in (('exit', 3), (served.KERNELS_OWN, 0),
                                   *((name, 7) for name in served.SERVED))}
        rows = list(served.call_rows(found))
        self.assertEqual(len(rows), 1 + 2 * len(served.SERVED))
        self.assertEqual(rows[0][2], 4)
        self.assertEqual([row[2] for row in rows[1:3]], [8, 2])
        self.assertEqual(rows[1][4], '70.0 us')

    def test_traffic(self):
        usual = {'uname': '6.12', 'echo_tcp': 'sent=1 -\ncame=1 -',
                 'virtio': 'virtio_net=1' + '0' * 63}
        good = self.nic_answers(
            traffic='goes_on=1\nreplies=9\nlost=0', **usual)
        self.assertEqual(good, {'kernel': '6.12', 'ping': 'ok', 'tcp': 'ok',
                                'nic: csum': 'on'})
        guest = nic.NicGuest(None)
        for traffic, more, change in (
                ('goes_on=1\nreplies=9\nlost=1', {}, []),
                ('goes_on=1\nreplies=9\nlost=2', {},
                 ['ping: ok, then 2 of 11 lost']),
                ('goes_on=0\nreplies=9\nlost=0', {},
                 ['ping: ok, then no reply after 9']),
                ('goes_on=1\nreplies=9\nlost=0',
                 {'echo_tcp': 'sent=1 -\ncame=2 -'},
                 ['tcp: ok, then sent 1 -, 2 - came back']),
                ('goes_on=1\nreplies=9\nlost=0',
                 {'virtio': 'virtio_net=' + '0' * 64},
                 ['nic: csum: on, then off'])):
            with self.subTest(traffic, **more):
                after = self.nic_answers(traffic=traffic, **{**usual, **more})
                self.assertEqual(guest.differences(good, after, OLD, NEW),
                                 change)

    def test_matrix_of_nics(self):
        with self.assertRaisesRegex(LabError, 'needed: "patched" or "stock"'):
            commands.check_arch(cli.parse(cli.COMMANDS, [
                'matrix', '--arch', 'amd64', '--nic', '--qemu', './qemu']))

    def test_record_of_backends(self):
        found = backends.recorded()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'backends.json'
            path.write_text(backends.as_json(found[1:]), encoding='utf-8')
            self.assertEqual(list(backends.differences(path, found)),
                             [f'it has no kernel {found[0].name}'])
            other = dataclasses.replace(found[1], facts=found[-1].facts)
            for row, status in ((found[1], 0), (other, 1)):
                args = cli.parse(cli.COMMANDS, [
                    'backends', '--kernels', 'all', '--outer', sys.executable,
                    '--check', str(path)])
                with unittest.mock.patch.object(kernels, 'have',
                                                return_value=[OLD]), \
                     unittest.mock.patch.object(backends, 'probe',
                                                return_value=row), \
                     contextlib.redirect_stdout(None):
                    self.assertEqual(commands.run_backends(args), status)
            problems = list(backends.differences(path, [other, found[2]]))
            self.assertEqual(len(problems), 1)
            self.assertTrue(problems[0].startswith(f'{other.name}: '))
            path.write_text('[{"kernel": 1}]', encoding='utf-8')
            with self.assertRaisesRegex(LabError, 'kvm-lab backends'):
                backends.recorded(path)

    # --- preflight ---

    def preflight(self, *refusals, asked=True):
        class Answering:
            """A VM whose check-guest-abi says that"""
            @staticmethod
            def qmp(command, **arguments):
                del command, arguments
                return [{'name': text, 'ok': False, 'error': text}
                        for text in refusals] or [{'name': 'x', 'ok': True}]
        return Preflight(Answering(), Guest(NEW, {}, {} if asked else None))

    def test_preflight_agrees(self):
        for verdict in (Verdict(Kind.OK), Verdict(Kind.CHANGED, 'x')):
            self.assertIs(self.preflight().judge(verdict), verdict)
        verdict = Verdict(Kind.EARLY, 'no')
        self.assertIs(self.preflight('no').judge(verdict), verdict)
        # What it cannot know
        verdict = Verdict(Kind.EARLY, 'guest-abi: not listed: CNTP_CTL_EL0; '
                          'with postcopy that is too late to go back; migrate '
                          'without')
        self.assertIs(self.preflight().judge(verdict), verdict)

    def test_preflight_disagrees(self):
        for preflight, kind in ((self.preflight(), Kind.EARLY),
                                (self.preflight(), Kind.LATE),
                                (self.preflight('no'), Kind.OK),
                                (self.preflight('no'), Kind.CHANGED)):
            self.assertIs(preflight.judge(Verdict(kind, 'text')).kind,
                          Kind.DISAGREES)

    def test_preflight_not_asked(self):
        verdict = Verdict(Kind.LATE, 'no')
        self.assertIs(self.preflight(asked=False).judge(verdict), verdict)

    # --- what must not be ---

    WARNING = ("warning: guest-abi: this host's kernel does not list registers "
               'of the incoming VM: CNTPCT_EL0, CNTP_CTL_EL0; if the guest uses '
               'one of them when it is stopped, the migration will be refused '
               'then; error while loading')

    def problem(self, kind, text='', notes='', machine='virt-hvc-9.2'):
        return Cell(machine, '6.1', '7.3', Verdict(kind, text, notes)).problem

    def test_problems(self):
        timer = 'guest-abi: CNTP_CTL_EL0 = 0x1 of the incoming VM has no place'
        start = 'machine type virt-hvc-9.2: hvc-services=linux-6.1: cannot'
        for machine in ('virt', 'virt-hvc-9.2'):
            for kind, text in ((Kind.OK, ''), (Kind.EARLY, timer),
                               (Kind.START, start)):
                self.assertEqual(self.problem(kind, text, '', machine), '')
            self.assertEqual(self.problem(Kind.LATE, timer, self.WARNING,
                                          machine), '')
            for kind in (Kind.FAILED, Kind.DISAGREES):
                self.assertTrue(self.problem(kind, 'x', '', machine))
        for kind, text, notes in (
                (Kind.CHANGED, 'x', ''), (Kind.LATE, timer, ''),
                # The warning was about other registers.
                (Kind.LATE, 'guest-abi: PIR_EL1 = 0x1', self.WARNING),
                (Kind.EARLY, 'Invalid argument', ''),
                (Kind.START, 'Invalid argument', '')):
            self.assertEqual(self.problem(kind, text, notes, 'virt'), '')
            self.assertTrue(self.problem(kind, text, notes))

    # --- matrices ---

    class Played(Matrix):
        """One without hosts, that is ended after so many loads"""
        patience = -1
        steps: list[str]

        def _save_one(self, spot, host, saved):
            del spot, host
            self.steps.append(f'save {saved.source}')
            saved.version = '10.0'
            saved.guest = Guest(OLD, {'X': '1'}, {'entries': []})

        def _load_one(self, hosts, spot, saved):
            del hosts, spot
            if len(self.steps) == self.patience:
                raise SystemExit
            self.steps.append(f'load {saved.source}')
            return Verdict(Kind.EARLY, 'guest-abi: x', 'y', 'z')

        def _hosts(self, hardware, spot):
            return contextlib.nullcontext(unittest.mock.Mock())

        def _probed(self, spot):
            self.steps.append(f'probe {spot.name}')
            return self.directory / f'{spot.name}.probe.json'

    def play(self, folder, build='one', patience=-1):
        """What was done, and the matrix; None if it was ended"""
        matrix = self.Played(ArmHardware(Path()), Path(), 'patched',
                             fleets_of([OLD, NEW]), ['virt-hvc-9.2'], jobs=1)
        matrix.patience, matrix.steps = patience, []
        with unittest.mock.patch.object(matrix_set, 'build_of',
                                        return_value=build):
            try:
                return matrix.steps, matrix_set.run(Path(folder), 'm', matrix)
            except SystemExit:
                return matrix.steps, None

    def test_matrix_goes_on(self):
        whole = ['save 6.1', 'save 7.3', *['load 6.1', 'load 7.3'] * 2]
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.play(folder, patience=3), (whole[:3], None))
            steps, matrix = self.play(folder)
            self.assertEqual(steps, whole[3:])
            kept = Path(folder) / 'm.json'
            self.assertEqual(os.listdir(folder), [kept.name])
            self.assertEqual(from_json(kept.read_text(encoding='utf-8')).cells,
                             matrix.cells)
            self.assertEqual(len(matrix.cells), 4)
            # Nothing is left to do, but for other programs.
            self.assertEqual(self.play(folder)[0], [])
            self.assertEqual(self.play(folder, 'two', 3), (whole[:3], None))
            self.assertEqual(self.play(folder, 'three', 4), (whole[:4], None))
            self.assertEqual(self.play(folder, 'three')[0], whole[4:])

    def test_failed_cells_again(self):
        failed = Verdict(Kind.FAILED, 'x')
        with tempfile.TemporaryDirectory() as folder:
            with unittest.mock.patch.object(self.Played, '_load_one',
                                            return_value=failed):
                matrix = self.play(folder)[1]
            self.assertEqual(len(matrix.problems()), 4)
            steps, matrix = self.play(folder)
            self.assertEqual(steps, ['load 6.1', 'load 7.3'] * 2)
            self.assertEqual(matrix.problems(), [])

    # --- hosts with different CPUs ---

    def fleets_in_row(self, *hosts):
        with unittest.mock.patch.object(
                kernels, 'one',
                lambda name, arch: {'6.1': OLD, 'newest': NEW}[name]):
            return commands.fleets_of_row(matrix_table.Row(
                'x', hosts, matrix_table.X86_MACHINES, arch='amd64'))

    def test_names_of_hosts(self):
        fleets = self.fleets_in_row(
            ('6.1', 'newest max,pku=off', '6.1 EPYC'),
            ('newest neoverse-n1', '6.1 cortex-a76', '6.1 neoverse-v1,sve=off'))
        self.assertEqual([[spot.name for spot in fleet] for fleet in fleets],
                         [['6.1', '7.3 pku=off', '6.1 EPYC'],
                          ['7.3 n1', '6.1 a76', '6.1 v1,sve=off']])
        self.assertEqual(fleets[0][1], Spot(NEW, 'max,pku=off'))
        for row in matrix_table.ROWS:
            names = [Spot(Kernel(series, Path(), ''), cpu).name
                     for fleet in row.fleets for name in fleet
                     for series, _, cpu in [name.partition(' ')]]
            self.assertEqual(len(set(names)), len(names), row.name)

    def test_hosts_with_other_cpus(self):
        found, = self.fleets_in_row(('6.1', 'newest max,pku=off', '6.1 EPYC'))
        matrix = Matrix(x86.X86Hardware(Path(), 'max'), Path(), 'patched',
                        [found], ['q35'])
        matrix.cells = [Cell('q35', source.name, target.name,
                             Verdict(Kind.OK))
                        for source in found for target in found]
        again = from_json(matrix.as_json())
        self.assertEqual([spot.name for spot in again.spots],
                         [spot.name for spot in found])
        text = render.as_text(again)
        self.assertEqual(text, render.as_text(matrix))
        for words in ('hosts with CPU max, max,pku=off, EPYC (QEMU',
                      '7.3 pku=off  ok           ok           ok\n',
                      f'kernels: {OLD.release}, {NEW.release}\n',
                      'pku=off: CPU max,pku=off\n'):
            self.assertIn(words, text)
        self.assertIn('>7.3 pku=off</text>', render.as_svg(again))
        # What older programs wrote
        values = json.loads(matrix.as_json())
        del values['fleets'], values['profiles']
        values['kernels'] = {spot.name: spot.kernel.release for spot in found}
        values['cpus'] = {spot.name: spot.cpu for spot in found if spot.cpu}
        self.assertEqual(render.as_text(from_json(json.dumps(values))), text)
        values['cells'].pop()
        with self.assertRaisesRegex(LabError, 'not a matrix'):
            from_json(json.dumps(values))

    def test_build_has_hosts(self):
        """Results are of other programs if a CPU or, with its profile, a fleet
        is another one."""
        with tempfile.NamedTemporaryFile() as qemu, \
                unittest.mock.patch.object(kept, 'build_of',
                                           lambda *what: what):
            path = Path(qemu.name)
            one, other = (matrix_set.build_of(Matrix(
                ArmHardware(path), path, 'patched', fleets, ['virt']))
                for fleets in (fleets_of([OLD]), fleets_of([OLD], [['max']])))
            self.assertNotEqual(one, other)
            self.assertNotIn(Path(spots.__file__), one[0])
            self.assertIn(Path(spots.__file__), matrix_set.build_of(Matrix(
                ArmHardware(path), path, 'patched', fleets_of([OLD]),
                ['q35,guest-abi-profile=fleet.json']))[0])

    FLEETS = (('neoverse-n1', 'cortex-a76'), ('neoverse-v1',))
    OF_FLEET = 'virt-hvc-10.0,guest-abi-profile=fleet.json'

    def of_fleets(self, machines, refused=()):
        """A matrix of these, with what was done; refused: kernels whose hosts
        are in the way of a profile"""
        matrix = self.Played(ArmHardware(Path()), Path(), 'patched',
                             fleets_of([OLD, NEW], self.FLEETS),
                             machines, jobs=1)
        matrix.steps = []

        def profile_of(paths):
            bad = [path for path in paths
                   if path.name.partition(' ')[0] in refused]
            if bad:
                raise ProfileRefused(f'{bad[0]}: no\n{bad[-1]}: nor here')
            return Profile({'return': {'entries': [path.name
                                                   for path in paths]}},
                           [], [])

        with unittest.mock.patch.multiple(spots, Fleet=list,
                                          profile_of=profile_of), \
                unittest.mock.patch('qemu_hvc.lab.matrix.say'):
            matrix.run()
        return matrix

    def test_hosts_are_probed_first(self):
        matrix = self.of_fleets(['virt', self.OF_FLEET])
        names = [spot.name for spot in matrix.spots]
        self.assertEqual(names, ['6.1 n1', '7.3 n1', '6.1 a76', '7.3 a76',
                                 '6.1 v1', '7.3 v1'])
        self.assertEqual(matrix.steps[:8], [
            *(f'probe {name}' for name in names), *['save 6.1 n1'] * 2])
        self.assertNotIn('probe 6.1 n1', self.of_fleets(['virt']).steps)

    def test_profile_of_each_fleet(self):
        """A host gets that of its own; machines without its name get none."""
        matrix = self.of_fleets(['virt', self.OF_FLEET])
        names = [spot.name for spot in matrix.spots]
        for spot in matrix.spots:
            host = unittest.mock.Mock()
            options = matrix._options(spot, host, self.OF_FLEET)
            self.assertIn(f'{self.OF_FLEET},gic-version=3', options)
            fleet = names[:4] if spot.cpu in self.FLEETS[0] else names[4:]
            host.bring_text.assert_called_once_with('fleet.json', json.dumps(
                {'return': {'entries': [f'{name}.probe.json'
                                        for name in fleet]}}))
            host = unittest.mock.Mock()
            matrix._options(spot, host, 'virt')
            host.bring_text.assert_not_called()

    def test_fleet_without_its_oldest(self):
        matrix = self.of_fleets([self.OF_FLEET], ['6.1'])
        first = matrix.profiles[0]
        self.assertEqual(first.hosts, ('7.3 n1', '7.3 a76'))
        self.assertEqual(first.refused, ('6.1 n1: no\n6.1 a76: nor here',))
        text = render.as_text(from_json(matrix.as_json()))
        for words in ('no profile: 6.1 n1: no\nno profile: 6.1 a76: nor here\n'
                      'a profile of 7.3 n1, 7.3 a76\n',
                      'hosts with CPU neoverse-n1, cortex-a76, neoverse-v1 (',
                      'v1: CPU neoverse-v1\n', '  30 pairs: 30 refused'):
            self.assertIn(words, text)
        with self.assertRaisesRegex(LabError, 'no profile of 6.1 n1, 7.3 n1, '
                                    '.*(\n.*)*7.3 n1: no'):
            self.of_fleets([self.OF_FLEET], ['6.1', '7.3'])

    def test_profile_of_probed_hosts(self):
        """Of what guest-abi-probe printed: the oldest kernel is in the way only
        where CPUs differ."""
        def probed(*names):
            return {Spot(Kernel(series, Path(), series), cpu):
                    DATA / f'fleet/linux-{name}.json'
                    for name in names for series, _, cpu in
                    [name.partition('-')]}
        found = spots.common_profile(probed('6.1', '6.12', '7.3'))
        self.assertEqual((found.hosts, found.refused),
                         (('6.1', '6.12', '7.3'), ()))
        self.assertIn(('arm.midr-el1', 0x414fd0c1),
                      [(entry['name'], entry['value'])
                       for entry in found.contract['return']['entries']])
        found = spots.common_profile(probed('6.12', '6.12-cortex-a76', '7.3'))
        self.assertEqual(found.hosts, ('7.3',))
        self.assertRegex(found.refused[0],
                         '^arm.midr-el1 .*0x414fd0b1 in 6.12 a76; ')
        with self.assertRaisesRegex(LabError, '^no profile of 6.12, 6.12 a76; '
                                    'needed: .*(\n.*)*arm.midr-el1'):
            spots.common_profile(probed('6.12', '6.12-cortex-a76'))

    def test_problems_of_fleets(self):
        fleet_machine = matrix_table.X86_MACHINES[-1]
        matrix = Matrix(ArmHardware(Path()), Path(), 'patched', (), [], profiles=[
            FleetProfile(('a', 'b'), (), {}), FleetProfile(('c',), (), {})])
        problem = 'with a profile of both hosts, and it does not go'
        for machine, kind, text, target, problem in (
                ('q35', Kind.CHANGED, 'x', 'b', ''),
                ('q35,guest-abi=on', Kind.CHANGED, 'x', 'b', 'a silent change'),
                ('q35,guest-abi=on', Kind.EARLY, 'guest-abi: x', 'b', ''),
                ('q35,guest-abi=on', Kind.EARLY, 'x', 'b', 'refused without a '
                 'name'),
                (fleet_machine, Kind.EARLY, 'guest-abi: x', 'b', problem),
                (fleet_machine, Kind.OK, '', 'b', ''),
                (fleet_machine, Kind.EARLY, 'guest-abi: x', 'c', ''),
                (fleet_machine, Kind.CHANGED, 'x', 'c', 'a silent change')):
            with self.subTest(machine, kind=kind, text=text, target=target):
                self.assertEqual(matrix.problem(Cell(
                    machine, 'a', target, Verdict(kind, text))), problem)

    def test_problems_with_a_nic(self):
        text = '; '.join(f'after a reboot: nic: {name}: off, then on'
                         for name in ('host-uso', 'ring-reset'))
        matrix = Matrix(ArmHardware(Path()), Path(), 'patched', (), [],
                        kind=nic.kind(nic.PLACES['amd64'], Path()))
        for machine, text, problem in (
                ('q35', text, ''),
                ('q35,guest-abi=on', text, ''),
                ('q35,guest-abi=on', f'{text}; after a reboot: x',
                 'a silent change'),
                ('q35,guest-abi=on', text.replace('after a reboot: ', ''),
                 'a silent change'),
                ('q35,guest-abi=on,kernel-floor=linux-6.1', text,
                 'a silent change'),
                ('q35,kernel-floor=linux-6.1', text, 'a silent change')):
            with self.subTest(machine, text=text):
                self.assertEqual(matrix.problem(Cell(
                    machine, 'a', 'b', Verdict(Kind.CHANGED, text))), problem)

    def test_mixed_options(self):
        def cpus(*words):
            args = cli.parse(cli.COMMANDS, ['matrix', *words])
            return commands.cpus_of_fleets(args, [args.machine or ''])
        self.assertEqual(fleets_of([OLD], cpus()), fleets_of([OLD]))
        self.assertEqual(fleets_of([OLD], cpus('--mixed', 'a:b,c=off/d')),
                         [[Spot(OLD, 'a'), Spot(OLD, 'b,c=off')],
                          [Spot(OLD, 'd')]])
        for bad in ('a:', 'a/a', '/'):
            with self.assertRaisesRegex(LabError, 'each once'):
                cpus('--mixed', bad)
        with self.assertRaisesRegex(LabError, 'without them'):
            cpus('--mixed', 'a:b', '--profile', '6.1')
        for other in (['--to-cpu', 'a'], ['--to-append', '']):
            with self.assertRaisesRegex(LabError, 'other hosts load'):
                cpus('--machine', self.OF_FLEET, *other)
            cpus('--machine', 'virt', *other)

    def test_cpu_of_guests(self):
        """The same for VMs and for the probe"""
        matrix = Matrix(ArmHardware(Path()), Path(), 'patched', fleets_of([OLD]),
                        ['virt'], guest_cpu='host,pauth=off')
        matrix.cells = [Cell('virt', '6.1', '6.1', Verdict(Kind.OK))]
        again = from_json(matrix.as_json())
        self.assertIn(', VMs with -cpu host,pauth=off\n',
                      render.as_text(again))
        self.assertEqual(
            again._options(again.spots[0], unittest.mock.Mock(), 'virt')[-2:],
            ['-cpu', 'host,pauth=off'])
        with tempfile.TemporaryDirectory() as folder, \
                unittest.mock.patch.object(Matrix, '_hosts', lambda *_:
                                           contextlib.nullcontext(
                                               unittest.mock.Mock())), \
                unittest.mock.patch('qemu_hvc.lab.fleet.probe_host',
                                    return_value={'x': 1}) as probe:
            matrix.directory = Path(folder)
            matrix._probed(matrix.spots[0])
            self.assertEqual(probe.call_args.kwargs, {'cpu': 'host,pauth=off'})
            # What was asked once is not asked again.
            matrix._probed(matrix.spots[0])
            probe.assert_called_once()

    def test_several_qemus(self):
        """Each kernel with each; one has the profile, and files have names."""
        def named_qemu(name, build):
            return build / name
        with unittest.mock.patch('qemu_hvc.lab.qemu_build.named_qemu',
                                 named_qemu):
            self.assertEqual(commands.several_qemus('10.2', Path('b')), {})
            qemus = commands.several_qemus('10.2,/x/qemu', Path('b'))
            with self.assertRaisesRegex(LabError, 'there twice'):
                commands.several_qemus('10.2,/x/10.2', Path('b'))
        self.assertEqual(qemus, {'10.2': Path('b/10.2'),
                                 'qemu': Path('/x/qemu')})
        matrix = self.Played(ArmHardware(Path()), Path('none'), '10.2,qemu',
                             fleets_of([OLD, NEW], qemus=qemus),
                             ['virt-hvc-9.2'], OLD, 1, qemus=qemus)
        names = ['6.1 QEMU 10.2', '6.1 QEMU qemu', '7.3 QEMU 10.2',
                 '7.3 QEMU qemu']
        self.assertEqual([spot.name for spot in matrix.spots], names)
        self.assertEqual([matrix._has_profile(spot) for spot in matrix.spots],
                         [True, False, False, False])
        for spot in matrix.spots:
            hardware = unittest.mock.Mock()
            Matrix._hosts(matrix, hardware, spot).make()
            kernel, files = hardware.host.call_args.args
            self.assertEqual(kernel, spot.kernel)
            self.assertEqual(files['qemu'], qemus[spot.qemu])
        matrix.steps = []
        with unittest.mock.patch('qemu_hvc.lab.matrix.say'):
            matrix.run()
        self.assertEqual(matrix.steps[:4], [f'save {name}' for name in names])
        again = from_json(matrix.as_json())
        self.assertEqual(render.as_text(again), render.as_text(matrix))
        self.assertIn('7.3 QEMU 10.2 to 6.1 QEMU qemu: ',
                      render.as_svg(again))

    def test_ctr_of_hosts(self):
        """A kernel that traps it may not show another one."""
        told, shown = {'CTR_EL0': 'b444c004'}, {'CTR_EL0': '4b444c004'}
        self.assertEqual(len(self.told(told, shown, NEW, NEW)[0]), 1)
        for source, target in ((OLD, NEW), (NEW, OLD), (OLD, OLD)):
            self.assertEqual(self.told(told, shown, source, target)[0], [])

    def test_what_cpuid_guests_say(self):
        told = {cpuid_guest.GUEST: cpuid_guest.RUNS, 'CPUID 1-ecx': '0x3',
                'CPUID 80000002-eax': '0x1'}
        guest = cpuid_guest.CpuidGuest(unittest.mock.Mock())
        for after, change, aside in (
                ({}, [], []),
                ({'CPUID 1-ecx': '0x1'}, ['CPUID 1-ecx: 0x3, then 0x1'], []),
                ({'CPUID 7.0-ebx': '0x1'}, ['CPUID 7.0-ebx: none, then 0x1'],
                 []),
                ({'CPUID 80000002-eax': '0x2'}, [],
                 ['CPUID 80000002-eax: 0x1, then 0x2']),
                ({cpuid_guest.GUEST: 'ended at aes'},
                 ['the guest: runs, then ended at aes'], [])):
            with self.subTest(after):
                moved = told, {**told, **after}, OLD, NEW
                self.assertEqual(guest.differences(*moved), change)
                self.assertEqual(guest.asides(*moved), aside)

    def test_cpuid_guest_that_ended(self):
        vm = unittest.mock.Mock()
        vm.watch.side_effect = RuntimeError
        vm.results.return_value = {'using': 1 + FEATURES.index('aes')}
        self.assertEqual(cpuid_guest.CpuidGuest(vm).answers(),
                         {cpuid_guest.GUEST: 'ended at aes'})
        with self.assertRaisesRegex(LabError, 'ended at aes; needed: one that '
                                    'runs'):
            cpuid_guest.CpuidGuest(vm).booted()

    def test_manual_has_matrices(self):
        text = page.PAGE.read_text(encoding='utf-8')
        rows = matrix_table.ROWS
        self.assertEqual(len({row.name for row in rows}), len(rows))
        for what in (page.JOURNEYS,
                     *(page.matrix(row.name) for row in rows)):
            self.assertEqual(len(page.block(what).findall(text)), 1, what)
        # A matrix that was not made as a whole yet has a block and no picture.
        self.assertLessEqual(
            set(re.findall(r'\]\((rollback-.*svg)\)', text)),
            {page.picture(row.name).name for row in rows if row.picture})

    def test_results_in_manual(self):
        with tempfile.TemporaryDirectory() as folder, \
                unittest.mock.patch.object(page, 'PAGE',
                                           Path(folder) / 'page.md'):
            page.PAGE.write_text('a\n<!-- x -->\n\n```text\nold\n```\nb\n',
                                 encoding='utf-8')
            page.put({'x': r'new  \n' + '\n  long' + ' long' * 1000})
            text = page.PAGE.read_text(encoding='utf-8')
            self.assertRegex(text, r'^a\n<!-- x -->\n\n```text\nnew  \\n\n'
                             r'  long( long)+\n(     long( long)+\n){6}'
                             r'     long( long)+ \.\.\.\n```\nb\n$')
            with self.assertRaisesRegex(LabError, 'has 0 blocks'):
                page.put({'y': 'new'})

    # --- journeys ---

    def test_machines(self):
        self.assertEqual(
            machine_list('virt,virt-hvc-9.2,gic-version=2,kernel-irqchip=off'),
            ['virt', 'virt-hvc-9.2,gic-version=2,kernel-irqchip=off'])

    def test_table(self):
        names = [journey.name for journey in journey_table.JOURNEYS]
        self.assertEqual(len(names), len(set(names)))
        for journey in journey_table.JOURNEYS:
            with self.subTest(journey.name):
                words = journey.path.split()
                self.assertEqual({word for word in words if word not in
                                  journeys.EVENTS} - set('ABC'), set())
                self.assertEqual(words[0] in 'ABC', True)
                self.assertIn(journey.by, (*moves.WAYS, moves.HIBERNATION))
                self.assertEqual({site.hibernates for site in journey.sites},
                                 {journey.by == moves.HIBERNATION})
                self.assertTrue(journey.stops())
                self.assertIn(journey.cpus, (1, 2, 4, 8))

    def test_journeys_kept(self):
        places = unittest.mock.Mock()
        places.find.return_value = NEW
        table = journey_table.GENERAL[:3]
        made = []

        def run(open_places, chosen, jobs, done):
            del open_places, jobs
            for journey in chosen:
                made.append(journey.name)
                done(journeys.Result(journey, Verdict(
                    Kind.LATE if journey is table[1] else Kind.OK)))

        def go(qemu):
            made.clear()
            programs.write_text(qemu, encoding='utf-8')
            results = []
            journey_set.Kept(Path(folder) / 'kept', ArmHardware(programs),
                             programs).run(
                lambda: contextlib.nullcontext(places), table, 1,
                results.append)
            return [result.journey.name for result in results]
        names = [journey.name for journey in table]
        with tempfile.TemporaryDirectory() as folder, \
                unittest.mock.patch.object(journeys, 'run', run), \
                unittest.mock.patch.multiple(
                    kept.programs, guest=lambda: Path('guest'),
                    initramfs=lambda: Path('initramfs')):
            programs = Path(folder) / 'qemu'
            self.assertEqual((go('one'), made), (names, names))
            # Only the one that did not go as expected
            self.assertEqual((sorted(go('one')), made),
                             (sorted(names), [names[1]]))
            self.assertEqual((go('two'), made), (names, names))

    def test_expectation(self):
        plain = journey_table.GENERAL[0]
        refused = journey_table.REFUSED[0]
        early = Verdict(Kind.EARLY, 'guest-abi: incoming VM has CLIDR_EL1 = '
                        '0x1')

        def problem(journey, verdict):
            return journeys.Result(journey, verdict).problem
        self.assertEqual(problem(plain, Verdict(Kind.OK)), '')
        self.assertEqual(problem(refused, early), '')
        self.assertTrue(problem(plain, early))
        self.assertTrue(problem(refused, Verdict(Kind.OK)))
        self.assertTrue(problem(refused, Verdict(Kind.LATE, early.text)))
        self.assertTrue(problem(refused, Verdict(Kind.EARLY, 'other')))
        start = next(journey for journey in journey_table.JOURNEYS
                     if journey.when is Kind.START)
        self.assertEqual(problem(start, Verdict(Kind.START, 'S1PIE 1 -> 0')),
                         '')
        self.assertTrue(problem(start, Verdict(Kind.EARLY, 'S1PIE 1 -> 0')))


def until(condition):
    """Whether it is true within PATIENCE_S"""
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


class Ending(unittest.TestCase):
    """A kvm-lab that is ended while it waits for hosts"""

    def end_by(self, number):
        """Ends it by that signal; its exit status, and what is left of it in
        the folder for temporary files"""
        with tempfile.TemporaryDirectory() as folder:
            qemu = Path(folder) / 'qemu'
            qemu.write_text(SILENT_QEMU, encoding='utf-8')
            qemu.chmod(0o755)
            started = Path(f'{qemu}.started')
            temporary = Path(folder) / 'tmp'
            temporary.mkdir()
            with subprocess.Popen(
                    [sys.executable, '-c', WAITING, str(qemu)],
                    env={**os.environ, 'TMPDIR': str(temporary)}) as process:
                self.assertTrue(until(
                    lambda: started.exists() and
                    started.read_text(encoding='utf-8').count('\n') == 2))
                process.send_signal(number)
                try:
                    status = process.wait(PATIENCE_S)
                finally:
                    process.kill()
            pids = started.read_text(encoding='utf-8').split()
            self.assertTrue(until(lambda: not any(
                Path(f'/proc/{pid}').exists() for pid in pids)))
            return status, list(temporary.iterdir())

    def test_ended_by_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number.name):
                self.assertEqual(self.end_by(number), (128 + number, []))

    def test_killed(self):
        self.assertEqual(self.end_by(signal.SIGKILL)[0], -signal.SIGKILL)


def main():
    tap.arguments(__doc__)
    tap.run(LabRules, Ending)
