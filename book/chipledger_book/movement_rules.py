"""Whether an event that moves chips may enter the book.

What leaves must be there, and what arrives for an event of the other side must fit it.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from chipledger_book.catalogue import Catalogue
from chipledger_book.errors import Code, Problem
from chipledger_book.events import Event, Received, event_id
from chipledger_book.inventory import Listed, items_of
from chipledger_book.ledger import Book, Booked
from chipledger_book.line_rules import (
    arrival_problems,
    charge_problems,
    lines_problems,
    unknown_site,
)
from chipledger_book.matching import Item
from chipledger_book.movements import (
    Decommissioned,
    Destroyed,
    LostOrStolen,
    Movement,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    Stored,
    TransferIn,
    TransferOut,
)
from chipledger_book.stock import ALWAYS, draw, stock_of
from chipledger_book.terms import EventId
from chipledger_evidence.ids import Digest

_LEAVING: Final = (Shipped, TransferOut, RmaOut, Decommissioned, Destroyed)


def movement_problems(event: Movement, book: Book, catalogue: Catalogue) -> Iterator[Problem]:
    """Yield everything that is wrong with an event that moves chips."""
    yield from unknown_site(event.site, book, "site")
    wrong = list(lines_problems(event.lines, event.occurred_at_ms, catalogue))
    yield from wrong
    if wrong:  # quantities of lines that mean nothing cannot be compared
        return
    if isinstance(event, ShipmentDeclared):
        yield from charge_problems(event.charged_to, book)
    elif isinstance(event, TransferIn):
        yield from charge_problems(event.charged_to, book)
        yield from arrival_problems(event.lines, book, catalogue)
        yield from _transfer_in_problems(event, book, catalogue)
    elif isinstance(event, RmaIn):
        yield from arrival_problems(event.lines, book, catalogue, returning=True)
        yield from _rma_in_problems(event, book, catalogue)
    else:
        yield from _leaving_problems(event, book, catalogue)


def _leaving_problems(
    event: Shipped | TransferOut | RmaOut | Stored | Decommissioned | Destroyed | LostOrStolen,
    book: Book,
    catalogue: Catalogue,
) -> Iterator[Problem]:
    if isinstance(event, TransferOut):
        yield from unknown_site(event.to_site, book, "to_site")
        if event.to_site == event.site:
            yield Problem(
                code=Code.TRANSFER_TO_ITSELF,
                where="to_site",
                detail=f"the transfer leaves {event.site} for itself",
                hint="a move within a site is seen by its hosts; it is no event of the book",
            )
    if isinstance(event, Decommissioned | Destroyed):
        yield from _disposal_problems(event, book)
    missing = _not_there(event, book, catalogue)
    for sku, chips in sorted(missing.items()):
        yield Problem(
            code=Code.NOT_ON_BOOK,
            where="lines",
            detail=f"{chips} of these {sku} are not on the book of {event.site} at that time, "
            "or have left it",
            hint="enter how they arrived first, or correct serials, number or time",
        )


def _disposal_problems(event: Decommissioned | Destroyed, book: Book) -> Iterator[Problem]:
    if not event.documents:
        yield Problem(
            code=Code.DOCUMENT_MISSING,
            where="documents",
            detail="nothing but the entry says that these chips are gone",
            hint="give the certificate by its SHA-256",
        )
    if book.declarations(event.site):
        site = book.site(event.site, event.occurred_at_ms)
        if event.witness.party in {site.operator.id, site.consignee.id, site.ultimate_parent.id}:
            yield Problem(
                code=Code.WITNESS_NOT_INDEPENDENT,
                where="witness.party",
                detail=f"{event.witness.party} runs or owns the site {event.site}",
                hint="name a witness of another party",
            )


def _not_there(event: Movement, book: Book, catalogue: Catalogue) -> dict[str, int]:
    """Return the chips by model that cannot be taken off the book: at that time, or since."""
    trial = Booked(id=event_id(event), event=event)
    asked = items_of([trial], catalogue)
    missing: dict[str, int] = {}
    for at_ms in (event.occurred_at_ms, ALWAYS):
        leaves = trial if isinstance(event, _LEAVING) else None
        stock = stock_of(book, event.site, at_ms, catalogue, trial=leaves, open_rma=True)
        before = stock_of(book, event.site, at_ms, catalogue, open_rma=True)
        for sku, items in asked.items():
            if leaves is not None:
                had = before[sku].overdrawn if sku in before else 0
                short = stock[sku].overdrawn - had
            else:
                model = stock.get(sku)
                kept = model.stored if model and isinstance(event, Stored) else []
                there = model.items if model else []
                short = _short(there, [*kept, *items]) - _short(there, kept)
            if short > 0:
                missing[sku] = max(short, missing.get(sku, 0))
    return missing


def _short(there: Iterable[Item], taken: Iterable[Item]) -> int:
    return sum(draw(there, taken).short.values())


def _transfer_in_problems(event: TransferIn, book: Book, catalogue: Catalogue) -> Iterator[Problem]:
    first = _standing(event.answers, book)
    if not isinstance(first, TransferOut) or (first.site, first.to_site) != (
        event.from_site,
        event.site,
    ):
        yield Problem(
            code=Code.TRANSFER_WITHOUT_COUNTERPART,
            where="answers",
            detail=f"{event.answers} is no standing transfer from {event.from_site} to "
            f"{event.site}",
            hint="the sending site enters its transfer-out first; name it by its id",
        )
        return
    yield from _early(first, event)
    yield from _more_than(first, event, book, catalogue, answers=event.answers)


def _rma_in_problems(event: RmaIn, book: Book, catalogue: Catalogue) -> Iterator[Problem]:
    first = _standing(event.answers, book)
    if not isinstance(first, RmaOut) or (first.site, first.vendor, first.case) != (
        event.site,
        event.vendor,
        event.case,
    ):
        yield _unfit(event.answers, f"RMA of {event.site} to {event.vendor}, case {event.case}")
        return
    yield from _early(first, event)
    sent = _chips([Booked(id=EventId(event.answers), event=first)], catalogue)
    back = [entry for entry in _answers(event.answers, book) if isinstance(entry.event, RmaIn)]
    total = _chips([*back, Booked(id=event_id(event), event=event)], catalogue)
    if total > sent:  # a replacement has another serial, and may be another model
        yield _too_many(total - sent, event.answers)


def delivery_problems(event: Received, answers: Digest, book: Book) -> Iterator[Problem]:
    """Yield whether a receipt does not fit the shipment that it names.

    More than was declared may arrive: what is there is booked, and the difference is a finding.
    """
    first = _standing(answers, book)
    if not isinstance(first, ShipmentDeclared) or first.site != event.site:
        yield _unfit(answers, f"shipment to {event.site}")
        return
    yield from _early(first, event)


def _more_than(
    first: TransferOut,
    event: TransferIn,
    book: Book,
    catalogue: Catalogue,
    *,
    answers: Digest,
) -> Iterator[Problem]:
    """Yield whether more arrives than was sent, with what arrived of it before.

    What is transferred in needs no room under a licence that covered the other site, so more than
    left there would be a way around it.
    """
    sent = items_of([Booked(id=EventId(answers), event=first)], catalogue)
    before = items_of(_answers(answers, book), catalogue)
    now = items_of([Booked(id=event_id(event), event=event)], catalogue)
    over = 0
    for sku, items in now.items():
        drawn = draw(sent.get(sku, ()), [*before.get(sku, ()), *items])
        over += sum(drawn.short.values())
    if over:
        yield _too_many(over, answers)


def _answers(key: Digest, book: Book) -> Iterable[Booked[Listed]]:
    """Yield the standing arrivals that name an event as the one they answer."""
    for entry in book.answers(EventId(key), ALWAYS):
        if isinstance(entry.event, Received | TransferIn | RmaIn):
            yield Booked(id=entry.id, event=entry.event)


def _standing(key: Digest, book: Book) -> Event | None:
    return None if book.corrected_by(EventId(key)) else book.event(EventId(key))


def _chips(entries: Iterable[Booked[Listed]], catalogue: Catalogue) -> int:
    models = items_of(entries, catalogue).values()
    return sum(item.chips for items in models for item in items)


def _early(first: Event, event: Event) -> Iterator[Problem]:
    if event.occurred_at_ms < first.occurred_at_ms:
        yield Problem(
            code=Code.ANSWER_BEFORE_EVENT,
            where="occurred_at_ms",
            detail=f"{event.occurred_at_ms} lies before {first.occurred_at_ms}, when what it "
            "answers happened",
            hint="check both times; correct the one that is wrong",
        )


def _unfit(key: Digest, wanted: str) -> Problem:
    return Problem(
        code=Code.ANSWER_DOES_NOT_FIT,
        where="answers",
        detail=f"{key} is no standing {wanted}",
        hint="name the event of the other side by its id, and its parties as it does",
    )


def _too_many(chips: int, key: Digest) -> Problem:
    return Problem(
        code=Code.MORE_RECEIVED_THAN_SHIPPED,
        where="lines",
        detail=f"{chips} chips more than {key} says, or others than it names",
        hint="receive what was sent, the rest as a receipt of its own that answers nothing, "
        "and enter a receipt-difference",
    )
