# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests the options of scripts/run, and what it refuses before a boot; prints
TAP.

The kernel is made up: none of these runs gets as far as booting it.
"""

import os
from pathlib import Path
import subprocess
import tempfile
import unittest

from qemu_hvc import tap
from qemu_hvc.paths import SCRIPTS

TOOL = SCRIPTS / 'run'
PATIENCE_S = 100
FAKE_QEMU = """#!/bin/sh
for word; do echo "word: $word" >&2; done
exit 3
"""


class Run(unittest.TestCase):
    """A cache with all that is needed, a kernel, and a QEMU that only prints"""

    build = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        busybox = self.program('cache/qemu-hvc/busybox/busybox', '#!/bin/sh\n')
        self.assertTrue(os.access(busybox, os.X_OK))
        self.kernel = self.folder / 'Image'
        self.kernel.write_bytes(bytes(0x38) + b'ARM\x64' + bytes(68))
        self.fake = self.program('fake-qemu', FAKE_QEMU)
        self.qemu = self.build / 'qemu/qemu-system-aarch64'

    def program(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
        path.chmod(0o755)
        return path

    def run_tool(self, *arguments):
        """Status, and the lines of standard error"""
        result = subprocess.run(
            [TOOL, *map(str, arguments)], text=True, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S,
            env={**os.environ, 'XDG_CACHE_HOME': str(self.folder / 'cache')})
        return result.returncode, result.stderr.splitlines()

    def words(self, *arguments):
        """QEMU's command line, without what differs between two runs"""
        _, lines = self.run_tool(f'--kernel={self.kernel}', '--qemu',
                                 self.fake, *arguments)
        words = [line.removeprefix('word: ') for line in lines
                 if line.startswith('word: ')]
        self.assertGreater(len(words), 10, lines)
        return [word for word in words
                if not word.startswith(('console=', 'socket,'))]

    def refusal(self, *arguments):
        """The one line by which this project's QEMU is not booted"""
        status, lines = self.run_tool('--qemu', self.qemu, *arguments)
        self.assertEqual(status, 1)
        errors = [line for line in lines if not line.startswith('run: ==> ')]
        self.assertEqual(len(errors), 1, lines)
        return errors[0]

    def test_option_and_value_may_be_one_word(self):
        for option, value, found in (
                ('--services', 'linux-6.1:-ptp',
                 'virt,hvc-services=linux-6.1:-ptp'),
                ('--psci-version', '1.3',
                 'virt,hvc-services=linux-6.12,psci-version=1.3'),
                ('--machine', 'virt-10.0', 'virt-10.0'),
                ('--cpu', 'cortex-a53', 'cortex-a53'),
                ('--smp', '3', '3')):
            with self.subTest(option):
                words = self.words(f'{option}={value}')
                self.assertIn(found, words)
                self.assertEqual(words, self.words(option, value))

    def test_value_may_have_an_equals_sign(self):
        self.assertIn('virt,gic-version=3',
                      self.words('--machine=virt,gic-version=3'))

    def test_words_behind_two_dashes_are_of_qemu(self):
        self.assertIn('--services=x', self.words('--', '--services=x'))

    def test_option_without_value(self):
        for arguments in (['--services'], ['--services='], ['--cpu', '']):
            status, lines = self.run_tool(*arguments)
            option = arguments[0].rstrip('=')
            self.assertEqual((status, lines), (1, [
                f'run: error: {option} without a value; needed: {option} '
                'VALUE; see scripts/run --help']))

    def test_value_where_there_is_none(self):
        for option in '--shell', '--verbose', '--help':
            status, lines = self.run_tool(f'{option}=yes')
            self.assertEqual((status, lines), (1, [
                f'run: error: {option} with a value; needed: {option} alone; '
                'see scripts/run --help']))

    def test_cpu_without_aarch64_is_refused(self):
        for shell in [], ['--shell']:
            self.assertEqual(
                self.refusal('--kernel', self.kernel, '--cpu=cortex-a15',
                             *shell),
                "run: error: CPU 'cortex-a15' does not run AArch64 code, "
                'which an arm64 kernel is; needed: a model such as max or '
                'cortex-a57; give another --cpu')

    def test_another_board_is_refused(self):
        for machine in 'raspi3b', 'sbsa-ref':
            self.assertEqual(
                self.refusal('--kernel', self.kernel, '--machine', machine,
                             '--cpu=cortex-a57' if machine == 'sbsa-ref' else
                             '--cpu=cortex-a53', '--smp=4', '--',
                             *(['-m', '1G'] if machine == 'raspi3b' else [])),
                f"run: error: machine '{machine}' is not one that the kernel "
                'can boot on here; needed: virt, or a type such as virt-10.0 '
                'or virt-hvc-10.0; give another --machine')

    def test_what_is_no_kernel_is_refused(self):
        self.assertEqual(
            self.refusal('--kernel', TOOL),
            f'run: error: --kernel {TOOL} is not an arm64 kernel; needed: an '
            'Image, compressed or not; correct it')


def main():
    Run.build = tap.arguments(__doc__, build=True).build.resolve()
    return tap.run(Run)
