"""Who owes what about a case until when: a function of the case, the limits, and the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from chipledger_book.cases.case import Case
from chipledger_book.cases.machine import at_time
from chipledger_book.cases.steps import CaseRole, CaseState
from chipledger_book.timers import DAY_MS, HOUR_MS, Timer, TimerRow, Timers

_WORKING_DAYS: Final = 5

Span = tuple[int, int]
"""From and to, Unix milliseconds: when the collector itself did not answer."""


class DutyKind(StrEnum):
    """What somebody owes."""

    ACKNOWLEDGE = "case-acknowledge"
    EXPLAIN = "case-explain"
    DECIDE = "case-decide"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """How long something may take.

    Attributes:
        days: business days, Monday to Friday, UTC.
        plain_ms: milliseconds of any day after them.
    """

    days: int = 0
    plain_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long each may take.

    Attributes:
        acknowledge: operator, from the opening of a round.
        explain: operator, from the opening of a round.
        decide: auditor, from the explanation, or the first of several that it did not answer.
    """

    acknowledge: Term = Term(days=2)
    explain: Term = Term(days=10)
    decide: Term = Term(days=10)


def limits_of(timers: Timers | None, day: date) -> Limits:
    """Return the limits of a table of timers on a day; where it has none, the shipped ones."""
    usual = Limits()
    if timers is None:
        return usual
    explain = _term(timers.limit(Timer.EXPLANATION, day), usual.explain)
    return Limits(
        acknowledge=_term(timers.limit(Timer.ACKNOWLEDGEMENT, day), usual.acknowledge),
        explain=explain,
        decide=explain,
    )


def _term(row: TimerRow | None, usual: Term) -> Term:
    if row is None:
        return usual
    plain_ms = (row.days or 0) * DAY_MS + (row.hours or 0) * HOUR_MS
    return Term(days=row.business_days or 0, plain_ms=plain_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Something that is owed about a case, or was.

    Attributes:
        kind: what.
        key: id of the case.
        owner: who owes it: a person's name, or a role where nobody is named.
        since_ms: since when.
        due_ms: until when; days at the weekend and times the collector was away left out.
        done_ms: when it was done, or None.
    """

    kind: DutyKind
    key: str
    owner: str
    since_ms: int
    due_ms: int
    done_ms: int | None = None

    def late(self, now_ms: int) -> bool:
        """Tell whether it was done after its time, or its time is over."""
        return (now_ms if self.done_ms is None else self.done_ms) > self.due_ms


def duties(
    case: Case, *, now_ms: int, limits: Limits | None = None, downtime: Sequence[Span] = ()
) -> tuple[Duty, ...]:
    """Return what is owed in the present round of a case; none where nobody has to do anything."""
    now, held = at_time(case, now_ms), limits or Limits()
    if now.state not in {CaseState.OPEN, CaseState.ACKNOWLEDGED, CaseState.EXPLAINED}:
        return ()
    operator = now.owner or CaseRole.OPERATOR.value
    said = now.explanation
    owed = [
        (DutyKind.ACKNOWLEDGE, operator, now.round, held.acknowledge, now.acknowledged),
        (DutyKind.EXPLAIN, operator, now.round, held.explain, said.at if said else None),
    ]
    if said is not None:
        # an explanation that is let run out and given again does not begin the auditor's time anew
        since = said.at if now.unheard is None else now.unheard
        owed.append((DutyKind.DECIDE, CaseRole.AUDITOR.value, since, held.decide, None))
    return tuple(
        Duty(
            kind=kind,
            key=now.id,
            owner=owner,
            since_ms=since_ms,
            due_ms=due_ms(since_ms, term, downtime=downtime),
            done_ms=done_ms,
        )
        for kind, owner, since_ms, term, done_ms in owed
    )


def due_ms(since_ms: int, term: Term, *, downtime: Sequence[Span] = ()) -> int:
    """Return the end of a term after a time.

    What begins at a weekend begins on Monday. Time in which the collector was away does not
    count: it is added at the end. Never earlier for what began later.
    """
    since_ms = _first_working(since_ms) if term.days else since_ms
    at_ms, left = since_ms, term.days
    while left:
        at_ms += DAY_MS
        left -= _is_working(at_ms)
    at_ms += term.plain_ms
    for begins, ends in _merged(downtime):
        if ends > since_ms and begins < at_ms:
            at_ms += ends - max(begins, since_ms)
    return at_ms


def latest_late_ms(now_ms: int, term: Term, *, downtime: Sequence[Span] = ()) -> int:
    """Return the newest beginning whose time is over; -1 where there is none.

    What began then or before is late at `now_ms`, what began later is not: so that a database
    can be asked for what is late without looking at every case.
    """
    low, high = -1, now_ms
    while low < high:
        middle = (low + high + 1) // 2
        if due_ms(middle, term, downtime=downtime) < now_ms:
            low = middle
        else:
            high = middle - 1
    return low


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Return the same times without any of them twice."""
    merged: list[Span] = []
    for begins, ends in sorted(spans):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(ends, merged[-1][1]))
        else:
            merged.append((begins, ends))
    return merged


def _first_working(at_ms: int) -> int:
    """Return a time on a business day, or the beginning of the next one."""
    while not _is_working(at_ms):
        at_ms = (at_ms // DAY_MS + 1) * DAY_MS
    return at_ms


def _is_working(at_ms: int) -> bool:
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC).weekday() < _WORKING_DAYS
