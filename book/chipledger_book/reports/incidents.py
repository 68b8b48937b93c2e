"""Incident notice: what was lost, stolen or tampered with, and what is at a wrong place."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Literal

from chipledger_book.calendars import After, Calendars
from chipledger_book.calendars import Incident as Class
from chipledger_book.periods.document import Movement, OpenFinding, PeriodDocument
from chipledger_book.report import View
from chipledger_book.reports.header import Header, Source, Titled, header_of
from chipledger_book.reports.in_out import known_by
from chipledger_book.reports.sheets import Sheet, columns, day, listed, moment
from chipledger_book.tables import in_force_on
from chipledger_book.terms import day_of

TITLED: Final = Titled(
    report="incident-notice",
    title="Incident notice",
    model="supplement no. 10 to part 748, paragraph 16: theft, loss or tampering",
)


class Incident(View, frozen=True, kw_only=True):
    """One incident, or what may be one.

    Attributes:
        kind: which class.
        known_ms: when it happened, or when it was found.
        due_day: last day on which a notice of it is in time; null without a calendar for it.
        basis: `event`: somebody stated it; `finding`: the collector found signs of it, which may
            have an innocent reason.
        subject: id of the event or finding.
        known_by: on whose word it stands, or that it is a finding.
    """

    kind: Class
    basis: Literal["event", "finding"]
    known_ms: int
    due_day: str | None
    words: str
    pieces: dict[str, int]
    tpp: int
    state: str
    known_by: str
    subject: str


class IncidentNotice(View, frozen=True, kw_only=True):
    """The report."""

    header: Header
    incidents: tuple[Incident, ...]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return its tables."""
        return (_sheet(self),)


def incident_notice(source: Source, calendars: Calendars | None, *, made_by: str) -> IncidentNotice:
    """Return what of a period may have to be told."""
    document = source.document
    found = [*_stated(document, calendars), *_found(document, calendars)]
    return IncidentNotice(
        header=header_of(
            TITLED,
            [source],
            population=f"events of {document.site.id} in the period, and findings opened in it or "
            f"open at its end: {len(document.movements)} events, {len(document.findings)} findings",
            made_by=made_by,
        ),
        incidents=tuple(sorted(found, key=lambda one: (one.known_ms, one.subject))),
    )


def _stated(document: PeriodDocument, calendars: Calendars | None) -> Iterator[Incident]:
    each = {row.sku: row.tpp_each for row in document.balance.rows}
    for one in document.movements:
        kind = _class_of(one)
        if kind is None:
            continue
        yield Incident(
            kind=kind,
            basis="event",
            known_ms=one.occurred_ms,
            due_day=due_day(one.occurred_ms, calendars),
            words=_words(one),
            pieces=one.pieces,
            tpp=sum(pieces * each.get(sku, 0) for sku, pieces in one.pieces.items()),
            state="stated",
            known_by=known_by(None, one.strength),
            subject=one.event,
        )


def _class_of(one: Movement) -> Class | None:
    if one.type == "lost-or-stolen":
        return "theft" if one.how == "stolen" else "loss"
    if one.type == "unstored" and one.how in {"broken", "missing"}:
        return "tampering"
    return None


def _words(one: Movement) -> str:
    if one.type == "unstored":
        return f"A seal was found {one.how}."
    return f"{listed(one.pieces.items())}: said to be {one.how}."


def _found(document: PeriodDocument, calendars: Calendars | None) -> Iterator[Incident]:
    for one in document.findings:
        kind = None if calendars is None else calendars.incident_of(one.type, day_of(one.opened_ms))
        if kind is not None:
            yield _finding(one, kind, calendars)


def _finding(one: OpenFinding, kind: Class, calendars: Calendars | None) -> Incident:
    return Incident(
        kind=kind,
        basis="finding",
        known_ms=one.opened_ms,
        due_day=due_day(one.opened_ms, calendars),
        words=one.words,
        pieces={},
        tpp=0,
        state=one.state,
        known_by=f"found by the collector ({one.type}, {one.severity}); may have another reason",
        subject=one.id,
    )


def due_day(at_ms: int, calendars: Calendars | None) -> str | None:
    """Return the last day on which a notice of what happened then is in time."""
    happened = day_of(at_ms)
    days = [
        duty.when.days
        for duty in (() if calendars is None else calendars.duties)
        if isinstance(duty.when, After)
        and duty.when.trigger == "incident"
        and in_force_on(happened, duty.valid_from, duty.valid_to)
    ]
    return str(happened + timedelta(days=min(days))) if days else None


def _sheet(report: IncidentNotice) -> Sheet:
    return Sheet(
        name="incidents",
        title="Incidents, and what may be one",
        columns=columns(
            ("kind", "Class"),
            ("basis", "Basis"),
            ("day", "Happened or found"),
            ("at", "Time"),
            ("due", "Notice due by"),
            ("words", "What"),
            ("pieces", "Chips"),
            ("tpp", "TPP"),
            ("state", "State"),
            ("known_by", "How it is known"),
            ("subject", "Event or finding"),
        ),
        rows=tuple(
            (
                *(one.kind, one.basis, day(one.known_ms), moment(one.known_ms), one.due_day),
                *(one.words, listed(one.pieces.items()), one.tpp, one.state, one.known_by),
                one.subject,
            )
            for one in report.incidents
        ),
        note="Events are somebody's statement. Findings are signs that the collector found; each "
        "may have an innocent reason and is no notice by itself. Which types of findings are named "
        "is a table of calendars: without rows there, none is. What was sent to an authority is "
        "not known here.",
    )
