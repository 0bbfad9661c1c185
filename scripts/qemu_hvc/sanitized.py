# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Builds programs of QEMU's build once more, with some objects compiled anew.

Sources that are chosen are compiled by the commands of QEMU's own build, with
AddressSanitizer and UndefinedBehaviorSanitizer, or changed, or both; all others
are linked as that build has them. QEMU's build is not changed.
"""

from concurrent.futures import ThreadPoolExecutor
import hashlib
import json
import os
from pathlib import Path
import re
import shlex
import subprocess

SANITIZE = ('-fsanitize=address,undefined', '-fno-sanitize-recover=undefined',
            '-fno-omit-frame-pointer')
# For gcc, whose shared libraries take each other's functions: one calls
# __sanitizer_set_report_path(), and the other has a log. clang has one library.
STATIC = ('-static-libasan', '-static-libubsan')
# An abort, so that the exit status is the same whatever was found.
ENVIRONMENT = {
    'ASAN_OPTIONS': 'abort_on_error=1:detect_leaks=1:quarantine_size_mb=64',
    'UBSAN_OPTIONS': 'abort_on_error=1:print_stacktrace=1',
}
# Compilers at a time. Meson runs other tests beside this one.
JOBS = 2

# What AddressSanitizer says of QEMU's coroutines, which have stacks of their own
WARNING = re.compile(r'==\d+==WARNING: ASan .*|'
                     r'False positive error reports may follow|'
                     r'For details see https://\S+|')


def variables(reports=None, **options):
    """What the environment of a sanitized program has more than another

    reports: a folder for a file of each process that has something to say,
    which stderr has otherwise
    options: of both sanitizers, beside or instead of those in ENVIRONMENT
    """
    result = {}
    for variable, value in ENVIRONMENT.items():
        words = [value, *(f'{name}={option}'
                          for name, option in options.items())]
        if reports:
            # Each sanitizer would truncate the other's file.
            name = variable.removesuffix('_OPTIONS').lower()
            words.append(f"log_path='{reports}/{name}'")
        result[variable] = ':'.join(words)
    return result


def reports_in(folder):
    """What sanitizers found, a text for each process"""
    texts = []
    for path in sorted(Path(folder).iterdir()):
        text = path.read_text(encoding='utf-8', errors='replace')
        if not all(map(WARNING.fullmatch, text.splitlines())):
            texts.append(text)
    return texts


def is_wanted(option):
    """Whether a word of a compile command means the same to gcc and clang, and
    leaves to the sanitizers what they look for"""
    return not option.startswith(('-W', '-fdiagnostics', '-ftrivial',
                                  '-fzero-call', '-O', '-M', '-fstack',
                                  '-fcf-protection'))


def edited(source, folder, edits):
    """A copy of a source in a folder, changed

    edits: pairs of a text that is there once, and what is to be in its place
    """
    text = source.read_text(encoding='utf-8')
    for old, new in edits:
        if text.count(old) != 1:
            raise RuntimeError(f'{source} has not once: {old}')
        text = text.replace(old, new)
    copy = folder / source.name
    copy.write_text(text, encoding='utf-8')
    return copy


class Builder:
    """Programs of one build of QEMU once more, in a folder of their own"""

    def __init__(self, qemu, folder, *, compiler='gcc', sanitize=True,
                 options=()):
        """qemu: QEMU's build directory
        folder: for what is built; it is there, and a file of the same name in
        it is replaced
        sanitize: whether what is compiled anew has sanitizers
        options: to compile with, beside those of sanitizers
        """
        self.qemu = Path(qemu).resolve()
        self.folder = Path(folder).resolve()
        self.compiler = compiler
        self.sanitize = SANITIZE if sanitize else ()
        self.options = [*self.sanitize, *options]
        self.built = {}     # object, by a digest of what makes it
        # Only QEMU's ninja knows what is in a response file.
        self.edges = {edge['output']: edge for edge in json.loads(
            self.run('ninja', '-t', 'compdb', '-x'))}

    def run(self, *command):
        """Runs a program of QEMU's build, and returns what it printed"""
        path = os.environ['PATH']
        if Path('/usr/lib/ccache').is_dir():
            path = f'/usr/lib/ccache:{path}'
        # As scripts/build-qemu: another checkout's objects are as good.
        env = {**os.environ, 'PATH': path, 'CCACHE_NOHASHDIR': '1',
               'CCACHE_BASEDIR': str(self.qemu.parent)}
        result = subprocess.run(command, cwd=self.qemu, env=env, check=False,
                                capture_output=True, text=True,
                                errors='replace')
        if result.returncode:
            raise RuntimeError(f'{shlex.join(map(str, command))}\n'
                               f'{result.stdout}{result.stderr}')
        return result.stdout

    def targets(self, prefix):
        """The programs of QEMU's build whose names begin so"""
        return [name for name, edge in self.edges.items()
                if name.startswith(prefix) and ' -c ' not in edge['command']
                and '.' not in Path(name).name]

    def source(self, edge):
        """What a compile command compiles, as QEMU's tree calls it, or as
        QEMU's build directory does if it was generated there"""
        path = (self.qemu / edge['file']).resolve()
        for top in ((self.qemu / '../src').resolve(), self.qemu):
            if path.is_relative_to(top):
                return str(path.relative_to(top))
        return str(path)

    def objects(self, target):
        """Objects of a program or a library: name -> source

        Those of a library that is linked, too
        """
        found = {}
        for word in shlex.split(self.edges[target]['command']):
            edge = self.edges.get(word)
            if edge and word.endswith('.o'):
                found[word] = self.source(edge)
            elif edge and word.endswith('.a') and word != target:
                found.update(self.objects(word))
        return found

    def compile_command(self, name, replaced):
        """The command that compiles an object's source, without -o"""
        words = shlex.split(self.edges[name]['command'])
        # Behind ccache or not, the compiler is the last word before options.
        first = next(i for i, word in enumerate(words) if word[0] == '-')
        options = []
        skip = False
        for word in words[first:words.index('-o')]:
            if skip or word in ('-MQ', '-MF'):
                skip = not skip
            elif is_wanted(word) and not self.is_empty_folder(word):
                options.append(word)
        source = words[-1]
        path = replaced.get(self.source(self.edges[name]))
        if path:
            options[:0] = ['-iquote', str((self.qemu / source).parent)]
            source = str(path)
        return [self.compiler, *options, '-w', '-O1', '-g1', '-fPIE',
                *self.options, '-c', source]

    def is_empty_folder(self, option):
        """Whether headers are looked for where none are: each program has a
        folder of its own, and many are made of the same sources"""
        return option.startswith('-I') and option.endswith('.p') and \
            not any((self.qemu / option[2:]).glob('*.h'))

    def compile(self, names, replaced):
        """Compiles objects, by their names, and returns the new ones"""
        objects, jobs = {}, []
        for name in names:
            command = self.compile_command(name, replaced)
            digest = hashlib.sha256('\0'.join(command).encode())
            # Another text may be in the same file.
            if self.source(self.edges[name]) in replaced:
                digest.update(Path(command[-1]).read_bytes())
            key = digest.hexdigest()
            if key not in self.built:
                self.built[key] = self.folder / f'{key[:16]}.o'
                jobs.append([*command, '-o', self.built[key]])
            objects[name] = str(self.built[key])
        with ThreadPoolExecutor(JOBS) as pool:
            for _ in pool.map(lambda job: self.run(*job), jobs):
                pass
        return objects

    def program(self, target, is_chosen, *, link_options=(), replaced=None,
                folder=None):
        """Builds a program and returns it, and the sources compiled anew

        target: as QEMU's ninja calls it
        is_chosen: whether a source, by its name in QEMU's tree, is one of them
        replaced: files to compile instead of sources, by the names of these
        folder: where to put the program, if not in the Builder's folder
        """
        self.run('ninja', target)
        chosen = {name: source
                  for name, source in self.objects(target).items()
                  if is_chosen(source)}
        objects = self.compile(chosen, replaced or {})
        link = shlex.split(self.edges[target]['command'])
        first = next(i for i, word in enumerate(link) if word[0] == '-')
        link = [objects.pop(word, word) for word in link[first:]]
        program = (folder or self.folder) / Path(target).name
        link[link.index('-o') + 1] = str(program)
        # What is left is of libraries, and would come from there otherwise.
        static = STATIC if self.sanitize and self.compiler == 'gcc' else ()
        self.run(self.compiler, *self.sanitize, *static, *link_options,
                 *objects.values(), *link)
        return program, sorted(set(chosen.values()))
