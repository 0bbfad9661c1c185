# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""A Debian arm64 guest with a disk, to which it hibernates.

Linux before 7.0 resumes on a CPU with FEAT_HAFDBS only: its pages are read-only
while it puts them back, and nothing handles the fault.
"""

import contextlib
from pathlib import Path
import tempfile
import time

from .console import GuestError, as_text
from .linux_guest import BOOT_TIMEOUT, Guest, fields_of

# More than a guest of 512 MB has in use; Linux wants room for the pages as they
# are, and compresses them.
DISK_BYTES = 96 << 20
DISK_OPTIONS = ('-device', 'virtio-blk-pci,drive=swap')
# Of a host that may be busy
HIBERNATE_TIMEOUT = RESUME_TIMEOUT = 300


def drive(path: str | Path) -> tuple[str, str]:
    """QEMU's option for the disk's file"""
    return '-drive', f'if=none,id=swap,format=raw,cache=unsafe,file={path}'


class HibernatingGuest(Guest):
    """functions: ids of the PSCI functions that turned it off or reset it, by
    QEMU's trace, oldest first"""

    functions: list[int]

    def __enter__(self) -> 'HibernatingGuest':
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            disk = folder / 'swap'
            with disk.open('wb') as file:
                file.truncate(DISK_BYTES)
            self.trace = folder / 'trace'
            self.functions = []
            self.extra = (*self.extra, *drive(disk), *DISK_OPTIONS,
                          # It pauses when it is off: its monitor tells why.
                          '-action', 'shutdown=pause',
                          '-trace', 'hvc_event', '-D', str(self.trace))
            super().__enter__()
            self.folder = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self.folder.close()

    def hibernate(self) -> dict:
        """Off by hibernation, and on again in a new QEMU with the same disk; the
        data of the event SHUTDOWN
        """
        self.console.write('hibernate\n')
        deadline = time.monotonic() + HIBERNATE_TIMEOUT
        while self.qmp.state() != 'shutdown':
            if time.monotonic() > deadline:
                # Its last lines say what it does instead.
                match = self.console.read_until(rf'{self.tag} done \d+', 1)
                raise GuestError('the guest does not hibernate: '
                                 + as_text(match['before']).strip())
            time.sleep(0.1)
        event = next(event['data'] for event in self.qmp.events
                     if event['event'] == 'SHUTDOWN')
        self.functions += [int(line.split()[-1], 16) for line in
                           self.trace.read_text().splitlines()
                           if 'hvc_event' in line]
        self.stack.close()
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._boot()
            self.stack = stack.pop_all()
        return event

    def _boot(self) -> None:
        """The answer to "resume" is of "hibernate" if the guest goes on."""
        self.console.read_until(f'{self.tag} ready', BOOT_TIMEOUT)
        self.run('. /hibernate.sh')
        self.run('resume', RESUME_TIMEOUT)
        self.report = fields_of(self.run('report'))

    def recall(self) -> dict[str, str]:
        """What only one boot knows, and whether its process goes on"""
        return fields_of(self.run('recall'))
