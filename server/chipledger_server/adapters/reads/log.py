"""The log and the chains of tokens, read: records behind entries for those entitled.

The sequencer keeps the log as runs: entry `first + i` is row `pos + i` of tokens or records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from chipledger_evidence.codec import b64url_encode, encode_canonical
from chipledger_evidence.entry import EntryType, TokenAccepted, make_entry
from chipledger_evidence.ids import sha256_b64
from chipledger_server.adapters import schema
from chipledger_server.adapters.reads.chips import names_seen
from chipledger_server.domain.findings import Kind
from chipledger_server.usecases.reading import TrailRow, When
from chipledger_server.usecases.views import ChainLink, LogEntry

_RUNS = schema.log_runs.c
_TOKENS = schema.tokens.c
_RECORDS = schema.records.c


@dataclass(frozen=True, slots=True, kw_only=True)
class _Behind:
    """What stands behind one entry, and the site it is about (None: none, or many)."""

    index: int
    leaf: bytes
    kind: EntryType
    time_ms: int
    record: bytes
    salt: bytes
    site: str | None


def entries(
    connection: Connection, *, scope: frozenset[str] | None, after: int, limit: int
) -> list[LogEntry]:
    """Return entries in log order, after an index; records only of sites in the scope."""
    found: list[_Behind] = []
    first, end = after + 1, after + 1 + limit
    runs = select(schema.log_runs).where(_RUNS.first < end, _RUNS.first + _RUNS.count > first)
    # The run that holds `first` begins at most one run before it.
    for run in connection.execute(runs.order_by(_RUNS.first)).mappings():
        start = max(first, run["first"])
        count = min(end, run["first"] + run["count"]) - start
        pos = run["pos"] + start - run["first"]
        read = _tokens if run["source"] == "token" else _records
        found += read(connection, pos, count, start)
    return [_view(one, entitled=_entitled(connection, one, scope)) for one in found]


def chain(
    connection: Connection, host: str, when: When, *, before: int | None, limit: int
) -> list[ChainLink]:
    """Return the tokens of a host, newest number first, from below a number."""
    query = (
        select(schema.tokens)
        .join(schema.hosts, schema.hosts.c.num == _TOKENS.host)
        .where(schema.hosts.c.id == host, _TOKENS.received_ms <= when.seen_until_ms)
        .order_by(_TOKENS.seq.desc(), _TOKENS.pos.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(_TOKENS.seq < before)
    return [
        ChainLink(
            seq=row["seq"],
            token=b64url_encode(bytes(row["id"])),
            received_ms=row["received_ms"],
            freshness=row["freshness"],
            leaf=b64url_encode(bytes(row["leaf"])),
            log_index=_index(connection, "token", row["pos"]),
        )
        for row in connection.execute(query).mappings()
    ]


def trail(connection: Connection, finding: str, when: When) -> list[TrailRow]:
    """Return the records of a finding, in the order of the log."""
    query = (
        select(_RECORDS.pos, _RECORDS.type, _RECORDS.time_ms, _RECORDS.record)
        .where(
            _RECORDS.subject == finding,
            _RECORDS.type.in_((EntryType.FINDING.value, EntryType.CASE.value)),
            _RECORDS.time_ms <= when.seen_until_ms,
        )
        .order_by(_RECORDS.pos)
    )
    return [
        TrailRow(
            kind=row.type,
            time_ms=row.time_ms,
            record=bytes(row.record),
            log_index=_index(connection, "record", row.pos),
        )
        for row in connection.execute(query).all()
    ]


def _index(connection: Connection, source: str, pos: int) -> int | None:
    """Return the log index of a row, or None while the sequencer has not placed it."""
    query = (
        select(schema.log_runs)
        .where(_RUNS.source == source, _RUNS.pos <= pos)
        .order_by(_RUNS.pos.desc())
        .limit(1)
    )
    run = connection.execute(query).mappings().first()
    if run is None or pos >= run["pos"] + run["count"]:
        return None
    return int(run["first"] + pos - run["pos"])


def _tokens(connection: Connection, pos: int, count: int, index: int) -> Sequence[_Behind]:
    query = (
        select(
            schema.tokens,
            schema.hosts.c.id.label("host_id"),
            schema.hosts.c.site,
            schema.host_keys.c.kid,
        )
        .join(schema.hosts, schema.hosts.c.num == _TOKENS.host)
        .join(schema.host_keys, schema.host_keys.c.num == _TOKENS.key)
        .where(_TOKENS.pos >= pos, _TOKENS.pos < pos + count)
        .order_by(_TOKENS.pos)
    )
    rows = connection.execute(query).mappings()
    return [_token(row, index + row["pos"] - pos) for row in rows]


def _token(row: Mapping[Any, Any], index: int) -> _Behind:
    accepted = TokenAccepted(
        freshness=row["freshness"],
        host=row["host_id"],
        kid=row["kid"],
        received=row["received_ms"],
        signature=sha256_b64(bytes(row["signature"])),
        site=row["site"],
        token=b64url_encode(bytes(row["id"])),
    )
    return _Behind(
        index=index,
        leaf=bytes(row["leaf"]),
        kind=EntryType.TOKEN,
        time_ms=row["received_ms"],
        record=encode_canonical(accepted),
        salt=bytes(row["salt"]),
        site=row["site"],
    )


def _records(connection: Connection, pos: int, count: int, index: int) -> Sequence[_Behind]:
    query = (
        select(schema.records)
        .where(_RECORDS.pos >= pos, _RECORDS.pos < pos + count)
        .order_by(_RECORDS.pos)
    )
    return [
        _Behind(
            index=index + row["pos"] - pos,
            leaf=bytes(row["leaf"]),
            kind=EntryType(row["type"]),
            time_ms=row["time_ms"],
            record=bytes(row["record"]),
            salt=bytes(row["salt"]),
            site=_site(connection, row["subject"]),
        )
        for row in connection.execute(query).mappings().all()
    ]


def _site(connection: Connection, subject: str) -> str | None:
    """Return the site a record is about: by its event, finding, host, statement or key."""
    for table, key in (
        (schema.ledger_events, schema.ledger_events.c.id),
        (schema.attested_events, schema.attested_events.c.id),
        (schema.findings, schema.findings.c.id),
        (schema.hosts, schema.hosts.c.id),
        (schema.period_documents, schema.period_documents.c.digest),
    ):
        found = connection.execute(select(table.c.site).where(key == subject)).first()
        if found is not None:
            return None if found.site is None else str(found.site)
    stated = select(schema.ledger_events.c.site).join(
        schema.ledger_statements, schema.ledger_statements.c.event == schema.ledger_events.c.id
    )
    found = connection.execute(stated.where(schema.ledger_statements.c.id == subject)).first()
    if found is not None:
        return None if found.site is None else str(found.site)
    keyed = select(schema.hosts.c.site).join(
        schema.host_keys, schema.host_keys.c.host == schema.hosts.c.id
    )
    found = connection.execute(keyed.where(schema.host_keys.c.kid == subject)).first()
    return None if found is None else str(found.site)


def _entitled(connection: Connection, one: _Behind, scope: frozenset[str] | None) -> bool:
    """Tell whether a reader may have a record: it is about one of its sites and names no other."""
    if scope is None:
        return True
    if one.site not in scope:
        return False
    if one.kind is not EntryType.FINDING:
        return True
    record = msgspec.json.decode(one.record, type=dict[str, Any])
    detail = record.get("detail", {})
    if record.get("type") == Kind.COUNTER_BACKWARD:
        return False  # what a counter was before, a host of another site may have read
    if record.get("type") == Kind.IDENTITY_CHANGED and not _names_own(connection, detail, scope):
        return False
    return all(value in scope for name, value in detail.items() if name.endswith("_site"))


def _names_own(connection: Connection, detail: Mapping[str, Any], scope: frozenset[str]) -> bool:
    """Tell whether hosts of these sites reported every earlier name that a change gives."""
    before = detail.get("before")
    return before is not None and names_seen(connection, before, scope=scope) >= set(before)


def _view(one: _Behind, *, entitled: bool) -> LogEntry:
    entry = make_entry(one.kind, one.record, salt=one.salt, time_ms=one.time_ms)
    return LogEntry(
        index=one.index,
        leaf=b64url_encode(one.leaf),
        type=one.kind,
        time_ms=one.time_ms,
        entry=entry.decode(),
        record=one.record.decode() if entitled else None,
        salt=b64url_encode(one.salt) if entitled else None,
    )
