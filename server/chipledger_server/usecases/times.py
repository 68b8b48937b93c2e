"""Times as people and machines write them. Pure.

A day means UTC. As the time *of* something it is its first moment, as the time to *look at* it is
its last: what was true on the first of March includes that day.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal

_DAY: Final = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_MILLIS: Final = re.compile(r"^\d{12,14}$")
_SPAN: Final = re.compile(r"^(\d{1,6})([smhdw])$")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DAY_MS: Final = 86_400_000


def instant_ms(text: str) -> int:
    """Return the Unix milliseconds of a day, an RFC 3339 time, or milliseconds.

    Raises:
        Refusal: `invalid-parameter`.
    """
    if _MILLIS.fullmatch(text):
        return int(text)
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _no_time(text) from error
    if moment.tzinfo is None:
        raise _no_time(text)
    millis = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if millis < 0:
        raise _no_time(text)
    return millis


def looked_at_ms(text: str | None, *, now_ms: int) -> int:
    """Return the time to look at: now without a text, of a day its last millisecond.

    Raises:
        Refusal: `invalid-parameter` for what is no time, or lies in the future.
    """
    if text is None or not text:
        return now_ms
    start = instant_ms(text)
    if start > now_ms:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"{text} lies in the future",
            hint="choose a time up to now; leave it out for now",
        )
    return min(start + _DAY_MS - 1, now_ms) if _DAY.fullmatch(text) else start


def until_ms(text: str, *, now_ms: int) -> int:
    """Return until when something is to hold: a day's last millisecond, a time, or a span from now.

    Raises:
        Refusal: `invalid-parameter`.
    """
    if _SPAN.fullmatch(text):
        return now_ms + span_ms(text)
    start = instant_ms(text)
    return start + _DAY_MS - 1 if _DAY.fullmatch(text) else start


def when(as_of: str | None, known_at: str | None, *, now_ms: int) -> When:
    """Return the two times of a question; each is now where it is not given.

    Raises:
        Refusal: `invalid-parameter`.
    """
    return When(
        as_of_ms=looked_at_ms(as_of, now_ms=now_ms),
        known_at_ms=looked_at_ms(known_at, now_ms=now_ms),
    )


def span_ms(text: str) -> int:
    """Return the milliseconds of a span such as ``90m``, ``24h`` or ``30d``.

    Raises:
        Refusal: `invalid-parameter`.
    """
    found = _SPAN.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"{text!r} is no span of time",
            hint="write a number and s, m, h, d or w: 24h, 30d",
        )
    return int(found[1]) * _UNITS_S[found[2]] * 1000


def time_text(at_ms: int) -> str:
    """Return a time as people read it: ``2026-03-01 12:00:05 UTC``."""
    moment = datetime.fromtimestamp(at_ms // 1000, tz=UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _no_time(text: str) -> Refusal:
    return Refusal(
        Code.INVALID_PARAMETER,
        f"{text!r} is no time",
        hint="write a day (2026-03-01), or a time with its zone (2026-03-01T12:00:00Z)",
    )
