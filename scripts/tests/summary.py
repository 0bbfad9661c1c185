# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts the test points of the last "meson test" in a build directory.

Prints what failed and what was skipped and why, then "N passed, N failed,
N skipped" alone on the last line. Exit status 1 if something failed, or if
nothing passed.

Single points are in Meson's JUnit report. That says nothing of a test that
died between two of its points; what became of each test as a whole is in the
JSON log.
"""

import json
from pathlib import Path
import sys
import xml.etree.ElementTree as ET

GOOD_RESULTS = ('OK', 'SKIP')


def count_points(report):
    """Passed points, and names of failed and skipped ones, by test"""
    passed, failed, skipped = 0, {}, []
    for suite in ET.parse(report).getroot().iter('testsuite'):
        # "PROJECT.NAME", where NAME is that of the JSON log
        test = suite.get('name').split('.', 1)[-1]
        for case in suite.iter('testcase'):
            name = f'{test}: {case.get("name")}'
            skip = case.find('skipped')
            if case.find('failure') is not None or \
               case.find('error') is not None:
                failed.setdefault(test, []).append(name)
            elif skip is not None:
                reason = skip.get('message') or skip.text
                skipped.append(f'{name}: {reason}' if reason else name)
            else:
                passed += 1
    return passed, failed, skipped


def results(log):
    """Name and result of each test as a whole"""
    for line in Path(log).read_text(encoding='utf-8').splitlines():
        entry = json.loads(line)
        yield entry['name'], entry['result']


def count(logs):
    passed, failed, skipped = count_points(logs / 'testlog.junit.xml')
    for test, result in results(logs / 'testlog.json'):
        if result not in GOOD_RESULTS and test not in failed:
            failed[test] = [f'{test}: {result}, although no point of it '
                            'failed: it died, or ended early or badly']
    return passed, [name for names in failed.values() for name in names], \
        skipped


def main():
    if len(sys.argv) != 2 or sys.argv[1] == '--help':
        print(f'usage: run results BUILD\n\n{__doc__}')
        sys.exit(len(sys.argv) != 2)
    try:
        passed, failed, skipped = count(Path(sys.argv[1]) / 'meson-logs')
    except (OSError, ET.ParseError, ValueError, KeyError) as error:
        print(f'summary: {error}: no test was run')
        passed, failed, skipped = 0, [], []
    for name in skipped:
        print(f'skipped: {name}')
    for name in failed:
        print(f'FAILED: {name}')
    print(f'{passed} passed, {len(failed)} failed, {len(skipped)} skipped')
    sys.exit(1 if failed or not passed else 0)
