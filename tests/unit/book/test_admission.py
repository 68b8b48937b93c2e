"""What may not enter the book, and what the refusal says."""

from datetime import date

import msgspec
import pytest

from chipledger_book.admission import CLOCK_TOLERANCE_MS, admit, problems
from chipledger_book.errors import BookError, Code
from chipledger_book.events import (
    MAX_PIECES,
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Correction,
    Event,
    LicenceGranted,
    event_id,
)
from chipledger_book.licences import MAX_AMOUNT, LicenceLine, LicenceType, QuantityUnit
from chipledger_testing.book import (
    GB200,
    H100,
    NOW,
    TABLES,
    book_of,
    declared,
    licence,
    lpp,
    ms,
    party,
    pieces,
    received,
    site_of,
    uuid,
)

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def codes(event: Event, *before: Event) -> list[Code]:
    """Return what is wrong with an event after others were booked."""
    book = book_of(*before)
    return [problem.code for problem in problems(event, book, TABLES, now_ms=NOW)]


def chips(*numbers: int, serial: str | None = None) -> ByChip:
    """Return a line of numbered chips."""
    return ByChip(
        sku=H100,
        chips=tuple(
            ChipRef(pdi=f"{number:016x}", uuid=uuid(number), serial=serial) for number in numbers
        ),
    )


def undo(event: Event) -> Correction:
    """Return the correction that takes an event out."""
    return Correction(occurred_at_ms=NOW, corrects=event_id(event), reason="typing error")


@pytest.mark.parametrize("count", [0, -1])
def test_pieces_must_be_positive(count: int) -> None:
    """Nothing is received in zero or negative numbers; that is what corrections are for."""
    assert codes(received(count), declared()) == [Code.QUANTITY_NOT_POSITIVE]


@pytest.mark.parametrize("amount", [0, -5])
def test_licence_amounts_must_be_positive(amount: int) -> None:
    """A licence for nothing is no licence."""
    assert codes(licence("D-1", pieces(amount)), declared()) == [Code.QUANTITY_NOT_POSITIVE]


def test_absurd_quantities_are_refused() -> None:
    """More than a million chips in one line is a slip, and no balance has to bear it."""
    most = LicenceLine(amount=MAX_AMOUNT + 1, unit=QuantityUnit.EQUIVALENTS, reference=H100)

    assert codes(received(MAX_PIECES), declared()) == []
    assert codes(received(MAX_PIECES + 1), declared()) == [Code.QUANTITY_TOO_LARGE]
    assert codes(licence("D-1", pieces(MAX_AMOUNT)), declared()) == []
    assert codes(licence("D-1", pieces(MAX_AMOUNT + 1)), declared()) == [Code.QUANTITY_TOO_LARGE]
    assert codes(licence("D-1", most), declared()) == [Code.QUANTITY_TOO_LARGE]


def test_an_unknown_sku_is_refused() -> None:
    """In receipts, licences and their reference chips."""
    line = LicenceLine(
        amount=1, unit=QuantityUnit.EQUIVALENTS, sku="NO-SUCH", reference="NO-SUCH-EITHER"
    )

    assert codes(received(ByCount(sku="NO-SUCH", pieces=1)), declared()) == [Code.UNKNOWN_SKU]
    assert codes(licence("D-1", line), declared()) == [Code.UNKNOWN_SKU, Code.UNKNOWN_SKU]


def test_an_unknown_unit_model_is_refused() -> None:
    """A rack whose content nobody knows is not guessed."""
    line = ByUnit(model="MYSTERY-RACK", serials=("R1",))

    assert codes(received(line), declared()) == [Code.UNKNOWN_UNIT_MODEL]


def test_an_unknown_site_is_refused() -> None:
    """Receipts, licences and declarations name declared sites."""
    assert codes(received(1, site="atlantis"), declared()) == [Code.UNKNOWN_SITE]
    assert codes(licence("D-1", pieces(1), sites=("atlantis",)), declared()) == [Code.UNKNOWN_SITE]


def test_a_licence_that_ends_before_it_starts_is_refused() -> None:
    """One day is the shortest validity."""
    backwards = licence("D-1", pieces(1), days=(date(2026, 2, 2), date(2026, 2, 1)))
    one_day = licence("D-1", pieces(1), days=(date(2026, 2, 2), date(2026, 2, 2)))

    assert codes(backwards, declared()) == [Code.LICENCE_ENDS_BEFORE_START]
    assert codes(one_day, declared()) == []


def test_the_same_line_twice_for_the_same_days_is_refused() -> None:
    """Within one grant, and between two grants of one number."""
    first = licence("D-1", pieces(8), days=YEAR)
    shared_day = licence("D-1", pieces(9), days=(YEAR[1], date(2027, 6, 1)))
    day_after = licence("D-1", pieces(9), days=(date(2027, 1, 1), date(2027, 6, 1)))
    other_model = licence("D-1", pieces(8, GB200), days=YEAR)

    assert codes(licence("D-1", pieces(8), pieces(9)), declared()) == [Code.LICENCE_OVERLAPS]
    assert codes(shared_day, declared(), first) == [Code.LICENCE_OVERLAPS]
    assert codes(day_after, declared(), first) == []
    assert codes(other_model, declared(), first) == []
    assert codes(lpp(), declared(), licence("LPP-1", kind=LicenceType.LPP, days=YEAR)) == [
        Code.LICENCE_OVERLAPS
    ]


def test_a_corrected_grant_makes_room_for_the_right_one() -> None:
    """Overlap is with what stands, not with what was taken out."""
    wrong = licence("D-1", pieces(8))

    assert codes(licence("D-1", pieces(9)), declared(), wrong, undo(wrong)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        licence("D-1"),
        licence("D-1", pieces(1), kind=LicenceType.LPP),
        licence("D-1", LicenceLine(amount=1, unit=QuantityUnit.EQUIVALENTS)),
        licence("D-1", LicenceLine(amount=1, unit=QuantityUnit.TPP, reference=H100)),
    ],
)
def test_lines_must_fit_the_type_of_licence(wrong: LicenceGranted) -> None:
    """A licence has lines, an LPP claim has none, equivalents have a reference chip."""
    assert codes(wrong, declared()) == [Code.LICENCE_LINES_WRONG]


def test_a_serial_stands_once_in_a_receipt() -> None:
    """Whatever it names: chip, board or server."""
    board = ByBoard(sku=H100, serials=("B1", "B1"))
    unit = ByUnit(model="HGX-H100-8", serials=("S1", "S1"))

    assert codes(received(board), declared()) == [Code.DUPLICATE_SERIAL]
    assert codes(received(unit), declared()) == [Code.DUPLICATE_SERIAL]
    assert codes(received(chips(1), chips(1)), declared()) == [Code.DUPLICATE_SERIAL] * 2


def test_two_chips_may_share_a_board_serial() -> None:
    """A GB200 board carries two."""
    assert codes(received(chips(1, 2, serial="B1")), declared()) == []


def test_a_board_and_a_chip_on_it_are_the_same_thing_twice() -> None:
    """In one receipt and in two."""
    board = ByBoard(sku=H100, serials=("B1",))
    chip = chips(1, serial="B1")

    assert codes(received(board, chip), declared()) == [Code.DUPLICATE_SERIAL]
    assert codes(received(chip), declared(), received(board)) == [Code.SERIAL_ALREADY_RECEIVED]
    assert codes(received(board), declared(), received(chip)) == [Code.SERIAL_ALREADY_RECEIVED]


def test_a_serial_is_received_once_anywhere() -> None:
    """The same chip cannot arrive at two sites; a corrected receipt frees it."""
    other = declared(site_of("penang"))
    first = received(chips(1))
    second = received(chips(1), site="penang")

    assert set(codes(second, declared(), other, first)) == {Code.SERIAL_ALREADY_RECEIVED}
    assert codes(second, declared(), other, first, undo(first)) == []


def test_a_chip_needs_a_name_of_its_own() -> None:
    """A board serial names a board."""
    line = ByChip(sku=H100, chips=(ChipRef(serial="B1"),))

    assert codes(received(line), declared()) == [Code.UNNAMED_CHIP]


def test_a_receipt_is_charged_to_a_licence_that_exists() -> None:
    """A number nobody granted covers nothing."""
    assert codes(received(1, charged_to="D-9"), declared()) == [Code.UNKNOWN_LICENCE]


def test_an_event_of_the_future_is_refused() -> None:
    """Clocks may differ by minutes, not more."""
    just = received(1, at=NOW + CLOCK_TOLERANCE_MS)
    late = received(1, at=NOW + CLOCK_TOLERANCE_MS + 1)

    assert codes(just, declared()) == []
    assert codes(late, declared()) == [Code.EVENT_IN_FUTURE]


def test_a_misspelt_country_is_refused() -> None:
    """UK would silently become the remainder of the world; GB is meant."""
    site = site_of(country="UK", owner=party(headquarters="XX"))

    assert codes(declared(site)) == [Code.UNKNOWN_COUNTRY] * 4


def test_a_site_is_declared_once_at_one_time() -> None:
    """A change has a later time; the same declaration again is no change."""
    moved = declared(site_of(country="AE"))

    assert codes(moved, declared()) == [Code.SITE_CONFLICT]
    assert codes(declared(), declared()) == []
    assert codes(declared(site_of(country="AE"), at=ms(2026)), declared()) == []


def test_corrections_name_an_event_that_stands() -> None:
    """Not an unknown one, not a corrected one, not a correction."""
    wrong = received(8)
    stray = Correction(occurred_at_ms=NOW, corrects="A" * 43, reason="typing error")
    again = msgspec.structs.replace(undo(wrong), reason="and again")

    assert codes(stray, declared()) == [Code.UNKNOWN_EVENT]
    assert codes(again, declared(), wrong, undo(wrong)) == [Code.ALREADY_CORRECTED]
    assert codes(undo(undo(wrong)), declared(), wrong, undo(wrong)) == [
        Code.CORRECTION_OF_CORRECTION
    ]


def test_a_declaration_that_is_out_already_is_no_last_one() -> None:
    """It is the correction that is told twice, not the site that is in use."""
    later = declared(at=ms(2026))
    again = msgspec.structs.replace(undo(declared()), reason="and again")

    before = (declared(), later, received(8), undo(declared()))
    assert codes(again, *before) == [Code.ALREADY_CORRECTED]


def test_a_corrected_event_does_not_come_back_by_entering_it_again() -> None:
    """It has the same id and would count nowhere: nobody must take that for a receipt."""
    wrong = received(8)

    assert codes(wrong, declared(), wrong, undo(wrong)) == [Code.ALREADY_CORRECTED]
    assert codes(received(8, shipment="again"), declared(), wrong, undo(wrong)) == []


def test_the_last_declaration_of_a_used_site_stays() -> None:
    """Chips are never left without a site."""
    later = declared(at=ms(2026))

    assert codes(undo(declared()), declared(), received(8)) == [Code.SITE_IN_USE]
    assert codes(undo(declared()), declared(), later, received(8)) == []
    assert codes(undo(declared()), declared()) == []


def test_an_event_made_in_code_obeys_the_format_too() -> None:
    """Nothing enters the book that could not be read back from it."""
    assert codes(received(1, site="Not A Site"), declared()) == [Code.MALFORMED_EVENT]


def test_everything_wrong_is_said_at_once() -> None:
    """One round of repairs, not many; and each problem says what to do."""
    event = received(0, ByCount(sku="NO-SUCH", pieces=-1), charged_to="D-9", site="atlantis")

    with pytest.raises(BookError) as refused:
        admit(event, book_of(), TABLES, now_ms=NOW)

    assert len(refused.value.problems) == 5
    assert all(problem.hint and problem.detail for problem in refused.value.problems)
    assert "lines[1].sku" in str(refused.value)


def test_a_known_event_may_be_entered_again() -> None:
    """A retry after a lost answer changes nothing and is no error."""
    receipt = received(chips(1))

    assert codes(receipt, declared(), receipt) == []
