"""Where two parties meet: whose word an event stands on, and what is still open.

An event is *open one-sided* until the other side's event names it, the other side stands behind
it by a statement of its own, or an accepted document of it does. Each word has a strength, and the
strength is shown with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from chipledger_book.catalogue import Catalogue
from chipledger_book.errors import Code, Problem
from chipledger_book.events import Event, Received, Role, Statement, Strength
from chipledger_book.inventory import Listed, items_of
from chipledger_book.ledger import Book, Booked
from chipledger_book.movements import (
    Confirmed,
    Movement,
    PhysicalInventory,
    Remark,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    SignedOff,
    TransferIn,
    TransferOut,
)
from chipledger_book.remark_rules import OTHER_SIDE
from chipledger_book.report import OneSided, Sides
from chipledger_book.stock import draw

_MEETING: Final[tuple[type[Listed], ...]] = (ShipmentDeclared, Shipped, TransferOut, RmaOut, RmaIn)
_RANK: Final = {strength: rank for rank, strength in enumerate(Strength)}


def strongest(statements: Iterable[Statement]) -> Strength | None:
    """Return the strongest of some statements, or None of none."""
    return min((one.strength for one in statements), key=_RANK.__getitem__, default=None)


def one_sided(book: Book, site: str, as_of_ms: int, catalogue: Catalogue) -> tuple[OneSided, ...]:
    """Return what parties met over at a site and that both of them have not said, oldest first."""
    entries = [entry for kind in _MEETING for entry in book.moves(site, kind, as_of_ms)]
    entries.sort(key=lambda entry: (entry.event.occurred_at_ms, entry.id))
    views = (_view(entry, book, as_of_ms, catalogue) for entry in entries)
    return tuple(view for view in views if view.sides is not Sides.BOTH)


def _view(entry: Booked[Listed], book: Book, as_of_ms: int, catalogue: Catalogue) -> OneSided:
    answers = book.answers(entry.id, as_of_ms)
    confirmed = [one.event for one in answers if isinstance(one.event, Confirmed)]
    other = OTHER_SIDE.get(type(entry.event))
    words = () if other is None else book.other_words(entry, as_of_ms, other)
    own = [one for one in book.statements(entry.id) if one not in words]
    left = _left(entry, answers, catalogue)
    said_so = bool(words) or any(one.document is None for one in confirmed)
    if not left or (said_so and not isinstance(entry.event, ShipmentDeclared | TransferOut)):
        sides = Sides.BOTH  # what goes to a site of the ledger is there when that site books it
    else:
        accepted = any(one.document is not None for one in confirmed)
        sides = Sides.DOCUMENT if accepted else Sides.OPEN
    said = [*words, *(statement for one in answers for statement in book.statements(one.id))]
    return OneSided(
        event=entry.id,
        type=str(type(entry.event).__struct_config__.tag),
        since_ms=entry.event.occurred_at_ms,
        other=other_side(entry.event),
        sides=sides,
        strength=_text(strongest(own)),
        other_strength=_text(strongest(said)),
        left={} if sides is Sides.BOTH else left,
    )


def _text(strength: Strength | None) -> str | None:
    return None if strength is None else str(strength)


def _left(
    entry: Booked[Listed], answers: Sequence[Booked[Event]], catalogue: Catalogue
) -> dict[str, int]:
    """Return the pieces by model of an event that no arrival of the other side answers."""
    arrived = items_of(
        (
            Booked(id=one.id, event=one.event)
            for one in answers
            if isinstance(one.event, Received | TransferIn)
        ),
        catalogue,
    )
    left: dict[str, int] = {}
    for sku, items in sorted(items_of([entry], catalogue).items()):
        pieces = sum(draw(items, arrived.get(sku, ())).left.values())
        if pieces:
            left[sku] = pieces
    return left


def other_side(event: Event) -> str:
    """Return who the other side of an event is: a party, or a site; empty where it says none."""
    if isinstance(event, ShipmentDeclared | Received):
        return event.shipper or ""
    if isinstance(event, Shipped):
        return event.consignee
    if isinstance(event, TransferOut):
        return event.to_site
    if isinstance(event, RmaOut | RmaIn):
        return event.vendor
    return event.from_site if isinstance(event, TransferIn) else ""


def statement_problems(event: Event, statements: Sequence[Statement]) -> Iterator[Problem]:
    """Yield whether those who stand behind an event are not those who must.

    Events of the first formats (sites, licences, receipts, declarations, corrections) may be
    entered by anybody who may enter; the others need somebody, and some a certain role.
    """
    if not isinstance(event, Movement | Remark):
        return
    if not statements:
        yield Problem(
            code=Code.STATEMENT_MISSING,
            where="statements",
            detail="nobody stands behind this event",
            hint="enter it as somebody, or sign it",
        )
        return
    wanted = _speaker(event)
    if wanted is not None and wanted not in {one.role for one in statements}:
        yield Problem(
            code=Code.STATEMENT_BY_WRONG_ROLE,
            where="statements",
            detail=f"it is for the {wanted} to say, and nobody speaks as that",
            hint=f"enter it as {wanted}",
        )


def _speaker(event: Event) -> Role | None:
    """Return as what somebody must speak to enter an event, where that is not free."""
    if isinstance(event, Confirmed):
        return event.role if event.document is None else Role.AUDITOR
    if isinstance(event, SignedOff):
        return Role(event.role)
    return Role.AUDITOR if isinstance(event, PhysicalInventory) else None
