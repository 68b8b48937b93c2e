"""TPP statement of a consignee: what it received in a calendar year against the exception's limit.

The use is read from the balance itself, asked for at the end of each month and, between two
ends, by halving: so it is the same arithmetic as the verdicts, counted on what arrived.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from chipledger_book.balance import Question, reconcile
from chipledger_book.catalogue import Catalogue
from chipledger_book.events import Received
from chipledger_book.inventory import items_of
from chipledger_book.ledger import Book, Booked
from chipledger_book.movements import RmaIn, TransferIn
from chipledger_book.periods.document import first_ms, last_ms
from chipledger_book.report import CeilingUse, View
from chipledger_book.reports.header import Header, Source, Titled, header_of
from chipledger_book.reports.sheets import Sheet, columns, listed
from chipledger_book.rules import Tables
from chipledger_book.terms import EventId, day_of
from chipledger_book.timers import DAY_MS

TITLED: Final = Titled(
    report="consignee-tpp",
    title="TPP statement of the consignee",
    model="15 CFR 740.29(f)-(h): TPP received in the calendar year by the ultimate consignee",
)

Came = Received | TransferIn | RmaIn
"""Events by which chips arrive."""


class MonthUse(View, frozen=True, kw_only=True):
    """What was used of a ceiling at the end of a month, or at the end of the period in it."""

    day: date
    used_tpp: int
    left_tpp: int


class CeilingStatement(View, frozen=True, kw_only=True):
    """One ceiling in one calendar year.

    Attributes:
        used_tpp: counted on what arrived, up to the end of the period.
        left_tpp: below zero is the excess.
        used_with_seen_tpp: the same with chips that were seen beyond what arrived.
        exhausted_on: day of the receipt with which the limit was reached or passed, or null.
        exhausting: events of that day that the year's arrivals have.
    """

    ceiling: str
    subject: str
    year: str
    limit_tpp: int
    used_tpp: int
    left_tpp: int
    used_with_seen_tpp: int
    exhausted_on: date | None
    exhausting: tuple[str, ...]
    months: tuple[MonthUse, ...]


class Arrival(View, frozen=True, kw_only=True):
    """One arrival of the year at a facility of the parent."""

    day: date
    facility: str
    type: str
    other: str
    charged_to: tuple[str, str] | None
    pieces: dict[str, int]
    tpp: int
    event: str


class ConsigneeStatement(View, frozen=True, kw_only=True):
    """The report."""

    header: Header
    parent: str
    ceilings: tuple[CeilingStatement, ...]
    arrivals: tuple[Arrival, ...]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return its tables."""
        return _ceilings_sheet(self), _months_sheet(self), _arrivals_sheet(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Year:
    """The question at one parent and one year."""

    book: Book
    tables: Tables
    site: str
    parent: str
    year: int

    def uses(self, at_ms: int) -> dict[str, CeilingUse]:
        """Return the ceilings of the parent at a time, counted on what arrived."""
        report = reconcile(self.book, (), self.tables, Question(as_of_ms=at_ms), site=self.site)
        return {
            use.ceiling: use
            for use in report.ceilings
            if use.subject == self.parent and use.window == str(self.year)
        }


def consignee_statement(
    source: Source, book: Book, tables: Tables, sites: Sequence[str], *, made_by: str
) -> ConsigneeStatement:
    """Return the statement for the calendar year in which a period ends.

    Args:
        source: the document of one facility of the parent.
        book: folded for what was known when it was made.
        tables: what it was measured by.
        sites: the facilities of the parent.
        made_by: the software that makes the report.
    """
    document = source.document
    parent = document.site.ultimate_parent.id
    asked = _Year(
        book=book,
        tables=tables,
        site=document.site.id,
        parent=parent,
        year=document.last_day.year,
    )
    arrivals = tuple(_arrivals(asked, sites, document.as_of_ms))
    seen = {
        use.ceiling: use.used_tpp
        for use in document.balance.ceilings
        if use.subject == parent and use.window == str(asked.year)
    }
    return ConsigneeStatement(
        header=header_of(
            TITLED,
            [source],
            population=f"{len(arrivals)} arrivals of {asked.year} at {len(sites)} facilities of "
            f"{parent}",
            made_by=made_by,
            query={"parent": parent, "year": str(asked.year)},
        ),
        parent=parent,
        ceilings=tuple(_statements(asked, arrivals, seen, document.as_of_ms)),
        arrivals=arrivals,
    )


def _statements(
    asked: _Year, arrivals: Sequence[Arrival], seen: dict[str, int], as_of_ms: int
) -> Iterator[CeilingStatement]:
    ends = list(_ends(asked.year, as_of_ms))
    by_end = {end: asked.uses(end) for end in ends}
    for name, use in sorted(by_end[ends[-1]].items()):
        exhausted = _exhausted(asked, name, use.limit_tpp, by_end)
        yield CeilingStatement(
            ceiling=name,
            subject=use.subject,
            year=use.window,
            limit_tpp=use.limit_tpp,
            used_tpp=use.used_tpp,
            left_tpp=use.left_tpp,
            used_with_seen_tpp=seen.get(name, use.used_tpp),
            exhausted_on=exhausted,
            exhausting=tuple(one.event for one in arrivals if one.day == exhausted),
            months=tuple(
                MonthUse(day=day_of(end), used_tpp=used, left_tpp=use.limit_tpp - used)
                for end in ends
                for used in (by_end[end][name].used_tpp if name in by_end[end] else 0,)
            ),
        )


def _ends(year: int, as_of_ms: int) -> Iterator[int]:
    """Yield the last millisecond of each month of a year up to a time, which comes last."""
    starts = [date(year, month, 1) for month in range(2, 13)]
    for end in (first_ms(start) - 1 for start in starts):
        if end >= as_of_ms:
            break
        yield end
    yield as_of_ms


def _exhausted(
    asked: _Year,
    name: str,
    limit: int,
    by_end: dict[int, dict[str, CeilingUse]],
) -> date | None:
    """Return the first day at whose end the limit is reached or passed."""
    ends = sorted(by_end)

    def reached(uses: dict[str, CeilingUse]) -> bool:
        return name in uses and uses[name].used_tpp >= limit

    hit = next((end for end in ends if reached(by_end[end])), None)
    if hit is None:
        return None
    earlier = [end for end in ends if end < hit]
    start = earlier[-1] + 1 if earlier else first_ms(date(asked.year, 1, 1))
    first = start // DAY_MS
    last = hit // DAY_MS
    while first < last:
        middle = (first + last) // 2
        if reached(asked.uses(last_ms(day_of(middle * DAY_MS)))):
            last = middle
        else:
            first = middle + 1
    return day_of(first * DAY_MS)


def _arrivals(asked: _Year, sites: Sequence[str], as_of_ms: int) -> list[Arrival]:
    """Return what arrived in the year, by day."""
    start = first_ms(date(asked.year, 1, 1))
    found = [
        _arrival(entry.id, entry.event, site, asked.tables.catalogue)
        for site in sites
        for kind in (Received, TransferIn, RmaIn)
        for entry in _moves(asked.book, site, kind, as_of_ms)
        if entry.event.occurred_at_ms >= start
    ]
    return sorted(found, key=lambda one: (one.day, one.facility, one.event))


def _moves(book: Book, site: str, kind: type[Came], as_of_ms: int) -> tuple[Booked[Came], ...]:
    return book.moves(site, kind, as_of_ms)


def _arrival(key: EventId, event: Came, site: str, catalogue: Catalogue) -> Arrival:
    when = day_of(event.occurred_at_ms)
    items = items_of([Booked(id=key, event=event)], catalogue)
    pieces = {sku: sum(item.chips for item in items[sku]) for sku in sorted(items)}
    charged = None if isinstance(event, RmaIn) else event.charged_to
    return Arrival(
        day=when,
        facility=site,
        type=str(type(event).__struct_config__.tag),
        other=_other(event),
        charged_to=None if charged is None else (charged.issuer, charged.number),
        pieces=pieces,
        tpp=sum(count * catalogue.sku(sku, when).tpp for sku, count in pieces.items()),
        event=key,
    )


def _other(event: Came) -> str:
    if isinstance(event, Received):
        return event.shipper or ""
    return event.from_site if isinstance(event, TransferIn) else event.vendor


def _ceilings_sheet(report: ConsigneeStatement) -> Sheet:
    return Sheet(
        name="ceilings",
        title=f"Received by {report.parent} in the calendar year, in TPP",
        columns=columns(
            ("ceiling", "Exception"),
            ("year", "Year"),
            ("limit_tpp", "Limit"),
            ("used_tpp", "Received"),
            ("left_tpp", "Remaining"),
            ("used_with_seen_tpp", "With chips seen beyond the book"),
            ("exhausted_on", "Exhausted by the receipt of"),
            ("exhausting", "Receipts of that day"),
        ),
        rows=tuple(
            (
                *(one.ceiling, one.year, one.limit_tpp, one.used_tpp, one.left_tpp),
                one.used_with_seen_tpp,
                None if one.exhausted_on is None else str(one.exhausted_on),
                ", ".join(one.exhausting),
            )
            for one in report.ceilings
        ),
        note="Without a row, no facility of the parent claims such an exception in force. The "
        "limit is inclusive; remaining below zero is the excess.",
    )


def _months_sheet(report: ConsigneeStatement) -> Sheet:
    return Sheet(
        name="months",
        title="At the end of each month",
        columns=columns(
            ("ceiling", "Exception"), ("day", "Day"), ("used_tpp", "Received"), ("left_tpp", "Left")
        ),
        rows=tuple(
            (one.ceiling, str(month.day), month.used_tpp, month.left_tpp)
            for one in report.ceilings
            for month in one.months
        ),
    )


def _arrivals_sheet(report: ConsigneeStatement) -> Sheet:
    return Sheet(
        name="arrivals",
        title="Arrivals of the year at all facilities of the parent",
        columns=columns(
            ("day", "Day"),
            ("facility", "Facility"),
            ("type", "Kind"),
            ("other", "From"),
            ("charged_to", "Charged to"),
            ("pieces", "Chips"),
            ("tpp", "TPP"),
            ("event", "Event"),
        ),
        rows=tuple(
            (
                *(str(one.day), one.facility, one.type.replace("-", " "), one.other),
                "" if one.charged_to is None else " ".join(one.charged_to),
                *(listed(one.pieces.items()), one.tpp, one.event),
            )
            for one in report.arrivals
        ),
        note="Which of them count against the exception follows from the rules: not those under a "
        "licence, swaps of an RMA, transfers within the parent, and chips that the exception is "
        "not for.",
    )
