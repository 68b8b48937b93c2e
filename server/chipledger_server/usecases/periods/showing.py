"""Periods as readers are shown them: where each stands, what blocks it, what came late."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from chipledger_book.calendars import Done, Due, Happened, due_reports
from chipledger_book.ledger import Book
from chipledger_book.movements import LostOrStolen, Unstored
from chipledger_book.notices import lpp_notices
from chipledger_book.periods.course import (
    Course,
    Frozen,
    Stage,
    course_of,
    newest_of,
)
from chipledger_book.periods.document import Difference, LateEvent, PeriodDocument
from chipledger_book.stock import ALWAYS
from chipledger_book.terms import day_of
from chipledger_server.usecases.periods.closing import body_of, unknown_period
from chipledger_server.usecases.periods.known import Family
from chipledger_server.usecases.periods.store import PeriodDesk
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.views import Answer

_HALF_YEAR = 6


class SignatureView(Answer, frozen=True, kw_only=True):
    """One side's word on a document.

    Attributes:
        strength: `session` is an entry by an account, never called signed.
        event: the sign-off in the ledger.
    """

    role: str
    principal: str
    strength: str
    at_ms: int
    event: str


class DocumentView(Answer, frozen=True, kw_only=True):
    """One version of a period's document.

    Attributes:
        stage: `frozen`, `signed` or `closed`.
        superseded: whether a newer version took its place.
    """

    version: int
    restatement: int
    digest: str
    replaces: str | None
    known_at_ms: int
    frozen_by: str
    stage: str
    superseded: bool
    signatures: tuple[SignatureView, ...]


class PeriodView(Answer, frozen=True, kw_only=True):
    """One period of a site.

    Attributes:
        name: ``2026-01-01..2026-06-30``.
        stage: of its newest document.
        waits_for: whose signature is next, or null.
        blocks: what keeps it from being closed, or from standing as it is, in sentences.
        late: events that were recorded since and bear on it.
        restate: whether a closed period has to be restated.
        documents: every version, newest first.
    """

    site: str
    name: str
    first_day: date
    last_day: date
    stage: str
    waits_for: str | None
    blocks: tuple[str, ...]
    late: tuple[LateEvent, ...]
    restate: bool
    documents: tuple[DocumentView, ...]


class PeriodsPage(Answer, frozen=True, kw_only=True):
    """The periods of a site, newest first, and the days that could be frozen next."""

    items: tuple[PeriodView, ...]
    next_first_day: date | None
    next_last_day: date | None


class PeriodDetail(Answer, frozen=True, kw_only=True):
    """One period, and what its newest document says.

    Attributes:
        physical: verdict at the end of the period.
        authorisation: the other verdict; never merged.
        units: chips in the list, by state.
        findings: how many are listed.
        differences: from the document that the newest one took the place of.
        words: the same in sentences.
        log_size: entries of the log at the freeze.
        log_root: its root.
    """

    period: PeriodView
    physical: str
    authorisation: str
    units: dict[str, int]
    findings: int
    differences: tuple[Difference, ...]
    words: tuple[str, ...]
    reason: str
    opening_differs: tuple[Difference, ...]
    log_size: int
    log_root: str
    log_what: str


class DueView(Answer, frozen=True, kw_only=True):
    """One report that is due, was, or will be."""

    site: str
    duty: str
    title: str
    report: str
    who: str
    to: str
    basis: str
    status: str
    source: str
    first_day: date
    last_day: date
    due_on: date
    done_on: date | None
    state: str
    was_late: bool
    event: str


class DuePage(Answer, frozen=True, kw_only=True):
    """What is due of the sites a reader may see, by due day."""

    items: tuple[DueView, ...]
    calendar: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The periods of one site at one moment.

    Attributes:
        frozen: every document of the site.
        family: what is known of it.
    """

    frozen: Sequence[Frozen]
    family: Family
    desk: PeriodDesk

    @property
    def book(self) -> Book:
        """The book of the site's family."""
        return self.family.book


def shelf_of(look: Look, site: str, desk: PeriodDesk) -> Shelf:
    """Return the periods of a site, as known at the time of a look.

    Raises:
        BookError: `unknown-site`.
    """
    family = Family(
        snapshot=look.snapshot,
        site=site,
        known_at_ms=look.when.known_at_ms,
        measure=look.measure,
        code=desk.code,
    )
    family.book.site(site, look.when.as_of_ms)
    frozen = [one for one in desk.store.frozen(site) if one.known_at_ms <= look.when.known_at_ms]
    return Shelf(frozen=frozen, family=family, desk=desk)


def periods_of(shelf: Shelf, site: str, *, now_ms: int) -> PeriodsPage:
    """Return every period of a site, newest first."""
    newest = newest_of(shelf.frozen)
    items = [_period(shelf, one) for one in newest.values()]
    items.sort(key=lambda one: one.first_day, reverse=True)
    following = next_span(shelf, site, now_ms=now_ms)
    return PeriodsPage(
        items=tuple(items),
        next_first_day=None if following is None else following[0],
        next_last_day=None if following is None else following[1],
    )


def next_span(shelf: Shelf, site: str, *, now_ms: int) -> tuple[date, date] | None:
    """Return the half-year that could be frozen next; None while it is not over."""
    ends = [one.last_day for one in shelf.frozen]
    if ends:
        first = max(ends) + timedelta(days=1)
    else:
        began = began_on(shelf.book, site)
        first = began.replace(month=1 if began.month <= _HALF_YEAR else _HALF_YEAR + 1, day=1)
    last = date(first.year, 6, 30) if first.month <= _HALF_YEAR else date(first.year, 12, 31)
    return (first, last) if last < day_of(now_ms) else None


def began_on(book: Book, site: str) -> date:
    """Return the first day on which there is anything to say of a site."""
    declared, received = book.declarations(site), book.receipts(site, ALWAYS)
    return min(day_of(one[0].event.occurred_at_ms) for one in (declared, received) if one)


def parse_period(name: str) -> tuple[date, date]:
    """Return the days of a period's name.

    Raises:
        Refusal: `invalid-parameter`.
    """
    first, _, last = name.partition("..")
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"{name!r} is no period",
            hint="write its first and last day: 2026-01-01..2026-06-30",
        ) from error


def period_name(first: date, last: date) -> str:
    """Return the name of a period."""
    return f"{first}..{last}"


def one_period(shelf: Shelf, name: str) -> PeriodDetail:
    """Return one period and what its newest document says.

    Raises:
        Refusal: `unknown-period` or `invalid-parameter`.
    """
    newest = newest_of(shelf.frozen).get(parse_period(name))
    if newest is None:
        raise unknown_period(name)
    return _detail(_period(shelf, newest), body_of(newest.digest, shelf.desk))


def _detail(period: PeriodView, document: PeriodDocument) -> PeriodDetail:
    units: dict[str, int] = {}
    for unit in document.units:
        state = unit.state if unit.booked else f"{unit.state}, off the book"
        units[state] = units.get(state, 0) + unit.chips
    log = document.log
    return PeriodDetail(
        period=period,
        physical=str(document.balance.physical),
        authorisation=str(document.balance.authorisation),
        units=units,
        findings=len(document.findings),
        differences=document.differences,
        words=document.words,
        reason=document.reason,
        opening_differs=() if document.before is None else document.before.differs,
        log_size=0 if log is None else log.size,
        log_root="" if log is None else log.root,
        log_what="" if log is None else log.what,
    )


def _period(shelf: Shelf, newest: Frozen) -> PeriodView:
    versions = [one for one in shelf.frozen if one.days == newest.days]
    courses = {one.digest: course_of(one, shelf.book) for one in versions}
    course = courses[newest.digest]
    late = shelf.family.late(
        shelf.desk.store.entered_since(newest.digest), site=newest.site, last_day=newest.last_day
    )
    closed = course.stage is Stage.CLOSED
    return PeriodView(
        site=newest.site,
        name=period_name(*newest.days),
        first_day=newest.first_day,
        last_day=newest.last_day,
        stage=str(course.stage),
        waits_for=course.waits_for,
        blocks=tuple(_blocks(course, late=len(late))),
        late=late,
        restate=closed and bool(late),
        documents=tuple(
            _document(one, courses[one.digest], superseded=one.digest != newest.digest)
            for one in sorted(versions, key=lambda one: -one.version)
        ),
    )


def _blocks(course: Course, *, late: int) -> list[str]:
    found = []
    events = "1 event that bears" if late == 1 else f"{late} events that bear"
    if late and course.stage is Stage.CLOSED:
        found.append(f"{events} on it came after it was closed: it has to be restated.")
    elif late:
        found.append(
            f"{events} on it came after it was frozen: freeze it again before it is signed."
        )
    if course.waits_for == "operator":
        found.append("An operator of the site has not signed.")
    if course.waits_for == "auditor":
        found.append("An auditor, another person than the operator, has not signed.")
    return found


def _document(one: Frozen, course: Course, *, superseded: bool) -> DocumentView:
    return DocumentView(
        version=one.version,
        restatement=one.restatement,
        digest=one.digest,
        replaces=one.replaces,
        known_at_ms=one.known_at_ms,
        frozen_by=one.frozen_by,
        stage=str(course.stage),
        superseded=superseded,
        signatures=tuple(
            SignatureView(
                role=signed.role,
                principal=signed.principal,
                strength=signed.strength,
                at_ms=signed.at_ms,
                event=signed.event,
            )
            for signed in (course.operator, course.auditor)
            if signed is not None
        ),
    )


def due_of(shelf: Shelf, site: str, *, on_day: date, as_of_ms: int) -> list[DueView]:
    """Return what is due of a site on a day."""
    calendars = shelf.family.measure.tables.calendars
    if calendars is None:
        return []
    book = shelf.book
    consignee = book.site(site, as_of_ms).consignee.id
    began = began_on(book, site)
    found = due_reports(
        calendars,
        on_day,
        since=began,
        licences=[one for one in book.licences() if one.covers(site, consignee)],
        done=_done(shelf),
        happened=[*_incidents(book, site, as_of_ms), *_lpp(shelf, site, as_of_ms)],
    )
    return [_due(one, site) for one in found]


def _incidents(book: Book, site: str, as_of_ms: int) -> Iterator[Happened]:
    """Yield what was stated to be lost or stolen, and seals found broken or missing."""
    stated = [
        (one.id, one.event.occurred_at_ms) for one in book.moves(site, LostOrStolen, as_of_ms)
    ]
    stated += [
        (one.id, one.event.occurred_at_ms)
        for one in book.moves(site, Unstored, as_of_ms)
        if one.event.seal_found != "intact"
    ]
    for event, at_ms in stated:
        yield Happened(trigger="incident", day=day_of(at_ms), event=event)


def _lpp(shelf: Shelf, site: str, as_of_ms: int) -> Sequence[Happened]:
    parent = shelf.book.site(site, as_of_ms).ultimate_parent.id
    sites = shelf.family.sites_of(parent, as_of_ms)
    tables = shelf.family.measure.tables
    return lpp_notices(shelf.book, tables, sites, site=site, as_of_ms=as_of_ms)


def _done(shelf: Shelf) -> list[Done]:
    found = []
    for one in newest_of(shelf.frozen).values():
        course = course_of(one, shelf.book)
        if course.auditor is not None:
            found.append(
                Done(
                    first_day=one.first_day,
                    last_day=one.last_day,
                    closed_on=day_of(course.auditor.at_ms),
                )
            )
    return found


def _due(one: Due, site: str) -> DueView:
    return DueView(
        site=site,
        duty=one.duty.duty,
        title=one.duty.title,
        report=one.duty.report,
        who=str(one.duty.who),
        to=one.duty.to,
        basis=one.basis,
        status=str(one.duty.status),
        source=one.duty.source,
        first_day=one.first_day,
        last_day=one.last_day,
        due_on=one.due_on,
        done_on=one.done_on,
        state=one.state,
        was_late=one.was_late,
        event=one.event,
    )
