"""The numbered pipeline from received bytes to claims that may be used.

1. bounds and strict header: `oversize`, `malformed-token`
2. the key named by `kid` is known, not revoked, and used with its own algorithm
3. the signature holds over exactly the received bytes, in its one accepted form
4. the payload is the canonical encoding of a known profile
5. host and site in the claims are those the key was enrolled for
6. a full report's inventory has the digest it claims; its provider is accepted at this site

Freshness (step 7, :func:`chipledger_evidence.nonce.judge`) and single use (step 8, a unique
key in the store) need the collector's secrets and state and follow after this.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chipledger_evidence.claims import AnyClaims, FullReport
from chipledger_evidence.codec import MAX_TOKEN_BYTES, decode_strict
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.ids import HostId, SiteId, TokenId
from chipledger_evidence.inventory import inventory_digest
from chipledger_evidence.keys import PublicKey
from chipledger_evidence.token import Token, parse_header

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
    claims: AnyClaims
    token: Token
    trust: HostTrust


Trust = Callable[[str], HostTrust | None]
"""Looks a key up by its `kid`."""


def verify_token(token: Token, trust: Trust) -> VerifiedToken:
    """Return the claims of `token` after steps 1 to 6.

    Raises:
        EvidenceError: with the code of the first step that failed.
    """
    if len(token.payload) > MAX_TOKEN_BYTES:  # step 1
        raise EvidenceError(Code.OVERSIZE, f"payload of {len(token.payload)} bytes")
    header = parse_header(token.header)
    known = trust(header.kid)  # step 2
    if known is None:
        raise EvidenceError(
            Code.UNKNOWN_KEY, f"no host is enrolled with key {header.kid}", hint="enrol first"
        )
    if known.revoked:
        raise EvidenceError(Code.REVOKED_KEY, f"key {header.kid} of {known.host} is revoked")
    if header.alg != known.key.alg:
        raise EvidenceError(
            Code.WRONG_ALGORITHM, f"key {header.kid} signs {known.key.alg}, not {header.alg}"
        )
    known.key.verify(token.signature, token.signing_input)  # step 3
    claims: AnyClaims = decode_strict(token.payload, AnyClaims)  # type: ignore[arg-type] # step 4
    _check_claims(claims, known)
    return VerifiedToken(identity=token.identity, claims=claims, token=token, trust=known)


def _check_claims(claims: AnyClaims, known: HostTrust) -> None:
    if claims.host != known.host:  # step 5
        raise EvidenceError(Code.WRONG_HOST, f"key of {known.host} signed for {claims.host}")
    if claims.site != known.site:
        raise EvidenceError(Code.WRONG_SITE, f"{known.host} belongs to {known.site}")
    if isinstance(claims, FullReport):  # step 6
        if inventory_digest(claims.inventory) != claims.inv:
            raise EvidenceError(Code.INVENTORY_DIGEST_MISMATCH, "inv does not name the inventory")
        provider = claims.inventory.provider.kind
        if provider != REAL_PROVIDER and not known.test_site:
            raise EvidenceError(
                Code.PROVIDER_NOT_ACCEPTED,
                f"provider {provider!r} at {known.site}, which is no test site",
            )
