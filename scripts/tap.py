# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the tests of a unittest.TestCase and prints TAP, for Meson."""

import argparse
from pathlib import Path
import sys
import unittest


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


def arguments(*, build=False):
    """The command line of a test program, which says --help."""
    parser = argparse.ArgumentParser(
        description=sys.modules['__main__'].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    if build:
        parser.add_argument('build', type=Path, metavar='BUILD',
                            help='the directory that scripts/build-qemu '
                            'built in')
    return parser.parse_args()


def run(*cases):
    """Ends the program, with an exit status of 0 if all tests passed."""
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case)
        for case in cases)
    print(f'1..{suite.countTestCases()}')
    result = TapResult()
    suite.run(result)
    raise SystemExit(not result.wasSuccessful())
