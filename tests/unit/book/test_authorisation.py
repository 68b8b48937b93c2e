"""The authorisation verdict: held against licences by their lines and ceilings by their window."""

from datetime import date

import msgspec
import pytest

from chipledger_book.balance import Question, linked_sites, reconcile_all
from chipledger_book.catalogue import ObservedModel
from chipledger_book.events import ByCount, ByUnit, Event
from chipledger_book.ledger import fold
from chipledger_book.licences import LicenceLine, LicenceType, QuantityUnit
from chipledger_book.report import Authorisation, Physical, SiteReport
from chipledger_book.rules import Tables
from chipledger_testing.book import (
    GB200,
    H100,
    NOW,
    T4,
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
    record,
    report,
    row,
    site_of,
)

WITHIN, EXCEEDED = Authorisation.WITHIN, Authorisation.EXCEEDED
NOT_AUTHORISED = Authorisation.NOT_AUTHORISED
LPP_LIMIT = 26_900_000


def tpp_line(amount: int) -> LicenceLine:
    """Return a line in TPP for any model."""
    return LicenceLine(amount=amount, unit=QuantityUnit.TPP)


def judged(*events: Event, at: int = NOW, site: str = "johor") -> SiteReport:
    """Return the report of a site after its declaration and more events, nothing seen."""
    return report(book_of(declared(), *events), at=at, site=site)


@pytest.mark.parametrize(("count", "verdict"), [(1699, WITHIN), (1700, EXCEEDED)])
def test_1699_h100_pass_the_exception_and_1700_do_not(count: int, verdict: Authorisation) -> None:
    """The press says 1,700; the limit is 26,900,000 TPP, and 1,700 are 14,400 over."""
    found = judged(lpp(), received(count))

    assert found.authorisation is verdict
    assert found.ceilings[0].left_tpp == LPP_LIMIT - count * 15_832


@pytest.mark.parametrize(("amount", "verdict"), [(26_900_000, WITHIN), (26_900_001, EXCEEDED)])
def test_the_bound_itself_is_allowed(amount: int, verdict: Authorisation) -> None:
    """Inclusive to the last TPP: a catalogue whose one chip has exactly this TPP."""
    first = TABLES.catalogue.sku(H100, date(2026, 6, 1))
    whole = msgspec.structs.replace(first, tpp=amount)
    others = tuple(one for one in TABLES.catalogue.skus if one.sku != H100)
    tables = Tables(
        catalogue=msgspec.structs.replace(TABLES.catalogue, skus=(whole, *others)),
        countries=TABLES.countries,
        rules=TABLES.rules,
    )
    found = report(book_of(declared(), lpp(), received(1)), tables=tables)

    assert found.authorisation is verdict


def test_the_exception_counts_what_was_received_in_the_calendar_year() -> None:
    """A new year starts a new window; the last one stays listed."""
    book = book_of(
        declared(),
        lpp(),
        received(1699, at=ms(2025, 12, 31, 23)),
        received(1699, at=ms(2026, 1, 1)),
    )
    found = report(book)

    assert found.authorisation is WITHIN
    assert [(use.window, use.used_tpp) for use in found.ceilings] == [
        ("2025", 1699 * 15_832),
        ("2026", 1699 * 15_832),
    ]


def test_the_exception_belongs_to_the_ultimate_parent() -> None:
    """Two consignees of one parent share one limit, and both sites hear of the excess."""
    parent = party("group", "AE")

    def site(name: str) -> Event:
        own = site_of(name, owner=party(f"{name}-co"))
        return declared(msgspec.structs.replace(own, ultimate_parent=parent))

    book = book_of(
        site("johor"),
        site("penang"),
        lpp(consignee="johor-co"),
        msgspec.structs.replace(
            lpp(consignee="penang-co"),
            licence=msgspec.structs.replace(lpp(consignee="penang-co").licence, number="LPP-2"),
        ),
        received(1000),
        received(700, site="penang"),
    )

    assert linked_sites(book, "johor", as_of_ms=NOW) == ("johor", "penang")
    for name in ("johor", "penang"):
        found = report(book, site=name)
        assert found.authorisation is EXCEEDED
        assert found.ceilings[0].sites == ("johor", "penang")
        assert found.ceilings[0].used_tpp == 1700 * 15_832


def test_the_exception_is_not_for_tier_3() -> None:
    """A claim from D:5 headquarters covers nothing."""
    poisoned = declared(site_of(owner=party(headquarters="CN")))
    found = report(book_of(poisoned, lpp(), received(1)))

    assert (found.tier, found.authorisation) == ("tier-3", NOT_AUTHORISED)


def test_the_lists_of_the_day_of_arrival_decide_who_may_claim() -> None:
    """Cambodia left D:5: what arrived before stays uncovered, what arrived after is covered."""

    def found(arrived: int) -> SiteReport:
        site = declared(site_of(country="KH", owner=party(headquarters="KH")))
        events: list[Event] = [site, lpp(), received(1, at=arrived)]
        return report(fold(map(record, events)), at=ms(2026, 9))

    assert found(ms(2025, 3)).authorisation is NOT_AUTHORISED
    assert found(ms(2026, 8)).authorisation is WITHIN


def test_the_exception_must_be_claimed() -> None:
    """Without the consignee's certificate there is no exception."""
    assert judged(received(1)).authorisation is NOT_AUTHORISED


def test_the_claim_must_be_valid_on_the_day_of_arrival() -> None:
    """A certificate of this year says nothing of what came last year."""
    year = (date(2026, 1, 1), date(2026, 12, 31))
    claim = licence("LPP-1", kind=LicenceType.LPP, days=year)

    assert judged(claim, received(1, at=ms(2025, 12, 31))).authorisation is NOT_AUTHORISED
    assert judged(claim, received(1, at=ms(2026, 1, 1))).authorisation is WITHIN


def test_chips_beyond_the_book_use_a_licence_before_the_exception() -> None:
    """A full exception does not condemn what a licence has room for."""
    book = book_of(declared(), lpp(), licence("D-1", pieces(8)), received(1699))

    assert report(book, chips(range(1707))).authorisation is WITHIN
    assert report(book, chips(range(1708))).authorisation is EXCEEDED


def test_gaming_cards_do_not_count_against_the_exception() -> None:
    """They travel under another one; under this one they are not covered."""
    card = ByCount(sku="RTX-4090", pieces=1)
    aca = licence("ACA-1", kind=LicenceType.ACA)

    found = judged(lpp(), received(card))
    assert found.ceilings[0].used_tpp == 0
    assert found.authorisation is NOT_AUTHORISED
    assert judged(lpp(), aca, received(card)).authorisation is WITHIN


def test_chips_seen_beyond_the_book_count_too() -> None:
    """The ceiling is held against the larger of book and seen."""
    book = book_of(declared(), lpp(), received(1699))

    assert report(book, chips(range(1699))).authorisation is WITHIN
    assert report(book, chips(range(1700))).authorisation is EXCEEDED


def test_chips_that_are_gone_still_count() -> None:
    """Moving chips out before the count hides nothing."""
    found = report(book_of(declared(), licence("D-1", pieces(8)), received(16)), chips(range(8)))

    assert (found.physical, found.authorisation) == (Physical.UNACCOUNTED, EXCEEDED)


def test_the_two_verdicts_are_independent() -> None:
    """A site can be right in one and wrong in the other."""
    right_on_paper = report(book_of(declared(), licence("D-1", pieces(8)), received(8)))
    right_on_floor = report(book_of(declared(), received(8)), chips(range(8)))

    assert (right_on_paper.physical, right_on_paper.authorisation) == (
        Physical.UNACCOUNTED,
        WITHIN,
    )
    assert (right_on_floor.physical, right_on_floor.authorisation) == (
        Physical.AGREES,
        NOT_AUTHORISED,
    )


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        pytest.param(pieces(100), 100, id="pieces-of-the-model"),
        pytest.param(pieces(100, None), 100, id="pieces-of-any-model"),
        pytest.param(tpp_line(1_583_200), 100, id="tpp"),
        pytest.param(tpp_line(1_583_199), 99, id="tpp-one-short"),
        pytest.param(
            LicenceLine(amount=10, unit=QuantityUnit.EQUIVALENTS, reference=GB200),
            25,
            id="ten-gb200-equivalents-are-400000-tpp",
        ),
    ],
)
def test_a_line_covers_to_its_last_piece(line: LicenceLine, fits: int) -> None:
    """In pieces, TPP and equivalents; a chip is never covered in part."""
    grant = licence("D-1", line)

    assert judged(grant, received(fits)).authorisation is WITHIN
    over = judged(grant, received(fits + 1))
    assert over.authorisation is EXCEEDED
    assert [(one.pieces, one.why) for one in over.uncovered] == [(1, "exceeded")]


def test_a_line_for_one_model_is_not_for_another() -> None:
    """An H100 licence does not cover GB200."""
    found = judged(licence("D-1", pieces(100)), received(ByCount(sku=GB200, pieces=1)))

    assert found.authorisation is NOT_AUTHORISED
    assert found.uncovered[0].tpp == 40_000


def test_a_licence_is_for_its_sites() -> None:
    """Named sites only; without names, every site of the consignee."""
    other = declared(site_of("penang"))
    named = licence("D-1", pieces(8), sites=("penang",))

    assert judged(other, named, received(8)).authorisation is NOT_AUTHORISED
    assert judged(other, licence("D-1", pieces(8)), received(8)).authorisation is WITHIN


def test_sites_share_what_a_licence_allows() -> None:
    """The first arrival is covered, the later one finds the licence used."""
    book = book_of(
        declared(),
        declared(site_of("penang")),
        licence("D-1", pieces(10)),
        received(8, at=ms(2026, 2)),
        received(8, at=ms(2026, 3), site="penang"),
    )

    assert report(book).authorisation is WITHIN
    second = report(book, site="penang")
    assert second.authorisation is EXCEEDED
    assert second.uncovered[0].pieces == 6
    assert second.licences[0].lines[0].left == 0


def test_a_licence_covers_what_arrived_while_it_was_valid() -> None:
    """Its end does not make the chips unlawful; an arrival after its end is not covered."""
    spring = (date(2026, 1, 1), date(2026, 3, 31))
    grant = licence("D-1", pieces(16), days=spring)

    in_time = judged(grant, received(8, at=ms(2026, 3, 31, 23)))
    assert in_time.authorisation is WITHIN
    assert not in_time.licences[0].valid
    assert (row(in_time).licensed_pieces, in_time.licences[0].lines[0].left) == (8, 0)
    late = judged(grant, received(8, at=ms(2026, 4, 1)))
    assert late.authorisation is NOT_AUTHORISED


def test_a_receipt_draws_on_the_licence_it_names() -> None:
    """Room in another licence does not help it."""
    grants = (licence("D-1", pieces(4)), licence("D-2", pieces(100)))

    assert judged(*grants, received(8)).authorisation is WITHIN
    assert judged(*grants, received(8, charged_to="D-1")).authorisation is EXCEEDED


def test_a_receipt_that_names_its_licence_comes_before_those_that_name_none() -> None:
    """An earlier arrival takes what is free, not what another was shipped under."""
    grants = (licence("D-1", pieces(8)), licence("D-2", pieces(8)))
    unnamed = received(8, at=ms(2026, 1))
    named = received(8, at=ms(2026, 2), charged_to="D-1")

    assert judged(*grants, unnamed, named).authorisation is WITHIN


def test_a_receipt_under_a_licence_does_not_use_the_exception() -> None:
    """Charged receipts leave the yearly limit alone."""
    found = judged(lpp(), licence("D-1", pieces(8)), received(8, charged_to="D-1"))

    assert found.authorisation is WITHIN
    assert found.ceilings[0].used_tpp == 0


def test_uncontrolled_chips_need_no_licence() -> None:
    """A T4 is under no control."""
    assert judged(received(ByCount(sku=T4, pieces=9))).authorisation is WITHIN


def test_an_unknown_chip_leaves_the_verdict_open_unless_it_is_worse() -> None:
    """Never zero TPP, and never a pass."""
    odd = chips(range(1), sku=None, model=ObservedModel(device="ffff10de"))

    assert report(book_of(declared()), odd).authorisation is Authorisation.UNKNOWN_MODEL
    worse = book_of(declared(), lpp(), received(1700))
    assert report(worse, odd).authorisation is EXCEEDED


def test_the_home_country_needs_no_licence() -> None:
    """Nothing is exported to a site in the United States."""
    home = declared(site_of(country="US", owner=party(headquarters="US")))

    assert report(book_of(home, received(9))).authorisation is Authorisation.NOT_REQUIRED


def test_without_a_rule_set_only_licences_count() -> None:
    """No tier, no ceiling; the claimed exception then covers nothing."""
    bare = Tables(catalogue=TABLES.catalogue, countries=TABLES.countries)
    book = book_of(declared(), lpp(), received(1))
    found = report(book, tables=bare)

    assert (found.tier, found.ceilings, found.authorisation) == (None, (), NOT_AUTHORISED)
    assert [one.kind for one in found.tables] == ["chip-catalogue", "country-lists"]


def test_test_sites_never_use_up_what_real_sites_are_allowed() -> None:
    """Simulated chips are balanced apart."""
    book = book_of(
        declared(),
        declared(site_of("simulated", test=True)),
        lpp(),
        received(1699),
        received(1699, site="simulated"),
    )
    reports = reconcile_all(book, (), TABLES, Question(as_of_ms=NOW)).reports

    assert [one.authorisation for one in reports] == [WITHIN, WITHIN]
    assert linked_sites(book, "johor", as_of_ms=NOW) == ("johor",)


def test_one_site_alone_and_all_at_once_give_the_same_report() -> None:
    """Which sites are asked for does not change an answer."""
    book = book_of(
        declared(),
        declared(site_of("penang")),
        declared(site_of("other", owner=party("other"))),
        lpp(),
        licence("D-1", pieces(10)),
        received(8, charged_to="D-1"),
        received(ByUnit(model="HGX-H100-8", serials=("S1",)), site="penang"),
    )
    seen = [*chips(range(8)), *chips(range(8, 20), site="penang")]

    for found in reconcile_all(book, seen, TABLES, Question(as_of_ms=NOW)).reports:
        assert report(book, seen, site=found.site) == found
