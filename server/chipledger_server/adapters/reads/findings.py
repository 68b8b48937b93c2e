"""Findings, read: with the state that their cases had at the time that is asked for.

A case has a row for every step; the one that held at a time is the one that had begun by then and
had not ended. What that row says may have ended by time alone: then the case is open.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    or_,
    select,
)

from chipledger_book.cases import Case, CaseState, at_time
from chipledger_server.adapters import schema
from chipledger_server.domain.findings import Kind, Severity, finding_id
from chipledger_server.usecases.reading import FindingRow, FindingsAsked, LateSince, When

_FINDINGS = schema.findings.c
_CASES = schema.cases.c
_SEVERITY = func.coalesce(_CASES.severity, _FINDINGS.severity)
RANKS: Final = {str(name): place for place, name in enumerate(Severity)}
_RANK: ColumnElement[int] = case(RANKS, value=_SEVERITY)


def findings(
    connection: Connection, ask: FindingsAsked, *, after: tuple[int, str] | None, limit: int
) -> list[FindingRow]:
    """Return findings, newest first, after the one with this time of opening and id."""
    query = _asked(connection, _whole(), ask)
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


def worst(
    connection: Connection,
    ask: FindingsAsked,
    *,
    limit: int,
    after: tuple[int, int, str] | None = None,
) -> list[FindingRow]:
    """Return findings, worst first and oldest first among equals."""
    query = _asked(connection, _whole(), ask)
    if after is not None:
        rank, opened, key = after
        equal = _RANK.in_((rank,))
        query = query.where(
            or_(
                rank > _RANK,
                and_(equal, _FINDINGS.opened_ms > opened),
                and_(equal, _FINDINGS.opened_ms == opened, _FINDINGS.id > key),
            )
        )
    order = (_RANK.desc(), _FINDINGS.opened_ms, _FINDINGS.id)
    return _rows(connection, query.order_by(*order).limit(limit), ask.when)


def count(connection: Connection, ask: FindingsAsked) -> dict[str | None, dict[str, int]]:
    """Return how many findings there are, by site and severity."""
    counted = select(_FINDINGS.site, _SEVERITY.label("severity"), func.count().label("many"))
    query = _asked(connection, counted, ask)
    found: dict[str | None, dict[str, int]] = {}
    for row in connection.execute(query.group_by(_FINDINGS.site, _SEVERITY)):
        found.setdefault(row.site, {})[row.severity] = row.many
    return found


def tally(connection: Connection, ask: FindingsAsked) -> dict[str, dict[str, int]]:
    """Return how many findings there are, by state of their cases and severity."""
    state = _state(ask.when.seen_until_ms)
    columns: tuple[Any, ...] = (
        state.label("state"),
        _SEVERITY.label("severity"),
        func.count().label("many"),
    )
    query = _asked(connection, select(*columns), ask)
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query.group_by(state, _SEVERITY)):
        found.setdefault(row.state, {})[row.severity] = row.many
    return found


def finding(connection: Connection, key: str, when: When) -> FindingRow | None:
    """Return one finding, if it was there by then."""
    at = when.seen_until_ms
    query = _joined(_whole(), at).where(_FINDINGS.id == key, _FINDINGS.opened_ms <= at)
    row = connection.execute(query).mappings().first()
    return None if row is None else _row(row, at)


def _whole() -> Select[Any]:
    return select(schema.findings, _CASES.body)


def _joined(query: Select[Any], at: int) -> Select[Any]:
    """Return a query with the row of each case that held at a time."""
    held = and_(
        _CASES.finding == _FINDINGS.id,
        _CASES.since_ms <= at,
        or_(_CASES.until_ms.is_(None), _CASES.until_ms > at),
    )
    return query.select_from(schema.findings.outerjoin(schema.cases, held))


def _state(at: int) -> ColumnElement[str]:
    """Return the state of a case at a time; of a finding without one, that of its fact."""
    fact = case((_FINDINGS.resolved_ms <= at, "resolved"), else_="open")
    lapsed = case((_CASES.expires_ms <= at, "open"), else_=_CASES.state)
    return func.coalesce(lapsed, fact)


def _asked(connection: Connection, query: Select[Any], ask: FindingsAsked) -> Select[Any]:
    at = ask.when.seen_until_ms
    query = _joined(query, at).where(_FINDINGS.opened_ms <= at)
    for column, wanted in (
        (_FINDINGS.site, ask.site),
        (_FINDINGS.host, ask.host),
        (_FINDINGS.type, ask.kind),
        (_SEVERITY, ask.severity),
        (_CASES.owner, ask.owner),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if ask.chip is not None:
        about = or_(_FINDINGS.chip == ask.chip, _FINDINGS.id.in_(_disputes(connection, ask.chip)))
        query = query.where(about)
    if ask.scope is not None:
        query = query.where(_FINDINGS.site.in_(ask.scope))
    if ask.states is not None:
        query = query.where(_state(at).in_(ask.states))
    if ask.opened_until_ms is not None:
        query = query.where(_FINDINGS.opened_ms <= ask.opened_until_ms)
    if ask.late is not None:
        query = query.where(_late(ask.late, at))
    return query


def _late(since: LateSince, at: int) -> ColumnElement[bool]:
    """Return the condition that somebody has not acted in time."""
    state = _state(at)
    begun = case(
        (_CASES.expires_ms <= at, _CASES.expires_ms),
        else_=func.coalesce(_CASES.round_ms, _FINDINGS.opened_ms),
    )
    waits = {CaseState.OPEN.value, CaseState.ACKNOWLEDGED.value}
    return or_(
        and_(state == CaseState.OPEN.value, begun <= since.acknowledge_ms),
        and_(state.in_(waits), begun <= since.explain_ms),
        and_(state == CaseState.EXPLAINED.value, _CASES.moved_ms <= since.decide_ms),
    )


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
    held = _case(row, at)
    return FindingRow(
        id=row["id"],
        type=row["type"],
        case=held,
        subject=row["subject"] or row["host"] or row["site"] or "",
        site=row["site"],
        host=row["host"],
        chip=row["chip"],
        opened_ms=row["opened_ms"],
        seen_ms=min(row["seen_ms"], at),
        resolved_ms=_ended(row, held, at),
        times=row["times"],
        detail=bytes(row["detail"]),
    )


def _case(row: Mapping[Any, Any], at: int) -> Case:
    """Return a case as it stood; a finding that has none yet stands as its fact does."""
    if row["body"] is not None:
        return at_time(msgspec.json.decode(row["body"], type=Case), at)
    resolved = row["resolved_ms"]
    present = resolved is None or resolved > at
    return Case(
        id=row["id"],
        opened=row["opened_ms"],
        round=row["opened_ms"],
        severity=Severity(row["severity"]),
        since=row["opened_ms"] if present else resolved,
        state=CaseState.OPEN if present else CaseState.RESOLVED,
        steps=0,
        touched=row["opened_ms"] if present else resolved,
        present=present,
    )


def _ended(row: Mapping[Any, Any], held: Case, at: int) -> int | None:
    """Return when the fact ended, where it does not hold."""
    if held.present:
        return None
    if held.state is CaseState.RESOLVED:
        return held.since
    resolved = row["resolved_ms"]
    return resolved if resolved is not None and resolved <= at else None
