# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests scripts/port on a small made-up QEMU, and whether the manual shows what
it says of others; prints TAP.

That QEMU has every way in which a patch can miss: lines that moved, neighbours
that changed, a file that is elsewhere, a function that is elsewhere, and what is
there already.
"""

from pathlib import Path
import re
import subprocess
import tempfile
import unittest
from unittest import mock

from qemu_hvc import tap
from qemu_hvc import tree as qemu_tree
from qemu_hvc.paths import ROOT, SCRIPTS, FetchError, fetch
from qemu_hvc.port import carry, count, headers, hunks

TOOL = SCRIPTS / 'port'
PAGE = ROOT / 'docs/porting.rst'
HEADER = 'From: A\nSubject: [PATCH] call us\n\nBecause.\n---\n\n'


def diff(name, *parts):
    text = ''.join(f'@@ -{line},{old} +{line},{new} @@ {function}\n{body}'
                   for line, old, new, function, body in parts)
    return f'diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n{text}'


ONE = (10, 6, 7, 'static void board_init(void)',
       ' a();\n b();\n c();\n+ours();\n d();\n e();\n f();\n')
CALLS = ['a();', 'b();', 'c();', 'd();', 'e();', 'f();']


class Hunks(unittest.TestCase):
    """A source with a file, and a patch of it"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        self.source = self.top / 'source'

    def write(self, name, *lines):
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(f'{line}\n' for line in lines),
                        encoding='utf-8')

    def results(self, *parts, name='hw/board.c'):
        """What became of the hunks, and the source"""
        path = self.top / '10.0/0001-call.patch'
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEADER + diff(name, *parts) + '\n', encoding='utf-8')
        source = hunks.Source(self.source)
        return list(hunks.try_patches(source, [qemu_tree.Patch(path)])), source

    def result(self, *parts, name='hw/board.c'):
        results, source = self.results(*(parts or (ONE,)), name=name)
        self.assertEqual(len(results), max(1, len(parts)))
        return results[0], source

    def test_applies_where_it_was(self):
        self.write('hw/board.c', *['//'] * 9, *CALLS)
        result, source = self.result()
        self.assertEqual((result.applies, result.clean, result.text),
                         (True, True, 'applies'))
        self.assertEqual(result.name, '0001 hw/board.c #1')
        self.assertEqual(source.lines('hw/board.c')[9:],
                         ['a();', 'b();', 'c();', 'ours();', 'd();', 'e();',
                          'f();'])

    def test_moved(self):
        self.write('hw/board.c', *['//'] * 12, *CALLS)
        result, _ = self.result()
        self.assertEqual((result.clean, result.text),
                         (True, 'applies, 3 lines further down'))
        self.write('hw/board.c', *['//'] * 8, *CALLS)
        self.assertEqual(self.result()[0].text,
                         'applies, 1 line further up')

    def test_nearest_of_two_places(self):
        self.write('hw/board.c', *CALLS, *['//'] * 5, *CALLS)
        self.assertEqual(self.result()[0].text,
                         'applies, 2 lines further down')

    def test_hunks_after_one_another(self):
        """The second is looked for where the first one says."""
        second = (30, 2, 3, '', ' y();\n+more();\n z();\n')
        self.write('hw/board.c', *['//'] * 11, *CALLS, *['//'] * 14, 'y();',
                   'z();')
        results, source = self.results(ONE, second)
        self.assertEqual([result.text for result in results],
                         ['applies, 2 lines further down',
                          'applies, 3 lines further down'])
        self.assertEqual(source.lines('hw/board.c')[-3:],
                         ['y();', 'more();', 'z();'])

    def test_fuzz_is_to_be_looked_at(self):
        self.write('hw/board.c', *['//'] * 9, 'A();', *CALLS[1:])
        result, _ = self.result()
        self.assertEqual((result.applies, result.clean), (True, False))
        self.assertIn('with fuzz 1', result.text)
        self.assertIn('    13 ours();', result.there)

    def test_neighbours_are_others(self):
        self.write('hw/board.c', 'a();', 'b();', 'x();', 'd();', 'e();')
        result, _ = self.result()
        self.assertFalse(result.applies)
        self.assertIn('most like it is hw/board.c:1', result.text)
        self.assertIn('     3 x();', result.there)

    def test_function_is_elsewhere(self):
        self.write('hw/board.c', '/* empty */')
        self.write('hw/other/init.c', 'int x;', 'void board_init(void)', '{')
        result, _ = self.result()
        self.assertFalse(result.applies)
        self.assertIn('board_init() is in hw/other/init.c:2', result.text)

    def test_function_is_nowhere(self):
        self.write('hw/board.c', '/* empty */')
        self.assertIn('there is no board_init()', self.result()[0].text)

    def test_file_is_elsewhere(self):
        self.write('hw/arm/old/board.c', *['//'] * 9, *CALLS)
        self.write('net/board.c', 'no board')
        result, source = self.result(name='hw/arm/board.c')
        self.assertTrue(result.applies)
        self.assertIn('the file is hw/arm/old/board.c now: applies',
                      result.text)
        self.assertIn('ours();', source.lines('hw/arm/old/board.c'))

    def test_file_is_gone(self):
        self.write('net/tap.c', 'no board')
        result, _ = self.result()
        self.assertFalse(result.applies)
        self.assertIn('the file is gone', result.text)

    def test_already_there(self):
        """As a correction that QEMU has taken"""
        self.write('hw/board.c', *CALLS[:3], 'ours();', *CALLS[3:])
        result, source = self.result()
        self.assertEqual((result.clean, result.text),
                         (True, 'is there already'))
        self.assertEqual(source.lines('hw/board.c').count('ours();'), 1)

    def test_source_is_left_alone(self):
        self.write('hw/board.c', *CALLS)
        self.result()
        self.assertEqual((self.source / 'hw/board.c').read_text(),
                         ''.join(f'{line}\n' for line in CALLS))


class Compat(unittest.TestCase):
    """What a version of QEMU sees of the compatibility header"""

    TEXT = '\n'.join((
        '#ifndef H', 'always', '#if QEMU_SINCE(10, 2)', 'new',
        '#if QEMU_SINCE(11, 0)', 'newest', '#endif', '#else', 'old',
        '#endif', '#if !QEMU_SINCE(9, 0)', 'oldest', '#endif',
        '#if defined(X)', 'either', '#else', 'way', '#endif', '#endif'))

    def test_seen(self):
        both = ['either', 'way']
        for version, lines in (
                ('7.2', ['always', 'old', 'oldest', *both]),
                ('10.0', ['always', 'old', *both]),
                ('10.2', ['always', 'new', *both]),
                ('11.0', ['always', 'new', 'newest', *both])):
            self.assertEqual(count.seen(self.TEXT, version), lines, version)


class TwoVersions(unittest.TestCase):
    """A folder for the patches of two versions, with one each"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        replaced = mock.patch.object(qemu_tree, 'PATCHES', self.top)
        replaced.start()
        self.addCleanup(replaced.stop)

    def write(self, version, body, *parts):
        for folder in (self.top / version, self.top / version / 'fixes'):
            folder.mkdir(parents=True)
            (folder / 'series').write_text('')
        (self.top / version / 'series').write_text('0001-call.patch\n')
        (self.top / version / '0001-call.patch').write_text(
            HEADER + diff('hw/board.c', (*ONE[:4], body), *parts) + '\n')


class Differences(TwoVersions):

    def test_neighbours_count_apart(self):
        self.write('10.0', ONE[4])
        self.write('10.2', ONE[4].replace(' c();', ' C();'))
        self.assertEqual(list(count.hooks_that_differ('10.0', '10.2')), [])
        found = list(count.differences('10.0', '10.2').values())
        self.assertEqual(found[:3], [0, 2, 0])

    def test_hook_in_one_only(self):
        self.write('10.0', ONE[4].replace('+ours();', '+ours();\n+more();'))
        self.write('10.2', ONE[4])
        self.assertEqual(list(count.hooks_that_differ('10.0', '10.2')),
                         ['only in 10.0/0001-call.patch: +more();'])
        self.assertEqual(
            list(count.differences('10.0', '10.2').values())[:3], [1, 0, 0])


class Carry(TwoVersions):
    """A second hook is new in 10.0; 10.2 has other neighbours of the first."""

    SECOND = (30, 2, 3, '', ' y();\n+more();\n z();\n')

    def setUp(self):
        super().setUp()
        self.write('10.0', ONE[4], self.SECOND)
        self.write('10.2', ONE[4].replace(' c();', ' C();'))
        self.source = self.top / 'source'
        (self.source / 'hw').mkdir(parents=True)

    def carried(self, *end):
        (self.source / 'hw/board.c').write_text(''.join(
            f'{line}\n' for line in (*['//'] * 9, 'a();', 'b();', 'C();',
                                     'd();', 'e();', 'f();', *end)))
        return carry.carry('10.0', '10.2', self.source)

    def test_new_hunk_is_carried_over(self):
        texts, misfits = self.carried('//', 'y();', 'z();')
        self.assertEqual(misfits, [])
        path = self.top / '10.2/0001-call.patch'
        self.assertEqual(list(texts), [path])
        self.assertRegex(texts[path], r'\n C\(\);\n\+ours\(\);\n d\(\);\n')
        self.assertRegex(texts[path], r'\n y\(\);\n\+more\(\);\n z\(\);\n')
        self.assertIn('Subject: [PATCH] call us\n\nBecause.\n', texts[path])
        self.assertEqual(carry.write('10.0', '10.2', texts), [path])
        self.assertEqual(list(count.hooks_that_differ('10.0', '10.2')), [])
        # Nothing is left to carry over.
        self.assertEqual(carry.write(
            '10.0', '10.2', self.carried('//', 'y();', 'z();')[0]), [])

    def test_hunk_without_a_place_is_named(self):
        misfits = self.carried('//', 'nothing();')[1]
        self.assertEqual([misfit.name for misfit in misfits],
                         ['0001-call.patch hw/board.c: +more();'])

    def test_new_lines_beside_known_ones_are_named(self):
        path = self.top / '10.0/0001-call.patch'
        path.write_text(path.read_text().replace('+ours();',
                                                 '+ours();\n+beside();'))
        misfits = self.carried('//', 'y();', 'z();')[1]
        self.assertEqual([misfit.there for misfit in misfits],
                         [['+beside();']])


def run_tool(*arguments):
    return subprocess.run([TOOL, *arguments], text=True, check=False,
                          capture_output=True)


class Tool(unittest.TestCase):
    """The command"""


    def test_no_source(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run_tool(folder)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, 'port: error: .* has no VERSION file; '
                         'name the top of one')

    def test_another_version(self):
        """All hunks fail, and each is on the list."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / 'VERSION').write_text('99.1.0\n')
            result = run_tool('--hunks', folder)
        self.assertEqual((result.returncode, result.stderr), (1, ''))
        newest = qemu_tree.versions()[-1]
        patches = qemu_tree.read_series(qemu_tree.PATCHES / newest)
        self.assertIn(f'QEMU 99.1.0, with the patches for {newest}\n',
                      result.stdout)
        self.assertIn(f'copy qemu-patches/{newest} to qemu-patches/99.1',
                      result.stdout)
        for patch in patches:
            number = patch.path.name.split('-')[0]
            folder = 'fixes/' if patch.is_fix else ''
            for file in patch.files:
                self.assertIn(f'{folder}{number} {file}', result.stdout)

    def test_differences(self):
        result = run_tool('--differences', '10.0', '10.0')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertEqual({line.split()[0] for line in
                          result.stdout.splitlines()}, {'0'})
        result = run_tool('--differences', '10.0', '10.3')
        self.assertEqual(result.returncode, 2)
        self.assertIn('no patches for QEMU 10.3; needed: ', result.stderr)


def shown_outputs():
    """What the manual shows of the command: version, patches, and lines"""
    text = PAGE.read_text(encoding='utf-8')
    for match in re.finditer(r'^  QEMU (\S+), with the patches for (\S+)\n'
                             r'((?:  .*\n|\n)*)', text, re.M):
        yield match[1], match[2], [line.removeprefix('  ')
                                   for line in match[3].splitlines()]


def steps(lines):
    """What is left to do of the patches: the others are of what was compiled"""
    return [match[1] for line in lines
            if (match := re.match(r' *\d+\. (.*qemu-patches/.*)', line))]


class Manual(unittest.TestCase):
    """docs/porting.rst shows what the command says"""

    def output(self, version, *arguments):
        series = '.'.join(version.split('.')[:2])
        try:
            source = fetch('source', series)
        except FetchError as error:
            self.skipTest(str(error))
        there = (source / 'VERSION').read_text(encoding='utf-8').strip()
        if there != version:
            self.skipTest(f'docs/porting.rst shows QEMU {version}, Debian has '
                          f'{there}; show what scripts/port says of that one')
        return run_tool('--hunks', *arguments, series).stdout.splitlines()

    def check(self, wanted):
        """Of a version such as 7.2"""
        shown = [output for output in shown_outputs()
                 if output[0].startswith(f'{wanted}.')]
        self.assertEqual(len(shown), 1)
        version, series, lines = shown[0]
        said = self.output(version, '--series', series)
        self.assertEqual([line for line in lines if ' hunks: ' in line],
                         [line for line in said if ' hunks: ' in line])
        self.assertEqual(steps(lines), steps(said))
        # Some are left out, with a word about it.
        last = next(i for i, line in enumerate(lines) if ' hunks: ' in line)
        for line in lines[:last]:
            if not line.startswith('('):
                self.assertIn(line, said)
        self.check_files(series, lines)

    def check_files(self, series, lines):
        """The number of files: ours, and QEMU's that are patched; --hunks
        compiles none"""
        if 'the files were not compiled' in lines:
            return
        number, own, good, bad = map(int, re.search(
            r'^(\d+) files, (\d+) of them ours: (\d+) compile, (\d+) do not$',
            '\n'.join(lines), re.M).groups())
        self.assertEqual(own, len(headers.own_files()))
        self.assertEqual(good + bad, number)
        patched = {file for patch in
                   qemu_tree.read_series(qemu_tree.PATCHES / series)
                   for file in patch.files if file.endswith('.c')}
        # A version may lack some of these, or not compile them.
        self.assertIn(number - own, range(len(patched) + 1))

    def test_10_2(self):
        self.check('10.2')

    def test_7_2(self):
        self.check('7.2')

    def test_differences(self):
        said = run_tool('--differences', '10.0', '10.2').stdout
        self.assertIn(''.join(f'  {line}\n' for line in said.splitlines()),
                      PAGE.read_text(encoding='utf-8'))


def main():
    tap.arguments(__doc__)
    return tap.run(Hunks, Compat, Differences, Carry, Tool, Manual)
