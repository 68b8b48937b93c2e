"""Making the document of a period: the balance, the units and what stands beside them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from msgspec.structs import replace

from chipledger_book.balance import Question, reconcile
from chipledger_book.ledger import Book
from chipledger_book.limits import CANNOT_SEE
from chipledger_book.periods.difference import differences, in_words, opening_differences
from chipledger_book.periods.document import (
    Before,
    Gap,
    LateEvent,
    LogHead,
    OpenFinding,
    PeriodDocument,
    first_ms,
    last_ms,
)
from chipledger_book.periods.movements import movements_of
from chipledger_book.periods.units import Attested, population_of, units_of
from chipledger_book.physical import SeenChip
from chipledger_book.report import BalanceRow, SiteReport
from chipledger_book.rules import Tables
from chipledger_book.tables import TableVersion, version_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a site and those linked to it at the end of a period.

    Attributes:
        book: folded for `known_at_ms`.
        seen: sightings at the end of the period, of the site and those linked to it.
        attested: chip → when it was attested at the site.
        findings: those open at the end of the period, or opened in it.
        tables: what everything is measured by.
        log: head of the log; None of a draft.
        known_at_ms: when this was known.
        code: name and version of the software.
        appraisal: version of the policy that graded the chips.
        cannot_see: what none of it can see.
    """

    book: Book
    seen: Sequence[SeenChip]
    attested: Mapping[str, Attested]
    findings: Sequence[OpenFinding]
    tables: Tables
    log: LogHead | None
    known_at_ms: int
    code: str
    appraisal: str
    cannot_see: tuple[str, ...] = CANNOT_SEE


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which period is frozen, by whom, and what it stands beside.

    Attributes:
        frozen_by: who freezes it; empty of a draft that nobody keeps.
        reason: why it is frozen again, or restated.
        gap: days before it that belong to no period.
        before: digest and document of the period before.
        replaces: digest and document that this one takes the place of.
        closed: whether that one was closed: then this is a restatement.
        late: what came since.
    """

    site: str
    first_day: date
    last_day: date
    frozen_by: str = ""
    reason: str = ""
    gap: Gap | None = None
    before: tuple[str, PeriodDocument] | None = None
    replaces: tuple[str, PeriodDocument] | None = None
    closed: bool = False
    late: Sequence[LateEvent] = field(default_factory=tuple)


def compose(asked: Asked, known: Known) -> PeriodDocument:
    """Return the document of a period; the same arguments always give the same bytes.

    Raises:
        BookError: as :func:`chipledger_book.balance.reconcile`.
    """
    start, end = first_ms(asked.first_day), last_ms(asked.last_day)
    question = Question(as_of_ms=end, period_start_ms=start, known_at_ms=known.known_at_ms)
    balance = reconcile(known.book, known.seen, known.tables, question, site=asked.site)
    made = _document(asked, known, balance)
    if asked.replaces is None:
        return made
    found = differences(asked.replaces[1], made)
    return replace(made, differences=found, words=in_words(found))


def _document(asked: Asked, known: Known, balance: SiteReport) -> PeriodDocument:
    """Return the document, not yet held against the one that it takes the place of."""
    start, end = first_ms(asked.first_day), last_ms(asked.last_day)
    population = population_of(known.book, known.seen, known.tables, site=asked.site, as_of_ms=end)
    old = None if asked.replaces is None else asked.replaces[1]
    return PeriodDocument(
        site=known.book.site(asked.site, end),
        first_day=asked.first_day,
        last_day=asked.last_day,
        version=1 if old is None else old.version + 1,
        restatement=0 if old is None else old.restatement + int(asked.closed),
        replaces=None if asked.replaces is None else asked.replaces[0],
        reason=asked.reason,
        start_ms=start,
        as_of_ms=end,
        known_at_ms=known.known_at_ms,
        frozen_by=asked.frozen_by,
        code=known.code,
        appraisal=known.appraisal,
        tables=versions_of(known.tables),
        balance=balance,
        units=units_of(population, known.attested),
        movements=movements_of(
            known.book,
            known.tables,
            site=asked.site,
            start_ms=start,
            as_of_ms=end,
            one_sided=balance.one_sided,
        ),
        findings=tuple(sorted(known.findings, key=lambda one: (one.opened_ms, one.id))),
        before=_before(asked, balance.rows),
        gap=asked.gap,
        late=tuple(sorted(asked.late, key=lambda one: (one.occurred_ms, one.event))),
        differences=(),
        words=(),
        log=known.log,
        cannot_see=known.cannot_see,
    )


def versions_of(tables: Tables) -> tuple[TableVersion, ...]:
    """Return the versions of every table of a document, the calendars' too."""
    versions = tables.versions()
    if tables.calendars is None:
        return versions
    own = version_of(tables.calendars)
    return versions if own in versions else (*versions, own)


def _before(asked: Asked, rows: Iterable[BalanceRow]) -> Before | None:
    if asked.before is None:
        return None
    digest, document = asked.before
    return Before(
        first_day=document.first_day,
        last_day=document.last_day,
        version=document.version,
        digest=digest,
        differs=opening_differences(document, rows),
    )
