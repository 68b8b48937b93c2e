"""TPP used, left and beyond: no allowance lends its room to what may not draw on it."""

from datetime import date

import msgspec
import pytest

from chipledger_book.balance import Question, reconcile_all
from chipledger_book.catalogue import ObservedModel
from chipledger_book.events import Event, LicenceGranted
from chipledger_book.licences import LicenceType
from chipledger_book.report import Authorisation, SiteReport
from chipledger_testing.book import (
    NOW,
    TABLES,
    book_of,
    chips,
    declared,
    licence,
    lpp,
    ms,
    party,
    pieces,
    received,
    report,
    site_of,
)

H100_TPP = 15_832
LPP_LIMIT = 26_900_000
ARRIVAL = ms(2026, 3)


def sisters(*events: Event, at: int = NOW) -> dict[str, SiteReport]:
    """Return the reports of two sites of one parent; the LPP claim names only the first."""
    claim = licence("LPP-1", kind=LicenceType.LPP, sites=("johor",))
    sites = (declared(site_of("johor")), declared(site_of("penang")))
    found = reconcile_all(book_of(*sites, claim, *events), [], TABLES, Question(as_of_ms=at))
    return {one.site: one for one in found.reports}


def test_a_fresh_ceiling_lends_no_room_to_a_licence_line_that_is_full() -> None:
    """Sixteen charged to a licence for twelve: four are beyond, whatever the year allows."""
    found = sisters(licence("D-1", pieces(12), sites=("johor",)), received(16, charged_to="D-1"))
    johor = found["johor"]

    assert johor.authorisation is Authorisation.EXCEEDED
    assert (johor.tpp.beyond, johor.tpp.left) == (4 * H100_TPP, None)
    assert [one.charged_to for one in johor.uncovered] == [("BIS", "D-1")]
    assert johor.ceilings[0].left_tpp == LPP_LIMIT


def test_a_claim_that_does_not_name_the_site_gives_it_nothing() -> None:
    """The parent's ceiling is listed, and is not open to a site that the claim leaves out."""
    found = sisters(received(1, at=ARRIVAL))

    assert [use.open for use in found["johor"].ceilings] == [True]
    assert found["johor"].tpp.left == LPP_LIMIT - H100_TPP
    assert [use.open for use in found["penang"].ceilings] == [False]
    tpp = found["penang"].tpp
    assert (tpp.used, tpp.left, tpp.beyond) == (0, 0, 0)


def test_the_excess_of_a_shared_ceiling_is_beyond_at_every_site_that_used_it() -> None:
    """And at none that did not."""
    claim = licence("LPP-2", kind=LicenceType.LPP, sites=("johor", "penang"))
    over = (received(1699, at=ARRIVAL), received(1, site="penang", at=ARRIVAL))

    for one in sisters(claim, *over).values():
        assert (one.tpp.beyond, one.tpp.left) == (14_400, None)
    idle = sisters(claim, received(1700, at=ARRIVAL))["penang"]
    assert (idle.authorisation, idle.tpp.beyond) == (Authorisation.WITHIN, 0)
    assert idle.tpp.left == 0


def test_an_earlier_year_is_closed() -> None:
    """It stays listed, and neither its room nor its excess moves into this year."""
    found = sisters(received(1700, at=ms(2025, 3)))["johor"]

    assert [(use.window, use.open, use.left_tpp) for use in found.ceilings] == [
        ("2025", False, -14_400),
        ("2026", True, LPP_LIMIT),
    ]
    assert (found.tpp.used, found.tpp.left) == (0, LPP_LIMIT)


def test_an_ended_licence_is_closed_and_full() -> None:
    """It covers what arrived in time and has no room for more."""
    ended = licence("D-1", pieces(8), days=(date(2025, 1, 1), date(2025, 12, 31)))
    found = report(book_of(declared(), ended, received(4, at=ms(2025, 6))))

    assert [one.open for one in found.licences] == [False]
    assert (found.tpp.used, found.tpp.left) == (4 * H100_TPP, 0)


def test_used_and_left_are_in_tpp() -> None:
    """Ten chips allowed, four received."""
    tpp = report(book_of(declared(), licence("D-1", pieces(10)), received(4))).tpp

    assert (tpp.counted, tpp.used, tpp.left, tpp.beyond) == (63_328, 63_328, 94_992, 0)


@pytest.mark.parametrize(
    "grant",
    [licence("A-1", kind=LicenceType.AIA), licence("D-1", pieces(10, None))],
    ids=["claimed-without-limit", "pieces-of-any-model"],
)
def test_a_limit_that_is_not_in_tpp_leaves_none_to_print(grant: LicenceGranted) -> None:
    """No number is invented where the paper gives none."""
    found = report(book_of(declared(), grant, received(4)))

    assert found.authorisation is Authorisation.WITHIN
    assert found.tpp.left is None


def test_chips_of_unknown_tpp_leave_no_room_to_state() -> None:
    """What they use up is not known."""
    odd = ObservedModel(device="ffff10de")
    found = report(book_of(declared(), lpp()), chips(range(1), sku=None, model=odd))

    assert (found.authorisation, found.tpp.left) == (Authorisation.UNKNOWN_MODEL, None)


def test_where_no_licence_is_needed_nothing_is_beyond() -> None:
    """And no room is stated, for none is counted."""
    home = declared(site_of(country="US", owner=party(headquarters="US")))
    found = report(book_of(home, received(8)))

    assert found.authorisation is Authorisation.NOT_REQUIRED
    assert (found.tpp.counted, found.tpp.beyond, found.tpp.left) == (8 * H100_TPP, 0, None)


def test_the_ceiling_of_a_former_parent_is_not_open() -> None:
    """What was used of it stays used."""
    owners = (party("alpha"), party("beta"))
    sites = [msgspec.structs.replace(site_of(), ultimate_parent=owner) for owner in owners]
    found = report(
        book_of(
            declared(sites[0]), lpp(), received(8, at=ms(2026, 2)), declared(sites[1], at=ARRIVAL)
        )
    )

    assert {use.subject: use.open for use in found.ceilings} == {"alpha": False, "beta": True}
    assert (found.tpp.used, found.tpp.left) == (8 * H100_TPP, LPP_LIMIT)
