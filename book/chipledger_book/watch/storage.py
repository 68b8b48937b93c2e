"""Stock at rest: seals that nobody looks at, seals found open, and stock that stays for ever."""

from collections.abc import Iterator, Sequence

from chipledger_book.ledger import Booked
from chipledger_book.movements import PhysicalInventory, Stored, Unstored
from chipledger_book.statements import Role
from chipledger_book.terms import EventId
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind, Wait, WaitKind
from chipledger_book.watch.look import Found, Grounds, Look


def at_rest(look: Look) -> Iterator[Found]:
    """Yield what waits for a look at its seal or for its use, and what of it is late.

    An auditor's count at the site is a look at every seal there, and an auditor's statement on
    what was stored is one at that seal.
    """
    counts = [entry.event.occurred_at_ms for entry in look.moves(PhysicalInventory)]
    for entry in look.moves(Stored):
        ended = [
            one.event.occurred_at_ms
            for one in look.book.answers(entry.id, look.at_ms)
            if isinstance(one.event, Unstored)
        ]
        end = min(ended, default=None)
        said = [
            one.stated_at_ms for one in look.book.statements(entry.id) if one.role is Role.AUDITOR
        ]
        yield from _seal(look, entry, [*counts, *said], end)
        yield from _rest(look, entry, end)


def _seal(
    look: Look, entry: Booked[Stored], checks: Sequence[int], end: int | None
) -> Iterator[Found]:
    until = look.at_ms if end is None else end
    stored = entry.event.occurred_at_ms
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


def _rest(look: Look, entry: Booked[Stored], end: int | None) -> Iterator[Found]:
    since = entry.event.occurred_at_ms
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
