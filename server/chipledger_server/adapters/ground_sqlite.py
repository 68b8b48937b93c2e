"""The database under the sequencer's steps: transactions on the writer's connection."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from chipledger_evidence.entry import EntryType
from chipledger_server.adapters.sequence_sqlite import SqliteSequenceStore
from chipledger_server.adapters.tokens_sqlite import logged_tokens
from chipledger_server.domain.hosts import HostState, LoggedToken


class SqliteGround:
    """Begins, commits and rolls back; reads what is committed."""

    def __init__(self, connection: sqlite3.Connection, store: SqliteSequenceStore) -> None:
        self._connection = connection
        self._store = store

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin a transaction that ends with the block: kept, or undone by an exception."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def tokens(self, first: int, most: int) -> Sequence[LoggedToken]:
        """Return committed tokens from a position on."""
        return logged_tokens(self._connection.execute, first, most)

    def flush(self, states: Sequence[HostState]) -> None:
        """Write changed host states."""
        self._store.flush(states)

    def forget(self) -> None:
        """Drop every cached host state."""
        self._store.forget()

    def record(self, kind: EntryType, subject: str, record: bytes, at_ms: int) -> None:
        """Append one of the collector's own records to the log's queue."""
        self._store.record(kind, subject, record, at_ms)
