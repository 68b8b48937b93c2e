"""Things that are on two books at once, or twice on one."""

from collections import defaultdict
from collections.abc import Iterator

from chipledger_book.ledger import Name
from chipledger_book.matching import Item
from chipledger_book.statements import Role
from chipledger_book.stock import stock_of
from chipledger_book.terms import EventId
from chipledger_book.watch.astray import spellings
from chipledger_book.watch.facts import FactKind, Owner
from chipledger_book.watch.group_view import GroupView
from chipledger_book.watch.look import Found, Grounds

_Things = dict[Name, list[tuple[str, Item]]]
"""Kind of name and name → site and thing."""


def received_twice(group: GroupView) -> Iterator[Found]:
    """Yield, by pair of events, the names that two things on the book bear, at any sites.

    Chips of one board may share its serial; a board received as a whole is another thing than a
    chip said to sit on it, and so twice the same.
    """
    stocks: dict[str, _Things] = {}
    pairs: dict[tuple[str, str], dict[str, Item]] = defaultdict(dict)
    for site in group.sites:
        for named, things in _things(group, site.id, stocks).items():
            for _, item in things:
                for other in _others(group, named, item, stocks):
                    first, second = sorted((item.event, other.event))
                    if item.event == second:
                        pairs[first, second][f"{named[0]} {named[1]}"] = item
    for (first, second), names in pairs.items():
        yield _fact(group, (first, second), names)


def _others(
    group: GroupView, named: Name, item: Item, stocks: dict[str, _Things]
) -> Iterator[Item]:
    """Yield the other things of a name that are on a book now."""
    kind, name = named
    holders = {
        holder for written in spellings(kind) for holder in group.book.holders((written, name))
    }
    for holder in sorted(holders - {item.event}):
        event = group.book.event(EventId(holder))
        site = getattr(event, "site", None)
        if event is None or site is None or event.occurred_at_ms > group.at_ms:
            continue
        for _, other in _things(group, site, stocks).get(named, ()):
            if other.event == holder:
                yield other


def _things(group: GroupView, site: str, stocks: dict[str, _Things]) -> _Things:
    """Return what is on the book of a site by name, worked out once."""
    if site not in stocks:
        found: _Things = defaultdict(list)
        catalogue = group.gauge.catalogue
        # What a vendor sends back may be what it was sent, whether it has said so or not.
        stock = stock_of(group.book, site, group.at_ms, catalogue, open_rma=True)
        for model in stock.values():
            for item in model.items:
                for named in item.names.items():
                    found[named].append((site, item))
        stocks[site] = found
    return stocks[site]


def _fact(group: GroupView, events: tuple[str, str], names: dict[str, Item]) -> Found:
    counts: dict[str, int] = {}
    things = {item.key: item for item in names.values()}
    for item in things.values():
        counts[item.sku] = counts.get(item.sku, 0) + item.chips
    return group.fact(
        FactKind.SERIAL_RECEIVED_TWICE,
        f"{events[0]}:{events[1]}",
        Grounds(
            since_ms=max(item.occurred_at_ms for item in things.values()),
            counts=counts,
            owner=Owner(role=Role.CONSIGNEE, party=group.parent),
            events=events,
            chips=names,
        ),
    )
