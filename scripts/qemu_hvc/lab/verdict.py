# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of one VM that was saved on one host and loaded on another."""

from dataclasses import dataclass
from enum import Enum
import re

from .common import LabError
from .bare_guest import Answers, LabGuest, asides, differences
from .vm import Vm, VmEnded

SECTION_START = 'qemu_loadvm_state_section_startfull'
SECTION_PART = 'qemu_loadvm_state_section_partend'


@dataclass(frozen=True)
class Look:
    """How a kind of verdict is shown."""
    title: str
    short: str
    colour: str
    meaning: str


class Kind(Enum):
    OK = Look('ok', 'ok', '#2e9e4f',
              "migrated; all of the guest's answers are the same before, "
              'after, and after a reboot')
    START = Look('refused at start', 'start', '#9aa7b5',
                 'QEMU does not start such a machine on this kernel')
    EARLY = Look('refused before RAM', 'early', '#7f9fd0',
                 'refused before any of the RAM was loaded')
    LATE = Look('refused late', 'late', '#e0a030',
                'refused after the RAM was loaded')
    CHANGED = Look('changed', 'CHANGED', '#c03030',
                   "migrated, and the guest's answers are not the same: a "
                   'silent change')
    FAILED = Look('failed', 'FAILED', '#702080', 'anything else')

    @classmethod
    def of(cls, title: str) -> 'Kind':
        return {kind.title: kind for kind in cls}[title]

    @property
    def title(self) -> str:
        return self.value.title


@dataclass(frozen=True)
class Verdict:
    """text says what was refused or changed, notes what QEMU warned of; aside
    is what only looks different because of another kernel."""
    kind: Kind
    text: str = ''
    notes: str = ''
    aside: str = ''

    @property
    def remark(self) -> str:
        """What is to be known about it."""
        return self.text or self.aside and f"the kernel's own: {self.aside}"

    def __str__(self) -> str:
        return self.kind.title + (f': {self.remark}' if self.remark else '')


def one_line(messages: str) -> str:
    """What QEMU wrote, without its own name at the start of each line."""
    lines = [re.sub(r'^(\\./)?qemu(-system-\w+)?: ', '', line.strip())
             for line in messages.splitlines()]
    return '; '.join(dict.fromkeys(line for line in lines if line))


def refusal_text(reason: str, messages: str) -> str:
    """The best of what QEMU said: ours is complete by itself."""
    ours = re.search(r'(?m)guest-abi: .*$', f'{reason}\n{messages}')
    return ours[0] if ours else one_line(f'{messages}\n{reason}')


def start_refused(end: VmEnded) -> Verdict:
    """QEMU ended before it had a machine."""
    # As its own exit() does; anything else is a crash.
    kind = Kind.START if end.status == 1 and end.messages else Kind.FAILED
    return Verdict(kind, one_line(end.messages) or str(end))


class Loading:
    """One load. The host has the stream as a file of that name."""

    def __init__(self, vm: Vm, options: list[str], stream: str,
                 before: Answers) -> None:
        self.vm = vm
        self.options = options
        self.stream = stream
        self.before = before
        self.trace = f'{vm.name}.trace'

    def verdict(self) -> Verdict:
        try:
            self.vm.start(*self.options, '-incoming', 'defer',
                          '-trace', SECTION_START, '-trace', SECTION_PART,
                          '-D', self.trace)
        except VmEnded as end:
            return start_refused(end)
        try:
            return self._load() or self._compare()
        except LabError as error:
            return Verdict(Kind.FAILED, one_line(str(error)))
        finally:
            self.vm.quit()

    def _load(self) -> Verdict | None:
        """None if it was loaded."""
        try:
            self.vm.listen(f'file:{self.stream}')
            info = self.vm.wait_migration()
        except VmEnded as end:
            if end.status != 1 or not end.messages:
                return Verdict(Kind.FAILED, str(end))
            return Verdict(self._refused(), refusal_text('', end.messages))
        if info['status'] == 'completed':
            return None
        return Verdict(self._refused(), refusal_text(
            info.get('error-desc', ''), self.vm.messages()))

    def _refused(self) -> Kind:
        """Pages come only with parts of the section "ram"."""
        trace = self.vm.host.run(f'cat {self.trace}')
        ram = re.findall(rf'{SECTION_START} (\d+)\(ram\)', trace)
        parts = re.findall(rf'{SECTION_PART} (\d+)', trace)
        return Kind.LATE if set(ram) & set(parts) else Kind.EARLY

    def _compare(self) -> Verdict:
        self.vm.qmp('cont')
        guest = LabGuest(self.vm)
        after = guest.answers()
        changed = differences(self.before, after)
        aside = '; '.join(asides(self.before, after))
        if not changed:
            guest.reboot()
            changed = [f'after a reboot: {change}' for change in
                       differences(self.before, guest.answers())]
        return Verdict(Kind.CHANGED if changed else Kind.OK,
                       '; '.join(changed), one_line(self.vm.messages()), aside)
