# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Ways to move a guest from one VM to another, in one host or between two."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
import time

from .verdict import POSTCOPY_RUN, Kind, Verdict, loaded, trace_of
from .vm import Vm

STATE = 'state'
POSTCOPY_TIMEOUT = 60


@dataclass
class Move:
    """From one VM to another, in the same host or not"""
    source: Vm
    target: Vm
    number: int
    # What the outer QEMUs of both hosts can reach
    shared: Path

    def incoming(self, uri: str, capabilities: Iterable[str] = ()) -> None:
        self.target.set_capabilities(capabilities)
        self.target.listen(uri)

    def by_file(self, *capabilities: str) -> Verdict | None:
        self.source.set_capabilities(capabilities)
        self.source.qmp('stop')
        self.source.migrate(f'file:{STATE}')
        self.source.quit()
        if self.source.host is not self.target.host:
            path = self.shared / STATE
            self.source.host.fetch(STATE, path)
            self.target.host.bring(STATE, path)
        self.incoming(f'file:{STATE}', capabilities)
        return loaded(self.target)

    def live(self, *capabilities: str) -> Verdict | None:
        """Over a socket, or two and a tunnel between hosts"""
        self.source.set_capabilities(capabilities)
        # Hosts stay for several journeys, and so do programs and sockets of
        # one that is over; a journey's folder outside is its own.
        name = f'{self.shared.name}.{self.number}'
        there = f'{name}.in'
        self.incoming(f'unix:{there}', capabilities)
        here = there
        if self.source.host is not self.target.host:
            here = f'{name}.out'
            prefix = self.shared / f'tunnel{self.number}'
            self.target.host.run(f'tunnel connect {there} {prefix} '
                                 '2>>tunnel.log &')
            self.source.host.run(f'tunnel accept {here} {prefix} '
                                 '2>>tunnel.log & '
                                 f'until_true 10 test -S {here}')
        postcopy = 'postcopy-ram' in capabilities
        if postcopy:
            # So that it is still in precopy when postcopy is asked for.
            self.source.qmp('migrate-set-parameters',
                            **{'max-bandwidth': 1 << 16,
                               'max-postcopy-bandwidth': 1 << 20})
        self.source.qmp('migrate', uri=f'unix:{here}')
        if postcopy:
            self._start_postcopy()
        verdict = loaded(self.target)
        self.source.wait_migration()
        return verdict or self._completed()

    def _start_postcopy(self) -> None:
        deadline = time.monotonic() + POSTCOPY_TIMEOUT
        status = ''
        while status != 'active' and time.monotonic() < deadline:
            status = self.source.qmp('query-migrate').get('status', '')
            if status in ('failed', 'completed'):
                return
        self.source.qmp('migrate-start-postcopy')

    def _completed(self) -> Verdict | None:
        info = self.source.qmp('query-migrate')
        if info['status'] != 'completed':
            return Verdict(Kind.FAILED, 'the destination has the guest, the '
                           f'source says {info}')
        self.source.quit()
        return None


def by_postcopy(move: Move) -> Verdict | None:
    verdict = move.live('postcopy-ram', 'return-path')
    if verdict:
        return verdict
    if POSTCOPY_RUN not in trace_of(move.target):
        return Verdict(Kind.FAILED, 'it ended before there was a postcopy')
    return None


WAYS: dict[str, Callable[[Move], Verdict | None]] = {
    'file': Move.by_file,
    'mapped-ram': lambda move: move.by_file('mapped-ram'),
    'socket': lambda move: move.live('return-path'),
    'multifd': lambda move: move.live('return-path', 'multifd'),
    'postcopy': by_postcopy,
}
LIVE = ('socket', 'multifd', 'postcopy')
# No migration: a guest goes on in a VM that has its disk.
HIBERNATION = 'hibernation'
