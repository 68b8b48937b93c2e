"""The ledger, read: events for a balance, and events for a reader."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from chipledger_book.events import Event, LedgerRecord, decode_event
from chipledger_book.movements import TransferOut
from chipledger_server.adapters import schema
from chipledger_server.adapters.reads.statements import BOOKED, later_statements, record_of
from chipledger_server.usecases.book.event_words import event_words
from chipledger_server.usecases.reading import EventsAsked, When
from chipledger_server.usecases.views import EventView

_EVENTS = schema.ledger_events.c


def all_records(connection: Connection, when: When) -> list[LedgerRecord]:
    """Return the whole ledger as known at a time."""
    return read_records(connection, when, _EVENTS.id.is_not(None))


_DECLARED = "site-declared"
_ANSWERING = ("transfer-in", "correction")
"""What a site outside the family may say of a transfer out of it."""


def family_records(connection: Connection, when: When, *, site: str) -> list[LedgerRecord]:
    """Return what bears on one site: its family's events, and the licences of its consignees."""
    sites, consignees = family_sites(connection, site)
    licences = _EVENTS.site.is_(None) & _EVENTS.consignee.in_(consignees)
    own = read_records(connection, when, _EVENTS.site.in_(sites))
    others = {to for record in own if (to := _destination(record.event)) is not None} - sites
    answers = _EVENTS.site.in_(others) & _EVENTS.type.in_(_ANSWERING)
    return [
        *own,
        *read_records(connection, when, licences),
        *(read_records(connection, when, answers) if others else ()),
    ]


def family_sites(connection: Connection, site: str) -> tuple[set[str], set[str]]:
    """Return the sites of a site's family, and their consignees, all found by index.

    A family are the sites that ever declared a common ultimate parent or a common consignee;
    which of them hold at `as_of` is the book's to say.
    """
    sites: set[str] = set()
    found, consignees = {site}, set[str]()
    while found - sites:
        sites |= found
        declared = select(_EVENTS.parent, _EVENTS.consignee).where(
            _EVENTS.type == _DECLARED, _EVENTS.site.in_(sites)
        )
        rows = connection.execute(declared.distinct()).all()
        consignees = {row.consignee for row in rows}
        family = select(_EVENTS.site).where(
            _EVENTS.type == _DECLARED,
            _EVENTS.parent.in_({row.parent for row in rows}) | _EVENTS.consignee.in_(consignees),
        )
        found = set(connection.execute(family.distinct()).scalars())
    return sites, consignees


def families(connection: Connection) -> list[list[str]]:
    """Return all sites that were ever declared, in families, each sorted."""
    owners: dict[tuple[str, str], list[str]] = {}
    declared = select(_EVENTS.site, _EVENTS.parent, _EVENTS.consignee)
    members: dict[str, list[str]] = {}
    for site, parent, consignee in connection.execute(declared.where(_EVENTS.type == _DECLARED)):
        joined = members.setdefault(site, [site])
        for owner in (("parent", parent), ("consignee", consignee)):
            other = owners.setdefault(owner, joined)
            joined = _join(members, joined, members[other[0]])
    once = {family[0]: family for family in members.values()}
    return sorted(sorted(family) for family in once.values())


def _join(members: dict[str, list[str]], one: list[str], other: list[str]) -> list[str]:
    """Make two families one."""
    if one is other:
        return one
    small, large = sorted((one, other), key=len)
    large += small
    members.update(dict.fromkeys(small, large))
    return large


def _destination(event: Event) -> str | None:
    return event.to_site if isinstance(event, TransferOut) else None


def events(connection: Connection, ask: EventsAsked, *, after: int, limit: int) -> list[EventView]:
    """Return events in the order they were entered, after a position."""
    where: list[ColumnElement[bool]] = [
        _EVENTS.pos > after,
        _EVENTS.recorded_ms <= ask.when.known_at_ms,
        _EVENTS.occurred_ms <= ask.when.as_of_ms,
    ]
    if ask.scope is not None:
        where.append(_EVENTS.site.in_(ask.scope))
    if ask.site is not None:
        where.append(_EVENTS.site == ask.site)
    if ask.kind is not None:
        where.append(_EVENTS.type == ask.kind)
    return _views(connection, where, limit)


def event(connection: Connection, key: str, *, scope: frozenset[str] | None) -> EventView | None:
    """Return one event, if the reader may see it."""
    where: list[ColumnElement[bool]] = [_EVENTS.id == key]
    if scope is not None:
        where.append(_EVENTS.site.in_(scope))
    return next(iter(_views(connection, where, 1)), None)


def read_records(
    connection: Connection, when: When, condition: ColumnElement[bool]
) -> list[LedgerRecord]:
    """Return the events of a condition as known at a time, in the order they were entered."""
    records = schema.records.c
    of_event = (records.subject == _EVENTS.id) & records.type.in_(BOOKED)
    later = later_statements(connection, condition, known_at_ms=when.known_at_ms)
    query = (
        select(_EVENTS.id, _EVENTS.body, _EVENTS.recorded_ms, records.record)
        .join_from(schema.ledger_events, schema.records, of_event, isouter=True)
        .where(condition, _EVENTS.recorded_ms <= when.known_at_ms)
        .order_by(_EVENTS.pos)
    )
    return [
        record_of(row.body, row.recorded_ms, row.record, later.get(row.id, ()))
        for row in connection.execute(query)
    ]


def _views(
    connection: Connection, where: Sequence[ColumnElement[bool]], limit: int
) -> list[EventView]:
    """Return events with the records that stand in the log for them."""
    records = schema.records.c
    query = (
        select(schema.ledger_events, records.record)
        .join(schema.records, (records.subject == _EVENTS.id) & records.type.in_(BOOKED))
        .where(*where)
        .order_by(_EVENTS.pos)
        .limit(limit)
    )
    return [
        EventView(
            pos=row["pos"],
            id=row["id"],
            type=row["type"],
            site=row["site"],
            occurred_ms=row["occurred_ms"],
            recorded_ms=row["recorded_ms"],
            principal=row["principal"],
            words=event_words(decode_event(bytes(row["body"]))),
            record=msgspec.Raw(bytes(row["record"])),
        )
        for row in connection.execute(query).mappings()
    ]
