# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Counts the test points of the last "meson test" in a build directory.

Prints the minutes that each suite took, what was skipped and why, what failed
and the last that it said, and "N passed, N failed, N skipped" alone on the last
line. Exit status 1 if something failed, or if nothing passed.

Single points are in Meson's JUnit report. That says nothing of a test that
died between two of its points; what became of each test as a whole is in the
JSON log.
"""

import itertools
import json
from pathlib import Path
import sys
import time
import xml.etree.ElementTree as ET

from qemu_hvc import tap

GOOD_RESULTS = ('OK', 'SKIP')
# Of what a test said when it failed: of each, and of how many
REASON_LINES = 10
REASONS = 5


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


def entries(log):
    """What Meson logs of each test as a whole"""
    return [json.loads(line) for line in
            Path(log).read_text(encoding='utf-8').splitlines()]


def minutes(tests, since, now):
    """Where the time went, in lines; since: when the run began, or None"""
    suites = {}
    for test in tests:
        # "PROJECT:SUITE / NAME"
        suite, _, name = test['name'].rpartition(' / ')
        suites.setdefault(suite.rpartition(':')[2], []).append(
            (test['duration'], name))
    if since is not None:
        first = min(test['starttime'] for test in tests)
        yield f'{(first - since) / 60:6.1f}  before the first test: what ' \
              'was missing was installed, fetched and built'
    for suite, times in suites.items():
        longest, name = max(times)
        yield f'{sum(taken for taken, _ in times) / 60:6.1f}  {suite}, ' \
              f'{longest / 60:.1f} of them {name}'
    if since is not None:
        yield f'{(now - since) / 60:6.1f}  from the first to the last; ' \
              'tests run side by side'


def count(logs, tests):
    passed, failed, skipped = count_points(logs / 'testlog.junit.xml')
    for entry in tests:
        test, result = entry['name'], entry['result']
        if result not in GOOD_RESULTS and test not in failed:
            failed[test] = [f'{test}: {result}, although no point of it '
                            'failed: it died, or ended early or badly']
    return passed, [name for names in failed.values() for name in names], \
        skipped


def reason(entry):
    """The last lines that a test said of its first point that failed, or at its
    end"""
    said = entry.get('stdout', '').splitlines()
    begin = next((index for index, line in enumerate(said)
                  if line.startswith('not ok ')), None)
    if begin is None:
        said += entry.get('stderr', '').splitlines()
    else:
        said = list(itertools.takewhile(lambda line: line.startswith('#'),
                                        said[begin + 1:]))
    return [line for line in said if line.strip('# ')][-REASON_LINES:]


def main():
    parser = tap.parser(__doc__, build=True)
    parser.add_argument('--since', type=float, metavar='SECONDS',
                        help='when the run began, in seconds since 1970')
    arguments = parser.parse_args()
    logs = arguments.build / 'meson-logs'
    times, reasons = [], []
    try:
        tests = entries(logs / 'testlog.json')
        passed, failed, skipped = count(logs, tests)
        times = list(minutes(tests, arguments.since, time.time()))
        reasons = [(entry['name'], reason(entry)) for entry in tests
                   if entry['result'] not in GOOD_RESULTS]
    except (OSError, ET.ParseError, ValueError, KeyError) as error:
        print(f'summary: {error}: no test was run')
        passed, failed, skipped = 0, [], []
    if times:
        print('minutes of each suite:', *times, sep='\n')
    for name in skipped:
        print(f'skipped: {name}')
    for name, lines in reasons[:REASONS]:
        print(f'{name} said:', *lines, sep='\n    ')
    for name in failed:
        print(f'FAILED: {name}')
    print(f'{passed} passed, {len(failed)} failed, {len(skipped)} skipped')
    sys.exit(1 if failed or not passed else 0)
