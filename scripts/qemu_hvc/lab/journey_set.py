# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 qemu-hvc contributors
"""The results of journeys, kept in a file, and shown in the manual."""

from collections.abc import Callable, Sequence
import hashlib
import json
from pathlib import Path

from . import journeys, kept, page
from .common import LabError, say
from .host import ArmHardware, Hardware
from .journeys import Journey, Result
from .places import Places


def read(path: Path) -> dict:
    """{} if there is no such file"""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
        return {'build': values['build'], 'results': dict(values['results'])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise LabError(f'{path}: not results of journeys ({error!r}); needed: '
                       'what "kvm-lab journeys --keep FILE" wrote') from error


class Kept:
    """Results of the same programs, for which a journey is not made again; of
    none without a file. One that did not go as expected is."""

    def __init__(self, path: Path | None, hardware: Hardware,
                 qemu: Path) -> None:
        self.path = path
        self.build = kept.build_of([qemu, hardware.outer],
                                   hardware.as_object())
        known = read(path) if path else {}
        self.results = known['results'] \
            if known.get('build') == self.build else {}

    def _known(self, places: Places, journey: Journey) -> Result | None:
        values = self.results.get(journey.name)
        if not values or values['journey'] != self._of(places, journey):
            return None
        result = Result.of(values, journey)
        return None if result.problem else result

    def _of(self, places: Places, journey: Journey) -> str:
        """What it was, with what kernels and, where that is not in the build,
        what QEMU"""
        words = [places.find(site.kernel, site.arch).release
                 for site in journey.stops()]
        words += sorted({hashlib.sha256(places.qemu_of(site).read_bytes())
                         .hexdigest()[:16] for site in journey.stops()
                         if site.arch != ArmHardware.arch or site.qemu})
        return f'{journey}\n{" ".join(words)}'

    def run(self, open_places: Callable[[], Places],
            chosen: Sequence[Journey], jobs: int,
            done: Callable[[Result], None]) -> None:
        """As journeys.run()"""
        with open_places() as places:
            known = {journey.name: self._known(places, journey)
                     for journey in chosen}
            what = {journey.name: self._of(places, journey)
                    for journey in chosen}

        def keep(result: Result) -> None:
            self.results[result.journey.name] = {
                'journey': what[result.journey.name], **result.as_object()}
            if self.path:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.write_text(json.dumps(
                    {'build': self.build, 'results': self.results}, indent=1),
                    encoding='utf-8')
            done(result)

        for result in filter(None, known.values()):
            done(result)
        journeys.run(open_places, [journey for journey in chosen
                                   if not known[journey.name]], jobs, keep)


def show_in_manual(path: Path, chosen: Sequence[Journey]) -> None:
    """Puts what the file has of these into the page."""
    results = read(path).get('results', {})
    lines = []
    for journey in chosen:
        if journey.name in results:
            result = Result.of(results[journey.name], journey)
            lines.append(f'{journey}\n  {result.date}: {result.verdict}')
        else:
            say(f'{journey.name}: not in {path}')
    page.put({page.JOURNEYS: '\n'.join(lines)})
