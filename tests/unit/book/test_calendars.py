"""Reporting calendars: dated data, and what they make due."""

from datetime import date

import pytest
from msgspec.structs import replace

from chipledger_book import shipped
from chipledger_book.calendars import (
    Done,
    Due,
    Happened,
    MonthDay,
    Yearly,
    check_calendars,
    due_reports,
)
from chipledger_book.errors import BookError
from chipledger_book.licences import Licence, LicenceType
from chipledger_testing.book import licence

SHIPPED = shipped.calendars()
START = date(2026, 1, 1)


def uveu() -> Licence:
    """Return an authorisation that brings both calendars."""
    return licence("U-1", kind=LicenceType.UVEU).licence


def due(name: str, found: tuple[Due, ...]) -> list[Due]:
    """Return what is due of one duty."""
    return [one for one in found if one.duty.duty == name]


def test_both_calendars_have_their_days() -> None:
    """Inventory is due on 15 July and 15 January, chip accounting on 1 August and 1 February."""
    found = due_reports(SHIPPED, date(2027, 3, 1), since=START)

    inventory = [
        (one.first_day, one.last_day, one.due_on) for one in due("veu-current-inventory", found)
    ]
    accounting = [one.due_on for one in due("veu-chip-accounting", found)]
    assert inventory[:2] == [
        (date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 15)),
        (date(2026, 7, 1), date(2026, 12, 31), date(2027, 1, 15)),
    ]
    assert accounting[:2] == [date(2026, 8, 1), date(2027, 2, 1)]


@pytest.mark.parametrize(
    ("day", "state"),
    [
        (date(2026, 6, 30), "coming"),
        (date(2026, 7, 1), "due"),
        (date(2026, 7, 15), "due"),
        (date(2026, 7, 16), "late"),
    ],
)
def test_a_report_is_late_the_day_after_it_was_due(day: date, state: str) -> None:
    """The due day itself is in time; before the span is over nothing can be due."""
    found = due("veu-current-inventory", due_reports(SHIPPED, day, since=START))

    assert found[0].state == state


def test_closed_periods_that_cover_the_span_do_it() -> None:
    """Two quarters are a half-year; a hole of one day leaves it undone."""
    quarters = (
        Done(first_day=START, last_day=date(2026, 3, 31), closed_on=date(2026, 4, 9)),
        Done(first_day=date(2026, 4, 1), last_day=date(2026, 6, 30), closed_on=date(2026, 7, 20)),
    )
    holed = (quarters[0], replace_first(quarters[1], date(2026, 4, 2)))
    day = date(2026, 7, 21)

    whole = due("veu-current-inventory", due_reports(SHIPPED, day, since=START, done=quarters))[0]
    hole = due("veu-current-inventory", due_reports(SHIPPED, day, since=START, done=holed))[0]

    assert (whole.state, whole.done_on, whole.was_late) == ("done", date(2026, 7, 20), True)
    assert hole.state == "late"


def replace_first(done: Done, first: date) -> Done:
    """Return a closed span that begins later."""
    return Done(first_day=first, last_day=done.last_day, closed_on=done.closed_on)


def test_days_before_the_site_need_not_be_closed() -> None:
    """A site that began in May owes what lies after."""
    since = date(2026, 5, 10)
    done = Done(first_day=since, last_day=date(2026, 6, 30), closed_on=date(2026, 7, 2))

    found = due_reports(SHIPPED, date(2026, 7, 3), since=since, done=[done])

    assert due("veu-current-inventory", found)[0].state == "done"


def test_an_authorisation_is_named_as_what_brings_the_duty() -> None:
    """Without one the shape is usual here, and not said to be required."""
    with_it = due_reports(SHIPPED, date(2026, 7, 3), since=START, licences=[uveu()])
    without = due_reports(SHIPPED, date(2026, 7, 3), since=START)

    assert due("veu-chip-accounting", with_it)[0].basis == "BIS U-1"
    assert due("veu-chip-accounting", without)[0].basis == ""


def test_a_notice_is_due_so_many_days_after_what_happened() -> None:
    """A theft of 1 March is told by 31 March; the exhausting receipt on its own day."""
    happened = (
        Happened(trigger="incident", day=date(2026, 3, 1), event="e1"),
        Happened(trigger="lpp-exhausted", day=date(2026, 3, 1), event="e2"),
    )

    found = due_reports(SHIPPED, date(2026, 3, 31), since=START, happened=happened)

    assert [(one.due_on, one.state) for one in due("incident", found)] == [
        (date(2026, 3, 31), "due")
    ]
    assert [one.state for one in due("lpp-limit-reached", found)] == ["late"]


def test_another_calendar_needs_no_code() -> None:
    """A table with another day makes another day due."""
    moved = Yearly(
        due=MonthDay(month=9, day=30),
        first=MonthDay(month=1, day=1),
        last=MonthDay(month=6, day=30),
    )
    table = check_calendars(replace(SHIPPED, duties=(replace(SHIPPED.duties[0], when=moved),)))

    assert due_reports(table, date(2026, 7, 1), since=START)[0].due_on == date(2026, 9, 30)


@pytest.mark.parametrize(
    "when",
    [
        Yearly(
            due=MonthDay(month=2, day=29),
            first=MonthDay(month=1, day=1),
            last=MonthDay(month=1, day=31),
        ),
        Yearly(
            due=MonthDay(month=1, day=15),
            first=MonthDay(month=1, day=1),
            last=MonthDay(month=6, day=30),
        ),
    ],
)
def test_a_calendar_with_an_impossible_day_is_refused(when: Yearly) -> None:
    """A day that not every year has, and a report due before its span is over."""
    with pytest.raises(BookError, match="malformed-table"):
        check_calendars(replace(SHIPPED, duties=(replace(SHIPPED.duties[0], when=when),)))
