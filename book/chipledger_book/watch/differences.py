"""How what arrived differs from what was declared, and what is not settled of it."""

from collections import Counter
from collections.abc import Iterator

from chipledger_book.events import Received
from chipledger_book.inventory import items_of
from chipledger_book.ledger import Booked
from chipledger_book.lines import Line
from chipledger_book.movements import ReceiptDifference, ShipmentDeclared, TransferOut
from chipledger_book.statements import Role
from chipledger_book.stock import draw
from chipledger_book.terms import EventId
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind, Owner, Wait, WaitKind
from chipledger_book.watch.look import Found, Grounds, Look, form_of
from chipledger_book.watch.transit import counted, unanswered

_SENDERS = (Role.SHIPPER, Role.VENDOR)


def differences(look: Look) -> Iterator[Found]:
    """Yield the differences on receipt that wait to be settled, and those that are late.

    Settled is what was missing and arrived, what was unexpected and is received on paper, and
    all of it once the sender stands behind it.
    """
    for entry in look.moves(ReceiptDifference):
        due = look.gauge.due_ms(Timer.DIFFERENCE, entry.event.occurred_at_ms)
        if due is not None:
            yield from _difference(look, entry, due)


def _difference(look: Look, entry: Booked[ReceiptDifference], due: int) -> Iterator[Found]:
    said = _agreed_at(look, entry)
    counts = _open(look, entry) if said is None else {}
    owner = _sender(look, entry)
    yield Wait(
        kind=WaitKind.DIFFERENCE,
        site=look.site,
        event=entry.id,
        chip=None,
        key=entry.id,
        owner=owner,
        since_ms=entry.event.occurred_at_ms,
        due_ms=due,
        done_ms=None if counts else (said or _settled_at(look, entry)),
        pieces=sum(counts.values()),
    )
    if counts and look.at_ms > due:
        yield look.fact(
            FactKind.RECEIPT_DIFFERENCE,
            entry.id,
            Grounds(
                since_ms=entry.event.occurred_at_ms,
                counts=counts,
                owner=owner,
                events=[entry.id, entry.event.answers],
                detail={
                    "due_ms": due,
                    "missing": _number(look, entry, entry.event.missing),
                    "unexpected": _number(look, entry, entry.event.unexpected),
                    "damaged": _number(look, entry, entry.event.damaged),
                },
            ),
        )


def _open(look: Look, entry: Booked[ReceiptDifference]) -> dict[str, int]:
    """Return the chips by model that are still missing, and those that are on no paper."""
    found = Counter[str]()
    first = look.book.event(EventId(entry.event.answers))
    if isinstance(first, ShipmentDeclared | TransferOut):
        shipment = Booked(id=EventId(entry.event.answers), event=first)
        answers = look.book.answers(shipment.id, look.at_ms)
        left = unanswered(look, Booked(id=shipment.id, event=first), answers)
        for sku, pieces in counted(look, entry, entry.event.missing).items():
            found[sku] += min(pieces, left.get(sku, 0))
    found.update(_unbooked(look, entry))
    return dict(+found)


def _unbooked(look: Look, entry: Booked[ReceiptDifference]) -> Counter[str]:
    """Return what was found and not declared, less what was received on paper since."""
    found = Counter[str]()
    if not entry.event.unexpected:
        return found
    since = entry.event.occurred_at_ms
    event = Received(occurred_at_ms=since, site=look.site, lines=entry.event.unexpected)
    catalogue = look.gauge.catalogue
    later = [
        one
        for one in look.moves(Received)
        if one.event.occurred_at_ms >= since and one.event.answers != entry.event.answers
    ]
    booked = items_of(later, catalogue)
    for sku, items in items_of([Booked(id=entry.id, event=event)], catalogue).items():
        found[sku] += sum(draw(items, booked.get(sku, ())).left.values())
    return found


def _number(look: Look, entry: Booked[ReceiptDifference], lines: tuple[Line, ...]) -> int:
    return sum(counted(look, entry, lines).values())


def _agreed_at(look: Look, entry: Booked[ReceiptDifference]) -> int | None:
    """Return when the sender first stood behind a difference, or None."""
    times = (
        one.stated_at_ms
        for one in look.book.statements(entry.id)
        if one.role in _SENDERS and one.stated_at_ms <= look.at_ms
    )
    return min(times, default=None)


def _settled_at(look: Look, entry: Booked[ReceiptDifference]) -> int:
    """Return when the last event came that a settled difference waited for."""
    answers = look.book.answers(EventId(entry.event.answers), look.at_ms)
    times = [one.event.occurred_at_ms for one in (*answers, *look.moves(Received))]
    return max(entry.event.occurred_at_ms, max(times, default=0))


def _sender(look: Look, entry: Booked[ReceiptDifference]) -> Owner:
    first = look.book.event(EventId(entry.event.answers))
    if isinstance(first, TransferOut):
        form = form_of(look.book, first.site, look.at_ms)
        return Owner(role=Role.OPERATOR, party="" if form is None else form.operator.id)
    party = first.shipper if isinstance(first, ShipmentDeclared) else ""
    return Owner(role=Role.SHIPPER, party=party)
