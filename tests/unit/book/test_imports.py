"""Import files: what a table amounts to, and what is wrong with it, row by row."""

from collections.abc import Sequence

import pytest

from chipledger_book.errors import Code
from chipledger_book.events import (
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Event,
    Received,
    Role,
    Statement,
    Strength,
    event_id,
)
from chipledger_book.imports.batch import Entrance, admit_all
from chipledger_book.imports.columns import KINDS, MEANINGS, SHAPES
from chipledger_book.imports.csv_rows import MAX_IMPORT_BYTES, MAX_ROWS, read_csv
from chipledger_book.imports.drafts import Reading, RowProblem
from chipledger_book.imports.json_rows import read_json, write_json
from chipledger_book.imports.table import write_csv
from chipledger_book.ledger import Book
from chipledger_testing.book import H100, NOW, TABLES, book_of, declared, ms, received, site_of

HEAD = "kind,happened,site,shipment,sku,unit,serial,pdi,uuid,pieces,document,remark"
PDI = "a0c55ad015a3bf4f"
PAPER = "ab" * 32
Found = tuple[int, str, str]


def table(*rows: str, head: str = HEAD) -> bytes:
    """Return a CSV file; rows are filled up with empty cells."""
    width = head.count(",")
    return "\n".join([head, *(row + "," * (width - row.count(",")) for row in rows)]).encode()


def row(thing: str, *, shipment: str = "A", day: str = "2026-03-01", site: str = "johor") -> str:
    """Return a row of a receipt at Johor that names a thing."""
    return f"received,{day},{site},{shipment},{thing}"


def found(problems: Sequence[RowProblem]) -> list[Found]:
    """Return row, column and code of problems."""
    return [(one.row, one.column, one.code) for one in problems]


def read(data: bytes) -> list[Found]:
    """Return what is wrong with a file by itself."""
    reading = read_csv(data)
    assert all(one.detail and one.hint for one in reading.problems)
    return found(reading.problems)


def tried(reading: Reading, *before: Event) -> list[Found]:
    """Return what keeps a file out of a book, by row."""
    return found(admit_all(reading.drafts, booked(*before), entrance()).problems)


def booked(*before: Event) -> Book:
    """Return the book of two sites, and of some events."""
    return book_of(declared(), declared(site_of("muar")), *before)


def entrance() -> Entrance:
    """Return somebody who may enter everything."""
    said = Statement(
        role=Role.COLLECTOR, strength=Strength.SESSION, principal="test", stated_at_ms=NOW
    )
    return Entrance(tables=TABLES, now_ms=NOW, speak=lambda _: (said,))


def test_rows_that_say_the_same_of_the_event_are_one_event() -> None:
    """Lines by chip, board, unit and count, each sorted; papers beside them."""
    reading = read_csv(
        table(
            row(f"{H100},,S2"),
            row(f"{H100},,S1,,,,{PAPER}"),
            row(f"{H100},,,,,7"),
            row(",HGX-H100-8,SRV-1"),
            row(f"{H100},,1654,{PDI}"),
            row(f"{H100},,S9", shipment="B"),
        )
    )

    first, second = (draft.event for draft in reading.drafts)
    assert reading.problems == ()
    assert isinstance(first, Received)
    assert first.lines == (
        ByBoard(sku=H100, serials=("S1", "S2")),
        ByChip(sku=H100, chips=(ChipRef(pdi=PDI, serial="1654"),)),
        ByCount(sku=H100, pieces=7),
        ByUnit(model="HGX-H100-8", serials=("SRV-1",)),
    )
    assert [paper.sha256 for paper in first.documents] == [PAPER]
    assert first.occurred_at_ms == ms(2026, 3)
    assert isinstance(second, Received)
    assert second.shipment == "B"
    assert (reading.rows, reading.names) == (6, 5)


def test_equal_events_are_told_apart_by_a_label() -> None:
    """Two deliveries of the same number are two, if the file says so."""
    head = "event,kind,happened,site,sku,pieces,remark"
    rows = [f"{name},received,2026-03-01,johor,{H100},4,{name}" for name in ("one", "two")]

    assert len(read_csv(table(*rows, head=head)).drafts) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + table(row(f"{H100},,S1")),
        table(row(f"{H100},,S1")).replace(b"\n", b"\r\n") + b"\r\n",
        table(row(f"{H100},,S1")).replace(b",", b";"),
        table(row(f"{H100},,S1")).replace(b",", b"\t"),
        table(row(f'{H100},,"S1"')) + b"\n\n,,,\n",
        table(row(f" {H100} ,, S1 ")).replace(b"kind", b" Kind "),
    ],
    ids=["mark", "crlf", "semicolon", "tab", "quotes and empty rows", "spaces"],
)
def test_what_spreadsheets_write_is_read_alike(data: bytes) -> None:
    """A byte order mark, other line ends and separators, quotes, empty rows, spaces around."""
    reading = read_csv(data)

    assert reading.problems == ()
    assert [event_id(draft.event) for draft in reading.drafts] == [
        event_id(received(ByBoard(sku=H100, serials=("S1",)), shipment="A"))
    ]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", [(0, "", "malformed-import")]),
        (HEAD.encode(), [(0, "", "malformed-import")]),
        (table(row(f"{H100},,S1")).decode().encode("utf-16"), [(0, "", "malformed-import")]),
        (table(row(f"{H100},,S1")) + b"\xff", [(0, "", "malformed-import")]),
        (table(row(f"{H100},,S\x00")), [(0, "", "malformed-import")]),
        (table(row(f'{H100},,"S1')), [(2, "", "malformed-import")]),
        (table(row(f"{H100},,S1")) + b",,,,x", [(2, "", "malformed-import")]),
        (b"x" * (MAX_IMPORT_BYTES + 1), [(0, "", "import-too-large")]),
        (table(row("T,,1"), head="kind,site,sku,serail"), [(1, "happened", "unknown-column")]),
        (table("", head="kind,happened,site,site"), [(1, "site", "unknown-column")]),
    ],
)
def test_a_file_that_is_no_table_is_refused(data: bytes, wanted: list[Found]) -> None:
    """Encoding, quotes, cells beyond the header, size, and columns that there are not."""
    got = read(data)

    assert [one for one in got if one in wanted] == wanted
    assert {one[2] for one in got} == {one[2] for one in wanted}


def test_too_many_rows_are_refused() -> None:
    """Before they are read."""
    data = b"kind,happened\n" + b"x,\n" * (MAX_ROWS + 1)

    assert read(data) == [(0, "", "import-too-large")]


@pytest.mark.parametrize(
    ("bad", "wanted"),
    [
        ("unheard,2026-03-01,johor,,T,,S", ("kind", "unknown-event-kind")),
        (",2026-03-01,johor,,T,,S", ("kind", "cell-missing")),
        (row(f"{H100},,S1", day="01.03.2026"), ("happened", "cell-malformed")),
        (row(f"{H100},,S1", day="2026-03-01T10:00:00"), ("happened", "cell-malformed")),
        (row(f"{H100},,S1", day=""), ("happened", "cell-missing")),
        (row(f"{H100},,S1", site="Johor!"), ("site", "cell-malformed")),
        (row(f"{H100},,S1", site=""), ("site", "cell-missing")),
        (row(f"{H100},,S 1"), ("serial", "cell-malformed")),
        (row(f"{H100},,,xyz"), ("pdi", "cell-malformed")),
        (row(f"{H100},,,,GPU-1"), ("uuid", "cell-malformed")),
        (row(f"{H100},,,,,1.5"), ("pieces", "quantity-not-integer")),
        (row(f"{H100},,,,,1e3"), ("pieces", "quantity-not-integer")),
        (row(f"{H100},,,,,\u0668"), ("pieces", "quantity-not-integer")),
        (row(f"{H100},,S1,,,3"), ("serial", "cell-unused")),
        (row(f"{H100},HGX-H100-8,S1"), ("sku", "cell-unused")),
        (row(",,S1"), ("sku", "cell-missing")),
        (row(H100), ("serial", "cell-missing")),
        (row(""), ("sku", "cell-missing")),
        (row(f"{H100},,S1,,,,nopaper"), ("document", "cell-malformed")),
        (row(f"{H100},,S1,,,,,{'x' * 513}"), ("remark", "cell-malformed")),
        ("unstored,2026-03-01,johor,,T,,S", ("sku", "cell-unused")),
    ],
)
def test_a_bad_cell_is_named_by_row_and_column(bad: str, wanted: tuple[str, str]) -> None:
    """Beside a good row, which is not blamed."""
    got = read(table(row(f"{H100},,S0", shipment="good"), bad))

    assert (3, *wanted) in got
    assert all(one[0] == 3 for one in got)


def test_a_row_twice_and_a_serial_twice_are_named_where_they_stand_again() -> None:
    """The first of them is not blamed."""
    assert read(table(row(f"{H100},,S1"), row(f"{H100},,S2"), row(f"{H100},,S1"))) == [
        (4, "", "row-repeated")
    ]
    twice = read_csv(table(row(f"{H100},,S1"), row(f"{H100},,S1,,,,{PAPER}")))
    assert tried(twice) == [(3, "serial", "duplicate-serial")]
    elsewhere = read_csv(table(row(f"{H100},,S1"), row(f"{H100},,S1", site="muar")))
    assert tried(elsewhere)[0][1:] == ("serial", "serial-already-received")


def test_the_other_place_in_the_file_is_named() -> None:
    """A serial received twice says in which row it stands already."""
    reading = read_csv(table(row(f"{H100},,S1"), row(f"{H100},,S1", day="2026-03-02")))
    (problem,) = admit_all(reading.drafts, booked(), entrance()).problems

    assert problem.row == 3
    assert "(row 2 of this file)" in problem.detail


@pytest.mark.parametrize(
    ("bad", "wanted"),
    [
        (row(f"{H100},,S1", site="nowhere"), (2, "site", "unknown-site")),
        (row("H900,,S1"), (2, "sku", "unknown-sku")),
        (row(",HGX-H900,S1"), (2, "unit", "unknown-unit-model")),
        (row(f"{H100},,S1", day="2036-01-01"), (2, "happened", "event-in-future")),
        (row(f"{H100},,OLD"), (2, "serial", "serial-already-received")),
        (row(f"{H100},,,,,0"), (2, "pieces", "quantity-not-positive")),
        (row(f"{H100},,,,,2000000"), (2, "pieces", "quantity-too-large")),
    ],
)
def test_what_the_book_refuses_is_named_by_row_and_column(bad: str, wanted: Found) -> None:
    """Unknown sites, models and units, the future, and what is on the book already."""
    before = received(ByBoard(sku=H100, serials=("OLD",)), at=ms(2026, 2))

    assert tried(read_csv(table(bad)), before) == [wanted]


def test_what_is_wrong_by_itself_hides_nothing_that_is_wrong_with_the_book() -> None:
    """One round of repairs, not many."""
    reading = read_csv(
        table(row(f"{H100},,S 1"), row(f"{H100},,S2", site="nowhere"), row("H900,,S3"))
    )

    assert read_csv(table(row(f"{H100},,S 1"))).drafts == ()
    assert found(reading.problems) == [(2, "serial", "cell-malformed")]
    assert tried(reading) == [(3, "site", "unknown-site"), (4, "sku", "unknown-sku")]


def test_an_event_may_name_another_of_the_same_file() -> None:
    """By its label; in whatever order they stand, and the other is entered first."""
    head = "event,kind,happened,site,to_site,from_site,answers,sku,pieces,corrects,reason"
    rows = [
        f"in,transfer-in,2026-04-02,muar,,johor,file:out,{H100},3,,",
        f"out,transfer-out,2026-04-01,johor,muar,,,{H100},3,,",
        ",correction,2026-04-03,,,,,,,file:in,the papers were of another truck",
    ]
    reading = read_csv(table(*rows, head=head))
    batch = admit_all(reading.drafts, booked(received(8)), entrance())

    assert batch.problems == ()
    kinds = [type(record.event).__name__ for _, record in batch.entering]
    assert kinds == ["TransferOut", "TransferIn", "Correction"]


def test_a_label_that_is_not_there_or_means_two_things_is_refused() -> None:
    """By row and column."""
    head = "event,kind,happened,site,seal_found,answers,shipment,sku,pieces"
    rows = [
        f"a,received,2026-03-01,johor,,,X,{H100},4",
        f"a,received,2026-03-01,johor,,,Y,{H100},5",
        ",unstored,2026-03-02,johor,intact,file:b,,,",
    ]

    assert read(table(*rows, head=head)) == [
        (3, "shipment", "rows-disagree"),
        (4, "answers", "unknown-event"),
    ]


def test_a_correction_of_a_correction_is_refused_by_row() -> None:
    """The right event is entered anew."""
    head = "event,kind,happened,corrects,reason"
    first = received(8)
    rows = [
        f"a,correction,2026-04-01,{event_id(first)},wrong",
        "b,correction,2026-04-02,file:a,wrong too",
    ]
    reading = read_csv(table(*rows, head=head))

    assert tried(reading, first) == [(3, "corrects", "correction-of-correction")]


def test_a_formula_stays_text_there_and_back() -> None:
    """It is kept as it stands, and written so that no spreadsheet computes it."""
    reading = read_csv(table(row(f"{H100},,S1,,,,,=1+1")))
    (draft,) = reading.drafts

    assert draft.event.remark == "=1+1"
    assert "'=1+1" in write_csv([draft.event])
    assert read_csv(write_csv([draft.event]).encode()).drafts[0].event == draft.event


def test_what_is_known_is_known() -> None:
    """A file entered again adds nothing."""
    reading = read_csv(table(row(f"{H100},,S1"), row(f"{H100},,S2", shipment="B")))
    book = booked()
    first = admit_all(reading.drafts, book, entrance())
    second = admit_all(reading.drafts, book, entrance())

    assert len(first.entering) == 2
    assert second.entering == ()
    assert set(second.known) == {key for key, _ in first.entering}


def test_json_is_read_as_an_array_or_by_line() -> None:
    """The row is the place in the array, or the line."""
    events: list[Event] = [declared(), received(3), received(4, shipment="B")]
    lines = write_json(events)
    array = b" [" + b",".join(lines.splitlines()) + b"]"

    assert [draft.event for draft in read_json(lines).drafts] == events
    assert [draft.event for draft in read_json(array).drafts] == events


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"[", [(0, "", "malformed-import")]),
        (b"[]", [(0, "", "malformed-import")]),
        (b"{}", [(1, "", "malformed-event")]),
        (b'\n{"type":"received","type":"received"}', [(2, "type", "malformed-event")]),
        (b'[{"a":1},{"type":"stored","occurred_at_ms":-1}]', [(1, "", "malformed-event")]),
        (write_json([received(1), received(1)]), [(2, "", "row-repeated")]),
        (b"[" * 100_000, [(0, "", "malformed-import")]),
    ],
)
def test_bad_json_is_named_by_event(data: bytes, wanted: list[Found]) -> None:
    """The others are read all the same."""
    assert found(read_json(data).problems)[: len(wanted)] == wanted


def test_every_column_is_explained_and_taken_by_some_kind() -> None:
    """No meaning without a column, no column without a meaning."""
    taken = {one.column for shape in SHAPES.values() for one in shape.fields}
    rows = {"event", "kind", "happened", "part", "sku", "unit", "serial", "pdi", "uuid", "pieces"}

    assert taken | rows | {"document", "document_title"} == set(MEANINGS)
    assert len(SHAPES) == len(KINDS)


def test_the_codes_of_imports_are_codes_of_the_book() -> None:
    """A problem by row carries the same stable code as one of a single event."""
    assert {Code(one[2]) for one in read(table(row(f"{H100},,S 1"), row("x,,")))}
