"""Who is late, as the newest looks left it."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, func, or_, select, tuple_

from chipledger_book.statements import Role
from chipledger_book.watch import Owner, Wait, WaitKind
from chipledger_server.adapters import schema
from chipledger_server.usecases.reading import WaitsAsked, WaitState


def waits(
    connection: Connection, ask: WaitsAsked, *, after: tuple[int, str, str], limit: int
) -> Sequence[Wait]:
    """Return waits in the order of their due times, after (due, kind, key)."""
    table = schema.waits
    place = (table.c.due_ms, table.c.kind, table.c.key)
    query = select(table).where(tuple_(*place) > tuple_(*after)).order_by(*place).limit(limit)
    rows = connection.execute(query.where(*_asked(ask)))
    return [
        Wait(
            kind=WaitKind(row.kind),
            key=row.key,
            site=row.site,
            event=row.event,
            chip=row.chip,
            owner=Owner(role=Role(row.owner_role), party=row.owner),
            since_ms=row.since_ms,
            due_ms=row.due_ms,
            done_ms=row.done_ms,
            pieces=row.pieces,
        )
        for row in rows
    ]


def count_overdue(connection: Connection, ask: WaitsAsked) -> int:
    """Return how many waits of those asked for are overdue."""
    table = schema.waits
    query = select(func.count()).select_from(table)
    query = query.where(table.c.done_ms.is_(None), table.c.due_ms < ask.now_ms, *_asked(ask))
    return connection.execute(query).scalar_one()


def looked_ms(connection: Connection) -> int | None:
    """Return since when everything was looked at, or None before the first look."""
    oldest: int | None = connection.execute(select(func.min(schema.looks.c.at_ms))).scalar_one()
    return oldest


def looked_scopes(connection: Connection) -> frozenset[str]:
    """Return every scope that was ever looked at."""
    return frozenset(connection.execute(select(schema.looks.c.scope)).scalars())


def _asked(ask: WaitsAsked) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a question."""
    table = schema.waits
    if ask.scope is not None:
        yield table.c.site.in_(sorted(ask.scope))
    if ask.site is not None:
        yield table.c.site == ask.site
    if ask.event is not None:
        yield table.c.event == ask.event
    if ask.owner is not None:
        yield or_(table.c.owner == ask.owner, table.c.owner_role == ask.owner)
    if ask.state is WaitState.ENDED:
        yield table.c.done_ms.is_not(None)
    elif ask.state is not None:
        yield table.c.done_ms.is_(None)
    if ask.state is WaitState.OVERDUE:
        yield table.c.due_ms < ask.now_ms
