"""Who is late: every step that waits for somebody, with who must act and until when."""

from typing import Final

from chipledger_book.timers import DAY_MS
from chipledger_book.watch import Wait
from chipledger_server.usecases.views import Answer


class WaitView(Answer, frozen=True, kw_only=True):
    """One step that waits for somebody, or did.

    Attributes:
        kind: which step; of findings ``acknowledgement``, ``explanation`` and ``decision``.
        key: names it among those of its kind.
        words: what is waited for, in words.
        site: at which site.
        event: id of the event that began it, where one did.
        chip: the chip it is about.
        finding: id of the finding about which it is owed.
        owner_role: as what somebody must act.
        owner: who must act; empty where the ledger names nobody.
        since_ms: when it began.
        due_ms: until when it is in time; the collector's own downtime is left out.
        done_ms: when it ended.
        late_ms: by how much it is, or ended, late; 0 where it is not.
        pieces: chips that it waits for.
    """

    kind: str
    key: str
    words: str
    site: str | None
    event: str | None
    chip: str | None
    finding: str | None
    owner_role: str
    owner: str
    since_ms: int
    due_ms: int
    done_ms: int | None
    late_ms: int
    pieces: int


class WaitsPage(Answer, frozen=True, kw_only=True):
    """Waits, the one due first first.

    Attributes:
        items: the waits.
        next: cursor of the next page, or null at the end.
        looked_ms: when everything was last looked at, at the latest; null: not yet. What is owed
            about findings is of now.
    """

    items: tuple[WaitView, ...]
    next: str | None
    looked_ms: int | None


DECISION: Final = "decision"
"""Kind of what an auditor owes about a finding that was explained."""

WORDS: Final = {
    "receipt": "receive what was shipped",
    "difference": "settle the difference on receipt",
    "attestation": "attest what arrived for the first time",
    "transfer": "receive what was transferred",
    "export": "confirm what was shipped out",
    "rma-confirmation": "confirm what came back by RMA",
    "rma-return": "send the repaired or replaced chips",
    "seal-check": "look at the seal",
    "storage": "use what is stored, or send it on",
    "move": "confirm the move",
    "evidence": "hand in the paper of the disposal",
    "notice": "tell the authority of the loss",
    "maintenance": "end the maintenance",
    "absence": "bring back or explain what no longer answers",
    "overage": "book what answers and is on no book",
    "external": "book what an outsider recorded",
    "licence": "renew the licence",
    "acknowledgement": "acknowledge the finding",
    "explanation": "explain the finding",
    DECISION: "accept or reject the explanation",
}
"""What somebody must do to end a wait of each kind."""


def wait_view(wait: Wait, *, now_ms: int) -> WaitView:
    """Return a wait as readers are shown it."""
    until_ms = now_ms if wait.done_ms is None else wait.done_ms
    return WaitView(
        kind=str(wait.kind),
        key=wait.key,
        words=WORDS[wait.kind],
        site=wait.site,
        event=wait.event,
        chip=wait.chip,
        finding=None,
        owner_role=str(wait.owner.role),
        owner=wait.owner.party,
        since_ms=wait.since_ms,
        due_ms=wait.due_ms,
        done_ms=wait.done_ms,
        late_ms=max(0, until_ms - wait.due_ms),
        pieces=wait.pieces,
    )


def days(ms: int) -> int:
    """Return whole days, begun ones counted."""
    return -(-ms // DAY_MS)
