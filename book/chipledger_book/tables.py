"""Dated tables: what every shipped or loaded rule table says of itself.

A verdict names the tables it used by id, version and digest, so that it can be recomputed
years later. The digest covers the canonical encoding of the parsed table, so white space and
member order of the file do not matter, and nothing in the file can be left out of it.
"""

from datetime import date
from typing import Final, Literal, TypeVar

import msgspec

from chipledger_book.errors import BookError, Code, refuse
from chipledger_book.terms import Force, Name, Record, Text
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.ids import Digest, sha256_b64

TableKind = Literal[
    "calendars", "chip-catalogue", "country-lists", "rule-set", "entities", "timers"
]


class TableHead(Record, frozen=True, kw_only=True):
    """Head of a table.

    Attributes:
        kind: which format the table has.
        id: stable name of the table; versions of one table share it.
        version: version of its content.
        status: legal status of what it says.
        source: where it comes from.
        valid_from: first day it speaks of (UTC calendar day).
        valid_to: last day, inclusive; absent while open.
        reviewed_by: who checked it against the source.
        reviewed_on: when.
    """

    kind: TableKind
    id: Name
    version: Name
    status: Force
    source: Text
    valid_from: date
    reviewed_by: Text
    reviewed_on: date
    valid_to: date | None = None


class Table(Record, frozen=True, kw_only=True):
    """Base of every table."""

    head: TableHead


class TableVersion(Record, frozen=True, kw_only=True):
    """What a verdict writes down of a table it used."""

    kind: TableKind
    id: Name
    version: Name
    status: Force
    digest: Digest


T = TypeVar("T", bound=Table)
_DATES: Final = ("valid_from", "valid_to", "first_day", "last_day", "reviewed_on")


def parse_table(data: bytes, kind: type[T]) -> T:
    """Return the table in `data` (JSON, any layout).

    Raises:
        BookError: `malformed-table`, `table-dates-wrong` or `unknown-quantity-unit`.
    """
    try:
        table = msgspec.json.decode(data, type=kind, strict=True)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(str(error)) from error
    head = table.head
    if head.valid_to is not None and head.valid_to < head.valid_from:
        raise refuse(
            Code.TABLE_DATES_WRONG,
            f"table {head.id} {head.version} ends before it starts",
            where="head.valid_to",
            hint="give a last day on or after the first",
        )
    return table


def _malformed(said: str) -> BookError:
    """Return the refusal of a text that is no table, with the row and what is missing there."""
    what, _, path = said.partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    if where.endswith(".unit"):
        code, hint = Code.UNKNOWN_QUANTITY_UNIT, "docs/BOOK.md lists the units of each limit"
    elif any(f"`{name}`" in what for name in _DATES) or where.rpartition(".")[2] in _DATES:
        code, hint = Code.TABLE_DATES_WRONG, "write days as 2026-07-23; both ends are inclusive"
    else:
        code, hint = Code.MALFORMED_TABLE, "see docs/BOOK.md for the formats of tables"
    return refuse(code, what, where=where, hint=hint)


def version_of(table: Table) -> TableVersion:
    """Return id, version, status and digest of a table."""
    return TableVersion(
        kind=table.head.kind,
        id=table.head.id,
        version=table.head.version,
        status=table.head.status,
        digest=sha256_b64(encode_canonical(table)),
    )


def in_force_on(day: date, valid_from: date | None, valid_to: date | None) -> bool:
    """Tell whether a validity of whole days, both ends inclusive, holds `day`."""
    return (valid_from is None or valid_from <= day) and (valid_to is None or day <= valid_to)


def overlap(
    first: tuple[date | None, date | None], second: tuple[date | None, date | None]
) -> bool:
    """Tell whether two validities share a day; an absent end is open."""
    first_ends_before = first[1] is not None and second[0] is not None and first[1] < second[0]
    second_ends_before = second[1] is not None and first[0] is not None and second[1] < first[0]
    return not (first_ends_before or second_ends_before)
