"""The one way a record gets into the log.

A change that matters and its record are written in one transaction. The sequencer gives the
record its log index afterwards; the leaf is final from here on.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, insert

from chipledger_evidence.entry import EntryType, entry_hash, make_entry
from chipledger_server.adapters import schema
from chipledger_server.usecases.decisions import Draft


def append_record(
    connection: Connection,
    *,
    kind: EntryType,
    subject: str,
    principal: str,
    record: bytes,
    time_ms: int,
    salt: bytes,
) -> bytes:
    """Append `record` to the log's queue and return its leaf hash.

    Args:
        connection: in the transaction that makes the change.
        kind: type of the log entry.
        subject: id of the event, finding, key, host or principal the record is about.
        principal: who is answerable: a principal's name, ``local:<uid>`` or ``collector``.
        record: canonical bytes.
        time_ms: when the collector took it up, Unix milliseconds.
        salt: 16 fresh random bytes.
    """
    leaf = entry_hash(make_entry(kind, record, salt=salt, time_ms=time_ms))
    connection.execute(
        insert(schema.records).values(
            type=str(kind),
            time_ms=time_ms,
            subject=subject,
            principal=principal,
            record=record,
            salt=salt,
            leaf=leaf,
        )
    )
    return leaf


def append_records(connection: Connection, drafts: Iterable[Draft]) -> None:
    """Append many records to the log's queue, in their order."""
    rows = [
        {
            "type": str(one.kind),
            "time_ms": one.time_ms,
            "subject": one.subject,
            "principal": one.principal,
            "record": one.record,
            "salt": one.salt,
            "leaf": entry_hash(
                make_entry(one.kind, one.record, salt=one.salt, time_ms=one.time_ms)
            ),
        }
        for one in drafts
    ]
    if rows:
        connection.execute(insert(schema.records), rows)
