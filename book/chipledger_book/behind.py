"""What stands behind a number of the balance: its events, and the chips that were seen.

The parts add up to the number. An event of chips that left counts below zero where the column
takes it off.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from chipledger_book.errors import Code, refuse
from chipledger_book.holding import AtSite, Question
from chipledger_book.inventory import declared_in, sightings
from chipledger_book.ledger import Book
from chipledger_book.matching import Item
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.report import View
from chipledger_book.rows import ModelAtSite
from chipledger_book.rules import Tables
from chipledger_book.stock import ARRIVING, LEAVING, draw
from chipledger_book.terms import day_of
from chipledger_evidence.appraisal.grades import Grade

_GRADES: Final = ("G1", "G2", "G3", "G4")
_SEEN: Final[Mapping[str, tuple[ChipState, bool]]] = {
    "overage": (ChipState.PRESENT, False),
    "silent": (ChipState.SILENT, True),
    "silent_off_book": (ChipState.SILENT, False),
    "disputed": (ChipState.DISPUTED, True),
    "disputed_off_book": (ChipState.DISPUTED, False),
}
"""Column → state of its chips, and whether they fill booked ones."""
COLUMNS: Final = (
    *("opening", *ARRIVING, *LEAVING, "book", "overdrawn"),
    *("present", *_GRADES, "matched_by_identity", "matched_by_count"),
    *(*_SEEN, "declared", "stored", "unaccounted"),
)
"""Columns that something can stand behind."""


class EventPart(View, frozen=True, kw_only=True):
    """An event, and how many chips of the number are its."""

    event: str
    pieces: int


class ChipPart(View, frozen=True, kw_only=True):
    """A chip that was seen, and the event whose booked place it fills, if it fills one."""

    chip: str
    host: str
    state: ChipState
    grade: Grade
    fills: str | None


class Behind(View, frozen=True, kw_only=True):
    """What stands behind one number.

    Attributes:
        pieces: the number; the sum of the events' pieces, or the number of chips.
        events: by id.
        chips: by id.
    """

    sku: str
    column: str
    pieces: int
    events: tuple[EventPart, ...]
    chips: tuple[ChipPart, ...]


def behind(
    side: AtSite, book: Book, tables: Tables, question: Question, *, sku: str, column: str
) -> Behind:
    """Return what stands behind a number of a site's balance.

    Args:
        side: the site by itself.
        book: the ledger, at least what bears on the site.
        tables: catalogue of the verdict.
        question: the times that the balance was asked for.
        sku: row of the number.
        column: one of `COLUMNS`.

    Raises:
        BookError: `unknown-sku` of a model that has no row.
        ValueError: no such column.
    """
    model = next((one for one in side.models if one.sku.sku == sku), None)
    if model is None:
        raise refuse(
            Code.UNKNOWN_SKU, f"the balance has no row {sku}", hint="name a model of the balance"
        )
    if column not in COLUMNS:
        message = f"nothing stands behind {column}"
        raise ValueError(message)
    if column == "declared":
        events = _declared(side, book, tables, question, sku=sku)
        return _of(sku, column, events=events, pieces=model.declared)
    chips = [_chip(chip, model) for chip in model.seen if _counts(chip, model, column)]
    if chips or column in {*_SEEN, *_GRADES, "present"} or column.startswith("matched"):
        return _of(sku, column, chips=chips, pieces=len(chips))
    events = Counter()
    for event, pieces in _BOOKED.get(column, _column)(model, column, question):
        events[event] += pieces
    return _of(sku, column, events=events, pieces=sum(events.values()))


def _of(
    sku: str,
    column: str,
    *,
    pieces: int,
    events: Mapping[str, int] | None = None,
    chips: Iterable[ChipPart] = (),
) -> Behind:
    parts = sorted((events or {}).items())
    return Behind(
        sku=sku,
        column=column,
        pieces=pieces,
        events=tuple(EventPart(event=event, pieces=count) for event, count in parts if count),
        chips=tuple(sorted(chips, key=lambda part: part.chip)),
    )


def _counts(chip: SeenChip, model: ModelAtSite, column: str) -> bool:
    """Tell whether a seen chip is one of a column."""
    present = chip.state is ChipState.PRESENT
    if column in _SEEN:
        state, on_book = _SEEN[column]
        return chip.state is state and (_fills(chip, model) is not None) == on_book
    if column == "matched_by_identity":
        return present and chip.chip_id in model.matching.by_identity
    if column == "matched_by_count":
        return present and chip.chip_id in model.matching.by_count
    return present and column in ("present", chip.grade.value)


def _fills(chip: SeenChip, model: ModelAtSite) -> str | None:
    matched = model.matching
    key = matched.by_identity.get(chip.chip_id) or matched.by_count.get(chip.chip_id)
    return None if key is None else key.split(":")[0]


def _chip(chip: SeenChip, model: ModelAtSite) -> ChipPart:
    return ChipPart(
        chip=chip.chip_id,
        host=chip.host,
        state=chip.state,
        grade=chip.grade,
        fills=_fills(chip, model),
    )


Parts = Iterable[tuple[str, int]]


def _column(model: ModelAtSite, column: str, question: Question) -> Parts:
    """Return the events of a column within the period."""
    start = question.period_start_ms or 0
    return _chips(i for i in model.stock.columns.get(column, ()) if i.occurred_at_ms >= start)


def _book(model: ModelAtSite, _column_name: str, _question: Question) -> Parts:
    yield from _chips(model.stock.arrivals())
    yield from ((event, -pieces) for event, pieces in _chips(model.stock.departures()))


def _opening(model: ModelAtSite, _column_name: str, question: Question) -> Parts:
    start = question.period_start_ms or 0
    before = (i for i in model.stock.arrivals() if i.occurred_at_ms < start)
    left = (i for i in model.stock.departures() if i.occurred_at_ms < start)
    yield from _chips(before)
    yield from ((event, -pieces) for event, pieces in _chips(left))


def _unaccounted(model: ModelAtSite, _column_name: str, _question: Question) -> Parts:
    return ((item.event, model.left[item.key]) for item in model.items)


def _stored(model: ModelAtSite, _column_name: str, _question: Question) -> Parts:
    """Return the arrivals whose chips only a seal explains."""
    filled = model.matching.left
    return ((item.event, filled[item.key] - model.left[item.key]) for item in model.items)


def _overdrawn(model: ModelAtSite, _column_name: str, _question: Question) -> Parts:
    short = draw(model.stock.arrivals(), model.stock.departures()).short
    return ((key.split(":")[0], pieces) for key, pieces in short.items())


def _chips(items: Iterable[Item]) -> Parts:
    return ((item.event, item.chips) for item in items)


def _declared(
    side: AtSite, book: Book, tables: Tables, question: Question, *, sku: str
) -> Counter[str]:
    at, events = question.as_of_ms, Counter[str]()
    for entry in book.declared(side.site.id, at):
        found = sightings((), declared_in(entry.event), tables.catalogue, day_of(at))
        events[entry.id] = found.declared[sku]
    return events


_BOOKED: Final[Mapping[str, Callable[[ModelAtSite, str, Question], Parts]]] = {
    "book": _book,
    "opening": _opening,
    "unaccounted": _unaccounted,
    "stored": _stored,
    "overdrawn": _overdrawn,
}
