"""Changing the rules takes two people: one loads a table, another approves or declines it.

Administrators and auditors do both; operators, whose chips the rules are held against, do
neither. Every step stands in the log with the digest of the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from chipledger_book import shipped
from chipledger_book.errors import BookError, Code, Problem, refuse
from chipledger_book.rules import RuleSet
from chipledger_book.table_kinds import check_table, read_table
from chipledger_book.tables import Table, TableKind, version_of
from chipledger_evidence.codec import Wire, b64url_encode, encode_canonical
from chipledger_evidence.entry import SALT_BYTES, EntryType
from chipledger_evidence.inventory import Count, Text
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.codes import MAX_REASON
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.people import Hand, demand_standing
from chipledger_server.usecases.refusals import Code as RefusalCode
from chipledger_server.usecases.refusals import Refusal
from chipledger_server.usecases.rules.shelf import RuleProposal, Shelf, StoredTable, Wish

_ID_BYTES: Final = 9
Step = Literal[
    "table-shipped",
    "table-proposed",
    "table-approved",
    "rules-adopted",
    "rules-declined",
    "adoption-proposed",
]


class RuleDecision(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``rule-set``.

    Attributes:
        action: what was done.
        at: Unix milliseconds.
        by: the principal who did it.
        kind: kind of table.
        table: its id.
        version: its version; empty for an adoption.
        digest: of its canonical encoding; empty for an adoption.
        proposal: which proposal; empty for the tables that the collector began with.
        proposed_by: who proposed it, in the step that decides.
        reason: why, in the words of who acts.
        v: version of this format.
    """

    action: Step
    at: Count
    by: Text
    kind: Text
    table: Text
    version: Text = ""
    digest: Text = ""
    proposal: Text = ""
    proposed_by: Text = ""
    reason: Text = ""
    v: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTable:
    """A table on its way into the database."""

    kind: TableKind
    id: str
    version: str
    digest: str
    body: bytes
    shipped: bool
    loaded_ms: int


class RuleStore(Protocol):
    """Where tables and proposals are kept; each change durable with its record, or not at all."""

    def shelf(self) -> Shelf:
        """Return everything that is kept."""
        ...

    def proposer(self, name: str) -> Principal | None:
        """Return a principal by name, a revoked one too."""
        ...

    def begin(self, tables: Sequence[NewTable], records: Sequence[Draft]) -> bool:
        """Keep the tables that a collector begins with; False when it has begun already."""
        ...

    def propose(self, proposal: RuleProposal, table: NewTable | None, record: Draft) -> None:
        """Keep a proposal, and the table it is about where that is not kept yet."""
        ...

    def decide(self, proposal: RuleProposal, record: Draft) -> bool:
        """Keep a decision; False when another one came first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposing:
    """What every step needs: the store, who acts, and how long a proposal waits."""

    store: RuleStore
    hand: Hand
    who: Principal
    ttl_s: int


def begin(store: RuleStore, hand: Hand) -> None:
    """Keep the shipped tables as the first versions, once; each stands in the log."""
    tables = [_new(table, hand, begins=True) for table in shipped.newest().values()]
    records = [
        _draft(
            replace(hand, principal="collector"),
            RuleDecision(
                action="table-shipped",
                at=hand.now_ms,
                by="collector",
                kind=one.kind,
                table=one.id,
                version=one.version,
                digest=one.digest,
            ),
        )
        for one in tables
    ]
    store.begin(tables, records)


def load(data: bytes, step: Proposing, *, reason: str) -> RuleProposal:
    """Return the proposal that the table in a file holds from its approval on.

    Raises:
        BookError: everything that is wrong with the table; `table-version-exists`.
        Refusal: `forbidden`, `invalid-parameter`, `already-proposed`, `already-decided`.
    """
    return _load(read_table(data), step, reason=reason)


def load_shipped(name: str, version: str, step: Proposing, *, reason: str) -> RuleProposal:
    """Return the proposal of a version that came with newer software.

    Raises:
        BookError: `unknown-table`.
        Refusal: as `load`.
    """
    for table in shipped.every():
        if (table.head.id, table.head.version) == (name, version):
            return _load(table, step, reason=reason)
    raise refuse(
        Code.UNKNOWN_TABLE, f"this software brings no {name} {version}", hint="load it from a file"
    )


def _load(table: Table, step: Proposing, *, reason: str) -> RuleProposal:
    _may(step.who)
    _check_reason(reason)
    shelf = step.store.shelf()
    kept = _same_name(table, shelf)
    waiting = shelf.waiting(table, step.hand.now_ms, ttl_s=step.ttl_s)
    if waiting is not None:
        raise Refusal(
            RefusalCode.ALREADY_PROPOSED,
            f"{waiting.id} waits: {table.head.id} {table.head.version}",
            hint="another principal approves or declines it",
        )
    fits(table, shelf, step.hand.now_ms)
    new = _new(table, step.hand, begins=False)
    proposal = _proposal(step, "load", table, reason=reason)
    step.store.propose(
        proposal, None if kept else new, _record(step, proposal, "table-proposed", reason)
    )
    return proposal


def adopt(name: str, step: Proposing, *, reason: str) -> RuleProposal:
    """Return the proposal that questions that name no rule set are answered under this one.

    Raises:
        BookError: `unknown-table`.
        Refusal: `forbidden`, `invalid-parameter`, `already-proposed`, `already-decided`.
    """
    _may(step.who)
    _check_reason(reason)
    shelf, now = step.store.shelf(), step.hand.now_ms
    table = shelf.find(name, None, now)
    if not isinstance(table, RuleSet):
        raise refuse(Code.UNKNOWN_TABLE, f"{name} is a {table.head.kind}", hint="adopt a rule set")
    if shelf.adopted(now) == name:
        raise Refusal(
            RefusalCode.ALREADY_DECIDED, f"{name} is adopted already", hint="nothing to do"
        )
    for one in shelf.proposals:
        if (
            one.wish == "adopt"
            and one.decided_ms is None
            and not one.expired(now, ttl_s=step.ttl_s)
        ):
            raise Refusal(
                RefusalCode.ALREADY_PROPOSED,
                f"{one.id} waits: adopt {one.table}",
                hint="approve or decline it first",
            )
    proposal = replace(_proposal(step, "adopt", table, reason=reason), version="", digest="")
    step.store.propose(proposal, None, _record(step, proposal, "adoption-proposed", reason))
    return proposal


def approve(name: str, step: Proposing) -> RuleProposal:
    """Let a proposal hold from now on.

    Raises:
        BookError: the table no longer fits what was approved since.
        Refusal: `unknown-proposal`, `already-decided`, `proposal-expired`, `same-person`,
            `proposer-revoked`, `forbidden`.
    """
    _may(step.who)
    shelf = step.store.shelf()
    proposal = _open(name, shelf, step)
    if step.who.name == proposal.proposed_by:
        raise Refusal(
            RefusalCode.SAME_PERSON,
            f"{step.who.name} proposed {proposal.id}",
            hint="another principal must approve it",
        )
    demand_standing(step.store.proposer(proposal.proposed_by), proposal.id)
    if proposal.wish == "load":
        table = shelf.any_version(proposal.table, proposal.version)
        fits(table, shelf, step.hand.now_ms)
    else:
        shelf.find(proposal.table, None, step.hand.now_ms)
    action: Step = "table-approved" if proposal.wish == "load" else "rules-adopted"
    return _decide(proposal, step, action, proposal.reason, approved=True)


def decline(name: str, step: Proposing, *, reason: str) -> RuleProposal:
    """End a proposal without its holding; who made it may take it back.

    Raises:
        Refusal: `unknown-proposal`, `already-decided`, `proposal-expired`, `invalid-parameter`,
            `forbidden`.
    """
    _may(step.who)
    _check_reason(reason)
    proposal = _open(name, step.store.shelf(), step)
    return _decide(proposal, step, "rules-declined", reason, approved=False)


def fits(table: Table, shelf: Shelf, now_ms: int) -> None:
    """Do nothing if a table holds beside what is approved, and nothing approved breaks by it.

    Raises:
        BookError: with everything that is wrong.
    """
    known = shelf.known(now_ms)
    check_table(table, known)
    known[table.head.kind, table.head.id] = table
    problems: list[Problem] = []
    for other in known.values():
        if isinstance(other, RuleSet) and other is not table:
            try:
                check_table(other, known)
            except BookError as error:
                problems += [
                    replace(one, where=f"{other.head.id}.{one.where}") for one in error.problems
                ]
    if problems:
        raise BookError(problems)


def _same_name(table: Table, shelf: Shelf) -> StoredTable | None:
    """Return what is kept under the name of a table, once it is the same table and not in force.

    Raises:
        BookError: `table-version-exists`.
        Refusal: `already-decided`.
    """
    head, digest = table.head, version_of(table).digest
    kept = shelf.stored(table)
    own = [
        version_of(one).digest
        for one in shipped.every()
        if (one.head.kind, one.head.id, one.head.version) == (head.kind, head.id, head.version)
    ]
    if (kept is not None and kept.digest != digest) or (own and own[0] != digest):
        raise refuse(
            Code.TABLE_VERSION_EXISTS,
            f"{head.id} {head.version} exists with other content",
            where="head.version",
            hint="a version never changes: give the new content a new version",
        )
    if kept is not None:
        try:
            shelf.find(head.id, head.version, 0)
        except Refusal:
            return kept
        raise Refusal(
            RefusalCode.ALREADY_DECIDED,
            f"{head.id} {head.version} holds already",
            hint="nothing to do",
        )
    return None


def _may(who: Principal) -> None:
    if who.role is Role.OPERATOR:
        raise Refusal(
            RefusalCode.FORBIDDEN,
            "an operator changes no rules",
            hint="administrators and auditors propose and approve tables",
        )


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_REASON:
        raise Refusal(
            RefusalCode.INVALID_PARAMETER,
            f"a reason has 1 to {MAX_REASON} characters",
            hint="say why: it stands in the log for ever",
        )


def _open(name: str, shelf: Shelf, step: Proposing) -> RuleProposal:
    found = next((one for one in shelf.proposals if one.id == name), None)
    if found is None:
        raise Refusal(
            RefusalCode.UNKNOWN_PROPOSAL,
            f"no proposal {name}",
            hint="chipledger-server rules list shows what waits",
        )
    if found.decided_ms is not None:
        raise _decided_before(found.id)
    if found.expired(step.hand.now_ms, ttl_s=step.ttl_s):
        raise Refusal(
            RefusalCode.PROPOSAL_EXPIRED,
            f"{found.id} waited longer than {step.ttl_s} s",
            hint="propose it anew, if it is still wanted",
        )
    return found


def _decide(
    proposal: RuleProposal, step: Proposing, action: Step, reason: str, *, approved: bool
) -> RuleProposal:
    decided = replace(
        proposal, decided_ms=step.hand.now_ms, decided_by=step.who.name, approved=approved
    )
    record = _record(step, decided, action, reason)
    if not step.store.decide(decided, record):
        raise _decided_before(decided.id)
    return decided


def _decided_before(name: str) -> Refusal:
    return Refusal(RefusalCode.ALREADY_DECIDED, f"{name} is decided", hint="propose it anew")


def _proposal(step: Proposing, wish: Wish, table: Table, *, reason: str) -> RuleProposal:
    return RuleProposal(
        id="rp-" + b64url_encode(step.hand.entropy(_ID_BYTES)),
        wish=wish,
        kind=table.head.kind,
        table=table.head.id,
        version=table.head.version,
        digest=version_of(table).digest,
        reason=reason,
        proposed_ms=step.hand.now_ms,
        proposed_by=step.who.name,
    )


def _new(table: Table, hand: Hand, *, begins: bool) -> NewTable:
    return NewTable(
        kind=table.head.kind,
        id=table.head.id,
        version=table.head.version,
        digest=version_of(table).digest,
        body=encode_canonical(table),
        shipped=begins,
        loaded_ms=hand.now_ms,
    )


def _record(step: Proposing, proposal: RuleProposal, action: Step, reason: str) -> Draft:
    decides = proposal.decided_ms is not None
    decision = RuleDecision(
        action=action,
        at=step.hand.now_ms,
        by=step.who.name,
        kind=proposal.kind,
        table=proposal.table,
        version=proposal.version,
        digest=proposal.digest,
        proposal=proposal.id,
        proposed_by=proposal.proposed_by if decides else "",
        reason=reason,
    )
    return _draft(replace(step.hand, principal=step.who.name), decision)


def _draft(hand: Hand, decision: RuleDecision) -> Draft:
    return Draft(
        kind=EntryType.RULE_SET,
        subject=decision.proposal or decision.table,
        principal=hand.principal,
        record=encode_canonical(decision),
        time_ms=hand.now_ms,
        salt=hand.entropy(SALT_BYTES),
    )
