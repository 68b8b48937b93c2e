"""A year as the product sees it: what is watched at one time after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chipledger_book import shipped
from chipledger_book.balance import Question, reconcile_all
from chipledger_book.ledger import Book
from chipledger_book.physical import SeenChip
from chipledger_book.report import SiteReport
from chipledger_book.watch import (
    Fact,
    FactKind,
    Measure,
    Wait,
    watch_group,
    watch_site,
    watch_unclaimed,
)
from chipledger_testing.year.collecting import Scene, Sky
from chipledger_testing.year.world import World

TABLES: Final = shipped.tables()
Key = tuple[FactKind, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the product says at one time.

    Attributes:
        at_ms: the time.
        facts: what somebody should explain, by kind and key.
        waits: who is late.
        reports: site → its balance.
        seen: site → what is seen there.
    """

    at_ms: int
    facts: Mapping[Key, Fact]
    waits: tuple[Wait, ...]
    reports: Mapping[str, SiteReport]
    seen: Mapping[str, tuple[SeenChip, ...]]


class Watching:
    """Looks at one year, one after the other in the order of time."""

    def __init__(self, world: World) -> None:
        self.sky = Sky(world)
        self._records = sorted(world.records, key=lambda one: one.recorded_at_ms)
        self._sites = tuple(plan.name for plan in world.plans)
        self._parents = sorted({plan.site.ultimate_parent.id for plan in world.plans})
        self._book = Book()
        self._taken = 0

    def book(self, known_at_ms: int) -> Book:
        """Return the book as it is known at a time."""
        while (
            self._taken < len(self._records)
            and self._records[self._taken].recorded_at_ms <= known_at_ms
        ):
            self._book.add(self._records[self._taken])
            self._taken += 1
        return self._book

    def look(self, at_ms: int) -> Look:
        """Return what the product says at a time, not before that of the last look."""
        scene = Scene(sky=self.sky, book=self.book(at_ms), at_ms=at_ms)
        seen = {site: tuple(scene.seen(site)) for site in self._sites}
        found = reconcile_all(
            scene.book,
            (chip for chips in seen.values() for chip in chips),
            TABLES,
            Question(as_of_ms=at_ms),
            stays=(stay for site in self._sites for stay in scene.stays(site)),
        )
        reports = {report.site: report for report in found.reports}
        both = list(self._watched(scene, Measure(tables=TABLES, reports=reports)))
        return Look(
            at_ms=at_ms,
            facts={(one.kind, one.key): one for one in both if isinstance(one, Fact)},
            waits=tuple(one for one in both if isinstance(one, Wait)),
            reports=reports,
            seen=seen,
        )

    def _watched(self, scene: Scene, measure: Measure) -> Iterator[Fact | Wait]:
        at = scene.at_ms
        for site in self._sites:
            found = watch_site(site, scene, measure, at)
            yield from found.facts
            yield from found.waits
        for parent in self._parents:
            found = watch_group(parent, scene, measure, at)
            yield from found.facts
            yield from found.waits
        strange = watch_unclaimed(scene, measure, at)
        yield from strange.facts
        yield from strange.waits


def broken_laws(look: Look) -> Iterator[str]:
    """Yield what does not add up in a look: nothing is lost, and nothing is counted twice."""
    for site, report in look.reports.items():
        for row in report.rows:
            filled = row.matched_by_identity + row.matched_by_count
            held = filled + row.stored + row.explained + row.silent + row.disputed + row.unaccounted
            if row.book + row.overdrawn != held:
                yield f"{site} {row.sku}: book {row.book} + {row.overdrawn} is not {held}"
            if row.present.total != filled + row.overage:
                yield f"{site} {row.sku}: present {row.present.total} is not {filled + row.overage}"
        rows = sum(row.present.total + row.silent + row.silent_off_book for row in report.rows)
        if rows != len(look.seen[site]):
            yield f"{site}: {len(look.seen[site])} chips are seen, {rows} are counted"
