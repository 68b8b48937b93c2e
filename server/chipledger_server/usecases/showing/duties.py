"""Cases as readers are shown them: who owes what, what was said, and what was decided."""

from typing import Final

from chipledger_book.cases import ATTENTION, Case, Explanation, Ruling, duties, limits_of
from chipledger_book.cases.duties import Limits, latest_late_ms
from chipledger_book.terms import Document, day_of
from chipledger_server.usecases.case_views import (
    DutyView,
    ExplanationView,
    PaperView,
    RulingView,
)
from chipledger_server.usecases.reading import LateSince
from chipledger_server.usecases.showing import Look

NEEDS: Final = frozenset(state.value for state in ATTENTION)
"""States of cases that need attention."""


def limits(look: Look) -> Limits:
    """Return how long each may take, by the tables of the time looked at."""
    return limits_of(look.measure.tables.timers, day_of(look.when.as_of_ms))


def duties_of(look: Look, case: Case) -> tuple[DutyView, ...]:
    """Return who owes what about a case at the time looked at."""
    now_ms = look.when.seen_until_ms
    owed = duties(
        case, now_ms=now_ms, limits=limits(look), downtime=look.snapshot.downtime(look.when)
    )
    return tuple(
        DutyView(
            kind=duty.kind,
            owner=duty.owner,
            since_ms=duty.since_ms,
            due_ms=duty.due_ms,
            done_ms=duty.done_ms,
            late=duty.late(now_ms),
        )
        for duty in owed
    )


def late_since(look: Look) -> LateSince:
    """Return what must have begun until when to be late at the time looked at."""
    now_ms, held = look.when.seen_until_ms, limits(look)
    downtime = look.snapshot.downtime(look.when)
    return LateSince(
        acknowledge_ms=latest_late_ms(now_ms, held.acknowledge, downtime=downtime),
        explain_ms=latest_late_ms(now_ms, held.explain, downtime=downtime),
        decide_ms=latest_late_ms(now_ms, held.decide, downtime=downtime),
    )


def papers(evidence: tuple[Document, ...]) -> tuple[PaperView, ...]:
    """Return papers as readers are shown them."""
    return tuple(PaperView(sha256=one.sha256, title=one.title) for one in evidence)


def explanation_view(said: Explanation | None) -> ExplanationView | None:
    """Return an explanation as readers are shown it."""
    if said is None:
        return None
    return ExplanationView(
        at_ms=said.at,
        by=said.by,
        owner=said.owner,
        reason=said.reason,
        evidence=papers(said.evidence),
        expires_ms=said.expires,
    )


def ruling_view(ruling: Ruling | None) -> RulingView | None:
    """Return a decision, or the proposal of one, as readers are shown it."""
    if ruling is None:
        return None
    return RulingView(
        how=ruling.how,
        at_ms=ruling.at,
        by=ruling.by,
        reason=ruling.reason,
        evidence=papers(ruling.evidence),
        expires_ms=ruling.expires,
        confirmed_ms=ruling.confirmed,
        confirmed_by=ruling.confirmed_by,
    )
