"""Who owes what until when: business days, the collector's own absence, and lateness."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.cases import (
    Action,
    CaseState,
    DutyKind,
    Limits,
    Term,
    apply,
    duties,
    latest_late_ms,
    limits_of,
)
from chipledger_book.cases.duties import due_ms
from chipledger_book.shipped import tables as shipped_tables
from chipledger_testing.cases import AUDITOR, DAY, MONDAY, OPERATOR, brought_to, opened, step

HOUR = 3_600_000
TWO = Term(days=2)


def test_two_business_days_from_a_friday_end_on_tuesday() -> None:
    """A weekend is nobody's working time."""
    friday = MONDAY + 4 * DAY
    assert due_ms(friday, TWO) == friday + 4 * DAY


def test_what_begins_at_a_weekend_begins_on_monday() -> None:
    """Found on Saturday, two days end with Tuesday."""
    saturday = MONDAY + 5 * DAY
    assert due_ms(saturday, TWO) == (MONDAY + 9 * DAY) // DAY * DAY


def test_the_collectors_own_absence_does_not_count() -> None:
    """Nobody can acknowledge at a collector that is down."""
    away = (MONDAY + HOUR, MONDAY + 4 * HOUR)
    assert due_ms(MONDAY, TWO, downtime=[away]) == MONDAY + 2 * DAY + 3 * HOUR
    assert due_ms(MONDAY + 5 * HOUR, TWO, downtime=[away]) == MONDAY + 5 * HOUR + 2 * DAY


def test_the_operator_owes_two_answers_and_then_the_auditor_one() -> None:
    """Each duty names who owes it, and says when it was done."""
    owed = duties(opened(), now_ms=MONDAY)
    assert [(duty.kind, duty.owner) for duty in owed] == [
        (DutyKind.ACKNOWLEDGE, "operator"),
        (DutyKind.EXPLAIN, "operator"),
    ]
    told = apply(opened(), step(Action.EXPLAIN, OPERATOR, MONDAY + DAY))
    kinds = {duty.kind: duty for duty in duties(told, now_ms=MONDAY + DAY)}
    assert kinds[DutyKind.EXPLAIN].done_ms == MONDAY + DAY
    assert kinds[DutyKind.DECIDE].owner == "auditor"
    assert not any(duty.late(MONDAY + 2 * DAY) for duty in kinds.values())


def test_an_explanation_given_again_and_again_is_late_for_the_auditor_all_the_same() -> None:
    """Who lets it run out just before the auditor has to answer does not keep it for ever."""
    case, began = opened(), MONDAY + 1
    for at in (began, began + 8 * DAY, began + 16 * DAY):
        case = apply(case, step(Action.EXPLAIN, OPERATOR, at, expires=at + 8 * DAY))
    decide = duties(case, now_ms=case.touched + 1)[-1]

    assert (decide.kind, decide.since_ms) == (DutyKind.DECIDE, began)
    assert decide.late(case.touched + 1)
    heard = apply(case, step(Action.REJECT, AUDITOR, case.touched + 2))
    anew = apply(heard, step(Action.EXPLAIN, OPERATOR, heard.touched + 1))
    assert duties(anew, now_ms=anew.touched)[-1].since_ms == anew.touched


def test_late_is_late_also_when_it_was_done() -> None:
    """An answer after its time does not make the time longer."""
    late = apply(opened(), step(Action.ACKNOWLEDGE, OPERATOR, MONDAY + 3 * DAY))
    first = duties(late, now_ms=MONDAY + 3 * DAY)[0]
    assert first.late(MONDAY + 3 * DAY)


def test_nothing_is_owed_about_what_is_settled() -> None:
    """Accepted, closed and resolved cases wait for nobody, until they open again."""
    for state in (CaseState.ACCEPTED, CaseState.CLOSED, CaseState.RESOLVED):
        assert duties(brought_to(state), now_ms=MONDAY + DAY) == ()
    accepted = brought_to(CaseState.ACCEPTED)
    assert accepted.expires is not None
    assert duties(accepted, now_ms=accepted.expires)[0].since_ms == accepted.expires


def test_the_limits_are_given() -> None:
    """A rule table may ask for more or for less."""
    owed = duties(opened(), now_ms=MONDAY, limits=Limits(acknowledge=Term(days=1)))
    assert owed[0].due_ms == MONDAY + DAY


def test_the_shipped_timers_are_two_and_ten_business_days() -> None:
    """What the dated table says is what is waited for."""
    limits = limits_of(shipped_tables().timers, date(2026, 1, 5))
    assert (limits.acknowledge, limits.explain) == (TWO, Term(days=10))
    assert limits_of(None, date(2026, 1, 5)) == Limits()


SPANS = st.lists(
    st.tuples(st.integers(0, 40 * 24), st.integers(0, 90)).map(
        lambda pair: (MONDAY + pair[0] * HOUR, MONDAY + (pair[0] + pair[1]) * HOUR)
    ),
    max_size=3,
)


@given(
    since=st.integers(MONDAY, MONDAY + 30 * DAY),
    later=st.integers(0, 10 * DAY),
    term=st.builds(Term, days=st.integers(0, 10), plain_ms=st.integers(0, 5 * DAY)),
    downtime=SPANS,
)
def test_what_began_later_is_never_due_earlier(
    since: int, later: int, term: Term, downtime: list[tuple[int, int]]
) -> None:
    """So one time divides what is late from what is not."""
    first = due_ms(since, term, downtime=downtime)
    assert first <= due_ms(since + later, term, downtime=downtime)
    cut = latest_late_ms(first + 1, term, downtime=downtime)
    assert due_ms(cut, term, downtime=downtime) < first + 1
    assert due_ms(cut + 1, term, downtime=downtime) >= first + 1
