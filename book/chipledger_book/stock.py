"""What is on the book of a site: what arrived, less what left, thing by thing.

The columns are sums of events. Which arrived thing a leaving one was is found by the rule of
:mod:`chipledger_book.matching`: equal names of the strongest common kind are the same thing,
different ones are not, and things without a common kind of name are drawn by number.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace as replaced

from chipledger_book.catalogue import Catalogue
from chipledger_book.events import Received, Role
from chipledger_book.inventory import Listed, items_of
from chipledger_book.ledger import Book, Booked
from chipledger_book.matching import KINDS, Flow, Group, Item, Kinds
from chipledger_book.movements import (
    Confirmed,
    Decommissioned,
    Destroyed,
    RmaIn,
    RmaOut,
    Shipped,
    Stored,
    TransferIn,
    TransferOut,
    Unstored,
)
from chipledger_book.terms import EventId

ALWAYS: Final = 2**53 - 1
"""A time after every event."""

ARRIVING: Final[Mapping[str, tuple[type[Listed], ...]]] = {
    "received": (Received,),
    "transfer_in": (TransferIn,),
    "rma_in": (RmaIn,),
}
LEAVING: Final[Mapping[str, tuple[type[Listed], ...]]] = {
    "shipped": (Shipped,),
    "transfer_out": (TransferOut,),
    "rma_out": (RmaOut,),
    "disposed": (Decommissioned, Destroyed),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is left of things after others were taken out of them.

    Attributes:
        left: key of a thing → chips left of it.
        short: key of what was taken → chips of it that were nowhere to be taken from.
    """

    left: dict[str, int]
    short: dict[str, int]


@dataclass(slots=True, kw_only=True)
class ModelStock:
    """One model on the book of one site.

    Attributes:
        columns: column → the things of its events.
        items: what is left of the arrivals, things without chips left out.
        overdrawn: chips that left and that the book did not have.
        by_number: whether something left of which no name tells what it was.
        stored: things under seal.
        swapped: key of an RMA arrival → chips of it that stand for chips the vendor has.
    """

    columns: dict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))
    items: list[Item] = field(default_factory=list)
    overdrawn: int = 0
    by_number: bool = False
    stored: list[Item] = field(default_factory=list)
    swapped: dict[str, int] = field(default_factory=dict)

    def arrivals(self) -> list[Item]:
        """Return everything that ever arrived; what left since stays in it."""
        return [item for column in ARRIVING for item in self.columns.get(column, ())]

    def departures(self) -> list[Item]:
        """Return everything that left."""
        return [item for column in LEAVING for item in self.columns.get(column, ())]

    def settle(self) -> None:
        """Take what left out of what arrived."""
        self.items = self.arrivals()
        gone = self.departures()
        if not gone:
            return
        drawn = draw_named(self.items, gone)
        self.by_number = any(drawn.short.values())
        if self.by_number:
            drawn = draw(self.items, gone)
        left = (changed(item, drawn.left[item.key]) for item in self.items)
        self.items = [item for item in left if item.chips]
        self.overdrawn = sum(drawn.short.values())


def stock_of(
    book: Book,
    site: str,
    as_of_ms: int,
    catalogue: Catalogue,
    *,
    trial: Booked[Listed] | None = None,
    open_rma: bool = False,
) -> dict[str, ModelStock]:
    """Return what is on the book of a site at a time, by model.

    Args:
        book: the ledger.
        site: which site.
        as_of_ms: what was true at.
        catalogue: what models and units hold.
        trial: an event that is not in the book, added as if it were.
        open_rma: whether chips sent back to a vendor are out although the vendor's side is open;
            for asking whether something can leave, because nothing leaves twice.

    Raises:
        BookError: as :func:`chipledger_book.inventory.items_of`.
    """
    found: dict[str, ModelStock] = defaultdict(ModelStock)
    for column, kinds in (*ARRIVING.items(), *LEAVING.items()):
        entries = list(_entries(book, site, as_of_ms, kinds))
        if kinds == (RmaOut,) and not open_rma:
            entries = list(_taken_back(book, entries, as_of_ms))
        if trial is not None and isinstance(trial.event, kinds):
            entries.append(trial)
        for sku, items in items_of(entries, catalogue).items():
            found[sku].columns[column].extend(items)
    for sku, items in items_of(_sealed(book, site, as_of_ms), catalogue).items():
        found[sku].stored.extend(items)
    _swap(book, site, as_of_ms, found)
    for stock in found.values():
        stock.settle()
    return found


def _entries(
    book: Book, site: str, as_of_ms: int, kinds: Iterable[type[Listed]]
) -> Iterable[Booked[Listed]]:
    for kind in kinds:
        yield from book.moves(site, kind, as_of_ms)


def _taken_back(
    book: Book, entries: Iterable[Booked[Listed]], as_of_ms: int
) -> Iterable[Booked[Listed]]:
    """Yield the RMAs whose vendor's side stands, at the time since when both sides do."""
    for entry in entries:
        times = [
            answer.event.occurred_at_ms
            for answer in book.answers(entry.id, as_of_ms)
            if isinstance(answer.event, Confirmed)
        ]
        times += [one.stated_at_ms for one in book.other_words(entry, as_of_ms, Role.VENDOR)]
        if times:
            since = max(entry.event.occurred_at_ms, min(times))
            yield Booked(id=entry.id, event=replaced(entry.event, occurred_at_ms=since))


def _sealed(book: Book, site: str, as_of_ms: int) -> Iterable[Booked[Listed]]:
    """Yield what was stored and whose seal nobody took off."""
    for entry in book.moves(site, Stored, as_of_ms):
        answers = book.answers(entry.id, as_of_ms)
        if not any(isinstance(answer.event, Unstored) for answer in answers):
            yield entry


def _swap(book: Book, site: str, as_of_ms: int, found: Mapping[str, ModelStock]) -> None:
    """Net what came back from a vendor, one for one, against what the vendor has taken back."""
    out_of = {entry.id: str(entry.event.answers) for entry in book.moves(site, RmaIn, as_of_ms)}
    for stock in found.values():
        budget: dict[str, int] = defaultdict(int)
        for item in stock.columns.get("rma_out", ()):
            budget[item.event] += item.chips
        for item in sorted(stock.columns.get("rma_in", ()), key=_oldest):
            rma = out_of.get(EventId(item.event), "")
            swapped = min(item.chips, budget[rma])
            budget[rma] -= swapped
            stock.swapped[item.key] = swapped


def draw(
    items: Iterable[Item], taken: Iterable[Item], *, spare: Mapping[str, int] | None = None
) -> Drawn:
    """Take things out of others; the numbers do not depend on the order of either side.

    Args:
        items: what is there.
        taken: what is taken, by name where both sides have names of a kind, else by number.
        spare: key of a thing → chips of it that may be taken by number before all others.
    """
    booked = sorted(items, key=_oldest)
    out = sorted(taken, key=_oldest)
    result = _draw_named(booked, out)
    rest = [item for item in out if result.short[item.key]]
    if rest:
        _draw_by_count(booked, rest, result, result.left if spare is None else spare)
    return result


def draw_named(items: Iterable[Item], taken: Iterable[Item]) -> Drawn:
    """Take things out of others by name alone."""
    return _draw_named(sorted(items, key=_oldest), sorted(taken, key=_oldest))


def _draw_named(booked: Sequence[Item], out: Sequence[Item]) -> Drawn:
    result = Drawn(
        left={item.key: item.chips for item in booked},
        short={item.key: item.chips for item in out},
    )
    if out:
        _draw_by_name(booked, out, result)
    return result


def _oldest(item: Item) -> tuple[int, str]:
    return item.occurred_at_ms, item.key


def _draw_by_name(booked: Sequence[Item], out: Sequence[Item], result: Drawn) -> None:
    asked = {named for gone in out for named in gone.names.items()}
    by_name: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in booked:
        for named in item.names.items():
            if named in asked:
                by_name[named].append(item)
    for kind in KINDS:
        for gone in out:
            for item in by_name.get((kind, gone.names.get(kind, "")), ()):
                if _strongest_common(item, gone) == kind:
                    chips = min(result.left[item.key], result.short[gone.key])
                    result.left[item.key] -= chips
                    result.short[gone.key] -= chips


def _strongest_common(one: Item, other: Item) -> str | None:
    return next((kind for kind in KINDS if kind in one.names and kind in other.names), None)


def _draw_by_count(
    booked: Sequence[Item], out: Sequence[Item], result: Drawn, spare: Mapping[str, int]
) -> None:
    """Take what is left from things it cannot be compared with: spare ones, then the oldest."""
    places: dict[Kinds, list[Item]] = defaultdict(list)
    for item in booked:
        if result.left[item.key]:
            places[frozenset(item.names)].append(item)
    groups: dict[Group, list[Item]] = defaultdict(list)
    for gone in out:
        groups[0, frozenset(gone.names)].append(gone)
    easy = {item.key: min(result.left[item.key], spare.get(item.key, 0)) for item in booked}
    flow = Flow({kinds: sum(easy[one.key] for one in at) for kinds, at in places.items()})
    order = sorted(groups, key=lambda group: sorted(group[1]))
    for group in order:
        flow.fill(group, sum(result.short[gone.key] for gone in groups[group]))
    for kinds, at in places.items():
        flow.free[kinds] += sum(result.left[one.key] - easy[one.key] for one in at)
    for group in order:
        wanted = sum(result.short[gone.key] for gone in groups[group])
        flow.fill(group, wanted - sum(flow.sent.get((group, kinds), 0) for kinds in places))
    for group in order:
        for kinds in sorted(places, key=sorted):
            _hand_over(
                groups[group], places[kinds], flow.sent.get((group, kinds), 0), result, easy=easy
            )


def _hand_over(
    members: Sequence[Item],
    at: Sequence[Item],
    chips: int,
    result: Drawn,
    *,
    easy: dict[str, int],
) -> None:
    """Take a number of chips out of the things at one place for the members of one group."""
    taking = (gone for gone in members if result.short[gone.key])
    gone = next(taking, None)
    for spared in (True, False):
        for item in at:
            can = easy[item.key] if spared else result.left[item.key]
            while can and chips and gone is not None:
                moved = min(chips, can, result.short[gone.key])
                result.left[item.key] -= moved
                result.short[gone.key] -= moved
                chips -= moved
                can -= moved
                if not result.short[gone.key]:
                    gone = next(taking, None)
            if spared:
                easy[item.key] = can


def changed(item: Item, chips: int) -> Item:
    """Return a thing with another number of chips."""
    return item if item.chips == chips else replaced(item, chips=chips)
