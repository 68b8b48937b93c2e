"""Timers as dated data, and the time that they measure."""

from datetime import date

import pytest
from msgspec.structs import replace

from chipledger_book import shipped
from chipledger_book.errors import BookError, Code
from chipledger_book.terms import Force, Severity
from chipledger_book.timers import (
    DAY_MS,
    SeverityRow,
    Threshold,
    ThresholdRow,
    Timer,
    TimerRow,
    Timers,
    check_timers,
)
from chipledger_book.watch.times import Clock, quarter_ms, quarter_of
from chipledger_testing.book import ms

TABLE = shipped.timers()
DAY = date(2026, 6, 1)


def timer(**more: object) -> TimerRow:
    """Return a row of the receipt timer."""
    base = {"source": "test", "status": Force.PROPOSED, "valid_from": date(2026, 1, 1)}
    return TimerRow(timer=Timer.RECEIPT, **{**base, **more})  # type: ignore[arg-type]


def table(*rows: TimerRow) -> Timers:
    """Return the shipped table with other timers."""
    return replace(TABLE, timers=rows)


@pytest.mark.parametrize("limits", [{}, {"days": 1, "hours": 2}])
def test_a_timer_has_one_limit(limits: dict[str, int]) -> None:
    """None, or two that contradict each other, are refused."""
    with pytest.raises(BookError) as refused:
        check_timers(table(timer(**limits)))
    assert refused.value.code is Code.MALFORMED_TABLE


def test_two_rows_of_one_timer_do_not_share_a_day() -> None:
    """The last day of the older is a day of it alone."""
    old = timer(days=1, valid_to=date(2026, 6, 1))
    with pytest.raises(BookError) as refused:
        check_timers(table(old, timer(days=2, valid_from=date(2026, 6, 1))))
    assert refused.value.code is Code.TABLE_DATES_OVERLAP
    follows = check_timers(table(old, timer(days=2, valid_from=date(2026, 6, 2))))
    assert [follows.limit(Timer.RECEIPT, day) for day in (DAY, date(2026, 6, 2))] == [
        *follows.timers
    ]


def test_rows_of_thresholds_and_severities_are_dated_too() -> None:
    """The same rule for each part of the table."""
    number = ThresholdRow(
        threshold=Threshold.RMA_RATE,
        amount=1,
        source="test",
        status=Force.PROPOSED,
        valid_from=DAY,
    )
    weight = SeverityRow(
        finding="missing",
        severity=Severity.LOW,
        from_tpp=0,
        source="test",
        status=Force.PROPOSED,
        valid_from=DAY,
    )
    for twice in (
        replace(TABLE, thresholds=(number, number)),
        replace(TABLE, severities=(weight, weight)),
    ):
        with pytest.raises(BookError) as refused:
            check_timers(twice)
        assert refused.value.code is Code.TABLE_DATES_OVERLAP


def test_a_day_without_a_row_waits_for_nothing() -> None:
    """A rule that did not hold yet makes nobody late."""
    assert TABLE.limit(Timer.RECEIPT, date(2020, 1, 1)) is None
    assert TABLE.amount(Threshold.RMA_RATE, date(2020, 1, 1)) is None


def test_a_severity_holds_from_its_effect_on_inclusive() -> None:
    """And a kind that the table does not know is high until it does."""
    assert TABLE.severity("missing", 0, DAY) is Severity.LOW
    assert TABLE.severity("missing", 999_999, DAY) is Severity.HIGH
    assert TABLE.severity("missing", 1_000_000, DAY) is Severity.CRITICAL
    assert TABLE.severity("something-new", 0, DAY) is Severity.HIGH


@pytest.mark.parametrize(
    ("began", "due"),
    [
        (ms(2026, 4, 6), ms(2026, 4, 9)),  # Monday
        (ms(2026, 4, 9, 15), ms(2026, 4, 14, 15)),  # Thursday
        (ms(2026, 4, 11), ms(2026, 4, 15)),  # Saturday
    ],
)
def test_business_days_are_monday_to_friday(began: int, due: int) -> None:
    """Three of them, to the same time of day."""
    assert Clock(()).due_ms(began, timer(business_days=3)) == due


def test_downtime_is_left_out_wherever_it_lies() -> None:
    """Before, across the beginning, inside, overlapping, across the end, and after."""
    since, day = ms(2026, 4, 10), DAY_MS
    row = timer(days=10)

    def due(*down: tuple[int, int]) -> int:
        return (Clock(down).due_ms(since, row) - since) // day

    assert due((since - 5 * day, since - 2 * day)) == 10
    assert due((since - 5 * day, since + 2 * day)) == 12
    assert due((since + day, since + 3 * day), (since + 2 * day, since + 4 * day)) == 13
    assert due((since + 9 * day, since + 20 * day)) == 21
    assert due((since + 10 * day, since + 20 * day)) == 10
    assert due((since + 9 * day, since + 10 * day), (since + 10 * day, since + 12 * day)) == 13


def test_a_quarter_ends_where_the_next_begins() -> None:
    """Calendar quarters, UTC."""
    assert quarter_ms((2026, 4)) == (ms(2026, 10), ms(2027))
    assert quarter_of(ms(2027) - 1) == (2026, 4)
    assert quarter_of(ms(2027)) == (2027, 1)
