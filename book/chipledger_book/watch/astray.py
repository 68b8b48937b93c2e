"""Where chips answer that ought to answer elsewhere, or not at all."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chipledger_book.events import Event
from chipledger_book.inventory import Listed, items_of
from chipledger_book.ledger import Booked
from chipledger_book.matching import KINDS, Item
from chipledger_book.movements import (
    Decommissioned,
    Destroyed,
    RmaOut,
    Shipped,
    Stored,
    TransferOut,
    Unstored,
)
from chipledger_book.physical import Stay
from chipledger_book.terms import EventId
from chipledger_book.timers import Timer
from chipledger_book.watch.look import Look
from chipledger_book.watch.standing import Absence, Standing

ASKED: Final = KINDS[:3]
"""Kinds of names by which a chip is found wherever it is."""

_LEFT: Final[tuple[type[Listed], ...]] = (
    Shipped,
    TransferOut,
    RmaOut,
    Decommissioned,
    Destroyed,
    Stored,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """A chip on the book of one site that answers at another.

    Attributes:
        item: the booked thing.
        stay: where it answers.
    """

    item: Item
    stay: Stay


@dataclass(slots=True, kw_only=True)
class Elsewhere:
    """All chips of a site that answer at others.

    Attributes:
        by_model: model → what is away.
        never: key of a thing that never answered here → chips of it that answer elsewhere.
    """

    by_model: dict[str, list[Away]] = field(default_factory=lambda: defaultdict(list))
    never: Counter[str] = field(default_factory=Counter)
    _absent: set[str] = field(default_factory=set)

    def explains(self, absence: Absence) -> bool:
        """Tell whether an absent chip answers elsewhere."""
        return absence.chip is not None and absence.chip.chip_id in self._absent

    def add_absent(self, sku: str, away: Away) -> None:
        """Take up a chip that once answered here."""
        self._absent.add(away.stay.chip_id)
        self.by_model[sku].append(away)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """An event by which chips left, or came to rest, and those of them that answer since.

    Attributes:
        entry: the event.
        chips: model → sightings of chips after it, one a chip, the longest into the present.
    """

    entry: Booked[Listed]
    chips: Mapping[str, Sequence[Stay]]


def elsewhere(look: Look, standings: Mapping[str, Standing]) -> Elsewhere:
    """Return the chips on the book of a site that answer at another, and not here."""
    stays = _stays_by_name(look, _wanted(standings.values()))
    by_chip = {stay.chip_id: stay for stay in _newest(stays.values(), away_from=look.site)}
    found = Elsewhere()
    for sku, standing in standings.items():
        for absence in standing.absences:
            stay = None if absence.chip is None else by_chip.get(absence.chip.chip_id)
            if stay is not None and stay.until_ms > absence.since_ms:
                found.add_absent(sku, Away(item=absence.item, stay=stay))
        for key, chips in standing.never.items():
            item = standing.arrived[key]
            for stay in _of_item(item, stays, by_chip)[:chips]:
                found.by_model[sku].append(Away(item=item, stay=stay))
                found.never[key] += 1
    return found


def _wanted(standings: Iterable[Standing]) -> set[str]:
    """Return the names of all booked chips that do not answer here."""
    names: set[str] = set()
    for standing in standings:
        for absence in standing.absences:
            if absence.chip is not None:
                names.update(name for kind in ASKED if (name := getattr(absence.chip, kind)))
        for key in standing.never:
            names.update(_names(standing.arrived[key]))
    return names


def _names(item: Item) -> Iterator[str]:
    return (item.names[kind] for kind in ASKED if kind in item.names)


def _stays_by_name(look: Look, names: Collection[str]) -> dict[str, list[Stay]]:
    """Return the stays of named chips anywhere, by each of their names."""
    found: dict[str, list[Stay]] = defaultdict(list)
    if names:
        for stay in look.scene.stays_of(names):
            for name in {getattr(stay, kind) for kind in ASKED} - {None}:
                if name in names:
                    found[name].append(stay)
    return found


def _newest(groups: Iterable[Sequence[Stay]], *, away_from: str) -> Iterator[Stay]:
    """Yield the newest stay of each chip, if it is at another site."""
    newest: dict[str, Stay] = {}
    for stays in groups:
        for stay in stays:
            other = newest.setdefault(stay.chip_id, stay)
            newest[stay.chip_id] = max(other, stay, key=recency)
    return (stay for stay in newest.values() if stay.site != away_from)


def recency(stay: Stay) -> tuple[int, int, str, str]:
    """Return what stays are ordered by: how late they last, then in one way for all."""
    return stay.until_ms, stay.from_ms, stay.site, stay.host


def _of_item(
    item: Item, stays: Mapping[str, Sequence[Stay]], newest: Mapping[str, Stay]
) -> list[Stay]:
    """Return the newest stays of the chips that are one booked thing, after it arrived."""
    chips = {
        stay.chip_id
        for name in _names(item)
        for stay in stays.get(name, ())
        if _same(item, stay) and stay.chip_id in newest
    }
    found = (newest[chip] for chip in sorted(chips))
    return [stay for stay in found if stay.until_ms > item.occurred_at_ms]


def _same(item: Item, stay: Stay) -> bool:
    """Tell whether a booked thing and a seen chip bear the same strongest common name."""
    for kind in KINDS:
        name = getattr(stay, kind)
        if name and kind in item.names:
            return bool(item.names[kind] == name)
    return False


def departures(look: Look) -> tuple[Departure, ...]:
    """Return what left or rests by name and answers since, longer after it than it may."""
    entries = [entry for entry in _entries(look) if look.at_ms > entry.event.occurred_at_ms]
    things = {entry.id: items_of([entry], look.gauge.catalogue) for entry in entries}
    names = {
        name
        for models in things.values()
        for items in models.values()
        for item in items
        for name in _names(item)
    }
    stays = _stays_by_name(look, names)
    found = (
        Departure(
            entry=entry,
            chips={
                sku: chips
                for sku, items in things[entry.id].items()
                if (chips := list(_seen_since(look, entry, items, stays)))
            },
        )
        for entry in entries
    )
    return tuple(one for one in found if one.chips)


def _entries(look: Look) -> Iterator[Booked[Listed]]:
    for kind in _LEFT:
        for entry in look.moves(kind):
            answers = look.book.answers(entry.id, look.at_ms)
            if not any(isinstance(one.event, Unstored) for one in answers):
                yield entry


def _seen_since(
    look: Look,
    entry: Booked[Listed],
    items: Iterable[Item],
    stays: Mapping[str, Sequence[Stay]],
) -> Iterator[Stay]:
    """Yield one sighting of each chip that answers although an event says that it left."""
    left_ms = entry.event.occurred_at_ms
    unplugged = look.gauge.due_ms(Timer.DEPARTURE, left_ms)
    if unplugged is None:
        return
    for item in items:
        newest: dict[str, Stay] = {}
        for name in _names(item):
            for stay in stays.get(name, ()):
                if stay.until_ms > unplugged and _same(item, stay):
                    other = newest.setdefault(stay.chip_id, stay)
                    newest[stay.chip_id] = max(other, stay, key=recency)
        if newest and not _arrived_again(look, entry, item):
            for chip in sorted(newest):
                if _wrong_place(entry.event, newest[chip]) and look.gauge.past(
                    Timer.ELSEWHERE, max(left_ms, newest[chip].from_ms)
                ):
                    yield newest[chip]


def _wrong_place(event: Event, stay: Stay) -> bool:
    return not (isinstance(event, TransferOut) and event.to_site == stay.site)


def _arrived_again(look: Look, entry: Booked[Listed], item: Item) -> bool:
    """Tell whether papers put a thing on a book again after it left."""
    for kind, name in item.names.items():
        for written in spellings(kind):
            for holder in look.book.holders((written, name)):
                event = look.book.event(EventId(holder))
                if (
                    event is not None
                    and entry.event.occurred_at_ms <= event.occurred_at_ms <= look.at_ms
                    and holder != entry.id
                ):
                    return True
    return False


def spellings(kind: str) -> tuple[str, ...]:
    """Return the kinds under which the ledger keeps a name."""
    if kind == "board":
        return ("board", "board-of-chip")
    return (kind,) if kind in ASKED else ("unit",)
