"""Laws of limits: the order of nothing matters, sums are sums, and bounds are inclusive."""

from datetime import date
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from chipledger_book import shipped
from chipledger_book.balance import Question, reconcile_all
from chipledger_book.events import ByCount, Event
from chipledger_book.ledger import fold
from chipledger_book.licences import LicenceType
from chipledger_book.limit_kinds import SteppedLimit
from chipledger_book.rule_report import LimitVerdict
from chipledger_book.rules import Tables
from chipledger_book.table_diff import diff
from chipledger_book.table_kinds import check_table, read_table
from chipledger_evidence.codec import encode_canonical
from chipledger_testing.book import (
    H100,
    TABLES,
    declared,
    licence,
    ms,
    party,
    received,
    record,
    site_of,
)

SKUS = (H100, "B200-SXM6-180GB", "L40S-48GB", "A100-SXM4-80GB")
YEARS = (date(2025, 1, 1), date(2027, 12, 31))
claims = st.sampled_from([LicenceType.LPP, LicenceType.NVEU, LicenceType.UVEU, LicenceType.AIA])


@st.composite
def ledgers(draw: st.DrawFn) -> list[Event]:
    """Draw sites of one group in several countries, what they claim, and what they received."""
    owner = party(headquarters=draw(st.sampled_from(["US", "GB", "MY", "CN"])))
    countries = draw(
        st.lists(st.sampled_from(["GB", "MY", "QA", "US", "AE"]), min_size=1, max_size=3)
    )
    events: list[Event] = [
        declared(site_of(f"s{number}", country=country, owner=owner))
        for number, country in enumerate(countries)
    ]
    kinds = draw(st.lists(claims, max_size=2, unique=True))
    events += [licence(f"{kind}-1", kind=kind, days=YEARS) for kind in kinds]
    for number in range(draw(st.integers(0, 6))):
        line = ByCount(
            sku=draw(st.sampled_from(SKUS)), pieces=draw(st.sampled_from([1, 8, 203, 1699, 40_000]))
        )
        site = f"s{draw(st.integers(0, len(countries) - 1))}"
        month = draw(st.integers(1, 5))
        shipment = draw(st.sampled_from(["A", "B", ""]))
        at = ms(2026, month) + number
        events.append(received(line, site=site, at=at, shipment=shipment))
    return events


@given(
    ledgers(),
    st.randoms(use_true_random=False),
    st.sampled_from(["us-diffusion-2025", "us-destination-2026"]),
)
def test_the_order_of_events_changes_no_verdict_of_any_limit(
    events: list[Event], chance: object, rules: str
) -> None:
    """A ledger says the same whatever order it arrived in."""
    tables, question = shipped.tables(rules), Question(as_of_ms=ms(2026, 6))
    shuffled = list(events)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    first = reconcile_all(fold(map(record, events)), (), tables, question)
    second = reconcile_all(fold(map(record, shuffled)), (), tables, question)
    assert msgspec.json.encode(first.reports) == msgspec.json.encode(second.reports)


@given(ledgers())
def test_a_verdict_follows_from_the_numbers_that_are_shown(events: list[Event]) -> None:
    """Inclusive: at the bound a limit is kept and a duty begins."""
    found = reconcile_all(fold(map(record, events)), (), TABLES, Question(as_of_ms=ms(2026, 6)))
    for report in found.reports:
        assert report.rules is not None
        for use in report.rules.limits:
            assert use.used is not None
            assert use.most is not None
            assert use.left == use.most - use.used
            over, reached = use.used > use.most, use.used >= use.most
            if use.effect in ("notice", "certificate"):
                said = LimitVerdict.DUE if reached else LimitVerdict.NOT_DUE
            else:
                said = LimitVerdict.EXCEEDED if over else LimitVerdict.WITHIN
            assert use.verdict is said
            if use.total is not None:
                assert use.used <= use.total


@given(ledgers())
def test_rules_without_limits_give_the_same_balance(events: list[Event]) -> None:
    """Limits say more of a site; rows, licences and ceilings are what they were."""
    rules = TABLES.rules
    assert rules is not None
    bare = msgspec.structs.replace(rules, limits=())
    tables = Tables(catalogue=TABLES.catalogue, countries=TABLES.countries, rules=bare)
    book, question = fold(map(record, events)), Question(as_of_ms=ms(2026, 6))

    with_them = reconcile_all(book, (), TABLES, question).reports
    without = reconcile_all(book, (), tables, question).reports
    for one, other in zip(with_them, without, strict=True):
        assert (one.rows, one.licences, one.ceilings) == (
            other.rows,
            other.licences,
            other.ceilings,
        )
        assert (one.physical, one.uncovered) == (other.physical, other.uncovered)


@given(st.dates(date(2024, 1, 1), date(2029, 1, 1)))
def test_a_stepped_limit_has_one_amount_on_every_day_of_its_span(day: date) -> None:
    """And none before the first step or after the last day."""
    rules = TABLES.rules
    assert rules is not None
    (bound,) = [one.bound for one in rules.limits if isinstance(one.bound, SteppedLimit)]
    step = bound.on(day)

    assert (step is None) == (day < bound.steps[0].first_day or day > bound.last_day)
    if step is not None:
        assert step.first_day <= day
        later = [b.first_day for a, b in pairwise(bound.steps) if a is step]
        assert all(day < first for first in later)


def test_every_shipped_table_is_read_again_from_what_it_writes() -> None:
    """Reading, checking and writing lose nothing; a table does not differ from itself."""
    known = {(table.head.kind, table.head.id): table for table in shipped.every()}
    for table in shipped.newest().values():
        again = check_table(read_table(encode_canonical(table)), known)
        assert again == table
        assert diff(table, again).rows == ()
