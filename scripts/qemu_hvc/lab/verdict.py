# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""What became of one VM that was saved on one host and loaded on another."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
import re

from .common import LabError
from .guest_kind import Answers, AnsweringGuest
from .kernels import Kernel
from .vm import QmpError, Vm, VmEnded

SECTION_START = 'qemu_loadvm_state_section_startfull'
SECTION_PART = 'qemu_loadvm_state_section_partend'
# What QEMU warns of before RAM, where only a value that the guest still changes
# will tell
ANNOUNCED = re.compile(r"kernel does not list registers of the incoming VM: "
                       r'(?P<names>[^;]*); .*the migration will be refused then')
# What our refusals begin with; at the start of a VM they name an option
OURS = 'guest-abi: '
OURS_AT_START = re.compile('guest-abi|hvc-services')
POSTCOPY_RUN = 'loadvm_postcopy_handle_run'
# The end of a refusal that is only for postcopy
FOR_POSTCOPY = 'with postcopy that is too late to go back'


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
    DISAGREES = Look('preflight disagrees', 'DISAGREE', '#d000a0',
                     'check-guest-abi and the migration do not say the same')
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

    def as_object(self) -> dict[str, str]:
        return {'verdict': self.kind.title, 'text': self.text,
                'notes': self.notes, 'aside': self.aside}

    @classmethod
    def of(cls, values: dict[str, str]) -> 'Verdict':
        """What as_object() gave"""
        return cls(Kind.of(values['verdict']), values['text'],
                   values['notes'], values['aside'])

    @property
    def remark(self) -> str:
        """What is to be known about it."""
        return self.text or self.aside and f"the kernel's own: {self.aside}"

    @property
    def announced(self) -> bool:
        """A refusal that had to wait for a value, which changes while the guest
        runs: QEMU had warned of a register that is named in it."""
        warning = ANNOUNCED.search(self.notes)
        return warning is not None and any(
            name in self.text for name in warning['names'].split(', '))

    @property
    def named(self) -> bool:
        """Of a refusal: its text is one of ours, which say what and why."""
        return self.text.startswith(OURS) or (
            self.kind is Kind.START and
            OURS_AT_START.search(self.text) is not None)

    def __str__(self) -> str:
        return self.kind.title + (f': {self.remark}' if self.remark else '')


def one_line(messages: str) -> str:
    """What QEMU wrote, without its own name at the start of each line."""
    lines = [re.sub(r'^(\\./)?qemu(-system-\w+)?: ', '', line.strip())
             for line in messages.splitlines()]
    return '; '.join(dict.fromkeys(line for line in lines if line))


def refusal_text(reason: str, messages: str) -> str:
    """The best of what QEMU said: ours is complete by itself."""
    ours = re.search(r'(?m)(?<!warning: )guest-abi: .*$',
                     f'{reason}\n{messages}')
    return ours[0] if ours else one_line(f'{messages}\n{reason}')


def start_refused(end: VmEnded) -> Verdict:
    """QEMU ended before it had a machine."""
    # As its own exit() does; anything else is a crash.
    kind = Kind.START if end.status == 1 and end.messages else Kind.FAILED
    return Verdict(kind, one_line(end.messages) or str(end))


@dataclass(frozen=True)
class Guest:
    """What a VM was when it left a host: what its guest said there, and its
    contract, None if it has none that travels"""
    kernel: Kernel
    answers: Answers
    guest_abi: dict | None = None


def contract_of(vm: Vm) -> dict | None:
    """query-guest-abi's reply; None of a VM, or a QEMU, without a contract"""
    try:
        contract = vm.qmp('query-guest-abi')
    except QmpError:
        return None
    return contract if contract['migrated'] else None


class Preflight:
    """check-guest-abi on the VM that a guest is to come to"""

    def __init__(self, vm: Vm, guest: Guest) -> None:
        self.refusals: list[str] = []
        self.asked = guest.guest_abi is not None
        if guest.guest_abi is not None:
            self.refusals = [
                row['error'] for row in
                vm.qmp('check-guest-abi', **guest.guest_abi) if not row['ok']]

    def judge(self, verdict: Verdict) -> Verdict:
        """The migration's verdict, if the preflight was right"""
        refused = verdict.kind in (Kind.EARLY, Kind.LATE)
        if verdict.kind is Kind.LATE and verdict.announced:
            return verdict
        # The registers of a list are not in a contract, nor is how a VM moves.
        if verdict.kind is Kind.EARLY and FOR_POSTCOPY in verdict.text:
            return verdict
        if not self.asked or verdict.kind is Kind.FAILED or \
           refused == bool(self.refusals):
            return verdict
        text = verdict.text if refused else self.refusals[0]
        return replace(verdict, kind=Kind.DISAGREES, text=(
            f'check-guest-abi says ok, then {verdict.kind.title}: {text}'
            if refused else f'check-guest-abi refuses ({text}), then '
            f'{verdict.kind.title}'))


class Loading:
    """One load. The host has the stream as a file of that name."""

    def __init__(self, vm: Vm, options: list[str], stream: str,
                 guest: Guest, make: Callable[[Vm], AnsweringGuest]) -> None:
        self.vm = vm
        self.options = options
        self.stream = stream
        self.guest = guest
        self.make = make

    def verdict(self) -> Verdict:
        try:
            start_incoming(self.vm, self.options)
        except VmEnded as end:
            return start_refused(end)
        try:
            preflight = Preflight(self.vm, self.guest)
            return preflight.judge(self._load() or
                                   compare(self.vm, self.guest, self.make))
        except LabError as error:
            return Verdict(Kind.FAILED, one_line(str(error)))
        finally:
            self.vm.quit()

    def _load(self) -> Verdict | None:
        self.vm.listen(f'file:{self.stream}')
        return loaded(self.vm)


def start_incoming(vm: Vm, options: Iterable[str]) -> None:
    """A VM that waits for a guest, and tells of the stream's sections"""
    events = SECTION_START, SECTION_PART, POSTCOPY_RUN
    vm.start(*options, '-incoming', 'defer', '-D', f'{vm.name}.trace',
             *(word for event in events for word in ('-trace', event)))


def trace_of(vm: Vm) -> str:
    """What a VM of start_incoming() told so far"""
    return vm.host.run(f'cat {vm.name}.trace')


def loaded(vm: Vm) -> Verdict | None:
    """Waits for a migration to a VM of start_incoming(); None if it went well,
    else how it was refused."""
    try:
        info = vm.wait_migration()
    except VmEnded as end:
        if end.status != 1 or not end.messages:
            return Verdict(Kind.FAILED, str(end))
        return Verdict(when_refused(vm), refusal_text('', end.messages),
                       one_line(end.messages))
    if info['status'] == 'completed':
        return None
    return Verdict(when_refused(vm), refusal_text(
        info.get('error-desc', ''), vm.messages()), one_line(vm.messages()))


def when_refused(vm: Vm) -> Kind:
    """Pages come only with parts of the section "ram"."""
    trace = trace_of(vm)
    ram = re.findall(rf'{SECTION_START} (\d+)\(ram\)', trace)
    parts = re.findall(rf'{SECTION_PART} (\d+)', trace)
    return Kind.LATE if set(ram) & set(parts) else Kind.EARLY


def compare(vm: Vm, guest: Guest,
            make: Callable[[Vm], AnsweringGuest]) -> Verdict:
    """What its guest says on this host, and again after a reboot"""
    vm.qmp('cont')
    here = vm.host.kernel
    moved = make(vm)
    after = moved.answers()
    changed = moved.differences(guest.answers, after, guest.kernel, here)
    aside = '; '.join(moved.asides(guest.answers, after, guest.kernel, here))
    if not changed:
        moved.reboot()
        changed = [f'after a reboot: {change}' for change in
                   moved.differences(guest.answers, moved.answers(),
                                     guest.kernel, here)]
    return Verdict(Kind.CHANGED if changed else Kind.OK,
                   '; '.join(changed), one_line(vm.messages()), aside)
