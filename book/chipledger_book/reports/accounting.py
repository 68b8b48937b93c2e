"""Chip accounting of a facility, and of all facilities of a parent together.

Quantity and type of chips received, approved, reexported, transferred and to whom, installed and
not, attrition by cause, and the aggregate TPP. The roll-up is the sum of the facilities: what
went from one to another is out of the one and into the other.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from chipledger_book.periods.document import Movement, PeriodDocument
from chipledger_book.report import View
from chipledger_book.reports.header import Header, Source, Titled, header_of
from chipledger_book.reports.in_out import known_by
from chipledger_book.reports.sheets import Cell, Sheet, columns, day, listed

TITLED: Final = Titled(
    report="chip-accounting",
    title="Facility chip accounting",
    model="supplement no. 10 to part 748, paragraph 10: facility-specific chip accounting",
)
CAUSES: Final = ("lost", "stolen", "decommissioned", "destroyed", "failure", "relocation", "resale")
"""Causes of attrition: failure is what a vendor took back, relocation went to another site."""
NUMBERS: Final = (
    *("opening", "received", "transferred_in", "replaced", "reexported", "transferred_out"),
    *("returned_to_vendor", "disposed", "book", "installed", "not_installed", "off_book"),
    *(*CAUSES, "book_tpp", "installed_tpp", "not_installed_tpp"),
)
"""Numbers that are added up over facilities."""
_TPP: Final = ("book_tpp", "installed_tpp", "not_installed_tpp")
_PIECES: Final = tuple(name for name in NUMBERS if name not in {*CAUSES, *_TPP})
_CAUSE_OF: Final = {
    "decommissioned": "decommissioned",
    "destroyed": "destroyed",
    "rma-out": "failure",
    "transfer-out": "relocation",
    "shipped": "resale",
}


class AccountingRow(View, frozen=True, kw_only=True):
    """One model at one facility, or at all of them.

    Attributes:
        facility: site id, or the parent's id with `all` before it.
        country: of the facility; empty in the roll-up.
        numbers: number → value; those of `NUMBERS`, TPP in TPP and the others in pieces.
        approved_pieces: what licence lines for the model allow, or null without one.
        approved_tpp: the same for lines in TPP or equivalents.
    """

    facility: str
    country: str
    sku: str
    numbers: dict[str, int]
    approved_pieces: int | None
    approved_tpp: int | None


class Onward(View, frozen=True, kw_only=True):
    """Chips that went to somebody: transferred, reexported or returned."""

    facility: str
    occurred_ms: int
    how: str
    to: str
    country: str | None
    reference: str
    pieces: dict[str, int]
    known_by: str
    event: str


class Accounting(View, frozen=True, kw_only=True):
    """The report."""

    header: Header
    parent: str
    rows: tuple[AccountingRow, ...]
    group: tuple[AccountingRow, ...]
    onward: tuple[Onward, ...]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return its tables."""
        return _rows_sheet(self), _tpp_sheet(self), _attrition_sheet(self), _onward_sheet(self)


def accounting(sources: Sequence[Source], *, made_by: str) -> Accounting:
    """Return the accounting of the facilities of one parent, the one asked for first."""
    first = sources[0].document
    documents = sorted((one.document for one in sources), key=lambda one: one.site.id)
    rows = [row for document in documents for row in _site_rows(document)]
    parent = first.site.ultimate_parent.id
    return Accounting(
        header=header_of(
            TITLED,
            sources,
            population=f"{len(documents)} facilities of {parent}, every model that was on the "
            "book or seen",
            made_by=made_by,
            query={"parent": parent},
        ),
        parent=parent,
        rows=tuple(rows),
        group=tuple(_rolled_up(rows, f"all of {parent}")),
        onward=tuple(one for document in documents for one in _onward(document)),
    )


def _site_rows(document: PeriodDocument) -> Iterable[AccountingRow]:
    attrition = _attrition(document.movements)
    for row in document.balance.rows:
        own = [unit for unit in document.units if unit.sku == row.sku]
        installed = sum(unit.chips for unit in own if unit.booked and unit.seen)
        missing = sum(unit.chips for unit in own if unit.booked and not unit.seen)
        numbers = {
            "opening": row.opening,
            "received": row.received,
            "transferred_in": row.transfer_in,
            "replaced": row.rma_in,
            "reexported": row.shipped,
            "transferred_out": row.transfer_out,
            "returned_to_vendor": row.rma_out,
            "disposed": row.disposed,
            "book": row.book,
            "installed": installed,
            "not_installed": missing,
            "off_book": sum(unit.chips for unit in own if not unit.booked),
            **{cause: attrition[row.sku, cause] for cause in CAUSES},
            "book_tpp": row.book_tpp,
            "installed_tpp": installed * row.tpp_each,
            "not_installed_tpp": missing * row.tpp_each,
        }
        yield AccountingRow(
            facility=document.site.id,
            country=document.site.country,
            sku=row.sku,
            numbers=numbers,
            approved_pieces=row.licensed_pieces,
            approved_tpp=row.licensed_tpp,
        )


def _attrition(movements: Iterable[Movement]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for one in movements:
        lost = one.type == "lost-or-stolen"
        cause = one.how if lost else _CAUSE_OF.get(one.type) if one.column else None
        if cause is not None:
            for sku, pieces in one.pieces.items():
                found[sku, cause] += pieces
    return found


def _rolled_up(rows: Sequence[AccountingRow], name: str) -> Iterable[AccountingRow]:
    for sku in sorted({row.sku for row in rows}):
        own = [row for row in rows if row.sku == sku]
        yield AccountingRow(
            facility=name,
            country="",
            sku=sku,
            numbers={number: sum(row.numbers[number] for row in own) for number in NUMBERS},
            # A licence line may cover several facilities: its amounts cannot be added up.
            approved_pieces=None,
            approved_tpp=None,
        )


def _onward(document: PeriodDocument) -> Iterable[Onward]:
    words = {"shipped": "reexported", "transfer_out": "transferred", "rma_out": "to its vendor"}
    for one in document.movements:
        if one.column in words:
            yield Onward(
                facility=document.site.id,
                occurred_ms=one.occurred_ms,
                how=words[one.column],
                to=one.other,
                country=one.country,
                reference=one.reference,
                pieces=one.pieces,
                known_by=known_by(None if one.sides is None else str(one.sides), one.strength),
                event=one.event,
            )


def _cells(row: AccountingRow, names: Sequence[str]) -> tuple[Cell, ...]:
    return row.facility, row.country, row.sku, *(row.numbers[name] for name in names)


def _titles(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ").capitalize().replace("tpp", "TPP")) for name in names]


def _rows_sheet(report: Accounting) -> Sheet:
    return Sheet(
        name="accounting",
        title="Chips by facility, and of the parent together, in pieces",
        columns=columns(
            ("facility", "Facility"), ("country", "Country"), ("sku", "Model"), *_titles(_PIECES)
        ),
        rows=tuple(_cells(row, _PIECES) for row in (*report.rows, *report.group)),
        totals=len(report.group),
        note="Received is what was purchased and arrived. Installed: booked chips that an agent "
        "attested at the facility. Not installed: booked chips of which nothing was seen: stored, "
        "not yet installed, or gone.",
    )


def _tpp_sheet(report: Accounting) -> Sheet:
    return Sheet(
        name="tpp",
        title="Aggregate TPP, and what was approved",
        columns=columns(
            ("facility", "Facility"),
            ("country", "Country"),
            ("sku", "Model"),
            *_titles(_TPP),
            ("approved_pieces", "Approved, pieces"),
            ("approved_tpp", "Approved, TPP"),
        ),
        rows=tuple(
            (*_cells(row, _TPP), row.approved_pieces, row.approved_tpp)
            for row in (*report.rows, *report.group)
        ),
        totals=len(report.group),
        note="A licence may cover several facilities, so approved amounts are not added up.",
    )


def _attrition_sheet(report: Accounting) -> Sheet:
    return Sheet(
        name="attrition",
        title="Attrition by cause",
        columns=columns(
            ("facility", "Facility"), ("country", "Country"), ("sku", "Model"), *_titles(CAUSES)
        ),
        rows=tuple(_cells(row, CAUSES) for row in (*report.rows, *report.group)),
        totals=len(report.group),
        note="Lost and stolen chips are still on the book, as unaccounted for. Failure: taken "
        "back by a vendor. Relocation: to another site. Resale: reexported.",
    )


def _onward_sheet(report: Accounting) -> Sheet:
    return Sheet(
        name="onward",
        title="Transferred, reexported and returned: to whom",
        columns=columns(
            ("facility", "Facility"),
            ("day", "Day"),
            ("how", "How"),
            ("to", "To whom"),
            ("country", "Country"),
            ("pieces", "Chips"),
            ("reference", "Reference"),
            ("known_by", "On whose word"),
            ("event", "Event"),
        ),
        rows=tuple(
            (
                *(one.facility, day(one.occurred_ms), one.how, one.to, one.country),
                *(listed(one.pieces.items()), one.reference, one.known_by, one.event),
            )
            for one in report.onward
        ),
    )
