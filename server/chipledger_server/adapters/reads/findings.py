"""Findings, read: with the state they had at the time that is asked for."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, or_, select

from chipledger_server.adapters import schema
from chipledger_server.domain.findings import Kind, Severity, finding_id
from chipledger_server.usecases.reading import FindingRow, FindingsAsked, When

_FINDINGS = schema.findings.c
_RANK = case({str(name): place for place, name in enumerate(Severity)}, value=_FINDINGS.severity)


def findings(
    connection: Connection, ask: FindingsAsked, *, after: tuple[int, str] | None, limit: int
) -> list[FindingRow]:
    """Return findings, newest first, after the one with this time of opening and id."""
    query = _asked(connection, select(schema.findings), ask)
    query = query.order_by(_FINDINGS.opened_ms.desc(), _FINDINGS.id).limit(limit)
    if after is not None:
        opened, key = after
        query = query.where(
            or_(
                _FINDINGS.opened_ms < opened,
                and_(_FINDINGS.opened_ms == opened, _FINDINGS.id > key),
            )
        )
    return _rows(connection, query, ask.when)


def worst(connection: Connection, ask: FindingsAsked, *, limit: int) -> list[FindingRow]:
    """Return findings, worst first and newest first among equals."""
    query = _asked(connection, select(schema.findings), ask)
    order = (_RANK.desc(), _FINDINGS.opened_ms.desc(), _FINDINGS.id)
    return _rows(connection, query.order_by(*order).limit(limit), ask.when)


def count(connection: Connection, ask: FindingsAsked) -> dict[str | None, dict[str, int]]:
    """Return how many findings there are, by site and severity."""
    counted = select(_FINDINGS.site, _FINDINGS.severity, func.count().label("many"))
    query = _asked(connection, counted, ask)
    found: dict[str | None, dict[str, int]] = {}
    for row in connection.execute(query.group_by(_FINDINGS.site, _FINDINGS.severity)):
        found.setdefault(row.site, {})[row.severity] = row.many
    return found


def finding(connection: Connection, key: str, when: When) -> FindingRow | None:
    """Return one finding, if it was open or resolved by then."""
    at = when.seen_until_ms
    query = select(schema.findings).where(_FINDINGS.id == key, _FINDINGS.opened_ms <= at)
    row = connection.execute(query).mappings().first()
    return None if row is None else _row(row, at)


def _asked(connection: Connection, query: Select[Any], ask: FindingsAsked) -> Select[Any]:
    at = ask.when.seen_until_ms
    query = query.where(_FINDINGS.opened_ms <= at)
    for column, wanted in (
        (_FINDINGS.site, ask.site),
        (_FINDINGS.host, ask.host),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if ask.chip is not None:
        about = or_(_FINDINGS.chip == ask.chip, _FINDINGS.id.in_(_disputes(connection, ask.chip)))
        query = query.where(about)
    if ask.scope is not None:
        query = query.where(_FINDINGS.site.in_(ask.scope))
    if ask.state is not None:
        resolved = _FINDINGS.resolved_ms.is_not(None) & (_FINDINGS.resolved_ms <= at)
        query = query.where(resolved if ask.state == "resolved" else ~resolved)
    return query


def _disputes(connection: Connection, chip: int) -> list[str]:
    """Return the ids of the findings that two hosts dispute this chip, and maybe others."""
    columns = schema.disputes.c
    pairs = select(columns.host, columns.kept_host).where(columns.chip == chip).distinct()
    return [
        finding_id(Kind.DUPLICATE_IDENTITY, row.host, row.kept_host)
        for row in connection.execute(pairs)
    ]


def _rows(connection: Connection, query: Select[Any], when: When) -> list[FindingRow]:
    return [_row(row, when.seen_until_ms) for row in connection.execute(query).mappings()]


def _row(row: Mapping[Any, Any], at: int) -> FindingRow:
    resolved = row["resolved_ms"]
    return FindingRow(
        id=row["id"],
        type=row["type"],
        severity=row["severity"],
        site=row["site"],
        host=row["host"],
        chip=row["chip"],
        opened_ms=row["opened_ms"],
        seen_ms=min(row["seen_ms"], at),
        resolved_ms=resolved if resolved is not None and resolved <= at else None,
        times=row["times"],
        detail=bytes(row["detail"]),
    )
