"""Findings, read: with the state they had at the time that is asked for."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from chipledger_server.adapters import schema
from chipledger_server.usecases.reading import FindingRow, FindingsAsked, When

_FINDINGS = schema.findings.c


def findings(
    connection: Connection, ask: FindingsAsked, *, after: tuple[int, str] | None, limit: int
) -> list[FindingRow]:
    """Return findings, newest first, after the one with this time of opening and id."""
    at = ask.when.seen_until_ms
    query = (
        select(schema.findings)
        .where(_FINDINGS.opened_ms <= at)
        .order_by(_FINDINGS.opened_ms.desc(), _FINDINGS.id)
        .limit(limit)
    )
    for column, wanted in (
        (_FINDINGS.site, ask.site),
        (_FINDINGS.host, ask.host),
        (_FINDINGS.chip, ask.chip),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if ask.scope is not None:
        query = query.where(_FINDINGS.site.in_(ask.scope))
    if ask.state is not None:
        resolved = _FINDINGS.resolved_ms.is_not(None) & (_FINDINGS.resolved_ms <= at)
        query = query.where(resolved if ask.state == "resolved" else ~resolved)
    if after is not None:
        opened, key = after
        query = query.where(
            or_(
                _FINDINGS.opened_ms < opened,
                and_(_FINDINGS.opened_ms == opened, _FINDINGS.id > key),
            )
        )
    return [_row(row, at) for row in connection.execute(query).mappings()]


def finding(connection: Connection, key: str, when: When) -> FindingRow | None:
    """Return one finding, if it was open or resolved by then."""
    at = when.seen_until_ms
    query = select(schema.findings).where(_FINDINGS.id == key, _FINDINGS.opened_ms <= at)
    row = connection.execute(query).mappings().first()
    return None if row is None else _row(row, at)


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
