# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Tries each hunk of the patches on a source tree of another QEMU.

As GNU patch does, but one hunk at a time, and with an answer to the question
that comes next: what is there now?
"""

from dataclasses import dataclass, field
import os
from pathlib import Path
import re

# GNU patch's: so many lines of context at either end may differ
FUZZ_MAX = 2
# Lines that are shown above and below
AROUND = 2
# Of the old lines, the share that has to be somewhere to call that the place
LIKENESS_MIN = 0.3
HEADER = re.compile(r'^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@ ?(.*)')
IDENTIFIER = re.compile(r'([A-Za-z_]\w+) ?\(')
FOLDERS_LEFT_OUT = {'.git', '.pc', 'build', 'roms', 'subprojects'}


@dataclass
class Hunk:
    """One hunk: as it is, and what it says"""

    line: int               # where it was, from 1
    function: str           # what git shows behind @@
    changes: list = field(default_factory=list)     # lines with + or -
    old: list = field(default_factory=list)
    new: list = field(default_factory=list)
    before: int = 0         # lines of context ahead of the first change
    after: int = 0          # and behind the last one

    def without_context(self, lines):
        """Old and new lines less so many lines of context at either end"""
        head, tail = min(lines, self.before), min(lines, self.after)
        return head, self.old[head:len(self.old) - tail], \
            self.new[head:len(self.new) - tail]


@dataclass
class Result:
    """What became of a hunk"""

    name: str               # PATCH FILE #NUMBER
    applies: bool
    text: str               # one line
    there: list = field(default_factory=list)   # what is around the place now
    clean: bool = False     # nobody needs to look


def parse(part):
    """The hunks in the diff of one file"""
    hunks = []
    for line in part.splitlines():
        header = HEADER.match(line)
        if header:
            hunks.append(Hunk(int(header[1]), header[2]))
        elif hunks and line[:1] in ('+', '-', ' ', ''):
            hunk = hunks[-1]
            mark, text = line[:1] or ' ', line[1:]
            if mark == ' ':
                hunk.after += 1
                hunk.before += hunk.old == hunk.new
            else:
                hunk.after = 0
                hunk.changes.append(line)
            if mark in ' -':
                hunk.old.append(text)
            if mark in ' +':
                hunk.new.append(text)
    for hunk in hunks:
        # A blank line ends the mail that a patch is.
        while hunk.old and hunk.new and hunk.old[-1] == hunk.new[-1] == '':
            del hunk.old[-1], hunk.new[-1]
            hunk.after -= 1
    return hunks


def find(lines, wanted, near):
    """Where the wanted lines are, from 0, nearest to a place; or None"""
    if not wanted:
        return None
    places = [at for at in range(len(lines) - len(wanted) + 1)
              if lines[at] == wanted[0] and
              lines[at:at + len(wanted)] == wanted]
    return min(places, key=lambda at: abs(at - near), default=None)


def place(hunk, lines, near):
    """Where a hunk goes: the place, from 0, and the fuzz it takes; or None"""
    for fuzz in range(FUZZ_MAX + 1):
        head, old, _ = hunk.without_context(fuzz)
        at = find(lines, old, near + head)
        if at is not None:
            return at, fuzz
    return None


def most_like(hunk, lines):
    """The place where most of a hunk's old lines are, or None"""
    wanted = {line for line in hunk.old if len(line.strip()) > 2}
    best, best_at = 0, None
    for at in range(max(1, len(lines) - len(hunk.old) + 1)):
        score = len(wanted.intersection(lines[at:at + len(hunk.old)]))
        if score > best:
            best, best_at = score, at
    return best_at if wanted and best >= LIKENESS_MIN * len(wanted) else None


def excerpt(lines, at, count):
    """Lines with their numbers, and some around them"""
    first = max(0, at - AROUND)
    return [f'{number:6} {line}'.rstrip() for number, line in
            enumerate(lines[first:at + count + AROUND], first + 1)]


class Source:
    """A tree of another QEMU, and what the patches made of its files"""

    def __init__(self, top):
        self.top = top
        self.files = {}         # name there -> lines
        self.renamed = {}       # name in the patch -> name there
        self.changed = set()    # names there
        self.names = None

    def all_names(self):
        if self.names is None:
            self.names = {}
            for folder, folders, files in os.walk(self.top):
                folders[:] = [name for name in folders
                              if name not in FOLDERS_LEFT_OUT]
                for name in files:
                    self.names.setdefault(name, []).append(
                        str((Path(folder) / name).relative_to(self.top)))
        return self.names

    def lines(self, name):
        if name not in self.files:
            self.files[name] = (self.top / name).read_text(
                encoding='utf-8', errors='surrogateescape').splitlines()
        return self.files[name]

    def where(self, name):
        """What a file is called there: itself, or one of that name nearby"""
        if name in self.renamed:
            return self.renamed[name]
        found = None
        if (self.top / name).is_file():
            found = name
        else:
            parts = Path(name).parts
            # The more folders in common, the nearer
            found = max((other for other in
                         self.all_names().get(parts[-1], [])),
                        key=lambda other: len(set(parts) &
                                              set(Path(other).parts)),
                        default=None)
            if found and len(set(parts) & set(Path(found).parts)) < 2:
                found = None
        self.renamed[name] = found
        return found

    def functions(self, name):
        """FILE:LINE of the definitions of a function: C, as QEMU writes it"""
        pattern = re.compile(rf'^[A-Za-z_].*\b{name} ?\([^;]*$')
        for files in self.all_names().values():
            for file in files:
                if not file.endswith('.c') or file.startswith('tests/'):
                    continue
                for number, line in enumerate(self.lines(file), 1):
                    if pattern.match(line):
                        yield f'{file}:{number}'


def explain(source, hunk, file):
    """A line, and what is there now, of a hunk that does not apply"""
    lines = source.lines(file)
    at = most_like(hunk, lines)
    if at is not None:
        return f'does not apply; most like it is {file}:{at + 1}', \
            excerpt(lines, at, len(hunk.old))
    function = IDENTIFIER.search(hunk.function) if file.endswith('.c') \
        else None
    found = list(source.functions(function[1])) if function else []
    if found:
        return f'does not apply; nothing is like it, {function[1]}() is ' \
            f'in {", ".join(found)}', []
    return 'does not apply; nothing is like it' + \
        (f', and there is no {function[1]}()' if function else ''), []


def try_hunk(source, hunk, file, shift):
    """The result, without its name, and where the next one may be expected"""
    lines = source.lines(file)
    near = hunk.line - 1 + shift
    if find(lines, hunk.new, near) is not None and \
       find(lines, hunk.old, near) is None:
        return Result('', True, 'is there already', clean=True), shift
    found = place(hunk, lines, near)
    if found is None:
        text, there = explain(source, hunk, file)
        return Result('', False, text, there), shift
    at, fuzz = found
    head, old, new = hunk.without_context(fuzz)
    lines[at:at + len(old)] = new
    source.changed.add(file)
    moved = at - head - (hunk.line - 1)
    text = 'applies' + (f', {abs(moved)} line{"s"[:abs(moved) > 1]} further '
                        f'{"down" if moved > 0 else "up"}' if moved else '')
    there = []
    if fuzz:
        text += f', with fuzz {fuzz}: see that this is the place'
        there = excerpt(lines, at, len(new))
    return Result('', True, text, there, not fuzz), \
        moved + len(hunk.new) - len(hunk.old)


def try_patches(source, patches):
    """A Result for each hunk; SOURCE has what the patches made of its files"""
    for patch in patches:
        folder = f'{patch.path.parent.name}/' if patch.is_fix else ''
        for name in patch.files:
            hunks = parse(patch.part(name))
            file = source.where(name)
            shift = 0
            for number, hunk in enumerate(hunks, 1):
                title = f'{folder}{patch.path.name.split("-", 1)[0]} ' \
                    f'{name} #{number}'
                if file is None:
                    yield Result(title, False, 'the file is gone, and none '
                                 'of that name is near')
                    continue
                result, shift = try_hunk(source, hunk, file, shift)
                result.name = title
                if file != name:
                    result.text = f'the file is {file} now: {result.text}'
                yield result
