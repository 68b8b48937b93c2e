"""Current inventory of a facility: what is there, since when, and when it last answered."""

from collections import Counter
from typing import Final

from chipledger_book.periods.units import Unit
from chipledger_book.report import View
from chipledger_book.reports.header import Header, Source, Titled, header_of
from chipledger_book.reports.sheets import Sheet, columns, day, moment
from chipledger_evidence.appraisal.grades import GRADE_WORDS, Grade

TITLED: Final = Titled(
    report="current-inventory",
    title="Current inventory",
    model="15 CFR 748.15(f)(1)(ii): record of current inventory of eligible items received, with "
    "the dates received",
)
_SERIALS: Final = ("board", "tray", "server", "rack")
_STATES: Final = ("present", "silent", "disputed", "stored", "unaccounted")


class InventoryRow(View, frozen=True, kw_only=True):
    """One entry of the inventory; see :class:`chipledger_book.periods.units.Unit`.

    Attributes:
        serial: printed serial of board, tray, server or rack, with its kind.
        device_key: PDI, or else UUID.
        known_by: how strong the entry is, in words.
    """

    facility: str
    sku: str
    serial: str
    device_key: str
    quantity: int
    state: str
    on_book: bool
    received_ms: int | None
    last_attested_ms: int | None
    host: str
    tpp: int | None
    known_by: str


class InventoryTotal(View, frozen=True, kw_only=True):
    """All chips of one model, by state; `off_book` are among the states as well."""

    sku: str
    book: int
    states: dict[str, int]
    off_book: int
    book_tpp: int | None


class Inventory(View, frozen=True, kw_only=True):
    """The report."""

    header: Header
    rows: tuple[InventoryRow, ...]
    totals: tuple[InventoryTotal, ...]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return its tables."""
        return _totals_sheet(self), _rows_sheet(self)


def inventory(source: Source, *, made_by: str) -> Inventory:
    """Return the current inventory of a facility at the end of a period."""
    document = source.document
    return Inventory(
        header=header_of(
            TITLED,
            [source],
            population=f"every booked and every seen chip of {document.site.id}: "
            f"{sum(unit.chips for unit in document.units)} chips in {len(document.units)} entries",
            made_by=made_by,
        ),
        rows=tuple(_row(unit, document.site.id) for unit in document.units),
        totals=tuple(_totals(document.units)),
    )


def _row(unit: Unit, facility: str) -> InventoryRow:
    serial = next((f"{kind} {unit.names[kind]}" for kind in _SERIALS if kind in unit.names), "")
    return InventoryRow(
        facility=facility,
        sku=unit.sku or "unknown model",
        serial=serial,
        device_key=unit.names.get("pdi") or unit.names.get("uuid") or "",
        quantity=unit.chips,
        state=unit.state,
        on_book=unit.booked,
        received_ms=unit.received_ms,
        last_attested_ms=unit.last_attested_ms,
        host=unit.host or "",
        tpp=None if unit.tpp_each is None else unit.tpp_each * unit.chips,
        known_by=known_by(unit),
    )


def known_by(unit: Unit) -> str:
    """Return how strong an entry is: what paper says, what a chip or a driver says."""
    if unit.grade is None:
        return "paper and seal" if unit.state == "stored" else "paper only"
    seen = f"{unit.grade.value} {GRADE_WORDS[Grade(unit.grade)]}"
    if unit.matched is None:
        return f"{seen}; on no paper"
    return f"{seen}; on paper by {unit.matched}"


def _totals(units: tuple[Unit, ...]) -> list[InventoryTotal]:
    skus = sorted({unit.sku for unit in units}, key=lambda sku: (sku is None, sku or ""))
    found = []
    for sku in skus:
        own = [unit for unit in units if unit.sku == sku]
        states: Counter[str] = Counter()
        for unit in own:
            states[unit.state] += unit.chips
        booked = [unit for unit in own if unit.booked]
        found.append(
            InventoryTotal(
                sku=sku or "unknown model",
                book=sum(unit.chips for unit in booked),
                states={state: states[state] for state in _STATES},
                off_book=sum(unit.chips for unit in own if not unit.booked),
                book_tpp=None
                if sku is None
                else sum(unit.chips * (unit.tpp_each or 0) for unit in booked),
            )
        )
    return found


def _rows_sheet(report: Inventory) -> Sheet:
    return Sheet(
        name="inventory",
        title="Chips",
        columns=columns(
            ("facility", "Facility"),
            ("sku", "Model"),
            ("serial", "Serial"),
            ("device_key", "Device key"),
            ("quantity", "Quantity"),
            ("received", "Date received"),
            ("last_attested", "Last attested"),
            ("state", "State"),
            ("on_book", "On the book"),
            ("host", "Host"),
            ("tpp", "TPP"),
            ("known_by", "How it is known"),
        ),
        rows=tuple(
            (
                *(row.facility, row.sku, row.serial, row.device_key, row.quantity),
                *(day(row.received_ms), moment(row.last_attested_ms), row.state),
                *("yes" if row.on_book else "no", row.host, row.tpp, row.known_by),
            )
            for row in report.rows
        ),
    )


def _totals_sheet(report: Inventory) -> Sheet:
    return Sheet(
        name="totals",
        title="By model",
        columns=columns(
            ("sku", "Model"),
            ("book", "On the book"),
            *((state, state.capitalize()) for state in _STATES),
            ("off_book", "Of these off the book"),
            ("book_tpp", "TPP on the book"),
        ),
        rows=tuple(
            (
                total.sku,
                total.book,
                *(total.states[state] for state in _STATES),
                total.off_book,
                total.book_tpp,
            )
            for total in report.totals
        ),
    )
