"""Chips, read: their names, where they were seen, and who else claims them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, or_, select

from chipledger_book.catalogue import ObservedModel
from chipledger_server.adapters import schema
from chipledger_server.adapters.reads.hosts import run_view
from chipledger_server.usecases.reading import ChipsAsked, Sightings, When
from chipledger_server.usecases.views import Alias, ChipSummary, Dispute, Sighting

_CHIPS = schema.chips.c
_ALIASES = schema.chip_aliases.c
_DEVICES = schema.inventory_chips.c
_RUNS = schema.presence.c
_KINDS = ("pdi", "uuid")
_MOST_PARAMETERS = 10_000


def chips(connection: Connection, ask: ChipsAsked, *, after: int, limit: int) -> list[ChipSummary]:
    """Return chips in the order they were first seen, after an id."""
    query = (
        select(_CHIPS.id, _CHIPS.first_ms)
        .where(_CHIPS.id > after, _CHIPS.first_ms <= ask.when.seen_until_ms)
        .order_by(_CHIPS.id)
        .limit(limit)
    )
    if ask.chip is not None:
        query = query.where(_CHIPS.id == ask.chip)
    if ask.name is not None:
        query = query.where(_named(ask.name, ask.scope))
    if ask.scope is not None:
        query = query.where(_seen_at(ask.scope, ask.when))
    rows = connection.execute(query).all()
    names = _aliases(connection, [row.id for row in rows], ask)
    return [
        ChipSummary(id=row.id, first_ms=row.first_ms, aliases=tuple(names[row.id])) for row in rows
    ]


def sightings(
    connection: Connection, chip: int, when: When, *, scope: frozenset[str] | None, limit: int
) -> Sightings:
    """Return where a chip was seen, newest first, and what was last observed of its model."""
    query: Select[Any] = (
        select(schema.presence, schema.hosts.c.fresh_ms, schema.inventory_chips)
        .join(schema.inventory_chips, _DEVICES.inventory == _RUNS.inventory)
        .join(schema.hosts, schema.hosts.c.id == _RUNS.host)
        .where(_DEVICES.chip == chip, _RUNS.since_ms <= when.seen_until_ms)
        .order_by(_RUNS.since_ms.desc(), _RUNS.id.desc())
        .limit(limit)
    )
    if scope is not None:
        query = query.where(_RUNS.site.in_(scope))
    rows = connection.execute(query).mappings().all()
    seen = [
        Sighting(
            run=run_view(row, when),
            place=row["index"],
            reading=row["state"],
            bdf=row["bdf"],
            serial=row["serial"],
        )
        for row in rows
    ]
    newest = rows[0] if rows else {}
    model = ObservedModel(
        device=newest.get("device"),
        subsystem=newest.get("subsystem"),
        board_part=newest.get("board_part"),
        name=newest.get("name"),
    )
    return Sightings(seen=seen, model=model)


def names_seen(
    connection: Connection, names: Collection[str], *, scope: frozenset[str] | None
) -> frozenset[str]:
    """Return which PDIs and UUIDs hosts of these sites reported of a chip that they name."""
    if scope is None or not names:
        return frozenset(names)
    found: set[str] = set()
    wanted = sorted(names)
    for start in range(0, len(wanted), _MOST_PARAMETERS):
        part = wanted[start : start + _MOST_PARAMETERS]
        query = select(_ALIASES.value).where(
            _ALIASES.kind.in_(_KINDS), _ALIASES.value.in_(part), _reported_at(scope)
        )
        found.update(connection.execute(query).scalars())
    return frozenset(found)


def disputes(
    connection: Connection, chip: int, when: When, *, scope: frozenset[str] | None
) -> list[Dispute]:
    """Return the disputes over a chip; hosts outside the scope are not named."""
    columns = schema.disputes.c
    query = (
        select(schema.disputes)
        .where(columns.chip == chip, columns.since_ms <= when.seen_until_ms)
        .order_by(columns.since_ms.desc())
    )
    rows = connection.execute(query).mappings().all()
    hosts = {row[member] for row in rows for member in ("host", "kept_host")}
    named = _in_scope(connection, hosts, scope)
    return [
        Dispute(
            host=row["host"] if row["host"] in named else None,
            kept_host=row["kept_host"] if row["kept_host"] in named else None,
            since_ms=row["since_ms"],
            until_ms=_ended(row["until_ms"], when.seen_until_ms),
        )
        for row in rows
    ]


def _ended(until_ms: int | None, at_ms: int) -> int | None:
    return until_ms if until_ms is not None and until_ms <= at_ms else None


def _named(name: str, scope: frozenset[str] | None) -> ColumnElement[bool]:
    """Return the condition that a chip bears a name: PDI, UUID or board serial.

    For a reader with a scope only names that hosts of these sites reported are names.
    """
    if scope is None:
        alias = exists().where(_ALIASES.chip == _CHIPS.id, _ALIASES.value == name)
        serial = exists().where(_DEVICES.chip == _CHIPS.id, _DEVICES.serial == name)
        return or_(alias, serial)
    return exists().where(
        _DEVICES.chip == _CHIPS.id,
        or_(_DEVICES.pdi == name, _DEVICES.uuid == name, _DEVICES.serial == name),
        _RUNS.inventory == _DEVICES.inventory,
        _RUNS.site.in_(scope),
    )


def _reported_at(scope: frozenset[str]) -> ColumnElement[bool]:
    """Return the condition that a host of one of the sites reported an alias of its chip."""
    return exists().where(
        _DEVICES.chip == _ALIASES.chip,
        or_(_DEVICES.pdi == _ALIASES.value, _DEVICES.uuid == _ALIASES.value),
        _RUNS.inventory == _DEVICES.inventory,
        _RUNS.site.in_(scope),
    )


def _seen_at(scope: frozenset[str], when: When) -> ColumnElement[bool]:
    """Return the condition that a chip was seen at one of the sites."""
    return exists().where(
        _DEVICES.chip == _CHIPS.id,
        _DEVICES.inventory == _RUNS.inventory,
        _RUNS.site.in_(scope),
        _RUNS.since_ms <= when.seen_until_ms,
    )


def _aliases(connection: Connection, ids: Sequence[int], ask: ChipsAsked) -> dict[int, list[Alias]]:
    """Return the names of chips; for a reader with a scope those that its sites reported."""
    found: dict[int, list[Alias]] = defaultdict(list)
    query = (
        select(schema.chip_aliases)
        .where(_ALIASES.chip.in_(ids), _ALIASES.first_ms <= ask.when.known_at_ms)
        .order_by(_ALIASES.kind, _ALIASES.first_ms, _ALIASES.value)
    )
    if ask.scope is not None:
        query = query.where(_reported_at(ask.scope))
    for row in connection.execute(query).mappings():
        alias = Alias(kind=row["kind"], value=row["value"], first_ms=row["first_ms"])
        found[row["chip"]].append(alias)
    return found


def _in_scope(
    connection: Connection, hosts: set[str], scope: frozenset[str] | None
) -> frozenset[str]:
    if scope is None:
        return frozenset(hosts)
    columns = schema.hosts.c
    query = select(columns.id).where(columns.id.in_(hosts), columns.site.in_(scope))
    return frozenset(row.id for row in connection.execute(query))
