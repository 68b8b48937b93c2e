"""The balance of a site, from the database: load, settle what was seen, ask the book.

The arithmetic is :func:`chipledger_book.balance.reconcile`, the same code an auditor runs
offline. Here is only what it is fed: the events of the site's family, and the sightings of the
sites that share a licence or an ultimate parent with it. Nothing else of the fleet is read.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chipledger_book.balance import Question, linked_sites, reconcile, undeclared
from chipledger_book.errors import Problem
from chipledger_book.ledger import Book, fold
from chipledger_book.report import SiteReport
from chipledger_book.rules import Tables
from chipledger_evidence.appraisal.policy import AppraisalPolicy
from chipledger_server.usecases.limits import CANNOT_SEE
from chipledger_server.usecases.physical import Patience, Settled, Standing, seen_chips, settle
from chipledger_server.usecases.reading import HostsAsked, Snapshot, When
from chipledger_server.usecases.stays import StayRule
from chipledger_server.usecases.views import Answer, Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What everything is measured by.

    Attributes:
        tables: catalogue, country lists and rule set.
        silence_limit_ms: how long a host may not answer.
        appraisal: what makes a statement a chip's own, and how long it keeps its grade.
    """

    tables: Tables
    silence_limit_ms: int
    appraisal: AppraisalPolicy

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
    book = fold(snapshot.family_records(when, site=site))
    return Balances(snapshot, book, when, measure).of(site)


def all_balances(
    snapshot: Snapshot, when: When, measure: Measure, *, scope: frozenset[str] | None
) -> list[SiteBalance]:
    """Return the balance of every declared site in a scope, by site id."""
    book = fold(snapshot.all_records(when))
    balances = Balances(snapshot, book, when, measure)
    return [
        balances.of(site)
        for site in book.site_ids()
        if book.declarations(site) and (scope is None or site in scope)
    ]


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
    """Balances at one time, from one snapshot and one book; each site is settled once."""

    def __init__(self, snapshot: Snapshot, book: Book, when: When, measure: Measure) -> None:
        self._snapshot = snapshot
        self._book = book
        self._when = when
        self._measure = measure
        self._patience = measure.patience(snapshot.downtime(when))
        self._settled: dict[str, tuple[Settled, ...]] = {}

    def of(self, site: str) -> SiteBalance:
        """Return the balance of one site."""
        at = self._when.as_of_ms
        linked = linked_sites(self._book, site, as_of_ms=at)
        report = reconcile(
            self._book,
            [chip for name in linked for chip in seen_chips(self.settled(name))],
            self._measure.tables,
            Question(as_of_ms=at, known_at_ms=self._when.known_at_ms),
            site=site,
        )
        asked = HostsAsked(when=self._when, scope=None, site=site)
        hosts = self._snapshot.hosts(asked, after="", limit=None)
        heard = [host.last_fresh_ms for host in hosts if host.last_fresh_ms is not None]
        return SiteBalance(
            report=report,
            hosts=len(hosts),
            hosts_silent=sum(self._patience.silent(last, at) for last in heard),
            hosts_never_seen=len(hosts) - len(heard),
            uncounted=count_uncounted(self.settled(site)),
            silence_limit_ms=self._measure.silence_limit_ms,
            appraisal=version_of(self._measure.appraisal),
            cannot_see=CANNOT_SEE,
        )

    def settled(self, site: str) -> tuple[Settled, ...]:
        """Return what every device of a site's hosts comes to."""
        if site not in self._settled:
            self._settled[site] = settle_site(self._snapshot, site, self._when, self._patience)
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
