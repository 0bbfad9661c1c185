# SPDX-License-Identifier: GPL-2.0-or-later
"""Which kernels the lab has: one Debian cloud kernel of each series."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import subprocess


from ..paths import SCRIPTS
from .common import LabError, fetch, say

# Where KVM's firmware registers changed, and the latest.
DEFAULT = ('5.10', '6.1', '6.12', '6.16', '7.0', '7.2', '7.3')
# Without these, and one that is at least NEW, the lab proves nothing.
NEEDED = ('6.1', '6.12')
NEW = '6.15'


def as_number(series: str) -> tuple[int, ...]:
    return tuple(int(part) for part in series.split('.'))


@dataclass(frozen=True)
class Kernel:
    series: str
    image: Path
    release: str

    @property
    def number(self) -> tuple[int, ...]:
        return as_number(self.series)


def one(series: str, arch: str = 'arm64') -> Kernel:
    """LabError if it cannot be had."""
    directory = fetch('lab-kernel', series, arch)
    release = (directory / 'version').read_text(encoding='utf-8').strip()
    return Kernel(series, directory / 'vmlinuz', release)


def every_series() -> list[str]:
    """All that the Debian suites within reach have."""
    result = subprocess.run([SCRIPTS / 'fetch', 'lab-series'],
                            stdout=subprocess.PIPE, text=True, check=False)
    if not result.stdout.split():
        raise LabError('no Debian suite within reach has a cloud kernel; '
                       'needed: a Debian mirror; see the messages above')
    return result.stdout.split()


def have(wanted: str | None) -> list[Kernel]:
    """The kernels of an option --kernels, oldest first.

    One that was named must be there; of the usual ones, any may be missing.
    """
    if wanted and wanted != 'all':
        return sorted((one(series) for series in set(wanted.split(','))),
                      key=lambda kernel: kernel.number)
    found = []
    for series in every_series() if wanted else DEFAULT:
        try:
            found.append(one(series))
        except LabError as error:
            say(f'{series} is missing: {error}')
    require_needed([kernel.series for kernel in found])
    return sorted(found, key=lambda kernel: kernel.number)


def require_needed(found: Sequence[str]) -> None:
    missing = [series for series in NEEDED if series not in found]
    if all(as_number(series) < as_number(NEW) for series in found):
        missing.append(f'one from {NEW} on')
    if missing:
        raise LabError(
            f'kernels found: {", ".join(found) or "none"}; needed: also '
            f'{", ".join(missing)}; see above why these cannot be had')


def newest() -> Kernel:
    """The latest of the usual ones that can be had."""
    for series in reversed(DEFAULT):
        try:
            return one(series)
        except LabError as error:
            say(f'{series} is missing: {error}')
    raise LabError('no kernel can be had; needed: one; see above')
