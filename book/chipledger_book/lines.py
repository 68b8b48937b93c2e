"""What every event says, and the lines by which it names chips."""

from typing import Annotated, Final

import msgspec

from chipledger_book.terms import (
    MAX_INTEGER,
    Document,
    Millis,
    Pdi,
    Record,
    Serial,
    SkuName,
    Text,
    Uuid,
)

MAX_LINES: Final = 1000
MAX_SERIALS: Final = 10_000
MAX_PIECES: Final = 1_000_000
"""Most pieces of one line by count; more is a slip of the pen."""


class ChipRef(Record, frozen=True, kw_only=True):
    """One chip by name: at least one of PDI and UUID; the board serial may stand beside."""

    pdi: Pdi | None = None
    uuid: Uuid | None = None
    serial: Serial | None = None


class ByChip(Record, frozen=True, kw_only=True, tag_field="by", tag="chip"):
    """Chips, each by its own identity."""

    sku: SkuName
    chips: Annotated[tuple[ChipRef, ...], msgspec.Meta(min_length=1, max_length=MAX_SERIALS)]


class ByBoard(Record, frozen=True, kw_only=True, tag_field="by", tag="board"):
    """Boards by printed serial; the catalogue says how many chips share one."""

    sku: SkuName
    serials: Annotated[tuple[Serial, ...], msgspec.Meta(min_length=1, max_length=MAX_SERIALS)]


class ByUnit(Record, frozen=True, kw_only=True, tag_field="by", tag="unit"):
    """Trays, servers or racks by serial; the catalogue says what `model` holds."""

    model: SkuName
    serials: Annotated[tuple[Serial, ...], msgspec.Meta(min_length=1, max_length=MAX_SERIALS)]


class ByCount(Record, frozen=True, kw_only=True, tag_field="by", tag="count"):
    """Chips known only by model and number."""

    sku: SkuName
    pieces: Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]


Line = ByChip | ByBoard | ByUnit | ByCount
Lines = Annotated[tuple[Line, ...], msgspec.Meta(min_length=1, max_length=MAX_LINES)]


class EventBase(Record, frozen=True, kw_only=True, tag_field="type"):
    """What every event says.

    Attributes:
        occurred_at_ms: when it happened; the book's `as_of` asks for this time.
        documents: papers behind it, by digest.
        remark: free text.
    """

    occurred_at_ms: Millis
    documents: Annotated[tuple[Document, ...], msgspec.Meta(max_length=64)] = ()
    remark: Text = ""
