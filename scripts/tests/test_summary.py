# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests summary.py; prints TAP."""

import json
from pathlib import Path
import subprocess
import tempfile
import unittest

from qemu_hvc import tap
from qemu_hvc.paths import TESTS
import summary

TOOL = [TESTS / 'run', 'results']


class CountTests(unittest.TestCase):
    """Each test writes the reports of a made-up run."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = Path(folder.name)
        (self.build / 'meson-logs').mkdir()

    def run_tool(self, *options):
        result = subprocess.run([*TOOL, *options, self.build], text=True,
                                check=False, capture_output=True)
        return result.returncode, result.stdout.splitlines()

    def count(self, tests):
        """tests: name -> (result, points as XML)"""
        logs = self.build / 'meson-logs'
        (logs / 'testlog.json').write_text('\n'.join(
            json.dumps({'name': f'p:s / {name}', 'result': result,
                        'starttime': 1000.0, 'duration': 90.0})
            for name, (result, _) in tests.items()), encoding='utf-8')
        (logs / 'testlog.junit.xml').write_text(
            '<testsuites>' + ''.join(
                f'<testsuite name="p.p:s / {name}">{points}</testsuite>'
                for name, (_, points) in tests.items()) + '</testsuites>',
            encoding='utf-8')
        return self.run_tool()

    def test_all_passed(self):
        status, lines = self.count({
            'a': ('OK', '<testcase name="1"/><testcase name="2"/>')})
        self.assertEqual((status, lines), (0, [
            'minutes of each suite:', '   1.5  s, 1.5 of them a',
            '2 passed, 0 failed, 0 skipped']))

    def test_failed_point(self):
        status, lines = self.count({
            'a': ('FAIL', '<testcase name="1"/>'
                  '<testcase name="2"><failure/></testcase>')})
        self.assertEqual(status, 1)
        self.assertEqual(lines[-2:], ['FAILED: p:s / a: 2',
                                      '1 passed, 1 failed, 0 skipped'])

    def test_died_between_points(self):
        for result in 'ERROR', 'TIMEOUT', 'FAIL', 'INTERRUPT':
            status, lines = self.count({
                'a': (result, '<testcase name="1"/>'),
                'b': ('OK', '<testcase name="1"/>')})
            self.assertEqual(status, 1)
            self.assertIn(f'p:s / a: {result}', lines[-2])
            self.assertEqual(lines[-1], '2 passed, 1 failed, 0 skipped')

    def test_reason(self):
        """What a test said of the first point that failed, or at its end"""
        many = [f'# line {number}' for number in range(99)]
        for entry, expected in (
                ({'stdout': 'ok 1 - a\n# not this\nnot ok 2 - b\n# 4 is not 5\n'
                            '#\nok 3 - c\n# nor this\n'}, ['# 4 is not 5']),
                ({'stdout': '\n'.join(['not ok 1 - a', *many])},
                 many[-summary.REASON_LINES:]),
                ({'stdout': 'ok 1 - a\n', 'stderr': 'Aborted\n'},
                 ['ok 1 - a', 'Aborted']),
                ({}, [])):
            self.assertEqual(summary.reason(entry), expected)

    def test_reason_is_printed(self):
        logs = self.build / 'meson-logs'
        self.count({'a': ('FAIL', '<testcase name="1"><failure/></testcase>')})
        entry = json.loads((logs / 'testlog.json').read_text())
        entry['stdout'] = 'not ok 1 - 1\n# no such file\n'
        (logs / 'testlog.json').write_text(json.dumps(entry))
        self.assertEqual(self.run_tool()[1][-4:], [
            'p:s / a said:', '    # no such file', 'FAILED: p:s / a: 1',
            '0 passed, 1 failed, 0 skipped'])

    def test_skipped_is_not_passed(self):
        status, lines = self.count({
            'a': ('OK', '<testcase name="1"/><testcase name="2">'
                  '<skipped message="no kernel"/></testcase>')})
        self.assertEqual((status, lines[-2:]), (0, [
            'skipped: p:s / a: 2: no kernel', '1 passed, 0 failed, '
            '1 skipped']))

    def test_minutes(self):
        """Of each suite, and of the run if its begin is known"""
        tests = [{'name': 'p:long / a', 'starttime': 1120, 'duration': 600},
                 {'name': 'p:short / b', 'starttime': 1060, 'duration': 6},
                 {'name': 'p:long / c', 'starttime': 1120, 'duration': 660}]
        suites = ['  21.0  long, 11.0 of them c', '   0.1  short, 0.1 of them b']
        self.assertEqual(list(summary.minutes(tests, None, 2200)), suites)
        lines = list(summary.minutes(tests, 1000, 2200))
        self.assertEqual(lines[1:-1], suites)
        self.assertRegex(lines[0], '^   1.0  before the first test')
        self.assertRegex(lines[-1], '^  20.0  from the first')

    def test_minutes_since(self):
        self.count({'a': ('OK', '<testcase name="1"/>')})
        status, lines = self.run_tool('--since', '0')
        self.assertEqual(status, 0)
        self.assertRegex(lines[1], 'before the first test')
        self.assertRegex(lines[-2], 'from the first to the last')
        self.assertEqual(lines[-1], '1 passed, 0 failed, 0 skipped')

    def test_nothing_passed(self):
        status, lines = self.count({'a': ('SKIP', '')})
        self.assertEqual((status, lines[-1]), (1, '0 passed, 0 failed, '
                                                  '0 skipped'))

    def test_no_report(self):
        status, lines = self.run_tool()
        self.assertEqual((status, lines[-1]), (1, '0 passed, 0 failed, '
                                                  '0 skipped'))


def main():
    tap.arguments(__doc__)
    return tap.run(CountTests)
