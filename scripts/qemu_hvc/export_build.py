# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Builds what scripts/export writes."""

from pathlib import Path
import shutil
import subprocess
import sys
import time

from . import series as qemu_series
from .paths import MESON, ROOT, SCRIPTS, TESTS
from .tree import TreeError, copy_source

BUILD_FILE = 'tests/qtest/hvc/meson.build'
# Marks of directories that export made, and may empty
COMMITS_MARK = '.export-commits'
PACKAGE_MARK = '.export-package'
SUITES = ('unit', 'qtest', 'guest')


def say(text):
    print(f'export: {text}', file=sys.stderr, flush=True)


def step(text):
    say(f'==> {text}')


def check_empty(path):
    if path.exists() and not path.is_dir():
        raise TreeError(f'{path} is not a directory; name one that is empty '
                        'or not there yet')
    if path.is_dir() and any(path.iterdir()):
        raise TreeError(f'{path} is not empty; delete what is in it, or name '
                        'another directory')


def empty_directory(path):
    check_empty(path)
    path.mkdir(parents=True, exist_ok=True)


def check_elsewhere(source, directory):
    """TreeError if DIRECTORY and the source are not apart"""
    source = source.resolve()
    if directory == source or directory in source.parents or \
       source in directory.parents:
        raise TreeError(f'{directory} is in the source, {source}, or the '
                        'source in it; name a directory elsewhere')


def is_package(path):
    return (path / 'debian/patches/series').is_file() and \
        (path / 'debian/changelog').is_file()


def build_commits(source, build, kvm):
    """Builds after each commit, incrementally."""
    check_elsewhere(source, build)
    commits = qemu_series.read_series(source)[1]
    tree = build / 'src'
    if not (build / COMMITS_MARK).exists():
        empty_directory(build)
        copy_source(source, tree)
        (build / COMMITS_MARK).touch()
    for count, commit in enumerate(commits, 1):
        step(f'building commit {count} of {len(commits)}: {commit.subject}')
        start = time.monotonic()
        qemu_series.lay(source, tree, commits, count)
        command = [SCRIPTS / 'build-qemu', '--as-is', build]
        if not (tree / BUILD_FILE).is_file():
            command.insert(2, '--emulators')
        log = build / f'{count}.log'
        with log.open('w', encoding='utf-8') as output:
            status = subprocess.run(command, check=False, stdout=output,
                                    stderr=subprocess.STDOUT).returncode
        if status:
            raise TreeError(f'commit {count}, "{commit.subject}", does not '
                            f'build; see {log}, and put the files that it '
                            'needs into it or into an earlier one')
        if kvm:
            build_for_kvm(build, tree)
        say(f'built in {time.monotonic() - start:.0f} s')


def build_for_kvm(build, tree):
    # Imported here: the lab needs a cross compiler.
    from .lab.common import LabError
    from .lab.qemu_build import build_tree
    try:
        build_tree(tree, build / 'kvm')
    except LabError as error:
        raise TreeError(str(error)) from None


def run(text, *command):
    """Runs a program that prints its own errors."""
    step(text)
    try:
        status = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise TreeError(f'{text}: {error}; run scripts/setup') from error
    if status:
        raise TreeError(f'{text}: {Path(command[0]).name} failed; see above')


def build_package(source, directory, export):
    """Builds QEMU of a source package with the series, and tests it.

    @export writes the series into a package. The package and the build that
    are there from the last time go: patches that are taken back and applied
    again would have everything built again, too.
    """
    check_elsewhere(source, directory)
    package = directory / 'package'
    build = directory / 'build'
    trees = [tree for tree in (package, build) if tree.exists()]
    if not (directory / PACKAGE_MARK).exists():
        check_empty(directory)
    if not is_package(source) or not (source / '.pc').is_dir():
        raise TreeError(f'{source} is not an unpacked source package of '
                        'Debian; needed: debian/patches and what they were '
                        'applied with, .pc; unset QEMU_SRC, or set it to one')
    for tree in trees:
        step(f'deleting {tree}, which is of the last time')
        shutil.rmtree(tree)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PACKAGE_MARK).touch()
    step(f'copying {source} to {package}')
    shutil.copytree(source, package, symlinks=True)
    run("taking Debian's patches back", 'dpkg-source', '--after-build',
        '--unapply-patches', package)
    export(source, package)
    run('applying all patches, as building the package does', 'dpkg-source',
        '--before-build', package)
    build.mkdir()
    (build / 'src').symlink_to(package)
    run('configuring the build', MESON, 'setup', build, ROOT)
    run('building', MESON, 'compile', '-C', build)
    step(f'running the suites {", ".join(SUITES)}')
    # "meson test" may fail: summary.py names the failed tests, and counts.
    subprocess.run([MESON, 'test', '-C', build, '--print-errorlogs',
                    *(word for suite in SUITES
                      for word in ('--suite', suite))], check=False)
    if subprocess.run([TESTS / 'run', 'results', build],
                      check=False).returncode:
        raise TreeError('what was built of the package does not pass the '
                        'tests above; needed: that all pass; see '
                        f'{build}/meson-logs/testlog.txt')
