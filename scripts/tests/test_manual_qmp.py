# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Runs the manual's QMP examples and compares the answers; prints TAP.

An example is a block "code-block:: QMP" in a page of docs/, or "qmp-example::"
in qapi/guest-abi.json. A comment in the page names the QEMU that it is for,
with the options that matter; the test starts a QEMU for each such comment:

    .. VM: qemu-system-aarch64 -machine virt-hvc-10.0

The QEMUs of a page share a directory. A comment makes the test wait until
query-migrate says a status:

    .. await: query-migrate completed

In an answer, "..." stands for any other members, elements or text. A text may
be broken into lines, which counts as one space.
"""

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass
import json
from pathlib import Path
import re
import shlex
import tempfile
import time

from qemu_hvc import tap
from qemu_hvc.paths import ROOT
from qemu_hvc.qmp import PATIENCE_S, Qemu, QemuError

QAPI = 'qapi/guest-abi.json'
QAPI_VM = 'qemu-system-aarch64 -machine virt-10.0,hvc-services=trng'
# What every QEMU gets: nothing of the machine that the test runs on.
COMMON = ('-accel', 'tcg', '-nodefaults', '-display', 'none', '-S', '-m', '64')

# In the pattern of an answer
REST = '...'


class ExampleError(Exception):
    """An example is not as it should be, or its answer is not."""


@dataclass
class Step:
    """Something that a page does, in order."""

    page: str
    line: int
    kind: str    # 'vm', 'await' or 'qmp'
    text: str


def blocks(page: str, text: str) -> Iterator[Step]:
    """The steps of a page."""
    lines = text.split('\n')
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        comment = re.fullmatch(r'\.\. (VM|await): (.+)', line)
        if comment:
            yield Step(page, number, comment[1].lower(), comment[2])
        elif re.fullmatch(r'\s*\.\. (code-block:: QMP|qmp-example::)', line):
            indent = len(line) - len(line.lstrip())
            first = number + 1
            body = []
            while number < len(lines) and (
                    not lines[number].strip() or
                    len(lines[number]) - len(lines[number].lstrip()) > indent):
                body.append(lines[number])
                number += 1
            yield Step(page, first, 'qmp', '\n'.join(body))


def pages() -> Iterator[list[Step]]:
    """The steps of each page that has examples."""
    for path in sorted((ROOT / 'docs').rglob('*.rst')):
        steps = list(blocks(str(path.relative_to(ROOT)),
                            path.read_text(encoding='utf-8')))
        if any(step.kind == 'qmp' for step in steps):
            yield steps
    schema = (ROOT / QAPI).read_text(encoding='utf-8')
    yield [Step(QAPI, 1, 'vm', QAPI_VM),
           *blocks(QAPI, re.sub('(?m)^# ?', '', schema))]


def exchanges(step: Step) -> Iterator[tuple[object, object]]:
    """The commands of a block, each with the pattern of its answer."""
    parts = re.split(r'(?m)^\s*(->|<-) ', step.text)
    if parts[0].strip() or len(parts) < 3 or parts[1] != '->':
        raise ExampleError('does not start with "->"')
    pairs = list(zip(parts[1::2], parts[2::2]))
    for (arrow, text), (after, answer) in zip(pairs, [*pairs[1:], ('->', '')]):
        if arrow == '->':
            yield parse(text), parse(answer) if after == '<-' else REST


def parse(text: str) -> object:
    """JSON with "..." in it, as Python objects."""
    stack, json_text, after_colon = [], '', False
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|\.\.\.|[][{},:]|[^][{},:"\s]+',
                            text):
        if token == REST:
            token = f'"{REST}"'
            if stack and stack[-1] == '{' and not after_colon:
                token += ': null'
        elif token[0] == '"':
            token = re.sub(r'\s*\n\s*', ' ', token)
        elif token in '{[':
            stack.append(token)
        elif token in '}]' and stack:
            stack.pop()
        after_colon = token == ':'
        json_text += token
    try:
        return json.loads(json_text)
    except ValueError as error:
        raise ExampleError(f'{error}: {text.strip()}') from error


def text_fits(pattern: str, text: str) -> bool:
    return re.fullmatch('.*'.join(map(re.escape, pattern.split(REST))), text,
                        re.DOTALL) is not None


def list_fits(pattern: list, found: list) -> bool:
    if not pattern:
        return not found
    if pattern[0] == REST:
        return any(list_fits(pattern[1:], found[skip:])
                   for skip in range(len(found) + 1))
    return bool(found) and fits(pattern[0], found[0]) and \
        list_fits(pattern[1:], found[1:])


def fits(pattern: object, found: object) -> bool:
    """Is an answer as the manual shows it?"""
    if pattern == REST:
        return True
    if type(pattern) is not type(found):
        return False
    if isinstance(pattern, dict):
        names = pattern.keys() - {REST}
        return names <= found.keys() and \
            (REST in pattern or names == found.keys()) and \
            all(fits(pattern[name], found[name]) for name in names)
    if isinstance(pattern, list):
        return list_fits(pattern, found)
    if isinstance(pattern, str):
        return text_fits(pattern, found)
    return pattern == found


def start(build: Path, command: str, folder: str) -> Qemu:
    program, *options = shlex.split(command)
    return Qemu(build / 'qemu' / program, *options, *COMMON, cwd=folder)


def await_status(vm: Qemu, query: str, status: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = vm.command(query)
        if answer.get('status') == status:
            return
        time.sleep(0.01)
    raise ExampleError(f'{query} never says {status}, but {answer}')


def run_step(step: Step, vm: Qemu) -> None:
    for command, pattern in exchanges(step):
        answer = vm.execute(command)
        expected = pattern if pattern != REST else {'return': REST}
        if not fits(expected, answer):
            raise ExampleError(
                f'{json.dumps(command)}\nexpected: {json.dumps(expected)}\n'
                f'answer:   {json.dumps(answer)}')


def run_page(build: Path, steps: list[Step]) -> Iterator[tuple[Step, str]]:
    """Each example, with what is wrong with it."""
    vm = None
    with tempfile.TemporaryDirectory() as folder, \
         contextlib.ExitStack() as vms:
        for step in steps:
            problem = ''
            try:
                if step.kind == 'vm':
                    vms.close()
                    vm = vms.enter_context(
                        start(build, step.text, folder))
                elif not vm:
                    raise ExampleError('no comment ".. VM: QEMU" is '
                                       'before it')
                elif step.kind == 'await':
                    await_status(vm, *step.text.split())
                else:
                    run_step(step, vm)
            except (ExampleError, QemuError, OSError, ValueError) as error:
                problem = str(error)
            if problem or step.kind == 'qmp':
                yield step, problem


def self_test() -> Iterator[str]:
    """What a pattern must not take."""
    for pattern, answer, expected in (
            ('{ "a": 1 }', {'a': 1}, True),
            ('{ "a": 1 }', {'a': 1, 'b': 2}, False),
            ('{ "a": 1, ... }', {'a': 1, 'b': 2}, True),
            ('{ "a": 2, ... }', {'a': 1, 'b': 2}, False),
            ('{ "a": ... }', {'a': [1]}, True),
            ('[ 1, ... ]', [1, 2, 3], True),
            ('[ ..., 3 ]', [1, 2, 3], True),
            ('[ ..., 2 ]', [1, 2, 3], False),
            ('[ 1, 2 ]', [1, 2, 3], False),
            ('{ "a": 1 }', {'a': True}, False),
            ('"one ..."', 'one two', True),
            ('"one ..."', 'two', False),
            ('"one\n     two"', 'one two', True),
            ('"a.c"', 'abc', False)):
        if fits(parse(pattern), answer) != expected:
            yield f'{pattern} and {json.dumps(answer)}: not {expected}'


def points(build: Path) -> Iterator[tuple[str, Callable]]:
    yield 'patterns', self_test
    for steps in pages():
        for step, problem in run_page(build, steps):
            yield f'{step.page} line {step.line}', problem.splitlines


def main() -> bool:
    return tap.run_points(
        points(tap.arguments(__doc__, build=True).build.resolve()))
