"""What an administrator decided, as it stands in the log for ever.

A decision is written in the same transaction as what it changes. It names who decided, and
never holds a token, a code or anything else that opens a door.
"""

from dataclasses import dataclass
from typing import Final, Literal

from chipledger_evidence.codec import Wire, encode_canonical
from chipledger_evidence.entry import EntryType
from chipledger_evidence.inventory import Count, Text

Action = Literal[
    "principal-added",
    "principal-revoked",
    "principal-rotated",
    "enrolment-code-created",
    "key-revoked",
    "host-proposed",
    "host-declined",
    "host-retired",
    "host-moved",
    "host-replaced",
    "period-frozen",
    "period-restated",
    "party-key-proposed",
    "party-key-approved",
    "party-key-declined",
    "party-key-revoked",
    "sample-planned",
    "sample-announced",
    "sample-drawn",
    "sample-counted",
    "sample-concluded",
]

_KINDS: Final[dict[Action, EntryType]] = {
    "key-revoked": EntryType.REVOCATION,
    "party-key-approved": EntryType.KEY,
    "party-key-revoked": EntryType.REVOCATION,
}


class Decision(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``decision``, ``key`` or ``revocation``.

    Attributes:
        action: what was done.
        at: Unix milliseconds.
        by: the principal who did it.
        subject: id of what it was done to.
        detail: what a reader should know of it, by name; no secrets.
        reason: why, where one must be given.
        v: version of this format.
    """

    action: Action
    at: Count
    by: Text
    subject: Text
    detail: dict[str, Text] = {}  # noqa: RUF012 - msgspec copies it for each struct
    reason: Text | None = None
    v: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A record on its way into the log.

    Attributes:
        kind: type of its log entry.
        subject: id of what it is about.
        principal: who stands behind it.
        record: its canonical bytes.
        time_ms: when the collector took it up.
        salt: 16 random bytes.
    """

    kind: EntryType
    subject: str
    principal: str
    record: bytes
    time_ms: int
    salt: bytes


def draft(decision: Decision, *, salt: bytes) -> Draft:
    """Return a decision as it is written down."""
    kind = _KINDS.get(decision.action, EntryType.DECISION)
    return Draft(
        kind=kind,
        subject=decision.subject,
        principal=decision.by,
        record=encode_canonical(decision),
        time_ms=decision.at,
        salt=salt,
    )
