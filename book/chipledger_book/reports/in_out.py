"""In and out of a facility: opening + in - out = closing, model by model and event by event."""

from collections import Counter
from typing import Final

from chipledger_book.periods.document import PeriodDocument
from chipledger_book.report import View
from chipledger_book.reports.header import Header, Source, Titled, header_of
from chipledger_book.reports.sheets import Sheet, columns, day, moment
from chipledger_book.stock import ARRIVING, LEAVING

TITLED: Final = Titled(
    report="in-out",
    title="In and out of the facility",
    model="15 CFR 740.28(e): accounting of the distribution of items in and out of each facility",
)


class InOutRow(View, frozen=True, kw_only=True):
    """One model: closing = opening + all in - all out."""

    sku: str
    opening: int
    into: dict[str, int]
    out: dict[str, int]
    closing: int
    tpp_each: int

    @property
    def total_in(self) -> int:
        """All that came in."""
        return sum(self.into.values())

    @property
    def total_out(self) -> int:
        """All that went out."""
        return sum(self.out.values())


class InOutEntry(View, frozen=True, kw_only=True):
    """One event and one model: `change` in pieces, and what the book held after it."""

    occurred_ms: int
    recorded_ms: int | None
    event: str
    column: str
    sku: str
    change: int
    balance: int
    other: str
    country: str | None
    reference: str
    known_by: str


class InOut(View, frozen=True, kw_only=True):
    """The report."""

    header: Header
    rows: tuple[InOutRow, ...]
    entries: tuple[InOutEntry, ...]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return its tables."""
        return _rows_sheet(self), _entries_sheet(self)


def in_out(source: Source, *, made_by: str) -> InOut:
    """Return what came into a facility and what left it in a period."""
    document = source.document
    rows = tuple(
        InOutRow(
            sku=row.sku,
            opening=row.opening,
            into={column: getattr(row, column) for column in ARRIVING},
            out={column: getattr(row, column) for column in LEAVING},
            closing=row.book,
            tpp_each=row.tpp_each,
        )
        for row in document.balance.rows
    )
    return InOut(
        header=header_of(
            TITLED,
            [source],
            population=f"the events of {document.site.id} that moved chips in the period: "
            f"{sum(one.column is not None for one in document.movements)}",
            made_by=made_by,
        ),
        rows=rows,
        entries=_entries(document, {row.sku: row.opening for row in rows}),
    )


def known_by(sides: str | None, strength: str | None) -> str:
    """Return on whose word an event stands."""
    said = f"said by {strength}" if strength is not None else "statement not read"
    return said if sides is None else f"{sides.replace('-', ' ')}; {said}"


def _entries(document: PeriodDocument, opening: dict[str, int]) -> tuple[InOutEntry, ...]:
    held = Counter(opening)
    found = []
    for one in document.movements:
        if one.column is None:
            continue
        sign = 1 if one.column in ARRIVING else -1
        for sku, pieces in sorted(one.pieces.items()):
            held[sku] += sign * pieces
            found.append(
                InOutEntry(
                    occurred_ms=one.occurred_ms,
                    recorded_ms=one.recorded_ms,
                    event=one.event,
                    column=one.column,
                    sku=sku,
                    change=sign * pieces,
                    balance=held[sku],
                    other=one.other,
                    country=one.country,
                    reference=one.reference,
                    known_by=known_by(None if one.sides is None else str(one.sides), one.strength),
                )
            )
    return tuple(found)


def _title(column: str) -> str:
    return column.replace("_", " ").capitalize().replace("Rma", "RMA")


def _rows_sheet(report: InOut) -> Sheet:
    return Sheet(
        name="in_out",
        title="Opening + in - out = closing",
        columns=columns(
            ("sku", "Model"),
            ("opening", "Opening"),
            *((name, _title(name)) for name in ARRIVING),
            ("total_in", "All in"),
            *((name, _title(name)) for name in LEAVING),
            ("total_out", "All out"),
            ("closing", "Closing"),
            ("closing_tpp", "Closing TPP"),
        ),
        rows=tuple(
            (
                *(row.sku, row.opening),
                *(row.into[name] for name in ARRIVING),
                row.total_in,
                *(row.out[name] for name in LEAVING),
                *(row.total_out, row.closing, row.closing * row.tpp_each),
            )
            for row in report.rows
        ),
        note="In pieces. What is lost or stolen stays on the book as unaccounted for until it is "
        "found or disposed of; it is in the incident notice.",
    )


def _entries_sheet(report: InOut) -> Sheet:
    return Sheet(
        name="entries",
        title="Event by event",
        columns=columns(
            ("happened", "Happened"),
            ("recorded", "Recorded"),
            ("column", "Column"),
            ("sku", "Model"),
            ("change", "Change"),
            ("balance", "Balance"),
            ("other", "Other party"),
            ("country", "Country"),
            ("reference", "Reference"),
            ("known_by", "On whose word"),
            ("event", "Event"),
        ),
        rows=tuple(
            (
                *(day(one.occurred_ms), moment(one.recorded_ms), one.column.replace("_", " ")),
                *(one.sku, one.change, one.balance, one.other, one.country, one.reference),
                *(one.known_by, one.event),
            )
            for one in report.entries
        ),
    )
