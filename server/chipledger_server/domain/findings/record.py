"""The record of a finding, and its id: the same fact always has the same one."""

import hashlib
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from chipledger_book.cases import COLLECTOR, Action, CaseRole, Step
from chipledger_book.terms import Severity
from chipledger_evidence.codec import Wire, encode_canonical
from chipledger_evidence.inventory import Count, Text
from chipledger_server.domain.findings.kinds import severity_of

Detail = Mapping[str, Any]
"""What was seen: texts, whole numbers, and lists of them, under fixed names."""

FactState = Literal["open", "grown", "lessened", "resolved"]

MOST_LISTED: Final = 32
_COUNTED: Final = ("count", "pieces", "silent")
_ACTIONS: Final[Mapping[FactState, Action]] = {
    "open": Action.OPENED,
    "grown": Action.GREW,
    "lessened": Action.SHRANK,
    "resolved": Action.RESOLVED,
}
_ID_CHARACTERS: Final = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a finding is about.

    Attributes:
        kind: its type: a `Kind`, or the type of a fact of the book.
        subject: host id, site id, id of a ledger event, or name of an ultimate parent.
        site: its site, or None where it is about no single one.
        host: its host.
        chip: its chip.
        severity: how much it can hide; None: what its type begins with.
    """

    kind: str
    subject: str
    site: str | None
    host: str | None = None
    chip: int | None = None
    severity: Severity | None = None

    @property
    def weight(self) -> Severity:
        """How much it can hide."""
        return severity_of(self.kind) if self.severity is None else self.severity


class FindingRecord(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``finding``: what has become of a fact.

    Attributes:
        at: Unix milliseconds.
        detail: what was seen.
        id: names the finding.
        severity: how much it can hide.
        state: what has just become of it; ``open`` again when it has returned.
        subject: host, site, event or ultimate parent that it is about.
        type: its type.
        chip: the chip it is about.
        site: its site.
        v: version of this format.
    """

    at: Count
    detail: dict[str, Any]
    id: Text
    severity: Severity
    state: FactState
    subject: Text
    type: Text
    chip: Count | None = None
    site: Text | None = None
    v: Literal[1] = 1


def step_of(record: FindingRecord) -> Step:
    """Return what a fact's record does to its case."""
    return Step(
        action=_ACTIONS[record.state],
        at=record.at,
        by=COLLECTOR,
        case=record.id,
        role=CaseRole.COLLECTOR,
        severity=record.severity,
    )


def extent(detail: Detail) -> int:
    """Return how much a detail lists or counts: what exceeds it later has grown."""
    listed = [len(value) for value in detail.values() if isinstance(value, list | tuple)]
    counted = [value for name in _COUNTED if isinstance(value := detail.get(name), int)]
    return max([1, *listed, *counted])


def finding_id(kind: str, subject: str, start: str) -> str:
    """Return the id of a finding: the same fact always has the same one.

    Args:
        kind: its type.
        subject: host, site or chip it is about.
        start: what began it: the identity of a token, or a time.
    """
    digest = hashlib.sha256(f"chipledger/finding/1\0{kind}\0{subject}\0{start}".encode()).digest()
    return "f-" + b32encode(digest).decode("ascii").lower()[:_ID_CHARACTERS]


def encode_detail(detail: Detail) -> bytes:
    """Return the canonical JSON of a detail."""
    return encode_canonical(dict(detail))
