# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests that what scripts/export writes applies, and is all there; prints TAP.

That each commit builds, and that what is built of Debian's package passes the
tests, takes half an hour each: "scripts/export --check-build" does that.
"""

import fnmatch
import os
from pathlib import Path
import re
import shutil
import subprocess
import tempfile
import unittest

from qemu_hvc import series as qemu_series
from qemu_hvc import tree as qemu_tree
from qemu_hvc import tap
from qemu_hvc.paths import ROOT, SCRIPTS, FetchError, fetch

# Whoever runs the tests does not maintain what they export.
for variable in ('DEBFULLNAME', 'DEBEMAIL'):
    os.environ.pop(variable, None)
ENV = {**os.environ, 'GIT_CONFIG_GLOBAL': os.devnull,
       'GIT_CONFIG_NOSYSTEM': '1', 'LC_ALL': 'C',
       'SOURCE_DATE_EPOCH': '1700000000',      # for a release archive
       'GIT_COMMITTER_NAME': 'a', 'GIT_COMMITTER_EMAIL': 'a@example.org',
       'GIT_AUTHOR_NAME': 'a', 'GIT_AUTHOR_EMAIL': 'a@example.org'}


def run(*command, cwd=None):
    result = subprocess.run(command, cwd=cwd, env=ENV, text=True,
                            capture_output=True, check=False)
    if result.returncode:
        raise AssertionError(f'{" ".join(map(str, command))}: '
                             f'{result.stdout}{result.stderr}')
    return result.stdout


def files_of(top, but=()):
    """Names and contents of all files, without what is git's and quilt's"""
    return {str(path.relative_to(top)): path.read_bytes()
            for path in sorted(top.rglob('*')) if path.is_file() and
            path.relative_to(top).parts[0] not in {'.git', '.pc', *but}}


class Exported(unittest.TestCase):
    """What is exported for one version of QEMU"""

    series = None       # that which scripts/export takes by itself
    missing = None      # why there is no source of it

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.top = Path(folder.name)
        try:
            cls.source = fetch('source', *([cls.series] if cls.series else []))
        except FetchError as error:
            cls.missing = str(error)
            return
        # Only files that patches touch: a whole tree is 400 MB.
        cls.small = cls.top / 'small'
        names = ['VERSION', 'MAINTAINERS',
                 *(file for patch in qemu_tree.read_series(
                       qemu_tree.series_folder(cls.source))
                   for file in patch.files)]
        cls.copy(names, cls.small)
        qemu_tree.assemble(cls.small, cls.top / 'assembled/src')
        cls.wanted = files_of(cls.top / 'assembled/src')
        # Not in what we build, as it does not call us.
        cls.wanted['MAINTAINERS'] = qemu_series.maintainers(cls.source)
        cls.exported = cls.top / 'git'
        cls.export('git', cls.exported)
        cls.patches = sorted(cls.exported.iterdir())

    def setUp(self):
        if self.missing:
            self.skipTest(self.missing)

    @classmethod
    def export(cls, *arguments):
        options = ['--series', cls.series] if cls.series else []
        run(SCRIPTS / 'export', *arguments, *options)

    @classmethod
    def copy(cls, names, to):
        for name in names:
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(cls.source / name, to / name)

    def git_tree(self):
        tree = self.top / self.id()
        shutil.copytree(self.small, tree)
        run('git', 'init', '--quiet', tree)
        run('git', '-C', tree, 'add', '--all', '--force')
        run('git', '-C', tree, 'commit', '--quiet', '--message=pristine')
        return tree

    def package(self):
        """Debian's package, as far as its patches and ours touch it"""
        if not (self.source / '.pc/applied-patches').is_file():
            self.skipTest(f'{self.source} is not a Debian source package')
        package = self.top / self.id()
        shutil.copytree(self.small, package)
        shutil.copytree(self.source / 'debian', package / 'debian')
        shutil.copytree(self.source / '.pc', package / '.pc')
        theirs = {str(path.relative_to(patch))
                  for patch in (self.source / '.pc').iterdir()
                  if patch.is_dir() for path in patch.rglob('*')
                  if path.is_file() and path.name != '.timestamp'}
        self.copy([name for name in theirs
                   if (self.source / name).is_file()], package)
        return package

    def test_git_am_gives_the_assembled_tree(self):
        tree = self.git_tree()
        run('git', '-C', tree, 'am', '--quiet', '--empty=drop', *self.patches)
        self.assertEqual(files_of(tree), self.wanted)
        # The cover letter is no commit.
        self.assertEqual(run('git', '-C', tree, 'rev-list', '--count', 'HEAD'),
                         f'{len(self.patches)}\n')
        for name in qemu_series.executables():
            self.assertTrue(os.access(tree / name, os.X_OK), name)

    def test_quilt_push(self):
        if not shutil.which('quilt'):
            self.skipTest('quilt is not installed')
        package = self.package()
        run('dpkg-source', '--after-build', '--unapply-patches', package)
        self.export('quilt', package)
        out = run('env', 'QUILT_PATCHES=debian/patches', 'quilt', 'push', '-a',
                  '--fuzz=0', cwd=package)
        self.assertNotIn('with fuzz', out)
        for name, data in self.wanted.items():
            self.assertEqual((package / name).read_bytes(), data, name)


class Export(Exported):
    """The same of the default, and all that does not depend on the version"""

    def refused(self, *words, call):
        with self.assertRaises(qemu_tree.TreeError) as caught:
            call()
        for word in words:
            self.assertIn(word, str(caught.exception))

    def export_fails(self, *arguments):
        result = subprocess.run([SCRIPTS / 'export', *arguments], text=True,
                                capture_output=True, check=False)
        self.assertNotEqual(result.returncode, 0)
        return result.stderr

    # git

    def test_fixes_are_the_first_commits(self):
        fixes = [patch for patch in qemu_tree.read_series(
            qemu_tree.series_folder(self.source)) if patch.is_fix]
        self.assertTrue(fixes)
        for patch, exported in zip(fixes, self.patches[1:]):
            text = exported.read_text(encoding='utf-8')
            subject = re.search(r'^Subject: (.*(?:\n .*)*)', patch.header(),
                                re.M)[1].replace('\n', '')
            self.assertIn(subject.split('] ', 1)[1],
                          text.split('\n\n', 1)[0].replace('\n ', ' '))
            self.assertNotIn('Forwarded: ', text)
            # Nothing but the correction: it applies to the pristine source.
            self.assertEqual(
                sorted(re.findall(r'^\+\+\+ b/(.*)', text, re.M)),
                sorted(patch.files))

    def test_fix_without_a_forwarded_line(self):
        patch = next(patch for patch in qemu_tree.read_series(
            qemu_tree.series_folder(self.source))
                     if patch.is_fix)
        commit = qemu_series.fix_commit(patch, {})
        self.assertEqual(commit.forwarded, 'no')
        patch.text = patch.text.replace('Forwarded: no',
                                        'Forwarded: https://example.org/1')
        commit = qemu_series.fix_commit(patch, {})
        self.assertEqual(commit.forwarded, 'https://example.org/1')
        self.assertNotIn('example.org', commit.body)
        patch.text = patch.text.replace('Forwarded: ', 'Sent: ')
        self.refused(patch.path.name, 'Forwarded: ',
                     call=lambda: qemu_series.fix_commit(patch, {}))

    def test_each_commit_is_what_is_built(self):
        """--check-build lays out the same trees as git am"""
        tree = self.git_tree()
        laid = self.top / 'laid'
        shutil.copytree(self.small, laid)
        commits = qemu_series.read_series(self.small)[1]
        for count, patch in enumerate(self.patches[1:], 1):
            run('git', '-C', tree, 'am', '--quiet', patch)
            qemu_series.lay(self.small, laid, commits, count)
            self.assertEqual(files_of(tree), files_of(laid), patch.name)
        qemu_series.lay(self.small, laid, commits, 0)
        self.assertEqual(files_of(self.small), files_of(laid))

    def test_commits_name_no_file_of_later_ones(self):
        """Neither a build file nor an #include"""
        laid = {}
        commits = qemu_series.read_series(self.source)[1]
        ours = {name for commit in commits for name in commit.files
                if not (self.source / name).exists()}
        for commit in commits:
            laid.update(commit.files)
            for name in commit.files.keys() & ours:
                for wanted in self.named_by(name, laid[name].decode()):
                    self.assertFalse(
                        wanted in ours and wanted not in laid,
                        f'{commit.subject}: {name} needs {wanted}')

    @staticmethod
    def named_by(name, text):
        folder = os.path.dirname(name)
        if name.endswith('meson.build'):
            quoted = re.findall(r"'([^'\n]+)'", text)
        elif name.endswith(('.c', '.h', '.inc')):
            quoted = re.findall(r'^ *# *include "(.*)"', text, re.M)
        else:
            return
        for wanted in quoted:
            yield os.path.normpath(os.path.join(folder, wanted))
            yield wanted
            yield f'include/{wanted}'

    def test_checkpatch(self):
        result = subprocess.run(
            ['perl', 'scripts/checkpatch.pl', '--no-tree', '--terse',
             '--no-summary', *self.patches[1:]], cwd=self.source,
            capture_output=True, text=True, check=False)
        # The first commit has all of MAINTAINERS.
        self.assertEqual([line for line in result.stdout.splitlines()
                          if re.search(r'(ERROR|WARNING):', line) and
                          'does MAINTAINERS need updating' not in line], [])

    def test_new_files_have_a_maintainer(self):
        tree = self.top / 'maintained'
        commits = qemu_series.read_series(self.source)[1]
        qemu_series.lay(self.source, tree, commits, len(commits))
        # get_maintainer.pl knows a tree by these files.
        for name in ('COPYING', 'Makefile', 'VERSION'):
            (tree / name).touch()
        for name in ('linux-user', 'system'):
            (tree / name).mkdir(exist_ok=True)

        def maintainers_of(*names):
            return run('perl', self.source / 'scripts/get_maintainer.pl',
                       '--no-git', '--no-git-fallback', '--no-rolestats',
                       '-f', *names, cwd=tree)

        address = qemu_series.maintainer()[1]
        folders = {}
        for commit in commits:
            for name in commit.files:
                if not (self.source / name).exists():
                    folders.setdefault((os.path.dirname(name),
                                        os.path.basename(name)[:4]), name)
        self.assertGreater(len(folders), 8)
        for name in folders.values():
            self.assertIn(address, maintainers_of(name), name)
        self.assertNotIn(address, maintainers_of(
            'migration/meson.build', 'target/i386/machine.c',
            'target/arm/kvm.c', 'docs/system/target-arm.rst'))

    def test_cover_letter(self):
        text = self.patches[0].read_text(encoding='utf-8')
        self.assertNotIn('***', text)
        self.assertIn(f'QEMU {(self.source / "VERSION").read_text().strip()}',
                      text)
        for commit in qemu_series.read_series(self.source)[1]:
            self.assertIn(f'\n  {commit.subject}\n', text)

    def signed_by(self, *options, **environ):
        """Who signs the last patch off, and who is its author"""
        out = self.top / self.id()
        shutil.rmtree(out, ignore_errors=True)
        subprocess.run([SCRIPTS / 'export', 'git', *options, out],
                       env={**os.environ, **environ}, check=True,
                       stderr=subprocess.DEVNULL)
        text = sorted(out.iterdir())[-1].read_text(encoding='utf-8')
        return (re.search('^Signed-off-by: (.*)$', text, re.M)[1],
                re.search('^From: (.*)$', text, re.M)[1])

    def test_maintainer(self):
        jane, joe = 'Jane Doe <jane@example.org>', 'Joe <joe@example.org>'
        debian = {'DEBFULLNAME': 'Jane Doe', 'DEBEMAIL': 'jane@example.org'}
        ours = '{} <{}>'.format(*qemu_series.maintainer())
        for options, environ, wanted in (
                ((), {}, ours),
                (('--maintainer', jane), {}, jane),
                ((), debian, jane),
                ((), {'DEBEMAIL': jane}, jane),
                (('--maintainer', joe), debian, joe)):
            self.assertEqual(self.signed_by(*options, **environ),
                             (wanted, wanted))

    def test_no_maintainer(self):
        for given in ('Jane', 'Jane <>', '<jane@example.org>', '',
                      'Jane <jane>', 'Jane <a@b> <c@d>'):
            self.refused(repr(given), 'needed: "NAME <ADDRESS>"',
                         call=lambda: qemu_series.maintainer(given))
        for environ in ({'DEBFULLNAME': 'Jane'}, {'DEBEMAIL': 'a@b'},
                        {'DEBFULLNAME': 'Jane', 'DEBEMAIL': 'nobody'}):
            self.refused('DEBEMAIL', '--maintainer', call=lambda:
                         qemu_series.maintainer(environ=environ))
        self.assertIn('--maintainer is', self.export_fails(
            'git', '--maintainer', 'Jane', self.top / 'new'))
        self.assertFalse((self.top / 'new').exists())

    def test_reproducible(self):
        again = self.top / 'again'
        run(SCRIPTS / 'export', 'git', again)
        self.assertEqual(files_of(self.exported), files_of(again))

    def test_not_into_a_full_directory(self):
        self.assertIn('not empty', self.export_fails('git', self.exported))
        self.assertIn('not empty', self.export_fails('quilt', self.exported))
        for what in ('git', 'quilt'):
            self.assertIn('not empty', self.export_fails(
                what, '--check-build', self.exported))

    def test_not_into_the_source(self):
        """--check-build deletes much: not in the source, nor above it."""
        for what in ('git', 'quilt'):
            for place in (self.source, self.source / 'new',
                          self.source.parent):
                self.assertIn('name a directory elsewhere', self.export_fails(
                    what, '--check-build', place))
        self.assertTrue((self.source / 'VERSION').is_file())
        self.assertFalse((self.source / 'new').exists())

    def test_package_of_what_is_none_is_refused(self):
        result = subprocess.run(
            [SCRIPTS / 'export', 'quilt', '--check-build', self.top / 'new'],
            env={**os.environ, 'QEMU_SRC': str(self.small)}, text=True,
            capture_output=True, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('is not an unpacked source package', result.stderr)
        self.assertFalse((self.top / 'new').exists())

    # The table

    def test_file_in_no_commit_is_refused(self):
        commits = qemu_series.read_commits()[1]
        self.refused('block/new.c', 'no commit',
                     call=lambda: qemu_series.group(['hw/arm/hvc/spec.c',
                                                     'block/new.c'], commits))

    def test_longest_beginning_counts(self):
        commits = qemu_series.read_commits()[1]
        groups = qemu_series.group(
            ['target/arm/hvc/tcg.c', 'target/arm/hvc/kvm.c',
             'target/i386/xsave-mask.c', 'tests/qtest/xsave/test-xsave.c',
             'docs/system/i386/xsave-masks.rst'], commits)
        self.assertEqual(len(set(groups.values())), 5)

    def test_build_file_grows_with_its_commits(self):
        text = ("# what is built\n"
                "a_ss.add(files(\n  'a.c',\n))\n"
                "b_ss.add(when: 'CONFIG_B', if_true: files(\n"
                "  'b.c',\n), if_false: files('b-stub.c'))\n"
                "\n"
                "if have_c\n  c_ss.add(files('c.c'))\nendif\n")
        self.assertEqual(qemu_series.without('x/meson.build', text, set()),
                         text)
        self.assertEqual(
            qemu_series.without('x/meson.build', text, {'x/b-stub.c'}),
            "# what is built\na_ss.add(files(\n  'a.c',\n))\n"
            "if have_c\n  c_ss.add(files('c.c'))\nendif\n")
        self.assertEqual(
            qemu_series.without('x/meson.build', text, {'x/c.c', 'y/a.c'}),
            text[:text.index('if have_c')])

    # quilt

    def test_quilt_series_applies_after_debians(self):
        """From the pristine tarball on, as dpkg-source does it: without fuzz"""
        package = self.package()
        before = files_of(package, but=['debian'])
        run('dpkg-source', '--after-build', '--unapply-patches', package)
        run(SCRIPTS / 'export', 'quilt', package)
        run('dpkg-source', '--before-build', package)
        after = files_of(package, but=['debian'])
        self.assertEqual(after, {**before, **self.wanted})
        applied = (package / '.pc/applied-patches').read_text().split()
        self.assertEqual(applied, [
            line.split()[0] for line in
            (package / 'debian/patches/series').read_text().splitlines()
            if line and not line.startswith('#')])
        self.assertEqual(len([name for name in applied
                              if name.startswith('hvc/')]),
                         len(self.patches) - 1)
        # Patches of an earlier export are replaced, not added to.
        everything = files_of(package / 'debian')
        run(SCRIPTS / 'export', 'quilt', package)
        self.assertEqual(files_of(package / 'debian'), everything)

        # ... but not when quilt would no longer know what it applied.
        first = package / 'debian/patches' / [name for name in applied
                                              if name.startswith('hvc/')][0]
        first.write_text(first.read_text() + '\n')
        self.assertRegex(self.export_fails('quilt', package),
                         r'hvc/0001-.* is applied.*quilt pop -a')

    def test_quilt_without_a_package(self):
        out = self.top / 'quilt'
        run(SCRIPTS / 'export', 'quilt', out)
        names = (out / 'debian/patches/series').read_text().split()
        self.assertEqual(len(names), len(self.patches) - 1)
        for name in names:
            text = (out / 'debian/patches' / name).read_text(encoding='utf-8')
            self.assertIn('\nForwarded: no\n', text.split('\n\n', 1)[0])

    @staticmethod
    def holders(path):
        """The files and the copyright of each paragraph of debian/copyright"""
        text = path.read_text(encoding='utf-8')
        for paragraph in re.split(r'\n\n+', text)[1:]:
            fields = dict(re.findall(r'^(\S+):((?:.*)(?:\n[ \t].*)*)',
                                     paragraph, re.M))
            yield fields.get('Files', '').split(), fields.get('Copyright')

    def holder_of(self, name, path):
        """Of the paragraphs that match, the last one counts."""
        return [holder.strip() for files, holder in self.holders(path)
                if any(fnmatch.fnmatch(name, file) for file in files)][-1]

    def test_copyright(self):
        package = self.package()
        path = package / 'debian/copyright'
        before = path.read_text(encoding='utf-8')
        others = self.holder_of('hw/arm/virt.c', path)
        run(SCRIPTS / 'export', 'quilt', package)
        once = path.read_text(encoding='utf-8')
        self.assertTrue(once.startswith(before.rstrip('\n')))
        ours = '2026 qemu-hvc contributors'
        for name in self.wanted.keys() - files_of(self.small).keys():
            self.assertEqual(self.holder_of(name, path), ours, name)
        self.assertEqual(self.holder_of('debian/patches/hvc/0001-a.patch',
                                        path), ours)
        for name in files_of(self.small):
            self.assertEqual(self.holder_of(name, path), others, name)
        run(SCRIPTS / 'export', 'quilt', package)
        self.assertEqual(path.read_text(encoding='utf-8'), once)

    def test_programs_for_users_can_be_installed(self):
        """The commands of docs/distributions.rst install programs that run."""
        text = (ROOT / 'docs/distributions.rst').read_text(
            encoding='utf-8')
        lines = re.search(r'\n((?:  .*\n)*  install -d DESTDIR.*\n'
                          r'(?:  .*\n)*)', text)[1]
        top = self.top / 'installed'
        run('sh', '-euc', lines.replace('DESTDIR', str(top)),
            cwd=ROOT)
        programs = sorted((top / 'usr/bin').iterdir())
        self.assertEqual([program.name for program in programs],
                         ['guest-abi-diff', 'guest-abi-probe', 'vmstate-edit'])
        for program in programs:
            # The installed folder has all modules that the programs import.
            self.assertIn('usage: ', run(program, '--help', cwd=top))

    def top_entry(self, changelog):
        return dict(line.split(': ', 1) for line in
                    run('dpkg-parsechangelog', '-l', changelog).splitlines()
                    if not line.startswith(' ') and ': ' in line)

    def test_changelog(self):
        out = self.top / 'changelog'
        run(SCRIPTS / 'export', 'quilt', out)
        entry = self.top_entry(out / 'debian/changelog')
        self.assertEqual(entry['Source'], 'qemu')
        self.assertRegex(entry['Version'], r'^1:10\.0\..*\+hvc1$')
        if (self.source / 'debian/changelog').is_file():
            theirs = self.top_entry(self.source / 'debian/changelog')
            run('dpkg', '--compare-versions', entry['Version'], 'gt',
                theirs['Version'])

    def test_released_changelog_entry_stays(self):
        package = self.package()
        path = package / 'debian/changelog'
        before = path.read_text()
        run(SCRIPTS / 'export', 'quilt', package)
        first = path.read_text()
        self.assertEqual(first[-len(before):], before)
        released = first.replace('UNRELEASED', 'trixie', 1)
        path.write_text(released)
        run(SCRIPTS / 'export', 'quilt', package)
        self.assertTrue(self.top_entry(path)['Version'].endswith('+hvc2'))
        self.assertEqual(path.read_text()[-len(released):], released)

    def test_another_version_is_refused(self):
        package = self.package()
        (package / 'VERSION').write_text('10.0.99\n')
        self.assertRegex(self.export_fails('quilt', package),
                         r'is QEMU 10\.0\.99.*for QEMU 10\.0\..*QEMU_SRC')

    def test_series_and_source_differ(self):
        other = next(version for version in qemu_tree.versions()
                     if version != default_series())
        result = subprocess.run(
            [SCRIPTS / 'export', '--series', other, 'git', self.top / 'new'],
            env={**os.environ, 'QEMU_SRC': str(self.small)}, text=True,
            capture_output=True, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, rf'QEMU_SRC=.* a source tree of QEMU '
                         rf'{re.escape(other)};')
        self.assertFalse((self.top / 'new').exists())


def default_series():
    """The series of the source that scripts/fetch takes by itself"""
    return qemu_tree.series_folder(fetch('source')).name


def main():
    tap.arguments(__doc__)
    # The tools' own messages are not TAP.
    qemu_tree.print = lambda *args, **kwargs: None
    others = [type(f'Export-{version}', (Exported,), {'series': version})
              for version in qemu_tree.versions()
              if version != default_series()]
    return tap.run(Export, *others)
