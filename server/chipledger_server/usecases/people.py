"""Principals: adding, revoking and rotating them, and finding one by its token."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from chipledger_book.agreement import LOCAL
from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.entry import SALT_BYTES
from chipledger_server.ports import Entropy
from chipledger_server.usecases.access import (
    TOKEN_BYTES,
    Principal,
    Role,
    new_token,
    parse_scope,
    scope_text,
    token_hash,
)
from chipledger_server.usecases.decisions import Action, Decision, Draft, draft
from chipledger_server.usecases.refusals import Code, Refusal

_ID_BYTES: Final = 12
MAX_NAME: Final = 128
_RESERVED: Final = frozenset({"collector", "init", LOCAL})


class PeopleStore(Protocol):
    """Where principals are kept. Each change is durable together with its record, or not at all."""

    def everybody(self) -> Sequence[Principal]:
        """Return all principals, revoked ones too, by name."""

    def by_token(self, digest: bytes) -> Principal | None:
        """Return the principal with the token of this hash."""

    def by_id(self, principal: str) -> tuple[Principal, bytes] | None:
        """Return a principal and the hash of its present token."""

    def add(self, principal: Principal, digest: bytes, record: Draft) -> None:
        """Add a principal."""

    def revoke(self, principal: Principal, record: Draft) -> None:
        """Write down that a principal is revoked."""

    def rotate(self, principal: Principal, digest: bytes, record: Draft) -> None:
        """Replace a principal's token hash and expiry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Who acts, when, and with what randomness.

    Attributes:
        principal: name under which the act is recorded.
        now_ms: time of the act.
        entropy: source of randomness.
    """

    principal: str
    now_ms: int
    entropy: Entropy

    def draft(
        self,
        action: Action,
        subject: str,
        detail: dict[str, str] | None = None,
        *,
        reason: str | None = None,
    ) -> Draft:
        """Return the record of a decision made by this hand."""
        decision = Decision(
            action=action,
            at=self.now_ms,
            by=self.principal,
            subject=subject,
            detail=detail or {},
            reason=reason,
        )
        return draft(decision, salt=self.entropy(SALT_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A principal and its token, which is shown once and stored only as a hash."""

    principal: Principal
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrincipal:
    """What an administrator says of a new principal."""

    name: str
    role: Role
    sites: frozenset[str] | None
    expires_ms: int | None = None


def add_principal(new: NewPrincipal, store: PeopleStore, hand: Hand) -> Issued:
    """Add a principal and return its token.

    Raises:
        Refusal: `name-taken`, `malformed-scope` or `invalid-parameter`.
    """
    _check(new)
    if any(person.name == new.name for person in store.everybody()):
        raise Refusal(
            Code.NAME_TAKEN,
            f"there is already a principal {new.name}",
            hint="names are never reused; choose another, or rotate the token of this one",
        )
    principal = Principal(
        id="p-" + b64url_encode(hand.entropy(_ID_BYTES)),
        name=new.name,
        role=new.role,
        sites=new.sites,
        created_ms=hand.now_ms,
        expires_ms=new.expires_ms,
    )
    token, digest = _fresh_token(hand.entropy)
    detail = {"name": new.name, "role": str(new.role), "scope": scope_text(new.sites)}
    store.add(principal, digest, hand.draft("principal-added", principal.id, detail))
    return Issued(principal=principal, token=token)


def find_principal(name: str, store: PeopleStore) -> Principal:
    """Return a principal by name.

    Raises:
        Refusal: `unknown-principal` or `already-revoked`.
    """
    principal = next((person for person in store.everybody() if person.name == name), None)
    if principal is None:
        raise Refusal(
            Code.UNKNOWN_PRINCIPAL,
            f"there is no principal {name}",
            hint="chipledger-server principal list shows all",
        )
    if principal.revoked_ms is not None:
        raise Refusal(Code.ALREADY_REVOKED, f"{name} is revoked", hint="add a new principal")
    return principal


def revoke_principal(name: str, store: PeopleStore, hand: Hand, *, reason: str) -> Principal:
    """Revoke a principal; sessions opened with its token end with it.

    Raises:
        Refusal: `unknown-principal`, `already-revoked` or `last-administrator`.
    """
    principal = find_principal(name, store)
    others = [
        person
        for person in store.everybody()
        if person.role is Role.ADMINISTRATOR
        and person.active(hand.now_ms)
        and person.id != principal.id
    ]
    if principal.role is Role.ADMINISTRATOR and not others:
        raise Refusal(
            Code.LAST_ADMINISTRATOR,
            f"{name} is the last administrator",
            hint="add another administrator first",
        )
    revoked = replace(principal, revoked_ms=hand.now_ms)
    record = hand.draft("principal-revoked", principal.id, {"name": name}, reason=reason)
    store.revoke(revoked, record)
    return revoked


def rotate_principal(
    name: str, store: PeopleStore, hand: Hand, *, expires_ms: int | None = None
) -> Issued:
    """Give a principal a new token; the old one and its sessions end at once.

    Raises:
        Refusal: `unknown-principal` or `already-revoked`.
    """
    principal = replace(find_principal(name, store), expires_ms=expires_ms)
    token, digest = _fresh_token(hand.entropy)
    record = hand.draft("principal-rotated", principal.id, {"name": name})
    store.rotate(principal, digest, record)
    return Issued(principal=principal, token=token)


def demand_standing(proposer: Principal | None, proposal: str) -> None:
    """Do nothing unless who proposed something is revoked: whose word is it then?

    One rule for everything that takes two people and is proposed here. A token that has merely
    expired says nothing about its person.

    Raises:
        Refusal: `proposer-revoked`.
    """
    if proposer is not None and proposer.revoked_ms is not None:
        raise Refusal(
            Code.PROPOSER_REVOKED,
            f"{proposer.name} proposed {proposal} and is revoked since",
            hint="decline it; if it is still wanted, somebody else proposes it anew",
        )


def authenticate(token: str, store: PeopleStore, *, now_ms: int) -> Principal:
    """Return the principal of a token.

    Raises:
        Refusal: `unauthenticated`, in the same words for every reason.
    """
    digest = token_hash(token)
    principal = store.by_token(digest) if digest is not None else None
    if principal is None or not principal.active(now_ms):
        raise Refusal(
            Code.UNAUTHENTICATED,
            "the token is not valid: unknown, expired or revoked",
            hint="ask an administrator for a token: chipledger-server principal add|rotate",
        )
    return principal


def _check(new: NewPrincipal) -> None:
    if not new.name or len(new.name) > MAX_NAME or not new.name.isprintable():
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"a name has 1 to {MAX_NAME} printable characters",
            hint="give the name of a person or a service",
        )
    if new.name in _RESERVED or new.name.startswith(f"{LOCAL}:") or new.name != new.name.strip():
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"{new.name!r} is a name of the collector itself, or has space around it",
            hint="records would not tell the two apart; choose another name",
        )
    if new.role is Role.OPERATOR and not new.sites:
        raise Refusal(
            Code.MALFORMED_SCOPE, "an operator needs its sites", hint="name them: --site S"
        )
    parse_scope(scope_text(new.sites))
    if new.role is not Role.OPERATOR and new.sites is not None:
        raise Refusal(
            Code.MALFORMED_SCOPE,
            f"an {new.role} reads every site",
            hint="leave --site out, or add an operator",
        )


def _fresh_token(entropy: Entropy) -> tuple[str, bytes]:
    token = new_token(entropy(TOKEN_BYTES))
    digest = token_hash(token)
    if digest is None:
        raise AssertionError("a token made here has the form of a token")
    return token, digest
