"""Which seen chip is which booked one: by identity first, by count where there is none.

Two sides compare by the strongest kind of name that both have (PDI, then UUID, then board,
tray, server and rack serial). Equal means the same thing; different means another thing, and
then neither fills the other's place: a chip received by its PDI is not replaced by a chip with
a different one. Where the two sides share no kind of name they are matched by count, as many
as can be.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from chipledger_book.physical import ChipState, SeenChip

KINDS: Final = ("pdi", "uuid", "board", "tray", "server", "rack")
"""Kinds of names, strongest first."""

Kinds = frozenset[str]
Group = tuple[int, Kinds]
"""Things of one rank (lower ranks are placed first) that have the same kinds of names."""


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One booked thing that holds chips of one model.

    Attributes:
        key: event, line and place as one sortable text.
        event: id of the receipt.
        line: index of its line.
        place: index within the line.
        sku: model of its chips.
        chips: how many it holds.
        names: kind of name → name; empty for a line by count.
        occurred_at_ms: when it was received.
        charged_to: issuer and number of the licence it was shipped under.
        came_from: site of this ledger that it was transferred from.
    """

    key: str
    event: str
    line: int
    place: int
    sku: str
    chips: int
    names: Mapping[str, str]
    occurred_at_ms: int
    charged_to: tuple[str, str] | None = None
    came_from: str | None = None


@dataclass(slots=True)
class Matching:
    """What was matched for one model at one site.

    Attributes:
        by_identity: chip id → item key.
        by_count: chip id → item key.
        left: item key → chips of it that nothing fills.
        off_book: chips that fill no item.
    """

    by_identity: dict[str, str] = field(default_factory=dict)
    by_count: dict[str, str] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    off_book: tuple[SeenChip, ...] = ()


def match(items: Iterable[Item], seen: Iterable[SeenChip]) -> Matching:
    """Match the booked items and seen chips of one model at one site.

    The numbers do not depend on the order of either side. Present chips fill the book before
    silent ones, and silent before disputed.
    """
    order = {state: place for place, state in enumerate(ChipState)}
    chips = sorted(seen, key=lambda chip: (order[chip.state], chip.chip_id))
    booked = sorted(items, key=lambda item: item.key)
    result = Matching(left={item.key: item.chips for item in booked})
    rest = _by_identity(booked, chips, result)
    result.off_book = tuple(_by_count(booked, rest, result))
    return result


def _by_identity(
    items: Sequence[Item], chips: Sequence[SeenChip], result: Matching
) -> list[SeenChip]:
    """Match by the strongest common kind of name; return the chips that fill nothing."""
    by_name: dict[str, dict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        for kind, name in item.names.items():
            by_name[kind][name].append(item)
    rest: Sequence[SeenChip] = chips
    for depth, kind in enumerate(KINDS):
        if kind in by_name and rest:
            rest = _named(by_name[kind], rest, result, depth=depth)
    return list(rest)


def _named(
    booked: Mapping[str, Sequence[Item]], chips: Sequence[SeenChip], result: Matching, *, depth: int
) -> list[SeenChip]:
    """Match by one kind of name; return the chips that fill nothing by it."""
    kind, left, still = KINDS[depth], result.left, list[SeenChip]()
    for chip in chips:
        candidates = booked.get(getattr(chip, kind) or "", ())
        for item in candidates:
            if left[item.key] and not any(
                other in item.names and _name(chip, other) is not None for other in KINDS[:depth]
            ):
                left[item.key] -= 1
                result.by_identity[chip.chip_id] = item.key
                break
        else:
            still.append(chip)
    return still


def _name(chip: SeenChip, kind: str) -> str | None:
    """Return a name of a chip; an empty text names nothing and contradicts nothing."""
    return getattr(chip, kind) or None


def _by_count(items: Sequence[Item], chips: Sequence[SeenChip], result: Matching) -> list[SeenChip]:
    """Fill what is left with chips it cannot be compared with; return the chips over."""
    places: dict[Kinds, deque[Item]] = defaultdict(deque)
    for item in items:
        if result.left[item.key]:
            places[frozenset(item.names)].append(item)
    order = {state: place for place, state in enumerate(ChipState)}
    groups: dict[Group, list[SeenChip]] = defaultdict(list)
    known: dict[tuple[str | None, ...], Kinds] = {}
    for chip in chips:
        named = tuple([kind if getattr(chip, kind) else None for kind in KINDS])
        kinds = known.get(named)
        if kinds is None:
            kinds = known[named] = frozenset(kind for kind in named if kind is not None)
        groups[order[chip.state], kinds].append(chip)
    flow = Flow(
        {kinds: sum(result.left[one.key] for one in held) for kinds, held in places.items()}
    )
    for rank, kinds in sorted(groups, key=lambda group: (group[0], sorted(group[1]))):
        flow.fill((rank, kinds), len(groups[rank, kinds]))
    over: list[SeenChip] = []
    for group, members in groups.items():
        waiting = iter(members)
        for kinds in sorted(flow.capacity, key=sorted):
            for _ in range(flow.sent.get((group, kinds), 0)):
                chip = next(waiting)
                key = places[kinds][0].key
                result.left[key] -= 1
                result.by_count[chip.chip_id] = key
                if not result.left[key]:
                    places[kinds].popleft()
        over.extend(waiting)
    return over


class Flow:
    """Largest assignment of groups of things to groups of places, by augmenting paths.

    Groups filled earlier are never reduced by later ones, only moved to other places.
    """

    def __init__(self, capacity: Mapping[Kinds, int]) -> None:
        self.capacity = dict(capacity)
        self.free = dict(capacity)
        self.sent: dict[tuple[Group, Kinds], int] = defaultdict(int)

    def fill(self, group: Group, wanted: int) -> None:
        """Place as many of `wanted` chips of a group as can be."""
        while wanted:
            placed = self._place(group, wanted, set())
            if not placed:
                return
            wanted -= placed

    def _place(self, group: Group, wanted: int, visited: set[Kinds]) -> int:
        """Place up to `wanted`, moving others out of the way; return how many.

        `visited` is shared by one whole search: a place that could not be freed once cannot be
        freed on another way to it either, and trying every way takes time without bound.
        """
        options = [kinds for kinds in sorted(self.capacity, key=sorted) if not kinds & group[1]]
        for kinds in options:
            if self.free[kinds]:
                placed = min(wanted, self.free[kinds])
                self.free[kinds] -= placed
                self.sent[group, kinds] += placed
                return placed
        for kinds in options:
            if kinds in visited:
                continue
            visited.add(kinds)
            for other in [who for (who, where), n in self.sent.items() if where == kinds and n]:
                movable = min(wanted, self.sent[other, kinds])
                moved = 0 if other == group else self._place(other, movable, visited)
                if moved:
                    self.sent[other, kinds] -= moved
                    self.sent[group, kinds] += moved
                    return moved
        return 0
