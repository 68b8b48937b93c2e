"""Who may stand behind an event, and what a second statement does to what is open one-sided."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from chipledger_book.errors import Code
from chipledger_book.events import (
    Correction,
    Event,
    LedgerRecord,
    Role,
    Statement,
    StatementRecord,
    Strength,
    event_id,
)
from chipledger_book.ledger import Book, fold
from chipledger_book.report import OneSided
from chipledger_book.speaking import first_problems, later_problems, own_side, said_before
from chipledger_testing.book import NOW, book_of, declared, licence, received, record, report, row
from chipledger_testing.movements import (
    ALLOWED,
    APRIL,
    GONE,
    OUT,
    RMA,
    SHIPMENT,
    SITES,
    arriving,
    back,
    confirmed,
    destroyed,
    said,
    stored,
)

BOOK = book_of(*SITES, ALLOWED, received(20))


def word(
    role: Role,
    party: str | None = "acme",
    *,
    strength: Strength = Strength.PARTY_KEY,
    at: int = NOW,
    principal: str = "key",
) -> Statement:
    """Return a statement of a party."""
    return Statement(
        role=role, strength=strength, principal=principal, stated_at_ms=at, party=party
    )


def later(event: Event, statement: Statement, *before: Statement, book: Book = BOOK) -> list[Code]:
    """Return what is wrong with a statement on an event of the ledger."""
    found = later_problems(statement, event, before, book, now_ms=NOW)
    return [problem.code for problem in found]


def first(event: Event, *statements: Statement) -> list[Code]:
    """Return what is wrong with those who signed a new event."""
    return [one.code for one in first_problems(event, statements, BOOK, now_ms=NOW)]


OPERATOR = word(Role.OPERATOR)
VENDOR = word(Role.VENDOR, "nvidia")


@pytest.mark.parametrize(
    ("event", "statement"),
    [
        (RMA, VENDOR),
        (RMA, OPERATOR),
        (GONE, word(Role.CONSIGNEE, "buyer")),
        (OUT, word(Role.CONSIGNEE, "acme")),
        (SHIPMENT, word(Role.SHIPPER, "vendor-x")),
        (SHIPMENT, word(Role.CONSIGNEE)),
        (received(1), word(Role.SHIPPER, "anybody")),
        (declared(), word(Role.REGULATOR, "bis")),
        (licence("D-9"), word(Role.CONSIGNEE)),
        (destroyed(), word(Role.AUDITOR, "audit-firm")),
        (stored(), OPERATOR),
    ],
    ids=lambda value: value.role.value if isinstance(value, Statement) else type(value).__name__,
)
def test_both_sides_and_an_auditor_may_stand_behind_an_event(
    event: Event, statement: Statement
) -> None:
    """Each as its role, and as the party that event or site name for it."""
    assert later(event, statement) == []


@pytest.mark.parametrize(
    ("event", "statement", "code"),
    [
        (stored(), VENDOR, Code.STATEMENT_BY_WRONG_ROLE),
        (received(1), word(Role.VENDOR, "nvidia"), Code.STATEMENT_BY_WRONG_ROLE),
        (RMA, word(Role.COLLECTOR, None), Code.STATEMENT_BY_WRONG_ROLE),
        (RMA, word(Role.VENDOR, "acme"), Code.STATEMENT_BY_WRONG_PARTY),
        (RMA, word(Role.OPERATOR, "nvidia"), Code.STATEMENT_BY_WRONG_PARTY),
        (GONE, word(Role.CONSIGNEE, "acme"), Code.STATEMENT_BY_WRONG_PARTY),
        (licence("D-9"), word(Role.CONSIGNEE, "buyer"), Code.STATEMENT_BY_WRONG_PARTY),
        (
            replace(GONE, consignee="acme"),
            word(Role.CONSIGNEE, "acme"),
            Code.STATEMENT_CONTRADICTS,
        ),
        (RMA, word(Role.VENDOR, "nvidia", at=APRIL - 400_000), Code.STATEMENT_BEFORE_EVENT),
        (RMA, word(Role.VENDOR, "nvidia", at=NOW + 400_000), Code.STATEMENT_IN_FUTURE),
    ],
)
def test_others_may_not(event: Event, statement: Statement, code: Code) -> None:
    """No third role, no other party, and not before it happened or after now."""
    assert later(event, statement) == [code]


def test_clocks_may_differ_a_little() -> None:
    """By five minutes, on both ends."""
    assert later(RMA, word(Role.VENDOR, "nvidia", at=APRIL - 300_000)) == []
    assert later(RMA, word(Role.VENDOR, "nvidia", at=NOW + 300_000)) == []


@pytest.mark.parametrize(
    "before",
    [word(Role.OPERATOR, "nvidia"), word(Role.AUDITOR, "nvidia", strength=Strength.SESSION)],
)
def test_nobody_is_both_sides(before: Statement) -> None:
    """A party that has spoken in one role does not speak in another, however weak its word was."""
    assert later(RMA, VENDOR, before) == [Code.STATEMENT_CONTRADICTS]


def test_an_account_is_not_both_sides_either() -> None:
    """Without a party it is the account that counts."""
    one = word(Role.OPERATOR, None, strength=Strength.SESSION, principal="Ann")
    other = word(Role.AUDITOR, None, strength=Strength.SESSION, principal="Ann")
    assert later(RMA, other, one) == [Code.STATEMENT_CONTRADICTS]


def test_the_same_word_again_is_known_unless_it_is_stronger() -> None:
    """Same party, same role; a signature adds to a session entry, and nothing adds to it."""
    session = replace(OPERATOR, strength=Strength.SESSION, principal="Ann")
    assert said_before(OPERATOR, [OPERATOR]) is OPERATOR
    assert said_before(replace(OPERATOR, stated_at_ms=1), [OPERATOR]) is OPERATOR
    assert said_before(session, [OPERATOR]) is OPERATOR
    assert said_before(OPERATOR, [session]) is None
    assert said_before(VENDOR, [OPERATOR]) is None
    assert later(RMA, OPERATOR, session) == []


def test_a_new_event_is_signed_by_its_own_side() -> None:
    """The other side may sign with it, and not instead of it."""
    assert first(RMA, OPERATOR) == []
    assert first(RMA, OPERATOR, VENDOR) == []
    assert first(RMA, VENDOR) == [Code.STATEMENT_BY_WRONG_ROLE]
    assert first(SHIPMENT, word(Role.SHIPPER, "vendor-x")) == []
    assert first(confirmed(RMA), VENDOR) == []
    assert first(confirmed(RMA), OPERATOR) == [
        Code.STATEMENT_BY_WRONG_ROLE,
        Code.STATEMENT_BY_WRONG_ROLE,
    ]


def test_a_correction_is_for_the_side_that_was_wrong() -> None:
    """Of an event that the book does not hold, nobody's."""
    known = Correction(occurred_at_ms=NOW, corrects=event_id(received(20)), reason="wrong")
    assert own_side(known, BOOK) == {Role.OPERATOR, Role.CONSIGNEE}
    assert own_side(replace(known, corrects="A" * 43), BOOK) == frozenset()


def one_sided(event: Event, *later_words: Statement) -> Sequence[OneSided]:
    """Return what is open after statements were added to an event that its site entered."""
    entered = said(Role.OPERATOR)
    base = [record(one) for one in (*SITES, ALLOWED, received(20))]
    own = LedgerRecord(event=event, recorded_at_ms=NOW, statements=(entered,))
    added = [
        StatementRecord(of=event_id(event), recorded_at_ms=NOW, statement=one)
        for one in later_words
    ]
    return report(fold([*base, own, *added])).one_sided


def test_the_other_sides_statement_makes_an_event_two_sided() -> None:
    """Event and id stay; the vendor signs what the operator entered."""
    assert [one.sides for one in one_sided(RMA)] == ["open-one-sided"]
    assert one_sided(RMA, VENDOR) == ()
    assert one_sided(GONE, word(Role.CONSIGNEE, "buyer")) == ()


def test_an_auditors_word_is_no_other_side() -> None:
    """It stands behind what was entered, and the vendor's side stays open."""
    [found] = one_sided(RMA, word(Role.AUDITOR, "audit-firm"))
    assert found.sides == "open-one-sided"


def test_who_enters_an_event_is_not_its_other_side() -> None:
    """An RMA entered in the vendor's name alone waits for the vendor."""
    base = [record(one) for one in (*SITES, ALLOWED, received(20))]
    alone = LedgerRecord(event=RMA, recorded_at_ms=NOW, statements=(said(Role.VENDOR),))
    assert [one.sides for one in report(fold([*base, alone])).one_sided] == ["open-one-sided"]


def test_the_strongest_word_of_a_side_is_the_one_that_is_shown() -> None:
    """An operator that signs later what was entered in a session."""
    [found] = one_sided(RMA, OPERATOR)
    assert (found.strength, found.other_strength) == ("party-key", None)


def test_an_rma_leaves_the_book_when_the_vendor_has_signed_it() -> None:
    """From when it did; an RMA that it has not signed stays on the book."""
    entered = LedgerRecord(event=RMA, recorded_at_ms=NOW, statements=(said(Role.OPERATOR),))
    base = [record(one) for one in (*SITES, ALLOWED, received(20))]
    signed = StatementRecord(of=event_id(RMA), recorded_at_ms=NOW + 5, statement=VENDOR)
    assert row(report(fold([*base, entered]))).book == 20
    assert row(report(fold([*base, entered, signed]))).book == 18
    assert row(report(fold([*base, entered, signed], known_at_ms=NOW))).book == 20
    assert row(report(fold([*base, entered, signed]), at=NOW - 1)).book == 20


def test_arrivals_of_other_sites_can_be_signed_too() -> None:
    """Each by the parties of the site it is of."""
    assert later(arriving(OUT), OPERATOR) == []
    assert later(back(RMA), VENDOR) == []
