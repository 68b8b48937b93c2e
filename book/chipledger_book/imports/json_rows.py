"""An import file in JSON: an array of events, or one event a line, as each is read by itself."""

from collections.abc import Iterator
from typing import Final

import msgspec

from chipledger_book.errors import BookError, Code
from chipledger_book.events import Event, encode_event, event_id, read_event
from chipledger_book.imports.csv_rows import MAX_ROWS, text_of
from chipledger_book.imports.drafts import (
    Draft,
    Reading,
    RowProblem,
    file_problem,
    in_order,
)
from chipledger_book.ledger import names_of

_SPACE: Final = " \t\r\n"


def read_json(data: bytes) -> Reading:
    """Return what a JSON file amounts to, with everything that is wrong by itself, by event.

    The row of an event is its place in the array, or its line.
    """
    problems: list[RowProblem] = []
    text = text_of(data, problems)
    pieces = [] if text is None else list(_pieces(text, problems))
    if len(pieces) > MAX_ROWS:
        detail = f"more than {MAX_ROWS} events"
        problems = [file_problem(Code.IMPORT_TOO_LARGE, detail, hint="split it into several files")]
        pieces = []
    elif not pieces and not problems:
        detail = "it has no event"
        problems.append(file_problem(Code.MALFORMED_IMPORT, detail, hint="give one event at least"))
    drafts = _drafts(pieces, problems)
    return Reading(
        drafts=tuple(drafts),
        rows=len(pieces),
        names=sum(1 for draft in drafts for _ in _names(draft.event)),
        problems=in_order(problems),
    )


def write_json(events: list[Event]) -> bytes:
    """Return events as one a line; reading them again gives the same events."""
    return b"".join(encode_event(event) + b"\n" for event in events)


def _pieces(text: str, problems: list[RowProblem]) -> Iterator[tuple[int, bytes]]:
    """Yield row and bytes of every event; the bytes are read strictly afterwards."""
    if text.lstrip(_SPACE).startswith("["):
        try:
            array = msgspec.json.decode(text, type=list[msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            hint = "give an array of events, or one event a line"
            problems.append(file_problem(Code.MALFORMED_IMPORT, str(error), hint=hint))
            return
        yield from ((row, bytes(raw)) for row, raw in enumerate(array, 1))
        return
    for row, line in enumerate(text.split("\n"), 1):
        if line.strip(_SPACE):
            yield row, line.encode()


def _drafts(pieces: list[tuple[int, bytes]], problems: list[RowProblem]) -> list[Draft]:
    drafts: list[Draft] = []
    seen: dict[str, int] = {}
    for row, data in pieces:
        try:
            event = read_event(data)
        except BookError as error:
            problems.extend(
                RowProblem(
                    row=row, column=one.where, code=one.code, detail=one.detail, hint=one.hint
                )
                for one in error.problems
            )
            continue
        first = seen.setdefault(event_id(event), row)
        if first != row:
            detail = f"it is the event of row {first}"
            hint = "leave one of them out; two equal deliveries differ by time or shipment"
            problems.append(file_problem(Code.ROW_REPEATED, detail, hint=hint, row=row))
            continue
        drafts.append(Draft(event=event, row=row))
    return drafts


def _names(event: Event) -> Iterator[object]:
    yield from names_of(getattr(event, "lines", ()))
