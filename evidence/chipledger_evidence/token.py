"""The evidence token: a JWS (RFC 7515) over the exact bytes that were signed.

In documents, vectors and bundles a token is its compact text; in transit it is framed raw
(:mod:`chipledger_evidence.framing`), which saves the base64. Both name the same token: its
identity is SHA-256 over the JWS signing input, without the signature, because an ECDSA
signature can be changed by anyone into another valid one.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from chipledger_evidence.claims import AnyVersion
from chipledger_evidence.codec import (
    MAX_TOKEN_BYTES,
    Wire,
    b64url_decode,
    b64url_encode,
    decode_strict,
    encode_canonical,
)
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.ids import Digest, TokenId
from chipledger_evidence.keys import SIGNATURE_BYTES, Algorithm, Signer

MAX_HEADER_BYTES = 256
_COMPACT_PARTS = 3


class Header(Wire, frozen=True, kw_only=True):
    """The whole JOSE header; an unknown member, `crit` included, is refused."""

    alg: Algorithm
    kid: Digest
    typ: Literal["eat+jwt"]


@dataclass(frozen=True, kw_only=True)
class Token:
    """Bytes as received. Nothing they say may be used before `verify_token` has returned."""

    header: bytes
    payload: bytes
    signature: bytes

    @cached_property
    def signing_input(self) -> bytes:
        """The bytes under the signature: BASE64URL(header) ‖ "." ‖ BASE64URL(payload)."""
        return f"{_header_text(self.header)}.{b64url_encode(self.payload)}".encode("ascii")

    @cached_property
    def identity(self) -> TokenId:
        """base64url(SHA-256(signing input)): names this token for ever."""
        return TokenId(b64url_encode(hashlib.sha256(self.signing_input).digest()))

    def compact(self) -> str:
        """Return the RFC 7515 compact serialisation."""
        return f"{self.signing_input.decode('ascii')}.{b64url_encode(self.signature)}"


@lru_cache(maxsize=65536)
def _header_text(header: bytes) -> str:
    # A host sends the same hundred bytes of header with every token.
    return b64url_encode(header)


@lru_cache(maxsize=65536)
def parse_header(header: bytes) -> Header:
    """Return the header, strictly.

    Raises:
        EvidenceError: `malformed-token` naming the reason.
    """
    try:
        return decode_strict(header, Header, max_bytes=MAX_HEADER_BYTES)
    except EvidenceError as error:
        raise EvidenceError(Code.MALFORMED_TOKEN, f"header: {error}") from error


def parse_compact(text: str) -> Token:
    """Return the token written as compact JWS `text`.

    Raises:
        EvidenceError: `malformed-token`, `malformed-base64` or `oversize`.
    """
    if len(text) > 2 * MAX_TOKEN_BYTES:
        raise EvidenceError(Code.OVERSIZE, f"{len(text)} characters of token")
    parts = text.split(".")
    if len(parts) != _COMPACT_PARTS:
        raise EvidenceError(Code.MALFORMED_TOKEN, f"{len(parts)} parts instead of 3")
    header, payload, signature = (b64url_decode(part) for part in parts)
    return Token(header=header, payload=payload, signature=signature)


def sign_token(claims: AnyVersion, signer: Signer) -> Token:
    """Return `claims` signed by `signer`."""
    header = encode_canonical(Header(alg=signer.public.alg, kid=signer.public.kid, typ="eat+jwt"))
    payload = encode_canonical(claims)
    unsigned = Token(header=header, payload=payload, signature=bytes(SIGNATURE_BYTES))
    return Token(header=header, payload=payload, signature=signer.sign(unsigned.signing_input))
