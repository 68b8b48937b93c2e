"""The same chips at several sites in turn: one set of hardware for several sets of papers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chipledger_book.inventory import items_of
from chipledger_book.matching import KINDS
from chipledger_book.movements import TransferOut
from chipledger_book.physical import Stay
from chipledger_book.statements import Role
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind, Owner
from chipledger_book.watch.group_view import GroupView
from chipledger_book.watch.history import label
from chipledger_book.watch.look import Found, Grounds

_Way = tuple[str, str]
"""From which site to which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A chip that was seen at one site and then at another, with no transfer between."""

    way: _Way
    stay: Stay


@dataclass(slots=True, kw_only=True)
class _Transfers:
    """What was transferred between sites on paper.

    Attributes:
        named: way → names of chips.
        counted: way and model → chips by number, less those that were taken already.
    """

    named: dict[_Way, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    counted: Counter[tuple[_Way, str]] = field(default_factory=Counter)

    def cover(self, change: _Change) -> bool:
        """Tell whether a paper is for a change; one by number covers each chip once."""
        if any((kind, getattr(change.stay, kind)) in self.named[change.way] for kind in KINDS):
            return True
        key = (change.way, change.stay.sku or "")
        if self.counted[key]:
            self.counted[key] -= 1
            return True
        return False


def shuttled(group: GroupView) -> Iterator[Found]:
    """Yield, by pair of sites, the chips that went to another site and back without transfers.

    One way without a paper is a chip seen elsewhere; there and back is a lorry. It is said when
    papers of the way back are late, and stays said.
    """
    transfers = _transfers(group)
    pairs: dict[_Way, dict[str, Sequence[_Change]]] = defaultdict(dict)
    for chip, stays in _by_chip(group).items():
        changes = [change for change in _changes(stays) if not transfers.cover(change)]
        if len(changes) > 1 and group.gauge.past(Timer.ELSEWHERE, changes[1].stay.from_ms):
            first, second = sorted(changes[0].way)
            pairs[first, second][chip] = changes
    for (first, second), chips in pairs.items():
        changes = [change for some in chips.values() for change in some]
        skus = Counter(some[0].stay.sku for some in chips.values())
        yield group.fact(
            FactKind.SHUTTLED,
            f"{first}:{second}",
            Grounds(
                since_ms=min(change.stay.from_ms for change in changes),
                counts={sku: number for sku, number in skus.items() if sku is not None},
                owner=Owner(role=Role.OPERATOR, party=_operator(group, first)),
                chips=[label(some[0].stay) for some in chips.values()],
                detail={
                    "sites": (first, second),
                    "changes": len(changes),
                    "last_change_ms": max(change.stay.from_ms for change in changes),
                },
            ),
        )


def _operator(group: GroupView, site: str) -> str:
    return next((form.operator.id for form in group.sites if form.id == site), "")


def _by_chip(group: GroupView) -> dict[str, list[Stay]]:
    """Return the stays of each chip at all sites of the group, in the order of time."""
    found: dict[str, list[Stay]] = defaultdict(list)
    for site in group.sites:
        for stay in group.scene.stays(site.id):
            found[stay.chip_id].append(stay)
    return {
        chip: sorted(stays, key=lambda stay: (stay.from_ms, stay.until_ms, stay.host))
        for chip, stays in sorted(found.items())
        if len({stay.site for stay in stays}) > 1
    }


def _changes(stays: Iterable[Stay]) -> Iterator[_Change]:
    """Yield where a chip is next seen at another site; being at two at once is a dispute."""
    last: Stay | None = None
    for stay in stays:
        if last is not None and stay.site != last.site and stay.from_ms > last.until_ms:
            yield _Change(way=(last.site, stay.site), stay=stay)
        last = stay


def _transfers(group: GroupView) -> _Transfers:
    found = _Transfers()
    for entry in group.moves(TransferOut):
        way = (entry.event.site, entry.event.to_site)
        for sku, items in items_of([entry], group.gauge.catalogue).items():
            for item in items:
                if item.names:
                    found.named[way].update(item.names.items())
                else:
                    found.counted[way, sku] += item.chips
    return found
