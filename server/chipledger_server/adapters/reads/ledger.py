"""The ledger in a list: newest first, with who stands behind each event and whether it stands."""

from collections.abc import Collection
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, func, or_, select

from chipledger_book.events import Correction, decode_event
from chipledger_book.ledger import fold
from chipledger_book.terms import EventId
from chipledger_server.adapters import schema
from chipledger_server.adapters.marking import number_of
from chipledger_server.adapters.reads.statements import (
    BOOKED,
    entered_with,
    known_all,
    later_statements,
)
from chipledger_server.usecases.book.event_words import event_words
from chipledger_server.usecases.listing import Corrections, LedgerAsked, LedgerEntry

_EVENTS = schema.ledger_events.c
_CORRECTION: Final = "correction"
_DECLARED: Final = "site-declared"
_PARTY_MEMBERS: Final = ("shipper", "vendor", "consignee", "party")


class _Correction(msgspec.Struct):
    """Of a correction, what it takes out."""

    corrects: str


def ledger_page(connection: Connection, ask: LedgerAsked, *, limit: int) -> list[LedgerEntry]:
    """Return events of the ledger, what happened last first, after the page before."""
    records = schema.records.c
    query = (
        select(schema.ledger_events, records.record)
        .join(schema.records, (records.subject == _EVENTS.id) & records.type.in_(BOOKED))
        .where(*_conditions(ask))
        .order_by(_EVENTS.occurred_ms.desc(), _EVENTS.pos.desc())
        .limit(limit)
    )
    rows = list(connection.execute(query).mappings())
    shown = _EVENTS.id.in_({row["id"] for row in rows})
    later = later_statements(connection, shown, known_at_ms=ask.when.known_at_ms)
    taken_out = corrections(connection, ask, {row["id"] for row in rows})
    return [
        LedgerEntry(
            pos=row["pos"],
            id=row["id"],
            type=row["type"],
            site=row["site"],
            occurred_ms=row["occurred_ms"],
            recorded_ms=row["recorded_ms"],
            principal=row["principal"],
            words=event_words(decode_event(bytes(row["body"]))),
            statements=(*entered_with(row["record"]).statements, *later.get(row["id"], ())),
            corrected_by=taken_out.of(row["id"]),
            proposed=taken_out.proposed.get(row["id"], ()),
            record=bytes(row["record"]),
        )
        for row in rows
    ]


def _conditions(ask: LedgerAsked) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [
        _EVENTS.recorded_ms <= ask.when.known_at_ms,
        _EVENTS.occurred_ms <= ask.when.as_of_ms,
        _EVENTS.occurred_ms >= ask.since_ms,
    ]
    if ask.scope is not None:
        where.append(_EVENTS.site.in_(ask.scope))
    if ask.site is not None:
        where.append(_EVENTS.site == ask.site)
    if ask.key is not None:
        where.append(_EVENTS.id == ask.key)
    if ask.names is not None:
        where.append(_names_event(ask.names))
    if ask.kind is not None:
        where.append(_EVENTS.type == ask.kind)
    if ask.party is not None:
        where.append(_names_party(ask.party))
    if ask.before is not None:
        occurred_ms, pos = ask.before
        earlier = (_EVENTS.occurred_ms == occurred_ms) & (_EVENTS.pos < pos)
        where.append((_EVENTS.occurred_ms < occurred_ms) | earlier)
    return where


def _names_event(key: str) -> ColumnElement[bool]:
    """Return whether an event names another one, by its marks, or itself where it has none yet."""
    marks, marked = schema.ledger_marks.c, schema.ledger_marked.c
    found = select(marks.event).where(marks.mark == number_of("event", key))
    newest = func.coalesce(select(marked.pos).scalar_subquery(), 0)
    named = func.instr(_EVENTS.body, f'"{key}"'.encode()) > 0
    return or_(_EVENTS.pos.in_(found), _EVENTS.pos > newest) & named


def _names_party(party: str) -> ColumnElement[bool]:
    """Return whether an event names a party; canonical bytes write a member in one way only."""
    named = [
        func.instr(_EVENTS.body, f'"{member}":"{party}"'.encode()) > 0 for member in _PARTY_MEMBERS
    ]
    owned = func.instr(_EVENTS.body, f'"id":"{party}"'.encode()) > 0
    return or_(*named, (_EVENTS.type == _DECLARED) & owned)


def corrections(connection: Connection, ask: LedgerAsked, keys: Collection[str]) -> Corrections:
    """Return the corrections of some events, as known at the time asked for."""
    query = select(_EVENTS.id, _EVENTS.body).where(
        _EVENTS.type == _CORRECTION, _EVENTS.recorded_ms <= ask.when.known_at_ms
    )
    named = [
        key
        for key, body in (connection.execute(query) if keys else ())
        if msgspec.json.decode(body, type=_Correction).corrects in keys
    ]
    book = fold(known_all(connection, named, known_at_ms=ask.when.known_at_ms).values())

    def said(key: EventId) -> tuple[str, str]:
        event = book.event(key)
        return key, event.reason if isinstance(event, Correction) else ""

    standing = ((key, book.corrected_by(EventId(key))) for key in keys)
    return Corrections(
        standing={key: said(found) for key, found in standing if found is not None},
        proposed={
            key: tuple(map(said, found)) for key in keys if (found := book.proposed(EventId(key)))
        },
    )
