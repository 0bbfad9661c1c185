# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Hostile guests, with sanitizers in all of the project's files; prints TAP.

Builds qemu-system-aarch64 and the unit tests of BUILD once more, with
AddressSanitizer and UndefinedBehaviorSanitizer in what the project adds to
QEMU. Then runs all groups of hvc-guest-test with this QEMU, whose handlers
serve under TCG, and the unit tests, some of which serve a played KVM's guest.
With --migrations, runs hvc-migration-test instead, whose streams are hostile.
A test point fails if a test does, or if a sanitizer has anything to report, in
whichever process. Last, faults are planted, which have to be reported.

What is built stays in BUILD/sanitized, or BUILD/sanitized-migrations.
"""

from concurrent.futures import ThreadPoolExecutor
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile

from qemu_hvc import sanitized, tap
from qemu_hvc import tree as qemu_tree
import qtest

QEMU = 'qemu-system-aarch64'
# The paths of tests that start QEMU, and the program that has them
GUESTS = '/aarch64/hvc/guest/'
MIGRATIONS = '/aarch64/hvc/migration/'
QTESTS = {GUESTS: 'hvc-guest-test', MIGRATIONS: 'hvc-migration-test'}
UNIT = 'tests/qtest/hvc/test-'
# A call of a function that exists passes through, whoever serves.
DISPATCH = 'target/arm/hvc/dispatch.c'
CALL = 'function->handler(call);'
PLANTED = CALL + '''
        const char *fault = g_getenv("PLANTED_FAULT");
        g_autofree int8_t *bytes = g_new0(int8_t, 4);
        unsigned odd = call->function & 1;
        if (!g_strcmp0(fault, "read")) {
            call->result[3] += bytes[4 + odd];
        } else if (!g_strcmp0(fault, "shift")) {
            call->result[3] += 1 << (32 + odd);
        }
'''
# A planted fault, and what the report of it has
FAULTS = {'read': 'heap-buffer-overflow', 'shift': 'shift exponent'}
# Programs with planted faults and their tests, which make such calls
WITH_FAULTS = {QEMU: [GUESTS + 'hostile/1-vcpu'],
               UNIT + 'hvc-kvm-call': []}
# Of a report, what is needed to find the fault
REPORT_LINES = 40


def qtest_program(build, path):
    """The program that has a test which starts QEMU"""
    return next(build / 'qemu/tests/qtest' / program
                for prefix, program in QTESTS.items()
                if path.startswith(prefix))


def test_points_of(output):
    return re.findall(r'^(?:not )?ok .*', output, re.M)


def skip_if_all_are(points):
    """Of a program's test points"""
    if points and all(' # SKIP ' in point for point in points):
        raise tap.Skip(points[0].partition(' # SKIP ')[2])


class Programs:
    """The sanitized programs of a build, and runs of them"""

    def __init__(self, build, name):
        """name: of the folder for what is built"""
        self.build = build
        self.folder = build / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.builder = sanitized.Builder(build / 'qemu', self.folder)
        self.own = {name for name in qemu_tree.overlay_names().values()
                    if name.endswith('.c')}
        self.sources = {}       # of a program, those with sanitizers

    def make(self, target, **options):
        program, self.sources[target] = self.builder.program(
            target, self.own.__contains__, **options)
        return program

    def with_faults(self, target):
        """A program with the planted faults, in a folder of its own"""
        folder = self.folder / 'planted'
        folder.mkdir(exist_ok=True)
        planted = sanitized.edited(self.build / 'src' / DISPATCH, folder,
                                   [(CALL, PLANTED)])
        return self.make(target, replaced={DISPATCH: planted}, folder=folder)

    def run(self, program, paths=(), **variables):
        """Returns the exit status, what was printed, and sanitizers' reports

        program: one of ours, which is a test unless it is QEMU
        paths: tests, all if there are none
        """
        test, leaks = program, {}
        if program.name == QEMU:
            test = qtest_program(self.build, paths[0])
            # At its end QEMU leaves it to the operating system to free a
            # machine with its devices.
            leaks = {'detect_leaks': 0}
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            result = subprocess.run(
                [test, '--tap', '-k',
                 *(word for path in paths for word in ('-p', path))],
                cwd=self.build / 'qemu',
                env={**qtest.environment(self.build, program), **variables,
                     **sanitized.variables(folder, **leaks)},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                text=True, errors='replace')
            return (result.returncode, result.stdout,
                    sanitized.reports_in(folder))

    def problems(self, program, paths=()):
        """Runs tests that have to pass without a report"""
        status, output, reports = self.run(program, paths)
        for report in reports:
            yield '\n'.join(report.splitlines()[:REPORT_LINES])
        points = test_points_of(output)
        # GLib is silent on a path that it does not find.
        if status or len(points) < max(1, len(paths)):
            yield f'exit status {status} after {len(points)} test points'
            yield from (point for point in points if point[0] == 'n')
            yield '\n'.join(output.splitlines()[-REPORT_LINES:])
        elif not reports:
            skip_if_all_are(points)

    def unreported(self, program, paths, fault):
        """Runs tests that have to end with the report of a planted fault"""
        _, output, reports = self.run(program, paths, PLANTED_FAULT=fault)
        if not reports:
            skip_if_all_are(test_points_of(output))
        if not any(FAULTS[fault] in report for report in reports):
            yield f'no report has "{FAULTS[fault]}"'
            yield from reports


def groups(build, prefix):
    """The paths that begin so, of tests that start QEMU, by group"""
    names = subprocess.run(
        [qtest_program(build, prefix), '-l'], check=True, capture_output=True,
        text=True,
        env=qtest.environment(build, build / 'qemu' / QEMU)).stdout.split()
    # -l names suites, too, in comments.
    paths = sorted(name for name in names if name.startswith(prefix))
    return {group: list(tests) for group, tests in itertools.groupby(
        paths, lambda path: path.removeprefix(prefix).split('/')[0])}


def test_points(build, migrations):
    """Names, and functions that return problems; after the first, which
    builds, some are run at a time"""
    kind, prefix, name = (
        ('migrations', MIGRATIONS, 'sanitized-migrations') if migrations else
        ('guests', GUESTS, 'sanitized'))
    programs = Programs(build, name)
    made, planted = {}, {}

    def make():
        units = [] if migrations else programs.builder.targets(UNIT)
        made.update({target: programs.make(target)
                     for target in [QEMU, *units]})
        folders = {name.rpartition('/')[0] for name in programs.sources[QEMU]}
        for folder in ('hw/arm/hvc', 'migration', 'target/arm/hvc'):
            if folder not in folders:
                yield f'{QEMU} has no file of {folder} with sanitizers'
        planted.update({target: programs.with_faults(target)
                        for target in WITH_FAULTS})

    yield 'build', make
    if not planted:
        return
    with ThreadPoolExecutor(sanitized.JOBS) as pool:
        def later(function, *arguments):
            return pool.submit(lambda: list(function(*arguments))).result

        yield from [
            *((f'{kind} {group}', later(programs.problems, made[QEMU], paths))
              for group, paths in groups(build, prefix).items()),
            *((program.name, later(programs.problems, program))
              for target, program in made.items() if target != QEMU),
            *((f'planted {fault} in {program.name}',
               later(programs.unreported, program, WITH_FAULTS[target], fault))
              for target, program in planted.items() for fault in FAULTS)]


def main():
    parser = tap.parser(__doc__, build=True)
    parser.add_argument('--migrations', action='store_true',
                        help='incoming migrations, not guests and unit tests')
    arguments = parser.parse_args()
    os.environ.pop('PLANTED_FAULT', None)
    return tap.run_points(test_points(arguments.build.resolve(),
                                      arguments.migrations))


if __name__ == '__main__':
    sys.exit(main())
