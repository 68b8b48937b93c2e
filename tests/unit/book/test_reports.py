"""Reports in the shapes of public duties: their numbers, headers, and how they are written."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import date

import msgspec
import pytest
from msgspec.structs import replace

from chipledger_book.events import ByChip, ByCount, ChipRef, Event, event_id
from chipledger_book.licences import LicenceType
from chipledger_book.limits import CANNOT_SEE
from chipledger_book.movements import LostOrStolen, Shipped, TransferIn, TransferOut
from chipledger_book.periods.document import OpenFinding
from chipledger_book.reports.accounting import NUMBERS, accounting
from chipledger_book.reports.consignee import consignee_statement
from chipledger_book.reports.group import group_share, percent
from chipledger_book.reports.header import Report, Source
from chipledger_book.reports.in_out import in_out
from chipledger_book.reports.incidents import incident_notice
from chipledger_book.reports.inventory import inventory
from chipledger_book.reports.making import Material, ReportKind, make_report
from chipledger_book.reports.writing import csv_of, guarded, html_of, written
from chipledger_testing.book import (
    H100,
    TABLES,
    book_of,
    chip,
    chips,
    declared,
    lpp,
    ms,
    party,
    received,
    site_of,
    uuid,
)
from chipledger_testing.periods import FROZEN_MS, HALF, digest_of, document, known, ledger

MADE_BY = "chipledger 0.0"
EVIL = "=cmd|' /C calc'!A0"


def source(*events: Event, seen: int = 0, site: str = "johor", **more: object) -> Source:
    """Return the source of a report: a frozen half-year of a site with these events."""
    book = ledger(declared(), declared(site_of("penang")), lpp(), *events)
    made = document(known(book, chips(range(seen), site=site), site=site, **more), site=site)  # type: ignore[arg-type]
    return Source(document=made, digest=digest_of(made), stage="closed")


def material(*events: Event, seen: int = 0) -> Material:
    """Return everything that any kind of report is made of."""
    book = ledger(declared(), declared(site_of("penang")), lpp(), *events)
    return Material(
        sources=(source(*events, seen=seen), source(*events, site="penang")),
        book=book,
        tables=TABLES,
        sites=("johor", "penang"),
        claimed=frozenset({LicenceType.UVEU}),
        made_by=MADE_BY,
    )


def transfer(pieces: int) -> tuple[Event, Event]:
    """Return both sides of a transfer from johor to penang."""
    out = TransferOut(
        occurred_at_ms=ms(2026, 4),
        site="johor",
        to_site="penang",
        lines=(ByCount(sku=H100, pieces=pieces),),
    )
    arrived = TransferIn(
        occurred_at_ms=ms(2026, 4, 2),
        site="penang",
        from_site="johor",
        lines=out.lines,
        answers=event_id(out),
    )
    return out, arrived


def test_the_inventory_has_serial_key_and_both_dates() -> None:
    """A chip by its name: board serial, PDI, the day it was received."""
    line = ByChip(sku=H100, chips=(ChipRef(pdi=f"{1:016x}", uuid=uuid(1)),))
    book = book_of(declared(), lpp(), received(line))
    made = inventory(Source(document=document(known(book, [chip(1)]))), made_by=MADE_BY)

    row = made.rows[0]
    assert (row.serial, row.device_key) == ("board 1650000000001", f"{1:016x}")
    assert (row.quantity, row.received_ms, row.state) == (1, ms(2026, 3), "present")
    assert row.known_by == "G1 self-reported; on paper by identity"


def test_the_inventory_never_leaves_out_what_was_not_seen() -> None:
    """A received chip that nobody saw stands in it, on paper only."""
    made = inventory(source(received(3), seen=2), made_by=MADE_BY)

    assert [row.known_by for row in made.rows if row.state == "unaccounted"] == ["paper only"]
    assert made.totals[0].book == 3


def test_in_and_out_make_the_closing() -> None:
    """Opening + in - out = closing, and the last running balance is the closing."""
    out, arrived = transfer(2)
    made = in_out(source(received(8), out, arrived), made_by=MADE_BY)

    row = made.rows[0]
    assert row.opening + row.total_in - row.total_out == row.closing == 6
    assert made.entries[-1].balance == row.closing


def test_accounting_tells_installed_from_not_installed() -> None:
    """What an agent attested and what it did not, in pieces and TPP."""
    made = accounting([source(received(8), seen=5)], made_by=MADE_BY)

    numbers = made.rows[0].numbers
    assert (numbers["installed"], numbers["not_installed"]) == (5, 3)
    assert numbers["installed_tpp"] + numbers["not_installed_tpp"] == numbers["book_tpp"]


def test_accounting_names_to_whom_chips_went() -> None:
    """A reexport with its consignee and country, a transfer with its site."""
    gone = Shipped(
        occurred_at_ms=ms(2026, 5),
        site="johor",
        lines=(ByCount(sku=H100, pieces=1),),
        consignee="buyer",
        country="VN",
    )
    out, arrived = transfer(2)
    made = accounting([source(received(8), gone, out, arrived)], made_by=MADE_BY)

    assert [(one.how, one.to, one.country) for one in made.onward] == [
        ("transferred", "penang", None),
        ("reexported", "buyer", "VN"),
    ]


def test_attrition_is_told_by_its_cause() -> None:
    """Stolen chips stay on the book, and are attrition by theft."""
    stolen = LostOrStolen(
        occurred_at_ms=ms(2026, 4), site="johor", lines=(ByCount(sku=H100, pieces=1),), how="stolen"
    )
    numbers = accounting([source(received(8), stolen)], made_by=MADE_BY).rows[0].numbers

    assert (numbers["stolen"], numbers["lost"], numbers["book"]) == (1, 0, 8)


def test_the_roll_up_is_the_sum_of_the_facilities() -> None:
    """Every number of the parent is the sum over its facilities, by model."""
    made = accounting(material(received(8), *transfer(2), seen=4).sources, made_by=MADE_BY)

    for row in made.group:
        own = [one for one in made.rows if one.sku == row.sku]
        assert len(own) == 2
        assert all(row.numbers[name] == sum(one.numbers[name] for one in own) for name in NUMBERS)


@pytest.mark.parametrize(
    ("pieces", "exhausted"), [(1698, None), (1699, None), (1700, "2026-05-09")]
)
def test_the_statement_names_the_day_that_exhausts_the_limit(
    pieces: int, exhausted: str | None
) -> None:
    """1,699 H100 fit, and the receipt of the 1,700th has its day."""
    first, second = received(1000, at=ms(2026, 2, 3)), received(pieces - 1000, at=ms(2026, 5, 9))
    book = ledger(declared(), lpp(), first, second)
    made = consignee_statement(
        Source(document=document(known(book))), book, TABLES, ["johor"], made_by=MADE_BY
    )

    one = made.ceilings[0]
    assert one.limit_tpp - one.used_tpp == one.left_tpp
    assert one.used_tpp == pieces * 15832
    assert (None if one.exhausted_on is None else str(one.exhausted_on)) == exhausted
    assert one.exhausting == ((event_id(second),) if exhausted else ())


def test_the_statement_adds_all_facilities_of_the_parent() -> None:
    """And leaves out what another year brought."""
    book = ledger(
        declared(),
        declared(site_of("penang")),
        lpp(),
        received(10, at=ms(2025, 12, 31)),
        received(20),
        received(30, site="penang"),
    )
    made = consignee_statement(
        Source(document=document(known(book))), book, TABLES, ["johor", "penang"], made_by=MADE_BY
    )

    assert made.ceilings[0].used_tpp == 50 * 15832
    assert [one.facility for one in made.arrivals] == ["johor", "penang"]


def shares(pieces: dict[str, int], headquarters: str = "MY") -> list[tuple[str, str]]:
    """Return limits and verdicts of a group that holds so many H100 by country."""
    owner = party(headquarters=headquarters)
    events: list[Event] = [lpp()]
    for country, count in pieces.items():
        name = f"site-{country.lower()}"
        events += [declared(site_of(name, country=country, owner=owner))]
        events += [received(count, site=name)] if count else []
    book = ledger(*events)
    sources = [
        Source(document=document(known(book, site=name), site=name)) for name in book.site_ids()
    ]
    made = group_share(sources, TABLES, {LicenceType.UVEU}, made_by=MADE_BY)
    assert sum(one.tpp for one in made.countries) == made.total_tpp
    return [(f"{use.share} {' '.join(use.where)}", use.verdict) for use in made.limits]


def test_seven_percent_in_one_country_is_within_and_one_chip_more_is_not() -> None:
    """The limit is inclusive and held against exact numbers."""
    assert ("uveu-one-country MY", "within") in shares({"MY": 7, "JP": 93})
    assert ("uveu-one-country MY", "exceeded") in shares({"MY": 8, "JP": 93})


def test_a_quarter_outside_is_within() -> None:
    """Countries outside the list are added up together as well."""
    many = {"MY": 6, "TH": 6, "VN": 6, "IN": 7, "JP": 75}

    assert ("uveu-outside IN MY TH VN", "within") in shares(many)
    assert ("uveu-outside IN MY TH VN", "exceeded") in shares({**many, "VN": 7})


def test_half_abroad_is_for_groups_with_headquarters_in_the_united_states() -> None:
    """Others have no such row."""
    assert ("uveu-outside-us JP", "exceeded") in shares({"US": 49, "JP": 51}, "US")
    assert not [name for name, _ in shares({"US": 49, "JP": 51}) if "outside-us" in name]


def test_a_limit_that_nobody_claims_gives_no_verdict() -> None:
    """Without the authorisation the shares are shown, and nothing is said to be exceeded."""
    made = group_share([source(received(8))], TABLES, (), made_by=MADE_BY)

    assert {use.verdict for use in made.limits} == {"not-claimed"}


@pytest.mark.parametrize(("ppm", "text"), [(0, "0.0000 %"), (70_000, "7.0000 %"), (1, "0.0001 %")])
def test_a_share_is_written_exactly(ppm: int, text: str) -> None:
    """Four places, no rounding up."""
    assert percent(ppm) == text


def test_an_incident_has_the_last_day_for_its_notice() -> None:
    """A theft of 1 April is to be told by 1 May."""
    stolen = LostOrStolen(
        occurred_at_ms=ms(2026, 4), site="johor", lines=(ByCount(sku=H100, pieces=2),), how="stolen"
    )
    made = incident_notice(source(received(8), stolen), TABLES.calendars, made_by=MADE_BY)

    one = made.incidents[0]
    assert (one.kind, one.basis, one.due_day) == ("theft", "event", "2026-05-01")
    assert (one.pieces, one.tpp) == ({H100: 2}, 2 * 15832)


def test_a_finding_is_a_sign_and_not_a_statement() -> None:
    """Signs of tampering and of a wrong place are listed as findings; others are not listed."""
    findings = [
        OpenFinding(
            id=kind,
            type=kind,
            severity="high",
            host="h",
            chip=None,
            opened_ms=ms(2026, 5),
            resolved_ms=None,
            state="open",
            words="Counters went backward.",
        )
        for kind in ("counter-backward", "duplicate-identity", "clock-odd")
    ]
    made = incident_notice(source(findings=findings), TABLES.calendars, made_by=MADE_BY)

    assert [(one.kind, one.basis) for one in made.incidents] == [
        ("tampering", "finding"),
        ("wrong place", "finding"),
    ]


def every() -> Iterator[Report]:
    """Yield one report of each kind."""
    made = material(received(8), *transfer(2), seen=4)
    for kind in ReportKind:
        yield make_report(kind, made)


@pytest.mark.parametrize("kind", ReportKind)
def test_every_report_says_what_it_was_asked_and_cannot_see(kind: ReportKind) -> None:
    """Query, population, both times, tables, code, strength and limits, in every format."""
    made = make_report(kind, material(received(8), *transfer(2), seen=4))

    page, table = html_of(made).decode(), csv_of(made).decode()
    header = msgspec.json.decode(written(made, "json"))["header"]
    assert header["query"]["first_day"] == "2026-01-01"
    assert (header["as_of_ms"], header["known_at_ms"]) == (ms(2026, 7) - 1, FROZEN_MS)
    assert {one["kind"] for one in header["tables"]} >= {"chip-catalogue", "calendars"}
    for text in ("known at", "as of", "population", MADE_BY, CANNOT_SEE[3]):
        assert text in table.replace('""', '"')
        assert text.lower() in page.lower()


@pytest.mark.parametrize("kind", ReportKind)
@pytest.mark.parametrize("form", ["json", "csv", "html"])
def test_the_same_question_gives_the_same_bytes(kind: ReportKind, form: str) -> None:
    """Whatever order the events came in."""
    events = (received(8), *transfer(2))
    one = written(make_report(kind, material(*events, seen=4)), form)  # type: ignore[arg-type]
    other = written(make_report(kind, material(*reversed(events), seen=4)), form)  # type: ignore[arg-type]

    assert one == other


@pytest.mark.parametrize(
    "text",
    [EVIL, "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "\n@x", "\x00=1"],
)
def test_no_text_is_a_formula(text: str) -> None:
    """Plain and full-width signs, after white space and control characters."""
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "H100", "a=b", "host-1", "'=1", "2026-03-01"])
def test_other_texts_stand_as_they_are(text: str) -> None:
    """What no spreadsheet computes is not changed."""
    assert guarded(text) == text


def test_no_cell_of_a_report_is_a_formula() -> None:
    """A shipment reference that is one stands with an apostrophe before it."""
    evil = replace(received(8), shipment=EVIL)
    rows = list(csv.reader(io.StringIO(csv_of(in_out(source(evil), made_by=MADE_BY)).decode())))

    assert any(f"'{EVIL}" in row for row in rows)
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=+@" and cell]
    assert not [cell for cell in cells if cell.startswith("-") and not cell[1:].isdigit()]


def test_numbers_below_zero_stay_numbers() -> None:
    """The guard is for texts: a spreadsheet can add up what left."""
    made = in_out(source(received(8), *transfer(2)), made_by=MADE_BY)

    assert ",-2," in csv_of(made).decode()


@pytest.mark.parametrize("kind", ReportKind)
def test_a_page_is_whole_in_itself(kind: ReportKind) -> None:
    """No script, no address, nothing to load; it prints on paper by its own rules."""
    page = html_of(make_report(kind, material(received(8), seen=4))).decode()

    assert not re.search(r"<script|<img|<link|src=|href=|https?://|url\(", page)
    assert "@page" in page
    assert "table-header-group" in page


def test_a_page_shows_markup_as_text() -> None:
    """What a party wrote is never read as HTML."""
    evil = replace(received(8), shipment="<script>alert(1)</script>")

    page = html_of(in_out(source(evil), made_by=MADE_BY)).decode()

    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_roll_up_of_one_signed_facility_and_drafts_says_so() -> None:
    """A signature on one document is never read as one on the others."""
    one, other = material(received(8)).sources
    made = accounting([one, Source(document=other.document)], made_by=MADE_BY)

    assert "johor: closed: signed by operator and auditor. 1 other facilities: drafts" in (
        html_of(made).decode()
    )


def test_a_draft_is_called_a_draft() -> None:
    """Nobody mistakes it for a signed document."""
    made = inventory(Source(document=source(received(8)).document), made_by=MADE_BY)

    assert "Draft: nobody froze or signed this period" in html_of(made).decode()
    assert "signed by nobody" in csv_of(made).decode()
    assert (date(2026, 1, 1), date(2026, 6, 30)) == HALF
