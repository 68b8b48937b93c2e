"""The part of the ledger that bears on some events, found by index, however long the ledger is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from chipledger_book.bearing import events_named, marks, marks_sought, sites_named
from chipledger_book.events import Event, LedgerRecord, LicenceGranted, decode_event, event_id
from chipledger_book.terms import EventId
from chipledger_server.adapters import schema
from chipledger_server.adapters.marking import number_of
from chipledger_server.adapters.reads.attested import attested_named
from chipledger_server.adapters.reads.statements import known_all

_EVENTS = schema.ledger_events.c
_MARKS = schema.ledger_marks
_MARKED = schema.ledger_marked
_CORRECTION: Final = "correction"
_AT_ONCE: Final = 10_000
"""Values in one statement; SQLite takes 32,766."""


@dataclass(slots=True)
class _Found:
    """Where what bears on some events lies: sites, consignees of licences, single events."""

    sites: set[str] = field(default_factory=set)
    consignees: set[str] = field(default_factory=set)
    single: set[int] = field(default_factory=set)

    def take(self, rows: Iterable[Row[*tuple[Any, ...]]]) -> None:
        """Take up what shares a site or a licence's consignee with some events."""
        for row in rows:
            if row.site is not None:
                self.sites.add(row.site)
            elif row.consignee is not None:
                self.consignees.add(row.consignee)
            else:
                self.single.add(row.pos)


def bearing(connection: Connection, events: Sequence[Event]) -> list[LedgerRecord]:
    """Return what bears on admitting some events, in the order it was written.

    Needs the right to write: marks that are not there yet are written first.
    """
    _catch_up(connection)
    ids = [event_id(event) for event in events]
    named = [*ids, *chain.from_iterable(map(events_named, events))]
    sought = {mark for event, key in zip(events, ids, strict=True) for mark in _sought(event, key)}
    found = _Found()
    first = [*_where(connection, _EVENTS.id, named), *_marked(connection, sought)]
    found.take(first)
    of_named = [decode_event(bytes(row.body)) for row in _where(connection, _EVENTS.id, named)]
    named += chain.from_iterable(map(events_named, of_named))
    own = attested_named(connection, named)  # what somebody confirms or corrects
    for event in (*events, *of_named, *(record.event for record in own)):
        found.sites.update(sites_named(event))
        if isinstance(event, LicenceGranted):
            found.consignees.add(event.licence.consignee)
    # A transfer out is answered at another site: whoever names what is named here.
    found.take(_marked(connection, {number_of("event", key) for key in named}))
    licences = _EVENTS.site.is_(None)
    rows = {
        row.pos: row
        for row in chain(
            _where(connection, _EVENTS.site, sorted(found.sites)),
            _where(connection, _EVENTS.consignee, sorted(found.consignees), licences),
            _where(connection, _EVENTS.pos, sorted(found.single)),
        )
    }
    return [*own, *_with_corrections(connection, [row for _, row in sorted(rows.items())])]


def _with_corrections(
    connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]]
) -> Iterator[LedgerRecord]:
    """Yield records of events; of corrections with who stands behind them: it decides what stands.

    Of all others, who stands behind them has no say in what may enter, and is not read.
    """
    said = known_all(connection, [row.id for row in rows if row.type == _CORRECTION])
    for row in rows:
        yield said.get(row.id) or LedgerRecord(
            event=decode_event(bytes(row.body)), recorded_at_ms=row.recorded_ms
        )


def _sought(event: Event, key: EventId) -> Iterator[int]:
    return (number_of(*mark) for mark in marks_sought(event, key))


def _catch_up(connection: Connection) -> None:
    """Write the marks of the events that have none yet."""
    marked = connection.execute(select(_MARKED.c.pos)).scalar_one_or_none()
    newest = connection.execute(select(func.max(_EVENTS.pos))).scalar_one()
    if newest is None or newest == marked:
        return
    rows = connection.execute(
        select(_EVENTS.pos, _EVENTS.body)
        .where(_EVENTS.pos > (marked or 0))
        .execution_options(yield_per=1000)
    )
    for part in rows.partitions():
        values = [
            {"mark": number, "event": row.pos}
            for row in part
            for number in {number_of(*mark) for mark in marks(decode_event(bytes(row.body)))}
        ]
        if values:
            connection.execute(insert(_MARKS), values)
    written = connection.execute(update(_MARKED).values(pos=newest))
    if not written.rowcount:
        connection.execute(insert(_MARKED).values(id=1, pos=newest))


def _marked(connection: Connection, numbers: Iterable[int]) -> list[Row[*tuple[Any, ...]]]:
    """Return site and consignee of the events that bear one of some marks."""
    wanted = sorted(numbers)
    columns = (_EVENTS.pos, _EVENTS.site, _EVENTS.consignee)
    return [
        row
        for some in _parts(wanted)
        for row in connection.execute(
            select(*columns)
            .join(_MARKS, _MARKS.c.event == _EVENTS.pos)
            .where(_MARKS.c.mark.in_(some))
            .distinct()
        )
    ]


def _where(
    connection: Connection,
    column: Any,  # noqa: ANN401 - an SQL expression
    values: Sequence[Any],
    *also: ColumnElement[bool],
) -> list[Row[*tuple[Any, ...]]]:
    place = (_EVENTS.pos, _EVENTS.site, _EVENTS.consignee)
    columns = (*place, _EVENTS.id, _EVENTS.type, _EVENTS.body, _EVENTS.recorded_ms)
    return [
        row
        for some in _parts(values)
        for row in connection.execute(select(*columns).where(column.in_(some), *also))
    ]


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
