"""What the balance of one site reads of the ledger, and what was written since a position."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, or_, select

from chipledger_book.events import LedgerRecord, decode_event
from chipledger_book.movements import TransferIn, TransferOut
from chipledger_evidence.entry import EntryType
from chipledger_server.adapters import schema
from chipledger_server.adapters.reads.book import family_sites, read_records
from chipledger_server.usecases.reading import Position, Touched, When

_EVENTS = schema.ledger_events.c
_LATER = schema.ledger_statements.c
_RUNS = schema.presence.c
_DEVICES = schema.inventory_chips
_RECORDS = schema.records.c
_DECLARED: Final = "site-declared"
_OUTLINE: Final = (_DECLARED, "licence-granted")
_ANSWERING: Final = ("transfer-in", "correction")
"""What another site may say of a transfer out of one."""


def _outlining() -> ColumnElement[bool]:
    """Return the condition of declarations, licences, and corrections of either."""
    of_either = _EVENTS.parent.is_not(None) | _EVENTS.site.is_(None)
    return _EVENTS.type.in_(_OUTLINE) | ((_EVENTS.type == "correction") & of_either)


def outline(connection: Connection, when: When, *, site: str) -> list[LedgerRecord]:
    """Return the declarations of a site's family and its licences, and what corrects them."""
    sites, consignees = family_sites(connection, site)
    licences = _EVENTS.site.is_(None) & _EVENTS.consignee.in_(consignees)
    return [
        *read_records(connection, when, _EVENTS.site.in_(sites) & _outlining()),
        *read_records(connection, when, licences),
    ]


def site_records(
    connection: Connection, when: When, *, sites: Collection[str]
) -> list[LedgerRecord]:
    """Return the events of sites, what others answer, and who those are that they have chips from.

    Of some hundreds of sites at most.
    """
    own = read_records(connection, when, _EVENTS.site.in_(sites))
    to = {one.event.to_site for one in own if isinstance(one.event, TransferOut)}.difference(sites)
    origins = {one.event.from_site for one in own if isinstance(one.event, TransferIn)}
    origins -= {*sites}
    others: list[ColumnElement[bool]] = []
    if to:
        others.append(_EVENTS.site.in_(to) & _EVENTS.type.in_(_ANSWERING))
    if origins:
        others.append(_EVENTS.site.in_(origins) & _outlining())
    return own if not others else [*own, *read_records(connection, when, or_(*others))]


def position(connection: Connection, when: When) -> Position | None:
    """Return how far the database reaches, or None where it reaches beyond the question."""
    event = connection.execute(
        select(_EVENTS.pos, _EVENTS.recorded_ms).order_by(_EVENTS.pos.desc()).limit(1)
    ).one_or_none()
    run = connection.execute(
        select(_RUNS.id, _RUNS.since_ms).order_by(_RUNS.id.desc()).limit(1)
    ).one_or_none()
    said = connection.execute(
        select(_LATER.pos, _LATER.recorded_ms).order_by(_LATER.pos.desc()).limit(1)
    ).one_or_none()
    if any(one is not None and one.recorded_ms > when.known_at_ms for one in (event, said)):
        return None
    if run is not None and run.since_ms > when.seen_until_ms:
        return None
    applied = connection.execute(select(schema.sequencer.c.record_pos)).scalar_one_or_none()
    return Position(
        event=0 if event is None else event.pos,
        statement=0 if said is None else said.pos,
        run=0 if run is None else run.id,
        record=applied or 0,
    )


def touched(connection: Connection, since: Position, until: Position) -> Touched:
    """Return what was written after one position and up to another.

    Whoever shows a chip takes it from whoever showed it before, so their sites are touched too.
    """
    events = _spoken_of(connection, since)
    owners = {owner for row in events for owner in (row.parent, row.consignee) if owner}
    runs = _RUNS.id > since.run
    shown = select(_RUNS.inventory).where(runs)
    mine, other = _DEVICES.alias("mine"), _DEVICES.alias("other")
    before = (
        select(_RUNS.site)
        .join(other, other.c.inventory == _RUNS.inventory)
        .join(mine, mine.c.chip == other.c.chip)
        .where(mine.c.inventory.in_(shown))
    )
    decided = (
        (_RECORDS.pos > since.record)
        & (_RECORDS.pos <= until.record)
        & (_RECORDS.type == EntryType.DECISION)
    )
    moved = select(schema.hosts.c.id).join(schema.records, _RECORDS.subject == schema.hosts.c.id)
    hosts = moved.where(decided)
    sites = {row.site for row in events if row.site is not None}
    for query in (
        select(_RUNS.site).where(runs),
        before,
        select(_RUNS.site).where(_RUNS.host.in_(hosts)),
        select(schema.hosts.c.site).where(schema.hosts.c.id.in_(hosts)),
    ):
        sites.update(_column(connection, query))
    for row in events:
        if row.parent is not None and row.site is not None:
            sites |= _sent_to(connection, row.site)
    return Touched(sites=frozenset(sites), owners=frozenset(owners))


def _spoken_of(connection: Connection, since: Position) -> list[Row[Any]]:
    """Return site, parent and consignee of events entered or stated since.

    By a statement a correction may have taken effect, of a licence or of a site too.
    """
    columns = select(_EVENTS.site, _EVENTS.parent, _EVENTS.consignee)
    said = columns.join(schema.ledger_statements, _LATER.event == _EVENTS.id)
    return [
        *connection.execute(columns.where(_EVENTS.pos > since.event)),
        *connection.execute(said.where(_LATER.pos > since.statement)),
    ]


def _sent_to(connection: Connection, site: str) -> set[str]:
    """Return where a site sent chips: how it is declared is part of what these have from it."""
    query = select(_EVENTS.body).where(_EVENTS.site == site, _EVENTS.type == "transfer-out")
    sent = (decode_event(bytes(body)) for body in connection.execute(query).scalars())
    return {event.to_site for event in sent if isinstance(event, TransferOut)}


def _column(connection: Connection, query: Select[Any]) -> set[str]:
    # No DISTINCT: to have its order the database would read a whole index.
    return set(connection.execute(query).scalars())
