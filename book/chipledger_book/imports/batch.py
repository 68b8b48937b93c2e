"""Whether the events of a file may enter the book together: all of them, or none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from chipledger_book.admission import problems as admission_problems
from chipledger_book.agreement import recorded
from chipledger_book.errors import Code, Problem
from chipledger_book.events import (
    Correction,
    Event,
    LedgerRecord,
    LicenceGranted,
    SiteDeclared,
    Statement,
    event_id,
)
from chipledger_book.imports.drafts import Draft, RowProblem, in_order
from chipledger_book.ledger import Book, answered_by
from chipledger_book.rules import Tables
from chipledger_book.sides import statement_problems
from chipledger_book.terms import EventId

MAX_PASSES: Final = 8
"""How often events that wait for others of the file are tried again."""

_OF_WHOLE: Final = frozenset(
    {
        Code.MORE_RECEIVED_THAN_SHIPPED,
        Code.NOT_ON_BOOK,
        Code.DIFFERENCE_EMPTY,
        Code.DOCUMENT_MISSING,
        Code.ANSWER_DOES_NOT_FIT,
        Code.TRANSFER_WITHOUT_COUNTERPART,
    }
)
"""What only an event that was read whole, and what it names, can be blamed for."""

Progress = Callable[[int, int], None]
"""Told how many events of how many are admitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What becomes of the events of a file.

    Attributes:
        entering: ids and records of those that are new, each after those that it builds on.
        known: ids of those that the book holds already.
        problems: what is wrong, by row; then nothing enters.
    """

    entering: tuple[tuple[EventId, LedgerRecord], ...]
    known: tuple[EventId, ...]
    problems: tuple[RowProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """Who enters, when, and what may be entered.

    Attributes:
        tables: the rules.
        now_ms: when, Unix milliseconds.
        speak: who stands behind an event.
        forbid: what the one who enters may not enter, beside what the book refuses.
        progress: told how far it is.
    """

    tables: Tables
    now_ms: int
    speak: Callable[[Event], tuple[Statement, ...]]
    forbid: Callable[[Event, Book], Sequence[Problem]] = lambda _event, _book: ()
    progress: Progress = lambda _done, _all: None


def admit_all(drafts: Sequence[Draft], book: Book, entrance: Entrance) -> Batch:
    """Hold the events of a file to a book and to each other, in an order of our own.

    The book takes up every event that may enter, so it must be the caller's own. In which order
    the file has them makes no difference: what builds on another event of the file waits for it.
    """
    waiting = sorted(((_place(draft.event), draft) for draft in drafts), key=lambda one: one[0])
    rows = {place[-1]: draft.row for place, draft in waiting}
    entering: list[tuple[EventId, LedgerRecord]] = []
    known: list[EventId] = []
    wrong: list[RowProblem] = []
    for _ in range(MAX_PASSES):
        refused: list[tuple[tuple[int, int, int, str], Draft]] = []
        wrong = []
        for place, draft in waiting:
            key = EventId(place[-1])
            if book.event(key) is not None and book.corrected_by(key) is None:
                known.append(key)
                continue
            found, record = _try(draft, book, entrance)
            if found:
                refused.append((place, draft))
                wrong.extend(_by_row(draft, one, rows) for one in found)
                continue
            book.add(record)
            entering.append((key, record))
            entrance.progress(len(entering), len(drafts))
        if not refused or len(refused) == len(waiting):
            break
        waiting = refused
    return Batch(entering=tuple(entering), known=tuple(sorted(known)), problems=in_order(wrong))


def _try(draft: Draft, book: Book, entrance: Entrance) -> tuple[list[Problem], LedgerRecord]:
    """Return what keeps one event out, and its record.

    Of an event that could not be read whole, what it answers is not held against it: its numbers
    say nothing yet.
    """
    event = draft.event
    statements = entrance.speak(event)
    record = recorded(event, statements, at_ms=entrance.now_ms)
    found = list(entrance.forbid(event, book))
    found += admission_problems(event, book, entrance.tables, now_ms=entrance.now_ms)
    found += statement_problems(event, statements)
    if draft.partial:
        found = [one for one in found if one.code not in _OF_WHOLE]
    return found, record


def _place(event: Event) -> tuple[int, int, int, str]:
    """Return what events are tried by: what others stand on first, then by time, then answers."""
    first = {SiteDeclared: 0, LicenceGranted: 1}.get(type(event), 2)
    answers = answered_by(event) is not None or isinstance(event, Correction)
    return first, event.occurred_at_ms, int(answers), event_id(event)


def _by_row(draft: Draft, found: Problem, rows: dict[str, int]) -> RowProblem:
    """Return a problem by row; of an event of the same file it says the row too."""
    problem = draft.problem(found)
    for word in problem.detail.split():
        key = word.strip(",;:.")
        if key in rows and rows[key] != draft.row:
            detail = problem.detail.replace(key, f"{key} (row {rows[key]} of this file)")
            return replace(problem, detail=detail)
    return problem
