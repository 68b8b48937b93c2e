"""Tiers and lists of January 2025, and the checks on rule tables."""

import csv
import dataclasses
from datetime import date
from pathlib import Path

import msgspec
import pytest

from chipledger_book import shipped
from chipledger_book.errors import BookError, Code
from chipledger_book.events import ByCount
from chipledger_book.report import Authorisation
from chipledger_book.rule_checks import check_country_lists, check_rule_set
from chipledger_book.rules import RuleSet, tier_of
from chipledger_testing.book import (
    H100,
    TABLES,
    book_of,
    declared,
    party,
    received,
    report,
    site_of,
)

JANUARY = date(2025, 1, 15)
NOW = date(2026, 8, 1)
RULES = shipped.rule_set_2025()
COUNTRIES = shipped.country_lists()


def tier(country: str, headquarters: str | None = None, parent: str | None = None) -> str:
    """Return the tier of a site by its three countries; absent ones equal the one before."""
    owner = party("owner", headquarters or country)
    site = msgspec.structs.replace(
        site_of(country=country, owner=owner),
        ultimate_parent=party("parent", parent or headquarters or country),
    )
    return tier_of(site, RULES, COUNTRIES, JANUARY)


@pytest.mark.parametrize("country", ["US", "GB", "TW", "JP", "KR", "NL"])
def test_tier_1_by_location_headquarters_and_parent(country: str) -> None:
    """All three in the list make tier 1."""
    assert tier(country) == "tier-1"


@pytest.mark.parametrize("country", ["MY", "IN", "CH", "PL", "SG", "IL"])
def test_tier_2_is_the_remainder(country: str) -> None:
    """A country on neither list is tier 2."""
    assert tier(country) == "tier-2"


@pytest.mark.parametrize("country", ["AE", "SA", "VN"])
def test_countries_of_d1_and_d4_are_a_part_of_tier_2(country: str) -> None:
    """In the remainder, and with a licence for more chips; a place, never a headquarters."""
    assert tier(country) == "tier-2-d1-d4"
    assert tier("MY", headquarters=country) == "tier-2"


def test_the_emirates_keep_the_licence_when_they_leave_d4() -> None:
    """From 10 July 2026 they are in A:5, and asked for as before."""
    emirates = site_of(country="AE", owner=party("owner", "AE"))
    assert tier_of(emirates, RULES, COUNTRIES, date(2026, 7, 9)) == "tier-2-d1-d4"
    assert tier_of(emirates, RULES, COUNTRIES, date(2026, 7, 10)) == "tier-2-uae"


@pytest.mark.parametrize("country", ["CN", "HK", "MO", "RU", "KH"])
def test_tier_3_is_d5_and_macau(country: str) -> None:
    """D:5 of January 2025, Macau, and Hong Kong as China."""
    assert tier(country) == "tier-3"


def test_tier_1_location_of_a_tier_2_parent_is_tier_2() -> None:
    """One of the three outside the list is enough to lose tier 1."""
    assert tier("GB", parent="AE") == "tier-2"
    assert tier("GB", headquarters="AE") == "tier-2"


def test_headquarters_in_d5_poison_any_location() -> None:
    """A parent in China makes the best location tier 3."""
    assert tier("MY", parent="CN") == "tier-3"
    assert tier("US", headquarters="HK") == "tier-3"


def test_cambodia_left_d5_with_the_issue_that_leaves_it_out() -> None:
    """D:5 had 23 members in January 2025 and has 22 in the issue of July 2026."""
    assert len(COUNTRIES.members("D:5", JANUARY)) == 23
    assert len(COUNTRIES.members("D:5", NOW)) == 22
    assert COUNTRIES.holds("D:5", "KH", JANUARY)
    assert not COUNTRIES.holds("D:5", "KH", NOW)


def test_tier_1_has_18_countries_and_the_united_states() -> None:
    """Supplement 5(a) as published."""
    assert len(COUNTRIES.members("supplement-5a", JANUARY)) == 19


def test_shipped_groups_equal_the_published_table(shared: Path) -> None:
    """Every country group of the issue of 23 July 2026 is the table's, member by member."""
    table = shared / "tables" / "country-groups-2026-07-23.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    groups = [name for name in rows[0] if ":" in name or name == "B"]

    for group in groups:
        expected = {row["iso3166_alpha2"] for row in rows if row[group]}
        assert COUNTRIES.members(group, NOW) == expected, group


def test_a_list_is_not_known_outside_its_dates() -> None:
    """A day no row holds is an error, not an empty list."""
    with pytest.raises(BookError) as refused:
        COUNTRIES.members("D:5", date(2024, 1, 1))

    assert refused.value.code is Code.UNKNOWN_COUNTRY_LIST


def test_two_member_sets_on_one_day_are_refused() -> None:
    """A list has one membership on one day."""
    doubled = msgspec.structs.replace(COUNTRIES, lists=(*COUNTRIES.lists, COUNTRIES.lists[0]))

    with pytest.raises(BookError) as refused:
        check_country_lists(doubled)

    assert refused.value.code is Code.TABLE_DATES_OVERLAP


def test_a_rule_set_must_place_every_site() -> None:
    """Without a tier for the remainder some site would have none."""
    with pytest.raises(BookError) as refused:
        check_rule_set(msgspec.structs.replace(RULES, tiers=RULES.tiers[:-1]), COUNTRIES)

    assert refused.value.code is Code.MALFORMED_TABLE


def test_a_rule_set_may_name_only_lists_that_exist() -> None:
    """A misspelt list would put every country into the remainder."""
    tier_3 = msgspec.structs.replace(RULES.tiers[0], lists=("D:55",))

    with pytest.raises(BookError) as refused:
        check_rule_set(msgspec.structs.replace(RULES, tiers=(tier_3, *RULES.tiers[1:])), COUNTRIES)

    assert refused.value.code is Code.UNKNOWN_COUNTRY_LIST


def test_the_january_rules_say_that_nobody_enforces_them() -> None:
    """The text stands in the code of regulations, and its status is with every verdict."""
    assert RULES.head.status == "codified-not-enforced"
    assert RULES.ceilings[0].limit.amount == 26_900_000


@pytest.mark.parametrize(
    ("country", "headquarters", "sku", "verdict"),
    [
        ("MY", "MY", "L40-48GB", Authorisation.WITHIN),
        ("MY", "MY", H100, Authorisation.NOT_AUTHORISED),
        ("GB", "GB", "L40-48GB", Authorisation.WITHIN),
        ("GB", "GB", H100, Authorisation.NOT_AUTHORISED),
        ("VN", "VN", "L40-48GB", Authorisation.NOT_AUTHORISED),
        ("SA", "US", "L40-48GB", Authorisation.NOT_AUTHORISED),
        ("IL", "IL", "L40-48GB", Authorisation.WITHIN),
        ("CN", "CN", "L40-48GB", Authorisation.NOT_AUTHORISED),
        ("MY", "CN", "L40-48GB", Authorisation.NOT_AUTHORISED),
    ],
)
def test_3a090_b_needs_cover_in_d1_d4_and_d5_alone(
    country: str, headquarters: str, sku: str, verdict: Authorisation
) -> None:
    """By place, but for A:5 and A:6, or by headquarters in D:5; 3A090.a needs cover everywhere."""
    site = site_of(country=country, owner=party("acme", headquarters))
    book = book_of(declared(site), received(ByCount(sku=sku, pieces=8)))

    assert report(book).authorisation is verdict


def test_the_version_before_asked_for_cover_of_3a090_b_everywhere() -> None:
    """A verdict under it can still be made, and names it."""
    before = [one for one in shipped.every() if one.head.id == RULES.head.id][-2]
    assert isinstance(before, RuleSet)
    book = book_of(declared(), received(ByCount(sku="L40-48GB", pieces=8)))
    tables = dataclasses.replace(TABLES, rules=before)

    assert before.head.version == "2025-01-13.2"
    assert report(book, tables=tables).authorisation is Authorisation.NOT_AUTHORISED
