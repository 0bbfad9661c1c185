# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Runs the manual's libvirt domains on two libvirtds of Debian; prints TAP.

The domains are docs/system/arm/libvirt/*.xml, as they are, but the two with a
profile: there is no KVM here, so that one gets TCG, and runs without the
profile, and of the other libvirt says what it would give QEMU. Both libvirtds run on this machine as on hosts of their own (see
libvirt_host.sh --help), with images that they share. The guest prints what
services it is offered, again and again, so that its console shows whether it
goes on where it was.
"""

import argparse
import contextlib
from functools import partial
import json
import os
from pathlib import Path
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

from qemu_hvc import tap
from qemu_hvc.bare import build_guest
from qemu_hvc.manual import Hosts, commands
from qemu_hvc.paths import FetchError, ROOT, SCRIPTS, TESTS, fetch

DOMAINS = ROOT / 'docs/system/arm/libvirt'
MANUAL = ROOT / 'docs/system/arm/hvc-libvirt.rst'
GUIDE = ROOT / 'docs/system/arm/hvc-migration.rst'
IMAGES = '/var/lib/libvirt/images'
# The hosts have no network, and images in common.
MIGRATION = f'unix://{IMAGES}/migration'
TYPES = ('virt-hvc-9.0', 'virt-hvc-9.2', 'virt-hvc-10.0')
PATIENCE_S = 60
# The exit status of libvirt_host.sh without namespaces
CANNOT_RUN_HERE = 77
# How many lines more of the guest show that it runs on.
LINES = 3
# What libvirt adds for a QEMU that was built with libseccomp
SANDBOX = ('-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,'
           'resourcecontrol=deny')
# In /proc/PID/status, SECCOMP_MODE_FILTER
SECCOMP = re.compile(r'^Seccomp:\t2$', re.M)
VCPUS = 2


class Example:
    """A domain of the manual, and the contract that its guest has to have."""

    def __init__(self, name, machine, ptp, file=None, floor=None, cpus=()):
        self.name = name
        self.path = DOMAINS / f'{file or name}.xml'
        self.contract = {
            'machine': machine, 'migrated': True,
            'arm.std-bmap': (1, ['trng']),
            'arm.std-hyp-bmap': (1, ['pv-time']),
            'arm.vendor-hyp-bmap':
                (3, ['vendor-features', 'ptp']) if ptp
                else (1, ['vendor-features']),
            'arm.vendor-hyp-bmap-2': (0, []),
            'arm.psci-version': (0x10001, ['1.1']),
            # <vcpu> of the domains
            'machine.vcpus': (2, []),
        }
        if floor:
            # Of a VM whose NIC, if any, has no backend in the kernel
            major, minor = map(int, floor.split('.'))
            self.contract['machine.kernel-floor'] = (
                major << 16 | minor,
                [f'linux-{floor}', 'no device follows the kernel'])
        if cpus:
            self.contract['arm.vendor-hyp-bmap-2'] = (
                3, ['implementation-cpus'])
            self.contract['arm.implementation-cpus'] = (len(cpus), [])
        for number, (midr, name) in enumerate(cpus):
            entry = f'arm.implementation-cpu-{number}'
            self.contract.update({
                f'{entry}.midr': (midr, [f'{name}, {midr:#x}/0x0/0x0']),
                f'{entry}.revidr': (0, []), f'{entry}.aidr': (0, [])})
        # PSCI_VERSION, TRNG_VERSION, PV_TIME_FEATURES, vendor features
        self.line = f'00010001 00010000 00000000 0000000{3 if ptp else 1}'


BY_TYPE = Example('virt-hvc', 'virt-hvc-10.0', True, floor='6.12')
BY_OPTION = Example('hvc-services', 'virt-10.0', False)
BY_FLOOR = Example('kernel-floor', 'virt-10.0', True, floor='6.1')
BY_LIST = Example('implementation-cpus', 'virt-hvc-10.0', True, floor='6.12',
                  cpus=((0x410fd083, 'Cortex-A72'), (0x414fd0c1, 'Neoverse-N1')))
EXAMPLES = (BY_TYPE, BY_OPTION, BY_FLOOR, BY_LIST)
# The domain of the migration guide
BY_PROFILE = Example('vm', 'virt-hvc-9.2', True, 'guest-abi-profile', '6.1')
WITHOUT_KVM = (
    ("<domain type='kvm'", "<domain type='qemu'"),
    ("<cpu mode='host-passthrough'/>", "<cpu mode='custom' match='exact'>"
     "<model fallback='forbid'>cortex-a72</model></cpu>"))
# The domain of a fleet of different CPUs, and what its <cpu> says
MIXED_FLEET = DOMAINS / 'mixed-fleet.xml'
MIXED_CPU = 'host,pauth=off,sve256=off,sve=on'
MIXED_OPTIONS = ('hvc-services=linux-6.12:+implementation-cpus',
                 'guest-abi-profile=/etc/qemu/mixed.json')
# What an emulator without KVM lacks for it
NO_KVM = "does not support virt type 'kvm'"
MIXED_WITHOUT_KVM = (
    WITHOUT_KVM[0],
    ("<cpu mode='host-passthrough'>", "<cpu mode='custom' match='exact'>"
     "<model fallback='forbid'>max</model>"))
PROFILE = re.compile(r'(?s)  <qemu:commandline>.*</qemu:commandline>\n')
# What BY_OPTION says, and two destinations that would not keep it.
SERVICES = 'hvc-services=linux-6.12:-ptp'
WITHOUT_TRNG = 'hvc-services=linux-6.12:-ptp:-trng'
OTHER_CPU = ('guest-abi: CPU 1 that the incoming VM was told of has MIDR_EL1 = '
             '0x414fd0c1, here it has 0x413fd0b1; start this QEMU with the '
             "source's implementation-cpus")
TOLD = 'the destination refused this VM: '
HINT = 'migration failed; if the destination refused this VM, '
REFUSAL = ("guest-abi: incoming VM uses hvc service 'trng' (std bit 0), not "
           f"enabled here ({WITHOUT_TRNG}); start this QEMU with the source's "
           "-machine options")


def expect(condition, complaint):
    if not condition:
        raise AssertionError(complaint)


def expect_in(text, found):
    expect(text in found, f'expected: {text}\nfound: {found}')


def expect_shown(text):
    """The manual has this message, in lines of its own making."""
    manual = ' '.join(MANUAL.read_text(encoding='utf-8').split())
    expect(' '.join(text.split()) in manual, f'{MANUAL} does not show: {text}')


def wait_for(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        expect(time.monotonic() < deadline, f'{what}: not in {PATIENCE_S} s')
        time.sleep(0.05)


def tcg_instead(path, changes):
    """A domain with KVM, changed to one that can be here"""
    text = path.read_text(encoding='utf-8')
    for kvm, tcg in changes:
        expect(text.count(kvm) == 1, f'{path} has no {kvm}')
        text = text.replace(kvm, tcg)
    return text


class Host:
    """A libvirtd, and a virsh that talks to it."""

    def __init__(self, folder, libvirt, qemu):
        self.folder = folder
        self.virsh_program = libvirt / 'virsh'
        self.socket = folder / 'run/libvirt/libvirt-sock'
        self.uri = f'qemu:///session?socket={self.socket}'
        images = folder.parent / 'images'
        for path in (folder, images):
            path.mkdir(exist_ok=True)
        self.output = folder / 'output'
        with self.output.open('w', encoding='utf-8') as output:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen(
                [TESTS / 'libvirt_host.sh', libvirt, folder, images, qemu],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        # The namespaces end with it, and all that is in them.
        self.process.kill()
        self.process.wait()

    def wait(self):
        """Raises tap.Skip if this machine does not let it run."""
        wait_for('libvirtd', lambda: self.socket.exists() or
                 self.process.poll() is not None)
        if self.process.poll() is not None:
            output = self.output.read_text(encoding='utf-8').strip()
            if self.process.poll() == CANNOT_RUN_HERE:
                raise tap.Skip(output)
            raise AssertionError(f'no libvirtd: {output}')

    def run(self, *arguments):
        return subprocess.run(
            [self.virsh_program, '-q', '-c', self.uri, *arguments],
            capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    def virsh(self, *arguments):
        result = self.run(*arguments)
        expect(result.returncode == 0,
               f'virsh {" ".join(map(str, arguments))}: {result.stderr}')
        return result.stdout

    def refuses(self, *arguments):
        """What virsh says on standard error when it fails"""
        result = self.run(*arguments)
        expect(result.returncode != 0,
               f'virsh {" ".join(map(str, arguments))}: not refused')
        return result.stderr

    def log(self, name):
        path = self.folder / 'log' / name
        return path.read_text(encoding='utf-8') if path.exists() else ''

    def console(self, example):
        return self.log(f'qemu/{example.name}-console.log')

    def contract(self, name):
        """query-guest-abi's answer, entries by name"""
        reply = json.loads(self.virsh('qemu-monitor-command', name,
                                      '{"execute": "query-guest-abi"}'))
        contract = reply['return']
        return {'machine': contract['machine'],
                'migrated': contract['migrated'],
                **{entry['name']: (entry['value'], entry.get('names', []))
                   for entry in contract['entries']}}

    def start(self, example):
        self.virsh('define', example.path)
        self.virsh('start', example.name)
        expect_in(SANDBOX, self.log(f'qemu/{example.name}.log'))

    def qemu(self, example):
        """The folder in /proc of a domain's QEMU"""
        children = {}
        for stat in Path('/proc').glob('[0-9]*/stat'):
            with contextlib.suppress(OSError):  # It has ended.
                parent = stat.read_text().rpartition(')')[2].split()[1]
                children.setdefault(int(parent), []).append(stat.parent)
        processes = [self.process.pid]
        while processes:
            for folder in children.get(processes.pop(), ()):
                processes.append(int(folder.name))
                with contextlib.suppress(OSError):
                    words = (folder / 'cmdline').read_text().split('\0')
                    if any(word.startswith(f'guest={example.name},')
                           for word in words):
                        return folder
        raise AssertionError(f'no QEMU of {example.name} among the processes '
                             f'of {self.folder}')

    def clear(self):
        """Neither domains nor their logs stay."""
        for name in self.virsh('list', '--all', '--name').split():
            self.run('destroy', name)
            self.run('undefine', name, '--managed-save',
                     '--snapshots-metadata')
        for path in (self.folder / 'log/qemu').glob('*.log'):
            path.unlink()


def numbers(example, console):
    """The numbers of the complete lines on the guest's console. Every line has
    to be as expected."""
    found = []
    for line in console.split('\n')[:-1]:
        match = re.fullmatch(f' ([0-9a-f]{{8}}) {example.line}', line)
        expect(match, f'the guest printed: {line}')
        found.append(int(match.group(1), 16))
    return found


def runs(example, console):
    """Waits for more lines; console() has all of them. Returns the numbers."""
    before = len(numbers(example, console()))
    wait_for(f'{example.name} printing', lambda: len(
        numbers(example, console())) >= before + LINES)
    return numbers(example, console())


def runs_on(example, console):
    """The guest runs, and never lost or repeated anything."""
    found = runs(example, console)
    expect(found == list(range(1, len(found) + 1)),
           f'the guest did not go on where it was: {found}')


class Tests:
    """The test points"""

    def __init__(self, folder, build, qemu, source, destination):
        self.folder = folder
        self.qemu_img = build / 'qemu/qemu-img'
        self.qemu = qemu
        self.source = source
        self.destination = destination
        # Entries of the CPU, by domain
        self.cpus = {}

    def points(self):
        yield 'examples', self.examples
        yield 'machine types in capabilities', self.capabilities
        for example in EXAMPLES:
            for name, test in (('contract', self.contract),
                               ('sandbox', self.sandbox),
                               ('save and restore', self.save),
                               ('managedsave and start', self.managed_save),
                               ('snapshot', self.snapshot),
                               ('migrate there and back', self.migrate)):
                yield f'{example.name}: {name}', partial(test, example)
        yield 'guest-abi-diff reads what virsh prints', self.diff
        yield 'refused migration: a service is missing', self.refused_service
        yield 'refused migration: another list of CPUs', self.refused_list
        yield 'refused migration: no contract', self.refused_none
        yield 'refused migration: other machine type', self.refused_type
        yield 'refused restore, and the file is still good', \
            self.refused_restore
        yield 'a profile reaches QEMU', self.profile_reaches_qemu
        yield 'the migration guide, with libvirt', self.guide
        yield 'options of a fleet of different CPUs, without KVM', \
            self.mixed_options
        yield 'options of a fleet of different CPUs', self.mixed_options_kvm
        yield "Debian 12's libvirt cannot start QEMU 10", self.old_libvirt

    def wrapped(self):
        """The points, each on hosts without domains and with new disks"""
        return [(name, partial(self.alone, test))
                for name, test in self.points()]

    def alone(self, test):
        for host in (self.source, self.destination):
            host.clear()
        for example in (*EXAMPLES, BY_PROFILE):
            subprocess.run([self.qemu_img, 'create', '-q', '-f', 'qcow2',
                            self.folder / f'images/{example.name}.qcow2',
                            '1M'], check=True)
        test()

    def examples(self):
        # The manual has none that is not tested.
        tested = {example.path for example in (*EXAMPLES, BY_PROFILE)}
        tested.add(MIXED_FLEET)
        expect(set(DOMAINS.iterdir()) == tested,
               f'{DOMAINS} has other files than {tested}')
        for example in EXAMPLES:
            self.source.virsh('define', '--validate', example.path)
            found = ET.fromstring(self.source.virsh('dumpxml', example.name))
            machine = found.find('os/type').get('machine')
            expect(machine == example.contract['machine'],
                   f'{example.name} is a {machine}')

    def capabilities(self):
        found = ET.fromstring(self.source.virsh('capabilities')).findall(
            "guest/arch[@name='aarch64']/machine")
        names = {machine.text: machine.get('canonical') for machine in found}
        for name in TYPES:
            expect(name in names, f'capabilities: no {name} in {names}')
        expect(names.get('virt-hvc') == TYPES[-1],
               f'capabilities: virt-hvc is {names.get("virt-hvc")}')
        for name in (*TYPES, 'virt-hvc'):
            text = self.source.virsh('domcapabilities', '--virttype', 'qemu',
                                     '--arch', 'aarch64', '--machine', name)
            machine = ET.fromstring(text).findtext('machine')
            expect(machine == (names[name] or name),
                   f'domcapabilities --machine {name}: {machine}')

    def runs_on(self, example):
        runs_on(example, partial(self.source.console, example))

    def starts(self, example):
        """Starts it on the source; it runs, with its contract."""
        self.source.start(example)
        self.runs_on(example)

    def keeps(self, example, host):
        found = host.contract(example.name)
        # What the CPU is does not matter here, but that it stays the same.
        cpu = {name: value for name, value in found.items()
               if name.startswith('arm.') and name not in example.contract}
        expect('arm.midr-el1' in cpu and
               cpu == self.cpus.setdefault(example.name, cpu), f'CPU: {cpu}')
        found = {name: value for name, value in found.items()
                 if name not in cpu}
        expect(found == example.contract, f'contract: {found}')

    def contract(self, example):
        self.starts(example)
        self.keeps(example, self.source)

    def sandbox(self, example):
        """Every thread has libvirt's filter of system calls, and stolen time
        is counted behind it, from files that were opened before."""
        self.starts(example)
        qemu = self.source.qemu(example)
        threads, files = [], []
        # Threads of a pool end, and files are closed.
        for path in qemu.glob('task/*/status'):
            with contextlib.suppress(OSError):
                threads.append(path.read_text())
        for path in qemu.glob('fd/*'):
            with contextlib.suppress(OSError):
                files.append(os.readlink(path))
        expect(len(threads) > VCPUS, f'threads: {threads}')
        for thread in threads:
            expect(SECCOMP.search(thread), f'outside of the sandbox: {thread}')
        delays = [name for name in files if name.endswith('/schedstat')]
        expect(len(delays) == VCPUS, f'pv-time reads {delays}')
        log = self.source.log(f'qemu/{example.name}.log')
        expect('pv-time' not in log, log)

    def save(self, example):
        self.starts(example)
        self.source.virsh('save', example.name, f'{IMAGES}/save')
        state = self.source.virsh('domstate', example.name).strip()
        expect(state == 'shut off', f'after save: {state}')
        self.source.virsh('restore', f'{IMAGES}/save')
        self.runs_on(example)
        self.keeps(example, self.source)

    def managed_save(self, example):
        self.starts(example)
        self.source.virsh('managedsave', example.name)
        state = self.source.virsh('domstate', example.name).strip()
        expect(state == 'shut off', f'after managedsave: {state}')
        self.source.virsh('start', example.name)
        self.runs_on(example)
        self.keeps(example, self.source)

    def suspend_between_lines(self, example):
        """A line that is cut off would be followed by the end of another."""
        def is_between():
            self.source.virsh('suspend', example.name)
            # What is still on its way to the log gets there.
            time.sleep(0.1)
            if self.source.console(example).endswith('\n'):
                return True
            self.source.virsh('resume', example.name)
            return False

        wait_for(f'{example.name} between two lines', is_between)

    def snapshot(self, example):
        self.starts(example)
        self.suspend_between_lines(example)
        self.source.virsh('snapshot-create-as', example.name, 'before')
        self.source.virsh('resume', example.name)
        then = len(runs(example, partial(self.source.console, example)))
        self.suspend_between_lines(example)
        self.source.virsh('snapshot-revert', '--running', example.name,
                          'before')
        found = runs(example, partial(self.source.console, example))
        back = [i for i in range(1, len(found))
                if found[i] != found[i - 1] + 1]
        expect(len(back) == 1 and back[0] >= then and
               1 < found[back[0]] < found[back[0] - 1],
               f'the guest did not go back to the snapshot: {found}')
        self.keeps(example, self.source)

    def migrate(self, example):
        self.starts(example)
        here, there = self.source, self.destination
        here.virsh('migrate', '--live', '--persistent', '--undefinesource',
                   example.name, there.uri, MIGRATION)
        expect(not here.virsh('list', '--all', '--name').split(),
               'the domain is still on the source')
        first = here.console(example)
        runs_on(example, lambda: first + there.console(example))
        self.keeps(example, there)

        there.virsh('migrate', '--live', example.name, here.uri,
                    MIGRATION)
        state = there.virsh('domstate', example.name).strip()
        expect(state == 'shut off', f'on the source after migrate: {state}')
        runs_on(example, lambda: first + there.console(example) +
                here.console(example)[len(first):])
        self.keeps(example, here)

    def diff(self):
        paths = []
        for example in (BY_TYPE, BY_OPTION):
            self.source.start(example)
            paths.append(self.folder / f'{example.name}.json')
            paths[-1].write_text(self.source.virsh(
                'qemu-monitor-command', example.name,
                '{"execute": "query-guest-abi"}'), encoding='utf-8')
        result = subprocess.run([SCRIPTS / 'guest-abi-diff', *paths], text=True,
                                capture_output=True, check=False)
        expect(result.returncode == 1, f'{result.stdout}{result.stderr}')
        for path in paths:
            label = 'a.json' if path is paths[0] else 'b.json'
            result.stdout = result.stdout.replace(str(path), label)
        expect_in('a guest has a virt-hvc-10.0 machine, the destination '
                  'virt-10.0\n', result.stdout)
        expect_shown(result.stdout)

    def domain_with(self, example, old, new):
        """A file with the running domain's XML, but for one text"""
        text = self.source.virsh('dumpxml', '--migratable', example.name)
        expect(len(re.findall(old, text)) == 1, f'no {old} in {text}')
        path = self.folder / 'destination.xml'
        path.write_text(re.sub(old, new, text), encoding='utf-8')
        return path

    def refused(self, example, old, new):
        """The user's message of a migration to a domain that is changed;
        the guest has to run on as if nothing had happened."""
        self.starts(example)
        changed = self.domain_with(example, old, new)
        message = self.source.refuses(
            'migrate', '--live', '--xml', changed, example.name,
            self.destination.uri, MIGRATION)
        state = self.source.virsh('domstate', example.name).strip()
        expect(state == 'running', f'the source is {state}')
        self.runs_on(example)
        self.keeps(example, self.source)
        expect(not self.destination.virsh('list', '--name').split(),
               'a domain runs on the destination')
        return message

    def source_says(self, example, text):
        """QEMU's own words in the domain's log, when its thread has ended"""
        def log():
            return self.source.log(f'qemu/{example.name}.log')

        wait_for(f'"{text}" in {example.name}.log', lambda: text in log())
        for other in ('Sibling indicated', 'MIG_RP_MSG'):
            expect(other not in log(), log())

    def refused_service(self):
        name = BY_OPTION.name
        message = self.refused(BY_OPTION, SERVICES, WITHOUT_TRNG)
        expect_in("job 'migration out' failed: ", message)
        expect_in('Message from the destination host: operation failed: job '
                  f"'migration in' failed: {REFUSAL}\n", message)
        expect_in(f"job 'migration in' failed: {REFUSAL}\n",
                  self.destination.log('libvirtd.log'))
        expect_in("job 'migration out' failed: ",
                  self.source.log('libvirtd.log'))
        expect_in(REFUSAL, self.destination.log(f'qemu/{name}.log'))
        self.source_says(BY_OPTION, f'{TOLD}{REFUSAL}')
        expect_shown(message)

    def refused_list(self):
        message = self.refused(BY_LIST, ':0x414fd0c1', ':0x413fd0b1')
        expect_in(OTHER_CPU, message)
        expect_shown(OTHER_CPU)

    def refused_none(self):
        message = self.refused(
            BY_OPTION, r'(?s)<qemu:commandline>.*</qemu:commandline>', '')
        # What QEMU 10.0 says of an unknown section is only in its log.
        seen = ('Message from the destination host: operation failed: job '
                "'migration in' failed: load of migration failed: Invalid "
                'argument')
        expect_in(f'{seen}\n', message)
        expect_shown(seen)
        self.source_says(BY_OPTION, HINT)
        logged = "Unknown savevm section or instance 'guest-abi' 0"
        expect_in(logged, self.destination.log(f'qemu/{BY_OPTION.name}.log'))
        expect_shown(logged)

    def refused_type(self):
        message = self.refused(BY_TYPE, r"machine='virt-hvc-10\.0'",
                               "machine='virt-10.0'")
        expect(message == 'error: unsupported configuration: Target domain '
               'machine type virt-10.0 does not match source virt-hvc-10.0\n',
               message)
        expect_shown(message)

    def refused_restore(self):
        self.starts(BY_OPTION)
        changed = self.domain_with(BY_OPTION, SERVICES, WITHOUT_TRNG)
        self.source.virsh('save', BY_OPTION.name, f'{IMAGES}/save')
        message = self.source.refuses('restore', '--xml', changed,
                                      f'{IMAGES}/save')
        expect(message.endswith(f'\nerror: operation failed: job \'start\' '
                                f'failed: {REFUSAL}\n'), message)
        expect_shown(message.splitlines()[-1])
        expect_in(REFUSAL, self.source.log('libvirtd.log'))
        self.source.virsh('restore', f'{IMAGES}/save')
        self.runs_on(BY_OPTION)
        self.keeps(BY_OPTION, self.source)

    def options_of(self, path):
        """What libvirt would start a domain's QEMU with"""
        words = shlex.split(self.source.virsh('domxml-to-native', 'qemu-argv',
                                              path))
        return list(zip(words, words[1:]))

    def check_mixed_options(self, path, cpu):
        options = self.options_of(path)
        found = [value for name, value in options if name == '-cpu']
        expect(found == [cpu], f'-cpu is {found}, expected {cpu}')
        for value in MIXED_OPTIONS:
            expect(('-machine', value) in options,
                   f'no -machine {value} in {options}')

    def mixed_options(self):
        path = self.folder / 'mixed-fleet.xml'
        path.write_text(tcg_instead(MIXED_FLEET, MIXED_WITHOUT_KVM),
                        encoding='utf-8')
        self.source.virsh('define', '--validate', path)
        self.check_mixed_options(path, MIXED_CPU.replace('host', 'max', 1))
        expect_shown(f'-cpu {MIXED_CPU}')

    def mixed_options_kvm(self):
        result = self.source.run('domxml-to-native', 'qemu-argv', MIXED_FLEET)
        if NO_KVM in result.stderr:
            raise tap.Skip(f'no KVM for arm64 here: {result.stderr.strip()}')
        self.check_mixed_options(MIXED_FLEET, MIXED_CPU)

    def without_kvm(self, with_profile):
        """A file with the guide's domain, as it can be here"""
        text = tcg_instead(BY_PROFILE.path, WITHOUT_KVM)
        expect(PROFILE.search(text), f'{BY_PROFILE.path} has no profile')
        path = self.folder / 'vm.xml'
        path.write_text(text if with_profile else PROFILE.sub('', text),
                        encoding='utf-8')
        return path

    def profile_reaches_qemu(self):
        self.source.virsh('define', '--validate', self.without_kvm(True))
        expect_in('guest-abi-profile=/etc/qemu/oldest-host.json needs -accel '
                  'kvm', self.source.refuses('start', BY_PROFILE.name))

    def guide(self):
        """The commands of the page's section"""
        self.source.virsh('define', '--validate', self.without_kvm(False))
        self.source.virsh('start', BY_PROFILE.name)
        self.runs_on(BY_PROFILE)
        top = self.folder / 'guide'
        top.mkdir()
        virsh = f"exec '{self.source.virsh_program}' -q -c '{self.source.uri}'"
        hosts = Hosts(top, self.qemu, cpu='cortex-a72',
                      here={'qemu+ssh://old/system':
                            f"'{self.destination.uri}' '{MIGRATION}'"},
                      programs={'virsh': f'#!/bin/sh\n{virsh} "$@"\n'})
        shown = list(commands(MANUAL.read_text(encoding='utf-8')))
        guide = [command.text for command in commands(
            GUIDE.read_text(encoding='utf-8'))]
        expect([command.text.split()[0] for command in shown] ==
               ['virsh', 'scp', 'guest-abi-probe', 'virsh'],
               f'the page shows {shown}')
        for command in shown:
            # The two pages do not differ.
            expect_in(command.text, guide)
            problem = hosts.run(command)
            expect(not problem, f'{command.text}\n{problem}')
        runs_on(BY_PROFILE, lambda: self.source.console(BY_PROFILE) +
                self.destination.console(BY_PROFILE))
        self.keeps(BY_PROFILE, self.destination)

    def old_libvirt(self):
        with Host(self.folder / 'old', libvirt_of_debian('9.0'),
                  self.qemu) as host:
            host.wait()
            host.virsh('define', BY_TYPE.path)
            reason = '-no-acpi: invalid option'
            expect_in(reason, host.refuses('start', BY_TYPE.name))
            expect_shown(reason)


def libvirt_of_debian(version):
    try:
        return fetch('libvirt', version)
    except FetchError as error:
        raise tap.Skip(f'no libvirt {version} of Debian: {error}') from None


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=Path,
                        help='the directory that scripts/build-qemu built in')
    build = parser.parse_args().build
    qemu = build / 'qemu/qemu-system-aarch64'
    if not qemu.is_file():
        parser.error(f"{qemu}: no such file; needed: this project's QEMU; "
                     "'meson compile -C build' makes one")
    # Let "with" run, so that nothing stays behind when a test is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        folder = Path(folder)
        try:
            libvirt = libvirt_of_debian('11.3')
            with Host(folder / 'a', libvirt, qemu) as source, \
                    Host(folder / 'b', libvirt, qemu) as destination:
                try:
                    build_guest('tick-a64', folder / 'images/vmlinuz')
                except FileNotFoundError as error:
                    raise tap.Skip(error) from None
                source.wait()
                destination.wait()
                tests = Tests(folder, build, qemu, source, destination)
                return tap.run_points(tests.wrapped())
        except tap.Skip as reason:
            tap.skip_all(reason)
            return 0
        except AssertionError as failure:
            print(f'Bail out! {failure}')
            return 1
