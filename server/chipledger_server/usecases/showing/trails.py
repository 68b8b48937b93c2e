"""What happened to a finding, step by step, and everything of it for other programs."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chipledger_book.cases import COLLECTOR, Action, CaseRole, CaseState, Step
from chipledger_evidence.entry import EntryType
from chipledger_server.domain.findings import Severity
from chipledger_server.usecases.case_views import FindingView, TrailStep
from chipledger_server.usecases.reading import FindingsAsked, TrailRow
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.duties import NEEDS, late_since, papers
from chipledger_server.usecases.showing.findings import list_findings, shown_detail
from chipledger_server.usecases.times import span_ms, time_text
from chipledger_server.usecases.views import Answer, Millis

ATTENTION: Final = "attention"
ALL: Final = "all"
STATES: Final = (ATTENTION, ALL, *(state.value for state in CaseState))
_PAGE: Final = 500
_FACTS: Final = {
    "open": "opened",
    "grown": "grew",
    "lessened": "shrank",
    "resolved": "resolved",
}
_HEAVY: Final = frozenset({"high", "critical"})
_STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

COLUMNS: Final = (
    *("filter_state", "as_of", "known_at", "software"),
    *("finding", "type", "severity_now", "state_now", "present", "site", "subject", "host"),
    *("opened", "owner_now", "episodes"),
    *("step", "at", "action", "by", "role", "reason", "owner", "expires", "evidence"),
    *("proposed_only", "severity", "log_index"),
)
"""Columns of the CSV: one row for every step of every finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which findings a reader asks for, as written in an address.

    Attributes:
        state: ``attention``, ``all``, or a state.
        severity: only of this one.
        kind: only of this type.
        site: only this site's.
        host: only this host's.
        owner: only those this person is answerable for.
        older: opened longer ago than this span, ``7d``.
        late: only those for which somebody is late.
    """

    state: str = ALL
    severity: str = ""
    kind: str = ""
    site: str = ""
    host: str = ""
    owner: str = ""
    older: str = ""
    late: bool = False


class FindingTrail(Answer, frozen=True, kw_only=True):
    """A finding with everything that happened to it."""

    finding: FindingView
    trail: tuple[TrailStep, ...]


class ExportHead(Answer, frozen=True, kw_only=True):
    """What an export holds, and how it was made.

    Attributes:
        population: what it was chosen from.
        state: which states were asked for; ``all`` leaves nothing out.
        filters: everything else that was asked for.
    """

    population: str
    state: str
    filters: dict[str, str]
    as_of_ms: Millis
    known_at_ms: Millis
    software: str
    collector: str


def asked(look: Look, filters: Filters) -> FindingsAsked:
    """Return the question that filters ask.

    Raises:
        Refusal: `invalid-parameter`.
    """
    if filters.state not in STATES:
        raise _no_filter("state", filters.state, STATES)
    if filters.severity and filters.severity not in set(Severity):
        raise _no_filter("severity", filters.severity, tuple(Severity))
    older_ms = span_ms(filters.older) if filters.older else None
    return FindingsAsked(
        when=look.when,
        scope=look.scope,
        site=filters.site or None,
        host=filters.host or None,
        kind=filters.kind or None,
        severity=filters.severity or None,
        owner=filters.owner or None,
        states=_states(filters.state),
        opened_until_ms=None if older_ms is None else look.when.seen_until_ms - older_ms,
        late=late_since(look) if filters.late else None,
    )


def trail(look: Look, finding: str) -> tuple[TrailStep, ...]:
    """Return everything that happened to a finding that the reader may see, oldest first."""
    steps: list[TrailStep] = []
    severity: str | None = None
    for row in look.snapshot.trail(finding, look.when):
        if row.kind == EntryType.CASE:
            steps.append(_by_hand(row, heavy=severity in _HEAVY))
        else:
            step = _of_fact(look, row, again=severity is not None)
            severity = step.severity
            steps.append(step)
    return tuple(steps)


def whole(look: Look, question: FindingsAsked) -> Iterator[FindingTrail]:
    """Yield every finding of a question with its trail, newest first."""
    after: tuple[int, str] | None = None
    while True:
        page = list_findings(look, question, after=after, limit=_PAGE)
        for one in page:
            yield FindingTrail(finding=one, trail=trail(look, one.id))
        if len(page) < _PAGE:
            return
        after = (page[-1].opened_ms, page[-1].id)


def as_json(head: ExportHead, found: Iterable[FindingTrail]) -> Iterator[bytes]:
    """Yield an export as one JSON document, finding by finding."""
    yield msgspec.json.encode(head)[:-1] + b',"items":[\n'
    for place, one in enumerate(found):
        yield (b",\n" if place else b"") + msgspec.json.encode(one)
    yield b"\n]}\n"


def as_csv(head: ExportHead, found: Iterable[FindingTrail]) -> Iterator[bytes]:
    """Yield an export as CSV, one row for every step of every finding."""
    yield _line(COLUMNS)
    told = (head.state, time_text(head.as_of_ms), time_text(head.known_at_ms), head.software)
    for one in found:
        about = _about(one.finding)
        for place, step in enumerate(one.trail, start=1):
            yield _line((*told, *about, *_cells(place, step)))


def _states(state: str) -> frozenset[str] | None:
    if state == ALL:
        return None
    return NEEDS if state == ATTENTION else frozenset({state})


def _no_filter(name: str, value: str, known: Sequence[str]) -> Refusal:
    return Refusal(
        Code.INVALID_PARAMETER,
        f"{value!r} is no {name}",
        hint=f"one of: {', '.join(known)}",
    )


def _by_hand(row: TrailRow, *, heavy: bool) -> TrailStep:
    step = msgspec.json.decode(row.record, type=Step)
    return TrailStep(
        action=step.action,
        at_ms=step.at,
        by=step.by,
        role=step.role,
        reason=step.reason,
        owner=step.owner,
        expires_ms=step.expires,
        evidence=papers(step.evidence),
        proposed=heavy and step.action in {Action.ACCEPT, Action.CLOSE},
        severity=None,
        words=None,
        request=step.request,
        log_index=row.log_index,
    )


def _of_fact(look: Look, row: TrailRow, *, again: bool) -> TrailStep:
    record = msgspec.json.decode(row.record, type=dict[str, Any])
    state = str(record.get("state", "open"))
    action = "returned" if state == "open" and again else _FACTS.get(state, state)
    _, words = shown_detail(look, str(record.get("type", "")), record.get("detail", {}))
    return TrailStep(
        action=action,
        at_ms=row.time_ms,
        by=COLLECTOR,
        role=CaseRole.COLLECTOR,
        reason=None,
        owner=None,
        expires_ms=None,
        evidence=(),
        proposed=False,
        severity=record.get("severity"),
        words=words,
        request=None,
        log_index=row.log_index,
    )


def _about(one: FindingView) -> tuple[str, ...]:
    return (
        *(one.id, one.type, one.severity, one.state, "yes" if one.present else "no"),
        *(one.site or "", one.subject, one.host or ""),
        *(time_text(one.opened_ms), one.owner or "", str(one.episodes)),
    )


def _cells(place: int, step: TrailStep) -> tuple[str, ...]:
    expires = "" if step.expires_ms is None else time_text(step.expires_ms)
    evidence = " ".join(paper.sha256 for paper in step.evidence)
    index = "" if step.log_index is None else str(step.log_index)
    return (
        *(str(place), time_text(step.at_ms), step.action, step.by, step.role),
        *(step.reason or step.words or "", step.owner or "", expires, evidence),
        *("yes" if step.proposed else "no", step.severity or "", index),
    )


def _line(cells: Sequence[str]) -> bytes:
    """Return one line of CSV (RFC 4180); no cell is a formula to a spreadsheet."""
    out = io.StringIO()
    safe = [f"'{cell}" if cell.startswith(_STARTS_FORMULA) else cell for cell in cells]
    csv.writer(out).writerow(safe)
    return out.getvalue().encode()
