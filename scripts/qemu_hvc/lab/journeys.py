# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Journeys: a guest that goes from host to host, and perhaps back.

What happens on a journey is a row of JOURNEYS. The guest tells at each stop all
that it can find out about its machine, and what its work does, and is compared
with what it said at the start.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
import datetime
import functools
import json
from pathlib import Path
import re
import tempfile
import threading
import time
from typing import Any

from ..pages_guest import listed_pages
from . import snapshots
from .bare_guest import DIMM_AT, DIMM_PAGE
from .common import LabError, say
from .guest_kind import Answers
from .host import Host
from .moves import HIBERNATION, LIVE, WAYS, Move
from .places import Places, Site
from .verdict import (OURS, Guest, Kind, Preflight, Verdict, contract_of,
                      one_line, start_incoming, start_refused)
from .vm import VmEnded

PROFILE = 'profile.json'
# What the guest's driver finds where devices reach shared pages only: a sector
# of zeros, a device that is broken, and one that is not any more
USED_DISK = {
    'DISK': '1', 'FEATURES': '3',
    'SHARED_USED': '1', 'SHARED_RESULT': '0', 'SHARED_WORDS': '40',
    'SHARED_NEEDS_RESET': '0', 'TAKEN_BACK': '1',
    'PRIVATE_USED': '0', 'PRIVATE_RESULT': 'ff', 'PRIVATE_WORDS': '0',
    'PRIVATE_NEEDS_RESET': '1', 'SHARED_AGAIN': '1',
    'AGAIN_USED': '1', 'AGAIN_RESULT': '0', 'AGAIN_WORDS': '40',
    'AGAIN_NEEDS_RESET': '0',
}
DIMM_SIZE = 128 << 20
# SHUTDOWN's "data" for a guest that powers itself off
OFF = {'guest': True, 'reason': 'guest-shutdown'}


@dataclass(frozen=True)
class Journey:
    """path: sites by letter, A is the first of them, and between them what
    happens there: a word of EVENTS. by: how the guest is moved, a word of WAYS or
    HIBERNATION.
    profile: the site whose contract is given to all others. refused: the last
    step is refused, with a text that this pattern matches; when: how. device:
    properties of the NIC, if there is one."""
    name: str
    sites: tuple[Site, ...]
    path: str
    by: str = 'file'
    cpus: int = 1
    machine: str = 'virt-hvc-9.2'
    profile: str = ''
    refused: str = ''
    when: Kind = Kind.EARLY
    device: str = ''
    quick: bool = False

    def site(self, letter: str) -> Site:
        return self.sites['ABC'.index(letter)]

    def __str__(self) -> str:
        """What it is, in lines"""
        way = f'{self.path}, by {self.by}, {self.cpus} CPUs, {self.machine}'
        if self.profile:
            way += f', profile of {self.profile}'
        if self.device:
            way += f', NIC with {self.device}'
        return '\n'.join([self.name, *(
            f'  {letter}: {site}' for letter, site in zip('ABC', self.sites)),
            f'  {way}'])

    def stops(self) -> list[Site]:
        """The sites that it needs"""
        letters = {word for word in self.path.split() if word in tuple('ABC')}
        return [self.site(letter) for letter in
                sorted({*letters, *self.profile})]


@dataclass
class Result:
    journey: Journey
    verdict: Verdict
    # Where it ended: words of the path
    at: str = ''
    seconds: float = 0
    date: str = ''

    def as_object(self) -> dict:
        return {**self.verdict.as_object(), 'at': self.at,
                'seconds': self.seconds, 'date': self.date}

    @classmethod
    def of(cls, values: dict, journey: Journey) -> 'Result':
        """What as_object() gave"""
        return cls(journey, Verdict.of(values), values['at'],
                   values['seconds'], values['date'])

    @property
    def problem(self) -> str:
        """'' if it went as the table says"""
        verdict, wanted = self.verdict, self.journey.refused
        if not wanted:
            return '' if verdict.kind is Kind.OK else f'{self.at}: {verdict}'
        when = self.journey.when
        if verdict.kind is when and re.search(wanted, verdict.text):
            return ''
        return f'{self.at}: {verdict}; needed: {when.title}: {wanted}'

    def __str__(self) -> str:
        text = f'{self.verdict.kind.title}'
        if self.verdict.remark:
            text += f': {self.verdict.remark}'
        if self.verdict.notes:
            text += f'; QEMU: {self.verdict.notes}'
        return text


class Traveller:
    """A guest, wherever it is; told is what it said last that may not change,
    with the oldest kernel that it was on since, fresh what it said when it was
    started, said what it says now"""

    def __init__(self, places: Places, journey: Journey, shared: Path) -> None:
        self.places = places
        self.journey = journey
        self.shared = shared
        self.kind = places.kind(journey.sites[0], journey.device)
        self.moves = 0
        self.profile: str | None = None
        self.vm: Any
        self.told: Guest
        self.fresh: Guest
        self.said: Answers
        self.random: Answers = {}
        # What each CPU has done with its pages, as it said last
        self.kept: dict[str, list[int]] = {}
        self.site = journey.sites[0]
        self.saved_on = self.site
        self.asides: list[str] = []
        self.notes: list[str] = []

    def options(self, site: Site, host: Host) -> list[str]:
        machine = self.journey.machine + site.options
        if self.profile and site is not self.journey.site(self.journey.profile):
            host.bring_text(PROFILE, self.profile)
            machine += f',guest-abi-profile={PROFILE}'
        # What is off can be turned on again.
        return [*self.kind.options(machine, site.cpus or self.journey.cpus),
                '-action', 'shutdown=pause']

    def make_profile(self) -> None:
        """What the contract of such a VM is at the profile's site"""
        site = self.journey.site(self.journey.profile)
        vm = self.kind.vm(self.places.get(site), 'profile')
        vm.start(*self.options(site, vm.host), '-S')
        self.profile = json.dumps(contract_of(vm))
        vm.quit()

    def start(self, site: Site) -> Verdict | None:
        self.site = site
        self.vm = self.kind.vm(self.places.get(site), 'journey0')
        try:
            self.vm.start(*self.options(site, self.vm.host))
        except VmEnded as end:
            return start_refused(end)
        self.guest.booted()
        self.told = Guest(self.vm.host.kernel, self.guest.answers(),
                          contract_of(self.vm))
        self.fresh = self.told
        return None

    @property
    def guest(self) -> Any:
        """An AnsweringGuest that knows what the journey's events need"""
        return self.kind.guest(self.vm)

    def check(self) -> Verdict | None:
        """What it says is compared with what it said at the start."""
        self.said = answers = self.guest.answers()
        kernel, here = self.told.kernel, self.vm.host.kernel
        changed = self.guest.differences(self.told.answers, answers, kernel,
                                         here)
        self.asides += self.guest.asides(self.told.answers, answers, kernel,
                                         here)
        self.notes.append(one_line(self.vm.messages()))
        return Verdict(Kind.CHANGED, '; '.join(changed)) if changed else None

    # Events at a stop

    def reset(self) -> Verdict | None:
        self.guest.reboot()
        self.told = self.fresh
        self.kept = {}
        verdict = self._all_private() or self.check()
        # What starts here has no past.
        self.told = replace(self.told, kernel=self.vm.host.kernel,
                            answers=self.said)
        return verdict

    def restart(self) -> Verdict | None:
        """A reset, after which it may find another machine"""
        self.guest.reboot()
        self.told = Guest(self.vm.host.kernel, self.guest.answers())
        return None

    def cycle(self) -> Verdict | None:
        self.guest.cycle_cpus()
        return self.check()

    def off(self) -> Verdict | None:
        """The last CPU goes off; so it is part of what is compared."""
        self.guest.last_cpu_off()
        self.told = replace(self.told, answers=self.guest.answers())
        return None

    def on(self) -> Verdict | None:
        self.guest.last_cpu_on()
        self.told = replace(self.told, answers=self.guest.answers())
        return None

    def timer(self) -> Verdict | None:
        """The physical timer runs from now on."""
        self.guest.start_physical_timer()
        self.told = replace(self.told, answers=self.guest.answers())
        return None

    def flood(self) -> Verdict | None:
        """All CPUs make calls without end from now on; and the monitor, which
        is the one that stops them, answers."""
        self.guest.flood()
        for command in ('stop', 'query-status', 'cont', 'query-status'):
            self.vm.qmp(command)
        return self.check()

    def calm(self) -> Verdict | None:
        calls, wrong = self.guest.calm()
        if wrong or not all(calls):
            return Verdict(Kind.CHANGED, f'{wrong} answers were wrong of '
                           f'{calls} calls')
        return self.check()

    def hostile(self) -> Verdict | None:
        """Calls at random, whose answers are those of the first time: nothing
        of them depends on who serves"""
        answers = self.guest.hostile()
        self.random = self.random or answers
        changed = [f'{name}: {self.random.get(name, "none")}, then '
                   f'{answers.get(name, "none")}'
                   for name in sorted({*self.random, *answers})
                   if self.random.get(name) != answers.get(name)]
        return Verdict(Kind.CHANGED, '; '.join(changed)) if changed \
            else self.check()

    def share(self) -> Verdict | None:
        """All CPUs share pages from now on."""
        self.guest.share()
        return self.check()

    def keep(self) -> Verdict | None:
        """They do not, until the next "share": the guest and QEMU have the same
        list."""
        pages, counts = self.guest.kept_pages()
        listed = self._shared_pages()
        cpus = self.journey.cpus
        went_on = all(
            now > before for name in ('CHANGES', 'REFUSED')
            for now, before in zip(counts[name][:cpus],
                                   self.kept.get(name, [0] * cpus)))
        if any(counts['WRONG']) or not went_on:
            return Verdict(Kind.CHANGED, f'sharing of pages went wrong: {counts}, '
                           f'{self.kept} before')
        self.kept = counts
        if pages != listed:
            return Verdict(Kind.CHANGED, f'of {len(pages)} pages that the guest '
                           'shares, QEMU does not list '
                           f'{sorted(map(hex, pages - listed))}, and it lists '
                           f'{sorted(map(hex, listed - pages))} as well')
        return self.check()

    def _shared_pages(self) -> set[int]:
        """The addresses that QEMU's list has"""
        return listed_pages(self.vm.qmp('query-shared-pages',
                                        **{'max-ranges': 65536}))

    def _all_private(self) -> Verdict | None:
        """Of a guest that has just booted"""
        pages = self._shared_pages()
        return Verdict(Kind.CHANGED, f'{len(pages)} pages are shared after a '
                       'reset') if pages else None

    def save(self) -> Verdict | None:
        """A snapshot, of a guest that goes on"""
        self.saved_on = self.site
        snapshots.bring_empty(self.vm.host, self.places.build)
        self.vm.qmp('blockdev-add', **snapshots.NODE)
        self.vm.hmp_silently('savevm journey')
        return self.check()

    def load(self) -> Verdict | None:
        """Back to that, in a new VM"""
        site = self.site = self.saved_on
        self.kept = {}
        self.moves += 1
        self.vm.quit()
        self.vm = self.kind.vm(self.places.get(site), f'journey{self.moves}')
        self.vm.start(*self.options(site, self.vm.host),
                      *snapshots.OPTIONS, '-loadvm', 'journey')
        return self.check()

    def back(self) -> Verdict | None:
        """Back to that, in the same VM"""
        self.kept = {}
        self.vm.hmp_silently('loadvm journey')
        return self.check()

    def dimm(self) -> Verdict | None:
        """Memory that is plugged, shared, unplugged and plugged again; none of it
        is shared then."""
        for number in range(2):
            self.vm.qmp('object-add', **{'qom-type': 'memory-backend-ram',
                                         'id': f'memory{number}',
                                         'size': DIMM_SIZE})
            self.vm.qmp('device_add', driver='pc-dimm', id=f'dimm{number}',
                        memdev=f'memory{number}', addr=DIMM_AT)
            answers = self.guest.share_dimm()
            listed = DIMM_PAGE in self._shared_pages()
            if answers != {'SHARED': '1', 'AGAIN': '1'} or not listed:
                return Verdict(Kind.CHANGED, f'a page of a DIMM: {answers}, '
                               f'listed: {listed}')
            self.vm.qmp('device_del', id=f'dimm{number}')
            self.guest.eject_dimm()
            if self.vm.qmp('query-memory-devices') or \
               DIMM_PAGE in self._shared_pages():
                return Verdict(Kind.CHANGED, 'a DIMM that was ejected is there, '
                               'or its page is shared')
            self.vm.qmp('object-del', id=f'memory{number}')
        return self.check()

    def disk(self) -> Verdict | None:
        """A device reaches what the guest shares, and nothing else."""
        before = self._refused()
        answers = self.guest.use_disk()
        if answers != USED_DISK:
            return Verdict(Kind.CHANGED, f'the disk: {answers}; needed: '
                           f'{USED_DISK}')
        refused = self._refused() - before
        if refused != 1:
            return Verdict(Kind.CHANGED, f'{refused} accesses of the disk were '
                           'refused; needed: 1')
        return self.check()

    def _refused(self) -> int:
        return self.vm.qmp('query-shared-pages')['refused']

    def hibernate(self) -> Verdict | None:
        """SYSTEM_OFF2, and what that is to QEMU; then a new start."""
        verdict = self._off_by_hibernation()
        if verdict:
            return verdict
        self.vm.qmp('system_reset')
        self.vm.qmp('cont')
        self.guest.booted()
        self.told = replace(self.fresh, kernel=self.vm.host.kernel)
        return self.check()

    def _off_by_hibernation(self) -> Verdict | None:
        event = self.guest.hibernate()
        status = self.vm.qmp('query-status')['status']
        if event != OFF or status != 'shutdown':
            return Verdict(Kind.CHANGED, f'SYSTEM_OFF2 makes the VM {status}, '
                           f'with {event}; needed: shutdown, with {OFF}')
        return None

    # To the next one

    def resume(self, site: Site) -> Verdict | None:
        """It hibernates, and goes on in a new VM with the same disk."""
        self.moves += 1
        verdict = self._off_by_hibernation()
        if verdict:
            return verdict
        self.vm.quit()
        image = self.vm.take_disk(self.shared / 'disk')
        self.vm = self.kind.vm(self.places.get(site), f'journey{self.moves}')
        self.vm.image = image
        try:
            self.vm.start(*self.options(site, self.vm.host))
        except VmEnded as end:
            return start_refused(end)
        self.guest.booted()
        return self.check()

    def move(self, site: Site) -> Verdict | None:
        if self.journey.by == HIBERNATION:
            return self.resume(site)
        self.moves += 1
        target = self.kind.vm(self.places.get(site), f'journey{self.moves}')
        guest = replace(self.told, guest_abi=contract_of(self.vm))
        try:
            start_incoming(target, [*self.options(site, target.host)])
        except VmEnded as end:
            return start_refused(end)
        preflight = Preflight(target, guest)
        move = Move(self.vm, target, self.moves, self.shared)
        verdict = WAYS[self.journey.by](move)
        if verdict and self.journey.by in LIVE and \
           verdict.kind is not Kind.FAILED:
            verdict = self._refused_live(verdict)
        judged = preflight.judge(verdict or Verdict(Kind.OK))
        if judged.kind is not Kind.OK:
            target.quit()
            return judged
        self.vm = target
        self.site = site
        if self.journey.by not in LIVE:
            target.qmp('cont')
        verdict = self.check()
        # What an old kernel did to the guest, it keeps.
        self.told = replace(self.told, kernel=min(
            self.told.kernel, target.host.kernel,
            key=lambda kernel: kernel.number))
        return verdict

    def _refused_live(self, verdict: Verdict) -> Verdict:
        """The guest goes on at the source, which says that a contract was
        refused: a return path carries no text, so not which part."""
        reason = self.vm.qmp('query-migrate').get('error-desc', 'nothing')
        if verdict.text.startswith(OURS) and OURS not in reason:
            return Verdict(Kind.FAILED, f'{verdict}; the source says: {reason}')
        if self.vm.qmp('query-status')['status'] != 'running':
            return Verdict(Kind.FAILED, f'{verdict}; the guest does not go on '
                           'at the source')
        changed = self.check()
        return Verdict(Kind.FAILED, f'{verdict}; at the source {changed}') \
            if changed else verdict


EVENTS: dict[str, Callable[[Traveller], Verdict | None]] = {
    'reset': Traveller.reset,
    'restart': Traveller.restart,
    'cycle': Traveller.cycle,
    'off': Traveller.off,
    'on': Traveller.on,
    'timer': Traveller.timer,
    'flood': Traveller.flood,
    'calm': Traveller.calm,
    'hibernate': Traveller.hibernate,
    'hostile': Traveller.hostile,
    'share': Traveller.share,
    'keep': Traveller.keep,
    'save': Traveller.save,
    'load': Traveller.load,
    'back': Traveller.back,
    'dimm': Traveller.dimm,
    'disk': Traveller.disk,
}


def steps(traveller: Traveller, journey: Journey) \
        -> Iterator[tuple[str, Callable[[], Verdict | None]]]:
    """The words of its path so far, and what to do next"""
    way: list[str] = []
    for word in journey.path.split():
        way.append(word)
        if word in EVENTS:
            step = functools.partial(EVENTS[word], traveller)
        else:
            step = functools.partial(
                traveller.move if way[:-1] else traveller.start,
                journey.site(word))
        yield ' '.join(way), step


def go(traveller: Traveller, result: Result) -> Verdict:
    """The first verdict that is not ok ends a journey."""
    journey = result.journey
    traveller.places.boot(journey.stops())
    if journey.profile:
        result.at = 'profile'
        traveller.make_profile()
    for result.at, step in steps(traveller, journey):
        verdict = step()
        if verdict:
            return verdict
    traveller.vm.quit()
    return Verdict(
        Kind.OK, notes='; '.join(filter(None, dict.fromkeys(traveller.notes))),
        aside='; '.join(dict.fromkeys(traveller.asides)))


def travel(places: Places, journey: Journey) -> Result:
    started = time.monotonic()
    result = Result(journey, Verdict(Kind.OK),
                    date=datetime.date.today().isoformat())
    with tempfile.TemporaryDirectory(prefix='kvm-lab-') as tmp:
        try:
            result.verdict = go(Traveller(places, journey, Path(tmp)), result)
        except LabError as error:
            result.verdict = Verdict(Kind.FAILED, one_line(str(error)))
        if result.verdict.kind is not Kind.OK:
            # A VM may be left, and a tunnel.
            places.drop(journey.stops())
    result.seconds = round(time.monotonic() - started, 1)
    return result


def run(open_places: Callable[[], Places], journeys: Sequence[Journey],
        jobs: int, done: Callable[[Result], None]) -> None:
    """As many at once as jobs says, each of which takes as many hosts as it has
    sites; done: called with each result, one at a time"""
    lock = threading.Lock()

    def part(chosen: Sequence[Journey]) -> None:
        """One after the other, with the hosts that the next one needs, too"""
        with open_places() as places:
            for number, journey in enumerate(chosen):
                places.keep(site for later in chosen[number:number + 2]
                            for site in later.stops())
                result = travel(places, journey)
                with lock:
                    say(f'{journey.name}: {result} ({result.seconds:.0f} s)')
                    done(result)

    with ThreadPoolExecutor(jobs) as pool:
        # Taking the results raises what a part raised.
        list(pool.map(part, [journeys[first::jobs] for first in range(jobs)]))
