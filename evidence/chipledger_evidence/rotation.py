"""Rotation: the host's present key lets the next one in.

Two signatures: the new key asks, which proves possession, and the old key passes that request
on, which is the permission. A new key in a TPM is activated like at enrolment.
"""

from typing import Annotated, Literal

from chipledger_evidence.claims import Seconds
from chipledger_evidence.codec import Wire
from chipledger_evidence.compact import read_statement, sign_statement
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.ids import Digest, HostName, whole
from chipledger_evidence.keys import Jwk, PublicKey, Signer, load_jwk
from chipledger_evidence.tpm.offer import TpmOffer

KEY_TYP = "chipledger-key+jwt"
ROTATION_TYP = "chipledger-rotation+jwt"


class KeyRequest(Wire, frozen=True, kw_only=True):
    """What the new key signs.

    Attributes:
        host: host id.
        iat: host clock, Unix seconds.
        jwk: the new public key.
        previous: `kid` of the key that it follows.
        tier: what holds the new private key.
        tpm: the TPM that holds it.
        v: version of this format.
    """

    host: HostName
    iat: Seconds
    jwk: Jwk
    previous: Digest
    tier: KeyTier
    tpm: TpmOffer | None = None
    v: Literal[1] = 1


class Rotation(Wire, frozen=True, kw_only=True):
    """What the old key signs: the whole request of the new one.

    Attributes:
        request: the compact JWS of a `KeyRequest`.
        v: version of this format.
    """

    request: Annotated[str, whole(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")]
    v: Literal[1] = 1


def sign_rotation(request: KeyRequest, *, new: Signer, old: Signer) -> bytes:
    """Return the compact JWS that is posted."""
    inner = sign_statement(request, new, typ=KEY_TYP).decode("ascii")
    return sign_statement(Rotation(request=inner), old, typ=ROTATION_TYP)


def open_rotation(body: bytes, old: PublicKey) -> tuple[KeyRequest, PublicKey]:
    """Return what the new key asks for and the new key, after checking both signatures.

    Raises:
        EvidenceError: as :func:`chipledger_evidence.enrolment.open_enrolment`.
    """
    rotation = read_statement(body, Rotation, typ=ROTATION_TYP).by(old)
    inner = read_statement(rotation.request.encode("ascii"), KeyRequest, typ=KEY_TYP)
    key = load_jwk(inner.said.jwk)
    return inner.by(key), key


def rotating_kid(body: bytes) -> str:
    """Return the `kid` of the key that passes a request on; nothing is checked yet."""
    return read_statement(body, Rotation, typ=ROTATION_TYP).header.kid
