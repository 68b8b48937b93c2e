"""What a collector makes of a year: stays of chips, and who answers at a time.

A host reports every hour while it is up and the collector accepts. A run of sightings breaks when
the chip, or its host, is away for longer than hosts may be silent.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from msgspec.structs import replace

from chipledger_book.ledger import Book
from chipledger_book.physical import ChipState, SeenChip, Stay
from chipledger_book.timers import HOUR_MS
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.year.things import Chip
from chipledger_testing.year.world import Down, Host, Spell, World

SILENCE_MS: Final = 4 * HOUR_MS
"""For how long a host may be silent."""


class Sky:
    """Everything that was ever seen, to be looked at from any time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.downtime: tuple[Down, ...] = tuple(sorted(world.downtime))
        self._blind = {name: self._down(host) for name, host in world.hosts.items()}
        self._by_chip: dict[str, list[Stay]] = {}
        self._by_site: dict[str, list[Stay]] = defaultdict(list)
        self._by_name: dict[str, set[str]] = defaultdict(set)
        for chip, spells in world.spells.items():
            self._take(chip, list(self._stays(chip, spells)))

    def _take(self, chip: Chip, stays: list[Stay]) -> None:
        self._by_chip[chip.chip_id] = stays
        for stay in stays:
            self._by_site[stay.site].append(stay)
        for name in (chip.pdi, chip.uuid, chip.board):
            self._by_name[name].add(chip.chip_id)

    def _down(self, host: Host) -> list[Down]:
        return list(_merged([*host.down, *self.downtime]))

    def _stays(self, chip: Chip, spells: Iterable[Spell]) -> Iterator[Stay]:
        for spell in spells:
            host = self._world.hosts[spell.host]
            until = min(spell.until_ms, host.until_ms)
            knows_pdi = self._world.upgraded_ms.get(spell.site, 0)
            for first, last in _up(spell.from_ms, until, self._blind[spell.host]):
                for start, end in _split(first, last, knows_pdi):
                    yield Stay(
                        chip_id=chip.chip_id,
                        site=spell.site,
                        host=spell.host,
                        from_ms=start,
                        until_ms=end,
                        grade=Grade.G1,
                        sku=chip.sku,
                        pdi=chip.pdi if start >= knows_pdi else None,
                        uuid=chip.uuid,
                        board=chip.board,
                    )

    def site(self, site: str) -> Sequence[Stay]:
        """Return all stays at a site, whenever they are."""
        return self._by_site.get(site, ())

    def named(self, names: Collection[str]) -> Iterator[Stay]:
        """Yield all stays of chips that bear a name."""
        ids = {chip for name in names for chip in self._by_name.get(name, ())}
        for chip_id in sorted(ids):
            yield from self._by_chip[chip_id]

    def newest(self, chip_id: str, at_ms: int) -> Stay:
        """Return where a chip that was seen by a time was seen last, not cut off at that time."""
        stays = self._by_chip[chip_id]
        return max((one for one in stays if one.from_ms <= at_ms), key=lambda one: one.from_ms)

    def dark(self, name: str, at_ms: int) -> bool:
        """Tell whether a host has not reported for longer than it may, or ever again."""
        host = self._world.hosts[name]
        if at_ms > host.until_ms + SILENCE_MS:
            return True
        down = self._blind[name]
        place = bisect_right(down, (at_ms, at_ms)) - 1
        return place >= 0 and down[place][0] + SILENCE_MS < at_ms < down[place][1]


@dataclass(kw_only=True)
class Scene:
    """The book and the sightings of a year at one time."""

    sky: Sky
    book: Book
    at_ms: int

    @cached_property
    def downtime(self) -> Sequence[Down]:
        """When the collector itself did not accept, up to the time."""
        return tuple(
            (first, min(last, self.at_ms))
            for first, last in self.sky.downtime
            if first < self.at_ms
        )

    @cached_property
    def _stays(self) -> dict[str, Sequence[Stay]]:
        return {}

    @cached_property
    def _seen(self) -> dict[str, Sequence[SeenChip]]:
        return {}

    def stays(self, site: str) -> Sequence[Stay]:
        """Return all stays at a site up to the time."""
        if site not in self._stays:
            self._stays[site] = list(self._until(self.sky.site(site)))
        return self._stays[site]

    def stays_of(self, names: Collection[str]) -> Sequence[Stay]:
        """Return the stays of chips that bear one of some names."""
        return list(self._until(self.sky.named(names)))

    def seen(self, site: str) -> Sequence[SeenChip]:
        """Return what is seen at a site at the time."""
        if site not in self._seen:
            ids = {stay.chip_id for stay in self.stays(site)}
            found = (self._chip(chip_id, site) for chip_id in sorted(ids))
            self._seen[site] = [chip for chip in found if chip is not None]
        return self._seen[site]

    def _until(self, stays: Iterable[Stay]) -> Iterator[Stay]:
        for one in stays:
            if one.from_ms <= self.at_ms:
                yield one if one.until_ms <= self.at_ms else replace(one, until_ms=self.at_ms)

    def _chip(self, chip_id: str, site: str) -> SeenChip | None:
        newest = self.sky.newest(chip_id, self.at_ms)
        if newest.site != site:
            return None
        fresh = newest.until_ms + SILENCE_MS >= self.at_ms
        if not fresh and not self.sky.dark(newest.host, self.at_ms):
            return None
        return SeenChip(
            chip_id=chip_id,
            site=site,
            host=newest.host,
            grade=newest.grade,
            state=ChipState.PRESENT if fresh else ChipState.SILENT,
            sku=newest.sku,
            pdi=newest.pdi,
            uuid=newest.uuid,
            board=newest.board,
        )


def _merged(spans: Iterable[Down]) -> Iterator[Down]:
    """Yield spans in order, those that touch as one."""
    current: Down | None = None
    for first, last in sorted(spans):
        if current is not None and first <= current[1]:
            current = current[0], max(current[1], last)
            continue
        if current is not None:
            yield current
        current = first, last
    if current is not None:
        yield current


def _up(first: int, last: int, down: Sequence[Down]) -> Iterator[tuple[int, int]]:
    """Yield when something that runs from a time to another was seen, short gaps joined."""
    start = first
    for begins, ends in down:
        if ends <= start or begins >= last:
            continue
        if begins <= start:
            start = ends
        elif ends - begins > SILENCE_MS:
            yield start, begins
            start = ends
    if start < last:
        yield start, last


def _split(first: int, last: int, at_ms: int) -> Iterator[tuple[int, int]]:
    """Yield a run in two where a chip has other names from a time on."""
    if first < at_ms < last:
        yield first, at_ms - 1
        yield at_ms, last
    else:
        yield first, last
