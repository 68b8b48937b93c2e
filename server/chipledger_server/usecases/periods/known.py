"""What is known of a site at the end of a period, read from one snapshot of the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from chipledger_book.agreement import agreed_ms
from chipledger_book.balance import linked_sites
from chipledger_book.events import LedgerRecord, event_id
from chipledger_book.ledger import Book, fold
from chipledger_book.periods.course import bears_on
from chipledger_book.periods.document import (
    LateEvent,
    LogHead,
    OpenFinding,
    PeriodDocument,
    first_ms,
    last_ms,
)
from chipledger_book.periods.freezing import Asked, Known, compose
from chipledger_book.periods.units import attested_in
from chipledger_server.usecases.book.event_words import event_words
from chipledger_server.usecases.book.reconcile import Balances, Measure, version_of
from chipledger_server.usecases.physical import seen_chips
from chipledger_server.usecases.reading import FindingsAsked, Snapshot, When
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.findings import list_findings

MOST_FINDINGS = 20_000


@dataclass(slots=True, kw_only=True)
class Family:
    """A site's family as known at one time, read once for any of its sites and periods.

    Attributes:
        snapshot: the database at one moment.
        site: any site of the family.
        known_at_ms: what was known then.
        measure: tables and policy.
        code: name and version of this software.
        records: the events of the family.
        book: them, folded.
    """

    snapshot: Snapshot
    site: str
    known_at_ms: int
    measure: Measure
    code: str
    records: Sequence[LedgerRecord] = field(init=False)
    book: Book = field(init=False)

    def __post_init__(self) -> None:
        when = When(as_of_ms=self.known_at_ms, known_at_ms=self.known_at_ms)
        self.records = self.snapshot.family_records(when, site=self.site)
        self.book = fold(self.records)

    def sites_of(self, parent: str, as_of_ms: int) -> list[str]:
        """Return the declared sites of a parent at a time; of test sites only beside another."""
        own = self.book.site(self.site, as_of_ms)
        found = [name for name in self.book.site_ids() if self.book.declarations(name)]
        return [
            name
            for name in found
            if (site := self.book.site(name, as_of_ms)).ultimate_parent.id == parent
            and site.test == own.test
        ]

    def compose(self, asked: Asked, *, log: LogHead | None) -> PeriodDocument:
        """Return the document of a period of one of the family's sites."""
        as_of = last_ms(asked.last_day)
        when = When(as_of_ms=as_of, known_at_ms=self.known_at_ms)
        balances = Balances(self.snapshot, self.book, when, self.measure)
        linked = linked_sites(self.book, asked.site, as_of_ms=as_of)
        seen = [chip for name in linked for chip in seen_chips(balances.settled(name))]
        policy = version_of(self.measure.appraisal)
        known = Known(
            book=self.book,
            seen=seen,
            attested=attested_in(
                self.snapshot.stays(when, site=asked.site, rule=self.measure.stay_rule),
                site=asked.site,
                until_ms=as_of,
            ),
            findings=self._findings(asked.site, asked.first_day, when),
            tables=self.measure.tables,
            log=log,
            known_at_ms=self.known_at_ms,
            code=self.code,
            appraisal=f"{policy.id} {policy.version} {policy.digest}",
        )
        return compose(asked, known)

    def _findings(self, site: str, first_day: date, when: When) -> tuple[OpenFinding, ...]:
        """Return the findings that were open at the end of a period, or opened in it."""
        look = Look(snapshot=self.snapshot, scope=None, when=when, measure=self.measure)
        asked = FindingsAsked(when=when, scope=None, site=site)
        start = first_ms(first_day)
        return tuple(
            OpenFinding(
                id=one.id,
                type=one.type,
                severity=str(one.severity),
                host=one.host,
                chip=None if one.chip is None else str(one.chip),
                opened_ms=one.opened_ms,
                resolved_ms=one.resolved_ms,
                state=str(one.state),
                words=one.words,
            )
            for one in list_findings(look, asked, after=None, limit=MOST_FINDINGS)
            if one.resolved_ms is None or one.resolved_ms >= start
        )

    def late(self, entered: Iterable[str], *, site: str, last_day: date) -> tuple[LateEvent, ...]:
        """Return which of the events that were entered since bear on a period of a site."""
        wanted = frozenset(entered)
        found = []
        for record in self.records if wanted else ():
            key = event_id(record.event)
            if key in wanted and bears_on(record, self.book, site=site, as_of_ms=last_ms(last_day)):
                agreed = agreed_ms(record.statements) if record.proposed else None
                found.append(
                    LateEvent(
                        event=key,
                        type=str(type(record.event).__struct_config__.tag),
                        occurred_ms=record.event.occurred_at_ms,
                        recorded_ms=max(record.recorded_at_ms, agreed or 0),
                        words=event_words(record.event),
                    )
                )
        return tuple(sorted(found, key=lambda one: (one.recorded_ms, one.event)))
