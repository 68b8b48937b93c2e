"""Who stands behind events: those they were entered with, and those who spoke later."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from chipledger_book.events import LedgerRecord, Statement, decode_event
from chipledger_evidence.codec import decode_strict
from chipledger_evidence.entry import EntryType
from chipledger_server.adapters import schema

BOOKED = (EntryType.EVENT, EntryType.LICENCE, EntryType.CORRECTION)
"""Types of the log entries of events."""
_EVENTS = schema.ledger_events.c
_LATER = schema.ledger_statements.c
_RECORDS = schema.records.c
_AT_ONCE: Final = 10_000


class Said(msgspec.Struct):
    """Of a record in the log, what stands beside the event."""

    statements: tuple[Statement, ...] = ()
    proposed: bool = False


def entered_with(record: bytes | None) -> Said:
    """Return who stood behind an event when it was entered, and whether it needs another."""
    return Said() if record is None else msgspec.json.decode(record, type=Said)


def later_statements(
    connection: Connection, condition: ColumnElement[bool], *, known_at_ms: int | None
) -> Mapping[str, tuple[Statement, ...]]:
    """Return what was stated later of the events that a condition names, by event."""
    query = (
        select(_LATER.event, _LATER.body)
        .join(schema.ledger_events, _EVENTS.id == _LATER.event)
        .where(condition)
        .order_by(_LATER.pos)
    )
    if known_at_ms is not None:
        query = query.where(_LATER.recorded_ms <= known_at_ms)
    found: dict[str, list[Statement]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.event].append(decode_strict(bytes(row.body), Statement))
    return {key: tuple(statements) for key, statements in found.items()}


def known(connection: Connection, key: str) -> LedgerRecord | None:
    """Return an event of the ledger with all who stand behind it by now."""
    return known_all(connection, (key,)).get(key)


def known_all(
    connection: Connection, keys: Sequence[str], *, known_at_ms: int | None = None
) -> Mapping[str, LedgerRecord]:
    """Return events of the ledger with all who stood behind them at a time, or do by now."""
    found: dict[str, LedgerRecord] = {}
    for start in range(0, len(keys), _AT_ONCE):
        wanted = _EVENTS.id.in_(keys[start : start + _AT_ONCE])
        found |= _known(connection, wanted, known_at_ms=known_at_ms)
    return found


def _known(
    connection: Connection, wanted: ColumnElement[bool], *, known_at_ms: int | None
) -> Mapping[str, LedgerRecord]:
    query = (
        select(_EVENTS.id, _EVENTS.body, _EVENTS.recorded_ms, _RECORDS.record)
        .join_from(
            schema.ledger_events,
            schema.records,
            (_RECORDS.subject == _EVENTS.id) & _RECORDS.type.in_(BOOKED),
            isouter=True,
        )
        .where(wanted)
    )
    if known_at_ms is not None:
        query = query.where(_EVENTS.recorded_ms <= known_at_ms)
    later = later_statements(connection, wanted, known_at_ms=known_at_ms)
    return {
        row.id: record_of(row.body, row.recorded_ms, row.record, later.get(row.id, ()))
        for row in connection.execute(query)
    }


def record_of(
    body: bytes, recorded_ms: int, record: bytes | None, later: tuple[Statement, ...]
) -> LedgerRecord:
    """Return an event with those it was entered with and those who spoke later."""
    said = entered_with(record)
    return LedgerRecord(
        event=decode_event(bytes(body)),
        recorded_at_ms=recorded_ms,
        statements=(*said.statements, *later),
        proposed=said.proposed,
    )


def log_index(connection: Connection, subjects: Collection[str]) -> Mapping[str, int]:
    """Return where records about these subjects stand in the log; without those that wait."""
    runs = schema.log_runs.c
    rows = connection.execute(
        select(_RECORDS.subject, _RECORDS.pos).where(
            _RECORDS.subject.in_(subjects), _RECORDS.type.in_(BOOKED)
        )
    )
    found: dict[str, int] = {}
    for subject, pos in rows.all():
        run = connection.execute(
            select(runs.first, runs.pos, runs.count)
            .where(runs.source == "record", runs.pos <= pos)
            .order_by(runs.pos.desc())
            .limit(1)
        ).first()
        if run is not None and pos < run[1] + run[2]:
            found[subject] = run[0] + pos - run[1]
    return found
