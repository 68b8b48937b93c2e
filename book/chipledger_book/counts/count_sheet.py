"""The sheet that people take to the racks: one row for each drawn chip, as CSV or JSON.

The head of a sheet names population, plan, sample and seed, so that the sheet can be made again
from them and compared. What comes back is read strictly, and everything wrong with it is named by
row; what it means is decided in :mod:`chipledger_book.counts.counting`.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

import msgspec

from chipledger_book.counts.population import digest_of
from chipledger_book.counts.sampling import Sample
from chipledger_book.errors import BookError, Code, Problem, refuse
from chipledger_book.terms import Record, Sha256Hex, Text
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.ids import Digest, SiteName

MAX_SHEET_BYTES: Final = 64 * 1024 * 1024
SHEET_FORMAT: Final = "chipledger-count-sheet-1"
HEAD: Final = ("format", "site", "population", "plan", "sample", "seed")
PRINTED: Final = ("unit", "sku", "grade", "place", "host", "server", "board", "pdi", "uuid")
"""Columns that say what to look for; nothing in them is read back."""
WRITTEN: Final = ("outcome", "scanned", "seen_at", "remark")
"""Columns that people fill."""
COLUMNS: Final = ("number", *PRINTED, *WRITTEN)

_MARK: Final = "#"
_SEPARATORS: Final = ",;\t"  # the last two: what spreadsheets of some countries write back


class SheetRow(Record, frozen=True, kw_only=True):
    """One row: a drawn chip, or a further scan without a number.

    Attributes:
        number: the drawn chip that the row is printed for.
        outcome: empty or `seen`, `missing`, or `refused` where somebody did not let it be seen.
        scanned: what the scanner read: PDI, UUID, or serial of the board.
        seen_at: where; empty for the printed place.
        remark: in words.
    """

    number: Annotated[int, msgspec.Meta(ge=1)] | None = None
    unit: Text = ""
    sku: Text = ""
    grade: Text = ""
    place: Text = ""
    host: Text = ""
    server: Text = ""
    board: Text = ""
    pdi: Text = ""
    uuid: Text = ""
    outcome: Text = ""
    scanned: Text = ""
    seen_at: Text = ""
    remark: Text = ""


class CountSheet(Record, frozen=True, kw_only=True):
    """A sheet, printed or filled."""

    format: Literal["chipledger-count-sheet-1"]
    site: SiteName
    population: Digest
    plan: Digest
    sample: Digest
    seed: Sha256Hex
    rows: tuple[SheetRow, ...]


def sheet_of(sample: Sample) -> CountSheet:
    """Return the empty sheet of a sample."""
    return CountSheet(
        format=SHEET_FORMAT,
        site=sample.site,
        population=sample.population,
        plan=sample.plan,
        sample=digest_of(sample),
        seed=sample.seed,
        rows=tuple(
            SheetRow(number=drawn.number, **{
                name: _printed(getattr(drawn.unit, "id" if name == "unit" else name))
                for name in PRINTED
            })
            for drawn in sample.units
        ),
    )  # fmt: skip


def write_csv(sheet: CountSheet) -> str:
    """Return a sheet as CSV (RFC 4180): rows marked `#` are its head, then one row a chip."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows((_MARK, name, getattr(sheet, name)) for name in HEAD)
    writer.writerow(COLUMNS)
    writer.writerows(
        ["" if (cell := getattr(row, name)) is None else cell for name in COLUMNS]
        for row in sheet.rows
    )
    return text.getvalue()


def write_json(sheet: CountSheet) -> str:
    """Return a sheet as indented JSON."""
    return msgspec.json.format(encode_canonical(sheet), indent=1).decode() + "\n"


def read_sheet(data: bytes) -> CountSheet:
    """Return a filled sheet, whichever form it has.

    Raises:
        BookError: `malformed-sheet`, for every row that is not of the format.
    """
    if len(data) > MAX_SHEET_BYTES:
        raise _malformed(f"{len(data)} bytes, at most {MAX_SHEET_BYTES} are accepted")
    try:
        text = data.decode("utf-8-sig")  # spreadsheets put a mark in front
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8: {error}") from error
    if text.startswith(_MARK):
        return _read_csv(text)
    try:
        return msgspec.json.decode(text, type=CountSheet, strict=True)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(str(error)) from error


def _read_csv(text: str) -> CountSheet:
    separator = text[1:2]
    if separator not in _SEPARATORS or not separator:
        raise _malformed("the first line is not the head of a count sheet")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise _malformed(f"line {reader.line_num}: {error}") from error
    marked = [cells for _, cells in lines if cells[0] == _MARK]
    head = {cells[1]: cells[2] for cells in marked if len(cells) > 2}  # noqa: PLR2004 - #, name, value
    body = [(number, cells) for number, cells in lines if cells[0] != _MARK]
    if not body or not {"number", *WRITTEN} <= set(body[0][1]):
        raise _malformed(f"no line names the columns {', '.join(('number', *WRITTEN))}")
    problems: list[Problem] = []
    rows = tuple(_rows(body[0][1], body[1:], problems))
    if problems:
        raise BookError(problems)
    try:
        return msgspec.convert({**head, "rows": rows}, CountSheet, strict=True)
    except msgspec.ValidationError as error:
        raise _malformed(str(error)) from error


def _rows(
    columns: Sequence[str], lines: Sequence[tuple[int, list[str]]], problems: list[Problem]
) -> Iterator[SheetRow]:
    """Yield the rows of a table, and add what is wrong with each that is none."""
    names = [name.strip() for name in columns]
    for line, cells in lines:
        beyond = [cell for cell in cells[len(names) :] if cell.strip()]
        if beyond:
            problems.append(_row_problem(line, f"cells beyond the columns: {beyond[0]!r}"))
            continue
        known = {
            name: cell.strip()
            for name, cell in zip(names, cells, strict=False)
            if name in COLUMNS and cell.strip()
        }
        try:
            yield msgspec.convert(known, SheetRow, strict=False)
        except msgspec.ValidationError as error:
            problems.append(_row_problem(line, str(error)))


def _printed(value: str | None) -> str:
    return "" if value is None else value


def _row_problem(line: int, detail: str) -> Problem:
    return Problem(
        code=Code.MALFORMED_SHEET,
        where=f"line {line}",
        detail=detail,
        hint="keep the printed columns as they are and fill the last four",
    )


def _malformed(detail: str) -> BookError:
    return refuse(Code.MALFORMED_SHEET, detail, hint="fill the sheet that `chipledger-audit` wrote")
