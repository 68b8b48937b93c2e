"""Check one evidence token offline, step by step, against a key the auditor holds."""

from dataclasses import dataclass

import msgspec

from chipledger_evidence.claims import AnyClaims, FullReport, SealedReport
from chipledger_evidence.codec import decode_strict
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.ids import HostId, SiteId
from chipledger_evidence.keys import Jwk, load_jwk
from chipledger_evidence.token import Token
from chipledger_evidence.verify import HostTrust, verify_token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVerdict:
    """What one token proves to somebody who trusts one key.

    Attributes:
        token: identity of the token.
        signed: the key signed exactly these bytes, in canonical form.
        code: why not, a code of docs/ERRORS.md, or an empty string.
        detail: the same in words.
        claims: what was said; to be believed no further than docs/THREATS.md says.
    """

    token: str
    signed: bool
    code: str = ""
    detail: str = ""
    claims: AnyClaims | SealedReport | None = None


def check_token(token: Token, jwk: bytes) -> TokenVerdict:
    """Return what `token` proves under the public key `jwk` (canonical JSON).

    Host and site are taken from the token itself: this answers "did this key sign this",
    not "was this key enrolled for that host", which needs the collector's log.

    Raises:
        EvidenceError: when `jwk` is no key.
    """
    key = load_jwk(decode_strict(jwk.strip(), Jwk))
    said = _said(token)
    trust = HostTrust(host=HostId(said[0]), site=SiteId(said[1]), key=key, test_site=True)
    try:
        verified = verify_token(token, lambda kid: trust if kid == key.kid else None)
    except EvidenceError as error:
        return TokenVerdict(
            token=token.identity, signed=False, code=error.code, detail=error.detail
        )
    return TokenVerdict(token=token.identity, signed=True, claims=verified.claims)


def describe(verdict: TokenVerdict) -> list[str]:
    """Return the verdict as lines for a person."""
    if not verdict.signed or verdict.claims is None:
        return [f"token     {verdict.token}", f"refused   {verdict.code}: {verdict.detail}"]
    claims = verdict.claims
    lines = [
        f"token     {verdict.token}",
        "signed    yes: this key signed exactly these bytes",
        f"host      {claims.host} at site {claims.site}, token {claims.seq} of its chain",
        f"inventory {claims.inv}",
        "fresh     not checked: only the collector can judge its own nonce",
    ]
    if isinstance(claims, FullReport):
        inventory = claims.inventory
        lines.append(
            f"chips     {len(inventory.chips)} listed by provider {inventory.provider.kind!r}, "
            f"scan {inventory.status}: self-reported by the driver (G1 at best), not proven"
        )
    return lines


class _Names(msgspec.Struct):
    host: str = ""
    site: str = ""


def _said(token: Token) -> tuple[str, str]:
    try:
        names = msgspec.json.decode(token.payload, type=_Names)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "", ""
    return names.host, names.site
