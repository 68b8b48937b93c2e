"""Whatever is tried at a case, in whatever order: no state breaks a rule."""

from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.cases import FACTS, Action, Case, CaseRole, CaseState, Step, apply, at_time
from chipledger_book.errors import BookError
from chipledger_book.terms import Severity
from chipledger_testing.cases import (
    ADMINISTRATOR,
    AUDITOR,
    DAY,
    FACT,
    MONDAY,
    OPERATOR,
    SECOND,
    opened,
    step,
)

PEOPLE = (OPERATOR, ("otto", CaseRole.OPERATOR), AUDITOR, SECOND, ADMINISTRATOR)
TRIES = st.lists(
    st.tuples(
        st.sampled_from(list(Action)),
        st.sampled_from(PEOPLE),
        st.integers(0, 20 * DAY),
        st.sampled_from(list(Severity)),
    ),
    max_size=40,
)


def tried(
    start: Case, tries: list[tuple[Action, tuple[str, CaseRole], int, Severity]]
) -> tuple[list[tuple[Case, Step, Case]], Case]:
    """Return every step that was taken with the case before and after, and the last case."""
    case, at, taken = start, start.touched, []
    for action, who, later, severity in tries:
        at += later
        fact = action in FACTS
        one = step(action, FACT if fact else who, at, **({"severity": severity} if fact else {}))
        try:
            after = apply(case, one)
        except BookError:
            assert not fact
            continue
        taken.append((case, one, after))
        case = after
    return taken, case


@given(tries=TRIES, severity=st.sampled_from(list(Severity)))
def test_no_way_leads_into_a_forbidden_state(
    tries: list[tuple[Action, tuple[str, CaseRole], int, Severity]], severity: Severity
) -> None:
    """An auditor said why, two where it is heavy, never for ever, and never an operator."""
    operators = {"olga", "otto"}
    taken, _ = tried(opened(severity), tries)
    for before, one, case in taken:
        if case.state in {CaseState.ACCEPTED, CaseState.CLOSED}:
            ruling = case.ruling
            assert ruling is not None
            assert ruling.reason
            assert not {ruling.by, ruling.confirmed_by} & operators
            assert ruling.by != ruling.confirmed_by
            newly = before.state is not case.state
            if newly and case.takes_two:
                assert ruling.confirmed_by is not None
            if newly:
                assert one.role is CaseRole.AUDITOR
        if case.state is CaseState.ACCEPTED:
            assert case.expires is not None
            assert case.explanation is not None
        if case.state is CaseState.EXPLAINED:
            assert case.explanation is not None
            assert case.explanation.evidence
        if case.state is CaseState.RESOLVED:
            assert not case.present
        if one.action in {Action.GREW, Action.RETURNED, Action.OPENED}:
            assert case.state in {CaseState.OPEN, CaseState.ACKNOWLEDGED}
        assert case.steps == before.steps + 1
        assert case.touched >= before.touched


@given(tries=TRIES, noticed=st.lists(st.integers(0, 40), max_size=5))
def test_when_an_expiry_is_noticed_changes_nothing(
    tries: list[tuple[Action, tuple[str, CaseRole], int, Severity]], noticed: list[int]
) -> None:
    """The same steps with the expiry written down or not are the same case at every time."""
    taken, last = tried(opened(), [one for one in tries if one[0] is not Action.EXPIRED])
    case = opened()
    for place, (_, one, _) in enumerate(taken):
        if place in noticed:
            case = apply(case, step(Action.EXPIRED, FACT, one.at))
        case = apply(case, one)
    at = last.touched + 40 * DAY
    for now_ms in (MONDAY, last.touched, at):
        now, then = at_time(case, now_ms), at_time(last, now_ms)
        assert (now.state, now.round, now.ruling) == (then.state, then.round, then.ruling)


@given(tries=TRIES)
def test_folding_the_log_again_gives_the_same_case(
    tries: list[tuple[Action, tuple[str, CaseRole], int, Severity]],
) -> None:
    """Nothing but the steps, in their order, makes a case."""
    taken, last = tried(opened(), tries)
    case = opened()
    for _, one, _ in taken:
        case = apply(case, one)
    assert case == last
