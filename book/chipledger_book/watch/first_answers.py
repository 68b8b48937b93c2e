"""Of things known by number alone: which arrivals have not answered.

As many answered as chips did, the oldest arrivals first: a receipt by number waits for its own
chips until later ones come. A repaired board comes back from its vendor as what it was, and a
server from another site: one chip then has answered for two arrivals. By number, nothing but the
time tells it: the chip was away when the arrival came.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from chipledger_book.matching import Item, Matching
from chipledger_book.stock import ModelStock
from chipledger_book.watch.vanishing import Past

_RETURNING = ("rma_in", "transfer_in")


def came_again(
    stock: ModelStock, ever: Matching, past: Mapping[str, Past], counted: Collection[str]
) -> int:
    """Return how many chips answered for a thing known by number before they came again.

    Args:
        stock: the model on the book.
        ever: which chip filled which arrival.
        past: chip id → history.
        counted: keys of the things that are known by number alone.
    """
    arrived = {item.key: item for item in stock.arrivals()}
    named = sum(
        key not in counted and past[chip].first_ms < arrived[key].occurred_at_ms
        for chip, key in ever.by_identity.items()
    )
    pauses = sorted(pause for chip in ever.by_count for pause in _pauses(past[chip]))
    back = sorted(
        item.occurred_at_ms
        for column in _RETURNING
        for item in stock.columns.get(column, ())
        for _ in range(item.chips if item.key in counted else 0)
    )
    return named + _within(pauses, back)


def _pauses(past: Past) -> Iterator[tuple[int, int]]:
    """Yield when a chip was away between two runs."""
    end: int | None = None
    for start, until in past.runs:
        if end is not None and start > end:
            yield start, end
        end = until if end is None else max(end, until)


def _within(pauses: list[tuple[int, int]], times: list[int]) -> int:
    """Return how many times lie in a pause of their own, the pauses that end first being used."""
    left, found = list(pauses), 0
    for time in times:
        place = next(
            (at for at, (start, end) in enumerate(left) if end <= time <= start), None
        )
        if place is not None:
            del left[place]
            found += 1
    return found


def by_number(
    stock: ModelStock, counted: Collection[str], holes: Mapping[str, int], *, unanswered: int
) -> tuple[Counter[str], Counter[str]]:
    """Return the holes, and those of them that never answered, by the arrivals they are of.

    What rests under seal, or left without having answered, was of the youngest arrivals of its
    time; what is on the book and never answered is of the youngest of the others.

    Args:
        stock: the model on the book.
        counted: keys of the things that are known by number alone.
        holes: key → chips on the book that do not answer; of things with a name as they are.
        unanswered: chips of all counted things that never answered, on the book or not.
    """
    found = Counter({key: chips for key, chips in holes.items() if key not in counted})
    arrivals = sorted(
        (item for item in stock.arrivals() if item.key in counted),
        key=lambda item: (item.occurred_at_ms, item.key),
        reverse=True,
    )
    room = Counter({item.key: item.chips for item in arrivals})
    total = sum(holes[key] for key in counted if key in holes)
    never = min(total, unanswered)
    away = sorted(stock.departures(), key=lambda item: -item.occurred_at_ms)
    elsewhere = unanswered - never
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
