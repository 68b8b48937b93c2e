"""What an attestation result of a host is made from, beside what every reader is shown."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, select

from chipledger_evidence.entry import EntryType
from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_server.adapters import schema
from chipledger_server.usecases.reading import HostLife, When

_RECORDS = schema.records.c
_HOSTS = schema.hosts.c
_SIGNED = schema.signatures.c
MOST_ROUNDS = 64
"""Devices are asked once an hour at most, so this is more than a signature lives for."""
_DECODER = msgspec.json.Decoder(EvidenceResult)


def judged_rounds(
    connection: Connection, host: str, when: When, *, since_ms: int
) -> list[EvidenceResult]:
    """Return the judged rounds of a host since a time, newest first."""
    query = (
        select(_RECORDS.record)
        .where(
            _RECORDS.subject == host,
            _RECORDS.type == EntryType.RESULT,
            _RECORDS.time_ms.between(since_ms, when.seen_until_ms),
        )
        .order_by(_RECORDS.pos.desc())
        .limit(MOST_ROUNDS)
    )
    found = [_DECODER.decode(record) for record in connection.execute(query).scalars()]
    return sorted(found, key=lambda result: result.received, reverse=True)


def ever_signed(connection: Connection, chips: Collection[int], when: When) -> frozenset[int]:
    """Return which of these chips had signed anywhere up to a time."""
    query = (
        select(_SIGNED.chip)
        .where(_SIGNED.chip.in_(sorted(chips)), _SIGNED.since_ms <= when.seen_until_ms)
        .distinct()
    )
    return frozenset(connection.execute(query).scalars())


def life(connection: Connection, host: str, when: When) -> HostLife:
    """Return whether a host was retired by a time, and whether its site is a test site."""
    query = (
        select(_HOSTS.retired_ms, schema.sites.c.test_site)
        .join(schema.sites, schema.sites.c.id == _HOSTS.site)
        .where(_HOSTS.id == host)
    )
    row = connection.execute(query).one()
    retired = row.retired_ms is not None and row.retired_ms <= when.seen_until_ms
    return HostLife(retired=retired, test_site=bool(row.test_site))
