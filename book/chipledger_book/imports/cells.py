"""What a cell says: text as it stands, and times and numbers where a column is of such."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec

from chipledger_book.imports.columns import HAPPENED, MEANINGS, Field

MAX_CELL: Final = 512
"""Longest cell, in characters."""
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MILLIS: Final = re.compile(r"\d{12,15}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999
_WHOLE: Final = re.compile(r"-?\d{1,15}", re.ASCII)
_FORMULA: Final = frozenset("=+-@\t\r'")
_GUARD: Final = "'"

TIME_WORDS: Final = "a day (2026-03-01), an RFC 3339 time (2026-03-01T09:30:00Z) or Unix ms"


class CellError(ValueError):
    """A cell is not what its column holds; the text says why."""


def plain_text(cell: str) -> str:
    """Return what a cell says: without space around it, and without the guard of a formula."""
    text = cell.strip()
    if len(text) > 1 and text[0] == _GUARD and text[1] in _FORMULA:
        return text[1:]
    return text


def guarded(text: str) -> str:
    """Return a text as a cell that no spreadsheet computes."""
    return _GUARD + text if text[:1] in _FORMULA and text else text


@lru_cache(maxsize=4096)
def time_ms(text: str) -> int:
    """Return the Unix milliseconds of a cell.

    Raises:
        CellError: it is no time.
    """
    if _MILLIS.fullmatch(text):
        millis = int(text)
    else:
        try:
            if _DAY.fullmatch(text):
                day = date.fromisoformat(text)
                moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
            else:
                moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise CellError(f"{text!r} does not say its zone; write {TIME_WORDS}")
            millis = (moment - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, OverflowError) as error:
            raise CellError(
                str(error) if isinstance(error, CellError) else f"{text!r} is no time"
            ) from error
    if not 0 <= millis <= _LAST_MS:
        raise CellError(f"{text!r} lies outside the years 1970 to 9999")
    return millis


def time_text(millis: int) -> str:
    """Return a time as a cell that reads back to the same millisecond."""
    moment = _EPOCH + timedelta(milliseconds=millis)
    whole_seconds = millis % 1000 == 0
    text = moment.isoformat(timespec="seconds" if whole_seconds else "milliseconds")
    return text.replace("+00:00", "Z")


def whole_number(text: str) -> int:
    """Return the whole number in a cell.

    Raises:
        CellError: it is none.
    """
    if not _WHOLE.fullmatch(text):
        raise CellError(f"{text!r} is no whole number")
    return int(text)


def value_of(text: str, field: Field) -> Any:  # noqa: ANN401 - whatever the member holds
    """Return what a cell gives to its member, in the JSON spelling.

    Raises:
        CellError: the member cannot hold it.
    """
    if field.is_time or field.column == HAPPENED:
        return time_ms(text)
    value: Any = tuple(text.split()) if field.many else text
    held(value, field.type, field.column)
    return value


def held(value: Any, kind: Any, column: str) -> None:  # noqa: ANN401 - any member's
    """Do nothing if a member of a type can hold a value.

    Raises:
        CellError: it cannot.
    """
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        shown = value if isinstance(value, str) else " ".join(map(str, value))
        raise CellError(f"{shown[:80]!r} is not {MEANINGS[column]}: {_said(error)}") from error


def _said(error: msgspec.ValidationError) -> str:
    text = str(error).split(" - at ", maxsplit=1)[0]
    return text.replace("Expected", "expected").replace("`", "").replace("(?!\\n)", "")
