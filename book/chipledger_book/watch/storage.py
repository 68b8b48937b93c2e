"""Stock at rest: seals that nobody looks at, seals found open, and stock that stays for ever."""

from collections.abc import Iterator, Mapping, Sequence

from chipledger_book.ledger import Booked
from chipledger_book.movements import PhysicalInventory, Stored, Unstored
from chipledger_book.statements import Role
from chipledger_book.terms import EventId
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind, Wait, WaitKind
from chipledger_book.watch.look import Found, Grounds, Look
from chipledger_book.watch.view import View


def at_rest(view: View) -> Iterator[Found]:
    """Yield what waits for a look at its seal or for its use, and what of it is late.

    An auditor's count at the site is a look at every seal there, and an auditor's statement on
    what was stored is one at that seal.
    """
    counts = [entry.event.occurred_at_ms for entry in view.moves(PhysicalInventory)]
    rested = _resting_since(view)
    for entry in view.moves(Stored):
        end = _opened_at(view, entry)
        said = [
            one.stated_at_ms for one in view.book.statements(entry.id) if one.role is Role.AUDITOR
        ]
        yield from _seal(view, entry, [*counts, *said], end, stored=rested[entry.id])
        yield from _rest(view, entry, end, since=rested[entry.id])


def _opened_at(look: Look, entry: Booked[Stored]) -> int | None:
    """Return when the seal of something stored came off, or None while it is on."""
    times = (
        one.event.occurred_at_ms
        for one in look.book.answers(entry.id, look.at_ms)
        if isinstance(one.event, Unstored)
    )
    return min(times, default=None)


def _resting_since(view: View) -> Mapping[str, int]:
    """Return id of a storing → since when its stock rests, under this seal or those before it.

    Who changes seals only moves the seal: what came off and went under a new one before it had to
    answer is the same stock, less the chips that came to answer in between.
    """
    since: dict[str, int] = {}
    opened: list[tuple[int, Mapping[str, int], int]] = []
    for entry in view.moves(Stored):
        at_ms, pieces = entry.event.occurred_at_ms, view.pieces(entry)
        before = (
            first
            for end, others, first in opened
            if end <= at_ms <= (view.gauge.due_ms(Timer.ABSENCE, end) or end)
            and any(
                others.get(sku, 0) > _came(view, sku, after_ms=end, until_ms=at_ms)
                for sku in pieces
            )
        )
        since[entry.id] = min(before, default=at_ms)
        end = _opened_at(view, entry)
        if end is not None:
            opened.append((end, pieces, since[entry.id]))
    return since


def _came(view: View, sku: str, *, after_ms: int, until_ms: int) -> int:
    """Return how many chips of a model came to answer in a time."""
    standing = view.standings.get(sku)
    if standing is None:
        return 0
    return sum(
        any(after_ms <= start <= until_ms for start, _ in past.runs)
        for past in standing.past.values()
    )


def _seal(
    look: Look, entry: Booked[Stored], checks: Sequence[int], end: int | None, *, stored: int
) -> Iterator[Found]:
    until = look.at_ms if end is None else end
    since = max((time for time in checks if stored <= time <= until), default=stored)
    yield from _timed(
        look,
        entry,
        Wait(
            kind=WaitKind.SEAL_CHECK,
            site=look.site,
            event=entry.id,
            chip=None,
            key=entry.id,
            owner=look.operator,
            since_ms=since,
            due_ms=look.gauge.due_ms(Timer.SEAL_CHECK, since) or 0,
            done_ms=end,
        ),
        FactKind.SEAL_CHECK_LATE,
    )


def _rest(look: Look, entry: Booked[Stored], end: int | None, *, since: int) -> Iterator[Found]:
    yield from _timed(
        look,
        entry,
        Wait(
            kind=WaitKind.STORAGE,
            site=look.site,
            event=entry.id,
            chip=None,
            key=entry.id,
            owner=look.operator,
            since_ms=since,
            due_ms=look.gauge.due_ms(Timer.STORAGE, since) or 0,
            done_ms=end,
        ),
        FactKind.STORED_TOO_LONG,
    )


def _timed(look: Look, entry: Booked[Stored], wait: Wait, kind: FactKind) -> Iterator[Found]:
    """Yield a wait for something under seal, if its timer holds, and the fact when it is late."""
    if not wait.due_ms:
        return
    yield wait
    if wait.overdue(look.at_ms):
        yield look.fact(
            kind,
            entry.id,
            Grounds(
                since_ms=wait.since_ms,
                counts=look.pieces(entry),
                owner=look.operator,
                events=[entry.id],
                detail={
                    "place": entry.event.place,
                    "seal": entry.event.seal,
                    "due_ms": wait.due_ms,
                },
            ),
        )


def broken_seals(look: Look) -> Iterator[Found]:
    """Yield the seals that were found broken or missing."""
    for entry in look.moves(Unstored):
        first = look.book.event(EventId(entry.event.answers))
        if entry.event.seal_found != "intact" and isinstance(first, Stored):
            yield look.fact(
                FactKind.SEAL_BROKEN,
                entry.id,
                Grounds(
                    since_ms=entry.event.occurred_at_ms,
                    counts=look.pieces(Booked(id=EventId(entry.event.answers), event=first)),
                    owner=look.operator,
                    events=[entry.id, entry.event.answers],
                    detail={
                        "found": entry.event.seal_found,
                        "place": first.place,
                        "seal": first.seal,
                    },
                ),
            )
