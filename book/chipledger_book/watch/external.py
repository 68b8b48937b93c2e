"""What customs and sellers recorded, held against what the ledger has of it.

An outsider's record is compared and never booked. Each feed is compared by itself: customs and
the seller both record the same delivery.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from chipledger_book.events import Received
from chipledger_book.inventory import items_of
from chipledger_book.ledger import Booked
from chipledger_book.matching import Item
from chipledger_book.movements import ExternalRecord, ShipmentDeclared
from chipledger_book.statements import Role
from chipledger_book.stock import draw
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind, Owner, Wait, WaitKind
from chipledger_book.watch.group_view import GroupView
from chipledger_book.watch.look import Found, Gauge, Grounds

_Feed = tuple[str, str, str]
"""Consignee, source and feed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """One record of an outsider, and what the ledger lacks of it by model."""

    entry: Booked[ExternalRecord]
    consignee: str
    lacks: dict[str, int]


def unmatched(group: GroupView) -> Iterator[Found]:
    """Yield what outsiders recorded for a group and no receipt or shipment of it has.

    Compared by serial where both sides have names of a kind, else by model and number for each
    consignee, oldest first.
    """
    feeds: dict[_Feed, list[Booked[ExternalRecord]]] = defaultdict(list)
    for entry in group.book.external_records(group.at_ms):
        consignee = _consignee(group, entry.event)
        if consignee is not None:
            feeds[consignee, entry.event.source, entry.event.feed].append(entry)
    booked = {who: _booked(group, who) for who in {feed[0] for feed in feeds}}
    for (consignee, _, _), entries in feeds.items():
        for record in _compared(group.gauge, consignee, entries, booked[consignee]):
            yield from _found(group.gauge, record, subject=consignee)


def unclaimed(gauge: Gauge, entries: Iterable[Booked[ExternalRecord]]) -> Iterator[Found]:
    """Yield what outsiders recorded for parties that no site of the ledger has."""
    for entry in entries:
        models = items_of([_listed(entry)], gauge.catalogue)
        lacks = {sku: sum(item.chips for item in items) for sku, items in models.items()}
        consignee = entry.event.consignee or ""
        record = _Record(entry=entry, consignee=consignee, lacks=lacks)
        yield from _found(gauge, record, subject=consignee or entry.event.country or "unknown")


def _consignee(group: GroupView, record: ExternalRecord) -> str | None:
    """Return the consignee of the group that a record is for, or None."""
    for site in group.sites:
        if site.id == record.site:
            return site.consignee.id
    return record.consignee if record.consignee in group.consignees else None


def _booked(group: GroupView, consignee: str) -> dict[str, list[Item]]:
    """Return everything a consignee received or awaits, by model, each delivery once."""
    found: dict[str, list[Item]] = defaultdict(list)
    answered: set[str] = set()
    for receipt in group.moves(Received):
        at = receipt.event.occurred_at_ms
        if group.book.site(receipt.event.site, at).consignee.id == consignee:
            answered.add(receipt.event.answers or "")
            _add(found, group.gauge, receipt)
    for shipment in group.moves(ShipmentDeclared):
        form = group.book.site(shipment.event.site, shipment.event.occurred_at_ms)
        if form.consignee.id == consignee and shipment.id not in answered:
            _add(found, group.gauge, shipment)
    return found


def _add(
    found: dict[str, list[Item]],
    gauge: Gauge,
    entry: Booked[Received] | Booked[ShipmentDeclared],
) -> None:
    models = items_of([Booked(id=entry.id, event=entry.event)], gauge.catalogue)
    for sku, items in models.items():
        found[sku].extend(items)


def _compared(
    gauge: Gauge,
    consignee: str,
    entries: Sequence[Booked[ExternalRecord]],
    booked: dict[str, list[Item]],
) -> Iterator[_Record]:
    models = items_of(map(_listed, entries), gauge.catalogue)
    lacks: dict[str, dict[str, int]] = defaultdict(dict)
    for sku, items in models.items():
        short = draw(booked.get(sku, ()), items).short
        for item in items:
            if short[item.key]:
                lacks[item.event][sku] = lacks[item.event].get(sku, 0) + short[item.key]
    for entry in entries:
        yield _Record(entry=entry, consignee=consignee, lacks=lacks.get(entry.id, {}))


def _listed(entry: Booked[ExternalRecord]) -> Booked[Received]:
    """Return a record as if it were a receipt, so that its lines can be read as things."""
    event = Received(
        occurred_at_ms=entry.event.occurred_at_ms,
        site=entry.event.site or "unknown",
        lines=entry.event.lines,
    )
    return Booked(id=entry.id, event=event)


def _found(gauge: Gauge, record: _Record, *, subject: str) -> Iterator[Found]:
    entry, since = record.entry, record.entry.event.occurred_at_ms
    due = gauge.due_ms(Timer.EXTERNAL, since)
    if due is None:
        return
    owner = Owner(role=Role.CONSIGNEE, party=record.consignee)
    yield Wait(
        kind=WaitKind.EXTERNAL,
        site=entry.event.site,
        event=entry.id,
        chip=None,
        key=entry.id,
        owner=owner,
        since_ms=since,
        due_ms=due,
        done_ms=None if record.lacks else since,
        pieces=sum(record.lacks.values()),
    )
    if record.lacks and gauge.at_ms > due:
        yield gauge.fact(
            FactKind.RECEIPT_UNMATCHED,
            Grounds(
                since_ms=since,
                counts=record.lacks,
                owner=owner,
                events=[entry.id],
                detail={
                    "source": entry.event.source,
                    "feed": entry.event.feed,
                    "reference": entry.event.reference,
                    "country": entry.event.country or "",
                    "due_ms": due,
                },
            ),
            subject=subject,
            site=entry.event.site,
            key=entry.id,
        )


def strangers(
    entries: Iterable[Booked[ExternalRecord]],
    consignees: Collection[str],
    sites: Collection[str],
) -> Iterator[Booked[ExternalRecord]]:
    """Yield the records that name neither a site of the ledger nor a consignee of one."""
    for entry in entries:
        if entry.event.site not in sites and entry.event.consignee not in consignees:
            yield entry
