"""What is on its way: shipments, transfers, exports, and how what arrived differs from them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chipledger_book.events import Event, Received
from chipledger_book.inventory import Listed, items_of
from chipledger_book.ledger import Booked
from chipledger_book.lines import Line
from chipledger_book.movements import (
    Confirmed,
    ReceiptDifference,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    TransferIn,
    TransferOut,
)
from chipledger_book.statements import Role
from chipledger_book.stock import draw
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind, Owner, Wait, WaitKind
from chipledger_book.watch.look import Found, Grounds, Look, form_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leg:
    """One way that chips take, and who says that they arrived."""

    wait: WaitKind
    timer: Timer
    fact: FactKind
    owner: Callable[[Look, Event], Owner]


def _receiver(look: Look, event: Event) -> Owner:
    """Return who has to say that something arrived at a site of this ledger."""
    site = event.to_site if isinstance(event, TransferOut) else look.site
    form = form_of(look.book, site, look.at_ms)
    return Owner(role=Role.CONSIGNEE, party="" if form is None else form.consignee.id)


def _buyer(_: Look, event: Event) -> Owner:
    party = event.consignee if isinstance(event, Shipped) else ""
    return Owner(role=Role.CONSIGNEE, party=party)


_LEGS: Final[Mapping[type[Listed], _Leg]] = {
    ShipmentDeclared: _Leg(
        wait=WaitKind.RECEIPT,
        timer=Timer.RECEIPT,
        fact=FactKind.IN_TRANSIT_LATE,
        owner=_receiver,
    ),
    TransferOut: _Leg(
        wait=WaitKind.TRANSFER,
        timer=Timer.TRANSFER,
        fact=FactKind.TRANSFER_LATE,
        owner=_receiver,
    ),
    Shipped: _Leg(
        wait=WaitKind.EXPORT,
        timer=Timer.EXPORT,
        fact=FactKind.EXPORT_UNCONFIRMED,
        owner=_buyer,
    ),
}

_ANSWERED: Final[tuple[type[Listed], ...]] = (ShipmentDeclared, TransferOut, RmaOut)


def on_the_way(look: Look) -> Iterator[Found]:
    """Yield what waits for the other side of a movement, and what of it is late."""
    for kind, leg in _LEGS.items():
        for entry in look.moves(kind):
            yield from _leg(look, entry, leg)


def _leg(look: Look, entry: Booked[Listed], leg: _Leg) -> Iterator[Found]:
    since = entry.event.occurred_at_ms
    due = look.gauge.due_ms(leg.timer, since)
    if due is None:
        return
    answers = look.book.answers(entry.id, look.at_ms)
    open_now = left_of(look, entry, answers)
    owner = leg.owner(look, entry.event)
    times = [one.event.occurred_at_ms for one in answers]
    done = None if open_now else max(look.confirmed_at(entry) or since, *times, since)
    yield Wait(
        kind=leg.wait,
        site=look.site,
        event=entry.id,
        chip=None,
        key=entry.id,
        owner=owner,
        since_ms=since,
        due_ms=due,
        done_ms=done,
        pieces=sum(open_now.values()),
    )
    if open_now and look.at_ms > due:
        detail = {"to": entry.event.to_site} if isinstance(entry.event, TransferOut) else {}
        yield look.fact(
            leg.fact,
            entry.id,
            Grounds(
                since_ms=since,
                counts=open_now,
                owner=owner,
                events=[entry.id],
                detail={"due_ms": due, **detail},
            ),
        )


def left_of(look: Look, entry: Booked[Listed], answers: Sequence[Booked[Event]]) -> dict[str, int]:
    """Return the chips by model of an event that nobody has said anything about.

    What goes to a site of the ledger is there when that site books it: who only confirms it would
    take chips off one book and put them on none. What a receipt difference names as missing is
    that difference's to settle.
    """
    if isinstance(entry.event, Shipped) and look.confirmed_at(entry) is not None:
        return {}
    if any(isinstance(one.event, Confirmed) and one.event.document for one in answers):
        return {}  # an auditor accepted a paper that says where they are
    left = unanswered(look, entry, answers)
    for one in answers:
        if isinstance(one.event, ReceiptDifference):
            for sku, pieces in counted(look, one, one.event.missing).items():
                left[sku] = max(0, left.get(sku, 0) - pieces)
    return {sku: pieces for sku, pieces in left.items() if pieces}


def unanswered(
    look: Look, entry: Booked[Listed], answers: Sequence[Booked[Event]]
) -> dict[str, int]:
    """Return the chips by model of an event that no arrival answers."""
    arrived = items_of(arrivals(answers), look.gauge.catalogue)
    return {
        sku: sum(draw(items, arrived.get(sku, ())).left.values())
        for sku, items in items_of([entry], look.gauge.catalogue).items()
    }


def arrivals(answers: Iterable[Booked[Event]]) -> Iterator[Booked[Listed]]:
    """Yield those of some answers that put chips on a book."""
    for one in answers:
        if isinstance(one.event, Received | TransferIn | RmaIn):
            yield Booked(id=one.id, event=one.event)


def counted(look: Look, entry: Booked[Event], lines: tuple[Line, ...]) -> Counter[str]:
    """Return the chips by model of lines that an event says something of."""
    found: Counter[str] = Counter()
    if lines:
        event = Received(occurred_at_ms=entry.event.occurred_at_ms, site=look.site, lines=lines)
        found.update(look.pieces(Booked(id=entry.id, event=event)))
    return found


def more_than_shipped(look: Look) -> Iterator[Found]:
    """Yield what arrived for an event beyond what it says was sent."""
    for kind in _ANSWERED:
        for entry in look.moves(kind):
            answers = look.book.answers(entry.id, look.at_ms)
            over = _over(look, entry, answers)
            if over:
                ids = [one.id for one in arrivals(answers)]
                yield look.fact(
                    FactKind.RECEIVED_MORE_THAN_SHIPPED,
                    entry.id,
                    Grounds(
                        since_ms=max(one.event.occurred_at_ms for one in arrivals(answers)),
                        counts=over,
                        owner=look.consignee,
                        events=[entry.id, *ids],
                    ),
                )


def _over(look: Look, entry: Booked[Listed], answers: Sequence[Booked[Event]]) -> dict[str, int]:
    """Return the chips that arrived and were not sent; what a vendor sends is compared by number.

    A replacement has another serial, and may be another model.
    """
    arrived = items_of(arrivals(answers), look.gauge.catalogue)
    sent = items_of([entry], look.gauge.catalogue)
    if isinstance(entry.event, RmaOut):
        number = sum(item.chips for items in arrived.values() for item in items)
        over = number - sum(item.chips for items in sent.values() for item in items)
        return {max(arrived): over} if over > 0 else {}
    found = {
        sku: sum(draw(sent.get(sku, ()), items).short.values()) for sku, items in arrived.items()
    }
    return {sku: pieces for sku, pieces in found.items() if pieces}
