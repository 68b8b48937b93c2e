"""Keys that parties sign with: proposed by one person, let in by another, ended in the open.

A key is registered once and for ever, for one party: in which roles it speaks, at which sites, and
from when to when. It ends when another takes its place, or is revoked; nothing of it is ever
overwritten, so what was signed with it can be checked after years.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, get_args

import msgspec

from chipledger_book.signing import SigningRole
from chipledger_book.terms import PartyName
from chipledger_evidence.codec import b64url_encode, encode_canonical
from chipledger_evidence.keys import Jwk, PublicKey, load_jwk
from chipledger_server.usecases.access import Principal, Role, parse_scope, scope_text
from chipledger_server.usecases.codes import MAX_REASON
from chipledger_server.usecases.decisions import Action, Draft
from chipledger_server.usecases.people import MAX_NAME, Hand, demand_standing
from chipledger_server.usecases.refusals import Code, Refusal

_ID_BYTES: Final = 9
_MAX_SCOPE: Final = 256
"""Longest scope that a record in the log holds, in characters."""
_ROLES: Final[frozenset[str]] = frozenset(get_args(SigningRole))
_PROPOSED: Final = "chipledger-server party list shows all"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyKey:
    """A key of a party, as proposed and what became of it.

    Attributes:
        id: names the proposal.
        key: the public key.
        party: party id, as in sites and events.
        name: what people call the party.
        roles: as what it signs.
        sites: where; None is everywhere, and needed for what belongs to no site.
        valid_from_ms: it speaks of nothing it says it signed before.
        valid_to_ms: nor of anything it says it signed after.
        replaces: thumbprint of the key that ends when this one is let in.
        reason: why it is registered.
        proposed_ms: when.
        proposed_by: name of the principal.
        decided_ms: when it was decided.
        decided_by: name of the other principal.
        approved: how.
        ended_ms: when another key took its place.
        revoked_ms: since when nothing of it is accepted any more, whenever it was signed.
        revoked_by: who revoked it.
    """

    id: str
    key: PublicKey
    party: str
    name: str
    roles: frozenset[str]
    sites: frozenset[str] | None
    valid_from_ms: int
    reason: str
    proposed_ms: int
    proposed_by: str
    valid_to_ms: int | None = None
    replaces: str | None = None
    decided_ms: int | None = None
    decided_by: str | None = None
    approved: bool | None = None
    ended_ms: int | None = None
    revoked_ms: int | None = None
    revoked_by: str | None = None

    @property
    def standing(self) -> bool:
        """Whether it was let in and neither replaced nor revoked since."""
        return bool(self.approved) and self.ended_ms is None and self.revoked_ms is None

    def waits(self, now_ms: int, *, ttl_s: int) -> bool:
        """Tell whether somebody is still to decide it."""
        return self.decided_ms is None and now_ms - self.proposed_ms < ttl_s * 1000

    def spoke_at(self, at_ms: int) -> bool:
        """Tell whether it could sign at a time: from its first millisecond to its last."""
        ends = [end for end in (self.valid_to_ms, self.ended_ms) if end is not None]
        return self.valid_from_ms <= at_ms <= min(ends, default=at_ms)

    def covers(self, sites: Collection[str]) -> bool:
        """Tell whether it speaks of what belongs to these sites; of no site, if it does of all."""
        return self.sites is None or (bool(sites) and self.sites.issuperset(sites))

    def state(self, now_ms: int, *, ttl_s: int) -> str:
        """Return what has become of it, in a word."""
        if self.decided_ms is None:
            return "waits" if self.waits(now_ms, ttl_s=ttl_s) else "expired"
        if not self.approved:
            return "declined"
        if self.revoked_ms is not None:
            return "revoked"
        if self.ended_ms is not None:
            return "replaced"
        return "valid" if self.spoke_at(now_ms) else "not valid now"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedKey:
    """What an administrator asks for; see :class:`PartyKey`.

    Roles, sites and name that are left out are those of the key that it replaces.
    """

    jwk: Jwk
    party: str
    reason: str
    name: str | None = None
    roles: Collection[str] = ()
    sites: Collection[str] | None = None
    everywhere: bool = False
    valid_from_ms: int | None = None
    valid_to_ms: int | None = None
    replaces: str | None = None


class Registry(Protocol):
    """Where keys of parties are kept; each change durable with its record, or not at all."""

    def registered(self) -> Sequence[PartyKey]:
        """Return all keys ever proposed, the newest first."""
        ...

    def proposer(self, name: str) -> Principal | None:
        """Return a principal by name, a revoked one too."""
        ...

    def propose(self, key: PartyKey, record: Draft) -> None:
        """Keep a proposed key."""
        ...

    def decide(self, key: PartyKey, record: Draft, *, ends: str | None) -> bool:
        """Keep a decision, and end the key it replaces; False when another one came first."""
        ...

    def revoke(self, key: PartyKey, record: Draft) -> None:
        """Write down that a key is revoked."""
        ...


def propose_key(
    wanted: WantedKey, registry: Registry, hand: Hand, who: Principal, *, ttl_s: int
) -> PartyKey:
    """Return a new proposal, waiting `ttl_s` for a second person.

    Raises:
        EvidenceError: `malformed-key`.
        Refusal: `forbidden`, `invalid-parameter`, `malformed-scope`, `party-key-taken`,
            `unknown-key`.
    """
    if who.role is not Role.ADMINISTRATOR:
        raise Refusal(
            Code.FORBIDDEN,
            f"an {who.role} registers no keys of parties",
            hint="an administrator proposes; another administrator or an auditor approves",
        )
    keys = registry.registered()
    public = load_jwk(wanted.jwk)
    former = None if wanted.replaces is None else _standing(wanted.replaces, keys)
    key = _proposed(wanted, public, former, hand, who=who)
    _check(key, former)
    _demand_new(key, keys, hand, ttl_s=ttl_s)
    registry.propose(key, _draft(hand, who, "party-key-proposed", key, reason=key.reason))
    return key


def approve_key(
    name: str, registry: Registry, hand: Hand, who: Principal, *, ttl_s: int
) -> PartyKey:
    """Let a proposed key in; the key that it replaces ends.

    Raises:
        Refusal: `unknown-proposal`, `already-decided`, `proposal-expired`, `same-person`,
            `proposer-revoked`, `forbidden`, `unknown-key`.
    """
    key = _open(name, registry, hand, ttl_s=ttl_s)
    _demand_second(who)
    if who.name == key.proposed_by:
        raise Refusal(
            Code.SAME_PERSON,
            f"{who.name} proposed {key.id}",
            hint="another principal must approve it",
        )
    demand_standing(registry.proposer(key.proposed_by), key.id)
    if key.replaces is not None:
        _standing(key.replaces, registry.registered())
    done = replace(key, decided_ms=hand.now_ms, decided_by=who.name, approved=True)
    record = _draft(hand, who, "party-key-approved", done, reason=key.reason)
    if not registry.decide(done, record, ends=key.replaces):
        raise _decided(key.id)
    return done


def decline_key(
    name: str, registry: Registry, hand: Hand, who: Principal, *, ttl_s: int, reason: str
) -> PartyKey:
    """End a proposal without letting the key in; who proposed it may take it back.

    Raises:
        Refusal: `unknown-proposal`, `already-decided`, `proposal-expired`, `invalid-parameter`,
            `forbidden`.
    """
    key = _open(name, registry, hand, ttl_s=ttl_s)
    _demand_second(who)
    _check_reason(reason)
    done = replace(key, decided_ms=hand.now_ms, decided_by=who.name, approved=False)
    if not registry.decide(
        done, _draft(hand, who, "party-key-declined", done, reason=reason), ends=None
    ):
        raise _decided(key.id)
    return done


def revoke_key_of_party(
    kid: str, registry: Registry, hand: Hand, who: Principal, *, reason: str
) -> PartyKey:
    """Accept nothing more of a key, whenever it was signed; what stands in the ledger stays.

    One person is enough: who finds a key stolen waits for nobody.

    Raises:
        Refusal: `unknown-key`, `already-revoked`, `invalid-parameter`, `forbidden`.
    """
    _demand_second(who)
    _check_reason(reason)
    key = let_in(kid, registry.registered())
    if key is None:
        raise _unknown(kid)
    if key.revoked_ms is not None:
        raise Refusal(Code.ALREADY_REVOKED, f"{kid} is revoked", hint="nothing is left to do")
    revoked = replace(key, revoked_ms=hand.now_ms, revoked_by=who.name)
    registry.revoke(revoked, _draft(hand, who, "party-key-revoked", revoked, reason=reason))
    return revoked


def let_in(kid: str, keys: Iterable[PartyKey]) -> PartyKey | None:
    """Return the key of a thumbprint that was ever let in; there is at most one."""
    return next((key for key in keys if key.key.kid == kid and key.approved), None)


def _proposed(
    wanted: WantedKey, public: PublicKey, former: PartyKey | None, hand: Hand, *, who: Principal
) -> PartyKey:
    sites = None if wanted.sites is None else frozenset(wanted.sites)
    if former is not None and not wanted.everywhere and not sites:
        sites = former.sites
    elif not wanted.everywhere and not sites:
        raise Refusal(
            Code.MALFORMED_SCOPE, "a key needs its sites", hint="name them, or say everywhere"
        )
    return PartyKey(
        id="pk-" + b64url_encode(hand.entropy(_ID_BYTES)),
        key=public,
        party=wanted.party,
        name=wanted.name or (wanted.party if former is None else former.name),
        roles=frozenset(wanted.roles) or (frozenset() if former is None else former.roles),
        sites=None if wanted.everywhere else sites,
        valid_from_ms=hand.now_ms if wanted.valid_from_ms is None else wanted.valid_from_ms,
        valid_to_ms=wanted.valid_to_ms,
        replaces=wanted.replaces,
        reason=wanted.reason,
        proposed_ms=hand.now_ms,
        proposed_by=who.name,
    )


def _check(key: PartyKey, former: PartyKey | None) -> None:
    _check_reason(key.reason)
    try:
        msgspec.convert(key.party, PartyName)
    except msgspec.ValidationError as error:
        raise _wrong(f"{key.party!r} is no party id", "lower-case letters, digits, -") from error
    if not key.name.isprintable() or len(key.name) > MAX_NAME:
        raise _wrong(f"a name has 1 to {MAX_NAME} printable characters", "name the party")
    if not key.roles or not key.roles <= _ROLES:
        raise _wrong("a key signs in at least one role", f"of {', '.join(sorted(_ROLES))}")
    scope = scope_text(key.sites)
    parse_scope(scope)
    if len(scope) > _MAX_SCOPE:
        raise _wrong(f"the sites of one key take {_MAX_SCOPE} characters", "let it be everywhere")
    if key.valid_to_ms is not None and key.valid_to_ms < key.valid_from_ms:
        raise _wrong("the key ends before it begins", "give an end after its beginning")
    if former is not None and former.party != key.party:
        raise _wrong(f"{key.replaces} is a key of {former.party}", "a party replaces its own keys")


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_REASON:
        raise _wrong(
            f"a reason has 1 to {MAX_REASON} characters", "say why: it stands in the log for ever"
        )


def _demand_new(key: PartyKey, keys: Iterable[PartyKey], hand: Hand, *, ttl_s: int) -> None:
    for other in keys:
        if other.key.kid == key.key.kid and (
            other.approved or other.waits(hand.now_ms, ttl_s=ttl_s)
        ):
            raise Refusal(
                Code.PARTY_KEY_TAKEN,
                f"{key.key.kid} is {other.id} of {other.party}",
                hint="a key is registered once and for one party; make a new one",
            )


def _demand_second(who: Principal) -> None:
    if who.role is Role.OPERATOR:
        raise Refusal(
            Code.FORBIDDEN,
            "an operator decides nothing about keys of parties",
            hint="an administrator proposes; another administrator or an auditor approves",
        )


def _standing(kid: str, keys: Iterable[PartyKey]) -> PartyKey:
    key = let_in(kid, keys)
    if key is None or not key.standing:
        raise _unknown(kid)
    return key


def _open(name: str, registry: Registry, hand: Hand, *, ttl_s: int) -> PartyKey:
    key = next((one for one in registry.registered() if one.id == name), None)
    if key is None:
        raise Refusal(Code.UNKNOWN_PROPOSAL, f"no proposal {name}", hint=_PROPOSED)
    if key.decided_ms is not None:
        raise _decided(name)
    if not key.waits(hand.now_ms, ttl_s=ttl_s):
        raise Refusal(
            Code.PROPOSAL_EXPIRED,
            f"{name} waited longer than {ttl_s} s",
            hint="propose it anew, if it is still wanted",
        )
    return key


def _decided(name: str) -> Refusal:
    return Refusal(Code.ALREADY_DECIDED, f"{name} is decided", hint="propose it anew")


def _unknown(kid: str) -> Refusal:
    return Refusal(Code.UNKNOWN_KEY, f"no standing key of a party {kid}", hint=_PROPOSED)


def _wrong(detail: str, hint: str) -> Refusal:
    return Refusal(Code.INVALID_PARAMETER, detail, hint=hint)


def _draft(hand: Hand, who: Principal, action: Action, key: PartyKey, *, reason: str) -> Draft:
    """Return the record of a step; it holds the key itself, so that the log alone proves it."""
    detail = {
        "proposal": key.id,
        "party": key.party,
        "name": key.name,
        "roles": ",".join(sorted(key.roles)),
        "scope": scope_text(key.sites),
        "jwk": encode_canonical(key.key.jwk).decode(),
        "valid_from_ms": str(key.valid_from_ms),
        "proposed_by": key.proposed_by,
    }
    if key.valid_to_ms is not None:
        detail["valid_to_ms"] = str(key.valid_to_ms)
    if key.replaces is not None:
        detail["replaces"] = key.replaces
    return replace(hand, principal=who.name).draft(action, key.key.kid, detail, reason=reason)
