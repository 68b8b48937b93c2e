"""An import file in CSV: RFC 4180, UTF-8, `,` or `;` or tab, one header row.

Every row names at most one thing: a chip, a board, a unit, a number of chips, or a paper. Rows
that say the same of the event are one event, wherever in the file they stand; so any order of
the rows gives the same events.
"""

import codecs
import csv
import difflib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from chipledger_book.errors import Code
from chipledger_book.imports.cells import MAX_CELL, plain_text
from chipledger_book.imports.columns import HAPPENED, KIND, known_columns
from chipledger_book.imports.drafts import Reading, RowProblem, file_problem, in_order
from chipledger_book.imports.gathering import Gathering

MAX_IMPORT_BYTES: Final = 32 * 1024 * 1024
"""Largest file, in bytes."""
MAX_ROWS: Final = 200_000
"""Most rows of one file, the header left out."""
_SEPARATORS: Final = (",", ";", "\t")  # the last two: what spreadsheets of some countries write
_OTHER_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HINT: Final = "save it as CSV in UTF-8"


@dataclass(slots=True)
class _Table:
    """The cells of a file.

    Attributes:
        columns: names of the columns, as the header gives them.
        rows: number and cells of every row that is not empty.
        problems: what is wrong.
    """

    columns: list[str] = field(default_factory=list)
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)


def read_csv(data: bytes) -> Reading:
    """Return what a CSV file amounts to, with everything that is wrong by itself, by row."""
    table = _Table()
    text = _text(data, table)
    if text is not None:
        _cells(text, table)
    if table.problems:
        return Reading(drafts=(), rows=len(table.rows), names=0, problems=in_order(table.problems))
    gathering = Gathering(table.problems)
    for row, cells in _named(table):
        gathering.take(row, cells)
    drafts = gathering.drafts()
    if not table.rows:
        table.problems.append(
            file_problem(Code.MALFORMED_IMPORT, "it has no row", hint="give one row a thing")
        )
    return Reading(
        drafts=drafts,
        rows=len(table.rows),
        names=gathering.names,
        problems=in_order(table.problems),
    )


def text_of(data: bytes, problems: list[RowProblem]) -> str | None:
    """Return the text of a file, or None after adding why it has none."""
    detail = hint = ""
    if len(data) > MAX_IMPORT_BYTES:
        detail = f"{len(data)} bytes, at most {MAX_IMPORT_BYTES} are accepted"
        problems.append(
            file_problem(Code.IMPORT_TOO_LARGE, detail, hint="split it into several files")
        )
        return None
    if data.startswith(_OTHER_MARKS):
        detail, hint = "the text is UTF-16", _HINT
    elif b"\x00" in data:
        detail, hint = "it holds NUL bytes: no text", _HINT
    else:
        try:
            return data.decode("utf-8-sig")  # spreadsheets put a mark in front
        except UnicodeDecodeError as error:
            row = data[: error.start].count(b"\n") + 1
            detail, hint = f"not UTF-8 at byte {error.start}, line {row}: {error.reason}", _HINT
    problems.append(file_problem(Code.MALFORMED_IMPORT, detail, hint=hint))
    return None


def _text(data: bytes, table: _Table) -> str | None:
    return text_of(data, table.problems)


def _cells(text: str, table: _Table) -> None:
    """Split a text into its cells, and hold its header to the known columns."""
    if not text.strip():
        detail = "it is empty"
        table.problems.append(file_problem(Code.MALFORMED_IMPORT, detail, hint="give a header"))
        return
    head = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            if number == 1:
                table.columns = [plain_text(cell).lower() for cell in cells]
            elif any(map(str.strip, cells)):
                table.rows.append((number, cells))
            if len(table.rows) > MAX_ROWS:
                detail = f"more than {MAX_ROWS} rows"
                hint = "split it into several files, whole events in each"
                table.problems.append(file_problem(Code.IMPORT_TOO_LARGE, detail, hint=hint))
                return
    except csv.Error as error:
        hint = 'put a cell that holds " into quotes, and write " twice inside'
        table.problems.append(
            file_problem(Code.MALFORMED_IMPORT, f"quotes: {error}", hint=hint, row=number + 1)
        )
    _header(table)


def _header(table: _Table) -> None:
    known = known_columns()
    for position, name in enumerate(table.columns):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            shown = repr(name) if name else f"column {position + 1} without a name"
            _wrong_column(
                table, name, f"there is no column {shown}", f"did you mean {near[0]}?" if near else
                "leave it out; docs/BOOK.md lists the columns",
            )  # fmt: skip
        elif name in table.columns[:position]:
            _wrong_column(table, name, f"the column {name} stands twice", "leave one out")
    for name in (KIND, HAPPENED):
        if name not in table.columns:
            _wrong_column(
                table, name, f"no column {name}", "begin with the header that docs/BOOK.md shows"
            )


def _wrong_column(table: _Table, column: str, detail: str, hint: str) -> None:
    table.problems.append(
        RowProblem(row=1, column=column[:64], code=Code.UNKNOWN_COLUMN, detail=detail, hint=hint)
    )


def _named(table: _Table) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield number and cells by column of every row that has only cells under columns."""
    for number, cells in table.rows:
        beyond = next((cell for cell in cells[len(table.columns) :] if cell.strip()), None)
        if beyond is not None:
            detail = f"a cell beyond the columns: {beyond.strip()[:80]!r}"
            hint = "put a cell that holds the separator into quotes"
            table.problems.append(
                file_problem(Code.MALFORMED_IMPORT, detail, hint=hint, row=number)
            )
            continue
        named = _by_column(table.columns, cells)
        long = [column for column, text in named.items() if len(text) > MAX_CELL]
        for column in long:
            detail = f"{len(named[column])} characters, at most {MAX_CELL} are accepted"
            table.problems.append(
                RowProblem(
                    row=number, column=column, code=Code.CELL_MALFORMED, detail=detail,
                    hint="shorten it",
                )
            )  # fmt: skip
        if not long:
            yield number, named


def _by_column(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    pairs = zip(columns, cells, strict=False)
    return {column: text for column, cell in pairs if (text := plain_text(cell))}
