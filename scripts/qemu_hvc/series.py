# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Makes a series of commits of the patched QEMU tree.

Each correction of QEMU's own defects is a commit of its own, and they come
first. The file "commits" beside the patches says which other file is in which
commit.
"""

from datetime import datetime, timezone
import os
from pathlib import Path
import posixpath
import re
import subprocess
import tempfile

from . import tree as qemu_tree
from .tree import TreeError

COMMITS = 'commits'
COVER = 'cover'
MAINTAINERS = 'MAINTAINERS'
AUTHORS = 'AUTHORS'
# Columns of a commit message that QEMU's checkpatch allows
MESSAGE_WIDTH = 75


class Commit:
    """One commit of the series, or its cover letter."""

    def __init__(self, subject):
        self.subject = subject
        self.prefixes = []
        self.body = ''
        self.files = {}     # those that this commit changes: name -> content
        self.forwarded = 'no'       # as DEP-3 has it

    def fit(self, name):
        """How much of a file's name this commit claims"""
        return max((len(p) for p in self.prefixes if name.startswith(p)),
                   default=0)


def read_commits():
    """The cover letter and the commits, without their files"""
    path = qemu_tree.PATCHES / COMMITS
    if not path.is_file():
        raise TreeError(f'{path} is not there; it says which file is in which '
                        'commit, bring it back')
    commits = []
    for number, line in enumerate(
            path.read_text(encoding='utf-8').splitlines(), 1):
        if line.startswith('#'):
            continue
        if line and not line[0].isspace():
            commits.append(Commit(line.strip()))
            continue
        text = line.strip()
        if not commits:
            if text:
                raise TreeError(f'{path}:{number}: belongs to no commit; a '
                                'subject starts in the first column')
        elif text.startswith('files:'):
            commits[-1].prefixes += text.split()[1:]
        else:
            if len(text) > MESSAGE_WIDTH:
                raise TreeError(f'{path}:{number}: {len(text)} columns; at '
                                f'most {MESSAGE_WIDTH} fit a commit message')
            commits[-1].body += line[4:].rstrip() + '\n'
    for commit in commits:
        commit.body = commit.body.strip('\n') + '\n'
    if not commits or not commits[0].subject.startswith(COVER + ': '):
        raise TreeError(f'{path}: does not begin with "{COVER}: SUBJECT", the '
                        'cover letter')
    cover = commits.pop(0)
    cover.subject = cover.subject.split(': ', 1)[1]
    return cover, commits


def group(names, commits):
    """For each file the number of its commit"""
    groups = {}
    strange = []
    for name in names:
        best = max(range(len(commits)), key=lambda i: commits[i].fit(name))
        if commits[best].fit(name):
            groups[name] = best
        else:
            strange.append(name)
    if strange:
        raise TreeError(
            f'in no commit of the exported series: {", ".join(strange)}; add '
            'the beginning of the name to a "files:" line of '
            f'{(qemu_tree.PATCHES / COMMITS).relative_to(qemu_tree.ROOT)}')
    return groups


def statements(text):
    """The top-level statements of a meson.build, with the lines before them"""
    found = []
    for line in text.splitlines(keepends=True):
        if found and (not line[0].isalnum() or
                      re.match(r'(end|el)[a-z]+\b', line)):
            # Blank lines and comments, too, stay with what is before them.
            found[-1] += line
        else:
            found.append(line)
    return found


def without(name, text, later):
    """A meson.build without the statements that name files of later commits"""
    def is_later(statement):
        return any(posixpath.normpath(posixpath.join(posixpath.dirname(name),
                                                     quoted)) in later
                   for quoted in re.findall(r"'([^'\n]+)'", statement))

    return ''.join(statement for statement in statements(text)
                   if not is_later(statement))


def content_at(name, data, later):
    """A file of the overlay as it is when files of LATER are not there yet"""
    if later and posixpath.basename(name) == 'meson.build':
        return without(name, data.decode(), later).encode()
    return data


def maintainers(source):
    """QEMU's MAINTAINERS with our sections, as far as they are in its tree"""
    sections = []
    for section in (qemu_tree.ROOT / MAINTAINERS).read_text(
            encoding='utf-8').strip().split('\n\n')[1:]:
        lines = section.splitlines()
        files = [f'F: {there}{line[3 + len(here):]}' for line in lines
                 for here, there in qemu_tree.OVERLAY.items()
                 if line.startswith(f'F: {here}/')]
        if files:
            sections.append('\n'.join(
                [line for line in lines if not line.startswith('F: ')] +
                files))
    title = 'Contract with the guest'
    return '\n'.join([
        (source / MAINTAINERS).read_text(encoding='utf-8').rstrip('\n'), '',
        title, '-' * len(title), '\n\n'.join(sections), '']).encode()


def fix_commit(patch, files):
    """The commit of a correction, which has its message in its header"""
    header, body = patch.header().split('\n\n', 1)
    subject = re.search(r'^Subject: \[PATCH\] (.*(?:\n .*)*)', header, re.M)
    forwarded = re.search(r'^Forwarded: (.*)\n', body, re.M)
    if not subject or not forwarded:
        raise TreeError(f'{patch.path}: has no line "Subject: [PATCH] ..." '
                        'above its message, or none "Forwarded: ..." in it; '
                        'the latter says where QEMU\'s developers have it, or '
                        'no')
    commit = Commit(subject[1].replace('\n', ''))
    commit.forwarded = forwarded[1]
    # The exported series has one author.
    commit.body = re.sub(r'^(Forwarded|Signed-off-by): .*\n?', '', body,
                         flags=re.M).strip('\n') + '\n'
    commit.files = files
    return commit


def read_series(source):
    """The cover letter, and the commits with their files"""
    fixes, fixed, patched = [], {}, {}
    for patch, files in qemu_tree.apply_patches(
            source, qemu_tree.read_series(qemu_tree.series_folder(source))):
        if patch.is_fix:
            fixes.append(fix_commit(patch, files))
            fixed.update(files)
        else:
            patched.update(files)
    if (source / MAINTAINERS).is_file():
        patched[MAINTAINERS] = maintainers(source)
    overlay = qemu_tree.overlay_files(source)
    cover, commits = read_commits()
    groups = group([*patched, *overlay], commits)
    state = fixed
    for number, commit in enumerate(commits):
        later = {name for name in groups if groups[name] > number}
        for name, where in groups.items():
            if where > number:
                continue
            data = patched.get(name)
            if data is None:
                data = content_at(name, overlay[name], later)
            if state.get(name) != data:
                state[name] = commit.files[name] = data
    return cover, fixes + [commit for commit in commits if commit.files]


def project_commit():
    """Name and date of this project's last commit"""
    def git(*arguments):
        return subprocess.run(['git', '-C', qemu_tree.ROOT, *arguments],
                              capture_output=True, text=True, check=True
                              ).stdout.strip()

    try:
        date = datetime.fromisoformat(git('log', '-1', '--format=%aI'))
        return git('describe', '--always', '--dirty', '--abbrev=12',
                   '--exclude=*'), date
    except (OSError, subprocess.CalledProcessError):
        pass
    try:
        return 'a release', datetime.fromtimestamp(
            int(os.environ['SOURCE_DATE_EPOCH']), timezone.utc)
    except (KeyError, ValueError):
        raise TreeError(
            f'{qemu_tree.ROOT} is not a git checkout, so there is no commit '
            'whose date the series could have; set SOURCE_DATE_EPOCH to the '
            'seconds since 1970 to use') from None


def named(text, where):
    """The parts of "NAME <ADDRESS>"; TreeError if it is something else"""
    match = re.fullmatch(r'\s*([^<>]*[^<>\s])\s*<([^<>\s]+@[^<>\s]+)>\s*', text)
    if not match:
        raise TreeError(f'{where} is {text!r}; needed: "NAME <ADDRESS>"; give '
                        "it with --maintainer 'NAME <ADDRESS>'")
    return match.groups()


def maintainer(given=None, environ=os.environ):
    """Name and address of who exports: author of the commits and the changelog

    @given is "NAME <ADDRESS>"; without it they are Debian's DEBFULLNAME and
    DEBEMAIL (dch(1): DEBEMAIL may have the name, too), or else MAINTAINERS'.
    """
    name, address = environ.get('DEBFULLNAME'), environ.get('DEBEMAIL')
    if given is not None:
        return named(given, '--maintainer')
    if address and '<' in address:
        found = named(address, 'DEBEMAIL')
        return (name, found[1]) if name else found
    if name or address:
        return named(f'{name or ""} <{address or ""}>',
                     '"DEBFULLNAME <DEBEMAIL>"')
    text = (qemu_tree.ROOT / MAINTAINERS).read_text(encoding='utf-8')
    match = re.search(r'^M: (.*)$', text, re.M)
    return named(match[1] if match else '', "MAINTAINERS' first M:")


def copyright_holder():
    """As in "2026 qemu-hvc contributors"; AUTHORS says who they are."""
    text = (qemu_tree.ROOT / AUTHORS).read_text(encoding='utf-8')
    match = re.search(r'^Copyright \(c\) (\d{4}.*)$', text, re.M)
    if not match:
        raise TreeError(f'{AUTHORS} has no line "Copyright (c) YEAR HOLDER"; '
                        'it is the holder of the series, bring it back')
    return match[1]


def claims(source, commits):
    """The new files of commits; of a new folder, "FOLDER/*" alone"""
    found = set()
    for name in {name for commit in commits for name in commit.files}:
        if (source / name).exists():
            continue
        # The first folder that QEMU does not have
        parents = [str(folder) for folder in Path(name).parents][-2::-1]
        new = [folder for folder in parents if not (source / folder).exists()]
        found.add(f'{new[0]}/*' if new else name)
    return sorted(found)


class Repository:
    """A git repository with no more than the files that the series changes"""

    def __init__(self, top, author):
        self.top = top
        name, address = author
        date = project_commit()[1].isoformat()
        self.signature = f'Signed-off-by: {name} <{address}>'
        # git without the user's settings
        self.env = {**os.environ, 'GIT_CONFIG_GLOBAL': os.devnull,
                    'GIT_CONFIG_NOSYSTEM': '1', 'LC_ALL': 'C', 'TZ': 'UTC',
                    'GIT_AUTHOR_NAME': name, 'GIT_COMMITTER_NAME': name,
                    'GIT_AUTHOR_EMAIL': address,
                    'GIT_COMMITTER_EMAIL': address,
                    'GIT_AUTHOR_DATE': date, 'GIT_COMMITTER_DATE': date}
        for variable in ('GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE'):
            self.env.pop(variable, None)
        self.git('init', '--quiet', '--initial-branch=qemu')

    def git(self, *arguments, text=None):
        result = subprocess.run(['git', '-C', self.top, *arguments],
                                env=self.env, input=text, text=True,
                                capture_output=True, check=False)
        if result.returncode:
            raise TreeError(f'git {" ".join(arguments)}: '
                            f'{result.stderr.strip() or result.stdout}')
        return result.stdout

    def commit(self, message):
        self.git('add', '--all', '--force')
        self.git('commit', '--quiet', '--file=-', text=message)


def write(top, name, data, executable=False):
    path = top / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if executable:
        path.chmod(0o755)


def executables():
    """The overlay's programs, as they are called in QEMU's tree"""
    return {name for ours, name in qemu_tree.overlay_names().items()
            if os.access(qemu_tree.ROOT / ours, os.X_OK)}


def format_patches(source, out, author):
    """Writes the series to OUT as files for git am; returns the commits

    @author: name and address, as maintainer() returns them
    """
    cover, commits = read_series(source)
    programs = executables()
    with tempfile.TemporaryDirectory() as tmp:
        repository = Repository(Path(tmp), author)
        for name in {name for commit in commits for name in commit.files}:
            if (source / name).is_file():
                write(repository.top, name, (source / name).read_bytes())
        repository.commit('The pristine source\n')
        repository.git('tag', 'base')
        for commit in commits:
            for name, data in commit.files.items():
                write(repository.top, name, data, name in programs)
            repository.commit(f'{commit.subject}\n\n{commit.body}\n'
                              f'{repository.signature}\n')
        repository.git('format-patch', '--quiet', '--zero-commit',
                       '--no-signature', '--abbrev=10', '--no-renames',
                       '--cover-letter', '-o', str(out.resolve()), 'base')
    letter = out / '0000-cover-letter.patch'
    text = letter.read_text(encoding='utf-8')
    version = qemu_tree.check_source(source)
    for placeholder, value in (
            ('*** SUBJECT HERE ***', cover.subject),
            ('*** BLURB HERE ***',
             f'{cover.body}\nFor QEMU {version}; made from qemu-hvc at '
             f'{project_commit()[0]}. Each commit builds.')):
        if placeholder not in text:
            raise TreeError(f'git format-patch wrote no "{placeholder}"; '
                            'needed: git 2.34 or later')
        text = text.replace(placeholder, value)
    letter.write_text(text, encoding='utf-8')
    return commits


def lay(source, tree, commits, count):
    """Makes TREE what it is after the first COUNT commits."""
    now = {}
    for commit in commits[:count]:
        now.update(commit.files)
    for name in {name for commit in commits for name in commit.files}:
        path = tree / name
        data = now.get(name)
        if data is None and (source / name).is_file():
            data = (source / name).read_bytes()
        if data is None:
            path.unlink(missing_ok=True)
        elif not path.is_file() or path.read_bytes() != data:
            write(tree, name, data)
