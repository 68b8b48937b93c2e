"""Back to the vendor: late words, late replacements, too many of them, and what comes back."""

from fractions import Fraction
from random import Random  # noqa: TID251 - seeds are what makes the proof repeatable

import pytest
from msgspec.structs import replace

from chipledger_book.movements import RmaIn, RmaOut
from chipledger_book.statements import Role
from chipledger_book.terms import Severity
from chipledger_book.timers import Timer
from chipledger_book.watch import FactKind, Owner, WaitKind
from chipledger_book.watch.poisson import upper_edge
from chipledger_testing.book import ms, received
from chipledger_testing.movements import back, confirmed, named, of, sent_back
from chipledger_testing.watching import Story, days, limit_ms, stay, stays

OUT = ms(2026, 4)
SEEN = ms(2026, 3, 10)
RMA = sent_back(named(4), at=OUT)
FOUR = received(*named(1, 2, 3, 4))
REST = stays((1, 2, 3), SEEN)
LEFT = (*REST, stay(4, SEEN, OUT))
CONFIRMATION = OUT + limit_ms(Timer.RMA_CONFIRMATION, OUT)
RETURN = OUT + limit_ms(Timer.RMA_RETURN, OUT)
SAID = replace(confirmed(RMA), occurred_at_ms=OUT + days(10))


def test_a_vendor_that_says_nothing_is_late_after_three_weeks() -> None:
    """The chips are unaccounted for until it speaks; papers late by days weigh little."""
    story = Story(events=(FOUR, RMA), history=LEFT)

    assert story.facts(FactKind.RMA_OPEN, CONFIRMATION) == ()
    fact = story.fact(FactKind.RMA_OPEN, CONFIRMATION + 1)
    assert (fact.pieces, fact.severity) == (1, Severity.MEDIUM)
    assert fact.owner == Owner(role=Role.VENDOR, party="nvidia")


def test_a_vendor_that_never_speaks_weighs_as_much_as_a_missing_chip() -> None:
    """Papers that are late by weeks are late; later ones are missing."""
    long = OUT + limit_ms(Timer.RMA_ESCALATION, OUT)
    story = Story(events=(FOUR, RMA), history=LEFT)

    assert story.fact(FactKind.RMA_OPEN, long).severity is Severity.MEDIUM
    assert story.fact(FactKind.RMA_OPEN, long + 1).severity is Severity.HIGH


def test_a_large_return_that_nobody_confirms_weighs_high_at_once() -> None:
    """Thirty-two H100 in one case are no honest defect."""
    many = sent_back(of(32), at=OUT)
    story = Story(events=(received(64), many), history=stays(range(32), SEEN))

    assert story.fact(FactKind.RMA_OPEN, CONFIRMATION + 1).severity is Severity.HIGH


def test_a_vendor_that_spoke_still_owes_a_replacement() -> None:
    """Confirmed after ten days and nothing came: open by the other timer, and of low weight."""
    story = Story(events=(FOUR, RMA, SAID), history=LEFT)

    assert story.facts(FactKind.RMA_OPEN, RETURN) == ()
    fact = story.fact(FactKind.RMA_OPEN, RETURN + 1)
    assert (fact.detail["waits_for"], fact.severity) == ("return", Severity.LOW)


def test_an_rma_with_all_its_papers_is_quiet() -> None:
    """Confirmed, replaced, and the replacement answers."""
    home = replace(back(RMA, named(5)), occurred_at_ms=OUT + days(30))
    story = Story(events=(FOUR, RMA, SAID, home), history=(*LEFT, stay(5, OUT + days(31))))

    for at in (CONFIRMATION + 1, RETURN + 1, ms(2026, 12)):
        assert story.at_site(at).facts == ()
    assert story.wait(WaitKind.RMA_CONFIRMATION, ms(2027)).done_ms == OUT + days(10)
    assert story.wait(WaitKind.RMA_RETURN, ms(2027)).done_ms == OUT + days(30)


def test_a_chip_that_answers_again_without_a_release_is_said() -> None:
    """Sent back in April, seen in June at any site: nobody released it."""
    again = ms(2026, 6)
    limit = again + limit_ms(Timer.ELSEWHERE, again)
    story = Story(
        events=(FOUR, RMA, SAID), history=(*LEFT, stay(4, again, again + days(2), site="penang"))
    )

    assert story.facts(FactKind.RMA_RETURNED, limit) == ()
    fact = story.fact(FactKind.RMA_RETURNED, limit + 1)
    assert (fact.pieces, fact.severity, fact.detail["at"]) == (1, Severity.MEDIUM, ("penang",))


def test_a_chip_that_the_vendor_released_may_answer() -> None:
    """The repaired chip itself comes back on paper."""
    again = ms(2026, 6)
    home = replace(back(RMA, named(4)), occurred_at_ms=again + days(5))
    story = Story(events=(FOUR, RMA, SAID, home), history=(*LEFT, stay(4, again)))

    assert FactKind.RMA_RETURNED not in story.kinds(ms(2026, 12))


def test_a_chip_that_is_unplugged_some_days_after_its_paper_is_no_finding() -> None:
    """Booked out first, pulled later, within the days of the table."""
    unplugged = OUT + limit_ms(Timer.DEPARTURE, OUT)
    story = Story(events=(FOUR, RMA, SAID), history=(*REST, stay(4, SEEN, unplugged)))

    assert FactKind.RMA_RETURNED not in story.kinds(ms(2026, 12))


@pytest.mark.parametrize(
    ("mean", "ppm", "edge"),
    [(Fraction(100), 975_000, 120), (Fraction(100), 950_000, 117), (Fraction(0), 975_000, 0)],
)
def test_the_edge_of_a_band_is_that_of_the_tables(mean: Fraction, ppm: int, edge: int) -> None:
    """Quantiles of the Poisson distribution, as any book of tables has them."""
    assert upper_edge(mean, ppm) == edge


def _draw(random: Random, mean: int) -> int:
    """Return one Poisson number: arrivals of a unit rate in a time."""
    time, count = random.expovariate(1), 0
    while time < mean:
        time += random.expovariate(1)
        count += 1
    return count


def _rate_story(sent: int) -> Story:
    """Return ten thousand chips since 2025, and a quarter in which some were sent back."""
    out: list[RmaOut] = []
    if sent:
        out.append(sent_back(of(sent), at=ms(2026, 5)))
    return Story(events=(received(10_000, at=ms(2025, 1, 1, 1)), *out))


def alarms(sent: int, at: int = ms(2026, 7)) -> bool:
    """Tell whether a quarter with a number of RMAs is said to be too many."""
    return FactKind.RMA_RATE in {fact.kind for fact in _rate_story(sent).at_site(at).facts}


def test_an_honest_rate_alarms_in_at_most_one_quarter_of_twenty() -> None:
    """Ten thousand chips at 4 % a year: 2000 quarters drawn, and where the alarm begins."""
    edge = next(number for number in range(100, 200) if alarms(number)) - 1
    random = Random(1)  # noqa: S311 - the same one every time

    found = sum(_draw(random, 100) > edge for _ in range(2000))

    assert edge in (119, 120)  # what was sent back is no longer there to fail
    assert found <= 100


def test_twice_the_honest_rate_alarms_in_its_first_quarter() -> None:
    """8 % a year: every one of 200 drawn quarters, and it weighs high."""
    random = Random(2)  # noqa: S311 - the same one every time

    assert all(alarms(_draw(random, 200)) for _ in range(20))
    assert min(_draw(random, 200) for _ in range(2000)) > 119
    assert _rate_story(200).fact(FactKind.RMA_RATE, ms(2026, 7)).severity is Severity.HIGH


def test_the_alarm_does_not_wait_for_the_end_of_the_quarter() -> None:
    """Its edge is that of the whole quarter, so it is the same on every day of it."""
    assert alarms(125, at=ms(2026, 5))
    assert not alarms(115, at=ms(2026, 5))
    assert not alarms(115, at=ms(2026, 7))


def test_a_quarter_that_alarmed_stays_said() -> None:
    """What happened has happened: the finding is for people to close."""
    assert alarms(150, at=ms(2028))


def test_a_replacement_counts_by_number_and_may_be_another_model() -> None:
    """Two came for one: one too many."""
    home = RmaIn(
        occurred_at_ms=OUT + days(9),
        site="johor",
        lines=of(2),
        vendor="nvidia",
        case="C-1",
        answers=back(RMA).answers,
    )
    story = Story(events=(FOUR, RMA, SAID, home), history=LEFT)

    assert story.fact(FactKind.RECEIVED_MORE_THAN_SHIPPED, OUT + days(9)).pieces == 1
