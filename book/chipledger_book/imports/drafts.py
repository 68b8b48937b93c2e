"""Events read from a file, with the rows that they came from, and what is wrong by row."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from chipledger_book.errors import Code, Problem
from chipledger_book.events import Event
from chipledger_book.imports.columns import PDI, PIECES, SERIAL, SHAPES, SKU, UNIT, UUID

_PLACE: Final = re.compile(
    r"^(?P<member>[a-z_]+)\[(?P<line>\d+)\]"
    r"(?:\.(?:serials|chips)\[(?P<item>\d+)\])?(?:\.(?P<name>\w+))?$"
)
_COLUMNS: Final[Mapping[str, str]] = {"model": UNIT, "sku": SKU, "pieces": PIECES, "serial": SERIAL}


class RowProblem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing wrong with one row of a file.

    Attributes:
        row: its number as a spreadsheet counts, the header being row 1; of JSON the line or the
            place in the array; 0 for the file as a whole.
        column: the column, or the path into a JSON event; empty for the whole row.
        code: stable code.
        detail: what was wrong with which object.
        hint: what to do about it.
    """

    row: int
    column: str
    code: str
    detail: str
    hint: str

    def line(self) -> str:
        """Return the problem as one line of text."""
        where = f"row {self.row}" if self.row else "the file"
        at = f", {self.column}" if self.column else ""
        return f"{where}{at}: {self.code}: {self.detail} ({self.hint})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One event as a file says it.

    Attributes:
        event: what it says.
        row: the first row that says it.
        rows: member that holds lines → row of every name (or number) in each line.
        tabular: whether the file is a table, so that what is wrong has a column.
        partial: whether rows of it, or of what it names, could not be read; it is then held to
            the book as far as it goes, and what it names is not.
    """

    event: Event
    row: int
    rows: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    tabular: bool = False
    partial: bool = False

    def problem(self, found: Problem) -> RowProblem:
        """Return what is wrong with the event, by the row and column that say it."""
        row, column = self._place(found.where)
        return RowProblem(
            row=row, column=column, code=str(found.code), detail=found.detail, hint=found.hint
        )

    def _place(self, where: str) -> tuple[int, str]:
        """Return the row and column in which a member stands."""
        if not self.tabular:
            return self.row, where
        at = _PLACE.fullmatch(where)
        if at is None or at["member"] not in self.rows:
            shape = SHAPES[str(type(self.event).__struct_config__.tag)]
            return self.row, "" if where in self.rows else shape.column_of(where)
        rows = self.rows[at["member"]][int(at["line"])]
        name = at["name"] or ""
        column = name if name in (PDI, UUID) else _COLUMNS.get(name, SERIAL)
        return rows[int(at["item"] or 0)], column


def file_problem(code: Code, detail: str, *, hint: str, row: int = 0) -> RowProblem:
    """Return what is wrong with a file as a whole, or with one of its rows."""
    return RowProblem(row=row, column="", code=str(code), detail=detail, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file amounts to.

    Attributes:
        drafts: its events, in the order of their first rows; where rows could not be read, what
            can be held to the book all the same.
        rows: how many rows it has, the header left out.
        names: how many chips, boards and units it names.
        problems: what is wrong, by row; then nothing of the file may be entered.
    """

    drafts: tuple[Draft, ...]
    rows: int
    names: int
    problems: tuple[RowProblem, ...]


def in_order(problems: Sequence[RowProblem]) -> tuple[RowProblem, ...]:
    """Return problems by row, column and code."""
    return tuple(sorted(set(problems), key=lambda one: (one.row, one.column, one.code, one.detail)))
