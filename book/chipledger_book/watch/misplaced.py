"""Chips that answer where they ought not to: at another site, after they left, under a seal."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from chipledger_book.inventory import Listed
from chipledger_book.movements import (
    Decommissioned,
    Destroyed,
    RmaOut,
    Shipped,
    Stored,
    TransferOut,
)
from chipledger_book.timers import Timer
from chipledger_book.watch.astray import Away, Departure
from chipledger_book.watch.facts import FactKind
from chipledger_book.watch.history import label
from chipledger_book.watch.look import Found, Grounds
from chipledger_book.watch.view import View

_KINDS: Final[Mapping[type[Listed], FactKind]] = {
    RmaOut: FactKind.RMA_RETURNED,
    Shipped: FactKind.SHIPPED_SEEN,
    TransferOut: FactKind.SHIPPED_SEEN,
    Decommissioned: FactKind.DISPOSED_SEEN,
    Destroyed: FactKind.DISPOSED_SEEN,
    Stored: FactKind.SEALED_SEEN,
}


def seen_elsewhere(view: View) -> Iterator[Found]:
    """Yield, by arrival, model and other site, the chips that answer there without a transfer."""
    groups: dict[tuple[str, str, str], list[Away]] = defaultdict(list)
    for sku, away in view.elsewhere.by_model.items():
        for one in away:
            if view.gauge.past(Timer.ELSEWHERE, one.stay.from_ms):
                groups[one.item.event, sku, one.stay.site].append(one)
    for (event, sku, site), chips in groups.items():
        yield view.fact(
            FactKind.SEEN_ELSEWHERE,
            f"{event}:{sku}:{site}",
            Grounds(
                since_ms=min(one.stay.from_ms for one in chips),
                counts={sku: len(chips)},
                owner=view.operator,
                events=[event],
                chips=[label(one.stay) for one in chips],
                detail={"at": site},
            ),
        )


def seen_after_leaving(view: View) -> Iterator[Found]:
    """Yield, by event, the chips that left or rest on paper and answer all the same."""
    for departure in view.departures:
        yield _departed(view, departure)


def _departed(view: View, departure: Departure) -> Found:
    entry, stays = departure.entry, [one for some in departure.chips.values() for one in some]
    return view.fact(
        _KINDS[type(entry.event)],
        entry.id,
        Grounds(
            since_ms=max(entry.event.occurred_at_ms, min(stay.from_ms for stay in stays)),
            counts={sku: len(chips) for sku, chips in departure.chips.items()},
            owner=view.operator,
            events=[entry.id],
            chips=map(label, stays),
            detail={
                "left_as": str(type(entry.event).__struct_config__.tag),
                "at": tuple(sorted({stay.site for stay in stays})),
                "last_seen_ms": max(stay.until_ms for stay in stays),
            },
        ),
    )
