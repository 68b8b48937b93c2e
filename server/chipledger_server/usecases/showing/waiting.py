"""Everything that waits for somebody: steps of the ledger, and what is owed about findings.

The first are as the newest look left them, the second are computed from the cases: both in one
order, by due time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from chipledger_book.cases import CaseRole
from chipledger_book.cases.duties import Duty, DutyKind, duties
from chipledger_book.watch import WaitKind
from chipledger_server.usecases.reading import (
    FindingRow,
    FindingsAsked,
    WaitsAsked,
    WaitState,
    When,
)
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.duties import NEEDS, late_since, limits
from chipledger_server.usecases.showing.waits import DECISION, WORDS, WaitView, wait_view

_ALL: Final = 10**9
_KINDS: Final = {
    DutyKind.ACKNOWLEDGE: str(WaitKind.ACKNOWLEDGEMENT),
    DutyKind.EXPLAIN: str(WaitKind.EXPLANATION),
    DutyKind.DECIDE: DECISION,
}

Place = tuple[int, str, str]
"""Due time, kind and key: the order of waits."""


def place_of(view: WaitView) -> Place:
    """Return where a wait stands in the list."""
    return (view.due_ms, view.kind, view.key)


def waiting(look: Look, ask: WaitsAsked, *, after: Place, limit: int) -> Sequence[WaitView]:
    """Return what waits for somebody now, the one due first first, after a place."""
    steps = [
        wait_view(wait, now_ms=ask.now_ms)
        for wait in look.snapshot.waits(ask, after=after, limit=limit)
    ]
    owed = [view for view in owed_about_findings(look, ask) if place_of(view) > after]
    return sorted([*steps, *owed], key=place_of)[:limit]


def count_overdue(look: Look, ask: WaitsAsked) -> int:
    """Return how much of what is asked for is overdue."""
    if ask.state is WaitState.ENDED:
        return 0
    overdue = replace(ask, state=WaitState.OVERDUE)
    return look.snapshot.count_overdue(overdue) + sum(1 for _ in owed_about_findings(look, overdue))


def owed_about_findings(look: Look, ask: WaitsAsked) -> Iterator[WaitView]:
    """Yield what is owed about the findings that need attention, and what was done about them."""
    now = When(as_of_ms=ask.now_ms, known_at_ms=min(ask.now_ms, look.when.known_at_ms))
    look = replace(look, when=now)
    asked = FindingsAsked(
        when=now,
        scope=ask.scope,
        site=ask.site,
        states=NEEDS,
        late=late_since(look) if ask.state is WaitState.OVERDUE else None,
    )
    held, downtime = limits(look), look.snapshot.downtime(now)
    for row in look.snapshot.worst_findings(asked, limit=_ALL):
        for duty in duties(row.case, now_ms=now.seen_until_ms, limits=held, downtime=downtime):
            view = _view(row, duty, now_ms=ask.now_ms)
            if _is_asked(view, ask):
                yield view


def _view(row: FindingRow, duty: Duty, *, now_ms: int) -> WaitView:
    decides = duty.kind is DutyKind.DECIDE
    role = CaseRole.AUDITOR if decides else CaseRole.OPERATOR
    return WaitView(
        kind=_KINDS[duty.kind],
        key=row.id,
        words=f"{WORDS[_KINDS[duty.kind]]}: {_about(row)}",
        site=row.site,
        event=None,
        chip=None,
        finding=row.id,
        owner_role=role.value,
        owner="" if duty.owner == role.value else duty.owner,
        since_ms=duty.since_ms,
        due_ms=duty.due_ms,
        done_ms=duty.done_ms,
        late_ms=max(0, (now_ms if duty.done_ms is None else duty.done_ms) - duty.due_ms),
        pieces=0,
    )


def _about(row: FindingRow) -> str:
    """Return what a finding is about; one that has no site is told apart by its subject."""
    return row.type if row.site else f"{row.type} of {row.subject}"


def _is_asked(view: WaitView, ask: WaitsAsked) -> bool:
    if ask.owner is not None and ask.owner not in {view.owner, view.owner_role}:
        return False
    if ask.state is None:
        return True
    if ask.state is WaitState.ENDED:
        return view.done_ms is not None
    overdue = view.due_ms < ask.now_ms
    return view.done_ms is None and (overdue or ask.state is WaitState.RUNNING)
