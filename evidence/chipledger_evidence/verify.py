"""The numbered pipeline from received bytes to claims that may be used.

1. bounds and strict header: `oversize`, `malformed-token`
2. the key named by `kid` is known, not revoked, and used with its own algorithm
3. the signature holds over exactly the received bytes, in its one accepted form
4. the payload is the canonical encoding of a known profile
5. host and site in the claims are those the key was enrolled for
6. a full report's inventory has the digest it claims and is canonical; its provider is
   accepted at this site

Freshness (step 7, :func:`chipledger_evidence.nonce.judge`) and single use (step 8, a unique
key in the store) need the collector's secrets and state and follow after this.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chipledger_evidence.claims import (
    AnyClaims,
    AnySealedVersion,
    FullReport,
    SealedReport,
    present,
)
from chipledger_evidence.codec import MAX_TOKEN_BYTES, decode_strict
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.ids import HostId, SiteId, TokenId, sha256_b64
from chipledger_evidence.inventory import Inventory
from chipledger_evidence.keys import PublicKey
from chipledger_evidence.token import Header, Token, parse_header

REAL_PROVIDER = "nvml"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTrust:
    """What the relying collector or auditor believes about one key.

    Attributes:
        host: the host the key was enrolled for.
        site: its site.
        key: the public key.
        revoked: no further signature of it is accepted.
        test_site: providers other than real NVML are accepted.
    """

    host: HostId
    site: SiteId
    key: PublicKey
    revoked: bool = False
    test_site: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """The holder of the enrolled key signed exactly these claims.

    Whether they are *true* is another question: see docs/THREATS.md.
    """

    identity: TokenId
    claims: AnyClaims | SealedReport
    token: Token
    trust: HostTrust
    statement: bytes = b""
    """Exact bytes of the inventory that a full report carries; empty for a heartbeat."""


Trust = Callable[[str], HostTrust | None]
"""Looks a key up by its `kid`."""

Known = Callable[[str], str | None]
"""Tells the provider kind of an inventory that was opened before, by digest."""


def verify_token(token: Token, trust: Trust, *, known: Known | None = None) -> VerifiedToken:
    """Return the claims of `token` after steps 1 to 6.

    Args:
        token: bytes as received.
        trust: keys by `kid`.
        known: digests of inventories that this caller has opened before, here or earlier: such
            a report stays a `SealedReport`, which saves decoding the same bytes once more.

    Raises:
        EvidenceError: with the code of the first step that failed.
    """
    if len(token.payload) > MAX_TOKEN_BYTES:  # step 1
        raise EvidenceError(Code.OVERSIZE, f"payload of {len(token.payload)} bytes")
    header = parse_header(token.header)
    host = _trusted(header, trust)  # step 2
    host.key.verify(token.signature, token.signing_input)  # step 3
    said: AnySealedVersion = decode_strict(token.payload, AnySealedVersion)  # type: ignore[arg-type] # 4
    sealed = present(said)
    if sealed.host != host.host:  # step 5
        raise EvidenceError(Code.WRONG_HOST, f"key of {host.host} signed for {sealed.host}")
    if sealed.site != host.site:
        raise EvidenceError(Code.WRONG_SITE, f"{host.host} belongs to {host.site}")
    claims: AnyClaims | SealedReport = sealed
    statement = b""
    if isinstance(sealed, SealedReport):  # step 6
        statement = bytes(sealed.inventory)
        claims = _open(sealed, statement, host, known)
    return VerifiedToken(
        identity=token.identity, claims=claims, token=token, trust=host, statement=statement
    )


def _trusted(header: Header, trust: Trust) -> HostTrust:
    """Return what is believed about the key that a header names, if it may sign so."""
    host = trust(header.kid)
    if host is None:
        raise EvidenceError(
            Code.UNKNOWN_KEY, f"no host is enrolled with key {header.kid}", hint="enrol first"
        )
    if host.revoked:
        raise EvidenceError(Code.REVOKED_KEY, f"key {header.kid} of {host.host} is revoked")
    if header.alg != host.key.alg:
        raise EvidenceError(
            Code.WRONG_ALGORITHM, f"key {header.kid} signs {host.key.alg}, not {header.alg}"
        )
    return host


def _open(
    sealed: SealedReport, statement: bytes, host: HostTrust, known: Known | None
) -> FullReport | SealedReport:
    """Check the inventory's bytes; decode them unless their digest is known."""
    if sha256_b64(statement) != sealed.inv:
        raise EvidenceError(Code.INVENTORY_DIGEST_MISMATCH, "inv does not name the inventory")
    provider = known(sealed.inv) if known else None
    claims: FullReport | SealedReport = sealed
    if provider is None:
        inventory = decode_strict(statement, Inventory)
        provider = inventory.provider.kind
        claims = sealed.open(inventory)
    if provider != REAL_PROVIDER and not host.test_site:
        raise EvidenceError(
            Code.PROVIDER_NOT_ACCEPTED,
            f"provider {provider!r} at {host.site}, which is no test site",
        )
    return claims
