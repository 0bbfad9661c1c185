# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tests qemu_hvc/tree.py on a small made-up QEMU; prints TAP."""

from pathlib import Path
import tempfile
import unittest

from qemu_hvc import tree as qemu_tree
from qemu_hvc import tap

PATCH = '''\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A Maintainer <maintainer@example.org>
Date: Fri, 20 Nov 2026 00:00:00 +0000
Subject: [PATCH] hw: call us

Because.
---
 hw/board.c | 1 +
 1 file changed, 1 insertion(+)

diff --git a/hw/board.c b/hw/board.c
index 1111111111..2222222222 100644
--- a/hw/board.c
+++ b/hw/board.c
@@ -1,3 +1,4 @@
 one
+ours
 two
 three
'''

FIX = '''\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A Maintainer <maintainer@example.org>
Date: Fri, 20 Nov 2026 00:00:00 +0000
Subject: [PATCH] hw: count right

One follows zero.

Forwarded: no
---
 hw/board.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

diff --git a/hw/board.c b/hw/board.c
index 1111111111..2222222222 100644
--- a/hw/board.c
+++ b/hw/board.c
@@ -5,3 +5,3 @@
 five
-sex
+six
 seven
'''


class QemuTree(unittest.TestCase):
    """Each test has a source, a series of one patch and an overlay file."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        top = Path(folder.name)
        self.source = top / 'source'
        self.tree = top / 'build' / 'src'
        self.root = top / 'project'
        all_patches = self.root / 'qemu-patches'
        self.patches = all_patches / '10.0'
        self.write(self.source / 'VERSION', '10.0.99\n')
        self.write(self.source / 'hw/board.c', 'one\ntwo\nthree\n')
        self.write(self.source / 'hw/other.c', 'other\n')
        self.write(self.source / '.git/config', 'none of ours\n')
        self.write(self.root / 'hw/ours.c', 'our file\n')
        self.write(self.patches / '0001-call.patch', PATCH)
        self.write(self.patches / 'series', '# order matters\n'
                                            '0001-call.patch\n')
        self.write(self.patches / 'fixes/series', '')
        for name, value in (('ROOT', self.root), ('PATCHES', all_patches)):
            old = getattr(qemu_tree, name)
            setattr(qemu_tree, name, value)
            self.addCleanup(setattr, qemu_tree, name, old)

    @staticmethod
    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')

    def assemble(self):
        qemu_tree.assemble(self.source, self.tree)

    def texts(self):
        return [patch.text for patch in qemu_tree.read_series(self.patches)]

    def refused(self, action, *words):
        with self.assertRaises(qemu_tree.TreeError) as caught:
            action()
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_assembles(self):
        self.assemble()
        self.assertEqual((self.tree / 'hw/board.c').read_text(),
                         'one\nours\ntwo\nthree\n')
        self.assertEqual((self.tree / 'hw/ours.c').read_text(), 'our file\n')
        self.assertFalse((self.tree / '.git').exists())

    def test_second_call_touches_nothing(self):
        self.assemble()
        before = {path: path.stat().st_mtime_ns
                  for path in self.tree.rglob('*')}
        self.assemble()
        self.assertEqual(before, {path: path.stat().st_mtime_ns
                                  for path in self.tree.rglob('*')})

    def test_what_went_away_goes_away(self):
        self.assemble()
        (self.root / 'hw/ours.c').unlink()
        (self.patches / 'series').write_text('')
        self.assemble()
        self.assertFalse((self.tree / 'hw/ours.c').exists())
        self.assertEqual((self.tree / 'hw/board.c').read_text(),
                         'one\ntwo\nthree\n')

    def test_patch_that_does_not_apply_is_named(self):
        self.write(self.source / 'hw/board.c', 'eins\nzwei\ndrei\n')
        self.refused(self.assemble, '0001-call.patch', 'hw/board.c')
        self.assertFalse(self.tree.exists())

    def test_patched_file_that_is_gone_is_named(self):
        (self.source / 'hw/board.c').unlink()
        self.refused(self.assemble, '0001-call.patch', 'hw/board.c')

    def test_no_fuzz(self):
        self.write(self.source / 'hw/board.c', 'one\ntwo\n3\n')
        self.refused(self.assemble, '0001-call.patch', 'hw/board.c')

    def test_failure_leaves_the_tree_as_it_was(self):
        self.assemble()
        self.write(self.patches / '0001-call.patch',
                   PATCH.replace(' two\n', ' tow\n'))
        self.refused(self.assemble, '0001-call.patch')
        self.assertEqual((self.tree / 'hw/board.c').read_text(),
                         'one\nours\ntwo\nthree\n')

    def test_wrong_version(self):
        self.write(self.source / 'VERSION', '9.2.0\n')
        self.refused(self.assemble, '9.2.0', '10.0')

    def another_series(self):
        """Patches for a QEMU in which the board begins with a zero"""
        self.write(self.patches.parent / '10.2/0001-call.patch',
                   PATCH.replace(' one\n', ' zero\n one\n')
                   .replace('@@ -1,3 +1,4', '@@ -1,4 +1,5'))
        self.write(self.patches.parent / '10.2/series', '0001-call.patch\n')
        self.write(self.patches.parent / '10.2/fixes/series', '')

    def test_version_of_the_source_picks_the_series(self):
        self.another_series()
        self.assemble()
        self.assertEqual((self.tree / 'hw/board.c').read_text(),
                         'one\nours\ntwo\nthree\n')
        self.write(self.source / 'VERSION', '10.2.3\n')
        self.refused(self.assemble, '0001-call.patch', 'hw/board.c')
        self.write(self.source / 'hw/board.c', 'zero\none\ntwo\nthree\n')
        self.assemble()
        self.assertEqual((self.tree / 'hw/board.c').read_text(),
                         'zero\none\nours\ntwo\nthree\n')

    def test_versions_are_compared_as_numbers(self):
        self.another_series()
        self.write(self.patches.parent / '9.2/series', '')
        self.assertEqual(qemu_tree.versions(), ['9.2', '10.0', '10.2'])
        self.write(self.source / 'VERSION', '10.20.0\n')
        self.refused(self.assemble, '10.20.0', '9.2.x or 10.0.x or 10.2.x',
                     'scripts/port')

    def test_not_a_source(self):
        (self.source / 'VERSION').unlink()
        self.refused(self.assemble, 'not a QEMU source tree')

    def test_series_names_a_missing_patch(self):
        (self.patches / '0001-call.patch').unlink()
        self.refused(self.assemble, '0001-call.patch', 'not there')

    def test_overlay_may_not_replace(self):
        self.write(self.root / 'hw/other.c', 'mine\n')
        self.refused(self.assemble, 'hw/other.c', 'another name')

    def test_edits_are_not_lost(self):
        self.assemble()
        for name in ('hw/board.c', 'hw/ours.c'):
            text = (self.tree / name).read_text()
            self.write(self.tree / name, 'edited\n')
            self.refused(self.assemble, name, 'refresh-patches')
            self.assertEqual((self.tree / name).read_text(), 'edited\n')
            self.write(self.tree / name, text)

    def test_refresh_takes_edits_over(self):
        self.assemble()
        self.write(self.tree / 'hw/board.c', 'one\nours\nours too\ntwo\n'
                                             'three\n')
        qemu_tree.refresh(self.source, self.tree)
        text = (self.patches / '0001-call.patch').read_text()
        self.assertIn('Subject: [PATCH] hw: call us\n\nBecause.\n', text)
        self.assertIn('+ours too\n', text)
        self.assemble()
        self.assertEqual((self.tree / 'hw/board.c').read_text(),
                         'one\nours\nours too\ntwo\nthree\n')

    def test_refresh_is_stable(self):
        self.assemble()
        qemu_tree.refresh(self.source, self.tree)
        first = (self.patches / '0001-call.patch').read_text()
        qemu_tree.refresh(self.source, self.tree)
        self.assertEqual(first,
                         (self.patches / '0001-call.patch').read_text())

    def test_refresh_names_a_file_without_a_patch(self):
        self.assemble()
        self.write(self.tree / 'hw/other.c', 'edited\n')
        self.refused(lambda: qemu_tree.refresh(self.source, self.tree),
                     'hw/other.c', 'in no patch')

    def test_linked_tree_is_left_alone(self):
        self.tree.parent.mkdir(parents=True)
        self.tree.symlink_to(self.source)
        before = sorted(self.source.rglob('*'))
        self.assemble()
        self.assertEqual(before, sorted(self.source.rglob('*')))
        (self.source / 'VERSION').write_text('9.2.0\n')
        self.refused(self.assemble, '9.2.0', '10.0')

    def test_file_in_two_patches(self):
        self.write(self.patches / '0002-again.patch', PATCH)
        self.write(self.patches / 'series',
                   '0001-call.patch\n0002-again.patch\n')
        self.refused(self.assemble, '0001-call.patch', '0002-again.patch',
                     'hw/board.c')

    def with_fixes(self, *fixes):
        """A source that is wrong, and patches that correct it"""
        self.write(self.source / 'hw/board.c',
                   'one\ntwo\nthree\nfour\nfive\nsex\nseven\n')
        self.write(self.patches / '0001-call.patch', PATCH)
        for name, text in fixes:
            self.write(self.patches / 'fixes' / name, text)
        self.write(self.patches / 'fixes/series',
                   ''.join(f'{name}\n' for name, _ in fixes))

    def test_fixes_come_first(self):
        """Of one file, too"""
        self.with_fixes(('0001-six.patch', FIX),
                        ('0002-seven.patch',
                         FIX.replace('-sex\n+six\n', ' six\n').replace(
                             ' seven\n', '-seven\n+SEVEN\n')))
        self.assertEqual([patch.path.name for patch in
                          qemu_tree.read_series(self.patches)],
                         ['0001-six.patch', '0002-seven.patch',
                          '0001-call.patch'])
        self.assemble()
        self.assertEqual((self.tree / 'hw/board.c').read_text(),
                         'one\nours\ntwo\nthree\nfour\nfive\nsix\nSEVEN\n')

    def test_fix_that_does_not_apply_is_named(self):
        self.with_fixes(('0001-six.patch', FIX.replace('-sex', '-sax')))
        self.refused(self.assemble, '0001-six.patch', 'hw/board.c')

    def test_fixes_without_a_series(self):
        (self.patches / 'fixes/series').unlink()
        self.refused(self.assemble, 'fixes/series', 'not there')

    def refresh_edited(self, into=None):
        """Two patches of one file, and the last line is edited"""
        self.with_fixes(('0001-six.patch', FIX))
        self.assemble()
        path = self.tree / 'hw/board.c'
        self.write(path, path.read_text() + 'eight\n')
        qemu_tree.refresh(self.source, self.tree, into)
        fix = (self.patches / 'fixes/0001-six.patch').read_text()
        call = (self.patches / '0001-call.patch').read_text()
        self.assemble()
        self.assertEqual(path.read_text(), 'one\nours\ntwo\nthree\nfour\n'
                                           'five\nsix\nseven\neight\n')
        return fix, call

    def test_edit_goes_into_the_last_patch(self):
        fix, call = self.refresh_edited()
        self.assertIn('+six\n', fix)
        self.assertNotIn('eight', fix)
        self.assertIn('+ours\n', call)
        self.assertIn('+eight\n', call)
        self.assertNotIn('sex', call)

    def test_edit_goes_into_the_named_patch(self):
        fix, call = self.refresh_edited('0001-six.patch')
        self.assertIn('+six\n', fix)
        self.assertIn('+eight\n', fix)
        self.assertNotIn('ours', fix)
        self.assertIn('+ours\n', call)
        self.assertNotIn('eight', call)

    def test_edit_into_an_unknown_patch(self):
        self.with_fixes(('0001-six.patch', FIX))
        self.assemble()
        self.refused(lambda: qemu_tree.refresh(self.source, self.tree,
                                               '0009-x.patch'),
                     '0009-x.patch', 'in no series')

    def test_edit_of_what_another_patch_changes(self):
        self.with_fixes(('0001-six.patch', FIX))
        self.assemble()
        path = self.tree / 'hw/board.c'
        self.write(path, path.read_text().replace('ours', 'theirs'))
        before = self.texts()
        self.refused(lambda: qemu_tree.refresh(self.source, self.tree,
                                               '0001-six.patch'),
                     'hw/board.c', 'overlaps', '0001-six.patch')
        self.assertEqual(before, self.texts())

    def test_new_fix_of_a_file_that_is_patched(self):
        """A header with the names of its files is enough to begin with."""
        self.with_fixes(('0001-six.patch',
                         FIX[:FIX.index('\ndiff --git')] +
                         '\n+++ b/hw/board.c\n'))
        self.write(self.patches / 'fixes/series', '')
        self.assemble()
        self.write(self.patches / 'fixes/series', '0001-six.patch\n')
        path = self.tree / 'hw/board.c'
        self.write(path, path.read_text().replace('sex', 'six'))
        qemu_tree.refresh(self.source, self.tree, '0001-six.patch')
        self.assertIn('-sex\n+six\n',
                      (self.patches / 'fixes/0001-six.patch').read_text())
        self.assertNotIn('six',
                         (self.patches / '0001-call.patch').read_text())


def main():
    # The tool's own messages are not TAP.
    qemu_tree.print = lambda *args, **kwargs: None
    tap.arguments(__doc__)
    return tap.run(QemuTree)
