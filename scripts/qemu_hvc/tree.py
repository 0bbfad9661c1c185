# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts the patched QEMU tree together, and takes patches back out of it.

The tree is a copy of a pristine QEMU source with the series of qemu-patches/
applied and the project's folders laid over it. Only files whose content
changes are written, so that the build after it does only what is needed.
"""

import argparse
import hashlib
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile

from .paths import ROOT

SERIES_VERSION = '10.0'
PATCHES = ROOT / 'qemu-patches' / SERIES_VERSION

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
    """One patch of the series."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text(encoding='utf-8')
        self.files = [line.split()[1].split('/', 1)[1]
                      for line in self.text.splitlines()
                      if line.startswith('+++ b/')]

    def header(self):
        """Everything before the diff, without the diffstat."""
        return self.text.split('\n---\n', 1)[0]


def read_series():
    """The patches, in order; each QEMU file belongs to one of them."""
    series = PATCHES / 'series'
    patches = []
    owner = {}
    for line in series.read_text(encoding='utf-8').splitlines():
        name = line.split('#', 1)[0].strip()
        if not name:
            continue
        path = PATCHES / name
        if not path.is_file():
            raise TreeError(f'{series}: names {name}, which is not there; '
                            'take the line out or bring the patch back')
        patch = Patch(path)
        for file in patch.files:
            if file in owner:
                raise TreeError(f'{file} is changed by both {owner[file]} and '
                                f'{name}; a file belongs to one patch')
            owner[file] = name
        patches.append(patch)
    return patches


def digest(data):
    return hashlib.sha256(data).hexdigest()


def check_source(source):
    version_file = source / 'VERSION'
    if not version_file.is_file():
        raise TreeError(f'{source} is not a QEMU source tree: it has no '
                        'VERSION file')
    version = version_file.read_text(encoding='utf-8').strip()
    if not version.startswith(SERIES_VERSION + '.'):
        raise TreeError(f'{source} is QEMU {version}; the patches are for '
                        f'QEMU {SERIES_VERSION}.x')
    return version


def patched_files(source, patches):
    """The content of every patched file, made away from the tree."""
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp)
        for patch in patches:
            for file in patch.files:
                if not (source / file).is_file():
                    raise TreeError(f'{patch.path.name}: does not apply: '
                                    f'{source} has no {file}')
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
        return {file: (work / file).read_bytes()
                for patch in patches for file in patch.files}


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
    wanted = patched_files(source, read_series())
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


def refresh(source, tree):
    """Regenerate every patch of the series from the edited tree."""
    check_source(source)
    patches = read_series()
    owned = {file for patch in patches for file in patch.files}
    strange = [name for name in changed_files(source, tree,
                                              overlay_files(source))
               if name not in owned]
    if strange:
        raise TreeError(
            f'changed in {tree}, but in no patch: {", ".join(strange)}\n'
            'add a patch to the series whose diff has a line "+++ b/FILE" for '
            'each file that it is to change, and call this again')
    for patch in patches:
        text = refreshed(patch, source, tree)
        if text != patch.text:
            patch.path.write_text(text, encoding='utf-8')
            print(f'refreshed {patch.path.relative_to(ROOT)}')
    state = load_state(tree)
    if state:
        for file in owned:
            state['files'][file] = digest((tree / file).read_bytes())
        (tree.parent / STATE).write_text(json.dumps(state, indent=1),
                                         encoding='utf-8')


def refreshed(patch, source, tree):
    """One patch's new text: its header, a diffstat, its files' diff."""
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp)
        git = ['git', '-c', 'user.name=-', '-c', 'user.email=-', '-C', tmp]

        def take(tree_of):
            for file in patch.files:
                (work / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(tree_of / file, work / file)
            subprocess.run(git + ['add', '--all'], check=True)

        subprocess.run(git + ['init', '--quiet'], check=True)
        take(source)
        subprocess.run(git + ['commit', '--quiet', '--message=-'], check=True)
        take(tree)
        diff = subprocess.run(
            git + ['diff', '--cached', '--stat', '--summary', '--patch',
                   '--abbrev=10'],
            check=True, capture_output=True, text=True).stdout
    if not diff:
        raise TreeError(f'{patch.path.name}: nothing is left of it in {tree}; '
                        'delete the patch and its line in the series')
    return f'{patch.header()}\n---\n{diff}\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('action', choices=['assemble', 'copy', 'refresh'])
    parser.add_argument('source', type=Path, help='pristine QEMU tree')
    parser.add_argument('tree', type=Path,
                        help='patched QEMU tree; of "copy", one that is not '
                        'patched')
    args = parser.parse_args()
    try:
        {'assemble': assemble, 'copy': copy,
         'refresh': refresh}[args.action](args.source, args.tree)
    except TreeError as error:
        sys.exit(f'qemu-tree: {error}')


if __name__ == '__main__':
    main()
