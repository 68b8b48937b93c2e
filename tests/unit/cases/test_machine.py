"""Who may do what about a finding, from where, and what becomes of it."""

import pytest

from chipledger_book.cases import (
    ATTENTION,
    FACTS,
    LONGEST_MS,
    Action,
    Actor,
    Case,
    CaseRole,
    CaseState,
    allowed,
    apply,
    at_time,
    demand_reach,
    fold_case,
    who_may,
)
from chipledger_book.errors import BookError, Code
from chipledger_book.terms import Severity
from chipledger_testing.cases import (
    ADMINISTRATOR,
    AUDITOR,
    DAY,
    FACT,
    FINDING,
    MONDAY,
    OPERATOR,
    SECOND,
    brought_to,
    opened,
    proposed,
    step,
)

PEOPLE = {
    CaseRole.OPERATOR: OPERATOR,
    CaseRole.AUDITOR: AUDITOR,
    CaseRole.ADMINISTRATOR: ADMINISTRATOR,
}
STEPS = [action for action in Action if action not in FACTS]
HEAVY = (Severity.HIGH, Severity.CRITICAL)

# What each role may do from each state, and where that leads, for light and for heavy severity.
_SAME = (None, None)
TABLE: dict[tuple[CaseRole, CaseState], dict[Action, tuple[CaseState | None, CaseState | None]]] = {
    (CaseRole.OPERATOR, CaseState.OPEN): {
        Action.ACKNOWLEDGE: (CaseState.ACKNOWLEDGED, CaseState.ACKNOWLEDGED),
        Action.EXPLAIN: (CaseState.EXPLAINED, CaseState.EXPLAINED),
    },
    (CaseRole.OPERATOR, CaseState.ACKNOWLEDGED): {
        Action.EXPLAIN: (CaseState.EXPLAINED, CaseState.EXPLAINED),
    },
    (CaseRole.AUDITOR, CaseState.OPEN): {Action.CLOSE: (CaseState.CLOSED, None)},
    (CaseRole.AUDITOR, CaseState.ACKNOWLEDGED): {Action.CLOSE: (CaseState.CLOSED, None)},
    (CaseRole.AUDITOR, CaseState.EXPLAINED): {
        Action.REJECT: (CaseState.OPEN, CaseState.OPEN),
        Action.ACCEPT: (CaseState.ACCEPTED, None),
        Action.CLOSE: (CaseState.CLOSED, None),
    },
    (CaseRole.AUDITOR, CaseState.ACCEPTED): {Action.REOPEN: (CaseState.OPEN, CaseState.OPEN)},
    (CaseRole.AUDITOR, CaseState.CLOSED): {Action.REOPEN: (CaseState.OPEN, CaseState.OPEN)},
    (CaseRole.AUDITOR, CaseState.RESOLVED): {Action.REOPEN: (CaseState.OPEN, CaseState.OPEN)},
}


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("state", CaseState)
@pytest.mark.parametrize("role", PEOPLE)
@pytest.mark.parametrize("action", STEPS)
def test_every_step_of_every_role_from_every_state_at_every_severity(
    action: Action, role: CaseRole, state: CaseState, severity: Severity
) -> None:
    """A step leads where the table says, and what the table does not hold is refused."""
    case = brought_to(state, severity)
    taken = step(action, PEOPLE[role], case.touched + 1)
    leads = {Action.ASSIGN: _SAME, Action.COMMENT: _SAME, **TABLE.get((role, state), {})}
    if action not in leads:
        with pytest.raises(BookError) as refused:
            apply(case, taken)
        assert refused.value.code in {Code.CASE_STEP_FORBIDDEN, Code.CASE_STEP_NOT_POSSIBLE}
        assert refused.value.hint
        return
    to = leads[action][severity in HEAVY] or state
    assert apply(case, taken).state is to


@pytest.mark.parametrize("state", CaseState)
@pytest.mark.parametrize("role", PEOPLE)
def test_what_is_offered_is_what_is_taken(role: CaseRole, state: CaseState) -> None:
    """A reader is offered exactly the steps that would not be refused."""
    case = brought_to(state, Severity.HIGH)
    name, _ = PEOPLE[role]
    offered = allowed(case, Actor(name=name, role=role), site="x", now_ms=case.touched + 1)
    for action in STEPS:
        try:
            apply(case, step(action, PEOPLE[role], case.touched + 1))
        except BookError:
            assert action not in offered
        else:
            assert action in offered


@pytest.mark.parametrize("severity", HEAVY)
@pytest.mark.parametrize("how", [Action.ACCEPT, Action.CLOSE])
def test_a_heavy_finding_takes_two_auditors(how: Action, severity: Severity) -> None:
    """The first proposes and changes nothing, the second makes it so, and both stand there."""
    case = proposed(severity, how)
    assert case.state is CaseState.EXPLAINED
    done = apply(case, step(Action.CONFIRM, SECOND, case.touched + 1))
    assert done.state is (CaseState.ACCEPTED if how is Action.ACCEPT else CaseState.CLOSED)
    assert done.ruling is not None
    assert (done.ruling.by, done.ruling.confirmed_by) == ("ada", "bert")


def test_nobody_confirms_what_he_proposed() -> None:
    """Two persons are two persons."""
    case = proposed()
    with pytest.raises(BookError) as refused:
        apply(case, step(Action.CONFIRM, AUDITOR, case.touched + 1))
    assert refused.value.code is Code.CASE_SECOND_PERSON


@pytest.mark.parametrize("who", [OPERATOR, ADMINISTRATOR])
def test_only_an_auditor_is_the_second_person(who: tuple[str, CaseRole]) -> None:
    """Neither the operator nor the administrator confirms."""
    case = proposed()
    with pytest.raises(BookError) as refused:
        apply(case, step(Action.CONFIRM, who, case.touched + 1))
    assert refused.value.code is Code.CASE_STEP_FORBIDDEN


def test_a_light_finding_takes_one_auditor() -> None:
    """Where little can be hidden one auditor is enough, and nothing waits to be confirmed."""
    done = brought_to(CaseState.CLOSED, Severity.LOW)
    assert done.ruling is not None
    assert done.ruling.confirmed_by is None


@pytest.mark.parametrize("who", [AUDITOR, SECOND])
def test_a_proposal_can_be_declined_and_taken_back(who: tuple[str, CaseRole]) -> None:
    """Nothing was changed by a proposal, and nothing is left of it but its steps."""
    case = apply(proposed(), step(Action.DECLINE, who, MONDAY + DAY))
    assert case.pending is None
    assert case.state is CaseState.EXPLAINED


@pytest.mark.parametrize("fact", [Action.GREW, Action.OPENED])
@pytest.mark.parametrize("state", [CaseState.EXPLAINED, CaseState.ACCEPTED, CaseState.CLOSED])
def test_what_grows_is_open_again(state: CaseState, fact: Action) -> None:
    """What was said of a smaller fact does not cover a larger one."""
    case = brought_to(state)
    grown = apply(case, step(fact, FACT, case.touched + DAY, severity=Severity.CRITICAL))
    assert grown.state is CaseState.OPEN
    assert grown.round == case.touched + DAY
    assert grown.severity is Severity.CRITICAL
    assert (grown.explanation, grown.ruling, grown.acknowledged) == (None, None, None)


def test_what_grows_while_it_waits_for_the_second_person_must_be_proposed_anew() -> None:
    """Nobody confirms what the first person did not see."""
    case = apply(proposed(), step(Action.GREW, FACT, MONDAY + DAY))
    assert case.pending is None
    assert Action.CONFIRM not in allowed(
        case, Actor(name="bert", role=CaseRole.AUDITOR), site=None, now_ms=MONDAY + DAY
    )


@pytest.mark.parametrize("state", [*ATTENTION, CaseState.ACCEPTED])
def test_facts_beat_states(state: CaseState) -> None:
    """What has ended is resolved, accepted or not; and what returns is open, as the same case."""
    case = brought_to(state)
    ended = apply(case, step(Action.RESOLVED, FACT, case.touched + DAY))
    assert ended.state is CaseState.RESOLVED
    back = apply(ended, step(Action.RETURNED, FACT, case.touched + 2 * DAY))
    assert (back.state, back.episodes, back.id) == (CaseState.OPEN, 2, FINDING)


def test_what_was_closed_stays_closed_when_its_fact_ends_and_opens_when_it_returns() -> None:
    """An auditor's word stands until the fact says otherwise."""
    case = brought_to(CaseState.CLOSED)
    ended = apply(case, step(Action.RESOLVED, FACT, MONDAY + DAY))
    assert (ended.state, ended.present) == (CaseState.CLOSED, False)
    assert apply(ended, step(Action.OPENED, FACT, MONDAY + 2 * DAY)).state is CaseState.OPEN


def test_an_ended_fact_can_be_reopened_by_an_auditor() -> None:
    """That a fact ended by itself is recorded, and is not the last word."""
    case = brought_to(CaseState.RESOLVED)
    again = apply(case, step(Action.REOPEN, AUDITOR, MONDAY + DAY))
    assert (again.state, again.present) == (CaseState.OPEN, False)


@pytest.mark.parametrize("state", [CaseState.EXPLAINED, CaseState.ACCEPTED])
def test_expiry_is_by_time(state: CaseState) -> None:
    """The millisecond an explanation or an acceptance ends, the case is open: no job decides."""
    case = brought_to(state)
    assert case.expires is not None
    assert at_time(case, case.expires - 1).state is state
    late = at_time(case, case.expires)
    assert (late.state, late.round) == (CaseState.OPEN, case.expires)
    noticed = apply(case, step(Action.EXPIRED, FACT, case.expires + DAY))
    assert (noticed.state, noticed.round) == (late.state, late.round)


def test_a_step_after_the_expiry_finds_the_case_open() -> None:
    """Nobody accepts an explanation that has ended, record of its end or not."""
    case = brought_to(CaseState.EXPLAINED)
    assert case.expires is not None
    with pytest.raises(BookError):
        apply(case, step(Action.ACCEPT, AUDITOR, case.expires))


def test_a_confirmation_after_the_end_of_what_was_proposed_is_refused() -> None:
    """An acceptance does not begin after its end."""
    case = brought_to(CaseState.EXPLAINED, Severity.HIGH)
    soon = step(Action.ACCEPT, AUDITOR, case.touched, expires=case.touched + 10)
    waiting = apply(case, soon)
    with pytest.raises(BookError) as refused:
        apply(waiting, step(Action.CONFIRM, SECOND, case.touched + 11))
    assert refused.value.code is Code.CASE_EXPIRY_WRONG


WANTS = [
    (Action.EXPLAIN, OPERATOR, {"evidence": ()}, Code.CASE_EVIDENCE_MISSING),
    (Action.EXPLAIN, OPERATOR, {"reason": None}, Code.CASE_REASON_MISSING),
    (Action.EXPLAIN, OPERATOR, {"reason": " "}, Code.CASE_REASON_MISSING),
    (Action.EXPLAIN, OPERATOR, {"expires": None}, Code.CASE_EXPIRY_WRONG),
    (Action.EXPLAIN, OPERATOR, {"expires": MONDAY}, Code.CASE_EXPIRY_WRONG),
    (Action.EXPLAIN, OPERATOR, {"expires": MONDAY + 2 * LONGEST_MS}, Code.CASE_EXPIRY_WRONG),
    (Action.CLOSE, AUDITOR, {"reason": None}, Code.CASE_REASON_MISSING),
    (Action.CLOSE, AUDITOR, {"expires": MONDAY + DAY}, Code.CASE_MEMBER_NOT_TAKEN),
    (Action.CLOSE, AUDITOR, {"owner": "olga"}, Code.CASE_MEMBER_NOT_TAKEN),
    (Action.COMMENT, AUDITOR, {"reason": None}, Code.CASE_REASON_MISSING),
    (Action.ASSIGN, AUDITOR, {"owner": None}, Code.CASE_OWNER_MISSING),
]


@pytest.mark.parametrize(("action", "who", "change", "code"), WANTS)
def test_a_step_that_does_not_say_what_it_must_is_refused(
    action: Action, who: tuple[str, CaseRole], change: dict[str, object], code: Code
) -> None:
    """Reason, evidence, owner and end are demanded where they are needed, and only there."""
    with pytest.raises(BookError) as refused:
        apply(opened(), step(action, who, MONDAY + 1, **change))
    assert refused.value.code is code


def test_an_acceptance_without_an_end_is_refused() -> None:
    """Nothing is accepted for ever."""
    case = brought_to(CaseState.EXPLAINED)
    with pytest.raises(BookError) as refused:
        apply(case, step(Action.ACCEPT, AUDITOR, case.touched, expires=None))
    assert refused.value.code is Code.CASE_EXPIRY_WRONG


def test_whoever_explains_answers_for_it_unless_another_is_named() -> None:
    """An explanation has an owner."""
    case = apply(opened(), step(Action.EXPLAIN, OPERATOR, MONDAY + 1))
    assert case.owner == "olga"
    named = apply(opened(), step(Action.EXPLAIN, OPERATOR, MONDAY + 1, owner="otto"))
    assert named.explanation is not None
    assert (named.owner, named.explanation.owner) == ("otto", "otto")


def test_nobody_acts_outside_the_own_scope() -> None:
    """A case of another site, or of no single one, is out of an operator's reach."""
    olga = Actor(name="olga", role=CaseRole.OPERATOR, sites=frozenset({"own"}))
    case: Case = opened()
    assert allowed(case, olga, site="own", now_ms=MONDAY)
    for elsewhere in ("other", None):
        assert not allowed(case, olga, site=elsewhere, now_ms=MONDAY)
        with pytest.raises(BookError) as refused:
            demand_reach(olga, case.id, site=elsewhere)
        assert refused.value.code is Code.CASE_OUTSIDE_SCOPE


def test_the_operator_does_not_stop_the_auditor() -> None:
    """An auditor may close whatever needs attention, answered or not."""
    for state in ATTENTION:
        assert who_may(brought_to(state), Action.CLOSE, now_ms=MONDAY) == (CaseRole.AUDITOR,)


def test_a_step_never_happens_before_the_one_before_it() -> None:
    """Two clocks that differ do not turn a case's history round."""
    case = apply(opened(), step(Action.ACKNOWLEDGE, OPERATOR, MONDAY - DAY))
    assert (case.since, case.touched) == (MONDAY, MONDAY)


def test_steps_fold_into_the_case() -> None:
    """Nothing is known of a case but what its steps say."""
    steps = [
        step(Action.OPENED, FACT, MONDAY, severity=Severity.HIGH),
        step(Action.ACKNOWLEDGE, OPERATOR, MONDAY + 1),
        step(Action.COMMENT, AUDITOR, MONDAY + 2),
    ]
    case = fold_case(steps)
    assert case is not None
    assert (case.state, case.steps, case.owner) == (CaseState.ACKNOWLEDGED, 3, "olga")
    assert fold_case([]) is None
