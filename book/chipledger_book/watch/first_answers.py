"""Of things known by number alone: which arrivals have not answered.

As many answered as chips did, the oldest arrivals first: a receipt by number waits for its own
chips until later ones come. A repaired board comes back from its vendor as what it was, and a
server from another site: one chip then has answered for two arrivals. By number, nothing but the
time tells it: the chip was away when the arrival came.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chipledger_book.matching import KINDS, Item
from chipledger_book.movements import RmaIn
from chipledger_book.stock import ModelStock
from chipledger_book.terms import EventId
from chipledger_book.watch.look import Look
from chipledger_book.watch.vanishing import Past

_RETURNING: Final = ("rma_in", "transfer_in")
_OF_CHIPS: Final = frozenset(KINDS[:3])
"""Kinds of names by which one chip is told from another."""


def by_number_only(item: Item) -> bool:
    """Tell whether a thing has no name by which a chip could be it."""
    return _OF_CHIPS.isdisjoint(item.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A chip that left by number and came again: it answered for the first arrival too.

    Attributes:
        chip: its id.
        out: id of the event by which it left.
    """

    chip: str
    out: str


def came_again(look: Look, stock: ModelStock, past: Mapping[str, Past]) -> list[Again]:
    """Return the chips that answered, left, and came back from a vendor or another site.

    By name where papers give one; by number the chip that was away from before it left on paper
    until after it arrived, the one that answered soonest after it first.
    """
    sent = _sent(look, stock)
    back = sorted(
        (item for column in _RETURNING for item in stock.columns.get(column, ())),
        key=lambda item: (item.occurred_at_ms, item.key),
    )
    named = {
        (kind, name): chip_id
        for chip_id, one in past.items()
        for kind in KINDS[:3]
        if (name := getattr(one.chip, kind))
    }
    pauses = sorted((end, start, chip) for chip, one in past.items() for start, end in _pauses(one))
    found: list[Again] = []
    for item in back:
        out_ms, out = sent.get(item.event, (None, ""))
        names = [named[pair] for pair in item.names.items() if pair in named]
        if names:
            if past[names[0]].first_ms < item.occurred_at_ms:
                found.append(Again(chip=names[0], out=out))
        elif out_ms is not None and by_number_only(item):
            found += _away(pauses, (out_ms, item.occurred_at_ms), item.chips, out)
    return found


def _sent(look: Look, stock: ModelStock) -> dict[str, tuple[int | None, str]]:
    """Return, for each event by which chips came back, when and by which event they had left."""
    found: dict[str, tuple[int | None, str]] = {}
    for entry in look.moves(RmaIn):
        first = look.book.event(EventId(entry.event.answers))
        at_ms = None if first is None else first.occurred_at_ms
        found[entry.id] = at_ms, str(entry.event.answers)
    left = [(item.occurred_at_ms, item.event) for item in stock.columns.get("transfer_out", ())]
    for item in stock.columns.get("transfer_in", ()):
        before = [one for one in left if one[0] <= item.occurred_at_ms]
        found[item.event] = max(before, default=(None, ""))
    return found


def _away(
    pauses: list[tuple[int, int, str]], span: tuple[int, int], chips: int, out: str
) -> list[Again]:
    """Take the pauses that hold a span of time, those that end first."""
    whole = [one for one in pauses if one[1] <= span[0] and span[1] <= one[0]][:chips]
    for one in whole:
        pauses.remove(one)
    return [Again(chip=chip, out=out) for _, _, chip in whole]


def _pauses(past: Past) -> Iterator[tuple[int, int]]:
    """Yield when a chip was away between two runs."""
    end: int | None = None
    for start, until in past.runs:
        if end is not None and start > end:
            yield end, start
        end = until if end is None else max(end, until)


def by_number(
    stock: ModelStock,
    counted: Collection[str],
    holes: Mapping[str, int],
    *,
    unanswered: int,
    vanished: int,
    rests: int,
) -> tuple[Counter[str], Counter[str]]:
    """Return the holes, and those of them that never answered, by the arrivals they are of.

    What rests under seal, or left without having answered, was of the youngest arrivals of its
    time; what is on the book and never answered is of the youngest of the others.

    Args:
        stock: the model on the book.
        counted: keys of the things that are known by number alone.
        holes: key → chips on the book that do not answer; of things with a name as they are.
        unanswered: chips of all counted things that never answered, on the book or not.
        vanished: chips that answered, are gone, and that no paper accounts for.
        rests: chips by number under seal.
    """
    found = Counter({key: chips for key, chips in holes.items() if key not in counted})
    arrivals = sorted(
        (item for item in stock.arrivals() if item.key in counted),
        key=lambda item: (item.occurred_at_ms, item.key),
        reverse=True,
    )
    room = Counter({item.key: item.chips for item in arrivals})
    total = sum(holes[key] for key in counted if key in holes)
    never = min(total, max(total - vanished, unanswered - rests, 0))
    away = sorted(stock.departures(), key=lambda item: -item.occurred_at_ms)
    elsewhere = max(0, unanswered - never)
    for item in (*stock.stored, *away):
        before = (one for one in arrivals if one.occurred_at_ms <= item.occurred_at_ms)
        elsewhere -= sum(_take(before, room, min(item.chips, elsewhere)).values())
    young = _take(arrivals, room, never)
    return +(found + young + _take(reversed(arrivals), room, total - never)), young


def _take(items: Iterable[Item], room: Counter[str], chips: int) -> Counter[str]:
    """Take chips out of what room some things have, in their order, and return whose they are."""
    taken = Counter[str]()
    for item in items:
        taken[item.key] = min(chips, room[item.key])
        room[item.key] -= taken[item.key]
        chips -= taken[item.key]
    return +taken
