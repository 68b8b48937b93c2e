"""What takes two people: a host retires, moves to another site, or goes on with a new key.

One proposes, with a reason; another approves, or declines. Both are principals who showed their
token: an account on the collector's machine is not a person. Both steps stand in the log.
"""

from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from chipledger_evidence.codec import b64url_encode
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.codes import CODE_BYTES, MAX_REASON, NewCode, code_hash
from chipledger_server.usecases.decisions import Action, Draft
from chipledger_server.usecases.people import Hand, demand_standing
from chipledger_server.usecases.refusals import Code, Refusal

_ID_BYTES: Final = 9
REPLACEMENT_MS: Final = 7 * 86_400_000
"""How long the code of a replacement is good."""


class Wish(StrEnum):
    """What can be proposed of a host."""

    RETIRE = "retire"
    REPLACE = "replace"
    MOVE = "move"


_DONE: Final[dict[Wish, Action]] = {
    Wish.RETIRE: "host-retired",
    Wish.REPLACE: "host-replaced",
    Wish.MOVE: "host-moved",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody wants of a host.

    Attributes:
        id: names it.
        wish: what is wanted.
        host: of which host.
        reason: why.
        proposed_ms: when.
        proposed_by: name of the principal.
        site: where the host moves to.
        decided_ms: when it was decided.
        decided_by: name of the other principal.
        approved: how.
    """

    id: str
    wish: Wish
    host: str
    reason: str
    proposed_ms: int
    proposed_by: str
    site: str | None = None
    decided_ms: int | None = None
    decided_by: str | None = None
    approved: bool | None = None

    def expired(self, now_ms: int, *, ttl_s: int) -> bool:
        """Tell whether nobody decided it in its time."""
        return self.decided_ms is None and now_ms - self.proposed_ms >= ttl_s * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a principal asks for."""

    wish: Wish
    host: str
    reason: str
    site: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlace:
    """Where a host is, and whether it is retired."""

    site: str
    retired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decided proposal; the code with which the host gets its new key, shown once."""

    proposal: Proposal
    code: str | None = None


class ProposalStore(Protocol):
    """Where proposals are kept; each change durable with its record, or not at all."""

    def has_site(self, site: str) -> bool:
        """Tell whether a site is declared."""
        ...

    def place(self, host: str) -> HostPlace | None:
        """Return where a host is, None when there is none."""
        ...

    def proposer(self, name: str) -> Principal | None:
        """Return a principal by name, a revoked one too."""
        ...

    def proposals(self) -> Sequence[Proposal]:
        """Return all proposals, the newest first."""
        ...

    def propose(self, proposal: Proposal, record: Draft) -> None:
        """Keep a proposal."""
        ...

    def decide(self, proposal: Proposal, record: Draft, *, code: NewCode | None) -> bool:
        """Keep a decision and what follows; False when another one came first.

        An approved retirement revokes the host's keys; a replacement keeps `code`.
        """
        ...


def propose(
    wanted: Wanted, store: ProposalStore, hand: Hand, who: Principal, *, ttl_s: int
) -> Proposal:
    """Return a new proposal, waiting `ttl_s` for a second person; one that expired is no obstacle.

    Raises:
        Refusal: `unknown-host`, `unknown-site`, `outside-scope`, `forbidden`,
            `invalid-parameter`, `already-proposed`.
    """
    if who.role is Role.AUDITOR:
        raise Refusal(
            Code.FORBIDDEN,
            "an auditor does not propose",
            hint="operators and administrators propose; auditors and administrators approve",
        )
    place = _place(wanted.host, store, who)
    _check(wanted, place, store)
    _require_none_waits(wanted.host, store, hand, ttl_s=ttl_s)
    proposal = Proposal(
        id="hp-" + b64url_encode(hand.entropy(_ID_BYTES)),
        wish=wanted.wish,
        host=wanted.host,
        site=wanted.site,
        reason=wanted.reason,
        proposed_ms=hand.now_ms,
        proposed_by=who.name,
    )
    detail = {"proposal": proposal.id, "wish": str(proposal.wish)}
    if proposal.site is not None:
        detail["site"] = proposal.site
    store.propose(
        proposal, _draft(hand, who, "host-proposed", proposal, detail=detail, reason=wanted.reason)
    )
    return proposal


def approve(name: str, store: ProposalStore, hand: Hand, who: Principal, *, ttl_s: int) -> Decided:
    """Let a proposal become so.

    Raises:
        Refusal: `unknown-proposal`, `already-decided`, `proposal-expired`, `same-person`,
            `proposer-revoked`, `forbidden`.
    """
    proposal = _open(name, store, hand, ttl_s=ttl_s)
    if who.role is Role.OPERATOR:
        raise Refusal(
            Code.FORBIDDEN,
            "an operator does not approve",
            hint="operators and administrators propose; auditors and administrators approve",
        )
    if who.name == proposal.proposed_by:
        raise Refusal(
            Code.SAME_PERSON,
            f"{who.name} proposed {proposal.id}",
            hint="another principal must approve it",
        )
    demand_standing(store.proposer(proposal.proposed_by), proposal.id)
    place = _place(proposal.host, store, who)
    _check(
        Wanted(wish=proposal.wish, host=proposal.host, reason=proposal.reason, site=proposal.site),
        place,
        store,
    )
    decided = replace(proposal, decided_ms=hand.now_ms, decided_by=who.name, approved=True)
    text, code = _replacement(decided, place, hand)
    detail = {"from": place.site, "proposal": proposal.id, "proposed_by": proposal.proposed_by}
    if proposal.site is not None:
        detail["site"] = proposal.site
    record = _draft(
        hand, who, _DONE[proposal.wish], proposal, detail=detail, reason=proposal.reason
    )
    _keep(decided, store, record, code=code)
    return Decided(proposal=decided, code=text)


def decline(
    name: str, store: ProposalStore, hand: Hand, who: Principal, *, ttl_s: int, reason: str
) -> Proposal:
    """End a proposal without its becoming so; who proposed it may take it back.

    Raises:
        Refusal: `unknown-proposal`, `already-decided`, `proposal-expired`, `invalid-parameter`,
            `forbidden`.
    """
    proposal = _open(name, store, hand, ttl_s=ttl_s)
    _check_reason(reason)
    if who.role is Role.OPERATOR and who.name != proposal.proposed_by:
        raise Refusal(Code.FORBIDDEN, "an operator takes back its own proposals only")
    decided = replace(proposal, decided_ms=hand.now_ms, decided_by=who.name, approved=False)
    record = _draft(
        hand, who, "host-declined", proposal, detail={"proposal": proposal.id}, reason=reason
    )
    _keep(decided, store, record, code=None)
    return decided


def _replacement(
    proposal: Proposal, place: HostPlace, hand: Hand
) -> tuple[str, NewCode] | tuple[None, None]:
    if proposal.wish is not Wish.REPLACE:
        return None, None
    text = "ce-" + b32encode(hand.entropy(CODE_BYTES)).decode("ascii").lower()
    return text, NewCode(
        code_hash=code_hash(text),
        site=place.site,
        uses=1,
        expires_ms=hand.now_ms + REPLACEMENT_MS,
        serials=None,
        created_ms=hand.now_ms,
        principal=proposal.decided_by or "",
    )


def _place(host: str, store: ProposalStore, who: Principal) -> HostPlace:
    place = store.place(host)
    if place is None or not who.may_read(place.site):
        raise Refusal(Code.UNKNOWN_HOST, f"no host {host}", hint="the site's page names its hosts")
    return place


def _check(wanted: Wanted, place: HostPlace, store: ProposalStore) -> None:
    _check_reason(wanted.reason)
    if place.retired:
        raise Refusal(Code.ALREADY_DECIDED, f"{wanted.host} is retired", hint="nothing is left")
    if (wanted.wish is Wish.MOVE) != (wanted.site is not None):
        raise Refusal(
            Code.INVALID_PARAMETER, "a move, and nothing else, names a site", hint="--to SITE"
        )
    if wanted.site is None:
        return
    if not store.has_site(wanted.site):
        raise Refusal(
            Code.UNKNOWN_SITE, f"no site {wanted.site} is declared", hint="declare the site first"
        )
    if wanted.site == place.site:
        raise Refusal(
            Code.INVALID_PARAMETER, f"{wanted.host} is at {wanted.site}", hint="nothing to do"
        )


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_REASON:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"a reason has 1 to {MAX_REASON} characters",
            hint="say why: it stands in the log for ever",
        )


def _require_none_waits(host: str, store: ProposalStore, hand: Hand, *, ttl_s: int) -> None:
    for other in store.proposals():
        if (
            other.host == host
            and other.decided_ms is None
            and not other.expired(hand.now_ms, ttl_s=ttl_s)
        ):
            raise Refusal(
                Code.ALREADY_PROPOSED,
                f"{other.id} waits: {other.wish} {other.host}",
                hint="approve or decline it first",
            )


def _open(name: str, store: ProposalStore, hand: Hand, *, ttl_s: int) -> Proposal:
    found = next((one for one in store.proposals() if one.id == name), None)
    if found is None:
        raise Refusal(
            Code.UNKNOWN_PROPOSAL,
            f"no proposal {name}",
            hint="chipledger-server host proposals lists them",
        )
    if found.decided_ms is not None:
        raise _decided_before(found.id)
    if found.expired(hand.now_ms, ttl_s=ttl_s):
        raise Refusal(
            Code.PROPOSAL_EXPIRED,
            f"{found.id} waited longer than {ttl_s} s",
            hint="propose it anew, if it is still wanted",
        )
    return found


def _keep(decided: Proposal, store: ProposalStore, record: Draft, *, code: NewCode | None) -> None:
    if not store.decide(decided, record, code=code):
        raise _decided_before(decided.id)


def _decided_before(name: str) -> Refusal:
    return Refusal(Code.ALREADY_DECIDED, f"{name} is decided", hint="propose it anew")


def _draft(
    hand: Hand,
    who: Principal,
    action: Action,
    proposal: Proposal,
    *,
    detail: dict[str, str],
    reason: str,
) -> Draft:
    return replace(hand, principal=who.name).draft(action, proposal.host, detail, reason=reason)
