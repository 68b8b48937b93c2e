"""Who stands behind events: those they were entered with, and those who spoke later."""

from collections import defaultdict
from collections.abc import Collection, Mapping

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


class _Said(msgspec.Struct):
    """Of a record, who stands behind the event."""

    statements: tuple[Statement, ...] = ()


def entered_with(record: bytes | None) -> tuple[Statement, ...]:
    """Return who stood behind an event when it was entered, from its record in the log."""
    return () if record is None else msgspec.json.decode(record, type=_Said).statements


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
    query = (
        select(_EVENTS.body, _EVENTS.recorded_ms, _RECORDS.record)
        .join_from(
            schema.ledger_events,
            schema.records,
            (_RECORDS.subject == _EVENTS.id) & _RECORDS.type.in_(BOOKED),
            isouter=True,
        )
        .where(_EVENTS.id == key)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    later = later_statements(connection, _EVENTS.id == key, known_at_ms=None)
    return LedgerRecord(
        event=decode_event(bytes(row.body)),
        recorded_at_ms=row.recorded_ms,
        statements=(*entered_with(row.record), *later.get(key, ())),
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
