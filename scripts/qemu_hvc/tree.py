# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Puts the patched QEMU tree together, and takes patches back out of it.

The tree is a copy of a pristine QEMU source with the two series of
qemu-patches/X.Y applied, where X.Y is the source's version, and the project's
folders laid over it. Only files whose content changes are written, so that the
build after it does only what is needed.
"""

import argparse
import hashlib
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tempfile

from .paths import ROOT

# In it a folder for each version of QEMU that there are patches for
PATCHES = ROOT / 'qemu-patches'
# In such a folder: corrections of QEMU's own defects, a series of their own that
# is applied before the patches that call us.
FIXES = 'fixes'

# A folder here is copied to the folder of QEMU's tree. Of docs/, the rest is
# about this project.
OVERLAY = {
    'docs/system': 'docs/system',
    'hw': 'hw',
    'migration': 'migration',
    'qapi': 'qapi',
    'target-arm': 'target/arm',
    'target-i386': 'target/i386',
    'tests-qtest': 'tests/qtest',
}

# Names at the top of a source tree that are not QEMU's
NOT_SOURCE = ('.git', '.pc', 'build')

# Digests of the files that were put into the tree; beside the tree, as
# QEMU's tree has no such file.
STATE = '.qemu-tree.json'


class TreeError(Exception):
    """The source, the series or the tree is not usable; the text says what to
    do."""


class Patch:
    """One patch of a series."""

    def __init__(self, path):
        self.path = path
        self.is_fix = path.parent.name == FIXES
        self.text = path.read_text(encoding='utf-8')
        self.files = [line.split()[1].split('/', 1)[1]
                      for line in self.text.splitlines()
                      if line.startswith('+++ b/')]

    def header(self):
        """Everything before the diff, without the diffstat."""
        return self.text.split('\n---\n', 1)[0]

    def changed_lines(self):
        """The lines that the patch inserts, and those that it removes"""
        diff = self.text[self.text.index('\ndiff --git '):]
        return re.findall(r'^\+(?!\+\+ )(.*)', diff, re.M), \
            re.findall(r'^-(?!-- )(.*)', diff, re.M)

    def part(self, file):
        """The diff of one file; '' if the patch names it, but has no hunk"""
        for part in re.split(r'^(?=diff --git )', self.text, flags=re.M):
            if f'\n+++ b/{file}\n' in part and '\n@@ ' in part:
                return part
        return ''


def read_patches(folder):
    """The patches of one series, in order"""
    series = folder / 'series'
    patches = []
    if not series.is_file():
        raise TreeError(f'{series} is not there; it names the patches of '
                        f'{folder} in their order, bring it back')
    for line in series.read_text(encoding='utf-8').splitlines():
        name = line.split('#', 1)[0].strip()
        if not name:
            continue
        path = folder / name
        if not path.is_file():
            raise TreeError(f'{series}: names {name}, which is not there; '
                            'take the line out or bring the patch back')
        patches.append(Patch(path))
    return patches


def versions():
    """The versions of QEMU that there are patches for, oldest first"""
    return sorted((path.parent.name for path in PATCHES.glob('*/series')),
                  key=lambda name: [int(number) for number in
                                    name.split('.')])


def wanted_versions():
    """In words: 10.0.x or 10.2.x"""
    return ' or '.join(f'{version}.x' for version in versions())


def series_folder(source):
    """The folder with the patches for the version of a source"""
    version = check_source(source)
    return next(PATCHES / name for name in versions()
                if version.startswith(name + '.'))


def read_series(folder):
    """The corrections of QEMU, then the patches that call us, in order.

    Of the latter, each QEMU file belongs to one. A correction is for QEMU's
    developers, so its files are what it needs.
    """
    hooks = read_patches(folder)
    owner = {}
    for patch in hooks:
        for file in patch.files:
            if file in owner:
                raise TreeError(f'{file} is changed by both {owner[file]} and '
                                f'{patch.path.name}; a file belongs to one '
                                'patch')
            owner[file] = patch.path.name
    return read_patches(folder / FIXES) + hooks


def digest(data):
    return hashlib.sha256(data).hexdigest()


def check_source(source):
    version_file = source / 'VERSION'
    if not version_file.is_file():
        raise TreeError(f'{source} is not a QEMU source tree: it has no '
                        'VERSION file')
    version = version_file.read_text(encoding='utf-8').strip()
    if not any(version.startswith(name + '.') for name in versions()):
        raise TreeError(f'{source} is QEMU {version}; the patches are for '
                        f'QEMU {wanted_versions()}; see "scripts/port --help"')
    return version


def apply_patches(source, patches):
    """Applies patches away from the tree.

    Yields each patch with the content that its files have after it.
    """
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp)
        for patch in patches:
            for file in patch.files:
                if not (source / file).is_file():
                    raise TreeError(f'{patch.path.name}: does not apply: '
                                    f'{source} has no {file}')
                if not (work / file).is_file():
                    (work / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / file, work / file)
            result = subprocess.run(
                ['patch', '--strip=1', '--fuzz=0', '--batch', '--forward',
                 '--no-backup-if-mismatch', '--reject-file=-',
                 f'--input={patch.path}'],
                cwd=work, text=True, capture_output=True, check=False)
            if result.returncode:
                failed = failed_file(result.stdout) or patch.files[0]
                raise TreeError(
                    f'{patch.path.name}: does not apply to {failed} of '
                    f'{source}; bring it up to date with '
                    f'scripts/refresh-patches\n{result.stdout.rstrip()}')
            yield patch, {file: (work / file).read_bytes()
                          for file in patch.files}


def patched_files(source, patches):
    """The content of every patched file"""
    files = {}
    for _, changed in apply_patches(source, patches):
        files.update(changed)
    return files


def failed_file(output):
    """The file that GNU patch was working on when a hunk failed."""
    current = None
    for line in output.splitlines():
        if line.startswith('patching file '):
            current = line[len('patching file '):].strip("'")
        elif 'FAILED' in line or 'ignored' in line:
            return current
    return None


def overlay_names():
    """The files of the project's folders, and what QEMU's tree calls them."""
    return {str(path.relative_to(ROOT)):
            str(Path(target) / path.relative_to(ROOT / folder))
            for folder, target in OVERLAY.items()
            for path in sorted((ROOT / folder).rglob('*'))
            if path.is_file()}


def overlay_files(source):
    """The content of every file of the project's folders."""
    files = {}
    for ours, name in overlay_names().items():
        if (source / name).exists():
            raise TreeError(f'{ours} would replace QEMU\'s own {name}; give '
                            'it another name')
        files[name] = (ROOT / ours).read_bytes()
    return files


def load_state(tree):
    state = tree.parent / STATE
    if tree.is_dir() and state.is_file():
        return json.loads(state.read_text(encoding='utf-8'))
    return None


def copy_source(source, tree):
    """Copies the source: TREE gets its name when all of it is there."""
    print(f'copying {source} to {tree}', flush=True)
    tree.parent.mkdir(parents=True, exist_ok=True)
    if tree.exists():
        shutil.rmtree(tree)
    partial = tree.with_name(tree.name + '.partial')
    if partial.exists():
        shutil.rmtree(partial)
    shutil.copytree(source, partial, symlinks=True,
                    ignore=lambda folder, names: NOT_SOURCE
                    if Path(folder) == source else ())
    partial.rename(tree)


def refuse_edits(tree, written, wanted):
    """TreeError if somebody edited files that would be overwritten"""
    edited = [name for name, known in written.items()
              if (tree / name).is_file() and
              digest((tree / name).read_bytes()) not in
              (known, digest(wanted.get(name, b'')))]
    if edited:
        raise TreeError(
            f'edited in {tree}: {", ".join(edited)}\n'
            "take changes of QEMU's own files over with "
            'scripts/refresh-patches, and make changes of the project\'s '
            'files in its own folders; or delete the edited files')


def copy(source, tree):
    """The pristine source, in a place of our own"""
    bring(source, tree, check_source(source), {})


def assemble(source, tree):
    if tree.is_symlink():
        # A link leads to a tree that somebody else put together, such as a
        # distribution's package.
        print(f'{tree} is a link: taking {tree.resolve()} as it is',
              flush=True)
        check_source(tree)
        return
    version = check_source(source)
    wanted = patched_files(source, read_series(series_folder(source)))
    wanted.update(overlay_files(source))
    bring(source, tree, version, wanted)


def bring(source, tree, version, wanted):
    """A copy of the source in which some files are as they are wanted"""
    identity = f'{source.resolve()} {version}'
    state = load_state(tree)
    if state is None or state['source'] != identity:
        (tree.parent / STATE).unlink(missing_ok=True)
        copy_source(source, tree)
        state = {'source': identity, 'files': {}}
    refuse_edits(tree, state['files'], wanted)

    for name in state['files'].keys() - wanted.keys():
        if (source / name).is_file():
            shutil.copyfile(source / name, tree / name)
        else:
            (tree / name).unlink(missing_ok=True)
    for name, data in wanted.items():
        path = tree / name
        if path.is_file() and path.read_bytes() == data:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f'  {name}', flush=True)
    state['files'] = {name: digest(data) for name, data in wanted.items()}
    (tree.parent / STATE).write_text(json.dumps(state, indent=1),
                                     encoding='utf-8')


def changed_files(source, tree, overlay):
    """QEMU's own files that differ between the pristine and the edited tree"""
    result = subprocess.run(
        ['diff', '--recursive', '--brief', '--no-dereference',
         '--exclude=.git', '--exclude=.pc', '--exclude=build',
         '--exclude=__pycache__', str(source), str(tree)],
        text=True, capture_output=True, check=False,
        env={**os.environ, 'LC_ALL': 'C'})
    changed = []
    for line in result.stdout.splitlines():
        if line.startswith('Files '):
            name = line[len(f'Files {source}/'):].split(' and ', 1)[0]
        elif line.startswith(f'Only in {tree}'):
            where, leaf = line[len(f'Only in {tree}'):].split(': ', 1)
            name = str(Path(where.lstrip('/')) / leaf)
            if not any(path.is_file() for path in [tree / name,
                                                   *(tree / name).rglob('*')]):
                continue    # an empty directory that QEMU's build makes
        else:
            continue
        if name not in overlay and \
           not any(o.startswith(name + '/') for o in overlay):
            changed.append(name)
    return changed


def refresh(source, tree, into=None):
    """Regenerate every patch from the edited tree.

    What was edited in a file that several patches change becomes part of the
    patch whose file name is @into, if that is one of them, else of the last.
    """
    folder = series_folder(source)
    patches = read_series(folder)
    if into and into not in [patch.path.name for patch in patches]:
        raise TreeError(f'{into} is in no series; name a patch that is in '
                        f'{folder}/series or {folder}/{FIXES}/series')
    owned = {file for patch in patches for file in patch.files}
    strange = [name for name in changed_files(source, tree,
                                              overlay_files(source))
               if name not in owned]
    if strange:
        raise TreeError(
            f'changed in {tree}, but in no patch: {", ".join(strange)}\n'
            'add a patch to the series whose diff has a line "+++ b/FILE" for '
            'each file that it is to change, and call this again')
    before = {patch: {} for patch in patches}
    after = {patch: {} for patch in patches}
    for file in sorted(owned):
        users = [patch for patch in patches if file in patch.files]
        contents = stages(source, tree, file, users, into)
        for patch, old, new in zip(users, contents, contents[1:]):
            before[patch][file] = old
            after[patch][file] = new
    texts = [refreshed(patch, before[patch], after[patch])
             for patch in patches]
    for patch, text in zip(patches, texts):
        if text != patch.text:
            patch.path.write_text(text, encoding='utf-8')
            print(f'refreshed {patch.path.relative_to(ROOT)}')
    state = load_state(tree)
    if state:
        for file in owned:
            state['files'][file] = digest((tree / file).read_bytes())
        (tree.parent / STATE).write_text(json.dumps(state, indent=1),
                                         encoding='utf-8')


def stages(source, tree, file, users, into):
    """The content of a file before, between and after the patches of it"""
    edited = (tree / file).read_bytes()
    contents = [(source / file).read_bytes()]
    if len(users) > 1:
        for patch in users:
            contents.append(with_part(patch, file, contents[-1]))
    else:
        contents.append(edited)
    taker = len(users)
    for number, patch in enumerate(users, 1):
        if patch.path.name == into:
            taker = number
    # The others' changes stay, so the edit goes below those that come later.
    return contents[:taker] + [
        merged(users[number - 1], file, contents[number], contents[-1], edited)
        for number in range(taker, len(users))] + [edited]


def with_part(patch, file, content):
    """A file's content with what one patch does to it"""
    if not patch.part(file):
        return content
    with tempfile.TemporaryDirectory() as tmp:
        path = Path(tmp) / 'file'
        path.write_bytes(content)
        result = subprocess.run(
            ['patch', '--batch', '--forward', '--no-backup-if-mismatch',
             '--reject-file=-', str(path)], input=patch.part(file), text=True,
            capture_output=True, check=False)
        if result.returncode:
            raise TreeError(f'{patch.path.name}: does not apply to {file}, '
                            'which other patches change too; correct the hunk '
                            f'in {patch.path}\n{result.stdout.rstrip()}')
        return path.read_bytes()


def merged(patch, file, content, old, new):
    """A file's content with the changes between two others"""
    with tempfile.TemporaryDirectory() as tmp:
        names = []
        for name, data in (('content', content), ('old', old), ('new', new)):
            names.append(Path(tmp) / name)
            names[-1].write_bytes(data)
        result = subprocess.run(['git', 'merge-file', '--stdout', *names],
                                capture_output=True, check=False)
    if result.returncode:
        raise TreeError(f'{file}: what was edited overlaps with what a patch '
                        f'after {patch.path.name} changes; correct the hunk '
                        f'in {patch.path}')
    return result.stdout


def refreshed(patch, before, after):
    """One patch's new text: its header, a diffstat, its files' diff."""
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp)
        git = ['git', '-c', 'user.name=-', '-c', 'user.email=-', '-C', tmp]

        def take(contents):
            for file, content in contents.items():
                (work / file).parent.mkdir(parents=True, exist_ok=True)
                (work / file).write_bytes(content)
            subprocess.run(git + ['add', '--all'], check=True)

        subprocess.run(git + ['init', '--quiet'], check=True)
        take(before)
        subprocess.run(git + ['commit', '--quiet', '--message=-'], check=True)
        take(after)
        diff = subprocess.run(
            git + ['diff', '--cached', '--stat', '--summary', '--patch',
                   '--abbrev=10'],
            check=True, capture_output=True, text=True).stdout
    if not diff:
        raise TreeError(f'{patch.path.name}: nothing is left of it; delete '
                        'the patch and its line in the series')
    return f'{patch.header()}\n---\n{diff}\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('action', choices=['assemble', 'copy', 'refresh'])
    parser.add_argument('source', type=Path, help='pristine QEMU tree')
    parser.add_argument('tree', type=Path,
                        help='patched QEMU tree; of "copy", one that is not '
                        'patched')
    parser.add_argument('--into', metavar='PATCH', help='of "refresh": the '
                        'patch that takes what was edited in files which '
                        'several patches change, instead of the last of them')
    args = parser.parse_args()
    try:
        if args.action == 'refresh':
            refresh(args.source, args.tree, args.into)
        else:
            {'assemble': assemble,
             'copy': copy}[args.action](args.source, args.tree)
    except TreeError as error:
        sys.exit(f'qemu-tree: {error}')


if __name__ == '__main__':
    main()
