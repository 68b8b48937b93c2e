"""Chips that move: what the balance says."""

from datetime import date

import pytest

from chipledger_book.events import (
    ByUnit,
    Correction,
    LedgerRecord,
    Role,
    Strength,
    event_id,
)
from chipledger_book.ledger import Book, fold
from chipledger_book.licences import LicenceType
from chipledger_book.movements import (
    LostOrStolen,
    Shipped,
    Unstored,
)
from chipledger_book.report import Authorisation, Physical, Sides
from chipledger_book.sides import strongest
from chipledger_testing.book import (
    H100,
    NOW,
    PAPER,
    TABLES,
    book_of,
    chips,
    declared,
    licence,
    lpp,
    party,
    pieces,
    received,
    report,
    row,
    site_of,
)
from chipledger_testing.movements import (
    ALLOWED,
    APRIL,
    GONE,
    MAY,
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


def books(book: Book, at: int = NOW) -> tuple[int, int]:
    """Return the H100 on the books of both sites."""
    return tuple(  # type: ignore[return-value]
        sum(one.book for one in report(book, site=site, at=at).rows) for site in ("johor", "penang")
    )


def test_a_transfer_leaves_one_book_and_enters_the_other() -> None:
    """Between the two it is on neither, and open one-sided at the site it left."""
    out = leaving(2)
    book = book_of(*SITES, ALLOWED, received(8), out, arriving(out, 2))

    assert books(book, at=APRIL - 1) == (8, 0)
    assert books(book, at=APRIL) == (6, 0)
    assert books(book, at=MAY) == (6, 2)
    [open_one] = report(book, at=APRIL).one_sided
    assert (open_one.type, open_one.other, open_one.left) == ("transfer-out", "penang", {H100: 2})
    assert open_one.sides is Sides.OPEN
    assert report(book, at=MAY).one_sided == ()


def test_a_transfer_that_arrives_in_part_stays_open_for_the_rest() -> None:
    """Two arrivals may answer one transfer."""
    out = leaving(5)
    book = book_of(*SITES, received(8), out, arriving(out, 2))

    assert [one.left for one in report(book).one_sided] == [{H100: 3}]
    book.add(LedgerRecord(event=arriving(out, 3), recorded_at_ms=NOW))
    assert report(book).one_sided == ()


def test_a_transfer_within_one_licence_uses_no_more_of_it() -> None:
    """The licence covered both sites, and the chips were counted when they were received."""
    out = leaving(2)
    book = book_of(*SITES, licence("D-1", pieces(8)), received(8), out, arriving(out, 2))

    for site in ("johor", "penang"):
        assert report(book, site=site).authorisation is Authorisation.WITHIN
        assert report(book, site=site).licences[0].lines[0].used == 8


def test_a_transfer_to_a_site_without_a_licence_is_not_authorised() -> None:
    """What was allowed at one site is not allowed at every other."""
    out = leaving(2)
    granted = licence("D-1", pieces(8), sites=("johor",))
    book = book_of(*SITES, granted, received(8), out, arriving(out, 2))

    assert report(book).authorisation is Authorisation.WITHIN
    assert report(book, site="penang").authorisation is Authorisation.NOT_AUTHORISED


@pytest.mark.parametrize(
    ("owner", "used"), [("acme", {"acme": 8}), ("newco", {"acme": 8, "newco": 2})]
)
def test_a_ceiling_counts_a_transfer_once_for_each_parent(owner: str, used: dict[str, int]) -> None:
    """Within a parent the chips were received once; another parent receives them anew."""
    out = leaving(2)
    penang = declared(site_of("penang", owner=party(owner)))
    book = book_of(
        declared(),
        penang,
        lpp(),
        licence("LPP-2", kind=LicenceType.LPP, consignee="newco"),
        received(8),
        out,
        arriving(out, 2),
    )
    each = TABLES.catalogue.sku(H100, date(2026, 6, 1)).tpp
    found = {
        use.subject: use.used_tpp // each
        for site in ("johor", "penang")
        for use in report(book, site=site).ceilings
    }

    assert found == used


def test_moving_out_gives_no_room_back() -> None:
    """Chips that left before an audit were received all the same."""
    gone = Shipped(occurred_at_ms=APRIL, site="johor", lines=of(8), consignee="buyer", country="SG")
    later = received(8, at=MAY, shipment="again")
    book = book_of(*SITES, licence("D-1", pieces(8)), received(8), gone, later)

    assert row(report(book)).book == 8
    assert report(book).authorisation is Authorisation.EXCEEDED


def test_a_shipment_is_one_sided_until_its_consignee_speaks() -> None:
    """A party closes it; an accepted document stands in its place and is called so."""
    gone = Shipped(occurred_at_ms=APRIL, site="johor", lines=of(8), consignee="buyer", country="SG")
    paper = confirmed(gone, Role.CONSIGNEE, "buyer", document=PAPER)
    word = confirmed(gone, Role.CONSIGNEE, "buyer")
    before = (*SITES, received(8), gone)

    assert [one.sides for one in report(book_of(*before)).one_sided] == [Sides.OPEN]
    assert [one.sides for one in report(book_of(*before, paper)).one_sided] == [Sides.DOCUMENT]
    assert report(book_of(*before, word)).one_sided == ()
    assert row(report(book_of(*before))).shipped == 8


def test_an_rma_leaves_the_book_when_the_vendor_says_so() -> None:
    """Until then the chip is booked here, and unaccounted for when it is not seen."""
    out = sent_back()
    opened = book_of(*SITES, received(8), out)
    closed = book_of(*SITES, received(8), out, confirmed(out))

    assert row(report(opened, chips(range(7)))).unaccounted == 1
    assert [one.sides for one in report(opened).one_sided] == [Sides.OPEN]
    line = row(report(closed, chips(range(7))))
    assert (line.book, line.rma_out, line.unaccounted) == (7, 1, 0)
    assert row(report(closed, at=MAY - 1)).book == 8


@pytest.mark.parametrize(("vendor", "used"), [(True, 8), (False, 9)])
def test_an_rma_swap_is_netted_only_with_the_vendors_side(vendor: bool, used: int) -> None:  # noqa: FBT001
    """Without it, what came in is one chip more that must be allowed."""
    out = sent_back()
    sides = (confirmed(out),) if vendor else ()
    book = book_of(*SITES, ALLOWED, received(8), out, back(out), *sides)

    assert report(book).licences[0].lines[0].used == used
    assert row(report(book)).book == used
    assert row(report(book)).rma_in == 1


def test_a_repaired_chip_may_come_back_by_its_name() -> None:
    """It left under the RMA that it comes back for."""
    lines = named(1, 2)
    out = sent_back(named(1))
    book = book_of(*SITES, received(*lines), out, confirmed(out), back(out, named(1)))

    line = row(report(book, chips((1, 2))))
    assert (line.book, line.matched_by_identity, line.unaccounted) == (2, 2, 0)


def test_disposed_chips_leave_the_book_and_lost_ones_stay() -> None:
    """Who lost a chip still has to account for it."""
    lost = LostOrStolen(occurred_at_ms=APRIL, site="johor", lines=of(2), how="stolen")
    line = row(report(book_of(*SITES, received(8), destroyed(1), lost), chips(range(5))))

    assert (line.book, line.disposed, line.unaccounted) == (7, 1, 2)
    assert line.verdict is Physical.UNACCOUNTED


def test_what_is_stored_is_a_column_until_it_is_seen_or_unsealed() -> None:
    """A seal explains that a chip is not seen, and nothing else."""
    seal = stored(3)
    off = Unstored(occurred_at_ms=MAY, site="johor", answers=event_id(seal), seal_found="intact")
    sealed = book_of(*SITES, received(8), seal)

    line = row(report(sealed, chips(range(5))))
    assert (line.stored, line.unaccounted, line.verdict) == (3, 0, Physical.UNRESOLVED)
    assert row(report(sealed, chips(range(7)))).stored == 1
    assert row(report(sealed)).stored == 3
    assert row(report(sealed)).unaccounted == 5
    assert row(report(book_of(*SITES, received(8), seal, off))).stored == 0


def test_what_only_a_seal_explains_does_not_agree() -> None:
    """Whoever wants chips not to be looked for could seal them on paper."""
    found = report(book_of(*SITES, received(3), stored(3)))

    assert row(found).verdict is found.physical is Physical.UNRESOLVED


def test_a_named_chip_takes_itself_out_of_the_book() -> None:
    """The one that left is no hole, and the one that stayed is matched by its name."""
    gone = Shipped(
        occurred_at_ms=APRIL, site="johor", lines=named(2), consignee="buyer", country="SG"
    )
    book = book_of(*SITES, received(*named(1, 2)), gone)

    assert row(report(book, chips((1,)))).verdict is Physical.AGREES
    assert row(report(book, chips((2,)))).verdict is Physical.BOTH


def test_what_left_by_number_was_none_that_is_still_seen() -> None:
    """A paper that names no chip does not make a hole of the wrong one."""
    book = book_of(*SITES, received(*named(1, 2, 3)), GONE_TWO)

    for stays in (1, 2, 3):
        assert row(report(book, chips((stays,)))).verdict is Physical.AGREES
    line = row(report(book, chips((1, 2, 3))))
    assert (line.book, line.overage, line.unaccounted) == (1, 2, 0)


GONE_TWO = Shipped(occurred_at_ms=APRIL, site="johor", lines=of(2), consignee="buyer", country="SG")


def test_a_chip_out_of_a_server_is_taken_by_number() -> None:
    """The book knows the server only; the chip is one of its eight."""
    server = ByUnit(model="HGX-H100-8", serials=("SRV-1",))
    gone = Shipped(
        occurred_at_ms=APRIL, site="johor", lines=named(2), consignee="buyer", country="SG"
    )

    assert row(report(book_of(*SITES, received(server), gone))).book == 7


def test_opening_is_the_book_at_the_end_of_the_period_before() -> None:
    """Whatever came in between."""
    out = sent_back()
    book = book_of(
        *SITES, received(8), out, back(out), confirmed(out), destroyed(), received(1, at=MAY)
    )
    from chipledger_book.balance import Question, reconcile  # noqa: PLC0415

    for start in (APRIL, MAY, MAY + 1):
        question = Question(as_of_ms=NOW, period_start_ms=start)
        later = row(reconcile(book, (), TABLES, question, site="johor"))
        assert later.opening == row(report(book, at=start - 1)).book


def test_chips_that_leave_twice_on_paper_are_overdrawn_and_nothing_is_clipped() -> None:
    """A receipt may be corrected after its chips were shipped."""
    wrong = received(8)
    gone = Shipped(occurred_at_ms=APRIL, site="johor", lines=of(8), consignee="buyer", country="SG")
    undo = Correction(occurred_at_ms=NOW, corrects=event_id(wrong), reason="typing error")
    line = row(report(book_of(*SITES, wrong, gone, undo)))

    assert (line.book, line.overdrawn, line.verdict) == (-8, 8, Physical.UNRESOLVED)


def test_a_declared_shipment_is_on_no_book() -> None:
    """It is open at the site it goes to until that has received it."""
    book = book_of(*SITES, SHIPMENT)

    assert report(book).rows == ()
    assert [one.left for one in report(book).one_sided] == [{H100: 8}]


def test_the_strength_of_both_words_stands_in_the_report() -> None:
    """A session entry is never called more than that."""
    gone = GONE
    paper = confirmed(gone, Role.CONSIGNEE, "buyer", document=PAPER)
    strong = (said(Role.OPERATOR), said(Role.OPERATOR, Strength.PARTY_KEY))
    records = [
        *(LedgerRecord(event=one, recorded_at_ms=NOW) for one in (*SITES, received(8))),
        LedgerRecord(event=gone, recorded_at_ms=NOW, statements=strong),
        LedgerRecord(event=paper, recorded_at_ms=NOW, statements=(said(Role.AUDITOR),)),
    ]
    [found] = report(fold(records)).one_sided

    assert (found.strength, found.other_strength) == ("party-key", "session")
    assert strongest(()) is None
