"""Licences are used by the peak of a period: what is gone before an audit was there."""

from datetime import date

from chipledger_book.balance import Question, reconcile
from chipledger_book.events import Event
from chipledger_book.movements import Shipped
from chipledger_book.physical import ChipState, Stay
from chipledger_book.report import Authorisation, Physical, SiteReport
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import (
    H100,
    NOW,
    TABLES,
    book_of,
    chip,
    chips,
    declared,
    licence,
    ms,
    pieces,
    received,
)
from chipledger_testing.movements import of

FEBRUARY, MARCH, APRIL, MAY = (ms(2026, month) for month in (2, 3, 4, 5))
ALLOWED: tuple[Event, ...] = (declared(), licence("D-1", pieces(10)), received(10, at=FEBRUARY))


def stay(number: int, first: int, last: int, *, host: str = "host-0", sku: str = H100) -> Stay:
    """Return an unbroken run of sightings at Johor."""
    return Stay(
        chip_id=f"chip-{number:04d}",
        site="johor",
        host=host,
        from_ms=first,
        until_ms=last,
        grade=Grade.G1,
        sku=sku,
    )


def found(stays: list[Stay], *more: Event, start: int | None = None, seen: int = 10) -> SiteReport:
    """Return the balance of Johor, ten chips being booked and some seen."""
    question = Question(as_of_ms=NOW, period_start_ms=start)
    book = book_of(*ALLOWED, *more)
    return reconcile(book, chips(range(seen)), TABLES, question, site="johor", stays=stays)


def test_chips_beyond_the_book_for_a_month_count_though_they_are_gone() -> None:
    """Two more than allowed were there in April: the audit in June still says so."""
    guests = [stay(number, APRIL, MAY) for number in (50, 51)]
    residents = [stay(number, MARCH, NOW) for number in range(10)]

    report = found([*residents, *guests])

    assert report.physical is Physical.AGREES
    assert report.authorisation is Authorisation.EXCEEDED
    assert [one.pieces for one in report.uncovered] == [2]
    (most,) = report.peaks
    assert (most.pieces, most.seen, most.arrived) == (12, 12, 10)
    assert (most.at_ms, most.last_ms) == (APRIL, MAY)


def test_without_them_the_same_site_is_within() -> None:
    """What was there all the time is no peak of its own."""
    report = found([stay(number, MARCH, NOW) for number in range(10)])

    assert report.authorisation is Authorisation.WITHIN
    assert [(one.pieces, one.at_ms) for one in report.peaks] == [(10, FEBRUARY)]


def test_what_was_there_before_the_period_is_not_of_it() -> None:
    """A period starts with what is there then."""
    guests = [stay(number, APRIL, MAY - 1) for number in (50, 51)]
    guests += [stay(number, MARCH, NOW) for number in range(10)]

    assert found(guests, start=MAY).authorisation is Authorisation.WITHIN
    assert found(guests, start=MAY - 1).authorisation is Authorisation.EXCEEDED


def test_moving_chips_out_before_the_audit_gives_no_room_back() -> None:
    """On paper and seen, the peak stands: eight left, and two guests were there before."""
    gone = Shipped(occurred_at_ms=MAY, site="johor", lines=of(8), consignee="b", country="SG")
    stays = [stay(number, MARCH, MAY - 1) for number in range(12)]

    report = found(stays, gone, seen=2)

    assert report.authorisation is Authorisation.EXCEEDED
    assert [one.pieces for one in report.peaks] == [12]


def test_guests_one_after_the_other_are_one_place() -> None:
    """The peak is what was there at one time, not how many came by."""
    stays = [stay(number, MARCH, NOW) for number in range(9)]
    stays += [stay(50, MARCH, APRIL), stay(51, APRIL + 1, MAY), stay(9, MAY + 1, NOW)]

    assert [one.pieces for one in found(stays).peaks] == [10]


def test_a_chip_on_two_hosts_of_a_site_is_one() -> None:
    """Two stays of one chip that overlap are one span of time."""
    stays = [stay(number, MARCH, NOW) for number in range(10)]
    stays.append(stay(3, APRIL, MAY, host="host-9"))

    assert found(stays).authorisation is Authorisation.WITHIN


def test_a_chip_whose_claim_is_contested_here_makes_no_peak() -> None:
    """It counts where it is not disputed."""
    stays = [stay(50, APRIL, NOW)]
    seen = [*chips(range(10)), chip(50, state=ChipState.DISPUTED)]
    question = Question(as_of_ms=NOW)

    report = reconcile(book_of(*ALLOWED), seen, TABLES, question, site="johor", stays=stays)

    assert report.authorisation is Authorisation.WITHIN


def test_a_peak_needs_a_licence_that_was_valid_then() -> None:
    """Chips beyond the book in April draw on what was valid in April, at the audit in June."""
    guests = [stay(number, APRIL, MAY) for number in (50, 51)]
    residents = [stay(number, MARCH, NOW) for number in range(10)]
    second = licence("D-2", pieces(2), days=(date(2026, 4, 1), date(2026, 5, 1)))

    assert found([*residents, *guests], second).authorisation is Authorisation.WITHIN
