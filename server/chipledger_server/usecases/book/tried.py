"""What entering an event would change, before it is entered."""

from collections.abc import Mapping
from dataclasses import dataclass

from chipledger_book.events import Correction, Event, LedgerRecord
from chipledger_book.imports.batch import Entrance, admit_all
from chipledger_book.imports.drafts import Draft, Reading, RowProblem
from chipledger_book.ledger import Book, fold
from chipledger_book.movements import Confirmed
from chipledger_book.rules import Tables
from chipledger_book.stock import ALWAYS, stock_of
from chipledger_book.terms import EventId
from chipledger_server.usecases.book.entering import Imported, Speaking, enter_all
from chipledger_server.usecases.book.entry import Ledger, statement_of
from chipledger_server.usecases.people import Hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One model on the book of a site, before and after an event, in pieces.

    Attributes:
        sku: the model.
        before: on the book before.
        after: on the book after.
        stored_before: of them under seal before.
        stored_after: of them under seal after.
    """

    sku: str
    before: int
    after: int
    stored_before: int
    stored_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What entering an event would do; of a correction, what it does once somebody agrees.

    Attributes:
        problems: why it may not enter; then nothing else is said.
        known: whether the book holds it already.
        site: whose book changes, where one does.
        changes: model by model, also those that stay.
    """

    problems: tuple[RowProblem, ...]
    known: bool
    site: str | None
    changes: tuple[Change, ...]


def try_event(
    draft: Draft, ledger: Ledger, tables: Tables, hand: Hand, *, speaking: Speaking
) -> Tried:
    """Return what entering an event now would do; nothing is written."""
    with ledger.writing() as page:
        records = page.bearing([draft.event])
    before = fold(records)
    site = _site_of(draft.event, before)
    stock = _pieces(before, site, tables)
    book = fold(records)
    entrance = Entrance(
        tables=tables,
        now_ms=hand.now_ms,
        speak=lambda event: (statement_of(speaking.speaker(event, book), hand, event),),
        forbid=speaking.forbid,
    )
    batch = admit_all([draft], book, entrance)
    if isinstance(draft.event, Correction) and batch.entering:  # what it does once agreed to
        book.add(LedgerRecord(event=draft.event, recorded_at_ms=hand.now_ms))
    after = {} if batch.problems else _pieces(book, site, tables)
    changes = [
        Change(
            sku=sku,
            before=stock.get(sku, (0, 0))[0],
            after=after.get(sku, (0, 0))[0],
            stored_before=stock.get(sku, (0, 0))[1],
            stored_after=after.get(sku, (0, 0))[1],
        )
        for sku in sorted({*stock, *after})
    ]
    return Tried(
        problems=batch.problems,
        known=bool(batch.known),
        site=site,
        changes=() if batch.problems else tuple(changes),
    )


def enter_one(
    event: Event, ledger: Ledger, tables: Tables, hand: Hand, *, speaking: Speaking
) -> Imported:
    """Enter one event, held to everything that a file of events is held to."""
    reading = Reading(drafts=(Draft(event=event, row=1),), rows=1, names=0, problems=())
    return enter_all(reading, ledger, tables, hand, speaking=speaking)


def _site_of(event: Event, book: Book) -> str | None:
    """Return whose book an event is about: of a correction or a confirmation, what it names."""
    named: Event | None = event
    while isinstance(named, Correction | Confirmed):
        key = named.corrects if isinstance(named, Correction) else named.confirms
        named = book.event(EventId(key))
    site = getattr(named, "site", None)
    return site if isinstance(site, str) else None


def _pieces(book: Book, site: str | None, tables: Tables) -> Mapping[str, tuple[int, int]]:
    """Return the pieces on the book of a site by model, and those of them under seal."""
    if site is None:
        return {}
    stock = stock_of(book, site, ALWAYS, tables.catalogue)
    return {
        sku: (
            sum(item.chips for item in model.items) - model.overdrawn,
            sum(item.chips for item in model.stored),
        )
        for sku, model in stock.items()
    }
