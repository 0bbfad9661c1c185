# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tests and prints TAP, for Meson."""

import argparse
from pathlib import Path
import sys
import traceback
import unittest


class Skip(Exception):
    """A test point cannot be judged here; the text says why."""


class TapResult(unittest.TestResult):
    """Prints a line for each test as it ends."""

    failing = None

    def line(self, outcome, test, detail=''):
        name = test.id().rsplit('.', 1)[-1].removeprefix('test_')
        print(f'{outcome} {self.testsRun} - {name.replace("_", "-")}')
        for line in detail.splitlines():
            print(f'# {line}')

    def addSuccess(self, test):
        self.line('ok', test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line('not ok', test, self.failures[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        name = test.id().rsplit('.', 1)[-1].removeprefix('test_')
        print(f'ok {self.testsRun} - {name.replace("_", "-")} # SKIP {reason}')

    def addError(self, test, err):
        super().addError(test, err)
        self.line('not ok', test, self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        """Of those that fail: one line for the test, which gets no other."""
        super().addSubTest(test, subtest, err)
        if err:
            if self.failing != test.id():
                self.line('not ok', test)
            self.failing = test.id()
            print(f'# {subtest.id()}')
            for line in self._exc_info_to_string(err, test).splitlines():
                print(f'# {line}')


def arguments(doc, *, build=False):
    """The command line of a test program; doc: what --help says"""
    parser = argparse.ArgumentParser(
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    if build:
        parser.add_argument('build', type=Path, metavar='BUILD',
                            help='the directory that scripts/build-qemu '
                            'built in')
    return parser.parse_args()


def skip_all(reason):
    """The whole test program"""
    print('1..0 # SKIP ' + str(reason).replace('#', '').partition('\n')[0])


def run(*cases, names=()):
    """Ends the program, with an exit status of 0 if all tests passed.

    names: those to run, as they are printed; all if there are none
    """
    suite = unittest.TestSuite(
        [case('test_' + name.replace('-', '_'))
         for name in names for case in cases] or
        map(unittest.defaultTestLoader.loadTestsFromTestCase, cases))
    print(f'1..{suite.countTestCases()}')
    result = TapResult()
    suite.run(result)
    raise SystemExit(not result.wasSuccessful())


def run_points(points):
    """Runs test points, pairs of a name and a function, in order. A failed
    one raises. Returns whether all passed."""
    print(f'1..{len(points)}')
    passed = True
    for number, (name, check) in enumerate(points, 1):
        outcome, directive, detail = 'ok', '', ''
        try:
            check()
        except Skip as reason:
            directive = f' # SKIP {reason}'
        except AssertionError as failure:
            outcome, detail = 'not ok', str(failure)
        except Exception:  # pylint: disable=broad-exception-caught
            outcome, detail = 'not ok', traceback.format_exc()
        print(f'{outcome} {number} - {name}{directive}')
        for line in detail.splitlines():
            print(f'# {line}')
        sys.stdout.flush()
        passed = passed and outcome == 'ok'
    return passed
