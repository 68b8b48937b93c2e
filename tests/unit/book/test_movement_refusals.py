"""What may not be said of chips that move."""

from datetime import date

import pytest
from msgspec.structs import replace

from chipledger_book.admission import problems
from chipledger_book.errors import Code
from chipledger_book.events import (
    ByBoard,
    Correction,
    Event,
    Received,
    Role,
    event_id,
)
from chipledger_book.movements import (
    Decommissioned,
    ExternalRecord,
    LostOrStolen,
    MaintenanceWindow,
    PhysicalInventory,
    ReceiptDifference,
    Shipped,
    SignedOff,
    TransferIn,
    TransferOut,
    Unstored,
    Witness,
)
from chipledger_book.sides import statement_problems
from chipledger_testing.book import (
    H200,
    NOW,
    PAPER,
    TABLES,
    book_of,
    received,
)
from chipledger_testing.movements import (
    APRIL,
    BALANCE,
    GONE,
    MAY,
    OUT,
    RMA,
    SEAL,
    SHIPMENT,
    SITES,
    arriving,
    back,
    confirmed,
    destroyed,
    leaving,
    named,
    of,
    said,
    sent_back,
    stored,
)


def codes(event: Event, *before: Event) -> list[Code]:
    """Return what is wrong with an event after others were booked."""
    book = book_of(*SITES, *before)
    return [problem.code for problem in problems(event, book, TABLES, now_ms=NOW)]


@pytest.mark.parametrize(
    ("event", "before", "wanted"),
    [
        (GONE, (), Code.NOT_ON_BOOK),
        (GONE, (received(8), destroyed(1)), Code.NOT_ON_BOOK),
        (GONE, (received(8, at=MAY),), Code.NOT_ON_BOOK),
        (destroyed(9), (received(8),), Code.NOT_ON_BOOK),
        (
            Shipped(occurred_at_ms=APRIL, site="johor", lines=of(1), consignee="b", country="ZZ"),
            (received(8),),
            Code.UNKNOWN_COUNTRY,
        ),
        (sent_back(of(1), "C-2"), (received(2), RMA), Code.NOT_ON_BOOK),
        (SEAL, (received(9), stored(3)), Code.NOT_ON_BOOK),
        (
            TransferOut(occurred_at_ms=APRIL, site="johor", to_site="johor", lines=of(1)),
            (received(1),),
            Code.TRANSFER_TO_ITSELF,
        ),
        (
            TransferOut(occurred_at_ms=APRIL, site="johor", to_site="atlantis", lines=of(1)),
            (received(1),),
            Code.UNKNOWN_SITE,
        ),
        (arriving(OUT), (received(8),), Code.TRANSFER_WITHOUT_COUNTERPART),
        (arriving(OUT, 9), (received(8), OUT), Code.MORE_RECEIVED_THAN_SHIPPED),
        (arriving(OUT, 8), (received(8), OUT, arriving(OUT, 1)), Code.MORE_RECEIVED_THAN_SHIPPED),
        (arriving(OUT, at=APRIL - 1), (received(8), OUT), Code.ANSWER_BEFORE_EVENT),
        (back(RMA, of(3)), (received(8), RMA), Code.MORE_RECEIVED_THAN_SHIPPED),
        (back(RMA), (received(8),), Code.ANSWER_DOES_NOT_FIT),
        (confirmed(RMA, Role.SHIPPER), (received(8), RMA), Code.ANSWER_DOES_NOT_FIT),
        (confirmed(RMA, party="somebody"), (received(8), RMA), Code.ANSWER_DOES_NOT_FIT),
        (confirmed(RMA), (received(8),), Code.ANSWER_DOES_NOT_FIT),
        (confirmed(OUT, Role.CONSIGNEE, "buyer"), (received(8), OUT), Code.ANSWER_DOES_NOT_FIT),
        (confirmed(SHIPMENT, Role.CONSIGNEE, "buyer"), (SHIPMENT,), Code.ANSWER_DOES_NOT_FIT),
        (
            confirmed(replace(GONE, consignee="acme"), Role.CONSIGNEE, "acme"),
            (received(8), replace(GONE, consignee="acme")),
            Code.STATEMENT_CONTRADICTS,
        ),
        (
            confirmed(replace(RMA, vendor="acme"), party="acme"),
            (received(8), replace(RMA, vendor="acme")),
            Code.STATEMENT_CONTRADICTS,
        ),
        (destroyed(party="acme"), (received(8),), Code.WITNESS_NOT_INDEPENDENT),
        (
            Decommissioned(
                occurred_at_ms=APRIL,
                site="johor",
                lines=of(1),
                witness=Witness(name="W", party="recycler"),
            ),
            (received(8),),
            Code.DOCUMENT_MISSING,
        ),
        (
            ReceiptDifference(occurred_at_ms=MAY, site="johor", answers=event_id(SHIPMENT)),
            (SHIPMENT,),
            Code.DIFFERENCE_EMPTY,
        ),
        (
            ReceiptDifference(
                occurred_at_ms=MAY, site="johor", answers=event_id(SHIPMENT), missing=of(1)
            ),
            (),
            Code.ANSWER_DOES_NOT_FIT,
        ),
        (
            Unstored(occurred_at_ms=MAY, site="johor", answers=event_id(SEAL), seal_found="intact"),
            (),
            Code.ANSWER_DOES_NOT_FIT,
        ),
        (
            MaintenanceWindow(
                occurred_at_ms=MAY,
                site="johor",
                hosts=("h-1",),
                from_ms=MAY,
                until_ms=MAY + 73 * 3_600_000,
                ticket="T-1",
            ),
            (),
            Code.WINDOW_WRONG,
        ),
        (
            SignedOff(
                occurred_at_ms=NOW,
                site="johor",
                first_day=date(2026, 6, 1),
                last_day=date(2026, 6, 30),
                role="operator",
                balance=BALANCE,
            ),
            (),
            Code.PERIOD_WRONG,
        ),
        (
            SignedOff(
                occurred_at_ms=NOW,
                site="johor",
                first_day=date(2026, 4, 1),
                last_day=date(2026, 4, 30),
                role="auditor",
                balance=BALANCE,
            ),
            (),
            Code.SIGN_OFF_OUT_OF_ORDER,
        ),
        (
            PhysicalInventory(
                occurred_at_ms=MAY,
                site="johor",
                inspector="A. Uditor",
                method="sample",
                found=(ByBoard(sku="NO-SUCH", serials=("1",)),),
            ),
            (),
            Code.UNKNOWN_SKU,
        ),
        (
            ExternalRecord(
                occurred_at_ms=MAY, source="customs", feed="my", reference="1", lines=of(0)
            ),
            (),
            Code.QUANTITY_NOT_POSITIVE,
        ),
        (
            LostOrStolen(occurred_at_ms=MAY, site="johor", lines=of(1), how="lost"),
            (),
            Code.NOT_ON_BOOK,
        ),
    ],
)
def test_what_contradicts_the_book_is_refused(
    event: Event, before: tuple[Event, ...], wanted: Code
) -> None:
    """With the one code that says why."""
    assert codes(event, *before) == [wanted]


def test_more_than_was_declared_is_booked_and_fits_no_other_shipment() -> None:
    """What is there is on the book; that it is more than was sent is a finding, not a refusal."""

    def delivery(number: int) -> Received:
        return Received(
            occurred_at_ms=MAY, site="johor", lines=of(number), answers=event_id(SHIPMENT)
        )

    assert codes(delivery(8), SHIPMENT) == []
    assert codes(delivery(9), SHIPMENT) == []
    assert codes(delivery(8)) == [Code.ANSWER_DOES_NOT_FIT]
    other = Received(
        occurred_at_ms=MAY, site="johor", lines=of(1, H200), answers=event_id(SHIPMENT)
    )
    assert codes(other, SHIPMENT) == []


def test_a_name_that_left_may_arrive_elsewhere_but_not_while_it_is_there() -> None:
    """One chip is on one book."""
    out = TransferOut(occurred_at_ms=APRIL, site="johor", to_site="penang", lines=named(1))
    arrival = TransferIn(
        occurred_at_ms=MAY,
        site="penang",
        from_site="johor",
        lines=named(1),
        answers=event_id(out),
    )
    again = received(*named(1), site="penang", at=MAY)

    assert codes(again, received(*named(1))) == [Code.SERIAL_ALREADY_RECEIVED] * 2
    assert codes(arrival, received(*named(1)), out) == []
    assert codes(again, received(*named(1)), out, arrival) == [Code.SERIAL_ALREADY_RECEIVED] * 2


def test_a_seal_is_taken_off_once() -> None:
    """A second time means that one of the two is wrong."""
    off = Unstored(occurred_at_ms=MAY, site="johor", answers=event_id(SEAL), seal_found="intact")
    again = Unstored(occurred_at_ms=MAY, site="johor", answers=event_id(SEAL), seal_found="broken")

    assert codes(again, received(8), SEAL, off) == [Code.ALREADY_ANSWERED]


def test_an_answered_event_is_not_corrected_before_its_answer() -> None:
    """Else a transfer would arrive that never left."""
    out = leaving(2)
    undo = Correction(occurred_at_ms=NOW, corrects=event_id(out), reason="typing error")
    undo_in = Correction(
        occurred_at_ms=NOW, corrects=event_id(arriving(out)), reason="typing error"
    )

    assert codes(undo, received(8), out, arriving(out)) == [Code.EVENT_ANSWERED]
    assert codes(undo, received(8), out, arriving(out), undo_in) == []


def test_events_need_somebody_and_some_a_certain_role() -> None:
    """A vendor's side is the vendor's to say, or an auditor's who accepted its paper."""
    word, paper = confirmed(RMA), confirmed(RMA, document=PAPER)

    def wrong(event: Event, *roles: Role) -> list[Code]:
        return [one.code for one in statement_problems(event, [said(role) for role in roles])]

    assert wrong(RMA) == [Code.STATEMENT_MISSING]
    assert wrong(RMA, Role.OPERATOR) == []
    assert wrong(word, Role.OPERATOR) == [Code.STATEMENT_BY_WRONG_ROLE]
    assert wrong(word, Role.VENDOR) == []
    assert wrong(paper, Role.VENDOR) == [Code.STATEMENT_BY_WRONG_ROLE]
    assert wrong(paper, Role.AUDITOR) == []
    assert wrong(received(1)) == []
