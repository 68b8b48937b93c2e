"""Laws of import files: no order of rows matters, and what is written is read again."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, DrawFn

from chipledger_book.events import (
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Event,
    Line,
    Received,
    event_id,
)
from chipledger_book.imports.csv_rows import read_csv
from chipledger_book.imports.json_rows import read_json, write_json
from chipledger_book.imports.table import write_csv
from chipledger_book.terms import Document
from chipledger_testing.book import GB200, H100, H200

SERIALS = st.from_regex(r"[A-Z0-9]{1,8}", fullmatch=True)
TEXTS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20
).map(str.strip)


@st.composite
def lines(draw: DrawFn) -> tuple[Line, ...]:
    """Return lines as a table writes them: each model and way of naming once, sorted."""
    made: list[Line] = []
    for sku in sorted(draw(st.sets(st.sampled_from((H100, H200, GB200)), max_size=2))):
        serials = sorted(draw(st.sets(SERIALS, min_size=1, max_size=5)))
        made.append(ByBoard(sku=sku, serials=tuple(serials)))
    pdis = sorted(draw(st.sets(st.from_regex(r"[0-9a-f]{16}", fullmatch=True), max_size=4)))
    if pdis:
        made.append(ByChip(sku=H100, chips=tuple(ChipRef(pdi=pdi) for pdi in pdis)))
    if draw(st.booleans()) or not made:
        made.append(ByCount(sku=H200, pieces=draw(st.integers(1, 1000))))
    if draw(st.booleans()):
        made.append(ByUnit(model="HGX-H100-8", serials=(draw(SERIALS),)))
    return tuple(made)


@st.composite
def receipts(draw: DrawFn) -> Received:
    """Return a receipt in the order of a table."""
    papers = draw(st.sets(st.sampled_from("abcdef"), max_size=3))
    return Received(
        occurred_at_ms=draw(st.integers(0, 2**41)),
        site=draw(st.sampled_from(("johor", "muar"))),
        lines=draw(lines()),
        shipment=draw(TEXTS),
        remark=draw(TEXTS),
        documents=tuple(
            Document(sha256=letter * 64, title=draw(TEXTS)) for letter in sorted(papers)
        ),
    )


EVENTS = st.lists(receipts(), min_size=1, max_size=5, unique_by=event_id)


def ids(events: list[Event]) -> set[str]:
    """Return the ids of events."""
    return {str(event_id(event)) for event in events}


@given(EVENTS)
def test_a_table_that_was_written_is_read_as_the_same_events(events: list[Event]) -> None:
    """Formulas, spaces inside, quotes, separators and all."""
    reading = read_csv(write_csv(events).encode())

    assert reading.problems == ()
    assert ids([draft.event for draft in reading.drafts]) == ids(events)


@given(EVENTS, st.data())
def test_any_order_of_rows_is_the_same_events(events: list[Event], data: DataObject) -> None:
    """Rows of one event may stand anywhere in the file."""
    head, *rows = csv.reader(io.StringIO(write_csv(events), newline=""), strict=True)
    text = io.StringIO()
    csv.writer(text).writerows([head, *data.draw(st.permutations(rows))])
    reading = read_csv(text.getvalue().encode())

    assert reading.problems == ()
    assert ids([draft.event for draft in reading.drafts]) == ids(events)


@given(EVENTS)
def test_json_that_was_written_is_read_as_the_same_events(events: list[Event]) -> None:
    """In their order."""
    assert [draft.event for draft in read_json(write_json(events)).drafts] == events


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """What is no table and no event is named, never raised."""
    for reading in (read_csv(data), read_json(data)):
        assert reading.drafts or reading.problems


@given(st.text("kindhappenedsitereceived,;\n\"'=johorH100 2026-03-01", max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Nor what looks like one."""
    reading = read_csv(("kind,happened,site,sku,serial,pieces\n" + text).encode())

    assert reading.drafts or reading.problems
