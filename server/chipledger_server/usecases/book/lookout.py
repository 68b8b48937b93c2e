"""Looking around: who is late, and what somebody should explain, site by site and family by family.

What is found is decided by :mod:`chipledger_book.watch`, the same code that an auditor runs
offline. Here is what it looks at, and in which order sites are looked at.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

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
from chipledger_server.usecases.reading import Reads, Snapshot, When

UNCLAIMED = "unclaimed"
"""Scope of what concerns no site of the ledger."""
_SITES_OF_ONE_SNAPSHOT: Final = 10


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is looked at together, in one round of many parts.

    Attributes:
        sites: one by one.
        parent: whose all these sites are; None: nobody's, or nothing is asked of all together.
        unclaimed: what concerns no site as well.
        gone: scopes of earlier looks that are no more.
    """

    sites: tuple[str, ...] = ()
    parent: str | None = None
    unclaimed: bool = False
    gone: tuple[str, ...] = ()


def whole_book(snapshot: Snapshot, when: When) -> Book:
    """Return the ledger with what the collector recorded of chips that moved.

    The ledger only grows: of one `when`, every later snapshot gives the same.
    """
    moved = snapshot.attested_records(when, kind="moved")  # they wait for a confirmation
    return fold([*snapshot.all_records(when), *moved])


def parts_of(book: Book, before: Collection[str], when: When) -> list[Part]:
    """Return everything that there is to look at: family by family, then what is nobody's.

    Args:
        book: the ledger.
        before: scopes of earlier looks.
        when: the time.
    """
    families: dict[str, list[str]] = defaultdict(list)
    alone: list[str] = []
    for site in book.site_ids():
        if book.declarations(site):
            families[book.site(site, when.as_of_ms).ultimate_parent.id].append(site)
        else:
            alone.append(site)
    scopes = {UNCLAIMED, *(f"site:{site}" for site in book.site_ids())}
    scopes |= {f"group:{parent}" for parent in families}
    gone = tuple(sorted({*before} - scopes))
    found = [Part(sites=tuple(sites), parent=name) for name, sites in sorted(families.items())]
    return [*found, Part(sites=tuple(alone), unclaimed=True, gone=gone)]


def look_at(
    part: Part,
    reads: Reads,
    *,
    book: Book,
    when: When,
    measure: Measure,
    skipped: Callable[[str, BookError], None],
) -> Iterator[Looked]:
    """Yield what is found in one part, from a new snapshot for every few sites.

    A snapshot that stays open for minutes would keep the database from tidying its log away.
    """
    reports: dict[str, SiteReport] = {}
    for start in range(0, len(part.sites), _SITES_OF_ONE_SNAPSHOT):
        with reads.snapshot() as snapshot:
            lookout = Lookout(snapshot, when, measure, book=book, reports=reports)
            sites = part.sites[start : start + _SITES_OF_ONE_SNAPSHOT]
            yield from list(lookout.sites(sites, skipped))
    with reads.snapshot() as snapshot:
        lookout = Lookout(snapshot, when, measure, book=book, reports=reports)
        yield from list(lookout.together(part, skipped))


class Lookout:
    """Looks at everything at one time, from one snapshot.

    A site whose tables lack what its book holds is skipped and named: others are looked at.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        when: When,
        measure: Measure,
        *,
        book: Book | None = None,
        reports: dict[str, SiteReport] | None = None,
    ) -> None:
        """Look at a snapshot.

        Args:
            snapshot: the database at one moment.
            when: the two times of the question.
            measure: tables and policies.
            book: the ledger of that time, where it is folded already; see `whole_book`.
            reports: balances of that time that are known already; what is found is added.
        """
        self._when = when
        self._measure = measure
        self._book = whole_book(snapshot, when) if book is None else book
        self._balances = Balances(snapshot, self._book, when, measure)
        self._scene = DatabaseScene(
            snapshot=snapshot,
            book=self._book,
            balances=self._balances,
            when=when,
            measure=measure,
        )
        self._reports = {} if reports is None else reports

    def around(
        self, before: Collection[str], skipped: Callable[[str, BookError], None]
    ) -> Iterator[Looked]:
        """Yield what is found at every site and in every family, then at nobody's.

        Args:
            before: scopes of earlier looks; those that are no more are found empty.
            skipped: told of each scope that could not be looked at, and why.
        """
        parts = parts_of(self._book, before, self._when)
        for part in parts:
            yield from self.sites(part.sites, skipped)
            yield from self.together(part, skipped)

    def sites(
        self, sites: Iterable[str], skipped: Callable[[str, BookError], None]
    ) -> Iterator[Looked]:
        """Yield what is found at some sites."""
        for site in sites:
            yield from self._looked(f"site:{site}", partial(self.site, site), skipped)

    def together(self, part: Part, skipped: Callable[[str, BookError], None]) -> Iterator[Looked]:
        """Yield what is found over the sites of a part, and at its scopes that are no more."""
        at = self._when.as_of_ms
        if part.parent is not None:
            group = partial(self._group, part.parent, part.sites)
            yield from self._looked(f"group:{part.parent}", group, skipped)
        if part.unclaimed:
            everybody = partial(watch_unclaimed, self._scene, self._with(()), at)
            yield from self._looked(UNCLAIMED, everybody, skipped)
        nothing = Watched(waits=(), facts=(), tables=())
        yield from (Looked(scope=scope, watched=nothing, at_ms=at) for scope in part.gone)

    def _looked(
        self, scope: str, look: Callable[[], Watched], skipped: Callable[[str, BookError], None]
    ) -> Iterator[Looked]:
        try:
            yield Looked(scope=scope, watched=look(), at_ms=self._when.as_of_ms)
        except BookError as error:
            skipped(scope, error)

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
