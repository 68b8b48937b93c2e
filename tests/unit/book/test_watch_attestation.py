"""Booked and not answering, and answering on no book: when it is said, and when not."""

from msgspec.structs import replace

from chipledger_book.events import ByChip, ChipRef, LedgerRecord, event_id
from chipledger_book.terms import Severity
from chipledger_book.timers import Timer
from chipledger_book.watch import FactKind, WaitKind
from chipledger_testing.book import H100, T4, ms, received, uuid
from chipledger_testing.movements import confirmed, named, of, sent_back, stored
from chipledger_testing.watching import Story, days, limit_ms, stay, stays

ARRIVED = ms(2026, 3)
SEEN = ms(2026, 3, 10)
GONE = ms(2026, 6)
ATTESTATION = ARRIVED + limit_ms(Timer.ATTESTATION, ARRIVED)
ABSENCE = GONE + limit_ms(Timer.ABSENCE, GONE)
FOUR = Story(events=(received(*named(1, 2, 3, 4)),))


def test_a_chip_that_never_attested_is_said_when_its_time_is_over_and_not_before() -> None:
    """Four arrived, three answered: the fourth is a fact from the first late millisecond on."""
    story = Story(events=FOUR.events, history=stays((1, 2, 3), SEEN))

    assert story.facts(FactKind.NEVER_ATTESTED, ATTESTATION) == ()
    fact = story.fact(FactKind.NEVER_ATTESTED, ATTESTATION + 1)
    assert (fact.pieces, fact.chips) == (1, ("pdi 0000000000000004",))
    assert fact.severity is Severity.HIGH


def test_a_chip_that_attests_at_last_ends_the_fact_and_the_wait_says_when() -> None:
    """The fact is gone with its cause; the wait stays, done and late."""
    late = ATTESTATION + days(5)
    story = Story(events=FOUR.events, history=(*stays((1, 2, 3), SEEN), stay(4, late)))

    assert story.facts(FactKind.NEVER_ATTESTED, late - 1)
    assert story.facts(FactKind.NEVER_ATTESTED, late) == ()
    wait = story.wait(WaitKind.ATTESTATION, late + days(30))
    assert (wait.done_ms, wait.pieces, wait.late(late + days(30))) == (late, 0, True)


def test_a_receipt_of_before_every_limit_waits_from_when_it_was_entered() -> None:
    """Else a receipt that is dated back far enough would never have to answer."""
    old = received(8, at=ms(1999))
    entered = LedgerRecord(event=old, recorded_at_ms=ARRIVED)
    story = Story(records=(entered,))

    assert story.facts(FactKind.NEVER_ATTESTED, ATTESTATION) == ()
    assert story.fact(FactKind.NEVER_ATTESTED, ATTESTATION + 1).pieces == 8


def test_time_in_which_the_collector_was_down_is_nobodys_delay() -> None:
    """Three days of downtime move the end by three days, to the millisecond."""
    down = ((ms(2026, 3, 20), ms(2026, 3, 22)), (ms(2026, 4), ms(2026, 4, 2)))
    story = Story(events=FOUR.events, downtime=down)

    assert story.facts(FactKind.NEVER_ATTESTED, ATTESTATION + days(3)) == ()
    assert story.facts(FactKind.NEVER_ATTESTED, ATTESTATION + days(3) + 1)


def test_a_receipt_by_number_is_satisfied_by_number_the_older_first() -> None:
    """Six of eight answer: all of the older receipt, and two of the younger wait."""
    older, younger = received(4), received(4, at=ms(2026, 4))
    story = Story(events=(younger, older), history=stays(range(6), ms(2026, 4, 5)))
    at = ms(2026, 4) + limit_ms(Timer.ATTESTATION, ms(2026, 4)) + 1

    fact = story.fact(FactKind.NEVER_ATTESTED, at)

    assert (fact.key, fact.pieces) == (f"{event_id(younger)}:{H100}", 2)


def test_the_key_of_a_fact_stays_while_it_grows_and_shrinks() -> None:
    """Three wait, then one: the same finding all the time."""
    story = Story(
        events=FOUR.events,
        history=(stay(1, SEEN), *stays((2, 3), ATTESTATION + days(1))),
    )

    before = story.fact(FactKind.NEVER_ATTESTED, ATTESTATION + 1)
    after = story.fact(FactKind.NEVER_ATTESTED, ATTESTATION + days(2))

    assert (before.pieces, after.pieces) == (3, 1)
    assert before.key == after.key


def test_chips_under_seal_do_not_wait_for_their_first_attestation() -> None:
    """Declared stock has timers of its own."""
    story = Story(events=(received(3), stored(3)))

    assert FactKind.NEVER_ATTESTED not in story.kinds(ATTESTATION + 1)


def test_a_chip_that_answered_and_is_gone_is_missing_after_its_time() -> None:
    """Seen for months, then not: missing from the first late millisecond on."""
    story = Story(events=FOUR.events, history=(*stays((1, 2, 3), SEEN), stay(4, SEEN, GONE)))

    assert story.facts(FactKind.MISSING, ABSENCE) == ()
    fact = story.fact(FactKind.MISSING, ABSENCE + 1)
    assert (fact.pieces, fact.since_ms) == (1, GONE)
    assert fact.chips == ("pdi 0000000000000004",)
    assert fact.severity is Severity.MEDIUM
    lasting = story.fact(FactKind.MISSING, GONE + limit_ms(Timer.ESCALATION) + 1)
    assert lasting.severity is Severity.HIGH
    assert story.facts(FactKind.NEVER_ATTESTED, ABSENCE + 1) == ()


def test_a_chip_that_comes_back_is_missing_no_more() -> None:
    """An outage that ends leaves no finding."""
    story = Story(
        events=FOUR.events,
        history=(*stays((1, 2, 3), SEEN), stay(4, SEEN, GONE), stay(4, ABSENCE + days(1))),
    )

    assert story.facts(FactKind.MISSING, ABSENCE + 1)
    assert story.facts(FactKind.MISSING, ABSENCE + days(1)) == ()


def test_a_chip_whose_host_is_silent_for_long_is_missing_too() -> None:
    """Switching a server off and selling it looks like silence: it may last as long."""
    story = Story(
        events=FOUR.events,
        history=(*stays((1, 2), SEEN), *stays((3, 4), SEEN, GONE)),
        silent=frozenset({"chip-00003", "chip-00004"}),
    )

    assert story.facts(FactKind.MISSING, ABSENCE) == ()
    fact = story.fact(FactKind.MISSING, ABSENCE + 1)
    assert (fact.pieces, fact.detail["silent"]) == (2, 2)


def test_chips_known_by_number_alone_are_missing_by_number() -> None:
    """Eight by number, five left: three are missing, the last ones seen."""
    story = Story(
        events=(received(8),),
        history=(*stays(range(5), SEEN), *stays(range(5, 8), SEEN, GONE)),
    )

    assert story.fact(FactKind.MISSING, ABSENCE + 1).pieces == 3


def test_a_chip_taken_without_a_paper_keeps_its_time_among_honest_returns() -> None:
    """By number no paper names a chip: one went in June, others are sent back all the time."""
    weeks = [GONE + days(7 * week) for week in range(1, 9)]
    sent = [sent_back(of(1), case=f"C-{week}", at=week) for week in weeks]
    words = [replace(confirmed(rma), occurred_at_ms=rma.occurred_at_ms + days(5)) for rma in sent]
    left = [stay(10 + place, SEEN, week - days(1)) for place, week in enumerate(weeks)]
    story = Story(
        events=(received(20), *sent, *words),
        history=(*stays(range(9), SEEN), stay(9, SEEN, GONE), *left, *stays((18, 19), SEEN)),
    )

    assert story.facts(FactKind.MISSING, ABSENCE) == ()
    for at in (ABSENCE + 1, ABSENCE + days(20), ms(2026, 10)):
        fact = story.fact(FactKind.MISSING, at)
        assert (fact.pieces, fact.since_ms, fact.key) == (1, GONE, f"johor:{H100}")
    honest = Story(
        events=story.events, history=(*stays(range(10), SEEN), *left, *stays((18, 19), SEEN))
    )
    assert FactKind.MISSING not in honest.kinds(ms(2026, 10))


def test_what_was_sent_back_is_its_rmas_and_not_missing() -> None:
    """An open RMA explains an absence; it is late by its own timer."""
    story = Story(
        events=(*FOUR.events, sent_back(named(4), at=GONE)),
        history=(*stays((1, 2, 3), SEEN), stay(4, SEEN, GONE)),
    )

    assert story.facts(FactKind.MISSING, ABSENCE + days(30)) == ()


def test_one_hole_and_one_paper_are_one_finding_not_two() -> None:
    """Two are gone and one was sent back, all by number: one is missing."""
    story = Story(
        events=(received(4), sent_back(of(1), at=GONE)),
        history=(*stays((1, 2), SEEN), *stays((3, 4), SEEN, GONE)),
    )

    assert story.fact(FactKind.MISSING, ABSENCE + 1).pieces == 1


def test_many_missing_chips_weigh_more_than_one() -> None:
    """A rack of sixty-four H100 is critical."""
    story = Story(events=(received(64),), history=stays(range(64), SEEN, GONE))

    fact = story.fact(FactKind.MISSING, ABSENCE + 1)

    assert (fact.pieces, fact.severity) == (64, Severity.CRITICAL)
    assert len(fact.chips) == 32


def test_a_missing_chip_of_no_control_weighs_little() -> None:
    """It has no effect on what is controlled."""
    lines = (ByChip(sku=T4, chips=(ChipRef(pdi=f"{1:016x}", uuid=uuid(1)),)),)
    story = Story(events=(received(*lines),), history=(stay(1, SEEN, GONE, sku=T4),))

    fact = story.fact(FactKind.MISSING, ABSENCE + 1)

    assert (fact.pieces, fact.tpp, fact.severity) == (1, 0, Severity.LOW)


def test_a_chip_on_no_book_is_over_when_its_papers_are_late() -> None:
    """A fifth chip answers: its receipt may be late by the days of the table, no more."""
    came = ms(2026, 5)
    over = came + limit_ms(Timer.OVERAGE, came)
    story = Story(events=FOUR.events, history=(*stays((1, 2, 3, 4), SEEN), stay(5, came)))

    assert story.facts(FactKind.OVERAGE, over) == ()
    fact = story.fact(FactKind.OVERAGE, over + 1)
    assert (fact.pieces, fact.since_ms, fact.chips) == (1, came, ("pdi 0000000000000005",))


def test_of_chips_known_by_number_the_last_to_come_is_over() -> None:
    """Nine answer of eight by number: the ninth is over, whatever its id, from when it came."""
    came = ms(2026, 5)
    over = came + limit_ms(Timer.OVERAGE, came)
    story = Story(events=(received(8),), history=(*stays(range(1, 9), SEEN), stay(0, came)))

    assert story.facts(FactKind.OVERAGE, over) == ()
    assert story.fact(FactKind.OVERAGE, over + 1).chips == ("pdi 0000000000000000",)


def test_a_replacement_whose_paper_is_late_makes_no_other_chip_over() -> None:
    """One is sent back, confirmed and silent; its replacement answers days before its paper."""
    rma = sent_back(of(1), at=GONE)
    word = replace(confirmed(rma), occurred_at_ms=GONE + days(3))
    story = Story(
        events=(received(8), rma, word),
        history=(*stays(range(7), SEEN), stay(7, SEEN, GONE), stay(8, GONE + days(9))),
        silent=frozenset({"chip-00007"}),
    )

    assert story.at_site(GONE + days(20)).facts == ()


def test_an_overage_ends_when_its_receipt_is_entered() -> None:
    """Late papers are no lasting finding."""
    came = ms(2026, 5)
    story = Story(
        events=(*FOUR.events, received(*named(5), at=came)),
        history=(*stays((1, 2, 3, 4), SEEN), stay(5, came)),
    )

    assert FactKind.OVERAGE not in story.kinds(came + days(60))


def test_an_honest_site_is_quiet() -> None:
    """Everything received answers: nothing is said, ever."""
    story = Story(events=FOUR.events, history=stays((1, 2, 3, 4), SEEN))

    for at in (ARRIVED, SEEN, ATTESTATION + 1, ms(2027)):
        assert story.at_site(at).facts == ()
