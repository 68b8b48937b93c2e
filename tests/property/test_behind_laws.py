"""Behind every number of a balance stand parts that add up to it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chipledger_book.balance import reconcile_all
from chipledger_book.behind import COLUMNS, behind
from chipledger_book.events import DeclaredChip, DeclaredInventory, Event
from chipledger_book.holding import Question, at_site
from chipledger_book.ledger import fold
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.report import BalanceRow
from chipledger_book.rollup import BYS, roll_up
from chipledger_book.terms import EventId
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import NOW, TABLES, chip, ms, record
from chipledger_testing.histories import BEFORE, SITES, histories

GRADES = ("G1", "G2", "G3", "G4")
DECLARED: tuple[Event, ...] = tuple(
    DeclaredInventory(
        occurred_at_ms=ms(2026, 2),
        site="johor",
        label=f"host-{number}",
        source="nvidia-smi",
        chips=(DeclaredChip(name="NVIDIA H100 80GB HBM3"),) * (number + 1),
    )
    for number in range(2)
)

sightings = st.lists(
    st.builds(
        chip,
        st.integers(0, 12),
        site=st.sampled_from(SITES),
        state=st.sampled_from(ChipState),
        grade=st.sampled_from([Grade(grade) for grade in GRADES]),
        named=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: (one.chip_id, one.site),
)


def number(row: BalanceRow, column: str) -> int:
    """Return a number of a row."""
    if column in GRADES:
        return int(getattr(row.present, column))
    return row.present.total if column == "present" else int(getattr(row, column))


@settings(max_examples=60, deadline=None)
@given(histories(), sightings, st.integers(0, 10))
def test_parts_add_up_to_their_number(
    history: list[Event], seen: list[SeenChip], days: int
) -> None:
    """Every column of every row, in a period that starts anywhere."""
    book = fold(map(record, (*BEFORE, *DECLARED, *history)))
    question = Question(as_of_ms=NOW, period_start_ms=ms(2026, 3) + days * 86_400_000)
    for report in reconcile_all(book, seen, TABLES, question).reports:
        here = [one for one in seen if one.site == report.site]
        side = at_site(book, here, (), TABLES, question=question, site=report.site)
        for row in report.rows:
            for column in COLUMNS:
                found = behind(side, book, TABLES, question, sku=row.sku, column=column)
                assert found.pieces == number(row, column), column
                parts = sum(part.pieces for part in found.events) or len(found.chips)
                assert parts == found.pieces, column
                assert all(book.event(EventId(part.event)) for part in found.events)


@settings(max_examples=60, deadline=None)
@given(histories(), sightings)
def test_a_roll_up_adds_and_never_nets(history: list[Event], seen: list[SeenChip]) -> None:
    """By whatever: each column is the sum over the sites, and each site has one verdict of each."""
    book = fold(map(record, (*BEFORE, *history)))
    reports = reconcile_all(book, seen, TABLES, Question(as_of_ms=NOW)).reports
    for by in BYS:
        found = roll_up(reports[::-1], by)
        assert found == roll_up(reports, by)
        rows = [row for group in found for row in group.rows]
        for column in ("book", "unaccounted", "overage", "stored", "silent", "disputed"):
            assert sum(getattr(row, column) for row in rows) == sum(
                getattr(row, column) for report in reports for row in report.rows
            )
        for group in found:
            assert sum(group.physical.values()) == sum(group.authorisation.values())
            assert sum(group.physical.values()) == len(group.sites)
