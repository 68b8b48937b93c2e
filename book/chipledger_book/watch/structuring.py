"""Several parties, or several shipments, each just under a limit."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from chipledger_book.events import Received
from chipledger_book.inventory import items_of
from chipledger_book.ledger import Booked
from chipledger_book.licences import LicenceRef
from chipledger_book.limit_kinds import AmountLimit, Limit, flow_label
from chipledger_book.movements import ShipmentDeclared
from chipledger_book.rules import Ceiling
from chipledger_book.statements import Role
from chipledger_book.terms import day_of
from chipledger_book.timers import Threshold, Timer
from chipledger_book.watch.facts import FactKind, Owner
from chipledger_book.watch.group_view import GroupView
from chipledger_book.watch.look import Found, Grounds
from chipledger_book.watch.poisson import PPM
from chipledger_book.watch.times import plain_ms

Delivery = Booked[Received] | Booked[ShipmentDeclared]


def consignees_under_a_limit(group: GroupView) -> Iterator[Found]:
    """Yield the limits under which several consignees of the group each remain by a little.

    What counts is what arrived under no licence of its own, in the limit's own window.
    """
    rules, near = group.measure.tables.rules, group.gauge.amount(Threshold.STRUCTURING_NEAR)
    least = group.gauge.amount(Threshold.STRUCTURING_CONSIGNEES)
    if rules is None or near is None or least is None:
        return
    bounds: list[Ceiling | Limit] = [*rules.ceilings, *rules.limits]
    done: set[tuple[int, str]] = set()
    for bound in bounds:
        amount = _amount(bound)
        if amount is None or bound.window in ("shipment", "point-in-time", "span"):
            continue
        for window, parties in _received(group, bound).items():
            if (amount, window) in done:
                continue
            under = {
                party: counts
                for party, counts in parties.items()
                if amount * near <= group.gauge.tpp(counts) * PPM <= amount * PPM
            }
            if len(under) >= least:
                done.add((amount, window))
                yield _several(group, bound, window, under)


def _amount(bound: Ceiling | Limit) -> int | None:
    limit = bound.limit if isinstance(bound, Ceiling) else bound.bound
    return limit.amount if isinstance(limit, AmountLimit) else None


def _received(group: GroupView, bound: Ceiling | Limit) -> dict[str, dict[str, Counter[str]]]:
    """Return, by window and consignee, the chips that count and arrived under no licence."""
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for entry in group.moves(Received):
        if not _exempt(group, entry.event.charged_to):
            day = day_of(entry.event.occurred_at_ms)
            window = flow_label(bound.window, day)  # type: ignore[arg-type] # no shipment, no span
            consignee = group.book.site(entry.event.site, entry.event.occurred_at_ms).consignee
            found[window][consignee.id].update(_counting(group, entry, bound))
    return found


def _counting(group: GroupView, entry: Delivery, bound: Ceiling | Limit) -> dict[str, int]:
    """Return the chips of a delivery that count against a bound, by model."""
    listed = Booked(id=entry.id, event=entry.event)
    models = items_of([listed], group.gauge.catalogue)
    return {
        sku: sum(item.chips for item in items)
        for sku, items in models.items()
        if bound.applies_to(group.gauge.sku(sku))
    }


def _exempt(group: GroupView, charged: LicenceRef | None) -> bool:
    """Tell whether a delivery draws on a licence that says its own quantity."""
    return charged is not None and any(
        (one.issuer, one.number) == (charged.issuer, charged.number) and bool(one.lines)
        for one in group.book.licences()
    )


def _several(
    group: GroupView,
    bound: Ceiling | Limit,
    window: str,
    parties: Mapping[str, Counter[str]],
) -> Found:
    name = bound.ceiling if isinstance(bound, Ceiling) else bound.limit
    counts = Counter[str]()
    for one in parties.values():
        counts.update(one)
    return group.fact(
        FactKind.STRUCTURING,
        f"{group.parent}:consignees:{name}:{window}",
        Grounds(
            since_ms=group.at_ms,
            counts=counts,
            owner=Owner(role=Role.CONSIGNEE, party=group.parent),
            detail={
                "shape": "consignees",
                "limit": name,
                "limit_tpp": _amount(bound) or 0,
                "window": window,
                "parties": tuple(
                    f"{party}: {group.gauge.tpp(one)}" for party, one in sorted(parties.items())
                ),
            },
        ),
    )


def shipments_under_a_limit(group: GroupView) -> Iterator[Found]:
    """Yield the notices that several shipments in a short time each remain under by a little."""
    rules = group.measure.tables.rules
    for limit in () if rules is None else rules.limits:
        amount = _amount(limit)
        if limit.window == "shipment" and amount is not None:
            yield from _runs(group, limit, _just_under(group, limit, amount))


def _just_under(
    group: GroupView, limit: Limit, amount: int
) -> list[tuple[int, str, Mapping[str, int]]]:
    """Return time, id and chips of the deliveries that stay under an amount by a little."""
    near = group.gauge.amount(Threshold.STRUCTURING_NEAR)
    found: list[tuple[int, str, Mapping[str, int]]] = []
    for entry in _deliveries(group) if near is not None else ():
        counts = _counting(group, entry, limit)
        tpp = group.gauge.tpp(counts)
        if near is not None and amount * near <= tpp * PPM and tpp < amount:
            found.append((entry.event.occurred_at_ms, entry.id, counts))
    return sorted(found, key=lambda one: one[:2])


def _deliveries(group: GroupView) -> Iterator[Delivery]:
    """Yield what arrived or is on its way under no licence of its own, each delivery once."""
    for receipt in group.moves(Received):
        if receipt.event.answers is None and not _exempt(group, receipt.event.charged_to):
            yield receipt
    for shipment in group.moves(ShipmentDeclared):
        if not _exempt(group, shipment.event.charged_to):
            yield shipment


def _runs(
    group: GroupView, limit: Limit, deliveries: Sequence[tuple[int, str, Mapping[str, int]]]
) -> Iterator[Found]:
    """Yield each run of deliveries that follow each other within the time of the table."""
    least = group.gauge.amount(Threshold.STRUCTURING_SHIPMENTS)
    run: list[tuple[int, str, Mapping[str, int]]] = []
    for one in [*deliveries, None]:
        row = None if one is None or not run else group.gauge.limit(Timer.STRUCTURING, run[0][0])
        within = one is not None and (
            not run or (row is not None and one[0] <= run[0][0] + plain_ms(run[0][0], row))
        )
        if not within:
            if least is not None and len(run) >= least:
                yield _run(group, limit, run)
            run = []
        if one is not None:
            run.append(one)


def _run(
    group: GroupView, limit: Limit, run: Iterable[tuple[int, str, Mapping[str, int]]]
) -> Found:
    run = list(run)
    counts = Counter[str]()
    for _, _, chips in run:
        counts.update(chips)
    return group.fact(
        FactKind.STRUCTURING,
        f"{group.parent}:shipments:{limit.limit}:{run[0][1]}",
        Grounds(
            since_ms=run[0][0],
            counts=counts,
            owner=Owner(role=Role.CONSIGNEE, party=group.parent),
            events=[key for _, key, _ in run],
            detail={
                "shape": "shipments",
                "limit": limit.limit,
                "limit_tpp": _amount(limit) or 0,
                "shipments": tuple(str(group.gauge.tpp(chips)) for _, _, chips in run),
            },
        ),
    )
