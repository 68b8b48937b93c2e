"""The balance of a site, from the database: load, settle what was seen, ask the book.

The arithmetic is that of :mod:`chipledger_book.balance`, the same code an auditor runs offline.
Here is only what it is fed: the events and sightings of the site, and of the sites that share a
licence or an ultimate parent with it what they ask of these. Nothing else of the fleet is read.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from chipledger_book.balance import site_report, undeclared
from chipledger_book.errors import Problem
from chipledger_book.holding import AtSite, Question, at_site
from chipledger_book.ledger import Book, fold
from chipledger_book.report import SiteReport
from chipledger_book.rules import Tables
from chipledger_book.terms import day_of
from chipledger_evidence.appraisal.policy import AppraisalPolicy
from chipledger_server.usecases.book.sharing import Asked, Sharing
from chipledger_server.usecases.limits import CANNOT_SEE
from chipledger_server.usecases.physical import (
    Claim,
    Patience,
    Rival,
    Settled,
    Standing,
    seen_chips,
    settle,
)
from chipledger_server.usecases.reading import HostsAsked, Position, Snapshot, Touched, When
from chipledger_server.usecases.stays import StayRule
from chipledger_server.usecases.views import Answer, Digest

_TOGETHER: Final = 200
"""Sites whose events are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What everything is measured by.

    Attributes:
        tables: catalogue, country lists and rule set.
        silence_limit_ms: how long a host may not answer.
        appraisal: what makes a statement a chip's own, and how long it keeps its grade.
        sharing: what sites share, kept from one question to the next.
    """

    tables: Tables
    silence_limit_ms: int
    appraisal: AppraisalPolicy
    sharing: Sharing = field(default_factory=Sharing, compare=False)

    @property
    def stay_rule(self) -> StayRule:
        """What joins sightings of a chip to its history."""
        return StayRule(silence_limit_ms=self.silence_limit_ms, catalogue=self.tables.catalogue)

    def patience(self, downtime: Sequence[tuple[int, int]]) -> Patience:
        """Return how old what we know may be, the collector's own downtime left out."""
        return Patience(
            limit_ms=self.silence_limit_ms,
            downtime=downtime,
            signature_ms=self.appraisal.evidence_lifetime_ms,
        )


class Uncounted(Answer, frozen=True, kw_only=True):
    """Devices that agents saw and that count nowhere, each for its own reason.

    Attributes:
        unconfirmed: views of driver, PCI bus and kernel module differ; no more than declared.
        unidentified: on the PCI bus only, as when handed to a virtual machine.
        not_physical: virtual GPUs.
        lost: listed by the driver, but neither it nor we can say which chip it is.
        moved: chips of an older inventory that were seen later on another host.
    """

    unconfirmed: int
    unidentified: int
    not_physical: int
    lost: int
    moved: int


class PolicyVersion(Answer, frozen=True, kw_only=True):
    """What a verdict writes down of the appraisal policy that graded the chips."""

    id: str
    version: str
    digest: Digest


class SiteBalance(Answer, frozen=True, kw_only=True):
    """The balance of a site, and what a reader must know beside it.

    Attributes:
        report: balance and both verdicts.
        hosts: hosts enrolled.
        hosts_silent: of these, silent.
        hosts_never_seen: of these, without any fresh report.
        uncounted: devices that count nowhere.
        silence_limit_ms: policy used.
        appraisal: policy that graded the chips.
        cannot_see: what this result cannot see, in sentences.
    """

    report: SiteReport
    hosts: int
    hosts_silent: int
    hosts_never_seen: int
    uncounted: Uncounted
    silence_limit_ms: int
    appraisal: PolicyVersion
    cannot_see: tuple[str, ...]


def balance_of(snapshot: Snapshot, site: str, when: When, measure: Measure) -> SiteBalance:
    """Return the balance of one site.

    Raises:
        BookError: `unknown-site`, or tables that lack what the book holds.
    """
    return Balances(snapshot, None, when, measure).of(site)


def all_balances(
    snapshot: Snapshot, when: When, measure: Measure, *, scope: frozenset[str] | None
) -> list[SiteBalance]:
    """Return the balance of every declared site in a scope, by site id."""
    found = balances_of(snapshot, snapshot.families(), when, measure, scope=scope)
    return sorted(found, key=lambda balance: balance.report.site)


def balances_of(
    snapshot: Snapshot,
    families: Iterable[Sequence[str]],
    when: When,
    measure: Measure,
    *,
    scope: frozenset[str] | None = None,
) -> Iterator[SiteBalance]:
    """Yield the balance of every declared site of some families in a scope.

    No family needs another: several processes may each do some.
    """
    balances = Balances(snapshot, None, when, measure)
    for family in families:
        yield from balances.of_family(family, scope)


def left_out(
    snapshot: Snapshot, when: When, balances: Iterable[SiteBalance]
) -> tuple[Problem, ...]:
    """Return `unknown-site` for every site with hosts that no balance of all sites is of.

    The only declaration of a site can be corrected while hosts stand there.
    """
    hosts = snapshot.hosts(HostsAsked(when=when, scope=None), after="", limit=None)
    sites = {host.site for host in hosts} - {balance.report.site for balance in balances}
    return tuple(undeclared(site) for site in sorted(sites))


class Balances:
    """Balances at one time, from one snapshot; each site is settled once.

    Args:
        snapshot: the database at one moment.
        book: the ledger, where it is folded already, whole or for one family; None: what is
            asked for is read site by site.
        when: the two times of the question.
        measure: tables and policies.
    """

    def __init__(self, snapshot: Snapshot, book: Book | None, when: When, measure: Measure) -> None:
        self._snapshot = snapshot
        self._book = book
        self._when = when
        self._measure = measure
        self._downtime = snapshot.downtime(when)
        self._patience = measure.patience(self._downtime)
        self._settled: dict[str, tuple[Settled, ...]] = {}
        self._sides: dict[str, AtSite] = {}
        self._books: dict[str, Book] = {}
        self._unstable: set[str] = set()
        self._position = snapshot.position(when)
        self.question = Question(as_of_ms=when.as_of_ms, known_at_ms=when.known_at_ms)

    @property
    def tables(self) -> Tables:
        """What the verdict is by."""
        return self._measure.tables

    @property
    def context(self) -> object:
        """What holdings depend on besides the database."""
        versions = tuple(one.digest for one in self.tables.versions())
        silence = self._measure.silence_limit_ms
        return versions, day_of(self._when.as_of_ms), silence, tuple(self._downtime)

    def of(self, site: str) -> SiteBalance:
        """Return the balance of one site.

        Raises:
            BookError: `unknown-site`, or tables that lack what the book holds.
        """
        at = self._when.as_of_ms
        side = self.side(site)
        shared = self._measure.sharing.of(self, site)
        hosts = self._snapshot.heard(self._when, site=site)
        heard = [last_ms for last_ms in hosts if last_ms is not None]
        return SiteBalance(
            report=site_report(side, self.book(site), shared, self.tables, question=self.question),
            hosts=len(hosts),
            hosts_silent=sum(self._patience.silent(last, at) for last in heard),
            hosts_never_seen=len(hosts) - len(heard),
            uncounted=count_uncounted(self.settled(site)),
            silence_limit_ms=self._measure.silence_limit_ms,
            appraisal=version_of(self._measure.appraisal),
            cannot_see=CANNOT_SEE,
        )

    def of_family(
        self, family: Sequence[str], scope: frozenset[str] | None = None
    ) -> Iterator[SiteBalance]:
        """Yield the balances of the declared sites of a family in a scope, keeping nothing of it.

        Raises:
            BookError: tables that lack what the book holds.
        """
        wanted = [site for site in family if scope is None or site in scope]
        for start in range(0, len(wanted), _TOGETHER):
            part = wanted[start : start + _TOGETHER]
            if self._book is None:
                book = fold(self._snapshot.site_records(self._when, sites=part))
                self._books.update(dict.fromkeys(part, book))
        yield from (self.of(site) for site in wanted if self.book(site).declarations(site))
        self._settled.clear()
        self._sides.clear()
        self._books.clear()

    def book(self, site: str) -> Book:
        """Return the ledger, at least what bears on a site."""
        if self._book is not None:
            return self._book
        if site not in self._books:
            self._books[site] = fold(self._snapshot.site_records(self._when, sites=(site,)))
        return self._books[site]

    def side(self, site: str) -> AtSite:
        """Return one site by itself."""
        if site not in self._sides:
            self._sides[site] = at_site(
                self.book(site),
                seen_chips(self.settled(site)),
                self._snapshot.stays(self._when, site=site, rule=self._measure.stay_rule),
                self.tables,
                question=self.question,
                site=site,
            )
        return self._sides[site]

    def asked(self, site: str) -> Asked:
        """Return what a site asks, and whether only something written can change that."""
        side = self.side(site)
        ahead = self.book(site).newest_ms > self._when.as_of_ms
        return Asked(holding=side.holding(), stable=not ahead and site not in self._unstable)

    def outline(self, site: str) -> Book:
        """Return declarations and licences of every site that may share anything with one."""
        return self._book or fold(self._snapshot.outline(self._when, site=site))

    def position(self) -> Position | None:
        """Return how far this look reaches."""
        return self._position

    def touched(self, since: Position) -> Touched:
        """Return what was written since a position."""
        if self._position is None:
            message = "only a look at everything that there is follows another"
            raise ValueError(message)
        return self._snapshot.touched(since, self._position)

    def settled(self, site: str) -> tuple[Settled, ...]:
        """Return what every device of a site's hosts comes to."""
        if site not in self._settled:
            claims = self._snapshot.claims(self._when, site=site)
            rivals = self._snapshot.rivals(self._when, site=site)
            disputed = self._snapshot.disputed(self._when, site=site)
            if disputed or contested(claims, rivals):
                self._unstable.add(site)
            self._settled[site] = settle(
                claims,
                rivals,
                disputed,
                patience=self._patience,
                at_ms=self._when.as_of_ms,
            )
        return self._settled[site]


def settle_site(
    snapshot: Snapshot, site: str, when: When, patience: Patience
) -> tuple[Settled, ...]:
    """Return what every device in the newest inventories of a site's hosts comes to."""
    return settle(
        snapshot.claims(when, site=site),
        snapshot.rivals(when, site=site),
        snapshot.disputed(when, site=site),
        patience=patience,
        at_ms=when.as_of_ms,
    )


def contested(claims: Iterable[Claim], rivals: Iterable[Rival]) -> bool:
    """Tell whether two hosts show one chip: which of them counts may turn with any heartbeat."""
    own = {(claim.chip, claim.host) for claim in claims if claim.chip is not None}
    twice = len(own) > len({chip for chip, _ in own})
    return twice or any((rival.chip, rival.host) not in own for rival in rivals)


def version_of(policy: AppraisalPolicy) -> PolicyVersion:
    """Return id, version and digest of a policy."""
    return PolicyVersion(id=policy.id, version=policy.version, digest=policy.digest)


def count_uncounted(settled: Iterable[Settled]) -> Uncounted:
    """Return how many devices count nowhere, by reason."""
    reasons = Counter(
        "moved" if one.standing is Standing.MOVED else one.claim.reading.replace("-", "_")
        for one in settled
        if one.standing in (Standing.MOVED, Standing.UNCOUNTED)
    )
    return Uncounted(
        unconfirmed=reasons["unconfirmed"],
        unidentified=reasons["unidentified"],
        not_physical=reasons["not_physical"],
        lost=reasons["lost"] + reasons["read"],
        moved=reasons["moved"],
    )
