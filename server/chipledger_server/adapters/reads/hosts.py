"""Hosts, read: what they are, when they last answered, and the chain of their tokens."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.inventory import Inventory
from chipledger_server.adapters import schema
from chipledger_server.adapters.reads.sightings import newest_runs
from chipledger_server.usecases.reading import HostFacts, HostsAsked, When
from chipledger_server.usecases.views import HostKey, Run

_HOSTS = schema.hosts.c
_MOST_INVENTORY_BYTES = 256 * 1024


_INVENTORY = msgspec.json.Decoder(Inventory)


def hosts(
    connection: Connection, ask: HostsAsked, *, after: str, limit: int | None
) -> list[HostFacts]:
    """Return hosts in the order of their ids, after an id."""
    runs = newest_runs(ask.when, site=ask.site, host=ask.host).cte("runs")
    keys = schema.host_keys.c
    tier = (
        select(keys.tier)
        .where(keys.host == _HOSTS.id, keys.enrolled_ms <= ask.when.known_at_ms)
        .order_by(keys.enrolled_ms.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(
            schema.hosts,
            tier.label("tier"),
            runs.c.inventory.label("run_inventory"),
            runs.c.until_ms.label("run_until_ms"),
        )
        .select_from(schema.hosts.outerjoin(runs, runs.c.host == _HOSTS.id))
        .where(_HOSTS.id > after, _HOSTS.enrolled_ms <= ask.when.seen_until_ms)
        .order_by(_HOSTS.id)
    )
    if ask.scope is not None:
        query = query.where(_HOSTS.site.in_(ask.scope))
    if ask.site is not None:
        query = query.where(_HOSTS.site == ask.site)
    if ask.host is not None:
        query = query.where(_HOSTS.id == ask.host)
    if limit is not None:
        query = query.limit(limit)
    return [_facts(row, ask.when) for row in connection.execute(query).mappings()]


def site_of(connection: Connection, host: str) -> str | None:
    """Return the site of a host, or None where there is no such host."""
    return connection.execute(select(_HOSTS.site).where(_HOSTS.id == host)).scalar_one_or_none()


def keys(connection: Connection, host: str, when: When) -> list[HostKey]:
    """Return the keys a host was enrolled with, oldest first."""
    columns = schema.host_keys.c
    query = (
        select(schema.host_keys)
        .where(columns.host == host, columns.enrolled_ms <= when.known_at_ms)
        .order_by(columns.enrolled_ms)
    )
    return [
        HostKey(
            kid=row["kid"],
            tier=row["tier"],
            enrolled_ms=row["enrolled_ms"],
            revoked_ms=_before(row["revoked_ms"], when.known_at_ms),
            leaf=b64url_encode(bytes(row["leaf"])),
            ek_certificate=row["ek_standing"],
        )
        for row in connection.execute(query).mappings()
    ]


def runs(connection: Connection, host: str, when: When, *, limit: int) -> list[Run]:
    """Return the runs of a host, newest first."""
    columns = schema.presence.c
    query = (
        select(schema.presence, _HOSTS.fresh_ms)
        .join(schema.hosts, _HOSTS.id == columns.host)
        .where(columns.host == host, columns.since_ms <= when.seen_until_ms)
        .order_by(columns.since_ms.desc(), columns.id.desc())
        .limit(limit)
    )
    return [run_view(row, when) for row in connection.execute(query).mappings()]


def run_view(row: Mapping[Any, Any], when: When) -> Run:
    """Return a run as known at a time, from a row of `presence` with its host's `fresh_ms`."""
    end = row["until_ms"]
    known_end = row["fresh_ms"] if end is None else end
    return Run(
        site=row["site"],
        host=row["host"],
        inventory=b64url_encode(bytes(row["inventory"])),
        since_ms=row["since_ms"],
        until_ms=min(known_end or row["since_ms"], when.seen_until_ms),
        running=end is None or end > when.seen_until_ms,
    )


def inventory(connection: Connection, digest: bytes) -> Inventory | None:
    """Return an inventory by its digest."""
    columns = schema.inventories.c
    body = connection.execute(
        select(columns.body).where(columns.digest == digest)
    ).scalar_one_or_none()
    return None if body is None else _INVENTORY.decode(_inflate(bytes(body)))


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _MOST_INVENTORY_BYTES)


def _facts(row: Mapping[Any, Any], when: When) -> HostFacts:
    return HostFacts(
        id=row["id"],
        site=row["site"],
        hardware=row["hardware"],
        provider=row["provider"],
        key_tier=row["tier"] or "unknown",
        enrolled_ms=row["enrolled_ms"],
        last_fresh_ms=row["run_until_ms"],
        inventory=None if row["run_inventory"] is None else bytes(row["run_inventory"]),
        missing=_ranges(row["missing"]),
        retired_ms=_before(row["retired_ms"], when.seen_until_ms),
    )


def _ranges(stored: bytes | None) -> Sequence[tuple[int, int]]:
    return () if stored is None else msgspec.json.decode(stored, type=tuple[tuple[int, int], ...])


def _before(at_ms: int | None, limit_ms: int) -> int | None:
    return at_ms if at_ms is not None and at_ms <= limit_ms else None
