"""Enrolment codes and the end of host keys."""

import hashlib
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chipledger_evidence.codec import encode_canonical
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.refusals import Code, Refusal

CODE_BYTES: Final = 20
MOST_USES: Final = 100_000
MAX_REASON: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """An enrolment code as it is kept: by hash, counted, expiring, bound to a site.

    Attributes:
        code_hash: SHA-256 of the code's text.
        site: the only site it enrols for.
        uses: how many hosts it may still enrol.
        expires_ms: from when on it is refused.
        serials: canonical JSON list of board serials it is tied to, or None.
        created_ms: when it was made.
        principal: who made it.
    """

    code_hash: bytes
    site: str
    uses: int
    expires_ms: int
    serials: bytes | None
    created_ms: int
    principal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFact:
    """A host key: whose, and since when it is revoked."""

    host: str
    revoked_ms: int | None


class CodeStore(Protocol):
    """Where codes and keys are kept; each change durable with its record, or not at all."""

    def has_site(self, site: str) -> bool:
        """Tell whether a site is declared."""

    def add_code(self, code: NewCode, record: Draft) -> None:
        """Keep an enrolment code, by its hash."""

    def key(self, kid: str) -> KeyFact | None:
        """Return what is known of a host key."""

    def revoke_key(self, kid: str, *, at_ms: int, record: Draft) -> None:
        """Write down that no further signature of a key is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOrder:
    """What an administrator asks for: a code for `uses` hosts of a site, until `expires_ms`."""

    site: str
    uses: int
    expires_ms: int
    serials: Sequence[str] | None = None


def code_hash(code: str) -> bytes:
    """Return what is stored of an enrolment code."""
    return hashlib.sha256(code.encode("ascii")).digest()


def create_code(order: CodeOrder, store: CodeStore, hand: Hand) -> str:
    """Return a new enrolment code; only its hash is kept.

    Raises:
        Refusal: `unknown-site` or `invalid-parameter`.
    """
    if not store.has_site(order.site):
        raise Refusal(
            Code.UNKNOWN_SITE, f"no site {order.site} is declared", hint="declare the site first"
        )
    if not 1 <= order.uses <= MOST_USES:
        raise Refusal(
            Code.INVALID_PARAMETER, f"a code has 1 to {MOST_USES} uses", hint="count the hosts"
        )
    if order.expires_ms <= hand.now_ms:
        raise Refusal(
            Code.INVALID_PARAMETER, "the code would already be expired", hint="give it some time"
        )
    code = "ce-" + b32encode(hand.entropy(CODE_BYTES)).decode("ascii").lower()
    digest = code_hash(code)
    serials = None if order.serials is None else encode_canonical(sorted(set(order.serials)))
    new = NewCode(
        code_hash=digest,
        site=order.site,
        uses=order.uses,
        expires_ms=order.expires_ms,
        serials=serials,
        created_ms=hand.now_ms,
        principal=hand.principal,
    )
    detail = {
        "expires_ms": str(order.expires_ms),
        "site": order.site,
        "tied_to_serials": "no" if serials is None else "yes",
        "uses": str(order.uses),
    }
    store.add_code(new, hand.draft("enrolment-code-created", "code-" + digest.hex()[:16], detail))
    return code


def revoke_key(kid: str, store: CodeStore, hand: Hand, *, reason: str) -> KeyFact:
    """End a host key: no further signature of it is accepted. What it signed before stands.

    Raises:
        Refusal: `unknown-key`, `already-revoked` or `invalid-parameter`.
    """
    if not reason.strip() or len(reason) > MAX_REASON:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"a reason has 1 to {MAX_REASON} characters",
            hint="say why: it stands in the log for ever",
        )
    key = store.key(kid)
    if key is None:
        raise Refusal(
            Code.UNKNOWN_KEY,
            f"no host is enrolled with key {kid}",
            hint="the host's page and `chipledger-agent status` show the key id",
        )
    if key.revoked_ms is not None:
        raise Refusal(Code.ALREADY_REVOKED, f"key {kid} is revoked", hint="nothing is left to do")
    record = hand.draft("key-revoked", kid, {"host": key.host}, reason=reason)
    store.revoke_key(kid, at_ms=hand.now_ms, record=record)
    return KeyFact(host=key.host, revoked_ms=hand.now_ms)
