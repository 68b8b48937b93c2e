"""What lay under a seal until lately, and so had no time yet to answer."""

from collections import Counter
from collections.abc import Iterable, Iterator

from chipledger_book.inventory import items_of
from chipledger_book.ledger import Booked
from chipledger_book.matching import KINDS, Item
from chipledger_book.movements import Stored, Unstored
from chipledger_book.timers import Timer
from chipledger_book.watch.look import Look
from chipledger_book.watch.standing import Standing


def just_unsealed(look: Look, standing: Standing) -> Counter[str]:
    """Return key of an arrival → chips of it that never answered and came from under a seal lately.

    By name where papers give one; by number the youngest arrivals that the seal can have held.
    """
    never = [standing.arrived[key] for key, chips in standing.never.items() if chips]
    never.sort(key=lambda item: (item.occurred_at_ms, item.key), reverse=True)
    left, found = Counter(standing.never), Counter[str]()
    for item in _released(look, standing.model.sku.sku) if never else ():
        chips = item.chips
        for other in _alike(item, never):
            taken = min(chips, left[other.key])
            left[other.key] -= taken
            found[other.key] += taken
            chips -= taken
    return found


def _released(look: Look, sku: str) -> Iterator[Item]:
    """Yield what was under a seal that was taken off no longer ago than a chip may be absent."""
    for entry in look.moves(Stored):
        ended = [
            one.event.occurred_at_ms
            for one in look.book.answers(entry.id, look.at_ms)
            if isinstance(one.event, Unstored)
        ]
        if ended and not look.gauge.past(Timer.ABSENCE, min(ended)):
            listed = [Booked(id=entry.id, event=entry.event)]
            yield from items_of(listed, look.gauge.catalogue).get(sku, ())


def _alike(item: Item, others: Iterable[Item]) -> Iterator[Item]:
    """Yield the things that a stored one can have been: of its name, or of none to compare."""
    for other in others:
        common = next((kind for kind in KINDS if kind in item.names and kind in other.names), None)
        if other.occurred_at_ms <= item.occurred_at_ms and (
            common is None or item.names[common] == other.names[common]
        ):
            yield other
