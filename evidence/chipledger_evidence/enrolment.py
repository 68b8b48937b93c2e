"""Enrolment: how a key becomes a host's key.

The agent sends one compact JWS signed with the new key, which proves possession; the
enrolment code inside proves that the site's operator let it in. Repeating the request with
the same code and key gives the same answer, so a lost answer costs nothing.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from chipledger_evidence.claims import Seconds
from chipledger_evidence.codec import (
    Answer,
    Wire,
    b64url_decode,
    b64url_encode,
    decode_strict,
    encode_canonical,
)
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.ids import Digest, HostName, SiteName, whole
from chipledger_evidence.inventory import MAX_CHIPS, Count, Text
from chipledger_evidence.keys import Algorithm, Jwk, PublicKey, Signer, load_jwk

MEDIA_TYPE = "application/jwt"
MAX_REQUEST_BYTES = 64 * 1024
_PARTS = 3

EnrolmentCode = Annotated[str, whole("ce-[a-z2-7]{32}")]
"""``ce-`` and 32 base32 characters (160 random bits)."""


class KeyTier(StrEnum):
    """What holds the private key; shown with every result."""

    TPM_EK = "tpm-ek"
    TPM_NOEK = "tpm-noek"
    SOFTWARE = "software"
    IDEVID = "idevid"
    PKCS11 = "pkcs11"


class EnrolmentHeader(Wire, frozen=True, kw_only=True):
    """The whole JOSE header of an enrolment request."""

    alg: Algorithm
    kid: Digest
    typ: Literal["chipledger-enrolment+jwt"]


class EnrolmentRequest(Wire, frozen=True, kw_only=True):
    """What an agent asks for, signed with the key it asks for.

    Attributes:
        code: the enrolment code; a secret, never logged.
        iat: host clock, Unix seconds.
        jwk: the public key to enrol; its thumbprint is the header's `kid`.
        provider: kind of NVML provider this host will report through.
        serials: board serials seen, for codes tied to a list.
        tier: what holds the private key.
        ueid: EAT identity of the host.
        hardware: DMI vendor and product, self-reported.
        v: version of this format.
    """

    code: EnrolmentCode
    iat: Seconds
    jwk: Jwk
    provider: Annotated[str, whole("[a-z][a-z0-9-]{0,31}")]
    tier: KeyTier
    ueid: Annotated[str, whole("[A-Za-z0-9_-]{44}")]
    serials: Annotated[tuple[Text, ...], msgspec.Meta(max_length=MAX_CHIPS)] = ()
    hardware: Text | None = None
    v: Literal[1] = 1


class Enrolment(Answer, frozen=True, kw_only=True):
    """The collector's answer; the agent keeps it.

    Attributes:
        collector: name of the collector, origin of its log.
        epoch: nonce for the first token.
        full_interval_s: a full report at least this often.
        host: host id from now on.
        interval_s: a token at least this often.
        kid: the enrolled key.
        leaf: base64url leaf hash of the enrolment's log entry.
        site: site id.
        tier: key tier as the collector judged it.
    """

    collector: Text
    epoch: Digest
    full_interval_s: Count
    host: HostName
    interval_s: Count
    kid: Digest
    leaf: Digest
    site: SiteName
    tier: KeyTier


def sign_enrolment(request: EnrolmentRequest, signer: Signer) -> bytes:
    """Return `request` as the compact JWS that is posted."""
    header = EnrolmentHeader(
        alg=signer.public.alg, kid=signer.public.kid, typ="chipledger-enrolment+jwt"
    )
    text = f"{b64url_encode(encode_canonical(header))}.{b64url_encode(encode_canonical(request))}"
    signature = signer.sign(text.encode("ascii"))
    return f"{text}.{b64url_encode(signature)}".encode("ascii")


def open_enrolment(body: bytes) -> tuple[EnrolmentRequest, PublicKey]:
    """Return the request and the key that signed it, after checking possession of the key.

    The code inside is not checked here: whether it admits this host is the collector's to say.

    Raises:
        EvidenceError: `oversize`, `malformed-token`, `malformed-key`, `wrong-algorithm`,
            `bad-signature` and the codes of the strict codec.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise EvidenceError(Code.OVERSIZE, f"{len(body)} bytes of enrolment request")
    parts = body.split(b".")
    if len(parts) != _PARTS:
        raise EvidenceError(Code.MALFORMED_TOKEN, "an enrolment request has three parts")
    header_bytes, payload, signature = (b64url_decode(part) for part in parts)
    header = decode_strict(header_bytes, EnrolmentHeader)
    request = decode_strict(payload, EnrolmentRequest)
    key = load_jwk(request.jwk)
    if key.kid != header.kid or key.alg != header.alg:
        raise EvidenceError(Code.WRONG_ALGORITHM, "kid or alg do not belong to the key inside")
    key.verify(signature, b".".join(parts[:2]))
    return request, key
