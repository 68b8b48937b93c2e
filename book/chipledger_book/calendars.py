"""Which report is due when, as dated data: no day of any calendar stands in code.

A duty is due on a day of the year and covers a span of days, or it is due some days after
something happened. The same table holds the shares that a group's report is held against.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Literal

import msgspec

from chipledger_book.errors import Code, refuse
from chipledger_book.licences import Licence, LicenceType
from chipledger_book.statements import Role
from chipledger_book.tables import Table, in_force_on, overlap
from chipledger_book.terms import Country, Force, Name, Record, Text

Trigger = Literal["incident", "lpp-receipt", "lpp-exhausted"]
Incident = Literal["theft", "loss", "tampering", "wrong place"]
_DAYS_OF_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class MonthDay(Record, frozen=True, kw_only=True):
    """A day that every year has."""

    month: Annotated[int, msgspec.Meta(ge=1, le=12)]
    day: Annotated[int, msgspec.Meta(ge=1, le=31)]

    def of(self, year: int) -> date:
        """Return the day in a year."""
        return date(year, self.month, self.day)


class Yearly(Record, frozen=True, kw_only=True, tag_field="kind", tag="yearly"):
    """Due on one day of every year.

    Attributes:
        due: the day, inclusive.
        first: first day that is covered.
        last: last day that is covered, always before `due`.
        years_back: how many years before the due day the covered span ends.
    """

    due: MonthDay
    first: MonthDay
    last: MonthDay
    years_back: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0


class After(Record, frozen=True, kw_only=True, tag_field="kind", tag="after"):
    """Due some days after something happened; 0: on that day."""

    trigger: Trigger
    days: Annotated[int, msgspec.Meta(ge=0, le=3660)]


class Duty(Record, frozen=True, kw_only=True):
    """One report that somebody owes.

    Attributes:
        duty: its name.
        title: what it is, for people.
        report: the shape of report that serves it.
        who: who owes it.
        to: who gets it.
        licence_types: authorisations that bring the duty; without one of them it is usual here,
            not required by anything that is entered.
        when: when it is due.
        status: legal status.
        source: where the duty stands.
    """

    duty: Name
    title: Text
    report: Name
    who: Role
    to: Text
    licence_types: tuple[LicenceType, ...]
    when: Yearly | After
    status: Force
    source: Text
    valid_from: date
    valid_to: date | None = None


class ShareLimit(Record, frozen=True, kw_only=True):
    """How much of a group's TPP may be in some countries.

    Attributes:
        share: its name.
        licence_type: the authorisation that brings it.
        of: those countries together, or each of them.
        inside_lists: country lists that are not counted.
        inside: countries that are not counted.
        headquarters: only for groups with headquarters in these; empty: for all.
        most_ppm: the share in millionths, inclusive.
    """

    share: Name
    licence_type: LicenceType
    of: Literal["together", "each"]
    most_ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    status: Force
    source: Text
    valid_from: date
    inside_lists: tuple[Name, ...] = ()
    inside: tuple[Country, ...] = ()
    headquarters: tuple[Country, ...] = ()
    valid_to: date | None = None


class FindingClass(Record, frozen=True, kw_only=True):
    """Which class of incident a type of finding may be.

    Attributes:
        finding: type of finding.
        incident: the class.
        status: legal status: no rule names types of findings, so what ships is a proposal.
        source: where the class stands, and who put the type there.
    """

    finding: Name
    incident: Incident
    status: Force
    source: Text
    valid_from: date
    valid_to: date | None = None


class Calendars(Table, frozen=True, kw_only=True):
    """The reporting calendars of one regime.

    Attributes:
        duties: which report is due when.
        shares: what a group's report is held against.
        incidents: findings that an incident notice names, and the class each may be; a version
            without rows is of before they stood here, and its notices name no findings.
    """

    duties: tuple[Duty, ...]
    shares: tuple[ShareLimit, ...] = ()
    incidents: tuple[FindingClass, ...] = ()

    def incident_of(self, finding: str, day: date) -> Incident | None:
        """Return the class of incident that a type of finding may be on a day, if any."""
        for row in self.incidents:
            if row.finding == finding and in_force_on(day, row.valid_from, row.valid_to):
                return row.incident
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A span of days of which a site's period is closed."""

    first_day: date
    last_day: date
    closed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that brings a notice: its day, and the event that says so."""

    trigger: Trigger
    day: date
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A report that is due, was due, or will be.

    Attributes:
        duty: which duty.
        basis: number of the authorisation that brings it; empty where it is only usual here.
        first_day: first day that it covers.
        last_day: last day that it covers.
        due_on: last day on which it is in time.
        event: the event that brought it, of a notice.
        done_on: when all of the span was closed; None while it is not, and of every notice,
            because what was sent to whom is not known here.
        state: `done` in time or late, `late`, `due` (the span is over), or `coming`.
    """

    duty: Duty
    basis: str
    first_day: date
    last_day: date
    due_on: date
    event: str
    done_on: date | None
    state: Literal["done", "late", "due", "coming"]

    @property
    def was_late(self) -> bool:
        """Tell whether it is late, or was when it was done."""
        done_late = self.done_on is not None and self.done_on > self.due_on
        return self.state == "late" or done_late


def check_calendars(table: Calendars) -> Calendars:
    """Return the calendars, once their days exist and no duty has two rows on one day.

    Raises:
        BookError: `malformed-table` or `table-dates-overlap`.
    """
    for position, duty in enumerate(table.duties):
        if isinstance(duty.when, Yearly):
            _check_span(duty.when, position)
        for other in table.duties[:position]:
            if (
                other.duty == duty.duty
                and other.when == duty.when
                and overlap((duty.valid_from, duty.valid_to), (other.valid_from, other.valid_to))
            ):
                raise refuse(
                    Code.TABLE_DATES_OVERLAP,
                    f"two rows of the duty {duty.duty} are valid on the same day",
                    where=f"duties[{position}]",
                    hint="end the older row the day before the newer starts",
                )
    for position, row in enumerate(table.incidents):
        for before in table.incidents[:position]:
            if row.finding == before.finding and overlap(
                (before.valid_from, before.valid_to), (row.valid_from, row.valid_to)
            ):
                raise refuse(
                    Code.TABLE_DATES_OVERLAP,
                    f"two rows of the finding {row.finding} are valid on the same day",
                    where=f"incidents[{position}]",
                    hint="end the older row the day before the newer starts",
                )
    return table


def _check_span(when: Yearly, position: int) -> None:
    for name in ("due", "first", "last"):
        day: MonthDay = getattr(when, name)
        if day.day > _DAYS_OF_MONTH[day.month - 1]:
            raise refuse(
                Code.MALFORMED_TABLE,
                f"not every year has the day {day.month}-{day.day}",
                where=f"duties[{position}].when.{name}",
                hint="give a day that every year has",
            )
    if _span(when, 2025)[1] >= when.due.of(2025):
        raise refuse(
            Code.MALFORMED_TABLE,
            "a report is due before the days that it covers are over",
            where=f"duties[{position}].when",
            hint="give a due day after the last one covered, or years_back",
        )


def _span(when: Yearly, due_year: int) -> tuple[date, date]:
    """Return first and last day covered by what is due in a year."""
    last = when.last.of(due_year - when.years_back)
    first = when.first.of(last.year)
    return (first if first <= last else when.first.of(last.year - 1)), last


def due_reports(
    calendars: Calendars,
    on_day: date,
    *,
    since: date,
    licences: Iterable[Licence] = (),
    done: Iterable[Done] = (),
    happened: Iterable[Happened] = (),
) -> tuple[Due, ...]:
    """Return what is due of a site, late or to come, by due day.

    Args:
        calendars: the table.
        on_day: the day that is asked for.
        since: since when there is anything to report; spans that end before are left out.
        licences: those that cover the site.
        done: closed periods.
        happened: what brings a notice.
    """
    granted, closed = tuple(licences), tuple(done)
    found: list[Due] = []
    for duty in calendars.duties:
        if isinstance(duty.when, Yearly):
            found += _yearly(duty, duty.when, on_day, since=since, licences=granted, done=closed)
    events = tuple(happened)
    for duty in calendars.duties:
        if isinstance(duty.when, After):
            found += _after(duty, duty.when, on_day, licences=granted, happened=events)
    return tuple(sorted(found, key=lambda due: (due.due_on, due.duty.duty, due.event)))


def _yearly(
    duty: Duty,
    when: Yearly,
    on_day: date,
    *,
    since: date,
    licences: Sequence[Licence],
    done: Sequence[Done],
) -> Iterator[Due]:
    """Yield what is due of a yearly duty, up to the next one to come."""
    for year in range(since.year, on_day.year + 2 + when.years_back):
        due_on = when.due.of(year)
        first, last = _span(when, year)
        if last < since or not in_force_on(due_on, duty.valid_from, duty.valid_to):
            continue
        done_on = closed_on(first, last, done, since=since)
        yield Due(
            duty=duty,
            basis=_basis(duty, licences, first, last),
            first_day=first,
            last_day=last,
            due_on=due_on,
            event="",
            done_on=done_on,
            state=_state(on_day, last, due_on, done=done_on is not None),
        )
        if last >= on_day:
            return


def _after(
    duty: Duty,
    when: After,
    on_day: date,
    *,
    licences: Sequence[Licence],
    happened: Sequence[Happened],
) -> Iterator[Due]:
    for one in happened:
        if one.trigger != when.trigger or one.day > on_day:
            continue
        if in_force_on(one.day, duty.valid_from, duty.valid_to):
            due_on = one.day + timedelta(days=when.days)
            yield Due(
                duty=duty,
                basis=_basis(duty, licences, one.day, one.day),
                first_day=one.day,
                last_day=one.day,
                due_on=due_on,
                event=one.event,
                done_on=None,
                state="due" if on_day <= due_on else "late",
            )


def _state(
    on_day: date, last: date, due_on: date, *, done: bool
) -> Literal["done", "late", "due", "coming"]:
    if done:
        return "done"
    if on_day > due_on:
        return "late"
    return "due" if on_day > last else "coming"


def _basis(duty: Duty, licences: Iterable[Licence], first: date, last: date) -> str:
    """Return issuer and number of what brings a duty in a span of days, or nothing."""
    named = sorted(
        f"{licence.issuer} {licence.number}"
        for licence in licences
        if licence.type in duty.licence_types
        and overlap((first, last), (licence.valid_from, licence.valid_to))
    )
    return ", ".join(named)


def closed_on(first: date, last: date, done: Iterable[Done], *, since: date) -> date | None:
    """Return when the last of the days from first to last was closed; None while one is open.

    Days before `since` need not be closed: there was nothing to report.
    """
    missing = max(first, since)
    latest: date | None = None
    for span in sorted(done, key=lambda one: one.first_day):
        if span.first_day <= missing <= span.last_day:
            latest = span.closed_on if latest is None else max(latest, span.closed_on)
            if span.last_day >= last:
                return latest
            missing = span.last_day + timedelta(days=1)
    return None
