# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""Which kernels the lab has: Debian's cloud kernels, and a user's own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import gzip
from pathlib import Path
import re
import subprocess

from ..paths import SCRIPTS
from .common import LabError, fetch, say

# Where KVM's firmware registers changed, and the latest.
DEFAULT = ('5.10', '6.1', '6.12', '6.16', '7.0', '7.2', '7.3')
# Without these, and one that is at least NEW, the lab proves nothing.
NEEDED = ('6.1', '6.12')
NEW = '6.15'
NEWEST = 'newest'

BANNER = re.compile(rb'Linux version (\d[^ \0]*) \(')


def as_number(version: str) -> tuple[int, ...]:
    """Of "6.12", "6.12.107-1" or "6.1.0-50-cloud-arm64": the leading numbers"""
    numbers = re.match(r'[\d.]*\d', version)
    return tuple(int(part) for part in numbers[0].split('.')) if numbers \
        else ()


@dataclass(frozen=True)
class Kernel:
    """name is what the user calls it, release what "uname -r" says, version
    the package's or the release."""
    name: str
    image: Path
    release: str
    version: str = ''

    @property
    def number(self) -> tuple[int, ...]:
        return as_number(self.version or self.release)

    def before(self, version: str) -> bool:
        """Is it older than the first release of that version?"""
        return self.number < as_number(version)


def one(name: str, arch: str = 'arm64') -> Kernel:
    """A series, version or release of Debian's, "newest", or the path of an
    image. LabError if it cannot be had."""
    if '/' in name:
        return own(Path(name))
    if name == NEWEST:
        return newest(arch)
    directory = fetch('lab-kernel', name, arch)
    release = (directory / 'version').read_text(encoding='utf-8').strip()
    package = directory / 'package'
    version = package.read_text(encoding='utf-8').strip() \
        if package.exists() else ''
    return Kernel(name, directory / 'vmlinuz', release, version)


def own(path: Path) -> Kernel:
    """A user's own image, which says itself what it is."""
    try:
        image = path.read_bytes()
        if image.startswith(b'\x1f\x8b'):
            image = gzip.decompress(image)
    except (OSError, EOFError) as error:
        raise LabError(f'kernel {path}: {error}; needed: an arm64 Image, or '
                       'one compressed by gzip; correct it') from error
    banner = BANNER.search(image)
    if not banner:
        raise LabError(f'kernel {path} has no "Linux version" in it; needed: '
                       'an arm64 Image, or one compressed by gzip; correct it')
    release = banner[1].decode(errors='replace')
    return Kernel(release, path.resolve(), release)


def available(arch: str = 'arm64') -> list[str]:
    """What the Debian suites within reach have: lines of version, release and
    suite"""
    result = subprocess.run([SCRIPTS / 'fetch', 'lab-kernels', arch],
                            stdout=subprocess.PIPE, text=True, check=False)
    if not result.stdout:
        raise LabError('no Debian suite within reach has a cloud kernel; '
                       'needed: a Debian mirror; see the messages above')
    return result.stdout.splitlines()


def every_series(arch: str) -> list[str]:
    """The series that the Debian suites within reach have, in order"""
    return list(dict.fromkeys('.'.join(map(str, as_number(line)[:2]))
                              for line in available(arch)))


def have(wanted: str | None, arch: str = 'arm64') -> list[Kernel]:
    """The kernels of an option --kernels, oldest first.

    One that was named must be there; of the usual ones, any may be missing.
    """
    if wanted and wanted != 'all':
        return in_order(one(name, arch)
                        for name in dict.fromkeys(wanted.split(',')))
    found = []
    for series in every_series(arch) if wanted else DEFAULT:
        try:
            found.append(one(series, arch))
        except LabError as error:
            say(f'{series} is missing: {error}')
    require_needed([kernel.name for kernel in found])
    return in_order(found)


def in_order(found: Iterable[Kernel]) -> list[Kernel]:
    """Oldest first. LabError if one is there twice"""
    kernels = sorted(found, key=lambda kernel: kernel.number)
    for one_of, other in zip(kernels, kernels[1:]):
        if one_of.name == other.name or one_of.image == other.image:
            raise LabError(f'kernels {one_of.name} and {other.name} are both '
                           f'{other.release}; needed: each once; leave one '
                           'out')
    return kernels


def require_needed(found: Sequence[str]) -> None:
    missing = [series for series in NEEDED if series not in found]
    if all(as_number(series) < as_number(NEW) for series in found):
        missing.append(f'one from {NEW} on')
    if missing:
        raise LabError(
            f'kernels found: {", ".join(found) or "none"}; needed: also '
            f'{", ".join(missing)}; see above why these cannot be had')


def newest(arch: str = 'arm64') -> Kernel:
    """The latest of the usual ones that can be had."""
    for series in reversed(DEFAULT):
        try:
            return one(series, arch)
        except LabError as error:
            say(f'{series} is missing: {error}')
    raise LabError('no kernel can be had; needed: one; see above')
