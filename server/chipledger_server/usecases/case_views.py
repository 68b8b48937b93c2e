"""Findings as cases, as readers are shown them: lists, one finding, and its trail."""

import msgspec

from chipledger_server.usecases.views import Answer, Millis, Page


class PaperView(Answer, frozen=True, kw_only=True):
    """A paper that a step stands on, by the SHA-256 of its bytes in hex."""

    sha256: str
    title: str


class ExplanationView(Answer, frozen=True, kw_only=True):
    """What the operator says is behind a finding."""

    at_ms: Millis
    by: str
    owner: str
    reason: str
    evidence: tuple[PaperView, ...]
    expires_ms: Millis


class RulingView(Answer, frozen=True, kw_only=True):
    """What an auditor has made of a finding, or has proposed.

    Attributes:
        how: ``accept`` or ``close``.
        by: the first auditor.
        confirmed_by: the second one, where it takes two.
        expires_ms: until when an acceptance holds; a closing has no end.
    """

    how: str
    at_ms: Millis
    by: str
    reason: str
    evidence: tuple[PaperView, ...]
    expires_ms: Millis | None
    confirmed_ms: Millis | None
    confirmed_by: str | None


class DutyView(Answer, frozen=True, kw_only=True):
    """What somebody owes about a finding, until when, and when it was done."""

    kind: str
    owner: str
    since_ms: Millis
    due_ms: Millis
    done_ms: Millis | None
    late: bool


class TrailStep(Answer, frozen=True, kw_only=True):
    """One event of a finding.

    Attributes:
        action: what happened: to the fact, or by a person's hand.
        proposed: whether the step only proposed, and another auditor had to confirm.
        words: what was seen, where it is the fact that changed.
        log_index: its entry in the log, or null while it waits for one.
    """

    action: str
    at_ms: Millis
    by: str
    role: str
    reason: str | None
    owner: str | None
    expires_ms: Millis | None
    evidence: tuple[PaperView, ...]
    proposed: bool
    severity: str | None
    words: str | None
    request: str | None
    log_index: int | None


class FindingView(Answer, frozen=True, kw_only=True):
    """One finding, as a case.

    Attributes:
        state: of the case: open, acknowledged, explained, accepted, closed, resolved.
        present: whether the fact holds now.
        subject: host, site, event of the ledger, or ultimate parent that it is about.
        owner: who is answerable, or null.
        since_ms: since when it is in its state.
        version: how many steps it has had; send it along to act on what you saw.
        episodes: how often the fact has begun.
        expires_ms: when it opens again by itself, or null.
        takes_two: whether accepting or closing it takes two auditors.
        pending: what one auditor proposed and another must confirm.
        late: whether somebody is late now.
        words: what was seen, in a sentence.
        innocent: explanations that need no bad intent.
        effect: what it does to the balance, in words.
        times: how often it was seen.
        detail: what was seen, as recorded.
    """

    id: str
    type: str
    severity: str
    state: str
    present: bool
    subject: str
    site: str | None
    host: str | None
    chip: int | None
    owner: str | None
    opened_ms: Millis
    since_ms: Millis
    seen_ms: Millis
    resolved_ms: Millis | None
    expires_ms: Millis | None
    times: int
    episodes: int
    version: int
    takes_two: bool
    explanation: ExplanationView | None
    pending: RulingView | None
    ruling: RulingView | None
    duties: tuple[DutyView, ...]
    late: bool
    words: str
    effect: str
    innocent: tuple[str, ...]
    detail: msgspec.Raw


class FindingsPage(Page, frozen=True, kw_only=True):
    """Findings, newest first.

    Attributes:
        state: which states were asked for; ``all`` leaves nothing out.
    """

    items: tuple[FindingView, ...]
    state: str


class TrailPage(Answer, frozen=True, kw_only=True):
    """Everything that has happened to a finding, in the order of the log."""

    finding: str
    items: tuple[TrailStep, ...]
