"""Limits of rule sets: each at its border, under the shipped rules and under made-up ones."""

from collections.abc import Iterable
from datetime import date

import msgspec
import pytest

from chipledger_book import shipped
from chipledger_book.ceilings.views import country_limits
from chipledger_book.events import ByCount, Event
from chipledger_book.licences import LicenceLine, LicenceType, QuantityUnit
from chipledger_book.report import Authorisation, SiteReport
from chipledger_book.rule_report import LimitUse, LimitVerdict
from chipledger_book.rules import RuleSet, Tables
from chipledger_book.table_kinds import check_table, read_table
from chipledger_testing.book import (
    H100,
    TABLES,
    book_of,
    declared,
    licence,
    lpp,
    ms,
    party,
    received,
    record,
    report,
    site_of,
)

FIVE_YEARS = (date(2025, 1, 1), date(2028, 12, 31))
DESTINATION = shipped.tables("us-destination-2026")
CHINA = shipped.tables("us-china-2026")


def claim(kind: LicenceType, *, sites: tuple[str, ...] = ()) -> Event:
    """Return the grant of an exception without lines."""
    return licence(f"{kind}-1", kind=kind, sites=sites, days=FIVE_YEARS)


def uses(found: SiteReport, limit: str) -> list[LimitUse]:
    """Return what one limit says in a report."""
    assert found.rules is not None
    return [use for use in found.rules.limits if use.limit == limit]


def only(found: SiteReport, limit: str) -> LimitUse:
    """Return the one thing that a limit says in a report."""
    (use,) = uses(found, limit)
    return use


def with_model(tpp: int) -> Tables:
    """Return the tables with a made-up model of any TPP, so that a border can be met exactly."""
    row = TABLES.catalogue.sku(H100, date(2026, 1, 1))
    extra = msgspec.structs.replace(row, sku="UNIT", tpp=tpp, names=(), pci=(), board_parts=())
    catalogue = msgspec.structs.replace(TABLES.catalogue, skus=(*TABLES.catalogue.skus, extra))
    return Tables(catalogue=catalogue, countries=TABLES.countries, rules=TABLES.rules)


# the low processing exception


@pytest.mark.parametrize(
    ("tpp", "verdict"),
    [(26_900_000, Authorisation.WITHIN), (26_900_001, Authorisation.EXCEEDED)],
)
def test_the_exception_is_kept_at_26_900_000_tpp_and_not_at_one_more(
    tpp: int, verdict: Authorisation
) -> None:
    """A ceiling is inclusive to the last TPP."""
    tables = with_model(tpp)
    book = book_of(
        declared(), lpp(), received(ByCount(sku="UNIT", pieces=1), shipment="1"), tables=tables
    )

    assert report(book, tables=tables).authorisation is verdict


@pytest.mark.parametrize(
    ("pieces", "verdict"), [(1699, Authorisation.WITHIN), (1700, Authorisation.EXCEEDED)]
)
def test_1699_h100_fit_the_exception_and_1700_do_not(pieces: int, verdict: Authorisation) -> None:
    """The press says 1,700; the integers say one less."""
    assert report(book_of(declared(), lpp(), received(pieces))).authorisation is verdict


@pytest.mark.parametrize(("servers", "due"), [(25, False), (26, True)])
def test_26_servers_in_a_shipment_need_notice_and_25_do_not(servers: int, *, due: bool) -> None:
    """Notice is owed, and nothing is exceeded by it."""
    found = report(book_of(declared(), lpp(), received(servers * 8, shipment="AWB 1")))
    notices = uses(found, "lpp-shipment-notice")

    assert [use.verdict for use in notices] == ([LimitVerdict.DUE] if due else [])
    assert found.authorisation is Authorisation.WITHIN


@pytest.mark.parametrize(("tpp", "due"), [(3_199_999, 0), (3_200_000, 1)])
def test_notice_is_owed_from_3_200_000_on(tpp: int, due: int) -> None:
    """A duty begins when its amount is reached."""
    tables = with_model(tpp)
    book = book_of(declared(), lpp(), received(ByCount(sku="UNIT", pieces=1)), tables=tables)

    assert len(uses(report(book, tables=tables), "lpp-shipment-notice")) == due


def test_receipts_of_one_shipment_count_together() -> None:
    """Two papers under one reference are one shipment; of two references, two."""
    together = [received(104, shipment="A"), received(104, shipment="A", at=ms(2026, 4))]
    apart = [received(104, shipment="A"), received(104, shipment="B")]

    assert len(uses(report(book_of(declared(), lpp(), *together)), "lpp-shipment-notice")) == 1
    assert uses(report(book_of(declared(), lpp(), *apart)), "lpp-shipment-notice") == []


# certificates


@pytest.mark.parametrize(
    ("tpp", "verdict"),
    [(252_999_999, LimitVerdict.NOT_DUE), (253_000_000, LimitVerdict.DUE)],
)
def test_the_certificate_is_filed_from_253_000_000_on(tpp: int, verdict: LimitVerdict) -> None:
    """Cumulative over years, of one consignee, in tier 1."""
    tables = with_model(tpp - 15_832)
    home = site_of(country="GB", owner=party(headquarters="GB"))
    book = book_of(
        declared(home),
        claim(LicenceType.AIA),
        received(1, at=ms(2025, 5)),
        received(ByCount(sku="UNIT", pieces=1)),
        tables=tables,
    )

    use = only(report(book, tables=tables), "aia-certificate")
    assert (use.used, use.verdict) == (tpp, verdict)


# national VEU: stepped by quarter

STEPS = [
    (ms(2025, 2), 633_000_000),
    (ms(2025, 5), 949_500_000),
    (ms(2025, 8), 1_266_000_000),
    (ms(2025, 11), 1_582_500_000),
    (ms(2026, 2), 1_899_000_000),
    (ms(2026, 5), 2_690_250_000),
    (ms(2026, 8), 3_481_500_000),
    (ms(2026, 11), 4_272_750_000),
    (ms(2027, 2), 5_064_000_000),
    (ms(2027, 12), 5_064_000_000),
]


@pytest.mark.parametrize(("at", "most"), STEPS)
@pytest.mark.parametrize("over", [0, 1])
def test_each_quarter_has_its_installed_base(at: int, most: int, over: int) -> None:
    """At the amount of the quarter it is within, one TPP more it is not."""
    tables = with_model(most + over)
    book = book_of(
        declared(),
        claim(LicenceType.NVEU),
        received(ByCount(sku="UNIT", pieces=1), at=ms(2025, 1, 20)),
        tables=tables,
    )
    found = report(book, tables=tables, at=at)

    assert only(found, "nveu-installed-base").most == most
    assert found.authorisation is (Authorisation.EXCEEDED if over else Authorisation.WITHIN)
    assert found.tpp.beyond == over


def test_after_the_last_step_no_amount_is_made_up() -> None:
    """The table ends with 2027; later days have no limit that is known."""
    found = report(book_of(declared(), claim(LicenceType.NVEU), received(8)), at=ms(2028, 1, 2))

    assert only(found, "nveu-installed-base").verdict is LimitVerdict.NO_LIMIT


def test_the_installed_base_is_of_one_company_in_one_country() -> None:
    """Another country has its own base; chips under another licence by name count in none."""
    book = book_of(
        declared(),
        declared(site_of("kl")),
        declared(site_of("doha", country="QA")),
        claim(LicenceType.NVEU),
        licence("D-9", LicenceLine(amount=9, unit=QuantityUnit.PIECES, sku=H100)),
        received(10),
        received(20, site="kl"),
        received(40, site="doha"),
        received(9, charged_to="D-9", at=ms(2026, 4)),
    )

    use = only(report(book), "nveu-installed-base")
    assert (use.of, use.used) == ("acme/MY", 30 * 15_832)
    assert only(report(book, site="doha"), "nveu-installed-base").used == 40 * 15_832


# universal VEU: shares


def group(tpp: Iterable[tuple[str, str, int]], headquarters: str = "GB") -> SiteReport:
    """Return the report of a group's first site; each site has a country and so many chips."""
    owner = party(headquarters=headquarters)
    events: list[Event] = [claim(LicenceType.UVEU)]
    placed = list(tpp)
    for name, country, pieces in placed:
        events += [
            declared(site_of(name, country=country, owner=owner)),
            received(pieces, site=name),
        ]
    return report(book_of(*events), site=placed[0][0])


@pytest.mark.parametrize(
    ("abroad", "verdict"),
    [((7, 7, 7, 4), LimitVerdict.WITHIN), ((7, 7, 7, 5), LimitVerdict.EXCEEDED)],
)
def test_a_quarter_of_the_group_may_be_outside(
    abroad: tuple[int, ...], verdict: LimitVerdict
) -> None:
    """25 of 100 are within, 26 of 101 are not."""
    places = ("MY", "QA", "IN", "BR")
    sites = [(f"s{n}", c, p) for n, (c, p) in enumerate(zip(places, abroad, strict=True))]

    found = group([("home", "GB", 75), *sites])
    assert only(found, "uveu-outside").verdict is verdict


@pytest.mark.parametrize(
    ("pieces", "verdict"), [(7, LimitVerdict.WITHIN), (8, LimitVerdict.EXCEEDED)]
)
def test_seven_of_a_hundred_may_be_in_one_country(pieces: int, verdict: LimitVerdict) -> None:
    """The country over 7 % is named; the others are not over because of it."""
    found = group([("home", "GB", 95 - pieces), ("my", "MY", pieces), ("qa", "QA", 5)])
    said = {use.part: use.verdict for use in uses(found, "uveu-one-country")}

    assert said == {"MY": verdict, "QA": LimitVerdict.WITHIN}


@pytest.mark.parametrize(
    ("abroad", "verdict"), [(50, LimitVerdict.WITHIN), (51, LimitVerdict.EXCEEDED)]
)
def test_half_of_a_group_of_the_united_states_may_be_outside_them(
    abroad: int, verdict: LimitVerdict
) -> None:
    """Only for groups with headquarters there."""
    sites = [("us", "US", 100 - abroad), ("gb", "GB", abroad)]

    assert only(group(sites, headquarters="US"), "uveu-outside-us").verdict is verdict
    assert uses(group(sites), "uveu-outside-us") == []


# country allocation


@pytest.mark.parametrize(
    ("amount", "verdict"),
    [(790_000_000, LimitVerdict.UNDETERMINED), (790_000_001, LimitVerdict.EXCEEDED)],
)
def test_a_country_is_over_its_allocation_by_what_is_licensed(
    amount: int, verdict: LimitVerdict
) -> None:
    """What others hold can only add: below the amount nothing is certain, above it is."""
    line = LicenceLine(amount=amount, unit=QuantityUnit.TPP)
    book = book_of(declared(), licence("D-1", line), lpp(), received(8))

    (use,) = country_limits(book, TABLES, as_of_ms=ms(2026, 6))
    assert (use.of, use.used, use.verdict, use.sees) == ("MY", amount, verdict, "own")


def test_exceptions_and_licences_of_other_years_do_not_count_for_a_country() -> None:
    """LPP and VEU items do not, nor what was licensed before 2025."""
    old = licence(
        "D-0",
        LicenceLine(amount=500, unit=QuantityUnit.PIECES, sku=H100),
        days=(date(2024, 6, 1), date(2026, 6, 1)),
    )
    book = book_of(declared(), old, lpp(), claim(LicenceType.NVEU), received(8))

    assert country_limits(book, TABLES, as_of_ms=ms(2026, 6)) == ()


# destination rules of 2026


@pytest.mark.parametrize(
    ("country", "headquarters", "verdict", "tier"),
    [
        ("MY", "MY", Authorisation.NOT_REQUIRED, "elsewhere"),
        ("SG", "IN", Authorisation.NOT_REQUIRED, "elsewhere"),
        ("IL", "IL", Authorisation.NOT_REQUIRED, "elsewhere"),  # D:4, but also A:6
        ("SA", "SA", Authorisation.NOT_AUTHORISED, "d1-d4"),
        ("VN", "VN", Authorisation.NOT_AUTHORISED, "d1-d4"),
        ("RU", "RU", Authorisation.NOT_AUTHORISED, "d5-headquartered"),
        ("CN", "GB", Authorisation.NOT_AUTHORISED, "d5"),
        ("MY", "HK", Authorisation.NOT_AUTHORISED, "d5-headquartered"),
        ("MY", "MO", Authorisation.NOT_AUTHORISED, "d5-headquartered"),
        ("US", "US", Authorisation.NOT_REQUIRED, "elsewhere"),
    ],
)
def test_destinations_that_need_a_licence_in_2026(
    country: str, headquarters: str, verdict: Authorisation, tier: str
) -> None:
    """D:1, D:4, D:5 but for A:5 and A:6; and headquarters in D:5 or Macau anywhere."""
    where = site_of(country=country, owner=party(headquarters=headquarters))
    found = report(book_of(declared(where), received(8)), tables=DESTINATION)

    assert (found.tier, found.authorisation) == (tier, verdict)


def emirates(name: str, *, arrived: int = ms(2026, 8)) -> Event:
    """Return the declaration of a site in the United Arab Emirates."""
    owner = msgspec.structs.replace(party(headquarters="AE"), name=name)
    return declared(site_of(country="AE", owner=owner), at=min(arrived, ms(2025)))


@pytest.mark.parametrize(
    ("name", "day", "verdict"),
    [
        ("G42", ms(2026, 8), Authorisation.NOT_REQUIRED),
        ("g42", ms(2027, 4, 6), Authorisation.NOT_REQUIRED),
        ("G42", ms(2027, 4, 7), Authorisation.NOT_AUTHORISED),
        ("G42", ms(2026, 7, 9), Authorisation.NOT_AUTHORISED),
        ("Acme", ms(2026, 8), Authorisation.NOT_AUTHORISED),
    ],
)
def test_the_emirates_are_free_for_those_who_are_named_in_their_days(
    name: str, day: int, verdict: Authorisation
) -> None:
    """From 10 July 2026 on; G42 until 6 April 2027, inclusive."""
    book = book_of(emirates(name))
    book.add(record(received(8, at=day)))
    found = report(book, tables=DESTINATION, at=day + 3_600_000)

    assert found.authorisation is verdict


# the conditions of January 2026


@pytest.mark.parametrize(
    ("sku", "said"),
    [
        ("H200-SXM-141GB", {LimitVerdict.WITHIN}),
        ("MI325X-256GB", {LimitVerdict.WITHIN}),
        ("B200-SXM6-180GB", {LimitVerdict.EXCEEDED}),
        ("H100-SXM5-94GB", {LimitVerdict.WITHIN, LimitVerdict.UNDETERMINED}),
    ],
)
def test_models_for_china_are_held_against_both_bounds(sku: str, said: set[LimitVerdict]) -> None:
    """TPP below 21,000 and bandwidth below 6,500 GB/s; a number nobody has is no number."""
    where = site_of(country="CN", owner=party(headquarters="CN"))
    book = book_of(declared(where), received(ByCount(sku=sku, pieces=8)))
    found = report(book, tables=CHINA)

    assert {use.verdict for use in uses(found, "case-by-case")} == said
    assert found.rules is not None
    assert {row.how for row in found.rules.conditions} == {"stated-not-seen"}
    assert len(found.rules.conditions) == 7


def test_half_of_the_volume_of_the_united_states_is_never_said_to_be_kept() -> None:
    """An exporter's volume is not in this ledger: the numbers are shown, no verdict is."""
    owner = party(headquarters="SG")
    book = book_of(
        declared(site_of("us", country="US", owner=owner)),
        declared(site_of("cn", country="CN", owner=owner)),
        received(10, site="us"),
        received(2, site="cn"),
    )
    use = only(report(book, site="cn", tables=CHINA), "half-of-us-volume")

    assert (use.part, use.used, use.total) == (H100, 2 * 15_832, 10 * 15_832)
    assert use.verdict is LimitVerdict.UNDETERMINED


# duties, and rule sets that nobody has code for


def test_duties_are_owed_by_who_holds_the_authorisation() -> None:
    """A data-centre VEU reports twice a year in two shapes; who holds none owes nothing."""
    tables = shipped.tables("us-dc-veu-2025")
    holder = report(book_of(declared(), claim(LicenceType.NVEU)), tables=tables).rules
    nobody = report(book_of(declared()), tables=tables).rules

    assert holder is not None
    assert nobody is not None
    assert {duty.report for duty in holder.duties} >= {"current-inventory", "chip-accounting"}
    assert nobody.duties == ()


MADE_UP = """{
  "head": {"kind": "rule-set", "id": "arcadia", "version": "1", "status": "proposed",
           "valid_from": "2025-01-13", "source": "nowhere", "reviewed_by": "nobody",
           "reviewed_on": "2026-01-01"},
  "country_lists": "us-ear-countries",
  "tiers": [{"tier": "near", "when": "any", "lists": ["A:6"], "of": ["location"],
             "source": "1", "licence": "not-required"},
            {"tier": "far", "when": "otherwise", "source": "2"}],
  "ceilings": [{"ceiling": "sample", "licence_type": "ACA", "tiers": ["far"],
                "subject": "site", "window": "calendar-quarter", "counts": "received",
                "limit": {"kind": "amount", "unit": "tpp", "amount": 158320}, "source": "3"}],
  "limits": [{"limit": "few", "subject": "consignee", "counts": "owned",
              "window": "point-in-time", "bound": {"kind": "count", "pieces": 12},
              "effect": "ceiling", "source": "4"}]
}"""


def arcadia() -> Tables:
    """Return the tables under a rule set that stands in this file alone."""
    known = {(TABLES.countries.head.kind, TABLES.countries.head.id): TABLES.countries}
    rules = check_table(read_table(MADE_UP.encode()), known)
    assert isinstance(rules, RuleSet)
    return Tables(catalogue=TABLES.catalogue, countries=TABLES.countries, rules=rules)


def test_a_made_up_rule_set_gives_verdicts_without_code() -> None:
    """Other tiers, subjects, windows and bounds are rows of a file."""
    claimed = licence("ACA-1", kind=LicenceType.ACA)
    ten: list[Event] = [declared(), claimed, received(10, at=ms(2026, 3))]

    assert report(book_of(*ten), tables=arcadia()).authorisation is Authorisation.WITHIN
    again = report(book_of(*ten, received(2, at=ms(2026, 4))), tables=arcadia())
    assert again.authorisation is Authorisation.WITHIN  # another quarter, 12 in all
    assert [use.window for use in again.ceilings] == ["2026-Q1", "2026-Q2"]
    more = report(book_of(*ten, received(3, at=ms(2026, 4))), tables=arcadia())
    assert more.authorisation is Authorisation.EXCEEDED  # 13 pieces
    assert more.tpp.beyond == 15_832
    full = report(book_of(declared(), claimed, received(11)), tables=arcadia(), at=ms(2026, 3, 9))
    assert full.authorisation is Authorisation.EXCEEDED  # 11 in one quarter
    near = site_of(country="SG")
    free = report(book_of(declared(near), received(3)), tables=arcadia())
    assert free.authorisation is Authorisation.NOT_REQUIRED


def test_one_ledger_under_two_rule_sets_gives_two_documented_verdicts() -> None:
    """Each names the very versions it stands on."""
    book = book_of(declared(), received(8))
    first, second = report(book), report(book, tables=DESTINATION)

    assert first.authorisation is Authorisation.NOT_AUTHORISED
    assert second.authorisation is Authorisation.NOT_REQUIRED
    assert {table.id for table in first.tables} >= {"us-diffusion-2025"}
    assert {table.id for table in second.tables} >= {"us-destination-2026", "us-ear-entities"}


def test_a_moved_home_keeps_what_arrived_under_another_tier() -> None:
    """A site declared anew elsewhere does not wash what needed a licence when it came."""
    saudi = site_of(country="SA", owner=party(headquarters="SA"))
    later = msgspec.structs.replace(saudi, country="MY")
    book = book_of(declared(saudi), received(8), declared(later, at=ms(2026, 5)))

    assert report(book, tables=DESTINATION).authorisation is Authorisation.NOT_AUTHORISED
