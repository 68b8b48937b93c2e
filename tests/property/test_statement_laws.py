"""Laws of who stands behind an event: the order in which it is said and recorded is no matter."""

from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.events import (
    LedgerRecord,
    Role,
    Statement,
    StatementRecord,
    Strength,
    event_id,
)
from chipledger_book.ledger import Book, fold
from chipledger_testing.book import NOW, declared, received

EVENTS = (declared(), received(), received(shipment="second"))
Row = LedgerRecord | StatementRecord

statements = st.builds(
    Statement,
    role=st.sampled_from(Role),
    strength=st.sampled_from(Strength),
    principal=st.sampled_from(("local:0", "Ann", "Bo")),
    stated_at_ms=st.integers(NOW, NOW + 2),
)
recorded = st.integers(NOW, NOW + 3)
rows = st.lists(
    st.one_of(
        st.builds(
            LedgerRecord,
            event=st.sampled_from(EVENTS),
            recorded_at_ms=recorded,
            statements=st.lists(statements, max_size=1).map(tuple),
        ),
        st.builds(
            StatementRecord,
            of=st.sampled_from([event_id(event) for event in EVENTS]),
            recorded_at_ms=recorded,
            statement=statements,
        ),
    ),
    max_size=8,
)


def said(book: Book) -> list[tuple[object, ...]]:
    """Return all that a book says of when its events were recorded and by whom they stand."""
    keys = [event_id(event) for event in EVENTS]
    return [(book.event(key), book.recorded_at(key), book.statements(key)) for key in keys]


@given(rows.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
def test_the_order_of_records_is_no_matter(two: tuple[list[Row], list[Row]]) -> None:
    """Statements may come before their event, twice, and in any order: the book is the same."""
    one, other = two
    assert said(fold(one)) == said(fold(other))


@given(rows, recorded)
def test_what_was_not_recorded_yet_was_not_known(some: list[Row], known_at_ms: int) -> None:
    """A book of an earlier time holds the statements recorded up to then, and no other."""
    before = [row for row in some if row.recorded_at_ms <= known_at_ms]
    assert said(fold(some, known_at_ms=known_at_ms)) == said(fold(before))


@given(rows)
def test_an_event_was_recorded_when_it_was_first(some: list[Row]) -> None:
    """The recorded time of an event is that of its first record, whatever is said later."""
    book = fold(some)
    for event in EVENTS:
        times = [
            row.recorded_at_ms
            for row in some
            if isinstance(row, LedgerRecord) and row.event == event
        ]
        assert book.recorded_at(event_id(event)) == min(times, default=None)


@given(rows)
def test_everybody_who_spoke_is_there_once(some: list[Row]) -> None:
    """The statements of an event are all that any record gives it, each once."""
    book = fold(some)
    for event in EVENTS:
        key = event_id(event)
        expected: set[Statement] = set()
        for row in some:
            if isinstance(row, StatementRecord):
                expected |= {row.statement} if row.of == key else set()
            elif row.event == event:
                expected |= set(row.statements)
        found = book.statements(key)
        assert len(found) == len(expected)
        assert set(found) == expected
