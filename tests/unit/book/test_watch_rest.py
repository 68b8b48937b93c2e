"""Stock at rest, moves, windows, disposals, losses, late papers, and what answers after it left."""

from datetime import date

from msgspec.structs import replace

from chipledger_book.events import LedgerRecord, event_id
from chipledger_book.movements import (
    AttestedChip,
    Confirmed,
    Destroyed,
    LostOrStolen,
    MaintenanceWindow,
    Moved,
    PhysicalInventory,
    Shipped,
    SignedOff,
    Unstored,
)
from chipledger_book.statements import Role, Statement, Strength
from chipledger_book.terms import Severity
from chipledger_book.timers import HOUR_MS, Timer
from chipledger_book.watch import FactKind, WaitKind
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import H100, ms, received
from chipledger_testing.movements import BALANCE, destroyed, named, sent_back, stored
from chipledger_testing.watching import Story, days, limit_ms, stay, stays

AT = ms(2026, 4)
SEEN = ms(2026, 3, 10)
FOUR = received(*named(1, 2, 3, 4))
ALL = stays((1, 2, 3, 4), SEEN)
STORED = replace(stored(3), lines=named(1, 2, 3))
RESTING = Story(events=(FOUR, STORED), history=(*stays((1, 2, 3), SEEN, AT), stay(4, SEEN)))


def with_events(story: Story, *events: object) -> Story:
    """Return a story in which more happened."""
    return Story(events=(*story.events, *events), history=story.history)  # type: ignore[arg-type]


def test_a_seal_that_nobody_looks_at_is_late_after_its_time() -> None:
    """Thirty days from the sealing."""
    due = AT + limit_ms(Timer.SEAL_CHECK, AT)

    assert RESTING.facts(FactKind.SEAL_CHECK_LATE, due) == ()
    fact = RESTING.fact(FactKind.SEAL_CHECK_LATE, due + 1)
    assert (fact.pieces, fact.detail["seal"], fact.severity) == (3, "S-77", Severity.LOW)


def test_a_new_seal_on_the_same_stock_begins_no_time_anew() -> None:
    """Who opens and seals again every few weeks would else never be asked."""
    opened = Unstored(
        occurred_at_ms=AT + days(28), site="johor", answers=event_id(STORED), seal_found="intact"
    )
    again = replace(STORED, occurred_at_ms=AT + days(40), seal="S-78", place="cage 2")
    story = with_events(RESTING, opened, again)

    late = story.fact(FactKind.SEAL_CHECK_LATE, AT + days(41))
    assert (late.events, late.since_ms) == ((event_id(again),), AT)
    assert story.fact(FactKind.STORED_TOO_LONG, AT + limit_ms(Timer.STORAGE, AT) + 1).pieces == 3


def test_stock_of_which_all_answered_in_between_rests_anew() -> None:
    """It was used, and what is sealed later is other stock, or the same one come back."""
    opened = Unstored(
        occurred_at_ms=AT + days(28), site="johor", answers=event_id(STORED), seal_found="intact"
    )
    again = replace(STORED, occurred_at_ms=AT + days(31), seal="S-78")
    used = stays((1, 2, 3), AT + days(29), AT + days(30))
    story = Story(events=(*RESTING.events, opened, again), history=(*RESTING.history, *used))

    assert story.facts(FactKind.SEAL_CHECK_LATE, AT + days(60)) == ()


def test_an_auditors_count_is_a_look_at_every_seal() -> None:
    """The time runs anew from the count."""
    count = PhysicalInventory(
        occurred_at_ms=AT + days(20), site="johor", inspector="A. Uditor", method="full"
    )
    story, due = with_events(RESTING, count), AT + limit_ms(Timer.SEAL_CHECK, AT)

    assert story.facts(FactKind.SEAL_CHECK_LATE, due + 1) == ()
    assert story.facts(FactKind.SEAL_CHECK_LATE, due + days(20) + 1)


def test_an_auditors_statement_on_what_was_stored_is_a_look_at_that_seal() -> None:
    """Said after twenty days; an operator's word is none."""
    due = AT + limit_ms(Timer.SEAL_CHECK, AT)
    for role, late in ((Role.AUDITOR, False), (Role.OPERATOR, True)):
        word = Statement(
            role=role,
            strength=Strength.SESSION,
            principal="somebody",
            stated_at_ms=AT + days(20),
        )
        entered = LedgerRecord(event=STORED, recorded_at_ms=AT, statements=(word,))
        story = Story(events=(FOUR,), records=(entered,), history=RESTING.history)
        assert (FactKind.SEAL_CHECK_LATE in story.kinds(due + 1)) == late


def test_stock_may_rest_for_half_a_year() -> None:
    """And not a millisecond longer; then it is no longer an honest spare."""
    due = AT + limit_ms(Timer.STORAGE, AT)

    assert RESTING.facts(FactKind.STORED_TOO_LONG, due) == ()
    assert RESTING.fact(FactKind.STORED_TOO_LONG, due + 1).pieces == 3


def test_what_was_unsealed_rests_no_more_and_an_open_seal_is_said() -> None:
    """The waits end; how the seal was found stays."""
    for found, said in (("intact", 0), ("broken", 1), ("missing", 1)):
        off = Unstored(
            occurred_at_ms=AT + days(9),
            site="johor",
            answers=event_id(STORED),
            seal_found=found,  # type: ignore[arg-type]
        )
        story = with_events(RESTING, off)
        assert FactKind.SEAL_CHECK_LATE not in story.kinds(ms(2027))
        assert FactKind.STORED_TOO_LONG not in story.kinds(ms(2027))
        assert len(story.facts(FactKind.SEAL_BROKEN, ms(2027))) == said
        assert story.wait(WaitKind.STORAGE, ms(2027)).done_ms == AT + days(9)


def test_a_sealed_chip_that_answers_is_said() -> None:
    """It is under seal on paper and answers from a server, longer than putting it there takes."""
    limit = AT + limit_ms(Timer.ELSEWHERE, AT)
    story = Story(events=(FOUR, STORED), history=(*ALL[:1], stay(2, SEEN, AT), stay(3, SEEN, AT)))

    assert story.facts(FactKind.SEALED_SEEN, limit) == ()
    assert story.fact(FactKind.SEALED_SEEN, limit + 1).chips == ("pdi 0000000000000001",)
    assert FactKind.SEALED_SEEN not in RESTING.kinds(limit + 1)


MOVED = Moved(
    occurred_at_ms=AT,
    site="johor",
    from_host="johor-0",
    host="johor-1",
    token="A" * 43,
    chips=(AttestedChip(grade=Grade.G1, pdi=f"{4:016x}", sku=H100),),
)


def test_a_move_that_the_operator_does_not_confirm_is_said_after_three_days() -> None:
    """It changes no balance, and weighs little."""
    due = AT + limit_ms(Timer.MOVE, AT)
    story = Story(events=(FOUR, MOVED), history=ALL)

    assert story.facts(FactKind.MOVED_UNCONFIRMED, due) == ()
    fact = story.fact(FactKind.MOVED_UNCONFIRMED, due + 1)
    assert (fact.severity, fact.detail["from_host"]) == (Severity.LOW, "johor-0")
    said = Confirmed(
        occurred_at_ms=AT + days(1), confirms=event_id(MOVED), role=Role.OPERATOR, party="acme"
    )
    assert FactKind.MOVED_UNCONFIRMED not in with_events(story, said).kinds(due + 1)


def test_a_disposal_without_its_paper_is_late_after_ten_days() -> None:
    """With it, nothing is said."""
    bare = replace(destroyed(), documents=(), lines=named(4))
    due = AT + limit_ms(Timer.EVIDENCE, AT)
    history = (*ALL[:3], stay(4, SEEN, AT))
    story = Story(events=(FOUR, bare), history=history)

    assert story.facts(FactKind.EVIDENCE_LATE, due) == ()
    assert story.fact(FactKind.EVIDENCE_LATE, due + 1).pieces == 1
    papered = Story(events=(FOUR, replace(destroyed(), lines=named(4))), history=history)
    assert papered.at_site(due + 1).facts == ()


LOST = LostOrStolen(occurred_at_ms=AT, site="johor", lines=named(4), how="stolen")


def test_what_is_lost_is_said_at_once_and_until_it_is_found() -> None:
    """It stays on the book, so it stays a finding; when it answers again it is none."""
    story = Story(
        events=(FOUR, LOST),
        history=(*ALL[:3], stay(4, SEEN, AT - days(1)), stay(4, ms(2026, 9))),
    )

    assert story.facts(FactKind.LOST_OR_STOLEN, AT - 1) == ()
    fact = story.fact(FactKind.LOST_OR_STOLEN, AT)
    assert (fact.pieces, fact.severity) == (1, Severity.HIGH)
    assert story.facts(FactKind.MISSING, ms(2026, 8)) == ()
    assert story.facts(FactKind.LOST_OR_STOLEN, ms(2026, 9)) == ()


def test_an_authority_has_to_be_told_within_thirty_days() -> None:
    """Told when it was entered, or late."""
    due = AT + limit_ms(Timer.NOTICE, AT)
    story = Story(events=(FOUR, LOST), history=ALL[:3])

    assert story.facts(FactKind.NOTICE_LATE, due) == ()
    assert story.fact(FactKind.NOTICE_LATE, due + 1).pieces == 1
    told = Story(events=(FOUR, replace(LOST, reported_to="police 17/26")), history=ALL[:3])
    assert FactKind.NOTICE_LATE not in told.kinds(due + 1)


def window(start: int, hours: int, *hosts: str) -> MaintenanceWindow:
    """Return a maintenance window."""
    return MaintenanceWindow(
        occurred_at_ms=start,
        site="johor",
        hosts=hosts or ("johor-0",),
        from_ms=start,
        until_ms=start + hours * HOUR_MS,
        ticket="T-1",
    )


def test_one_window_may_last_for_three_days() -> None:
    """Seventy-two hours are quiet, one more is not."""
    long = Story(events=(FOUR, window(AT, 73)), history=ALL)
    limit = AT + limit_ms(Timer.MAINTENANCE, AT)

    assert long.facts(FactKind.MAINTENANCE_TOO_LONG, limit) == ()
    assert long.fact(FactKind.MAINTENANCE_TOO_LONG, limit + 1).pieces == 4
    short = Story(events=(FOUR, window(AT, 72)), history=ALL)
    assert FactKind.MAINTENANCE_TOO_LONG not in short.kinds(ms(2027))


def test_windows_of_one_host_add_up_in_a_quarter() -> None:
    """Two of the longest are allowed, an hour more is not; another host has its own."""
    two = (window(AT, 72), window(AT + days(20), 72))
    more = window(AT + days(40), 1)
    other = window(AT + days(40), 72, "johor-1")

    assert FactKind.MAINTENANCE_TOO_LONG not in Story(events=(*two, other)).kinds(ms(2027))
    fact = Story(events=(*two, more, other)).fact(FactKind.MAINTENANCE_TOO_LONG, ms(2027))
    assert fact.key == "johor:2026-Q2"
    assert fact.detail["hosts"] == ("johor-0",)


def recorded(event: object, at: int) -> LedgerRecord:
    """Return an event that was entered at a time."""
    return LedgerRecord(event=event, recorded_at_ms=at)  # type: ignore[arg-type]


def test_an_event_may_be_entered_some_days_after_it_happened() -> None:
    """The last day of the table is in time, the next millisecond is not."""
    last = AT + limit_ms(Timer.RECORDING, AT)
    arrival = received(*named(5), at=AT)

    for at, said in ((last, 0), (last + 1, 1)):
        story = Story(events=(FOUR,), records=(recorded(arrival, at),))
        facts = story.facts(FactKind.LATE_EVENT, ms(2026, 12))
        assert len(facts) == said
        assert all(fact.severity is Severity.LOW for fact in facts)


def test_an_event_entered_into_a_signed_period_is_said_however_soon() -> None:
    """The period was signed on the second of May; what happened in April came on the third."""
    april = ms(2026, 4, 28)
    sign = SignedOff(
        occurred_at_ms=ms(2026, 5, 2),
        site="johor",
        first_day=date(2026, 4, 1),
        last_day=date(2026, 4, 30),
        role="operator",
        balance=BALANCE,
    )
    for at, said in ((ms(2026, 5, 1), 0), (ms(2026, 5, 3), 1)):
        story = Story(events=(FOUR, sign), records=(recorded(received(*named(5), at=april), at),))
        facts = story.facts(FactKind.LATE_EVENT, ms(2026, 5, 4))
        assert [fact.detail["after_sign_off"] for fact in facts] == [1] * said


def test_what_was_destroyed_or_shipped_out_must_not_answer() -> None:
    """Each is said as what it is, when papers that could explain it are late."""
    gone = Shipped(occurred_at_ms=AT, site="johor", lines=named(3), consignee="buyer", country="SG")
    shredded = Destroyed(
        occurred_at_ms=AT,
        site="johor",
        lines=named(4),
        witness=destroyed().witness,
        documents=destroyed().documents,
    )
    limit = AT + limit_ms(Timer.ELSEWHERE, AT)
    story = Story(events=(FOUR, gone, shredded), history=ALL)

    for kind, name in ((FactKind.SHIPPED_SEEN, 3), (FactKind.DISPOSED_SEEN, 4)):
        assert story.facts(kind, limit) == ()
        fact = story.fact(kind, limit + 1)
        assert fact.chips == (f"pdi {name:016x}",)
        assert fact.severity is Severity.HIGH
    assert FactKind.OVERAGE not in story.kinds(limit + days(30))


def test_a_booked_chip_that_answers_at_another_site_is_seen_elsewhere_and_not_missing() -> None:
    """It left Johor without a transfer and answers at Penang."""
    came = AT + days(2)
    limit = came + limit_ms(Timer.ELSEWHERE, came)
    story = Story(
        events=(FOUR,),
        history=(*ALL[:3], stay(4, SEEN, AT), stay(4, came, site="penang")),
    )

    assert story.facts(FactKind.SEEN_ELSEWHERE, limit) == ()
    fact = story.fact(FactKind.SEEN_ELSEWHERE, limit + 1)
    assert (fact.pieces, fact.detail["at"]) == (1, "penang")
    assert story.facts(FactKind.MISSING, limit + 1) == ()


def test_a_chip_that_was_received_here_and_only_ever_answers_there_is_seen_elsewhere() -> None:
    """Paper says Johor; it never attested at Johor, but at Penang."""
    came = AT
    limit = came + limit_ms(Timer.ELSEWHERE, came)
    story = Story(events=(FOUR,), history=(*ALL[:3], stay(4, came, site="penang")))

    fact = story.fact(FactKind.SEEN_ELSEWHERE, limit + 1)
    assert fact.chips == ("pdi 0000000000000004",)
    late = ms(2026, 3) + limit_ms(Timer.ATTESTATION) + 1
    assert story.facts(FactKind.NEVER_ATTESTED, late) == ()


def test_an_open_rma_of_a_chip_that_still_answers_at_home_is_no_swap() -> None:
    """Sent back on paper, and it answers on: the paper is wrong."""
    rma = sent_back(named(4), at=AT)
    story = Story(events=(FOUR, rma), history=ALL)

    limit = AT + limit_ms(Timer.ELSEWHERE, AT)
    assert story.fact(FactKind.RMA_RETURNED, limit + 1).detail["at"] == ("johor",)
