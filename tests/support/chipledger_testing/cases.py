"""Cases at hand: steps with everything they need, one after the other."""

from typing import Any, Final

from msgspec.structs import replace

from chipledger_book.cases import Action, Case, CaseRole, CaseState, Step, apply
from chipledger_book.terms import Document, Severity

MONDAY: Final = 1_767_600_000_000
"""2026-01-05 08:00:00 UTC, a Monday."""
DAY: Final = 86_400_000
PAPER: Final = Document(sha256="a" * 64, title="work order 17")
FINDING: Final = "f-case"

OPERATOR: Final = ("olga", CaseRole.OPERATOR)
AUDITOR: Final = ("ada", CaseRole.AUDITOR)
SECOND: Final = ("bert", CaseRole.AUDITOR)
ADMINISTRATOR: Final = ("root", CaseRole.ADMINISTRATOR)
FACT: Final = ("collector", CaseRole.COLLECTOR)

Who = tuple[str, CaseRole]


def step(action: Action, who: Who, at: int, **more: Any) -> Step:  # noqa: ANN401 - members
    """Return a step that says all it must, unless told otherwise."""
    said: dict[str, Any] = {}
    if action in {
        Action.EXPLAIN,
        Action.REJECT,
        Action.ACCEPT,
        Action.CLOSE,
        Action.DECLINE,
        Action.REOPEN,
        Action.COMMENT,
    }:
        said["reason"] = "because"
    if action is Action.EXPLAIN:
        said["evidence"] = (PAPER,)
    if action in {Action.EXPLAIN, Action.ACCEPT}:
        said["expires"] = at + 30 * DAY
    if action is Action.ASSIGN:
        said["owner"] = "olga"
    return Step(action=action, at=at, by=who[0], case=FINDING, role=who[1], **{**said, **more})


def opened(severity: Severity = Severity.MEDIUM, at: int = MONDAY) -> Case:
    """Return a case that has just been opened."""
    return apply(None, step(Action.OPENED, FACT, at, severity=severity))


def brought_to(state: CaseState, severity: Severity = Severity.MEDIUM) -> Case:
    """Return a case in a state, one second after it was opened at most five seconds ago."""
    case = opened(severity)
    for action, who in WAYS[state]:
        if action is Action.CONFIRM and case.pending is None:
            continue
        case = apply(case, step(action, who, case.touched + 1000))
    return case


def proposed(severity: Severity = Severity.HIGH, how: Action = Action.CLOSE) -> Case:
    """Return a case at which Ada has proposed something, and Bert may confirm it."""
    case = brought_to(CaseState.EXPLAINED, severity)
    return apply(case, step(how, AUDITOR, case.touched + 1000))


def with_severity(case: Case, severity: Severity) -> Case:
    """Return a case whose fact has another severity."""
    return replace(case, severity=severity)


WAYS: Final[dict[CaseState, tuple[tuple[Action, Who], ...]]] = {
    CaseState.OPEN: (),
    CaseState.ACKNOWLEDGED: ((Action.ACKNOWLEDGE, OPERATOR),),
    CaseState.EXPLAINED: ((Action.ACKNOWLEDGE, OPERATOR), (Action.EXPLAIN, OPERATOR)),
    CaseState.ACCEPTED: (
        (Action.EXPLAIN, OPERATOR),
        (Action.ACCEPT, AUDITOR),
        (Action.CONFIRM, SECOND),
    ),
    CaseState.CLOSED: ((Action.CLOSE, AUDITOR), (Action.CONFIRM, SECOND)),
    CaseState.RESOLVED: ((Action.RESOLVED, FACT),),
}
