"""Laws of periods and their reports, over random histories."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from chipledger_book.events import ByCount, Event, LedgerRecord, event_id
from chipledger_book.ledger import Book, fold
from chipledger_book.movements import Shipped, TransferIn, TransferOut
from chipledger_book.periods.difference import differences
from chipledger_book.periods.document import PeriodDocument, decode_document, encode_document
from chipledger_book.reports.accounting import NUMBERS, accounting
from chipledger_book.reports.group import group_share
from chipledger_book.reports.header import Source
from chipledger_book.reports.in_out import in_out
from chipledger_book.reports.inventory import inventory
from chipledger_testing.book import (
    H100,
    H200,
    TABLES,
    chips,
    declared,
    lpp,
    ms,
    received,
    site_of,
)
from chipledger_testing.periods import digest_of, document, known

DAY = 86_400_000
SITES = ("johor", "penang")
OTHER = {"johor": "penang", "penang": "johor"}
QUARTERS = (
    (date(2026, 1, 1), date(2026, 3, 31)),
    (date(2026, 4, 1), date(2026, 6, 30)),
    (date(2026, 7, 1), date(2026, 9, 30)),
)
BEFORE: tuple[Event, ...] = (declared(), declared(site_of("penang")), lpp())
days = st.integers(0, 272).map(lambda day: ms(2026) + day * DAY)
pieces = st.integers(1, 40)
skus = st.sampled_from((H100, H200))


def line(sku: str, count: int) -> tuple[ByCount, ...]:
    """Return chips by number."""
    return (ByCount(sku=sku, pieces=count),)


def arrival(site: str, sku: str, count: int, at: int) -> list[Event]:
    """Return a receipt."""
    return [received(*line(sku, count), site=site, at=at)]


def departure(site: str, sku: str, count: int, at: int) -> list[Event]:
    """Return a shipment out; by a late paper more may leave than there was."""
    return [
        Shipped(
            occurred_at_ms=at,
            site=site,
            lines=line(sku, count),
            consignee="buyer",
            country="VN",
        )
    ]


def transfer(site: str, sku: str, count: int, at: int) -> list[Event]:
    """Return both sides of a transfer, at one time."""
    out = TransferOut(occurred_at_ms=at, site=site, to_site=OTHER[site], lines=line(sku, count))
    back = TransferIn(
        occurred_at_ms=at,
        site=OTHER[site],
        from_site=site,
        lines=out.lines,
        answers=event_id(out),
    )
    return [out, back]


histories = st.lists(
    st.one_of(
        *(
            st.builds(made, st.sampled_from(SITES), skus, pieces, days)
            for made in (arrival, departure, transfer)
        )
    ),
    max_size=12,
).map(lambda groups: [event for group in groups for event in group])


def book_of(history: list[Event]) -> Book:
    """Return the book of a history, which nobody held against itself."""
    return fold(
        LedgerRecord(event=event, recorded_at_ms=ms(2026, 10)) for event in (*BEFORE, *history)
    )


def frozen(
    history: list[Event], quarter: int, site: str = "johor", seen: int = 0
) -> PeriodDocument:
    """Return the document of a quarter."""
    return document(
        known(
            book_of(history), chips(range(seen), site=site, named=False), site=site, at=ms(2026, 10)
        ),
        days=QUARTERS[quarter],
        site=site,
    )


@given(histories)
@settings(max_examples=60, deadline=None)
def test_a_period_opens_with_what_the_one_before_closed_with(history: list[Event]) -> None:
    """Model by model, for every history and both sites."""
    for site in SITES:
        first, second = frozen(history, 0, site), frozen(history, 1, site)
        closing = {row.sku: row.book for row in first.balance.rows}
        opening = {row.sku: row.opening for row in second.balance.rows}
        assert {sku: n for sku, n in opening.items() if n} == {
            sku: n for sku, n in closing.items() if n
        }


@given(histories, st.integers(0, 2), st.sampled_from(SITES))
@settings(max_examples=60, deadline=None)
def test_opening_and_in_and_out_make_the_closing(
    history: list[Event], quarter: int, site: str
) -> None:
    """In the rows, and event by event in the entries."""
    made = in_out(Source(document=frozen(history, quarter, site)), made_by="x")

    for row in made.rows:
        assert row.opening + row.total_in - row.total_out == row.closing
        changes = [one.change for one in made.entries if one.sku == row.sku]
        assert row.opening + sum(changes) == row.closing


@given(histories, st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_the_parent_is_the_sum_of_its_sites(history: list[Event], quarter: int) -> None:
    """Every number, and what is transferred between its sites cancels out."""
    sources = [Source(document=frozen(history, quarter, site)) for site in SITES]
    made = accounting(sources, made_by="x")

    for row in made.group:
        own = [one for one in made.rows if one.sku == row.sku]
        assert all(row.numbers[name] == sum(one.numbers[name] for one in own) for name in NUMBERS)
        assert row.numbers["transferred_in"] == row.numbers["transferred_out"]
    share = group_share(sources, TABLES, (), made_by="x")
    assert share.total_tpp == sum(source.document.balance.tpp.counted for source in sources)
    assert sum(one.share_ppm for one in share.countries) <= 1_000_000


@given(histories, st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_the_list_of_units_is_the_balance(history: list[Event], seen: int) -> None:
    """Booked and seen chips of the list are those of the rows, whatever matches what."""
    made = frozen(history, 2, seen=seen)
    totals = {total.sku: total for total in inventory(Source(document=made), made_by="x").totals}

    for row in made.balance.rows:
        total = totals.get(row.sku)
        booked = 0 if total is None else total.book
        assert booked == row.book + row.overdrawn
        present = 0 if total is None else total.states["present"]
        assert present == row.present.total
        unaccounted = 0 if total is None else total.states["unaccounted"]
        assert unaccounted == row.unaccounted


@given(histories, st.randoms(use_true_random=False), st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_the_digest_does_not_depend_on_the_order_of_arrival(
    history: list[Event], chance: st.DataObject, seen: int
) -> None:
    """The same events in any order are the same document, which reads back to itself."""
    shuffled = list(history)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = frozen(history, 1, seen=seen), frozen(shuffled, 1, seen=seen)

    assert digest_of(one) == digest_of(other)
    assert decode_document(encode_document(one)) == one
    assert differences(one, other) == ()
