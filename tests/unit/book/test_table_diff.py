"""What differs between two versions of a table, and tables that cannot be loaded."""

from datetime import date

import msgspec
import pytest

from chipledger_book import shipped
from chipledger_book.entities import AuthorisedEntities, check_entities
from chipledger_book.errors import BookError, Code
from chipledger_book.rule_checks import check_country_lists, check_rule_set
from chipledger_book.table_diff import diff
from chipledger_book.table_kinds import read_table

RULES = shipped.rule_set_2025()
COUNTRIES = shipped.country_lists()


def refused(table: object) -> tuple[Code, str]:
    """Return code and row of the first thing wrong with a rule set of January 2025."""
    with pytest.raises(BookError) as error:
        check_rule_set(table, COUNTRIES)  # type: ignore[arg-type]
    return error.value.code, error.value.problems[0].where


def test_rows_are_told_by_their_names() -> None:
    """Added, removed and changed rows, whatever order they stand in."""
    lpp = RULES.ceilings[0]
    more = msgspec.structs.replace(lpp, limit=msgspec.structs.replace(lpp.limit, amount=1))
    new = msgspec.structs.replace(
        RULES, ceilings=(more,), limits=tuple(reversed(RULES.limits[1:])), domestic=("US", "CA")
    )
    found = diff(RULES, new)

    assert [(row.member, row.row, row.what) for row in found.rows] == [
        ("ceilings", "lpp", "changed"),
        ("domestic", "", "changed"),
        ("limits", "lpp-shipment-notice", "removed"),
    ]
    assert found.rows[0].words == "ceilings lpp: limit.amount 26900000 → 1"
    assert [found.count(what) for what in ("added", "removed", "changed")] == [0, 1, 2]


def test_the_order_of_tiers_is_a_change() -> None:
    """The first that applies holds, so their order means something."""
    first, second, *others = RULES.tiers
    found = diff(RULES, msgspec.structs.replace(RULES, tiers=(second, first, *others)))

    assert [(row.member, row.row) for row in found.rows] == [("tiers", "order")]


def test_rows_of_one_name_are_told_by_their_dates() -> None:
    """A list that gets another row keeps the ones it has."""
    before, after = [one for one in shipped.every() if one.head.id == "us-ear-countries"]
    rows = {(row.row, row.what) for row in diff(before, after).rows if row.member == "lists"}

    assert ("D:4 from 2026-07-10", "added") in rows
    assert not any(name.startswith("D:5") for name, _ in rows)


def test_tables_of_two_kinds_are_not_compared() -> None:
    """A country list does not differ from a rule set row by row."""
    with pytest.raises(BookError) as error:
        diff(RULES, COUNTRIES)

    assert error.value.code is Code.UNKNOWN_TABLE


def test_limits_must_be_measurable() -> None:
    """What is received has no point in time, and only licences count per country."""
    first, *rest = RULES.limits
    wrong = msgspec.structs.replace(first, window="point-in-time")
    assert refused(msgspec.structs.replace(RULES, limits=(wrong, *rest))) == (
        Code.MALFORMED_TABLE,
        "limits[0].window",
    )
    wrong = msgspec.structs.replace(first, subject="country")
    assert refused(msgspec.structs.replace(RULES, limits=(wrong, *rest)))[1] == "limits[0].subject"
    wrong = msgspec.structs.replace(first, window="span")
    assert refused(msgspec.structs.replace(RULES, limits=(wrong, *rest))) == (
        Code.TABLE_DATES_WRONG,
        "limits[0].first_day",
    )
    assert refused(msgspec.structs.replace(RULES, limits=(first, first))) == (
        Code.TABLE_ENTRY_REPEATED,
        "limits[1]",
    )


def test_lists_must_hold_every_day_of_the_rules() -> None:
    """Rules that begin before their lists would have days without an answer."""
    early = msgspec.structs.replace(RULES.head, valid_from=date(2024, 1, 1))

    assert refused(msgspec.structs.replace(RULES, head=early)) == (Code.TABLE_DATES_GAP, "tiers[0]")


def test_a_list_with_a_gap_is_refused_with_its_row() -> None:
    """The days between two rows would have no members."""
    rows = [
        msgspec.structs.replace(row, valid_from=date(2026, 7, 30))
        if (row.list, row.valid_from) == ("D:5", date(2026, 7, 23))
        else row
        for row in COUNTRIES.lists
    ]
    with pytest.raises(BookError) as error:
        check_country_lists(msgspec.structs.replace(COUNTRIES, lists=tuple(rows)))

    assert error.value.code is Code.TABLE_DATES_GAP
    assert "2026-07-23 to 2026-07-29" in error.value.detail


def test_a_party_stands_once_on_a_list_on_a_day() -> None:
    """Letter case aside."""
    table = shipped.entities()
    row = table.entities[0]
    loud = msgspec.structs.replace(row, name=row.name.upper())
    with pytest.raises(BookError) as error:
        check_entities(msgspec.structs.replace(table, entities=(*table.entities, loud)))

    assert error.value.code is Code.TABLE_DATES_OVERLAP
    assert isinstance(table, AuthorisedEntities)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"{}", Code.MALFORMED_TABLE),
        (b"[", Code.MALFORMED_TABLE),
        (b'{"head": {"kind": "spell-book"}}', Code.MALFORMED_TABLE),
        (b'{"head": {"kind": "rule-set", "id": "x"}}', Code.MALFORMED_TABLE),
    ],
)
def test_what_is_no_table_is_refused(text: bytes, code: Code) -> None:
    """With the place in the file, and never half read."""
    with pytest.raises(BookError) as error:
        read_table(text)

    assert error.value.code is code
