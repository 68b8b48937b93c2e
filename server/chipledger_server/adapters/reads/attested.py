"""What the collector recorded by itself from attestation, read apart from what people entered.

A site of many hosts has many such events, and no balance needs them: they are read when they are
asked for, by kind or by id.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, or_, select

from chipledger_book.events import LedgerRecord
from chipledger_book.movements import Attested
from chipledger_server.adapters import schema
from chipledger_server.adapters.reads.ledger import corrections
from chipledger_server.adapters.records_sqlite import COLLECTOR
from chipledger_server.usecases.book.event_words import event_words
from chipledger_server.usecases.reading import EventsAsked, LedgerAsked, LedgerEntry, When
from chipledger_server.usecases.views import EventView

_OWN = schema.attested_events.c
_RECORDS = schema.records.c
_AT_ONCE: Final = 10_000
KINDS: Final = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Attested))
"""Kinds of event that nobody enters."""


def attested_records(
    connection: Connection, when: When, *, site: str | None = None, kind: str | None = None
) -> list[LedgerRecord]:
    """Return what the collector recorded as known at a time, of one site and kind or of all."""
    where = [_OWN.at_ms <= when.known_at_ms]
    if site is not None:
        where.append(_OWN.site == site)
    if kind is not None:
        where.append(_OWN.type == kind)
    query = _query(where).order_by(_OWN.at_ms, _OWN.pos)
    return [_record(row) for row in connection.execute(query).mappings()]


def attested_named(connection: Connection, keys: Sequence[str]) -> list[LedgerRecord]:
    """Return those of some events that the collector recorded itself."""
    return [
        _record(row)
        for start in range(0, len(keys), _AT_ONCE)
        for row in connection.execute(
            _query([_OWN.id.in_(keys[start : start + _AT_ONCE])])
        ).mappings()
    ]


def events(connection: Connection, ask: EventsAsked, *, after: int, limit: int) -> list[EventView]:
    """Return such events in the order they were recorded, after a position."""
    where = [_OWN.pos > after, *_seen(ask.when, ask.scope, ask.site)]
    if ask.kind is not None:
        where.append(_OWN.type == ask.kind)
    return _views(connection, _query(where).order_by(_OWN.pos).limit(limit))


def event(connection: Connection, key: str, *, scope: frozenset[str] | None) -> EventView | None:
    """Return one of them, if the reader may see it."""
    where = [_OWN.id == key]
    if scope is not None:
        where.append(_OWN.site.in_(scope))
    return next(iter(_views(connection, _query(where))), None)


def ledger_page(connection: Connection, ask: LedgerAsked, *, limit: int) -> list[LedgerEntry]:
    """Return them in a list, what happened last first, after the page before."""
    if ask.party is not None:
        return []  # they name none
    where = [*_seen(ask.when, ask.scope, ask.site), _OWN.at_ms >= ask.since_ms]
    if ask.kind is not None:
        where.append(_OWN.type == ask.kind)
    if ask.key is not None:
        where.append(_OWN.id == ask.key)
    if ask.before is not None:
        at_ms, pos = ask.before
        where.append(or_(_OWN.at_ms < at_ms, (_OWN.at_ms == at_ms) & (_OWN.pos < pos)))
    query = _query(where).order_by(_OWN.at_ms.desc(), _OWN.pos.desc()).limit(limit)
    rows = connection.execute(query).mappings().all()
    taken_out = corrections(connection, ask, {row["id"] for row in rows})
    return [
        LedgerEntry(
            pos=row["pos"],
            id=row["id"],
            type=row["type"],
            site=row["site"],
            occurred_ms=row["at_ms"],
            recorded_ms=row["at_ms"],
            principal=COLLECTOR,
            words=event_words(record.event),
            statements=record.statements,
            corrected_by=taken_out.of(row["id"]),
            proposed=taken_out.proposed.get(row["id"], ()),
            record=bytes(row["record"]),
        )
        for row, record in ((row, _record(row)) for row in rows)
    ]


def _query(where: Sequence[ColumnElement[bool]]) -> Any:  # noqa: ANN401 - an SQL query
    return (
        select(schema.attested_events, _RECORDS.record)
        .join(schema.records, _RECORDS.pos == _OWN.pos)
        .where(*where)
    )


def _seen(
    when: When, scope: frozenset[str] | None, site: str | None
) -> Iterator[ColumnElement[bool]]:
    yield _OWN.at_ms <= when.seen_until_ms
    if scope is not None:
        yield _OWN.site.in_(scope)
    if site is not None:
        yield _OWN.site == site


def _record(row: Mapping[Any, Any]) -> LedgerRecord:
    return msgspec.json.decode(row["record"], type=LedgerRecord)


def _views(connection: Connection, query: Any) -> list[EventView]:  # noqa: ANN401 - an SQL query
    return [
        EventView(
            pos=row["pos"],
            id=row["id"],
            type=row["type"],
            site=row["site"],
            occurred_ms=row["at_ms"],
            recorded_ms=row["at_ms"],
            principal=COLLECTOR,
            words=event_words(_record(row).event),
            record=msgspec.Raw(bytes(row["record"])),
        )
        for row in connection.execute(query).mappings()
    ]
