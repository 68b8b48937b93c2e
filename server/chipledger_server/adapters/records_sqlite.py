"""The collector's own records, appended to the log's queue by hand-written statements.

The one way for the writer's thread, as `recording` is for everybody else.
"""

from typing import Final

from chipledger_evidence.entry import SALT_BYTES, EntryType, entry_hash, make_entry
from chipledger_server.adapters.rows import Execute
from chipledger_server.ports import Entropy

COLLECTOR: Final = "collector"


def append_own(
    execute: Execute,
    entropy: Entropy,
    kind: EntryType,
    subject: str,
    *,
    record: bytes,
    at_ms: int,
) -> int:
    """Append a record, inside the caller's transaction, and return its position."""
    salt = entropy(SALT_BYTES)
    leaf = entry_hash(make_entry(kind, record, salt=salt, time_ms=at_ms))
    cursor = execute(
        "INSERT INTO records (type, time_ms, subject, principal, record, salt, leaf)"
        " VALUES (?,?,?,?,?,?,?)",
        (kind.value, at_ms, subject, COLLECTOR, record, salt, leaf),
    )
    if cursor.lastrowid is None:
        raise AssertionError("an insert has a row id")
    return cursor.lastrowid
