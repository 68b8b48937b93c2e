"""docs/BOOK.md says what the code does."""

import re
from pathlib import Path

import msgspec
import pytest

from chipledger_book.admission import problems
from chipledger_book.events import Event, Role, Strength, read_event
from chipledger_book.licences import LicenceType, QuantityUnit
from chipledger_book.matching import KINDS
from chipledger_book.report import Authorisation, BalanceRow, Physical
from chipledger_book.terms import Force
from chipledger_testing.book import NOW, TABLES, book_of

PAGE = (Path(__file__).parents[3] / "docs" / "BOOK.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json event\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_of_the_page_are_admitted_in_turn() -> None:
    """Site, licence and receipt as printed enter an empty book."""
    events = [read_event(text.encode()) for text in EXAMPLES]
    site = next(event for event in events if type(event).__name__ == "SiteDeclared")
    grant = next(event for event in events if type(event).__name__ == "LicenceGranted")
    book = book_of(site, grant)

    assert len(events) == 3
    for event in events:
        assert list(problems(event, book, TABLES, now_ms=NOW)) == []


def tags() -> list[str]:
    """Return the tags of all kinds of event."""
    info = msgspec.inspect.type_info(Event)
    assert isinstance(info, msgspec.inspect.UnionType)
    return [str(one.tag) for one in info.types if isinstance(one, msgspec.inspect.StructType)]


@pytest.mark.parametrize(
    "word",
    [
        *tags(),
        *Role,
        *Strength,
        *LicenceType,
        *QuantityUnit,
        *Force,
        *(verdict for verdict in Physical if verdict != "agrees"),
        *(verdict for verdict in Authorisation if verdict != "within"),
    ],
)
def test_every_word_of_the_format_is_on_the_page(word: str) -> None:
    """A reader of the page meets no surprise in the data."""
    assert f"`{word}`" in PAGE


def test_every_kind_of_name_and_column_is_on_the_page() -> None:
    """The arithmetic on the page names the columns of the format."""
    columns = {"transfer_in", "rma_in", "shipped", "transfer_out", "rma_out", "disposed"}

    assert all(kind in PAGE or kind.upper() in PAGE for kind in KINDS)
    assert columns <= set(BalanceRow.__struct_fields__)
    assert all(column in PAGE for column in columns)
