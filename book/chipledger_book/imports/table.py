"""Events written as a CSV table: what a spreadsheet shows, and what an import reads again."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from chipledger_book.errors import Code, refuse
from chipledger_book.events import Event, event_id
from chipledger_book.imports.cells import guarded, time_text
from chipledger_book.imports.columns import (
    DOCUMENT,
    HAPPENED,
    KIND,
    LABEL,
    PART,
    PDI,
    PIECES,
    SERIAL,
    SHAPES,
    SKU,
    TITLE,
    UNIT,
    UUID,
    Shape,
    known_columns,
)

_MEMBERS: Final = {"pdi": PDI, "uuid": UUID, "serial": SERIAL}


def write_csv(events: Iterable[Event]) -> str:
    """Return events as a table, one row a thing; only columns that hold anything.

    Reading it gives events that say the same, with lines and papers in one order. The label of
    each is the beginning of its id, so that two equal ones stay two.

    Raises:
        BookError: `unknown-event-kind`: a site, licence or declared inventory fits no table.
    """
    rows = [row for event in events for row in _rows(event)]
    used = {column for row in rows for column in row}
    columns = [column for column in known_columns() if column in used]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows({name: guarded(cell) for name, cell in row.items()} for row in rows)
    return text.getvalue()


def _rows(event: Event) -> Iterator[dict[str, str]]:
    """Yield the rows of one event: one for each thing, and one for each paper beyond them."""
    plain = msgspec.to_builtins(event)
    shape = SHAPES.get(plain["type"])
    if shape is None:
        raise refuse(
            Code.UNKNOWN_EVENT_KIND,
            f"a {plain['type']} fits no table",
            hint="write it as JSON",
        )
    head = {LABEL: event_id(event)[:12], KIND: shape.kind, **_head(plain, shape)}
    things = list(_things(plain, shape))
    papers = [
        {DOCUMENT: paper["sha256"], **({TITLE: paper["title"]} if paper.get("title") else {})}
        for paper in plain.get("documents", ())
    ]
    for position in range(max(1, len(things), len(papers))):
        thing = things[position] if position < len(things) else {}
        paper = papers[position] if position < len(papers) else {}
        yield {**head, **thing, **paper}


def _head(plain: dict[str, Any], shape: Shape) -> dict[str, str]:
    cells = {HAPPENED: time_text(plain["occurred_at_ms"])}
    for field in shape.fields:
        value: Any = plain
        for member in field.path:
            value = value.get(member) if value is not None else None
        if value is None or value == "":
            continue
        if field.is_time:
            cells[field.column] = time_text(value)
        else:
            cells[field.column] = " ".join(value) if field.many else str(value)
    return cells


def _things(plain: dict[str, Any], shape: Shape) -> Iterator[dict[str, str]]:
    for member in shape.lists:
        part = {PART: member} if len(shape.lists) > 1 else {}
        for line in plain.get(member, ()):
            yield from ({**part, **cells} for cells in _cells(line))


def _cells(line: dict[str, Any]) -> Iterator[dict[str, str]]:
    match line["by"]:
        case "count":
            yield {SKU: line["sku"], PIECES: str(line["pieces"])}
        case "chip":
            for chip in line["chips"]:
                yield {SKU: line["sku"], **{_MEMBERS[name]: chip[name] for name in chip}}
        case "board":
            yield from ({SKU: line["sku"], SERIAL: serial} for serial in line["serials"])
        case _:
            yield from ({UNIT: line["model"], SERIAL: serial} for serial in line["serials"])
