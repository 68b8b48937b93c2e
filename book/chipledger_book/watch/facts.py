"""What watching answers: waits and facts, and how they are named.

A *wait* is a step that waits for somebody, with the time until which it may. A *fact* is
something between the book and what was seen that somebody should explain; never a verdict.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from chipledger_book.statements import Role
from chipledger_book.tables import TableVersion
from chipledger_book.terms import Severity

MOST_LISTED: Final = 32
"""Most chips, events or names that a fact lists; `pieces` and the detail count all of them."""


class FactKind(StrEnum):
    """Types of findings that follow from the book and from what was seen."""

    # what ought to be there and is not
    MISSING = "missing"  # was attested, is booked, no longer answers
    NEVER_ATTESTED = "never-attested"  # arrived and never answered
    LOST_OR_STOLEN = "lost-or-stolen"  # the site says that it is gone
    NOTICE_LATE = "notice-late"  # no authority was told of it
    # what is there and ought not to be
    OVERAGE = "overage"  # answers and is on no book
    SEEN_ELSEWHERE = "seen-elsewhere"  # booked here, answers at another site
    SHIPPED_SEEN = "shipped-seen"  # left on paper, still answers
    DISPOSED_SEEN = "disposed-seen"  # scrapped or destroyed on paper, still answers
    SEALED_SEEN = "sealed-seen"  # under seal on paper, answers
    # on the way
    IN_TRANSIT_LATE = "in-transit-late"  # declared shipment not received
    TRANSFER_LATE = "transfer-late"  # left one site, did not arrive at the other
    EXPORT_UNCONFIRMED = "export-unconfirmed"  # shipped out, nobody says that it arrived
    RECEIPT_DIFFERENCE = "receipt-difference"  # not settled
    RECEIVED_MORE_THAN_SHIPPED = "received-more-than-shipped"
    SERIAL_RECEIVED_TWICE = "serial-received-twice"
    RECEIPT_UNMATCHED = "receipt-unmatched"  # an outsider recorded what the ledger lacks
    # back to the vendor
    RMA_OPEN = "rma-open"  # the vendor says nothing, or nothing came back
    RMA_RATE = "rma-rate"  # more than the honest rate explains
    RMA_RETURNED = "rma-returned"  # answers again without the vendor's release
    # at rest
    STORED_TOO_LONG = "stored-too-long"
    SEAL_CHECK_LATE = "seal-check-late"
    SEAL_BROKEN = "seal-broken"  # found broken or missing
    # papers
    MOVED_UNCONFIRMED = "moved-unconfirmed"
    MAINTENANCE_TOO_LONG = "maintenance-too-long"
    EVIDENCE_LATE = "evidence-late"  # a disposal without its paper
    LATE_EVENT = "late-event"  # entered long after it happened, or into a signed period
    # quantities
    CAP_NEAR = "cap-near"
    CAP_EXCEEDED = "cap-exceeded"
    NOT_AUTHORISED = "not-authorised"  # nothing allows these chips at all
    LICENCE_EXPIRING = "licence-expiring"
    # shapes of deceit
    STRUCTURING = "structuring"  # several parties or shipments, each just under a limit
    SHUTTLED = "shuttled"  # answered at several sites in turn, without transfers
    BORROWED_HARDWARE = "borrowed-hardware"  # came for an inspection and left after it


class WaitKind(StrEnum):
    """Steps that wait for somebody."""

    RECEIPT = "receipt"
    DIFFERENCE = "difference"
    ATTESTATION = "attestation"
    TRANSFER = "transfer"
    EXPORT = "export"
    RMA_CONFIRMATION = "rma-confirmation"
    RMA_RETURN = "rma-return"
    SEAL_CHECK = "seal-check"
    STORAGE = "storage"
    MOVE = "move"
    EVIDENCE = "evidence"
    NOTICE = "notice"
    MAINTENANCE = "maintenance"
    ABSENCE = "absence"
    OVERAGE = "overage"
    EXTERNAL = "external"
    LICENCE = "licence"
    ACKNOWLEDGEMENT = "acknowledgement"  # of a case
    EXPLANATION = "explanation"  # of a case


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who must act.

    Attributes:
        role: as what.
        party: who; empty where the ledger names nobody.
    """

    role: Role
    party: str = ""


Value = int | str | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that somebody should explain.

    Attributes:
        kind: its type.
        subject: what it is about: a site, a party, a licence.
        site: the site, or None where it is about several.
        key: names it among those of its kind, the same every time it is seen.
        since_ms: when it began.
        pieces: chips in question.
        tpp: TPP of those of them that are controlled: the effect on the balance.
        severity: from the effect on the balance.
        owner: who must act.
        events: ids of events it rests on, sorted, :data:`MOST_LISTED` at most.
        chips: chips by name, sorted, :data:`MOST_LISTED` at most.
        detail: pieces, tpp, pieces by model, and what else was seen: whole numbers and texts under
            fixed names. The words of a finding are made of it alone.
    """

    kind: FactKind
    subject: str
    site: str | None
    key: str
    since_ms: int
    pieces: int
    tpp: int
    severity: Severity
    owner: Owner
    events: tuple[str, ...] = ()
    chips: tuple[str, ...] = ()
    detail: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One step that waits for somebody, or waited.

    Attributes:
        kind: which step.
        site: at which site, or None.
        event: the event that began it, or None.
        chip: the chip it is about, or None.
        key: names it among those of its kind, the same every time.
        owner: who must act.
        since_ms: when it began.
        due_ms: last millisecond at which it is in time; the collector's downtime is left out.
        done_ms: when it ended, or None while it lasts.
        pieces: chips that it waits for, 0 once done or where it is about none.
    """

    kind: WaitKind
    site: str | None
    event: str | None
    chip: str | None
    key: str
    owner: Owner
    since_ms: int
    due_ms: int
    done_ms: int | None
    pieces: int = 0

    def late(self, at_ms: int) -> bool:
        """Tell whether it ended, or lasts at a time, after it was due."""
        return (at_ms if self.done_ms is None else self.done_ms) > self.due_ms

    def overdue(self, at_ms: int) -> bool:
        """Tell whether it lasts at a time after it was due."""
        return self.done_ms is None and at_ms > self.due_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was found at one time.

    Attributes:
        waits: sorted by due time, kind and key; those that ended among them.
        facts: sorted by kind and key; none has the kind and key of another.
        tables: versions of every table used.
    """

    waits: tuple[Wait, ...]
    facts: tuple[Fact, ...]
    tables: tuple[TableVersion, ...]


def watched(found: Iterable[Wait | Fact], tables: tuple[TableVersion, ...]) -> Watched:
    """Return what was found in its one order."""
    all_found = list(found)
    waits = [one for one in all_found if isinstance(one, Wait)]
    facts = [one for one in all_found if isinstance(one, Fact)]
    return Watched(
        waits=tuple(sorted(waits, key=lambda wait: (wait.due_ms, wait.kind, wait.key))),
        facts=tuple(sorted(facts, key=lambda fact: (fact.kind, fact.key))),
        tables=tables,
    )
