"""Receipts under the low processing exception bring notices: the copy, and the exhausting one."""

from datetime import date

import pytest
from msgspec.structs import replace

from chipledger_book import shipped
from chipledger_book.calendars import Happened, due_reports
from chipledger_book.events import Event, event_id
from chipledger_book.movements import TransferIn, TransferOut
from chipledger_book.notices import lpp_notices
from chipledger_book.parties import Site
from chipledger_testing.book import (
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
)

FULL = 1_699  # H100 that fit


def notices(*events: Event, site: str = "johor", sites: tuple[str, ...] = ()) -> list[Happened]:
    """Return what brings notices at a site."""
    book = book_of(*events)
    return list(lpp_notices(book, TABLES, sites, site=site, as_of_ms=NOW))


def words(found: list[Happened]) -> list[tuple[str, str]]:
    """Return trigger and day of each."""
    return [(one.trigger, str(one.day)) for one in found]


def test_every_receipt_under_the_exception_brings_a_copy() -> None:
    """One for each, and none for what arrived under a licence by name."""
    first, second = received(8, at=ms(2026, 2)), received(8, at=ms(2026, 3))
    other = received(8, at=ms(2026, 4), charged_to="D-1")
    found = notices(declared(), lpp(), licence("D-1", pieces(8)), first, second, other)

    assert words(found) == [("lpp-receipt", "2026-02-01"), ("lpp-receipt", "2026-03-01")]
    assert [one.event for one in found] == [event_id(first), event_id(second)]


@pytest.mark.parametrize(("last", "exhausts"), [(1, False), (2, True)])
def test_the_receipt_that_reaches_the_limit_exhausts_it(last: int, *, exhausts: bool) -> None:
    """1,698 and one more fit; with 1,700 the limit is passed, and the last receipt is named."""
    filler = received(FULL - 1, at=ms(2026, 2))
    end = received(last, at=ms(2026, 3))
    after = received(1, at=ms(2026, 4))
    before = notices(declared(), lpp(), filler, end)
    found = notices(declared(), lpp(), filler, end, after)

    said = [one for one in before if one.trigger == "lpp-exhausted"]
    assert [one.event for one in said] == ([event_id(end)] if exhausts else [])
    assert words(found).count(("lpp-exhausted", "2026-03-01" if exhausts else "2026-04-01")) == 1
    assert sum(one.trigger == "lpp-exhausted" for one in found) == 1


def test_a_limit_counts_all_sites_of_the_parent_and_is_told_where_it_was_reached() -> None:
    """Two sites of one owner: the second one's receipt exhausts what both drew on."""
    events = (
        declared(),
        declared(site_of("penang")),
        lpp(),
        received(FULL, at=ms(2026, 2)),
        received(8, site="penang", at=ms(2026, 3)),
    )
    sites = ("johor", "penang")

    assert words(notices(*events, site="johor", sites=sites)) == [("lpp-receipt", "2026-02-01")]
    assert words(notices(*events, site="penang", sites=sites)) == [
        ("lpp-receipt", "2026-03-01"),
        ("lpp-exhausted", "2026-03-01"),
    ]


def test_each_calendar_year_is_exhausted_by_itself() -> None:
    """What arrived in December does not count in January."""
    found = notices(
        declared(), lpp(), received(FULL, at=ms(2025, 12)), received(8, at=ms(2026, 1, 2))
    )

    assert "lpp-exhausted" not in {one.trigger for one in found}


@pytest.mark.parametrize(
    ("site", "claim"),
    [(site_of(country="CN", owner=party("acme", "CN")), True), (site_of(), False)],
)
def test_who_cannot_claim_or_does_not_claim_owes_no_notice(site: Site, *, claim: bool) -> None:
    """Tier 3 may not, and without a certificate nothing arrives under the exception."""
    assert notices(declared(site), *([lpp()] if claim else []), received(FULL + 1)) == []


def test_rules_without_the_exception_bring_none() -> None:
    """The destination rules of 2026 know no such exception."""
    book = book_of(declared(), lpp(), received(FULL + 1))
    tables = shipped.tables("us-destination-2026")

    assert lpp_notices(book, tables, (), site="johor", as_of_ms=NOW) == ()


def test_a_move_within_the_parent_is_no_receipt_under_the_exception() -> None:
    """Counted where it came from, and shipped by nobody."""
    out = TransferOut(
        occurred_at_ms=ms(2026, 3), site="johor", to_site="penang", lines=received(8).lines
    )
    back = TransferIn(
        occurred_at_ms=ms(2026, 4),
        site="penang",
        from_site="johor",
        lines=received(8).lines,
        answers=event_id(out),
    )
    events = (declared(), declared(site_of("penang")), lpp(), received(8, at=ms(2026, 2)))
    found = notices(*events, out, back, site="penang", sites=("johor", "penang"))

    assert found == []


def test_the_calendar_says_until_when_they_are_in_time() -> None:
    """Thirty days for the copy, the same day for the limit, and the event is named."""
    end = received(FULL + 1, at=ms(2026, 3))
    happened = notices(declared(), lpp(), end)
    found = due_reports(
        shipped.calendars(),
        date(2026, 3, 2),
        since=date(2026, 1, 1),
        licences=[lpp().licence],
        happened=happened,
    )

    assert [
        (one.duty.duty, str(one.due_on), one.state, one.basis, one.event)
        for one in found
        if one.duty.duty.startswith("lpp")
    ] == [
        ("lpp-limit-reached", "2026-03-01", "late", "BIS LPP-1", event_id(end)),
        ("lpp-shipment-copy", "2026-03-31", "due", "BIS LPP-1", event_id(end)),
    ]


def test_the_classes_of_findings_are_rows_with_dates() -> None:
    """A type without a row that day is named by no notice; two rows of one day are refused."""
    calendars = shipped.calendars()
    rows = [replace(one, valid_to=date(2026, 6, 30)) for one in calendars.incidents]
    dated = replace(calendars, incidents=tuple(rows))

    assert dated.incident_of("hidden-chip", date(2026, 6, 30)) == "tampering"
    assert dated.incident_of("hidden-chip", date(2026, 7, 1)) is None
    assert dated.incident_of("clock-odd", date(2026, 6, 30)) is None
