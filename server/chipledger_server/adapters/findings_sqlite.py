"""Findings and their cases, written by the sequencer with hand-written statements."""

from typing import Any

import msgspec

from chipledger_book.cases import Step
from chipledger_book.terms import Severity
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.entry import EntryType
from chipledger_server.adapters.cases_sqlite import SqliteCases
from chipledger_server.adapters.records_sqlite import append_own
from chipledger_server.adapters.rows import Execute
from chipledger_server.domain.findings import (
    About,
    Detail,
    FindingRecord,
    Kind,
    extent,
    step_of,
)
from chipledger_server.ports import Entropy


class SqliteFindings:
    """The table `findings`, on the writer's connection.

    Attributes:
        cases: what people and time make of findings.
        recording: whether changes get records; not in a replay, where the log has them.
    """

    def __init__(self, execute: Execute, entropy: Entropy) -> None:
        self._execute = execute
        self._entropy = entropy
        self.cases = SqliteCases(execute)
        self.recording = True

    def put_finding(self, key: str, about: About, at_ms: int, detail: bytes) -> None:
        """Open a finding."""
        self._execute(
            "INSERT INTO findings (id, type, severity, state, site, host, chip, opened_ms,"
            " seen_ms, times, detail, subject, extent) VALUES (?,?,?,'open',?,?,?,?,?,1,?,?,?)"
            " ON CONFLICT (id) DO UPDATE SET times = times + 1, seen_ms = excluded.seen_ms,"
            " state = 'open', resolved_ms = NULL, severity = excluded.severity,"
            " detail = excluded.detail, extent = max(extent, excluded.extent)",
            (
                key,
                str(about.kind),
                about.weight.value,
                about.site,
                about.host,
                about.chip,
                at_ms,
                at_ms,
                detail,
                about.subject,
                extent(msgspec.json.decode(detail)),
            ),
        )

    def finding_detail(self, key: str) -> Detail | None:
        """Return what a finding saw, or None where there is no such finding."""
        row = self._execute("SELECT detail FROM findings WHERE id = ?", (key,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=dict[str, Any])

    def past_finding(self, about: About) -> str | None:
        """Return the finding of a fact that has ended and may return: same type, same subject."""
        row = self._execute(
            "SELECT id FROM findings WHERE subject = ? AND type = ? AND state = 'resolved'"
            " AND chip IS ? ORDER BY opened_ms, id LIMIT 1",
            (about.subject, str(about.kind), about.chip),
        ).fetchone()
        return None if row is None else row[0]

    def touch_finding(
        self, key: str, at_ms: int, detail: bytes, *, severity: Severity | None = None
    ) -> int:
        """Note that an open finding was seen again; return by how much it exceeds what it was."""
        (before,) = self._execute("SELECT extent FROM findings WHERE id = ?", (key,)).fetchone()
        now = extent(msgspec.json.decode(detail))
        self._execute(
            "UPDATE findings SET times = times + 1, seen_ms = ?, detail = ?,"
            " extent = max(extent, ?), severity = coalesce(?, severity) WHERE id = ?",
            (at_ms, detail, now, None if severity is None else severity.value, key),
        )
        return max(0, now - int(before))

    def finding(self, key: str) -> About:
        """Return what a finding is about, with the severity it has now."""
        kind, severity, subject, site, host, chip = self._execute(
            "SELECT type, severity, coalesce(subject, host, site), site, host, chip"
            " FROM findings WHERE id = ?",
            (key,),
        ).fetchone()
        return About(
            kind=kind,
            subject=subject,
            site=site,
            host=host,
            chip=chip,
            severity=Severity(severity),
        )

    def close_finding(self, key: str, at_ms: int) -> tuple[About, Detail]:
        """Resolve a finding, and return what it was about."""
        self._execute(
            "UPDATE findings SET state = 'resolved', resolved_ms = ? WHERE id = ?", (at_ms, key)
        )
        return self.finding(key), self.finding_detail(key) or {}

    def open_finding(self, kind: Kind, site: str) -> str | None:
        """Return an open finding of a site as a whole."""
        row = self._execute(
            "SELECT id FROM findings WHERE site = ? AND state = 'open' AND type = ?"
            " AND host IS NULL",
            (site, kind.value),
        ).fetchone()
        return None if row is None else row[0]

    def record_finding(self, record: FindingRecord) -> None:
        """Append a finding's record to the log's queue, and take its case along."""
        if self.recording:
            said = encode_canonical(record)
            self.record(EntryType.FINDING, record.id, said, record.at)
            self.cases.take(step_of(record))

    def record_step(self, step: Step) -> None:
        """Append a step of a case that time made to the log's queue, and take it."""
        self.record(EntryType.CASE, step.case, encode_canonical(step), step.at)
        self.cases.take(step)

    def record(self, kind: EntryType, subject: str, record: bytes, at_ms: int) -> int:
        """Append one of the collector's own records to the log's queue; return its position."""
        return append_own(self._execute, self._entropy, kind, subject, record=record, at_ms=at_ms)
