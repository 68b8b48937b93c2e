"""The state machine of a case: one step after the other, and the rules that refuse one.

A fact is never refused, and beats every state: while it grows or returns, nothing stays
explained, accepted or closed. Expiry is a function of the time that is asked about.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Final

from msgspec.structs import replace

from chipledger_book.cases.case import Case, Explanation, Ruling
from chipledger_book.cases.steps import (
    ATTENTION,
    FACTS,
    LONGEST_MS,
    Action,
    Actor,
    CaseRole,
    CaseState,
    Step,
)
from chipledger_book.errors import BookError, Code, refuse
from chipledger_book.terms import Severity

_RULED: Final = (CaseState.ACCEPTED, CaseState.CLOSED)

MAY: Final[Mapping[Action, frozenset[CaseRole]]] = {
    Action.ACKNOWLEDGE: frozenset({CaseRole.OPERATOR}),
    Action.EXPLAIN: frozenset({CaseRole.OPERATOR}),
    Action.REJECT: frozenset({CaseRole.AUDITOR}),
    Action.ACCEPT: frozenset({CaseRole.AUDITOR}),
    Action.CLOSE: frozenset({CaseRole.AUDITOR}),
    Action.CONFIRM: frozenset({CaseRole.AUDITOR}),
    Action.DECLINE: frozenset({CaseRole.AUDITOR}),
    Action.REOPEN: frozenset({CaseRole.AUDITOR}),
    Action.ASSIGN: frozenset({CaseRole.OPERATOR, CaseRole.AUDITOR, CaseRole.ADMINISTRATOR}),
    Action.COMMENT: frozenset({CaseRole.OPERATOR, CaseRole.AUDITOR, CaseRole.ADMINISTRATOR}),
}
"""Who may take which step, whatever the state of the case."""

FROM: Final[Mapping[Action, tuple[CaseState, ...]]] = {
    Action.ACKNOWLEDGE: (CaseState.OPEN,),
    Action.EXPLAIN: (CaseState.OPEN, CaseState.ACKNOWLEDGED),
    Action.REJECT: (CaseState.EXPLAINED,),
    Action.ACCEPT: (CaseState.EXPLAINED,),
    Action.CLOSE: ATTENTION,
    Action.CONFIRM: ATTENTION,
    Action.DECLINE: ATTENTION,
    Action.REOPEN: (*_RULED, CaseState.RESOLVED),
    Action.ASSIGN: tuple(CaseState),
    Action.COMMENT: tuple(CaseState),
}
"""From which states a step leads on."""

_NEED_REASON: Final = frozenset(
    {
        Action.EXPLAIN,
        Action.REJECT,
        Action.ACCEPT,
        Action.CLOSE,
        Action.DECLINE,
        Action.REOPEN,
        Action.COMMENT,
    }
)
_NEED_EXPIRY: Final = frozenset({Action.EXPLAIN, Action.ACCEPT})
_TELL_OWNER: Final = frozenset({Action.EXPLAIN, Action.ASSIGN})
_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}
_BEFORE_A_RULING: Final = (Action.ACCEPT, Action.CLOSE)


def at_time(case: Case, now_ms: int) -> Case:
    """Return a case as it stands at a time: what has outlived its expiry is open again."""
    ends_ms = case.expires
    if ends_ms is None or now_ms < ends_ms:
        return case
    return _reopened(case, ends_ms)


def apply(case: Case | None, step: Step) -> Case:
    """Return what a step makes of a case.

    Args:
        case: the case before; None before its fact was first found.
        step: the next step.

    Raises:
        BookError: the step is not possible now, not this role's, not this person's, or lacks
            what it must say; the case stays as it is. A fact is never refused.
    """
    if case is None:
        return _begun(step)
    at_ms = max(step.at, case.touched)
    now = at_time(case, at_ms)
    if step.action not in FACTS:
        _check(now, step, at_ms)
    changed = _CHANGES[step.action](now, step, at_ms)
    return replace(changed, steps=case.steps + 1, touched=at_ms)


def fold_case(steps: Iterable[Step]) -> Case | None:
    """Return what the steps of one case, in the order of the log, have made of it."""
    none: Case | None = None
    return reduce(apply, steps, none)


def allowed(case: Case, actor: Actor, *, site: str | None, now_ms: int) -> tuple[Action, ...]:
    """Return the steps that a person may take now, in the order of `Action`."""
    now = at_time(case, now_ms)
    return tuple(
        action
        for action in Action
        if action not in FACTS
        and actor.reaches(site)
        and actor.role in MAY[action]
        and _stands_in_the_way(now, action, actor.name) is None
    )


def who_may(case: Case, action: Action, *, now_ms: int) -> tuple[CaseRole, ...]:
    """Return the roles that may take a step now; none where its state does not allow it."""
    now = at_time(case, now_ms)
    if now.state not in FROM[action] or (
        action in {Action.CONFIRM, Action.DECLINE} and now.pending is None
    ):
        return ()
    return tuple(role for role in CaseRole if role in MAY[action])


def demand_reach(actor: Actor, case: str, *, site: str | None) -> None:
    """Do nothing if a case is within a person's reach.

    Raises:
        BookError: `case-outside-scope`.
    """
    if not actor.reaches(site):
        raise refuse(
            Code.CASE_OUTSIDE_SCOPE,
            f"{case} is not about a site of {actor.name}",
            hint="choose a finding of one of your own sites",
        )


def _check(case: Case, step: Step, at_ms: int) -> None:
    if step.role not in MAY[step.action]:
        may = " or ".join(f"an {role}" for role in CaseRole if role in MAY[step.action])
        raise refuse(
            Code.CASE_STEP_FORBIDDEN,
            f"an {step.role} may not {step.action} {case.id}",
            where="action",
            hint=f"{may} may",
        )
    found = _stands_in_the_way(case, step.action, step.by)
    if found is not None:
        raise found
    _check_said(case, step, at_ms)


def _stands_in_the_way(case: Case, action: Action, name: str) -> BookError | None:
    """Return why a step is not possible from here, or not by this person."""
    if case.state not in FROM[action]:
        return refuse(
            Code.CASE_STEP_NOT_POSSIBLE,
            f"{case.id} is {case.state}: {action} is no step from there",
            where="action",
            hint=f"possible from: {', '.join(FROM[action])}; look at the case again",
        )
    if action in {Action.CONFIRM, Action.DECLINE} and case.pending is None:
        return refuse(
            Code.CASE_STEP_NOT_POSSIBLE,
            f"nothing waits to be confirmed at {case.id}",
            where="action",
            hint="one auditor proposes with accept or close, another one confirms",
        )
    if action in _BEFORE_A_RULING and case.pending is not None:
        return refuse(
            Code.CASE_STEP_NOT_POSSIBLE,
            f"{case.pending.by} proposed to {case.pending.how} {case.id}",
            where="action",
            hint="confirm or decline that first",
        )
    if action is Action.CONFIRM and case.pending is not None and case.pending.by == name:
        return refuse(
            Code.CASE_SECOND_PERSON,
            f"{name} proposed to {case.pending.how} {case.id}",
            where="action",
            hint=f"severity {case.severity} takes two: another auditor must confirm it",
        )
    return None


def _check_said(case: Case, step: Step, at_ms: int) -> None:
    """Do nothing if a step says all that it must."""
    if step.action in _NEED_REASON and not (step.reason or "").strip():
        raise refuse(
            Code.CASE_REASON_MISSING,
            f"{step.action} needs a reason",
            where="reason",
            hint="say why: it stands in the log for ever",
        )
    if step.action is Action.EXPLAIN and not step.evidence:
        raise refuse(
            Code.CASE_EVIDENCE_MISSING,
            f"an explanation of {case.id} without any evidence",
            where="evidence",
            hint="name the SHA-256 digest of at least one paper: sha256sum prints it",
        )
    if step.action is Action.ASSIGN and step.owner is None:
        raise refuse(
            Code.CASE_OWNER_MISSING, "nobody is named", where="owner", hint="name the owner"
        )
    if step.owner is not None and step.action not in _TELL_OWNER:
        raise _says_too_much(step.action, "owner")
    if step.expires is not None and step.action not in _NEED_EXPIRY:
        raise _says_too_much(step.action, "expires")
    if step.action in _NEED_EXPIRY and not (
        step.expires is not None and at_ms < step.expires <= at_ms + LONGEST_MS
    ):
        raise refuse(
            Code.CASE_EXPIRY_WRONG,
            f"{step.action} needs a time at which it ends",
            where="expires",
            hint=f"from now to {LONGEST_MS // 86_400_000} days ahead: nothing holds for ever",
        )


def _says_too_much(action: Action, member: str) -> BookError:
    return refuse(
        Code.CASE_MEMBER_NOT_TAKEN,
        f"{action} takes no {member}",
        where=member,
        hint="leave it out; docs/OPERATIONS.md says what each step takes",
    )


def _begun(step: Step) -> Case:
    """Return a new case; a fact of an older log may be first met when it ends."""
    present = step.action is not Action.RESOLVED
    return Case(
        id=step.case,
        opened=step.at,
        round=step.at,
        severity=step.severity or Severity.MEDIUM,
        since=step.at,
        state=CaseState.OPEN if present else CaseState.RESOLVED,
        steps=1,
        touched=step.at,
        owner=step.owner,
        present=present,
    )


def _reopened(case: Case, at_ms: int) -> Case:
    """Return a case that begins a new round: somebody owes an answer again."""
    return replace(
        case,
        state=CaseState.OPEN,
        since=at_ms,
        round=at_ms,
        acknowledged=None,
        explanation=None,
        pending=None,
        ruling=None,
    )


def _moved(case: Case, state: CaseState, at_ms: int) -> Case:
    return replace(case, state=state, since=at_ms)


def _seen(case: Case, step: Step, at_ms: int) -> Case:
    """The fact was opened once more: it returned, or it is there as it was."""
    if case.present:
        return _grew(case, step, at_ms)
    case = replace(case, present=True, episodes=case.episodes + 1)
    return _reopened(replace(case, severity=step.severity or case.severity), at_ms)


def _grew(case: Case, step: Step, at_ms: int) -> Case:
    """The fact is more than was acknowledged: what was said of it no longer covers it."""
    if not case.present:
        return _seen(case, step, at_ms)
    grown = replace(case, severity=step.severity or case.severity, pending=None)
    if case.state in {CaseState.OPEN, CaseState.ACKNOWLEDGED}:
        return grown
    return _reopened(grown, at_ms)


def _shrank(case: Case, step: Step, at_ms: int) -> Case:
    """The fact hides less than before; what is said to hide more has grown, by whatever name."""
    severity = step.severity or case.severity
    if _RANK[severity] > _RANK[case.severity]:
        return _grew(case, step, at_ms)
    return replace(case, severity=severity)


def _resolved(case: Case, step: Step, at_ms: int) -> Case:  # noqa: ARG001 - as every change
    """The fact has ended; only what an auditor closed stays closed."""
    gone = replace(case, present=False)
    if case.state in {CaseState.CLOSED, CaseState.RESOLVED}:
        return gone
    return _moved(replace(gone, pending=None, unheard=None), CaseState.RESOLVED, at_ms)


def _unchanged(case: Case, step: Step, at_ms: int) -> Case:  # noqa: ARG001 - as every change
    return case


def _acknowledged(case: Case, step: Step, at_ms: int) -> Case:
    owned = replace(case, acknowledged=at_ms, owner=case.owner or step.by)
    return _moved(owned, CaseState.ACKNOWLEDGED, at_ms)


def _explained(case: Case, step: Step, at_ms: int) -> Case:
    said = Explanation(
        at=at_ms,
        by=step.by,
        expires=step.expires or at_ms,
        owner=step.owner or case.owner or step.by,
        reason=step.reason or "",
        evidence=step.evidence,
    )
    known = at_ms if case.acknowledged is None else case.acknowledged
    told = replace(
        case,
        acknowledged=known,
        explanation=said,
        owner=said.owner,
        pending=None,
        unheard=at_ms if case.unheard is None else case.unheard,
    )
    return _moved(told, CaseState.EXPLAINED, at_ms)


def _rejected(case: Case, step: Step, at_ms: int) -> Case:  # noqa: ARG001 - as every change
    return _reopened(replace(case, unheard=None), at_ms)


def _ruled(case: Case, step: Step, at_ms: int) -> Case:
    """One auditor's word: it is so, or where it takes two it waits for the second."""
    ruling = Ruling(
        at=at_ms,
        by=step.by,
        how="accept" if step.action is Action.ACCEPT else "close",
        reason=step.reason or "",
        evidence=step.evidence,
        expires=step.expires,
    )
    return replace(case, pending=ruling) if case.takes_two else _made_so(case, ruling, at_ms)


def _confirmed(case: Case, step: Step, at_ms: int) -> Case:
    if case.pending is None:
        raise AssertionError("checked before")
    if case.pending.expires is not None and case.pending.expires <= at_ms:
        raise refuse(
            Code.CASE_EXPIRY_WRONG,
            f"the acceptance that {case.pending.by} proposed has ended by now",
            where="expires",
            hint="decline it, and propose it anew with a later end",
        )
    return _made_so(case, replace(case.pending, confirmed=at_ms, confirmed_by=step.by), at_ms)


def _made_so(case: Case, ruling: Ruling, at_ms: int) -> Case:
    state = CaseState.ACCEPTED if ruling.how == "accept" else CaseState.CLOSED
    return _moved(replace(case, pending=None, ruling=ruling, unheard=None), state, at_ms)


def _declined(case: Case, step: Step, at_ms: int) -> Case:  # noqa: ARG001 - as every change
    return replace(case, pending=None)


def _assigned(case: Case, step: Step, at_ms: int) -> Case:  # noqa: ARG001 - as every change
    return replace(case, owner=step.owner)


_CHANGES: Final[Mapping[Action, Callable[[Case, Step, int], Case]]] = {
    Action.OPENED: _seen,
    Action.GREW: _grew,
    Action.SHRANK: _shrank,
    Action.RESOLVED: _resolved,
    Action.RETURNED: _seen,
    Action.EXPIRED: _unchanged,
    Action.ACKNOWLEDGE: _acknowledged,
    Action.EXPLAIN: _explained,
    Action.REJECT: _rejected,
    Action.ACCEPT: _ruled,
    Action.CLOSE: _ruled,
    Action.CONFIRM: _confirmed,
    Action.DECLINE: _declined,
    Action.REOPEN: _rejected,
    Action.ASSIGN: _assigned,
    Action.COMMENT: _unchanged,
}
