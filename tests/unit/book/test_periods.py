"""Closing a period: what is frozen, who signs, and what late papers change."""

from datetime import date

import pytest
from msgspec.structs import replace

from chipledger_book.errors import BookError, Code
from chipledger_book.events import (
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Correction,
    LedgerRecord,
    event_id,
)
from chipledger_book.movements import LostOrStolen, Shipped
from chipledger_book.periods.course import (
    Span,
    Stage,
    again_problems,
    bears_on,
    course_of,
    freeze_problems,
    gap_before,
    sign_problems,
)
from chipledger_book.periods.document import (
    PeriodDocument,
    decode_document,
    encode_document,
)
from chipledger_book.periods.units import attested_in
from chipledger_book.physical import ChipState, Stay
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import (
    H100,
    TABLES,
    book_of,
    chip,
    chips,
    declared,
    lpp,
    ms,
    received,
    uuid,
)
from chipledger_testing.periods import (
    FROZEN_MS,
    HALF,
    digest_of,
    document,
    frozen,
    known,
    ledger,
    signed,
)

SECOND = (date(2026, 7, 1), date(2026, 12, 31))


def simple() -> PeriodDocument:
    """Return the document of a half-year with eight received and seven seen chips."""
    return document(known(book_of(declared(), lpp(), received(8)), chips(range(7))))


def test_the_document_is_one_canonical_text() -> None:
    """It reads back to itself, and another layout of the same is refused."""
    data = encode_document(simple())

    assert encode_document(decode_document(data)) == data
    with pytest.raises(BookError, match="malformed-period-document"):
        decode_document(data.replace(b'"version":1', b'"version": 1'))


def test_the_same_knowledge_gives_the_same_digest() -> None:
    """In whatever order chips and events are given."""
    events = (declared(), lpp(), received(8), received(4, shipment="b"))
    one = document(known(ledger(*events), chips(range(9))))
    other = document(known(ledger(*reversed(events)), reversed(chips(range(9)))))

    assert digest_of(one) == digest_of(other)


def test_the_list_adds_up_to_the_balance() -> None:
    """Seen and unseen chips of the list are the numbers of the row."""
    made = simple()
    row = made.balance.rows[0]

    assert sum(unit.chips for unit in made.units if unit.booked) == row.book == 8
    assert sum(unit.chips for unit in made.units if unit.state == "unaccounted") == 1
    assert sum(unit.seen for unit in made.units) == row.present.total == 7


def test_a_chip_found_by_its_name_has_the_day_it_was_received() -> None:
    """And the days on which it was first and last attested, from its stays."""
    line = ByChip(sku=H100, chips=(ChipRef(pdi=f"{5:016x}", uuid=uuid(5)),))
    stay = Stay(
        chip_id="chip-0005",
        site="johor",
        host="host-0",
        from_ms=ms(2026, 4),
        until_ms=ms(2026, 6, 29),
        grade=Grade.G1,
    )
    book = book_of(declared(), lpp(), received(line))

    unit = document(known(book, [chip(5)], stays=[stay])).units[0]

    assert (unit.matched, unit.received_ms) == ("identity", ms(2026, 3))
    assert (unit.first_attested_ms, unit.last_attested_ms) == (ms(2026, 4), ms(2026, 6, 29))


def test_by_count_no_chip_gets_the_names_of_a_booked_thing() -> None:
    """Which of the received servers a chip sits in is not known then, and not said."""
    units = ByUnit(model="HGX-H100-8", serials=("S1",))
    made = document(known(book_of(declared(), lpp(), received(units)), [chip(1, named=False)]))

    seen = next(unit for unit in made.units if unit.seen)
    assert (seen.matched, seen.names) == ("count", {})


def test_stays_elsewhere_and_later_say_nothing() -> None:
    """A stay at another site, or one that begins after the period, is no attestation here."""
    away = Stay(chip_id="c", site="penang", host="h", from_ms=1, until_ms=2, grade=Grade.G1)
    later = replace(away, site="johor", from_ms=50, until_ms=60)

    assert attested_in([away, later], site="johor", until_ms=40) == {}


def test_movements_add_up_to_the_columns() -> None:
    """Each column of the balance is the sum of its events, by model."""
    gone = Shipped(
        occurred_at_ms=ms(2026, 4),
        site="johor",
        lines=(ByCount(sku=H100, pieces=3),),
        consignee="buyer",
        country="VN",
    )
    made = document(known(book_of(declared(), lpp(), received(8), gone)))
    row = made.balance.rows[0]

    for column in ("received", "shipped"):
        moved = [one.pieces[H100] for one in made.movements if one.column == column]
        assert sum(moved) == getattr(row, column) > 0
    assert next(one.country for one in made.movements if one.column == "shipped") == "VN"


def test_what_moves_nothing_is_listed_beside() -> None:
    """A theft stays on the book, and stands among the events of the period."""
    stolen = LostOrStolen(
        occurred_at_ms=ms(2026, 4), site="johor", lines=(ByCount(sku=H100, pieces=1),), how="stolen"
    )
    made = document(known(book_of(declared(), lpp(), received(8), stolen), chips(range(7))))

    beside = [one for one in made.movements if one.column is None]
    assert [(one.how, one.pieces) for one in beside] == [("stolen", {H100: 1})]
    assert made.balance.rows[0].book == 8


def test_a_period_goes_from_frozen_to_signed_to_closed() -> None:
    """The stage follows from sign-offs that name the digest, first operator, then auditor."""
    made = simple()
    operator, auditor = signed(made, "operator", "olga"), signed(made, "auditor", "aud")

    stages = [
        course_of(frozen(made), ledger(*entries)).stage
        for entries in ((declared(),), (declared(), operator), (declared(), operator, auditor))
    ]

    assert stages == [Stage.FROZEN, Stage.SIGNED, Stage.CLOSED]


def test_one_person_never_closes_alone() -> None:
    """An auditor's sign-off by the operator's principal closes nothing."""
    made = simple()
    book = ledger(declared(), signed(made, "operator", "olga"), signed(made, "auditor", "olga"))

    assert course_of(frozen(made), book).stage is Stage.SIGNED


def test_an_auditors_word_alone_signs_nothing() -> None:
    """The operator signs first; an auditor's sign-off before that waits."""
    made = simple()

    assert course_of(frozen(made), ledger(declared(), signed(made, "auditor", "a"))).stage is (
        Stage.FROZEN
    )


def test_a_sign_off_of_another_digest_signs_nothing() -> None:
    """What was signed is the text, not the days."""
    made = simple()
    other = replace(made, reason="other")

    assert course_of(frozen(made), ledger(declared(), signed(other, "operator", "o"))).stage is (
        Stage.FROZEN
    )


@pytest.mark.parametrize(
    ("role", "principal", "code"),
    [
        ("auditor", "aud", Code.SIGN_OFF_OUT_OF_ORDER),
        ("operator", "olga", None),
    ],
)
def test_the_operator_signs_first(role: str, principal: str, code: Code | None) -> None:
    """An auditor who signs before is told so."""
    made = frozen(simple())
    course = course_of(made, ledger(declared()))

    found = [one.code for one in sign_problems(made, made, course, role=role, principal=principal)]

    assert found == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("role", "principal", "code"),
    [
        ("auditor", "aud", None),
        ("auditor", "olga", Code.SIGN_OFF_SAME_PERSON),
        ("operator", "olga", Code.ALREADY_ANSWERED),
    ],
)
def test_then_another_person_signs_as_auditor(role: str, principal: str, code: Code | None) -> None:
    """The same person is refused, and so is a second signature of the operator."""
    made = simple()
    course = course_of(frozen(made), ledger(declared(), signed(made, "operator", "olga")))

    found = sign_problems(frozen(made), frozen(made), course, role=role, principal=principal)

    assert [one.code for one in found] == ([] if code is None else [code])


def test_an_old_version_is_not_signed() -> None:
    """Once another version was frozen, only that one can be signed."""
    old = simple()
    new = replace(old, version=2, replaces=digest_of(old))
    course = course_of(frozen(old), ledger(declared()))

    found = sign_problems(frozen(old), frozen(new), course, role="operator", principal="o")

    assert [one.code for one in found] == [Code.SIGN_OFF_SUPERSEDED]


@pytest.mark.parametrize(
    ("first", "last", "reason", "codes"),
    [
        (date(2026, 7, 1), date(2026, 12, 31), "", []),
        (date(2026, 6, 30), date(2026, 12, 31), "", [Code.PERIOD_OVERLAPS]),
        (date(2026, 1, 1), date(2026, 3, 31), "", [Code.PERIOD_OVERLAPS]),
        (date(2026, 7, 2), date(2026, 12, 31), "", [Code.PERIOD_GAP]),
        (date(2026, 7, 2), date(2026, 12, 31), "moved house", []),
        (date(2027, 1, 1), date(2027, 6, 30), "", [Code.PERIOD_WRONG]),
        (date(2026, 12, 31), date(2026, 7, 1), "", [Code.PERIOD_WRONG]),
    ],
)
def test_periods_follow_each_other(first: date, last: date, reason: str, codes: list[Code]) -> None:
    """They share no day, leave none out without a reason, and are over when they are frozen."""
    span = Span(first_day=first, last_day=last, gap_reason=reason)

    found = freeze_problems(span, [frozen(simple())], now_ms=ms(2027, 1, 1))

    assert [one.code for one in found] == codes


def test_a_gap_with_its_reason_stands_in_the_document() -> None:
    """Days that belong to no period are named, with why."""
    span = Span(first_day=date(2026, 7, 3), last_day=SECOND[1], gap_reason="moved house")

    gap = gap_before(span, [frozen(simple())])

    assert gap is not None
    assert (gap.first_day, gap.last_day, gap.reason) == (
        date(2026, 7, 1),
        date(2026, 7, 2),
        "moved house",
    )


def test_a_late_receipt_makes_a_restatement_that_names_what_changed() -> None:
    """The new document has its own digest and number, both numbers and the words."""
    old = simple()
    book = book_of(declared(), lpp(), received(8), received(4, shipment="late"))

    new = document(
        known(book, chips(range(7)), at=FROZEN_MS + 9),
        replaces=(digest_of(old), old),
        closed=True,
        reason="late paper",
    )

    assert (new.version, new.restatement, new.replaces) == (2, 1, digest_of(old))
    assert (H100, "received", "8", "12") in [
        (one.what, one.column, one.before, one.after) for one in new.differences
    ]
    assert any("received was 8, is 12 (+4)" in words for words in new.words)
    assert digest_of(simple()) == new.replaces


def test_frozen_again_before_the_close_is_no_restatement() -> None:
    """It is the next version; restatements count what was closed."""
    old = simple()
    again = document(
        known(book_of(declared(), lpp(), received(8)), chips(range(8))),
        replaces=(digest_of(old), old),
    )

    assert (again.version, again.restatement) == (2, 0)


def test_nothing_late_is_nothing_to_restate() -> None:
    """Of a closed period, and of one that waits for a signature."""
    made = simple()
    waiting = course_of(frozen(made), ledger(declared()))
    closed = course_of(
        frozen(made),
        ledger(declared(), signed(made, "operator", "o"), signed(made, "auditor", "a")),
    )

    assert [one.code for one in again_problems(waiting, changed=False)] == [
        Code.PERIOD_ALREADY_FROZEN
    ]
    assert [one.code for one in again_problems(closed, changed=False)] == [Code.NOTHING_TO_RESTATE]
    assert list(again_problems(closed, changed=True)) == []


def test_what_bears_on_a_period_is_what_was_true_in_it() -> None:
    """A late receipt does, and the correction of one; a later receipt and a sign-off do not."""
    early, later = received(8), received(4, at=ms(2026, 8))
    wrong = Correction(occurred_at_ms=ms(2026, 9), corrects=event_id(early), reason="miscounted")
    made = simple()
    book = ledger(declared(), lpp(), early, later, wrong)
    entries = [
        LedgerRecord(event=early, recorded_at_ms=FROZEN_MS + 1),
        LedgerRecord(event=later, recorded_at_ms=FROZEN_MS + 1),
        LedgerRecord(event=wrong, recorded_at_ms=FROZEN_MS + 1),
        LedgerRecord(event=lpp(), recorded_at_ms=FROZEN_MS + 1),
        signed(made, "operator", "o"),
    ]

    found = [bears_on(one, book, site="johor", as_of_ms=made.as_of_ms) for one in entries]

    assert found == [True, False, True, True, False]


def test_the_next_period_says_where_it_opens_differently() -> None:
    """A late paper changes the opening, and the document says that the one before is out."""
    first = simple()
    book = book_of(declared(), lpp(), received(8), received(4, shipment="late"))

    second = document(
        known(book, chips(range(7)), at=ms(2027, 1, 2)),
        days=SECOND,
        before=(digest_of(first), first),
    )

    assert second.before is not None
    assert [(one.before, one.after) for one in second.before.differs] == [("8", "12")]


def test_a_silent_chip_is_listed_as_silent() -> None:
    """With its grade, and on the book."""
    made = document(
        known(book_of(declared(), lpp(), received(1)), [chip(1, state=ChipState.SILENT)])
    )

    assert [(unit.state, unit.booked, unit.grade) for unit in made.units] == [
        ("silent", True, Grade.G1)
    ]


def test_the_document_names_the_calendar_it_was_made_under() -> None:
    """Versions of all tables stand in it, the calendars' too."""
    kinds = {one.kind for one in simple().tables}

    assert TABLES.calendars is not None
    assert {"chip-catalogue", "country-lists", "rule-set", "calendars"} <= kinds
    assert (simple().first_day, simple().last_day) == HALF
