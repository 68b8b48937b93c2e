"""What is on its way and does not arrive, and what arrives otherwise than it was sent."""

from msgspec.structs import replace

from chipledger_book.events import LedgerRecord, Received, Role, Statement, Strength, event_id
from chipledger_book.movements import ReceiptDifference, ShipmentDeclared, Shipped
from chipledger_book.report import Sides
from chipledger_book.statements import Role as Speaker
from chipledger_book.terms import Severity
from chipledger_book.timers import Timer
from chipledger_book.watch import FactKind, Owner, WaitKind
from chipledger_testing.book import H100, PAPER, ms, received
from chipledger_testing.movements import arriving, confirmed, leaving, named, of
from chipledger_testing.watching import Story, days, limit_ms, stays

SENT = ms(2026, 4)
SHIPMENT = ShipmentDeclared(
    occurred_at_ms=SENT, site="johor", lines=of(8), shipper="vendor-x", shipment="AWB 1"
)
DUE = SENT + limit_ms(Timer.RECEIPT, SENT)


def arrives(number: int, at: int) -> Received:
    """Return the receipt of some chips of the shipment."""
    return replace(received(number, at=at), answers=event_id(SHIPMENT))


def test_a_shipment_that_nobody_receives_is_late_after_its_time() -> None:
    """The consignee has to act; nothing is said before."""
    story = Story(events=(SHIPMENT,))

    assert story.facts(FactKind.IN_TRANSIT_LATE, DUE) == ()
    fact = story.fact(FactKind.IN_TRANSIT_LATE, DUE + 1)
    assert (fact.pieces, fact.since_ms, fact.severity) == (8, SENT, Severity.MEDIUM)
    assert fact.owner == Owner(role=Speaker.CONSIGNEE, party="acme")


def test_what_arrived_in_part_is_late_for_the_rest() -> None:
    """Six of eight arrived in time: two are late."""
    story = Story(events=(SHIPMENT, arrives(6, DUE)))

    assert story.fact(FactKind.IN_TRANSIT_LATE, DUE + 1).pieces == 2


def test_a_shipment_received_late_leaves_a_wait_that_was_late_and_no_fact() -> None:
    """The fact goes away; the list still says how late it was."""
    story = Story(events=(SHIPMENT, arrives(8, DUE + days(3))))

    assert story.facts(FactKind.IN_TRANSIT_LATE, DUE + days(3)) == ()
    wait = story.wait(WaitKind.RECEIPT, DUE + days(4))
    assert (wait.done_ms, wait.due_ms, wait.late(DUE + days(4))) == (DUE + days(3), DUE, True)


def test_a_shipment_that_is_confirmed_and_not_booked_is_late_all_the_same() -> None:
    """Who receives chips and says so books them: a word alone would keep them off every book."""
    story = Story(events=(SHIPMENT, confirmed(SHIPMENT, Role.CONSIGNEE, "acme")))

    assert story.fact(FactKind.IN_TRANSIT_LATE, DUE + 1).pieces == 8


def test_a_transfer_that_is_confirmed_and_not_booked_is_late_all_the_same() -> None:
    """Else one operator of two sites takes chips off one book and puts them on none."""
    out = leaving(2, at=SENT)
    story = Story(events=(received(4), out, confirmed(out, Role.CONSIGNEE, "acme")))

    fact = story.fact(FactKind.TRANSFER_LATE, SENT + limit_ms(Timer.TRANSFER, SENT) + 1)
    assert (fact.pieces, fact.severity) == (2, Severity.MEDIUM)
    (side,) = story.measure(ms(2026, 7)).reports["johor"].one_sided
    assert (side.sides, side.left) == (Sides.OPEN, {H100: 2})
    paper = confirmed(out, Role.CONSIGNEE, "acme", document=PAPER)
    accepted = Story(events=(received(4), out, paper))
    assert FactKind.TRANSFER_LATE not in accepted.kinds(ms(2026, 7))


def test_a_transfer_that_does_not_arrive_is_late_for_who_should_receive_it() -> None:
    """Fourteen days from one site to the other."""
    out = leaving(2, at=SENT)
    due = SENT + limit_ms(Timer.TRANSFER, SENT)
    story = Story(events=(received(4), out))

    assert story.facts(FactKind.TRANSFER_LATE, due) == ()
    fact = story.fact(FactKind.TRANSFER_LATE, due + 1)
    assert (fact.pieces, fact.detail["to"]) == (2, "penang")


def test_a_transfer_that_arrives_is_not_late() -> None:
    """Both sides stand: nothing waits."""
    out = leaving(2, at=SENT)
    story = Story(
        events=(received(4), out, arriving(out, 2, at=SENT + days(3))),
    )

    assert FactKind.TRANSFER_LATE not in story.kinds(ms(2026, 12))
    assert story.wait(WaitKind.TRANSFER, ms(2026, 12)).done_ms == SENT + days(3)


def test_an_export_that_nobody_confirms_is_said() -> None:
    """Chips sent out of the ledger need the word of whom they went to."""
    out = Shipped(occurred_at_ms=SENT, site="johor", lines=of(8), consignee="buyer", country="SG")
    due = SENT + limit_ms(Timer.EXPORT, SENT)
    story = Story(events=(received(8), out))

    assert story.facts(FactKind.EXPORT_UNCONFIRMED, due) == ()
    assert story.fact(FactKind.EXPORT_UNCONFIRMED, due + 1).owner.party == "buyer"
    said = Story(events=(received(8), out, confirmed(out, Role.CONSIGNEE, "buyer")))
    assert FactKind.EXPORT_UNCONFIRMED not in said.kinds(due + 1)


def test_many_small_exports_weigh_what_a_large_one_does() -> None:
    """Six H100 are below the step, whoever writes the papers; twenty times six are not."""
    out = Shipped(occurred_at_ms=SENT, site="johor", lines=of(6), consignee="buyer", country="SG")
    at_ms = SENT + limit_ms(Timer.EXPORT, SENT) + 1
    one = Story(events=(received(120), out))
    sliced = [replace(out, shipment=f"part {number}") for number in range(20)]

    assert one.fact(FactKind.EXPORT_UNCONFIRMED, at_ms).severity is Severity.MEDIUM
    facts = Story(events=(received(120), *sliced)).facts(FactKind.EXPORT_UNCONFIRMED, at_ms)
    assert [fact.severity for fact in facts] == [Severity.HIGH] * 20


def short(missing: int = 2, at: int = ms(2026, 4, 10)) -> ReceiptDifference:
    """Return a difference: some of the shipment are missing."""
    return ReceiptDifference(
        occurred_at_ms=at, site="johor", answers=event_id(SHIPMENT), missing=of(missing)
    )


def test_a_difference_is_late_after_three_business_days() -> None:
    """Friday the tenth: Monday, Tuesday, Wednesday."""
    friday = ms(2026, 4, 10)
    story = Story(events=(SHIPMENT, arrives(6, friday), short()))
    due = ms(2026, 4, 15)

    assert story.facts(FactKind.RECEIPT_DIFFERENCE, due) == ()
    fact = story.fact(FactKind.RECEIPT_DIFFERENCE, due + 1)
    assert (fact.pieces, fact.owner.party) == (2, "vendor-x")
    assert fact.severity is Severity.MEDIUM


def test_what_a_difference_names_as_missing_is_not_late_in_transit_as_well() -> None:
    """One hole is one finding."""
    story = Story(events=(SHIPMENT, arrives(6, ms(2026, 4, 10)), short()))

    assert FactKind.IN_TRANSIT_LATE not in story.kinds(DUE + 1)


def test_a_difference_is_settled_by_what_arrives_or_by_the_sender() -> None:
    """The missing two come, or the shipper stands behind the difference."""
    first = arrives(6, ms(2026, 4, 10))
    came = Story(events=(SHIPMENT, first, short(), arrives(2, ms(2026, 4, 20))))
    word = Statement(
        role=Role.SHIPPER,
        strength=Strength.PARTY_KEY,
        principal="key",
        stated_at_ms=ms(2026, 4, 20),
        party="vendor-x",
    )
    agreed = Story(
        events=(SHIPMENT, first),
        records=(LedgerRecord(event=short(), recorded_at_ms=ms(2026, 4, 10), statements=(word,)),),
    )

    for story in (came, agreed):
        assert story.facts(FactKind.RECEIPT_DIFFERENCE, ms(2026, 4, 19))
        assert story.facts(FactKind.RECEIPT_DIFFERENCE, ms(2026, 4, 20)) == ()
        wait = story.wait(WaitKind.DIFFERENCE, ms(2026, 5))
        assert wait.done_ms == ms(2026, 4, 20)


def test_more_received_than_shipped_is_said_at_once() -> None:
    """Eight were sent and nine answer the shipment: one is too many."""
    story = Story(events=(SHIPMENT, arrives(6, SENT), arrives(3, SENT + 1)))

    assert story.facts(FactKind.RECEIVED_MORE_THAN_SHIPPED, SENT) == ()
    assert story.fact(FactKind.RECEIVED_MORE_THAN_SHIPPED, SENT + 1).pieces == 1


def test_a_serial_on_two_books_is_said_whatever_the_sites() -> None:
    """The same chip received at Johor and, never having left, at Penang."""
    first, second = received(*named(1, 2)), received(*named(2, 3), site="penang", at=SENT)
    story = Story(events=(first, second))

    assert story.facts(FactKind.SERIAL_RECEIVED_TWICE, SENT - 1) == ()
    fact = story.fact(FactKind.SERIAL_RECEIVED_TWICE, SENT)
    assert fact.pieces == 1
    assert fact.events == tuple(sorted((event_id(first), event_id(second))))


def test_a_chip_that_was_transferred_is_on_one_book() -> None:
    """Its name stands in two arrivals, and that is as it should be."""
    out = replace(leaving(1, at=SENT), lines=named(2))
    back = replace(arriving(out, 1, at=SENT + days(2)), lines=named(2))
    story = Story(
        events=(received(*named(1, 2)), out, back),
        history=stays((1,), ms(2026, 3)),
    )

    assert story.facts(FactKind.SERIAL_RECEIVED_TWICE, SENT + days(20)) == ()
