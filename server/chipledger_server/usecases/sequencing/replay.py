"""Everything derived, computed anew from the log by the same calls that computed it first.

What only the clock could decide, that a host or a site was silent and what looking around found,
stands in the log as a finding and is taken from there; so is what was refused, which never
entered the log, and what people did about findings.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from chipledger_book.cases import Step
from chipledger_book.watch import FactKind
from chipledger_evidence.entry import EntryType
from chipledger_server.domain.findings import About, FindingRecord, Kind, encode_detail, step_of
from chipledger_server.domain.hosts import LoggedToken
from chipledger_server.domain.log import LoggedRecord
from chipledger_server.usecases.sequencing.fold import Fold

_FACTS = frozenset(FactKind)
_BY_CLOCK = frozenset({Kind.SILENT_HOST, Kind.MASS_SILENCE})


class WholeLog(Protocol):
    """The log from its first entry on, and the derived tables it is replayed into."""

    def wipe(self) -> None:
        """Empty every derived table and column, and write no records from now on."""
        ...

    def entries(self) -> Iterator[LoggedToken | LoggedRecord]:
        """Yield what stands behind every entry, in order."""
        ...

    def flush(self) -> None:
        """Write every host state that has changed since."""
        ...


def replay(fold: Fold, log: WholeLog) -> None:
    """Compute everything derived anew, inside the caller's transaction."""
    log.wipe()
    fold.models.start_over()
    for entry in log.entries():
        if isinstance(entry, LoggedToken):
            fold.apply(entry)
        else:
            _record(fold, entry)
    log.flush()


def _record(fold: Fold, entry: LoggedRecord) -> None:
    if entry.kind == EntryType.ENROLMENT:
        fold.enrolled(fold.store.host_named(entry.subject))
    if entry.kind == EntryType.RESULT:
        fold.judged(entry.subject, entry.record)
    if entry.kind in {EntryType.KEY, EntryType.DECISION}:
        fold.lifecycle.take(entry.subject, entry.record)
    if entry.kind == EntryType.RULE_SET:
        fold.models.take(entry.record)
    if entry.kind == EntryType.CASE:
        fold.store.cases.take(msgspec.json.decode(entry.record, type=Step))
    if entry.kind != EntryType.FINDING:
        return
    finding = msgspec.json.decode(entry.record, type=FindingRecord)
    fold.store.cases.take(step_of(finding))
    if finding.type in _FACTS:
        fold.facts.take(finding)
    if finding.type not in _BY_CLOCK or finding.state != "open":
        return
    mass = finding.type == Kind.MASS_SILENCE
    about = About(
        kind=finding.type,
        severity=finding.severity,
        subject=finding.subject,
        site=finding.site or finding.subject,
        host=None if mass else finding.subject,
    )
    fold.store.put_finding(finding.id, about, finding.at, encode_detail(finding.detail))
    if not mass:
        host = fold.store.host_named(finding.subject)
        host.open[Kind(finding.type)] = finding.id
        host.silent_since_ms, host.changed = finding.detail["last_seen_ms"], True
        fold.store.drop_timer(host.id)
        fold.store.flush([host])
