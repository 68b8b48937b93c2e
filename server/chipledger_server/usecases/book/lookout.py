"""Looking around: who is late, and what somebody should explain, site by site and family by family.

What is found is decided by :mod:`chipledger_book.watch`, the same code that an auditor runs
offline. Here is what it looks at, and in which order sites are looked at.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from chipledger_book.errors import BookError
from chipledger_book.ledger import Book, fold
from chipledger_book.physical import SeenChip, Stay
from chipledger_book.report import SiteReport
from chipledger_book.watch import (
    Measure as WatchMeasure,
)
from chipledger_book.watch import (
    Watched,
    watch_group,
    watch_site,
    watch_unclaimed,
)
from chipledger_server.usecases.book.reconcile import Balances, Measure
from chipledger_server.usecases.physical import seen_chips
from chipledger_server.usecases.reading import Snapshot, When

UNCLAIMED = "unclaimed"
"""Scope of what concerns no site of the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one look found.

    Attributes:
        scope: what was looked at: ``site:ID``, ``group:PARENT`` or `UNCLAIMED`; a later look at
            the same replaces this one.
        watched: what was found.
        at_ms: when.
    """

    scope: str
    watched: Watched
    at_ms: int


@dataclass(kw_only=True)
class DatabaseScene:
    """The book and the sightings in the database at one time."""

    snapshot: Snapshot
    book: Book
    balances: Balances
    when: When
    measure: Measure
    downtime: Sequence[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.downtime = self.snapshot.downtime(self.when)

    def seen(self, site: str) -> Sequence[SeenChip]:
        """Return what is seen at a site."""
        return list(seen_chips(self.balances.settled(site)))

    def stays(self, site: str) -> Sequence[Stay]:
        """Return all stays at a site up to the time."""
        return self.snapshot.stays(self.when, site=site, rule=self.measure.stay_rule)

    def stays_of(self, names: Collection[str]) -> Sequence[Stay]:
        """Return the stays, at any site, of chips that bear a PDI, UUID or board serial."""
        return self.snapshot.stays_of(self.when, names, rule=self.measure.stay_rule)


class Lookout:
    """Looks at everything at one time, from one snapshot.

    A site whose tables lack what its book holds is skipped and named: others are looked at.
    """

    def __init__(self, snapshot: Snapshot, when: When, measure: Measure) -> None:
        self._when = when
        self._measure = measure
        moved = snapshot.attested_records(when, kind="moved")  # they wait for a confirmation
        self._book = fold([*snapshot.all_records(when), *moved])
        self._balances = Balances(snapshot, self._book, when, measure)
        self._scene = DatabaseScene(
            snapshot=snapshot,
            book=self._book,
            balances=self._balances,
            when=when,
            measure=measure,
        )
        self._reports: dict[str, SiteReport] = {}

    def around(
        self, before: Collection[str], skipped: Callable[[str, BookError], None]
    ) -> Iterator[Looked]:
        """Yield what is found at every site, then in every family, then at nobody's.

        Args:
            before: scopes of earlier looks; those that are no more are found empty.
            skipped: told of each scope that could not be looked at, and why.
        """
        now = self._scopes()
        for scope, look in now.items():
            try:
                yield Looked(scope=scope, watched=look(), at_ms=self._when.as_of_ms)
            except BookError as error:
                skipped(scope, error)
        nothing = Watched(waits=(), facts=(), tables=())
        for scope in sorted({*before} - {*now}):
            yield Looked(scope=scope, watched=nothing, at_ms=self._when.as_of_ms)

    def _scopes(self) -> Mapping[str, Callable[[], Watched]]:
        """Return every scope there is, and what looks at it."""
        families: dict[str, list[str]] = defaultdict(list)
        for site in self._book.site_ids():
            if self._book.declarations(site):
                at = self._when.as_of_ms
                families[self._book.site(site, at).ultimate_parent.id].append(site)
        at = self._when.as_of_ms
        found: dict[str, Callable[[], Watched]] = {
            f"site:{site}": partial(self.site, site) for site in self._book.site_ids()
        }
        for parent, sites in sorted(families.items()):
            found[f"group:{parent}"] = partial(self._group, parent, sites)
        found[UNCLAIMED] = lambda: watch_unclaimed(self._scene, self._with(()), at)
        return found

    def _group(self, parent: str, sites: Collection[str]) -> Watched:
        return watch_group(parent, self._scene, self._with(sites), self._when.as_of_ms)

    def site(self, site: str) -> Watched:
        """Return what is found at one site.

        Raises:
            BookError: the tables lack what its book holds.
        """
        return watch_site(site, self._scene, self._with([site]), self._when.as_of_ms)

    def _with(self, sites: Collection[str]) -> WatchMeasure:
        """Return the measure with the balances of some sites."""
        declared = [site for site in sites if self._book.declarations(site)]
        return WatchMeasure(
            tables=self._measure.tables, reports={site: self._report(site) for site in declared}
        )

    def _report(self, site: str) -> SiteReport:
        if site not in self._reports:
            self._reports[site] = self._balances.of(site).report
        return self._reports[site]
