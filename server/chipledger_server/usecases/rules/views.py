"""Tables of rules as readers are shown them."""

from datetime import date

import msgspec

from chipledger_book.rule_report import LimitUse
from chipledger_book.table_diff import TableDiff
from chipledger_book.tables import Table
from chipledger_server.usecases.rules.shelf import RuleProposal, Shelf, Version
from chipledger_server.usecases.views import Answer, AppraisalRule


class TableView(Answer, frozen=True, kw_only=True):
    """One version of a table, and what became of it here.

    Attributes:
        kind: format of the table.
        status: legal status of what it says.
        valid_from: first day it speaks of.
        valid_to: last day, inclusive; null while open.
        reviewed_by: who checked it against the source.
        state: shipped, approved, waits, declined, expired or offered.
        since_ms: since when questions are answered with it; 0: from the beginning; null: never.
        holds: it is what a question of now is answered with.
        proposal: its newest proposal, or null.
    """

    kind: str
    id: str
    version: str
    status: str
    digest: str
    source: str
    valid_from: date
    valid_to: date | None
    reviewed_by: str
    reviewed_on: date
    state: str
    since_ms: int | None
    holds: bool
    proposal: str | None


class ProposalView(Answer, frozen=True, kw_only=True):
    """What one person wants of the rules, and what another decided.

    Attributes:
        wish: load or adopt.
        version: which version; empty for an adoption.
        approved: how it was decided, or null.
        expired: nobody decided it in its time.
    """

    id: str
    wish: str
    kind: str
    table: str
    version: str
    digest: str
    reason: str
    proposed_ms: int
    proposed_by: str
    decided_ms: int | None
    decided_by: str | None
    approved: bool | None
    expired: bool


class RulesPage(Answer, frozen=True, kw_only=True):
    """Every version of every table, and what waits for a second person.

    Attributes:
        adopted: the rule set of questions that name none.
        items: versions, table by table, the newest last.
        proposals: all of them, the newest first.
        appraisal: the policy that grades chips.
    """

    adopted: str
    items: tuple[TableView, ...]
    proposals: tuple[ProposalView, ...]
    appraisal: AppraisalRule


class TableDetail(Answer, frozen=True, kw_only=True):
    """One version of a table with its content, as its digest covers it."""

    table: TableView
    content: msgspec.Raw


class CountryLimits(Answer, frozen=True, kw_only=True):
    """What limits per country say of what the licences of this ledger grant."""

    items: tuple[LimitUse, ...]
    rules: str
    as_of_ms: int
    known_at_ms: int


def version_view(one: Version, *, holds: bool = False) -> TableView:
    """Return a version as it is shown."""
    head = one.table.head
    return TableView(
        kind=head.kind,
        id=head.id,
        version=head.version,
        status=head.status,
        digest=one.digest,
        source=head.source,
        valid_from=head.valid_from,
        valid_to=head.valid_to,
        reviewed_by=head.reviewed_by,
        reviewed_on=head.reviewed_on,
        state=one.state,
        since_ms=one.since_ms,
        holds=holds,
        proposal=None if one.proposal is None else one.proposal.id,
    )


def proposal_view(one: RuleProposal, *, expired: bool) -> ProposalView:
    """Return a proposal as it is shown."""
    return ProposalView(
        id=one.id,
        wish=one.wish,
        kind=one.kind,
        table=one.table,
        version=one.version,
        digest=one.digest,
        reason=one.reason,
        proposed_ms=one.proposed_ms,
        proposed_by=one.proposed_by,
        decided_ms=one.decided_ms,
        decided_by=one.decided_by,
        approved=one.approved,
        expired=expired,
    )


def rules_page(
    shelf: Shelf, appraisal: AppraisalRule, *, known_at_ms: int, now_ms: int, ttl_s: int
) -> RulesPage:
    """Return everything that a collector knows of rules, and what held at a time."""
    held = {id(table) for table in shelf.known(known_at_ms).values()}
    return RulesPage(
        adopted=shelf.adopted(known_at_ms),
        items=tuple(
            version_view(one, holds=id(one.table) in held)
            for one in shelf.versions(now_ms, ttl_s=ttl_s)
        ),
        proposals=tuple(
            proposal_view(one, expired=one.expired(now_ms, ttl_s=ttl_s))
            for one in reversed(shelf.proposals)
        ),
        appraisal=appraisal,
    )


def detail(shelf: Shelf, table: Table, *, now_ms: int, ttl_s: int) -> TableDetail:
    """Return one version with its content."""
    found = next(one for one in shelf.versions(now_ms, ttl_s=ttl_s) if _same(one.table, table))
    return TableDetail(
        table=version_view(found, holds=table in shelf.known(now_ms).values()),
        content=msgspec.Raw(msgspec.json.encode(table, order="deterministic")),
    )


def _same(one: Table, other: Table) -> bool:
    return (one.head.kind, one.head.id, one.head.version) == (
        other.head.kind,
        other.head.id,
        other.head.version,
    )


__all__ = [
    "CountryLimits",
    "ProposalView",
    "RulesPage",
    "TableDetail",
    "TableDiff",
    "TableView",
    "detail",
    "proposal_view",
    "rules_page",
    "version_view",
]
