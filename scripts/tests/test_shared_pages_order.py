# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Do the tests of the order of shared pages see when it is wrong? Prints TAP.

Builds test-shared-pages-order again and again, each time with lines of the
functions under test swapped or taken out, and runs its tests one by one: with
the right order all of them have to pass, with a wrong one just those fail that
are about it. Then does the same with qemu-system-aarch64 and those tests of
hvc-migration-test that hold a migration of QEMU's at each step.
"""

from functools import partial
from pathlib import Path
import subprocess
import tempfile

from qemu_hvc import sanitized, tap
import qtest

UNIT = 'tests/qtest/hvc/test-shared-pages-order'
QEMU = 'qemu-system-aarch64'
# Beside QEMU, the program whose tests start it
QTEST = 'tests/qtest/hvc-migration-test'
PREFIXES = {UNIT: '/shared-pages-order/',
            QEMU: '/aarch64/hvc/migration/pages/order/'}
TRANSPORT = 'migration/shared-pages-transport.c'
LOG = 'migration/shared-pages-log.c'
VM = 'migration/shared-pages.c'
PATIENCE_S = 180

CLEAR = '''\
        transport->clear(transport->opaque, memory, offset);
'''
STATE = '''\
        shared = shared_pages_log_get(log, memory, offset);
'''
SEND = '''\
        if (!transport->send(transport->opaque, memory, offset, shared,
                             errp)) {
            return false;
        }
'''
STOP = '''\
    transport->stop(transport->opaque);
'''
LAST_LOOK = '''\
    if (!shared_pages_send_dirty(log, transport, errp)) {
        return NULL;
    }
'''
SAVE = '''\
    return shared_pages_log_save(log, errp);
'''
TOLD = '''\
        log->ops->changed(mapping->address + (page - mapping->first) *
                          SHARED_PAGES_GRANULE, count * SHARED_PAGES_GRANULE,
                          shared);
'''

MARK = '''\
static void mark_dirty(uint64_t address, uint64_t size, bool shared)
{
'''
STOPPED = '''\
    assert(!runstate_is_running());
'''
LAST = '''\
    .priority = MIG_PRI_IOMMU,
'''

# What is done to a source, pairs of what is there and what comes in its place;
# and the tests that fail then, beside "all"
MUTANTS = {
    'the list is read before the dirty bits': (
        TRANSPORT, [(CLEAR + STATE, STATE + CLEAR)], {'told-between-looks'}),
    'the bytes are read before the dirty bits': (
        TRANSPORT, [(CLEAR + STATE + SEND, STATE + SEND + CLEAR)],
        {'told-between-looks', 'mind-changed-twice'}),
    'the dirty bits are looked at last while the guest runs': (
        TRANSPORT, [(STOP + LAST_LOOK, LAST_LOOK + STOP)],
        {'told-after', 'told-before-stop', 'mind-changed-twice'}),
    'the section is taken while the guest runs': (
        TRANSPORT, [(STOP + LAST_LOOK + SAVE,
                     'GByteArray *list = shared_pages_log_save(log, errp);\n' +
                     STOP + LAST_LOOK + 'return list;\n')],
        {'told-after', 'told-before-stop', 'mind-changed-twice'}),
    'a page that changes and is not written is not dirty': (
        LOG, [(TOLD, '')], {'mind-changed-twice'}),
}

# The same of QEMU
QEMU_MUTANTS = {
    'a change of state makes no page dirty': (
        VM, [(MARK, MARK + '    return;\n')]),
    'a page that is shared is dirty, one that is taken back is not': (
        VM, [(MARK, MARK + '    if (!shared) { return; }\n')]),
    'a page that is taken back is dirty, one that is shared is not': (
        VM, [(MARK, MARK + '    if (shared) { return; }\n')]),
    'the log does not say that a page has changed': (LOG, [(TOLD, '')]),
    'the section is taken ahead of memory, while the guest runs': (
        VM, [(STOPPED, ''), (LAST, '    .early_setup = true,\n')]),
}


class Programs:
    """Programs of a build with a source changed, in a folder of their own"""

    def __init__(self, build, folder):
        self.build = build
        self.folder = folder
        self.builder = sanitized.Builder(build / 'qemu', folder,
                                         sanitize=False)

    def original(self, target):
        self.builder.run('ninja', target)
        return self.build / 'qemu' / target

    def mutant(self, target, source, edits):
        path = sanitized.edited(self.build / 'src' / source, self.folder,
                                edits)
        program, compiled = self.builder.program(
            target, source.__eq__, replaced={source: path})
        if compiled != [source]:
            raise RuntimeError(f'{target} is not made of {source}')
        return program

    def run(self, target, program, *arguments):
        """A run of tests; target: what the program is, as it is or changed"""
        test = program
        if target == QEMU:
            test = self.build / 'qemu' / QTEST
        return subprocess.run(
            [test, *arguments], cwd=self.build / 'qemu', check=False,
            # Tests that fail leave files there.
            env={**qtest.environment(self.build, program),
                 'TMPDIR': str(self.folder)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors='replace', timeout=PATIENCE_S)

    def names(self, target, program):
        """The tests of a program"""
        prefix = PREFIXES[target]
        return [name.removeprefix(prefix)
                for name in self.run(target, program, '-l').stdout.split()
                if name.startswith(prefix)]

    def failing(self, target, program):
        """The tests that fail"""
        failed = set()
        for name in self.names(target, program):
            result = self.run(target, program, '--tap', '-p',
                              PREFIXES[target] + name)
            if ' # SKIP ' in result.stdout:
                raise tap.Skip(result.stdout.partition(' # SKIP ')[2]
                               .partition('\n')[0])
            if result.returncode:
                failed.add(name)
        return failed


def compare(found, expected):
    """What is wrong"""
    if found != expected:
        yield f'failed: {", ".join(sorted(found)) or "none"}; ' \
              f'expected: {", ".join(sorted(expected)) or "none"}'


def points(programs):
    def right(target):
        return compare(programs.failing(target, programs.original(target)),
                       set())

    def wrong(target, source, edits, expected):
        return compare(programs.failing(
            target, programs.mutant(target, source, edits)), expected)

    yield 'the order is right', lambda: right(UNIT)
    for name, (source, edits, expected) in MUTANTS.items():
        yield name, partial(wrong, UNIT, source, edits, expected | {'all'})
    yield "the order is right in QEMU's own migration", lambda: right(QEMU)
    for name, (source, edits) in QEMU_MUTANTS.items():
        yield f'QEMU: {name}', partial(wrong, QEMU, source, edits,
                                       {'last-look', 'three-passes'})


def main():
    build = tap.arguments(__doc__, build=True).build.resolve()
    with tempfile.TemporaryDirectory() as folder:
        return tap.run_points(list(points(Programs(build, Path(folder)))))
