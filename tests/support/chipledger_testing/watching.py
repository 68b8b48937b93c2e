"""A book and a history of sightings to be watched at any time; a test changes one thing."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from msgspec.structs import replace

from chipledger_book import shipped
from chipledger_book.balance import Question, linked_sites, reconcile
from chipledger_book.errors import BookError
from chipledger_book.events import Event, LedgerRecord
from chipledger_book.ledger import Book, fold
from chipledger_book.licences import LicenceType
from chipledger_book.physical import ChipState, SeenChip, Stay
from chipledger_book.rules import Tables
from chipledger_book.terms import day_of
from chipledger_book.timers import DAY_MS, HOUR_MS, Timer
from chipledger_book.watch import (
    Fact,
    FactKind,
    Measure,
    Wait,
    WaitKind,
    Watched,
    watch_group,
    watch_site,
)
from chipledger_book.watch.times import plain_ms
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import H100, TABLES, declared, licence, ms, site_of, uuid

FRESH_MS: Final = HOUR_MS
"""How long after its last sighting a chip still counts as answering."""
FOR_EVER: Final = ms(2040)
CLAIM: Final = licence("LPP-1", kind=LicenceType.LPP, days=(date(2025, 1, 1), date(2039, 12, 31)))
TWO_SITES: Final = (declared(), declared(site_of("penang")), CLAIM)


def limit_ms(timer: Timer, since_ms: int = ms(2026)) -> int:
    """Return how long a timer of the shipped table runs from a time on."""
    row = shipped.timers().limit(timer, day_of(since_ms))
    if row is None:
        message = f"no row for {timer}"
        raise AssertionError(message)
    return plain_ms(since_ms, row)


def stay(
    number: int,
    from_ms: int,
    until_ms: int = FOR_EVER,
    *,
    site: str = "johor",
    host: str | None = None,
    sku: str = H100,
) -> Stay:
    """Return a stay of a numbered chip; its names follow from its number."""
    return Stay(
        chip_id=f"chip-{number:05d}",
        site=site,
        host=host or f"{site}-{number // 8}",
        from_ms=from_ms,
        until_ms=until_ms,
        grade=Grade.G1,
        sku=sku,
        pdi=f"{number:016x}",
        uuid=uuid(number),
        board=f"165{number:010d}",
    )


def stays(
    numbers: Iterable[int], from_ms: int, until_ms: int = FOR_EVER, *, site: str = "johor"
) -> tuple[Stay, ...]:
    """Return one stay of each of several chips."""
    return tuple(stay(number, from_ms, until_ms, site=site) for number in numbers)


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A scene at one time.

    A chip answers while its newest stay at a site lasts; after it, it is silent where its id is
    in `silent`, and else not seen at all.
    """

    book: Book
    at_ms: int
    history: Sequence[Stay] = ()
    silent: frozenset[str] = frozenset()
    downtime: Sequence[tuple[int, int]] = field(default_factory=tuple)

    def stays(self, site: str) -> Sequence[Stay]:
        """Return the stays at a site up to the time."""
        return [one for one in self._until() if one.site == site]

    def stays_of(self, names: Collection[str]) -> Sequence[Stay]:
        """Return the stays of chips that bear one of some names."""
        wanted = frozenset(names)
        return [one for one in self._until() if wanted & {one.pdi, one.uuid, one.board}]

    def seen(self, site: str) -> Sequence[SeenChip]:
        """Return what is seen at a site at the time."""
        newest: dict[str, Stay] = {}
        for one in self.stays(site):
            other = newest.setdefault(one.chip_id, one)
            newest[one.chip_id] = max(one, other, key=lambda each: (each.until_ms, each.host))
        found = ((one, self._state(one)) for one in newest.values())
        return [_seen(one, state) for one, state in found if state is not None]

    def _state(self, newest: Stay) -> ChipState | None:
        if newest.until_ms >= self.at_ms - FRESH_MS:
            return ChipState.PRESENT
        return ChipState.SILENT if newest.chip_id in self.silent else None

    def _until(self) -> list[Stay]:
        return [
            replace(one, until_ms=min(one.until_ms, self.at_ms))
            for one in self.history
            if one.from_ms <= self.at_ms
        ]


def _seen(one: Stay, state: ChipState) -> SeenChip:
    return SeenChip(
        chip_id=one.chip_id,
        site=one.site,
        host=one.host,
        grade=one.grade,
        state=state,
        sku=one.sku,
        pdi=one.pdi,
        uuid=one.uuid,
        board=one.board,
    )


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happened and what was seen, to be watched at any time.

    Attributes:
        events: as they were entered, each when it happened unless `records` say otherwise.
        history: stays of chips.
        records: events with the time they were recorded at.
        silent: ids of chips that fall silent instead of being gone.
        downtime: of the collector.
        tables: the tables.
    """

    events: tuple[Event, ...] = ()
    history: tuple[Stay, ...] = ()
    records: tuple[LedgerRecord, ...] = ()
    silent: frozenset[str] = frozenset()
    downtime: tuple[tuple[int, int], ...] = ()
    tables: Tables = TABLES

    def scene(self, at_ms: int) -> Staged:
        """Return the scene at a time."""
        entered = [
            LedgerRecord(event=event, recorded_at_ms=event.occurred_at_ms)
            for event in (*TWO_SITES, *self.events)
        ]
        return Staged(
            book=fold([*entered, *self.records]),
            at_ms=at_ms,
            history=self.history,
            silent=self.silent,
            downtime=self.downtime,
        )

    def measure(self, at_ms: int) -> Measure:
        """Return the measure at a time: every site with its balance."""
        scene, reports = self.scene(at_ms), {}
        for site in scene.book.site_ids():
            seen = [
                chip
                for name in linked_sites(scene.book, site, as_of_ms=at_ms)
                for chip in scene.seen(name)
            ]
            try:
                reports[site] = reconcile(
                    scene.book, seen, self.tables, Question(as_of_ms=at_ms), site=site
                )
            except BookError:
                continue
        return Measure(tables=self.tables, reports=reports)

    def at_site(self, at_ms: int, site: str = "johor") -> Watched:
        """Return what is watched at a site at a time."""
        return watch_site(site, self.scene(at_ms), self.measure(at_ms), at_ms)

    def in_group(self, at_ms: int, parent: str = "acme") -> Watched:
        """Return what is watched over a group at a time."""
        return watch_group(parent, self.scene(at_ms), self.measure(at_ms), at_ms)

    def facts(self, kind: FactKind, at_ms: int, *, site: str = "johor") -> tuple[Fact, ...]:
        """Return the facts of a kind at a site or over its group at a time."""
        both = (*self.at_site(at_ms, site).facts, *self.in_group(at_ms).facts)
        return tuple(fact for fact in both if fact.kind is kind)

    def fact(self, kind: FactKind, at_ms: int, *, site: str = "johor") -> Fact:
        """Return the one fact of a kind at a time."""
        (found,) = self.facts(kind, at_ms, site=site)
        return found

    def kinds(self, at_ms: int, *, site: str = "johor") -> frozenset[FactKind]:
        """Return the kinds of all facts at a site and over its group at a time."""
        both = (*self.at_site(at_ms, site).facts, *self.in_group(at_ms).facts)
        return frozenset(fact.kind for fact in both)

    def wait(self, kind: WaitKind, at_ms: int, *, site: str = "johor") -> Wait:
        """Return the one wait of a kind at a time."""
        both = (*self.at_site(at_ms, site).waits, *self.in_group(at_ms).waits)
        (found,) = (wait for wait in both if wait.kind is kind)
        return found


def days(number: int) -> int:
    """Return a number of days in milliseconds."""
    return number * DAY_MS
