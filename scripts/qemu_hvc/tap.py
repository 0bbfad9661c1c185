# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Runs tests and prints TAP, for Meson."""

import argparse
from pathlib import Path
import subprocess
import traceback
import unittest


class Skip(Exception):
    """A test point cannot be judged here; the text says why."""


class Tap:
    """Prints test points, one line each, and counts them."""

    def __init__(self, planned=None):
        """planned: how many points there will be; None prints that at the
        end."""
        self.planned = planned
        self.count = 0
        self.failed = 0
        if planned is not None:
            print(f'1..{planned}')

    def point(self, name, *, problem=None, skip='', note=''):
        """One test point, failed if there is a problem, even an empty one

        note: for those who read the log of a point that passed
        """
        self.count += 1
        self.failed += problem is not None
        # In a name, '#' would start a directive.
        print(f'{"ok" if problem is None else "not ok"} {self.count} - '
              + name.replace('#', '') + (f' # SKIP {skip}' if skip else ''))
        self.comment(note if problem is None else problem)

    @staticmethod
    def comment(text):
        for line in text.splitlines():
            print(f'# {line}')
        # What runs next may be killed.
        print(end='', flush=True)

    def end(self):
        """Returns whether all points passed."""
        if self.planned is None:
            print(f'1..{self.count}')
        return not self.failed


class TapResult(unittest.TestResult):
    """A test point for each test as it ends"""

    failing = None

    def __init__(self, tap):
        super().__init__()
        self.tap = tap

    def _point(self, test, **outcome):
        # Of what is not a test: "setUpClass (MODULE.CLASS)"
        what, _, where = test.id().partition(' ')
        name = what.rsplit('.', 1)[-1].removeprefix('test_').replace('_', '-')
        if where:
            name += ' of ' + where.strip('()').rsplit('.', 1)[-1]
        self.tap.point(name, **outcome)

    def addSuccess(self, test):
        self._point(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._point(test, problem=self.failures[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._point(test, skip=reason)

    def addError(self, test, err):
        super().addError(test, err)
        self._point(test, problem=self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        """Of a test with subtests that fail, unittest reports only these."""
        super().addSubTest(test, subtest, err)
        if err:
            if self.failing != test.id():
                self._point(test, problem='')
            self.failing = test.id()
            self.tap.comment(f'{subtest.id()}\n'
                             + self._exc_info_to_string(err, test))


def parser(doc, *, build=False):
    """The command line of a test program

    doc: what --help says
    build: whether it has the argument BUILD, a directory
    """
    result = argparse.ArgumentParser(
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    if build:
        result.add_argument('build', type=Path, metavar='BUILD',
                            help='the directory that scripts/build-qemu '
                            'built in')
    return result


def arguments(doc, *, build=False):
    """The arguments of a test program that has no options of its own"""
    return parser(doc, build=build).parse_args()


def skip_all(reason):
    """The whole test program is skipped."""
    print('1..0 # SKIP ' + str(reason).replace('#', '').partition('\n')[0])


def run(*cases, names=()):
    """Runs unittest cases; returns the exit status.

    names: those to run, as they are printed; all if there are none
    """
    suite = unittest.TestSuite(
        [case('test_' + name.replace('-', '_'))
         for name in names for case in cases] or
        map(unittest.defaultTestLoader.loadTestsFromTestCase, cases))
    tap = Tap(suite.countTestCases())
    result = TapResult(tap)
    suite.run(result)
    # setUpClass() may fail, too.
    tap.end()
    return not result.wasSuccessful()


def run_points(points):
    """Runs test points, pairs of a name and a function; returns the exit status

    A function returns its problems, if it finds any, or raises.
    """
    tap = Tap(len(points) if isinstance(points, list) else None)
    for name, check in points:
        problem, skip = None, ''
        try:
            problems = list(check() or ())
            problem = '\n'.join(problems) if problems else None
        except Skip as reason:
            skip = str(reason)
        except (AssertionError, OSError, RuntimeError,
                subprocess.SubprocessError) as failure:
            problem = f'{type(failure).__name__}: {failure}'
        except Exception:  # pylint: disable=broad-exception-caught
            problem = traceback.format_exc()
        tap.point(name, problem=problem, skip=skip)
    return not tap.end()
