"""Due times: limits added to a beginning, the collector's own downtime left out."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from chipledger_book.terms import day_of
from chipledger_book.timers import DAY_MS, HOUR_MS, TimerRow

_SATURDAY = 5
_MONTHS_OF_QUARTER = 3


class Clock:
    """Time as waits are measured by it: what the collector itself missed does not pass.

    Nobody can answer a collector that does not accept, so its downtime is no time of the one who
    has to.
    """

    def __init__(self, downtime: Iterable[tuple[int, int]]) -> None:
        merged: list[tuple[int, int]] = []
        for start, end in sorted(downtime):
            if end <= start:
                continue
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self._down = merged
        self._ends = [end for _, end in merged]

    def due_ms(self, since_ms: int, limit: TimerRow) -> int:
        """Return the last millisecond at which a step that began at a time is in time."""
        due = since_ms + plain_ms(since_ms, limit)
        for start, end in self._down[bisect_right(self._ends, since_ms) :]:
            if start >= due:
                break
            due += end - max(start, since_ms)
        return due


def plain_ms(since_ms: int, limit: TimerRow) -> int:
    """Return how long a limit is from a time on, in milliseconds, no downtime left out."""
    if limit.business_days is not None:
        return _business_ms(since_ms, limit.business_days)
    return (limit.days or 0) * DAY_MS + (limit.hours or 0) * HOUR_MS


def _business_ms(since_ms: int, days: int) -> int:
    """Return the length of a number of days from Monday to Friday, to the same time of day."""
    day, passed = day_of(since_ms), 0
    while days:
        day += timedelta(days=1)
        passed += 1
        days -= day.weekday() < _SATURDAY
    return passed * DAY_MS


def midnight_ms(day: date) -> int:
    """Return the first millisecond of a UTC day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def quarter_of(at_ms: int) -> tuple[int, int]:
    """Return year and quarter (1 to 4) of a time."""
    day = day_of(at_ms)
    return day.year, (day.month - 1) // _MONTHS_OF_QUARTER + 1


def quarter_ms(quarter: tuple[int, int]) -> tuple[int, int]:
    """Return the first millisecond of a quarter, and the first after it."""
    year, number = quarter
    first = date(year, (number - 1) * _MONTHS_OF_QUARTER + 1, 1)
    following = following_quarter(quarter)
    after = date(following[0], (following[1] - 1) * _MONTHS_OF_QUARTER + 1, 1)
    return midnight_ms(first), midnight_ms(after)


def following_quarter(quarter: tuple[int, int]) -> tuple[int, int]:
    """Return the quarter after one."""
    year, number = quarter
    return (year + 1, 1) if number == 4 else (year, number + 1)  # noqa: PLR2004 - four quarters
