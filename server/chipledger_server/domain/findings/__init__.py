"""What the collector finds by itself: types, severities, words, and innocent explanations.

A finding is a fact that somebody should explain, never a verdict. Two kinds: a *condition* of
a host or site is resolved when it ends; an *event* has happened and stays open.
"""

from chipledger_book.terms import Severity
from chipledger_server.domain.findings.effects import effect
from chipledger_server.domain.findings.innocent import INNOCENT
from chipledger_server.domain.findings.kinds import (
    HOST_KINDS,
    SEVERITY,
    Kind,
    severity_of,
)
from chipledger_server.domain.findings.record import (
    MOST_LISTED,
    About,
    Detail,
    FactState,
    FindingRecord,
    encode_detail,
    extent,
    finding_id,
    step_of,
)
from chipledger_server.domain.findings.words import in_words

__all__ = [
    "HOST_KINDS",
    "INNOCENT",
    "MOST_LISTED",
    "SEVERITY",
    "About",
    "Detail",
    "FactState",
    "FindingRecord",
    "Kind",
    "Severity",
    "effect",
    "encode_detail",
    "extent",
    "finding_id",
    "in_words",
    "severity_of",
    "step_of",
]
