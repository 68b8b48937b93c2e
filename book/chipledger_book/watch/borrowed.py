"""Chips that came shortly before an inspection and were gone shortly after it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chipledger_book.inventory import Listed, items_of
from chipledger_book.ledger import Booked
from chipledger_book.matching import KINDS
from chipledger_book.movements import (
    Decommissioned,
    Destroyed,
    LostOrStolen,
    PhysicalInventory,
    RmaOut,
    Shipped,
    SignedOff,
    Stored,
    TransferOut,
)
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind
from chipledger_book.watch.history import label
from chipledger_book.watch.look import Found, Grounds
from chipledger_book.watch.times import plain_ms
from chipledger_book.watch.vanishing import Past
from chipledger_book.watch.view import View

_LEFT: tuple[type[Listed], ...] = (
    Shipped,
    TransferOut,
    RmaOut,
    Stored,
    Decommissioned,
    Destroyed,
    LostOrStolen,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """One time that a chip was at the site and went again.

    Attributes:
        name: the chip by name.
        from_ms: first fresh sighting.
        until_ms: last fresh sighting; it was away for longer than a chip may be after it.
    """

    name: str
    from_ms: int
    until_ms: int

    def only_around(self, at_ms: int, around_ms: int) -> bool:
        """Tell whether a chip was there at a time, and not long before or after it."""
        return at_ms - around_ms <= self.from_ms <= at_ms <= self.until_ms <= at_ms + around_ms


def borrowed(view: View) -> Iterator[Found]:
    """Yield, by inspection, the chips that were at the site only around it.

    Whether they are on the book makes no difference; that a paper says they left does. A chip
    has gone when it was away for longer than a chip may be absent.
    """
    times = [
        (entry.event.occurred_at_ms, entry.id)
        for kind in (PhysicalInventory, SignedOff)
        for entry in view.moves(kind)
    ]
    visits = _visits(view) if times else {}
    for at_ms, event in times:
        limit = view.gauge.limit(Timer.INSPECTION, at_ms)
        if limit is None:
            continue
        around = plain_ms(at_ms, limit)
        found = {
            sku: short
            for sku, some in visits.items()
            if (short := [one for one in some if one.only_around(at_ms, around)])
        }
        if found:
            yield _fact(view, event, found)


def _fact(view: View, event: str, found: Mapping[str, Sequence[_Visit]]) -> Found:
    visits = [visit for some in found.values() for visit in some]
    return view.fact(
        FactKind.BORROWED_HARDWARE,
        event,
        Grounds(
            since_ms=min(visit.from_ms for visit in visits),
            counts={sku: len(some) for sku, some in found.items()},
            owner=view.operator,
            events=[event],
            chips=[visit.name for visit in visits],
            detail={
                "first_seen_ms": min(visit.from_ms for visit in visits),
                "last_seen_ms": max(visit.until_ms for visit in visits),
            },
        ),
    )


def _visits(view: View) -> dict[str, list[_Visit]]:
    """Return, by model, the visits that ended, of chips that no paper took away."""
    gone_by_paper = _papers(view)
    found: dict[str, list[_Visit]] = defaultdict(list)
    for sku, standing in view.standings.items():
        for past in standing.past.values():
            names = ((kind, getattr(past.chip, kind)) for kind in KINDS)
            if not any(name in gone_by_paper for name in names):
                found[sku].extend(_of_chip(view, past))
    return found


def _of_chip(view: View, past: Past) -> Iterator[_Visit]:
    """Yield the visits of one chip that ended: what lies between two long absences."""
    begin, end = None, 0
    for start, until in past.runs:
        if begin is not None and _away(view, end, start):
            yield _Visit(name=label(past.chip), from_ms=begin, until_ms=end)
            begin = None
        begin, end = start if begin is None else begin, max(end, until)
    if begin is not None and _away(view, end, view.at_ms):
        yield _Visit(name=label(past.chip), from_ms=begin, until_ms=end)


def _away(view: View, last_ms: int, at_ms: int) -> bool:
    """Tell whether a chip seen last at one time is gone at another."""
    due = view.gauge.due_ms(Timer.ABSENCE, last_ms)
    return due is not None and at_ms > due


def _papers(view: View) -> set[tuple[str, str]]:
    """Return the names of all things that papers say have left or rest."""
    entries = (
        Booked(id=entry.id, event=entry.event) for kind in _LEFT for entry in view.moves(kind)
    )
    models = items_of(entries, view.gauge.catalogue)
    return {named for items in models.values() for item in items for named in item.names.items()}
