# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests scripts/fetch where it has nothing to download; prints TAP.

With a cache that cannot be written, which is made up, without a mirror, and with
QEMU_SRC.
"""

import os
from pathlib import Path
import subprocess
import tempfile
import unittest

from qemu_hvc import tap
from qemu_hvc.paths import SCRIPTS

TOOL = SCRIPTS / 'fetch'
# What to fetch, and where a cache has it
COMPLETE = (
    (['source'], 'source/qemu_10.0.0'),
    (['source', '10.0'], 'source/qemu_10.0.0'),
    (['source', '10.2'], 'source-10.2/qemu_10.2.0'),
    (['kernel', '6.1'], 'kernel/6.1/6.1.0-1'),
    (['kernel', '6.12'], 'kernel/6.12/6.12.1'),
    (['busybox'], 'busybox/busybox'),
    (['busybox', 'amd64'], 'busybox-amd64/busybox'),
    (['lab-kernel', '6.16'], 'lab-kernel/6.16/6.16.1'),
    (['lab-sysroot'], 'lab-sysroot/bookworm-2'),
    (['lab-python'], 'lab-python/bookworm-1'),
    (['promtool'], 'promtool/promtool'),
    (['nova-schema'], 'nova-schema/provider_config.py'),
)
# The rest of what can be fetched
OTHERS = (['qemu-debian'], ['qemu-debian', 'x86_64', 'bookworm'],
          ['libvirt', '9.0'], ['libvirt', '11.3'], ['lab-kernels'],
          ['lab-kernel', '6.12', 'amd64'], ['headers', 'i386'])
# Fails at once, where a network would be tried again.
NO_MIRROR = 'file:///nowhere/debian'
# A mount of its own: the superuser writes to any directory but one of a
# read-only file system.
AS_ROOT = () if os.geteuid() == 0 else ('--map-root-user',)
READ_ONLY = ('unshare', *AS_ROOT, '--mount', 'sh', '-c',
             'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && '
             'shift && exec "$@"', 'sh')


class Source(unittest.TestCase):
    """Which source QEMU_SRC may name"""

    def fetched(self, version, *series):
        with tempfile.TemporaryDirectory() as folder:
            if version:
                (Path(folder) / 'VERSION').write_text(f'{version}\n')
            result = subprocess.run(
                [TOOL, 'source', *series], text=True, capture_output=True,
                check=False, env={**os.environ, 'QEMU_SRC': folder})
            return result.stdout.replace(folder, 'DIR'), \
                result.stderr.replace(folder, 'DIR')

    def test_version_says_which_series(self):
        for version in ('10.0.5', '10.2.0'):
            self.assertEqual(self.fetched(version), ('DIR\n', ''))
            self.assertEqual(self.fetched(version, version[:-2]),
                             ('DIR\n', ''))

    def test_another_series(self):
        self.assertEqual(self.fetched('10.0.5', '10.2'), (
            '', 'fetch: error: QEMU_SRC=DIR: QEMU 10.0.5; needed: a source '
            "tree of QEMU 10.2; correct it, or unset it to use Debian's\n"))

    def test_no_series(self):
        for version, found in (('9.2.1', 'QEMU 9.2.1'),
                               ('10.20.1', 'QEMU 10.20.1'),
                               ('11.0', 'QEMU 11.0'), ('?', 'QEMU ?'),
                               (None, 'no VERSION file')):
            self.assertEqual(self.fetched(version), (
                '', f'fetch: error: QEMU_SRC=DIR: {found}; needed: a source '
                "tree of QEMU 10.0 or 10.2; correct it, or unset it to use "
                "Debian's\n"))


class ReadOnlyCache(unittest.TestCase):
    """Each test point has a cache of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = Path(folder.name) / 'qemu-hvc'
        self.cache.mkdir()
        try:
            self.run_read_only('true', check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.skipTest(f'no read-only mounts for this user: {error}')

    def run_read_only(self, *command, check=False):
        env = {name: value for name, value in os.environ.items()
               if name != 'QEMU_SRC'}
        return subprocess.run(
            [*READ_ONLY, self.cache, *command], text=True, check=check,
            capture_output=True,
            env={**env, 'XDG_CACHE_HOME': str(self.cache.parent)})

    def test_complete_cache_works(self):
        for what, name in COMPLETE:
            with self.subTest(what):
                path = self.cache / name
                path.mkdir(parents=True, exist_ok=True)
                result = self.run_read_only(TOOL, *what)
                self.assertEqual((result.returncode, result.stderr), (0, ''))
                self.assertEqual(result.stdout, f'{path}\n')

    def test_incomplete_cache_is_one_error(self):
        for what, _ in COMPLETE:
            with self.subTest(what):
                result = self.run_read_only(TOOL, *what)
                self.assertEqual((result.returncode, result.stdout), (1, ''))
                self.assertRegex(
                    result.stderr,
                    f'^fetch: error: {self.cache} has no [^;]* and cannot be '
                    'written; needed: a cache that has it or can be written; '
                    'set XDG_CACHE_HOME to one\n$')

    def test_cache_is_not_there_and_cannot_be_made(self):
        result = self.run_read_only(
            'env', f'XDG_CACHE_HOME={self.cache}/none', TOOL, 'busybox')
        self.assertEqual(result.returncode, 1)
        self.assertIn('and cannot be written; needed: ', result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1)


class NoMirror(unittest.TestCase):

    def test_each_download_is_one_error(self):
        with tempfile.TemporaryDirectory() as folder:
            env = {name: value for name, value in os.environ.items()
                   if name != 'QEMU_SRC'}
            env.update(XDG_CACHE_HOME=folder, QEMU_HVC_MIRROR=NO_MIRROR)
            for what in [*(what for what, _ in COMPLETE), *OTHERS]:
                with self.subTest(what):
                    result = subprocess.run([TOOL, *what], text=True,
                                            capture_output=True, env=env,
                                            check=False)
                    self.assertEqual((result.returncode, result.stdout),
                                     (1, ''))
                    self.assertIn('fetch: error: ',
                                  result.stderr.splitlines()[-1])
                    self.assertIn(NO_MIRROR, result.stderr)


def main():
    tap.arguments(__doc__)
    return tap.run(ReadOnlyCache, NoMirror, Source)
