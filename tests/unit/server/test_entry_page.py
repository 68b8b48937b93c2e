"""docs/BOOK.md says who enters what, and what an import file holds."""

import re
from pathlib import Path

from chipledger_book.events import Event
from chipledger_book.imports.columns import MEANINGS, SHAPES
from chipledger_book.imports.csv_rows import read_csv
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.book.rights import ENTERED_BY

PAGE = (Path(__file__).parents[3] / "docs" / "BOOK.md").read_text(encoding="utf-8")
ENTERING = PAGE.split("## Entering events", 1)[1].split("\n## ", 1)[0]
IMPORT = PAGE.split("## Bulk import", 1)[1].split("\n## ", 1)[0]
ORDER = (Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR)


def rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of a text's tables that begin with code."""
    found = re.findall(r"^\| (`[^|]*`) \| (.*) \|$", text, re.MULTILINE)
    return [[head.strip("`"), *rest.split(" | ")] for head, rest in found]


def test_who_enters_what_is_as_printed() -> None:
    """Every type, and no other."""
    printed = {head: rest[0] for head, *rest in rows(ENTERING)}

    assert printed == {
        kind: ", ".join(role for role in ORDER if role in roles)
        for kind, roles in ENTERED_BY.items()
    }


def test_every_type_has_somebody_who_enters_it() -> None:
    """Or is recorded by the collector itself."""
    own = {"installed", "moved"}
    tags = {str(kind.__struct_config__.tag) for kind in Event.__args__}

    assert tags - own <= ENTERED_BY.keys()


def test_the_columns_are_as_printed() -> None:
    """In the order of the page, with the same words."""
    printed = [(head, rest[0]) for head, *rest in rows(IMPORT) if len(rest) == 1]

    assert printed == list(MEANINGS.items())


def test_the_kinds_are_as_printed() -> None:
    """With what each needs and may have."""
    printed = {head: rest for head, *rest in rows(IMPORT) if len(rest) == 3}

    assert printed.keys() == SHAPES.keys()
    for kind, (needs, may, lines) in printed.items():
        shape = SHAPES[kind]
        named = {one.column: one.required for one in shape.fields if one.column != "remark"}
        assert set(re.findall(r"`([^`]+)`", needs)) == {name for name in named if named[name]}
        assert set(re.findall(r"`([^`]+)`", may)) == {name for name in named if not named[name]}
        assert lines == ("needed" if shape.needs_lines else "may" if shape.lists else "none")


def test_the_printed_file_is_read() -> None:
    """As one event of four things."""
    (example,) = re.findall(r"```csv\n(.*?)```", IMPORT, re.DOTALL)
    reading = read_csv(example.encode())

    assert reading.problems == ()
    assert len(reading.drafts) == 1
    assert reading.names == 3
