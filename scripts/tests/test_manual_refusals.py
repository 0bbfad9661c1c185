# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Is every error text of the manual's "Reading a refusal" a real one?

Each literal block ("code-block:: text") of docs/system/arm/hvc-refusals.rst and
docs/system/i386/xsave-masks.rst is one error text, in which "..." as one
character and FILE stand for anything. It has to be among the texts that QEMU
prints when it is called here, under TCG, or among those that the tests of what
needs a kernel compare with. And what QEMU prints here has to be in the manual,
and so has every error and warning that the project's code can say. Prints TAP.
"""

import ast
import json
from pathlib import Path
import re
import resource
import subprocess
import tempfile
import unittest

from qemu_hvc.paths import DATA, ROOT, TESTS
from qemu_hvc.vm import Vm
from qemu_hvc.qmp import PATIENCE_S
from qemu_hvc import tap

PAGE = ROOT / 'docs/system/arm/hvc-refusals.rst'
XSAVE_PAGE = ROOT / 'docs/system/i386/xsave-masks.rst'
# Its texts are made by test_cpu_contract_x86.py, with an x86 QEMU.
CPU_PAGE = ROOT / 'docs/system/i386/cpu-contract.rst'
HOSTS = DATA / 'fleet'
WILDCARD = re.compile(r'…|\bFILE\b')
# A literal that is a part of a text, put together by the test
PART_MIN = 12
CC = 'cc'

# Functions of QEMU's that say something to people, and which argument that is
SAYS = re.compile(r'\b(error_setg|error_setg_errno|error_report|warn_report|'
                  r'error_prepend|error_append_hint)\s*\(')
TEXT_AT = {'error_report': 0, 'warn_report': 0, 'error_setg_errno': 2}
CODE = ('migration/*.c', 'target-arm/hvc/*.c', 'hw/arm/hvc/*.c',
        'target-i386/*.c')
CONVERSION = re.compile(r'%[-+0#]*[0-9*]*(?:\.[0-9*]+)?'
                        r'(?:hh|h|ll|l|z)?[diouxXscp]')
# Texts that no page has: how they begin, and why
NOT_IN_MANUAL = {
    'guest-abi-profile=%s is not a profile: %s':
        'the reasons are in the manual, each with these words around it',
    'guest-abi: the incoming contract is damaged: ':
        'the same',
    "hvc-services=%s is not supported with the '%s' accelerator":
        'the build for tests has TCG and KVM, which are',
    "%s: this host's kernel cannot give a guest hvc service 'pv-time', as it":
        'no kernel of the lab is without CONFIG_SCHED_INFO',
    "machine type %s: there is no floor '%s'":
        'told to who builds QEMU; scripts/tests/test_distro_type.py',
    'the stream begins with another section':
        'said to QEMU, after people were told what it means',
    'the destination failed': 'stands for a number of QEMU\'s; see HINT',
    'pv-time: the guest will find no stolen time, which only':
        'of hosts that are not Linux',
    'xsave-trim cannot be changed after the machine was created':
        'as of hvc-services and guest-abi',
    'guest-abi-profile cannot be changed after the machine was created':
        'the same',
    'shared-pages=enforce needs PCI and virtio, which this QEMU was built '
    'without':
        'the build for tests has both',
    "shared-pages=enforce is for devices whose accesses QEMU makes itself":
        'vhost and VFIO, which are refused when they are added',
    'shared-pages: the memory of this guest is in guest_memfd':
        'of guests with SEV-SNP, which takes a CPU that has it',
    "shared-pages: this host's kernel does not let QEMU have":
        'no kernel offers it and then fails',
    "shared-pages: what this VM's guest shares needs more than":
        'of a guest with 64 TiB of memory or more',
}

TOKEN = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'(?:[^\'\\\n]|\\.)+\'')

ENFORCE = 'virt,hvc-services=linux-6.12:+mem-share,shared-pages=enforce'
# Options that are refused under TCG
OPTIONS = (
    ('virt,hvc-services=trgn',),
    ('virt,hvc-services=linux-7.0',),
    ('virt,hvc-services=-ptp',),
    ('virt,hvc-services=',),
    ('virt,hvc-services=trng::ptp',),
    ('virt,hvc-services=trng:linux-6.1',),
    ('virt,hvc-services=+linux-6.1',),
    ('virt,hvc-services=ptp:-ptp',),
    ('virt,hvc-services=host:ptp',),
    ('virt,hvc-services=-host',),
    ('virt,hvc-services=none,psci-version=1.4',),
    ('virt,psci-version=1.1',),
    ('virt,hvc-services=linux-6.12,implementation-cpus=0x410fd490',),
    ('virt,hvc-services=implementation-cpus,implementation-cpus=',),
    ('virt,hvc-services=implementation-cpus,'
     'implementation-cpus=0x410fd490:neoverse-n1',),
    ('virt,hvc-services=implementation-cpus,implementation-cpus=0',),
    ('virt,hvc-services=implementation-cpus,implementation-cpus=1:1/0',),
    ('virt,hvc-services=implementation-cpus,implementation-cpus=' +
     ':'.join(map(str, range(1, 18))),),
    ('virt,hvc-services=implementation-cpus,implementation-cpus=0x410fd490',
     '-cpu', 'cortex-a72'),
    ('virt-hvc-10.0,guest-abi-profile=/dev/null',),
    ('virt-hvc-10.0,guest-abi=off',),
    ('virt,secure=on,hvc-services=trng', '-bios', '/dev/null'),
    ('virt,secure=on,kernel-floor=linux-6.1,psci-version=1.1', '-bios',
     '/dev/null'),
    ('virt,kernel-floor=linux-6.2',),
    ('virt,kernel-floor=linux6.1',),
    ('virt,kernel-floor=linux-6.1,hvc-services=host',),
    ('virt,kernel-floor=linux-6.1,hvc-services=linux-6.18',),
    ('virt,kernel-floor=linux-6.1,'
     'hvc-services=linux-6.1:+implementation-cpus',),
    ('virt,kernel-floor=linux-6.1,psci-version=1.3',),
    ('virt,kernel-floor=linux-6.1,shared-pages=on',),
    ('virt,guest-abi=off,kernel-floor=linux-6.1',),
    ('virt,hvc-services=linux-6.12,shared-pages=on',),
    ('virt,hvc-services=linux-6.12:+mem-share,shared-pages=off',),
    ('none,shared-pages=on',),
    ('virt,shared-pages=yes',),
    (ENFORCE, '-device', 'virtio-rng-pci,iommu_platform=off'),
    (ENFORCE, '-device', 'ramfb,id=fb'),
    (ENFORCE, '-device', 'virtio-rng-pci-transitional,id=rng'),
    (ENFORCE, '-device', 'led'),
    (ENFORCE + ',ras=on',),
    (ENFORCE + ',default-bus-bypass-iommu=on',),
)
# Source and destination of a migration
PAIRS = (
    ('virt,hvc-services=linux-6.12', 'virt,hvc-services=linux-6.1:-ptp'),
    ('virt,hvc-services=linux-6.1:-ptp', 'virt-10.0,hvc-services=linux-6.1'),
    ('virt,hvc-services=linux-6.18', 'virt,hvc-services=linux-6.12'),
    ('virt', 'virt,hvc-services=linux-6.12'),
    ('virt-10.0,hvc-services=linux-6.12', 'virt-hvc-10.0'),
    ('virt,kernel-floor=linux-6.1', 'virt,kernel-floor=linux-6.12'),
    ('virt,kernel-floor=linux-6.12', 'virt,hvc-services=linux-6.12'),
    ('virt,hvc-services=linux-6.1', 'virt,kernel-floor=linux-6.1'),
    ('virt-hvc-10.0,hvc-services=none',
     'virt-hvc-10.0,hvc-services=host,guest-abi=on'),
    ('virt-hvc-10.0,hvc-services=host,guest-abi=on',
     'virt-hvc-10.0,hvc-services=none'),
    (ENFORCE, 'virt,hvc-services=linux-6.12:+mem-share'),
)
# The same, of machines with other CPUs
CPUS = (
    (('virt-hvc-10.0', 'max'), ('virt-hvc-10.0', 'max,cntfrq=62500000')),
    (('virt-hvc-10.0', 'cortex-a72'), ('virt-hvc-10.0', 'cortex-a57')),
    (('virt-hvc-10.0', 'max,sve=off'), ('virt-hvc-10.0', 'max,sve-max-vq=2')),
)
# A list of CPUs, of which the first is that of Vm
TELLS = 'virt,hvc-services=implementation-cpus,implementation-cpus=0x410fd083'
# Verdicts of the second machine on the contract of the first one
VERDICTS = (('virt,guest-abi=on,virtualization=on', 'virt,guest-abi=on',
             ('arm.el2', 'arm.registers')),
            (f'{TELLS}:0x414fd0c1:0x410fd490', f'{TELLS}:0x414fd0c1',
             ('arm.implementation-cpus', 'arm.implementation-cpu-2.midr')),
            (f'{TELLS}:0x414fd0c1:0x410fd490', 'virt,hvc-services=none',
             ('arm.implementation-cpus',)))
FITTING = 'virt,hvc-services=none'
TOLD = 'the destination refused this VM: guest-abi: '
HINT = 'migration failed; if the destination refused this VM, '
# Too many for as many open files, as QEMU has others open
MANY_VCPUS = 48


# --- the manual ---

def one_line(text):
    return ' '.join(text.split())


def sections(text):
    """The blocks of a page, by the section that they are in"""
    found = {}
    title = None
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line and re.fullmatch(r'([-=~])\1*', line) and \
           len(line) == len(lines[number - 1]):
            title = lines[number - 1]
        if line.strip() == '.. code-block:: text':
            indent = len(line) - len(line.lstrip())
            block = []
            for more in lines[number + 1:]:
                if more.strip() and len(more) - len(more.lstrip()) <= indent:
                    break
                block.append(more)
            found.setdefault(title, []).append(one_line('\n'.join(block)))
    return found


def as_pattern(block):
    return '.*?'.join(re.escape(part) for part in WILDCARD.split(block))


# --- the tests' texts ---

def unquote(literal):
    return ast.literal_eval('"""' + literal.replace('"""', '\\"""') + '"""')


def with_own_headers(path):
    """A C file with the headers of its folder in it, and no others"""
    def content(line):
        header = line[1] and path.with_name(line[1])
        return with_own_headers(header) if header and header.is_file() else ''

    return re.sub(r'^ *# *include (?:"([^"/]+)"|.*)$', content,
                  path.read_text(encoding='utf-8'), flags=re.M)


def c_texts(path):
    """String literals of a test, with its macros expanded"""
    source = with_own_headers(path)
    code = subprocess.run([CC, '-E', '-P', '-x', 'c', '-'], input=source,
                          text=True, capture_output=True, check=True).stdout
    found, end = [], None
    for token in TOKEN.finditer(code):
        if token[1] is None:
            end = None
        else:
            # Literals side by side are one.
            if end is not None and not code[end:token.start()].strip():
                found[-1] += token[1]
            else:
                found.append(token[1])
            end = token.end()
    # What is on stderr is compared line by line, with *: at the beginning.
    return [re.sub(r'^\*(: )?', '', line) for literal in found
            for line in unquote(literal).splitlines()]


def python_texts(path):
    tree = ast.parse(path.read_text(encoding='utf-8'))
    return [node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def tests_texts():
    """By file"""
    found = {path: c_texts(path)
             for path in sorted((ROOT / 'tests-qtest').rglob('*test*.c'))}
    # With the QEMU of others, on real KVM, which is not there everywhere, or by
    # QMP
    others = [TESTS / name for name in (
        'test_interop_arm.py', 'test_fixes.py', 'test_kvm_lab.py',
        'test_kvm_lab_x86.py', 'test_pages_guest.py', 'test_xsave_load.py',
        'test_xsave_contract.py', 'test_shared_pages_enforce.py')]
    return {**found, **{path: python_texts(path) for path in others}}


# --- the code's texts ---

def arguments_at(code, start):
    """Those of the C call whose opening parenthesis is before start"""
    found, depth, call = [], 0, start
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|.', code[call:], re.S):
        text, at = token[0], call + token.start()
        if text == '(':
            depth += 1
        elif text == ')' and not depth:
            return [*found, code[start:at]]
        elif text == ')':
            depth -= 1
        elif text == ',' and not depth:
            found.append(code[start:at])
            start = at + 1
    raise AssertionError(f'a call without an end: {code[start:start + 60]}')


def joined(expression, macros):
    """String literals side by side, and macros of such; of PRIx64 the x"""
    text = ''
    for token in re.finditer(r'"((?:[^"\\]|\\.)*)"|\b(?:PRI([a-z])\d+|'
                             r'([A-Z]\w+))\b', expression):
        literal, conversion, macro = token.groups()
        if literal is not None:
            text += unquote(literal)
        else:
            text += conversion or macros.get(macro, '%s')
    return text


def string_macros(path):
    """NAME -> text of each #define of string literals, there and in the header
    of the same name"""
    found = {}
    for file in (path.with_suffix('.h'), path):
        code = file.read_text(encoding='utf-8') if file.is_file() else ''
        for define in re.finditer(r'(?m)^#define (\w+)\s+(".*")\s*$',
                                  re.sub(r'\s*\\\n\s*', ' ', code)):
            found[define[1]] = joined(define[2], found)
    return found


def code_texts(path):
    """The formats of what a C file can say"""
    code, macros = path.read_text(encoding='utf-8'), string_macros(path)
    for call in SAYS.finditer(code):
        words = arguments_at(code, call.end())
        place = TEXT_AT.get(call[1], 1)
        if place < len(words) and '"' in words[place]:
            yield one_line(joined(words[place], macros))


def all_code_texts():
    """The formats, by file"""
    return {path: list(code_texts(path)) for pattern in CODE
            for path in sorted(ROOT.glob(pattern))}


def format_pattern(text):
    """What a printf() of it can be"""
    return '.*'.join(map(re.escape, CONVERSION.split(text)))


def is_put_together(block, literals):
    """Is it a sequence of whole literals and wildcards?"""
    ends, seen = [0], set()
    while ends:
        start = ends.pop()
        if start == len(block):
            return True
        if start in seen:
            continue
        seen.add(start)
        wildcard = WILDCARD.match(block, start)
        if wildcard:
            ends.append(wildcard.end())
        ends += [start + len(literal) for literal in literals
                 if len(literal) >= PART_MIN and
                 block.startswith(literal, start)]
    return False


# --- QEMU's ---

class Produced:
    """The refusals of this QEMU, under TCG"""

    def __init__(self, qemu):
        self.qemu = qemu
        self.texts = []

    def all(self):
        for options in OPTIONS:
            self.options(*options)
        self.few_descriptors()
        with tempfile.TemporaryDirectory() as folder:
            for source, destination in PAIRS:
                self.migration(source, destination, Path(folder) / 'stream')
            for (source, of), (destination, cpu) in CPUS:
                self.migration(source, destination, Path(folder) / 'stream',
                               ('-cpu', of), ('-cpu', cpu))
            for return_path, begin in ((False, HINT), (True, TOLD)):
                self.texts.append(self.source_side(folder, return_path))
                if not self.texts[-1].startswith(begin):
                    raise AssertionError(f'the source says: {self.texts[-1]}')
        self.unknown_entry()
        self.later_services()
        for verdicts in VERDICTS:
            self.verdicts(*verdicts)
        self.late_change()
        return self.texts

    def options(self, machine, *more):
        result = subprocess.run(
            [self.qemu, '-machine', machine, *more, '-accel', 'tcg',
             '-nodefaults', '-display', 'none', '-S'], text=True,
            capture_output=True, check=False, timeout=PATIENCE_S)
        if result.returncode != 1:
            raise AssertionError(f'{machine} is not refused')
        self.texts.append(re.sub(
            r'^-device \S+: ', '',
            result.stderr.removeprefix(f'{self.qemu.name}: ').strip()))

    def few_descriptors(self):
        """A VM that may not open a file for each of its vCPUs"""
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (MANY_VCPUS, ) * 2)

        result = subprocess.run(
            [self.qemu, '-machine', 'virt,gic-version=3,hvc-services=pv-time',
             '-smp', str(MANY_VCPUS), '-accel', 'tcg', '-nodefaults',
             '-display', 'none', '-S', '-qmp', 'stdio'],
            input='{"execute": "qmp_capabilities"}{"execute": "quit"}',
            text=True, capture_output=True, check=True, timeout=PATIENCE_S,
            preexec_fn=limit)
        self.texts.append(result.stderr.removeprefix(
            f'{self.qemu.name}: ').strip())

    def migration(self, source, destination, stream, of=(), to=()):
        with Vm(self.qemu, source, '-S', *of) as vm:
            vm.save(stream)
        with Vm(self.qemu, destination, '-S', '-incoming', 'defer',
                *to) as vm:
            info = vm.load(stream)
        if info['status'] != 'failed':
            raise AssertionError(f'{source} to {destination}: {info}')
        words = vm.stderr.removeprefix(f'{self.qemu.name}: ').splitlines()
        self.texts.append(words[0])

    def source_side(self, folder, return_path):
        """What a source says whose destination refuses"""
        uri = f'unix:{folder}/socket'
        source, destination = PAIRS[0]
        with Vm(self.qemu, destination, '-S', '-incoming', 'defer') as to, \
             Vm(self.qemu, source, '-S') as vm:
            return vm.migrate_to(to, uri, return_path).get('error-desc', '')

    def verdicts(self, source, destination, names):
        with Vm(self.qemu, source, '-S') as vm:
            contract = vm.command('query-guest-abi')
        with Vm(self.qemu, destination, '-S') as vm:
            verdicts = vm.command('check-guest-abi',
                                  entries=contract['entries'],
                                  parts=contract['parts'])
        self.texts += [verdict['error'] for verdict in verdicts
                       if verdict['name'] in names]

    def unknown_entry(self):
        with Vm(self.qemu, FITTING, '-S') as vm:
            contract = vm.command('query-guest-abi')
            contract['entries'] += [
                {'name': 'arm.from-the-future', 'value': 1},
                {'name': 'machine.kernel-floor', 'value': 0x70063}]
            verdicts = vm.command('check-guest-abi',
                                  machine='virt-hvc-10.0',
                                  entries=contract['entries'])
        self.texts += [verdict['error'] for verdict in verdicts
                       if not verdict['ok']]

    def later_services(self):
        """What a VM without services says to those of a later QEMU"""
        with Vm(self.qemu, 'virt', '-S') as vm:
            verdicts = vm.command('check-guest-abi', entries=[
                {'name': 'arm.std-bmap', 'value': 1 | 1 << 5},
                {'name': 'arm.psci-version', 'value': 0x10004}])
        self.texts += [verdict['error'] for verdict in verdicts
                       if verdict['name'] == 'arm.std-bmap']

    def late_change(self):
        with Vm(self.qemu, FITTING, '-S') as vm:
            for name, value in (('hvc-services', 'linux-6.1'),
                                ('kernel-floor', 'linux-6.1'),
                                ('shared-pages', 'off'),
                                ('guest-abi', True)):
                try:
                    vm.command('qom-set', path='/machine', property=name,
                               value=value)
                except RuntimeError as error:
                    self.texts.append(str(error).removeprefix('qom-set: '))


# --- the comparison ---

class Refusals(unittest.TestCase):
    """A test for each section; add_section_tests() adds them."""

    blocks = {}
    produced = []
    tests = {}

    def origin(self, block):
        """Where a text is from: a test, or QEMU itself; None if nowhere"""
        pattern = re.compile(as_pattern(block))
        if any(pattern.fullmatch(text) for text in self.produced):
            return 'QEMU'
        for path, texts in self.tests.items():
            if any(pattern.fullmatch(text) for text in texts) or \
               is_put_together(block, texts):
                return path.name
        return None

    def check(self, title):
        for block in self.blocks[title]:
            with self.subTest(block):
                self.assertIsNotNone(self.origin(block), block)

    def test_what_qemu_prints_is_in_the_manual(self):
        blocks = [block for blocks in self.blocks.values()
                  for block in blocks]
        self.assertGreaterEqual(len(self.produced),
                                len(OPTIONS) + len(PAIRS) + len(CPUS) + 5)
        for text in self.produced:
            with self.subTest(text):
                self.assertTrue(any(re.fullmatch(as_pattern(block), text)
                                    for block in blocks), text)

    def test_what_code_says_is_in_the_manual(self):
        pages = (*self.blocks.values(), *sections(
            CPU_PAGE.read_text(encoding='utf-8')).values())
        blocks = [block for blocks in pages for block in blocks]
        texts = all_code_texts()
        self.assertGreaterEqual(sum(map(len, texts.values())), 120)
        missing, excused = [], set()
        for path, formats in texts.items():
            for text in formats:
                beginning = next((begin for begin in NOT_IN_MANUAL
                                  if text.startswith(begin.strip())), None)
                if beginning:
                    excused.add(beginning)
                elif not any(re.search(format_pattern(text), block)
                             for block in blocks):
                    missing.append(f'{path.relative_to(ROOT)}: {text}')
        self.assertEqual(missing, [], f'needed: a block in {PAGE.name}, '
                         f'{XSAVE_PAGE.name} or {CPU_PAGE.name}')
        self.assertEqual(set(NOT_IN_MANUAL) - excused, set(),
                         'no code says these')

    def test_format_pattern(self):
        text = joined('"\'%s\' = 0x%" PRIx64 " of %03u" REMEDY, 7',
                      {'REMEDY': '; %-4zu%%'})
        self.assertEqual(text, "'%s' = 0x%x of %03u; %-4zu%%")
        self.assertRegex("'a' = 0x1f of 3; 4 %%", format_pattern(text))
        self.assertNotRegex("'a' = 0x1f by 3; 4 %%", format_pattern(text))

    def test_recorded_hosts(self):
        """What the hosts of guest-abi-diff's tests refuse with"""
        hosts = [json.loads(path.read_text(encoding='utf-8'))
                 for path in HOSTS.glob('*.json')]
        refusals = {re.sub("^.*?(?=: this host's)", '…', row['refusal'])
                    for host in hosts
                    for row in (*host['floors'], *host['types'])
                    if not row['starts']}
        self.assertGreaterEqual(len(refusals), 4)
        for refusal in refusals:
            with self.subTest(refusal):
                self.assertTrue(refusal.startswith('…'))
                self.assertIsNotNone(self.origin(refusal))

    def test_the_manual_is_read(self):
        self.assertGreaterEqual(len(self.blocks), 8)
        count = sum(len(blocks) for blocks in self.blocks.values())
        self.assertEqual(count, sum(
            page.read_text(encoding='utf-8').count('.. code-block:: text')
            for page in (PAGE, XSAVE_PAGE)))
        self.assertGreaterEqual(count, 30)

    def test_other_texts_are_not_found(self):
        for title, blocks in self.blocks.items():
            for block in blocks:
                with self.subTest(title):
                    self.assertIn('e', block)
                    for other in (block.replace('e', 'E', 1),
                                  block[::-1].replace('e', 'E', 1)[::-1],
                                  block.rstrip('…') + ' never'):
                        self.assertIsNone(self.origin(other), other)


def add_section_tests():
    for title in Refusals.blocks:
        setattr(Refusals, f'test_section_{title.replace(".", " ")}',
                lambda self, title=title: self.check(title))


def main():
    qemu = tap.arguments(__doc__, build=True).build.resolve() / \
        'qemu/qemu-system-aarch64'
    for page in (PAGE, XSAVE_PAGE):
        for title, blocks in sections(
                page.read_text(encoding='utf-8')).items():
            Refusals.blocks.setdefault(title, []).extend(blocks)
    Refusals.tests = tests_texts()
    Refusals.produced = [one_line(text) for text in Produced(qemu).all()]
    add_section_tests()
    return tap.run(Refusals)
