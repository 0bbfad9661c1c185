# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Do the tests of the order of shared pages see when it is wrong? Prints TAP.

Builds test-shared-pages-order again and again, each time with lines of the
functions under test swapped or taken out, and runs its tests one by one: with
the right order all of them have to pass, with a wrong one just those fail that
are about it.
"""

import argparse
from pathlib import Path
import shlex
import subprocess
import sys
import tempfile

from qemu_hvc.tap import Tap

TARGET = 'tests/qtest/hvc/test-shared-pages-order'
PREFIX = '/shared-pages-order/'
TRANSPORT = 'migration/shared-pages-transport.c'
LOG = 'migration/shared-pages-log.c'
PATIENCE_S = 120

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

# What is done to the source, and the tests that fail then, beside "all"
MUTANTS = {
    'the list is read before the dirty bits': (
        TRANSPORT, CLEAR + STATE, STATE + CLEAR, {'told-between-looks'}),
    'the bytes are read before the dirty bits': (
        TRANSPORT, CLEAR + STATE + SEND, STATE + SEND + CLEAR,
        {'told-between-looks', 'mind-changed-twice'}),
    'the dirty bits are looked at last while the guest runs': (
        TRANSPORT, STOP + LAST_LOOK, LAST_LOOK + STOP,
        {'told-after', 'told-before-stop', 'mind-changed-twice'}),
    'the section is taken while the guest runs': (
        TRANSPORT, STOP + LAST_LOOK + SAVE,
        'GByteArray *list = shared_pages_log_save(log, errp);\n' + STOP +
        LAST_LOOK + 'return list;\n',
        {'told-after', 'told-before-stop', 'mind-changed-twice'}),
    'a page that changes and is not written is not dirty': (
        LOG, TOLD, '', {'mind-changed-twice'}),
}


def build_commands(qemu):
    """The commands that compile a source of the target, by its name in QEMU's
    tree, and the one that links it"""
    subprocess.run(['ninja', '-C', qemu, TARGET], check=True,
                   stdout=subprocess.DEVNULL)
    commands = [shlex.split(line) for line in subprocess.run(
        ['ninja', '-C', qemu, '-t', 'commands', TARGET], check=True, text=True,
        capture_output=True).stdout.splitlines()]
    compile_commands = {}
    for words in commands:
        for source in (TRANSPORT, LOG):
            if '-c' in words and words[-1].endswith(source) and \
               f'{TARGET}.p/' in ' '.join(words):
                compile_commands[source] = words
    return compile_commands, commands[-1]


def without_dependencies(words):
    """A compile command that writes nothing but its object"""
    kept = []
    for word in words:
        if kept and kept[-1] in ('-MQ', '-MF'):
            kept.pop()
        elif word != '-MD':
            kept.append(word)
    return kept


class Mutation:
    """The target, with a source changed, in a folder of its own"""

    def __init__(self, qemu, folder):
        self.qemu = qemu
        self.folder = folder
        self.compile_commands, self.link_command = build_commands(qemu)

    def program(self, name, old, new):
        words = without_dependencies(self.compile_commands[name])
        source = (self.qemu / words[-1]).resolve()
        text = source.read_text(encoding='utf-8')
        if text.count(old) != 1:
            raise RuntimeError(f'{source} has not once: {old}')
        mutant = self.folder / source.name
        mutant.write_text(text.replace(old, new), encoding='utf-8')
        at = words.index('-o') + 1
        built = self.folder / 'mutant.o'
        link = [str(built) if word == words[at] else word
                for word in self.link_command]
        words[at] = str(built)
        words[-1] = str(mutant)
        words[1:1] = ['-iquote', str(source.parent)]
        link[link.index('-o') + 1] = str(self.folder / 'mutant')
        for command in (words, link):
            subprocess.run(command, cwd=self.qemu, check=True)
        return self.folder / 'mutant'


def failing(program):
    """The tests of a program that fail"""
    names = subprocess.run([program, '-l'], check=True, text=True,
                           capture_output=True).stdout.split()
    return {name.removeprefix(PREFIX) for name in names if subprocess.run(
        [program, '-p', name], check=False, capture_output=True,
        timeout=PATIENCE_S).returncode}


def compare(found, expected):
    """None, or what is wrong"""
    if found == expected:
        return None
    return f'failed: {", ".join(sorted(found)) or "none"}; ' \
           f'expected: {", ".join(sorted(expected)) or "none"}'


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=Path,
                        help='the directory that scripts/build-qemu built in')
    qemu = parser.parse_args().build.resolve() / 'qemu'
    tap = Tap(1 + len(MUTANTS))
    with tempfile.TemporaryDirectory() as folder:
        mutation = Mutation(qemu, Path(folder))
        tap.point('the order is right',
                  problem=compare(failing(qemu / TARGET), set()))
        for name, (source, old, new, expected) in MUTANTS.items():
            found = failing(mutation.program(source, old, new))
            tap.point(name, problem=compare(found, expected | {'all'}))
    return not tap.end()


if __name__ == '__main__':
    sys.exit(main())
