"""A generated year of a fictional operator, honest and with every diversion of the table in it."""

from functools import cache

import pytest

from chipledger_book.admission import admit
from chipledger_book.ledger import Book
from chipledger_book.movements import Attested
from chipledger_book.watch.diversions import Help, Papers, diversions
from chipledger_testing.book import TABLES
from chipledger_testing.year.honest import honest_year
from chipledger_testing.year.noise import honest_noise
from chipledger_testing.year.planting import ACTS
from chipledger_testing.year.proving import prove, prove_all
from chipledger_testing.year.things import SMALL, Scale
from chipledger_testing.year.world import World

TABLE = {one.id: one for one in diversions().diversions}
CELLS = [
    pytest.param(one.id, papers, outcome.given, id=f"{one.id} {papers} {outcome.given or 'alone'}")
    for one in TABLE.values()
    for outcome in one.outcomes
    for papers in outcome.papers
]
SEED = 1
COVERED = frozenset({"received-unlicensed"})
"""What the claims of the structured rows allow, where all happen in one year."""


@cache
def year(seed: int = SEED) -> World:
    """Return an honest year; whoever changes it copies it."""
    return honest_year(SMALL, seed)


def test_every_row_is_planted() -> None:
    """And nothing is planted that the table does not speak of."""
    assert set(ACTS) == set(TABLE)


@pytest.mark.parametrize(("diversion", "papers", "given"), CELLS)
def test_diversion(diversion: str, papers: Papers, given: Help | None) -> None:
    """It is found in time as what the table says, or not at all where it says so."""
    assert prove(year(), TABLE[diversion], papers, given) == ()


def test_all_diversions_of_one_year_are_found() -> None:
    """One does not hide another."""
    honest = honest_year(Scale(sites=4, chips=2_400), SEED)
    table = tuple(one for one in diversions().diversions if one.id not in COVERED)
    assert prove_all(honest, table) == ()


@pytest.mark.parametrize("seed", [1, 2])
def test_an_honest_year_adds_up(seed: int) -> None:
    """Every week the laws of the balance hold; at the end paper, metal and truth are one."""
    noise = honest_noise(year(seed))

    assert noise.wrong == ()
    assert noise.heavy <= 1


def test_papers_of_a_year_are_such_as_the_ledger_admits() -> None:
    """Entered in the order of their recording, not one is refused."""
    book = Book()
    for record in sorted(year().records, key=lambda one: one.recorded_at_ms):
        if not isinstance(record.event, Attested):
            admit(record.event, book, TABLES, now_ms=record.recorded_at_ms)
        book.add(record)
