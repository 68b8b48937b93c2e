"""Papers that are late, and windows that are long."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from chipledger_book.events import Received
from chipledger_book.inventory import Listed
from chipledger_book.ledger import Booked
from chipledger_book.movements import (
    Decommissioned,
    Destroyed,
    LostOrStolen,
    MaintenanceWindow,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    SignedOff,
    Stored,
    TransferIn,
    TransferOut,
)
from chipledger_book.terms import day_of
from chipledger_book.timers import HOUR_MS, Threshold, Timer
from chipledger_book.watch.facts import FactKind, Wait, WaitKind
from chipledger_book.watch.look import Found, Grounds
from chipledger_book.watch.times import quarter_of
from chipledger_book.watch.view import View

_DISPOSED: Final[tuple[type[Decommissioned | Destroyed], ...]] = (Decommissioned, Destroyed)
_RECORDED: Final[tuple[type[Listed], ...]] = (
    Received,
    ShipmentDeclared,
    Shipped,
    TransferOut,
    TransferIn,
    RmaOut,
    RmaIn,
    Stored,
    Decommissioned,
    Destroyed,
    LostOrStolen,
)


def moves(view: View) -> Iterator[Found]:
    """Yield the moves inside a site that the operator has to confirm, and those that are late."""
    for entry in view.book.moved(view.site, view.at_ms):
        since = entry.event.occurred_at_ms
        due = view.gauge.due_ms(Timer.MOVE, since)
        if due is None:
            continue
        said = view.confirmed_at(entry)
        yield _wait(view, WaitKind.MOVE, entry.id, since_ms=since, due_ms=due, done_ms=said)
        if said is None and view.at_ms > due:
            chips = entry.event.chips
            names = (chip.pdi or chip.uuid or chip.serial for chip in chips)
            yield view.fact(
                FactKind.MOVED_UNCONFIRMED,
                entry.id,
                Grounds(
                    since_ms=since,
                    counts=Counter(chip.sku for chip in chips if chip.sku is not None),
                    owner=view.operator,
                    events=[entry.id],
                    chips=filter(None, names),
                    detail={
                        "from_host": entry.event.from_host,
                        "host": entry.event.host,
                        "due_ms": due,
                    },
                ),
            )


def disposals(view: View) -> Iterator[Found]:
    """Yield the disposals whose paper has to be there, and those where it is late.

    A paper is there from when the event that names it was entered.
    """
    for kind in _DISPOSED:
        for entry in view.moves(kind):
            since = entry.event.occurred_at_ms
            due = view.gauge.due_ms(Timer.EVIDENCE, since)
            if due is None:
                continue
            recorded = view.book.recorded_at(entry.id)
            done = max(since, recorded or since) if entry.event.documents else None
            yield _wait(view, WaitKind.EVIDENCE, entry.id, since_ms=since, due_ms=due, done_ms=done)
            if done is None and view.at_ms > due:
                yield view.fact(
                    FactKind.EVIDENCE_LATE,
                    entry.id,
                    Grounds(
                        since_ms=since,
                        counts=view.pieces(entry),
                        owner=view.operator,
                        events=[entry.id],
                        detail={"due_ms": due, "witness": entry.event.witness.party},
                    ),
                )


def losses(view: View) -> Iterator[Found]:
    """Yield what a site says is lost or stolen while it is gone, and of which nobody was told."""
    gone: dict[str, Counter[str]] = defaultdict(Counter)
    for sku, standing in view.standings.items():
        for event, things in standing.explained.items():
            gone[event][sku] += sum(things.values())
    for entry in view.moves(LostOrStolen):
        counts = gone.get(entry.id, Counter())
        if counts:
            yield view.fact(
                FactKind.LOST_OR_STOLEN,
                entry.id,
                Grounds(
                    since_ms=entry.event.occurred_at_ms,
                    counts=counts,
                    owner=view.operator,
                    events=[entry.id],
                    detail={"how": entry.event.how, "reported_to": entry.event.reported_to},
                ),
            )
        yield from _notice(view, entry)


def _notice(view: View, entry: Booked[LostOrStolen]) -> Iterator[Found]:
    since = entry.event.occurred_at_ms
    due = view.gauge.due_ms(Timer.NOTICE, since)
    if due is None:
        return
    recorded = view.book.recorded_at(entry.id)
    done = max(since, recorded or since) if entry.event.reported_to else None
    yield _wait(view, WaitKind.NOTICE, entry.id, since_ms=since, due_ms=due, done_ms=done)
    if done is None and view.at_ms > due:
        yield view.fact(
            FactKind.NOTICE_LATE,
            entry.id,
            Grounds(
                since_ms=since,
                counts=view.pieces(entry),
                owner=view.operator,
                events=[entry.id],
                detail={"due_ms": due, "how": entry.event.how},
            ),
        )


def windows(view: View) -> Iterator[Found]:
    """Yield the maintenance windows, those longer than one may be, and too many of them a quarter.

    A window counts in the quarter in which it begins, for each host by itself.
    """
    by_quarter: dict[tuple[int, int], list[Booked[MaintenanceWindow]]] = defaultdict(list)
    for entry in view.moves(MaintenanceWindow):
        by_quarter[quarter_of(entry.event.from_ms)].append(entry)
        yield from _window(view, entry)
    cap = view.gauge.amount(Threshold.MAINTENANCE_HOURS)
    for quarter, entries in by_quarter.items():
        spent = Counter[str]()
        for entry in entries:
            length = entry.event.until_ms - entry.event.from_ms
            spent.update(dict.fromkeys(entry.event.hosts, length))
        over = [host for host, ms in spent.items() if cap is not None and ms > cap * HOUR_MS]
        if over:
            yield _too_long(view, f"{view.site}:{quarter[0]}-Q{quarter[1]}", over, entries)


def _window(view: View, entry: Booked[MaintenanceWindow]) -> Iterator[Found]:
    window = entry.event
    due = view.gauge.due_ms(Timer.MAINTENANCE, window.from_ms)
    if due is None:
        return
    yield _wait(
        view,
        WaitKind.MAINTENANCE,
        entry.id,
        since_ms=window.from_ms,
        due_ms=due,
        done_ms=window.until_ms if window.until_ms <= view.at_ms else None,
    )
    if window.until_ms > due and view.at_ms > due:
        yield _too_long(view, entry.id, window.hosts, [entry])


def _too_long(
    view: View, key: str, hosts: Iterable[str], entries: Sequence[Booked[MaintenanceWindow]]
) -> Found:
    """Return the fact that hosts are down on purpose for too long, by the chips they show."""
    down = {*hosts}
    counts = {
        sku: sum(chip.host in down for chip in standing.model.seen)
        for sku, standing in view.standings.items()
    }
    return view.fact(
        FactKind.MAINTENANCE_TOO_LONG,
        key,
        Grounds(
            since_ms=min(entry.event.from_ms for entry in entries),
            counts=counts,
            owner=view.operator,
            events=[entry.id for entry in entries],
            detail={"hosts": tuple(sorted(down)[:8]), "number_of_hosts": len(down)},
        ),
    )


def late_events(view: View) -> Iterator[Found]:
    """Yield what was entered long after it happened, or into a period that was signed by then."""
    signed = [
        (entry.event.first_day, entry.event.last_day, recorded)
        for entry in view.moves(SignedOff)
        if (recorded := view.book.recorded_at(entry.id)) is not None
    ]
    for kind in _RECORDED:
        for entry in view.moves(kind):
            recorded = view.book.recorded_at(entry.id)
            if recorded is None:
                continue
            happened, day = entry.event.occurred_at_ms, day_of(entry.event.occurred_at_ms)
            due = view.gauge.due_ms(Timer.RECORDING, happened)
            after = any(first <= day <= last and recorded > at for first, last, at in signed)
            if after or (due is not None and recorded > due):
                yield view.fact(
                    FactKind.LATE_EVENT,
                    entry.id,
                    Grounds(
                        since_ms=recorded,
                        counts=view.pieces(entry),
                        owner=view.operator,
                        events=[entry.id],
                        detail={
                            "event": str(kind.__struct_config__.tag),
                            "happened_ms": happened,
                            "recorded_ms": recorded,
                            "after_sign_off": int(after),
                        },
                    ),
                )


def _wait(
    view: View, kind: WaitKind, event: str, *, since_ms: int, due_ms: int, done_ms: int | None
) -> Wait:
    return Wait(
        kind=kind,
        site=view.site,
        event=event,
        chip=None,
        key=event,
        owner=view.operator,
        since_ms=since_ms,
        due_ms=due_ms,
        done_ms=done_ms,
    )
