"""The log from its beginning, for recomputing everything derived from it."""

import sqlite3
from collections.abc import Iterator
from typing import Final

from chipledger_server.adapters.lifecycle_sqlite import RESET
from chipledger_server.adapters.sequence_sqlite import SqliteSequenceStore
from chipledger_server.adapters.tokens_sqlite import logged_tokens
from chipledger_server.domain.findings import Kind
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.domain.log import LoggedRecord

DERIVED: Final = (
    "presence",
    "disputes",
    "claims",
    "rounds",
    "signatures",
    "device_keys",
    "inventory_chips",
    "chip_aliases",
    "odometers",
    "slots",
    "builds",
    "build_hosts",
    "places",
    "chips",
    "timers",
    "cases",
    "facts",
)
_MOST: Final = 512


class SqliteWholeLog:
    """Walks the log's runs; the caller holds the transaction."""

    def __init__(self, connection: sqlite3.Connection, store: SqliteSequenceStore) -> None:
        self._execute = connection.execute
        self._store = store
        self._touched: dict[int, HostState] = {}

    def wipe(self) -> None:
        """Empty every derived table and column, and write no records from now on."""
        for table in DERIVED:
            self._execute(f"DELETE FROM {table}")  # noqa: S608 - names from above
        self._execute("DELETE FROM findings WHERE type != ?", (Kind.REFUSED_REPORT.value,))
        self._execute(
            "UPDATE hosts SET seq = 0, token = NULL, missing = NULL, received_ms = NULL,"
            " fresh_ms = NULL, fresh_seq = 0, inventory = NULL, silent_since_ms = NULL,"
            " models = NULL"
        )
        self._execute(RESET)
        self._store.forget()
        self._store.recording = False

    def entries(self) -> Iterator[LoggedToken | LoggedRecord]:
        """Yield what stands behind every entry, in order."""
        runs = self._execute("SELECT source, pos, count FROM log_runs ORDER BY first").fetchall()
        for source, pos, count in runs:
            for start in range(pos, pos + count, _MOST):
                many = min(_MOST, pos + count - start)
                yield from (
                    self._tokens(start, many) if source == "token" else self._records(start, many)
                )

    def _tokens(self, first: int, count: int) -> Iterator[LoggedToken]:
        for token in logged_tokens(self._execute, first, count):
            self._touched[token.host] = self._store.host(token.host)
            yield token

    def _records(self, first: int, count: int) -> Iterator[LoggedRecord]:
        rows = self._execute(
            "SELECT type, subject, record FROM records WHERE pos >= ? AND pos < ? ORDER BY pos",
            (first, first + count),
        ).fetchall()
        for kind, subject, record in rows:
            yield LoggedRecord(kind=kind, subject=subject, record=record)

    def flush(self) -> None:
        """Write every state that has changed since."""
        self._store.flush(self._touched.values())
        self._touched.clear()
