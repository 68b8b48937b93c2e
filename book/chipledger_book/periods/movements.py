"""The events of a period: what each did to the balance, and what others said of the site."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from chipledger_book.events import Event, Received
from chipledger_book.inventory import Listed, items_of
from chipledger_book.ledger import Book, Booked
from chipledger_book.movements import (
    LostOrStolen,
    ReceiptDifference,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    Stored,
    TransferIn,
    TransferOut,
    Unstored,
)
from chipledger_book.periods.document import Movement
from chipledger_book.report import OneSided, Sides
from chipledger_book.rules import Tables
from chipledger_book.sides import other_side, strongest
from chipledger_book.stock import ARRIVING, LEAVING, stock_of
from chipledger_book.terms import EventId

_BESIDE: Final = (LostOrStolen, ReceiptDifference, Unstored, Stored, ShipmentDeclared)
"""Kinds that a reader of a period must see although they move nothing."""
_MEETING: Final = (ShipmentDeclared, Shipped, TransferOut, RmaOut, RmaIn)


def movements_of(
    book: Book,
    tables: Tables,
    *,
    site: str,
    start_ms: int,
    as_of_ms: int,
    one_sided: Iterable[OneSided],
) -> tuple[Movement, ...]:
    """Return what moved, or was said to, in a period: the columns of its balance, event by event.

    The pieces of each column add up to that column of the balance, model by model.
    """
    open_sides = {one.event: one.sides for one in one_sided}
    found = [
        *_columns(book, tables, open_sides, site=site, span=(start_ms, as_of_ms)),
        *_beside(book, tables, open_sides, site=site, span=(start_ms, as_of_ms)),
    ]
    return tuple(sorted(found, key=lambda one: (one.occurred_ms, one.event, one.column or "")))


def _columns(
    book: Book,
    tables: Tables,
    open_sides: dict[str, Sides],
    *,
    site: str,
    span: tuple[int, int],
) -> Iterator[Movement]:
    pieces: dict[tuple[str, str, int], Counter[str]] = {}
    for sku, stock in stock_of(book, site, span[1], tables.catalogue).items():
        for column in (*ARRIVING, *LEAVING):
            for item in stock.columns.get(column, ()):
                if item.occurred_at_ms >= span[0]:
                    place = (column, item.event, item.occurred_at_ms)
                    pieces.setdefault(place, Counter())[sku] += item.chips
    for (column, key, at_ms), counted in pieces.items():
        event = book.event(EventId(key))
        if event is not None:
            yield _movement(
                book,
                Booked(id=EventId(key), event=event),
                open_sides,
                column=column,
                at_ms=at_ms,
                pieces=dict(sorted(counted.items())),
            )


def _beside(
    book: Book,
    tables: Tables,
    open_sides: dict[str, Sides],
    *,
    site: str,
    span: tuple[int, int],
) -> Iterator[Movement]:
    for kind in _BESIDE:
        for entry in book.moves(site, kind, span[1]):
            if entry.event.occurred_at_ms >= span[0]:
                yield _movement(
                    book,
                    Booked(id=entry.id, event=entry.event),
                    open_sides,
                    column=None,
                    at_ms=entry.event.occurred_at_ms,
                    pieces=_pieces(entry, tables),
                )


def _pieces(entry: Booked[Event], tables: Tables) -> dict[str, int]:
    """Return what an event lists, by model; of a difference, what it says is missing."""
    event = entry.event
    if isinstance(event, Listed):
        items = items_of([Booked(id=entry.id, event=event)], tables.catalogue)
        return {sku: sum(item.chips for item in items[sku]) for sku in sorted(items)}
    return {}


def _movement(
    book: Book,
    entry: Booked[Event],
    open_sides: dict[str, Sides],
    *,
    column: str | None,
    at_ms: int,
    pieces: dict[str, int],
) -> Movement:
    event = entry.event
    meets = isinstance(event, _MEETING)
    strength = strongest(book.statements(entry.id))
    charged = event.charged_to if isinstance(event, Received | TransferIn) else None
    return Movement(
        event=entry.id,
        type=str(type(event).__struct_config__.tag),
        column=column,
        occurred_ms=at_ms,
        recorded_ms=book.recorded_at(entry.id),
        other=other_side(event),
        country=event.country if isinstance(event, Shipped) else None,
        reference=_reference(event),
        charged_to=None if charged is None else (charged.issuer, charged.number),
        how=_how(event),
        sides=open_sides.get(entry.id, Sides.BOTH) if meets else None,
        strength=None if strength is None else str(strength),
        pieces=pieces,
    )


def _how(event: Event) -> str:
    if isinstance(event, LostOrStolen):
        return event.how
    return event.seal_found if isinstance(event, Unstored) else ""


def _reference(event: Event) -> str:
    if isinstance(event, RmaOut | RmaIn):
        return event.case
    if isinstance(event, Stored):
        return f"{event.place}, seal {event.seal}"
    if isinstance(event, Received | Shipped | ShipmentDeclared | TransferOut):
        return event.shipment
    return ""
