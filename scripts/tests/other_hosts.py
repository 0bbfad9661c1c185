# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Compiles the project's files as for hosts that nobody here has.

The commands are those of BUILD/qemu, with another compiler, another
config-host.h and other headers. Nothing is written but to a temporary
directory.
"""

from concurrent.futures import ThreadPoolExecutor
import json
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import tempfile

from qemu_hvc.paths import FetchError, fetch
from qemu_hvc.tap import Skip

OURS = re.compile(r'src/(target/arm/hvc/|hw/arm/hvc/|migration/guest-abi|'
                  r'migration/kernel-floor|migration/nearest-name|'
                  r'target/i386/xsave-(check|mask))[^/]*\.c$')
FILES_MIN = 20

# Of config-host.h, what another processor may not have
PROCESSOR = re.compile(r'#define CONFIG_(INT128|ATOMIC|CMPXCHG|AVX|CPUID|'
                       r'PCLMUL|VALGRIND)')
# Of config-host.h, what says that this is Linux
SYSTEM = re.compile(r'#define CONFIG_LINUX\b')
# What not every host of QEMU has, so that it may only be used under
# CONFIG_LINUX: functions, and macros
NOT_EVERYWHERE = ('pread', 'pwrite', 'openat', 'fork', 'mmap', 'munmap')
MACROS_NOT_EVERYWHERE = ('O_CLOEXEC', 'O_NONBLOCK')
# A warning, or an error, where the processor cannot do it
PROCESSOR_OPTIONS = re.compile(r'-m|-fzero-call-used-regs')


def our_commands(qemu):
    """How each of the files is compiled: command and directory, by file"""
    entries = json.loads((qemu / 'compile_commands.json').read_text(
        encoding='utf-8'))
    found = {}
    for entry in entries:
        name = OURS.search(entry['file'])
        if name:
            found.setdefault(name[0], (shlex.split(entry['command']),
                                       entry['directory']))
    if len(found) < FILES_MIN:
        raise RuntimeError(f'{qemu}/compile_commands.json has {len(found)} '
                           f'of the files; needed: at least {FILES_MIN}')
    return found


def without(command, *options):
    """COMMAND less what it says of its output"""
    result = []
    rest = iter(command)
    for word in rest:
        if word in options:
            next(rest)
        elif word != '-MD':
            result.append(word)
    return result


def syntax_only(command, shim):
    """The command of a compiler that only looks at the file"""
    if Path(command[0]).name == 'ccache':
        command = command[1:]
    command = without(command, '-o', '-MQ', '-MF')
    return [command[0], '-fsyntax-only', '-iquote', str(shim), *command[1:]]


def run_all(commands):
    """Yields the first errors of each file that cannot be compiled."""
    def errors(item):
        name, (command, directory) = item
        result = subprocess.run(command, cwd=directory, text=True,
                                capture_output=True, check=False)
        lines = [line for line in result.stderr.splitlines()
                 if 'error:' in line] or result.stderr.splitlines()
        return [f'{name}: {line}' for line in lines[:5]] \
            if result.returncode else []

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for problems in pool.map(errors, commands.items()):
            yield from problems


def write_config(qemu, shim, leave_out):
    """A config-host.h in SHIM without some of its lines"""
    lines = (qemu / 'config-host.h').read_text(encoding='utf-8').splitlines()
    (shim / 'config-host.h').write_text(
        '\n'.join(line for line in lines if not leave_out.match(line)) + '\n',
        encoding='utf-8')


def not_linux(qemu):
    """A host without CONFIG_LINUX, such as Windows"""
    words = (*NOT_EVERYWHERE, *MACROS_NOT_EVERYWHERE)
    with tempfile.TemporaryDirectory() as folder:
        shim = Path(folder)
        write_config(qemu, shim, SYSTEM)
        (shim / 'qemu').mkdir()
        (shim / 'qemu/osdep.h').write_text(
            '#include_next "qemu/osdep.h"\n'
            + ''.join(f'#undef {word}\n' for word in MACROS_NOT_EVERYWHERE)
            + f'#pragma GCC poison {" ".join(words)}\n', encoding='utf-8')
        yield from run_all({
            name: (syntax_only(command, shim), directory)
            for name, (command, directory) in our_commands(qemu).items()})


def for_processor(command, compiler, triple, processor, sysroot):
    """The command for another processor, with headers of SYSROOT"""
    result = list(compiler)
    for word in command[1:]:
        if PROCESSOR_OPTIONS.match(word):
            continue
        word = re.sub(r'^-I/usr/lib/[^/]+/', f'-I{sysroot}/usr/lib/{triple}/',
                      word)
        word = re.sub(r'^-I/usr/include', f'-I{sysroot}/usr/include', word)
        word = re.sub(r'/host/include/(?!generic$)[^/]+$',
                      f'/host/include/{processor}', word)
        word = re.sub(r'/tcg/[^/]+$', f'/tcg/{processor}', word)
        result.append(word)
    return [result[0], f'--sysroot={sysroot}', *result[1:]]


def other_processor(qemu, compiler, architecture, triple, processor):
    """Debian's ARCHITECTURE as the host"""
    if not shutil.which(compiler[0]):
        raise Skip(f'{compiler[0]} is not installed; run scripts/setup')
    probe = subprocess.run([*compiler, '-fsyntax-only', '-x', 'c',
                            os.devnull], capture_output=True, check=False)
    if probe.returncode:
        raise Skip(f'{" ".join(compiler)} does not work here')
    try:
        sysroot = fetch('headers', architecture)
    except FetchError as error:
        raise Skip(str(error)) from None
    with tempfile.TemporaryDirectory() as folder:
        shim = Path(folder)
        write_config(qemu, shim, PROCESSOR)
        yield from run_all({
            name: (for_processor(syntax_only(command, shim), compiler, triple,
                                 processor, sysroot), directory)
            for name, (command, directory) in our_commands(qemu).items()})


def of_32_bits(qemu):
    return other_processor(qemu, ['gcc', '-m32'], 'i386', 'i386-linux-gnu',
                           'i386')


def big_endian(qemu):
    return other_processor(qemu, ['s390x-linux-gnu-gcc'], 's390x',
                           's390x-linux-gnu', 's390x')
