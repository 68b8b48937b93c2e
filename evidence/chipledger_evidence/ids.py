"""Names of things on the wire, and the only parsers for them."""

import hashlib
from typing import Annotated, NewType

import msgspec

from chipledger_evidence.codec import b64url_encode

HostId = NewType("HostId", str)
SiteId = NewType("SiteId", str)
KeyId = NewType("KeyId", str)
TokenId = NewType("TokenId", str)


def whole(pattern: str) -> msgspec.Meta:
    """Return the constraint that a text is, from end to end, what `pattern` describes.

    `$` alone also fits before a final line feed, and one thing would have two names.
    """
    return msgspec.Meta(pattern=rf"^(?:{pattern})$(?!\n)")


Digest = Annotated[str, whole("[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")]
"""base64url of 32 bytes: 43 characters, of which the last has no stray low bits."""

SiteName = Annotated[str, whole("[a-z0-9][a-z0-9-]{0,62}")]
"""Site id: lower-case letters, digits and hyphens, at most 63 characters, as a DNS label."""

HostName = Annotated[str, whole("h-[a-z2-7]{26}")]
"""Host id: ``h-`` and 26 base32 characters (128 random bits), given out at enrolment."""

NO_PREVIOUS = "A" * 43
"""`prev` of a host's first token: 32 zero bytes."""


def sha256_b64(data: bytes) -> str:
    """Return base64url(SHA-256(data))."""
    return b64url_encode(hashlib.sha256(data).digest())


def ueid(kind: str, permanent: bytes) -> str:
    """Return an EAT `ueid` (RFC 9711 section 4.2.1): 0x01 ‖ SHA-256(tag ‖ permanent id).

    Args:
        kind: what is named, ``host`` or ``gpu``; separates the two spaces.
        permanent: the identifying bytes, 32 random bytes for a software-keyed host.
    """
    tag = f"chipledger/{kind}/1".encode()
    return b64url_encode(b"\x01" + hashlib.sha256(tag + b"\x00" + permanent).digest())
