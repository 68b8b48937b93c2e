"""What a case is at a moment: everything that its steps have left behind."""

from typing import Literal

from chipledger_book.cases.steps import CaseState, Label, Reason
from chipledger_book.terms import Document, Millis, Name, Record, Severity


class Explanation(Record, frozen=True, kw_only=True):
    """What the operator says is behind a finding.

    Attributes:
        at: when it was given, Unix milliseconds.
        by: who gave it.
        expires: until when it holds.
        owner: who answers for it.
        reason: the explanation itself.
        evidence: the papers it stands on.
    """

    at: Millis
    by: Name
    expires: Millis
    owner: Label
    reason: Reason
    evidence: tuple[Document, ...] = ()


class Ruling(Record, frozen=True, kw_only=True):
    """What an auditor wants to become of a case, or has made of it.

    Attributes:
        at: when it was proposed or, with one person, made.
        by: the first auditor.
        how: accepted until a day, or closed.
        reason: why.
        confirmed: when the second auditor confirmed it.
        confirmed_by: the second auditor.
        evidence: papers it stands on.
        expires: until when an acceptance holds; a closing has none.
    """

    at: Millis
    by: Name
    how: Literal["accept", "close"]
    reason: Reason
    confirmed: Millis | None = None
    confirmed_by: Name | None = None
    evidence: tuple[Document, ...] = ()
    expires: Millis | None = None


class Case(Record, frozen=True, kw_only=True):
    """A finding as a case.

    Attributes:
        id: id of the finding.
        opened: when its fact was first found, Unix milliseconds.
        round: since when the operator owes an answer: the newest time it became open.
        severity: how much the fact can hide, now.
        since: since when it is in its state.
        state: where it stands, unless time has ended that: ask `machine.at_time`.
        steps: how many steps it has had; names the version of the case a reader saw.
        touched: time of the newest step.
        acknowledged: when the operator acknowledged, in this round.
        episodes: how often the fact has begun.
        explanation: the newest explanation that is neither rejected nor outlived.
        owner: who is answerable.
        pending: what one auditor proposed and another must confirm.
        present: whether the fact holds now.
        ruling: why it is accepted or closed.
        unheard: since when explanations were given, one after the other, without an auditor's word.
    """

    id: Label
    opened: Millis
    round: Millis
    severity: Severity
    since: Millis
    state: CaseState
    steps: int
    touched: Millis
    acknowledged: Millis | None = None
    episodes: int = 1
    explanation: Explanation | None = None
    owner: Label | None = None
    pending: Ruling | None = None
    present: bool = True
    ruling: Ruling | None = None
    unheard: Millis | None = None

    @property
    def takes_two(self) -> bool:
        """Tell whether accepting or closing it takes two persons."""
        return self.severity in {Severity.HIGH, Severity.CRITICAL}

    @property
    def expires(self) -> int | None:
        """When time alone makes it open again, or None."""
        if self.state is CaseState.EXPLAINED and self.explanation is not None:
            return self.explanation.expires
        if self.state is CaseState.ACCEPTED and self.ruling is not None:
            return self.ruling.expires
        return None
