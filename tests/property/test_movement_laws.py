"""Laws of chips that move, over random histories of admitted events."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from chipledger_book.balance import Question, reconcile, reconcile_all
from chipledger_book.events import (
    Correction,
    Event,
    decode_event,
    encode_event,
    event_id,
)
from chipledger_book.ledger import Book, fold
from chipledger_book.matching import KINDS, Item
from chipledger_book.movements import (
    Destroyed,
    Shipped,
    TransferIn,
    TransferOut,
)
from chipledger_book.report import SiteReport
from chipledger_book.stock import draw
from chipledger_testing.book import (
    H100,
    NOW,
    TABLES,
    chip,
    ms,
    record,
)
from chipledger_testing.histories import BEFORE, NUMBERS, SITES, histories


def reports(book: Book, at: int = NOW) -> tuple[SiteReport, ...]:
    """Return the reports of both sites, some chips of each being seen."""
    seen = [chip(number, site=SITES[number % 2]) for number in range(6)]
    return reconcile_all(book, seen, TABLES, Question(as_of_ms=at)).reports


def book_of(events: Sequence[Event]) -> Book:
    """Return the book of admitted events."""
    return fold(map(record, (*BEFORE, *events)))


@settings(max_examples=60)
@given(histories(), st.data())
def test_order_of_arrival_changes_nothing(history: list[Event], data: st.DataObject) -> None:
    """A book that grew event by event, in any order, answers as one that was recomputed."""
    shuffled = data.draw(st.permutations([*BEFORE, *history, *history[:2]]))

    assert reports(fold(map(record, shuffled))) == reports(book_of(history))


@settings(max_examples=60)
@given(histories(), st.integers(0, 10))
def test_every_column_is_conserved(history: list[Event], days: int) -> None:
    """Whenever it is asked, the book is what came less what left, and all of it is somewhere."""
    for found in reports(book_of(history), at=ms(2026, 3) + days * 86_400_000):
        for line in found.rows:
            arrived = line.opening + line.received + line.transfer_in + line.rma_in
            left = line.shipped + line.transfer_out + line.rma_out + line.disposed
            matched = line.matched_by_identity + line.matched_by_count
            rest = line.stored + line.explained + line.silent + line.disputed + line.unaccounted
            assert line.book == arrived - left
            assert line.book + line.overdrawn == matched + rest
            assert line.present.total == matched + line.overage
            assert min(matched, line.stored, line.unaccounted, line.overage) >= 0


@settings(max_examples=60)
@given(histories())
def test_nothing_admitted_is_overdrawn(history: list[Event]) -> None:
    """What may be entered never takes more from a book than it holds."""
    for found in reports(book_of(history)):
        assert all(line.overdrawn == 0 and line.book >= 0 for line in found.rows)


@settings(max_examples=60)
@given(histories())
def test_transfers_conserve_the_total(history: list[Event]) -> None:
    """Both books and what is open between them add up as if nothing had been transferred."""
    moving = (TransferOut, TransferIn)
    found = reports(book_of(history))
    open_now = sum(
        sum(one.left.values())
        for report in found
        for one in report.one_sided
        if one.type == "transfer-out"
    )
    total = sum(line.book for report in found for line in report.rows)
    without = [event for event in history if not isinstance(event, moving)]
    still = sum(line.book for report in reports(book_of(without)) for line in report.rows)

    assert total + open_now == still


@settings(max_examples=60)
@given(histories(), st.data())
def test_a_correction_undoes_exactly(history: list[Event], data: st.DataObject) -> None:
    """The book with an event and its correction is the book without both."""
    if not history:
        return
    gone = data.draw(st.sampled_from(history))
    undo = Correction(occurred_at_ms=NOW, corrects=event_id(gone), reason="typing error")
    rest = [event for event in history if event != gone]

    assert reports(book_of([*history, undo])) == reports(book_of(rest))


@settings(max_examples=60)
@given(histories(), st.integers(0, 10))
def test_a_period_opens_with_what_the_one_before_closed(history: list[Event], days: int) -> None:
    """Wherever the line between two periods is drawn."""
    start = ms(2026, 3) + days * 86_400_000
    book = book_of(history)
    for site in SITES:
        before = reconcile(book, (), TABLES, Question(as_of_ms=start - 1), site=site)
        closed = {line.sku: line.book for line in before.rows}
        question = Question(as_of_ms=NOW, period_start_ms=start)
        for line in reconcile(book, (), TABLES, question, site=site).rows:
            assert line.opening == closed.get(line.sku, 0)


@settings(max_examples=60)
@given(histories(), st.sampled_from(SITES))
def test_one_site_alone_equals_its_part_of_all(history: list[Event], site: str) -> None:
    """Whatever moved between the two."""
    book = book_of(history)
    alone = reconcile(book, (), TABLES, Question(as_of_ms=NOW), site=site)

    assert alone in reconcile_all(book, (), TABLES, Question(as_of_ms=NOW)).reports


@settings(max_examples=60)
@given(histories())
def test_leaving_gives_no_room_back(history: list[Event]) -> None:
    """Without all that left for elsewhere, no more of any ceiling is used."""
    away = (Shipped, Destroyed)
    kept = [event for event in history if not isinstance(event, away)]

    for found, stayed in zip(reports(book_of(history)), reports(book_of(kept)), strict=True):
        used = {use.window: use.used_tpp for use in found.ceilings}
        assert used == {use.window: use.used_tpp for use in stayed.ceilings}


@settings(max_examples=60)
@given(histories())
def test_every_event_survives_its_bytes(history: list[Event]) -> None:
    """Canonical bytes decode to the event that made them."""
    for event in history:
        assert decode_event(encode_event(event)) == event


KIND_SETS = st.frozensets(st.sampled_from(KINDS))
things = st.lists(st.tuples(KIND_SETS, NUMBERS, st.integers(1, 4)), max_size=6)


@given(things, things)
def test_drawing_conserves_and_compares(
    booked: list[tuple[frozenset[str], int, int]], taken: list[tuple[frozenset[str], int, int]]
) -> None:
    """What left is what was taken; nothing is taken from a thing that bears another name."""

    def items(mark: str, given_things: list[tuple[frozenset[str], int, int]]) -> list[Item]:
        return [
            Item(
                key=f"{mark}{place}", event=mark, line=0, place=place, sku=H100, chips=chips,
                occurred_at_ms=0, names=dict.fromkeys(kinds, f"n{number}"),
            )
            for place, (kinds, number, chips) in enumerate(given_things)
        ]  # fmt: skip

    had, out = items("a", booked), items("b", taken)
    found = draw(had, out)
    lost = sum(item.chips - found.left[item.key] for item in had)

    assert lost == sum(item.chips - found.short[item.key] for item in out)
    assert all(0 <= found.left[item.key] <= item.chips for item in had)
    assert all(0 <= found.short[item.key] <= item.chips for item in out)
    assert found == draw(had[::-1], out[::-1])
