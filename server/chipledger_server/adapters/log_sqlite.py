"""The log's positions in SQLite: the sequencer's lease, what is new, and what got which index."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.domain.liveness import Span
from chipledger_server.domain.log import KeptRefusal, NewRecord, Progress, Source

_MOST: Final = 1000


class LogTables:
    """Reads and writes the log's positions, on the writer's connection."""

    def __init__(self, connection: sqlite3.Connection, *, holder: str) -> None:
        self._execute = connection.execute
        self._holder = holder
        self._fence = 0

    def take_lease(self, now_ms: int, lease_ms: int) -> None:
        """Become the one sequencer: from here on, whoever was it before is fenced off."""
        row = self._execute(
            "UPDATE sequencer SET holder = ?, fence = fence + 1, lease_until_ms = ?"
            " WHERE id = 1 RETURNING fence",
            (self._holder, now_ms + lease_ms),
        ).fetchone()
        self._fence = row[0]

    def progress(self) -> Progress:
        """Return how far the log is, as committed."""
        row = self._execute(
            "SELECT token_pos, record_pos, refusal_pos, log_size, pulse_ms, beat_ms FROM sequencer"
        ).fetchone()
        names = ("token_pos", "record_pos", "refusal_pos", "log_size", "pulse_ms", "beat_ms")
        return Progress(**dict(zip(names, row, strict=True)))

    def save(self, progress: Progress, *, lease_until_ms: int) -> None:
        """Keep how far the log is.

        Raises:
            ServerError: `fenced`: somebody else has taken the lease; nothing may be committed.
        """
        changed = self._execute(
            "UPDATE sequencer SET token_pos = ?, record_pos = ?, refusal_pos = ?, log_size = ?,"
            " pulse_ms = ?, beat_ms = ?, lease_until_ms = ? WHERE id = 1 AND fence = ?",
            (
                progress.token_pos,
                progress.record_pos,
                progress.refusal_pos,
                progress.log_size,
                progress.pulse_ms,
                progress.beat_ms,
                lease_until_ms,
                self._fence,
            ),
        ).rowcount
        if changed != 1:
            raise ServerError(
                Code.FENCED,
                f"another sequencer has taken the lease from {self._holder}",
                hint="only one collector may apply tokens; this one must be started anew",
            )

    def append(self, progress: Progress, source: Source, positions: Sequence[int]) -> None:
        """Give the next log indices to `positions`, in order."""
        start = 0
        for end in range(1, len(positions) + 1):
            if end == len(positions) or positions[end] != positions[end - 1] + 1:
                self._append_run(progress, source, positions[start], end - start)
                start = end

    def _append_run(self, progress: Progress, source: Source, pos: int, count: int) -> None:
        first = progress.log_size
        extended = self._execute(
            "UPDATE log_runs SET count = count + ? WHERE first = (SELECT max(first) FROM log_runs)"
            " AND source = ? AND pos + count = ?",
            (count, source, pos),
        ).rowcount
        if not extended:
            self._execute(
                "INSERT INTO log_runs (first, source, pos, count) VALUES (?,?,?,?)",
                (first, source, pos, count),
            )
        progress.log_size += count

    def new_records(self, after: int) -> list[NewRecord]:
        """Return records after a position, in order."""
        rows = self._execute(
            "SELECT pos, type, subject, principal, record FROM records"
            " WHERE pos > ? ORDER BY pos LIMIT ?",
            (after, _MOST),
        ).fetchall()
        return [
            NewRecord(pos=pos, kind=kind, subject=subject, principal=principal, record=record)
            for pos, kind, subject, principal, record in rows
        ]

    def new_refusals(self, after: int) -> list[KeptRefusal]:
        """Return refusals after a position, in order."""
        rows = self._execute(
            "SELECT pos, host, token, code, detail, received_ms FROM refusals"
            " WHERE pos > ? ORDER BY pos LIMIT ?",
            (after, _MOST),
        ).fetchall()
        return [
            KeptRefusal(
                pos=pos, host=host, token=token, code=code, detail=detail, received_ms=received_ms
            )
            for pos, host, token, code, detail, received_ms in rows
        ]

    def add_downtime(self, from_ms: int, to_ms: int) -> None:
        """Write down that nobody was accepting between two times."""
        self._execute(
            "INSERT INTO downtime (from_ms, to_ms) VALUES (?,?)"
            " ON CONFLICT (from_ms) DO UPDATE SET to_ms = excluded.to_ms",
            (from_ms, to_ms),
        )

    def downtime(self, after_ms: int) -> list[Span]:
        """Return when nobody was accepting, as far as it ended after a time."""
        return self._execute(
            "SELECT from_ms, to_ms FROM downtime WHERE to_ms > ? ORDER BY from_ms", (after_ms,)
        ).fetchall()

    def runs(self) -> list[tuple[str, int, int]]:
        """Return the whole log as runs: source, first position, count."""
        return self._execute("SELECT source, pos, count FROM log_runs ORDER BY first").fetchall()
