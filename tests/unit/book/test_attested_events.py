"""What the collector records from attestation: its format, who enters it, and what it changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.admission import problems
from chipledger_book.errors import Code
from chipledger_book.events import (
    Correction,
    Event,
    Role,
    Statement,
    Strength,
    decode_event,
    encode_event,
    event_id,
)
from chipledger_book.ledger import Book, fold
from chipledger_book.movements import AttestedChip, Confirmed, Installed, Moved
from chipledger_book.sides import strongest
from chipledger_book.terms import EventId
from chipledger_book.whereabouts import whereabouts
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import H100, NOW, TABLES, book_of, declared, ms, record, report, uuid

TOKEN = "A" * 43
ONE, TWO, THREE = (f"h-{letter * 26}" for letter in "abc")
MARCH = ms(2026, 3)


def chips(*numbers: int) -> tuple[AttestedChip, ...]:
    """Return chips as a report of their driver showed them."""
    return tuple(
        AttestedChip(
            grade=Grade.G1,
            pdi=f"{number:016x}",
            uuid=uuid(number),
            serial=f"165{number:010d}",
            sku=H100,
            slot="0000:19:00.0",
        )
        for number in numbers
    )


def installed(*numbers: int, host: str = ONE, at: int = MARCH) -> Installed:
    """Return chips that are seen at Johor for the first time."""
    return Installed(occurred_at_ms=at, site="johor", host=host, token=TOKEN, chips=chips(*numbers))


def moved(*numbers: int, to: str = TWO, start: str = ONE, at: int = MARCH + 1) -> Moved:
    """Return chips that are seen on another host of Johor."""
    return Moved(
        occurred_at_ms=at,
        site="johor",
        from_host=start,
        host=to,
        token=TOKEN,
        chips=chips(*numbers),
    )


def book_with(*events: Event) -> Book:
    """Return the book of what people and the collector entered."""
    return fold([record(declared()), *map(record, events)])


def wrong(event: Event, book: Book) -> list[Code]:
    """Return the codes of what is wrong with an event."""
    return [problem.code for problem in problems(event, book, TABLES, now_ms=NOW)]


def test_an_installed_event_has_these_bytes_and_this_id() -> None:
    """A vector: what every later version must read."""
    data = (
        b'{"chips":[{"grade":"G1","pdi":"0000000000000001","serial":"1650000000001",'
        b'"sku":"H100-SXM5-80GB","slot":"0000:19:00.0",'
        b'"uuid":"GPU-00000001-0000-0000-0000-000000000001"}],'
        b'"host":"h-aaaaaaaaaaaaaaaaaaaaaaaaaa","occurred_at_ms":1772323200000,"site":"johor",'
        b'"token":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","type":"installed"}'
    )
    assert encode_event(installed(1)) == data
    assert decode_event(data) == installed(1)
    assert event_id(installed(1)) == "iOwb9lp7cSMgNo3U1S3hKxXSk7l_fZCNAAx5XGkKEAM"


def test_a_moved_event_has_these_bytes_and_this_id() -> None:
    """A vector; names that a report does not give are absent."""
    event = Moved(
        occurred_at_ms=MARCH,
        site="johor",
        from_host=ONE,
        host=TWO,
        token=TOKEN,
        chips=(AttestedChip(grade=Grade.G1, uuid=uuid(1)),),
    )
    data = (
        b'{"chips":[{"grade":"G1","uuid":"GPU-00000001-0000-0000-0000-000000000001"}],'
        b'"from_host":"h-aaaaaaaaaaaaaaaaaaaaaaaaaa","host":"h-bbbbbbbbbbbbbbbbbbbbbbbbbb",'
        b'"occurred_at_ms":1772323200000,"site":"johor",'
        b'"token":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","type":"moved"}'
    )
    assert encode_event(event) == data
    assert decode_event(data) == event
    assert event_id(event) == "zjquRNy_v0yPYpxEYJRH__PvMdUkiGT3_7z220inBv0"


@pytest.mark.parametrize("event", [installed(1), moved(1)])
def test_nobody_enters_what_only_attestation_shows(event: Event) -> None:
    """Whoever asks and however it is worded."""
    assert wrong(event, book_of(declared())) == [Code.EVENT_FROM_ATTESTATION]


def test_the_operator_confirms_a_move() -> None:
    """As itself, about a move, and nobody else does."""
    move = moved(1)
    book = book_with(installed(1), move)
    word = Confirmed(occurred_at_ms=NOW, confirms=event_id(move), role=Role.OPERATOR, party="acme")
    assert wrong(word, book) == []
    for changes in ({"role": Role.VENDOR}, {"party": "other"}, {"occurred_at_ms": MARCH}):
        other = Confirmed(
            **{
                "occurred_at_ms": NOW,
                "confirms": event_id(move),
                "role": Role.OPERATOR,
                "party": "acme",
            }
            | changes  # type: ignore[arg-type]
        )
        assert len(wrong(other, book)) == 1
    first = Confirmed(
        occurred_at_ms=NOW, confirms=event_id(installed(1)), role=Role.OPERATOR, party="acme"
    )
    assert wrong(first, book) == [Code.ANSWER_DOES_NOT_FIT]
    book.add(record(word))
    assert [one.event for one in book.answers(event_id(move), NOW)] == [word]


def test_a_wrong_one_is_corrected_unless_it_is_confirmed() -> None:
    """The correction takes it out of the book; the place before it holds again."""
    move = moved(1)
    book = book_with(installed(1), move)
    back = Correction(occurred_at_ms=NOW, corrects=event_id(move), reason="a test bench")
    assert wrong(back, book) == []
    book.add(record(back))
    assert book.moved("johor", NOW) == ()
    assert whereabouts(book, ("johor",), NOW)["uuid", uuid(1)].host == ONE
    confirmed = book_with(
        move,
        Confirmed(occurred_at_ms=NOW, confirms=event_id(move), role=Role.OPERATOR, party="acme"),
    )
    assert wrong(back, confirmed) == [Code.EVENT_ANSWERED]


def test_quantities_and_the_use_of_a_site_do_not_change() -> None:
    """What was seen is the physical side's to say."""
    without, with_them = book_with(), book_with(installed(1, 2), moved(1))
    assert report(with_them) == report(without)
    assert with_them.uses("johor") == without.uses("johor")


def test_what_happened_later_plays_no_part() -> None:
    """Both ends: at the time itself it has happened."""
    book = book_with(installed(1), moved(1))
    assert book.installed("johor", MARCH - 1) == ()
    assert [one.event for one in book.installed("johor", MARCH)] == [installed(1)]
    assert (book.moved("johor", MARCH), book.installed("penang", NOW)) == ((), ())
    assert [one.event for one in book.moved("johor", MARCH + 1)] == [moved(1)]


def test_the_collectors_record_is_the_weakest_word() -> None:
    """It is never called signed by a party, and any party's word beside it counts more."""
    attested = Statement(
        role=Role.COLLECTOR,
        strength=Strength.ATTESTED,
        principal="collector",
        stated_at_ms=MARCH,
        evidence=TOKEN,
    )
    paper = Statement(
        role=Role.AUDITOR, strength=Strength.DOCUMENT, principal="a", stated_at_ms=MARCH
    )
    assert strongest([attested]) is Strength.ATTESTED
    assert strongest([attested, paper]) is Strength.DOCUMENT


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from((ONE, TWO, THREE)), st.integers(1, 3)), max_size=8
    ),
    st.data(),
)
def test_order_of_arrival_changes_no_place(
    history: list[tuple[bool, str, int]], data: st.DataObject
) -> None:
    """A chip is where it was recorded last by time, whatever came into the book first."""
    events: list[Event] = []
    last: dict[tuple[str, str], str] = {}
    for step, (first, host, number) in enumerate(history):
        make = installed(number, host=host, at=MARCH + step)
        events.append(make if first else moved(number, to=host, at=MARCH + step))
        last["uuid", uuid(number)] = last["pdi", f"{number:016x}"] = host
    book = book_with(*data.draw(st.permutations(events)))
    found = whereabouts(book, ("johor",), NOW)
    assert {name: place.host for name, place in found.items()} == last
    assert all(isinstance(book.event(EventId(place.event)), Event) for place in found.values())


def test_a_move_of_no_standing_site_is_confirmed_by_nobody() -> None:
    """Who operates it is not known."""
    move = moved(1)
    word = Confirmed(occurred_at_ms=NOW, confirms=event_id(move), role=Role.OPERATOR, party="acme")
    assert wrong(word, fold([record(move)])) == [Code.UNKNOWN_SITE]
