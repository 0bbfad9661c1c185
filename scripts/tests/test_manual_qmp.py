# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the manual's QMP examples and compares the answers; prints TAP.

An example is a block "code-block:: QMP" in a page of docs/, or "qmp-example::"
in qapi/guest-abi.json. A comment in the page names the QEMU that it is for,
with the options that matter, and starts it anew:

    .. VM: qemu-system-aarch64 -machine virt-hvc-10.0

The QEMUs of a page share a directory. A comment makes the test wait until
query-migrate says a status:

    .. await: query-migrate completed

In an answer, "..." stands for any other members, elements or text. A text may
be broken into lines, which counts as one space.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import json
from pathlib import Path
import re
import shlex
import subprocess
import sys
import tempfile
import time

from qemu_hvc.paths import ROOT

QAPI = 'qapi/guest-abi.json'
QAPI_VM = 'qemu-system-aarch64 -machine virt-10.0,hvc-services=trng'
# What every QEMU gets: nothing of the machine that the test runs on.
COMMON = ('-accel', 'tcg', '-nodefaults', '-display', 'none', '-S', '-m', '64',
          '-qmp', 'stdio')
PATIENCE_S = 60

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


class Vm:
    """A QEMU and its monitor."""

    def __init__(self, build: Path, command: str, folder: str) -> None:
        program, *options = shlex.split(command)
        self.process = subprocess.Popen(
            [build / 'qemu' / program, *options, *COMMON], cwd=folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.process.stdout.readline()
        self.execute({'execute': 'qmp_capabilities'})

    def execute(self, command: object) -> dict:
        try:
            self.process.stdin.write(json.dumps(command) + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        for line in self.process.stdout:
            answer = json.loads(line)
            if 'event' not in answer:
                return answer
        raise ExampleError('QEMU ended')

    def wait(self, query: str, status: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = self.execute({'execute': query})
            if answer['return'].get('status') == status:
                return
            time.sleep(0.01)
        raise ExampleError(f'{query} never says {status}, but {answer}')

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def run_step(step: Step, vm: Vm) -> None:
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
    with tempfile.TemporaryDirectory() as folder:
        try:
            for step in steps:
                problem = ''
                try:
                    if step.kind == 'vm':
                        if vm:
                            vm.end()
                        vm = Vm(build, step.text, folder)
                    elif not vm:
                        raise ExampleError('no comment ".. VM: QEMU" is '
                                           'before it')
                    elif step.kind == 'await':
                        vm.wait(*step.text.split())
                    else:
                        run_step(step, vm)
                except (ExampleError, OSError, ValueError) as error:
                    problem = str(error)
                if problem or step.kind == 'qmp':
                    yield step, problem
        finally:
            if vm:
                vm.end()


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


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] in ('-h', '--help'):
        print(f'usage: {sys.argv[0]} BUILD\n\n{__doc__}')
        sys.exit(len(sys.argv) != 2)
    build = Path(sys.argv[1]).resolve()
    count, failed = 1, False
    problems = list(self_test())
    print('not ok 1 - patterns' if problems else 'ok 1 - patterns')
    for problem in problems:
        print(f'# {problem}')
        failed = True
    for steps in pages():
        for step, problem in run_page(build, steps):
            count += 1
            print(f'{"not ok" if problem else "ok"} {count} - '
                  f'{step.page} line {step.line}', flush=True)
            for line in problem.splitlines():
                print(f'# {line}')
            failed |= bool(problem)
    print(f'1..{count}')
    sys.exit(failed)
