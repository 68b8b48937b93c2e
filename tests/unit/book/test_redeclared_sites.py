"""A site that is declared anew: what arrived before keeps the form it arrived under."""

from collections.abc import Iterable

import msgspec
import pytest

from chipledger_book.balance import Question, linked_sites, reconcile_all
from chipledger_book.events import Event
from chipledger_book.ledger import Book
from chipledger_book.licences import LicenceType
from chipledger_book.parties import Party, Site
from chipledger_book.physical import SeenChip
from chipledger_book.report import Authorisation
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
    row,
    site_of,
)

WITHIN, EXCEEDED = Authorisation.WITHIN, Authorisation.EXCEEDED
NOT_AUTHORISED = Authorisation.NOT_AUTHORISED
H100_TPP = 15_832
LPP_LIMIT = 26_900_000
BEFORE, CHANGE, AFTER = ms(2026, 2), ms(2026, 3), ms(2026, 4)
ALPHA, BETA = party("alpha"), party("beta")


def owned(parent: Party, name: str = "johor", *, consignee: Party | None = None) -> Site:
    """Return a site of a parent; the consignee is acme unless another is named."""
    site = site_of(name, owner=consignee)
    return msgspec.structs.replace(site, ultimate_parent=parent)


def claim(number: str, consignee: str) -> Event:
    """Return a certificate for the exception with a number of its own."""
    return licence(number, kind=LicenceType.LPP, consignee=consignee)


def all_alike(book: Book, seen: Iterable[SeenChip] = ()) -> bool:
    """Tell whether each site asked for alone answers as when all are asked for."""
    chips_seen = tuple(seen)
    found = reconcile_all(book, chips_seen, TABLES, Question(as_of_ms=NOW)).reports
    return all(report(book, chips_seen, site=one.site) == one for one in found)


def test_a_new_parent_does_not_free_the_limit_of_the_old_one() -> None:
    """1,699 under alpha, the site passed to beta: one more for alpha, anywhere, is too many."""
    book = book_of(
        declared(owned(ALPHA)),
        declared(owned(ALPHA, "penang")),
        lpp(),
        received(1699, at=BEFORE),
        declared(owned(BETA), at=CHANGE),
        received(1, site="penang", at=AFTER),
    )

    for name in ("johor", "penang"):
        found = report(book, site=name)
        assert found.authorisation is EXCEEDED
        used = {use.subject: (use.used_tpp, use.sites) for use in found.ceilings}
        assert used["alpha"] == (1700 * H100_TPP, ("johor", "penang"))
    assert all_alike(book)


def test_what_arrives_under_the_new_parent_counts_against_the_new_one() -> None:
    """Each parent has its own limit; the receipt decides whose it uses."""
    events = (
        declared(owned(ALPHA)),
        lpp(),
        received(1699, at=BEFORE),
        declared(owned(BETA), at=CHANGE),
    )
    found = report(book_of(*events, received(1699, at=AFTER)))

    assert found.authorisation is WITHIN
    used = {use.subject: use.used_tpp for use in found.ceilings}
    assert used == {"alpha": 1699 * H100_TPP, "beta": 1699 * H100_TPP}
    assert report(book_of(*events, received(1700, at=AFTER))).authorisation is EXCEEDED


def test_a_detour_over_another_parent_frees_nothing() -> None:
    """1,699 and one more in one year, with alpha, beta and alpha again as parents."""
    book = book_of(
        declared(owned(ALPHA)),
        lpp(),
        received(1699, at=BEFORE),
        declared(owned(BETA), at=CHANGE),
        declared(owned(ALPHA), at=CHANGE + 1),
        received(1, at=AFTER),
    )

    assert report(book).authorisation is EXCEEDED


@pytest.mark.parametrize(("more", "verdict"), [(1, EXCEEDED), (None, WITHIN)])
def test_a_renamed_consignee_stays_with_its_parents_limit(
    more: int | None, verdict: Authorisation
) -> None:
    """1,699 under the old name are within, one more under the new name is not."""
    events: list[Event] = [
        declared(owned(ALPHA)),
        claim("LPP-1", "acme"),
        claim("LPP-2", "newco"),
        received(1699, at=BEFORE),
        declared(owned(ALPHA, consignee=party("newco")), at=CHANGE),
    ]
    if more is not None:
        events.append(received(more, at=AFTER))

    assert report(book_of(*events)).authorisation is verdict


def test_a_parent_in_d5_on_arrival_stays_one() -> None:
    """Declaring another parent later makes no claim of the day of arrival valid."""
    book = book_of(
        declared(owned(party("alpha", "CN"))),
        lpp(),
        received(1, at=BEFORE),
        declared(owned(BETA), at=CHANGE),
    )
    found = report(book)

    assert (found.tier, found.authorisation) == ("tier-2", NOT_AUTHORISED)
    assert [use.used_tpp for use in found.ceilings] == [0]


def test_what_arrived_lawfully_stays_so_when_the_parent_moves_to_d5() -> None:
    """Only what is seen beyond the book is judged by the declaration of today."""
    book = book_of(
        declared(owned(ALPHA)),
        lpp(),
        received(8, at=BEFORE),
        declared(owned(party("beta", "CN")), at=CHANGE),
    )

    found = report(book, chips(range(8)))
    assert (found.tier, found.authorisation) == ("tier-3", WITHIN)
    assert report(book, chips(range(9))).authorisation is NOT_AUTHORISED


def test_a_renamed_consignee_keeps_the_licence_it_received_under() -> None:
    """What arrived is covered; the licence of the old name allows the new one nothing more."""
    events = (
        declared(),
        licence("D-1", pieces(16)),
        received(8, at=BEFORE),
        declared(site_of(owner=party("newco")), at=CHANGE),
    )
    found = report(book_of(*events))

    assert found.authorisation is WITHIN
    line = found.licences[0].lines[0]
    assert (line.used, line.limit, line.left, row(found).licensed_pieces) == (8, 8, 0, 8)
    assert (found.tpp.used, found.tpp.left) == (8 * H100_TPP, 0)
    assert report(book_of(*events, received(8, at=AFTER))).authorisation is NOT_AUTHORISED


def test_the_room_of_the_old_parent_is_no_room_of_the_site() -> None:
    """Of a former limit the summary adds what was used, and no more."""
    book = book_of(
        declared(owned(ALPHA)),
        lpp(),
        received(8, at=BEFORE),
        declared(owned(BETA), at=CHANGE),
    )

    assert report(book).tpp.left == LPP_LIMIT


def test_before_its_first_declaration_a_site_is_as_in_that_one() -> None:
    """A receipt older than any declaration does not wait for the newest."""
    book = book_of(
        declared(owned(party("alpha", "CN")), at=CHANGE),
        declared(owned(BETA), at=AFTER),
        lpp(),
        received(1, at=BEFORE),
    )

    assert report(book).authorisation is NOT_AUTHORISED


def test_sites_stay_linked_by_every_form_they_were_declared_in() -> None:
    """By the parents and consignees up to as_of, and not by those to come."""
    book = book_of(
        declared(owned(ALPHA)),
        declared(owned(BETA), at=CHANGE),
        declared(owned(ALPHA, "penang", consignee=party("penang-co"))),
        declared(owned(BETA, "muar", consignee=party("muar-co"))),
        declared(owned(party("gamma"), "ipoh")),
        licence("D-1", pieces(1)),
    )

    assert linked_sites(book, "johor", as_of_ms=BEFORE) == ("ipoh", "johor", "penang")
    assert linked_sites(book, "johor", as_of_ms=NOW) == ("ipoh", "johor", "muar", "penang")
    assert linked_sites(book, "penang", as_of_ms=NOW) == ("ipoh", "johor", "muar", "penang")
    assert all_alike(book)


def test_calling_a_site_a_test_site_later_frees_nothing() -> None:
    """Chips that arrived at a real site count with the real ones for ever."""
    book = book_of(
        declared(),
        declared(site_of("penang")),
        lpp(),
        received(1699, at=BEFORE),
        declared(site_of(test=True), at=CHANGE),
        received(1, site="penang", at=AFTER),
    )

    assert report(book, site="penang").authorisation is EXCEEDED
    assert report(book).authorisation is EXCEEDED
    assert all_alike(book)


@pytest.mark.parametrize(
    ("first", "verdict"), [("MY", NOT_AUTHORISED), ("US", Authorisation.NOT_REQUIRED)]
)
def test_a_site_called_domestic_later_needed_a_licence_before(
    first: str, verdict: Authorisation
) -> None:
    """`not-required` holds where everything controlled arrived in a domestic country."""
    book = book_of(
        declared(site_of(country=first)),
        received(8, at=BEFORE),
        declared(site_of(country="US"), at=CHANGE),
    )

    assert report(book).authorisation is verdict
