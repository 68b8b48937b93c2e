"""Rows become events: which rows are one event, and what each of its lines names."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from chipledger_book.errors import Code
from chipledger_book.events import MAX_LINES, MAX_SERIALS, Event, event_id
from chipledger_book.imports.cells import CellError, held, time_ms, value_of, whole_number
from chipledger_book.imports.columns import (
    DOCUMENT,
    HAPPENED,
    KIND,
    LABEL,
    LINE_COLUMNS,
    PART,
    PDI,
    PIECES,
    REFERENCES,
    ROW_COLUMNS,
    SERIAL,
    SHAPES,
    SKU,
    TITLE,
    UNIT,
    UUID,
    Shape,
)
from chipledger_book.imports.drafts import Draft, RowProblem
from chipledger_book.terms import Pdi, Serial, Sha256Hex, SkuName, Text, Uuid

FILE: Final = "file:"
"""What a reference to an event of the same file begins with."""
_TYPES: Final[Mapping[str, Any]] = {
    SKU: SkuName,
    UNIT: SkuName,
    SERIAL: Serial,
    PDI: Pdi,
    UUID: Uuid,
    DOCUMENT: Sha256Hex,
    TITLE: Text,
}
_SEE: Final = "docs/BOOK.md, Bulk import, says what each kind takes"

LineKey = tuple[str, str, str]
"""Member of the event, `by`, and model."""


@dataclass(slots=True)
class _Event:
    """An event while its rows are read.

    Attributes:
        shape: what its kind takes.
        row: the first row.
        plain: its members.
        label: its name in the file.
        refers: members that name another event of the file → its label.
        lines: what each line names, with its row.
        documents: digest and title of each paper → first row.
        partial: whether a row of it could not be read.
    """

    shape: Shape
    row: int
    plain: dict[str, Any]
    label: str
    refers: dict[str, str]
    lines: dict[LineKey, list[tuple[Any, int]]] = field(default_factory=lambda: defaultdict(list))
    documents: dict[tuple[str, str], int] = field(default_factory=dict)
    partial: bool = False


class Gathering:
    """Takes rows, and gives the events that they are.

    Attributes:
        names: how many chips, boards and units were named.
    """

    def __init__(self, problems: list[RowProblem]) -> None:
        self.names = 0
        self._problems = problems
        self._events: dict[tuple[tuple[str, str], ...], _Event | None] = {}
        self._labels: dict[str, tuple[int, dict[str, str]]] = {}
        self._rows: dict[tuple[tuple[str, str], ...], int] = {}

    def take(self, row: int, cells: dict[str, str]) -> None:
        """Take up one row; what is wrong with it is added to the problems."""
        whole = tuple(sorted(cells.items()))
        first = self._rows.setdefault(whole, row)
        if first != row:
            detail = f"it says the same as row {first}"
            self._add((row, ""), Code.ROW_REPEATED, detail, "leave one of them out")
            return
        head = {name: text for name, text in cells.items() if name not in ROW_COLUMNS}
        key = tuple(sorted(head.items()))
        if key not in self._events:
            self._agrees(row, head)
            self._events[key] = self._event(row, head)
        event = self._events[key]
        if event is None:  # its first row says why
            shape = SHAPES.get(cells.get(KIND, ""))
            event = None if shape is None else _Event(shape, row, {}, "", {})
        if event is not None:
            before = len(self._problems)
            self._line(row, cells, event)
            self._document(row, cells, event)
            event.partial |= len(self._problems) > before

    def drafts(self) -> tuple[Draft, ...]:
        """Return the events as far as they could be read, in the order of their first rows."""
        waiting = [event for event in self._events.values() if event is not None]
        ids: dict[str, str] = {}
        partial: set[str] = set()
        made: list[Draft] = []
        progress = True
        while waiting and progress:
            ready: list[_Event] = []
            later: list[_Event] = []
            for one in waiting:
                stand = all(label in ids for label in one.refers.values())
                (ready if stand else later).append(one)
            for one in ready:
                one.plain |= {member: ids[label] for member, label in one.refers.items()}
                one.partial |= not partial.isdisjoint(one.refers.values())
                draft = self._draft(one)
                if draft is not None:
                    made.append(draft)
                    if one.label:
                        ids[one.label] = event_id(draft.event)
                        partial |= {one.label} if one.partial else set()
            progress = bool(ready)
            waiting = later
        for one in waiting:
            self._dangling(one, ids)
        return tuple(sorted(made, key=lambda draft: draft.row))

    def _add(self, at: tuple[int, str], code: Code, detail: str, hint: str) -> None:
        """Add what is wrong at a row and column."""
        row, column = at
        self._problems.append(
            RowProblem(row=row, column=column, code=str(code), detail=detail, hint=hint)
        )

    def _agrees(self, row: int, head: Mapping[str, str]) -> None:
        """Hold a new event to the row that used its label first."""
        label = head.get(LABEL)
        if label is None:
            return
        first, other = self._labels.setdefault(label, (row, dict(head)))
        for column in sorted({*head, *other}) if first != row else ():
            if head.get(column) != other.get(column):
                detail = f"{head.get(column, '')!r}, where row {first} of {label!r} has"
                detail += f" {other.get(column, '')!r}"
                hint = "rows with one label are one event: make them agree, or give another label"
                self._add((row, column), Code.ROWS_DISAGREE, detail, hint)

    def _event(self, row: int, head: Mapping[str, str]) -> _Event | None:
        shape = SHAPES.get(head.get(KIND, ""))
        if shape is None:
            self._no_kind(row, head)
            return None
        before = len(self._problems)
        plain: dict[str, Any] = {"type": shape.kind}
        refers: dict[str, str] = {}
        self._happened(row, head, plain)
        for one in shape.fields:
            text = head.get(one.column)
            if text is None:
                continue
            if one.column in REFERENCES and text.startswith(FILE):
                refers[one.path[0]] = text.removeprefix(FILE)
                continue
            try:
                value = value_of(text, one)
            except CellError as error:
                self._add((row, one.column), Code.CELL_MALFORMED, str(error), _SEE)
                continue
            into = plain if len(one.path) == 1 else plain.setdefault(one.path[0], {})
            into[one.path[-1]] = value
        self._complete(row, head, shape)
        good = len(self._problems) == before
        return _Event(shape, row, plain, head.get(LABEL, ""), refers) if good else None

    def _no_kind(self, row: int, head: Mapping[str, str]) -> None:
        kind = head.get(KIND)
        if kind is None:
            self._add((row, KIND), Code.CELL_MISSING, "it says no kind of event", _SEE)
            return
        hint = f"one of {', '.join(sorted(SHAPES))}; sites, licences and declared inventories as"
        self._add(
            (row, KIND), Code.UNKNOWN_EVENT_KIND, f"there is no kind {kind[:80]!r} in a table",
            f"{hint} JSON",
        )  # fmt: skip

    def _happened(self, row: int, head: Mapping[str, str], plain: dict[str, Any]) -> None:
        try:
            if HAPPENED in head:
                plain["occurred_at_ms"] = time_ms(head[HAPPENED])
        except CellError as error:
            self._add(
                (row, HAPPENED), Code.CELL_MALFORMED, str(error), "write the day and its zone"
            )

    def _complete(self, row: int, head: Mapping[str, str], shape: Shape) -> None:
        """Name the columns that the kind needs and the row leaves empty, and those it has not."""
        groups: dict[str, list[str]] = defaultdict(list)
        for one in shape.fields:
            groups[one.path[0]].append(one.column)
        needed = {HAPPENED, *(one.column for one in shape.fields if one.required)}
        for member in groups.values():
            if len(member) > 1 and any(column in head for column in member):
                needed |= {column for column in member if not column.endswith("_title")}
        for column in sorted(needed - head.keys()):
            self._add(
                (row, column), Code.CELL_MISSING, f"a {shape.kind} needs {column}", "fill the cell"
            )
        takes = {LABEL, KIND, HAPPENED, *(one.column for one in shape.fields)}
        for column in sorted(head.keys() - takes):
            detail = f"a {shape.kind} takes no {column}"
            self._add((row, column), Code.CELL_UNUSED, detail, "empty the cell, or change the kind")

    def _line(self, row: int, cells: Mapping[str, str], event: _Event) -> None:
        said = {column: cells[column] for column in LINE_COLUMNS if column in cells}
        if not event.shape.lists:
            for column in said:
                detail = f"a {event.shape.kind} names no chips"
                self._add((row, column), Code.CELL_UNUSED, detail, "empty the cell")
            return
        member = self._member(row, said, event.shape)
        if not said:
            if event.shape.needs_lines and DOCUMENT not in cells:
                detail = f"a {event.shape.kind} names what it is about, and this row names nothing"
                self._add((row, SKU), Code.CELL_MISSING, detail, _SEE)
            return
        named = self._thing(row, said)
        if named is not None and member is not None:
            by, model, thing = named
            event.lines[member, by, model].append((thing, row))
            self.names += by != "count"

    def _member(self, row: int, said: dict[str, str], shape: Shape) -> str | None:
        """Return the member that holds the line of a row."""
        part = said.pop(PART, None)
        if len(shape.lists) == 1:
            if part is not None:
                self._add(
                    (row, PART), Code.CELL_UNUSED, f"a {shape.kind} has no parts", "empty the cell"
                )
            return shape.lists[0]
        if part in shape.lists:
            return part
        code = Code.CELL_MISSING if part is None else Code.CELL_MALFORMED
        self._add(
            (row, PART), code, f"it is not said which: {', '.join(shape.lists)}", "fill the cell"
        )
        return None

    def _thing(self, row: int, said: Mapping[str, str]) -> tuple[str, str, Any] | None:
        """Return `by`, the model and what a row names; None after adding what is wrong."""
        before = len(self._problems)
        for column, text in said.items():
            try:
                if column == PIECES:
                    whole_number(text)
                else:
                    held(text, _TYPES[column], column)
            except CellError as error:
                code = Code.QUANTITY_NOT_INTEGER if column == PIECES else Code.CELL_MALFORMED
                self._add((row, column), code, str(error), _SEE)
        if (SKU in said) == (UNIT in said):
            code = Code.CELL_UNUSED if SKU in said else Code.CELL_MISSING
            self._add((row, SKU), code, "a row names either a sku or a unit", _SEE)
        elif not said.keys() & {SERIAL, PDI, UUID, PIECES}:
            self._add((row, SERIAL), Code.CELL_MISSING, "it names no serial and no number", _SEE)
        for column in _contradicting(said):
            detail = "pieces stand for chips without a name, and a unit has a serial alone"
            self._add((row, column), Code.CELL_UNUSED, detail, "keep one way to say what it is")
        return None if len(self._problems) > before else _line_of(said)

    def _document(self, row: int, cells: Mapping[str, str], event: _Event) -> None:
        digest, title = cells.get(DOCUMENT), cells.get(TITLE, "")
        if digest is None:
            if title:
                self._add(
                    (row, DOCUMENT), Code.CELL_MISSING, "a title without its document", "give both"
                )
            return
        try:
            held(digest, Sha256Hex, DOCUMENT)
        except CellError as error:
            self._add((row, DOCUMENT), Code.CELL_MALFORMED, str(error), "as sha256sum prints it")
            return
        event.documents.setdefault((digest, title), row)

    def _draft(self, one: _Event) -> Draft | None:
        """Return the event of a group of rows; None after adding what is wrong with it."""
        rows: dict[str, list[list[int]]] = {member: [] for member in one.shape.lists}
        for member, line, at in _lines(one.lines):
            one.plain.setdefault(member, []).append(line)
            rows[member].append(at)
        if one.documents:
            one.plain["documents"] = [
                {"sha256": digest, "title": title} if title else {"sha256": digest}
                for digest, title in sorted(one.documents)
            ]
        if any(len(lines) > MAX_LINES for lines in rows.values()):
            detail = f"more than {MAX_LINES} lines in one event"
            self._add((one.row, SKU), Code.EVENT_TOO_LARGE, detail, _SPLIT)
            return None
        if one.partial and one.shape.needs_lines and not rows[one.shape.lists[0]]:
            return None  # its rows say why
        try:
            event: Event = msgspec.convert(one.plain, one.shape.struct, strict=True)
        except msgspec.ValidationError as error:
            self._add((one.row, ""), Code.MALFORMED_EVENT, str(error), _SEE)
            return None
        return Draft(event=event, row=one.row, rows=rows, tabular=True, partial=one.partial)

    def _dangling(self, one: _Event, ids: Mapping[str, str]) -> None:
        for member, label in one.refers.items():
            if label not in ids:
                detail = f"the file has no event {label!r}, or the two name each other"
                hint = "give the label of an event of this file, or the id of one on the book"
                self._add((one.row, member), Code.UNKNOWN_EVENT, detail, hint)


_SPLIT: Final = "give parts of it labels of their own in the column event"


def _contradicting(said: Mapping[str, str]) -> Iterator[str]:
    """Yield the cells that a row with pieces, or of a unit, cannot have."""
    wrong = {SERIAL, PDI, UUID, UNIT} if PIECES in said else set()
    wrong |= {PDI, UUID} if UNIT in said else set()
    yield from sorted(wrong & said.keys())


def _line_of(said: Mapping[str, str]) -> tuple[str, str, Any]:
    if PIECES in said:
        return "count", said[SKU], int(said[PIECES])
    if UNIT in said:
        return "unit", said[UNIT], said[SERIAL]
    if PDI in said or UUID in said:
        names = (PDI, UUID, SERIAL)
        return "chip", said[SKU], tuple((name, said[name]) for name in names if name in said)
    return "board", said[SKU], said[SERIAL]


def _lines(
    lines: Mapping[LineKey, Sequence[tuple[Any, int]]],
) -> Iterator[tuple[str, dict[str, Any], list[int]]]:
    """Yield member, line and rows, in one order whatever order the rows had."""
    for (member, by, model), things in sorted(lines.items()):
        ordered = sorted(things)
        if by == "count":
            for pieces, row in ordered:
                yield member, {"by": by, "sku": model, "pieces": pieces}, [row]
            continue
        for part in _parts(ordered):
            named = [thing for thing, _ in part]
            rows = [row for _, row in part]
            if by == "chip":
                yield member, {"by": by, "sku": model, "chips": [dict(one) for one in named]}, rows
            else:
                key = "model" if by == "unit" else "sku"
                yield member, {"by": by, key: model, "serials": named}, rows


def _parts(ordered: Iterable[tuple[Any, int]]) -> Iterator[list[tuple[Any, int]]]:
    things = iter(ordered)
    while part := list(itertools.islice(things, MAX_SERIALS)):
        yield part
