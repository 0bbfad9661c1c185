# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests what scripts/update-golden writes, and what it never does; prints TAP.

Without a QEMU: what it would say is made up.
"""

import contextlib
import io
import json
from pathlib import Path
import tempfile
from types import SimpleNamespace
import unittest
from unittest import mock

from qemu_hvc import tap
from qemu_hvc.golden import differences, streams, types
from qemu_hvc.golden.update import update

RELEASED = {'name': 'virt-hvc-10.0', 'alias': 'virt-hvc', 'floor': 'linux-6.12'}


class UpdateGolden(unittest.TestCase):
    """A folder with one file, and a module that makes it"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / 'virt-hvc-10.0.txt'
        self.file.write_text('one\ntwo\n', encoding='utf-8')

    def update(self, text, problems=(), **mode):
        """The exit status, and what was printed"""
        module = SimpleNamespace(made=lambda build: {self.file: text},
                                 problems=lambda files: problems)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), \
             contextlib.redirect_stderr(printed):
            status = update(module, Path('build'), **mode)
        return int(status), printed.getvalue()

    def content(self):
        return self.file.read_text(encoding='utf-8')

    def test_what_changed_is_written(self):
        self.assertEqual(self.update('new\n'), (0, f'wrote {self.file}\n'))
        self.assertEqual(self.content(), 'new\n')

    def test_what_is_new_is_written(self):
        self.file.unlink()
        self.assertEqual(self.update('new\n')[0], 0)
        self.assertEqual(self.content(), 'new\n')

    def test_what_is_the_same_is_left_alone(self):
        self.assertEqual(self.update('one\ntwo\n'), (0, ''))

    def test_problem_keeps_it_from_writing(self):
        status, printed = self.update('new\n', ['it was released'])
        self.assertEqual((status, printed),
                         (1, 'update-golden: error: it was released\n'))
        self.assertEqual(self.content(), 'one\ntwo\n')

    def test_check_writes_nothing(self):
        status, printed = self.update('new\n', check=True)
        self.assertEqual(status, 1)
        self.assertIn(f'{self.file} is not what QEMU says', printed)
        self.assertEqual(self.content(), 'one\ntwo\n')
        self.assertEqual(self.update('one\ntwo\n', check=True), (0, ''))

    def test_print_writes_nothing(self):
        self.assertEqual(self.update('new\n', to_stdout=True), (0, 'new\n'))
        self.assertEqual(self.content(), 'one\ntwo\n')

    def test_differences_are_shown(self):
        self.assertEqual(differences(self.file, 'one\ntwo\n'), [])
        lines = differences(self.file, 'one\nthree\n')
        self.assertIn('-two', lines)
        self.assertIn('+three', lines)

    def test_released_stream_is_never_overwritten(self):
        problems = list(streams.problems({self.file: 'one\nthree\n'}))
        self.assertEqual(len(problems), 1)
        self.assertIn(f'or delete {self.file}', problems[0])
        self.assertEqual(list(streams.problems({self.file: 'one\ntwo\n'})), [])
        new = self.file.with_name('virt-hvc-11.0.txt')
        self.assertEqual(list(streams.problems({new: 'one\n'})), [])

    def test_released_type_is_never_overwritten(self):
        self.file.write_text(json.dumps([RELEASED]), encoding='utf-8')
        with mock.patch.object(types, 'FILE', self.file):
            for change, complaints in (
                    ({}, 0), ({'alias': None}, 0), ({'floor': 'none'}, 1),
                    ({'name': 'virt-hvc-11.0'}, 1)):
                now = json.dumps([{**RELEASED, **change}])
                problems = types.problems({self.file: now})
                self.assertEqual(len(problems), complaints, problems)


def main():
    tap.arguments(__doc__)
    return tap.run(UpdateGolden)
