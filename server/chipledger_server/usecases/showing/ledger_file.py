"""The ledger as a file: what a filter shows, with the question and what answered it."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from chipledger_book.errors import BookError
from chipledger_book.events import Event, LedgerRecord
from chipledger_book.imports.cells import guarded
from chipledger_book.imports.table import write_csv
from chipledger_server.usecases.listing import LedgerAsked, LedgerEntry
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.parties import statement_view
from chipledger_server.usecases.times import time_text

MOST_EVENTS: Final = 100_000
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHead:
    """What a file of the ledger holds, and what answered it.

    Attributes:
        collector: which one.
        population: of which sites the reader sees events.
        filters: what was asked for, by name.
        as_of_ms: what happened later is left out.
        known_at_ms: what was recorded later is left out.
        software: name and version.
        tables: kind, id, version, status and digest of the tables that hold at that time.
    """

    collector: str
    population: str
    filters: dict[str, str]
    as_of_ms: int
    known_at_ms: int
    software: str
    tables: tuple[str, ...]


def everything(look: Look, asked: LedgerAsked) -> list[LedgerEntry]:
    """Return all that a filter shows, what happened last first.

    Raises:
        Refusal: `invalid-parameter` of more than :data:`MOST_EVENTS`.
    """
    found: list[LedgerEntry] = []
    page: Sequence[LedgerEntry] = look.snapshot.ledger_page(asked, limit=_PAGE)
    while page:
        found += page
        if len(found) > MOST_EVENTS:
            raise Refusal(
                Code.INVALID_PARAMETER,
                f"more than {MOST_EVENTS} events fit",
                hint="narrow the filter: a site, a kind, a first day",
            )
        if len(page) < _PAGE:
            break
        after = replace(asked, before=(page[-1].occurred_ms, page[-1].pos))
        page = look.snapshot.ledger_page(after, limit=_PAGE)
    return found


def as_json(head: LedgerHead, entries: Sequence[LedgerEntry]) -> bytes:
    """Return the file as JSON: the head, then every event as its record stands in the log."""
    body = {"head": {"format": "chipledger-ledger-1", **_head(head)}, "events": [*_items(entries)]}
    return msgspec.json.format(msgspec.json.encode(body), indent=1)


def as_csv(head: LedgerHead, entries: Sequence[LedgerEntry]) -> bytes:
    """Return the file as a table that an import reads, below rows that begin with ``#``.

    What fits no table (sites, licences, declared inventories, the collector's own) is named in
    the head: the JSON file has it.
    """
    fitting: list[Event] = []
    others: list[LedgerEntry] = []
    for entry in entries:
        event = _event(entry)
        try:
            write_csv((event,))
        except BookError:
            others.append(entry)
        else:
            fitting.append(event)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for name, value in _rows(head):
        writer.writerow((f"# {name}", guarded(value)))
    writer.writerow(("# events", len(entries)))
    for entry in entries:
        if entry.corrected_by is not None:
            writer.writerow(("# corrected", entry.id, entry.corrected_by[0]))
        for key, _ in entry.proposed:
            writer.writerow(("# correction proposed", entry.id, key))
    for entry in others:
        writer.writerow(("# in the JSON file alone", entry.id, entry.type, guarded(entry.words)))
    return text.getvalue().encode() + (write_csv(fitting).encode() if fitting else b"")


def _event(entry: LedgerEntry) -> Event:
    return msgspec.json.decode(entry.record, type=LedgerRecord).event


def _items(entries: Sequence[LedgerEntry]) -> Iterator[dict[str, Any]]:
    for one in entries:
        yield {
            "id": one.id,
            "site": one.site,
            "words": one.words,
            "entered_by": one.principal,
            "record": msgspec.Raw(one.record),
            "statements": [statement_view(said) for said in one.statements],
            "corrected_by": None if one.corrected_by is None else one.corrected_by[0],
            "corrections_proposed": [key for key, _ in one.proposed],
        }


def _head(head: LedgerHead) -> dict[str, Any]:
    return {
        "collector": head.collector,
        "population": head.population,
        "filters": head.filters,
        "as_of": time_text(head.as_of_ms),
        "known_at": time_text(head.known_at_ms),
        "software": head.software,
        "tables": head.tables,
    }


def _rows(head: LedgerHead) -> Iterator[tuple[str, str]]:
    for name, value in _head(head).items():
        if name == "filters":
            yield name, " ".join(f"{key}={text}" for key, text in head.filters.items()) or "none"
        elif name == "tables":
            yield from (("table", one) for one in head.tables)
        else:
            yield name, value
