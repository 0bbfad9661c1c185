# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Compiles the project's files one by one with the headers of another QEMU.

Nothing has to be ported before: the other QEMU is configured as it is, without
patches, and each file is compiled by the command of a file of QEMU's that lies
next to it. What the build would generate for this project, it gets here, and
QEMU's C files and headers have the hunks that apply.
"""

from concurrent.futures import ThreadPoolExecutor
import json
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys

from .. import tree as qemu_tree
from ..paths import MESON, ROOT
from ..tree import TreeError

OPTIONS = ('--target-list=aarch64-softmmu,x86_64-softmmu', '--disable-docs',
           '--disable-install-blobs', '--without-default-features',
           '--enable-tcg', '--enable-kvm', '--enable-fdt=system',
           '--enable-tools')
# Of our files, those that are no C and that programs of QEMU's read
SCHEMAS = re.compile(r'qapi/[^/]+\.json$')
TRACE_EVENTS = 'trace-events'
# What only a QEMU for arm64 compiles, with Linux's headers for it
KVM_ARM64 = re.compile(r'target/arm/hvc/kvm-(host|psci|vcpu)\.c$')
ARM64_HEADERS = Path('/usr/aarch64-linux-gnu/include')
# No programs of this host: a guest's, or of another language
NOT_COMPILED = re.compile(r'(^|/)(guest|fuzz)/|-a64\.S$')
# By the command of which file of QEMU's, for files of a folder
NEIGHBOURS = {
    'hw/arm/': 'hw/arm/virt.c',
    'migration/': 'migration/migration.c',
    'target/arm/': 'target/arm/tcg/op_helper.c target/arm/op_helper.c '
                   'target/arm/helper.c',
    'target/i386/': 'target/i386/cpu.c',
    'tests/qtest/': 'tests/qtest/libqtest.c',
}
# Tests include what lies there, from folders below it
TESTS = 'tests/qtest'
ERROR = re.compile(r'^(.*?):(\d+):\d+: (?:fatal )?error: (.*)')
ERRORS_SHOWN = 3


def run(folder, *command):
    result = subprocess.run(command, cwd=folder, text=True,
                            capture_output=True, check=False)
    if result.returncode:
        lines = (result.stdout + result.stderr).strip().splitlines()
        raise TreeError(f'{Path(command[0]).name} failed in {folder}: ' +
                        ' / '.join(lines[-3:]))
    return result.stdout


def copy(source, tree):
    """The source, without patches, and our files beside its own"""
    if not tree.exists():
        qemu_tree.copy_source(source, tree)
    for ours, name in qemu_tree.overlay_names().items():
        path = tree / name
        data = (ROOT / ours).read_bytes()
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def configure(tree, out):
    """Configures QEMU and generates its headers"""
    if not (out / 'compile_commands.json').is_file():
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        # Before QEMU 8.1 configure looks for a Meson in QEMU's own tree.
        text = (tree / 'configure').read_text(encoding='utf-8')
        run(out, tree / 'configure', *OPTIONS, f'--meson={MESON}'
            if '--meson=' in text else '--python=/usr/bin/python3')
    targets = run(out, 'ninja', '-t', 'targets', 'all').splitlines()
    headers = [name for name, _, rule in
               (line.partition(': ') for line in targets)
               if name.endswith('.h') and rule == 'CUSTOM_COMMAND']
    run(out, 'ninja', *headers)


def generate(tree, folder):
    """(file, list of errors) for each of our files that are no C"""
    python = sys.executable
    shutil.rmtree(folder, ignore_errors=True)
    (folder / 'trace').mkdir(parents=True)
    schema = tree / 'qapi/port-schema.json'
    commands = []
    for name in qemu_tree.overlay_names().values():
        if SCHEMAS.match(name):
            commands.append((name, tree / 'qapi', (
                tree / 'scripts/qapi-gen.py', '-o', folder / 'qapi', schema)))
        elif Path(name).name == TRACE_EVENTS:
            # As meson.build calls it
            group = re.sub(r'[/-]', '_', str(Path(name).parent))
            commands.append((name, tree, (
                tree / 'scripts/tracetool.py', '--backend=log',
                f'--group={group}', '--format=h', tree / name,
                folder / f'trace/trace-{group}.h')))
    for name, where, command in commands:
        schema.write_text("{ 'include': 'pragma.json' }\n"
                          f"{{ 'include': '{Path(name).name}' }}\n",
                          encoding='utf-8')
        result = subprocess.run([python, *command], cwd=where, text=True,
                                capture_output=True, check=False)
        yield name, [line.removeprefix(f'{tree}/') for line in
                     result.stderr.splitlines()[-1:]] \
            if result.returncode else []
    schema.unlink()


def arm64_headers(tree, folder):
    """<asm/...> of arm64: the tree's own, and what these include"""
    asm = folder / 'arm64/asm'
    shutil.rmtree(asm.parent, ignore_errors=True)
    asm.mkdir(parents=True)
    for top in (ARM64_HEADERS / 'asm', tree / 'linux-headers/asm-arm64'):
        for header in sorted(top.glob('*.h')):
            link = asm / header.name
            link.unlink(missing_ok=True)
            link.symlink_to(header)
    return asm.parent


def neighbour(name, commands):
    """The command of the file of QEMU's whose place is nearest"""
    if name in commands:
        return commands[name]
    for folder, files in NEIGHBOURS.items():
        if name.startswith(folder):
            for file in files.split():
                if file in commands:
                    return commands[file]
    return None


def read_commands(tree, out):
    """Directory and words of each command, by the file's name in the tree

    Of files that are compiled for each target, that for aarch64.
    """
    found = {}
    for entry in json.loads((out / 'compile_commands.json').read_text(
            encoding='utf-8')):
        path = os.path.normpath(os.path.join(entry['directory'],
                                             entry['file']))
        name = os.path.relpath(path, tree)
        if name not in found or 'aarch64' in entry['output']:
            found[name] = entry['directory'], shlex.split(entry['command'])
    return found


def syntax_only(words, path, generated, first):
    """A command that looks at one file, and writes nothing"""
    result = []
    rest = iter(words)
    for word in rest:
        if word in ('-o', '-MF', '-MQ', '-c'):
            next(rest)
        elif word != '-MD':
            result.append(word)
    if result[0].endswith('ccache'):
        del result[0]
    return [result[0], '-fsyntax-only', '-Werror', '-fmax-errors=20', *first,
            f'-I{generated}', f'-I{generated}/qapi', f'-iquote{path.parent}',
            *(f'-iquote{folder}' for folder in path.parents
              if folder.match(TESTS)), *result[1:], str(path)]


def own_files():
    """The files of ours that compile_all() looks at, as QEMU's tree has them"""
    return [name for name in qemu_tree.overlay_names().values()
            if (name.endswith('.c') and not NOT_COMPILED.search(name)) or
            SCHEMAS.match(name) or Path(name).name == TRACE_EVENTS]


def compile_all(tree, out, patched):
    """(file, list of errors) for each file of ours that QEMU would compile, and
    for each of its own that is patched"""
    commands = read_commands(tree, out)
    generated = out / 'ours'
    yield from generate(tree, generated)
    arm64 = arm64_headers(tree, generated)
    jobs = []
    for name in [*own_files(),
                 *(name for name in sorted(patched) if name in commands)]:
        if not name.endswith('.c'):
            continue
        command = neighbour(name, commands)
        if command is None:
            yield name, ["none of QEMU's files is compiled that is near"]
            continue
        first = [f'-I{arm64}', '-DCONFIG_KVM'] if KVM_ARM64.search(name) else []
        jobs.append((name, command[0], syntax_only(
            command[1], tree / name, generated, first)))

    def errors(job):
        name, directory, command = job
        result = subprocess.run(command, cwd=directory, text=True,
                                capture_output=True, check=False)
        if not result.returncode:
            return name, []
        found = []
        for line in result.stderr.splitlines():
            match = ERROR.match(line)
            if match:
                path = os.path.normpath(os.path.join(directory, match[1]))
                found.append(f'{os.path.relpath(path, tree)}:{match[2]}: '
                             f'{match[3]}')
        return name, found or result.stderr.splitlines()[-1:]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(errors, jobs)


def lay(patched, tree):
    """Puts into the copy what the patches made of QEMU's C files, as far as they
    apply. Its build files stay as they are: it has to be configured."""
    for name in patched.changed:
        if name.endswith(('.c', '.h')):
            (tree / name).write_text('\n'.join(patched.lines(name)) + '\n',
                                     encoding='utf-8',
                                     errors='surrogateescape')


def check(patched, folder):
    """The same, of a hunks.Source; FOLDER gets a copy of it and its build"""
    tree = (folder / 'src').resolve()
    out = (folder / 'qemu').resolve()
    copy(patched.top, tree)
    configure(tree, out)
    lay(patched, tree)
    return list(compile_all(tree, out, patched.changed))
