"""What people do about findings: one step, its record in the log, or neither.

Who may do what is the book's to say (`chipledger_book.cases`). Here a step meets the case as it
stands when the database is held: whoever comes second sees what the first has done, and a request
that is sent again changes nothing.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from chipledger_book.cases import (
    COLLECTOR,
    Action,
    Actor,
    Case,
    CaseRole,
    Step,
    at_time,
    demand_reach,
)
from chipledger_book.terms import Document
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.entry import SALT_BYTES, EntryType
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.people import Hand, demand_standing
from chipledger_server.usecases.refusals import Code, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a principal asks for.

    Attributes:
        finding: id of the finding.
        action: the step.
        reason: why.
        evidence: papers, by their digests.
        owner: who is to be answerable: a principal's name.
        expires_ms: until when an explanation or an acceptance holds.
        request: what the client calls the request; the same again changes nothing.
        version: number of steps of the case that the principal saw; None: whatever it is.
    """

    finding: str
    action: Action
    reason: str | None = None
    evidence: Sequence[Document] = ()
    owner: str | None = None
    expires_ms: int | None = None
    request: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """A case after a step; `repeated` where the same request was done before."""

    case: Case
    repeated: bool = False


class OpenCase(Protocol):
    """A finding and its case, held by nobody else until it is let go."""

    @property
    def site(self) -> str | None:
        """Site of the finding."""
        ...

    @property
    def case(self) -> Case:
        """The case as its newest step left it."""
        ...

    def asked_before(self, by: str, request: str) -> Step | None:
        """Return the step that a principal asked for under this name."""
        ...

    def reader(self, name: str) -> Principal | None:
        """Return a principal by name."""
        ...

    def keep(self, step: Step, record: Draft) -> Case:
        """Take a step with its record; both are durable when the case is let go, or neither."""
        ...


class CaseDesk(Protocol):
    """Where cases are kept."""

    def hold(self, finding: str) -> AbstractContextManager[OpenCase | None]:
        """Hold a case until the block ends; None where there is no such finding."""
        ...


def act(wanted: Wanted, desk: CaseDesk, hand: Hand, who: Principal, *, ttl_s: int) -> Acted:
    """Take one step of a case; what one auditor proposed waits `ttl_s` for another one.

    Raises:
        Refusal: `unknown-finding`, also for one out of scope; `case-changed`, `request-reused`,
            `unknown-principal`, `proposal-expired`, `proposer-revoked`.
        BookError: the step is not possible, not this principal's, or lacks what it must say.
    """
    with desk.hold(wanted.finding) as held:
        if held is None or not who.may_read(held.site):
            raise unknown(wanted.finding)
        demand_reach(actor_of(who), wanted.finding, site=held.site)
        step = _step(wanted, hand, who)
        if wanted.request is not None:
            before = held.asked_before(who.name, wanted.request)
            if before is not None:
                return _again(before, step, held.case)
        _demand_version(wanted, held.case)
        if wanted.owner is not None:
            _demand_owner(wanted.owner, held, hand)
        lapsed = _lapse(held.case, hand)
        if lapsed is not None:
            held.keep(lapsed, _draft(lapsed, hand))
        if wanted.action is Action.CONFIRM:
            _demand_live(held, hand, ttl_s=ttl_s)
        return Acted(case=held.keep(step, _draft(step, hand)))


def actor_of(who: Principal) -> Actor:
    """Return a principal as the rules of cases know it."""
    return Actor(name=who.name, role=CaseRole(str(who.role)), sites=who.sites)


def unknown(finding: str) -> Refusal:
    """Return the refusal of a finding that is not there, or not for this reader."""
    return Refusal(
        Code.UNKNOWN_FINDING,
        f"there is no finding {finding} that you may see",
        hint="check the id",
    )


def _step(wanted: Wanted, hand: Hand, who: Principal) -> Step:
    reason = (wanted.reason or "").strip()
    return Step(
        action=wanted.action,
        at=hand.now_ms,
        by=who.name,
        case=wanted.finding,
        role=CaseRole(str(who.role)),
        evidence=tuple(wanted.evidence),
        expires=wanted.expires_ms,
        owner=wanted.owner or None,
        reason=reason or None,
        request=wanted.request,
    )


def _again(before: Step, step: Step, case: Case) -> Acted:
    """Return the case as it is, if the same was asked before; time alone may differ."""
    said = (step.action, step.evidence, step.owner, step.reason)
    if said != (before.action, before.evidence, before.owner, before.reason):
        raise Refusal(
            Code.REQUEST_REUSED,
            f"{before.by} has used the request {before.request} for: {before.action}",
            hint="give every request a name of its own; the same one only to send it again",
        )
    return Acted(case=case, repeated=True)


def _demand_version(wanted: Wanted, case: Case) -> None:
    if wanted.version is not None and wanted.version != case.steps:
        raise Refusal(
            Code.CASE_CHANGED,
            f"{case.id} has had {case.steps} steps, you saw {wanted.version}",
            hint="look at what has happened to it, and decide again",
        )


def _demand_owner(name: str, held: OpenCase, hand: Hand) -> None:
    """Do nothing if somebody can answer for a case: is there, and may see it."""
    owner = held.reader(name)
    if owner is None or not owner.active(hand.now_ms) or not owner.may_read(held.site):
        raise Refusal(
            Code.UNKNOWN_PRINCIPAL,
            f"nobody called {name} may see this finding",
            hint="name a principal with access to the site",
        )


def _demand_live(held: OpenCase, hand: Hand, *, ttl_s: int) -> None:
    """Do nothing if what was proposed may still be confirmed: recent, and by one not revoked."""
    pending = held.case.pending
    if pending is None:
        return
    if hand.now_ms - pending.at >= ttl_s * 1000:
        raise Refusal(
            Code.PROPOSAL_EXPIRED,
            f"to {pending.how} {held.case.id} waited longer than {ttl_s} s",
            hint="decline it, and propose it anew if it is still wanted",
        )
    demand_standing(held.reader(pending.by), f"to {pending.how} {held.case.id}")


def _lapse(case: Case, hand: Hand) -> Step | None:
    """Return the step that time has made and nobody has written down yet."""
    if at_time(case, hand.now_ms) is case:
        return None
    return Step(
        action=Action.EXPIRED,
        at=hand.now_ms,
        by=COLLECTOR,
        case=case.id,
        role=CaseRole.COLLECTOR,
    )


def _draft(step: Step, hand: Hand) -> Draft:
    return Draft(
        kind=EntryType.CASE,
        subject=step.case,
        principal=step.by,
        record=encode_canonical(step),
        time_ms=step.at,
        salt=hand.entropy(SALT_BYTES),
    )
