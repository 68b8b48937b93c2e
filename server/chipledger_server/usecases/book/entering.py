"""Entering the events of a file: all of them in one transaction, or none.

The file is held to the book before the ledger is locked, so that a large one does not keep
reports waiting; if somebody wrote in between, it is held to the book once more under the lock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from chipledger_book.errors import Problem
from chipledger_book.events import Event, LedgerRecord
from chipledger_book.imports.batch import Batch, Entrance, Progress, admit_all
from chipledger_book.imports.csv_rows import read_csv
from chipledger_book.imports.drafts import Reading, RowProblem, in_order
from chipledger_book.imports.json_rows import read_json
from chipledger_book.ledger import Book, fold
from chipledger_book.rules import Tables
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.book.entry import (
    Ledger,
    LedgerPage,
    SiteRow,
    Speaker,
    declared_site,
    draft_of,
    row_of,
    statement_of,
)
from chipledger_server.usecases.book.rights import entry_problems, speaker_for
from chipledger_server.usecases.people import Hand

__all__ = ["Imported", "Speaking", "by_principal", "by_speaker", "enter_all", "read_file"]


class Imported(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of an import.

    Attributes:
        rows: rows of the file.
        names: chips, boards and units that it names.
        events: events that it amounts to.
        entered: ids of those that were entered, or would be; empty where there are problems.
        known: ids of those that the book held already.
        problems: everything that is wrong, by row; nothing was entered then.
        dry_run: whether nothing was to be entered.
    """

    rows: int
    names: int
    events: int
    entered: tuple[str, ...]
    known: tuple[str, ...]
    problems: tuple[RowProblem, ...]
    dry_run: bool


class Speaking(Protocol):
    """Who enters, and what they may enter."""

    def speaker(self, event: Event, book: Book) -> Speaker:
        """Return as whom they speak."""

    def forbid(self, event: Event, book: Book) -> Sequence[Problem]:
        """Return why they may not enter an event, or nothing."""


@dataclass(frozen=True, slots=True)
class _Always:
    """Somebody at the collector's own machine, who says as whom they speak."""

    said: Speaker

    def speaker(self, event: Event, book: Book) -> Speaker:  # noqa: ARG002 - the same for all
        return self.said

    def forbid(self, event: Event, book: Book) -> Sequence[Problem]:  # noqa: ARG002 - nothing
        return ()


@dataclass(frozen=True, slots=True)
class _Principal:
    """Somebody in a session or with a token."""

    who: Principal

    def speaker(self, event: Event, book: Book) -> Speaker:
        return speaker_for(self.who, event, book)

    def forbid(self, event: Event, book: Book) -> Sequence[Problem]:
        return entry_problems(self.who, event, book)


def by_speaker(speaker: Speaker) -> Speaking:
    """Return somebody who speaks as one and the same, and may enter everything."""
    return _Always(speaker)


def by_principal(principal: Principal) -> Speaking:
    """Return a principal, who speaks as its role and may enter what is its to enter."""
    return _Principal(principal)


def read_file(data: bytes) -> Reading:
    """Return what a file amounts to: JSON if it begins as JSON does, else a CSV table."""
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1]
    return read_json(data) if start in (b"[", b"{") else read_csv(data)


def enter_all(
    reading: Reading,
    ledger: Ledger,
    tables: Tables,
    hand: Hand,
    *,
    speaking: Speaking,
    dry_run: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> Imported:
    """Enter the events of a file, all of them or none.

    Entering a file again changes nothing: all its events are known then. What is wrong with any
    of them is in the answer, by row.
    """
    events = [draft.event for draft in reading.drafts]
    with ledger.writing() as page:
        before = page.bearing(events)
    admit = _admission(reading, tables, hand, speaking, progress=progress)
    batch = admit(before)
    if reading.problems or batch.problems or dry_run or not batch.entering:
        return _answer(reading, batch, dry_run=dry_run)
    with ledger.writing() as page:
        now = page.bearing(events)
        if _size(now) != _size(before):  # the ledger only grows
            batch = admit(now)
        if not batch.problems:
            _write(page, batch, fold(now), hand)
    return _answer(reading, batch, dry_run=False)


def _size(records: Sequence[LedgerRecord]) -> tuple[int, int]:
    """Return how many events bear on a file, and how many statements decide about them."""
    return len(records), sum(len(record.statements) for record in records)


def _admission(
    reading: Reading, tables: Tables, hand: Hand, speaking: Speaking, *, progress: Progress
) -> Callable[[Sequence[LedgerRecord]], Batch]:
    """Return what holds the file to a ledger."""

    def admit(records: Sequence[LedgerRecord]) -> Batch:
        book = fold(records)
        entrance = Entrance(
            tables=tables,
            now_ms=hand.now_ms,
            speak=lambda event: (statement_of(speaking.speaker(event, book), hand, event),),
            forbid=speaking.forbid,
            progress=progress,
        )
        return admit_all(reading.drafts, book, entrance)

    return admit


def _write(page: LedgerPage, batch: Batch, book: Book, hand: Hand) -> None:
    """Append every new event with its log record, and what they change about their sites."""
    sites: dict[str, SiteRow] = {}
    entries = []
    for key, record in batch.entering:
        entries.append((row_of(record.event, key, book, hand), draft_of(record, key, hand)))
        book.add(record)
        changed = declared_site(record.event, book)
        if changed is not None:
            sites[changed.site.id] = changed
    page.append_all(entries)
    for changed in sites.values():
        page.put_site(changed)


def _answer(reading: Reading, batch: Batch, *, dry_run: bool) -> Imported:
    problems = in_order((*reading.problems, *batch.problems))
    return Imported(
        rows=reading.rows,
        names=reading.names,
        events=len(reading.drafts),
        entered=() if problems else tuple(str(key) for key, _ in batch.entering),
        known=tuple(str(key) for key in batch.known),
        problems=problems,
        dry_run=dry_run,
    )
