"""What can happen to a case, and by whose hand."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec

from chipledger_book.terms import Document, Millis, Name, Record, Severity

LONGEST_MS: Final = 366 * 86_400_000
"""For how long an explanation or an acceptance may be good: nothing is accepted for ever."""
MOST_EVIDENCE: Final = 32
MAX_REASON: Final = 2000
COLLECTOR: Final = "collector"
"""Name under which facts are written down."""

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_REASON)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class CaseState(StrEnum):
    """Where a case stands.

    ``resolved`` is what the fact does by ending; everything else takes a person.
    """

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    EXPLAINED = "explained"
    ACCEPTED = "accepted"
    CLOSED = "closed"
    RESOLVED = "resolved"


ATTENTION: Final = (CaseState.OPEN, CaseState.ACKNOWLEDGED, CaseState.EXPLAINED)
"""States in which somebody still owes something."""


class CaseRole(StrEnum):
    """In which part somebody acts on a case."""

    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    COLLECTOR = "collector"


class Action(StrEnum):
    """Everything that can happen to a case."""

    # facts, and time
    OPENED = "opened"
    GREW = "grew"
    SHRANK = "shrank"
    RESOLVED = "resolved"
    RETURNED = "returned"
    EXPIRED = "expired"
    # persons
    ACKNOWLEDGE = "acknowledge"
    EXPLAIN = "explain"
    REJECT = "reject"
    ACCEPT = "accept"
    CLOSE = "close"
    CONFIRM = "confirm"
    DECLINE = "decline"
    REOPEN = "reopen"
    ASSIGN = "assign"
    COMMENT = "comment"


FACTS: Final = frozenset(
    {
        Action.OPENED,
        Action.GREW,
        Action.SHRANK,
        Action.RESOLVED,
        Action.RETURNED,
        Action.EXPIRED,
    }
)
"""What happens without a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person before a case.

    Attributes:
        name: the person's name, never reused.
        role: in which part.
        sites: sites within reach; None is every site, and what belongs to none.
    """

    name: str
    role: CaseRole
    sites: frozenset[str] | None = None

    def reaches(self, site: str | None) -> bool:
        """Tell whether a case of this site (None: of no single site) is within reach."""
        return self.sites is None or (site is not None and site in self.sites)


class Step(Record, frozen=True, kw_only=True):
    """One event of a case, as it stands in the log: who, when, what, why, with which papers.

    Attributes:
        action: what happened.
        at: Unix milliseconds; never before the step that came before.
        by: name of the person, or ``collector``.
        case: id of the finding.
        role: in which part the person acted.
        evidence: papers that the step stands on, by the digests of their bytes.
        expires: until when an explanation or an acceptance is good, Unix milliseconds.
        owner: who is answerable from now on.
        reason: why.
        request: what the client called the request, so that a retry changes nothing.
        severity: of the fact from now on; facts only.
        v: version of this format.
    """

    action: Action
    at: Millis
    by: Name
    case: Label
    role: CaseRole
    evidence: Annotated[tuple[Document, ...], msgspec.Meta(max_length=MOST_EVIDENCE)] = ()
    expires: Millis | None = None
    owner: Label | None = None
    reason: Reason | None = None
    request: Label | None = None
    severity: Severity | None = None
    v: Literal[1] = 1
