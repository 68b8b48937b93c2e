"""Booked and not answering: never attested, or attested and gone; and answering on no book."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from chipledger_book.matching import Item
from chipledger_book.terms import EventId
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind, Wait, WaitKind
from chipledger_book.watch.history import item_label, label
from chipledger_book.watch.look import Found, Grounds
from chipledger_book.watch.standing import Absence, Standing
from chipledger_book.watch.unsealed import just_unsealed
from chipledger_book.watch.view import View

Key = tuple[str, str]
"""Event and model."""


def first_attestation(view: View) -> Iterator[Found]:
    """Yield, for every arrival and model, until when its chips have to answer, and what is late.

    A chip that answered once, left again, or lies under seal does not wait; when the seal is off
    it has as long as a chip may be absent. Of things without names as many answered as chips did,
    oldest arrival first.
    """
    for sku, standing in view.standings.items():
        unsealed = just_unsealed(view, standing)
        by_event: dict[str, list[Item]] = defaultdict(list)
        for item in standing.arrived.values():
            by_event[item.event].append(item)
        for event, items in by_event.items():
            yield from _arrival(view, standing, (event, sku), items, unsealed=unsealed)


def _arrival(
    view: View,
    standing: Standing,
    key: Key,
    items: Sequence[Item],
    *,
    unsealed: Mapping[str, int],
) -> Iterator[Found]:
    event, sku = key
    since, due = _times(view, event, items[0].occurred_at_ms)
    if due is None:
        return
    never = _never_anywhere(view, standing, items)
    waiting = sum(never.values())
    yield Wait(
        kind=WaitKind.ATTESTATION,
        site=view.site,
        event=event,
        chip=None,
        key=f"{event}:{sku}",
        owner=view.operator,
        since_ms=since,
        due_ms=due,
        done_ms=None if waiting else _answered_at(view, standing, items),
        pieces=waiting,
    )
    late = {key: number - unsealed.get(key, 0) for key, number in never.items()}
    if sum(late.values()) and view.at_ms > due:
        yield view.fact(
            FactKind.NEVER_ATTESTED,
            f"{event}:{sku}",
            Grounds(
                since_ms=since,
                counts={sku: sum(late.values())},
                owner=view.operator,
                events=[event],
                chips=filter(None, (item_label(item) for item in items if late[item.key])),
                detail={"due_ms": due, "received": sum(item.chips for item in items)},
            ),
        )


def _never_anywhere(view: View, standing: Standing, items: Iterable[Item]) -> dict[str, int]:
    """Return, by key, the chips that answered neither here nor elsewhere."""
    away = view.elsewhere.never
    return {item.key: standing.never.get(item.key, 0) - away[item.key] for item in items}


def _times(view: View, event: str, since: int) -> tuple[int, int | None]:
    """Return from when an arrival waits, and until when.

    Of before any limit it waits from its entry on, as long as what arrives then.
    """
    due = view.gauge.due_ms(Timer.ATTESTATION, since)
    if due is None:
        since = view.book.recorded_at(EventId(event)) or since
        due = view.gauge.due_ms(Timer.ATTESTATION, since)
    return since, due


def _answered_at(view: View, standing: Standing, items: Sequence[Item]) -> int:
    """Return when the last chip of an arrival answered; where some left before, when that was."""
    times = [time for item in items for time in standing.attested.get(item.key, ())]
    if len(times) < sum(item.chips for item in items):
        stock = standing.model.stock
        times += [item.occurred_at_ms for item in (*stock.departures(), *stock.stored)]
    return min(view.at_ms, max(times, default=view.at_ms))


def missing(view: View) -> Iterator[Found]:
    """Yield the booked chips that answered once and do not now, by arrival and model.

    Those known by number alone are of no arrival: they are one fact of the site and model.
    """
    groups: dict[Key, list[Absence]] = defaultdict(list)
    for sku, standing in view.standings.items():
        for absence in standing.absences:
            if not view.elsewhere.explains(absence):
                whose = view.site if absence.counted else absence.item.event
                groups[whose, sku].append(absence)
    for (whose, sku), absences in groups.items():
        yield from _absences(view, f"{whose}:{sku}", sku, absences)


def _absences(view: View, key: str, sku: str, absences: Sequence[Absence]) -> Iterator[Found]:
    timed = [(view.gauge.due_ms(Timer.ABSENCE, one.since_ms), one) for one in absences]
    dues = [due for due, _ in timed if due is not None]
    if not dues:
        return
    events = {one.item.event for one in absences}
    yield Wait(
        kind=WaitKind.ABSENCE,
        site=view.site,
        event=None if absences[0].counted else absences[0].item.event,
        chip=None,
        key=key,
        owner=view.operator,
        since_ms=min(one.since_ms for one in absences),
        due_ms=min(dues),
        done_ms=None,
        pieces=len(absences),
    )
    late = [one for due, one in timed if due is not None and view.at_ms > due]
    if late:
        yield view.fact(
            FactKind.MISSING,
            key,
            Grounds(
                since_ms=min(one.since_ms for one in late),
                counts={sku: len(late)},
                owner=view.operator,
                events=events,
                chips=[label(one.chip) for one in late if one.chip is not None],
                detail={
                    "silent": sum(one.silent for one in late),
                    "hosts": _hosts(late),
                    "last_seen_ms": max(one.since_ms for one in late),
                },
            ),
        )


def _hosts(absences: Iterable[Absence]) -> tuple[str, ...]:
    """Return the hosts on which most of some chips were seen last, with their numbers."""
    hosts = Counter(one.chip.host for one in absences if one.chip is not None)
    most = sorted(hosts.items(), key=lambda pair: (-pair[1], pair[0]))[:8]
    return tuple(f"{host}: {number}" for host, number in most)


def overage(view: View) -> Iterator[Found]:
    """Yield, by model, the chips that answer and are on no book of the site.

    Those that left on paper are found as such (:mod:`chipledger_book.watch.departed`).
    """
    for sku, standing in view.standings.items():
        over = [chip for chip in standing.over if chip.chip_id not in view.departed]
        since = {chip.chip_id: _since(standing, chip.chip_id, view.at_ms) for chip in over}
        due = {chip: view.gauge.due_ms(Timer.OVERAGE, time) for chip, time in since.items()}
        dues = [time for time in due.values() if time is not None]
        if not dues:
            continue
        yield Wait(
            kind=WaitKind.OVERAGE,
            site=view.site,
            event=None,
            chip=None,
            key=f"{view.site}:{sku}",
            owner=view.operator,
            since_ms=min(since.values()),
            due_ms=min(dues),
            done_ms=None,
            pieces=len(over),
        )
        late = [
            chip for chip in over if (limit := due[chip.chip_id]) is not None and view.at_ms > limit
        ]
        if late:
            yield view.fact(
                FactKind.OVERAGE,
                f"{view.site}:{sku}",
                Grounds(
                    since_ms=min(since[chip.chip_id] for chip in late),
                    counts={sku: len(late)},
                    owner=view.operator,
                    chips=map(label, late),
                    detail={"on_the_book": sum(item.chips for item in standing.model.items)},
                ),
            )


def _since(standing: Standing, chip_id: str, at_ms: int) -> int:
    past = standing.past.get(chip_id)
    return at_ms if past is None else past.came_ms
