# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Checks the sources against the project's rules; prints TAP.

QEMU's own scripts/checkpatch.pl on every C file and patch, the lines of
licence and copyright in every file, the size of the series that calls us, the
form of the corrections of QEMU's own defects, the manual's tables against the
code's, pyflakes on every Python file, mypy on the package, imports that go in no
circle, and a compiler for hosts that are not like this one.
"""

import ast
from concurrent.futures import ThreadPoolExecutor
from functools import partial
import os
from pathlib import Path
import re
import subprocess

from qemu_hvc import tap
from qemu_hvc import tree as qemu_tree
from qemu_hvc.paths import ROOT, SCRIPTS
import other_hosts

SPDX = 'SPDX-License-Identifier: GPL-2.0-or-later'
COPYRIGHT = re.compile(r'Copyright \(c\) \d{4}(-\d{4})? qemu-hvc contributors')
# What programs of the project write
WRITTEN = ('.svg', '.rst.inc', '.txt')
# The licence, and formats without comments. A patch is of QEMU's files.
NO_SPDX = {'COPYING'}
NO_COMMENTS = ('.patch', '.json')
SERIES_MAX_INSERTED = 45
PATCH_MAX_INSERTED = 15
QAPI_COLUMNS = 70
# The first words of a Python program
PYTHON = '#!/usr/bin/python3'
# The manual's tables, and the programs of QEMU's build that print them
TABLES = {'docs/system/arm/hvc-services-table.rst.inc': 'hvc-services-table',
          'docs/system/arm/hvc-floors-table.rst.inc': 'kernel-floor-table'}


def tracked_files():
    result = subprocess.run(['git', '-C', ROOT, 'ls-files', '-z'],
                            capture_output=True, text=True, check=False)
    if result.returncode:
        # Not a checkout: a release archive, without build directories.
        return sorted(str(p.relative_to(ROOT)) for p in ROOT.rglob('*')
                      if p.is_file() and
                      not p.relative_to(ROOT).parts[0].startswith('build'))
    return [name for name in result.stdout.split('\0')
            if name and (ROOT / name).is_file()]


def missing_licence(files):
    for name in files:
        if name in NO_SPDX or name.endswith(NO_COMMENTS):
            continue
        head = (ROOT / name).read_text(encoding='utf-8').splitlines()[:6]
        if not any(SPDX in line for line in head[:5]):
            yield f'{name}: no line "{SPDX}" among the first five'
        if not name.endswith(WRITTEN) and name != 'AUTHORS' and \
           not any(COPYRIGHT.search(line) for line in head):
            yield f'{name}: no line "Copyright (c) YEAR qemu-hvc ' \
                  'contributors" among the first six'


def checkpatch(tree, files):
    """QEMU's checkpatch on patches, and on sources where QEMU has them"""
    in_tree = qemu_tree.overlay_names()

    def lines(name):
        arguments = [ROOT / name] if name.endswith('.patch') else \
            ['-f', in_tree.get(name, ROOT / name)]
        return subprocess.run(
            ['perl', 'scripts/checkpatch.pl', '--no-tree', '--terse',
             '--no-summary', *arguments],
            cwd=tree, capture_output=True, text=True,
            check=False).stdout.splitlines()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lines, [name for name in files if
                                      name.endswith(('.patch', '.c', '.h'))]):
            yield from (line for line in found if not ignored(line))


def ignored(line):
    # MAINTAINERS is ours, not the one that checkpatch has in mind.
    return not re.search(r'(ERROR|WARNING):', line) or \
        'does MAINTAINERS need updating' in line


def patches_of(version, files, is_fix):
    """The patches of one series among the files, listed or not"""
    folder = f'qemu-patches/{version}'
    patches = [qemu_tree.Patch(ROOT / name) for name in files
               if name.startswith(f'{folder}/') and name.endswith('.patch')]
    return [patch for patch in patches if patch.is_fix == is_fix]


def patch_sizes(version, files):
    """Of the patches that call us"""
    total = 0
    for patch in patches_of(version, files, False):
        name = patch.path.relative_to(ROOT)
        inserted, removed = patch.changed_lines()
        total += len(inserted)
        if len(inserted) > PATCH_MAX_INSERTED:
            yield f'{name}: inserts {len(inserted)} lines, ' \
                  f'at most {PATCH_MAX_INSERTED} are allowed'
        if removed:
            yield f'{name}: removes or changes {len(removed)} lines, ' \
                  'patches may only add'
    if total > SERIES_MAX_INSERTED:
        yield f'qemu-patches/{version}: the series inserts {total} lines, ' \
              f'at most {SERIES_MAX_INSERTED} are allowed'


def bad_fixes(version, files):
    """Corrections of QEMU have no limit, but are to be fit for QEMU."""
    folder = qemu_tree.PATCHES / version
    listed = {patch.path for patch in qemu_tree.read_series(folder)}
    fixes = patches_of(version, files, True)
    lines = [patch.changed_lines() for patch in fixes]
    print(f'# {len(fixes)} corrections of QEMU {version}: '
          f'{sum(len(inserted) for inserted, _ in lines)} lines inserted, '
          f'{sum(len(removed) for _, removed in lines)} removed')
    for patch in fixes:
        name = patch.path.relative_to(ROOT)
        if patch.path not in listed:
            yield f'{name} is not in {name.parent}/series; add it or delete ' \
                  'the patch'
        header = patch.header()
        for wanted in ('Forwarded: ', 'Signed-off-by: '):
            if f'\n{wanted}' not in header:
                yield f'{name}: its message has no line "{wanted}..."'
        if len(header.split('\n\n')) < 3:
            yield f'{name}: its message does not say what is wrong and why'


def bad_qapi_comments(files):
    """What the generator of QEMU 10.2 refuses, and that of 10.0 takes"""
    for name in files:
        if not name.startswith('qapi/'):
            continue
        for number, line in enumerate((ROOT / name).read_text(
                encoding='utf-8').splitlines(), 1):
            if not line.startswith('# ') or '"hex"' in line:
                continue
            if len(line) > QAPI_COLUMNS:
                yield f'{name}:{number}: {len(line)} columns; at most ' \
                      f'{QAPI_COLUMNS}'
            if re.search(r'[a-z]{2}\. [A-Z]', line):
                yield f'{name}:{number}: one space between sentences; two'


def stale_table(build):
    """The manual's tables are what the code's tables print."""
    for table, program in TABLES.items():
        tool = build / 'qemu/tests/qtest/hvc' / program
        printed = subprocess.run([tool], capture_output=True, text=True,
                                 check=True).stdout
        if (ROOT / table).read_text(encoding='utf-8') != printed:
            yield f'{table} is not what the tables in code say; run ' \
                  f'{tool} >{table}'


def imported_modules(package, path):
    """The modules of a package that one of its files imports, by their names

    package: the folder that the package lies in
    path: the file
    """
    here = path.relative_to(package).with_suffix('').parts
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = here[:len(here) - node.level] + \
            tuple(node.module.split('.') if node.module else ())
        for name in node.names:
            for module in (base + (name.name,), base):
                if module and (package / Path(*module)).with_suffix(
                        '.py').is_file():
                    yield '.'.join(module)
                    break


def import_circles(package):
    """Modules that import themselves by way of others, or a test"""
    files = {'.'.join(path.relative_to(package).with_suffix('').parts): path
             for path in sorted(package.rglob('*.py'))}
    imports = {name: set(imported_modules(package, path))
               for name, path in files.items()}
    for name, path in files.items():
        reached, new = set(), {name}
        while new:
            new = set().union(*(imports[module] for module in new)) - reached
            reached |= new
        if name in reached:
            yield f'{path.relative_to(ROOT)} imports itself, by way of ' \
                  f'{", ".join(sorted(reached - {name}))}'
        if re.search(r'^ *(from|import) test_', path.read_text(
                encoding='utf-8'), re.M):
            yield f'{path.relative_to(ROOT)} imports a test'


def pyflakes(files):
    """Names in Python that nobody defines or uses, and other slips"""
    python = [name for name in files if name.endswith('.py') or (
        ROOT / name).read_text(encoding='utf-8').startswith(PYTHON)]
    yield from subprocess.run(
        ['/usr/bin/python3', '-m', 'pyflakes', *python], cwd=ROOT, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True).stdout.splitlines()


def types():
    """Types in Python, where functions say them. A pipe of a process is None to
    mypy as long as nobody asks for it."""
    result = subprocess.run(
        ['/usr/bin/python3', '-m', 'mypy', '--ignore-missing-imports',
         '--disable-error-code', 'union-attr', '--cache-dir', os.devnull,
         '--no-error-summary', '--package', 'qemu_hvc'],
        cwd=SCRIPTS, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    yield from result.stdout.splitlines()
    if result.returncode and not result.stdout:
        yield f'mypy ended with status {result.returncode}'


def main():
    build = tap.arguments(__doc__, build=True).build
    files = tracked_files()
    return tap.run_points([
        ('licence', partial(missing_licence, files)),
        ('checkpatch', partial(checkpatch, build / 'src', files)),
        *((f'patch-sizes-{version}', partial(patch_sizes, version, files))
          for version in qemu_tree.versions()),
        *((f'fixes-{version}', partial(bad_fixes, version, files))
          for version in qemu_tree.versions()),
        ('qapi-comments', partial(bad_qapi_comments, files)),
        ('manual-tables', partial(stale_table, build)),
        ('imports-run-one-way', partial(import_circles,
                                        SCRIPTS / 'qemu_hvc')),
        ('pyflakes', partial(pyflakes, files)),
        ('types', types),
        ('host-not-linux', partial(other_hosts.not_linux, build / 'qemu')),
        ('host-32-bits', partial(other_hosts.of_32_bits, build / 'qemu')),
        ('host-big-endian', partial(other_hosts.big_endian, build / 'qemu'))])
